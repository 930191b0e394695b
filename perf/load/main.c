/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-load: see options_help().
 */
#include "app/connect_guard.h"
#include "dataplane/nic.h"
#include "perf/load/options.h"
#include "perf/load/report.h"
#include "perf/load/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_BAD   1 /* something was not as it has to be */
#define STATUS_FAULT 2 /* it could not run */

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
	connect_guard_watch(true);
	return nic_eal_init(&cfg, &huge, err, err_len);
}

/* Opens the file of the result before anything is measured. NULL with a message: it cannot be. */
static FILE *json_open(const struct options *o, char *err, size_t err_len)
{
	FILE *f = strcmp(o->json, "-") ? fopen(o->json, "w") : stdout;

	if (!f)
		snprintf(err, err_len, "--json %s: %s", o->json, strerror(errno));
	return f;
}

static int result_tell(
	const struct run *run, const struct result *res, FILE *json, char *err, size_t err_len)
{
	int rc = 0;

	report_text(json == stdout ? stderr : stdout, run, res);
	if (json)
		rc = report_json(json, run, res);
	if (rc)
		snprintf(err, err_len, "--json %s: %s", run->o->json, strerror(-rc));
	return rc;
}

static int load(const struct options *o, FILE *json, char *err, size_t err_len)
{
	struct result *res = calloc(1, sizeof(*res));
	struct run *run = NULL;
	int rc = res ? run_create(o, &run, err, err_len) : -ENOMEM;
	int status = STATUS_FAULT;

	if (rc == 0)
		rc = run_device_open(run, &stop, err, err_len);
	if (rc == 0)
		rc = run_go(run, &stop, res, err, err_len);
	if (rc == 0)
		rc = result_tell(run, res, json, err, err_len);
	if (rc == 0)
		status = report_is_good(run, res) ? 0 : STATUS_BAD;
	run_destroy(&run);
	free(res);
	return status;
}

static int run_all(const struct options *o, char *err, size_t err_len)
{
	FILE *json = NULL;
	int status;

	if (o->json && !(json = json_open(o, err, err_len)))
		return STATUS_FAULT;
	signals_setup();
	if (eal_up(o, err, err_len))
		return STATUS_FAULT;
	status = load(o, json, err, err_len);
	if (json && json != stdout)
		fclose(json);
	nic_eal_fini();
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	char err[512] = "no memory";
	int status;

	if (options_parse(&o, argc, argv, err, sizeof(err))) {
		fprintf(stderr, "millrace-load: %s\n", err);
		return STATUS_FAULT;
	}
	if (o.is_help) {
		options_help(stdout);
		return 0;
	}
	status = run_all(&o, err, sizeof(err));
	if (status == STATUS_FAULT)
		fprintf(stderr, "millrace-load: %s\n", stop ? "ended by a signal" : err);
	return status;
}
