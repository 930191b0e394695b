/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What reading and editing of listpacks share: the parts of an element. Only listpack*.c.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_LISTPACK_PRIV_H
#define MILLRACE_APP_KEYSPACE_TYPES_LISTPACK_PRIV_H

#include "app/keyspace/types/listpack.h"

#include "checks.h"

#define HEADER_BYTES 6
#define END_MARK     0xff
#define NR_UNKNOWN   UINT16_MAX
#define BACKLEN_MAX  5
#define ELEM_MIN     2 /* bytes of the smallest element */

enum {
	ENC_STR6 = 0x80,
	ENC_INT13 = 0xc0,
	ENC_STR12 = 0xe0,
	ENC_STR32 = 0xf0,
	ENC_INT16 = 0xf1,
	ENC_INT24 = 0xf2,
	ENC_INT32 = 0xf3,
	ENC_INT64 = 0xf4,
};

static inline uint64_t le_get(const unsigned char *p, unsigned nr_bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < nr_bytes; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static inline void le_put(unsigned char *p, uint64_t v, unsigned nr_bytes)
{
	for (unsigned i = 0; i < nr_bytes; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static inline void bytes_set(unsigned char *lp, size_t bytes)
{
	le_put(lp, bytes, 4);
}

static inline unsigned nr_get(const unsigned char *lp)
{
	return (unsigned)le_get(lp + 4, 2);
}

static inline void nr_set(unsigned char *lp, size_t nr)
{
	le_put(lp + 4, nr < NR_UNKNOWN ? nr : NR_UNKNOWN, 2);
}

static inline unsigned char *unconst(const unsigned char *p)
{
	return (unsigned char *)(uintptr_t)p;
}

/* Bytes of encoding and data; 0 for what is no element. */
static inline size_t elem_size(const unsigned char *p)
{
	unsigned enc = p[0];

	if (enc < ENC_STR6)
		return 1;
	if (enc < ENC_INT13)
		return 1 + (enc & 0x3f);
	if (enc < ENC_STR12)
		return 2;
	if (enc < ENC_STR32)
		return 2 + ((enc & 0xf) << 8 | p[1]);
	switch (enc) {
	case ENC_STR32: return 5 + (size_t)le_get(p + 1, 4);
	case ENC_INT16: return 3;
	case ENC_INT24: return 4;
	case ENC_INT32: return 5;
	case ENC_INT64: return 9;
	default: return 0;
	}
}

static inline size_t backlen_size(size_t elem)
{
	return elem <= 127 ? 1 : elem < 16383 ? 2 : elem < 2097151 ? 3 : elem < 268435455 ? 4 : 5;
}

static inline size_t backlen_put(unsigned char *p, size_t elem)
{
	size_t size = backlen_size(elem);

	for (size_t i = size; i-- > 0; elem >>= 7)
		p[i] = (unsigned char)((elem & 0x7f) | (i > 0 ? 0x80 : 0));
	return size;
}

/* The back length whose last byte is at p. */
static inline size_t backlen_get(const unsigned char *p)
{
	size_t elem = 0;

	for (unsigned i = 0; i < BACKLEN_MAX; i++, p--) {
		elem |= (size_t)(*p & 0x7f) << 7 * i;
		if (!(*p & 0x80))
			break;
	}
	return elem;
}

/* The whole element. A listpack with a bad one has not been through lp_valid(): going on would
 * read and write anywhere. */
static inline size_t elem_whole(const unsigned char *p)
{
	size_t elem = elem_size(p);

	BUG_ON(elem == 0);
	return elem + backlen_size(elem);
}

static inline int64_t sign_extend(uint64_t v, unsigned nr_bits)
{
	unsigned shift = 64 - nr_bits;

	return (int64_t)(v << shift) >> shift;
}

static inline unsigned char *elem_or_null(const unsigned char *p)
{
	return *p == END_MARK ? NULL : unconst(p);
}

/* p is an element of lp, or its end mark. */
static inline void check_inside(const unsigned char *lp, const unsigned char *p)
{
	ASSERT(p >= lp + HEADER_BYTES && p < lp + lp_bytes(lp));
}

static inline size_t walk_count(const unsigned char *lp)
{
	size_t nr = 0;

	for (const unsigned char *p = lp + HEADER_BYTES; *p != END_MARK; p += elem_whole(p))
		nr++;
	return nr;
}

#endif
