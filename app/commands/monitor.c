/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MONITOR.
 */
#include "app/commands/monitor.h"

#include "app/commands/server_cmds.h"
#include "app/redact.h"
#include "dataplane/clock.h"

#include <string.h>

/* More monitors than this get no lines: each one costs a message a command. */
#define MAX_MONITORS 64

void monitor_command(struct client *c)
{
	if (!(c->flags & (CLIENT_MONITOR | CLIENT_REPLICA))) {
		client_flags_change(c, CLIENT_MONITOR, 0);
		atomic_fetch_add_explicit(&c->srv->nr_monitors, 1, memory_order_relaxed);
	}
	if (!(c->flags & CLIENT_REPLICA))
		reply_ok(c);
}

void monitor_line(struct textbuf *tb, const struct client *c, uint32_t argc,
	const struct slice *argv, int64_t now_us)
{
	enum redact_kind kind = redact_kind_of(argv, argc);

	textbuf_addf(tb, "+%lld.%06lld [%d ", (long long)(now_us / 1000000),
		(long long)(now_us % 1000000), c->db);
	if (c->flags & CLIENT_UNIX) {
		/* "path:0": the path is what tells */
		size_t len = strlen(c->peer);

		len -= len > 2 && strcmp(c->peer + len - 2, ":0") == 0 ? 2 : 0;
		textbuf_addf(tb, "unix:%.*s]", (int)len, c->peer);
	} else {
		textbuf_addf(tb, "%s]", c->peer);
	}
	for (uint32_t i = 0; i < argc; i++) {
		textbuf_add(tb, " ", 1);
		if (redact_arg(kind, argv, argc, i))
			textbuf_add_quoted(tb, REDACTED, strlen(REDACTED));
		else
			textbuf_add_quoted(tb, argv[i].ptr, argv[i].len);
	}
	textbuf_add(tb, "\r\n", 2);
}

void monitor_feed(struct server *srv, struct client *c, uint32_t argc, const struct slice *argv)
{
	uint64_t ids[MAX_MONITORS];
	unsigned nr = 0;
	struct client *m;
	struct textbuf tb;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(m, &srv->clients, registry_link) {
		uint32_t flags = atomic_load_explicit(&m->pub_flags, memory_order_relaxed);

		if (flags & CLIENT_MONITOR)
			ids[nr++] = m->id;
		if (nr == MAX_MONITORS)
			break;
	}
	rte_spinlock_unlock(&srv->clients_lock);
	if (nr == 0)
		return;
	textbuf_init(&tb);
	monitor_line(&tb, c, argc, argv, clock_unix_us());
	for (unsigned i = 0; i < nr && !tb.failed; i++)
		client_send(srv, ids[i], tb.buf, tb.len);
	textbuf_fini(&tb);
}
