/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What IPv4 and IPv6 have in common for the layers above.
 */
#ifndef MILLRACE_DATAPLANE_IP_IP_H
#define MILLRACE_DATAPLANE_IP_IP_H

#include "dataplane/ip/net.h"

/* Where a received packet came from and went to. */
struct ip_meta {
	struct ip_addr src;
	struct ip_addr dst;
	uint8_t proto;
	bool is_multi;   /* to many, by its address or its frame's: nearly nothing is answered */
	bool is_own_mac; /* of the frame: our own, come back, or the other end of a tap device */
};

/* Sends p->data as the payload of a packet from an address of ours. Takes p. */
void ip_output(struct net *net, struct pkt *p, const struct ip_addr *src, const struct ip_addr *dst,
	uint8_t proto);

#endif
