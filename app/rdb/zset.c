/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: member and score in turn, or all of them in a listpack (5 and 17, which are
 * written) or a ziplist. Before Redis 4 scores were text (3).
 */
#include "app/keyspace/types/zset.h"

#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

#include <math.h>

/* The score of the member that is held. */
static bool add(struct rdb_build *b, double score)
{
	struct zset_ref ref;

	b->holding = false;
	if (isnan(score))
		return rdb_build_refuse(b, "a sorted set has a score that is no number");
	if (!b->obj.ptr && !zset_create_skiplist(&b->obj))
		return rdb_build_no_memory(b);
	if (zset_find(&b->obj, b->held, b->held_len, &ref))
		return rdb_build_refuse(b, "a sorted set has a member twice");
	if (zset_add(&b->obj, b->held, b->held_len, score, &b->limits))
		return true;
	return rdb_build_no_memory(b);
}

/* Member and score take turns. */
static bool add_in_turn(struct rdb_build *b, struct slice text)
{
	double score;

	if (!b->holding)
		return rdb_build_hold(b, text);
	if (!rdb_text_double(text, &score))
		return rdb_build_refuse(b, "a sorted set has a score that is no number");
	return add(b, score);
}

/* Each second element is a number. */
static bool scores_valid(const unsigned char *lp)
{
	bool is_score = false;

	for (const unsigned char *p = lp_first(lp); p; p = lp_next(lp, p), is_score = !is_score) {
		char buf[KS_INT_STR_MAX];
		double score;

		if (is_score && (!rdb_text_double(lp_text(p, buf), &score) || isnan(score)))
			return false;
	}
	return true;
}

static bool item_blob(struct rdb_build *b, const struct rdb_item *item)
{
	unsigned char *lp;

	if (b->form != RDB_TYPE_ZSET_LISTPACK)
		return rdb_blob_old(b, item, add_in_turn);
	if (!rdb_blob_named(b, item, 2, &lp))
		return false;
	if (!scores_valid(lp)) {
		lp_free(lp);
		return rdb_build_refuse(b, "a sorted set has a score that is no number");
	}
	if (zset_from_listpack(&b->obj, lp, &b->limits))
		return true;
	b->obj.ptr = NULL;
	lp_free(lp);
	return rdb_build_no_memory(b);
}

static bool zset_item(struct rdb_build *b, const struct rdb_item *item)
{
	switch (item->kind) {
	case RDB_ITEM_MEMBER: return rdb_build_hold(b, rdb_item_text(item));
	case RDB_ITEM_SCORE: return add(b, item->score);
	case RDB_ITEM_BLOB: return item_blob(b, item);
	default: return true; /* a count */
	}
}

static bool zset_end(struct rdb_build *b)
{
	if (b->holding)
		return rdb_build_refuse(b, "a sorted set has a member without a score");
	if (b->obj.ptr && b->form != RDB_TYPE_ZSET_LISTPACK)
		zset_settle(&b->obj, &b->limits);
	return true;
}

static enum rdb_type zset_form(const struct obj *o)
{
	return o->enc == OBJ_ENC_LISTPACK ? RDB_TYPE_ZSET_LISTPACK : RDB_TYPE_ZSET_2;
}

/* The last comes first, as Redis writes them: whoever loads them finds each at the front. */
static bool zset_write(
	struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until)
{
	struct zset_pos *pos = &at->zset;
	bool more = true;

	if (o->enc == OBJ_ENC_LISTPACK) {
		rdb_write_string(w, o->ptr, lp_bytes(o->ptr));
		return true;
	}
	if (at->stage == 0) {
		rdb_write_len(w, zset_count(o));
		more = zset_last(o, pos);
		at->stage = 1;
	}
	pos->o = o; /* the handle may be another one */
	while (more) {
		if (w->nr_bytes >= until)
			return false;
		rdb_write_string(w, pos->member.ptr, pos->member.len);
		rdb_write_double(w, pos->score);
		more = zset_prev(pos);
	}
	return true;
}

const struct rdb_codec rdb_zset = {
	.item = zset_item,
	.end = zset_end,
	.form = zset_form,
	.write = zset_write,
};
