/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which of a device's offloads are used, and what software does instead.
 *
 * By reference (NET_TX_REF) are sent bytes that lie anywhere in ordinary memory: only devices whose
 * driver copies what it sends, and has done with it when the call returns, can do with that. A
 * device that reads memory itself sees what is mapped for it, the packet buffers, and gives packets
 * back only when it is given more to send; large values are copied into chains of buffers for it.
 *
 * What a driver does in software for each packet (net_tap: checksums and segmentation) is not used:
 * the stack does it better, once.
 */
#include "dataplane/nic.h"

#include "dataplane/nic_priv.h"

#include <stdio.h>
#include <string.h>

#define CSUMS (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

static bool is_any(const char *driver, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(driver, *names) == 0)
			return true;
	return false;
}

/* Copies within the call. (net_memif shares its buffers with the peer when it is told so.) */
static bool copies_itself(const struct nic *nic, const struct rte_eth_dev_info *info)
{
	static const char *const names[] = {
		"net_af_packet", "net_memif", "net_null", "net_tap", NULL};

	return is_any(info->driver_name, names) && !strstr(nic->device, "zero-copy=yes");
}

static bool is_software(const struct rte_eth_dev_info *info)
{
	static const char *const names[] = {"net_tap", NULL};

	return is_any(info->driver_name, names);
}

/* With net_vmxnet3 told to coalesce, QEMU's device stops to receive under load. */
static bool has_good_lro(const struct rte_eth_dev_info *info)
{
	static const char *const bad[] = {"net_vmxnet3", NULL};

	return info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO &&
	       !is_any(info->driver_name, bad);
}

/* Packets of one frame, and of one large packet. */
static unsigned pieces_max(const struct rte_eth_dev_info *info, bool has_tso)
{
	const uint16_t max =
		has_tso ? info->tx_desc_lim.nb_seg_max : info->tx_desc_lim.nb_mtu_seg_max;

	return max && max < NIC_PIECES_MAX ? max : NIC_PIECES_MAX;
}

void nic_offload_choose(struct nic *nic, const struct rte_eth_dev_info *info)
{
	const uint64_t rx = info->rx_offload_capa,
		       tx = is_software(info) ? 0 : info->tx_offload_capa;
	const uint64_t tso = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

	nic->rx_offloads = rx & RTE_ETH_RX_OFFLOAD_CHECKSUM;
	if (has_good_lro(info))
		nic->rx_offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO | (rx & RTE_ETH_RX_OFFLOAD_SCATTER);
	nic->tx_offloads = tx & CSUMS;
	if (nic->cfg.vlan) {
		nic->rx_offloads |=
			rx & (RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_VLAN_FILTER);
		nic->tx_offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	}
	nic->tx_offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	/* net_null does not say so, but what it drops may be anything. */
	if (!(nic->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) &&
		strcmp(info->driver_name, "net_null") != 0)
		return;
	nic->has_refs = copies_itself(nic, info);
	if ((tx & tso) == tso)
		nic->tx_offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	nic->max_pieces = pieces_max(info, tx & RTE_ETH_TX_OFFLOAD_TCP_TSO);
}

void nic_offload_tell(const struct nic *nic, struct net_cfg *cfg)
{
	static const struct {
		uint64_t device;
		uint32_t stack;
	} map[] = {
		{RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, NET_TX_IP_CSUM},
		{RTE_ETH_TX_OFFLOAD_TCP_CKSUM, NET_TX_TCP_CSUM},
		{RTE_ETH_TX_OFFLOAD_VLAN_INSERT, NET_TX_VLAN},
		{RTE_ETH_TX_OFFLOAD_TCP_TSO, NET_TX_TSO},
	};

	for (unsigned i = 0; i < RTE_DIM(map); i++)
		if (nic->tx_offloads & map[i].device)
			cfg->offloads |= map[i].stack;
	if (nic->has_refs)
		cfg->offloads |= NET_TX_REF;
	if (nic->max_pieces) {
		cfg->offloads |= NET_TX_CHAIN;
		cfg->max_pieces = nic->max_pieces;
	}
}

void nic_facts_get(const struct nic *nic, struct nic_facts *facts)
{
	const uint64_t tx = nic->tx_offloads, rx = nic->rx_offloads;

	*facts = (struct nic_facts){
		.port = nic->port,
		.queues = nic->nr_queues,
		.mtu = nic->mtu,
		.is_link_up = nic->is_link_up,
		.tx_checksums = tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
		.rx_checksums = rx & RTE_ETH_RX_OFFLOAD_TCP_CKSUM,
		.tx_segmentation = tx & RTE_ETH_TX_OFFLOAD_TCP_TSO,
		.rx_coalescing = rx & RTE_ETH_RX_OFFLOAD_TCP_LRO,
		.by_reference = nic->has_refs,
	};
}

void nic_offload_describe(const struct nic *nic, char *buf, size_t size)
{
	struct nic_facts f;

	nic_facts_get(nic, &f);
	snprintf(buf, size, "checksums=%s/%s segmentation=%s coalescing=%s values=%s",
		f.tx_checksums ? "device" : "software", f.rx_checksums ? "device" : "software",
		f.tx_segmentation ? "device" : "software", f.rx_coalescing ? "device" : "none",
		f.by_reference ? "by-reference" : "copied");
}
