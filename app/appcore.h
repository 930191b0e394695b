/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The application's part of a poll core, and what the core loop calls.
 */
#ifndef MILLRACE_APP_APPCORE_H
#define MILLRACE_APP_APPCORE_H

#include "app/server.h"
#include "dataplane/core.h"

extern const struct core_ops app_core_ops;

/* Makes core number id with its application part, known to srv. Control thread, before anything
 * runs. 0 or -errno. */
int app_core_create(struct server *srv, unsigned id, struct core **cores, bool adaptive);
/* Gives it its writer: once the log is there. */
int app_core_open_log(struct app_core *ac);
/* Its loop has ended. Frees clients and the core. NULL-safe. */
void app_core_destroy(struct app_core **ac);

#endif
