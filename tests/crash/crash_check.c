/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The images that a power cut could leave, and what they must hold.
 */
#include "tests/crash/crash_priv.h"

#include "persist/crc64.h"
#include "persist/log_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t crash_rnd(struct model *m, uint64_t below)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (m->rng * 0x2545f4914f6cdd1dull >> 16) % below;
}

bool crash_failed(const struct model *m)
{
	return m->result->fault[0] != '\0';
}

void crash_fail(struct model *m, const char *fmt, ...)
{
	va_list args;

	if (crash_failed(m))
		return;
	va_start(args, fmt);
	vsnprintf(m->result->fault, sizeof(m->result->fault), fmt, args);
	va_end(args);
}

/* ---- Checking what recovery finds ---- */

static bool log_matches(struct log *log, const struct world *world, uint64_t from, uint64_t end)
{
	uint8_t buf[RING_BYTES];

	if (from < world->origin || end - from > sizeof(buf))
		return false;
	return log_copy(log, from, buf, end - from) == 0 &&
	       memcmp(buf, world->bytes + (from - world->origin), end - from) == 0;
}

static bool shot_matches(const struct snap *snap, const struct shot *shot)
{
	uint64_t pos = 0, crc = 0;

	if (snap_offset(snap) != shot->off || snap_size(snap) != shot->len ||
		snap_verify(snap) != 0)
		return false;
	while (pos < shot->len) {
		const void *ptr;
		size_t len;
		if (snap_span(snap, pos, &ptr, &len) != 0 || len == 0 || len > shot->len - pos ||
			memcmp(ptr, shot->rdb + pos, len) != 0)
			return false;
		crc = crc64(crc, ptr, len);
		pos += len;
	}
	/* A CRC that ends with itself, least byte first, is zero. */
	return crc == 0;
}

/* NULL if what was recovered is this state, else what differs. */
static const char *state_differs(struct pool *pool, const struct recover_result *res,
	const struct state *state, uint64_t told)
{
	const struct world *world = state->world;
	struct pool_repl repl;

	pool_repl_get(pool, &repl);
	if (memcmp(&repl, &state->repl, sizeof(repl)) != 0)
		return "replication ids";
	if (res->base != state->base || res->base_off != state->base_off)
		return "base";
	if (res->base == RECOVER_BASE_SNAPSHOT && !shot_matches(res->snap, state->shot))
		return "snapshot";
	if (res->end < told)
		return "end below the watermark";
	if (res->end > world->tail)
		return "end beyond what was appended";
	if (res->log_start < world->start || res->log_start > res->base_off)
		return "start of the log";
	if (!log_matches(pool_log(pool), world, res->log_start, res->end))
		return "bytes of the log";
	return NULL;
}

void crash_recovered_check(struct model *m, struct pool *pool, const struct recover_result *res)
{
	const char *now = state_differs(pool, res, &m->now, m->now.world->told);
	const char *next = "not switching";

	if (now != NULL && m->switching)
		next = state_differs(pool, res, &m->next, m->next.world->told);
	if (now != NULL && next != NULL)
		crash_fail(m, "%s; %s (end %llu told %llu tail %llu base %llu)", now, next,
			(unsigned long long)res->end, (unsigned long long)m->now.world->told,
			(unsigned long long)m->now.world->tail, (unsigned long long)res->base_off);
	else if (res->end < m->least_end)
		crash_fail(m, "a recovered end was lost again");
}

struct pool_cfg crash_pool_cfg(void)
{
	return (struct pool_cfg){
		.boot_id = BOOT_ID,
		.durability = POOL_DURABILITY_ALWAYS,
		.ring_size = RING_BYTES,
		.nr_writers = NR_WRITERS,
		.commit_slots = 128,
		.extent_size = 4096,
	};
}

/* Opens and recovers a pool through @flush, compares, closes. Returns the end. */
static uint64_t pool_check(struct model *m, const struct flush *flush, uint8_t *mem)
{
	struct pool_cfg cfg = crash_pool_cfg();
	struct recover_result res = {0};
	struct pool *pool;
	char err[200];

	if (pool_image_open(flush, mem, POOL_BYTES, &cfg, &pool, err, sizeof(err)) != 0) {
		crash_fail(m, "refused: %s", err);
		return 0;
	}
	if (recover_open(pool, &res, err, sizeof(err)) != 0)
		crash_fail(m, "not recovered: %s", err);
	else
		crash_recovered_check(m, pool, &res);
	snap_put(&res.snap);
	pool_close(&pool, false);
	return res.end;
}

/* What a power cut could leave is recovered, and recovered again, to the same. */
static void image_check(struct model *m)
{
	struct flush flush = {.ops = m->cfg->grouped ? &flush_msync_ops : &flush_pmem_ops};
	uint64_t end;

	m->result->nr_images++;
	end = pool_check(m, &flush, m->image);
	if (!crash_failed(m) && pool_check(m, &flush, m->image) != end)
		crash_fail(m, "the second recovery ends elsewhere");
}

/* ---- Choosing what survives ---- */

struct survival {
	struct model *m;
	unsigned int kind;
	unsigned int chance; /* of 16 */
	size_t chosen;
	bool on;
};

static bool survives(void *ctx, size_t i)
{
	struct survival *s = ctx;

	switch (s->kind) {
	case 0: return false;
	case 1: return true;
	case 2: return i == s->chosen;
	case 3: return i != s->chosen;
	case 4: return i < s->chosen;
	case 5: return i >= s->chosen;
	case 6: return crash_rnd(s->m, 16) < s->chance;
	default:
		/* Neighbours share their fate. */
		if (crash_rnd(s->m, 8) == 0)
			s->on = !s->on;
		return s->on;
	}
}

void crash_image_make(struct model *m, const struct flush_record *rec)
{
	size_t nr = flush_record_nr_kept(rec);
	struct survival s = {.m = m,
		.kind = (unsigned int)crash_rnd(m, 8),
		.chance = 1 + (unsigned int)crash_rnd(m, 15),
		.chosen = nr != 0 ? crash_rnd(m, nr) : 0,
		.on = crash_rnd(m, 2) == 0};

	flush_record_image(rec, survives, &s, m->image);
}

/* The power fails while a pool is being recovered. */
static void nested_sample(void *ctx)
{
	struct model *m = ctx;

	if (crash_failed(m))
		return;
	crash_image_make(m, m->second);
	image_check(m);
}

/*
 * Recovers on recorded memory: what the power cut left, or what a killed process left with its
 * stores still on their way; with power cuts during that recovery, and after it.
 */
static void nested_check(struct model *m, bool killed)
{
	struct flush flush = flush_record_flush(m->second);

	if (killed) {
		flush_record_assign(m->second, m->rec);
	} else {
		crash_image_make(m, m->rec);
		flush_record_restart(m->second, m->image);
	}
	flush_record_core_set(m->second, CONTROL);
	flush_record_point_set(m->second, nested_sample, m);
	m->least_end = 0;
	m->least_end = pool_check(m, &flush, flush_record_mem(m->second));
	for (int i = 0; i < 3; i++)
		nested_sample(m);
	m->least_end = 0;
}

void crash_sample(void *ctx)
{
	struct model *m = ctx;

	if (crash_failed(m) || crash_rnd(m, m->cfg->point_every) != 0)
		return;
	for (unsigned int i = 0; i < m->cfg->nr_images && !crash_failed(m); i++) {
		crash_image_make(m, m->rec);
		image_check(m);
	}
	if (crash_rnd(m, 8) == 0)
		nested_check(m, crash_rnd(m, 2) == 0);
}

/* Every slot that a writer may fill is free of records that recovery could need. */
static void slots_check(struct model *m, const struct log *log, const struct log_writer *w)
{
	uint64_t hint = atomic_load(&log->hint);

	if (log_slots_free(w) > log->nr_slots) {
		crash_fail(m, "more slots than there are");
		return;
	}
	for (uint64_t slot = w->slot_head; slot < w->slot_end; slot++) {
		const struct commit_rec *rec = &w->slots[slot % log->nr_slots];
		if (rec->incarnation == log->incarnation && rec->off + rec->len > hint) {
			crash_fail(m, "a slot above the hint is offered for use");
			return;
		}
	}
}

void crash_rules_check(struct model *m)
{
	const struct log *log = m->log;
	uint64_t ceiling = atomic_load(&log->ceiling), hint = atomic_load(&log->hint);

	if (atomic_load(&log->tail) > atomic_load(&log->granted))
		crash_fail(m, "tail above what was granted");
	if (atomic_load(&log->granted) > ceiling)
		crash_fail(m, "granted above the ceiling");
	if (ceiling > m->now.base_off + RING_BYTES)
		crash_fail(m, "ceiling lets bytes from the base on be overwritten");
	if (ceiling > hint + RING_BYTES - log->run_max)
		crash_fail(m, "ceiling lets a run be overwritten that ends above the hint");
	if (hint > log_durable(log))
		crash_fail(m, "hint above what is durable");
	for (unsigned int i = 0; i < m->cfg->nr_writers; i++)
		slots_check(m, log, m->writers[i]);
}
