/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reply checker: what is right passes, and what is wrong, too short or no reply at all does
 * not, whole and cut at every byte.
 */
#include "perf/load/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY 77u

struct fixture {
	struct values values;
	struct checker checker;
};

/* Feeds a stream in two parts, the first `cut` bytes long. Returns the result of the first reply,
 * CHECK_MORE if it does not end; *used: where it ended. */
static enum check_result feed(struct fixture *f, uint8_t kind, uint32_t key, const uint8_t *data,
	uint32_t len, uint32_t cut, uint32_t *used)
{
	const struct expect e = {.key = key, .kind = kind};
	struct check c;
	enum check_result result = CHECK_MORE;
	uint32_t n = 0;

	memset(&c, 0, sizeof(c));
	checker_init(&f->checker, &f->values);
	*used = 0;
	if (cut) {
		result = check_reply(&f->checker, &c, &e, data, cut, &n);
		*used = n;
	}
	if (result != CHECK_MORE || cut == len)
		return result;
	assert_int_equal(n, cut);
	result = check_reply(&f->checker, &c, &e, data + cut, len - cut, &n);
	*used = cut + n;
	return result;
}

/* The same result wherever the stream is cut, with another reply behind it or not. */
static void expect_result(struct fixture *f, uint8_t kind, uint32_t key, const uint8_t *data,
	uint32_t len, enum check_result want)
{
	uint8_t *two = malloc(len + 5);

	assert_non_null(two);
	memcpy(two, data, len);
	memcpy(two + len, "+OK\r\n", 5);
	for (uint32_t cut = 0; cut <= len; cut++) {
		uint32_t used;
		enum check_result got = feed(f, kind, key, data, len, cut, &used);

		if (got != want)
			fail_msg("cut at %u: %d instead of %d: %.*s", cut, got, want, (int)len,
				(const char *)data);
		if (want == CHECK_MORE || want == CHECK_BROKEN)
			continue;
		assert_int_equal(used, len);
		got = feed(f, kind, key, two, len + 5, cut, &used);
		assert_int_equal(got, want);
		assert_int_equal(used, len);
	}
	assert_int_equal(f->checker.complaint[0] != 0, want == CHECK_WRONG || want == CHECK_BROKEN);
	free(two);
}

static void text_result(struct fixture *f, uint8_t kind, const char *text, enum check_result want)
{
	expect_result(f, kind, KEY, (const uint8_t *)text, (uint32_t)strlen(text), want);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return f ? values_init(&f->values, 32, 32) : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	values_fini(&f->values);
	free(f);
	return 0;
}

static void replies_without_values(void **state)
{
	static const struct {
		uint8_t kind;
		enum check_result want;
		const char *text;
	} cases[] = {
		{EXPECT_OK, CHECK_RIGHT, "+OK\r\n"},
		{EXPECT_OK, CHECK_WRONG, "+OKAY\r\n"},
		{EXPECT_OK, CHECK_WRONG, "+KO\r\n"},
		{EXPECT_OK, CHECK_WRONG, ":1\r\n"},
		{EXPECT_OK, CHECK_WRONG, "$2\r\nOK\r\n"},
		{EXPECT_OK, CHECK_WRONG, "$-1\r\n"},
		{EXPECT_OK, CHECK_WRONG, "*0\r\n"},
		{EXPECT_OK, CHECK_WRONG, "-ERR no\r\n"},
		{EXPECT_PONG, CHECK_RIGHT, "+PONG\r\n"},
		{EXPECT_PONG, CHECK_WRONG, "+PING\r\n"},
		{EXPECT_PONG, CHECK_WRONG, "-LOADING data\r\n"},
		{EXPECT_INTEGER, CHECK_RIGHT, ":0\r\n"},
		{EXPECT_INTEGER, CHECK_RIGHT, ":-9223372036854775808\r\n"},
		{EXPECT_INTEGER, CHECK_WRONG, "+OK\r\n"},
		{EXPECT_INTEGER, CHECK_WRONG, "-ERR not an integer\r\n"},
		{EXPECT_INTEGER, CHECK_BROKEN, ":9223372036854775808\r\n"},
		{EXPECT_INTEGER, CHECK_BROKEN, ":1x\r\n"},
		{EXPECT_INTEGER, CHECK_BROKEN, ":\r\n"},
		{EXPECT_VALUE, CHECK_MISS, "$-1\r\n"},
		{EXPECT_VALUE, CHECK_WRONG, "+OK\r\n"},
		{EXPECT_VALUE, CHECK_WRONG, "-WRONGTYPE of a list\r\n"},
		{EXPECT_VALUE, CHECK_BROKEN, "$-2\r\n"},
		{EXPECT_VALUE, CHECK_BROKEN, "$999999999999\r\n"},
		{EXPECT_ANY, CHECK_RIGHT, "*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n"},
		{EXPECT_ANY, CHECK_RIGHT, "*0\r\n"},
		{EXPECT_ANY, CHECK_RIGHT, "*-1\r\n"},
		{EXPECT_ANY, CHECK_RIGHT, "$0\r\n\r\n"},
		{EXPECT_ANY, CHECK_WRONG, "*2\r\n:1\r\n-ERR inside\r\n"},
		{EXPECT_ANY, CHECK_MORE, "*2\r\n:1\r\n"},
		{EXPECT_ANY, CHECK_MORE, "$5\r\nabc"},
		{EXPECT_ANY, CHECK_BROKEN, "$3\r\nabcd\r\n"},
		{EXPECT_ANY, CHECK_BROKEN, "*99999999999\r\n"},
		{EXPECT_ANY, CHECK_BROKEN, "HTTP/1.1 200 OK\r\n"},
		{EXPECT_ANY, CHECK_BROKEN, "\r\n"},
		{EXPECT_ANY, CHECK_BROKEN, "\n"},
		{EXPECT_ANY, CHECK_BROKEN, "+OK\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		text_result(*state, cases[i].kind, cases[i].text, cases[i].want);
}

static uint32_t reply_write(
	const struct values *v, uint32_t key, uint32_t version, uint32_t len, uint8_t *to)
{
	const uint32_t n = (uint32_t)sprintf((char *)to, "$%u\r\n", len);

	value_write(v, key, version, len, to + n);
	memcpy(to + n + len, "\r\n", 2);
	return n + len + 2;
}

static void value_of_the_key_is_right(void **state)
{
	struct fixture *f = *state;
	uint8_t reply[64];
	uint32_t len;

	for (uint32_t version = 0; version < 100; version++) {
		len = reply_write(&f->values, KEY, version, 32, reply);
		expect_result(f, EXPECT_VALUE, KEY, reply, len, CHECK_RIGHT);
	}
}

static void value_of_another_key_is_wrong(void **state)
{
	struct fixture *f = *state;
	uint8_t reply[64];
	const uint32_t len = reply_write(&f->values, KEY + 1, 0, 32, reply);

	expect_result(f, EXPECT_VALUE, KEY, reply, len, CHECK_WRONG);
}

/* Any byte that is not as it was written is found, and nothing behind the reply suffers. */
static void every_changed_byte_is_found(void **state)
{
	struct fixture *f = *state;
	uint8_t reply[64];
	const uint32_t len = reply_write(&f->values, KEY, 5, 32, reply);

	for (uint32_t i = len - 34; i < len - 2; i++) {
		reply[i] ^= 0x20;
		expect_result(f, EXPECT_VALUE, KEY, reply, len, CHECK_WRONG);
		reply[i] ^= 0x20;
	}
}

static void short_and_long_values_are_wrong(void **state)
{
	struct fixture *f = *state;
	uint8_t reply[64];

	for (uint32_t size = 0; size < 48; size++) {
		const uint32_t len = reply_write(&f->values, KEY, 5, size, reply);

		expect_result(
			f, EXPECT_VALUE, KEY, reply, len, size == 32 ? CHECK_RIGHT : CHECK_WRONG);
	}
}

/* A reply that says less than it has breaks the stream; one that has less than it says has not
 * ended. */
static void length_that_does_not_fit_is_found(void **state)
{
	struct fixture *f = *state;
	uint8_t reply[64];
	const uint32_t len = reply_write(&f->values, KEY, 5, 32, reply);

	reply[2] = '1';
	expect_result(f, EXPECT_VALUE, KEY, reply, len, CHECK_BROKEN);
	reply[2] = '9';
	expect_result(f, EXPECT_VALUE, KEY, reply, len, CHECK_MORE);
}

static void values_of_many_lengths(void **state)
{
	static const uint32_t ranges[][2] = {{0, 20}, {1, 1}, {7, 9}, {8, 8}, {1, 3000}};
	static uint8_t reply[4096];

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct fixture f;

		assert_int_equal(values_init(&f.values, ranges[i][0], ranges[i][1]), 0);
		for (uint32_t version = 0; version < 30; version++) {
			const uint32_t size = value_len(&f.values, KEY, version);
			const uint32_t len = reply_write(&f.values, KEY, version, size, reply);

			assert_in_range(size, ranges[i][0], ranges[i][1]);
			expect_result(&f, EXPECT_VALUE, KEY, reply, len, CHECK_RIGHT);
		}
		values_fini(&f.values);
	}
}

/* The length belongs to key and version: a right beginning with another length is wrong. */
static void value_that_was_cut_is_wrong(void **state)
{
	struct fixture f;
	uint8_t whole[256], reply[256];
	uint32_t size, version = 0;

	assert_int_equal(values_init(&f.values, 8, 100), 0);
	while ((size = value_len(&f.values, KEY, version)) < 50)
		version++;
	value_write(&f.values, KEY, version, size, whole);
	for (uint32_t cut = 8; cut < size; cut++) {
		const uint32_t n = (uint32_t)sprintf((char *)reply, "$%u\r\n", cut);

		memcpy(reply + n, whole, cut);
		memcpy(reply + n + cut, "\r\n", 2);
		expect_result(&f, EXPECT_VALUE, KEY, reply, n + cut + 2, CHECK_WRONG);
	}
	values_fini(&f.values);
}

static void line_without_end_breaks(void **state)
{
	struct fixture *f = *state;
	const struct expect e = {.kind = EXPECT_ANY};
	uint8_t part[1000];
	struct check c;
	enum check_result result = CHECK_MORE;
	uint32_t used, total = 0;

	memset(&c, 0, sizeof(c));
	checker_init(&f->checker, &f->values);
	memset(part, '+', sizeof(part));
	while (result == CHECK_MORE && total < 1u << 20) {
		result = check_reply(&f->checker, &c, &e, part, sizeof(part), &used);
		total += sizeof(part);
	}
	assert_int_equal(result, CHECK_BROKEN);
}

static void complaint_is_the_first_and_printable(void **state)
{
	struct fixture *f = *state;
	const struct expect e = {.kind = EXPECT_OK, .key = 9};
	static const char bytes[] = "-ERR \x01\xff\x1b[2J\r\n-second\r\n";
	struct check c;
	uint32_t used, at = 0;

	memset(&c, 0, sizeof(c));
	checker_init(&f->checker, &f->values);
	while (at < sizeof(bytes) - 1) {
		assert_int_equal(check_reply(&f->checker, &c, &e, (const uint8_t *)bytes + at,
					 (uint32_t)(sizeof(bytes) - 1 - at), &used),
			CHECK_WRONG);
		at += used;
	}
	assert_string_equal(f->checker.complaint, "wrong reply (expected +OK, key 9): -ERR ???[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replies_without_values, setup, teardown),
		cmocka_unit_test_setup_teardown(value_of_the_key_is_right, setup, teardown),
		cmocka_unit_test_setup_teardown(value_of_another_key_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(every_changed_byte_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(short_and_long_values_are_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(length_that_does_not_fit_is_found, setup, teardown),
		cmocka_unit_test(values_of_many_lengths),
		cmocka_unit_test(value_that_was_cut_is_wrong),
		cmocka_unit_test_setup_teardown(line_without_end_breaks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			complaint_is_the_first_and_printable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
