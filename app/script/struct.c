/* SPDX-License-Identifier: BSD-3-Clause
 *
 * struct: C's structures for scripts, by a format of one letter a field.
 *
 *	> < big, little endian (at first: the machine's)    blank: nothing
 *	![n] align to at most n, a power of two (8)    x a zero byte
 *	b B char    h H short    l L long    T size_t    i I [n] integer of n bytes (4)
 *	f float    d double    s string ending in a zero    c [n] n characters (1); c0: all of the
 *	argument, or as many as the number before says
 *
 * Alignment is 1 until told otherwise. Small letters are signed.
 */
#include "app/script/lua_lib.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define INT_BYTES_MAX 32
#define ALIGN_NATIVE  8

struct format {
	lua_State *L;
	const char *at;
	bool big;
	size_t align;
};

static void format_init(struct format *f, lua_State *L)
{
	*f = (struct format){L, luaL_checkstring(L, 1), false, 1};
}

/* The number that follows, if one does. */
static size_t format_number(struct format *f, size_t otherwise)
{
	int n = 0;

	if (!isdigit((unsigned char)*f->at))
		return otherwise;
	for (; isdigit((unsigned char)*f->at); f->at++) {
		int digit = *f->at - '0';

		if (n > (INT_MAX - digit) / 10)
			luaL_error(f->L, "integral size overflow");
		n = n * 10 + digit;
	}
	return (size_t)n;
}

/* Bytes of a field; 0: of none, or it depends. */
static size_t field_size(struct format *f, char opt)
{
	size_t size;

	switch (opt) {
	case 'b':
	case 'B':
	case 'x': return 1;
	case 'h':
	case 'H': return sizeof(short);
	case 'l':
	case 'L': return sizeof(long);
	case 'T': return sizeof(size_t);
	case 'f': return sizeof(float);
	case 'd': return sizeof(double);
	case 'c': return format_number(f, 1);
	case 'i':
	case 'I':
		size = format_number(f, sizeof(int));
		if (size > INT_BYTES_MAX)
			luaL_error(f->L, "integral size %d is larger than limit of %d", (int)size,
				INT_BYTES_MAX);
		return size;
	default: return 0;
	}
}

/* Bytes to skip at pos, so that the field is aligned. */
static size_t padding(const struct format *f, char opt, size_t size, size_t pos)
{
	if (size == 0 || opt == 'c')
		return 0;
	if (size > f->align)
		size = f->align;
	return (size - (pos & (size - 1))) & (size - 1);
}

static void control(struct format *f, char opt)
{
	size_t align;

	switch (opt) {
	case ' ': break;
	case '>': f->big = true; break;
	case '<': f->big = false; break;
	case '!':
		align = format_number(f, ALIGN_NATIVE);
		if (align == 0 || (align & (align - 1)))
			luaL_error(f->L, "alignment %d is not a power of 2", (int)align);
		f->align = align;
		break;
	default: luaL_argerror(f->L, 1, lua_pushfstring(f->L, "invalid format option '%c'", opt));
	}
}

static bool is_integer_option(char opt)
{
	return opt && strchr("bBhHlLTiI", opt);
}

/* --- packing ---------------------------------------------------------------------------------- */

/* The bytes of src, which are in the machine's order, little-endian, in the format's. */
static void add_ordered(luaL_Buffer *b, const struct format *f, const uint8_t *src, size_t size)
{
	for (size_t i = 0; i < size; i++)
		luaL_addchar(b, (char)src[f->big ? size - 1 - i : i]);
}

/* As a C program on this machine makes an integer of a number. */
static uint64_t to_bits(lua_Number n)
{
	if (n < 0)
		return n >= -0x1p63 ? (uint64_t)(int64_t)n : (uint64_t)INT64_MIN;
	return n < 0x1p64 ? (uint64_t)n : 0;
}

static void pack_number(luaL_Buffer *b, const struct format *f, char opt, size_t size, int arg)
{
	lua_Number n = luaL_checknumber(f->L, arg);
	uint8_t bytes[INT_BYTES_MAX] = {0};
	float single = (float)n;

	if (opt == 'f') {
		memcpy(bytes, &single, sizeof(single));
	} else if (opt == 'd') {
		memcpy(bytes, &n, sizeof(n));
	} else {
		uint64_t bits = to_bits(n);

		memcpy(bytes, &bits, sizeof(bits));
	}
	add_ordered(b, f, bytes, size);
}

/* Returns how many bytes it has added. */
static size_t pack_string(luaL_Buffer *b, lua_State *L, char opt, size_t size, int arg)
{
	size_t len;
	const char *s = luaL_checklstring(L, arg, &len);

	if (size == 0)
		size = len;
	luaL_argcheck(L, len >= size, arg + 1, "string too short");
	luaL_addlstring(b, s, size);
	if (opt == 's')
		luaL_addchar(b, '\0');
	return size + (opt == 's');
}

static int struct_pack(lua_State *L)
{
	size_t total = 0;
	struct format f;
	luaL_Buffer b;
	int arg = 2;

	format_init(&f, L);
	lua_pushnil(L); /* what the buffer puts on the stack is no argument */
	luaL_buffinit(L, &b);
	while (*f.at) {
		char opt = *f.at++;
		size_t size = field_size(&f, opt);
		size_t pad = padding(&f, opt, size, total);

		total += pad;
		while (pad-- > 0)
			luaL_addchar(&b, '\0');
		if (opt == 'x')
			luaL_addchar(&b, '\0');
		else if (opt == 'f' || opt == 'd' || is_integer_option(opt))
			pack_number(&b, &f, opt, size, arg++);
		else if (opt == 'c' || opt == 's')
			size = pack_string(&b, L, opt, size, arg++);
		else
			control(&f, opt);
		total += size;
	}
	luaL_pushresult(&b);
	return 1;
}

/* --- unpacking -------------------------------------------------------------------------------- */

static void unpack_number(const struct format *f, char opt, const char *data, size_t size)
{
	uint8_t bytes[INT_BYTES_MAX];
	uint64_t bits = 0;
	float single;
	double d;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)data[f->big ? size - 1 - i : i];
	if (opt == 'f') {
		memcpy(&single, bytes, sizeof(single));
		lua_pushnumber(f->L, single);
		return;
	}
	if (opt == 'd') {
		memcpy(&d, bytes, sizeof(d));
		lua_pushnumber(f->L, d);
		return;
	}
	memcpy(&bits, bytes, size < sizeof(bits) ? size : sizeof(bits));
	if (!islower((unsigned char)opt)) {
		lua_pushnumber(f->L, (lua_Number)bits);
		return;
	}
	if (size > 0 && size < sizeof(bits) && bits >> (8 * size - 1))
		bits |= UINT64_MAX << 8 * size;
	lua_pushnumber(f->L, (lua_Number)(int64_t)bits);
}

static void check_room(lua_State *L, size_t len, size_t pos, size_t size)
{
	luaL_argcheck(L, size <= len && pos <= len - size, 2, "data string too short");
}

/* A string; c0 has its length on the stack. Returns its bytes. */
static size_t unpack_string(
	lua_State *L, char opt, const char *data, size_t len, size_t pos, size_t size, int *nr)
{
	const char *end;

	if (opt == 's') {
		end = memchr(data + pos, '\0', len - pos);
		if (!end)
			luaL_error(L, "unfinished string in data");
		lua_pushlstring(L, data + pos, (size_t)(end - (data + pos)));
		return (size_t)(end - (data + pos)) + 1;
	}
	if (size == 0) {
		if (*nr == 0 || !lua_isnumber(L, -1))
			luaL_error(L, "format 'c0' needs a previous size");
		lua_Number n = lua_tonumber(L, -1);

		luaL_argcheck(L, n >= 0 && n <= (lua_Number)len, 2, "data string too short");
		size = (size_t)n;
		lua_pop(L, 1);
		--*nr;
		check_room(L, len, pos, size);
	}
	lua_pushlstring(L, data + pos, size);
	return size;
}

static int struct_unpack(lua_State *L)
{
	struct format f;
	size_t len, pos;
	const char *data;
	lua_Integer from;
	int nr = 0;

	format_init(&f, L);
	data = luaL_checklstring(L, 2, &len);
	from = luaL_optinteger(L, 3, 1);
	luaL_argcheck(L, from != 0, 3, "offset must be 1 or greater");
	pos = (size_t)from - 1; /* one below 0 is behind all data */
	while (*f.at) {
		char opt = *f.at++;
		size_t size = field_size(&f, opt);

		pos += padding(&f, opt, size, pos);
		check_room(L, len, pos, size);
		luaL_checkstack(L, 2, "too many results");
		if (opt == 'f' || opt == 'd' || is_integer_option(opt)) {
			unpack_number(&f, opt, data + pos, size);
			nr++;
		} else if (opt == 'c' || opt == 's') {
			size = unpack_string(L, opt, data, len, pos, size, &nr);
			nr++;
		} else if (opt != 'x') {
			control(&f, opt);
		}
		pos += size;
	}
	lua_pushinteger(L, (lua_Integer)pos + 1);
	return nr + 1;
}

static int struct_size(lua_State *L)
{
	struct format f;
	size_t pos = 0;

	format_init(&f, L);
	while (*f.at) {
		char opt = *f.at++;
		size_t size = field_size(&f, opt);

		pos += padding(&f, opt, size, pos);
		if (opt == 's')
			return luaL_argerror(L, 1, "option 's' has no fixed size");
		if (opt == 'c' && size == 0)
			return luaL_argerror(L, 1, "option 'c0' has no fixed size");
		if (!isalnum((unsigned char)opt))
			control(&f, opt);
		pos += size;
	}
	lua_pushinteger(L, (lua_Integer)pos);
	return 1;
}

int luaopen_script_struct(lua_State *L)
{
	static const struct luaL_Reg functions[] = {
		{"pack", struct_pack},
		{"unpack", struct_unpack},
		{"size", struct_size},
		{NULL, NULL},
	};

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	return 1;
}
