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
		c->rcv_mss = len;
	c->unacked_bytes += len;
	if (c->quick_acks || c->unacked_bytes >= 2 * c->rcv_mss)
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

static void dsack_set(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	if (!c->has_sack)
		return;
	c->has_dsack = true;
	c->dsack = (struct tcp_range){start, end};
}

/* Puts a block in front, merged with those it touches. */
static void sack_note(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	struct tcp_range b = {start, end};
	uint8_t i = 0;

	while (i < c->nr_sacks) {
		const struct tcp_range *o = &c->sacks[i];

		if (seq_gt(o->start, b.end) || seq_lt(o->end, b.start)) {
			i++;
			continue;
		}
		b.start = seq_min(b.start, o->start);
		b.end = seq_max(b.end, o->end);
		c->nr_sacks--;
		memmove(&c->sacks[i], &c->sacks[i + 1], (c->nr_sacks - i) * sizeof(b));
		i = 0;
	}
	if (c->nr_sacks < TCP_MAX_SACKS)
		c->nr_sacks++;
	memmove(&c->sacks[1], &c->sacks[0], (c->nr_sacks - 1) * sizeof(b));
	c->sacks[0] = b;
}

static void sacks_prune(struct tcp_conn *c)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < c->nr_sacks; i++) {
		if (seq_gt(c->sacks[i].start, c->rcv_nxt))
			c->sacks[kept++] = c->sacks[i];
	}
	c->nr_sacks = c->ooo_head ? kept : 0;
}

/* Takes p: appends it to what the user has to take, into the last packet's free room if it fits. */
static void rxq_append(struct tcp_conn *c, struct pkt *p)
{
	struct pkt *tail = c->rxq_tail;

	c->rxq_bytes += p->len;
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
		c->rxq_head = p;
	c->rxq_tail = p;
	c->rxq_pkts++;
}

/* The user may still be reading what it holds. */
static void rxq_drop_head(struct tcp_conn *c)
{
	struct pkt *p = c->rxq_head;

	c->rxq_head = p->next;
	if (!c->rxq_head)
		c->rxq_tail = NULL;
	c->rxq_pkts--;
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
	const uint32_t room = buf > c->rxq_bytes ? buf - c->rxq_bytes : 0;
	const uint32_t offered = conn_rcv_wnd(c);
	const uint32_t step = 2 * c->rcv_mss < buf / 2 ? 2 * c->rcv_mss : buf / 2;

	if (room > offered && room - offered >= step && offered < buf / 2)
		ack_now(c);
}

static void eof_tell(struct tcp_conn *c)
{
	if (!c->is_fin_rcvd || c->is_eof_told || c->rxq_head || c->is_paused)
		return;
	c->is_eof_told = true;
	if (c->ops && c->ops->eof && !c->is_closing)
		c->ops->eof(c);
}

void tcp_rcv_deliver(struct tcp_conn *c)
{
	bool any = false;

	while (c->rxq_head && !c->is_paused && c->state != TCP_ST_CLOSED) {
		struct pkt *p = c->rxq_head;
		const uint32_t n = user_offer(c, p->data, p->len);

		if (c->state == TCP_ST_CLOSED)
			return;
		any = any || n;
		c->rxq_bytes -= n;
		if (n == p->len) {
			rxq_drop_head(c);
			continue;
		}
		pkt_pull(p, n);
		c->is_paused = !(c->is_resumed && n);
	}
	if (c->state == TCP_ST_CLOSED)
		return;
	if (any)
		window_reopen(c);
	eof_tell(c);
	tcp_conn_finish_check(c);
}

static void bytes_count(struct tcp_conn *c, uint32_t len)
{
	c->bytes_received += len;
	net_counter_add(&conn_net(c)->counters.ctrs[NET_CTR_BYTES_IN], len);
}

/* Moves what has become contiguous from the out-of-order queue. */
static void ooo_drain(struct tcp_conn *c)
{
	struct pkt *p;

	while ((p = c->ooo_head) && seq_leq(p->tcp.seq, c->rcv_nxt)) {
		const uint32_t known = c->rcv_nxt - p->tcp.seq;

		c->ooo_head = p->next;
		if (!c->ooo_head)
			c->ooo_tail = NULL;
		c->ooo_pkts--;
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
	sacks_prune(c);
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
	uint32_t n = 0;

	if ((c->is_paused || c->rxq_head) && rx_is_full(c)) {
		ack_now(c);
		net_drop(conn_net(c), p, DROP_TCP_RX_FULL);
		return;
	}
	c->rcv_nxt += len;
	ack_schedule(c, len);
	if (!c->rxq_head && !c->is_paused && !c->ooo_head) {
		n = user_offer(c, p->data, len);
		if (n == len || c->state == TCP_ST_CLOSED) {
			bytes_count(c, len);
			net_keep(conn_net(c), p);
			ack_quickly(c);
			return;
		}
		if (rx_is_full(c)) {
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
	if (c->ooo_head) {
		ack_now(c); /* RFC 5681, 4.2: a gap was filled, all or in part */
		ooo_drain(c);
	}
	if (!c->is_paused)
		tcp_rcv_deliver(c);
	ack_quickly(c);
}

/* Finds the last packet kept that does not begin after seq. */
static struct pkt *ooo_before(const struct tcp_conn *c, uint32_t seq)
{
	struct pkt *prev = NULL;

	if (c->ooo_tail && seq_leq(c->ooo_tail->tcp.seq, seq))
		return c->ooo_tail;
	for (struct pkt *p = c->ooo_head; p && seq_leq(p->tcp.seq, seq); p = p->next)
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
	struct pkt *prev = ooo_before(c, p->tcp.seq);
	struct pkt *next = prev ? prev->next : c->ooo_head;
	const uint32_t seq = p->tcp.seq;

	c->quick_acks = TCP_QUICK_ACKS;
	if (c->ooo_pkts >= conn_net(c)->cfg.tcp.max_ooo_pkts || rx_is_full(c)) {
		net_drop(conn_net(c), p, DROP_TCP_OOO_FULL);
		tcp_send_ack(c);
		return;
	}
	ooo_skip(p, &prev, &next);
	if (!ooo_fit(p, prev, next)) {
		/* RFC 2883, 4: the block that has it comes right behind the report. */
		dsack_set(c, seq, p->tcp.end);
		sack_note(c, seq, p->tcp.end);
		net_drop(conn_net(c), p, DROP_TCP_DUP);
		tcp_send_ack(c);
		return;
	}
	if (p->tcp.seq != seq)
		dsack_set(c, seq, p->tcp.seq);
	p->next = next;
	if (prev)
		prev->next = p;
	else
		c->ooo_head = p;
	if (!next)
		c->ooo_tail = p;
	c->ooo_pkts++;
	rx_pkts_add(c->ts, 1);
	net_count(conn_net(c), NET_CTR_OOO);
	sack_note(c, p->tcp.seq, p->tcp.end);
	tcp_send_ack(c);
}

/* Cuts p to the window. False: nothing new is in it, or it lies outside. */
static bool seg_trim(struct tcp_conn *c, struct pkt *p, bool *has_fin)
{
	const uint32_t limit = c->has_rcv_fin ? c->rcv_fin_seq : c->rcv_adv;

	if (seq_lt(p->tcp.seq, c->rcv_nxt)) {
		const uint32_t known = c->rcv_nxt - p->tcp.seq;

		if (known > p->len || (known == p->len && !*has_fin)) {
			dsack_set(c, p->tcp.seq, p->tcp.seq + p->len);
			return false;
		}
		if (known)
			dsack_set(c, p->tcp.seq, c->rcv_nxt);
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
	struct pkt **at = &c->ooo_head, *last = NULL;
	uint8_t kept = 0;

	while (*at && seq_lt((*at)->tcp.seq, seq)) {
		last = *at;
		at = &last->next;
	}
	while (*at) {
		struct pkt *p = *at;

		*at = p->next;
		c->ooo_pkts--;
		rx_pkts_add(c->ts, -1);
		net_drop(conn_net(c), p, DROP_TCP_WINDOW);
	}
	c->ooo_tail = last;
	if (last && seq_gt(last->tcp.end, seq)) {
		pkt_trim(last, seq - last->tcp.seq);
		last->tcp.end = seq;
	}
	for (uint8_t i = 0; i < c->nr_sacks; i++) {
		if (seq_geq(c->sacks[i].start, seq))
			continue;
		c->sacks[kept] = c->sacks[i];
		c->sacks[kept].end = seq_min(c->sacks[i].end, seq);
		kept++;
	}
	c->nr_sacks = kept;
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
	while (c->rxq_head)
		rxq_drop_head(c);
	while (c->ooo_head) {
		struct pkt *p = c->ooo_head;

		c->ooo_head = p->next;
		p->next = NULL;
		rx_pkts_add(c->ts, -1);
		pkt_free(conn_net(c)->pool, p);
	}
	c->ooo_tail = NULL;
	c->ooo_pkts = 0;
}

uint16_t tcp_rcv_window(struct tcp_conn *c)
{
	const uint32_t buf = conn_net(c)->cfg.tcp.rcv_buf;
	const uint32_t max = TCP_MAX_WND << c->rcv_wscale;
	const uint32_t least = c->rcv_mss < buf / 2 ? c->rcv_mss : buf / 2;
	uint32_t room = buf > c->rxq_bytes ? buf - c->rxq_bytes : 0;
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
