/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/listen.h"

#include "app/control.h"
#include "dataplane/conn.h"
#include "dataplane/core.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LISTENERS (CONFIG_MAX_BIND * 2 + 1)
#define ACCEPT_BURST  256

struct listeners {
	struct server *srv;
	int fds[MAX_LISTENERS];
	unsigned nr;
	unsigned next_core;
	char unix_path[108];
};

static int add_fd(struct listeners *l, int epoll_fd, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	l->fds[l->nr++] = fd;
	return 0;
}

/* A listening socket, in *fd; -1 for one that may be missing and is. */
static int tcp_open(const struct config *cfg, const char *host, int *fd, char *err, size_t err_len)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				.ai_socktype = SOCK_STREAM},
			*ai = NULL;
	bool optional = host[0] == '-';
	int one = 1, rc;
	char port[8];

	*fd = -1;
	snprintf(port, sizeof(port), "%d", cfg->port);
	host += optional;
	if (strcmp(host, "*") == 0) {
		host = NULL;
		hints.ai_family = AF_INET;
	} else if (strcmp(host, "::*") == 0) {
		host = NULL;
		hints.ai_family = AF_INET6;
	}
	if (getaddrinfo(host, port, &hints, &ai) || !ai) {
		snprintf(
			err, err_len, "bind %s: not an address of this machine", host ? host : "*");
		return optional ? 0 : -EINVAL;
	}
	*fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rc = *fd < 0 ? -errno : 0;
	if (rc == 0) {
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (ai->ai_family == AF_INET6)
			setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		if (bind(*fd, ai->ai_addr, ai->ai_addrlen) || listen(*fd, cfg->tcp_backlog))
			rc = -errno;
	}
	freeaddrinfo(ai);
	if (rc == 0)
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	if (rc == -EAFNOSUPPORT || (rc == -EADDRNOTAVAIL && optional))
		return 0;
	snprintf(err, err_len, "Failed listening on port %d (TCP), address %s: %s%s", cfg->port,
		host ? host : "*", strerror(-rc),
		rc == -EADDRINUSE
			? "; another program has it (ss -ltnp shows it), or choose another with port"
			: "");
	return rc;
}

/* Nothing lives at the path, or a socket that nobody listens on any more. */
static int unix_check(const struct config *cfg, char *err, size_t err_len)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc = 0;

	if (strlen(cfg->unixsocket) >= sizeof(un.sun_path)) {
		snprintf(err, err_len, "unixsocket %s: the path is longer than %zu bytes",
			cfg->unixsocket, sizeof(un.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", cfg->unixsocket);
	if (lstat(un.sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, err_len, "unixsocket %s: there is a file that is no socket",
			cfg->unixsocket);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0) {
		snprintf(err, err_len,
			"unixsocket %s: another program listens on it (ss -lxp shows it)",
			cfg->unixsocket);
		rc = -EADDRINUSE;
	}
	close(fd);
	return rc;
}

static int listen_unix(struct listeners *l, int epoll_fd, char *err, size_t err_len)
{
	struct config *cfg = l->srv->cfg;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd, rc = unix_check(cfg, err, err_len);

	if (rc)
		return rc;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", cfg->unixsocket);
	unlink(un.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, cfg->tcp_backlog))
		rc = -errno;
	if (rc == 0 && cfg->unixsocketperm)
		chmod(un.sun_path, cfg->unixsocketperm);
	if (rc == 0)
		rc = add_fd(l, epoll_fd, fd);
	if (rc) {
		snprintf(err, err_len, "Failed listening on unixsocket %s: %s", cfg->unixsocket,
			strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	snprintf(l->unix_path, sizeof(l->unix_path), "%s", un.sun_path);
	return 0;
}

int listeners_check(const struct config *cfg, char *err, size_t err_len)
{
	int fd, rc = 0;

	for (unsigned i = 0; cfg->port && i < cfg->nr_bind && rc == 0; i++) {
		rc = tcp_open(cfg, cfg->bind[i], &fd, err, err_len);
		if (rc == 0 && fd >= 0)
			close(fd);
	}
	if (rc == 0 && cfg->unixsocket && cfg->unixsocket[0])
		rc = unix_check(cfg, err, err_len);
	return rc;
}

int listeners_open(
	struct server *srv, int epoll_fd, struct listeners **out, char *err, size_t err_len)
{
	struct listeners *l = calloc(1, sizeof(*l));
	struct config *cfg = srv->cfg;
	int rc = 0;

	if (!l)
		return -ENOMEM;
	l->srv = srv;
	for (unsigned i = 0; cfg->port && i < cfg->nr_bind && rc == 0; i++) {
		int fd;

		rc = tcp_open(cfg, cfg->bind[i], &fd, err, err_len);
		if (rc == 0 && fd >= 0)
			rc = add_fd(l, epoll_fd, fd);
	}
	if (rc == 0 && cfg->unixsocket && cfg->unixsocket[0])
		rc = listen_unix(l, epoll_fd, err, err_len);
	if (rc) {
		listeners_close(&l);
		return rc;
	}
	*out = l;
	return 0;
}

void listeners_close(struct listeners **lp)
{
	struct listeners *l = *lp;

	if (!l)
		return;
	for (unsigned i = 0; i < l->nr; i++)
		close(l->fds[i]);
	if (l->unix_path[0])
		unlink(l->unix_path);
	free(l);
	*lp = NULL;
}

struct accept_msg {
	struct core_msg msg;
	int fd;
};

static void accept_run(struct core *core, struct core_msg *m)
{
	struct accept_msg *msg = (struct accept_msg *)m;
	struct conn *conn = conn_sock_open(core, msg->fd, NULL, NULL);

	if (!conn)
		close(msg->fd);
	else if (core->ops->accept(core, conn))
		conn_detach(conn);
	free(msg);
}

void listeners_accept(struct listeners *l, int fd)
{
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int conn_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct accept_msg *msg;
		struct core *core;

		if (conn_fd < 0)
			return;
		msg = malloc(sizeof(*msg));
		core = l->srv->cores[l->next_core++ % l->srv->nr_cores]->core;
		if (!msg) {
			close(conn_fd);
			continue;
		}
		msg->msg.fn = accept_run;
		msg->fd = conn_fd;
		if (core_post(core, &msg->msg)) {
			close(conn_fd);
			free(msg);
		}
	}
}
