/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The node's NICs, from the nic directives. Control thread.
 */
#ifndef MILLRACE_APP_NETWORK_H
#define MILLRACE_APP_NETWORK_H

#include "app/server.h"
#include "dataplane/nic.h"

#include <stddef.h>

/* Starts DPDK's environment. A failure is only a warning (no telemetry then) unless nic, eal-args
 * or huge-pages yes ask for something. */
int network_eal_start(struct server *srv, char *err, size_t err_len);
void network_eal_stop(struct server *srv);
/* Opens the ports, gives each core its stack and listens. Before the cores run. */
int network_start(struct server *srv, char *err, size_t err_len);
/* Looks after the links; control thread, each tick of its loop. */
void network_tick(struct server *srv, int64_t now_ms);
/* The nic of that number, NULL: there is none. Any thread, while the node serves. */
const struct nic *network_nic(const struct server *srv, unsigned i);
void network_stop(struct server *srv); /* the cores have stopped */

#endif
