/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A poll core: the struct that holds everything one polling thread owns, and its loop.
 *
 *	   +-> clock -> NIC receive -> TCP -> data() of connections (parse, execute)
 *	   |   kernel sockets ------------------^
 *	   |   inbox (messages of other threads)
 *	   |   ops->received():  what was parsed and waits is run
 *	   |   ops->work():      slices of longer jobs
 *	   |   ops->burst_end(): the burst's writes made durable once, replies released
 *	   +-- TCP timers and output -> NIC send
 *
 * Only the core's own thread touches the struct, but for what is marked shared. Messages are the
 *way in for everybody else.
 */
#ifndef MILLRACE_DATAPLANE_CORE_H
#define MILLRACE_DATAPLANE_CORE_H

#include "dataplane/obuf.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define CORE_MAX       16
#define CORE_MAX_PORTS 8
#define CORE_INBOX     4096 /* messages; a sender finds out when it is full */

struct conn;
struct core;
struct net;
struct nic_queue;
struct rte_ring;

/* A message: fn runs on the receiving core, which then owns the message and frees it. */
struct core_msg {
	void (*fn)(struct core *core, struct core_msg *msg);
};

/* What the application hangs into the loop. All run on the core. */
struct core_ops {
	/* The loop's clock has been read. */
	void (*clock)(struct core *core);
	/* A connection has come in. It is refused (aborted) unless 0 is returned. */
	int (*accept)(struct core *core, struct conn *conn);
	/* The NICs' frames of this loop have been handed up. */
	void (*received)(struct core *core);
	/* A slice of background work, a few microseconds. True: there is more, do not sleep. */
	bool (*work)(struct core *core);
	/* End of a burst. True: something still waits (for the watermark), do not sleep long. */
	bool (*burst_end)(struct core *core);
};

struct core_counters { /* single writer; read by telemetry */
	uint64_t loops, busy_cycles, idle_cycles, sleeps;
	uint64_t sleep_cycles; /* a part of idle_cycles */
	uint64_t rx_pkts, tx_pkts, rx_bytes, tx_bytes, rx_spread, tx_drops, rx_drops;
	uint64_t rx_large; /* packets that stood for several segments */
	uint64_t sock_reads, sock_writes, msgs;
	uint64_t burst_max_us;
};

STAILQ_HEAD(conn_list, conn);

struct core {
	/* read-mostly */
	unsigned id;
	unsigned nr_cores;
	struct core **cores; /* all of them, by id */
	const struct core_ops *ops;
	void *app; /* the application's part of the core */
	bool adaptive;
	bool must_poll; /* a NIC cannot end a sleep: sleeps stay short */
	/* what it waits for at the end of a burst is up to a thread that may need its processor */
	bool yields;

	/* the loop's clock */
	uint64_t now_us; /* monotonic */
	int64_t now_ms;  /* Unix time */

	/* network */
	unsigned nr_nets;
	struct net *nets[CORE_MAX_PORTS];         /* one TCP/IP stack a port */
	struct nic_queue *queues[CORE_MAX_PORTS]; /* this core's RX/TX queues of the port */
	struct obuf_pool obufs;

	/* kernel sockets */
	int epoll_fd, wake_fd;
	uint64_t sock_polled_us;
	char *scratch;            /* CORE_SCRATCH bytes to read into */
	struct conn_list closing; /* to be freed at the end of the loop */
	bool sock_more;           /* a socket had more than one read's worth */

	/* idle */
	uint64_t idle_since_us;  /* 0: busy */
	uint64_t waits_since_us; /* it does nothing but wait for the end of a burst; 0: not so */

	struct core_counters ctr;

	/* shared */
	struct rte_ring *inbox;
	/* the thread that is in memory which the device may unmap: nic_burst_begin(); 0: none */
	atomic_uintptr_t in_burst;
	atomic_bool poked;    /* work lies in a list of the application's */
	atomic_bool sleeping; /* pairs with core_post(): a sender wakes us by wake_fd */
	atomic_bool stop;
};

#define CORE_SCRATCH (256 * 1024)

/* Makes a core with its sockets and inbox, no NIC yet. 0 or -errno. Control thread. */
int core_create(unsigned id, unsigned nr_cores, struct core **cores, const struct core_ops *ops,
	bool adaptive, struct core **out);
void core_destroy(struct core **core); /* after its loop has ended */

/* The loop: runs until core_stop(). */
int core_run(struct core *core);
void core_stop(struct core *core); /* any thread */
/* Hands a message to a core. -EAGAIN: its inbox is full, the caller keeps the message. Any thread.
 */
int core_post(struct core *core, struct core_msg *msg);
/* The same for what may be lost: -EAGAIN already when the inbox is half full, so that it never
 * crowds out the rest. */
int core_post_optional(struct core *core, struct core_msg *msg);
/* Wakes a core that sleeps because work lies in a ring that it polls. Any thread. */
void core_kick(struct core *core);
/* The same for a list that only ops->work() looks at: it will, soon. Any thread. */
void core_poke(struct core *core);
/* Reads the clock: once in a turn of the loop, and once more where that has slept. */
void core_clock_read(struct core *core);
/* One turn of the loop, for tests. Returns how much was done. */
unsigned core_poll(struct core *core);

#endif
