/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Inside of a port: nic_setup.c opens and closes it, nic_port.c moves packets, nic_peers.c speaks
 * with the other cores of the port.
 */
#ifndef MILLRACE_DATAPLANE_NIC_PRIV_H
#define MILLRACE_DATAPLANE_NIC_PRIV_H

#include "dataplane/nic.h"
#include "dataplane/nic_rss.h"

#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

/* Frames of one turn of the loop, whose replies go out at its end. A peer that waits for all of its
   replies sends all of its next requests together, and the two ends take turns, each idle while the
   other works. Few enough that the first are answered before the last have come in keep both busy.
 */
#define NIC_RX_BURST        32
#define NIC_BURST           64
#define NIC_SPARE           64 /* buffers that a core keeps at hand */
#define NIC_DESC_MAX        2048u
#define NIC_POOL_BASE       16384 /* buffers for up to four queues */
#define NIC_POOL_BASE_JUMBO 8192  /* of buffers that are five times as large */
#define NIC_POOL_CACHE      256
#define NIC_RING            4096
#define NIC_PRIV            RTE_ALIGN_CEIL(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN)
#define NIC_PIECES          8191 /* packets by reference under way, all cores */
#define NIC_PIECES_MAX      128u /* of which one packet may consist */

#define NIC_PREPARE (RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_VLAN_INSERT)

/* The private area of a buffer without room of its own, which shows a piece of an output buffer. */
struct nic_piece {
	struct pkt pkt;
	struct rte_mbuf_ext_shared_info
		info; /* nobody clones these buffers: it goes with this one */
};

/* One core's share of a port. */
struct nic_queue {
	struct pkt_pool pool; /* first: net.c hands it back to pool_alloc() */
	struct nic *nic;
	struct core *core;
	struct net net;
	struct rte_ring *spread; /* frames that another core received for us; NULL: none do */
	uint16_t rxq, txq;
	bool polls;        /* has a queue pair of the device */
	bool must_prepare; /* tx has what the driver has to see before */
	uint16_t nr_tx;
	struct rte_mbuf *tx[NIC_BURST];
	/* Buffers of mpool without a packet, the last one given back on top: replies are written
	   where the requests were, which the cache still holds. */
	uint16_t nr_spare;
	struct rte_mbuf *spare[NIC_SPARE];
};

struct nic {
	struct nic_cfg cfg;
	char device[128];
	uint16_t port;
	uint16_t nr_queues;
	uint16_t mtu;
	uint16_t frame_room; /* in a buffer, behind the headroom */
	unsigned nr_pkts;    /* in the pool */
	uint16_t rx_desc, tx_desc;
	struct rte_ether_addr mac;
	uint64_t tx_offloads, rx_offloads;
	unsigned max_pieces; /* 0: no chains */
	bool has_refs;       /* it can send from any memory */
	unsigned if_index;   /* the kernel's interface that a virtual device stands on; 0: none */
	bool is_link_up;
	bool is_xdp; /* net_af_xdp */
	bool unmaps; /* net_memif: bursts stand between nic_burst_begin() and _end() */
	bool wakes;  /* stands on descriptors that end a sleep: nic_wake.h */
	unsigned nr_cores;
	struct rte_mempool *mpool;
	struct rte_mempool *pieces; /* buffers without room; NULL: !has_refs */
	struct rte_ring
		*tx_ring; /* frames of cores without a queue, sent by core 0; NULL: all have one */
	struct nic_queue *queues[CORE_MAX];
	struct nic_rss rss;
};

/* nic_port.c */
extern const struct pkt_pool_ops nic_pool_ops;
/* struct net_ops, tx: ctx is the queue. */
void nic_queue_tx(void *ctx, struct pkt *p);

/* nic_setup.c: says it to the operator, in the name of the device. */
void nic_log(const struct nic *nic, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* nic_pool.c: the pool of nr_pkts buffers with frame_room each, and that of pieces. 0 or -ENOMEM
   with a message. */
int nic_pool_create(struct nic *nic, char *err, size_t err_len);

/* nic_offload.c */
/* Chooses tx_offloads, rx_offloads, max_pieces and has_refs from what the device offers. */
void nic_offload_choose(struct nic *nic, const struct rte_eth_dev_info *info);
/* Tells the stack. */
void nic_offload_tell(const struct nic *nic, struct net_cfg *cfg);
/* "checksums=device/software ..." */
void nic_offload_describe(const struct nic *nic, char *buf, size_t size);

/* nic_lro.c: makes a segment of each buffer of a packet of several. Takes m; returns how many there
   are in `to`, owned, each a whole frame: at most max. 0: it was not good. */
unsigned nic_lro_split(struct rte_mbuf *m, struct rte_mbuf **to, unsigned max);

/* nic_mtu.c */
/* Sets nic->mtu and frame_room from configuration and device. 0 or -EINVAL with a message. */
int nic_mtu_choose(struct nic *nic, const struct rte_eth_dev_info *info, char *err, size_t err_len);
/* Tells the device, which is configured, if the operator has chosen. 0 or -errno. */
int nic_mtu_apply(struct nic *nic, const struct rte_eth_dev_info *info);

/* nic_mtu.c: asks the kernel about the interface that the device stands on. 0 or -errno. */
int nic_interface_ioctl(unsigned if_index, unsigned long what, struct ifreq *ifr);

/* nic_peers.c: struct net_ops; ctx is the queue. */
void nic_queue_neigh_learned(
	void *ctx, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN], bool is_confirmed);
void nic_queue_addr_duplicate(void *ctx, const struct ip_addr *ip);
bool nic_queue_flow_mine(void *ctx, const struct ip_addr *laddr, uint16_t lport,
	const struct ip_addr *raddr, uint16_t rport);

#endif
