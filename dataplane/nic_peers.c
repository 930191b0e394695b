/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The cores of a port tell each other what one of them has learnt, and find the one that owns a
 * flow.
 */
#include "dataplane/nic.h"

#include "dataplane/ip/flow.h"
#include "dataplane/nic_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct neigh_msg {
	struct core_msg msg;
	struct nic *nic;
	struct ip_addr ip;
	uint8_t mac[NET_MAC_LEN];
	bool is_confirmed;
	bool is_duplicate; /* ip is ours no longer */
};

static void neigh_msg_run(struct core *core, struct core_msg *m)
{
	struct neigh_msg *msg = (struct neigh_msg *)m;
	struct net *net = &msg->nic->queues[core->id]->net;

	if (msg->is_duplicate)
		net_addr_duplicate(net, &msg->ip);
	else
		net_neigh_learn(net, &msg->ip, msg->mac, msg->is_confirmed);
	free(msg);
}

/* Tells the other cores of the port. */
static void queue_tell(struct nic_queue *q, const struct neigh_msg *what)
{
	for (unsigned i = 0; i < q->nic->nr_cores; i++) {
		struct neigh_msg *msg;

		if (i == q->core->id || !q->nic->queues[i])
			continue;
		msg = malloc(sizeof(*msg));
		if (!msg)
			return; /* the other core will find out for itself */
		*msg = *what;
		msg->msg.fn = neigh_msg_run;
		msg->nic = q->nic;
		if (core_post(q->core->cores[i], &msg->msg))
			free(msg);
	}
}

void nic_queue_neigh_learned(
	void *ctx, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN], bool is_confirmed)
{
	struct neigh_msg what = {.ip = *ip, .is_confirmed = is_confirmed};

	memcpy(what.mac, mac, NET_MAC_LEN);
	queue_tell(ctx, &what);
}

void nic_queue_addr_duplicate(void *ctx, const struct ip_addr *ip)
{
	struct nic_queue *q = ctx;
	const struct neigh_msg what = {.ip = *ip, .is_duplicate = true};
	char text[IP_ADDR_TEXT];

	ip_addr_format(ip, text, sizeof(text));
	nic_log(q->nic, 3, "another station has %s: the address is not used", text);
	queue_tell(q, &what);
}

/* The hash decides who owns a flow, whichever queue its frames arrive on. */
bool nic_queue_flow_mine(void *ctx, const struct ip_addr *laddr, uint16_t lport,
	const struct ip_addr *raddr, uint16_t rport)
{
	struct nic_queue *q = ctx;

	if (q->nic->nr_cores == 1)
		return true;
	return nic_rss_owner(&q->nic->rss, net_flow_hash_tuple(laddr, lport, raddr, rport)) ==
	       q->core->id;
}

struct net *nic_route(struct core *core, const struct ip_addr *ip)
{
	struct net *best = NULL;
	int best_len = -1;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		const int len = net_route(core->nets[i], ip);

		if (len > best_len) {
			best = core->nets[i];
			best_len = len;
		}
	}
	return best;
}
