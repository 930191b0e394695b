/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Master side of a replication link: sends a replica its snapshot and then the log, for ever.
 *
 *	WAIT_SNAPSHOT -> SEND_RDB -> ONLINE        (full sync)
 *	ONLINE                                     (partial resync: +CONTINUE)
 *
 * A replica never gets a byte that lies past the watermark (persist/log.h), so none is ever ahead
 * of what the master has after a crash. Snapshots go out by reference, straight from the pool; the
 * log is copied into the output in pieces, and each piece is checked against writers that lap it. A
 * replica that falls out of the ring is dropped: it comes back with a full sync. From the beginning
 * of a full sync until it has caught up, what the ring loses is there nevertheless, as long as the
 * pool has room (persist/log_keep.h): then one full sync is enough, however long it takes.
 *
 * A struct replica belongs to the core that owns its connection. "shared" fields are atomic: INFO,
 * ROLE and WAIT read them on other cores, under the owner's list lock.
 */
#ifndef MILLRACE_REPL_MASTER_H
#define MILLRACE_REPL_MASTER_H

#include "dataplane/conn.h"
#include "persist/log.h"
#include "persist/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum replica_state {
	REPLICA_HANDSHAKE,     /* has sent REPLCONF, not PSYNC */
	REPLICA_WAIT_SNAPSHOT, /* waits for a snapshot that the log covers */
	REPLICA_SEND_RDB,
	REPLICA_ONLINE,
	REPLICA_DROPPED, /* to be disconnected: see reason */
};

/* What all full syncs of the node together may send: bytes a second, 0: as much as they can. */
struct sync_pace {
	atomic_ullong bytes_per_s;
	atomic_ullong next_us; /* monotonic: when more may be sent */
};

struct replica {
	struct conn *conn;
	struct log *log;
	uint64_t id;         /* of its client */
	uint64_t min_off;    /* the oldest snapshot that will do; 0: any that the log covers */
	uint64_t saves_seen; /* the owner's count of snapshots when it began to wait */
	bool psync;          /* false: came by SYNC, sends no ACKs */
	bool capa_eof, capa_psync2, rdb_only, no_data;
	bool capa_burst;   /* acknowledges each burst when it is told to (app/repl_durable.h) */
	bool known_online; /* the owner has noticed that it is */
	bool takes_over;   /* has handed us the master's role: PSYNC ... FAILOVER */
	struct snap *snap; /* pinned while the RDB is being sent */
	struct snap_hold *hold;
	uint64_t rdb_pos, rdb_size;
	uint64_t pos;           /* next log offset to send */
	uint64_t began_at;      /* end of the log when the synchronisation began */
	uint64_t *bytes_out;    /* counts what is queued; borrows, NULL: nobody wants to know */
	struct log_keep *keep;  /* borrows, NULL: nothing is kept */
	struct sync_pace *pace; /* borrows, NULL: there is none */
	uint64_t sent_bytes;    /* what the peer had taken, when progress was made last */
	int64_t progress_ms;
	bool push;          /* something was appended that replica_pump() has to push */
	int64_t newline_ms; /* last keepalive */
	const char *reason; /* REPLICA_DROPPED */
	uint64_t rtt_asked_us;
	TAILQ_ENTRY(replica) core_link;

	/* shared */
	_Atomic enum replica_state state;
	atomic_bool catching_up; /* since its full sync began it has not had all there was */
	atomic_ullong ack_off;
	atomic_llong ack_ms; /* Unix time of the last ACK */
	atomic_ullong sent_off;
	atomic_uint rtt_us;       /* of its link; 0: not known */
	atomic_ullong divergence; /* keys that it has found to differ (app/repl_check.h) */
	int listening_port;       /* these two: set before the replica is listed */
	char ip[64];
	TAILQ_ENTRY(replica) list_link;
};

TAILQ_HEAD(replica_list, replica);

struct replica *replica_create(
	struct conn *conn, struct log *log, uint64_t id); /* NULL: no memory */
/* Frees it; its connection is gone or no concern of it any more. NULL-safe. */
void replica_destroy(struct replica **r);

/* These three, and replica_tick(), only append: replica_pump() pushes. None ends the connection.
 * Answers +CONTINUE and streams from off (0-based log offset of the first byte wanted). */
void replica_start_partial(struct replica *r, const char *replid, uint64_t off, int64_t now_ms);
/* A full sync was asked for and its snapshot is not there yet. */
void replica_wait_snapshot(struct replica *r, int64_t now_ms);
/* Starts the full sync from a pinned snapshot (taken over): +FULLRESYNC (psync only), $<len>,
 * the RDB, then the log. */
void replica_start_full(struct replica *r, const char *replid, struct snap *snap, int64_t now_ms);

/* The same with an RDB that holds no data (copied), and the log from off on, which the watermark
 * has passed: for who has set no_data. */
void replica_start_bare(struct replica *r, const char *replid, uint64_t off, const void *rdb,
	size_t len, int64_t now_ms);

/* Appends what may be sent now to the connection's output and pushes it. Called at the end of a
 * burst and when output has drained. True: something was pushed, by which the connection may
 * have ended: if its closed() destroys r, r is gone. False: nothing was pushed, r is there; only
 * then may the state have become REPLICA_DROPPED. */
bool replica_pump(struct replica *r);
/* Bytes of the stream that wait for the replica: queued, or in the log behind what is queued. What
 * was there before its synchronisation began does not count. */
uint64_t replica_behind(const struct replica *r);
/* Needs what the log keeps; it is told nothing of limits meanwhile. */
static inline bool replica_is_syncing(const struct replica *r)
{
	return r->state == REPLICA_SEND_RDB ||
	       (r->state == REPLICA_ONLINE && atomic_load(&r->catching_up));
}
/* Unix time when it last took something of its full sync, or said something. */
int64_t replica_progress(struct replica *r, int64_t now_ms);
/* Once a second or so: keepalive newlines while it waits. */
void replica_tick(struct replica *r, int64_t now_ms);
/* REPLCONF ACK. ack_off only grows, ack_ms is set each time: an off of 0 says no more than that
 * the replica lives. */
void replica_ack(struct replica *r, uint64_t off, int64_t now_ms);
/* "wait_bgsave", "send_bulk", "online" as INFO names them. */
const char *replica_state_name(enum replica_state state);

/* Where a PSYNC may continue. */
struct psync_ids {
	char replid[41], replid2[41];
	int64_t second_repl_offset; /* -1: none */
};
/* True if a replica with this id and offset (1-based, as on the wire) may continue from the log;
 * *off is then the 0-based offset. *why names the reason otherwise ("unknown replication id",
 * "offset not in the backlog"). */
bool psync_accept(const struct psync_ids *ids, const struct log *log, const char *id,
	int64_t offset, uint64_t *off, const char **why);

#endif
