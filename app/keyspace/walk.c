/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking the keyspace: SCAN, whole partitions, random keys.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/rand.h"

struct walk {
	ks_walk_fn fn;
	void *ctx;
	int db;
};

static void walk_entry(void *ctx, struct entry *e)
{
	const struct walk *w = ctx;

	w->fn(w->ctx, w->db, e);
}

uint32_t ks_scan_part(const struct keyspace *ks, uint64_t cursor)
{
	return (uint32_t)(cursor & (ks->nr_parts - 1));
}

uint64_t ks_scan(struct keyspace *ks, int db, uint64_t cursor, ks_walk_fn fn, void *ctx)
{
	uint32_t part = ks_scan_part(ks, cursor);
	struct ks_cell *cells = ks_cell(ks, db, 0);
	struct walk w = {fn, ctx, db};
	uint64_t next;

	if (!cells)
		return 0;
	next = table_scan(&cells[part].table, cursor >> ks->part_bits, walk_entry, &w, NULL);
	if (next != 0)
		return next << ks->part_bits | part;
	do
		part++;
	while (part < ks->nr_parts && table_count(&cells[part].table) == 0);
	return part < ks->nr_parts ? part : 0;
}

void ks_walk_part(struct keyspace *ks, uint32_t part, int db, ks_walk_fn fn, void *ctx)
{
	struct ks_cell *cell = ks_cell(ks, db, part);
	struct walk w = {fn, ctx, db};
	uint64_t units;

	if (!cell)
		return;
	units = table_units(&cell->table);
	for (uint64_t i = 0; i < units; i++)
		table_unit_walk(&cell->table, i, walk_entry, &w);
}

struct entry *ks_random_entry(struct keyspace *ks, uint32_t part, int db)
{
	struct ks_cell *cell = ks_cell(ks, db, part);

	return cell ? table_random(&cell->table) : NULL;
}

int64_t ks_random_part(const struct keyspace *ks, int db)
{
	const struct ks_cell *cells = ks_cell(ks, db, 0);
	uint64_t total = ks_size(ks, db);
	uint64_t at;
	int64_t last = -1;

	if (total == 0)
		return -1;
	at = ks_rand_below(total);
	for (uint32_t i = 0; i < ks->nr_parts; i++) {
		uint64_t nr = table_count(&cells[i].table);

		if (at < nr)
			return i;
		at -= nr;
		if (nr > 0)
			last = i;
	}
	return last; /* keys have gone since they were counted */
}
