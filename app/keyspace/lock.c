/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Partition locks, one or several. Order: ascending index, always; so nobody waits in a circle,
 * and since every wait is bounded nobody waits for long.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/mem.h"

#include <rte_pause.h>
#include <stdlib.h>

/* Looks at a busy lock: a few microseconds in all. */
#define SPIN_MAX 64

bool ks_part_trylock(struct keyspace *ks, uint32_t part)
{
	rte_spinlock_t *lock = &ks->parts[part].lock;

	BUG_ON(part >= ks->nr_parts);
	for (int i = 0; i < SPIN_MAX; i++) {
		if (!rte_spinlock_is_locked(lock) && rte_spinlock_trylock(lock))
			return true;
		rte_pause();
	}
	return false;
}

bool ks_part_trylock_once(struct keyspace *ks, uint32_t part)
{
	BUG_ON(part >= ks->nr_parts);
	return rte_spinlock_trylock(&ks->parts[part].lock);
}

void ks_part_unlock(struct keyspace *ks, uint32_t part)
{
	ASSERT(rte_spinlock_is_locked(&ks->parts[part].lock));
	rte_spinlock_unlock(&ks->parts[part].lock);
}

void ks_lockset_init(struct ks_lockset *ls)
{
	ls->nr = 0;
	ls->cap = KS_LOCKSET_INLINE;
	ls->parts = ls->inl;
	ls->all = false;
}

void ks_lockset_fini(struct ks_lockset *ls)
{
	if (ls->parts != ls->inl)
		mem_free(ls->parts);
	ks_lockset_init(ls);
}

void ks_lockset_all(struct ks_lockset *ls)
{
	ls->all = true;
	ls->nr = 0;
}

static bool grow(struct ks_lockset *ls)
{
	bool inl = ls->parts == ls->inl;
	uint32_t *parts;

	if (ls->cap > UINT32_MAX / 2)
		return false;
	parts = mem_realloc(inl ? NULL : ls->parts, sizeof(*parts) * ls->cap * 2);
	if (!parts)
		return false;
	if (inl)
		memcpy(parts, ls->inl, sizeof(ls->inl));
	ls->parts = parts;
	ls->cap *= 2;
	return true;
}

void ks_lockset_add(struct ks_lockset *ls, uint32_t part)
{
	if (ls->all || (ls->nr > 0 && ls->parts[ls->nr - 1] == part))
		return;
	if (ls->nr == ls->cap && !grow(ls)) {
		ks_lockset_all(ls); /* too many to note: all of them is correct too */
		return;
	}
	ls->parts[ls->nr++] = part;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sort_unique(struct ks_lockset *ls)
{
	uint32_t nr = 1;

	if (ls->nr < 2)
		return;
	qsort(ls->parts, ls->nr, sizeof(*ls->parts), compare);
	for (uint32_t i = 1; i < ls->nr; i++) {
		if (ls->parts[i] != ls->parts[nr - 1])
			ls->parts[nr++] = ls->parts[i];
	}
	ls->nr = nr;
}

static uint32_t set_len(const struct keyspace *ks, const struct ks_lockset *ls)
{
	return ls->all ? ks->nr_parts : ls->nr;
}

static uint32_t set_part(const struct ks_lockset *ls, uint32_t i)
{
	return ls->all ? i : ls->parts[i];
}

bool ks_lockset_try(struct keyspace *ks, struct ks_lockset *ls)
{
	uint32_t nr;

	sort_unique(ls);
	nr = set_len(ks, ls);
	for (uint32_t i = 0; i < nr; i++) {
		if (ks_part_trylock(ks, set_part(ls, i)))
			continue;
		while (i-- > 0)
			ks_part_unlock(ks, set_part(ls, i));
		return false;
	}
	return true;
}

void ks_lockset_unlock(struct keyspace *ks, struct ks_lockset *ls)
{
	uint32_t nr = set_len(ks, ls);

	for (uint32_t i = 0; i < nr; i++)
		ks_part_unlock(ks, set_part(ls, i));
}

uint64_t ks_part_written(const struct keyspace *ks, uint32_t part)
{
	return ks->parts[part].written;
}

void ks_part_set_written(struct keyspace *ks, uint32_t part, uint64_t off)
{
	ks->parts[part].written = off;
}

uint64_t ks_lockset_written(const struct keyspace *ks, const struct ks_lockset *ls)
{
	uint32_t nr = set_len(ks, ls);
	uint64_t max = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t off = ks_part_written(ks, set_part(ls, i));

		max = off > max ? off : max;
	}
	return max;
}

void ks_lockset_set_written(struct keyspace *ks, const struct ks_lockset *ls, uint64_t off)
{
	uint32_t nr = set_len(ks, ls);

	for (uint32_t i = 0; i < nr; i++)
		ks_part_set_written(ks, set_part(ls, i), off);
}

bool ks_lockset_has(const struct ks_lockset *ls, uint32_t part)
{
	uint32_t low = 0, high = ls->nr;

	if (ls->all)
		return true;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (ls->parts[mid] == part)
			return true;
		if (ls->parts[mid] < part)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static void wait_for(struct keyspace *ks, uint32_t part)
{
	while (!ks_part_trylock(ks, part))
		;
}

void ks_lockset_extend_all(struct keyspace *ks, struct ks_lockset *ls)
{
	if (ls->all)
		return;
	for (uint32_t part = 0; part < ks->nr_parts; part++) {
		if (!ks_lockset_has(ls, part))
			wait_for(ks, part);
	}
	ks_lockset_all(ls);
}

void ks_lockset_extend(struct keyspace *ks, struct ks_lockset *ls, uint32_t part)
{
	uint32_t at;

	if (ks_lockset_has(ls, part))
		return;
	if (ls->nr == ls->cap && !grow(ls)) {
		ks_lockset_extend_all(ks, ls);
		return;
	}
	wait_for(ks, part);
	for (at = ls->nr++; at > 0 && ls->parts[at - 1] > part; at--)
		ls->parts[at] = ls->parts[at - 1];
	ls->parts[at] = part;
}
