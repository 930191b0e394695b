/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: element by element, or node by node (18, which is written: a node of ours is one there),
 * or in ziplists.
 */
#include "app/keyspace/types/list.h"

#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

static bool add(struct rdb_build *b, struct slice text)
{
	return list_push(
		       &b->obj, LIST_RIGHT, text.ptr, text.len, b->limits.list_max_listpack_size) ||
	       rdb_build_no_memory(b);
}

/* A listpack as it lies becomes a node: what the sender found fit to be one. */
static bool add_listpack(struct rdb_build *b, const struct rdb_item *item)
{
	unsigned char *lp;

	if (!rdb_blob_listpack(b, item, 1, &lp))
		return false;
	if (lp_count(lp) == 0) {
		lp_free(lp); /* Redis passes over such nodes, too */
		return true;
	}
	if (list_add_listpack(&b->obj, lp))
		return true;
	lp_free(lp);
	return rdb_build_no_memory(b);
}

static bool add_plain(struct rdb_build *b, const struct rdb_item *item)
{
	if (item->str.len == 0)
		return rdb_build_refuse(b, "a list has a node without content");
	return list_add_plain(&b->obj, item->str.bytes, item->str.len) || rdb_build_no_memory(b);
}

static bool add_blob(struct rdb_build *b, const struct rdb_item *item)
{
	if (b->form != RDB_TYPE_LIST_QUICKLIST_2)
		return rdb_blob_old(b, item, add);
	if (b->container == RDB_CONTAINER_PLAIN)
		return add_plain(b, item);
	return add_listpack(b, item);
}

static bool set_container(struct rdb_build *b, uint64_t container)
{
	if (container != RDB_CONTAINER_PLAIN && container != RDB_CONTAINER_PACKED)
		return rdb_build_refuse(b, "a list has a node of an unknown kind");
	b->container = (enum rdb_container)container;
	return true;
}

static bool list_item(struct rdb_build *b, const struct rdb_item *item)
{
	if (!b->obj.ptr && !list_make(&b->obj))
		return rdb_build_no_memory(b);
	switch (item->kind) {
	case RDB_ITEM_ELEMENT: return add(b, rdb_item_text(item));
	case RDB_ITEM_CONTAINER: return set_container(b, item->number);
	case RDB_ITEM_BLOB: return add_blob(b, item);
	default: return true; /* a count */
	}
}

static enum rdb_type list_form(const struct obj *o)
{
	return RDB_TYPE_LIST_QUICKLIST_2;
}

static bool list_write(
	struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until)
{
	if (at->stage == 0) {
		rdb_write_len(w, list_nr_nodes(o));
		at->node = list_node_first(o);
		at->stage = 1;
	}
	for (; at->node; at->node = list_node_next(at->node)) {
		struct slice bytes = list_node_bytes(at->node);

		if (w->nr_bytes >= until)
			return false;
		rdb_write_len(w,
			list_node_is_plain(at->node) ? RDB_CONTAINER_PLAIN : RDB_CONTAINER_PACKED);
		rdb_write_string(w, bytes.ptr, bytes.len);
	}
	return true;
}

const struct rdb_codec rdb_list = {
	.item = list_item,
	.form = list_form,
	.write = list_write,
};
