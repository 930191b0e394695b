/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ARP, IPv4 and ICMP, and what TCP makes of ICMP errors.
 */
#include "tests/net/tap.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

static const uint8_t mac9[6] = {2, 0, 0, 0, 0, 9};
#define IP9 0x0a000009u

static uint32_t arp_build(uint8_t *frame, const uint8_t *eth_dst, uint16_t op, const uint8_t *sha,
	uint32_t spa, uint32_t tpa)
{
	struct arp_hdr h = {.hrd = be16(1),
		.pro = be16(ETH_TYPE_IPV4),
		.hln = 6,
		.pln = 4,
		.op = be16(op),
		.spa = be32(spa),
		.tpa = be32(tpa)};

	memcpy(h.sha, sha, 6);
	memcpy(frame, eth_dst, 6);
	memcpy(frame + 6, sha, 6);
	put_be16(frame + 12, ETH_TYPE_ARP);
	memcpy(frame + 14, &h, sizeof(h));
	return 14 + sizeof(h);
}

static const uint8_t bcast[6] = {255, 255, 255, 255, 255, 255};

/* An IPv4 packet from IP9 to dst; returns its length. */
static uint32_t ip_build(uint8_t *frame, const uint8_t *eth_dst, uint32_t dst, uint8_t proto,
	const void *payload, uint32_t len)
{
	uint8_t *ip = frame + 14;
	uint16_t csum;

	memcpy(frame, eth_dst, 6);
	memcpy(frame + 6, mac9, 6);
	put_be16(frame + 12, ETH_TYPE_IPV4);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + len));
	ip[8] = 64;
	ip[9] = proto;
	put_be32(ip + 12, IP9);
	put_be32(ip + 16, dst);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	memcpy(ip + 20, payload, len);
	return 34 + len;
}

static uint32_t ping_build(uint8_t *frame, const uint8_t *eth_dst, uint32_t dst, uint32_t len)
{
	uint8_t icmp[1500] = {ICMP_ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1};
	uint16_t csum;

	for (uint32_t i = 8; i < len; i++)
		icmp[i] = (uint8_t)i;
	csum = csum_of(icmp, len);
	memcpy(icmp + 2, &csum, 2);
	return ip_build(frame, eth_dst, dst, IP_PROTO_ICMP, icmp, len);
}

static void request_is_answered_and_learnt(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	const struct arp_hdr *h = (const struct arp_hdr *)(tap.bytes[0] + 14);

	tap_up(&lab, &tap, 1);
	lab_inject(
		&lab.b, frame, arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, host_v4(&lab.b)));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(tap.len[0], 42);
	assert_memory_equal(tap.bytes[0], mac9, 6);
	assert_int_equal(be16(h->op), ARP_OP_REPLY);
	assert_memory_equal(h->sha, lab.b.cfg.mac, 6);
	assert_memory_equal(h->tha, mac9, 6);
	assert_int_equal(be32(h->spa), host_v4(&lab.b));
	assert_int_equal(be32(h->tpa), IP9);
	/* The answer to a ping goes out without a question. */
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 2);
	assert_int_equal(get_be16(tap.bytes[1] + 12), ETH_TYPE_IPV4);
	lab_down(&lab);
}

/* Of a tap device the kernel's end and ours have one and the same address. */
static void request_from_a_kernel_with_our_mac_is_answered(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	const struct arp_hdr *h = (const struct arp_hdr *)(tap.bytes[0] + 14);

	tap_up(&lab, &tap, 1);
	lab_inject(&lab.b, frame,
		arp_build(frame, bcast, ARP_OP_REQUEST, lab.b.cfg.mac, IP9, host_v4(&lab.b)));
	assert_int_equal(tap.nr, 1);
	assert_memory_equal(tap.bytes[0], lab.b.cfg.mac, 6);
	assert_int_equal(be16(h->op), ARP_OP_REPLY);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 2);
	assert_int_equal(get_be16(tap.bytes[1] + 12), ETH_TYPE_IPV4);
	lab_down(&lab);
}

static void own_arp_come_back_is_no_conflict(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 1);
	lab_inject(&lab.b, frame,
		arp_build(frame, bcast, ARP_OP_REQUEST, lab.b.cfg.mac, host_v4(&lab.b),
			host_v4(&lab.b)));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ARP_CONFLICT), 0);
	assert_int_equal(tap.nr, 0);
	lab_down(&lab);
}

static void foreign_or_malformed_arp_is_ignored(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 2);
	lab_inject(&lab.b, frame, arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, 0x0a000008));
	for (uint32_t at = 14; at < 21; at++) {
		const uint32_t len =
			arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, host_v4(&lab.b));

		frame[at] ^= 0x40;
		lab_inject(&lab.b, frame, len);
	}
	/* A sender that is a group address would have us answer to everyone. */
	lab_inject(&lab.b, frame,
		arp_build(frame, bcast, ARP_OP_REQUEST, bcast, IP9, host_v4(&lab.b)));
	assert_int_equal(tap.nr, 0);
	assert_int_equal(host_drops(&lab.b, DROP_ARP_BAD), 8);
	/* And nothing was learnt: a ping makes a question, not an answer. */
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(get_be16(tap.bytes[0] + 12), ETH_TYPE_ARP);
	lab_down(&lab);
}

static void unanswered_requests_are_repeated_then_given_up(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 3);
	for (int i = 0; i < 100; i++)
		lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(lab.b.pool.nr_out, 64); /* the queue is bounded */
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 5);
	assert_int_equal(lab.b.pool.nr_out, 0);
	assert_int_equal(host_drops(&lab.b, DROP_ARP_UNRESOLVED), 64);
	assert_int_equal(host_drops(&lab.b, DROP_ARP_FULL), 36);
	lab_down(&lab);
}

static void used_entry_is_probed_and_kept_while_answered(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 4);
	lab.b.net.cfg.arp_reach_us = 10 * SEC;
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	lab_inject(&lab.b, frame,
		arp_build(frame, lab.b.cfg.mac, ARP_OP_REPLY, mac9, IP9, host_v4(&lab.b)));
	lab_run(&lab, 9 * SEC);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	tap.nr = 0;
	lab_run(&lab, 1500000);
	assert_int_equal(tap.nr, 1); /* asked, of it alone */
	assert_memory_equal(tap.bytes[0], mac9, 6);
	lab_inject(&lab.b, frame,
		arp_build(frame, lab.b.cfg.mac, ARP_OP_REPLY, mac9, IP9, host_v4(&lab.b)));
	tap.nr = 0;
	lab_run(&lab, 5 * SEC);
	assert_int_equal(tap.nr, 0);
	/* Not used any more: it goes without a question. */
	lab_run(&lab, 30 * SEC);
	assert_int_equal(tap.nr, 0);
	lab_down(&lab);
}

/* Anybody can say it: whoever sends a request may name any address as its own. */
static void what_a_request_said_is_checked_when_it_is_used(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 4);
	lab_inject(
		&lab.b, frame, arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, host_v4(&lab.b)));
	tap.nr = 0;
	lab_run(&lab, 20 * SEC);
	assert_int_equal(tap.nr, 0); /* not while nobody needs it */
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(tap.bytes[0][34], ICMP_ECHO_REPLY);
	assert_memory_equal(tap.bytes[0], mac9, 6);
	tap.nr = 0;
	/* Saying it again is no proof. */
	lab_inject(
		&lab.b, frame, arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, host_v4(&lab.b)));
	tap.nr = 0;
	lab_run(&lab, 9 * SEC);
	assert_int_equal(tap.nr, 3); /* asked, of it alone, and no answer */
	assert_memory_equal(tap.bytes[0], mac9, 6);
	assert_int_equal(get_be16(tap.bytes[0] + 12), ETH_TYPE_ARP);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 4);
	assert_memory_equal(tap.bytes[3], bcast, 6);
	lab_down(&lab);
}

/* Connections keep their headers ready, and must notice. */
static void connections_follow_a_station_to_another_mac(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 5);
	tap.pass = true;
	lab_establish(&lab);
	lab.b.app.tx_total += 100;
	app_feed(&lab.b.app);
	lab_run(&lab, 10000);
	tap.nr = 0;
	lab_inject(&lab.b, frame,
		arp_build(frame, lab.b.cfg.mac, ARP_OP_REPLY, mac9, host_v4(&lab.a),
			host_v4(&lab.b)));
	lab.b.app.tx_total += 100;
	app_feed(&lab.b.app);
	lab_run(&lab, 1000);
	assert_true(tap.nr >= 1);
	assert_int_equal(get_be16(tap.bytes[0] + 12), ETH_TYPE_IPV4);
	assert_memory_equal(tap.bytes[0], mac9, 6);
	lab_down(&lab);
}

static void dead_entry_is_removed_after_probes(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 5);
	lab.b.net.cfg.arp_reach_us = 10 * SEC;
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	lab_inject(&lab.b, frame,
		arp_build(frame, lab.b.cfg.mac, ARP_OP_REPLY, mac9, IP9, host_v4(&lab.b)));
	lab_run(&lab, 9 * SEC);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	tap.nr = 0;
	lab_run(&lab, 20 * SEC);
	assert_int_equal(tap.nr, 3);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 4);
	assert_memory_equal(tap.bytes[3], bcast, 6);
	lab_down(&lab);
}

static void table_is_bounded_and_keeps_the_gateway(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048], mac[6] = {2, 1};
	struct ip_addr gw = ip_addr_from_v4(0x0a0000fe), far = ip_addr_from_v4(0x08080808);
	const uint8_t gw_mac[6] = {2, 0, 0, 0, 0, 0xfe};
	struct tcp_conn *conn;

	lab_init(&lab, 6);
	lab.b.cfg.max_arp = 8;
	lab.b.cfg.gateway = gw;
	tap_set(&lab, &tap);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &gw, gw_mac, true);
	for (uint32_t i = 10; i < 200; i++) {
		mac[5] = (uint8_t)i;
		lab_inject(&lab.b, frame,
			arp_build(frame, bcast, ARP_OP_REQUEST, mac, 0x0a000000u + i,
				host_v4(&lab.b)));
	}
	tap.nr = 0;
	assert_int_equal(net_route(&lab.b.net, &far), 0);
	assert_int_equal(tcp_connect(&lab.b.net, &far, 80, &app_ops, &lab.b.app, &conn), 0);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(tap.nr, 1);
	assert_memory_equal(tap.bytes[0], gw_mac, 6);
	assert_int_equal(get_be32(tap.bytes[0] + 30), 0x08080808);
	lab_down(&lab);
}

static void conflict_is_counted_and_defended_seldom(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 7);
	for (int i = 0; i < 10; i++)
		lab_inject(&lab.b, frame,
			arp_build(frame, bcast, ARP_OP_REQUEST, mac9, host_v4(&lab.b),
				host_v4(&lab.b)));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ARP_CONFLICT), 10);
	assert_int_equal(tap.nr, 1);
	lab_down(&lab);
}

static void announcement_is_sent_twice(void **state)
{
	struct lab lab;
	struct tap tap;

	tap_up(&lab, &tap, 8);
	net_announce(&lab.b.net);
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 2);
	assert_memory_equal(tap.bytes[0], bcast, 6);
	assert_memory_equal(tap.bytes[0] + 28, tap.bytes[0] + 38, 4); /* spa == tpa */
	lab_down(&lab);
}

static void learn_told_to_others(
	void *ctx, const struct ip_addr *ip, const uint8_t *mac, bool is_confirmed)
{
	struct host *h = ctx;

	/* Two hosts stand for two cores of one node here. */
	net_neigh_learn(&(h == &h->lab->a ? &h->lab->b : &h->lab->a)->net, ip, mac, true);
}

static void answers_reach_the_other_core(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	struct net_ops ops;

	tap_up(&lab, &tap, 9);
	ops = *lab.a.net.ops;
	ops.neigh_learned = learn_told_to_others;
	lab.a.net.ops = &ops;
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 1);
	lab_inject(&lab.a, frame,
		arp_build(frame, lab.a.cfg.mac, ARP_OP_REPLY, mac9, IP9, host_v4(&lab.a)));
	assert_int_equal(tap.nr, 2);
	assert_int_equal(tap.bytes[1][34], ICMP_ECHO_REPLY);
	lab_down(&lab);
}

/* The one that answered before is asked, and given up when it is there no more. */
static void link_that_is_back_has_stations_asked_again(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 21);
	lab_inject(
		&lab.b, frame, arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, host_v4(&lab.b)));
	lab_run(&lab, SEC);
	tap.nr = 0;
	net_link(&lab.b.net, true, false);
	assert_int_equal(tap.nr, 0); /* another core announces */
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_int_equal(tap.nr, 1); /* it serves meanwhile */
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 4); /* and three questions */
	assert_memory_equal(tap.bytes[1], mac9, 6);
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64));
	assert_memory_equal(tap.bytes[4], bcast, 6);
	lab_down(&lab);
}

static void echo_returns_the_same_bytes(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	struct ip_addr ip9 = ip_addr_from_v4(IP9);

	tap_up(&lab, &tap, 10);
	net_neigh_learn(&lab.b.net, &ip9, mac9, true);
	for (uint32_t len = 8; len <= 1480; len += 46) {
		tap.nr = 0;
		lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), len));
		assert_int_equal(tap.nr, 1);
		assert_int_equal(tap.len[0], 34 + len);
		assert_int_equal(tap.bytes[0][34], ICMP_ECHO_REPLY);
		assert_int_equal(csum_of(tap.bytes[0] + 34, len), 0);
		assert_int_equal(csum_of(tap.bytes[0] + 14, 20), 0);
		assert_memory_equal(tap.bytes[0] + 38, frame + 38, len - 4);
	}
	lab_down(&lab);
}

static void nothing_sent_to_many_is_answered(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
	struct ip_addr ip9 = ip_addr_from_v4(IP9);

	tap_up(&lab, &tap, 11);
	net_neigh_learn(&lab.b.net, &ip9, mac9, true);
	lab_inject(&lab.b, frame, ping_build(frame, bcast, host_v4(&lab.b), 64));
	lab_inject(&lab.b, frame, ping_build(frame, bcast, 0xffffffff, 64));
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, 0x0a0000ff, 64));
	lab_inject(&lab.b, frame, ping_build(frame, group, 0xe0000001, 64));
	lab_inject(&lab.b, frame, ping_build(frame, lab.b.cfg.mac, 0x0a000055, 64));
	lab_inject(&lab.b, frame, ip_build(frame, bcast, 0xffffffff, IP_PROTO_UDP, "12345678", 8));
	lab_inject(&lab.b, frame,
		ip_build(frame, bcast, 0xffffffff, IP_PROTO_TCP, "01234567890123456789", 20));
	assert_int_equal(tap.nr, 0);
	lab_down(&lab);
}

static void impossible_sources_are_dropped(void **state)
{
	static const uint32_t bad[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a0000ff,
		0x0a000002, 0xf0000001, 0x00000005};
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];

	tap_up(&lab, &tap, 12);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint32_t len = ping_build(frame, lab.b.cfg.mac, host_v4(&lab.b), 64);
		uint16_t csum;

		put_be32(frame + 26, bad[i]);
		memset(frame + 24, 0, 2);
		csum = csum_of(frame + 14, 20);
		memcpy(frame + 24, &csum, 2);
		lab_inject(&lab.b, frame, len);
	}
	assert_int_equal(tap.nr, 0);
	assert_int_equal(host_drops(&lab.b, DROP_IP_SOURCE), 8);
	lab_down(&lab);
}

static void fragments_and_bad_headers_are_dropped(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048], good[2048];
	uint32_t len;

	tap_up(&lab, &tap, 13);
	len = ping_build(good, lab.b.cfg.mac, host_v4(&lab.b), 64);
	for (int which = 0; which < 6; which++) {
		uint16_t csum;

		memcpy(frame, good, len);
		switch (which) {
		case 0: put_be16(frame + 20, IPV4_MF); break;
		case 1: put_be16(frame + 20, 100); break;
		case 2: frame[14] = 0x65; break;
		case 3: frame[14] = 0x44; break;
		case 4: put_be16(frame + 16, 19); break;
		case 5: put_be16(frame + 16, (uint16_t)(len - 14 + 1)); break;
		}
		memset(frame + 24, 0, 2);
		csum = csum_of(frame + 14, (frame[14] & 15) * 4u);
		memcpy(frame + 24, &csum, 2);
		lab_inject(&lab.b, frame, len);
	}
	memcpy(frame, good, len);
	frame[24] ^= 1;
	lab_inject(&lab.b, frame, len);
	assert_int_equal(tap.nr, 0);
	assert_int_equal(host_drops(&lab.b, DROP_IP_FRAGMENT), 2);
	assert_int_equal(host_drops(&lab.b, DROP_IP_HEADER), 2);
	assert_int_equal(host_drops(&lab.b, DROP_IP_SHORT), 2);
	assert_int_equal(host_drops(&lab.b, DROP_IP_CSUM), 1);
	lab_down(&lab);
}

static void unknown_protocols_are_reported_and_limited(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	struct ip_addr ip9 = ip_addr_from_v4(IP9);

	lab_init(&lab, 14);
	lab.b.cfg.icmp_per_s = 10;
	tap_set(&lab, &tap);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &ip9, mac9, true);
	for (int i = 0; i < 100; i++)
		lab_inject(&lab.b, frame,
			ip_build(frame, lab.b.cfg.mac, host_v4(&lab.b), IP_PROTO_UDP, "12345678",
				8));
	assert_int_equal(tap.nr, 10);
	assert_int_equal(tap.bytes[0][34], ICMP_UNREACH);
	assert_int_equal(tap.bytes[0][35], ICMP_UNREACH_PORT);
	assert_int_equal(csum_of(tap.bytes[0] + 34, tap.len[0] - 34), 0);
	assert_memory_equal(tap.bytes[0] + 42, frame + 14, 28);
	lab_down(&lab);
}

/* Tells a that its segment `seq` to b did not get through. */
static void unreach_send(struct lab *lab, uint8_t code, uint16_t mtu, uint32_t seq, uint16_t sport)
{
	uint8_t msg[36] = {ICMP_UNREACH, code}, quoted[64], frame[256];
	const struct raw_tcp inner = {.src_v4 = host_v4(&lab->a),
		.dst_v4 = host_v4(&lab->b),
		.sport = sport,
		.dport = LAB_PORT,
		.seq = seq};
	uint16_t csum;

	put_be16(msg + 6, mtu);
	raw_tcp_build(quoted, &lab->b, &inner);
	put_be16(quoted + 16, 1500); /* as long as it was */
	memcpy(msg + 8, quoted + 14, 28);
	csum = csum_of(msg, sizeof(msg));
	memcpy(msg + 2, &csum, 2);
	lab_inject(&lab->a, frame,
		ip_build(frame, lab->a.cfg.mac, host_v4(&lab->a), IP_PROTO_ICMP, msg, sizeof(msg)));
}

static void unreachable_ends_an_attempt(void **state)
{
	static const struct {
		uint8_t code;
		int reason;
	} cases[] = {{ICMP_UNREACH_NET, EHOSTUNREACH}, {ICMP_UNREACH_HOST, EHOSTUNREACH},
		{ICMP_UNREACH_PORT, ECONNREFUSED}, {ICMP_UNREACH_PROTO, ECONNREFUSED},
		{13, EHOSTUNREACH}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab lab;
		struct tap tap;
		uint16_t sport;

		tap_up(&lab, &tap, 15);
		tap.from = &lab.b; /* b's answers are lost, all but ARP */
		net_neigh_learn(&lab.a.net, &lab.b.cfg.addrs[0].ip, lab.b.cfg.mac, true);
		lab_connect(&lab);
		lab_run(&lab, 1000);
		sport = tcp_conn_local(lab.a.app.conn).port;
		/* Not about what was sent: not believed. */
		unreach_send(&lab, cases[i].code, 0, lab.a.last.seq + 1, sport);
		unreach_send(&lab, cases[i].code, 0, lab.a.last.seq - 1, sport);
		unreach_send(&lab, cases[i].code, 0, lab.a.last.seq, (uint16_t)(sport + 1));
		net_run(&lab.a.net, lab.now_us);
		assert_int_equal(lab.a.app.nr_closed, 0);
		unreach_send(&lab, cases[i].code, 0, lab.a.last.seq, sport);
		net_run(&lab.a.net, lab.now_us);
		assert_int_equal(lab.a.app.nr_closed, 1);
		assert_int_equal(lab.a.app.reason, cases[i].reason);
		lab_down(&lab);
	}
}

static void unreachable_does_not_end_a_connection(void **state)
{
	struct lab lab;
	uint32_t seq;

	lab_init(&lab, 16);
	lab_up(&lab, 8);
	lab_establish(&lab);
	lab.a.app.tx_total = 1000;
	app_feed(&lab.a.app);
	net_run(&lab.a.net, lab.now_us);
	seq = lab.a.last.seq;
	for (uint8_t code = 0; code < 16; code++) {
		if (code != ICMP_UNREACH_FRAG)
			unreach_send(&lab, code, 0, seq, tcp_conn_local(lab.a.app.conn).port);
	}
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 1000);
	assert_int_equal(lab.a.app.nr_closed, 0);
	lab_down(&lab);
}

/* A path that carries no more than 1000 bytes in a packet, and says so. */
static enum lab_verdict narrow_path(struct lab *lab, struct sniff *s, void *ctx)
{
	const uint32_t *says = ctx;

	if (!s->is_tcp || s->from != &lab->a || s->len - 14 <= 1000)
		return LAB_PASS;
	if (*says) {
		const uint32_t seq = s->seq;

		unreach_send(lab, ICMP_UNREACH_FRAG, (uint16_t)*says, seq, get_be16(s->bytes + 34));
	}
	return LAB_DROP;
}

static void narrow_path_lowers_the_mss(void **state)
{
	struct lab lab;
	uint32_t says = 1000;
	struct tcp_conn_info info;

	lab_init(&lab, 17);
	lab_up(&lab, 8);
	lab_establish(&lab);
	lab.hook = narrow_path;
	lab.hook_ctx = &says;
	lab.a.app.tx_total = 100000;
	lab.a.app.shutdown_at_end = true;
	app_feed(&lab.a.app);
	lab_run(&lab, 2 * SEC);
	assert_int_equal(lab.b.app.rx_done, 100000);
	assert_int_equal(lab.b.app.nr_eof, 1);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.mss, 1000 - 40 - 12);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_REDUCED), 1);
	lab_down(&lab);
}

static void lying_path_mtu_is_bounded(void **state)
{
	struct lab lab;
	struct tcp_conn_info info;
	uint16_t sport;
	uint32_t seq;

	lab_init(&lab, 18);
	lab_up(&lab, 8);
	lab_establish(&lab);
	sport = tcp_conn_local(lab.a.app.conn).port;
	lab.a.app.tx_total = 10000;
	app_feed(&lab.a.app);
	net_run(&lab.a.net, lab.now_us);
	seq = lab.a.last.seq;
	unreach_send(&lab, ICMP_UNREACH_FRAG, 1000, seq + 100000, sport); /* not in flight */
	unreach_send(&lab, ICMP_UNREACH_FRAG, 65535, seq, sport);
	unreach_send(&lab, ICMP_UNREACH_FRAG, 1500, seq, sport);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.mss, 1448);
	/* None named: the next smaller common one (RFC 1191, 7). */
	unreach_send(&lab, ICMP_UNREACH_FRAG, 0, seq, sport);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.mss, 1492 - 52);
	unreach_send(&lab, ICMP_UNREACH_FRAG, 100, seq, sport);
	tcp_conn_info(lab.a.app.conn, &info);
	assert_int_equal(info.mss, 552 - 52);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 10000);
	lab_down(&lab);
}

static void both_directions_hash_alike(void **state)
{
	struct lab lab;
	uint8_t frame[256];
	struct pkt p = {.data = frame};
	uint32_t there, back, quoted;
	struct raw_tcp t = {
		.src_v4 = 0x0a000001, .dst_v4 = 0x0a000002, .sport = 1234, .dport = 6379};
	struct ip_addr a = ip_addr_from_v4(t.src_v4), b = ip_addr_from_v4(t.dst_v4);
	uint8_t msg[36] = {ICMP_UNREACH};
	uint32_t seen[4] = {0};

	lab_init(&lab, 19);
	p.len = raw_tcp_build(frame, &lab.b, &t);
	assert_true(net_flow_hash(&p, &there));
	memcpy(msg + 8, frame + 14, 28);
	t = (struct raw_tcp){
		.src_v4 = 0x0a000002, .dst_v4 = 0x0a000001, .sport = 6379, .dport = 1234};
	p.len = raw_tcp_build(frame, &lab.b, &t);
	assert_true(net_flow_hash(&p, &back));
	assert_int_equal(there, back);
	assert_int_equal(there, net_flow_hash_tuple(&a, 1234, &b, 6379));
	/* An error about the flow goes where the flow goes. */
	p.len = ip_build(frame, mac9, 0x0a000001, IP_PROTO_ICMP, msg, sizeof(msg));
	assert_true(net_flow_hash(&p, &quoted));
	assert_int_equal(there, quoted);
	for (uint32_t len = 0; len < p.len; len++) {
		p.len = len;
		net_flow_hash(&p, &quoted);
	}
	p.len = ping_build(frame, mac9, 0x0a000001, 64);
	assert_false(net_flow_hash(&p, &quoted));
	p.len = arp_build(frame, bcast, ARP_OP_REQUEST, mac9, IP9, 0x0a000001);
	assert_false(net_flow_hash(&p, &quoted));
	/* And clients spread over cores. */
	for (uint32_t port = 1024; port < 5024; port++)
		seen[net_flow_hash_tuple(&a, (uint16_t)port, &b, 6379) % 4]++;
	for (int i = 0; i < 4; i++)
		assert_in_range(seen[i], 850, 1150);
}

/* Toeplitz's hash, bit by bit, as the definition of receive side scaling has it. */
static uint32_t toeplitz(const uint8_t *input, unsigned len)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < len * 8; i++) {
		uint32_t window = 0;

		if (!(input[i / 8] >> (7 - i % 8) & 1))
			continue;
		for (unsigned k = i; k < i + 32; k++)
			window = window << 1 | (NET_FLOW_KEY >> (15 - k % 16) & 1);
		hash ^= window;
	}
	return hash;
}

static void hash_is_that_of_receive_side_scaling(void **state)
{
	uint64_t seed = 4711;

	for (int round = 0; round < 2000; round++) {
		uint8_t input[36];
		struct ip_addr a, b;
		uint16_t aport, bport;

		for (unsigned i = 0; i < sizeof(input); i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			input[i] = (uint8_t)(seed >> 56);
		}
		a = ip_addr_load(input);
		b = ip_addr_load(input + 16);
		aport = get_be16(input + 32);
		bport = get_be16(input + 34);
		assert_int_equal(
			net_flow_hash_tuple(&a, aport, &b, bport), toeplitz(input, sizeof(input)));
		a = ip_addr_from_v4(get_be32(input + 24));
		b = ip_addr_from_v4(get_be32(input + 28));
		assert_int_equal(
			net_flow_hash_tuple(&a, aport, &b, bport), toeplitz(input + 24, 12));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_answered_and_learnt),
		cmocka_unit_test(request_from_a_kernel_with_our_mac_is_answered),
		cmocka_unit_test(own_arp_come_back_is_no_conflict),
		cmocka_unit_test(foreign_or_malformed_arp_is_ignored),
		cmocka_unit_test(unanswered_requests_are_repeated_then_given_up),
		cmocka_unit_test(used_entry_is_probed_and_kept_while_answered),
		cmocka_unit_test(what_a_request_said_is_checked_when_it_is_used),
		cmocka_unit_test(connections_follow_a_station_to_another_mac),
		cmocka_unit_test(dead_entry_is_removed_after_probes),
		cmocka_unit_test(table_is_bounded_and_keeps_the_gateway),
		cmocka_unit_test(conflict_is_counted_and_defended_seldom),
		cmocka_unit_test(announcement_is_sent_twice),
		cmocka_unit_test(answers_reach_the_other_core),
		cmocka_unit_test(link_that_is_back_has_stations_asked_again),
		cmocka_unit_test(echo_returns_the_same_bytes),
		cmocka_unit_test(nothing_sent_to_many_is_answered),
		cmocka_unit_test(impossible_sources_are_dropped),
		cmocka_unit_test(fragments_and_bad_headers_are_dropped),
		cmocka_unit_test(unknown_protocols_are_reported_and_limited),
		cmocka_unit_test(unreachable_ends_an_attempt),
		cmocka_unit_test(unreachable_does_not_end_a_connection),
		cmocka_unit_test(narrow_path_lowers_the_mss),
		cmocka_unit_test(lying_path_mtu_is_bounded),
		cmocka_unit_test(both_directions_hash_alike),
		cmocka_unit_test(hash_is_that_of_receive_side_scaling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
