/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of neighbours and the states of its entries.
 */
#include "dataplane/ip/nd_priv.h"

#include "dataplane/ip/eth.h"
#include "dataplane/ip/ipv6.h"
#include "dataplane/ip/siphash.h"
#include "dataplane/ip/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4861, 10 */
#define ND_RETRANS_US 1000000u
#define ND_MAX_TRIES  3u
#define ND_DELAY_US   5000000u

#define ND_WAIT_PER_ENT  64u
#define ND_WAIT_TOTAL    512u
#define ND_SOLICIT_PER_S 200u
#define ND_TELL_PER_S    500u

static struct nd_entry **bucket_of(struct nd_table *t, const struct ip_addr *ip)
{
	const uint64_t x = (ip->w[0] ^ ip->w[1] * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;

	return &t->buckets[(x >> 32) & t->mask];
}

struct nd_entry *nd_cache_find(struct nd_table *t, const struct ip_addr *ip)
{
	struct nd_entry *e = *bucket_of(t, ip);

	while (e && !ip_addr_eq(&e->ip, ip))
		e = e->next;
	return e;
}

/* Drops the packets that wait for the entry. */
static void entry_flush(struct nd_table *t, struct nd_entry *e)
{
	while (e->wait_head) {
		struct pkt *p = e->wait_head;

		e->wait_head = p->next;
		p->next = NULL;
		t->nr_wait--;
		net_drop(t->net, p, DROP_ND_UNRESOLVED);
	}
	e->wait_tail = NULL;
	e->nr_wait = 0;
}

static void entry_remove(struct nd_table *t, struct nd_entry *e)
{
	struct nd_entry **at = bucket_of(t, &e->ip);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	timer_cancel(&t->net->wheel, &e->timer);
	entry_flush(t, e);
	e->state = ND_FREE;
	e->next = t->free;
	t->free = e;
}

/* What to give up for a new entry: one that never resolved before one that did, the least recently
   used among them; never the router. */
static struct nd_entry *entry_victim(struct nd_table *t)
{
	struct nd_entry *best = NULL;

	for (uint32_t i = 0; i < t->net->cfg.max_arp; i++) {
		struct nd_entry *e = &t->entries[i];
		bool is_worse;

		if (e->state == ND_FREE || ip_addr_eq(&e->ip, &t->net->cfg.gateway_v6))
			continue;
		if (!best) {
			best = e;
			continue;
		}
		if ((e->state == ND_INCOMPLETE) != (best->state == ND_INCOMPLETE))
			is_worse = e->state == ND_INCOMPLETE;
		else
			is_worse = e->used_us < best->used_us;
		if (is_worse)
			best = e;
	}
	return best;
}

static void entry_timeout(struct timer *timer, uint64_t now_us);

struct nd_entry *nd_cache_add(struct nd_table *t, const struct ip_addr *ip)
{
	struct nd_entry **bucket = bucket_of(t, ip);
	struct nd_entry *e;

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
	e->ip = *ip;
	e->state = ND_INCOMPLETE;
	e->used_us = t->net->now_us;
	timer_init(&e->timer, entry_timeout);
	e->next = *bucket;
	*bucket = e;
	return e;
}

static void entry_timeout(struct timer *timer, uint64_t now_us)
{
	struct nd_entry *e = (struct nd_entry *)((char *)timer - offsetof(struct nd_entry, timer));
	struct nd_table *t = e->net->nd;

	if (e->state == ND_DELAY) {
		e->state = ND_PROBE;
		e->nr_tries = 0;
	}
	if (e->nr_tries >= ND_MAX_TRIES) {
		if (e->state == ND_PROBE)
			net_count(e->net, NET_CTR_ND_UNREACHABLE);
		entry_remove(t, e);
		return;
	}
	e->nr_tries++;
	nd_solicit(t, &e->ip, e->state == ND_PROBE ? e->mac : NULL);
	timer_arm(&e->net->wheel, &e->timer, now_us + ND_RETRANS_US);
}

/* RFC 4861, 6.3.2: between half and one and a half times the base, so that not all ask at once. */
static uint64_t reachable_us(struct nd_table *t)
{
	const struct siphash_key key = siphash_key_load(t->net->cfg.secret);
	const uint64_t base = t->net->cfg.nd_reach_us;
	const uint64_t input[2] = {t->nr_randoms++, t->net->now_us};

	return base / 2 + siphash(&key, input, sizeof(input)) % (base + 1);
}

void nd_cache_confirm(struct nd_table *t, struct nd_entry *e)
{
	e->state = ND_REACHABLE;
	e->reach_until_us = t->net->now_us + reachable_us(t);
	timer_cancel(&t->net->wheel, &e->timer);
}

void nd_cache_doubt(struct nd_table *t, struct nd_entry *e)
{
	if (e->state == ND_INCOMPLETE)
		return;
	e->state = ND_STALE;
	timer_cancel(&t->net->wheel, &e->timer);
}

void nd_doubt_all(struct net *net)
{
	struct nd_table *t = net->nd;

	for (uint32_t i = 0; i < net->cfg.max_arp; i++)
		if (t->entries[i].state != ND_FREE)
			nd_cache_doubt(t, &t->entries[i]);
}

void nd_cache_resolve(struct nd_table *t, struct nd_entry *e, const uint8_t *mac, bool is_confirmed)
{
	struct pkt *p = e->wait_head;

	memcpy(e->mac, mac, NET_MAC_LEN);
	e->state = ND_STALE;
	if (is_confirmed)
		nd_cache_confirm(t, e);
	else
		nd_cache_doubt(t, e);
	e->wait_head = e->wait_tail = NULL;
	t->nr_wait -= e->nr_wait;
	e->nr_wait = 0;
	while (p) {
		struct pkt *next = p->next;

		p->next = NULL;
		nd_output(t->net, p, &e->ip);
		p = next;
	}
}

/* Puts p in the entry's queue; when that is full the oldest goes, when all queues are, p does. */
static void entry_wait(struct nd_table *t, struct nd_entry *e, struct pkt *p)
{
	if (e->nr_wait >= ND_WAIT_PER_ENT) {
		struct pkt *old = e->wait_head;

		e->wait_head = old->next;
		if (!e->wait_head)
			e->wait_tail = NULL;
		old->next = NULL;
		e->nr_wait--;
		t->nr_wait--;
		net_drop(t->net, old, DROP_ND_FULL);
	}
	if (t->nr_wait >= ND_WAIT_TOTAL) {
		net_drop(t->net, p, DROP_ND_FULL);
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

/* A packet goes by the entry: is it time to ask whether the station is still there? */
static void entry_use(struct nd_table *t, struct nd_entry *e)
{
	e->used_us = t->net->now_us;
	if (e->state == ND_REACHABLE && t->net->now_us >= e->reach_until_us)
		e->state = ND_STALE;
	if (e->state != ND_STALE)
		return;
	e->state = ND_DELAY;
	timer_arm(&t->net->wheel, &e->timer, t->net->now_us + ND_DELAY_US);
}

void nd_output(struct net *net, struct pkt *p, const struct ip_addr *next_hop)
{
	struct nd_table *t = net->nd;
	struct nd_entry *e = nd_cache_find(t, next_hop);

	if (e && e->state != ND_INCOMPLETE) {
		entry_use(t, e);
		eth_output(net, p, e->mac, ETH_TYPE_IPV6);
		return;
	}
	if (!e) {
		e = nd_cache_add(t, next_hop);
		if (!e) {
			net_drop(net, p, DROP_ND_FULL);
			return;
		}
		e->nr_tries = 1;
		timer_arm(&net->wheel, &e->timer, net->now_us + ND_RETRANS_US);
		nd_solicit(t, next_hop, NULL);
	}
	entry_wait(t, e, p);
}

int nd_cache_setup(struct net *net)
{
	struct nd_table *t = calloc(1, sizeof(*t));
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
	ratelimit_init(&t->solicit_limit, ND_SOLICIT_PER_S, net->now_us);
	ratelimit_init(&t->tell_limit, ND_TELL_PER_S, net->now_us);
	net->nd = t;
	return 0;
}

void nd_cache_teardown(struct net *net)
{
	struct nd_table *t = net->nd;

	for (uint32_t i = 0; i < net->cfg.max_arp; i++) {
		if (t->entries[i].state != ND_FREE)
			entry_remove(t, &t->entries[i]);
	}
	free(t->buckets);
	free(t->entries);
	free(t);
	net->nd = NULL;
}
