/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 (RFC 791, RFC 1122 3.2): end host only, no fragments either way.
 */
#ifndef MILLRACE_DATAPLANE_IP_IPV4_H
#define MILLRACE_DATAPLANE_IP_IPV4_H

#include "dataplane/ip/ip.h"

#define IPV4_TTL 64

/* Handles an IPv4 packet; p->data is past the Ethernet header. Takes p. is_l2_broadcast: the
   frame was. */
void ipv4_input(struct net *net, struct pkt *p, bool is_l2_broadcast);

/* Sends p->data as the payload of a packet from an address of ours. Takes p. */
void ipv4_output(struct net *net, struct pkt *p, uint32_t src_v4, uint32_t dst_v4, uint8_t proto);

/* As net_route(), and finds the next hop. */
int ipv4_route(const struct net *net, uint32_t dst_v4, uint32_t *next_hop_v4);

/* The address of ours on the network of a station; the first one if it is on none. */
uint32_t ipv4_source(const struct net *net, uint32_t dst_v4);

bool ipv4_is_ours(const struct net *net, uint32_t v4);

/* The network of ours that the address belongs to, or NULL. */
const struct net_v4 *ipv4_net_of(const struct net *net, uint32_t v4);

#endif
