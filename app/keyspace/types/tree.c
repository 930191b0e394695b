/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Trees: reading.
 */
#include "app/keyspace/types/tree.h"

#include "app/keyspace/types/tree_priv.h"

#include "app/keyspace/mem.h"

static void free_below(void *node, unsigned depth)
{
	if (depth > 1) {
		struct tree_inner *inner = node;

		for (unsigned i = 0; i < inner->nr; i++)
			free_below(inner->child[i], depth - 1);
	}
	mem_free(node);
}

void tree_clear(struct tree *t, const struct tree_kind *kind)
{
	if (t->root)
		free_below(t->root, t->depth);
	tree_init(t);
}

/* True: the node is gone. */
static bool free_some_below(void *node, unsigned depth, unsigned *max)
{
	struct tree_inner *inner = node;

	for (; depth > 1 && inner->nr > 0; inner->nr--)
		if (!free_some_below(inner->child[inner->nr - 1], depth - 1, max))
			return false;
	if (*max == 0)
		return false;
	--*max;
	mem_free(node);
	return true;
}

bool tree_clear_parts(struct tree *t, unsigned *max)
{
	if (t->root && !free_some_below(t->root, t->depth, max))
		return false;
	tree_init(t);
	return true;
}

static struct tree_leaf *leaf_of(
	const struct tree *t, const struct tree_kind *kind, const void *key)
{
	void *node = t->root;

	for (unsigned depth = t->depth; depth > 1; depth--) {
		struct tree_inner *inner = node;

		node = inner->child[inner_search(kind, inner, key)];
	}
	return node;
}

void *tree_find(const struct tree *t, const struct tree_kind *kind, const void *key)
{
	const struct tree_leaf *leaf;
	unsigned at;
	bool same;

	if (!t->root)
		return NULL;
	leaf = leaf_of(t, kind, key);
	at = leaf_search(kind, leaf, key, &same);
	return same ? leaf_item(kind, leaf, at) : NULL;
}

struct tree_pos tree_ceil(const struct tree *t, const struct tree_kind *kind, const void *key)
{
	struct tree_pos pos = {0};
	bool same;

	if (!t->root)
		return pos;
	pos.leaf = leaf_of(t, kind, key);
	pos.at = leaf_search(kind, pos.leaf, key, &same);
	if (pos.at == pos.leaf->nr) {
		pos.leaf = pos.leaf->next;
		pos.at = 0;
	}
	return pos;
}

struct tree_pos tree_floor(const struct tree *t, const struct tree_kind *kind, const void *key)
{
	struct tree_pos pos = {0};
	bool same;

	if (!t->root)
		return pos;
	pos.leaf = leaf_of(t, kind, key);
	pos.at = leaf_search(kind, pos.leaf, key, &same);
	if (!same)
		tree_prev(&pos);
	return pos;
}

struct tree_pos tree_first(const struct tree *t, const struct tree_kind *kind)
{
	void *node = t->root;

	for (unsigned depth = t->depth; depth > 1; depth--)
		node = ((struct tree_inner *)node)->child[0];
	return (struct tree_pos){.leaf = node};
}

struct tree_pos tree_last(const struct tree *t, const struct tree_kind *kind)
{
	void *node = t->root;

	for (unsigned depth = t->depth; depth > 1; depth--) {
		struct tree_inner *inner = node;

		node = inner->child[inner->nr - 1];
	}
	return (struct tree_pos){node, node ? ((struct tree_leaf *)node)->nr - 1u : 0};
}

void tree_next(struct tree_pos *pos)
{
	if (++pos->at < pos->leaf->nr)
		return;
	pos->leaf = pos->leaf->next;
	pos->at = 0;
}

void tree_prev(struct tree_pos *pos)
{
	if (pos->at > 0) {
		pos->at--;
		return;
	}
	pos->leaf = pos->leaf->prev;
	pos->at = pos->leaf ? pos->leaf->nr - 1u : 0;
}

void *tree_item(const struct tree_kind *kind, const struct tree_pos *pos)
{
	ASSERT(pos->leaf && pos->at < pos->leaf->nr);
	return leaf_item(kind, pos->leaf, pos->at);
}

/* --- for tests --- */

struct check {
	const struct tree_kind *kind;
	const struct tree_leaf *last; /* seen so far */
	uint64_t nr;
	size_t bytes;
};

static const void *check_below(struct check *c, const void *node, unsigned depth, bool root)
{
	c->bytes += mem_usable(node);
	if (depth > 1) {
		const struct tree_inner *inner = node;
		const void *first = NULL;

		BUG_ON(inner->nr < (root ? 2 : 1) || inner->nr > INNER_MAX);
		for (unsigned i = 0; i < inner->nr; i++) {
			const void *below = check_below(c, inner->child[i], depth - 1, false);

			if (i == 0)
				first = below;
			else
				BUG_ON(memcmp(inner_key(c->kind, inner, i), below,
					       c->kind->key_size) != 0);
		}
		return first;
	}
	const struct tree_leaf *leaf = node;

	BUG_ON(leaf->nr == 0 || leaf->nr > leaf->cap || leaf->cap > c->kind->leaf_max);
	BUG_ON(!root && leaf->cap != c->kind->leaf_max);
	BUG_ON(leaf->prev != c->last || (c->last && c->last->next != leaf));
	c->last = leaf;
	c->nr += leaf->nr;
	return leaf_item(c->kind, leaf, 0);
}

void tree_check(const struct tree *t, const struct tree_kind *kind)
{
	struct check c = {.kind = kind};

	if (!t->root) {
		BUG_ON(t->nr || t->bytes || t->depth);
		return;
	}
	check_below(&c, t->root, t->depth, true);
	BUG_ON(c.last->next || c.nr != t->nr || c.bytes != t->bytes);
}
