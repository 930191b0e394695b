/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Solicitations and advertisements, and the test of our addresses.
 */
#include "dataplane/ip/nd.h"

#include "dataplane/ip/icmp6.h"
#include "dataplane/ip/ipv6.h"
#include "dataplane/ip/nd_priv.h"
#include "dataplane/ip/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ND_DAD_US     1000000u  /* RFC 4862, 5.1: one solicitation, RetransTimer */
#define ND_AGAIN_US   1000000u  /* between two unsolicited advertisements */
#define ND_DEFEND_US  10000000u /* how often an address in use is defended */
#define ND_TELL_PER_S 500u

/* --- out --- */

/* Sends a message with the option for our MAC, unless opt is 0. mac: see ipv6_output_link(). */
static void message_send(struct net *net, struct nd_hdr *h, uint8_t opt, const struct ip_addr *src,
	const struct ip_addr *dst, const uint8_t *mac)
{
	struct nd_lla lla = {.type = opt, .len = 1};
	struct pkt *p = pkt_alloc(net->pool);

	if (!p) {
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
		return;
	}
	memcpy(pkt_put(p, sizeof(*h)), h, sizeof(*h));
	memcpy(lla.mac, net->cfg.mac, NET_MAC_LEN);
	if (opt)
		memcpy(pkt_put(p, sizeof(lla)), &lla, sizeof(lla));
	icmp6_csum_set(p->data, p->len, src, dst);
	ipv6_output_link(net, p, src, dst, IP_PROTO_ICMPV6, ND_HOP_LIMIT, mac);
}

void nd_solicit(struct neigh *e)
{
	struct net *net = e->table->net;
	struct nd_hdr h = {.icmp.type = ICMP6_NS};
	const struct ip_addr group = ipv6_solicited_node(&e->ip);
	const uint8_t *mac = e->state == NEIGH_PROBE ? e->mac : NULL;
	struct ip_addr src;

	if (!ipv6_source(net, &e->ip, &src))
		return;
	memcpy(h.target, &e->ip, sizeof(h.target));
	net_count(net, NET_CTR_ND_SOLICIT_OUT);
	message_send(net, &h, ND_OPT_SLLA, &src, mac ? &e->ip : &group, mac);
}

/* The question of RFC 4862, 5.4.2: does anyone have this address? */
static void dad_solicit(struct net *net, const struct ip_addr *target)
{
	const struct ip_addr none = {{0, 0}}, group = ipv6_solicited_node(target);
	struct nd_hdr h = {.icmp.type = ICMP6_NS};

	memcpy(h.target, target, sizeof(h.target));
	net_count(net, NET_CTR_ND_SOLICIT_OUT);
	message_send(net, &h, 0, &none, &group, NULL);
}

static void advertise(struct net *net, const struct ip_addr *target, uint32_t flags,
	const struct ip_addr *dst, const uint8_t *mac)
{
	struct nd_hdr h = {.icmp.type = ICMP6_NA, .icmp.param = be32(flags)};

	memcpy(h.target, target, sizeof(h.target));
	message_send(net, &h, ND_OPT_TLLA, target, dst, mac);
}

static void advertise_to_all(struct net *net, const struct ip_addr *target)
{
	advertise(net, target, ND_NA_OVERRIDE, &ipv6_all_nodes, NULL);
}

/* --- our addresses --- */

static void addr_give_up(struct net *net, struct net_v6 *our)
{
	if (our->state == NET_V6_DUPLICATE)
		return;
	our->state = NET_V6_DUPLICATE;
	net_count(net, NET_CTR_ND_DUPLICATE);
}

void nd_addr_duplicate(struct net *net, const struct ip_addr *ip)
{
	struct net_v6 *our = ipv6_find(net, ip);

	if (our)
		addr_give_up(net, our);
}

/* Another station has our address. While we only try it, it is not ours; later we say that it is,
   but not so often that two of us shout for ever. */
static void conflict_seen(struct net *net, struct net_v6 *our)
{
	struct nd_table *t = net->nd;

	if (our->state == NET_V6_DUPLICATE)
		return;
	net_count(net, NET_CTR_ND_CONFLICT);
	if (our->state == NET_V6_TENTATIVE) {
		addr_give_up(net, our);
		if (net->ops->addr_duplicate)
			net->ops->addr_duplicate(net->ctx, &our->ip);
		return;
	}
	if (t->defended_us && net->now_us - t->defended_us < ND_DEFEND_US)
		return;
	t->defended_us = net->now_us;
	advertise_to_all(net, &our->ip);
}

static void advertise_valid(struct net *net)
{
	for (uint32_t i = 0; i < net->nr_v6; i++)
		if (net->v6[i].state == NET_V6_VALID)
			advertise_to_all(net, &net->v6[i].ip);
}

static void announce_again(struct timer *timer, uint64_t now_us)
{
	struct nd_table *t =
		(struct nd_table *)((char *)timer - offsetof(struct nd_table, announce));

	advertise_valid(t->cache.net);
}

void nd_announce(struct net *net)
{
	advertise_valid(net);
	timer_arm(&net->wheel, &net->nd->announce, net->now_us + ND_AGAIN_US);
}

/* Nobody has claimed an address that is still tentative: it is ours. */
static void start_done(struct timer *timer, uint64_t now_us)
{
	struct nd_table *t = (struct nd_table *)((char *)timer - offsetof(struct nd_table, start));
	struct net *net = t->cache.net;

	for (uint32_t i = 0; i < net->nr_v6; i++)
		if (net->v6[i].state == NET_V6_TENTATIVE)
			net->v6[i].state = NET_V6_VALID;
	if (t->is_speaker)
		nd_announce(net);
}

void nd_start(struct net *net, bool is_speaker)
{
	struct nd_table *t = net->nd;

	t->is_speaker = is_speaker;
	for (uint32_t i = 0; i < net->nr_v6; i++) {
		net->v6[i].state = NET_V6_TENTATIVE;
		if (is_speaker)
			dad_solicit(net, &net->v6[i].ip);
	}
	timer_arm(&net->wheel, &t->start, net->now_us + ND_DAD_US);
}

/* --- in --- */

/* Finds the option with a link-layer address among len bytes; *mac is NULL without one. False: the
   options are malformed (RFC 4861, 7.1). */
static bool options_parse(const uint8_t *opts, uint32_t len, uint8_t type, const uint8_t **mac)
{
	uint32_t at = 0;

	*mac = NULL;
	while (at < len) {
		uint32_t size;

		if (len - at < 8)
			return false;
		size = opts[at + 1] * 8u;
		if (size == 0 || size > len - at)
			return false;
		if (opts[at] == type && size == sizeof(struct nd_lla)) {
			*mac = opts + at + 2;
			if (!neigh_mac_is_usable(*mac))
				return false;
		}
		at += size;
	}
	return true;
}

/* Other cores may wait for this, or believe otherwise. */
static void tell(struct net *net, const struct ip_addr *ip, const uint8_t *mac, bool is_confirmed)
{
	if (net->ops->neigh_learned && ratelimit_allow(&net->nd->tell_limit, net->now_us))
		net->ops->neigh_learned(net->ctx, ip, mac, is_confirmed);
}

/* Only who is on the link can be a neighbour. */
static bool is_on_link(const struct net *net, const struct ip_addr *ip)
{
	struct ip_addr next_hop;

	return ip_addr_eq(ip, &net->cfg.gateway_v6) ? ipv6_is_assignable(ip)
						    : ipv6_route(net, ip, &next_hop) > 0;
}

void nd_learn(struct net *net, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN],
	bool is_confirmed)
{
	struct neigh_table *t = &net->nd->cache;
	struct neigh *e = neigh_find(t, ip);

	if (!neigh_mac_is_usable(mac) || !is_on_link(net, ip))
		return;
	if (!e && is_confirmed)
		e = neigh_add(t, ip);
	if (!e)
		return;
	if (is_confirmed || e->state == NEIGH_INCOMPLETE || !neigh_is_at(e, mac))
		nd_cache_resolve(e, mac, is_confirmed);
}

/* RFC 4861, 7.2.3: the one who asks is a neighbour, and where it says it is. */
static void asker_learn(struct net *net, const struct ip_addr *ip, const uint8_t *mac)
{
	struct neigh_table *t = &net->nd->cache;
	struct neigh *e = neigh_find(t, ip);

	if (!is_on_link(net, ip))
		return;
	if (e && e->state != NEIGH_INCOMPLETE && neigh_is_at(e, mac))
		return;
	if (!e)
		e = neigh_add(t, ip);
	if (!e)
		return;
	nd_cache_resolve(e, mac, false);
	tell(net, ip, mac, false);
}

/* p->data: the message, all of it borrowed. */
static void solicitation_input(
	struct net *net, const struct nd_hdr *h, const uint8_t *slla, const struct ip_meta *m)
{
	const struct ip_addr target = ip_addr_load(h->target);
	struct net_v6 *our = ipv6_find(net, &target);
	const bool is_dad = ip_addr_is_none(&m->src);

	if (!our || our->state == NET_V6_DUPLICATE)
		return;
	if (our->state == NET_V6_TENTATIVE) {
		/* Someone else is about to take it too, unless it is our own question come back;
		   who merely asks for it hears nothing. */
		if (is_dad && !m->is_own_mac)
			conflict_seen(net, our);
		return;
	}
	net_count(net, NET_CTR_ND_SOLICIT_IN);
	if (is_dad) {
		advertise_to_all(net, &target);
		return;
	}
	if (!ipv6_is_source_possible(net, &m->src) || !is_on_link(net, &m->src))
		return;
	if (slla)
		asker_learn(net, &m->src, slla);
	advertise(net, &target, ND_NA_SOLICITED | ND_NA_OVERRIDE, &m->src, slla);
}

/* RFC 4861, 7.2.5. */
static void advertisement_input(
	struct net *net, const struct nd_hdr *h, const uint8_t *tlla, const struct ip_meta *m)
{
	const struct ip_addr target = ip_addr_load(h->target);
	const uint32_t flags = be32(h->icmp.param);
	const bool is_solicited = flags & ND_NA_SOLICITED;
	struct net_v6 *our = ipv6_find(net, &target);
	struct neigh *e;

	net_count(net, NET_CTR_ND_ADVERT_IN);
	if (our) {
		/* We send none for a tentative address: then even with our MAC it is another. */
		if (our->state == NET_V6_TENTATIVE || !m->is_own_mac)
			conflict_seen(net, our);
		return;
	}
	if (!is_on_link(net, &target))
		return;
	if (tlla && is_solicited)
		tell(net, &target, tlla, true);
	e = neigh_find(&net->nd->cache, &target);
	if (!e)
		return;
	if (e->state == NEIGH_INCOMPLETE) {
		if (tlla)
			nd_cache_resolve(e, tlla, is_solicited);
		return;
	}
	if (tlla && !neigh_is_at(e, tlla)) {
		if (flags & ND_NA_OVERRIDE) {
			nd_cache_resolve(e, tlla, is_solicited);
			if (!is_solicited)
				tell(net, &target, tlla, false);
		} else if (e->state == NEIGH_REACHABLE) {
			nd_cache_doubt(e);
		}
		return;
	}
	if (is_solicited)
		nd_cache_confirm(e);
}

/* RFC 4861, 7.1.1 and 7.1.2. */
static bool message_check(
	const struct pkt *p, const struct nd_hdr *h, const struct ip_meta *m, const uint8_t *slla)
{
	const struct ip_addr target = ip_addr_load(h->target);

	if (!ipv6_is_assignable(&target))
		return false;
	if (h->icmp.type == ICMP6_NA)
		return !ip_addr_is_none(&m->src) &&
		       !(m->is_multi && (be32(h->icmp.param) & ND_NA_SOLICITED));
	if (ip_addr_is_none(&m->src)) {
		const struct ip_addr group = ipv6_solicited_node(&target);

		return ip_addr_eq(&m->dst, &group) && !slla;
	}
	return true;
}

void nd_input(struct net *net, struct pkt *p, const struct ip_meta *m)
{
	const uint8_t *mac;
	struct nd_hdr h;

	if (p->len < sizeof(h))
		goto bad;
	memcpy(&h, p->data, sizeof(h));
	if (!options_parse(p->data + sizeof(h), p->len - (uint32_t)sizeof(h),
		    h.icmp.type == ICMP6_NS ? ND_OPT_SLLA : ND_OPT_TLLA, &mac) ||
		!message_check(p, &h, m, mac))
		goto bad;
	if (h.icmp.type == ICMP6_NS)
		solicitation_input(net, &h, mac, m);
	else
		advertisement_input(net, &h, mac, m);
	pkt_free(net->pool, p);
	return;
bad:
	net_drop(net, p, DROP_ND_BAD);
}

void nd_output(struct net *net, struct pkt *p, const struct ip_addr *next_hop)
{
	neigh_output(&net->nd->cache, p, next_hop);
}

int nd_setup(struct net *net)
{
	struct nd_table *t = calloc(1, sizeof(*t));

	if (!t || neigh_setup(&t->cache, net, &nd_kind, &net->cfg.gateway_v6)) {
		free(t);
		return -ENOMEM;
	}
	timer_init(&t->start, start_done);
	timer_init(&t->announce, announce_again);
	ratelimit_init(&t->tell_limit, ND_TELL_PER_S, net->now_us);
	net->nd = t;
	return 0;
}

void nd_teardown(struct net *net)
{
	struct nd_table *t = net->nd;

	if (!t)
		return;
	timer_cancel(&net->wheel, &t->start);
	timer_cancel(&net->wheel, &t->announce);
	neigh_teardown(&t->cache);
	free(t);
	net->nd = NULL;
}
