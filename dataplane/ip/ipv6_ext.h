/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv6 extension headers (RFC 8200, 4): the way from the IPv6 header to what is above it.
 *
 *	hop-by-hop      0    next, len, options                first or not at all
 *	routing         43   next, len, type, segments left    skipped with no segments left; type 0
 *	                                                       (RFC 5095) is refused
 *	destination     60   next, len, options                skipped
 *	fragment        44                                     refused: see below
 *	any other            it ends the walk
 *
 * len is in units of 8 bytes and does not count the first one. Options are a type, a length and
 * bytes, or the single byte 0; the two highest bits of a type that is not known say what to do.
 *
 * Fragments are refused, those that are whole (RFC 6946) too: TCP sends none, and a reassembly
 * queue would be one more thing that strangers can fill.
 */
#ifndef MILLRACE_DATAPLANE_IP_IPV6_EXT_H
#define MILLRACE_DATAPLANE_IP_IPV6_EXT_H

#include "dataplane/ip/counters.h"

#include <stdbool.h>
#include <stdint.h>

#define IPV6_EXT_MAX     8u /* headers in a packet; RFC 8504, 5.3 lets hosts have bounds */
#define IPV6_OPTIONS_MAX 8u /* options in a header, padding not counted */

struct ipv6_walk {
	uint32_t off;     /* of the upper-layer header, from the start of the packet */
	uint8_t proto;    /* what it is */
	uint32_t next_at; /* where it was named */
	/* when it failed */
	enum drop why;
	bool is_reported;  /* the sender is told: parameter problem with ... */
	bool even_to_many; /* also where the packet went to a multicast address */
	uint8_t code;
	uint32_t pointer;
};

/* Walks len bytes of an IPv6 packet, which may be cut off. The IPv6 header is there and its version
   checked. False: the packet must be dropped for w->why. */
bool ipv6_ext_walk(const uint8_t *pkt, uint32_t len, struct ipv6_walk *w);

#endif
