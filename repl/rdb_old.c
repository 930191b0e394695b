/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ziplists and zipmaps. repl/rdb_old.h has their formats.
 */
#include "repl/rdb_old.h"

#define ZIPLIST_HEADER 10
#define END_MARK       0xff
#define LONG_MARK      0xfe
#define NR_UNKNOWN     UINT16_MAX
#define PAIRS_UNKNOWN  254

static uint64_t le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static bool has(const struct rdb_old *old, size_t n)
{
	return old->len - old->pos >= n;
}

/* A size of one byte, or of four behind LONG_MARK. False: it is not all there. */
static bool take_size(struct rdb_old *old, size_t *size)
{
	if (!has(old, 1))
		return false;
	*size = old->bytes[old->pos];
	if (*size < LONG_MARK) {
		old->pos++;
		return true;
	}
	if (*size == END_MARK || !has(old, 5))
		return false;
	*size = le(old->bytes + old->pos + 1, 4);
	old->pos += 5;
	return true;
}

static bool take_bytes(struct rdb_old *old, size_t len, struct rdb_old_elem *elem)
{
	if (!has(old, len))
		return false;
	*elem = (struct rdb_old_elem){.str = old->bytes + old->pos, .len = len};
	old->pos += len;
	return true;
}

static bool take_int(struct rdb_old *old, unsigned size, struct rdb_old_elem *elem)
{
	unsigned spare = 64 - 8 * size;

	if (!has(old, size))
		return false;
	*elem = (struct rdb_old_elem){
		.num = (int64_t)(le(old->bytes + old->pos, size) << spare) >> spare};
	old->pos += size;
	return true;
}

/* Encoding and data of a ziplist's element. */
static bool take_content(struct rdb_old *old, struct rdb_old_elem *elem)
{
	const uint8_t *p = old->bytes + old->pos;
	size_t head = 1;

	if (!has(old, 1))
		return false;
	if (p[0] >> 6 == 1)
		head = 2;
	else if (p[0] >> 6 == 2)
		head = 5;
	if (!has(old, head))
		return false;
	old->pos += head;
	switch (p[0] >> 6) {
	case 0: return take_bytes(old, p[0] & 0x3f, elem);
	case 1: return take_bytes(old, (size_t)(p[0] & 0x3f) << 8 | p[1], elem);
	case 2:
		return take_bytes(old,
			(size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4], elem);
	default: break;
	}
	switch (p[0]) {
	case 0xc0: return take_int(old, 2, elem);
	case 0xd0: return take_int(old, 4, elem);
	case 0xe0: return take_int(old, 8, elem);
	case 0xf0: return take_int(old, 3, elem);
	case 0xfe: return take_int(old, 1, elem);
	default: break;
	}
	if (p[0] < 0xf1 || p[0] > 0xfd)
		return false;
	*elem = (struct rdb_old_elem){.num = (p[0] & 0xf) - 1};
	return true;
}

/* At the end mark: whether it ends the blob, and the header was true. */
static enum rdb_old_step ziplist_end(const struct rdb_old *old)
{
	uint64_t nr = le(old->bytes + 8, 2);
	bool tail = le(old->bytes + 4, 4) == old->pos - old->before;

	return old->pos + 1 == old->len && tail && (nr == NR_UNKNOWN || nr == old->nr)
		       ? RDB_OLD_END
		       : RDB_OLD_BAD;
}

static enum rdb_old_step ziplist_next(struct rdb_old *old, struct rdb_old_elem *elem)
{
	size_t start, before;

	if (old->pos == 0) {
		if (old->len < ZIPLIST_HEADER + 1 || le(old->bytes, 4) != old->len)
			return RDB_OLD_BAD;
		old->pos = ZIPLIST_HEADER;
	}
	if (!has(old, 1))
		return RDB_OLD_BAD;
	if (old->bytes[old->pos] == END_MARK)
		return ziplist_end(old);
	start = old->pos;
	if (!take_size(old, &before) || before != old->before || !take_content(old, elem))
		return RDB_OLD_BAD;
	old->before = old->pos - start;
	old->nr++;
	return RDB_OLD_ELEM;
}

static enum rdb_old_step zipmap_end(const struct rdb_old *old)
{
	bool true_nr = old->bytes[0] == PAIRS_UNKNOWN || old->bytes[0] == old->nr / 2;

	return old->pos + 1 == old->len && true_nr ? RDB_OLD_END : RDB_OLD_BAD;
}

static enum rdb_old_step zipmap_next(struct rdb_old *old, struct rdb_old_elem *elem)
{
	bool is_value = old->nr % 2;
	size_t size, spare = 0;

	if (old->pos == 0) {
		if (old->len < 2)
			return RDB_OLD_BAD;
		old->pos = 1;
	}
	if (!has(old, 1))
		return RDB_OLD_BAD;
	if (!is_value && old->bytes[old->pos] == END_MARK)
		return zipmap_end(old);
	if (!take_size(old, &size))
		return RDB_OLD_BAD;
	if (is_value) {
		if (!has(old, 1))
			return RDB_OLD_BAD;
		spare = old->bytes[old->pos++];
	}
	if (!take_bytes(old, size, elem) || !has(old, spare))
		return RDB_OLD_BAD;
	old->pos += spare;
	old->nr++;
	return RDB_OLD_ELEM;
}

void rdb_old_ziplist(struct rdb_old *old, const void *bytes, size_t len)
{
	*old = (struct rdb_old){.bytes = bytes, .len = len};
}

void rdb_old_zipmap(struct rdb_old *old, const void *bytes, size_t len)
{
	*old = (struct rdb_old){.bytes = bytes, .len = len, .zipmap = true};
}

enum rdb_old_step rdb_old_next(struct rdb_old *old, struct rdb_old_elem *elem)
{
	return old->zipmap ? zipmap_next(old, elem) : ziplist_next(old, elem);
}
