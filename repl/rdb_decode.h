/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The small parts of RDB in contiguous memory: lengths and strings. For the readers of records,
 * values and DUMP payloads.
 *
 * Decoding is in two steps, so that a string's extent is known, and bounded, before any of its
 * bytes are there: rdb_string_head() gives the extent, rdb_string_text() the bytes.
 *
 * Any thread; nothing is kept between calls but the caller's scratch.
 */
#ifndef MILLRACE_REPL_RDB_DECODE_H
#define MILLRACE_REPL_RDB_DECODE_H

#include "repl/rdb.h"

enum rdb_step {
	RDB_STEP_DONE,
	RDB_STEP_MORE, /* the input ends first */
	RDB_STEP_BAD,  /* the fault is set */
};

/* Contiguous input. */
struct rdb_input {
	const uint8_t *bytes;
	size_t len;
	uint64_t offset; /* of bytes[0] in the file, for messages */
	size_t max_string_bytes;
	struct rdb_fault *fault;
};

/* Where a string lies in the input. */
struct rdb_string {
	enum rdb_encoding enc;
	size_t data;     /* index of its first byte behind the head */
	size_t data_len; /* as stored */
	size_t text_len; /* decoded; 0 for integers, whose text is not made yet */
};

/* Memory for decoded strings, grown as needed, owned by the caller. All zero is empty. */
struct rdb_scratch {
	uint8_t *bytes;
	size_t cap;
};

/* The little-endian integer of n <= 8 bytes at p, which must be there. */
static inline uint64_t rdb_le_decode(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

/* Reads the length field at *pos and moves *pos behind it. MORE: *pos stays and *need is the least
 * len with which to come again. BAD: not a length. */
enum rdb_step rdb_len_decode(
	const struct rdb_input *in, size_t *pos, uint64_t *value, size_t *need);

/* Reads the head of the string at *pos and moves *pos behind the whole string. DONE only if all of
 * the string is there. MORE and BAD as above; BAD also when it is longer than the limit. */
enum rdb_step rdb_string_head(
	const struct rdb_input *in, size_t *pos, struct rdb_string *str, size_t *need);

/* Decodes a string that rdb_string_head() found. *text is borrowed: it points into the input or
 * into scratch, until either changes. BAD: not canonical, LZF damaged, or no memory. */
enum rdb_step rdb_string_text(const struct rdb_input *in, const struct rdb_string *str,
	struct rdb_scratch *scratch, const void **text, size_t *text_len);

/* Frees scratch that is larger than keep bytes. */
void rdb_scratch_trim(struct rdb_scratch *scratch, size_t keep);

#endif
