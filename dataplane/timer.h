/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Timer wheel: arm and cancel in O(1), nodes embedded in what they time.
 *
 * Four levels of 64 slots; level 0 turns one slot each tick (1024 us), each level 64 times slower
 * than the one before. A timer fires in the first timer_wheel_run() whose time, rounded down to a
 * tick, is not before its deadline rounded up: never early, at most about two ticks late.
 * Deadlines beyond the horizon (4.7 hours) wait in the last slot and are placed anew when it turns.
 * One wheel per core; no thread-safety.
 */
#ifndef MILLRACE_DATAPLANE_TIMER_H
#define MILLRACE_DATAPLANE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_TICK_SHIFT 10 /* microseconds to ticks */
#define TIMER_NR_LEVELS  4
#define TIMER_SLOT_BITS  6
#define TIMER_NR_SLOTS   (1u << TIMER_SLOT_BITS)

struct timer;

/* Runs from timer_wheel_run(); the timer is disarmed and may be armed again or freed. now_us is the
   time passed to timer_wheel_run. */
typedef void (*timer_fn)(struct timer *timer, uint64_t now_us);

struct timer {
	struct timer *next;
	struct timer **pprev; /* NULL: not armed */
	timer_fn fn;
	uint64_t at; /* deadline in us, level and slot: see timer.c; 56 bits are 2283 years */
};
#define TIMER_AT_SHIFT 8

struct timer_wheel {
	uint64_t tick; /* every timer due at or before it has fired */
	uint64_t nr_armed;
	uint64_t occupied[TIMER_NR_LEVELS]; /* bit per slot that may hold a timer */
	struct timer *slots[TIMER_NR_LEVELS][TIMER_NR_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_us);

void timer_init(struct timer *timer, timer_fn fn);

static inline bool timer_is_armed(const struct timer *timer)
{
	return timer->pprev != NULL;
}

/* The last deadline. */
static inline uint64_t timer_deadline_us(const struct timer *timer)
{
	return timer->at >> TIMER_AT_SHIFT;
}

/* Arms, or moves, the timer. A deadline already past fires in the next run that sees a new tick. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us);

/* Does nothing to a timer that is not armed. */
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

/* Fires what is due at now_us; returns how many fired. Time never goes back: an older now_us does
   nothing. Callbacks may arm and cancel any timer. */
uint32_t timer_wheel_run(struct timer_wheel *wheel, uint64_t now_us);

/* Returns a time before which no timer fires (UINT64_MAX: none armed): how long an idle loop may
   sleep. It may be earlier than the first deadline. */
uint64_t timer_wheel_next(const struct timer_wheel *wheel);

#endif
