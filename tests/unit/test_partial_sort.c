/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Partial sorting against whole sorting. That equal elements come out as in Redis is seen by the
 * differential test of SORT and GEOSEARCH.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/commands/partial_sort.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NR_MAX 300

static int compare_values(const void *a, const void *b, void *ctx)
{
	const int *x = a, *y = b;

	(*(size_t *)ctx)++;
	return (*x > *y) - (*x < *y);
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void check(const int *values, size_t nr, size_t first, size_t last)
{
	int whole[NR_MAX];
	void *v[NR_MAX];
	bool seen[NR_MAX] = {false};
	size_t calls = 0;

	memcpy(whole, values, nr * sizeof(*values));
	qsort(whole, nr, sizeof(*whole), compare_ints);
	for (size_t i = 0; i < nr; i++)
		v[i] = (void *)(uintptr_t)&values[i];

	partial_sort(v, nr, first, last, compare_values, &calls);

	for (size_t i = first; i <= last && i < nr; i++)
		assert_int_equal(*(int *)v[i], whole[i]);
	for (size_t i = 0; i < nr; i++) {
		size_t at = (size_t)((int *)v[i] - values);

		assert_in_range(at, 0, nr - 1);
		assert_false(seen[at]);
		seen[at] = true;
	}
}

static void the_wanted_range_is_that_of_a_whole_sort(void **state)
{
	int values[NR_MAX];

	for (size_t nr = 0; nr <= NR_MAX; nr += nr < 50 ? 1 : 50) {
		for (int range = 1; range <= 1000; range *= 10) {
			for (size_t i = 0; i < nr; i++)
				values[i] = rand() % range;
			check(values, nr, 0, nr ? nr - 1 : 0);
			for (int i = 0; i < 20 && nr > 0; i++) {
				size_t first = (size_t)rand() % nr;

				check(values, nr, first, first + (size_t)rand() % (nr - first));
			}
		}
	}
}

static void what_is_not_wanted_costs_little(void **state)
{
	enum { NR = 20000 };
	int *values = malloc(NR * sizeof(*values));
	void **v = malloc(NR * sizeof(*v));
	size_t whole = 0, part = 0;

	assert_true(values && v);
	for (size_t i = 0; i < NR; i++) {
		values[i] = rand();
		v[i] = &values[i];
	}
	partial_sort(v, NR, 0, 9, compare_values, &part);
	for (size_t i = 0; i < NR; i++)
		v[i] = &values[i];
	partial_sort(v, NR, 0, NR - 1, compare_values, &whole);
	assert_true(part * 3 < whole);
	free(values);
	free(v);
}

/* --- data made to be bad for a quicksort ------------------------------------------------------ */

/* Values are settled only when they are compared, each pivot as small as it still can be (McIlroy,
 * "A killer adversary for quicksort", 1999). */
struct killer {
	int values[20000];
	void *v[20000];
	int next, open;
	const int *candidate;
};

static int compare_killer(const void *a, const void *b, void *ctx)
{
	struct killer *k = ctx;
	int *x = (void *)(uintptr_t)a, *y = (void *)(uintptr_t)b;

	if (*x == k->open && *y == k->open) {
		if (x == k->candidate)
			*x = k->next++;
		else
			*y = k->next++;
	}
	if (*x == k->open)
		k->candidate = x;
	else if (*y == k->open)
		k->candidate = y;
	return (*x > *y) - (*x < *y);
}

static void *run_killer(void *arg)
{
	struct killer *k = arg;
	size_t nr = sizeof(k->v) / sizeof(k->v[0]);

	partial_sort(k->v, nr, 0, nr - 1, compare_killer, k);
	return NULL;
}

static void bad_data_need_no_deep_stack(void **state)
{
	struct killer *k = calloc(1, sizeof(*k));
	size_t nr = sizeof(k->v) / sizeof(k->v[0]);
	pthread_attr_t attr;
	pthread_t thread;

	assert_non_null(k);
	k->open = (int)nr;
	for (size_t i = 0; i < nr; i++) {
		k->values[i] = k->open;
		k->v[i] = &k->values[i];
	}
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, 128 * 1024), 0);
	assert_int_equal(pthread_create(&thread, &attr, run_killer, k), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	for (size_t i = 1; i < nr; i++)
		assert_true(*(int *)k->v[i - 1] <= *(int *)k->v[i]);
	free(k);
}

/* usage: test_partial_sort [seed] */
int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : (unsigned)time(NULL);
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wanted_range_is_that_of_a_whole_sort),
		cmocka_unit_test(what_is_not_wanted_costs_little),
		cmocka_unit_test(bad_data_need_no_deep_stack),
	};

	printf("seed %u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
