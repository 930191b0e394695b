/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/failover.h"

#include "app/commands/command.h"
#include "app/commands/replication.h"
#include "app/commands/script_run.h"
#include "app/control.h"
#include "app/repl_sync.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum failover_state state_of(const struct server *srv)
{
	return (enum failover_state)atomic_load(&srv->repl->failover.state);
}

const char *failover_state_name(const struct server *srv)
{
	switch (state_of(srv)) {
	case FAILOVER_NONE: return "no-failover";
	case FAILOVER_WAIT_SYNC: return "waiting-for-sync";
	case FAILOVER_IN_PROGRESS:
	case FAILOVER_ABORTING: return "failover-in-progress";
	}
	return "unknown";
}

bool failover_active(const struct server *srv)
{
	return state_of(srv) != FAILOVER_NONE;
}

bool failover_asks(const struct server *srv)
{
	return state_of(srv) == FAILOVER_IN_PROGRESS;
}

/* --- the ends --- */

static void clear(struct server *srv)
{
	atomic_store(&srv->repl->failover.state, FAILOVER_NONE);
	pause_end(srv, PAUSE_FAILOVER);
}

static void say_aborted(struct server *srv, const char *why)
{
	struct repl *r = srv->repl;

	if (r->failover.host[0])
		server_log(srv, 2, "repl: failover to %s:%d aborted: %s", r->failover.host,
			r->failover.port, why);
	else
		server_log(srv, 2, "repl: failover to any replica aborted: %s", why);
}

/* Master again; client_id hears of it then. */
static void give_back(struct server *srv, const char *why, uint64_t client_id)
{
	say_aborted(srv, why);
	atomic_store(&srv->repl->failover.state, FAILOVER_ABORTING);
	BUG_ON(!replication_promote(srv, client_id));
}

void failover_accepted(struct server *srv)
{
	if (state_of(srv) != FAILOVER_IN_PROGRESS)
		return;
	server_log(srv, 2, "repl: failover done, %s:%d is the master", srv->repl->failover.host,
		srv->repl->failover.port);
	clear(srv);
}

void failover_refused(struct server *srv)
{
	if (state_of(srv) == FAILOVER_IN_PROGRESS)
		give_back(srv, "Failover target rejected psync request", 0);
}

void failover_promoted(struct server *srv)
{
	if (state_of(srv) == FAILOVER_ABORTING)
		clear(srv);
}

/* --- the change of roles --- */

/* With every partition locked nobody writes: what the tail is now is what there will be. */
static void hand_over(struct app_core *ac, bool force)
{
	struct server *srv = ac->srv;
	struct repl *r = srv->repl;
	uint64_t acked = r->failover.acked;
	struct ks_lockset all;

	if (!script_lock_node(ac, &all))
		return; /* the node stops */
	if (!force && log_tail(srv->log) != acked) {
		script_unlock_node(ac, &all);
		return;
	}
	server_log(srv, 2, "repl: failover target %s:%d %s, failing over.", r->failover.host,
		r->failover.port, force ? "has not caught up, time out exceeded" : "is synced");
	atomic_store(&r->failover.state, FAILOVER_IN_PROGRESS);
	replication_follow(srv, r->failover.host, r->failover.port);
	script_unlock_node(ac, &all);
	if (repl_sync_attach(srv))
		give_back(srv, "out of memory", 0);
}

/* The replica that has all there is, be it any or the one that was named. */
static bool find_synced(struct server *srv)
{
	struct repl *r = srv->repl;
	uint64_t tail = log_tail(srv->log);
	struct replica *rep;
	bool found = false;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		if (rep->state != REPLICA_ONLINE || !rep->psync ||
			atomic_load(&rep->ack_off) != tail)
			continue;
		if (r->failover.any) {
			snprintf(r->failover.host, sizeof(r->failover.host), "%s", rep->ip);
			r->failover.port = rep->listening_port;
		} else if (strcmp(rep->ip, r->failover.host) != 0 ||
			   rep->listening_port != r->failover.port) {
			continue;
		}
		found = true;
		r->failover.acked = tail;
		break;
	}
	rte_spinlock_unlock(&r->lock);
	return found;
}

void failover_work(struct app_core *ac)
{
	struct server *srv = ac->srv;
	struct repl *r = srv->repl;

	if (state_of(srv) != FAILOVER_WAIT_SYNC)
		return;
	if (atomic_load(&srv->is_replica)) { /* REPLICAOF came in before we could refuse it */
		say_aborted(srv, "the node is a replica");
		clear(srv);
	} else if (r->failover.end_ms && ac->now_ms >= r->failover.end_ms) {
		if (r->failover.force) {
			hand_over(ac, true);
		} else {
			say_aborted(srv, "Replica never caught up before timeout");
			clear(srv);
		}
	} else if (find_synced(srv)) {
		hand_over(ac, false);
	}
}

/* --- the command --- */

struct abort_msg {
	struct core_msg msg;
	struct server *srv;
	uint64_t client_id;
};

static void abort_run(struct core *core, struct core_msg *m)
{
	static const char ok[] = "+OK\r\n", none[] = "-ERR No failover in progress.\r\n";
	struct abort_msg *msg = (struct abort_msg *)m;
	struct server *srv = msg->srv;

	switch (state_of(srv)) {
	case FAILOVER_WAIT_SYNC:
		say_aborted(srv, "Failover manually aborted");
		clear(srv);
		client_send_unblock(srv, msg->client_id, ok, sizeof(ok) - 1);
		break;
	case FAILOVER_IN_PROGRESS:
		give_back(srv, "Failover manually aborted", msg->client_id);
		break;
	case FAILOVER_NONE:
	case FAILOVER_ABORTING:
		client_send_unblock(srv, msg->client_id, none, sizeof(none) - 1);
		break;
	}
	free(msg);
}

static void abort_command(struct client *c)
{
	struct abort_msg *msg;

	if (!failover_active(c->srv)) {
		reply_err(c, "ERR No failover in progress.");
		return;
	}
	msg = calloc(1, sizeof(*msg));
	if (!msg) {
		reply_err(c, "ERR out of memory");
		return;
	}
	msg->msg.fn = abort_run;
	msg->srv = c->srv;
	msg->client_id = c->ac->in_exec ? 0 : c->id;
	if (core_post(c->srv->cores[0]->core, &msg->msg)) {
		free(msg);
		reply_err(c, "ERR busy, try again");
		return;
	}
	if (c->ac->in_exec) { /* where nothing may wait */
		reply_ok(c);
		return;
	}
	c->flags |= CLIENT_BLOCKED;
	c->block = BLOCK_CONTROL;
	c->block_until_ms = 0;
}

struct request {
	int64_t timeout_ms, port;
	const struct slice *host;
	bool force;
};

static bool parse(struct client *c, struct request *rq)
{
	for (uint32_t i = 1; i < c->argc; i++) {
		if (arg_is(&c->argv[i], "timeout") && i + 1 < c->argc && rq->timeout_ms == 0) {
			if (!arg_int_reply(c, &c->argv[++i], &rq->timeout_ms))
				return false;
			if (rq->timeout_ms <= 0) {
				reply_err(c, "ERR FAILOVER timeout must be greater than 0");
				return false;
			}
		} else if (arg_is(&c->argv[i], "to") && i + 2 < c->argc && !rq->host) {
			if (!arg_int_reply(c, &c->argv[i + 2], &rq->port))
				return false;
			rq->host = &c->argv[i + 1];
			i += 2;
		} else if (arg_is(&c->argv[i], "force") && !rq->force) {
			rq->force = true;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

/* Under repl->lock. NULL: the target is there and online. */
static const char *refuse_target(struct repl *r, const struct request *rq)
{
	struct replica *rep;

	if (!rq->host)
		return NULL;
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		if (rep->listening_port == rq->port && strlen(rep->ip) == rq->host->len &&
			memcmp(rep->ip, rq->host->ptr, rq->host->len) == 0)
			return rep->state == REPLICA_ONLINE
				       ? NULL
				       : "ERR FAILOVER target replica is not online.";
	return "ERR FAILOVER target HOST and PORT is not a replica.";
}

/* Under repl->lock. */
static const char *begin(struct client *c, const struct request *rq)
{
	struct repl *r = c->srv->repl;
	struct failover *f = &r->failover;
	const char *refusal;

	if (failover_active(c->srv))
		return "ERR FAILOVER already in progress.";
	if (atomic_load(&c->srv->is_replica))
		return "ERR FAILOVER is not valid when server is a replica.";
	if (r->nr_replicas == 0)
		return "ERR FAILOVER requires connected replicas.";
	if (rq->force && (!rq->timeout_ms || !rq->host))
		return "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
	refusal = refuse_target(r, rq);
	if (refusal)
		return refusal;
	f->any = !rq->host;
	snprintf(f->host, sizeof(f->host), "%.*s", rq->host ? (int)rq->host->len : 0,
		rq->host ? rq->host->ptr : "");
	f->port = (int)rq->port;
	f->force = rq->force;
	f->end_ms = 0;
	if (rq->timeout_ms && __builtin_add_overflow(c->now_ms, rq->timeout_ms, &f->end_ms))
		f->end_ms = INT64_MAX;
	atomic_store(&f->state, FAILOVER_WAIT_SYNC);
	return NULL;
}

void cmd_failover(struct client *c)
{
	struct request rq = {0};
	const char *refusal;

	if (c->argc == 2 && arg_is(&c->argv[1], "abort")) {
		abort_command(c);
		return;
	}
	if (!parse(c, &rq))
		return;
	rte_spinlock_lock(&c->srv->repl->lock);
	refusal = begin(c, &rq);
	rte_spinlock_unlock(&c->srv->repl->lock);
	if (refusal) {
		reply_err(c, refusal);
		return;
	}
	pause_begin(c->srv, PAUSE_FAILOVER, c->now_ms, INT64_MAX, true);
	if (rq.host)
		server_log(c->srv, 2, "repl: failover requested to %.*s:%lld", (int)rq.host->len,
			rq.host->ptr, (long long)rq.port);
	else
		server_log(c->srv, 2, "repl: failover requested to any replica");
	core_kick(c->srv->cores[0]->core);
	reply_ok(c);
}
