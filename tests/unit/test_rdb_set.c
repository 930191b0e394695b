/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB forms of sets.
 */
#include "app/keyspace/types/set.h"

#include "tests/support/rdb_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* {1, 70000, -5}, and with it "bb" if it has words */
static struct obj small_set(bool words)
{
	static const char *const members[] = {"1", "70000", "-5", "bb"};
	struct obj o;

	assert_true(set_create(&o, NULL));
	for (int i = 0; i < 3 + words; i++)
		assert_int_equal(
			set_add(&o, members[i], strlen(members[i]), &values_limits), SET_ADDED);
	return o;
}

static void expect_forms(bool words, struct bytes *bodies, size_t nr)
{
	struct obj want = small_set(words);

	for (size_t i = 0; i < nr; i++) {
		struct built v = values_build(bodies[i].data, bodies[i].len, &values_limits);

		if (v.result != RDB_BUILT_VALUE)
			fail_msg("form %u: %s", bodies[i].data[0], v.why);
		values_assert_equal(&want, &v.obj, "form");
		assert_int_equal(v.obj.enc, words ? OBJ_ENC_HASHTABLE : OBJ_ENC_INTSET);
		values_free(&v);
		values_assert_hard(bodies[i].data, bodies[i].len);
		bytes_fini(&bodies[i]);
	}
	obj_ops(&want)->free(&want);
}

static struct bytes listpack_body(bool words)
{
	unsigned char *lp = lp_new(LP_BYTES_EMPTY);

	lp_append_int(&lp, 70000);
	lp_append_int(&lp, 1);
	lp_append_int(&lp, -5);
	if (words)
		lp_append(&lp, "bb", 2);
	struct bytes body = values_blob(RDB_TYPE_SET_LISTPACK, lp, lp_bytes(lp));
	lp_free(lp);
	return body;
}

static void every_form_gives_the_same_set(void **state)
{
	struct obj ints = small_set(false), words = small_set(true);
	struct bytes of_ints[3] = {0}, of_words[3] = {0};

	bytes_add(&of_ints[0], BYTES("\2\3\xc2\x70\x11\1\0\xc0\1\xc0\xfb"));
	of_ints[1] = listpack_body(false);
	of_ints[2] = values_write(&ints);
	assert_int_equal(of_ints[2].data[0], RDB_TYPE_SET_INTSET);
	expect_forms(false, of_ints, 3);
	bytes_add(&of_words[0], BYTES("\2\4\2bb\xc2\x70\x11\1\0\xc0\1\xc0\xfb"));
	of_words[1] = listpack_body(true);
	of_words[2] = values_write(&words);
	assert_int_equal(of_words[2].data[0], RDB_TYPE_SET);
	expect_forms(true, of_words, 3);
	obj_ops(&ints)->free(&ints);
	obj_ops(&words)->free(&words);
}

static void a_large_set_is_written_and_read(void **state)
{
	static const int sizes[] = {1, 512, 513, 5000};

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct obj o;

		assert_true(set_create(&o, NULL));
		for (int n = 0; n < sizes[i / 2]; n++) {
			char name[32];
			size_t len = (size_t)snprintf(
				name, sizeof(name), i % 2 ? "m%d" : "%d", n * 400009);

			assert_int_equal(set_add(&o, name, len, &values_limits), SET_ADDED);
		}
		values_assert_round_trip(&o, &values_limits);
		obj_ops(&o)->free(&o);
	}
}

static void our_limits_say_which_encoding_it_gets(void **state)
{
	struct obj_limits few = values_limits;
	struct obj o = small_set(false);
	struct bytes body = values_write(&o);

	few.set_max_intset_entries = 2;
	struct built v = values_build(body.data, body.len, &few);
	assert_int_equal(v.result, RDB_BUILT_VALUE);
	assert_int_equal(v.obj.enc, OBJ_ENC_HASHTABLE);
	values_assert_equal(&o, &v.obj, "as a table");
	struct bytes as_table = values_write(&v.obj);
	assert_int_equal(as_table.data[0], RDB_TYPE_SET);
	values_free(&v);
	v = values_build(as_table.data, as_table.len, &values_limits);
	assert_int_equal(v.obj.enc, OBJ_ENC_INTSET);
	values_free(&v);
	bytes_fini(&body);
	bytes_fini(&as_table);
	obj_ops(&o)->free(&o);
}

static void what_is_no_set_is_refused(void **state)
{
	static const struct values_refused cases[] = {
		{"nothing in it", BYTES("\2\0"), NULL},
		{"member twice", BYTES("\2\2\1a\1a"), "member twice"},
		{"integer twice", BYTES("\2\2\xc0\1\xc0\1"), "member twice"},
		{"intset without members", BYTES("\x0b\x08\2\0\0\0\0\0\0\0"), "damaged"},
		{"intset, width 3", BYTES("\x0b\x0b\3\0\0\0\1\0\0\0\1\0\0"), "damaged"},
		{"intset, wrong order", BYTES("\x0b\x0c\2\0\0\0\2\0\0\0\2\0\1\0"), "damaged"},
		{"intset, member twice", BYTES("\x0b\x0c\2\0\0\0\2\0\0\0\1\0\1\0"), "damaged"},
		{"intset, one too few", BYTES("\x0b\x0a\2\0\0\0\2\0\0\0\1\0"), "damaged"},
		{"empty listpack", BYTES("\x14\7\7\0\0\0\0\0\xff"), NULL},
		{"listpack, member twice", BYTES("\x14\x0b\x0b\0\0\0\2\0\1\1\1\1\xff"), "twice"},
		{"listpack, a number also as text",
			BYTES("\x14\x0c\x0c\0\0\0\2\0\1\1\x81"
			      "1\2\xff"),
			"twice"},
		{"listpack, wrong count", BYTES("\x14\x0b\x0b\0\0\0\4\0\1\1\2\1\xff"), "damaged"},
	};

	values_assert_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_set),
		cmocka_unit_test(a_large_set_is_written_and_read),
		cmocka_unit_test(our_limits_say_which_encoding_it_gets),
		cmocka_unit_test(what_is_no_set_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
