/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections without a network: what is declared in "dataplane/conn.h", over output buffers, with
 * the peer played by the test. Strict where the real ones are: nothing is received while paused, in
 * one closed, or inside data(); closed() comes once; only what was pushed can be taken by the peer.
 */
#ifndef MILLRACE_TESTS_SUPPORT_FAKE_CONN_H
#define MILLRACE_TESTS_SUPPORT_FAKE_CONN_H

#include "dataplane/conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The network; core comes first: conn_connect() finds the rest by it. */
struct fake_net {
	struct core core;
	TAILQ_HEAD(, fake_conn) conns; /* all there ever were */

	/* of conn_connect() */
	int connect_rc; /* what it returns */
	unsigned nr_connects;
	struct conn *last;
	struct sockaddr_storage last_addr;

	bool push_breaks; /* the next conn_push() ends the connection, as a write error would */
};

void fake_net_init(struct fake_net *net);
/* Frees all connections; their output is discarded. */
void fake_net_fini(struct fake_net *net);
/* Both clocks of the core go on. */
void fake_net_advance(struct fake_net *net, uint64_t ms);

/* A connection that has come in. */
struct conn *fake_conn_open(struct fake_net *net, const struct conn_ops *ops, void *user);
/* The one under way is there. */
void fake_conn_connected(struct conn *conn);
/* The peer sends: data() in one piece, now or, if paused, when resumed. */
void fake_conn_receive(struct conn *conn, const void *data, size_t len);
/* The peer takes at most max bytes of what was pushed; returns how many. sent() is not called. */
size_t fake_conn_take(struct conn *conn, void *buf, size_t max);
/* The connection ends; reason as in closed(). */
void fake_conn_end(struct conn *conn, int reason);

#endif
