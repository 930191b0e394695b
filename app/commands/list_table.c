/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of list commands.
 */
#include "app/commands/list_cmds.h"

#define ONE_KEY  .first_key = 1, .last_key = 1, .key_step = 1, .group = "list", .categories = "list"
#define TWO_KEYS .first_key = 1, .last_key = 2, .key_step = 1, .group = "list", .categories = "list"
#define POP_WAITS                                                                                  \
	CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING, .first_key = 1, .last_key = -2, .key_step = 1,    \
						 .group = "list", .categories = "list"
#define ADDS (CMD_WRITE | CMD_DENYOOM)

static int lmpop_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return command_keys_counted(argv, argc, 1, pos, max);
}

static int blmpop_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return command_keys_counted(argv, argc, 2, pos, max);
}

struct command list_commands[] = {
	{"blmove", list_cmd_bmove, 6, ADDS | CMD_NOSCRIPT | CMD_BLOCKING, TWO_KEYS,
		.since = "6.2.0", .complexity = "O(1)",
		.summary = "LMOVE, waiting for an element if there is none"},
	{"blmpop", list_cmd_blmpop, -5, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
		.keys = blmpop_keys, .group = "list", .categories = "list", .since = "7.0.0",
		.complexity = "O(N+M) where N is the number of keys and M that of elements taken",
		.summary = "LMPOP, waiting for an element if there is none"},
	{"blpop", list_cmd_bpop, -3, POP_WAITS, .since = "2.0.0",
		.complexity = "O(N) where N is the number of keys",
		.summary = "Takes the leftmost element of the first list that has one, or waits"},
	{"brpop", list_cmd_bpop, -3, POP_WAITS, .since = "2.0.0",
		.complexity = "O(N) where N is the number of keys",
		.summary = "Takes the rightmost element of the first list that has one, or waits"},
	{"brpoplpush", list_cmd_bmove, 4, ADDS | CMD_NOSCRIPT | CMD_BLOCKING, TWO_KEYS,
		.since = "2.2.0", .complexity = "O(1)",
		.summary = "RPOPLPUSH, waiting for an element if there is none"},
	{"lindex", list_cmd_lindex, 3, CMD_READONLY, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements passed over",
		.summary = "Reads the element at an index"},
	{"linsert", list_cmd_linsert, 5, ADDS, ONE_KEY, .since = "2.2.0",
		.complexity = "O(N) where N is the number of elements passed over",
		.summary = "Adds an element before or after another"},
	{"llen", list_cmd_llen, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Counts the elements"},
	{"lmove", list_cmd_lmove, 5, ADDS, TWO_KEYS, .since = "6.2.0", .complexity = "O(1)",
		.summary = "Moves an element from an end of one list to an end of another"},
	{"lmpop", list_cmd_lmpop, -4, CMD_WRITE | CMD_MOVABLE_KEYS, .keys = lmpop_keys,
		.group = "list", .categories = "list", .since = "7.0.0",
		.complexity = "O(N+M) where N is the number of keys and M that of elements taken",
		.summary = "Takes elements from the first list that has some"},
	{"lpop", list_cmd_pop, -2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements taken",
		.summary = "Takes elements from the left end"},
	{"lpos", list_cmd_lpos, -3, CMD_READONLY, ONE_KEY, .since = "6.0.6",
		.complexity = "O(N) where N is the number of elements passed over",
		.summary = "Finds the index of an element"},
	{"lpush", list_cmd_push, -3, ADDS | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements added",
		.summary = "Adds elements at the left end"},
	{"lpushx", list_cmd_push, -3, ADDS | CMD_FAST, ONE_KEY, .since = "2.2.0",
		.complexity = "O(N) where N is the number of elements added",
		.summary = "Adds elements at the left end of a list that exists"},
	{"lrange", list_cmd_lrange, 4, CMD_READONLY, ONE_KEY, .since = "1.0.0",
		.complexity =
			"O(S+N) where S is the distance from the nearer end and N the number of elements read",
		.summary = "Reads a range of elements"},
	{"lrem", list_cmd_lrem, 4, CMD_WRITE, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements",
		.summary = "Removes elements that are equal to one"},
	{"lset", list_cmd_lset, 4, ADDS, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements passed over",
		.summary = "Replaces the element at an index"},
	{"ltrim", list_cmd_ltrim, 4, CMD_WRITE, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements removed",
		.summary = "Removes what is outside a range"},
	{"rpop", list_cmd_pop, -2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements taken",
		.summary = "Takes elements from the right end"},
	{"rpoplpush", list_cmd_rpoplpush, 3, ADDS, TWO_KEYS, .since = "1.2.0", .complexity = "O(1)",
		.summary =
			"Moves an element from the right end of a list to the left end of another"},
	{"rpush", list_cmd_push, -3, ADDS | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(N) where N is the number of elements added",
		.summary = "Adds elements at the right end"},
	{"rpushx", list_cmd_push, -3, ADDS | CMD_FAST, ONE_KEY, .since = "2.2.0",
		.complexity = "O(N) where N is the number of elements added",
		.summary = "Adds elements at the right end of a list that exists"},
	{.name = NULL},
};
