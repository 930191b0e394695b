/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The histogram against percentiles of the sorted values themselves.
 */
#include "perf/load/hist.h"

#include "perf/load/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR 50000u

static const double fractions[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank, from the sorted values. */
static uint64_t exact(const uint64_t *sorted, uint32_t nr, double fraction)
{
	const uint32_t rank = (uint32_t)ceil(fraction * nr);

	return sorted[rank ? rank - 1 : 0];
}

/* Never too little, at most 1/128 too much. */
static void percentiles_check(const struct hist *h, uint64_t *values, uint32_t nr)
{
	qsort(values, nr, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		const uint64_t want = exact(values, nr, fractions[i]);
		const uint64_t told = hist_percentile(h, fractions[i]);

		if (told < want || told - want > want / 128)
			fail_msg("p%g: told %llu, exact %llu", 100 * fractions[i],
				(unsigned long long)told, (unsigned long long)want);
	}
	assert_int_equal(h->max, values[nr - 1]);
	assert_int_equal(h->min, values[0]);
	assert_int_equal(h->nr, nr);
}

/* Spread over many powers of two, as latencies are: 2^0 .. 2^bits. */
static uint64_t draw(struct rng *rng, unsigned bits)
{
	const uint64_t random = rng_next(rng);

	return rng_next(rng) >> (64 - 1 - random % bits);
}

static void percentiles_are_exact_to_a_bucket(void **state)
{
	static const unsigned widths[] = {5, 10, 20, 40};
	uint64_t *values = malloc(NR * sizeof(*values));
	struct rng rng = {.at = 7};
	struct hist h;

	assert_non_null(values);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		double sum = 0;

		hist_init(&h);
		for (uint32_t n = 0; n < NR; n++) {
			values[n] = draw(&rng, widths[i]);
			sum += (double)values[n];
			hist_add(&h, values[n]);
		}
		percentiles_check(&h, values, NR);
		assert_true(fabs(hist_mean(&h) - sum / NR) <= 1e-9 * sum / NR);
	}
	free(values);
}

static void every_value_lies_in_its_bucket(void **state)
{
	for (unsigned shift = 0; shift < 63; shift++) {
		for (int64_t off = -2; off <= 2; off++) {
			const int64_t value = (int64_t)(UINT64_C(1) << shift) + off;
			uint32_t bucket;

			if (value < 0)
				continue;
			bucket = hist_bucket((uint64_t)value);
			assert_true(bucket < HIST_BUCKETS);
			if (bucket == HIST_BUCKETS - 1)
				continue;
			assert_true((uint64_t)value <= hist_bucket_top(bucket));
			assert_true(!bucket || (uint64_t)value > hist_bucket_top(bucket - 1));
		}
	}
}

static void one_value_is_every_percentile(void **state)
{
	struct hist h;

	hist_init(&h);
	assert_int_equal(hist_percentile(&h, 0.5), 0);
	assert_true(hist_mean(&h) == 0);
	hist_add(&h, 123456789);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
		assert_int_equal(hist_percentile(&h, fractions[i]), 123456789);
}

static void what_is_beyond_the_range_is_counted(void **state)
{
	struct hist h;

	hist_init(&h);
	hist_add(&h, 5);
	hist_add(&h, UINT64_MAX / 4);
	assert_int_equal(hist_percentile(&h, 0.5), 5);
	assert_int_equal(hist_percentile(&h, 1), UINT64_MAX / 4);
}

static void merged_parts_are_the_whole(void **state)
{
	struct hist whole, parts[3], sum;
	struct rng rng = {.at = 3};

	hist_init(&whole);
	hist_init(&sum);
	for (unsigned i = 0; i < 3; i++)
		hist_init(&parts[i]);
	for (uint32_t n = 0; n < NR; n++) {
		const uint64_t value = draw(&rng, 30);

		hist_add(&whole, value);
		hist_add(&parts[n % 3], value);
	}
	for (unsigned i = 0; i < 3; i++)
		hist_merge(&sum, &parts[i]);
	assert_memory_equal(&sum, &whole, sizeof(sum));
}

static void difference_is_what_came_between(void **state)
{
	uint64_t *values = malloc(NR * sizeof(*values));
	struct hist h, earlier;
	struct rng rng = {.at = 4};

	assert_non_null(values);
	hist_init(&h);
	for (uint32_t n = 0; n < NR; n++)
		hist_add(&h, draw(&rng, 30));
	earlier = h;
	for (uint32_t n = 0; n < NR; n++) {
		values[n] = draw(&rng, 12) + 1000;
		hist_add(&h, values[n]);
	}
	hist_subtract(&h, &earlier);
	qsort(values, NR, sizeof(*values), compare);
	assert_int_equal(h.nr, NR);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		const uint64_t want = exact(values, NR, fractions[i]);

		assert_in_range(hist_percentile(&h, fractions[i]), want, want + want / 128);
	}
	free(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_exact_to_a_bucket),
		cmocka_unit_test(every_value_lies_in_its_bucket),
		cmocka_unit_test(one_value_is_every_percentile),
		cmocka_unit_test(what_is_beyond_the_range_is_counted),
		cmocka_unit_test(merged_parts_are_the_whole),
		cmocka_unit_test(difference_is_what_came_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
