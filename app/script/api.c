/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table `redis` of scripts, and their math.random.
 */
#include "app/script/vm_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_TEXT "7.0.15"
#define VERSION_NUM  0x0007000f
#define LEVEL_MAX    3 /* redis.LOG_WARNING */

/* The run under way; raises an error when there is none. */
static struct script_run *need_run(lua_State *L, const char *name)
{
	struct script_vm *vm = script_vm_of(L);

	if (!vm->run) {
		lua_push_errorf(
			L, "ERR redis.%s can only be called inside a script invocation", name);
		lua_error(L);
	}
	return vm->run;
}

static int fail(lua_State *L, const char *text)
{
	lua_push_error(L, text);
	return lua_error(L);
}

/* --- redis.call and redis.pcall --------------------------------------------------------------- */

static bool argv_room(struct script_vm *vm, uint32_t nr)
{
	struct slice *argv;

	if (nr <= vm->argv_cap)
		return true;
	argv = realloc(vm->argv, nr * sizeof(*argv));
	if (!argv)
		return false;
	vm->argv = argv;
	vm->argv_cap = nr;
	return true;
}

/* The function's arguments as a command's, in vm->argv; they stay on the stack. NULL, or what is
 * wrong. */
static const char *take_args(lua_State *L, struct script_vm *vm)
{
	int nr = lua_gettop(L);
	char text[64];

	if (nr == 0)
		return "ERR Please specify at least one argument for this redis lib call";
	if (!argv_room(vm, (uint32_t)nr))
		return "ERR out of memory";
	for (int i = 1; i <= nr; i++) {
		if (lua_type(L, i) == LUA_TNUMBER) { /* Lua's own text of it is too short */
			lua_pushlstring(L, text,
				(size_t)snprintf(
					text, sizeof(text), "%.17g", (double)lua_tonumber(L, i)));
			lua_replace(L, i);
		}
		if (lua_type(L, i) != LUA_TSTRING)
			return "ERR Lua redis lib command arguments must be strings or integers";
		vm->argv[i - 1].ptr = lua_tolstring(L, i, &vm->argv[i - 1].len);
	}
	return NULL;
}

static int failed(lua_State *L, const char *text, bool raise)
{
	lua_push_error(L, text);
	return raise ? lua_error(L) : 1;
}

static int call(lua_State *L, bool raise)
{
	struct script_vm *vm = script_vm_of(L);
	struct script_run *run = need_run(L, "call/pcall");
	char err[SCRIPT_ERR_MAX];
	const char *bad;
	struct slice reply;
	bool ok;

	/* Behind the arguments, however many there are, a function in C has room for twenty. */
	bad = take_args(L, vm);
	if (bad)
		return failed(L, bad, raise);
	if (vm->in_call)
		return failed(L, "ERR recursive call of redis.call", false);
	vm->in_call = true;
	ok = run->host->call(run, (uint32_t)lua_gettop(L), vm->argv, &reply, err);
	vm->in_call = false;
	if (!ok) {
		lua_push_error(L, err);
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "ignore_error_stats_update");
		return raise ? lua_error(L) : 1;
	}
	lua_settop(L, 0);
	script_push_reply(L, &reply);
	return raise && *reply.ptr == '-' ? lua_error(L) : 1;
}

static int redis_call(lua_State *L)
{
	return call(L, true);
}

static int redis_pcall(lua_State *L)
{
	return call(L, false);
}

static int redis_acl_check_cmd(lua_State *L)
{
	struct script_run *run = need_run(L, "acl_check_cmd");
	struct script_vm *vm = script_vm_of(L);
	const char *bad = take_args(L, vm);
	int may;

	if (bad)
		return fail(L, bad);
	may = run->host->acl_check(run, (uint32_t)lua_gettop(L), vm->argv);
	if (may < 0)
		return fail(L, "ERR Invalid command passed to redis.acl_check_cmd()");
	lua_pushboolean(L, may);
	return 1;
}

/* --- small ones ------------------------------------------------------------------------------- */

static int redis_sha1hex(lua_State *L)
{
	char sha[SCRIPT_SHA_LEN + 1];
	const char *s;
	size_t len;

	if (lua_gettop(L) != 1)
		return fail(L, "ERR wrong number of arguments");
	s = lua_tolstring(L, 1, &len);
	script_sha(s ? s : "", s ? len : 0, sha);
	lua_pushlstring(L, sha, SCRIPT_SHA_LEN);
	return 1;
}

static bool is_one_string(lua_State *L)
{
	return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING;
}

/* Its text begins with a code; without a blank in it, it is all message. */
static int redis_error_reply(lua_State *L)
{
	const char *text;

	if (!is_one_string(L)) {
		lua_push_error(L, "ERR wrong number or type of arguments");
		return 1;
	}
	text = lua_tostring(L, 1);
	text += *text == '-';
	if (!strchr(text, ' '))
		text = lua_pushfstring(L, "ERR %s", text);
	lua_push_error(L, text);
	return 1;
}

static int redis_status_reply(lua_State *L)
{
	if (!is_one_string(L)) {
		lua_push_error(L, "ERR wrong number or type of arguments");
		return 1;
	}
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "ok");
	return 1;
}

static int redis_set_repl(lua_State *L)
{
	struct script_run *run = need_run(L, "set_repl");
	int flags;

	if (lua_gettop(L) != 1)
		return fail(L, "ERR redis.set_repl() requires two arguments.");
	flags = (int)lua_tointeger(L, 1);
	if (flags & ~SCRIPT_REPL_ALL)
		return fail(L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, "
			       "REPL_ALL or REPL_NONE.");
	run->repl = flags;
	return 0;
}

static int redis_setresp(lua_State *L)
{
	struct script_run *run = need_run(L, "setresp");
	int resp;

	if (lua_gettop(L) != 1)
		return fail(L, "ERR redis.setresp() requires one argument.");
	resp = (int)lua_tointeger(L, 1);
	if (resp != 2 && resp != 3)
		return fail(L, "ERR RESP version must be 2 or 3.");
	run->resp = resp;
	run->host->set_resp(run, resp);
	return 0;
}

/* The texts of the arguments from 2 on, with blanks between them. */
static void push_joined(lua_State *L)
{
	int nr = lua_gettop(L);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (int i = 2; i <= nr; i++) {
		if (!lua_isstring(L, i))
			continue;
		if (i > 2)
			luaL_addchar(&b, ' ');
		lua_pushvalue(L, i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
}

static int redis_log(lua_State *L)
{
	struct script_vm *vm = script_vm_of(L);
	const char *text;
	lua_Number level;
	size_t len;

	if (lua_gettop(L) < 2)
		return fail(L, "ERR redis.log() requires two arguments or more.");
	if (!lua_isnumber(L, 1))
		return fail(L, "ERR First argument must be a number (log level).");
	level = lua_tonumber(L, 1);
	if (!(level >= 0 && level < LEVEL_MAX + 1))
		return fail(L, "ERR Invalid debug level.");
	push_joined(L);
	text = lua_tolstring(L, -1, &len);
	vm->host->log(vm->host_ctx, (int)level, text, len);
	return 0;
}

/* There is no debugger here, so there is nothing to stop for or to tell. */
static int redis_breakpoint(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

static int redis_debug(lua_State *L)
{
	return 0;
}

/* Effects are logged anyway. */
static int redis_replicate_commands(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

/* --- math.random ------------------------------------------------------------------------------ */

/* The generator of POSIX' lrand48(): so a script that sets the seed gets the same numbers on every
 * server. 31 bits. */
static uint32_t random_next(struct script_vm *vm)
{
	vm->random = (vm->random * 0x5deece66dull + 0xb) & 0xffffffffffffull;
	return (uint32_t)(vm->random >> 17);
}

static void need_run_plain(lua_State *L, const char *name)
{
	if (!script_vm_of(L)->run)
		luaL_error(L, "math.%s can only be called inside a script invocation", name);
}

static int math_random(lua_State *L)
{
	lua_Number r, low = 1, high;
	int nr = lua_gettop(L);

	need_run_plain(L, "random");
	r = (lua_Number)(random_next(script_vm_of(L)) % INT32_MAX) / (lua_Number)INT32_MAX;
	if (nr == 0) {
		lua_pushnumber(L, r);
		return 1;
	}
	if (nr > 2)
		return luaL_error(L, "wrong number of arguments");
	if (nr == 2)
		low = luaL_checkint(L, 1);
	high = luaL_checkint(L, nr);
	luaL_argcheck(L, low <= high, nr, "interval is empty");
	lua_pushnumber(L, floor(r * (high - low + 1)) + low);
	return 1;
}

static int math_randomseed(lua_State *L)
{
	need_run_plain(L, "randomseed");
	script_vm_of(L)->random = (uint64_t)(uint32_t)luaL_checkint(L, 1) << 16 | 0x330e;
	return 0;
}

void script_api_math(lua_State *L)
{
	lua_pushcfunction(L, math_random);
	lua_setfield(L, -2, "random");
	lua_pushcfunction(L, math_randomseed);
	lua_setfield(L, -2, "randomseed");
}

/* --- the tables ------------------------------------------------------------------------------- */

static void set_number(lua_State *L, const char *name, lua_Number n)
{
	lua_pushnumber(L, n);
	lua_setfield(L, -2, name);
}

static void set_common(lua_State *L)
{
	lua_pushcfunction(L, redis_log);
	lua_setfield(L, -2, "log");
	set_number(L, "LOG_DEBUG", 0);
	set_number(L, "LOG_VERBOSE", 1);
	set_number(L, "LOG_NOTICE", 2);
	set_number(L, "LOG_WARNING", 3);
	set_number(L, "REDIS_VERSION_NUM", VERSION_NUM);
	lua_pushliteral(L, VERSION_TEXT);
	lua_setfield(L, -2, "REDIS_VERSION");
}

void script_api_push(lua_State *L, enum script_vm_kind kind)
{
	static const struct luaL_Reg functions[] = {
		{"call", redis_call},
		{"pcall", redis_pcall},
		{"setresp", redis_setresp},
		{"sha1hex", redis_sha1hex},
		{"error_reply", redis_error_reply},
		{"status_reply", redis_status_reply},
		{"set_repl", redis_set_repl},
		{"acl_check_cmd", redis_acl_check_cmd},
		{NULL, NULL},
	};
	static const struct luaL_Reg of_eval[] = {
		{"breakpoint", redis_breakpoint},
		{"debug", redis_debug},
		{"replicate_commands", redis_replicate_commands},
		{NULL, NULL},
	};

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	if (kind == SCRIPT_VM_EVAL)
		luaL_register(L, NULL, of_eval);
	set_common(L);
	set_number(L, "REPL_NONE", SCRIPT_REPL_NONE);
	set_number(L, "REPL_AOF", SCRIPT_REPL_AOF);
	set_number(L, "REPL_SLAVE", SCRIPT_REPL_REPLICA);
	set_number(L, "REPL_REPLICA", SCRIPT_REPL_REPLICA);
	set_number(L, "REPL_ALL", SCRIPT_REPL_ALL);
}

void script_api_push_library(lua_State *L, lua_CFunction reg)
{
	lua_newtable(L);
	lua_pushcfunction(L, reg);
	lua_setfield(L, -2, "register_function");
	set_common(L);
}
