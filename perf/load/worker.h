/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A worker: one thread's connections, the loop that drives them, and what it has counted.
 *
 * Each connection has a ring of the requests under way, in order; a reply belongs to the oldest:
 *
 *	         head                tail
 *	  ------- [e] [e] [e] [e] [e] ------
 *	  answered      under way       free
 *
 * Closed loop: a reply makes room for the next request, which goes out with the acknowledgement.
 * Open loop: requests fall due on a fixed schedule, whatever the server does; one that finds every
 * connection full waits, and its latency counts from when it was due.
 *
 * The control thread sets run->phase; a worker takes it over in its next turn. All else in a worker
 * is its own, but for what is marked shared.
 */
#ifndef MILLRACE_PERF_LOAD_WORKER_H
#define MILLRACE_PERF_LOAD_WORKER_H

#include "dataplane/core.h"
#include "perf/load/check.h"
#include "perf/load/hist.h"
#include "perf/load/keys.h"
#include "perf/load/options.h"
#include "perf/load/request.h"

#include <pthread.h>
#include <stdatomic.h>

struct nic;
struct tcp_conn;
struct worker;

enum phase {
	PHASE_CONNECT, /* until all connections are up */
	PHASE_LOAD,    /* until every key was set */
	PHASE_WARM_UP,
	PHASE_MEASURE,
	PHASE_DRAIN, /* nothing new falls due; what did is answered and counted */
	PHASE_CLOSE, /* connections are closed, the thread ends */
};

/* What all threads share; read-only for workers. */
struct run {
	const struct options *o;
	struct values values;
	struct keys_dist dist;
	struct request get, set, command;
	uint32_t set_below; /* of 2^32: a request below it is a SET */
	uint32_t depth;     /* size of a connection's ring, a power of two */
	double hz;          /* of the time stamp counter */
	struct nic *nic;
	unsigned nr_workers;
	struct worker *workers[OPTIONS_MAX_CORES];
	struct core *cores[OPTIONS_MAX_CORES];
	atomic_int phase; /* enum phase */
};

struct load_conn {
	struct tcp_conn *tcp; /* NULL: gone */
	struct worker *worker;
	struct expect *ring;
	uint32_t head, tail;
	bool is_up, is_queued; /* queued: open loop, in the worker's queue of those with room */
	bool is_failed;        /* its replies are not understood any more */
	struct check check;
};

struct worker_counters { /* single writer */
	uint64_t sent, replies, misses, wrong, broken, lost, unanswered;
	uint64_t bytes_in; /* payload */
	uint64_t classes[CLASS_NR];
};

struct worker {
	/* read-mostly */
	struct run *run;
	struct core *core;
	struct net *net;
	unsigned id;
	int phase; /* as taken over */
	uint32_t pipeline;
	uint32_t mask;    /* of the rings */
	uint64_t ns_mult; /* cycles to nanoseconds: * ns_mult >> 32 */
	uint64_t us_base, tsc_base;
	uint64_t measure_tsc; /* requests from then on count; UINT64_MAX: none yet */
	struct checker checker;
	/* hot */
	uint64_t tsc; /* of this turn */
	uint64_t nr_under_way;
	struct keys keys;
	struct rng rng;
	uint32_t version;
	uint64_t quota; /* requests still to send */
	/* connections */
	struct load_conn *conns;
	uint32_t nr_conns, nr_opened, nr_opening;
	uint32_t next_load; /* key */
	/* open loop */
	uint64_t due_nr, due_start; /* request due_nr falls due at due_start + due_nr * interval */
	uint64_t due_last;          /* what falls due later is not sent */
	double due_interval;        /* cycles; 0: closed loop, or not begun */
	uint32_t *queue;            /* ring of connections with room */
	uint32_t queue_head, queue_tail, queue_mask;
	uint64_t last_reply_tsc;
	struct worker_counters ctr;
	struct hist hist; /* nanoseconds */
	/* shared: read by the control thread */
	atomic_uint nr_up;
	atomic_bool is_loaded;  /* its share of the keys is set */
	atomic_bool is_drained; /* nothing is under way */
	atomic_bool is_spent;   /* its share of --requests was sent */
	atomic_int error;       /* errno of a connection that could not be opened */
	bool is_running;
	int cpu;
	pthread_t thread;
};

/* Makes the worker of core `id`, with its share of the connections. 0 or -ENOMEM. */
int worker_create(struct run *run, unsigned id, struct worker **out);
/* After its thread has ended and the NIC is closed. */
void worker_destroy(struct worker **w);
/* The thread's main function: arg is the worker. */
void *worker_main(void *arg);

static inline uint64_t worker_ns(const struct worker *w, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * w->ns_mult >> 32);
}

#endif
