/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/link_owner.h"

#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- upcalls --- */

/* Keeps the beginning when the buffer is full. */
static void note(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

static int called(struct owner *o, enum owner_upcall what)
{
	void (*act)(struct owner *) = o->act;

	BUG_ON(!o->link); /* no upcall follows link_destroy() */
	o->seen[what]++;
	if (act && o->act_in == what) {
		o->act = NULL;
		act(o);
	}
	return o->rc[what];
}

static bool on_position(void *ctx, char id[41], int64_t *offset)
{
	struct owner *o = ctx;

	memcpy(id, o->id, 41);
	*offset = o->offset;
	called(o, OWNER_POSITION);
	return o->failover;
}

static void on_refused(void *ctx)
{
	called(ctx, OWNER_REFUSED);
}

static int on_resumed(void *ctx, const char *id)
{
	struct owner *o = ctx;

	BUG_ON(o->up || o->open);
	note(o->trace, sizeof(o->trace), "resumed %s\n", id);
	return called(o, OWNER_RESUMED);
}

static int on_full_begin(void *ctx, const char *id, int64_t offset, int64_t len)
{
	struct owner *o = ctx;

	BUG_ON(o->up || o->open || strlen(id) != 40 || offset < 0 || len < -1);
	o->open = o->rc[OWNER_BEGIN] == 0;
	o->ended = false;
	o->rdb_len = o->stream_len = 0;
	note(o->trace, sizeof(o->trace), "begin %s %lld %lld\n", id, (long long)offset,
		(long long)len);
	return called(o, OWNER_BEGIN);
}

static void keep(char *buf, size_t *at, const char *data, size_t len)
{
	size_t room = OWNER_BYTES - *at;

	BUG_ON(len == 0);
	memcpy(buf + *at, data, len < room ? len : room);
	*at += len < room ? len : room;
}

static int on_full_data(void *ctx, const char *data, size_t len)
{
	struct owner *o = ctx;

	BUG_ON(!o->open || o->ended);
	keep(o->rdb, &o->rdb_len, data, len);
	return called(o, OWNER_DATA);
}

static void on_full_end(void *ctx)
{
	struct owner *o = ctx;

	BUG_ON(!o->open || o->ended);
	o->ended = true;
	note(o->trace, sizeof(o->trace), "end\n");
	called(o, OWNER_END);
}

static void on_full_abort(void *ctx)
{
	struct owner *o = ctx;

	BUG_ON(!o->open);
	o->open = false;
	note(o->trace, sizeof(o->trace), "abort\n");
	called(o, OWNER_ABORT);
}

static void on_stream(void *ctx, const char *data, size_t len)
{
	struct owner *o = ctx;

	BUG_ON(!o->up);
	keep(o->stream, &o->stream_len, data, len);
	called(o, OWNER_STREAM);
}

static void on_state(void *ctx, bool up)
{
	struct owner *o = ctx;

	BUG_ON(o->up == up || o->open);
	o->up = up;
	note(o->trace, sizeof(o->trace), up ? "up\n" : "down\n");
	called(o, up ? OWNER_UP : OWNER_DOWN);
}

static void on_log(void *ctx, int level, const char *text)
{
	struct owner *o = ctx;

	note(o->log, sizeof(o->log), "%d %s\n", level, text);
	called(o, OWNER_LOG);
}

static const struct link_ops owner_ops = {
	.position = on_position,
	.refused = on_refused,
	.resumed = on_resumed,
	.full_begin = on_full_begin,
	.full_data = on_full_data,
	.full_end = on_full_end,
	.full_abort = on_full_abort,
	.stream = on_stream,
	.state = on_state,
	.log = on_log,
};

/* --- what tests do --- */

void owner_init(struct owner *o)
{
	memset(o, 0, sizeof(*o));
	fake_net_init(&o->net);
	strcpy(o->id, "?");
	o->offset = -1;
	o->cfg = (struct link_cfg){
		.host = "192.0.2.9",
		.port = 6379,
		.user = "",
		.password = "",
		.announce_ip = "",
		.announce_port = 7000,
		.timeout_s = 60,
		.capa_eof = true,
	};
	BUG_ON(link_create(&o->net.core, &owner_ops, o, &o->link));
	BUG_ON(link_configure(o->link, &o->cfg));
}

void owner_fini(struct owner *o)
{
	link_destroy(&o->link);
	fake_net_fini(&o->net);
}

void owner_finished(struct owner *o, bool ok)
{
	if (ok)
		o->open = false;
	link_finished(o->link, ok);
}

void owner_tick(struct owner *o)
{
	link_tick(o->link, o->net.core.now_ms);
}

void owner_wait(struct owner *o, unsigned ms)
{
	for (unsigned i = 0; i < ms && o->link; i += 100) {
		fake_net_advance(&o->net, 100);
		owner_tick(o);
	}
}

void owner_hear(struct owner *o, const char *text)
{
	owner_hear_bytes(o, text, strlen(text));
}

void owner_hear_bytes(struct owner *o, const void *data, size_t len)
{
	fake_conn_receive(o->net.last, data, len);
}

void owner_cut(struct owner *o)
{
	fake_conn_end(o->net.last, 0);
}

const char *owner_said(struct owner *o)
{
	static char text[OWNER_BYTES];

	text[fake_conn_take(o->net.last, text, sizeof(text) - 1)] = 0;
	return text;
}

void owner_to_psync(struct owner *o)
{
	owner_tick(o);
	fake_conn_connected(o->net.last);
	owner_hear(o, "+PONG\r\n");
	if (o->cfg.password[0])
		owner_hear(o, "+OK\r\n");
	owner_hear(o, "+OK\r\n");
	if (o->cfg.announce_ip[0])
		owner_hear(o, "+OK\r\n");
	owner_hear(o, "+OK\r\n");
	BUG_ON(link_state(o->link) != LINK_PSYNC);
	owner_said(o);
}
