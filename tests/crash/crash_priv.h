/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What crash_model.c (the steps) and crash_check.c (the images and what they must hold) share.
 */
#ifndef MILLRACE_TESTS_CRASH_PRIV_H
#define MILLRACE_TESTS_CRASH_PRIV_H

#include "persist/log.h"
#include "persist/recover.h"
#include "persist/snapshot.h"
#include "tests/crash/crash_model.h"

#define POOL_BYTES  (256u << 10)
#define RING_BYTES  (16u << 10)
#define NR_WRITERS  4
#define NR_STREAMS  (SNAP_STREAMS_EACH * NR_WRITERS)
#define CONTROL     100 /* number of the control thread's "core" */
#define WORLD_BYTES (4u << 20)
#define SHOT_BYTES  (12u << 10)
#define BOOT_ID     "00000000-0000-0000-0000-000000000001"

/* A snapshot as it was written. */
struct shot {
	uint64_t off;
	size_t len;
	uint8_t *rdb;
};

/* One life of the log: what was appended, and what was promised. */
struct world {
	uint64_t origin; /* offset of bytes[0] */
	uint64_t start;  /* nothing below can be held */
	uint64_t tail;
	uint64_t told; /* the highest watermark anybody was shown */
	uint8_t *bytes;
};

/* What the superblock decides about. */
struct state {
	struct pool_repl repl;
	enum recover_base base;
	uint64_t base_off;
	struct shot *shot; /* RECOVER_BASE_SNAPSHOT */
	struct world *world;
};

struct model {
	const struct crash_cfg *cfg;
	struct crash_result *result;
	uint64_t rng;
	struct flush_record *rec;
	struct flush_record *second; /* to recover on, beside it */
	struct flush flush;
	struct pool *pool;
	struct log *log;
	struct log_writer *writers[NR_WRITERS];
	uint8_t *image;
	struct state now;
	struct state next; /* being switched to */
	bool switching;
	uint64_t least_end; /* an end that was recovered must not be lost any more */
	bool tiny;          /* records so short that commit slots run out before bytes do */
	struct world worlds[2];
	struct shot shots[2];
	struct snap *building;
	struct snap_stream *streams[NR_STREAMS]; /* a writer's own, then those that all write to */
	uint8_t stream_bytes[NR_STREAMS][SHOT_BYTES];
	size_t stream_len[NR_STREAMS];
	struct snap *pinned;
};

uint64_t crash_rnd(struct model *m, uint64_t below);
bool crash_failed(const struct model *m);
/* Notes the first fault. */
void crash_fail(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct pool_cfg crash_pool_cfg(void);

/* What was recovered has to be the state in force, or the one being switched to. */
void crash_recovered_check(struct model *m, struct pool *pool, const struct recover_result *res);

/* Puts into m->image one of the images that a power cut could leave now. */
void crash_image_make(struct model *m, const struct flush_record *rec);

/* The hook at fences, and between steps: checks some images. */
void crash_sample(void *ctx);

/* The rules of "persist/pool_format.h" about what may be overwritten, looked up in memory. */
void crash_rules_check(struct model *m);

#endif
