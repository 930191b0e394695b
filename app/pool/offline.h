/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A node without clients, replicas and threads, to bring the state that a pool holds into memory by
 * the very steps of a start: its snapshot is loaded and its log replayed.
 */
#ifndef MILLRACE_APP_POOL_OFFLINE_H
#define MILLRACE_APP_POOL_OFFLINE_H

#include "app/server.h"
#include "repl/rdb_write.h"

/* Recovers @pool (takes it, also on failure; from pool_view(), so that its file stays as it is)
 * into *@srv, which is large: static or heap. 0 or -errno with @err. */
int offline_start(struct server *srv, struct pool *pool, int databases, char *err, size_t err_len);
void offline_stop(struct server *srv);

/* Writes all there is as one RDB. 0 or what the sink reports. */
int offline_save(struct server *srv, struct rdb_sink sink);

#endif
