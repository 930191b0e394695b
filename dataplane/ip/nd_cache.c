/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The states of neighbours (RFC 4861, 7.3.2).
 */
#include "dataplane/ip/nd_priv.h"

#include "dataplane/ip/siphash.h"
#include "dataplane/ip/wire.h"

#define ND_MAX_TRIES 3u /* RFC 4861, 10 */

static void entry_timeout(struct timer *timer, uint64_t now_us)
{
	struct neigh *e = neigh_of(timer);

	if (e->state == NEIGH_DELAY) {
		e->state = NEIGH_PROBE;
		e->nr_tries = 0;
	}
	if (e->state == NEIGH_PROBE && e->nr_tries >= ND_MAX_TRIES)
		net_count(e->table->net, NET_CTR_ND_UNREACHABLE);
	neigh_retry(e, ND_MAX_TRIES, now_us);
}

/* RFC 4861, 6.3.2: between half and one and a half times the base, so that not all ask at once. */
static uint64_t reachable_us(struct net *net)
{
	const struct siphash_key key = siphash_key_load(net->cfg.secret);
	const uint64_t base = net->cfg.nd_reach_us;
	const uint64_t input[2] = {net->nd->nr_randoms++, net->now_us};

	return base / 2 + siphash(&key, input, sizeof(input)) % (base + 1);
}

void nd_cache_confirm(struct neigh *e)
{
	struct net *net = e->table->net;

	e->state = NEIGH_REACHABLE;
	e->reach_until_us = net->now_us + reachable_us(net);
	timer_cancel(&net->wheel, &e->timer);
}

void nd_cache_doubt(struct neigh *e)
{
	if (e->state == NEIGH_INCOMPLETE)
		return;
	e->state = NEIGH_STALE;
	timer_cancel(&e->table->net->wheel, &e->timer);
}

void nd_doubt_all(struct net *net)
{
	struct neigh_table *t = &net->nd->cache;

	for (uint32_t i = 0; i < net->cfg.max_arp; i++)
		if (t->entries[i].state != NEIGH_FREE)
			nd_cache_doubt(&t->entries[i]);
}

void nd_cache_resolve(struct neigh *e, const uint8_t *mac, bool is_confirmed)
{
	e->state = NEIGH_STALE;
	if (is_confirmed)
		nd_cache_confirm(e);
	else
		nd_cache_doubt(e);
	neigh_resolve(e, mac);
}

/* Is it time to ask whether the station is still there? */
static void entry_use(struct neigh *e)
{
	struct net *net = e->table->net;

	e->used_us = net->now_us;
	if (e->state == NEIGH_REACHABLE && net->now_us >= e->reach_until_us)
		e->state = NEIGH_STALE;
	if (e->state != NEIGH_STALE)
		return;
	e->state = NEIGH_DELAY;
	timer_arm(&net->wheel, &e->timer, net->now_us + NEIGH_DELAY_US);
}

const struct neigh_kind nd_kind = {
	.eth_type = ETH_TYPE_IPV6,
	.full = DROP_ND_FULL,
	.unresolved = DROP_ND_UNRESOLVED,
	.ask = nd_solicit,
	.use = entry_use,
	.timeout = entry_timeout,
};
