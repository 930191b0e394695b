/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The expiry index. Invariants: items[parent(i)].at_ms <= items[i].at_ms; the entry of items[i]
 * holds i.
 */
#include "app/keyspace/heap.h"

#include "app/keyspace/mem.h"

#define HEAP_WAYS    4u
#define HEAP_CAP_MIN 4u

static void place(struct heap *h, uint32_t idx, struct heap_item item)
{
	h->items[idx] = item;
	entry_set_heap_idx(item.e, idx);
}

static void sift_up(struct heap *h, uint32_t idx, struct heap_item item)
{
	while (idx > 0) {
		uint32_t parent = (idx - 1) / HEAP_WAYS;

		if (h->items[parent].at_ms <= item.at_ms)
			break;
		place(h, idx, h->items[parent]);
		idx = parent;
	}
	place(h, idx, item);
}

static void sift_down(struct heap *h, uint32_t idx, struct heap_item item)
{
	for (;;) {
		uint64_t first = (uint64_t)idx * HEAP_WAYS + 1;
		uint32_t best;

		if (first >= h->nr)
			break;
		best = (uint32_t)first;
		for (uint32_t i = best + 1; i < first + HEAP_WAYS && i < h->nr; i++) {
			if (h->items[i].at_ms < h->items[best].at_ms)
				best = i;
		}
		if (h->items[best].at_ms >= item.at_ms)
			break;
		place(h, idx, h->items[best]);
		idx = best;
	}
	place(h, idx, item);
}

static void sift(struct heap *h, uint32_t idx, struct heap_item item)
{
	if (idx > 0 && h->items[(idx - 1) / HEAP_WAYS].at_ms > item.at_ms)
		sift_up(h, idx, item);
	else
		sift_down(h, idx, item);
}

static bool resize(struct heap *h, uint32_t cap)
{
	struct heap_item *items = mem_realloc(h->items, (size_t)cap * sizeof(*items));

	if (!items)
		return false;
	h->items = items;
	h->cap = cap;
	return true;
}

bool heap_reserve(struct heap *h)
{
	if (h->nr < h->cap)
		return true;
	if (h->cap > UINT32_MAX / 2)
		return false;
	return resize(h, h->cap ? h->cap * 2 : HEAP_CAP_MIN);
}

void heap_push(struct heap *h, struct entry *e, int64_t at_ms)
{
	BUG_ON(h->nr >= h->cap);
	sift_up(h, h->nr++, (struct heap_item){at_ms, e});
}

void heap_update(struct heap *h, uint32_t idx, int64_t at_ms)
{
	BUG_ON(idx >= h->nr);
	sift(h, idx, (struct heap_item){at_ms, h->items[idx].e});
}

void heap_remove(struct heap *h, uint32_t idx)
{
	struct heap_item last;

	BUG_ON(idx >= h->nr);
	last = h->items[--h->nr];
	if (idx < h->nr)
		sift(h, idx, last);
	if (h->nr == 0)
		heap_fini(h);
	else if (h->cap > HEAP_CAP_MIN && h->nr <= h->cap / 4)
		(void)resize(h, h->cap / 2);
}

void heap_fini(struct heap *h)
{
	mem_free(h->items);
	*h = (struct heap){0};
}
