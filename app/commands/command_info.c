/* SPDX-License-Identifier: BSD-3-Clause
 *
 * COMMAND, COMMAND COUNT, INFO, LIST, HELP: the command table as clients ask for it.
 */
#include "app/commands/command_info.h"

#include "app/commands/command_facts.h"
#include "app/commands/server_cmds.h"

#include <string.h>

/* In Redis' order. */
static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{CMD_WRITE, "write"},
	{CMD_READONLY, "readonly"},
	{CMD_DENYOOM, "denyoom"},
	{CMD_ADMIN, "admin"},
	{CMD_PUBSUB, "pubsub"},
	{CMD_NOSCRIPT, "noscript"},
	{CMD_BLOCKING, "blocking"},
	{CMD_LOADING, "loading"},
	{CMD_STALE, "stale"},
	{CMD_SKIP_MONITOR, "skip_monitor"},
	{CMD_SKIP_SLOWLOG, "skip_slowlog"},
	{CMD_ASKING, "asking"},
	{CMD_FAST, "fast"},
	{CMD_NO_AUTH, "no_auth"},
	{CMD_MAY_REPLICATE, "may_replicate"},
	{CMD_NO_MANDATORY_KEYS, "no_mandatory_keys"},
	{CMD_NO_ASYNC_LOADING, "no_async_loading"},
	{CMD_NO_MULTI, "no_multi"},
	{CMD_MOVABLE_KEYS, "movablekeys"},
	{CMD_ALLOW_BUSY, "allow_busy"},
};
#define NR_FLAG_NAMES (sizeof(flag_names) / sizeof(flag_names[0]))

static void reply_flags(struct client *c, const struct command *cmd)
{
	size_t nr = 0;

	for (size_t i = 0; i < NR_FLAG_NAMES; i++)
		nr += (cmd->flags & flag_names[i].flag) != 0;
	reply_set(c, nr);
	for (size_t i = 0; i < NR_FLAG_NAMES; i++)
		if (cmd->flags & flag_names[i].flag)
			reply_status(c, flag_names[i].name);
}

static void reply_categories(struct client *c, const struct command *cmd)
{
	uint32_t set = command_categories(cmd);
	char text[32] = "@";

	reply_set(c, (size_t)__builtin_popcount(set));
	for (unsigned i = 0; command_category_name(i); i++) {
		if (!(set & (1u << i)))
			continue;
		strcpy(text + 1, command_category_name(i));
		reply_status(c, text);
	}
}

static void reply_tips(struct client *c, const char *tips)
{
	const char *p = tips;
	size_t nr = 0;

	for (; p && *p; p += strcspn(p, " "), p += *p == ' ')
		nr++;
	reply_set(c, nr);
	for (p = tips; p && *p; p += *p == ' ') {
		size_t len = strcspn(p, " ");

		reply_bulk(c, p, len);
		p += len;
	}
}

static void int_pair(struct client *c, const char *name, int value)
{
	reply_bulk_str(c, name);
	reply_int(c, value);
}

static void reply_begin_search(struct client *c, const struct key_spec *spec)
{
	static const char *const types[] = {"index", "keyword", "unknown"};

	reply_map(c, 2);
	reply_bulk_str(c, "type");
	reply_bulk_str(c, types[spec->begin]);
	reply_bulk_str(c, "spec");
	if (spec->begin == BEGIN_UNKNOWN) {
		reply_map(c, 0);
	} else if (spec->begin == BEGIN_INDEX) {
		reply_map(c, 1);
		int_pair(c, "index", spec->start);
	} else {
		reply_map(c, 2);
		reply_bulk_str(c, "keyword");
		reply_bulk(c, spec->keyword.ptr, spec->keyword.len);
		int_pair(c, "startfrom", spec->start);
	}
}

static void reply_find_keys(struct client *c, const struct key_spec *spec)
{
	static const char *const types[] = {"range", "keynum", "unknown"};
	static const char *const names[][3] = {
		{"lastkey", "keystep", "limit"}, {"keynumidx", "firstkey", "keystep"}};

	reply_map(c, 2);
	reply_bulk_str(c, "type");
	reply_bulk_str(c, types[spec->find]);
	reply_bulk_str(c, "spec");
	if (spec->find == FIND_UNKNOWN) {
		reply_map(c, 0);
		return;
	}
	reply_map(c, 3);
	for (int i = 0; i < 3; i++)
		int_pair(c, names[spec->find][i], spec->find_args[i]);
}

static void reply_key_specs(struct client *c, const struct command *cmd)
{
	struct key_spec specs[KEY_SPECS_MAX];
	unsigned nr = key_specs_get(cmd, specs);
	char name[COMMAND_NAME_MAX];

	command_full_name(cmd, name);
	reply_set(c, nr);
	for (unsigned i = 0; i < nr; i++) {
		const char *note = command_key_note(name, i);

		reply_map(c, note ? 4 : 3);
		if (note) {
			reply_bulk_str(c, "notes");
			reply_bulk_str(c, note);
		}
		reply_bulk_str(c, "flags");
		reply_set(c, (size_t)__builtin_popcount(specs[i].flags));
		for (unsigned k = 0; key_flag_name(k); k++)
			if (specs[i].flags & (1u << k))
				reply_status(c, key_flag_name(k));
		reply_bulk_str(c, "begin_search");
		reply_begin_search(c, &specs[i]);
		reply_bulk_str(c, "find_keys");
		reply_find_keys(c, &specs[i]);
	}
}

static void reply_info(struct client *c, const struct command *cmd)
{
	const struct command_facts *facts = command_facts_find(cmd);
	char name[COMMAND_NAME_MAX];
	size_t nr_subs = 0;

	while (cmd->subs && cmd->subs[nr_subs].name)
		nr_subs++;
	reply_array(c, 10);
	reply_bulk_str(c, command_full_name(cmd, name));
	reply_int(c, cmd->arity);
	reply_flags(c, cmd);
	reply_int(c, cmd->first_key);
	reply_int(c, cmd->last_key);
	reply_int(c, cmd->key_step);
	reply_categories(c, cmd);
	reply_tips(c, facts ? facts->tips : NULL);
	reply_key_specs(c, cmd);
	if (nr_subs == 0) {
		reply_set(c, 0);
		return;
	}
	reply_array(c, nr_subs);
	for (size_t i = 0; i < nr_subs; i++)
		reply_info(c, &cmd->subs[i]);
}

static unsigned count_commands(const struct client *c)
{
	unsigned nr = 0;

	while (command_at(c->srv, nr))
		nr++;
	return nr;
}

void command_command(struct client *c)
{
	unsigned nr = count_commands(c);

	reply_array(c, nr);
	for (unsigned i = 0; i < nr; i++)
		reply_info(c, command_at(c->srv, i));
}

static void info_subcommand(struct client *c)
{
	if (c->argc == 2) {
		command_command(c);
		return;
	}
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		const struct command *cmd = command_by_name(c->argv[i].ptr, c->argv[i].len);

		if (cmd)
			reply_info(c, cmd);
		else
			reply_null(c);
	}
}

static void count_subcommand(struct client *c)
{
	reply_int(c, count_commands(c));
}

/* --- COMMAND LIST ----------------------------------------------------------------------------- */

enum list_by { LIST_ALL, LIST_NONE, LIST_CATEGORY, LIST_PATTERN };

struct list_filter {
	enum list_by by;
	uint32_t category;
	struct slice pattern;
};

static uint32_t category_by_name(const struct slice *name)
{
	for (unsigned i = 0; command_category_name(i); i++)
		if (arg_is(name, command_category_name(i)))
			return 1u << i;
	return 0;
}

/* Replies with the name of the command if the filter lets it through. Returns the number of
 * replies. */
static size_t list_one(struct client *c, const struct command *cmd, const struct list_filter *f)
{
	char name[COMMAND_NAME_MAX];
	bool pass = f->by == LIST_ALL;

	command_full_name(cmd, name);
	if (f->by == LIST_CATEGORY)
		pass = (command_categories(cmd) & f->category) != 0;
	else if (f->by == LIST_PATTERN)
		pass = glob_match(f->pattern.ptr, f->pattern.len, name, strlen(name), true);
	if (pass)
		reply_bulk_str(c, name);
	return pass;
}

static void list_subcommand(struct client *c)
{
	struct list_filter f = {LIST_ALL};
	const struct command *cmd;
	size_t nr = 0;

	if (c->argc == 5 && arg_is(&c->argv[2], "filterby")) {
		f.pattern = c->argv[4];
		f.category = category_by_name(&c->argv[4]);
		if (arg_is(&c->argv[3], "module")) /* there are none */
			f.by = LIST_NONE;
		else if (arg_is(&c->argv[3], "aclcat"))
			f.by = LIST_CATEGORY;
		else if (arg_is(&c->argv[3], "pattern"))
			f.by = LIST_PATTERN;
	}
	if (c->argc != 2 && f.by == LIST_ALL) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	reply_defer_begin(c);
	for (unsigned i = 0; (cmd = command_at(c->srv, i)); i++) {
		nr += list_one(c, cmd, &f);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
			nr += list_one(c, sub, &f);
	}
	reply_defer_end_array(c, nr);
}

static void help_subcommand(struct client *c)
{
	static const char *const lines[] = {
		"(alone)",
		"    Describes every command.",
		"COUNT",
		"    Tells how many commands there are.",
		"LIST [FILTERBY MODULE <name> | ACLCAT <category> | PATTERN <pattern>]",
		"    Lists the names of commands and subcommands.",
		"INFO [<command> ...]",
		"    Describes the named commands, or all: arity, flags, keys, categories.",
		"DOCS [<command> ...]",
		"    Explains the named commands, or all: purpose, arguments, complexity.",
		"GETKEYS <command line>",
		"    Picks the keys out of a command line.",
		"GETKEYSANDFLAGS <command line>",
		"    Picks the keys out, and says what the command does to each.",
		NULL,
	};

	reply_help(c, lines);
}

#define FACTS(text_since) .group = "server", .categories = "connection", .since = text_since

struct command command_subcommands[] = {
	{"count", count_subcommand, 2, CMD_LOADING | CMD_STALE, FACTS("2.8.13"),
		.complexity = "O(1)", .summary = "Tells how many commands there are"},
	{"docs", command_docs_subcommand, -2, CMD_LOADING | CMD_STALE, FACTS("7.0.0"),
		.complexity = "O(N) where N is the number of commands asked for",
		.summary = "Explains commands: purpose, arguments, complexity"},
	{"getkeys", command_getkeys_subcommand, -4, CMD_LOADING | CMD_STALE, FACTS("2.8.13"),
		.complexity = "O(N) where N is the number of arguments",
		.summary = "Picks the keys out of a command line"},
	{"getkeysandflags", command_getkeysandflags_subcommand, -4, CMD_LOADING | CMD_STALE,
		FACTS("7.0.0"), .complexity = "O(N) where N is the number of arguments",
		.summary = "Picks the keys out of a command line, with what happens to them"},
	{"help", help_subcommand, 2, CMD_LOADING | CMD_STALE, FACTS("5.0.0"), .complexity = "O(1)",
		.summary = "Explains the subcommands"},
	{"info", info_subcommand, -2, CMD_LOADING | CMD_STALE, FACTS("2.8.13"),
		.complexity = "O(N) where N is the number of commands asked for",
		.summary = "Describes commands: arity, flags, keys, categories"},
	{"list", list_subcommand, -2, CMD_LOADING | CMD_STALE, FACTS("7.0.0"),
		.complexity = "O(N) where N is the number of commands",
		.summary = "Lists the names of commands"},
	{0},
};
