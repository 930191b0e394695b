/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The device under a host of the laboratory: does what the stack was told that it does (checksums,
 * cutting large packets, sending by reference), and gives packets back late, as real ones do.
 *
 * It is written from the RFCs and what DPDK says of offloads, not from the stack's code, and fails
 * the test when a packet is not as a driver expects it.
 */
#ifndef MILLRACE_TESTS_NET_DEVICE_H
#define MILLRACE_TESTS_NET_DEVICE_H

#include "dataplane/ip/net.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_RING 64

struct device {
	bool is_uncut; /* large packets go on the wire whole, as between guests of a hypervisor */
	bool is_lazy;  /* keeps the last DEVICE_RING packets, whose bytes must not change */
	struct {
		struct pkt *pkt;
		uint8_t *copy;
		uint32_t len;
	} ring[DEVICE_RING];
	uint32_t at;
	uint64_t nr_cut;    /* packets that it cut */
	uint64_t nr_chains; /* packets of more than one piece */
	uint64_t nr_large;  /* packets received that stood for several segments */
};

/* Calls each() with the frames that go on the wire for p, and keeps or frees p. Takes p. */
void device_send(struct device *d, const struct net_cfg *cfg, struct pkt_pool *pool, struct pkt *p,
	void (*each)(void *ctx, uint8_t *bytes, uint32_t len), void *ctx);

/* Receives a frame that no buffer holds: puts it into several, with `room` bytes at most, each of
   which is handed to the stack as the NIC layer would. pick() draws the sizes. */
void device_receive_large(struct device *d, struct net *net, const uint8_t *bytes, uint32_t len,
	uint32_t room, uint64_t (*pick)(void *ctx), void *ctx);

/* Frees what is kept. */
void device_drain(struct device *d, struct pkt_pool *pool);

#endif
