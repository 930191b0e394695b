/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Watching the link. A virtual device says that it is up whatever happens: there the kernel is
 * asked, of the interface that the device stands on.
 */
#include "dataplane/nic.h"

#include "dataplane/nic_priv.h"

#include <stdlib.h>
#include <sys/ioctl.h>

enum link { LINK_UNKNOWN, LINK_DOWN, LINK_UP };

static enum link link_look(const struct nic *nic)
{
	struct rte_eth_link link;
	struct ifreq ifr = {0};

	if (nic->if_index) {
		/* One that has gone to another namespace cannot be seen from here. */
		if (nic_interface_ioctl(nic->if_index, SIOCGIFFLAGS, &ifr))
			return LINK_UNKNOWN;
		return (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING)
			       ? LINK_UP
			       : LINK_DOWN;
	}
	if (rte_eth_link_get_nowait(nic->port, &link))
		return LINK_UNKNOWN;
	return link.link_status == RTE_ETH_LINK_UP ? LINK_UP : LINK_DOWN;
}

struct link_msg {
	struct core_msg msg;
	struct nic *nic;
	bool is_up;
};

static void link_msg_run(struct core *core, struct core_msg *m)
{
	struct link_msg *msg = (struct link_msg *)m;

	net_link(&msg->nic->queues[core->id]->net, msg->is_up, core->id == 0);
	free(msg);
}

void nic_link_poll(struct nic *nic)
{
	const enum link link = link_look(nic);
	const bool is_up = link == LINK_UP;

	if (link == LINK_UNKNOWN || is_up == nic->is_link_up)
		return;
	nic->is_link_up = is_up;
	nic_log(nic, is_up ? 2 : 3, is_up ? "link up" : "link down");
	for (unsigned i = 0; i < nic->nr_cores; i++) {
		struct link_msg *msg = malloc(sizeof(*msg));

		if (!msg)
			return; /* everything finds its way without being told, but slower */
		msg->msg.fn = link_msg_run;
		msg->nic = nic;
		msg->is_up = is_up;
		if (core_post(nic->queues[i]->core, &msg->msg))
			free(msg);
	}
}

bool nic_link_is_up(const struct nic *nic)
{
	return link_look(nic) != LINK_DOWN;
}
