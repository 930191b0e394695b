/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Self-driven apply: an otherwise ordinary replica whose link is replaced by a stream in memory.
 *
 * The linker sends repl_sync_work() here, which each loop of core 0 calls: it hands the next piece
 * of a prepared stream to the applier, as the link would. Everything else is the node's own: its
 * loop, the log and its commits. What it takes is counted in the time of the thread itself, so
 * that others on the machine do not count.
 *
 * MILLRACE_STREAM: "op=set|hset|incr|multi,keys=N,value=N,piece=N,seconds=N", one core.
 */
#include "app/apply.h"
#include "app/repl_sync.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STREAM_BYTES (128u << 20)
#define RECORD_MAX   (64u << 10)
#define SECOND_US    1000000ull

static struct {
	char op[16];
	unsigned long keys, value, piece, seconds;
	char *bytes;
	size_t len, at;
	uint64_t rng;
	uint64_t from_cpu_us, from_us, from_commands, from_tail;
	bool stuck, told;
	int passes;
} run = {.op = "set", .keys = 1000000, .value = 32, .piece = 16384, .seconds = 3, .rng = 1};

static uint64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SECOND_US + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t draw(void)
{
	run.rng ^= run.rng << 13;
	run.rng ^= run.rng >> 7;
	run.rng ^= run.rng << 17;
	return run.rng;
}

static void settings_read(void)
{
	const char *text = getenv("MILLRACE_STREAM");
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", text ? text : "");
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');
		unsigned long n = eq ? strtoul(eq + 1, NULL, 10) : 0;

		BUG_ON(!eq);
		*eq = 0;
		if (strcmp(w, "op") == 0)
			snprintf(run.op, sizeof(run.op), "%s", eq + 1);
		else if (strcmp(w, "keys") == 0)
			run.keys = n;
		else if (strcmp(w, "value") == 0)
			run.value = n;
		else if (strcmp(w, "piece") == 0)
			run.piece = n;
		else if (strcmp(w, "seconds") == 0)
			run.seconds = n;
		else
			BUG_ON(true);
	}
	BUG_ON(run.value > RECORD_MAX / 4 || run.keys == 0 || run.piece == 0);
}

static int set_put(char *to, unsigned long key, const char *value)
{
	return sprintf(to, "*3\r\n$3\r\nSET\r\n$14\r\nkey:%010lu\r\n$%lu\r\n%s\r\n", key, run.value,
		value);
}

/* One command, or a run of them. */
static int record_put(char *to, unsigned long key, const char *value)
{
	int n = 0;

	if (strcmp(run.op, "hset") == 0)
		return sprintf(to,
			"*4\r\n$4\r\nHSET\r\n$14\r\nhsh:%010lu\r\n$3\r\nf%02lu\r\n$%lu\r\n%s\r\n",
			key / 10, key % 10, run.value, value);
	if (strcmp(run.op, "incr") == 0)
		return sprintf(to, "*2\r\n$4\r\nINCR\r\n$14\r\nnum:%010lu\r\n", key);
	if (strcmp(run.op, "multi") != 0)
		return set_put(to, key, value);
	n += sprintf(to, "*1\r\n$5\r\nMULTI\r\n");
	for (unsigned long i = 0; i < 4; i++)
		n += set_put(to + n, (key + i * 7919) % run.keys, value);
	return n + sprintf(to + n, "*1\r\n$4\r\nEXEC\r\n");
}

/* First every key once, so that what is measured finds them. */
static void stream_make(void)
{
	char value[RECORD_MAX / 4 + 1];

	settings_read();
	memset(value, 'v', run.value);
	value[run.value] = 0;
	run.bytes = malloc(STREAM_BYTES + RECORD_MAX);
	BUG_ON(!run.bytes);
	while (run.len < STREAM_BYTES)
		run.len += (size_t)record_put(run.bytes + run.len, draw() % run.keys, value);
}

static void report(struct server *srv)
{
	uint64_t cpu = thread_cpu_us() - run.from_cpu_us, us = clock_mono_us() - run.from_us;
	uint64_t commands = apply_nr_commands(srv->repl->apply) - run.from_commands;
	uint64_t bytes = log_tail(srv->log) - run.from_tail;

	printf("{\"op\":\"%s\",\"keys\":%lu,\"value\":%lu,\"piece\":%lu,\"mops_core\":%.3f,"
	       "\"ns\":%.1f,\"mb_core\":%.1f,\"share\":%.2f}\n",
		run.op, run.keys, run.value, run.piece, (double)commands / (double)cpu,
		1000.0 * (double)cpu / (double)commands, (double)bytes / (double)cpu,
		(double)cpu / (double)us);
	fflush(stdout);
	run.told = true;
	kill(getpid(), SIGTERM);
}

/* The second pass begins: every key is there. */
static void measure_begin(struct server *srv)
{
	run.from_cpu_us = thread_cpu_us();
	run.from_us = clock_mono_us();
	run.from_commands = apply_nr_commands(srv->repl->apply);
	run.from_tail = log_tail(srv->log);
}

void __real_repl_sync_work(struct app_core *ac);
void __wrap_repl_sync_work(struct app_core *ac);

void __wrap_repl_sync_work(struct app_core *ac)
{
	struct server *srv = ac->srv;
	struct apply *a = srv->repl->apply;
	size_t n;

	if (!run.bytes)
		stream_make();
	if (run.told)
		return;
	if (run.passes && clock_mono_us() - run.from_us >= run.seconds * SECOND_US) {
		report(srv);
		return;
	}
	core_poke(ac->core); /* the link would have received something */
	if (run.stuck) {
		run.stuck = !apply_resume(a);
		BUG_ON(apply_error(a));
		return;
	}
	n = run.piece < run.len - run.at ? run.piece : run.len - run.at;
	run.stuck = !apply_bytes(a, run.bytes + run.at, n);
	BUG_ON(apply_error(a));
	run.at += n;
	if (run.at < run.len)
		return;
	run.at = 0;
	if (run.passes++ == 0)
		measure_begin(srv);
}
