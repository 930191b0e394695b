/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lua states: making, compiling, running. Everything that can raise an error runs protected; what
 * raises one outside of a script (no memory) is an error like any other.
 */
#include "app/script/vm.h"

#include "app/reply.h"
#include "app/script/vm_priv.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A step of the collector after so many runs. */
#define GC_EVERY 50
#define GC_STEP  50
#define GC_PAUSE 200 /* percent; and the step's multiplier: Lua's own */
/* All is collected after a run that leaves more than this, and twice as much as is in use. */
#define GC_ALL_BYTES ((size_t)32 << 20)
/* math.random before math.randomseed, as 48-bit generators begin by custom. */
#define RANDOM_START 0x1234abcd330eull

/* Keys of the registry: their addresses. */
static const char GLOBALS;

/* --- memory ----------------------------------------------------------------------------------- */

/* What a script may take, so that it is that which fails and not the node. A quarter of what the
 * machine has is beyond any use; and Lua's libraries reckon the lengths of strings in int. */
static size_t memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (size_t)pages * (size_t)size / 4 : SIZE_MAX;
}

static void *vm_alloc(void *ud, void *ptr, size_t old, size_t size)
{
	struct script_vm *vm = ud;
	size_t bytes = atomic_load_explicit(&vm->bytes, memory_order_relaxed);
	void *new = NULL;

	old = ptr ? old : 0;
	if (size > old &&
		(size > INT_MAX || size - old > vm->limit || bytes > vm->limit - (size - old)))
		return NULL;
	if (size == 0) {
		free(ptr);
	} else {
		new = realloc(ptr, size);
		if (!new)
			return NULL;
	}
	atomic_store_explicit(&vm->bytes, bytes - old + size, memory_order_relaxed);
	return new;
}

struct script_vm *script_vm_of(lua_State *L)
{
	void *ud;

	lua_getallocf(L, &ud);
	return ud;
}

size_t script_vm_bytes(const struct script_vm *vm)
{
	return atomic_load_explicit(&vm->bytes, memory_order_relaxed);
}

/* --- protection ------------------------------------------------------------------------------- */

bool script_vm_protect(struct script_vm *vm, lua_CFunction fn, void *arg, char err[SCRIPT_ERR_MAX])
{
	int top = lua_gettop(vm->L);
	const char *text;

	if (lua_cpcall(vm->L, fn, arg) == 0)
		return true;
	text = lua_type(vm->L, -1) == LUA_TSTRING ? lua_tostring(vm->L, -1) : NULL;
	snprintf(err, SCRIPT_ERR_MAX, "ERR %s", text ? text : "Lua error");
	lua_settop(vm->L, top);
	return false;
}

/* An error outside of any protection: there is none, but were there, this tells of it. */
static int on_panic(lua_State *L)
{
	fprintf(stderr, "Lua: unprotected error: %s\n", lua_tostring(L, -1));
	return 0; /* and the process is ended */
}

/* --- making one ------------------------------------------------------------------------------- */

void script_vm_push_globals(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&GLOBALS);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static void open_libs(lua_State *L)
{
	lua_base_open(L);
	luaopen_script_json(L);
	lua_setglobal(L, "cjson");
	lua_settop(L, 0);
	luaopen_script_struct(L);
	lua_setglobal(L, "struct");
	luaopen_script_cmsgpack(L);
	lua_setglobal(L, "cmsgpack");
	luaopen_script_bit(L);
	lua_setglobal(L, "bit");
	lua_getglobal(L, "math");
	script_api_math(L);
	lua_settop(L, 0);
}

/* From here on nobody sees a table of ours but by its guard. */
static void guard_all(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_guard_push(L);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_guard_strict(L);
	lua_guard_push(L);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&GLOBALS);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_replace(L, LUA_GLOBALSINDEX);
	lua_settop(L, 0);
}

static int set_up(lua_State *L)
{
	struct script_vm *vm = script_vm_of(L);

	lua_settop(L, 0);
	lua_guard_setup(L);
	open_libs(L);
	script_api_push(L, vm->kind);
	lua_setglobal(L, "redis");
	if (vm->kind == SCRIPT_VM_FUNCTION)
		script_load_setup(L);
	guard_all(L);
	return 0;
}

struct script_vm *script_vm_create(
	enum script_vm_kind kind, const struct script_host *host, void *ctx)
{
	struct script_vm *vm = calloc(1, sizeof(*vm));
	char err[SCRIPT_ERR_MAX];

	if (!vm)
		return NULL;
	vm->kind = kind;
	vm->host = host;
	vm->host_ctx = ctx;
	vm->random = RANDOM_START;
	vm->limit = memory_limit();
	vm->L = lua_newstate(vm_alloc, vm);
	if (!vm->L) {
		free(vm);
		return NULL;
	}
	lua_atpanic(vm->L, on_panic);
	if (!script_vm_protect(vm, set_up, NULL, err)) {
		script_vm_destroy(&vm);
		return NULL;
	}
	/* The global table of the calls that are made from outside of the set-up's. */
	script_vm_push_globals(vm->L);
	lua_replace(vm->L, LUA_GLOBALSINDEX);
	return vm;
}

void script_vm_set_limit(struct script_vm *vm, size_t bytes)
{
	vm->limit = bytes;
}

void script_vm_destroy(struct script_vm **vmp)
{
	struct script_vm *vm = *vmp;

	if (!vm)
		return;
	lua_sethook(vm->L, NULL, 0, 0);
	lua_close(vm->L);
	free(vm->argv);
	free(vm);
	*vmp = NULL;
}

/* --- compiling -------------------------------------------------------------------------------- */

struct text {
	const char *head, *body;
	size_t head_len, len;
};

static const char *read_text(lua_State *L, void *ud, size_t *len)
{
	struct text *t = ud;
	const char *piece = t->head_len ? t->head : t->body;

	*len = t->head_len ? t->head_len : t->len;
	if (t->head_len)
		t->head_len = 0;
	else
		t->len = 0;
	return *len ? piece : NULL;
}

int script_vm_compile(lua_State *L, const char *code, size_t len, const char *name)
{
	/* Compiled code is made to be text, which it is not. */
	struct text t = {" ", code, len > 0 && *code == LUA_SIGNATURE[0], len};
	int rc;

	lua_pushstring(L, name); /* the parser does not keep it from being collected */
	rc = lua_load(L, read_text, &t, name);
	lua_remove(L, -2);
	return rc;
}

struct define {
	const char *sha, *code;
	size_t len;
	char *err;
	bool ok;
};

static int define(lua_State *L)
{
	struct define *d = lua_touserdata(L, 1);

	if (script_vm_compile(L, d->code, d->len, "@user_script")) {
		snprintf(d->err, SCRIPT_ERR_MAX, "ERR Error compiling script (new function): %s",
			lua_tostring(L, -1));
		return 0;
	}
	lua_setfield(L, LUA_REGISTRYINDEX, d->sha);
	d->ok = true;
	return 0;
}

bool script_vm_define(struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1], const char *code,
	size_t len, char err[SCRIPT_ERR_MAX])
{
	struct define d = {sha, code, len, err, false};

	return script_vm_protect(vm, define, &d, err) && d.ok;
}

struct lookup {
	const char *sha;
	bool found;
};

static int look_up(lua_State *L)
{
	struct lookup *l = lua_touserdata(L, 1);

	lua_getfield(L, LUA_REGISTRYINDEX, l->sha);
	l->found = lua_isfunction(L, -1);
	return 0;
}

bool script_vm_has(struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1])
{
	struct lookup l = {sha, false};
	char err[SCRIPT_ERR_MAX];

	return script_vm_protect(vm, look_up, &l, err) && l.found;
}

/* --- running ---------------------------------------------------------------------------------- */

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct script_vm *vm = script_vm_of(L);

	if (!vm->run || !vm->run->host->interrupt(vm->run))
		return;
	/* From now on at every line, so that no pcall holds it up. */
	lua_sethook(L, on_count, LUA_MASKLINE, 0);
	lua_push_error(L, "ERR Script killed by user with SCRIPT KILL...");
	lua_error(L);
}

void script_vm_push_array(lua_State *L, const struct slice *s, uint32_t nr)
{
	lua_createtable(L, (int)nr, 0);
	for (uint32_t i = 0; i < nr; i++) {
		lua_pushlstring(L, s[i].ptr, s[i].len);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

void script_vm_call(struct script_vm *vm, struct script_run *run, int nr)
{
	lua_State *L = vm->L;
	int handler = lua_gettop(L) - nr - 1;

	lua_sethook(L, on_count, LUA_MASKCOUNT, SCRIPT_HOOK_EVERY);
	if (lua_pcall(L, nr, 1, handler) == 0) {
		lua_sethook(L, NULL, 0, 0);
		script_reply_value(run, L);
	} else {
		lua_sethook(L, NULL, 0, 0);
		script_reply_error(run, L);
	}
}

struct eval {
	struct script_vm *vm;
	const char *sha;
	struct script_run *run;
};

/* KEYS and ARGV are globals, of all scripts. */
static void set_global_array(lua_State *L, const char *name, const struct slice *s, uint32_t nr)
{
	script_vm_push_globals(L);
	lua_guard_real(L, -1);
	lua_pushstring(L, name);
	script_vm_push_array(L, s, nr);
	lua_rawset(L, -3);
	lua_pop(L, 2);
}

static int eval(lua_State *L)
{
	struct eval *e = lua_touserdata(L, 1);

	set_global_array(L, "KEYS", e->run->keys, e->run->nr_keys);
	set_global_array(L, "ARGV", e->run->args, e->run->nr_args);
	lua_base_push_handler(L);
	lua_getfield(L, LUA_REGISTRYINDEX, e->sha);
	script_vm_call(e->vm, e->run, 0);
	return 0;
}

static int collect_all(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

static int collect_some(lua_State *L)
{
	lua_gc(L, LUA_GCSETPAUSE,
		GC_PAUSE); /* a script may have changed them, and more than its own */
	lua_gc(L, LUA_GCSETSTEPMUL, GC_PAUSE);
	lua_gc(L, LUA_GCSTEP, GC_STEP);
	return 0;
}

/* After a run: a little now and then, and all if it has left much behind, because there are many
 * states in a node. Protected, because the collector can find itself without memory. */
static void collect(struct script_vm *vm)
{
	char err[SCRIPT_ERR_MAX];

	if (script_vm_bytes(vm) > GC_ALL_BYTES && script_vm_bytes(vm) / 2 > vm->live_bytes) {
		script_vm_protect(vm, collect_all, NULL, err);
		vm->live_bytes = script_vm_bytes(vm);
	} else if (++vm->nr_runs % GC_EVERY == 0) {
		script_vm_protect(vm, collect_some, NULL, err);
	}
}

/* Runs fn(arg); whatever goes wrong outside of the script is replied. */
static void run_protected(struct script_vm *vm, struct script_run *run, lua_CFunction fn, void *arg)
{
	void *before = run->c->deferred;
	char err[SCRIPT_ERR_MAX];
	bool ok;

	vm->run = run;
	reply_aside_begin(run->c);
	ok = script_vm_protect(vm, fn, arg, err);
	vm->run = NULL;
	vm->in_call = false;
	lua_sethook(vm->L, NULL, 0, 0);
	if (ok) {
		reply_aside_end(run->c);
	} else { /* half of a reply may be there */
		while (run->c->deferred && run->c->deferred != before)
			reply_defer_drop(run->c);
		reply_err(run->c, err);
	}
	collect(vm);
}

void script_vm_run(struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1], struct script_run *run)
{
	struct eval e = {vm, sha, run};

	run_protected(vm, run, eval, &e);
}

struct function {
	struct script_vm *vm;
	uint64_t id;
	struct script_run *run;
};

static int run_function(lua_State *L)
{
	struct function *f = lua_touserdata(L, 1);

	lua_base_push_handler(L);
	script_load_push_function(L, f->id, f->run->name);
	script_vm_push_array(L, f->run->keys, f->run->nr_keys);
	script_vm_push_array(L, f->run->args, f->run->nr_args);
	script_vm_call(f->vm, f->run, 2);
	return 0;
}

void script_vm_run_function(struct script_vm *vm, uint64_t id, struct script_run *run)
{
	struct function f = {vm, id, run};

	run_protected(vm, run, run_function, &f);
}

/* --- for both --------------------------------------------------------------------------------- */

const char *script_flag_name(unsigned bit)
{
	static const char *const names[] = {
		"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

void script_sha(const void *data, size_t len, char sha[SCRIPT_SHA_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};

	EVP_Digest(data, len, hash, NULL, EVP_sha1(), NULL);
	for (int i = 0; i < SCRIPT_SHA_LEN / 2; i++) {
		sha[2 * i] = digits[hash[i] >> 4];
		sha[2 * i + 1] = digits[hash[i] & 15];
	}
	sha[SCRIPT_SHA_LEN] = '\0';
}
