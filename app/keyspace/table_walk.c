/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hash table: visiting, sampling and freeing by units.
 */
#include "app/keyspace/mem.h"
#include "app/keyspace/rand.h"
#include "app/keyspace/table_priv.h"

#include <rte_prefetch.h>

#define RANDOM_TRIES 64
/* Takes part in rejection: a unit with fewer entries is chosen that much more seldom. */
#define RANDOM_UNIT_FULL 16u

uint64_t table_units(const struct table *t)
{
	uint8_t bits = t->cur_bits;

	if (!t->cur)
		return 0;
	if (t->next && t->next_bits < bits)
		bits = t->next_bits;
	return UINT64_C(1) << bits;
}

/* The first buckets of a unit: one, or two in the larger array. */
static unsigned unit_heads(const struct table *t, uint64_t unit, struct bucket *heads[2])
{
	uint64_t units = table_units(t);
	bool moved = t->next && unit < t->pos;
	struct bucket *array = moved ? t->next : t->cur;
	uint64_t len = UINT64_C(1) << (moved ? t->next_bits : t->cur_bits);

	ASSERT(unit < units);
	heads[0] = &array[unit];
	if (len == units)
		return 1;
	heads[1] = &array[unit + units];
	return 2;
}

/* All at once: who walks looks at each, and waits for memory at each otherwise. */
static void entries_prefetch(const struct bucket *b)
{
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		if (b->used >> i & 1)
			rte_prefetch0(b->slot[i]);
	}
}

static unsigned chain_walk(const struct bucket *b, table_fn fn, void *ctx)
{
	unsigned cost = 0;

	for (; b; b = bucket_next(b)) {
		cost++;
		if (fn)
			entries_prefetch(b);
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			if (!(b->used >> i & 1))
				continue;
			cost++;
			if (fn)
				fn(ctx, b->slot[i]);
		}
	}
	return cost;
}

unsigned table_unit_walk(const struct table *t, uint64_t unit, table_fn fn, void *ctx)
{
	struct bucket *heads[2];
	unsigned nr = unit_heads(t, unit, heads);
	unsigned cost = 0;

	for (unsigned i = 0; i < nr; i++)
		cost += chain_walk(heads[i], fn, ctx);
	return cost;
}

static uint64_t reverse_bits(uint64_t v)
{
	v = (v >> 1 & 0x5555555555555555u) | (v & 0x5555555555555555u) << 1;
	v = (v >> 2 & 0x3333333333333333u) | (v & 0x3333333333333333u) << 2;
	v = (v >> 4 & 0x0f0f0f0f0f0f0f0fu) | (v & 0x0f0f0f0f0f0f0f0fu) << 4;
	return __builtin_bswap64(v);
}

uint64_t table_scan(const struct table *t, uint64_t cursor, table_fn fn, void *ctx, unsigned *cost)
{
	uint64_t mask;
	unsigned lines;

	if (!t->cur)
		return 0;
	mask = table_units(t) - 1;
	lines = table_unit_walk(t, cursor & mask, fn, ctx);
	if (cost)
		*cost += lines;
	/* adds one to the reversed bits below the mask; overflow gives 0, the end */
	return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

struct pick {
	uint64_t at;
	struct entry *e;
};

static void pick_fn(void *ctx, struct entry *e)
{
	struct pick *p = ctx;

	if (p->at-- == 0)
		p->e = e;
}

static void count_fn(void *ctx, struct entry *e)
{
	unsigned *nr = ctx;

	(*nr)++;
}

static unsigned unit_count(const struct table *t, uint64_t unit)
{
	unsigned nr = 0;

	table_unit_walk(t, unit, count_fn, &nr);
	return nr;
}

static struct entry *unit_entry(const struct table *t, uint64_t unit, unsigned at)
{
	struct pick p = {.at = at};

	table_unit_walk(t, unit, pick_fn, &p);
	return p.e;
}

struct entry *table_random(const struct table *t)
{
	uint64_t units = table_units(t);
	uint64_t unit;
	unsigned nr;

	if (table_count(t) == 0)
		return NULL;
	for (int i = 0; i < RANDOM_TRIES; i++) {
		unit = ks_rand_below(units);
		nr = unit_count(t, unit);
		if (nr > ks_rand_below(RANDOM_UNIT_FULL))
			return unit_entry(t, unit, (unsigned)ks_rand_below(nr));
	}
	/* a table that has lost nearly everything: whatever comes next */
	unit = ks_rand_below(units);
	while (unit_count(t, unit) == 0)
		unit = (unit + 1) & (units - 1);
	return unit_entry(t, unit, (unsigned)ks_rand_below(unit_count(t, unit)));
}

void table_sample(const struct table *t, unsigned min, table_fn fn, void *ctx)
{
	uint64_t units = table_units(t);
	uint64_t first = units ? ks_rand_below(units) : 0;
	uint64_t nr = 0;

	for (uint64_t i = 0; i < units && nr < min; i++) {
		uint64_t unit = (first + i) & (units - 1);

		nr += unit_count(t, unit);
		table_unit_walk(t, unit, fn, ctx);
	}
}

static unsigned chain_free(struct bucket *head, table_fn fn, void *ctx)
{
	unsigned nr = 0;
	struct bucket *b = head;

	while (b) {
		struct bucket *n = bucket_next(b);

		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			if (!(b->used >> i & 1))
				continue;
			if (fn)
				fn(ctx, b->slot[i]);
			else
				entry_free(b->slot[i]);
			nr++;
		}
		if (b != head)
			mem_free(b);
		b = n;
	}
	return nr;
}

unsigned table_unit_free(struct table *t, uint64_t unit, table_fn fn, void *ctx)
{
	struct bucket *heads[2];
	unsigned nr_heads = unit_heads(t, unit, heads);
	unsigned nr = 0;

	for (unsigned i = 0; i < nr_heads; i++)
		nr += chain_free(heads[i], fn, ctx);
	return nr;
}
