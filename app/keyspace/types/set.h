/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: an intset while all members are integers and there are no more than set-max-intset-entries,
 * a dict beyond, as in Redis. A set that has become a dict remains one.
 *
 * An entry of the dict has the member as its key and no value.
 *
 * No memory: what has failed has changed nothing.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_SET_H
#define MILLRACE_APP_KEYSPACE_TYPES_SET_H

#include "app/keyspace/types/dict.h"
#include "app/keyspace/types/intset.h"
#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/obj.h"

extern const struct obj_ops set_ops;

/* An empty one: an intset if the member that will come first is an integer (or not known: NULL), a
 * dict otherwise. False: no memory. */
bool set_create(struct obj *o, const struct slice *first);
/* From outside: takes an intset (intset_valid()), and makes a dict of it when there are more
 * members than the limit. False: no memory, the caller keeps it. */
bool set_from_intset(struct obj *o, struct intset *is, const struct obj_limits *lim);

static inline size_t set_count(const struct obj *o)
{
	return o->enc == OBJ_ENC_INTSET ? intset_count(o->ptr) : dict_count(o->ptr);
}

enum set_added {
	SET_ADDED,
	SET_THERE,
	SET_NO_MEMORY,
};
/* The member must not lie in the set. */
enum set_added set_add(struct obj *o, const void *member, size_t len, const struct obj_limits *lim);
enum set_added set_add_val(
	struct obj *o, const struct lp_val *member, const struct obj_limits *lim);
bool set_has(const struct obj *o, const void *member, size_t len);
bool set_has_val(const struct obj *o, const struct lp_val *member);
/* False: it was none. The member may lie in the set, and is gone then. */
bool set_remove(struct obj *o, const void *member, size_t len);
bool set_remove_val(struct obj *o, const struct lp_val *member);
/* Makes an intset of a dict whose members allow it; with no memory it stays. */
void set_settle(struct obj *o, const struct obj_limits *lim);

/* All members, one by one, while nothing changes. They are good until the set changes.
 *
 *     struct set_iter it = set_iter(o);
 *     for (struct lp_val m; set_next(&it, &m);)
 */
struct set_iter {
	const struct obj *o;
	uint32_t at; /* intset: the next rank */
	struct dict_iter d;
};
struct set_iter set_iter(const struct obj *o);
bool set_next(struct set_iter *it, struct lp_val *member);
void set_iter_fini(struct set_iter *it); /* needed only when it is left early */

/* False stops what calls it, where that can be stopped. */
typedef bool (*set_fn)(void *ctx, const struct lp_val *member);
/* SCAN's guarantee for members: visits some (all of an intset), returns the next cursor, 0 at the
 * end. */
uint64_t set_scan(const struct obj *o, uint64_t cursor, set_fn fn, void *ctx);
/* A member of a set that has some, each with the same probability. */
struct lp_val set_random(const struct obj *o);
/* Calls fn for nr random members; distinct: none twice, so for all when there are not more. False:
 * no memory, or fn has stopped it. */
bool set_sample(const struct obj *o, size_t nr, bool distinct, set_fn fn, void *ctx);

#endif
