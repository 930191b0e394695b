/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections: one interface over the user-space TCP and kernel sockets.
 *
 * A connection belongs to one core for life; only that core calls anything here. The user supplies
 * conn_ops and gets closed() exactly once, after which the connection is gone. From any upcall any
 * conn_ call on the same connection is allowed.
 */
#ifndef MILLRACE_DATAPLANE_CONN_H
#define MILLRACE_DATAPLANE_CONN_H

#include "dataplane/core.h"
#include "dataplane/obuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct sockaddr;
struct net;
struct tcp_conn;

struct conn_ops {
	/* Bytes have arrived. All of them are consumed: what is not needed now is copied. Over a
	 * NIC they stay until the end of the burst, from a socket for the call. */
	void (*data)(struct conn *conn, const char *data, size_t len);
	void (*connected)(struct conn *conn);          /* outgoing only; may be NULL otherwise */
	void (*sent)(struct conn *conn);               /* output has drained some; may be NULL */
	void (*closed)(struct conn *conn, int reason); /* reason: errno, 0 for an orderly end */
};

enum conn_kind {
	CONN_TCP,  /* over a DPDK port */
	CONN_SOCK, /* a kernel socket: struct conn_sock */
};

struct conn {
	struct core *core;
	const struct conn_ops *ops;
	void *user;
	struct tcp_conn *tcp;    /* CONN_TCP; until closed() has returned */
	STAILQ_ENTRY(conn) link; /* once it is closed */
	uint8_t kind;
	bool rx_paused, closed, closing, connecting, want_write, unix_sock;
};

static inline bool conn_is_netdev(const struct conn *conn)
{
	return conn->kind == CONN_TCP;
}

/* What it takes of memory at the moment, bytes, without its buffers. */
size_t conn_footprint(const struct conn *conn);
/* The descriptor of a kernel socket; otherwise, and when it is closed, -1. */
int conn_fd(const struct conn *conn);
/* Smoothed round trip in microseconds; 0: not known. Of a kernel socket it takes a system call. */
unsigned conn_rtt_us(const struct conn *conn);
/* The output stream; bytes appended are sent by conn_push(). */
struct obuf *conn_obuf(struct conn *conn);
void conn_push(struct conn *conn);
/* Closes once the output has drained, or given up. Its user hears closed() later. */
void conn_close(struct conn *conn);
/* Ends it at once, dropping output. Its user hears closed() at the end of the loop, never inside a
 * call. */
void conn_abort(struct conn *conn);
/* No upcall follows any more; the connection ends at once. */
void conn_detach(struct conn *conn);
/* Stops and restarts data(); meanwhile the peer is held up by the window. */
void conn_rx_pause(struct conn *conn);
void conn_rx_resume(struct conn *conn);
void conn_keepalive(struct conn *conn, unsigned idle_s);
/* "1.2.3.4:5", "[::1]:5" or "/path:0". Of one over a DPDK port any thread may ask that keeps the
 * owner from leaving closed(). */
void conn_addr(const struct conn *conn, char *peer, char *local, size_t size);
/* Peer is loopback or a unix socket. */
bool conn_is_local(const struct conn *conn);

/* Takes over an accepted, non-blocking kernel socket. NULL: no memory (the caller keeps fd). */
struct conn *conn_sock_open(struct core *core, int fd, const struct conn_ops *ops, void *user);
/* Connects to an address, over the NIC that reaches it, otherwise through the kernel. -errno when
 * it fails at once; else connected() or closed() follows. */
int conn_connect(struct core *core, const struct sockaddr *sa, unsigned sa_len,
	const struct conn_ops *ops, void *user, struct conn **out);

/* For core.c and the NIC layer. */
unsigned conn_sock_poll(struct core *core, int timeout_us);
int conn_listen_net(struct core *core, struct net *net, uint16_t port, unsigned backlog);
void conn_reap(struct core *core);

#endif
