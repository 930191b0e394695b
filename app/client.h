/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client: one connection's protocol state, from its first byte to its close.
 *
 * A client belongs to the core that accepted it; only that core touches the fields, but for those
 * under "shared", which the registry's lock guards (server.h: clients_lock) or which are atomic.
 * Clients without a connection exist too: the one that replays the log at start and the one that
 * applies a master's stream.
 */
#ifndef MILLRACE_APP_CLIENT_H
#define MILLRACE_APP_CLIENT_H

#include "app/keyspace/keyspace.h"
#include "dataplane/resp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct acl_user;
struct app_core;
struct client_cold;
struct client_pubsub;
struct client_tx;
struct command;
struct conn;
struct obuf;
struct core;
struct server;
struct replica; /* repl/master.h: set while the client is a replica of ours */

enum client_flags {
	CLIENT_MASTER = 1u << 0,  /* applies the stream of our master: nothing refuses it */
	CLIENT_REPLAY = 1u << 1,  /* replays the log at start */
	CLIENT_REPLICA = 1u << 2, /* a replica of ours, from PSYNC on */
	CLIENT_MONITOR = 1u << 3,
	CLIENT_CLOSE_AFTER =
		1u << 4, /* close when what is queued has been sent (QUIT, protocol errors) */
	CLIENT_CLOSED = 1u << 5, /* the connection is gone */
	CLIENT_REPLY_OFF = 1u << 6,
	CLIENT_REPLY_SKIP_NEXT = 1u << 7,
	CLIENT_REPLY_SKIP = 1u << 8,
	CLIENT_AUTHENTICATED = 1u << 9,
	CLIENT_NO_EVICT = 1u << 10,
	CLIENT_NO_TOUCH = 1u << 11,
	CLIENT_UNIX = 1u << 12,
	CLIENT_LOCAL = 1u << 13,   /* peer is loopback or a unix socket (protected mode) */
	CLIENT_BLOCKED = 1u << 14, /* in WAIT or postponed by CLIENT PAUSE: parses no further */
	CLIENT_RETRY =
		1u << 15, /* set aside: a partition was busy or the log full; same command again */
	CLIENT_READONLY_FORBID = 1u << 16,
	CLIENT_ASAP = 1u << 17,      /* close at the end of this burst (output limit, kill) */
	CLIENT_NETDEV = 1u << 18,    /* came over a DPDK device */
	CLIENT_MULTI = 1u << 20,     /* between MULTI and EXEC */
	CLIENT_SCRIPT = 1u << 21,    /* runs the commands of scripts */
	CLIENT_IN_SCRIPT = 1u << 22, /* its script has been set aside: it stays until that ends */
	CLIENT_PUBSUB = 1u << 19,    /* has subscriptions; with RESP2 it may do little else */
	CLIENT_LIMITED = 1u << 30,   /* its user may not do everything: acl_check() */
	/* tracking.h */
	CLIENT_TRACKING = 1u << 24,
	CLIENT_TRACKING_BROKEN = 1u << 25, /* whom it redirects to has gone */
	CLIENT_TRACKING_BCAST = 1u << 26,
	CLIENT_TRACKING_OPTIN = 1u << 27,
	CLIENT_TRACKING_OPTOUT = 1u << 28,
	CLIENT_TRACKING_CACHING = 1u << 29, /* CLIENT CACHING: of the next command */
	CLIENT_TRACKING_NOLOOP = 1u << 31,
};

/* Clients whose commands run under rules of their own. */
#define CLIENT_PECULIAR                                                                            \
	(CLIENT_MASTER | CLIENT_REPLAY | CLIENT_REPLICA | CLIENT_MONITOR | CLIENT_CLOSE_AFTER |    \
		CLIENT_CLOSED | CLIENT_REPLY_SKIP_NEXT | CLIENT_REPLY_SKIP | CLIENT_BLOCKED |      \
		CLIENT_RETRY | CLIENT_ASAP | CLIENT_PUBSUB | CLIENT_MULTI | CLIENT_LIMITED)

enum client_block {
	BLOCK_NONE,
	BLOCK_WAIT,
	BLOCK_KEYS, /* waiting.h */
	BLOCK_PAUSE,
	BLOCK_CONTROL, /* the control thread is working on its request */
	BLOCK_SCRIPT,  /* its script takes long */
};

/* Bytes received but not yet parsed, when a request is incomplete. */
struct inbuf {
	char *buf;
	size_t len;
	size_t cap;
	size_t pos; /* consumed from the front */
};

struct client {
	/* read-mostly */
	struct server *srv;
	struct app_core *ac;
	struct conn *conn;        /* NULL: no connection */
	struct obuf *out;         /* where replies go; NULL: nowhere */
	struct client_cold *cold; /* client_cold.h: owned; set under clients_lock; NULL: at rest */
	struct acl_user *user;    /* a reference; set under clients_lock; NULL: may do everything */
	unsigned core_id;         /* index of the owning poll core */

	/* the command under way */
	uint32_t argc;
	struct slice *argv;        /* borrows: valid while the command runs */
	const struct command *cmd; /* the command or subcommand found */
	int64_t now_ms;            /* Unix time of this burst */
	int db;
	uint32_t flags;
	uint8_t resp; /* 2 or 3 */
	bool retry;   /* the command asked to be run again: cmd_retry() */
	bool in_waiters, in_dirty, in_retry, in_blocked; /* on the core's lists */
	bool listed;                                     /* in srv->clients */
	atomic_bool kill; /* set by CLIENT KILL from any core; the owner closes it */
	uint64_t gate;    /* replies queued so far wait for log_reply_mark() >= gate */
	uint64_t held_gate,
		held_end; /* among the waiters: output before held_end waits for held_gate only */
	int64_t held_ms;  /* since when */
	struct resp_parser *partial; /* owned: an incomplete request; NULL: none is under way */
	struct inbuf in;

	/* blocked */
	enum client_block block;
	atomic_int unblock;     /* CLIENT UNBLOCK asked: 1 as a timeout, 2 with an error */
	int64_t block_until_ms; /* 0: for ever */
	union {                 /* it is on one of them at most */
		TAILQ_ENTRY(client) retry_link;
		TAILQ_ENTRY(client) blocked_link;
	};
	TAILQ_ENTRY(client) waiter_link;
	TAILQ_ENTRY(client) dirty_link;
	TAILQ_ENTRY(client) core_link;
	uint64_t last_write_off; /* offset behind this client's last write (WAIT) */

	/* statistics */
	int64_t created_ms, last_active_ms;
	int64_t soft_limit_since_ms;
	uint64_t out_counted; /* output counted so far in the core's bytes_out */

	struct replica *replica;      /* CLIENT_REPLICA */
	struct client_tx *tx;         /* multi.h: owned; set under clients_lock */
	struct client_pubsub *pubsub; /* pubsub.c: owned; set under clients_lock */
	void *deferred;               /* reply.c: stack of replies under construction */

	/* shared: guarded by srv->clients_lock but for the atomics */
	uint64_t id;
	atomic_size_t pub_own; /* bytes: it and all that it holds, without buffers */
	atomic_uint pub_flags; /* copy of flags for CLIENT LIST from other cores */
	_Atomic(const struct command *) last_cmd;
	atomic_int pub_db;
	atomic_uint pub_resp; /* protocol version for CLIENT LIST; 0 stands for 2 */
	atomic_llong pub_active_ms;
	atomic_size_t pub_qbuf, pub_qbuf_free, pub_obuf;
	TAILQ_ENTRY(client) registry_link;
};

/* What it takes of memory, bytes, by its owner's last word. srv->clients_lock is held, or it is the
 * owner who asks. */
static inline size_t client_memory(const struct client *c)
{
	return atomic_load_explicit(&c->pub_own, memory_order_relaxed) +
	       atomic_load_explicit(&c->pub_qbuf, memory_order_relaxed) +
	       atomic_load_explicit(&c->pub_obuf, memory_order_relaxed);
}

TAILQ_HEAD(client_list, client);

/* A client of a core; conn NULL: an internal one (not registered, replies go nowhere). NULL: no
 * memory. */
struct client *client_create(struct app_core *ac, struct conn *conn, uint32_t flags);
void client_destroy(struct client **c); /* its connection is gone */
/* Shows a client in srv->clients with the addresses of conn, for CLIENT LIST and KILL; and no more.
 * Those with a connection of their own are there anyway; for the one that applies our master's
 * stream. The owner's core. */
void client_list_add(struct client *c, const struct conn *conn);
void client_list_remove(struct client *c);
/* Runs what has been received and not yet run. The owner's core. */
void client_process(struct client *c);
/* Ends a blocked command: the client goes on with what it has received. The owner's core. */
void client_unblock(struct client *c);
/* Closes: at once (the output is dropped) or when the output has been sent. The owner's core. */
void client_abort(struct client *c);
void client_close(struct client *c);
/* Makes the owner look at c->kill. clients_lock held. Any core. */
void client_kick(struct client *c);
/* Appends bytes to the output of a client that waits for the control thread, if it is still there,
 * and ends its command. Copies. Any thread. */
void client_send_unblock(struct server *srv, uint64_t client_id, const void *data, size_t len);
/* Hooks of the core loop. */
int client_accept(struct core *core, struct conn *conn);
bool client_core_work(struct app_core *ac);
bool client_core_burst_end(struct app_core *ac);
/* Ends all clients of a core. */
void client_core_stop(struct app_core *ac);

/* Replies queued from here on wait for the offset. The owning core. */
static inline void client_gate_raise(struct client *c, uint64_t written)
{
	if (written > c->gate)
		c->gate = written;
}

/* Changes flags and their public copy. The owning core. */
static inline void client_flags_change(struct client *c, uint32_t set, uint32_t clear)
{
	c->flags = (c->flags & ~clear) | set;
	atomic_store_explicit(&c->pub_flags, c->flags, memory_order_relaxed);
}

/* CLIENT UNBLOCK: makes the owning core end the wait of a client blocked in a command (not of one
 * held up by CLIENT PAUSE) as if its time were over, or with "-UNBLOCKED client unblocked via
 * CLIENT UNBLOCK". False: it is not blocked. clients_lock is held: c stays. Any core. */
bool client_unblock_request(struct client *c, bool with_error);

#endif
