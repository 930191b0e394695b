/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists from inside: what list.c and list_edit.c share.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_LIST_PRIV_H
#define MILLRACE_APP_KEYSPACE_TYPES_LIST_PRIV_H

#include "app/keyspace/types/list.h"
#include "app/keyspace/types/listpack.h"
#include "checks.h"

#include <string.h>

#define NODE_ENTRY_OVERHEAD 8    /* of an element in a listpack, about */
#define NODE_SAFE_BYTES     8192 /* of a node, when fill counts elements */

struct plain {
	size_t len;
	char bytes[];
};

struct list_node {
	struct list_node *prev, *next;
	void *data; /* owned: a listpack or a struct plain */
	uint32_t nr : 31;
	uint32_t plain : 1;
};

struct list {
	struct list_node *head, *tail;
	uint64_t nr; /* elements */
	uint64_t nr_nodes;
};

static inline struct list *list_of(const struct obj *o)
{
	ASSERT(o->type == OBJ_LIST);
	return o->ptr;
}

/* Whether an element of that length gets a plain node. */
bool list_is_large(size_t len);
/* Whether the node takes an element of that length. NULL: no node. */
bool list_node_fits(const struct list_node *node, size_t len, int fill);
/* A node with one element; one of a listpack (taken on success). NULL: no memory. */
struct list_node *list_node_make(const void *s, size_t len);
struct list_node *list_node_wrap(unsigned char *lp);
void list_node_free(struct list_node *node);
/* Puts a node behind another, or in front of all. */
void list_node_link(struct list *l, struct list_node *after, struct list_node *node);
void list_node_unlink(struct list *l, struct list_node *node);

#endif
