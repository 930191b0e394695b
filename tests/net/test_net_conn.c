/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening and closing connections, in every way and from every upcall.
 */
#include "tests/net/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

static bool all_closed(struct lab *lab)
{
	return lab->a.app.nr_closed && lab->b.app.nr_closed;
}

static bool a_closed(struct lab *lab)
{
	return lab->a.app.nr_closed;
}

static struct tcp_gauges gauges(const struct host *h)
{
	struct tcp_gauges g;

	tcp_gauges_read(&h->net, &g);
	return g;
}

static void handshake_agrees_on_options(void **state)
{
	struct lab lab;
	struct tcp_conn_info info;

	lab_init(&lab, 1);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.state, TCP_ST_ESTABLISHED);
	assert_true(info.has_timestamps && info.has_sack);
	assert_int_equal(info.snd_wscale, 5);
	assert_int_equal(info.rcv_wscale, 5);
	assert_int_equal(info.mss, 1448);
	assert_int_equal(info.cwnd_bytes, 14480);
	tcp_conn_info(lab.b.app.conn, &info);
	assert_int_equal(info.state, TCP_ST_ESTABLISHED);
	assert_int_equal(tcp_conn_peer(lab.a.app.conn).port, LAB_PORT);
	assert_int_equal(tcp_conn_local(lab.b.app.conn).port, LAB_PORT);
	assert_int_equal(gauges(&lab.b).half_open, 0);
	assert_int_equal(lab.b.app.nr_accept, 1);
	lab_down(&lab);
	assert_int_equal(lab.a.app.reason, ESHUTDOWN);
	assert_int_equal(lab.a.app.nr_closed, 1);
}

static void closed_port_refuses(void **state)
{
	struct lab lab;

	lab_init(&lab, 2);
	lab_up(&lab, 4);
	tcp_listen_close(&lab.b.net, &lab.b.lst);
	assert_null(lab.b.lst);
	lab_connect(&lab);
	assert_true(lab_run_until(&lab, a_closed, SEC));
	assert_int_equal(lab.a.app.reason, ECONNREFUSED);
	assert_int_equal(lab.a.app.nr_connected, 0);
	lab_down(&lab);
}

struct times {
	uint64_t at_us[32];
	uint32_t nr;
};

static enum lab_verdict tcp_record_and_drop(struct lab *lab, struct sniff *s, void *ctx)
{
	struct times *t = ctx;

	if (!s->is_tcp)
		return LAB_PASS;
	if (t->nr < 32)
		t->at_us[t->nr++] = lab->now_us;
	return LAB_DROP;
}

static void silent_host_times_out_with_backoff(void **state)
{
	struct lab lab;
	struct times t = {.nr = 0};

	lab_init(&lab, 3);
	lab.hook = tcp_record_and_drop;
	lab.hook_ctx = &t;
	lab_up(&lab, 4);
	lab_connect(&lab);
	assert_true(lab_run_until(&lab, a_closed, 200 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	/* The first SYN, then after 1, 2, 4, ... seconds; the limit is 60. */
	assert_int_equal(t.nr, 7);
	for (uint32_t i = 1; i < t.nr; i++) {
		const uint64_t gap = t.at_us[i] - t.at_us[i - 1];
		const uint64_t want = (1ull << (i - 1)) * SEC;

		assert_in_range(gap, want - 2500, want + 2500);
	}
	assert_in_range(lab.now_us - LAB_START, 122 * SEC, 124 * SEC);
	lab_down(&lab);
}

static enum lab_verdict drop_all(struct lab *lab, struct sniff *s, void *ctx)
{
	return LAB_DROP;
}

static void no_arp_answer_times_out(void **state)
{
	struct lab lab;

	lab_init(&lab, 4);
	lab.hook = drop_all;
	lab_up(&lab, 4);
	lab_connect(&lab);
	assert_true(lab_run_until(&lab, a_closed, 200 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	assert_true(host_drops(&lab.a, DROP_ARP_UNRESOLVED) > 0);
	lab_down(&lab);
}

static void no_route_is_an_error(void **state)
{
	struct lab lab;
	struct ip_addr far = ip_addr_from_v4(0xc0a80101);
	struct tcp_conn *conn;

	lab_init(&lab, 5);
	lab_up(&lab, 4);
	assert_int_equal(tcp_connect(&lab.a.net, &far, 1, &app_ops, NULL, &conn), -EHOSTUNREACH);
	assert_int_equal(tcp_connect(&lab.a.net, &lab.a.cfg.addrs[0].ip, 1, &app_ops, NULL, &conn),
		-EHOSTUNREACH);
	lab_down(&lab);
}

static void refused_accept_resets_the_peer(void **state)
{
	struct lab lab;

	lab_init(&lab, 6);
	lab.b.app.refuse = true;
	lab_up(&lab, 4);
	lab_connect(&lab);
	assert_true(lab_run_until(&lab, a_closed, SEC));
	assert_int_equal(lab.a.app.reason, ECONNRESET);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.nr_closed, 0);
	assert_int_equal(gauges(&lab.b).conns, 0);
	lab_down(&lab);
}

static void half_closed_by(bool is_a)
{
	struct lab lab;
	struct host *first, *second;

	lab_init(&lab, 7);
	lab_up(&lab, 4);
	lab_establish(&lab);
	first = is_a ? &lab.a : &lab.b;
	second = is_a ? &lab.b : &lab.a;
	tcp_conn_shutdown(first->app.conn);
	lab_run(&lab, SEC);
	assert_int_equal(second->app.nr_eof, 1);
	assert_int_equal(tcp_conn_state(first->app.conn), TCP_ST_FIN_WAIT_2);
	assert_int_equal(tcp_conn_state(second->app.conn), TCP_ST_CLOSE_WAIT);
	second->app.tx_total = 1 << 20;
	second->app.shutdown_at_end = true;
	app_feed(&second->app);
	assert_true(lab_run_until(&lab, all_closed, 60 * SEC));
	assert_int_equal(first->app.rx_done, 1 << 20);
	assert_int_equal(first->app.nr_eof, 1);
	assert_int_equal(first->app.reason, 0);
	assert_int_equal(second->app.reason, 0);
	assert_int_equal(gauges(first).timewait, 1);
	assert_int_equal(gauges(second).timewait, 0);
	lab_down(&lab);
}

static void client_half_closes(void **state)
{
	half_closed_by(true);
}

static void server_half_closes(void **state)
{
	half_closed_by(false);
}

static void both_close_at_once(void **state)
{
	struct lab lab;

	lab_init(&lab, 8);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	tcp_conn_close(lab.a.app.conn);
	tcp_conn_close(lab.b.app.conn);
	assert_true(lab_run_until(&lab, all_closed, SEC));
	lab_run(&lab, SEC);
	assert_int_equal(lab.a.app.reason, 0);
	assert_int_equal(lab.b.app.reason, 0);
	assert_int_equal(gauges(&lab.a).timewait, 1);
	assert_int_equal(gauges(&lab.b).timewait, 1);
	assert_int_equal(gauges(&lab.a).conns, 0);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RST_OUT), 0);
	lab_down(&lab);
}

static void both_open_at_once(void **state)
{
	struct lab lab;

	lab_init(&lab, 9);
	lab.a.cfg.tcp.port_lo = lab.a.cfg.tcp.port_hi = 5000;
	lab.b.cfg.tcp.port_lo = lab.b.cfg.tcp.port_hi = 5001;
	lab_up(&lab, 4);
	net_neigh_learn(&lab.a.net, &lab.b.cfg.addrs[0].ip, lab.b.cfg.mac, true);
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	lab.a.app.tx_total = lab.b.app.tx_total = 100000;
	lab.a.app.shutdown_at_end = lab.b.app.shutdown_at_end = true;
	assert_int_equal(tcp_connect(&lab.a.net, &lab.b.cfg.addrs[0].ip, 5001, &app_ops, &lab.a.app,
				 &lab.a.app.conn),
		0);
	assert_int_equal(tcp_connect(&lab.b.net, &lab.a.cfg.addrs[0].ip, 5000, &app_ops, &lab.b.app,
				 &lab.b.app.conn),
		0);
	assert_true(lab_run_until(&lab, all_closed, 10 * SEC));
	assert_int_equal(lab.a.app.nr_connected, 1);
	assert_int_equal(lab.b.app.nr_connected, 1);
	assert_int_equal(lab.a.app.rx_done, 100000);
	assert_int_equal(lab.b.app.rx_done, 100000);
	assert_int_equal(lab.a.app.reason, 0);
	lab_down(&lab);
}

static void close_drains_what_was_appended(void **state)
{
	struct lab lab;

	lab_init(&lab, 10);
	lab.b.app.close_at_eof = true;
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab.a.app.tx_total = 200000;
	app_feed(&lab.a.app);
	assert_int_equal(lab.a.app.tx_done, 200000);
	tcp_conn_close(lab.a.app.conn);
	assert_true(lab_run_until(&lab, all_closed, SEC));
	assert_int_equal(lab.b.app.rx_done, 200000);
	assert_int_equal(lab.a.app.reason, 0);
	lab_down(&lab);
}

static void held_bytes_wait_and_fin_with_them(void **state)
{
	struct lab lab;
	struct obuf *ob;
	uint8_t bytes[3000];

	lab_init(&lab, 11);
	lab.b.app.close_at_eof = true;
	lab_up(&lab, 4);
	lab_establish(&lab);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = app_pattern(i);
	ob = tcp_conn_obuf(lab.a.app.conn);
	assert_int_equal(obuf_append(ob, bytes, 1000), 0);
	obuf_hold(ob);
	assert_int_equal(obuf_append(ob, bytes + 1000, 2000), 0);
	tcp_conn_close(lab.a.app.conn);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 1000);
	assert_int_equal(lab.a.app.nr_closed, 0);
	obuf_release_to(ob, obuf_end(ob) - 500);
	tcp_conn_push(lab.a.app.conn);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 2500);
	assert_int_equal(lab.b.app.nr_eof, 0);
	obuf_release_all(ob);
	tcp_conn_push(lab.a.app.conn);
	assert_true(lab_run_until(&lab, all_closed, SEC));
	assert_int_equal(lab.b.app.rx_done, 3000);
	assert_int_equal(lab.a.app.reason, 0);
	lab_down(&lab);
}

static void abort_resets_the_peer(void **state)
{
	struct lab lab;

	lab_init(&lab, 12);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_abort(lab.a.app.conn);
	assert_int_equal(lab.a.app.nr_closed, 0); /* not from within the call */
	assert_true(lab_run_until(&lab, all_closed, SEC));
	assert_int_equal(lab.a.app.reason, ECONNABORTED);
	assert_int_equal(lab.b.app.reason, ECONNRESET);
	lab_down(&lab);
}

static void paused_reader_gets_data_then_eof(void **state)
{
	struct lab lab;

	lab_init(&lab, 13);
	lab.b.app.rx_limit = 100;
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_shutdown(lab.b.app.conn); /* so that b would go to TIME_WAIT */
	lab.a.app.tx_total = 50000;
	lab.a.app.shutdown_at_end = true;
	app_feed(&lab.a.app);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 100);
	assert_int_equal(lab.b.app.nr_eof, 0);
	assert_int_equal(lab.b.app.nr_closed, 0);
	lab.b.app.rx_limit = UINT64_MAX;
	tcp_conn_resume(lab.b.app.conn);
	assert_true(lab_run_until(&lab, all_closed, SEC));
	assert_int_equal(lab.b.app.rx_done, 50000);
	assert_int_equal(lab.b.app.nr_eof, 1);
	assert_int_equal(lab.b.app.reason, 0);
	lab_down(&lab);
}

static void timewait_ends_after_two_msl(void **state)
{
	struct lab lab;

	lab_init(&lab, 14);
	lab.b.app.close_at_eof = true;
	lab.a.cfg.tcp.msl_us = 5 * SEC;
	lab.a.cfg.arp_reach_us = lab.b.cfg.arp_reach_us = SEC;
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_close(lab.a.app.conn);
	assert_true(lab_run_until(&lab, all_closed, SEC));
	lab_run(&lab, 9 * SEC);
	assert_int_equal(gauges(&lab.a).timewait, 1);
	lab_run(&lab, 2 * SEC);
	assert_int_equal(gauges(&lab.a).timewait, 0);
	/* And then nothing is left to wait for. */
	lab_run(&lab, 60 * SEC);
	assert_true(net_next_deadline(&lab.a.net) == UINT64_MAX);
	assert_true(net_next_deadline(&lab.b.net) == UINT64_MAX);
	lab_down(&lab);
}

static enum lab_verdict synack_note(struct lab *lab, struct sniff *s, void *ctx)
{
	if (s->is_tcp && s->from == &lab->b && (s->flags & TCP_SYN))
		*(uint32_t *)ctx = s->seq;
	return LAB_PASS;
}

static void new_syn_recycles_timewait(void **state)
{
	struct lab lab;
	uint32_t isn = 0, last = 0;

	lab_init(&lab, 15);
	lab.a.app.close_at_eof = true;
	lab.a.cfg.tcp.port_lo = lab.a.cfg.tcp.port_hi = 4000;
	lab_up(&lab, 4);
	lab.hook = synack_note;
	lab.hook_ctx = &isn;
	for (int round = 1; round <= 5; round++) {
		lab.a.app.nr_connected = lab.b.app.nr_accept = 0;
		lab.a.app.nr_closed = lab.b.app.nr_closed = 0;
		lab.b.app.tx_total += 200000; /* faster than the clock of RFC 6528 */
		lab_establish(&lab);
		/* What belonged to the last connection cannot be taken for this one's. */
		assert_true(round == 1 || (int32_t)(isn - last) > 0);
		tcp_conn_close(lab.b.app.conn);
		assert_true(lab_run_until(&lab, all_closed, SEC));
		last = lab.b.last.seq;
		lab_run(&lab, 2000);
		assert_int_equal(gauges(&lab.b).timewait, 1);
		assert_int_equal(host_ctr(&lab.b, NET_CTR_TIMEWAIT_RECYCLED), round - 1);
	}
	lab_down(&lab);
}

static void timewait_is_bounded(void **state)
{
	struct lab lab;

	lab_init(&lab, 16);
	lab.b.app.close_at_eof = true;
	lab.a.cfg.tcp.max_timewait = 3;
	lab_up(&lab, 4);
	for (int round = 0; round < 10; round++) {
		lab.a.app.nr_connected = lab.b.app.nr_accept = 0;
		lab.a.app.nr_closed = lab.b.app.nr_closed = 0;
		lab_establish(&lab);
		tcp_conn_close(lab.a.app.conn);
		assert_true(lab_run_until(&lab, all_closed, SEC));
	}
	lab_run(&lab, SEC);
	assert_int_equal(gauges(&lab.a).timewait, 3);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_TIMEWAIT_EVICTED), 7);
	lab_down(&lab);
}

static void closed_side_does_not_wait_for_ever(void **state)
{
	struct lab lab;

	lab_init(&lab, 17);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_close(lab.a.app.conn);
	lab_run(&lab, SEC);
	/* b does not close its side. */
	assert_int_equal(lab.a.app.nr_closed, 1);
	assert_int_equal(gauges(&lab.a).conns, 1);
	lab_run(&lab, 60 * SEC);
	assert_int_equal(gauges(&lab.a).conns, 0);
	assert_int_equal(tcp_conn_state(lab.b.app.conn), TCP_ST_CLOSE_WAIT);
	lab_down(&lab);
}

static void close_with_a_dead_peer_is_bounded(void **state)
{
	struct lab lab;

	lab_init(&lab, 18);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab.hook = drop_all;
	lab.a.app.tx_total = 200000; /* more than the first window */
	app_feed(&lab.a.app);
	tcp_conn_close(lab.a.app.conn);
	lab_run(&lab, 59 * SEC);
	assert_int_equal(lab.a.app.nr_closed, 0);
	lab_run(&lab, 2 * SEC);
	assert_int_equal(lab.a.app.nr_closed, 1);
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	assert_int_equal(gauges(&lab.a).conns, 0);
	lab_down(&lab);
}

/* What a test does in an upcall. */
enum deed { DEED_CLOSE, DEED_ABORT, DEED_SHUTDOWN, DEED_FORGET, DEED_RESUME, NR_DEEDS };
enum place { IN_ACCEPT, IN_CONNECTED, IN_DATA, IN_SENT, IN_EOF, IN_CLOSED, NR_PLACES };

static enum deed the_deed(const struct app *app)
{
	return (enum deed)(app->rx_limit >> 8 & 0xff);
}

static void do_deed(struct tcp_conn *conn, struct app *app, enum place here)
{
	if (here != (enum place)(app->rx_limit & 0xff))
		return;
	switch (the_deed(app)) {
	case DEED_CLOSE: tcp_conn_close(conn); break;
	case DEED_ABORT:
		tcp_conn_abort(conn);
		tcp_conn_abort(conn);
		break;
	case DEED_SHUTDOWN: tcp_conn_shutdown(conn); break;
	case DEED_FORGET:
		tcp_conn_detach(conn);
		tcp_conn_abort(conn);
		break;
	case DEED_RESUME: tcp_conn_resume(conn); break;
	case NR_DEEDS: break;
	}
	/* All of these are harmless now, whatever happened. */
	tcp_conn_push(conn);
	tcp_conn_resume(conn);
	tcp_conn_set_keepalive(conn, 1000000, 1000000, 3);
}

static int deed_accept(struct net *net, struct tcp_conn *conn)
{
	const int rc = app_ops.accept(net, conn);

	do_deed(conn, tcp_conn_user(conn), IN_ACCEPT);
	return rc;
}

static void deed_connected(struct tcp_conn *conn)
{
	app_ops.connected(conn);
	do_deed(conn, tcp_conn_user(conn), IN_CONNECTED);
}

static uint32_t deed_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	do_deed(conn, tcp_conn_user(conn), IN_DATA);
	return len / 2;
}

static void deed_sent(struct tcp_conn *conn)
{
	do_deed(conn, tcp_conn_user(conn), IN_SENT);
}

static void deed_eof(struct tcp_conn *conn)
{
	do_deed(conn, tcp_conn_user(conn), IN_EOF);
}

static void deed_closed(struct tcp_conn *conn, int reason)
{
	struct app *app = tcp_conn_user(conn);

	app_ops.closed(conn, reason);
	do_deed(conn, app, IN_CLOSED);
}

static const struct tcp_ops deed_ops = {
	.accept = deed_accept,
	.connected = deed_connected,
	.data = deed_data,
	.sent = deed_sent,
	.eof = deed_eof,
	.closed = deed_closed,
};

static void every_call_is_safe_in_every_upcall(void **state)
{
	for (uint64_t place = 0; place < NR_PLACES; place++) {
		for (uint64_t deed = 0; deed < NR_DEEDS; deed++) {
			struct lab lab;

			lab_init(&lab, 19 + place * 16 + deed);
			lab.loss = 300;
			lab.jitter_us = 100;
			lab.a.app.ops = lab.b.app.ops = &deed_ops;
			lab.a.app.rx_limit = lab.b.app.rx_limit = place | deed << 8;
			lab.a.app.tx_total = lab.b.app.tx_total = 30000;
			lab.a.app.shutdown_at_end = true;
			lab_up(&lab, 4);
			lab_connect(&lab);
			lab_run(&lab, 300 * SEC);
			assert_true(lab.a.app.nr_closed <= 1);
			assert_true(lab.b.app.nr_closed <= 1);
			lab_down(&lab);
			if (deed != DEED_FORGET)
				assert_int_equal(lab.a.app.nr_closed, 1);
		}
	}
}

static void many_connections_at_once(void **state)
{
	struct lab lab;
	struct tcp_conn *conn;

	lab_init(&lab, 200);
	lab.b.cfg.tcp.max_conns = 300;
	lab_up(&lab, 1000);
	net_neigh_learn(&lab.a.net, &lab.b.cfg.addrs[0].ip, lab.b.cfg.mac, true);
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	for (int i = 0; i < 400; i++)
		assert_int_equal(tcp_connect(&lab.a.net, &lab.b.cfg.addrs[0].ip, LAB_PORT, &app_ops,
					 &lab.a.app, &conn),
			0);
	lab_run(&lab, 500000);
	assert_int_equal(lab.b.app.nr_accept, 300);
	assert_int_equal(gauges(&lab.b).conns, 300);
	assert_true(host_drops(&lab.b, DROP_TCP_BACKLOG) >= 100);
	lab_down(&lab);
	assert_int_equal(lab.a.app.nr_closed, 400);
	assert_int_equal(lab.b.app.nr_closed, 300);
}

static bool odd_ports(void *ctx, const struct ip_addr *laddr, uint16_t lport,
	const struct ip_addr *raddr, uint16_t rport)
{
	return lport & 1;
}

static void connect_chooses_a_port_of_this_core(void **state)
{
	struct lab lab;
	struct net_ops ops;
	struct tcp_conn *conn;

	lab_init(&lab, 201);
	lab.a.cfg.tcp.port_lo = 1000;
	lab.a.cfg.tcp.port_hi = 1009;
	lab_up(&lab, 1000);
	ops = *lab.a.net.ops;
	ops.flow_mine = odd_ports;
	lab.a.net.ops = &ops;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(tcp_connect(&lab.a.net, &lab.b.cfg.addrs[0].ip, LAB_PORT, &app_ops,
					 &lab.a.app, &conn),
			0);
		assert_true(tcp_conn_local(conn).port & 1);
	}
	assert_int_equal(tcp_connect(&lab.a.net, &lab.b.cfg.addrs[0].ip, LAB_PORT, &app_ops,
				 &lab.a.app, &conn),
		-EADDRNOTAVAIL);
	lab_down(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_agrees_on_options),
		cmocka_unit_test(closed_port_refuses),
		cmocka_unit_test(silent_host_times_out_with_backoff),
		cmocka_unit_test(no_arp_answer_times_out),
		cmocka_unit_test(no_route_is_an_error),
		cmocka_unit_test(refused_accept_resets_the_peer),
		cmocka_unit_test(client_half_closes),
		cmocka_unit_test(server_half_closes),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(both_open_at_once),
		cmocka_unit_test(close_drains_what_was_appended),
		cmocka_unit_test(held_bytes_wait_and_fin_with_them),
		cmocka_unit_test(abort_resets_the_peer),
		cmocka_unit_test(paused_reader_gets_data_then_eof),
		cmocka_unit_test(timewait_ends_after_two_msl),
		cmocka_unit_test(new_syn_recycles_timewait),
		cmocka_unit_test(timewait_is_bounded),
		cmocka_unit_test(closed_side_does_not_wait_for_ever),
		cmocka_unit_test(close_with_a_dead_peer_is_bounded),
		cmocka_unit_test(every_call_is_safe_in_every_upcall),
		cmocka_unit_test(many_connections_at_once),
		cmocka_unit_test(connect_chooses_a_port_of_this_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
