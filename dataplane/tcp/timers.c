/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Timers of a connection: retransmission and its relatives, delayed ACK, keepalive and linger.
 *
 * One timer serves all that waits for the peer's acknowledgement; rtx_mode says which of them it
 * is.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/tcp/stack.h"

#include <errno.h>

#define BACKOFF_MAX 16u
#define PTO_MIN_US  10000u
#define PTO_ACK_US  50000u /* how long peers commonly delay the ACK of a lone segment */

#define CONN_OF(t, member) ((struct tcp_conn *)((char *)(t)-offsetof(struct tcp_conn, member)))

static uint64_t backed_off(const struct tcp_conn *c, uint8_t shift)
{
	const uint64_t max = conn_net(c)->cfg.tcp.rto_max_us;
	const uint64_t us = (uint64_t)c->rto_us << (shift < BACKOFF_MAX ? shift : BACKOFF_MAX);

	return us < max ? us : max;
}

/* RFC 6298, 5.5: doubled by each timeout. */
uint64_t tcp_rto_us(const struct tcp_conn *c)
{
	return backed_off(c, c->backoff);
}

static void rtx_arm(struct tcp_conn *c, enum tcp_rtx_mode mode, uint64_t in_us)
{
	uint64_t at_us = conn_now(c) + in_us;

	if (c->user_timeout_us && (mode == TCP_RTX_RTO || mode == TCP_RTX_PERSIST) &&
		at_us > c->unacked_since_us + c->user_timeout_us)
		at_us = c->unacked_since_us + c->user_timeout_us;
	c->rtx_mode = mode;
	c->rtx_at_us = at_us;
	/* Each segment and each ACK comes here; the timer itself is moved once a time-out. */
	if (!timer_is_armed(&c->rtx_timer) || c->rtx_timer.deadline_us > at_us)
		timer_arm(&conn_net(c)->wheel, &c->rtx_timer, at_us);
}

/* Is there anything that only the peer's window keeps back? */
static bool has_unsent(const struct tcp_conn *c)
{
	return obuf_sendable(&c->ob) > 0 ||
	       (c->is_fin_wanted && !c->is_fin_sent && obuf_len(&c->ob) == 0);
}

/* RFC 8985, 7.2: when to send a tail loss probe; 0: not now. Other than there, a recovery may have
   one too: when its last ACK is lost, all of the window has arrived and only a timeout would ask
   for another. */
static uint64_t pto_us(const struct tcp_conn *c)
{
	const struct tcp_cfg *cfg = &conn_net(c)->cfg.tcp;
	const uint64_t rto = tcp_rto_us(c);
	uint64_t pto = 2ull * c->srtt_us;

	if (!cfg->tlp || !c->has_sack || c->is_tlp_out || c->ca_state == TCP_CA_LOSS ||
		!c->srtt_us || c->backoff)
		return 0;
	if (c->nr_sacked && c->ca_state == TCP_CA_OPEN)
		return 0;
	if (pto < PTO_MIN_US)
		pto = PTO_MIN_US;
	if (c->snd_nxt - c->snd_una <= c->mss)
		pto += PTO_ACK_US;
	return pto < rto ? pto : 0;
}

void tcp_rtx_rearm(struct tcp_conn *c, uint64_t reo_us)
{
	uint64_t pto;

	if (!conn_is_synchronized(c))
		return;
	if (c->snd_una == c->snd_nxt) {
		if (!has_unsent(c)) {
			c->rtx_mode = TCP_RTX_OFF;
		} else if (c->rtx_mode != TCP_RTX_PERSIST) {
			c->persist_shift = 0;
			c->nr_probes = 0;
			c->unacked_since_us = conn_now(c);
			rtx_arm(c, TCP_RTX_PERSIST, tcp_rto_us(c));
		}
		return;
	}
	if (reo_us) {
		rtx_arm(c, TCP_RTX_REO, reo_us);
		return;
	}
	pto = pto_us(c);
	if (pto)
		rtx_arm(c, TCP_RTX_TLP, pto);
	else
		rtx_arm(c, TCP_RTX_RTO, tcp_rto_us(c));
}

/* The back-off stays as it is: if nothing comes back the next wait is as long as ever. */
void tcp_link_up(struct net *net)
{
	struct tcp_conn *c;

	TAILQ_FOREACH(c, &net->tcp->all, all_link)
		if ((c->rtx_mode == TCP_RTX_SYN || c->rtx_mode == TCP_RTX_RTO) && c->backoff &&
			c->rtx_at_us > net->now_us + c->rto_us)
			rtx_arm(c, c->rtx_mode, c->rto_us);
}

void tcp_rtx_arm_syn(struct tcp_conn *c)
{
	rtx_arm(c, TCP_RTX_SYN, tcp_rto_us(c));
}

static void syn_timeout(struct tcp_conn *c)
{
	const struct tcp_cfg *cfg = &conn_net(c)->cfg.tcp;
	const uint32_t max = c->state == TCP_ST_SYN_SENT ? cfg->syn_rtx : cfg->synack_rtx;

	if (c->nr_rtx >= max) {
		tcp_conn_kill(c, ETIMEDOUT);
		return;
	}
	c->nr_rtx++;
	c->backoff++;
	net_count(conn_net(c), NET_CTR_RETRANS);
	tcp_send_syn(c);
	tcp_rtx_arm_syn(c);
}

static bool user_timed_out(const struct tcp_conn *c)
{
	return c->user_timeout_us && conn_now(c) - c->unacked_since_us >= c->user_timeout_us;
}

/* RFC 6298, 5.4 to 5.7; RFC 5681, 3.1. */
static void rto_timeout(struct tcp_conn *c)
{
	/* A peer that closed its window but answers is alive (RFC 9293, 3.8.6.1). */
	const bool is_alive = c->snd_wnd == 0 && c->last_rx_us > c->last_rto_us;

	if (!is_alive)
		c->nr_rtx++;
	c->last_rto_us = conn_now(c);
	if (c->nr_rtx > conn_net(c)->cfg.tcp.max_rtx || user_timed_out(c)) {
		tcp_conn_kill(c, ETIMEDOUT);
		return;
	}
	net_count(conn_net(c), NET_CTR_RTO);
	tcp_path_timeout(c);
	if (c->ca_state != TCP_CA_LOSS)
		tcp_cc_lost(c);
	c->ca_state = TCP_CA_LOSS;
	c->recover = c->snd_nxt;
	c->cwnd = c->mss;
	c->dupacks = 0;
	c->is_tlp_out = false;
	if (c->backoff < BACKOFF_MAX)
		c->backoff++;
	tcp_loss_timeout(c);
	rtx_arm(c, TCP_RTX_RTO, tcp_rto_us(c));
	tcp_conn_pend(c);
}

static void tlp_timeout(struct tcp_conn *c)
{
	if (tcp_send_tlp(c))
		net_count(conn_net(c), NET_CTR_TLP);
	rtx_arm(c, TCP_RTX_RTO, tcp_rto_us(c));
}

static void reo_timeout(struct tcp_conn *c)
{
	uint64_t wait_us;

	if (tcp_loss_rack(c, &wait_us) && c->ca_state == TCP_CA_OPEN)
		tcp_recovery_enter(c);
	tcp_conn_pend(c);
	tcp_rtx_rearm(c, wait_us);
}

static void persist_timeout(struct tcp_conn *c)
{
	if (c->nr_probes >= conn_net(c)->cfg.tcp.max_rtx || user_timed_out(c)) {
		tcp_conn_kill(c, ETIMEDOUT);
		return;
	}
	if (c->snd_wnd > 0) {
		c->is_override_due = true; /* RFC 9293, 3.8.6.2.1: small, but late enough */
		tcp_conn_pend(c);
	} else {
		net_count(conn_net(c), NET_CTR_PERSIST);
		tcp_send_probe(c);
		c->nr_probes++;
	}
	if (c->persist_shift < BACKOFF_MAX)
		c->persist_shift++;
	rtx_arm(c, TCP_RTX_PERSIST, backed_off(c, c->persist_shift));
}

static void rtx_fire(struct timer *timer, uint64_t now_us)
{
	struct tcp_conn *c = CONN_OF(timer, rtx_timer);

	if (c->rtx_mode != TCP_RTX_OFF && now_us < c->rtx_at_us) {
		timer_arm(&conn_net(c)->wheel, timer, c->rtx_at_us);
		return;
	}
	switch ((enum tcp_rtx_mode)c->rtx_mode) {
	case TCP_RTX_SYN: syn_timeout(c); break;
	case TCP_RTX_RTO: rto_timeout(c); break;
	case TCP_RTX_TLP: tlp_timeout(c); break;
	case TCP_RTX_REO: reo_timeout(c); break;
	case TCP_RTX_PERSIST: persist_timeout(c); break;
	case TCP_RTX_OFF: break;
	}
}

static void delack_fire(struct timer *timer, uint64_t now_us)
{
	struct tcp_conn *c = CONN_OF(timer, delack_timer);

	c->is_ack_due = true;
	tcp_conn_pend(c);
}

void tcp_delack_arm(struct tcp_conn *c)
{
	if (!timer_is_armed(&c->delack_timer))
		timer_arm(&conn_net(c)->wheel, &c->delack_timer,
			conn_now(c) + conn_net(c)->cfg.tcp.delack_us);
}

/* RFC 9293, 3.8.4. While data is in flight the retransmission timer watches the peer. */
static void keepalive_check(struct tcp_conn *c)
{
	const uint64_t idle_us = conn_now(c) - c->last_rx_us;

	if (idle_us < c->keepidle_us || c->snd_una != c->snd_nxt) {
		c->nr_keep = 0;
		tcp_life_rearm(c);
		return;
	}
	if (c->nr_keep >= c->keepcnt) {
		tcp_conn_reset(c, ETIMEDOUT);
		return;
	}
	c->nr_keep++;
	net_count(conn_net(c), NET_CTR_KEEPALIVE);
	tcp_send_probe(c);
	timer_arm(&conn_net(c)->wheel, &c->life_timer, conn_now(c) + c->keepintvl_us);
}

static void life_fire(struct timer *timer, uint64_t now_us)
{
	struct tcp_conn *c = CONN_OF(timer, life_timer);

	if (!c->is_closing)
		keepalive_check(c);
	else if (c->state == TCP_ST_FIN_WAIT_2)
		tcp_conn_kill(c, 0); /* all was delivered; the peer never closed its side */
	else
		tcp_conn_reset(c, ETIMEDOUT);
}

void tcp_life_rearm(struct tcp_conn *c)
{
	struct timer_wheel *wheel = &conn_net(c)->wheel;
	uint64_t at_us;

	if (c->is_closing)
		return;
	if (!c->keepidle_us) {
		timer_cancel(wheel, &c->life_timer);
		return;
	}
	at_us = c->last_rx_us + c->keepidle_us;
	if (at_us <= conn_now(c))
		at_us = conn_now(c) + c->keepidle_us;
	timer_arm(wheel, &c->life_timer, at_us);
}

void tcp_linger_arm(struct tcp_conn *c)
{
	timer_arm(
		&conn_net(c)->wheel, &c->life_timer, conn_now(c) + conn_net(c)->cfg.tcp.linger_us);
}

void tcp_timers_init(struct tcp_conn *c)
{
	timer_init(&c->rtx_timer, rtx_fire);
	timer_init(&c->delack_timer, delack_fire);
	timer_init(&c->life_timer, life_fire);
}

void tcp_timers_cancel(struct tcp_conn *c)
{
	struct timer_wheel *wheel = &conn_net(c)->wheel;

	timer_cancel(wheel, &c->rtx_timer);
	timer_cancel(wheel, &c->delack_timer);
	timer_cancel(wheel, &c->life_timer);
	c->rtx_mode = TCP_RTX_OFF;
}
