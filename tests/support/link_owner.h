/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The owner of a replication link, played by the test: records what it is told, over a fake
 * network.
 *
 * Upcalls are noted in trace, one a line:
 *   resumed <id>   begin <id> <offset> <len>   end   abort   up   down
 * The bytes go to rdb and stream. It checks the order that link.h promises: bytes of an RDB only
 * between begin and end, one end, an abort for each begin that does not come to
 * link_finished(true), a stream only while up.
 */
#ifndef MILLRACE_TESTS_SUPPORT_LINK_OWNER_H
#define MILLRACE_TESTS_SUPPORT_LINK_OWNER_H

#include "repl/link.h"
#include "tests/support/fake_conn.h"

#define OWNER_BYTES (256 * 1024)

enum owner_upcall {
	OWNER_POSITION,
	OWNER_REFUSED,
	OWNER_RESUMED,
	OWNER_BEGIN,
	OWNER_DATA,
	OWNER_END,
	OWNER_ABORT,
	OWNER_STREAM,
	OWNER_UP,
	OWNER_DOWN,
	OWNER_LOG,
	OWNER_NR_UPCALLS,
};

struct owner {
	struct fake_net net;
	struct link *link; /* NULL once destroyed */
	struct link_cfg cfg;

	/* what position() answers */
	char id[41];
	int64_t offset;
	bool failover;

	/* what to do in upcalls */
	int rc[OWNER_NR_UPCALLS]; /* what RESUMED, BEGIN, DATA return */
	enum owner_upcall act_in; /* at most once: act is called in this upcall */
	void (*act)(struct owner *o);

	/* what happened */
	unsigned seen[OWNER_NR_UPCALLS];
	bool open, ended, up;
	char trace[4096];
	char log[4096]; /* "2 text" or "3 text", one a line */
	char rdb[OWNER_BYTES], stream[OWNER_BYTES];
	size_t rdb_len, stream_len;
};

/* A link to 192.0.2.9:6379, configured, before its first tick. Asks for a full sync. */
void owner_init(struct owner *o);
void owner_fini(struct owner *o);
/* link_finished(), noted. */
void owner_finished(struct owner *o, bool ok);

void owner_tick(struct owner *o);
/* Time goes on, with ticks each 100 ms. */
void owner_wait(struct owner *o, unsigned ms);
/* The master says: to the present connection, text of which the length is known or not. */
void owner_hear(struct owner *o, const char *text);
void owner_hear_bytes(struct owner *o, const void *data, size_t len);
/* The master closes. */
void owner_cut(struct owner *o);
/* Everything the master has received since the last call; NUL-terminated, static. */
const char *owner_said(struct owner *o);

/* From a tick to where PSYNC has been sent. */
void owner_to_psync(struct owner *o);

#endif
