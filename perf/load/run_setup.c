/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a run is made of.
 */
#include "app/unmap_guard.h"
#include "dataplane/clock.h"
#include "dataplane/nic.h"
#include "perf/load/run.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LINK_MAX_US (10 * 1000000u)
#define RAW_ADDRESS 0xa9fe0001u /* 169.254.0.1 */
#define DEPTH_MIN   16u         /* requests under way while the keys are filled */

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

static int parts_make(struct run *run, char *err, size_t err_len)
{
	const struct options *o = run->o;
	int rc = values_init(&run->values, o->value_min, o->value_max);

	if (rc == 0)
		rc = keys_dist_init(&run->dist, o->nr_keys, o->theta);
	if (rc) {
		snprintf(err, err_len, "no memory for %u keys or values of %u bytes", o->nr_keys,
			o->value_max);
		return rc;
	}
	rc = requests_make(run, err, err_len);
	for (unsigned i = 0; i < o->nr_cores && rc == 0; i++) {
		rc = worker_create(run, i, &run->workers[i]);
		if (rc == -EMSGSIZE)
			snprintf(err, err_len, "--pipeline %u: so many GETs do not fit a frame",
				o->pipeline);
		else if (rc)
			snprintf(err, err_len, "thread %u cannot be made: %s", i, strerror(-rc));
	}
	return rc;
}

static const struct worker_mode *mode_of(const struct options *o)
{
	switch (o->mode) {
	case MODE_CHURN: return &worker_churn;
	case MODE_IDLE: return &worker_idle;
	case MODE_FRAMES: return &worker_frames;
	case MODE_ECHO: return &worker_echo;
	default: return &worker_traffic;
	}
}

int run_create(const struct options *o, struct run **out, char *err, size_t err_len)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	run->o = o;
	run->hz = (double)rte_get_tsc_hz();
	run->nr_workers = o->nr_cores;
	run->set_below =
		o->ratio_get == 0
			? UINT32_MAX
			: (uint32_t)(0x1p32 * o->ratio_set / (o->ratio_set + o->ratio_get));
	run->mode = mode_of(o);
	run->depth = 1;
	if (run->mode == &worker_traffic)
		for (run->depth = DEPTH_MIN; run->depth < o->pipeline;)
			run->depth *= 2;
	rc = parts_make(run, err, err_len);
	if (rc)
		run_destroy(&run);
	*out = run;
	return rc;
}

void run_destroy(struct run **runp)
{
	struct run *run = *runp;

	if (!run)
		return;
	nic_close(&run->nic);
	unmap_guard_watch(NULL, 0);
	for (unsigned i = 0; i < run->nr_workers; i++)
		worker_destroy(&run->workers[i]);
	request_fini(&run->get);
	request_fini(&run->set);
	request_fini(&run->command);
	keys_dist_fini(&run->dist);
	values_fini(&run->values);
	free(run);
	*runp = NULL;
}

static void device_log(void *ctx, int level, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static int link_wait(struct run *run, const volatile bool *stop, char *err, size_t err_len)
{
	const uint64_t end = clock_mono_us() + LINK_MAX_US;

	while (!nic_link_is_up(run->nic)) {
		if (*stop)
			return -EINTR;
		if (clock_mono_us() > end && run->mode != &worker_echo) {
			snprintf(err, err_len,
				"nic %s: the link does not come up; is the other end there (memif: a "
				"process with role=server and the same id and socket)?",
				run->o->nic);
			return -ENETDOWN;
		}
		usleep(1000);
	}
	return 0;
}

int run_device_open(struct run *run, const volatile bool *stop, char *err, size_t err_len)
{
	const struct options *o = run->o;
	struct nic_cfg cfg = {.device = o->nic,
		.nr_addrs = o->nr_addrs,
		.gateway = o->gateway,
		.gateway_v6 = o->gateway_v6,
		.log = device_log};
	int rc;

	memcpy(cfg.addrs, o->addrs, sizeof(cfg.addrs));
	if (!run->mode->ops) { /* a port has an address, though nothing is sent from it */
		cfg.nr_addrs = 1;
		cfg.addrs[0] = (struct net_addr){ip_addr_from_v4(RAW_ADDRESS), 30};
	}
	if (getrandom(cfg.secret, sizeof(cfg.secret), 0) != sizeof(cfg.secret)) {
		snprintf(err, err_len, "no random numbers: %s", strerror(errno));
		return -EIO;
	}
	rc = nic_open(&cfg, run->nr_workers, &run->nic, err, err_len);
	if (rc == 0 && nic_unmaps(run->nic))
		unmap_guard_watch(run->cores, run->nr_workers);
	for (unsigned i = 0; i < run->nr_workers && rc == 0; i++)
		rc = nic_attach(run->nic, run->cores[i], err, err_len);
	if (rc == 0)
		rc = nic_start(run->nic, err, err_len);
	return rc ? rc : link_wait(run, stop, err, err_len);
}
