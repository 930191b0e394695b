/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/repl_durable.h"

#include "dataplane/core.h"
#include "persist/log.h"

#define ASK_EVERY_US 1000 /* redis-server, for ACKs */
#define NEED_MAX     64

/* ACKs come each second by themselves. */
#define SILENCE_MIN_MS 3000

static bool mark_raise(struct repl_durable *d, uint64_t to)
{
	unsigned long long now = atomic_load(&d->mark);

	while (now < to)
		if (atomic_compare_exchange_weak(&d->mark, &now, to))
			return true;
	return false;
}

/* Those of other cores may be waiting asleep. */
static void cores_wake(struct server *srv)
{
	for (unsigned i = 0; srv->nr_cores > 1 && i < srv->nr_cores; i++)
		core_kick(srv->cores[i]->core);
}

void repl_durable_begin(struct server *srv)
{
	atomic_store(&srv->repl->durable.mark, log_tail(srv->log));
	atomic_fetch_add(&srv->repl->durable.term, 1);
}

void repl_durable_configure(struct server *srv)
{
	struct repl_durable *d = &srv->repl->durable;
	int need = atomic_load(&srv->cfg->min_replicas_durable);

	if (need > 0 && atomic_load(&d->need) == 0)
		mark_raise(d, log_tail(srv->log));
	atomic_store(&d->need, need < NEED_MAX ? need : NEED_MAX);
	core_kick(srv->cores[0]->core);
}

static bool counts(const struct replica *rep, int64_t silence_ms, int64_t now_ms)
{
	return rep->state == REPLICA_ONLINE && rep->psync && !rep->rdb_only &&
	       (!silence_ms || now_ms - atomic_load(&rep->ack_ms) <= silence_ms);
}

static int64_t silence_allowed(const struct server *srv)
{
	int64_t ms = atomic_load_explicit(
		&srv->cfg->min_replicas_durable_timeout_ms, memory_order_relaxed);

	return ms && ms < SILENCE_MIN_MS ? SILENCE_MIN_MS : ms;
}

/* Keeps acks[] the largest ones, in falling order. */
static void acks_insert(uint64_t acks[NEED_MAX], unsigned *nr, unsigned max, uint64_t ack)
{
	unsigned i = *nr < max ? (*nr)++ : max - 1;

	if (i == max - 1 && *nr == max && acks[i] >= ack)
		return;
	for (; i > 0 && acks[i - 1] < ack; i--)
		acks[i] = acks[i - 1];
	acks[i] = ack;
}

/* The one that was fewest behind first: the N-th is the mark. */
void repl_durable_update(struct server *srv, int64_t now_ms)
{
	struct repl *r = srv->repl;
	struct repl_durable *d = &r->durable;
	unsigned need = (unsigned)atomic_load(&d->need), nr = 0, online = 0;
	int64_t silence_ms = silence_allowed(srv);
	uint64_t acks[NEED_MAX] = {0};
	struct replica *rep;
	bool raised = false;

	if (need == 0)
		return;
	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		if (!counts(rep, silence_ms, now_ms))
			continue;
		online++;
		acks_insert(acks, &nr, need, atomic_load(&rep->ack_off));
	}
	atomic_store_explicit(&d->nr_online, online, memory_order_relaxed);
	if (nr == need && !flag_on(&srv->is_replica))
		raised = mark_raise(d, acks[need - 1]);
	rte_spinlock_unlock(&r->lock);
	if (raised)
		cores_wake(srv);
}

void repl_durable_online(struct server *srv, const struct replica *rep, int64_t now_ms)
{
	if (rep->rdb_only || !rep->psync)
		return;
	atomic_fetch_add(&srv->repl->durable.online_gen, 1);
	repl_durable_update(srv, now_ms);
	core_kick(srv->cores[0]->core);
}

bool repl_durable_asks(const struct server *srv)
{
	const struct repl_durable *d = &srv->repl->durable;

	return repl_durable_on(srv) && d->asks && log_tail(srv->log) != d->asked;
}

bool repl_durable_enough(const struct server *srv)
{
	const struct repl_durable *d = &srv->repl->durable;
	int need = atomic_load_explicit(&d->need, memory_order_relaxed);

	return need <= 0 || (int)atomic_load_explicit(&d->nr_online, memory_order_relaxed) >= need;
}

/* Replicas that acknowledge only when they are asked are needed too. */
static bool has_to_ask(struct repl *r, int need)
{
	struct replica *rep;
	int nr = 0, silent = 0;

	rte_spinlock_lock(&r->lock);
	TAILQ_FOREACH(rep, &r->replicas, list_link) {
		if (!counts(rep, 0, 0))
			continue;
		nr += rep->capa_burst;
		silent += !rep->capa_burst;
	}
	rte_spinlock_unlock(&r->lock);
	return silent && nr < need;
}

static bool tell_bursts(struct app_core *ac, bool on)
{
	static const char burst[] = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$5\r\nburst\r\n";
	static const char rest[] = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$4\r\nrest\r\n";

	if (log_admit(ac->log, sizeof(burst)))
		return false;
	if (on)
		log_append(ac->log, burst, sizeof(burst) - 1);
	else
		log_append(ac->log, rest, sizeof(rest) - 1);
	return true;
}

void repl_durable_work(struct app_core *ac)
{
	struct repl *r = ac->srv->repl;
	struct repl_durable *d = &r->durable;
	int need = atomic_load_explicit(&d->need, memory_order_relaxed);
	unsigned gen;

	if (need == 0 && !d->bursts_on)
		return;
	gen = atomic_load(&d->online_gen);
	if (d->bursts_on != (need > 0) || (need > 0 && gen != d->told_gen)) {
		if (r->nr_replicas && !tell_bursts(ac, need > 0))
			return;
		d->bursts_on = need > 0;
		d->told_gen = gen;
	}
	if (need == 0 || ac->now_us - d->asked_us < ASK_EVERY_US ||
		log_tail(ac->srv->log) == d->asked)
		return;
	d->asked_us = ac->now_us;
	d->asks = has_to_ask(r, need);
	if (d->asks) {
		repl_request_acks(ac);
		d->asked = log_tail(ac->srv->log);
	}
}
