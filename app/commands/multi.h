/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transactions: MULTI, EXEC and WATCH.
 *
 * From MULTI on, commands are queued (copied) by the dispatcher. EXEC is a command that locks the
 * partitions of all queued ones and of the watched keys together, and then runs them one after the
 * other: so it is as atomic as a command. Its effects become one record.
 */
#ifndef MILLRACE_APP_COMMANDS_MULTI_H
#define MILLRACE_APP_COMMANDS_MULTI_H

#include "app/commands/command.h"
#include "app/listeners.h"

struct tx_command {
	const struct command *cmd;
	uint32_t argc;
	struct slice *argv; /* owned, the bytes behind it */
};

/* Of a client that has said MULTI or WATCH at some time. */
struct client_tx {
	bool open;                /* between MULTI and EXEC: CLIENT_MULTI is set */
	bool failed;              /* a command could not be queued: EXECABORT */
	struct tx_command *queue; /* owned */
	uint32_t nr, cap;
	uint32_t flags, lacks; /* what any of the commands has, and has not */
	size_t need;           /* bytes of log that they may need together */
	size_t bytes;          /* that the queue takes */
	struct watch_set *watch;
	atomic_int shown; /* commands queued, -1: none open; for CLIENT LIST */
	atomic_size_t shown_bytes;
};

/* Functions of the table. */
void multi_command(struct client *c);
void exec_command(struct client *c);
void discard_command(struct client *c);
void watch_command(struct client *c);
void unwatch_command(struct client *c);

/* Is the command queued, rather than run, between MULTI and EXEC? */
bool tx_queues(const struct command *cmd);
/* Queues the client's command. need: bytes of log that it may need. Replies. */
void tx_queue(struct client *c, const struct command *cmd, size_t need);
/* Something could not be queued. */
void tx_fail(struct client *c);
/* Ends the transaction and the watches; also of a client that goes. */
void tx_discard(struct client *c);
void tx_client_gone(struct client *c);
/* Memory of what is queued and watched. */
size_t tx_bytes(const struct client *c);
/* The partitions of EXEC. */
void tx_lockset(struct client *c, struct ks_lockset *ls);
/* command_held() for any of the queue. */
bool tx_is_held(struct client *c);

static inline uint32_t tx_flags(const struct client *c)
{
	return c->tx ? c->tx->flags : 0;
}
static inline uint32_t tx_lacks(const struct client *c)
{
	return c->tx ? c->tx->lacks : 0;
}

#endif
