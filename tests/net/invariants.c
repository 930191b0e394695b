/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walks all connections of a stack and checks sums, orders and bounds.
 */
#include "tests/net/invariants.h"

#include "checks.h"
#include "dataplane/tcp/conn.h"

static void tx_check(const struct tcp_conn *c)
{
	const struct tcp_seg *s;
	uint32_t at = c->snd_una, sacked = 0, lost = 0, nr_sacked = 0, nr_flying = 0, nr_timed = 0;
	uint64_t sent_us = 0;
	bool is_hint_here = !c->sack_hint;

	TAILQ_FOREACH(s, &c->segs, by_seq) {
		BUG_ON(s->seq != at || !seq_lt(s->seq, s->end));
		BUG_ON(s->has_fin && (s->end != c->snd_nxt || !c->is_fin_sent));
		at = s->end;
		is_hint_here = is_hint_here || s == c->sack_hint;
		sacked += s->state == TCP_SEG_SACKED ? s->end - s->seq : 0;
		nr_sacked += s->state == TCP_SEG_SACKED;
		lost += s->state == TCP_SEG_LOST ? s->end - s->seq : 0;
		nr_flying += s->state == TCP_SEG_FLYING;
	}
	BUG_ON(!is_hint_here);
	BUG_ON(conn_is_synchronized(c) && at != c->snd_nxt);
	BUG_ON(sacked != c->sacked_bytes || lost != c->lost_bytes || nr_sacked != c->nr_sacked);
	TAILQ_FOREACH(s, &c->by_time, by_time) {
		BUG_ON(s->state != TCP_SEG_FLYING || s->sent_us < sent_us);
		sent_us = s->sent_us;
		nr_timed++;
	}
	BUG_ON(nr_timed != nr_flying);
	if (!conn_is_synchronized(c))
		return;
	BUG_ON(c->snd_nxt - c->snd_una > obuf_sendable(&c->ob) + c->is_fin_sent);
	BUG_ON(c->snd_nxt != c->snd_una && c->rtx_mode == TCP_RTX_OFF);
	BUG_ON(c->rtx_mode != TCP_RTX_OFF &&
		(!timer_is_armed(&c->rtx_timer) || c->rtx_timer.deadline_us > c->rtx_at_us));
	BUG_ON(c->mss == 0 || c->cwnd == 0);
}

static uint32_t rx_check(const struct tcp_conn *c)
{
	uint32_t nr = 0, bytes = 0, nr_ooo = 0, at = c->rcv_nxt;

	for (const struct pkt *p = c->rxq_head; p; p = p->next) {
		BUG_ON(p->len == 0 || (!p->next && p != c->rxq_tail));
		bytes += p->len;
		nr++;
	}
	BUG_ON(bytes != c->rxq_bytes || nr != c->rxq_pkts);
	for (const struct pkt *p = c->ooo_head; p; p = p->next) {
		BUG_ON(p->len == 0 || (!p->next && p != c->ooo_tail));
		BUG_ON(nr_ooo == 0 ? !seq_gt(p->tcp.seq, at) : !seq_geq(p->tcp.seq, at));
		BUG_ON(p->tcp.end - p->tcp.seq != p->len);
		at = p->tcp.end;
		nr_ooo++;
	}
	BUG_ON(nr_ooo != c->ooo_pkts);
	BUG_ON(!nr_ooo && c->nr_sacks);
	if (c->state != TCP_ST_SYN_SENT)
		BUG_ON(seq_lt(c->rcv_adv, c->rcv_nxt) || seq_gt(at, c->rcv_adv));
	for (uint8_t i = 0; i < c->nr_sacks; i++)
		BUG_ON(!seq_lt(c->sacks[i].start, c->sacks[i].end) ||
			!seq_gt(c->sacks[i].start, c->rcv_nxt) || seq_gt(c->sacks[i].end, at));
	return nr + nr_ooo;
}

void tcp_invariants_check(const struct net *net)
{
	const struct tcp_stack *ts = net->tcp;
	const struct tcp_conn *c;
	uint32_t rx_pkts = 0, nr_half = 0, nr = 0;

	TAILQ_FOREACH(c, &ts->all, all_link) {
		BUG_ON(c->state == TCP_ST_CLOSED);
		tx_check(c);
		rx_pkts += rx_check(c);
		nr_half += c->lst != NULL;
		nr++;
	}
	TAILQ_FOREACH(c, &ts->dead, all_link) {
		BUG_ON(c->state != TCP_ST_CLOSED || timer_is_armed(&c->rtx_timer));
		rx_pkts += c->rxq_pkts + c->ooo_pkts;
		nr++;
	}
	BUG_ON(rx_pkts != ts->rx_pkts);
	BUG_ON(nr_half != ts->nr_half);
	BUG_ON(nr != ts->conns.nr_used);
}
