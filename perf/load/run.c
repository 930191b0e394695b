/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/run.h"

#include "dataplane/clock.h"
#include "dataplane/ip/net.h"
#include "perf/load/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_US       2000
#define CONNECT_MAX_S 10.0
#define DRAIN_MAX_S   5.0

static double now_s(void)
{
	return (double)clock_mono_us() / 1e6;
}

static void phase_set(struct run *run, int phase)
{
	atomic_store_explicit(&run->phase, phase, memory_order_relaxed);
}

static bool all(const struct run *run, size_t flag)
{
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (!atomic_load_explicit(
			    (atomic_bool *)((char *)run->workers[i] + flag), memory_order_relaxed))
			return false;
	return true;
}

static unsigned nr_up(const struct run *run)
{
	unsigned n = 0;

	for (unsigned i = 0; i < run->nr_workers; i++)
		n += atomic_load_explicit(&run->workers[i]->nr_up, memory_order_relaxed);
	return n;
}

static int first_error(const struct run *run)
{
	for (unsigned i = 0; i < run->nr_workers; i++) {
		const int error =
			atomic_load_explicit(&run->workers[i]->error, memory_order_relaxed);

		if (error)
			return error;
	}
	return 0;
}

/* A counter of all workers. */
static uint64_t total(const struct run *run, size_t at)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < run->nr_workers; i++)
		sum += __atomic_load_n(
			(uint64_t *)((char *)&run->workers[i]->ctr + at), __ATOMIC_RELAXED);
	return sum;
}

static int connect_failed(struct run *run, int error, char *err, size_t err_len)
{
	char server[IP_ADDR_TEXT];
	const char *remedy = "is it on this network, and --nic-address on the same?";

	if (error == ECONNREFUSED)
		remedy = "is the server running there, and is --port right?";
	else if (error == ENOBUFS || error == EADDRNOTAVAIL)
		remedy = "fewer --connections; a source address has 28232 ports";
	else if (error == ECONNRESET)
		remedy = "does the server take so many clients (maxclients)?";
	ip_addr_format(&run->o->server, server, sizeof(server));
	snprintf(err, err_len, "%u of %u connections to %s port %u are open, then: %s; %s",
		nr_up(run), run->o->connections, server, run->o->port, strerror(error), remedy);
	return -error;
}

static int connect_all(struct run *run, const volatile bool *stop, char *err, size_t err_len)
{
	const double end = now_s() + CONNECT_MAX_S;

	while (nr_up(run) < run->o->connections) {
		const int error = first_error(run);

		if (error || now_s() > end)
			return connect_failed(run, error ? error : ETIMEDOUT, err, err_len);
		if (*stop)
			return -EINTR;
		usleep(POLL_US);
	}
	return 0;
}

/* Lets time pass, with a line each second. Ends early when a signal came, all connections are lost
 * or, with a flag, when all workers have set it. */
static void wait_phase(
	struct run *run, const volatile bool *stop, double seconds, size_t flag, const char *what)
{
	const double begin = now_s();
	struct progress *p = run->o->quiet ? NULL : progress_create(run, what);
	double told = begin;

	for (;;) {
		const double now = now_s();

		if (p && now - told >= 1) {
			told += 1;
			progress_line(p, now - begin);
		}
		if (*stop || now - begin >= seconds || nr_up(run) == 0 || (flag && all(run, flag)))
			break;
		usleep(POLL_US);
	}
	free(p);
}

/* Waits for what is under way, as long as replies come. */
static void drain(struct run *run)
{
	uint64_t last = 0;
	double since = now_s();

	phase_set(run, PHASE_DRAIN);
	usleep(POLL_US);
	while (!all(run, offsetof(struct worker, is_drained)) && now_s() - since < DRAIN_MAX_S) {
		const uint64_t nr = total(run, offsetof(struct worker_counters, replies));

		if (nr != last)
			since = now_s();
		last = nr;
		usleep(POLL_US);
	}
}

static int load_keys(struct run *run, const volatile bool *stop, char *err, size_t err_len)
{
	const double begin = now_s();

	phase_set(run, PHASE_LOAD);
	wait_phase(run, stop, 1e9, offsetof(struct worker, is_loaded), "load");
	if (*stop)
		return -EINTR;
	if (!all(run, offsetof(struct worker, is_loaded))) {
		snprintf(err, err_len, "the connections were lost while the keys were set");
		return -ECONNRESET;
	}
	if (total(run, offsetof(struct worker_counters, wrong))) {
		snprintf(err, err_len, "keys could not be set: %s",
			run->workers[0]->checker.complaint);
		return -EIO;
	}
	if (!run->o->quiet)
		fprintf(stderr, "load: %u keys in %.2f s\n", run->dist.nr, now_s() - begin);
	return 0;
}

static void measure(struct run *run, const volatile bool *stop)
{
	if (run->o->warm_up_s > 0) {
		phase_set(run, PHASE_WARM_UP);
		wait_phase(run, stop, run->o->warm_up_s, 0, "warm-up");
	}
	if (*stop)
		return;
	phase_set(run, PHASE_MEASURE);
	wait_phase(run, stop, run->o->seconds, offsetof(struct worker, is_spent), "measure");
}

static void worker_join(struct run *run)
{
	phase_set(run, PHASE_CLOSE);
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (run->workers[i]->is_running)
			pthread_join(run->workers[i]->thread, NULL);
}

static void result_add(struct result *res, const struct run *run, struct worker *w)
{
	const uint64_t *from = (const uint64_t *)&w->ctr;
	uint64_t *to = (uint64_t *)&res->ctr;
	double seconds;

	for (size_t i = 0; i < sizeof(w->ctr) / sizeof(uint64_t); i++)
		to[i] += from[i];
	hist_merge(&res->hist, &w->hist);
	seconds = w->last_reply_tsc > w->measure_tsc
			  ? (double)(w->last_reply_tsc - w->measure_tsc) / run->hz
			  : 0;
	if (seconds > res->seconds)
		res->seconds = seconds;
	res->retransmits += w->net->counters.ctrs[NET_CTR_RETRANS];
	res->rx_pkts += w->core->ctr.rx_pkts;
	res->tx_pkts += w->core->ctr.tx_pkts;
	res->tx_drops += w->core->ctr.tx_drops;
	res->rx_drops += w->core->ctr.rx_drops;
	if (!res->complaint[0] && w->checker.complaint[0])
		snprintf(res->complaint, sizeof(res->complaint), "%s", w->checker.complaint);
}

static int workers_start(struct run *run, char *err, size_t err_len)
{
	for (unsigned i = 0; i < run->nr_workers; i++) {
		struct worker *w = run->workers[i];
		const int rc = pthread_create(&w->thread, NULL, worker_main, w);

		if (rc) {
			snprintf(err, err_len, "thread %u cannot be started: %s", i, strerror(rc));
			return -rc;
		}
		w->is_running = true;
	}
	return 0;
}

int run_requests(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	double begin = now_s();
	int rc = workers_start(run, err, err_len);

	memset(res, 0, sizeof(*res));
	hist_init(&res->hist);
	if (rc == 0)
		rc = connect_all(run, stop, err, err_len);
	res->connect_seconds = now_s() - begin;
	begin = now_s();
	if (rc == 0 && run->o->load)
		rc = load_keys(run, stop, err, err_len);
	res->load_seconds = now_s() - begin;
	if (rc == 0)
		measure(run, stop);
	if (rc == 0)
		drain(run);
	res->is_early = *stop;
	worker_join(run);
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (run->workers[i]->is_running)
			result_add(res, run, run->workers[i]);
	return rc == -EINTR ? 0 : rc;
}
