/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The life of a link: attempts, its connection, timeouts. What is said on it: link_wire.c.
 */
#include "repl/link.h"

#include "checks.h"
#include "dataplane/core.h"
#include "repl/link_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPT_EVERY_US LINK_SECOND_US
#define RETURN_EVERY_US  (LINK_SECOND_US / 10)
#define SAY_AGAIN_US     (60 * LINK_SECOND_US) /* the same failure is logged this often */

/* --- memory --- */

static void cfg_fini(struct link_cfg *cfg)
{
	free((char *)cfg->host);
	free((char *)cfg->user);
	free((char *)cfg->password);
	free((char *)cfg->announce_ip);
	memset(cfg, 0, sizeof(*cfg));
}

static int cfg_copy(struct link_cfg *to, const struct link_cfg *from)
{
	*to = *from;
	to->host = strdup(from->host ? from->host : "");
	to->user = strdup(from->user ? from->user : "");
	to->password = strdup(from->password ? from->password : "");
	to->announce_ip = strdup(from->announce_ip ? from->announce_ip : "");
	if (to->host && to->user && to->password && to->announce_ip)
		return 0;
	cfg_fini(to);
	return -ENOMEM;
}

int link_create(struct core *core, const struct link_ops *ops, void *ctx, struct link **out)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return -ENOMEM;
	link->core = core;
	link->ops = ops;
	link->ctx = ctx;
	link->state = LINK_CONNECT;
	link->rdb_total = -1;
	link->now_ms = core->now_ms;
	link->down_since_ms = core->now_ms;
	*out = link;
	return 0;
}

/* Everything that belongs to the present session. */
static void session_end(struct link *link)
{
	struct conn *conn = link->conn;

	link->session++;
	link->state = LINK_CONNECT;
	link->conn = NULL;
	if (conn)
		conn_detach(conn);
	resolve_cancel(&link->resolve);
	free(link->pending);
	link->pending = NULL;
	link->pending_len = 0;
	link->line_len = 0;
	link->full_open = false;
	link->paused = false;
}

static void link_free(struct link *link)
{
	cfg_fini(&link->cfg);
	free(link);
}

void link_leave(struct link *link)
{
	if (--link->depth == 0 && link->destroyed)
		link_free(link);
}

void link_destroy(struct link **lp)
{
	struct link *link = *lp;

	if (!link)
		return;
	*lp = NULL;
	session_end(link);
	link->destroyed = true;
	if (link->depth == 0)
		link_free(link);
}

/* --- the end of a session --- */

void link_log(struct link *link, int level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	link->ops->log(link->ctx, level, text);
}

/* Attempts that fail in the same way, each second, are told once in a while. */
static bool is_news(struct link *link, enum link_state was, const char *reason)
{
	uint64_t now_us = link->core->now_us;
	char text[sizeof(link->said)];

	if (was >= LINK_TRANSFER) {
		link->said[0] = 0;
		return true;
	}
	snprintf(text, sizeof(text), "%s %s", link_state_name(was), reason);
	if (strcmp(link->said, text) == 0 && now_us - link->said_us < SAY_AGAIN_US)
		return false;
	memcpy(link->said, text, sizeof(text));
	link->said_us = now_us;
	return true;
}

void link_lost(struct link *link, int level, const char *reason)
{
	enum link_state was = link->state;
	bool abort_full = link->full_open;
	uint64_t session;

	if (was == LINK_CONNECT)
		return;
	session_end(link);
	session = link->session;
	link->is_refused = was != LINK_CONNECTING && was != LINK_CONNECTED;
	if (was == LINK_CONNECTED)
		link->down_since_ms = link->now_ms;
	if (is_news(link, was, reason))
		link_log(link, level, "link down peer=%s:%d state=%s reason=%s", link->cfg.host,
			link->cfg.port, link_state_name(was), reason);
	if (was == LINK_PSYNC && link->session == session && link->ops->refused)
		link->ops->refused(link->ctx);
	if (link->session == session && abort_full)
		link->ops->full_abort(link->ctx);
	if (link->session == session && was == LINK_CONNECTED)
		link->ops->state(link->ctx, false);
}

void link_drop(struct link *link, const char *reason)
{
	link_enter(link);
	link_lost(link, LINK_LOG_NOTICE, reason);
	link_leave(link);
}

const struct conn *link_conn(const struct link *link)
{
	return link->conn;
}

int link_configure(struct link *link, const struct link_cfg *cfg)
{
	struct link_cfg copy;
	int rc = cfg_copy(&copy, cfg);

	if (rc)
		return rc;
	link_enter(link);
	link->attempt_now = true;
	link->was_up = false;
	link->connect_us = 0;
	link->said[0] = 0;
	link_lost(link, LINK_LOG_NOTICE, "reconfigured");
	cfg_fini(&link->cfg);
	link->cfg = copy;
	link->configured = true;
	link_leave(link);
	return 0;
}

int link_set_login(struct link *link, const char *user, const char *password)
{
	struct link_cfg *cfg = &link->cfg;
	char *u, *p;

	if (strcmp(cfg->user, user) == 0 && strcmp(cfg->password, password) == 0)
		return 0;
	u = strdup(user);
	p = strdup(password);
	if (!u || !p) {
		free(u);
		free(p);
		return -ENOMEM;
	}
	free((char *)cfg->user);
	free((char *)cfg->password);
	cfg->user = u;
	cfg->password = p;
	return 0;
}

/* --- attempts --- */

static const struct conn_ops link_conn_ops;

/* Tries the addresses that are left, until one does not fail at once. */
static void connect_next(struct link *link)
{
	int rc = -EADDRNOTAVAIL;

	while (link->next_addr < link->addrs.nr) {
		unsigned i = link->next_addr++;

		rc = conn_connect(link->core, (struct sockaddr *)&link->addrs.addr[i],
			link->addrs.len[i], &link_conn_ops, link, &link->conn);
		if (rc == 0)
			return;
		link->conn = NULL;
	}
	link_lost(link, LINK_LOG_WARNING, strerror(-rc));
}

static void resolve_check(struct link *link)
{
	const char *why = "";
	char text[128];
	int rc = resolve_poll(&link->resolve, &link->addrs, &why);

	if (rc == -EINPROGRESS)
		return;
	if (rc == 0) {
		connect_next(link);
		return;
	}
	snprintf(text, sizeof(text), "cannot resolve the name: %s", why);
	link_lost(link, LINK_LOG_WARNING, text);
}

static void attempt(struct link *link)
{
	int rc;

	link->state = LINK_CONNECTING;
	link->attempt_now = false;
	link->attempt_us = link->heard_us = link->core->now_us;
	link->addrs.nr = link->next_addr = 0;
	rc = resolve_start(link->cfg.host, (uint16_t)link->cfg.port, &link->resolve);
	if (rc)
		link_lost(link, LINK_LOG_WARNING, strerror(-rc));
	else
		resolve_check(link);
}

static void on_connected(struct conn *conn)
{
	struct link *link = conn->user;

	link_enter(link);
	link->heard_us = link->core->now_us;
	link->connect_us = link->heard_us - link->attempt_us;
	link_wire_begin(link);
	link_leave(link);
}

static void on_data(struct conn *conn, const char *data, size_t len)
{
	struct link *link = conn->user;

	link_enter(link);
	link->heard_us = link->core->now_us;
	link->last_io_ms = link->now_ms;
	link_wire_data(link, data, len);
	link_leave(link);
}

static void on_closed(struct conn *conn, int reason)
{
	struct link *link = conn->user;

	link_enter(link);
	link->conn = NULL;
	if (link->state == LINK_CONNECTING && link->next_addr < link->addrs.nr)
		connect_next(link);
	else
		link_lost(
			link, LINK_LOG_WARNING, reason ? strerror(reason) : "closed by the master");
	link_leave(link);
}

static const struct conn_ops link_conn_ops = {
	.data = on_data,
	.connected = on_connected,
	.closed = on_closed,
};

/* --- time --- */

/* Silence counts only while we listen. */
static bool timed_out(const struct link *link)
{
	if (link->state == LINK_FINISHING || (link->state == LINK_CONNECTED && link->paused))
		return false;
	return link->cfg.timeout_s > 0 && link->core->now_us - link->heard_us >=
						  (uint64_t)link->cfg.timeout_s * LINK_SECOND_US;
}

/* A master that was there comes back as soon as it has recovered. */
static uint64_t attempt_every_us(const struct link *link)
{
	return link->was_up && !link->is_refused ? RETURN_EVERY_US : ATTEMPT_EVERY_US;
}

/* Nobody answers where it took no time before. The wire would ask again later and later. */
static bool connects_in_vain(const struct link *link)
{
	return link->state == LINK_CONNECTING && link->was_up && link->addrs.nr == 1 &&
	       !link->resolve &&
	       link->core->now_us - link->attempt_us >= 2 * RETURN_EVERY_US + 4 * link->connect_us;
}

static void tick(struct link *link)
{
	uint64_t now_us = link->core->now_us;

	if (link->state == LINK_CONNECT) {
		if (link->attempt_now || now_us - link->attempt_us >= attempt_every_us(link))
			attempt(link);
		return;
	}
	if (connects_in_vain(link)) {
		link_lost(link, LINK_LOG_WARNING, "no answer");
		return;
	}
	if (timed_out(link)) {
		link_lost(link, LINK_LOG_WARNING, "timeout");
		return;
	}
	if (link->resolve)
		resolve_check(link);
	else
		link_wire_keepalive(link);
}

void link_tick(struct link *link, int64_t now_ms)
{
	link->now_ms = now_ms;
	if (!link->configured)
		return;
	link_enter(link);
	tick(link);
	link_leave(link);
}

/* --- what others may know --- */

enum link_state link_state(const struct link *link)
{
	return link->state;
}

const char *link_state_name(enum link_state state)
{
	switch (state) {
	case LINK_CONNECT: return "connect";
	case LINK_CONNECTING: return "connecting";
	case LINK_PING:
	case LINK_AUTH:
	case LINK_PORT:
	case LINK_IP:
	case LINK_CAPA:
	case LINK_PSYNC: return "handshake";
	case LINK_TRANSFER:
	case LINK_FINISHING: return "sync";
	case LINK_CONNECTED: return "connected";
	}
	return "unknown";
}

int64_t link_last_io_ms(const struct link *link)
{
	return link->last_io_ms;
}

int64_t link_down_since_ms(const struct link *link)
{
	return link->down_since_ms;
}

void link_transfer(const struct link *link, uint64_t *done, int64_t *total)
{
	*done = link->rdb_done;
	*total = link->rdb_total;
}
