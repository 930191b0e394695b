/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Data in: trimming, delivery, the two queues, SACK blocks to send and the window to offer.
 *
 * In-order data goes to the user straight from the packet it came in. Only what the user leaves,
 * and what comes out of order, is kept; each such packet is counted against the stack's bound.
 * Data that was acknowledged is never thrown away, data that was SACKed neither: when there is no
 * room, what comes is dropped unacknowledged. Where segments overlap, the bytes that came first
 * are kept.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"

#include <errno.h>
#include <string.h>

static void rx_pkts_add(struct tcp_stack *ts, int32_t n)
{
	__atomic_store_n(&ts->rx_pkts, ts->rx_pkts + (uint32_t)n, __ATOMIC_RELAXED);
}

static bool rx_is_full(const struct tcp_conn *c)
{
	return c->ts->rx_pkts >= conn_net(c)->cfg.tcp.max_rx_pkts;
}

/* May a packet be kept? Then c->rx is there. */
static bool rx_is_ready(struct tcp_conn *c)
{
	return !rx_is_full(c) && tcp_rx_get(c);
}

static void ack_now(struct tcp_conn *c)
{
	c->is_ack_due = true;
	tcp_conn_pend(c);
}

/* RFC 9293, 3.8.6.3: at least every second full-sized segment at once, the rest may wait a
   little. */
static void ack_schedule(struct tcp_conn *c, uint32_t len)
{
	if (len > c->rcv_mss)
		c->rcv_mss = len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
	c->unacked_bytes += len;
	if (c->quick_acks || c->unacked_bytes >= 2u * c->rcv_mss)
		c->is_ack_due = true;
	else
		c->is_ack_delayed = true;
	tcp_conn_pend(c);
}

/* After a loss each segment has its own ACK, without waiting for the end of the burst: the peer's
   window may be down to a segment or two, and an ACK that is held back, or lost when it stands for
   many, then stops it until a timeout. */
static void ack_quickly(struct tcp_conn *c)
{
	if (!c->quick_acks || !c->is_ack_due || c->state == TCP_ST_CLOSED)
		return;
	c->quick_acks--;
	tcp_send_ack(c);
}

void tcp_rcv_dsack(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	struct tcp_rx *rx = c->has_sack ? tcp_rx_get(c) : NULL;

	if (!rx)
		return;
	rx->has_dsack = true;
	rx->dsack = (struct tcp_range){start, end};
}

/* Puts a block in front, merged with those it touches. */
static void sack_note(struct tcp_rx *rx, uint32_t start, uint32_t end)
{
	struct tcp_range b = {start, end};
	uint8_t i = 0;

	while (i < rx->nr_sacks) {
		const struct tcp_range *o = &rx->sacks[i];

		if (seq_gt(o->start, b.end) || seq_lt(o->end, b.start)) {
			i++;
			continue;
		}
		b.start = seq_min(b.start, o->start);
		b.end = seq_max(b.end, o->end);
		rx->nr_sacks--;
		memmove(&rx->sacks[i], &rx->sacks[i + 1], (rx->nr_sacks - i) * sizeof(b));
		i = 0;
	}
	if (rx->nr_sacks < TCP_MAX_SACKS)
		rx->nr_sacks++;
	memmove(&rx->sacks[1], &rx->sacks[0], (rx->nr_sacks - 1) * sizeof(b));
	rx->sacks[0] = b;
}

static void sacks_prune(struct tcp_rx *rx, uint32_t rcv_nxt)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < rx->nr_sacks; i++) {
		if (seq_gt(rx->sacks[i].start, rcv_nxt))
			rx->sacks[kept++] = rx->sacks[i];
	}
	rx->nr_sacks = rx->ooo_head ? kept : 0;
}

/* Takes p: appends it to what the user has to take, into the last packet's free room if it fits.
   c->rx is there. */
static void rxq_append(struct tcp_conn *c, struct pkt *p)
{
	struct tcp_rx *rx = c->rx;
	struct pkt *tail = rx->rxq_tail;

	rx->rxq_bytes += p->len;
	if (tail && pkt_tailroom(tail) >= p->len) {
		memcpy(pkt_put(tail, p->len), p->data, p->len);
		rx_pkts_add(c->ts, -1);
		pkt_free(conn_net(c)->pool, p);
		return;
	}
	p->next = NULL;
	if (tail)
		tail->next = p;
	else
		rx->rxq_head = p;
	rx->rxq_tail = p;
	rx->rxq_pkts++;
}

/* The user may still be reading what it holds. */
static void rxq_drop_head(struct tcp_conn *c)
{
	struct tcp_rx *rx = c->rx;
	struct pkt *p = rx->rxq_head;

	rx->rxq_head = p->next;
	if (!rx->rxq_head)
		rx->rxq_tail = NULL;
	rx->rxq_pkts--;
	rx_pkts_add(c->ts, -1);
	net_keep(conn_net(c), p);
}

/* Offers bytes to the user; returns how many were taken. Whoever has closed takes all. */
static uint32_t user_offer(struct tcp_conn *c, const uint8_t *data, uint32_t len)
{
	uint32_t n;

	if (!c->ops || c->is_closing)
		return len;
	c->is_delivering = true;
	c->is_resumed = false;
	n = c->ops->data(c, data, len);
	c->is_delivering = false;
	BUG_ON(n > len);
	/* One who closes or lets go in the call wants nothing more. */
	if (!c->ops || c->is_closing)
		return len;
	return n;
}

/* Tells the peer that the window has opened, if it is worth telling (RFC 9293, 3.8.6.2.2). */
static void window_reopen(struct tcp_conn *c)
{
	const uint32_t buf = conn_net(c)->cfg.tcp.rcv_buf;
	const uint32_t kept = conn_rxq_bytes(c), room = buf > kept ? buf - kept : 0;
	const uint32_t offered = conn_rcv_wnd(c);
	const uint32_t step = 2u * c->rcv_mss < buf / 2 ? 2u * c->rcv_mss : buf / 2;

	if (room > offered && room - offered >= step && offered < buf / 2)
		ack_now(c);
}

static bool has_rxq(const struct tcp_conn *c)
{
	return c->rx && c->rx->rxq_head;
}

static void eof_tell(struct tcp_conn *c)
{
	if (!c->is_fin_rcvd || c->is_eof_told || has_rxq(c) || c->is_paused)
		return;
	c->is_eof_told = true;
	if (c->ops && c->ops->eof && !c->is_closing)
		c->ops->eof(c);
}

void tcp_rcv_deliver(struct tcp_conn *c)
{
	struct tcp_rx *rx = c->rx;
	bool any = false;

	while (rx && rx->rxq_head && !c->is_paused && c->state != TCP_ST_CLOSED) {
		struct pkt *p = rx->rxq_head;
		const uint32_t n = user_offer(c, p->data, p->len);

		if (c->state == TCP_ST_CLOSED)
			return;
		any = any || n;
		rx->rxq_bytes -= n;
		if (n == p->len) {
			rxq_drop_head(c);
			continue;
		}
		pkt_pull(p, n);
		c->is_paused = !(c->is_resumed && n);
	}
	if (c->state == TCP_ST_CLOSED)
		return;
	tcp_rx_trim(c);
	if (any)
		window_reopen(c);
	eof_tell(c);
	tcp_conn_finish_check(c);
}

static void bytes_count(struct tcp_conn *c, uint32_t len)
{
	net_counter_add(&conn_net(c)->counters.ctrs[NET_CTR_BYTES_IN], len);
}

/* Moves what has become contiguous from the out-of-order queue. */
static void ooo_drain(struct tcp_conn *c)
{
	struct tcp_rx *rx = c->rx;
	struct pkt *p;

	while ((p = rx->ooo_head) && seq_leq(p->tcp.seq, c->rcv_nxt)) {
		const uint32_t known = c->rcv_nxt - p->tcp.seq;

		rx->ooo_head = p->next;
		if (!rx->ooo_head)
			rx->ooo_tail = NULL;
		rx->ooo_pkts--;
		p->next = NULL;
		if (known >= p->len) {
			rx_pkts_add(c->ts, -1);
			net_drop(conn_net(c), p, DROP_TCP_DUP);
			continue;
		}
		pkt_pull(p, known);
		c->rcv_nxt += p->len;
		bytes_count(c, p->len);
		rxq_append(c, p);
	}
	sacks_prune(rx, c->rcv_nxt);
}

/* Takes p. The user left its last bytes, and there is no room for them: they were not acknowledged
   yet, so the peer will send them again. */
static void rest_refuse(struct tcp_conn *c, struct pkt *p, uint32_t rest)
{
	c->rcv_nxt -= rest;
	c->is_paused = !c->is_resumed;
	ack_now(c);
	net_drop(conn_net(c), p, DROP_TCP_RX_FULL);
}

void tcp_rcv_in_order(struct tcp_conn *c, struct pkt *p)
{
	const uint32_t len = p->len;
	const bool is_behind = c->is_paused || has_rxq(c); /* the user has others to take first */
	uint32_t n = 0;

	if (is_behind && !rx_is_ready(c)) {
		ack_now(c);
		net_drop(conn_net(c), p, DROP_TCP_RX_FULL);
		return;
	}
	c->rcv_nxt += len;
	ack_schedule(c, len);
	if (!is_behind && !(c->rx && c->rx->ooo_head)) {
		n = user_offer(c, p->data, len);
		if (n == len || c->state == TCP_ST_CLOSED) {
			bytes_count(c, len);
			net_keep(conn_net(c), p);
			ack_quickly(c);
			return;
		}
		if (!rx_is_ready(c)) {
			bytes_count(c, n);
			rest_refuse(c, p, len - n);
			return;
		}
		pkt_pull(p, n);
		c->is_paused = !(c->is_resumed && n);
	}
	bytes_count(c, len);
	rx_pkts_add(c->ts, 1);
	rxq_append(c, p);
	if (c->rx->ooo_head) {
		ack_now(c); /* RFC 5681, 4.2: a gap was filled, all or in part */
		ooo_drain(c);
	}
	if (!c->is_paused)
		tcp_rcv_deliver(c);
	ack_quickly(c);
}

/* Finds the last packet kept that does not begin after seq. */
static struct pkt *ooo_before(const struct tcp_rx *rx, uint32_t seq)
{
	struct pkt *prev = NULL;

	if (rx->ooo_tail && seq_leq(rx->ooo_tail->tcp.seq, seq))
		return rx->ooo_tail;
	for (struct pkt *p = rx->ooo_head; p && seq_leq(p->tcp.seq, seq); p = p->next)
		prev = p;
	return prev;
}

/* Goes on to the end of what is kept without a gap from where p begins, if p reaches beyond. */
static void ooo_skip(const struct pkt *p, struct pkt **prev, struct pkt **next)
{
	while (*prev && *next && seq_geq((*prev)->tcp.end, (*next)->tcp.seq) &&
		seq_gt(p->tcp.end, (*next)->tcp.end)) {
		*prev = *next;
		*next = (*next)->next;
	}
}

/* Cuts p to the bytes between prev and next that are not there yet. False: there are none. */
static bool ooo_fit(struct pkt *p, const struct pkt *prev, const struct pkt *next)
{
	if (prev && seq_gt(prev->tcp.end, p->tcp.seq)) {
		const uint32_t known = prev->tcp.end - p->tcp.seq;

		if (known >= p->len)
			return false;
		pkt_pull(p, known);
		p->tcp.seq += known;
	}
	if (next && seq_gt(p->tcp.end, next->tcp.seq)) {
		if (seq_leq(next->tcp.seq, p->tcp.seq))
			return false;
		pkt_trim(p, next->tcp.seq - p->tcp.seq);
		p->tcp.end = next->tcp.seq;
	}
	return true;
}

/* Takes p, which begins after rcv_nxt. The peer hears of it at once (RFC 5681, 4.2). */
static void out_of_order(struct tcp_conn *c, struct pkt *p)
{
	const uint32_t seq = p->tcp.seq;
	struct pkt *prev, *next;
	struct tcp_rx *rx;

	c->quick_acks = TCP_QUICK_ACKS;
	if (!rx_is_ready(c) || c->rx->ooo_pkts >= conn_net(c)->cfg.tcp.max_ooo_pkts) {
		net_drop(conn_net(c), p, DROP_TCP_OOO_FULL);
		tcp_send_ack(c);
		return;
	}
	rx = c->rx;
	prev = ooo_before(rx, seq);
	next = prev ? prev->next : rx->ooo_head;
	ooo_skip(p, &prev, &next);
	if (!ooo_fit(p, prev, next)) {
		/* RFC 2883, 4: the block that has it comes right behind the report. */
		tcp_rcv_dsack(c, seq, p->tcp.end);
		sack_note(c->rx, seq, p->tcp.end);
		net_drop(conn_net(c), p, DROP_TCP_DUP);
		tcp_send_ack(c);
		return;
	}
	if (p->tcp.seq != seq)
		tcp_rcv_dsack(c, seq, p->tcp.seq);
	p->next = next;
	if (prev)
		prev->next = p;
	else
		rx->ooo_head = p;
	if (!next)
		rx->ooo_tail = p;
	rx->ooo_pkts++;
	rx_pkts_add(c->ts, 1);
	net_count(conn_net(c), NET_CTR_OOO);
	sack_note(c->rx, p->tcp.seq, p->tcp.end);
	tcp_send_ack(c);
}

/* Cuts p to the window. False: nothing new is in it, or it lies outside. */
static bool seg_trim(struct tcp_conn *c, struct pkt *p, bool *has_fin)
{
	const uint32_t limit = c->has_rcv_fin ? c->rcv_fin_seq : c->rcv_adv;

	if (seq_lt(p->tcp.seq, c->rcv_nxt)) {
		const uint32_t known = c->rcv_nxt - p->tcp.seq;

		if (known > p->len || (known == p->len && !*has_fin)) {
			tcp_rcv_dsack(c, p->tcp.seq, p->tcp.seq + p->len);
			return false;
		}
		if (known)
			tcp_rcv_dsack(c, p->tcp.seq, c->rcv_nxt);
		pkt_pull(p, known);
		p->tcp.seq = c->rcv_nxt;
	}
	if (seq_gt(p->tcp.seq + p->len, limit)) {
		if (seq_geq(p->tcp.seq, limit))
			return false;
		pkt_trim(p, limit - p->tcp.seq);
		*has_fin = false;
	}
	p->tcp.end = p->tcp.seq + p->len;
	return true;
}

/* The peer's data ends at seq: what was kept beyond it cannot be. */
static void ooo_cut(struct tcp_conn *c, uint32_t seq)
{
	struct tcp_rx *rx = c->rx;
	struct pkt **at, *last = NULL;
	uint8_t kept = 0;

	if (!rx)
		return;
	at = &rx->ooo_head;
	while (*at && seq_lt((*at)->tcp.seq, seq)) {
		last = *at;
		at = &last->next;
	}
	while (*at) {
		struct pkt *p = *at;

		*at = p->next;
		rx->ooo_pkts--;
		rx_pkts_add(c->ts, -1);
		net_drop(conn_net(c), p, DROP_TCP_WINDOW);
	}
	rx->ooo_tail = last;
	if (last && seq_gt(last->tcp.end, seq)) {
		pkt_trim(last, seq - last->tcp.seq);
		last->tcp.end = seq;
	}
	for (uint8_t i = 0; i < rx->nr_sacks; i++) {
		if (seq_geq(rx->sacks[i].start, seq))
			continue;
		rx->sacks[kept] = rx->sacks[i];
		rx->sacks[kept].end = seq_min(rx->sacks[i].end, seq);
		kept++;
	}
	rx->nr_sacks = kept;
	tcp_rx_trim(c);
}

/* The FIN has its turn. */
static void fin_take(struct tcp_conn *c)
{
	c->rcv_nxt++;
	if (seq_lt(c->rcv_adv, c->rcv_nxt))
		c->rcv_adv = c->rcv_nxt;
	c->is_fin_rcvd = true;
	ack_now(c);
	if (c->state == TCP_ST_ESTABLISHED)
		c->state = TCP_ST_CLOSE_WAIT;
	else if (c->state == TCP_ST_FIN_WAIT_1)
		c->state = TCP_ST_CLOSING;
	eof_tell(c);
	if (c->state != TCP_ST_CLOSED)
		tcp_conn_finish_check(c);
}

void tcp_rcv_segment(struct tcp_conn *c, struct pkt *p)
{
	bool has_fin = p->tcp.flags & TCP_FIN;
	bool is_bare;

	if (c->is_closing && c->state == TCP_ST_FIN_WAIT_2 && p->len) {
		/* Nobody is there to take it: the peer must know (RFC 9293, 3.6.1). */
		net_drop(conn_net(c), p, DROP_TCP_LATE_DATA);
		tcp_conn_reset(c, ECONNABORTED);
		return;
	}
	if (!seg_trim(c, p, &has_fin)) {
		c->quick_acks = TCP_QUICK_ACKS;
		net_drop(conn_net(c), p, DROP_TCP_DUP);
		ack_now(c);
		return;
	}
	if (has_fin && !c->has_rcv_fin) {
		c->has_rcv_fin = true;
		c->rcv_fin_seq = p->tcp.end;
		ooo_cut(c, p->tcp.end);
	}
	is_bare = !p->len;
	if (is_bare)
		pkt_free(conn_net(c)->pool, p);
	else if (p->tcp.seq == c->rcv_nxt)
		tcp_rcv_in_order(c, p);
	else
		out_of_order(c, p);
	if (c->state == TCP_ST_CLOSED || !c->has_rcv_fin || c->is_fin_rcvd)
		return;
	if (c->rcv_nxt == c->rcv_fin_seq)
		fin_take(c);
	else if (has_fin && is_bare)
		ack_now(c); /* (data out of order was answered already) */
}

void tcp_rcv_free(struct tcp_conn *c)
{
	struct tcp_rx *rx = c->rx;

	while (rx->rxq_head)
		rxq_drop_head(c);
	while (rx->ooo_head) {
		struct pkt *p = rx->ooo_head;

		rx->ooo_head = p->next;
		p->next = NULL;
		rx_pkts_add(c->ts, -1);
		pkt_free(conn_net(c)->pool, p);
	}
	rx->ooo_tail = NULL;
	rx->ooo_pkts = 0;
}

uint16_t tcp_rcv_window(struct tcp_conn *c)
{
	const uint32_t buf = conn_net(c)->cfg.tcp.rcv_buf;
	const uint32_t max = TCP_MAX_WND << c->rcv_wscale;
	const uint32_t least = c->rcv_mss < buf / 2 ? c->rcv_mss : buf / 2;
	const uint32_t kept = conn_rxq_bytes(c);
	uint32_t room = buf > kept ? buf - kept : 0;
	uint32_t offered = conn_rcv_wnd(c);

	if (room > max)
		room = max;
	room = room >> c->rcv_wscale << c->rcv_wscale;
	/* Small steps are not worth telling; the edge never moves back. */
	if (room > offered && room - offered >= least) {
		c->rcv_adv = c->rcv_nxt + room;
		offered = room;
	}
	return (uint16_t)(offered >> c->rcv_wscale);
}
