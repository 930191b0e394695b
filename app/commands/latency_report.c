/* SPDX-License-Identifier: BSD-3-Clause
 *
 * LATENCY's reports for people.
 */
#include "app/commands/latency_report.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAPH_ROWS  4
#define AGE_MAX_LEN 4 /* "59s", "23h", "999d" */

void latency_summarise(const struct latency_event *e, int64_t now_s, struct latency_summary *out)
{
	double sum = 0, differences = 0;

	memset(out, 0, sizeof(*out));
	out->nr = e->nr;
	out->min_ms = UINT32_MAX;
	for (uint32_t i = 0; i < e->nr; i++) {
		uint32_t ms = e->samples[i].ms;

		sum += ms;
		out->min_ms = ms < out->min_ms ? ms : out->min_ms;
		out->max_ms = ms > out->max_ms ? ms : out->max_ms;
	}
	out->mean_ms = sum / e->nr;
	for (uint32_t i = 0; i < e->nr; i++)
		differences += fabs(e->samples[i].ms - out->mean_ms);
	out->deviation_ms = differences / e->nr;
	out->period_s = (double)(now_s - e->samples[0].time_s) / e->nr;
}

static void age_text(char out[AGE_MAX_LEN + 1], int64_t age_s)
{
	char text[32];

	if (age_s < 0)
		age_s = 0;
	if (age_s < 60)
		snprintf(text, sizeof(text), "%llds", (long long)age_s);
	else if (age_s < 3600)
		snprintf(text, sizeof(text), "%lldm", (long long)(age_s / 60));
	else if (age_s < 86400)
		snprintf(text, sizeof(text), "%lldh", (long long)(age_s / 3600));
	else
		snprintf(text, sizeof(text), "%lldd", (long long)(age_s / 86400));
	memset(out, 0, AGE_MAX_LEN + 1);
	memcpy(out, text, strnlen(text, AGE_MAX_LEN));
}

/* Bars, highest row first. */
static void graph_bars(
	struct textbuf *tb, const struct latency_event *e, uint32_t min, uint32_t max)
{
	for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
		for (uint32_t i = 0; i < e->nr; i++) {
			/* in half rows: 1 to 2 * GRAPH_ROWS */
			int height = 1;

			if (max > min)
				height += (int)((uint64_t)(e->samples[i].ms - min) *
						(2 * GRAPH_ROWS - 1) / (max - min));
			textbuf_add(tb,
				height >= 2 * row + 2   ? "|"
				: height == 2 * row + 1 ? "."
							: " ",
				1);
		}
		textbuf_add(tb, "\n", 1);
	}
}

void latency_graph_print(struct textbuf *tb, const struct latency_event *e, int64_t now_s)
{
	struct latency_summary s;
	char ages[LATENCY_SAMPLES][AGE_MAX_LEN + 1];
	bool more = true;

	latency_summarise(e, now_s, &s);
	textbuf_addf(tb, "%s - high %u ms, low %u ms (all time high %u ms)\n", e->name, s.max_ms,
		s.min_ms, e->max_ms);
	for (int i = 0; i < 80; i++)
		textbuf_add(tb, "-", 1);
	textbuf_add(tb, "\n", 1);
	graph_bars(tb, e, s.min_ms, s.max_ms);
	textbuf_add(tb, "\n", 1);
	for (uint32_t i = 0; i < e->nr; i++)
		age_text(ages[i], now_s - e->samples[i].time_s);
	for (int row = 0; row < AGE_MAX_LEN && more; row++) {
		more = false;
		for (uint32_t i = 0; i < e->nr; i++) {
			textbuf_add(tb, ages[i][row] ? &ages[i][row] : " ", 1);
			more |= row + 1 < AGE_MAX_LEN && ages[i][row] && ages[i][row + 1];
		}
		textbuf_add(tb, "\n", 1);
	}
}

/* What is worth looking at when this kind of event is slow; NULL: nothing in particular. */
static const char *advice_for(const char *event)
{
	static const struct {
		const char *event, *text;
	} advice[] = {
		{"command",
			"SLOWLOG GET shows the commands that took long. Those that go through whole "
			"collections or all keys can be cut into pieces (SCAN and its kin)."},
		{"fast-command",
			"Commands that do little were slow: the core itself was held up. Is it shared with "
			"other processes or other interrupts? (isolcpus, poll-cores)"},
		{"expire-cycle",
			"Many keys expire in the same moment. Spread their times to live a little."},
		{"eviction-cycle",
			"Memory is at its limit and every write has to make room. Raise maxmemory, or "
			"shorten times to live."},
		{"log-flush",
			"The medium of the pool is slow to sync. Persistent memory does not need syncing; "
			"pmem-durability everysec does not wait for it."},
	};

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		if (strcmp(event, advice[i].event) == 0)
			return advice[i].text;
	}
	return NULL;
}

void latency_doctor_print(struct textbuf *tb, struct latency *lat, int64_t now_s,
	int64_t threshold_ms, int64_t slowlog_us)
{
	const char *advice[LATENCY_MAX_EVENTS];
	unsigned nr_advice = 0, nr = 0;
	struct latency_summary s;
	struct latency_event e;

	for (; nr < LATENCY_MAX_EVENTS && latency_get(lat, nr, &e) == 0; nr++) {
		if (nr == 0)
			textbuf_addf(
				tb, "These took longer than %lld ms:\n\n", (long long)threshold_ms);
		latency_summarise(&e, now_s, &s);
		textbuf_addf(tb,
			"%u. %s: %u latency spikes (average %.0f ms, mean deviation %.0f ms, one each %.2f "
			"seconds). Worst of all: %u ms.\n",
			nr + 1, e.name, s.nr, s.mean_ms, s.deviation_ms, s.period_s, e.max_ms);
		advice[nr_advice] = advice_for(e.name);
		nr_advice += advice[nr_advice] != NULL;
	}
	if (nr == 0) {
		textbuf_addf(tb, "Nothing took longer than %lld ms since the last reset.\n",
			(long long)threshold_ms);
		return;
	}
	textbuf_addf(tb, "\nWhat to look at:\n\n");
	if (slowlog_us < 0 || slowlog_us > threshold_ms * 1000)
		textbuf_addf(tb,
			"- The slow log does not see all of these commands. CONFIG SET "
			"slowlog-log-slower-than %lld makes it.\n",
			(long long)threshold_ms * 1000);
	for (unsigned i = 0; i < nr_advice; i++)
		textbuf_addf(tb, "- %s\n", advice[i]);
}
