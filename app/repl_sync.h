/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The replica's side: what the bytes of the link mean for this node. Core 0, but for what is
 * marked.
 *
 * A full sync is loaded into a second keyspace and, byte for byte, into the pool as the next
 * snapshot. Until both are complete and stored, the old data are served and the old log stands;
 * then one superblock update makes the snapshot and an empty log at its offset current, and the
 * keyspaces change places under all partition locks.
 */
#ifndef MILLRACE_APP_REPL_SYNC_H
#define MILLRACE_APP_REPL_SYNC_H

#include "app/replication.h"

/* Follows the master named in repl->master_host and _port from now on. Also before the cores run. 0
 * or -ENOMEM. */
int repl_sync_attach(struct server *srv);
/* Leaves the master; what is under way is given up. The data stay. */
void repl_sync_detach(struct server *srv);
/* Frees what is left of it. The cores and the control thread have stopped. */
void repl_sync_teardown(struct repl *r);
void repl_sync_work(struct app_core *ac);
void repl_sync_burst_end(struct app_core *ac);

#endif
