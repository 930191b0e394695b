/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hashes: field and value in turn, or all of them in a listpack (4 and 16, which are written), a
 * ziplist or a zipmap.
 */
#include "app/keyspace/types/hash.h"

#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

static bool add(struct rdb_build *b, struct slice field, struct slice value)
{
	if (!b->obj.ptr && !hash_create(&b->obj))
		return rdb_build_no_memory(b);
	switch (hash_set(&b->obj, &field, &value, &b->limits)) {
	case HASH_ADDED: return true;
	case HASH_UPDATED: return rdb_build_refuse(b, "a hash has a field twice");
	case HASH_NO_MEMORY: break;
	}
	return rdb_build_no_memory(b);
}

/* Field and value take turns. */
static bool add_in_turn(struct rdb_build *b, struct slice text)
{
	if (!b->holding)
		return rdb_build_hold(b, text);
	b->holding = false;
	return add(b, (struct slice){b->held, b->held_len}, text);
}

static bool item_blob(struct rdb_build *b, const struct rdb_item *item)
{
	unsigned char *lp;

	if (b->form != RDB_TYPE_HASH_LISTPACK)
		return rdb_blob_old(b, item, add_in_turn);
	if (!rdb_blob_named(b, item, 2, &lp))
		return false;
	if (hash_from_listpack(&b->obj, lp, &b->limits))
		return true;
	b->obj.ptr = NULL;
	lp_free(lp);
	return rdb_build_no_memory(b);
}

static bool hash_item(struct rdb_build *b, const struct rdb_item *item)
{
	switch (item->kind) {
	case RDB_ITEM_FIELD:
	case RDB_ITEM_VALUE: return add_in_turn(b, rdb_item_text(item));
	case RDB_ITEM_BLOB: return item_blob(b, item);
	default: return true; /* a count */
	}
}

static bool hash_end(struct rdb_build *b)
{
	return !b->holding || rdb_build_refuse(b, "a hash has a field without a value");
}

static enum rdb_type hash_form(const struct obj *o)
{
	return o->enc == OBJ_ENC_LISTPACK ? RDB_TYPE_HASH_LISTPACK : RDB_TYPE_HASH;
}

static void write_pair(struct rdb_writer *w, const struct entry *e)
{
	char buf[KS_INT_STR_MAX];
	struct slice field = entry_key(e), value = entry_str(e, buf);

	rdb_write_string(w, field.ptr, field.len);
	rdb_write_string(w, value.ptr, value.len);
}

static bool hash_write(
	struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until)
{
	if (o->enc != OBJ_ENC_LISTPACK)
		return rdb_write_dict(w, o->ptr, at, until, write_pair);
	rdb_write_string(w, o->ptr, lp_bytes(o->ptr));
	return true;
}

const struct rdb_codec rdb_hash = {
	.item = hash_item,
	.end = hash_end,
	.form = hash_form,
	.write = hash_write,
};
