/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_conn.h"

#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_conn {
	struct conn conn; /* first: a struct conn is one of these */
	TAILQ_ENTRY(fake_conn) all;
	struct obuf out;
	uint64_t pushed; /* position in the output up to which the peer may take */
	bool in_data;
	char *unread;
	size_t unread_len;
};

static struct fake_conn *fake_of(struct conn *conn)
{
	return (struct fake_conn *)conn;
}

static struct fake_net *net_of(struct conn *conn)
{
	return (struct fake_net *)conn->core;
}

void fake_net_init(struct fake_net *net)
{
	memset(net, 0, sizeof(*net));
	TAILQ_INIT(&net->conns);
	STAILQ_INIT(&net->core.closing);
	obuf_pool_init(&net->core.obufs, 0);
	net->core.now_us = 5000000;
	net->core.now_ms = 1700000000000;
}

void fake_net_fini(struct fake_net *net)
{
	struct fake_conn *fc;

	while ((fc = TAILQ_FIRST(&net->conns))) {
		TAILQ_REMOVE(&net->conns, fc, all);
		obuf_fini(&fc->out);
		free(fc->unread);
		free(fc);
	}
	obuf_pool_fini(&net->core.obufs);
}

void fake_net_advance(struct fake_net *net, uint64_t ms)
{
	net->core.now_us += ms * 1000;
	net->core.now_ms += (int64_t)ms;
}

struct conn *fake_conn_open(struct fake_net *net, const struct conn_ops *ops, void *user)
{
	struct fake_conn *fc = calloc(1, sizeof(*fc));

	BUG_ON(!fc);
	fc->conn.core = &net->core;
	fc->conn.ops = ops;
	fc->conn.user = user;
	fc->conn.kind = CONN_SOCK;
	obuf_init(&fc->out, &net->core.obufs);
	TAILQ_INSERT_TAIL(&net->conns, fc, all);
	return &fc->conn;
}

int conn_connect(struct core *core, const struct sockaddr *sa, unsigned sa_len,
	const struct conn_ops *ops, void *user, struct conn **out)
{
	struct fake_net *net = (struct fake_net *)core;

	net->nr_connects++;
	memcpy(&net->last_addr, sa, sa_len);
	if (net->connect_rc)
		return net->connect_rc;
	net->last = fake_conn_open(net, ops, user);
	net->last->connecting = true;
	*out = net->last;
	return 0;
}

void fake_conn_connected(struct conn *conn)
{
	BUG_ON(!conn->connecting || conn->closed);
	conn->connecting = false;
	conn->ops->connected(conn);
}

/* Hands on what is unread, in memory of exactly its size, so that a sanitizer sees any step too
 * far. */
static void read_on(struct conn *conn)
{
	struct fake_conn *fc = fake_of(conn);

	while (fc->unread && !fc->in_data && !conn->rx_paused && !conn->closed) {
		char *data = fc->unread;
		size_t len = fc->unread_len;

		fc->unread = NULL;
		fc->unread_len = 0;
		fc->in_data = true;
		conn->ops->data(conn, data, len);
		fc->in_data = false;
		free(data);
	}
}

void fake_conn_receive(struct conn *conn, const void *data, size_t len)
{
	struct fake_conn *fc = fake_of(conn);

	BUG_ON(conn->connecting);
	if (conn->closed || len == 0)
		return;
	fc->unread = realloc(fc->unread, fc->unread_len + len);
	BUG_ON(!fc->unread);
	memcpy(fc->unread + fc->unread_len, data, len);
	fc->unread_len += len;
	read_on(conn);
}

size_t fake_conn_take(struct conn *conn, void *buf, size_t max)
{
	struct obuf *ob = &fake_of(conn)->out;
	uint64_t n = fake_of(conn)->pushed - obuf_base(ob);

	if (n > obuf_sendable(ob))
		n = obuf_sendable(ob);
	if (n > max)
		n = max;
	obuf_copy_at(ob, 0, buf, (uint32_t)n);
	obuf_consume(ob, n);
	return (size_t)n;
}

void fake_conn_end(struct conn *conn, int reason)
{
	if (conn->closed)
		return;
	conn->closed = true;
	conn->ops->closed(conn, reason);
}

/* --- dataplane/conn.h --- */

struct obuf *conn_obuf(struct conn *conn)
{
	return &fake_of(conn)->out;
}

void conn_push(struct conn *conn)
{
	struct fake_net *net = net_of(conn);

	if (conn->closed)
		return;
	if (net->push_breaks) {
		net->push_breaks = false;
		fake_conn_end(conn, EPIPE);
		return;
	}
	fake_of(conn)->pushed = obuf_end(&fake_of(conn)->out);
}

void conn_close(struct conn *conn)
{
	conn->closing = true;
	if (obuf_len(&fake_of(conn)->out) == 0)
		fake_conn_end(conn, 0);
}

void conn_abort(struct conn *conn)
{
	conn->closing = true;
	fake_conn_end(conn, ECONNABORTED);
}

static void nobody_data(struct conn *conn, const char *data, size_t len)
{
}

static void nobody_closed(struct conn *conn, int reason)
{
}

void conn_detach(struct conn *conn)
{
	static const struct conn_ops nobody = {.data = nobody_data, .closed = nobody_closed};

	conn->ops = &nobody;
	conn_abort(conn);
}

void conn_rx_pause(struct conn *conn)
{
	conn->rx_paused = true;
}

void conn_rx_resume(struct conn *conn)
{
	if (!conn->rx_paused || conn->closed)
		return;
	conn->rx_paused = false;
	read_on(conn);
}

void conn_keepalive(struct conn *conn, unsigned idle_s)
{
}

void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	snprintf(peer, size, "192.0.2.1:1111");
	snprintf(local, size, "192.0.2.2:6379");
}

bool conn_is_local(const struct conn *conn)
{
	return false;
}
