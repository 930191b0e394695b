/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Single lengths and strings of RDB, and the text of messages.
 */
#include "repl/rdb_decode.h"

#include "tests/support/rdb_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

#define LIMIT 1000

static void a_head_tells_how_much_is_needed(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		size_t need;
	} cases[] = {
		{BYTES(""), 1},
		{BYTES("\5"), 6},
		{BYTES("\5abcd"), 6},
		{BYTES("\x41"), 2},
		{BYTES("\x41\1"), 2 + 257},
		{BYTES("\x80\0"), 5},
		{BYTES("\x80\0\0\1\1"), 5 + 257},
		{BYTES("\x81"), 9},
		{BYTES("\xc0"), 2},
		{BYTES("\xc1x"), 3},
		{BYTES("\xc2"), 5},
		{BYTES("\xc3"), 2},
		{BYTES("\xc3\7"), 3},
		{BYTES("\xc3\7\x40"), 4},
		{BYTES("\xc3\7\x40\x40"), 11},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rdb_fault fault = {0};
		struct rdb_string str;
		struct rdb_input in = {
			.bytes = (const uint8_t *)cases[i].bytes,
			.len = cases[i].len,
			.max_string_bytes = LIMIT,
			.fault = &fault,
		};
		size_t pos = 0, need = 0;
		assert_int_equal(rdb_string_head(&in, &pos, &str, &need), RDB_STEP_MORE);
		assert_int_equal(pos, 0);
		assert_int_equal(need, cases[i].need);
		assert_int_equal(fault.error, RDB_OK);
	}
}

static void names_in_messages_are_printable_and_short(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		size_t cap;
		const char *text;
	} cases[] = {
		{BYTES(""), 1, ""},
		{BYTES(""), 8, ""},
		{BYTES("abc"), 4, "abc"},
		{BYTES("abcd"), 4, "..."},
		{BYTES("abcde"), 5, "a..."},
		{BYTES("abcde"), 6, "abcde"},
		{BYTES("abc"), 1, ""},
		{BYTES("abc"), 3, ".."},
		{BYTES("\n"), 2, "."},
		{BYTES("\n"), 5, "\\x0a"},
		{BYTES("\n"), 4, "..."},
		{BYTES("a\\b"), 20, "a\\x5cb"},
		{BYTES("\0\x7f\x80\xff~ "), 40, "\\x00\\x7f\\x80\\xff~ "},
		{BYTES("\xff\xff\xff"), 12, "\\xff\\xff..."},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = malloc(cases[i].cap);
		rdb_text_escape(cases[i].bytes, cases[i].len, text, cases[i].cap);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_tells_how_much_is_needed),
		cmocka_unit_test(names_in_messages_are_printable_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
