/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One network stack: what a poll core has of Ethernet, ARP, IPv4, ICMP and TCP.
 *
 * A struct net belongs to one core, which alone calls everything here. Nothing is shared between
 * two of them, so several live in one thread (tests) as well as on several cores. Time enters only
 * through net_clock() and net_run().
 *
 * The loop of a core:
 *
 *	net_clock(net, now);           once, before the burst
 *	net_input(net, pkt) ...        for each frame received; upcalls happen in here
 *	...                            the application executes, fills output buffers, pushes
 *	net_run(net, now);             timers, then all pending output and ACKs, then the dead
 */
#ifndef MILLRACE_DATAPLANE_IP_NET_H
#define MILLRACE_DATAPLANE_IP_NET_H

#include "dataplane/ip/addr.h"
#include "dataplane/ip/counters.h"
#include "dataplane/ip/ratelimit.h"
#include "dataplane/obuf.h"
#include "dataplane/pkt.h"
#include "dataplane/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct arp_table;
struct nd_table;
struct pmtu_table;
struct tcp_stack;

#define NET_MAC_LEN   6
#define NET_MAX_ADDRS 16

enum net_offload {
	NET_TX_IP_CSUM = 1u << 0,  /* the device fills in IPv4 header checksums */
	NET_TX_TCP_CSUM = 1u << 1, /* the device fills in TCP checksums */
	NET_TX_VLAN = 1u << 2,     /* the device inserts VLAN tags */
	NET_TX_CHAIN = 1u << 3,    /* the device takes packets that go on in others */
	NET_TX_REF = 1u << 4,      /* and by reference, wherever the bytes lie; with NET_TX_CHAIN */
	NET_TX_TSO = 1u << 5,      /* the device cuts large TCP packets into segments; with both
	                              checksums and NET_TX_CHAIN */
};

enum tcp_cc_kind {
	TCP_CC_CUBIC,   /* RFC 9438 */
	TCP_CC_NEWRENO, /* RFC 5681, 6582 */
};

enum tcp_ecn_kind {
	TCP_ECN_OFF,
	TCP_ECN_ANSWER, /* for peers that ask for it */
	TCP_ECN_ASK,    /* and on connections that we open */
};

struct tcp_cfg {
	uint64_t rto_init_us; /* RFC 6298: 1 s */
	uint64_t rto_min_us;
	uint64_t rto_max_us;
	uint64_t delack_us;    /* longest delay of an ACK */
	uint64_t msl_us;       /* TIME_WAIT lasts twice this */
	uint64_t linger_us;    /* after tcp_conn_close: to drain and to see the peer's FIN */
	uint64_t keepidle_us;  /* new connections; 0: no keepalive */
	uint64_t keepintvl_us; /* between probes */
	uint32_t keepcnt;      /* unanswered probes that end the connection */
	uint32_t max_rtx;      /* retransmissions of a segment that end the connection (R2) */
	uint32_t syn_rtx;      /* of a SYN */
	uint32_t synack_rtx;   /* of a SYN-ACK */
	uint32_t rcv_buf;      /* receive window, bytes */
	uint32_t snd_max;      /* most bytes in flight of one connection */
	uint32_t max_ooo_pkts; /* packets a connection may keep out of order */
	uint32_t max_rx_pkts;  /* packets all connections of this net may keep, in order or not:
	                          well below the pool's size, or nothing more can be received */
	uint32_t max_conns;
	uint32_t max_timewait;
	uint32_t max_segs;  /* segments in flight, of all connections */
	uint32_t rst_per_s; /* RSTs to segments of no connection */
	uint16_t port_lo;   /* range of source ports for tcp_connect */
	uint16_t port_hi;
	enum tcp_cc_kind cc;
	enum tcp_ecn_kind ecn;
	bool tlp; /* tail loss probes */
};

struct net_addr {
	struct ip_addr ip;
	uint8_t prefix_len; /* of its network */
};

struct net_cfg {
	uint8_t mac[NET_MAC_LEN];
	uint16_t mtu;        /* IP packet, bytes: 576..65535, and a pool's packet must hold it */
	uint16_t vlan;       /* 802.1Q: all our frames have this tag, 1..4094; 0: no tag */
	uint32_t offloads;   /* enum net_offload */
	uint32_t max_pieces; /* packets that one packet to send may consist of, NET_TX_CHAIN */
	uint32_t nr_addrs;
	struct net_addr addrs[NET_MAX_ADDRS]; /* ours, of either family */
	struct ip_addr gateway;               /* of IPv4; zero: none */
	struct ip_addr gateway_v6;            /* zero: none */
	uint8_t secret[16]; /* random: keys ISNs, cookies and hash tables. The same on all cores */
	uint64_t obuf_bytes_max; /* all output buffers together; 0: no bound */
	uint64_t arp_reach_us;   /* how long an ARP entry is believed */
	uint64_t nd_reach_us;    /* the same of IPv6: RFC 4861, BaseReachableTime */
	uint32_t max_arp;        /* entries; as many again of IPv6 neighbours */
	uint32_t icmp_per_s;     /* ICMP messages sent */
	struct tcp_cfg tcp;
};

struct net_ops {
	/* Takes p, a complete Ethernet frame. Never fails: what cannot be sent is freed. */
	void (*tx)(void *ctx, struct pkt *p);
	/* A station's address was seen: pass it to net_neigh_learn() of the other cores. May be
	   NULL. */
	void (*neigh_learned)(void *ctx, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN],
		bool is_confirmed);
	/* Another station has this address of ours, and it is not used: pass it to
	   net_addr_duplicate() of the other cores. May be NULL. */
	void (*addr_duplicate)(void *ctx, const struct ip_addr *ip);
	/* Does the return flow of this connection land on this core? NULL: always. */
	bool (*flow_mine)(void *ctx, const struct ip_addr *laddr, uint16_t lport,
		const struct ip_addr *raddr, uint16_t rport);
};

/* An IPv4 address of ours, host order. */
struct net_v4 {
	uint32_t addr;
	uint32_t mask;
};

enum net_v6_state {
	NET_V6_VALID,
	NET_V6_TENTATIVE, /* whether it is ours alone is being found out (RFC 4862, 5.4) */
	NET_V6_DUPLICATE, /* it is not, and is not used */
};

/* An IPv6 address of ours. */
struct net_v6 {
	struct ip_addr ip;
	uint8_t prefix_len;
	uint8_t state;
};

struct net {
	/* read-mostly */
	struct net_cfg cfg;
	const struct net_ops *ops;
	void *ctx;
	struct pkt_pool *pool;
	uint32_t gateway_v4; /* host order, 0: none */
	uint32_t nr_v4;
	struct net_v4 v4[NET_MAX_ADDRS];
	uint32_t nr_v6;                      /* 0: no IPv6 */
	struct net_v6 v6[NET_MAX_ADDRS + 1]; /* the first is link-local */
	struct arp_table *arp;
	struct nd_table *nd; /* NULL: no IPv6 */
	struct pmtu_table *pmtu;
	struct tcp_stack *tcp;
	/* hot */
	uint64_t now_us;
	uint16_t ip_id;
	uint32_t neigh_gen; /* counts the changes of what neighbour tables have told, from 1 */
	struct pkt *kept;   /* read to the end of the burst: net_keep() */
	struct ratelimit icmp_limit;
	struct timer_wheel wheel;
	struct obuf_pool obufs;
	struct net_counters counters;
};

/* Fills cfg with the defaults of everything but addresses, MAC and secret. */
void net_cfg_defaults(struct net_cfg *cfg);

/* Adds an address of ours. False: there are NET_MAX_ADDRS. With an IPv6 address the net also has a
   link-local one, made from the MAC unless it is given. */
bool net_cfg_add(struct net_cfg *cfg, const struct ip_addr *ip, uint8_t prefix_len);

/* Initialises a net. Copies cfg; borrows pool, ops and ctx until net_fini. Sends nothing. 0,
   -EINVAL (cfg is contradictory) or -ENOMEM. */
int net_init(struct net *net, const struct net_cfg *cfg, struct pkt_pool *pool,
	const struct net_ops *ops, void *ctx, uint64_t now_us);

/* Ends every connection without a word to its peer (closed() with ESHUTDOWN for those that still
   have a user) and frees everything. All packets are back in the pool afterwards. */
void net_fini(struct net *net);

/* Sets the time of what follows. Time never goes back. */
static inline void net_clock(struct net *net, uint64_t now_us)
{
	if (now_us > net->now_us)
		net->now_us = now_us;
}

/* Handles one received frame. Takes p. */
void net_input(struct net *net, struct pkt *p);

/* The end of a burst: fires timers, sends what is pending, reports and frees dead connections.
   closed() upcalls come only from here. */
void net_run(struct net *net, uint64_t now_us);

/* Returns when net_run() must be called again if no packet arrives; <= now: at once; UINT64_MAX: no
   need. It may be early. */
uint64_t net_next_deadline(const struct net *net);

/* The device is up for the first time: announces the IPv4 addresses, and finds out within a second
   whether the IPv6 addresses are ours alone (RFC 4862, 5.4), which are announced and used then.
   Every core; is_speaker: one of them, which sends for all. Without it addresses are used at once.
   */
void net_start(struct net *net, bool is_speaker);

/* Tells the network our addresses (gratuitous ARP, RFC 5227; unsolicited advertisement, RFC 4861
   7.2.6), now and once more later. When the link is up again; one core of several suffices. */
void net_announce(struct net *net);

/* The device has lost its link, or has it again: then neighbours are asked anew where they are, our
   addresses are announced, and what waits for a distant retransmission is sent soon. Every core;
   is_speaker: as in net_start(). */
void net_link(struct net *net, bool is_up, bool is_speaker);

/* What neigh_learned() and addr_duplicate() reported on another core. */
void net_neigh_learn(struct net *net, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN],
	bool is_confirmed);
void net_addr_duplicate(struct net *net, const struct ip_addr *ip);

/* How well a station is reached: the length of the prefix of the network of ours that it is on, 0
   by a gateway, -1 not at all (or it is ourselves). */
int net_route(const struct net *net, const struct ip_addr *ip);

/* Chooses the address of ours from which to talk to dst. False: there is no route. */
bool net_source(const struct net *net, const struct ip_addr *dst, struct ip_addr *src);

static inline void net_count(struct net *net, enum net_ctr ctr)
{
	net_counter_add(&net->counters.ctrs[ctr], 1);
}

/* Frees p and counts why. Takes p. */
static inline void net_drop(struct net *net, struct pkt *p, enum drop why)
{
	net_counter_add(&net->counters.drops[why], 1);
	pkt_free(net->pool, p);
}

/* Takes p, and frees it at the end of the burst (net_run), until when its bytes stay. */
static inline void net_keep(struct net *net, struct pkt *p)
{
	p->next = net->kept;
	net->kept = p;
}

#endif
