/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scripts on poll cores: how one runs, is interrupted, and ends.
 *
 *	command_run() -> script_exec(): token, then on the core's fiber:
 *		run_locked(): partitions of the declared keys -> eval_command() -> script_begin()
 *			Lua -> redis.call -> partitions that are missing -> the command
 *		all effects as one record, as EXEC's; partitions let go
 *	-> the token is given back
 *
 * Isolation. A script's partitions stay locked until its effects are in the log: those of its
 * declared keys from the beginning, any other from when a command of it needs it. For the latter it
 * waits, holding what it has; that cannot be a deadlock, because only who has the token does so,
 * and there is one token in the node: scripts run one at a time, beside ordinary commands of other
 * partitions on other cores. (All others who wait for a partition give up after a bounded time and
 * let go of theirs.)
 *
 * Time. After SLICE_US a script leaves its fiber, so that the core can go on with its loop; the
 * client is set aside, and client_core_work() resumes it. Its partitions stay locked, so commands
 * that need them wait. After busy-reply-threshold all that is not CMD_ALLOW_BUSY is refused with
 * -BUSY, on every core, and SCRIPT KILL ends the script, unless it has written.
 *
 * One Lua state for EVAL and one for functions a core; the texts are shared (app/script/cache.h).
 */
#ifndef MILLRACE_APP_COMMANDS_SCRIPT_RUN_H
#define MILLRACE_APP_COMMANDS_SCRIPT_RUN_H

#include "app/commands/dispatch.h"
#include "app/script/cache.h"
#include "app/script/library.h"
#include "app/script/vm.h"

/* Bytes of log that a script is let in with; it asks for more as it goes. */
#define SCRIPT_LOG_BYTES (64u * 1024)

/* Bits of scripts.state. */
#define SCRIPT_STATE_RUNS   (1u << 0)
#define SCRIPT_STATE_EVAL   (1u << 1) /* of EVAL, not a function */
#define SCRIPT_STATE_WROTE  (1u << 2) /* cannot be ended any more */
#define SCRIPT_STATE_OBEYED (1u << 3) /* came from our master, or from the log */
#define SCRIPT_STATE_BUSY   (1u << 4) /* takes longer than busy-reply-threshold */
#define SCRIPT_STATE_KILLED (1u << 5)

/* Of the node. */
struct scripts {
	struct script_cache *cache;
	struct library_set libs;
	atomic_flag token;    /* taken by the core whose script runs */
	atomic_uint state;    /* SCRIPT_STATE_*: of that script */
	atomic_bool deny_off; /* DEBUG SET-DISABLE-DENY-SCRIPTS */
	rte_spinlock_t lock;  /* guards what follows */
	const char *name;     /* borrowed from the script that runs */
	const struct slice *argv;
	uint32_t argc;
	uint64_t start_us;
};

int scripts_create(struct server *srv); /* control thread; 0 or -ENOMEM */
void scripts_destroy(struct server *srv);

/* Runs a command that may run scripts: run(c, cmd) on the core's fiber. Core of the client. */
enum run_result script_exec(struct client *c, const struct command *cmd,
	enum run_result (*run)(struct client *c, const struct command *cmd));
/* The same for who applies a stream, in whose middle nobody may come: takes the token. False: try
 * again later. */
bool script_token_take(struct server *srv);
void script_token_give(struct server *srv);

/* Goes on with a script that was set aside. True: there is one. */
bool script_core_work(struct app_core *ac);
/* A slice of the script that is set aside on the core, whose client goes on later. For who waits
 * for its token or its partitions, on its core. */
void script_core_push(struct app_core *ac);
/* Takes the token and every partition, however long it takes. False: the core is to stop. Core 0's
 * thread. */
bool script_lock_node(struct app_core *ac, struct ks_lockset *all);
void script_unlock_node(struct app_core *ac, struct ks_lockset *all);
/* The client of a script that is set aside has lost its connection: it is freed when that ends. */
void script_client_closed(struct client *c);
/* The core's loop has ended: what is set aside is given up. */
void script_core_stop(struct app_core *ac);
void script_core_destroy(struct app_core *ac);
/* Bytes that the Lua states of a kind use on all cores. Any thread. */
size_t scripts_vm_bytes(const struct server *srv, enum script_vm_kind kind);

/* What a script's command may do: its flags, with those that the script declares. */
uint32_t script_command_flags(const struct client *c, const struct command *cmd);

static inline unsigned scripts_state(const struct server *srv)
{
	return srv->scripts ? atomic_load_explicit(&srv->scripts->state, memory_order_relaxed) : 0;
}
/* The text to refuse commands with while a script is busy, or NULL. */
const char *script_busy_text(const struct server *srv);
/* SCRIPT KILL and FUNCTION KILL. Replies. */
void script_kill(struct client *c, bool is_eval);

/* --- for the commands that run scripts, inside of script_exec() --- */

/* NULL: no memory. */
struct script_vm *script_vm_get(struct app_core *ac, enum script_vm_kind kind);
/* Runs by fn(ctx, run) what is under name with these flags, as the client's command. keys: behind
 * argv[2], which has been checked. read_only: the command is one of the _RO kind. Replies. */
void script_begin(struct client *c, const char *name, bool is_eval, uint32_t flags, bool read_only,
	uint32_t nr_keys, void (*fn)(void *ctx, struct script_run *run), void *ctx);
/* Reads argv[2]. False after a reply. bad: what is said of something that is no number, or NULL. */
bool script_numkeys(struct client *c, const char *bad, uint32_t *nr);

#endif
