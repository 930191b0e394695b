/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a command's reply to a Lua value. The reply is our own, so its form is trusted.
 *
 *	+ok       {ok = }            $bulk   string (absent: false)      #t #f   boolean
 *	-error    {err = , ignore_error_stats_update = true}             ,1.5    {double = }
 *	:1        number             *array  table (absent: false)       (123    {big_number = }
 *	=txt:     {verbatim_string = {format = , string = }}             _       nil
 *	%map      {map = }           ~set    {set = {member = true}}
 */
#include "app/script/vm_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	lua_State *L;
	const char *at;
};

/* Takes the rest of the line off, and its end. */
static struct slice take_line(struct cursor *r)
{
	const char *end = strstr(r->at, "\r\n");
	struct slice line = {r->at, (size_t)(end - r->at)};

	r->at = end + 2;
	return line;
}

static long long take_int(struct cursor *r)
{
	return strtoll(take_line(r).ptr, NULL, 10);
}

static void push_value(struct cursor *r);

static void push_bulk(struct cursor *r)
{
	long long len = take_int(r);

	if (len < 0) {
		lua_pushboolean(r->L, 0);
		return;
	}
	lua_pushlstring(r->L, r->at, (size_t)len);
	r->at += len + 2;
}

static void push_verbatim(struct cursor *r)
{
	size_t len = (size_t)take_int(r);

	lua_createtable(r->L, 0, 1);
	lua_createtable(r->L, 0, 2);
	lua_pushlstring(r->L, r->at + 4, len - 4);
	lua_setfield(r->L, -2, "string");
	lua_pushlstring(r->L, r->at, 3);
	lua_setfield(r->L, -2, "format");
	lua_setfield(r->L, -2, "verbatim_string");
	r->at += len + 2;
}

static void push_array(struct cursor *r)
{
	long long nr = take_int(r);

	if (nr < 0) {
		lua_pushboolean(r->L, 0);
		return;
	}
	lua_createtable(r->L, nr < 1 << 20 ? (int)nr : 0, 0);
	for (int i = 1; i <= nr; i++) {
		push_value(r);
		lua_rawseti(r->L, -2, i);
	}
}

/* {map = {key = value ...}} or {set = {member = true ...}} */
static void push_keyed(struct cursor *r, const char *name, bool has_values)
{
	long long nr = take_int(r);

	lua_createtable(r->L, 0, 1);
	lua_newtable(r->L);
	for (long long i = 0; i < nr; i++) {
		push_value(r);
		if (has_values)
			push_value(r);
		else
			lua_pushboolean(r->L, 1);
		if (lua_isnil(r->L, -2))
			lua_pop(r->L, 2); /* nil is no key */
		else
			lua_rawset(r->L, -3);
	}
	lua_setfield(r->L, -2, name);
}

/* {name = rest of the line} */
static void push_named(struct cursor *r, const char *name)
{
	struct slice line = take_line(r);

	lua_createtable(r->L, 0, 2);
	lua_pushlstring(r->L, line.ptr, line.len);
	lua_setfield(r->L, -2, name);
}

static void push_double(struct cursor *r)
{
	lua_createtable(r->L, 0, 1);
	lua_pushnumber(r->L, strtod(take_line(r).ptr, NULL));
	lua_setfield(r->L, -2, "double");
}

static void push_error(struct cursor *r)
{
	push_named(r, "err");
	lua_pushboolean(r->L, 1);
	lua_setfield(r->L, -2, "ignore_error_stats_update");
}

/* What is said about the reply that follows is left out. */
static void skip_attribute(struct cursor *r)
{
	for (long long nr = 2 * take_int(r); nr > 0; nr--) {
		push_value(r);
		lua_pop(r->L, 1);
	}
	push_value(r);
}

static void push_value(struct cursor *r)
{
	luaL_checkstack(r->L, 6, "lua stack limit reach when parsing redis.call reply");
	switch (*r->at++) {
	case '+': push_named(r, "ok"); break;
	case '-': push_error(r); break;
	case ':': lua_pushnumber(r->L, (lua_Number)take_int(r)); break;
	case '$': push_bulk(r); break;
	case '>':
	case '*': push_array(r); break;
	case '%': push_keyed(r, "map", true); break;
	case '~': push_keyed(r, "set", false); break;
	case '#': lua_pushboolean(r->L, *take_line(r).ptr == 't'); break;
	case ',': push_double(r); break;
	case '(': push_named(r, "big_number"); break;
	case '=': push_verbatim(r); break;
	case '|': skip_attribute(r); break;
	default: /* _ */
		take_line(r);
		lua_pushnil(r->L);
		break;
	}
}

void script_push_reply(lua_State *L, const struct slice *reply)
{
	struct cursor r = {L, reply->ptr};

	push_value(&r);
}
