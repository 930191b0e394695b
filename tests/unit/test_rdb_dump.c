/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DUMP payloads.
 */
#include "repl/rdb_dump.h"

#include "repl/rdb_write.h"
#include "tests/support/rdb_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

#define LIMIT 1000

/* A value as text, or what was refused. */
struct outcome {
	int result;
	struct bytes trace;
	struct rdb_fault fault;
};

static int on_value(void *ctx, enum rdb_type type)
{
	struct outcome *o = ctx;

	trace_line(&o->trace, "type %u\n", (unsigned)type);
	return 0;
}

static int on_item(void *ctx, const struct rdb_item *item)
{
	struct outcome *o = ctx;

	trace_item(&o->trace, item);
	return 0;
}

static void parse(const struct bytes *payload, unsigned max_version, struct outcome *o)
{
	static const struct rdb_dump_upcalls upcalls = {on_value, on_item};
	struct rdb_dump_limits limits = {max_version, RDB_TYPE_STREAM_LISTPACKS_2, LIMIT};
	struct rdb_scratch scratch = {0};
	/* In memory of its exact size, for the sanitizer. */
	uint8_t *copy = malloc(payload->len > 0 ? payload->len : 1);

	memcpy(copy, payload->data, payload->len);
	*o = (struct outcome){0};
	bytes_add(&o->trace, "", 0);
	o->result = rdb_dump_parse(copy, payload->len, &limits, &upcalls, o, &scratch, &o->fault);
	rdb_scratch_trim(&scratch, 0);
	free(copy);
}

static void a_dumped_string_is_restored(void **state)
{
	static const char *const texts[] = {"", "abc", "10", "-70000", "12345678901",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes out = {0}, want = {0};
		struct rdb_writer w;
		struct outcome o;
		rdb_writer_init(&w, (struct rdb_sink){bytes_sink, &out}, RDB_WRITE_COMPRESS);
		rdb_dump_string(&w, texts[i], strlen(texts[i]));
		parse(&out, RDB_VERSION_WRITTEN, &o);
		assert_int_equal(o.result, 0);
		trace_string(&want, "type 0\n  b ", texts[i], strlen(texts[i]));
		trace_line(&want, "\n");
		assert_string_equal((char *)o.trace.data, (char *)want.data);
		rdb_writer_fini(&w);
		bytes_fini(&out);
		bytes_fini(&want);
		bytes_fini(&o.trace);
	}
}

static void a_collection_comes_item_by_item(void **state)
{
	struct bytes payload = {0};
	struct outcome o;

	bytes_add(&payload, BYTES("\5\2\1a\0\0\0\0\0\0\xf8\x3f\xc0\7\0\0\0\0\0\0\xf0\xff"));
	trace_seal(&payload, 10);
	parse(&payload, 10, &o);
	assert_int_equal(o.result, 0);
	assert_string_equal(
		(char *)o.trace.data, "type 5\n  n 2\n  m a\n  s 1.5\n  m 7\n  s -inf\n");
	bytes_fini(&payload);
	bytes_fini(&o.trace);
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
		{"nothing", BYTES(""), 10, RDB_ERR_LENGTH},
		{"type only", BYTES("\0"), 10, RDB_ERR_STRING},
		{"string longer than the payload", BYTES("\0\3ab"), 10, RDB_ERR_STRING},
		{"bytes behind the value", BYTES("\0\1vx"), 10, RDB_ERR_LENGTH},
		{"list longer than the payload", BYTES("\1\2\1a"), 10, RDB_ERR_STRING},
		{"bytes behind a list", BYTES("\1\1\1a\0"), 10, RDB_ERR_LENGTH},
		{"set listpack of 7.2", BYTES("\x14\0"), 10, RDB_ERR_TYPE},
		{"hash with field expiry", BYTES("\x19\0"), 10, RDB_ERR_TYPE},
		{"module", BYTES("\7\0"), 10, RDB_ERR_TYPE},
		{"unknown type", BYTES("\x08\1v"), 10, RDB_ERR_OPCODE},
		{"opcode", BYTES("\xfe\1"), 10, RDB_ERR_OPCODE},
		{"over the limit", BYTES("\0\x80\0\0\3\xe9"), 10, RDB_ERR_LENGTH},
		{"damaged LZF", BYTES("\0\xc3\4\4\2abc"), 10, RDB_ERR_STRING},
		{"wide integer", BYTES("\0\xc1\1\0"), 10, RDB_ERR_STRING},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes payload = {0};
		struct outcome o;
		bytes_add(&payload, cases[i].body, cases[i].len);
		trace_seal(&payload, cases[i].version);
		parse(&payload, 10, &o);
		assert_int_equal(o.result, -1);
		if (o.fault.error != cases[i].error)
			fail_msg("%s: %d %s", cases[i].what, (int)o.fault.error, o.fault.text);
		bytes_fini(&payload);
		bytes_fini(&o.trace);
	}
}

/* Parses and forgets all but the error. */
static enum rdb_error error_of(const struct bytes *payload, unsigned max_version)
{
	struct outcome o;

	parse(payload, max_version, &o);
	assert_int_equal(o.result, o.fault.error == RDB_OK ? 0 : -1);
	bytes_fini(&o.trace);
	return o.fault.error;
}

static void a_newer_payload_is_taken_where_allowed(void **state)
{
	struct bytes payload = {0};

	bytes_add(&payload, BYTES("\0\1v"));
	trace_seal(&payload, 11);
	assert_int_equal(error_of(&payload, 10), RDB_ERR_VERSION);
	assert_int_equal(error_of(&payload, 11), RDB_OK);
	bytes_fini(&payload);
}

static void a_payload_with_any_bit_changed_is_refused(void **state)
{
	struct bytes payload = {0};

	bytes_add(&payload, BYTES("\0\5value"));
	trace_seal(&payload, 10);
	for (size_t bit = 0; bit < 8 * payload.len; bit++) {
		payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum rdb_error error = error_of(&payload, 10);
		assert_true(error == RDB_ERR_CHECKSUM || error == RDB_ERR_VERSION);
		payload.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < payload.len; len++) {
		struct bytes cut = {.data = payload.data, .len = len};
		assert_int_equal(error_of(&cut, 65535),
			len < RDB_DUMP_TAIL_BYTES ? RDB_ERR_TRUNCATED : RDB_ERR_CHECKSUM);
	}
	bytes_fini(&payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dumped_string_is_restored),
		cmocka_unit_test(a_collection_comes_item_by_item),
		cmocka_unit_test(a_payload_is_refused_for_the_right_reason),
		cmocka_unit_test(a_newer_payload_is_taken_where_allowed),
		cmocka_unit_test(a_payload_with_any_bit_changed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
