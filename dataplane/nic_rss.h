/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Receive side scaling: the device is told to place frames as the software does, so that a frame
 * arrives on the core that owns its flow.
 *
 *   flow hash (dataplane/ip/flow.h) -- low bits --> slot of a table --> core
 *
 * Device and software have the same hash and, as far as the device allows, the same table. Nothing
 * rests on that: the software looks at each frame, and where the two disagree hands it over.
 */
#ifndef MILLRACE_DATAPLANE_NIC_RSS_H
#define MILLRACE_DATAPLANE_NIC_RSS_H

#include "dataplane/core.h"

#include <rte_ethdev.h>
#include <stdint.h>

#define NIC_RSS_SLOTS 512 /* what the largest table of a device has */

struct nic_rss {
	uint32_t mask;
	uint8_t owner[NIC_RSS_SLOTS]; /* slot -> core */
};

/* Does the device place TCP frames by a hash? */
bool nic_rss_offered(const struct rte_eth_dev_info *info);

/* How many queue pairs a device gets for so many cores: 1 where it cannot spread TCP. */
uint16_t nic_rss_queues(const struct rte_eth_dev_info *info, unsigned nr_cores);

/* Asks for spreading over several queues, before the port is configured. conf points into static
 * memory afterwards. */
void nic_rss_request(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);

/* Fills in the table and gives it to the device; one that keeps its own has it adopted where that
 * serves all cores. The port is started, the cores do not run yet. True: they agree, or there is
 * nothing to agree about: one queue, or no hash. */
bool nic_rss_setup(struct nic_rss *rss, uint16_t port, uint16_t nr_queues, unsigned nr_cores);

static inline unsigned nic_rss_owner(const struct nic_rss *rss, uint32_t hash)
{
	return rss->owner[hash & rss->mask];
}

#endif
