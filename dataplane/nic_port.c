/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The receive and send paths between the device's buffers and struct pkt.
 *
 * struct pkt lies in the private area behind each rte_mbuf, so the two convert by an addition.
 */
#include "dataplane/nic.h"

#include "dataplane/ip/flow.h"
#include "dataplane/nic_memif.h"
#include "dataplane/nic_priv.h"

#include <string.h>

#define TX_TRIES 4

static inline struct pkt *pkt_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static inline struct rte_mbuf *mbuf_of(struct pkt *p)
{
	return (struct rte_mbuf *)p - 1;
}

/* False: there is not one. */
static __attribute__((noinline)) bool spare_refill(struct nic_queue *q)
{
	unsigned n = NIC_SPARE / 2;

	while (n && rte_pktmbuf_alloc_bulk(q->nic->mpool, q->spare, n))
		n /= 2;
	q->nr_spare = (uint16_t)n;
	return n > 0;
}

static struct pkt *pool_alloc(struct pkt_pool *pool)
{
	struct nic_queue *q = (struct nic_queue *)pool;
	struct rte_mbuf *m;
	struct pkt *p;

	if (unlikely(q->nr_spare == 0) && !spare_refill(q))
		return NULL;
	m = q->spare[--q->nr_spare];
	p = pkt_of(m);
	p->next = NULL;
	p->buf = m->buf_addr;
	p->buf_len = m->buf_len;
	p->data = p->buf + PKT_HEADROOM;
	p->len = 0;
	p->flags = 0;
	return p;
}

static void chain_free(struct pkt *p)
{
	while (p) {
		struct pkt *next = p->more;

		rte_pktmbuf_free_seg(mbuf_of(p));
		p = next;
	}
}

/* A buffer is kept as drivers hand it out, but for what nic_queue_tx() sets anew. */
static void pool_free(struct pkt_pool *pool, struct pkt *p)
{
	struct nic_queue *q = (struct nic_queue *)pool;
	struct rte_mbuf *m = mbuf_of(p);

	if (unlikely(p->flags & PKT_TX_CHAIN))
		chain_free(p->more);
	if (likely(q->nr_spare < NIC_SPARE && m->pool == q->nic->mpool && !m->next &&
		    m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1))
		q->spare[q->nr_spare++] = m;
	else
		rte_pktmbuf_free_seg(m);
}

/* By whichever thread has done with the packet. */
static void piece_free(void *bytes, void *seg)
{
	obuf_seg_put(seg);
}

static struct pkt *pool_refer(
	struct pkt_pool *pool, const uint8_t *bytes, uint32_t len, struct obuf_seg *seg)
{
	struct nic_queue *q = (struct nic_queue *)pool;
	struct rte_mbuf *m = rte_pktmbuf_alloc(q->nic->pieces);
	struct nic_piece *piece;

	if (!m)
		return NULL;
	piece = rte_mbuf_to_priv(m);
	piece->info.free_cb = piece_free;
	piece->info.fcb_opaque = seg;
	rte_mbuf_ext_refcnt_set(&piece->info, 1);
	/* Nothing is written through it. */
	rte_pktmbuf_attach_extbuf(
		m, (void *)(uintptr_t)bytes, RTE_BAD_IOVA, (uint16_t)len, &piece->info);
	piece->pkt.data = piece->pkt.buf = (uint8_t *)(uintptr_t)bytes;
	piece->pkt.len = len;
	piece->pkt.flags = 0;
	piece->pkt.ref = seg;
	return &piece->pkt;
}

const struct pkt_pool_ops nic_pool_ops = {
	.alloc = pool_alloc, .free = pool_free, .refer = pool_refer};

/* --- receive --- */

_Static_assert((RTE_MBUF_F_RX_IP_CKSUM_NONE & RTE_MBUF_F_RX_IP_CKSUM_GOOD) &&
		       (RTE_MBUF_F_RX_L4_CKSUM_NONE & RTE_MBUF_F_RX_L4_CKSUM_GOOD),
	"NONE has the bit of GOOD");

static inline struct pkt *rx_pkt(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	p->next = NULL;
	p->buf = m->buf_addr;
	p->buf_len = m->buf_len;
	p->data = rte_pktmbuf_mtod(m, uint8_t *);
	p->len = m->data_len;
	p->flags = 0;
	/* The bit of GOOD is in NONE as well: nobody computed a sum, and the bytes are vouched for,
	   as they are when a hypervisor hands over its own host's frames. */
	if (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		p->flags |= PKT_RX_IP_CSUM_GOOD;
	if (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		p->flags |= PKT_RX_L4_CSUM_GOOD;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		p->flags |= PKT_RX_VLAN;
		p->vlan = m->vlan_tci;
	}
	return p;
}

/* Hands a frame to the core that owns its flow. True: it was another's. */
static bool rx_spread(struct nic_queue *q, struct rte_mbuf *m, struct pkt *p)
{
	struct nic_queue *owner;
	uint32_t hash;

	if (!net_flow_hash(p, &hash))
		return false;
	owner = q->nic->queues[nic_rss_owner(&q->nic->rss, hash)];
	if (owner == q)
		return false;
	if (rte_ring_mp_enqueue(owner->spread, m)) {
		rte_pktmbuf_free(m);
		q->core->ctr.rx_drops++;
		return true;
	}
	q->core->ctr.rx_spread++;
	core_kick(owner->core);
	return true;
}

static inline void rx_frame(struct nic_queue *q, struct rte_mbuf *m, bool spread)
{
	struct pkt *p = rx_pkt(m);

	q->core->ctr.rx_bytes += m->data_len;
	if (!spread || !rx_spread(q, m, p))
		net_input(&q->net, p);
}

/* A frame of several buffers. A device that knows few sizes of buffers fills no more of one than
   the next smaller size: the rest of a large frame fits behind. Others stand for many segments. */
static void rx_chain(struct nic_queue *q, struct rte_mbuf *m, bool spread)
{
	struct rte_mbuf *ms[NIC_BURST];
	unsigned n = 1;

	ms[0] = m;
	if (rte_pktmbuf_tailroom(m) < m->pkt_len - m->data_len || rte_pktmbuf_linearize(m)) {
		n = nic_lro_split(m, ms, NIC_BURST);
		q->core->ctr.rx_large += n > 0;
		q->core->ctr.rx_drops += n == 0;
	}
	for (unsigned i = 0; i < n; i++)
		rx_frame(q, ms[i], spread);
}

static void rx_frames(struct nic_queue *q, struct rte_mbuf **ms, unsigned n, bool spread)
{
	for (unsigned i = 0; i < n; i++) {
		if (i + 1 < n)
			rte_prefetch0(rte_pktmbuf_mtod(ms[i + 1], void *));
		if (unlikely(ms[i]->nb_segs != 1))
			rx_chain(q, ms[i], spread);
		else
			rx_frame(q, ms[i], spread);
	}
	q->core->ctr.rx_pkts += n;
}

static uint16_t device_rx(struct nic_queue *q, struct rte_mbuf **ms)
{
	uint16_t n;

	if (likely(!q->nic->unmaps))
		return rte_eth_rx_burst(q->nic->port, q->rxq, ms, NIC_RX_BURST);
	nic_burst_begin(q->core);
	n = rte_eth_rx_burst(q->nic->port, q->rxq, ms, NIC_RX_BURST);
	nic_burst_end(q->core);
	return n;
}

unsigned nic_rx(struct core *core)
{
	struct rte_mbuf *ms[NIC_RX_BURST];
	unsigned done = 0;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		struct nic_queue *q = core->queues[i];
		unsigned n;

		net_clock(&q->net, core->now_us);
		if (q->polls) {
			n = device_rx(q, ms);
			if (n)
				rx_frames(q, ms, n, q->nic->nr_cores > 1);
			done += n;
		}
		if (q->spread) {
			n = rte_ring_sc_dequeue_burst(q->spread, (void **)ms, NIC_RX_BURST, NULL);
			if (n)
				rx_frames(q, ms, n, false);
			done += n;
		}
	}
	return done;
}

/* --- send --- */

/* What drivers want to see before tags and large packets (not checksums alone, which are as they
   have to be). Returns how many are left: what a driver cannot take is dropped. */
static uint16_t device_prepare(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n)
{
	uint16_t good = rte_eth_tx_prepare(q->nic->port, q->txq, ms, n);

	while (good < n) {
		rte_pktmbuf_free(ms[good]);
		q->core->ctr.tx_drops++;
		n--;
		memmove(ms + good, ms + good + 1, (size_t)(n - good) * sizeof(*ms));
		good += rte_eth_tx_prepare(q->nic->port, q->txq, ms + good, (uint16_t)(n - good));
	}
	return n;
}

static uint16_t device_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n)
{
	const bool unmaps = q->nic->unmaps;
	uint16_t sent = 0;

	if (unlikely(unmaps))
		nic_burst_begin(q->core);
	for (int tries = 0; sent < n && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(q->nic->port, q->txq, ms + sent, (uint16_t)(n - sent));
	if (unlikely(unmaps))
		nic_burst_end(q->core);
	return sent;
}

/* A core without a queue of its own: the frames go to the core that polls the device. */
static uint16_t handover_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n)
{
	unsigned sent = rte_ring_mp_enqueue_burst(q->nic->tx_ring, (void **)ms, n, NULL);

	core_kick(q->nic->queues[0]->core);
	return (uint16_t)sent;
}

static void count_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n, uint16_t sent)
{
	if (sent < n) { /* TCP sends it again */
		rte_pktmbuf_free_bulk(ms + sent, (unsigned)(n - sent));
		q->core->ctr.tx_drops += (unsigned)(n - sent);
	}
	q->core->ctr.tx_pkts += sent;
}

static unsigned queue_flush(struct nic_queue *q)
{
	uint16_t n = q->nr_tx, sent;

	if (n == 0)
		return 0;
	if (unlikely(q->must_prepare) && q->polls) {
		n = device_prepare(q, q->tx, n);
		q->must_prepare = false;
	}
	sent = q->polls ? device_tx(q, q->tx, n) : handover_tx(q, q->tx, n);
	count_tx(q, q->tx, n, sent);
	q->nr_tx = 0;
	return sent;
}

/* Sends what the other cores have handed over. */
static unsigned handed_flush(struct nic_queue *q)
{
	struct rte_mbuf *ms[NIC_BURST];
	unsigned n, total = 0, got;

	do {
		n = got = rte_ring_sc_dequeue_burst(q->nic->tx_ring, (void **)ms, NIC_BURST, NULL);
		total += n;
		if (q->nic->tx_offloads & NIC_PREPARE && n)
			n = device_prepare(q, ms, (uint16_t)n);
		if (n)
			count_tx(q, ms, (uint16_t)n, device_tx(q, ms, (uint16_t)n));
	} while (got == NIC_BURST && total < NIC_RING);
	return total;
}

/* The device sees one packet of many segments. */
static void chain_link(struct nic_queue *q, struct rte_mbuf *m, struct pkt *p)
{
	struct rte_mbuf *last = m;

	for (struct pkt *at = p->more; at; at = at->more) {
		struct rte_mbuf *next = mbuf_of(at);

		next->data_off = (uint16_t)(at->data - (uint8_t *)next->buf_addr);
		next->data_len = (uint16_t)at->len;
		m->pkt_len += at->len;
		m->nb_segs++;
		last->next = next;
		last = next;
	}
	last->next = NULL;
	if (p->seg_len) {
		m->tso_segsz = p->seg_len;
		m->l4_len = p->l4_len;
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		q->must_prepare = true;
	}
}

void nic_queue_tx(void *ctx, struct pkt *p)
{
	struct nic_queue *q = ctx;
	struct rte_mbuf *m = mbuf_of(p);

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)p->len;
	m->pkt_len = p->len;
	m->nb_segs = 1;
	m->next = NULL;
	m->ol_flags = 0;
	if (p->flags & (PKT_TX_IP_CSUM | PKT_TX_L4_CSUM)) {
		m->l2_len = p->l2_len;
		m->l3_len = p->l3_len;
		m->ol_flags = p->flags & PKT_TX_IPV6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
		if (p->flags & PKT_TX_IP_CSUM)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		if (p->flags & PKT_TX_L4_CSUM)
			m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	}
	if (p->flags & PKT_TX_VLAN) {
		m->vlan_tci = p->vlan;
		m->ol_flags |= RTE_MBUF_F_TX_VLAN;
		q->must_prepare = true;
	}
	if (unlikely(p->flags & PKT_TX_CHAIN))
		chain_link(q, m, p);
	q->core->ctr.tx_bytes += m->pkt_len;
	q->tx[q->nr_tx++] = m;
	if (q->nr_tx == NIC_BURST)
		queue_flush(q);
}

void nic_run(struct core *core)
{
	for (unsigned i = 0; i < core->nr_nets; i++)
		net_run(core->nets[i], core->now_us);
}

unsigned nic_tx(struct core *core)
{
	unsigned done = 0;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		struct nic_queue *q = core->queues[i];

		if (q->nic->tx_ring && core->id == 0)
			done += handed_flush(q);
		done += queue_flush(q);
	}
	return done;
}

bool nic_rings_empty(const struct core *core)
{
	for (unsigned i = 0; i < core->nr_nets; i++) {
		const struct nic_queue *q = core->queues[i];

		if (q->spread && !rte_ring_empty(q->spread))
			return false;
		if (core->id == 0 && q->nic->tx_ring && !rte_ring_empty(q->nic->tx_ring))
			return false;
	}
	return true;
}
