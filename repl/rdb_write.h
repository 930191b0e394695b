/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writing RDB (repl/rdb.h has the format) into a sink.
 *
 * - Every function returns 0 or the first error of the sink (-errno). The error is sticky: from
 *   then on nothing more reaches the sink, so a caller may check once, after the last call.
 * - A function that writes a whole record has passed all of it to the sink when it returns. The
 *   primitives may hold bytes back until rdb_write_record_end().
 * - Every record is complete in itself. Fragments made by several writers, put between the header
 *   and resting on their own rdb_write_selectdb(), are one legal file.
 *
 * A writer for another type goes into its own file and is made of the primitives, as
 * rdb_write_key_string() is:
 *
 *   rdb_write_key_begin(w, key, RDB_TYPE_SET); rdb_write_len(w, n);
 *   n times rdb_write_string(w, ...); return rdb_write_record_end(w);
 *
 * One thread at a time per writer; any core.
 */
#ifndef MILLRACE_REPL_RDB_WRITE_H
#define MILLRACE_REPL_RDB_WRITE_H

#include "repl/rdb.h"

#define RDB_WRITE_CRC 1u /* compute the CRC64 for rdb_write_eof(), else zeros are written */
/* with RDB_WRITE_COMPRESS: while strings do not get smaller, it is tried with few of them only */
#define RDB_WRITE_SPARING  4u
#define RDB_WRITE_COMPRESS 2u /* LZF for strings where it saves (rdbcompression) */

#define RDB_STAGE_BYTES 512

/* Takes all len bytes or returns -errno. buf is borrowed for the call. len is never 0. */
struct rdb_sink {
	int (*write)(void *ctx, const void *buf, size_t len);
	void *ctx;
};

struct rdb_writer {
	struct rdb_sink sink;
	uint64_t crc;
	uint64_t nr_bytes; /* written so far, staged ones included */
	int err;           /* sticky: 0 or -errno */
	unsigned flags;
	uint8_t *lzf; /* scratch of the compressor, owned */
	size_t lzf_cap;
	unsigned nr_vain; /* strings since one got smaller */
	size_t stage_len;
	uint8_t stage[RDB_STAGE_BYTES];
};

/* flags: RDB_WRITE_*. The sink is copied; its ctx is borrowed until _fini. */
void rdb_writer_init(struct rdb_writer *w, struct rdb_sink sink, unsigned flags);

/* Frees scratch. Writes nothing. */
void rdb_writer_fini(struct rdb_writer *w);

/* "REDIS0010". First of a file. */
int rdb_write_header(struct rdb_writer *w);

/* name: NUL-terminated. */
int rdb_write_aux(struct rdb_writer *w, const char *name, const void *value, size_t len);
int rdb_write_aux_int(struct rdb_writer *w, const char *name, int64_t value);

int rdb_write_selectdb(struct rdb_writer *w, uint32_t db);

/* A hint for the reader: the keys, and keys with expiry, of the database selected. */
int rdb_write_resizedb(struct rdb_writer *w, uint64_t nr_keys, uint64_t nr_expires);

/* The source of one function library. */
int rdb_write_function(struct rdb_writer *w, const void *source, size_t len);

/* A key that holds a string, with its expiry, idle time and frequency where known. key->db is not
 * looked at: the caller has selected it. */
int rdb_write_key_string(
	struct rdb_writer *w, const struct rdb_key *key, const void *value, size_t len);

/* 255 and the CRC of all bytes since rdb_writer_init(), or zeros without RDB_WRITE_CRC. */
int rdb_write_eof(struct rdb_writer *w);

/* Payload of DUMP, as RESTORE takes it: type, value, version (2), CRC64 (8). Begin and end stand
 * around the value's primitives. The CRC starts at _begin whatever the flags are, so a writer is
 * used either for payloads or for a file. rdb_dump_string() is a whole payload. */
int rdb_dump_string(struct rdb_writer *w, const void *value, size_t len);
int rdb_dump_begin(struct rdb_writer *w, enum rdb_type type);
int rdb_dump_end(struct rdb_writer *w);

/* Primitives. */
int rdb_write_byte(struct rdb_writer *w, uint8_t byte);
int rdb_write_raw(struct rdb_writer *w, const void *bytes, size_t len);
int rdb_write_len(struct rdb_writer *w, uint64_t len);

/* 8 bytes: a time, a double; 16 bytes: a stream's ID as pending entries have it. */
int rdb_write_u64(struct rdb_writer *w, uint64_t v);
int rdb_write_double(struct rdb_writer *w, double v);
int rdb_write_id(struct rdb_writer *w, uint64_t ms, uint64_t seq);

/* A string in its shortest form: integer, LZF if allowed and smaller, else plain. */
int rdb_write_string(struct rdb_writer *w, const void *str, size_t len);

/* Expiry, idle time, frequency, the type byte and the name. */
int rdb_write_key_begin(struct rdb_writer *w, const struct rdb_key *key, enum rdb_type type);

/* Passes what is held back to the sink. */
int rdb_write_record_end(struct rdb_writer *w);

#endif
