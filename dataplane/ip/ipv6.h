/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv6 (RFC 8200, RFC 4291, RFC 8504): end host only, no fragments either way. A net has it when an
 * IPv6 address is configured; it then has a link-local address too. Addresses, prefixes and the
 * router are configured: router advertisements and redirects are not listened to.
 */
#ifndef MILLRACE_DATAPLANE_IP_IPV6_H
#define MILLRACE_DATAPLANE_IP_IPV6_H

#include "dataplane/ip/ip.h"

#define IPV6_HOP_LIMIT 64

extern const struct ip_addr ipv6_all_nodes; /* ff02::1 */

/* Fills in the addresses from net->cfg. */
void ipv6_setup(struct net *net);

/* May the address be one of ours? */
bool ipv6_is_assignable(const struct ip_addr *ip);

/* May a packet from outside come from there? A mapped IPv4 address on the wire would pass for the
   IPv4 station elsewhere in the stack. */
bool ipv6_is_source_possible(struct net *net, const struct ip_addr *src);

/* Handles an IPv6 packet; p->data is past the Ethernet header, of which l2 tells is_multi and
   is_own_mac. Takes p. */
void ipv6_input(struct net *net, struct pkt *p, const struct ip_meta *l2);

/* Sends p->data as the payload of a packet from an address of ours. Takes p. */
void ipv6_output(struct net *net, struct pkt *p, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto);

/* The same on the link: to the station with this MAC; with mac NULL to a multicast address, or to
   a station whose MAC is looked up. Takes p. */
void ipv6_output_link(struct net *net, struct pkt *p, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint8_t hop_limit, const uint8_t *mac);

/* As net_route(), and finds the next hop. */
int ipv6_route(const struct net *net, const struct ip_addr *dst, struct ip_addr *next_hop);

/* Chooses an address of ours to talk to dst from (after RFC 6724, 5). False: there is none yet. */
bool ipv6_source(const struct net *net, const struct ip_addr *dst, struct ip_addr *src);

/* Ours, in any state; or NULL. */
struct net_v6 *ipv6_find(struct net *net, const struct ip_addr *ip);

/* ff02::1:ff00:0/104 with the address's last 24 bits (RFC 4291, 2.7.1). */
struct ip_addr ipv6_solicited_node(const struct ip_addr *ip);

/* The Ethernet group of a multicast address (RFC 2464, 7). */
void ipv6_group_mac(const struct ip_addr *group, uint8_t mac[NET_MAC_LEN]);

#endif
