/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Data into packets without a copy, and many segments in one packet.
 *
 * A packet that stands for several segments has a record for each of them, so that nothing that
 * follows (acknowledgements, SACK, loss, what is sent again) knows of it. The device cuts it, or
 * gso_output() does.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/gso.h"
#include "dataplane/ip/wire.h"

/* Payload of one packet: what an IP packet holds, less headers. */
#define BULK_MAX (65535u - 20 - 40 - TCP_OPTIONS_MAX)
#define PIECES   16u

/* Copies into as many packets as it takes. */
static bool put_copies(struct tcp_conn *c, struct pkt *p, uint64_t off, uint32_t len)
{
	struct net *net = conn_net(c);
	struct pkt *tail = p;

	for (uint32_t nr = 1; nr <= net->cfg.max_pieces; nr++) {
		const uint32_t room = pkt_tailroom(tail), n = len < room ? len : room;
		struct pkt *piece;

		obuf_copy_at(&c->ob, off, pkt_put(tail, n), n);
		if (tail != p)
			p->more_len += n;
		off += n;
		len -= n;
		if (len == 0)
			return true;
		piece = pkt_alloc(net->pool);
		if (!piece)
			return false;
		piece->ref = NULL;
		pkt_chain(p, &tail, piece);
	}
	return false;
}

/* Shows the bytes where they lie. */
static bool put_refs(struct tcp_conn *c, struct pkt *p, uint64_t off, uint32_t len)
{
	struct net *net = conn_net(c);
	struct obuf_piece pieces[PIECES];
	struct pkt *tail = p;
	bool is_good = true;

	while (len && is_good) {
		uint32_t n;
		const uint32_t nr = obuf_pieces_get(&c->ob, off, len, pieces, PIECES, &n);

		for (uint32_t i = 0; i < nr; i++) {
			if (is_good)
				is_good = pkt_put_piece(net, p, &tail, pieces[i].bytes,
					pieces[i].len, pieces[i].seg, true);
			else
				obuf_seg_put(pieces[i].seg);
		}
		off += n;
		len -= n;
	}
	if (is_good)
		net_counter_add(&net->counters.ctrs[NET_CTR_BYTES_REF], pkt_total(p) - p->len);
	return is_good;
}

bool tcp_data_put(struct tcp_conn *c, struct pkt *p, uint64_t off, uint32_t len)
{
	if (len >= TCP_REF_MIN && (conn_net(c)->cfg.offloads & NET_TX_REF))
		return put_refs(c, p, off, len);
	return put_copies(c, p, off, len);
}

/* How much one packet may take of what is unsent: whole segments. */
static uint32_t bulk_len(const struct tcp_conn *c, uint64_t unsent, uint32_t wnd)
{
	const uint32_t pipe = conn_pipe(c);
	const uint32_t cwnd = c->cwnd > pipe ? c->cwnd - pipe : 0;
	const struct slab *segs = &c->ts->segs;
	uint32_t len = BULK_MAX;

	/* CWR goes with one segment (RFC 3168, 6.1.2). */
	if (c->is_cwr_due || segs->nr_used + BULK_MAX / c->mss > segs->nr_max - segs->nr_max / 4)
		return 0;
	len = unsent < len ? (uint32_t)unsent : len;
	len = wnd < len ? wnd : len;
	len = cwnd < len ? cwnd : len;
	return len / c->mss * c->mss;
}

static void records_undo(struct tcp_conn *c, uint32_t from)
{
	struct tcp_seg *s;

	while (c->tx && (s = TAILQ_LAST(&c->tx->segs, tcp_seg_list)) && seq_geq(s->seq, from))
		tcp_seg_undo(c, s);
}

/* A record for each segment of [seq, seq + len). False: none is there. */
static bool records_add(struct tcp_conn *c, uint32_t seq, uint32_t len)
{
	for (uint32_t at = 0; at < len; at += c->mss) {
		if (!tcp_seg_add(c, seq + at, seq + at + c->mss, false)) {
			records_undo(c, seq);
			return false;
		}
	}
	return true;
}

uint32_t tcp_bulk_send(struct tcp_conn *c, uint64_t unsent, uint32_t wnd)
{
	struct net *net = conn_net(c);
	const uint32_t len = bulk_len(c, unsent, wnd), seq = c->snd_nxt;
	const uint64_t off = seq - c->snd_una;
	struct pkt *p;

	if (len < 2u * c->mss)
		return 0;
	p = pkt_alloc(net->pool);
	if (!p)
		return 0;
	/* Segments so small that one packet holds them are not cut: each goes by itself. */
	if (len <= pkt_tailroom(p) || !tcp_data_put(c, p, off, len) || !records_add(c, seq, len)) {
		pkt_free(net->pool, p);
		return 0;
	}
	ASSERT(p->flags & PKT_TX_CHAIN);
	p->seg_len = c->mss;
	if (c->snd_una == c->snd_nxt)
		c->unacked_since_us = conn_now(c);
	c->snd_nxt += len;
	if (c->has_ecn)
		p->flags |= PKT_TX_ECT;
	if (c->ca_state == TCP_CA_RECOVERY)
		c->tx->prr_out += len;
	net_counter_add(&net->counters.ctrs[NET_CTR_BYTES_OUT], len);
	net_count(net, NET_CTR_BULK_OUT);
	net_counter_add(&net->counters.ctrs[NET_CTR_BULK_SEGS], len / c->mss);
	net_counter_add(&net->counters.ctrs[NET_CTR_SEGS_OUT], len / c->mss - 1);
	tcp_conn_emit(c, p, seq, off + len == obuf_sendable(&c->ob) ? TCP_PSH : 0);
	return len;
}
