/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients: from received bytes to commands. Bytes are parsed where they lie; only what is left of
 * an incomplete request, or of a client that has stopped, is copied to its input buffer.
 */
#include "app/client_priv.h"

#include "app/batch.h"
#include "app/client_cold.h"
#include "app/client_limits.h"
#include "app/commands/command.h"
#include "app/commands/dispatch.h"
#include "app/control.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/conn.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INBUF_MIN  4096
#define INBUF_KEEP (64 * 1024) /* an empty buffer larger than this is given back */
#define RX_PAUSE_BYTES                                                                             \
	(1024 * 1024) /* a client that does not run its input gets no more than this read */
#define UNAUTH_ARGS 10
#define UNAUTH_BULK 16384
#define MAX_ARGS    INT_MAX

/* --- parsers ---
 *
 * All clients of a core share its parser, which is at rest between them. One whose request is
 * incomplete takes the parser's state along, and goes on with a parser of its own until that
 * request is complete.
 */

void client_partial_drop(struct client *c)
{
	if (!c->partial)
		return;
	resp_parser_fini(c->partial);
	free(c->partial);
	c->partial = NULL;
}

/* The request is incomplete. */
static void partial_keep(struct client *c)
{
	struct resp_parser *shared = &c->ac->parser;

	if (c->partial)
		return;
	c->partial = malloc(sizeof(*c->partial));
	if (!c->partial) { /* it is read anew from its first byte */
		resp_parser_reset(shared);
		return;
	}
	*c->partial = *shared;
	resp_parser_init(shared);
}

/* --- what waits --- */

static bool inbuf_append(struct inbuf *in, const char *data, size_t len)
{
	if (len == 0)
		return true;
	if (in->pos && in->pos == in->len)
		in->pos = in->len = 0;
	if (in->cap - in->len < len && in->pos) {
		memmove(in->buf, in->buf + in->pos, in->len - in->pos);
		in->len -= in->pos;
		in->pos = 0;
	}
	if (in->cap - in->len < len) {
		size_t cap = in->cap ? in->cap : INBUF_MIN;
		char *buf;

		while (cap - in->len < len)
			cap *= 2;
		buf = realloc(in->buf, cap);
		if (!buf)
			return false;
		in->buf = buf;
		in->cap = cap;
	}
	memcpy(in->buf + in->len, data, len);
	in->len += len;
	return true;
}

bool client_input_unread(struct client *c, const char *data, size_t len)
{
	struct inbuf rest = c->in;
	bool ok;

	memset(&c->in, 0, sizeof(c->in));
	ok = inbuf_append(&c->in, data, len) &&
	     inbuf_append(&c->in, rest.buf + rest.pos, rest.len - rest.pos);
	free(rest.buf);
	client_partial_drop(c); /* it begins later now */
	return ok;
}

static void inbuf_shrink(struct inbuf *in)
{
	if (in->pos < in->len)
		return;
	in->pos = in->len = 0;
	if (in->cap > INBUF_KEEP) {
		free(in->buf);
		memset(in, 0, sizeof(*in));
	}
}

void client_input_trim(struct client *c)
{
	if (c->in.pos < c->in.len || client_is_stopped(c) || !c->in.cap)
		return;
	free(c->in.buf);
	memset(&c->in, 0, sizeof(c->in));
}

static void protocol_error(struct client *c, const struct resp_parser *parser)
{
	c->ac->protocol_errors++;
	reply_errf(c, "ERR %s", parser->err);
	client_close(c);
}

/* CLIENT CACHING is for one command, or one transaction. */
static void caching_ended(struct client *c)
{
	if (!(c->flags & CLIENT_MULTI) && !arg_is(&c->argv[0], "client"))
		client_flags_change(c, 0, CLIENT_TRACKING_CACHING);
}

/* What follows from a command's result. False: it has to be run again, its bytes stay. */
static bool command_ended(struct client *c, enum run_result rc)
{
	switch (rc) {
	case RUN_RETRY:
		c->flags |= CLIENT_RETRY;
		if (!c->in_retry) {
			ASSERT(!c->in_blocked); /* they share a link */
			c->in_retry = true;
			TAILQ_INSERT_TAIL(&c->ac->retry, c, retry_link);
		}
		break;
	case RUN_PAUSED: /* until everything may go on: it is looked at anew then */
		client_block_add(c, BLOCK_PAUSE,
			atomic_load_explicit(&c->srv->pause_all_until_ms, memory_order_relaxed) >
				c->now_ms);
		break;
	case RUN_BLOCK: client_block_add(c, c->block, c->block_until_ms); break;
	case RUN_DONE:
		c->flags &= ~CLIENT_REPLY_SKIP;
		if (c->flags & CLIENT_TRACKING_CACHING)
			caching_ended(c);
		client_output_check(c);
		break;
	}
	return rc != RUN_RETRY && rc != RUN_PAUSED;
}

bool client_run_read(struct client *c, const struct command *cmd, uint32_t part)
{
	return command_ended(c, command_run_read(c, cmd, part));
}

bool client_run_one(struct client *c, const struct command *cmd)
{
	uint32_t skip = c->flags & CLIENT_REPLY_SKIP_NEXT;
	bool ended;

	if (c->argc == 0) {
		if (c->replica) /* a sign of life while it loads */
			replica_ack(c->replica, 0, c->now_ms);
		return true;
	}
	if (skip)
		c->flags = (c->flags & ~CLIENT_REPLY_SKIP_NEXT) | CLIENT_REPLY_SKIP;
	ended = command_ended(c, command_run(c, cmd));
	if (skip && !ended)
		c->flags = (c->flags & ~CLIENT_REPLY_SKIP) | CLIENT_REPLY_SKIP_NEXT;
	return ended;
}

static struct resp_limits limits_of(const struct client *c)
{
	bool auth = c->flags & CLIENT_AUTHENTICATED;

	return (struct resp_limits){
		.max_bulk_len = atomic_load_explicit(
			&c->srv->cfg->proto_max_bulk_len, memory_order_relaxed),
		.max_multibulk = auth ? MAX_ARGS : UNAUTH_ARGS,
		.max_bulk_unauth = auth ? 0 : UNAUTH_BULK,
	};
}

/* Parses and runs from contiguous bytes; returns how many were taken. may_wait: the bytes stay
 * where they are until the batch is run. */
static size_t run_bytes(struct client *c, const char *data, size_t len, bool may_wait)
{
	struct resp_limits limits = limits_of(c);
	size_t pos = 0;

	while (pos < len && !client_is_stopped(c) && !(c->flags & CLIENT_ASAP)) {
		struct resp_parser *parser = c->partial ? c->partial : &c->ac->parser;
		size_t used = 0;
		enum resp_status st = resp_parse(parser, &limits, data + pos, len - pos, &used);
		bool is_taken;

		if (st == RESP_MORE) {
			partial_keep(c);
			break;
		}
		is_taken = st == RESP_OK && may_wait && batch_add(c, parser, data + pos, used);
		if (!is_taken) {
			batch_run(c->ac);
			if (client_is_stopped(c) || (c->flags & CLIENT_ASAP)) {
				client_partial_drop(c);
				break;
			}
			if (st == RESP_ERR) {
				protocol_error(c, parser);
				return len;
			}
			c->argv = parser->argv;
			c->argc = parser->argc;
			is_taken = client_run_one(c, NULL);
			c->argv = NULL; /* others use the parser now, or it goes */
			c->argc = 0;
			limits = limits_of(c); /* it may have been AUTH */
		}
		client_partial_drop(c);
		if (!is_taken)
			break;
		pos += used;
	}
	if (!(c->flags & (CLIENT_CLOSE_AFTER | CLIENT_ASAP)))
		return pos;
	client_close(c); /* also when nothing was replied */
	return len;
}

void client_process(struct client *c)
{
	struct inbuf *in = &c->in;

	c->now_ms = c->ac->now_ms;
	if (in->pos < in->len && !client_is_stopped(c))
		in->pos += run_bytes(c, in->buf + in->pos, in->len - in->pos, false);
	inbuf_shrink(in);
	/* What is left now is one incomplete request, however long: the rest of it has to come in.
	 */
	if (c->conn && !client_is_stopped(c))
		conn_rx_resume(c->conn);
}

void client_on_data(struct conn *conn, const char *data, size_t len)
{
	struct client *c = conn->user;
	size_t used = 0, limit;

	if (!c || (c->flags & CLIENT_CLOSE_AFTER))
		return;
	if (atomic_load_explicit(&c->kill, memory_order_relaxed)) {
		client_abort(c);
		return;
	}
	c->now_ms = c->last_active_ms = c->ac->now_ms;
	c->ac->bytes_in += len;
	if (c->in.pos == c->in.len && !client_is_stopped(c)) {
		used = run_bytes(c, data, len, true);
		if (!conn_is_netdev(conn))
			batch_run(c->ac); /* the socket's buffer is used again */
		if (used == len)
			return;
	}
	limit = atomic_load_explicit(&c->srv->cfg->client_query_buffer_limit, memory_order_relaxed);
	if (c->in.len - c->in.pos + len - used > limit ||
		!inbuf_append(&c->in, data + used, len - used)) {
		server_log(c->srv, 3, "client: closed peer=%s reason=query buffer limit",
			client_peer(c, (char[CLIENT_ADDR]){0}));
		client_abort(c);
		return;
	}
	if (used == 0)
		client_process(c);
	/* One request that is longer than the pause mark still has to come in whole. */
	if (client_is_stopped(c) && c->in.len - c->in.pos >= RX_PAUSE_BYTES)
		conn_rx_pause(conn);
}
