/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A run: what it is made of, its phases, led by the control thread, and its result.
 */
#ifndef MILLRACE_PERF_LOAD_RUN_H
#define MILLRACE_PERF_LOAD_RUN_H

#include "perf/load/hist.h"
#include "perf/load/options.h"
#include "perf/load/worker.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes. */
struct run_memory {
	uint64_t server_used, server_rss; /* as the server says; 0: it does not */
	uint64_t client_rss;
};

struct result {
	struct hist hist; /* nanoseconds */
	struct worker_counters ctr;
	double seconds; /* from the first moment measured to the last reply */
	double connect_seconds, load_seconds;
	uint64_t retransmits, rx_pkts, tx_pkts, tx_drops, rx_drops;
	bool is_early;     /* ended by a signal */
	const char *fault; /* why it ended early otherwise; NULL: it did not */
	char complaint[256];
	/* of idle connections */
	uint32_t nr_idle;
	struct run_memory one, all; /* with one connection, and with all */
};

/* Makes everything of a run but its device; EAL is up. *out is owned. 0 or -errno with a
 * message. */
int run_create(const struct options *o, struct run **out, char *err, size_t err_len);
/* Opens the device and waits for its link. 0 or -errno with cause and remedy; *stop ends it early
 * (-EINTR). */
int run_device_open(struct run *run, const volatile bool *stop, char *err, size_t err_len);
/* Closes the device too. NULL-safe. */
void run_destroy(struct run **run);

/* Runs it to its end. *stop becomes true when a signal asks for the end. 0, or -errno with cause
 * and remedy in err. Control thread. */
int run_go(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len);

/* Between run.c and run_idle.c. */
/* Waits until nr connections are up. 0, -EINTR, or -errno with cause and remedy. */
int run_connect(struct run *run, const volatile bool *stop, uint32_t nr, char *err, size_t err_len);
/* Lets time pass, with a line each second. Ends early when a signal came, with a flag (offset of an
 * atomic_bool in struct worker) when all workers have set it, or when it is hopeless: why, else
 * NULL. */
const char *run_wait(
	struct run *run, const volatile bool *stop, double seconds, size_t flag, const char *what);
int run_idle(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len);

#endif
