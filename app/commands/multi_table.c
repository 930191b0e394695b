/* SPDX-License-Identifier: BSD-3-Clause
 *
 * multi_commands[]: facts as COMMAND INFO of redis-server 7.0.15 reports them.
 */
#include "app/commands/multi.h"

#define ANY_STATE (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define QUICK     (ANY_STATE | CMD_FAST | CMD_ALLOW_BUSY)
#define GROUP     .group = "transactions", .categories = "transaction"

struct command multi_commands[] = {
	{"discard", discard_command, 1, QUICK, GROUP, .since = "2.0.0",
		.complexity = "O(N) in the number of commands queued",
		.summary = "Drops the commands queued since MULTI."},
	{"exec", exec_command, 1, ANY_STATE | CMD_SKIP_SLOWLOG | CMD_LOCK_QUEUED, GROUP,
		.since = "1.2.0", .complexity = "As the commands queued.",
		.summary = "Runs the commands queued since MULTI, all at once."},
	{"multi", multi_command, 1, QUICK, GROUP, .since = "1.2.0", .complexity = "O(1)",
		.summary = "Begins to queue commands for EXEC."},
	{"unwatch", unwatch_command, 1, QUICK, GROUP, .since = "2.2.0", .complexity = "O(1)",
		.summary = "Forgets the keys watched."},
	{"watch", watch_command, -2, QUICK, 1, -1, 1, GROUP, .since = "2.2.0",
		.complexity = "O(1) for each key",
		.summary = "Makes EXEC depend on keys that nobody changes until then."},
	{NULL},
};
