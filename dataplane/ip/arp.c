/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What ARP does with its table of neighbours, resolution and answers.
 */
#include "dataplane/ip/arp.h"

#include "dataplane/ip/eth.h"
#include "dataplane/ip/ipv4.h"
#include "dataplane/ip/neigh.h"
#include "dataplane/ip/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARP_MAX_TRIES   5u
#define ARP_MAX_PROBES  3u
#define ARP_ANNOUNCE_US 2000000u
#define ARP_DEFEND_US   10000000u /* RFC 5227, DEFEND_INTERVAL */

struct arp_table {
	struct neigh_table cache;
	struct timer announce;
	uint64_t defended_us;
};

const uint8_t eth_broadcast[NET_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Sends an ARP packet. tha NULL: unknown (zero). */
static void packet_send(struct net *net, uint16_t op, const uint8_t *eth_dst, const uint8_t *tha,
	uint32_t spa_v4, uint32_t tpa_v4)
{
	struct pkt *p = pkt_alloc(net->pool);
	struct arp_hdr h = {
		.hrd = be16(1),
		.pro = be16(ETH_TYPE_IPV4),
		.hln = NET_MAC_LEN,
		.pln = 4,
		.op = be16(op),
		.spa = be32(spa_v4),
		.tpa = be32(tpa_v4),
	};

	if (!p) {
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
		return;
	}
	memcpy(h.sha, net->cfg.mac, NET_MAC_LEN);
	if (tha)
		memcpy(h.tha, tha, NET_MAC_LEN);
	memcpy(pkt_put(p, sizeof(h)), &h, sizeof(h));
	eth_output(net, p, eth_dst, ETH_TYPE_ARP);
}

static void entry_ask(struct neigh *e)
{
	struct net *net = e->table->net;
	const uint32_t ip_v4 = ip_addr_to_v4(&e->ip);

	net_count(net, NET_CTR_ARP_REQ_OUT);
	packet_send(net, ARP_OP_REQUEST, e->state == NEIGH_PROBE ? e->mac : eth_broadcast, NULL,
		ipv4_source(net, ip_v4), ip_v4);
}

static void entry_timeout(struct timer *timer, uint64_t now_us)
{
	struct neigh *e = neigh_of(timer);

	if (e->state == NEIGH_REACHABLE && now_us - e->used_us <= e->table->net->cfg.arp_reach_us) {
		e->state = NEIGH_PROBE;
		e->nr_tries = 0;
	}
	if (e->state == NEIGH_INCOMPLETE)
		neigh_retry(e, ARP_MAX_TRIES, now_us);
	else if (e->state == NEIGH_PROBE)
		neigh_retry(e, ARP_MAX_PROBES, now_us);
	else
		neigh_remove(e);
}

/* What was only said is believed for now, and asked soon. */
static void entry_use(struct neigh *e)
{
	struct net *net = e->table->net;

	e->used_us = net->now_us;
	if (e->state != NEIGH_STALE)
		return;
	e->state = NEIGH_REACHABLE;
	timer_arm(&net->wheel, &e->timer, net->now_us + NEIGH_DELAY_US);
}

static const struct neigh_kind kind = {
	.eth_type = ETH_TYPE_IPV4,
	.full = DROP_ARP_FULL,
	.unresolved = DROP_ARP_UNRESOLVED,
	.ask = entry_ask,
	.use = entry_use,
	.timeout = entry_timeout,
};

/* The entry is resolved: believe it for a while. */
static void entry_resolve(struct neigh *e, const uint8_t *mac, bool is_confirmed)
{
	struct net *net = e->table->net;

	if (!is_confirmed && neigh_is_at(e, mac) &&
		(e->state == NEIGH_REACHABLE || e->state == NEIGH_PROBE))
		return; /* nothing new, and no proof of what is known */
	e->state = is_confirmed ? NEIGH_REACHABLE : NEIGH_STALE;
	timer_arm(&net->wheel, &e->timer, net->now_us + net->cfg.arp_reach_us);
	neigh_resolve(e, mac);
}

static struct neigh *entry_find(const struct net *net, uint32_t ip_v4)
{
	const struct ip_addr ip = ip_addr_from_v4(ip_v4);

	return neigh_find(&net->arp->cache, &ip);
}

static bool is_on_link(const struct net *net, uint32_t ip_v4)
{
	const struct net_v4 *n = ipv4_net_of(net, ip_v4);

	if (!n)
		return ip_v4 == net->gateway_v4 && ip_v4 != 0;
	if (ipv4_is_ours(net, ip_v4))
		return false;
	if (n->mask >= 0xfffffffeu) /* RFC 3021: no network or broadcast address */
		return true;
	return (ip_v4 & ~n->mask) != 0 && (ip_v4 & ~n->mask) != ~n->mask;
}

void arp_learn(struct net *net, uint32_t ip_v4, const uint8_t mac[NET_MAC_LEN], bool is_confirmed)
{
	const struct ip_addr ip = ip_addr_from_v4(ip_v4);
	struct neigh *e;

	if (!neigh_mac_is_usable(mac) || !is_on_link(net, ip_v4))
		return;
	e = entry_find(net, ip_v4);
	if (!e)
		e = neigh_add(&net->arp->cache, &ip);
	if (e)
		entry_resolve(e, mac, is_confirmed);
}

/* Learns from a packet addressed to us, and tells the other cores what they may be waiting for. */
static void learn_and_tell(struct net *net, uint32_t ip_v4, const uint8_t *mac, bool is_reply)
{
	const struct neigh *e = entry_find(net, ip_v4);
	const bool is_news = !e || e->state == NEIGH_INCOMPLETE || !neigh_is_at(e, mac);
	const struct ip_addr ip = ip_addr_from_v4(ip_v4);

	if (!neigh_mac_is_usable(mac) || !is_on_link(net, ip_v4))
		return;
	arp_learn(net, ip_v4, mac, is_reply);
	if ((is_news || is_reply) && net->ops->neigh_learned)
		net->ops->neigh_learned(net->ctx, &ip, mac, is_reply);
}

/* Someone else uses our address: say that it is ours, but not so often that two of us shout for
   ever. */
static void conflict_seen(struct net *net, uint32_t addr_v4)
{
	struct arp_table *t = net->arp;

	net_count(net, NET_CTR_ARP_CONFLICT);
	if (t->defended_us && net->now_us - t->defended_us < ARP_DEFEND_US)
		return;
	t->defended_us = net->now_us;
	packet_send(net, ARP_OP_REQUEST, eth_broadcast, NULL, addr_v4, addr_v4);
}

static bool packet_is_ours(const struct arp_hdr *h)
{
	return h->hrd == be16(1) && h->pro == be16(ETH_TYPE_IPV4) && h->hln == NET_MAC_LEN &&
	       h->pln == 4 && (h->op == be16(ARP_OP_REQUEST) || h->op == be16(ARP_OP_REPLY)) &&
	       !(h->sha[0] & 1);
}

void arp_input(struct net *net, struct pkt *p)
{
	struct arp_hdr h;
	uint32_t spa, tpa;
	bool is_reply, is_for_us;

	if (p->len < sizeof(h)) {
		net_drop(net, p, DROP_ARP_BAD);
		return;
	}
	memcpy(&h, p->data, sizeof(h));
	if (!packet_is_ours(&h)) {
		net_drop(net, p, DROP_ARP_BAD);
		return;
	}
	pkt_free(net->pool, p);
	spa = be32(h.spa);
	tpa = be32(h.tpa);
	is_reply = h.op == be16(ARP_OP_REPLY);
	if (ipv4_is_ours(net, spa)) {
		/* With our MAC as well it is our own, come back. With our MAC and another address
		 * it is the kernel behind a tap device: both ends of one have the same MAC. */
		if (memcmp(h.sha, net->cfg.mac, NET_MAC_LEN) != 0)
			conflict_seen(net, spa);
		return;
	}
	is_for_us = ipv4_is_ours(net, tpa);
	if (is_for_us)
		learn_and_tell(net, spa, h.sha, is_reply);
	else if (entry_find(net, spa))
		learn_and_tell(net, spa, h.sha, false);
	if (is_for_us && !is_reply) {
		net_count(net, NET_CTR_ARP_REQ_IN);
		packet_send(net, ARP_OP_REPLY, h.sha, h.sha, tpa, spa);
	}
}

bool arp_lookup(struct net *net, uint32_t next_hop_v4, uint8_t mac[NET_MAC_LEN])
{
	struct neigh *e = entry_find(net, next_hop_v4);

	if (!e || e->state == NEIGH_INCOMPLETE)
		return false;
	entry_use(e);
	memcpy(mac, e->mac, NET_MAC_LEN);
	return true;
}

void arp_output(struct net *net, struct pkt *p, uint32_t next_hop_v4)
{
	const struct ip_addr next_hop = ip_addr_from_v4(next_hop_v4);

	neigh_output(&net->arp->cache, p, &next_hop);
}

void arp_doubt_all(struct net *net)
{
	struct neigh_table *t = &net->arp->cache;

	/* Each serves until its probes, a second apart, stay unanswered. */
	for (uint32_t i = 0; i < net->cfg.max_arp; i++)
		if (t->entries[i].state == NEIGH_REACHABLE)
			timer_arm(&net->wheel, &t->entries[i].timer, net->now_us);
}

static void announce_all(struct net *net)
{
	for (uint32_t i = 0; i < net->nr_v4; i++)
		packet_send(
			net, ARP_OP_REQUEST, eth_broadcast, NULL, net->v4[i].addr, net->v4[i].addr);
}

static void announce_again(struct timer *timer, uint64_t now_us)
{
	struct arp_table *t =
		(struct arp_table *)((char *)timer - offsetof(struct arp_table, announce));

	announce_all(t->cache.net);
}

void arp_announce(struct net *net)
{
	announce_all(net);
	timer_arm(&net->wheel, &net->arp->announce, net->now_us + ARP_ANNOUNCE_US);
}

int arp_setup(struct net *net)
{
	struct arp_table *t = calloc(1, sizeof(*t));

	if (!t || neigh_setup(&t->cache, net, &kind, &net->cfg.gateway)) {
		free(t);
		return -ENOMEM;
	}
	timer_init(&t->announce, announce_again);
	net->arp = t;
	return 0;
}

void arp_teardown(struct net *net)
{
	struct arp_table *t = net->arp;

	if (!t)
		return;
	timer_cancel(&net->wheel, &t->announce);
	neigh_teardown(&t->cache);
	free(t);
	net->arp = NULL;
}
