/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB writer: its bytes against the format, and what the reader makes of them.
 */
#include "repl/rdb_write.h"

#include "tests/support/rdb_trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

static const struct rdb_key plain_key = {
	.name = "k",
	.name_len = 1,
	.expire_ms = -1,
	.idle_s = -1,
	.freq = -1,
};

static void writer_to(struct rdb_writer *w, struct bytes *out, unsigned flags)
{
	rdb_writer_init(w, (struct rdb_sink){bytes_sink, out}, flags);
	bytes_add(out, "", 0);
}

/* Compares and empties. */
static void expect_bytes(struct bytes *out, const char *what, const void *want, size_t len)
{
	if (out->len != len || memcmp(out->data, want, len) != 0) {
		char text[256];
		rdb_text_escape(out->data, out->len, text, sizeof(text));
		fail_msg("%s: got %zu bytes %s", what, out->len, text);
	}
	out->len = 0;
}

static void lengths_take_their_shortest_form(void **state)
{
	static const struct {
		uint64_t len;
		const char *bytes;
		size_t nr_bytes;
	} cases[] = {
		{0, BYTES("\0")},
		{63, BYTES("\x3f")},
		{64, BYTES("\x40\x40")},
		{16383, BYTES("\x7f\xff")},
		{16384, BYTES("\x80\0\0\x40\0")},
		{UINT32_MAX, BYTES("\x80\xff\xff\xff\xff")},
		{1ULL << 32, BYTES("\x81\0\0\0\1\0\0\0\0")},
		{UINT64_MAX, BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff")},
	};
	struct bytes out = {0};
	struct rdb_writer w;

	writer_to(&w, &out, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(rdb_write_len(&w, cases[i].len), 0);
		rdb_write_record_end(&w);
		expect_bytes(&out, "length", cases[i].bytes, cases[i].nr_bytes);
	}
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

struct string_case {
	const char *text;
	size_t text_len;
	const char *bytes;
	size_t nr_bytes;
};

static const struct string_case strings[] = {
	{BYTES(""), BYTES("\0")},
	{BYTES("abc"), BYTES("\3abc")},
	{BYTES("0"), BYTES("\xc0\0")},
	{BYTES("127"), BYTES("\xc0\x7f")},
	{BYTES("128"), BYTES("\xc1\x80\0")},
	{BYTES("-128"), BYTES("\xc0\x80")},
	{BYTES("-129"), BYTES("\xc1\x7f\xff")},
	{BYTES("32767"), BYTES("\xc1\xff\x7f")},
	{BYTES("32768"), BYTES("\xc2\0\x80\0\0")},
	{BYTES("-32768"), BYTES("\xc1\0\x80")},
	{BYTES("-32769"), BYTES("\xc2\xff\x7f\xff\xff")},
	{BYTES("2147483647"), BYTES("\xc2\xff\xff\xff\x7f")},
	{BYTES("2147483648"), BYTES("\x0a"
				    "2147483648")},
	{BYTES("-2147483648"), BYTES("\xc2\0\0\0\x80")},
	{BYTES("-2147483649"), BYTES("\x0b-2147483649")},
	{BYTES("99999999999"), BYTES("\x0b"
				     "99999999999")},
	{BYTES("-"), BYTES("\1-")},
	{BYTES("-0"), BYTES("\2-0")},
	{BYTES("+1"), BYTES("\2+1")},
	{BYTES("007"), BYTES("\3"
			     "007")},
	{BYTES("-01"), BYTES("\3-01")},
	{BYTES(" 1"), BYTES("\2 1")},
	{BYTES("1 "), BYTES("\2"
			    "1 ")},
	{BYTES("1\0"), BYTES("\2"
			     "1\0")},
	{BYTES("1e3"), BYTES("\3"
			     "1e3")},
	{BYTES("aaaaaaaaaaaaaaaaaaaa"), BYTES("\x14"
					      "aaaaaaaaaaaaaaaaaaaa")},
};

static void strings_take_their_shortest_form(void **state)
{
	struct bytes out = {0};
	struct rdb_writer w;

	writer_to(&w, &out, RDB_WRITE_COMPRESS);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		const struct string_case *c = &strings[i];
		assert_int_equal(rdb_write_string(&w, c->text, c->text_len), 0);
		rdb_write_record_end(&w);
		expect_bytes(&out, c->text, c->bytes, c->nr_bytes);
	}
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

static void compression_is_used_where_allowed_and_smaller(void **state)
{
	char text[1000], noise[1000];
	uint64_t seed = 1;
	struct bytes out = {0};
	struct rdb_writer w;

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)trace_random(&seed);
	writer_to(&w, &out, RDB_WRITE_COMPRESS);
	rdb_write_string(&w, text, sizeof(text));
	rdb_write_record_end(&w);
	assert_int_equal(out.data[0], 0xc0 | RDB_ENC_LZF);
	assert_in_range(out.len, 5, 40);
	out.len = 0;
	rdb_write_string(&w, text, RDB_COMPRESS_MIN_LEN);
	rdb_write_record_end(&w);
	assert_int_equal(out.data[0], 0xc0 | RDB_ENC_LZF);
	out.len = 0;
	rdb_write_string(&w, noise, sizeof(noise));
	rdb_write_record_end(&w);
	assert_int_equal(out.len, sizeof(noise) + 2);
	assert_memory_equal(out.data + 2, noise, sizeof(noise));
	out.len = 0;
	for (size_t len = 15; len < 40; len++) { /* LZF would need a byte or two more */
		rdb_write_string(&w, noise, len);
		rdb_write_record_end(&w);
		assert_int_equal(out.data[0], len);
		assert_int_equal(out.len, 1 + len);
		out.len = 0;
	}
	rdb_writer_fini(&w);

	writer_to(&w, &out, 0);
	rdb_write_string(&w, text, sizeof(text));
	rdb_write_record_end(&w);
	assert_int_equal(out.len, sizeof(text) + 2);
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

static bool is_compressed(struct rdb_writer *w, struct bytes *out, const char *text, size_t len)
{
	bool lzf;

	rdb_write_string(w, text, len);
	rdb_write_record_end(w);
	lzf = out->data[0] == (0xc0 | RDB_ENC_LZF);
	out->len = 0;
	return lzf;
}

static void sparing_compression_comes_back_when_it_pays(void **state)
{
	char text[500], noise[500];
	uint64_t seed = 1;
	struct bytes out = {0};
	struct rdb_writer w;
	unsigned nr = 0;

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)trace_random(&seed);
	writer_to(&w, &out, RDB_WRITE_COMPRESS | RDB_WRITE_SPARING);
	for (int i = 0; i < 15; i++)
		assert_false(is_compressed(&w, &out, noise, sizeof(noise)));
	assert_true(is_compressed(&w, &out, text, sizeof(text)));
	for (int i = 0; i < 200; i++)
		assert_false(is_compressed(&w, &out, noise, sizeof(noise)));
	while (!is_compressed(&w, &out, text, sizeof(text)))
		nr++;
	assert_in_range(nr, 1, 15); /* none of these, but not many */
	assert_true(is_compressed(&w, &out, text, sizeof(text)));
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

static void every_record_has_its_bytes(void **state)
{
	struct rdb_key key = plain_key;
	struct bytes out = {0};
	struct rdb_writer w;

	writer_to(&w, &out, 0);
	rdb_write_header(&w);
	expect_bytes(&out, "header", BYTES("REDIS0010"));
	rdb_write_aux(&w, "redis-ver", "7.0.15", 6);
	expect_bytes(&out, "aux",
		BYTES("\xfa\x09redis-ver\x06"
		      "7.0.15"));
	rdb_write_aux_int(&w, "redis-bits", 64);
	expect_bytes(&out, "aux", BYTES("\xfa\x0aredis-bits\xc0\x40"));
	rdb_write_aux_int(&w, "t", 1700000000000);
	expect_bytes(&out, "aux",
		BYTES("\xfa\1t\x0d"
		      "1700000000000"));
	rdb_write_selectdb(&w, 200);
	expect_bytes(&out, "select", BYTES("\xfe\x40\xc8"));
	rdb_write_resizedb(&w, 3, 70);
	expect_bytes(&out, "resize", BYTES("\xfb\3\x40\x46"));
	rdb_write_function(&w, "#!lua", 5);
	expect_bytes(&out, "function", BYTES("\xf5\5#!lua"));
	rdb_write_key_string(&w, &key, "v", 1);
	expect_bytes(&out, "key", BYTES("\0\1k\1v"));
	key.expire_ms = 0x0102030405;
	key.idle_s = 64;
	key.freq = 255;
	rdb_write_key_string(&w, &key, "12", 2);
	expect_bytes(&out, "key", BYTES("\xfc\5\4\3\2\1\0\0\0\xf8\x40\x40\xf9\xff\0\1k\xc0\x0c"));
	rdb_write_eof(&w);
	expect_bytes(&out, "eof", BYTES("\xff\0\0\0\0\0\0\0\0"));
	assert_int_equal(w.err, 0);
	assert_int_equal(w.nr_bytes, 9 + 18 + 14 + 17 + 3 + 4 + 7 + 5 + 19 + 9);
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

static void a_dump_is_what_redis_makes_of_it(void **state)
{
	struct bytes out = {0};
	struct rdb_writer w;

	writer_to(&w, &out, 0);
	assert_int_equal(rdb_dump_string(&w, "10", 2), 0);
	/* SET k 10, DUMP k of Redis 7.0. */
	expect_bytes(&out, "10", BYTES("\0\xc0\n\n\0n\x9fWE\x0e\xae\x63\xbb"));
	assert_int_equal(rdb_dump_string(&w, "10", 2), 0);
	expect_bytes(&out, "again", BYTES("\0\xc0\n\n\0n\x9fWE\x0e\xae\x63\xbb"));
	rdb_writer_fini(&w);

	writer_to(&w, &out, RDB_WRITE_CRC);
	rdb_write_selectdb(&w, 1);
	out.len = 0;
	assert_int_equal(rdb_dump_string(&w, "10", 2), 0);
	expect_bytes(&out, "after others", BYTES("\0\xc0\n\n\0n\x9fWE\x0e\xae\x63\xbb"));
	rdb_writer_fini(&w);
	bytes_fini(&out);
}

/* Takes room bytes, then fails. */
struct short_sink {
	size_t room;
	size_t nr_calls_after;
	bool failed;
};

static int short_write(void *ctx, const void *buf, size_t len)
{
	struct short_sink *s = ctx;

	if (s->failed)
		s->nr_calls_after++;
	if (len > s->room) {
		s->failed = true;
		return -ENOSPC;
	}
	s->room -= len;
	return 0;
}

static void the_first_error_of_the_sink_stays(void **state)
{
	char big[2000] = "big";

	for (size_t room = 0; room < 2100; room += 7) {
		struct short_sink sink = {.room = room};
		struct rdb_writer w;
		rdb_writer_init(&w, (struct rdb_sink){short_write, &sink}, RDB_WRITE_CRC);
		rdb_write_header(&w);
		for (int i = 0; i < 40; i++)
			rdb_write_key_string(&w, &plain_key, "value", 5);
		rdb_write_key_string(&w, &plain_key, big, sizeof(big));
		assert_int_equal(rdb_write_eof(&w), -ENOSPC);
		assert_int_equal(rdb_write_key_string(&w, &plain_key, "v", 1), -ENOSPC);
		assert_int_equal(rdb_write_string(&w, "v", 1), -ENOSPC);
		assert_int_equal(rdb_dump_string(&w, "v", 1), -ENOSPC);
		assert_true(sink.failed);
		assert_int_equal(sink.nr_calls_after, 0);
		rdb_writer_fini(&w);
	}
}

/* Every length near the edges of the stage: nothing is lost or doubled. */
static void records_cross_the_stage_whole(void **state)
{
	char value[RDB_STAGE_BYTES + 40];

	memset(value, 'v', sizeof(value));
	for (size_t len = 0; len <= sizeof(value); len++) {
		for (size_t name_len = 0; name_len < 12; name_len += 11) {
			struct bytes out = {0}, want = {0};
			struct rdb_writer w;
			struct rdb_key key = plain_key;
			struct trace_run run;
			key.name = "kkkkkkkkkkk";
			key.name_len = name_len;
			writer_to(&w, &out, RDB_WRITE_CRC);
			rdb_write_header(&w);
			rdb_write_key_string(&w, &key, value, len);
			rdb_write_eof(&w);
			assert_int_equal(w.nr_bytes, out.len);
			trace_key(&want, &key, value, len);
			trace_line(&want, "end\n");
			trace_feed(&run, out.data, out.len, &trace_limits, NULL, NULL);
			assert_string_equal((char *)run.trace.data, (char *)want.data);
			trace_run_fini(&run);
			rdb_writer_fini(&w);
			bytes_fini(&want);
			bytes_fini(&out);
		}
	}
}

static void fragments_of_several_writers_make_one_file(void **state)
{
	struct bytes parts[4] = {0}, file = {0};
	struct rdb_writer w;
	struct trace_run run;
	uint64_t crc = 0;

	for (uint32_t i = 0; i < 4; i++) {
		writer_to(&w, &parts[i], RDB_WRITE_CRC);
		if (i == 0) {
			rdb_write_header(&w);
			rdb_write_aux_int(&w, "a", 1);
		} else {
			rdb_write_selectdb(&w, i);
			rdb_write_key_string(&w, &plain_key, "v", 1);
		}
		bytes_add(&file, parts[i].data, parts[i].len);
		crc = crc64_combine(crc, w.crc, parts[i].len);
		rdb_writer_fini(&w);
		bytes_fini(&parts[i]);
	}
	bytes_add(&file, "\xff", 1);
	crc = crc64_combine(crc, crc64(0, "\xff", 1), 1);
	for (int i = 0; i < 8; i++)
		bytes_add(&file, &(uint8_t){(uint8_t)(crc >> 8 * i)}, 1);
	trace_feed(&run, file.data, file.len, &trace_limits, NULL, NULL);
	assert_string_equal((char *)run.trace.data,
		"aux a = 1\nselect 1\nkey 1 k = v\nselect 2\nkey 2 k = v\n"
		"select 3\nkey 3 k = v\nend\n");
	trace_run_fini(&run);
	bytes_fini(&file);
}

/* A string of random kind: integer text, few letters, any bytes. */
static size_t random_string(uint64_t *rng, char *out, size_t cap)
{
	uint64_t kind = trace_random(rng) % 4;
	size_t len = trace_random(rng) % (trace_random(rng) % 16 == 0 ? cap : 40);

	if (kind == 0)
		return (size_t)snprintf(out, cap, "%lld",
			(long long)((int64_t)trace_random(rng) >> trace_random(rng) % 64));
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(kind == 1 ? trace_random(rng) : 'a' + trace_random(rng) % kind);
	return len;
}

static void random_records(uint64_t *rng, struct rdb_writer *w, struct bytes *want, char *name,
	char *value, size_t cap)
{
	uint32_t db = 0;

	for (uint64_t n = trace_random(rng) % 30; n > 0; n--) {
		uint64_t pick = trace_random(rng);
		size_t name_len = random_string(rng, name, 200);
		size_t len = random_string(rng, value, cap);
		if (pick % 8 == 0) {
			db = (uint32_t)(pick >> 40);
			rdb_write_selectdb(w, db);
			trace_on_select(want, db);
		} else if (pick % 8 == 1) {
			rdb_write_resizedb(w, pick, pick >> pick % 64);
			trace_on_resize(want, pick, pick >> pick % 64);
		} else if (pick % 8 == 2) {
			rdb_write_aux(w, "name", value, len);
			trace_on_aux(want, "name", 4, value, len);
		} else if (pick % 8 == 3) {
			rdb_write_function(w, value, len);
			trace_on_function(want, value, len);
		} else {
			struct rdb_key key = {.db = db, .name = name, .name_len = name_len};
			key.expire_ms = pick & 0x100 ? (int64_t)trace_random(rng) : -1;
			key.idle_s = pick & 0x200 ? (int64_t)(trace_random(rng) >> 1) : -1;
			key.freq = pick & 0x400 ? (int16_t)(trace_random(rng) & 255) : -1;
			rdb_write_key_string(w, &key, value, len);
			trace_key(want, &key, value, len);
		}
	}
}

static size_t next_random(void *state)
{
	uint64_t v = trace_random(state);

	return v >> 32 & 1 ? v % 16 : v % 3000;
}

static void what_is_written_is_read_back(void **state)
{
	uint64_t rng = trace_seed();
	size_t cap = 20000;
	char *name = malloc(200), *value = malloc(cap);

	for (int round = 0; round < 400; round++) {
		struct bytes out = {0}, want = {0};
		struct rdb_writer w;
		struct trace_run run;
		unsigned flags =
			(unsigned)trace_random(&rng) & (RDB_WRITE_CRC | RDB_WRITE_COMPRESS);
		writer_to(&w, &out, flags);
		rdb_write_header(&w);
		random_records(&rng, &w, &want, name, value, cap);
		assert_int_equal(rdb_write_eof(&w), 0);
		trace_line(&want, "end\n");
		trace_feed(&run, out.data, out.len, &trace_limits, next_random, &rng);
		assert_string_equal((char *)run.trace.data, (char *)want.data);
		trace_run_fini(&run);
		rdb_writer_fini(&w);
		bytes_fini(&want);
		bytes_fini(&out);
	}
	free(name);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_take_their_shortest_form),
		cmocka_unit_test(strings_take_their_shortest_form),
		cmocka_unit_test(compression_is_used_where_allowed_and_smaller),
		cmocka_unit_test(sparing_compression_comes_back_when_it_pays),
		cmocka_unit_test(every_record_has_its_bytes),
		cmocka_unit_test(a_dump_is_what_redis_makes_of_it),
		cmocka_unit_test(the_first_error_of_the_sink_stays),
		cmocka_unit_test(records_cross_the_stage_whole),
		cmocka_unit_test(fragments_of_several_writers_make_one_file),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
