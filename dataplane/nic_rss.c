/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_rss.h"

#include "dataplane/ip/flow.h"

#include <string.h>

#define KEY_MAX 64 /* no device has a longer one */

_Static_assert(CORE_MAX <= UINT8_MAX, "a core's number fits a slot");

bool nic_rss_offered(const struct rte_eth_dev_info *info)
{
	return info->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_TCP;
}

uint16_t nic_rss_queues(const struct rte_eth_dev_info *info, unsigned nr_cores)
{
	const unsigned most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	/* virtio-net without scaling by hash delivers a flow where it was last sent from. */
	if (!nic_rss_offered(info) && strcmp(info->driver_name, "net_virtio") != 0)
		return 1;
	return (uint16_t)RTE_MIN(nr_cores, most);
}

#define KEY4  NET_FLOW_KEY >> 8, NET_FLOW_KEY & 255, NET_FLOW_KEY >> 8, NET_FLOW_KEY & 255
#define KEY16 KEY4, KEY4, KEY4, KEY4

void nic_rss_request(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	static const uint8_t key[KEY_MAX] = {KEY16, KEY16, KEY16, KEY16};
	struct rte_eth_rss_conf *rss = &conf->rx_adv_conf.rss_conf;

	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	rss->rss_hf = info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
	if (info->hash_key_size <= KEY_MAX) {
		/* A driver that names no length reads as much as its device has. */
		rss->rss_key = (uint8_t *)(uintptr_t)key; /* drivers only read it */
		rss->rss_key_len = info->hash_key_size;
	}
}

#define GROUPS (NIC_RSS_SLOTS / RTE_ETH_RETA_GROUP_SIZE)

static void table_mask(struct rte_eth_rss_reta_entry64 reta[GROUPS], unsigned size)
{
	memset(reta, 0, GROUPS * sizeof(*reta));
	for (unsigned i = 0; i < size; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << i % RTE_ETH_RETA_GROUP_SIZE;
}

/* Queue i belongs to core i. */
static bool table_set(const struct nic_rss *rss, uint16_t port, unsigned size, uint16_t nr_queues)
{
	struct rte_eth_rss_reta_entry64 reta[GROUPS];

	table_mask(reta, size);
	for (unsigned i = 0; i < size; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			rss->owner[i] % nr_queues;
	return rte_eth_dev_rss_reta_update(port, reta, (uint16_t)size) == 0;
}

/* Every core has to get a share. */
static bool table_adopt(struct nic_rss *rss, uint16_t port, unsigned size, unsigned nr_cores)
{
	struct rte_eth_rss_reta_entry64 reta[GROUPS];
	unsigned share[CORE_MAX] = {0};

	table_mask(reta, size);
	if (rte_eth_dev_rss_reta_query(port, reta, (uint16_t)size))
		return false;
	for (unsigned i = 0; i < size; i++) {
		const unsigned q =
			reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];

		if (q >= nr_cores)
			return false;
		share[q]++;
	}
	for (unsigned i = 0; i < nr_cores; i++)
		if (share[i] == 0)
			return false;
	for (unsigned i = 0; i < size; i++)
		rss->owner[i] = (uint8_t)reta[i / RTE_ETH_RETA_GROUP_SIZE]
					.reta[i % RTE_ETH_RETA_GROUP_SIZE];
	return true;
}

bool nic_rss_setup(struct nic_rss *rss, uint16_t port, uint16_t nr_queues, unsigned nr_cores)
{
	struct rte_eth_dev_info info;
	unsigned size;

	rss->mask = NIC_RSS_SLOTS - 1;
	for (unsigned i = 0; i < NIC_RSS_SLOTS; i++)
		rss->owner[i] = (uint8_t)(i % nr_cores);
	if (nr_queues == 1)
		return true;
	if (rte_eth_dev_info_get(port, &info))
		return false;
	if (!nic_rss_offered(&info))
		return true;
	size = info.reta_size;
	if (size < nr_cores || size > NIC_RSS_SLOTS || !rte_is_power_of_2(size))
		return false;
	rss->mask = size - 1;
	return table_set(rss, port, size, nr_queues) ||
	       (nr_queues == nr_cores && table_adopt(rss, port, size, nr_cores));
}
