/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Large output over devices that do more or less of the work: packets by reference, packets that
 * stand for many segments, cut by the device or in software, checksums by either. Whatever the
 * device, the other end gets the same bytes, and at the end every reference and packet is back.
 */
#include "tests/net/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MB (1024u * 1024u)

#define CSUMS (NET_TX_IP_CSUM | NET_TX_TCP_CSUM)
#define REFS  (NET_TX_CHAIN | NET_TX_REF)
#define TSO   (NET_TX_CHAIN | NET_TX_TSO | CSUMS)

struct device_kind {
	const char *name;
	uint32_t offloads;
	bool is_lazy;
};

static const struct device_kind kinds[] = {
	{"nothing", 0, false},
	{"checksums", CSUMS, true},
	{"references", REFS, false},
	{"references, given back late", REFS, true},
	{"references and checksums", REFS | CSUMS, true},
	{"TSO", TSO, false},
	{"TSO, given back late", TSO, true},
	{"everything", TSO | REFS, true},
};

static bool all_closed(struct lab *lab)
{
	return lab->a.app.nr_closed && lab->b.app.nr_closed;
}

static void hosts_set(struct lab *lab, const struct device_kind *kind, uint32_t ref_bytes)
{
	struct host *hosts[] = {&lab->a, &lab->b};

	for (unsigned i = 0; i < 2; i++) {
		hosts[i]->cfg.offloads = kind->offloads;
		hosts[i]->device.is_lazy = kind->is_lazy;
		hosts[i]->app.ref_bytes = ref_bytes;
		hosts[i]->app.shutdown_at_end = true;
	}
}

/* Moves bytes both ways and closes. The lab is down afterwards. */
static void transfer(struct lab *lab, uint32_t bytes)
{
	lab_up(lab, 16);
	lab->a.app.tx_total = lab->b.app.tx_total = bytes;
	lab_connect(lab);
	assert_true(lab_run_until(lab, all_closed, 3600ull * 1000000));
	assert_int_equal(lab->a.app.rx_done, bytes);
	assert_int_equal(lab->b.app.rx_done, bytes);
	assert_int_equal(lab->a.app.reason, 0);
	assert_int_equal(lab->b.app.reason, 0);
	lab_down(lab);
}

/* Bytes that were sent without a copy, in percent of all. */
static uint64_t by_reference(const struct host *h)
{
	return host_ctr(h, NET_CTR_BYTES_REF) * 100 /
	       (host_ctr(h, NET_CTR_BYTES_OUT) + host_ctr(h, NET_CTR_RETRANS_BYTES));
}

static void kind_check(const struct lab *lab, const struct device_kind *kind)
{
	const struct host *a = &lab->a;

	print_message(
		"%s: %llu large packets of %llu segments, %llu%% by reference, %llu retrans\n",
		kind->name, (unsigned long long)host_ctr(a, NET_CTR_BULK_OUT),
		(unsigned long long)host_ctr(a, NET_CTR_BULK_SEGS),
		(unsigned long long)by_reference(a),
		(unsigned long long)host_ctr(a, NET_CTR_RETRANS));
	assert_int_equal(host_drops(a, DROP_IP_TOO_BIG), 0);
	if (kind->offloads & NET_TX_REF)
		assert_true(by_reference(a) >= 95);
	else
		assert_int_equal(host_ctr(a, NET_CTR_BYTES_REF), 0);
	assert_int_equal(a->device.nr_cut > 0, (kind->offloads & NET_TX_TSO) != 0);
	assert_int_equal(host_ctr(a, NET_CTR_BULK_OUT) > 0,
		(kind->offloads & (NET_TX_TSO | NET_TX_REF)) != 0);
	if (kind->offloads & NET_TX_TSO)
		assert_true(a->device.nr_cut >= host_ctr(a, NET_CTR_BULK_OUT));
}

static void every_device_moves_every_byte(void **state)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		lab_init(&lab, i + 1);
		hosts_set(&lab, &kinds[i], 60001);
		transfer(&lab, 4 * MB);
		kind_check(&lab, &kinds[i]);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_RETRANS), 0);
	}
}

/* What is sent again is not copied either. */
static void every_device_survives_a_bad_wire(void **state)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		lab_init(&lab, 100 + i);
		hosts_set(&lab, &kinds[i], 17003);
		lab.loss = 200;
		lab.dup = 100;
		lab.corrupt = 100;
		lab.jitter_us = 300;
		transfer(&lab, 2 * MB);
		kind_check(&lab, &kinds[i]);
		assert_true(host_ctr(&lab.a, NET_CTR_RETRANS) > 0);
		assert_true(lab.nr_corrupt > 0);
	}
}

static void pieces_of_every_length(void **state)
{
	for (uint32_t len = 1400; len < 1520; len += 7) {
		struct lab lab;

		lab_init(&lab, len);
		hosts_set(&lab, &kinds[3], len);
		lab.loss = 100;
		transfer(&lab, 200000 + len);
	}
}

/* Connections end with output that was not sent, not acknowledged, or still with the device. */
static void references_are_given_back_when_a_connection_dies(void **state)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		lab_init(&lab, 200 + i);
		hosts_set(&lab, &kinds[i], 100001);
		lab_up(&lab, 16);
		lab.a.app.tx_total = 8 * MB;
		lab_establish(&lab);
		lab_run(&lab, 1500);
		assert_true(lab.a.app.nr_refs > 0);
		tcp_conn_abort(lab.a.app.conn);
		lab_run(&lab, 1000);
		assert_int_equal(lab.a.app.nr_closed, 1);
		/* Only what the device has not given back is left. */
		if (!kinds[i].is_lazy)
			assert_int_equal(lab.a.app.nr_refs, 0);
		lab_down(&lab);
	}
}

static void packets_run_out(void **state)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		if (kinds[i].is_lazy)
			continue;
		lab_init(&lab, 300 + i);
		hosts_set(&lab, &kinds[i], 30011);
		lab.a.pool.nr_max = lab.b.pool.nr_max = 24;
		lab.a.cfg.tcp.max_rx_pkts = lab.b.cfg.tcp.max_rx_pkts = 12;
		lab.loss = 100;
		transfer(&lab, MB / 2);
	}
}

static void vlan_and_ecn(void **state)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		lab_init(&lab, 400 + i);
		hosts_set(&lab, &kinds[i], 60000);
		lab.a.cfg.vlan = lab.b.cfg.vlan = 7;
		lab.a.cfg.tcp.ecn = TCP_ECN_ASK;
		lab.loss = 50;
		transfer(&lab, MB);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_ECN_CONNS), 1);
		kind_check(&lab, &kinds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_device_moves_every_byte),
		cmocka_unit_test(every_device_survives_a_bad_wire),
		cmocka_unit_test(pieces_of_every_length),
		cmocka_unit_test(references_are_given_back_when_a_connection_dies),
		cmocka_unit_test(packets_run_out),
		cmocka_unit_test(vlan_and_ecn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
