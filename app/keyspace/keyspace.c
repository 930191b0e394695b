/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace: creation, names, counters.
 */
#include "app/keyspace/keyspace.h"

#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/mem.h"

static void *alloc_lines_zero(size_t size)
{
	void *p = mem_alloc_lines(size);

	if (p)
		memset(p, 0, size);
	return p;
}

struct keyspace *ks_create(const struct ks_config *cfg)
{
	struct keyspace *ks;

	BUG_ON(cfg->nr_parts == 0 || cfg->nr_parts & (cfg->nr_parts - 1) || cfg->nr_dbs == 0 ||
		cfg->nr_parts > 1u << 20 || cfg->nr_dbs > 1u << 23);
	ks = alloc_lines_zero(sizeof(*ks));
	if (!ks)
		return NULL;
	ks->nr_parts = cfg->nr_parts;
	ks->part_bits = (uint32_t)__builtin_ctz(cfg->nr_parts);
	ks->nr_dbs = cfg->nr_dbs;
	ks->seed = hash_seed_load(cfg->hash_seed);
	ks->epoch = 1;
	ks->epoch_floor = 1;
	ks_set_policy(ks, KS_NOEVICTION, 5, 10, 1);
	rte_spinlock_init(&ks->grave_lock);
	ks->parts = alloc_lines_zero(sizeof(*ks->parts) * ks->nr_parts);
	ks->dbs = mem_alloc(sizeof(*ks->dbs) * ks->nr_dbs);
	if (!ks->parts || !ks->dbs)
		goto err_free;
	for (uint32_t i = 0; i < ks->nr_parts; i++) {
		rte_spinlock_init(&ks->parts[i].lock);
		atomic_init(&ks->parts[i].next_expire, INT64_MAX);
	}
	for (uint32_t i = 0; i < ks->nr_dbs; i++)
		atomic_init(&ks->dbs[i], NULL);
	return ks;
err_free:
	mem_free(ks->dbs);
	mem_free(ks->parts);
	mem_free(ks);
	return NULL;
}

void ks_destroy(struct keyspace **pks)
{
	struct keyspace *ks = *pks;

	if (!ks)
		return;
	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		struct ks_cell *cells = ks_cell(ks, (int)db, 0);

		for (uint32_t i = 0; cells && i < ks->nr_parts; i++)
			ks_cell_free(&cells[i]);
		mem_free(cells);
	}
	ks_graves_free(ks);
	mem_free(ks->dbs);
	mem_free(ks->parts);
	mem_free(ks);
	*pks = NULL;
}

uint32_t ks_nr_parts(const struct keyspace *ks)
{
	return ks->nr_parts;
}

uint32_t ks_nr_dbs(const struct keyspace *ks)
{
	return ks->nr_dbs;
}

/* Several cores may need the same database at once, under the locks of different partitions. */
static struct ks_cell *db_create(struct keyspace *ks, int db)
{
	struct ks_cell *cells = alloc_lines_zero(sizeof(*cells) * ks->nr_parts);
	struct ks_cell *other = NULL;

	if (!cells)
		return NULL;
	/* pairs with ks_cell() */
	if (atomic_compare_exchange_strong_explicit(
		    &ks->dbs[db], &other, cells, memory_order_acq_rel, memory_order_acquire))
		return cells;
	mem_free(cells);
	return other;
}

struct ks_cell *ks_cell_create(struct keyspace *ks, int db, uint32_t part)
{
	struct ks_cell *cell = ks_cell(ks, db, part);

	if (cell)
		return cell;
	cell = db_create(ks, db);
	return cell ? &cell[part] : NULL;
}

struct ks_key ks_key(const struct keyspace *ks, const void *name, size_t len)
{
	struct ks_key k = {.ptr = len > 0 ? name : "", .len = (uint32_t)len};

	BUG_ON(len > UINT32_MAX);
	k.hash = ks_hash(ks, name, len);
	k.part = ks_hash_part(ks, k.hash);
	return k;
}

void ks_prefetch(const struct keyspace *ks, int db, const struct ks_key *k)
{
	const struct ks_cell *cell = ks_cell(ks, db, k->part);

	ks_prefetch_write(&ks->parts[k->part]);
	if (cell)
		table_prefetch(&cell->table, k->hash);
}

void ks_prefetch_entry(struct keyspace *ks, int db, const struct ks_key *k)
{
	const struct ks_cell *cell = ks_cell(ks, db, k->part);

	if (!cell || !rte_spinlock_trylock(&ks->parts[k->part].lock))
		return;
	table_prefetch_entry(&cell->table, k->hash);
	rte_spinlock_unlock(&ks->parts[k->part].lock);
}

struct entry *ks_find(struct keyspace *ks, int db, const struct ks_key *k)
{
	const struct ks_cell *cell = ks_cell(ks, db, k->part);
	struct table_ref ref;

	if (!cell || !table_find(&cell->table, k->hash, k->ptr, k->len, &ref))
		return NULL;
	return table_ref_entry(&ref);
}

struct ks_place ks_place_of(struct keyspace *ks, int db, const struct entry *e)
{
	struct ks_place place;

	place.hash = ks_hash(ks, entry_key_ptr(e), e->key_len);
	place.part = ks_hash_part(ks, place.hash);
	place.cell = ks_cell(ks, db, place.part);
	BUG_ON(!place.cell || !table_find_entry(&place.cell->table, place.hash, e, &place.ref));
	return place;
}

void ks_cell_step(struct keyspace *ks, uint32_t part, struct ks_cell *cell, bool before)
{
	bool after = table_step(&cell->table, &ks->seed);
	atomic_uint *nr = &ks->parts[part].nr_resizing;

	if (after != before)
		atomic_store_explicit(nr,
			atomic_load_explicit(nr, memory_order_relaxed) + (after ? 1u : -1u),
			memory_order_relaxed);
}

bool ks_part_resizing(const struct keyspace *ks, uint32_t part)
{
	return atomic_load_explicit(&ks->parts[part].nr_resizing, memory_order_relaxed) > 0;
}

bool ks_maintain_part(struct keyspace *ks, uint32_t part, unsigned max)
{
	for (uint32_t db = 0; db < ks->nr_dbs && ks_part_resizing(ks, part); db++) {
		struct ks_cell *cell = ks_cell(ks, (int)db, part);

		while (cell && max > 0 && table_resizing(&cell->table)) {
			ks_cell_step(ks, part, cell, true);
			max--;
		}
	}
	return ks_part_resizing(ks, part);
}

/* An eighth more: partitions get unequal shares. */
void ks_reserve(struct keyspace *ks, int db, uint64_t nr)
{
	uint64_t each = nr / ks->nr_parts + nr / ks->nr_parts / 8;

	for (uint32_t part = 0; each > 0 && part < ks->nr_parts; part++) {
		struct ks_cell *cell = ks_cell_create(ks, db, part);

		if (cell)
			table_reserve(&cell->table, each);
	}
}

uint64_t ks_size(const struct keyspace *ks, int db)
{
	const struct ks_cell *cells = ks_cell(ks, db, 0);
	uint64_t sum = 0;

	for (uint32_t i = 0; cells && i < ks->nr_parts; i++)
		sum += table_count(&cells[i].table);
	return sum;
}

uint64_t ks_nr_expires(const struct keyspace *ks, int db)
{
	const struct ks_cell *cells = ks_cell(ks, db, 0);
	uint64_t sum = 0;

	for (uint32_t i = 0; cells && i < ks->nr_parts; i++)
		sum += ks_cell_nr_expires(&cells[i]);
	return sum;
}

void ks_cell_free(struct ks_cell *cell)
{
	uint64_t units = table_units(&cell->table);

	for (uint64_t i = 0; i < units; i++)
		table_unit_free(&cell->table, i, NULL, NULL);
	table_fini(&cell->table);
	heap_fini(&cell->heap);
}
