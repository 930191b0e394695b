/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB forms of lists.
 */
#include "app/keyspace/types/list.h"

#include "app/keyspace/types/listpack.h"
#include "tests/support/rdb_old_blob.h"
#include "tests/support/rdb_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void push(struct obj *o, const char *text, size_t len)
{
	assert_true(list_push(o, LIST_RIGHT, text, len, values_limits.list_max_listpack_size));
}

/* [a, 1, bb, 70000, a] */
static struct obj small_list(void)
{
	static const char *const elements[] = {"a", "1", "bb", "70000", "a"};
	struct obj o;

	assert_true(list_make(&o));
	for (size_t i = 0; i < 5; i++)
		push(&o, elements[i], strlen(elements[i]));
	return o;
}

static struct old_blob ziplist(bool first, bool second)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	if (first) {
		old_ziplist_str(&b, "a", 1);
		old_ziplist_int(&b, 1);
	}
	if (second) {
		old_ziplist_str(&b, "bb", 2);
		old_ziplist_int(&b, 70000);
		old_ziplist_str(&b, "a", 1);
	}
	old_ziplist_end(&b);
	return b;
}

static void add_string(struct bytes *body, const struct bytes *str)
{
	BUG_ON(str->len > 63);
	bytes_add(body, &(uint8_t){(uint8_t)str->len}, 1);
	bytes_add(body, str->data, str->len);
}

static struct bytes ziplists_body(void)
{
	struct old_blob one = ziplist(true, false), none = ziplist(false, false),
			two = ziplist(false, true);
	struct bytes body = {0};

	bytes_add(&body, "\x0e\3", 2);
	add_string(&body, &one.out);
	add_string(&body, &none.out);
	add_string(&body, &two.out);
	bytes_fini(&one.out);
	bytes_fini(&none.out);
	bytes_fini(&two.out);
	return body;
}

/* A packed node, an empty one, a plain one, and another packed. */
static struct bytes nodes_body(void)
{
	struct bytes body = {0};

	bytes_add(&body, BYTES("\x12\4\2\x0c\x0c\0\0\0\2\0\x81"
			       "a\2\1\1\xff"));
	bytes_add(&body, BYTES("\2\7\7\0\0\0\0\0\xff"));
	bytes_add(&body, BYTES("\1\2bb"));
	bytes_add(&body, BYTES("\2\x0f\x0f\0\0\0\2\0\xf2\x70\x11\1\4\x81"
			       "a\2\xff"));
	return body;
}

static void every_form_gives_the_same_list(void **state)
{
	struct obj want = small_list();
	struct old_blob both = ziplist(true, true);
	struct bytes bodies[5] = {0};

	bytes_add(&bodies[0], BYTES("\1\5\1a\xc0\1\2bb\xc2\x70\x11\1\0\1a"));
	bodies[1] = values_blob(RDB_TYPE_LIST_ZIPLIST, both.out.data, both.out.len);
	bodies[2] = ziplists_body();
	bodies[3] = nodes_body();
	bodies[4] = values_write(&want);
	assert_int_equal(bodies[4].data[0], RDB_TYPE_LIST_QUICKLIST_2);
	for (int i = 0; i < 5; i++) {
		struct built v = values_build(bodies[i].data, bodies[i].len, &values_limits);

		if (v.result != RDB_BUILT_VALUE)
			fail_msg("form %u: %s", bodies[i].data[0], v.why);
		values_assert_equal(&want, &v.obj, "form");
		values_free(&v);
		values_assert_hard(bodies[i].data, bodies[i].len);
		bytes_fini(&bodies[i]);
	}
	bytes_fini(&both.out);
	obj_ops(&want)->free(&want);
}

static void a_large_list_is_written_and_read(void **state)
{
	static const int sizes[] = {1, 100, 5000};
	char *text = malloc(100000);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct obj o;

		assert_true(list_make(&o));
		for (int n = 0; n < sizes[i]; n++) {
			memset(text, 'a' + n % 26, 100000);
			push(&o, text, n % 100 == 50 ? 100000 : (size_t)(n % 300));
		}
		assert_true(list_add_plain(&o, text, 70000));
		values_assert_round_trip(&o, &values_limits);
		obj_ops(&o)->free(&o);
	}
	free(text);
}

static void what_is_no_list_is_refused(void **state)
{
	static const struct values_refused cases[] = {
		{"nothing in it", BYTES("\1\0"), NULL},
		{"no nodes", BYTES("\x12\0"), NULL},
		{"an empty node alone", BYTES("\x12\1\2\7\7\0\0\0\0\0\xff"), NULL},
		{"an empty ziplist", BYTES("\x0a\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff"), NULL},
		{"node of kind 3", BYTES("\x12\1\3\1a"), "unknown kind"},
		{"node of kind 0", BYTES("\x12\1\0\1a"), "unknown kind"},
		{"plain node without content", BYTES("\x12\1\1\0"), "without content"},
		{"listpack, wrong count", BYTES("\x12\1\2\x09\x09\0\0\0\2\0\1\1\xff"),
			"listpack is damaged"},
		{"ziplist, wrong tail", BYTES("\x0e\1\x0d\x0d\0\0\0\x0b\0\0\0\1\0\0\xf2\xff"),
			"ziplist is damaged"},
	};

	values_assert_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_list),
		cmocka_unit_test(a_large_list_is_written_and_read),
		cmocka_unit_test(what_is_no_list_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
