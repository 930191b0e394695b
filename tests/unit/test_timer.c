/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Timer wheel: never early, hardly late, at any distance; against a plain list.
 */
#include "dataplane/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TICK (1u << TIMER_TICK_SHIFT)

struct probe {
	struct timer timer;
	uint64_t fired_us;
	uint64_t again_us; /* arm again this much later */
	struct probe *cancels;
	uint32_t nr_fired;
};

static struct timer_wheel wheel;

static void probe_fire(struct timer *timer, uint64_t now_us)
{
	struct probe *p = (struct probe *)timer;

	assert_true(now_us >= timer_deadline_us(timer));
	p->fired_us = now_us;
	p->nr_fired++;
	if (p->again_us)
		timer_arm(&wheel, timer, now_us + p->again_us);
	if (p->cancels)
		timer_cancel(&wheel, &p->cancels->timer);
}

static void probe_init(struct probe *p)
{
	memset(p, 0, sizeof(*p));
	timer_init(&p->timer, probe_fire);
}

static void fires_on_time_at_any_distance(void **state)
{
	const uint64_t far[] = {0, 1, TICK - 1, TICK, 63 * TICK, 64 * TICK, 65 * TICK,
		4095ull * TICK, 4096ull * TICK, 4097ull * TICK, 262143ull * TICK, 262144ull * TICK,
		300000ull * TICK, 16777215ull * TICK, 16777216ull * TICK, 40000000ull * TICK};
	const uint64_t starts[] = {
		0, 12345, 63 * TICK, 64 * TICK - 1, 4095ull * TICK + 7, 1ull << 40};

	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
			struct probe p;
			const uint64_t due = starts[s] + far[i];
			uint64_t now = starts[s];

			probe_init(&p);
			timer_wheel_init(&wheel, now);
			timer_arm(&wheel, &p.timer, due);
			while (!p.nr_fired) {
				const uint64_t next = timer_wheel_next(&wheel);

				assert_true(next != UINT64_MAX);
				assert_true(next > now);
				now = next;
				timer_wheel_run(&wheel, now);
				assert_true(now < due + 2 * TICK);
			}
			assert_true(p.fired_us >= due);
			assert_true(timer_wheel_next(&wheel) == UINT64_MAX);
		}
	}
}

static void cancelled_timer_does_not_fire(void **state)
{
	struct probe p;

	probe_init(&p);
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &p.timer, 5000);
	assert_true(timer_is_armed(&p.timer));
	timer_cancel(&wheel, &p.timer);
	timer_cancel(&wheel, &p.timer);
	assert_false(timer_is_armed(&p.timer));
	assert_int_equal(timer_wheel_run(&wheel, 100000), 0);
	assert_int_equal(p.nr_fired, 0);
	assert_int_equal(wheel.nr_armed, 0);
}

static void callback_may_cancel_another_of_the_same_tick(void **state)
{
	struct probe a, b;

	probe_init(&a);
	probe_init(&b);
	a.cancels = &b;
	b.cancels = &a;
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &a.timer, 5000);
	timer_arm(&wheel, &b.timer, 5000);
	timer_wheel_run(&wheel, 100000);
	assert_int_equal(a.nr_fired + b.nr_fired, 1);
	assert_int_equal(wheel.nr_armed, 0);
}

static void timer_armed_anew_in_its_callback_fires_once_a_run(void **state)
{
	struct probe p;

	probe_init(&p);
	p.again_us = 1;
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &p.timer, 10);
	assert_int_equal(timer_wheel_run(&wheel, 10 * TICK), 1);
	assert_int_equal(timer_wheel_run(&wheel, 10 * TICK), 0);
	assert_int_equal(timer_wheel_run(&wheel, 12 * TICK), 1);
}

static void time_going_back_does_nothing(void **state)
{
	struct probe p;

	probe_init(&p);
	timer_wheel_init(&wheel, 1000000);
	timer_arm(&wheel, &p.timer, 1005000);
	assert_int_equal(timer_wheel_run(&wheel, 10), 0);
	assert_int_equal(timer_wheel_run(&wheel, 1010000), 1);
}

#define NR 500

static void random_run_matches_a_list(void **state)
{
	static struct probe probes[NR];
	static uint64_t due[NR]; /* 0: not armed */
	const char *env = getenv("TEST_SEED");
	const unsigned seed = env ? (unsigned)strtoul(env, NULL, 0) : 3;
	uint64_t now = 777777;

	print_message("seed %u\n", seed);
	srand(seed);
	timer_wheel_init(&wheel, now);
	for (int i = 0; i < NR; i++) {
		probe_init(&probes[i]);
		due[i] = 0;
	}
	for (int step = 0; step < 20000; step++) {
		const int i = rand() % NR;
		const uint64_t span = 1ull << (rand() % 33);

		if (rand() % 3 == 0) {
			timer_cancel(&wheel, &probes[i].timer);
			due[i] = 0;
		} else {
			due[i] = now + (uint64_t)rand() % span;
			probes[i].nr_fired = 0;
			timer_arm(&wheel, &probes[i].timer, due[i]);
		}
		now += (uint64_t)rand() % (1ull << (rand() % 24));
		timer_wheel_run(&wheel, now);
		for (int k = 0; k < NR; k++) {
			if (due[k] && probes[k].nr_fired) {
				assert_true(due[k] <= now);
				assert_int_equal(probes[k].nr_fired, 1);
				due[k] = 0;
				probes[k].nr_fired = 0;
			}
			assert_int_equal(due[k] != 0, timer_is_armed(&probes[k].timer));
			if (due[k])
				assert_true(due[k] + 2 * TICK > now);
			if (due[k])
				assert_true(timer_wheel_next(&wheel) < due[k] + 2 * TICK);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_on_time_at_any_distance),
		cmocka_unit_test(cancelled_timer_does_not_fire),
		cmocka_unit_test(callback_may_cancel_another_of_the_same_tick),
		cmocka_unit_test(timer_armed_anew_in_its_callback_fires_once_a_run),
		cmocka_unit_test(time_going_back_does_nothing),
		cmocka_unit_test(random_run_matches_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
