/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/report.h"

#include "dataplane/clock.h"

#include <errno.h>
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

/* What is counted, by mode. */
static const char *const units[MODE_NR] = {
	"requests", "requests", "connections", "answers", "frames", "frames"};

struct progress {
	struct run *run;
	const char *what;
	uint64_t last_us;
	uint64_t last_answers, last_bytes;
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
	p->last_answers = ctr.answers;
	p->last_bytes = ctr.bytes_in;
	return p;
}

static unsigned nr_open(const struct run *run)
{
	unsigned n = 0;

	for (unsigned i = 0; i < run->nr_workers; i++)
		n += atomic_load_explicit(&run->workers[i]->nr_up, memory_order_relaxed);
	return n;
}

void progress_line(struct progress *p, double since_begin_s)
{
	const uint64_t us = clock_mono_us();
	const double s = (double)(us - p->last_us) / 1e6;
	struct worker_counters ctr;

	sum_up(p->run, &ctr, &p->now);
	p->delta = p->now;
	hist_subtract(&p->delta, &p->last);
	fprintf(stderr, "%s %3.0f s  %9.0f %s/s  %6.3f Gbit/s in", p->what, since_begin_s,
		(double)(ctr.answers - p->last_answers) / s, units[p->run->o->mode],
		(double)(ctr.bytes_in - p->last_bytes) * 8e-9 / s);
	if (p->delta.nr)
		fprintf(stderr, "  p50 %.1f  p99 %.1f  max %.1f us",
			(double)hist_percentile(&p->delta, 0.5) / 1e3,
			(double)hist_percentile(&p->delta, 0.99) / 1e3, (double)p->delta.max / 1e3);
	if (ctr.wrong || ctr.broken || ctr.lost)
		fprintf(stderr, "  wrong %llu  lost %llu",
			(unsigned long long)(ctr.wrong + ctr.broken), (unsigned long long)ctr.lost);
	if (p->run->mode == &worker_idle)
		fprintf(stderr, "  %u open", nr_open(p->run));
	fputc('\n', stderr);
	p->last = p->now;
	p->last_us = us;
	p->last_answers = ctr.answers;
	p->last_bytes = ctr.bytes_in;
}

static double per_s(const struct result *res, uint64_t n)
{
	return res->seconds > 0 ? (double)n / res->seconds : 0;
}

/* Of nr-1 connections; less than nothing when the server has given memory back meanwhile. */
static double per_conn(const struct result *res, uint64_t one, uint64_t all)
{
	return res->nr_idle > 1 ? ((double)all - (double)one) / (res->nr_idle - 1) : 0;
}

bool report_is_good(const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;

	if (c->wrong || c->broken || c->lost || c->unanswered || res->fault)
		return false;
	switch (run->o->mode) {
	case MODE_IDLE: return res->nr_idle == run->o->connections;
	case MODE_ECHO: return true;
	default: return c->replies > 0;
	}
}

static void text_idle(FILE *to, const struct run *run, const struct result *res)
{
	const uint32_t nr = run->o->connections;

	fprintf(to, "idle       %u of %u connections held; opened in %.3f s: %.0f/s\n",
		res->nr_idle, nr, res->connect_seconds,
		res->connect_seconds > 0 ? (nr - 1) / res->connect_seconds : 0);
	fprintf(to,
		"memory     bytes a connection: server %.0f used, %.0f resident; client %.0f "
		"resident\n",
		per_conn(res, res->one.server_used, res->all.server_used),
		per_conn(res, res->one.server_rss, res->all.server_rss),
		per_conn(res, res->one.client_rss, res->all.client_rss));
}

static void text_latency(FILE *to, const struct result *res)
{
	fprintf(to, "latency us ");
	for (size_t i = 0; i < NR_POINTS; i++)
		fprintf(to, "%s %.1f  ", points[i].name,
			(double)hist_percentile(&res->hist, points[i].fraction) / 1e3);
	fprintf(to, "max %.1f  mean %.1f\n", (double)res->hist.max / 1e3,
		hist_mean(&res->hist) / 1e3);
}

static void text_rate(FILE *to, const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;
	const struct options *o = run->o;

	fprintf(to, "%-10s %llu in %.3f s: %.0f/s", units[o->mode], (unsigned long long)c->replies,
		res->seconds, per_s(res, c->replies));
	if (o->mode == MODE_CHURN)
		fprintf(to, " (connect, %s%sclose)", o->command ? o->command : "",
			o->command ? ", " : "");
	else if (o->mode == MODE_FRAMES)
		fprintf(to, " (of %u GETs: %.0f GETs/s)", o->pipeline,
			per_s(res, c->replies * o->pipeline));
	else
		fprintf(to, " (%llu reads, %llu writes)",
			(unsigned long long)c->classes[CLASS_READ],
			(unsigned long long)c->classes[CLASS_WRITE]);
	fprintf(to, "\npayload    %.3f Gbit/s in, %.3f out\n", per_s(res, c->measured_in) * 8e-9,
		per_s(res, c->measured_out) * 8e-9);
	text_latency(to, res);
}

void report_text(FILE *to, const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;

	if (res->fault || res->is_early)
		fprintf(to, "ended early: %s\n", res->fault ? res->fault : "a signal");
	if (run->o->mode == MODE_ECHO)
		fprintf(to, "frames     %llu sent back\n", (unsigned long long)res->tx_pkts);
	else if (run->o->mode == MODE_IDLE)
		text_idle(to, run, res);
	else
		text_rate(to, run, res);
	fprintf(to, "replies    %llu wrong, %llu not understood, %llu without a value\n",
		(unsigned long long)c->wrong, (unsigned long long)c->broken,
		(unsigned long long)c->misses);
	if (res->complaint[0])
		fprintf(to, "           first: %s\n", res->complaint);
	fprintf(to,
		"client     busy %.1f%% of the time, %.0f cycles for each of the %s at %.2f GHz\n",
		c->cycles ? 100.0 * (double)c->busy_cycles / (double)c->cycles : 0,
		c->replies ? (double)c->busy_cycles / (double)c->replies : 0, units[run->o->mode],
		run->hz / 1e9);
	fprintf(to,
		"network    %llu connections lost, %llu unanswered, %llu retransmits; "
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

static void json_count(FILE *f, const char *name, uint64_t value)
{
	fprintf(f, " \"%s\": %llu,\n", name, (unsigned long long)value);
}

static void json_options(FILE *f, const struct options *o)
{
	fprintf(f, " \"mode\": \"%s\",\n", options_mode_name(o->mode));
	json_count(f, "connections", o->connections);
	json_count(f, "pipeline", o->pipeline);
	json_count(f, "cores", o->nr_cores);
	json_count(f, "keys", o->nr_keys);
	json_number(f, "zipf_theta", o->theta);
	json_count(f, "value_min_bytes", o->value_min);
	json_count(f, "value_max_bytes", o->value_max);
	json_number(f, "rate_asked", o->rate);
}

static void json_rate(FILE *f, const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;
	const char *unit = units[run->o->mode];

	json_number(f, "seconds", res->seconds);
	fprintf(f, " \"unit\": \"%s\",\n", unit);
	json_count(f, "done", c->replies);
	json_number(f, "per_s", per_s(res, c->replies));
	json_count(f, "reads", c->classes[CLASS_READ]);
	json_count(f, "writes", c->classes[CLASS_WRITE]);
	json_number(f, "gbit_in_per_s", per_s(res, c->measured_in) * 8e-9);
	json_number(f, "gbit_out_per_s", per_s(res, c->measured_out) * 8e-9);
	for (size_t i = 0; i < NR_POINTS; i++)
		json_number(f, points[i].key,
			(double)hist_percentile(&res->hist, points[i].fraction) / 1e3);
	json_number(f, "mean_us", hist_mean(&res->hist) / 1e3);
	json_number(f, "max_us", (double)res->hist.max / 1e3);
}

static void json_idle(FILE *f, const struct result *res)
{
	const struct run_memory *one = &res->one, *all = &res->all;

	json_count(f, "connections_held", res->nr_idle);
	json_number(f, "connect_seconds", res->connect_seconds);
	json_count(f, "server_used_bytes", all->server_used);
	json_count(f, "server_rss_bytes", all->server_rss);
	json_number(f, "server_used_bytes_per_connection",
		per_conn(res, one->server_used, all->server_used));
	json_number(f, "server_rss_bytes_per_connection",
		per_conn(res, one->server_rss, all->server_rss));
	json_number(f, "client_rss_bytes_per_connection",
		per_conn(res, one->client_rss, all->client_rss));
}

int report_json(FILE *f, const struct run *run, const struct result *res)
{
	const struct worker_counters *c = &res->ctr;

	fprintf(f, "{\n");
	json_options(f, run->o);
	if (run->o->mode == MODE_IDLE)
		json_idle(f, res);
	else if (run->o->mode != MODE_ECHO)
		json_rate(f, run, res);
	json_count(f, "sent", c->sent);
	json_count(f, "answers", c->answers);
	json_count(f, "wrong", c->wrong);
	json_count(f, "broken", c->broken);
	json_count(f, "misses", c->misses);
	json_count(f, "lost", c->lost);
	json_count(f, "unanswered", c->unanswered);
	json_count(f, "retransmits", res->retransmits);
	json_count(f, "frames_in", res->rx_pkts);
	json_count(f, "frames_out", res->tx_pkts);
	json_count(f, "frames_dropped", res->tx_drops + res->rx_drops);
	json_number(f, "client_busy", c->cycles ? (double)c->busy_cycles / (double)c->cycles : 0);
	json_number(
		f, "client_cycles", c->replies ? (double)c->busy_cycles / (double)c->replies : 0);
	fprintf(f, " \"ended_early\": %s\n}\n", res->is_early || res->fault ? "true" : "false");
	errno = 0;
	return fflush(f) || ferror(f) ? -(errno ? errno : EIO) : 0;
}
