/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Expiry, eviction and the access statistics that it goes by.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/rand.h"

struct log {
	unsigned nr;
	struct keyspace *ks;
	char last[64];
	int last_db;
};

static bool removed(void *ctx, uint32_t part, int db, const struct entry *e)
{
	struct log *log = ctx;
	struct slice key = entry_key(e);

	assert_int_equal(ks_key(log->ks, key.ptr, key.len).part, part);
	assert_false(ks_part_trylock(log->ks, part)); /* called under the lock */
	assert_true(key.len < sizeof(log->last));
	memcpy(log->last, key.ptr, key.len);
	log->last[key.len] = 0;
	log->last_db = db;
	log->nr++;
	return true;
}

static unsigned expire(
	struct keyspace *ks, uint32_t part, int64_t now_ms, unsigned max, struct log *log)
{
	unsigned nr;

	assert_true(ks_part_trylock(ks, part));
	nr = ks_expire_part(ks, 0, part, now_ms, max, removed, log);
	ks_part_unlock(ks, part);
	return nr;
}

static void expire_removes_what_is_past_its_time_earliest_first(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 2);
	struct log log = {.ks = ks};

	set_ttl(ks, 0, "later", "v", T0 + 20);
	set_ttl(ks, 0, "first", "v", T0 + 10);
	set_ttl(ks, 1, "elsewhere", "v", T0 + 15);
	set(ks, 0, "forever", "v");
	assert_int_equal(expire(ks, 0, T0 + 10, 10, &log), 0);
	assert_int_equal(expire(ks, 0, T0 + 11, 10, &log), 1);
	assert_string_equal(log.last, "first");
	assert_int_equal(expire(ks, 0, T0 + 16, 10, &log), 1);
	assert_string_equal(log.last, "elsewhere");
	assert_int_equal(log.last_db, 1);
	assert_int_equal(expire(ks, 0, T0 + 1000, 10, &log), 1);
	assert_int_equal(expire(ks, 0, INT64_MAX, 10, &log), 0);
	assert_int_equal(ks_size(ks, 0), 1);
	destroy(ks, used);
}

static void expire_stops_at_its_maximum(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 2);
	struct log log = {.ks = ks};
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		set_ttl(ks, i & 1, name, "v", T0 + i);
	}
	assert_int_equal(expire(ks, 0, T0 + 1000, 30, &log), 30);
	assert_int_equal(log.nr, 30);
	assert_int_equal(ks_size(ks, 0) + ks_size(ks, 1), 70);
	destroy(ks, used);
}

static void nothing_is_evicted_without_a_policy(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	set(ks, 0, "k", "v");
	assert_int_equal(ks_evict_one(ks, 0, T0, false, NULL, NULL), 0);
	destroy(ks, used);
}

static void every_policy_empties_what_it_may(void **state)
{
	for (int policy = KS_ALLKEYS_LRU; policy <= KS_VOLATILE_TTL; policy++) {
		bool only_ttl = policy >= KS_VOLATILE_LRU;
		size_t used = mem_used();
		struct keyspace *ks = make(16, 3);
		struct log log = {.ks = ks};
		char name[32];

		ks_set_policy(ks, (enum ks_policy)policy, 5, 10, 1);
		for (int i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "k%d", i);
			if (i & 1)
				set_ttl(ks, i % 3, name, "v", T0 + i);
			else
				set(ks, i % 3, name, "v");
		}
		while (ks_evict_one(ks, 0, T0, false, removed, &log) > 0)
			;
		assert_int_equal(log.nr, only_ttl ? 150 : 300);
		for (int db = 0; db < 3; db++) {
			assert_int_equal(ks_size(ks, db), only_ttl ? 50 : 0);
			assert_int_equal(ks_nr_expires(ks, db), 0);
		}
		destroy(ks, used);
	}
}

/* Of 1000 keys the first 500 are old; returns how many of 200 victims are. */
static unsigned old_victims(enum ks_policy policy, unsigned samples)
{
	struct keyspace *ks = make(16, 2);
	struct log log = {.ks = ks};
	unsigned nr_old = 0;
	char name[32];

	ks_set_policy(ks, policy, samples, 0, 1);
	for (int i = 0; i < 1000; i++) {
		struct entry *e;

		snprintf(name, sizeof(name), "k%d", i);
		e = set_ttl(ks, i & 1, name, "v", T0 + 1000 * i);
		if (i >= 500) { /* counts for LFU, now for LRU */
			for (int j = 0; j < 20; j++)
				entry_touch(ks, e, T0 + 100000);
		}
	}
	for (int i = 0; i < 200; i++) {
		assert_true(ks_evict_one(ks, 0, T0 + 100000, false, removed, &log) > 0);
		nr_old += atoi(log.last + 1) < 500;
	}
	ks_destroy(&ks);
	return nr_old;
}

/* What is asserted is likely, not certain: the same draws each time, or those of TEST_SEED. */
static void draws_repeat(void)
{
	const char *env = getenv("TEST_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : 1;

	printf("seed %llu\n", (unsigned long long)seed);
	ks_rand_seed(seed);
}

static void policies_prefer_sensible_victims(void **state)
{
	size_t used = mem_used();

	draws_repeat();
	assert_true(old_victims(KS_ALLKEYS_LRU, 10) > 190);
	assert_true(old_victims(KS_ALLKEYS_LFU, 10) > 190);
	assert_true(old_victims(KS_VOLATILE_LRU, 10) > 190);
	assert_true(old_victims(KS_VOLATILE_LFU, 10) > 190);
	assert_true(old_victims(KS_VOLATILE_TTL, 10) > 190);
	assert_in_range(old_victims(KS_ALLKEYS_RANDOM, 10), 60, 140);
	assert_in_range(old_victims(KS_VOLATILE_RANDOM, 10), 60, 140);
	assert_int_equal(mem_used(), used);
}

static void eviction_reaches_the_last_key_of_many_partitions(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1024, 16);
	struct log log = {.ks = ks};

	ks_set_policy(ks, KS_ALLKEYS_LRU, 5, 10, 1);
	set(ks, 11, "only", "v");
	assert_true(ks_evict_one(ks, 0, T0, false, removed, &log) > 0);
	assert_string_equal(log.last, "only");
	assert_int_equal(log.last_db, 11);
	assert_int_equal(ks_evict_one(ks, 0, T0, false, removed, &log), 0);
	destroy(ks, used);
}

static void eviction_passes_over_a_busy_partition(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(2, 1);
	uint32_t part;

	ks_set_policy(ks, KS_ALLKEYS_LRU, 50, 10, 1);
	set(ks, 0, "a", "v");
	part = key_of(ks, "a").part;
	assert_true(ks_part_trylock(ks, part));
	assert_int_equal(ks_evict_one(ks, 0, T0, false, NULL, NULL), 0);
	ks_part_unlock(ks, part);
	assert_true(ks_evict_one(ks, 0, T0, false, NULL, NULL) > 0);
	destroy(ks, used);
}

static void idle_time_counts_from_the_last_touch(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set(ks, 0, "k", "v");

	assert_int_equal(entry_idle_s(ks, e, T0 + 5000), 5);
	entry_touch(ks, e, T0 + 4000);
	assert_int_equal(entry_idle_s(ks, e, T0 + 5000), 1);
	entry_set_idle(ks, e, 777, T0 + 5000);
	assert_int_equal(entry_idle_s(ks, e, T0 + 5000), 777);
	entry_set_idle(ks, e, UINT64_MAX, T0);
	assert_int_equal(entry_idle_s(ks, e, T0), 0xffffff / 2);
	destroy(ks, used);
}

static void idle_time_survives_the_wrap_of_the_clock(void **state)
{
	const int64_t wrap_ms = (INT64_C(1) << 24) * 1000 * 101;
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set(ks, 0, "k", "v");

	entry_touch(ks, e, wrap_ms - 10000);
	assert_int_equal(entry_idle_s(ks, e, wrap_ms + 20000), 30);
	destroy(ks, used);
}

static void frequency_starts_at_five_grows_slowly_and_decays(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e;

	ks_set_policy(ks, KS_ALLKEYS_LFU, 5, 10, 2);
	e = set(ks, 0, "k", "v");
	assert_int_equal(entry_freq(ks, e, T0), 5);
	for (int i = 0; i < 10000; i++)
		entry_touch(ks, e, T0);
	assert_in_range(entry_freq(ks, e, T0), 20, 80); /* about 45 */
	entry_set_freq(ks, e, 100, T0);
	assert_int_equal(entry_freq(ks, e, T0), 100);
	assert_int_equal(entry_freq(ks, e, T0 + 60000 * 20), 90);
	assert_int_equal(entry_freq(ks, e, T0 + 60000 * 2000), 0);
	entry_set_freq(ks, e, 1000, T0);
	entry_touch(ks, e, T0);
	assert_int_equal(entry_freq(ks, e, T0), 255);
	destroy(ks, used);
}

static void frequency_survives_overwriting_but_not_deletion(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	ks_set_policy(ks, KS_ALLKEYS_LFU, 5, 10, 1);
	entry_set_freq(ks, set(ks, 0, "k", "v"), 100, T0);
	assert_int_equal(
		entry_freq(ks, set(ks, 0, "k", "another value, and a longer one"), T0), 100);
	ks_del(ks, 0, 0, find(ks, 0, "k"));
	assert_int_equal(entry_freq(ks, set(ks, 0, "k", "v"), T0), 5);
	destroy(ks, used);
}

static void access_statistics_move_with_a_key(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);
	struct ks_key to = key_of(ks, "to");
	struct entry *e = set(ks, 0, "k", "v");

	entry_set_idle(ks, e, 500, T0);
	e = ks_set_expire(ks, 0, 0, e, T0 + 1);
	e = ks_move(ks, 0, 0, e, 0, &to, T0);
	assert_int_equal(entry_idle_s(ks, e, T0), 500);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expire_removes_what_is_past_its_time_earliest_first),
		cmocka_unit_test(expire_stops_at_its_maximum),
		cmocka_unit_test(nothing_is_evicted_without_a_policy),
		cmocka_unit_test(every_policy_empties_what_it_may),
		cmocka_unit_test(policies_prefer_sensible_victims),
		cmocka_unit_test(eviction_reaches_the_last_key_of_many_partitions),
		cmocka_unit_test(eviction_passes_over_a_busy_partition),
		cmocka_unit_test(idle_time_counts_from_the_last_touch),
		cmocka_unit_test(idle_time_survives_the_wrap_of_the_clock),
		cmocka_unit_test(frequency_starts_at_five_grows_slowly_and_decays),
		cmocka_unit_test(frequency_survives_overwriting_but_not_deletion),
		cmocka_unit_test(access_statistics_move_with_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
