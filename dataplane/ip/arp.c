/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ARP table, resolution and answers.
 */
#include "dataplane/ip/arp.h"

#include "dataplane/ip/eth.h"
#include "dataplane/ip/ipv4.h"
#include "dataplane/ip/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARP_RETRY_US      1000000u
#define ARP_MAX_TRIES     5u
#define ARP_MAX_PROBES    3u
#define ARP_DELAY_US      5000000u /* RFC 4861, DELAY_FIRST_PROBE_TIME */
#define ARP_WAIT_PER_ENT  64u
#define ARP_WAIT_TOTAL    512u
#define ARP_ANNOUNCE_US   2000000u
#define ARP_DEFEND_US     10000000u /* RFC 5227, DEFEND_INTERVAL */
#define ARP_REQUEST_PER_S 200u

enum arp_state { ARP_FREE, ARP_INCOMPLETE, ARP_STALE, ARP_REACHABLE, ARP_PROBING };

struct arp_entry {
	struct arp_entry *next; /* in its bucket, or in the free list */
	struct net *net;
	struct timer timer;
	struct pkt *wait_head;
	struct pkt *wait_tail;
	uint64_t used_us; /* when a packet last went by this entry */
	uint32_t ip_v4;
	uint8_t mac[NET_MAC_LEN];
	uint8_t state;
	uint8_t nr_tries;
	uint8_t nr_wait;
};

struct arp_table {
	struct arp_entry **buckets;
	struct arp_entry *entries;
	struct arp_entry *free;
	uint32_t mask;
	uint32_t nr_wait;
	struct net *net;
	struct timer announce;
	struct ratelimit request_limit;
	uint64_t defended_us;
};

const uint8_t eth_broadcast[NET_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct arp_entry **bucket_of(struct arp_table *t, uint32_t ip_v4)
{
	return &t->buckets[(ip_v4 * 0x9e3779b1u >> 16) & t->mask];
}

static struct arp_entry *entry_find(struct arp_table *t, uint32_t ip_v4)
{
	struct arp_entry *e = *bucket_of(t, ip_v4);

	while (e && e->ip_v4 != ip_v4)
		e = e->next;
	return e;
}

/* Drops the packets that wait for the entry. */
static void entry_flush(struct arp_table *t, struct arp_entry *e)
{
	while (e->wait_head) {
		struct pkt *p = e->wait_head;

		e->wait_head = p->next;
		p->next = NULL;
		t->nr_wait--;
		net_drop(t->net, p, DROP_ARP_UNRESOLVED);
	}
	e->wait_tail = NULL;
	e->nr_wait = 0;
}

static void entry_remove(struct arp_table *t, struct arp_entry *e)
{
	struct arp_entry **at = bucket_of(t, e->ip_v4);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	timer_cancel(&t->net->wheel, &e->timer);
	entry_flush(t, e);
	t->net->neigh_gen++;
	e->state = ARP_FREE;
	e->next = t->free;
	t->free = e;
}

/* What to give up for a new entry: one that never resolved before one that did, the least recently
   used among them; never the gateway. */
static struct arp_entry *entry_victim(struct arp_table *t)
{
	struct arp_entry *best = NULL;

	for (uint32_t i = 0; i < t->net->cfg.max_arp; i++) {
		struct arp_entry *e = &t->entries[i];
		bool is_worse;

		if (e->state == ARP_FREE || e->ip_v4 == t->net->gateway_v4)
			continue;
		if (!best) {
			best = e;
			continue;
		}
		if ((e->state == ARP_INCOMPLETE) != (best->state == ARP_INCOMPLETE))
			is_worse = e->state == ARP_INCOMPLETE;
		else
			is_worse = e->used_us < best->used_us;
		if (is_worse)
			best = e;
	}
	return best;
}

static void entry_timeout(struct timer *timer, uint64_t now_us);

static struct arp_entry *entry_add(struct arp_table *t, uint32_t ip_v4)
{
	struct arp_entry **bucket = bucket_of(t, ip_v4);
	struct arp_entry *e;

	if (!t->free) {
		e = entry_victim(t);
		if (!e)
			return NULL;
		entry_remove(t, e);
	}
	e = t->free;
	t->free = e->next;
	memset(e, 0, sizeof(*e));
	e->net = t->net;
	e->ip_v4 = ip_v4;
	e->used_us = t->net->now_us;
	timer_init(&e->timer, entry_timeout);
	e->next = *bucket;
	*bucket = e;
	return e;
}

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

static void request_send(struct arp_table *t, const uint8_t *eth_dst, uint32_t ip_v4)
{
	if (!ratelimit_allow(&t->request_limit, t->net->now_us))
		return;
	net_count(t->net, NET_CTR_ARP_REQ_OUT);
	packet_send(t->net, ARP_OP_REQUEST, eth_dst, NULL, ipv4_source(t->net, ip_v4), ip_v4);
}

static void entry_timeout(struct timer *timer, uint64_t now_us)
{
	struct arp_entry *e =
		(struct arp_entry *)((char *)timer - offsetof(struct arp_entry, timer));
	struct arp_table *t = e->net->arp;
	unsigned max = ARP_MAX_PROBES;

	switch (e->state) {
	case ARP_STALE: entry_remove(t, e); return;
	case ARP_REACHABLE:
		if (now_us - e->used_us > e->net->cfg.arp_reach_us) {
			entry_remove(t, e);
			return;
		}
		e->state = ARP_PROBING;
		e->nr_tries = 0;
		break;
	case ARP_INCOMPLETE: max = ARP_MAX_TRIES; break;
	default: break;
	}
	if (e->nr_tries >= max) {
		entry_remove(t, e);
		return;
	}
	e->nr_tries++;
	request_send(t, e->state == ARP_PROBING ? e->mac : eth_broadcast, e->ip_v4);
	timer_arm(&e->net->wheel, &e->timer, now_us + ARP_RETRY_US);
}

/* A packet goes by the entry. What was only said is believed for now, and asked soon. */
static void entry_use(struct arp_table *t, struct arp_entry *e)
{
	e->used_us = t->net->now_us;
	if (e->state != ARP_STALE)
		return;
	e->state = ARP_REACHABLE;
	timer_arm(&t->net->wheel, &e->timer, e->used_us + ARP_DELAY_US);
}

/* The entry is resolved: believe it for a while and send what waited. */
static void entry_resolve(
	struct arp_table *t, struct arp_entry *e, const uint8_t *mac, bool is_confirmed)
{
	struct pkt *p = e->wait_head;
	const bool is_same = memcmp(e->mac, mac, NET_MAC_LEN) == 0;

	if (!is_confirmed && is_same && (e->state == ARP_REACHABLE || e->state == ARP_PROBING))
		return; /* nothing new, and no proof of what is known */
	if (!is_same)
		t->net->neigh_gen++;
	memcpy(e->mac, mac, NET_MAC_LEN);
	e->state = is_confirmed ? ARP_REACHABLE : ARP_STALE;
	e->wait_head = e->wait_tail = NULL;
	t->nr_wait -= e->nr_wait;
	e->nr_wait = 0;
	timer_arm(&t->net->wheel, &e->timer, t->net->now_us + t->net->cfg.arp_reach_us);
	if (p)
		entry_use(t, e);
	while (p) {
		struct pkt *next = p->next;

		p->next = NULL;
		eth_output(t->net, p, mac, ETH_TYPE_IPV4);
		p = next;
	}
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

static bool is_mac_usable(const uint8_t *mac)
{
	static const uint8_t zero[NET_MAC_LEN];

	return !(mac[0] & 1) && memcmp(mac, zero, NET_MAC_LEN) != 0;
}

void arp_learn(struct net *net, uint32_t ip_v4, const uint8_t mac[NET_MAC_LEN], bool is_confirmed)
{
	struct arp_table *t = net->arp;
	struct arp_entry *e;

	if (!is_mac_usable(mac) || !is_on_link(net, ip_v4))
		return;
	e = entry_find(t, ip_v4);
	if (!e)
		e = entry_add(t, ip_v4);
	if (e)
		entry_resolve(t, e, mac, is_confirmed);
}

/* Learns from a packet addressed to us, and tells the other cores what they may be waiting for. */
static void learn_and_tell(struct net *net, uint32_t ip_v4, const uint8_t *mac, bool is_reply)
{
	struct arp_entry *e = entry_find(net->arp, ip_v4);
	const bool is_news = !e || e->state == ARP_INCOMPLETE || memcmp(e->mac, mac, NET_MAC_LEN);
	const struct ip_addr ip = ip_addr_from_v4(ip_v4);

	if (!is_mac_usable(mac) || !is_on_link(net, ip_v4))
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
	else if (entry_find(net->arp, spa))
		learn_and_tell(net, spa, h.sha, false);
	if (is_for_us && !is_reply) {
		net_count(net, NET_CTR_ARP_REQ_IN);
		packet_send(net, ARP_OP_REPLY, h.sha, h.sha, tpa, spa);
	}
}

/* Puts p in the entry's queue; when that is full the oldest goes, when all queues are, p does. */
static void entry_wait(struct arp_table *t, struct arp_entry *e, struct pkt *p)
{
	if (e->nr_wait >= ARP_WAIT_PER_ENT) {
		struct pkt *old = e->wait_head;

		e->wait_head = old->next;
		if (!e->wait_head)
			e->wait_tail = NULL;
		old->next = NULL;
		e->nr_wait--;
		t->nr_wait--;
		net_drop(t->net, old, DROP_ARP_FULL);
	}
	if (t->nr_wait >= ARP_WAIT_TOTAL) {
		net_drop(t->net, p, DROP_ARP_FULL);
		return;
	}
	p->next = NULL;
	if (e->wait_tail)
		e->wait_tail->next = p;
	else
		e->wait_head = p;
	e->wait_tail = p;
	e->nr_wait++;
	t->nr_wait++;
}

bool arp_lookup(struct net *net, uint32_t next_hop_v4, uint8_t mac[NET_MAC_LEN])
{
	struct arp_entry *e = entry_find(net->arp, next_hop_v4);

	if (!e || e->state == ARP_INCOMPLETE)
		return false;
	entry_use(net->arp, e);
	memcpy(mac, e->mac, NET_MAC_LEN);
	return true;
}

void arp_output(struct net *net, struct pkt *p, uint32_t next_hop_v4)
{
	struct arp_table *t = net->arp;
	struct arp_entry *e = entry_find(t, next_hop_v4);

	if (e && e->state != ARP_INCOMPLETE) {
		entry_use(t, e);
		eth_output(net, p, e->mac, ETH_TYPE_IPV4);
		return;
	}
	if (!e) {
		e = entry_add(t, next_hop_v4);
		if (!e) {
			net_drop(net, p, DROP_ARP_FULL);
			return;
		}
		e->state = ARP_INCOMPLETE;
		e->nr_tries = 1;
		timer_arm(&net->wheel, &e->timer, net->now_us + ARP_RETRY_US);
		request_send(t, eth_broadcast, next_hop_v4);
	}
	entry_wait(t, e, p);
}

void arp_doubt_all(struct net *net)
{
	struct arp_table *t = net->arp;

	/* Each serves until its probes, a second apart, stay unanswered. */
	for (uint32_t i = 0; i < net->cfg.max_arp; i++)
		if (t->entries[i].state == ARP_REACHABLE)
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

	announce_all(t->net);
}

void arp_announce(struct net *net)
{
	announce_all(net);
	timer_arm(&net->wheel, &net->arp->announce, net->now_us + ARP_ANNOUNCE_US);
}

int arp_setup(struct net *net)
{
	struct arp_table *t = calloc(1, sizeof(*t));
	uint32_t nr_buckets = 16;

	if (!t)
		return -ENOMEM;
	while (nr_buckets < net->cfg.max_arp)
		nr_buckets *= 2;
	t->net = net;
	t->mask = nr_buckets - 1;
	t->buckets = calloc(nr_buckets, sizeof(*t->buckets));
	t->entries = calloc(net->cfg.max_arp, sizeof(*t->entries));
	if (!t->buckets || !t->entries) {
		free(t->buckets);
		free(t->entries);
		free(t);
		return -ENOMEM;
	}
	for (uint32_t i = net->cfg.max_arp; i > 0; i--) {
		t->entries[i - 1].next = t->free;
		t->free = &t->entries[i - 1];
	}
	timer_init(&t->announce, announce_again);
	ratelimit_init(&t->request_limit, ARP_REQUEST_PER_S, net->now_us);
	net->arp = t;
	return 0;
}

void arp_teardown(struct net *net)
{
	struct arp_table *t = net->arp;

	if (!t)
		return;
	for (uint32_t i = 0; i < net->cfg.max_arp; i++) {
		if (t->entries[i].state != ARP_FREE)
			entry_remove(t, &t->entries[i]);
	}
	timer_cancel(&net->wheel, &t->announce);
	free(t->buckets);
	free(t->entries);
	free(t);
	net->arp = NULL;
}
