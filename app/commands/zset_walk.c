/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: ZSCAN and ZRANDMEMBER.
 */
#include "app/commands/collection.h"
#include "app/commands/keys.h"
#include "app/commands/zset_cmds.h"
#include "app/keyspace/types/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- ZSCAN ------------------------------------------------------------------------------------ */

static void scan_member(void *ctx, struct slice member, double score)
{
	char text[ZSET_SCORE_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%.17Lg", (long double)score);
	struct lp_val name = {.str = member.ptr, .len = (uint32_t)member.len};
	struct lp_val beside = {.str = text, .len = (uint32_t)len};

	coll_scan_visit(ctx, &name, &beside);
}

/* Scores in a listpack are replied as they lie there: 1e17 with all its digits. */
static uint64_t scan_step(struct coll_scan *scan, const struct obj *o, uint64_t cursor)
{
	const unsigned char *lp = o->ptr, *p;

	if (o->enc != OBJ_ENC_LISTPACK)
		return zset_scan(o, cursor, scan_member, scan);
	for (p = lp_first(lp); p; p = lp_next(lp, p)) {
		struct lp_val name = lp_get(p), score;

		p = lp_next(lp, p);
		score = lp_get(p);
		coll_scan_visit(scan, &name, &score);
	}
	return 0;
}

void zset_cmd_zscan(struct client *c)
{
	coll_scan(c, OBJ_ZSET, scan_step);
}

/* --- ZRANDMEMBER ------------------------------------------------------------------------------ */

static void reply_rank(struct client *c, const struct obj *o, uint64_t rank, bool scores)
{
	struct zset_pos pos;

	if (zset_seek(o, rank, &pos))
		zset_reply_member(c, pos.member, pos.score, scores);
}

/* Any number of members, the same again and again. */
static void reply_repeated(struct client *c, const struct obj *o, uint64_t n, bool scores)
{
	uint64_t all = zset_count(o);

	zset_reply_header(c, n, scores);
	while (n-- > 0 && !(c->flags & (CLIENT_ASAP | CLIENT_CLOSED)))
		reply_rank(c, o, ks_rand_below(all), scores);
}

/* A few of many: by rank. */
static bool reply_few(struct client *c, const struct obj *o, uint64_t n, bool scores)
{
	uint64_t all = zset_count(o);
	struct sample_seen seen;

	if (!sample_seen_init(&seen, n))
		return false;
	zset_reply_header(c, n, scores);
	while (n > 0) {
		uint64_t rank = ks_rand_below(all);

		if (!sample_seen_add(&seen, rank + 1))
			continue;
		reply_rank(c, o, rank, scores);
		n--;
	}
	sample_seen_fini(&seen);
	return true;
}

/* Many or all, from the highest on, as Redis replies all of them. */
static void reply_many(struct client *c, const struct obj *o, uint64_t n, bool scores)
{
	struct sample_pass pass = {.left = zset_count(o), .want = n};
	struct zset_pos pos;

	zset_reply_header(c, n, scores);
	for (bool more = zset_last(o, &pos); more; more = zset_prev(&pos)) {
		if (sample_pass_takes(&pass))
			zset_reply_member(c, pos.member, pos.score, scores);
	}
}

static void reply_distinct(struct client *c, const struct obj *o, uint64_t n, bool scores)
{
	uint64_t all = zset_count(o);

	if (n > all)
		n = all;
	if (o->enc == OBJ_ENC_SKIPLIST && sample_is_few(n, all)) {
		if (!reply_few(c, o, n, scores))
			key_no_memory(c, false);
		return;
	}
	reply_many(c, o, n, scores);
}

static bool read_count(struct client *c, int64_t *count, bool *scores)
{
	if (!arg_int_reply(c, &c->argv[2], count))
		return false;
	if (*count == INT64_MIN) {
		reply_errf(c,
			"ERR value is out of range, value must between %" PRId64 " and %" PRId64,
			-INT64_MAX, INT64_MAX);
		return false;
	}
	*scores = c->argc == 4 && arg_is(&c->argv[3], "withscores");
	if (c->argc > 3 && !*scores) {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	if (*scores && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
		reply_err(c, "ERR value is out of range");
		return false;
	}
	return true;
}

void zset_cmd_zrandmember(struct client *c)
{
	bool scores = false, counted = c->argc > 2;
	int64_t count = 0;
	struct coll set;

	if (counted && !read_count(c, &count, &scores))
		return;
	if (!coll_read(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	if (!set.e && !counted)
		reply_null(c);
	else if (!set.e || (counted && count == 0))
		reply_array(c, 0);
	else if (!counted)
		reply_rank(c, &set.obj, ks_rand_below(zset_count(&set.obj)), false);
	else if (count < 0)
		reply_repeated(c, &set.obj, (uint64_t)-count, scores);
	else
		reply_distinct(c, &set.obj, (uint64_t)count, scores);
}
