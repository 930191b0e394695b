/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB forms of hashes.
 */
#include "app/keyspace/types/hash.h"

#include "tests/support/rdb_old_blob.h"
#include "tests/support/rdb_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

/* {a: 1, bb: xyz, 70000: -5} */
static struct obj small_hash(void)
{
	static const char *const pairs[][2] = {{"a", "1"}, {"bb", "xyz"}, {"70000", "-5"}};
	struct obj o;

	assert_true(hash_create(&o));
	for (size_t i = 0; i < 3; i++) {
		struct slice field = text(pairs[i][0]), value = text(pairs[i][1]);

		assert_int_equal(hash_set(&o, &field, &value, &values_limits), HASH_ADDED);
	}
	return o;
}

static struct obj large_hash(int nr)
{
	struct obj o;

	assert_true(hash_create(&o));
	for (int i = 0; i < nr; i++) {
		char name[32], value[128];
		struct slice f = {name, (size_t)snprintf(name, sizeof(name), "field:%d", i)};
		struct slice v = {
			value, (size_t)snprintf(value, sizeof(value), "%0*d", i % 90 + 1, i)};

		assert_int_equal(hash_set(&o, &f, &v, &values_limits), HASH_ADDED);
	}
	return o;
}

static struct bytes ziplist_body(void)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	old_ziplist_str(&b, "a", 1);
	old_ziplist_int(&b, 1);
	old_ziplist_str(&b, "bb", 2);
	old_ziplist_str(&b, "xyz", 3);
	old_ziplist_int(&b, 70000);
	old_ziplist_int(&b, -5);
	old_ziplist_end(&b);
	struct bytes body = values_blob(RDB_TYPE_HASH_ZIPLIST, b.out.data, b.out.len);
	bytes_fini(&b.out);
	return body;
}

#define PLAIN                                                                                      \
	"\4\3\1a\xc0\1\2bb\3xyz\5"                                                                 \
	"70000\xc0\xfb"
#define ZIPMAP                                                                                     \
	"\x09\x1b\3\1a\1\0"                                                                        \
	"1\2bb\3\2xyz??\5"                                                                         \
	"70000\2\0-5\xff"

static void every_form_gives_the_same_hash(void **state)
{
	struct obj want = small_hash();
	struct bytes bodies[4] = {0};

	bytes_add(&bodies[0], BYTES(PLAIN));
	bytes_add(&bodies[1], BYTES(ZIPMAP));
	bodies[2] = ziplist_body();
	bodies[3] = values_write(&want);
	assert_int_equal(bodies[3].data[0], RDB_TYPE_HASH_LISTPACK);
	for (int i = 0; i < 4; i++) {
		struct built v = values_build(bodies[i].data, bodies[i].len, &values_limits);

		if (v.result != RDB_BUILT_VALUE)
			fail_msg("form %u: %s", bodies[i].data[0], v.why);
		values_assert_equal(&want, &v.obj, "form");
		assert_int_equal(v.obj.enc, OBJ_ENC_LISTPACK);
		values_free(&v);
		values_assert_hard(bodies[i].data, bodies[i].len);
		bytes_fini(&bodies[i]);
	}
	obj_ops(&want)->free(&want);
}

static void a_large_hash_is_written_and_read(void **state)
{
	static const int sizes[] = {1, 60, 512, 513, 5000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct obj o = large_hash(sizes[i]);

		values_assert_round_trip(&o, &values_limits);
		obj_ops(&o)->free(&o);
	}
}

static void our_limits_say_which_encoding_it_gets(void **state)
{
	struct obj_limits few = values_limits;
	struct obj o = small_hash();
	struct bytes body = values_write(&o);

	few.hash_max_listpack_entries = 2;
	struct built v = values_build(body.data, body.len, &few);
	assert_int_equal(v.result, RDB_BUILT_VALUE);
	assert_int_equal(v.obj.enc, OBJ_ENC_HASHTABLE);
	values_assert_equal(&o, &v.obj, "as a table");
	struct bytes as_table = values_write(&v.obj);
	assert_int_equal(as_table.data[0], RDB_TYPE_HASH);
	values_free(&v);
	v = values_build(as_table.data, as_table.len, &values_limits);
	assert_int_equal(v.obj.enc, OBJ_ENC_LISTPACK);
	values_free(&v);
	bytes_fini(&body);
	bytes_fini(&as_table);
	obj_ops(&o)->free(&o);
}

static void what_is_no_hash_is_refused(void **state)
{
	static const struct values_refused cases[] = {
		{"nothing in it", BYTES("\4\0"), NULL},
		{"field twice", BYTES("\4\2\1a\1b\1a\1c"), "field twice"},
		{"number and text are one field",
			BYTES("\4\2\xc0\1\1b\1"
			      "1\1c"),
			"field twice"},
		{"empty listpack", BYTES("\x10\7\7\0\0\0\0\0\xff"), NULL},
		{"listpack of one", BYTES("\x10\x09\x09\0\0\0\1\0\1\1\xff"), "lacks an element"},
		{"listpack, field twice", BYTES("\x10\x0f\x0f\0\0\0\4\0\1\1\2\1\1\1\3\1\xff"),
			"twice"},
		{"listpack, a number also as text",
			BYTES("\x10\x10\x10\0\0\0\4\0\1\1\2\1\x81"
			      "1\2\3\1\xff"),
			"twice"},
		{"listpack, wrong count", BYTES("\x10\x0b\x0b\0\0\0\4\0\1\1\2\1\xff"), "damaged"},
		{"intset as a listpack", BYTES("\x10\x0a\2\0\0\0\1\0\0\0\1\0"), "damaged"},
		{"zipmap, field twice",
			BYTES("\x09\x0b\2\1a\1\0"
			      "1\1a\0\0\xff"),
			"field twice"},
		{"zipmap without an end",
			BYTES("\x09\6\1\1a\1\0"
			      "1"),
			"zipmap is damaged"},
		{"ziplist of one", BYTES("\x0d\x0d\x0d\0\0\0\x0a\0\0\0\1\0\0\xf2\xff"),
			"without a value"},
		{"ziplist, wrong size", BYTES("\x0d\x0d\x0e\0\0\0\x0a\0\0\0\1\0\0\xf2\xff"),
			"ziplist is damaged"},
	};

	values_assert_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

/* Fields of many listpacks are told apart by their hashes. */
static void one_field_twice_among_many_is_found(void **state)
{
	for (int again = 0; again < 40; again += 13) {
		unsigned char *lp = lp_new(LP_BYTES_EMPTY);

		for (int i = 0; i < 40; i++) {
			lp_append_int(&lp, i);
			lp_append(&lp, "v", 1);
		}
		struct bytes body = values_blob(RDB_TYPE_HASH_LISTPACK, lp, lp_bytes(lp));
		struct built v = values_build(body.data, body.len, &values_limits);
		assert_int_equal(v.result, RDB_BUILT_VALUE);
		values_free(&v);
		bytes_fini(&body);

		lp_append_int(&lp, again);
		lp_append(&lp, "v", 1);
		body = values_blob(RDB_TYPE_HASH_LISTPACK, lp, lp_bytes(lp));
		v = values_build(body.data, body.len, &values_limits);
		assert_int_equal(v.result, RDB_BUILT_REFUSED);
		assert_non_null(strstr(v.why, "twice"));
		bytes_fini(&body);
		lp_free(lp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_hash),
		cmocka_unit_test(a_large_hash_is_written_and_read),
		cmocka_unit_test(our_limits_say_which_encoding_it_gets),
		cmocka_unit_test(what_is_no_hash_is_refused),
		cmocka_unit_test(one_field_twice_among_many_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
