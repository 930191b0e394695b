/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection each time: connect, with --command one request, close. The latency is from the SYN
 * (open loop: from when it was due) to the connection, or to the reply. The connections themselves
 * are slots, opened again and again; one is free again when its FIN is on the way.
 */
#include "perf/load/worker.h"

#include <errno.h>
#include <rte_cycles.h>
#include <string.h>

#define OPENS_A_TURN 32u

static void slot_free(struct worker *w, struct load_conn *c)
{
	c->is_up = c->is_failed = false;
	memset(&c->check, 0, sizeof(c->check));
	worker_queue_put(w, c);
}

/* It has done what it was there for. */
static void slot_done(struct worker *w, struct load_conn *c, enum check_result result)
{
	c->head++;
	w->nr_under_way--;
	worker_reply(w, &c->ring[0], result, rte_rdtsc());
	tcp_conn_close(c->tcp);
}

static void on_connected(struct tcp_conn *tc)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	struct expect *e = &c->ring[0];
	uint32_t keys[REQUEST_MAX_KEYS] = {0};
	const struct request *r;

	c->is_up = true;
	w->nr_opening--;
	if (!w->run->o->command) {
		slot_done(w, c, CHECK_RIGHT);
		return;
	}
	r = worker_request_choose(w, keys);
	*e = (struct expect){.sent = e->sent, .key = keys[0], .kind = r->expect, .class = r->class};
	if (worker_request_append(w, c, r, keys, e->sent))
		tcp_conn_push(tc);
}

static uint32_t on_data(struct tcp_conn *tc, const uint8_t *data, uint32_t len)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	enum check_result result;
	uint32_t used = 0;

	worker_count_in(w, len);
	result = check_reply(&w->checker, &c->check, &c->ring[0], data, len, &used);
	if (result == CHECK_BROKEN || (result != CHECK_MORE && used != len))
		worker_conn_fail(w, c);
	else if (result != CHECK_MORE)
		slot_done(w, c, result);
	return len;
}

/* Before it is done, a connection that ends is a lost one. */
static void on_closed(struct tcp_conn *tc, int reason)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;

	if (!c->is_up)
		w->nr_opening--;
	c->tcp = NULL;
	if (c->head != c->tail) {
		c->head = c->tail;
		w->nr_under_way--;
		if (w->phase != PHASE_CLOSE)
			worker_count(&w->ctr.lost, 1);
		worker_count(&w->ctr.unanswered, 1);
		worker_open_failed(w, reason);
	}
	slot_free(w, c);
}

static const struct tcp_ops churn_ops = {
	.connected = on_connected,
	.data = on_data,
	.eof = worker_conn_eof,
	.closed = on_closed,
};

/* Opens a connection from a free slot. False: not now. */
static bool slot_open(struct worker *w, uint64_t due)
{
	struct load_conn *c = w->quota ? worker_queue_get(w) : NULL;

	if (!c)
		return false;
	if (!worker_conn_open(w, c)) {
		worker_queue_put(w, c);
		return false;
	}
	if (due >= w->measure_tsc)
		w->quota--;
	c->head = 0;
	c->tail = 1;
	c->ring[0] = (struct expect){.sent = due, .class = CLASS_OTHER};
	w->nr_under_way++;
	worker_count(&w->ctr.sent, 1);
	return true;
}

static void churn_begin(struct worker *w)
{
	const struct run *run = w->run;

	if (w->phase == PHASE_DRAIN)
		schedule_end(&w->schedule, w->tsc);
	if (w->phase != PHASE_WARM_UP && w->phase != PHASE_MEASURE)
		return;
	if (run->o->rate > 0 && w->schedule.interval == 0)
		schedule_begin(&w->schedule, w->tsc, run->hz, run->o->rate, w->id, run->nr_workers);
	for (uint32_t i = 0; i < w->nr_conns; i++)
		if (!w->conns[i].tcp && !w->conns[i].is_queued)
			slot_free(w, &w->conns[i]);
}

static void slots_open(struct worker *w)
{
	const bool is_open_loop = w->run->o->rate > 0;

	if (!is_open_loop && w->phase == PHASE_DRAIN)
		return;
	for (unsigned i = 0; i < OPENS_A_TURN; i++) {
		if (is_open_loop && !schedule_is_due(&w->schedule, w->tsc))
			return;
		if (!slot_open(w, is_open_loop ? schedule_next(&w->schedule) : w->tsc))
			return;
		w->schedule.nr++;
	}
}

static void churn_work(struct worker *w)
{
	if (w->phase >= PHASE_WARM_UP && w->phase <= PHASE_DRAIN) {
		slots_open(w);
		worker_tell(&w->is_spent, w->quota == 0);
	}
	worker_tell(&w->is_drained,
		w->nr_under_way == 0 && (w->quota == 0 || schedule_is_over(&w->schedule)));
}

const struct worker_mode worker_churn = {
	.ops = &churn_ops, .begin = churn_begin, .work = churn_work};
