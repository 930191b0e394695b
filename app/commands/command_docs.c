/* SPDX-License-Identifier: BSD-3-Clause
 *
 * COMMAND DOCS: what a command is for and how it is written, as maps that redis-cli makes its hints
 * of.
 */
#include "app/commands/command_facts.h"
#include "app/commands/command_info.h"

#include <string.h>

static void bulk_slice(struct client *c, struct slice s)
{
	reply_bulk(c, s.ptr, s.len);
}

static void bulk_pair(struct client *c, const char *name, const char *value)
{
	reply_bulk_str(c, name);
	reply_bulk_str(c, value);
}

static void reply_arg_flags(struct client *c, unsigned flags)
{
	static const char *const names[] = {"optional", "multiple", "multiple_token"};

	reply_bulk_str(c, "flags");
	reply_set(c, (size_t)__builtin_popcount(flags));
	for (unsigned i = 0; i < 3; i++)
		if (flags & (1u << i))
			reply_status(c, names[i]);
}

static void reply_args(struct client *c, struct slice list);

static void reply_arg(struct client *c, const struct arg_doc *arg)
{
	bool nested = arg->children.ptr != NULL;
	size_t nr = 2u + arg->has_token + (arg->key_spec >= 0) + (arg->since.ptr != NULL) +
		    (arg->deprecated_since.ptr != NULL) + (arg->flags != 0) + nested;

	reply_map(c, nr);
	reply_bulk_str(c, "name");
	bulk_slice(c, arg->name);
	bulk_pair(c, "type", arg_doc_type_name(arg->type));
	if (arg->key_spec >= 0) {
		reply_bulk_str(c, "key_spec_index");
		reply_int(c, arg->key_spec);
	}
	if (arg->has_token) {
		reply_bulk_str(c, "token");
		bulk_slice(c, arg->token);
	}
	if (arg->since.ptr) {
		reply_bulk_str(c, "since");
		bulk_slice(c, arg->since);
	}
	if (arg->deprecated_since.ptr) {
		reply_bulk_str(c, "deprecated_since");
		bulk_slice(c, arg->deprecated_since);
	}
	if (arg->flags)
		reply_arg_flags(c, arg->flags);
	if (nested) {
		reply_bulk_str(c, "arguments");
		reply_args(c, arg->children);
	}
}

/* As deep as the notation nests, which is the program's own. */
static void reply_args(struct client *c, struct slice list)
{
	struct arg_doc arg;

	reply_array(c, arg_doc_count(list));
	while (arg_doc_next(&list, &arg))
		reply_arg(c, &arg);
}

static void reply_doc_flags(struct client *c, const struct command_facts *facts)
{
	reply_bulk_str(c, "doc_flags");
	reply_set(c, (facts->deprecated_since != NULL) + (size_t)facts->syscmd);
	if (facts->deprecated_since)
		reply_status(c, "deprecated");
	if (facts->syscmd)
		reply_status(c, "syscmd");
}

static void reply_history(struct client *c, const char *text)
{
	struct slice version, what;
	const char *at = text;
	size_t nr = 0;

	while (command_history_next(&at, &version, &what))
		nr++;
	reply_bulk_str(c, "history");
	reply_set(c, nr);
	while (command_history_next(&text, &version, &what)) {
		reply_array(c, 2);
		bulk_slice(c, version);
		bulk_slice(c, what);
	}
}

static unsigned count_subs(const struct command *cmd)
{
	unsigned nr = 0;

	while (cmd->subs && cmd->subs[nr].name)
		nr++;
	return nr;
}

/* A name, and the map of what is known about the command. */
static void reply_docs(struct client *c, const struct command *cmd)
{
	static const struct command_facts none;
	const struct command_facts *facts = command_facts_find(cmd);
	unsigned nr_subs = count_subs(cmd);
	char name[COMMAND_NAME_MAX];
	const char *history = command_history_find(command_full_name(cmd, name));

	if (!facts)
		facts = &none;
	reply_bulk_str(c, name);
	reply_map(c, 3u + (cmd->complexity != NULL) + (facts->syscmd || facts->deprecated_since) +
			     2u * (facts->deprecated_since != NULL) + (history != NULL) +
			     (facts->args != NULL) + (nr_subs != 0));
	bulk_pair(c, "summary", cmd->summary ? cmd->summary : "");
	bulk_pair(c, "since", cmd->since ? cmd->since : "");
	bulk_pair(c, "group", cmd->group ? cmd->group : "generic");
	if (cmd->complexity)
		bulk_pair(c, "complexity", cmd->complexity);
	if (facts->syscmd || facts->deprecated_since)
		reply_doc_flags(c, facts);
	if (facts->deprecated_since) {
		bulk_pair(c, "deprecated_since", facts->deprecated_since);
		bulk_pair(c, "replaced_by", facts->replaced_by);
	}
	if (history)
		reply_history(c, history);
	if (facts->args) {
		reply_bulk_str(c, "arguments");
		reply_args(c, (struct slice){facts->args, strlen(facts->args)});
	}
	if (nr_subs) {
		reply_bulk_str(c, "subcommands");
		reply_map(c, nr_subs);
		for (unsigned i = 0; i < nr_subs; i++)
			reply_docs(c, &cmd->subs[i]);
	}
}

void command_docs_subcommand(struct client *c)
{
	const struct command *cmd;
	size_t nr = 0;

	reply_defer_begin(c);
	if (c->argc == 2) {
		for (; (cmd = command_at(c->srv, (unsigned)nr)); nr++)
			reply_docs(c, cmd);
	}
	for (uint32_t i = 2; i < c->argc; i++) {
		cmd = command_by_name(c->argv[i].ptr, c->argv[i].len);
		if (!cmd)
			continue;
		reply_docs(c, cmd);
		nr++;
	}
	reply_defer_end_map(c, nr);
}
