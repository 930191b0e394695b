/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Access statistics in an entry's 24 bits: the clock of the last access in seconds (LRU), or 16
 * bits of minutes and 8 bits of a logarithmic counter (LFU), as the policy says. Changing the
 * policy reinterprets what is there, as in Redis.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/rand.h"

void ks_set_policy(struct keyspace *ks, enum ks_policy policy, unsigned samples, int lfu_log_factor,
	int lfu_decay_min)
{
	atomic_store_explicit(&ks->policy, (int)policy, memory_order_relaxed);
	atomic_store_explicit(&ks->samples, samples ? samples : 1, memory_order_relaxed);
	atomic_store_explicit(&ks->lfu_log_factor, lfu_log_factor, memory_order_relaxed);
	atomic_store_explicit(&ks->lfu_decay_min, lfu_decay_min, memory_order_relaxed);
}

static uint32_t lru_clock(int64_t now_ms)
{
	return (uint32_t)(now_ms / 1000) & KS_LRU_MASK;
}

static uint32_t lfu_minutes(int64_t now_ms)
{
	return (uint32_t)(now_ms / 60000) & 0xffff;
}

/* The counter after it has decayed: one for each period without access. */
static unsigned lfu_decayed(const struct keyspace *ks, const struct entry *e, int64_t now_ms)
{
	int decay = atomic_load_explicit(&ks->lfu_decay_min, memory_order_relaxed);
	unsigned counter = e->lru & 0xff;
	uint32_t elapsed = (lfu_minutes(now_ms) - (e->lru >> 8)) & 0xffff;
	uint32_t periods = decay > 0 ? elapsed / (uint32_t)decay : 0;

	return periods > counter ? 0 : counter - periods;
}

/* Counts an access with a probability that falls with what was counted already. */
static unsigned lfu_incremented(const struct keyspace *ks, unsigned counter)
{
	int factor = atomic_load_explicit(&ks->lfu_log_factor, memory_order_relaxed);
	uint64_t above = counter > KS_LFU_INIT ? counter - KS_LFU_INIT : 0;

	if (counter >= 255)
		return 255;
	return counter + (ks_rand_below(above * (uint64_t)(factor > 0 ? factor : 0) + 1) == 0);
}

static uint32_t lfu_pack(int64_t now_ms, unsigned counter)
{
	return lfu_minutes(now_ms) << 8 | counter;
}

uint32_t ks_lru_new(const struct keyspace *ks, int64_t now_ms)
{
	return ks_policy_is_lfu(ks) ? lfu_pack(now_ms, KS_LFU_INIT) : lru_clock(now_ms);
}

void entry_touch(struct keyspace *ks, struct entry *e, int64_t now_ms)
{
	uint32_t lru = lru_clock(now_ms);

	if (ks_policy_is_lfu(ks))
		lru = lfu_pack(now_ms, lfu_incremented(ks, lfu_decayed(ks, e, now_ms)));
	/* a line that other cores read stays theirs as well */
	if (e->lru != (lru & KS_LRU_MASK))
		e->lru = lru & KS_LRU_MASK;
}

uint64_t entry_idle_s(const struct keyspace *ks, const struct entry *e, int64_t now_ms)
{
	return (lru_clock(now_ms) - e->lru) & KS_LRU_MASK;
}

unsigned entry_freq(const struct keyspace *ks, const struct entry *e, int64_t now_ms)
{
	return lfu_decayed(ks, e, now_ms);
}

void entry_set_idle(struct keyspace *ks, struct entry *e, uint64_t idle_s, int64_t now_ms)
{
	/* beyond half the clock's range it would soon pass for recent */
	uint32_t idle = idle_s > KS_LRU_MASK / 2 ? KS_LRU_MASK / 2 : (uint32_t)idle_s;

	if (!ks_policy_is_lfu(ks))
		e->lru = (lru_clock(now_ms) - idle) & KS_LRU_MASK;
}

void entry_set_freq(struct keyspace *ks, struct entry *e, unsigned freq, int64_t now_ms)
{
	if (ks_policy_is_lfu(ks))
		e->lru = lfu_pack(now_ms, freq > 255 ? 255 : freq) & KS_LRU_MASK;
}
