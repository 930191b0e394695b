/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A table of neighbours: who they are, where, and the packets that wait to know it. ARP and
 * neighbour discovery have one each; by which rules an entry changes its state is theirs to say.
 *
 * Packets wait for an INCOMPLETE entry only, a few each and bounded together. In every other state
 * the MAC serves.
 */
#ifndef MILLRACE_DATAPLANE_IP_NEIGH_H
#define MILLRACE_DATAPLANE_IP_NEIGH_H

#include "dataplane/ip/net.h"
#include "dataplane/ip/ratelimit.h"

#include <stddef.h>
#include <string.h>

#define NEIGH_RETRY_US 1000000u /* RFC 4861, 10: RETRANS_TIMER */
#define NEIGH_DELAY_US 5000000u /* RFC 4861, 10: DELAY_FIRST_PROBE_TIME */

enum neigh_state {
	NEIGH_FREE,
	NEIGH_INCOMPLETE,
	NEIGH_REACHABLE,
	NEIGH_STALE,
	NEIGH_DELAY,
	NEIGH_PROBE,
};

struct neigh_table;

struct neigh {
	struct neigh *next; /* in its bucket, or in the free list */
	struct neigh_table *table;
	struct timer timer;
	struct pkt *wait_head;
	struct pkt *wait_tail;
	uint64_t used_us;        /* when a packet last went by this entry */
	uint64_t reach_until_us; /* of REACHABLE, by neighbour discovery */
	struct ip_addr ip;
	uint8_t mac[NET_MAC_LEN];
	uint8_t state;
	uint8_t nr_tries;
	uint8_t nr_wait;
};

/* What the protocols do each in its own way. */
struct neigh_kind {
	uint16_t eth_type;          /* of packets that wait */
	enum drop full, unresolved; /* why they wait no longer */
	/* Asks for the station; everybody, unless it is in PROBE. */
	void (*ask)(struct neigh *e);
	/* A packet goes by an entry with a MAC. */
	void (*use)(struct neigh *e);
	timer_fn timeout; /* see neigh_of() */
};

struct neigh_table {
	const struct neigh_kind *kind;
	struct net *net;
	struct neigh **buckets;
	struct neigh *entries; /* net->cfg.max_arp */
	struct neigh *free;
	uint32_t mask;
	uint32_t nr_wait;
	struct ip_addr gateway; /* is never given up */
	struct ratelimit ask_limit;
};

/* 0 or -ENOMEM, and nothing to free. Borrows net and kind until neigh_teardown(). */
int neigh_setup(struct neigh_table *t, struct net *net, const struct neigh_kind *kind,
	const struct ip_addr *gateway);
/* Frees the entries and the packets that wait. */
void neigh_teardown(struct neigh_table *t);

struct neigh *neigh_find(const struct neigh_table *t, const struct ip_addr *ip);
/* A new entry, INCOMPLETE without a timer, at the cost of another if there is no room. NULL: there
   is none to give up. */
struct neigh *neigh_add(struct neigh_table *t, const struct ip_addr *ip);
void neigh_remove(struct neigh *e);
/* Asks once more, and again in NEIGH_RETRY_US; the entry goes after `max` times. */
void neigh_retry(struct neigh *e, unsigned max, uint64_t now_us);
/* The station has this MAC. What waited is sent, which counts as use in the state that e has. */
void neigh_resolve(struct neigh *e, const uint8_t mac[NET_MAC_LEN]);

/* Sends a packet to a station on the link, now or when its MAC is known. Takes p. */
void neigh_output(struct neigh_table *t, struct pkt *p, const struct ip_addr *next_hop);

/* Can a single station have it? */
bool neigh_mac_is_usable(const uint8_t mac[NET_MAC_LEN]);

static inline struct neigh *neigh_of(struct timer *timer)
{
	return (struct neigh *)((char *)timer - offsetof(struct neigh, timer));
}

static inline bool neigh_is_at(const struct neigh *e, const uint8_t mac[NET_MAC_LEN])
{
	return memcmp(e->mac, mac, NET_MAC_LEN) == 0;
}

#endif
