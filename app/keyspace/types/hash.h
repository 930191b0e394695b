/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hashes: fields and their values, as a listpack (field, value, field, value ...) while they are
 * few and short, and as a dict beyond hash-max-listpack-entries and hash-max-listpack-value, as in
 * Redis. A hash that has become a dict remains one.
 *
 * An entry of the dict has the field as its key and the value as a string's: short values in the
 * entry, short numbers too as text; long numbers as such, and other long values in a blob.
 *
 * A snapshot sees to it itself: who changes a key's hash has called ks_obj_edit(). No memory: what
 * has failed has changed nothing.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_HASH_H
#define MILLRACE_APP_KEYSPACE_TYPES_HASH_H

#include "app/keyspace/types/dict.h"
#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/obj.h"

extern const struct obj_ops hash_ops;

/* A field and its value; both point into the hash and are good until its next change. */
struct hash_pair {
	struct lp_val field, value;
	const struct entry *e; /* of a dict: for reply_entry(), which need not copy; else NULL */
};

/* An empty listpack. False: no memory. */
bool hash_create(struct obj *o);
/* From outside: takes lp, in which pairs lie (lp_valid(), an even number of elements), and makes a
 * dict of it when there are more than the limit. Of a field that is there twice, a dict keeps the
 * first. False: no memory, the caller keeps lp. */
bool hash_from_listpack(struct obj *o, unsigned char *lp, const struct obj_limits *lim);

static inline size_t hash_count(const struct obj *o)
{
	return o->enc == OBJ_ENC_LISTPACK ? lp_count(o->ptr) / 2 : dict_count(o->ptr);
}

bool hash_get(const struct obj *o, const void *field, size_t len, struct hash_pair *pair);

enum hash_change {
	HASH_ADDED,
	HASH_UPDATED,
	HASH_NO_MEMORY,
};
/* field and value must not lie in the hash. */
enum hash_change hash_set(struct obj *o, const struct slice *field, const struct slice *value,
	const struct obj_limits *lim);
/* False: the field is not there. */
bool hash_del(struct obj *o, const void *field, size_t len);

/* All pairs, one by one, while nothing changes.
 *
 *     struct hash_iter it = hash_iter(o);
 *     for (struct hash_pair p; hash_next(&it, &p);)
 */
struct hash_iter {
	const struct obj *o;
	const unsigned char *at; /* listpack: the next field */
	struct dict_iter d;
};
struct hash_iter hash_iter(const struct obj *o);
bool hash_next(struct hash_iter *it, struct hash_pair *pair);
void hash_iter_fini(struct hash_iter *it); /* needed only when it is left early */

/* False stops what calls it, where that can be stopped. */
typedef bool (*hash_fn)(void *ctx, const struct hash_pair *pair);
/* SCAN's guarantee for pairs: visits some (all of a listpack), returns the next cursor, 0 at the
 * end. */
uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_fn fn, void *ctx);
/* A pair out of a hash that has some, each with the same probability. */
void hash_random(const struct obj *o, struct hash_pair *pair);
/* Calls fn for nr random pairs; distinct: none twice, so for all when there are not more. False: no
 * memory, or fn has stopped it. */
bool hash_sample(const struct obj *o, size_t nr, bool distinct, hash_fn fn, void *ctx);

#endif
