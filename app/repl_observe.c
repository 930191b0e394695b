/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/repl_observe.h"

#include "app/textbuf.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <rte_telemetry.h>
#include <stdio.h>
#include <string.h>

#define RATE_WEIGHT 0.05 /* of the last tenth of a second */
#define RATE_NONE   1.0  /* bytes a second: nobody writes */
#define TOLD_MAX    16   /* replicas, to telemetry */

static const struct {
	const char *name, *why;
} reasons[NR_SYNC_REASONS] = {
	[SYNC_NO_HISTORY] = {"no_history", ""},
	[SYNC_OLD_COMMAND] = {"sync_command", ""},
	[SYNC_UNKNOWN_ID] = {"unknown_id", "unknown replication id"},
	[SYNC_PAST_FORMER_ID] = {"past_former_id",
		"offset past the end of the former replication id"},
	[SYNC_NOT_IN_BACKLOG] = {"not_in_backlog", "offset not in the backlog"},
};

enum sync_reason repl_observe_reason(const char *why)
{
	for (unsigned i = 0; i < NR_SYNC_REASONS; i++)
		if (strcmp(reasons[i].why, why) == 0)
			return (enum sync_reason)i;
	return SYNC_NOT_IN_BACKLOG;
}

void repl_observe_full(struct server *srv, enum sync_reason reason)
{
	atomic_fetch_add(&srv->repl->sync_full, 1);
	atomic_fetch_add(&srv->repl->observe->reasons[reason], 1);
}

void repl_observe_note(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	struct repl_observe *o = r->observe;
	uint64_t tail = log_tail(ac->srv->log);
	unsigned last = (o->nr_notes - 1) % REPL_NOTES;
	double rate = 0;

	rte_spinlock_lock(&r->lock);
	if (o->nr_notes && o->notes[last].tail > tail)
		o->nr_notes = 0; /* the log has begun anew */
	if (o->nr_notes && ac->now_ms > o->notes[last].ms)
		rate = 1000.0 * (double)(tail - o->notes[last].tail) /
		       (double)(ac->now_ms - o->notes[last].ms);
	o->rate += (rate - o->rate) * RATE_WEIGHT;
	o->notes[o->nr_notes % REPL_NOTES].ms = ac->now_ms;
	o->notes[o->nr_notes % REPL_NOTES].tail = tail;
	o->nr_notes++;
	rte_spinlock_unlock(&r->lock);
}

/* The notes' tails only grow. */
static int64_t behind_since(const struct repl_observe *o, uint64_t off)
{
	unsigned lo = o->nr_notes > REPL_NOTES ? o->nr_notes - REPL_NOTES : 0, hi = o->nr_notes;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (o->notes[mid % REPL_NOTES].tail > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo < o->nr_notes ? o->notes[lo % REPL_NOTES].ms : 0;
}

static int64_t seconds_of(const struct repl_observe *o, uint64_t bytes)
{
	return o->rate < RATE_NONE ? -1 : (int64_t)((double)bytes / o->rate);
}

void repl_observe_view(struct server *srv, const struct replica *rep, struct replica_view *v)
{
	const struct repl_observe *o = srv->repl->observe;
	uint64_t tail = log_tail(srv->log), ring = log_ring_size(srv->log);
	uint64_t sent = atomic_load(&rep->sent_off), unsent = tail > sent ? tail - sent : 0;
	int64_t now_ms = srv->cores[0]->now_ms, since;

	v->offset = atomic_load(&rep->ack_off);
	v->lag_bytes = tail > v->offset ? tail - v->offset : 0;
	since = v->lag_bytes ? behind_since(o, v->offset) : 0;
	v->lag_ms = since && now_ms > since ? now_ms - since : 0;
	v->backlog_seconds = seconds_of(o, unsent < ring ? ring - unsent : 0);
	v->rtt_us = atomic_load(&rep->rtt_us);
}

int64_t repl_observe_backlog_seconds(struct server *srv)
{
	int64_t s;

	rte_spinlock_lock(&srv->repl->lock);
	s = seconds_of(srv->repl->observe, log_ring_size(srv->log));
	rte_spinlock_unlock(&srv->repl->lock);
	return s;
}

static void info_replicas(struct server *srv, struct textbuf *tb)
{
	struct repl *r = srv->repl;
	struct replica_view v;
	struct replica *rep;
	unsigned i = 0;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		repl_observe_view(srv, rep, &v);
		textbuf_addf(tb,
			"replica%u:ip=%s,port=%d,state=%s,durable_acks=%d,offset=%llu,"
			"sent=%llu,lag_bytes=%llu,lag_ms=%lld,rtt_us=%u,backlog_seconds=%lld\r\n",
			i++, rep->ip, rep->listening_port, replica_state_name(rep->state),
			rep->capa_burst, (unsigned long long)v.offset,
			(unsigned long long)atomic_load(&rep->sent_off),
			(unsigned long long)v.lag_bytes, (long long)v.lag_ms, v.rtt_us,
			(long long)v.backlog_seconds);
	}
	rte_spinlock_unlock(&r->lock);
}

void repl_observe_info(struct server *srv, struct textbuf *tb)
{
	struct repl *r = srv->repl;

	for (unsigned i = 0; i < NR_SYNC_REASONS; i++)
		textbuf_addf(tb, "sync_full_%s:%llu\r\n", reasons[i].name,
			atomic_load(&r->observe->reasons[i]));
	textbuf_addf(tb, "sync_log_kept_bytes:%llu\r\n", atomic_load(&r->kept));
	textbuf_addf(tb, "backlog_seconds:%lld\r\nmaster_link_rtt_us:%u\r\n",
		(long long)repl_observe_backlog_seconds(srv), atomic_load(&r->link_rtt_us));
	info_replicas(srv, tb);
}

static void add(struct rte_tel_data *d, const char *name, uint64_t value)
{
	rte_tel_data_add_dict_u64(d, name, value);
}

static void add_of(struct rte_tel_data *d, unsigned i, const char *what, uint64_t value)
{
	char name[48];

	snprintf(name, sizeof(name), "replica%u_%s", i, what);
	add(d, name, value);
}

void repl_observe_telemetry(struct server *srv, struct rte_tel_data *d)
{
	struct repl *r = srv->repl;
	int64_t seconds = repl_observe_backlog_seconds(srv);
	struct replica_view v;
	struct replica *rep;
	unsigned i = 0;

	for (unsigned n = 0; n < NR_SYNC_REASONS; n++) {
		char name[48];

		snprintf(name, sizeof(name), "sync_full_%s", reasons[n].name);
		add(d, name, atomic_load(&r->observe->reasons[n]));
	}
	if (seconds >= 0)
		add(d, "backlog_seconds", (uint64_t)seconds);
	add(d, "master_link_rtt_us", atomic_load(&r->link_rtt_us));
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		if (i == TOLD_MAX)
			break;
		repl_observe_view(srv, rep, &v);
		add_of(d, i, "state", rep->state);
		add_of(d, i, "offset", v.offset);
		add_of(d, i, "lag_bytes", v.lag_bytes);
		add_of(d, i, "lag_ms", (uint64_t)v.lag_ms);
		add_of(d, i, "lag_seconds", (uint64_t)v.lag_ms / 1000);
		add_of(d, i, "rtt_us", v.rtt_us);
		if (v.backlog_seconds >= 0)
			add_of(d, i, "backlog_seconds", (uint64_t)v.backlog_seconds);
		i++;
	}
	rte_spinlock_unlock(&r->lock);
}
