/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which flow a frame belongs to: how a polling core finds the core that owns a connection.
 *
 * The hash is Toeplitz's over source address, destination address, source port and destination
 * port, as devices compute it for receive side scaling, with a key that repeats NET_FLOW_KEY. With
 * that key it is symmetrical: both directions of a connection agree. So a device that takes the key
 * delivers a connection's frames to the core that owns it, and whatever it delivers elsewhere is
 * found by the same hash in software.
 */
#ifndef MILLRACE_DATAPLANE_IP_FLOW_H
#define MILLRACE_DATAPLANE_IP_FLOW_H

#include "dataplane/ip/addr.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

/* Any 16 bits with an odd number of ones keep different sums apart. */
#define NET_FLOW_KEY 0x6d5au

/* The hash of a connection; either end may come first. */
uint32_t net_flow_hash_tuple(
	const struct ip_addr *a, uint16_t aport, const struct ip_addr *b, uint16_t bport);

/* Finds the flow of an Ethernet frame: TCP, or an ICMP error about it, of either IP. False: it has
   no flow (ARP, echo, fragments, anything malformed) and any core may handle it; *hash is then 0.
   */
bool net_flow_hash(const struct pkt *p, uint32_t *hash);

#endif
