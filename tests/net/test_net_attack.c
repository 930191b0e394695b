/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What others send to do harm, or by mistake: forged segments, floods, lies, damaged frames.
 */
#include "tests/net/wire.h"

#include "dataplane/ip/csum.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

static void up(struct lab *lab, uint64_t seed)
{
	lab_init(lab, seed);
	lab_up(lab, 8);
	lab_establish(lab);
	lab_run(lab, SEC);
}

static uint32_t answers(struct lab *lab)
{
	const uint32_t before = lab->b.nr_tx;

	net_run(&lab->b.net, lab->now_us);
	return lab->b.nr_tx - before;
}

static bool b_is_established(const struct lab *lab)
{
	return lab->b.app.conn && tcp_conn_state(lab->b.app.conn) == TCP_ST_ESTABLISHED;
}

/* The connection still carries data both ways. */
static void still_works(struct lab *lab)
{
	lab->a.app.tx_total += 50000;
	lab->b.app.tx_total += 50000;
	app_feed(&lab->a.app);
	app_feed(&lab->b.app);
	lab_run(lab, 5 * SEC);
	assert_int_equal(lab->b.app.rx_done, lab->a.app.tx_total);
	assert_int_equal(lab->a.app.rx_done, lab->b.app.tx_total);
}

static void rst_in_order_resets(void **state)
{
	struct lab lab;

	up(&lab, 1);
	lab_forge(&lab, TCP_RST, 0, 0, 0);
	lab_run(&lab, 1000);
	assert_int_equal(lab.b.app.nr_closed, 1);
	assert_int_equal(lab.b.app.reason, ECONNRESET);
	lab_down(&lab);
}

struct catch
{
	uint8_t bytes[2048];
	uint32_t len;
};

/* Takes a's first frame of data off the wire. */
static enum lab_verdict catch_data(struct lab *lab, struct sniff *s, void *ctx)
{
	struct catch *c = ctx;

	if (c->len || s->from != &lab->a || !s->is_tcp || !s->payload)
		return LAB_PASS;
	memcpy(c->bytes, s->bytes, s->len);
	c->len = s->len;
	return LAB_DROP;
}

/* What a device says of the checksums is no word about the lengths. */
static void next_segment_cut_short_is_dropped(void **state)
{
	struct lab lab;
	struct catch c = {.len = 0};

	up(&lab, 3);
	lab.hook = catch_data;
	lab.hook_ctx = &c;
	lab.a.app.tx_total += 100;
	app_feed(&lab.a.app);
	lab_run(&lab, 2000);
	assert_true(c.len > 100);
	for (uint32_t len = 0; len < c.len; len++) {
		struct pkt *p = pkt_alloc(lab.b.net.pool);

		assert_non_null(p);
		memcpy(pkt_put(p, len), c.bytes, len);
		p->flags = PKT_RX_IP_CSUM_GOOD | PKT_RX_L4_CSUM_GOOD;
		net_input(&lab.b.net, p);
		net_run(&lab.b.net, lab.now_us);
		assert_int_equal(lab.b.app.rx_done + lab.b.app.rx_wrong, 0);
	}
	still_works(&lab);
	lab_down(&lab);
}

static void rst_elsewhere_in_window_is_challenged(void **state)
{
	struct lab lab;
	uint32_t before;

	up(&lab, 2);
	before = lab.b.nr_tx;
	lab_forge(&lab, TCP_RST, 100, 0, 0);
	assert_int_equal(lab.b.nr_tx - before, 1);
	assert_int_equal(lab.b.last.flags, TCP_ACK);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_CHALLENGE), 1);
	/* A peer that really has no connection would now reset in order. */
	assert_true(b_is_established(&lab));
	still_works(&lab);
	lab_down(&lab);
}

static void rst_out_of_window_is_ignored(void **state)
{
	struct lab lab;
	const int64_t offs[] = {-1, -1000, -100000, 2 << 20, 1 << 30};

	up(&lab, 3);
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		const uint32_t before = lab.b.nr_tx;

		lab_forge(&lab, TCP_RST, offs[i], 0, 0);
		lab_forge(&lab, TCP_RST | TCP_ACK, offs[i], 0, 0);
		assert_int_equal(lab.b.nr_tx, before);
	}
	still_works(&lab);
	lab_down(&lab);
}

static void syn_on_a_connection_is_challenged(void **state)
{
	struct lab lab;
	const int64_t offs[] = {0, 100, -1, -100000};

	up(&lab, 4);
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		const uint32_t before = lab.b.nr_tx;

		lab_run(&lab, SEC);
		lab_forge(&lab, TCP_SYN, offs[i], 0, 0);
		assert_int_equal(lab.b.nr_tx - before, 1);
		assert_int_equal(lab.b.last.flags, TCP_ACK);
	}
	still_works(&lab);
	lab_down(&lab);
}

static void challenges_are_limited(void **state)
{
	struct lab lab;
	uint32_t before;

	up(&lab, 5);
	before = lab.b.nr_tx;
	for (int i = 0; i < 1000; i++) {
		lab_forge(&lab, TCP_RST, 100, 0, 0);
		lab_forge(&lab, TCP_SYN, 100, 0, 0);
		lab_forge(&lab, TCP_ACK, 0, 100000, 0);
	}
	assert_int_equal(lab.b.nr_tx - before, 1);
	still_works(&lab);
	lab_down(&lab);
}

static void data_with_a_wrong_ack_is_not_believed(void **state)
{
	struct lab lab;
	const int64_t offs[] = {1, 100000, 1 << 30, -(2 << 20)};

	up(&lab, 6);
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
		lab_forge(&lab, TCP_ACK, 0, offs[i], 100);
	assert_int_equal(lab.b.app.rx_done, 0);
	assert_int_equal(host_drops(&lab.b, DROP_TCP_ACK), 4);
	still_works(&lab);
	lab_down(&lab);
}

static void segments_without_ack_or_flags_are_dropped(void **state)
{
	struct lab lab;

	up(&lab, 7);
	lab_forge(&lab, 0, 0, 0, 100);
	lab_forge(&lab, TCP_PSH | TCP_FIN, 0, 0, 0);
	lab_forge(&lab, TCP_SYN | TCP_FIN, 0, 0, 0);
	lab_forge(&lab, TCP_SYN | TCP_RST, 0, 0, 0);
	assert_int_equal(answers(&lab), 0);
	assert_int_equal(lab.b.app.rx_done, 0);
	assert_int_equal(lab.b.app.nr_eof, 0);
	still_works(&lab);
	lab_down(&lab);
}

/* A SYN from a made-up address. */
static void syn_forge(struct lab *lab, uint32_t src_v4, uint16_t sport, uint32_t seq)
{
	uint8_t frame[256];
	const struct raw_tcp t = {
		.src_v4 = src_v4,
		.dst_v4 = host_v4(&lab->b),
		.sport = sport,
		.dport = LAB_PORT,
		.seq = seq,
		.wnd = 1000,
		.flags = TCP_SYN,
	};

	lab_inject(&lab->b, frame, raw_tcp_build(frame, &lab->b, &t));
}

static void client_connects_through_a_syn_flood(void **state)
{
	struct lab lab;
	struct tcp_conn_info info;
	struct tcp_gauges g;

	lab_init(&lab, 8);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	for (int i = 0; i < 5000; i++)
		syn_forge(&lab, 0x0a000000u | (uint32_t)(lab_random(&lab) % 200 + 10),
			(uint16_t)lab_random(&lab) | 1, (uint32_t)lab_random(&lab));
	tcp_gauges_read(&lab.b.net, &g);
	assert_int_equal(g.half_open, 8);
	assert_int_equal(g.conns, 8);
	assert_true(host_ctr(&lab.b, NET_CTR_COOKIES_SENT) > 4900);
	lab_establish(&lab);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_COOKIES_OK), 1);
	/* The cookie remembered everything. */
	tcp_conn_info(lab.b.app.conn, &info);
	assert_true(info.has_sack && info.has_timestamps);
	assert_int_equal(info.snd_wscale, 5);
	assert_int_equal(info.rcv_wscale, 5);
	assert_int_equal(info.mss, 1448);
	still_works(&lab);
	/* The flood's half-open connections go by themselves. */
	lab_run(&lab, 120 * SEC);
	tcp_gauges_read(&lab.b.net, &g);
	assert_int_equal(g.half_open, 0);
	lab_down(&lab);
}

static enum lab_verdict last_ack_hold(struct lab *lab, struct sniff *s, void *ctx)
{
	/* The client's ACK of the handshake is lost; the test plays it later. */
	return s->is_tcp && s->from == &lab->a && !(s->flags & TCP_SYN) ? LAB_DROP : LAB_PASS;
}

static void cookie_play(
	struct lab *lab, int64_t age_us, int64_t ack_off, int64_t seq_off, bool is_good)
{
	struct raw_tcp t = {.flags = TCP_ACK, .wnd = 100};
	uint8_t frame[256], opts[12] = {1, 1, 8, 10};

	lab_init(lab, 9);
	lab_up(lab, 0); /* always cookies */
	lab->hook = last_ack_hold;
	lab_connect(lab);
	lab_run(lab, 1000);
	assert_int_equal(host_ctr(&lab->b, NET_CTR_COOKIES_SENT), 1);
	t.src_v4 = host_v4(&lab->a);
	t.dst_v4 = host_v4(&lab->b);
	t.sport = tcp_conn_local(lab->a.app.conn).port;
	t.dport = LAB_PORT;
	t.seq = (uint32_t)(lab->a.last.seq + seq_off);
	t.ack = (uint32_t)(lab->a.last.ack + ack_off);
	memcpy(opts + 4, lab->a.last.tsval, 4);
	memcpy(opts + 8, lab->b.last.tsval, 4);
	t.opts = opts;
	t.opts_len = sizeof(opts);
	tcp_conn_abort(lab->a.app.conn);
	lab_run(lab, (uint64_t)age_us);
	if (age_us) /* others keep the listener giving cookies */
		syn_forge(lab, host_v4(&lab->a), 7, 7);
	lab_inject(&lab->b, frame, raw_tcp_build(frame, &lab->b, &t));
	lab_run(lab, 1000);
	assert_int_equal(lab->b.app.nr_accept, is_good);
	if (!is_good)
		assert_int_equal(lab->b.last.flags & TCP_RST, TCP_RST);
	lab_down(lab);
}

static void cookies_are_exact_and_expire(void **state)
{
	struct lab lab;

	cookie_play(&lab, 0, 0, 0, true);
	cookie_play(&lab, 60 * (int64_t)SEC, 0, 0, true);
	cookie_play(&lab, 200 * (int64_t)SEC, 0, 0, false);
	for (int bit = 0; bit < 32; bit++)
		cookie_play(&lab, 0, (int64_t)1 << bit, 0, false);
	cookie_play(&lab, 0, 0, 1, false);
	cookie_play(&lab, 0, 0, -1, false);
}

static void resets_to_strangers_are_limited(void **state)
{
	struct lab lab;
	uint8_t frame[256];
	struct raw_tcp t = {.dport = 1, .sport = 2, .flags = TCP_ACK};

	lab_init(&lab, 10);
	lab.b.cfg.tcp.rst_per_s = 50;
	lab_up(&lab, 8);
	t.src_v4 = host_v4(&lab.a);
	t.dst_v4 = host_v4(&lab.b);
	for (int i = 0; i < 1000; i++)
		lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_RST_OUT), 50);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_RST_LIMITED), 950);
	/* A reset is never answered. */
	lab_run(&lab, 10 * SEC);
	t.flags = TCP_RST;
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_RST_OUT), 50);
	lab_down(&lab);
}

static void out_of_order_flood_is_bounded(void **state)
{
	struct lab lab;
	struct tcp_gauges g;

	lab_init(&lab, 11);
	lab.b.cfg.tcp.max_ooo_pkts = 100;
	lab_up(&lab, 8);
	lab_establish(&lab);
	lab_run(&lab, SEC);
	for (int i = 0; i < 2000; i++)
		lab_forge(&lab, TCP_ACK, 2 + 2 * (int64_t)(lab_random(&lab) % 10000), 0, 1);
	tcp_gauges_read(&lab.b.net, &g);
	assert_int_equal(g.rx_pkts, 100);
	assert_true(host_drops(&lab.b, DROP_TCP_OOO_FULL) > 0);
	lab_down(&lab);
}

static void unread_small_segments_share_packets(void **state)
{
	struct lab lab;
	struct tcp_gauges g;

	lab_init(&lab, 12);
	lab.b.app.rx_limit = 0;
	lab_up(&lab, 8);
	lab_establish(&lab);
	for (int i = 0; i < 5000; i++) {
		lab.a.app.tx_total += 10;
		app_feed(&lab.a.app);
		lab_run(&lab, 150);
	}
	tcp_gauges_read(&lab.b.net, &g);
	assert_true(g.rx_pkts < 50);
	lab.b.app.rx_limit = UINT64_MAX;
	tcp_conn_resume(lab.b.app.conn);
	assert_int_equal(lab.b.app.rx_done, 50000);
	lab_down(&lab);
}

static void sack_forge(struct lab *lab, int64_t start, int64_t end, bool is_twice)
{
	uint8_t frame[256], opts[32] = {1, 1, 8, 10};
	struct tcp_conn_addr peer = tcp_conn_peer(lab->b.app.conn);
	struct raw_tcp t = {
		.src_v4 = host_v4(&lab->a),
		.dst_v4 = host_v4(&lab->b),
		.sport = peer.port,
		.dport = LAB_PORT,
		.seq = lab->b.last.ack,
		.ack = lab->a.last.ack,
		.wnd = 1000,
		.flags = TCP_ACK,
		.opts = opts,
		.opts_len = is_twice ? 32 : 24,
	};

	memcpy(opts + 4, lab->a.last.tsval, 4);
	memcpy(opts + 8, lab->b.last.tsval, 4);
	opts[12] = opts[13] = 1;
	opts[14] = 5;
	opts[15] = is_twice ? 18 : 10;
	for (int at = 16; at < (is_twice ? 32 : 24); at += 8) {
		put_be32(opts + at, (uint32_t)(t.ack + start));
		put_be32(opts + at + 4, (uint32_t)(t.ack + end));
	}
	lab_inject(&lab->b, frame, raw_tcp_build(frame, &lab->b, &t));
}

static void lying_sacks_do_no_harm(void **state)
{
	struct lab lab;

	up(&lab, 13);
	lab.b.app.tx_total = 200000;
	app_feed(&lab.b.app);
	net_run(&lab.b.net, lab.now_us);
	for (int i = 0; i < 2000; i++) {
		const int64_t start = (int64_t)(lab_random(&lab) % 60000) - 20000;
		const int64_t end = (int64_t)(lab_random(&lab) % 60000) - 20000;

		sack_forge(&lab, start, end, i & 1);
		net_run(&lab.b.net, lab.now_us);
	}
	/* All of it said to be there, and then taken back. */
	sack_forge(&lab, 1448, 14480, false);
	net_run(&lab.b.net, lab.now_us);
	lab_run(&lab, 60 * SEC);
	assert_int_equal(lab.a.app.rx_done, 200000);
	assert_int_equal(lab.b.app.nr_closed, 0);
	lab_down(&lab);
}

static void reneged_sacks_are_repaired(void **state)
{
	struct lab lab;

	up(&lab, 14);
	lab.loss = 10000;
	lab.b.app.tx_total = 14480;
	app_feed(&lab.b.app);
	net_run(&lab.b.net, lab.now_us);
	/* The whole flight is lost, but everything is said to have come. */
	sack_forge(&lab, 1448, 14480, false);
	net_run(&lab.b.net, lab.now_us);
	lab.loss = 0;
	lab_run(&lab, 60 * SEC);
	assert_int_equal(lab.a.app.rx_done, 14480);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_SACK_RENEGED), 1);
	lab_down(&lab);
}

static void old_timestamps_are_refused(void **state)
{
	struct lab lab;

	up(&lab, 15);
	lab.a.app.tx_total = 100;
	app_feed(&lab.a.app);
	lab_run(&lab, SEC);
	put_be32(lab.a.last.tsval, get_be32(lab.a.last.tsval) - 5000);
	lab_forge(&lab, TCP_ACK, 0, 0, 100);
	assert_int_equal(lab.b.app.rx_done, 100);
	assert_int_equal(host_drops(&lab.b, DROP_TCP_PAWS), 1);
	still_works(&lab);
	lab_down(&lab);
}

/* An ICMP error that quotes the start of a segment of b's. */
static uint32_t icmp_error_build(const struct lab *lab, uint8_t *frame)
{
	uint8_t quoted[64], *ip = frame + 14, *icmp = frame + 34;
	const struct raw_tcp inner = {.src_v4 = host_v4(&lab->b),
		.dst_v4 = host_v4(&lab->a),
		.sport = LAB_PORT,
		.dport = 999};
	const struct raw_tcp outer = {.src_v4 = host_v4(&lab->a), .dst_v4 = host_v4(&lab->b)};
	uint16_t csum;

	raw_tcp_build(quoted, &lab->b, &inner);
	raw_tcp_build(frame, &lab->b, &outer);
	put_be16(ip + 2, 20 + 8 + 28);
	ip[9] = IP_PROTO_ICMP;
	memset(ip + 10, 0, 2);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	memset(icmp, 0, 8);
	icmp[0] = ICMP_UNREACH;
	icmp[1] = ICMP_UNREACH_FRAG;
	memcpy(icmp + 8, quoted + 14, 28);
	csum = csum_of(icmp, 36);
	memcpy(icmp + 2, &csum, 2);
	return 34 + 36;
}

/* Valid frames, to be damaged. */
static uint32_t sample_frame(const struct lab *lab, int which, uint8_t *frame)
{
	static const uint8_t syn_opts[20] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	static const uint8_t ack_opts[24] = {
		1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9};
	struct raw_tcp t = {.src_v4 = host_v4(&lab->a),
		.dst_v4 = host_v4(&lab->b),
		.sport = 999,
		.dport = LAB_PORT,
		.seq = 1000,
		.wnd = 512};
	const struct arp_hdr arp = {.hrd = be16(1),
		.pro = be16(ETH_TYPE_IPV4),
		.hln = 6,
		.pln = 4,
		.op = be16(ARP_OP_REQUEST),
		.sha = {2, 0, 0, 0, 0, 7},
		.spa = be32(0x0a000007),
		.tpa = be32(host_v4(&lab->b))};

	switch (which) {
	case 0:
		t.flags = TCP_SYN;
		t.opts = syn_opts;
		t.opts_len = sizeof(syn_opts);
		break;
	case 1:
		t.flags = TCP_ACK | TCP_PSH;
		t.opts = ack_opts;
		t.opts_len = sizeof(ack_opts);
		t.payload = (const uint8_t *)"PING\r\n";
		t.payload_len = 6;
		break;
	case 2: t.flags = TCP_RST; break;
	case 4: /* ARP */
		memset(frame, 0xff, 6);
		memcpy(frame + 6, arp.sha, 6);
		put_be16(frame + 12, ETH_TYPE_ARP);
		memcpy(frame + 14, &arp, sizeof(arp));
		return 42;
	}
	return which == 3 ? icmp_error_build(lab, frame) : raw_tcp_build(frame, &lab->b, &t);
}

static void truncated_frames_are_dropped(void **state)
{
	struct lab lab;
	uint8_t frame[512];

	lab_init(&lab, 16);
	lab_up(&lab, 8);
	for (int which = 0; which < 5; which++) {
		const uint32_t len = sample_frame(&lab, which, frame);

		for (uint32_t cut = 0; cut < len; cut++) {
			lab_inject(&lab.b, frame, cut);
			net_run(&lab.b.net, lab.now_us);
		}
	}
	/* None of them had any effect. */
	assert_int_equal(host_ctr(&lab.b, NET_CTR_SYN_IN), 0);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ARP_REQ_IN), 0);
	assert_int_equal(lab.b.nr_tx, 0);
	assert_int_equal(lab.b.pool.nr_out, 0);
	lab_down(&lab);
}

/* The same with the lengths inside made to agree, so that the inner checks are reached. */
static void truncated_packets_with_right_lengths_are_dropped(void **state)
{
	struct lab lab;
	uint8_t frame[512];

	lab_init(&lab, 17);
	lab_up(&lab, 8);
	for (int which = 0; which < 4; which++) {
		const uint32_t len = sample_frame(&lab, which, frame);

		for (uint32_t cut = 14; cut < len; cut++) {
			uint8_t copy[512], *ip = copy + 14;
			uint16_t csum;

			memcpy(copy, frame, cut);
			if (cut >= 34) {
				put_be16(ip + 2, (uint16_t)(cut - 14));
				memset(ip + 10, 0, 2);
				csum = csum_of(ip, 20);
				memcpy(ip + 10, &csum, 2);
			}
			lab_inject(&lab.b, copy, cut);
			net_run(&lab.b.net, lab.now_us);
		}
	}
	assert_int_equal(host_ctr(&lab.b, NET_CTR_SYN_IN), 0);
	lab_down(&lab);
}

static void damaged_frames_do_no_harm(void **state)
{
	struct lab lab;
	uint8_t frame[512], copy[512];

	lab_init(&lab, 18);
	lab_up(&lab, 8);
	lab_establish(&lab);
	for (int i = 0; i < 200000; i++) {
		const uint32_t len = sample_frame(&lab, (int)(lab_random(&lab) % 5), frame);
		const bool is_fixed = lab_random(&lab) & 1;
		uint8_t *ip = copy + 14;
		uint16_t csum;
		uint64_t sum;

		memcpy(copy, frame, len);
		for (uint64_t n = lab_random(&lab) % 4; n < 5; n++)
			copy[lab_random(&lab) % len] = (uint8_t)lab_random(&lab);
		if (is_fixed && get_be16(copy + 12) == ETH_TYPE_IPV4) {
			ip[0] = 0x45;
			put_be16(ip + 2, (uint16_t)(len - 14));
			memset(ip + 10, 0, 2);
			csum = csum_of(ip, 20);
			memcpy(ip + 10, &csum, 2);
			memset(ip + 36, 0, 2);
			sum = csum_pseudo_v4(
				be32(get_be32(ip + 12)), be32(get_be32(ip + 16)), ip[9], len - 34);
			csum = (uint16_t)~csum_fold(csum_add(sum, ip + 20, len - 34));
			memcpy(ip + 36, &csum, 2);
		}
		lab_inject(&lab.b, copy, len);
		if (i % 16 == 0)
			lab_run(&lab, 2000);
	}
	/* ARP has nothing to defend itself with: a damaged one may have given a's address away. */
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	still_works(&lab);
	lab_down(&lab);
}

static void tiny_mss_is_raised(void **state)
{
	struct lab lab;
	uint8_t frame[256];
	static const uint8_t opts[4] = {2, 4, 0, 1};
	struct raw_tcp t = {.sport = 77,
		.dport = LAB_PORT,
		.seq = 5,
		.wnd = 60000,
		.flags = TCP_SYN,
		.opts = opts,
		.opts_len = 4};
	struct tcp_conn_info info;

	lab_init(&lab, 19);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	t.src_v4 = host_v4(&lab.a);
	t.dst_v4 = host_v4(&lab.b);
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	t.flags = TCP_ACK;
	t.seq = 6;
	t.ack = lab.b.last.seq + 1;
	t.opts_len = 0;
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	assert_int_equal(lab.b.app.nr_accept, 1);
	tcp_conn_info(lab.b.app.conn, &info);
	assert_int_equal(info.mss, 216);
	assert_false(info.has_timestamps || info.has_sack);
	lab_down(&lab);
}

static void syn_rcvd_with_a_wrong_ack_is_reset(void **state)
{
	struct lab lab;
	uint8_t frame[256];
	struct raw_tcp t = {
		.sport = 77, .dport = LAB_PORT, .seq = 5, .wnd = 60000, .flags = TCP_SYN};
	struct tcp_gauges g;

	lab_init(&lab, 20);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &lab.a.cfg.addrs[0].ip, lab.a.cfg.mac, true);
	t.src_v4 = host_v4(&lab.a);
	t.dst_v4 = host_v4(&lab.b);
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	t.flags = TCP_ACK;
	t.seq = 6;
	t.ack = lab.b.last.seq + 2;
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	assert_int_equal(lab.b.last.flags, TCP_RST);
	assert_int_equal(lab.b.last.seq, t.ack);
	assert_int_equal(lab.b.app.nr_accept, 0);
	/* A RST in order ends the half-open connection silently. */
	t.flags = TCP_RST;
	lab_inject(&lab.b, frame, raw_tcp_build(frame, &lab.b, &t));
	tcp_gauges_read(&lab.b.net, &g);
	assert_int_equal(g.half_open, 0);
	lab_down(&lab);
	assert_int_equal(lab.b.app.nr_closed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rst_in_order_resets),
		cmocka_unit_test(next_segment_cut_short_is_dropped),
		cmocka_unit_test(rst_elsewhere_in_window_is_challenged),
		cmocka_unit_test(rst_out_of_window_is_ignored),
		cmocka_unit_test(syn_on_a_connection_is_challenged),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(data_with_a_wrong_ack_is_not_believed),
		cmocka_unit_test(segments_without_ack_or_flags_are_dropped),
		cmocka_unit_test(client_connects_through_a_syn_flood),
		cmocka_unit_test(cookies_are_exact_and_expire),
		cmocka_unit_test(resets_to_strangers_are_limited),
		cmocka_unit_test(out_of_order_flood_is_bounded),
		cmocka_unit_test(unread_small_segments_share_packets),
		cmocka_unit_test(lying_sacks_do_no_harm),
		cmocka_unit_test(reneged_sacks_are_repaired),
		cmocka_unit_test(old_timestamps_are_refused),
		cmocka_unit_test(truncated_frames_are_dropped),
		cmocka_unit_test(truncated_packets_with_right_lengths_are_dropped),
		cmocka_unit_test(damaged_frames_do_no_harm),
		cmocka_unit_test(tiny_mss_is_raised),
		cmocka_unit_test(syn_rcvd_with_a_wrong_ack_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
