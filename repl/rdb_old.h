/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The compact encodings of Redis before 7.0, which we read and never write: element by element,
 * from a blob that may be hostile. Integers are little-endian unless said otherwise.
 *
 * Ziplist (lists, hashes, sorted sets):
 *
 *     0    total bytes   4
 *     4    tail          4   where the last element begins; 10 when there is none
 *     8    elements      2   65535: not known
 *    10    elements
 *     ..   end mark      1   0xff
 *
 * An element: the size of the one before (one byte, or 0xfe and 4 bytes), encoding, data.
 *
 *     00llllll data             string of up to 63 bytes
 *     01llllll llllllll data    up to 16383, high bits first
 *     10...... l*4 data         up to 4 GB, high bytes first
 *     11000000 x*2  11010000 x*4  11100000 x*8  11110000 x*3  11111110 x    signed integer
 *     1111xxxx                  0 to 12, as xxxx less one (0001 to 1101)
 *
 * Zipmap (hashes before Redis 2.6):
 *
 *     0    pairs   1   254: not known
 *     1    pairs: length, field, length, free (1), value, free bytes of no meaning
 *     ..   end mark   1   0xff
 *
 * A length is one byte up to 253, or 0xfe and 4 bytes.
 *
 * Valid is what is whole, ends at its end mark and there only, says its own size, tail, numbers and
 * back lengths truly. Any thread; nothing is kept but the caller's state.
 */
#ifndef MILLRACE_REPL_RDB_OLD_H
#define MILLRACE_REPL_RDB_OLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An element: str lies in the blob, or is NULL and num counts. */
struct rdb_old_elem {
	const void *str;
	size_t len;
	int64_t num;
};

/* Where the reading of a blob stands. */
struct rdb_old {
	const uint8_t *bytes;
	size_t len;
	size_t pos;
	size_t before; /* ziplist: size of the element before */
	uint64_t nr;   /* elements read; zipmap: fields and values */
	bool zipmap;
};

enum rdb_old_step {
	RDB_OLD_ELEM,
	RDB_OLD_END, /* there are no more, and all of the blob was valid */
	RDB_OLD_BAD,
};

/* Begins with a blob, borrowed until the last step. */
void rdb_old_ziplist(struct rdb_old *old, const void *bytes, size_t len);
void rdb_old_zipmap(struct rdb_old *old, const void *bytes, size_t len);

/* The next element; of a zipmap, field and value take turns. After END and BAD there is no next. */
enum rdb_old_step rdb_old_next(struct rdb_old *old, struct rdb_old_elem *elem);

#endif
