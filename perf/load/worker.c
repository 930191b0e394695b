/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/worker.h"

#include "dataplane/clock.h"
#include "dataplane/ip/net.h"
#include "dataplane/nic.h"
#include "dataplane/tcp/tcp.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define OPENING_MAX   64u   /* connections that are being opened at a time */
#define VALUE_BY_REF  4096u /* longer values are sent from where they lie */
#define LOAD_PIPELINE 16u
#define CLOSE_US      300000u

static void count(uint64_t *at, uint64_t n)
{
	__atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}

/* --- requests --- */

/* Appends a request. False: no memory. */
static bool request_append(struct worker *w, struct load_conn *c, const struct request *r,
	const uint32_t *keys, uint32_t version)
{
	struct obuf *ob = tcp_conn_obuf(c->tcp);
	const struct values *v = &w->run->values;
	const uint32_t size = r->has_value ? value_len(v, keys[0], version) : 0;
	const bool is_long = size > VALUE_BY_REF;
	uint8_t *at = obuf_reserve(ob, request_head_max(r) + (is_long ? VALUE_HEAD : size) + 2);
	uint32_t n, shift;

	if (!at)
		return false;
	n = request_head_write(r, keys, size, at);
	if (is_long) {
		shift = value_head(keys[0], version, size, at + n);
		obuf_commit(ob, n + VALUE_HEAD);
		return obuf_append_ref(ob, v->pattern + shift, size - VALUE_HEAD, NULL, NULL) ==
			       0 &&
		       obuf_append(ob, "\r\n", 2) == 0;
	}
	if (r->has_value) {
		value_write(v, keys[0], version, size, at + n);
		memcpy(at + n + size, "\r\n", 2);
		n += size + 2;
	}
	obuf_commit(ob, n);
	return true;
}

static const struct request *request_choose(struct worker *w)
{
	const struct run *run = w->run;

	if (run->o->command)
		return &run->command;
	if (run->set_below == 0)
		return &run->get;
	return (uint32_t)rng_next(&w->rng) < run->set_below ? &run->set : &run->get;
}

/* Sends one request on a connection with room. False: there is none to send. */
static bool conn_issue(struct worker *w, struct load_conn *c, uint64_t due)
{
	const struct request *r;
	uint32_t keys[REQUEST_MAX_KEYS];

	if (w->phase == PHASE_LOAD) {
		if (w->next_load >= w->run->dist.nr)
			return false;
		r = &w->run->set;
		keys[0] = w->next_load;
		w->next_load += w->run->nr_workers;
	} else {
		if (due >= w->measure_tsc && w->quota-- == 0) {
			w->quota = 0;
			return false;
		}
		r = request_choose(w);
		keys[0] = 0;
		for (uint32_t i = 0; i < r->nr_keys; i++)
			keys[i] = keys_next(&w->keys);
	}
	if (!request_append(w, c, r, keys, w->version++)) {
		atomic_store_explicit(&w->error, ENOMEM, memory_order_relaxed);
		tcp_conn_abort(c->tcp);
		return false;
	}
	c->ring[c->tail++ & w->mask] =
		(struct expect){.sent = due, .key = keys[0], .kind = r->expect, .class = r->class};
	w->nr_under_way++;
	count(&w->ctr.sent, 1);
	return true;
}

static bool is_issuing(const struct worker *w)
{
	return w->phase == PHASE_LOAD || w->phase == PHASE_WARM_UP || w->phase == PHASE_MEASURE;
}

static bool is_open_loop(const struct worker *w)
{
	return w->due_interval > 0 && w->phase != PHASE_LOAD;
}

/* Closed loop: fills the connection up. */
static void conn_refill(struct worker *w, struct load_conn *c, uint64_t now)
{
	const uint32_t depth =
		w->phase == PHASE_LOAD && w->pipeline < LOAD_PIPELINE ? LOAD_PIPELINE : w->pipeline;
	bool any = false;

	if (!is_issuing(w) || !c->is_up || c->is_failed)
		return;
	while (c->tail - c->head < depth && conn_issue(w, c, now))
		any = true;
	if (any)
		tcp_conn_push(c->tcp);
}

static void queue_add(struct worker *w, struct load_conn *c)
{
	if (c->is_queued || !c->is_up || c->is_failed || c->tail - c->head >= w->pipeline)
		return;
	c->is_queued = true;
	w->queue[w->queue_tail++ & w->queue_mask] = (uint32_t)(c - w->conns);
}

static uint64_t due_next(const struct worker *w)
{
	return w->due_start + (uint64_t)((double)w->due_nr * w->due_interval);
}

/* Open loop: sends what has fallen due, as far as connections have room. */
static void due_issue(struct worker *w)
{
	for (;;) {
		const uint64_t due = due_next(w);
		struct load_conn *c;

		if (due > w->due_last || due > w->tsc || w->queue_head == w->queue_tail)
			return;
		c = &w->conns[w->queue[w->queue_head++ & w->queue_mask]];
		c->is_queued = false;
		if (!c->is_up || c->is_failed)
			continue;
		if (!conn_issue(w, c, due))
			return;
		w->due_nr++;
		tcp_conn_push(c->tcp);
		queue_add(w, c);
	}
}

/* --- replies --- */

static void reply_count(
	struct worker *w, const struct expect *e, enum check_result result, uint64_t now)
{
	if (result == CHECK_MISS) {
		count(&w->ctr.misses, 1);
		if (w->run->o->load)
			result = CHECK_WRONG;
	}
	if (result == CHECK_WRONG)
		count(&w->ctr.wrong, 1);
	if (e->sent < w->measure_tsc)
		return;
	count(&w->ctr.replies, 1);
	count(&w->ctr.classes[e->class], 1);
	w->last_reply_tsc = now;
	hist_add(&w->hist, worker_ns(w, now - e->sent));
}

static void conn_fail(struct worker *w, struct load_conn *c)
{
	count(&w->ctr.broken, 1);
	c->is_failed = true;
	tcp_conn_abort(c->tcp);
}

static uint32_t on_data(struct tcp_conn *tc, const uint8_t *data, uint32_t len)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	const uint64_t now = rte_rdtsc();
	uint32_t at = 0;

	while (at < len && !c->is_failed) {
		const struct expect *e = &c->ring[c->head & w->mask];
		static const struct expect nothing = {.kind = EXPECT_ANY};
		enum check_result result;
		uint32_t used;

		if (c->head == c->tail) /* bytes that nobody asked for */
			e = &nothing;
		result = check_reply(&w->checker, &c->check, e, data + at, len - at, &used);
		if (result == CHECK_BROKEN || e == &nothing) {
			conn_fail(w, c);
			break;
		}
		at += used;
		if (result == CHECK_MORE)
			break;
		c->head++;
		w->nr_under_way--;
		reply_count(w, e, result, now);
	}
	count(&w->ctr.bytes_in, len);
	if (is_open_loop(w))
		queue_add(w, c);
	else
		conn_refill(w, c, now);
	return len;
}

/* --- connections --- */

static void on_connected(struct tcp_conn *tc)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;

	c->is_up = true;
	w->nr_opening--;
	atomic_fetch_add_explicit(&w->nr_up, 1, memory_order_relaxed);
}

static void on_eof(struct tcp_conn *tc)
{
	tcp_conn_abort(tc);
}

static void on_closed(struct tcp_conn *tc, int reason)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	const uint32_t under_way = c->tail - c->head;

	c->tcp = NULL;
	if (c->is_up) {
		c->is_up = false;
		atomic_fetch_sub_explicit(&w->nr_up, 1, memory_order_relaxed);
		if (w->phase != PHASE_CLOSE)
			count(&w->ctr.lost, 1);
	} else {
		w->nr_opening--;
		atomic_store_explicit(
			&w->error, reason ? reason : ECONNABORTED, memory_order_relaxed);
	}
	w->nr_under_way -= under_way;
	count(&w->ctr.unanswered, under_way);
	c->head = c->tail;
}

static const struct tcp_ops conn_ops = {
	.connected = on_connected,
	.data = on_data,
	.eof = on_eof,
	.closed = on_closed,
};

static void conns_open(struct worker *w)
{
	while (w->nr_opened < w->nr_conns && w->nr_opening < OPENING_MAX) {
		struct load_conn *c = &w->conns[w->nr_opened];
		const int rc = tcp_connect(
			w->net, &w->run->o->server, w->run->o->port, &conn_ops, c, &c->tcp);

		if (rc) {
			atomic_store_explicit(&w->error, -rc, memory_order_relaxed);
			return;
		}
		w->nr_opened++;
		w->nr_opening++;
	}
}

static void conns_close(struct worker *w)
{
	for (uint32_t i = 0; i < w->nr_opened; i++)
		if (w->conns[i].tcp)
			tcp_conn_close(w->conns[i].tcp);
}

/* --- phases --- */

/* A thread's share of a number. */
static uint64_t share(const struct worker *w, uint64_t n)
{
	return n / w->run->nr_workers + (w->id < n % w->run->nr_workers);
}

static void due_begin(struct worker *w)
{
	const struct run *run = w->run;

	w->due_interval = run->hz * run->nr_workers / run->o->rate;
	w->due_start = w->tsc + (uint64_t)(w->due_interval * w->id / run->nr_workers);
	w->due_nr = 0;
	w->due_last = UINT64_MAX;
	for (uint32_t i = 0; i < w->nr_conns; i++)
		queue_add(w, &w->conns[i]);
}

static void phase_enter(struct worker *w, int phase)
{
	const struct options *o = w->run->o;

	w->phase = phase;
	if (phase == PHASE_MEASURE) {
		w->measure_tsc = w->tsc;
		w->quota = o->nr_requests ? share(w, o->nr_requests) : UINT64_MAX;
	} else if (phase == PHASE_DRAIN) {
		w->due_last = w->tsc;
	} else if (phase == PHASE_CLOSE) {
		conns_close(w);
	}
	if (!is_issuing(w))
		return;
	if (o->rate > 0 && phase != PHASE_LOAD) {
		if (w->due_interval == 0)
			due_begin(w);
		return;
	}
	for (uint32_t i = 0; i < w->nr_conns; i++)
		conn_refill(w, &w->conns[i], w->tsc);
}

static void tell(atomic_bool *flag, bool value)
{
	if (atomic_load_explicit(flag, memory_order_relaxed) != value)
		atomic_store_explicit(flag, value, memory_order_relaxed);
}

/* What a phase does in each turn. */
static void phase_work(struct worker *w)
{
	const int phase = atomic_load_explicit(&w->run->phase, memory_order_relaxed);

	if (phase != w->phase)
		phase_enter(w, phase);
	switch (w->phase) {
	case PHASE_CONNECT: conns_open(w); break;
	case PHASE_LOAD:
		tell(&w->is_loaded, w->next_load >= w->run->dist.nr && w->nr_under_way == 0);
		break;
	case PHASE_WARM_UP:
	case PHASE_MEASURE:
	case PHASE_DRAIN:
		if (w->due_interval > 0)
			due_issue(w);
		tell(&w->is_spent, w->quota == 0);
		break;
	default: break;
	}
	tell(&w->is_drained,
		w->nr_under_way == 0 && (w->due_interval == 0 || due_next(w) > w->due_last));
}

static void inbox_drain(struct core *core)
{
	struct core_msg *msg;

	while (rte_ring_sc_dequeue(core->inbox, (void **)&msg) == 0)
		msg->fn(core, msg);
}

static void turn(struct worker *w)
{
	struct core *core = w->core;

	w->tsc = rte_rdtsc();
	core->now_us = w->us_base + worker_ns(w, w->tsc - w->tsc_base) / 1000;
	core->ctr.loops++;
	nic_rx(core);
	if (!rte_ring_empty(core->inbox))
		inbox_drain(core);
	phase_work(w);
	nic_run(core);
	nic_tx(core);
}

void *worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t end_us = 0;
	cpu_set_t set;

	if (w->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(w->cpu, &set);
		pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	}
	nic_thread_register();
	w->net = w->core->nets[0];
	w->us_base = clock_mono_us();
	w->tsc_base = rte_rdtsc();
	do {
		turn(w);
		if (w->phase == PHASE_CLOSE && !end_us)
			end_us = w->core->now_us + CLOSE_US;
	} while (!end_us || (w->core->now_us < end_us && atomic_load(&w->nr_up) > 0));
	turn(w);
	return NULL;
}

/* --- life --- */

static void core_nothing(struct core *core)
{
}

static int core_refuse(struct core *core, struct conn *conn)
{
	return -1;
}

static bool core_no_work(struct core *core)
{
	return false;
}

static const struct core_ops core_ops = {
	.clock = core_nothing,
	.accept = core_refuse,
	.work = core_no_work,
	.burst_end = core_no_work,
};

static int conns_make(struct worker *w)
{
	const uint32_t depth = w->run->depth;
	struct expect *rings;
	uint32_t size = 1;

	w->nr_conns = (uint32_t)share(w, w->run->o->connections);
	while (size < w->nr_conns)
		size *= 2;
	w->conns = calloc(w->nr_conns, sizeof(*w->conns));
	w->queue = calloc(size, sizeof(*w->queue));
	rings = calloc((size_t)w->nr_conns * depth, sizeof(*rings));
	if (!w->conns || !w->queue || !rings) {
		free(rings);
		return -ENOMEM;
	}
	w->queue_mask = size - 1;
	for (uint32_t i = 0; i < w->nr_conns; i++) {
		w->conns[i].worker = w;
		w->conns[i].ring = rings + (size_t)i * depth;
	}
	return 0;
}

int worker_create(struct run *run, unsigned id, struct worker **out)
{
	struct worker *w = NULL;
	int rc;

	if (posix_memalign((void **)&w, 64, sizeof(*w)))
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->run = run;
	w->id = id;
	w->cpu = run->o->cpus[id];
	w->pipeline = run->o->pipeline;
	w->mask = run->depth - 1;
	w->ns_mult = (uint64_t)(1e9 / run->hz * 0x1p32);
	w->measure_tsc = UINT64_MAX;
	w->quota = UINT64_MAX;
	w->next_load = id;
	w->version = id << 28;
	checker_init(&w->checker, &run->values);
	keys_init(&w->keys, &run->dist, run->o->seed * OPTIONS_MAX_CORES + id);
	w->rng.at = rng_mix(~(run->o->seed * OPTIONS_MAX_CORES + id));
	hist_init(&w->hist);
	rc = core_create(id, run->nr_workers, run->cores, &core_ops, false, &w->core);
	if (rc == 0)
		rc = conns_make(w);
	if (rc) {
		worker_destroy(&w);
		return rc;
	}
	run->cores[id] = w->core;
	*out = w;
	return 0;
}

void worker_destroy(struct worker **wp)
{
	struct worker *w = *wp;

	if (!w)
		return;
	core_destroy(&w->core);
	if (w->conns)
		free(w->conns[0].ring);
	free(w->conns);
	free(w->queue);
	free(w);
	*wp = NULL;
}
