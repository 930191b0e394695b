/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/repl_sync.h"

#include "app/apply.h"
#include "app/client_priv.h"
#include "app/commands/failover.h"
#include "app/commands/function_store.h"
#include "app/control.h"
#include "app/obj_limits.h"
#include "app/rdb/load.h"
#include "app/repl_check.h"
#include "app/snapshot.h"
#include "app/waiting.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"
#include "persist/snapshot.h"
#include "repl/rdb_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACK_PERIOD_US (1000 * 1000)
/* Over a device a master that was killed says nothing, until we say something to its successor. */
#define ACK_DEVICE_US (100 * 1000)
#define RTT_EVERY_US  (1000 * 1000)
#define MAX_RECORD    (2ull << 30)

/* A set that is being taken in. */
struct full_sync {
	struct keyspace *ks; /* the new data; after the swap the old ones, to be freed */
	struct snap *snap;
	struct snap_stream *stream;
	struct rdb_reader *reader;
	struct rdb_loader loader;
	struct function_intake functions; /* after the swap the old ones */
	char replid[41];
	uint64_t off;
	bool storing; /* the control thread has it until publish_done() */
	bool orphan;  /* the link was lost meanwhile */
};

static void full_destroy(struct full_sync **fp)
{
	struct full_sync *f = *fp;

	if (!f)
		return;
	if (f->snap) {
		if (f->stream)
			snap_stream_done(f->stream);
		snap_abort(&f->snap);
	}
	rdb_reader_destroy(&f->reader);
	rdb_loader_fini(&f->loader);
	function_intake_fini(&f->functions);
	ks_destroy(&f->ks);
	free(f);
	*fp = NULL;
}

/* --- position and continuation --- */

/* No command that began as a master's is still running once every lock has been ours. */
static void settle(struct server *srv)
{
	struct ks_lockset all;

	if (script_lock_node(srv->cores[0], &all))
		script_unlock_node(srv->cores[0], &all);
}

static bool on_position(void *ctx, char id[41], int64_t *offset)
{
	struct server *srv = ctx;
	struct snap_stats st;
	struct psync_ids ids;

	settle(srv);
	snap_stats_get(srv->pool, &st);
	/* While the control thread stores a set that a former link brought, ids and offset do not
	 * belong together. */
	if (srv->repl->full || srv->repl->need_full ||
		(log_tail(srv->log) == 0 && st.newest_bytes == 0)) {
		strcpy(id, "?"); /* nothing here that could be continued */
		*offset = -1;
		return false;
	}
	repl_ids(srv, &ids);
	memcpy(id, ids.replid, 41);
	*offset = (int64_t)log_tail(srv->log) + 1;
	return failover_asks(srv);
}

static void resumed_go_on(struct server *srv, uint64_t unused)
{
	if (srv->repl->link)
		link_resume(srv->repl->link);
}

static void resumed_durable(struct server *srv, uint64_t unused)
{
	repl_drop_all(srv, resumed_go_on, 0);
}

static void on_refused(void *ctx)
{
	failover_refused(ctx);
}

static int on_resumed(void *ctx, const char *id)
{
	struct server *srv = ctx;
	struct psync_ids ids;

	failover_accepted(srv);
	repl_ids(srv, &ids);
	apply_reset(srv->repl->apply);
	srv->repl->apply_stuck = false;
	if (!id[0] || strcmp(ids.replid, id) == 0)
		return 0;
	repl_ids_shifted(srv, id, &ids);
	link_pause(srv->repl->link); /* until the new id is durable */
	repl_ids_change(srv, &ids, true, resumed_durable, 0);
	return 0;
}

/* --- full sync --- */

static int full_open(struct server *srv, struct full_sync *f)
{
	struct rdb_limits limits = {.max_record_bytes = MAX_RECORD};
	struct obj_limits obj_limits = obj_limits_get(srv->cfg);
	int rc;

	limits.max_string_bytes = (size_t)atomic_load(&srv->cfg->proto_max_bulk_len);
	f->ks = ks_create(&srv->ks_cfg);
	if (!f->ks)
		return -ENOMEM;
	rdb_loader_init(&f->loader, f->ks, &obj_limits, srv->cores[0]->now_ms);
	f->functions.srv = srv;
	f->loader.on_function = function_intake_add;
	f->loader.function_ctx = &f->functions;
	f->reader = rdb_reader_create(&rdb_loader_upcalls, &f->loader, &limits);
	if (!f->reader)
		return -ENOMEM;
	rc = snap_begin(srv->pool, f->off, &f->snap);
	if (rc == 0)
		rc = snap_stream_open(f->snap, 0, &f->stream);
	return rc;
}

static int on_full_begin(void *ctx, const char *id, int64_t offset, int64_t len)
{
	struct server *srv = ctx;
	struct repl *r = srv->repl;
	struct full_sync *f;
	int rc;

	failover_accepted(srv);
	if (r->full || snapshot_active(srv)) {
		server_log(srv, 2, "repl: full sync put off reason=a snapshot is under way");
		return -1;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	snprintf(f->replid, sizeof(f->replid), "%s", id);
	f->off = (uint64_t)offset;
	atomic_store(&r->syncing, true);
	rc = full_open(srv, f);
	if (rc) {
		server_log(srv, 3, "repl: full sync cannot be taken in reason=%s", strerror(-rc));
		full_destroy(&f);
		atomic_store(&r->syncing, false);
		return -1;
	}
	r->full = f;
	atomic_store(&r->sync_done, 0);
	atomic_store(&r->sync_total, len);
	server_log(srv, 2, "repl: full sync begins id=%s off=%lld bytes=%lld", id,
		(long long)offset, (long long)len);
	return 0;
}

static int on_full_data(void *ctx, const char *data, size_t len)
{
	struct server *srv = ctx;
	struct full_sync *f = srv->repl->full;
	ssize_t used = rdb_reader_feed(f->reader, data, len);
	int rc;

	srv->cores[0]->repl_bytes_in += len;
	if (used < 0) {
		server_log(srv, 3, "repl: full sync refused, the old data stay: %s%s%s",
			rdb_reader_fault(f->reader)->text, f->loader.err[0] ? ": " : "",
			f->loader.err);
		return -1;
	}
	if ((size_t)used < len) {
		server_log(srv, 3,
			"repl: full sync refused, the old data stay: bytes behind the end of the RDB");
		return -1;
	}
	rc = snap_stream_write(f->stream, data, len);
	if (rc) {
		server_log(srv, 3,
			"repl: full sync refused, the old data stay: the pool has no room for it (pmem-size)");
		return -1;
	}
	atomic_fetch_add(&srv->repl->sync_done, len);
	return 0;
}

static void on_full_abort(void *ctx)
{
	struct server *srv = ctx;
	struct full_sync *f = srv->repl->full;

	if (!f)
		return;
	if (f->storing) {
		f->orphan = true;
		return;
	}
	full_destroy(&srv->repl->full);
	atomic_store(&srv->repl->syncing, false);
}

struct full_job {
	struct control_job job;
	struct full_sync *f;
	int rc;
};

/* Control thread: stores the snapshot and begins the log anew at its offset, in one step. */
static void publish_run(struct server *srv, struct control_job *job)
{
	struct full_job *j = (struct full_job *)job;
	struct full_sync *f = j->f;
	struct snap_meta meta = {
		.nr_keys = f->loader.nr_keys,
		.ctime_s = (uint64_t)(srv->cores[0]->now_ms / 1000),
		.stream_db = f->loader.stream_db,
	};
	struct pool_repl pr = {.second_repl_offset = -1, .is_copy = true};

	memcpy(pr.replid, f->replid, 41);
	memset(pr.replid2, '0', 40);
	j->rc = snap_seal(f->snap, NULL, 0, &meta, true);
	if (j->rc == 0)
		j->rc = snap_publish_foreign(&f->snap, &pr);
	if (j->rc == 0) {
		atomic_store(&srv->last_save_s, (long long)meta.ctime_s);
		atomic_fetch_add(&srv->nr_saves, 1);
	}
}

static void free_run(struct server *srv, struct control_job *job)
{
	struct full_job *j = (struct full_job *)job;

	full_destroy(&j->f);
}

static void full_free(struct server *srv, struct full_sync *f)
{
	struct full_job *j = calloc(1, sizeof(*j));

	BUG_ON(!j);
	j->job.run = free_run;
	j->f = f;
	control_post(srv, &j->job);
}

/* The new set takes the old one's place. */
static void swap_in(struct server *srv, struct full_sync *f)
{
	struct repl *r = srv->repl;
	struct ks_lockset all;
	struct psync_ids ids = {.second_repl_offset = -1};
	int db = f->loader.stream_db > 0 ? f->loader.stream_db : 0;

	memcpy(ids.replid, f->replid, 41);
	memset(ids.replid2, '0', 40);
	if (!script_lock_node(srv->cores[0], &all))
		return; /* the node stops: its pool has the set */
	listeners_database(srv->cores[0], -1, f->ks, 0, srv->cores[0]->now_ms);
	tracking_flushed(srv->cores[0]);
	ks_swap_content(srv->ks, f->ks);
	function_intake_swap(&f->functions);
	ks_lockset_set_written(srv->ks, &all, 0);
	rte_spinlock_lock(&r->lock);
	r->ids = ids;
	rte_spinlock_unlock(&r->lock);
	atomic_store(&r->stream_db, db);
	if (r->apply) { /* NULL: we are to be a master meanwhile */
		apply_reset(r->apply);
		apply_set_db(r->apply, db);
	}
	atomic_fetch_add(&r->log_epoch, 1);
	r->ack_due_off = UINT64_MAX;
	repl_check_reset(r, true);
	r->apply_stuck = false;
	r->need_full = false;
	waiting_serve_ready(srv->cores[0], &all, false, srv->cores[0]->now_ms, true);
	script_unlock_node(srv->cores[0], &all);
}

static void publish_done(struct server *srv, struct control_job *job)
{
	struct full_job *j = (struct full_job *)job;
	struct full_sync *f = j->f;
	struct repl *r = srv->repl;
	bool orphan = f->orphan;
	int rc = j->rc;

	free(j);
	r->full = NULL;
	if (rc == 0) {
		/* The pool already holds the new set, so memory follows even if the link is gone.
		 */
		swap_in(srv, f);
		server_log(srv, 2, "repl: full sync done id=%s off=%llu keys=%llu", f->replid,
			(unsigned long long)f->off, (unsigned long long)f->loader.nr_keys);
	} else {
		server_log(srv, 3, "repl: full sync cannot be stored, the old data stay: %s",
			strerror(-rc));
	}
	full_free(srv, f);
	atomic_store(&r->syncing, false);
	if (!orphan && r->link)
		link_finished(r->link, rc == 0);
}

/* A master that has lost its data must not take ours along (replica-refuse-empty-master). */
static bool refuses_empty(struct server *srv, struct full_sync *f)
{
	struct psync_ids ids;

	if (f->loader.nr_keys || server_nr_keys(srv) == 0 ||
		!atomic_load(&srv->cfg->replica_refuse_empty_master))
		return false;
	repl_ids(srv, &ids);
	return strcmp(ids.replid, f->replid) != 0;
}

static void on_full_end(void *ctx)
{
	struct server *srv = ctx;
	struct repl *r = srv->repl;
	struct full_sync *f = r->full;
	struct full_job *j;

	if (rdb_reader_finish(f->reader) || snap_stream_done(f->stream)) {
		server_log(srv, 3, "repl: full sync refused, the old data stay: %s",
			rdb_reader_fault(f->reader)->text);
		link_finished(r->link, false);
		return;
	}
	if (f->loader.nr_empty > 0)
		server_log(srv, 3, "repl: empty keys skipped n=%llu",
			(unsigned long long)f->loader.nr_empty);
	if (refuses_empty(srv, f)) {
		server_log(srv, 3,
			"repl: full sync refused, the old data stay: the master is empty and has a history that is not "
			"ours (replica-refuse-empty-master)");
		link_finished(r->link, false);
		return;
	}
	j = calloc(1, sizeof(*j));
	BUG_ON(!j);
	j->job.run = publish_run;
	j->job.done = publish_done;
	j->job.core = srv->cores[0]->core;
	j->f = f;
	f->storing = true;
	control_post(srv, &j->job);
}

/* --- the stream --- */

static void stream_check(struct server *srv)
{
	struct repl *r = srv->repl;

	if (!apply_error(r->apply))
		return;
	server_log(
		srv, 3, "repl: the master's stream cannot be followed: %s", apply_error(r->apply));
	link_drop(r->link, "protocol error");
}

static void on_stream(void *ctx, const char *data, size_t len)
{
	struct server *srv = ctx;
	struct repl *r = srv->repl;

	srv->cores[0]->repl_bytes_in += len;
	if (!apply_bytes(r->apply, data, len)) {
		r->apply_stuck = true;
		link_pause(r->link);
	}
	stream_check(srv);
}

static void on_state(void *ctx, bool up)
{
	struct server *srv = ctx;
	struct client *master = apply_client(srv->repl->apply);

	atomic_store(&srv->repl->link_up, up);
	if (!up) {
		apply_reset(srv->repl->apply);
		client_list_remove(master);
		return;
	}
	server_log(srv, 2, "repl: link up off=%llu", (unsigned long long)log_tail(srv->log));
	srv->repl->ack_us = 0; /* tell at once where we are */
	srv->repl->ack_bursts = false;
	repl_check_reset(srv->repl, false);
	srv->repl->acked_off = 0;
	master->created_ms = master->last_active_ms = srv->cores[0]->now_ms;
	client_publish(master);
	client_list_remove(master);
	client_list_add(master, link_conn(srv->repl->link));
}

/* CLIENT KILL of the master: the link is made anew. */
static void obey_kill(struct repl *r)
{
	struct client *master = apply_client(r->apply);

	if (!atomic_exchange_explicit(&master->kill, false, memory_order_relaxed))
		return;
	if (link_state(r->link) == LINK_CONNECTED)
		link_drop(r->link, "killed by a client");
}

static void on_log(void *ctx, int level, const char *text)
{
	struct server *srv = ctx;

	server_log(srv, level, "repl: %s", text);
}

static const struct link_ops sync_link_ops = {
	.position = on_position,
	.refused = on_refused,
	.resumed = on_resumed,
	.full_begin = on_full_begin,
	.full_data = on_full_data,
	.full_end = on_full_end,
	.full_abort = on_full_abort,
	.stream = on_stream,
	.state = on_state,
	.log = on_log,
};

#define LOGIN_MAX 1024

static void login_get(struct server *srv, char user[LOGIN_MAX], char pass[LOGIN_MAX])
{
	config_get_str(srv->cfg, &srv->cfg->masteruser, user, LOGIN_MAX);
	config_get_str(srv->cfg, &srv->cfg->masterauth, pass, LOGIN_MAX);
}

/* masteruser and masterauth hold from the next attempt on, whenever they are set. */
static void login_update(struct server *srv)
{
	char user[LOGIN_MAX], pass[LOGIN_MAX];

	if (link_state(srv->repl->link) != LINK_CONNECT)
		return;
	login_get(srv, user, pass);
	link_set_login(srv->repl->link, user, pass);
}

int repl_sync_attach(struct server *srv)
{
	struct repl *r = srv->repl;
	struct config *cfg = srv->cfg;
	char host[256], user[LOGIN_MAX], pass[LOGIN_MAX], ip[64];
	struct link_cfg lc = {
		.host = host, .user = user, .password = pass, .announce_ip = ip, .capa_eof = true};
	int rc = 0;

	if (!r->apply) {
		r->apply = apply_create(srv->cores[0], false);
		if (r->apply)
			apply_set_db(r->apply, atomic_load(&r->stream_db));
	}
	if (!r->apply)
		return -ENOMEM;
	if (!r->link)
		rc = link_create(srv->cores[0]->core, &sync_link_ops, srv, &r->link);
	if (rc)
		return rc;
	rte_spinlock_lock(&r->lock);
	snprintf(host, sizeof(host), "%s", r->master_host);
	lc.port = r->master_port;
	rte_spinlock_unlock(&r->lock);
	login_get(srv, user, pass);
	config_get_str(cfg, &cfg->replica_announce_ip, ip, sizeof(ip));
	lc.announce_port = atomic_load(&cfg->replica_announce_port);
	if (lc.announce_port == 0)
		lc.announce_port = cfg->port;
	lc.timeout_s = atomic_load(&cfg->repl_timeout_s);
	atomic_store(&r->link_down_ms, srv->cores[0]->now_ms);
	return link_configure(r->link, &lc);
}

void repl_sync_detach(struct server *srv)
{
	struct repl *r = srv->repl;

	link_destroy(&r->link);
	on_full_abort(srv);
	atomic_store(&r->link_up, false);
	apply_destroy(&r->apply);
	r->apply_stuck = false;
	r->ack_due_off = UINT64_MAX;
}

void repl_sync_teardown(struct repl *r)
{
	link_destroy(&r->link);
	full_destroy(&r->full);
	apply_destroy(&r->apply);
}

void repl_sync_work(struct app_core *ac)
{
	struct server *srv = ac->srv;
	struct repl *r = srv->repl;
	uint64_t done;
	int64_t total;

	if (!r->link)
		return;
	if (r->apply_stuck && apply_resume(r->apply)) {
		r->apply_stuck = false;
		link_resume(r->link);
		stream_check(srv);
	}
	obey_kill(r);
	login_update(srv);
	link_tick(r->link, ac->now_ms);
	atomic_store_explicit(&r->link_state, link_state(r->link), memory_order_relaxed);
	if (ac->now_us - r->rtt_us >= RTT_EVERY_US) {
		const struct conn *conn = link_conn(r->link);

		r->rtt_us = ac->now_us;
		atomic_store(&r->link_rtt_us, conn ? conn_rtt_us(conn) : 0);
	}
	atomic_store_explicit(&r->link_io_ms, link_last_io_ms(r->link), memory_order_relaxed);
	atomic_store_explicit(&r->link_down_ms, link_down_since_ms(r->link), memory_order_relaxed);
	if (r->full) {
		link_transfer(r->link, &done, &total);
		atomic_store_explicit(&r->sync_total, total, memory_order_relaxed);
	}
}

static uint64_t ack_period(const struct link *link)
{
	const struct conn *conn = link_conn(link);

	return conn && conn_is_netdev(conn) ? ACK_DEVICE_US : ACK_PERIOD_US;
}

/* ACKs tell what is durable here: after the commit. */
void repl_sync_burst_end(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	uint64_t durable;
	bool asked;

	if (!r->link || link_state(r->link) != LINK_CONNECTED)
		return;
	durable = log_watermark(ac->srv->log);
	asked = r->ack_due_off != UINT64_MAX && durable >= r->ack_due_off;
	asked |= r->ack_bursts && durable > r->acked_off;
	if (!asked && ac->now_us - r->ack_us < ack_period(r->link))
		return;
	if (durable >= r->ack_due_off)
		r->ack_due_off = UINT64_MAX;
	r->acked_off = durable;
	r->ack_us = ac->now_us;
	link_ack(r->link, durable);
	if (r->link)
		repl_check_report(ac);
}
