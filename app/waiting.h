/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Commands that wait for a key to be filled: BLPOP and its kin, XREAD BLOCK.
 *
 *	waiter's core                            core of whoever fills the key
 *	  BLPOP k finds nothing, under k's         RPUSH k, under k's lock: touches k's node
 *	  lock: a struct wait behind the             its record is in the log
 *	  others at k's node                         waiting_serve(): for the first in the row
 *	                                               claim, pop, a record of its own
 *	  waiting_core_work() <---- mail ---------     the reply and its gate are posted
 *	    reply, the client goes on              lets the partitions go
 *
 * Why that is what a single-threaded Redis would have done:
 *
 * - First come, first served, at once. Waiters stand in a row at the key's node, in the order in
 *   which they got hold of the key's lock. Who fills the key serves them before it lets the lock
 *   go, and nobody can see the key in between: pusher and served pops are one step for all others.
 *   Inside of a transaction or a script nobody is served; at its end, in the order in which its
 *   keys were filled. A served BLMOVE fills another key, whose waiters are served next, still under
 *   the same locks.
 * - No lock is asked for while others are held: who may fill a key for which a BLMOVE waits locks
 *   the BLMOVE's destination with its own keys, and what that may wake, and so on
 *   (waiting_lock()). Under all those locks nobody can join a row that matters. A script, which
 *   learns late what it fills, takes what is missing at its end; it has the token that allows that.
 * - No element is lost. Set state decides, in one atomic step, between who serves (WAIT_CLAIMED)
 *   and who gives up, for time, CLIENT UNBLOCK, a change of role or a lost connection
 *   (WAIT_CANCELLED): who comes second leaves the other alone. A claim is made only when the pop
 *   that follows cannot fail, with its key locked and its record admitted.
 * - Durable. The served pop's record is behind the one of the command that filled the key, and so
 *   is the gate of the reply. That reply is no earlier than what it tells of.
 *
 * Where it is less strict: when the log has no room for the pop's record, or a key is filled by
 * what holds the lock outside of any command (DEBUG), the key is noted and its waiters are served
 * by the core's next turn; another client may come before them.
 *
 * Cost where nobody waits: one relaxed load a command (srv->nr_waits).
 *
 * Who owns what: a set and its waits are the waiter's core's. A wait's place in the row is guarded
 * by the partition's lock. Between WAIT_CLAIMED and the mail the rest of the set is the server's.
 */
#ifndef MILLRACE_APP_WAITING_H
#define MILLRACE_APP_WAITING_H

#include "app/client.h"
#include "app/core_waiting.h"
#include "app/keyspace/keyspace.h"
#include "app/keyspace/types/stream.h"
#include "app/listeners.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct app_core;
struct server;

#define WAIT_CLAIMED   (1u << 0)
#define WAIT_CANCELLED (1u << 1)

/* One client's wait for one key. */
struct wait {
	struct key_node *node; /* NULL: it stands in no row any more */
	struct wait_set *set;
	struct stream_id after; /* of a stream */
	TAILQ_ENTRY(wait) node_link, set_link;
};

/* What the waiting commands of a family have in common. Called with the key's partition locked. */
struct wait_kind {
	enum obj_type type; /* of the keys that serve */
	/* Is there something for this waiter? s: as in serve(). NULL: in every key of the type. */
	bool (*has)(struct client *s, const struct wait *w, struct entry *e);
	/* Bytes of log beyond what the command's arguments tell. NULL: none. */
	size_t (*log_bytes)(struct client *s, const struct wait *w, struct entry *e);
	/* Runs the command for this key: s has its arguments, and replies. */
	void (*serve)(struct client *s, const struct wait *w, const struct slice *key);
	/* What a waiter is told when the key has become something else or has gone. NULL, or
	 * returning NULL: he goes on waiting. */
	const char *(*lost)(const struct wait_set *set);
};

/* All that one client waits for. */
struct wait_set {
	struct wait_list waits;
	struct client *c;       /* NULL: it has gone */
	uint64_t id;            /* of the client */
	struct app_core *owner; /* of the client */
	atomic_uint state;
	const struct wait_kind *kind;
	const struct command *cmd;
	int db;
	uint8_t resp;
	bool on_replica;    /* it began to wait on a replica */
	unsigned role_gen;  /* repl->role_gen then */
	uint32_t dst_part;  /* UINT32_MAX: it fills no other key */
	struct slice *argv; /* owned, the bytes behind it */
	uint32_t argc;
	size_t bytes; /* that it takes */
	/* written by who serves */
	char *reply; /* owned; NULL: no memory for it */
	size_t len;
	uint64_t gate;
	bool wrote;
	unsigned log_epoch;
	STAILQ_ENTRY(wait_set) mail_link;
	TAILQ_ENTRY(wait_set) left_link;
};

void waiting_core_init(struct app_core *ac);
void waiting_core_fini(struct app_core *ac); /* the cores have stopped, clients have gone */

/* --- the commands; the client's core, the keys' partitions locked --- */

/* Inside of EXEC or a script nothing waits. */
bool waiting_allowed(const struct client *c);
/* A timeout in seconds, or in milliseconds: *until_ms, 0 for ever. False: the error was replied. */
bool waiting_timeout_arg(struct client *c, const struct slice *arg, int64_t *until_ms);
/* Makes the client wait for the keys, until that time. after: an ID for each, or NULL. dst: the key
 * that being served fills, or NULL. Replies only when memory is out. */
void waiting_begin(struct client *c, const struct wait_kind *kind, const struct slice *keys,
	uint32_t nr_keys, const struct stream_id *after, const struct slice *dst, int64_t until_ms);

/* --- who changes keys; any core --- */

/* Takes the locks of the set, and of what the waiters of its keys would change. False: something
 * is busy, nothing is held. */
bool waiting_lock(struct app_core *ac, struct ks_lockset *ls);
/* Serves who waits for what the command that has just been logged has filled. All that it may
 * change is locked, or may be waited for (may_wait: it has the scripts' token). now_ms: the
 * command's. local: the node is a replica. */
void waiting_serve_ready(
	struct app_core *ac, struct ks_lockset *ls, bool may_wait, int64_t now_ms, bool local);
/* A key has been touched outside of a command. Its partition is locked. */
void waiting_owe(struct app_core *ac, const struct key_node *n);
/* Does anybody wait for a key of the partition, which is locked? */
bool waiting_in_part(const struct server *srv, uint32_t part);

/* --- the client's core --- */

/* Goes on with what has been served, is over or is owed. True: there is more. */
bool waiting_core_work(struct app_core *ac);
/* The client is to be closed: nobody serves it from here on. clients_lock is held, any core. */
void waiting_kill(struct client *c);
/* The client goes. */
void waiting_client_gone(struct client *c);
#endif
