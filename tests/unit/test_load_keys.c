/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Drawn keys against the frequencies that their law demands, by Pearson's chi-squared.
 */
#include "perf/load/keys.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define DRAWS 2000000u

/* How far the draws are from the law, in standard deviations of what chance would do: the deviation
 * of nr keys is distributed about nr-1 with a variance of 2(nr-1). */
static double deviation(uint32_t nr, double theta, uint64_t seed)
{
	uint32_t *count = calloc(nr, sizeof(*count));
	double sum = 0, chi = 0;
	struct keys_dist dist;
	struct keys keys;

	assert_non_null(count);
	assert_int_equal(keys_dist_init(&dist, nr, theta), 0);
	keys_init(&keys, &dist, seed);
	for (uint32_t i = 0; i < DRAWS; i++) {
		const uint32_t key = keys_next(&keys);

		assert_true(key < nr);
		count[key]++;
	}
	for (uint32_t i = 0; i < nr; i++)
		sum += pow(i + 1.0, -theta);
	for (uint32_t i = 0; i < nr; i++) {
		const double want = DRAWS * pow(i + 1.0, -theta) / sum;
		const double off = count[theta > 0 ? keys_scatter(i, nr) : i] - want;

		chi += off * off / want;
	}
	keys_dist_fini(&dist);
	free(count);
	return (chi - (nr - 1)) / sqrt(2.0 * (nr - 1));
}

static void draws_follow_the_law(void **state)
{
	static const double thetas[] = {0, 0.5, 0.99, 1, 1.2};
	static const uint32_t sizes[] = {2, 10, 1000, 10007};

	for (size_t i = 0; i < sizeof(thetas) / sizeof(thetas[0]); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			const double off = deviation(sizes[j], thetas[i], 100 * i + j);

			if (off > 5)
				fail_msg("theta %g, %u keys: %.1f standard deviations", thetas[i],
					sizes[j], off);
		}
	}
}

/* So that the test above would see another law: one that differs by a hundredth of theta does. */
static void another_law_would_be_seen(void **state)
{
	const uint32_t nr = 1000;
	uint32_t *count = calloc(nr, sizeof(*count));
	double sum = 0, chi = 0;
	struct keys_dist dist;
	struct keys keys;

	assert_non_null(count);
	assert_int_equal(keys_dist_init(&dist, nr, 0.99), 0);
	keys_init(&keys, &dist, 1);
	for (uint32_t i = 0; i < DRAWS; i++)
		count[keys_next(&keys)]++;
	for (uint32_t i = 0; i < nr; i++)
		sum += pow(i + 1.0, -1.0);
	for (uint32_t i = 0; i < nr; i++) {
		const double want = DRAWS * pow(i + 1.0, -1.0) / sum;
		const double off = count[keys_scatter(i, nr)] - want;

		chi += off * off / want;
	}
	assert_true((chi - (nr - 1)) / sqrt(2.0 * (nr - 1)) > 5);
	keys_dist_fini(&dist);
	free(count);
}

static void one_key_is_always_drawn(void **state)
{
	struct keys_dist dist;
	struct keys keys;

	assert_int_equal(keys_dist_init(&dist, 1, 0.99), 0);
	keys_init(&keys, &dist, 1);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(keys_next(&keys), 0);
	keys_dist_fini(&dist);
}

static void ranks_are_scattered_one_to_one(void **state)
{
	static const uint32_t sizes[] = {1, 2, 64, 1000, 65536, 99991, 1000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *seen = calloc(sizes[i], 1);

		assert_non_null(seen);
		for (uint32_t n = 0; n < sizes[i]; n++) {
			const uint32_t key = keys_scatter(n, sizes[i]);

			assert_true(key < sizes[i]);
			assert_int_equal(seen[key]++, 0);
		}
		free(seen);
	}
}

static void a_seed_gives_the_same_draws(void **state)
{
	struct keys_dist dist;
	struct keys a, b, c;
	unsigned same = 0;

	assert_int_equal(keys_dist_init(&dist, 1000000, 0), 0);
	keys_init(&a, &dist, 5);
	keys_init(&b, &dist, 5);
	keys_init(&c, &dist, 6);
	for (unsigned i = 0; i < 1000; i++) {
		const uint32_t key = keys_next(&a);

		assert_int_equal(key, keys_next(&b));
		same += key == keys_next(&c);
	}
	assert_true(same < 10);
	keys_dist_fini(&dist);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_follow_the_law),
		cmocka_unit_test(another_law_would_be_seen),
		cmocka_unit_test(one_key_is_always_drawn),
		cmocka_unit_test(ranks_are_scattered_one_to_one),
		cmocka_unit_test(a_seed_gives_the_same_draws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
