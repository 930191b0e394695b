/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack against the kernel's TCP: a private network namespace, a TAP device in it, and a wire
 * between the two that loses, doubles, reorders and damages frames by a seeded generator.
 *
 *	main thread                       |  the lab's thread
 *	sockets of the kernel, 10.99.0.1  |  struct net, 10.99.0.2; the wire's queue
 *	               TAP device <-------+--> wire
 *
 * The stack belongs to the lab's thread; the main thread reaches it with klab_call() only. A
 * second TAP device in a namespace of its own can take the stack's place, so that two kernels talk
 * over the same wire and give the measure.
 */
#ifndef MILLRACE_TESTS_NET_KERNEL_LAB_H
#define MILLRACE_TESTS_NET_KERNEL_LAB_H

#include "dataplane/ip/net.h"
#include "dataplane/tcp/tcp.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define KLAB_KERNEL_V4 0x0a630001u
#define KLAB_STACK_V4  0x0a630002u
#define KLAB_SKIP      77

enum klab_dir { KLAB_TO_STACK, KLAB_TO_KERNEL, KLAB_NR_DIRS };

/* What happens to the frames of one direction; chances in 10000. */
struct klab_faults {
	uint32_t loss;
	uint32_t dup;
	uint32_t reorder; /* comes later than it should, by up to reorder_us */
	uint32_t corrupt; /* one bit of an IP packet */
	uint32_t ce;      /* marked as having met congestion, where it is ECN-capable */
	uint32_t reorder_us;
	uint32_t delay_us;
	uint32_t mtu; /* larger IP packets are lost, and answered by ICMP; 0: none are */
};

struct klab_frame;

struct klab_pool {
	struct pkt_pool pool;
	uint32_t nr_out; /* packets that are not in the pool */
	uint32_t buf_len;
};

struct klab {
	struct net net;
	struct net_cfg cfg; /* to be changed between klab_init() and klab_up() */
	struct klab_pool pool;
	int tap;
	int far_tap; /* instead of the stack; -1: none */
	int wake;
	bool is_up;
	pthread_t thread;
	/* of the lab's thread */
	uint64_t seed;
	uint64_t rng;
	uint64_t now_us;
	struct klab_faults faults[KLAB_NR_DIRS];
	bool is_dark; /* nothing gets through */
	struct klab_frame *head;
	struct klab_frame *tail; /* by time of arrival */
	uint64_t nr_frames[KLAB_NR_DIRS];
	uint64_t nr_lost;
	uint64_t nr_corrupt;
	uint64_t nr_too_big;
	uint64_t nr_marked;
	/* calls; lock guards what follows */
	pthread_mutex_t lock;
	pthread_cond_t done;
	void (*call)(struct klab *lab, void *arg);
	void *call_arg;
	bool is_stopping;
};

/* Finds out whether this thread may live in network namespaces of its own. NULL, or why this
   machine cannot. */
const char *klab_namespace(void);

/* Writes a value under /proc/sys/net/ipv4 of the namespace. False: there is no such file. */
bool klab_sysctl(const char *name, const char *value);

/* Enters a fresh namespace and fills in the configuration. The seed of the wire is KLAB_SEED of the
   environment, or this. */
void klab_init(struct klab *lab, uint64_t seed);

/* Opens a TAP device with this address in the present namespace; its descriptor. Aborts if it
   cannot. */
int klab_tap_open(uint32_t addr_v4, uint32_t mtu);
void klab_tap_mtu(uint32_t mtu);

/* Starts the thread. far_tap: -1, or what takes the stack's place (taken). */
void klab_up(struct klab *lab, uint32_t kernel_mtu, int far_tap);

/* Stops it, ends the stack and the device. Returns the number of packets that did not come back. */
uint32_t klab_down(struct klab *lab);

/* Has the lab's thread call fn, and waits for it. */
void klab_call(struct klab *lab, void (*fn)(struct klab *lab, void *arg), void *arg);

void klab_set_faults(struct klab *lab, enum klab_dir dir, struct klab_faults f);
void klab_set_dark(struct klab *lab, bool is_dark);
uint64_t klab_ctr(struct klab *lab, enum net_ctr ctr);

/* Waits until pred, called by the lab's thread, says so. False: not within ms. */
bool klab_wait(struct klab *lab, bool (*pred)(struct klab *lab, void *arg), void *arg, uint32_t ms);

uint64_t klab_clock_us(void);

#endif
