/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A Lua state from inside: what vm.c, load.c, api.c and the conversions share.
 */
#ifndef MILLRACE_APP_SCRIPT_VM_PRIV_H
#define MILLRACE_APP_SCRIPT_VM_PRIV_H

#include "app/script/lua_lib.h"
#include "app/script/vm.h"

#define SCRIPT_HOOK_EVERY 10000 /* instructions */

struct script_load;

struct script_vm {
	lua_State *L;
	enum script_vm_kind kind;
	const struct script_host *host;
	void *host_ctx;
	struct script_run *run;   /* under way */
	struct script_load *load; /* a library is being loaded */
	atomic_size_t bytes;      /* written by the core */
	size_t limit;             /* of bytes */
	size_t live_bytes;        /* when all was collected last */
	uint64_t random;          /* 48 bits */
	unsigned nr_runs;
	bool in_call;
	struct slice *argv; /* of redis.call; owned */
	uint32_t argv_cap;
};

/* The vm of a state: its allocator's argument. */
struct script_vm *script_vm_of(lua_State *L);
/* Runs fn(L) with arg as its light userdata at index 1, protected. False: err. */
bool script_vm_protect(struct script_vm *vm, lua_CFunction fn, void *arg, char err[SCRIPT_ERR_MAX]);
/* Compiles as text. lua_load()'s result; pushes the function or the error. */
int script_vm_compile(lua_State *L, const char *code, size_t len, const char *name);
/* Pushes what scripts see as the global table. */
void script_vm_push_globals(lua_State *L);
/* Calls the function on the stack below nr arguments, above the handler; converts the outcome. */
void script_vm_call(struct script_vm *vm, struct script_run *run, int nr);
/* Pushes a table of the strings. */
void script_vm_push_array(lua_State *L, const struct slice *s, uint32_t nr);

/* api.c: pushes the table `redis`. */
void script_api_push(lua_State *L, enum script_vm_kind kind);
/* ... of a library that is being loaded; reg: redis.register_function */
void script_api_push_library(lua_State *L, lua_CFunction reg);
/* Puts math.random and math.randomseed into the table on the top. */
void script_api_math(lua_State *L);

/* load.c */
void script_load_setup(lua_State *L);
/* Pushes a function of a loaded library. */
void script_load_push_function(lua_State *L, uint64_t id, const char *name);

/* from_reply.c: pushes a reply in RESP as a Lua value; raises an error when the stack is full. */
void script_push_reply(lua_State *L, const struct slice *reply);
/* to_reply.c: replies with the value on the top and takes it off the stack. */
void script_reply_value(struct script_run *run, lua_State *L);
/* Replies with the error on the top, as a script that failed, and takes it off. */
void script_reply_error(struct script_run *run, lua_State *L);

#endif
