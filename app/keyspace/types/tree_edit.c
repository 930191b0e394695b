/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Trees: adding and removing. On the way down to the place of a new item every full node is split,
 * so that its parent has room: each split is complete in itself, and memory may run out between.
 */
#include "app/keyspace/types/tree_priv.h"

#include "app/keyspace/mem.h"

static void *node_alloc(struct tree *t, size_t size)
{
	void *node = mem_alloc(size);

	if (node)
		t->bytes += mem_usable(node);
	return node;
}

static void node_free(struct tree *t, void *node)
{
	t->bytes -= mem_usable(node);
	mem_free(node);
}

static size_t leaf_size(const struct tree_kind *kind, unsigned cap)
{
	return sizeof(struct tree_leaf) + (size_t)cap * kind->item_size;
}

static struct tree_inner *inner_alloc(struct tree *t, const struct tree_kind *kind)
{
	return node_alloc(t, sizeof(struct tree_inner) + (size_t)INNER_MAX * kind->key_size);
}

static void *leaf_insert(
	const struct tree_kind *kind, struct tree_leaf *leaf, unsigned at, const void *item)
{
	unsigned char *p = leaf_item(kind, leaf, at);

	memmove(p + kind->item_size, p, (size_t)(leaf->nr - at) * kind->item_size);
	memcpy(p, item, kind->item_size);
	leaf->nr++;
	return p;
}

static void leaf_delete(const struct tree_kind *kind, struct tree_leaf *leaf, unsigned at)
{
	unsigned char *p = leaf_item(kind, leaf, at);

	leaf->nr--;
	memmove(p, p + kind->item_size, (size_t)(leaf->nr - at) * kind->item_size);
}

static void inner_insert(const struct tree_kind *kind, struct tree_inner *inner, unsigned at,
	const void *key, void *child)
{
	unsigned char *k = inner_key(kind, inner, at);
	unsigned behind = inner->nr - at;

	memmove(k + kind->key_size, k, (size_t)behind * kind->key_size);
	memmove(&inner->child[at + 1], &inner->child[at], behind * sizeof(inner->child[0]));
	memcpy(k, key, kind->key_size);
	inner->child[at] = child;
	inner->nr++;
}

static void inner_delete(const struct tree_kind *kind, struct tree_inner *inner, unsigned at)
{
	unsigned char *k = inner_key(kind, inner, at);
	unsigned behind = --inner->nr - at;

	memmove(k, k + kind->key_size, (size_t)behind * kind->key_size);
	memmove(&inner->child[at], &inner->child[at + 1], behind * sizeof(inner->child[0]));
}

/* --- adding --- */

/* The only leaf gets another size. False: no memory. */
static bool only_leaf_resize(struct tree *t, const struct tree_kind *kind, unsigned cap)
{
	size_t before = mem_usable(t->root);
	struct tree_leaf *leaf = mem_realloc(t->root, leaf_size(kind, cap));

	if (!leaf)
		return false;
	t->bytes = t->bytes - before + mem_usable(leaf);
	leaf->cap = (uint16_t)cap;
	t->root = leaf;
	return true;
}

/* Splits the full child. At the end of the tree only the last part goes into the new node: what
 * comes in order leaves full nodes behind. */
static bool leaf_split(struct tree *t, const struct tree_kind *kind, struct tree_inner *parent,
	unsigned at, const void *key)
{
	struct tree_leaf *leaf = parent->child[at], *right;
	bool append = !leaf->next && kind->cmp(key, leaf_item(kind, leaf, leaf->nr - 1u)) > 0;
	unsigned cut = append ? leaf->nr - 1u : leaf->nr / 2u;

	right = node_alloc(t, leaf_size(kind, kind->leaf_max));
	if (!right)
		return false;
	*right = (struct tree_leaf){.prev = leaf,
		.next = leaf->next,
		.nr = (uint16_t)(leaf->nr - cut),
		.cap = (uint16_t)kind->leaf_max};
	memcpy(right->items, leaf_item(kind, leaf, cut), (size_t)right->nr * kind->item_size);
	leaf->nr = (uint16_t)cut;
	if (leaf->next)
		leaf->next->prev = right;
	leaf->next = right;
	inner_insert(kind, parent, at + 1, right->items, right);
	return true;
}

static bool inner_split(struct tree *t, const struct tree_kind *kind, struct tree_inner *parent,
	unsigned at, const void *key, bool last)
{
	struct tree_inner *node = parent->child[at], *right;
	bool append = last && kind->cmp(key, inner_key(kind, node, node->nr - 1)) > 0;
	unsigned cut = append ? node->nr - 1 : node->nr / 2;

	right = inner_alloc(t, kind);
	if (!right)
		return false;
	right->nr = node->nr - cut;
	memcpy(right->keys, inner_key(kind, node, cut), (size_t)right->nr * kind->key_size);
	memcpy(right->child, &node->child[cut], right->nr * sizeof(right->child[0]));
	node->nr = cut;
	inner_insert(kind, parent, at + 1, right->keys, right);
	return true;
}

static bool is_full(const struct tree_kind *kind, const void *node, unsigned depth)
{
	if (depth == 1)
		return ((const struct tree_leaf *)node)->nr == kind->leaf_max;
	return ((const struct tree_inner *)node)->nr == INNER_MAX;
}

static bool child_split(struct tree *t, const struct tree_kind *kind, struct tree_inner *parent,
	unsigned at, unsigned depth, const void *key, bool last)
{
	return depth == 1 ? leaf_split(t, kind, parent, at, key)
			  : inner_split(t, kind, parent, at, key, last);
}

/* Puts a new root above a full one. */
static bool root_split(struct tree *t, const struct tree_kind *kind, const void *key)
{
	struct tree_inner *root = inner_alloc(t, kind);

	if (!root)
		return false;
	root->nr = 1;
	root->child[0] = t->root;
	memset(root->keys, 0, kind->key_size); /* not looked at, but moved */
	if (!child_split(t, kind, root, 0, t->depth, key, true)) {
		node_free(t, root);
		return false;
	}
	t->root = root;
	t->depth++;
	BUG_ON(t->depth > DEPTH_MAX);
	return true;
}

/* Makes room at the root. */
static bool root_ready(struct tree *t, const struct tree_kind *kind, const void *key)
{
	struct tree_leaf *leaf;

	if (!t->root) {
		leaf = node_alloc(t, leaf_size(kind, 1));
		if (!leaf)
			return false;
		*leaf = (struct tree_leaf){.cap = 1};
		t->root = leaf;
		t->depth = 1;
		return true;
	}
	if (is_full(kind, t->root, t->depth))
		return root_split(t, kind, key);
	leaf = t->root;
	if (t->depth == 1 && leaf->nr == leaf->cap) {
		unsigned cap = leaf->cap * 2u;

		return only_leaf_resize(t, kind, cap < kind->leaf_max ? cap : kind->leaf_max);
	}
	return true;
}

void *tree_add(struct tree *t, const struct tree_kind *kind, const void *key, const void *item)
{
	bool same, last = true;
	struct tree_leaf *leaf;
	unsigned at;
	void *node;

	if (!root_ready(t, kind, key))
		return NULL;
	node = t->root;
	for (unsigned depth = t->depth; depth > 1; depth--) {
		struct tree_inner *inner = node;

		at = inner_search(kind, inner, key);
		last = last && at == inner->nr - 1;
		if (is_full(kind, inner->child[at], depth - 1)) {
			if (!child_split(t, kind, inner, at, depth - 1, key, last))
				return NULL;
			at = inner_search(kind, inner, key);
			last = last && at == inner->nr - 1;
		}
		node = inner->child[at];
	}
	leaf = node;
	at = leaf_search(kind, leaf, key, &same);
	BUG_ON(same);
	t->nr++;
	return leaf_insert(kind, leaf, at, item);
}

/* --- removing --- */

struct path {
	struct {
		struct tree_inner *node;
		unsigned at;
	} steps[DEPTH_MAX]; /* from the root down to the leaf's parent */
	unsigned nr;
};

/* The first item below the child of that step has another key. */
static void first_changed(
	const struct tree_kind *kind, const struct path *path, unsigned nr, const void *key)
{
	while (nr-- > 0) {
		if (path->steps[nr].at > 0) {
			memcpy(inner_key(kind, path->steps[nr].node, path->steps[nr].at), key,
				kind->key_size);
			return;
		}
	}
}

/* Takes the child that the path leads to at the step before nr out of its parent, and parents that
 * have nothing else with it. */
static void unhook(
	struct tree *t, const struct tree_kind *kind, const struct path *path, unsigned nr)
{
	while (nr-- > 0) {
		struct tree_inner *inner = path->steps[nr].node;
		unsigned at = path->steps[nr].at;

		inner_delete(kind, inner, at);
		if (inner->nr > 0) {
			if (at == 0)
				first_changed(kind, path, nr, inner_key(kind, inner, 0));
			return;
		}
		node_free(t, inner);
	}
	t->root = NULL;
	t->depth = 0;
}

static void leaf_unlink(struct tree *t, struct tree_leaf *leaf)
{
	if (leaf->prev)
		leaf->prev->next = leaf->next;
	if (leaf->next)
		leaf->next->prev = leaf->prev;
	node_free(t, leaf);
}

static void leaves_join(
	struct tree *t, const struct tree_kind *kind, struct tree_inner *parent, unsigned at)
{
	struct tree_leaf *left = parent->child[at], *right = parent->child[at + 1];

	if ((unsigned)left->nr + right->nr > kind->leaf_max * 3 / 4)
		return;
	memcpy(leaf_item(kind, left, left->nr), right->items, (size_t)right->nr * kind->item_size);
	left->nr = (uint16_t)(left->nr + right->nr);
	leaf_unlink(t, right);
	inner_delete(kind, parent, at + 1);
}

static void inners_join(
	struct tree *t, const struct tree_kind *kind, struct tree_inner *parent, unsigned at)
{
	struct tree_inner *left = parent->child[at], *right = parent->child[at + 1];

	if (left->nr + right->nr > INNER_MAX * 3 / 4)
		return;
	memcpy(inner_key(kind, left, left->nr), right->keys, (size_t)right->nr * kind->key_size);
	/* its first key is not looked at; in the parent it is */
	memcpy(inner_key(kind, left, left->nr), inner_key(kind, parent, at + 1), kind->key_size);
	memcpy(&left->child[left->nr], right->child, right->nr * sizeof(right->child[0]));
	left->nr += right->nr;
	node_free(t, right);
	inner_delete(kind, parent, at + 1);
}

/* Joins nodes that have become few with a neighbour, from the leaf up. */
static void join_up(
	struct tree *t, const struct tree_kind *kind, const struct path *path, unsigned nr)
{
	for (; nr > 0; nr--) {
		struct tree_inner *parent = path->steps[nr - 1].node;
		unsigned at = path->steps[nr - 1].at;
		bool leaf = nr == t->depth - 1;
		unsigned few = leaf ? kind->leaf_max / 4 : INNER_MAX / 4;
		unsigned has = leaf ? ((struct tree_leaf *)parent->child[at])->nr
				    : ((struct tree_inner *)parent->child[at])->nr;

		if (has > few || parent->nr < 2)
			return;
		at = at + 1 < parent->nr ? at : at - 1;
		if (leaf)
			leaves_join(t, kind, parent, at);
		else
			inners_join(t, kind, parent, at);
	}
}

static void root_shrink(struct tree *t, const struct tree_kind *kind)
{
	while (t->depth > 1 && ((struct tree_inner *)t->root)->nr == 1) {
		struct tree_inner *root = t->root;

		t->root = root->child[0];
		t->depth--;
		node_free(t, root);
	}
	if (t->depth == 1) {
		struct tree_leaf *leaf = t->root;

		if (leaf->nr <= leaf->cap / 4)
			only_leaf_resize(t, kind, leaf->cap / 2u);
	}
}

bool tree_remove(struct tree *t, const struct tree_kind *kind, const void *key)
{
	struct path path = {.nr = 0};
	void *node = t->root;
	struct tree_leaf *leaf;
	unsigned at;
	bool same;

	if (!node)
		return false;
	for (unsigned depth = t->depth; depth > 1; depth--) {
		struct tree_inner *inner = node;

		at = inner_search(kind, inner, key);
		path.steps[path.nr].node = inner;
		path.steps[path.nr++].at = at;
		node = inner->child[at];
	}
	leaf = node;
	at = leaf_search(kind, leaf, key, &same);
	if (!same)
		return false;
	leaf_delete(kind, leaf, at);
	t->nr--;
	if (leaf->nr == 0) {
		leaf_unlink(t, leaf);
		unhook(t, kind, &path, path.nr);
	} else {
		if (at == 0)
			first_changed(kind, &path, path.nr, leaf_item(kind, leaf, 0));
		join_up(t, kind, &path, path.nr);
	}
	root_shrink(t, kind);
	return true;
}
