/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which flow a frame belongs to: how a polling core finds the core that owns a connection.
 *
 * The hash is symmetrical (both directions of a connection agree) and has no key, so that the
 * choice of a source port and the spreading of frames agree on every core.
 */
#ifndef MILLRACE_DATAPLANE_IP_FLOW_H
#define MILLRACE_DATAPLANE_IP_FLOW_H

#include "dataplane/ip/addr.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

/* The hash of a connection; either end may come first. */
uint32_t net_flow_hash_tuple(
	const struct ip_addr *a, uint16_t aport, const struct ip_addr *b, uint16_t bport);

/* Finds the flow of an Ethernet frame: TCP, or an ICMP error about it, of either IP. False: it has
   no flow (ARP, echo, fragments, anything malformed) and any core may handle it; *hash is then 0.
   */
bool net_flow_hash(const struct pkt *p, uint32_t *hash);

#endif
