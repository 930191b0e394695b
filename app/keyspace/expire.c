/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Expiry: the index of each cell, its counters, and removing what is past its time.
 */
#include "app/keyspace/keyspace_priv.h"

#define TTL_READ_TRIES 16

static uint64_t ttl_share(int64_t at_ms)
{
	return at_ms < 0 ? 0 : (uint64_t)(at_ms < KS_TTL_SUM_MAX ? at_ms : KS_TTL_SUM_MAX);
}

/* Sets number and sum as one for readers without the lock; pairs with ttl_read(). */
static void ttl_publish(struct ks_cell *cell, uint64_t sum)
{
	unsigned seq = atomic_load_explicit(&cell->ttl_seq, memory_order_relaxed);

	atomic_store_explicit(&cell->ttl_seq, seq + 1, memory_order_relaxed);
	/* release: no reader sees these without the odd number */
	atomic_store_explicit(&cell->nr_expires, cell->heap.nr, memory_order_release);
	atomic_store_explicit(&cell->ttl_sum, sum, memory_order_release);
	atomic_store_explicit(&cell->ttl_seq, seq + 2, memory_order_release);
}

static uint64_t ttl_sum(const struct ks_cell *cell)
{
	return atomic_load_explicit(&cell->ttl_sum, memory_order_relaxed);
}

/* Number and sum that belong together; pairs with ttl_publish(). false: a writer kept being in
 * the way. */
static bool ttl_read(const struct ks_cell *cell, uint64_t *nr, uint64_t *sum)
{
	for (int i = 0; i < TTL_READ_TRIES; i++) {
		unsigned seq = atomic_load_explicit(&cell->ttl_seq, memory_order_acquire);

		*nr = atomic_load_explicit(&cell->nr_expires, memory_order_acquire);
		*sum = atomic_load_explicit(&cell->ttl_sum, memory_order_acquire);
		if (!(seq & 1) && atomic_load_explicit(&cell->ttl_seq, memory_order_relaxed) == seq)
			return true;
	}
	return false;
}

int64_t ks_part_next_expire(const struct keyspace *ks, uint32_t part)
{
	return atomic_load_explicit(&ks->parts[part].next_expire, memory_order_relaxed);
}

static void next_expire_store(struct keyspace *ks, uint32_t part, int64_t at_ms)
{
	atomic_store_explicit(&ks->parts[part].next_expire, at_ms, memory_order_relaxed);
}

void ks_next_expire_set(struct keyspace *ks, uint32_t part)
{
	int64_t min = INT64_MAX;

	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		const struct ks_cell *cell = ks_cell(ks, (int)db, part);

		if (cell && heap_top_ms(&cell->heap) < min)
			min = heap_top_ms(&cell->heap);
	}
	next_expire_store(ks, part, min);
}

/* The top of a heap was old. */
static void top_changed(struct keyspace *ks, uint32_t part, const struct ks_cell *cell, int64_t old)
{
	int64_t top = heap_top_ms(&cell->heap);
	int64_t next = ks_part_next_expire(ks, part);

	if (top == old)
		return;
	if (top <= next)
		next_expire_store(ks, part, top);
	else if (old == next)
		ks_next_expire_set(ks, part);
}

void ks_ttl_add(struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e)
{
	int64_t old = heap_top_ms(&cell->heap);
	int64_t at_ms = entry_expire_ms(e);

	heap_push(&cell->heap, e, at_ms);
	ttl_publish(cell, ttl_sum(cell) + ttl_share(at_ms));
	top_changed(ks, part, cell, old);
}

void ks_ttl_change(
	struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e, int64_t at_ms)
{
	int64_t old = heap_top_ms(&cell->heap);
	uint64_t sum = ttl_sum(cell) - ttl_share(entry_expire_ms(e)) + ttl_share(at_ms);

	heap_update(&cell->heap, entry_heap_idx(e), at_ms);
	entry_set_expire_ms(e, at_ms);
	ttl_publish(cell, sum);
	top_changed(ks, part, cell, old);
}

void ks_ttl_remove(struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e)
{
	int64_t old = heap_top_ms(&cell->heap);

	heap_remove(&cell->heap, entry_heap_idx(e));
	ttl_publish(cell, ttl_sum(cell) - ttl_share(entry_expire_ms(e)));
	top_changed(ks, part, cell, old);
}

void ks_ttl_replace(struct ks_cell *cell, const struct entry *e, struct entry *by)
{
	uint32_t idx = entry_heap_idx(e);

	ASSERT(cell->heap.items[idx].e == e);
	entry_set_expire_ms(by, entry_expire_ms(e));
	entry_set_heap_idx(by, idx);
	cell->heap.items[idx].e = by;
}

void ks_cell_swap(struct ks_cell *a, struct ks_cell *b)
{
	struct heap heap = a->heap;
	uint64_t sum_a = ttl_sum(a);
	uint64_t sum_b = ttl_sum(b);

	table_swap(&a->table, &b->table);
	a->heap = b->heap;
	b->heap = heap;
	ttl_publish(a, sum_b);
	ttl_publish(b, sum_a);
}

int64_t ks_avg_ttl_ms(const struct keyspace *ks, int db, int64_t now_ms)
{
	const struct ks_cell *cells = ks_cell(ks, db, 0);
	unsigned __int128 total = 0;
	uint64_t nr_total = 0;
	int64_t avg;

	for (uint32_t i = 0; cells && i < ks->nr_parts; i++) {
		uint64_t nr;
		uint64_t sum;

		if (!ttl_read(&cells[i], &nr, &sum))
			continue;
		total += sum;
		nr_total += nr;
	}
	if (nr_total == 0)
		return 0;
	avg = (int64_t)(total / nr_total) - now_ms;
	return avg > 0 ? avg : 0;
}

/* Removes what is past its time in one cell; returns how many. */
static unsigned expire_cell(struct keyspace *ks, unsigned core, uint32_t part, int db,
	int64_t now_ms, unsigned max, ks_removed_fn fn, void *ctx)
{
	struct ks_cell *cell = ks_cell(ks, db, part);
	unsigned nr = 0;

	while (cell && nr < max && cell->heap.nr > 0 && cell->heap.items[0].at_ms < now_ms) {
		struct entry *e = cell->heap.items[0].e;

		if (ks_snap_hold_entry(ks, core, part, db, e))
			break;
		if (fn && !fn(ctx, part, db, e))
			break;
		ks_unlink(ks, core, db, e);
		nr++;
	}
	return nr;
}

unsigned ks_expire_part(struct keyspace *ks, unsigned core, uint32_t part, int64_t now_ms,
	unsigned max, ks_removed_fn fn, void *ctx)
{
	unsigned nr = 0;

	for (uint32_t db = 0; db < ks->nr_dbs && nr < max; db++) {
		if (ks_part_next_expire(ks, part) >= now_ms)
			break;
		nr += expire_cell(ks, core, part, (int)db, now_ms, max - nr, fn, ctx);
	}
	return nr;
}
