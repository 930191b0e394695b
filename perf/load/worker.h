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
#include "dataplane/tcp/tcp.h"
#include "perf/load/check.h"
#include "perf/load/hist.h"
#include "perf/load/keys.h"
#include "perf/load/options.h"
#include "perf/load/request.h"
#include "perf/load/schedule.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKER_ANSWER_MAX 16384u

struct frames;
struct nic;
struct worker;

enum phase {
	PHASE_CONNECT, /* until all connections are up */
	PHASE_LOAD,    /* until every key was set */
	PHASE_WARM_UP,
	PHASE_MEASURE,
	PHASE_DRAIN, /* nothing new falls due; what did is answered and counted */
	PHASE_CLOSE, /* connections are closed, the thread ends */
};

/* What the connections do. */
struct worker_mode {
	const struct tcp_ops *ops; /* NULL: no TCP, work() moves the frames */
	/* What the mode has to have besides connections: 0 or -ENOMEM. May be NULL. */
	int (*make)(struct worker *w);
	/* A phase begins. */
	void (*begin)(struct worker *w);
	/* In each turn. */
	void (*work)(struct worker *w);
};

/* What all threads share; read-only for workers. */
struct run {
	const struct options *o;
	const struct worker_mode *mode;
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
	bool is_up;
	bool is_queued; /* in the worker's queue */
	bool is_failed; /* its replies are not understood any more */
	struct check check;
};

struct worker_counters {        /* single writer */
	uint64_t sent, answers; /* in all phases */
	uint64_t replies;       /* to what was due while measuring */
	uint64_t misses, wrong, broken, lost, unanswered;
	uint64_t bytes_in;                  /* payload, in all phases */
	uint64_t measured_in, measured_out; /* payload, while measuring */
	uint64_t cycles, busy_cycles;       /* while measuring */
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
	bool has_moved;
	uint64_t nr_under_way;
	struct keys keys;
	struct rng rng;
	uint32_t version;
	uint64_t quota; /* requests still to send */
	struct schedule schedule;
	/* connections */
	struct load_conn *conns;
	struct expect *rings; /* of all of them */
	uint32_t nr_conns, nr_opened, nr_opening;
	uint32_t next_load; /* key */
	uint32_t *queue;    /* ring of connections that have room, or can be opened */
	uint32_t queue_head, queue_tail, queue_mask;
	uint64_t last_reply_tsc;
	struct frames *frames; /* of the modes without TCP */
	struct worker_counters ctr;
	struct hist hist; /* nanoseconds */
	/* what the server says of itself */
	char answer[WORKER_ANSWER_MAX];
	uint32_t answer_len;
	/* shared with the control thread */
	atomic_uint nr_wanted; /* connections to open */
	atomic_bool is_asked;  /* the control thread wants an answer; false again: it is there */
	atomic_uint nr_up;
	atomic_bool is_loaded;  /* its share of the keys is set */
	atomic_bool is_drained; /* nothing is under way */
	atomic_bool is_spent;   /* its share of --requests was sent */
	atomic_int error;       /* errno of a connection that could not be opened; EHOSTUNREACH: we
				   cannot send there, EHOSTDOWN: nobody answers there */
	bool is_running;
	int cpu;
	pthread_t thread;
};

extern const struct worker_mode worker_traffic; /* requests, closed or open loop */
extern const struct worker_mode worker_churn;   /* connect, perhaps a request, close */
extern const struct worker_mode worker_idle;    /* nothing */
extern const struct worker_mode worker_frames;  /* frames to an echo and back */
extern const struct worker_mode worker_echo;    /* that echo */

/* Makes the worker of core `id`, with its share of the connections. 0, -ENOMEM, or -EMSGSIZE: the
 * requests do not fit a frame. */
int worker_create(struct run *run, unsigned id, struct worker **out);
/* After its thread has ended and the NIC is closed. */
void worker_destroy(struct worker **w);
/* Starts its thread, on its CPU; the run's device is open. 0; -EINVAL: there is no such CPU, or it
 * is not ours; or another -errno. It ends after PHASE_CLOSE. */
int worker_start(struct worker *w);

/* For the modes. */
/* Opens connection c. False: not now; w->error says why. */
bool worker_conn_open(struct worker *w, struct load_conn *c);
/* Notes why one could not be opened. */
void worker_open_failed(struct worker *w, int reason);
/* Its tcp_ops.closed(): keeps the books. */
void worker_conn_closed(struct tcp_conn *tc, int reason);
void worker_conn_connected(struct tcp_conn *tc);
void worker_conn_eof(struct tcp_conn *tc);
/* Its replies are not what they have to be: ends it. */
void worker_conn_fail(struct worker *w, struct load_conn *c);
/* Counts a reply that came at `now`. */
void worker_reply(struct worker *w, const struct expect *e, enum check_result result, uint64_t now);
/* The kind of the next request, and its keys (REQUEST_MAX_KEYS have room). */
const struct request *worker_request_choose(struct worker *w, uint32_t *keys);
/* Appends a request that was due then to the connection's output, unsent. False: no memory; the
 * connection has failed. */
bool worker_request_append(struct worker *w, struct load_conn *c, const struct request *r,
	const uint32_t *keys, uint64_t due);

static inline void worker_count(uint64_t *at, uint64_t n)
{
	__atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}

/* Counts payload that came in. */
static inline void worker_count_in(struct worker *w, uint32_t len)
{
	worker_count(&w->ctr.bytes_in, len);
	if (w->phase == PHASE_MEASURE)
		worker_count(&w->ctr.measured_in, len);
}

static inline uint64_t worker_ns(const struct worker *w, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * w->ns_mult >> 32);
}

static inline void worker_error(struct worker *w, int error)
{
	atomic_store_explicit(&w->error, error, memory_order_relaxed);
}

static inline void worker_tell(atomic_bool *flag, bool value)
{
	if (atomic_load_explicit(flag, memory_order_relaxed) != value)
		atomic_store_explicit(flag, value, memory_order_relaxed);
}

static inline void worker_queue_put(struct worker *w, struct load_conn *c)
{
	c->is_queued = true;
	w->queue[w->queue_tail++ & w->queue_mask] = (uint32_t)(c - w->conns);
}

/* The one that has waited longest, or NULL. */
static inline struct load_conn *worker_queue_get(struct worker *w)
{
	struct load_conn *c;

	if (w->queue_head == w->queue_tail)
		return NULL;
	c = &w->conns[w->queue[w->queue_head++ & w->queue_mask]];
	c->is_queued = false;
	return c;
}

#endif
