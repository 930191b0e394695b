/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scoreboard: a record for each segment in flight, SACK (RFC 2018, 2883), and RACK (RFC
 * 8985), which deems lost what was sent a reordering window before something that has arrived.
 *
 * by_seq holds all records, by_time the FLYING ones in the order of their last transmission, so
 * RACK stops at the first one young enough.
 */
#include "dataplane/tcp/conn.h"

static uint32_t seg_len(const struct tcp_seg *s)
{
	return s->end - s->seq;
}

static void by_time_leave(struct tcp_tx *tx, struct tcp_seg *s)
{
	if (s->state == TCP_SEG_FLYING)
		TAILQ_REMOVE(&tx->by_time, s, by_time);
}

/* Takes a record off all sums and lists. */
static void seg_drop(struct tcp_conn *c, struct tcp_tx *tx, struct tcp_seg *s)
{
	by_time_leave(tx, s);
	if (s->state == TCP_SEG_SACKED) {
		tx->sacked_bytes -= seg_len(s);
		tx->nr_sacked--;
	} else if (s->state == TCP_SEG_LOST) {
		tx->lost_bytes -= seg_len(s);
	}
	if (tx->sack_hint == s)
		tx->sack_hint = NULL;
	TAILQ_REMOVE(&tx->segs, s, by_seq);
	slab_put(&c->ts->segs, s);
}

struct tcp_seg *tcp_seg_add(struct tcp_conn *c, uint32_t seq, uint32_t end, bool has_fin)
{
	struct tcp_tx *tx = tcp_tx_get(c);
	struct tcp_seg *s = tx ? slab_get_raw(&c->ts->segs) : NULL;

	if (!s)
		return NULL;
	s->sent_us = conn_now(c);
	s->seq = seq;
	s->end = end;
	s->state = TCP_SEG_FLYING;
	s->was_rtx = false;
	s->has_fin = has_fin;
	TAILQ_INSERT_TAIL(&tx->segs, s, by_seq);
	TAILQ_INSERT_TAIL(&tx->by_time, s, by_time);
	return s;
}

void tcp_seg_undo(struct tcp_conn *c, struct tcp_seg *s)
{
	seg_drop(c, c->tx, s);
}

/* Cuts s at `at`; the second half keeps the history of the first. False: no memory. */
bool tcp_seg_split(struct tcp_conn *c, struct tcp_seg *s, uint32_t at)
{
	struct tcp_tx *tx = c->tx;
	struct tcp_seg *half = slab_get(&c->ts->segs);

	if (!half)
		return false;
	half->seq = at;
	half->end = s->end;
	half->has_fin = s->has_fin;
	half->sent_us = s->sent_us;
	half->was_rtx = s->was_rtx;
	half->state = s->state;
	s->end = at;
	s->has_fin = false;
	TAILQ_INSERT_AFTER(&tx->segs, s, half, by_seq);
	if (s->state == TCP_SEG_FLYING)
		TAILQ_INSERT_AFTER(&tx->by_time, s, half, by_time);
	else if (s->state == TCP_SEG_SACKED)
		tx->nr_sacked++;
	return true;
}

void tcp_seg_sent_again(struct tcp_conn *c, struct tcp_seg *s)
{
	if (s->state == TCP_SEG_LOST)
		c->tx->lost_bytes -= seg_len(s);
	by_time_leave(c->tx, s);
	s->state = TCP_SEG_FLYING;
	s->was_rtx = true;
	s->sent_us = conn_now(c);
	TAILQ_INSERT_TAIL(&c->tx->by_time, s, by_time);
}

void tcp_seg_lose(struct tcp_conn *c, struct tcp_seg *s)
{
	ASSERT(s->state == TCP_SEG_FLYING);
	by_time_leave(c->tx, s);
	s->state = TCP_SEG_LOST;
	c->tx->lost_bytes += seg_len(s);
}

void tcp_segs_free(struct tcp_conn *c)
{
	struct tcp_tx *tx = c->tx;
	struct tcp_seg *s;

	while ((s = TAILQ_FIRST(&tx->segs)))
		seg_drop(c, tx, s);
	ASSERT(tx->sacked_bytes == 0 && tx->lost_bytes == 0 && TAILQ_EMPTY(&tx->by_time));
}

/* RFC 8985, 6.2 steps 2 and 3: s was delivered. */
static void rack_note(
	const struct tcp_conn *c, struct tcp_tx *tx, const struct tcp_seg *s, bool is_echo_late)
{
	struct tcp_rack *r = &tx->rack;
	const uint64_t rtt_us = conn_now(c) - s->sent_us;

	if (s->was_rtx) {
		/* Could it be the first transmission that was delivered? */
		if (is_echo_late)
			return;
		if (rtt_us < c->min_rtt_us)
			return;
	}
	r->rtt_us = (uint32_t)rtt_us;
	if (s->sent_us > r->sent_us || (s->sent_us == r->sent_us && seq_gt(s->end, r->end))) {
		r->sent_us = s->sent_us;
		r->end = s->end;
	}
	if (!r->has_fack || seq_gt(s->end, r->fack)) {
		r->fack = s->end;
		r->has_fack = true;
	} else if (seq_lt(s->end, r->fack) && !s->was_rtx) {
		r->has_reordering = true;
	}
}

/* Was the ACK caused by something sent before s last was? (For what was SACKed that cannot be
   told: the echo belongs to the last segment that came in order.) */
static bool echo_is_late(
	const struct tcp_conn *c, const struct tcp_seg *s, const struct tcp_ack_ctx *ctx)
{
	return ctx->has_tsecr && seq_lt(ctx->tsecr, conn_ts_at(c, s->sent_us));
}

void tcp_loss_cum_ack(struct tcp_conn *c, uint32_t ack, struct tcp_ack_ctx *ctx)
{
	struct tcp_tx *tx = c->tx;
	struct tcp_seg *s;

	while ((s = TAILQ_FIRST(&tx->segs)) && seq_lt(s->seq, ack)) {
		const bool is_whole = seq_leq(s->end, ack);
		const uint32_t n = is_whole ? seg_len(s) : ack - s->seq;

		if (s->state != TCP_SEG_SACKED) {
			ctx->delivered += n;
			if (s->was_rtx)
				ctx->has_rtx_acked = true;
			else if (!ctx->rtt_us)
				ctx->rtt_us = conn_now(c) - s->sent_us;
			if (is_whole)
				rack_note(c, tx, s, echo_is_late(c, s, ctx));
		}
		if (!is_whole) {
			if (s->state == TCP_SEG_SACKED)
				tx->sacked_bytes -= n;
			else if (s->state == TCP_SEG_LOST)
				tx->lost_bytes -= n;
			s->seq = ack;
			break;
		}
		if (n > c->max_acked)
			c->max_acked = (uint16_t)n; /* an MSS at most, and the FIN */
		seg_drop(c, tx, s);
	}
}

static void block_take(struct tcp_conn *c, const struct tcp_range *b, struct tcp_ack_ctx *ctx)
{
	struct tcp_tx *tx = c->tx;
	struct tcp_seg *s = tx->sack_hint;

	/* Blocks mostly grow at their end: go on where the last one ended, if that is not past
	   this one. */
	if (!s || seq_gt(s->seq, b->start))
		s = TAILQ_FIRST(&tx->segs);
	for (; s && seq_lt(s->seq, b->end); s = TAILQ_NEXT(s, by_seq)) {
		if (seq_lt(s->seq, b->start) || seq_gt(s->end, b->end))
			continue;
		tx->sack_hint = s;
		if (s->state == TCP_SEG_SACKED)
			continue;
		by_time_leave(tx, s);
		if (s->state == TCP_SEG_LOST)
			tx->lost_bytes -= seg_len(s);
		s->state = TCP_SEG_SACKED;
		tx->sacked_bytes += seg_len(s);
		tx->nr_sacked++;
		ctx->delivered += seg_len(s);
		rack_note(c, tx, s, false);
	}
}

/* RFC 2883: a first block below the ACK, or inside the second, reports a duplicate. */
static bool is_dsack(const struct tcp_opts *opts, uint32_t ack)
{
	const struct tcp_range *b = opts->sacks;

	if (seq_lt(b[0].start, ack) && seq_leq(b[0].end, ack))
		return true;
	return opts->nr_sacks > 1 && seq_leq(b[1].start, b[0].start) && seq_leq(b[0].end, b[1].end);
}

/* RFC 8985, 6.2 step 4: duplicates that we caused widen the reordering window, once a round trip.
   */
static void dsack_note(struct tcp_conn *c)
{
	struct tcp_rack *r;

	net_count(conn_net(c), NET_CTR_DSACK_IN);
	if (!c->tx)
		return;
	/* A probe may well be a duplicate: that is no sign of reordering. */
	if (c->is_tlp_out)
		return;
	r = &c->tx->rack;
	if (r->has_dsack_round && seq_lt(c->snd_una, r->dsack_round))
		return;
	r->has_dsack_round = true;
	r->dsack_round = c->snd_nxt;
	if (r->reo_mult < 20)
		r->reo_mult++;
	r->reo_persist = 16;
}

void tcp_loss_sack(
	struct tcp_conn *c, uint32_t ack, const struct tcp_opts *opts, struct tcp_ack_ctx *ctx)
{
	uint8_t i = 0;

	if (!opts->nr_sacks)
		return;
	net_count(conn_net(c), NET_CTR_SACK_IN);
	if (is_dsack(opts, ack)) {
		ctx->has_dsack = true;
		dsack_note(c);
		i = 1;
	}
	for (; c->tx && i < opts->nr_sacks; i++) {
		const struct tcp_range *b = &opts->sacks[i];

		if (seq_lt(b->start, b->end) && seq_gt(b->start, c->snd_una) &&
			seq_leq(b->end, c->snd_nxt) && seq_lt(b->start, c->snd_nxt))
			block_take(c, b, ctx);
	}
}

/* RFC 8985, 6.2 step 4. */
static uint64_t reo_wnd_us(const struct tcp_conn *c)
{
	const struct tcp_rack *r = &c->tx->rack;
	uint64_t wnd;

	if (!r->has_reordering &&
		(c->ca_state != TCP_CA_OPEN || c->tx->nr_sacked >= TCP_DUP_THRESH))
		return 0;
	wnd = (uint64_t)c->min_rtt_us * r->reo_mult / 4;
	return wnd < c->srtt_us ? wnd : c->srtt_us;
}

uint32_t tcp_loss_rack(struct tcp_conn *c, uint64_t *wait_us)
{
	const struct tcp_rack *r = &c->tx->rack;
	const uint64_t grace = r->rtt_us + reo_wnd_us(c);
	const uint64_t now = conn_now(c);
	struct tcp_seg *s = TAILQ_FIRST(&c->tx->by_time);
	uint32_t lost = 0;

	*wait_us = 0;
	while (s && r->sent_us) {
		struct tcp_seg *next = TAILQ_NEXT(s, by_time);

		if (s->sent_us > r->sent_us ||
			(s->sent_us == r->sent_us && seq_geq(s->end, r->end)))
			break;
		if (s->sent_us + grace <= now) {
			tcp_seg_lose(c, s);
			lost += seg_len(s);
			net_count(conn_net(c), NET_CTR_RACK_LOST);
		} else if (s->sent_us + grace - now > *wait_us) {
			*wait_us = s->sent_us + grace - now;
		}
		s = next;
	}
	return lost;
}

/* A retransmission timeout: everything in flight counts as lost. If the first segment had been
   SACKed the peer has thrown it away since, and what it SACKed is not to be believed (RFC 2018,
   8). */
void tcp_loss_timeout(struct tcp_conn *c)
{
	struct tcp_seg *s = TAILQ_FIRST(&c->tx->segs);
	const bool is_reneged = s && s->state == TCP_SEG_SACKED;

	if (is_reneged)
		net_count(conn_net(c), NET_CTR_SACK_RENEGED);
	TAILQ_FOREACH(s, &c->tx->segs, by_seq) {
		if (s->state == TCP_SEG_SACKED && is_reneged) {
			c->tx->sacked_bytes -= seg_len(s);
			c->tx->nr_sacked--;
			c->tx->lost_bytes += seg_len(s);
			s->state = TCP_SEG_LOST;
		} else if (s->state == TCP_SEG_FLYING) {
			tcp_seg_lose(c, s);
		}
	}
	c->tx->reno_sacked = 0;
}
