/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP input and output.
 */
#include "dataplane/ip/icmp.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/ipv4.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

/* Of the offending packet, an error quotes the header and the first 8 bytes (RFC 792). */
#define ICMP_QUOTE_BYTES 8u

static void echo_answer(struct net *net, struct pkt *p, const struct ip_meta *m)
{
	struct icmp_hdr *h = (struct icmp_hdr *)p->data;

	if (m->is_multi) {
		net_drop(net, p, DROP_ICMP_IGNORED);
		return;
	}
	if (!ratelimit_allow(&net->icmp_limit, net->now_us)) {
		net_drop(net, p, DROP_ICMP_LIMITED);
		return;
	}
	h->type = ICMP_ECHO_REPLY;
	h->code = 0;
	h->csum = 0;
	h->csum = csum_of(p->data, p->len);
	p->flags = 0;
	net_count(net, NET_CTR_ICMP_ECHO);
	ip_output(net, p, &m->dst, &m->src, IP_PROTO_ICMP);
}

static enum tcp_error_kind error_kind(uint8_t code)
{
	switch (code) {
	case ICMP_UNREACH_FRAG: return TCP_ERROR_TOO_BIG;
	case ICMP_UNREACH_PORT:
	case ICMP_UNREACH_PROTO: return TCP_ERROR_REFUSED;
	case ICMP_UNREACH_NET:
	case ICMP_UNREACH_HOST: return TCP_ERROR_UNREACHABLE;
	default: break;
	}
	return code >= ICMP_UNREACH_ADMIN_MIN && code <= ICMP_UNREACH_ADMIN_MAX
		       ? TCP_ERROR_UNREACHABLE
		       : TCP_ERROR_OTHER;
}

/* An error about a packet that we are supposed to have sent: find the quoted TCP header. */
static void unreach_input(struct net *net, struct pkt *p)
{
	struct icmp_hdr icmp;
	struct ipv4_hdr quoted;
	struct tcp_icmp_error err;
	const uint8_t *tcp;
	uint32_t ihl;

	memcpy(&icmp, p->data, sizeof(icmp));
	pkt_pull(p, sizeof(icmp));
	if (p->len < sizeof(quoted))
		goto bad;
	memcpy(&quoted, p->data, sizeof(quoted));
	ihl = (quoted.ver_ihl & 0xfu) * 4;
	if (quoted.ver_ihl >> 4 != 4 || ihl < sizeof(quoted) || p->len < ihl + ICMP_QUOTE_BYTES)
		goto bad;
	if (quoted.proto != IP_PROTO_TCP || !ipv4_is_ours(net, be32(quoted.src))) {
		net_drop(net, p, DROP_ICMP_IGNORED);
		return;
	}
	tcp = p->data + ihl;
	err.laddr = ip_addr_from_v4(be32(quoted.src));
	err.raddr = ip_addr_from_v4(be32(quoted.dst));
	err.lport = get_be16(tcp);
	err.rport = get_be16(tcp + 2);
	err.seq = get_be32(tcp + 4);
	err.kind = error_kind(icmp.code);
	err.mtu = be16(icmp.mtu);
	err.len = be16(quoted.total_len);
	tcp_icmp_input(net, &err);
	pkt_free(net->pool, p);
	return;
bad:
	net_drop(net, p, DROP_ICMP_BAD);
}

void icmp_input(struct net *net, struct pkt *p, const struct ip_meta *m)
{
	if (p->len < sizeof(struct icmp_hdr) || csum_of(p->data, p->len) != 0) {
		net_drop(net, p, DROP_ICMP_BAD);
		return;
	}
	switch (p->data[0]) {
	case ICMP_ECHO_REQUEST: echo_answer(net, p, m); break;
	case ICMP_UNREACH:
		if (m->is_multi)
			net_drop(net, p, DROP_ICMP_IGNORED);
		else
			unreach_input(net, p);
		break;
	default: net_drop(net, p, DROP_ICMP_IGNORED); break;
	}
}

void icmp_unreach_send(struct net *net, const struct pkt *p, const struct ip_meta *m, uint8_t code)
{
	const uint32_t ihl = (p->data[0] & 0xfu) * 4;
	const uint32_t quote = p->len < ihl + ICMP_QUOTE_BYTES ? p->len : ihl + ICMP_QUOTE_BYTES;
	struct icmp_hdr h = {.type = ICMP_UNREACH, .code = code};
	struct pkt *out;
	uint8_t *at;

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
	h.csum = csum_of(at, sizeof(h) + quote);
	memcpy(at, &h, sizeof(h));
	net_count(net, NET_CTR_ICMP_UNREACH_OUT);
	ip_output(net, out, &m->dst, &m->src, IP_PROTO_ICMP);
}
