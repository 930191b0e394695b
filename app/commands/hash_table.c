/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of hash commands.
 */
#include "app/commands/hash_cmds.h"

#include "app/commands/command.h"

#define ONE_KEY .first_key = 1, .last_key = 1, .key_step = 1, .group = "hash", .categories = "hash"
#define WRITE   (CMD_WRITE | CMD_DENYOOM | CMD_FAST)
#define READ    (CMD_READONLY | CMD_FAST)

struct command hash_commands[] = {
	{"hdel", hash_cmd_hdel, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields to remove",
		.summary = "Removes fields from a hash"},
	{"hexists", hash_cmd_hexists, 3, READ, ONE_KEY, .since = "2.0.0", .complexity = "O(1)",
		.summary = "Tells whether a hash has a field"},
	{"hget", hash_cmd_hget, 3, READ, ONE_KEY, .since = "2.0.0", .complexity = "O(1)",
		.summary = "Reads the value of a field"},
	{"hgetall", hash_cmd_hgetall, 2, CMD_READONLY, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields",
		.summary = "Reads all fields of a hash with their values"},
	{"hincrby", hash_cmd_hincrby, 4, WRITE, ONE_KEY, .since = "2.0.0", .complexity = "O(1)",
		.summary = "Adds a number to an integer in a field"},
	{"hincrbyfloat", hash_cmd_hincrbyfloat, 4, WRITE, ONE_KEY, .since = "2.6.0",
		.complexity = "O(1)",
		.summary = "Adds a number to a floating-point number in a field"},
	{"hkeys", hash_cmd_hkeys, 2, CMD_READONLY, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields",
		.summary = "Reads all fields of a hash"},
	{"hlen", hash_cmd_hlen, 2, READ, ONE_KEY, .since = "2.0.0", .complexity = "O(1)",
		.summary = "Tells the number of fields in a hash"},
	{"hmget", hash_cmd_hmget, -3, READ, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields asked for",
		.summary = "Reads the values of several fields"},
	{"hmset", hash_cmd_hmset, -4, WRITE, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields to set",
		.summary = "Sets several fields"},
	{"hrandfield", hash_cmd_hrandfield, -2, CMD_READONLY, ONE_KEY, .since = "6.2.0",
		.complexity = "O(N) where N is the number of fields in the reply",
		.summary = "Picks random fields of a hash"},
	{"hscan", hash_cmd_hscan, -3, CMD_READONLY, ONE_KEY, .since = "2.8.0",
		.complexity = "O(1) a call, O(N) for all calls until the cursor is 0 again",
		.summary = "Goes through the fields and values of a hash step by step"},
	{"hset", hash_cmd_hset, -4, WRITE, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields to set",
		.summary = "Sets fields of a hash, which is made if need be"},
	{"hsetnx", hash_cmd_hsetnx, 4, WRITE, ONE_KEY, .since = "2.0.0", .complexity = "O(1)",
		.summary = "Sets a field if it is not there"},
	{"hstrlen", hash_cmd_hstrlen, 3, READ, ONE_KEY, .since = "3.2.0", .complexity = "O(1)",
		.summary = "Tells the length of the value of a field"},
	{"hvals", hash_cmd_hvals, 2, CMD_READONLY, ONE_KEY, .since = "2.0.0",
		.complexity = "O(N) where N is the number of fields",
		.summary = "Reads all values of a hash"},
	{0},
};
