/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots without fork: who takes the cut, who walks, who stores.
 *
 *	IDLE --control: wanted--> CUT --core 0: all partitions locked, S = tail--> WALK --all
 *partitions saved--> CLOSE --each core closes its stream--> SEAL --control: seal, publish--> IDLE
 *
 * WALK: each core takes partitions from a shared counter and saves them in slices between bursts; a
 *write to an entry that is not saved yet saves it first, into the stream of the writing core
 *(app/keyspace/keyspace.h). FLUSHALL and its like give the snapshot up (all partitions are locked
 *then), and the control thread starts another.
 */
#ifndef MILLRACE_APP_SNAPSHOT_H
#define MILLRACE_APP_SNAPSHOT_H

#include "app/server.h"

#include <stdbool.h>

struct snapshotter;

int snapshot_create(struct server *srv);
void snapshot_destroy(struct server *srv);
/* Control thread: begins one unless one is under way. True: begun. */
bool snapshot_start(struct server *srv);
/* Control thread, each tick: seals and publishes when the cores are done. True when one has just
 * ended; *rc tells how: 0, -ENOSPC (the pool has no room for it), or another error. */
bool snapshot_control(struct server *srv, int *rc);
/* Poll core, each loop. True: there is more to do. */
bool snapshot_core_work(struct app_core *ac);
/* Every partition is locked by the caller, who is about to remove or exchange what is to be saved.
 */
void snapshot_abort_for_flush(struct server *srv);
bool snapshot_active(const struct server *srv);
/* Share of the partitions saved, 0..1. */
double snapshot_progress(const struct server *srv);

#endif
