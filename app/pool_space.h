/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the pool has room for. A snapshot is written beside the newest one, so what is free has to
 * hold the next one: when it does not, writes are refused in the end, which is told of early.
 */
#ifndef MILLRACE_APP_POOL_SPACE_H
#define MILLRACE_APP_POOL_SPACE_H

#include "app/server.h"

struct pool_space {
	uint64_t used_bytes, free_bytes; /* of the pool; what is free takes snapshots */
	uint64_t needed_bytes;           /* by the next snapshot, as far as can be said */
	int64_t log_seconds_left; /* until a snapshot must be there; -1: nothing is written */
};

/* Any thread. */
void pool_space_get(const struct server *srv, struct pool_space *space);
/* Control thread: a snapshot of the present data has been stored, or loaded. */
void pool_space_learn(struct server *srv);
/* Control thread, now and then: warns in the log, once for each time that room gets short. */
void pool_space_watch(struct server *srv);

#endif
