/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cjson: Debian's, but for the encoder. That one reckons lengths in int, so that a long string
 * makes it write beyond its buffer; this one writes the same text, and its buffer is Lua's.
 *
 * A table whose keys are all whole numbers from 1 on is an array, with null where nothing is; one
 * with too many holes (encode_sparse_array) is an error, or an object. An empty table is an object.
 *
 * Upvalue 1 of the encoder's functions is their table's settings, a struct json_conf.
 */
#include "app/script/packbuf.h"

#include <limits.h>
#include <lua-cjson.h>
#include <math.h>
#include <stdio.h>

#define PRECISION_MAX 14

enum invalid_numbers { INVALID_REFUSED, INVALID_WRITTEN, INVALID_NULL };

struct json_conf {
	bool convert; /* arrays with too many holes become objects */
	int ratio, safe;
	int max_depth;
	int precision;
	bool keep_buffer; /* accepted, without a meaning */
	enum invalid_numbers invalid;
};

static const struct json_conf defaults = {false, 2, 10, 1000, PRECISION_MAX, true, INVALID_REFUSED};

struct encoder {
	struct packbuf b;
	const struct json_conf *conf;
};

/* --- encoding --------------------------------------------------------------------------------- */

static void put(struct encoder *e, const char *text, size_t len)
{
	packbuf_add(&e->b, text, len);
}

#define PUT(e, text) put(e, text, sizeof(text) - 1)

/* The value at the index cannot be written. */
static void refuse(struct encoder *e, int idx, const char *why)
{
	luaL_error(e->b.L, "Cannot serialise %s: %s", luaL_typename(e->b.L, idx), why);
}

/* What stands for a byte in a string; NULL: it stands for itself. */
static const char *escape_of(unsigned char ch, char hex[7])
{
	switch (ch) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '/': return "\\/";
	case '\b': return "\\b";
	case '\t': return "\\t";
	case '\n': return "\\n";
	case '\f': return "\\f";
	case '\r': return "\\r";
	case 127: return "\\u007f";
	default:
		if (ch >= ' ')
			return NULL;
		snprintf(hex, 7, "\\u%04x", ch);
		return hex;
	}
}

static void encode_string(struct encoder *e, int idx)
{
	size_t len, from = 0;
	const char *s = lua_tolstring(e->b.L, idx, &len);
	char hex[7];

	PUT(e, "\"");
	for (size_t i = 0; i < len; i++) {
		const char *escape = escape_of((unsigned char)s[i], hex);

		if (!escape)
			continue;
		put(e, s + from, i - from);
		put(e, escape, strlen(escape));
		from = i + 1;
	}
	put(e, s + from, len - from);
	PUT(e, "\"");
}

static void encode_number(struct encoder *e, int idx)
{
	lua_Number n = lua_tonumber(e->b.L, idx);
	char text[64];

	if (isfinite(n) || (isinf(n) && e->conf->invalid == INVALID_WRITTEN))
		put(e, text, (size_t)snprintf(text, sizeof(text), "%.*g", e->conf->precision, n));
	else if (e->conf->invalid == INVALID_WRITTEN)
		PUT(e, "nan");
	else if (e->conf->invalid == INVALID_NULL)
		PUT(e, "null");
	else
		refuse(e, idx, "must not be NaN or Inf");
}

static void encode_value(struct encoder *e, int depth);

/* The array's length of the table on the top; 0: it is none. */
static int array_length(struct encoder *e)
{
	lua_State *L = e->b.L;
	int64_t max = 0, nr = 0;

	lua_pushnil(L);
	for (; lua_next(L, -2); nr++) {
		lua_Number n = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;

		if (!(n >= 1 && n <= INT_MAX) || floor(n) != n) {
			lua_pop(L, 2);
			return 0;
		}
		max = (int64_t)n > max ? (int64_t)n : max;
		lua_pop(L, 1);
	}
	if (e->conf->ratio == 0 || max <= e->conf->safe || max <= nr * e->conf->ratio)
		return (int)max;
	if (!e->conf->convert)
		refuse(e, -1, "excessively sparse array");
	return 0;
}

static void encode_array(struct encoder *e, int len, int depth)
{
	PUT(e, "[");
	for (int i = 1; i <= len; i++) {
		if (i > 1)
			PUT(e, ",");
		lua_rawgeti(e->b.L, -1, i);
		encode_value(e, depth);
	}
	PUT(e, "]");
}

static void encode_object(struct encoder *e, int depth)
{
	lua_State *L = e->b.L;
	bool is_first = true;

	PUT(e, "{");
	for (lua_pushnil(L); lua_next(L, -2); is_first = false) {
		if (!is_first)
			PUT(e, ",");
		if (lua_type(L, -2) == LUA_TNUMBER) {
			PUT(e, "\"");
			encode_number(e, -2);
			PUT(e, "\":");
		} else if (lua_type(L, -2) == LUA_TSTRING) {
			encode_string(e, -2);
			PUT(e, ":");
		} else {
			refuse(e, -2, "table key must be a number or string");
		}
		encode_value(e, depth);
	}
	PUT(e, "}");
}

static void encode_table(struct encoder *e, int depth)
{
	int len;

	if (depth > e->conf->max_depth || !lua_checkstack(e->b.L, 6))
		luaL_error(e->b.L, "Cannot serialise, excessive nesting (%d)", depth);
	len = array_length(e);
	if (len > 0)
		encode_array(e, len, depth);
	else
		encode_object(e, depth);
}

/* Takes the value off the stack. */
static void encode_value(struct encoder *e, int depth)
{
	lua_State *L = e->b.L;

	switch (lua_type(L, -1)) {
	case LUA_TSTRING: encode_string(e, -1); break;
	case LUA_TNUMBER: encode_number(e, -1); break;
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, -1))
			PUT(e, "true");
		else
			PUT(e, "false");
		break;
	case LUA_TTABLE: encode_table(e, depth + 1); break;
	case LUA_TNIL: PUT(e, "null"); break;
	default:
		if (lua_type(L, -1) != LUA_TLIGHTUSERDATA || lua_touserdata(L, -1))
			refuse(e, -1, "type not supported");
		PUT(e, "null");
		break;
	}
	lua_pop(L, 1);
}

static struct json_conf *conf_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static int json_encode(lua_State *L)
{
	struct encoder e = {.conf = conf_of(L)};

	luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
	packbuf_init(&e.b, L);
	lua_pushvalue(L, 1);
	encode_value(&e, 0);
	lua_pushlstring(L, (const char *)e.b.ptr, e.b.len);
	return 1;
}

/* --- settings --------------------------------------------------------------------------------- */

/* At most nr arguments; those that are left out are nil. */
static void take_options(lua_State *L, int nr)
{
	luaL_argcheck(L, lua_gettop(L) <= nr, nr + 1, "found too many arguments");
	lua_settop(L, nr);
}

/* The option at the index, if it is there; replies with what it is then. */
static int option_int(lua_State *L, int idx, int was, int min, int max)
{
	if (!lua_isnil(L, idx)) {
		lua_Integer n = luaL_checkinteger(L, idx);
		const char *text =
			lua_pushfstring(L, "expected integer between %d and %d", min, max);

		luaL_argcheck(L, min <= n && n <= max, 1, text);
		lua_pop(L, 1);
		was = (int)n;
	}
	lua_pushinteger(L, was);
	return was;
}

/* A boolean, or one of the words: "off", "on" and perhaps a third. */
static int option_word(lua_State *L, int idx, int was, const char *third)
{
	const char *const words[] = {"off", "on", third, NULL};

	if (lua_isboolean(L, idx))
		was = lua_toboolean(L, idx);
	else if (!lua_isnil(L, idx))
		was = luaL_checkoption(L, idx, NULL, words);
	if (was < 2)
		lua_pushboolean(L, was);
	else
		lua_pushstring(L, third);
	return was;
}

static int encode_sparse_array(lua_State *L)
{
	struct json_conf *conf = conf_of(L);

	take_options(L, 3);
	conf->convert = option_word(L, 1, conf->convert, NULL);
	conf->ratio = option_int(L, 2, conf->ratio, 0, INT_MAX);
	conf->safe = option_int(L, 3, conf->safe, 0, INT_MAX);
	return 3;
}

static int encode_max_depth(lua_State *L)
{
	struct json_conf *conf = conf_of(L);

	take_options(L, 1);
	conf->max_depth = option_int(L, 1, conf->max_depth, 1, INT_MAX);
	return 1;
}

static int encode_number_precision(lua_State *L)
{
	struct json_conf *conf = conf_of(L);

	take_options(L, 1);
	conf->precision = option_int(L, 1, conf->precision, 1, PRECISION_MAX);
	return 1;
}

static int encode_keep_buffer(lua_State *L)
{
	struct json_conf *conf = conf_of(L);

	take_options(L, 1);
	conf->keep_buffer = option_word(L, 1, conf->keep_buffer, NULL);
	return 1;
}

static int encode_invalid_numbers(lua_State *L)
{
	struct json_conf *conf = conf_of(L);

	take_options(L, 1);
	conf->invalid = (enum invalid_numbers)option_word(L, 1, (int)conf->invalid, "null");
	return 1;
}

/* --- the table -------------------------------------------------------------------------------- */

static int json_new(lua_State *L);

/* In the library's table on the top: the encoder and its settings, and a `new` that does the same.
 */
static void set_encoder(lua_State *L)
{
	static const struct luaL_Reg functions[] = {
		{"encode", json_encode},
		{"encode_sparse_array", encode_sparse_array},
		{"encode_max_depth", encode_max_depth},
		{"encode_number_precision", encode_number_precision},
		{"encode_keep_buffer", encode_keep_buffer},
		{"encode_invalid_numbers", encode_invalid_numbers},
		{NULL, NULL},
	};
	struct json_conf *conf = lua_newuserdata(L, sizeof(*conf));

	*conf = defaults;
	for (const struct luaL_Reg *f = functions; f->name; f++) {
		lua_pushvalue(L, -1);
		lua_pushcclosure(L, f->func, 1);
		lua_setfield(L, -3, f->name);
	}
	lua_pop(L, 1);
	lua_getfield(L, -1, "new");
	lua_pushcclosure(L, json_new, 1);
	lua_setfield(L, -2, "new");
}

/* A library with settings of its own. Upvalue 1: Debian's new. */
static int json_new(lua_State *L)
{
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_call(L, 0, 1);
	set_encoder(L);
	return 1;
}

int luaopen_script_json(lua_State *L)
{
	lua_settop(L, 0);
	luaopen_cjson(L);
	set_encoder(L);
	return 1;
}
