/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: changes in the middle.
 */
#include "app/keyspace/types/list_priv.h"

static void node_drop(struct list *l, struct list_node *node)
{
	list_node_unlink(l, node);
	list_node_free(node);
}

void list_delete(struct obj *o, struct list_pos *pos, enum list_side towards)
{
	struct list *l = list_of(o);
	struct list_node *node = pos->node;
	struct list_node *beside = towards == LIST_RIGHT ? node->next : node->prev;
	unsigned char *p;

	if (node->nr == 1) {
		node_drop(l, node);
		p = NULL;
	} else {
		p = lp_delete((unsigned char **)&node->data, pos->p);
		if (towards == LIST_LEFT)
			p = p ? lp_prev(node->data, p) : lp_last(node->data);
		node->nr--;
		l->nr--;
		/* the last one deleted leaves no follower; the first one none before it */
		if (p)
			beside = node;
	}
	pos->node = beside;
	pos->p = p;
	if (!p && beside && !beside->plain)
		pos->p = towards == LIST_RIGHT ? lp_first(beside->data) : lp_last(beside->data);
}

size_t list_delete_range(struct obj *o, int64_t start, size_t nr)
{
	struct list *l = list_of(o);
	struct list_pos pos = list_at(o, start);
	struct list_node *node = pos.node;
	size_t left = nr;

	while (node && left > 0) {
		struct list_node *next = node->next;
		size_t before = node->nr;

		if (node->plain || (pos.p == lp_first(node->data) && left >= before)) {
			node_drop(l, node);
			left -= before;
		} else {
			size_t gone;

			lp_delete_at((unsigned char **)&node->data, pos.p, left);
			gone = before - lp_count(node->data);
			node->nr = (uint32_t)(before - gone) & 0x7fffffff;
			l->nr -= gone;
			left -= gone;
			if (node->nr == 0)
				node_drop(l, node);
		}
		node = next;
		pos.p = node && !node->plain ? lp_first(node->data) : NULL;
	}
	return nr - left;
}

/* Cuts the node in front of p: what is from p on goes into a node of its own behind it. Nothing
 * happens when p is the first element. False: no memory. */
static bool node_split(struct list *l, struct list_node *node, const unsigned char *p)
{
	unsigned char *right;
	struct list_node *behind;
	size_t at = 0;

	for (unsigned char *q = lp_first(node->data); q != p; q = lp_next(node->data, q))
		at++;
	right = lp_copy(node->data, lp_bytes(node->data));
	if (!right)
		return false;
	lp_delete_range(&right, 0, at);
	behind = list_node_wrap(right);
	if (!behind) {
		lp_free(right);
		return false;
	}
	lp_delete_range((unsigned char **)&node->data, (long)at, node->nr - at);
	l->nr -= node->nr - at;
	node->nr = (uint32_t)at & 0x7fffffff;
	list_node_link(l, node, behind);
	return true;
}

/* Makes one node of two neighbours when both fit into one. */
static void nodes_merge(struct list *l, struct list_node *a, int fill)
{
	struct list_node *b = a ? a->next : NULL;

	if (!b || a->plain || b->plain)
		return;
	if (!list_node_fits(a, lp_bytes(b->data), fill) ||
		(fill >= 0 && (uint64_t)a->nr + b->nr > (uint64_t)fill))
		return;
	if (!lp_concat((unsigned char **)&a->data, b->data))
		return; /* as good as before */
	a->nr += b->nr;
	l->nr += b->nr;
	node_drop(l, b);
}

/* Puts the element into a node of its own between two that node is cut into. */
static bool insert_between(
	struct list *l, struct list_pos *pos, bool before, struct list_node *own, int fill)
{
	struct list_node *node = pos->node, *after = node;
	const unsigned char *cut = NULL;

	if (!node->plain)
		cut = before ? pos->p : lp_next(node->data, pos->p);
	if (before && (node->plain || cut == lp_first(node->data)))
		after = node->prev;
	else if (cut && !node_split(l, node, cut))
		return false;
	list_node_link(l, after, own);
	if (cut) {
		nodes_merge(l, own, fill);
		nodes_merge(l, own->prev, fill);
	}
	return true;
}

bool list_insert(
	struct obj *o, struct list_pos *pos, bool before, const void *s, size_t len, int fill)
{
	struct list *l = list_of(o);
	struct list_node *node = pos->node, *own;

	if (list_node_fits(node, len, fill)) {
		if (!lp_insert((unsigned char **)&node->data, pos->p, s, len,
			    before ? LP_BEFORE : LP_AFTER, NULL))
			return false;
		node->nr++;
		l->nr++;
		return true;
	}
	own = list_node_make(s, len);
	if (!own)
		return false;
	if (insert_between(l, pos, before, own, fill))
		return true;
	list_node_free(own);
	return false;
}

bool list_replace(struct obj *o, struct list_pos *pos, const void *s, size_t len, int fill)
{
	struct list *l = list_of(o);
	struct list_node *node = pos->node;

	if (!node->plain && !list_is_large(len))
		return lp_insert((unsigned char **)&node->data, pos->p, s, len, LP_REPLACE, NULL);
	if (node->nr == 1) {
		struct list_node *own = list_node_make(s, len);

		if (!own)
			return false;
		list_node_link(l, node, own);
		node_drop(l, node);
		return true;
	}
	if (!list_insert(o, pos, false, s, len, fill))
		return false;
	/* a large element has cut the node behind pos, whose element is its last one now */
	pos->p = lp_last(node->data);
	list_delete(o, pos, LIST_RIGHT);
	return true;
}
