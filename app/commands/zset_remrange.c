/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: removing ranges.
 */
#include "app/commands/zset_bounds.h"
#include "app/commands/zset_cmds.h"

/* Removes the ranks of a set that is there. */
static void remove_ranks(
	struct client *c, struct coll *set, struct zset_ranks ranks, const char *event)
{
	uint64_t nr = ranks.to - ranks.from;

	if (nr == 0) {
		reply_int(c, 0);
		return;
	}
	coll_edit(c, set);
	zset_remove_ranks(&set->obj, ranks.from, nr);
	cmd_dirty(c, nr);
	cmd_notify(c, NOTIFY_ZSET, event, set->key);
	coll_close(c, set, false);
	reply_int(c, (int64_t)nr);
}

/* Opens the set. False: a reply has been made, 0 if there is no such key. */
static bool open_set(struct client *c, struct coll *set)
{
	if (!coll_open(c, &c->argv[1], OBJ_ZSET, set))
		return false;
	if (!set->e)
		reply_int(c, 0);
	return set->e != NULL;
}

void zset_cmd_zremrangebyrank(struct client *c)
{
	int64_t start, stop;
	struct coll set;

	if (!arg_int_reply(c, &c->argv[2], &start) || !arg_int_reply(c, &c->argv[3], &stop))
		return;
	if (open_set(c, &set))
		remove_ranks(c, &set, zset_ranks_clip(start, stop, zset_count(&set.obj)),
			"zremrangebyrank");
}

void zset_cmd_zremrangebyscore(struct client *c)
{
	struct zset_scores range;
	struct coll set;

	if (zset_scores_arg(c, &c->argv[2], &c->argv[3], &range) && open_set(c, &set))
		remove_ranks(c, &set, zset_range_scores(&set.obj, &range), "zremrangebyscore");
}

void zset_cmd_zremrangebylex(struct client *c)
{
	struct zset_lex range;
	struct coll set;

	if (zset_lex_arg(c, &c->argv[2], &c->argv[3], &range) && open_set(c, &set))
		remove_ranks(c, &set, zset_range_lex(&set.obj, &range, false), "zremrangebylex");
}
