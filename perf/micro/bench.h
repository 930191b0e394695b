/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Micro benchmarks in C over Google Benchmark, which bench.cc alone knows.
 *
 * A benchmark is a function that does an operation n times; what comes out is the time of one. How
 * the calls come, for benchmarks in the order in which they were added:
 *
 *	ctx = setup(arg)           before the first run, untimed
 *	run(r, ctx, batch) ...     as often as the measurement takes, timed but for pauses
 *	teardown(ctx)              before another set-up, or at the end, untimed
 *
 * Neighbours with the same setup and the same arg share one set-up: each finds what the one before
 * has left. One thread.
 */
#ifndef MILLRACE_PERF_MICRO_BENCH_H
#define MILLRACE_PERF_MICRO_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_run; /* the measurement under way */

struct bench {
	const char *name; /* copied */
	/* Returns owned, or NULL with a reason in *why (text that lives on): the benchmark is then
	 * reported as skipped. NULL: there is nothing to set up, and ctx is NULL. */
	void *(*setup)(int64_t arg, const char **why);
	void (*run)(struct bench_run *r, void *ctx, uint64_t n);
	void (*teardown)(void *ctx); /* takes ctx; NULL with setup NULL */
	int64_t arg;
	uint64_t batch;      /* n of each call of run(); 0: 256 */
	uint64_t iterations; /* operations in all; 0: as many as the minimal time takes */
	uint64_t items;      /* of one operation, for the rate; 0: 1 */
	uint64_t bytes;      /* of one operation, for the rate; 0: no such rate */
	bool blocks; /* it waits in the kernel: measured in real time, not the processor's */
};

/* From the command line; read before benchmarks are added. */
struct bench_options {
	bool smoke;       /* each benchmark once, as small as it goes: that it runs at all */
	int64_t max_keys; /* the largest data set */
	const char *dir;  /* for files on an ordinary file system */
};

/* Reads the command line, Google Benchmark's own options included. Returns false, with a message on
 * stderr, when there is something unknown in it. */
bool bench_options_parse(int *argc, char **argv, struct bench_options *opt);

/* Adds a benchmark. */
void bench_add(const struct bench *b);

/* Runs what was added and the filter lets through. Returns the exit status: 1 when the filter lets
 * nothing through or a benchmark failed. */
int bench_run_all(void);

/* For run(): what lies between is not timed. A pair costs some hundred nanoseconds of which a part
 * is timed, so batches are large where there are pauses. */
void bench_pause(struct bench_run *r);
void bench_resume(struct bench_run *r);

/* For run(): another figure to report beside the time; the last call of a measurement counts. */
void bench_report(struct bench_run *r, const char *name, double value);

/* For run(): the operation did not do what it has to. The measurement is void, whatever follows,
 * and the program fails. */
void bench_fail(struct bench_run *r, const char *why);

/* Makes the compiler believe that what p points to is looked at. */
static inline void bench_keep(const void *p)
{
	__asm__ volatile("" : : "g"(p) : "memory");
}

/* A well mixed sequence: the same in each run. */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#ifdef __cplusplus
}
#endif

#endif
