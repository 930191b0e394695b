/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool and the keyspace of the node: opened at start, closed at the end. Control thread.
 */
#ifndef MILLRACE_APP_STORE_H
#define MILLRACE_APP_STORE_H

#include "app/server.h"

#include <stddef.h>

/* Opens (or creates) pool and keyspace. 0 or -errno with one line in err. */
/* Of the kernel that runs; "" when it does not tell. */
void store_boot_id(char *buf, size_t size);
int store_open(struct server *srv, char *err, size_t err_len);
/* Gives each core its writer; after recovery. */
int store_open_writers(struct server *srv, char *err, size_t err_len);
/* clean: the log is made durable and the pool marked as closed. */
void store_close(struct server *srv, bool clean);

#endif
