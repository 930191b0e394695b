/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The commands of replication: REPLICAOF, ROLE, REPLCONF, PSYNC, SYNC, WAIT.
 */
#include "app/commands/replication.h"

#include "app/apply.h"
#include "app/commands/command.h"
#include "app/commands/failover.h"
#include "app/commands/monitor.h"
#include "app/control.h"
#include "app/repl_durable.h"
#include "app/repl_observe.h"
#include "app/repl_sync.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- REPLICAOF --- */

static const char ok[] = "+OK\r\n";

/* Roles change on core 0, in the order in which they were asked for. */
struct role_msg {
	struct core_msg msg;
	struct server *srv;
	uint64_t client_id;
	bool again;
};

static bool post_role(
	struct server *srv, uint64_t client_id, void (*fn)(struct core *, struct core_msg *))
{
	struct role_msg *msg = calloc(1, sizeof(*msg));

	if (!msg)
		return false;
	msg->msg.fn = fn;
	msg->srv = srv;
	msg->client_id = client_id;
	if (core_post(srv->cores[0]->core, &msg->msg)) {
		free(msg);
		return false;
	}
	return true;
}

static void role_changed(struct server *srv, uint64_t client_id)
{
	client_send_unblock(srv, client_id, ok, sizeof(ok) - 1);
	failover_promoted(srv);
}

static void promoted(struct server *srv, uint64_t client_id);

static void promote_run(struct core *core, struct core_msg *m)
{
	struct role_msg *msg = (struct role_msg *)m;

	promoted(msg->srv, msg->client_id);
	free(msg);
}

static void promoted(struct server *srv, uint64_t client_id)
{
	if (srv->repl->link) { /* another REPLICAOF has come in between: the later word counts */
		srv->repl->promoting = false;
		role_changed(srv, client_id);
		return;
	}
	if (!repl_return_to_db0(srv->cores[0])) { /* once there is room in the log */
		BUG_ON(!post_role(srv, client_id, promote_run));
		return;
	}
	srv->repl->promoting = false;
	repl_durable_begin(srv);
	atomic_store(&srv->is_replica, false);
	server_log(srv, 2, "repl: master now off=%llu", (unsigned long long)log_tail(srv->log));
	role_changed(srv, client_id);
}

static void ids_durable(struct server *srv, uint64_t client_id)
{
	repl_drop_all(srv, promoted, client_id);
}

static void detach_run(struct core *core, struct core_msg *m)
{
	struct role_msg *msg = (struct role_msg *)m;
	struct server *srv = msg->srv;
	struct repl *r = srv->repl;
	struct psync_ids ids;

	if (r->promoting && !msg->again) { /* somebody else's: ours is answered behind it */
		BUG_ON(core_post(core, &msg->msg));
		return;
	}
	if (!atomic_load(&srv->is_replica) || (msg->again && r->link)) {
		r->promoting = false;
		role_changed(srv, msg->client_id);
		free(msg);
		return;
	}
	r->promoting = true;
	repl_sync_detach(srv);
	if (r->full) { /* the control thread is storing a new set: the history is that set's */
		msg->again = true;
		BUG_ON(core_post(core, &msg->msg));
		return;
	}
	repl_ids_shifted(srv, NULL, &ids);
	repl_ids_change(srv, &ids, false, ids_durable, msg->client_id);
	free(msg);
}

static void attach_run(struct core *core, struct core_msg *m)
{
	struct role_msg *msg = (struct role_msg *)m;

	atomic_fetch_add(&msg->srv->repl->role_gen, 1);
	atomic_store(&msg->srv->is_replica, true); /* a promotion may have come in between */
	if (repl_sync_attach(msg->srv))
		server_log(msg->srv, 3, "repl: cannot follow the master: out of memory");
	free(msg);
}

bool replication_promote(struct server *srv, uint64_t client_id)
{
	struct repl *r = srv->repl;

	if (!post_role(srv, client_id, detach_run))
		return false;
	config_set_replicaof(srv->cfg, NULL, 0);
	rte_spinlock_lock(&r->lock);
	r->master_host[0] = 0; /* whoever names the same master again means it */
	rte_spinlock_unlock(&r->lock);
	return true;
}

void replication_follow(struct server *srv, const char *host, int port)
{
	struct repl *r = srv->repl;

	rte_spinlock_lock(&r->lock);
	snprintf(r->master_host, sizeof(r->master_host), "%s", host);
	r->master_port = port;
	rte_spinlock_unlock(&r->lock);
	config_set_replicaof(srv->cfg, host, port);
	atomic_store(&r->link_up, false);
	atomic_fetch_add(&r->role_gen, 1);
	atomic_store(&srv->is_replica, true);
}

static void become_master(struct client *c)
{
	if (!atomic_load(&c->srv->is_replica)) {
		reply_ok(c);
		return;
	}
	if (!replication_promote(c->srv, c->ac->in_exec ? 0 : c->id)) {
		reply_err(c, "ERR busy, try again");
		return;
	}
	server_log(c->srv, 2, "repl: REPLICAOF NO ONE from %s",
		client_peer(c, (char[CLIENT_ADDR]){0}));
	if (c->ac->in_exec) { /* where nothing may wait */
		reply_ok(c);
		return;
	}
	c->flags |= CLIENT_BLOCKED; /* until the new id is durable */
	c->block = BLOCK_CONTROL;
	c->block_until_ms = 0;
}

static void cmd_replicaof(struct client *c)
{
	struct repl *r = c->srv->repl;
	char host[256];
	int64_t port;
	bool same;

	if (failover_active(c->srv)) {
		reply_err(c, "ERR REPLICAOF not allowed while failing over.");
		return;
	}
	if (arg_is(&c->argv[1], "no") && arg_is(&c->argv[2], "one")) {
		become_master(c);
		return;
	}
	if (c->flags & CLIENT_REPLICA) {
		reply_err(c, "ERR Command is not valid when client is a replica.");
		return;
	}
	if (!arg_int(&c->argv[2], &port) || port < 0 || port > 65535) {
		reply_err(c, "ERR Invalid master port");
		return;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(c->argv[1].len < 255 ? c->argv[1].len : 255),
		c->argv[1].ptr);
	rte_spinlock_lock(&r->lock);
	same = atomic_load(&c->srv->is_replica) && r->master_port == port &&
	       strcasecmp(r->master_host, host) == 0;
	rte_spinlock_unlock(&r->lock);
	if (same) {
		reply_status(c, "OK Already connected to specified master");
		return;
	}
	replication_follow(c->srv, host, (int)port);
	server_log(c->srv, 2, "repl: REPLICAOF %s:%d from %s", host, (int)port,
		client_peer(c, (char[CLIENT_ADDR]){0}));
	if (!post_role(c->srv, c->id, attach_run)) {
		reply_err(c, "ERR busy, try again");
		return;
	}
	reply_ok(c);
}

/* --- ROLE --- */

static void role_master(struct client *c)
{
	struct repl *r = c->srv->repl;
	struct replica *rep;
	size_t n = 0;

	reply_array(c, 3);
	reply_bulk_str(c, "master");
	reply_int(c, (int64_t)log_tail(c->srv->log));
	reply_defer_begin(c);
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		char num[24];

		if (rep->state != REPLICA_ONLINE)
			continue;
		n++;
		reply_array(c, 3);
		reply_bulk_str(c, rep->ip);
		snprintf(num, sizeof(num), "%d", rep->listening_port);
		reply_bulk_str(c, num);
		snprintf(num, sizeof(num), "%llu", (unsigned long long)atomic_load(&rep->ack_off));
		reply_bulk_str(c, num);
	}
	rte_spinlock_unlock(&r->lock);
	reply_defer_end_array(c, n);
}

static void cmd_role(struct client *c)
{
	struct repl *r = c->srv->repl;
	char host[256];
	int port;

	if (!atomic_load(&c->srv->is_replica)) {
		role_master(c);
		return;
	}
	rte_spinlock_lock(&r->lock);
	snprintf(host, sizeof(host), "%s", r->master_host);
	port = r->master_port;
	rte_spinlock_unlock(&r->lock);
	reply_array(c, 5);
	reply_bulk_str(c, "slave");
	reply_bulk_str(c, host);
	reply_int(c, port);
	reply_bulk_str(c, link_state_name((enum link_state)atomic_load(&r->link_state)));
	reply_int(c, (int64_t)log_tail(c->srv->log));
}

/* --- REPLCONF --- */

static bool replica_of(struct client *c)
{
	if (!c->replica && c->conn) {
		/* "1.2.3.4:5" or "[::1]:5"; the port and the brackets are not of the address. */
		char peer[CLIENT_ADDR];
		const char *ip = client_peer(c, peer) + (peer[0] == '['), *end = strrchr(peer, ':');
		int len = (int)(end ? end - ip : (ptrdiff_t)strlen(ip));

		if (ip != peer && len > 0)
			len--;
		c->replica = replica_create(c->conn, c->srv->log, c->id);
		if (c->replica) {
			snprintf(c->replica->ip, sizeof(c->replica->ip), "%.*s", len, ip);
			c->replica->bytes_out = &c->ac->repl_bytes_out;
			c->replica->keep = c->srv->repl->keep;
			c->replica->pace = &c->srv->repl->pace;
		}
	}
	return c->replica;
}

/* What of the RDB is wanted: "functions" at most, of which there are none; never the data. */
static bool replconf_filter(struct client *c, const struct slice *val)
{
	for (const char *p = val->ptr, *end = p + val->len; p < end;) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		struct slice word = {p, (size_t)((blank ? blank : end) - p)};

		if (word.len && !arg_is(&word, "functions")) {
			reply_errf(c, "ERR Unsupported rdb-filter-only option: %.*s",
				(int)(word.len < 128 ? word.len : 128), word.ptr);
			return false;
		}
		p += word.len + 1;
	}
	c->replica->no_data = true;
	return true;
}

/* One option. False: it has been answered, or is one that never is. */
static bool replconf_option(struct client *c, const struct slice *name, const struct slice *val)
{
	struct replica *rep = c->replica;
	int64_t n;

	if (arg_is(name, "listening-port")) {
		if (!arg_int_reply(c, val, &n))
			return false;
		rep->listening_port = (int)n;
	} else if (arg_is(name, "ip-address")) {
		if (val->len >= sizeof(rep->ip)) {
			reply_errf(c,
				"ERR REPLCONF ip-address provided by replica instance is too long: %zu bytes",
				val->len);
			return false;
		}
		snprintf(rep->ip, sizeof(rep->ip), "%.*s", (int)val->len, val->ptr);
	} else if (arg_is(name, "capa")) {
		rep->capa_eof |= arg_is(val, "eof");
		rep->capa_psync2 |= arg_is(val, "psync2");
		rep->capa_burst |= arg_is(val, "burst-acks");
	} else if (arg_is(name, "ack")) {
		if ((c->flags & CLIENT_REPLICA) && arg_int(val, &n) && n >= 0) {
			replica_ack(rep, (uint64_t)n, c->now_ms);
			atomic_fetch_add(&c->srv->repl->ack_gen, 1);
			repl_durable_update(c->srv, c->now_ms);
		}
		return false;
	} else if (arg_is(name, "divergence")) {
		if ((c->flags & CLIENT_REPLICA) && arg_int(val, &n) && n >= 0)
			atomic_store(&rep->divergence, (uint64_t)n);
		return false;
	} else if (arg_is(name, "getack")) {
		return false;
	} else if (arg_is(name, "rdb-only")) {
		if (!arg_int_reply(c, val, &n))
			return false;
		if (n != 0 && n != 1) {
			reply_err(c, "ERR value is out of range, value must between 0 and 1");
			return false;
		}
		rep->rdb_only = n == 1;
	} else if (arg_is(name, "rdb-filter-only")) {
		return replconf_filter(c, val);
	} else {
		reply_errf(c, "ERR Unrecognized REPLCONF option: %.*s",
			(int)(name->len < 128 ? name->len : 128), name->ptr);
		return false;
	}
	return true;
}

static void cmd_replconf(struct client *c)
{
	if (c->argc % 2 == 0) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (!replica_of(c)) {
		reply_err(c, "ERR not available here");
		return;
	}
	for (uint32_t i = 1; i < c->argc; i += 2)
		if (!replconf_option(c, &c->argv[i], &c->argv[i + 1]))
			return;
	reply_ok(c);
}

/* --- PSYNC, SYNC --- */

/* PSYNC ... FAILOVER: our master hands its role to us. The command is run again until we have it.
 * False: not yet, or refused. */
static bool take_over(struct client *c)
{
	struct server *srv = c->srv;
	struct repl *r = srv->repl;
	struct psync_ids ids;
	bool promoting;

	if (!replica_of(c)) {
		reply_err(c, "ERR not available here");
		return false;
	}
	if (c->replica->takes_over) {
		if (!atomic_load(&srv->is_replica))
			return true;
		rte_spinlock_lock(&r->lock);
		promoting = !r->master_host[0];
		rte_spinlock_unlock(&r->lock);
		if (promoting) {
			cmd_retry(c);
			return false;
		}
		return true; /* REPLICAOF came in between: there is no link yet */
	}
	server_log(srv, 3, "repl: failover request received for replid %.*s",
		(int)(c->argv[1].len < 40 ? c->argv[1].len : 40), c->argv[1].ptr);
	if (!atomic_load(&srv->is_replica)) {
		reply_err(c, "ERR PSYNC FAILOVER can't be sent to a master.");
		return false;
	}
	repl_ids(srv, &ids);
	if (!arg_is(&c->argv[1], ids.replid)) {
		reply_err(c, "ERR PSYNC FAILOVER replid must match my replid.");
		return false;
	}
	if (replication_promote(srv, 0))
		c->replica->takes_over = true;
	cmd_retry(c);
	return false;
}

static bool sync_allowed(struct client *c)
{
	if (failover_active(c->srv)) {
		reply_err(c, "NOMASTERLINK Can't SYNC while failing over");
		return false;
	}
	if (atomic_load(&c->srv->is_replica) && !repl_link_up(c->srv)) {
		reply_err(c, "NOMASTERLINK Can't SYNC while not connected with my master");
		return false;
	}
	if (!replica_of(c)) {
		reply_err(c, "ERR not available here");
		return false;
	}
	return true;
}

static void begin(struct client *c)
{
	monitor_stop(c);
	repl_replica_add(c);
	if (!c->in_dirty) {
		c->in_dirty = true;
		TAILQ_INSERT_TAIL(&c->ac->dirty, c, dirty_link);
	}
}

static void cmd_psync(struct client *c)
{
	struct repl *r = c->srv->repl;
	struct psync_ids ids;
	char id[64];
	int64_t offset;
	uint64_t off;
	const char *why;

	if (c->flags & CLIENT_REPLICA)
		return;
	if (c->argc > 3 && arg_is(&c->argv[3], "failover") && !take_over(c))
		return;
	if (!sync_allowed(c) || !arg_int_reply(c, &c->argv[2], &offset))
		return;
	snprintf(id, sizeof(id), "%.*s", (int)(c->argv[1].len < 63 ? c->argv[1].len : 63),
		c->argv[1].ptr);
	repl_ids(c->srv, &ids);
	c->replica->psync = true;
	if (psync_accept(&ids, c->srv->log, id, offset, &off, &why)) {
		atomic_fetch_add(&r->sync_partial_ok, 1);
		server_log(c->srv, 2, "repl: partial resync peer=%s off=%llu bytes=%llu",
			client_peer(c, (char[CLIENT_ADDR]){0}), (unsigned long long)off,
			(unsigned long long)(log_tail(c->srv->log) - off));
		begin(c);
		replica_start_partial(c->replica, ids.replid, off, c->now_ms);
		return;
	}
	if (id[0] != '?')
		atomic_fetch_add(&r->sync_partial_err, 1);
	repl_observe_full(c->srv, id[0] == '?' ? SYNC_NO_HISTORY : repl_observe_reason(why));
	server_log(c->srv, 2, "repl: full sync peer=%s asked=%s:%lld reason=%s",
		client_peer(c, (char[CLIENT_ADDR]){0}), id, (long long)offset,
		id[0] == '?' ? "the replica has no history" : why);
	begin(c);
	repl_full_sync(c);
}

static void cmd_sync(struct client *c)
{
	if (c->flags & CLIENT_REPLICA)
		return;
	if (!sync_allowed(c))
		return;
	repl_observe_full(c->srv, SYNC_OLD_COMMAND);
	server_log(c->srv, 2, "repl: full sync peer=%s reason=SYNC",
		client_peer(c, (char[CLIENT_ADDR]){0}));
	c->replica->psync = false;
	begin(c);
	repl_full_sync(c);
}

/* --- WAIT --- */

static void cmd_wait(struct client *c)
{
	int64_t want, timeout;
	struct client_cold *cold;
	unsigned have;

	if (atomic_load(&c->srv->is_replica)) {
		reply_err(c,
			"ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
			"replica is configured to be writable (which is not the default) writes to replicas are just "
			"local and are not propagated.");
		return;
	}
	if (!arg_int_reply(c, &c->argv[1], &want))
		return;
	if (!arg_int(&c->argv[2], &timeout)) {
		reply_err(c, "ERR timeout is not an integer or out of range");
		return;
	}
	if (timeout < 0) {
		reply_err(c, "ERR timeout is negative");
		return;
	}
	have = repl_count_acked(c->srv, c->last_write_off);
	if ((int64_t)have >= want || c->ac->in_exec) {
		reply_int(c, have);
		return;
	}
	cold = client_cold_get(c);
	if (!cold) {
		reply_err(c, "ERR out of memory");
		return;
	}
	cold->wait_offset = c->last_write_off;
	cold->wait_replicas = want > 1000000 ? 1000000 : (int)want;
	c->block = BLOCK_WAIT;
	c->block_until_ms = timeout ? c->now_ms + timeout : 0;
	c->flags |= CLIENT_BLOCKED;
	repl_request_acks(c->ac);
}

struct command repl_commands[] = {
	{.name = "replicaof",
		.fn = cmd_replicaof,
		.arity = 3,
		.flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING,
		.group = "server",
		.since = "5.0.0",
		.complexity = "O(1)",
		.summary = "Makes the node a replica of another, or a master (NO ONE)."},
	{.name = "slaveof",
		.fn = cmd_replicaof,
		.arity = 3,
		.flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING,
		.group = "server",
		.since = "1.0.0",
		.complexity = "O(1)",
		.summary = "The older name of REPLICAOF."},
	{.name = "failover",
		.fn = cmd_failover,
		.arity = -1,
		.flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE,
		.group = "server",
		.since = "6.2.0",
		.complexity = "O(1)",
		.summary = "Hands the master's role to one of its replicas."},
	{.name = "role",
		.fn = cmd_role,
		.arity = 1,
		.flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST,
		.group = "server",
		.since = "2.8.12",
		.complexity = "O(1)",
		.categories = "admin dangerous",
		.summary = "Tells the node's role in replication, its offset and its peers."},
	{.name = "replconf",
		.fn = cmd_replconf,
		.arity = -1,
		.flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_ALLOW_BUSY,
		.group = "server",
		.since = "3.0.0",
		.complexity = "O(1)",
		.summary = "Sets options of a replication link (internal)."},
	{.name = "psync",
		.fn = cmd_psync,
		.arity = -3,
		.flags = CMD_ADMIN | CMD_NO_MULTI | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
		.group = "server",
		.since = "2.8.0",
		.summary = "Continues or begins a replication stream (internal)."},
	{.name = "sync",
		.fn = cmd_sync,
		.arity = 1,
		.flags = CMD_ADMIN | CMD_NO_MULTI | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
		.group = "server",
		.since = "1.0.0",
		.summary = "Begins a replication stream (internal)."},
	{.name = "wait",
		.fn = cmd_wait,
		.arity = 3,
		.flags = CMD_NOSCRIPT,
		.group = "generic",
		.since = "3.0.0",
		.complexity = "O(1)",
		.categories = "connection",
		.summary =
			"Waits until this connection's writes are durable on a number of replicas."},
	{.name = NULL},
};
