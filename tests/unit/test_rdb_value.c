/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values of every type, read item by item, however the input is cut.
 */
#include "repl/rdb_value.h"

#include "tests/support/rdb_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

/* IDs 1-2 and 3-4 in 16 bytes; a time of 5. */
#define ID12  "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"
#define ID34  "\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4"
#define TIME5 "\5\0\0\0\0\0\0\0"

struct value {
	const char *what;
	const char *body; /* a record: type, key "k", value */
	size_t len;
	const char *trace;
};

static const struct value values[] = {
	{"list", BYTES("\1\1k\3\1a\0\xc0\7"), "1\n  n 3\n  e a\n  e \n  e 7\n  .\n"},
	{"empty list", BYTES("\1\1k\0"), "1\n  n 0\n  .\n"},
	{"set", BYTES("\2\1k\2\1a\1b"), "2\n  n 2\n  m a\n  m b\n  .\n"},
	{"zset, text scores",
		BYTES("\3\1k\4\1a\3"
		      "1.5\1b\xfe\1c\xff\1d\xfd"),
		"3\n  n 4\n  m a\n  s 1.5\n  m b\n  s inf\n  m c\n  s -inf\n  m d\n  s nan\n  .\n"},
	{"hash", BYTES("\4\1k\1\1f\1v"), "4\n  n 1\n  f f\n  v v\n  .\n"},
	{"zset", BYTES("\5\1k\1\1a\0\0\0\0\0\0\xf8\xbf"), "5\n  n 1\n  m a\n  s -1.5\n  .\n"},
	{"zipmap", BYTES("\x09\1k\2ab"), "9\n  b ab\n  .\n"},
	{"list ziplist", BYTES("\x0a\1k\2ab"), "10\n  b ab\n  .\n"},
	{"intset", BYTES("\x0b\1k\2ab"), "11\n  b ab\n  .\n"},
	{"zset ziplist", BYTES("\x0c\1k\2ab"), "12\n  b ab\n  .\n"},
	{"hash ziplist", BYTES("\x0d\1k\2ab"), "13\n  b ab\n  .\n"},
	{"list of ziplists", BYTES("\x0e\1k\2\2ab\1c"), "14\n  n 2\n  b ab\n  b c\n  .\n"},
	{"hash listpack", BYTES("\x10\1k\2ab"), "16\n  b ab\n  .\n"},
	{"zset listpack", BYTES("\x11\1k\2ab"), "17\n  b ab\n  .\n"},
	{"quicklist", BYTES("\x12\1k\2\1\2ab\2\1c"),
		"18\n  n 2\n  c 1\n  b ab\n  c 2\n  b c\n  .\n"},
	{"set listpack", BYTES("\x14\1k\2ab"), "20\n  b ab\n  .\n"},
	{"stream, format 1, without anything", BYTES("\x0f\1k\0\0\1\2\0"),
		"15\n  n 0\n  l 0\n  L 1-2\n  n 0\n  .\n"},
	{"stream, format 1",
		BYTES("\x0f\1k\1\x10" ID12 "\1x\5\3\4\1\1g\1\2\1" ID12 TIME5 "\6\1\1u" TIME5
		      "\1" ID12),
		"15\n  n 1\n  i 1-2\n  b x\n  l 5\n  L 3-4\n  n 1\n  g g\n  G 1-2\n  n 1\n  p 1-2\n"
		"  T 5\n  C 6\n  n 1\n  u u\n  S 5\n  n 1\n  q 1-2\n  .\n"},
	{"stream, format 2, two groups",
		BYTES("\x13\1k\2\x10" ID12 "\1x\x10" ID34
		      "\1y\5\3\4\1\2\0\1\7\2\1g\1\2\x81\xff\xff\xff"
		      "\xff\xff\xff\xff\xff\2" ID12 TIME5 "\6" ID34 TIME5 "\1\2\1u" TIME5 "\1" ID12
		      "\1v" TIME5 "\1" ID34 "\1h\3\4\7\0\0"),
		"19\n  n 2\n  i 1-2\n  b x\n  i 3-4\n  b y\n  l 5\n  L 3-4\n  F 1-2\n  D 0-1\n  A 7\n"
		"  n 2\n"
		"  g g\n  G 1-2\n  R 18446744073709551615\n  n 2\n  p 1-2\n  T 5\n  C 6\n  p 3-4\n"
		"  T 5\n  C 1\n  n 2\n  u u\n  S 5\n  n 1\n  q 1-2\n  u v\n  S 5\n  n 1\n  q 3-4\n"
		"  g h\n  G 3-4\n  R 7\n  n 0\n  n 0\n  .\n"},
	{"stream, format 3",
		BYTES("\x15\1k\0\0\3\4\1\2\0\1\7\1\1g\1\2\7\0\2\1u" TIME5 TIME5 "\0\1v" TIME5 TIME5
		      "\0"),
		"21\n  n 0\n  l 0\n  L 3-4\n  F 1-2\n  D 0-1\n  A 7\n  n 1\n  g g\n  G 1-2\n  R 7\n"
		"  n 0\n  n 2\n  u u\n  S 5\n  V 5\n  n 0\n  u v\n  S 5\n  V 5\n  n 0\n  .\n"},
};

#define NR_VALUES (sizeof(values) / sizeof(values[0]))

/* The value and a key behind it, as a file. */
static void value_file(struct bytes *file, const struct value *v)
{
	struct bytes body = {0};

	bytes_add(&body, v->body, v->len);
	bytes_add(&body, BYTES("\0\1l\1w"));
	trace_file(file, "REDIS0012", body.data, body.len);
	bytes_fini(&body);
}

static void expect(const struct bytes *file, const char *what, const char *trace,
	size_t (*next)(void *), void *state)
{
	struct trace_run run;

	trace_feed(&run, file->data, file->len, &trace_limits, next, state);
	if (strcmp((char *)run.trace.data, trace) != 0)
		fail_msg("%s: got\n%swanted\n%s", what, (char *)run.trace.data, trace);
	trace_run_fini(&run);
}

static void every_type_is_read_however_it_is_cut(void **state)
{
	for (size_t i = 0; i < NR_VALUES; i++) {
		const struct value *v = &values[i];
		struct bytes file = {0}, want = {0};
		size_t one = 1;

		value_file(&file, v);
		trace_line(&want, "key 0 k type ");
		bytes_add(&want, v->trace, strlen(v->trace));
		trace_line(&want, "key 0 l = w\nend\n");
		expect(&file, v->what, (char *)want.data, NULL, NULL);
		expect(&file, v->what, (char *)want.data, trace_next_fixed, &one);
		for (size_t at = 1; at < file.len; at++) {
			size_t split = at;
			expect(&file, v->what, (char *)want.data, trace_next_split, &split);
		}
		bytes_fini(&file);
		bytes_fini(&want);
	}
}

static void every_truncation_is_reported_and_nothing_else(void **state)
{
	for (size_t i = 0; i < NR_VALUES; i++) {
		struct bytes file = {0};

		value_file(&file, &values[i]);
		for (size_t len = RDB_HEADER_BYTES; len < file.len; len++) {
			struct trace_run run;

			trace_feed(&run, file.data, len, &trace_limits, NULL, NULL);
			assert_int_equal(run.fault.error, RDB_ERR_TRUNCATED);
			assert_int_equal(run.fault.at, len);
			trace_run_fini(&run);
		}
		bytes_fini(&file);
	}
}

/* Only that nothing is read beyond the bytes, and that the input ends: any change may as well be
 * another legal value. */
static void any_bit_may_change(void **state)
{
	for (size_t i = 0; i < NR_VALUES; i++) {
		struct bytes file = {0};

		value_file(&file, &values[i]);
		for (size_t bit = 8 * RDB_HEADER_BYTES; bit < 8 * file.len; bit++) {
			struct trace_run run;
			size_t one = 1;

			file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
			assert_int_equal(run.status, RDB_STATUS_FAILED);
			expect(&file, "bit", (char *)run.trace.data, trace_next_fixed, &one);
			trace_run_fini(&run);
			file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		bytes_fini(&file);
	}
}

static void malformed_items_are_refused_where_they_are(void **state)
{
	static const struct {
		const char *what, *body;
		size_t len;
		enum rdb_error error;
		uint64_t at;
	} cases[] = {
		{"count that is a string", BYTES("\1\1k\xc0\1"), RDB_ERR_LENGTH, 12},
		{"element over the limit", BYTES("\1\1k\1\x80\1\0\0\1"), RDB_ERR_LENGTH, 13},
		{"score without text", BYTES("\3\1k\1\1a\0"), RDB_ERR_STRING, 15},
		{"score that is no number",
			BYTES("\3\1k\1\1a\3"
			      "1.x"),
			RDB_ERR_STRING, 15},
		{"score with a NUL",
			BYTES("\3\1k\1\1a\2"
			      "1\0"),
			RDB_ERR_STRING, 15},
		{"node's ID of 3 bytes", BYTES("\x13\1k\1\3abc\0"), RDB_ERR_STRING, 13},
		{"last ID that is a string", BYTES("\x13\1k\0\0\1\xc0"), RDB_ERR_LENGTH, 15},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace_run run;
		struct bytes file = {0};
		size_t one = 1;

		trace_file(&file, "REDIS0012", cases[i].body, cases[i].len);
		trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
		if (run.fault.error != cases[i].error || run.fault.at != cases[i].at)
			fail_msg("%s: error %d %s", cases[i].what, (int)run.fault.error,
				run.fault.text);
		expect(&file, cases[i].what, (char *)run.trace.data, trace_next_fixed, &one);
		trace_run_fini(&run);
		bytes_fini(&file);
	}
}

/* A count may announce anything: it is the items that count. */
static void an_announced_count_reserves_nothing(void **state)
{
	struct bytes file = {0};
	struct trace_run run;

	bytes_add(&file, BYTES("REDIS0010\2\1k\x81\xff\xff\xff\xff\xff\xff\xff\xff\1a"));
	trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
	assert_int_equal(run.fault.error, RDB_ERR_TRUNCATED);
	assert_string_equal((char *)run.trace.data,
		"key 0 k type 2\n  n 18446744073709551615\n  m a\n"
		"fault offset 23: the input ends early\n");
	trace_run_fini(&run);
	bytes_fini(&file);
}

static int refuse_item(void *ctx, const struct rdb_item *item)
{
	return item->kind == RDB_ITEM_MEMBER ? -5 : 0;
}

static void a_refused_item_stops_the_reader(void **state)
{
	static const struct rdb_upcalls up = {.on_item = refuse_item};
	struct rdb_reader *r = rdb_reader_create(&up, NULL, &trace_limits);
	struct bytes file = {0};

	trace_file(&file, "REDIS0010", BYTES("\2\1k\1\1a"));
	assert_int_equal(rdb_reader_feed(r, file.data, file.len), -1);
	assert_int_equal(rdb_reader_fault(r)->error, RDB_ERR_UPCALL);
	assert_int_equal(rdb_reader_fault(r)->at, 13);
	assert_int_equal(rdb_reader_refusal(r), -5);
	rdb_reader_destroy(&r);
	bytes_fini(&file);
}

static void an_item_over_the_limit_of_a_record_is_refused(void **state)
{
	struct rdb_limits limits = {.max_string_bytes = 1000, .max_record_bytes = 20};
	struct bytes file = {0};
	struct trace_run run;

	trace_file(&file, "REDIS0010",
		BYTES("\1\1k\4\1a\x0f"
		      "aaaaaaaaaaaaaaa\x0f"
		      "bbbbbbbbbbbbbbb\x14"
		      "ccc"));
	trace_feed(&run, file.data, file.len, &limits, NULL, NULL);
	assert_int_equal(run.fault.error, RDB_ERR_LENGTH);
	assert_int_equal(run.fault.at, 13 + 2 + 16 + 16);
	trace_run_fini(&run);
	bytes_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_however_it_is_cut),
		cmocka_unit_test(every_truncation_is_reported_and_nothing_else),
		cmocka_unit_test(any_bit_may_change),
		cmocka_unit_test(malformed_items_are_refused_where_they_are),
		cmocka_unit_test(an_announced_count_reserves_nothing),
		cmocka_unit_test(a_refused_item_stops_the_reader),
		cmocka_unit_test(an_item_over_the_limit_of_a_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
