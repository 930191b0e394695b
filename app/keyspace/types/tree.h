/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ordered items of one size: a B+ tree. What streams keep by ID and by name.
 *
 *              inner: keys, children           keys[i]: the key of the first item below child[i],
 *             /          |          \          exact; keys[0] is not looked at
 *        leaf  <->  leaf  <->  leaf            items lie in the leaves, in their order
 *
 * Items that come in order fill their leaves, all but the last. A tree of one leaf takes the room
 * of its items, about; a leaf of a larger tree has room for leaf_max. Nodes that have become few
 * are joined with their neighbours.
 *
 * Items are moved by any change: pointers to them and positions are good until then. Not locked.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_TREE_H
#define MILLRACE_APP_KEYSPACE_TYPES_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree {
	void *root; /* owned; NULL: empty */
	uint64_t nr;
	size_t bytes; /* allocated for it */
	unsigned depth;
};

struct tree_kind {
	unsigned item_size; /* a multiple of 8 */
	unsigned key_size;  /* so many bytes of an item, from its beginning, are its key */
	unsigned leaf_max;  /* items */
	/* key: what a look-up is given; item: an item, or only its key. As memcmp(). */
	int (*cmp)(const void *key, const void *item);
};

/* leaf_max for leaves of 1 KB, a size that allocators have, whatever the item. */
#define TREE_LEAF_HEAD           24
#define TREE_LEAF_MAX(item_size) ((1024 - TREE_LEAF_HEAD) / (unsigned)(item_size))

/* A place; leaf NULL: none. */
struct tree_pos {
	struct tree_leaf *leaf;
	unsigned at;
};

/* All zeros are an empty tree, too. */
static inline void tree_init(struct tree *t)
{
	*t = (struct tree){0};
}
/* Frees the nodes; what items refer to is the caller's. */
void tree_clear(struct tree *t, const struct tree_kind *kind);
/* The same in parts: frees up to *max nodes, and takes them off. True: it is empty. Until then
 * nothing else may be done with the tree. */
bool tree_clear_parts(struct tree *t, unsigned *max);

/* Adds a copy of the item, whose key is not there yet. NULL: no memory, nothing has changed. */
void *tree_add(struct tree *t, const struct tree_kind *kind, const void *key, const void *item);
/* False: it was not there. What a key refers to must live until the call is over. */
bool tree_remove(struct tree *t, const struct tree_kind *kind, const void *key);

/* NULL: not there. */
void *tree_find(const struct tree *t, const struct tree_kind *kind, const void *key);
/* The first item that is not before the key; the last one that is not behind it. */
struct tree_pos tree_ceil(const struct tree *t, const struct tree_kind *kind, const void *key);
struct tree_pos tree_floor(const struct tree *t, const struct tree_kind *kind, const void *key);
struct tree_pos tree_first(const struct tree *t, const struct tree_kind *kind);
struct tree_pos tree_last(const struct tree *t, const struct tree_kind *kind);
void tree_next(struct tree_pos *pos);
void tree_prev(struct tree_pos *pos);
static inline bool tree_pos_ok(const struct tree_pos *pos)
{
	return pos->leaf;
}
void *tree_item(const struct tree_kind *kind, const struct tree_pos *pos);

/* Walks it all and aborts when it is not as described above: for tests. */
void tree_check(const struct tree *t, const struct tree_kind *kind);

#endif
