/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Media errors: a page of the pool that cannot be read or written (poisoned persistent memory, a
 * file that was cut short, a file system without room for it) comes as SIGBUS to the thread that
 * touched it. Nothing can be promised from then on, so the node says where and ends.
 */
#ifndef MILLRACE_APP_MEDIA_GUARD_H
#define MILLRACE_APP_MEDIA_GUARD_H

#include "app/server.h"

/* With the pool open; for the process. */
void media_guard_start(struct server *srv);
/* Before the pool is closed. */
void media_guard_stop(void);

#endif
