/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The poll threads. Control thread.
 */
#ifndef MILLRACE_APP_THREADS_H
#define MILLRACE_APP_THREADS_H

#include "app/server.h"

#include <stddef.h>

#define THREADS_MAX_CPUS 1024

/* Makes the cores that poll-cores asks for (one, not pinned, when it is empty). 0 or -errno with a
 * message. */
int threads_create_cores(struct server *srv, char *err, size_t err_len);
int threads_start(struct server *srv, char *err, size_t err_len);
/* Ends the loops and the connections of all cores. Safe when nothing runs. */
void threads_stop(struct server *srv);
void threads_destroy_cores(struct server *srv);
/* "1-3,5" into CPU numbers. Returns how many, or -EINVAL. */
int threads_parse_cpus(const char *text, int *cpus, unsigned max);

#endif
