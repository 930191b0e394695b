/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Neighbour discovery (RFC 4861) and the test for duplicate addresses (RFC 4862, 5.4).
 */
#include "tests/net/tap.h"
#include "tests/net/v6.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC   1000000ull
#define NA_S  0x40000000u
#define NA_O  0x20000000u
#define NA_R  0x80000000u
#define ICMP6 54 /* where ICMPv6 begins in a frame */

static const uint8_t mac7[6] = {2, 0, 0, 0, 0, 7};

/* Station 9 to b. */
static struct v6_ip to_b(void)
{
	return (struct v6_ip){.dst = lab_v6(2)};
}

static void v6_tap_up(struct lab *lab, struct tap *tap, uint64_t seed)
{
	lab_init(lab, seed);
	lab_use_v6(lab);
	tap_set(lab, tap);
	lab_up(lab, 8);
}

static void ask(struct lab *lab)
{
	struct ip_addr b = lab_v6(2);
	struct v6_ip ip = {.dst = v6_solicited(&b)};
	uint8_t frame[2048];

	lab_inject(&lab->b, frame, v6_ns_build(frame, &ip, &b, v6_mac9));
}

static void ping(struct lab *lab)
{
	struct v6_ip ip = to_b();
	uint8_t frame[2048];

	lab_inject(&lab->b, frame, v6_ping_build(frame, &ip, 56));
}

/* Station 9 says where it is. */
static void tell(struct lab *lab, uint32_t flags, const uint8_t *mac)
{
	struct v6_ip ip = to_b();
	struct ip_addr nine = lab_v6(9);
	uint8_t frame[2048];

	lab_inject(&lab->b, frame, v6_na_build(frame, &ip, &nine, flags, mac));
}

static uint8_t type_of(const struct tap *tap, uint32_t nr)
{
	assert_true(nr < TAP_FRAMES);
	assert_true(v6_icmp_is_right(tap->bytes[nr], tap->len[nr]));
	return tap->bytes[nr][ICMP6];
}

static void is_solicitation(const struct tap *tap, uint32_t nr, const uint8_t *eth_dst)
{
	const struct ip_addr nine = lab_v6(9);
	const uint8_t *f = tap->bytes[nr];

	assert_int_equal(type_of(tap, nr), 135);
	assert_memory_equal(f, eth_dst, 6);
	assert_int_equal(f[21], 255);
	assert_memory_equal(f + ICMP6 + 8, &nine, 16);
	assert_int_equal(f[ICMP6 + 24], 1);
	assert_memory_equal(f + ICMP6 + 26, tap->from->cfg.mac, 6);
}

static void solicitation_is_answered_and_learnt(void **state)
{
	struct lab lab;
	struct tap tap;
	const struct ip_addr b = lab_v6(2), nine = lab_v6(9);
	const uint8_t *f = tap.bytes[0];

	v6_tap_up(&lab, &tap, 1);
	ask(&lab);
	assert_int_equal(tap.nr, 1);
	assert_int_equal(type_of(&tap, 0), 136);
	assert_memory_equal(f, v6_mac9, 6);
	assert_int_equal(f[21], 255);
	assert_memory_equal(f + 22, &b, 16);
	assert_memory_equal(f + 38, &nine, 16);
	assert_int_equal(get_be32(f + ICMP6 + 4), NA_S | NA_O);
	assert_memory_equal(f + ICMP6 + 8, &b, 16);
	assert_int_equal(f[ICMP6 + 24], 2);
	assert_memory_equal(f + ICMP6 + 26, lab.b.cfg.mac, 6);
	/* The answer to a ping goes out without a question. */
	ping(&lab);
	assert_int_equal(tap.nr, 2);
	assert_int_equal(type_of(&tap, 1), 129);
	assert_memory_equal(tap.bytes[1], v6_mac9, 6);
	lab_down(&lab);
}

/* RFC 4861, 4.3: who asks us alone may leave its MAC out. */
static void solicitation_without_a_mac_is_answered_too(void **state)
{
	struct lab lab;
	struct tap tap;
	const struct ip_addr b = lab_v6(2);
	struct v6_ip ip = to_b();
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 20);
	lab_inject(&lab.b, frame, v6_ns_build(frame, &ip, &b, NULL));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(type_of(&tap, 0), 135); /* where is it? */
	tell(&lab, NA_S | NA_O, v6_mac9);
	assert_int_equal(type_of(&tap, 1), 136);
	assert_int_equal(tap.bytes[1][21], 255);
	assert_memory_equal(tap.bytes[1], v6_mac9, 6);
	lab_down(&lab);
}

static void link_local_address_is_from_the_mac(void **state)
{
	struct lab lab;
	struct tap tap;
	struct ip_addr ll = v6_addr("fe80::ff:fe00:2"), far = v6_addr("fe80::9");
	struct v6_ip ip = {.src = &far, .dst = v6_solicited(&ll)};
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 2);
	lab_inject(&lab.b, frame, v6_ns_build(frame, &ip, &ll, v6_mac9));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(type_of(&tap, 0), 136);
	assert_memory_equal(tap.bytes[0] + 22, &ll, 16);
	ip.dst = ll;
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	assert_int_equal(type_of(&tap, 1), 129);
	assert_memory_equal(tap.bytes[1] + 22, &ll, 16);
	lab_down(&lab);
}

/* Changes to a good solicitation (or advertisement), and what is counted. */
struct bad_nd {
	const char *what;
	uint8_t type;
	uint8_t hops;
	uint8_t at; /* a byte of the message to change after the sum was made good; 0: none */
	uint8_t value;
	const char *src;
	const char *dst;
	const char *target;
	uint32_t flags;
	bool has_mac;
	uint32_t cut; /* of the message */
	enum drop why;
};

static void sum_mend(uint8_t *frame, uint32_t len)
{
	struct ip_addr src = ip_addr_load(frame + 22);
	struct v6_ip ip = {.src = &src, .dst = ip_addr_load(frame + 38), .hops = frame[21]};
	uint8_t copy[2048];

	memcpy(copy, frame, len);
	v6_icmp_build(copy, &ip, frame[54], frame[55], get_be32(frame + 58), frame + 62, len - 62);
	memcpy(frame + 54, copy + 54, len - 54);
}

static void malformed_discovery_is_dropped(void **state)
{
	static const struct bad_nd cases[] = {
		{"hop limit", .type = 135, .hops = 254, .why = DROP_ND_BAD},
		{"code", .type = 135, .at = 1, .value = 1, .why = DROP_ND_BAD},
		{"short", .type = 135, .cut = 23, .why = DROP_ND_BAD},
		{"no header", .type = 135, .cut = 7, .why = DROP_ICMP_BAD},
		{"group as target", .type = 135, .target = "ff02::1", .why = DROP_ND_BAD},
		{"unspecified target", .type = 135, .target = "::", .why = DROP_ND_BAD},
		{"option of length 0", .type = 135, .has_mac = true, .at = 25, .value = 0,
			.why = DROP_ND_BAD},
		{"option too long", .type = 135, .has_mac = true, .at = 25, .value = 2,
			.why = DROP_ND_BAD},
		{"option cut off", .type = 135, .has_mac = true, .cut = 28, .why = DROP_ND_BAD},
		{"group MAC", .type = 135, .has_mac = true, .at = 26, .value = 3,
			.why = DROP_ND_BAD},
		{"test with a MAC", .type = 135, .src = "::", .dst = "ff02::1:ff00:2",
			.has_mac = true, .why = DROP_ND_BAD},
		{"test to us alone", .type = 135, .src = "::", .why = DROP_ND_BAD},
		{"advertisement from nobody", .type = 136, .src = "::", .has_mac = true,
			.why = DROP_ND_BAD},
		{"solicited to a group", .type = 136, .dst = "ff02::1", .flags = NA_S,
			.has_mac = true, .why = DROP_ND_BAD},
		{"advertisement, hop limit", .type = 136, .hops = 64, .has_mac = true,
			.why = DROP_ND_BAD},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bad_nd *c = &cases[i];
		struct lab lab;
		struct tap tap;
		struct ip_addr target = c->target ? v6_none : lab_v6(2), src;
		struct v6_ip ip = to_b();
		uint8_t frame[2048];
		uint32_t len;

		v6_tap_up(&lab, &tap, 3);
		if (c->target && strcmp(c->target, "::") != 0)
			target = v6_addr(c->target);
		src = c->src ? v6_addr(c->src) : lab_v6(9);
		ip.src = &src;
		ip.dst = c->dst ? v6_addr(c->dst) : lab_v6(2);
		ip.hops = c->hops;
		len = c->type == 135 ? v6_ns_build(frame, &ip, &target, c->has_mac ? v6_mac9 : NULL)
				     : v6_na_build(frame, &ip, &target, c->flags,
					       c->has_mac ? v6_mac9 : NULL);
		if (c->at)
			frame[54 + c->at] = c->value;
		if (c->cut) {
			len = 54 + c->cut;
			put_be16(frame + 18, (uint16_t)c->cut);
		}
		if (len >= 62)
			sum_mend(frame, len);
		lab_inject(&lab.b, frame, len);
		if (tap.nr != 0 || host_drops(&lab.b, c->why) != 1)
			fail_msg("%s: %u sent, %llu dropped", c->what, tap.nr,
				(unsigned long long)host_drops(&lab.b, c->why));
		lab_down(&lab);
	}
}

/* The solicitation with one bit wrong anywhere in the message is worth nothing. */
static void damaged_discovery_is_dropped(void **state)
{
	struct lab lab;
	struct tap tap;
	struct ip_addr b = lab_v6(2);
	struct v6_ip ip = to_b();
	uint8_t frame[2048];
	uint32_t len;

	v6_tap_up(&lab, &tap, 4);
	len = v6_ns_build(frame, &ip, &b, v6_mac9);
	for (uint32_t bit = 54 * 8; bit < len * 8; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		lab_inject(&lab.b, frame, len);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(tap.nr, 0);
	assert_int_equal(host_drops(&lab.b, DROP_ICMP_BAD), (len - 54) * 8);
	lab_down(&lab);
}

static void unanswered_solicitations_are_repeated_then_given_up(void **state)
{
	struct lab lab;
	struct tap tap;
	const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 9};

	v6_tap_up(&lab, &tap, 5);
	for (int i = 0; i < 100; i++)
		ping(&lab);
	assert_int_equal(tap.nr, 1);
	is_solicitation(&tap, 0, group);
	assert_int_equal(lab.b.pool.nr_out, 64); /* the queue is bounded */
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 3);
	is_solicitation(&tap, 2, group);
	assert_int_equal(lab.b.pool.nr_out, 0);
	assert_int_equal(host_drops(&lab.b, DROP_ND_UNRESOLVED), 64);
	assert_int_equal(host_drops(&lab.b, DROP_ND_FULL), 36);
	lab_down(&lab);
}

static void answer_sends_what_waited(void **state)
{
	struct lab lab;
	struct tap tap;

	v6_tap_up(&lab, &tap, 6);
	ping(&lab);
	ping(&lab);
	tell(&lab, NA_S, NULL); /* says nothing: where? */
	assert_int_equal(tap.nr, 1);
	tell(&lab, NA_S | NA_O, v6_mac9);
	assert_int_equal(tap.nr, 3);
	assert_int_equal(type_of(&tap, 1), 129);
	assert_int_equal(type_of(&tap, 2), 129);
	assert_memory_equal(tap.bytes[2], v6_mac9, 6);
	lab_down(&lab);
}

/* Makes station 9 REACHABLE with a time that is known. */
static void reach(struct lab *lab)
{
	struct ip_addr nine = lab_v6(9);

	lab->b.net.cfg.nd_reach_us = 10 * SEC; /* 5 to 15 */
	net_neigh_learn(&lab->b.net, &nine, v6_mac9, true);
}

static void used_neighbour_is_asked_late_and_kept_while_it_answers(void **state)
{
	struct lab lab;
	struct tap tap;

	v6_tap_up(&lab, &tap, 7);
	reach(&lab);
	lab_run(&lab, 4 * SEC);
	ping(&lab);
	lab_run(&lab, 9 * SEC);
	assert_int_equal(tap.nr, 1); /* REACHABLE still when it was used */
	lab_run(&lab, 3 * SEC);
	tap.nr = 0;
	ping(&lab); /* STALE: goes out, and in five seconds it will be asked */
	lab_run(&lab, 4900000);
	assert_int_equal(tap.nr, 1);
	lab_run(&lab, 200000);
	assert_int_equal(tap.nr, 2);
	is_solicitation(&tap, 1, v6_mac9); /* of it alone */
	ping(&lab);                        /* PROBE serves */
	assert_int_equal(type_of(&tap, 2), 129);
	tell(&lab, NA_S, NULL);
	tap.nr = 0;
	lab_run(&lab, 4 * SEC);
	ping(&lab);
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 1);
	lab_down(&lab);
}

static void dead_neighbour_is_removed_after_three_probes(void **state)
{
	struct lab lab;
	struct tap tap;
	const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 9};

	v6_tap_up(&lab, &tap, 8);
	reach(&lab);
	lab_run(&lab, 20 * SEC);
	ping(&lab);
	lab_run(&lab, 20 * SEC);
	assert_int_equal(tap.nr, 4); /* the ping and three probes */
	is_solicitation(&tap, 3, v6_mac9);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ND_UNREACHABLE), 1);
	ping(&lab);
	is_solicitation(&tap, 4, group);
	lab_down(&lab);
}

/* Unused, it goes STALE in silence. */
static void unused_neighbour_is_left_alone(void **state)
{
	struct lab lab;
	struct tap tap;

	v6_tap_up(&lab, &tap, 9);
	reach(&lab);
	lab_run(&lab, 1000 * SEC);
	assert_int_equal(tap.nr, 0);
	ping(&lab);
	assert_int_equal(type_of(&tap, 0), 129);
	lab_down(&lab);
}

/* RFC 4861, 7.2.5 and appendix C: what an advertisement does to an entry that is REACHABLE. */
static void advertisements_change_an_entry_by_the_rules(void **state)
{
	static const struct {
		uint32_t flags;
		const uint8_t *mac;
		const uint8_t *then; /* the MAC used next */
		bool is_asked;       /* and in five seconds it is probed */
	} cases[] = {
		{0, v6_mac9, v6_mac9, false},
		{NA_O, v6_mac9, v6_mac9, false},
		{NA_S, v6_mac9, v6_mac9, false},
		{NA_S, NULL, v6_mac9, false},
		{0, mac7, v6_mac9, true},
		{NA_S, mac7, v6_mac9, true},
		{NA_O, mac7, mac7, true},
		{NA_S | NA_O, mac7, mac7, false},
		{NA_R | NA_O, mac7, mac7, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab lab;
		struct tap tap;

		v6_tap_up(&lab, &tap, 10);
		reach(&lab);
		tell(&lab, cases[i].flags, cases[i].mac);
		assert_int_equal(tap.nr, 0);
		ping(&lab);
		assert_int_equal(tap.nr, 1);
		assert_memory_equal(tap.bytes[0], cases[i].then, 6);
		lab_run(&lab, 5100000);
		assert_int_equal(tap.nr, cases[i].is_asked ? 2 : 1);
		lab_down(&lab);
	}
}

static void advertisement_of_a_stranger_is_not_learnt(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	struct ip_addr far = v6_addr("2001:db8:1::9"), b = lab_v6(2);
	struct v6_ip ip = to_b();

	v6_tap_up(&lab, &tap, 11);
	tell(&lab, NA_S | NA_O, v6_mac9);
	ping(&lab);
	assert_int_equal(type_of(&tap, 0), 135);
	/* Who is not on the link cannot be a neighbour, whatever it says. */
	ip.src = &far;
	ip.dst = v6_solicited(&ip.dst);
	lab_inject(&lab.b, frame, v6_ns_build(frame, &ip, &b, v6_mac9));
	assert_int_equal(tap.nr, 1);
	lab_down(&lab);
}

/* One that moved: its own solicitation says so. */
static void solicitation_from_elsewhere_moves_the_entry(void **state)
{
	struct lab lab;
	struct tap tap;
	struct ip_addr b = lab_v6(2);
	struct v6_ip ip = {.dst = v6_solicited(&b), .eth_src = mac7};
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 12);
	reach(&lab);
	lab_inject(&lab.b, frame, v6_ns_build(frame, &ip, &b, mac7));
	assert_memory_equal(tap.bytes[0], mac7, 6);
	ping(&lab);
	assert_memory_equal(tap.bytes[1], mac7, 6);
	lab_run(&lab, 5100000);
	is_solicitation(&tap, 2, mac7); /* it was STALE */
	lab_down(&lab);
}

static void table_is_bounded_and_keeps_the_router(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048], mac[6] = {2, 1};
	const uint8_t gw_mac[6] = {2, 0, 0, 0, 0, 0xfe};
	struct ip_addr gw = v6_addr("fe80::fe"), far = v6_addr("2001:db8:ffff::1"), b = lab_v6(2);
	struct tcp_conn *conn;

	lab_init(&lab, 13);
	lab_use_v6(&lab);
	lab.b.cfg.max_arp = 8;
	lab.b.cfg.gateway_v6 = gw;
	tap_set(&lab, &tap);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &gw, gw_mac, true);
	for (uint32_t i = 10; i < 200; i++) {
		struct ip_addr src = lab_v6((uint8_t)i);
		struct v6_ip ip = {.src = &src, .dst = v6_solicited(&b)};

		mac[5] = (uint8_t)i;
		lab_inject(&lab.b, frame, v6_ns_build(frame, &ip, &b, mac));
	}
	tap.nr = 0;
	assert_int_equal(net_route(&lab.b.net, &far), 0);
	assert_int_equal(tcp_connect(&lab.b.net, &far, 80, &app_ops, &lab.b.app, &conn), 0);
	net_run(&lab.b.net, lab.now_us);
	assert_int_equal(tap.nr, 1);
	assert_memory_equal(tap.bytes[0], gw_mac, 6);
	assert_memory_equal(tap.bytes[0] + 22, &b, 16);
	assert_memory_equal(tap.bytes[0] + 38, &far, 16);
	lab_down(&lab);
}

/* --- our own addresses --- */

static void addresses_are_tested_then_announced_and_used(void **state)
{
	struct lab lab;
	struct tap tap;
	const struct ip_addr b = lab_v6(2);
	struct ip_addr group = v6_solicited(&b);
	struct tcp_conn *conn;
	struct ip_addr nine = lab_v6(9);

	v6_tap_up(&lab, &tap, 14);
	net_start(&lab.b.net, true);
	assert_int_equal(tap.nr, 3); /* ARP, and a test for the link-local and the other address */
	assert_int_equal(type_of(&tap, 2), 135);
	assert_memory_equal(tap.bytes[2] + 22, &v6_none, 16);
	assert_memory_equal(tap.bytes[2] + 38, &group, 16);
	assert_memory_equal(tap.bytes[2] + ICMP6 + 8, &b, 16);
	assert_int_equal(tap.len[2], ICMP6 + 24); /* no option */
	/* Until then it is silent and has no such address. */
	tap.nr = 0;
	ask(&lab);
	ping(&lab);
	assert_int_equal(
		tcp_connect(&lab.b.net, &nine, 80, &app_ops, &lab.b.app, &conn), -EHOSTUNREACH);
	lab_run(&lab, 900000);
	assert_int_equal(tap.nr, 0);
	lab_run(&lab, 900000);
	assert_int_equal(tap.nr, 2);
	assert_int_equal(type_of(&tap, 1), 136);
	assert_memory_equal(tap.bytes[1] + 38, &v6_all_nodes, 16);
	assert_int_equal(get_be32(tap.bytes[1] + ICMP6 + 4), NA_O);
	assert_memory_equal(tap.bytes[1] + ICMP6 + 8, &b, 16);
	ask(&lab);
	assert_int_equal(type_of(&tap, 2), 136);
	lab_down(&lab);
}

static void only_the_speaker_speaks(void **state)
{
	struct lab lab;
	struct tap tap;

	v6_tap_up(&lab, &tap, 15);
	net_start(&lab.b.net, false);
	ask(&lab);
	lab_run(&lab, 10 * SEC);
	assert_int_equal(tap.nr, 0);
	ask(&lab);
	assert_int_equal(tap.nr, 1);
	lab_down(&lab);
}

struct dup_note {
	struct ip_addr ip;
	uint32_t nr;
};

static struct dup_note dup_note;

static void duplicate_told(void *ctx, const struct ip_addr *ip)
{
	dup_note.ip = *ip;
	dup_note.nr++;
}

/* The frame comes while the address is being tested. Is it given up? */
static void while_tentative(const uint8_t *frame, uint32_t len, bool is_given_up)
{
	struct lab lab;
	struct tap tap;
	const struct ip_addr b = lab_v6(2), ll = v6_addr("fe80::ff:fe00:2");
	struct v6_ip ip = {.dst = v6_solicited(&ll)};
	struct net_ops ops;
	uint8_t other[2048];

	v6_tap_up(&lab, &tap, 16);
	memset(&dup_note, 0, sizeof(dup_note));
	ops = *lab.b.net.ops;
	ops.addr_duplicate = duplicate_told;
	lab.b.net.ops = &ops;
	net_start(&lab.b.net, true);
	lab_run(&lab, 500000);
	lab_inject(&lab.b, frame, len);
	lab_run(&lab, 10 * SEC);
	tap.nr = 0;
	ask(&lab);
	assert_int_equal(tap.nr, is_given_up ? 0 : 1);
	assert_int_equal(dup_note.nr, is_given_up ? 1 : 0);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ND_DUPLICATE), is_given_up ? 1 : 0);
	if (is_given_up)
		assert_true(ip_addr_eq(&dup_note.ip, &b));
	/* The other address is not concerned. */
	lab_inject(&lab.b, other, v6_ns_build(other, &ip, &ll, v6_mac9));
	assert_int_equal(tap.nr, is_given_up ? 1 : 2);
	lab_down(&lab);
}

static void duplicate_is_found_and_not_used(void **state)
{
	const struct ip_addr b = lab_v6(2), nine = lab_v6(9);
	const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 2};
	struct v6_ip test = {.src = &v6_none, .dst = v6_solicited(&b)};
	struct v6_ip claim = {.src = &b, .dst = v6_all_nodes};
	struct v6_ip question = {.dst = v6_solicited(&b)};
	uint8_t frame[2048];

	/* Another tries it too. */
	while_tentative(frame, v6_ns_build(frame, &test, &b, NULL), true);
	/* Another has it: even if that one's MAC is ours. */
	while_tentative(frame, v6_na_build(frame, &claim, &b, NA_O, v6_mac9), true);
	claim.eth_src = mac_b;
	while_tentative(frame, v6_na_build(frame, &claim, &b, NA_O, mac_b), true);
	/* Our own question, come back. */
	test.eth_src = mac_b;
	while_tentative(frame, v6_ns_build(frame, &test, &b, NULL), false);
	/* Someone who merely asks, or speaks of others. */
	while_tentative(frame, v6_ns_build(frame, &question, &b, v6_mac9), false);
	claim.src = NULL;
	while_tentative(frame, v6_na_build(frame, &claim, &nine, NA_O, v6_mac9), false);
}

static void address_in_use_is_defended_seldom(void **state)
{
	struct lab lab;
	struct tap tap;
	const struct ip_addr b = lab_v6(2);
	struct v6_ip claim = {.src = &b, .dst = v6_all_nodes};
	struct v6_ip test = {.src = &v6_none, .dst = v6_solicited(&b)};
	const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 2};
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 17);
	for (int i = 0; i < 10; i++)
		lab_inject(&lab.b, frame, v6_na_build(frame, &claim, &b, NA_O, v6_mac9));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ND_CONFLICT), 10);
	assert_int_equal(tap.nr, 1);
	assert_int_equal(type_of(&tap, 0), 136);
	/* One who tries it is told each time. */
	lab_inject(&lab.b, frame, v6_ns_build(frame, &test, &b, NULL));
	assert_int_equal(tap.nr, 2);
	assert_int_equal(get_be32(tap.bytes[1] + ICMP6 + 4), NA_O);
	assert_memory_equal(tap.bytes[1] + 38, &v6_all_nodes, 16);
	/* Our own announcement, come back. */
	claim.eth_src = mac_b;
	lab_inject(&lab.b, frame, v6_na_build(frame, &claim, &b, NA_O, mac_b));
	assert_int_equal(host_ctr(&lab.b, NET_CTR_ND_CONFLICT), 10);
	lab_down(&lab);
}

static void link_that_is_back_makes_neighbours_doubtful(void **state)
{
	struct lab lab;
	struct tap tap;

	v6_tap_up(&lab, &tap, 18);
	reach(&lab);
	net_link(&lab.b.net, false, true);
	assert_int_equal(tap.nr, 0);
	net_link(&lab.b.net, true, true);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_LINK_DOWN), 1);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_LINK_UP), 1);
	assert_int_equal(tap.nr, 3); /* ARP and two addresses */
	lab_run(&lab, 1500000);
	assert_int_equal(tap.nr, 5);
	tap.nr = 0;
	ping(&lab);
	assert_int_equal(type_of(&tap, 0), 129);
	lab_run(&lab, 5100000);
	assert_int_equal(tap.nr, 3); /* ARP again, and the probe */
	is_solicitation(&tap, 2, v6_mac9);
	lab_down(&lab);
}

static void learn_told_to_others(
	void *ctx, const struct ip_addr *ip, const uint8_t *mac, bool is_confirmed)
{
	struct host *h = ctx;

	/* Two hosts stand for two cores of one node here. */
	net_neigh_learn(&(h == &h->lab->a ? &h->lab->b : &h->lab->a)->net, ip, mac, is_confirmed);
}

static void answers_reach_the_other_core(void **state)
{
	struct lab lab;
	struct tap tap;
	uint8_t frame[2048];
	struct net_ops ops;
	struct ip_addr nine = lab_v6(9);
	struct v6_ip ip = {.dst = lab_v6(1)};

	v6_tap_up(&lab, &tap, 19);
	ops = *lab.a.net.ops;
	ops.neigh_learned = learn_told_to_others;
	lab.a.net.ops = &ops;
	ping(&lab);
	assert_int_equal(type_of(&tap, 0), 135);
	ip.eth_dst = lab.a.cfg.mac;
	lab_inject(&lab.a, frame, v6_na_build(frame, &ip, &nine, NA_S | NA_O, v6_mac9));
	assert_int_equal(tap.nr, 2);
	assert_int_equal(type_of(&tap, 1), 129);
	lab_down(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitation_is_answered_and_learnt),
		cmocka_unit_test(solicitation_without_a_mac_is_answered_too),
		cmocka_unit_test(link_local_address_is_from_the_mac),
		cmocka_unit_test(malformed_discovery_is_dropped),
		cmocka_unit_test(damaged_discovery_is_dropped),
		cmocka_unit_test(unanswered_solicitations_are_repeated_then_given_up),
		cmocka_unit_test(answer_sends_what_waited),
		cmocka_unit_test(used_neighbour_is_asked_late_and_kept_while_it_answers),
		cmocka_unit_test(dead_neighbour_is_removed_after_three_probes),
		cmocka_unit_test(unused_neighbour_is_left_alone),
		cmocka_unit_test(advertisements_change_an_entry_by_the_rules),
		cmocka_unit_test(advertisement_of_a_stranger_is_not_learnt),
		cmocka_unit_test(solicitation_from_elsewhere_moves_the_entry),
		cmocka_unit_test(table_is_bounded_and_keeps_the_router),
		cmocka_unit_test(addresses_are_tested_then_announced_and_used),
		cmocka_unit_test(only_the_speaker_speaks),
		cmocka_unit_test(duplicate_is_found_and_not_used),
		cmocka_unit_test(address_in_use_is_defended_seldom),
		cmocka_unit_test(link_that_is_back_makes_neighbours_doubtful),
		cmocka_unit_test(answers_reach_the_other_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
