/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Inside of neighbour discovery: the table (nd_cache.c) and the messages (nd.c).
 */
#ifndef MILLRACE_DATAPLANE_IP_ND_PRIV_H
#define MILLRACE_DATAPLANE_IP_ND_PRIV_H

#include "dataplane/ip/nd.h"

enum nd_state { ND_FREE, ND_INCOMPLETE, ND_REACHABLE, ND_STALE, ND_DELAY, ND_PROBE };

struct nd_entry {
	struct nd_entry *next; /* in its bucket, or in the free list */
	struct net *net;
	struct timer timer; /* of INCOMPLETE, DELAY and PROBE */
	struct pkt *wait_head;
	struct pkt *wait_tail;
	uint64_t used_us;        /* when a packet last went by this entry */
	uint64_t reach_until_us; /* of REACHABLE */
	struct ip_addr ip;
	uint8_t mac[NET_MAC_LEN];
	uint8_t state;
	uint8_t nr_tries;
	uint8_t nr_wait;
};

struct nd_table {
	struct nd_entry **buckets;
	struct nd_entry *entries;
	struct nd_entry *free;
	uint32_t mask;
	uint32_t nr_wait;
	struct net *net;
	struct timer start;    /* the end of the test for duplicates */
	struct timer announce; /* the second advertisement */
	struct ratelimit solicit_limit;
	struct ratelimit tell_limit; /* messages to other cores */
	uint64_t defended_us;
	uint32_t nr_randoms;
	bool is_speaker;
};

/* nd_cache.c */
int nd_cache_setup(struct net *net);
void nd_cache_teardown(struct net *net);
struct nd_entry *nd_cache_find(struct nd_table *t, const struct ip_addr *ip);
/* A new entry, INCOMPLETE without a timer, at the cost of another if there is no room. NULL: there
   is none to give up. */
struct nd_entry *nd_cache_add(struct nd_table *t, const struct ip_addr *ip);
/* The station has this MAC: REACHABLE if that was confirmed, else STALE. Sends what waited. */
void nd_cache_resolve(
	struct nd_table *t, struct nd_entry *e, const uint8_t *mac, bool is_confirmed);
/* It has answered from where it was thought to be. */
void nd_cache_confirm(struct nd_table *t, struct nd_entry *e);
/* It may not be there any more. */
void nd_cache_doubt(struct nd_table *t, struct nd_entry *e);

/* nd.c */
/* Asks for a station; mac NULL: everyone whose address ends like this. */
void nd_solicit(struct nd_table *t, const struct ip_addr *target, const uint8_t *mac);

#endif
