/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/dict.h"

#include "app/keyspace/mem.h"
#include "checks.h"

#include <stdlib.h>
#include <sys/random.h>

#define SAMPLED_MIN 5 /* members that one look into the table yields at least */

/* One seed for all: a member's hash says nothing about a key's. */
static struct hash_seed seed;

static __attribute__((constructor)) void seed_draw(void)
{
	BUG_ON(getrandom(&seed, sizeof(seed), 0) != sizeof(seed));
}

static uint64_t hash_of(const void *name, size_t len)
{
	return hash_key(&seed, name, len);
}

static uint64_t entry_hash(const struct entry *e)
{
	return hash_of(entry_key_ptr(e), e->key_len);
}

struct dict *dict_create(void)
{
	struct dict *d = mem_alloc(sizeof(*d));

	if (d)
		memset(d, 0, sizeof(*d));
	return d;
}

bool dict_destroy_part(struct dict **d, uint64_t *at, unsigned max)
{
	uint64_t units = table_units(&(*d)->t);
	unsigned nr = 0;

	for (; *at < units; ++*at) {
		if (nr >= max)
			return false;
		/* an empty unit costs time too */
		nr += 1 + table_unit_free(&(*d)->t, *at, NULL, NULL);
	}
	table_fini(&(*d)->t);
	mem_free(*d);
	*d = NULL;
	return true;
}

void dict_destroy(struct dict **d)
{
	uint64_t at = 0;

	while (*d)
		dict_destroy_part(d, &at, UINT32_MAX / 2);
}

static bool entry_copy_into(struct dict *d, const struct entry *e)
{
	struct value v;
	struct entry *n;

	if (!value_copy(e, &v))
		return false;
	n = entry_create(entry_key_ptr(e), e->key_len, &v, false);
	if (!n) {
		value_release(&v);
		return false;
	}
	if (dict_insert(d, n))
		return true;
	entry_free(n);
	return false;
}

struct dict *dict_copy(const struct dict *d)
{
	struct dict_iter it = {.d = d};
	struct dict *copy = dict_create();

	for (struct entry *e; copy && (e = dict_next(&it));)
		if (!entry_copy_into(copy, e))
			dict_destroy(&copy);
	dict_iter_fini(&it);
	return copy;
}

static bool find(const struct dict *d, const void *name, size_t len, struct table_ref *ref)
{
	return len <= UINT32_MAX && table_find(&d->t, hash_of(name, len), name, (uint32_t)len, ref);
}

struct entry *dict_find(const struct dict *d, const void *name, size_t len)
{
	struct table_ref ref;

	return find(d, name, len, &ref) ? table_ref_entry(&ref) : NULL;
}

bool dict_insert(struct dict *d, struct entry *e)
{
	if (!table_insert(&d->t, entry_hash(e), e))
		return false;
	table_step(&d->t, &seed);
	return true;
}

struct entry *dict_remove(struct dict *d, const void *name, size_t len)
{
	struct table_ref ref;
	struct entry *e;

	if (!find(d, name, len, &ref))
		return NULL;
	e = table_ref_entry(&ref);
	table_remove(&d->t, entry_hash(e), &ref);
	table_step(&d->t, &seed);
	return e;
}

void dict_replace(struct dict *d, const struct entry *old, struct entry *e)
{
	struct table_ref ref;
	bool there = table_find_entry(&d->t, entry_hash(old), old, &ref);

	BUG_ON(!there);
	table_ref_set(&ref, e);
}

struct entry *dict_random(const struct dict *d)
{
	return table_random(&d->t);
}

void dict_walk(const struct dict *d, table_fn fn, void *ctx)
{
	for (uint64_t unit = 0, nr = table_units(&d->t); unit < nr; unit++)
		table_unit_walk(&d->t, unit, fn, ctx);
}

uint64_t dict_scan(const struct dict *d, uint64_t cursor, table_fn fn, void *ctx)
{
	return table_scan(&d->t, cursor, fn, ctx, NULL);
}

size_t dict_table_mem(const struct dict *d)
{
	return mem_usable(d) + mem_usable(d->t.cur) + mem_usable(d->t.next);
}

struct measure {
	size_t nr, bytes;
};

static void measure_one(void *ctx, struct entry *e)
{
	struct measure *m = ctx;

	m->nr++;
	m->bytes += entry_mem(e, 0);
}

size_t dict_mem(const struct dict *d, size_t samples)
{
	struct measure m = {0};
	uint64_t nr = dict_count(d);

	if (nr == 0)
		return dict_table_mem(d);
	if (samples == 0 || samples >= nr)
		dict_walk(d, measure_one, &m);
	while (m.nr < samples && m.nr < nr)
		table_sample(&d->t, SAMPLED_MIN, measure_one, &m);
	return dict_table_mem(d) + (size_t)((double)m.bytes / (double)m.nr * (double)nr);
}

static void collect(void *ctx, struct entry *e)
{
	struct dict_iter *it = ctx;

	if (it->nr == it->room) {
		it->room = it->room ? 2 * it->room : 16;
		it->found = realloc(it->found, it->room * sizeof(*it->found));
		BUG_ON(!it->found);
	}
	it->found[it->nr++] = e;
}

struct entry *dict_next(struct dict_iter *it)
{
	while (it->at == it->nr) {
		if (it->unit == table_units(&it->d->t)) {
			dict_iter_fini(it);
			return NULL;
		}
		it->nr = it->at = 0;
		table_unit_walk(&it->d->t, it->unit++, collect, it);
	}
	return it->found[it->at++];
}

void dict_iter_fini(struct dict_iter *it)
{
	free(it->found);
	it->found = NULL;
	it->room = it->nr = it->at = 0;
}
