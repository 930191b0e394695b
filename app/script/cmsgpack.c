/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmsgpack: MessagePack for scripts, in the forms that Redis' library writes.
 *
 *	nil c0   false c2   true c3   float ca+4   double cb+8 (the shorter if it is exact)
 *	0..127: 00-7f   -32..-1: e0-ff   unsigned cc cd ce cf +1 2 4 8   signed d0 d1 d2 d3 +1 2 4 8
 *	string a0-bf, d9+1, da+2, db+4 bytes of length
 *	array 90-9f, dc+2, dd+4   map 80-8f, de+2, df+4
 *
 * All numbers are big-endian. A table with the keys 1 to n and no others is an array. Tables nested
 * deeper than NESTING_MAX, and what has no form here, are nil. bin and ext are not read.
 */
#include "app/script/packbuf.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#define NESTING_MAX 16

/* --- packing ---------------------------------------------------------------------------------- */

/* A mark and a number of size bytes. */
static void add_marked(struct packbuf *b, uint8_t mark, uint64_t v, int size)
{
	uint8_t bytes[9] = {mark};

	for (int i = 0; i < size; i++)
		bytes[1 + i] = (uint8_t)(v >> 8 * (size - 1 - i));
	packbuf_add(b, bytes, 1 + (size_t)size);
}

static void pack_integer(struct packbuf *b, int64_t n)
{
	if (n >= -32 && n <= 127)
		add_marked(b, (uint8_t)n, 0, 0);
	else if (n > 0 && n <= UINT8_MAX)
		add_marked(b, 0xcc, (uint64_t)n, 1);
	else if (n > 0 && n <= UINT16_MAX)
		add_marked(b, 0xcd, (uint64_t)n, 2);
	else if (n > 0 && n <= UINT32_MAX)
		add_marked(b, 0xce, (uint64_t)n, 4);
	else if (n > 0)
		add_marked(b, 0xcf, (uint64_t)n, 8);
	else if (n >= INT8_MIN)
		add_marked(b, 0xd0, (uint64_t)n, 1);
	else if (n >= INT16_MIN)
		add_marked(b, 0xd1, (uint64_t)n, 2);
	else if (n >= INT32_MIN)
		add_marked(b, 0xd2, (uint64_t)n, 4);
	else
		add_marked(b, 0xd3, (uint64_t)n, 8);
}

static void pack_double(struct packbuf *b, double d)
{
	float f = (float)d;
	uint32_t bits32;
	uint64_t bits64;

	memcpy(&bits32, &f, sizeof(bits32));
	memcpy(&bits64, &d, sizeof(bits64));
	if ((double)f == d)
		add_marked(b, 0xca, bits32, 4);
	else
		add_marked(b, 0xcb, bits64, 8);
}

/* Within int64_t, where 2^63 is not. */
static bool is_integer(double d)
{
	return d >= -0x1p63 && d < 0x1p63 && (double)(int64_t)d == d;
}

static void pack_number(struct packbuf *b, double d)
{
	if (is_integer(d))
		pack_integer(b, (int64_t)d);
	else
		pack_double(b, d);
}

static void pack_string(struct packbuf *b, const char *s, size_t len)
{
	if (len < 32)
		add_marked(b, (uint8_t)(0xa0 | len), 0, 0);
	else if (len <= UINT8_MAX)
		add_marked(b, 0xd9, len, 1);
	else if (len <= UINT16_MAX)
		add_marked(b, 0xda, len, 2);
	else if (len <= UINT32_MAX)
		add_marked(b, 0xdb, len, 4);
	else
		luaL_error(b->L, "string too long for MessagePack");
	packbuf_add(b, s, len);
}

/* Heads of arrays and maps: a short form for up to 15 and two longer ones. */
static void pack_head(struct packbuf *b, uint8_t brief, uint8_t mark, size_t n)
{
	if (n <= 15)
		add_marked(b, (uint8_t)(brief | n), 0, 0);
	else if (n <= UINT16_MAX)
		add_marked(b, mark, n, 2);
	else
		add_marked(b, (uint8_t)(mark + 1), n, 4);
}

static void pack_value(struct packbuf *b, int depth);

/* Has the table on the top the keys 1 to n and no others? *nr: how many keys it has, if not. */
static bool is_array(lua_State *L, size_t *nr)
{
	lua_Number max = 0;
	bool all = true;

	*nr = 0;
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;

		all = all && n > 0 && is_integer(n);
		max = n > max ? n : max;
		++*nr;
	}
	return all && max == (lua_Number)*nr;
}

static void pack_table(struct packbuf *b, int depth)
{
	lua_State *L = b->L;
	size_t nr;

	luaL_checkstack(L, 5, "too many nested tables");
	if (is_array(L, &nr)) {
		pack_head(b, 0x90, 0xdc, nr);
		for (size_t i = 1; i <= nr; i++) {
			lua_pushnumber(L, (lua_Number)i);
			lua_gettable(L, -2);
			pack_value(b, depth + 1);
		}
		return;
	}
	pack_head(b, 0x80, 0xde, nr);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pushvalue(L, -2);
		pack_value(b, depth + 1);
		pack_value(b, depth + 1);
	}
}

/* Takes the value off the stack. */
static void pack_value(struct packbuf *b, int depth)
{
	lua_State *L = b->L;
	int type = lua_type(L, -1);
	size_t len;

	if (type == LUA_TSTRING) {
		const char *s = lua_tolstring(L, -1, &len);

		pack_string(b, s, len);
	} else if (type == LUA_TBOOLEAN) {
		add_marked(b, lua_toboolean(L, -1) ? 0xc3 : 0xc2, 0, 0);
	} else if (type == LUA_TNUMBER) {
		pack_number(b, lua_tonumber(L, -1));
	} else if (type == LUA_TTABLE && depth < NESTING_MAX) {
		pack_table(b, depth);
	} else {
		add_marked(b, 0xc0, 0, 0);
	}
	lua_pop(L, 1);
}

static int pack(lua_State *L)
{
	int nr = lua_gettop(L);
	struct packbuf b;

	if (nr == 0)
		return luaL_argerror(L, 0, "MessagePack pack needs input.");
	if (!lua_checkstack(L, nr))
		return luaL_argerror(L, 0, "Too many arguments for MessagePack pack.");
	packbuf_init(&b, L);
	for (int i = 1; i <= nr; i++) {
		lua_pushvalue(L, i);
		pack_value(&b, 0);
	}
	lua_pushlstring(L, (const char *)b.ptr, b.len);
	return 1;
}

/* --- unpacking -------------------------------------------------------------------------------- */

struct unpacker {
	lua_State *L;
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct unpacker *u, size_t len)
{
	const uint8_t *at = u->at;

	if (len > u->left)
		luaL_error(u->L, "Missing bytes in input.");
	u->at += len;
	u->left -= len;
	return at;
}

static uint64_t take_number(struct unpacker *u, int size)
{
	const uint8_t *at = take(u, (size_t)size);
	uint64_t v = 0;

	for (int i = 0; i < size; i++)
		v = v << 8 | at[i];
	return v;
}

static void unpack_value(struct unpacker *u);

static void unpack_string(struct unpacker *u, uint64_t len)
{
	const uint8_t *at = take(u, len);

	lua_pushlstring(u->L, (const char *)at, len);
}

static void unpack_array(struct unpacker *u, uint64_t nr)
{
	luaL_checkstack(u->L, 4, "in function mp_decode_to_lua_array");
	lua_newtable(u->L);
	for (uint64_t i = 1; i <= nr; i++) {
		lua_pushnumber(u->L, (lua_Number)i);
		unpack_value(u);
		lua_settable(u->L, -3);
	}
}

static void unpack_map(struct unpacker *u, uint64_t nr)
{
	luaL_checkstack(u->L, 4, "in function mp_decode_to_lua_hash");
	lua_newtable(u->L);
	for (uint64_t i = 0; i < nr; i++) {
		unpack_value(u);
		unpack_value(u);
		lua_settable(u->L, -3);
	}
}

static void unpack_float(struct unpacker *u, int size)
{
	uint64_t bits = take_number(u, size);
	uint32_t bits32 = (uint32_t)bits;
	double d;
	float f;

	memcpy(&f, &bits32, sizeof(f));
	memcpy(&d, &bits, sizeof(d));
	lua_pushnumber(u->L, size == 4 ? (double)f : d);
}

/* The marks of one byte that hold a small value. */
static bool unpack_brief(struct unpacker *u, uint8_t mark)
{
	if (mark < 0x80 || mark >= 0xe0)
		lua_pushinteger(u->L, (int8_t)mark);
	else if (mark >= 0xa0 && mark < 0xc0)
		unpack_string(u, mark & 0x1f);
	else if (mark >= 0x90 && mark < 0xa0)
		unpack_array(u, mark & 0xf);
	else if (mark < 0x90)
		unpack_map(u, mark & 0xf);
	else
		return false;
	return true;
}

static void unpack_value(struct unpacker *u)
{
	lua_State *L = u->L;
	uint8_t mark;

	mark = *take(u, 1);
	if (unpack_brief(u, mark))
		return;
	switch (mark) {
	case 0xc0: lua_pushnil(L); break;
	case 0xc2: lua_pushboolean(L, 0); break;
	case 0xc3: lua_pushboolean(L, 1); break;
	case 0xca: unpack_float(u, 4); break;
	case 0xcb: unpack_float(u, 8); break;
	case 0xcc: lua_pushinteger(L, (lua_Integer)take_number(u, 1)); break;
	case 0xcd: lua_pushinteger(L, (lua_Integer)take_number(u, 2)); break;
	case 0xce: lua_pushinteger(L, (lua_Integer)take_number(u, 4)); break;
	case 0xcf: lua_pushinteger(L, (lua_Integer)take_number(u, 8)); break;
	case 0xd0: lua_pushinteger(L, (int8_t)take_number(u, 1)); break;
	case 0xd1: lua_pushinteger(L, (int16_t)take_number(u, 2)); break;
	case 0xd2: lua_pushinteger(L, (int32_t)take_number(u, 4)); break;
	case 0xd3: lua_pushnumber(L, (lua_Number)(int64_t)take_number(u, 8)); break;
	case 0xd9: unpack_string(u, take_number(u, 1)); break;
	case 0xda: unpack_string(u, take_number(u, 2)); break;
	case 0xdb: unpack_string(u, take_number(u, 4)); break;
	case 0xdc: unpack_array(u, take_number(u, 2)); break;
	case 0xdd: unpack_array(u, take_number(u, 4)); break;
	case 0xde: unpack_map(u, take_number(u, 2)); break;
	case 0xdf: unpack_map(u, take_number(u, 4)); break;
	default: luaL_error(L, "Bad data format in input.");
	}
}

/* At most limit values from offset on, or all there are; then the offset behind them comes first.
 */
static int unpack_some(lua_State *L, lua_Integer limit, lua_Integer offset)
{
	bool all = limit == 0 && offset == 0;
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);
	struct unpacker u;
	int nr = 0;

	if (offset < 0 || limit < 0)
		return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.",
			(int)offset, (int)len);
	if ((size_t)offset > len)
		return luaL_error(
			L, "Start offset %d greater than input length %d.", (int)offset, (int)len);
	u = (struct unpacker){L, (const uint8_t *)s + offset, len - (size_t)offset};
	for (; u.left > 0 && (all ? nr < INT_MAX : nr < limit); nr++) {
		luaL_checkstack(L, 1,
			"too many return values at once; use unpack_one or unpack_limit instead.");
		unpack_value(&u);
	}
	if (all)
		return nr;
	luaL_checkstack(L, 1, "too many results");
	lua_pushinteger(L, u.left == 0 ? -1 : (lua_Integer)(len - u.left));
	lua_insert(L, 2);
	return nr + 1;
}

static int unpack_all(lua_State *L)
{
	if (lua_gettop(L) > 1)
		lua_settop(L, 1);
	return unpack_some(L, 0, 0);
}

static int unpack_one(lua_State *L)
{
	lua_Integer offset = luaL_optinteger(L, 2, 0);

	if (lua_gettop(L) > 1)
		lua_settop(L, 1);
	return unpack_some(L, 1, offset);
}

static int unpack_limit(lua_State *L)
{
	lua_Integer limit = luaL_checkinteger(L, 2);
	lua_Integer offset = luaL_optinteger(L, 3, 0);

	lua_settop(L, 1);
	return unpack_some(L, limit, offset);
}

int luaopen_script_cmsgpack(lua_State *L)
{
	static const struct luaL_Reg functions[] = {
		{"pack", pack},
		{"unpack", unpack_all},
		{"unpack_one", unpack_one},
		{"unpack_limit", unpack_limit},
		{NULL, NULL},
	};

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	lua_pushliteral(L, "cmsgpack");
	lua_setfield(L, -2, "_NAME");
	lua_pushliteral(L, "lua-cmsgpack 0.4.0");
	lua_setfield(L, -2, "_VERSION");
	return 1;
}
