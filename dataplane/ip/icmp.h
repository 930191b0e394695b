/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP (RFC 792, RFC 1122 3.2.2): answers echo, reports what nobody listens for, and hands errors
 * about connections to TCP, which checks them (RFC 5927). All that is sent is rate-limited.
 */
#ifndef MILLRACE_DATAPLANE_IP_ICMP_H
#define MILLRACE_DATAPLANE_IP_ICMP_H

#include "dataplane/ip/ip.h"

/* Handles an ICMP message; p->data is past the IP header. Takes p. */
void icmp_input(struct net *net, struct pkt *p, const struct ip_meta *m);

/* Tells the source of p (whose data is the IP packet) that it is unreachable. Borrows p. */
void icmp_unreach_send(struct net *net, const struct pkt *p, const struct ip_meta *m, uint8_t code);

#endif
