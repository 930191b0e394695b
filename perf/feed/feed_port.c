/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Self-driven load: hangs the clients of feed.h into a net_null port of an otherwise ordinary node.
 *
 * The node's own main(), NIC layer and packet buffers run as they are. When it starts its port (the
 * linker sends that call here first), each queue gets a receive callback, which fills the buffers
 * that net_null has handed out with frames, and a send callback, which checks what the node
 * sends before net_null drops it. What the callbacks take is measured and counted apart.
 *
 * Phases, the same on all cores: connect, load the keys, warm up, measure, report and SIGTERM.
 * Settings: the environment variables MILLRACE_FEED, as feed_cfg_parse() reads it, MILLRACE_FEED_IP
 * and MILLRACE_FEED_PORT (the node's nic-address and port; 10.0.0.2 and 6379).
 */
#include "perf/feed/feed.h"

#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/ip/flow.h"

#include <arpa/inet.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FEED_BURST 32 /* frames at most in one receive burst */
#define CORES_MAX  16
#define SEC_US     1000000ull

enum phase { PHASE_CONNECT, PHASE_LOAD, PHASE_WARM, PHASE_MEASURE, PHASE_DONE };

/* One writer: the queue's core; the report reads it in PHASE_DONE after `is_done`. */
struct lane {
	struct feed *feed;
	unsigned id;
	enum phase seen;
	bool is_started;
	uint64_t feed_cycles, frames;
	uint64_t from_cycles, from_us, from_cpu_us, from_replies, from_feed, from_frames;
	uint64_t cycles, us, cpu_us, replies;
	atomic_bool is_connected, is_loaded, is_done;
	uint8_t flat[FEED_FRAME_MAX];
} __attribute__((aligned(64)));

struct feed_run {
	struct feed_cfg cfg;
	unsigned nr;
	uint16_t server_port;
	atomic_int phase;
	uint64_t phase_us; /* when it began; core 0 */
	struct lane lanes[CORES_MAX];
};

static struct feed_run run;

static uint64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC_US + (uint64_t)ts.tv_nsec / 1000;
}

/* Cycles are scaled to the time that the thread had a processor, so that others on the machine do
 * not count; `share` says how much of the time that was. */
static void report(void)
{
	static const char *const ops[] = {"get", "set", "mix", "ping", "bulk"};
	double hz = 0, rate = 0, serve = 0, feed = 0, frames = 0, share = 0;

	for (unsigned i = 0; i < run.nr; i++) {
		struct lane *l = &run.lanes[i];
		double n = (double)l->replies, fc = (double)(l->feed_cycles - l->from_feed);
		double own = (double)l->cpu_us / (double)l->us;

		hz = (double)l->cycles / (double)l->us * 1e6;
		rate += n / (double)l->us;
		serve += ((double)l->cycles - fc) * own / n;
		feed += fc * own / n;
		frames += (double)(l->frames - l->from_frames) / n;
		share += own;
	}
	serve /= run.nr, feed /= run.nr, frames /= run.nr, share /= run.nr;
	printf("{\"op\":\"%s\",\"cores\":%u,\"conns\":%u,\"pipeline\":%u,\"value\":%u,\"keys\":%u,\"zipf\":%.2f,"
	       "\"mops\":%.3f,\"serve_cycles\":%.0f,\"feed_cycles\":%.0f,\"frames\":%.3f,\"serve_mops_core\":%.3f,"
	       "\"serve_gbit_core\":%.2f,\"ghz\":%.2f,\"share\":%.2f}\n",
		ops[run.cfg.op], run.nr, run.cfg.conns, run.cfg.pipeline, run.cfg.value_len,
		run.cfg.nr_keys, run.cfg.zipf, rate, serve, feed, frames, hz / serve / 1e6,
		hz / serve * run.cfg.value_len * 8 / 1e9, hz / 1e9, share);
	fflush(stdout);
}

static bool all(size_t flag)
{
	for (unsigned i = 0; i < run.nr; i++)
		if (!atomic_load((atomic_bool *)((char *)&run.lanes[i] + flag)))
			return false;
	return true;
}

/* Core 0 leads the others from phase to phase. */
static void phase_lead(uint64_t now_us)
{
	int phase = atomic_load(&run.phase);
	uint64_t for_us = now_us - run.phase_us;

	if ((phase == PHASE_CONNECT && all(offsetof(struct lane, is_connected))) ||
		(phase == PHASE_LOAD && all(offsetof(struct lane, is_loaded))) ||
		(phase == PHASE_WARM && for_us >= run.cfg.warmup_s * SEC_US) ||
		(phase == PHASE_MEASURE && for_us >= run.cfg.seconds * SEC_US)) {
		run.phase_us = now_us;
		atomic_store(&run.phase, phase + 1);
	} else if (phase == PHASE_DONE && run.phase_us && all(offsetof(struct lane, is_done))) {
		run.phase_us = 0;
		report();
		kill(getpid(), SIGTERM);
	}
}

static void lane_phase(struct lane *l)
{
	int phase = atomic_load_explicit(&run.phase, memory_order_acquire);
	uint64_t now = clock_cycles();

	if (phase == PHASE_CONNECT && feed_is_connected(l->feed))
		atomic_store(&l->is_connected, true);
	if (phase == PHASE_LOAD && feed_is_loaded(l->feed))
		atomic_store(&l->is_loaded, true);
	if ((int)l->seen == phase)
		return;
	l->seen = (enum phase)phase;
	if (phase == PHASE_WARM)
		feed_start(l->feed);
	if (phase == PHASE_MEASURE) {
		l->from_cycles = now;
		l->from_us = clock_mono_us();
		l->from_cpu_us = thread_cpu_us();
		l->from_replies = feed_nr_replies(l->feed);
		l->from_feed = l->feed_cycles;
		l->from_frames = l->frames;
	}
	if (phase == PHASE_DONE) {
		l->cycles = now - l->from_cycles;
		l->us = clock_mono_us() - l->from_us;
		l->cpu_us = thread_cpu_us() - l->from_cpu_us;
		l->replies = feed_nr_replies(l->feed) - l->from_replies;
		atomic_store(&l->is_done, true);
	}
}

static uint16_t on_rx(
	uint16_t port, uint16_t queue, struct rte_mbuf **ms, uint16_t n, uint16_t max, void *ctx)
{
	struct lane *l = ctx;
	uint64_t start = clock_cycles();
	uint16_t made = 0;
	bool is_open = l->seen != PHASE_DONE;

	if (l->id == 0)
		phase_lead(clock_mono_us());
	lane_phase(l);
	while (is_open && made < n && made < FEED_BURST) {
		struct rte_mbuf *m = ms[made];
		uint32_t len = feed_next(l->feed, rte_pktmbuf_mtod(m, uint8_t *));

		if (len == 0)
			break;
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
		m->ol_flags = run.cfg.soft_csum
				      ? 0
				      : RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		made++;
	}
	rte_pktmbuf_free_bulk(ms + made, (unsigned)(n - made));
	l->frames += made;
	l->feed_cycles += clock_cycles() - start;
	return made;
}

/* The bytes of a frame, in one piece. */
static const uint8_t *frame_bytes(struct lane *l, const struct rte_mbuf *m)
{
	return rte_pktmbuf_read(m, 0, m->pkt_len, l->flat);
}

static uint16_t on_tx(uint16_t port, uint16_t queue, struct rte_mbuf **ms, uint16_t n, void *ctx)
{
	struct lane *l = ctx;
	uint64_t start = clock_cycles();

	for (uint16_t i = 0; i < n && l->seen != PHASE_DONE; i++) {
		if (feed_take(l->feed, frame_bytes(l, ms[i]), ms[i]->pkt_len))
			continue;
		fprintf(stderr, "feed: core %u: %s\n", l->id, feed_error(l->feed));
		_exit(EXIT_FAILURE);
	}
	l->feed_cycles += clock_cycles() - start;
	return n;
}

static bool is_mine(void *ctx, uint32_t client_ip, uint16_t client_port)
{
	const struct lane *l = ctx;
	struct ip_addr a = ip_addr_from_v4(client_ip), b = ip_addr_from_v4(client_ip ^ 1);

	return net_flow_hash_tuple(&b, run.server_port, &a, client_port) % run.nr == l->id;
}

static void lanes_make(uint16_t port, unsigned nr)
{
	const char *text = getenv("MILLRACE_FEED"), *tcp_port = getenv("MILLRACE_FEED_PORT"),
		   *ip = getenv("MILLRACE_FEED_IP");
	struct feed_peer peer = {.is_mine = is_mine};
	struct rte_ether_addr mac;
	struct in_addr in;
	char err[256];

	if (feed_cfg_parse(text ? text : "", &run.cfg, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		exit(EXIT_FAILURE);
	}
	BUG_ON(inet_pton(AF_INET, ip ? ip : "10.0.0.2", &in) != 1);
	rte_eth_macaddr_get(port, &mac);
	memcpy(peer.server_mac, mac.addr_bytes, 6);
	peer.server_ip = ntohl(in.s_addr);
	peer.server_port = run.server_port = (uint16_t)(tcp_port ? atoi(tcp_port) : 6379);
	run.nr = nr;
	for (unsigned i = 0; i < nr; i++) {
		struct lane *l = &run.lanes[i];

		l->id = i;
		peer.ctx = l;
		l->feed = feed_create(&run.cfg, &peer, i, nr);
		BUG_ON(!l->feed);
		BUG_ON(!rte_eth_add_rx_callback(port, (uint16_t)i, on_rx, l));
		BUG_ON(!rte_eth_add_tx_callback(port, (uint16_t)i, on_tx, l));
	}
	run.phase_us = clock_mono_us();
}

int __real_rte_eth_dev_start(uint16_t port);
int __wrap_rte_eth_dev_start(uint16_t port);

int __wrap_rte_eth_dev_start(uint16_t port)
{
	struct rte_eth_dev_info info;

	BUG_ON(rte_eth_dev_info_get(port, &info) != 0 || info.nb_rx_queues > CORES_MAX);
	lanes_make(port, info.nb_rx_queues);
	return __real_rte_eth_dev_start(port);
}
