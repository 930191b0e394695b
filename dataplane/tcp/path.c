/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What routers say about the path: ICMP errors, believed only as far as RFC 5927 advises.
 *
 * An error must quote a sequence number that is in flight. It can end a connection that is being
 * opened, but not one that is established: there it is a hint that the retransmission timeout
 * will confirm or not. "Fragmentation needed" lowers the MSS, never raises it, and never below
 * what an IPv4 host must be able to receive.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>

#define PATH_MTU_MIN 552u

/* Segments too large for the path are lost; they are cut when they are sent again. */
static void mtu_reduce(struct tcp_conn *c, uint32_t mtu)
{
	uint16_t mss;
	struct tcp_seg *s;

	if (mtu < PATH_MTU_MIN)
		mtu = PATH_MTU_MIN;
	if (mtu >= conn_net(c)->cfg.mtu || !conn_is_synchronized(c))
		return;
	mss = tcp_mss_of(mtu, &c->node.key.raddr);
	if (mss >= c->path_mss)
		return;
	c->path_mss = mss;
	tcp_conn_set_mss(c);
	net_count(conn_net(c), NET_CTR_PMTU_REDUCED);
	TAILQ_FOREACH(s, &c->segs, by_seq) {
		if (s->state == TCP_SEG_FLYING && s->end - s->seq > c->mss)
			tcp_seg_lose(c, s);
	}
	tcp_conn_pend(c);
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
		mtu_reduce(c, err->mtu);
		return;
	}
	if (c->state != TCP_ST_SYN_SENT)
		return;
	if (err->kind == TCP_ERROR_REFUSED)
		tcp_conn_kill(c, ECONNREFUSED);
	else if (err->kind == TCP_ERROR_UNREACHABLE)
		tcp_conn_kill(c, EHOSTUNREACH);
}
