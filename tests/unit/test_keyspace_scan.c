/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking the keyspace: SCAN's guarantee while tables grow and shrink, random keys, maintenance.
 */
#include "tests/unit/test_keyspace.h"

#define NR_STABLE 500

static void name_stable(unsigned i, char name[32])
{
	snprintf(name, 32, "stable:%u", i);
}

static void name_other(unsigned i, char name[32])
{
	snprintf(name, 32, "other:%u", i);
}

struct seen {
	unsigned stable[NR_STABLE];
	unsigned calls;
};

static void see(void *ctx, int db, struct entry *e)
{
	struct seen *s = ctx;
	struct slice key = entry_key(e);
	char name[32] = {0};

	assert_int_equal(db, 0);
	assert_true(key.len < sizeof(name));
	memcpy(name, key.ptr, key.len);
	s->calls++;
	if (strncmp(name, "stable:", 7) == 0)
		s->stable[strtoul(name + 7, NULL, 10)]++;
}

static void fill(struct keyspace *ks, unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		name_other(i, name);
		set(ks, 0, name, "v");
	}
}

static void drain(struct keyspace *ks, unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		name_other(i, name);
		ks_del(ks, 0, 0, find(ks, 0, name));
	}
}

static void fill_stable(struct keyspace *ks)
{
	char name[32];

	for (unsigned i = 0; i < NR_STABLE; i++) {
		name_stable(i, name);
		set(ks, 0, name, "v");
	}
}

static void assert_all_seen(const struct seen *s)
{
	for (unsigned i = 0; i < NR_STABLE; i++)
		assert_true(s->stable[i] > 0);
}

static void scan_at_rest_sees_each_key_once(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(8, 2);
	struct seen seen = {0};
	uint64_t cursor = 0;

	fill_stable(ks);
	do {
		assert_true(ks_scan_part(ks, cursor) < 8);
		cursor = ks_scan(ks, 0, cursor, see, &seen);
	} while (cursor != 0);
	assert_all_seen(&seen);
	assert_int_equal(seen.calls, NR_STABLE);
	destroy(ks, used);
}

static void scan_of_an_empty_database_ends_at_once(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1024, 2);
	struct seen seen = {0};

	assert_int_equal(ks_scan(ks, 1, 0, see, &seen), 0);
	set(ks, 1, "k", "v");
	ks_del(ks, 0, 1, find(ks, 1, "k"));
	assert_int_equal(ks_scan(ks, 1, 0, see, &seen), 0);
	assert_int_equal(seen.calls, 0);
	destroy(ks, used);
}

static void scan_skips_empty_partitions(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1024, 1);
	struct seen seen = {0};
	uint64_t cursor = 0;
	unsigned nr = 0;

	set(ks, 0, "a", "v");
	set(ks, 0, "b", "v");
	do {
		cursor = ks_scan(ks, 0, cursor, see, &seen);
		nr++;
	} while (cursor != 0);
	assert_int_equal(seen.calls, 2);
	assert_true(nr <= 3);
	destroy(ks, used);
}

static void scan_bears_any_cursor(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);
	struct seen seen = {0};
	uint64_t rng = random_seed();

	fill(ks, 0, 3000);
	for (int i = 0; i < 2000; i++) {
		uint64_t cursor = rnd(&rng) >> below(&rng, 64);

		ks_scan(ks, 0, cursor, see, &seen);
	}
	ks_scan(ks, 0, UINT64_MAX, see, &seen);
	destroy(ks, used);
}

/* Between two steps of the scan the table grows or shrinks a lot or a little. */
static void scan_while_resizing(uint32_t nr_parts, uint64_t seed)
{
	size_t used = mem_used();
	struct keyspace *ks = make(nr_parts, 1);
	struct seen seen = {0};
	uint64_t rng = seed;
	unsigned first = 0;
	unsigned last = 0;
	uint64_t cursor = 0;

	fill_stable(ks);
	fill(ks, 0, last = below(&rng, 20000));
	do {
		unsigned n = below(&rng, below(&rng, 30) ? 20 : 3000);

		if (below(&rng, 2)) {
			fill(ks, last, last + n);
			last += n;
		} else {
			n = n < last - first ? n : last - first;
			drain(ks, first, first + n);
			first += n;
		}
		cursor = ks_scan(ks, 0, cursor, see, &seen);
	} while (cursor != 0);
	assert_all_seen(&seen);
	destroy(ks, used);
}

static void scan_misses_nothing_while_tables_resize(void **state)
{
	uint64_t seed = random_seed();

	for (unsigned i = 0; i < 8; i++) {
		scan_while_resizing(1, seed + i);
		scan_while_resizing(4, seed + i);
	}
}

/* The scan runs through while the table does nothing but shrink, or grow. */
static void scan_one_way(unsigned start, unsigned end)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct seen seen = {0};
	unsigned at = start;
	uint64_t cursor = 0;

	fill_stable(ks);
	fill(ks, 0, start);
	do {
		if (at < end) {
			fill(ks, at, at + 50);
			at += 50;
		} else if (at > end) {
			drain(ks, at - 50, at);
			at -= 50;
		}
		cursor = ks_scan(ks, 0, cursor, see, &seen);
	} while (cursor != 0);
	assert_all_seen(&seen);
	destroy(ks, used);
}

static void scan_misses_nothing_while_the_table_only_grows(void **state)
{
	scan_one_way(0, 50000);
}

static void scan_misses_nothing_while_the_table_only_shrinks(void **state)
{
	scan_one_way(50000, 0);
}

static void shrunk_table_gives_its_memory_back(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(2, 1);
	size_t before;

	set(ks, 0, "a", "v");
	set(ks, 0, "b", "v");
	before = mem_used();
	fill(ks, 0, 20000);
	drain(ks, 0, 20000);
	for (int i = 0; i < 2; i++)
		while (ks_maintain_part(ks, (uint32_t)i, 100))
			;
	assert_true(mem_used() - before < 2048);
	destroy(ks, used);
}

static void maintenance_finishes_a_resize_without_writes(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct seen seen = {0};
	unsigned n = 0;

	fill_stable(ks);
	while (n < 1000 || !ks_part_resizing(ks, 0)) {
		fill(ks, n, n + 1);
		n++;
	}
	assert_true(ks_maintain_part(ks, 0, 1));
	while (ks_maintain_part(ks, 0, 8))
		;
	assert_false(ks_part_resizing(ks, 0));
	ks_walk_part(ks, 0, 0, see, &seen);
	assert_int_equal(seen.calls, NR_STABLE + n);
	assert_all_seen(&seen);
	destroy(ks, used);
}

static void random_entries_are_spread(void **state)
{
	enum { DRAWS = 50000 };
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct seen seen = {0};

	assert_null(ks_random_entry(ks, 0, 0));
	fill_stable(ks);
	for (int i = 0; i < DRAWS; i++)
		see(&seen, 0, ks_random_entry(ks, 0, 0));
	for (unsigned i = 0; i < NR_STABLE; i++)
		assert_in_range(seen.stable[i], 30, 250); /* 100 expected */
	destroy(ks, used);
}

static void random_entry_is_found_in_a_nearly_empty_table(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct ks_key k = key_of(ks, "lonely");

	fill(ks, 0, 30000);
	set(ks, 0, "lonely", "v");
	drain(ks, 0, 30000);
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(ks_random_entry(ks, 0, 0), ks_find(ks, 0, &k));
	destroy(ks, used);
}

static void random_partition_follows_the_number_of_keys(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);
	unsigned nr[4] = {0};
	char name[32];

	assert_int_equal(ks_random_part(ks, 0), -1);
	/* keys of two partitions only, three times as many in one */
	for (unsigned i = 0, a = 0, b = 0; a < 300 || b < 100; i++) {
		uint32_t part;

		name_other(i, name);
		part = key_of(ks, name).part;
		if (part == 1 && a < 300 && ++a)
			set(ks, 0, name, "v");
		if (part == 2 && b < 100 && ++b)
			set(ks, 0, name, "v");
	}
	for (int i = 0; i < 4000; i++)
		nr[ks_random_part(ks, 0)]++;
	assert_int_equal(nr[0] + nr[3], 0);
	assert_in_range(nr[1], 2700, 3300);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_at_rest_sees_each_key_once),
		cmocka_unit_test(scan_of_an_empty_database_ends_at_once),
		cmocka_unit_test(scan_skips_empty_partitions),
		cmocka_unit_test(scan_bears_any_cursor),
		cmocka_unit_test(scan_misses_nothing_while_tables_resize),
		cmocka_unit_test(scan_misses_nothing_while_the_table_only_grows),
		cmocka_unit_test(scan_misses_nothing_while_the_table_only_shrinks),
		cmocka_unit_test(shrunk_table_gives_its_memory_back),
		cmocka_unit_test(maintenance_finishes_a_resize_without_writes),
		cmocka_unit_test(random_entries_are_spread),
		cmocka_unit_test(random_entry_is_found_in_a_nearly_empty_table),
		cmocka_unit_test(random_partition_follows_the_number_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
