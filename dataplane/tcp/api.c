/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What users call on connections.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <string.h>

static bool port_is_usable(struct tcp_stack *ts, struct tcp_key *key, uint16_t port)
{
	const struct net *net = ts->net;

	key->lport = port;
	if (tcp_listener_find(ts, port))
		return false;
	if (net->ops->flow_mine &&
		!net->ops->flow_mine(net->ctx, &key->laddr, port, &key->raddr, key->rport))
		return false;
	return !tcp_table_find(ts, key, tcp_key_hash(ts, key));
}

/* Chooses the source port (RFC 6056, algorithm 3: a hash of the destination plus a counter). */
static int port_choose(struct tcp_stack *ts, struct tcp_key *key)
{
	const struct tcp_cfg *cfg = &ts->net->cfg.tcp;
	const uint32_t span = (uint32_t)cfg->port_hi - cfg->port_lo + 1;
	uint32_t first;

	key->lport = 0;
	first = (uint32_t)siphash(&ts->isn_key, key, sizeof(*key)) + ts->port_step;
	for (uint32_t i = 0; i < span; i++) {
		if (port_is_usable(ts, key, (uint16_t)(cfg->port_lo + (first + i) % span))) {
			ts->port_step += i + 1;
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

int tcp_connect(struct net *net, const struct ip_addr *dst, uint16_t port,
	const struct tcp_ops *ops, void *user, struct tcp_conn **out)
{
	struct tcp_stack *ts = net->tcp;
	struct tcp_key key = {.raddr = *dst, .rport = port};
	struct tcp_conn *c;
	int rc;

	if (ts->is_down)
		return -ESHUTDOWN;
	if (!net_source(net, dst, &key.laddr))
		return -EHOSTUNREACH;
	if (ts->conns.nr_used >= ts->conns.nr_max)
		return -ENOBUFS;
	rc = port_choose(ts, &key);
	if (rc)
		return rc;
	c = tcp_conn_make(ts, &key);
	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->user = user;
	c->state = TCP_ST_SYN_SENT;
	c->snd_una = tcp_isn(ts, &key);
	c->snd_nxt = c->snd_una + 1;
	tcp_table_add(ts, &c->node);
	tcp_rtx_arm_syn(c);
	tcp_conn_pend(c);
	*out = c;
	return 0;
}

size_t tcp_conn_footprint(const struct tcp_conn *c)
{
	return slab_footprint(sizeof(*c)) + (c->tx ? slab_footprint(sizeof(*c->tx)) : 0) +
	       (c->rx ? slab_footprint(sizeof(*c->rx)) : 0);
}

void *tcp_conn_user(const struct tcp_conn *c)
{
	return c->user;
}

void tcp_conn_set_user(struct tcp_conn *c, void *user)
{
	c->user = user;
}

void tcp_conn_set_ops(struct tcp_conn *c, const struct tcp_ops *ops)
{
	if (c->ops)
		c->ops = ops;
}

struct obuf *tcp_conn_obuf(struct tcp_conn *c)
{
	return &c->ob;
}

void tcp_conn_push(struct tcp_conn *c)
{
	if (conn_is_synchronized(c))
		tcp_conn_pend(c);
}

void tcp_conn_shutdown(struct tcp_conn *c)
{
	if (c->state == TCP_ST_CLOSED)
		return;
	c->is_fin_wanted = true;
	tcp_conn_push(c);
}

void tcp_conn_close(struct tcp_conn *c)
{
	if (c->state == TCP_ST_CLOSED || c->is_closing)
		return;
	if (c->state == TCP_ST_SYN_SENT) {
		tcp_conn_kill(c, 0);
		return;
	}
	c->is_closing = true;
	tcp_conn_shutdown(c);
	tcp_conn_pend(c); /* closed() comes from there even if FIN was sent long ago */
	tcp_linger_arm(c);
	/* What was kept for the user is of no use to anyone; the window opens for the peer's FIN.
	   */
	tcp_conn_resume(c);
}

void tcp_conn_abort(struct tcp_conn *c)
{
	tcp_conn_reset(c, ECONNABORTED);
}

void tcp_conn_detach(struct tcp_conn *c)
{
	c->ops = NULL;
	c->user = NULL;
}

void tcp_conn_resume(struct tcp_conn *c)
{
	if (c->is_delivering) {
		c->is_resumed = true;
		return;
	}
	if (c->state == TCP_ST_CLOSED || !c->is_paused)
		return;
	c->is_paused = false;
	tcp_rcv_deliver(c);
}

void tcp_conn_set_sent_mark(struct tcp_conn *c, uint64_t bytes)
{
	c->sent_mark = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* Rounded up, at most 49 days. */
static uint32_t ms_of(uint64_t us)
{
	const uint64_t ms = us / 1000 + (us % 1000 != 0);

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

void tcp_keepalive_set(struct tcp_conn *c, uint64_t idle_us, uint64_t intvl_us, uint32_t cnt)
{
	c->keepidle_ms = ms_of(idle_us);
	c->keepintvl_ms = ms_of(intvl_us ? intvl_us : conn_net(c)->cfg.tcp.keepintvl_us);
	c->keepcnt = cnt < UINT8_MAX ? (uint8_t)cnt : UINT8_MAX;
	c->nr_keep = 0;
}

void tcp_conn_set_keepalive(struct tcp_conn *c, uint64_t idle_us, uint64_t intvl_us, uint32_t cnt)
{
	tcp_keepalive_set(c, idle_us, intvl_us, cnt);
	if (conn_is_synchronized(c))
		tcp_life_rearm(c);
}

void tcp_conn_set_user_timeout(struct tcp_conn *c, uint64_t timeout_us)
{
	c->user_timeout_ms = ms_of(timeout_us);
}

enum tcp_state tcp_conn_state(const struct tcp_conn *c)
{
	return c->state;
}

struct net *tcp_conn_net(const struct tcp_conn *c)
{
	return c->ts->net;
}

struct tcp_conn_addr tcp_conn_local(const struct tcp_conn *c)
{
	return (struct tcp_conn_addr){c->node.key.laddr, c->node.key.lport};
}

struct tcp_conn_addr tcp_conn_peer(const struct tcp_conn *c)
{
	return (struct tcp_conn_addr){c->node.key.raddr, c->node.key.rport};
}

void tcp_conn_info(const struct tcp_conn *c, struct tcp_conn_info *info)
{
	*info = (struct tcp_conn_info){
		.state = c->state,
		.srtt_us = c->srtt_us,
		.rttvar_us = c->rttvar_us,
		.min_rtt_us = c->min_rtt_us,
		.rto_us = (uint32_t)tcp_rto_us(c),
		.mss = c->mss,
		.cwnd_bytes = c->cwnd,
		.ssthresh_bytes = c->ssthresh,
		.inflight_bytes = conn_pipe(c),
		.snd_wnd_bytes = c->snd_wnd,
		.rcv_wnd_bytes = conn_rcv_wnd(c),
		.rx_queued_bytes = conn_rxq_bytes(c),
		.ooo_pkts = c->rx ? c->rx->ooo_pkts : 0,
		.bytes_acked = obuf_base(&c->ob),
		.has_timestamps = c->has_ts,
		.has_sack = c->has_sack,
		.in_recovery = c->ca_state != TCP_CA_OPEN,
		.snd_wscale = c->snd_wscale,
		.rcv_wscale = c->rcv_wscale,
	};
}

void tcp_conn_each(struct net *net, void (*fn)(struct tcp_conn *conn, void *ctx), void *ctx)
{
	struct tcp_conn *c = TAILQ_FIRST(&net->tcp->all);

	while (c) {
		/* fn may end c, which then leaves this list. */
		struct tcp_conn *next = TAILQ_NEXT(c, all_link);

		if (c->ops)
			fn(c, ctx);
		c = next;
	}
}

void tcp_gauges_read(const struct net *net, struct tcp_gauges *out)
{
	const struct tcp_stack *ts = net->tcp;

	out->conns = __atomic_load_n(&ts->conns.nr_used, __ATOMIC_RELAXED);
	out->half_open = __atomic_load_n(&ts->nr_half, __ATOMIC_RELAXED);
	out->timewait = __atomic_load_n(&ts->tw_slab.nr_used, __ATOMIC_RELAXED);
	out->rx_pkts = __atomic_load_n(&ts->rx_pkts, __ATOMIC_RELAXED);
}
