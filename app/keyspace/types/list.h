/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: a chain of nodes, each a listpack of some elements, or one element alone that is too large
 * for a listpack (plain).
 *
 *     list -> node <-> node <-> node      a node never is empty, but an object in the making may
 *              |        |        |        have no node
 *              lp       lp      plain
 *
 * fill is the directive list-max-listpack-size: how much a node may hold. What is returned of an
 * element points into the list and is good until its next change.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_LIST_H
#define MILLRACE_APP_KEYSPACE_TYPES_LIST_H

#include "app/keyspace/types/obj.h"

extern const struct obj_ops list_ops;

enum list_side {
	LIST_LEFT,
	LIST_RIGHT,
};

struct list;
struct list_node;

/* An empty list. False: no memory. */
bool list_make(struct obj *o);
static inline size_t list_len(const struct obj *o)
{
	return list_ops.count(o);
}
/* Adds an element at an end. False: no memory (nothing changed). */
bool list_push(struct obj *o, enum list_side side, const void *s, size_t len, int fill);
/* Removes up to nr elements from index start (negative: from the end) on. Returns how many. */
size_t list_delete_range(struct obj *o, int64_t start, size_t nr);

/* --- a place in a list --- */

struct list_pos {
	struct list *list;
	struct list_node *node; /* NULL: behind the last or before the first element */
	unsigned char *p;       /* in its listpack; NULL in a plain node */
};

/* The element of that index; negative: from the end (-1 is the last). */
struct list_pos list_at(const struct obj *o, int64_t index);
static inline bool list_pos_ok(const struct list_pos *pos)
{
	return pos->node;
}
void list_next(struct list_pos *pos);
void list_prev(struct list_pos *pos);
/* The element as text; an integer is written into buf. */
struct slice list_text(const struct list_pos *pos, char buf[KS_INT_STR_MAX]);
bool list_eq(const struct list_pos *pos, const void *s, size_t len);

/* Removes the element; pos is at the following one then, in the direction given. */
void list_delete(struct obj *o, struct list_pos *pos, enum list_side towards);
/* Other places in the list are no longer good after these. False: no memory (nothing changed). */
bool list_replace(struct obj *o, struct list_pos *pos, const void *s, size_t len, int fill);
bool list_insert(
	struct obj *o, struct list_pos *pos, bool before, const void *s, size_t len, int fill);

/* --- nodes, as RDB files hold them --- */

struct list_node *list_node_first(const struct obj *o);
struct list_node *list_node_next(const struct list_node *node);
size_t list_nr_nodes(const struct obj *o);
/* What it holds: the bytes of a listpack, or of one element. */
bool list_node_is_plain(const struct list_node *node);
struct slice list_node_bytes(const struct list_node *node);
/* Adds a node at the right end: takes lp, which is valid and not empty. False: no memory, the
 * caller keeps it. */
bool list_add_listpack(struct obj *o, unsigned char *lp);
/* Adds a plain node. */
bool list_add_plain(struct obj *o, const void *s, size_t len);

/* An element of more bytes gets a plain node (DEBUG QUICKLIST-PACKED-THRESHOLD; 0: the default of
 * 1 GB). False: too large. Any thread. */
bool list_set_packed_threshold(size_t bytes);

#endif
