/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 (RFC 791, RFC 1122 3.2): end host only, no fragments either way.
 */
#ifndef MILLRACE_DATAPLANE_IP_IPV4_H
#define MILLRACE_DATAPLANE_IP_IPV4_H

#include "dataplane/ip/net.h"

/* Where a received packet came from and went to; host order. */
struct ipv4_meta {
	uint32_t src;
	uint32_t dst;
	uint8_t proto;
	bool is_broadcast; /* to a broadcast address, or in a broadcast frame: nothing is answered
			    */
};

/* Handles an IPv4 packet; p->data is past the Ethernet header. Takes p. is_l2_broadcast: the
   frame was. */
void ipv4_input(struct net *net, struct pkt *p, bool is_l2_broadcast);

/* Sends p->data as the payload of a packet from our address. Takes p. */
void ipv4_output(struct net *net, struct pkt *p, uint32_t dst_v4, uint8_t proto);

/* Finds the next hop. False: there is none. */
bool ipv4_route(const struct net *net, uint32_t dst_v4, uint32_t *next_hop_v4);

#endif
