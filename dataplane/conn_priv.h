/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What conn.c and its two transports share.
 */
#ifndef MILLRACE_DATAPLANE_CONN_PRIV_H
#define MILLRACE_DATAPLANE_CONN_PRIV_H

#include "dataplane/conn.h"

/* A connection over a kernel socket. */
struct conn_sock {
	struct conn conn; /* kind CONN_SOCK */
	int fd;
	int reason; /* why it ended */
	struct obuf out;
};

static inline struct conn_sock *sock_of(const struct conn *conn)
{
	return (struct conn_sock *)conn;
}

int conn_sock_connect(struct core *core, const struct sockaddr *sa, unsigned sa_len,
	const struct conn_ops *ops, void *user, struct conn **out);
void conn_sock_end(struct conn *conn, int reason);
void conn_sock_push(struct conn *conn);
void conn_sock_rx(struct conn *conn, bool pause);

#endif
