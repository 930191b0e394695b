/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the network stack counts: packets dropped by reason, and events. One list each gives the
 * code, the name under which telemetry shows it and a description. Each struct net has its own
 * counters with one writer, its core; others read them relaxed.
 */
#ifndef MILLRACE_DATAPLANE_IP_COUNTERS_H
#define MILLRACE_DATAPLANE_IP_COUNTERS_H

#include <stdint.h>

/* X(code, name, description). Whoever frees a packet unused counts it here, once. */
#define NET_DROPS(X)                                                                               \
	X(ETH_SHORT, "eth_short", "frame shorter than an Ethernet header")                         \
	X(ETH_NOT_OURS, "eth_not_ours", "destination MAC is neither ours nor broadcast")           \
	X(ETH_TYPE, "eth_type", "EtherType not handled")                                           \
	X(ETH_VLAN, "eth_vlan", "not of our VLAN, or tagged where no VLAN is configured")          \
	X(ARP_BAD, "arp_bad", "malformed or foreign ARP")                                          \
	X(ARP_FULL, "arp_full", "no ARP entry or no room to wait for one")                         \
	X(ARP_UNRESOLVED, "arp_unresolved", "next hop did not answer ARP")                         \
	X(IP_SHORT, "ip_short", "IP packet shorter than its header or its length")                 \
	X(IP_HEADER, "ip_header", "bad IP version or header length")                               \
	X(IP_CSUM, "ip_csum", "bad IPv4 header checksum")                                          \
	X(IP_FRAGMENT, "ip_fragment", "IP fragment")                                               \
	X(IP_SOURCE, "ip_source", "source address that cannot be")                                 \
	X(IP_NOT_OURS, "ip_not_ours", "destination address not ours")                              \
	X(IP_PROTO, "ip_proto", "IP protocol not handled")                                         \
	X(IP6_EXT, "ip6_ext", "malformed, misplaced or too many IPv6 extension headers")           \
	X(IP6_OPTION, "ip6_option", "IPv6 option that forbids going on")                           \
	X(IP6_ROUTING, "ip6_routing", "IPv6 routing header of type 0, or with segments left")      \
	X(ND_BAD, "nd_bad", "malformed or foreign neighbour discovery")                            \
	X(ND_FULL, "nd_full", "no neighbour entry or no room to wait for one")                     \
	X(ND_UNRESOLVED, "nd_unresolved", "next hop did not answer solicitations")                 \
	X(IP_NO_ROUTE, "ip_no_route", "no route to destination")                                   \
	X(IP_TOO_BIG, "ip_too_big", "packet to send exceeds the MTU")                              \
	X(ICMP_BAD, "icmp_bad", "malformed ICMP")                                                  \
	X(ICMP_IGNORED, "icmp_ignored", "ICMP type not handled or not for us")                     \
	X(ICMP_LIMITED, "icmp_limited", "ICMP answer withheld by the rate limit")                  \
	X(TCP_SHORT, "tcp_short", "segment shorter than its header")                               \
	X(TCP_CSUM, "tcp_csum", "bad TCP checksum")                                                \
	X(TCP_OPTIONS, "tcp_options", "malformed TCP options")                                     \
	X(TCP_FLAGS, "tcp_flags", "impossible combination of TCP flags")                           \
	X(TCP_NO_CONN, "tcp_no_conn", "segment for no connection")                                 \
	X(TCP_PAWS, "tcp_paws", "old by its timestamp (RFC 7323)")                                 \
	X(TCP_WINDOW, "tcp_window", "sequence outside the receive window")                         \
	X(TCP_ACK, "tcp_ack", "acknowledgement outside what was sent (RFC 5961)")                  \
	X(TCP_RST, "tcp_rst", "RST not exactly in order, or in TIME_WAIT")                         \
	X(TCP_SYN, "tcp_syn", "SYN on a synchronized connection")                                  \
	X(TCP_STATE, "tcp_state", "segment without meaning in its state")                          \
	X(TCP_DUP, "tcp_dup", "data received before")                                              \
	X(TCP_OOO_FULL, "tcp_ooo_full", "no room to keep out-of-order data")                       \
	X(TCP_RX_FULL, "tcp_rx_full", "no room to keep data the application has not taken")        \
	X(TCP_BACKLOG, "tcp_backlog", "SYN with no room for a connection")                         \
	X(TCP_COOKIE, "tcp_cookie", "ACK with a bad SYN cookie")                                   \
	X(TCP_LATE_DATA, "tcp_late_data", "data after the application has closed")                 \
	X(NO_PKT, "no_pkt", "packet pool empty when sending (no packet was freed)")

#define NET_CTRS(X)                                                                                \
	X(PKTS_IN, "pkts_in", "frames received")                                                   \
	X(PKTS_OUT, "pkts_out", "frames sent")                                                     \
	X(LINK_UP, "link_up", "times the link came back")                                          \
	X(LINK_DOWN, "link_down", "times the link was lost")                                       \
	X(ARP_REQ_IN, "arp_requests_in", "ARP requests for our address")                           \
	X(ARP_REQ_OUT, "arp_requests_out", "ARP requests sent")                                    \
	X(ARP_CONFLICT, "arp_conflicts", "another station uses our address")                       \
	X(ND_SOLICIT_IN, "nd_solicit_in", "neighbour solicitations for our addresses")             \
	X(ND_SOLICIT_OUT, "nd_solicit_out", "neighbour solicitations sent")                        \
	X(ND_ADVERT_IN, "nd_advert_in", "neighbour advertisements received")                       \
	X(ND_CONFLICT, "nd_conflicts", "another station claims our IPv6 address")                  \
	X(ND_DUPLICATE, "nd_duplicates", "IPv6 addresses not used: another station has them")      \
	X(ND_UNREACHABLE, "nd_unreachable", "neighbours that stopped answering")                   \
	X(ICMP_ECHO, "icmp_echo", "echo requests answered")                                        \
	X(ICMP_UNREACH_IN, "icmp_unreach_in", "destination unreachable accepted for a connection") \
	X(ICMP_UNREACH_OUT, "icmp_unreach_out", "destination unreachable sent")                    \
	X(ICMP_PARAM_OUT, "icmp_param_out", "ICMPv6 parameter problems sent")                      \
	X(PMTU_REDUCED, "pmtu_reduced", "connections whose MSS a path MTU message lowered")        \
	X(PMTU_HELD, "pmtu_held", "path MTU messages that wait for a timeout to confirm them")     \
	X(PMTU_REFUSED, "pmtu_refused", "path MTU messages that cannot be true")                   \
	X(PMTU_GUESSED, "pmtu_guessed", "times the MSS was lowered because large segments vanish") \
	X(PMTU_RAISED, "pmtu_raised", "connections whose MSS was put up again")                    \
	X(SEGS_IN, "tcp_segs_in", "TCP segments received")                                         \
	X(SEGS_OUT, "tcp_segs_out", "TCP segments sent, retransmissions included")                 \
	X(BYTES_IN, "tcp_bytes_in", "payload bytes received in order")                             \
	X(BYTES_OUT, "tcp_bytes_out", "payload bytes sent for the first time")                     \
	X(BYTES_REF, "tcp_bytes_by_reference", "of those sent or sent again: never copied")        \
	X(BULK_OUT, "tcp_bulk_out", "packets built for several segments at once")                  \
	X(BULK_SEGS, "tcp_bulk_segs", "segments that these stood for")                             \
	X(RETRANS, "tcp_retrans", "segments retransmitted")                                        \
	X(RETRANS_BYTES, "tcp_retrans_bytes", "bytes retransmitted")                               \
	X(FAST_RETRANS, "tcp_fast_retrans", "times recovery was entered without a timeout")        \
	X(RTO, "tcp_rto", "retransmission timeouts")                                               \
	X(TLP, "tcp_tlp", "loss probes sent (RFC 8985)")                                           \
	X(RACK_LOST, "tcp_rack_lost", "segments deemed lost by RACK (RFC 8985)")                   \
	X(SACK_IN, "tcp_sack_in", "segments received with SACK blocks")                            \
	X(SACK_OUT, "tcp_sack_out", "segments sent with SACK blocks")                              \
	X(SACK_RENEGED, "tcp_sack_reneged", "times a peer took SACKed data back")                  \
	X(DSACK_IN, "tcp_dsack_in", "duplicate SACKs received (RFC 2883)")                         \
	X(DUP_ACKS, "tcp_dup_acks", "duplicate acknowledgements received")                         \
	X(ECN_CONNS, "tcp_ecn_conns", "connections with ECN (RFC 3168)")                           \
	X(ECN_CE_IN, "tcp_ecn_ce_in", "segments received with congestion experienced")             \
	X(ECN_REDUCTIONS, "tcp_ecn_reductions", "times a peer's ECN echo shrank the window")       \
	X(OOO, "tcp_ooo", "segments kept out of order")                                            \
	X(CHALLENGE, "tcp_challenge_acks", "challenge ACKs sent (RFC 5961)")                       \
	X(PERSIST, "tcp_persist", "zero-window probes sent")                                       \
	X(KEEPALIVE, "tcp_keepalive", "keepalive probes sent")                                     \
	X(COOKIES_SENT, "tcp_syn_cookies_sent", "SYNs answered with a cookie")                     \
	X(COOKIES_OK, "tcp_syn_cookies_ok", "connections made from a cookie")                      \
	X(COOKIES_BAD, "tcp_syn_cookies_bad", "ACKs whose cookie did not verify")                  \
	X(SYN_IN, "tcp_syn_in", "SYNs received for a listener")                                    \
	X(ACCEPTED, "tcp_accepted", "connections accepted")                                        \
	X(CONNECTED, "tcp_connected", "connections opened by us and established")                  \
	X(REFUSED, "tcp_refused", "accepts refused by the application")                            \
	X(CLOSED, "tcp_closed", "connections ended, for any reason")                               \
	X(TIMEDOUT, "tcp_timedout", "connections ended by a timeout")                              \
	X(RST_IN, "tcp_rst_in", "valid RSTs received")                                             \
	X(RST_OUT, "tcp_rst_out", "RSTs sent")                                                     \
	X(RST_LIMITED, "tcp_rst_limited", "RSTs withheld by the rate limit")                       \
	X(TIMEWAIT, "tcp_timewait", "connections that entered TIME_WAIT")                          \
	X(TIMEWAIT_RECYCLED, "tcp_timewait_recycled", "TIME_WAITs ended by a new SYN")             \
	X(TIMEWAIT_EVICTED, "tcp_timewait_evicted", "TIME_WAITs ended early for want of room")

enum drop {
#define X(code, name, desc) DROP_##code,
	NET_DROPS(X)
#undef X
		NR_DROPS
};

enum net_ctr {
#define X(code, name, desc) NET_CTR_##code,
	NET_CTRS(X)
#undef X
		NR_NET_CTRS
};

struct net_counters {
	uint64_t drops[NR_DROPS];
	uint64_t ctrs[NR_NET_CTRS];
};

struct net_counter_info {
	const char *name;
	const char *desc;
};

/* Names and descriptions, indexed by enum drop and enum net_ctr. */
extern const struct net_counter_info net_drop_info[NR_DROPS];
extern const struct net_counter_info net_ctr_info[NR_NET_CTRS];

/* Only the owner core writes. */
static inline void net_counter_add(uint64_t *ctr, uint64_t n)
{
	__atomic_store_n(ctr, *ctr + n, __ATOMIC_RELAXED);
}

/* Any core may read. */
static inline uint64_t net_counter_read(const uint64_t *ctr)
{
	return __atomic_load_n(ctr, __ATOMIC_RELAXED);
}

#endif
