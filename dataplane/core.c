/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core.h"

#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/conn.h"
#include "dataplane/nic.h"

#include <errno.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* With a NIC, kernel sockets are looked at this often while packets keep coming. */
#define SOCK_POLL_EVERY_US 50
/* Adaptive: spin this long without work before the first sleep. */
#define IDLE_SPIN_US 40
/* Sleeps: what descriptors and messages end; what nothing ends, while work was recent, and later.
 */
#define IDLE_LONG_US      (5 * 1000)
#define IDLE_POLL_US      25
#define IDLE_POLL_LONG_US 100
#define IDLE_RECENT_US    1000
#define INBOX_BURST       32
/* Waits so long for other cores before it lets other threads have its processor. */
#define WAIT_SPIN_US 500

static void core_clock(struct core *core)
{
	core->now_us = clock_mono_us();
	core->now_ms = clock_unix_us() / 1000;
}

void core_clock_read(struct core *core)
{
	core_clock(core);
	core->ops->clock(core);
}

static int inbox_create(struct core *core)
{
	ssize_t size = rte_ring_get_memsize(CORE_INBOX);

	if (size < 0)
		return (int)size;
	if (posix_memalign((void **)&core->inbox, 64, (size_t)size))
		return -ENOMEM;
	return rte_ring_init(core->inbox, "inbox", CORE_INBOX, RING_F_SC_DEQ);
}

int core_create(unsigned id, unsigned nr_cores, struct core **cores, const struct core_ops *ops,
	bool adaptive, struct core **out)
{
	struct core *core = NULL;
	struct epoll_event ev = {.events = EPOLLIN};
	int rc;

	if (posix_memalign((void **)&core, 64, sizeof(*core)))
		return -ENOMEM;
	memset(core, 0, sizeof(*core));
	core->id = id;
	core->nr_cores = nr_cores;
	core->cores = cores;
	core->ops = ops;
	core->adaptive = adaptive;
	core->epoll_fd = core->wake_fd = -1;
	STAILQ_INIT(&core->closing);
	obuf_pool_init(&core->obufs, 0);
	core_clock(core);
	rc = -ENOMEM;
	core->scratch = malloc(CORE_SCRATCH);
	if (!core->scratch)
		goto err_free;
	rc = inbox_create(core);
	if (rc)
		goto err_free;
	core->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	core->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ev.data.ptr = NULL;
	if (core->epoll_fd < 0 || core->wake_fd < 0 ||
		epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, core->wake_fd, &ev)) {
		rc = -errno;
		goto err_free;
	}
	*out = core;
	return 0;

err_free:
	core_destroy(&core);
	return rc;
}

void core_destroy(struct core **corep)
{
	struct core *core = *corep;
	struct core_msg *msg;

	if (!core)
		return;
	while (core->inbox && rte_ring_sc_dequeue(core->inbox, (void **)&msg) == 0)
		free(msg);
	if (core->wake_fd >= 0)
		close(core->wake_fd);
	if (core->epoll_fd >= 0)
		close(core->epoll_fd);
	conn_reap(core);
	obuf_pool_fini(&core->obufs);
	free(core->inbox);
	free(core->scratch);
	free(core);
	*corep = NULL;
}

static void core_wake(struct core *core)
{
	uint64_t one = 1;

	/* A full counter wakes as well, so the result does not matter. */
	if (write(core->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int core_post(struct core *core, struct core_msg *msg)
{
	if (rte_ring_mp_enqueue(core->inbox, msg))
		return -EAGAIN;
	core_kick(core);
	return 0;
}

int core_post_optional(struct core *core, struct core_msg *msg)
{
	return rte_ring_count(core->inbox) < CORE_INBOX / 2 ? core_post(core, msg) : -EAGAIN;
}

void core_kick(struct core *core)
{
	atomic_thread_fence(memory_order_seq_cst); /* pairs with core_sleep() */
	if (atomic_load_explicit(&core->sleeping, memory_order_relaxed))
		core_wake(core);
}

void core_poke(struct core *core)
{
	/* pairs with core_poll(): who sees it sees what was put into the list */
	atomic_store_explicit(&core->poked, true, memory_order_release);
	core_kick(core);
}

void core_stop(struct core *core)
{
	atomic_store(&core->stop, true);
	core_wake(core);
}

/* All that are there now; those that they bring along wait for the next turn. */
static unsigned inbox_drain(struct core *core)
{
	void *msgs[INBOX_BURST];
	unsigned left = rte_ring_count(core->inbox), done = 0, n;

	while (left > 0) {
		n = left < INBOX_BURST ? left : INBOX_BURST;
		n = rte_ring_sc_dequeue_burst(core->inbox, msgs, n, NULL);
		if (n == 0) /* a sender is still writing the next one */
			break;
		for (unsigned i = 0; i < n; i++) {
			struct core_msg *msg = msgs[i];

			msg->fn(core, msg);
		}
		left -= n;
		done += n;
	}
	core->ctr.msgs += done;
	return done;
}

/* Other cores end their bursts soon: it is not worth a system call to wait for them, unless they
 * have lost their processors. */
static void core_wait(struct core *core, bool waits)
{
	if (!waits) {
		core->waits_since_us = 0;
		return;
	}
	if (!core->waits_since_us)
		core->waits_since_us = core->now_us;
	if (core->yields || core->now_us - core->waits_since_us >= WAIT_SPIN_US)
		sched_yield();
}

unsigned core_poll(struct core *core)
{
	unsigned done = 0;
	bool waits;

	core_clock_read(core);
	done += nic_rx(core);
	core->ops->received(core);
	if (core->nr_nets == 0 || core->sock_more ||
		core->now_us - core->sock_polled_us >= SOCK_POLL_EVERY_US) {
		core->sock_polled_us = core->now_us;
		done += conn_sock_poll(core, 0);
	}
	done += inbox_drain(core);
	if (atomic_load_explicit(&core->poked, memory_order_relaxed))
		done += atomic_exchange_explicit(&core->poked, false, memory_order_acquire);
	if (core->ops->work(core))
		done++;
	waits = core->ops->burst_end(core);
	nic_run(core);
	done += nic_tx(core);
	conn_reap(core);
	core->ctr.loops++;
	core_wait(core, waits && done == 0);
	return done + waits;
}

/* How long the core may sleep: until the next timer of a stack at most, and shortly while a NIC has
 * to be polled. */
static int sleep_us(const struct core *core)
{
	uint64_t us = IDLE_LONG_US;

	if (core->must_poll)
		us = core->now_us - core->idle_since_us < IDLE_RECENT_US ? IDLE_POLL_US
									 : IDLE_POLL_LONG_US;
	for (unsigned i = 0; i < core->nr_nets; i++) {
		uint64_t at = net_next_deadline(core->nets[i]);

		if (at <= core->now_us)
			return 0;
		if (at - core->now_us < us)
			us = at - core->now_us;
	}
	return (int)us;
}

/* Waits for sockets, devices, messages or time. */
static void core_sleep(struct core *core)
{
	int us = sleep_us(core);

	if (us == 0)
		return;
	atomic_store_explicit(&core->sleeping, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with core_kick() */
	if (rte_ring_empty(core->inbox) && nic_rings_empty(core) &&
		!atomic_load_explicit(&core->poked, memory_order_relaxed) &&
		!atomic_load(&core->stop)) {
		conn_sock_poll(core, us);
		core->ctr.sleeps++;
	}
	atomic_store_explicit(&core->sleeping, false, memory_order_relaxed);
}

int core_run(struct core *core)
{
	uint64_t last = clock_cycles();

	while (!atomic_load_explicit(&core->stop, memory_order_relaxed)) {
		unsigned done = core_poll(core);
		uint64_t now = clock_cycles();

		if (done) {
			core->ctr.busy_cycles += now - last;
			core->idle_since_us = 0;
		} else {
			core->ctr.idle_cycles += now - last;
			if (!core->idle_since_us)
				core->idle_since_us = core->now_us;
			if (core->adaptive && core->now_us - core->idle_since_us >= IDLE_SPIN_US) {
				core_sleep(core);
				last = now;
				now = clock_cycles();
				core->ctr.idle_cycles += now - last;
				core->ctr.sleep_cycles += now - last;
			}
		}
		last = now;
	}
	core_poll(core); /* what came in while it slept has run: it is made durable and answered */
	return 0;
}
