/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Acknowledgements: what they free, what they say about the path, and what they start.
 *
 *	         loss found                        ack >= recover
 *	  OPEN -------------> RECOVERY ----------------------------> OPEN
 *	    \                    | timeout                            ^
 *	     +----- timeout -----+---> LOSS --------------------------+
 *
 * In RECOVERY the window follows PRR (RFC 6937), so that sending goes on smoothly while it shrinks.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"

#define MIN_RTT_LIFE_US 300000000ull

/* RFC 6298, 2. The granularity G is a timer tick. */
void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_us)
{
	const struct tcp_cfg *cfg = &conn_net(c)->cfg.tcp;
	const uint32_t r = rtt_us > 60000000 ? 60000000 : rtt_us ? (uint32_t)rtt_us : 1;
	const uint32_t granularity = 1u << TIMER_TICK_SHIFT;
	uint64_t rto;

	if (!c->srtt_us) {
		c->srtt_us = r;
		c->rttvar_us = r / 2;
	} else {
		const uint32_t diff = r > c->srtt_us ? r - c->srtt_us : c->srtt_us - r;

		c->rttvar_us = (uint32_t)((3ull * c->rttvar_us + diff) / 4);
		c->srtt_us = (uint32_t)((7ull * c->srtt_us + r) / 8);
		if (!c->srtt_us)
			c->srtt_us = 1;
	}
	rto = 4ull * c->rttvar_us;
	rto = c->srtt_us + (rto > granularity ? rto : granularity);
	if (rto < cfg->rto_min_us)
		rto = cfg->rto_min_us;
	if (rto > cfg->rto_max_us)
		rto = cfg->rto_max_us;
	c->rto_us = (uint32_t)rto;
	c->backoff = 0;
	if (!c->min_rtt_us || r <= c->min_rtt_us ||
		(c->tx && conn_now(c) - c->tx->min_rtt_at_us > MIN_RTT_LIFE_US)) {
		c->min_rtt_us = r;
		if (c->tx)
			c->tx->min_rtt_at_us = conn_now(c);
	}
}

/* By the timestamp that came back. */
static void rtt_sample_echo(struct tcp_conn *c, uint32_t tsecr)
{
	const uint32_t ticks = conn_ts_at(c, conn_now(c)) - tsecr;

	if (ticks < 60000)
		tcp_rtt_sample(c, ticks ? ticks * 1000ull : 1000);
}

void tcp_rtt_sample_syn(struct tcp_conn *c, const struct tcp_opts *opts)
{
	if (c->is_cookie)
		return;
	if (!c->nr_rtx)
		tcp_rtt_sample(c, conn_now(c) - c->unacked_since_us);
	else if (c->has_ts && opts->has_ts && opts->tsecr)
		rtt_sample_echo(c, opts->tsecr);
}

static void rtt_update(struct tcp_conn *c, const struct tcp_ack_ctx *ctx)
{
	if (!ctx->acked)
		return;
	/* Karn: nothing that was sent twice is timed, unless the timestamp tells which one it
	   was. */
	if (ctx->rtt_us && !ctx->has_rtx_acked) {
		tcp_rtt_sample(c, ctx->rtt_us);
		return;
	}
	if (ctx->has_tsecr)
		rtt_sample_echo(c, ctx->tsecr);
}

void tcp_recovery_enter(struct tcp_conn *c)
{
	net_count(conn_net(c), NET_CTR_FAST_RETRANS);
	tcp_cc_lost(c);
	c->ca_state = TCP_CA_RECOVERY;
	c->tx->recover = c->snd_nxt;
	c->tx->prr_flight = c->snd_nxt - c->snd_una;
	c->tx->prr_delivered = 0;
	c->tx->prr_out = 0;
	c->is_tlp_out = false;
	c->cwnd = conn_pipe(c) + c->mss; /* the first retransmission goes out at once */
	tcp_conn_pend(c);
}

static void recovery_leave(struct tcp_conn *c)
{
	struct tcp_rack *r = &c->tx->rack;

	if (c->ca_state == TCP_CA_RECOVERY) {
		c->cwnd = c->ssthresh;
		if (r->reo_persist && --r->reo_persist == 0)
			r->reo_mult = 1;
	}
	c->ca_state = TCP_CA_OPEN;
	c->tx->dupacks = 0;
	c->tx->reno_sacked = 0;
}

/* RFC 6937, 3.1, with the slow-start bound only while the ACKs make progress without further
   loss. */
static void prr_update(struct tcp_conn *c, const struct tcp_ack_ctx *ctx)
{
	const uint32_t pipe = conn_pipe(c);
	int64_t room;

	c->tx->prr_delivered += ctx->delivered;
	if (pipe > c->ssthresh) {
		const uint64_t due =
			((uint64_t)c->tx->prr_delivered * c->ssthresh + c->tx->prr_flight - 1) /
			(c->tx->prr_flight ? c->tx->prr_flight : 1);

		room = (int64_t)due - c->tx->prr_out;
	} else {
		room = (int64_t)c->tx->prr_delivered - c->tx->prr_out;
		if (ctx->acked && !ctx->lost) {
			if (room < ctx->delivered)
				room = ctx->delivered;
			room += c->mss;
		}
		if (room > (int64_t)(c->ssthresh - pipe))
			room = c->ssthresh - pipe;
	}
	if (room < 0)
		room = 0;
	if (c->tx->prr_out == 0 && room < c->mss)
		room = c->mss;
	c->cwnd = pipe + (uint32_t)room;
	if (c->cwnd < c->mss)
		c->cwnd = c->mss;
}

/* Without SACK: each duplicate ACK says that a segment has arrived somewhere (RFC 5681, 3.2). */
static uint32_t reno_detect(struct tcp_conn *c, struct tcp_ack_ctx *ctx)
{
	struct tcp_seg *s = TAILQ_FIRST(&c->tx->segs);
	const uint32_t out = c->snd_nxt - c->snd_una;

	if (!s)
		return 0;
	if (ctx->is_dup && c->ca_state != TCP_CA_LOSS) {
		c->tx->dupacks++;
		if (c->tx->reno_sacked + c->tx->lost_bytes + 2u * c->mss <= out) {
			c->tx->reno_sacked += c->mss;
			ctx->delivered += c->mss;
		}
		/* (In OPEN, snd_una has passed the last recovery point: RFC 6582, 3.2 step 2.) */
		if (c->tx->dupacks != TCP_DUP_THRESH || c->ca_state != TCP_CA_OPEN)
			return 0;
	} else if (!(ctx->acked && c->ca_state == TCP_CA_RECOVERY)) {
		if (ctx->acked && c->ca_state == TCP_CA_OPEN)
			c->tx->dupacks = c->tx->reno_sacked = 0;
		return 0;
	} else {
		/* A partial ACK: the next hole begins here (RFC 6582, 3.2 step 5). */
		c->tx->reno_sacked -=
			ctx->acked < c->tx->reno_sacked ? ctx->acked : c->tx->reno_sacked;
	}
	if (s->state != TCP_SEG_FLYING || (s->was_rtx && !ctx->acked))
		return 0;
	tcp_seg_lose(c, s);
	return s->end - s->seq;
}

/* RFC 8985, 7.4.2: did the probe repair a loss? Then that loss counts as congestion. */
static void tlp_ack(struct tcp_conn *c, const struct tcp_ack_ctx *ctx)
{
	if (!c->is_tlp_out || seq_lt(c->snd_una, c->tx->tlp_end))
		return;
	if (!c->tx->is_tlp_rtx || ctx->has_dsack) {
		c->is_tlp_out = false;
	} else if (seq_gt(c->snd_una, c->tx->tlp_end)) {
		c->is_tlp_out = false;
		tcp_cc_lost(c);
		c->cwnd = c->ssthresh;
	} else if (ctx->is_dup) {
		c->is_tlp_out = false;
	}
}

static void window_grow(struct tcp_conn *c, const struct tcp_ack_ctx *ctx)
{
	const bool is_ramp = c->cwnd < c->ssthresh && ctx->prior_pipe >= c->cwnd / 2;

	if (c->is_cwnd_limited || is_ramp)
		tcp_cc_acked(c, ctx->acked);
}

static void congestion_update(struct tcp_conn *c, struct tcp_ack_ctx *ctx)
{
	const bool was_recovering = c->ca_state == TCP_CA_RECOVERY;
	uint64_t reo_us = 0;

	if (c->ca_state != TCP_CA_OPEN && ctx->acked && seq_geq(c->snd_una, c->tx->recover))
		recovery_leave(c);
	if (c->has_sack) {
		/* Only a segment delivered out of order, or one of those sent again, says
		   anything. */
		if (ctx->delivered && (c->tx->nr_sacked || c->ca_state != TCP_CA_OPEN ||
					      c->tx->lost_bytes || c->tx->rack.has_reordering))
			ctx->lost = tcp_loss_rack(c, &reo_us);
	} else {
		ctx->lost = reno_detect(c, ctx);
	}
	if (c->tx->lost_bytes && c->ca_state == TCP_CA_OPEN)
		tcp_recovery_enter(c);
	tlp_ack(c, ctx);
	if (c->ca_state == TCP_CA_RECOVERY) {
		prr_update(c, ctx);
	} else if (ctx->acked && !was_recovering && !ctx->is_ece) {
		/* (What ends a recovery was paid for by PRR: RFC 6582, 3.2 step 3.) */
		window_grow(c, ctx);
	}
	if (c->is_reduced && seq_gt(c->snd_una, c->tx->cwr_end))
		c->is_reduced = false;
	if (ctx->is_ece)
		tcp_ecn_echo(c);
	/* RFC 6298, 5.3: only progress restarts the timeout. */
	if (ctx->acked || ctx->lost || reo_us || c->rtx_mode != TCP_RTX_RTO)
		tcp_rtx_rearm(c, reo_us);
}

/* RFC 9293, 3.10.7.4: take the window from the newest segment only. True: it changed. */
static bool window_update(struct tcp_conn *c, const struct pkt *p)
{
	const uint32_t wnd = p->tcp.wnd << c->snd_wscale;
	const uint32_t old = c->snd_wnd;

	if (seq_lt(c->snd_wl1, p->tcp.seq) ||
		(c->snd_wl1 == p->tcp.seq && seq_leq(c->snd_wl2, p->tcp.ack))) {
		c->snd_wnd = wnd;
		c->snd_wl1 = p->tcp.seq;
		c->snd_wl2 = p->tcp.ack;
		if (wnd > c->max_snd_wnd)
			c->max_snd_wnd = wnd;
	}
	return c->snd_wnd != old;
}

/* Frees what is acknowledged; the FIN has no byte in the buffer. */
static uint32_t una_advance(struct tcp_conn *c, uint32_t ack)
{
	uint32_t bytes = ack - c->snd_una;

	if (c->is_fin_sent && ack == c->snd_nxt)
		bytes--;
	c->snd_una = ack;
	obuf_consume(&c->ob, bytes);
	c->unacked_since_us = conn_now(c);
	c->nr_rtx = 0;
	if (c->has_ts)
		c->backoff = 0;
	return bytes;
}

static void sent_upcall(struct tcp_conn *c)
{
	if (c->ops && c->ops->sent && !c->is_closing && obuf_len(&c->ob) <= c->sent_mark)
		c->ops->sent(c);
}

void tcp_ack_fast(struct tcp_conn *c, uint32_t ack, bool has_tsecr, uint32_t tsecr)
{
	struct tcp_ack_ctx ctx = {
		.prior_pipe = c->snd_nxt - c->snd_una,
		.acked = ack - c->snd_una,
		.has_tsecr = has_tsecr,
		.tsecr = tsecr,
	};
	uint32_t freed;

	tcp_loss_cum_ack(c, ack, &ctx);
	freed = una_advance(c, ack);
	rtt_update(c, &ctx);
	window_grow(c, &ctx);
	tcp_rtx_rearm(c, 0);
	if (freed)
		sent_upcall(c);
}

bool tcp_ack_input(
	struct tcp_conn *c, const struct pkt *p, uint32_t payload, const struct tcp_opts *opts)
{
	const uint32_t ack = p->tcp.ack;
	struct tcp_ack_ctx ctx = {.prior_pipe = conn_pipe(c)};
	uint32_t freed = 0;
	bool is_update;

	if (seq_gt(ack, c->snd_nxt) || seq_lt(ack, c->snd_una - c->max_snd_wnd)) {
		tcp_send_challenge(c); /* RFC 5961, 5 */
		return false;
	}
	if (seq_lt(ack, c->snd_una))
		return true; /* overtaken; its data may be new all the same */
	ctx.has_tsecr = c->has_ts && opts->has_ts && opts->tsecr;
	ctx.tsecr = opts->tsecr;
	is_update = window_update(c, p);
	c->nr_probes = 0;
	if (c->snd_una == c->snd_nxt) {
		if (c->has_sack)
			tcp_loss_sack(c, ack, opts, &ctx); /* a late report of a duplicate */
		c->is_tlp_out = false;                     /* what it asked for has come, twice */
		if (is_update) {
			tcp_rtx_rearm(c, 0);
			tcp_conn_pend(c);
		}
		return true;
	}
	ctx.acked = ack - c->snd_una;
	ctx.is_ece = c->has_ecn && (p->tcp.flags & TCP_ECE);
	ctx.is_dup = !ctx.acked && !payload && !is_update && !(p->tcp.flags & (TCP_SYN | TCP_FIN));
	if (ctx.is_dup)
		net_count(conn_net(c), NET_CTR_DUP_ACKS);
	if (ctx.acked) {
		tcp_loss_cum_ack(c, ack, &ctx);
		freed = una_advance(c, ack);
	}
	if (c->has_sack)
		tcp_loss_sack(c, ack, opts, &ctx);
	if (!ctx.acked && !ctx.delivered && !ctx.is_dup && !is_update)
		return true; /* data of the other direction, nothing new in this one */
	rtt_update(c, &ctx);
	congestion_update(c, &ctx);
	tcp_conn_pend(c);
	if (freed)
		sent_upcall(c);
	return c->state != TCP_ST_CLOSED;
}
