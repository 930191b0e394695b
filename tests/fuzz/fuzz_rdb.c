/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target of the RDB codec: any bytes as a file, and as the value of a DUMP payload.
 *
 * Checked besides memory: the reader's result does not depend on how the input is cut; what was
 * read is, written and read again, the same, item by item; so is a payload's value.
 */
#include "repl/rdb_dump.h"
#include "repl/rdb_write.h"
#include "tests/support/rdb_trace.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct rdb_limits limits = {
	.max_string_bytes = 1u << 20,
	.max_record_bytes = 2u << 20,
};

/* Writes what the reader tells, and traces it. */
struct again {
	struct rdb_writer w;
	struct bytes file;
	struct bytes trace;
	enum rdb_type type; /* of the last value */
	bool in_value;      /* that is not complete */
};

static int again_aux(
	void *ctx, const void *name, size_t name_len, const void *value, size_t value_len)
{
	struct again *a = ctx;
	char *text = malloc(name_len + 1);

	BUG_ON(text == NULL);
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	if (strlen(text) == name_len) { /* the writer takes names without NUL */
		rdb_write_aux(&a->w, text, value, value_len);
		trace_on_aux(&a->trace, name, name_len, value, value_len);
	}
	free(text);
	return 0;
}

static int again_select(void *ctx, uint32_t db)
{
	struct again *a = ctx;

	rdb_write_selectdb(&a->w, db);
	return trace_on_select(&a->trace, db);
}

static int again_resize(void *ctx, uint64_t nr_keys, uint64_t nr_expires)
{
	struct again *a = ctx;

	rdb_write_resizedb(&a->w, nr_keys, nr_expires);
	return trace_on_resize(&a->trace, nr_keys, nr_expires);
}

static int again_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	struct again *a = ctx;

	rdb_write_key_string(&a->w, key, value->str, value->str_len);
	return trace_on_key(&a->trace, key, value);
}

static int again_value(void *ctx, const struct rdb_key *key, enum rdb_type type)
{
	struct again *a = ctx;

	a->type = type;
	a->in_value = true;
	rdb_write_key_begin(&a->w, key, type);
	return trace_on_value(&a->trace, key, type);
}

/* As ZSET 3 has them. */
static void write_score_text(struct rdb_writer *w, double score)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%.17g", score);

	if (isnan(score)) {
		rdb_write_byte(w, 253);
	} else if (isinf(score)) {
		rdb_write_byte(w, score > 0 ? 254 : 255);
	} else {
		rdb_write_byte(w, (uint8_t)len);
		rdb_write_raw(w, text, (size_t)len);
	}
}

static int again_item(void *ctx, const struct rdb_item *item)
{
	struct again *a = ctx;
	struct rdb_writer *w = &a->w;

	switch (item->kind) {
	case RDB_ITEM_ELEMENT:
	case RDB_ITEM_MEMBER:
	case RDB_ITEM_FIELD:
	case RDB_ITEM_VALUE:
	case RDB_ITEM_BLOB:
	case RDB_ITEM_GROUP:
	case RDB_ITEM_CONSUMER: rdb_write_string(w, item->str.bytes, item->str.len); break;
	case RDB_ITEM_SCORE:
		if (a->type == RDB_TYPE_ZSET)
			write_score_text(w, item->score);
		else
			rdb_write_double(w, item->score);
		break;
	case RDB_ITEM_NODE_ID: rdb_write_len(w, 16); /* fall through */
	case RDB_ITEM_PENDING_ID:
	case RDB_ITEM_CONSUMER_PENDING_ID: rdb_write_id(w, item->id.ms, item->id.seq); break;
	case RDB_ITEM_LAST_ID:
	case RDB_ITEM_FIRST_ID:
	case RDB_ITEM_DELETED_ID:
	case RDB_ITEM_GROUP_ID:
		rdb_write_len(w, item->id.ms);
		rdb_write_len(w, item->id.seq);
		break;
	case RDB_ITEM_DELIVERY_TIME:
	case RDB_ITEM_SEEN_TIME:
	case RDB_ITEM_ACTIVE_TIME: rdb_write_u64(w, item->number); break;
	default: rdb_write_len(w, item->number);
	}
	trace_item(&a->trace, item);
	return 0;
}

static int again_value_end(void *ctx)
{
	struct again *a = ctx;

	a->in_value = false;
	rdb_write_record_end(&a->w);
	return trace_on_value_end(&a->trace);
}

static int again_function(void *ctx, const void *source, size_t len)
{
	struct again *a = ctx;

	rdb_write_function(&a->w, source, len);
	return trace_on_function(&a->trace, source, len);
}

static const struct rdb_upcalls again_upcalls = {
	.on_aux = again_aux,
	.on_select = again_select,
	.on_resize = again_resize,
	.on_key = again_key,
	.on_value = again_value,
	.on_item = again_item,
	.on_value_end = again_value_end,
	.on_function = again_function,
};

static void again_fini(struct again *a)
{
	rdb_writer_fini(&a->w);
	bytes_fini(&a->file);
	bytes_fini(&a->trace);
}

static void read_write_read(const uint8_t *data, size_t len)
{
	struct again a = {0};
	struct trace_run run;
	struct rdb_reader *r = rdb_reader_create(&again_upcalls, &a, &limits);

	BUG_ON(r == NULL);
	rdb_writer_init(
		&a.w, (struct rdb_sink){bytes_sink, &a.file}, RDB_WRITE_CRC | RDB_WRITE_COMPRESS);
	rdb_write_header(&a.w);
	rdb_reader_feed(r, data, len); /* as far as it goes */
	if (a.in_value) {
		BUG_ON(rdb_write_record_end(&a.w) != 0); /* no end of a file could follow here */
	} else {
		BUG_ON(rdb_write_eof(&a.w) != 0);
		trace_line(&a.trace, "end\n");
	}
	bytes_add(&a.trace, "", 0);
	trace_feed(&run, a.file.data, a.file.len, &limits, NULL, NULL);
	BUG_ON(strncmp((char *)run.trace.data, (char *)a.trace.data, a.trace.len) != 0);
	BUG_ON(!a.in_value && run.trace.len != a.trace.len);
	trace_run_fini(&run);
	rdb_reader_destroy(&r);
	again_fini(&a);
}

static size_t next_size(void *state)
{
	return trace_random(state) % 24;
}

static void read_in_pieces(const uint8_t *data, size_t len)
{
	struct trace_run whole, pieces;
	uint64_t rng = crc64(0, data, len);

	trace_feed(&whole, data, len, &limits, NULL, NULL);
	trace_feed(&pieces, data, len, &limits, next_size, &rng);
	BUG_ON(strcmp((char *)whole.trace.data, (char *)pieces.trace.data) != 0);
	BUG_ON(whole.status == RDB_STATUS_END && whole.used != pieces.used);
	trace_run_fini(&whole);
	trace_run_fini(&pieces);
}

static int payload_value(void *ctx, enum rdb_type type)
{
	struct again *a = ctx;

	a->type = type;
	rdb_dump_begin(&a->w, type);
	trace_line(&a->trace, "type %u\n", (unsigned)type);
	return 0;
}

/* Reads a payload into a's trace, and writes it into a's file. */
static int payload_read(struct again *a, const void *data, size_t len, struct rdb_fault *fault)
{
	static const struct rdb_dump_upcalls upcalls = {payload_value, again_item};
	struct rdb_dump_limits dump = {RDB_VERSION_WRITTEN, RDB_TYPE_MAX, limits.max_string_bytes};
	struct rdb_scratch scratch = {0};

	*a = (struct again){0};
	bytes_add(&a->trace, "", 0);
	rdb_writer_init(&a->w, (struct rdb_sink){bytes_sink, &a->file}, RDB_WRITE_COMPRESS);
	int rc = rdb_dump_parse(data, len, &dump, &upcalls, a, &scratch, fault);
	if (rc == 0)
		BUG_ON(rdb_dump_end(&a->w) != 0);
	rdb_scratch_trim(&scratch, 0);
	return rc;
}

/* Gives the bytes the tail that makes a payload of them. */
static void restore(const uint8_t *data, size_t len)
{
	struct bytes payload = {0};
	struct again first, second;
	struct rdb_fault fault;

	/* As it is: with almost any input a wrong checksum. */
	(void)payload_read(&first, data, len, &fault);
	again_fini(&first);
	bytes_add(&payload, data, len);
	trace_seal(&payload, RDB_VERSION_WRITTEN);
	if (payload_read(&first, payload.data, payload.len, &fault) == 0) {
		BUG_ON(payload_read(&second, first.file.data, first.file.len, &fault) != 0);
		BUG_ON(strcmp((char *)first.trace.data, (char *)second.trace.data) != 0);
		again_fini(&second);
	} else {
		BUG_ON(fault.error == RDB_OK || fault.error == RDB_ERR_CHECKSUM);
	}
	again_fini(&first);
	bytes_fini(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_in_pieces(data, len);
	read_write_read(data, len);
	restore(data, len);
	return 0;
}
