/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A pool on recorded memory beside a model of what it must hold: the steps.
 */
#include "tests/crash/crash_model.h"

#include "checks.h"
#include "persist/crc64.h"
#include "persist/pool_format.h"
#include "tests/crash/crash_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct model *m, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)crash_rnd(m, 256);
}

/* ---- Steps ---- */

static void told_update(struct model *m)
{
	uint64_t mark = log_watermark(m->log);

	if (mark < m->now.world->told)
		crash_fail(m, "the watermark fell");
	m->now.world->told = mark;
}

static void commit_all(struct model *m)
{
	for (unsigned int i = 0; i < m->cfg->nr_writers; i++) {
		flush_record_core_set(m->rec, i);
		log_commit(m->writers[i]);
		told_update(m);
	}
	flush_record_core_set(m->rec, CONTROL);
	log_flush(m->log);
	told_update(m);
	if (m->now.world->told != m->now.world->tail)
		crash_fail(m, "the watermark rests below the tail");
}

static void step_append(struct model *m)
{
	struct world *world = m->now.world;
	unsigned int i = (unsigned int)crash_rnd(m, m->cfg->nr_writers);
	uint8_t *to = world->bytes + (world->tail - world->origin);
	static const unsigned int most[] = {8, 40, 40, 300, 300, 1500};
	size_t len = 1 + crash_rnd(m, m->tiny ? 3 : most[crash_rnd(m, 6)]);

	if (!m->tiny && crash_rnd(m, 100) == 0)
		len = log_append_max(m->log) - crash_rnd(m, 3);
	flush_record_core_set(m->rec, i);
	if (log_admit(m->writers[i], len) != 0) {
		m->result->stalls++;
		if (crash_rnd(m, 4) == 0)
			commit_all(m);
		return;
	}
	BUG_ON(world->tail - world->origin + len > WORLD_BYTES);
	fill(m, to, len);
	world->tail += len;
	if (log_append(m->writers[i], to, len) != world->tail)
		crash_fail(m, "append elsewhere than at the tail");
	m->result->bytes += len;
}

static void step_commit(struct model *m)
{
	unsigned int i = (unsigned int)crash_rnd(m, m->cfg->nr_writers);

	flush_record_core_set(m->rec, i);
	log_commit(m->writers[i]);
	told_update(m);
	if (m->cfg->grouped && crash_rnd(m, 4) == 0) {
		flush_record_core_set(m->rec, CONTROL);
		log_flush(m->log);
		told_update(m);
	}
}

/* The step is done: what was next is now. */
static void switched(struct model *m)
{
	m->now = m->next;
	m->switching = false;
	crash_sample(m);
}

static void repl_random(struct model *m, struct pool_repl *repl)
{
	for (int i = 0; i < POOL_REPLID_LEN; i++) {
		repl->replid[i] = "0123456789abcdef"[crash_rnd(m, 16)];
		repl->replid2[i] = "0123456789abcdef"[crash_rnd(m, 16)];
	}
	repl->second_repl_offset = (int64_t)crash_rnd(m, 1000000);
	repl->is_copy = crash_rnd(m, 2);
}

static void step_repl_set(struct model *m)
{
	flush_record_core_set(m->rec, CONTROL);
	m->next = m->now;
	repl_random(m, &m->next.repl);
	m->switching = true;
	if (pool_repl_set(m->pool, &m->next.repl) != 0)
		crash_fail(m, "pool_repl_set failed");
	switched(m);
}

static struct world *world_fresh(struct model *m, uint64_t off)
{
	struct world *world = m->now.world == &m->worlds[0] ? &m->worlds[1] : &m->worlds[0];

	world->origin = off;
	world->start = off;
	world->tail = off;
	world->told = off;
	return world;
}

static uint64_t offset_random(struct model *m)
{
	uint64_t tail = m->now.world->tail;

	return crash_rnd(m, 2) == 0 ? crash_rnd(m, tail + 1) : tail + crash_rnd(m, 100000);
}

static void step_reset(struct model *m)
{
	commit_all(m);
	if (m->building != NULL || crash_failed(m))
		return;
	m->next = m->now;
	repl_random(m, &m->next.repl);
	m->next.world = world_fresh(m, offset_random(m));
	m->next.base = RECOVER_BASE_NONE;
	m->next.base_off = m->next.world->origin;
	m->switching = true;
	if (log_reset(m->log, m->next.base_off, &m->next.repl) != 0)
		crash_fail(m, "log_reset failed");
	m->result->resets++;
	switched(m);
}

/* ---- Snapshots ---- */

/* Any core writes to a stream of the second kind, in turns; in the end each fences its own. */
static void snap_write(struct model *m, unsigned int i)
{
	unsigned int core = i < NR_WRITERS ? i : (unsigned int)crash_rnd(m, m->cfg->nr_writers);
	size_t len = 1 + crash_rnd(m, crash_rnd(m, 2) == 0 ? 100 : 2500);
	uint8_t *to = m->stream_bytes[i] + m->stream_len[i];

	if (len > SHOT_BYTES / NR_STREAMS - m->stream_len[i])
		return;
	flush_record_core_set(m->rec, core);
	if (m->streams[i] == NULL && snap_stream_open(m->building, i, &m->streams[i]) != 0) {
		crash_fail(m, "snap_stream_open failed");
		return;
	}
	fill(m, to, len);
	m->stream_len[i] += len;
	if (snap_stream_write(m->streams[i], to, len) != 0)
		crash_fail(m, "snap_stream_write failed");
	snap_stream_cut(m->streams[i]);
}

static void snap_start(struct model *m, uint64_t off)
{
	flush_record_core_set(m->rec, CONTROL);
	memset(m->streams, 0, sizeof(m->streams));
	memset(m->stream_len, 0, sizeof(m->stream_len));
	if (snap_begin(m->pool, off, &m->building) != 0) {
		crash_fail(m, "snap_begin failed");
		return;
	}
	for (unsigned int i = 0; i < m->cfg->nr_writers; i++) {
		if (snap_stream_open(m->building, i, &m->streams[i]) != 0)
			crash_fail(m, "snap_stream_open failed");
	}
}

/* Ends the streams, seals, and notes what the RDB must be. */
static struct shot *snap_finish(struct model *m, bool foreign)
{
	struct shot *shot = m->now.shot == &m->shots[0] ? &m->shots[1] : &m->shots[0];
	struct snap_meta meta = {.nr_keys = 7, .ctime_s = 8, .stream_db = 9};
	uint8_t prefix[64];
	uint64_t crc;

	fill(m, prefix, sizeof(prefix));
	shot->off = snap_offset(m->building);
	shot->len = 0;
	if (!foreign) {
		memcpy(shot->rdb, prefix, sizeof(prefix));
		shot->len = sizeof(prefix);
	}
	for (unsigned int i = 0; i < NR_STREAMS; i++) {
		memcpy(shot->rdb + shot->len, m->stream_bytes[i], m->stream_len[i]);
		shot->len += m->stream_len[i];
		if (m->streams[i] == NULL)
			continue;
		flush_record_core_set(m->rec, i % NR_WRITERS % m->cfg->nr_writers);
		if (snap_stream_done(m->streams[i]) != 0)
			crash_fail(m, "snap_stream_done failed");
	}
	if (!foreign) {
		shot->rdb[shot->len++] = 0xff;
		crc = crc64(0, shot->rdb, shot->len);
		memcpy(shot->rdb + shot->len, &crc, sizeof(crc));
		shot->len += sizeof(crc);
	}
	flush_record_core_set(m->rec, CONTROL);
	if (snap_seal(m->building, prefix, sizeof(prefix), &meta, foreign) != 0)
		crash_fail(m, "snap_seal failed");
	return shot;
}

/* The log is behind the snapshot: true if that was found out. */
static bool snap_publish_early(struct model *m)
{
	int rc;

	/* On a grouped medium publishing flushes, which may be enough. */
	m->switching = true;
	rc = snap_publish(&m->building);
	told_update(m);
	m->switching = rc == 0;
	if (rc == 0)
		return false;
	if (rc != -EAGAIN)
		crash_fail(m, "snap_publish failed in another way");
	return true;
}

static void step_snap_publish(struct model *m)
{
	if (crash_rnd(m, 8) == 0) {
		snap_abort(&m->building);
		return;
	}
	m->next = m->now;
	m->next.shot = snap_finish(m, false);
	m->next.base = RECOVER_BASE_SNAPSHOT;
	m->next.base_off = m->next.shot->off;
	if (!crash_failed(m) && log_durable(m->log) < m->next.base_off && snap_publish_early(m))
		commit_all(m);
	m->switching = true;
	if (crash_failed(m) || (m->building != NULL && snap_publish(&m->building) != 0))
		crash_fail(m, "snap_publish failed");
	m->result->published++;
	switched(m);
	/* Old ones stay readable while pinned, beside the newest. */
	snap_put(&m->pinned);
	if (crash_rnd(m, 2) == 0)
		m->pinned = snap_newest_get(m->pool);
}

static void step_snap_foreign(struct model *m)
{
	uint64_t crc;

	if (m->building != NULL)
		snap_abort(&m->building);
	commit_all(m);
	if (crash_failed(m))
		return;
	m->next = m->now;
	repl_random(m, &m->next.repl);
	m->next.world = world_fresh(m, offset_random(m));
	snap_start(m, m->next.world->origin);
	snap_write(m, 0);
	/* The whole of a foreign stream ends with its own checksum. */
	crc = crc64(0, m->stream_bytes[0], m->stream_len[0]);
	memcpy(m->stream_bytes[0] + m->stream_len[0], &crc, sizeof(crc));
	m->stream_len[0] += sizeof(crc);
	if (snap_stream_write(m->streams[0], &crc, sizeof(crc)) != 0)
		crash_fail(m, "snap_stream_write failed");
	m->next.shot = snap_finish(m, true);
	m->next.base = RECOVER_BASE_SNAPSHOT;
	m->next.base_off = m->next.world->origin;
	m->switching = true;
	if (crash_failed(m) || snap_publish_foreign(&m->building, &m->next.repl) != 0)
		crash_fail(m, "snap_publish_foreign failed");
	m->result->published++;
	m->result->resets++;
	switched(m);
}

static void step_snap(struct model *m)
{
	if (m->building == NULL)
		snap_start(m, m->now.world->tail);
	else if (crash_rnd(m, 6) == 0)
		step_snap_publish(m);
	else
		snap_write(m, (unsigned int)(crash_rnd(m, m->cfg->nr_writers) +
					     crash_rnd(m, SNAP_STREAMS_EACH) * NR_WRITERS));
}

/* ---- Life and death of the process ---- */

static void stats_add(struct model *m)
{
	struct log_stats stats;

	log_stats_get(m->log, &stats);
	m->result->runs += stats.runs;
	m->result->hints += stats.hints;
	if (stats.runs > m->result->most_runs)
		m->result->most_runs = stats.runs;
	if (stats.slot_waits != 0)
		crash_fail(m, "an admitted append waited for a slot");
}

static void opened(struct model *m, const struct recover_result *res)
{
	m->log = pool_log(m->pool);
	m->building = NULL;
	m->now.world->start = res->log_start;
	m->now.world->tail = res->end;
	m->now.world->told = res->end;
	for (unsigned int i = 0; i < m->cfg->nr_writers; i++) {
		if (log_writer_open(m->log, i, &m->writers[i]) != 0)
			crash_fail(m, "log_writer_open failed");
	}
}

static void reopen(struct model *m)
{
	struct pool_cfg cfg = crash_pool_cfg();
	struct recover_result res;
	char err[200];

	flush_record_core_set(m->rec, CONTROL);
	if (pool_image_open(&m->flush, flush_record_mem(m->rec), POOL_BYTES, &cfg, &m->pool, err,
		    sizeof(err)) != 0) {
		crash_fail(m, "refused: %s", err);
		return;
	}
	if (recover_open(m->pool, &res, err, sizeof(err)) != 0) {
		crash_fail(m, "not recovered: %s", err);
		return;
	}
	crash_recovered_check(m, m->pool, &res);
	if (res.end < m->now.world->tail)
		m->result->tails_discarded++;
	opened(m, &res);
	snap_put(&res.snap);
	crash_sample(m);
}

static void step_restart(struct model *m)
{
	unsigned int how = (unsigned int)crash_rnd(m, 4);

	if (how == 0)
		commit_all(m);
	stats_add(m);
	snap_put(&m->pinned);
	if (how == 0 && m->building != NULL)
		snap_abort(&m->building);
	pool_close(&m->pool, how == 0);
	if (how == 1) {
		m->result->kills++;
	} else if (how > 1) {
		crash_image_make(m, m->rec);
		flush_record_restart(m->rec, m->image);
		m->result->power_cuts++;
	}
	reopen(m);
}

static void step(struct model *m)
{
	uint64_t what = crash_rnd(m, 1000);

	if (what < 600)
		step_append(m);
	else if (what < 900)
		step_commit(m);
	else if (what < 980)
		step_snap(m);
	else if (what < 986)
		step_repl_set(m);
	else if (m->cfg->calm)
		step_commit(m);
	else if (what < 988)
		step_reset(m);
	else if (what < 990)
		step_snap_foreign(m);
	else
		step_restart(m);
	if (!crash_failed(m))
		crash_rules_check(m);
	if (crash_rnd(m, 300) == 0)
		m->tiny = !m->tiny;
	crash_sample(m);
}

static void setup(struct model *m)
{
	struct pool_cfg cfg = crash_pool_cfg();
	struct recover_result res;
	char err[200] = "";

	m->rng = m->cfg->seed * 0x9e3779b97f4a7c15ull + 1;
	m->rec = flush_record_create(POOL_BYTES, m->cfg->grouped);
	m->second = flush_record_create(POOL_BYTES, m->cfg->grouped);
	m->image = aligned_alloc(4096, POOL_BYTES);
	BUG_ON(m->rec == NULL || m->second == NULL || m->image == NULL);
	m->flush = flush_record_flush(m->rec);
	for (int i = 0; i < 2; i++) {
		m->worlds[i].bytes = malloc(WORLD_BYTES);
		m->shots[i].rdb = malloc(2 * SHOT_BYTES);
		BUG_ON(m->worlds[i].bytes == NULL || m->shots[i].rdb == NULL);
	}
	if (pool_image_format(
		    &m->flush, flush_record_mem(m->rec), POOL_BYTES, &cfg, err, sizeof(err)) != 0 ||
		pool_image_open(&m->flush, flush_record_mem(m->rec), POOL_BYTES, &cfg, &m->pool,
			err, sizeof(err)) != 0 ||
		recover_open(m->pool, &res, err, sizeof(err)) != 0) {
		crash_fail(m, "no pool: %s", err);
		return;
	}
	m->now.world = &m->worlds[0];
	m->now.base = RECOVER_BASE_EMPTY;
	pool_repl_get(m->pool, &m->now.repl);
	opened(m, &res);
}

static void drop_set(struct model *m)
{
	size_t ring = POOL_HEADER_SIZE + NR_WRITERS * 128 * COMMIT_SIZE;
	const struct flush_range areas[] = {
		[CRASH_AREA_SUPERBLOCK] = {0, HINT_OFF},
		[CRASH_AREA_HINT] = {HINT_OFF, POOL_HEADER_SIZE},
		[CRASH_AREA_COMMIT] = {POOL_HEADER_SIZE, ring},
		[CRASH_AREA_RING] = {ring, ring + RING_BYTES},
		[CRASH_AREA_EXTENTS] = {ring + RING_BYTES, POOL_BYTES},
	};

	if (m->cfg->drop != CRASH_AREA_NONE)
		flush_record_drop_set(m->rec, &areas[m->cfg->drop]);
}

/* Adds what a record has seen to the result. */
static void sites_add(struct model *m, const struct flush_record *rec)
{
	struct crash_result *res = m->result;
	unsigned int nr;
	const struct flush_site *sites = flush_record_sites(rec, &nr);

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int j = 0;

		while (j < res->nr_sites && res->sites[j].at != sites[i].at)
			j++;
		if (j == res->nr_sites) {
			BUG_ON(j == CRASH_SITES_MAX);
			res->sites[res->nr_sites++] =
				(struct flush_site){.at = sites[i].at, .kind = sites[i].kind};
		}
		res->sites[j].calls += sites[i].calls;
	}
}

void crash_run(const struct crash_cfg *cfg, struct crash_result *result)
{
	struct model *m = calloc(1, sizeof(*m));

	BUG_ON(m == NULL);
	memset(result, 0, sizeof(*result));
	m->cfg = cfg;
	m->result = result;
	setup(m);
	drop_set(m);
	flush_record_sites_forget(m->rec); /* making a pool is another test's affair */
	flush_record_skip(m->rec, cfg->skip);
	flush_record_skip(m->second, cfg->skip);
	flush_record_point_set(m->rec, crash_sample, m);
	for (unsigned int i = 0; i < cfg->nr_steps && !crash_failed(m); i++)
		step(m);
	if (m->log != NULL && m->pool != NULL)
		stats_add(m);
	flush_record_point_set(m->rec, NULL, NULL);
	result->nr_dropped = flush_record_dropped(m->rec);
	sites_add(m, m->rec);
	sites_add(m, m->second);
	snap_put(&m->pinned);
	pool_close(&m->pool, false);
	for (int i = 0; i < 2; i++) {
		free(m->worlds[i].bytes);
		free(m->shots[i].rdb);
	}
	free(m->image);
	flush_record_destroy(&m->rec);
	flush_record_destroy(&m->second);
	free(m);
}
