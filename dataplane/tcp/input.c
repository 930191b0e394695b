/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Segments in: header checks, the way to the connection, and the state machine (RFC 9293, 3.10.7)
 * with the defences of RFC 5961 and the timestamp checks of RFC 7323.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <string.h>

#define PAWS_IDLE_UNITS (uint32_t)(24ull * 86400 * 1000000 >> TCP_UNIT_SHIFT) /* RFC 7323, 5.5 */

/* What to do with the packet after a step of the state machine. */
enum verdict { GO_ON, DONE };

static void drop(struct tcp_conn *c, struct pkt *p, enum drop why)
{
	net_drop(conn_net(c), p, why);
}

static bool fin_is_acked(const struct tcp_conn *c)
{
	return c->is_fin_sent && c->snd_una == c->snd_nxt;
}

void tcp_conn_finish_check(struct tcp_conn *c)
{
	if (!c->is_fin_rcvd || !fin_is_acked(c))
		return;
	/* The user may still have to take data. */
	if (c->ops && !c->is_closing && !c->is_eof_told)
		return;
	if (c->state == TCP_ST_LAST_ACK)
		tcp_conn_kill(c, 0);
	else
		tcp_tw_enter(c);
}

/* RFC 9293, 3.10.7.3. Takes p. */
static void syn_sent_input(struct tcp_conn *c, struct pkt *p, const struct tcp_opts *opts)
{
	const uint8_t flags = p->tcp.flags;
	const bool has_ack = flags & TCP_ACK;

	if (has_ack && p->tcp.ack != c->snd_nxt) {
		tcp_send_rst_to(c->ts, &c->node.key, p);
		drop(c, p, DROP_TCP_ACK);
		return;
	}
	if (flags & TCP_RST) {
		if (has_ack) {
			net_count(conn_net(c), NET_CTR_RST_IN);
			tcp_conn_kill(c, ECONNREFUSED);
		}
		drop(c, p, DROP_TCP_RST);
		return;
	}
	if (!(flags & TCP_SYN)) {
		drop(c, p, DROP_TCP_STATE);
		return;
	}
	c->rcv_nxt = c->rcv_wup = p->tcp.seq + 1;
	c->rcv_adv = c->rcv_nxt + TCP_DEFAULT_MSS;
	tcp_conn_take_opts(c, opts);
	tcp_ecn_take_syn(c, flags);
	c->snd_wnd = c->max_snd_wnd = p->tcp.wnd; /* never scaled in a SYN */
	c->snd_wl1 = p->tcp.seq;
	c->snd_wl2 = p->tcp.ack;
	pkt_free(conn_net(c)->pool, p); /* data on a SYN is sent again by whoever sent it */
	if (!has_ack) {
		/* Both opened at once (RFC 9293, figure 7). */
		c->state = TCP_ST_SYN_RCVD;
		tcp_send_syn(c);
		tcp_rtx_arm_syn(c);
		return;
	}
	c->snd_una = c->snd_nxt;
	tcp_rtt_sample_syn(c, opts);
	tcp_conn_establish(c);
	net_count(conn_net(c), NET_CTR_CONNECTED);
	c->is_ack_due = true;
	tcp_conn_pend(c);
	if (c->ops && c->ops->connected)
		c->ops->connected(c);
}

/* RFC 7323, 5.3. False: an old segment. */
static bool paws_ok(const struct tcp_conn *c, const struct pkt *p, const struct tcp_opts *opts)
{
	if (!c->has_ts || (p->tcp.flags & TCP_RST))
		return true;
	if (!opts->has_ts)
		return false;
	return seq_geq(opts->tsval, c->ts_recent) ||
	       conn_unit(c) - c->ts_recent_unit > PAWS_IDLE_UNITS;
}

/* RFC 9293, 3.10.7.4, first check; a bare ACK may have been overtaken by data sent after it. */
static bool seq_ok(const struct tcp_conn *c, const struct pkt *p)
{
	const uint32_t len = p->tcp.end - p->tcp.seq;
	const uint32_t wnd = conn_rcv_wnd(c);

	if (len == 0)
		return seq_geq(p->tcp.seq, c->rcv_wup) && seq_leq(p->tcp.seq, c->rcv_adv);
	if (seq_leq(p->tcp.end, c->rcv_nxt))
		return false;
	return p->tcp.seq == c->rcv_nxt || seq_lt(p->tcp.seq, c->rcv_nxt + wnd);
}

/* Takes p, whose sequence is not acceptable: the peer is told where we are, unless it is a RST. */
static void unacceptable(struct tcp_conn *c, struct pkt *p, uint32_t payload, enum drop why)
{
	const uint8_t flags = p->tcp.flags;

	if (!(flags & TCP_RST)) {
		if ((flags & TCP_SYN) && c->state == TCP_ST_SYN_RCVD)
			c->has_ecn = c->has_ecn && tcp_ecn_is_agreed(conn_net(c), flags);
		if (payload)
			c->quick_acks = TCP_QUICK_ACKS;
		if (payload && seq_lt(p->tcp.seq, c->rcv_nxt) && why == DROP_TCP_WINDOW)
			tcp_rcv_dsack(c, p->tcp.seq, p->tcp.seq + payload);
		/* Bare ACKs could go to and fro for ever between two confused ends; data and FIN
		   cannot. */
		if ((payload || flags & TCP_FIN) && c->state != TCP_ST_SYN_RCVD)
			tcp_send_ack(c);
		else
			tcp_send_challenge(c);
	}
	drop(c, p, why);
}

/* RFC 5961, 3.2: only a RST that hits rcv_nxt exactly counts. Takes p. */
static void rst_input(struct tcp_conn *c, struct pkt *p)
{
	if (p->tcp.seq != c->rcv_nxt) {
		tcp_send_challenge(c);
		drop(c, p, DROP_TCP_RST);
		return;
	}
	net_count(conn_net(c), NET_CTR_RST_IN);
	drop(c, p, DROP_TCP_RST);
	if (c->state == TCP_ST_SYN_RCVD)
		tcp_conn_kill(c, ECONNREFUSED);
	else if (c->is_fin_sent && c->is_fin_rcvd)
		tcp_conn_kill(c, 0);
	else
		tcp_conn_kill(c, ECONNRESET);
}

/* Our SYN was acknowledged: the user gets the connection. False: it is gone. */
static bool syn_rcvd_done(struct tcp_conn *c, const struct pkt *p, const struct tcp_opts *opts)
{
	struct tcp_listener *lst = c->is_half_open ? c->lst : NULL;
	struct net *net = conn_net(c);

	c->snd_una++;
	c->snd_wnd = p->tcp.wnd << c->snd_wscale;
	c->max_snd_wnd = c->snd_wnd > c->max_snd_wnd ? c->snd_wnd : c->max_snd_wnd;
	c->snd_wl1 = p->tcp.seq;
	c->snd_wl2 = p->tcp.ack;
	tcp_rtt_sample_syn(c, opts);
	tcp_conn_establish(c);
	tcp_conn_pend(c);
	if (!lst) {
		net_count(net, NET_CTR_CONNECTED);
		if (c->ops && c->ops->connected && !c->is_closing)
			c->ops->connected(c);
		return c->state != TCP_ST_CLOSED;
	}
	c->ops = lst->ops;
	c->user = lst->ctx;
	if (c->ops->accept(net, c) != 0) {
		net_count(net, NET_CTR_REFUSED);
		tcp_conn_detach(c);
		tcp_conn_reset(c, ECONNABORTED);
		return false;
	}
	net_count(net, NET_CTR_ACCEPTED);
	return c->state != TCP_ST_CLOSED;
}

/* What the acknowledgement of our FIN means. */
static void fin_acked_check(struct tcp_conn *c)
{
	if (!fin_is_acked(c))
		return;
	if (c->state == TCP_ST_FIN_WAIT_1)
		c->state = TCP_ST_FIN_WAIT_2;
	tcp_conn_finish_check(c);
}

/* The checks before anything of the segment is believed. Takes p when DONE. */
static enum verdict segment_check(
	struct tcp_conn *c, struct pkt *p, uint32_t payload, const struct tcp_opts *opts)
{
	const uint8_t flags = p->tcp.flags;

	if (!paws_ok(c, p, opts)) {
		if (opts->has_ts)
			unacceptable(c, p, payload, DROP_TCP_PAWS);
		else
			drop(c, p, DROP_TCP_PAWS);
		return DONE;
	}
	if (!seq_ok(c, p)) {
		unacceptable(c, p, payload, DROP_TCP_WINDOW);
		return DONE;
	}
	if (flags & TCP_RST) {
		rst_input(c, p);
		return DONE;
	}
	if (flags & TCP_SYN) {
		tcp_send_challenge(c); /* RFC 5961, 4.2 */
		drop(c, p, DROP_TCP_SYN);
		return DONE;
	}
	if (!(flags & TCP_ACK)) {
		drop(c, p, DROP_TCP_FLAGS);
		return DONE;
	}
	return GO_ON;
}

/* A SYN-ACK while in SYN_RCVD: the other half of a simultaneous open. */
static bool is_crossed_synack(const struct tcp_conn *c, const struct pkt *p)
{
	return c->state == TCP_ST_SYN_RCVD && !c->is_half_open && p->tcp.seq == c->rcv_nxt - 1 &&
	       (p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
	       p->tcp.ack == c->snd_nxt;
}

/* The peer's ACK in SYN_RCVD, or in a synchronized state. Takes p when DONE. */
static enum verdict ack_step(
	struct tcp_conn *c, struct pkt *p, uint32_t payload, const struct tcp_opts *opts)
{
	if (c->state == TCP_ST_SYN_RCVD) {
		if (p->tcp.ack != c->snd_nxt) {
			tcp_send_rst_to(c->ts, &c->node.key, p);
			drop(c, p, DROP_TCP_ACK);
			return DONE;
		}
		if (!syn_rcvd_done(c, p, opts)) {
			pkt_free(conn_net(c)->pool, p);
			return DONE;
		}
	}
	if (!tcp_ack_input(c, p, payload, opts)) {
		drop(c, p, DROP_TCP_ACK);
		return DONE;
	}
	fin_acked_check(c);
	if (c->state == TCP_ST_CLOSED) {
		pkt_free(conn_net(c)->pool, p);
		return DONE;
	}
	return GO_ON;
}

/* Takes p, whose data is the payload. */
void tcp_conn_input(struct tcp_conn *c, struct pkt *p, const struct tcp_opts *opts)
{
	const uint32_t payload = p->len;

	if (c->state == TCP_ST_SYN_SENT) {
		syn_sent_input(c, p, opts);
		return;
	}
	if (is_crossed_synack(c, p)) {
		p->tcp.seq++;
		p->tcp.flags &= (uint8_t)~TCP_SYN;
	}
	if (segment_check(c, p, payload, opts) == DONE)
		return;
	/* RFC 7323, 4.3: the echo is of the oldest segment that the next ACK will cover. (It is
	   not older than the last one, or the last one is outdated: paws_ok().) */
	if (c->has_ts && seq_leq(p->tcp.seq, c->rcv_wup)) {
		c->ts_recent = opts->tsval;
		c->ts_recent_unit = conn_unit(c);
	}
	c->last_rx_us = conn_now(c);
	c->nr_keep = 0;
	if (ack_step(c, p, payload, opts) == DONE)
		return;
	if (!payload && !(p->tcp.flags & TCP_FIN)) {
		pkt_free(conn_net(c)->pool, p);
		return;
	}
	if (c->is_fin_rcvd || !conn_can_receive(c)) {
		drop(c, p, DROP_TCP_STATE);
		return;
	}
	if (c->has_ecn && payload)
		tcp_ecn_data(c, p);
	tcp_rcv_segment(c, p);
}

/* Checks the header; p->data is then the payload. False: *why says what is wrong. */
static bool header_parse(struct net *net, struct pkt *p, const struct ip_meta *m,
	struct tcp_key *key, struct tcp_opts *opts, enum drop *why)
{
	struct tcp_hdr h;
	uint32_t hlen;

	*why = DROP_TCP_SHORT;
	if (p->len < sizeof(h))
		return false;
	memcpy(&h, p->data, sizeof(h));
	hlen = (uint32_t)(h.doff >> 4) * 4;
	if (hlen < sizeof(h) || hlen > p->len)
		return false;
	if (!(p->flags & PKT_RX_L4_CSUM_GOOD)) {
		const uint64_t sum = csum_pseudo(&m->src, &m->dst, IP_PROTO_TCP, p->len);

		*why = DROP_TCP_CSUM;
		if (csum_fold(csum_add(sum, p->data, p->len)) != 0xffff)
			return false;
	}
	*why = DROP_TCP_OPTIONS;
	if (!tcp_opts_parse(p->data + sizeof(h), hlen - (uint32_t)sizeof(h), opts))
		return false;
	pkt_pull(p, hlen);
	p->tcp.flags = h.flags;
	p->tcp.seq = be32(h.seq);
	p->tcp.ack = be32(h.ack);
	p->tcp.wnd = be16(h.wnd);
	p->tcp.end = p->tcp.seq + p->len + !!(h.flags & TCP_SYN) + !!(h.flags & TCP_FIN);
	*key = (struct tcp_key){
		.laddr = m->dst,
		.raddr = m->src,
		.lport = be16(h.dport),
		.rport = be16(h.sport),
	};
	*why = DROP_TCP_FLAGS;
	if ((h.flags & TCP_SYN) && (h.flags & (TCP_FIN | TCP_RST)))
		return false;
	return key->lport != 0 && key->rport != 0;
}

void tcp_input(struct net *net, struct pkt *p, const struct ip_meta *m)
{
	struct tcp_stack *ts = net->tcp;
	struct tcp_listener *lst;
	struct tcp_opts opts;
	struct tcp_node *node;
	struct tcp_key key;
	enum drop why;

	net_count(net, NET_CTR_SEGS_IN);
	if (!header_parse(net, p, m, &key, &opts, &why)) {
		net_drop(net, p, why);
		return;
	}
	node = tcp_table_find(ts, &key, tcp_key_hash(ts, &key));
	if (node) {
		if (node->kind == TCP_NODE_CONN)
			tcp_conn_input((struct tcp_conn *)node, p, &opts);
		else
			tcp_tw_input(ts, (struct tcp_tw *)node, p, &opts);
		return;
	}
	lst = tcp_listener_find(ts, key.lport);
	if (lst) {
		tcp_listen_input(ts, lst, p, &key, &opts, NULL);
		return;
	}
	tcp_send_rst_to(ts, &key, p);
	net_drop(net, p, DROP_TCP_NO_CONN);
}
