/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Inside of neighbour discovery: the states of neighbours (nd_cache.c) and the messages (nd.c).
 */
#ifndef MILLRACE_DATAPLANE_IP_ND_PRIV_H
#define MILLRACE_DATAPLANE_IP_ND_PRIV_H

#include "dataplane/ip/nd.h"
#include "dataplane/ip/neigh.h"

struct nd_table {
	struct neigh_table cache;
	struct timer start;          /* the end of the test for duplicates */
	struct timer announce;       /* the second advertisement */
	struct ratelimit tell_limit; /* messages to other cores */
	uint64_t defended_us;
	uint32_t nr_randoms;
	bool is_speaker;
};

/* nd_cache.c */
extern const struct neigh_kind nd_kind;
/* The station has this MAC: REACHABLE if that was confirmed, else STALE. Sends what waited. */
void nd_cache_resolve(struct neigh *e, const uint8_t *mac, bool is_confirmed);
/* It has answered from where it was thought to be. */
void nd_cache_confirm(struct neigh *e);
/* It may not be there any more. */
void nd_cache_doubt(struct neigh *e);

/* nd.c */
/* Asks for a station: itself in PROBE, otherwise everyone whose address ends like this. */
void nd_solicit(struct neigh *e);

#endif
