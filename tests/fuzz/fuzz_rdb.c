/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target of the RDB codec: any bytes as a file, and as the value of a DUMP payload.
 *
 * Checked besides memory: the reader's result does not depend on how the input is cut; what was
 * read is, written and read again, the same; a payload's value is, dumped again, the same.
 */
#include "repl/rdb_decode.h"
#include "repl/rdb_write.h"
#include "tests/support/rdb_trace.h"

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
	.on_function = again_function,
};

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
	BUG_ON(rdb_write_eof(&a.w) != 0);
	trace_line(&a.trace, "end\n");
	trace_feed(&run, a.file.data, a.file.len, &limits, NULL, NULL);
	BUG_ON(strcmp((char *)run.trace.data, (char *)a.trace.data) != 0);
	trace_run_fini(&run);
	rdb_reader_destroy(&r);
	rdb_writer_fini(&a.w);
	bytes_fini(&a.file);
	bytes_fini(&a.trace);
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

/* Gives the bytes the tail that makes a payload of them. */
static void restore(const uint8_t *data, size_t len)
{
	struct bytes payload = {0}, again = {0};
	struct rdb_scratch scratch = {0}, scratch_again = {0};
	struct rdb_value value, value_again;
	struct rdb_fault fault;
	struct rdb_writer w;

	/* As it is: with almost any input a wrong checksum. */
	(void)rdb_dump_parse(
		data, len, RDB_VERSION_MAX, limits.max_string_bytes, &scratch, &value, &fault);
	bytes_add(&payload, data, len);
	bytes_add(&payload, "\x0a", 2);
	uint64_t crc = crc64(0, payload.data, payload.len);
	for (int i = 0; i < 8; i++)
		bytes_add(&payload, &(uint8_t){(uint8_t)(crc >> 8 * i)}, 1);
	if (rdb_dump_parse(payload.data, payload.len, RDB_VERSION_WRITTEN, limits.max_string_bytes,
		    &scratch, &value, &fault) == 0) {
		rdb_writer_init(&w, (struct rdb_sink){bytes_sink, &again}, RDB_WRITE_COMPRESS);
		BUG_ON(rdb_dump_string(&w, value.str, value.str_len) != 0);
		BUG_ON(rdb_dump_parse(again.data, again.len, RDB_VERSION_WRITTEN,
			       limits.max_string_bytes, &scratch_again, &value_again, &fault) != 0);
		BUG_ON(value.str_len != value_again.str_len ||
			memcmp(value.str, value_again.str, value.str_len) != 0);
		rdb_writer_fini(&w);
	} else {
		BUG_ON(fault.error == RDB_OK || fault.error == RDB_ERR_CHECKSUM);
	}
	rdb_scratch_trim(&scratch, 0);
	rdb_scratch_trim(&scratch_again, 0);
	bytes_fini(&payload);
	bytes_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_in_pieces(data, len);
	read_write_read(data, len);
	restore(data, len);
	return 0;
}
