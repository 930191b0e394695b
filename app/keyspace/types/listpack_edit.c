/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Edits of listpacks. An element is written as head, data and back length (struct piece); all
 * changes of size go through splice().
 */
#include "app/keyspace/types/listpack_priv.h"

#include "app/keyspace/entry.h"
#include "app/keyspace/mem.h"

#include <string.h>

/* An element to be written. */
struct piece {
	unsigned char head[9];
	unsigned head_len;
	const void *data;
	size_t data_len;
};

static struct piece piece_int(int64_t num)
{
	static const unsigned char encs[] = {ENC_INT16, ENC_INT24, ENC_INT32, ENC_INT64};
	static const unsigned char widths[] = {2, 3, 4, 8};
	struct piece piece = {.head_len = 1};
	unsigned i = 0;

	if (num >= 0 && num <= 127) {
		piece.head[0] = (unsigned char)num;
		return piece;
	}
	if (num >= -4096 && num <= 4095) {
		piece.head[0] = (unsigned char)(ENC_INT13 | ((uint64_t)num >> 8 & 0x1f));
		piece.head[1] = (unsigned char)num;
		piece.head_len = 2;
		return piece;
	}
	while (sign_extend((uint64_t)num, 8 * widths[i]) != num)
		i++;
	piece.head[0] = encs[i];
	le_put(piece.head + 1, (uint64_t)num, widths[i]);
	piece.head_len = 1u + widths[i];
	return piece;
}

static struct piece piece_str(const void *s, size_t len)
{
	struct piece piece = {.data = s, .data_len = len};
	int64_t num;

	if (int_from_str(s, len, &num))
		return piece_int(num);
	if (len < 64) {
		piece.head[0] = (unsigned char)(ENC_STR6 | len);
		piece.head_len = 1;
	} else if (len < 4096) {
		piece.head[0] = (unsigned char)(ENC_STR12 | len >> 8);
		piece.head[1] = (unsigned char)len;
		piece.head_len = 2;
	} else {
		piece.head[0] = ENC_STR32;
		le_put(piece.head + 1, len, 4);
		piece.head_len = 5;
	}
	return piece;
}

static size_t piece_size(const struct piece *piece)
{
	size_t elem = piece->head_len + piece->data_len;

	return elem + backlen_size(elem);
}

static void piece_write(const struct piece *piece, unsigned char *p)
{
	memcpy(p, piece->head, piece->head_len);
	p += piece->head_len;
	if (piece->data_len > 0)
		memcpy(p, piece->data, piece->data_len);
	backlen_put(p + piece->data_len, piece->head_len + piece->data_len);
}

size_t lp_entry_size(const void *s, size_t len)
{
	struct piece piece = piece_str(s, len);

	return piece_size(&piece);
}

size_t lp_entry_size_int(int64_t num)
{
	struct piece piece = piece_int(num);

	return piece_size(&piece);
}

bool lp_safe_to_add(const unsigned char *lp, size_t add)
{
	size_t bytes = lp ? lp_bytes(lp) : 0;

	return bytes <= LP_BYTES_MAX && add <= LP_BYTES_MAX - bytes;
}

unsigned char *lp_new(size_t cap)
{
	unsigned char *lp = mem_alloc(cap > LP_BYTES_EMPTY ? cap : LP_BYTES_EMPTY);

	if (!lp)
		return NULL;
	bytes_set(lp, LP_BYTES_EMPTY);
	nr_set(lp, 0);
	lp[HEADER_BYTES] = END_MARK;
	return lp;
}

unsigned char *lp_copy(const void *bytes, size_t size)
{
	unsigned char *lp;

	ASSERT(lp_valid(bytes, size, false));
	lp = mem_alloc(size);
	if (lp)
		memcpy(lp, bytes, size);
	return lp;
}

void lp_free(unsigned char *lp)
{
	mem_free(lp);
}

void lp_shrink(unsigned char **lp)
{
	size_t bytes = lp_bytes(*lp);
	unsigned char *smaller;

	if (mem_usable(*lp) <= bytes)
		return;
	smaller = mem_realloc(*lp, bytes);
	if (smaller)
		*lp = smaller;
}

/* Puts new_len bytes, not set, in the place of the old_len bytes at off, and returns them. NULL:
 * nothing has changed; not when there are no more bytes than before. */
static unsigned char *splice(unsigned char **lp, size_t off, size_t old_len, size_t new_len)
{
	size_t bytes = lp_bytes(*lp);
	size_t kept = bytes - old_len;
	size_t room = mem_usable(*lp);

	if (new_len > old_len && !lp_safe_to_add(*lp, new_len - old_len))
		return NULL;
	if (kept + new_len > room) {
		/* the allocator's sizes grow in proportion: what is asked for here need not */
		unsigned char *larger = mem_realloc(*lp, kept + new_len);

		if (!larger)
			return NULL;
		*lp = larger;
	}
	memmove(*lp + off + new_len, *lp + off + old_len, bytes - off - old_len);
	bytes_set(*lp, kept + new_len);
	if (new_len < old_len && kept + new_len < room / 2)
		lp_shrink(lp);
	return *lp + off;
}

static bool insert_piece(unsigned char **lp, unsigned char *p, const struct piece *piece,
	enum lp_where where, unsigned char **newp)
{
	size_t old_len = where == LP_REPLACE ? elem_whole(p) : 0;
	unsigned nr = nr_get(*lp);

	check_inside(*lp, p);
	if (where == LP_AFTER)
		p += elem_whole(p);
	p = splice(lp, (size_t)(p - *lp), old_len, piece_size(piece));
	if (!p)
		return false;
	piece_write(piece, p);
	if (where != LP_REPLACE && nr != NR_UNKNOWN)
		nr_set(*lp, nr + 1);
	if (newp)
		*newp = p;
	return true;
}

bool lp_insert(unsigned char **lp, unsigned char *p, const void *s, size_t len, enum lp_where where,
	unsigned char **newp)
{
	struct piece piece;

	if (len > LP_BYTES_MAX)
		return false;
	piece = piece_str(s, len);
	return insert_piece(lp, p, &piece, where, newp);
}

bool lp_insert_int(unsigned char **lp, unsigned char *p, int64_t num, enum lp_where where,
	unsigned char **newp)
{
	struct piece piece = piece_int(num);

	return insert_piece(lp, p, &piece, where, newp);
}

bool lp_append(unsigned char **lp, const void *s, size_t len)
{
	return lp_insert(lp, *lp + lp_bytes(*lp) - 1, s, len, LP_BEFORE, NULL);
}

bool lp_append_int(unsigned char **lp, int64_t num)
{
	return lp_insert_int(lp, *lp + lp_bytes(*lp) - 1, num, LP_BEFORE, NULL);
}

bool lp_prepend(unsigned char **lp, const void *s, size_t len)
{
	return lp_insert(lp, *lp + HEADER_BYTES, s, len, LP_BEFORE, NULL);
}

bool lp_prepend_int(unsigned char **lp, int64_t num)
{
	return lp_insert_int(lp, *lp + HEADER_BYTES, num, LP_BEFORE, NULL);
}

bool lp_reserve(unsigned char **lp, size_t add)
{
	unsigned char *larger;

	if (!lp_safe_to_add(*lp, add))
		return false;
	if (lp_bytes(*lp) + add <= mem_usable(*lp))
		return true;
	larger = mem_realloc(*lp, lp_bytes(*lp) + add);
	if (larger)
		*lp = larger;
	return larger;
}

bool lp_concat(unsigned char **lp, const unsigned char *src)
{
	size_t add = lp_bytes(src) - LP_BYTES_EMPTY;
	size_t nr = nr_get(*lp);
	size_t nr_src = nr_get(src);
	unsigned char *p;

	ASSERT(*lp != src);
	p = splice(lp, lp_bytes(*lp) - 1, 0, add);
	if (!p)
		return false;
	memcpy(p, src + HEADER_BYTES, add);
	nr_set(*lp, nr == NR_UNKNOWN || nr_src == NR_UNKNOWN ? NR_UNKNOWN : nr + nr_src);
	return true;
}

/* The number is known again once the bytes are too few for 65535 elements. */
static void nr_after_delete(unsigned char *lp, size_t nr_removed)
{
	unsigned nr = nr_get(lp);

	if (nr != NR_UNKNOWN)
		nr_set(lp, nr - nr_removed);
	else if (lp_bytes(lp) < LP_BYTES_EMPTY + ELEM_MIN * (size_t)NR_UNKNOWN)
		nr_set(lp, walk_count(lp));
}

/* Removes up to num elements; at *p is then what followed them. Returns how many there were. */
static size_t delete_from(unsigned char **lp, unsigned char **p, size_t num)
{
	unsigned char *end = *p;
	size_t nr = 0;

	check_inside(*lp, *p);
	for (; nr < num && *end != END_MARK; nr++)
		end += elem_whole(end);
	*p = splice(lp, (size_t)(*p - *lp), (size_t)(end - *p), 0);
	nr_after_delete(*lp, nr);
	return nr;
}

unsigned char *lp_delete_at(unsigned char **lp, unsigned char *p, size_t num)
{
	delete_from(lp, &p, num);
	return elem_or_null(p);
}

unsigned char *lp_delete(unsigned char **lp, unsigned char *p)
{
	return lp_delete_at(lp, p, 1);
}

size_t lp_delete_range(unsigned char **lp, long index, size_t num)
{
	unsigned char *p = lp_seek(*lp, index);

	return p ? delete_from(lp, &p, num) : 0;
}
