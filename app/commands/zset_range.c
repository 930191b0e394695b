/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: ranges by rank, score and name. Every range becomes one of ranks first.
 */
#include "app/commands/keys.h"
#include "app/commands/zset_bounds.h"
#include "app/commands/zset_cmds.h"

enum range_by {
	BY_ANY, /* not said yet: then by rank */
	BY_RANK,
	BY_SCORE,
	BY_LEX,
};

struct range {
	uint32_t at; /* argv[at] is the set, behind it the two ends and options */
	enum range_by by;
	bool may_reverse; /* REV is an option */
	bool reverse;
	bool store;
	bool scores; /* are replied */
	int64_t offset, limit;
	/* by: one of */
	int64_t start, stop;
	struct zset_scores by_score;
	struct zset_lex by_lex;
};

/* --- arguments -------------------------------------------------------------------------------- */

static bool parse_opt(struct client *c, struct range *r, uint32_t *i)
{
	const struct slice *a = &c->argv[*i];

	if (!r->store && arg_is(a, "withscores")) {
		r->scores = true;
	} else if (arg_is(a, "limit") && c->argc - *i > 2) {
		if (!arg_int_reply(c, &c->argv[*i + 1], &r->offset) ||
			!arg_int_reply(c, &c->argv[*i + 2], &r->limit))
			return false;
		*i += 2;
	} else if (r->may_reverse && arg_is(a, "rev")) {
		r->reverse = true;
		r->may_reverse = false;
	} else if (r->by == BY_ANY && arg_is(a, "bylex")) {
		r->by = BY_LEX;
	} else if (r->by == BY_ANY && arg_is(a, "byscore")) {
		r->by = BY_SCORE;
	} else {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	return true;
}

static bool parse_ends(struct client *c, struct range *r)
{
	const struct slice *first = &c->argv[r->at + 1], *second = first + 1;
	const struct slice *min = r->reverse ? second : first, *max = r->reverse ? first : second;

	if (r->by == BY_SCORE)
		return zset_scores_arg(c, min, max, &r->by_score);
	if (r->by == BY_LEX)
		return zset_lex_arg(c, min, max, &r->by_lex);
	return arg_int_reply(c, first, &r->start) && arg_int_reply(c, second, &r->stop);
}

static bool parse(struct client *c, struct range *r)
{
	r->limit = -1;
	for (uint32_t i = r->at + 3; i < c->argc; i++) {
		if (!parse_opt(c, r, &i))
			return false;
	}
	if (r->by == BY_ANY)
		r->by = BY_RANK;
	if (r->limit != -1 && r->by == BY_RANK) {
		reply_err(c, "ERR syntax error, LIMIT is only supported in combination with "
			     "either BYSCORE or BYLEX");
		return false;
	}
	if (r->scores && r->by == BY_LEX) {
		reply_err(c, "ERR syntax error, WITHSCORES not supported in combination with "
			     "BYLEX");
		return false;
	}
	return parse_ends(c, r);
}

/* --- which members ---------------------------------------------------------------------------- */

/* LIMIT: a negative offset leaves nothing, a negative limit all. In the direction of the walk. */
static struct zset_ranks limited(const struct range *r, struct zset_ranks ranks)
{
	uint64_t nr = ranks.to - ranks.from;

	if (r->offset < 0 || (uint64_t)r->offset >= nr)
		return (struct zset_ranks){0};
	nr -= (uint64_t)r->offset;
	if (r->limit >= 0 && (uint64_t)r->limit < nr)
		nr = (uint64_t)r->limit;
	if (r->reverse) {
		ranks.to -= (uint64_t)r->offset;
		ranks.from = ranks.to - nr;
	} else {
		ranks.from += (uint64_t)r->offset;
		ranks.to = ranks.from + nr;
	}
	return ranks;
}

static struct zset_ranks by_rank(const struct range *r, uint64_t nr)
{
	struct zset_ranks ranks = zset_ranks_clip(r->start, r->stop, nr);

	if (r->reverse && ranks.to > 0)
		ranks = (struct zset_ranks){nr - ranks.to, nr - ranks.from};
	return ranks;
}

/* The offset is a part of the look-up. */
static struct zset_ranks by_lex(const struct range *r, const struct obj *o)
{
	struct range rest = *r;

	if (r->offset < 0)
		return (struct zset_ranks){0};
	rest.by_lex.skip = (uint64_t)r->offset;
	rest.offset = 0;
	return limited(&rest, zset_range_lex(o, &rest.by_lex, r->reverse));
}

static struct zset_ranks choose(const struct range *r, const struct obj *o)
{
	if (r->by == BY_SCORE)
		return limited(r, zset_range_scores(o, &r->by_score));
	if (r->by == BY_LEX)
		return by_lex(r, o);
	return by_rank(r, zset_count(o));
}

/* --- what is done with them ------------------------------------------------------------------- */

static void reply_ranks(
	struct client *c, const struct range *r, const struct obj *o, struct zset_ranks ranks)
{
	uint64_t nr = ranks.to - ranks.from;
	struct zset_pos pos;

	zset_reply_header(c, nr, r->scores);
	if (nr == 0)
		return;
	zset_seek(o, r->reverse ? ranks.to - 1 : ranks.from, &pos);
	while (nr-- > 0) {
		zset_reply_member(c, pos.member, pos.score, r->scores);
		if (r->reverse)
			zset_prev(&pos);
		else
			zset_next(&pos);
	}
}

/* In the direction of the walk, as Redis: a listpack has no -0, so it matters which members are
 * there when it becomes a skip list. False: no memory. */
static bool copy_ranks(const struct range *r, const struct obj *o, struct zset_ranks ranks,
	const struct obj_limits *lim, struct obj *out)
{
	uint64_t nr = ranks.to - ranks.from;
	struct zset_pos pos;

	if (nr > lim->zset_max_listpack_entries ? !zset_create_skiplist(out)
						: !zset_create(out, lim, 0))
		return false;
	zset_seek(o, r->reverse ? ranks.to - 1 : ranks.from, &pos);
	while (nr-- > 0) {
		if (!zset_add(out, pos.member.ptr, pos.member.len, pos.score, lim)) {
			obj_ops(out)->free(out);
			return false;
		}
		if (r->reverse)
			zset_prev(&pos);
		else
			zset_next(&pos);
	}
	return true;
}

static void range_command(struct client *c, struct range r)
{
	struct obj_limits lim = coll_limits(c);
	struct zset_ranks ranks = {0};
	struct coll set;
	struct obj result = {0};

	if (!parse(c, &r) || !coll_read(c, &c->argv[r.at], OBJ_ZSET, &set))
		return;
	if (set.e)
		ranks = choose(&r, &set.obj);
	if (!r.store) {
		reply_ranks(c, &r, &set.obj, ranks);
		return;
	}
	if (ranks.to > ranks.from && !copy_ranks(&r, &set.obj, ranks, &lim, &result)) {
		key_no_memory(c, false);
		return;
	}
	zset_store(c, &c->argv[1], &result, "zrangestore");
}

void zset_cmd_zrange(struct client *c)
{
	range_command(c, (struct range){.at = 1, .may_reverse = true});
}

void zset_cmd_zrangestore(struct client *c)
{
	range_command(c, (struct range){.at = 2, .may_reverse = true, .store = true});
}

void zset_cmd_zrevrange(struct client *c)
{
	range_command(c, (struct range){.at = 1, .by = BY_RANK, .reverse = true});
}

void zset_cmd_zrangebyscore(struct client *c)
{
	range_command(c, (struct range){.at = 1, .by = BY_SCORE});
}

void zset_cmd_zrevrangebyscore(struct client *c)
{
	range_command(c, (struct range){.at = 1, .by = BY_SCORE, .reverse = true});
}

void zset_cmd_zrangebylex(struct client *c)
{
	range_command(c, (struct range){.at = 1, .by = BY_LEX});
}

void zset_cmd_zrevrangebylex(struct client *c)
{
	range_command(c, (struct range){.at = 1, .by = BY_LEX, .reverse = true});
}
