/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Cutting large TCP packets into segments. See the header.
 */
#include "dataplane/ip/gso.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"

#include <string.h>

/* Where the payload is being read. */
struct reader {
	const struct pkt *at;
	uint32_t off; /* in at's data */
};

struct cut {
	struct net *net;
	const struct pkt *whole;
	struct reader from;
	uint32_t hdr_len;
	uint32_t left; /* payload not cut yet */
	uint32_t nr;   /* segments so far */
};

uint64_t pkt_csum_add(uint64_t sum, const struct pkt *p)
{
	uint32_t at = p->len;

	sum = csum_add(sum, p->data, p->len);
	if (!(p->flags & PKT_TX_CHAIN))
		return sum;
	for (const struct pkt *m = p->more; m; m = m->more) {
		sum = csum_add_at(sum, m->data, m->len, at);
		at += m->len;
	}
	return sum;
}

bool pkt_put_piece(struct net *net, struct pkt *p, struct pkt **tail, const uint8_t *bytes,
	uint32_t len, struct obuf_seg *seg, bool may_refer)
{
	struct pkt *piece;

	if ((!may_refer || len < PKT_REF_MIN) && *tail == p && len <= pkt_tailroom(p)) {
		memcpy(pkt_put(p, len), bytes, len);
		if (seg)
			obuf_seg_put(seg);
		return true;
	}
	piece = may_refer && seg ? net->pool->ops->refer(net->pool, bytes, len, seg) : NULL;
	if (!piece) {
		if (seg)
			obuf_seg_put(seg);
		return false;
	}
	pkt_chain(p, tail, piece);
	return true;
}

/* Moves n bytes of payload to the end of q. */
static bool payload_take(struct cut *c, struct pkt *q, uint32_t n)
{
	const bool may_refer = c->net->cfg.offloads & NET_TX_REF;
	struct pkt *tail = q;

	while (n) {
		struct reader *r = &c->from;
		const struct pkt *at = r->at;
		const uint32_t here = at->len - r->off;
		const uint32_t take = n < here ? n : here;
		struct obuf_seg *seg = at == c->whole ? NULL : at->ref;

		if (seg)
			obuf_seg_get(seg);
		if (take &&
			!pkt_put_piece(c->net, q, &tail, at->data + r->off, take, seg, may_refer))
			return false;
		r->off += take;
		n -= take;
		if (r->off == at->len)
			*r = (struct reader){at->more, 0};
	}
	return true;
}

static void ip_fix(struct cut *c, struct pkt *q, uint32_t ip_len)
{
	uint8_t *ip = q->data + q->l2_len;
	uint16_t csum;

	if (q->flags & PKT_TX_IPV6) {
		put_be16(ip + 4, (uint16_t)(ip_len - q->l3_len));
		return;
	}
	put_be16(ip + 2, (uint16_t)ip_len);
	if (c->nr) /* the first has the whole packet's */
		put_be16(ip + 4, c->net->ip_id++);
	if (q->flags & PKT_TX_IP_CSUM)
		return;
	memset(ip + 10, 0, 2);
	csum = csum_of(ip, q->l3_len);
	memcpy(ip + 10, &csum, 2);
}

static uint64_t pseudo_sum(const struct pkt *q, uint32_t tcp_len)
{
	const uint8_t *ip = q->data + q->l2_len;
	struct ip_addr src, dst;
	uint32_t s, d;

	if (q->flags & PKT_TX_IPV6) {
		src = ip_addr_load(ip + 8);
		dst = ip_addr_load(ip + 24);
		return csum_pseudo(&src, &dst, IP_PROTO_TCP, tcp_len);
	}
	memcpy(&s, ip + 12, 4);
	memcpy(&d, ip + 16, 4);
	return csum_pseudo_v4(s, d, IP_PROTO_TCP, tcp_len);
}

static void tcp_fix(struct cut *c, struct pkt *q, uint32_t seq_off, bool is_last)
{
	const uint32_t tcp_at = q->l2_len + q->l3_len;
	const uint32_t tcp_len = pkt_total(q) - tcp_at;
	uint8_t *tcp = q->data + tcp_at;
	uint64_t sum = pseudo_sum(q, tcp_len);
	uint16_t csum;

	put_be32(tcp + 4, get_be32(tcp + 4) + seq_off);
	if (!is_last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (q->flags & PKT_TX_L4_CSUM) {
		csum = csum_fold(sum);
	} else {
		memset(tcp + 16, 0, 2);
		/* The headers before it are left out for the sum, and put back. */
		pkt_pull(q, tcp_at);
		csum = (uint16_t)~csum_fold(pkt_csum_add(sum, q));
		pkt_push(q, tcp_at);
	}
	memcpy(tcp + 16, &csum, 2);
}

/* The next segment; NULL: no packet. */
static struct pkt *segment_make(struct cut *c)
{
	const struct pkt *w = c->whole;
	const uint32_t n = c->left < w->seg_len ? c->left : w->seg_len;
	struct pkt *q = pkt_alloc(c->net->pool);

	if (!q)
		return NULL;
	memcpy(pkt_put(q, c->hdr_len), w->data, c->hdr_len);
	q->flags = w->flags & (uint16_t)~PKT_TX_CHAIN;
	q->l2_len = w->l2_len;
	q->l3_len = w->l3_len;
	q->vlan = w->vlan;
	if (!payload_take(c, q, n)) {
		pkt_free(c->net->pool, q);
		return NULL;
	}
	ip_fix(c, q, pkt_total(q) - q->l2_len);
	tcp_fix(c, q, c->nr * w->seg_len, n == c->left);
	c->left -= n;
	c->nr++;
	return q;
}

void gso_output(struct net *net, struct pkt *p)
{
	struct cut c = {
		.net = net,
		.whole = p,
		.hdr_len = (uint32_t)p->l2_len + p->l3_len + p->l4_len,
	};

	c.from = (struct reader){p, c.hdr_len};
	c.left = pkt_total(p) - c.hdr_len;
	if (p->len == c.hdr_len)
		c.from = (struct reader){p->more, 0};
	while (c.left) {
		struct pkt *q = segment_make(&c);

		if (!q) {
			net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
			break;
		}
		net_count(net, NET_CTR_PKTS_OUT);
		net->ops->tx(net->ctx, q);
	}
	pkt_free(net->pool, p);
}
