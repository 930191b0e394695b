/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The standard libraries as scripts have them. Beyond what Redis takes away:
 *
 * - newproxy, because a finaliser would run when no script does;
 * - patterns with more than REPETITIONS_MAX repetitions, which could need more stack than there is.
 */
#include "app/script/lua_lib.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPETITIONS_MAX 8192 /* each costs a few hundred bytes of stack at most */

void lua_push_error(lua_State *L, const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n'))
		len--;
	lua_createtable(L, 0, 3);
	lua_pushlstring(L, text, len);
	lua_setfield(L, -2, "err");
}

void lua_push_errorf(lua_State *L, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	lua_push_error(L, text);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Redis' pcall: of an error that is a table, the text. */
static int base_pcall(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	if (lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0) == 0)
		return lua_gettop(L);
	lua_pushboolean(L, 0);
	lua_replace(L, 1);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "err");
		if (lua_isstring(L, -1))
			lua_replace(L, -2);
	}
	lua_settop(L, 2);
	return 2;
}

static void push_text(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
	case LUA_TNUMBER: lua_pushvalue(L, idx); break;
	case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, idx) ? "true" : "false"); break;
	case LUA_TNIL: lua_pushliteral(L, "nil"); break;
	default: lua_pushfstring(L, "%s: %p", luaL_typename(L, idx), lua_topointer(L, idx)); break;
	}
}

/* Where the error was: in the function that raised it, or in its caller when that is in C. */
static bool find_place(lua_State *L, lua_Debug *ar)
{
	if (!lua_getstack(L, 1, ar) || !lua_getinfo(L, "Sl", ar))
		return false;
	if (strcmp(ar->what, "C") != 0)
		return true;
	return lua_getstack(L, 2, ar) && lua_getinfo(L, "Sl", ar);
}

static int on_error(lua_State *L)
{
	lua_Debug ar;

	lua_settop(L, 1);
	if (!lua_istable(L, 1)) {
		lua_createtable(L, 0, 3);
		lua_pushliteral(L, "ERR ");
		push_text(L, 1);
		lua_concat(L, 2);
		lua_setfield(L, 2, "err");
		lua_replace(L, 1);
	}
	if (find_place(L, &ar)) {
		lua_pushstring(L, ar.source);
		lua_setfield(L, 1, "source");
		lua_pushinteger(L, ar.currentline);
		lua_setfield(L, 1, "line");
	}
	return 1;
}

void lua_base_push_handler(lua_State *L)
{
	lua_pushcfunction(L, on_error);
}

/* --- compiling -------------------------------------------------------------------------------- */

/* Compiled code is not taken: it could make the interpreter do anything. A blank in front makes it
 * the nonsense that it is as text. */
static bool is_compiled(const char *code, size_t len)
{
	return len > 0 && *code == LUA_SIGNATURE[0];
}

static int load_result(lua_State *L, int rc)
{
	if (rc == 0)
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

static int base_loadstring(lua_State *L)
{
	size_t len;
	const char *code = luaL_checklstring(L, 1, &len);
	const char *name = luaL_optstring(L, 2, code);

	lua_pushstring(L, name); /* the parser does not keep it from being collected */
	if (is_compiled(code, len)) {
		lua_pushliteral(L, " ");
		lua_pushvalue(L, 1);
		lua_concat(L, 2);
		code = lua_tolstring(L, -1, &len);
	}
	return load_result(L, luaL_loadbuffer(L, code, len, name));
}

#define PIECE_SLOT 3 /* of the stack: the piece being read, which must not be collected */

static const char *read_piece(lua_State *L, void *ud, size_t *len)
{
	bool *is_begun = ud;
	const char *piece;

	luaL_checkstack(L, 2, "too many nested functions");
	lua_pushvalue(L, 1);
	lua_call(L, 0, 1);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		*len = 0;
		return NULL;
	}
	if (!lua_isstring(L, -1)) {
		luaL_error(L, "reader function must return a string");
		return NULL;
	}
	lua_replace(L, PIECE_SLOT);
	piece = lua_tolstring(L, PIECE_SLOT, len);
	if (!*is_begun && is_compiled(piece, *len)) {
		lua_pushliteral(L, " ");
		lua_pushvalue(L, PIECE_SLOT);
		lua_concat(L, 2);
		lua_replace(L, PIECE_SLOT);
		piece = lua_tolstring(L, PIECE_SLOT, len);
	}
	*is_begun = true;
	return piece;
}

static int base_load(lua_State *L)
{
	const char *name = luaL_optstring(L, 2, "=(load)");
	bool is_begun = false;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, PIECE_SLOT);
	lua_pushstring(L, name); /* as in base_loadstring() */
	return load_result(L, lua_load(L, read_piece, &is_begun, name));
}

/* --- values ----------------------------------------------------------------------------------- */

/* The library's own lets the number of values overflow. */
static int base_unpack(lua_State *L)
{
	int64_t from, to;

	luaL_checktype(L, 1, LUA_TTABLE);
	from = luaL_optint(L, 2, 1);
	to = lua_isnoneornil(L, 3) ? (int64_t)lua_objlen(L, 1) : luaL_checkint(L, 3);
	if (from > to)
		return 0;
	if (to - from >= INT_MAX || !lua_checkstack(L, (int)(to - from + 1)))
		return luaL_error(L, "too many results to unpack");
	for (int64_t i = from; i <= to; i++)
		lua_rawgeti(L, 1, (int)i);
	return (int)(to - from + 1);
}

/* --- strings ---------------------------------------------------------------------------------- */

/* The matcher's recursion is as deep as there are repetitions in the pattern; the library knows no
 * bound to it. (Captures are few, and what stands for itself needs none.) */
static bool is_too_deep(const char *pattern, size_t len)
{
	size_t nr = 0;

	if (len <= REPETITIONS_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		nr += strchr("*+-?", pattern[i]) && pattern[i];
	return nr > REPETITIONS_MAX;
}

/* Upvalue 1: the address of the library's own function, whose second argument is a pattern. */
static int match_bounded(lua_State *L)
{
	lua_CFunction fn = (lua_CFunction)(uintptr_t)lua_touserdata(L, lua_upvalueindex(1));
	bool is_plain = lua_toboolean(L, lua_upvalueindex(2)) && lua_toboolean(L, 4);
	const char *pattern;
	size_t len;

	if (!is_plain && lua_type(L, 2) == LUA_TSTRING) {
		pattern = lua_tolstring(L, 2, &len);
		if (is_too_deep(pattern, len))
			return luaL_error(L, "pattern too complex");
	}
	return fn(L);
}

/* The library's own adds string to string, which takes minutes for a long one; nobody can interrupt
 * it meanwhile. */
static int string_rep(lua_State *L)
{
	size_t len, done, total;
	const char *s = luaL_checklstring(L, 1, &len);
	int nr = luaL_checkint(L, 2);
	char *text;

	if (nr <= 0 || len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if (len > (size_t)INT_MAX / (size_t)nr)
		return luaL_error(L, "not enough memory");
	total = len * (size_t)nr;
	text = lua_newuserdata(L, total);
	memcpy(text, s, len);
	for (done = len; done <= total / 2; done *= 2)
		memcpy(text + done, text, done);
	memcpy(text + done, text, total - done);
	lua_pushlstring(L, text, total);
	return 1;
}

static void wrap_matcher(lua_State *L, const char *name, bool has_plain)
{
	lua_getfield(L, -1, name);
	lua_CFunction fn = lua_tocfunction(L, -1);

	lua_pop(L, 1);
	if (!fn)
		return;
	lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
	lua_pushboolean(L, has_plain);
	lua_pushcclosure(L, match_bounded, 2);
	lua_setfield(L, -2, name);
}

/* --- all together ----------------------------------------------------------------------------- */

static void open_lib(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_pushcfunction(L, fn);
	lua_pushstring(L, name);
	lua_call(L, 1, 0);
}

void lua_base_open(lua_State *L)
{
	static const char *const gone[] = {"dofile", "loadfile", "print", "newproxy", "module",
		"require", "getfenv", "setfenv"};

	open_lib(L, "", luaopen_base);
	open_lib(L, LUA_TABLIBNAME, luaopen_table);
	open_lib(L, LUA_STRLIBNAME, luaopen_string);
	open_lib(L, LUA_MATHLIBNAME, luaopen_math);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		lua_pushnil(L);
		lua_setglobal(L, gone[i]);
	}
	lua_register(L, "pcall", base_pcall);
	lua_register(L, "load", base_load);
	lua_register(L, "loadstring", base_loadstring);
	lua_register(L, "unpack", base_unpack);
	lua_getglobal(L, "string");
	lua_pushcfunction(L, string_rep);
	lua_setfield(L, -2, "rep");
	wrap_matcher(L, "find", true);
	wrap_matcher(L, "match", false);
	wrap_matcher(L, "gmatch", false);
	wrap_matcher(L, "gfind", false);
	wrap_matcher(L, "gsub", false);
	lua_pop(L, 1);
	lua_guard_functions(L);
}
