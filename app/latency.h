/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The latency monitor: what took longer than latency-monitor-threshold, by kind of event
 * ("command", "fast-command", "expire-cycle", "eviction-cycle", "log-flush"), one sample a second
 * and event, the worst of that second.
 *
 * Shared by all cores and the control thread. Its spinlock guards everything; it is taken for
 * events over the threshold and by LATENCY only.
 */
#ifndef MILLRACE_APP_LATENCY_H
#define MILLRACE_APP_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_SAMPLES    160 /* kept for each event */
#define LATENCY_MAX_EVENTS 32  /* further kinds are not recorded */
#define LATENCY_NAME_MAX   32

struct latency;
struct server;

struct latency_sample {
	int64_t time_s; /* Unix time */
	uint32_t ms;
};

/* A copy of one event's record. */
struct latency_event {
	char name[LATENCY_NAME_MAX];
	uint32_t max_ms; /* since the last reset */
	uint32_t nr;
	struct latency_sample samples[LATENCY_SAMPLES]; /* nr of them, oldest first */
};

struct latency *latency_create(void); /* NULL: no memory */
void latency_destroy(struct latency **lat);

/* Records that event took ms, if latency monitoring is on and ms reaches the threshold. event is
 * a literal. Any thread. */
void latency_add(struct server *srv, const char *event, int64_t ms);
/* The same with the time (Unix, ms) given. */
void latency_add_at(struct server *srv, const char *event, int64_t ms, int64_t now_ms);
/* The same for what was measured in microseconds: cheap below the least threshold, 1 ms. */
static inline void latency_add_us(struct server *srv, const char *event, uint64_t us)
{
	if (us >= 1000)
		latency_add(srv, event, (int64_t)(us / 1000));
}

/* Copies event i (0 is the first; they keep their numbers until a reset). Returns 0, or -ENOENT
 * behind the last. */
int latency_get(struct latency *lat, unsigned i, struct latency_event *out);
/* The same by name (len bytes, any case). */
int latency_find(struct latency *lat, const char *name, size_t len, struct latency_event *out);
/* Forgets one event, or all (name NULL). Returns how many were forgotten. */
unsigned latency_reset(struct latency *lat, const char *name, size_t len);

/* Distribution of execution times (struct command_stats: hist): bucket 0 counts up to 1 us,
 * bucket i up to 2^i us, the last everything above too. */
#define LATENCY_BUCKETS 32
static inline unsigned latency_bucket(uint64_t us)
{
	unsigned i = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

	return i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1;
}
/* The bucket's upper bound in nanoseconds as Redis 7.0 names it: 1031, 2063, 4127 ... (its
 * buckets are powers of two of nanoseconds, to two significant digits). */
static inline uint64_t latency_bucket_ns(unsigned i)
{
	return (UINT64_C(1032) << i) - 1;
}

#endif
