/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way out: the last step of every packet that the stack sends.
 */
#ifndef MILLRACE_DATAPLANE_IP_ETH_H
#define MILLRACE_DATAPLANE_IP_ETH_H

#include "dataplane/ip/net.h"

extern const uint8_t eth_broadcast[NET_MAC_LEN];

/* Prepends the Ethernet header and hands the frame to the device. Takes p. */
void eth_output(struct net *net, struct pkt *p, const uint8_t dst[NET_MAC_LEN], uint16_t type);

#endif
