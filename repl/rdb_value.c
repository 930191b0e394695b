/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Items of RDB values. repl/rdb_value.h tells how a type's form is written.
 */
#include "repl/rdb_value.h"

#include "checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 16

/* What a score as text begins with: its length, or one of these. */
enum {
	SCORE_NAN = 253,
	SCORE_INF = 254,
	SCORE_MINUS_INF = 255,
};

static const char *const forms[RDB_TYPE_MAX + 1] = {
	[RDB_TYPE_STRING] = "b",
	[RDB_TYPE_LIST] = "n(e)",
	[RDB_TYPE_SET] = "n(m)",
	[RDB_TYPE_ZSET] = "n(mt)",
	[RDB_TYPE_HASH] = "n(fv)",
	[RDB_TYPE_ZSET_2] = "n(ms)",
	[RDB_TYPE_HASH_ZIPMAP] = "b",
	[RDB_TYPE_LIST_ZIPLIST] = "b",
	[RDB_TYPE_SET_INTSET] = "b",
	[RDB_TYPE_ZSET_ZIPLIST] = "b",
	[RDB_TYPE_HASH_ZIPLIST] = "b",
	[RDB_TYPE_LIST_QUICKLIST] = "n(b)",
	[RDB_TYPE_STREAM_LISTPACKS] = "n(ib)lLn(gGn(pTC)n(uSn(q)))",
	[RDB_TYPE_HASH_LISTPACK] = "b",
	[RDB_TYPE_ZSET_LISTPACK] = "b",
	[RDB_TYPE_LIST_QUICKLIST_2] = "n(cb)",
	[RDB_TYPE_STREAM_LISTPACKS_2] = "n(ib)lLFDAn(gGRn(pTC)n(uSn(q)))",
	[RDB_TYPE_SET_LISTPACK] = "b",
	[RDB_TYPE_STREAM_LISTPACKS_3] = "n(ib)lLFDAn(gGRn(pTC)n(uSVn(q)))",
};

bool rdb_value_known(unsigned type)
{
	return type <= RDB_TYPE_MAX && forms[type] != NULL;
}

void rdb_value_scan_init(struct rdb_value_scan *vs, enum rdb_type type)
{
	ASSERT(rdb_value_known(type));
	*vs = (struct rdb_value_scan){.at = forms[type]};
}

static enum rdb_step want(
	const struct rdb_input *in, size_t pos, size_t n, const uint8_t **p, size_t *need)
{
	*p = in->bytes + pos;
	*need = pos + n;
	return in->len - pos < n ? RDB_STEP_MORE : RDB_STEP_DONE;
}

static enum rdb_step bad(const struct rdb_input *in, size_t pos, const char *what)
{
	rdb_fault_set(in->fault, RDB_ERR_STRING, in->offset + pos, "%s", what);
	return RDB_STEP_BAD;
}

static uint64_t be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static enum rdb_step item_string(const struct rdb_input *in, size_t *pos,
	struct rdb_scratch *scratch, struct rdb_item *item, size_t *need)
{
	struct rdb_string str;
	enum rdb_step step = rdb_string_head(in, pos, &str, need);

	if (step == RDB_STEP_DONE)
		step = rdb_string_text(in, &str, scratch, &item->str.bytes, &item->str.len);
	return step;
}

/* An ID in 16 bytes, as a string. */
static enum rdb_step item_node_id(const struct rdb_input *in, size_t *pos,
	struct rdb_scratch *scratch, struct rdb_item *item, size_t *need)
{
	size_t at = *pos;
	enum rdb_step step = item_string(in, pos, scratch, item, need);

	if (step != RDB_STEP_DONE)
		return step;
	if (item->str.len != ID_BYTES)
		return bad(in, at, "the ID of a stream's node is not 16 bytes long");
	const uint8_t *p = item->str.bytes;
	uint64_t ms = be64(p), seq = be64(p + 8);
	item->id.ms = ms;
	item->id.seq = seq;
	return RDB_STEP_DONE;
}

static enum rdb_step item_raw_id(
	const struct rdb_input *in, size_t *pos, struct rdb_item *item, size_t *need)
{
	const uint8_t *p;
	enum rdb_step step = want(in, *pos, ID_BYTES, &p, need);

	if (step != RDB_STEP_DONE)
		return step;
	item->id.ms = be64(p);
	item->id.seq = be64(p + 8);
	*pos += ID_BYTES;
	return RDB_STEP_DONE;
}

/* An ID as two lengths. */
static enum rdb_step item_id(
	const struct rdb_input *in, size_t *pos, struct rdb_item *item, size_t *need)
{
	size_t at = *pos;
	enum rdb_step step = rdb_len_decode(in, &at, &item->id.ms, need);

	if (step == RDB_STEP_DONE)
		step = rdb_len_decode(in, &at, &item->id.seq, need);
	if (step == RDB_STEP_DONE)
		*pos = at;
	return step;
}

static enum rdb_step item_time(
	const struct rdb_input *in, size_t *pos, struct rdb_item *item, size_t *need)
{
	const uint8_t *p;
	enum rdb_step step = want(in, *pos, 8, &p, need);

	if (step != RDB_STEP_DONE)
		return step;
	item->number = rdb_le_decode(p, 8);
	*pos += 8;
	return RDB_STEP_DONE;
}

static enum rdb_step item_score(
	const struct rdb_input *in, size_t *pos, struct rdb_item *item, size_t *need)
{
	enum rdb_step step = item_time(in, pos, item, need);
	uint64_t bits = item->number;

	if (step == RDB_STEP_DONE)
		memcpy(&item->score, &bits, sizeof(bits));
	return step;
}

static enum rdb_step item_score_text(
	const struct rdb_input *in, size_t *pos, struct rdb_item *item, size_t *need)
{
	const uint8_t *p;
	char text[SCORE_NAN];
	enum rdb_step step = want(in, *pos, 1, &p, need);

	if (step != RDB_STEP_DONE)
		return step;
	size_t len = p[0];
	if (len >= SCORE_NAN) {
		item->score = len == SCORE_NAN ? NAN : len == SCORE_INF ? INFINITY : -INFINITY;
		*pos += 1;
		return RDB_STEP_DONE;
	}
	step = want(in, *pos, 1 + len, &p, need);
	if (step != RDB_STEP_DONE)
		return step;
	memcpy(text, p + 1, len);
	text[len] = '\0';
	char *end;
	item->score = strtod(text, &end);
	if (len == 0 || end != text + len)
		return bad(in, *pos, "a score that is no number");
	*pos += 1 + len;
	return RDB_STEP_DONE;
}

static enum rdb_step read_item(const struct rdb_input *in, size_t *pos, struct rdb_scratch *scratch,
	struct rdb_item *item, size_t *need)
{
	switch (item->kind) {
	case RDB_ITEM_ELEMENT:
	case RDB_ITEM_MEMBER:
	case RDB_ITEM_FIELD:
	case RDB_ITEM_VALUE:
	case RDB_ITEM_BLOB:
	case RDB_ITEM_GROUP:
	case RDB_ITEM_CONSUMER: return item_string(in, pos, scratch, item, need);
	case RDB_ITEM_NODE_ID: return item_node_id(in, pos, scratch, item, need);
	case RDB_ITEM_SCORE: return item_score(in, pos, item, need);
	case RDB_ITEM_SCORE_TEXT: return item_score_text(in, pos, item, need);
	case RDB_ITEM_LAST_ID:
	case RDB_ITEM_FIRST_ID:
	case RDB_ITEM_DELETED_ID:
	case RDB_ITEM_GROUP_ID: return item_id(in, pos, item, need);
	case RDB_ITEM_PENDING_ID:
	case RDB_ITEM_CONSUMER_PENDING_ID: return item_raw_id(in, pos, item, need);
	case RDB_ITEM_DELIVERY_TIME:
	case RDB_ITEM_SEEN_TIME:
	case RDB_ITEM_ACTIVE_TIME: return item_time(in, pos, item, need);
	case RDB_ITEM_COUNT:
	case RDB_ITEM_CONTAINER:
	case RDB_ITEM_LENGTH:
	case RDB_ITEM_ENTRIES_ADDED:
	case RDB_ITEM_ENTRIES_READ:
	case RDB_ITEM_DELIVERY_COUNT: return rdb_len_decode(in, pos, &item->number, need);
	}
	BUG_ON(true);
	return RDB_STEP_BAD;
}

/* at is behind a bracket. Returns what stands behind the one that closes it. */
static const char *behind_group(const char *at)
{
	for (unsigned open = 1; open > 0; at++) {
		if (*at == '(')
			open++;
		else if (*at == ')')
			open--;
	}
	return at;
}

/* Goes to the next item, over groups that do not come or come again. */
static void advance(struct rdb_value_scan *vs, const struct rdb_item *item)
{
	vs->at++;
	if (item->kind == RDB_ITEM_COUNT) {
		ASSERT(*vs->at == '(' && vs->depth < RDB_VALUE_DEPTH);
		vs->at++;
		if (item->number == 0) {
			vs->at = behind_group(vs->at);
		} else {
			vs->loops[vs->depth].body = vs->at;
			vs->loops[vs->depth++].left = item->number;
		}
	}
	while (*vs->at == ')') {
		ASSERT(vs->depth > 0);
		if (--vs->loops[vs->depth - 1].left > 0) {
			vs->at = vs->loops[vs->depth - 1].body;
		} else {
			vs->depth--;
			vs->at++;
		}
	}
}

enum rdb_step rdb_value_scan_item(struct rdb_value_scan *vs, const struct rdb_input *in,
	size_t *pos, struct rdb_scratch *scratch, struct rdb_item *item, size_t *need)
{
	ASSERT(!rdb_value_scan_over(vs));
	item->kind = (enum rdb_item_kind) * vs->at;
	size_t start = *pos;
	enum rdb_step step = read_item(in, pos, scratch, item, need);
	if (step != RDB_STEP_DONE)
		return step;
	ASSERT(*pos > start);
	advance(vs, item);
	if (item->kind == RDB_ITEM_SCORE_TEXT)
		item->kind = RDB_ITEM_SCORE;
	return RDB_STEP_DONE;
}
