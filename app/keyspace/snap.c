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

/* Allocations of a collection. A list's are up to 64 KB each; elements are as long as they are. */
#define LARGE_PARTS 16u

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

bool ks_snap_is_large(const struct entry *e)
{
	const struct blob *b = entry_type(e) == OBJ_STRING ? entry_blob(e) : NULL;

	return b ? b->len > KS_SNAP_SLICE_BYTES : ks_entry_parts(e) > LARGE_PARTS;
}

static bool is_saved(const struct keyspace *ks, const struct entry *e)
{
	return e->epoch == (uint16_t)ks->epoch;
}

/* Saves a part of an entry that is large. True: it is whole. */
static bool save_part(struct keyspace *ks, unsigned core, uint32_t part, int db, struct entry *e)
{
	if (!ks->snap_ops.save_part(ks->snap_ops.ctx, core, part, db, e))
		return false;
	e->epoch = (uint16_t)ks->epoch;
	return true;
}

bool ks_snap_hold_entry(struct keyspace *ks, unsigned core, uint32_t part, int db, struct entry *e)
{
	return ks_snap_active(ks) && !is_saved(ks, e) && ks->snap_ops.save_part &&
	       ks_snap_is_large(e) && !save_part(ks, core, part, db, e);
}

bool ks_snap_hold(
	struct keyspace *ks, unsigned core, int db, const struct ks_key *k, int64_t now_ms)
{
	struct entry *e;

	if (ks->parts[k->part].snap_done == ks->epoch)
		return false;
	e = ks_find(ks, db, k);
	return e && (now_ms <= 0 || entry_expired(e, now_ms)) &&
	       ks_snap_hold_entry(ks, core, k->part, db, e);
}

struct snap_walk {
	struct keyspace *ks;
	unsigned core;
	uint32_t part;
	int db;
	size_t bytes; /* saved in this slice */
	bool left;    /* something in the unit is not saved yet */
};

static void save_fn(void *ctx, struct entry *e)
{
	struct snap_walk *w = ctx;
	struct keyspace *ks = w->ks;

	if (is_saved(ks, e))
		return;
	if (w->left || w->bytes >= KS_SNAP_SLICE_BYTES) {
		w->left = true;
	} else if (ks->snap_ops.save_part && ks_snap_is_large(e)) {
		w->left = !save_part(ks, w->core, w->part, w->db, e);
		w->bytes = KS_SNAP_SLICE_BYTES;
	} else {
		w->bytes += ks->snap_ops.save(ks->snap_ops.ctx, w->core, w->db, e);
		e->epoch = (uint16_t)ks->epoch;
	}
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
	struct snap_walk w = {ks, core, part, (int)(*cursor >> KS_CURSOR_SHIFT), 0, false};
	uint64_t at = *cursor & ((UINT64_C(1) << KS_CURSOR_SHIFT) - 1);
	unsigned cost = 0;

	BUG_ON(!ks_snap_active(ks));
	for (; (uint32_t)w.db < ks->nr_dbs; w.db++) {
		const struct ks_cell *cell = ks_cell(ks, w.db, part);

		while (cell && table_count(&cell->table) > 0) {
			uint64_t next;

			if (cost >= max || w.bytes >= KS_SNAP_SLICE_BYTES) {
				*cursor = (uint64_t)w.db << KS_CURSOR_SHIFT | at;
				return false;
			}
			next = table_scan(&cell->table, at, save_fn, &w, &cost);
			if (w.left)
				continue; /* the same unit once more */
			at = next;
			if (at == 0)
				break;
		}
		at = 0;
	}
	*cursor = (uint64_t)w.db << KS_CURSOR_SHIFT;
	part_done(ks, &ks->parts[part]);
	return true;
}
