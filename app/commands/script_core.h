/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A core's part of scripting, from inside: what script_run.c and script_call.c share.
 */
#ifndef MILLRACE_APP_COMMANDS_SCRIPT_CORE_H
#define MILLRACE_APP_COMMANDS_SCRIPT_CORE_H

#include "app/commands/script_run.h"
#include "app/script/fiber.h"

/* What of struct app_core belongs to the command under way: kept while a script is set aside. */
struct script_aside {
	struct propagation *prop;
	bool has_effects, in_exec, local, out_of_memory;
	struct encbuf events;
	struct client *running;
	struct track_outbox outbox;
	size_t admitted;
	struct ks_lockset *locks;
	struct ready_nodes ready; /* whoever waits for what it has filled */
	void *deferred;           /* of the client */
	const struct slice *argv;
	uint32_t argc;
};

struct script_core {
	struct app_core *ac;
	struct fiber *fiber;
	struct propagation *spare; /* for the others while a script is set aside */
	struct script_aside aside; /* while is_aside and not is_over */
	struct client *caller;     /* runs the commands of scripts; owned */
	struct script_vm *vms[2];  /* by enum script_vm_kind; NULL: not made yet */
	_Atomic size_t vm_bytes[2];
	uint64_t generation; /* of the cache, that the one of EVAL is of */
	uint64_t *loaded;    /* ids of the libraries in the one of functions; owned */
	unsigned nr_loaded;
	uint64_t libs_seen; /* changes of the node's set that it knows of */

	/* the command on the fiber; c NULL: none */
	struct client *c;
	const struct command *cmd;
	enum run_result (*fn)(struct client *c, const struct command *cmd);
	enum run_result rc;
	struct slice *argv; /* owned copy: what the client has sent is gone when it is resumed */
	bool is_aside, is_over, is_lost; /* it has left; it has ended since; so has its client */
	uint64_t slice_us;               /* when it came on last */

	/* the script under way */
	struct script_run run;
	struct client *user; /* whose command it is */
	bool read_only, allow_oom, out_of_memory, is_compat, told_busy;
	size_t log_given; /* admitted for the first script of the command, beyond all else */
	size_t log_start; /* bytes of effects when it began */
	size_t log_bytes; /* admitted for its own */
	char *reply;      /* of the last redis.call; owned */
};

/* The host of its Lua states; ctx is the struct script_core. */
extern const struct script_host script_host;

/* Leaves the fiber until the core's next turn, if there is one. */
void script_leave(struct script_core *sk);

#endif
