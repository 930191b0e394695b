/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the clock does to connections: retransmission, probes, delayed ACKs, keepalive; and what
 * must not need it.
 */
#include "tests/net/wire.h"

#include "dataplane/tcp/conn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

/* Sees what one host sends, and may drop it. */
struct watch {
	const struct host *from;
	uint64_t at_us[256];
	struct sniff seen[256];
	uint32_t nr;
	uint32_t drop_nth; /* data segments to drop from now: bit i drops the i-th */
	uint32_t drop_acks;
	uint32_t nr_data;
	bool drop_all;
	bool drop_updates; /* pure ACKs with a window */
};

static enum lab_verdict watch_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct watch *w = ctx;

	if (!s->is_tcp || s->from != w->from)
		return LAB_PASS;
	if (w->nr < 256) {
		w->seen[w->nr] = *s;
		w->at_us[w->nr++] = lab->now_us;
	}
	if (w->drop_all || (w->drop_updates && !s->payload && s->wnd))
		return LAB_DROP;
	if (s->payload && w->nr_data < 32 && (w->drop_nth >> w->nr_data++ & 1))
		return LAB_DROP;
	return LAB_PASS;
}

static void watch_start(struct lab *lab, struct watch *w, const struct host *from)
{
	memset(w, 0, sizeof(*w));
	w->from = from;
	lab->hook = watch_hook;
	lab->hook_ctx = w;
}

static bool a_closed(struct lab *lab)
{
	return lab->a.app.nr_closed;
}

static bool b_has_all(struct lab *lab)
{
	return lab->b.app.rx_done == lab->a.app.tx_total;
}

static void send_bytes(struct app *app, uint64_t n)
{
	app->tx_total += n;
	app_feed(app);
}

static void retransmissions_back_off(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 1);
	lab.a.cfg.tcp.tlp = false;
	lab.a.cfg.tcp.max_rtx = 10;
	lab.a.cfg.tcp.rto_max_us = 20 * SEC;
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_all = true;
	send_bytes(&lab.a.app, 100);
	assert_true(lab_run_until(&lab, a_closed, 600 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	assert_int_equal(w.nr, 11);
	for (uint32_t i = 1; i < w.nr; i++) {
		uint64_t want = (200000ull << (i - 1));

		if (want > 20 * SEC)
			want = 20 * SEC;
		assert_in_range(w.at_us[i] - w.at_us[i - 1], want, want + 2500);
		assert_int_equal(w.seen[i].seq, w.seen[0].seq);
		assert_int_equal(w.seen[i].payload, 100);
	}
	lab_down(&lab);
}

static void backoff_ends_with_progress(void **state)
{
	struct lab lab;
	struct watch w;
	struct tcp_conn_info info;

	lab_init(&lab, 2);
	lab.a.cfg.tcp.tlp = false;
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_nth = 0x7; /* the segment and two retransmissions */
	send_bytes(&lab.a.app, 100);
	assert_true(lab_run_until(&lab, b_has_all, 10 * SEC));
	lab_run(&lab, SEC);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 3);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_in_range(info.rto_us, 200000, 210000);
	assert_int_equal(info.inflight_bytes, 0);
	lab_down(&lab);
}

static void tail_loss_is_probed_before_the_timeout(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 3);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_nth = 1u << 3; /* the last of four */
	send_bytes(&lab.a.app, 4 * 1448);
	assert_true(lab_run_until(&lab, b_has_all, SEC));
	assert_int_equal(host_ctr(&lab.a, NET_CTR_TLP), 1);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
	lab_down(&lab);
}

static void whole_flight_but_the_first_is_repaired_by_one_probe(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 4);
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app,
		2 * 1448); /* measures the path, which the SYN could not: it waited for ARP */
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_nth = 0x3fe; /* nine of ten */
	send_bytes(&lab.a.app, 10 * 1448);
	assert_true(lab_run_until(&lab, b_has_all, SEC));
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
	lab_down(&lab);
}

static void single_loss_is_repaired_within_round_trips(void **state)
{
	for (uint32_t nth = 0; nth < 8; nth++) {
		struct lab lab;
		struct watch w;
		uint64_t start_us;

		lab_init(&lab, 5);
		lab_up(&lab, 4);
		lab_establish(&lab);
		lab_run(&lab, SEC);
		watch_start(&lab, &w, &lab.a);
		w.drop_nth = 1u << nth;
		start_us = lab.now_us;
		send_bytes(&lab.a.app, 60 * 1448);
		assert_true(lab_run_until(&lab, b_has_all, SEC));
		assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_RETRANS), 1);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_FAST_RETRANS), 1);
		assert_true(lab.now_us - start_us < 5000);
		lab_down(&lab);
	}
}

static void lost_retransmission_needs_no_timeout(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 6);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_nth = 1u << 2 | 1u << 10; /* the third, and the first retransmission */
	send_bytes(&lab.a.app, 100 * 1448);
	assert_true(lab_run_until(&lab, b_has_all, SEC));
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
	lab_down(&lab);
}

static void lone_segment_is_acknowledged_after_the_delay(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 7);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.b);
	send_bytes(&lab.a.app, 10);
	lab_run(&lab, 30000);
	assert_int_equal(w.nr, 0);
	lab_run(&lab, 15000);
	assert_int_equal(w.nr, 1);
	assert_int_equal(w.seen[0].payload, 0);
	lab_down(&lab);
}

static void two_segments_are_acknowledged_at_once(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 8);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.b);
	send_bytes(&lab.a.app, 2 * 1448);
	lab_run(&lab, 1000);
	assert_int_equal(w.nr, 1);
	lab_down(&lab);
}

static void reply_carries_the_ack(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 9);
	lab.b.app.echo = true;
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.b);
	for (int i = 0; i < 10; i++) {
		send_bytes(&lab.a.app, 10);
		lab_run(&lab, 1000);
	}
	assert_int_equal(lab.a.app.rx_done, 100);
	assert_int_equal(w.nr, 10);
	lab_down(&lab);
}

static void replies_of_a_burst_share_segments(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 10);
	lab_up(&lab, 4);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.b);
	for (int i = 0; i < 100; i++)
		send_bytes(&lab.b.app, 5);
	lab_run(&lab, 1000);
	assert_int_equal(w.nr, 1);
	assert_int_equal(w.seen[0].payload, 500);
	lab_down(&lab);
}

static void closed_window_is_probed_and_reopens(void **state)
{
	struct lab lab;
	struct watch w;
	uint64_t last_gap = 0;

	lab_init(&lab, 11);
	lab.b.cfg.tcp.rcv_buf = 16384;
	lab.b.app.rx_limit = 0;
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 100000);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 0);
	watch_start(&lab, &w, &lab.a);
	lab_run(&lab, 300 * SEC); /* the peer lives: it is not given up */
	assert_int_equal(lab.a.app.nr_closed, 0);
	assert_in_range(w.nr, 8, 16);
	for (uint32_t i = 0; i < w.nr; i++)
		assert_int_equal(w.seen[i].payload, 0);
	for (uint32_t i = 1; i < w.nr; i++) {
		const uint64_t gap = w.at_us[i] - w.at_us[i - 1];

		assert_true(gap + 2500 >= last_gap);
		assert_true(gap <= 61 * SEC);
		last_gap = gap;
	}
	lab.b.app.rx_limit = UINT64_MAX;
	tcp_conn_resume(lab.b.app.conn);
	assert_true(lab_run_until(&lab, b_has_all, SEC / 10)); /* no probe is needed */
	lab_down(&lab);
}

static void lost_window_update_is_found_by_the_probe(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 12);
	lab.b.cfg.tcp.rcv_buf = 16384;
	lab.b.app.rx_limit = 0;
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 100000);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.b);
	w.drop_updates = true;
	lab.b.app.rx_limit = UINT64_MAX;
	tcp_conn_resume(lab.b.app.conn);
	lab_run(&lab, 1000);
	w.drop_updates = false;
	assert_true(lab_run_until(&lab, b_has_all, 10 * SEC));
	lab_down(&lab);
}

static void silent_peer_with_a_closed_window_is_given_up(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 13);
	lab.a.cfg.tcp.max_rtx = 5;
	lab.b.cfg.tcp.rcv_buf = 16384;
	lab.b.app.rx_limit = 0;
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 100000);
	lab_run(&lab, SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_all = true;
	assert_true(lab_run_until(&lab, a_closed, 600 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	lab_down(&lab);
}

static void slow_reader_sees_no_silly_windows(void **state)
{
	struct lab lab;
	struct watch w;

	lab_init(&lab, 14);
	lab.b.cfg.tcp.rcv_buf = 16384;
	lab.b.app.rx_limit = 0;
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 200000);
	lab_run(&lab, SEC / 10);
	watch_start(&lab, &w, &lab.a);
	while (lab.b.app.rx_done < 100000) {
		lab.b.app.rx_limit += 50;
		tcp_conn_resume(lab.b.app.conn);
		lab_run(&lab, 500);
	}
	for (uint32_t i = 0; i < w.nr; i++) {
		if (w.seen[i].payload)
			assert_true(w.seen[i].payload >= 1000);
	}
	lab_down(&lab);
}

static void dead_peer_is_found_by_keepalive(void **state)
{
	struct lab lab;
	struct watch w;
	uint64_t start_us;

	lab_init(&lab, 15);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_set_keepalive(lab.a.app.conn, 10 * SEC, 2 * SEC, 3);
	lab_run(&lab, 35 * SEC);
	assert_in_range(host_ctr(&lab.a, NET_CTR_KEEPALIVE), 2, 4); /* answered */
	assert_int_equal(lab.a.app.nr_closed, 0);
	watch_start(&lab, &w, &lab.b);
	w.drop_all = true;
	start_us = lab.now_us;
	assert_true(lab_run_until(&lab, a_closed, 60 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	assert_true(lab.now_us - start_us <= 17 * SEC);
	lab_down(&lab);
}

static void user_timeout_ends_a_stuck_connection(void **state)
{
	struct lab lab;
	struct watch w;
	uint64_t start_us;

	lab_init(&lab, 16);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_set_user_timeout(lab.a.app.conn, 5 * SEC);
	watch_start(&lab, &w, &lab.a);
	w.drop_all = true;
	send_bytes(&lab.a.app, 100);
	start_us = lab.now_us;
	assert_true(lab_run_until(&lab, a_closed, 60 * SEC));
	assert_int_equal(lab.a.app.reason, ETIMEDOUT);
	assert_in_range(lab.now_us - start_us, 5 * SEC, 5 * SEC + 5000);
	lab_down(&lab);
}

static void idle_connection_sleeps(void **state)
{
	struct lab lab;

	lab_init(&lab, 17);
	lab.a.cfg.arp_reach_us = lab.b.cfg.arp_reach_us = SEC;
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 100000);
	lab_run(&lab, 60 * SEC);
	assert_true(net_next_deadline(&lab.a.net) == UINT64_MAX);
	assert_true(net_next_deadline(&lab.b.net) == UINT64_MAX);
	lab_down(&lab);
}

static enum lab_verdict cut_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	return *(const bool *)ctx ? LAB_DROP : LAB_PASS;
}

static bool b_has_3000(struct lab *lab)
{
	return lab->b.app.rx_done == 3000;
}

/* After ten seconds without the link the next retransmission is seconds away: the link's return
   brings it near. */
static void link_that_is_back_ends_long_waits(void **state)
{
	struct lab lab;
	bool is_cut = false;
	uint64_t since_us;

	lab_init(&lab, 40);
	lab.hook = cut_hook;
	lab.hook_ctx = &is_cut;
	lab_up(&lab, 16);
	lab_establish(&lab);
	is_cut = true;
	net_link(&lab.a.net, false, true);
	lab.a.app.tx_total = 3000;
	app_feed(&lab.a.app);
	lab_run(&lab, 10 * SEC);
	is_cut = false;
	net_link(&lab.a.net, true, true);
	since_us = lab.now_us;
	assert_true(lab_run_until(&lab, b_has_3000, 60 * SEC));
	assert_true(lab.now_us - since_us < 500000);
	assert_int_equal(lab.a.app.nr_closed, 0);
	lab_down(&lab);
}

static void idle_connection_starts_slowly_again(void **state)
{
	struct lab lab;
	struct tcp_conn_info info;

	lab_init(&lab, 18);
	lab_up(&lab, 4);
	lab_establish(&lab);
	send_bytes(&lab.a.app, 4 << 20);
	lab_run(&lab, SEC);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_true(info.cwnd_bytes > 14480);
	lab_run(&lab, 10 * SEC);
	send_bytes(&lab.a.app, 100);
	lab_run(&lab, 50);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.cwnd_bytes, 14480);
	lab_down(&lab);
}

static void clock_that_jumps_does_no_harm(void **state)
{
	struct lab lab;

	lab_init(&lab, 19);
	lab_up(&lab, 4);
	lab_establish(&lab);
	tcp_conn_set_keepalive(lab.a.app.conn, 10 * SEC, 2 * SEC, 3);
	lab.now_us += 30ull * 86400 * SEC; /* a month */
	send_bytes(&lab.a.app, 1 << 20);
	assert_true(lab_run_until(&lab, b_has_all, 10 * SEC));
	assert_int_equal(lab.a.app.nr_closed, 0);
	lab_down(&lab);
}

/* Without SACK duplicate ACKs below the last recovery point start no recovery. That point must not
   seem to lie ahead after 2^31 bytes. */
static void recovery_point_does_not_wrap(void **state)
{
	struct lab lab;
	struct watch w;
	struct tcp_conn *c;

	lab_init(&lab, 20);
	lab_up(&lab, 4);
	lab_establish(&lab);
	c = lab.a.app.conn;
	c->has_sack = false;
	send_bytes(&lab.a.app, 20 * 1448);
	lab_run(&lab, SEC);
	send_bytes(&lab.a.app, 20 * 1448);
	lab_run(&lab, 1);
	assert_non_null(c->tx);
	c->tx->recover = c->snd_una - 0x7fffffffu; /* as if so much had been sent without a loss */
	lab_run(&lab, 100);
	assert_non_null(c->tx);
	watch_start(&lab, &w, &lab.a);
	w.drop_nth = 1u << 2;
	send_bytes(&lab.a.app, 10 * 1448);
	assert_true(lab_run_until(&lab, b_has_all, 10 * SEC));
	assert_int_equal(host_ctr(&lab.a, NET_CTR_FAST_RETRANS), 1);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
	lab_down(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retransmissions_back_off),
		cmocka_unit_test(backoff_ends_with_progress),
		cmocka_unit_test(tail_loss_is_probed_before_the_timeout),
		cmocka_unit_test(whole_flight_but_the_first_is_repaired_by_one_probe),
		cmocka_unit_test(single_loss_is_repaired_within_round_trips),
		cmocka_unit_test(lost_retransmission_needs_no_timeout),
		cmocka_unit_test(lone_segment_is_acknowledged_after_the_delay),
		cmocka_unit_test(two_segments_are_acknowledged_at_once),
		cmocka_unit_test(reply_carries_the_ack),
		cmocka_unit_test(replies_of_a_burst_share_segments),
		cmocka_unit_test(closed_window_is_probed_and_reopens),
		cmocka_unit_test(lost_window_update_is_found_by_the_probe),
		cmocka_unit_test(silent_peer_with_a_closed_window_is_given_up),
		cmocka_unit_test(slow_reader_sees_no_silly_windows),
		cmocka_unit_test(dead_peer_is_found_by_keepalive),
		cmocka_unit_test(user_timeout_ends_a_stuck_connection),
		cmocka_unit_test(idle_connection_sleeps),
		cmocka_unit_test(link_that_is_back_ends_long_waits),
		cmocka_unit_test(idle_connection_starts_slowly_again),
		cmocka_unit_test(clock_that_jumps_does_no_harm),
		cmocka_unit_test(recovery_point_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
