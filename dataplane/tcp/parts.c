/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parts of a connection: see the header.
 */
#include "dataplane/tcp/parts.h"

#include "dataplane/tcp/conn.h"

struct tcp_tx *tcp_tx_make(struct tcp_conn *c)
{
	struct tcp_tx *tx = slab_get(&c->ts->txs);

	if (!tx)
		return NULL;
	TAILQ_INIT(&tx->segs);
	TAILQ_INIT(&tx->by_time);
	tx->rack.reo_mult = 1;
	tx->min_rtt_at_us = conn_now(c);
	c->tx = tx;
	tcp_timer_reach(c, conn_now(c) + c->rto_us);
	return tx;
}

bool tcp_tx_trim(struct tcp_conn *c, uint64_t *at_us)
{
	const uint64_t said_us = c->last_rx_us > c->last_tx_us ? c->last_rx_us : c->last_tx_us;

	*at_us = said_us + c->rto_us;
	if (*at_us > conn_now(c))
		return false;
	*at_us = conn_now(c) + c->rto_us;
	if (c->snd_una != c->snd_nxt || c->ca_state != TCP_CA_OPEN)
		return false;
	ASSERT(TAILQ_EMPTY(&c->tx->segs));
	c->is_tlp_out = false;
	c->is_reduced = false; /* for what was in flight then, all of which has arrived */
	slab_put(&c->ts->txs, c->tx);
	c->tx = NULL;
	return true;
}

struct tcp_rx *tcp_rx_get(struct tcp_conn *c)
{
	if (!c->rx)
		c->rx = slab_get(&c->ts->rxs);
	return c->rx;
}

void tcp_rx_trim(struct tcp_conn *c)
{
	struct tcp_rx *rx = c->rx;

	if (!rx || rx->rxq_head || rx->ooo_head || rx->has_dsack)
		return;
	slab_put(&c->ts->rxs, rx);
	c->rx = NULL;
}

void tcp_parts_free(struct tcp_conn *c)
{
	if (c->tx) {
		tcp_segs_free(c);
		slab_put(&c->ts->txs, c->tx);
		c->tx = NULL;
	}
	if (c->rx) {
		tcp_rcv_free(c);
		c->rx->has_dsack = false;
		tcp_rx_trim(c);
	}
}
