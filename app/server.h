/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server: what all cores share. Set up by main.c before the cores start, torn down after they
 * stopped.
 *
 * Beside each field stands who writes it. Counters have one writer a core (struct app_core) and are
 * summed by readers; configuration values are read relaxed on every core and written under
 * config_lock.
 */
#ifndef MILLRACE_APP_SERVER_H
#define MILLRACE_APP_SERVER_H

#include "app/batch.h"
#include "app/client.h"
#include "app/commands/encode.h"
#include "app/commands/group.h"
#include "app/config.h"
#include "app/core_waiting.h"
#include "app/keyspace/keyspace.h"
#include "app/listeners.h"
#include "app/pause.h"
#include "app/tracking.h"
#include "repl/master.h"

#include <rte_spinlock.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MILLRACE_MAX_CORES     16
#define MILLRACE_MAX_COMMANDS  512
#define MILLRACE_REDIS_VERSION "7.0.15"
#define MILLRACE_VERSION       "0.1.0"

struct acl;
struct control;
struct core;
struct log;
struct log_writer;
struct pool;
struct pubsub;
struct repl; /* app/replication.h */
struct recovery;
struct slowlog;
struct latency;

struct command_stats { /* one writer: the core */
	uint64_t calls, cycles, rejected, failed;
	uint64_t hist[32]; /* executions by power of two of microseconds: LATENCY HISTOGRAM */
};

/* What one poll core owns of the application. */
struct app_core {
	struct server *srv;
	struct core *core;
	unsigned id;
	struct log_writer *log;
	struct client_list clients; /* owned by this core */
	struct client_list dirty;   /* have new output in this burst */
	struct client_list waiters; /* output waits for the reply mark */
	struct client_list retry;   /* set aside, to be tried again in the next loop */
	struct client_list blocked;
	struct client_list monitors;
	struct propagation *prop;   /* effects of the command under way */
	bool has_effects;           /* prop holds something */
	struct encbuf events;       /* notify.h: what the command has to tell */
	size_t admitted;            /* bytes of log admitted for it */
	bool in_exec;               /* EXEC or a script runs: the command is one of several */
	bool out_of_memory;         /* above maxmemory when it was let in, and nothing could go */
	uint64_t errors_seen;       /* error_replies, when a command last began or ended */
	struct ks_lockset *locks;   /* that are held for it, if it may run a script */
	struct script_core *script; /* commands/script_run.h; NULL: no script has run yet */
	bool local;                 /* it was let in on a replica: what it writes stays here */
	unsigned acl_seen;          /* acl->changes that its clients know of */
	unsigned log_epoch;         /* repl->log_epoch seen last */
	uint64_t swept_us;
	struct replica_list replicas; /* of ours, on this core */
	int64_t replicas_ms;
	bool durable_on;       /* replies waited for replicas (repl_durable.h) in the last burst */
	unsigned durable_term; /* of which term as a master */
	uint64_t durable_mark; /* and how far they had it then */
	uint64_t expire_part;  /* next partition for active expiry */
	uint64_t expire_us;    /* when it looked last */
	bool expire_more;      /* and it did not come to an end */
	uint64_t us_per_cycle; /* in units of 2^-32 */
	uint64_t call_end;     /* cycles when the last command of a batch ended; 0: none did */
	int64_t now_ms;        /* Unix time of this burst */
	uint64_t now_us;       /* monotonic time of this burst */

	struct core_listeners listeners; /* listeners.h */
	struct core_waiting waiting;     /* waiting.h */
	struct core_tracking tracking;   /* tracking.h */
	atomic_uint nr_monitors;         /* written by the core, read by all */

	/* counters: single writer, relaxed */
	uint64_t nr_commands, nr_reads, nr_writes;
	uint64_t keyspace_hits, keyspace_misses;
	uint64_t expired_keys, evicted_keys, expired_stale_perc;
	uint64_t bytes_in, bytes_out, total_connections, rejected_connections;
	uint64_t repl_bytes_in, repl_bytes_out; /* of our master; to our replicas */
	uint64_t evicted_clients;
	uint64_t error_replies, protocol_errors, retries_busy, retries_log_full;
	uint64_t retries_snapshot; /* waits for a large value to be saved */
	uint64_t dirty_count;      /* changes to the data set */
	uint64_t nr_waiting_replies;
	struct command_stats stats[MILLRACE_MAX_COMMANDS];

	struct resp_parser parser; /* of whichever client's bytes are looked at */
	struct ks_key key_hint;    /* of the command that runs from the batch; ptr NULL: none */
	struct batch batch;
	struct group group; /* of commands of the batch */
};

#define ERRSTATS_MAX 128
struct error_stat {
	char code[32];
	uint64_t count;
};

struct server {
	struct config *cfg; /* config.h */
	struct keyspace *ks;
	struct ks_config ks_cfg; /* its geometry */
	struct pool *pool;
	struct log *log;
	struct control *control;   /* control.h: the control thread */
	struct repl *repl;         /* replication.h: role, ids, links */
	struct snapshotter *snap;  /* snapshot.h */
	struct recovery *recovery; /* recovery.h; NULL when there was nothing to load */
	struct network *net;       /* network.h */
	struct threads *threads;   /* threads.h */
	struct flusher *flusher;   /* flusher.h; NULL on persistent memory */
	unsigned nr_cores;
	struct app_core *cores[MILLRACE_MAX_CORES];

	char run_id[41];
	int64_t start_ms; /* Unix time */
	int pid;
	char exe[256], config_file[512]; /* "" when started without one */

	/* clients: clients_lock guards the registry and each client's shared fields */
	rte_spinlock_t clients_lock;
	struct client_list clients;
	atomic_ullong next_client_id;
	atomic_uint nr_clients, nr_monitors, nr_blocked;
	/* waiting.h: clients' waits for keys; those of them that fill another one */
	atomic_uint nr_waits, nr_waits_moving;

	/* client pause (pause.h): written under clients_lock */
	struct pause {
		int64_t until_ms;
		bool writes_only;
	} pauses[PAUSE_NR_REASONS];
	atomic_llong pause_until_ms;     /* of writes */
	atomic_llong pause_all_until_ms; /* of everything */

	/* state */
	atomic_bool loading; /* recovery is filling the keyspace; control thread */
	atomic_bool shutting_down;
	atomic_bool active_expire;    /* DEBUG SET-ACTIVE-EXPIRE */
	atomic_bool snapshot_failed;  /* the last snapshot did not finish: MISCONF, unless
					stop-writes-on-bgsave-error no */
	atomic_bool snapshot_no_room; /* ... because the pool has no room for it */
	atomic_bool is_replica;       /* role, for the dispatcher */

	/* persistence statistics, written by the control thread */
	atomic_llong last_save_s, last_save_try_s, save_started_s, last_save_took_s;
	atomic_bool last_save_ok, save_in_progress;
	atomic_ullong dirty_at_save, dirty_at_try;
	atomic_ullong nr_saves;
	atomic_ullong pool_bytes; /* pool_size.h */
	/* pool_space.h: memory in use when the newest snapshot was stored; warned of */
	atomic_ullong snapshot_memory;
	bool pool_warned;
	atomic_ullong last_load_keys,
		last_load_expired; /* of the last snapshot loaded; written by who loads */

	rte_spinlock_t err_lock;
	struct error_stat errors[ERRSTATS_MAX];
	unsigned nr_errors;

	struct acl *acl;             /* acl/acl.h */
	struct scripts *scripts;     /* commands/script_run.h */
	struct listeners *listeners; /* listeners.h */
	struct tracking *tracking;   /* tracking.h */
	struct pubsub *pubsub;       /* pubsub.h */
	struct slowlog *slowlog;     /* slowlog.h */
	struct latency *latency;     /* latency.h */

	/* instantaneous metrics, written by the control thread each 100 ms */
	atomic_ullong ops_per_sec;
	atomic_ullong input_bytes_per_sec, output_bytes_per_sec;
	atomic_ullong repl_input_bytes_per_sec, repl_output_bytes_per_sec;
	atomic_ullong log_bytes_per_sec;
	atomic_ullong log_flush_us; /* of a group commit, smooth; written by the flusher */
	atomic_ullong peak_memory;
	atomic_ullong stat_reset_gen;
};

/* A flag that orders nothing else. Any thread. */
static inline bool flag_on(const atomic_bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

/* Time that took so many cycles of a core, in microseconds. */
static inline uint64_t app_core_us(const struct app_core *ac, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * ac->us_per_cycle >> 32);
}

/* All zeros but what a server knows by itself. Before anything else. */
void server_init(struct server *srv);
/* Sum of a counter over the cores. offset: offsetof(struct app_core, field). */
uint64_t server_sum(const struct server *srv, size_t offset);
#define SERVER_SUM(srv, field) server_sum((srv), offsetof(struct app_core, field))
/* Keys of all databases. */
uint64_t server_nr_keys(const struct server *srv);
/* Bytes in use by the data set, clients and tables (used_memory). */
uint64_t server_used_memory(const struct server *srv);
/* Changes since the last save. */
uint64_t server_dirty(const struct server *srv);
/* CONFIG RESETSTAT. */
void server_reset_stats(struct server *srv);

#endif
