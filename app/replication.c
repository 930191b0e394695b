/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Role, ids, our replicas, and what INFO tells of them.
 */
#include "app/replication.h"

#include "app/apply.h"
#include "app/client_cold.h"
#include "app/commands/dispatch.h"
#include "app/commands/encode.h"
#include "app/commands/failover.h"
#include "app/control.h"
#include "app/rdb/save.h"
#include "app/repl_check.h"
#include "app/repl_durable.h"
#include "app/repl_observe.h"
#include "app/repl_sync.h"
#include "app/textbuf.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/crc64.h"
#include "persist/log.h"
#include "persist/log_keep.h"
#include "persist/snapshot.h"
#include "repl/rdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define GOOD_EVERY_US (100 * 1000)
#define KEEP_EVERY_US 500
#define KEEP_SLICE    (1u << 20)
#define RTT_EVERY_US  (1000 * 1000)

void repl_random_id(char id[41])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[20];

	BUG_ON(getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes));
	for (int i = 0; i < 20; i++) {
		id[2 * i] = hex[bytes[i] >> 4];
		id[2 * i + 1] = hex[bytes[i] & 15];
	}
	id[40] = 0;
}

int repl_create(struct server *srv, struct repl **out)
{
	struct repl *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->observe = calloc(1, sizeof(*r->observe));
	if (!r->observe) {
		free(r);
		return -ENOMEM;
	}
	r->srv = srv;
	rte_spinlock_init(&r->lock);
	TAILQ_INIT(&r->replicas);
	r->ack_due_off = UINT64_MAX;
	*out = r;
	return 0;
}

void repl_destroy(struct repl **rp)
{
	struct repl *r = *rp;

	if (!r)
		return;
	repl_sync_teardown(r);
	log_keep_destroy(&r->keep);
	repl_check_destroy(r);
	free(r->observe);
	free(r);
	*rp = NULL;
}

void repl_ids(struct server *srv, struct psync_ids *ids)
{
	rte_spinlock_lock(&srv->repl->lock);
	*ids = srv->repl->ids;
	rte_spinlock_unlock(&srv->repl->lock);
}

static void ids_set(struct server *srv, const struct psync_ids *ids)
{
	rte_spinlock_lock(&srv->repl->lock);
	srv->repl->ids = *ids;
	rte_spinlock_unlock(&srv->repl->lock);
}

/* A replica starts as a master: as after REPLICAOF NO ONE, its history goes on under an id of its
 * own. */
static int start_promoted(struct server *srv)
{
	struct app_core *ac = srv->cores[0];
	struct pool_repl pr = {0};
	struct psync_ids ids;

	repl_ids_shifted(srv, NULL, &ids);
	memcpy(pr.replid, ids.replid, 41);
	memcpy(pr.replid2, ids.replid2, 41);
	pr.second_repl_offset = ids.second_repl_offset;
	pool_repl_set(srv->pool, &pr);
	ids_set(srv, &ids);
	if (!repl_return_to_db0(ac))
		return -ENOSPC;
	log_commit(ac->log);
	server_log(srv, 2, "repl: it was a replica, master now off=%llu",
		(unsigned long long)log_tail(srv->log));
	return 0;
}

void repl_setup_role(struct server *srv)
{
	if (!srv->cfg->replicaof_host || !srv->cfg->replicaof_host[0])
		return;
	rte_spinlock_lock(&srv->repl->lock);
	snprintf(srv->repl->master_host, sizeof(srv->repl->master_host), "%s",
		srv->cfg->replicaof_host);
	srv->repl->master_port = srv->cfg->replicaof_port;
	rte_spinlock_unlock(&srv->repl->lock);
	atomic_store(&srv->is_replica, true);
}

int repl_start(struct server *srv)
{
	struct pool_repl pr;
	struct psync_ids ids;

	pool_repl_get(srv->pool, &pr);
	memset(&ids, 0, sizeof(ids));
	memcpy(ids.replid, pr.replid, 41);
	memcpy(ids.replid2, pr.replid2, 41);
	ids.second_repl_offset = pr.second_repl_offset;
	ids_set(srv, &ids);
	repl_durable_configure(srv);
	repl_durable_begin(srv);
	if (repl_check_create(srv))
		return -ENOMEM;
	srv->repl->keep = log_keep_create(srv->pool);
	if (!srv->repl->keep)
		return -ENOMEM;
	if (!atomic_load(&srv->is_replica))
		return pr.is_copy ? start_promoted(srv) : 0;
	return repl_sync_attach(srv);
}

/* --- change of ids, through the control thread --- */

struct ids_job {
	struct control_job job;
	struct psync_ids ids;
	bool is_copy;
	void (*then)(struct server *srv, uint64_t client_id);
	uint64_t client_id;
};

static void ids_run(struct server *srv, struct control_job *job)
{
	struct ids_job *j = (struct ids_job *)job;
	struct pool_repl pr = {
		.second_repl_offset = j->ids.second_repl_offset,
		.is_copy = j->is_copy,
	};

	memcpy(pr.replid, j->ids.replid, 41);
	memcpy(pr.replid2, j->ids.replid2, 41);
	pool_repl_set(srv->pool, &pr);
	ids_set(srv, &j->ids);
}

static void ids_done(struct server *srv, struct control_job *job)
{
	struct ids_job *j = (struct ids_job *)job;

	if (j->then)
		j->then(srv, j->client_id);
	free(j);
}

void repl_ids_change(struct server *srv, const struct psync_ids *ids, bool is_copy,
	void (*then)(struct server *srv, uint64_t client_id), uint64_t client_id)
{
	struct ids_job *j = calloc(1, sizeof(*j));

	BUG_ON(!j);
	j->job.run = ids_run;
	j->job.done = ids_done;
	j->job.core = srv->cores[0]->core;
	j->ids = *ids;
	j->is_copy = is_copy;
	j->then = then;
	j->client_id = client_id;
	control_post(srv, &j->job);
}

void repl_ids_shifted(struct server *srv, const char *id, struct psync_ids *ids)
{
	repl_ids(srv, ids);
	memcpy(ids->replid2, ids->replid, 41);
	ids->second_repl_offset = (int64_t)log_tail(srv->log) + 1;
	if (id)
		snprintf(ids->replid, sizeof(ids->replid), "%s", id);
	else
		repl_random_id(ids->replid);
}

void repl_change_id(struct server *srv)
{
	struct psync_ids ids;

	repl_ids(srv, &ids);
	repl_random_id(ids.replid);
	memset(ids.replid2, '0', 40);
	ids.second_repl_offset = -1;
	repl_ids_change(srv, &ids, false, NULL, 0);
}

bool repl_return_to_db0(struct app_core *ac)
{
	static const char select0[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
	struct repl *r = ac->srv->repl;

	if (atomic_load(&r->stream_db) == 0)
		return true;
	if (log_admit(ac->log, sizeof(select0)))
		return false;
	log_append(ac->log, select0, sizeof(select0) - 1);
	atomic_store(&r->stream_db, 0);
	return true;
}

/* --- our replicas --- */

void repl_replica_add(struct client *c)
{
	struct repl *r = c->srv->repl;

	c->flags |= CLIENT_REPLICA;
	TAILQ_INSERT_TAIL(&c->ac->replicas, c->replica, core_link);
	rte_spinlock_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->replicas, c->replica, list_link);
	r->nr_replicas++;
	rte_spinlock_unlock(&r->lock);
	atomic_store(&r->has_audience, true);
}

void repl_client_closed(struct client *c)
{
	struct repl *r = c->srv->repl;

	if (!c->replica)
		return;
	if (c->flags & CLIENT_REPLICA) {
		TAILQ_REMOVE(&c->ac->replicas, c->replica, core_link);
		rte_spinlock_lock(&r->lock);
		TAILQ_REMOVE(&r->replicas, c->replica, list_link);
		r->nr_replicas--;
		rte_spinlock_unlock(&r->lock);
		repl_durable_update(c->srv, c->ac->now_ms);
		if (c->replica->state == REPLICA_WAIT_SNAPSHOT)
			atomic_fetch_sub(&r->snapshot_wanted, 1);
		server_log(c->srv, 2, "repl: replica gone peer=%s port=%d",
			client_peer(c, (char[CLIENT_ADDR]){0}), c->replica->listening_port);
	}
	replica_destroy(&c->replica);
}

static bool snapshot_fits(struct server *srv, struct snap *snap)
{
	uint64_t off = snap_offset(snap), behind = log_tail(srv->log) - off;
	uint64_t limit = snap_size(snap) > log_ring_size(srv->log) / 8
				 ? snap_size(snap)
				 : log_ring_size(srv->log) / 8;

	return off >= log_start(srv->log) && behind <= limit;
}

/* Who takes the RDB alone (redis-cli --rdb), or may do so (SYNC), gets the data of now. */
static bool wants_fresh(const struct replica *rep)
{
	return rep->rdb_only || !rep->psync;
}

/* Header, end and checksum. */
static void bare_sync(struct client *c)
{
	struct server *srv = c->srv;
	uint64_t off = log_watermark(srv->log), crc;
	struct psync_ids ids;
	char rdb[512];
	size_t len;

	repl_ids(srv, &ids);
	len = rdb_save_prefix(rdb, sizeof(rdb) - 9, c->now_ms / 1000, server_used_memory(srv), 0,
		ids.replid, off);
	rdb[len++] = (char)RDB_OP_EOF;
	crc = crc64(0, rdb, len);
	for (int i = 0; i < 8; i++)
		rdb[len++] = (char)(crc >> (8 * i));
	replica_start_bare(c->replica, ids.replid, off, rdb, len, c->now_ms);
}

void repl_full_sync(struct client *c)
{
	struct repl *r = c->srv->repl;
	struct snap *snap = snap_newest_get(c->srv->pool);
	struct psync_ids ids;

	if (c->replica->no_data) {
		snap_put(&snap);
		bare_sync(c);
		return;
	}
	c->replica->min_off = wants_fresh(c->replica) ? log_tail(c->srv->log) : 0;
	if (snap && snapshot_fits(c->srv, snap) && snap_offset(snap) >= c->replica->min_off) {
		repl_ids(c->srv, &ids);
		replica_start_full(c->replica, ids.replid, snap, c->now_ms);
		return;
	}
	snap_put(&snap);
	if (c->replica->state == REPLICA_WAIT_SNAPSHOT)
		return;
	atomic_fetch_add(&r->snapshot_wanted, 1);
	c->replica->saves_seen = atomic_load(&c->srv->nr_saves);
	replica_wait_snapshot(c->replica, c->now_ms);
	control_wake(c->srv);
}

void repl_snapshot_published(struct server *srv)
{
	for (unsigned i = 0; i < srv->nr_cores; i++)
		core_kick(srv->cores[i]->core);
}

/* A snapshot has been published since it was asked for: any that covers the log will do. */
static void start_waiting(struct app_core *ac, struct replica *rep)
{
	struct server *srv = ac->srv;
	struct snap *snap;
	struct psync_ids ids;

	if (rep->saves_seen == atomic_load(&srv->nr_saves))
		return;
	snap = snap_newest_get(srv->pool);
	if (!snap)
		return;
	if (snap_offset(snap) <
		rep->min_off) { /* one that was under way already: the next will do */
		rep->saves_seen = atomic_load(&srv->nr_saves);
		snap_put(&snap);
		control_wake(srv);
		return;
	}
	atomic_fetch_sub(&srv->repl->snapshot_wanted, 1);
	repl_ids(srv, &ids);
	replica_start_full(rep, ids.replid, snap, ac->now_ms);
}

static struct client *replica_client(struct app_core *ac, struct replica *rep)
{
	struct client *c;

	TAILQ_FOREACH(c, &ac->clients, core_link)
		if (c->replica == rep)
			return c;
	return NULL;
}

static void drop(struct app_core *ac, struct replica *rep, const char *reason)
{
	struct client *c = replica_client(ac, rep);

	if (!c || (c->flags & CLIENT_CLOSE_AFTER))
		return;
	server_log(ac->srv, 3, "repl: replica dropped peer=%s port=%d off=%llu reason=%s",
		client_peer(c, (char[CLIENT_ADDR]){0}), rep->listening_port,
		(unsigned long long)atomic_load(&rep->ack_off), reason);
	client_abort(c);
}

void repl_drop_replicas(struct app_core *ac, const char *reason)
{
	struct replica *rep, *next;

	for (rep = TAILQ_FIRST(&ac->replicas); rep; rep = next) {
		next = TAILQ_NEXT(rep, core_link);
		drop(ac, rep, reason);
	}
}

/* Sent to every core; the last one to have dropped its replicas lets things go on, on core 0. */
struct drop_all {
	atomic_uint nr_left;
	struct server *srv;
	void (*then)(struct server *srv, uint64_t client_id);
	uint64_t client_id;
};

struct drop_msg {
	struct core_msg msg;
	struct drop_all *all;
};

static void drop_done(struct core *core, struct core_msg *m)
{
	struct drop_all *all = ((struct drop_msg *)m)->all;

	all->then(all->srv, all->client_id);
	free(all);
	free(m);
}

static void drop_run(struct core *core, struct core_msg *m)
{
	struct drop_all *all = ((struct drop_msg *)m)->all;

	repl_drop_replicas(core->app, "the replication id has changed");
	if (atomic_fetch_sub(&all->nr_left, 1) > 1) {
		free(m);
		return;
	}
	m->fn = drop_done;
	/* One message a change of role, against thousands of places. */
	BUG_ON(core_post(all->srv->cores[0]->core, m));
}

void repl_drop_all(struct server *srv, void (*then)(struct server *srv, uint64_t client_id),
	uint64_t client_id)
{
	struct drop_all *all = calloc(1, sizeof(*all));

	BUG_ON(!all);
	atomic_store(&all->nr_left, srv->nr_cores);
	all->srv = srv;
	all->then = then;
	all->client_id = client_id;
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		struct drop_msg *m = calloc(1, sizeof(*m));

		BUG_ON(!m);
		m->msg.fn = drop_run;
		m->all = all;
		BUG_ON(core_post(srv->cores[i]->core, &m->msg));
	}
}

static void replica_check(struct app_core *ac, struct replica *rep)
{
	int64_t timeout =
		1000ll * atomic_load_explicit(&ac->srv->cfg->repl_timeout_s, memory_order_relaxed);

	bool waits = rep->state == REPLICA_WAIT_SNAPSHOT;

	if (ac->now_us - rep->rtt_asked_us >= RTT_EVERY_US) {
		rep->rtt_asked_us = ac->now_us;
		atomic_store(&rep->rtt_us, conn_rtt_us(rep->conn));
	}
	replica_tick(rep, ac->now_ms);
	if (waits && rep->state != REPLICA_WAIT_SNAPSHOT)
		atomic_fetch_sub(&ac->srv->repl->snapshot_wanted, 1); /* given up */
	else if (waits)
		start_waiting(ac, rep);
	if (replica_is_syncing(rep) ? ac->now_ms - replica_progress(rep, ac->now_ms) > timeout
				    : rep->state == REPLICA_ONLINE && rep->psync &&
					      ac->now_ms - atomic_load(&rep->ack_ms) > timeout)
		drop(ac, rep, "timeout");
}

bool repl_core_burst_end(struct app_core *ac)
{
	struct replica *rep, *next;
	bool more = false, pushed;

	if (ac->id == 0)
		repl_sync_burst_end(ac);
	for (rep = TAILQ_FIRST(&ac->replicas); rep; rep = next) {
		next = TAILQ_NEXT(rep, core_link);
		if (ac->now_ms != ac->replicas_ms)
			replica_check(ac, rep);
		if (rep->state == REPLICA_ONLINE && !rep->known_online) {
			rep->known_online = true;
			repl_durable_online(ac->srv, rep, ac->now_ms);
		}
		pushed = replica_pump(rep);
		more |= pushed;
		if (!pushed && rep->state == REPLICA_DROPPED)
			drop(ac, rep, rep->reason);
	}
	ac->replicas_ms = ac->now_ms;
	return more | (ac->id == 0 && repl_durable_asks(ac->srv));
}

/* The master's own PING, which keeps links alive and their offsets moving. */
static void ping(struct app_core *ac)
{
	static const char text[] = "*1\r\n$4\r\nping\r\n";
	struct repl *r = ac->srv->repl;
	uint64_t period =
		1000000ull * (unsigned)atomic_load_explicit(
				     &ac->srv->cfg->repl_ping_period_s, memory_order_relaxed);

	/* Who waits for a replica to have all wants no more to come. */
	if (ac->now_us - r->ping_us < period || failover_active(ac->srv))
		return;
	r->ping_us = ac->now_us;
	if (r->nr_replicas && log_admit(ac->log, sizeof(text)) == 0)
		log_append(ac->log, text, sizeof(text) - 1);
}

/* While a full sync is under way, what it will need and the ring is about to lose is kept. */
static void keep_work(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	uint64_t need = UINT64_MAX, start, end, before;
	struct replica *rep;
	int rc = 0;

	if (!r->keep || ac->now_us - r->keep_us < KEEP_EVERY_US)
		return;
	r->keep_us = ac->now_us;
	atomic_store_explicit(&r->pace.bytes_per_s,
		atomic_load_explicit(&ac->srv->cfg->repl_sync_rate, memory_order_relaxed),
		memory_order_relaxed);
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		if (replica_is_syncing(rep) && !rep->rdb_only && atomic_load(&rep->sent_off) < need)
			need = atomic_load(&rep->sent_off);
	rte_spinlock_unlock(&r->lock);
	log_keep_release(r->keep, need);
	if (need == UINT64_MAX) {
		r->keep_full = false;
		return;
	}
	/* One that came later begins earlier: what it needs is still in the ring. */
	if (log_keep_range(r->keep, &start, &end) && start > need &&
		log_start(ac->srv->log) <= need)
		log_keep_release(r->keep, UINT64_MAX);
	before = log_keep_range(r->keep, &start, &end) ? end : need;
	if (before == end || log_watermark(ac->srv->log) - need > log_ring_size(ac->srv->log) / 2)
		rc = log_keep_advance(r->keep, need, KEEP_SLICE);
	if (log_keep_range(r->keep, &start, &end))
		atomic_fetch_add(&r->kept, end - before);
	if (rc && !r->keep_full)
		server_log(ac->srv, 3,
			"repl: the log of a full sync cannot be kept off=%llu reason=%s",
			(unsigned long long)need,
			rc == -ENOSPC ? "no room in the pool (pmem-size)" : "overrun by writers");
	r->keep_full |= rc != 0;
}

static unsigned count_good(struct server *srv, int64_t now_ms)
{
	struct repl *r = srv->repl;
	int64_t lag = 1000ll *
		      atomic_load_explicit(&srv->cfg->min_replicas_max_lag, memory_order_relaxed);
	struct replica *rep;
	unsigned n = 0;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		n += rep->state == REPLICA_ONLINE && now_ms - atomic_load(&rep->ack_ms) <= lag;
	rte_spinlock_unlock(&r->lock);
	atomic_store_explicit(&r->good_replicas, n, memory_order_relaxed);
	return n;
}

static void note_audience(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	uint64_t ttl_us =
		1000000ull * (uint64_t)atomic_load_explicit(
				     &ac->srv->cfg->repl_backlog_ttl_s, memory_order_relaxed);

	rte_spinlock_lock(&r->lock);
	if (r->nr_replicas)
		r->audience_us = ac->now_us;
	else if (ttl_us && ac->now_us - r->audience_us > ttl_us)
		atomic_store(&r->has_audience, false);
	rte_spinlock_unlock(&r->lock);
}

void repl_core_work(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;

	if (ac->id != 0)
		return;
	failover_work(ac);
	if (atomic_load_explicit(&ac->srv->is_replica, memory_order_relaxed)) {
		repl_sync_work(ac);
	} else {
		ping(ac);
		repl_durable_work(ac);
		repl_check_work(ac);
	}
	keep_work(ac);
	if (ac->now_us - r->good_us >= GOOD_EVERY_US) {
		r->good_us = ac->now_us;
		count_good(ac->srv, ac->now_ms);
		note_audience(ac);
		repl_observe_note(ac);
		repl_durable_update(ac->srv, ac->now_ms);
	}
}

bool repl_enough_replicas(struct server *srv, int64_t now_ms)
{
	int min = atomic_load_explicit(&srv->cfg->min_replicas_to_write, memory_order_relaxed);

	if (!repl_durable_enough(srv))
		return false;
	if (min <= 0 ||
		atomic_load_explicit(&srv->cfg->min_replicas_max_lag, memory_order_relaxed) <= 0)
		return true;
	if ((int)atomic_load_explicit(&srv->repl->good_replicas, memory_order_relaxed) >= min)
		return true;
	/* Nobody is refused for what was so a moment ago. */
	return (int)count_good(srv, now_ms) >= min;
}

bool repl_has_audience(const struct server *srv)
{
	return flag_on(&srv->repl->has_audience);
}

bool repl_link_up(const struct server *srv)
{
	return atomic_load_explicit(&srv->repl->link_up, memory_order_relaxed);
}

unsigned repl_count_acked(struct server *srv, uint64_t off)
{
	struct repl *r = srv->repl;
	struct replica *rep;
	unsigned n = 0;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		n += rep->state == REPLICA_ONLINE && rep->psync &&
		     atomic_load(&rep->ack_off) >= off;
	rte_spinlock_unlock(&r->lock);
	return n;
}

bool repl_all_caught_up(struct server *srv)
{
	struct repl *r = srv->repl;
	uint64_t tail = log_tail(srv->log);
	struct replica *rep;
	bool all = true;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		all &= rep->state != REPLICA_ONLINE || !rep->psync ||
		       atomic_load(&rep->ack_off) + 64 >= tail;
	rte_spinlock_unlock(&r->lock);
	return all;
}

void repl_request_acks(struct app_core *ac)
{
	static const char text[] = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

	/* It touches no partition, so only the core where the role changes knows what the role is.
	 */
	if (ac->id != 0) {
		repl_post_request_acks(ac->srv);
		return;
	}
	if (atomic_load(&ac->srv->is_replica) || failover_active(ac->srv) ||
		log_admit(ac->log, sizeof(text)))
		return;
	log_append(ac->log, text, sizeof(text) - 1);
}

static void acks_run(struct core *core, struct core_msg *msg)
{
	repl_request_acks(core->app);
	free(msg);
}

void repl_post_request_acks(struct server *srv)
{
	struct core_msg *msg = malloc(sizeof(*msg));

	if (!msg)
		return;
	msg->fn = acks_run;
	if (core_post(srv->cores[0]->core, msg))
		free(msg);
}

/* --- INFO --- */

static void info_master_link(struct server *srv, struct textbuf *tb, int64_t now_ms)
{
	struct repl *r = srv->repl;
	int64_t io = atomic_load(&r->link_io_ms), down = atomic_load(&r->link_down_ms);
	bool up = repl_link_up(srv), syncing = atomic_load(&r->syncing);
	char host[256];
	int port;

	rte_spinlock_lock(&r->lock);
	snprintf(host, sizeof(host), "%s", r->master_host);
	port = r->master_port;
	rte_spinlock_unlock(&r->lock);
	textbuf_addf(tb, "master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\n", host,
		port, up ? "up" : "down");
	textbuf_addf(tb, "master_last_io_seconds_ago:%lld\r\nmaster_sync_in_progress:%d\r\n",
		up && io ? (long long)((now_ms - io) / 1000) : -1, syncing);
	textbuf_addf(tb, "slave_read_repl_offset:%llu\r\nslave_repl_offset:%llu\r\n",
		(unsigned long long)log_tail(srv->log), (unsigned long long)log_tail(srv->log));
	if (syncing) {
		int64_t total = atomic_load(&r->sync_total);
		uint64_t done = atomic_load(&r->sync_done);

		textbuf_addf(tb,
			"master_sync_total_bytes:%lld\r\nmaster_sync_read_bytes:%llu\r\n"
			"master_sync_left_bytes:%lld\r\nmaster_sync_perc:%.2f\r\n"
			"master_sync_last_io_seconds_ago:%lld\r\n",
			(long long)(total < 0 ? 0 : total), (unsigned long long)done,
			(long long)(total < 0 ? 0 : total - (int64_t)done),
			total > 0 ? 100.0 * (double)done / (double)total : 0.0,
			io ? (long long)((now_ms - io) / 1000) : -1);
	}
	if (!up)
		textbuf_addf(tb, "master_link_down_since_seconds:%lld\r\n",
			down ? (long long)((now_ms - down) / 1000) : -1);
	textbuf_addf(tb, "slave_priority:%d\r\nslave_read_only:%d\r\nreplica_announced:%d\r\n",
		atomic_load(&srv->cfg->replica_priority), atomic_load(&srv->cfg->replica_read_only),
		atomic_load(&srv->cfg->replica_announced));
}

static void info_replicas(struct server *srv, struct textbuf *tb, int64_t now_ms)
{
	struct repl *r = srv->repl;
	struct replica *rep;
	unsigned i = 0;

	textbuf_addf(tb, "connected_slaves:%u\r\n", r->nr_replicas);
	if (atomic_load(&srv->cfg->min_replicas_to_write) > 0)
		textbuf_addf(tb, "min_slaves_good_slaves:%u\r\n", atomic_load(&r->good_replicas));
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link)
		textbuf_addf(tb, "slave%u:ip=%s,port=%d,state=%s,offset=%llu,lag=%lld\r\n", i++,
			rep->ip, rep->listening_port, replica_state_name(rep->state),
			(unsigned long long)atomic_load(&rep->ack_off),
			rep->state == REPLICA_ONLINE
				? (long long)((now_ms - atomic_load(&rep->ack_ms)) / 1000)
				: 0);
	rte_spinlock_unlock(&r->lock);
}

void repl_info(struct server *srv, struct textbuf *tb)
{
	bool replica = atomic_load(&srv->is_replica);
	int64_t now_ms = srv->cores[0]->now_ms;
	uint64_t tail = log_tail(srv->log), start = log_start(srv->log);
	struct psync_ids ids;

	repl_ids(srv, &ids);
	textbuf_addf(tb, "role:%s\r\n", replica ? "slave" : "master");
	if (replica)
		info_master_link(srv, tb, now_ms);
	info_replicas(srv, tb, now_ms);
	textbuf_addf(tb,
		"master_failover_state:%s\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n"
		"master_repl_offset:%llu\r\nsecond_repl_offset:%lld\r\n",
		failover_state_name(srv), ids.replid, ids.replid2, (unsigned long long)tail,
		(long long)ids.second_repl_offset);
	textbuf_addf(tb,
		"repl_backlog_active:1\r\nrepl_backlog_size:%llu\r\nrepl_backlog_first_byte_offset:%llu\r\n"
		"repl_backlog_histlen:%llu\r\nrepl_divergence:%llu\r\n",
		(unsigned long long)log_ring_size(srv->log), (unsigned long long)start + 1,
		(unsigned long long)(tail - start), (unsigned long long)repl_check_divergence(srv));
}
