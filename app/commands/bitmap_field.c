/* SPDX-License-Identifier: BSD-3-Clause
 *
 * BITFIELD: integers of any width at any bit of a string.
 *
 *   byte      0        1        2
 *          01234567 89abcdef ........     bit 0 is the highest of byte 0
 *             [--- u10 at 3 --]           the field's first bit is its highest
 *
 * All subcommands are read before the first one runs, so a wrong one changes nothing. Nine bytes
 * hold any field: sums are made in 128 bits, where they cannot overflow.
 */
#include "app/commands/bitmap_cmds.h"

#include "app/commands/keys.h"

#include <stdlib.h>

enum field_op {
	FIELD_GET,
	FIELD_SET,
	FIELD_INCRBY,
};

enum field_overflow {
	OVERFLOW_WRAP,
	OVERFLOW_SAT,
	OVERFLOW_FAIL,
};

struct field {
	enum field_op op;
	enum field_overflow overflow;
	bool is_signed;
	unsigned width; /* bits: 1-64, 1-63 when unsigned */
	uint64_t offset;
	int64_t arg;
};

struct fields {
	struct field *f; /* owned */
	uint32_t nr;
	bool writes;
	uint64_t max_bit; /* the highest that is written */
};

/* --- fields in bytes -------------------------------------------------------------------------- */

static uint64_t width_mask(unsigned width)
{
	return width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
}

static unsigned span_bytes(const struct field *f)
{
	return ((unsigned)(f->offset & 7) + f->width + 7) / 8;
}

/* Bits that lie below the field in its bytes. */
static unsigned low_bits(const struct field *f)
{
	return span_bytes(f) * 8 - (unsigned)(f->offset & 7) - f->width;
}

/* The bytes that the field touches as one number; those behind the end are zero. */
static unsigned __int128 span_load(const struct field *f, const unsigned char *p, size_t len)
{
	unsigned __int128 v = 0;
	size_t at = (size_t)(f->offset >> 3);

	for (unsigned i = 0; i < span_bytes(f); i++)
		v = v << 8 | (at + i < len ? p[at + i] : 0);
	return v;
}

static __int128 field_load(const struct field *f, const unsigned char *p, size_t len)
{
	uint64_t v = (uint64_t)(span_load(f, p, len) >> low_bits(f)) & width_mask(f->width);

	if (f->is_signed && v >> (f->width - 1))
		return (int64_t)(v | ~width_mask(f->width));
	return v;
}

/* All bytes of the field lie within the string. */
static void field_store(const struct field *f, unsigned char *p, size_t len, uint64_t v)
{
	unsigned __int128 mask = (unsigned __int128)width_mask(f->width) << low_bits(f);
	unsigned __int128 bits = (unsigned __int128)v << low_bits(f);
	unsigned __int128 span = (span_load(f, p, len) & ~mask) | (bits & mask);
	size_t at = (size_t)(f->offset >> 3);

	for (unsigned i = span_bytes(f); i > 0; i--, span >>= 8)
		p[at + i - 1] = (unsigned char)span;
}

/* Brings *v into the field's range. Returns false when it is not in it and must fail. */
static bool field_fit(const struct field *f, __int128 *v)
{
	__int128 one = 1;
	__int128 max = f->is_signed ? (one << (f->width - 1)) - 1 : (one << f->width) - 1;
	__int128 min = f->is_signed ? -(one << (f->width - 1)) : 0;

	if (*v >= min && *v <= max)
		return true;
	if (f->overflow == OVERFLOW_FAIL)
		return false;
	if (f->overflow == OVERFLOW_SAT) {
		*v = *v > max ? max : min;
		return true;
	}
	uint64_t bits = (uint64_t)*v & width_mask(f->width);

	if (f->is_signed && bits >> (f->width - 1))
		*v = (int64_t)(bits | ~width_mask(f->width));
	else
		*v = bits;
	return true;
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool type_arg(struct client *c, const struct slice *a, struct field *f)
{
	struct slice digits = {.ptr = a->ptr + 1, .len = a->len - 1};
	int64_t width;

	f->is_signed = a->len > 0 && a->ptr[0] == 'i';
	if (a->len < 2 || (!f->is_signed && a->ptr[0] != 'u') || !arg_int(&digits, &width) ||
		width < 1 || width > (f->is_signed ? 64 : 63)) {
		reply_err(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
			     "is not supported but i64 is.");
		return false;
	}
	f->width = (unsigned)width;
	return true;
}

static bool overflow_arg(struct client *c, const struct slice *a, enum field_overflow *overflow)
{
	if (arg_is(a, "wrap")) {
		*overflow = OVERFLOW_WRAP;
	} else if (arg_is(a, "sat")) {
		*overflow = OVERFLOW_SAT;
	} else if (arg_is(a, "fail")) {
		*overflow = OVERFLOW_FAIL;
	} else {
		reply_err(c, "ERR Invalid OVERFLOW type specified");
		return false;
	}
	return true;
}

/* Reads the subcommand's name. Returns its number of arguments, or 0 when there is no such
 * subcommand. */
static uint32_t op_arg(const struct slice *a, enum field_op *op)
{
	if (arg_is(a, "get")) {
		*op = FIELD_GET;
		return 2;
	}
	if (arg_is(a, "set")) {
		*op = FIELD_SET;
		return 3;
	}
	if (arg_is(a, "incrby")) {
		*op = FIELD_INCRBY;
		return 3;
	}
	return 0;
}

static bool parse_fields(struct client *c, struct fields *fs)
{
	enum field_overflow overflow = OVERFLOW_WRAP;

	for (uint32_t i = 2; i < c->argc; i++) {
		struct field *f = &fs->f[fs->nr];
		uint32_t left = c->argc - i - 1;

		if (left >= 1 && arg_is(&c->argv[i], "overflow")) {
			if (!overflow_arg(c, &c->argv[++i], &overflow))
				return false;
			continue;
		}
		uint32_t nr_args = op_arg(&c->argv[i], &f->op);

		if (nr_args == 0 || nr_args > left) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
		f->overflow = overflow;
		f->arg = 0;
		if (!type_arg(c, &c->argv[i + 1], f) ||
			!bitmap_offset_arg(c, &c->argv[i + 2], f->width, &f->offset))
			return false;
		if (f->op != FIELD_GET) {
			uint64_t last = f->offset + f->width - 1;

			if (!arg_int_reply(c, &c->argv[i + 3], &f->arg))
				return false;
			fs->max_bit = last > fs->max_bit ? last : fs->max_bit;
			fs->writes = true;
		}
		i += nr_args;
		fs->nr++;
	}
	return true;
}

/* --- execution -------------------------------------------------------------------------------- */

static void run_gets(struct client *c, const struct fields *fs)
{
	char buf[KS_INT_STR_MAX];
	bool bad = false;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	struct slice s = e ? entry_str(e, buf) : slice_str("");

	reply_array(c, fs->nr);
	for (uint32_t i = 0; i < fs->nr; i++)
		reply_int(c, (int64_t)field_load(&fs->f[i], (const unsigned char *)s.ptr, s.len));
}

/* Runs one subcommand and replies. Returns whether it changed anything. */
static bool run_field(struct client *c, const struct field *f, unsigned char *p, size_t len)
{
	__int128 old = field_load(f, p, len), v;

	if (f->op == FIELD_GET) {
		reply_int(c, (int64_t)old);
		return false;
	}
	if (f->op == FIELD_INCRBY)
		v = old + f->arg;
	else /* what does not fit a signed field counts as a large number in an unsigned one */
		v = f->is_signed ? (__int128)f->arg : (__int128)(uint64_t)f->arg;
	if (!field_fit(f, &v)) {
		reply_null(c);
		return false;
	}
	field_store(f, p, len, (uint64_t)v);
	reply_int(c, (int64_t)(f->op == FIELD_SET ? old : v));
	return v != old;
}

static void run_writes(struct client *c, const struct fields *fs)
{
	unsigned char *p;
	size_t len;
	uint64_t changes = 0;
	bool grown;

	if (!bitmap_edit(c, fs->max_bit, &p, &len, &grown))
		return;
	reply_array(c, fs->nr);
	for (uint32_t i = 0; i < fs->nr; i++)
		changes += run_field(c, &fs->f[i], p, len);
	/* A string that grew has changed, even if every write failed. redis-server keeps that to
	 * itself, and its replicas differ from then on. */
	if (changes || grown)
		cmd_dirty(c, changes ? changes : 1);
	if (changes)
		cmd_notify(c, NOTIFY_STRING, "setbit", &c->argv[1]);
}

static void bitfield(struct client *c, bool readonly)
{
	struct fields fs = {0};

	fs.f = calloc(c->argc / 2 + 1, sizeof(*fs.f));
	if (!fs.f) {
		key_no_memory(c, false);
		return;
	}
	if (parse_fields(c, &fs)) {
		if (!fs.writes)
			run_gets(c, &fs);
		else if (readonly)
			reply_err(c, "ERR BITFIELD_RO only supports the GET subcommand");
		else
			run_writes(c, &fs);
	}
	free(fs.f);
}

void bitmap_cmd_bitfield(struct client *c)
{
	bitfield(c, false);
}

void bitmap_cmd_bitfield_ro(struct client *c)
{
	bitfield(c, true);
}
