/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-outs of a connection: retransmission and its relatives, delayed ACK, keepalive and linger,
 * and the end of its tx.
 *
 * One time-out serves all that waits for the peer's acknowledgement; rtx_mode says which of them it
 * is. One timer serves all time-outs: it is armed for the first of them or earlier, and moved only
 * when it fires, or to an earlier time. So a segment or an ACK rarely touches the wheel.
 */
#include "dataplane/tcp/conn.h"

#include "dataplane/tcp/stack.h"

#include <errno.h>

#define BACKOFF_MAX 16u
#define PTO_MIN_US  10000u
#define PTO_ACK_US  50000u /* how long peers commonly delay the ACK of a lone segment */

#define TICKS_MAX (1u << 30) /* how far ahead a tick may be: 12 days; what is not ahead has come */

void tcp_timer_reach(struct tcp_conn *c, uint64_t at_us)
{
	if (!timer_is_armed(&c->timer) || timer_deadline_us(&c->timer) > at_us)
		timer_arm(&conn_net(c)->wheel, &c->timer, at_us);
}

/* The tick that begins in_us from now or after it; at most TICKS_MAX of them ahead. */
static uint32_t tick_in(const struct tcp_conn *c, uint64_t in_us)
{
	const uint64_t now = conn_now(c) >> TIMER_TICK_SHIFT;
	const uint64_t at_us = conn_now(c) + in_us;
	const uint64_t at = (at_us + (1u << TIMER_TICK_SHIFT) - 1) >> TIMER_TICK_SHIFT;

	return (uint32_t)(now + (at - now < TICKS_MAX ? at - now : TICKS_MAX));
}

static bool tick_has_come(const struct tcp_conn *c, uint32_t tick)
{
	return tick - conn_tick(c) - 1 >= TICKS_MAX;
}

static uint64_t tick_us(const struct tcp_conn *c, uint32_t tick)
{
	const uint64_t now = conn_now(c) >> TIMER_TICK_SHIFT;

	return (tick_has_come(c, tick) ? now : now + (tick - (uint32_t)now)) << TIMER_TICK_SHIFT;
}

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

static uint64_t user_timeout_us(const struct tcp_conn *c)
{
	return c->user_timeout_ms * 1000ull;
}

static void rtx_arm(struct tcp_conn *c, enum tcp_rtx_mode mode, uint64_t in_us)
{
	uint64_t at_us = conn_now(c) + in_us;

	if (c->user_timeout_ms && (mode == TCP_RTX_RTO || mode == TCP_RTX_PERSIST) &&
		at_us > c->unacked_since_us + user_timeout_us(c))
		at_us = c->unacked_since_us + user_timeout_us(c);
	c->rtx_mode = (uint8_t)mode;
	c->rtx_at_us = at_us;
	tcp_timer_reach(c, at_us);
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
	if (c->tx->nr_sacked && c->ca_state == TCP_CA_OPEN)
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
	return c->user_timeout_ms && conn_now(c) - c->unacked_since_us >= user_timeout_us(c);
}

/* RFC 6298, 5.4 to 5.7; RFC 5681, 3.1. */
static void rto_timeout(struct tcp_conn *c)
{
	/* A peer that closed its window but answers is alive (RFC 9293, 3.8.6.1). */
	const bool is_alive = c->snd_wnd == 0 && c->last_rx_us > c->tx->last_rto_us;

	if (!is_alive)
		c->nr_rtx++;
	c->tx->last_rto_us = conn_now(c);
	if (c->nr_rtx > conn_net(c)->cfg.tcp.max_rtx || user_timed_out(c)) {
		tcp_conn_kill(c, ETIMEDOUT);
		return;
	}
	net_count(conn_net(c), NET_CTR_RTO);
	tcp_path_timeout(c);
	if (c->ca_state != TCP_CA_LOSS)
		tcp_cc_lost(c);
	c->ca_state = TCP_CA_LOSS;
	c->tx->recover = c->snd_nxt;
	c->cwnd = c->mss;
	c->tx->dupacks = 0;
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

static void rtx_due(struct tcp_conn *c)
{
	switch ((enum tcp_rtx_mode)c->rtx_mode) {
	case TCP_RTX_SYN: syn_timeout(c); break;
	case TCP_RTX_RTO: rto_timeout(c); break;
	case TCP_RTX_TLP: tlp_timeout(c); break;
	case TCP_RTX_REO: reo_timeout(c); break;
	case TCP_RTX_PERSIST: persist_timeout(c); break;
	case TCP_RTX_OFF: break;
	}
}

void tcp_delack_arm(struct tcp_conn *c)
{
	if (c->is_delack_armed)
		return;
	c->is_delack_armed = true;
	c->delack_tick = tick_in(c, conn_net(c)->cfg.tcp.delack_us);
	tcp_timer_reach(c, tick_us(c, c->delack_tick));
}

static void life_arm(struct tcp_conn *c, uint64_t in_us)
{
	c->is_life_armed = true;
	c->life_tick = tick_in(c, in_us);
	tcp_timer_reach(c, tick_us(c, c->life_tick));
}

/* RFC 9293, 3.8.4. While data is in flight the retransmission time-out watches the peer. */
static void keepalive_check(struct tcp_conn *c)
{
	const uint64_t idle_us = conn_now(c) - c->last_rx_us;

	if (idle_us < c->keepidle_ms * 1000ull || c->snd_una != c->snd_nxt) {
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
	life_arm(c, c->keepintvl_ms * 1000ull);
}

static void life_due(struct tcp_conn *c)
{
	c->is_life_armed = false;
	if (!c->is_closing)
		keepalive_check(c);
	else if (c->state == TCP_ST_FIN_WAIT_2)
		tcp_conn_kill(c, 0); /* all was delivered; the peer never closed its side */
	else
		tcp_conn_reset(c, ETIMEDOUT);
}

void tcp_life_rearm(struct tcp_conn *c)
{
	const uint64_t keepidle_us = c->keepidle_ms * 1000ull;
	uint64_t at_us;

	if (c->is_closing)
		return;
	c->is_life_armed = false;
	if (!keepidle_us)
		return;
	at_us = c->last_rx_us + keepidle_us;
	if (at_us <= conn_now(c))
		at_us = conn_now(c) + keepidle_us;
	life_arm(c, at_us - conn_now(c));
}

void tcp_linger_arm(struct tcp_conn *c)
{
	life_arm(c, conn_net(c)->cfg.tcp.linger_us);
}

/* Has the timer fire for what is the next to be due. */
static void timer_next(struct tcp_conn *c)
{
	uint64_t at_us;

	if (c->tx && !tcp_tx_trim(c, &at_us))
		tcp_timer_reach(c, at_us);
	if (c->rtx_mode != TCP_RTX_OFF)
		tcp_timer_reach(c, c->rtx_at_us);
	if (c->is_delack_armed)
		tcp_timer_reach(c, tick_us(c, c->delack_tick));
	if (c->is_life_armed)
		tcp_timer_reach(c, tick_us(c, c->life_tick));
}

static void conn_fire(struct timer *timer, uint64_t now_us)
{
	struct tcp_conn *c = (struct tcp_conn *)((char *)timer - offsetof(struct tcp_conn, timer));

	if (c->rtx_mode != TCP_RTX_OFF && now_us >= c->rtx_at_us)
		rtx_due(c);
	if (c->state != TCP_ST_CLOSED && c->is_delack_armed && tick_has_come(c, c->delack_tick)) {
		c->is_delack_armed = false;
		c->is_ack_due = true;
		tcp_conn_pend(c);
	}
	if (c->state != TCP_ST_CLOSED && c->is_life_armed && tick_has_come(c, c->life_tick))
		life_due(c);
	if (c->state != TCP_ST_CLOSED)
		timer_next(c);
}

void tcp_timers_init(struct tcp_conn *c)
{
	timer_init(&c->timer, conn_fire);
}

void tcp_timers_cancel(struct tcp_conn *c)
{
	timer_cancel(&conn_net(c)->wheel, &c->timer);
	c->rtx_mode = TCP_RTX_OFF;
	c->is_delack_armed = false;
	c->is_life_armed = false;
}
