/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMPv6 (RFC 4443): answers echo, reports what nobody listens for, hands errors about connections
 * to TCP, which checks them (RFC 5927), and neighbour discovery to nd.h. What a stranger can have
 * us send is rate-limited.
 */
#ifndef MILLRACE_DATAPLANE_IP_ICMP6_H
#define MILLRACE_DATAPLANE_IP_ICMP6_H

#include "dataplane/ip/ip.h"

/* Handles an ICMPv6 message; p->data is past the IPv6 header and its extensions. Takes p. */
void icmp6_input(struct net *net, struct pkt *p, const struct ip_meta *m, uint8_t hop_limit);

/* Reports an error with p, whose data is the IPv6 packet, to its source. Borrows p. param: by type,
   a pointer or zero. */
void icmp6_error_send(struct net *net, const struct pkt *p, const struct ip_meta *m, uint8_t type,
	uint8_t code, uint32_t param);

/* Fills in the checksum of a message: len bytes at msg. */
void icmp6_csum_set(void *msg, uint32_t len, const struct ip_addr *src, const struct ip_addr *dst);

#endif
