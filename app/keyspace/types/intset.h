/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets of integers as a sorted array in one run of bytes, in the format that redis-server 7.0
 * keeps in memory and writes into RDB files. All numbers are little-endian.
 *
 *     0    width     4   bytes of a member: 2, 4 or 8
 *     4    count     4
 *     8    members   count * width, signed, ascending, none twice
 *
 * The width is that of the widest member that there ever was: adding a wider one widens all, and
 * removing it narrows none. One allocation of mem.h. Not locked: whoever owns the set calls.
 * Bytes from outside go through intset_valid(), deep, first.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_INTSET_H
#define MILLRACE_APP_KEYSPACE_TYPES_INTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intset; /* the bytes above */

enum intset_added {
	INTSET_ADDED,
	INTSET_THERE,     /* it was a member before */
	INTSET_NO_MEMORY, /* or 2^32 - 1 members: nothing has changed */
};

/* An empty set, owned by the caller. NULL: no memory. */
struct intset *intset_new(void);
/* A copy of size bytes that are a set. NULL: no memory. */
struct intset *intset_copy(const void *bytes, size_t size);
void intset_free(struct intset *is); /* NULL is fine */
/* Gives back what memory the set does not fill. May move it. */
void intset_shrink(struct intset **is);

/* On INTSET_ADDED *is may have moved. */
enum intset_added intset_add(struct intset **is, int64_t num);
/* false: it was no member. *is may move when more than half of its memory has become free. */
bool intset_remove(struct intset **is, int64_t num);

bool intset_find(const struct intset *is, int64_t num);
/* The member of that rank, index < intset_count(). */
int64_t intset_get(const struct intset *is, uint32_t index);
uint32_t intset_count(const struct intset *is);
/* All bytes, as they go into an RDB file: they start at is. */
size_t intset_bytes(const struct intset *is);
/* Bytes of a member: 2, 4 or 8. */
unsigned intset_width(const struct intset *is);

/* Whether the bytes are a set as Redis loads them: width, size and, if deep, order. A width larger
 * than the members need is valid, a set without members is not. The bytes may be hostile. */
bool intset_valid(const void *bytes, size_t size, bool deep);

#endif
