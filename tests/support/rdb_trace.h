/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests of the RDB codec: byte buffers, and a reader whose upcalls are written down as text,
 * one line each, so that two runs are compared as strings.
 */
#ifndef MILLRACE_TESTS_SUPPORT_RDB_TRACE_H
#define MILLRACE_TESTS_SUPPORT_RDB_TRACE_H

#include "checks.h"
#include "persist/crc64.h"
#include "repl/rdb_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes, always followed by a NUL that len does not count. */
struct bytes {
	uint8_t *data;
	size_t len;
	size_t cap;
};

static inline void bytes_add(struct bytes *b, const void *data, size_t len)
{
	BUG_ON(len > SIZE_MAX / 8);
	if (b->len + len + 1 > b->cap) {
		b->cap = 2 * (b->len + len + 1);
		b->data = realloc(b->data, b->cap);
		BUG_ON(b->data == NULL);
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

static inline void bytes_fini(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

/* A sink of struct rdb_writer. */
static inline int bytes_sink(void *ctx, const void *data, size_t len)
{
	BUG_ON(len == 0);
	bytes_add(ctx, data, len);
	return 0;
}

__attribute__((format(printf, 2, 3))) static inline void trace_line(
	struct bytes *t, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	bytes_add(t, line, strlen(line));
}

/* A string as text; a long one as its beginning, length and CRC. */
static inline void trace_string(struct bytes *t, const char *lead, const void *str, size_t len)
{
	char text[64];

	rdb_text_escape(str, len, text, sizeof(text));
	trace_line(t, "%s%s", lead, text);
	if (len > 15)
		trace_line(t, "(%zu %016llx)", len, (unsigned long long)crc64(0, str, len));
}

static inline void trace_key_about(struct bytes *t, const struct rdb_key *key)
{
	if (key->expire_ms != -1)
		trace_line(t, " expire %lld", (long long)key->expire_ms);
	if (key->idle_s != -1)
		trace_line(t, " idle %lld", (long long)key->idle_s);
	if (key->freq != -1)
		trace_line(t, " freq %d", key->freq);
	trace_line(t, "\n");
}

static inline void trace_key(
	struct bytes *t, const struct rdb_key *key, const void *str, size_t len)
{
	trace_line(t, "key %u", key->db);
	trace_string(t, " ", key->name, key->name_len);
	trace_string(t, " = ", str, len);
	trace_key_about(t, key);
}

/* One item, led by its letter: "e x", "n 3", "s 1.5", "L 5-1". */
static inline void trace_item(struct bytes *t, const struct rdb_item *item)
{
	trace_line(t, "  %c ", (char)item->kind);
	switch (item->kind) {
	case RDB_ITEM_ELEMENT:
	case RDB_ITEM_MEMBER:
	case RDB_ITEM_FIELD:
	case RDB_ITEM_VALUE:
	case RDB_ITEM_BLOB:
	case RDB_ITEM_GROUP:
	case RDB_ITEM_CONSUMER: trace_string(t, "", item->str.bytes, item->str.len); break;
	case RDB_ITEM_SCORE: trace_line(t, "%.17g", item->score); break;
	case RDB_ITEM_NODE_ID:
	case RDB_ITEM_LAST_ID:
	case RDB_ITEM_FIRST_ID:
	case RDB_ITEM_DELETED_ID:
	case RDB_ITEM_GROUP_ID:
	case RDB_ITEM_PENDING_ID:
	case RDB_ITEM_CONSUMER_PENDING_ID:
		trace_line(t, "%llu-%llu", (unsigned long long)item->id.ms,
			(unsigned long long)item->id.seq);
		break;
	case RDB_ITEM_SCORE_TEXT: BUG_ON(true);
	default: trace_line(t, "%llu", (unsigned long long)item->number);
	}
	trace_line(t, "\n");
}

static inline int trace_on_aux(
	void *ctx, const void *name, size_t name_len, const void *value, size_t value_len)
{
	trace_string(ctx, "aux ", name, name_len);
	trace_string(ctx, " = ", value, value_len);
	trace_line(ctx, "\n");
	return 0;
}

static inline int trace_on_select(void *ctx, uint32_t db)
{
	trace_line(ctx, "select %u\n", db);
	return 0;
}

static inline int trace_on_resize(void *ctx, uint64_t nr_keys, uint64_t nr_expires)
{
	trace_line(ctx, "resize %llu %llu\n", (unsigned long long)nr_keys,
		(unsigned long long)nr_expires);
	return 0;
}

static inline int trace_on_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	BUG_ON(value->type != RDB_TYPE_STRING);
	trace_key(ctx, key, value->str, value->str_len);
	return 0;
}

static inline int trace_on_value(void *ctx, const struct rdb_key *key, enum rdb_type type)
{
	trace_line(ctx, "key %u", key->db);
	trace_string(ctx, " ", key->name, key->name_len);
	trace_line(ctx, " type %u", (unsigned)type);
	trace_key_about(ctx, key);
	return 0;
}

static inline int trace_on_item(void *ctx, const struct rdb_item *item)
{
	trace_item(ctx, item);
	return 0;
}

static inline int trace_on_value_end(void *ctx)
{
	trace_line(ctx, "  .\n");
	return 0;
}

static inline int trace_on_function(void *ctx, const void *source, size_t len)
{
	trace_string(ctx, "function ", source, len);
	trace_line(ctx, "\n");
	return 0;
}

static inline int trace_on_end(void *ctx)
{
	trace_line(ctx, "end\n");
	return 0;
}

static const struct rdb_upcalls trace_upcalls = {
	.on_aux = trace_on_aux,
	.on_select = trace_on_select,
	.on_resize = trace_on_resize,
	.on_key = trace_on_key,
	.on_value = trace_on_value,
	.on_item = trace_on_item,
	.on_value_end = trace_on_value_end,
	.on_function = trace_on_function,
	.on_end = trace_on_end,
};

/* Room enough for what the tests hold, little enough to be reached. */
static const struct rdb_limits trace_limits = {
	.max_string_bytes = 16u << 20,
	.max_record_bytes = 40u << 20,
};

struct trace_run {
	struct bytes trace; /* upcalls, then "fault <text>" if there was one */
	struct rdb_fault fault;
	struct rdb_counters counters;
	enum rdb_status status;
	size_t used;
};

/* Feeds piece by piece, each in memory of exactly its size, so that a sanitizer sees any step too
 * far. next(state) gives a piece's size; NULL: all at once. Ends with rdb_reader_finish(). */
static inline void trace_feed(struct trace_run *run, const void *data, size_t len,
	const struct rdb_limits *limits, size_t (*next)(void *state), void *state)
{
	*run = (struct trace_run){0};
	bytes_add(&run->trace, "", 0);
	struct rdb_reader *r = rdb_reader_create(&trace_upcalls, &run->trace, limits);
	BUG_ON(r == NULL);
	for (size_t pos = 0; pos < len;) {
		size_t n = next == NULL ? len : next(state);
		if (n > len - pos)
			n = len - pos;
		uint8_t *piece = malloc(n > 0 ? n : 1);
		BUG_ON(piece == NULL);
		memcpy(piece, (const uint8_t *)data + pos, n);
		ssize_t used = rdb_reader_feed(r, piece, n);
		free(piece);
		if (used < 0)
			break;
		run->used += (size_t)used;
		if (rdb_reader_status(r) == RDB_STATUS_END)
			break;
		BUG_ON((size_t)used != n);
		BUG_ON(rdb_reader_offset(r) != run->used);
		pos += n;
	}
	BUG_ON((rdb_reader_finish(r) == 0) != (rdb_reader_status(r) == RDB_STATUS_END));
	run->status = rdb_reader_status(r);
	run->fault = *rdb_reader_fault(r);
	run->counters = *rdb_reader_counters(r);
	if (run->status == RDB_STATUS_FAILED)
		trace_line(&run->trace, "fault %s\n", run->fault.text);
	rdb_reader_destroy(&r);
	BUG_ON(r != NULL);
}

static inline void trace_run_fini(struct trace_run *run)
{
	bytes_fini(&run->trace);
}

/* Piece sizes: n first, then all the rest. */
static inline size_t trace_next_split(void *state)
{
	size_t *first = state, n = *first;

	*first = SIZE_MAX;
	return n;
}

/* Piece sizes: always *state. */
static inline size_t trace_next_fixed(void *state)
{
	return *(size_t *)state;
}

/* Puts header, body, 255 and checksum into file. */
static inline void trace_file(
	struct bytes *file, const char *header, const void *body, size_t body_len)
{
	uint8_t crc_bytes[8];

	bytes_add(file, header, strlen(header));
	bytes_add(file, body, body_len);
	bytes_add(file, "\xff", 1);
	uint64_t crc = crc64(0, file->data, file->len);
	for (int i = 0; i < 8; i++)
		crc_bytes[i] = (uint8_t)(crc >> 8 * i);
	bytes_add(file, crc_bytes, sizeof(crc_bytes));
}

/* Appends version and checksum to the type and value of a DUMP payload. */
static inline void trace_seal(struct bytes *payload, unsigned version)
{
	uint8_t tail[2] = {(uint8_t)version, (uint8_t)(version >> 8)};

	bytes_add(payload, tail, 2);
	uint64_t crc = crc64(0, payload->data, payload->len);
	for (int i = 0; i < 8; i++)
		bytes_add(payload, &(uint8_t){(uint8_t)(crc >> 8 * i)}, 1);
}

/* A small generator, the same everywhere (splitmix64). */
static inline uint64_t trace_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* From the environment's SEED, or a fixed one; printed. */
static inline uint64_t trace_seed(void)
{
	const char *text = getenv("SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20240607;

	printf("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

#endif
