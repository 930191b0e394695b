/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/worker.h"

#include "dataplane/clock.h"
#include "dataplane/ip/net.h"
#include "dataplane/nic.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define OPENING_MAX  64u      /* connections that are being opened at a time */
#define CLOSE_US     2000000u /* at most; as a rule the FINs are answered at once */
#define VALUE_BY_REF 4096u    /* longer values are sent from where they lie */
/* A source port can be used again soon: the ways of a test are short. */
#define MSL_US     5000u
#define PORT_FIRST 1024u
#define PORT_LAST  65535u

/* --- connections --- */

bool worker_conn_open(struct worker *w, struct load_conn *c)
{
	const struct options *o = w->run->o;
	const int rc =
		tcp_connect(w->net, &o->server, (uint16_t)o->port, w->run->mode->ops, c, &c->tcp);

	if (rc) {
		worker_error(w, -rc);
		return false;
	}
	w->nr_opening++;
	return true;
}

void worker_conn_connected(struct tcp_conn *tc)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;

	c->is_up = true;
	w->nr_opening--;
	atomic_fetch_add_explicit(&w->nr_up, 1, memory_order_relaxed);
}

void worker_open_failed(struct worker *w, int reason)
{
	worker_error(w, reason == EHOSTUNREACH ? EHOSTDOWN : reason ? reason : ECONNABORTED);
}

/* A server that closes has no reason to: the connection is lost. */
void worker_conn_eof(struct tcp_conn *tc)
{
	tcp_conn_abort(tc);
}

void worker_conn_closed(struct tcp_conn *tc, int reason)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	const uint32_t under_way = c->tail - c->head;

	c->tcp = NULL;
	if (c->is_up) {
		c->is_up = false;
		atomic_fetch_sub_explicit(&w->nr_up, 1, memory_order_relaxed);
		if (w->phase != PHASE_CLOSE)
			worker_count(&w->ctr.lost, 1);
	} else {
		w->nr_opening--;
		worker_open_failed(w, reason);
	}
	w->nr_under_way -= under_way;
	worker_count(&w->ctr.unanswered, under_way);
	c->head = c->tail;
}

void worker_conn_fail(struct worker *w, struct load_conn *c)
{
	worker_count(&w->ctr.broken, 1);
	c->is_failed = true;
	tcp_conn_abort(c->tcp);
}

static void conns_open(struct worker *w)
{
	const uint32_t wanted = atomic_load_explicit(&w->nr_wanted, memory_order_relaxed);

	while (w->nr_opened < wanted && w->nr_opening < OPENING_MAX &&
		worker_conn_open(w, &w->conns[w->nr_opened]))
		w->nr_opened++;
}

static void conns_close(struct worker *w)
{
	for (uint32_t i = 0; i < w->nr_conns; i++)
		if (w->conns[i].tcp)
			tcp_conn_close(w->conns[i].tcp);
}

/* --- requests --- */

/* Appends a request. False: no memory. */
static bool request_append(struct worker *w, struct obuf *ob, const struct request *r,
	const uint32_t *keys, uint32_t version)
{
	const struct values *v = &w->run->values;
	const uint32_t key = r->nr_keys ? keys[0] : 0;
	const uint32_t size = r->has_value ? value_len(v, key, version) : 0;
	const bool is_long = size > VALUE_BY_REF;
	uint8_t *at = obuf_reserve(ob, request_head_max(r) + (is_long ? VALUE_HEAD : size) + 2);
	uint32_t n, shift;

	if (!at)
		return false;
	n = request_head_write(r, keys, size, at);
	if (is_long) {
		shift = value_head(key, version, size, at + n);
		obuf_commit(ob, n + VALUE_HEAD);
		return obuf_append_ref(ob, v->pattern + shift, size - VALUE_HEAD, NULL, NULL) ==
			       0 &&
		       obuf_append(ob, "\r\n", 2) == 0;
	}
	if (r->has_value) {
		value_write(v, key, version, size, at + n);
		memcpy(at + n + size, "\r\n", 2);
		n += size + 2;
	}
	obuf_commit(ob, n);
	return true;
}

const struct request *worker_request_choose(struct worker *w, uint32_t *keys)
{
	const struct run *run = w->run;
	const struct request *r = &run->get;

	if (run->o->command)
		r = &run->command;
	else if (run->set_below && (uint32_t)rng_next(&w->rng) < run->set_below)
		r = &run->set;
	for (uint32_t i = 0; i < r->nr_keys; i++)
		keys[i] = keys_next(&w->keys);
	return r;
}

bool worker_request_append(struct worker *w, struct load_conn *c, const struct request *r,
	const uint32_t *keys, uint64_t due)
{
	struct obuf *ob = tcp_conn_obuf(c->tcp);
	const uint64_t from = obuf_end(ob);

	if (!request_append(w, ob, r, keys, w->version++)) {
		worker_error(w, ENOMEM);
		worker_conn_fail(w, c);
		return false;
	}
	if (due >= w->measure_tsc)
		worker_count(&w->ctr.measured_out, obuf_end(ob) - from);
	return true;
}

void worker_reply(struct worker *w, const struct expect *e, enum check_result result, uint64_t now)
{
	if (result == CHECK_MISS) {
		worker_count(&w->ctr.misses, 1);
		if (w->run->o->load)
			result = CHECK_WRONG;
	}
	if (result == CHECK_WRONG)
		worker_count(&w->ctr.wrong, 1);
	worker_count(&w->ctr.answers, 1);
	if (e->sent < w->measure_tsc)
		return;
	worker_count(&w->ctr.replies, 1);
	worker_count(&w->ctr.classes[e->class], 1);
	w->last_reply_tsc = now;
	hist_add(&w->hist, worker_ns(w, now - e->sent));
}

/* --- the loop --- */

/* A thread's share of a number. */
static uint64_t share(const struct run *run, unsigned id, uint64_t n)
{
	return n / run->nr_workers + (id < n % run->nr_workers);
}

static void phase_enter(struct worker *w, int phase)
{
	const uint64_t nr = w->run->o->nr_requests;

	w->phase = phase;
	if (phase == PHASE_MEASURE) {
		w->measure_tsc = rte_rdtsc(); /* what this turn has sent before does not count */
		w->quota = nr ? share(w->run, w->id, nr) : UINT64_MAX;
	} else if (phase == PHASE_CLOSE) {
		conns_close(w);
	}
	w->run->mode->begin(w);
}

static void phase_work(struct worker *w)
{
	const int phase = atomic_load_explicit(&w->run->phase, memory_order_relaxed);

	if (phase != w->phase)
		phase_enter(w, phase);
	if (phase == PHASE_CONNECT)
		conns_open(w);
	w->run->mode->work(w);
}

static void inbox_drain(struct core *core)
{
	struct core_msg *msg;

	while (rte_ring_sc_dequeue(core->inbox, (void **)&msg) == 0)
		msg->fn(core, msg);
}

/* One turn of the loop. The time from its beginning to the next one's is busy if frames moved. */
static void turn(struct worker *w)
{
	struct core *core = w->core;
	const uint64_t now = rte_rdtsc();

	if (w->phase == PHASE_MEASURE) {
		worker_count(&w->ctr.cycles, now - w->tsc);
		if (w->has_moved)
			worker_count(&w->ctr.busy_cycles, now - w->tsc);
	}
	w->tsc = now;
	core->now_us = w->us_base + worker_ns(w, now - w->tsc_base) / 1000;
	w->has_moved = w->run->mode->ops && nic_rx(core) > 0;
	if (!rte_ring_empty(core->inbox))
		inbox_drain(core);
	phase_work(w);
	if (!w->run->mode->ops)
		return;
	nic_run(core);
	w->has_moved |= nic_tx(core) > 0;
}

/* Until our FINs are answered, so that the server is not left with connections. */
static void close_wait(struct worker *w)
{
	const uint64_t end_us = w->core->now_us + CLOSE_US;
	struct tcp_gauges gauges;

	do {
		turn(w);
		tcp_gauges_read(w->net, &gauges);
	} while (gauges.conns > 0 && w->core->now_us < end_us);
}

static void thread_setup(struct worker *w)
{
	nic_thread_register();
	w->net = w->core->nets[0];
	w->net->cfg.tcp.msl_us = MSL_US;
	w->net->cfg.tcp.port_lo = PORT_FIRST;
	w->net->cfg.tcp.port_hi = PORT_LAST;
	w->us_base = clock_mono_us();
	w->tsc = w->tsc_base = rte_rdtsc();
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	thread_setup(w);
	while (w->phase != PHASE_CLOSE)
		turn(w);
	close_wait(w);
	return NULL;
}

int worker_start(struct worker *w)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int rc;

	pthread_attr_init(&attr);
	if (w->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(w->cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	rc = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	w->is_running = rc == 0;
	return -rc;
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

	w->nr_conns = (uint32_t)share(w->run, w->id, w->run->o->connections);
	/* Those that do nothing begin with one, to compare. */
	if (w->run->mode == &worker_traffic)
		atomic_store(&w->nr_wanted, w->nr_conns);
	else if (w->run->mode == &worker_idle)
		atomic_store(&w->nr_wanted, w->id == 0);
	while (size < w->nr_conns)
		size *= 2;
	w->conns = calloc(w->nr_conns + 1, sizeof(*w->conns)); /* of an echo: none */
	w->queue = calloc(size, sizeof(*w->queue));
	w->rings = rings = calloc((size_t)w->nr_conns * depth + 1, sizeof(*rings));
	if (!w->conns || !w->queue || !rings)
		return -ENOMEM;
	w->queue_mask = size - 1;
	for (uint32_t i = 0; i < w->nr_conns; i++) {
		w->conns[i].worker = w;
		w->conns[i].ring = rings + (size_t)i * depth;
	}
	return 0;
}

int worker_create(struct run *run, unsigned id, struct worker **out)
{
	const uint64_t seed = run->o->seed * OPTIONS_MAX_CORES + id;
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
	keys_init(&w->keys, &run->dist, seed);
	w->rng.at = rng_mix(~seed);
	hist_init(&w->hist);
	rc = core_create(id, run->nr_workers, run->cores, &core_ops, false, &w->core);
	if (rc == 0)
		rc = conns_make(w);
	if (rc == 0 && run->mode->make)
		rc = run->mode->make(w);
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
	free(w->rings);
	free(w->frames);
	free(w->conns);
	free(w->queue);
	free(w);
	*wp = NULL;
}
