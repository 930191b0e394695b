/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dispatcher: from parsed arguments to an executed, logged and answered command.
 *
 *	look up -> refusals (Redis' order) -> lock the keys' partitions -> run -> log its effects ->
 *unlock
 *
 * Invariants: the log record of a command is reserved while its partitions are locked, so per-key
 *order in the log is execution order; a write runs only after the log has admitted its size; the
 *client's gate never falls below the last write of any partition that a command of his touched.
 */
#ifndef MILLRACE_APP_COMMANDS_DISPATCH_H
#define MILLRACE_APP_COMMANDS_DISPATCH_H

#include "app/commands/command.h"
#include "app/commands/encode.h"

enum run_result {
	RUN_DONE,  /* replied (or the client is to be closed) */
	RUN_RETRY, /* set aside: a partition is busy or the log is full; nothing has happened yet */
	RUN_BLOCK, /* the client is blocked now; the command has been taken */
	RUN_PAUSED, /* CLIENT PAUSE: the same command again when that ends */
};

/* Runs the command in c->argv, c->argc. cmd: what command_find() has found them to be, or NULL.
 * Core of the client. */
enum run_result command_run(struct client *c, const struct command *cmd);

/* Nothing in the node's state refuses or delays a read: true until the core has looked
 * after anything else. Also sets what holds for all reads from here on. */
bool command_reads_begin(struct app_core *ac);
/* May command_run_read() take it? */
static inline bool command_is_plain_read(const struct client *c, const struct command *cmd)
{
	return (c->flags & (CLIENT_AUTHENTICATED | CLIENT_PECULIAR)) == CLIENT_AUTHENTICATED &&
	       (cmd->flags & (CMD_READONLY | CMD_WRITE | CMD_MAY_REPLICATE)) == CMD_READONLY &&
	       cmd->last_key == cmd->first_key;
}
/* command_run() for a read of one key, in partition part, that needs none of its checks: after
 * command_reads_begin(). */
enum run_result command_run_read(struct client *c, const struct command *cmd, uint32_t part);

/* The parts of it, for who applies a stream in runs of several commands (MULTI..EXEC of our
 * master). */
/* Finds the command and checks its arity only. NULL: unknown or wrong; text in err. */
const struct command *command_find(struct client *c, char *err, size_t err_len);
/* Adds the partitions of the command's keys to the set. */
void command_lockset(struct client *c, const struct command *cmd, struct ks_lockset *ls);
/* With all of them locked: whether the command should wait, because it changes a large value that
 * the snapshot under way has to save first (ks_snap_hold()). */
bool command_held(struct client *c, const struct command *cmd);
/* Executes with all locks held and counts it; effects stay in the client's core's propagation. */
void command_call(struct client *c, const struct command *cmd);

/* Bytes of log that the client's command may need. */
size_t command_record_bound(const struct client *c);
/* The last snapshot has failed, and the configuration wants writes refused then. */
bool command_is_unsaved(const struct server *srv);
/* The text to refuse the command with for that reason, or NULL. */
const char *command_refuse_unsaved(const struct server *srv, const struct command *cmd);

/* Sets the effects of the command that has just ended aside, for the record of its EXEC. */
void propagate_collect(struct client *c);
/* Forgets them: a script has said that they are not to be logged (redis.set_repl). */
void propagate_drop(struct client *c);
/* Bytes of what has been set aside. */
size_t propagation_bytes(const struct app_core *ac);
/* Has the command under way changed anything? */
bool propagation_changed(const struct app_core *ac);
/* Logs the effects since the core started a command. The replication offset behind them; 0: none.
 */
uint64_t propagate_effects(struct client *c);
/* The same, but only adds their record to *to. False: there is none. */
bool propagate_record(struct client *c, struct encbuf *to);
int propagation_create(struct propagation **out);
void propagation_destroy(struct propagation **p);
/* Forgets the effects of the command under way. */
void propagation_reset(struct app_core *ac);

/* Logs a DEL (or UNLINK) of a key outside any command: expiry and eviction. Partition locked, room
 * admitted. */
void propagate_del(struct app_core *ac, uint32_t part, int db, struct slice key, bool unlink);
/* Room for len bytes in the log, beside those of the core's group: 0, -EAGAIN (wait) or -EMSGSIZE
 * (never). */
int propagate_admit(struct app_core *ac, size_t len);
/* The same for a command that adds data: leaves an eighth of the log to those that remove, which
 * have to be let through when the data have outgrown the pool. */
int propagate_admit_data(struct app_core *ac, size_t len);
/* Of what got -EAGAIN: no snapshot will make room in the log, because the pool has none for a
 * snapshot; what would wait for ever is refused with the text. (Not for want of a higher ceiling,
 * which the flusher sees to.) */
bool propagate_stays_full(const struct server *srv);
extern const char propagate_full_text[];
/* Room for propagate_del() of the key. */
int propagate_admit_del(struct app_core *ac, struct slice key);

#endif
