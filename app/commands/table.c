/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command table: every family's commands, found by name.
 *
 * One open-addressed hash table holds commands and subcommands; a subcommand's slot is keyed by its
 * container too. It is filled once, before the cores start, and only read afterwards, so a look-up
 * takes no lock. It is kept at most half full: a probe for a name that is not there ends soon.
 */
#include "app/commands/command.h"

#include "checks.h"

#include <string.h>
#include <strings.h>

#define TABLE_SLOTS    1024u /* power of two, at least twice MILLRACE_MAX_COMMANDS */
#define MAX_TOP        384u
#define NAME_MAX_BYTES 32u /* no command has a longer name */

_Static_assert(TABLE_SLOTS >= 2 * MILLRACE_MAX_COMMANDS, "the table must stay half empty");

struct slot {
	const struct command *cmd; /* NULL: free */
	uint32_t hash;
	uint32_t len;
};

static struct {
	struct slot slots[TABLE_SLOTS];
	const struct command
		*top[MAX_TOP]; /* commands that are not subcommands, in the order of the tables */
	unsigned nr_top;
	unsigned nr_ids;
} table;

static struct command *const families[] = {
	string_commands,
	zset_commands,
	hll_commands,
	geo_commands,
	bitmap_commands,
	key_commands,
	hash_commands,
	list_commands,
	stream_commands,
	set_commands,
	connection_commands,
	server_commands,
	script_commands,
	repl_commands,
	pubsub_commands,
	multi_commands,
};

static uint32_t name_hash(const struct command *parent, const char *name, size_t len)
{
	uint32_t h = 2166136261u ^ (parent ? parent->id + 1u : 0u);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)(name[i] | 0x20)) *
		    16777619u; /* case folds; the compare decides */
	return h ^ (h >> 15);
}

static const struct command *table_find(const struct command *parent, const char *name, size_t len)
{
	uint32_t hash;

	if (len == 0 || len > NAME_MAX_BYTES)
		return NULL;
	hash = name_hash(parent, name, len);
	for (uint32_t i = hash;; i++) {
		const struct slot *s = &table.slots[i % TABLE_SLOTS];

		if (!s->cmd)
			return NULL;
		if (s->hash == hash && s->len == len && s->cmd->parent == parent &&
			strncasecmp(s->cmd->name, name, len) == 0)
			return s->cmd;
	}
}

static void table_insert(struct command *cmd, const struct command *parent)
{
	size_t len = strlen(cmd->name);
	uint32_t hash, i;

	BUG_ON(len == 0 || len > NAME_MAX_BYTES);
	BUG_ON(table.nr_ids >= MILLRACE_MAX_COMMANDS);
	BUG_ON(table_find(parent, cmd->name, len));
	cmd->parent = parent;
	cmd->id = (uint16_t)table.nr_ids++;
	hash = name_hash(parent, cmd->name, len);
	for (i = hash; table.slots[i % TABLE_SLOTS].cmd; i++)
		;
	table.slots[i % TABLE_SLOTS] = (struct slot){cmd, hash, (uint32_t)len};
}

void command_table_setup(void)
{
	memset(&table, 0, sizeof(table));
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (struct command *cmd = families[f]; cmd->name; cmd++) {
			BUG_ON(table.nr_top >= MAX_TOP);
			table.top[table.nr_top++] = cmd;
			table_insert(cmd, NULL);
			if (!cmd->subs)
				continue;
			cmd->flags |= CMD_CONTAINER;
			for (struct command *sub = cmd->subs; sub->name; sub++) {
				if (!sub->group)
					sub->group = cmd->group;
				table_insert(sub, cmd);
			}
		}
	}
}

const struct command *command_at(const struct server *srv, unsigned i)
{
	return i < table.nr_top ? table.top[i] : NULL;
}

const struct command *command_lookup(const struct server *srv, const struct slice *argv,
	uint32_t argc, const struct command **container)
{
	const struct command *cmd, *sub;

	if (container)
		*container = NULL;
	if (argc == 0)
		return NULL;
	cmd = table_find(NULL, argv[0].ptr, argv[0].len);
	if (!cmd || !cmd->subs || argc == 1)
		return cmd;
	sub = table_find(cmd, argv[1].ptr, argv[1].len);
	if (!sub && container)
		*container = cmd;
	return sub;
}

const struct command *command_by_name(const char *name, size_t len)
{
	const char *bar = memchr(name, '|', len);
	const struct command *cmd;

	if (!bar)
		return table_find(NULL, name, len);
	cmd = table_find(NULL, name, (size_t)(bar - name));
	if (!cmd || !cmd->subs)
		return NULL;
	return table_find(cmd, bar + 1, len - (size_t)(bar + 1 - name));
}
