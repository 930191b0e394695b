/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections come and go, in every way there is, and nothing stays behind: no packet, no
 * connection, no timer, no memory.
 *
 *	test_net_churn [number of connections]
 */
#include "tests/net/wire.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC        1000000ull
#define NR_SLOTS   64
#define MSG_BYTES  100
#define REFUSED_TH 23 /* each so many-th accept is refused */

/* How a connection ends; the client's message begins with it. */
enum way {
	CLIENT_CLOSES,
	SERVER_CLOSES,
	BOTH_CLOSE,
	CLIENT_ABORTS,
	SERVER_ABORTS,
	CLIENT_SHUTS_DOWN,
	SERVER_DETACHES,
	CLIENT_VANISHES, /* aborts before the answer */
	NR_WAYS,
};

struct churn;

/* One end of a connection. */
struct end {
	struct churn *churn;
	struct tcp_conn *conn;
	uint32_t got;
	uint8_t way;
};

struct churn {
	struct lab lab;
	struct end clients[NR_SLOTS];
	uint64_t nr_started;
	uint64_t nr_closed;
	uint64_t nr_accepts;
	uint64_t total;
	uint64_t nr_echoed;
};

static uint64_t churn_total = 100000;

static void message_send(struct end *e, const uint8_t *bytes, uint32_t len)
{
	assert_int_equal(obuf_append(tcp_conn_obuf(e->conn), bytes, len), 0);
	tcp_conn_push(e->conn);
}

static void on_connected(struct tcp_conn *conn)
{
	struct end *e = tcp_conn_user(conn);
	const uint8_t msg[MSG_BYTES] = {e->way};

	message_send(e, msg, sizeof(msg));
	if (e->way == CLIENT_VANISHES)
		tcp_conn_abort(conn);
}

/* What the client does when the answer is complete. */
static uint32_t on_answer(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct end *e = tcp_conn_user(conn);

	e->got += len;
	if (e->got < MSG_BYTES)
		return len;
	e->churn->nr_echoed++;
	switch (e->way) {
	case CLIENT_CLOSES:
	case BOTH_CLOSE: tcp_conn_close(conn); break;
	case CLIENT_ABORTS: tcp_conn_abort(conn); break;
	case CLIENT_SHUTS_DOWN: tcp_conn_shutdown(conn); break;
	default: break;
	}
	return len;
}

static void on_client_closed(struct tcp_conn *conn, int reason)
{
	struct end *e = tcp_conn_user(conn);

	e->conn = NULL;
	e->churn->nr_closed++;
}

static void on_eof(struct tcp_conn *conn)
{
	tcp_conn_close(conn);
}

static const struct tcp_ops client_ops = {
	.connected = on_connected,
	.data = on_answer,
	.eof = on_eof,
	.closed = on_client_closed,
};

static uint32_t on_request(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct end *e = tcp_conn_user(conn);

	if (e->got == 0)
		e->way = data[0];
	e->got += len;
	message_send(e, data, len);
	if (e->got < MSG_BYTES)
		return len;
	switch (e->way) {
	case SERVER_CLOSES:
	case BOTH_CLOSE: tcp_conn_close(conn); break;
	case SERVER_ABORTS: tcp_conn_abort(conn); break;
	case SERVER_DETACHES:
		tcp_conn_detach(conn);
		tcp_conn_close(conn);
		free(e);
		break;
	default: break;
	}
	return len;
}

static void on_server_closed(struct tcp_conn *conn, int reason)
{
	free(tcp_conn_user(conn));
}

static int on_accept(struct net *net, struct tcp_conn *conn);

static const struct tcp_ops server_ops = {
	.accept = on_accept,
	.data = on_request,
	.eof = on_eof,
	.closed = on_server_closed,
};

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);
	struct churn *t = (struct churn *)((char *)app->lab - offsetof(struct churn, lab));
	struct end *e;

	if (++t->nr_accepts % REFUSED_TH == 0)
		return -1;
	e = calloc(1, sizeof(*e));
	assert_non_null(e);
	e->churn = t;
	e->conn = conn;
	tcp_conn_set_user(conn, e);
	return 0;
}

/* A SYN of someone who is never heard of again. */
static void stray_syn(struct churn *t)
{
	uint8_t frame[256];
	const struct raw_tcp syn = {
		.src_v4 = 0x0a000000u | (uint32_t)(lab_random(&t->lab) % 200 + 10),
		.dst_v4 = host_v4(&t->lab.b),
		.sport = (uint16_t)(lab_random(&t->lab) | 1),
		.dport = LAB_PORT,
		.seq = (uint32_t)lab_random(&t->lab),
		.wnd = 1000,
		.flags = TCP_SYN,
	};

	lab_inject(&t->lab.b, frame, raw_tcp_build(frame, &t->lab.b, &syn));
}

static void slots_fill(struct churn *t)
{
	for (uint32_t i = 0; i < NR_SLOTS && t->nr_started < t->total; i++) {
		struct end *e = &t->clients[i];

		if (e->conn)
			continue;
		*e = (struct end){.churn = t, .way = (uint8_t)(t->nr_started % NR_WAYS)};
		assert_int_equal(tcp_connect(&t->lab.a.net, &t->lab.b.cfg.addrs[0].ip, LAB_PORT,
					 &client_ops, e, &e->conn),
			0);
		t->nr_started++;
		if (t->nr_started % 100 == 0)
			stray_syn(t);
	}
}

static void churn_run(struct churn *t, uint64_t nr)
{
	for (uint64_t idle = 0; t->nr_closed < nr; idle++) {
		const uint64_t before = t->nr_closed;

		slots_fill(t);
		lab_run(&t->lab, 500);
		if (t->nr_closed != before)
			idle = 0;
		assert_true(idle < 200000); /* 100 s without any end */
	}
}

static void conn_end(struct tcp_conn *conn, void *ctx)
{
	tcp_conn_abort(conn);
}

static void nothing_is_left(struct host *h)
{
	struct tcp_gauges g;

	tcp_gauges_read(&h->net, &g);
	assert_int_equal(g.conns, 0);
	assert_int_equal(g.half_open, 0);
	assert_int_equal(g.timewait, 0);
	assert_int_equal(g.rx_pkts, 0);
	assert_int_equal(h->net.obufs.used_bytes, 0);
	assert_int_equal(h->pool.nr_out, 0);
}

static void churn(uint64_t seed, uint32_t loss)
{
	struct churn *t = calloc(1, sizeof(*t));
	size_t used_before;

	assert_non_null(t);
	lab_init(&t->lab, seed);
	t->lab.a.cfg.tcp.msl_us = t->lab.b.cfg.tcp.msl_us = 20000;
	t->lab.a.cfg.tcp.linger_us = t->lab.b.cfg.tcp.linger_us = 5 * SEC;
	t->lab.a.cfg.tcp.rto_init_us = t->lab.b.cfg.tcp.rto_init_us = 50000;
	t->lab.a.cfg.tcp.rto_min_us = t->lab.b.cfg.tcp.rto_min_us = 20000;
	t->lab.a.cfg.tcp.rst_per_s = t->lab.b.cfg.tcp.rst_per_s = 1000000;
	t->lab.b.app.ops = &server_ops;
	t->total = churn_total;
	lab_up(&t->lab, 40);
	t->lab.loss = loss;
	churn_run(t, t->total / 5);
	used_before = mallinfo2().uordblks;
	churn_run(t, t->total);
	/* Those that never got their RST would find out by keepalive only. */
	tcp_listen_close(&t->lab.b.net, &t->lab.b.lst);
	tcp_conn_each(&t->lab.b.net, conn_end, NULL);
	lab_run(&t->lab, 20 * SEC);
	nothing_is_left(&t->lab.a);
	nothing_is_left(&t->lab.b);
	/* Blocks and chunks are kept for the next; their number does not grow any more. */
	assert_true(mallinfo2().uordblks <= used_before + 256 * 1024);
	assert_true(t->nr_echoed > t->total * 4 / 10);
	assert_int_equal(t->nr_closed, t->total);
	lab_down(&t->lab);
	free(t);
}

static void nothing_stays_behind(void **state)
{
	churn(1, 0);
}

static void nothing_stays_behind_a_bad_wire(void **state)
{
	churn(2, 200);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stays_behind),
		cmocka_unit_test(nothing_stays_behind_a_bad_wire),
	};

	if (argc > 1)
		churn_total = strtoull(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
