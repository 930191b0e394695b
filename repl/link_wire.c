/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is said on a link: the handshake of redis-server 7.0, the stream. The RDB: link_rdb.c.
 *
 *	us                                   master
 *	PING                                 +PONG, -NOAUTH ...
 *	AUTH, REPLCONF x 2 or 3, in one go   a line for each; errors to REPLCONF do not matter
 *	PSYNC id offset                      +CONTINUE [id] | +FULLRESYNC id offset | -reason
 *	                                     FULLRESYNC: then $<len> or $EOF:<40 bytes>, the RDB
 *	newline, at most each second         (EOF form: the 40 bytes again, then silence)
 *	REPLCONF ACK offset                  the stream
 *
 * Empty lines from the master, before its answer to PSYNC and before the `$`, only say that it is
 * alive.
 */
#include "repl/link.h"

#include "checks.h"
#include "dataplane/core.h"
#include "repl/link_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX   5
#define OUTPUT_MAX (64 * 1024) /* a master that does not read gets no more ACKs */

/* --- sending --- */

/* Pushes what was appended (rc 0). False: the session has ended. */
static bool push(struct link *link, int rc)
{
	uint64_t session = link->session;

	if (rc)
		link_lost(link, LINK_LOG_WARNING, "out of memory");
	else
		conn_push(link->conn);
	return link->session == session;
}

static int command_append(struct link *link, unsigned argc, const char *const argv[])
{
	struct obuf *ob = conn_obuf(link->conn);
	char head[32];
	int rc;

	snprintf(head, sizeof(head), "*%u\r\n", argc);
	rc = obuf_append(ob, head, strlen(head));
	for (unsigned i = 0; i < argc && rc == 0; i++) {
		snprintf(head, sizeof(head), "$%zu\r\n", strlen(argv[i]));
		rc = obuf_append(ob, head, strlen(head));
		if (rc == 0)
			rc = obuf_append(ob, argv[i], strlen(argv[i]));
		if (rc == 0)
			rc = obuf_append(ob, "\r\n", 2);
	}
	return rc;
}

static bool send_ack(struct link *link, uint64_t offset)
{
	char text[24];

	if (obuf_len(conn_obuf(link->conn)) > OUTPUT_MAX)
		return true;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)offset);
	return push(link, command_append(link, 3, (const char *const[]){"REPLCONF", "ACK", text}));
}

void link_ack(struct link *link, uint64_t offset)
{
	if (link->state != LINK_CONNECTED)
		return;
	link_enter(link);
	send_ack(link, offset);
	link_leave(link);
}

void link_tell(struct link *link, const char *what, uint64_t n)
{
	char text[24];

	if (link->state != LINK_CONNECTED || obuf_len(conn_obuf(link->conn)) > OUTPUT_MAX)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	link_enter(link);
	push(link, command_append(link, 3, (const char *const[]){"REPLCONF", what, text}));
	link_leave(link);
}

void link_wire_keepalive(struct link *link)
{
	uint64_t now_us = link->core->now_us;
	bool loading =
		link->state == LINK_FINISHING || (link->state == LINK_TRANSFER && link->full_open);

	if (!loading || now_us - link->newline_us < LINK_SECOND_US)
		return;
	link->newline_us = now_us;
	if (obuf_len(conn_obuf(link->conn)) <= OUTPUT_MAX)
		push(link, obuf_append(conn_obuf(link->conn), "\n", 1));
}

/* --- handshake --- */

void link_wire_begin(struct link *link)
{
	link->state = LINK_PING;
	push(link, command_append(link, 1, (const char *const[]){"PING"}));
}

/* All that needs no answer before the next is said, in one go. */
static void introduce(struct link *link)
{
	const struct link_cfg *cfg = &link->cfg;
	bool auth = cfg->password[0];
	char port[16];
	int rc = 0;

	snprintf(port, sizeof(port), "%d", cfg->announce_port);
	if (auth && cfg->user[0])
		rc = command_append(
			link, 3, (const char *const[]){"AUTH", cfg->user, cfg->password});
	else if (auth)
		rc = command_append(link, 2, (const char *const[]){"AUTH", cfg->password});
	if (rc == 0)
		rc = command_append(
			link, 3, (const char *const[]){"REPLCONF", "listening-port", port});
	if (rc == 0 && cfg->announce_ip[0])
		rc = command_append(
			link, 3, (const char *const[]){"REPLCONF", "ip-address", cfg->announce_ip});
	if (rc == 0 && cfg->capa_eof)
		rc = command_append(link, 7,
			(const char *const[]){
				"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "burst-acks"});
	else if (rc == 0)
		rc = command_append(link, 5,
			(const char *const[]){"REPLCONF", "capa", "psync2", "capa", "burst-acks"});
	link->state = auth ? LINK_AUTH : LINK_PORT;
	push(link, rc);
}

static void ask_sync(struct link *link)
{
	uint64_t session = link->session;
	char id[41] = "?", text[24];
	int64_t offset = -1;
	bool failover = link->ops->position(link->ctx, id, &offset);

	if (link->session != session)
		return;
	id[40] = 0;
	link->asked_full = id[0] == '?';
	snprintf(text, sizeof(text), "%lld", (long long)offset);
	link->state = LINK_PSYNC;
	push(link, command_append(link, failover ? 4 : 3,
			   (const char *const[]){"PSYNC", id, text, "FAILOVER"}));
}

/* What the master said, fit for a log line. */
static const char *printable(const char *line, char *buf, size_t size)
{
	size_t n;

	for (n = 0; line[n] && n < size - 1; n++)
		buf[n] = isprint((unsigned char)line[n]) ? line[n] : '?';
	buf[n] = 0;
	return buf;
}

void link_refuse(struct link *link, int level, const char *what, const char *line)
{
	char said[100], text[200];

	snprintf(text, sizeof(text), "%s: %s", what, printable(line, said, sizeof(said)));
	link_lost(link, level, text);
	/* It will soon be able to: it recovers, or its own link is on its way. */
	if (link_line_begins(line, "-LOADING") || link_line_begins(line, "-NOMASTERLINK"))
		link->is_refused = false;
}

bool link_line_begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void ping_reply(struct link *link, const char *line)
{
	if (line[0] == '+' || link_line_begins(line, "-NOAUTH") ||
		link_line_begins(line, "-NOPERM") ||
		link_line_begins(line, "-ERR operation not permitted"))
		introduce(link);
	else
		link_refuse(link, LINK_LOG_WARNING, "error reply to PING from the master", line);
}

static void replconf_reply(struct link *link, const char *line)
{
	uint64_t session = link->session;
	const char *what = link->state == LINK_PORT ? "listening-port"
			   : link->state == LINK_IP ? "ip-address"
						    : "capa";
	char said[100];

	/* Told once in a row of attempts that fail. */
	if (line[0] == '-' && !link->said[0])
		link_log(link, LINK_LOG_NOTICE,
			"the master does not take REPLCONF %s (it does not matter): %s", what,
			printable(line, said, sizeof(said)));
	if (link->session != session)
		return;
	if (link->state == LINK_CAPA)
		ask_sync(link);
	else if (link->state == LINK_PORT && link->cfg.announce_ip[0])
		link->state = LINK_IP;
	else
		link->state = LINK_CAPA;
}

static bool is_id(const char *id)
{
	for (unsigned i = 0; i < 40; i++)
		if (!isxdigit((unsigned char)id[i]))
			return false;
	return true;
}

bool link_number(const char *text, int64_t *n)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*n = strtoll(text, &end, 10);
	return errno == 0 && *end == 0;
}

static void go_online(struct link *link)
{
	link->state = LINK_CONNECTED;
	link->was_up = true;
	link->down_since_ms = 0;
	link->heard_us = link->core->now_us;
	link->said[0] = 0;
	if (link->paused)
		conn_rx_pause(link->conn);
	link->ops->state(link->ctx, true);
}

static void continued(struct link *link, const char *line)
{
	uint64_t session = link->session;
	const char *rest = line + strlen("+CONTINUE");
	char id[41] = "";
	int rc;

	if (rest[0] == ' ' && is_id(rest + 1) && (rest[41] == 0 || rest[41] == ' '))
		memcpy(id, rest + 1, 40);
	else if (rest[strspn(rest, " ")] != 0)
		rest = NULL;
	/* Who has nothing to continue from must not be told to. */
	if (!rest || link->asked_full) {
		link_refuse(
			link, LINK_LOG_WARNING, "unexpected reply to PSYNC from the master", line);
		return;
	}
	rc = link->ops->resumed(link->ctx, id);
	if (link->session != session)
		return;
	if (rc)
		link_lost(link, LINK_LOG_NOTICE, "not resumed");
	else
		go_online(link);
}

static void full_announced(struct link *link, const char *line)
{
	const char *rest = line + strlen("+FULLRESYNC ");

	if (!is_id(rest) || rest[40] != ' ' || !link_number(rest + 41, &link->full_off)) {
		link_refuse(
			link, LINK_LOG_WARNING, "unexpected reply to PSYNC from the master", line);
		return;
	}
	memcpy(link->full_id, rest, 40);
	link->full_id[40] = 0;
	link->rdb_done = 0;
	link->rdb_total = -1;
	link->state = LINK_TRANSFER;
}

static void psync_reply(struct link *link, const char *line)
{
	if (link_line_begins(line, "+FULLRESYNC "))
		full_announced(link, line);
	else if (link_line_begins(line, "+CONTINUE"))
		continued(link, line);
	else if (link_line_begins(line, "-NOMASTERLINK") || link_line_begins(line, "-LOADING"))
		link_refuse(link, LINK_LOG_NOTICE, "the master cannot serve PSYNC yet", line);
	else
		link_refuse(
			link, LINK_LOG_WARNING, "unexpected reply to PSYNC from the master", line);
}

/* --- stream --- */

/* Hands on what was kept, and then listens again. */
static void deliver(struct link *link)
{
	uint64_t session = link->session;

	if (link->state != LINK_CONNECTED || link->paused)
		return;
	if (link->pending) {
		char *buf = link->pending;
		size_t len = link->pending_len;

		link->pending = NULL;
		link->pending_len = 0;
		link->ops->stream(link->ctx, buf, len);
		free(buf);
	}
	if (link->session != session || link->paused)
		return;
	link->heard_us = link->core->now_us; /* silence counts from here */
	conn_rx_resume(link->conn);
}

void link_finished(struct link *link, bool ok)
{
	uint64_t session = link->session;

	if (link->state != LINK_FINISHING)
		return;
	link_enter(link);
	if (ok) {
		link->full_open = false;
		go_online(link);
		/* A master that has sent the EOF form waits for it. */
		if (link->session == session && link->eof_form)
			send_ack(link, (uint64_t)link->full_off);
		if (link->session == session)
			deliver(link);
	} else {
		link_lost(link, LINK_LOG_WARNING, "full sync refused");
	}
	link_leave(link);
}

void link_pause(struct link *link)
{
	link->paused = true;
	if (link->state == LINK_CONNECTED)
		conn_rx_pause(link->conn);
}

void link_resume(struct link *link)
{
	if (!link->paused)
		return;
	link_enter(link);
	link->paused = false;
	deliver(link);
	link_leave(link);
}

/* --- receiving --- */

static void line_done(struct link *link, const char *line)
{
	switch (link->state) {
	case LINK_PING: ping_reply(link, line); break;
	case LINK_AUTH:
		if (line[0] == '-')
			link_refuse(link, LINK_LOG_WARNING, "Unable to AUTH to MASTER", line);
		else
			link->state = LINK_PORT;
		break;
	case LINK_PORT:
	case LINK_IP:
	case LINK_CAPA: replconf_reply(link, line); break;
	case LINK_PSYNC: psync_reply(link, line); break;
	case LINK_TRANSFER: link_rdb_header(link, line); break;
	default: BUG_ON(true);
	}
}

/* Takes at most one line. Returns how many bytes were taken. */
static size_t take_line(struct link *link, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) : len;

	if (n > LINK_LINE_MAX - link->line_len) {
		link_lost(link, LINK_LOG_WARNING, "the master sends a line without end");
		return len;
	}
	memcpy(link->line + link->line_len, data, n);
	link->line_len += n;
	if (!end)
		return len;
	n++;
	if (link->line_len && link->line[link->line_len - 1] == '\r')
		link->line_len--;
	link->line[link->line_len] = 0;
	if (strlen(link->line) != link->line_len)
		link_lost(link, LINK_LOG_WARNING, "the master sends a line with a NUL in it");
	else if (link->line_len)
		line_done(link, link->line);
	link->line_len = 0;
	return n;
}

static bool expects_line(const struct link *link)
{
	return link->state < LINK_TRANSFER || (link->state == LINK_TRANSFER && !link->full_open);
}

void link_wire_data(struct link *link, const char *data, size_t len)
{
	uint64_t session = link->session;

	while (len && link->session == session && expects_line(link)) {
		size_t n = take_line(link, data, len);

		data += n;
		len -= n;
	}
	if (len == 0 || link->session != session)
		return;
	if (link->state == LINK_TRANSFER)
		link_rdb_data(link, data, len);
	else if (link->state == LINK_FINISHING || link->paused)
		link_pending_keep(link, data, len);
	else
		link->ops->stream(link->ctx, data, len);
}
