/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Members of a collection by name: a hash table of entries, as the keyspace's own (table.h), which
 * belongs to one collection. An entry's key is the member or field; what its value is, if it has
 * one, is the type's affair (a set's entries have none: entry_create() with an empty raw string).
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_DICT_H
#define MILLRACE_APP_KEYSPACE_TYPES_DICT_H

#include "app/keyspace/table.h"

struct dict {
	struct table t;
};

struct dict *dict_create(void); /* NULL: no memory */
/* Frees the entries with their values (value_release()), and the dict. NULL-safe, sets NULL. */
void dict_destroy(struct dict **d);
/* Frees about max entries; for obj_ops' free_parts. */
bool dict_destroy_part(struct dict **d, uint64_t *at, unsigned max);

/* One with equal entries; values are copied as value_copy() does. NULL: no memory. */
struct dict *dict_copy(const struct dict *d);

static inline uint64_t dict_count(const struct dict *d)
{
	return table_count(&d->t);
}

/* The member's entry, or NULL. */
struct entry *dict_find(const struct dict *d, const void *name, size_t len);
/* Adds an entry (takes it), whose name is not there. False: no memory, the caller keeps it. */
bool dict_insert(struct dict *d, struct entry *e);
/* Takes the member out; the caller owns the entry then. NULL: it is not there. */
struct entry *dict_remove(struct dict *d, const void *name, size_t len);
/* Puts e in the place of the entry old, which has the same name and is the caller's then. */
void dict_replace(struct dict *d, const struct entry *old, struct entry *e);
/* A random member, nearly uniformly; NULL when there is none. */
struct entry *dict_random(const struct dict *d);
/* Calls fn for every member. fn must not change the dict. */
void dict_walk(const struct dict *d, table_fn fn, void *ctx);
/* SCAN's guarantee for members: visits some, returns the next cursor, 0 at the end. fn must not
 * change the dict. */
uint64_t dict_scan(const struct dict *d, uint64_t cursor, table_fn fn, void *ctx);
/* Allocated bytes of the table and the dict, without entries. */
size_t dict_table_mem(const struct dict *d);
/* Bytes of table and entries; see struct obj_ops on samples. */
size_t dict_mem(const struct dict *d, size_t samples);

/* Going through all members, one by one, while nothing changes.
 *
 *     struct dict_iter it = {.d = d};
 *     for (struct entry *e; (e = dict_next(&it));)
 */
struct dict_iter {
	const struct dict *d;
	uint64_t unit;
	unsigned nr, at;
	unsigned room;
	struct entry **found; /* owned; freed at the end, or by dict_iter_fini() */
};
struct entry *dict_next(struct dict_iter *it);
void dict_iter_fini(struct dict_iter *it); /* needed only when it is left early */

#endif
