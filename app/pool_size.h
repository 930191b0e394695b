/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The size of the pool follows pmem-size, upwards: at the start, and when CONFIG SET changes it.
 * Finding the space may take the filesystem long, so the control thread does it, and the client
 * waits for the answer.
 */
#ifndef MILLRACE_APP_POOL_SIZE_H
#define MILLRACE_APP_POOL_SIZE_H

#include "app/server.h"

#include <stddef.h>

/* After recovery_begin(). What cannot be had is told in the log, and the pool stays what it is. */
void pool_size_setup(struct server *srv);

/* pmem-size has a new value: 0, or -EINVAL with a reason in err when it cannot be. Any thread. */
int pool_size_check(struct server *srv, char *err, size_t err_len);

/* pmem-size asks for more than there is. Any thread. */
bool pool_size_wanted(const struct server *srv);

/* Has the control thread do it. The client is answered and let go when it is done, unless it is one
 * that may not wait (in EXEC): then nobody waits. Its core. */
void pool_size_grow(struct client *c);

#endif
