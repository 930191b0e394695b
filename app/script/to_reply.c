/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From what a script returns to a reply in its client's protocol.
 *
 * A table is looked at for the fields err, ok, double, big_number, verbatim_string, map, set, in
 * this order and past metatables; one without is an array, up to its first nil. true is 1 and false
 * is nil, unless the script has chosen RESP3.
 */
#include "app/script/vm_priv.h"

#include "app/commands/command.h"
#include "app/reply.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MAX   ((size_t)1 << 30) /* what one script replies */
#define VALUE_BYTES 8                 /* what a value takes beside its bytes, about */

/* Pushes t[name] of the table on the top if it is of the type. */
static bool push_field(lua_State *L, const char *name, int type)
{
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (lua_type(L, -1) == type)
		return true;
	lua_pop(L, 1);
	return false;
}

static bool is_true(lua_State *L, const char *name)
{
	bool is = push_field(L, name, LUA_TBOOLEAN);

	if (!is)
		return false;
	is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

/* An error of a command that the script has run is counted already, but not that the script's own
 * command has failed with it. */
static void reply_error_text(struct script_run *run, const char *text, bool is_counted)
{
	struct client *c = run->c;

	if (!is_counted) {
		reply_err(c, text);
		return;
	}
	if (c->cmd)
		c->ac->stats[c->cmd->id].failed++;
	reply_err_uncounted(c, text);
}

/* A line of text: what would end it becomes blanks. */
static char *one_line(const char *s, size_t len)
{
	char *line = malloc(len + 1);

	if (!line)
		return NULL;
	memcpy(line, s, len);
	line[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\r' || line[i] == '\n')
			line[i] = ' ';
	return line;
}

static void reply_line(
	struct client *c, lua_State *L, void (*reply)(struct client *c, const char *text))
{
	size_t len;
	const char *s = lua_tolstring(L, -1, &len);
	char *line = one_line(s, strlen(s));

	if (line)
		reply(c, line);
	else
		reply_err(c, "ERR out of memory");
	free(line);
}

/* {format = , string = } on the top. */
static bool reply_verbatim_table(struct client *c, lua_State *L)
{
	bool is = false;
	const char *s;
	size_t len, format_len;

	if (!push_field(L, "format", LUA_TSTRING))
		return false;
	const char *format = lua_tolstring(L, -1, &format_len);
	char ext[3] = {' ', ' ', ' '};

	memcpy(ext, format, format_len < 3 ? format_len : 3);
	lua_insert(L, -2);
	is = push_field(L, "string", LUA_TSTRING);
	if (is) {
		s = lua_tolstring(L, -1, &len);
		reply_verbatim(c, s, len, ext);
		lua_pop(L, 1);
	}
	lua_remove(L, -2);
	return is;
}

static size_t reply_map_table(struct script_run *run, lua_State *L)
{
	size_t nr = 0;

	for (lua_pushnil(L); lua_next(L, -2); nr++) {
		lua_pushvalue(L, -2);
		script_reply_value(run, L);
		script_reply_value(run, L);
	}
	return nr;
}

static size_t reply_set_table(struct script_run *run, lua_State *L)
{
	size_t nr = 0;

	for (lua_pushnil(L); lua_next(L, -2); nr++) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		script_reply_value(run, L);
	}
	return nr;
}

static size_t reply_array_table(struct script_run *run, lua_State *L)
{
	size_t nr = 0;

	for (;; nr++) {
		lua_rawgeti(L, -1, (int)nr + 1);
		if (lua_isnil(L, -1))
			break;
		script_reply_value(run, L);
	}
	lua_pop(L, 1);
	return nr;
}

/* Of the table on the top, one of the forms with a name. False: it has none of them. */
static bool reply_named(struct script_run *run, lua_State *L)
{
	struct client *c = run->c;
	bool done;

	if (push_field(L, "err", LUA_TSTRING)) {
		const char *text = lua_tostring(L, -1);

		lua_pushvalue(L, -2);
		done = is_true(L, "ignore_error_stats_update");
		lua_pop(L, 1);
		reply_error_text(run, text, done);
	} else if (push_field(L, "ok", LUA_TSTRING)) {
		reply_line(c, L, reply_status);
	} else if (push_field(L, "double", LUA_TNUMBER)) {
		reply_double(c, lua_tonumber(L, -1));
	} else if (push_field(L, "big_number", LUA_TSTRING)) {
		reply_line(c, L, reply_big_number);
	} else if (push_field(L, "verbatim_string", LUA_TTABLE)) {
		done = reply_verbatim_table(c, L);
		lua_pop(L, 1);
		return done;
	} else {
		return false;
	}
	lua_pop(L, 1);
	return true;
}

static void reply_table(struct script_run *run, lua_State *L)
{
	if (reply_named(run, L))
		return;
	if (push_field(L, "map", LUA_TTABLE)) {
		reply_defer_begin(run->c);
		reply_defer_end_map(run->c, reply_map_table(run, L));
		lua_pop(L, 1);
	} else if (push_field(L, "set", LUA_TTABLE)) {
		reply_defer_begin(run->c);
		reply_defer_end_set(run->c, reply_set_table(run, L));
		lua_pop(L, 1);
	} else {
		reply_defer_begin(run->c);
		reply_defer_end_array(run->c, reply_array_table(run, L));
	}
}

static void reply_boolean(struct script_run *run, bool is)
{
	if (run->resp == 3)
		reply_bool(run->c, is);
	else if (is)
		reply_int(run->c, 1);
	else
		reply_null(run->c);
}

static int64_t to_int(lua_Number n)
{
	/* Numbers that do not fit are what the processor makes of them. */
	return n >= -0x1p63 && n < 0x1p63 ? (int64_t)n : INT64_MIN;
}

/* A table that is in others many times is written as often. Raises an error. */
static void count_bytes(struct script_run *run, lua_State *L)
{
	size_t len = lua_type(L, -1) == LUA_TSTRING ? lua_objlen(L, -1) : 0;

	run->reply_bytes += len + VALUE_BYTES;
	if (run->reply_bytes > REPLY_MAX)
		luaL_error(L, "the script's reply is too long");
}

void script_reply_value(struct script_run *run, lua_State *L)
{
	struct client *c = run->c;
	const char *s;
	size_t len;

	count_bytes(run, L);

	if (!lua_checkstack(L, 6)) {
		reply_err(c, "ERR reached lua stack limit");
		lua_pop(L, 1);
		return;
	}
	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		s = lua_tolstring(L, -1, &len);
		reply_bulk(c, s, len);
		break;
	case LUA_TBOOLEAN: reply_boolean(run, lua_toboolean(L, -1)); break;
	case LUA_TNUMBER: reply_int(c, to_int(lua_tonumber(L, -1))); break;
	case LUA_TTABLE: reply_table(run, L); break;
	default: reply_null(c); break;
	}
	lua_pop(L, 1);
}

/* --- a script that failed --------------------------------------------------------------------- */

/* Pushes t[name] as a text; NULL: it is none, and nil is pushed. */
static const char *field_text(lua_State *L, int t, const char *name)
{
	lua_getfield(L, t, name);
	return lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
}

void script_reply_error(struct script_run *run, lua_State *L)
{
	const char *text, *source, *line;
	int t = lua_gettop(L);

	if (!lua_istable(L, t)) {
		text = lua_isstring(L, t) ? lua_tostring(L, t) : "execution failure";
		reply_errf(run->c, "ERR Error running script %s, %.100s", run->name, text);
		lua_settop(L, t - 1);
		return;
	}
	text = field_text(L, t, "err");
	source = field_text(L, t, "source");
	line = field_text(L, t, "line");
	if (text && source && line)
		text = lua_pushfstring(
			L, "%s script: %s, on %s:%s.", text, run->name, source, line);
	lua_pushvalue(L, t);
	bool is_counted = is_true(L, "ignore_error_stats_update");

	reply_error_text(run, text ? text : "ERR unknown error", is_counted);
	lua_settop(L, t - 1);
}
