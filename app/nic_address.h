/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The texts of nic-address and nic-gateway.
 *
 *	nic-address 10.0.0.2/24,2001:db8::2/64     all addresses of one nic, separated by commas
 *	nic-gateway 10.0.0.1,fe80::1               at most one of each family
 */
#ifndef MILLRACE_APP_NIC_ADDRESS_H
#define MILLRACE_APP_NIC_ADDRESS_H

#include "dataplane/ip/net.h"

/* Returns how many addresses there are, or -EINVAL. */
int nic_address_parse(const char *text, struct net_addr addrs[NET_MAX_ADDRS]);

/* 0 or -EINVAL. A family that is not named is left as it is. */
int nic_gateway_parse(const char *text, struct ip_addr *v4, struct ip_addr *v6);

#endif
