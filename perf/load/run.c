/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/run.h"

#include "dataplane/clock.h"
#include "dataplane/ip/net.h"
#include "dataplane/nic.h"
#include "perf/load/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_US     2000
#define ROUTE_MAX_S 3.0 /* until an IPv6 address of ours may be used */
#define LINK_MAX_S  1.0 /* without a link */

static double now_s(void)
{
	return (double)clock_mono_us() / 1e6;
}

static void phase_set(struct run *run, int phase)
{
	atomic_store_explicit(&run->phase, phase, memory_order_relaxed);
}

/* All workers have set this flag of theirs. */
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

/* Takes the first error that a worker has noted. */
static int error_take(const struct run *run)
{
	int error = 0;

	for (unsigned i = 0; i < run->nr_workers && !error; i++)
		error = atomic_exchange_explicit(&run->workers[i]->error, 0, memory_order_relaxed);
	return error;
}

/* There is an error that will not go away by itself. */
static bool error_seen(const struct run *run)
{
	for (unsigned i = 0; i < run->nr_workers; i++) {
		const int error =
			atomic_load_explicit(&run->workers[i]->error, memory_order_relaxed);

		if (error && error != EHOSTUNREACH)
			return true;
	}
	return false;
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

#define TOTAL(run, field) total(run, offsetof(struct worker_counters, field))

static const char *complaint(const struct run *run)
{
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (run->workers[i]->checker.complaint[0])
			return run->workers[i]->checker.complaint;
	return NULL;
}

static int connect_failed(const struct run *run, int error, char *err, size_t err_len)
{
	const char *remedy = "is it on this network, and --nic-address on the same?";
	const char *said = complaint(run);
	char server[IP_ADDR_TEXT];

	if (error == ECONNREFUSED)
		remedy = "is the server running there, and is --port right?";
	else if (error == ENOBUFS || error == EADDRNOTAVAIL)
		remedy = "fewer --connections: an address has some 64000 source ports";
	else if (error == ECONNRESET || error == ECONNABORTED)
		remedy = "does the server take so many clients (maxclients)?";
	ip_addr_format(&run->o->server, server, sizeof(server));
	snprintf(err, err_len, "%u of %u connections to %s port %u are open, then: %s; %s",
		nr_up(run), run->o->connections, server, run->o->port, strerror(error),
		said ? said : remedy);
	return -error;
}

int run_connect(struct run *run, const volatile bool *stop, uint32_t nr, char *err, size_t err_len)
{
	const double begin = now_s();
	double since = begin;
	unsigned up, last = 0;

	while ((up = nr_up(run)) < nr) {
		const int error = error_take(run);
		const bool is_early = error == EHOSTUNREACH && now_s() - begin < ROUTE_MAX_S;

		if (error && !is_early)
			return connect_failed(run, error, err, err_len);
		if (TOTAL(run, lost))
			return connect_failed(run, ECONNRESET, err, err_len);
		if (up != last)
			since = now_s();
		last = up;
		if (now_s() - since > run->o->give_up_s)
			return connect_failed(run, ETIMEDOUT, err, err_len);
		if (*stop)
			return -EINTR;
		usleep(POLL_US);
	}
	return 0;
}

/* What a wait watches for, to see that nothing will come of it any more. */
struct watch {
	double begin;
	double moved, link; /* when something came last; when the link was there last */
	uint64_t last;
};

static uint64_t nr_came(const struct run *run)
{
	return TOTAL(run, answers) + TOTAL(run, bytes_in);
}

static void watch_begin(struct watch *watch, const struct run *run)
{
	watch->begin = watch->moved = watch->link = now_s();
	watch->last = nr_came(run);
}

/* Why it is hopeless; NULL: it is not. */
static const char *watch_look(struct watch *watch, const struct run *run, double now)
{
	const bool has_conns = run->mode == &worker_traffic || run->mode == &worker_idle;
	const uint64_t came = nr_came(run);

	if (came != watch->last)
		watch->moved = now;
	watch->last = came;
	if (nic_link_is_up(run->nic))
		watch->link = now;
	if (run->mode == &worker_echo)
		return NULL;
	if (now - watch->link > LINK_MAX_S)
		return "the link is down: has the other end ended?";
	if (has_conns && nr_up(run) == 0)
		return "all connections are lost: what does the server's log say?";
	if (run->mode == &worker_idle)
		return NULL;
	if (run->mode == &worker_churn && came == 0 && error_seen(run))
		return "no connection can be made";
	if (now - watch->moved <= run->o->give_up_s)
		return NULL;
	if (run->mode == &worker_frames)
		return "no frame comes back: is millrace-load --mode echo at the other end?";
	return "nothing comes from the server any more (--give-up): does it still run?";
}

const char *run_wait(
	struct run *run, const volatile bool *stop, double seconds, size_t flag, const char *what)
{
	struct progress *p = run->o->quiet ? NULL : progress_create(run, what);
	const char *why = NULL;
	struct watch watch;
	double told, now;

	watch_begin(&watch, run);
	told = now = watch.begin;
	while (!*stop && now - watch.begin < seconds && !(flag && all(run, flag))) {
		usleep(POLL_US);
		now = now_s();
		why = watch_look(&watch, run, now);
		if (why)
			break;
		if (p && now - told >= 1) {
			told += 1;
			progress_line(p, now - watch.begin);
		}
	}
	free(p);
	return why;
}

/* Waits for what is under way, as long as something comes. */
static void drain(struct run *run)
{
	uint64_t last = 0;
	double since = now_s();

	phase_set(run, PHASE_DRAIN);
	usleep(POLL_US);
	while (!all(run, offsetof(struct worker, is_drained)) &&
		now_s() - since < run->o->give_up_s) {
		const uint64_t nr = nr_came(run);

		if (nr != last)
			since = now_s();
		last = nr;
		usleep(POLL_US);
	}
}

static int keys_fill(struct run *run, const volatile bool *stop, char *err, size_t err_len)
{
	const double begin = now_s();
	const char *why;

	phase_set(run, PHASE_LOAD);
	why = run_wait(run, stop, 1e9, offsetof(struct worker, is_loaded), "load");
	if (*stop)
		return -EINTR;
	if (why) {
		snprintf(err, err_len, "while the keys were set: %s", why);
		return -ECONNRESET;
	}
	if (TOTAL(run, wrong)) {
		snprintf(err, err_len, "keys could not be set: %s", complaint(run));
		return -EIO;
	}
	if (!run->o->quiet)
		fprintf(stderr, "load: %u keys in %.2f s\n", run->dist.nr, now_s() - begin);
	return 0;
}

static int measure(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	if (run->o->warm_up_s > 0 && run->mode != &worker_echo) {
		phase_set(run, PHASE_WARM_UP);
		res->fault = run_wait(run, stop, run->o->warm_up_s, 0, "warm-up");
	}
	if (!*stop && !res->fault) {
		phase_set(run, PHASE_MEASURE);
		res->fault = run_wait(run, stop, run->mode == &worker_echo ? 1e12 : run->o->seconds,
			offsetof(struct worker, is_spent), "measure");
	}
	if (!res->fault)
		drain(run);
	if (run->mode == &worker_churn && !*stop && TOTAL(run, answers) == 0) {
		const int error = error_take(run);

		return connect_failed(run, error ? error : ETIMEDOUT, err, err_len);
	}
	if (res->fault && TOTAL(run, replies) == 0) {
		snprintf(err, err_len, "%s", res->fault);
		return -ETIMEDOUT;
	}
	return 0;
}

static void workers_join(struct run *run)
{
	phase_set(run, PHASE_CLOSE);
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (run->workers[i]->is_running)
			pthread_join(run->workers[i]->thread, NULL);
}

static void result_add(struct result *res, const struct run *run, const struct worker *w)
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
		const int rc = worker_start(run->workers[i]);

		if (rc == -EINVAL)
			snprintf(err, err_len,
				"--cores: CPU %d is not there, or not for this process",
				run->o->cpus[i]);
		else if (rc)
			snprintf(err, err_len, "thread %u cannot be started: %s", i, strerror(-rc));
		if (rc)
			return rc;
	}
	return 0;
}

static int phases(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	double begin = now_s();
	int rc;

	if (run->mode == &worker_idle)
		return run_idle(run, stop, res, err, err_len);
	if (run->mode != &worker_traffic)
		return measure(run, stop, res, err, err_len);
	rc = run_connect(run, stop, run->o->connections, err, err_len);
	res->connect_seconds = now_s() - begin;
	begin = now_s();
	if (rc == 0 && run->o->load)
		rc = keys_fill(run, stop, err, err_len);
	res->load_seconds = now_s() - begin;
	return rc ? rc : measure(run, stop, res, err, err_len);
}

int run_go(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	int rc;

	memset(res, 0, sizeof(*res));
	hist_init(&res->hist);
	rc = workers_start(run, err, err_len);
	if (rc == 0)
		rc = phases(run, stop, res, err, err_len);
	res->is_early = *stop;
	workers_join(run);
	for (unsigned i = 0; i < run->nr_workers; i++)
		if (run->workers[i]->is_running)
			result_add(res, run, run->workers[i]);
	return rc == -EINTR ? 0 : rc;
}
