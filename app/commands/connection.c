/* SPDX-License-Identifier: BSD-3-Clause
 *
 * AUTH, HELLO, PING and the other commands about one's own connection.
 */
#include "app/commands/connection.h"

#include "app/acl/client.h"
#include "app/commands/monitor.h"
#include "app/commands/multi.h"

#include <stdlib.h>
#include <string.h>

static const char wrong_password[] =
	"WRONGPASS invalid username-password pair or user is disabled.";

void auth_command(struct client *c)
{
	struct slice user = slice_str("default");
	const struct slice *password = &c->argv[1];

	if (c->argc > 3) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc == 3) {
		user = c->argv[1];
		password = &c->argv[2];
	} else if (flag_on(&c->srv->acl->default_nopass)) {
		reply_err(c, "ERR AUTH <password> called without any password configured for the "
			     "default user. Are you sure your configuration is correct?");
		return;
	}
	if (acl_client_login(c, &user, password))
		reply_ok(c);
	else
		reply_err(c, wrong_password);
}

/* Printable and without blanks: the name stands in the lines of CLIENT LIST. */
static bool name_allowed(const struct slice *name)
{
	for (size_t i = 0; i < name->len; i++) {
		if (name->ptr[i] < '!' || name->ptr[i] > '~')
			return false;
	}
	return true;
}

bool client_name_set(struct client *c, const struct slice *name)
{
	struct client_cold *cold = client_cold_get(c);
	char *copy = NULL, *old;

	if (!name_allowed(name)) {
		reply_err(c, "ERR Client names cannot contain spaces, newlines or special "
			     "characters.");
		return false;
	}
	if (name->len) {
		copy = cold ? strndup(name->ptr, name->len) : NULL;
		if (!copy) {
			reply_err(c, "ERR out of memory");
			return false;
		}
	}
	if (!cold) /* there was none */
		return true;
	rte_spinlock_lock(&c->srv->clients_lock);
	old = cold->name;
	cold->name = copy;
	rte_spinlock_unlock(&c->srv->clients_lock);
	free(old);
	return true;
}

static void resp_set(struct client *c, uint8_t version)
{
	c->resp = version;
	atomic_store_explicit(&c->pub_resp, version, memory_order_relaxed);
}

static void db_set(struct client *c, int db)
{
	c->db = db;
	atomic_store_explicit(&c->pub_db, db, memory_order_relaxed);
}

/* The options behind HELLO's version, each as it comes. Replies and returns false when one is
 * wrong. */
static bool hello_options(struct client *c)
{
	for (uint32_t i = 2; i < c->argc; i++) {
		uint32_t more = c->argc - 1 - i;

		if (arg_is(&c->argv[i], "auth") && more >= 2) {
			if (!acl_client_login(c, &c->argv[i + 1], &c->argv[i + 2])) {
				reply_err(c, wrong_password);
				return false;
			}
			i += 2;
		} else if (arg_is(&c->argv[i], "setname") && more >= 1) {
			if (!client_name_set(c, &c->argv[++i]))
				return false;
		} else {
			reply_errf(c, "ERR Syntax error in HELLO option '%.*s'",
				(int)(c->argv[i].len < 128 ? c->argv[i].len : 128), c->argv[i].ptr);
			return false;
		}
	}
	return true;
}

static void hello_reply(struct client *c)
{
	bool replica = atomic_load_explicit(&c->srv->is_replica, memory_order_relaxed);

	reply_map(c, 7);
	reply_bulk_str(c, "server");
	reply_bulk_str(c, "redis");
	reply_bulk_str(c, "version");
	reply_bulk_str(c, MILLRACE_REDIS_VERSION);
	reply_bulk_str(c, "proto");
	reply_int(c, c->resp);
	reply_bulk_str(c, "id");
	reply_int(c, (int64_t)c->id);
	reply_bulk_str(c, "mode");
	reply_bulk_str(c, "standalone");
	reply_bulk_str(c, "role");
	reply_bulk_str(c, replica ? "replica" : "master");
	reply_bulk_str(c, "modules");
	reply_array(c, 0);
}

void hello_command(struct client *c)
{
	int64_t version = 0;

	if (c->argc >= 2) {
		if (!arg_int(&c->argv[1], &version)) {
			reply_err(c, "ERR Protocol version is not an integer or out of range");
			return;
		}
		if (version < 2 || version > 3) {
			reply_err(c, "NOPROTO unsupported protocol version");
			return;
		}
	}
	if (!hello_options(c))
		return;
	if (!(c->flags & CLIENT_AUTHENTICATED)) {
		reply_err(c, "NOAUTH HELLO must be called with the client already authenticated, "
			     "otherwise the HELLO AUTH <user> <pass> option can be used to "
			     "authenticate the client and select the RESP protocol version at the "
			     "same time");
		return;
	}
	if (version)
		resp_set(c, (uint8_t)version);
	hello_reply(c);
}

void echo_command(struct client *c)
{
	reply_bulk(c, c->argv[1].ptr, c->argv[1].len);
}

void ping_command(struct client *c)
{
	if (c->argc > 2) {
		reply_arity(c);
	} else if ((c->flags & CLIENT_PUBSUB) && c->resp == 2) {
		/* there, everything looks like a message */
		reply_array(c, 2);
		reply_bulk_str(c, "pong");
		reply_bulk(
			c, c->argc == 2 ? c->argv[1].ptr : "", c->argc == 2 ? c->argv[1].len : 0);
	} else if (c->argc == 2) {
		reply_bulk(c, c->argv[1].ptr, c->argv[1].len);
	} else {
		reply_status(c, "PONG");
	}
}

void quit_command(struct client *c)
{
	reply_ok(c);
	client_flags_change(c, CLIENT_CLOSE_AFTER, 0);
}

void select_command(struct client *c)
{
	int64_t db;

	if (!arg_int_reply(c, &c->argv[1], &db))
		return;
	if (db < INT32_MIN || db > INT32_MAX) {
		reply_err(c, "ERR value is out of range, value must between -2147483648 and "
			     "2147483647");
	} else if (db < 0 || db >= c->srv->cfg->databases) {
		reply_err(c, "ERR DB index is out of range");
	} else {
		db_set(c, (int)db);
		reply_ok(c);
	}
}

void reset_command(struct client *c)
{
	static const struct slice no_name = {"", 0};

	if (c->flags & (CLIENT_REPLICA | CLIENT_MASTER)) {
		reply_err(c, "ERR can only reset normal client connections");
		return;
	}
	monitor_stop(c);
	pubsub_client_forget(c);
	tracking_off(c);
	tx_discard(c);
	acl_client_reset(c);
	client_flags_change(c, 0, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT | CLIENT_PUBSUB);
	client_name_set(c, &no_name);
	resp_set(c, 2);
	db_set(c, 0);
	reply_status(c, "RESET");
}
