/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The timer wheel among ten thousand armed timers, as many connections have them.
 */
#include "dataplane/timer.h"

#include "perf/micro/suites.h"

#include <stdlib.h>

#define NR_OTHERS 10000u
#define TICK_US   (1u << TIMER_TICK_SHIFT)
#define SPREAD_US 1000000u /* deadlines lie up to this far ahead */

struct fixture;

struct periodic {
	struct timer timer; /* first: the callback casts */
	struct fixture *owner;
};

struct fixture {
	struct timer_wheel wheel;
	struct timer probe;
	struct periodic *others;
	uint64_t now_us;
	uint64_t random;
};

static uint64_t deadline(struct fixture *f)
{
	return f->now_us + TICK_US + bench_random(&f->random) % SPREAD_US;
}

static void fire_again(struct timer *timer, uint64_t now_us)
{
	struct fixture *f = ((struct periodic *)timer)->owner;

	(void)now_us;
	timer_arm(&f->wheel, timer, deadline(f));
}

static void fire_never(struct timer *timer, uint64_t now_us)
{
	(void)timer;
	(void)now_us;
}

static void *timer_setup(int64_t arg, const char **why)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)arg;
	if (f)
		f->others = calloc(NR_OTHERS, sizeof(*f->others));
	if (!f || !f->others) {
		free(f);
		*why = "no memory";
		return NULL;
	}
	f->now_us = 1000000000;
	timer_wheel_init(&f->wheel, f->now_us);
	timer_init(&f->probe, fire_never);
	for (unsigned i = 0; i < NR_OTHERS; i++) {
		f->others[i].owner = f;
		timer_init(&f->others[i].timer, fire_again);
		timer_arm(&f->wheel, &f->others[i].timer, deadline(f));
	}
	return f;
}

static void timer_teardown(void *ctx)
{
	struct fixture *f = ctx;

	free(f->others);
	free(f);
}

static void arm_cancel(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	(void)r;
	while (n-- > 0) {
		timer_arm(&f->wheel, &f->probe, deadline(f));
		timer_cancel(&f->wheel, &f->probe);
	}
}

/* An armed timer put off, as each ACK does it with the retransmission timer. */
static void move(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	(void)r;
	while (n-- > 0)
		timer_arm(&f->wheel, &f->others[bench_random(&f->random) % NR_OTHERS].timer,
			deadline(f));
}

/* What each loop of a core pays when no tick has passed. */
static void run_same_tick(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	(void)r;
	while (n-- > 0) {
		uint32_t fired = timer_wheel_run(&f->wheel, f->now_us);

		bench_keep(&fired);
	}
}

/* One operation is one tick: what is due fires and is armed again. */
static void run_tick(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	uint64_t fired = 0;

	for (uint64_t i = 0; i < n; i++) {
		f->now_us += TICK_US;
		fired += timer_wheel_run(&f->wheel, f->now_us);
	}
	if (f->wheel.nr_armed != NR_OTHERS)
		bench_fail(r, "timers were lost");
	bench_report(r, "fired", (double)fired / (double)n);
}

void bench_timer_add(void)
{
	const struct bench all[] = {
		{.name = "timer/arm_cancel", .run = arm_cancel},
		{.name = "timer/move", .run = move},
		{.name = "timer/run_same_tick", .run = run_same_tick},
		{.name = "timer/run_tick", .run = run_tick, .batch = 1024},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct bench b = all[i];

		b.setup = timer_setup;
		b.teardown = timer_teardown;
		bench_add(&b);
	}
}
