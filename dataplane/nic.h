/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NIC ports: DPDK devices, their queues, and how frames find the core that owns their flow.
 *
 * A port has a queue pair a core, with RSS, as far as the device offers them. The first core sends
 * for cores without one (a driver's two directions share state: two threads on one queue pair lose
 * frames on net_af_xdp). A hash of the flow names the core that owns it: a core that receives a
 * frame of another's flow hands it over through a ring. nic_rss.h has devices place frames by that
 * hash.
 */
#ifndef MILLRACE_DATAPLANE_NIC_H
#define MILLRACE_DATAPLANE_NIC_H

#include "dataplane/core.h"
#include "dataplane/ip/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nic; /* a port */

struct nic_eal_cfg {
	const char *prefix; /* names the run directory and the telemetry socket */
	const char *const
		*devices; /* DPDK device arguments: "net_tap0,iface=x" or "0000:01:00.0" */
	unsigned nr_devices;
	int huge;               /* 1 yes, 0 no, -1 if there are free ones */
	const char *extra_args; /* further EAL arguments, separated by blanks; "" for none */
	bool verbose;
};

/* Starts DPDK's environment. Control thread, once, before any port. 0 or -errno with cause and
 * remedy in err. The calling thread's CPU affinity is as before. */
int nic_eal_init(const struct nic_eal_cfg *cfg, bool *huge_used, char *err, size_t err_len);
/* Ends it. Its run directory goes at the process's exit. */
void nic_eal_fini(void);
/* The run directory, where the telemetry socket is. After nic_eal_init(). Borrowed. */
const char *nic_eal_dir(void);
/* The calling thread becomes known to DPDK (per-thread caches). Each poll thread, once. */
int nic_thread_register(void);
/* Free huge pages of the machine, in bytes. */
uint64_t nic_huge_free(void);

/* Tells of each pool of packets how many it has and how many of them are free, about, while cores
 * are at work. Any thread, while no nic is opened or closed. */
typedef void (*nic_pool_fn)(void *ctx, const char *name, uint32_t nr_pkts, uint32_t nr_free);
void nic_pools_each(nic_pool_fn fn, void *ctx);

struct nic_cfg {
	const char *device;
	uint16_t vlan; /* 0: none */
	uint16_t mtu;  /* 0: the device's */
	unsigned nr_addrs;
	struct net_addr addrs[NET_MAX_ADDRS]; /* ours, of either family */
	struct ip_addr gateway, gateway_v6;   /* zero: none */
	uint8_t secret[16];
	uint64_t obuf_bytes_max; /* per core */
	/* Tells the operator: level 2 notice, 3 warning. Seldom; on any core. */
	void (*log)(void *ctx, int level, const char *text);
	void *log_ctx;
};

/* Opens a port for nr_cores cores. *out is owned. 0 or -errno with a message. Control thread. */
int nic_open(
	const struct nic_cfg *cfg, unsigned nr_cores, struct nic **out, char *err, size_t err_len);
/* Gives the core its queues and its TCP/IP stack on the port. Control thread, before the core's
 * loop. */
int nic_attach(struct nic *nic, struct core *core, char *err, size_t err_len);
/* Brings the link up and announces the address. After all cores are attached. */
int nic_start(struct nic *nic, char *err, size_t err_len);
/* Looks whether the device has its link, where it can tell, and tells the operator and all cores
 * when that has changed. Control thread, a few times a second. */
void nic_link_poll(struct nic *nic);
/* Has it, or cannot tell. The link of a virtual device may come up with its peer only. Control
 * thread. */
bool nic_link_is_up(const struct nic *nic);
/* Its driver may unmap memory that a core is working in: the process must keep it from that
 * (nic_memif.h). */
bool nic_unmaps(const struct nic *nic);
/* Ends the stacks of the port (the cores' loops have ended) and closes it. */
void nic_close(struct nic **nic);

/* "net_af_xdp0,iface=veth0 queues=1 mac=.. address=10.0.0.2/24,2001:db8::2/64 mtu=1500" */
void nic_describe(const struct nic *nic, char *buf, size_t size);

/* What the device does itself, and what it is like. */
struct nic_facts {
	unsigned port, queues, mtu;
	bool is_link_up;
	bool tx_checksums, rx_checksums; /* of TCP */
	bool tx_segmentation;            /* large packets are cut by the device (TSO) */
	bool rx_coalescing;              /* several segments come as one (LRO) */
	bool by_reference;               /* large values are sent from where they lie */
};
/* Any thread. */
void nic_facts_get(const struct nic *nic, struct nic_facts *facts);

/* The loop's three calls; each returns how many packets it moved. */
unsigned nic_rx(struct core *core);
void nic_run(struct core *core);
unsigned nic_tx(struct core *core);

/* Nothing waits in the rings through which other cores hand frames over. */
bool nic_rings_empty(const struct core *core);

/* The stack through which the address is reached, or NULL: not by a NIC. */
struct net *nic_route(struct core *core, const struct ip_addr *ip);

#endif
