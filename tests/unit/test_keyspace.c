/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace, call by call: values and their encodings, expiry, moving, locks, counters.
 */
#include "tests/unit/test_keyspace.h"

#define LONG_LEN 1000

static char long_text[LONG_LEN + 1];

static void set_then_find_returns_value(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 2);

	set(ks, 0, "k", "hello");
	assert_value(find(ks, 0, "k"), "hello");
	assert_null(find(ks, 1, "k"));
	assert_null(find(ks, 0, "K"));
	assert_int_equal(ks_size(ks, 0), 1);
	assert_int_equal(entry_type(find(ks, 0, "k")), OBJ_STRING);
	assert_int_equal(entry_key(find(ks, 0, "k")).len, 1);
	destroy(ks, used);
}

static void empty_key_and_value_are_legal(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);
	struct ks_key k = ks_key(ks, NULL, 0);

	assert_non_null(ks_set_str(ks, 0, 0, &k, NULL, 0, 0, T0));
	assert_value(find(ks, 0, ""), "");
	assert_int_equal(entry_enc(find(ks, 0, "")), OBJ_ENC_EMBSTR);
	destroy(ks, used);
}

static void encoding_follows_the_value(void **state)
{
	static const struct {
		const char *val;
		enum obj_enc enc;
	} cases[] = {
		{"0", OBJ_ENC_INT},
		{"-1", OBJ_ENC_INT},
		{"9223372036854775807", OBJ_ENC_INT},
		{"-9223372036854775808", OBJ_ENC_INT},
		{"9223372036854775808", OBJ_ENC_EMBSTR},
		{"-9223372036854775809", OBJ_ENC_EMBSTR},
		{"18446744073709551616", OBJ_ENC_EMBSTR},
		{"99999999999999999999", OBJ_ENC_EMBSTR},
		{"-0", OBJ_ENC_EMBSTR},
		{"00", OBJ_ENC_EMBSTR},
		{"01", OBJ_ENC_EMBSTR},
		{"+1", OBJ_ENC_EMBSTR},
		{" 1", OBJ_ENC_EMBSTR},
		{"1 ", OBJ_ENC_EMBSTR},
		{"-", OBJ_ENC_EMBSTR},
		{"1a", OBJ_ENC_EMBSTR},
		{"12345678901234567890123456789012345678901234", OBJ_ENC_EMBSTR},
		{"123456789012345678901234567890123456789012345", OBJ_ENC_RAW},
	};
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set(ks, 0, "k", cases[i].val);
		assert_int_equal(entry_enc(find(ks, 0, "k")), cases[i].enc);
		assert_value(find(ks, 0, "k"), cases[i].val);
	}
	destroy(ks, used);
}

static void raw_flag_prevents_other_encodings(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct ks_key k = key_of(ks, "k");

	assert_int_equal(entry_enc(ks_set_str(ks, 0, 0, &k, "12", 2, KS_RAW, T0)), OBJ_ENC_RAW);
	assert_value(find(ks, 0, "k"), "12");
	destroy(ks, used);
}

static void large_value_lives_in_a_blob(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct blob *b;

	b = entry_blob(set(ks, 0, "k", long_text));
	assert_non_null(b);
	assert_int_equal(b->len, LONG_LEN);
	assert_null(entry_blob(set(ks, 0, "s", "short")));
	assert_true(entry_mem(find(ks, 0, "k"), 0) >= LONG_LEN);
	destroy(ks, used);
}

static void blob_outlives_its_key_while_referenced(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct blob *b = entry_blob(set(ks, 0, "k", long_text));

	blob_get(b);
	ks_del(ks, 0, 0, find(ks, 0, "k"));
	assert_memory_equal(b->data, long_text, LONG_LEN);
	blob_put(b);
	destroy(ks, used);
}

static void overwrite_through_all_encodings_keeps_one_key(void **state)
{
	const char *vals[] = {"1", "short", long_text, "2", long_text, "other", "short", "3"};
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	for (unsigned i = 0; i < sizeof(vals) / sizeof(vals[0]); i++) {
		set(ks, 0, "key", vals[i]);
		assert_value(find(ks, 0, "key"), vals[i]);
		assert_int_equal(ks_size(ks, 0), 1);
	}
	destroy(ks, used);
}

static void value_may_be_taken_from_the_key_it_replaces(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct ks_key k = key_of(ks, "k");
	struct slice s;

	set(ks, 0, "k", long_text);
	s = entry_str(find(ks, 0, "k"), NULL);
	assert_non_null(ks_set_str(ks, 0, 0, &k, s.ptr + 1, 200, 0, T0));
	assert_memory_equal(entry_str(find(ks, 0, "k"), NULL).ptr, long_text + 1, 200);
	set(ks, 0, "k", "abcdefgh");
	s = entry_str(find(ks, 0, "k"), NULL);
	assert_non_null(ks_set_str(ks, 0, 0, &k, s.ptr + 2, 5, 0, T0));
	assert_value(find(ks, 0, "k"), "cdefg");
	destroy(ks, used);
}

static void small_string_costs_at_most_96_bytes(void **state)
{
	enum { NR = 20000 };
	size_t used = mem_used();
	struct keyspace *ks = make(16, 1);
	char name[32];
	size_t before;

	set(ks, 0, "first", "makes the tables");
	before = mem_used();
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "key:%012d", i);
		set(ks, 0, name, "abcdefghijklmnopqrstuvwxyz012345");
		assert_true(entry_mem(find(ks, 0, name), 0) <= 64);
	}
	for (uint32_t i = 0; i < 16; i++)
		ks_maintain_part(ks, i, UINT32_MAX);
	assert_true((mem_used() - before) / NR <= 96);
	destroy(ks, used);
}

static void plain_set_drops_expiry_and_keep_ttl_keeps_it(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct ks_key k = key_of(ks, "k");

	set_ttl(ks, 0, "k", "v", T0 + 1000);
	ks_set_str(ks, 0, 0, &k, long_text, LONG_LEN, KS_KEEP_TTL, T0);
	assert_int_equal(entry_expire(find(ks, 0, "k")), T0 + 1000);
	ks_set_int(ks, 0, 0, &k, 7, KS_KEEP_TTL, T0);
	assert_int_equal(entry_expire(find(ks, 0, "k")), T0 + 1000);
	assert_int_equal(ks_nr_expires(ks, 0), 1);
	set(ks, 0, "k", "w");
	assert_int_equal(entry_expire(find(ks, 0, "k")), KS_NO_EXPIRE);
	assert_int_equal(ks_nr_expires(ks, 0), 0);
	assert_int_equal(ks_part_next_expire(ks, 0), INT64_MAX);
	destroy(ks, used);
}

static void expiry_can_be_set_changed_and_removed(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set_ttl(ks, 0, "k", "12", T0);

	assert_false(entry_expired(e, T0));
	assert_true(entry_expired(e, T0 + 1));
	e = ks_set_expire(ks, 0, 0, e, T0 + 5);
	assert_int_equal(ks_part_next_expire(ks, 0), T0 + 5);
	assert_int_equal(entry_enc(e), OBJ_ENC_INT);
	e = ks_set_expire(ks, 0, 0, e, KS_NO_EXPIRE);
	assert_false(entry_expired(e, INT64_MAX));
	assert_ptr_equal(e, find(ks, 0, "k"));
	assert_value(e, "12");
	destroy(ks, used);
}

static void edit_turns_integer_into_raw_text(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set_ttl(ks, 0, "k", "-42", T0 + 1);
	char *data;

	e = ks_str_edit(ks, 0, 0, e, 5, &data);
	assert_memory_equal(data, "-42\0\0", 5);
	memcpy(data + 3, "xy", 2);
	assert_value(find(ks, 0, "k"), "-42xy");
	assert_int_equal(entry_enc(e), OBJ_ENC_RAW);
	assert_int_equal(entry_expire(e), T0 + 1);
	destroy(ks, used);
}

static void edit_grows_byte_by_byte_into_a_blob(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set(ks, 0, "k", "");
	char *data;

	for (size_t i = 0; i < LONG_LEN; i++) {
		e = ks_str_edit(ks, 0, 0, e, i + 1, &data);
		assert_non_null(e);
		assert_int_equal(data[i], 0);
		data[i] = long_text[i];
	}
	assert_value(find(ks, 0, "k"), long_text);
	destroy(ks, used);
}

static void edit_can_shorten(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	char *data;

	ks_str_edit(ks, 0, 0, set(ks, 0, "a", "abcdef"), 3, &data);
	assert_value(find(ks, 0, "a"), "abc");
	ks_str_edit(ks, 0, 0, set(ks, 0, "b", long_text), 3, &data);
	assert_memory_equal(data, long_text, 3);
	assert_int_equal(entry_str(find(ks, 0, "b"), NULL).len, 3);
	ks_str_edit(ks, 0, 0, find(ks, 0, "b"), 5, &data);
	assert_memory_equal(data + 3, "\0\0", 2);
	destroy(ks, used);
}

static void edit_leaves_a_referenced_blob_alone(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct blob *b = entry_blob(set(ks, 0, "k", long_text));
	char *data;

	blob_get(b);
	ks_str_edit(ks, 0, 0, find(ks, 0, "k"), LONG_LEN, &data);
	assert_ptr_not_equal(data, b->data);
	data[0] = '!';
	assert_memory_equal(b->data, long_text, LONG_LEN);
	blob_put(b);
	destroy(ks, used);
}

static void edit_growth_is_amortised(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set(ks, 0, "k", long_text);
	const struct blob *b = NULL;
	unsigned moves = 0;
	char *data;

	for (size_t len = LONG_LEN; len < 4u << 20; len += 64) {
		size_t cap = entry_blob(e)->cap;

		e = ks_str_edit(ks, 0, 0, e, len, &data);
		b = entry_blob(e);
		moves += b->cap != cap;
	}
	assert_true(moves < 40);
	destroy(ks, used);
}

static void move_takes_value_and_expiry_along(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(8, 3);
	struct ks_key to = key_of(ks, "target");
	const struct blob *b;

	set_ttl(ks, 0, "k", long_text, T0 + 9);
	b = entry_blob(find(ks, 0, "k"));
	assert_non_null(ks_move(ks, 0, 0, find(ks, 0, "k"), 2, &to, T0));
	assert_null(find(ks, 0, "k"));
	assert_ptr_equal(entry_blob(find(ks, 2, "target")), b);
	assert_int_equal(entry_expire(find(ks, 2, "target")), T0 + 9);
	assert_int_equal(ks_nr_expires(ks, 0), 0);
	assert_int_equal(ks_nr_expires(ks, 2), 1);
	destroy(ks, used);
}

static void copy_leaves_two_independent_keys(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(8, 2);
	struct ks_key to = key_of(ks, "target");
	char *data;

	set_ttl(ks, 0, "k", long_text, T0 + 9);
	assert_non_null(ks_copy(ks, 0, 0, find(ks, 0, "k"), 1, &to, T0));
	ks_str_edit(ks, 0, 0, find(ks, 0, "k"), LONG_LEN, &data);
	data[0] = '!';
	assert_value(find(ks, 1, "target"), long_text);
	assert_int_equal(entry_expire(find(ks, 1, "target")), T0 + 9);
	destroy(ks, used);
}

static void average_ttl_is_the_mean(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 2);

	assert_int_equal(ks_avg_ttl_ms(ks, 0, T0), 0);
	set_ttl(ks, 0, "a", "1", T0 + 1000);
	set_ttl(ks, 0, "b", "1", T0 + 3000);
	set_ttl(ks, 1, "c", "1", T0 + 50000);
	assert_int_equal(ks_avg_ttl_ms(ks, 0, T0), 2000);
	ks_del(ks, 0, 0, find(ks, 0, "a"));
	assert_int_equal(ks_avg_ttl_ms(ks, 0, T0), 3000);
	assert_int_equal(ks_avg_ttl_ms(ks, 0, T0 + 9000), 0);
	destroy(ks, used);
}

static void next_expiry_covers_all_databases(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 3);

	assert_int_equal(ks_part_next_expire(ks, 0), INT64_MAX);
	set_ttl(ks, 0, "a", "1", T0 + 30);
	set_ttl(ks, 2, "b", "1", T0 + 10);
	set_ttl(ks, 1, "c", "1", T0 + 20);
	assert_int_equal(ks_part_next_expire(ks, 0), T0 + 10);
	ks_del(ks, 0, 2, find(ks, 2, "b"));
	assert_int_equal(ks_part_next_expire(ks, 0), T0 + 20);
	ks_set_expire(ks, 0, 1, find(ks, 1, "c"), T0 + 40);
	assert_int_equal(ks_part_next_expire(ks, 0), T0 + 30);
	destroy(ks, used);
}

static void keys_spread_evenly_over_partitions(void **state)
{
	enum { PARTS = 64, NR = 64000 };
	size_t used = mem_used();
	struct keyspace *ks = make(PARTS, 1);
	unsigned nr[PARTS] = {0};
	char name[32];

	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "key:%d", i);
		nr[key_of(ks, name).part]++;
	}
	for (int i = 0; i < PARTS; i++)
		assert_in_range(nr[i], 800, 1200);
	destroy(ks, used);
}

static void prefetch_is_harmless_in_any_state(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(2, 2);
	struct ks_key k = key_of(ks, "k");

	ks_prefetch(ks, 1, &k);
	ks_prefetch_entry(ks, 1, &k);
	set(ks, 1, "k", "v");
	ks_prefetch(ks, 1, &k);
	ks_prefetch_entry(ks, 1, &k);
	assert_true(ks_part_trylock(ks, k.part));
	ks_prefetch_entry(ks, 1, &k);
	ks_part_unlock(ks, k.part);
	destroy(ks, used);
}

static void lockset_sorts_and_drops_doubles(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(64, 1);
	struct ks_lockset ls;

	ks_lockset_init(&ls);
	for (uint32_t i = 0; i < 40; i++)
		ks_lockset_add(&ls, (40 - i) % 20);
	assert_true(ks_lockset_try(ks, &ls));
	assert_int_equal(ls.nr, 20);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(ls.parts[i], i);
	assert_false(ks_part_trylock(ks, 19));
	assert_true(ks_part_trylock(ks, 20));
	ks_part_unlock(ks, 20);
	ks_lockset_unlock(ks, &ls);
	assert_true(ks_part_trylock(ks, 19));
	ks_part_unlock(ks, 19);
	ks_lockset_fini(&ls);
	destroy(ks, used);
}

static void lockset_that_meets_a_busy_lock_holds_nothing(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(8, 1);
	struct ks_lockset ls;

	ks_lockset_init(&ls);
	ks_lockset_all(&ls);
	assert_true(ks_part_trylock(ks, 5));
	assert_false(ks_lockset_try(ks, &ls));
	for (uint32_t i = 0; i < 8; i++) {
		if (i == 5)
			continue;
		assert_true(ks_part_trylock(ks, i));
		ks_part_unlock(ks, i);
	}
	ks_part_unlock(ks, 5);
	assert_true(ks_lockset_try(ks, &ls));
	ks_lockset_unlock(ks, &ls);
	ks_lockset_fini(&ls);
	destroy(ks, used);
}

static void written_offset_of_a_set_is_its_latest(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(8, 1);
	struct ks_lockset ls;

	ks_lockset_init(&ls);
	assert_int_equal(ks_lockset_written(ks, &ls), 0);
	ks_part_set_written(ks, 1, 100);
	ks_part_set_written(ks, 3, 70);
	ks_lockset_add(&ls, 3);
	ks_lockset_add(&ls, 1);
	assert_int_equal(ks_lockset_written(ks, &ls), 100);
	ks_lockset_set_written(ks, &ls, 200);
	assert_int_equal(ks_part_written(ks, 3), 200);
	assert_int_equal(ks_part_written(ks, 2), 0);
	ks_lockset_all(&ls);
	assert_int_equal(ks_lockset_written(ks, &ls), 200);
	ks_lockset_fini(&ls);
	destroy(ks, used);
}

static void room_made_beforehand_is_enough(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 2);
	char name[32];

	ks_reserve(ks, 1, 5000);
	ks_reserve(ks, 1, 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		set(ks, 1, name, "v");
		for (uint32_t part = 0; part < 4; part++)
			assert_false(ks_part_resizing(ks, part));
	}
	ks_reserve(ks, 1, 100000); /* too late: nothing happens */
	assert_int_equal(ks_size(ks, 1), 5000);
	assert_value(find(ks, 1, "k4999"), "v");
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_made_beforehand_is_enough),
		cmocka_unit_test(set_then_find_returns_value),
		cmocka_unit_test(empty_key_and_value_are_legal),
		cmocka_unit_test(encoding_follows_the_value),
		cmocka_unit_test(raw_flag_prevents_other_encodings),
		cmocka_unit_test(large_value_lives_in_a_blob),
		cmocka_unit_test(blob_outlives_its_key_while_referenced),
		cmocka_unit_test(overwrite_through_all_encodings_keeps_one_key),
		cmocka_unit_test(value_may_be_taken_from_the_key_it_replaces),
		cmocka_unit_test(small_string_costs_at_most_96_bytes),
		cmocka_unit_test(plain_set_drops_expiry_and_keep_ttl_keeps_it),
		cmocka_unit_test(expiry_can_be_set_changed_and_removed),
		cmocka_unit_test(edit_turns_integer_into_raw_text),
		cmocka_unit_test(edit_grows_byte_by_byte_into_a_blob),
		cmocka_unit_test(edit_can_shorten),
		cmocka_unit_test(edit_leaves_a_referenced_blob_alone),
		cmocka_unit_test(edit_growth_is_amortised),
		cmocka_unit_test(move_takes_value_and_expiry_along),
		cmocka_unit_test(copy_leaves_two_independent_keys),
		cmocka_unit_test(average_ttl_is_the_mean),
		cmocka_unit_test(next_expiry_covers_all_databases),
		cmocka_unit_test(keys_spread_evenly_over_partitions),
		cmocka_unit_test(prefetch_is_harmless_in_any_state),
		cmocka_unit_test(lockset_sorts_and_drops_doubles),
		cmocka_unit_test(lockset_that_meets_a_busy_lock_holds_nothing),
		cmocka_unit_test(written_offset_of_a_set_is_its_latest),
	};

	for (int i = 0; i < LONG_LEN; i++)
		long_text[i] = (char)('a' + i % 26);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
