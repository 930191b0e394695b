/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What "app" of a script can do.
 *
 *	connect                    to the peer's port, from one that the stack chooses
 *	write N                    gives N more bytes of the stream to the output buffer
 *	read N | read all          data() takes so many more bytes
 *	shutdown, close, abort, detach
 *	keepalive IDLE INTERVAL COUNT
 *	user_timeout TIME
 *	unlisten
 */
#include "tests/net/script_run.h"

#include <string.h>

static bool app_connect(struct script_run *r)
{
	struct script_conn *c = r->conn;
	const struct ip_addr peer = script_peer_ip(r);
	const int rc =
		tcp_connect(&r->lab.b.net, &peer, c->peer_port, &script_ops, &c->app, &c->app.conn);

	return rc == 0 || script_fail(r, "tcp_connect: %s", strerror(-rc));
}

static void app_read(struct script_conn *c, uint32_t n, bool is_all)
{
	c->app.rx_limit = is_all ? UINT64_MAX : c->app.rx_limit + n;
	tcp_conn_resume(c->app.conn);
}

static bool app_keepalive(struct script_run *r)
{
	uint64_t idle_us = 0, intvl_us = 0;
	uint32_t cnt = 0;

	if (r->line->nr_words != 4 || !script_time(r->line->words[1], &idle_us) ||
		!script_time(r->line->words[2], &intvl_us) ||
		!script_number(r->line->words[3], &cnt))
		return script_fail(r, "keepalive IDLE INTERVAL COUNT");
	tcp_conn_set_keepalive(r->conn->app.conn, idle_us, intvl_us, cnt);
	return true;
}

bool script_app(struct script_run *r)
{
	const char *what = r->line->words[0];
	struct script_conn *c = r->conn;
	const char *word = r->line->nr_words > 1 ? r->line->words[1] : "";
	uint32_t n = 0;
	uint64_t us = 0;

	if (strcmp(what, "connect") == 0)
		return app_connect(r);
	if (strcmp(what, "unlisten") == 0) {
		tcp_listen_close(&r->lab.b.net, &r->lab.b.lst);
		return true;
	}
	if (!c->app.conn)
		return script_fail(r, "there is no connection");
	if (strcmp(what, "write") == 0 && script_number(word, &n)) {
		c->app.tx_total += n;
		app_feed(&c->app);
	} else if (strcmp(what, "read") == 0 &&
		   (strcmp(word, "all") == 0 || script_number(word, &n))) {
		app_read(c, n, n == 0);
	} else if (strcmp(what, "shutdown") == 0) {
		tcp_conn_shutdown(c->app.conn);
	} else if (strcmp(what, "close") == 0) {
		tcp_conn_close(c->app.conn);
	} else if (strcmp(what, "abort") == 0) {
		tcp_conn_abort(c->app.conn);
	} else if (strcmp(what, "detach") == 0) {
		tcp_conn_detach(c->app.conn);
	} else if (strcmp(what, "keepalive") == 0) {
		return app_keepalive(r);
	} else if (strcmp(what, "user_timeout") == 0 && script_time(word, &us)) {
		tcp_conn_set_user_timeout(c->app.conn, us);
	} else {
		return script_fail(r, "unknown: app %s %s", what, word);
	}
	return true;
}
