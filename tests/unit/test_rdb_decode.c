/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DUMP payloads, single lengths and strings of RDB, and the text of messages.
 */
#include "repl/rdb_decode.h"

#include "repl/rdb_write.h"
#include "tests/support/rdb_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

#define LIMIT 1000

/* Appends version and checksum. */
static void seal(struct bytes *payload, unsigned version)
{
	uint8_t tail[2] = {(uint8_t)version, (uint8_t)(version >> 8)};

	bytes_add(payload, tail, 2);
	uint64_t crc = crc64(0, payload->data, payload->len);
	for (int i = 0; i < 8; i++)
		bytes_add(payload, &(uint8_t){(uint8_t)(crc >> 8 * i)}, 1);
}

static int parse(const struct bytes *payload, unsigned max_version, struct rdb_scratch *scratch,
	struct rdb_value *value, struct rdb_fault *fault)
{
	/* In memory of its exact size, for the sanitizer. */
	uint8_t *copy = malloc(payload->len > 0 ? payload->len : 1);
	memcpy(copy, payload->data, payload->len);
	int result = rdb_dump_parse(copy, payload->len, max_version, LIMIT, scratch, value, fault);
	if (result == 0 && value->str != scratch->bytes) { /* it borrows from copy */
		bool small = scratch->cap < value->str_len;
		if (small) {
			free(scratch->bytes);
			scratch->bytes = malloc(value->str_len);
			scratch->cap = value->str_len;
		}
		if (value->str_len > 0)
			memcpy(scratch->bytes, value->str, value->str_len);
		value->str = scratch->bytes;
	}
	free(copy);
	return result;
}

static void a_dumped_string_is_restored(void **state)
{
	static const char *const texts[] = {"", "abc", "10", "-70000", "12345678901",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct rdb_scratch scratch = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes out = {0};
		struct rdb_writer w;
		struct rdb_value value;
		struct rdb_fault fault;
		rdb_writer_init(&w, (struct rdb_sink){bytes_sink, &out}, RDB_WRITE_COMPRESS);
		rdb_dump_string(&w, texts[i], strlen(texts[i]));
		assert_int_equal(parse(&out, RDB_VERSION_WRITTEN, &scratch, &value, &fault), 0);
		assert_int_equal(value.type, RDB_TYPE_STRING);
		assert_int_equal(value.str_len, strlen(texts[i]));
		if (value.str_len > 0)
			assert_memory_equal(value.str, texts[i], value.str_len);
		rdb_writer_fini(&w);
		bytes_fini(&out);
	}
	rdb_scratch_trim(&scratch, 0);
	assert_null(scratch.bytes);
}

static void a_payload_is_refused_for_the_right_reason(void **state)
{
	static const struct {
		const char *what;
		const char *body;
		size_t len;
		unsigned version;
		enum rdb_error error;
	} cases[] = {
		{"version 11", BYTES("\0\1v"), 11, RDB_ERR_VERSION},
		{"version 65535", BYTES("\0\1v"), 65535, RDB_ERR_VERSION},
		{"nothing", BYTES(""), 10, RDB_ERR_TRUNCATED},
		{"type only", BYTES("\0"), 10, RDB_ERR_STRING},
		{"string longer than the payload", BYTES("\0\3ab"), 10, RDB_ERR_STRING},
		{"bytes behind the value", BYTES("\0\1vx"), 10, RDB_ERR_LENGTH},
		{"list", BYTES("\x12\1\1\1x"), 10, RDB_ERR_TYPE},
		{"unknown type", BYTES("\x08\1v"), 10, RDB_ERR_OPCODE},
		{"opcode", BYTES("\xfe\1"), 10, RDB_ERR_OPCODE},
		{"over the limit", BYTES("\0\x80\0\0\3\xe9"), 10, RDB_ERR_LENGTH},
		{"damaged LZF", BYTES("\0\xc3\4\4\2abc"), 10, RDB_ERR_STRING},
		{"wide integer", BYTES("\0\xc1\1\0"), 10, RDB_ERR_STRING},
	};
	struct rdb_scratch scratch = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes payload = {0};
		struct rdb_value value;
		struct rdb_fault fault;
		bytes_add(&payload, cases[i].body, cases[i].len);
		seal(&payload, cases[i].version);
		assert_int_equal(parse(&payload, 10, &scratch, &value, &fault), -1);
		if (fault.error != cases[i].error)
			fail_msg("%s: %d %s", cases[i].what, (int)fault.error, fault.text);
		bytes_fini(&payload);
	}
	rdb_scratch_trim(&scratch, 0);
}

static void a_newer_payload_is_taken_where_allowed(void **state)
{
	struct rdb_scratch scratch = {0};
	struct bytes payload = {0};
	struct rdb_value value;
	struct rdb_fault fault;

	bytes_add(&payload, BYTES("\0\1v"));
	seal(&payload, 11);
	assert_int_equal(parse(&payload, 10, &scratch, &value, &fault), -1);
	assert_int_equal(parse(&payload, 11, &scratch, &value, &fault), 0);
	bytes_fini(&payload);
	rdb_scratch_trim(&scratch, 0);
}

static void a_payload_with_any_bit_changed_is_refused(void **state)
{
	struct rdb_scratch scratch = {0};
	struct bytes payload = {0};
	struct rdb_value value;
	struct rdb_fault fault;

	bytes_add(&payload, BYTES("\0\5value"));
	seal(&payload, 10);
	for (size_t bit = 0; bit < 8 * payload.len; bit++) {
		payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(parse(&payload, 10, &scratch, &value, &fault), -1);
		assert_true(fault.error == RDB_ERR_CHECKSUM || fault.error == RDB_ERR_VERSION);
		payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < payload.len; len++) {
		struct bytes cut = {.data = payload.data, .len = len};
		assert_int_equal(parse(&cut, 65535, &scratch, &value, &fault), -1);
		assert_int_equal(fault.error,
			len < RDB_DUMP_TAIL_BYTES ? RDB_ERR_TRUNCATED : RDB_ERR_CHECKSUM);
	}
	bytes_fini(&payload);
	rdb_scratch_trim(&scratch, 0);
}

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
		cmocka_unit_test(a_dumped_string_is_restored),
		cmocka_unit_test(a_payload_is_refused_for_the_right_reason),
		cmocka_unit_test(a_newer_payload_is_taken_where_allowed),
		cmocka_unit_test(a_payload_with_any_bit_changed_is_refused),
		cmocka_unit_test(a_head_tells_how_much_is_needed),
		cmocka_unit_test(names_in_messages_are_printable_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
