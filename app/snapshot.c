/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/snapshot.h"

#include "app/commands/function_store.h"
#include "app/control.h"
#include "app/rdb/save.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"
#include "persist/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Entries saved per slice: a few microseconds. */
#define SLICE_ENTRIES 16
/* Of a large value. */
#define PART_BYTES KS_SNAP_SLICE_BYTES

enum phase {
	PHASE_IDLE,
	PHASE_CUT,
	PHASE_WALK,
	PHASE_CLOSE,
	PHASE_SEAL,
};

/* A large value, saved in parts into a stream of its own, because others come in between. Guarded
 * by the lock of its partition while there is one. It was its core's that began it, and that core
 * goes on with it; but who has to change the value saves what is left. */
struct large {
	_Atomic(struct entry *) e; /* NULL: none */
	uint32_t part;
	int db;
	struct rdb_progress at;
	struct snap_stream *stream; /* opened by the core with its first one */
	struct rdb_saver saver;
};

/* One core's part of a snapshot. */
struct walker {
	struct snap_stream *stream;
	struct rdb_saver saver;
	uint64_t nr_keys;
	int64_t part; /* being walked; -1: takes the next one */
	uint64_t cursor;
	bool closed;
	struct large large;
	/* since the start; one writer, the core */
	struct snapshot_counts counts;
};

struct snapshotter {
	struct server *srv;
	_Atomic enum phase phase; /* IDLE->CUT, SEAL->IDLE: control; the others: poll cores */
	atomic_bool failed;       /* no space: ends as a failure */
	atomic_bool dropped;      /* given up for a FLUSHALL: started again */
	struct snap *snap;        /* from the cut until published or aborted */
	uint64_t off;
	int stream_db;
	int64_t ctime_s;
	bool compress;
	struct psync_ids ids;
	struct encbuf head; /* RDB records of the functions and of the sizes of the databases */
	atomic_uint next_part, parts_done, cores_closed;
	struct walker walkers[MILLRACE_MAX_CORES];
};

int snapshot_create(struct server *srv)
{
	srv->snap = calloc(1, sizeof(*srv->snap));
	if (!srv->snap)
		return -ENOMEM;
	srv->snap->srv = srv;
	return 0;
}

void snapshot_destroy(struct server *srv)
{
	if (!srv->snap)
		return;
	snap_abort(&srv->snap->snap);
	encbuf_fini(&srv->snap->head);
	free(srv->snap);
	srv->snap = NULL;
}

static int walker_write(void *ctx, const void *data, size_t len)
{
	return snap_stream_write(ctx, data, len);
}

static void fail(struct snapshotter *s)
{
	atomic_store_explicit(&s->failed, true, memory_order_relaxed);
}

static bool has_failed(struct snapshotter *s)
{
	return atomic_load_explicit(&s->failed, memory_order_relaxed);
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void count_max(uint64_t *counter, uint64_t n)
{
	if (n > *counter)
		__atomic_store_n(counter, n, __ATOMIC_RELAXED);
}

/* Between two records. */
static void cut(struct rdb_saver *saver, struct snap_stream *stream)
{
	if (snap_stream_cut(stream))
		saver->db = -1; /* what follows says its database itself */
}

/* Who saves e at present; its partition is locked, so that stays. */
static struct large *large_find(struct snapshotter *s, const struct entry *e)
{
	for (unsigned i = 0; i < s->srv->nr_cores; i++)
		if (atomic_load_explicit(&s->walkers[i].large.e, memory_order_relaxed) == e)
			return &s->walkers[i].large;
	return NULL;
}

/* Saves up to max bytes more. True: it is whole. */
static bool large_part(struct snapshotter *s, struct walker *w, struct large *l, uint64_t max)
{
	const struct entry *e = atomic_load_explicit(&l->e, memory_order_relaxed);
	uint64_t before = l->saver.writer.nr_bytes;
	int rc = 0;
	bool done = has_failed(s) || rdb_save_entry_part(&l->saver, l->db, e, &l->at, max, &rc);

	if (rc)
		fail(s);
	if (max != UINT64_MAX) {
		count(&w->counts.parts, 1);
		count_max(&w->counts.part_max_bytes, l->saver.writer.nr_bytes - before);
	}
	if (!done)
		return false;
	cut(&l->saver, l->stream);
	w->nr_keys++;
	/* release: pairs with large_begin(), when another core has ended it */
	atomic_store_explicit(&l->e, NULL, memory_order_release);
	return true;
}

/* The keyspace's hook: an entry of the cut, about to change or met by the walk. */
static size_t save_entry(void *ctx, unsigned core, int db, const struct entry *e)
{
	struct snapshotter *s = ctx;
	struct walker *w = &s->walkers[core];
	uint64_t before = w->saver.writer.nr_bytes;

	if (has_failed(s))
		return 0;
	if (ks_snap_is_large(e)) {
		struct large *l = large_find(s, e);

		count(&w->counts.whole, 1);
		if (l) {
			large_part(s, w, l, UINT64_MAX);
			return 0;
		}
	}
	if (rdb_save_entry(&w->saver, db, e))
		fail(s);
	cut(&w->saver, w->stream);
	w->nr_keys++;
	return w->saver.writer.nr_bytes - before;
}

/* False: no stream for it, and the snapshot has failed. */
static bool large_begin(
	struct snapshotter *s, unsigned core, uint32_t part, int db, struct entry *e)
{
	struct walker *w = &s->walkers[core];
	struct large *l = &w->large;

	if (!l->stream) {
		int rc = snap_stream_open(s->snap, s->srv->nr_cores + core, &l->stream);

		if (rc) {
			fail(s);
			return false;
		}
		rdb_saver_init(&l->saver, walker_write, l->stream, s->compress);
	}
	count(&w->counts.large, 1);
	l->part = part;
	l->db = db;
	l->at = (struct rdb_progress){0};
	atomic_store_explicit(&l->e, e, memory_order_relaxed);
	return true;
}

/* The keyspace's hook: a part of a large entry. */
static bool save_part(void *ctx, unsigned core, uint32_t part, int db, struct entry *e)
{
	struct snapshotter *s = ctx;
	struct walker *w = &s->walkers[core];
	struct large *l = large_find(s, e);

	if (has_failed(s))
		return true;
	if (l && l != &w->large)
		return false; /* its core goes on */
	/* acquire: pairs with large_part() */
	if (!l && atomic_load_explicit(&w->large.e, memory_order_acquire))
		return false; /* after the one under way */
	if (!l && !large_begin(s, core, part, db, e))
		return true;
	return large_part(s, w, &w->large, PART_BYTES);
}

bool snapshot_start(struct server *srv)
{
	enum phase idle = PHASE_IDLE;

	return atomic_compare_exchange_strong(&srv->snap->phase, &idle, PHASE_CUT);
}

bool snapshot_active(const struct server *srv)
{
	return atomic_load_explicit(&srv->snap->phase, memory_order_relaxed) != PHASE_IDLE;
}

static int open_streams(struct snapshotter *s)
{
	s->compress = atomic_load_explicit(&s->srv->cfg->rdbcompression, memory_order_relaxed);
	for (unsigned i = 0; i < s->srv->nr_cores; i++) {
		struct walker *w = &s->walkers[i];
		int rc = snap_stream_open(s->snap, i, &w->stream);

		if (rc)
			return rc;
		rdb_saver_init(&w->saver, walker_write, w->stream, s->compress);
		w->nr_keys = 0;
		w->part = -1;
		w->cursor = 0;
		w->closed = false;
		w->large.stream = NULL;
		atomic_store(&w->large.e, NULL);
	}
	return 0;
}

static int head_write(void *ctx, const void *data, size_t len)
{
	encbuf_add(ctx, data, len);
	return 0;
}

/* So that who loads it can make room beforehand. */
static void sizes_save(struct snapshotter *s)
{
	struct rdb_sink sink = {.write = head_write, .ctx = &s->head};
	struct keyspace *ks = s->srv->ks;
	struct rdb_writer w;

	rdb_writer_init(&w, sink, 0);
	for (uint32_t db = 0; db < ks_nr_dbs(ks); db++) {
		uint64_t nr = ks_size(ks, (int)db);

		if (nr == 0)
			continue;
		rdb_write_selectdb(&w, db);
		rdb_write_resizedb(&w, nr, ks_nr_expires(ks, (int)db));
	}
	rdb_writer_fini(&w);
}

/* Core 0. The partitions stay locked for the time it takes to read the tail and advance the epoch.
 */
static void take_cut(struct snapshotter *s)
{
	struct server *srv = s->srv;
	struct ks_snap_ops ops = {.save = save_entry, .save_part = save_part, .ctx = s};
	struct ks_lockset all;
	int rc;

	ks_lockset_init(&all);
	ks_lockset_all(&all);
	if (!ks_lockset_try(srv->ks, &all))
		return; /* the next loop tries again */
	s->off = log_tail(srv->log);
	s->stream_db = atomic_load_explicit(&srv->repl->stream_db, memory_order_relaxed);
	s->ctime_s = time(NULL);
	repl_ids(srv, &s->ids);
	s->head.len = 0;
	functions_save(srv, atomic_load_explicit(&srv->cfg->rdbcompression, memory_order_relaxed),
		&s->head);
	sizes_save(s);
	atomic_store(&s->failed, false);
	atomic_store(&s->dropped, false);
	atomic_store(&s->next_part, 0);
	atomic_store(&s->parts_done, 0);
	atomic_store(&s->cores_closed, 0);
	rc = snap_begin(srv->pool, s->off, &s->snap);
	if (rc == 0)
		rc = open_streams(s);
	if (rc == 0) {
		ks_snap_begin(srv->ks, &ops);
		atomic_store(&s->phase, PHASE_WALK);
	} else {
		server_log(srv, 3, "snapshot: cannot begin reason=%s", strerror(-rc));
		atomic_store(&s->failed, true);
		atomic_store(&s->phase, PHASE_SEAL);
	}
	ks_lockset_unlock(srv->ks, &all);
	ks_lockset_fini(&all);
}

/* Every partition has been walked: no entry of the cut is left, so the epoch may end. */
static void end_walk(struct snapshotter *s)
{
	struct ks_lockset all;

	ks_lockset_init(&all);
	ks_lockset_all(&all);
	if (ks_lockset_try(s->srv->ks, &all)) {
		if (atomic_load(&s->phase) == PHASE_WALK) {
			ks_snap_end(s->srv->ks);
			atomic_store(&s->phase, PHASE_CLOSE);
		}
		ks_lockset_unlock(s->srv->ks, &all);
	}
	ks_lockset_fini(&all);
}

/* Goes on with the large value that this core has begun, if there is one. */
static bool large_slice(struct snapshotter *s, struct app_core *ac)
{
	struct large *l = &s->walkers[ac->id].large;
	struct entry *e;

	/* acquire: pairs with large_part() */
	if (!atomic_load_explicit(&l->e, memory_order_acquire))
		return false;
	if (!ks_part_trylock(s->srv->ks, l->part))
		return true;
	e = atomic_load_explicit(&l->e, memory_order_relaxed);
	if (e && atomic_load(&s->phase) == PHASE_WALK)
		ks_snap_hold_entry(s->srv->ks, ac->id, l->part, l->db, e);
	ks_part_unlock(s->srv->ks, l->part);
	return true;
}

/* A slice of this core's share. False: nothing for it to do. */
static bool walk_slice(struct snapshotter *s, struct app_core *ac)
{
	struct walker *w = &s->walkers[ac->id];
	uint32_t nr = ks_nr_parts(s->srv->ks);

	if (large_slice(s, ac))
		return true;
	if (w->part < 0) {
		uint32_t part = atomic_load_explicit(&s->next_part, memory_order_relaxed);

		if (part < nr)
			part = atomic_fetch_add(&s->next_part, 1);
		if (part >= nr) {
			if (ac->id == 0 && atomic_load(&s->parts_done) == nr)
				end_walk(s);
			return ac->id == 0;
		}
		w->part = part;
		w->cursor = 0;
	}
	if (!ks_part_trylock(s->srv->ks, (uint32_t)w->part))
		return true;
	/* FLUSHALL may have ended it while we waited for the lock. */
	if (atomic_load(&s->phase) == PHASE_WALK &&
		ks_snap_walk(s->srv->ks, ac->id, (uint32_t)w->part, &w->cursor, SLICE_ENTRIES)) {
		ks_part_unlock(s->srv->ks, (uint32_t)w->part);
		w->part = -1;
		atomic_fetch_add(&s->parts_done, 1);
		return true;
	}
	ks_part_unlock(s->srv->ks, (uint32_t)(w->part));
	return true;
}

/* Of one saver, 0 or the error that it has met. */
static int stream_end(struct rdb_saver *saver, struct snap_stream *stream)
{
	int rc = rdb_saver_fini(saver);
	int done = snap_stream_done(stream);

	return rc ? rc : done;
}

static void close_stream(struct snapshotter *s, struct app_core *ac)
{
	struct walker *w = &s->walkers[ac->id];

	if (w->closed)
		return;
	w->closed = true;
	atomic_store(&w->large.e, NULL); /* given up */
	if (w->large.stream && stream_end(&w->large.saver, w->large.stream))
		fail(s);
	/* also fences what this core has written to another one's stream */
	if (stream_end(&w->saver, w->stream))
		fail(s);
	if (atomic_fetch_add(&s->cores_closed, 1) + 1 == s->srv->nr_cores) {
		atomic_store(&s->phase, PHASE_SEAL);
		control_wake(s->srv);
	}
}

bool snapshot_core_work(struct app_core *ac)
{
	struct snapshotter *s = ac->srv->snap;

	switch (atomic_load_explicit(&s->phase, memory_order_acquire)) {
	case PHASE_CUT:
		if (ac->id == 0)
			take_cut(s);
		return ac->id == 0;
	case PHASE_WALK: return walk_slice(s, ac);
	case PHASE_CLOSE: close_stream(s, ac); return false;
	case PHASE_IDLE:
	case PHASE_SEAL: break;
	}
	return false;
}

void snapshot_abort_for_flush(struct server *srv)
{
	struct snapshotter *s = srv->snap;

	if (atomic_load(&s->phase) != PHASE_WALK)
		return;
	ks_snap_end(srv->ks);
	atomic_store(&s->dropped, true);
	atomic_store(&s->phase, PHASE_CLOSE);
}

void snapshot_counts(const struct server *srv, struct snapshot_counts *sum)
{
	*sum = (struct snapshot_counts){0};
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		const struct snapshot_counts *c = &srv->snap->walkers[i].counts;
		uint64_t max = __atomic_load_n(&c->part_max_bytes, __ATOMIC_RELAXED);

		sum->large += __atomic_load_n(&c->large, __ATOMIC_RELAXED);
		sum->parts += __atomic_load_n(&c->parts, __ATOMIC_RELAXED);
		sum->whole += __atomic_load_n(&c->whole, __ATOMIC_RELAXED);
		if (max > sum->part_max_bytes)
			sum->part_max_bytes = max;
	}
}

double snapshot_progress(const struct server *srv)
{
	struct snapshotter *s = srv->snap;

	if (atomic_load(&s->phase) != PHASE_WALK)
		return 0;
	return (double)atomic_load(&s->parts_done) / ks_nr_parts(srv->ks);
}

/* Stores it. 0, -EAGAIN (the log is not durable up to the cut yet), or the error that ends it. */
static int seal_and_publish(struct snapshotter *s)
{
	struct snap_meta meta = {.ctime_s = (uint64_t)s->ctime_s, .stream_db = s->stream_db};
	struct encbuf prefix = {0};
	char head[512];
	size_t len;
	int rc;

	for (unsigned i = 0; i < s->srv->nr_cores; i++)
		meta.nr_keys += s->walkers[i].nr_keys;
	len = rdb_save_prefix(head, sizeof(head), s->ctime_s, server_used_memory(s->srv),
		s->stream_db, s->ids.replid, s->off);
	encbuf_add(&prefix, head, len);
	encbuf_add(&prefix, s->head.ptr, s->head.len);
	rc = snap_seal(s->snap, prefix.ptr, prefix.len, &meta, false);
	encbuf_fini(&prefix);
	while (rc == 0) {
		rc = snap_publish(&s->snap);
		if (rc != -EAGAIN)
			break;
		log_flush(s->srv->log); /* not persistent memory: it is ours to make durable */
		if (log_durable(s->srv->log) < s->off) {
			struct timespec ts = {.tv_nsec = 200 * 1000};

			nanosleep(&ts, NULL); /* a core is inside the burst that ends it */
		}
		rc = 0;
	}
	return rc;
}

bool snapshot_control(struct server *srv, int *rc)
{
	struct snapshotter *s = srv->snap;

	*rc = 0;
	if (atomic_load(&s->phase) != PHASE_SEAL)
		return false;
	if (atomic_load(&s->failed))
		*rc = -ENOSPC;
	else if (!atomic_load(&s->dropped))
		*rc = seal_and_publish(s);
	if (*rc == -ENOSPC)
		server_log(srv, 3,
			"snapshot: failed reason=no space in the pool; a larger pmem-size is needed, or fewer data");
	else if (*rc)
		server_log(srv, 3, "snapshot: cannot be stored reason=%s", strerror(-*rc));
	snap_abort(&s->snap);
	atomic_store(&s->phase, PHASE_IDLE);
	if (atomic_load(&s->dropped)) { /* try again from the new state; nobody hears of this one */
		snapshot_start(srv);
		return false;
	}
	return true;
}
