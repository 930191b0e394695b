/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of stream commands.
 */
#include "app/commands/stream_cmds.h"

#define STREAM   .group = "stream", .categories = "stream"
#define ONE_KEY  .first_key = 1, .last_key = 1, .key_step = 1, STREAM
#define KEY_TWO  .first_key = 2, .last_key = 2, .key_step = 1, STREAM
#define BY_COUNT "O(N) where N is the number of entries replied"

/* The first half of what follows STREAMS. Options are passed over by their number of words. A line
 * that the command will refuse has the keys that Redis' key specification finds in it. */
static int xread_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	uint32_t i = 1, nr;

	for (; i < argc && !arg_is(&argv[i], "streams"); i++) {
		if (arg_is(&argv[i], "block") || arg_is(&argv[i], "count"))
			i++;
		else if (arg_is(&argv[i], "group"))
			i += 2;
	}
	nr = i < argc ? (argc - i - 1) / 2 : 0;
	if (nr == 0)
		return -1;
	for (uint32_t n = 0; n < nr && n < max; n++)
		pos[n] = i + 1 + n;
	return (int)nr;
}

static struct command xgroup_commands[] = {
	{"create", stream_cmd_group_create, -5, CMD_WRITE | CMD_DENYOOM, KEY_TWO, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Adds a group of consumers"},
	{"createconsumer", stream_cmd_group_createconsumer, 5, CMD_WRITE | CMD_DENYOOM, KEY_TWO,
		.since = "6.2.0", .complexity = "O(1)", .summary = "Adds a consumer to a group"},
	{"delconsumer", stream_cmd_group_delconsumer, 5, CMD_WRITE, KEY_TWO, .since = "5.0.0",
		.complexity = "O(N) where N is the number of entries pending with the consumer",
		.summary = "Removes a consumer from a group"},
	{"destroy", stream_cmd_group_destroy, 4, CMD_WRITE, KEY_TWO, .since = "5.0.0",
		.complexity = "O(N) where N is the number of entries pending in the group",
		.summary = "Removes a group"},
	{"help", stream_cmd_group_help, 2, CMD_LOADING | CMD_STALE, STREAM, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands"},
	{"setid", stream_cmd_group_setid, -5, CMD_WRITE, KEY_TWO, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Sets the ID behind which a group reads on"},
	{.name = NULL},
};

static struct command xinfo_commands[] = {
	{"consumers", stream_cmd_info_consumers, 4, CMD_READONLY, KEY_TWO, .since = "5.0.0",
		.complexity = "O(N) where N is the number of consumers",
		.summary = "Tells of the consumers of a group"},
	{"groups", stream_cmd_info_groups, 3, CMD_READONLY, KEY_TWO, .since = "5.0.0",
		.complexity = "O(N) where N is the number of groups",
		.summary = "Tells of the groups of a stream"},
	{"help", stream_cmd_info_help, 2, CMD_LOADING | CMD_STALE, STREAM, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands"},
	{"stream", stream_cmd_info_stream, -3, CMD_READONLY, KEY_TWO, .since = "5.0.0",
		.complexity = "O(N) where N is the number of blocks of entries",
		.summary = "Tells of a stream, and with FULL of all that belongs to it"},
	{.name = NULL},
};

struct command stream_commands[] = {
	{"xack", stream_cmd_xack, -4, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(log N) for each entry, where N is the number pending in the group",
		.summary = "Acknowledges entries: they are pending no more"},
	{"xadd", stream_cmd_xadd, -5, CMD_WRITE | CMD_DENYOOM | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(1), and O(N) where N is the number of entries trimmed",
		.summary = "Adds an entry at the end"},
	{"xautoclaim", stream_cmd_xautoclaim, -6, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "6.2.0",
		.complexity = "O(N) where N is the number of pending entries looked at",
		.summary = "Makes a consumer the owner of entries that were idle for long"},
	{"xclaim", stream_cmd_xclaim, -6, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(log N) for each entry, where N is the number pending in the group",
		.summary = "Makes a consumer the owner of pending entries"},
	{"xdel", stream_cmd_xdel, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(log N) for each entry, where N is the number of entries",
		.summary = "Deletes entries by ID"},
	{"xgroup", NULL, -2, CMD_CONTAINER, .group = "stream", .since = "5.0.0",
		.complexity = "Depends on subcommand.", .summary = "Manages groups of consumers",
		.subs = xgroup_commands},
	{"xinfo", NULL, -2, CMD_CONTAINER, .group = "stream", .since = "5.0.0",
		.complexity = "Depends on subcommand.",
		.summary = "Tells of streams, groups and consumers", .subs = xinfo_commands},
	{"xlen", stream_cmd_xlen, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Counts the entries"},
	{"xpending", stream_cmd_xpending, -3, CMD_READONLY, ONE_KEY, .since = "5.0.0",
		.complexity = "O(N) where N is the number of pending entries looked at",
		.summary = "Tells which entries are pending, and with whom"},
	{"xrange", stream_cmd_xrange, -4, CMD_READONLY, ONE_KEY, .since = "5.0.0",
		.complexity = BY_COUNT, .summary = "Reads entries of a range of IDs"},
	{"xread", stream_cmd_xread, -4, CMD_READONLY | CMD_BLOCKING | CMD_MOVABLE_KEYS,
		.keys = xread_keys, STREAM, .since = "5.0.0", .complexity = BY_COUNT,
		.summary = "Reads what stands behind an ID in streams"},
	{"xreadgroup", stream_cmd_xread, -7, CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
		.keys = xread_keys, STREAM, .since = "5.0.0", .complexity = BY_COUNT,
		.summary =
			"Reads what a group has not delivered, or what is pending with a consumer"},
	{"xrevrange", stream_cmd_xrange, -4, CMD_READONLY, ONE_KEY, .since = "5.0.0",
		.complexity = BY_COUNT,
		.summary = "Reads entries of a range of IDs, the last first"},
	{"xsetid", stream_cmd_xsetid, -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, ONE_KEY,
		.since = "5.0.0", .complexity = "O(1)",
		.summary = "Sets the last ID of a stream, and its counters"},
	{"xtrim", stream_cmd_xtrim, -4, CMD_WRITE, ONE_KEY, .since = "5.0.0",
		.complexity = "O(N) where N is the number of entries trimmed",
		.summary = "Removes entries from the beginning"},
	{.name = NULL},
};
