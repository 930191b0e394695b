/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The crash test's teeth: with any one kind of fence or sync taken away, it must find a fault.
 */
#include "tests/crash/crash_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NR_SEEDS 20

static void must_be_noticed(enum crash_area drop, bool grouped, unsigned int nr_writers)
{
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		struct crash_cfg cfg = {
			.seed = seed,
			.grouped = grouped,
			.nr_writers = nr_writers,
			.nr_steps = 3000,
			.nr_images = 4,
			.point_every = 3,
			.drop = drop,
			.calm = true,
		};
		struct crash_result res;
		crash_run(&cfg, &res);
		assert_true(res.nr_dropped > 0);
		if (res.fault[0] != '\0') {
			printf("noticed with seed %llu: %s\n", (unsigned long long)seed, res.fault);
			return;
		}
	}
	fail_msg("not noticed in %d seeds", NR_SEEDS);
}

static void superblock_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_SUPERBLOCK, false, 1);
	must_be_noticed(CRASH_AREA_SUPERBLOCK, false, 4);
}

static void hint_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_HINT, false, 1);
	must_be_noticed(CRASH_AREA_HINT, false, 4);
}

static void commit_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_COMMIT, false, 1);
	must_be_noticed(CRASH_AREA_COMMIT, false, 4);
}

static void extent_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_EXTENTS, false, 1);
	must_be_noticed(CRASH_AREA_EXTENTS, false, 4);
}

static void superblock_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_SUPERBLOCK, true, 2);
}

static void hint_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_HINT, true, 1);
	must_be_noticed(CRASH_AREA_HINT, true, 4);
}

static void commit_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_COMMIT, true, 2);
}

static void ring_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_RING, true, 2);
}

static void extent_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_EXTENTS, true, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(superblock_fence_is_needed),
		cmocka_unit_test(hint_fence_is_needed),
		cmocka_unit_test(commit_fence_is_needed),
		cmocka_unit_test(extent_fence_is_needed),
		cmocka_unit_test(superblock_sync_is_needed),
		cmocka_unit_test(hint_sync_is_needed),
		cmocka_unit_test(commit_sync_is_needed),
		cmocka_unit_test(ring_sync_is_needed),
		cmocka_unit_test(extent_sync_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
