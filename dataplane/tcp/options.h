/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP options (RFC 9293 3.1; RFC 7323; RFC 2018).
 *
 *	kind 0           end of options
 *	kind 1           no operation
 *	kind 2, len 4    maximum segment size, 16 bits
 *	kind 3, len 3    window scale, 8 bits
 *	kind 4, len 2    SACK permitted
 *	kind 5, len 2+8n SACK: n pairs of 32 bits
 *	kind 8, len 10   timestamps: TSval, TSecr, 32 bits each
 *	any other        kind, len, len - 2 bytes: skipped
 *
 * A length below 2 or past the header's end makes the segment malformed. A known kind with a
 * length that is not its own is skipped like an unknown one.
 */
#ifndef MILLRACE_DATAPLANE_TCP_OPTIONS_H
#define MILLRACE_DATAPLANE_TCP_OPTIONS_H

#include "dataplane/tcp/seq.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_OPTIONS_MAX  40u
#define TCP_MAX_SACKS    4u
#define TCP_MAX_WSCALE   14u
#define TCP_OPT_TS_BYTES 12u /* with its padding */

struct tcp_opts {
	bool has_mss;
	bool has_wscale;
	bool has_ts;
	bool has_sack_ok;
	uint8_t wscale; /* at most TCP_MAX_WSCALE */
	uint8_t nr_sacks;
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	struct tcp_range sacks[TCP_MAX_SACKS];
};

/* Reads len bytes of options. False: malformed. */
bool tcp_opts_parse(const uint8_t *bytes, uint32_t len, struct tcp_opts *opts);

/* Writes opts, each padded to a multiple of four bytes; at most TCP_OPTIONS_MAX. Returns the
   length. SACK blocks that do not fit are left out. */
uint32_t tcp_opts_write(uint8_t bytes[TCP_OPTIONS_MAX], const struct tcp_opts *opts);

#endif
