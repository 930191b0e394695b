/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RESP requests: the incremental parser of commands as clients and masters send them.
 *
 * A request is an array of bulk strings ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") or an inline line. The
 * parser works on contiguous bytes and copies nothing: arguments are slices of the input. When a
 * request is incomplete it remembers how far it came, as offsets from the request's first byte, so
 * feeding a long request in pieces costs linear time and the bytes may move between two calls.
 *
 * Invariant: 0 <= pos <= bytes seen; every argument lies wholly below pos.
 */
#ifndef MILLRACE_DATAPLANE_RESP_H
#define MILLRACE_DATAPLANE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of bytes that somebody else owns. */
struct slice {
	const char *ptr;
	size_t len;
};

/* Redis' own bounds (7.0): an inline request, and the digits of a length line. */
#define RESP_INLINE_MAX (64 * 1024)

struct resp_limits {
	int64_t max_bulk_len;    /* proto-max-bulk-len, bytes */
	int64_t max_multibulk;   /* number of arguments: 1 Mi, or 10 before AUTH */
	int64_t max_bulk_unauth; /* 0, or the bulk limit before AUTH (16 KB) */
};

enum resp_status {
	RESP_OK,   /* one request parsed; it may have no arguments (an empty line) */
	RESP_MORE, /* incomplete: call again with the same bytes and more behind them */
	RESP_ERR,  /* protocol error: parser->err holds the text for the client; close it */
};

struct resp_parser {
	struct slice *argv; /* owned, argc slices of the input of the last call */
	uint32_t argc;
	uint32_t argv_cap;
	/* state of an incomplete request, offsets from its first byte */
	uint64_t *offs;   /* owned: start of each argument parsed so far */
	int64_t nr_left;  /* arguments still to come; -1: the header line has not been read */
	int64_t bulk_len; /* length of the argument under way; -1: its line has not been read */
	size_t pos;
	size_t need;    /* RESP_MORE: at least this many bytes from the request's first byte on */
	size_t scanned; /* bytes behind pos already searched for the end of a line */
	char err[80];
	char *inline_buf; /* owned: unescaped arguments of an inline request */
	size_t inline_cap;
};

void resp_parser_init(struct resp_parser *p);
void resp_parser_fini(struct resp_parser *p);

/* Parses one request from the front of buf. On RESP_OK *consumed is its length in bytes, and
 * p->argc and p->argv hold its arguments, which point into buf (inline ones: into the parser) and
 * stay valid until the next call. Texts of errors are Redis' ("Protocol error: invalid bulk
 * length", ...). Any core; one parser belongs to one connection. */
enum resp_status resp_parse(struct resp_parser *p, const struct resp_limits *limits,
	const char *buf, size_t len, size_t *consumed);

/* Forgets an incomplete request. */
void resp_parser_reset(struct resp_parser *p);

/* Reads a signed 64-bit integer in its one canonical decimal form: no blanks, no plus sign, no
 * leading zeros, no "-0". Returns false, leaving *out alone, for anything else. Any core. */
bool resp_int_parse(const char *s, size_t len, int64_t *out);

#endif
