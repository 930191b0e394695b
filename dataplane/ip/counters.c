/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of the network stack's counters, from the lists in the header.
 */
#include "dataplane/ip/counters.h"

const struct net_counter_info net_drop_info[NR_DROPS] = {
#define X(code, name, desc) {name, desc},
	NET_DROPS(X)
#undef X
};

const struct net_counter_info net_ctr_info[NR_NET_CTRS] = {
#define X(code, name, desc) {name, desc},
	NET_CTRS(X)
#undef X
};
