/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a script's Lua is made of. Lua 5.1 as Debian has it; a state belongs to one poll core.
 *
 * Tables that scripts share are read-only. Lua 5.1 knows no such thing, so what a script sees of
 * one is an empty table, its guard, which looks a key up in the real table and refuses to be
 * written. What goes past metatables (next, rawget, rawset, table.insert ...) is replaced by
 * functions that know guards. No script ever gets hold of a real table.
 */
#ifndef MILLRACE_APP_SCRIPT_LUA_LIB_H
#define MILLRACE_APP_SCRIPT_LUA_LIB_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>

/* What Redis says whenever a script tries to write a shared table. */
#define LUA_READONLY_TEXT "Attempt to modify a readonly table"

/* --- guard.c; all may raise Lua errors --- */

/* Before the others, once a state. */
void lua_guard_setup(lua_State *L);
/* Replaces the table on the top by its guard; the tables in it and its metatable are guarded too.
 */
void lua_guard_push(lua_State *L);
/* Makes the guard at idx show another real table (at real_idx). */
void lua_guard_show(lua_State *L, int idx, int real_idx);
/* If the value at idx is a guard, pushes the real table. */
bool lua_guard_real(lua_State *L, int idx);
/* Reading a key that is not there raises an error, for the table on the top. */
void lua_guard_strict(lua_State *L);
/* Puts functions that know guards in place of those in the global table and in table. */
void lua_guard_functions(lua_State *L);

/* --- base.c --- */

/* The standard libraries that scripts have, made safe, in the state's globals, as Redis names them:
 * string table math coroutine, and of the basic functions all but those that read files or print.
 */
void lua_base_open(lua_State *L);
/* Pushes the function that makes a table {err, source, line} of an error. */
void lua_base_push_handler(lua_State *L);
/* Pushes {err = text}; the text begins with its code ("ERR ..."). */
void lua_push_error(lua_State *L, const char *text);
void lua_push_errorf(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- bits.c, cmsgpack.c, json.c, struct.c: push the library's table --- */
int luaopen_script_bit(lua_State *L); /* on an empty stack */
int luaopen_script_cmsgpack(lua_State *L);
int luaopen_script_json(lua_State *L); /* on an empty stack */
int luaopen_script_struct(lua_State *L);

#endif
