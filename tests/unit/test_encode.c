/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Commands in RESP: what is encoded is what the parser reads.
 */
#include "app/commands/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct encbuf buf;

static int setup(void **state)
{
	memset(&buf, 0, sizeof(buf));
	return 0;
}

static int teardown(void **state)
{
	encbuf_fini(&buf);
	return 0;
}

static void assert_bytes(const char *want)
{
	assert_int_equal(buf.len, strlen(want));
	assert_memory_equal(buf.ptr, want, buf.len);
}

static void command_is_an_array_of_bulks(void **state)
{
	struct slice argv[3] = {{"SET", 3}, {"", 0}, {"a\r\nb", 4}};

	encode_command(&buf, 3, argv);
	assert_bytes("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
}

static void word_is_a_command_without_arguments(void **state)
{
	encode_word(&buf, "MULTI");
	assert_bytes("*1\r\n$5\r\nMULTI\r\n");
}

static void select_carries_the_number_as_text(void **state)
{
	encode_select(&buf, 0);
	encode_select(&buf, 2147483647);
	assert_bytes("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
		     "*2\r\n$6\r\nSELECT\r\n$10\r\n2147483647\r\n");
}

static void any_length_is_read_back_by_the_parser(void **state)
{
	static const size_t lens[] = {0, 1, 9, 10, 11, 99, 100, 4095, 4096, 4097, 1000000};
	const size_t nr = sizeof(lens) / sizeof(lens[0]);
	struct resp_limits limits = {.max_bulk_len = 1 << 24, .max_multibulk = 1 << 20};
	struct resp_parser p;
	char *value = malloc(1000000);
	size_t at = 0;

	assert_non_null(value);
	memset(value, '*', 1000000);
	for (size_t i = 0; i < nr; i++) {
		struct slice argv[2] = {{"x", 1}, {value, lens[i]}};

		encode_command(&buf, 2, argv);
	}
	resp_parser_init(&p);
	for (size_t i = 0; i < nr; i++) {
		size_t used = 0;

		assert_int_equal(
			resp_parse(&p, &limits, buf.ptr + at, buf.len - at, &used), RESP_OK);
		assert_int_equal(p.argc, 2);
		assert_int_equal(p.argv[1].len, lens[i]);
		at += used;
	}
	assert_int_equal(at, buf.len);
	resp_parser_fini(&p);
	free(value);
}

static void shrink_keeps_what_is_in_use_and_what_is_small(void **state)
{
	char big[5000] = {0};

	encbuf_add(&buf, "x", 1);
	buf.len = 0;
	encbuf_shrink(&buf, 4096);
	assert_non_null(buf.ptr);
	encbuf_add(&buf, big, sizeof(big));
	encbuf_shrink(&buf, 4096);
	assert_int_equal(buf.len, sizeof(big));
	buf.len = 0;
	encbuf_shrink(&buf, 4096);
	assert_null(buf.ptr);
	assert_int_equal(buf.cap, 0);
	encode_word(&buf, "PING");
	assert_bytes("*1\r\n$4\r\nPING\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(command_is_an_array_of_bulks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			word_is_a_command_without_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(select_carries_the_number_as_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
			any_length_is_read_back_by_the_parser, setup, teardown),
		cmocka_unit_test_setup_teardown(
			shrink_keeps_what_is_in_use_and_what_is_small, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
