/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots without fork: who takes the cut, who walks, who stores.
 *
 *	IDLE --control: wanted--> CUT --core 0: all partitions locked, S = tail--> WALK --all
 *partitions saved--> CLOSE --each core closes its stream--> SEAL --control: seal, publish--> IDLE
 *
 * WALK: each core takes partitions from a shared counter and saves them in slices between bursts; a
 * write to an entry that is not saved yet saves it first, into the stream of the writing core
 * (app/keyspace/keyspace.h). FLUSHALL and its like give the snapshot up (all partitions are locked
 * then), and the control thread starts another.
 *
 * Large values are saved in parts, one at a time on each core, into a stream that the core has for
 * them. A command that would change one which is not saved, or not whole, waits: it is set aside
 * like one whose partition is busy (command_held()), while the core saves a part in each turn of
 * its loop and serves the others. What cannot wait, since only in the middle of it the key is known
 * (a script's undeclared key), saves what is left as a whole.
 */
#ifndef MILLRACE_APP_SNAPSHOT_H
#define MILLRACE_APP_SNAPSHOT_H

#include "app/server.h"

#include <stdbool.h>

struct snapshotter;

/* Large values: those that were begun to be saved in parts, the parts, and the bytes of the largest
 * one; and those that had to be saved as a whole, before a change that could not wait. */
struct snapshot_counts {
	uint64_t large, parts, part_max_bytes, whole;
};

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
/* Sums of all cores. Any thread. */
void snapshot_counts(const struct server *srv, struct snapshot_counts *sum);
/* Share of the partitions saved, 0..1. */
double snapshot_progress(const struct server *srv);

#endif
