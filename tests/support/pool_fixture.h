/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small pool in memory, for unit tests. Single-threaded tests use recorded memory; tests with
 * threads use plain memory.
 */
#ifndef MILLRACE_TESTS_SUPPORT_POOL_FIXTURE_H
#define MILLRACE_TESTS_SUPPORT_POOL_FIXTURE_H

#include "checks.h"
#include "persist/flush_record.h"
#include "persist/log.h"
#include "persist/pool.h"
#include "persist/recover.h"

#include <stdlib.h>
#include <string.h>

#define FIXTURE_BYTES   (320u << 10)
#define FIXTURE_RING    (32u << 10)
#define FIXTURE_WRITERS 4
#define FIXTURE_BOOT    "11111111-2222-3333-4444-555555555555"

struct pool_fixture {
	struct flush_record *rec; /* NULL: plain memory */
	struct flush flush;
	uint8_t *mem;
	struct pool_cfg cfg;
	struct pool *pool;
	struct log *log;
	struct log_writer *w[FIXTURE_WRITERS];
	struct recover_result res;
	char err[200];
};

static inline struct pool_cfg fixture_cfg(void)
{
	return (struct pool_cfg){
		.boot_id = FIXTURE_BOOT,
		.ring_size = FIXTURE_RING,
		.nr_writers = FIXTURE_WRITERS,
		.commit_slots = 128,
		.extent_size = 4096,
	};
}

/* Opens and recovers the pool that is in memory; all writers are registered. */
static inline void fixture_open(struct pool_fixture *f)
{
	BUG_ON(pool_image_open(&f->flush, f->mem, FIXTURE_BYTES, &f->cfg, &f->pool, f->err,
		       sizeof(f->err)) != 0);
	BUG_ON(recover_open(f->pool, &f->res, f->err, sizeof(f->err)) != 0);
	f->log = pool_log(f->pool);
	for (unsigned int i = 0; i < FIXTURE_WRITERS; i++)
		BUG_ON(log_writer_open(f->log, i, &f->w[i]) != 0);
}

static inline void fixture_close(struct pool_fixture *f, bool clean)
{
	snap_put(&f->res.snap);
	pool_close(&f->pool, clean);
}

/* A new pool on recorded memory. */
static inline void fixture_setup(
	struct pool_fixture *f, bool grouped, enum pool_durability durability)
{
	memset(f, 0, sizeof(*f));
	f->cfg = fixture_cfg();
	f->cfg.durability = durability;
	f->rec = flush_record_create(FIXTURE_BYTES, grouped);
	BUG_ON(f->rec == NULL);
	f->flush = flush_record_flush(f->rec);
	f->mem = flush_record_mem(f->rec);
	BUG_ON(pool_image_format(
		       &f->flush, f->mem, FIXTURE_BYTES, &f->cfg, f->err, sizeof(f->err)) != 0);
	fixture_open(f);
}

static inline void fixture_teardown(struct pool_fixture *f)
{
	fixture_close(f, false);
	flush_record_destroy(&f->rec);
}

static inline bool fixture_survives_none(void *ctx, size_t i)
{
	(void)ctx;
	(void)i;
	return false;
}

/* The power fails, everything that is not durable is lost, and the pool is opened again. */
static inline void fixture_power_cut(struct pool_fixture *f)
{
	uint8_t *image = malloc(FIXTURE_BYTES);

	BUG_ON(image == NULL);
	fixture_close(f, false);
	flush_record_image(f->rec, fixture_survives_none, NULL, image);
	flush_record_restart(f->rec, image);
	free(image);
	fixture_open(f);
}

/* The process is killed: what memory shows stays. */
static inline void fixture_kill(struct pool_fixture *f)
{
	fixture_close(f, false);
	fixture_open(f);
}

/* A new pool on plain memory: may be used by several threads. */
static inline void fixture_setup_plain(struct pool_fixture *f, bool grouped)
{
	memset(f, 0, sizeof(*f));
	f->cfg = fixture_cfg();
	f->flush.ops = grouped ? &flush_memory_grouped_ops : &flush_memory_ops;
	f->mem = aligned_alloc(4096, FIXTURE_BYTES);
	BUG_ON(f->mem == NULL);
	BUG_ON(pool_image_format(
		       &f->flush, f->mem, FIXTURE_BYTES, &f->cfg, f->err, sizeof(f->err)) != 0);
	fixture_open(f);
}

static inline void fixture_teardown_plain(struct pool_fixture *f)
{
	fixture_close(f, false);
	free(f->mem);
}

#endif
