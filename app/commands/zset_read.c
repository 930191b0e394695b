/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: reading but for ranges.
 */
#include "app/commands/zset_bounds.h"
#include "app/commands/zset_cmds.h"

static bool open_read(struct client *c, struct coll *set)
{
	return coll_read(c, &c->argv[1], OBJ_ZSET, set);
}

void zset_cmd_zcard(struct client *c)
{
	struct coll set;

	if (open_read(c, &set))
		reply_int(c, set.e ? (int64_t)zset_count(&set.obj) : 0);
}

void zset_cmd_zscore(struct client *c)
{
	struct zset_ref ref;
	struct coll set;

	if (!open_read(c, &set))
		return;
	if (set.e && zset_find(&set.obj, c->argv[2].ptr, c->argv[2].len, &ref))
		reply_double(c, ref.score);
	else
		reply_null(c);
}

void zset_cmd_zmscore(struct client *c)
{
	struct zset_ref ref;
	struct coll set;

	if (!open_read(c, &set))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		if (set.e && zset_find(&set.obj, c->argv[i].ptr, c->argv[i].len, &ref))
			reply_double(c, ref.score);
		else
			reply_null(c);
	}
}

static void rank(struct client *c, bool reverse)
{
	struct zset_ref ref;
	struct coll set;

	if (!open_read(c, &set))
		return;
	if (!set.e || !zset_find(&set.obj, c->argv[2].ptr, c->argv[2].len, &ref)) {
		reply_null(c);
		return;
	}
	uint64_t before = zset_rank(&set.obj, &ref);

	reply_int(c, (int64_t)(reverse ? zset_count(&set.obj) - 1 - before : before));
}

void zset_cmd_zrank(struct client *c)
{
	rank(c, false);
}

void zset_cmd_zrevrank(struct client *c)
{
	rank(c, true);
}

void zset_cmd_zcount(struct client *c)
{
	struct zset_ranks ranks = {0};
	struct zset_scores range;
	struct coll set;

	if (!zset_scores_arg(c, &c->argv[2], &c->argv[3], &range) || !open_read(c, &set))
		return;
	if (set.e)
		ranks = zset_range_scores(&set.obj, &range);
	reply_int(c, (int64_t)(ranks.to - ranks.from));
}

void zset_cmd_zlexcount(struct client *c)
{
	struct zset_ranks ranks = {0};
	struct zset_lex range;
	struct coll set;

	if (!zset_lex_arg(c, &c->argv[2], &c->argv[3], &range) || !open_read(c, &set))
		return;
	if (set.e)
		ranks = zset_range_lex(&set.obj, &range, false);
	reply_int(c, (int64_t)(ranks.to - ranks.from));
}
