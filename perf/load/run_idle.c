/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What connections cost that do nothing: memory of the client and of the server, with one and with
 * all of them.
 */
#include "dataplane/clock.h"
#include "perf/load/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_US 200000

static uint64_t client_rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long size, rss = 0;

	if (f && fscanf(f, "%llu %llu", &size, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Asks over the first connection. A server that answers and does not say leaves zeros. */
static int memory_ask(struct run *run, struct run_memory *m, char *err, size_t err_len)
{
	struct worker *w = run->workers[0];
	const uint64_t end = clock_mono_us() + (uint64_t)(run->o->give_up_s * 1e6);

	usleep(SETTLE_US);
	atomic_store_explicit(&w->is_asked, true, memory_order_release);
	while (atomic_load_explicit(&w->is_asked, memory_order_acquire)) {
		if (clock_mono_us() > end) {
			snprintf(err, err_len,
				"the server does not answer INFO within %g s (--give-up): does it "
				"still run?",
				run->o->give_up_s);
			return -ETIMEDOUT;
		}
		usleep(1000);
	}
	m->server_used = field(w->answer, "\r\nused_memory:");
	m->server_rss = field(w->answer, "\r\nused_memory_rss:");
	m->client_rss = client_rss();
	return 0;
}

static int all_connect(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	const uint64_t begin = clock_mono_us();
	int rc;

	for (unsigned i = 0; i < run->nr_workers; i++)
		atomic_store(&run->workers[i]->nr_wanted, run->workers[i]->nr_conns);
	rc = run_connect(run, stop, run->o->connections, err, err_len);
	res->connect_seconds = (double)(clock_mono_us() - begin) / 1e6;
	return rc;
}

int run_idle(
	struct run *run, const volatile bool *stop, struct result *res, char *err, size_t err_len)
{
	int rc = run_connect(run, stop, 1, err, err_len);

	if (rc == 0)
		rc = memory_ask(run, &res->one, err, err_len);
	if (rc == 0)
		rc = all_connect(run, stop, res, err, err_len);
	if (rc)
		return rc;
	res->fault = run_wait(run, stop, run->o->seconds, 0, "idle");
	if (res->fault) {
		snprintf(err, err_len, "%s", res->fault);
		return -ECONNRESET;
	}
	rc = memory_ask(run, &res->all, err, err_len);
	for (unsigned i = 0; i < run->nr_workers; i++)
		res->nr_idle += atomic_load(&run->workers[i]->nr_up);
	return rc;
}
