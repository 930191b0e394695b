/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which clients have read which keys: sets of ids that grow, keys that are taken, and what several
 * threads do at once.
 */
#include "app/tracking_table.h"

#include "app/keyspace/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_PARTS   8
#define NR_THREADS 4
#define NR_IDS     1000

static struct ks_key key_of(const char *name)
{
	uint64_t hash = 14695981039346656037u;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	return (struct ks_key){name, (uint32_t)strlen(name), (uint32_t)(hash % NR_PARTS), hash};
}

static int set_up(void **state)
{
	*state = track_table_create(NR_PARTS);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	struct track_table *t = *state;

	track_table_destroy(&t);
	assert_null(t);
	assert_int_equal(mem_used(), 0);
	return 0;
}

static bool has_id(const struct track_key *key, uint64_t id)
{
	for (uint32_t i = 0; i < key->cap; i++)
		if (key->ids[i] == id)
			return true;
	return false;
}

static void a_reader_is_found_until_its_key_is_taken(void **state)
{
	struct track_table *t = *state;
	struct ks_key a = key_of("a"), b = key_of("b");
	struct track_key *key;

	assert_false(track_table_has(t, &a));
	assert_true(track_table_add(t, &a, 7));
	assert_true(track_table_add(t, &b, 8));
	assert_true(track_table_has(t, &a));
	key = track_table_take(t, &a);
	assert_non_null(key);
	assert_int_equal(key->nr, 1);
	assert_true(has_id(key, 7));
	assert_false(has_id(key, 8));
	track_key_free(key);
	assert_false(track_table_has(t, &a));
	assert_null(track_table_take(t, &a));
	assert_true(track_table_has(t, &b));
}

static void keys_of_one_hash_are_told_apart(void **state)
{
	struct track_table *t = *state;
	struct ks_key a = key_of("aa"), b = {"bb", 2, a.part, a.hash};
	struct track_key *key;

	assert_true(track_table_add(t, &a, 1));
	assert_false(track_table_has(t, &b));
	assert_true(track_table_add(t, &b, 2));
	key = track_table_take(t, &b);
	assert_true(has_id(key, 2));
	assert_false(has_id(key, 1));
	track_key_free(key);
}

static void ids_are_kept_once_however_many(void **state)
{
	struct track_table *t = *state;
	struct ks_key k = key_of("hot");
	struct track_key *key;

	for (int twice = 0; twice < 2; twice++)
		for (uint64_t id = 1; id <= NR_IDS; id++)
			assert_true(track_table_add(t, &k, id * 16));
	assert_int_equal(track_table_nr_keys(t), 1);
	assert_int_equal(track_table_nr_items(t), NR_IDS);
	key = track_table_take(t, &k);
	assert_int_equal(key->nr, NR_IDS);
	for (uint64_t id = 1; id <= NR_IDS; id++)
		assert_true(has_id(key, id * 16));
	track_key_free(key);
	assert_int_equal(track_table_nr_items(t), 0);
}

static void any_key_is_taken_until_there_is_none(void **state)
{
	struct track_table *t = *state;
	struct track_key *key;
	char name[16];
	uint32_t part;

	for (int i = 0; i < 100; i++) {
		struct ks_key k;

		snprintf(name, sizeof(name), "k%d", i);
		k = key_of(name);
		assert_true(track_table_add(t, &k, 1));
	}
	for (int i = 0; i < 100; i++) {
		key = track_table_take_any(t, (uint32_t)i % NR_PARTS, &part);
		assert_non_null(key);
		track_key_free(key);
		assert_int_equal(track_table_nr_keys(t), 99 - i);
	}
	assert_null(track_table_take_any(t, 3, &part));
}

static void what_is_cleared_is_freed_in_slices(void **state)
{
	struct track_table *t = *state;
	char name[16];
	unsigned turns = 0;

	for (int i = 0; i < 100; i++) {
		struct ks_key k;

		snprintf(name, sizeof(name), "k%d", i);
		k = key_of(name);
		assert_true(track_table_add(t, &k, 1));
		assert_true(track_table_add(t, &k, 2));
	}
	track_table_clear(t);
	assert_int_equal(track_table_nr_keys(t), 0);
	assert_int_equal(track_table_nr_items(t), 0);
	assert_false(track_table_has(
		t, &(struct ks_key){"k1", 2, key_of("k1").part, key_of("k1").hash}));
	assert_true(mem_used() > 0);
	while (track_table_reclaim(t, 10))
		turns++;
	assert_in_range(turns, 9, 11);
	assert_int_equal(mem_used(), 0);
}

static struct track_table *shared;
static atomic_uint taken;

/* Adds ids of its own to one key, and takes the key now and then: no id is lost or seen twice. */
static void *flutter(void *arg)
{
	struct ks_key k = key_of("shared");
	uint64_t base = (uint64_t)(uintptr_t)arg * NR_IDS;

	for (uint64_t i = 1; i <= NR_IDS; i++) {
		struct track_key *key;

		assert_true(track_table_add(shared, &k, base + i));
		key = i % 7 == 0 ? track_table_take(shared, &k) : NULL;
		if (key)
			atomic_fetch_add(&taken, key->nr);
		track_key_free(key);
	}
	return NULL;
}

static void threads_lose_no_id(void **state)
{
	struct ks_key k = key_of("shared");
	pthread_t threads[NR_THREADS];
	struct track_key *key;

	shared = *state;
	atomic_store(&taken, 0);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flutter, (void *)i), 0);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	key = track_table_take(shared, &k);
	if (key)
		atomic_fetch_add(&taken, key->nr);
	track_key_free(key);
	assert_int_equal(atomic_load(&taken), NR_THREADS * NR_IDS);
	assert_int_equal(track_table_nr_items(shared), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_reader_is_found_until_its_key_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_of_one_hash_are_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids_are_kept_once_however_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			any_key_is_taken_until_there_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_cleared_is_freed_in_slices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_lose_no_id, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
