/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests of the types' RDB forms: from bytes to a value, from a value to bytes, and what must
 * hold for any bytes.
 */
#ifndef MILLRACE_TESTS_SUPPORT_RDB_VALUES_H
#define MILLRACE_TESTS_SUPPORT_RDB_VALUES_H

#include "app/rdb/codec.h"
#include "repl/rdb_dump.h"
#include "tests/support/rdb_trace.h"
#include "tests/support/stream_use.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends a test, and a fuzz target, with a message. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void values_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

#define BYTES(text) text, sizeof(text) - 1

/* Redis' defaults. */
static const struct obj_limits values_limits = {
	.hash_max_listpack_entries = 512,
	.hash_max_listpack_value = 64,
	.set_max_intset_entries = 512,
	.zset_max_listpack_entries = 128,
	.zset_max_listpack_value = 64,
	.stream_node_max_bytes = 4096,
	.stream_node_max_entries = 100,
	.list_max_listpack_size = -2,
};

struct built {
	enum rdb_built result;
	struct obj obj;       /* owned, when there is a value */
	char why[128];        /* when it was refused by the type */
	enum rdb_error error; /* or before that */
};

static inline int values_on_value(void *ctx, enum rdb_type type)
{
	return rdb_build_begin(ctx, type) ? 0 : -1;
}

static inline int values_on_item(void *ctx, const struct rdb_item *item)
{
	return rdb_build_item(ctx, item) ? 0 : -1;
}

/* Builds from a type byte and a value's bytes, held in memory of exactly their size. */
static inline struct built values_build(
	const void *body, size_t len, const struct obj_limits *obj_limits)
{
	static const struct rdb_dump_upcalls upcalls = {values_on_value, values_on_item};
	struct rdb_dump_limits limits = {RDB_VERSION_WRITTEN, RDB_TYPE_MAX, 16u << 20};
	struct bytes payload = {0};
	struct rdb_scratch scratch = {0};
	struct rdb_build b;
	struct rdb_fault fault;
	struct built out = {.result = RDB_BUILT_REFUSED};

	bytes_add(&payload, body, len);
	trace_seal(&payload, RDB_VERSION_WRITTEN);
	uint8_t *exact = malloc(payload.len);
	memcpy(exact, payload.data, payload.len);
	rdb_build_init(&b, obj_limits);
	if (rdb_dump_parse(exact, payload.len, &limits, &upcalls, &b, &scratch, &fault) == 0)
		out.result = rdb_build_end(&b, &out.obj);
	else
		out.error = fault.error;
	memcpy(out.why, b.why, sizeof(out.why));
	rdb_build_fini(&b);
	rdb_scratch_trim(&scratch, 0);
	free(exact);
	bytes_fini(&payload);
	return out;
}

static inline void values_free(struct built *v)
{
	if (v->result == RDB_BUILT_VALUE)
		obj_ops(&v->obj)->free(&v->obj);
}

/* Type byte and value, as they are written. */
static inline struct bytes values_write(const struct obj *o)
{
	const struct rdb_codec *codec = rdb_codec(o->type);
	struct bytes out = {0};
	struct rdb_writer w;

	rdb_writer_init(&w, (struct rdb_sink){bytes_sink, &out}, RDB_WRITE_COMPRESS);
	rdb_write_byte(&w, (uint8_t)codec->form(o));
	codec->write(&w, o, &(struct rdb_progress){0}, UINT64_MAX);
	BUG_ON(rdb_write_record_end(&w) != 0);
	rdb_writer_fini(&w);
	return out;
}

/* The digest of a value, as DEBUG DIGEST-VALUE has it. */
static inline void values_digest(const struct obj *o, uint8_t out[20])
{
	struct keyspace *ks = ks_create(&(struct ks_config){.nr_parts = 1, .nr_dbs = 1});
	struct ks_key k = ks_key(ks, "k", 1);
	struct obj copy;

	BUG_ON(!obj_ops(o)->copy(o, &copy));
	BUG_ON(!ks_set_obj(ks, 0, 0, &k, &copy, 0, 0));
	ks_digest_value(ks_find(ks, 0, &k), out);
	ks_destroy(&ks);
}

static inline void values_assert_equal(const struct obj *a, const struct obj *b, const char *what)
{
	uint8_t one[20], two[20];

	values_digest(a, one);
	values_digest(b, two);
	if (a->type != b->type || memcmp(one, two, sizeof(one)) != 0)
		values_fail("%s: the values differ", what);
}

/* Written and read again, it is the same, in the same encoding. */
static inline void values_assert_round_trip(const struct obj *o, const struct obj_limits *limits)
{
	struct bytes body = values_write(o);
	struct built again = values_build(body.data, body.len, limits);

	if (again.result != RDB_BUILT_VALUE)
		values_fail("what was written is refused: %d %s", (int)again.error, again.why);
	values_assert_equal(o, &again.obj, "written and read again");
	if (again.obj.enc != o->enc)
		values_fail("written and read again: encoding %u was %u", again.obj.enc, o->enc);
	values_free(&again);
	bytes_fini(&body);
}

/* Whatever it is, it is read or refused; what is read can be written and read again, and used. */
static inline void values_assert_harmless(const void *body, size_t len)
{
	struct built v = values_build(body, len, &values_limits);

	if (v.result == RDB_BUILT_VALUE) {
		values_assert_round_trip(&v.obj, &values_limits);
		if (v.obj.type == OBJ_STREAM)
			stream_use(&v.obj, &values_limits);
	}
	values_free(&v);
}

/* A body cut at every byte is refused; with any bit changed it is harmless. */
static inline void values_assert_hard(const void *body, size_t len)
{
	uint8_t *copy = malloc(len);

	memcpy(copy, body, len);
	for (size_t cut = 0; cut < len; cut++) {
		struct built v = values_build(body, cut, &values_limits);

		if (v.result != RDB_BUILT_REFUSED)
			values_fail("cut to %zu bytes it is not refused", cut);
	}
	for (size_t at = 0; at < len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			copy[at] ^= (uint8_t)(1 << bit);
			values_assert_harmless(copy, len);
			copy[at] ^= (uint8_t)(1 << bit);
		}
	}
	free(copy);
}

/* A type and one blob, as a string. */
static inline struct bytes values_blob(enum rdb_type type, const void *blob, size_t len)
{
	struct bytes out = {0};
	struct rdb_writer w;

	rdb_writer_init(&w, (struct rdb_sink){bytes_sink, &out}, 0);
	rdb_write_byte(&w, (uint8_t)type);
	rdb_write_string(&w, blob, len);
	rdb_write_record_end(&w);
	rdb_writer_fini(&w);
	return out;
}

/* Bodies that a type refuses, and why. */
struct values_refused {
	const char *what;
	const char *body;
	size_t len;
	const char *why; /* part of the reason; NULL: empty */
};

static inline void values_assert_refused(const struct values_refused *cases, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		struct built v = values_build(cases[i].body, cases[i].len, &values_limits);

		if (cases[i].why == NULL ? v.result != RDB_BUILT_EMPTY
					 : v.result != RDB_BUILT_REFUSED ||
						   strstr(v.why, cases[i].why) == NULL)
			values_fail("%s: result %d error %d: %s", cases[i].what, (int)v.result,
				(int)v.error, v.why);
		values_free(&v);
	}
}

#endif
