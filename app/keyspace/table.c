/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hash table: finding, adding, removing and resizing. Walking it is in table_walk.c.
 *
 * Bits of the hash: the lowest ones choose the bucket, bits 40 to 47 are the tag, the highest
 * ones choose the partition (keyspace.c).
 */
#include "app/keyspace/table.h"

#include "app/keyspace/mem.h"
#include "app/keyspace/table_priv.h"

#include <rte_prefetch.h>

/* Entries a bucket on average: above, the table doubles; below, it halves. */
#define LOAD_MAX 5u
#define LOAD_MIN 1u

#define RESERVE_BITS_MAX 32u

#define NEXT_SLOT  (BUCKET_SLOTS - 1)
#define SLOTS_MASK ((1u << BUCKET_SLOTS) - 1)
#define LOW_BITS   0x0101010101010101u

static uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)(hash >> 40);
}

/* A bit (7 of byte i) for each slot whose tag may be the one looked for; false alarms are
 * possible. */
static uint64_t tag_match(const struct bucket *b, uint8_t tag)
{
	uint64_t tags;

	memcpy(&tags, b, sizeof(tags));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	tags = __builtin_bswap64(tags);
#endif
	tags ^= LOW_BITS * tag;
	return (tags - LOW_BITS) & ~tags & 0x0080808080808080u;
}

static struct bucket *head_of(const struct table *t, uint64_t hash)
{
	uint64_t cur_mask = (UINT64_C(1) << t->cur_bits) - 1;
	uint64_t next_mask;

	if (!t->next)
		return &t->cur[hash & cur_mask];
	next_mask = (UINT64_C(1) << t->next_bits) - 1;
	if ((hash & cur_mask & next_mask) < t->pos)
		return &t->next[hash & next_mask];
	return &t->cur[hash & cur_mask];
}

bool table_find(
	const struct table *t, uint64_t hash, const void *key, uint32_t len, struct table_ref *ref)
{
	uint8_t tag = tag_of(hash);

	if (!t->cur)
		return false;
	for (struct bucket *b = head_of(t, hash); b; b = bucket_next(b)) {
		for (uint64_t m = tag_match(b, tag); m; m &= m - 1) {
			unsigned i = (unsigned)__builtin_ctzll(m) / 8;

			if (b->used >> i & 1 && entry_key_is(b->slot[i], key, len)) {
				*ref = (struct table_ref){b, i};
				return true;
			}
		}
	}
	return false;
}

bool table_find_entry(
	const struct table *t, uint64_t hash, const struct entry *e, struct table_ref *ref)
{
	if (!t->cur)
		return false;
	for (struct bucket *b = head_of(t, hash); b; b = bucket_next(b)) {
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			if (b->used >> i & 1 && b->slot[i] == e) {
				*ref = (struct table_ref){b, i};
				return true;
			}
		}
	}
	return false;
}

static struct bucket *last_of(struct bucket *b)
{
	for (struct bucket *n = bucket_next(b); n; n = bucket_next(n))
		b = n;
	return b;
}

static void bucket_clear(struct bucket *b)
{
	memset(b, 0, BUCKET_SLOTS + 1);
}

static void bucket_put(struct bucket *b, uint8_t tag, void *e)
{
	unsigned i = (unsigned)__builtin_ctz(~(unsigned)b->used);

	BUG_ON(i >= BUCKET_SLOTS || b->used & BUCKET_CHAINED);
	b->tags[i] = tag;
	b->slot[i] = e;
	b->used |= (uint8_t)(1u << i);
}

/* Adds to the end of a chain. When that is full, takes a bucket from *spare (a list linked by
 * slot 6). */
static bool chain_put(struct bucket *head, uint8_t tag, struct entry *e, struct bucket **spare)
{
	struct bucket *b = last_of(head);
	struct bucket *n;

	if (b->used == SLOTS_MASK) {
		n = *spare;
		if (!n)
			return false;
		*spare = n->slot[NEXT_SLOT];
		bucket_clear(n);
		bucket_put(n, b->tags[NEXT_SLOT], b->slot[NEXT_SLOT]);
		b->slot[NEXT_SLOT] = n;
		b->used = (SLOTS_MASK >> 1) | BUCKET_CHAINED;
		b = n;
	}
	bucket_put(b, tag, e);
	return true;
}

static struct bucket *spare_create(void)
{
	struct bucket *b = mem_alloc_lines(sizeof(*b));

	if (b)
		b->slot[NEXT_SLOT] = NULL;
	return b;
}

static void spare_free(struct bucket *spare)
{
	while (spare) {
		struct bucket *n = spare->slot[NEXT_SLOT];

		mem_free(spare);
		spare = n;
	}
}

/* Starts a resize. Without memory for it the table stays as it is: slower, or larger than it
 * need be. */
static void resize_start(struct table *t, uint8_t bits)
{
	struct bucket *next = mem_alloc_lines(sizeof(*next) << bits);

	if (!next)
		return;
	t->pos = 0;
	__atomic_store_n(&t->next_bits, bits, __ATOMIC_RELAXED);
	__atomic_store_n(&t->next, next, __ATOMIC_RELAXED);
}

static void count_add(struct table *t, int n)
{
	atomic_store_explicit(&t->nr, table_count(t) + (uint64_t)n, memory_order_relaxed);
}

static bool first_bucket(struct table *t)
{
	struct bucket *b;

	if (t->cur)
		return true;
	b = mem_alloc_lines(sizeof(*b));
	if (!b)
		return false;
	bucket_clear(b);
	__atomic_store_n(&t->cur_bits, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->cur, b, __ATOMIC_RELAXED);
	return true;
}

void table_reserve(struct table *t, uint64_t nr)
{
	struct bucket *b;
	uint8_t bits = 0;

	if (table_count(t) > 0 || t->next)
		return;
	while (bits < RESERVE_BITS_MAX && (uint64_t)LOAD_MAX << bits < nr)
		bits++;
	b = bits > t->cur_bits || !t->cur ? mem_alloc_lines(sizeof(*b) << bits) : NULL;
	if (!b)
		return;
	for (uint64_t i = 0; i < UINT64_C(1) << bits; i++)
		bucket_clear(&b[i]);
	mem_free(t->cur);
	__atomic_store_n(&t->cur_bits, bits, __ATOMIC_RELAXED);
	__atomic_store_n(&t->cur, b, __ATOMIC_RELAXED);
}

bool table_insert(struct table *t, uint64_t hash, struct entry *e)
{
	struct bucket *spare = NULL;
	struct bucket *head;

	if (!first_bucket(t))
		return false;
	head = head_of(t, hash);
	if (!chain_put(head, tag_of(hash), e, &spare)) {
		spare = spare_create();
		if (!spare)
			return false;
		chain_put(head, tag_of(hash), e, &spare);
	}
	count_add(t, 1);
	if (!t->next && table_count(t) > (uint64_t)LOAD_MAX << t->cur_bits)
		resize_start(t, t->cur_bits + 1);
	return true;
}

/* Takes the last bucket of a chain away, now that it is empty, unless it is the head. */
static void chain_drop(struct bucket *head, struct bucket *last)
{
	struct bucket *prev = head;

	if (head == last)
		return;
	while (bucket_next(prev) != last)
		prev = bucket_next(prev);
	prev->used &= (uint8_t)~BUCKET_CHAINED;
	mem_free(last);
}

/* Fills the hole at ref with an entry from the chain's end, and drops the last bucket if that
 * empties it. */
static void chain_fill(const struct table_ref *ref)
{
	struct bucket *prev = ref->b;
	struct bucket *last = bucket_next(prev);
	unsigned i;

	for (struct bucket *n = bucket_next(last); n; n = bucket_next(n)) {
		prev = last;
		last = n;
	}
	i = 31 - (unsigned)__builtin_clz(last->used);
	ref->b->tags[ref->i] = last->tags[i];
	ref->b->slot[ref->i] = last->slot[i];
	last->used &= (uint8_t) ~(1u << i);
	if (last->used == 0)
		chain_drop(prev, last);
}

void table_remove(struct table *t, uint64_t hash, const struct table_ref *ref)
{
	ASSERT(ref->b->used >> ref->i & 1);
	if (ref->b->used & BUCKET_CHAINED) {
		chain_fill(ref);
	} else {
		ref->b->used &= (uint8_t) ~(1u << ref->i);
		if (ref->b->used == 0)
			chain_drop(head_of(t, hash), ref->b);
	}
	count_add(t, -1);
	if (!t->next && t->cur_bits > 0 && table_count(t) < (uint64_t)LOAD_MIN << t->cur_bits)
		resize_start(t, t->cur_bits - 1);
}

/* Moves all entries of a chain to the buckets of next where they belong. The chain's own
 * buckets serve as spares: splitting a chain needs no more than it had, and merging two at most
 * two more, which the caller adds. */
static void chain_move(
	struct table *t, struct bucket *head, const struct hash_seed *seed, struct bucket **spare)
{
	uint64_t mask = (UINT64_C(1) << t->next_bits) - 1;
	struct bucket *b = head;

	while (b) {
		struct bucket *n = bucket_next(b);
		struct bucket copy = *b;

		if (b != head) {
			b->slot[NEXT_SLOT] = *spare;
			*spare = b;
		}
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct entry *e = copy.slot[i];
			uint64_t hash;

			if (!(copy.used >> i & 1))
				continue;
			hash = hash_key(seed, entry_key_ptr(e), e->key_len);
			BUG_ON(!chain_put(&t->next[hash & mask], copy.tags[i], e, spare));
		}
		b = n;
	}
}

static void resize_finish(struct table *t)
{
	struct bucket *old = t->cur;

	__atomic_store_n(&t->cur, t->next, __ATOMIC_RELAXED);
	__atomic_store_n(&t->cur_bits, t->next_bits, __ATOMIC_RELAXED);
	__atomic_store_n(&t->next, NULL, __ATOMIC_RELAXED);
	mem_free(old);
}

bool table_step(struct table *t, const struct hash_seed *seed)
{
	struct bucket *spare = NULL;
	uint64_t units;

	if (!t->next)
		return false;
	units = table_units(t);
	if (t->next_bits > t->cur_bits) {
		bucket_clear(&t->next[t->pos]);
		bucket_clear(&t->next[t->pos + units]);
		chain_move(t, &t->cur[t->pos], seed, &spare);
	} else {
		for (int i = 0; i < 2; i++) {
			struct bucket *b = spare_create();

			if (!b) {
				spare_free(spare);
				return true;
			}
			b->slot[NEXT_SLOT] = spare;
			spare = b;
		}
		bucket_clear(&t->next[t->pos]);
		chain_move(t, &t->cur[t->pos], seed, &spare);
		chain_move(t, &t->cur[t->pos + units], seed, &spare);
	}
	spare_free(spare);
	if (++t->pos == units)
		resize_finish(t);
	return t->next;
}

void table_prefetch(const struct table *t, uint64_t hash)
{
	const struct bucket *next = __atomic_load_n(&t->next, __ATOMIC_RELAXED);
	uintptr_t base = (uintptr_t)(next ? next : __atomic_load_n(&t->cur, __ATOMIC_RELAXED));
	uint8_t bits = next ? __atomic_load_n(&t->next_bits, __ATOMIC_RELAXED)
			    : __atomic_load_n(&t->cur_bits, __ATOMIC_RELAXED);

	/* the array may be replaced meanwhile: then this loads a line in vain */
	base += (uintptr_t)(hash & ((UINT64_C(1) << (bits & 63)) - 1)) * sizeof(struct bucket);
	rte_prefetch0((const void *)base);
}

void table_prefetch_entry(const struct table *t, uint64_t hash)
{
	const struct bucket *b;

	if (!t->cur)
		return;
	b = head_of(t, hash);
	for (uint64_t m = tag_match(b, tag_of(hash)); m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m) / 8;

		if (b->used >> i & 1)
			rte_prefetch0(b->slot[i]);
	}
}

static void table_assign(struct table *t, const struct table *from)
{
	__atomic_store_n(&t->next, from->next, __ATOMIC_RELAXED);
	__atomic_store_n(&t->next_bits, from->next_bits, __ATOMIC_RELAXED);
	__atomic_store_n(&t->cur, from->cur, __ATOMIC_RELAXED);
	__atomic_store_n(&t->cur_bits, from->cur_bits, __ATOMIC_RELAXED);
	atomic_store_explicit(&t->nr, table_count(from), memory_order_relaxed);
	t->pos = from->pos;
}

void table_swap(struct table *a, struct table *b)
{
	struct table tmp;

	table_assign(&tmp, a);
	table_assign(a, b);
	table_assign(b, &tmp);
}

void table_fini(struct table *t)
{
	mem_free(t->cur);
	mem_free(t->next);
	*t = (struct table){0};
}
