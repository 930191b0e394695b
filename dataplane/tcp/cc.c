/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Congestion control: how the window grows, and what a loss does to ssthresh. CUBIC (RFC 9438) or
 * NewReno (RFC 5681). When the window shrinks and grows back within a recovery is the business of
 * ack.c.
 */
#include "dataplane/tcp/conn.h"

#define CUBIC_C     0.4
#define CUBIC_BETA  0.7
#define CUBIC_ALPHA (3.0 * (1.0 - CUBIC_BETA) / (1.0 + CUBIC_BETA)) /* RFC 9438, 4.3 */

#define CWND_MAX (1u << 30)

void tcp_cc_init(struct tcp_conn *c)
{
	/* RFC 6928: ten segments, but not more than 14600 bytes unless two segments are more. */
	const uint32_t cap = 2u * c->mss > 14600 ? 2u * c->mss : 14600;
	const uint32_t iw = TCP_IW_SEGS * c->mss;

	c->cwnd = iw < cap ? iw : cap;
	c->ssthresh = CWND_MAX;
	c->ca_state = TCP_CA_OPEN;
}

/* Newton's method; x >= 0. Converges in a few steps from a start above the root. */
static double cube_root(double x)
{
	double r = x > 1 ? x : 1;

	if (x <= 0)
		return 0;
	for (int i = 0; i < 200; i++) {
		const double next = (2 * r + x / (r * r)) / 3;

		if (r - next < 1e-9 * r)
			return next;
		r = next;
	}
	return r;
}

static void cubic_epoch_start(struct tcp_conn *c)
{
	struct tcp_cubic *q = &c->tx->cubic;
	const double cwnd = (double)c->cwnd / c->mss;

	q->epoch_us = conn_now(c);
	q->cwnd_epoch = cwnd;
	q->w_est = cwnd;
	if (q->w_max <= cwnd) {
		q->w_max = cwnd;
		q->k_s = 0;
	} else {
		q->k_s = cube_root((q->w_max - cwnd) / CUBIC_C);
	}
}

/* RFC 9438, 4.2 to 4.5: bytes to add for acked bytes. */
static double cubic_growth(struct tcp_conn *c, uint32_t acked)
{
	struct tcp_cubic *q = &c->tx->cubic;
	const double cwnd = (double)c->cwnd / c->mss;
	const double segs = (double)acked / c->mss;
	double t, target;

	if (!q->epoch_us)
		cubic_epoch_start(c);
	t = (double)(conn_now(c) - q->epoch_us + c->srtt_us) / 1e6 - q->k_s;
	target = CUBIC_C * t * t * t + q->w_max;
	if (target < cwnd)
		target = cwnd;
	else if (target > 1.5 * cwnd)
		target = 1.5 * cwnd;
	/* What Reno would have reached; never slower than that. */
	q->w_est += (q->w_est < q->w_max ? CUBIC_ALPHA : 1.0) * segs / cwnd;
	if (q->w_est > cwnd && q->w_est > target)
		return (q->w_est - cwnd) * c->mss;
	return (target - cwnd) / cwnd * segs * c->mss;
}

void tcp_cc_acked(struct tcp_conn *c, uint32_t acked)
{
	uint32_t growth;

	if (c->cwnd < c->ssthresh) {
		/* Slow start, RFC 5681 3.1 with the whole of what was acknowledged (RFC 3465). */
		const uint32_t room = c->ssthresh - c->cwnd;
		const uint32_t step = acked < room ? acked : room;

		c->cwnd += step;
		acked -= step;
		c->tx->cubic.epoch_us = 0;
	}
	if (acked && c->cwnd >= c->ssthresh) {
		double add;

		if (conn_net(c)->cfg.tcp.cc == TCP_CC_CUBIC)
			add = cubic_growth(c, acked);
		else
			add = (double)c->mss * acked / c->cwnd;
		add += c->tx->cubic.credit;
		growth = add > 0 ? (uint32_t)add : 0;
		c->tx->cubic.credit = add > 0 ? add - growth : 0;
		c->cwnd += growth;
	}
	if (c->cwnd > CWND_MAX)
		c->cwnd = CWND_MAX;
}

void tcp_cc_lost(struct tcp_conn *c)
{
	struct tcp_cubic *q = &c->tx->cubic;
	const double cwnd = (double)c->cwnd / c->mss;
	const uint32_t flight = c->snd_nxt - c->snd_una;
	uint32_t next;

	if (conn_net(c)->cfg.tcp.cc == TCP_CC_CUBIC) {
		/* Fast convergence, RFC 9438 4.7: leave room when the last peak was not reached. */
		q->w_max = cwnd < q->w_max ? cwnd * (1.0 + CUBIC_BETA) / 2.0 : cwnd;
		q->epoch_us = 0;
		q->credit = 0;
		next = (uint32_t)(c->cwnd * CUBIC_BETA);
	} else {
		next = (flight < c->cwnd ? flight : c->cwnd) / 2;
	}
	c->ssthresh = next > 2u * c->mss ? next : 2u * c->mss;
	tcp_ecn_reduced(c);
}
