/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of HyperLogLog commands.
 */
#include "app/commands/hll_cmds.h"

#include "app/commands/command.h"

#define HLL      .group = "hyperloglog", .categories = "hyperloglog"
#define ALL_KEYS .first_key = 1, .last_key = -1, .key_step = 1, HLL

struct command hll_commands[] = {
	{"pfadd", hll_cmd_pfadd, -2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, .first_key = 1,
		.last_key = 1, .key_step = 1, HLL, .since = "2.8.9",
		.complexity = "O(1) for each element", .summary = "Adds elements to a HyperLogLog"},
	{"pfcount", hll_cmd_pfcount, -2, CMD_READONLY | CMD_MAY_REPLICATE, ALL_KEYS,
		.since = "2.8.9",
		.complexity = "O(1) for one key, whose count is kept; O(N) for N keys",
		.summary = "Estimates how many different elements have been added"},
	{"pfdebug", hll_cmd_pfdebug, 3, CMD_WRITE | CMD_DENYOOM | CMD_ADMIN, .first_key = 2,
		.last_key = 2, .key_step = 1, HLL, .since = "2.8.9", .complexity = "O(1)",
		.summary = "Shows or changes the inside of a HyperLogLog"},
	{"pfmerge", hll_cmd_pfmerge, -2, CMD_WRITE | CMD_DENYOOM, ALL_KEYS, .since = "2.8.9",
		.complexity = "O(N) for N keys",
		.summary = "Stores the union of several HyperLogLogs"},
	{"pfselftest", hll_cmd_pfselftest, 1, CMD_ADMIN, HLL, .since = "2.8.9",
		.complexity = "O(1)", .summary = "Checks the implementation of HyperLogLog"},
	{0},
};
