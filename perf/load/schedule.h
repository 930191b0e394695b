/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fixed schedule of an open loop: number n falls due at start + n * interval, whatever has
 * become of those before it. Times are of the time stamp counter.
 */
#ifndef MILLRACE_PERF_LOAD_SCHEDULE_H
#define MILLRACE_PERF_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
	double interval; /* cycles; 0: there is none, a closed loop */
	uint64_t start;
	uint64_t nr;   /* of the next one */
	uint64_t last; /* nothing falls due after that */
};

/* Thread `id` of nr threads that share the rate (a second): its part begins a fraction of the
 * interval later. */
static inline void schedule_begin(
	struct schedule *s, uint64_t now, double hz, double rate, unsigned id, unsigned nr)
{
	s->interval = hz * nr / rate;
	s->start = now + (uint64_t)(hz / rate * id);
	s->nr = 0;
	s->last = UINT64_MAX;
}

static inline void schedule_end(struct schedule *s, uint64_t now)
{
	s->last = now;
}

/* When the next one falls due. */
static inline uint64_t schedule_next(const struct schedule *s)
{
	return s->start + (uint64_t)((double)s->nr * s->interval);
}

static inline bool schedule_is_due(const struct schedule *s, uint64_t now)
{
	const uint64_t next = schedule_next(s);

	return s->interval > 0 && next <= now && next <= s->last;
}

/* Nothing is due any more, now or ever. */
static inline bool schedule_is_over(const struct schedule *s)
{
	return s->interval == 0 || schedule_next(s) > s->last;
}

#endif
