/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Client-side caching: who is told which keys have changed (CLIENT TRACKING).
 *
 *	reader's core            writer's core                    tracking client's core
 *	 partition locked         partition locked
 *	  read, reply              change: the key is taken
 *	  table: key += client      out of the table
 *	 unlocked                  effects into the log
 *	                           messages to mailboxes of the
 *	                            cores with such clients --> invalidate, to the client
 *	                          unlocked                       or where it redirects to
 *
 * Why no change is missed. A reader is put into the table while he holds the lock of the key's
 * partition, and a change takes the key out while it holds the same lock, after it: whoever has
 * read the old value is in the table by then. Who reads the new value comes in again afterwards,
 * also inside the same EXEC, as the key is taken out when the command that changed it ends and not
 * when the message is sent. (Commands that lock by themselves take keys out only of partitions
 * that they have locked at that moment.)
 *
 * Why none comes too early. Messages go into the mailboxes before the change's partitions are let
 * go: who hears of it and reads again waits for the lock, and sees the new value. A message has the
 * gate of the change: as a reply, it is not sent before the change is durable.
 *
 * Why none overtakes the value. The reply to a read is in the client's output before the lock is
 * let go, a message for the client comes behind it. A redirected one may come before the reply, on
 * another connection, as in Redis.
 *
 * A client's own changes are told it after the reply of the command (EXEC, script) that made them.
 * What a prefix (BCAST) gathers is sent at the end of the loop's turn, one message a prefix.
 *
 * Ids of clients that have gone, or turned tracking off, stay in the table until their key changes
 * or has to make room (tracking-table-max-keys).
 *
 * While nobody tracks, a command pays for one look at its client's flags, and a change for one
 * relaxed flag of the keyspace.
 *
 * Lock order: partitions, then the tracking's locks; nothing is locked under those.
 */
#ifndef MILLRACE_APP_TRACKING_H
#define MILLRACE_APP_TRACKING_H

#include "app/chains.h"
#include "app/client.h"
#include "app/commands/encode.h"
#include "app/keyspace/keyspace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define TRACKING_CORES  16
#define TRACKING_REDIRS 16

struct command;
struct core_prefix;
struct track_msg;

TAILQ_HEAD(core_prefix_list, core_prefix);

struct bcast_sub {
	struct client_tracking *ct;
	struct core_prefix *prefix;
	TAILQ_ENTRY(bcast_sub) prefix_link, client_link;
};
TAILQ_HEAD(bcast_sub_list, bcast_sub);

/* Of a client that has tracking on; its core's alone, but for the atomics. */
struct client_tracking {
	struct chain_link link; /* in the core's, by id */
	struct client *c;
	atomic_ullong redirect; /* id; 0: to itself. Others look */
	unsigned redirect_core;
	struct bcast_sub_list subs; /* BCAST: in the order of the prefixes' bytes */
	size_t bytes;               /* that it takes */
};

/* Messages by the core they are for. */
struct track_outbox {
	uint32_t cores; /* a bit for each that has some */
	struct track_msg *first[TRACKING_CORES], *last[TRACKING_CORES];
};

/* Of one core. */
struct core_tracking {
	bool is_held;               /* what is told waits for tracking_publish_held() */
	uint64_t served_id;         /* client whose waiting command is served; 0: none */
	struct client *running;     /* whose command is under way, innermost; NULL: none */
	struct track_outbox outbox; /* of the command under way */
	struct encbuf touched;      /* by it: struct touched_key with the name each */
	bool expiring;              /* what is touched goes because its time is over */
	bool has_broadcasts;        /* prefixes have gathered keys */
	struct chains clients;      /* struct client_tracking */
	struct core_prefix_list prefixes;
	struct client *redirs[TRACKING_REDIRS]; /* found lately, by id */
};

int tracking_create(struct server *srv);   /* behind the keyspace; 0 or -ENOMEM */
void tracking_destroy(struct server *srv); /* the cores have stopped, clients have gone */
void tracking_core_init(struct app_core *ac);
void tracking_core_fini(struct app_core *ac);

/* --- the commands; the client's core --- */

/* Turns it on, or changes it: flags as CLIENT_TRACKING_BCAST etc.; prefixes only with that, which
 * do not overlap with each other or what the client has. 0 or -ENOMEM. */
int tracking_on(struct client *c, uint64_t redirect, unsigned redirect_core, uint32_t flags,
	const struct slice *prefixes, uint32_t nr);
void tracking_off(struct client *c);
/* The core of the client with that id; -1: there is none. */
int tracking_core_of(struct server *srv, uint64_t id);
/* The i-th prefix of the client in the order of their bytes; false: there are not so many. */
bool tracking_prefix(const struct client *c, uint32_t i, struct slice *prefix);
/* Before the client goes. */
void tracking_client_gone(struct client *c);

/* --- around commands; the core's own thread --- */

/* A read of the client has ended, its partitions are still locked: it may keep a copy of the keys
 * of the command (for CLIENT_SCRIPT: of the one whose script it runs). */
void tracking_remember(struct client *c);
/* The keyspace's: a key changes or goes; its partition is locked. whole: of a command that may
 * still turn out to change nothing. */
void tracking_touch(struct app_core *ac, const struct ks_key *k, bool whole);
/* That command has ended. */
void tracking_touched(struct app_core *ac, bool changed);
/* Whole databases have been, or will be, emptied; all partitions are locked. */
void tracking_flushed(struct app_core *ac);
/* Sends what the command under way has for others: its effects are in the log up to gate. The
 * partitions are still locked. */
void tracking_publish(struct app_core *ac, uint64_t gate);
/* Around what is done for a waiting client (waiting.h). With is_held set, its changes are told only
 * when its reply is in the mail, by tracking_publish_held(), and by mail to the own core, too. */
void tracking_serve_begin(struct app_core *ac, struct client *server, uint64_t id);
void tracking_serve_end(struct app_core *ac, bool changed);
void tracking_publish_held(struct app_core *ac, uint64_t gate);
static inline bool tracking_has_news(const struct core_tracking *ct)
{
	return ct->outbox.cores != 0;
}

/* Makes room in a table that is too large, a slice of it. Nearly free when it is not. */
void tracking_limit(struct app_core *ac);
/* Takes the core's mailbox: before replies to who waited are taken, which may have been posted in
 * front of what is in it. Then: delivers that, and makes room. */
struct track_msg *tracking_core_take(struct app_core *ac);
void tracking_core_work(struct app_core *ac, struct track_msg *taken);
/* Sends what prefixes have gathered. Before replies are let out. */
void tracking_core_burst_end(struct app_core *ac);

/* --- INFO --- */

struct tracking_counts {
	uint64_t keys, items;
	unsigned prefixes, clients;
};
struct tracking_counts tracking_counts(const struct server *srv);

#endif
