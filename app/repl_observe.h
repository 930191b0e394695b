/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is told of replication beyond INFO replication: how far each replica is behind, in bytes and
 * in time, the round trip of its link, why full syncs were made, how long the backlog will do.
 *
 * Time behind: core 0 notes the log's tail ten times a second; the oldest note beyond what a
 * replica has acknowledged tells since when it is behind.
 */
#ifndef MILLRACE_APP_REPL_OBSERVE_H
#define MILLRACE_APP_REPL_OBSERVE_H

#include "app/replication.h"

#define REPL_NOTES 1024 /* of the tail: 102 seconds */

struct rte_tel_data;

/* Why a full sync was made; the order of its names in repl_observe.c. */
enum sync_reason {
	SYNC_NO_HISTORY, /* the replica has none: PSYNC ? */
	SYNC_OLD_COMMAND,
	SYNC_UNKNOWN_ID,
	SYNC_PAST_FORMER_ID,
	SYNC_NOT_IN_BACKLOG,
	NR_SYNC_REASONS,
};

/* Under repl->lock, but for the counts of reasons. */
struct repl_observe {
	struct {
		int64_t ms;
		uint64_t tail;
	} notes[REPL_NOTES]; /* a ring */
	unsigned nr_notes;   /* made so far */
	double rate;         /* bytes a second, over some seconds */
	atomic_ullong reasons[NR_SYNC_REASONS];
};

/* A full sync is made; why: as psync_accept() or NULL. */
void repl_observe_full(struct server *srv, enum sync_reason reason);
enum sync_reason repl_observe_reason(const char *why);
/* Core 0, ten times a second. */
void repl_observe_note(struct app_core *ac);

/* A replica as it is now; repl->lock is held. */
struct replica_view {
	uint64_t offset, lag_bytes;
	int64_t lag_ms;          /* 0: it has everything */
	int64_t backlog_seconds; /* until it falls out of the ring if it stands still; -1: never */
	unsigned rtt_us;         /* 0: not known */
};
void repl_observe_view(struct server *srv, const struct replica *rep, struct replica_view *v);
/* How long a replica may be away and still continue, at the present rate of writes; -1: for ever.
 */
int64_t repl_observe_backlog_seconds(struct server *srv);

void repl_observe_info(struct server *srv, struct textbuf *tb); /* for INFO millrace */
void repl_observe_telemetry(struct server *srv, struct rte_tel_data *d);

#endif
