/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMPv6 input and output.
 */
#include "dataplane/ip/icmp6.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/ipv6.h"
#include "dataplane/ip/ipv6_ext.h"
#include "dataplane/ip/nd.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

/* Of the offending packet, an error quotes what fits into the smallest MTU (RFC 4443, 2.4). */
#define ICMP6_QUOTE_BYTES (IPV6_MIN_MTU - sizeof(struct ipv6_hdr) - sizeof(struct icmp6_hdr))

void icmp6_csum_set(void *msg, uint32_t len, const struct ip_addr *src, const struct ip_addr *dst)
{
	struct icmp6_hdr h;

	memcpy(&h, msg, sizeof(h));
	h.csum = 0;
	memcpy(msg, &h, sizeof(h));
	h.csum = (uint16_t)~csum_fold(
		csum_add(csum_pseudo(src, dst, IP_PROTO_ICMPV6, len), msg, len));
	memcpy(msg, &h, sizeof(h));
}

/* To a group the answer comes from an address of our choice (RFC 4443, 4.2). Takes p. */
static void echo_answer(struct net *net, struct pkt *p, const struct ip_meta *m)
{
	struct ip_addr src = m->dst;

	if (m->is_multi && !ipv6_source(net, &m->src, &src)) {
		net_drop(net, p, DROP_ICMP_IGNORED);
		return;
	}
	if (!ratelimit_allow(&net->icmp_limit, net->now_us)) {
		net_drop(net, p, DROP_ICMP_LIMITED);
		return;
	}
	p->data[0] = ICMP6_ECHO_REPLY;
	p->data[1] = 0;
	icmp6_csum_set(p->data, p->len, &src, &m->src);
	p->flags = 0;
	net_count(net, NET_CTR_ICMP_ECHO);
	ipv6_output(net, p, &src, &m->src, IP_PROTO_ICMPV6);
}

static enum tcp_error_kind error_kind(const struct icmp6_hdr *h)
{
	if (h->type == ICMP6_TOO_BIG)
		return TCP_ERROR_TOO_BIG;
	if (h->type == ICMP6_PARAM && h->code == ICMP6_PARAM_NEXT)
		return TCP_ERROR_REFUSED; /* RFC 4443, 3.4: the protocol is not known there */
	if (h->type != ICMP6_UNREACH)
		return TCP_ERROR_OTHER;
	return h->code == ICMP6_UNREACH_PORT ? TCP_ERROR_REFUSED : TCP_ERROR_UNREACHABLE;
}

/* An error about a packet that we are supposed to have sent: find the quoted TCP header. Takes p.
 */
static void error_input(struct net *net, struct pkt *p)
{
	struct icmp6_hdr icmp;
	struct tcp_icmp_error err;
	struct ipv6_walk w;
	const uint8_t *tcp;

	memcpy(&icmp, p->data, sizeof(icmp));
	pkt_pull(p, sizeof(icmp));
	if (p->len < sizeof(struct ipv6_hdr) || p->data[0] >> 4 != 6 ||
		!ipv6_ext_walk(p->data, p->len, &w) || p->len - w.off < 8) {
		net_drop(net, p, DROP_ICMP_BAD);
		return;
	}
	err.laddr = ip_addr_load(p->data + offsetof(struct ipv6_hdr, src));
	err.raddr = ip_addr_load(p->data + offsetof(struct ipv6_hdr, dst));
	if (w.proto != IP_PROTO_TCP || !ipv6_find(net, &err.laddr)) {
		net_drop(net, p, DROP_ICMP_IGNORED);
		return;
	}
	tcp = p->data + w.off;
	err.lport = get_be16(tcp);
	err.rport = get_be16(tcp + 2);
	err.seq = get_be32(tcp + 4);
	err.kind = error_kind(&icmp);
	err.mtu = be32(icmp.param);
	err.len = (uint32_t)sizeof(struct ipv6_hdr) + get_be16(p->data + 4);
	tcp_icmp_input(net, &err);
	pkt_free(net->pool, p);
}

void icmp6_input(struct net *net, struct pkt *p, const struct ip_meta *m, uint8_t hop_limit)
{
	if (p->len < sizeof(struct icmp6_hdr) ||
		csum_fold(csum_add(csum_pseudo(&m->src, &m->dst, IP_PROTO_ICMPV6, p->len), p->data,
			p->len)) != 0xffff) {
		net_drop(net, p, DROP_ICMP_BAD);
		return;
	}
	if (p->data[0] == ICMP6_NS || p->data[0] == ICMP6_NA) {
		/* RFC 4861, 7.1: what has passed a router is not of this link. */
		if (hop_limit != ND_HOP_LIMIT || p->data[1] != 0)
			net_drop(net, p, DROP_ND_BAD);
		else
			nd_input(net, p, m);
		return;
	}
	if (!ipv6_is_source_possible(net, &m->src)) {
		net_drop(net, p, DROP_IP_SOURCE);
		return;
	}
	switch (p->data[0]) {
	case ICMP6_ECHO_REQUEST: echo_answer(net, p, m); break;
	case ICMP6_UNREACH:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAM:
		if (m->is_multi)
			net_drop(net, p, DROP_ICMP_IGNORED);
		else
			error_input(net, p);
		break;
	default: net_drop(net, p, DROP_ICMP_IGNORED); break;
	}
}

void icmp6_error_send(struct net *net, const struct pkt *p, const struct ip_meta *m, uint8_t type,
	uint8_t code, uint32_t param)
{
	const uint32_t quote = p->len < ICMP6_QUOTE_BYTES ? p->len : ICMP6_QUOTE_BYTES;
	const struct icmp6_hdr h = {.type = type, .code = code, .param = be32(param)};
	struct ip_addr src = m->dst;
	struct pkt *out;
	uint8_t *at;

	/* RFC 4443, 2.4 e: not to one who is nobody or many. */
	if (!ipv6_is_source_possible(net, &m->src) ||
		(m->is_multi && !ipv6_source(net, &m->src, &src)))
		return;
	if (!ratelimit_allow(&net->icmp_limit, net->now_us))
		return;
	out = pkt_alloc(net->pool);
	if (!out) {
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
		return;
	}
	at = pkt_put(out, (uint32_t)sizeof(h) + quote);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), p->data, quote);
	icmp6_csum_set(at, out->len, &src, &m->src);
	net_count(net, type == ICMP6_PARAM ? NET_CTR_ICMP_PARAM_OUT : NET_CTR_ICMP_UNREACH_OUT);
	ipv6_output(net, out, &src, &m->src, IP_PROTO_ICMPV6);
}
