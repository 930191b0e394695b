/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What routers say about the path, and what their silence says.
 *
 * ICMP errors are believed only as far as RFC 5927 advises. An error must quote a sequence number
 * that is in flight. It can end a connection that is being opened, but not one that is established:
 * there it is a hint that the retransmission timeout will confirm or not.
 *
 * "Too big" (RFC 1191, RFC 8201) lowers the MSS, never raises it. It must claim less than the length
 * of the packet that it quotes, and no less than every host must take. As long as nothing of the
 * size has arrived it is believed at once: the path is being found out. If larger segments have
 * arrived before, it waits until the quoted one times out (RFC 5927, 7.2).
 *
 * Where routers are silent, segments vanish by their size alone (RFC 4821, 7.7, in a simple form):
 * after every third timeout in a row of a segment that a smaller MSS would have cut, the next
 * smaller MSS is tried.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/pmtu.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>

#define MTU_MIN_V4     552u /* RFC 9293, 3.7.1 allows 576; old links have a little less */
#define GUESS_TIMEOUTS 3u

/* What old routers, which name no MTU, may mean (RFC 1191, 7); what is tried in a black hole. */
static const uint16_t plateaus[] = {8166, 4352, 2002, 1492, 1280, 1006, MTU_MIN_V4};
static const uint16_t guesses[] = {1280, MTU_MIN_V4};

/* Segments too large for the path are lost; they are cut when they are sent again. */
static void mss_lower(struct tcp_conn *c, uint32_t mtu, enum pmtu_source source)
{
	struct tcp_seg *s;

	c->path_mss = tcp_mss_of(mtu, &c->node.key.raddr);
	tcp_conn_set_mss(c);
	c->max_acked = 0;
	c->tx->held_mtu = 0;
	pmtu_lower(conn_net(c), &c->node.key.raddr, mtu, source);
	TAILQ_FOREACH(s, &c->tx->segs, by_seq) {
		if (s->state == TCP_SEG_FLYING && s->end - s->seq > c->mss)
			tcp_seg_lose(c, s);
	}
	tcp_conn_pend(c);
}

static bool is_v4(const struct tcp_conn *c)
{
	return ip_addr_is_v4(&c->node.key.raddr);
}

/* Would the MTU lower the MSS? */
static bool is_lower(const struct tcp_conn *c, uint32_t mtu)
{
	return mtu < conn_net(c)->cfg.mtu && tcp_mss_of(mtu, &c->node.key.raddr) < c->path_mss;
}

/* What the message means; 0: it cannot be true. */
static uint32_t claimed_mtu(const struct tcp_conn *c, const struct tcp_icmp_error *err)
{
	uint32_t mtu = err->mtu;

	if (is_v4(c) && mtu == 0) {
		for (size_t i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]) && !mtu; i++)
			mtu = plateaus[i] < err->len ? plateaus[i] : 0;
	}
	if (is_v4(c) && mtu < MTU_MIN_V4)
		mtu = MTU_MIN_V4;
	/* RFC 8201, 4: less than the smallest MTU of IPv6 is discarded. */
	if ((!is_v4(c) && mtu < IPV6_MIN_MTU) || mtu >= err->len)
		return 0;
	return mtu;
}

static void too_big(struct tcp_conn *c, const struct tcp_icmp_error *err)
{
	const uint32_t mtu = claimed_mtu(c, err);
	struct tcp_tx *tx = c->tx; /* what is quoted is in flight */
	const uint32_t arrived = c->max_acked + (c->has_ts ? TCP_OPT_TS_BYTES : 0);

	if (!conn_is_synchronized(c))
		return;
	if (!mtu || !is_lower(c, mtu)) {
		net_count(conn_net(c), NET_CTR_PMTU_REFUSED);
		return;
	}
	if (arrived <= tcp_mss_of(mtu, &c->node.key.raddr)) {
		net_count(conn_net(c), NET_CTR_PMTU_REDUCED);
		mss_lower(c, mtu, PMTU_TOLD);
		return;
	}
	/* Of several the first in sequence is kept: that is what will time out. */
	if (tx->held_mtu && seq_leq(tx->held_seq, err->seq) && seq_geq(tx->held_seq, c->snd_una))
		return;
	net_count(conn_net(c), NET_CTR_PMTU_HELD);
	tx->held_mtu = (uint16_t)mtu;
	tx->held_seq = err->seq;
}

/* The next MTU to try; 0: the segment that timed out is small enough for all of them. */
static uint32_t next_guess(const struct tcp_conn *c)
{
	const struct tcp_seg *s = conn_first_seg(c);

	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]) && s; i++) {
		const uint32_t mtu = guesses[i];

		if ((is_v4(c) || mtu >= IPV6_MIN_MTU) && is_lower(c, mtu) &&
			s->end - s->seq > tcp_mss_of(mtu, &c->node.key.raddr))
			return mtu;
	}
	return 0;
}

void tcp_path_timeout(struct tcp_conn *c)
{
	uint32_t mtu = c->tx->held_mtu;

	c->tx->held_mtu = 0;
	if (mtu && c->snd_una == c->tx->held_seq && is_lower(c, mtu)) {
		net_count(conn_net(c), NET_CTR_PMTU_REDUCED);
		mss_lower(c, mtu, PMTU_TOLD);
		return;
	}
	if (c->snd_wnd == 0 || c->nr_rtx == 0 || c->nr_rtx % GUESS_TIMEOUTS != 0)
		return;
	mtu = next_guess(c);
	if (!mtu)
		return;
	net_count(conn_net(c), NET_CTR_PMTU_GUESSED);
	mss_lower(c, mtu, PMTU_GUESSED);
}

void tcp_path_raise(struct net *net, const struct ip_addr *raddr)
{
	const uint16_t mss = tcp_mss_of(net->cfg.mtu, raddr);
	struct tcp_conn *c;

	TAILQ_FOREACH(c, &net->tcp->all, all_link) {
		if (c->path_mss >= mss || !ip_addr_eq(&c->node.key.raddr, raddr))
			continue;
		c->path_mss = mss;
		c->max_acked = 0;
		if (conn_is_synchronized(c))
			tcp_conn_set_mss(c);
		net_count(net, NET_CTR_PMTU_RAISED);
	}
}

void tcp_icmp_input(struct net *net, const struct tcp_icmp_error *err)
{
	struct tcp_stack *ts = net->tcp;
	const struct tcp_key key = {
		.laddr = err->laddr, .raddr = err->raddr, .lport = err->lport, .rport = err->rport};
	struct tcp_node *node = tcp_table_find(ts, &key, tcp_key_hash(ts, &key));
	struct tcp_conn *c = (struct tcp_conn *)node;

	if (!node || node->kind != TCP_NODE_CONN || !seq_in(err->seq, c->snd_una, c->snd_nxt))
		return;
	net_count(net, NET_CTR_ICMP_UNREACH_IN);
	if (err->kind == TCP_ERROR_TOO_BIG) {
		too_big(c, err);
		return;
	}
	if (c->state != TCP_ST_SYN_SENT)
		return;
	if (err->kind == TCP_ERROR_REFUSED)
		tcp_conn_kill(c, ECONNREFUSED);
	else if (err->kind == TCP_ERROR_UNREACHABLE)
		tcp_conn_kill(c, EHOSTUNREACH);
}
