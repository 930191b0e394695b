/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MONITOR.
 */
#include "app/commands/monitor.h"

#include "app/commands/server_cmds.h"
#include "app/redact.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"

#include <stdlib.h>
#include <string.h>

bool monitor_start(struct client *c)
{
	struct app_core *ac = c->ac;

	if (c->flags & CLIENT_MONITOR)
		return true;
	if (!client_cold_get(c))
		return false;
	client_flags_change(c, CLIENT_MONITOR, 0);
	TAILQ_INSERT_TAIL(&ac->monitors, c, cold->monitor_link);
	atomic_fetch_add_explicit(&ac->nr_monitors, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->srv->nr_monitors, 1, memory_order_relaxed);
	return true;
}

void monitor_stop(struct client *c)
{
	struct app_core *ac = c->ac;

	if (!(c->flags & CLIENT_MONITOR))
		return;
	client_flags_change(c, 0, CLIENT_MONITOR);
	TAILQ_REMOVE(&ac->monitors, c, cold->monitor_link);
	memset(&c->cold->monitor_link, 0, sizeof(c->cold->monitor_link));
	atomic_fetch_sub_explicit(&ac->nr_monitors, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&c->srv->nr_monitors, 1, memory_order_relaxed);
}

void monitor_command(struct client *c)
{
	if (c->flags & CLIENT_REPLICA)
		return;
	if (monitor_start(c))
		reply_ok(c);
	else
		reply_err(c, "ERR out of memory");
}

void monitor_line(struct textbuf *tb, const struct client *c, uint32_t argc,
	const struct slice *argv, int64_t now_us)
{
	enum redact_kind kind = redact_kind_of(argv, argc);
	char peer[CLIENT_ADDR];

	textbuf_addf(tb, "+%lld.%06lld [%d ", (long long)(now_us / 1000000),
		(long long)(now_us % 1000000), c->db);
	if (c->flags & CLIENT_SCRIPT) {
		textbuf_add(tb, "lua]", 4);
	} else if (c->flags & CLIENT_UNIX) {
		/* "path:0": the path is what tells */
		size_t len = strlen(client_peer(c, peer));

		len -= len > 2 && strcmp(peer + len - 2, ":0") == 0 ? 2 : 0;
		textbuf_addf(tb, "unix:%.*s]", (int)len, peer);
	} else {
		textbuf_addf(tb, "%s]", client_peer(c, peer));
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

struct line_msg {
	struct core_msg msg;
	size_t len;
	char line[];
};

static void deliver(struct app_core *ac, const char *line, size_t len)
{
	struct client *m;

	TAILQ_FOREACH(m, &ac->monitors, cold->monitor_link)
		reply_raw(m, line, len);
}

static void line_run(struct core *core, struct core_msg *m)
{
	struct line_msg *msg = (struct line_msg *)m;

	deliver(core->app, msg->line, msg->len);
	free(msg);
}

static void line_post(struct app_core *ac, const struct textbuf *tb)
{
	struct line_msg *msg = malloc(sizeof(*msg) + tb->len);

	if (!msg)
		return;
	msg->msg.fn = line_run;
	msg->len = tb->len;
	memcpy(msg->line, tb->buf, tb->len);
	if (core_post_optional(ac->core, &msg->msg))
		free(msg); /* monitors that cannot keep up miss lines */
}

void monitor_feed(struct client *c, uint32_t argc, const struct slice *argv)
{
	struct server *srv = c->srv;
	struct textbuf tb;

	textbuf_init(&tb);
	monitor_line(&tb, c, argc, argv, clock_unix_us());
	for (unsigned i = 0; i < srv->nr_cores && !tb.failed; i++) {
		struct app_core *ac = srv->cores[i];

		if (atomic_load_explicit(&ac->nr_monitors, memory_order_relaxed) == 0)
			continue;
		if (ac == c->ac)
			deliver(ac, tb.buf, tb.len);
		else
			line_post(ac, &tb);
	}
	textbuf_fini(&tb);
}
