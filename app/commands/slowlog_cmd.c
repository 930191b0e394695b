/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SLOWLOG.
 */
#include "app/commands/server_cmds.h"

#include "app/slowlog.h"

#include <string.h>

#define DEFAULT_COUNT 10

static void reply_slow_entry(struct client *c, const struct slowlog_entry *e)
{
	reply_array(c, 6);
	reply_int(c, (int64_t)e->id);
	reply_int(c, e->time_s);
	reply_int(c, (int64_t)e->duration_us);
	reply_array(c, e->nr_args);
	for (uint32_t i = 0; i < e->nr_args; i++)
		reply_bulk(c, e->text + e->args[i].off, e->args[i].len);
	reply_bulk_str(c, e->peer);
	reply_bulk_str(c, e->name);
}

static void slowlog_get_command(struct client *c)
{
	struct slowlog_entry **entries;
	int64_t count = DEFAULT_COUNT;
	size_t nr;

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	if (c->argc == 3 && (!arg_int(&c->argv[2], &count) || count < -1)) {
		reply_err(c, "ERR count should be greater than or equal to -1");
		return;
	}
	nr = slowlog_get(c->srv->slowlog, count < 0 ? SIZE_MAX : (size_t)count, &entries);
	reply_array(c, nr);
	for (size_t i = 0; i < nr; i++)
		reply_slow_entry(c, entries[i]);
	slowlog_put(entries, nr);
}

static void slowlog_len_command(struct client *c)
{
	reply_int(c, (int64_t)slowlog_len(c->srv->slowlog));
}

static void slowlog_reset_command(struct client *c)
{
	slowlog_reset(c->srv->slowlog);
	reply_ok(c);
}

static void slowlog_help_command(struct client *c)
{
	static const char *const lines[] = {
		"GET [<count>]",
		"    The latest entries, newest first (default: 10, -1 for all). Each one has:",
		"    number, Unix time, microseconds taken, arguments, client address,",
		"    client name",
		"LEN",
		"    How many entries there are.",
		"RESET",
		"    Remove all entries.",
		NULL,
	};

	reply_help(c, lines);
}

#define ADMIN (CMD_ADMIN | CMD_LOADING | CMD_STALE)

struct command slowlog_subcommands[] = {
	{"get", slowlog_get_command, -2, ADMIN, .since = "2.2.12",
		.complexity = "O(N) in the number of entries returned",
		.summary = "Returns the latest slow commands."},
	{"help", slowlog_help_command, 2, CMD_LOADING | CMD_STALE, .since = "6.2.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"len", slowlog_len_command, 2, ADMIN, .since = "2.2.12", .complexity = "O(1)",
		.summary = "Counts the entries of the slow log."},
	{"reset", slowlog_reset_command, 2, ADMIN, .since = "2.2.12",
		.complexity = "O(N) in the number of entries", .summary = "Empties the slow log."},
	{NULL},
};
