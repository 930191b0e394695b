/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ARP for IPv4 over Ethernet (RFC 826, RFC 1122 2.3.2, RFC 5227).
 *
 *	            output                 reply
 *	   (none) ---------> INCOMPLETE ----------> REACHABLE <--------+
 *	    | ^                  | 5 requests        ^ | cfg.arp_reach_us
 *	    | +------------------+         it is used| v               | reply
 *	    | +<------ not used since ---------------|-was it used? --> PROBING
 *	    | +<-------------------------------------|- 3 requests unanswered -+
 *	    +------------> STALE --------------------+
 *	      a request of its own   for 5 seconds, then it is asked
 *
 * An entry that is being probed keeps serving. Packets wait for an INCOMPLETE entry, a few each
 * and bounded together. Only who asks us, answers us or has an entry already is learnt.
 */
#ifndef MILLRACE_DATAPLANE_IP_ARP_H
#define MILLRACE_DATAPLANE_IP_ARP_H

#include "dataplane/ip/net.h"

/* 0 or -ENOMEM. Uses net->cfg. */
int arp_setup(struct net *net);

/* Frees the table and the packets that wait in it. */
void arp_teardown(struct net *net);

/* Handles an ARP packet; p->data is past the Ethernet header. Takes p. */
void arp_input(struct net *net, struct pkt *p);

/* Sends an IPv4 packet to the station with this address on our network, now or when its MAC is
   known. Takes p. */
void arp_output(struct net *net, struct pkt *p, uint32_t next_hop_v4);

/* The MAC of a station on our network, if it is known, for use until net->neigh_gen changes but for
   a second at most. Counts as use. False: arp_output() has to find it out. */
bool arp_lookup(struct net *net, uint32_t next_hop_v4, uint8_t mac[NET_MAC_LEN]);

/* Notes that a station was seen (here or by another core). is_confirmed: it answered. */
void arp_learn(struct net *net, uint32_t ip_v4, const uint8_t mac[NET_MAC_LEN], bool is_confirmed);

/* No station is believed any more to be where it was, but asked first. */
void arp_doubt_all(struct net *net);

/* Announces our addresses, now and in two seconds. */
void arp_announce(struct net *net);

#endif
