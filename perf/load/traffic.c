/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests on connections that stay: filling the keys, then a closed or an open loop.
 */
#include "dataplane/obuf.h"
#include "perf/load/worker.h"

#include <rte_cycles.h>

#define LOAD_PIPELINE 16u

/* What the next request is, and its keys. NULL: there is none. */
static const struct request *request_next(struct worker *w, uint64_t due, uint32_t *keys)
{
	keys[0] = 0;
	if (w->phase == PHASE_LOAD) {
		if (w->next_load >= w->run->dist.nr)
			return NULL;
		keys[0] = w->next_load;
		w->next_load += w->run->nr_workers;
		return &w->run->set;
	}
	if (due >= w->measure_tsc) {
		if (w->quota == 0)
			return NULL;
		w->quota--;
	}
	return worker_request_choose(w, keys);
}

/* Sends one request on a connection with room. False: there is none to send. */
static bool conn_issue(struct worker *w, struct load_conn *c, uint64_t due)
{
	uint32_t keys[REQUEST_MAX_KEYS];
	const struct request *r = request_next(w, due, keys);

	if (!r)
		return false;
	if (!worker_request_append(w, c, r, keys, due))
		return false;
	c->ring[c->tail++ & w->mask] =
		(struct expect){.sent = due, .key = keys[0], .kind = r->expect, .class = r->class};
	w->nr_under_way++;
	worker_count(&w->ctr.sent, 1);
	return true;
}

static bool can_send(const struct load_conn *c)
{
	return c->is_up && !c->is_failed;
}

/* Closed loop: fills the connection up. */
static void conn_refill(struct worker *w, struct load_conn *c, uint64_t now)
{
	uint32_t depth = w->pipeline;
	bool any = false;

	if (w->phase == PHASE_LOAD && depth < LOAD_PIPELINE)
		depth = LOAD_PIPELINE;
	if (w->phase < PHASE_LOAD || w->phase > PHASE_MEASURE || !can_send(c))
		return;
	while (c->tail - c->head < depth && conn_issue(w, c, now))
		any = true;
	if (any)
		tcp_conn_push(c->tcp);
}

/* Open loop: the connection waits for requests, if it has room. */
static void conn_queue(struct worker *w, struct load_conn *c)
{
	if (!c->is_queued && can_send(c) && c->tail - c->head < w->pipeline)
		worker_queue_put(w, c);
}

/* Open loop: sends what has fallen due, as far as connections have room. */
static void due_issue(struct worker *w)
{
	while (schedule_is_due(&w->schedule, w->tsc)) {
		struct load_conn *c = worker_queue_get(w);

		if (!c)
			return;
		if (!can_send(c) || c->tail - c->head >= w->pipeline)
			continue;
		if (!conn_issue(w, c, schedule_next(&w->schedule))) {
			conn_queue(w, c);
			return;
		}
		w->schedule.nr++;
		tcp_conn_push(c->tcp);
		conn_queue(w, c);
	}
}

static uint32_t on_data(struct tcp_conn *tc, const uint8_t *data, uint32_t len)
{
	static const struct expect nothing = {.kind = EXPECT_ANY};
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	const uint64_t now = rte_rdtsc();
	uint32_t at = 0;

	while (at < len && !c->is_failed) {
		const bool is_asked = c->head != c->tail; /* or nobody wanted this */
		const struct expect *e = is_asked ? &c->ring[c->head & w->mask] : &nothing;
		enum check_result result;
		uint32_t used;

		result = check_reply(&w->checker, &c->check, e, data + at, len - at, &used);
		if (result == CHECK_BROKEN || !is_asked) {
			worker_conn_fail(w, c);
			break;
		}
		at += used;
		if (result == CHECK_MORE)
			break;
		c->head++;
		w->nr_under_way--;
		worker_reply(w, e, result, now);
	}
	worker_count_in(w, len);
	if (w->schedule.interval > 0)
		conn_queue(w, c);
	else
		conn_refill(w, c, now);
	return len;
}

static const struct tcp_ops traffic_ops = {
	.connected = worker_conn_connected,
	.data = on_data,
	.eof = worker_conn_eof,
	.closed = worker_conn_closed,
};

static void traffic_begin(struct worker *w)
{
	const struct run *run = w->run;
	const bool is_open = run->o->rate > 0 && w->phase != PHASE_LOAD;

	if (w->phase == PHASE_DRAIN)
		schedule_end(&w->schedule, w->tsc);
	if (w->phase < PHASE_LOAD || w->phase > PHASE_MEASURE || w->schedule.interval > 0)
		return;
	if (is_open)
		schedule_begin(&w->schedule, w->tsc, run->hz, run->o->rate, w->id, run->nr_workers);
	for (uint32_t i = 0; i < w->nr_conns; i++) {
		if (is_open)
			conn_queue(w, &w->conns[i]);
		else
			conn_refill(w, &w->conns[i], w->tsc);
	}
}

static void traffic_work(struct worker *w)
{
	switch (w->phase) {
	case PHASE_LOAD:
		worker_tell(&w->is_loaded, w->next_load >= w->run->dist.nr && w->nr_under_way == 0);
		break;
	case PHASE_WARM_UP:
	case PHASE_MEASURE:
	case PHASE_DRAIN:
		due_issue(w);
		worker_tell(&w->is_spent, w->quota == 0);
		break;
	default: break;
	}
	worker_tell(&w->is_drained,
		w->nr_under_way == 0 && (w->quota == 0 || schedule_is_over(&w->schedule)));
}

const struct worker_mode worker_traffic = {
	.ops = &traffic_ops, .begin = traffic_begin, .work = traffic_work};
