/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A Lua state with all that scripts have in it: one for EVAL and one for functions, each on every
 * poll core, made when it is first used.
 *
 *	host (app/commands/script_*.c)
 *	  | script_vm_run(), script_vm_load()      ^ struct script_host: redis.call, redis.log ...
 *	  v                                            |
 *	Lua: the script --> redis.* (api.c) -----------+
 *
 * It compiles, runs, converts, and knows no more of the node than the host tells it. What a script
 * does wrong, and memory that runs out, becomes an error text. One core.
 */
#ifndef MILLRACE_APP_SCRIPT_VM_H
#define MILLRACE_APP_SCRIPT_VM_H

#include "dataplane/resp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_SHA_LEN 40
#define SCRIPT_ERR_MAX 512

struct client;
struct script_run;

enum script_flags { /* names: script_flag_name() */
	SCRIPT_NO_WRITES = 1u << 0,
	SCRIPT_ALLOW_OOM = 1u << 1,
	SCRIPT_ALLOW_STALE = 1u << 2,
	SCRIPT_NO_CLUSTER = 1u << 3,
	SCRIPT_CROSS_SLOT = 1u << 4,
	SCRIPT_COMPAT = 1u << 5, /* EVAL of a script that says nothing of its flags */
};

enum script_vm_kind {
	SCRIPT_VM_EVAL,
	SCRIPT_VM_FUNCTION,
};

/* Of redis.set_repl(). */
#define SCRIPT_REPL_NONE    0
#define SCRIPT_REPL_AOF     1
#define SCRIPT_REPL_REPLICA 2
#define SCRIPT_REPL_ALL     3

/* What is asked of the host. Never while the Lua state is being changed, so the host may leave the
 * fiber in each of them. */
struct script_host {
	/* Runs a command. True: *reply is its reply in RESP, until the next call. False: it was
	 * refused, err says why ("ERR ..."), and it has been counted. */
	bool (*call)(struct script_run *run, uint32_t argc, const struct slice *argv,
		struct slice *reply, char err[SCRIPT_ERR_MAX]);
	/* 1: the user may run the command; 0: he may not; -1: there is no such command. */
	int (*acl_check)(struct script_run *run, uint32_t argc, const struct slice *argv);
	/* Every 10000 instructions or so. True: the script is to end. */
	bool (*interrupt)(struct script_run *run);
	void (*set_resp)(struct script_run *run, int resp);
	/* ctx: of script_vm_create(). */
	void (*log)(void *ctx, int level, const char *text, size_t len);
};

/* A run of a script or function. */
struct script_run {
	const struct script_host *host;
	const char *name; /* its sha, or the function's name */
	struct client *c; /* gets the reply */
	bool is_counted;  /* an error that it has replied is counted in errorstats already */
	int resp, repl;   /* by redis.setresp() and set_repl() */
	uint32_t nr_keys, nr_args;
	const struct slice *keys, *args;
	size_t reply_bytes; /* so far; at first 0 */
};

struct script_vm;

/* NULL: no memory. host and ctx are borrowed. */
struct script_vm *script_vm_create(
	enum script_vm_kind kind, const struct script_host *host, void *ctx);
void script_vm_destroy(struct script_vm **vm);
/* What it may use at most, if not a quarter of the machine's memory; what wants more fails. */
void script_vm_set_limit(struct script_vm *vm, size_t bytes);
/* Bytes that Lua uses. Any thread. */
size_t script_vm_bytes(const struct script_vm *vm);

/* --- EVAL --- */

bool script_vm_has(struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1]);
/* Compiles. False: err ("ERR ..."). */
bool script_vm_define(struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1], const char *code,
	size_t len, char err[SCRIPT_ERR_MAX]);
/* Runs what has been defined, and replies to run->c. */
void script_vm_run(
	struct script_vm *vm, const char sha[SCRIPT_SHA_LEN + 1], struct script_run *run);

/* --- functions --- */

/* Is told of each function of a library. False: err. Strings are borrowed; desc may be NULL. */
typedef bool (*script_register_fn)(void *ctx, const struct slice *name, const struct slice *desc,
	uint32_t flags, char err[SCRIPT_ERR_MAX]);
/* Runs a library's code, so that its functions can be run under this id. timeout_ms 0: none. fn may
 * be NULL. False: err, and nothing is left of it. */
bool script_vm_load(struct script_vm *vm, uint64_t id, const char *code, size_t len,
	unsigned timeout_ms, script_register_fn fn, void *ctx, char err[SCRIPT_ERR_MAX]);
bool script_vm_is_loaded(struct script_vm *vm, uint64_t id);
void script_vm_unload(struct script_vm *vm, uint64_t id);
/* Runs run->name of a loaded library, and replies to run->c. */
void script_vm_run_function(struct script_vm *vm, uint64_t id, struct script_run *run);

/* --- for both --- */

/* NULL behind the last. */
const char *script_flag_name(unsigned bit);
/* sha1 in hexadecimal. */
void script_sha(const void *data, size_t len, char sha[SCRIPT_SHA_LEN + 1]);

#endif
