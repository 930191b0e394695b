/* SPDX-License-Identifier: BSD-3-Clause
 *
 * FAILOVER: a master hands its role to one of its replicas, and loses no write.
 *
 *	NONE -- FAILOVER --> WAIT_SYNC -- a replica has all --> IN_PROGRESS -- +CONTINUE --> NONE
 *	                         |                                  |
 *	                         v ABORT, timeout                   v refused, ABORT
 *	                        NONE                            ABORTING -- master again --> NONE
 *
 * Writes are paused from WAIT_SYNC on. The role changes with every partition locked, at an offset
 * that the replica has acknowledged; from then on we are a replica that asks its master with
 * PSYNC ... FAILOVER, upon which that one promotes itself. Only core 0 leaves a state.
 */
#ifndef MILLRACE_APP_COMMANDS_FAILOVER_H
#define MILLRACE_APP_COMMANDS_FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

struct app_core;
struct client;
struct server;

enum failover_state {
	FAILOVER_NONE,
	FAILOVER_WAIT_SYNC,
	FAILOVER_IN_PROGRESS,
	FAILOVER_ABORTING,
};

void cmd_failover(struct client *c);

/* As INFO names it. */
const char *failover_state_name(const struct server *srv);
/* Any state but NONE. Any core. */
bool failover_active(const struct server *srv);

/* Core 0 from here on. */

/* Each loop. */
void failover_work(struct app_core *ac);
/* Our PSYNC is to ask the master to take over. */
bool failover_asks(const struct server *srv);
/* What came of that. */
void failover_accepted(struct server *srv);
void failover_refused(struct server *srv);
/* A promotion of this node is through. */
void failover_promoted(struct server *srv);

#endif
