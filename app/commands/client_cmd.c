/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CLIENT and its subcommands, but for KILL.
 */
#include "app/commands/connection.h"

#include <stdlib.h>

void client_id_command(struct client *c)
{
	reply_int(c, (int64_t)c->id);
}

void client_getname_command(struct client *c)
{
	if (client_name(c))
		reply_bulk_str(c, client_name(c));
	else
		reply_null(c);
}

void client_setname_command(struct client *c)
{
	if (client_name_set(c, &c->argv[2]))
		reply_ok(c);
}

static void reply_text(struct client *c, struct textbuf *tb)
{
	if (tb->failed)
		reply_err(c, "ERR out of memory");
	else
		reply_verbatim(c, textbuf_str(tb), tb->len, "txt");
	textbuf_fini(tb);
}

void client_info_command(struct client *c)
{
	struct textbuf tb;

	textbuf_init(&tb);
	client_self_print(&tb, c);
	textbuf_add(&tb, "\n", 1);
	reply_text(c, &tb);
}

static void client_list(struct client *c, const struct client_filter *filter)
{
	struct client_view *views;
	struct textbuf tb;
	size_t nr = client_views_take(c->srv, filter, &views);

	textbuf_init(&tb);
	for (size_t i = 0; i < nr; i++) {
		if (views[i].id == c->id)
			client_self_print(&tb, c);
		else
			client_view_print(&tb, &views[i], c->now_ms);
		textbuf_add(&tb, "\n", 1);
	}
	client_views_free(views, nr);
	reply_text(c, &tb);
}

static const struct {
	const char *name;
	enum client_type type;
} client_types[] = {
	{"normal", CLIENT_TYPE_NORMAL},
	{"slave", CLIENT_TYPE_REPLICA},
	{"replica", CLIENT_TYPE_REPLICA},
	{"master", CLIENT_TYPE_MASTER},
	{"pubsub", CLIENT_TYPE_PUBSUB},
};

bool client_type_arg(struct client *c, const struct slice *a, enum client_type *type)
{
	for (size_t i = 0; i < sizeof(client_types) / sizeof(client_types[0]); i++) {
		if (arg_is(a, client_types[i].name)) {
			*type = client_types[i].type;
			return true;
		}
	}
	reply_errf(c, "ERR Unknown client type '%.*s'", (int)(a->len < 128 ? a->len : 128), a->ptr);
	return false;
}

/* CLIENT LIST ID id [id ...] */
static void client_list_ids(struct client *c)
{
	struct client_filter filter = {.by_id = true, .nr_ids = c->argc - 3};
	uint64_t *ids = malloc(filter.nr_ids * sizeof(*ids));
	int64_t id;

	if (!ids) {
		reply_err(c, "ERR out of memory");
		return;
	}
	for (uint32_t i = 3; i < c->argc; i++) {
		if (!arg_int(&c->argv[i], &id)) {
			reply_err(c, "ERR Invalid client ID");
			free(ids);
			return;
		}
		ids[i - 3] = (uint64_t)id;
	}
	qsort(ids, filter.nr_ids, sizeof(*ids), client_id_compare);
	filter.ids = ids;
	client_list(c, &filter);
	free(ids);
}

void client_list_command(struct client *c)
{
	struct client_filter filter = {.by_type = false};

	if (c->argc == 4 && arg_is(&c->argv[2], "type")) {
		filter.by_type = true;
		if (!client_type_arg(c, &c->argv[3], &filter.type))
			return;
	} else if (c->argc > 3 && arg_is(&c->argv[2], "id")) {
		client_list_ids(c);
		return;
	} else if (c->argc != 2) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	client_list(c, &filter);
}

/* Timeout in milliseconds from now. Replies and returns false when it is none. */
static bool pause_until(struct client *c, const struct slice *a, int64_t *until_ms)
{
	int64_t ms;

	if (!arg_int(a, &ms)) {
		reply_err(c, "ERR timeout is not an integer or out of range");
		return false;
	}
	if (ms < 0) {
		reply_err(c, "ERR timeout is negative");
		return false;
	}
	if (__builtin_add_overflow(c->now_ms, ms, until_ms)) {
		reply_err(c, "ERR timeout is out of range");
		return false;
	}
	return true;
}

void client_pause_command(struct client *c)
{
	bool writes_only = false;
	int64_t until_ms;

	if (c->argc == 4) {
		if (arg_is(&c->argv[3], "write")) {
			writes_only = true;
		} else if (!arg_is(&c->argv[3], "all")) {
			reply_err(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
			return;
		}
	} else if (c->argc > 4) {
		reply_subcommand_syntax(c);
		return;
	}
	if (!pause_until(c, &c->argv[2], &until_ms))
		return;
	pause_begin(c->srv, PAUSE_COMMAND, c->now_ms, until_ms, writes_only);
	reply_ok(c);
}

void client_unpause_command(struct client *c)
{
	pause_end(c->srv, PAUSE_COMMAND);
	reply_ok(c);
}

void client_reply_command(struct client *c)
{
	if (arg_is(&c->argv[2], "on")) {
		client_flags_change(c, 0, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT);
		c->flags &= ~(uint32_t)CLIENT_REPLY_SKIP;
		reply_ok(c);
	} else if (arg_is(&c->argv[2], "off")) {
		client_flags_change(c, CLIENT_REPLY_OFF, 0);
	} else if (arg_is(&c->argv[2], "skip")) {
		if (!(c->flags & CLIENT_REPLY_OFF))
			client_flags_change(c, CLIENT_REPLY_SKIP_NEXT, 0);
	} else {
		reply_err(c, REPLY_SYNTAX);
	}
}

void client_noevict_command(struct client *c)
{
	if (arg_is(&c->argv[2], "on")) {
		client_flags_change(c, CLIENT_NO_EVICT, 0);
		reply_ok(c);
	} else if (arg_is(&c->argv[2], "off")) {
		client_flags_change(c, 0, CLIENT_NO_EVICT);
		reply_ok(c);
	} else {
		reply_err(c, REPLY_SYNTAX);
	}
}

void client_unblock_command(struct client *c)
{
	bool with_error = false, done = false;
	struct client *other;
	int64_t id;

	if (c->argc > 4) {
		reply_subcommand_syntax(c);
		return;
	}
	if (c->argc == 4) {
		with_error = arg_is(&c->argv[3], "error");
		if (!with_error && !arg_is(&c->argv[3], "timeout")) {
			reply_err(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
			return;
		}
	}
	if (!arg_int_reply(c, &c->argv[2], &id))
		return;
	rte_spinlock_lock(&c->srv->clients_lock);
	TAILQ_FOREACH(other, &c->srv->clients, registry_link) {
		if (other->id == (uint64_t)id) {
			done = client_unblock_request(other, with_error);
			break;
		}
	}
	rte_spinlock_unlock(&c->srv->clients_lock);
	reply_int(c, done);
}

void client_help_command(struct client *c)
{
	static const char *const lines[] = {
		"CACHING (YES|NO)",
		"    Whether the keys of the next command are tracked, with OPTIN or OPTOUT.",
		"GETNAME",
		"    The name that this connection has given itself.",
		"GETREDIR",
		"    The connection that gets the tracking messages; 0: this one, -1: none.",
		"ID",
		"    The number of this connection.",
		"INFO",
		"    One line that describes this connection.",
		"KILL <ip:port>",
		"    Close the connection from that address.",
		"KILL <option> <value> [<option> <value> [...]]",
		"    Close every connection that all options fit:",
		"    * ADDR (<ip:port>|<unixsocket>:0)",
		"      the peer's address",
		"    * LADDR (<ip:port>|<unixsocket>:0)",
		"      the node's own address",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      what it is used for",
		"    * USER <username>",
		"      who has authenticated on it",
		"    * ID <clientid>",
		"      its number",
		"    * SKIPME (YES|NO)",
		"      spare this connection (YES unless given)",
		"LIST [TYPE <type> | ID <clientid> [<clientid> ...]]",
		"    One line for each connection.",
		"NO-EVICT (ON|OFF)",
		"    Whether memory pressure may close this connection.",
		"PAUSE <timeout> [WRITE|ALL]",
		"    Hold up all commands, or those that write, for so many milliseconds.",
		"REPLY (ON|OFF|SKIP)",
		"    Answer commands of this connection, or not, or not the next one.",
		"SETNAME <name>",
		"    Name this connection.",
		"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] "
		"[NOLOOP]",
		"    Whether this connection is told when keys that it has read change.",
		"TRACKINGINFO",
		"    The state of client tracking.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]",
		"    End the wait of a connection that is blocked in a command.",
		"UNPAUSE",
		"    End CLIENT PAUSE.",
		NULL,
	};

	reply_help(c, lines);
}
