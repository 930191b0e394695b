/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bulk transfer both ways at once over good and bad wires: every byte arrives, in order, and the
 * connection ends in order.
 */
#include "tests/net/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MB (1024u * 1024u)

static bool all_closed(struct lab *lab)
{
	return lab->a.app.nr_closed && lab->b.app.nr_closed;
}

static void report(struct lab *lab, const char *what)
{
	print_message("%s: %.3f s, a: %llu retrans %llu rto %llu tlp; b: %llu retrans %llu rto; "
		      "%u lost\n",
		what, (double)(lab->now_us - LAB_START) / 1e6,
		(unsigned long long)host_ctr(&lab->a, NET_CTR_RETRANS),
		(unsigned long long)host_ctr(&lab->a, NET_CTR_RTO),
		(unsigned long long)host_ctr(&lab->a, NET_CTR_TLP),
		(unsigned long long)host_ctr(&lab->b, NET_CTR_RETRANS),
		(unsigned long long)host_ctr(&lab->b, NET_CTR_RTO), lab->nr_lost);
}

/* Sends `a_bytes` from a and `b_bytes` from b, each closing its side at the end. */
static void transfer(struct lab *lab, uint64_t a_bytes, uint64_t b_bytes, const char *what)
{
	lab_up(lab, 16);
	lab->a.app.tx_total = a_bytes;
	lab->b.app.tx_total = b_bytes;
	lab->a.app.shutdown_at_end = lab->b.app.shutdown_at_end = true;
	lab_connect(lab);
	lab_run_until(lab, all_closed, 3600ull * 1000000);
	report(lab, what);
	assert_int_equal(lab->b.app.rx_done, a_bytes);
	assert_int_equal(lab->a.app.rx_done, b_bytes);
	assert_int_equal(lab->a.app.nr_eof, 1);
	assert_int_equal(lab->b.app.nr_eof, 1);
	assert_int_equal(lab->a.app.nr_closed, 1);
	assert_int_equal(lab->b.app.nr_closed, 1);
	assert_int_equal(lab->a.app.reason, 0);
	assert_int_equal(lab->b.app.reason, 0);
	lab_down(lab);
}

static void clean_wire_loses_nothing_and_repeats_nothing(void **state)
{
	struct lab lab;

	lab_init(&lab, 1);
	transfer(&lab, 32 * MB, 16 * MB, "clean");
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RETRANS), 0);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_RETRANS), 0);
}

static void one_percent_loss(void **state)
{
	struct lab lab;

	lab_init(&lab, 2);
	lab.loss = 100;
	transfer(&lab, 16 * MB, 16 * MB, "1% loss");
}

static void five_percent_loss(void **state)
{
	struct lab lab;

	lab_init(&lab, 3);
	lab.loss = 500;
	transfer(&lab, 8 * MB, 8 * MB, "5% loss");
}

static void twenty_percent_loss(void **state)
{
	struct lab lab;

	lab_init(&lab, 4);
	lab.loss = 2000;
	transfer(&lab, MB, MB, "20% loss");
}

static void reordering(void **state)
{
	struct lab lab;

	lab_init(&lab, 5);
	lab.jitter_us = 300;
	transfer(&lab, 8 * MB, 8 * MB, "reorder");
	/* The timeout is never needed: nothing was lost. */
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
}

static void duplication(void **state)
{
	struct lab lab;

	lab_init(&lab, 6);
	lab.dup = 1000;
	transfer(&lab, 8 * MB, 8 * MB, "dup");
}

static void corruption_is_dropped(void **state)
{
	struct lab lab;

	lab_init(&lab, 7);
	lab.corrupt = 200;
	transfer(&lab, 4 * MB, 4 * MB, "corrupt");
	assert_true(lab.nr_corrupt > 0);
	assert_true(host_drops(&lab.a, DROP_TCP_CSUM) + host_drops(&lab.b, DROP_TCP_CSUM) > 0);
}

static void everything_at_once(void **state)
{
	struct lab lab;

	lab_init(&lab, 8);
	lab.loss = 200;
	lab.dup = 200;
	lab.corrupt = 100;
	lab.jitter_us = 500;
	transfer(&lab, 4 * MB, 4 * MB, "all faults");
}

/* Overwrites the options of SYNs, but for the MSS, with NOPs, and mends the checksum. */
static enum lab_verdict options_strip(struct lab *lab, struct sniff *s, void *ctx)
{
	uint8_t *tcp = s->bytes + s->tcp_off;

	if (!s->is_tcp || !(s->flags & TCP_SYN))
		return LAB_PASS;
	for (uint32_t i = 24; i < (uint32_t)(tcp[12] >> 4) * 4; i++)
		tcp[i] = 1;
	frame_tcp_mend(s);
	return LAB_PASS;
}

static void newreno_without_sack_survives_loss(void **state)
{
	struct lab lab;

	lab_init(&lab, 9);
	lab.loss = 200;
	lab.a.cfg.tcp.cc = lab.b.cfg.tcp.cc = TCP_CC_NEWRENO;
	lab.hook = options_strip;
	transfer(&lab, 4 * MB, 4 * MB, "newreno");
}

static void large_frames_on_a_long_path(void **state)
{
	struct lab lab;

	lab_init(&lab, 10);
	lab.a.cfg.mtu = lab.b.cfg.mtu = 9000;
	lab.a.pool.buf_len = lab.b.pool.buf_len = 10240;
	lab.delay_us = 20000;
	lab.loss = 10;
	transfer(&lab, 16 * MB, 16 * MB, "jumbo");
}

static void tiny_receive_buffer(void **state)
{
	struct lab lab;

	lab_init(&lab, 11);
	lab.a.cfg.tcp.rcv_buf = lab.b.cfg.tcp.rcv_buf = 4096;
	lab.loss = 100;
	transfer(&lab, MB / 2, MB / 2, "tiny window");
}

struct mute {
	uint32_t nr_data;
	uint32_t lost_seq;
	uint64_t since_us; /* of the retransmission; 0: not yet seen */
};

/* Loses the fifth segment, and all that b says for 5 ms after it was sent again. */
static enum lab_verdict mute_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct mute *m = ctx;

	if (!s->is_tcp)
		return LAB_PASS;
	if (s->from == &lab->b)
		return m->since_us && lab->now_us < m->since_us + 5000 ? LAB_DROP : LAB_PASS;
	if (!s->payload)
		return LAB_PASS;
	if (m->nr_data++ == 4) {
		m->lost_seq = s->seq;
		return LAB_DROP;
	}
	if (m->nr_data > 5 && s->seq == m->lost_seq && !m->since_us)
		m->since_us = lab->now_us;
	return LAB_PASS;
}

static bool b_has_all(struct lab *lab)
{
	return lab->b.app.rx_done == lab->a.app.tx_total && lab->a.app.nr_sent > 0 &&
	       obuf_len(tcp_conn_obuf(lab->a.app.conn)) == 0;
}

/* Everything has arrived, but the ACKs that say so are lost: a probe asks for another. */
static void lost_acks_of_a_recovery_cost_no_timeout(void **state)
{
	struct lab lab;
	struct mute m = {0};

	lab_init(&lab, 13);
	lab.hook = mute_hook;
	lab.hook_ctx = &m;
	lab.a.app.tx_total = 60000;
	lab_up(&lab, 16);
	lab_connect(&lab);
	assert_true(lab_run_until(&lab, b_has_all, 60000));
	assert_true(m.since_us > 0);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_FAST_RETRANS), 1);
	/* With the smaller segments of IPv6 the first probe is answered while b is mute. */
	assert_int_equal(host_ctr(&lab.a, NET_CTR_TLP), lab.is_v6 ? 2 : 1);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
	lab_down(&lab);
}

static void few_packets_in_the_pool(void **state)
{
	struct lab lab;

	lab_init(&lab, 12);
	lab.a.pool.nr_max = lab.b.pool.nr_max = 24;
	lab.a.cfg.tcp.max_rx_pkts = lab.b.cfg.tcp.max_rx_pkts = 12;
	lab.loss = 100;
	transfer(&lab, MB, MB, "small pool");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_wire_loses_nothing_and_repeats_nothing),
		cmocka_unit_test(one_percent_loss),
		cmocka_unit_test(five_percent_loss),
		cmocka_unit_test(twenty_percent_loss),
		cmocka_unit_test(reordering),
		cmocka_unit_test(duplication),
		cmocka_unit_test(corruption_is_dropped),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(newreno_without_sack_survives_loss),
		cmocka_unit_test(large_frames_on_a_long_path),
		cmocka_unit_test(tiny_receive_buffer),
		cmocka_unit_test(lost_acks_of_a_recovery_cost_no_timeout),
		cmocka_unit_test(few_packets_in_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
