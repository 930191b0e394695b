/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Large packets over devices that do more or less of the work: packets by reference, packets that
 * stand for many segments, cut by the device, in software or by nobody, checksums by either.
 * Whatever the device, the other end gets the same bytes, and at the end every reference and packet
 * is back.
 */
#include "tests/net/wire.h"

#include "dataplane/ip/lro.h"

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

/* One packet's buffer holds several segments of a path so narrow. IPv6 has none. */
static void narrow_paths(void **state)
{
	static const uint16_t mtus[] = {576, 576, 700, 700, 900, 900};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (unsigned k = 0; k < sizeof(mtus) / sizeof(mtus[0]); k++) {
			struct lab lab;

			lab_init(&lab, 600 + i);
			if (lab.is_v6)
				skip();
			hosts_set(&lab, &kinds[i], 60001);
			lab.b.cfg.mtu = mtus[k];
			transfer(&lab, k % 2 ? 1900 : 300000 + i);
		}
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

/* Nobody on the way cuts what was built as one, and the receiver's buffers are small. */
static void large_packets_are_received(void **state)
{
	for (unsigned i = 5; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct lab lab;

		lab_init(&lab, 500 + i);
		hosts_set(&lab, &kinds[i], 50001);
		lab.a.device.is_uncut = lab.b.device.is_uncut = true;
		lab.loss = 300;
		lab.dup = 100;
		lab.corrupt = 300;
		lab.jitter_us = 100;
		transfer(&lab, 2 * MB);
		assert_true(lab.b.device.nr_large > 20);
		assert_true(lab.nr_corrupt > 0);
	}
}

static uint8_t frame[2000];

/* A frame of a SYN-less segment with 100 bytes, as large as it says. */
static uint32_t frame_make(struct lab *lab)
{
	static const uint8_t payload[100];
	const struct raw_tcp t = {.src_v4 = 0x0a000001,
		.dst_v4 = 0x0a000002,
		.sport = 1,
		.dport = 2,
		.seq = 0xffffffc0,
		.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
		.payload = payload,
		.payload_len = sizeof(payload)};

	return raw_tcp_build(frame, &lab->b, &t);
}

static void flags_and_numbers_of_the_parts(void **state)
{
	struct lab lab;
	struct lro l;
	uint8_t part[200];
	uint32_t len;

	lab_init(&lab, 1);
	len = frame_make(&lab);
	assert_true(lro_parse(&l, frame, len, len));
	assert_int_equal(l.len, 54);
	lro_put(&l, part, 0, 70);
	assert_int_equal(get_be32(part + 38), 0xffffffc0);
	assert_int_equal(get_be16(part + 16), 20 + 20 + 70);
	assert_int_equal(part[47], TCP_ACK | TCP_CWR);
	lro_put(&l, part, 70, 30);
	assert_int_equal(get_be32(part + 38), 6);
	assert_int_equal(get_be16(part + 16), 20 + 20 + 30);
	assert_int_equal(part[47], TCP_ACK | TCP_PSH | TCP_FIN);
}

/* Whatever bytes come: none beyond the first buffer is read (a sanitizer's business), none that
   contradict themselves are taken. */
static void headers_that_contradict_themselves_are_refused(void **state)
{
	struct lab lab;
	struct lro l;
	const uint32_t wrong[][2] = {{14, 0x46}, {23, 17}, {20, 0x20}, {46, 0x40}, {46, 0xf0},
		{16, 0xff}, {17, 39}, {12, 9}};
	uint32_t len;

	lab_init(&lab, 1);
	len = frame_make(&lab);
	for (uint32_t n = 0; n < 54; n++) {
		uint8_t *exact = malloc(n + !n);

		assert_non_null(exact);
		memcpy(exact, frame, n);
		assert_false(lro_parse(&l, exact, n, len));
		free(exact);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		frame_make(&lab);
		frame[wrong[i][0]] = (uint8_t)wrong[i][1];
		if (wrong[i][0] == 17)
			frame[16] = 0;
		assert_false(lro_parse(&l, frame, 60, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_device_moves_every_byte),
		cmocka_unit_test(every_device_survives_a_bad_wire),
		cmocka_unit_test(pieces_of_every_length),
		cmocka_unit_test(narrow_paths),
		cmocka_unit_test(references_are_given_back_when_a_connection_dies),
		cmocka_unit_test(packets_run_out),
		cmocka_unit_test(vlan_and_ecn),
		cmocka_unit_test(large_packets_are_received),
		cmocka_unit_test(flags_and_numbers_of_the_parts),
		cmocka_unit_test(headers_that_contradict_themselves_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
