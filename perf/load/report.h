/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is told: a line each second, the result for people, and as JSON.
 */
#ifndef MILLRACE_PERF_LOAD_REPORT_H
#define MILLRACE_PERF_LOAD_REPORT_H

#include "perf/load/run.h"

struct progress;

/* Lines about what happens from now on; free() ends it. what: the phase's name, borrowed. NULL: no
 * memory. */
struct progress *progress_create(struct run *run, const char *what);
/* One line to standard error about the time since the last. */
void progress_line(struct progress *p, double since_begin_s);

void report_text(const struct run *run, const struct result *res);
/* 0 or -errno with a message. */
int report_json(const struct run *run, const struct result *res, char *err, size_t err_len);

#endif
