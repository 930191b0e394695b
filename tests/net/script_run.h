/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The inside of a running script: what script_run.c and script_is.c share.
 */
#ifndef MILLRACE_TESTS_NET_SCRIPT_RUN_H
#define MILLRACE_TESTS_NET_SCRIPT_RUN_H

#include "tests/net/script.h"

/* One connection as the peer sees it. */
struct script_conn {
	struct app app; /* first: the user of the stack's connection */
	uint16_t peer_port;
	uint16_t stack_port;
	uint32_t peer_isn;
	uint32_t iss;     /* the stack's */
	uint32_t ts_base; /* the stack's timestamp at the start */
	uint32_t last_tsval;
	uint32_t peer_wnd; /* as last written in the script */
	uint32_t stack_wnd;
	uint32_t iss_floor; /* a new ISN must lie above */
	bool has_iss;
	bool has_floor;
	bool has_ts_base;
	bool has_peer_wnd;
	bool has_stack_wnd;
};

/* A segment that the stack has sent, with absolute numbers. */
struct script_sent {
	struct script_sent *next;
	uint64_t at_us;
	uint16_t sport;
	uint16_t dport;
	struct script_seg seg;
	uint8_t payload[];
};

/* What the application was told. */
struct script_told {
	struct script_told *next;
	uint64_t at_us;
	const struct script_conn *conn;
	char text[32];
};

struct script_run {
	struct lab lab; /* b is the stack; a only answers ARP */
	const struct script *script;
	const struct script_line *line;
	struct script_app_cfg app_cfg;
	struct script_conn conns[SCRIPT_CONNS];
	struct script_conn *conn; /* the present one */
	struct script_sent *sent;
	struct script_told *told;
	uint64_t start_us;
	uint64_t at_us; /* of the last event */
	uint32_t first_iss;
	bool has_first_iss;
	char *why;
	char fault[SCRIPT_WHY_BYTES]; /* found while a segment was sent */
};

/* Notes why the script fails at the present line; returns false. */
bool script_fail(struct script_run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The peer's address. */
struct ip_addr script_peer_ip(const struct script_run *r);

/* The upcalls of a script's application. */
extern const struct tcp_ops script_ops;

/* script_app.c: does what an "app" line says. */
bool script_app(struct script_run *r);

/* script_is.c: evaluates an "is" line. */
bool script_is(struct script_run *r);

#endif
