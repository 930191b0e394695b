/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The flusher: group commit where the pool is an ordinary file. A thread that makes durable what
 * the cores have copied, as pmem-durability asks; on persistent memory it does not exist.
 */
#ifndef MILLRACE_APP_FLUSHER_H
#define MILLRACE_APP_FLUSHER_H

#include "app/server.h"

struct flusher;

int flusher_start(struct server *srv, struct flusher **out); /* 0 with *out NULL: not needed */
void flusher_stop(struct flusher **f);
/* Something has been copied. Any thread, cheap. */
void flusher_kick(struct server *srv);

#endif
