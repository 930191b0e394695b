/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Telemetry: the node's numbers on DPDK's telemetry socket, under /millrace/.
 */
#ifndef MILLRACE_APP_TELEMETRY_H
#define MILLRACE_APP_TELEMETRY_H

#include "app/server.h"

/* Registers the commands; from then on DPDK's telemetry thread may call them. Control thread. */
void telemetry_start(struct server *srv);
void telemetry_stop(struct server *srv); /* the commands answer with nothing from now on */

#endif
