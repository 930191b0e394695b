/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/threads.h"

#include "app/appcore.h"
#include "app/control.h"
#include "dataplane/nic.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct poll_thread {
	pthread_t thread;
	bool running;
	int cpu; /* -1: not pinned */
	struct app_core *ac;
};

struct threads {
	struct poll_thread t[MILLRACE_MAX_CORES];
	struct core *cores[MILLRACE_MAX_CORES];
};

int threads_parse_cpus(const char *text, int *cpus, unsigned max)
{
	unsigned n = 0;

	while (*text) {
		char *end;
		long lo = strtol(text, &end, 10), hi = lo;

		if (end == text || lo < 0)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			hi = strtol(text, &end, 10);
			if (end == text)
				return -EINVAL;
		}
		if (hi < lo || hi >= THREADS_MAX_CPUS || (*end && *end != ','))
			return -EINVAL;
		for (long cpu = lo; cpu <= hi; cpu++) {
			if (n == max)
				return -EINVAL;
			cpus[n++] = (int)cpu;
		}
		text = *end ? end + 1 : end;
	}
	return (int)n;
}

/* Which CPUs this process may use. */
static bool cpu_allowed(int cpu)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(cpu, &set);
}

static bool is_adaptive(const struct config *cfg)
{
	bool pci = false;

	if (cfg->poll_mode_set)
		return cfg->poll_mode == POLL_ADAPTIVE;
	for (unsigned i = 0; i < cfg->nr_nics; i++)
		pci |= isxdigit((unsigned char)cfg->nic[i][0]) && strchr(cfg->nic[i], ':') &&
		       strchr(cfg->nic[i], '.');
	return !pci; /* dedicated hardware spins */
}

int threads_create_cores(struct server *srv, char *err, size_t err_len)
{
	int cpus[MILLRACE_MAX_CORES], n = 0, rc;

	srv->threads = calloc(1, sizeof(*srv->threads));
	if (!srv->threads)
		return -ENOMEM;
	if (srv->cfg->poll_cores && srv->cfg->poll_cores[0])
		n = threads_parse_cpus(srv->cfg->poll_cores, cpus, MILLRACE_MAX_CORES);
	if (n < 0) {
		snprintf(err, err_len,
			"poll-cores %s: not a list of at most %d CPUs (as 1-3 or 0,2)",
			srv->cfg->poll_cores, MILLRACE_MAX_CORES);
		return n;
	}
	for (int i = 0; i < n; i++) {
		if (cpu_allowed(cpus[i]))
			continue;
		snprintf(err, err_len,
			"poll-cores: this process may not use CPU %d (see taskset -p and nproc)",
			cpus[i]);
		return -EINVAL;
	}
	srv->nr_cores = n ? (unsigned)n : 1;
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		rc = app_core_create(srv, i, srv->threads->cores, is_adaptive(srv->cfg));
		if (rc) {
			snprintf(err, err_len, "poll core %u cannot be made: %s", i, strerror(-rc));
			srv->nr_cores = i;
			return rc;
		}
		srv->threads->t[i].ac = srv->cores[i];
		srv->threads->t[i].cpu = n ? cpus[i] : -1;
	}
	return 0;
}

static void *thread_main(void *arg)
{
	struct poll_thread *t = arg;
	cpu_set_t set;

	if (t->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(t->cpu, &set);
		if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
			server_log(t->ac->srv, 3, "poll core %u cannot be pinned to CPU %d",
				t->ac->id, t->cpu);
	}
	if (t->ac->core->nr_nets && nic_thread_register())
		server_log(t->ac->srv, 3,
			"poll core %u is not known to DPDK: slower packet buffers", t->ac->id);
	core_run(t->ac->core);
	client_core_stop(t->ac);
	return NULL;
}

int threads_start(struct server *srv, char *err, size_t err_len)
{
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		struct poll_thread *t = &srv->threads->t[i];
		char name[16];
		int rc = pthread_create(&t->thread, NULL, thread_main, t);

		if (rc) {
			snprintf(err, err_len, "poll core %u cannot be started: %s", i,
				strerror(rc));
			return -rc;
		}
		t->running = true;
		snprintf(name, sizeof(name), "mr-poll-%u", i);
		pthread_setname_np(t->thread, name);
	}
	return 0;
}

void threads_stop(struct server *srv)
{
	for (unsigned i = 0; srv->threads && i < srv->nr_cores; i++)
		if (srv->threads->t[i].running)
			core_stop(srv->threads->t[i].ac->core);
	for (unsigned i = 0; srv->threads && i < srv->nr_cores; i++) {
		if (!srv->threads->t[i].running)
			continue;
		pthread_join(srv->threads->t[i].thread, NULL);
		srv->threads->t[i].running = false;
	}
}

void threads_destroy_cores(struct server *srv)
{
	for (unsigned i = 0; i < srv->nr_cores; i++)
		app_core_destroy(&srv->cores[i]);
	free(srv->threads);
	srv->threads = NULL;
}
