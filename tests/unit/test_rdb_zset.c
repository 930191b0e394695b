/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB forms of sorted sets.
 */
#include "app/keyspace/types/zset.h"

#include "app/keyspace/types/listpack.h"
#include "tests/support/rdb_old_blob.h"
#include "tests/support/rdb_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

/* {a: 1, bb: 1.5, 70000: inf} */
static struct obj small_zset(void)
{
	struct obj o;

	assert_true(zset_create(&o, &values_limits, 0));
	assert_true(zset_add(&o, "a", 1, 1, &values_limits));
	assert_true(zset_add(&o, "bb", 2, 1.5, &values_limits));
	assert_true(zset_add(&o, "70000", 5, INFINITY, &values_limits));
	return o;
}

static struct bytes ziplist_body(void)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	old_ziplist_str(&b, "a", 1);
	old_ziplist_int(&b, 1);
	old_ziplist_str(&b, "bb", 2);
	old_ziplist_str(&b, "1.5", 3);
	old_ziplist_int(&b, 70000);
	old_ziplist_str(&b, "inf", 3);
	old_ziplist_end(&b);
	struct bytes body = values_blob(RDB_TYPE_ZSET_ZIPLIST, b.out.data, b.out.len);
	bytes_fini(&b.out);
	return body;
}

#define TEXT_SCORES                                                                                \
	"\3\3\1a\1"                                                                                \
	"1\2bb\3"                                                                                  \
	"1.5\5"                                                                                    \
	"70000\xfe"
#define DOUBLES                                                                                    \
	"\5\3\1a\0\0\0\0\0\0\xf0\x3f\2bb\0\0\0\0\0\0\xf8\x3f\5"                                    \
	"70000\0\0\0\0\0\0\xf0\x7f"

static void every_form_gives_the_same_sorted_set(void **state)
{
	struct obj want = small_zset();
	struct bytes bodies[4] = {0};

	bytes_add(&bodies[0], BYTES(TEXT_SCORES));
	bytes_add(&bodies[1], BYTES(DOUBLES));
	bodies[2] = ziplist_body();
	bodies[3] = values_write(&want);
	assert_int_equal(bodies[3].data[0], RDB_TYPE_ZSET_LISTPACK);
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

static void a_large_sorted_set_is_written_and_read(void **state)
{
	static const int sizes[] = {1, 128, 129, 5000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct obj o;

		assert_true(zset_create(&o, &values_limits, 0));
		for (int n = 0; n < sizes[i]; n++) {
			char name[32];
			size_t len = (size_t)snprintf(name, sizeof(name), "m%d", n);

			assert_true(zset_add(&o, name, len, n % 7 / 3.0, &values_limits));
		}
		values_assert_round_trip(&o, &values_limits);
		obj_ops(&o)->free(&o);
	}
}

static void our_limits_say_which_encoding_it_gets(void **state)
{
	struct obj_limits few = values_limits;
	struct obj o = small_zset();
	struct bytes body = values_write(&o);

	few.zset_max_listpack_entries = 2;
	struct built v = values_build(body.data, body.len, &few);
	assert_int_equal(v.result, RDB_BUILT_VALUE);
	assert_int_equal(v.obj.enc, OBJ_ENC_SKIPLIST);
	values_assert_equal(&o, &v.obj, "as a skip list");
	struct bytes as_list = values_write(&v.obj);
	assert_int_equal(as_list.data[0], RDB_TYPE_ZSET_2);
	values_free(&v);
	v = values_build(as_list.data, as_list.len, &values_limits);
	assert_int_equal(v.obj.enc, OBJ_ENC_LISTPACK);
	values_free(&v);
	bytes_fini(&body);
	bytes_fini(&as_list);
	obj_ops(&o)->free(&o);
}

static void what_is_no_sorted_set_is_refused(void **state)
{
	static const struct values_refused cases[] = {
		{"nothing in it", BYTES("\5\0"), NULL},
		{"member twice", BYTES("\5\2\1a\0\0\0\0\0\0\xf0\x3f\1a\0\0\0\0\0\0\xf0\x3f"),
			"member twice"},
		{"NaN", BYTES("\5\1\1a\0\0\0\0\0\0\xf8\x7f"), "no number"},
		{"NaN as text", BYTES("\3\1\1a\xfd"), "no number"},
		{"nan in letters", BYTES("\3\1\1a\3nan"), "no number"},
		{"empty listpack", BYTES("\x11\7\7\0\0\0\0\0\xff"), NULL},
		{"listpack of one", BYTES("\x11\x09\x09\0\0\0\1\0\1\1\xff"), "lacks an element"},
		{"listpack, member twice", BYTES("\x11\x0f\x0f\0\0\0\4\0\1\1\2\1\1\1\3\1\xff"),
			"twice"},
		{"listpack, score that is a word",
			BYTES("\x11\x0e\x0e\0\0\0\2\0\1\1\x83"
			      "abc\4\xff"),
			"no number"},
		{"listpack, NaN", BYTES("\x11\x0e\x0e\0\0\0\2\0\1\1\x83nan\4\xff"), "no number"},
		{"listpack, wrong size", BYTES("\x11\x0b\x0c\0\0\0\2\0\1\1\2\1\xff"), "damaged"},
		{"ziplist of one", BYTES("\x0c\x0d\x0d\0\0\0\x0a\0\0\0\1\0\0\xf2\xff"),
			"without a score"},
		{"ziplist, score that is a word",
			BYTES("\x0c\x10\x10\0\0\0\x0c\0\0\0\2\0\0\xf2\2\1x\xff"), "no number"},
		{"ziplist, member twice",
			BYTES("\x0c\x13\x13\0\0\0\x10\0\0\0\4\0\0\xf2\2\xf2\2\xf2\2\xf2\xff"),
			"member twice"},
	};

	values_assert_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_sorted_set),
		cmocka_unit_test(a_large_sorted_set_is_written_and_read),
		cmocka_unit_test(our_limits_say_which_encoding_it_gets),
		cmocka_unit_test(what_is_no_sorted_set_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
