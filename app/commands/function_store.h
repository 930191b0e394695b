/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The node's libraries of functions: into RDB and out of it, and what a core has compiled of them.
 */
#ifndef MILLRACE_APP_COMMANDS_FUNCTION_STORE_H
#define MILLRACE_APP_COMMANDS_FUNCTION_STORE_H

#include "app/commands/encode.h"
#include "app/commands/script_run.h"
#include "app/script/library.h"
#include "repl/rdb_write.h"

/* Adds the RDB record of every library. The scripts' token or every partition is the caller's. */
int functions_write(const struct server *srv, struct rdb_writer *w);
/* The same to the end of a buffer. 0 or -errno. */
int functions_save(const struct server *srv, bool compress, struct encbuf *to);

/* Libraries that come with an RDB, gathered beside the node's. All zero is an empty one. */
struct function_intake {
	struct server *srv;
	struct library_set set;
	struct script_vm *vm; /* in which their code runs, made when the first one comes */
};
/* rdb_loader's on_function; ctx: the intake. */
int function_intake_add(void *ctx, const void *source, size_t len, char *err, size_t err_len);
void function_intake_fini(struct function_intake *in);
/* They take the place of the node's, which are freed by _fini. The token and every partition is the
 * caller's, or nothing runs yet. */
void function_intake_swap(struct function_intake *in);

/* A core's state with the library in it, and without any that is gone. The token is the caller's.
 * NULL: err. */
struct script_vm *function_vm_get(
	struct app_core *ac, const struct library *lib, char err[SCRIPT_ERR_MAX]);
/* The core has compiled the library by itself: FUNCTION LOAD. */
void function_vm_note(struct app_core *ac, uint64_t id);

#endif
