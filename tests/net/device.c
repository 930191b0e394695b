/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/net/device.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/lro.h"
#include "dataplane/ip/wire.h"
#include "dataplane/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The sum of RFC 1071, 16 bits at a time. */
static uint32_t sum16(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get_be16(p);
	if (len)
		sum += (uint32_t)*p << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint8_t *flatten(const struct pkt *p, uint32_t *len)
{
	uint8_t *bytes = malloc(pkt_total(p)), *at = bytes;
	uint32_t more_len = 0;

	assert_non_null(bytes);
	memcpy(at, p->data, p->len);
	at += p->len;
	if (p->flags & PKT_TX_CHAIN) {
		for (const struct pkt *m = p->more; m; m = m->more) {
			assert_true(m->len > 0 && m->len <= PKT_REF_MAX);
			memcpy(at, m->data, m->len);
			at += m->len;
			more_len += m->len;
		}
		assert_int_equal(more_len, p->more_len);
	}
	*len = (uint32_t)(at - bytes);
	return bytes;
}

static uint32_t pseudo_sum(const uint8_t *ip, bool is_v6, uint32_t tcp_len)
{
	const uint32_t sum = is_v6 ? sum16(0, ip + 8, 32) : sum16(0, ip + 12, 8);

	return sum16(sum + IP_PROTO_TCP + (tcp_len & 0xffff) + (tcp_len >> 16), NULL, 0);
}

/* Finishes the checksums of a frame that asks for it. tso: the sum in the field is without the
   length (rte_mbuf_core.h, RTE_MBUF_F_TX_TCP_SEG). */
static void sums_finish(uint8_t *bytes, uint32_t len, const struct pkt *p, uint16_t seed)
{
	uint8_t *ip = bytes + p->l2_len, *tcp = ip + p->l3_len;
	const uint32_t tcp_len = len - p->l2_len - p->l3_len;
	const bool is_v6 = p->flags & PKT_TX_IPV6;
	uint32_t sum;

	if (p->flags & PKT_TX_IP_CSUM) {
		put_be16(ip + 10, 0);
		put_be16(ip + 10, (uint16_t)~sum16(0, ip, p->l3_len));
	}
	if (!(p->flags & PKT_TX_L4_CSUM))
		return;
	assert_int_equal(
		seed, pseudo_sum(ip, is_v6, p->flags & PKT_TX_CHAIN && p->seg_len ? 0 : tcp_len));
	put_be16(tcp + 16, 0);
	sum = sum16(pseudo_sum(ip, is_v6, tcp_len), tcp, tcp_len);
	put_be16(tcp + 16, (uint16_t)~sum);
}

/* Cuts a large packet as RFC 9293 would have had it sent. */
static void cut(const struct pkt *p, const uint8_t *whole, uint32_t len,
	void (*each)(void *ctx, uint8_t *bytes, uint32_t len), void *ctx)
{
	const uint32_t hdr = (uint32_t)p->l2_len + p->l3_len + p->l4_len;
	const uint32_t seq = get_be32(whole + p->l2_len + p->l3_len + 4);
	const uint16_t id = get_be16(whole + p->l2_len + 4);
	const uint16_t seed = get_be16(whole + p->l2_len + p->l3_len + 16);

	assert_int_equal(p->l4_len, (whole[p->l2_len + p->l3_len + 12] >> 4) * 4);
	assert_true(p->len >= hdr && len > hdr + p->seg_len);
	for (uint32_t off = 0, nr = 0; off < len - hdr; off += p->seg_len, nr++) {
		const uint32_t left = len - hdr - off, n = left < p->seg_len ? left : p->seg_len;
		uint8_t *seg = malloc(hdr + n), *ip = seg + p->l2_len, *tcp = ip + p->l3_len;

		assert_non_null(seg);
		memcpy(seg, whole, hdr);
		memcpy(seg + hdr, whole + hdr + off, n);
		if (p->flags & PKT_TX_IPV6) {
			put_be16(ip + 4, (uint16_t)(p->l4_len + n));
		} else {
			put_be16(ip + 2, (uint16_t)(p->l3_len + p->l4_len + n));
			put_be16(ip + 4, (uint16_t)(id + nr));
		}
		put_be32(tcp + 4, seq + off);
		if (n < left)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		sums_finish(seg, hdr + n, p, seed);
		each(ctx, seg, hdr + n);
		free(seg);
	}
}

/* Whole, with its checksums made. */
static void uncut(const struct pkt *p, uint8_t *whole, uint32_t len,
	void (*each)(void *ctx, uint8_t *bytes, uint32_t len), void *ctx)
{
	sums_finish(whole, len, p, get_be16(whole + p->l2_len + p->l3_len + 16));
	each(ctx, whole, len);
}

void device_receive_large(struct device *d, struct net *net, const uint8_t *bytes, uint32_t len,
	uint32_t room, uint64_t (*pick)(void *ctx), void *ctx)
{
	struct lro l;
	uint32_t at;

	d->nr_large++;
	if (!lro_parse(&l, bytes, room < len ? room : len, len) ||
		!lro_csum_ok(&l, csum_add(0, bytes + l.tcp_at, l.total - l.tcp_at)))
		return;
	for (at = l.len; at < l.total;) {
		const uint32_t left = l.total - at, most = room - l.len;
		uint32_t n = 1 + (uint32_t)(pick(ctx) % most);
		struct pkt *p = pkt_alloc(net->pool);

		n = n < left ? n : left;
		if (!p)
			return;
		lro_put(&l, pkt_put(p, l.len), at - l.len, n);
		memcpy(pkt_put(p, n), bytes + at, n);
		p->flags = PKT_RX_IP_CSUM_GOOD | PKT_RX_L4_CSUM_GOOD;
		net_input(net, p);
		at += n;
	}
}

static void kept_free(struct device *d, struct pkt_pool *pool, uint32_t i)
{
	uint8_t *now;
	uint32_t len;

	if (!d->ring[i].pkt)
		return;
	now = flatten(d->ring[i].pkt, &len);
	assert_int_equal(len, d->ring[i].len);
	assert_memory_equal(now, d->ring[i].copy, len);
	free(now);
	free(d->ring[i].copy);
	pkt_free(pool, d->ring[i].pkt);
	d->ring[i].pkt = NULL;
}

void device_send(struct device *d, const struct net_cfg *cfg, struct pkt_pool *pool, struct pkt *p,
	void (*each)(void *ctx, uint8_t *bytes, uint32_t len), void *ctx)
{
	const bool is_chain = p->flags & PKT_TX_CHAIN;
	uint32_t len;
	uint8_t *bytes = flatten(p, &len), *copy = NULL;

	if (d->is_lazy) {
		copy = malloc(len);
		assert_non_null(copy);
		memcpy(copy, bytes, len);
	}
	d->nr_chains += is_chain;
	assert_true(!is_chain || (cfg->offloads & NET_TX_CHAIN));
	if (is_chain && p->seg_len) {
		assert_true(cfg->offloads & NET_TX_TSO);
		d->nr_cut++;
		if (d->is_uncut)
			uncut(p, bytes, len, each, ctx);
		else
			cut(p, bytes, len, each, ctx);
	} else {
		if (p->flags & (PKT_TX_IP_CSUM | PKT_TX_L4_CSUM))
			sums_finish(bytes, len, p, get_be16(bytes + p->l2_len + p->l3_len + 16));
		each(ctx, bytes, len);
	}
	free(bytes);
	if (!d->is_lazy) {
		pkt_free(pool, p);
		return;
	}
	kept_free(d, pool, d->at);
	d->ring[d->at].pkt = p;
	d->ring[d->at].copy = copy;
	d->ring[d->at].len = len;
	d->at = (d->at + 1) % DEVICE_RING;
}

void device_drain(struct device *d, struct pkt_pool *pool)
{
	for (uint32_t i = 0; i < DEVICE_RING; i++)
		kept_free(d, pool, i);
}
