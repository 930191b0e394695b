/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv6 input checks, output, routing and the choice of a source address.
 */
#include "dataplane/ip/ipv6.h"

#include "dataplane/ip/eth.h"
#include "dataplane/ip/icmp6.h"
#include "dataplane/ip/ipv6_ext.h"
#include "dataplane/ip/nd.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#define LINK_LOCAL_BITS 64

const struct ip_addr ipv6_all_nodes = {{0x2ff, 0x0100000000000000}}; /* ff02::1 */
static const struct ip_addr loopback = {{0, 0x0100000000000000}};    /* ::1 */

/* RFC 4291, appendix A: the interface identifier from the MAC. */
static struct ip_addr link_local_of(const uint8_t mac[NET_MAC_LEN])
{
	const uint8_t b[16] = {
		0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	return ip_addr_load(b);
}

bool ipv6_is_assignable(const struct ip_addr *ip)
{
	return !ip_addr_is_none(ip) && !ip_addr_is_v4(ip) && !ip_addr_is_multicast_v6(ip) &&
	       !ip_addr_eq(ip, &loopback);
}

void ipv6_setup(struct net *net)
{
	const struct net_cfg *cfg = &net->cfg;
	bool has_v6 = false;

	net->v6[0] = (struct net_v6){link_local_of(cfg->mac), LINK_LOCAL_BITS, NET_V6_VALID};
	for (uint32_t i = 0; i < cfg->nr_addrs; i++) {
		const struct net_addr *a = &cfg->addrs[i];

		if (ip_addr_is_v4(&a->ip))
			continue;
		if (!has_v6)
			net->nr_v6 = 1;
		if (!has_v6 && ip_addr_is_link_local_v6(&a->ip))
			net->v6[0].ip = a->ip; /* instead of the one made from the MAC */
		else if (!ipv6_find(net, &a->ip))
			net->v6[net->nr_v6++] = (struct net_v6){a->ip, a->prefix_len, NET_V6_VALID};
		has_v6 = true;
	}
}

struct net_v6 *ipv6_find(struct net *net, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < net->nr_v6; i++)
		if (ip_addr_eq(&net->v6[i].ip, ip))
			return &net->v6[i];
	return NULL;
}

struct ip_addr ipv6_solicited_node(const struct ip_addr *ip)
{
	uint8_t b[16] = {0xff, 2, [11] = 1, [12] = 0xff};

	memcpy(b + 13, (const uint8_t *)ip + 13, 3);
	return ip_addr_load(b);
}

void ipv6_group_mac(const struct ip_addr *group, uint8_t mac[NET_MAC_LEN])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, (const uint8_t *)group + 12, 4);
}

/* A group that we are in. */
static bool is_our_group(const struct net *net, const struct ip_addr *dst)
{
	if (ip_addr_eq(dst, &ipv6_all_nodes))
		return true;
	for (uint32_t i = 0; i < net->nr_v6; i++) {
		const struct ip_addr group = ipv6_solicited_node(&net->v6[i].ip);

		if (ip_addr_eq(dst, &group))
			return true;
	}
	return false;
}

bool ipv6_is_source_possible(struct net *net, const struct ip_addr *src)
{
	return ipv6_is_assignable(src) && !ipv6_find(net, src);
}

/* No address of ours, nor none, comes from outside but in neighbour discovery, which judges them
   itself. */
static bool source_accept(struct net *net, const struct ip_meta *m)
{
	if (m->proto == IP_PROTO_ICMPV6 && (ip_addr_is_none(&m->src) || ipv6_find(net, &m->src)))
		return true;
	return ipv6_is_source_possible(net, &m->src);
}

/* Is the destination ours? Multicast sets m->is_multi. Nothing but neighbour discovery may reach an
   address that is not yet known to be ours alone. */
static bool dst_accept(struct net *net, struct ip_meta *m)
{
	const struct net_v6 *our;

	if (ip_addr_is_multicast_v6(&m->dst)) {
		m->is_multi = true;
		return is_our_group(net, &m->dst);
	}
	our = ipv6_find(net, &m->dst);
	return our && our->state == NET_V6_VALID;
}

/* Checks the header and cuts the packet to its length. */
static bool header_check(struct pkt *p, struct ipv6_hdr *h, enum drop *why)
{
	uint32_t total;

	*why = DROP_IP_SHORT;
	if (p->len < sizeof(*h))
		return false;
	memcpy(h, p->data, sizeof(*h));
	total = (uint32_t)sizeof(*h) + be16(h->payload_len);
	if (be32(h->ver_class_flow) >> 28 != 6) {
		*why = DROP_IP_HEADER;
		return false;
	}
	if (total > p->len)
		return false;
	pkt_trim(p, total);
	return true;
}

/* The walk failed: tell the sender where that is wanted. Takes p. */
static void ext_refuse(
	struct net *net, struct pkt *p, const struct ip_meta *m, const struct ipv6_walk *w)
{
	if (w->is_reported && (!m->is_multi || w->even_to_many))
		icmp6_error_send(net, p, m, ICMP6_PARAM, w->code, w->pointer);
	net_drop(net, p, w->why);
}

/* Takes p, whose data is the IPv6 packet. next_at: where the protocol was named. */
static void proto_unknown(struct net *net, struct pkt *p, const struct ip_meta *m, uint32_t next_at)
{
	if (m->is_multi || m->proto == IP_PROTO_NONE)
		;
	else if (m->proto == IP_PROTO_UDP)
		icmp6_error_send(net, p, m, ICMP6_UNREACH, ICMP6_UNREACH_PORT, 0);
	else
		icmp6_error_send(net, p, m, ICMP6_PARAM, ICMP6_PARAM_NEXT, next_at);
	net_drop(net, p, DROP_IP_PROTO);
}

void ipv6_input(struct net *net, struct pkt *p, const struct ip_meta *l2)
{
	struct ip_meta m = *l2;
	struct ipv6_walk w;
	struct ipv6_hdr h;
	enum drop why;

	if (!header_check(p, &h, &why)) {
		net_drop(net, p, why);
		return;
	}
	m.src = ip_addr_load(h.src);
	m.dst = ip_addr_load(h.dst);
	if (!dst_accept(net, &m)) {
		net_drop(net, p, DROP_IP_NOT_OURS);
		return;
	}
	if (!ipv6_ext_walk(p->data, p->len, &w)) {
		ext_refuse(net, p, &m, &w);
		return;
	}
	m.proto = w.proto;
	if (!source_accept(net, &m)) {
		net_drop(net, p, DROP_IP_SOURCE);
		return;
	}
	if (m.proto == IP_PROTO_TCP) {
		if (m.is_multi) {
			net_drop(net, p, DROP_TCP_NO_CONN);
			return;
		}
		if ((be32(h.ver_class_flow) >> 20 & IP_ECN_CE) == IP_ECN_CE)
			p->flags |= PKT_RX_CE;
		pkt_pull(p, w.off);
		tcp_input(net, p, &m);
	} else if (m.proto == IP_PROTO_ICMPV6) {
		pkt_pull(p, w.off);
		icmp6_input(net, p, &m, h.hop_limit);
	} else {
		proto_unknown(net, p, &m, w.next_at);
	}
}

int ipv6_route(const struct net *net, const struct ip_addr *dst, struct ip_addr *next_hop)
{
	int best = -1;

	if (net->nr_v6 == 0 || !ipv6_is_assignable(dst))
		return -1;
	if (ip_addr_is_link_local_v6(dst))
		best = LINK_LOCAL_BITS;
	for (uint32_t i = 0; i < net->nr_v6; i++) {
		const struct net_v6 *a = &net->v6[i];

		if (ip_addr_eq(&a->ip, dst))
			return -1;
		if (a->prefix_len > best && ip_addr_common_bits(&a->ip, dst) >= a->prefix_len)
			best = a->prefix_len;
	}
	if (best >= 0) {
		*next_hop = *dst;
		return best;
	}
	*next_hop = net->cfg.gateway_v6;
	return ip_addr_is_none(next_hop) ? -1 : 0;
}

/* RFC 6724, 5, as far as it concerns addresses that do not age: the same scope (rule 2), then the
   longest common prefix (rule 8). */
bool ipv6_source(const struct net *net, const struct ip_addr *dst, struct ip_addr *src)
{
	const bool is_local = ip_addr_is_link_local_v6(dst) || ip_addr_is_multicast_v6(dst);
	const struct net_v6 *best = NULL;
	unsigned best_score = 0;

	for (uint32_t i = 0; i < net->nr_v6; i++) {
		const struct net_v6 *a = &net->v6[i];
		const bool is_same_scope = ip_addr_is_link_local_v6(&a->ip) == is_local;
		const unsigned score =
			1 + ip_addr_common_bits(&a->ip, dst) + (is_same_scope ? 256 : 0);

		if (a->state == NET_V6_VALID && score > best_score) {
			best = a;
			best_score = score;
		}
	}
	if (!best)
		return false;
	*src = best->ip;
	return true;
}

static void header_push(struct pkt *p, const struct ip_addr *src, const struct ip_addr *dst,
	uint8_t proto, uint8_t hop_limit)
{
	const uint32_t ecn = p->flags & PKT_TX_ECT ? IP_ECN_ECT0 : 0;
	struct ipv6_hdr h = {
		.ver_class_flow = be32(6u << 28 | ecn << 20),
		.payload_len = be16((uint16_t)pkt_total(p)),
		.next = proto,
		.hop_limit = hop_limit,
	};

	memcpy(h.src, src, sizeof(h.src));
	memcpy(h.dst, dst, sizeof(h.dst));
	memcpy(pkt_push(p, sizeof(h)), &h, sizeof(h));
	p->l3_len = sizeof(h);
	p->flags |= PKT_TX_IPV6;
}

void ipv6_output(struct net *net, struct pkt *p, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto)
{
	struct ip_addr next_hop;

	if (pkt_wire_len(p) + sizeof(struct ipv6_hdr) > net->cfg.mtu) {
		net_drop(net, p, DROP_IP_TOO_BIG);
		return;
	}
	if (ipv6_route(net, dst, &next_hop) < 0) {
		net_drop(net, p, DROP_IP_NO_ROUTE);
		return;
	}
	header_push(p, src, dst, proto, IPV6_HOP_LIMIT);
	nd_output(net, p, &next_hop);
}

void ipv6_output_link(struct net *net, struct pkt *p, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint8_t hop_limit, const uint8_t *mac)
{
	uint8_t group[NET_MAC_LEN];

	header_push(p, src, dst, proto, hop_limit);
	if (!mac && !ip_addr_is_multicast_v6(dst)) {
		nd_output(net, p, dst);
		return;
	}
	if (!mac) {
		ipv6_group_mac(dst, group);
		mac = group;
	}
	eth_output(net, p, mac, ETH_TYPE_IPV6);
}
