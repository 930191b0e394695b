/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changes of role, for those who bring them about without REPLICAOF.
 */
#ifndef MILLRACE_APP_COMMANDS_REPLICATION_H
#define MILLRACE_APP_COMMANDS_REPLICATION_H

#include <stdbool.h>
#include <stdint.h>

struct server;

/* The role and the configuration become those of a replica of host; repl_sync_attach() is to
 * follow, on core 0. Any core. */
void replication_follow(struct server *srv, const char *host, int port);
/* As REPLICAOF NO ONE of a client, which is unblocked with +OK when it is done; 0: of nobody.
 * False: core 0 takes no message now, nothing has changed. Any core. */
bool replication_promote(struct server *srv, uint64_t client_id);

#endif
