/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listeners: SYNs, the backlog of half-open connections, and cookies when it is full.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/ip/wire.h"

#include <errno.h>
#include <stdlib.h>

/* Cookies are taken back only so long after the last one was given: as long as they are valid. */
#define COOKIE_LIFE_US 128000000ull

struct tcp_listener *tcp_listener_find(const struct tcp_stack *ts, uint16_t port)
{
	struct tcp_listener *lst = ts->listeners;

	while (lst && lst->port != port)
		lst = lst->next;
	return lst;
}

int tcp_listen(struct net *net, uint16_t port, uint32_t backlog, const struct tcp_ops *ops,
	void *ctx, struct tcp_listener **out)
{
	struct tcp_stack *ts = net->tcp;
	struct tcp_listener *lst;

	if (tcp_listener_find(ts, port))
		return -EADDRINUSE;
	lst = calloc(1, sizeof(*lst));
	if (!lst)
		return -ENOMEM;
	lst->port = port;
	lst->backlog = backlog;
	lst->ops = ops;
	lst->ctx = ctx;
	lst->next = ts->listeners;
	ts->listeners = lst;
	*out = lst;
	return 0;
}

void tcp_listen_close(struct net *net, struct tcp_listener **plst)
{
	struct tcp_stack *ts = net->tcp;
	struct tcp_listener *lst = *plst;
	struct tcp_listener **at = &ts->listeners;
	struct tcp_conn *c, *next;

	if (!lst)
		return;
	for (c = TAILQ_FIRST(&ts->all); c; c = next) {
		next = TAILQ_NEXT(c, all_link);
		if (c->is_half_open && c->lst == lst)
			tcp_conn_kill(c, ECONNABORTED);
	}
	while (*at != lst)
		at = &(*at)->next;
	*at = lst->next;
	free(lst);
	*plst = NULL;
}

/* A connection in SYN_RCVD, in the table; it has no user before it is accepted. */
static struct tcp_conn *half_open(struct tcp_stack *ts, struct tcp_listener *lst,
	const struct tcp_key *key, uint32_t peer_isn)
{
	struct tcp_conn *c = tcp_conn_make(ts, key);

	if (!c)
		return NULL;
	c->state = TCP_ST_SYN_RCVD;
	c->is_half_open = true;
	c->lst = lst;
	lst->nr_half++;
	tcp_half_add(ts, 1);
	c->rcv_nxt = c->rcv_wup = peer_isn + 1;
	c->rcv_adv = c->rcv_nxt + TCP_DEFAULT_MSS;
	tcp_table_add(ts, &c->node);
	return c;
}

/* Answers with a cookie: nothing is kept. Borrows p. */
static void cookie_send(struct tcp_stack *ts, struct tcp_listener *lst, const struct pkt *p,
	const struct tcp_key *key, const struct tcp_opts *opts)
{
	struct net *net = ts->net;
	const uint32_t buf = net->cfg.tcp.rcv_buf;
	struct tcp_out out = {
		.ack = p->tcp.seq + 1,
		.wnd = (uint16_t)(buf < TCP_MAX_WND ? buf : TCP_MAX_WND),
		.flags = TCP_SYN | TCP_ACK,
	};
	const bool has_ecn = opts->has_ts && tcp_ecn_is_agreed(net, p->tcp.flags);
	struct pkt *answer = pkt_alloc(net->pool);

	if (!answer) {
		net_counter_add(&net->counters.drops[DROP_NO_PKT], 1);
		return;
	}
	out.opts.has_mss = true;
	out.opts.mss = tcp_mss_of(net->cfg.mtu, &key->raddr);
	out.seq = tcp_cookie_make(ts, key, p->tcp.seq, opts, has_ecn, &out.opts.tsval);
	if (has_ecn)
		out.flags |= TCP_ECE;
	/* Without timestamps the cookie cannot remember the other options: they are not used. */
	if (opts->has_ts) {
		out.opts.has_ts = true;
		out.opts.tsecr = opts->tsval;
		out.opts.has_sack_ok = opts->has_sack_ok;
		out.opts.has_wscale = opts->has_wscale;
		while (out.opts.wscale < TCP_MAX_WSCALE && buf >> out.opts.wscale > TCP_MAX_WND)
			out.opts.wscale++;
	}
	lst->overflow_us = net->now_us ? net->now_us : 1;
	net_count(net, NET_CTR_COOKIES_SENT);
	tcp_emit(ts, answer, key, &out);
}

/* Takes p. */
static void syn_input(struct tcp_stack *ts, struct tcp_listener *lst, struct pkt *p,
	const struct tcp_key *key, const struct tcp_opts *opts, const uint32_t *isn_floor)
{
	struct net *net = ts->net;
	struct tcp_conn *c;

	net_count(net, NET_CTR_SYN_IN);
	if (lst->nr_half >= lst->backlog) {
		cookie_send(ts, lst, p, key, opts);
		pkt_free(net->pool, p);
		return;
	}
	c = half_open(ts, lst, key, p->tcp.seq);
	if (!c) {
		net_drop(net, p, DROP_TCP_BACKLOG);
		return;
	}
	c->snd_una = tcp_isn(ts, key);
	if (isn_floor && seq_leq(c->snd_una, *isn_floor))
		c->snd_una = *isn_floor + 65536;
	c->snd_nxt = c->snd_una + 1;
	tcp_conn_take_opts(c, opts);
	tcp_ecn_take_syn(c, p->tcp.flags);
	c->snd_wnd = c->max_snd_wnd = p->tcp.wnd;
	pkt_free(net->pool, p);
	tcp_send_syn(c);
	tcp_rtx_arm_syn(c);
}

/* An ACK that no connection knows may bring a cookie back. Takes p. */
static void cookie_input(struct tcp_stack *ts, struct tcp_listener *lst, struct pkt *p,
	const struct tcp_key *key, const struct tcp_opts *opts)
{
	struct net *net = ts->net;
	struct tcp_cookie cookie;
	struct tcp_opts syn_opts = {.has_mss = true};
	struct tcp_conn *c;

	if (!tcp_cookie_check(ts, key, p, opts, &cookie)) {
		net_count(net, NET_CTR_COOKIES_BAD);
		tcp_send_rst_to(ts, key, p);
		net_drop(net, p, DROP_TCP_COOKIE);
		return;
	}
	c = half_open(ts, lst, key, p->tcp.seq - 1);
	if (!c) {
		net_drop(net, p, DROP_TCP_BACKLOG);
		return;
	}
	syn_opts.mss = cookie.mss;
	syn_opts.has_wscale = cookie.has_wscale;
	syn_opts.wscale = cookie.wscale;
	syn_opts.has_sack_ok = cookie.has_sack;
	syn_opts.has_ts = cookie.has_ts;
	syn_opts.tsval = opts->tsval;
	tcp_conn_take_opts(c, &syn_opts);
	c->has_ecn = cookie.has_ecn && net->cfg.tcp.ecn != TCP_ECN_OFF;
	c->is_cookie = true;
	c->snd_una = p->tcp.ack - 1;
	c->snd_nxt = p->tcp.ack;
	c->rcv_adv = c->rcv_nxt +
		     (net->cfg.tcp.rcv_buf < TCP_MAX_WND ? net->cfg.tcp.rcv_buf : TCP_MAX_WND);
	net_count(net, NET_CTR_COOKIES_OK);
	tcp_conn_input(c, p, opts);
}

void tcp_listen_input(struct tcp_stack *ts, struct tcp_listener *lst, struct pkt *p,
	const struct tcp_key *key, const struct tcp_opts *opts, const uint32_t *isn_floor)
{
	const uint8_t flags = p->tcp.flags;

	if (flags & TCP_RST) {
		net_drop(ts->net, p, DROP_TCP_RST);
	} else if (flags & TCP_ACK) {
		const uint64_t since_us = ts->net->now_us - lst->overflow_us;

		if (!(flags & TCP_SYN) && lst->overflow_us && since_us <= COOKIE_LIFE_US) {
			cookie_input(ts, lst, p, key, opts);
			return;
		}
		tcp_send_rst_to(ts, key, p);
		net_drop(ts->net, p, DROP_TCP_NO_CONN);
	} else if (flags & TCP_SYN) {
		syn_input(ts, lst, p, key, opts, isn_floor);
	} else {
		net_drop(ts->net, p, DROP_TCP_FLAGS);
	}
}
