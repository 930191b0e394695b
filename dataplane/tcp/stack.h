/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP as the IP layer and the stack's frame see it. Users of connections include tcp.h instead.
 */
#ifndef MILLRACE_DATAPLANE_TCP_STACK_H
#define MILLRACE_DATAPLANE_TCP_STACK_H

#include "dataplane/ip/ip.h"

enum tcp_error_kind {
	TCP_ERROR_UNREACHABLE, /* the network or the host */
	TCP_ERROR_REFUSED,     /* the host is there, but not for this port or for TCP */
	TCP_ERROR_TOO_BIG,     /* mtu is what the next hop takes */
	TCP_ERROR_OTHER,       /* passing, or of no consequence */
};

/* What an ICMP error says about a segment that we may have sent. */
struct tcp_icmp_error {
	struct ip_addr laddr;
	struct ip_addr raddr;
	uint16_t lport;
	uint16_t rport;
	uint32_t seq;
	uint32_t mtu;
	uint32_t len; /* of the quoted packet, as its header says */
	enum tcp_error_kind kind;
};

/* 0 or -ENOMEM. Uses net->cfg. */
int tcp_setup(struct net *net);

/* Ends all connections; see net_fini(). */
void tcp_teardown(struct net *net);

/* Handles a segment for us; p->data is past the IP header. Takes p. */
void tcp_input(struct net *net, struct pkt *p, const struct ip_meta *m);

/* Handles a whole frame if it is a segment of the usual kind: see fast.c. True: p was taken; false:
   nothing has happened. */
bool tcp_fast_input(struct net *net, struct pkt *p);

/* Handles an ICMP error after checking that it is about something in flight (RFC 5927). */
void tcp_icmp_input(struct net *net, const struct tcp_icmp_error *err);

/* What was known of the path to a station is no longer: larger segments are tried again. */
void tcp_path_raise(struct net *net, const struct ip_addr *raddr);

/* The link is back: timers that wait longer than the path takes are shortened to that. */
void tcp_link_up(struct net *net);

/* Sends what is pending, then reports and frees the dead. */
void tcp_run(struct net *net);

/* Would tcp_run() have something to do? */
bool tcp_has_work(const struct net *net);

#endif
