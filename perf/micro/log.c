/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log: commands appended and committed in bursts of 1 to 64, on memory that is treated as
 * persistent (a file in /dev/shm, non-temporal stores and a fence) and on an ordinary file (msync).
 *
 * One operation is one appended command; its share of the burst's commit is in it.
 */
#include "persist/log.h"

#include "checks.h"
#include "perf/micro/suites.h"
#include "persist/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_BYTES (256u << 20)
#define RING_BYTES (64u << 20)

/* What SET with a key of 16 and a value of 32 bytes puts into the log. */
static const char record[] = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000123456\r\n$32\r\n"
			     "01234567890123456789012345678901\r\n";
#define RECORD_BYTES (sizeof(record) - 1)

enum medium { MEDIUM_PMEM, MEDIUM_FILE };

struct fixture {
	struct flush flush;
	void *mem;
	struct pool *pool;
	struct recover_result res;
	struct log *log;
	struct log_writer *w;
};

/* Where the ordinary file goes: set once, when the benchmarks are added. */
static const char *file_dir;

/* A mapping of a new file in dir, which has no name any more. NULL: *why. */
static void *map_new(const char *dir, const char **why)
{
	char path[4096];
	void *mem = NULL;
	int fd;

	*why = "no file can be made in --dir or /dev/shm";
	if (snprintf(path, sizeof(path), "%s/millrace-bench-XXXXXX", dir) >= (int)sizeof(path))
		return NULL;
	fd = mkstemp(path);
	if (fd < 0)
		return NULL;
	unlink(path);
	*why = "no room for a pool of 256 MiB in --dir or /dev/shm";
	if (posix_fallocate(fd, 0, POOL_BYTES) == 0)
		mem = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return mem == MAP_FAILED ? NULL : mem;
}

static void log_teardown(void *ctx)
{
	struct fixture *f = ctx;

	snap_put(&f->res.snap);
	pool_close(&f->pool, false);
	munmap(f->mem, POOL_BYTES);
	free(f);
}

static void *log_setup(int64_t medium, const char **why)
{
	struct pool_cfg cfg = {.ring_size = RING_BYTES, .nr_writers = 4};
	struct fixture *f = calloc(1, sizeof(*f));
	char err[256];

	*why = "no memory";
	if (!f)
		return NULL;
	f->flush.ops = medium == MEDIUM_PMEM ? &flush_pmem_ops : &flush_msync_ops;
	f->mem = map_new(medium == MEDIUM_PMEM ? "/dev/shm" : file_dir, why);
	if (!f->mem) {
		free(f);
		return NULL;
	}
	*why = "the pool cannot be made";
	if (pool_image_format(&f->flush, f->mem, POOL_BYTES, &cfg, err, sizeof(err)) == 0 &&
		pool_image_open(&f->flush, f->mem, POOL_BYTES, &cfg, &f->pool, err, sizeof(err)) ==
			0 &&
		recover_open(f->pool, &f->res, err, sizeof(err)) == 0) {
		f->log = pool_log(f->pool);
		if (log_writer_open(f->log, 0, &f->w) == 0)
			return f;
	}
	log_teardown(f);
	return NULL;
}

/* The ring is full: a snapshot of nothing at the present offset makes room. */
static void room_make(struct fixture *f)
{
	struct snap_meta meta = {0};
	struct snap *snap;

	log_commit(f->w);
	log_flush(f->log);
	if (log_space(f->log) > RING_BYTES / 2)
		return; /* it was the hint that had to move */
	BUG_ON(snap_begin(f->pool, log_tail(f->log), &snap) != 0);
	BUG_ON(snap_seal(snap, "REDIS", 5, &meta, false) != 0);
	BUG_ON(snap_publish(&snap) != 0);
}

static void burst(struct bench_run *r, struct fixture *f, unsigned nr)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < nr; i++) {
		while (log_admit(f->w, RECORD_BYTES) == -EAGAIN) {
			bench_pause(r);
			room_make(f);
			bench_resume(r);
		}
		end = log_append(f->w, record, RECORD_BYTES);
	}
	log_commit(f->w);
	if (f->flush.ops->grouped)
		log_flush(f->log);
	if (log_reply_mark(f->log) < end)
		bench_fail(r, "what was committed is not durable");
}

static void bursts(struct bench_run *r, struct fixture *f, uint64_t n, unsigned nr)
{
	for (uint64_t done = 0; done < n; done += nr)
		burst(r, f, nr);
}

static void bursts_1(struct bench_run *r, void *ctx, uint64_t n)
{
	bursts(r, ctx, n, 1);
}

static void bursts_4(struct bench_run *r, void *ctx, uint64_t n)
{
	bursts(r, ctx, n, 4);
}

static void bursts_16(struct bench_run *r, void *ctx, uint64_t n)
{
	bursts(r, ctx, n, 16);
}

static void bursts_64(struct bench_run *r, void *ctx, uint64_t n)
{
	bursts(r, ctx, n, 64);
}

void bench_log_add(const struct bench_options *opt)
{
	static const struct {
		const char *pmem, *file;
		void (*run)(struct bench_run *r, void *ctx, uint64_t n);
		unsigned nr;
	} all[] = {
		{"log/append_commit/pmem/1", "log/append_commit/msync/1", bursts_1, 1},
		{"log/append_commit/pmem/4", "log/append_commit/msync/4", bursts_4, 4},
		{"log/append_commit/pmem/16", "log/append_commit/msync/16", bursts_16, 16},
		{"log/append_commit/pmem/64", "log/append_commit/msync/64", bursts_64, 64},
	};

	file_dir = opt->dir;
	for (int medium = MEDIUM_PMEM; medium <= MEDIUM_FILE; medium++) {
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			bench_add(&(struct bench){
				.name = medium == MEDIUM_PMEM ? all[i].pmem : all[i].file,
				.setup = log_setup,
				.run = all[i].run,
				.teardown = log_teardown,
				.arg = medium,
				.batch = medium == MEDIUM_PMEM ? 256 : all[i].nr,
				.bytes = RECORD_BYTES,
				.blocks = medium == MEDIUM_FILE,
			});
	}
}
