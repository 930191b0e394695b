/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Explicit congestion notification (RFC 3168).
 *
 *	            SYN: ECE and CWR ask, SYN-ACK: ECE alone agrees
 *	data, ECT(0) ----> a router marks it CE ----> the receiver sets ECE in every ACK
 *	reduces the window <------------------------- until it sees CWR
 *	CWR with the next new data ----------------->
 *
 * A reduction, by ECE or by loss, holds for the data then in flight (cwr_end): of the same round
 * trip there is no second one.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"

#define ECN_FLAGS (TCP_ECE | TCP_CWR)

bool tcp_ecn_is_agreed(const struct net *net, uint8_t syn_flags)
{
	return net->cfg.tcp.ecn != TCP_ECN_OFF && (syn_flags & ECN_FLAGS) == ECN_FLAGS;
}

/* A SYN that is repeated does not ask any more: the question may be why it was lost (6.1.1.1). */
static bool is_asking(const struct tcp_conn *c)
{
	return conn_net(c)->cfg.tcp.ecn == TCP_ECN_ASK && !c->nr_rtx;
}

uint8_t tcp_ecn_syn_flags(const struct tcp_conn *c)
{
	if (c->state == TCP_ST_SYN_SENT)
		return is_asking(c) ? ECN_FLAGS : 0;
	return c->has_ecn ? TCP_ECE : 0;
}

void tcp_ecn_take_syn(struct tcp_conn *c, uint8_t flags)
{
	if (c->state == TCP_ST_SYN_SENT && (flags & TCP_ACK))
		c->has_ecn = is_asking(c) && (flags & ECN_FLAGS) == TCP_ECE;
	else
		c->has_ecn = tcp_ecn_is_agreed(conn_net(c), flags);
}

void tcp_ecn_data(struct tcp_conn *c, const struct pkt *p)
{
	if (p->tcp.flags & TCP_CWR)
		c->is_ece_due = false;
	if (p->flags & PKT_RX_CE) {
		net_count(conn_net(c), NET_CTR_ECN_CE_IN);
		c->is_ece_due = true;
	}
}

void tcp_ecn_reduced(struct tcp_conn *c)
{
	c->is_reduced = true;
	c->tx->cwr_end = c->snd_nxt;
	c->is_cwr_due = c->has_ecn;
}

void tcp_ecn_echo(struct tcp_conn *c)
{
	if (c->is_reduced || c->ca_state != TCP_CA_OPEN)
		return;
	net_count(conn_net(c), NET_CTR_ECN_REDUCTIONS);
	tcp_cc_lost(c);
	if (c->cwnd > c->ssthresh)
		c->cwnd = c->ssthresh;
}
