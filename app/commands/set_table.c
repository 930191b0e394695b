/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of set commands.
 */
#include "app/commands/set_cmds.h"

#include "app/commands/command.h"

#define SET      .group = "set", .categories = "set"
#define ONE_KEY  .first_key = 1, .last_key = 1, .key_step = 1, SET
#define ALL_KEYS .first_key = 1, .last_key = -1, .key_step = 1, SET
#define WRITE    (CMD_WRITE | CMD_DENYOOM)
#define READ     (CMD_READONLY | CMD_FAST)

struct command set_commands[] = {
	{"sadd", set_cmd_sadd, -3, WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members to add",
		.summary = "Adds members to a set, which is made if need be"},
	{"scard", set_cmd_scard, 2, READ, ONE_KEY, .since = "1.0.0", .complexity = "O(1)",
		.summary = "Tells the number of members of a set"},
	{"sdiff", set_cmd_sdiff, -2, CMD_READONLY, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members of all sets together",
		.summary = "Takes the members of other sets out of the first"},
	{"sdiffstore", set_cmd_sdiffstore, -3, WRITE, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members of all sets together",
		.summary = "Stores a set without the members of other sets"},
	{"sinter", set_cmd_sinter, -2, CMD_READONLY, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N*M) where N is the number of members of the smallest set and M "
			      "the number of sets",
		.summary = "Finds what several sets have in common"},
	{"sintercard", set_cmd_sintercard, -3, CMD_READONLY | CMD_MOVABLE_KEYS,
		.keys = set_keys_sintercard, SET, .since = "7.0.0",
		.complexity = "O(N*M) where N is the number of members of the smallest set and M "
			      "the number of sets",
		.summary = "Tells how many members several sets have in common"},
	{"sinterstore", set_cmd_sinterstore, -3, WRITE, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N*M) where N is the number of members of the smallest set and M "
			      "the number of sets",
		.summary = "Stores what several sets have in common"},
	{"sismember", set_cmd_sismember, 3, READ, ONE_KEY, .since = "1.0.0", .complexity = "O(1)",
		.summary = "Tells whether a set has a member"},
	{"smembers", set_cmd_smembers, 2, CMD_READONLY, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members",
		.summary = "Reads all members of a set"},
	{"smismember", set_cmd_smismember, -3, READ, ONE_KEY, .since = "6.2.0",
		.complexity = "O(N) where N is the number of members asked for",
		.summary = "Tells which of several members a set has"},
	{"smove", set_cmd_smove, 4, CMD_WRITE | CMD_FAST, .first_key = 1, .last_key = 2,
		.key_step = 1, SET, .since = "1.0.0", .complexity = "O(1)",
		.summary = "Moves a member from a set to another"},
	{"spop", set_cmd_spop, -2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members in the reply",
		.summary = "Removes random members of a set and replies them"},
	{"srandmember", set_cmd_srandmember, -2, CMD_READONLY, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members in the reply",
		.summary = "Picks random members of a set"},
	{"srem", set_cmd_srem, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members to remove",
		.summary = "Removes members from a set"},
	{"sscan", set_cmd_sscan, -3, CMD_READONLY, ONE_KEY, .since = "2.8.0",
		.complexity = "O(1) a call, O(N) for all calls until the cursor is 0 again",
		.summary = "Goes through the members of a set step by step"},
	{"sunion", set_cmd_sunion, -2, CMD_READONLY, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members of all sets together",
		.summary = "Puts several sets together"},
	{"sunionstore", set_cmd_sunionstore, -3, WRITE, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of members of all sets together",
		.summary = "Stores several sets together"},
	{0},
};
