/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Segments that come out of order, overlap, repeat or arrive in pieces: what is delivered, and
 * what the peer is told.
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

/* The last segment that b sent, with its SACK blocks relative to forge_seq. */
struct report {
	uint32_t ack;
	uint32_t nr;
	uint32_t start[4];
	uint32_t end[4];
	uint32_t nr_seen;
};

static enum lab_verdict report_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct report *r = ctx;
	const uint8_t *tcp = s->bytes + 34;

	if (!s->is_tcp || s->from != &lab->b)
		return LAB_PASS;
	r->ack = s->ack - lab->forge_seq;
	r->nr = 0;
	r->nr_seen++;
	for (uint32_t at = 32; at + 4 <= (uint32_t)(tcp[12] >> 4) * 4; at += 4) {
		if (tcp[at + 2] != 5)
			continue;
		r->nr = (tcp[at + 3] - 2u) / 8;
		for (uint32_t i = 0; i < r->nr; i++) {
			r->start[i] = get_be32(tcp + at + 4 + 8 * i) - lab->forge_seq;
			r->end[i] = get_be32(tcp + at + 8 + 8 * i) - lab->forge_seq;
		}
		break;
	}
	return LAB_DROP; /* a has sent nothing: it would only be confused */
}

static void up(struct lab *lab, struct report *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	lab_init(lab, seed);
	lab_up(lab, 8);
	lab_establish(lab);
	lab_run(lab, SEC);
	lab->forge_seq = lab->a.last.seq;
	lab->forge_pos = 0;
	lab->forge_fixed = true;
	lab->hook = report_hook;
	lab->hook_ctx = r;
}

static void send(struct lab *lab, int64_t at, uint32_t len)
{
	lab_forge(lab, TCP_ACK, at, 0, len);
}

static void gap_is_reported_and_filled(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 1);
	send(&lab, 100, 50);
	assert_int_equal(r.nr_seen, 1); /* at once */
	assert_int_equal(r.ack, 0);
	assert_int_equal(r.nr, 1);
	assert_int_equal(r.start[0], 100);
	assert_int_equal(r.end[0], 150);
	assert_int_equal(lab.b.app.rx_done, 0);
	send(&lab, 0, 100);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.ack, 150);
	assert_int_equal(r.nr, 0);
	assert_int_equal(lab.b.app.rx_done, 150);
	lab_down(&lab);
}

/* One that is lost must not take the news of several with it, and none waits. */
static void after_a_loss_segments_are_acknowledged_one_by_one(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 20);
	send(&lab, 0, 100);
	assert_int_equal(r.nr_seen, 0); /* before: it waits for the end of the burst, or longer */
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.nr_seen, 0);
	send(&lab, 200, 100);
	assert_int_equal(r.nr_seen, 1);
	send(&lab, 100, 100);
	assert_int_equal(r.nr_seen, 2);
	assert_int_equal(r.ack, 300);
	assert_int_equal(r.nr, 0);
	for (uint32_t i = 3; i < 40; i++) {
		send(&lab, i * 100, 100);
		if (i < 18)
			assert_int_equal(r.ack, (i + 1) * 100);
	}
	assert_int_equal(r.nr_seen, 17); /* for so many segments only */
	lab_run(&lab, SEC);
	assert_int_equal(r.ack, 4000);
	assert_int_equal(lab.b.app.rx_done, 4000);
	lab_down(&lab);
}

static void newest_block_comes_first(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 2);
	for (int i = 1; i <= 5; i++)
		send(&lab, i * 100, 10);
	assert_int_equal(r.nr, 3); /* as many as fit beside timestamps */
	assert_int_equal(r.start[0], 500);
	assert_int_equal(r.start[1], 400);
	assert_int_equal(r.start[2], 300);
	/*  |300-310|  then  |310-400|400-410|: one block */
	send(&lab, 310, 90);
	assert_int_equal(r.start[0], 300);
	assert_int_equal(r.end[0], 410);
	assert_int_equal(r.start[1], 500);
	lab_down(&lab);
}

static void duplicate_is_reported(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 3);
	send(&lab, 0, 200);
	net_run(&lab.b.net, lab.now_us);
	send(&lab, 50, 100);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.ack, 200);
	assert_int_equal(r.nr, 1);
	assert_int_equal(r.start[0], 50);
	assert_int_equal(r.end[0], 150);
	/* Once only. */
	send(&lab, 300, 10);
	assert_int_equal(r.nr, 1);
	assert_int_equal(r.start[0], 300);
	/* And of what is kept out of order. */
	send(&lab, 300, 10);
	assert_int_equal(r.nr, 2);
	assert_int_equal(r.start[0], 300);
	assert_int_equal(r.start[1], 300);
	lab_down(&lab);
}

static void overlaps_are_cut_and_nothing_is_delivered_twice(void **state)
{
	struct lab lab;
	struct report r;

	/*      100      200      300      400
	 *       |========|        |========|      kept
	 *  |---------|                            cut at its end
	 *            |----------------|           cut at both
	 *                              |------|   nothing new
	 */
	up(&lab, &r, 4);
	send(&lab, 100, 100);
	send(&lab, 300, 100);
	send(&lab, 50, 70);
	send(&lab, 120, 220);
	send(&lab, 320, 70);
	assert_int_equal(r.ack, 0);
	assert_int_equal(host_drops(&lab.b, DROP_TCP_DUP), 1);
	send(&lab, 0, 60);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.ack, 400);
	assert_int_equal(lab.b.app.rx_done, 400);
	lab_down(&lab);
}

static void fin_before_its_data_waits(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 5);
	lab_forge(&lab, TCP_ACK | TCP_FIN, 300, 0, 0);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.nr_seen, 1); /* told at once that something is missing */
	assert_int_equal(r.ack, 0);
	assert_int_equal(lab.b.app.nr_eof, 0);
	send(&lab, 100, 200);
	send(&lab, 250, 300); /* what lies beyond the FIN is not */
	send(&lab, 0, 100);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.ack, 301);
	assert_int_equal(lab.b.app.rx_done, 300);
	assert_int_equal(lab.b.app.nr_eof, 1);
	assert_int_equal(tcp_conn_state(lab.b.app.conn), TCP_ST_CLOSE_WAIT);
	lab_down(&lab);
}

static void data_kept_beyond_a_later_fin_is_forgotten(void **state)
{
	struct lab lab;
	struct report r;

	up(&lab, &r, 8);
	send(&lab, 100, 300);
	send(&lab, 500, 100);
	lab_forge(&lab, TCP_ACK | TCP_FIN, 300, 0, 0);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.nr, 1);
	assert_int_equal(r.end[0], 300);
	send(&lab, 0, 100);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(r.ack, 301);
	assert_int_equal(r.nr, 0);
	assert_int_equal(lab.b.app.rx_done, 300);
	assert_int_equal(lab.b.app.nr_eof, 1);
	lab_down(&lab);
}

static void data_beyond_the_window_is_cut(void **state)
{
	struct lab lab;
	struct report r;
	struct tcp_conn_info info;

	up(&lab, &r, 6);
	tcp_conn_info(lab.b.app.conn, &info);
	assert_int_equal(info.rcv_wnd_bytes, 65535); /* as the SYN could say */
	send(&lab, info.rcv_wnd_bytes, 10);
	tcp_conn_info(lab.b.app.conn, &info); /* and as the answer to that says */
	assert_int_equal(info.rcv_wnd_bytes, 1u << 20);
	assert_int_equal(host_drops(&lab.b, DROP_TCP_WINDOW), 1);
	send(&lab, info.rcv_wnd_bytes - 5, 10);
	assert_int_equal(r.nr, 1);
	assert_int_equal(r.end[0], info.rcv_wnd_bytes);
	lab_down(&lab);
}

static void echo_is_of_the_oldest_unacknowledged(void **state)
{
	struct lab lab;
	struct report r;
	uint8_t first[4];

	up(&lab, &r, 7);
	/* RFC 7323, 4.3 (B): a hole does not advance the echo, its filling does. */
	put_be32(lab.a.last.tsval, get_be32(lab.a.last.tsval) + 5);
	memcpy(first, lab.a.last.tsval, 4);
	send(&lab, 0, 10);
	net_run(&lab.b.net, lab.now_us);
	lab_run(&lab, SEC);
	assert_memory_equal(lab.b.last.tsecr, first, 4);
	put_be32(lab.a.last.tsval, get_be32(first) + 100);
	send(&lab, 20, 10);
	assert_memory_equal(lab.b.last.tsecr, first, 4);
	put_be32(lab.a.last.tsval, get_be32(first) + 200);
	send(&lab, 10, 10);
	net_run(&lab.b.net, lab.now_us);
	assert_memory_equal(lab.b.last.tsecr, lab.a.last.tsval, 4);
	lab_down(&lab);
}

#define TOTAL 20000u

static void any_order_delivers_the_pattern(void **state)
{
	for (uint64_t seed = 100; seed < 150; seed++) {
		struct lab lab;
		struct report r;

		up(&lab, &r, seed);
		if (seed % 3 == 0)
			lab.b.app.rx_limit = 0;
		for (uint32_t n = 0; n < 100000 && r.ack != TOTAL + 1; n++) {
			/* Somewhere ahead of what is there; now and then just there, or behind. */
			const uint32_t span = lab_random(&lab) % 4 ? 4000 : 50;
			int64_t at = r.ack + (int64_t)(lab_random(&lab) % span) - 30;
			uint32_t len = (uint32_t)(lab_random(&lab) % 1000 + 1);

			if (at < 0)
				at = 0;
			if (at > TOTAL)
				at = TOTAL;
			if (at + len > TOTAL)
				len = (uint32_t)(TOTAL - at);
			lab_forge(
				&lab, at + len == TOTAL ? TCP_ACK | TCP_FIN : TCP_ACK, at, 0, len);
			if (lab_random(&lab) % 8 == 0 && lab.b.app.rx_limit != UINT64_MAX) {
				lab.b.app.rx_limit += lab_random(&lab) % 2000;
				tcp_conn_resume(lab.b.app.conn);
			}
			lab_run(&lab, 10);
		}
		lab.b.app.rx_limit = UINT64_MAX;
		tcp_conn_resume(lab.b.app.conn);
		lab_run(&lab, 1000);
		assert_int_equal(lab.b.app.rx_done, TOTAL);
		assert_int_equal(lab.b.app.rx_wrong, 0);
		assert_int_equal(lab.b.app.nr_eof, 1);
		lab_down(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gap_is_reported_and_filled),
		cmocka_unit_test(after_a_loss_segments_are_acknowledged_one_by_one),
		cmocka_unit_test(newest_block_comes_first),
		cmocka_unit_test(duplicate_is_reported),
		cmocka_unit_test(overlaps_are_cut_and_nothing_is_delivered_twice),
		cmocka_unit_test(fin_before_its_data_waits),
		cmocka_unit_test(data_kept_beyond_a_later_fin_is_forgotten),
		cmocka_unit_test(data_beyond_the_window_is_cut),
		cmocka_unit_test(echo_is_of_the_oldest_unacknowledged),
		cmocka_unit_test(any_order_delivers_the_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
