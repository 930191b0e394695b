/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What link.c (the life of a link: attempts, connection, timeouts), link_wire.c (what is said on
 * it) and link_rdb.c (the RDB) share.
 *
 * Any upcall may drop, reconfigure or destroy the link. So after each one, and after anything that
 * may end in one (a push may close the connection), the session number tells whether what was going
 * on still is. Memory is freed by the outermost link_leave().
 *
 * Intervals are measured by the core's monotonic clock; Unix time is only shown.
 */
#ifndef MILLRACE_REPL_LINK_PRIV_H
#define MILLRACE_REPL_LINK_PRIV_H

#include "repl/link.h"
#include "repl/resolve.h"

#define LINK_LINE_MAX    (64 * 1024)
#define LINK_PENDING_MAX (1024 * 1024)
#define LINK_MARK_BYTES  40 /* of an RDB in EOF form */
#define LINK_SECOND_US   1000000ull

enum {
	LINK_LOG_NOTICE = 2,
	LINK_LOG_WARNING = 3,
};

struct link {
	struct core *core;
	const struct link_ops *ops;
	void *ctx;
	struct link_cfg cfg; /* its strings are the link's own */
	bool configured;

	enum link_state state;
	struct conn *conn; /* NULL: none, or still resolving */
	uint64_t session;  /* grows when the present connection or attempt ends */
	unsigned depth;    /* calls that are inside */
	bool destroyed;

	/* attempts */
	struct resolve *resolve;
	struct resolve_addrs addrs;
	unsigned next_addr;
	bool attempt_now;
	bool was_up;         /* since it was configured */
	bool is_refused;     /* the last attempt has met a master, in vain, and will again */
	uint64_t connect_us; /* what a connection took last; 0: none was made yet */
	uint64_t attempt_us; /* start of the last one */
	uint64_t heard_us;   /* last bytes received, or what counts as that */
	uint64_t newline_us;
	uint64_t said_us; /* what was logged last about a failed attempt */
	char said[128];

	/* Unix time, as the owner tells it */
	int64_t now_ms, last_io_ms, down_since_ms;

	/* the line being received */
	size_t line_len;
	char line[LINK_LINE_MAX + 1];

	/* full sync */
	bool asked_full;
	bool full_open; /* between full_begin() and link_finished() or full_abort() */
	bool eof_form;
	char full_id[41];
	int64_t full_off;
	int64_t rdb_total; /* -1: unknown */
	uint64_t rdb_done;
	char mark[LINK_MARK_BYTES];
	char held[LINK_MARK_BYTES]; /* EOF form: the last bytes, in which the mark may have begun */
	size_t held_len;

	/* stream */
	bool paused;
	char *pending; /* received behind the RDB or while paused */
	size_t pending_len;
};

/* Around everything that may end in an upcall. */
static inline void link_enter(struct link *link)
{
	link->depth++;
}

void link_leave(struct link *link);

/* link.c */
/* Ends the session, if there is one, and tells the owner. */
void link_lost(struct link *link, int level, const char *reason);
void link_log(struct link *link, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* link_wire.c */
void link_wire_begin(struct link *link); /* the connection is there */
void link_wire_data(struct link *link, const char *data, size_t len);
void link_wire_keepalive(struct link *link);
bool link_line_begins(const char *line, const char *with);
/* The whole of text is a number, not negative. */
bool link_number(const char *text, int64_t *n);
/* Gives up this attempt, because of what the master said. */
void link_refuse(struct link *link, int level, const char *what, const char *line);

/* link_rdb.c */
/* The line before the RDB. */
void link_rdb_header(struct link *link, const char *line);
/* Bytes from there on, until the RDB is complete. */
void link_rdb_data(struct link *link, const char *data, size_t len);
/* Keeps bytes of the stream for later. False: the session has ended. */
bool link_pending_keep(struct link *link, const char *data, size_t len);

#endif
