/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACL and its subcommands: app/acl/ does the work.
 */
#include "app/commands/server_cmds.h"

#include "app/acl/client.h"
#include "app/acl/file.h"
#include "app/control.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define LEVEL_WARNING 3

static int shown(const struct slice *a)
{
	return (int)(a->len < 128 ? a->len : 128);
}

static void reply_text(struct client *c, struct textbuf *tb)
{
	if (tb->failed)
		reply_err(c, "ERR out of memory");
	else
		reply_bulk(c, textbuf_str(tb), tb->len);
	textbuf_fini(tb);
}

/* --- looking ---------------------------------------------------------------------------------- */

static void acl_whoami_command(struct client *c)
{
	if (c->user)
		reply_bulk(c, c->user->name, c->user->name_len);
	else
		reply_null(c);
}

static void reply_users(struct client *c, bool with_rules)
{
	unsigned nr;
	struct acl_user **users = acl_users(c->srv->acl, &nr);
	struct textbuf tb;

	if (!users) {
		reply_err(c, "ERR out of memory");
		return;
	}
	reply_array(c, nr);
	for (unsigned i = 0; i < nr; i++) {
		if (!with_rules) {
			reply_bulk(c, users[i]->name, users[i]->name_len);
			continue;
		}
		textbuf_init(&tb);
		textbuf_addf(&tb, "user %s ", users[i]->name);
		acl_user_print(&tb, &c->srv->acl->catalog, users[i]);
		reply_text(c, &tb);
	}
	acl_users_put(users, nr);
}

static void acl_users_command(struct client *c)
{
	reply_users(c, false);
}

static void acl_list_command(struct client *c)
{
	reply_users(c, true);
}

/* Three fields of a map. */
static void reply_selector(struct client *c, const struct acl_selector *s)
{
	struct textbuf tb;

	reply_bulk_str(c, "commands");
	textbuf_init(&tb);
	acl_commands_print(&tb, &c->srv->acl->catalog, s);
	reply_text(c, &tb);
	reply_bulk_str(c, "keys");
	textbuf_init(&tb);
	acl_keys_print(&tb, s);
	reply_text(c, &tb);
	reply_bulk_str(c, "channels");
	textbuf_init(&tb);
	acl_channels_print(&tb, s);
	reply_text(c, &tb);
}

static void reply_user(struct client *c, const struct acl_user *u)
{
	unsigned nr = 0;

	while (acl_user_flag(u, nr))
		nr++;
	reply_map(c, 6);
	reply_bulk_str(c, "flags");
	reply_set(c, nr);
	for (unsigned i = 0; i < nr; i++)
		reply_bulk_str(c, acl_user_flag(u, i));
	reply_bulk_str(c, "passwords");
	reply_array(c, u->nr_passwords);
	for (unsigned i = 0; i < u->nr_passwords; i++)
		reply_bulk_str(c, u->passwords[i].hash);
	reply_selector(c, &u->selectors[0]);
	reply_bulk_str(c, "selectors");
	reply_array(c, u->nr_selectors - 1);
	for (unsigned i = 1; i < u->nr_selectors; i++) {
		reply_map(c, 3);
		reply_selector(c, &u->selectors[i]);
	}
}

static void acl_getuser_command(struct client *c)
{
	struct acl_user *u = acl_find(c->srv->acl, c->argv[2].ptr, c->argv[2].len);

	if (u)
		reply_user(c, u);
	else
		reply_null(c);
	acl_user_put(u);
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
	for (size_t i = 0; i < (digits + 1) / 2; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	reply_bulk(c, text, digits);
}

static void reply_log_entry(struct client *c, const struct acl_log_entry *e)
{
	reply_map(c, 7);
	reply_bulk_str(c, "count");
	reply_int(c, (int64_t)e->count);
	reply_bulk_str(c, "reason");
	reply_bulk_str(c, acl_reason_name(e->reason));
	reply_bulk_str(c, "context");
	reply_bulk_str(c, acl_context_name(e->context));
	reply_bulk_str(c, "object");
	reply_bulk(c, e->object, e->object_len);
	reply_bulk_str(c, "username");
	reply_bulk_str(c, e->user);
	reply_bulk_str(c, "age-seconds");
	reply_double(c, (double)(c->now_ms - e->time_ms) / 1000);
	reply_bulk_str(c, "client-info");
	reply_bulk_str(c, e->client);
}

static void acl_log_command(struct client *c)
{
	struct acl_log *log = &c->srv->acl->log;
	const struct acl_log_entry *e;
	struct acl_log_list list;
	int64_t count = 10;

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	if (c->argc == 3 && arg_is(&c->argv[2], "reset")) {
		acl_log_reset(log);
		reply_ok(c);
		return;
	}
	if (c->argc == 3 && !arg_int_reply(c, &c->argv[2], &count))
		return;
	reply_array(c, acl_log_take(log, count < 0 ? 0 : (size_t)count, &list));
	TAILQ_FOREACH(e, &list, link)
		reply_log_entry(c, e);
	acl_log_list_free(&list);
}

/* The name of the ACL file, which cannot change; NULL: there is none, and that was replied. */
static const char *acl_file_name(struct client *c)
{
	const char *path = c->srv->cfg->aclfile;

	if (path && path[0])
		return path;
	reply_err(c,
		"ERR This Redis instance is not configured to use an ACL file. You may want to "
		"specify users via the ACL SETUSER command and then issue a CONFIG REWRITE "
		"(assuming you have a Redis configuration file set) in order to store users in "
		"the Redis configuration.");
	return NULL;
}

static void acl_load_command(struct client *c)
{
	const char *path = acl_file_name(c);
	struct textbuf err;

	if (!path)
		return;
	textbuf_init(&err);
	if (acl_file_load(c->srv->acl, path, &err) == 0)
		reply_ok(c);
	else
		reply_errf(c, "ERR %s", textbuf_str(&err));
	textbuf_fini(&err);
	acl_announce(c);
}

static void acl_save_command(struct client *c)
{
	const char *path = acl_file_name(c);
	struct textbuf err;

	if (!path)
		return;
	textbuf_init(&err);
	if (acl_file_save(c->srv->acl, path, &err) == 0) {
		reply_ok(c);
	} else {
		server_log(c->srv, LEVEL_WARNING, "acl: not saved file=%s reason=%s", path,
			textbuf_str(&err));
		reply_err(c, "ERR There was an error trying to save the ACLs. Please check the "
			     "server logs for more information");
	}
	textbuf_fini(&err);
}

static void acl_deluser_command(struct client *c)
{
	int64_t nr = 0;

	for (uint32_t i = 2; i < c->argc; i++) {
		if (c->argv[i].len == 7 && memcmp(c->argv[i].ptr, "default", 7) == 0) {
			reply_err(c, "ERR The 'default' user cannot be removed");
			return;
		}
	}
	for (uint32_t i = 2; i < c->argc; i++)
		nr += acl_delete(c->srv->acl, c->argv[i].ptr, c->argv[i].len);
	reply_int(c, nr);
	acl_announce(c);
}

static void acl_setuser_command(struct client *c)
{
	struct textbuf err;

	if (!acl_name_valid(&c->argv[2])) {
		reply_err(c, "ERR Usernames can't contain spaces or null characters");
		return;
	}
	textbuf_init(&err);
	if (acl_set(c->srv->acl, &c->argv[2], c->argc - 3, c->argv + 3, &err) == 0)
		reply_ok(c);
	else
		reply_errf(c, "ERR %s", textbuf_str(&err));
	textbuf_fini(&err);
	acl_announce(c);
}

/* --- trying ----------------------------------------------------------------------------------- */

static void reply_verdict(struct client *c, const struct acl_user *u, const struct command *cmd)
{
	const struct slice *argv = c->argv + 3;
	char name[COMMAND_NAME_MAX];
	struct textbuf tb;
	uint32_t at;
	enum acl_verdict v = acl_check(u, cmd, argv, c->argc - 3, &at);

	if (v == ACL_ALLOWED) {
		reply_ok(c);
		return;
	}
	textbuf_init(&tb);
	if (v == ACL_DENIED_COMMAND) {
		textbuf_addf(&tb, "This user has no permissions to run the '%s' command",
			command_full_name(cmd, name));
	} else {
		textbuf_addf(&tb, "This user has no permissions to access the '");
		textbuf_add(&tb, argv[at].ptr, argv[at].len);
		textbuf_addf(&tb, "' %s", v == ACL_DENIED_KEY ? "key" : "channel");
	}
	reply_text(c, &tb);
}

static void acl_dryrun_command(struct client *c)
{
	struct acl_user *u = acl_find(c->srv->acl, c->argv[2].ptr, c->argv[2].len);
	const struct command *cmd = command_lookup(c->srv, c->argv + 3, c->argc - 3, NULL);
	uint32_t argc = c->argc - 3;
	char name[COMMAND_NAME_MAX];

	if (!u)
		reply_errf(c, "ERR User '%.*s' not found", shown(&c->argv[2]), c->argv[2].ptr);
	else if (!cmd)
		reply_errf(c, "ERR Command '%.*s' not found", shown(&c->argv[3]), c->argv[3].ptr);
	else if (cmd->arity > 0 ? argc != (uint32_t)cmd->arity : argc < (uint32_t)-cmd->arity)
		reply_errf(c, "ERR wrong number of arguments for '%s' command",
			command_full_name(cmd, name));
	else
		reply_verdict(c, u, cmd);
	acl_user_put(u);
}

static void acl_help_command(struct client *c)
{
	static const char *const lines[] = {
		"CAT [<category>]",
		"    The categories of commands, or the commands of one.",
		"DELUSER <username> [<username> ...]",
		"    Removes users and disconnects who is logged in as one of them.",
		"DRYRUN <username> <command> [<arg> ...]",
		"    Whether the user may run the command.",
		"GENPASS [<bits>]",
		"    A random password of so many bits (default: 256), in hexadecimal.",
		"GETUSER <username>",
		"    The rules of a user.",
		"LIST",
		"    All users, as configuration lines.",
		"LOAD",
		"    Takes all users from the ACL file.",
		"LOG [<count> | RESET]",
		"    What was denied lately, newest first, or a new beginning.",
		"SAVE",
		"    Writes all users into the ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]",
		"    Makes a user, or changes one.",
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
	{"load", acl_load_command, 2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of users", .summary = "Reads the ACL file."},
	{"log", acl_log_command, -2, ADMIN, .since = "6.0.0",
		.complexity = "O(N) in the number of entries returned",
		.summary = "Lists what was denied lately."},
	{"save", acl_save_command, 2, ADMIN, .since = "6.0.0",
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
