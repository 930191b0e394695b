/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Received packets of several buffers: what a device has put together (dataplane/ip/lro.h).
 */
#include "dataplane/ip/lro.h"

#include "dataplane/ip/csum.h"
#include "dataplane/nic_priv.h"

/* The sum of the packet from TCP's header on. */
static uint64_t sum_of(const struct lro *l, const struct rte_mbuf *m)
{
	uint32_t at = 0, left = l->total;
	uint64_t sum = 0;

	for (; m && at < l->total; m = m->next) {
		const uint32_t n = m->data_len < left ? m->data_len : left;
		const uint32_t skip = at == 0 ? l->tcp_at : 0;

		sum = csum_add_at(sum, rte_pktmbuf_mtod_offset(m, const uint8_t *, skip), n - skip,
			at + skip - l->tcp_at);
		at += n;
		left -= n;
	}
	return sum;
}

static bool is_verified(const struct lro *l, const struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return false;
	if (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) /* or NONE, which has this bit */
		return true;
	return lro_csum_ok(l, sum_of(l, m));
}

unsigned nic_lro_split(struct rte_mbuf *m, struct rte_mbuf **to, unsigned max)
{
	const uint64_t flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD |
			       (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	const uint16_t tci = m->vlan_tci;
	struct lro l;
	uint32_t off = 0, left;
	unsigned nr = 0;

	if (!lro_parse(&l, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, m->pkt_len) ||
		!is_verified(&l, m) || m->nb_segs > max) {
		rte_pktmbuf_free(m);
		return 0;
	}
	left = l.total - l.len;
	while (m) {
		struct rte_mbuf *next = m->next;
		uint8_t *hdr = nr == 0 ? rte_pktmbuf_mtod(m, uint8_t *) : NULL;
		uint32_t n = nr == 0 ? m->data_len - l.len : m->data_len;

		n = n < left ? n : left;
		m->next = NULL;
		m->nb_segs = 1;
		if (!hdr && n)
			hdr = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)l.len);
		if (!hdr) { /* padding, or a driver that leaves no room in front */
			rte_pktmbuf_free_seg(m);
			m = next;
			break;
		}
		lro_put(&l, hdr, off, n);
		m->data_len = (uint16_t)(l.len + n);
		m->pkt_len = m->data_len;
		m->ol_flags = flags;
		m->vlan_tci = tci;
		to[nr++] = m;
		off += n;
		left -= n;
		m = next;
		if (!left)
			break;
	}
	rte_pktmbuf_free(m);
	return nr;
}
