/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TIME_WAIT: a connection of which only a few numbers are kept for 2 MSL, so that strays find an
 * answer and the next connection between the same ports is not harmed (RFC 9293, 3.10.7.4; RFC
 * 6191; RFC 1337).
 *
 * All wait equally long, so the list is in the order of their ends, and one timer serves it.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"

#define TW_ACK_GAP_US 100000u

static uint64_t tw_life_us(const struct tcp_stack *ts)
{
	return 2 * ts->net->cfg.tcp.msl_us;
}

static void tw_remove(struct tcp_stack *ts, struct tcp_tw *tw)
{
	tcp_table_remove(ts, &tw->node);
	TAILQ_REMOVE(&ts->tws, tw, link);
	slab_put(&ts->tw_slab, tw);
}

static void tw_fire(struct timer *timer, uint64_t now_us)
{
	struct tcp_stack *ts =
		(struct tcp_stack *)((char *)timer - offsetof(struct tcp_stack, tw_timer));
	struct tcp_tw *tw;

	while ((tw = TAILQ_FIRST(&ts->tws)) && tw->until_us <= now_us)
		tw_remove(ts, tw);
	if (tw)
		timer_arm(&ts->net->wheel, &ts->tw_timer, tw->until_us);
}

/* (Re)starts the wait, at the end of the list. */
static void tw_start(struct tcp_stack *ts, struct tcp_tw *tw)
{
	tw->until_us = ts->net->now_us + tw_life_us(ts);
	TAILQ_INSERT_TAIL(&ts->tws, tw, link);
	if (!timer_is_armed(&ts->tw_timer))
		timer_arm(&ts->net->wheel, &ts->tw_timer, tw->until_us);
}

void tcp_tw_enter(struct tcp_conn *c)
{
	struct tcp_stack *ts = c->ts;
	struct tcp_tw *tw;

	if (c->is_ack_due || c->is_ack_delayed)
		tcp_send_ack(c);
	tw = slab_get(&ts->tw_slab);
	if (!tw && !TAILQ_EMPTY(&ts->tws)) {
		net_count(ts->net, NET_CTR_TIMEWAIT_EVICTED);
		tw_remove(ts, TAILQ_FIRST(&ts->tws));
		tw = slab_get(&ts->tw_slab);
	}
	tcp_conn_kill(c, 0);
	if (!tw)
		return;
	net_count(ts->net, NET_CTR_TIMEWAIT);
	tw->node.key = c->node.key;
	tw->node.hash = c->node.hash;
	tw->node.kind = TCP_NODE_TW;
	tw->snd_nxt = c->snd_nxt;
	tw->rcv_nxt = c->rcv_nxt;
	tw->ts_recent = c->ts_recent;
	tw->ts_offset = c->ts_offset;
	tw->has_ts = c->has_ts;
	tw->wnd = tcp_rcv_window(c);
	tcp_table_add(ts, &tw->node);
	tw_start(ts, tw);
}

static void tw_ack(struct tcp_stack *ts, struct tcp_tw *tw)
{
	struct net *net = ts->net;
	struct tcp_out out = {
		.seq = tw->snd_nxt,
		.ack = tw->rcv_nxt,
		.wnd = tw->wnd,
		.flags = TCP_ACK,
		.opts.has_ts = tw->has_ts,
		.opts.tsval = (uint32_t)(net->now_us / 1000) + tw->ts_offset,
		.opts.tsecr = tw->ts_recent,
	};
	struct pkt *p;

	if (tw->acked_us && net->now_us - tw->acked_us < TW_ACK_GAP_US)
		return;
	p = pkt_alloc(net->pool);
	if (!p) {
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
		return;
	}
	tw->acked_us = net->now_us;
	tcp_emit(ts, p, &tw->node.key, &out);
}

/* RFC 9293, 3.10.7.4 with RFC 6191: may this SYN begin a new connection at once? */
static bool syn_is_new(const struct tcp_tw *tw, const struct pkt *p, const struct tcp_opts *opts)
{
	if ((p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (tw->has_ts && opts->has_ts)
		return seq_gt(opts->tsval, tw->ts_recent) ||
		       (opts->tsval == tw->ts_recent && seq_gt(p->tcp.seq, tw->rcv_nxt));
	return seq_gt(p->tcp.seq, tw->rcv_nxt);
}

void tcp_tw_input(
	struct tcp_stack *ts, struct tcp_tw *tw, struct pkt *p, const struct tcp_opts *opts)
{
	const struct tcp_key key = tw->node.key;
	struct tcp_listener *lst = tcp_listener_find(ts, key.lport);

	if (lst && syn_is_new(tw, p, opts)) {
		const uint32_t floor = tw->snd_nxt;

		net_count(ts->net, NET_CTR_TIMEWAIT_RECYCLED);
		tw_remove(ts, tw);
		tcp_listen_input(ts, lst, p, &key, opts, &floor);
		return;
	}
	if (p->tcp.flags & TCP_RST) {
		net_drop(ts->net, p, DROP_TCP_RST); /* RFC 1337, fix F1 */
		return;
	}
	/* The peer's FIN again: it has not seen our ACK, and the wait begins anew. */
	if ((p->tcp.flags & TCP_FIN) && p->tcp.end == tw->rcv_nxt) {
		TAILQ_REMOVE(&ts->tws, tw, link);
		tw_start(ts, tw);
		tw_ack(ts, tw);
	} else if (p->len || (p->tcp.flags & (TCP_SYN | TCP_FIN)) || p->tcp.seq != tw->rcv_nxt) {
		tw_ack(ts, tw);
	}
	net_drop(ts->net, p, DROP_TCP_STATE);
}

void tcp_tw_setup(struct tcp_stack *ts)
{
	slab_init(&ts->tw_slab, sizeof(struct tcp_tw), offsetof(struct tcp_tw, node.slab_index),
		ts->net->cfg.tcp.max_timewait);
	TAILQ_INIT(&ts->tws);
	timer_init(&ts->tw_timer, tw_fire);
}

void tcp_tw_teardown(struct tcp_stack *ts)
{
	while (!TAILQ_EMPTY(&ts->tws))
		tw_remove(ts, TAILQ_FIRST(&ts->tws));
	timer_cancel(&ts->net->wheel, &ts->tw_timer);
	slab_fini(&ts->tw_slab);
}
