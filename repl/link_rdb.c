/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A link takes in an RDB, in either of the forms that a master may choose.
 *
 *	$<len>\r\n       <len bytes>                    the stream may follow at once
 *	$EOF:<mark>\r\n  bytes of any number <mark>     nothing follows before our ACK
 *
 * The mark is 40 bytes that do not occur in the RDB. It may be cut anywhere, so the last 39 bytes
 * are held back until what follows has shown that they are not its beginning.
 */
#include "repl/link.h"

#include "dataplane/core.h"
#include "repl/link_priv.h"

#include <stdlib.h>
#include <string.h>

bool link_pending_keep(struct link *link, const char *data, size_t len)
{
	char *buf;

	if (len == 0)
		return true;
	buf = len <= LINK_PENDING_MAX - link->pending_len
		      ? realloc(link->pending, link->pending_len + len)
		      : NULL;
	if (!buf) {
		link_lost(link, LINK_LOG_WARNING, "no room for the stream behind the RDB");
		return false;
	}
	memcpy(buf + link->pending_len, data, len);
	link->pending = buf;
	link->pending_len += len;
	return true;
}

/* The RDB is complete; rest is what came behind it. */
static void rdb_complete(struct link *link, const char *rest, size_t len)
{
	link->state = LINK_FINISHING;
	if (!link_pending_keep(link, rest, len))
		return;
	conn_rx_pause(link->conn);
	link->ops->full_end(link->ctx);
}

/* Hands on a part of the RDB. False: the session has ended. */
static bool rdb_give(struct link *link, const char *data, size_t len)
{
	uint64_t session = link->session;
	int rc;

	if (len == 0)
		return true;
	link->rdb_done += len;
	rc = link->ops->full_data(link->ctx, data, len);
	if (link->session != session)
		return false;
	if (rc)
		link_lost(link, LINK_LOG_WARNING, "full sync refused");
	return rc == 0;
}

static void rdb_counted(struct link *link, const char *data, size_t len)
{
	uint64_t left = (uint64_t)link->rdb_total - link->rdb_done;
	size_t n = len < left ? len : (size_t)left;

	if (rdb_give(link, data, n) && n == left)
		rdb_complete(link, data + n, len - n);
}

/* EOF form: hands on what cannot be a part of the mark, and keeps the rest. */
static void rdb_hold_back(struct link *link, const char *seam, const char *data, size_t len)
{
	size_t held = link->held_len, keep = LINK_MARK_BYTES - 1, give;

	if (len >= keep) {
		give = len - keep;
		link->held_len = keep;
		memcpy(link->held, data + give, keep);
		if (rdb_give(link, seam, held))
			rdb_give(link, data, give);
		return;
	}
	give = held + len > keep ? held + len - keep : 0;
	link->held_len = held + len - give;
	memcpy(link->held, seam + give, link->held_len);
	rdb_give(link, seam, give);
}

/* EOF form. Fewer bytes are held back than the mark has, so a mark that begins in them ends in
 * what is new: the seam shows it. */
static void rdb_marked(struct link *link, const char *data, size_t len)
{
	char seam[2 * LINK_MARK_BYTES];
	size_t held = link->held_len, head = len < LINK_MARK_BYTES ? len : LINK_MARK_BYTES;
	const char *at;
	size_t give, used;

	memcpy(seam, link->held, held);
	memcpy(seam + held, data, head);
	at = memmem(seam, held + head, link->mark, LINK_MARK_BYTES);
	if (at) {
		give = (size_t)(at - seam);
		used = give + LINK_MARK_BYTES - held;
		if (rdb_give(link, seam, give))
			rdb_complete(link, data + used, len - used);
		return;
	}
	at = memmem(data, len, link->mark, LINK_MARK_BYTES);
	if (!at) {
		rdb_hold_back(link, seam, data, len);
		return;
	}
	give = (size_t)(at - data);
	used = give + LINK_MARK_BYTES;
	if (rdb_give(link, seam, held) && rdb_give(link, data, give))
		rdb_complete(link, data + used, len - used);
}

void link_rdb_header(struct link *link, const char *line)
{
	uint64_t session = link->session;
	int rc;

	if (line[0] == '-') {
		link_refuse(link, LINK_LOG_WARNING, "the master has given up the full sync", line);
		return;
	}
	link->eof_form = link_line_begins(line, "$EOF:") && strlen(line) == 5 + LINK_MARK_BYTES;
	if (link->eof_form) {
		memcpy(link->mark, line + 5, LINK_MARK_BYTES);
		link->rdb_total = -1;
	} else if (line[0] != '$' || !link_number(line + 1, &link->rdb_total)) {
		link->rdb_total = -1;
		link_refuse(link, LINK_LOG_WARNING, "the master sends no RDB but", line);
		return;
	}
	link->held_len = 0;
	link->newline_us = link->core->now_us;
	link->full_open = true;
	rc = link->ops->full_begin(link->ctx, link->full_id, link->full_off, link->rdb_total);
	if (link->session != session)
		return;
	if (rc) {
		link->full_open = false; /* it was not begun */
		link_lost(link, LINK_LOG_NOTICE, "full sync refused");
	} else if (link->rdb_total == 0) {
		rdb_complete(link, NULL, 0);
	}
}

void link_rdb_data(struct link *link, const char *data, size_t len)
{
	if (link->eof_form)
		rdb_marked(link, data, len);
	else
		rdb_counted(link, data, len);
}
