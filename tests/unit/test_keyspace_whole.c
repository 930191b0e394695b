/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whole databases: emptying in slices, swapping, taking over another keyspace's content.
 */
#include "tests/unit/test_keyspace.h"

static void fill(struct keyspace *ks, int db, const char *prefix, int nr)
{
	char name[32];

	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		if (i % 2)
			set_ttl(ks, db, name, "value", T0 + i);
		else
			set(ks, db, name, "value");
	}
}

static void flush_empties_one_database(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 3);

	fill(ks, 0, "a", 100);
	fill(ks, 1, "b", 50);
	assert_int_equal(ks_flush(ks, 0, 1), 50);
	assert_int_equal(ks_size(ks, 1), 0);
	assert_int_equal(ks_nr_expires(ks, 1), 0);
	assert_int_equal(ks_avg_ttl_ms(ks, 1, T0), 0);
	assert_null(find(ks, 1, "b0"));
	assert_int_equal(ks_size(ks, 0), 100);
	assert_int_equal(ks_flush(ks, 0, 1), 0);
	assert_int_equal(ks_flush(ks, 0, 2), 0);
	destroy(ks, used);
}

static void flush_of_all_empties_all(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 3);

	fill(ks, 0, "a", 100);
	fill(ks, 2, "b", 50);
	assert_int_equal(ks_flush(ks, 0, -1), 150);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(ks_part_next_expire(ks, i), INT64_MAX);
		assert_false(ks_part_resizing(ks, i));
	}
	set(ks, 0, "a1", "again");
	assert_value(find(ks, 0, "a1"), "again");
	destroy(ks, used);
}

static void reclaim_frees_in_bounded_slices(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 2);
	size_t before;
	unsigned slices = 0;

	fill(ks, 0, "a", 5000);
	fill(ks, 1, "a", 100);
	before = mem_used();
	ks_flush(ks, 0, -1);
	assert_true(mem_used() + 10000 > before); /* nothing much is freed at once */
	while (ks_reclaim(ks, 100)) {
		assert_true(before - mem_used() < 100 * (slices + 2) * 200);
		slices++;
	}
	assert_in_range(slices, 40, 120);
	assert_true(mem_used() - used < 4096);
	assert_false(ks_reclaim(ks, 100));
	destroy(ks, used);
}

static void destroy_frees_what_was_not_reclaimed(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 2);

	fill(ks, 0, "a", 5000);
	ks_flush(ks, 0, -1);
	assert_true(ks_reclaim(ks, 10));
	destroy(ks, used);
}

static void swap_exchanges_two_databases(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 4);

	fill(ks, 0, "a", 10);
	fill(ks, 1, "b", 20);
	ks_swap_db(ks, 0, 1);
	assert_value(find(ks, 1, "a3"), "value");
	assert_value(find(ks, 0, "b3"), "value");
	assert_int_equal(ks_size(ks, 0), 20);
	ks_swap_db(ks, 0, 3);
	assert_int_equal(ks_size(ks, 0), 0);
	assert_int_equal(ks_size(ks, 3), 20);
	ks_swap_db(ks, 3, 3);
	assert_int_equal(ks_size(ks, 3), 20);
	destroy(ks, used);
}

static void swapped_content_takes_the_place_of_the_old(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 4);
	struct keyspace *other = make(4, 4);

	fill(ks, 0, "old", 10);
	fill(ks, 1, "gone", 10);
	fill(other, 0, "new", 300);
	fill(other, 2, "more", 30);
	ks_swap_content(ks, other);
	assert_int_equal(ks_size(ks, 0), 300);
	assert_int_equal(ks_size(ks, 1), 0);
	assert_int_equal(ks_size(ks, 2), 30);
	assert_int_equal(ks_nr_expires(ks, 0), 150);
	assert_null(find(ks, 0, "old1"));
	assert_value(find(ks, 0, "new1"), "value");
	assert_int_equal(ks_size(other, 0), 10);
	assert_int_equal(ks_size(other, 1), 10);
	assert_value(find(other, 1, "gone1"), "value");
	ks_destroy(&other);
	/* everything works on */
	fill(ks, 0, "new", 600);
	for (uint32_t i = 0; i < 4; i++)
		while (ks_expire_part(ks, 0, i, T0 + 10000, 100, NULL, NULL) > 0)
			;
	assert_int_equal(ks_size(ks, 0), 300);
	destroy(ks, used);
}

static void maintenance_goes_on_after_a_swap_of_content(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct keyspace *other = make(1, 1);
	int n = 0;

	while (n < 1000 || !ks_part_resizing(other, 0))
		fill(other, 0, "k", ++n);
	ks_swap_content(ks, other);
	assert_false(ks_part_resizing(other, 0));
	assert_true(ks_part_resizing(ks, 0));
	while (ks_maintain_part(ks, 0, 10))
		;
	assert_int_equal(ks_size(ks, 0), n);
	ks_destroy(&other);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flush_empties_one_database),
		cmocka_unit_test(flush_of_all_empties_all),
		cmocka_unit_test(reclaim_frees_in_bounded_slices),
		cmocka_unit_test(destroy_frees_what_was_not_reclaimed),
		cmocka_unit_test(swap_exchanges_two_databases),
		cmocka_unit_test(swapped_content_takes_the_place_of_the_old),
		cmocka_unit_test(maintenance_goes_on_after_a_swap_of_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
