/* SPDX-License-Identifier: BSD-3-Clause
 *
 * COMMAND GETKEYS and GETKEYSANDFLAGS: where the keys of a command line are, and what happens to
 * them.
 */
#include "app/commands/command_facts.h"
#include "app/commands/command_info.h"
#include "checks.h"

#include <stdlib.h>
#include <string.h>

/* SET reads the old value only with GET. */
static uint32_t set_flags(const struct slice *argv, uint32_t argc)
{
	for (uint32_t i = 3; i < argc; i++)
		if (arg_is(&argv[i], "get"))
			return KEY_RW | KEY_ACCESS | KEY_UPDATE;
	return KEY_OW | KEY_UPDATE;
}

/* BITFIELD with nothing but GET only reads. */
static uint32_t bitfield_flags(const struct slice *argv, uint32_t argc)
{
	for (uint32_t i = 2; i < argc; i++) {
		if (!arg_is(&argv[i], "get") || argc - i < 3)
			return KEY_RW | KEY_ACCESS | KEY_UPDATE;
		i += 2;
	}
	return KEY_RO | KEY_ACCESS;
}

static uint32_t key_flags_at(const struct command *cmd, const struct key_spec *specs, unsigned nr,
	const struct slice *argv, uint32_t argc, uint32_t pos)
{
	for (unsigned i = 0; i < nr; i++) {
		if (!key_spec_covers(&specs[i], argv, argc, pos))
			continue;
		if (specs[i].flags & KEY_VARIABLE)
			return strcmp(cmd->name, "bitfield") == 0 ? bitfield_flags(argv, argc)
								  : set_flags(argv, argc);
		return specs[i].flags & ~(uint32_t)KEY_INCOMPLETE;
	}
	/* A key that the specifications cannot place, as SORT's STORE: the command writes it. */
	return cmd->flags & CMD_WRITE ? KEY_OW | KEY_UPDATE : KEY_RO | KEY_ACCESS;
}

#define POSITIONS_INLINE 64

int command_keys_flagged(const struct command *cmd, const struct slice *argv, uint32_t argc,
	struct command_key *keys, uint32_t max)
{
	uint32_t inl[POSITIONS_INLINE], *pos = inl;
	struct key_spec specs[KEY_SPECS_MAX];
	unsigned nr_specs;
	int nr;

	if ((cmd->first_key <= 0 && !cmd->keys) || (cmd->flags & CMD_NOT_KEYS))
		return 0;
	if (argc > POSITIONS_INLINE)
		pos = malloc(argc * sizeof(*pos));
	BUG_ON(!pos);
	nr = command_keys(cmd, argv, argc, pos, argc);
	BUG_ON(nr > (int)argc);
	nr_specs = key_specs_get(cmd, specs);
	for (int i = 0; i < nr && (uint32_t)i < max; i++) {
		keys[i].pos = pos[i];
		keys[i].flags = key_flags_at(cmd, specs, nr_specs, argv, argc, pos[i]);
	}
	if (pos != inl)
		free(pos);
	return nr < 0 ? 0 : nr;
}

static void reply_key_flags(struct client *c, uint32_t flags)
{
	reply_set(c, (size_t)__builtin_popcount(flags));
	for (unsigned i = 0; key_flag_name(i); i++)
		if (flags & (1u << i))
			reply_status(c, key_flag_name(i));
}

/* The positions of the keys, owned, and their number; NULL after an error reply. */
static uint32_t *find_keys(struct client *c, const struct command *cmd, const struct slice *argv,
	uint32_t argc, int *nr)
{
	uint32_t *pos = calloc(argc, sizeof(*pos));

	if (!pos) {
		reply_err(c, "ERR out of memory");
		return NULL;
	}
	*nr = command_keys(cmd, argv, argc, pos, argc);
	if (*nr < 0 && (cmd->flags & CMD_NO_MANDATORY_KEYS))
		*nr = 0;
	if (*nr >= 0 && (uint32_t)*nr <= argc)
		return pos;
	free(pos);
	reply_err(c, "ERR Invalid arguments specified for command");
	return NULL;
}

static bool has_keys(const struct command *cmd)
{
	return cmd->first_key > 0 || cmd->keys != NULL;
}

static void getkeys(struct client *c, bool with_flags)
{
	const struct slice *argv = c->argv + 2;
	uint32_t argc = c->argc - 2, *pos;
	const struct command *cmd = command_lookup(c->srv, argv, argc, NULL);
	struct key_spec specs[KEY_SPECS_MAX];
	unsigned nr_specs;
	int nr;

	if (!cmd) {
		reply_err(c, "ERR Invalid command specified");
		return;
	}
	if (!has_keys(cmd)) {
		reply_err(c, "ERR The command has no key arguments");
		return;
	}
	if (cmd->arity > 0 ? argc != (uint32_t)cmd->arity : argc < (uint32_t)-cmd->arity) {
		reply_err(c, "ERR Invalid number of arguments specified for command");
		return;
	}
	pos = find_keys(c, cmd, argv, argc, &nr);
	if (!pos)
		return;
	nr_specs = key_specs_get(cmd, specs);
	reply_array(c, (size_t)nr);
	for (int i = 0; i < nr; i++) {
		if (with_flags)
			reply_array(c, 2);
		reply_bulk(c, argv[pos[i]].ptr, argv[pos[i]].len);
		if (with_flags)
			reply_key_flags(c, key_flags_at(cmd, specs, nr_specs, argv, argc, pos[i]));
	}
	free(pos);
}

void command_getkeys_subcommand(struct client *c)
{
	getkeys(c, false);
}

void command_getkeysandflags_subcommand(struct client *c)
{
	getkeys(c, true);
}
