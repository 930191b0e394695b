/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Start-up from the pool: the newest snapshot, then the log behind it.
 */
#ifndef MILLRACE_APP_RECOVERY_H
#define MILLRACE_APP_RECOVERY_H

#include "app/server.h"

#include <stddef.h>

/* Fills the keyspace with the state at the end of the log. srv->pool is open, nothing runs yet;
 * afterwards srv->log works. 0, or -errno with one line in err. Control thread. */
int recovery_run(struct server *srv, char *err, size_t err_len);

#endif
