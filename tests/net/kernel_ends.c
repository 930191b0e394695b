/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The application on the stack and the kernel's sockets.
 */
#include "tests/net/kernel_ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATTERN_LEN 1048573u /* prime */
#define FEED_BYTES  (1u << 20)
#define IO_BYTES    65536u

static uint8_t pattern[PATTERN_LEN + IO_BYTES];

void pattern_setup(void)
{
	uint64_t x = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; i < PATTERN_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern[i] = (uint8_t)(x >> 32);
	}
	memcpy(pattern + PATTERN_LEN, pattern, IO_BYTES);
}

void pattern_get(uint64_t pos, void *out, size_t len)
{
	memcpy(out, pattern + pos % PATTERN_LEN, len);
}

bool pattern_matches(uint64_t pos, const void *data, size_t len)
{
	return memcmp(data, pattern + pos % PATTERN_LEN, len) == 0;
}

static void feed(struct kapp *app)
{
	struct obuf *ob;

	if (!app->conn || app->echo)
		return;
	ob = tcp_conn_obuf(app->conn);
	while (app->tx_done < app->tx_total && obuf_len(ob) < FEED_BYTES) {
		const uint64_t left = app->tx_total - app->tx_done;
		const uint32_t n = left < IO_BYTES ? (uint32_t)left : IO_BYTES;

		/* The pattern lives for ever: sent by reference, as a log is. */
		if (obuf_append_ref(ob, pattern + app->tx_done % PATTERN_LEN, n, NULL, NULL))
			return;
		app->tx_done += n;
	}
	tcp_conn_push(app->conn);
	if (app->tx_done < app->tx_total)
		return;
	if (app->close_at_eof && app->nr_eof)
		tcp_conn_close(app->conn);
	else if (app->shutdown_at_end)
		tcp_conn_shutdown(app->conn);
}

static void opened(struct kapp *app, struct tcp_conn *conn)
{
	app->conn = conn;
	app->nr_open++;
	tcp_conn_set_sent_mark(conn, FEED_BYTES / 2);
	feed(app);
}

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct kapp *app = tcp_conn_user(conn);

	app->nr_accept++;
	if (app->refuse)
		return -1;
	opened(app, conn);
	return 0;
}

static void on_connected(struct tcp_conn *conn)
{
	struct kapp *app = tcp_conn_user(conn);

	app->nr_connected++;
	opened(app, conn);
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct kapp *app = tcp_conn_user(conn);
	struct obuf *ob = tcp_conn_obuf(conn);

	if (app->is_paused)
		return 0;
	if (app->echo) {
		const uint64_t room = obuf_len(ob) < FEED_BYTES ? FEED_BYTES - obuf_len(ob) : 0;

		len = len < room ? len : (uint32_t)room;
		if (len && obuf_append(ob, data, len))
			return 0;
		tcp_conn_push(conn);
	} else {
		app->rx_wrong += !pattern_matches(app->rx_done, data, len);
	}
	app->rx_done += len;
	return len;
}

static void on_sent(struct tcp_conn *conn)
{
	struct kapp *app = tcp_conn_user(conn);

	if (app->echo)
		tcp_conn_resume(conn);
	else
		feed(app);
}

static void on_eof(struct tcp_conn *conn)
{
	struct kapp *app = tcp_conn_user(conn);

	app->nr_eof++;
	if (app->close_at_eof && app->tx_done == app->tx_total)
		tcp_conn_close(conn);
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	struct kapp *app = tcp_conn_user(conn);

	app->nr_closed++;
	app->nr_open -= app->nr_open > 0;
	app->reason = reason;
	if (app->conn == conn)
		app->conn = NULL;
}

static const struct tcp_ops kapp_ops = {
	.accept = on_accept,
	.connected = on_connected,
	.data = on_data,
	.sent = on_sent,
	.eof = on_eof,
	.closed = on_closed,
};

struct open_arg {
	struct kapp *app;
	uint32_t backlog;
	uint16_t port;
	int rc;
};

static void do_listen(struct klab *lab, void *arg)
{
	struct open_arg *a = arg;
	struct tcp_listener *lst;

	a->rc = tcp_listen(&lab->net, a->port, a->backlog, &kapp_ops, a->app, &lst);
}

void kapp_listen(struct klab *lab, struct kapp *app, uint32_t backlog)
{
	struct open_arg a = {app, backlog, KEND_PORT, 0};

	klab_call(lab, do_listen, &a);
	BUG_ON(a.rc);
}

static void do_connect(struct klab *lab, void *arg)
{
	struct open_arg *a = arg;
	struct ip_addr to = ip_addr_from_v4(KLAB_KERNEL_V4);
	struct tcp_conn *conn;

	a->rc = tcp_connect(&lab->net, &to, a->port, &kapp_ops, a->app, &conn);
}

void kapp_connect(struct klab *lab, struct kapp *app, uint16_t port)
{
	struct open_arg a = {app, 0, port, 0};

	klab_call(lab, do_connect, &a);
	BUG_ON(a.rc);
}

void kapp_abort(struct klab *lab, void *arg)
{
	tcp_conn_abort(((struct kapp *)arg)->conn);
}

void kapp_close(struct klab *lab, void *arg)
{
	tcp_conn_close(((struct kapp *)arg)->conn);
}

void kapp_resume(struct klab *lab, void *arg)
{
	struct kapp *app = arg;

	app->is_paused = false;
	if (app->conn)
		tcp_conn_resume(app->conn);
}

bool kapp_has_conn(struct klab *lab, void *arg)
{
	return ((struct kapp *)arg)->conn != NULL;
}

bool kapp_is_closed(struct klab *lab, void *arg)
{
	const struct kapp *app = arg;

	return app->nr_closed > 0 && app->nr_open == 0;
}

static struct sockaddr_in address(uint32_t v4, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(v4)};
}

/* Until the event or the end of the time. */
static bool await(int fd, short events, uint64_t end_us)
{
	const uint64_t now = klab_clock_us();
	struct pollfd p = {fd, events, 0};

	return now < end_us && poll(&p, 1, (int)((end_us - now) / 1000 + 1)) > 0;
}

static int give_up(int fd, int error)
{
	close(fd);
	errno = error;
	return -1;
}

int ksock_connect(uint16_t port, uint32_t ms)
{
	const struct sockaddr_in to = address(KLAB_STACK_V4, port);
	const uint64_t end_us = klab_clock_us() + ms * 1000ull;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(int);
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	if (errno != EINPROGRESS)
		return give_up(fd, errno);
	if (!await(fd, POLLOUT, end_us))
		return give_up(fd, ETIMEDOUT);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error ? give_up(fd, error) : fd;
}

int ksock_listen(uint16_t port, int backlog)
{
	const struct sockaddr_in at = address(INADDR_ANY, port);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, backlog))
		return give_up(fd, errno);
	return fd;
}

int ksock_accept(int fd, uint32_t ms)
{
	if (!await(fd, POLLIN, klab_clock_us() + ms * 1000ull)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* False: the connection broke. */
static bool flow_send(int fd, struct kflow *f)
{
	const uint64_t left = f->tx_total - f->tx_done;
	const size_t max = left < IO_BYTES ? left : IO_BYTES;
	const ssize_t n = send(fd, pattern + f->tx_done % PATTERN_LEN, max, MSG_NOSIGNAL);

	if (n < 0) {
		f->error = errno == EAGAIN ? 0 : errno;
		return f->error == 0;
	}
	f->tx_done += (uint64_t)n;
	if (f->tx_done == f->tx_total && f->shut_at_end)
		shutdown(fd, SHUT_WR);
	return true;
}

static bool flow_recv(int fd, struct kflow *f)
{
	uint8_t bytes[IO_BYTES];
	const uint64_t left = f->rx_total - f->rx_done;
	const size_t want = left && left < IO_BYTES ? left : IO_BYTES;
	const ssize_t n = recv(fd, bytes, want, 0);

	if (n < 0) {
		f->error = errno == EAGAIN ? 0 : errno;
		return f->error == 0;
	}
	f->is_eof = n == 0;
	f->rx_wrong += !pattern_matches(f->rx_done, bytes, (size_t)n);
	f->rx_done += (uint64_t)n;
	return true;
}

static bool flow_is_done(const struct kflow *f)
{
	return f->tx_done == f->tx_total && f->rx_done >= f->rx_total &&
	       (!f->shut_at_end || f->is_eof);
}

static bool flow_result(const struct kflow *f)
{
	if (flow_is_done(f) && f->rx_done == f->rx_total && !f->rx_wrong)
		return true;
	if (f->may_stop && !f->error && !f->rx_wrong)
		return false;
	fprintf(stderr, "flow: sent %llu of %llu, received %llu of %llu, wrong %llu, eof %d: %s\n",
		(unsigned long long)f->tx_done, (unsigned long long)f->tx_total,
		(unsigned long long)f->rx_done, (unsigned long long)f->rx_total,
		(unsigned long long)f->rx_wrong, f->is_eof, strerror(f->error));
	return false;
}

bool ksock_flow(int fd, struct kflow *f, uint32_t ms)
{
	const uint64_t end_us = klab_clock_us() + ms * 1000ull;
	uint64_t came_us = klab_clock_us();

	if (!f->tx_total && f->shut_at_end)
		shutdown(fd, SHUT_WR);
	while (!flow_is_done(f) && f->rx_done <= f->rx_total && !f->rx_wrong) {
		const bool wants_tx = f->tx_done < f->tx_total;
		const bool wants_rx = !f->is_eof && (f->rx_done < f->rx_total || f->shut_at_end);
		struct pollfd p = {
			fd, (short)((wants_tx ? POLLOUT : 0) | (wants_rx ? POLLIN : 0)), 0};
		const uint64_t now = klab_clock_us();

		if (f->is_eof && f->rx_done < f->rx_total)
			break;
		if (now >= end_us || poll(&p, 1, (int)((end_us - now) / 1000 + 1)) <= 0)
			break;
		if ((p.revents & POLLOUT) && !flow_send(fd, f))
			break;
		if (!(p.revents & (POLLIN | POLLERR | POLLHUP)))
			continue;
		if (klab_clock_us() - came_us > f->rx_stall_us)
			f->rx_stall_us = klab_clock_us() - came_us;
		if (!flow_recv(fd, f))
			break;
		came_us = klab_clock_us();
	}
	return flow_result(f);
}

int ksock_verdict(int fd, uint32_t ms)
{
	const uint64_t end_us = klab_clock_us() + ms * 1000ull;
	uint8_t bytes[4096];

	while (await(fd, POLLIN, end_us)) {
		const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0 && !(n < 0 && errno == EAGAIN))
			return n < 0 ? errno : 0;
	}
	return -1;
}
