/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: member by member, or as an intset (2 and 11, which are written), or a listpack (7.2 on).
 */
#include "app/keyspace/types/set.h"

#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

static bool add(struct rdb_build *b, struct slice member)
{
	if (!b->obj.ptr && !set_create(&b->obj, &member))
		return rdb_build_no_memory(b);
	switch (set_add(&b->obj, member.ptr, member.len, &b->limits)) {
	case SET_ADDED: return true;
	case SET_THERE: return rdb_build_refuse(b, "a set has a member twice");
	case SET_NO_MEMORY: break;
	}
	return rdb_build_no_memory(b);
}

static bool item_listpack(struct rdb_build *b, const struct rdb_item *item)
{
	char buf[KS_INT_STR_MAX];
	unsigned char *lp;
	bool good = rdb_blob_listpack(b, item, 1, &lp);

	if (!good)
		return false;
	for (const unsigned char *p = lp_first(lp); p && good; p = lp_next(lp, p))
		good = add(b, lp_text(p, buf));
	lp_free(lp);
	return good;
}

static bool item_blob(struct rdb_build *b, const struct rdb_item *item)
{
	struct intset *is;

	if (b->form == RDB_TYPE_SET_LISTPACK)
		return item_listpack(b, item);
	if (!intset_valid(item->str.bytes, item->str.len, true))
		return rdb_build_refuse(b, "an intset is damaged");
	is = intset_copy(item->str.bytes, item->str.len);
	if (is && set_from_intset(&b->obj, is, &b->limits))
		return true;
	intset_free(is);
	b->obj.ptr = NULL;
	return rdb_build_no_memory(b);
}

static bool set_item(struct rdb_build *b, const struct rdb_item *item)
{
	switch (item->kind) {
	case RDB_ITEM_MEMBER: return add(b, rdb_item_text(item));
	case RDB_ITEM_BLOB: return item_blob(b, item);
	default: return true; /* a count */
	}
}

static enum rdb_type set_form(const struct obj *o)
{
	return o->enc == OBJ_ENC_INTSET ? RDB_TYPE_SET_INTSET : RDB_TYPE_SET;
}

static void write_member(struct rdb_writer *w, const struct entry *e)
{
	struct slice member = entry_key(e);

	rdb_write_string(w, member.ptr, member.len);
}

static bool set_write(
	struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until)
{
	if (o->enc != OBJ_ENC_INTSET)
		return rdb_write_dict(w, o->ptr, at, until, write_member);
	rdb_write_string(w, o->ptr, intset_bytes(o->ptr));
	return true;
}

const struct rdb_codec rdb_set = {
	.item = set_item,
	.form = set_form,
	.write = set_write,
};
