/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walks all connections of a stack and checks sums, orders and bounds.
 */
#include "tests/net/invariants.h"

#include "checks.h"
#include "dataplane/tcp/conn.h"

static uint32_t scoreboard_check(const struct tcp_conn *c, const struct tcp_tx *tx)
{
	const struct tcp_seg *s;
	uint32_t at = c->snd_una, sacked = 0, lost = 0, nr_sacked = 0, nr_flying = 0, nr_timed = 0;
	uint64_t sent_us = 0;
	bool is_hint_here = !tx->sack_hint;

	TAILQ_FOREACH(s, &tx->segs, by_seq) {
		BUG_ON(s->seq != at || !seq_lt(s->seq, s->end));
		BUG_ON(s->has_fin && (s->end != c->snd_nxt || !c->is_fin_sent));
		at = s->end;
		is_hint_here = is_hint_here || s == tx->sack_hint;
		sacked += s->state == TCP_SEG_SACKED ? s->end - s->seq : 0;
		nr_sacked += s->state == TCP_SEG_SACKED;
		lost += s->state == TCP_SEG_LOST ? s->end - s->seq : 0;
		nr_flying += s->state == TCP_SEG_FLYING;
	}
	BUG_ON(!is_hint_here);
	BUG_ON(sacked != tx->sacked_bytes || lost != tx->lost_bytes || nr_sacked != tx->nr_sacked);
	TAILQ_FOREACH(s, &tx->by_time, by_time) {
		BUG_ON(s->state != TCP_SEG_FLYING || s->sent_us < sent_us);
		sent_us = s->sent_us;
		nr_timed++;
	}
	BUG_ON(nr_timed != nr_flying);
	return at;
}

static void tx_check(const struct tcp_conn *c)
{
	const uint32_t at = c->tx ? scoreboard_check(c, c->tx) : c->snd_una;

	BUG_ON(c->tx && !timer_is_armed(&c->timer)); /* it is given back in time */
	if (!conn_is_synchronized(c))
		return;
	BUG_ON(at != c->snd_nxt);
	BUG_ON(!c->tx && c->ca_state != TCP_CA_OPEN);
	BUG_ON(c->snd_nxt - c->snd_una > obuf_sendable(&c->ob) + c->is_fin_sent);
	BUG_ON(c->snd_nxt != c->snd_una && c->rtx_mode == TCP_RTX_OFF);
	BUG_ON(c->rtx_mode != TCP_RTX_OFF &&
		(!timer_is_armed(&c->timer) || timer_deadline_us(&c->timer) > c->rtx_at_us));
	BUG_ON((c->is_delack_armed || c->is_life_armed) && !timer_is_armed(&c->timer));
	BUG_ON(c->mss == 0 || c->cwnd == 0);
}

static uint32_t rx_check(const struct tcp_conn *c)
{
	static const struct tcp_rx none;
	const struct tcp_rx *rx = c->rx ? c->rx : &none;
	uint32_t nr = 0, bytes = 0, nr_ooo = 0, at = c->rcv_nxt;

	BUG_ON(c->rx && !rx->rxq_head && !rx->ooo_head && !rx->has_dsack); /* it is given back */
	for (const struct pkt *p = rx->rxq_head; p; p = p->next) {
		BUG_ON(p->len == 0 || (!p->next && p != rx->rxq_tail));
		bytes += p->len;
		nr++;
	}
	BUG_ON(bytes != rx->rxq_bytes || nr != rx->rxq_pkts);
	for (const struct pkt *p = rx->ooo_head; p; p = p->next) {
		BUG_ON(p->len == 0 || (!p->next && p != rx->ooo_tail));
		BUG_ON(nr_ooo == 0 ? !seq_gt(p->tcp.seq, at) : !seq_geq(p->tcp.seq, at));
		BUG_ON(p->tcp.end - p->tcp.seq != p->len);
		at = p->tcp.end;
		nr_ooo++;
	}
	BUG_ON(nr_ooo != rx->ooo_pkts);
	BUG_ON(!nr_ooo && rx->nr_sacks);
	if (c->state != TCP_ST_SYN_SENT)
		BUG_ON(seq_lt(c->rcv_adv, c->rcv_nxt) || seq_gt(at, c->rcv_adv));
	for (uint8_t i = 0; i < rx->nr_sacks; i++)
		BUG_ON(!seq_lt(rx->sacks[i].start, rx->sacks[i].end) ||
			!seq_gt(rx->sacks[i].start, c->rcv_nxt) || seq_gt(rx->sacks[i].end, at));
	return nr + nr_ooo;
}

void tcp_invariants_check(const struct net *net)
{
	const struct tcp_stack *ts = net->tcp;
	const struct tcp_conn *c;
	uint32_t rx_pkts = 0, nr_half = 0, nr = 0, nr_tx = 0, nr_rx = 0;

	TAILQ_FOREACH(c, &ts->all, all_link) {
		BUG_ON(c->state == TCP_ST_CLOSED);
		tx_check(c);
		rx_pkts += rx_check(c);
		nr_half += c->is_half_open;
		nr_tx += c->tx != NULL;
		nr_rx += c->rx != NULL;
		nr++;
	}
	TAILQ_FOREACH(c, &ts->dead, all_link) {
		BUG_ON(c->state != TCP_ST_CLOSED || timer_is_armed(&c->timer));
		rx_pkts += c->rx ? c->rx->rxq_pkts + c->rx->ooo_pkts : 0;
		nr_tx += c->tx != NULL;
		nr_rx += c->rx != NULL;
		nr++;
	}
	BUG_ON(rx_pkts != ts->rx_pkts);
	BUG_ON(nr_half != ts->nr_half);
	BUG_ON(nr != ts->conns.nr_used);
	BUG_ON(nr_tx != ts->txs.nr_used || nr_rx != ts->rxs.nr_used);
}
