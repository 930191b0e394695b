/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ziplists and zipmaps, built by hand; whole, cut at each byte, and with each bit changed.
 */
#include "repl/rdb_old.h"

#include "tests/support/rdb_old_blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* All elements as text, a line each; then "end" or "bad". In memory of the blob's exact size. */
static struct bytes read_all(const void *data, size_t len, bool zipmap)
{
	struct bytes out = {0};
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct rdb_old old;
	struct rdb_old_elem e;
	enum rdb_old_step step;

	memcpy(copy, data, len);
	if (zipmap)
		rdb_old_zipmap(&old, copy, len);
	else
		rdb_old_ziplist(&old, copy, len);
	while ((step = rdb_old_next(&old, &e)) == RDB_OLD_ELEM) {
		if (e.str)
			trace_string(&out, "", e.str, e.len);
		else
			trace_line(&out, "(%lld)", (long long)e.num);
		trace_line(&out, "\n");
	}
	trace_line(&out, step == RDB_OLD_END ? "end" : "bad");
	free(copy);
	return out;
}

static void expect(const struct bytes *blob, bool zipmap, const char *want)
{
	struct bytes got = read_all(blob->data, blob->len, zipmap);

	assert_string_equal((char *)got.data, want);
	bytes_fini(&got);
}

/* Whether it is valid to its end. */
static bool is_valid(const void *data, size_t len, bool zipmap)
{
	struct bytes got = read_all(data, len, zipmap);
	bool good = strcmp((char *)got.data + got.len - 3, "end") == 0;

	bytes_fini(&got);
	return good;
}

static void rich_ziplist(struct old_blob *b)
{
	old_ziplist_begin(b);
	old_ziplist_str(b, "a", 1);
	old_ziplist_str(b, "", 0);
	for (size_t i = 0; i < sizeof(old_ints) / sizeof(old_ints[0]); i++)
		old_ziplist_int(b, old_ints[i]);
	old_ziplist_filled(b, 63);
	old_ziplist_filled(b, 64);
	old_ziplist_filled(b, 252);
	old_ziplist_filled(b, 16383);
	old_ziplist_filled(b, 16384);
	old_ziplist_int(b, 7);
	old_ziplist_end(b);
}

static void every_encoding_of_a_ziplist_is_read(void **state)
{
	struct old_blob b;
	struct bytes want = {0};
	static const size_t filled[] = {63, 64, 252, 16383, 16384};

	rich_ziplist(&b);
	trace_line(&want, "a\n\n");
	for (size_t i = 0; i < sizeof(old_ints) / sizeof(old_ints[0]); i++)
		trace_line(&want, "(%lld)\n", (long long)old_ints[i]);
	for (size_t i = 0; i < sizeof(filled) / sizeof(filled[0]); i++) {
		char *text = malloc(filled[i]);

		memset(text, 'x', filled[i]);
		trace_string(&want, "", text, filled[i]);
		trace_line(&want, "\n");
		free(text);
	}
	trace_line(&want, "(7)\nend");
	expect(&b.out, false, (char *)want.data);
	bytes_fini(&want);
	bytes_fini(&b.out);
}

static void an_empty_blob_ends_at_once(void **state)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	old_ziplist_end(&b);
	expect(&b.out, false, "end");
	bytes_fini(&b.out);
	b = (struct old_blob){0};
	bytes_add(&b.out, "\0\xff", 2);
	expect(&b.out, true, "end");
	bytes_fini(&b.out);
}

static void more_elements_than_the_header_can_tell(void **state)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	for (int i = 0; i < 70000; i++)
		old_ziplist_int(&b, i % 13);
	old_ziplist_end(&b);
	assert_true(is_valid(b.out.data, b.out.len, false));
	b.out.data[8] = 0xfe; /* 65534: known, and wrong */
	assert_false(is_valid(b.out.data, b.out.len, false));
	bytes_fini(&b.out);
}

static void a_zipmap_is_read_with_its_free_bytes(void **state)
{
	struct bytes b = {0}, want = {0};
	char big[300];

	memset(big, 'v', sizeof(big));
	bytes_add(&b, "\2\1f\1\0v\0\xfe\x2c\1\0\0\3", 13);
	bytes_add(&b, big, sizeof(big));
	bytes_add(&b, "???\xff", 4);
	trace_line(&want, "f\nv\n\n");
	trace_string(&want, "", big, sizeof(big));
	trace_line(&want, "\nend");
	expect(&b, true, (char *)want.data);
	b.data[0] = 254; /* not known */
	expect(&b, true, (char *)want.data);
	b.data[0] = 3;
	assert_false(is_valid(b.data, b.len, true));
	bytes_fini(&b);
	bytes_fini(&want);
}

static void every_truncation_is_refused(void **state)
{
	struct old_blob b;

	rich_ziplist(&b);
	for (size_t len = 0; len < b.out.len; len++)
		assert_false(is_valid(b.out.data, len, false));
	/* with a size that agrees with it */
	for (size_t len = 4; len < b.out.len; len += len < 200 ? 1 : 97) {
		old_put_le(b.out.data, len, 4);
		assert_false(is_valid(b.out.data, len, false));
	}
	bytes_fini(&b.out);

	struct bytes m = {0};
	bytes_add(&m, "\1\1f\1\2v??\xff", 9);
	assert_true(is_valid(m.data, m.len, true));
	for (size_t len = 0; len < m.len; len++)
		assert_false(is_valid(m.data, len, true));
	bytes_add(&m, "\xff", 1);
	assert_false(is_valid(m.data, m.len, true));
	bytes_fini(&m);
}

/* A changed bit may give another valid blob; nothing outside of it may be read. Header, back
 * lengths and end mark must be noticed. */
static void any_bit_may_change(void **state)
{
	struct old_blob b;

	old_ziplist_begin(&b);
	old_ziplist_str(&b, "abc", 3);
	old_ziplist_int(&b, 1000);
	old_ziplist_filled(&b, 64);
	old_ziplist_int(&b, 5);
	old_ziplist_end(&b);
	for (size_t bit = 0; bit < 8 * b.out.len; bit++) {
		b.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		bool good = is_valid(b.out.data, b.out.len, false);
		assert_false(good && (bit / 8 < 10 || bit / 8 == b.out.len - 1));
		b.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	b.out.data[10]++; /* the first has something before it */
	assert_false(is_valid(b.out.data, b.out.len, false));
	bytes_fini(&b.out);

	struct bytes m = {0};
	bytes_add(&m, "\2\1f\1\2v??\1g\xfe\1\0\0\0\0w\xff", 18);
	assert_true(is_valid(m.data, m.len, true));
	for (size_t bit = 0; bit < 8 * m.len; bit++) {
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		is_valid(m.data, m.len, true);
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	bytes_fini(&m);
}

static void encodings_that_do_not_exist_are_refused(void **state)
{
	static const uint8_t codes[] = {0xc1, 0xcf, 0xd1, 0xe1, 0xef, 0xff};

	for (size_t i = 0; i < sizeof(codes); i++) {
		uint8_t blob[] = {14, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, codes[i], 0, 0xff};

		assert_false(is_valid(blob, sizeof(blob), false));
	}
	static const uint8_t zipmap[] = {1, 0xff, 'f', 1, 0, 'v', 0xff};
	assert_false(is_valid(zipmap, sizeof(zipmap), true));
	static const uint8_t no_value[] = {1, 1, 'f', 0xff};
	assert_false(is_valid(no_value, sizeof(no_value), true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_encoding_of_a_ziplist_is_read),
		cmocka_unit_test(an_empty_blob_ends_at_once),
		cmocka_unit_test(more_elements_than_the_header_can_tell),
		cmocka_unit_test(a_zipmap_is_read_with_its_free_bytes),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(any_bit_may_change),
		cmocka_unit_test(encodings_that_do_not_exist_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
