/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of client-side caching: which clients may have a copy of which keys.
 *
 *	part of the keyspace --> chains of keys (by name, of any database) --> set of client ids
 *
 * Each part has a lock of its own, under which nothing else is locked; so keys can be added and
 * taken with or without the lock of the partition, which is what orders readers and writers
 * (tracking.h). Ids are never 0. Any thread.
 */
#ifndef MILLRACE_APP_TRACKING_TABLE_H
#define MILLRACE_APP_TRACKING_TABLE_H

#include "app/chains.h"
#include "app/keyspace/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

struct track_table;

/* A key that somebody has read, with the ids of those who did. */
struct track_key {
	struct chain_link link;
	uint32_t len;
	uint32_t nr, cap; /* ids, and slots for them: a power of two */
	uint64_t *ids;    /* slots; 0: empty. To one, or owned */
	uint64_t one;
	char name[];
};

struct track_table *track_table_create(uint32_t nr_parts); /* NULL: no memory */
void track_table_destroy(struct track_table **t);          /* NULL-safe */

/* Adds the id to the key's. False: no memory. */
bool track_table_add(struct track_table *t, const struct ks_key *k, uint64_t id);
bool track_table_has(struct track_table *t, const struct ks_key *k);
/* Takes the key out: for the caller to free. NULL: nobody has read it. */
struct track_key *track_table_take(struct track_table *t, const struct ks_key *k);
/* Takes some key out, of the first part that has one from part `from` on; *part: which. NULL: the
 * table is empty. */
struct track_key *track_table_take_any(struct track_table *t, uint32_t from, uint32_t *part);
/* Forgets everything; what it took is freed in slices by track_table_reclaim(), which returns true
 * while there is more. */
void track_table_clear(struct track_table *t);
bool track_table_reclaim(struct track_table *t, unsigned max);
void track_key_free(struct track_key *key);

uint64_t track_table_nr_keys(const struct track_table *t);
uint64_t track_table_nr_items(const struct track_table *t); /* ids of all keys */

#endif
