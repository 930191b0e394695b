/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bitmaps: strings seen as runs of bits. Bit 0 is the highest of byte 0.
 *
 * Bytes behind the end of a string read as zero, and are made when a bit among them is set.
 */
#include "app/commands/bitmap_cmds.h"

#include "app/commands/keys.h"

#include <stdlib.h>
#include <string.h>

static const char BAD_OFFSET[] = "ERR bit offset is not an integer or out of range";

bool bitmap_offset_arg(struct client *c, const struct slice *arg, unsigned width, uint64_t *offset)
{
	struct slice a = *arg;
	bool indexed = width > 0 && a.len > 0 && a.ptr[0] == '#';
	int64_t v;

	if (indexed) {
		a.ptr++;
		a.len--;
	}
	if (!arg_int(&a, &v) || (indexed && __builtin_mul_overflow(v, (int64_t)width, &v)) || v < 0)
		goto bad;
	/* the bit must lie in a string of the longest kind */
	if (!(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) &&
		v >> 3 >= atomic_load_explicit(
				  &c->srv->cfg->proto_max_bulk_len, memory_order_relaxed))
		goto bad;
	*offset = (uint64_t)v;
	return true;
bad:
	reply_err(c, BAD_OFFSET);
	return false;
}

bool bitmap_edit(
	struct client *c, uint64_t max_bit, unsigned char **bytes, size_t *len, bool *grown)
{
	const struct slice *key = &c->argv[1];
	char buf[KS_INT_STR_MAX];
	char *data;
	bool bad = false;
	struct entry *e = lookup_write_str(c, key, &bad);

	if (bad)
		return false;
	size_t need = (size_t)(max_bit >> 3) + 1;
	size_t old_len = e ? entry_str(e, buf).len : 0;

	*grown = need > old_len;
	*len = *grown ? need : old_len;
	if (!key_edit(c, key, e, *len, &data)) {
		key_no_memory(c, false);
		return false;
	}
	*bytes = (unsigned char *)data;
	return true;
}

void bitmap_cmd_setbit(struct client *c)
{
	unsigned char *bytes;
	uint64_t offset;
	size_t len;
	int64_t bit;
	bool grown;

	if (!bitmap_offset_arg(c, &c->argv[2], 0, &offset))
		return;
	if (!arg_int_range_reply(
		    c, &c->argv[3], 0, 1, &bit, "ERR bit is not an integer or out of range"))
		return;
	if (!bitmap_edit(c, offset, &bytes, &len, &grown))
		return;
	unsigned char mask = (unsigned char)(0x80 >> (offset & 7));
	unsigned char *byte = &bytes[offset >> 3];
	int old = (*byte & mask) != 0;

	*byte = (unsigned char)(bit ? *byte | mask : *byte & ~mask);
	if (grown || old != bit) {
		cmd_notify(c, NOTIFY_STRING, "setbit", &c->argv[1]);
		cmd_dirty(c, 1);
	}
	reply_int(c, old);
}

void bitmap_cmd_getbit(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	uint64_t offset;
	bool bad = false;

	if (!bitmap_offset_arg(c, &c->argv[2], 0, &offset))
		return;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	struct slice s = e ? entry_str(e, buf) : slice_str("");
	bool set =
		offset >> 3 < s.len && ((unsigned char)s.ptr[offset >> 3] & (0x80 >> (offset & 7)));

	reply_int(c, set);
}

/* --- BITCOUNT and BITPOS ---------------------------------------------------------------------- */

static uint64_t load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int64_t count_bytes(const unsigned char *p, size_t len)
{
	int64_t n = 0;

	for (; len >= 8; p += 8, len -= 8)
		n += __builtin_popcountll(load64(p));
	for (; len > 0; p++, len--)
		n += __builtin_popcount(*p);
	return n;
}

/* The bits of byte i of [first, last], both in bits: the others are zero. */
static unsigned char mask_of(int64_t i, int64_t first, int64_t last)
{
	unsigned mask = 0xff;

	if (i == first >> 3)
		mask &= 0xffu >> (first & 7);
	if (i == last >> 3)
		mask &= 0xffu << (7 - (last & 7));
	return (unsigned char)mask;
}

/* A range of bits, both ends included. */
struct range {
	int64_t first, last;
	bool empty;
};

/* Makes a range of bits of two indexes, which may count from the end, in bytes or bits of
 * len_bytes. */
static struct range range_of(int64_t start, int64_t end, bool bits, size_t len_bytes)
{
	int64_t len = (int64_t)len_bytes * (bits ? 8 : 1);
	struct range r = {0};

	if (start < 0)
		start = start + len > 0 ? start + len : 0;
	if (end < 0)
		end = end + len > 0 ? end + len : 0;
	if (end >= len)
		end = len - 1;
	r.empty = start > end;
	if (r.empty)
		return r;
	r.first = bits ? start : start * 8;
	r.last = bits ? end : end * 8 + 7;
	return r;
}

/* Reads BYTE or BIT from argv[i], if it is there. */
static bool unit_arg(struct client *c, uint32_t i, bool *bits)
{
	if (i >= c->argc || arg_is(&c->argv[i], "byte"))
		return true;
	if (arg_is(&c->argv[i], "bit")) {
		*bits = true;
		return true;
	}
	reply_err(c, REPLY_SYNTAX);
	return false;
}

static int64_t count_range(const unsigned char *p, const struct range *r)
{
	int64_t first = r->first >> 3, last = r->last >> 3;

	if (first == last)
		return __builtin_popcount(p[first] & mask_of(first, r->first, r->last));
	return __builtin_popcount(p[first] & mask_of(first, r->first, r->last)) +
	       count_bytes(p + first + 1, (size_t)(last - first - 1)) +
	       __builtin_popcount(p[last] & mask_of(last, r->first, r->last));
}

void bitmap_cmd_bitcount(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	int64_t start = 0, end = -1;
	bool bad = false, bits = false;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	if (!e) {
		reply_int(c, 0);
		return;
	}
	struct slice s = entry_str(e, buf);

	if (c->argc == 3 || c->argc > 5) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc > 3) {
		if (!arg_int_reply(c, &c->argv[2], &start) || !arg_int_reply(c, &c->argv[3], &end))
			return;
		if (start < 0 && end < 0 && start > end) {
			reply_int(c, 0);
			return;
		}
		if (!unit_arg(c, 4, &bits))
			return;
	}
	struct range r = range_of(start, end, bits, s.len);

	reply_int(c, r.empty ? 0 : count_range((const unsigned char *)s.ptr, &r));
}

/* The first bit of that value within the range, or -1. */
static int64_t find_bit(const unsigned char *p, const struct range *r, bool bit)
{
	unsigned char flip = bit ? 0 : 0xff;
	int64_t first = r->first >> 3, last = r->last >> 3;

	for (int64_t i = first; i <= last; i++) {
		if (i > first && last - i > 8) {
			uint64_t skip = bit ? 0 : UINT64_MAX;

			while (last - i > 8 && load64(p + i) == skip)
				i += 8;
		}
		unsigned char found = (unsigned char)(p[i] ^ flip) & mask_of(i, r->first, r->last);

		if (found)
			return i * 8 + __builtin_clz(found) - 24;
	}
	return -1;
}

void bitmap_cmd_bitpos(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	int64_t bit, start = 0, end = -1;
	bool bad = false, bits = false;

	if (!arg_int_reply(c, &c->argv[2], &bit))
		return;
	if (bit != 0 && bit != 1) {
		reply_err(c, "ERR The bit argument must be 1 or 0.");
		return;
	}
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	if (!e) {
		reply_int(c, bit ? -1 : 0);
		return;
	}
	struct slice s = entry_str(e, buf);

	if (c->argc > 6) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc > 3 && !arg_int_reply(c, &c->argv[3], &start))
		return;
	if (c->argc > 5 && !unit_arg(c, 5, &bits))
		return;
	if (c->argc > 4 && !arg_int_reply(c, &c->argv[4], &end))
		return;
	struct range r = range_of(start, end, bits, s.len);
	int64_t pos = r.empty ? -1 : find_bit((const unsigned char *)s.ptr, &r, bit);

	/* without an end, zeros follow the string for ever */
	if (pos < 0 && !bit && !r.empty && c->argc < 5)
		pos = (int64_t)s.len * 8;
	reply_int(c, pos);
}

/* --- BITOP ------------------------------------------------------------------------------------ */

enum bitop {
	BITOP_AND,
	BITOP_OR,
	BITOP_XOR,
	BITOP_NOT,
};

static bool bitop_arg(struct client *c, enum bitop *op)
{
	static const char *const words[] = {"and", "or", "xor", "not"};

	for (unsigned i = 0; i < 4; i++) {
		if (!arg_is(&c->argv[1], words[i]))
			continue;
		*op = (enum bitop)i;
		if (*op == BITOP_NOT && c->argc != 4) {
			reply_err(c, "ERR BITOP NOT must be called with a single source key.");
			return false;
		}
		return true;
	}
	reply_err(c, REPLY_SYNTAX);
	return false;
}

/* Joins one source to out, of len bytes. The source counts as zeros behind its end. */
static void bitop_join(enum bitop op, unsigned char *out, size_t len, const struct slice *src)
{
	const unsigned char *s = (const unsigned char *)src->ptr;
	size_t n = src->len < len ? src->len : len;

	switch (op) {
	case BITOP_AND:
		for (size_t i = 0; i < n; i++)
			out[i] &= s[i];
		memset(out + n, 0, len - n);
		return;
	case BITOP_OR:
		for (size_t i = 0; i < n; i++)
			out[i] |= s[i];
		return;
	case BITOP_XOR:
		for (size_t i = 0; i < n; i++)
			out[i] ^= s[i];
		return;
	case BITOP_NOT:
		for (size_t i = 0; i < n; i++)
			out[i] = (unsigned char)~s[i];
		return;
	}
}

/* Computes the result. Returns it, owned by the caller, or NULL after replying an error or when
 * *len is 0. */
static unsigned char *bitop_result(struct client *c, enum bitop op, size_t *len)
{
	char buf[KS_INT_STR_MAX];
	unsigned char *out;
	size_t max = 0;

	for (uint32_t i = 3; i < c->argc; i++) {
		bool bad = false;
		struct entry *e = lookup_read_str(c, &c->argv[i], &bad);

		*len = 1; /* an error is not an empty result */
		if (bad)
			return NULL;
		size_t n = e ? entry_str(e, buf).len : 0;

		max = n > max ? n : max;
	}
	*len = max;
	if (max == 0)
		return NULL;
	out = calloc(1, max);
	if (!out) {
		key_no_memory(c, false);
		return NULL;
	}
	for (uint32_t i = 3; i < c->argc; i++) {
		struct entry *e = lookup_db(c, c->db, &c->argv[i], false);
		struct slice s = e ? entry_str(e, buf) : slice_str("");

		bitop_join(i == 3 && op != BITOP_NOT ? BITOP_OR : op, out, max, &s);
	}
	return out;
}

void bitmap_cmd_bitop(struct client *c)
{
	const struct slice *dest = &c->argv[2];
	enum bitop op;
	size_t len;

	if (!bitop_arg(c, &op))
		return;
	unsigned char *out = bitop_result(c, op, &len);

	if (!out && len > 0)
		return;
	if (len > 0) {
		if (!key_store(c, dest, out, len, KS_RAW)) {
			free(out);
			key_no_memory(c, false);
			return;
		}
		cmd_notify(c, NOTIFY_STRING, "set", dest);
		cmd_dirty(c, 1);
	} else if (key_clear(c, c->db, dest)) {
		cmd_notify(c, NOTIFY_GENERIC, "del", dest);
		cmd_dirty(c, 1);
	}
	free(out);
	reply_int(c, (int64_t)len);
}
