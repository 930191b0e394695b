/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB reader: what is accepted, what is refused and where, however the input is cut.
 */
#include "repl/rdb_read.h"

#include "repl/rdb_value.h"
#include "tests/support/rdb_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A literal with its length: the bytes may contain NUL. */
#define BYTES(text) text, sizeof(text) - 1

struct accepted {
	const char *what;
	const char *body;
	size_t len;
	const char *trace;
};

static const struct accepted accepted[] = {
	{"nothing", BYTES(""), ""},
	{"plain string", BYTES("\0\1k\1v"), "key 0 k = v\n"},
	{"empty key and value", BYTES("\0\0\0"), "key 0  = \n"},
	{"value with any byte", BYTES("\0\1k\3\0\xff\n"), "key 0 k = \\x00\\xff\\x0a\n"},
	{"int8 0", BYTES("\0\1k\xc0\0"), "key 0 k = 0\n"},
	{"int8 127", BYTES("\0\1k\xc0\x7f"), "key 0 k = 127\n"},
	{"int8 -128", BYTES("\0\1k\xc0\x80"), "key 0 k = -128\n"},
	{"int16 128", BYTES("\0\1k\xc1\x80\0"), "key 0 k = 128\n"},
	{"int16 -129", BYTES("\0\1k\xc1\x7f\xff"), "key 0 k = -129\n"},
	{"int16 32767", BYTES("\0\1k\xc1\xff\x7f"), "key 0 k = 32767\n"},
	{"int16 -32768", BYTES("\0\1k\xc1\0\x80"), "key 0 k = -32768\n"},
	{"int32 32768", BYTES("\0\1k\xc2\0\x80\0\0"), "key 0 k = 32768\n"},
	{"int32 -32769", BYTES("\0\1k\xc2\xff\x7f\xff\xff"), "key 0 k = -32769\n"},
	{"int32 max", BYTES("\0\1k\xc2\xff\xff\xff\x7f"), "key 0 k = 2147483647\n"},
	{"int32 min", BYTES("\0\1k\xc2\0\0\0\x80"), "key 0 k = -2147483648\n"},
	{"integer key", BYTES("\0\xc0\x05\1v"), "key 0 5 = v\n"},
	{"14-bit length", BYTES("\0\1k\x40\3abc"), "key 0 k = abc\n"},
	{"32-bit length", BYTES("\0\1k\x80\0\0\0\3abc"), "key 0 k = abc\n"},
	{"64-bit length", BYTES("\0\1k\x81\0\0\0\0\0\0\0\3abc"), "key 0 k = abc\n"},
	{"LZF value, literals only", BYTES("\0\1k\xc3\4\3\2abc"), "key 0 k = abc\n"},
	{"LZF value, a match", BYTES("\0\1k\xc3\4\x09\0a\xc0\0"), "key 0 k = aaaaaaaaa\n"},
	{"LZF key, a long match", BYTES("\0\xc3\5\x0d\0a\xe0\3\0\1v"), "key 0 aaaaaaaaaaaaa = v\n"},
	{"LZF lengths in wide form", BYTES("\0\1k\xc3\x40\4\x80\0\0\0\3\2abc"), "key 0 k = abc\n"},
	{"aux", BYTES("\xfa\x0aredis-bits\xc0\x40"), "aux redis-bits = 64\n"},
	{"aux unknown", BYTES("\xfa\1x\0"), "aux x = \n"},
	{"select and resize", BYTES("\xfe\7\xfb\x40\x80\1\0\1k\1v"),
		"select 7\nresize 128 1\nkey 7 k = v\n"},
	{"two databases", BYTES("\xfe\0\0\1a\1v\xfe\x0b\0\1a\1w"),
		"select 0\nkey 0 a = v\nselect 11\nkey 11 a = w\n"},
	{"expiry in ms", BYTES("\xfc\1\2\3\4\5\6\0\0\0\1k\1v\0\1l\1v"),
		"key 0 k = v expire 6618611909121\nkey 0 l = v\n"},
	{"expiry long ago", BYTES("\xfc\xfe\xff\xff\xff\xff\xff\xff\xff\0\1k\1v"),
		"key 0 k = v expire -2\n"},
	{"expiry in s", BYTES("\xfd\0\0\0\x40\0\1k\1v"), "key 0 k = v expire 1073741824000\n"},
	{"expiry in s, negative", BYTES("\xfd\xfe\xff\xff\xff\0\1k\1v"),
		"key 0 k = v expire -2000\n"},
	{"idle time", BYTES("\xf8\x41\0\0\1k\1v"), "key 0 k = v idle 256\n"},
	{"frequency", BYTES("\xf9\xff\0\1k\1v"), "key 0 k = v freq 255\n"},
	{"expiry, idle, frequency", BYTES("\xfc\1\0\0\0\0\0\0\0\xf8\2\xf9\3\0\1k\1v"),
		"key 0 k = v expire 1 idle 2 freq 3\n"},
	{"function library", BYTES("\xf5\x07#!lua x"), "function #!lua x\n"},
	{"slot info", BYTES("\xf4\1\2\3\0\1k\1v"), "key 0 k = v\n"},
	{"module aux, nothing in it", BYTES("\xf7\1\0\0\1k\1v"), "key 0 k = v\n"},
	{"module aux, all its opcodes",
		BYTES("\xf7\x81\1\2\3\4\5\6\7\x08\2\2\1\x40\x40\3abcd\4abcdefgh\5\3xyz\5\xc0\1\0"),
		""},
};

static void expect_run(const struct bytes *file, const char *what, const char *trace,
	size_t (*next)(void *), void *state)
{
	struct trace_run run;

	trace_feed(&run, file->data, file->len, &trace_limits, next, state);
	if (strcmp((char *)run.trace.data, trace) != 0)
		fail_msg("%s: got\n%swanted\n%s", what, (char *)run.trace.data, trace);
	trace_run_fini(&run);
}

/* Whole, in two pieces at every place, byte by byte. */
static void expect_trace(const struct bytes *file, const char *what, const char *trace)
{
	size_t one = 1;

	expect_run(file, what, trace, NULL, NULL);
	expect_run(file, what, trace, trace_next_fixed, &one);
	for (size_t at = 1; at < file->len; at++) {
		size_t split = at;
		expect_run(file, what, trace, trace_next_split, &split);
	}
}

static void every_legal_record_is_read_however_it_is_cut(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		const struct accepted *c = &accepted[i];
		struct bytes file = {0}, want = {0};

		trace_file(&file, "REDIS0010", c->body, c->len);
		bytes_add(&want, c->trace, strlen(c->trace));
		bytes_add(&want, "end\n", 4);
		expect_trace(&file, c->what, (char *)want.data);
		bytes_fini(&file);
		bytes_fini(&want);
	}
}

struct refused {
	const char *what;
	const char *body; /* behind the header of nine bytes */
	size_t len;
	enum rdb_error error;
	uint64_t at;
	const char *text; /* part of the message */
};

static const struct refused refused[] = {
	{"unknown type", BYTES("\x08\1k"), RDB_ERR_OPCODE, 9, "8 is neither"},
	{"unknown opcode", BYTES("\0\1k\1v\xf3"), RDB_ERR_OPCODE, 14, "243 is neither"},
	{"function of a candidate", BYTES("\xf6\1k"), RDB_ERR_OPCODE, 9, "246"},
	{"hash with field expiry", BYTES("\x18\1k\1"), RDB_ERR_TYPE, 9,
		"offset 9: value type 24 (hash with field expiry) is not supported, key \"k\""},
	{"module's value, a key of binary bytes",
		BYTES("\7\3a\n\"\x81\x30\x16\xe5\xa2\x89\xbe\xf8\x04\0"), RDB_ERR_TYPE, 9,
		"7 (module \"MBbloom--\" version 4) is not supported, key \"a\\x0a\"\""},
	{"length 10xxxxxx but 0x80, 0x81", BYTES("\0\x82"), RDB_ERR_LENGTH, 10, "malformed"},
	{"string encoding 4", BYTES("\0\xc4"), RDB_ERR_STRING, 10, "encoding"},
	{"string encoding 63", BYTES("\0\1k\xff"), RDB_ERR_STRING, 12, "encoding"},
	{"encoded string as database", BYTES("\xfe\xc0\1"), RDB_ERR_LENGTH, 10, "length belongs"},
	{"database over 31 bits", BYTES("\xfe\x80\x80\0\0\0"), RDB_ERR_LENGTH, 10, "database"},
	{"key over the limit", BYTES("\0\x80\1\0\0\1"), RDB_ERR_LENGTH, 10, "over the limit"},
	{"value over the limit", BYTES("\0\1k\x80\1\0\0\1"), RDB_ERR_LENGTH, 12,
		"string of 16777217 bytes, over the limit of 16777216"},
	{"64-bit length, all ones", BYTES("\0\1k\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
		RDB_ERR_LENGTH, 12, "18446744073709551615"},
	{"LZF, stored length over the limit", BYTES("\0\1k\xc3\x80\1\0\0\1"), RDB_ERR_LENGTH, 13,
		"over the limit"},
	{"LZF, text over the limit", BYTES("\0\1k\xc3\4\x80\1\0\0\1"), RDB_ERR_LENGTH, 14,
		"over the limit"},
	{"LZF, more text than its bytes can hold", BYTES("\0\1k\xc3\4\x80\0\0\2\0"), RDB_ERR_STRING,
		14, "impossible"},
	{"LZF of no bytes", BYTES("\0\1k\xc3\0\1"), RDB_ERR_STRING, 14, "impossible"},
	{"LZF of no text", BYTES("\0\1k\xc3\2\0\0a"), RDB_ERR_STRING, 14, "impossible"},
	{"LZF with less text than announced", BYTES("\0\1k\xc3\4\4\2abc"), RDB_ERR_STRING, 15,
		"damaged"},
	{"LZF with more text than announced", BYTES("\0\1k\xc3\4\2\2abc"), RDB_ERR_STRING, 15,
		"damaged"},
	{"LZF match before the beginning", BYTES("\0\1k\xc3\4\x09\0a\xc0\7"), RDB_ERR_STRING, 15,
		"damaged"},
	{"LZF literals cut", BYTES("\0\1k\xc3\3\3\2ab"), RDB_ERR_STRING, 15, "damaged"},
	{"LZF match cut", BYTES("\0\1k\xc3\3\x09\0a\xc0"), RDB_ERR_STRING, 15, "damaged"},
	{"LZF in an encoded length", BYTES("\0\1k\xc3\xc0\3\2abc"), RDB_ERR_LENGTH, 13, "belongs"},
	{"int16 that fits 8 bits", BYTES("\0\1k\xc1\x7f\0"), RDB_ERR_STRING, 13, "wider"},
	{"int32 that fits 16 bits", BYTES("\0\1k\xc2\0\x80\xff\xff"), RDB_ERR_STRING, 13, "wider"},
	{"expiry, then the end", BYTES("\xfc\1\0\0\0\0\0\0\0"), RDB_ERR_OPCODE, 18, "no key"},
	{"frequency, then a database", BYTES("\xf9\1\xfe\1"), RDB_ERR_OPCODE, 11, "no key"},
	{"idle time over 63 bits", BYTES("\xf8\x81\xff\0\0\0\0\0\0\0\0\1k\1v"), RDB_ERR_LENGTH, 10,
		"idle"},
	{"module aux, string as its module", BYTES("\xf7\xf7"), RDB_ERR_LENGTH, 10, "belongs"},
	{"module aux, unknown opcode", BYTES("\xf7\1\2\1\6\0"), RDB_ERR_OPCODE, 13,
		"opcode 6 in module"},
};

static void every_malformed_record_is_refused_where_it_is(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct refused *c = &refused[i];
		struct trace_run run;
		struct bytes file = {0};

		trace_file(&file, "REDIS0010", c->body, c->len);
		trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
		if (run.status != RDB_STATUS_FAILED || run.fault.error != c->error ||
			run.fault.at != c->at || strstr(run.fault.text, c->text) == NULL)
			fail_msg("%s: error %d at %llu: %s", c->what, (int)run.fault.error,
				(unsigned long long)run.fault.at, run.fault.text);
		expect_trace(&file, c->what, (char *)run.trace.data);
		trace_run_fini(&run);
		bytes_fini(&file);
	}
}

static void types_that_are_not_read_are_refused_by_name(void **state)
{
	for (unsigned type = 1; type < RDB_OP_SLOT_INFO; type++) {
		char body[] = "?\3key\1", text[160];
		const char *name = rdb_type_name(type);
		struct trace_run run;
		struct bytes file = {0};

		if (rdb_value_known(type))
			continue;
		body[0] = (char)type;
		trace_file(&file, "REDIS0012", body, sizeof(body) - 1);
		trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
		assert_int_equal(run.fault.error, name != NULL ? RDB_ERR_TYPE : RDB_ERR_OPCODE);
		if (name != NULL && type > RDB_TYPE_MODULE_2)
			snprintf(text, sizeof(text),
				"offset 9: value type %u (%s) is not supported, key \"key\"", type,
				name);
		else if (name != NULL)
			snprintf(text, sizeof(text),
				"offset 9: value type %u (%s \"AAAAAAAAA\" version 1) is not "
				"supported, key \"key\"",
				type, name);
		else
			snprintf(text, sizeof(text),
				"offset 9: %u is neither an opcode nor a value type", type);
		assert_string_equal(run.fault.text, text);
		assert_true(name != NULL || type == 8 || type > RDB_TYPE_MAX);
		trace_run_fini(&run);
		bytes_fini(&file);
	}
}

/* One of everything. */
static const char rich_body[] =
	"\xfa\x09redis-ver\x06"
	"7.0.15\xfa\x0aredis-bits\xc0\x40\xf7\1\2\1\5\3abc\0\xf5\3lib\xf4\1\2\3"
	"\xfe\0\xfb\4\1\0\1a\1v\xfc\1\2\3\4\5\6\0\0\xf8\5\xf9\6\0\1b\xc2\0\0\0\x80"
	"\0\xc3\5\x0d\0a\xe0\3\0\x40\3xyz\xfe\2\xfd\1\2\3\4\0\1c\xc1\xff\x7f\xfa\1x\0"
	"\1\1l\2\1x\xc3\5\x0d\0a\xe0\3\0\xfd\1\2\3\4\4\1h\1\1f\1v\x0b\1i\3\1\2\3";

static void rich_file(struct bytes *file)
{
	trace_file(file, "REDIS0010", rich_body, sizeof(rich_body) - 1);
}

static void counters_tell_what_was_read_and_skipped(void **state)
{
	struct trace_run run;
	struct bytes file = {0};

	rich_file(&file);
	trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
	assert_int_equal(run.status, RDB_STATUS_END);
	assert_int_equal(run.counters.nr_keys, 7);
	assert_int_equal(run.counters.nr_aux, 3);
	assert_int_equal(run.counters.nr_functions, 1);
	assert_int_equal(run.counters.nr_module_aux, 1);
	assert_int_equal(run.counters.nr_slot_infos, 1);
	trace_run_fini(&run);
	bytes_fini(&file);
}

static void every_truncation_is_reported_and_nothing_else(void **state)
{
	struct bytes file = {0};

	rich_file(&file);
	for (size_t len = 0; len < file.len; len++) {
		struct trace_run run;
		trace_feed(&run, file.data, len, &trace_limits, NULL, NULL);
		assert_int_equal(run.fault.error, RDB_ERR_TRUNCATED);
		assert_int_equal(run.fault.at, len);
		assert_int_equal(run.used, len);
		struct bytes cut = {.data = file.data, .len = len};
		expect_trace(&cut, "truncated", (char *)run.trace.data);
		trace_run_fini(&run);
	}
	bytes_fini(&file);
}

static void a_malformed_part_is_refused_before_the_rest_comes(void **state)
{
	struct bytes file = {0};

	bytes_add(&file, BYTES("REDIS0010\xf7\xf7"));
	expect_trace(&file, "module aux", "fault offset 10: a string where a length belongs\n");
	bytes_fini(&file);
}

static void any_byte_changed_is_noticed(void **state)
{
	struct bytes file = {0};

	rich_file(&file);
	for (size_t at = 0; at < file.len; at++) {
		struct trace_run run;
		file.data[at] ^= 1;
		trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
		if (run.status != RDB_STATUS_FAILED)
			fail_msg("byte %zu", at);
		assert_null(strstr((char *)run.trace.data, "end\n"));
		if (at + RDB_CRC_BYTES >= file.len)
			assert_int_equal(run.fault.error, RDB_ERR_CHECKSUM);
		trace_run_fini(&run);
		file.data[at] ^= 1;
	}
	bytes_fini(&file);
}

static void checksum_of_zeros_means_none(void **state)
{
	struct bytes file = {0};

	trace_file(&file, "REDIS0010", BYTES("\0\1k\1v"));
	memset(file.data + file.len - RDB_CRC_BYTES, 0, RDB_CRC_BYTES);
	expect_trace(&file, "no checksum", "key 0 k = v\nend\n");
	bytes_fini(&file);
}

static void wrong_checksum_passes_only_where_it_is_ignored(void **state)
{
	struct rdb_limits limits = trace_limits;
	struct trace_run run;
	struct bytes file = {0};

	trace_file(&file, "REDIS0010", BYTES("\0\1k\1v"));
	file.data[file.len - 1] ^= 0x80;
	trace_feed(&run, file.data, file.len, &limits, NULL, NULL);
	assert_int_equal(run.fault.error, RDB_ERR_CHECKSUM);
	trace_run_fini(&run);
	limits.ignore_checksum = true;
	trace_feed(&run, file.data, file.len, &limits, NULL, NULL);
	assert_int_equal(run.status, RDB_STATUS_END);
	trace_run_fini(&run);
	bytes_fini(&file);
}

static void versions_1_to_12_are_read_and_no_others(void **state)
{
	for (unsigned version = 0; version <= 9999; version++) {
		char header[16];
		struct trace_run run;
		struct bytes file = {0};

		snprintf(header, sizeof(header), "REDIS%04u", version);
		trace_file(&file, header, BYTES("\0\1k\1v"));
		size_t len = version < RDB_VERSION_CRC ? file.len - RDB_CRC_BYTES : file.len;
		trace_feed(&run, file.data, len, &trace_limits, NULL, NULL);
		bool good = version >= 1 && version <= 12;
		assert_int_equal(run.status, good ? RDB_STATUS_END : RDB_STATUS_FAILED);
		if (good)
			assert_int_equal(run.used, len);
		else
			assert_int_equal(run.fault.error, RDB_ERR_VERSION);
		trace_run_fini(&run);
		bytes_fini(&file);
	}
}

static void a_file_before_version_5_ends_without_checksum(void **state)
{
	struct bytes file = {0};
	struct trace_run run;

	bytes_add(&file, BYTES("REDIS0004\0\1k\1v\xff*1\r\n"));
	trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
	assert_int_equal(run.status, RDB_STATUS_END);
	assert_int_equal(run.used, file.len - 4);
	trace_run_fini(&run);
	file.len -= 4;
	expect_trace(&file, "version 4", "key 0 k = v\nend\n");
	bytes_fini(&file);
}

static void what_is_no_rdb_file_is_refused_at_once(void **state)
{
	static const char *const others[] = {"*1\r\n", "X", "RED1", "-ERR no", "REDIX0010"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct bytes file = {0};
		bytes_add(&file, others[i], strlen(others[i]));
		expect_trace(&file, others[i], "fault offset 0: not an RDB file\n");
		bytes_fini(&file);
	}
	struct bytes file = {0};
	bytes_add(&file, BYTES("REDIS00x0"));
	expect_trace(&file, "letters", "fault offset 7: no version number\n");
	bytes_fini(&file);
}

static void what_follows_the_end_is_left_to_the_caller(void **state)
{
	struct bytes file = {0};
	struct rdb_reader *r = rdb_reader_create(&(struct rdb_upcalls){0}, NULL, &trace_limits);

	rich_file(&file);
	size_t end = file.len;
	bytes_add(&file, "*1\r\n$4\r\nping\r\n", 14);
	for (size_t at = 1; at < file.len; at++) {
		struct trace_run run;
		size_t split = at;
		trace_feed(&run, file.data, file.len, &trace_limits, trace_next_split, &split);
		assert_int_equal(run.status, RDB_STATUS_END);
		assert_int_equal(run.used, end);
		trace_run_fini(&run);
	}
	assert_int_equal(rdb_reader_feed(r, file.data, file.len), end);
	assert_int_equal(rdb_reader_feed(r, file.data + end, 14), 0);
	assert_int_equal(rdb_reader_status(r), RDB_STATUS_END);
	assert_int_equal(rdb_reader_version(r), 10);
	assert_int_equal(rdb_reader_finish(r), 0);
	rdb_reader_destroy(&r);
	bytes_fini(&file);
}

static int refuse_second_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	int *nr_calls = ctx;

	return ++*nr_calls == 2 ? -7 : 0;
}

static void a_refusing_upcall_stops_the_reader(void **state)
{
	static const struct rdb_upcalls up = {.on_key = refuse_second_key};
	struct bytes file = {0};
	int nr_calls = 0;
	struct rdb_reader *r = rdb_reader_create(&up, &nr_calls, &trace_limits);

	rich_file(&file);
	assert_int_equal(rdb_reader_feed(r, file.data, file.len), -1);
	assert_int_equal(rdb_reader_status(r), RDB_STATUS_FAILED);
	assert_int_equal(rdb_reader_fault(r)->error, RDB_ERR_UPCALL);
	assert_int_equal(rdb_reader_refusal(r), -7);
	assert_int_equal(rdb_reader_feed(r, file.data, file.len), -1);
	assert_int_equal(rdb_reader_finish(r), -1);
	assert_int_equal(nr_calls, 2);
	rdb_reader_destroy(&r);
	bytes_fini(&file);
}

static void a_record_over_its_limit_is_refused_from_its_lengths(void **state)
{
	struct rdb_limits limits = {.max_string_bytes = 100, .max_record_bytes = 105};
	struct bytes file = {0};
	struct trace_run run;

	/* 1 + (1 + 50) + (1 + 52) = 105 fits; one more does not. The bytes never come. */
	bytes_add(&file, BYTES("REDIS0010\0\x32"));
	for (int i = 0; i < 50; i++)
		bytes_add(&file, "k", 1);
	bytes_add(&file, "\x34", 1);
	trace_feed(&run, file.data, file.len, &limits, NULL, NULL);
	assert_int_equal(run.fault.error, RDB_ERR_TRUNCATED);
	trace_run_fini(&run);
	file.data[file.len - 1]++;
	trace_feed(&run, file.data, file.len, &limits, NULL, NULL);
	assert_int_equal(run.fault.error, RDB_ERR_LENGTH);
	assert_int_equal(run.fault.at, RDB_HEADER_BYTES);
	trace_run_fini(&run);
	bytes_fini(&file);
}

static void a_large_value_comes_in_small_pieces(void **state)
{
	size_t len = 5u << 20, piece = 1000;
	struct bytes body = {0}, file = {0};
	struct trace_run whole, run;
	char *value = malloc(len);

	assert_non_null(value);
	for (size_t i = 0; i < len; i++)
		value[i] = (char)(i * 31 >> 3);
	bytes_add(&body, BYTES("\0\1k\x80\0\x50\0\0"));
	bytes_add(&body, value, len);
	bytes_add(&body, BYTES("\0\1l\1v"));
	trace_file(&file, "REDIS0010", body.data, body.len);
	trace_feed(&whole, file.data, file.len, &trace_limits, NULL, NULL);
	trace_feed(&run, file.data, file.len, &trace_limits, trace_next_fixed, &piece);
	assert_int_equal(run.status, RDB_STATUS_END);
	assert_int_equal(run.counters.nr_keys, 2);
	assert_string_equal((char *)run.trace.data, (char *)whole.trace.data);
	trace_run_fini(&whole);
	trace_run_fini(&run);
	bytes_fini(&body);
	bytes_fini(&file);
	free(value);
}

static void a_reader_without_upcalls_checks_a_file(void **state)
{
	struct bytes file = {0};
	struct rdb_reader *r = rdb_reader_create(&(struct rdb_upcalls){0}, NULL, &trace_limits);

	rich_file(&file);
	assert_int_equal(rdb_reader_feed(r, NULL, 0), 0);
	assert_int_equal(rdb_reader_feed(r, file.data, file.len), file.len);
	assert_int_equal(rdb_reader_finish(r), 0);
	assert_int_equal(rdb_reader_fault(r)->error, RDB_OK);
	rdb_reader_destroy(&r);
	rdb_reader_destroy(&r);
	bytes_fini(&file);
}

/* A fragment: select 3, two keys with a set between them. */
#define FRAGMENT "\xfe\3\0\1k\1v\2\1s\1\1m\0\1l\1w"

static enum rdb_error feed_fragment(const char *bytes, size_t len, size_t piece)
{
	struct rdb_limits limits = trace_limits;
	struct rdb_reader *r;
	enum rdb_error error;
	ssize_t rc = 0;

	limits.is_fragment = true;
	r = rdb_reader_create(&(struct rdb_upcalls){0}, NULL, &limits);
	for (size_t at = 0; at < len && rc >= 0; at += piece)
		rc = rdb_reader_feed(r, bytes + at, piece < len - at ? piece : len - at);
	rdb_reader_finish(r);
	error = rdb_reader_fault(r)->error;
	rdb_reader_destroy(&r);
	return error;
}

static void a_fragment_ends_behind_any_record(void **state)
{
	static const size_t ends[] = {0, 2, 7, 13, 18};
	unsigned next = 0;

	assert_int_equal(sizeof(FRAGMENT) - 1, 18);
	for (size_t len = 0; len < sizeof(FRAGMENT); len++) {
		bool whole = next < 5 && len == ends[next];

		next += whole;
		for (size_t piece = 1; piece < 20; piece++)
			assert_int_equal(feed_fragment(FRAGMENT, len, piece),
				whole ? RDB_OK : RDB_ERR_TRUNCATED);
	}
}

static void a_fragment_has_no_end_of_its_own(void **state)
{
	assert_int_equal(feed_fragment(BYTES(FRAGMENT "\xff"), 100), RDB_ERR_OPCODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_legal_record_is_read_however_it_is_cut),
		cmocka_unit_test(every_malformed_record_is_refused_where_it_is),
		cmocka_unit_test(types_that_are_not_read_are_refused_by_name),
		cmocka_unit_test(counters_tell_what_was_read_and_skipped),
		cmocka_unit_test(every_truncation_is_reported_and_nothing_else),
		cmocka_unit_test(a_malformed_part_is_refused_before_the_rest_comes),
		cmocka_unit_test(any_byte_changed_is_noticed),
		cmocka_unit_test(checksum_of_zeros_means_none),
		cmocka_unit_test(wrong_checksum_passes_only_where_it_is_ignored),
		cmocka_unit_test(versions_1_to_12_are_read_and_no_others),
		cmocka_unit_test(a_file_before_version_5_ends_without_checksum),
		cmocka_unit_test(what_is_no_rdb_file_is_refused_at_once),
		cmocka_unit_test(what_follows_the_end_is_left_to_the_caller),
		cmocka_unit_test(a_refusing_upcall_stops_the_reader),
		cmocka_unit_test(a_record_over_its_limit_is_refused_from_its_lengths),
		cmocka_unit_test(a_large_value_comes_in_small_pieces),
		cmocka_unit_test(a_reader_without_upcalls_checks_a_file),
		cmocka_unit_test(a_fragment_ends_behind_any_record),
		cmocka_unit_test(a_fragment_has_no_end_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
