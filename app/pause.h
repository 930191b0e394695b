/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients are paused for reasons that do not know of each other: CLIENT PAUSE, a shutdown, a
 * failover. Each has its own end, and ends alone. What holds is all of them together: writes wait
 * until the last has ended, everything else until the last of those that stop everything has.
 */
#ifndef MILLRACE_APP_PAUSE_H
#define MILLRACE_APP_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct server;

enum pause_reason {
	PAUSE_COMMAND,
	PAUSE_SHUTDOWN,
	PAUSE_FAILOVER,
	PAUSE_NR_REASONS,
};

/* A pause for this reason, until a Unix time. One under way is made longer or wider, never shorter
 * or narrower. Any thread. */
void pause_begin(struct server *srv, enum pause_reason reason, int64_t now_ms, int64_t until_ms,
	bool writes_only);
/* Ends the pauses for this reason. Any thread. */
void pause_end(struct server *srv, enum pause_reason reason);

#endif
