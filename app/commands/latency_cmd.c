/* SPDX-License-Identifier: BSD-3-Clause
 *
 * LATENCY.
 */
#include "app/commands/server_cmds.h"

#include "app/commands/latency_report.h"
#include "app/latency.h"

#include <string.h>

static void latency_latest_command(struct client *c)
{
	struct latency_event e;
	size_t nr = 0;

	reply_defer_begin(c);
	for (; nr < LATENCY_MAX_EVENTS && latency_get(c->srv->latency, (unsigned)nr, &e) == 0;
		nr++) {
		const struct latency_sample *last = &e.samples[e.nr - 1];

		reply_array(c, 4);
		reply_bulk_str(c, e.name);
		reply_int(c, last->time_s);
		reply_int(c, last->ms);
		reply_int(c, e.max_ms);
	}
	reply_defer_end_array(c, nr);
}

static void latency_history_command(struct client *c)
{
	struct latency_event e;

	if (latency_find(c->srv->latency, c->argv[2].ptr, c->argv[2].len, &e) != 0) {
		reply_array(c, 0);
		return;
	}
	reply_array(c, e.nr);
	for (uint32_t i = 0; i < e.nr; i++) {
		reply_array(c, 2);
		reply_int(c, e.samples[i].time_s);
		reply_int(c, e.samples[i].ms);
	}
}

static void latency_graph_command(struct client *c)
{
	const struct slice *name = &c->argv[2];
	struct latency_event e;
	struct textbuf tb;

	if (latency_find(c->srv->latency, name->ptr, name->len, &e) != 0) {
		reply_errf(c, "ERR No samples available for event '%.*s'",
			(int)(name->len < 128 ? name->len : 128), name->ptr);
		return;
	}
	textbuf_init(&tb);
	latency_graph_print(&tb, &e, c->now_ms / 1000);
	reply_textbuf(c, &tb);
}

static void latency_doctor_command(struct client *c)
{
	struct config *cfg = c->srv->cfg;
	int64_t threshold = atomic_load_explicit(&cfg->latency_threshold_ms, memory_order_relaxed);
	int64_t slow = atomic_load_explicit(&cfg->slowlog_slower_than_us, memory_order_relaxed);
	struct textbuf tb;

	textbuf_init(&tb);
	if (threshold <= 0)
		textbuf_addf(&tb, "Latency monitoring is off. CONFIG SET latency-monitor-threshold "
				  "<milliseconds> turns it on.\n");
	else
		latency_doctor_print(&tb, c->srv->latency, c->now_ms / 1000, threshold, slow);
	reply_textbuf(c, &tb);
}

static void latency_reset_command(struct client *c)
{
	unsigned nr = 0;

	if (c->argc == 2)
		nr = latency_reset(c->srv->latency, NULL, 0);
	for (uint32_t i = 2; i < c->argc; i++)
		nr += latency_reset(c->srv->latency, c->argv[i].ptr, c->argv[i].len);
	reply_int(c, nr);
}

/* A command's distribution over all cores, as a pair of the reply's map. Returns false (no
 * reply) when it has never run. */
static bool reply_histogram(struct client *c, const struct command *cmd)
{
	uint64_t counts[LATENCY_BUCKETS] = {0}, total = 0;
	char name[COMMAND_NAME_MAX];
	size_t nr = 0;

	for (unsigned core = 0; core < c->srv->nr_cores; core++) {
		const struct command_stats *st = &c->srv->cores[core]->stats[cmd->id];

		for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
			counts[i] += __atomic_load_n(&st->hist[i], __ATOMIC_RELAXED);
	}
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		total += counts[i];
	if (total == 0)
		return false;
	reply_bulk_str(c, command_full_name(cmd, name));
	reply_map(c, 2);
	reply_bulk_str(c, "calls");
	reply_int(c, (int64_t)total);
	reply_bulk_str(c, "histogram_usec");
	reply_defer_begin(c);
	total = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		if (!counts[i])
			continue;
		total += counts[i];
		reply_int(c, (int64_t)(latency_bucket_ns(i) / 1000));
		reply_int(c, (int64_t)total);
		nr++;
	}
	reply_defer_end_map(c, nr);
	return true;
}

/* A command, or all subcommands of a container. Returns the number of pairs. */
static size_t reply_histograms(struct client *c, const struct command *cmd)
{
	size_t nr = reply_histogram(c, cmd);

	for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
		nr += reply_histogram(c, sub);
	return nr;
}

static void latency_histogram_command(struct client *c)
{
	const struct command *cmd;
	size_t nr = 0;

	reply_defer_begin(c);
	if (c->argc == 2) {
		for (unsigned i = 0; (cmd = command_at(c->srv, i)); i++)
			nr += reply_histograms(c, cmd);
	}
	for (uint32_t i = 2; i < c->argc; i++) {
		cmd = command_by_name(c->argv[i].ptr, c->argv[i].len);
		if (cmd)
			nr += reply_histograms(c, cmd);
	}
	reply_defer_end_map(c, nr);
}

static void latency_help_command(struct client *c)
{
	static const char *const lines[] = {
		"DOCTOR",
		"    What was slow, and what may be done about it.",
		"GRAPH <event>",
		"    The samples of an event, drawn.",
		"HISTORY <event>",
		"    The samples of an event: pairs of Unix time and milliseconds.",
		"HISTOGRAM [<command> ...]",
		"    How long these commands took, or all: counts up to each power of two in us.",
		"LATEST",
		"    For each event: its last sample and the worst.",
		"RESET [<event> ...]",
		"    Forget the samples of these events, or of all.",
		NULL,
	};

	reply_help(c, lines);
}

#define ADMIN (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

struct command latency_subcommands[] = {
	{"doctor", latency_doctor_command, 2, ADMIN, .since = "2.8.13", .complexity = "O(1)",
		.summary = "Reports on latency, with advice."},
	{"graph", latency_graph_command, 3, ADMIN, .since = "2.8.13", .complexity = "O(1)",
		.summary = "Draws the samples of an event."},
	{"help", latency_help_command, 2, CMD_LOADING | CMD_STALE, .since = "2.8.13",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"histogram", latency_histogram_command, -2, ADMIN, .since = "7.0.0",
		.complexity = "O(N) in the number of commands with figures",
		.summary = "Returns distributions of execution times."},
	{"history", latency_history_command, 3, ADMIN, .since = "2.8.13", .complexity = "O(1)",
		.summary = "Returns the samples of an event."},
	{"latest", latency_latest_command, 2, ADMIN, .since = "2.8.13", .complexity = "O(1)",
		.summary = "Returns the last sample of every event."},
	{"reset", latency_reset_command, -2, ADMIN, .since = "2.8.13", .complexity = "O(1)",
		.summary = "Forgets samples."},
	{NULL},
};
