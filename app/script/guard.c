/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Guards: tables that cannot be written (lua_lib.h).
 *
 *	registry[REALS]:  guard -> real table
 *	registry[GUARDS]: real table -> guard
 *	metatable of a guard: {__index = real table, __newindex = refuse}
 */
#include "app/script/lua_lib.h"

#include <stdint.h>

/* Keys of the registry: their addresses. */
static const char REALS, GUARDS;

static void registry_push(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static void registry_new(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void lua_guard_setup(lua_State *L)
{
	registry_new(L, &REALS);
	registry_new(L, &GUARDS);
}

/* Pushes registry[key][value at idx], or nothing: false. */
static bool map_get(lua_State *L, const char *key, int idx)
{
	lua_pushvalue(L, idx);
	registry_push(L, key);
	lua_insert(L, -2);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/* registry[key][value at k] = value at v; both are positive. */
static void map_set(lua_State *L, const char *key, int k, int v)
{
	registry_push(L, key);
	lua_pushvalue(L, k);
	lua_pushvalue(L, v);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

bool lua_guard_real(lua_State *L, int idx)
{
	return lua_istable(L, idx) && map_get(L, &REALS, idx);
}

static int refuse_write(lua_State *L)
{
	return luaL_error(L, LUA_READONLY_TEXT);
}

/* From inside of a function in C: then Redis gives no position. */
static int refuse(lua_State *L)
{
	lua_pushliteral(L, LUA_READONLY_TEXT);
	return lua_error(L);
}

/* Guards the tables in the one at idx (positive). */
static void guard_values(lua_State *L, int idx)
{
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		if (lua_istable(L, -1)) {
			lua_guard_push(L);
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, idx); /* to a key that is there: it may, while next goes on */
		} else {
			lua_pop(L, 1);
		}
	}
}

void lua_guard_push(lua_State *L)
{
	int real = lua_gettop(L), guard;

	luaL_checkstack(L, 12, "too many nested tables");
	if (map_get(L, &REALS, real)) { /* it is one */
		lua_settop(L, real);
		return;
	}
	if (map_get(L, &GUARDS, real)) {
		lua_replace(L, real);
		return;
	}
	lua_newtable(L);
	guard = lua_gettop(L);
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, real);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, refuse_write);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, guard);
	map_set(L, &REALS, guard, real);
	map_set(L, &GUARDS, real, guard);
	guard_values(L, real);
	if (lua_getmetatable(L, real)) {
		guard_values(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	lua_replace(L, real);
}

void lua_guard_show(lua_State *L, int idx, int real_idx)
{
	lua_pushvalue(L, idx);
	lua_pushvalue(L, real_idx);
	map_set(L, &REALS, lua_gettop(L) - 1, lua_gettop(L));
	lua_getmetatable(L, -2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 2);
}

static int no_such_key(lua_State *L)
{
	if (lua_gettop(L) != 2)
		return luaL_error(L, "Wrong number of arguments to luaProtectedTableError");
	if (!lua_isstring(L, 2))
		return luaL_error(
			L, "Second argument to luaProtectedTableError must be a string or number");
	return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
		lua_tostring(L, 2));
}

void lua_guard_strict(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, no_such_key);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

/* --- functions that know guards --------------------------------------------------------------- */

static void see_through(lua_State *L, int idx)
{
	if (lua_guard_real(L, idx))
		lua_replace(L, idx);
}

static int base_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	see_through(L, 1);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int base_pairs(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int base_rawget(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	lua_settop(L, 2);
	see_through(L, 1);
	lua_rawget(L, 1);
	return 1;
}

static int base_rawset(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	luaL_checkany(L, 3);
	lua_settop(L, 3);
	if (lua_guard_real(L, 1))
		return refuse(L);
	lua_rawset(L, 1);
	return 1;
}

/* Strings have one that their methods hang on: it is shared. */
static int base_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	see_through(L, 1);
	if (!lua_getmetatable(L, 1)) {
		lua_pushnil(L);
		return 1;
	}
	lua_getfield(L, -1, "__metatable");
	if (!lua_isnil(L, -1))
		return 1;
	lua_pop(L, 1);
	if (map_get(L, &GUARDS, 1) || lua_type(L, 1) != LUA_TTABLE) {
		lua_settop(L, 2);
		lua_guard_push(L);
	}
	return 1;
}

static int base_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
	if (lua_guard_real(L, 1))
		return refuse(L);
	if (luaL_getmetafield(L, 1, "__metatable"))
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* Upvalue 1: the address of the library's own function, which writes its first argument. Called in
 * place of it, so that its error messages know their function's name. */
static int write_guarded(lua_State *L)
{
	lua_CFunction fn = (lua_CFunction)(uintptr_t)lua_touserdata(L, lua_upvalueindex(1));

	if (lua_guard_real(L, 1))
		return refuse(L);
	return fn(L);
}

static void wrap_writer(lua_State *L, const char *name)
{
	lua_getfield(L, -1, name);
	lua_CFunction fn = lua_tocfunction(L, -1);

	lua_pop(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
	lua_pushcclosure(L, write_guarded, 1);
	lua_setfield(L, -2, name);
}

void lua_guard_functions(lua_State *L)
{
	lua_pushcfunction(L, base_next);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, base_pairs, 1);
	lua_setglobal(L, "pairs");
	lua_setglobal(L, "next");
	lua_register(L, "rawget", base_rawget);
	lua_register(L, "rawset", base_rawset);
	lua_register(L, "getmetatable", base_getmetatable);
	lua_register(L, "setmetatable", base_setmetatable);
	lua_getglobal(L, "table");
	wrap_writer(L, "insert");
	wrap_writer(L, "remove");
	wrap_writer(L, "sort");
	lua_pop(L, 1);
}
