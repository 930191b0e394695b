/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients: from received bytes to commands, and from replies to sendable output.
 *
 * Output is held back in the connection's obuf until the end of the burst; it becomes sendable when
 * the log's reply mark has passed the client's gate.
 */
#include "app/client.h"

#include "app/acl/client.h"
#include "app/client_cold.h"
#include "app/client_limits.h"
#include "app/client_priv.h"
#include "app/commands/command.h"
#include "app/commands/monitor.h"
#include "app/commands/multi.h"
#include "app/commands/script_run.h"
#include "app/control.h"
#include "app/flusher.h"
#include "app/pubsub.h"
#include "app/repl_durable.h"
#include "app/replication.h"
#include "app/waiting.h"
#include "checks.h"
#include "dataplane/conn.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US (100 * 1000)

static const struct conn_ops client_conn_ops;

/* --- life --- */

/* Where it is while it is blocked. */
static struct client_list *blocked_list(struct client *c)
{
	return c->block == BLOCK_KEYS ? &c->ac->waiting.blocked : &c->ac->blocked;
}

struct client *client_create(struct app_core *ac, struct conn *conn, uint32_t flags)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->srv = ac->srv;
	c->ac = ac;
	c->core_id = ac->id;
	c->conn = conn;
	c->flags = flags;
	c->resp = 2;
	c->now_ms = c->created_ms = c->last_active_ms = ac->now_ms;
	c->out = conn ? conn_obuf(conn) : NULL;
	c->id = atomic_fetch_add(&ac->srv->next_client_id, 1);
	client_publish_own(c);
	client_publish(c);
	return c;
}

/* Those of its own connection over a DPDK port can be asked for at any time. Without memory for the
 * others they stay unknown. */
static void ends_set(struct client *c, const struct conn *conn)
{
	char peer[CLIENT_ADDR], local[CLIENT_ADDR], *ends;
	struct client_cold *cold;
	size_t len;

	if (conn == c->conn && conn_is_netdev(conn))
		return;
	cold = client_cold_get(c);
	if (!cold)
		return;
	conn_addr(conn, peer, local, CLIENT_ADDR);
	len = strlen(peer) + 1;
	ends = malloc(len + strlen(local) + 1);
	if (ends) {
		strcpy(ends, peer);
		strcpy(ends + len, local);
	}
	free(cold->ends); /* it is not in the registry: nobody looks */
	cold->ends = ends;
	cold->fd = ends ? conn_fd(conn) : 0;
}

void client_list_add(struct client *c, const struct conn *conn)
{
	struct server *srv = c->srv;

	ends_set(c, conn);
	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_INSERT_TAIL(&srv->clients, c, registry_link);
	c->listed = true;
	rte_spinlock_unlock(&srv->clients_lock);
}

void client_list_remove(struct client *c)
{
	struct server *srv = c->srv;

	if (!c->listed)
		return;
	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_REMOVE(&srv->clients, c, registry_link);
	c->listed = false;
	rte_spinlock_unlock(&srv->clients_lock);
}

static void client_register(struct client *c)
{
	client_list_add(c, c->conn);
	TAILQ_INSERT_TAIL(&c->ac->clients, c, core_link);
	atomic_fetch_add(&c->srv->nr_clients, 1);
	c->ac->total_connections++;
}

static void list_forget(struct client *c)
{
	struct app_core *ac = c->ac;

	if (c->in_dirty)
		TAILQ_REMOVE(&ac->dirty, c, dirty_link);
	if (c->in_waiters)
		TAILQ_REMOVE(&ac->waiters, c, waiter_link);
	if (c->in_retry)
		TAILQ_REMOVE(&ac->retry, c, retry_link);
	if (c->in_blocked) {
		TAILQ_REMOVE(blocked_list(c), c, blocked_link);
		atomic_fetch_sub(&c->srv->nr_blocked, 1);
	}
	c->in_dirty = c->in_waiters = c->in_retry = c->in_blocked = false;
}

static void core_forget(struct client *c)
{
	if (!c->conn)
		return;
	TAILQ_REMOVE(&c->ac->clients, c, core_link);
	atomic_fetch_sub(&c->srv->nr_clients, 1);
	c->conn = NULL;
}

void client_destroy(struct client **cp)
{
	struct client *c = *cp;

	if (!c)
		return;
	list_forget(c);
	waiting_client_gone(c);
	monitor_stop(c);
	pubsub_client_forget(c);
	tracking_client_gone(c);
	tx_client_gone(c);
	client_list_remove(c);
	core_forget(c);
	acl_client_forget(c);
	reply_discard(c);
	client_partial_drop(c);
	client_cold_free(c);
	free(c->in.buf);
	free(c);
	*cp = NULL;
}

static const char *refuse_connection(struct server *srv, struct conn *conn)
{
	if (atomic_load(&srv->nr_clients) >=
		atomic_load_explicit(&srv->cfg->maxclients, memory_order_relaxed))
		return "-ERR max number of clients reached\r\n";
	if (atomic_load_explicit(&srv->cfg->protected_mode, memory_order_relaxed) &&
		!conn_is_local(conn) && flag_on(&srv->acl->default_nopass))
		return "-DENIED millrace is running in protected mode because protected mode is enabled and no password "
		       "is set for the default user. In this mode connections are only accepted from the loopback "
		       "interface. To connect from elsewhere set a password (requirepass), or switch protected mode "
		       "off: with CONFIG SET protected-mode no from a local client, or protected-mode no in the "
		       "configuration file.\r\n";
	return NULL;
}

int client_accept(struct core *core, struct conn *conn)
{
	struct app_core *ac = core->app;
	struct server *srv = ac->srv;
	const char *refusal = refuse_connection(srv, conn);
	struct client *c;
	uint32_t flags = 0;

	conn->ops = &client_conn_ops;
	if (refusal) {
		ac->rejected_connections++;
		obuf_append(conn_obuf(conn), refusal, strlen(refusal));
		conn->user = NULL;
		conn_close(conn);
		return 0;
	}
	if (conn_is_netdev(conn))
		flags |= CLIENT_NETDEV;
	if (conn->unix_sock)
		flags |= CLIENT_UNIX;
	if (conn_is_local(conn))
		flags |= CLIENT_LOCAL;
	c = client_create(ac, conn, flags);
	if (!c)
		return -ENOMEM;
	conn->user = c;
	acl_client_reset(c);
	client_register(c);
	obuf_hold(c->out);
	conn_keepalive(conn,
		(unsigned)atomic_load_explicit(&srv->cfg->tcp_keepalive_s, memory_order_relaxed));
	return 0;
}

/* Its script has not ended: nobody else knows it any more. */
static void leave_to_script(struct client *c)
{
	list_forget(c);
	monitor_stop(c);
	pubsub_client_forget(c);
	tracking_client_gone(c);
	client_list_remove(c);
	core_forget(c);
	script_client_closed(c);
}

static void on_closed(struct conn *conn, int reason)
{
	struct client *c = conn->user;

	if (!c)
		return;
	c->flags |= CLIENT_CLOSED;
	c->out = NULL;
	repl_client_closed(c);
	if (c->flags & CLIENT_IN_SCRIPT)
		leave_to_script(c);
	else
		client_destroy(&c);
}

void client_abort(struct client *c)
{
	c->flags |= CLIENT_CLOSE_AFTER;
	if (c->conn)
		conn_abort(c->conn);
}

void client_close(struct client *c)
{
	c->flags |= CLIENT_CLOSE_AFTER;
	if (c->conn && !c->in_dirty) {
		c->in_dirty = true;
		TAILQ_INSERT_TAIL(&c->ac->dirty, c, dirty_link);
	}
}

/* --- blocking --- */

/* Only who waits in a command is blocked for others: CLIENT UNBLOCK ends nothing else. */
void client_publish_flags(struct client *c)
{
	bool shown = c->block == BLOCK_WAIT || c->block == BLOCK_KEYS;
	uint32_t flags = shown ? c->flags : c->flags & ~(uint32_t)CLIENT_BLOCKED;

	atomic_store_explicit(&c->pub_flags, flags, memory_order_relaxed);
}

void client_block_add(struct client *c, enum client_block why, int64_t until_ms)
{
	c->flags |= CLIENT_BLOCKED;
	c->block = why;
	c->block_until_ms = until_ms;
	atomic_store_explicit(&c->unblock, 0, memory_order_relaxed);
	client_publish_flags(c);
	if (!c->in_blocked) {
		ASSERT(!c->in_retry); /* they share a link */
		c->in_blocked = true;
		TAILQ_INSERT_TAIL(blocked_list(c), c, blocked_link);
		atomic_fetch_add(&c->srv->nr_blocked, 1);
	}
}

/* --- output --- */

static void on_sent(struct conn *conn)
{
	struct client *c = conn->user;

	if (c && c->replica && !c->in_dirty) {
		c->in_dirty = true;
		TAILQ_INSERT_TAIL(&c->ac->dirty, c, dirty_link);
	}
}

static const struct conn_ops client_conn_ops = {
	.data = client_on_data,
	.sent = on_sent,
	.closed = on_closed,
};

void client_publish_own(struct client *c)
{
	size_t bytes = sizeof(*c) + client_cold_bytes(c) + tx_bytes(c) + pubsub_client_bytes(c);

	if (c->conn)
		bytes += conn_footprint(c->conn);
	atomic_store_explicit(&c->pub_own, bytes, memory_order_relaxed);
}

void client_publish(struct client *c)
{
	client_publish_flags(c);
	atomic_store_explicit(&c->pub_db, c->db, memory_order_relaxed);
	atomic_store_explicit(&c->pub_active_ms, c->last_active_ms, memory_order_relaxed);
	atomic_store_explicit(&c->pub_qbuf, c->in.len - c->in.pos, memory_order_relaxed);
	atomic_store_explicit(&c->pub_qbuf_free, c->in.cap - c->in.len, memory_order_relaxed);
	atomic_store_explicit(&c->pub_obuf, client_output_pending(c), memory_order_relaxed);
}

/* A replica's stream is counted where it is queued (repl/master.h). */
static void count_output(struct client *c)
{
	uint64_t end = obuf_end(c->out);

	if (!(c->flags & CLIENT_REPLICA))
		c->ac->bytes_out += end - c->out_counted;
	c->out_counted = end;
}

/* Lets out what was held back; the gate has been passed. The client may be gone afterwards. */
static void release(struct client *c)
{
	client_publish(c);
	if (!c->out)
		return;
	if (c->flags & CLIENT_ASAP) { /* a reply with a gap is never sent */
		client_abort(c);
		return;
	}
	obuf_release_all(c->out);
	count_output(c);
	if (!(c->flags & CLIENT_CLOSE_AFTER)) {
		if (!(c->flags & CLIENT_REPLICA))
			obuf_hold(c->out);
		if (client_output_exceeds(c)) {
			client_abort(c);
			return;
		}
		conn_push(c->conn);
		return;
	}
	conn_push(c->conn);
	conn_close(c->conn);
}

/* A client that keeps writing moves its gate all the time: what it has waited for until now goes
 * out nevertheless. */
static void held_mark(struct client *c)
{
	c->held_gate = c->gate;
	c->held_end = c->out ? obuf_end(c->out) : 0;
	c->held_ms = c->ac->now_ms;
}

static void wait_add(struct client *c)
{
	if (c->in_waiters)
		return;
	c->in_waiters = true;
	held_mark(c);
	TAILQ_INSERT_TAIL(&c->ac->waiters, c, waiter_link);
	c->ac->nr_waiting_replies++;
}

/* The log has begun anew: a gate of the former one would never be passed. */
static void gates_forget(struct app_core *ac)
{
	uint64_t tail = log_tail(ac->srv->log);
	struct client *c;

	TAILQ_FOREACH(c, &ac->clients, core_link) {
		if (c->gate > tail)
			c->gate = 0;
		if (c->held_gate > tail)
			c->held_gate = 0;
		c->last_write_off = 0;
	}
}

/* Lets out what may go. True: everything, the client waits no more. */
static bool waiter_release(struct client *c, uint64_t mark)
{
	if (c->held_gate > mark && c->gate > mark)
		return false;
	if (c->gate <= mark || !c->out || (c->flags & CLIENT_ASAP))
		return true;
	obuf_release_to(c->out, c->held_end);
	conn_push(c->conn);
	held_mark(c);
	return false;
}

/* --- min-replicas-durable --- */

static bool is_unsure(const struct client *c, uint64_t mark)
{
	return c->gate > mark && !(c->flags & (CLIENT_CLOSE_AFTER | CLIENT_REPLICA));
}

/* We are not the master any more under which they wrote or read: whether that will stay, nobody
 * knows. */
static void unsure_end(struct app_core *ac)
{
	struct repl_durable *d = &ac->srv->repl->durable;
	uint64_t mark = ac->durable_mark;
	unsigned n = 0;
	struct client *c;

	TAILQ_FOREACH(c, &ac->waiters, waiter_link)
		if (is_unsure(c, mark))
			client_abort(c), n++;
	TAILQ_FOREACH(c, &ac->dirty, dirty_link)
		if (is_unsure(c, mark))
			client_abort(c), n++;
	if (n == 0)
		return;
	atomic_fetch_add(&d->nr_unsure, n);
	server_log(ac->srv, 3,
		"client: closed clients=%u reason=not the master any more before enough replicas "
		"had acknowledged (min-replicas-durable)",
		n);
}

/* Replies wait for N replicas, too. */
static uint64_t output_mark(struct app_core *ac)
{
	struct server *srv = ac->srv;
	struct repl_durable *d = &srv->repl->durable;
	uint64_t mark = log_reply_mark(srv->log);
	bool on = repl_durable_on(srv);
	unsigned term;

	if (!on && !ac->durable_on)
		return mark;
	term = atomic_load(&d->term);
	if (ac->durable_on && (flag_on(&srv->is_replica) || term != ac->durable_term))
		unsure_end(ac);
	ac->durable_on = on;
	ac->durable_term = term;
	if (!on)
		return mark;
	ac->durable_mark = atomic_load(&d->mark);
	return ac->durable_mark < mark ? ac->durable_mark : mark;
}

static void held_check(struct client *c)
{
	struct server *srv = c->srv;
	int64_t ms = atomic_load_explicit(
		&srv->cfg->min_replicas_durable_timeout_ms, memory_order_relaxed);

	if (ms == 0 || c->ac->now_ms - c->held_ms <= ms || (c->flags & CLIENT_CLOSE_AFTER))
		return;
	if (atomic_fetch_add(&srv->repl->durable.nr_timeouts, 1) == 0)
		server_log(srv, 3,
			"client: closed peer=%s reason=min-replicas-durable-timeout (told once)",
			client_peer(c, (char[CLIENT_ADDR]){0}));
	client_abort(c);
}

bool client_core_burst_end(struct app_core *ac)
{
	struct client *c, *next;
	unsigned epoch = atomic_load_explicit(&ac->srv->repl->log_epoch, memory_order_acquire);
	uint64_t mark;

	if (log_commit(ac->log))
		flusher_kick(ac->srv);
	mark = output_mark(ac); /* first: gates of a former log tell whose replies are held */
	if (epoch != ac->log_epoch) {
		ac->log_epoch = epoch;
		gates_forget(ac);
		repl_drop_replicas(ac, "the log has begun anew");
	}
	for (c = TAILQ_FIRST(&ac->waiters); c; c = next) {
		next = TAILQ_NEXT(c, waiter_link);
		if (!waiter_release(c, mark)) {
			if (ac->durable_on)
				held_check(c);
			continue;
		}
		TAILQ_REMOVE(&ac->waiters, c, waiter_link);
		c->in_waiters = false;
		release(c);
	}
	while ((c = TAILQ_FIRST(&ac->dirty))) {
		TAILQ_REMOVE(&ac->dirty, c, dirty_link);
		c->in_dirty = false;
		if (c->gate > mark)
			wait_add(c);
		else
			release(c);
	}
	if (TAILQ_EMPTY(&ac->waiters))
		return false;
	/* An ACK that is waited for ends a sleep. */
	return !ac->durable_on || log_reply_mark(ac->srv->log) < log_tail(ac->srv->log);
}

/* --- work between bursts --- */

void client_unblock(struct client *c)
{
	if (c->in_blocked) {
		TAILQ_REMOVE(blocked_list(c), c, blocked_link);
		c->in_blocked = false;
		atomic_fetch_sub(&c->srv->nr_blocked, 1);
	}
	c->flags &= ~(CLIENT_BLOCKED | CLIENT_REPLY_SKIP);
	if (c->block == BLOCK_WAIT) {
		c->cold->wait_offset = 0;
		c->cold->wait_replicas = 0;
	}
	c->block = BLOCK_NONE;
	client_publish(c);
	client_process(c);
}

static void check_blocked(struct client *c)
{
	struct server *srv = c->srv;

	if (c->block == BLOCK_SCRIPT)
		return;
	c->now_ms = c->ac->now_ms;
	if (c->block == BLOCK_PAUSE) {
		/* A command that is no write waits for the shorter of the two. */
		if (atomic_load_explicit(&srv->pause_until_ms, memory_order_relaxed) <= c->now_ms ||
			(c->block_until_ms && atomic_load_explicit(&srv->pause_all_until_ms,
						      memory_order_relaxed) <= c->now_ms))
			client_unblock(c);
		return;
	}
	if (c->block == BLOCK_WAIT) {
		int request = atomic_exchange_explicit(&c->unblock, 0, memory_order_relaxed);
		unsigned n = repl_count_acked(srv, c->cold->wait_offset);

		if (request == 2)
			reply_err(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
		else if (atomic_load_explicit(&srv->is_replica, memory_order_relaxed))
			reply_err(c,
				"UNBLOCKED force unblock from blocking operation, instance state changed "
				"(master -> replica?)");
		else if (request || (int)n >= c->cold->wait_replicas ||
			 (c->block_until_ms && c->now_ms >= c->block_until_ms))
			reply_int(c, n);
		else
			return;
		client_unblock(c);
	}
}

bool client_core_work(struct app_core *ac)
{
	struct client_list again = TAILQ_HEAD_INITIALIZER(again);
	struct client *c, *next;
	bool script;

	if (ac->now_us - ac->swept_us >= SWEEP_US) { /* whatever happens to the time of day */
		ac->swept_us = ac->now_us;
		client_limits_sweep(ac);
	}
	for (c = TAILQ_FIRST(&ac->blocked); c; c = next) {
		next = TAILQ_NEXT(c, blocked_link);
		check_blocked(c);
	}
	script = script_core_work(ac);
	if (TAILQ_EMPTY(&ac->retry))
		return script;
	TAILQ_CONCAT(&again, &ac->retry, retry_link);
	while ((c = TAILQ_FIRST(&again))) {
		TAILQ_REMOVE(&again, c, retry_link);
		c->in_retry = false;
		c->flags &= ~CLIENT_RETRY;
		client_process(c);
	}
	return script || !TAILQ_EMPTY(&ac->retry);
}

void client_core_stop(struct app_core *ac)
{
	struct client *c;

	while ((c = TAILQ_FIRST(&ac->clients)))
		conn_detach(c->conn), on_closed(c->conn, 0);
	script_core_stop(ac);
	conn_reap(ac->core); /* their output may refer to a snapshot */
}

/* --- from other cores --- */

struct send_msg {
	struct core_msg msg;
	uint64_t client_id;
	size_t len;
	char data[];
};

static struct client *client_by_id(struct app_core *ac, uint64_t id)
{
	struct client *c;

	TAILQ_FOREACH(c, &ac->clients, core_link)
		if (c->id == id)
			return c;
	return NULL;
}

static void send_run(struct core *core, struct core_msg *m)
{
	struct send_msg *msg = (struct send_msg *)m;
	struct client *c = client_by_id(core->app, msg->client_id);

	if (c && !(c->flags & CLIENT_CLOSED)) {
		reply_raw(c, msg->data, msg->len);
		if (c->block == BLOCK_CONTROL)
			client_unblock(c);
	}
	free(msg);
}

void client_send_unblock(struct server *srv, uint64_t client_id, const void *data, size_t len)
{
	struct app_core *ac = NULL;
	struct send_msg *msg;
	struct client *c;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link)
		if (c->id == client_id)
			ac = c->ac;
	rte_spinlock_unlock(&srv->clients_lock);
	if (!ac)
		return;
	msg = malloc(sizeof(*msg) + len);
	if (!msg)
		return;
	msg->msg.fn = send_run;
	msg->client_id = client_id;
	msg->len = len;
	memcpy(msg->data, data, len);
	if (core_post(ac->core, &msg->msg))
		free(msg);
}

bool client_unblock_request(struct client *c, bool with_error)
{
	if (!(atomic_load_explicit(&c->pub_flags, memory_order_relaxed) & CLIENT_BLOCKED))
		return false;
	atomic_store_explicit(&c->unblock, with_error ? 2 : 1, memory_order_relaxed);
	core_kick(c->ac->core);
	return true;
}

void client_kick(struct client *c)
{
	atomic_store_explicit(&c->kill, true, memory_order_relaxed);
	waiting_kill(c);
	core_kick(c->ac->core);
}
