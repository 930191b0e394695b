/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ip/neigh.h"

#include "dataplane/ip/eth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_PER_ENTRY 64u
#define WAIT_TOTAL     512u
#define ASK_PER_S      200u

static struct neigh **bucket_of(const struct neigh_table *t, const struct ip_addr *ip)
{
	const uint64_t x = (ip->w[0] ^ ip->w[1] * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;

	return &t->buckets[(x >> 32) & t->mask];
}

struct neigh *neigh_find(const struct neigh_table *t, const struct ip_addr *ip)
{
	struct neigh *e = *bucket_of(t, ip);

	while (e && !ip_addr_eq(&e->ip, ip))
		e = e->next;
	return e;
}

/* The first of those that wait. */
static struct pkt *wait_pop(struct neigh *e)
{
	struct pkt *p = e->wait_head;

	e->wait_head = p->next;
	if (!e->wait_head)
		e->wait_tail = NULL;
	p->next = NULL;
	e->nr_wait--;
	e->table->nr_wait--;
	return p;
}

/* Puts p in the entry's queue; when that is full the oldest goes, when all queues are, p does. */
static void wait_push(struct neigh *e, struct pkt *p)
{
	struct neigh_table *t = e->table;

	if (e->nr_wait >= WAIT_PER_ENTRY)
		net_drop(t->net, wait_pop(e), t->kind->full);
	if (t->nr_wait >= WAIT_TOTAL) {
		net_drop(t->net, p, t->kind->full);
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

void neigh_remove(struct neigh *e)
{
	struct neigh_table *t = e->table;
	struct neigh **at = bucket_of(t, &e->ip);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	timer_cancel(&t->net->wheel, &e->timer);
	while (e->wait_head)
		net_drop(t->net, wait_pop(e), t->kind->unresolved);
	t->net->neigh_gen++;
	e->state = NEIGH_FREE;
	e->next = t->free;
	t->free = e;
}

/* What to give up for a new entry: one that never resolved before one that did, the least recently
   used among them; never the gateway. */
static struct neigh *victim_find(struct neigh_table *t)
{
	struct neigh *best = NULL;

	for (uint32_t i = 0; i < t->net->cfg.max_arp; i++) {
		struct neigh *e = &t->entries[i];
		bool is_worse;

		if (e->state == NEIGH_FREE || ip_addr_eq(&e->ip, &t->gateway))
			continue;
		if (!best) {
			best = e;
			continue;
		}
		if ((e->state == NEIGH_INCOMPLETE) != (best->state == NEIGH_INCOMPLETE))
			is_worse = e->state == NEIGH_INCOMPLETE;
		else
			is_worse = e->used_us < best->used_us;
		if (is_worse)
			best = e;
	}
	return best;
}

struct neigh *neigh_add(struct neigh_table *t, const struct ip_addr *ip)
{
	struct neigh **bucket = bucket_of(t, ip);
	struct neigh *e;

	if (!t->free) {
		e = victim_find(t);
		if (!e)
			return NULL;
		neigh_remove(e);
	}
	e = t->free;
	t->free = e->next;
	memset(e, 0, sizeof(*e));
	e->table = t;
	e->ip = *ip;
	e->state = NEIGH_INCOMPLETE;
	e->used_us = t->net->now_us;
	timer_init(&e->timer, t->kind->timeout);
	e->next = *bucket;
	*bucket = e;
	return e;
}

static void ask(struct neigh *e)
{
	struct neigh_table *t = e->table;

	if (ratelimit_allow(&t->ask_limit, t->net->now_us))
		t->kind->ask(e);
}

void neigh_retry(struct neigh *e, unsigned max, uint64_t now_us)
{
	if (e->nr_tries >= max) {
		neigh_remove(e);
		return;
	}
	e->nr_tries++;
	ask(e);
	timer_arm(&e->table->net->wheel, &e->timer, now_us + NEIGH_RETRY_US);
}

void neigh_resolve(struct neigh *e, const uint8_t mac[NET_MAC_LEN])
{
	struct neigh_table *t = e->table;

	if (!neigh_is_at(e, mac))
		t->net->neigh_gen++;
	memcpy(e->mac, mac, NET_MAC_LEN);
	if (e->wait_head)
		t->kind->use(e);
	while (e->wait_head)
		eth_output(t->net, wait_pop(e), e->mac, t->kind->eth_type);
}

void neigh_output(struct neigh_table *t, struct pkt *p, const struct ip_addr *next_hop)
{
	struct neigh *e = neigh_find(t, next_hop);

	if (e && e->state != NEIGH_INCOMPLETE) {
		t->kind->use(e);
		eth_output(t->net, p, e->mac, t->kind->eth_type);
		return;
	}
	if (!e) {
		e = neigh_add(t, next_hop);
		if (!e) {
			net_drop(t->net, p, t->kind->full);
			return;
		}
		neigh_retry(e, 1, t->net->now_us);
	}
	wait_push(e, p);
}

bool neigh_mac_is_usable(const uint8_t mac[NET_MAC_LEN])
{
	static const uint8_t zero[NET_MAC_LEN];

	return !(mac[0] & 1) && memcmp(mac, zero, NET_MAC_LEN) != 0;
}

int neigh_setup(struct neigh_table *t, struct net *net, const struct neigh_kind *kind,
	const struct ip_addr *gateway)
{
	uint32_t nr_buckets = 16;

	while (nr_buckets < net->cfg.max_arp)
		nr_buckets *= 2;
	t->kind = kind;
	t->net = net;
	t->gateway = *gateway;
	t->mask = nr_buckets - 1;
	t->nr_wait = 0;
	t->free = NULL;
	t->buckets = calloc(nr_buckets, sizeof(*t->buckets));
	t->entries = calloc(net->cfg.max_arp, sizeof(*t->entries));
	if (!t->buckets || !t->entries) {
		free(t->buckets);
		free(t->entries);
		return -ENOMEM;
	}
	for (uint32_t i = net->cfg.max_arp; i > 0; i--) {
		t->entries[i - 1].next = t->free;
		t->free = &t->entries[i - 1];
	}
	ratelimit_init(&t->ask_limit, ASK_PER_S, net->now_us);
	return 0;
}

void neigh_teardown(struct neigh_table *t)
{
	for (uint32_t i = 0; i < t->net->cfg.max_arp; i++) {
		if (t->entries[i].state != NEIGH_FREE)
			neigh_remove(&t->entries[i]);
	}
	free(t->buckets);
	free(t->entries);
}
