/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Power cuts at every point of random runs. "test_crash <seed>" runs one seed longer, in all
 * shapes.
 */
#include "tests/crash/crash_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t first_seed = 1;
static unsigned int nr_seeds = 6;
static unsigned int nr_steps = 3000;

static void run_shape(bool grouped, unsigned int nr_writers)
{
	struct crash_result sum = {0};

	for (uint64_t seed = first_seed; seed < first_seed + nr_seeds; seed++) {
		struct crash_cfg cfg = {
			.seed = seed,
			.grouped = grouped,
			.nr_writers = nr_writers,
			.nr_steps = nr_steps,
			.nr_images = 3,
			.point_every = 4,
			.calm = seed % 3 == 0,
		};
		struct crash_result res;
		crash_run(&cfg, &res);
		if (res.fault[0] != '\0')
			fail_msg("seed %llu writers %u grouped %d: %s", (unsigned long long)seed,
				nr_writers, grouped, res.fault);
		sum.nr_images += res.nr_images;
		sum.bytes += res.bytes;
		sum.runs += res.runs;
		sum.hints += res.hints;
		sum.stalls += res.stalls;
		sum.published += res.published;
		sum.resets += res.resets;
		sum.power_cuts += res.power_cuts;
		sum.kills += res.kills;
		if (res.most_runs > sum.most_runs)
			sum.most_runs = res.most_runs;
		sum.tails_discarded += res.tails_discarded;
	}
	printf("seeds %llu..%llu: images %llu bytes %llu runs %llu hints %llu stalls %llu "
	       "snapshots %llu resets %llu power cuts %llu (tail lost in %llu) kills %llu\n",
		(unsigned long long)first_seed, (unsigned long long)(first_seed + nr_seeds - 1),
		(unsigned long long)sum.nr_images, (unsigned long long)sum.bytes,
		(unsigned long long)sum.runs, (unsigned long long)sum.hints,
		(unsigned long long)sum.stalls, (unsigned long long)sum.published,
		(unsigned long long)sum.resets, (unsigned long long)sum.power_cuts,
		(unsigned long long)sum.tails_discarded, (unsigned long long)sum.kills);
	if (nr_seeds == 1)
		return;
	/* The run is worth something only if it went through all of this. */
	assert_true(sum.nr_images > 1000);
	assert_true(sum.bytes > 10 * 16384);
	assert_true(sum.most_runs > nr_writers * 2 * 128);
	assert_true(sum.hints > 20);
	assert_true(sum.published > 5 && sum.resets > 5);
	assert_true(sum.power_cuts > 5 && sum.tails_discarded > 0 && sum.kills > 2);
}

static void fenced_one_writer_recovers(void **state)
{
	(void)state;
	run_shape(false, 1);
}

static void fenced_two_writers_recover(void **state)
{
	(void)state;
	run_shape(false, 2);
}

static void fenced_four_writers_recover(void **state)
{
	(void)state;
	run_shape(false, 4);
}

static void grouped_one_writer_recovers(void **state)
{
	(void)state;
	run_shape(true, 1);
}

static void grouped_two_writers_recover(void **state)
{
	(void)state;
	run_shape(true, 2);
}

static void grouped_four_writers_recover(void **state)
{
	(void)state;
	run_shape(true, 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fenced_one_writer_recovers),
		cmocka_unit_test(fenced_two_writers_recover),
		cmocka_unit_test(fenced_four_writers_recover),
		cmocka_unit_test(grouped_one_writer_recovers),
		cmocka_unit_test(grouped_two_writers_recover),
		cmocka_unit_test(grouped_four_writers_recover),
	};

	if (argc > 1) {
		first_seed = strtoull(argv[1], NULL, 0);
		nr_seeds = 1;
		nr_steps = 20000;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
