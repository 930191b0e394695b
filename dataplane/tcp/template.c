/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Headers from a template: what the segments of a connection have in common is made once, so that
 * one of them costs no route, no look-up of a neighbour and no sum of addresses.
 *
 *	| Ethernet | IPv4, filled in: ECN, length, id, sum | TCP, all but ports | timestamps |
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/arp.h"
#include "dataplane/ip/csum.h"
#include "dataplane/ip/eth.h"
#include "dataplane/ip/gso.h"
#include "dataplane/ip/ipv4.h"
#include "dataplane/ip/wire.h"

#include <string.h>

#define TMPL_LIFE_US 1000000u
#define TS_WORD      0x0101080au /* NOP, NOP, kind 8, length 10 */

static bool tmpl_make(struct tcp_conn *c)
{
	struct net *net = conn_net(c);
	const struct tcp_key *key = &c->node.key;
	struct tcp_tmpl *t = &c->tx->tmpl;
	struct ipv4_hdr h = {
		.ver_ihl = 0x45, .frag = be16(IPV4_DF), .ttl = IPV4_TTL, .proto = IP_PROTO_TCP};
	uint32_t next_hop;

	if (!ip_addr_is_v4(&key->raddr))
		return false;
	h.src = be32(ip_addr_to_v4(&key->laddr));
	h.dst = be32(ip_addr_to_v4(&key->raddr));
	if (ipv4_route(net, be32(h.dst), &next_hop) < 0 || !arp_lookup(net, next_hop, t->mac))
		return false;
	memcpy(t->ip, &h, sizeof(h));
	t->ip_sum = csum_fold(csum_add(0, &h, sizeof(h)));
	t->pseudo_sum = csum_fold(csum_pseudo_v4(h.src, h.dst, IP_PROTO_TCP, 0));
	t->neigh_gen = net->neigh_gen;
	t->until_us = net->now_us + TMPL_LIFE_US;
	return true;
}

bool tcp_tmpl_ready(struct tcp_conn *c)
{
	const struct net *net = conn_net(c);

	if (!c->tx)
		return false;
	if (c->tx->tmpl.neigh_gen == net->neigh_gen && net->now_us < c->tx->tmpl.until_us)
		return true;
	return tmpl_make(c);
}

static void ip_finish(
	struct net *net, const struct tcp_tmpl *t, struct pkt *p, uint8_t *ip, uint32_t len)
{
	const uint16_t total = be16((uint16_t)len), id = be16(net->ip_id++);
	const uint16_t tos = be16(p->flags & PKT_TX_ECT ? IP_ECN_ECT0 : 0);
	uint16_t csum;

	memcpy(ip, t->ip, sizeof(t->ip));
	ip[1] = (uint8_t)be16(tos);
	memcpy(ip + 2, &total, 2);
	memcpy(ip + 4, &id, 2);
	p->l3_len = sizeof(struct ipv4_hdr);
	if (net->cfg.offloads & NET_TX_IP_CSUM) {
		p->flags |= PKT_TX_IP_CSUM;
		return;
	}
	csum = (uint16_t)~csum_fold((uint64_t)t->ip_sum + tos + total + id);
	memcpy(ip + 10, &csum, 2);
}

/* Of a packet that goes on in others. Its length is not in the sum while it is to be cut. */
static __attribute__((noinline, cold)) void tcp_finish_chain(
	struct net *net, const struct tcp_tmpl *t, struct pkt *p, uint8_t *tcp, uint32_t len)
{
	const bool has_csum = net->cfg.offloads & NET_TX_TCP_CSUM;
	uint64_t sum = t->pseudo_sum;
	uint16_t csum;

	if (has_csum)
		p->flags |= PKT_TX_L4_CSUM;
	if (p->seg_len)
		p->l4_len = (uint8_t)(tcp[12] >> 4) * 4;
	else
		sum += be16((uint16_t)len);
	csum = csum_fold(sum);
	if (!has_csum && !p->seg_len) {
		pkt_pull(p, sizeof(struct ipv4_hdr));
		csum = (uint16_t)~csum_fold(pkt_csum_add(sum, p));
		pkt_push(p, sizeof(struct ipv4_hdr));
	}
	memcpy(tcp + 16, &csum, 2);
}

/* len: of the segment with its header. */
static void tcp_finish(
	struct net *net, const struct tcp_tmpl *t, struct pkt *p, uint8_t *tcp, uint32_t len)
{
	uint64_t sum = (uint64_t)t->pseudo_sum + be16((uint16_t)len);
	uint16_t csum;

	if (net->cfg.offloads & NET_TX_TCP_CSUM) {
		p->flags |= PKT_TX_L4_CSUM;
		csum = csum_fold(sum);
	} else {
		csum = (uint16_t)~csum_fold(csum_add(sum, tcp, len));
	}
	memcpy(tcp + 16, &csum, 2);
}

void tcp_tmpl_emit(struct tcp_conn *c, struct pkt *p, const struct tcp_out *out)
{
	struct net *net = conn_net(c);
	const struct tcp_tmpl *t = &c->tx->tmpl;
	const uint32_t opts = out->opts.has_ts ? TCP_OPT_TS_BYTES : 0;
	uint8_t *ip = pkt_push(p, (uint32_t)sizeof(struct ipv4_hdr) + TCP_HDR_BYTES + opts);
	uint8_t *tcp = ip + sizeof(struct ipv4_hdr);
	struct tcp_hdr h = {
		.sport = be16(c->node.key.lport),
		.dport = be16(c->node.key.rport),
		.seq = be32(out->seq),
		.ack = be32(out->ack),
		.doff = (uint8_t)((sizeof(h) + opts) / 4 << 4),
		.flags = out->flags,
		.wnd = be16(out->wnd),
	};
	uint32_t total;

	memcpy(tcp, &h, sizeof(h));
	if (opts) {
		put_be32(tcp + 20, TS_WORD);
		put_be32(tcp + 24, out->opts.tsval);
		put_be32(tcp + 28, out->opts.tsecr);
	}
	total = pkt_total(p);
	ip_finish(net, t, p, ip, total);
	if (p->flags & PKT_TX_CHAIN)
		tcp_finish_chain(net, t, p, tcp, total - (uint32_t)sizeof(struct ipv4_hdr));
	else
		tcp_finish(net, t, p, tcp, total - (uint32_t)sizeof(struct ipv4_hdr));
	net_count(net, NET_CTR_SEGS_OUT);
	eth_output(net, p, t->mac, ETH_TYPE_IPV4);
}
