/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections over kernel sockets: the way in for local tools, and out to peers that no NIC
 * reaches.
 */
#include "dataplane/conn.h"

#include "checks.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/conn_priv.h"

#define SOCK_EVENTS 64
#define SOCK_IOV    64

static void sock_interest(struct conn *conn)
{
	struct epoll_event ev = {.data.ptr = conn};

	if (!conn->rx_paused && !conn->connecting)
		ev.events |= EPOLLIN;
	if (conn->want_write || conn->connecting)
		ev.events |= EPOLLOUT;
	epoll_ctl(conn->core->epoll_fd, EPOLL_CTL_MOD, sock_of(conn)->fd, &ev);
}

static struct conn *sock_new(
	struct core *core, int fd, const struct conn_ops *ops, void *user, bool connecting)
{
	struct epoll_event ev = {.events = connecting ? EPOLLOUT : EPOLLIN};
	struct conn_sock *sock = calloc(1, sizeof(*sock));
	struct conn *conn = sock ? &sock->conn : NULL;

	if (!conn)
		return NULL;
	conn->core = core;
	conn->ops = ops;
	conn->user = user;
	conn->kind = CONN_SOCK;
	sock_of(conn)->fd = fd;
	conn->connecting = connecting;
	obuf_init(&sock_of(conn)->out, &core->obufs);
	ev.data.ptr = conn;
	if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
		obuf_fini(&sock_of(conn)->out);
		free(conn);
		return NULL;
	}
	return conn;
}

struct conn *conn_sock_open(struct core *core, int fd, const struct conn_ops *ops, void *user)
{
	struct conn *conn = sock_new(core, fd, ops, user, false);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int one = 1;

	if (!conn)
		return NULL;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		conn->unix_sock = ss.ss_family == AF_UNIX;
	if (!conn->unix_sock)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return conn;
}

int conn_sock_connect(struct core *core, const struct sockaddr *sa, unsigned sa_len,
	const struct conn_ops *ops, void *user, struct conn **out)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, sa, sa_len) && errno != EINPROGRESS) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*out = sock_new(core, fd, ops, user, true);
	if (!*out) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

/* The end of a socket connection. Its user hears of it at the end of the loop, as with TCP: nothing
 * disappears under somebody's hands. */
void conn_sock_end(struct conn *conn, int reason)
{
	if (conn->closed)
		return;
	conn->closed = true;
	sock_of(conn)->reason = reason;
	epoll_ctl(conn->core->epoll_fd, EPOLL_CTL_DEL, sock_of(conn)->fd, NULL);
	close(sock_of(conn)->fd);
	sock_of(conn)->fd = -1;
	STAILQ_INSERT_TAIL(&conn->core->closing, conn, link);
}

void conn_sock_push(struct conn *conn)
{
	struct iovec iov[SOCK_IOV];

	while (!conn->closed && !conn->connecting) {
		int n = obuf_iov(&sock_of(conn)->out, iov, SOCK_IOV);
		ssize_t sent;

		if (n == 0)
			break;
		sent = writev(sock_of(conn)->fd, iov, n);
		conn->core->ctr.sock_writes++;
		if (sent < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN) {
				conn_sock_end(conn, errno);
				return;
			}
			if (!conn->want_write) {
				conn->want_write = true;
				sock_interest(conn);
			}
			return;
		}
		conn->core->ctr.tx_bytes += (uint64_t)sent;
		obuf_consume(&sock_of(conn)->out, (size_t)sent);
	}
	if (conn->closed)
		return;
	if (conn->want_write) {
		conn->want_write = false;
		sock_interest(conn);
	}
	if (conn->closing && obuf_len(&sock_of(conn)->out) == 0)
		conn_sock_end(conn, 0);
}

void conn_sock_rx(struct conn *conn, bool pause)
{
	if (conn->rx_paused == pause || conn->closed)
		return;
	conn->rx_paused = pause;
	sock_interest(conn);
}

static void sock_read(struct conn *conn)
{
	struct core *core = conn->core;
	ssize_t n = read(sock_of(conn)->fd, core->scratch, CORE_SCRATCH);

	core->ctr.sock_reads++;
	if (n > 0) {
		core->ctr.rx_bytes += (uint64_t)n;
		if (!conn->closing)
			conn->ops->data(conn, core->scratch, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && obuf_len(&sock_of(conn)->out) > 0) {
		conn_sock_rx(conn, true); /* it has said its last, and gets what it asked for */
		conn_close(conn);
		return;
	}
	conn_sock_end(conn, n < 0 ? errno : 0);
}

static void sock_connected(struct conn *conn)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(sock_of(conn)->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		conn_sock_end(conn, err);
		return;
	}
	conn->connecting = false;
	sock_interest(conn);
	conn->ops->connected(conn);
}

static void sock_event(struct conn *conn, uint32_t events)
{
	if (conn->closed)
		return;
	if (conn->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			sock_connected(conn);
		return;
	}
	if (events & EPOLLOUT) {
		conn_sock_push(conn);
		if (!conn->closed && conn->ops->sent)
			conn->ops->sent(conn);
	}
	if (conn->closed)
		return;
	if (conn->rx_paused) {
		if (events & (EPOLLERR | EPOLLHUP))
			conn_sock_end(conn, ECONNRESET);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		sock_read(conn);
}

unsigned conn_sock_poll(struct core *core, int timeout_us)
{
	struct epoll_event ev[SOCK_EVENTS];
	struct timespec ts = {.tv_sec = 0, .tv_nsec = timeout_us * 1000L};
	int n = epoll_pwait2(core->epoll_fd, ev, SOCK_EVENTS, &ts, NULL);
	unsigned done = 0;

	if (timeout_us > 0)
		core_clock_read(core); /* time has passed since the loop began */
	core->sock_more = n == SOCK_EVENTS;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr == core)
			continue; /* a device has frames: nic_rx() takes them */
		done++;
		if (ev[i].data.ptr) {
			sock_event(ev[i].data.ptr, ev[i].events);
		} else {
			uint64_t count;

			if (read(core->wake_fd, &count, sizeof(count)) < 0)
				continue;
		}
	}
	return done;
}
