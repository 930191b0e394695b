/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is told: a line each second, the result for people, and as JSON.
 */
#ifndef MILLRACE_PERF_LOAD_REPORT_H
#define MILLRACE_PERF_LOAD_REPORT_H

#include "perf/load/run.h"

#include <stdio.h>

struct progress;

/* Lines about what happens from now on; free() ends it. what: the phase's name, borrowed. NULL: no
 * memory. */
struct progress *progress_create(struct run *run, const char *what);
/* One line to standard error about the time since the last. */
void progress_line(struct progress *p, double since_begin_s);

/* To people. */
void report_text(FILE *to, const struct run *run, const struct result *res);
/* As JSON. 0 or -errno. */
int report_json(FILE *to, const struct run *run, const struct result *res);
/* Was everything as it has to be? */
bool report_is_good(const struct run *run, const struct result *res);

#endif
