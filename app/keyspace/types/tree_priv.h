/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Trees from inside: what tree.c and tree_edit.c share.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_TREE_PRIV_H
#define MILLRACE_APP_KEYSPACE_TYPES_TREE_PRIV_H

#include "app/keyspace/types/tree.h"

#include "checks.h"

#include <assert.h>
#include <string.h>

#define INNER_MAX 32u
#define DEPTH_MAX 16u /* nodes are joined when they get few: no tree comes near */

struct tree_leaf {
	struct tree_leaf *prev, *next;
	uint16_t nr;
	uint16_t cap; /* leaf_max, but for the only leaf of a tree */
	uint32_t unused;
	unsigned char items[];
};
static_assert(offsetof(struct tree_leaf, items) == TREE_LEAF_HEAD, "leaves fill 1 KB");

struct tree_inner {
	unsigned nr;
	void *child[INNER_MAX];
	unsigned char keys[]; /* INNER_MAX of them */
};

static inline unsigned char *leaf_item(
	const struct tree_kind *kind, const struct tree_leaf *leaf, unsigned at)
{
	return (unsigned char *)(uintptr_t)leaf->items + (size_t)at * kind->item_size;
}

static inline unsigned char *inner_key(
	const struct tree_kind *kind, const struct tree_inner *inner, unsigned at)
{
	return (unsigned char *)(uintptr_t)inner->keys + (size_t)at * kind->key_size;
}

/* The index of the first item that is not before the key; *same: it has that key. */
static inline unsigned leaf_search(
	const struct tree_kind *kind, const struct tree_leaf *leaf, const void *key, bool *same)
{
	unsigned lo = 0, hi = leaf->nr;

	*same = false;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int diff = kind->cmp(key, leaf_item(kind, leaf, mid));

		if (diff == 0) {
			*same = true;
			return mid;
		}
		if (diff > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The child under which the key belongs. */
static inline unsigned inner_search(
	const struct tree_kind *kind, const struct tree_inner *inner, const void *key)
{
	unsigned lo = 1, hi = inner->nr;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (kind->cmp(key, inner_key(kind, inner, mid)) >= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

#endif
