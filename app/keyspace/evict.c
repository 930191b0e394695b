/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Eviction: choosing a victim. Samples are drawn from random partitions, one lock at a time;
 * the best so far is remembered by hash and address, and removed if it is still there when its
 * partition is locked again.
 */
#include "app/keyspace/keyspace_priv.h"
#include "app/keyspace/rand.h"

/* Rounds over all partitions, when those with candidates keep being busy. */
#define EVICT_ROUNDS 8
/* Elements of a large collection that are measured to tell what its removal frees. */
#define EVICT_MEM_SAMPLES 5

struct victim {
	const struct entry *e; /* an address to compare; NULL: none yet */
	uint64_t hash;
	uint64_t score; /* the highest goes first */
	uint32_t part;
	int db;
};

struct draw {
	struct keyspace *ks;
	enum ks_policy policy;
	int64_t now_ms;
	unsigned left; /* samples still to draw */
	bool busy;     /* a partition with candidates could not be locked */
	struct victim best;
};

static bool policy_volatile(enum ks_policy policy)
{
	return policy >= KS_VOLATILE_LRU;
}

static uint64_t nr_candidates(const struct draw *d, const struct ks_cell *cell)
{
	return policy_volatile(d->policy) ? ks_cell_nr_expires(cell) : table_count(&cell->table);
}

static uint64_t score_of(const struct draw *d, const struct entry *e)
{
	switch (d->policy) {
	case KS_ALLKEYS_LRU:
	case KS_VOLATILE_LRU: return entry_idle_s(d->ks, e, d->now_ms);
	case KS_ALLKEYS_LFU:
	case KS_VOLATILE_LFU: return 255 - entry_freq(d->ks, e, d->now_ms);
	case KS_VOLATILE_TTL: return UINT64_MAX - ((uint64_t)entry_expire_ms(e) ^ 1ull << 63);
	default: return 0;
	}
}

static void consider(struct draw *d, uint32_t part, int db, const struct entry *e)
{
	uint64_t score;

	if (d->left == 0)
		return;
	d->left--;
	score = score_of(d, e);
	if (d->best.e && score <= d->best.score)
		return;
	d->best = (struct victim){.e = e,
		.hash = ks_hash(d->ks, entry_key_ptr(e), e->key_len),
		.score = score,
		.part = part,
		.db = db};
}

/* Where samples come from while a table is visited. */
struct source {
	struct draw *d;
	uint32_t part;
	int db;
};

static void consider_fn(void *ctx, struct entry *e)
{
	const struct source *src = ctx;

	consider(src->d, src->part, src->db, e);
}

/* Draws from one database of the locked partition, which has candidates. */
static void draw_cell(struct draw *d, uint32_t part, int db, const struct ks_cell *cell)
{
	const struct heap *heap = &cell->heap;
	struct source src = {d, part, db};

	if (d->policy == KS_ALLKEYS_RANDOM)
		consider(d, part, db, table_random(&cell->table));
	else if (!policy_volatile(d->policy))
		table_sample(&cell->table, d->left, consider_fn, &src);
	else if (d->policy == KS_VOLATILE_TTL)
		consider(d, part, db, heap->items[0].e); /* the first stands for all */
	else
		for (uint32_t nr = heap->nr; nr > 0 && d->left > 0; nr--)
			consider(d, part, db, heap->items[ks_rand_below(heap->nr)].e);
}

static bool part_has_candidates(const struct draw *d, const struct keyspace *ks, uint32_t part)
{
	for (uint32_t db = 0; db < ks->nr_dbs; db++) {
		const struct ks_cell *cell = ks_cell(ks, (int)db, part);

		if (cell && nr_candidates(d, cell) > 0)
			return true;
	}
	return false;
}

static void draw_part(struct draw *d, uint32_t part)
{
	uint32_t first = (uint32_t)ks_rand_below(d->ks->nr_dbs);

	if (!ks_part_trylock(d->ks, part)) {
		d->busy = true;
		return;
	}
	for (uint32_t i = 0; i < d->ks->nr_dbs; i++) {
		uint32_t db = (first + i) % d->ks->nr_dbs;
		const struct ks_cell *cell = ks_cell(d->ks, (int)db, part);

		if (cell && nr_candidates(d, cell) > 0 && d->left > 0)
			draw_cell(d, part, (int)db, cell);
	}
	ks_part_unlock(d->ks, part);
}

/* From a random partition on, until enough samples are drawn or every partition was looked at. */
static void draw_all(struct draw *d)
{
	uint32_t first = (uint32_t)ks_rand_below(d->ks->nr_parts);

	for (uint32_t i = 0; i < d->ks->nr_parts && d->left > 0; i++) {
		uint32_t part = (first + i) & (d->ks->nr_parts - 1);

		if (part_has_candidates(d, d->ks, part))
			draw_part(d, part);
	}
}

/* Removes the victim if it is still what it was. Returns the bytes freed. */
static size_t remove_victim(struct draw *d, unsigned core, bool lazy, ks_removed_fn fn, void *ctx)
{
	const struct victim *v = &d->best;
	struct ks_cell *cell = ks_cell(d->ks, v->db, v->part);
	struct table_ref ref;
	struct entry *e;
	size_t size = 0;

	if (!ks_part_trylock(d->ks, v->part))
		return 0;
	if (table_find_entry(&cell->table, v->hash, v->e, &ref)) {
		e = table_ref_entry(&ref);
		if (entry_has_expire(e) || !policy_volatile(d->policy)) {
			size = entry_mem(e, EVICT_MEM_SAMPLES);
			if (entry_has_expire(e))
				size += sizeof(struct heap_item);
			if (ks_snap_hold_entry(d->ks, core, v->part, v->db, e) ||
				(fn && !fn(ctx, v->part, v->db, e)))
				size = 0;
			else if (lazy)
				ks_unlink(d->ks, core, v->db, e);
			else
				ks_del(d->ks, core, v->db, e);
		}
	}
	ks_part_unlock(d->ks, v->part);
	return size;
}

bool ks_can_evict(const struct keyspace *ks)
{
	struct draw d = {
		.policy = (enum ks_policy)atomic_load_explicit(&ks->policy, memory_order_relaxed)};

	if (d.policy == KS_NOEVICTION)
		return false;
	for (uint32_t part = 0; part < ks->nr_parts; part++)
		if (part_has_candidates(&d, ks, part))
			return true;
	return false;
}

size_t ks_evict_one(
	struct keyspace *ks, unsigned core, int64_t now_ms, bool lazy, ks_removed_fn fn, void *ctx)
{
	struct draw d = {.ks = ks, .now_ms = now_ms};

	d.policy = (enum ks_policy)atomic_load_explicit(&ks->policy, memory_order_relaxed);
	if (d.policy == KS_NOEVICTION)
		return 0;
	for (int round = 0; round < EVICT_ROUNDS; round++) {
		size_t size;

		d.left = 1;
		if (d.policy != KS_ALLKEYS_RANDOM && d.policy != KS_VOLATILE_RANDOM)
			d.left = atomic_load_explicit(&ks->samples, memory_order_relaxed);
		d.busy = false;
		d.best.e = NULL;
		draw_all(&d);
		if (!d.best.e && !d.busy)
			return 0;
		size = d.best.e ? remove_victim(&d, core, lazy, fn, ctx) : 0;
		if (size > 0)
			return size;
	}
	return 0;
}
