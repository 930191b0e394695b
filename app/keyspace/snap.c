/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots: every entry as it was at the cut, saved once.
 *
 * At the cut the epoch advances, so no entry is of the present epoch. From then on an entry
 * becomes of the present epoch in three ways: the walk saves it; a change hands it to save()
 * first; it is created anew. In each case it is never saved again, and an entry of an older
 * epoch is one that the snapshot still lacks. The walk reaches all of these: it goes through
 * the tables as SCAN does, which misses nothing that stays.
 *
 * An entry holds 16 bits of its epoch. They tell the same as the whole, because no entry is
 * older than epoch_floor, and the cut stamps all entries anew before the distance could reach
 * 65536 (as many snapshots given up in a row).
 */
#include "app/keyspace/keyspace_priv.h"

struct stamp {
	uint16_t epoch;
};

static void stamp_fn(void *ctx, int db, struct entry *e)
{
	const struct stamp *s = ctx;

	e->epoch = s->epoch;
}

static void stamp_all(struct keyspace *ks)
{
	struct stamp s = {(uint16_t)ks->epoch};

	for (uint32_t part = 0; part < ks->nr_parts; part++)
		for (uint32_t db = 0; db < ks->nr_dbs; db++)
			ks_walk_part(ks, part, (int)db, stamp_fn, &s);
	ks->epoch_floor = ks->epoch;
}

void ks_snap_begin(struct keyspace *ks, const struct ks_snap_ops *ops)
{
	BUG_ON(ks_snap_active(ks));
	if (ks->epoch + 1 - ks->epoch_floor > UINT16_MAX)
		stamp_all(ks);
	ks->epoch++;
	ks->snap_ops = *ops;
	atomic_store_explicit(&ks->snap_nr_done, 0, memory_order_relaxed);
	atomic_store_explicit(&ks->snap_active, true, memory_order_relaxed);
}

void ks_snap_end(struct keyspace *ks)
{
	BUG_ON(!ks_snap_active(ks));
	if (atomic_load_explicit(&ks->snap_nr_done, memory_order_relaxed) == ks->nr_parts)
		ks->epoch_floor = ks->epoch;
	atomic_store_explicit(&ks->snap_active, false, memory_order_relaxed);
}

bool ks_snap_active(const struct keyspace *ks)
{
	return atomic_load_explicit(&ks->snap_active, memory_order_relaxed);
}

struct snap_walk {
	struct keyspace *ks;
	unsigned core;
	int db;
};

static void save_fn(void *ctx, struct entry *e)
{
	const struct snap_walk *w = ctx;

	ks_before_change(w->ks, w->core, w->db, e);
}

static void part_done(struct keyspace *ks, struct ks_part *p)
{
	if (p->snap_done == ks->epoch)
		return;
	p->snap_done = ks->epoch;
	atomic_fetch_add_explicit(&ks->snap_nr_done, 1, memory_order_relaxed);
}

bool ks_snap_walk(struct keyspace *ks, unsigned core, uint32_t part, uint64_t *cursor, unsigned max)
{
	struct snap_walk w = {ks, core, (int)(*cursor >> KS_CURSOR_SHIFT)};
	uint64_t at = *cursor & ((UINT64_C(1) << KS_CURSOR_SHIFT) - 1);
	unsigned cost = 0;

	BUG_ON(!ks_snap_active(ks));
	for (; (uint32_t)w.db < ks->nr_dbs; w.db++) {
		const struct ks_cell *cell = ks_cell(ks, w.db, part);

		while (cell && table_count(&cell->table) > 0) {
			if (cost >= max) {
				*cursor = (uint64_t)w.db << KS_CURSOR_SHIFT | at;
				return false;
			}
			at = table_scan(&cell->table, at, save_fn, &w, &cost);
			if (at == 0)
				break;
		}
		at = 0;
	}
	*cursor = (uint64_t)w.db << KS_CURSOR_SHIFT;
	part_done(ks, &ks->parts[part]);
	return true;
}
