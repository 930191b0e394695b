/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/client.h"

#include "app/commands/connection.h"
#include "app/pubsub.h"
#include "dataplane/core.h"

#include <stdio.h>
#include <string.h>

static const struct slice default_name = {"default", 7};

/* Takes the reference. */
static void user_set(struct client *c, struct acl_user *u)
{
	struct acl_user *old = c->user;

	rte_spinlock_lock(&c->srv->clients_lock);
	c->user = u;
	rte_spinlock_unlock(&c->srv->clients_lock);
	acl_user_put(old);
	if (u && !u->unrestricted)
		client_flags_change(c, CLIENT_LIMITED, 0);
	else
		client_flags_change(c, 0, CLIENT_LIMITED);
}

void acl_client_reset(struct client *c)
{
	struct acl_user *u = acl_find(c->srv->acl, default_name.ptr, default_name.len);
	bool open = u->nopass && u->enabled;

	user_set(c, u);
	client_flags_change(c, open ? CLIENT_AUTHENTICATED : 0, open ? 0 : CLIENT_AUTHENTICATED);
}

void acl_client_forget(struct client *c)
{
	if (c->user)
		user_set(c, NULL);
}

bool acl_client_must_login(const struct client *c)
{
	return !(c->flags & CLIENT_AUTHENTICATED) && !acl_is_open(c->srv->acl);
}

const char *acl_client_name(const struct client *c)
{
	return c->user ? c->user->name : "(superuser)";
}

/* --- what is denied --------------------------------------------------------------------------- */

/* c: whose connection it is. */
static void tell(struct client *c, enum acl_verdict reason, enum acl_context context,
	const struct slice *object, const struct slice *user)
{
	long long max = atomic_load_explicit(&c->srv->cfg->acllog_max_len, memory_order_relaxed);
	const struct command *cmd = c->cmd;
	struct textbuf tb;

	textbuf_init(&tb);
	c->cmd = atomic_load_explicit(&c->last_cmd, memory_order_relaxed); /* as it was sent */
	client_self_print(&tb, c);
	c->cmd = cmd;
	acl_log_add(&c->srv->acl->log, reason, context, object, user, textbuf_str(&tb), c->now_ms,
		(size_t)max);
	textbuf_fini(&tb);
}

static enum acl_verdict check_and_tell(struct client *c, const struct command *cmd, uint32_t argc,
	const struct slice *argv, enum acl_context context)
{
	char name[COMMAND_NAME_MAX];
	struct slice object, user;
	enum acl_verdict v;
	uint32_t at;

	if (!(c->flags & CLIENT_LIMITED))
		return ACL_ALLOWED;
	v = acl_check(c->user, cmd, argv, argc, &at);
	if (v == ACL_ALLOWED)
		return v;
	object = v == ACL_DENIED_COMMAND ? slice_str(command_full_name(cmd, name)) : argv[at];
	user = (struct slice){c->user->name, c->user->name_len};
	tell(c, v, context, &object, &user);
	return v;
}

static enum acl_context context_of(const struct client *c)
{
	return c->flags & CLIENT_MULTI ? ACL_CONTEXT_MULTI : ACL_CONTEXT_TOPLEVEL;
}

bool acl_client_login(struct client *c, const struct slice *name, const struct slice *password)
{
	struct acl_user *u = acl_find(c->srv->acl, name->ptr, name->len);

	if (u && acl_user_accepts(u, password->ptr, password->len)) {
		user_set(c, u);
		client_flags_change(c, CLIENT_AUTHENTICATED, 0);
		return true;
	}
	acl_user_put(u);
	tell(c, ACL_DENIED_AUTH, context_of(c), &c->argv[0], name);
	return false;
}

bool acl_client_may(struct client *c, const struct command *cmd, char text[ACL_TEXT_MAX])
{
	char name[COMMAND_NAME_MAX];

	atomic_store_explicit(&c->last_cmd, cmd, memory_order_relaxed); /* though it does not run */
	switch (check_and_tell(c, cmd, c->argc, c->argv, context_of(c))) {
	case ACL_ALLOWED: return true;
	case ACL_DENIED_COMMAND:
		snprintf(text, ACL_TEXT_MAX,
			"NOPERM this user has no permissions to run the '%s' command",
			command_full_name(cmd, name));
		return false;
	case ACL_DENIED_KEY:
		snprintf(text, ACL_TEXT_MAX,
			"NOPERM this user has no permissions to access one of the keys used as "
			"arguments");
		return false;
	default:
		snprintf(text, ACL_TEXT_MAX,
			"NOPERM this user has no permissions to access one of the channels used as "
			"arguments");
		return false;
	}
}

bool acl_client_still_may(struct client *c, const struct command *cmd, char text[ACL_TEXT_MAX])
{
	enum acl_verdict v = check_and_tell(c, cmd, c->argc, c->argv, ACL_CONTEXT_MULTI);
	const char *reason = "no permission to access one of the channels used as arguments";

	if (v == ACL_ALLOWED)
		return true;
	if (v == ACL_DENIED_COMMAND)
		reason = "no permission to execute the command or subcommand";
	if (v == ACL_DENIED_KEY)
		reason = "no permission to touch the specified keys";
	snprintf(text, ACL_TEXT_MAX,
		"NOPERM ACLs rules changed between the moment the transaction was accumulated and "
		"the EXEC call. This command is no longer allowed for the following reason: %s",
		reason);
	return false;
}

bool acl_script_may(struct client *c, const struct command *cmd, uint32_t argc,
	const struct slice *argv, char text[ACL_TEXT_MAX])
{
	enum acl_verdict v = check_and_tell(c, cmd, argc, argv, ACL_CONTEXT_LUA);
	const char *reason = "can't publish to the channel mentioned in the command";

	if (v == ACL_ALLOWED)
		return true;
	if (v == ACL_DENIED_COMMAND)
		reason = "can't run this command or subcommand";
	if (v == ACL_DENIED_KEY)
		reason = "can't access at least one of the keys mentioned in the command "
			 "arguments";
	snprintf(text, ACL_TEXT_MAX, "ERR The user executing the script %s", reason);
	return false;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void disconnect(struct client *c, bool is_self)
{
	if (is_self) {
		client_flags_change(c, CLIENT_CLOSE_AFTER, 0);
		return;
	}
	client_flags_change(c, CLIENT_ASAP, 0);
	client_close(c);
}

static bool is_channel_allowed(const void *ctx, const struct slice *name)
{
	return acl_channel_allowed(ctx, name, false);
}

static bool is_pattern_allowed(const void *ctx, const struct slice *name)
{
	return acl_channel_allowed(ctx, name, true);
}

static bool may_stay(const struct client *c, const struct acl_user *before)
{
	const struct acl_user *now = c->user;

	return !(c->flags & CLIENT_PUBSUB) || acl_channels_kept(before, now) ||
	       !(pubsub_client_has_other(c, PUBSUB_PATTERN, is_pattern_allowed, now) ||
		       pubsub_client_has_other(c, PUBSUB_CHANNEL, is_channel_allowed, now) ||
		       pubsub_client_has_other(c, PUBSUB_SHARD, is_channel_allowed, now));
}

/* Its user is another by now, or none. */
static void client_update(struct client *c, bool is_self)
{
	struct acl_user *before = c->user;
	struct acl_user *now = acl_find(c->srv->acl, before->name, before->name_len);

	if (!now || now->account != before->account) {
		acl_user_put(now);
		if (is_self) { /* the rest of its EXEC, as Redis runs it */
			acl_client_reset(c);
			client_flags_change(c, 0, CLIENT_AUTHENTICATED);
		} /* else: a script that has not ended goes by the last rights */
		disconnect(c, is_self);
		return;
	}
	acl_user_get(before);
	user_set(c, now);
	if (!may_stay(c, before))
		disconnect(c, is_self);
	acl_user_put(before);
}

void acl_core_update(struct app_core *ac, struct client *self)
{
	struct client *c;

	ac->acl_seen = atomic_load_explicit(&ac->srv->acl->changes, memory_order_acquire);
	TAILQ_FOREACH(c, &ac->clients, core_link)
		if (c->user && atomic_load_explicit(&c->user->stale, memory_order_acquire))
			client_update(c, c == self);
}

void acl_announce(struct client *c)
{
	struct server *srv = c->srv;

	acl_core_look(c->ac, c);
	for (unsigned i = 0; i < srv->nr_cores; i++)
		if (i != c->core_id)
			core_poke(srv->cores[i]->core);
}
