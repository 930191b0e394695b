/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Start-up from the pool: the newest snapshot, then the log behind it.
 *
 *	recovery_begin()   control thread, nothing runs yet: the log is open, functions are there
 *	LOAD               every core: takes runs of the snapshot (persist/snapshot.h), one after
 *	                   another, and loads them in slices between bursts
 *	REPLAY             core 0: executes the log's commands, in slices
 *	PARK               every core stands still, while
 *	recovery_control() the control thread brings log and role in order
 *	DONE
 *
 * From LOAD to PARK srv->loading is set: clients get -LOADING as from Redis, nothing is written,
 * expired, evicted or replicated, and no snapshot is begun. With nothing to load, all of it is over
 * when recovery_start_empty() returns.
 */
#ifndef MILLRACE_APP_RECOVERY_H
#define MILLRACE_APP_RECOVERY_H

#include "app/server.h"

#include <stddef.h>

struct recovery;

/* srv->pool is open; afterwards srv->log works. 0, or -errno with one line in err. */
int recovery_begin(struct server *srv, char *err, size_t err_len);
/* With the log's writers open: the end of it, when there is nothing to load. The same. */
int recovery_start_empty(struct server *srv, char *err, size_t err_len);
void recovery_destroy(struct server *srv);
/* All of it on the calling thread, for a node that serves nobody: neither threads nor replication
 * are started. The same. */
int recovery_run_alone(struct server *srv, char *err, size_t err_len);
/* Poll core, each loop while srv->loading is set. True: there is more to do. */
bool recovery_core_work(struct app_core *ac);
/* Control thread, each tick while srv->loading is set: progress, and the end. 0, or -errno with
 * one line in err: the node cannot serve. */
int recovery_control(struct server *srv, char *err, size_t err_len);

struct recovery_progress {
	int64_t start_s; /* Unix time */
	uint64_t total_bytes, loaded_bytes;
	uint64_t nr_keys, used_memory; /* of the snapshot: loaded; what it says of its node */
	int64_t eta_s;                 /* 1 when it is not known, as Redis says it */
};
/* Any thread. */
void recovery_progress_get(const struct server *srv, struct recovery_progress *p);

#endif
