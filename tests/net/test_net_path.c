/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Path MTU: routers that speak, that lie, and that are silent (RFC 1191, 8201, 5927, 4821).
 */
#include "dataplane/ip/csum.h"
#include "dataplane/ip/pmtu.h"
#include "tests/net/tap.h"
#include "tests/net/v6.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

/* A router between a and b that carries packets of up to mtu bytes. */
struct router {
	uint32_t mtu;
	bool is_silent;
	uint32_t says; /* another MTU than its own; 0: its own */
	uint32_t nr_dropped;
};

/* What a router says of a frame of a's that is too large: to be injected into a, or posted. */
static uint32_t too_big_build(struct lab *lab, uint8_t *out, const uint8_t *frame, uint32_t mtu)
{
	uint8_t msg[64] = {ICMP_UNREACH, ICMP_UNREACH_FRAG}, *ip = out + 14;
	struct v6_ip v6 = {.eth_dst = lab->a.cfg.mac, .dst = lab_v6(1)};
	uint16_t csum;

	if (get_be16(frame + 12) == ETH_TYPE_IPV6)
		return v6_icmp_build(out, &v6, ICMP6_TOO_BIG, 0, mtu, frame + 14, 60);
	put_be16(msg + 6, (uint16_t)mtu);
	memcpy(msg + 8, frame + 14, 28);
	csum = csum_of(msg, 36);
	memcpy(msg + 2, &csum, 2);
	memcpy(out, lab->a.cfg.mac, 6);
	memcpy(out + 6, v6_mac9, 6);
	put_be16(out + 12, ETH_TYPE_IPV4);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put_be16(ip + 2, 56);
	ip[8] = 64;
	ip[9] = IP_PROTO_ICMP;
	put_be32(ip + 12, 0x0a000009);
	put_be32(ip + 16, host_v4(&lab->a));
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	memcpy(ip + 20, msg, 36);
	return 14 + 56;
}

static enum lab_verdict router_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct router *r = ctx;
	uint8_t out[256];

	if (s->from != &lab->a || s->len - 14 <= r->mtu)
		return LAB_PASS;
	r->nr_dropped++;
	if (!r->is_silent)
		lab_post(lab, &lab->a, out,
			too_big_build(lab, out, s->bytes, r->says ? r->says : r->mtu));
	return LAB_DROP;
}

static void router_up(struct lab *lab, struct router *r, uint64_t seed, bool is_v6)
{
	lab_init(lab, seed);
	if (is_v6 && !lab->is_v6)
		lab_use_v6(lab);
	lab->hook = router_hook;
	lab->hook_ctx = r;
	lab_up(lab, 8);
	lab_establish(lab);
}

static void send_more(struct lab *lab, uint64_t bytes)
{
	lab->a.app.tx_total += bytes;
	app_feed(&lab->a.app);
	net_run(&lab->a.net, lab->now_us);
}

static uint32_t mss_of(struct lab *lab)
{
	struct tcp_conn_info info;

	tcp_conn_info(lab->a.app.conn, &info);
	return info.mss;
}

/* Headers with timestamps. */
static uint32_t headers(bool is_v6)
{
	return is_v6 ? 72 : 52;
}

static void narrow_path_is_found_by_what_routers_say(void **state)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct lab lab;
		struct router r = {.mtu = 1300};

		router_up(&lab, &r, 1, is_v6);
		send_more(&lab, 100000);
		lab_run(&lab, SEC);
		assert_int_equal(lab.b.app.rx_done, 100000);
		assert_int_equal(mss_of(&lab), 1300 - headers(is_v6));
		assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_REDUCED), 1);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_RTO), 0);
		lab_down(&lab);
	}
}

/* RFC 8201, 4: no path of IPv6 is narrower than 1280; who says so is not believed. */
static void less_than_the_smallest_mtu_is_not_believed(void **state)
{
	struct lab lab;
	struct router r = {.mtu = 1300, .says = 1279};

	router_up(&lab, &r, 2, true);
	send_more(&lab, 10000);
	lab_run(&lab, 1000);
	assert_int_equal(mss_of(&lab), 1428);
	assert_true(host_ctr(&lab.a, NET_CTR_PMTU_REFUSED) > 0);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_REDUCED), 0);
	lab_down(&lab);
}

/* The last segment that a sent, as a frame, and where it stood. */
struct capture {
	uint8_t frame[2048];
	uint32_t len;
	struct sniff s;
};

static enum lab_verdict capture_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct capture *c = ctx;

	if (s->from == &lab->a && s->payload) {
		memcpy(c->frame, s->bytes, s->len);
		c->len = s->len;
		c->s = *s;
	}
	return LAB_PASS;
}

static void claims_that_cannot_be_true_change_nothing(void **state)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct lab lab;
		struct capture c = {.len = 0};
		uint8_t out[256], *seq;
		const uint32_t len_off = is_v6 ? 18 : 16;
		uint32_t mss;

		router_up(&lab, &(struct router){.mtu = 9000}, 3, is_v6);
		lab.hook = capture_hook;
		lab.hook_ctx = &c;
		mss = mss_of(&lab);
		send_more(&lab, 5000);
		/* As large as the packet, or larger. */
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, c.len - 14));
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 1499));
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 65535));
		/* About what is not in flight. */
		seq = c.frame + c.s.tcp_off + 4;
		put_be32(seq, c.s.seq + 100000);
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 1300));
		put_be32(seq, c.s.seq - 100000);
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 1300));
		put_be32(seq, c.s.seq);
		/* About another connection. */
		c.frame[c.s.tcp_off + 1] ^= 1;
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 1300));
		c.frame[c.s.tcp_off + 1] ^= 1;
		/* About a packet that was small. */
		put_be16(c.frame + len_off, 60);
		lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 1300));
		assert_int_equal(mss_of(&lab), mss);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_REDUCED), 0);
		lab_run(&lab, SEC);
		assert_int_equal(lab.b.app.rx_done, 5000);
		lab_down(&lab);
	}
}

/* RFC 5927, 7.2: larger segments have arrived; the claim waits, and their ACKs refute it. */
static void claim_against_experience_is_refuted_by_acks(void **state)
{
	struct lab lab;
	struct capture c = {.len = 0};
	uint8_t out[256];

	router_up(&lab, &(struct router){.mtu = 9000}, 4, false);
	lab.hook = capture_hook;
	lab.hook_ctx = &c;
	send_more(&lab, 100000);
	lab_run(&lab, SEC);
	send_more(&lab, 10000);
	assert_true(c.len > 1300);
	lab_inject(&lab.a, out, too_big_build(&lab, out, c.frame, 600));
	assert_int_equal(mss_of(&lab), 1448);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_HELD), 1);
	lab_run(&lab, 10 * SEC);
	assert_int_equal(lab.b.app.rx_done, 110000);
	assert_int_equal(mss_of(&lab), 1448);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_REDUCED), 0);
	lab_down(&lab);
}

/* The path has become narrower: the timeout confirms what the router says. */
static void path_that_narrows_is_confirmed_by_a_timeout(void **state)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct lab lab;
		struct router r = {.mtu = 1500};

		router_up(&lab, &r, 5, is_v6);
		send_more(&lab, 100000);
		lab_run(&lab, SEC);
		r.mtu = 1300;
		send_more(&lab, 100000);
		lab_run(&lab, 5 * SEC);
		assert_int_equal(lab.b.app.rx_done, 200000);
		assert_int_equal(mss_of(&lab), 1300 - headers(is_v6));
		assert_true(host_ctr(&lab.a, NET_CTR_PMTU_HELD) > 0);
		assert_true(host_ctr(&lab.a, NET_CTR_RTO) > 0);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_GUESSED), 0);
		lab_down(&lab);
	}
}

static void reconnect(struct lab *lab)
{
	tcp_conn_abort(lab->a.app.conn);
	lab_run(lab, SEC);
	lab->a.app = (struct app){.lab = lab, .rx_limit = UINT64_MAX};
	lab->b.app = (struct app){.lab = lab, .rx_limit = UINT64_MAX};
	lab_establish(lab);
}

static void what_was_found_is_remembered_for_ten_minutes(void **state)
{
	struct lab lab;
	struct router r = {.mtu = 1300};
	uint64_t nr_retrans;

	router_up(&lab, &r, 6, false);
	send_more(&lab, 10000);
	lab_run(&lab, SEC);
	reconnect(&lab);
	assert_int_equal(mss_of(&lab), 1300 - 52);
	r.nr_dropped = 0;
	send_more(&lab, 10000);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 10000);
	assert_int_equal(r.nr_dropped, 0);
	/* The path has become wider: after ten minutes that is noticed, without a loss. */
	r.mtu = 1500;
	lab_run(&lab, 500 * SEC);
	assert_int_equal(mss_of(&lab), 1300 - 52);
	lab_run(&lab, 110 * SEC);
	assert_int_equal(mss_of(&lab), 1448);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_RAISED), 1);
	nr_retrans = host_ctr(&lab.a, NET_CTR_RETRANS);
	send_more(&lab, 10000);
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 20000);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_RETRANS), nr_retrans);
	lab_down(&lab);
}

static void black_hole_is_escaped(void **state)
{
	static const struct {
		uint32_t mtu;
		bool is_v6;
		uint32_t mss;
		uint32_t guesses;
	} cases[] = {{1400, false, 1280 - 52, 1}, {1280, true, 1280 - 72, 1},
		{1000, false, 552 - 52, 2}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab lab;
		struct router r = {.mtu = cases[i].mtu, .is_silent = true};

		router_up(&lab, &r, 7, cases[i].is_v6);
		send_more(&lab, 200000);
		lab_run(&lab, 20 * SEC);
		assert_int_equal(lab.b.app.rx_done, 200000);
		assert_int_equal(mss_of(&lab), cases[i].mss);
		assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_GUESSED), cases[i].guesses);
		lab_down(&lab);
	}
}

/* Small segments that vanish have nothing to do with their size. */
static void loss_of_small_segments_leaves_the_mss_alone(void **state)
{
	struct lab lab;
	struct router r = {.mtu = 1500, .is_silent = true};

	router_up(&lab, &r, 8, false);
	r.mtu = 60;
	send_more(&lab, 500);
	lab_run(&lab, 20 * SEC);
	assert_int_equal(lab.b.app.rx_done, 0);
	assert_int_equal(mss_of(&lab), 1448);
	assert_int_equal(host_ctr(&lab.a, NET_CTR_PMTU_GUESSED), 0);
	lab_down(&lab);
}

static void interruption_leaves_no_trace(void **state)
{
	struct lab lab;
	struct router r = {.mtu = 1500, .is_silent = true};

	router_up(&lab, &r, 9, false);
	send_more(&lab, 10000);
	lab_run(&lab, SEC);
	r.mtu = 0; /* nothing passes */
	send_more(&lab, 10000);
	lab_run(&lab, 4 * SEC);
	r.mtu = 1500;
	lab_run(&lab, 20 * SEC);
	assert_int_equal(lab.b.app.rx_done, 20000);
	assert_true(mss_of(&lab) < 1448);
	lab_run(&lab, 60 * SEC);
	assert_int_equal(mss_of(&lab), 1448);
	lab_down(&lab);
}

/* In a lasting black hole the larger size is tried again, but ever more seldom. */
static void black_hole_is_tried_again_ever_more_seldom(void **state)
{
	struct lab lab;
	struct router r = {.mtu = 1400, .is_silent = true};

	router_up(&lab, &r, 10, false);
	for (int minute = 0; minute < 120; minute++) {
		send_more(&lab, 20000);
		lab_run(&lab, 60 * SEC);
		assert_int_equal(lab.b.app.rx_done, lab.a.app.tx_total);
	}
	assert_in_range(host_ctr(&lab.a, NET_CTR_PMTU_GUESSED), 5, 8);
	lab_down(&lab);
}

static void memory_of_paths_is_bounded(void **state)
{
	struct lab lab;
	struct ip_addr ip;

	lab_init(&lab, 11);
	lab_up(&lab, 8);
	for (uint32_t i = 0; i < 100000; i++) {
		ip = ip_addr_from_v4(0x0b000000u + i);
		pmtu_lower(&lab.a.net, &ip, 1000 + i % 100, PMTU_TOLD);
		assert_int_equal(pmtu_get(&lab.a.net, &ip), 1000 + i % 100);
	}
	ip = ip_addr_from_v4(0x0c000000u);
	assert_int_equal(pmtu_get(&lab.a.net, &ip), 1500);
	lab_run(&lab, 700 * SEC);
	ip = ip_addr_from_v4(0x0b000000u + 99999);
	assert_int_equal(pmtu_get(&lab.a.net, &ip), 1500);
	lab_down(&lab);
}

/* Tells a of its own segment: type, code, param. */
static void error_send(struct lab *lab, const struct capture *c, uint8_t type, uint8_t code)
{
	struct v6_ip ip = {.eth_dst = lab->a.cfg.mac, .dst = lab_v6(1)};
	uint8_t out[256];

	lab_inject(&lab->a, out, v6_icmp_build(out, &ip, type, code, 0, c->frame + 14, 60));
}

static enum lab_verdict syn_hook(struct lab *lab, struct sniff *s, void *ctx)
{
	struct capture *c = ctx;

	if (!s->is_tcp || s->from != &lab->a)
		return LAB_PASS;
	memcpy(c->frame, s->bytes, s->len);
	return LAB_DROP;
}

static void icmpv6_errors_end_an_attempt(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t code;
		int reason; /* 0: none */
	} cases[] = {{1, 0, EHOSTUNREACH}, {1, 1, EHOSTUNREACH}, {1, 3, EHOSTUNREACH},
		{1, 4, ECONNREFUSED}, {1, 6, EHOSTUNREACH}, {3, 0, 0}, {4, 0, 0},
		{4, 1, ECONNREFUSED}, {2, 0, 0}, {100, 0, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab lab;
		struct capture c = {.len = 0};

		lab_init(&lab, 12);
		lab_use_v6(&lab);
		lab.hook = syn_hook;
		lab.hook_ctx = &c;
		lab_up(&lab, 8);
		lab_connect(&lab);
		lab_run(&lab, 1000);
		/* Not about what was sent: not believed. */
		c.frame[54 + 7] ^= 1;
		error_send(&lab, &c, cases[i].type, cases[i].code);
		c.frame[54 + 7] ^= 1;
		net_run(&lab.a.net, lab.now_us);
		assert_int_equal(lab.a.app.nr_closed, 0);
		error_send(&lab, &c, cases[i].type, cases[i].code);
		net_run(&lab.a.net, lab.now_us);
		assert_int_equal(lab.a.app.nr_closed, cases[i].reason != 0);
		assert_int_equal(lab.a.app.reason, cases[i].reason);
		lab_down(&lab);
	}
}

/* Once established, no error ends it, whatever is quoted and wherever it is cut. */
static void icmpv6_errors_do_not_end_a_connection(void **state)
{
	struct lab lab;
	struct capture c = {.len = 0};
	struct v6_ip ip = {.dst = lab_v6(1)};
	uint8_t out[256];

	router_up(&lab, &(struct router){.mtu = 9000}, 13, true);
	lab.hook = capture_hook;
	lab.hook_ctx = &c;
	ip.eth_dst = lab.a.cfg.mac;
	send_more(&lab, 1000);
	for (uint8_t type = 1; type <= 5; type++)
		for (uint8_t code = 0; code < 8; code++)
			error_send(&lab, &c, type, code);
	for (uint32_t len = 0; len < 60; len++)
		lab_inject(&lab.a, out, v6_icmp_build(out, &ip, 2, 0, 1280, c.frame + 14, len));
	lab_run(&lab, SEC);
	assert_int_equal(lab.b.app.rx_done, 1000);
	assert_int_equal(lab.a.app.nr_closed, 0);
	lab_down(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow_path_is_found_by_what_routers_say),
		cmocka_unit_test(less_than_the_smallest_mtu_is_not_believed),
		cmocka_unit_test(claims_that_cannot_be_true_change_nothing),
		cmocka_unit_test(claim_against_experience_is_refuted_by_acks),
		cmocka_unit_test(path_that_narrows_is_confirmed_by_a_timeout),
		cmocka_unit_test(what_was_found_is_remembered_for_ten_minutes),
		cmocka_unit_test(black_hole_is_escaped),
		cmocka_unit_test(loss_of_small_segments_leaves_the_mss_alone),
		cmocka_unit_test(interruption_leaves_no_trace),
		cmocka_unit_test(black_hole_is_tried_again_ever_more_seldom),
		cmocka_unit_test(memory_of_paths_is_bounded),
		cmocka_unit_test(icmpv6_errors_end_an_attempt),
		cmocka_unit_test(icmpv6_errors_do_not_end_a_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
