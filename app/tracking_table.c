/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/tracking_table.h"

#include "app/keyspace/mem.h"

#include <rte_spinlock.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SLOTS 4

struct track_part {
	rte_spinlock_t lock;
	struct chains keys; /* guarded by lock */
} __attribute__((aligned(64)));

/* What a clear has taken out of one part. */
struct rest {
	struct rest *next;
	struct chains keys;
	uint32_t at; /* heads before it are done */
};

struct track_table {
	uint32_t nr_parts;
	atomic_ullong nr_keys, nr_items;
	rte_spinlock_t rest_lock;
	struct rest *rests; /* guarded by rest_lock */
	atomic_bool has_rests;
	struct track_part parts[];
};

struct track_table *track_table_create(uint32_t nr_parts)
{
	size_t size = sizeof(struct track_table) + nr_parts * sizeof(struct track_part);
	struct track_table *t = NULL;

	if (posix_memalign((void **)&t, 64, size))
		return NULL;
	memset(t, 0, size);
	t->nr_parts = nr_parts;
	return t;
}

void track_table_destroy(struct track_table **tp)
{
	struct track_table *t = *tp;

	if (!t)
		return;
	track_table_clear(t);
	while (track_table_reclaim(t, UINT32_MAX))
		;
	free(t);
	*tp = NULL;
}

void track_key_free(struct track_key *key)
{
	if (!key)
		return;
	if (key->ids != &key->one)
		mem_free(key->ids);
	mem_free(key);
}

/* --- ids --- */

static uint32_t slot_of(uint64_t id, uint32_t cap)
{
	return (uint32_t)(id * 0x9e3779b97f4a7c15u >> 32) & (cap - 1);
}

/* Where the id is, or would be: there is a free slot. */
static uint64_t *slot_find(uint64_t *ids, uint32_t cap, uint64_t id)
{
	uint32_t i = slot_of(id, cap);

	while (ids[i] && ids[i] != id)
		i = (i + 1) & (cap - 1);
	return &ids[i];
}

/* Room for one more, a quarter of the slots staying free. */
static bool ids_grow(struct track_key *key)
{
	uint32_t cap = key->cap == 1 ? MIN_SLOTS : key->cap * 2;
	uint64_t *ids;

	if (key->cap > 1 && key->nr + 1 <= key->cap - key->cap / 4)
		return true;
	ids = mem_alloc(cap * sizeof(*ids));
	if (!ids)
		return false;
	memset(ids, 0, cap * sizeof(*ids));
	for (uint32_t i = 0; i < key->cap; i++)
		if (key->ids[i])
			*slot_find(ids, cap, key->ids[i]) = key->ids[i];
	if (key->ids != &key->one)
		mem_free(key->ids);
	key->ids = ids;
	key->cap = cap;
	return true;
}

/* 1: added; 0: it was there; -1: no memory. */
static int id_add(struct track_key *key, uint64_t id)
{
	if (key->cap == 1 ? key->one == id : *slot_find(key->ids, key->cap, id) == id)
		return 0;
	if (key->nr > 0 && !ids_grow(key))
		return -1;
	*slot_find(key->ids, key->cap, id) = id;
	key->nr++;
	return 1;
}

/* --- keys (the part is locked) --- */

static struct track_key *key_find(const struct chains *keys, const struct ks_key *k)
{
	struct chain_link *link = chains_find(keys, k->hash);

	for (; link; link = chain_next(link)) {
		struct track_key *key = chain_object(link, struct track_key, link);

		if (key->len == k->len && memcmp(key->name, k->ptr, k->len) == 0)
			return key;
	}
	return NULL;
}

static struct track_key *key_create(struct track_table *t, const struct ks_key *k)
{
	struct track_key *key = mem_alloc(sizeof(*key) + k->len);

	if (!key)
		return NULL;
	key->len = k->len;
	key->nr = 0;
	key->cap = 1;
	key->one = 0;
	key->ids = &key->one;
	memcpy(key->name, k->ptr, k->len);
	if (!chains_add(&t->parts[k->part].keys, &key->link, k->hash)) {
		mem_free(key);
		return NULL;
	}
	atomic_fetch_add_explicit(&t->nr_keys, 1, memory_order_relaxed);
	return key;
}

static struct track_key *key_take(
	struct track_table *t, struct track_part *part, struct track_key *key)
{
	chains_remove(&part->keys, &key->link);
	atomic_fetch_sub_explicit(&t->nr_keys, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&t->nr_items, key->nr, memory_order_relaxed);
	return key;
}

/* --- the table --- */

bool track_table_add(struct track_table *t, const struct ks_key *k, uint64_t id)
{
	struct track_part *part = &t->parts[k->part];
	struct track_key *key;
	int rc = -1;

	rte_spinlock_lock(&part->lock);
	key = key_find(&part->keys, k);
	if (!key)
		key = key_create(t, k);
	if (key)
		rc = id_add(key, id);
	if (rc > 0)
		atomic_fetch_add_explicit(&t->nr_items, 1, memory_order_relaxed);
	rte_spinlock_unlock(&part->lock);
	return rc >= 0;
}

bool track_table_has(struct track_table *t, const struct ks_key *k)
{
	struct track_part *part = &t->parts[k->part];
	bool has;

	if (track_table_nr_keys(t) == 0)
		return false;
	rte_spinlock_lock(&part->lock);
	has = key_find(&part->keys, k) != NULL;
	rte_spinlock_unlock(&part->lock);
	return has;
}

struct track_key *track_table_take(struct track_table *t, const struct ks_key *k)
{
	struct track_part *part = &t->parts[k->part];
	struct track_key *key;

	if (track_table_nr_keys(t) == 0)
		return NULL;
	rte_spinlock_lock(&part->lock);
	key = key_find(&part->keys, k);
	if (key)
		key_take(t, part, key);
	rte_spinlock_unlock(&part->lock);
	return key;
}

struct track_key *track_table_take_any(struct track_table *t, uint32_t from, uint32_t *index)
{
	struct track_key *key = NULL;

	for (uint32_t i = 0; i < t->nr_parts && !key; i++) {
		struct track_part *part = &t->parts[(from + i) & (t->nr_parts - 1)];
		struct chain_link *link;

		if (__atomic_load_n(&part->keys.nr, __ATOMIC_RELAXED) == 0)
			continue;
		rte_spinlock_lock(&part->lock);
		link = chains_any(&part->keys);
		if (link)
			key = key_take(t, part, chain_object(link, struct track_key, link));
		rte_spinlock_unlock(&part->lock);
		*index = (from + i) & (t->nr_parts - 1);
	}
	return key;
}

static uint64_t chains_items(const struct chains *keys)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < keys->nr_heads; i++)
		for (struct chain_link *link = keys->heads[i]; link; link = link->next)
			nr += chain_object(link, struct track_key, link)->nr;
	return nr;
}

static void part_clear(struct track_table *t, struct track_part *part)
{
	struct rest *rest = calloc(1, sizeof(*rest));
	struct chain_link *link;

	rte_spinlock_lock(&part->lock);
	while (!rest && (link = chains_any(&part->keys))) /* no memory: at once */
		track_key_free(key_take(t, part, chain_object(link, struct track_key, link)));
	if (rest) {
		rest->keys = part->keys;
		part->keys = (struct chains){0};
		atomic_fetch_sub_explicit(&t->nr_keys, rest->keys.nr, memory_order_relaxed);
		atomic_fetch_sub_explicit(
			&t->nr_items, chains_items(&rest->keys), memory_order_relaxed);
	}
	rte_spinlock_unlock(&part->lock);
	if (!rest)
		return;
	rte_spinlock_lock(&t->rest_lock);
	rest->next = t->rests;
	t->rests = rest;
	atomic_store_explicit(&t->has_rests, true, memory_order_relaxed);
	rte_spinlock_unlock(&t->rest_lock);
}

void track_table_clear(struct track_table *t)
{
	for (uint32_t i = 0; i < t->nr_parts; i++)
		if (__atomic_load_n(&t->parts[i].keys.nr, __ATOMIC_RELAXED))
			part_clear(t, &t->parts[i]);
}

static struct rest *rest_take(struct track_table *t)
{
	struct rest *rest;

	rte_spinlock_lock(&t->rest_lock);
	rest = t->rests;
	t->rests = rest ? rest->next : NULL;
	atomic_store_explicit(&t->has_rests, t->rests != NULL, memory_order_relaxed);
	rte_spinlock_unlock(&t->rest_lock);
	return rest;
}

bool track_table_reclaim(struct track_table *t, unsigned max)
{
	struct rest *rest;

	if (!atomic_load_explicit(&t->has_rests, memory_order_relaxed))
		return false;
	while (max > 0 && (rest = rest_take(t))) {
		while (max > 0 && rest->at < rest->keys.nr_heads) {
			struct chain_link *link = rest->keys.heads[rest->at];

			if (!link) {
				rest->at++;
				continue;
			}
			rest->keys.heads[rest->at] = link->next;
			track_key_free(chain_object(link, struct track_key, link));
			max--;
		}
		if (rest->at == rest->keys.nr_heads) {
			chains_fini(&rest->keys);
			free(rest);
			continue;
		}
		rte_spinlock_lock(&t->rest_lock);
		rest->next = t->rests;
		t->rests = rest;
		atomic_store_explicit(&t->has_rests, true, memory_order_relaxed);
		rte_spinlock_unlock(&t->rest_lock);
	}
	return atomic_load_explicit(&t->has_rests, memory_order_relaxed);
}

uint64_t track_table_nr_keys(const struct track_table *t)
{
	return atomic_load_explicit(&t->nr_keys, memory_order_relaxed);
}

uint64_t track_table_nr_items(const struct track_table *t)
{
	return atomic_load_explicit(&t->nr_items, memory_order_relaxed);
}
