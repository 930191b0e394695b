/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists in RDB: a node of ours is a node of form 18; older forms come element by element.
 */
#include "app/keyspace/types/list.h"

#include "app/keyspace/types/listpack.h"
#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

static bool add_element(struct rdb_build *b, struct slice text)
{
	return list_push(
		       &b->obj, LIST_RIGHT, text.ptr, text.len, b->limits.list_max_listpack_size) ||
	       rdb_build_no_memory(b);
}

/* A listpack as it lies becomes a node: what the sender found fit to be one. */
static bool add_listpack(struct rdb_build *b, const struct rdb_item *item)
{
	unsigned char *lp;

	if (!lp_valid(item->str.bytes, item->str.len, true))
		return rdb_build_refuse(b, "damaged listpack in a list");
	if (lp_count(item->str.bytes) == 0)
		return true; /* Redis passes over such nodes, too */
	lp = lp_copy(item->str.bytes, item->str.len);
	if (lp && list_add_listpack(&b->obj, lp))
		return true;
	lp_free(lp);
	return rdb_build_no_memory(b);
}

static bool add_blob(struct rdb_build *b, const struct rdb_item *item)
{
	if (b->form != RDB_TYPE_LIST_QUICKLIST_2)
		return rdb_blob_old(b, item, add_element);
	switch ((enum rdb_container)(uintptr_t)b->state) {
	case RDB_CONTAINER_PACKED: return add_listpack(b, item);
	case RDB_CONTAINER_PLAIN:
		return list_add_plain(&b->obj, item->str.bytes, item->str.len) ||
		       rdb_build_no_memory(b);
	}
	return rdb_build_refuse(b, "unknown kind of node in a list");
}

static bool list_item(struct rdb_build *b, const struct rdb_item *item)
{
	if (!b->obj.ptr && !list_make(&b->obj))
		return rdb_build_no_memory(b);
	switch (item->kind) {
	case RDB_ITEM_COUNT: return true;
	case RDB_ITEM_ELEMENT: return add_element(b, rdb_item_text(item));
	case RDB_ITEM_CONTAINER:
		b->state = (void *)(uintptr_t)item->number; /* until the blob comes */
		return true;
	case RDB_ITEM_BLOB: return add_blob(b, item);
	default: return rdb_build_refuse(b, "misplaced part of a list");
	}
}

static enum rdb_type list_form(const struct obj *o)
{
	return RDB_TYPE_LIST_QUICKLIST_2;
}

static void list_write(struct rdb_writer *w, const struct obj *o)
{
	rdb_write_len(w, list_nr_nodes(o));
	for (const struct list_node *n = list_node_first(o); n; n = list_node_next(n)) {
		struct slice bytes = list_node_bytes(n);

		rdb_write_len(
			w, list_node_is_plain(n) ? RDB_CONTAINER_PLAIN : RDB_CONTAINER_PACKED);
		rdb_write_string(w, bytes.ptr, bytes.len);
	}
}

const struct rdb_codec rdb_list = {
	.item = list_item,
	.form = list_form,
	.write = list_write,
};
