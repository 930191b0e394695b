/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/recovery.h"

#include "app/apply.h"
#include "app/commands/function_store.h"
#include "app/control.h"
#include "app/obj_limits.h"
#include "app/rdb/load.h"
#include "app/replication.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "persist/recover.h"
#include "repl/rdb_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of the snapshot or the log, in one turn of a core's loop. */
#define SLICE_BYTES (64u * 1024)
/* A key takes so many bytes of a snapshot at least. */
#define KEY_BYTES_MIN 4
#define TELL_US       (1000 * 1000)
#define ERR_LEN       512

enum phase {
	PHASE_LOAD,
	PHASE_REPLAY,
	PHASE_PARK,
	PHASE_DONE,
	PHASE_FAILED,
};

/* One core's part. */
struct part {
	struct rdb_loader loader;
	struct rdb_reader *reader; /* NULL: no run is under way */
	uint64_t pos, end;         /* of the run */
	bool fresh;                /* an extent begins at pos */
	uint64_t wait_until_us;    /* with key-load-delay */
	_Atomic uint64_t loaded;   /* bytes; one writer, the core */
	_Atomic uint64_t nr_keys;  /* the loader's */
} __attribute__((aligned(64)));

struct recovery {
	struct server *srv;
	_Atomic enum phase phase; /* LOAD->REPLAY->PARK: poll cores; PARK->DONE: control */
	struct recover_result res;
	int64_t start_us, told_us; /* control */
	uint64_t nr_bytes;         /* of snapshot and log */
	uint64_t used_memory;      /* of the node that has written the snapshot */
	/* runs of the snapshot that are loaded by the cores */
	uint32_t nr_runs, first_run;
	bool whole; /* the only run is a whole RDB file */
	atomic_uint next_run, runs_done, nr_parked;
	int stream_db; /* control, or core 0 when the only run is over */
	/* core 0: the log */
	struct apply *apply;
	bool apply_ready;
	uint64_t replayed_to;
	_Atomic uint64_t replayed; /* bytes */
	/* the first failure */
	rte_spinlock_t fail_lock;
	int rc;
	char err[ERR_LEN];
	struct function_intake functions;
	struct part parts[MILLRACE_MAX_CORES];
};

static void fail(struct recovery *r, int rc, const char *text)
{
	rte_spinlock_lock(&r->fail_lock);
	if (!r->rc) {
		r->rc = rc;
		snprintf(r->err, sizeof(r->err), "%s", text);
	}
	rte_spinlock_unlock(&r->fail_lock);
	atomic_store(&r->phase, PHASE_FAILED);
	control_wake(r->srv);
}

/* --- the snapshot --- */

static void fail_load(struct recovery *r, const struct part *p, int rc)
{
	const char *fault = p->reader ? rdb_reader_fault(p->reader)->text : "";
	char text[ERR_LEN];

	if (rc == -ENOMEM && !p->reader)
		fault = "out of memory";
	if (rc == -EILSEQ)
		fault = "an extent of the pool does not match its checksum";
	snprintf(text, sizeof(text), "the snapshot in the pool cannot be loaded: %s%s%s", fault,
		p->loader.err[0] ? ": " : "", p->loader.err);
	fail(r, rc, text);
}

static int part_begin(struct recovery *r, struct part *p, uint32_t run)
{
	struct rdb_limits limits = {
		.max_string_bytes = 1u << 30, .max_record_bytes = 2u << 30, .is_fragment = run > 0};

	snap_run(r->res.snap, run, &p->pos, &p->end);
	p->fresh = true;
	p->reader = rdb_reader_create(&rdb_loader_upcalls, &p->loader, &limits);
	return p->reader ? 0 : -ENOMEM;
}

/* Feeds up to max bytes of the run. Each extent's checksum is looked at when its first byte comes
 * up. */
static int part_feed(struct recovery *r, struct part *p, size_t max)
{
	const void *ptr;
	size_t len;
	int rc = snap_span(r->res.snap, p->pos, &ptr, &len);

	if (rc)
		return rc;
	if (p->fresh && !snap_extent_good(r->res.snap, p->pos))
		return -EILSEQ;
	p->fresh = len <= max;
	if (len > max)
		len = max;
	if (rdb_reader_feed(p->reader, ptr, len) < 0)
		return -EBADMSG;
	p->pos += len;
	return 0;
}

static void part_count(struct part *p, size_t bytes)
{
	atomic_store_explicit(&p->loaded,
		atomic_load_explicit(&p->loaded, memory_order_relaxed) + bytes,
		memory_order_relaxed);
	atomic_store_explicit(&p->nr_keys, p->loader.nr_keys, memory_order_relaxed);
}

static void run_over(struct recovery *r, struct part *p)
{
	if (r->whole)
		r->stream_db = p->loader.stream_db;
	rdb_reader_destroy(&p->reader);
	atomic_fetch_add(&r->runs_done, 1);
}

/* What so many keys are to take longer (key-load-delay: us a key, negative: keys a us). */
static uint64_t delay_us(const struct recovery *r, uint64_t nr_keys)
{
	int each = atomic_load_explicit(&r->srv->cfg->key_load_delay_us, memory_order_relaxed);

	if (each >= 0)
		return nr_keys * (uint64_t)each;
	return nr_keys / (0 - (uint64_t)(int64_t)each);
}

/* True: there is more for this core. */
static bool load_slice(struct recovery *r, struct app_core *ac)
{
	struct part *p = &r->parts[ac->id];
	uint64_t before, nr_keys;
	uint32_t run;
	int rc = 0;

	if (p->wait_until_us > ac->now_us)
		return true;
	if (!p->reader) {
		run = atomic_load_explicit(&r->next_run, memory_order_relaxed);
		if (run < r->nr_runs)
			run = atomic_fetch_add(&r->next_run, 1);
		if (run >= r->nr_runs) {
			if (ac->id == 0 && atomic_load(&r->runs_done) == r->nr_runs)
				atomic_store(&r->phase, PHASE_REPLAY);
			return ac->id == 0;
		}
		rc = part_begin(r, p, r->first_run + run);
	}
	before = p->pos;
	nr_keys = p->loader.nr_keys;
	if (rc == 0)
		rc = part_feed(r, p, SLICE_BYTES);
	if (rc == 0 && p->pos == p->end && rdb_reader_finish(p->reader))
		rc = -EBADMSG;
	if (rc) {
		fail_load(r, p, rc);
		return false;
	}
	part_count(p, p->pos - before);
	p->wait_until_us = ac->now_us + delay_us(r, p->loader.nr_keys - nr_keys);
	if (p->pos == p->end)
		run_over(r, p);
	return true;
}

/* Prefix of a snapshot of our own: what says of the whole, and the functions. */
static int load_prefix(struct recovery *r)
{
	struct part *p = &r->parts[0];
	int rc = part_begin(r, p, 0);

	p->loader.reserve_max = snap_size(r->res.snap) / KEY_BYTES_MIN;

	while (rc == 0 && p->pos < p->end)
		rc = part_feed(r, p, SLICE_BYTES);
	if (rc)
		fail_load(r, p, rc);
	p->loader.reserve_max = 0;
	rdb_reader_destroy(&p->reader);
	r->stream_db = p->loader.stream_db;
	r->used_memory = p->loader.used_memory;
	return rc;
}

static int load_begin(struct recovery *r)
{
	struct obj_limits limits = obj_limits_get(r->srv->cfg);
	int64_t now_ms = clock_unix_us() / 1000;
	uint32_t nr = snap_nr_runs(r->res.snap);

	r->functions.srv = r->srv;
	for (unsigned i = 0; i < r->srv->nr_cores; i++) {
		struct rdb_loader *l = &r->parts[i].loader;

		rdb_loader_init(l, r->srv->ks, &limits, now_ms);
		l->shared = true;
		l->core = i;
		l->on_function = function_intake_add;
		l->function_ctx = &r->functions;
	}
	r->whole = nr == 1;
	r->nr_runs = nr;
	if (r->whole)
		return 0;
	/* the prefix is read now, and of the trailer it is known what it says */
	r->first_run = 1;
	r->nr_runs = nr - 2;
	if (snap_extent_good(r->res.snap, snap_size(r->res.snap) - 1))
		return load_prefix(r);
	fail_load(r, &r->parts[0], -EILSEQ);
	return -EILSEQ;
}

/* --- the log --- */

/* The log is read in order, by one core: commands may touch any partitions. */
static bool replay_slice(struct recovery *r, struct app_core *ac)
{
	struct server *srv = r->srv;
	uint64_t off = r->replayed_to, left = r->res.end - off;
	char text[ERR_LEN];
	const void *ptr;
	size_t len;

	if (!r->apply_ready) {
		apply_set_db(r->apply, r->stream_db > 0 ? r->stream_db : 0);
		r->apply_ready = true;
	}
	if (left == 0) {
		atomic_store(&r->phase, PHASE_PARK);
		for (unsigned i = 0; i < srv->nr_cores; i++)
			core_kick(srv->cores[i]->core);
		return true;
	}
	if (log_read(srv->log, off, &ptr, &len) || len == 0) {
		snprintf(text, sizeof(text), "the log ends at offset %llu, not at %llu",
			(unsigned long long)off, (unsigned long long)r->res.end);
		fail(r, -EBADMSG, text);
		return false;
	}
	len = len < left ? len : left;
	len = len < SLICE_BYTES ? len : SLICE_BYTES;
	/* nobody holds a partition for longer than a look at it */
	for (bool done = apply_bytes(r->apply, ptr, len); !done; done = apply_resume(r->apply))
		;
	r->replayed_to += len;
	atomic_store_explicit(&r->replayed, r->replayed_to - r->res.base_off, memory_order_relaxed);
	if (!apply_error(r->apply))
		return true;
	snprintf(text, sizeof(text), "the log is not a command stream before offset %llu: %s",
		(unsigned long long)r->replayed_to, apply_error(r->apply));
	fail(r, -EBADMSG, text);
	return false;
}

/* --- on the cores --- */

/* Stands still until the control thread has done its part. */
static void park(struct recovery *r, struct app_core *ac)
{
	struct timespec ts = {.tv_nsec = 20 * 1000};

	if (atomic_fetch_add(&r->nr_parked, 1) + 1 == r->srv->nr_cores)
		control_wake(r->srv);
	/* acquire: pairs with recovery_control() */
	while (atomic_load_explicit(&r->phase, memory_order_acquire) == PHASE_PARK &&
		!atomic_load_explicit(&ac->core->stop, memory_order_relaxed))
		nanosleep(&ts, NULL);
}

bool recovery_core_work(struct app_core *ac)
{
	struct recovery *r = ac->srv->recovery;

	switch (atomic_load_explicit(&r->phase, memory_order_acquire)) {
	case PHASE_LOAD: return load_slice(r, ac);
	case PHASE_REPLAY: return ac->id == 0 && replay_slice(r, ac);
	case PHASE_PARK: park(r, ac); return true;
	case PHASE_DONE:
	case PHASE_FAILED: break;
	}
	return false;
}

/* --- on the control thread --- */

void recovery_progress_get(const struct server *srv, struct recovery_progress *p)
{
	const struct recovery *r = srv->recovery;
	int64_t us;

	*p = (struct recovery_progress){.eta_s = 1};
	if (!r)
		return;
	p->start_s = r->start_us / 1000000;
	p->total_bytes = r->nr_bytes;
	p->used_memory = r->used_memory;
	p->loaded_bytes = atomic_load_explicit(&r->replayed, memory_order_relaxed);
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		const struct part *part = &r->parts[i];

		p->loaded_bytes += atomic_load_explicit(&part->loaded, memory_order_relaxed);
		p->nr_keys += atomic_load_explicit(&part->nr_keys, memory_order_relaxed);
	}
	us = clock_unix_us() - r->start_us;
	if (us > 0 && p->loaded_bytes > 0 && p->loaded_bytes <= p->total_bytes)
		p->eta_s = (int64_t)((double)us / 1e6 * (double)(p->total_bytes - p->loaded_bytes) /
				     (double)p->loaded_bytes);
}

static void tell_progress(struct recovery *r)
{
	struct recovery_progress p;
	int64_t now = clock_unix_us();

	if (now - r->told_us < TELL_US)
		return;
	r->told_us = now;
	recovery_progress_get(r->srv, &p);
	server_log(r->srv, 2, "recovery: loading done=%.0f%% keys=%llu bytes=%llu/%llu eta_s=%lld",
		p.total_bytes ? 100.0 * (double)p.loaded_bytes / (double)p.total_bytes : 0.0,
		(unsigned long long)server_nr_keys(r->srv), (unsigned long long)p.loaded_bytes,
		(unsigned long long)p.total_bytes, (long long)p.eta_s);
}

/* The crash has torn the last append: the log goes on behind the last whole command. */
static int cut_torn(struct server *srv, uint64_t end, uint64_t *res_end)
{
	int rc = log_truncate(srv->log, end);

	if (rc)
		return rc;
	server_log(srv, 2, "recovery: discarded a torn command at the log's end bytes=%llu",
		(unsigned long long)(*res_end - end));
	*res_end = end;
	return 0;
}

/* What is here continues no history that anybody knows. */
static void new_replid(struct server *srv, const char *reason)
{
	struct pool_repl ids;

	pool_repl_get(srv->pool, &ids);
	repl_random_id(ids.replid);
	memset(ids.replid2, '0', POOL_REPLID_LEN);
	ids.second_repl_offset = -1;
	ids.is_copy = false;
	pool_repl_set(srv->pool, &ids);
	server_log(srv, 3, "recovery: new replication id: %s", reason);
}

static void count_keys(struct recovery *r)
{
	uint64_t keys = 0, expired = 0, empty = 0;

	for (unsigned i = 0; i < r->srv->nr_cores; i++) {
		const struct rdb_loader *l = &r->parts[i].loader;

		keys += l->nr_keys;
		expired += l->nr_expired;
		empty += l->nr_empty;
	}
	if (empty > 0)
		server_log(r->srv, 3, "recovery: empty keys skipped n=%llu",
			(unsigned long long)empty);
	atomic_store(&r->srv->last_load_keys, keys);
	atomic_store(&r->srv->last_load_expired, expired);
}

/* All is executed, and nothing runs. */
static int finish(struct recovery *r, char *err, size_t err_len)
{
	struct recover_result *res = &r->res;
	struct server *srv = r->srv;
	uint64_t end = res->end;
	int rc = 0;

	if (r->apply) {
		end -= apply_pending(r->apply);
		atomic_store(&srv->repl->stream_db, apply_db(r->apply));
		apply_destroy(&r->apply);
	}
	if (end < res->end)
		rc = cut_torn(srv, end, &res->end);
	if (rc) {
		snprintf(err, err_len, "the end of the log cannot be set: %s", strerror(-rc));
		return rc;
	}
	if (r->res.snap)
		count_keys(r);
	if (r->whole)
		function_intake_swap(&r->functions);
	snap_put(&r->res.snap);
	if (res->base == RECOVER_BASE_NONE)
		new_replid(srv,
			"the pool holds no state that the log could be replayed on; the node is empty");
	else if (res->replid_suspect)
		new_replid(srv,
			"the node was not shut down before the machine rebooted, and its durability mode or "
			"medium does not survive that");
	server_log(srv, 2,
		"recovery: done offset=%llu snapshot_offset=%llu keys=%llu clean=%d took_ms=%lld",
		(unsigned long long)res->end, (unsigned long long)res->base_off,
		(unsigned long long)server_nr_keys(srv), res->clean,
		(long long)((clock_unix_us() - r->start_us) / 1000));
	return 0;
}

/* Opens the log and finds out what there is to load. */
static int prepare(struct recovery *r, char *err, size_t err_len)
{
	struct server *srv = r->srv;
	int rc = recover_open(srv->pool, &r->res, err, err_len);

	if (rc)
		return rc;
	srv->log = pool_log(srv->pool);
	r->replayed_to = r->res.base_off;
	if (r->res.base == RECOVER_BASE_SNAPSHOT) {
		r->nr_bytes = snap_size(r->res.snap);
		rc = load_begin(r);
		if (rc)
			snprintf(err, err_len, "%s", r->err);
	}
	if (rc || r->res.base == RECOVER_BASE_NONE)
		return rc;
	r->nr_bytes += r->res.end - r->res.base_off;
	r->apply = apply_create(srv->cores[0], true);
	return r->apply ? 0 : -ENOMEM;
}

int recovery_control(struct server *srv, char *err, size_t err_len)
{
	struct recovery *r = srv->recovery;
	int rc;

	tell_progress(r);
	if (atomic_load(&r->phase) == PHASE_FAILED) {
		snprintf(err, err_len, "%s", r->err);
		return r->rc;
	}
	if (atomic_load(&r->nr_parked) < srv->nr_cores)
		return 0;
	rc = finish(r, err, err_len);
	if (rc == 0) {
		rc = repl_start(srv);
		if (rc)
			snprintf(err, err_len, "replication cannot begin: %s", strerror(-rc));
	}
	if (rc)
		return rc;
	atomic_store(&srv->loading, false);
	/* release: pairs with park() */
	atomic_store_explicit(&r->phase, PHASE_DONE, memory_order_release);
	return 0;
}

int recovery_begin(struct server *srv, char *err, size_t err_len)
{
	struct recovery *r = aligned_alloc(64, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->srv = srv;
	r->stream_db = -1;
	r->start_us = r->told_us = clock_unix_us();
	rte_spinlock_init(&r->fail_lock);
	srv->recovery = r;
	rc = prepare(r, err, err_len);
	if (rc)
		return rc;
	/* Of the functions there are no more, unless the whole is a master's RDB. */
	if (r->res.base == RECOVER_BASE_SNAPSHOT && !r->whole)
		function_intake_swap(&r->functions);
	atomic_store(&srv->loading, r->nr_bytes > 0);
	return 0;
}

int recovery_start_empty(struct server *srv, char *err, size_t err_len)
{
	int rc;

	if (atomic_load(&srv->loading))
		return 0;
	rc = finish(srv->recovery, err, err_len);
	recovery_destroy(srv);
	return rc == 0 ? repl_start(srv) : rc;
}

int recovery_run_alone(struct server *srv, char *err, size_t err_len)
{
	int rc = recovery_begin(srv, err, err_len);
	struct recovery *r = srv->recovery;

	while (rc == 0 && atomic_load(&srv->loading) && atomic_load(&r->phase) < PHASE_PARK)
		recovery_core_work(srv->cores[0]);
	if (rc == 0 && atomic_load(&r->phase) == PHASE_FAILED) {
		snprintf(err, err_len, "%s", r->err);
		rc = r->rc;
	}
	if (rc == 0)
		rc = finish(r, err, err_len);
	atomic_store(&srv->loading, false);
	recovery_destroy(srv);
	return rc;
}

void recovery_destroy(struct server *srv)
{
	struct recovery *r = srv->recovery;

	if (!r)
		return;
	apply_destroy(&r->apply);
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		rdb_reader_destroy(&r->parts[i].reader);
		rdb_loader_fini(&r->parts[i].loader);
	}
	snap_put(&r->res.snap);
	function_intake_fini(&r->functions);
	free(r);
	srv->recovery = NULL;
}
