/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-load: see options_help().
 */
#include "dataplane/clock.h"
#include "dataplane/nic.h"
#include "perf/load/options.h"
#include "perf/load/report.h"
#include "perf/load/run.h"

#include <errno.h>
#include <rte_cycles.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LINK_MAX_US   (10 * 1000000u)
#define LOAD_PIPELINE 16u

static volatile bool stop;

static void on_signal(int number)
{
	stop = true;
}

static void signals_setup(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int requests_make(struct run *run, char *err, size_t err_len)
{
	const struct options *o = run->o;
	struct key_format f;
	int rc;

	if (key_format_init(&f, o->key_size, o->nr_keys)) {
		snprintf(err, err_len, "--key-size %u: the numbers of %u keys do not fit",
			o->key_size, o->nr_keys);
		return -EINVAL;
	}
	rc = request_init(&run->get, "GET {key}", &f, &run->values, err, err_len);
	if (rc == 0)
		rc = request_init(&run->set, "SET {key} {value}", &f, &run->values, err, err_len);
	if (rc == 0 && o->command)
		rc = request_init(&run->command, o->command, &f, &run->values, err, err_len);
	return rc;
}

static int run_make(struct run *run, const struct options *o, char *err, size_t err_len)
{
	int rc;

	run->o = o;
	run->hz = (double)rte_get_tsc_hz();
	run->nr_workers = o->nr_cores;
	run->set_below =
		o->ratio_get == 0
			? UINT32_MAX
			: (uint32_t)(0x1p32 * o->ratio_set / (o->ratio_set + o->ratio_get));
	for (run->depth = LOAD_PIPELINE; run->depth < o->pipeline;)
		run->depth *= 2;
	rc = values_init(&run->values, o->value_min, o->value_max);
	if (rc == 0)
		rc = keys_dist_init(&run->dist, o->nr_keys, o->theta);
	if (rc)
		snprintf(err, err_len, "no memory for %u keys or values of %u bytes", o->nr_keys,
			o->value_max);
	else
		rc = requests_make(run, err, err_len);
	for (unsigned i = 0; i < o->nr_cores && rc == 0; i++) {
		rc = worker_create(run, i, &run->workers[i]);
		if (rc)
			snprintf(err, err_len, "thread %u cannot be made: %s", i, strerror(-rc));
	}
	return rc;
}

static void run_free(struct run *run)
{
	for (unsigned i = 0; i < run->nr_workers; i++)
		worker_destroy(&run->workers[i]);
	request_fini(&run->get);
	request_fini(&run->set);
	request_fini(&run->command);
	keys_dist_fini(&run->dist);
	values_fini(&run->values);
}

static void nic_log(void *ctx, int level, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static int nic_up(struct run *run, char *err, size_t err_len)
{
	const struct options *o = run->o;
	struct nic_cfg cfg = {.device = o->nic,
		.nr_addrs = o->nr_addrs,
		.gateway = o->gateway,
		.gateway_v6 = o->gateway_v6,
		.log = nic_log};
	uint64_t end;
	int rc;

	memcpy(cfg.addrs, o->addrs, sizeof(cfg.addrs));
	if (getrandom(cfg.secret, sizeof(cfg.secret), 0) != sizeof(cfg.secret))
		return -EIO;
	rc = nic_open(&cfg, run->nr_workers, &run->nic, err, err_len);
	for (unsigned i = 0; i < run->nr_workers && rc == 0; i++)
		rc = nic_attach(run->nic, run->cores[i], err, err_len);
	if (rc == 0)
		rc = nic_start(run->nic, err, err_len);
	end = clock_mono_us() + LINK_MAX_US;
	while (rc == 0 && !stop && !nic_link_is_up(run->nic)) {
		usleep(1000);
		if (clock_mono_us() > end) {
			snprintf(err, err_len,
				"nic %s: the link does not come up; is the other end there (memif: a "
				"process with role=server and the same id and socket)?",
				o->nic);
			rc = -ENETDOWN;
		}
	}
	return rc;
}

static int eal_up(const struct options *o, char *err, size_t err_len)
{
	char prefix[64];
	bool huge;
	const struct nic_eal_cfg cfg = {.prefix = prefix,
		.devices = &o->nic,
		.nr_devices = 1,
		.huge = o->huge,
		.extra_args = o->eal_args};

	snprintf(prefix, sizeof(prefix), "millrace-load-%d", (int)getpid());
	return nic_eal_init(&cfg, &huge, err, err_len);
}

static bool is_good(const struct result *res)
{
	const struct worker_counters *c = &res->ctr;

	return c->replies && !c->wrong && !c->broken && !c->lost && !c->unanswered;
}

static int load(const struct options *o, char *err, size_t err_len)
{
	struct run *run = calloc(1, sizeof(*run));
	struct result *res = calloc(1, sizeof(*res));
	int rc = run && res ? run_make(run, o, err, err_len) : -ENOMEM;
	int status = 2;

	if (rc == 0)
		rc = nic_up(run, err, err_len);
	if (rc == 0)
		rc = run_requests(run, &stop, res, err, err_len);
	if (rc == 0) {
		report_text(run, res);
		status = is_good(res) ? 0 : 1;
		if (o->json)
			rc = report_json(run, res, err, err_len);
	}
	if (run) {
		nic_close(&run->nic);
		run_free(run);
	}
	free(run);
	free(res);
	return rc ? 2 : status;
}

int main(int argc, char **argv)
{
	struct options o;
	char err[512] = "no memory";
	int status;

	switch (options_parse(&o, argc, argv, err, sizeof(err))) {
	case OPTIONS_HELP: fputs(options_help(), stdout); return 0;
	case OPTIONS_WRONG: fprintf(stderr, "millrace-load: %s\n", err); return 2;
	case OPTIONS_RUN: break;
	}
	signals_setup();
	if (eal_up(&o, err, sizeof(err))) {
		fprintf(stderr, "millrace-load: %s\n", err);
		return 2;
	}
	status = load(&o, err, sizeof(err));
	if (status == 2)
		fprintf(stderr, "millrace-load: %s\n", err);
	nic_eal_fini();
	return status;
}
