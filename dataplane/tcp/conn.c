/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Birth and death of connections, and the stack of one core that holds them.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/pmtu.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RTO_SYN_LOST_US 3000000u

static uint8_t wscale_for(uint32_t rcv_buf)
{
	uint8_t wscale = 0;

	while (wscale < TCP_MAX_WSCALE && rcv_buf >> wscale > TCP_MAX_WND)
		wscale++;
	return wscale;
}

/* The caller sets state, sequence numbers and user, then adds it to the table. */
struct tcp_conn *tcp_conn_make(struct tcp_stack *ts, const struct tcp_key *key)
{
	const struct tcp_cfg *cfg = &ts->net->cfg.tcp;
	struct tcp_conn *c = slab_get(&ts->conns);

	if (!c)
		return NULL;
	c->ts = ts;
	c->node.kind = TCP_NODE_CONN;
	c->node.key = *key;
	c->node.hash = tcp_key_hash(ts, key);
	c->ts_offset = tcp_ts_offset(ts, key);
	c->path_mss = tcp_mss_of(pmtu_get(ts->net, &key->raddr), &key->raddr);
	c->peer_mss = tcp_default_mss(&key->raddr);
	c->rcv_mss = TCP_DEFAULT_MSS;
	c->rcv_wscale = wscale_for(cfg->rcv_buf);
	c->rto_us = (uint32_t)cfg->rto_init_us;
	tcp_keepalive_set(c, cfg->keepidle_us, cfg->keepintvl_us, cfg->keepcnt);
	c->last_rx_us = ts->net->now_us;
	c->last_tx_us = ts->net->now_us;
	obuf_init(&c->ob, &ts->net->obufs);
	tcp_timers_init(c);
	TAILQ_INSERT_TAIL(&ts->all, c, all_link);
	return c;
}

void tcp_conn_set_mss(struct tcp_conn *c)
{
	uint16_t mss = c->peer_mss < c->path_mss ? c->peer_mss : c->path_mss;

	c->mss = c->has_ts ? (uint16_t)(mss - TCP_OPT_TS_BYTES) : mss;
}

void tcp_conn_take_opts(struct tcp_conn *c, const struct tcp_opts *opts)
{
	c->peer_mss = opts->has_mss ? opts->mss : tcp_default_mss(&c->node.key.raddr);
	if (c->peer_mss < TCP_MIN_MSS)
		c->peer_mss = TCP_MIN_MSS;
	c->has_ts = opts->has_ts;
	c->has_sack = opts->has_sack_ok;
	if (opts->has_wscale)
		c->snd_wscale = opts->wscale;
	else
		c->snd_wscale = c->rcv_wscale = 0;
	if (opts->has_ts) {
		c->ts_recent = opts->tsval;
		c->ts_recent_unit = conn_unit(c);
	}
	tcp_conn_set_mss(c);
}

static void half_open_forget(struct tcp_conn *c)
{
	if (!c->is_half_open)
		return;
	c->lst->nr_half--;
	tcp_half_add(c->ts, -1);
	c->is_half_open = false;
	c->user = NULL;
}

/* The handshake is done in both directions. */
void tcp_conn_establish(struct tcp_conn *c)
{
	const uint64_t rto_max = conn_net(c)->cfg.tcp.rto_max_us;

	half_open_forget(c);
	c->state = c->is_fin_wanted && c->is_fin_sent ? TCP_ST_FIN_WAIT_1 : TCP_ST_ESTABLISHED;
	c->rtx_mode = TCP_RTX_OFF;
	if (c->has_ecn)
		net_count(conn_net(c), NET_CTR_ECN_CONNS);
	tcp_cc_init(c);
	/* RFC 5681, 3.1: a SYN sent more than once starts with one segment. */
	if (c->nr_rtx > 1)
		c->cwnd = c->mss;
	/* RFC 6298, 5.7: and data with a longer timeout, when nothing could be measured. */
	if (c->nr_rtx && !c->srtt_us)
		c->rto_us = (uint32_t)(rto_max < RTO_SYN_LOST_US ? rto_max : RTO_SYN_LOST_US);
	c->nr_rtx = 0;
	c->backoff = 0;
	c->unacked_since_us = conn_now(c);
	tcp_life_rearm(c);
}

void tcp_conn_pend(struct tcp_conn *c)
{
	if (c->is_pending || c->state == TCP_ST_CLOSED)
		return;
	c->is_pending = true;
	c->ts->nr_out++;
	TAILQ_INSERT_TAIL(&c->ts->out, c, out_link);
}

static void conn_unpend(struct tcp_conn *c)
{
	if (!c->is_pending)
		return;
	c->is_pending = false;
	c->ts->nr_out--;
	TAILQ_REMOVE(&c->ts->out, c, out_link);
}

void tcp_conn_kill(struct tcp_conn *c, int reason)
{
	struct tcp_stack *ts = c->ts;

	if (c->state == TCP_ST_CLOSED)
		return;
	half_open_forget(c);
	c->state = TCP_ST_CLOSED;
	c->reason = (uint8_t)reason;
	if (reason == ETIMEDOUT)
		net_count(ts->net, NET_CTR_TIMEDOUT);
	net_count(ts->net, NET_CTR_CLOSED);
	tcp_table_remove(ts, &c->node);
	tcp_timers_cancel(c);
	conn_unpend(c);
	TAILQ_REMOVE(&ts->all, c, all_link);
	TAILQ_INSERT_TAIL(&ts->dead, c, all_link);
}

void tcp_conn_reset(struct tcp_conn *c, int reason)
{
	if (c->state == TCP_ST_CLOSED)
		return;
	if (c->state != TCP_ST_SYN_SENT)
		tcp_send_rst(c);
	tcp_conn_kill(c, reason);
}

/* Tells the user, once. The connection may live on without one. */
static void user_dismiss(struct tcp_conn *c, int reason)
{
	const struct tcp_ops *ops = c->ops;

	if (!ops)
		return;
	c->ops = NULL;
	ops->closed(c, reason);
	c->user = NULL;
}

void tcp_conn_reap(struct tcp_stack *ts)
{
	struct tcp_conn *c;

	while ((c = TAILQ_FIRST(&ts->dead))) {
		user_dismiss(c, c->reason);
		TAILQ_REMOVE(&ts->dead, c, all_link);
		tcp_parts_free(c);
		obuf_fini(&c->ob);
		slab_put(&ts->conns, c);
	}
}

void tcp_run(struct net *net)
{
	struct tcp_stack *ts = net->tcp;
	uint32_t nr = ts->nr_out;

	/* What becomes pending meanwhile, or fails for want of packets, waits for the next run. */
	while (nr-- > 0 && !TAILQ_EMPTY(&ts->out)) {
		struct tcp_conn *c = TAILQ_FIRST(&ts->out);

		conn_unpend(c);
		tcp_output(c);
		if (c->is_closing && c->is_fin_sent)
			user_dismiss(c, 0);
	}
	tcp_conn_reap(ts);
}

bool tcp_has_work(const struct net *net)
{
	return net->tcp->nr_out > 0 || !TAILQ_EMPTY(&net->tcp->dead);
}

/* A packet must hold a full segment behind its headroom. */
static int pool_check(struct net *net)
{
	struct pkt *p = pkt_alloc(net->pool);
	bool is_enough;

	if (!p)
		return -ENOMEM;
	is_enough = pkt_tailroom(p) >= net->cfg.mtu - sizeof(struct ipv4_hdr) - TCP_HDR_BYTES &&
		    pkt_headroom(p) >= PKT_HEADROOM;
	pkt_free(net->pool, p);
	return is_enough ? 0 : -EINVAL;
}

/* Independent keys from the one secret: SipHash of a counter. */
static void keys_derive(struct tcp_stack *ts)
{
	const struct siphash_key root = siphash_key_load(ts->net->cfg.secret);
	uint64_t out[10];

	for (uint64_t i = 0; i < 10; i++)
		out[i] = siphash(&root, &i, sizeof(i));
	ts->isn_key = (struct siphash_key){{out[0], out[1]}};
	ts->cookie_key = (struct siphash_key){{out[2], out[3]}};
	ts->ts_key = (struct siphash_key){{out[4], out[5]}};
	memcpy(ts->table_key, &out[6], sizeof(ts->table_key));
}

int tcp_setup(struct net *net)
{
	const struct tcp_cfg *cfg = &net->cfg.tcp;
	struct tcp_stack *ts;
	uint32_t nr_buckets = 64;
	int rc = pool_check(net);

	if (rc)
		return rc;
	ts = calloc(1, sizeof(*ts));
	if (!ts)
		return -ENOMEM;
	while (nr_buckets < (uint64_t)cfg->max_conns + cfg->max_timewait)
		nr_buckets *= 2;
	ts->buckets = calloc(nr_buckets, sizeof(*ts->buckets));
	if (!ts->buckets) {
		free(ts);
		return -ENOMEM;
	}
	ts->net = net;
	ts->mask = nr_buckets - 1;
	TAILQ_INIT(&ts->all);
	TAILQ_INIT(&ts->dead);
	TAILQ_INIT(&ts->out);
	slab_init(&ts->conns, sizeof(struct tcp_conn), offsetof(struct tcp_conn, node.slab_index),
		cfg->max_conns);
	slab_init(&ts->txs, sizeof(struct tcp_tx), offsetof(struct tcp_tx, slab_index),
		cfg->max_conns);
	slab_init(&ts->rxs, sizeof(struct tcp_rx), offsetof(struct tcp_rx, slab_index),
		cfg->max_conns);
	slab_init(&ts->segs, sizeof(struct tcp_seg), offsetof(struct tcp_seg, slab_index),
		cfg->max_segs);
	keys_derive(ts);
	ratelimit_init(&ts->rst_limit, cfg->rst_per_s, net->now_us);
	tcp_tw_setup(ts);
	net->tcp = ts;
	return 0;
}

void tcp_teardown(struct net *net)
{
	struct tcp_stack *ts = net->tcp;
	struct tcp_conn *c;

	if (!ts)
		return;
	ts->is_down = true;
	while ((c = TAILQ_FIRST(&ts->all)))
		tcp_conn_kill(c, ESHUTDOWN);
	tcp_conn_reap(ts);
	while (ts->listeners) {
		struct tcp_listener *lst = ts->listeners;

		ts->listeners = lst->next;
		free(lst);
	}
	tcp_tw_teardown(ts);
	slab_fini(&ts->conns);
	slab_fini(&ts->txs);
	slab_fini(&ts->rxs);
	slab_fini(&ts->segs);
	free(ts->buckets);
	free(ts);
	net->tcp = NULL;
}
