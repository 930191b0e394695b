/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading of listpacks, and the check of bytes from outside. See the header for the format.
 */
#include "app/keyspace/types/listpack.h"

#include "app/keyspace/entry.h"
#include "app/keyspace/types/listpack_priv.h"

#include <string.h>

struct lp_val lp_get(const unsigned char *p)
{
	unsigned enc = p[0];

	if (enc < ENC_STR6)
		return (struct lp_val){.num = enc};
	if (enc < ENC_INT13)
		return (struct lp_val){(const char *)p + 1, enc & 0x3f, 0};
	if (enc < ENC_STR12)
		return (struct lp_val){.num = sign_extend((enc & 0x1f) << 8 | p[1], 13)};
	if (enc < ENC_STR32)
		return (struct lp_val){(const char *)p + 2, (enc & 0xf) << 8 | p[1], 0};
	switch (enc) {
	case ENC_STR32: return (struct lp_val){(const char *)p + 5, (uint32_t)le_get(p + 1, 4), 0};
	case ENC_INT16: return (struct lp_val){.num = sign_extend(le_get(p + 1, 2), 16)};
	case ENC_INT24: return (struct lp_val){.num = sign_extend(le_get(p + 1, 3), 24)};
	case ENC_INT32: return (struct lp_val){.num = sign_extend(le_get(p + 1, 4), 32)};
	default: BUG_ON(enc != ENC_INT64); return (struct lp_val){.num = (int64_t)le_get(p + 1, 8)};
	}
}

struct slice lp_text(const unsigned char *p, char buf[KS_INT_STR_MAX])
{
	struct lp_val v = lp_get(p);

	if (v.str)
		return (struct slice){v.str, v.len};
	return (struct slice){buf, int_to_str(v.num, buf)};
}

static bool str_eq(const struct lp_val *v, const void *s, size_t len)
{
	return v->len == len && (len == 0 || memcmp(v->str, s, len) == 0);
}

bool lp_eq(const unsigned char *p, const void *s, size_t len)
{
	struct lp_val v = lp_get(p);
	int64_t num;

	if (v.str)
		return str_eq(&v, s, len);
	return int_from_str(s, len, &num) && num == v.num;
}

size_t lp_bytes(const unsigned char *lp)
{
	return (size_t)le_get(lp, 4);
}

size_t lp_count(const unsigned char *lp)
{
	unsigned nr = nr_get(lp);

	return nr != NR_UNKNOWN ? nr : walk_count(lp);
}

unsigned char *lp_first(const unsigned char *lp)
{
	return elem_or_null(lp + HEADER_BYTES);
}

unsigned char *lp_next(const unsigned char *lp, const unsigned char *p)
{
	check_inside(lp, p);
	p += elem_whole(p);
	check_inside(lp, p);
	return elem_or_null(p);
}

unsigned char *lp_prev(const unsigned char *lp, const unsigned char *p)
{
	size_t elem;

	check_inside(lp, p);
	if (p == lp + HEADER_BYTES)
		return NULL;
	elem = backlen_get(p - 1);
	p -= elem + backlen_size(elem);
	check_inside(lp, p);
	return unconst(p);
}

unsigned char *lp_last(const unsigned char *lp)
{
	return lp_prev(lp, lp + lp_bytes(lp) - 1);
}

static unsigned char *seek_forward(const unsigned char *lp, unsigned long nr)
{
	unsigned char *p = lp_first(lp);

	for (; p && nr > 0; nr--)
		p = lp_next(lp, p);
	return p;
}

static unsigned char *seek_backward(const unsigned char *lp, unsigned long nr)
{
	unsigned char *p = lp_last(lp);

	for (; p && nr > 0; nr--)
		p = lp_prev(lp, p);
	return p;
}

unsigned char *lp_seek(const unsigned char *lp, long index)
{
	/* how many elements lie between the wanted one and the end that the sign names */
	unsigned long from_named = index < 0 ? ~(unsigned long)index : (unsigned long)index;
	bool backward = index < 0;
	unsigned long nr = nr_get(lp);

	if (nr != NR_UNKNOWN) {
		if (from_named >= nr)
			return NULL;
		if (from_named > nr / 2) {
			backward = !backward;
			from_named = nr - 1 - from_named;
		}
	}
	return backward ? seek_backward(lp, from_named) : seek_forward(lp, from_named);
}

unsigned char *lp_find(
	const unsigned char *lp, const unsigned char *p, const void *s, size_t len, unsigned skip)
{
	unsigned passing = 0;
	bool is_num;
	int64_t num = 0;

	if (!p)
		return NULL;
	check_inside(lp, p);
	is_num = int_from_str(s, len, &num);
	for (; *p != END_MARK; p += elem_whole(p)) {
		struct lp_val v;

		if (passing > 0) {
			passing--;
			continue;
		}
		passing = skip;
		v = lp_get(p);
		if (v.str ? str_eq(&v, s, len) : is_num && v.num == num)
			return unconst(p);
	}
	return NULL;
}

/* Bytes to read before the size of the element is known. */
static size_t size_bytes(unsigned enc)
{
	return enc == ENC_STR32 ? 5 : enc >= ENC_STR12 && enc < ENC_STR32 ? 2 : 1;
}

/* The size of the element at p, left bytes before the end mark. 0: it is none. */
static size_t elem_valid(const unsigned char *p, size_t left)
{
	unsigned char backlen[BACKLEN_MAX];
	size_t elem, back;

	if (left < size_bytes(*p))
		return 0;
	elem = elem_size(p);
	if (elem == 0)
		return 0;
	back = backlen_put(backlen, elem);
	if (elem + back > left || memcmp(p + elem, backlen, back) != 0)
		return 0;
	return elem + back;
}

bool lp_valid(const unsigned char *lp, size_t size, bool deep)
{
	size_t nr = 0;
	size_t whole;

	if (size < LP_BYTES_EMPTY || lp_bytes(lp) != size || lp[size - 1] != END_MARK)
		return false;
	if (!deep)
		return true;
	for (size_t pos = HEADER_BYTES; pos < size - 1; pos += whole, nr++) {
		whole = elem_valid(lp + pos, size - 1 - pos);
		if (whole == 0)
			return false;
	}
	return nr_get(lp) == NR_UNKNOWN || nr_get(lp) == nr;
}
