/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACL, as far as a node with one user needs it: "default" may run everything; requirepass is its
 * password. Users cannot be made: ACL SETUSER is refused but for what changes nothing.
 */
#include "app/commands/server_cmds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/sha.h>

#define HASH_TEXT_LEN (2 * SHA256_DIGEST_LENGTH)

static void hex_text(char *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

/* SHA-256 of the password as text; "" when there is none. */
static void password_hash(struct server *srv, char out[HASH_TEXT_LEN + 1])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	const char *password;

	out[0] = '\0';
	rte_spinlock_lock(&srv->cfg->lock);
	password = srv->cfg->requirepass;
	if (password && password[0]) {
		SHA256((const unsigned char *)password, strlen(password), hash);
		hex_text(out, hash, sizeof(hash));
	}
	rte_spinlock_unlock(&srv->cfg->lock);
}

static bool is_default(const struct slice *user)
{
	static const char name[] = "default";

	return user->len == sizeof(name) - 1 && memcmp(user->ptr, name, user->len) == 0;
}

static int shown(const struct slice *a)
{
	return (int)(a->len < 128 ? a->len : 128);
}

static void acl_whoami_command(struct client *c)
{
	reply_bulk_str(c, client_user(c));
}

static void acl_users_command(struct client *c)
{
	reply_array(c, 1);
	reply_bulk_str(c, "default");
}

static void acl_list_command(struct client *c)
{
	char hash[HASH_TEXT_LEN + 1], line[HASH_TEXT_LEN + 64];

	password_hash(c->srv, hash);
	snprintf(line, sizeof(line), "user default on %s%s ~* &* +@all", hash[0] ? "#" : "nopass",
		hash);
	reply_array(c, 1);
	reply_bulk_str(c, line);
}

static void acl_getuser_command(struct client *c)
{
	char hash[HASH_TEXT_LEN + 1];

	if (!is_default(&c->argv[2])) {
		reply_null(c);
		return;
	}
	password_hash(c->srv, hash);
	reply_map(c, 6);
	reply_bulk_str(c, "flags");
	reply_set(c, hash[0] ? 1 : 2);
	reply_bulk_str(c, "on");
	if (!hash[0])
		reply_bulk_str(c, "nopass");
	reply_bulk_str(c, "passwords");
	reply_array(c, hash[0] != 0);
	if (hash[0])
		reply_bulk_str(c, hash);
	reply_bulk_str(c, "commands");
	reply_bulk_str(c, "+@all");
	reply_bulk_str(c, "keys");
	reply_bulk_str(c, "~*");
	reply_bulk_str(c, "channels");
	reply_bulk_str(c, "&*");
	reply_bulk_str(c, "selectors");
	reply_array(c, 0);
}

/* Replies with the name if the command is of the category. Returns how many names (0, 1). */
static size_t reply_if_in(struct client *c, const struct command *cmd, uint32_t category)
{
	char name[COMMAND_NAME_MAX];

	if (!(command_categories(cmd) & category))
		return 0;
	reply_bulk_str(c, command_full_name(cmd, name));
	return 1;
}

static void reply_category(struct client *c, uint32_t category)
{
	const struct command *cmd;
	size_t nr = 0;

	reply_defer_begin(c);
	for (unsigned i = 0; (cmd = command_at(c->srv, i)); i++) {
		nr += reply_if_in(c, cmd, category);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
			nr += reply_if_in(c, sub, category);
	}
	reply_defer_end_array(c, nr);
}

static void acl_cat_command(struct client *c)
{
	const char *name;
	unsigned i;

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	if (c->argc == 2) {
		for (i = 0; command_category_name(i); i++)
			;
		reply_array(c, i);
		for (i = 0; (name = command_category_name(i)); i++)
			reply_bulk_str(c, name);
		return;
	}
	for (i = 0; (name = command_category_name(i)); i++) {
		if (arg_is(&c->argv[2], name)) {
			reply_category(c, 1u << i);
			return;
		}
	}
	reply_errf(c, "ERR Unknown category '%.*s'", shown(&c->argv[2]), c->argv[2].ptr);
}

static void acl_genpass_command(struct client *c)
{
	unsigned char bytes[512];
	char text[2 * sizeof(bytes) + 1];
	int64_t bits = 256;
	size_t digits;

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	if (c->argc == 3) {
		if (!arg_int_reply(c, &c->argv[2], &bits))
			return;
		if (bits < 1 || bits > 4096) {
			reply_err(c, "ERR ACL GENPASS argument must be the number of bits for the "
				     "output password, a positive number up to 4096");
			return;
		}
	}
	digits = (size_t)(bits + 3) / 4;
	/* Up to 256 bytes come in one go, more may be cut short by a signal. */
	for (size_t got = 0; got < (digits + 1) / 2;) {
		ssize_t n = getrandom(bytes + got, (digits + 1) / 2 - got, 0);

		if (n > 0)
			got += (size_t)n;
	}
	hex_text(text, bytes, (digits + 1) / 2);
	reply_bulk(c, text, digits);
}

static void acl_log_command(struct client *c)
{
	int64_t count;

	if (c->argc > 3)
		reply_subcommand_syntax(c);
	else if (c->argc == 3 && arg_is(&c->argv[2], "reset"))
		reply_ok(c);
	else if (c->argc == 2 || arg_int_reply(c, &c->argv[2], &count))
		reply_array(c, 0);
}

static void acl_file_command(struct client *c)
{
	reply_err(c,
		"ERR This Redis instance is not configured to use an ACL file. You may want to "
		"specify users via the ACL SETUSER command and then issue a CONFIG REWRITE "
		"(assuming you have a Redis configuration file set) in order to store users in "
		"the Redis configuration.");
}

static void acl_deluser_command(struct client *c)
{
	for (uint32_t i = 2; i < c->argc; i++) {
		if (is_default(&c->argv[i])) {
			reply_err(c, "ERR The 'default' user cannot be removed");
			return;
		}
	}
	reply_int(c, 0);
}

static void acl_setuser_command(struct client *c)
{
	/* what default is already */
	static const char *const rules[] = {
		"on", "allkeys", "~*", "allchannels", "&*", "allcommands", "+@all"};

	if (!is_default(&c->argv[2])) {
		reply_err(c, "ERR this server has the user 'default' only");
		return;
	}
	for (uint32_t i = 3; i < c->argc; i++) {
		bool same = false;

		for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++)
			same |= arg_is(&c->argv[i], rules[r]);
		if (!same) {
			reply_err(c,
				"ERR the rules of 'default' cannot be changed in this server (its "
				"password is requirepass)");
			return;
		}
	}
	reply_ok(c);
}

static void acl_dryrun_command(struct client *c)
{
	const struct command *cmd = command_lookup(c->srv, c->argv + 3, c->argc - 3, NULL);
	uint32_t argc = c->argc - 3;
	char name[COMMAND_NAME_MAX];

	if (!is_default(&c->argv[2])) {
		reply_errf(c, "ERR User '%.*s' not found", shown(&c->argv[2]), c->argv[2].ptr);
	} else if (!cmd) {
		reply_errf(c, "ERR Command '%.*s' not found", shown(&c->argv[3]), c->argv[3].ptr);
	} else if ((cmd->arity > 0 && argc != (uint32_t)cmd->arity) ||
		   (cmd->arity < 0 && argc < (uint32_t)-cmd->arity)) {
		reply_errf(c, "ERR wrong number of arguments for '%s' command",
			command_full_name(cmd, name));
	} else {
		reply_ok(c);
	}
}

static void acl_help_command(struct client *c)
{
	static const char *const lines[] = {
		"CAT [<category>]",
		"    The categories of commands, or the commands of one.",
		"DELUSER <username> [<username> ...]",
		"    There is no user that could be removed.",
		"DRYRUN <username> <command> [<arg> ...]",
		"    Whether the user may run the command.",
		"GENPASS [<bits>]",
		"    A random password of so many bits (default: 256), in hexadecimal.",
		"GETUSER <username>",
		"    The rules of a user.",
		"LIST",
		"    All users, as configuration lines.",
		"LOAD",
		"    Refused: there is no ACL file.",
		"LOG [<count> | RESET]",
		"    An empty list: nothing is denied to 'default'.",
		"SAVE",
		"    Refused: there is no ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]",
		"    Refused: there is the user 'default' only.",
		"USERS",
		"    The names of all users.",
		"WHOAMI",
		"    The user of this connection.",
		NULL,
	};

	reply_help(c, lines);
}

#define SUB   (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define ADMIN (SUB | CMD_ADMIN)

struct command acl_subcommands[] = {
	{"cat", acl_cat_command, -2, SUB, .since = "6.0.0",
		.complexity = "O(1), since categories and commands are fixed",
		.summary = "Lists categories, or the commands of one."},
	{"deluser", acl_deluser_command, -3, ADMIN, .since = "6.0.0",
		.complexity = "O(1) amortized for a typical user", .summary = "Removes users."},
	{"dryrun", acl_dryrun_command, -4, ADMIN, .since = "7.0.0", .complexity = "O(1)",
		.summary = "Tells whether a user may run a command."},
	{"genpass", acl_genpass_command, -2, SUB, .since = "6.0.0", .complexity = "O(1)",
		.summary = "Makes a random password."},
	{"getuser", acl_getuser_command, 3, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of the user's rules",
		.summary = "Returns the rules of a user."},
	{"help", acl_help_command, 2, CMD_LOADING | CMD_STALE, .since = "6.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"list", acl_list_command, 2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of users",
		.summary = "Lists users with their rules."},
	{"load", acl_file_command, 2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of users", .summary = "Reads the ACL file."},
	{"log", acl_log_command, -2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of entries returned",
		.summary = "Lists what was denied lately."},
	{"save", acl_file_command, 2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of users", .summary = "Writes the ACL file."},
	{"setuser", acl_setuser_command, -3, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of rules given",
		.summary = "Makes or changes a user."},
	{"users", acl_users_command, 2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of users", .summary = "Lists the users' names."},
	{"whoami", acl_whoami_command, 2, SUB, .since = "6.0.0", .complexity = "O(1)",
		.summary = "Returns the connection's user."},
	{NULL},
};
