/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which extents of the pool are free: a bitmap in memory, rebuilt at open from the newest manifest.
 * Lock-free, because poll cores take extents while the control thread frees some.
 */
#include "persist/snap_priv.h"

#include "checks.h"

#include <stdlib.h>

struct snap_area *snap_area_create(struct pool *pool)
{
	struct snap_area *area = calloc(1, sizeof(*area));
	uint32_t nr = atomic_load(&pool->nr_extents);
	size_t nr_words = ((size_t)pool->max_extents + 63) / 64;

	if (area == NULL)
		return NULL;
	area->pool = pool;
	atomic_store(&area->nr_extents, nr);
	area->used = calloc(nr_words, sizeof(*area->used));
	area->info = calloc(pool->max_extents, sizeof(*area->info));
	if (area->used == NULL || area->info == NULL) {
		snap_area_destroy(&area);
		return NULL;
	}
	/* What lies past the end is never free. */
	if (nr % 64 != 0)
		atomic_store(&area->used[nr / 64], ~0ull << nr % 64);
	atomic_store(&area->nr_free, nr);
	for (unsigned int i = 0; i < SNAP_MAX; i++)
		area->snaps[i].pool = pool;
	return area;
}

void snap_area_destroy(struct snap_area **areap)
{
	struct snap_area *area = *areap;

	if (area == NULL)
		return;
	for (unsigned int i = 0; i < SNAP_MAX; i++) {
		if (atomic_load(&area->snaps[i].state) != SNAP_FREE)
			snap_slot_free(&area->snaps[i]);
	}
	*areap = NULL;
	free(area->used);
	free(area->info);
	free(area);
}

uint32_t extent_alloc(struct snap_area *area, uint32_t *cursor)
{
	/* Pairs with extents_add(). */
	uint32_t nr = atomic_load_explicit(&area->nr_extents, memory_order_acquire);
	uint32_t nr_words = (nr + 63) / 64;

	for (uint32_t i = 0; i <= nr_words; i++) {
		uint32_t w = (*cursor / 64 + i) % nr_words;
		uint64_t seen = atomic_load_explicit(&area->used[w], memory_order_relaxed);
		while (~seen != 0) {
			uint64_t bit = ~seen & -~seen;
			/* Pairs with extent_free(): its former user is done with it. */
			seen = atomic_fetch_or_explicit(&area->used[w], bit, memory_order_acquire);
			if ((seen & bit) == 0) {
				atomic_fetch_sub_explicit(&area->nr_free, 1, memory_order_relaxed);
				*cursor = w * 64;
				return w * 64 + (uint32_t)__builtin_ctzll(bit);
			}
		}
	}
	return EXTENT_NONE;
}

void extent_free(struct snap_area *area, uint32_t ext)
{
	uint64_t bit = 1ull << ext % 64;
	uint64_t seen;

	/* Pairs with extent_alloc(). */
	seen = atomic_fetch_and_explicit(&area->used[ext / 64], ~bit, memory_order_release);
	BUG_ON((seen & bit) == 0);
	atomic_fetch_add_explicit(&area->nr_free, 1, memory_order_relaxed);
}

bool extent_take(struct snap_area *area, uint32_t ext)
{
	uint64_t bit = 1ull << ext % 64;

	if (ext >= atomic_load(&area->nr_extents))
		return false;
	if (atomic_fetch_or_explicit(&area->used[ext / 64], bit, memory_order_acquire) & bit)
		return false;
	atomic_fetch_sub_explicit(&area->nr_free, 1, memory_order_relaxed);
	return true;
}

void extents_add(struct snap_area *area, uint32_t nr)
{
	uint32_t old = atomic_load(&area->nr_extents);
	uint32_t last = nr / 64;

	/* First what lies past the new end, then the number, then what was past the old end. */
	if (nr % 64 != 0)
		atomic_fetch_or(&area->used[last], ~0ull << nr % 64);
	atomic_store(&area->pool->nr_extents, nr);
	/* Pairs with extent_alloc(). */
	atomic_store_explicit(&area->nr_extents, nr, memory_order_release);
	if (old % 64 != 0) {
		uint64_t open = ~0ull << old % 64;

		if (last == old / 64)
			open &= ~(~0ull << nr % 64);
		atomic_fetch_and_explicit(&area->used[old / 64], ~open, memory_order_release);
	}
	atomic_fetch_add(&area->nr_free, nr - old);
}

uint32_t extents_end(const struct snap_area *area)
{
	uint32_t nr = atomic_load(&area->nr_extents);

	while (nr > 0 && (atomic_load(&area->used[(nr - 1) / 64]) >> (nr - 1) % 64 & 1) == 0)
		nr--;
	return nr;
}

void extent_list_free(struct snap_area *area, uint32_t first)
{
	while (first != EXTENT_NONE) {
		uint32_t next = area->info[first].next;
		extent_free(area, first);
		first = next;
	}
}
