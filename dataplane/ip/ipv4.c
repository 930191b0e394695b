/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 input checks, output and routing.
 */
#include "dataplane/ip/ipv4.h"

#include "dataplane/ip/arp.h"
#include "dataplane/ip/csum.h"
#include "dataplane/ip/eth.h"
#include "dataplane/ip/icmp.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

static bool is_multicast_or_reserved(uint32_t v4)
{
	return v4 >> 28 >= 0xe; /* 224.0.0.0/4 and 240.0.0.0/4 */
}

bool ipv4_is_ours(const struct net *net, uint32_t v4)
{
	for (uint32_t i = 0; i < net->nr_v4; i++)
		if (net->v4[i].addr == v4)
			return true;
	return false;
}

const struct net_v4 *ipv4_net_of(const struct net *net, uint32_t v4)
{
	const struct net_v4 *best = NULL;

	for (uint32_t i = 0; i < net->nr_v4; i++) {
		const struct net_v4 *n = &net->v4[i];

		if (((v4 ^ n->addr) & n->mask) == 0 && (!best || n->mask > best->mask))
			best = n;
	}
	return best;
}

static bool is_subnet_broadcast(const struct net *net, uint32_t v4)
{
	for (uint32_t i = 0; i < net->nr_v4; i++) {
		const struct net_v4 *n = &net->v4[i];

		/* RFC 3021: of two or one addresses none is for all. */
		if (((v4 ^ n->addr) & n->mask) == 0 && (v4 | n->mask) == 0xffffffffu &&
			n->mask < 0xfffffffeu)
			return true;
	}
	return false;
}

/* RFC 1122, 3.2.1.3: addresses that cannot be a source; our own is not one from outside either. */
static bool is_source_possible(const struct net *net, uint32_t v4)
{
	return v4 >> 24 != 0 && v4 >> 24 != 127 && !is_multicast_or_reserved(v4) &&
	       !is_subnet_broadcast(net, v4) && !ipv4_is_ours(net, v4);
}

/* Checks the header and cuts the packet to its length. Returns the header length, or 0 with *why
   set. */
static uint32_t header_check(struct pkt *p, struct ipv4_hdr *h, enum drop *why)
{
	uint32_t ihl, total;

	*why = DROP_IP_SHORT;
	if (p->len < sizeof(*h))
		return 0;
	memcpy(h, p->data, sizeof(*h));
	ihl = (h->ver_ihl & 0xfu) * 4;
	total = be16(h->total_len);
	if (h->ver_ihl >> 4 != 4 || ihl < sizeof(*h)) {
		*why = DROP_IP_HEADER;
		return 0;
	}
	if (total < ihl || total > p->len)
		return 0;
	if (!(p->flags & PKT_RX_IP_CSUM_GOOD) && csum_of(p->data, ihl) != 0) {
		*why = DROP_IP_CSUM;
		return 0;
	}
	if (be16(h->frag) & (IPV4_MF | IPV4_OFFSET_MASK)) {
		*why = DROP_IP_FRAGMENT;
		return 0;
	}
	pkt_trim(p, total);
	return ihl;
}

static void proto_unknown(struct net *net, struct pkt *p, uint32_t ihl, const struct ip_meta *m)
{
	if (!m->is_multi) {
		pkt_push(p, ihl);
		icmp_unreach_send(net, p, m,
			m->proto == IP_PROTO_UDP ? ICMP_UNREACH_PORT : ICMP_UNREACH_PROTO);
	}
	net_drop(net, p, DROP_IP_PROTO);
}

void ipv4_input(struct net *net, struct pkt *p, bool is_l2_broadcast)
{
	struct ipv4_hdr h;
	struct ip_meta m;
	enum drop why;
	const uint32_t ihl = header_check(p, &h, &why);
	uint32_t src, dst;

	if (ihl == 0) {
		net_drop(net, p, why);
		return;
	}
	src = be32(h.src);
	dst = be32(h.dst);
	m.src = ip_addr_from_v4(src);
	m.dst = ip_addr_from_v4(dst);
	m.proto = h.proto;
	m.is_multi = is_l2_broadcast || !ipv4_is_ours(net, dst);
	if (!is_source_possible(net, src)) {
		net_drop(net, p, DROP_IP_SOURCE);
		return;
	}
	if (m.is_multi && dst != 0xffffffffu && !ipv4_is_ours(net, dst) &&
		!is_subnet_broadcast(net, dst)) {
		net_drop(net, p, DROP_IP_NOT_OURS);
		return;
	}
	if ((h.tos & IP_ECN_CE) == IP_ECN_CE)
		p->flags |= PKT_RX_CE;
	pkt_pull(p, ihl);
	switch (m.proto) {
	case IP_PROTO_TCP:
		if (m.is_multi)
			net_drop(net, p, DROP_TCP_NO_CONN);
		else
			tcp_input(net, p, &m);
		break;
	case IP_PROTO_ICMP: icmp_input(net, p, &m); break;
	default: proto_unknown(net, p, ihl, &m); break;
	}
}

int ipv4_route(const struct net *net, uint32_t dst_v4, uint32_t *next_hop_v4)
{
	const struct net_v4 *n;

	if (ipv4_is_ours(net, dst_v4) || dst_v4 == 0 || dst_v4 >> 24 == 127 ||
		is_multicast_or_reserved(dst_v4) || is_subnet_broadcast(net, dst_v4))
		return -1;
	n = ipv4_net_of(net, dst_v4);
	if (net->nr_v4 == 0)
		return -1;
	if (n) {
		*next_hop_v4 = dst_v4;
		return __builtin_popcount(n->mask);
	}
	*next_hop_v4 = net->gateway_v4;
	return net->gateway_v4 ? 0 : -1;
}

uint32_t ipv4_source(const struct net *net, uint32_t dst_v4)
{
	const struct net_v4 *n = ipv4_net_of(net, dst_v4);

	if (!n)
		n = ipv4_net_of(net, net->gateway_v4);
	return n ? n->addr : net->v4[0].addr;
}

void ipv4_output(struct net *net, struct pkt *p, uint32_t src_v4, uint32_t dst_v4, uint8_t proto)
{
	uint32_t next_hop;
	struct ipv4_hdr h = {
		.ver_ihl = 0x45,
		.tos = p->flags & PKT_TX_ECT ? IP_ECN_ECT0 : 0,
		.total_len = be16((uint16_t)(pkt_total(p) + sizeof(h))),
		.id = be16(net->ip_id++),
		.frag = be16(IPV4_DF),
		.ttl = IPV4_TTL,
		.proto = proto,
		.src = be32(src_v4),
		.dst = be32(dst_v4),
	};

	if (pkt_wire_len(p) + sizeof(h) > net->cfg.mtu) {
		net_drop(net, p, DROP_IP_TOO_BIG);
		return;
	}
	if (ipv4_route(net, dst_v4, &next_hop) < 0) {
		net_drop(net, p, DROP_IP_NO_ROUTE);
		return;
	}
	if (net->cfg.offloads & NET_TX_IP_CSUM)
		p->flags |= PKT_TX_IP_CSUM;
	else
		h.csum = csum_of(&h, sizeof(h));
	memcpy(pkt_push(p, sizeof(h)), &h, sizeof(h));
	p->l3_len = sizeof(h);
	arp_output(net, p, next_hop);
}
