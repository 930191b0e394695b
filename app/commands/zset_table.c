/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of commands on sorted sets.
 */
#include "app/commands/zset_cmds.h"

#define ZSET    .group = "sorted-set", .categories = "sortedset"
#define ONE_KEY .first_key = 1, .last_key = 1, .key_step = 1, ZSET
#define POP_WAITS                                                                                  \
	CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST, .first_key = 1, .last_key = -2,        \
							    .key_step = 1, ZSET
#define TWO_KEYS .first_key = 1, .last_key = 2, .key_step = 1, ZSET
/* Keys behind their number, and those with a destination before it. */
#define NUMBERED .keys = numbered_keys, ZSET
#define STORING  .first_key = 1, .last_key = 1, .key_step = 1, .keys = storing_keys, ZSET

static int numbered_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return zset_keys_numbered(argv, argc, pos, max, 1, false);
}

static int storing_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return zset_keys_numbered(argv, argc, pos, max, 2, true);
}

static int bzmpop_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return command_keys_counted(argv, argc, 2, pos, max);
}

struct command zset_commands[] = {
	{"bzmpop", zset_cmd_bzmpop, -5, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
		.keys = bzmpop_keys, ZSET, .since = "7.0.0",
		.complexity = "O(K) + O(M*log(N)) with K keys, M members taken off a set of N",
		.summary = "ZMPOP, waiting for a member if there is none"},
	{"bzpopmax", zset_cmd_bzpop, -3, POP_WAITS, .since = "5.0.0",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Takes the highest member of the first set that has one, or waits"},
	{"bzpopmin", zset_cmd_bzpop, -3, POP_WAITS, .since = "5.0.0",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Takes the lowest member of the first set that has one, or waits"},
	{"zadd", zset_cmd_zadd, -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, ONE_KEY, .since = "1.2.0",
		.complexity = "O(log(N)) for each member, N in the set",
		.summary = "Adds members or changes their scores"},
	{"zcard", zset_cmd_zcard, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "1.2.0",
		.complexity = "O(1)", .summary = "Counts the members"},
	{"zcount", zset_cmd_zcount, 4, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.0.0",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Counts the members with scores in a range"},
	{"zdiff", zset_cmd_zdiff, -3, CMD_READONLY | CMD_MOVABLE_KEYS, NUMBERED, .since = "6.2.0",
		.complexity =
			"O(L + (N-K)log(N)) with L members in all sets, N in the first, K left",
		.summary = "Members of the first set that are in no other"},
	{"zdiffstore", zset_cmd_zdiffstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, STORING,
		.since = "6.2.0",
		.complexity =
			"O(L + (N-K)log(N)) with L members in all sets, N in the first, K left",
		.summary = "Stores the members of the first set that are in no other"},
	{"zincrby", zset_cmd_zincrby, 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, ONE_KEY,
		.since = "1.2.0", .complexity = "O(log(N)) with N members in the set",
		.summary = "Adds a number to a member's score"},
	{"zinter", zset_cmd_zinter, -3, CMD_READONLY | CMD_MOVABLE_KEYS, NUMBERED, .since = "6.2.0",
		.complexity =
			"O(N*K + M*log(M)) with N members in the smallest of K sets, M in the result",
		.summary = "Members that are in all sets"},
	{"zintercard", zset_cmd_zintercard, -3, CMD_READONLY | CMD_MOVABLE_KEYS, NUMBERED,
		.since = "7.0.0", .complexity = "O(N*K) with N members in the smallest of K sets",
		.summary = "Counts the members that are in all sets"},
	{"zinterstore", zset_cmd_zinterstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
		STORING, .since = "2.0.0",
		.complexity =
			"O(N*K + M*log(M)) with N members in the smallest of K sets, M in the result",
		.summary = "Stores the members that are in all sets"},
	{"zlexcount", zset_cmd_zlexcount, 4, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.8.9",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Counts the members within a range of names"},
	{"zmpop", zset_cmd_zmpop, -4, CMD_WRITE | CMD_MOVABLE_KEYS, NUMBERED, .since = "7.0.0",
		.complexity = "O(K + M*log(N)) with K keys, M members popped, N in the set",
		.summary = "Takes members off an end of the first set that is not empty"},
	{"zmscore", zset_cmd_zmscore, -3, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "6.2.0",
		.complexity = "O(N) for N members asked for",
		.summary = "Reads the scores of several members"},
	{"zpopmax", zset_cmd_zpopmax, -2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(M*log(N)) with M members popped, N in the set",
		.summary = "Takes the members with the highest scores off the set"},
	{"zpopmin", zset_cmd_zpopmin, -2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(M*log(N)) with M members popped, N in the set",
		.summary = "Takes the members with the lowest scores off the set"},
	{"zrandmember", zset_cmd_zrandmember, -2, CMD_READONLY, ONE_KEY, .since = "6.2.0",
		.complexity = "O(M*log(N)) with M members replied, N in the set",
		.summary = "Picks members at random"},
	{"zrange", zset_cmd_zrange, -4, CMD_READONLY, ONE_KEY, .since = "1.2.0",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range by rank, score or name"},
	{"zrangebylex", zset_cmd_zrangebylex, -4, CMD_READONLY, ONE_KEY, .since = "2.8.9",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range of names"},
	{"zrangebyscore", zset_cmd_zrangebyscore, -4, CMD_READONLY, ONE_KEY, .since = "1.0.5",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range of scores"},
	{"zrangestore", zset_cmd_zrangestore, -5, CMD_WRITE | CMD_DENYOOM, TWO_KEYS,
		.since = "6.2.0", .complexity = "O(log(N)+M) with N members in the set, M stored",
		.summary = "Stores a range by rank, score or name"},
	{"zrank", zset_cmd_zrank, 3, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.0.0",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Tells how many members are before one"},
	{"zrem", zset_cmd_zrem, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.2.0",
		.complexity = "O(M*log(N)) with M members removed, N in the set",
		.summary = "Removes members"},
	{"zremrangebylex", zset_cmd_zremrangebylex, 4, CMD_WRITE, ONE_KEY, .since = "2.8.9",
		.complexity = "O(log(N)+M) with N members in the set, M removed",
		.summary = "Removes a range of names"},
	{"zremrangebyrank", zset_cmd_zremrangebyrank, 4, CMD_WRITE, ONE_KEY, .since = "2.0.0",
		.complexity = "O(log(N)+M) with N members in the set, M removed",
		.summary = "Removes a range of ranks"},
	{"zremrangebyscore", zset_cmd_zremrangebyscore, 4, CMD_WRITE, ONE_KEY, .since = "1.2.0",
		.complexity = "O(log(N)+M) with N members in the set, M removed",
		.summary = "Removes a range of scores"},
	{"zrevrange", zset_cmd_zrevrange, -4, CMD_READONLY, ONE_KEY, .since = "1.2.0",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range by rank from the highest score on"},
	{"zrevrangebylex", zset_cmd_zrevrangebylex, -4, CMD_READONLY, ONE_KEY, .since = "2.8.9",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range of names from the last on"},
	{"zrevrangebyscore", zset_cmd_zrevrangebyscore, -4, CMD_READONLY, ONE_KEY, .since = "2.2.0",
		.complexity = "O(log(N)+M) with N members in the set, M replied",
		.summary = "Reads a range of scores from the highest on"},
	{"zrevrank", zset_cmd_zrevrank, 3, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.0.0",
		.complexity = "O(log(N)) with N members in the set",
		.summary = "Tells how many members are behind one"},
	{"zscan", zset_cmd_zscan, -3, CMD_READONLY, ONE_KEY, .since = "2.8.0",
		.complexity = "O(1) for each call, O(N) for all N members",
		.summary = "Goes through the members with their scores"},
	{"zscore", zset_cmd_zscore, 3, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "1.2.0",
		.complexity = "O(1)", .summary = "Reads a member's score"},
	{"zunion", zset_cmd_zunion, -3, CMD_READONLY | CMD_MOVABLE_KEYS, NUMBERED, .since = "6.2.0",
		.complexity = "O(N + M*log(M)) with N members in all sets, M in the result",
		.summary = "Members that are in any of the sets"},
	{"zunionstore", zset_cmd_zunionstore, -4, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
		STORING, .since = "2.0.0",
		.complexity = "O(N + M*log(M)) with N members in all sets, M in the result",
		.summary = "Stores the members that are in any of the sets"},
	{0},
};
