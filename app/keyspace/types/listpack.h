/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listpacks: a list of short strings and integers in one run of bytes, in the format that
 * redis-server 7.0 keeps in memory and writes into RDB files. All numbers are little-endian but
 * for the 13-bit integer, the 12-bit length and the back length.
 *
 *     0    total bytes   4   header and end mark included
 *     4    elements      2   65535: not known, count by walking
 *     6    elements
 *     ..   end mark      1   0xff
 *
 * An element: encoding with length or value, data, back length.
 *
 *     0xxxxxxx                       integer 0 to 127
 *     10llllll data                  string of up to 63 bytes
 *     110xxxxx xxxxxxxx              integer of 13 bits, signed, high bits first
 *     1110llll llllllll data         string of up to 4095 bytes, high bits first
 *     11110000 l*4 data              string of up to 4 GB
 *     11110001 x*2  11110010 x*3     signed integer of 16, 24
 *     11110011 x*4  11110100 x*8     32 and 64 bits
 *
 * The back length is the size of what stands before it in the element, in groups of seven bits,
 * high ones first; each byte but the first has its top bit set, so it can be read from its end.
 * Its own size is 1 for up to 127, 2 below 16383, 3 below 2097151, 4 below 268435455, else 5.
 *
 * A string that is the canonical text of a 64-bit integer is stored as the shortest integer that
 * holds it; every other string with the shortest length that holds it. So equal content added in
 * equal order gives equal bytes. Bytes from elsewhere may be wider than need be, and are read.
 *
 * A listpack is one allocation of mem.h. Pointers to elements are good until the next edit. What
 * is said of the bytes must be true: give bytes from outside to lp_valid(), deep, first.
 * Not locked: whoever owns the listpack calls.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_LISTPACK_H
#define MILLRACE_APP_KEYSPACE_TYPES_LISTPACK_H

#include "app/keyspace/keyspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_BYTES_EMPTY 7          /* header and end mark */
#define LP_BYTES_MAX   (1u << 30) /* no edit makes a listpack larger, as in Redis */

enum lp_where {
	LP_BEFORE,
	LP_AFTER,
	LP_REPLACE,
};

/* An element: str points into the listpack, or is NULL and num counts. */
struct lp_val {
	const char *str;
	uint32_t len;
	int64_t num;
};

/* An empty listpack with room for cap bytes in all, owned by the caller. NULL: no memory. */
unsigned char *lp_new(size_t cap);
/* A copy of size bytes that are a listpack. NULL: no memory. */
unsigned char *lp_copy(const void *bytes, size_t size);
void lp_free(unsigned char *lp); /* NULL is fine */
/* Gives back what memory the listpack does not fill. May move it. */
void lp_shrink(unsigned char **lp);

/* All bytes, as they go into an RDB file. */
size_t lp_bytes(const unsigned char *lp);
/* Elements: a look at the header, or a walk when there were 65535 or more. */
size_t lp_count(const unsigned char *lp);

/* Walks. NULL at the ends. The listpack is not changed: what is returned is not const because
 * edits take it. */
unsigned char *lp_first(const unsigned char *lp);
unsigned char *lp_last(const unsigned char *lp);
unsigned char *lp_next(const unsigned char *lp, const unsigned char *p);
unsigned char *lp_prev(const unsigned char *lp, const unsigned char *p);
/* The element of that index, from the end when negative (-1 is the last). Walks from the nearer
 * end. NULL: there is none. */
unsigned char *lp_seek(const unsigned char *lp, long index);

struct lp_val lp_get(const unsigned char *p);
/* As text; an integer is formatted into buf. */
struct slice lp_text(const unsigned char *p, char buf[KS_INT_STR_MAX]);
bool lp_eq(const unsigned char *p, const void *s, size_t len);
/* The first element from p on that equals s. After each comparison, skip elements are passed
 * over: 1 looks at the fields of field and value pairs. p may be NULL (nothing is found). */
unsigned char *lp_find(
	const unsigned char *lp, const unsigned char *p, const void *s, size_t len, unsigned skip);

/* Bytes that an element with this content takes, back length included. */
size_t lp_entry_size(const void *s, size_t len);
size_t lp_entry_size_int(int64_t num);
/* Whether add bytes more stay within LP_BYTES_MAX. lp may be NULL: an empty one to come. */
bool lp_safe_to_add(const unsigned char *lp, size_t add);

/* Edits. false: memory is out, or the listpack would pass LP_BYTES_MAX; nothing has changed. s is
 * borrowed and must not lie in *lp; it may be NULL when len is 0. On success *lp may have moved,
 * and *newp (if newp is not NULL) is the new element. */
bool lp_insert(unsigned char **lp, unsigned char *p, const void *s, size_t len, enum lp_where where,
	unsigned char **newp);
bool lp_insert_int(unsigned char **lp, unsigned char *p, int64_t num, enum lp_where where,
	unsigned char **newp);
bool lp_append(unsigned char **lp, const void *s, size_t len);
bool lp_append_int(unsigned char **lp, int64_t num);
bool lp_prepend(unsigned char **lp, const void *s, size_t len);
bool lp_prepend_int(unsigned char **lp, int64_t num);
/* Makes room, so that inserts of so many bytes in all need no memory, unless something is deleted
 * between them. */
bool lp_reserve(unsigned char **lp, size_t add);
/* Appends all elements of src, which is another listpack and stays as it is. */
bool lp_concat(unsigned char **lp, const unsigned char *src);

/* Removals cannot fail; they may move *lp when more than half of its memory has become free.
 * Returns the element that followed, or NULL. */
unsigned char *lp_delete(unsigned char **lp, unsigned char *p);
/* Removes up to num elements from p on. */
unsigned char *lp_delete_at(unsigned char **lp, unsigned char *p, size_t num);
/* The same from an index, see lp_seek(). Returns how many were removed. */
size_t lp_delete_range(unsigned char **lp, long index, size_t num);

/* Whether the bytes are a listpack: size and end mark, and if deep, every element within bounds,
 * its encoding known, its back length right, and their number as the header has it. An empty one
 * is valid. The bytes may be hostile; without deep the elements still are. */
bool lp_valid(const unsigned char *lp, size_t size, bool deep);

#endif
