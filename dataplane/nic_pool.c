/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The packet buffers of a port.
 *
 * net_af_xdp tells the kernel of one area, as long as number times size of the buffers, and the
 * kernel refuses frames beyond it, silently. DPDK keeps buffers within pages and spreads them over
 * memory channels, which leaves gaps, so that with its usual pool the last third lies outside.
 * Buffers of one page each, header included, have no gaps.
 */
#include "dataplane/nic_priv.h"

#include <errno.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>

#define XDP_BUFFER 4096u

static struct rte_mempool *xdp_pool(const struct nic *nic, const char *name, int socket)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_priv_size = NIC_PRIV};
	struct rte_mempool_objsz size;
	struct rte_mempool *mp;

	rte_mempool_calc_obj_size(RTE_CACHE_LINE_SIZE, RTE_MEMPOOL_F_NO_SPREAD, &size);
	const uint32_t room = XDP_BUFFER - size.header_size - size.trailer_size;

	priv.mbuf_data_room_size = (uint16_t)(room - sizeof(struct rte_mbuf) - NIC_PRIV);
	mp = rte_mempool_create_empty(name, nic->nr_pkts, room, NIC_POOL_CACHE, sizeof(priv),
		socket, RTE_MEMPOOL_F_NO_SPREAD);
	if (!mp)
		return NULL;
	rte_pktmbuf_pool_init(mp, &priv);
	if (rte_mempool_populate_default(mp) < 0) {
		rte_mempool_free(mp);
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

/* Takes the buffers out that lie beyond what the device tells the kernel of: one, because the
 * memory does not begin with a page. Returns their number, or -ENOMEM. */
static int xdp_pool_trim(struct rte_mempool *mp)
{
	uintptr_t end = (uintptr_t)STAILQ_FIRST(&mp->mem_list)->addr;
	unsigned nr = mp->populated_size, kept = 0;
	void **all = malloc(nr * sizeof(*all));

	end += nr * (uintptr_t)rte_mempool_calc_obj_size(mp->elt_size, mp->flags, NULL);
	if (!all || rte_mempool_get_bulk(mp, all, nr)) {
		free(all);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < nr; i++)
		if ((uintptr_t)all[i] + mp->elt_size + mp->trailer_size <= end)
			all[kept++] = all[i];
	rte_mempool_put_bulk(mp, all, kept);
	free(all);
	return (int)(nr - kept);
}

static int pieces_create(struct nic *nic, int socket)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	if (!nic->has_refs)
		return 0;
	snprintf(name, sizeof(name), "pieces%u", nic->port);
	nic->pieces = rte_pktmbuf_pool_create(name, NIC_PIECES, NIC_POOL_CACHE,
		RTE_ALIGN_CEIL(sizeof(struct nic_piece), RTE_MBUF_PRIV_ALIGN), 0, socket);
	return nic->pieces ? 0 : -ENOMEM;
}

int nic_pool_create(struct nic *nic, char *err, size_t err_len)
{
	int socket = rte_eth_dev_socket_id(nic->port);
	char name[RTE_MEMPOOL_NAMESIZE];
	int rc;

	snprintf(name, sizeof(name), "nic%u", nic->port);
	nic->mpool = nic->is_xdp
			     ? xdp_pool(nic, name, socket)
			     : rte_pktmbuf_pool_create(name, nic->nr_pkts, NIC_POOL_CACHE, NIC_PRIV,
				       (uint16_t)(nic->frame_room + RTE_PKTMBUF_HEADROOM), socket);
	if (!nic->mpool || pieces_create(nic, socket)) {
		snprintf(err, err_len,
			"nic %s: no memory for its packet buffers (%s): more huge pages, or huge-pages no "
			"with eal-args \"-m 512\"",
			nic->cfg.device, rte_strerror(rte_errno));
		return -ENOMEM;
	}
	if (!nic->is_xdp)
		return 0;
	rc = xdp_pool_trim(nic->mpool);
	if (rc < 0 || rc > 1) {
		snprintf(err, err_len,
			"nic %s: its packet buffers do not lie in one piece of memory: more huge pages, or "
			"huge-pages no",
			nic->cfg.device);
		return -ENOMEM;
	}
	nic->nr_pkts -= (unsigned)rc;
	return 0;
}
