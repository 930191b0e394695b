/* SPDX-License-Identifier: BSD-3-Clause
 *
 * LATENCY's reports for people: the graph of an event and the doctor's findings.
 */
#ifndef MILLRACE_APP_COMMANDS_LATENCY_REPORT_H
#define MILLRACE_APP_COMMANDS_LATENCY_REPORT_H

#include "app/latency.h"
#include "app/textbuf.h"

#include <stdint.h>

/* A column a sample: its height between the lowest and the highest, and its age below. e holds a
 * sample at least. */
void latency_graph_print(struct textbuf *tb, const struct latency_event *e, int64_t now_s);

struct latency_summary {
	uint32_t nr, min_ms, max_ms;  /* of the samples that are kept */
	double mean_ms, deviation_ms; /* deviation: the mean of the absolute differences */
	double period_s; /* mean time from one sample to the next, the last one to now */
};
/* e holds a sample at least. */
void latency_summarise(const struct latency_event *e, int64_t now_s, struct latency_summary *out);

/* The report over all events of the monitor, with advice where the kind of event suggests some.
 * slowlog_us: the threshold of the slow log (negative: off). */
void latency_doctor_print(struct textbuf *tb, struct latency *lat, int64_t now_s,
	int64_t threshold_ms, int64_t slowlog_us);

#endif
