/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What connections may hold, each and all together: peers that send what nobody takes, leave gaps,
 * take nothing or acknowledge nothing. The bounds hold, a well-behaved connection goes on, and at
 * the end everything is back.
 */
#include "tests/net/wire.h"

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC     1000000ull
#define NR_EVIL 40

/* An evil peer that the test plays itself, frame by frame; the server's end is a real one. */
struct evil {
	uint16_t port;
	uint32_t seq; /* the next that the server expects */
	uint32_t ack;
	bool acks; /* acknowledges what it gets, at once */
};

struct bench {
	struct lab lab;
	struct evil evil[NR_EVIL];
	struct tcp_conn *served[NR_EVIL];
	uint32_t nr_served;
	bool takes_nothing;
	bool dumps; /* the server writes to every one as much as it can */
	uint64_t nr_refused_appends;
};

static struct bench *bench_of(const struct app *app)
{
	return (struct bench *)((char *)app->lab - offsetof(struct bench, lab));
}

static bool is_good(const struct tcp_conn *conn)
{
	return tcp_conn_peer(conn).port < 50000 || tcp_conn_peer(conn).port >= 50000 + NR_EVIL;
}

static void dump(struct bench *b, struct tcp_conn *conn)
{
	static const uint8_t bytes[16384];

	while (obuf_append(tcp_conn_obuf(conn), bytes, sizeof(bytes)) == 0)
		;
	b->nr_refused_appends++;
	tcp_conn_push(conn);
}

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);
	struct bench *b = bench_of(app);

	if (is_good(conn))
		return app_ops.accept(net, conn);
	tcp_conn_set_user(conn, app);
	b->served[b->nr_served++] = conn;
	if (b->dumps)
		dump(b, conn);
	return 0;
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	if (is_good(conn))
		return app_ops.data(conn, data, len);
	return bench_of(tcp_conn_user(conn))->takes_nothing ? 0 : len;
}

static void on_sent(struct tcp_conn *conn)
{
	if (is_good(conn))
		app_ops.sent(conn);
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	if (is_good(conn))
		app_ops.closed(conn, reason);
}

static const struct tcp_ops ops = {
	.accept = on_accept, .data = on_data, .sent = on_sent, .closed = on_closed};

static void evil_send(struct bench *b, const struct evil *e, uint8_t flags, int64_t off,
	const void *payload, uint32_t len)
{
	static const uint8_t opts[4] = {2, 4, 0, 216};
	uint8_t frame[2048];
	const struct raw_tcp t = {.src_v4 = host_v4(&b->lab.a),
		.dst_v4 = host_v4(&b->lab.b),
		.sport = e->port,
		.dport = LAB_PORT,
		.seq = e->seq + (uint32_t)off,
		.ack = e->ack,
		.wnd = 65535,
		.flags = flags,
		.payload = payload,
		.payload_len = len,
		.opts = opts,
		.opts_len = flags & TCP_SYN ? sizeof(opts) : 0};

	lab_inject(&b->lab.b, frame, raw_tcp_build(frame, &b->lab.b, &t));
}

/* What the server says to the evil ones does not reach host a. */
static enum lab_verdict evil_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct bench *b = ctx;
	const uint16_t port = s->is_tcp ? get_be16(s->bytes + s->tcp_off + 2) : 0;
	struct evil *e;

	if (!s->is_tcp || s->from != &lab->b || port < 50000 || port >= 50000 + NR_EVIL)
		return LAB_PASS;
	e = &b->evil[port - 50000];
	if ((s->flags & TCP_SYN) || e->acks)
		e->ack = s->seq + s->payload + !!(s->flags & TCP_SYN);
	return LAB_DROP;
}

static void evil_connect(struct bench *b)
{
	for (uint16_t i = 0; i < NR_EVIL; i++) {
		struct evil *e = &b->evil[i];

		e->port = (uint16_t)(50000 + i);
		e->seq = (uint32_t)lab_random(&b->lab);
		evil_send(b, e, TCP_SYN, 0, NULL, 0);
		e->seq++;
		evil_send(b, e, TCP_ACK, 0, NULL, 0);
		lab_run(&b->lab, 0);
	}
	assert_int_equal(b->nr_served, NR_EVIL);
}

static void bench_init(struct bench *b, uint64_t seed)
{
	memset(b, 0, sizeof(*b));
	lab_init(&b->lab, seed);
	b->lab.b.app.ops = &ops;
	b->lab.hook = evil_hook;
	b->lab.hook_ctx = b;
}

static void bench_up(struct bench *b)
{
	lab_up(&b->lab, 8);
	lab_establish(&b->lab);
}

static bool good_is_served(struct lab *lab)
{
	return lab->b.app.rx_done == lab->a.app.tx_total &&
	       lab->a.app.rx_done == lab->b.app.tx_total;
}

/* The good connection moves a quarter of a megabyte each way, over a wire that loses. */
static void good_goes_on(struct bench *b)
{
	b->lab.loss = 100;
	b->lab.a.app.tx_total += 1 << 18;
	b->lab.b.app.tx_total += 1 << 18;
	app_feed(&b->lab.a.app);
	app_feed(&b->lab.b.app);
	assert_true(lab_run_until(&b->lab, good_is_served, 60 * SEC));
	b->lab.loss = 0;
}

static void all_is_back(struct bench *b)
{
	struct tcp_gauges g;

	for (uint32_t i = 0; i < b->nr_served; i++)
		tcp_conn_abort(b->served[i]);
	lab_run(&b->lab, SEC);
	tcp_gauges_read(&b->lab.b.net, &g);
	assert_int_equal(g.conns, 1);
	assert_int_equal(g.rx_pkts, 0);
	assert_int_equal(b->lab.b.pool.nr_out, 0);
	assert_int_equal(b->lab.b.net.tcp->segs.nr_used, 0);
	good_goes_on(b);
	lab_down(&b->lab);
}

/* Data that the application does not take, in the smallest pieces. */
static void data_that_nobody_takes_is_bounded(void **state)
{
	struct bench b;
	struct tcp_conn_info info;
	struct tcp_gauges g;
	uint8_t bytes[1000] = {0};

	bench_init(&b, 1);
	b.lab.b.cfg.tcp.rcv_buf = 65536;
	b.lab.b.cfg.tcp.max_rx_pkts = 1000;
	b.takes_nothing = true;
	bench_up(&b);
	evil_connect(&b);
	for (uint32_t i = 0; i < NR_EVIL; i++) {
		for (uint32_t off = 0; off < 100000; off += off < 1000 ? 1 : 1000)
			evil_send(&b, &b.evil[i], TCP_ACK, off, bytes, off < 1000 ? 1 : 1000);
		lab_run(&b.lab, 100);
		tcp_conn_info(b.served[i], &info);
		assert_true(info.rx_queued_bytes <= 65536);
	}
	tcp_gauges_read(&b.lab.b.net, &g);
	assert_in_range(g.rx_pkts, 900, 1000);
	assert_int_equal(b.lab.b.pool.nr_out, g.rx_pkts);
	assert_true(host_drops(&b.lab.b, DROP_TCP_RX_FULL) > 0);
	good_goes_on(&b);
	all_is_back(&b);
}

/* Gaps everywhere: each byte needs a packet to wait in. */
static void data_with_gaps_is_bounded(void **state)
{
	struct bench b;
	struct tcp_conn_info info;
	struct tcp_gauges g;

	bench_init(&b, 2);
	b.lab.b.cfg.tcp.max_ooo_pkts = 100;
	b.lab.b.cfg.tcp.max_rx_pkts = 1000;
	bench_up(&b);
	evil_connect(&b);
	for (uint32_t i = 0; i < NR_EVIL; i++) {
		for (uint32_t n = 0; n < 300; n++)
			evil_send(&b, &b.evil[i], TCP_ACK, 2 + 2 * n, "x", 1);
		lab_run(&b.lab, 100);
		tcp_conn_info(b.served[i], &info);
		assert_true(info.ooo_pkts <= 100);
	}
	tcp_gauges_read(&b.lab.b.net, &g);
	assert_int_equal(g.rx_pkts, 1000);
	assert_int_equal(b.lab.b.pool.nr_out, 1000);
	good_goes_on(&b);
	all_is_back(&b);
}

/* Replies that nobody reads: output buffers have a bound, and memory is back afterwards. */
static void replies_that_nobody_reads_are_bounded(void **state)
{
	struct bench b;
	uint64_t used;

	bench_init(&b, 3);
	b.lab.b.cfg.obuf_bytes_max = 8 << 20;
	b.dumps = true;
	bench_up(&b);
	evil_connect(&b);
	used = b.lab.b.net.obufs.used_bytes;
	assert_in_range(used, 7 << 20, 8 << 20);
	assert_int_equal(b.nr_refused_appends, NR_EVIL);
	lab_run(&b.lab, 10 * SEC);
	assert_true(b.lab.b.net.obufs.used_bytes <= used);
	all_is_back(&b);
}

/* Peers with a small MSS and a large window, who acknowledge until much is in flight and then no
   more: records of segments run short. */
static void segments_in_flight_are_bounded(void **state)
{
	struct bench b;
	uint32_t used;

	bench_init(&b, 4);
	b.lab.b.cfg.tcp.max_segs = 4000;
	b.lab.b.cfg.obuf_bytes_max = 64 << 20;
	bench_up(&b);
	evil_connect(&b);
	for (uint32_t i = 0; i < NR_EVIL; i++) {
		static const uint8_t bytes[1 << 20];

		b.evil[i].acks = true;
		assert_int_equal(obuf_append(tcp_conn_obuf(b.served[i]), bytes, sizeof(bytes)), 0);
		tcp_conn_push(b.served[i]);
	}
	for (uint32_t round = 0; round < 10; round++) {
		lab_run(&b.lab, 100);
		for (uint32_t i = 0; i < NR_EVIL; i++)
			evil_send(&b, &b.evil[i], TCP_ACK, 0, NULL, 0);
	}
	for (uint32_t i = 0; i < NR_EVIL; i++)
		b.evil[i].acks = false;
	lab_run(&b.lab, 1000);
	used = b.lab.b.net.tcp->segs.nr_used;
	assert_in_range(used, 2900, 3000 + 16 * NR_EVIL);
	/* Nobody is sent to in vain, over and over. */
	assert_false(tcp_has_work(&b.lab.b.net));
	good_goes_on(&b);
	all_is_back(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_that_nobody_takes_is_bounded),
		cmocka_unit_test(data_with_gaps_is_bounded),
		cmocka_unit_test(replies_that_nobody_reads_are_bounded),
		cmocka_unit_test(segments_in_flight_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
