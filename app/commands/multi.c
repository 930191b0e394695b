/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/multi.h"

#include "app/acl/client.h"
#include "app/commands/connection.h"
#include "app/commands/dispatch.h"
#include "checks.h"

#include <stdlib.h>
#include <string.h>

static struct client_tx *tx_get(struct client *c)
{
	struct client_tx *tx = c->tx;

	if (tx)
		return tx;
	tx = calloc(1, sizeof(*tx));
	if (!tx) {
		reply_err(c, "ERR out of memory");
		return NULL;
	}
	atomic_init(&tx->shown, -1);
	/* others look at what is shown */
	rte_spinlock_lock(&c->srv->clients_lock);
	c->tx = tx;
	rte_spinlock_unlock(&c->srv->clients_lock);
	return tx;
}

static void tx_show(struct client_tx *tx)
{
	atomic_store_explicit(&tx->shown, tx->open ? (int)tx->nr : -1, memory_order_relaxed);
	atomic_store_explicit(&tx->shown_bytes, tx->bytes, memory_order_relaxed);
}

static void queue_clear(struct client_tx *tx)
{
	for (uint32_t i = 0; i < tx->nr; i++)
		free(tx->queue[i].argv);
	free(tx->queue);
	tx->queue = NULL;
	tx->nr = tx->cap = tx->flags = tx->lacks = 0;
	tx->need = tx->bytes = 0;
}

/* What a transaction leaves when it has ended; the watches are the caller's. */
static void tx_close(struct client *c)
{
	struct client_tx *tx = c->tx;

	queue_clear(tx);
	tx->open = tx->failed = false;
	client_flags_change(c, 0, CLIENT_MULTI);
	tx_show(tx);
}

void tx_discard(struct client *c)
{
	if (!c->tx)
		return;
	watch_end(c->ac, &c->tx->watch);
	tx_close(c);
}

void tx_client_gone(struct client *c)
{
	struct client_tx *tx = c->tx;

	if (!tx)
		return;
	tx_discard(c);
	rte_spinlock_lock(&c->srv->clients_lock);
	c->tx = NULL;
	rte_spinlock_unlock(&c->srv->clients_lock);
	free(tx);
}

void tx_fail(struct client *c)
{
	if (c->flags & CLIENT_MULTI)
		c->tx->failed = true;
}

size_t tx_bytes(const struct client *c)
{
	const struct client_tx *tx = c->tx;

	return tx ? sizeof(*tx) + tx->bytes + (tx->watch ? tx->watch->bytes : 0) : 0;
}

bool tx_queues(const struct command *cmd)
{
	return cmd->fn != exec_command && cmd->fn != discard_command && cmd->fn != multi_command &&
	       cmd->fn != watch_command && cmd->fn != quit_command && cmd->fn != reset_command;
}

static bool is_broken(const struct client_tx *tx)
{
	return tx->watch && atomic_load_explicit(&tx->watch->touched, memory_order_relaxed);
}

static bool queue_room(struct client_tx *tx)
{
	uint32_t cap = tx->cap ? tx->cap * 2 : 4;
	struct tx_command *queue;

	if (tx->nr < tx->cap)
		return true;
	queue = cap > tx->cap ? realloc(tx->queue, cap * sizeof(*queue)) : NULL;
	if (!queue)
		return false;
	tx->queue = queue;
	tx->cap = cap;
	return true;
}

static struct slice *argv_copy(const struct client *c, size_t *size)
{
	struct slice *argv;
	char *at;

	*size = c->argc * sizeof(*argv);
	for (uint32_t i = 0; i < c->argc; i++)
		*size += c->argv[i].len;
	argv = malloc(*size);
	if (!argv)
		return NULL;
	at = (char *)(argv + c->argc);
	for (uint32_t i = 0; i < c->argc; i++) {
		memcpy(at, c->argv[i].ptr, c->argv[i].len);
		argv[i] = (struct slice){at, c->argv[i].len};
		at += c->argv[i].len;
	}
	return argv;
}

void tx_queue(struct client *c, const struct command *cmd, size_t need)
{
	struct client_tx *tx = c->tx;
	struct slice *argv;
	size_t size;

	/* One that cannot succeed any more takes no memory. */
	if (!tx->failed && !is_broken(tx)) {
		argv = argv_copy(c, &size);
		if (!argv || !queue_room(tx)) {
			free(argv);
			tx->failed = true;
			reply_err(c, "ERR out of memory");
			return;
		}
		tx->queue[tx->nr++] = (struct tx_command){cmd, c->argc, argv};
		tx->flags |= cmd->flags;
		tx->lacks |= ~cmd->flags;
		tx->need += need;
		tx->bytes += size + sizeof(struct tx_command);
		tx_show(tx);
	}
	reply_status(c, "QUEUED");
}

void multi_command(struct client *c)
{
	if (c->flags & CLIENT_MULTI) {
		reply_err(c, "ERR MULTI calls can not be nested");
		return;
	}
	if (!tx_get(c))
		return;
	c->tx->open = true;
	client_flags_change(c, CLIENT_MULTI, 0);
	tx_show(c->tx);
	reply_ok(c);
}

void discard_command(struct client *c)
{
	if (!(c->flags & CLIENT_MULTI)) {
		reply_err(c, "ERR DISCARD without MULTI");
		return;
	}
	tx_discard(c);
	reply_ok(c);
}

void watch_command(struct client *c)
{
	struct client_tx *tx;

	if (c->flags & CLIENT_MULTI) {
		reply_err(c, "ERR WATCH inside MULTI is not allowed");
		return;
	}
	tx = tx_get(c);
	if (!tx)
		return;
	for (uint32_t i = 1; i < c->argc && !is_broken(tx); i++) {
		struct ks_key k = cmd_key(c, &c->argv[i]);

		if (!watch_add(c, &tx->watch, &k)) {
			reply_err(c, "ERR out of memory");
			return;
		}
	}
	reply_ok(c);
}

void unwatch_command(struct client *c)
{
	if (c->tx && !c->ac->in_exec) /* EXEC has ended them before it runs this */
		watch_end(c->ac, &c->tx->watch);
	reply_ok(c);
}

/* --- EXEC --- */

void tx_lockset(struct client *c, struct ks_lockset *ls)
{
	struct client_tx *tx = c->tx;
	struct slice *argv = c->argv;
	uint32_t argc = c->argc;

	if (!(c->flags & CLIENT_MULTI))
		return;
	if (tx->watch)
		watch_lockset(tx->watch, ls);
	for (uint32_t i = 0; i < tx->nr && !tx->failed; i++) {
		const struct tx_command *q = &tx->queue[i];

		c->argv = q->argv;
		c->argc = q->argc;
		if (q->cmd->flags & CMD_LOCK_SELF)
			ks_lockset_all(ls);
		else
			command_lockset(c, q->cmd, ls);
	}
	c->argv = argv;
	c->argc = argc;
}

bool tx_is_held(struct client *c)
{
	struct client_tx *tx = c->tx;
	struct slice *argv = c->argv;
	uint32_t argc = c->argc;
	bool held = false;

	for (uint32_t i = 0; (c->flags & CLIENT_MULTI) && i < tx->nr && !tx->failed; i++) {
		c->argv = tx->queue[i].argv;
		c->argc = tx->queue[i].argc;
		held |= command_held(c, tx->queue[i].cmd);
	}
	c->argv = argv;
	c->argc = argc;
	return held;
}

static void run_queue(struct client *c)
{
	struct client_tx *tx = c->tx;
	struct slice *argv = c->argv;
	uint32_t argc = c->argc;
	char text[ACL_TEXT_MAX];

	c->ac->in_exec = true;
	reply_array(c, tx->nr);
	for (uint32_t i = 0; i < tx->nr; i++) {
		c->argv = tx->queue[i].argv;
		c->argc = tx->queue[i].argc;
		if (acl_client_still_may(c, tx->queue[i].cmd, text))
			command_call(c, tx->queue[i].cmd);
		else
			reply_err(c, text);
		BUG_ON(c->retry ||
			(c->flags & (CLIENT_BLOCKED | CLIENT_IN_SCRIPT)) == CLIENT_BLOCKED);
		propagate_collect(c);
	}
	c->ac->in_exec = false;
	c->argv = argv;
	c->argc = argc;
}

void exec_command(struct client *c)
{
	struct client_tx *tx = c->tx;
	const struct command *self = c->cmd;
	/* What others have published meanwhile goes before the replies, not between them. */
	bool aside = (c->flags & CLIENT_PUBSUB) || (tx_flags(c) & (CMD_PUBSUB | CMD_SCRIPT));

	if (!(c->flags & CLIENT_MULTI)) {
		reply_err(c, "ERR EXEC without MULTI");
		return;
	}
	if (tx->failed) {
		reply_err(c, "EXECABORT Transaction discarded because of previous errors.");
	} else if (tx->watch && watch_is_broken(c, tx->watch)) {
		reply_null_array(c);
	} else {
		watch_end_locked(c->srv, &tx->watch);
		if (aside)
			reply_aside_begin(c);
		run_queue(c);
		if (aside)
			reply_aside_end(c);
		c->cmd = self;
	}
	watch_end_locked(c->srv, &tx->watch);
	tx_close(c);
}
