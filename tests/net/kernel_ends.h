/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The two ends of the tests against the kernel: an application on the stack, and sockets.
 *
 * Both send the same pattern, whose period is prime and no multiple of any power of two, and check
 * what they receive against it: a byte that is lost, doubled or misplaced is seen.
 */
#ifndef MILLRACE_TESTS_NET_KERNEL_ENDS_H
#define MILLRACE_TESTS_NET_KERNEL_ENDS_H

#include "tests/net/kernel_lab.h"

#include <stddef.h>

#define KEND_PORT 6379

/* What the application on the stack does; it belongs to the lab's thread. One of several
   connections at once has no stream of its own: only echo, or nothing. */
struct kapp {
	struct tcp_conn *conn; /* the newest */
	uint64_t tx_total;
	uint64_t tx_done; /* given to the output buffer */
	uint64_t rx_done;
	uint64_t rx_wrong;
	bool echo;
	bool is_paused; /* takes nothing: data() returns 0 */
	bool refuse;
	bool shutdown_at_end; /* once all is given */
	bool close_at_eof;
	uint32_t nr_accept;
	uint32_t nr_connected;
	uint32_t nr_eof;
	uint32_t nr_closed;
	uint32_t nr_open;
	int reason; /* of the last closed() */
};

/* Has the stack listen on KEND_PORT. */
void kapp_listen(struct klab *lab, struct kapp *app, uint32_t backlog);
/* Has it connect to the kernel; the outcome is told by the counts. */
void kapp_connect(struct klab *lab, struct kapp *app, uint16_t port);
/* For klab_call(); arg is the kapp. */
void kapp_abort(struct klab *lab, void *arg);
void kapp_close(struct klab *lab, void *arg);
void kapp_resume(struct klab *lab, void *arg);
/* For klab_wait(). */
bool kapp_has_conn(struct klab *lab, void *arg);
bool kapp_is_closed(struct klab *lab, void *arg);

/* One direction each of a socket's work. */
struct kflow {
	uint64_t tx_total;
	uint64_t tx_done;
	uint64_t rx_total;
	uint64_t rx_done;
	uint64_t rx_wrong;
	uint64_t rx_stall_us; /* the longest time in which nothing came */
	bool shut_at_end;
	bool may_stop; /* running out of time is nothing to complain of */
	bool is_eof;
	int error; /* that ended it; 0: none */
};

/* Sockets of the kernel, all non-blocking. -1 with errno when it fails or lasts longer than ms. */
int ksock_connect(uint16_t port, uint32_t ms);
int ksock_listen(uint16_t port, int backlog);
int ksock_accept(int fd, uint32_t ms);
/* Sends and receives the pattern until both totals are reached (and the peer's end too, when
   shut_at_end). False: an error, the wrong bytes, or longer than ms. */
bool ksock_flow(int fd, struct kflow *f, uint32_t ms);
/* Waits for the error or the end of a connection: an errno, 0 for the end, -1 if neither comes. */
int ksock_verdict(int fd, uint32_t ms);

/* `out` gets the bytes of the pattern from pos. */
void pattern_get(uint64_t pos, void *out, size_t len);
bool pattern_matches(uint64_t pos, const void *data, size_t len);
void pattern_setup(void);

#endif
