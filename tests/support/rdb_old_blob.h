/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes ziplists, which nothing else here writes: repl/rdb_old.h has the format.
 */
#ifndef MILLRACE_TESTS_SUPPORT_RDB_OLD_BLOB_H
#define MILLRACE_TESTS_SUPPORT_RDB_OLD_BLOB_H

#include "tests/support/rdb_trace.h"

/* Where the encodings of integers change. */
static const int64_t old_ints[] = {0, 12, 13, -1, 127, -128, 128, -129, 32767, -32768, 32768,
	-32769, 8388607, -8388608, 8388608, -8388609, INT32_MAX, INT32_MIN, INT64_C(1) << 31,
	-(INT64_C(1) << 31) - 1, INT64_MAX, INT64_MIN};

struct old_blob {
	struct bytes out;
	size_t tail, before;
	unsigned nr;
};

static inline void old_put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline void old_ziplist_begin(struct old_blob *b)
{
	*b = (struct old_blob){.tail = 10};
	bytes_add(&b->out, "\0\0\0\0\0\0\0\0\0\0", 10);
}

/* An element of these bytes behind the size of the one before. */
static inline void old_ziplist_elem(
	struct old_blob *b, const uint8_t *head, size_t head_len, const void *data, size_t len)
{
	uint8_t before[5] = {0xfe};
	size_t start = b->out.len;

	b->tail = start;
	if (b->before < 254) {
		before[0] = (uint8_t)b->before;
		bytes_add(&b->out, before, 1);
	} else {
		old_put_le(before + 1, b->before, 4);
		bytes_add(&b->out, before, 5);
	}
	bytes_add(&b->out, head, head_len);
	bytes_add(&b->out, data, len);
	b->before = b->out.len - start;
	b->nr++;
}

static inline void old_ziplist_str(struct old_blob *b, const void *str, size_t len)
{
	uint8_t small[] = {(uint8_t)len};
	uint8_t middle[] = {(uint8_t)(0x40 | len >> 8), (uint8_t)len};
	uint8_t large[] = {0x80, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
		(uint8_t)len};

	if (len < 64)
		old_ziplist_elem(b, small, sizeof(small), str, len);
	else if (len < 16384)
		old_ziplist_elem(b, middle, sizeof(middle), str, len);
	else
		old_ziplist_elem(b, large, sizeof(large), str, len);
}

static inline void old_ziplist_filled(struct old_blob *b, size_t len)
{
	char *text = malloc(len);

	memset(text, 'x', len);
	old_ziplist_str(b, text, len);
	free(text);
}

static inline void old_ziplist_int(struct old_blob *b, int64_t num)
{
	uint8_t data[8], code;
	size_t size;

	old_put_le(data, (uint64_t)num, 8);
	if (num >= 0 && num <= 12) {
		code = (uint8_t)(0xf1 + num);
		size = 0;
	} else if (num == (int8_t)num) {
		code = 0xfe;
		size = 1;
	} else if (num == (int16_t)num) {
		code = 0xc0;
		size = 2;
	} else if (num >= -8388608 && num <= 8388607) {
		code = 0xf0;
		size = 3;
	} else if (num == (int32_t)num) {
		code = 0xd0;
		size = 4;
	} else {
		code = 0xe0;
		size = 8;
	}
	old_ziplist_elem(b, &code, 1, data, size);
}

static inline void old_ziplist_end(struct old_blob *b)
{
	bytes_add(&b->out, "\xff", 1);
	old_put_le(b->out.data, b->out.len, 4);
	old_put_le(b->out.data + 4, b->tail, 4);
	old_put_le(b->out.data + 8, b->nr < 65535 ? b->nr : 65535, 2);
}

#endif
