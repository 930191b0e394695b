/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Header prediction: the segment that a connection in full swing gets next, from the Ethernet frame
 * to its data in one function.
 *
 * Taken are IPv4 segments without IP options, with no TCP options but the timestamps, with no
 * flags but ACK and PSH, that come in order on an established connection with nothing lost,
 * queued or closing, and bring data or acknowledge new data. For these the checks below are all
 * of what the slow path (ipv4_input(), tcp_input()) would do that could fail; everything else goes
 * there, untouched.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <string.h>

#define L2_BYTES (uint32_t)sizeof(struct eth_hdr)
#define L3_BYTES (uint32_t)sizeof(struct ipv4_hdr)
#define TS_WORD  0x0101080au /* NOP, NOP, kind 8, length 10 */

struct segment {
	uint32_t total_len; /* of the IP packet */
	uint32_t hdr_len;   /* of TCP */
	uint32_t len;       /* of the payload */
	uint32_t seq, ack, wnd;
	uint32_t tsval, tsecr;
	bool has_ts;
};

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Is the frame of the kind, as far as its headers tell? */
static inline bool frame_parse(const struct net *net, const struct pkt *p, struct segment *s)
{
	const uint8_t *d = p->data, *ip = d + L2_BYTES, *tcp = ip + L3_BYTES;

	if (p->len < L2_BYTES + L3_BYTES + TCP_HDR_BYTES)
		return false;
	if (load32(d) != load32(net->cfg.mac) || load16(d + 4) != load16(net->cfg.mac + 4) ||
		load16(d + 12) != be16(ETH_TYPE_IPV4))
		return false;
	/* version and length, no congestion mark, no fragment, TCP */
	if (ip[0] != 0x45 || (ip[1] & 3) == 3 || ip[9] != IP_PROTO_TCP ||
		(load16(ip + 6) & be16(IPV4_MF | IPV4_OFFSET_MASK)))
		return false;
	s->total_len = get_be16(ip + 2);
	s->hdr_len = (uint32_t)(tcp[12] >> 4) * 4;
	s->has_ts = s->hdr_len == TCP_HDR_BYTES + TCP_OPT_TS_BYTES;
	if (s->total_len > p->len - L2_BYTES || s->total_len < L3_BYTES + s->hdr_len ||
		(s->hdr_len != TCP_HDR_BYTES && !s->has_ts) ||
		(s->has_ts && get_be32(tcp + TCP_HDR_BYTES) != TS_WORD) ||
		(tcp[13] & ~TCP_PSH) != TCP_ACK)
		return false;
	s->len = s->total_len - L3_BYTES - s->hdr_len;
	s->seq = get_be32(tcp + 4);
	s->ack = get_be32(tcp + 8);
	s->wnd = get_be16(tcp + 14);
	s->tsval = s->has_ts ? get_be32(tcp + 24) : 0;
	s->tsecr = s->has_ts ? get_be32(tcp + 28) : 0;
	return true;
}

static struct tcp_conn *conn_find(const struct tcp_stack *ts, const uint8_t *ip)
{
	const uint8_t *tcp = ip + L3_BYTES;
	const struct tcp_key key = {
		.laddr = ip_addr_from_v4(get_be32(ip + 16)),
		.raddr = ip_addr_from_v4(get_be32(ip + 12)),
		.lport = get_be16(tcp + 2),
		.rport = get_be16(tcp),
	};
	struct tcp_node *node = tcp_table_find(ts, &key, tcp_key_hash(ts, &key));

	return node && node->kind == TCP_NODE_CONN ? (struct tcp_conn *)node : NULL;
}

/* Is the connection in full swing? */
static inline bool is_steady(const struct tcp_conn *c)
{
	const struct tcp_tx *tx = c->tx;

	if (c->state != TCP_ST_ESTABLISHED || c->unsteady || !c->ops || c->rx ||
		(c->quick_acks | c->backoff) || c->rtx_mode == TCP_RTX_PERSIST)
		return false;
	return !tx || !(tx->rack.has_reordering | tx->nr_sacked | tx->lost_bytes | tx->reno_sacked |
			      tx->dupacks);
}

/* Is this the segment that the connection expects? */
static inline bool is_predicted(const struct tcp_conn *c, const struct segment *s)
{
	if (s->seq != c->rcv_nxt || s->len > conn_rcv_wnd(c) || seq_lt(s->ack, c->snd_una) ||
		seq_gt(s->ack, c->snd_nxt) || (s->len == 0 && s->ack == c->snd_una))
		return false;
	if (c->has_ts != s->has_ts || (s->has_ts && seq_lt(s->tsval, c->ts_recent)))
		return false;
	/* A window that changes matters to nobody but unsent data. */
	return s->wnd << c->snd_wscale == c->snd_wnd ||
	       obuf_sendable(&c->ob) <= c->snd_nxt - c->snd_una;
}

static bool csums_ok(const struct pkt *p, const uint8_t *ip, const struct segment *s)
{
	const uint32_t len = s->total_len - L3_BYTES;
	uint64_t sum;

	if (!(p->flags & PKT_RX_IP_CSUM_GOOD) && csum_of(ip, L3_BYTES) != 0)
		return false;
	if (p->flags & PKT_RX_L4_CSUM_GOOD)
		return true;
	sum = csum_pseudo_v4(load32(ip + 12), load32(ip + 16), IP_PROTO_TCP, len);
	return csum_fold(csum_add(sum, ip + L3_BYTES, len)) == 0xffff;
}

/* What the header says, as ack_step() and tcp_conn_input() take it. */
static inline void header_take(struct tcp_conn *c, const struct segment *s)
{
	c->last_rx_us = conn_now(c);
	if (s->has_ts && c->rcv_wup == s->seq) { /* RFC 7323, 4.3 */
		c->ts_recent = s->tsval;
		c->ts_recent_unit = conn_unit(c);
	}
	c->nr_keep = 0;
	c->nr_probes = 0;
	c->snd_wnd = s->wnd << c->snd_wscale;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	if (c->snd_wnd > c->max_snd_wnd)
		c->max_snd_wnd = c->snd_wnd;
	if (s->ack != c->snd_una) {
		tcp_ack_fast(c, s->ack, s->has_ts && s->tsecr, s->tsecr);
		tcp_conn_pend(c);
	}
}

bool tcp_fast_input(struct net *net, struct pkt *p)
{
	const uint8_t *ip = p->data + L2_BYTES;
	struct tcp_conn *c;
	struct segment s;

	if (!frame_parse(net, p, &s))
		return false;
	c = conn_find(net->tcp, ip);
	if (!c || !is_steady(c) || !is_predicted(c, &s) || !csums_ok(p, ip, &s))
		return false;
	net_count(net, NET_CTR_SEGS_IN);
	pkt_trim(p, L2_BYTES + s.total_len);
	pkt_pull(p, L2_BYTES + L3_BYTES + s.hdr_len);
	p->tcp.flags = TCP_ACK;
	p->tcp.seq = s.seq;
	p->tcp.end = s.seq + s.len;
	header_take(c, &s);
	if (s.len && conn_can_receive(c))
		tcp_rcv_in_order(c, p);
	else
		pkt_free(net->pool, p);
	return true;
}
