/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Building and sending segments. All that follows from a burst is sent at its end, by
 * tcp_output(), so replies share segments and acknowledgements ride on them.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/gso.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <string.h>

/* The shortest time between two answers to segments that are not acceptable (RFC 5961, 7); below
   the shortest RTO, so that a probe never goes unanswered. */
#define CHALLENGE_GAP_TICKS 97u /* 99 ms, of ticks that may have just begun */

#define SEGS_SHARE 16u /* segments in flight that any connection may have */

static struct pkt *out_alloc(struct net *net)
{
	struct pkt *p = pkt_alloc(net->pool);

	if (!p)
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
	return p;
}

void tcp_emit(
	struct tcp_stack *ts, struct pkt *p, const struct tcp_key *key, const struct tcp_out *out)
{
	struct net *net = ts->net;
	uint8_t opts[TCP_OPTIONS_MAX];
	const uint32_t opts_len = tcp_opts_write(opts, &out->opts);
	struct tcp_hdr h = {
		.sport = be16(key->lport),
		.dport = be16(key->rport),
		.seq = be32(out->seq),
		.ack = be32(out->ack),
		.doff = (uint8_t)((sizeof(h) + opts_len) / 4 << 4),
		.flags = out->flags,
		.wnd = be16(out->wnd),
	};
	const bool is_cut = p->flags & PKT_TX_CHAIN && p->seg_len;
	uint64_t sum;

	if (opts_len)
		memcpy(pkt_push(p, opts_len), opts, opts_len);
	pkt_push(p, sizeof(h));
	sum = csum_pseudo(&key->laddr, &key->raddr, IP_PROTO_TCP, is_cut ? 0 : pkt_total(p));
	if (is_cut)
		p->l4_len = (uint8_t)(sizeof(h) + opts_len);
	if (net->cfg.offloads & NET_TX_TCP_CSUM)
		p->flags |= PKT_TX_L4_CSUM;
	h.csum = csum_fold(sum);
	memcpy(p->data, &h, sizeof(h));
	if (!is_cut && !(net->cfg.offloads & NET_TX_TCP_CSUM)) {
		h.csum = 0;
		memcpy(p->data, &h, sizeof(h));
		h.csum = (uint16_t)~csum_fold(pkt_csum_add(sum, p));
		memcpy(p->data, &h, sizeof(h));
	}
	net_count(net, NET_CTR_SEGS_OUT);
	ip_output(net, p, &key->laddr, &key->raddr, IP_PROTO_TCP);
}

/* The most recent blocks, as many as fit into room bytes; a duplicate report comes first (RFC
   2883). */
static void sacks_fill(struct tcp_conn *c, struct tcp_opts *opts, uint32_t room)
{
	struct tcp_rx *rx = c->rx;
	uint32_t max = room >= 12 ? (room - 4) / 8 : 0;

	if (max > TCP_MAX_SACKS)
		max = TCP_MAX_SACKS;
	if (!c->has_sack || !max)
		return;
	if (rx->has_dsack)
		opts->sacks[opts->nr_sacks++] = rx->dsack;
	for (uint8_t i = 0; i < rx->nr_sacks && opts->nr_sacks < max; i++)
		opts->sacks[opts->nr_sacks++] = rx->sacks[i];
	rx->has_dsack = false;
	if (opts->nr_sacks)
		net_count(conn_net(c), NET_CTR_SACK_OUT);
}

void tcp_conn_emit(struct tcp_conn *c, struct pkt *p, uint32_t seq, uint8_t flags)
{
	const uint32_t len = pkt_total(p), room = len < c->mss ? c->mss - len : 0;
	struct tcp_out out = {
		.seq = seq,
		.ack = c->rcv_nxt,
		.wnd = tcp_rcv_window(c),
		.flags = flags | TCP_ACK | (c->is_ece_due ? TCP_ECE : 0),
		.opts.has_ts = c->has_ts,
		.opts.tsval = conn_ts_at(c, conn_now(c)),
		.opts.tsecr = c->ts_recent,
	};

	if (c->rx) {
		sacks_fill(c, &out.opts, room);
		tcp_rx_trim(c);
	}
	c->is_ack_due = false;
	c->is_ack_delayed = false;
	c->unacked_bytes = 0;
	c->rcv_wup = c->rcv_nxt;
	if (len)
		c->last_tx_us = conn_now(c);
	c->is_delack_armed = false;
	if (!out.opts.nr_sacks && tcp_tmpl_ready(c))
		tcp_tmpl_emit(c, p, &out);
	else
		tcp_emit(c->ts, p, &c->node.key, &out);
}

/* New data is ECN-capable, what is sent again is not (RFC 3168, 6.1.5). Returns its flags. */
static uint8_t ecn_mark(struct tcp_conn *c, struct pkt *p)
{
	const uint8_t flags = c->is_cwr_due ? TCP_CWR : 0;

	p->flags |= PKT_TX_ECT;
	c->is_cwr_due = false;
	return flags;
}

/* Sends [seq, seq + len) of the output buffer. False: no packet. */
static bool data_send(struct tcp_conn *c, uint32_t seq, uint32_t len, bool has_fin, bool is_new)
{
	const uint64_t off = seq - c->snd_una;
	struct pkt *p = out_alloc(conn_net(c));
	uint8_t flags = has_fin ? TCP_FIN : 0;

	if (!p)
		return false;
	if (len) {
		if (len < TCP_REF_MIN) {
			obuf_copy_at(&c->ob, off, pkt_put(p, len), len);
		} else if (!tcp_data_put(c, p, off, len)) {
			pkt_free(conn_net(c)->pool, p);
			return false;
		}
		if (off + len == obuf_sendable(&c->ob))
			flags |= TCP_PSH;
		if (is_new && c->has_ecn)
			flags |= ecn_mark(c, p);
	}
	if (c->ca_state == TCP_CA_RECOVERY)
		c->tx->prr_out += len;
	tcp_conn_emit(c, p, seq, flags);
	return true;
}

/* Sends a segment again, at most one MSS of it. False: no packet or memory. */
static bool seg_resend(struct tcp_conn *c, struct tcp_seg *s)
{
	uint32_t len = s->end - s->seq - s->has_fin;

	if (len > c->mss) {
		if (!tcp_seg_split(c, s, s->seq + c->mss))
			return false;
		len = c->mss;
	}
	if (!data_send(c, s->seq, len, s->has_fin, false))
		return false;
	tcp_seg_sent_again(c, s);
	net_count(conn_net(c), NET_CTR_RETRANS);
	net_counter_add(&conn_net(c)->counters.ctrs[NET_CTR_RETRANS_BYTES], len);
	return true;
}

/* Sends new bytes, and the FIN if it follows them. */
static bool seg_send_new(struct tcp_conn *c, uint32_t len, bool has_fin)
{
	const uint32_t seq = c->snd_nxt;
	struct tcp_seg *s = tcp_seg_add(c, seq, seq + len + has_fin, has_fin);

	if (!s)
		return false;
	if (c->snd_una == c->snd_nxt)
		c->unacked_since_us = conn_now(c);
	c->snd_nxt = s->end;
	if (!data_send(c, seq, len, has_fin, true)) {
		c->snd_nxt = seq;
		tcp_seg_undo(c, s);
		return false;
	}
	net_counter_add(&conn_net(c)->counters.ctrs[NET_CTR_BYTES_OUT], len);
	if (has_fin) {
		c->is_fin_sent = true;
		c->state = c->state == TCP_ST_ESTABLISHED ? TCP_ST_FIN_WAIT_1 : TCP_ST_LAST_ACK;
	}
	return true;
}

static bool cwnd_allows(const struct tcp_conn *c, uint32_t len)
{
	uint32_t pipe;

	if (c->snd_una == c->snd_nxt)
		return true;
	pipe = conn_pipe(c);
	return pipe == 0 || pipe + len <= c->cwnd;
}

/* Sends again what is lost, in order; there is something. False: out of packets. */
static __attribute__((noinline, cold)) bool lost_send(struct tcp_conn *c, bool *sent)
{
	struct tcp_seg *s = TAILQ_FIRST(&c->tx->segs);

	while (s && c->tx->lost_bytes) {
		if (s->state == TCP_SEG_LOST) {
			uint32_t len = s->end - s->seq;

			if (!cwnd_allows(c, len < c->mss ? len : c->mss))
				break;
			if (!seg_resend(c, s))
				return false;
			*sent = true;
		}
		s = TAILQ_NEXT(s, by_seq);
	}
	return true;
}

static uint32_t usable_window(const struct tcp_conn *c)
{
	const uint32_t max = conn_net(c)->cfg.tcp.snd_max;
	const uint32_t wnd = c->snd_wnd < max ? c->snd_wnd : max;
	const uint32_t out = c->snd_nxt - c->snd_una;

	return wnd > out ? wnd - out : 0;
}

/* How many new bytes the next segment may carry. Less than there are and than a full segment only
   if it is worth it (RFC 9293, 3.8.6.2.1). */
static uint32_t new_len(struct tcp_conn *c, uint64_t unsent)
{
	const uint32_t wnd = usable_window(c);
	uint32_t n = unsent < c->mss ? (uint32_t)unsent : c->mss;

	if (n <= wnd)
		return n;
	n = wnd;
	if (n >= c->max_snd_wnd / 2 || c->is_override_due)
		return n;
	return 0;
}

/* When records of segments run short those that have many wait for their own ACKs: nobody can take
   the others' share by acknowledging nothing. */
static bool segs_allow(const struct tcp_conn *c, uint32_t out)
{
	const struct slab *segs = &c->ts->segs;

	return segs->nr_used < segs->nr_max - segs->nr_max / 4 || out < SEGS_SHARE * c->mss;
}

/* Sends new data and the FIN as far as the windows allow. False: out of packets. */
static bool new_send(struct tcp_conn *c, bool *sent)
{
	c->is_cwnd_limited = false;
	while (!c->is_fin_sent) {
		const uint32_t out = c->snd_nxt - c->snd_una;
		const uint64_t unsent = obuf_sendable(&c->ob) - out;
		bool has_fin = false;
		uint32_t n = 0;

		if (unsent)
			n = new_len(c, unsent);
		if (c->is_fin_wanted)
			has_fin = out + n == obuf_len(&c->ob) && usable_window(c) > n;
		if (n == 0 && !has_fin)
			return true;
		if (n && !cwnd_allows(c, n)) {
			c->is_cwnd_limited = true;
			return true;
		}
		if (!segs_allow(c, out))
			return true;
		if (unsent >= 2u * c->mss && conn_has_bulk(c) &&
			tcp_bulk_send(c, unsent, usable_window(c))) {
			*sent = true;
			continue;
		}
		if (!seg_send_new(c, n, has_fin))
			return false;
		c->is_override_due = false;
		*sent = true;
	}
	return true;
}

/* RFC 5681, 4.1: what an idle connection once knew about the path is not true any more. */
static void idle_restart(struct tcp_conn *c)
{
	const uint32_t iw = TCP_IW_SEGS * c->mss;

	if (c->snd_una == c->snd_nxt && c->cwnd > iw && obuf_sendable(&c->ob) &&
		conn_now(c) - c->last_tx_us > c->rto_us)
		c->cwnd = iw;
}

void tcp_output(struct tcp_conn *c)
{
	bool resent = false, sent = false, is_done = true;

	if (c->state == TCP_ST_SYN_SENT) {
		tcp_send_syn(c);
		return;
	}
	if (!conn_is_synchronized(c))
		return;
	if (conn_lost(c) || !c->is_fin_sent) {
		idle_restart(c);
		if (conn_lost(c))
			is_done = lost_send(c, &resent);
		if (is_done)
			is_done = new_send(c, &sent);
		if ((resent && c->rtx_mode != TCP_RTX_REO) || c->rtx_mode == TCP_RTX_OFF ||
			c->rtx_mode == TCP_RTX_PERSIST || (sent && c->rtx_mode == TCP_RTX_TLP))
			tcp_rtx_rearm(c, 0);
	}
	if (c->is_ack_due)
		tcp_send_ack(c);
	else if (c->is_ack_delayed)
		tcp_delack_arm(c);
	if (!is_done || c->is_ack_due)
		tcp_conn_pend(c);
}

/* The probe of a recovery: what is most wanted, again. It says nothing of a loss of its own. */
static bool recovery_probe(struct tcp_conn *c)
{
	struct tcp_seg *s = TAILQ_FIRST(&c->tx->segs);

	while (s && s->state != TCP_SEG_FLYING)
		s = TAILQ_NEXT(s, by_seq);
	if (!s || !seg_resend(c, s))
		return false;
	c->tx->is_tlp_rtx = false;
	c->is_tlp_out = true;
	c->tx->tlp_end = c->snd_nxt;
	return true;
}

bool tcp_send_tlp(struct tcp_conn *c)
{
	const uint32_t out = c->snd_nxt - c->snd_una;
	const uint64_t unsent = c->is_fin_sent ? 0 : obuf_sendable(&c->ob) - out;
	const uint32_t n = unsent ? new_len(c, unsent) : 0;
	struct tcp_seg *last = TAILQ_LAST(&c->tx->segs, tcp_seg_list);

	if (c->ca_state == TCP_CA_RECOVERY)
		return recovery_probe(c);
	if (n) {
		if (!seg_send_new(c, n, false))
			return false;
		c->tx->is_tlp_rtx = false;
	} else {
		/* The very end of it: what follows a split has to be sent, not what precedes it. */
		if (last->end - last->seq - last->has_fin > c->mss) {
			if (!tcp_seg_split(c, last, last->end - last->has_fin - c->mss))
				return false;
			last = TAILQ_NEXT(last, by_seq);
		}
		if (!seg_resend(c, last))
			return false;
		c->tx->is_tlp_rtx = true;
	}
	c->is_tlp_out = true;
	c->tx->tlp_end = c->snd_nxt;
	return true;
}

void tcp_send_ack(struct tcp_conn *c)
{
	struct pkt *p = out_alloc(conn_net(c));

	tcp_tx_get(c); /* for the template: who receives much says this often */
	if (p)
		tcp_conn_emit(c, p, c->snd_nxt, 0);
}

/* A segment that is not acceptable, so that the peer must answer: zero-window probe and
   keepalive. */
void tcp_send_probe(struct tcp_conn *c)
{
	struct pkt *p = out_alloc(conn_net(c));

	if (p)
		tcp_conn_emit(c, p, c->snd_una - 1, 0);
}

void tcp_send_challenge(struct tcp_conn *c)
{
	const uint32_t tick = conn_tick(c);

	if (c->oow_ack_tick && tick - c->oow_ack_tick < CHALLENGE_GAP_TICKS)
		return;
	c->oow_ack_tick = tick ? tick : 1;
	net_count(conn_net(c), NET_CTR_CHALLENGE);
	if (c->state != TCP_ST_SYN_RCVD) {
		tcp_send_ack(c);
		return;
	}
	if (!c->nr_rtx)
		c->nr_rtx = 1; /* sent twice: its answer measures nothing */
	tcp_send_syn(c);
}

void tcp_send_syn(struct tcp_conn *c)
{
	const struct net *net = conn_net(c);
	const bool is_answer = c->state == TCP_ST_SYN_RCVD;
	const uint32_t wnd =
		net->cfg.tcp.rcv_buf < TCP_MAX_WND ? net->cfg.tcp.rcv_buf : TCP_MAX_WND;
	struct pkt *p = out_alloc(conn_net(c));
	struct tcp_out out = {
		.seq = c->snd_una,
		.ack = is_answer ? c->rcv_nxt : 0,
		.wnd = (uint16_t)wnd,
		.flags = (is_answer ? TCP_SYN | TCP_ACK : TCP_SYN) | tcp_ecn_syn_flags(c),
		.opts.has_mss = true,
		.opts.mss = tcp_mss_of(net->cfg.mtu, &c->node.key.raddr),
		.opts.has_sack_ok = !is_answer || c->has_sack,
		.opts.has_wscale = !is_answer || c->rcv_wscale || c->snd_wscale,
		.opts.wscale = c->rcv_wscale,
		.opts.has_ts = !is_answer || c->has_ts,
		.opts.tsval = conn_ts_at(c, net->now_us),
		.opts.tsecr = is_answer ? c->ts_recent : 0,
	};

	if (!p)
		return; /* the timer sends the next one */
	if (is_answer) {
		c->rcv_adv = c->rcv_nxt + wnd;
		c->rcv_wup = c->rcv_nxt;
	}
	if (!c->nr_rtx)
		c->unacked_since_us = net->now_us;
	c->last_tx_us = net->now_us;
	tcp_emit(c->ts, p, &c->node.key, &out);
}

void tcp_send_rst(struct tcp_conn *c)
{
	struct pkt *p = out_alloc(conn_net(c));
	struct tcp_out out = {.seq = c->snd_nxt, .ack = c->rcv_nxt, .flags = TCP_RST | TCP_ACK};

	if (!p)
		return;
	net_count(conn_net(c), NET_CTR_RST_OUT);
	tcp_emit(c->ts, p, &c->node.key, &out);
}

void tcp_send_rst_to(struct tcp_stack *ts, const struct tcp_key *key, const struct pkt *p)
{
	struct tcp_out out = {.flags = TCP_RST};
	struct pkt *rst;

	if (p->tcp.flags & TCP_RST)
		return;
	if (!ratelimit_allow(&ts->rst_limit, ts->net->now_us)) {
		net_count(ts->net, NET_CTR_RST_LIMITED);
		return;
	}
	if (p->tcp.flags & TCP_ACK) {
		out.seq = p->tcp.ack;
	} else {
		out.ack = p->tcp.end;
		out.flags |= TCP_ACK;
	}
	rst = out_alloc(ts->net);
	if (!rst)
		return;
	net_count(ts->net, NET_CTR_RST_OUT);
	tcp_emit(ts, rst, key, &out);
}
