/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Neighbour discovery (RFC 4861) and the test for duplicate addresses (RFC 4862, 5.4).
 *
 *	           output                 solicited advertisement
 *	   (none) ---------> INCOMPLETE ---------------------------+
 *	    ^  |                 | 3 solicitations without answer   |
 *	    |  |                 v                                  v
 *	    |  | solicited     (none)                           REACHABLE <----+
 *	    |  | by it                                              | ~30 s    |
 *	    |  +--------------------------------------------> STALE <          |
 *	    |                                                    | output      |
 *	    |                                                    v             | solicited
 *	    |                                                  DELAY ----------+ advertisement
 *	    |                                                    | 5 s         |
 *	    | 3 solicitations to it without answer               v             |
 *	    +-------------------------------------------------- PROBE ---------+
 *
 * REACHABLE turns STALE when it is next used after its time; STALE, DELAY and PROBE keep serving.
 * Packets wait for an INCOMPLETE entry, a few each and bounded together. An entry is made for whom
 * we talk to or who solicits us, never by an advertisement. Whether TCP makes progress is not used
 * as a sign of life: a solicitation each half minute costs less than telling.
 *
 * Not listened to: router advertisements and redirects. Not sent: router solicitations.
 */
#ifndef MILLRACE_DATAPLANE_IP_ND_H
#define MILLRACE_DATAPLANE_IP_ND_H

#include "dataplane/ip/ip.h"

/* 0 or -ENOMEM. Uses net->cfg and the addresses. */
int nd_setup(struct net *net);

/* Frees the table and the packets that wait in it. */
void nd_teardown(struct net *net);

/* Handles a solicitation or advertisement; p->data is the ICMPv6 message, whose checksum, code and
   hop limit are right. Takes p. */
void nd_input(struct net *net, struct pkt *p, const struct ip_meta *m);

/* Sends an IPv6 packet to a station on the link, now or when its MAC is known. Takes p. */
void nd_output(struct net *net, struct pkt *p, const struct ip_addr *next_hop);

/* Notes what another core has learnt. Unconfirmed it only changes what is known already. */
void nd_learn(struct net *net, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN],
	bool is_confirmed);

/* Begins the test of all addresses; is_speaker: sends for it. See net_start(). */
void nd_start(struct net *net, bool is_speaker);

/* Advertises the valid addresses, now and a second later. */
void nd_announce(struct net *net);

/* No station is believed any more to be where it was, but asked when it is next used. */
void nd_doubt_all(struct net *net);

/* Another core has seen that the address is not ours alone. */
void nd_addr_duplicate(struct net *net, const struct ip_addr *ip);

#endif
