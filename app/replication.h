/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replication as the node sees it: role, ids and offsets, our replicas, the link to our master, and
 * the commands.
 *
 * Master role: replicas live on the cores of their connections; a list of them all is kept under
 * repl->lock for INFO, ROLE and WAIT. Replica role: the link, the applying client and a set that is
 * being loaded live on core 0, as does the cut of a snapshot, so the database that the stream has
 * selected always fits the offset.
 *
 * The id rules: ids change only through the control thread, which makes them durable in the pool
 * before any byte of the new history is written. The offset is the log's tail.
 */
#ifndef MILLRACE_APP_REPLICATION_H
#define MILLRACE_APP_REPLICATION_H

#include "app/server.h"
#include "repl/link.h"
#include "repl/master.h"

#include <stdbool.h>
#include <stdint.h>

struct repl_observe; /* repl_observe.h */
struct repl_check;   /* repl_check.h */
struct textbuf;
struct apply; /* apply.h */

/* min-replicas-durable: repl_durable.h */
struct repl_durable {
	atomic_int need;       /* N; 0: off. Written under the config's lock and at start */
	atomic_ullong mark;    /* N replicas have what lies below; of this term */
	atomic_uint nr_online; /* replicas that count */
	atomic_ullong nr_timeouts, nr_unsure; /* connections ended: see above */

	/* core 0 */
	bool asks;                /* some replicas acknowledge only when they are asked */
	bool bursts_on;           /* as the stream said last */
	unsigned told_gen;        /* online_gen when it said so */
	uint64_t asked_us, asked; /* the last GETACK, and the log's end behind it */

	/* shared */
	atomic_uint online_gen; /* grows when a replica comes online */
	atomic_uint term;       /* grows when we become a master */
};

struct repl {
	struct server *srv;

	/* lock guards ids, master address and the list */
	rte_spinlock_t lock;
	struct psync_ids ids;
	char master_host[256];
	int master_port;
	struct replica_list replicas; /* past PSYNC */
	unsigned nr_replicas;

	/* failover.h: written by FAILOVER while its state is NONE, under lock, and by core 0 then
	 */
	struct failover {
		atomic_int state; /* enum failover_state */
		char host[256];   /* the target; "" while it is any */
		int port;
		bool any, force;
		int64_t end_ms; /* Unix time; 0: never */
		uint64_t acked; /* by the target: all there was */
	} failover;

	/* core 0 */
	struct link *link; /* NULL: we are a master */
	struct apply *apply;
	struct full_sync *full;            /* repl_sync.c: a set that is being taken in */
	uint64_t ack_us, ping_us, good_us; /* monotonic */
	uint64_t audience_us;              /* a replica was there */
	bool need_full;       /* what is here belongs to no history: ask for a full sync */
	bool apply_stuck;     /* the stream waits for room or a partition */
	bool promoting;       /* REPLICAOF NO ONE is under way */
	uint64_t ack_due_off; /* GETACK: answer when this is durable; UINT64_MAX: none */
	bool ack_bursts;      /* the master wants an ACK for each of our bursts */
	uint64_t acked_off;   /* by the last ACK of this link */

	/* shared */
	atomic_int stream_db; /* database selected at the end of the log; 0 on a master */
	atomic_bool link_up;
	atomic_int link_state; /* enum link_state */
	atomic_llong link_io_ms, link_down_ms;
	atomic_bool syncing;
	atomic_ullong sync_done;
	atomic_llong sync_total;
	atomic_uint good_replicas;     /* online with an ACK not older than min-replicas-max-lag */
	atomic_ullong ack_gen;         /* grows with each ACK: WAIT looks again */
	atomic_ullong snapshot_wanted; /* replicas that wait for one */
	atomic_bool has_audience;      /* repl_has_audience() */
	atomic_uint role_gen;          /* grows when we follow another master than before */
	atomic_uint log_epoch;         /* grows when the log begins anew: old gates mean nothing */
	atomic_ullong sync_full, sync_partial_ok, sync_partial_err;
	struct repl_durable durable;
	struct repl_observe *observe;
	struct repl_check *check;
	struct log_keep *keep; /* for full syncs; core 0 fills it */
	uint64_t keep_us;
	atomic_ullong kept; /* bytes that were ever copied there */
	bool keep_full;     /* it has been told that there is no room */
	struct sync_pace pace;
	atomic_uint link_rtt_us; /* 0: not known */
	uint64_t rtt_us;         /* core 0: when it was asked last */
};

int repl_create(struct server *srv, struct repl **out);
void repl_destroy(struct repl **r);
/* At start: the role by configuration (replicaof). Before the cores run. */
void repl_setup_role(struct server *srv);
/* With the data loaded: ids from the pool, and the link to the master. No core runs, or all stand
 * still. */
int repl_start(struct server *srv);

/* Between the files of replication. */
/* is_copy: the id is a master's. */
void repl_ids_change(struct server *srv, const struct psync_ids *ids, bool is_copy,
	void (*then)(struct server *srv, uint64_t client_id),
	uint64_t client_id); /* then: on core 0, durable */
/* The inherited stream returns to database 0 before anything of a new history. False: no room in
 * the log now. Core 0. */
bool repl_return_to_db0(struct app_core *ac);
/* The ids after a shift at the present offset: id, or a random one with NULL. */
void repl_ids_shifted(struct server *srv, const char *id, struct psync_ids *ids);
void repl_replica_add(struct client *c);
void repl_full_sync(struct client *c);
void repl_drop_replicas(struct app_core *ac, const char *reason);
/* Drops the replicas of all cores, so that they come back and learn a new id, then calls then() on
 * core 0. What then() begins (a new history) reaches no replica on its old link. */
void repl_drop_all(struct server *srv, void (*then)(struct server *srv, uint64_t client_id),
	uint64_t client_id);

/* Core hooks. */
void repl_core_work(struct app_core *ac); /* core 0: link, PING; all: nothing */
bool repl_core_burst_end(
	struct app_core *ac); /* after the commit: feed replicas, ACKs. True: something waits */
void repl_snapshot_published(struct server *srv); /* control thread: wakes those that wait */
void repl_client_closed(struct client *c);

/* For the dispatcher. */
/* min-replicas-to-write, min-replicas-durable */
bool repl_enough_replicas(struct server *srv, int64_t now_ms);
bool repl_link_up(const struct server *srv);
/* Somebody may want to hear of what changes no data: a replica is there, or was until
 * repl-backlog-ttl ago. A master that has started anew and has none yet adds nothing to its
 * history, so that it can still continue from the one that took its place. */
bool repl_has_audience(const struct server *srv);
/* Replicas whose durable offset has reached off. */
unsigned repl_count_acked(struct server *srv, uint64_t off);
/* Asks all replicas to acknowledge: REPLCONF GETACK * into the log. Any poll core, no partition
 * locked. */
void repl_request_acks(struct app_core *ac);
/* The same from another thread, and: every online replica has acknowledged the tail. */
void repl_post_request_acks(struct server *srv);
bool repl_all_caught_up(struct server *srv);
/* The id and offset of a snapshot's aux fields. */
void repl_ids(struct server *srv, struct psync_ids *ids);
void repl_random_id(char id[41]);
/* DEBUG CHANGE-REPL-ID. */
void repl_change_id(struct server *srv);

void repl_info(
	struct server *srv, struct textbuf *tb); /* INFO replication, without its header line */

#endif
