/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whole databases: emptying, swapping, and freeing what was emptied.
 *
 * A grave holds the tables of one database, in the order of the partitions. Whoever frees a
 * slice of it takes it off the list meanwhile, so two cores work on two graves, never on one.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/mem.h"

struct grave {
	struct grave *next;
	uint64_t nr_keys;
	uint32_t nr;
	uint32_t at;   /* cell under way */
	uint64_t unit; /* its unit under way */
	struct ks_cell cells[];
};

static void grave_push(struct keyspace *ks, struct grave *g)
{
	rte_spinlock_lock(&ks->grave_lock);
	g->next = ks->graves;
	__atomic_store_n(&ks->graves, g, __ATOMIC_RELAXED);
	rte_spinlock_unlock(&ks->grave_lock);
}

static struct grave *grave_pop(struct keyspace *ks)
{
	struct grave *g;

	rte_spinlock_lock(&ks->grave_lock);
	g = ks->graves;
	if (g)
		__atomic_store_n(&ks->graves, g->next, __ATOMIC_RELAXED);
	rte_spinlock_unlock(&ks->grave_lock);
	return g;
}

/* Frees about max entries. Returns true when the grave is empty. */
static bool grave_free_slice(struct keyspace *ks, struct grave *g, unsigned max)
{
	unsigned nr = 0;

	for (; g->at < g->nr; g->at++, g->unit = 0) {
		struct ks_cell *cell = &g->cells[g->at];
		uint64_t units = table_units(&cell->table);

		for (; g->unit < units; g->unit++) {
			if (nr >= max)
				return false;
			/* an empty unit costs time too */
			nr += 1 + table_unit_free(&cell->table, g->unit, ks_bury_entry, ks);
		}
		table_fini(&cell->table);
		heap_fini(&cell->heap);
	}
	return true;
}

void ks_graves_free(struct keyspace *ks)
{
	while (ks_reclaim(ks, UINT32_MAX / 2))
		;
}

bool ks_reclaim(struct keyspace *ks, unsigned max_entries)
{
	struct grave *g;

	if (max_entries == 0)
		max_entries = 1;
	/* Every core asks in every turn of its loop: mostly there is nothing, and the lock's line
	 * is left alone. */
	if (__atomic_load_n(&ks->lazy, __ATOMIC_RELAXED) && ks_lazy_reclaim(ks, max_entries))
		return true;
	if (!__atomic_load_n(&ks->graves, __ATOMIC_RELAXED))
		return false;
	g = grave_pop(ks);
	if (!g)
		return false;
	if (!grave_free_slice(ks, g, max_entries)) {
		grave_push(ks, g);
		return true;
	}
	ks_lazy_done(ks, g->nr_keys);
	mem_free(g);
	return __atomic_load_n(&ks->graves, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&ks->lazy, __ATOMIC_RELAXED);
}

static struct grave *grave_create(uint32_t nr)
{
	size_t size = sizeof(struct grave) + nr * sizeof(struct ks_cell);
	struct grave *g = mem_alloc_lines(size);

	if (!g)
		return NULL;
	memset(g, 0, size);
	g->nr = nr;
	return g;
}

/* The cells hold no table that is resizing any more, or other ones. */
static void resizing_recount(struct keyspace *ks, uint32_t part)
{
	unsigned nr = 0;

	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		const struct ks_cell *cell = ks_cell(ks, (int)db, part);

		nr += cell && table_resizing(&cell->table);
	}
	atomic_store_explicit(&ks->parts[part].nr_resizing, nr, memory_order_relaxed);
}

static void parts_refresh(struct keyspace *ks)
{
	for (uint32_t i = 0; i < ks->nr_parts; i++) {
		resizing_recount(ks, i);
		ks_next_expire_set(ks, i);
	}
}

/* Empties all cells of a database, into a grave if there is memory for one. */
static void bury(struct keyspace *ks, struct ks_cell *cells)
{
	struct grave *g = grave_create(ks->nr_parts);

	for (uint32_t i = 0; i < ks->nr_parts; i++) {
		struct ks_cell one = {0};

		ks_cell_swap(&cells[i], g ? &g->cells[i] : &one);
		if (g)
			g->nr_keys += table_count(&g->cells[i].table);
		else
			ks_cell_free(&one);
	}
	if (g) {
		ks_lazy_add(ks, g->nr_keys);
		grave_push(ks, g);
	}
}

uint64_t ks_flush(struct keyspace *ks, unsigned core, int db)
{
	uint32_t first = db < 0 ? 0 : (uint32_t)db;
	uint32_t last = db < 0 ? ks->nr_dbs - 1 : (uint32_t)db;
	uint64_t nr = 0;

	BUG_ON(ks_snap_active(ks));
	for (uint32_t i = first; i <= last; i++) {
		struct ks_cell *cells = ks_cell(ks, (int)i, 0);

		if (!cells)
			continue;
		nr += ks_size(ks, (int)i);
		bury(ks, cells);
	}
	parts_refresh(ks);
	return nr;
}

void ks_swap_db(struct keyspace *ks, int db1, int db2)
{
	struct ks_cell *cells1 = ks_cell(ks, db1, 0);
	struct ks_cell *cells2 = ks_cell(ks, db2, 0);

	BUG_ON(ks_snap_active(ks));
	atomic_store_explicit(&ks->dbs[db1], cells2, memory_order_release);
	atomic_store_explicit(&ks->dbs[db2], cells1, memory_order_release);
}

/* Exchanges one database. Cells that readers without locks may know stay where they are; only
 * what they hold moves. */
static void swap_cells(struct keyspace *ks, struct keyspace *other, int db)
{
	struct ks_cell *ours = ks_cell(ks, db, 0);
	struct ks_cell *theirs = ks_cell(other, db, 0);

	if (!ours) {
		atomic_store_explicit(&ks->dbs[db], theirs, memory_order_release);
		atomic_store_explicit(&other->dbs[db], NULL, memory_order_release);
		return;
	}
	if (!theirs)
		theirs = ks_cell_create(other, db, 0);
	if (!theirs) {
		bury(ks, ours); /* no memory to hand it over: it was to be freed anyway */
		return;
	}
	for (uint32_t i = 0; i < ks->nr_parts; i++)
		ks_cell_swap(&ours[i], &theirs[i]);
}

void ks_swap_content(struct keyspace *ks, struct keyspace *other)
{
	uint64_t epoch = ks->epoch > other->epoch ? ks->epoch : other->epoch;
	uint64_t floor =
		ks->epoch_floor < other->epoch_floor ? ks->epoch_floor : other->epoch_floor;

	BUG_ON(ks_snap_active(ks) || ks_snap_active(other));
	BUG_ON(ks->nr_parts != other->nr_parts || ks->nr_dbs != other->nr_dbs ||
		memcmp(&ks->seed, &other->seed, sizeof(ks->seed)) != 0);
	for (uint32_t db = 0; db < ks->nr_dbs; db++)
		swap_cells(ks, other, (int)db);
	ks->epoch = other->epoch = epoch;
	ks->epoch_floor = other->epoch_floor = floor;
	parts_refresh(ks);
	parts_refresh(other);
}
