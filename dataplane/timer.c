/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hierarchical timer wheel.
 *
 * A timer due in d ticks lies on the lowest level whose 64 slots reach that far. When level 0
 * comes round to slot 0, the slot of level 1 that begins now is emptied onto the levels below,
 * and so on upwards. The bit maps only say where a timer may be: an empty slot whose bit is set
 * costs one look.
 *
 *	timer.at:  | deadline, us: 56 | level: 2 | slot: 6 |
 */
#include "dataplane/timer.h"

#include "checks.h"

#include <string.h>

#define SLOT_MASK    (TIMER_NR_SLOTS - 1u)
#define AT_MASK      ((1u << TIMER_AT_SHIFT) - 1u)
#define DEADLINE_MAX (UINT64_MAX >> TIMER_AT_SHIFT)
#define HORIZON_TICK ((1ull << (TIMER_SLOT_BITS * TIMER_NR_LEVELS)) - 1)

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_us)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_us >> TIMER_TICK_SHIFT;
}

void timer_init(struct timer *timer, timer_fn fn)
{
	memset(timer, 0, sizeof(*timer));
	timer->fn = fn;
}

static void list_push(struct timer **head, struct timer *timer)
{
	timer->next = *head;
	if (timer->next)
		timer->next->pprev = &timer->next;
	timer->pprev = head;
	*head = timer;
}

static void list_remove(struct timer *timer)
{
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->next = NULL;
	timer->pprev = NULL;
}

/* Moves a whole slot to a list of its own, so that callbacks may change the slot. */
static void list_take(struct timer **from, struct timer **to)
{
	*to = *from;
	*from = NULL;
	if (*to)
		(*to)->pprev = to;
}

static uint64_t deadline_tick(uint64_t deadline_us)
{
	const uint64_t tick = deadline_us >> TIMER_TICK_SHIFT;

	return (deadline_us & ((1u << TIMER_TICK_SHIFT) - 1)) ? tick + 1 : tick;
}

/* `first`: the earliest tick at which the timer may still be placed. */
static void wheel_place(struct timer_wheel *wheel, struct timer *timer, uint64_t first)
{
	uint64_t tick = deadline_tick(timer_deadline_us(timer));
	unsigned level = 0, slot;
	uint64_t ahead;

	if (tick < first)
		tick = first;
	ahead = tick - wheel->tick;
	if (ahead > HORIZON_TICK) {
		ahead = HORIZON_TICK;
		tick = wheel->tick + ahead;
	}
	while (level + 1 < TIMER_NR_LEVELS && ahead >> (TIMER_SLOT_BITS * (level + 1)))
		level++;
	slot = (unsigned)(tick >> (TIMER_SLOT_BITS * level)) & SLOT_MASK;
	timer->at = (timer->at & ~(uint64_t)AT_MASK) | level << TIMER_SLOT_BITS | slot;
	wheel->occupied[level] |= 1ull << slot;
	list_push(&wheel->slots[level][slot], timer);
}

void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
	if (timer_is_armed(timer))
		list_remove(timer);
	else
		wheel->nr_armed++;
	if (deadline_us > DEADLINE_MAX)
		deadline_us = DEADLINE_MAX;
	timer->at = deadline_us << TIMER_AT_SHIFT;
	wheel_place(wheel, timer, wheel->tick + 1);
}

void timer_cancel(struct timer_wheel *wheel, struct timer *timer)
{
	const unsigned level = (unsigned)(timer->at & AT_MASK) >> TIMER_SLOT_BITS;
	const unsigned slot = (unsigned)timer->at & SLOT_MASK;

	if (!timer_is_armed(timer))
		return;
	list_remove(timer);
	wheel->nr_armed--;
	if (!wheel->slots[level][slot])
		wheel->occupied[level] &= ~(1ull << slot);
}

static void slot_cascade(struct timer_wheel *wheel, unsigned level, unsigned slot)
{
	struct timer *list;

	list_take(&wheel->slots[level][slot], &list);
	wheel->occupied[level] &= ~(1ull << slot);
	while (list) {
		struct timer *timer = list;

		list_remove(timer);
		/* Due exactly now is possible: level 0 of this tick is fired right after. */
		wheel_place(wheel, timer, wheel->tick);
	}
}

/* wheel->tick has just moved to a multiple of 64: refill the lower levels. */
static void wheel_cascade(struct timer_wheel *wheel)
{
	unsigned top = 1;

	while (top + 1 < TIMER_NR_LEVELS &&
		((wheel->tick >> (TIMER_SLOT_BITS * top)) & SLOT_MASK) == 0)
		top++;
	for (unsigned level = top; level >= 1; level--)
		slot_cascade(wheel, level,
			(unsigned)(wheel->tick >> (TIMER_SLOT_BITS * level)) & SLOT_MASK);
}

static uint32_t slot_fire(struct timer_wheel *wheel, unsigned slot, uint64_t now_us)
{
	struct timer *list;
	uint32_t nr = 0;

	list_take(&wheel->slots[0][slot], &list);
	wheel->occupied[0] &= ~(1ull << slot);
	while (list) {
		struct timer *timer = list;

		list_remove(timer);
		wheel->nr_armed--;
		timer->fn(timer, now_us);
		nr++;
	}
	return nr;
}

/* The next tick after wheel->tick, at most `target`, at which there is something to do: a slot of
   level 0 to fire, or the start of a new round. */
static uint64_t wheel_next_tick(const struct timer_wheel *wheel, uint64_t target)
{
	const unsigned pos = (unsigned)wheel->tick & SLOT_MASK;
	const uint64_t round = (wheel->tick | SLOT_MASK) + 1;
	uint64_t later = pos == SLOT_MASK ? 0 : wheel->occupied[0] >> (pos + 1);
	uint64_t next = later ? wheel->tick + 1 + (unsigned)__builtin_ctzll(later) : round;

	return next < target ? next : target;
}

uint32_t timer_wheel_run(struct timer_wheel *wheel, uint64_t now_us)
{
	const uint64_t target = now_us >> TIMER_TICK_SHIFT;
	uint32_t nr = 0;

	while (wheel->tick < target) {
		if (wheel->nr_armed == 0) {
			wheel->tick = target;
			memset(wheel->occupied, 0, sizeof(wheel->occupied));
			break;
		}
		wheel->tick = wheel_next_tick(wheel, target);
		if ((wheel->tick & SLOT_MASK) == 0)
			wheel_cascade(wheel);
		if (wheel->occupied[0] & (1ull << (wheel->tick & SLOT_MASK)))
			nr += slot_fire(wheel, (unsigned)wheel->tick & SLOT_MASK, now_us);
	}
	return nr;
}

uint64_t timer_wheel_next(const struct timer_wheel *wheel)
{
	uint64_t best = UINT64_MAX;

	if (wheel->nr_armed == 0)
		return UINT64_MAX;
	for (unsigned level = 0; level < TIMER_NR_LEVELS; level++) {
		const unsigned shift = TIMER_SLOT_BITS * level;
		const uint64_t now = wheel->tick >> shift;
		const unsigned from = ((unsigned)now + 1) & SLOT_MASK;
		const uint64_t bits = wheel->occupied[level];
		uint64_t turned, start;

		if (!bits)
			continue;
		/* Distances count from the slot after the present one; the present one comes
		   last. */
		turned = from ? (bits >> from) | (bits << (TIMER_NR_SLOTS - from)) : bits;
		start = (now + 1 + (unsigned)__builtin_ctzll(turned)) << shift;
		if (start < best)
			best = start;
	}
	return best << TIMER_TICK_SHIFT;
}
