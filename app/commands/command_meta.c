/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What follows from one command's row of the table: its full name, the places of its keys, its ACL
 * categories.
 */
#include "app/commands/command.h"

#include "checks.h"

#include <stdio.h>
#include <string.h>

const char *command_full_name(const struct command *cmd, char buf[COMMAND_NAME_MAX])
{
	if (cmd->parent)
		snprintf(buf, COMMAND_NAME_MAX, "%s|%s", cmd->parent->name, cmd->name);
	else
		snprintf(buf, COMMAND_NAME_MAX, "%s", cmd->name);
	return buf;
}

int command_keys(const struct command *cmd, const struct slice *argv, uint32_t argc, uint32_t *pos,
	uint32_t max)
{
	int64_t last;
	uint32_t n = 0;

	if (cmd->keys)
		return cmd->keys(argv, argc, pos, max);
	if (cmd->first_key <= 0)
		return 0;
	last = cmd->last_key >= 0 ? cmd->last_key : (int64_t)argc + cmd->last_key;
	BUG_ON(cmd->key_step <= 0);
	for (int64_t i = cmd->first_key; i <= last; i += cmd->key_step) {
		if (i >= argc)
			return -1;
		if (n < max)
			pos[n] = (uint32_t)i;
		n++;
	}
	return (int)n;
}

static const char *const category_names[] = {
	"keyspace",
	"read",
	"write",
	"set",
	"sortedset",
	"list",
	"hash",
	"string",
	"bitmap",
	"hyperloglog",
	"geo",
	"stream",
	"pubsub",
	"admin",
	"fast",
	"slow",
	"blocking",
	"dangerous",
	"connection",
	"transaction",
	"scripting",
};
#define NR_CATEGORIES (sizeof(category_names) / sizeof(category_names[0]))

const char *command_category_name(unsigned i)
{
	return i < NR_CATEGORIES ? category_names[i] : NULL;
}

static uint32_t category_bit(const char *name, size_t len)
{
	for (unsigned i = 0; i < NR_CATEGORIES; i++)
		if (strlen(category_names[i]) == len && memcmp(category_names[i], name, len) == 0)
			return 1u << i;
	BUG_ON("a command names an ACL category that does not exist");
	return 0;
}

static uint32_t flag_category(const char *name)
{
	return category_bit(name, strlen(name));
}

uint32_t command_categories(const struct command *cmd)
{
	uint32_t set = 0;

	for (const char *p = cmd->categories; p && *p;) {
		size_t len = strcspn(p, " ");

		if (len)
			set |= category_bit(p, len);
		p += len + (p[len] == ' ');
	}
	if (cmd->flags & CMD_WRITE)
		set |= flag_category("write");
	if ((cmd->flags & CMD_READONLY) && !(set & flag_category("scripting")))
		set |= flag_category("read");
	if (cmd->flags & CMD_ADMIN)
		set |= flag_category("admin") | flag_category("dangerous");
	if (cmd->flags & CMD_PUBSUB)
		set |= flag_category("pubsub");
	if (cmd->flags & CMD_BLOCKING)
		set |= flag_category("blocking");
	set |= flag_category(cmd->flags & CMD_FAST ? "fast" : "slow");
	return set;
}
