/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/conn.h"

#include "checks.h"
#include "dataplane/conn_priv.h"
#include "dataplane/ip/net.h"
#include "dataplane/nic.h"
#include "dataplane/tcp/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Output below this is refilled by who streams from the log or a snapshot. */
#define CONN_SENT_MARK (256 * 1024)

static uint32_t tcp_data(struct tcp_conn *tc, const uint8_t *data, uint32_t len)
{
	struct conn *conn = tcp_conn_user(tc);

	if (conn->rx_paused)
		return 0;
	if (!conn->closing)
		conn->ops->data(conn, (const char *)data, len);
	return len;
}

static void tcp_connected(struct tcp_conn *tc)
{
	struct conn *conn = tcp_conn_user(tc);

	conn->connecting = false;
	conn->ops->connected(conn);
}

static void tcp_sent(struct tcp_conn *tc)
{
	struct conn *conn = tcp_conn_user(tc);

	if (conn->ops->sent)
		conn->ops->sent(conn);
}

/* A peer that has closed its side gets what is under way, and no more: as redis-server. */
static void tcp_eof(struct tcp_conn *tc)
{
	conn_close(tcp_conn_user(tc));
}

static void tcp_closed(struct tcp_conn *tc, int reason)
{
	struct conn *conn = tcp_conn_user(tc);

	conn->closed = true;
	STAILQ_INSERT_TAIL(&conn->core->closing, conn, link);
	conn->ops->closed(conn, reason);
	conn->tcp = NULL;
}

static const struct tcp_ops tcp_user_ops = {
	.connected = tcp_connected,
	.data = tcp_data,
	.sent = tcp_sent,
	.eof = tcp_eof,
	.closed = tcp_closed,
};

static struct conn *tcp_conn_wrap(struct core *core, const struct conn_ops *ops, void *user)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->core = core;
	conn->ops = ops;
	conn->user = user;
	conn->kind = CONN_TCP;
	return conn;
}

static int tcp_accept(struct net *net, struct tcp_conn *tc)
{
	struct core *core = tcp_conn_user(tc);
	struct conn *conn = tcp_conn_wrap(core, NULL, NULL);

	if (!conn)
		return -1;
	conn->tcp = tc;
	if (core->ops->accept(core, conn)) {
		free(conn);
		return -1;
	}
	tcp_conn_set_user(tc, conn);
	tcp_conn_set_ops(tc, &tcp_user_ops);
	tcp_conn_set_sent_mark(tc, CONN_SENT_MARK);
	return 0;
}

static const struct tcp_ops tcp_listen_ops = {
	.accept = tcp_accept,
	.data = tcp_data,
	.closed = tcp_closed,
};

int conn_listen_net(struct core *core, struct net *net, uint16_t port, unsigned backlog)
{
	struct tcp_listener *lst; /* ends with the net */

	return tcp_listen(net, port, backlog, &tcp_listen_ops, core, &lst);
}

static int net_connect(struct core *core, struct net *net, const struct ip_addr *ip, uint16_t port,
	const struct conn_ops *ops, void *user, struct conn **out)
{
	struct conn *conn = tcp_conn_wrap(core, ops, user);
	int rc;

	if (!conn)
		return -ENOMEM;
	conn->connecting = true;
	rc = tcp_connect(net, ip, port, &tcp_user_ops, conn, &conn->tcp);
	if (rc) {
		free(conn);
		return rc;
	}
	tcp_conn_set_sent_mark(conn->tcp, CONN_SENT_MARK);
	*out = conn;
	return 0;
}

/* An address that a NIC could reach. One with a scope names an interface of the kernel. */
static bool sockaddr_ip(const struct sockaddr *sa, struct ip_addr *ip, uint16_t *port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET) {
		*ip = ip_addr_from_v4(ntohl(in->sin_addr.s_addr));
		*port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family != AF_INET6 || in6->sin6_scope_id != 0)
		return false;
	*ip = ip_addr_load(&in6->sin6_addr);
	*port = ntohs(in6->sin6_port);
	return true;
}

int conn_connect(struct core *core, const struct sockaddr *sa, unsigned sa_len,
	const struct conn_ops *ops, void *user, struct conn **out)
{
	struct ip_addr ip;
	uint16_t port;

	if (sockaddr_ip(sa, &ip, &port)) {
		struct net *net = nic_route(core, &ip);

		if (net)
			return net_connect(core, net, &ip, port, ops, user, out);
	}
	return conn_sock_connect(core, sa, sa_len, ops, user, out);
}

size_t conn_footprint(const struct conn *conn)
{
	if (conn->kind == CONN_SOCK)
		return sizeof(struct conn_sock);
	return sizeof(*conn) + (conn->tcp ? tcp_conn_footprint(conn->tcp) : 0);
}

int conn_fd(const struct conn *conn)
{
	return conn->kind == CONN_SOCK ? sock_of(conn)->fd : -1;
}

unsigned conn_rtt_us(const struct conn *conn)
{
	struct tcp_conn_info own;
	struct tcp_info kernel;
	socklen_t len = sizeof(kernel);

	if (conn->closed)
		return 0;
	if (conn->kind == CONN_TCP) {
		tcp_conn_info(conn->tcp, &own);
		return own.srtt_us;
	}
	if (conn->unix_sock || getsockopt(conn_fd(conn), IPPROTO_TCP, TCP_INFO, &kernel, &len) != 0)
		return 0;
	return kernel.tcpi_rtt;
}

struct obuf *conn_obuf(struct conn *conn)
{
	return conn->kind == CONN_TCP ? tcp_conn_obuf(conn->tcp) : &sock_of(conn)->out;
}

void conn_push(struct conn *conn)
{
	if (conn->closed)
		return;
	if (conn->kind == CONN_TCP)
		tcp_conn_push(conn->tcp);
	else
		conn_sock_push(conn);
}

void conn_close(struct conn *conn)
{
	if (conn->closed || conn->closing)
		return;
	conn->closing = true;
	if (conn->kind == CONN_TCP)
		tcp_conn_close(conn->tcp);
	else
		conn_sock_push(conn);
}

void conn_abort(struct conn *conn)
{
	if (conn->closed)
		return;
	conn->closing = true;
	if (conn->kind == CONN_TCP)
		tcp_conn_abort(conn->tcp);
	else
		conn_sock_end(conn, ECONNABORTED);
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
	if (conn->kind == CONN_TCP)
		conn->rx_paused = true;
	else
		conn_sock_rx(conn, true);
}

void conn_rx_resume(struct conn *conn)
{
	if (!conn->rx_paused || conn->closed)
		return;
	if (conn->kind == CONN_SOCK) {
		conn_sock_rx(conn, false);
		return;
	}
	conn->rx_paused = false;
	tcp_conn_resume(conn->tcp);
}

void conn_keepalive(struct conn *conn, unsigned idle_s)
{
	unsigned intvl = idle_s / 3 ? idle_s / 3 : 1;
	int on = idle_s != 0, cnt = 3, fd = conn_fd(conn);

	if (conn->closed || conn->unix_sock)
		return;
	if (conn->kind == CONN_TCP) {
		tcp_conn_set_keepalive(conn->tcp, idle_s * 1000000ull, intvl * 1000000ull, 3);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (on) {
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &intvl, sizeof(intvl));
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &cnt, sizeof(cnt));
	}
}

static void format_sockaddr(const struct sockaddr_storage *ss, char *buf, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(buf, size, "%s:%u", ip, ntohs(in->sin_port));
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(buf, size, "[%s]:%u", ip, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_un *un = (const struct sockaddr_un *)ss;

		snprintf(buf, size, "%.*s:0", (int)sizeof(un->sun_path), un->sun_path);
	}
}

static void format_tcp(const struct tcp_conn_addr *a, char *buf, size_t size)
{
	char ip[IP_ADDR_TEXT];

	ip_addr_format(&a->ip, ip, sizeof(ip));
	snprintf(buf, size, ip_addr_is_v4(&a->ip) ? "%s:%u" : "[%s]:%u", ip, a->port);
}

void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	snprintf(peer, size, "?:0");
	snprintf(local, size, "?:0");
	if (conn->kind == CONN_TCP) {
		struct tcp_conn_addr pa, la;

		if (!conn->tcp)
			return;
		pa = tcp_conn_peer(conn->tcp);
		la = tcp_conn_local(conn->tcp);
		format_tcp(&pa, peer, size);
		format_tcp(&la, local, size);
		return;
	}
	if (conn->closed)
		return;
	memset(&ss, 0, sizeof(ss));
	if (getsockname(conn_fd(conn), (struct sockaddr *)&ss, &len) == 0)
		format_sockaddr(&ss, local, size);
	if (conn->unix_sock) {
		snprintf(peer, size, "%s", local);
		return;
	}
	len = sizeof(ss);
	if (getpeername(conn_fd(conn), (struct sockaddr *)&ss, &len) == 0)
		format_sockaddr(&ss, peer, size);
}

bool conn_is_local(const struct conn *conn)
{
	char peer[64], local[64];

	if (conn->kind == CONN_TCP)
		return false;
	if (conn->unix_sock)
		return true;
	conn_addr(conn, peer, local, sizeof(peer));
	return strncmp(peer, "127.", 4) == 0 || strncmp(peer, "[::1]", 5) == 0 ||
	       strncmp(peer, "[::ffff:127.", 12) == 0;
}

void conn_reap(struct core *core)
{
	struct conn *conn;

	while ((conn = STAILQ_FIRST(&core->closing))) {
		STAILQ_REMOVE_HEAD(&core->closing, link);
		if (conn->kind == CONN_SOCK) {
			if (conn->ops)
				conn->ops->closed(conn, sock_of(conn)->reason);
			obuf_fini(&sock_of(conn)->out);
		}
		free(conn);
	}
}
