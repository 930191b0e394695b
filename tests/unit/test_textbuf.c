/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests of the growing text buffer.
 */
#include "app/textbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void empty_buffer_is_an_empty_string(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	assert_string_equal(textbuf_str(&tb), "");
	assert_int_equal(tb.len, 0);
	textbuf_fini(&tb);
}

static void pieces_are_joined(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	textbuf_addf(&tb, "a=%d ", 1);
	textbuf_add(&tb, "xyz", 2);
	textbuf_addf(&tb, "%s", "");
	assert_string_equal(textbuf_str(&tb), "a=1 xy");
	assert_int_equal(tb.len, 6);
	textbuf_fini(&tb);
}

static void growth_keeps_every_byte(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	for (int i = 0; i < 5000; i++)
		textbuf_addf(&tb, "%04d", i);
	assert_int_equal(tb.len, 20000);
	assert_memory_equal(tb.buf, "000000010002", 12);
	assert_string_equal(tb.buf + 19992, "49984999");
	assert_false(tb.failed);
	textbuf_fini(&tb);
}

static void bytes_may_be_binary(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	textbuf_add(&tb, "a\0b", 3);
	assert_int_equal(tb.len, 3);
	assert_memory_equal(tb.buf, "a\0b", 4);
	textbuf_fini(&tb);
}

static void clear_starts_again(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	textbuf_addf(&tb, "old");
	textbuf_clear(&tb);
	assert_string_equal(textbuf_str(&tb), "");
	textbuf_addf(&tb, "new");
	assert_string_equal(textbuf_str(&tb), "new");
	textbuf_fini(&tb);
}

static void impossible_size_fails_and_stays_failed(void **state)
{
	struct textbuf tb;

	textbuf_init(&tb);
	textbuf_addf(&tb, "kept");
	textbuf_add(&tb, "", SIZE_MAX / 2);
	assert_true(tb.failed);
	textbuf_addf(&tb, "dropped");
	assert_string_equal(textbuf_str(&tb), "kept");
	textbuf_fini(&tb);
}

static void quoted_text_is_escaped(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"", 0, "\"\""},
		{"plain text", 10, "\"plain text\""},
		{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
		{"\n\r\t\a\b", 5, "\"\\n\\r\\t\\a\\b\""},
		{"\0\x1f\x7f\xff", 4, "\"\\x00\\x1f\\x7f\\xff\""},
	};
	struct textbuf tb;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		textbuf_init(&tb);
		textbuf_add_quoted(&tb, cases[i].in, cases[i].len);
		assert_string_equal(textbuf_str(&tb), cases[i].out);
		assert_int_equal(tb.len, strlen(cases[i].out));
		textbuf_fini(&tb);
	}
}

static void byte_counts_read_as_redis_writes_them(void **state)
{
	static const struct {
		unsigned long long bytes;
		const char *out;
	} cases[] = {
		{0, "0B"},
		{1023, "1023B"},
		{1024, "1.00K"},
		{941272, "919.21K"},
		{12038144, "11.48M"},
		{25276502016, "23.54G"},
		{1ull << 40, "1.00T"},
		{1ull << 50, "1.00P"},
		{UINT64_MAX, "16.00E"},
	};
	struct textbuf tb;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		textbuf_init(&tb);
		textbuf_add_bytes(&tb, cases[i].bytes);
		assert_string_equal(textbuf_str(&tb), cases[i].out);
		textbuf_fini(&tb);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_buffer_is_an_empty_string),
		cmocka_unit_test(pieces_are_joined),
		cmocka_unit_test(growth_keeps_every_byte),
		cmocka_unit_test(bytes_may_be_binary),
		cmocka_unit_test(clear_starts_again),
		cmocka_unit_test(impossible_size_fails_and_stays_failed),
		cmocka_unit_test(quoted_text_is_escaped),
		cmocka_unit_test(byte_counts_read_as_redis_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
