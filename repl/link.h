/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replica side of a replication link: connects to a master, shakes hands as redis-server 7.0 does,
 * and takes in a full sync or a continued stream.
 *
 *	      +--------------------- lost, refused, timed out --------------------+
 *	      v                                                                   |
 *	LINK_CONNECT -> CONNECTING -> PING -> AUTH -> PORT -> IP -> CAPA -> PSYNC |
 *	                                                                      |   |
 *	      +-------------------------- +CONTINUE --------------------------+   |
 *	      v                                                               |   |
 *	  CONNECTED <- FINISHING <- TRANSFER <----------- +FULLRESYNC --------+   |
 *	      |            |           |                                          |
 *	      +------------+-----------+------------------------------------------+
 *
 * The link knows the wire; what the bytes mean for the node is behind struct link_ops. It runs
 * wholly on one core (the one it was created for). While FINISHING (the owner stores and swaps the
 * new set) the connection is not read.
 */
#ifndef MILLRACE_REPL_LINK_H
#define MILLRACE_REPL_LINK_H

#include "dataplane/conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_state {
	LINK_CONNECT, /* waits for the next attempt */
	LINK_CONNECTING,
	LINK_PING,
	LINK_AUTH,
	LINK_PORT,
	LINK_IP,
	LINK_CAPA,
	LINK_PSYNC,
	LINK_TRANSFER,
	LINK_FINISHING,
	LINK_CONNECTED,
};

struct link;

/* Any upcall may call anything here for the same link, link_drop() and link_destroy() included. */
struct link_ops {
	/* What to ask for: fills id (41 bytes) and the offset of the next byte wanted, 1-based;
	 * "?" and -1 for a full sync. True: with FAILOVER, the peer is to become the master. */
	bool (*position)(void *ctx, char id[41], int64_t *offset);
	/* PSYNC was sent and has not brought what it asked for; attempts go on. NULL: nobody wants
	 * to know. */
	void (*refused)(void *ctx);
	/* +CONTINUE. id: the master's present replication id, "" when it did not say. 0, or -1 to
	 * give up this attempt. */
	int (*resumed)(void *ctx, const char *id);
	/* +FULLRESYNC id offset: get ready to take in an RDB of len bytes (-1: unknown, EOF
	 * form). 0, or -1 to give up this attempt. */
	int (*full_begin)(void *ctx, const char *id, int64_t offset, int64_t len);
	/* Bytes of the RDB, in order. 0, or -1: refused (the owner has logged why). */
	int (*full_data)(void *ctx, const char *data, size_t len);
	/* The RDB is complete. The owner calls link_finished() when the new set is in place;
	 * until then nothing is read. */
	void (*full_end)(void *ctx);
	/* The link is lost, or link_finished(false) was called: what full_begin() made is of no
	 * use. Not after full_begin() has returned -1. */
	void (*full_abort)(void *ctx);
	/* Bytes of the stream, in order. All are consumed (the owner keeps what is incomplete). */
	void (*stream)(void *ctx, const char *data, size_t len);
	/* The link came up or went down (CONNECTED or not). */
	void (*state)(void *ctx, bool up);
	/* One line for the log. level: 2 notice, 3 warning. */
	void (*log)(void *ctx, int level, const char *text);
};

struct link_cfg { /* link_configure() copies it, strings and all */
	const char *host;
	int port;
	const char *user, *password; /* "" none */
	const char *announce_ip;     /* "" none */
	int announce_port;           /* our port for REPLCONF listening-port */
	int timeout_s;               /* repl-timeout */
	bool capa_eof;
};

int link_create(struct core *core, const struct link_ops *ops, void *ctx, struct link **out);
void link_destroy(struct link **link); /* closes; no upcall follows */
/* Copies cfg and (re)connects at the next tick. */
int link_configure(struct link *link, const struct link_cfg *cfg);
/* Another user and password ("" none) from the next login on; copies. 0 or -ENOMEM. */
int link_set_login(struct link *link, const char *user, const char *password);
/* Drives attempts and timeouts; call each loop or at least each 100 ms. After a loss the first
 * attempt is made at once, the following ones each second; where a master was and nobody answers,
 * ten times a second. A link that hears nothing for
 * timeout_s is dropped, but not while FINISHING or paused. */
void link_tick(struct link *link,
	int64_t now_ms); /* Unix time, to be shown; intervals are the core's now_us */
/* Answers to full_end(): true: online, the stream begins; false: drop and start over. */
void link_finished(struct link *link, bool ok);
/* Sends REPLCONF ACK. */
void link_ack(struct link *link, uint64_t offset);
/* Sends REPLCONF what n: for a master that has shown that it understands it. */
void link_tell(struct link *link, const char *what, uint64_t n);
/* Stops and restarts stream(). */
void link_pause(struct link *link);
void link_resume(struct link *link);
/* Drops the connection; attempts go on. */
void link_drop(struct link *link, const char *reason);

/* The connection to the master; NULL: none. Borrowed, for its addresses. */
const struct conn *link_conn(const struct link *link);

enum link_state link_state(const struct link *link);
const char *link_state_name(
	enum link_state state); /* as ROLE: connect connecting handshake sync connected */
int64_t link_last_io_ms(
	const struct link *link); /* Unix time of the last bytes received, 0 never */
int64_t link_down_since_ms(const struct link *link); /* 0: up */
/* Progress of the RDB: bytes received and total (-1 unknown). */
void link_transfer(const struct link *link, uint64_t *done, int64_t *total);

#endif
