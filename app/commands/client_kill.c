/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CLIENT KILL, in its old and its new form.
 *
 * A client of another core is marked (kill) and its core told to look; it closes the connection in
 * its own time. The caller's own connection closes when the reply is out.
 */
#include "app/commands/connection.h"

#include "app/acl/acl.h"

#include <stdlib.h>
#include <string.h>

struct kill_filter {
	const struct slice *addr, *laddr; /* NULL: any */
	uint64_t id, account;             /* 0: any */
	bool by_type;
	enum client_type type;
	bool skip_me;
};

static bool text_is(const char *text, const struct slice *a)
{
	return strlen(text) == a->len && memcmp(text, a->ptr, a->len) == 0;
}

static bool fits(const struct kill_filter *f, const struct client *c, const struct client *self)
{
	uint32_t flags = atomic_load_explicit(&c->pub_flags, memory_order_relaxed);
	char addr[CLIENT_ADDR];

	return !atomic_load_explicit(&c->kill, memory_order_relaxed) &&
	       !(f->addr && !text_is(client_peer(c, addr), f->addr)) &&
	       !(f->laddr && !text_is(client_local(c, addr), f->laddr)) &&
	       !(f->account && (!c->user || c->user->account != f->account)) &&
	       !(f->id && c->id != f->id) && !(f->by_type && client_type_of(flags) != f->type) &&
	       !(f->skip_me && c == self);
}

/* Kills what fits. Returns how many. */
static int64_t kill_all(struct client *self, const struct kill_filter *f)
{
	struct server *srv = self->srv;
	struct client *c;
	int64_t nr = 0;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		if (!fits(f, c, self))
			continue;
		nr++;
		if (c == self)
			continue;
		atomic_store_explicit(&c->kill, true, memory_order_release);
		client_kick(c);
	}
	rte_spinlock_unlock(&srv->clients_lock);
	if (fits(f, self, NULL) && !f->skip_me)
		client_flags_change(self, CLIENT_CLOSE_AFTER, 0);
	return nr;
}

/* One pair of option and value. Replies and returns false when it is wrong. */
static bool option_parse(struct client *c, const struct slice *option, const struct slice *value,
	struct kill_filter *f)
{
	if (arg_is(option, "id")) {
		int64_t id;

		if (!arg_int(value, &id) || id < 1) {
			reply_err(c, "ERR client-id should be greater than 0");
			return false;
		}
		f->id = (uint64_t)id;
	} else if (arg_is(option, "type")) {
		f->by_type = true;
		return client_type_arg(c, value, &f->type);
	} else if (arg_is(option, "addr")) {
		f->addr = value;
	} else if (arg_is(option, "laddr")) {
		f->laddr = value;
	} else if (arg_is(option, "user")) {
		struct acl_user *u = acl_find(c->srv->acl, value->ptr, value->len);

		if (!u) {
			reply_errf(c, "ERR No such user '%.*s'",
				(int)(value->len < 128 ? value->len : 128), value->ptr);
			return false;
		}
		f->account = u->account;
		acl_user_put(u);
	} else if (arg_is(option, "skipme")) {
		f->skip_me = arg_is(value, "yes");
		if (!f->skip_me && !arg_is(value, "no")) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	} else {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	return true;
}

void client_kill_command(struct client *c)
{
	struct kill_filter f = {.skip_me = true};

	if (c->argc == 3) {
		f.addr = &c->argv[2];
		f.skip_me = false;
		if (kill_all(c, &f))
			reply_ok(c);
		else
			reply_err(c, "ERR No such client");
		return;
	}
	for (uint32_t i = 2; i < c->argc; i += 2) {
		if (i + 1 == c->argc) {
			reply_err(c, REPLY_SYNTAX);
			return;
		}
		if (!option_parse(c, &c->argv[i], &c->argv[i + 1], &f))
			return;
	}
	reply_int(c, kill_all(c, &f));
}
