/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Libraries of functions: their code is run once a state, and registers functions.
 *
 *	registry[LIBRARIES][id] = {name = function ...}
 *
 * While it runs, all that there is in the global table is a `redis` with register_function, log and
 * the version: registry[LOADING] is what the guard of the globals shows then.
 */
#include "app/script/vm_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Keys of the registry: their addresses. */
static const char LIBRARIES, LOADING, RUNNING;

struct script_load {
	struct script_vm *vm;
	uint64_t id;
	const char *code;
	size_t len;
	unsigned timeout_ms;
	int64_t start_ms;
	script_register_fn fn;
	void *ctx;
	char *err;
	bool ok;
};

static void registry_push(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Keeps what is on the top and takes it off. */
static void registry_set(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- redis.register_function ------------------------------------------------------------------ */

/* What it was given. name and desc are texts on the stack. */
struct registration {
	struct slice name, desc;
	uint32_t flags;
	int function; /* index; 0: none */
};

static int fail(lua_State *L, const char *text)
{
	lua_push_error(L, text);
	return lua_error(L);
}

static bool text_at(lua_State *L, int idx, struct slice *out)
{
	if (!lua_isstring(L, idx))
		return false;
	out->ptr = lua_tolstring(L, idx, &out->len);
	return true;
}

static bool flag_of(const char *name, uint32_t *flags)
{
	const char *known;

	for (unsigned bit = 0; (known = script_flag_name(bit)); bit++) {
		if (strcasecmp(known, name) == 0) {
			*flags |= 1u << bit;
			return true;
		}
	}
	return false;
}

/* The array of names on the top. */
static bool read_flags(lua_State *L, uint32_t *flags)
{
	for (int i = 1;; i++) {
		bool ok;

		lua_pushnumber(L, i);
		lua_gettable(L, -2);
		if (lua_isnil(L, -1)) {
			lua_pop(L, 1);
			return true;
		}
		ok = lua_isstring(L, -1) && flag_of(lua_tostring(L, -1), flags);
		lua_pop(L, 1);
		if (!ok)
			return false;
	}
}

/* One named argument; its value is at index value, and stays on the stack. */
static void read_named(lua_State *L, const char *key, int value, struct registration *r)
{
	if (strcasecmp(key, "function_name") == 0) {
		if (!text_at(L, value, &r->name))
			fail(L, "ERR function_name argument given to redis.register_function must be a "
				"string");
	} else if (strcasecmp(key, "description") == 0) {
		if (!text_at(L, value, &r->desc))
			fail(L, "ERR description argument given to redis.register_function must be a "
				"string");
	} else if (strcasecmp(key, "callback") == 0) {
		if (!lua_isfunction(L, value))
			fail(L, "ERR callback argument given to redis.register_function must be a "
				"function");
		r->function = value;
	} else if (strcasecmp(key, "flags") == 0) {
		if (!lua_istable(L, value))
			fail(L, "ERR flags argument to redis.register_function must be a table "
				"representing function flags");
		lua_pushvalue(L, value);
		if (!read_flags(L, &r->flags))
			fail(L, "ERR unknown flag given");
		lua_pop(L, 1);
	} else {
		fail(L, "ERR unknown argument given to redis.register_function");
	}
}

static void read_table(lua_State *L, struct registration *r)
{
	if (!lua_istable(L, 1))
		fail(L, "ERR calling redis.register_function with a single argument is only applicable "
			"to Lua table (representing named arguments).");
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		int value = lua_gettop(L);

		luaL_checkstack(L, 8, "too many named arguments");
		if (lua_type(L, value - 1) != LUA_TSTRING)
			fail(L, "ERR named argument key given to redis.register_function is not a "
				"string");
		read_named(L, lua_tostring(L, value - 1), value, r);
		lua_pushvalue(L, value - 1); /* the value below keeps its place */
	}
	if (!r->name.ptr)
		fail(L, "ERR redis.register_function must get a function name argument");
	if (!r->function)
		fail(L, "ERR redis.register_function must get a callback argument");
}

static void read_positional(lua_State *L, struct registration *r)
{
	if (!text_at(L, 1, &r->name))
		fail(L, "ERR first argument to redis.register_function must be a string");
	if (!lua_isfunction(L, 2))
		fail(L, "ERR second argument to redis.register_function must be a function");
	r->function = 2;
}

static int register_function(lua_State *L)
{
	struct script_load *load = script_vm_of(L)->load;
	struct registration r = {0};
	char err[SCRIPT_ERR_MAX];
	int nr = lua_gettop(L);

	if (!load)
		return fail(L,
			"ERR redis.register_function can only be called on FUNCTION LOAD command");
	if (nr < 1 || nr > 2)
		return fail(L, "ERR wrong number of arguments to redis.register_function");
	if (nr == 1)
		read_table(L, &r);
	else
		read_positional(L, &r);
	if (load->fn && !load->fn(load->ctx, &r.name, r.desc.ptr ? &r.desc : NULL, r.flags, err))
		return fail(L, err);
	registry_push(L, &LIBRARIES);
	lua_pushnumber(L, (lua_Number)load->id);
	lua_rawget(L, -2);
	lua_pushlstring(L, r.name.ptr, r.name.len);
	lua_pushvalue(L, r.function);
	lua_rawset(L, -3);
	return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

void script_load_setup(lua_State *L)
{
	lua_newtable(L);
	registry_set(L, &LIBRARIES);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	registry_set(L, &RUNNING);
	lua_newtable(L);
	script_api_push_library(L, register_function);
	lua_guard_strict(L);
	lua_guard_push(L);
	lua_setfield(L, -2, "redis");
	lua_guard_strict(L);
	registry_set(L, &LOADING);
}

static void show_globals(lua_State *L, const char *key)
{
	script_vm_push_globals(L);
	registry_push(L, key);
	lua_guard_show(L, lua_gettop(L) - 1, lua_gettop(L));
	lua_pop(L, 2);
}

static int show_running(lua_State *L)
{
	show_globals(L, &RUNNING);
	return 0;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct script_load *load = script_vm_of(L)->load;

	if (!load || !load->timeout_ms || now_ms() - load->start_ms <= load->timeout_ms)
		return;
	lua_sethook(L, on_count, LUA_MASKLINE, 0);
	fail(L, "ERR FUNCTION LOAD timeout");
}

/* The error on the top. */
static void take_error(lua_State *L, struct script_load *load)
{
	const char *text = NULL;

	if (lua_type(L, -1) == LUA_TSTRING)
		text = lua_pushfstring(L, "ERR %s", lua_tostring(L, -1));
	else if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "err");
		text = lua_tostring(L, -1);
	}
	snprintf(load->err, SCRIPT_ERR_MAX, "ERR Error registering functions: %s",
		text ? text : "unknown error");
}

static int run_code(lua_State *L)
{
	struct script_load *load = lua_touserdata(L, 1);

	registry_push(L, &LIBRARIES);
	lua_pushnumber(L, (lua_Number)load->id);
	lua_newtable(L);
	lua_rawset(L, -3);
	show_globals(L, &LOADING);
	if (script_vm_compile(L, load->code, load->len, "@user_function")) {
		snprintf(load->err, SCRIPT_ERR_MAX, "ERR Error compiling function: %s",
			lua_tostring(L, -1));
		return 0;
	}
	lua_sethook(L, on_count, LUA_MASKCOUNT, SCRIPT_HOOK_EVERY);
	if (lua_pcall(L, 0, 0, 0))
		take_error(L, load);
	else
		load->ok = true;
	return 0;
}

bool script_vm_load(struct script_vm *vm, uint64_t id, const char *code, size_t len,
	unsigned timeout_ms, script_register_fn fn, void *ctx, char err[SCRIPT_ERR_MAX])
{
	struct script_load load = {
		.vm = vm,
		.id = id,
		.code = code,
		.len = len,
		.timeout_ms = timeout_ms,
		.start_ms = now_ms(),
		.fn = fn,
		.ctx = ctx,
		.err = err,
	};
	char unused[SCRIPT_ERR_MAX];
	bool ok;

	vm->load = &load;
	ok = script_vm_protect(vm, run_code, &load, err) && load.ok;
	vm->load = NULL;
	lua_sethook(vm->L, NULL, 0, 0);
	if (!script_vm_protect(vm, show_running, NULL, unused))
		ok = false; /* no memory, for a few bytes: the next one tries again */
	if (!ok)
		script_vm_unload(vm, id);
	return ok;
}

struct unload {
	uint64_t id;
	bool found;
};

static int forget(lua_State *L)
{
	struct unload *u = lua_touserdata(L, 1);

	registry_push(L, &LIBRARIES);
	lua_pushnumber(L, (lua_Number)u->id);
	lua_pushnil(L);
	lua_rawset(L, -3);
	return 0;
}

void script_vm_unload(struct script_vm *vm, uint64_t id)
{
	struct unload u = {id, false};
	char err[SCRIPT_ERR_MAX];

	script_vm_protect(vm, forget, &u, err);
}

static int find(lua_State *L)
{
	struct unload *u = lua_touserdata(L, 1);

	registry_push(L, &LIBRARIES);
	lua_pushnumber(L, (lua_Number)u->id);
	lua_rawget(L, -2);
	u->found = lua_istable(L, -1);
	return 0;
}

bool script_vm_is_loaded(struct script_vm *vm, uint64_t id)
{
	struct unload u = {id, false};
	char err[SCRIPT_ERR_MAX];

	return script_vm_protect(vm, find, &u, err) && u.found;
}

void script_load_push_function(lua_State *L, uint64_t id, const char *name)
{
	registry_push(L, &LIBRARIES);
	lua_pushnumber(L, (lua_Number)id);
	lua_rawget(L, -2);
	lua_getfield(L, -1, name);
	lua_insert(L, -3);
	lua_pop(L, 2);
}
