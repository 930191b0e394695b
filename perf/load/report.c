/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/report.h"

#include "dataplane/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *key;
	double fraction;
} points[] = {
	{"p50", "p50_us", 0.5},
	{"p90", "p90_us", 0.9},
	{"p99", "p99_us", 0.99},
	{"p99.9", "p99_9_us", 0.999},
	{"p99.99", "p99_99_us", 0.9999},
};
#define NR_POINTS (sizeof(points) / sizeof(points[0]))

struct progress {
	struct run *run;
	const char *what;
	uint64_t last_us;
	uint64_t last_sent, last_bytes;
	struct hist last, now, delta;
};

static void sum_up(const struct run *run, struct worker_counters *ctr, struct hist *h)
{
	memset(ctr, 0, sizeof(*ctr));
	hist_init(h);
	for (unsigned i = 0; i < run->nr_workers; i++) {
		const uint64_t *from = (const uint64_t *)&run->workers[i]->ctr;
		uint64_t *to = (uint64_t *)ctr;

		for (size_t j = 0; j < sizeof(*ctr) / sizeof(uint64_t); j++)
			to[j] += __atomic_load_n(&from[j], __ATOMIC_RELAXED);
		hist_merge(h, &run->workers[i]->hist);
	}
}

struct progress *progress_create(struct run *run, const char *what)
{
	struct progress *p = malloc(sizeof(*p));
	struct worker_counters ctr;

	if (!p)
		return NULL;
	p->run = run;
	p->what = what;
	p->last_us = clock_mono_us();
	sum_up(run, &ctr, &p->last);
	p->last_sent = ctr.sent;
	p->last_bytes = ctr.bytes_in;
	return p;
}

void progress_line(struct progress *p, double since_begin_s)
{
	const uint64_t us = clock_mono_us();
	const double s = (double)(us - p->last_us) / 1e6;
	struct worker_counters ctr;

	sum_up(p->run, &ctr, &p->now);
	p->delta = p->now;
	hist_subtract(&p->delta, &p->last);
	fprintf(stderr, "%s %3.0f s  %9.0f requests/s  %6.3f Gbit/s in", p->what, since_begin_s,
		(double)(ctr.sent - p->last_sent) / s,
		(double)(ctr.bytes_in - p->last_bytes) * 8e-9 / s);
	if (p->delta.nr)
		fprintf(stderr, "  p50 %.1f  p99 %.1f  max %.1f us",
			(double)hist_percentile(&p->delta, 0.5) / 1e3,
			(double)hist_percentile(&p->delta, 0.99) / 1e3, (double)p->delta.max / 1e3);
	if (ctr.wrong || ctr.broken || ctr.lost)
		fprintf(stderr, "  wrong %llu  lost %llu",
			(unsigned long long)(ctr.wrong + ctr.broken), (unsigned long long)ctr.lost);
	fputc('\n', stderr);
	p->last = p->now;
	p->last_us = us;
	p->last_sent = ctr.sent;
	p->last_bytes = ctr.bytes_in;
}

void report_text(const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;
	const double rate = res->seconds > 0 ? (double)c->replies / res->seconds : 0;

	printf("%srequests   %llu in %.3f s: %.0f/s (%llu reads, %llu writes)\n",
		res->is_early ? "(ended early)\n" : "", (unsigned long long)c->replies,
		res->seconds, rate, (unsigned long long)c->classes[CLASS_READ],
		(unsigned long long)c->classes[CLASS_WRITE]);
	printf("latency us ");
	for (size_t i = 0; i < NR_POINTS; i++)
		printf("%s %.1f  ", points[i].name,
			(double)hist_percentile(&res->hist, points[i].fraction) / 1e3);
	printf("max %.1f  mean %.1f\n", (double)res->hist.max / 1e3, hist_mean(&res->hist) / 1e3);
	printf("replies    %llu wrong, %llu not understood, %llu without a value\n",
		(unsigned long long)c->wrong, (unsigned long long)c->broken,
		(unsigned long long)c->misses);
	if (res->complaint[0])
		printf("           first: %s\n", res->complaint);
	printf("network    %llu connections lost, %llu requests unanswered, %llu retransmits; "
	       "%llu frames in, %llu out, %llu dropped\n",
		(unsigned long long)c->lost, (unsigned long long)c->unanswered,
		(unsigned long long)res->retransmits, (unsigned long long)res->rx_pkts,
		(unsigned long long)res->tx_pkts,
		(unsigned long long)(res->tx_drops + res->rx_drops));
}

static void json_number(FILE *f, const char *name, double value)
{
	fprintf(f, " \"%s\": %.17g,\n", name, value);
}

static void json_options(FILE *f, const struct options *o)
{
	json_number(f, "connections", o->connections);
	json_number(f, "pipeline", o->pipeline);
	json_number(f, "cores", o->nr_cores);
	json_number(f, "keys", o->nr_keys);
	json_number(f, "zipf_theta", o->theta);
	json_number(f, "value_min_bytes", o->value_min);
	json_number(f, "value_max_bytes", o->value_max);
	json_number(f, "rate_asked", o->rate);
}

int report_json(const struct run *run, const struct result *res, char *err, size_t err_len)
{
	const struct worker_counters *c = &res->ctr;
	const char *path = run->o->json;
	FILE *f = strcmp(path, "-") ? fopen(path, "w") : stdout;
	int rc = 0;

	if (!f)
		goto failed;
	fprintf(f, "{\n");
	json_options(f, run->o);
	json_number(f, "seconds", res->seconds);
	json_number(f, "requests", (double)c->replies);
	json_number(f, "requests_per_s", res->seconds > 0 ? (double)c->replies / res->seconds : 0);
	json_number(f, "reads", (double)c->classes[CLASS_READ]);
	json_number(f, "writes", (double)c->classes[CLASS_WRITE]);
	json_number(f, "sent", (double)c->sent);
	json_number(f, "wrong", (double)c->wrong);
	json_number(f, "broken", (double)c->broken);
	json_number(f, "misses", (double)c->misses);
	json_number(f, "lost", (double)c->lost);
	json_number(f, "unanswered", (double)c->unanswered);
	json_number(f, "retransmits", (double)res->retransmits);
	json_number(f, "frames_in", (double)res->rx_pkts);
	json_number(f, "frames_out", (double)res->tx_pkts);
	json_number(f, "frames_dropped", (double)(res->tx_drops + res->rx_drops));
	for (size_t i = 0; i < NR_POINTS; i++)
		json_number(f, points[i].key,
			(double)hist_percentile(&res->hist, points[i].fraction) / 1e3);
	json_number(f, "mean_us", hist_mean(&res->hist) / 1e3);
	json_number(f, "max_us", (double)res->hist.max / 1e3);
	fprintf(f, " \"ended_early\": %s\n}\n", res->is_early ? "true" : "false");
	if (fflush(f) || ferror(f))
		rc = -errno;
	if (f != stdout && fclose(f) && !rc)
		rc = -errno;
	if (rc == 0)
		return 0;
failed:
	rc = rc ? rc : -errno;
	snprintf(err, err_len, "--json %s: %s", path, strerror(-rc));
	return rc;
}
