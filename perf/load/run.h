/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A run: its phases, led by the control thread, and its result.
 */
#ifndef MILLRACE_PERF_LOAD_RUN_H
#define MILLRACE_PERF_LOAD_RUN_H

#include "perf/load/hist.h"
#include "perf/load/options.h"
#include "perf/load/worker.h"

#include <stdbool.h>
#include <stddef.h>

struct result {
	struct hist hist; /* nanoseconds */
	struct worker_counters ctr;
	double seconds; /* from the first moment measured to the last reply */
	double load_seconds, connect_seconds;
	uint64_t retransmits, rx_pkts, tx_pkts, tx_drops, rx_drops;
	bool is_early; /* ended by a signal */
	char complaint[256];
};

/* Runs what the options ask for on a started NIC. *stop becomes true when a signal asks for the
 * end. 0, or -errno with cause and remedy in err. Control thread. */
int run_requests(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len);

#endif
