/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv6 input and output (RFC 8200), extension headers, ICMPv6 (RFC 4443), and which way and from
 * where packets go.
 */
#include "dataplane/ip/flow.h"
#include "dataplane/ip/ipv6_ext.h"
#include "tests/net/tap.h"
#include "tests/net/v6.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC 1000000ull

static void v6_tap_up(struct lab *lab, struct tap *tap, uint64_t seed)
{
	struct ip_addr nine = lab_v6(9);

	lab_init(lab, seed);
	lab_use_v6(lab);
	tap_set(lab, tap);
	lab_up(lab, 8);
	net_neigh_learn(&lab->b.net, &nine, v6_mac9, true);
}

static struct v6_ip to_b(void)
{
	return (struct v6_ip){.dst = lab_v6(2)};
}

static void echo_returns_the_same_bytes(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = to_b();
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 1);
	for (uint32_t len = 0; len <= 1452; len += 44) {
		tap.nr = 0;
		lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, len));
		assert_int_equal(tap.nr, 1);
		assert_int_equal(tap.len[0], 62 + len);
		assert_true(v6_icmp_is_right(tap.bytes[0], tap.len[0]));
		assert_int_equal(tap.bytes[0][54], 129);
		assert_int_equal(tap.bytes[0][21], 64);
		assert_memory_equal(tap.bytes[0] + 22, frame + 38, 16);
		assert_memory_equal(tap.bytes[0] + 38, frame + 22, 16);
		assert_memory_equal(tap.bytes[0] + 58, frame + 58, len + 4);
	}
	lab_down(&lab);
}

static void echo_to_all_comes_from_one(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = {.dst = v6_all_nodes};
	struct ip_addr b = lab_v6(2);
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 2);
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(tap.bytes[0][54], 129);
	assert_memory_equal(tap.bytes[0] + 22, &b, 16);
	ip.dst = v6_addr("ff02::5"); /* a group that we are not in */
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	assert_int_equal(tap.nr, 1);
	assert_int_equal(host_drops(&lab.b, DROP_IP_NOT_OURS), 1);
	lab_down(&lab);
}

static void what_is_not_for_us_is_dropped(void **state)
{
	struct lab lab;
	struct tap tap;
	const uint8_t other[6] = {2, 0, 0, 0, 0, 0x55}, bcast[6] = {255, 255, 255, 255, 255, 255};
	struct v6_ip ip = {.dst = lab_v6(3)};
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 3);
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	ip.dst = lab_v6(2);
	ip.eth_dst = other;
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	assert_int_equal(host_drops(&lab.b, DROP_IP_NOT_OURS), 1);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_NOT_OURS), 1);
	/* In a frame to all, nothing is refused aloud. */
	ip.eth_dst = bcast;
	ip.next = IP_PROTO_UDP;
	lab_inject(&lab.b, frame, v6_build(frame, &ip, "12345678", 8));
	ip.next = IP_PROTO_TCP;
	lab_inject(&lab.b, frame, v6_build(frame, &ip, "01234567890123456789", 20));
	assert_int_equal(tap.nr, 0);
	lab_down(&lab);
}

static void without_an_address_there_is_no_ipv6(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = {.dst = v6_addr("fe80::ff:fe00:2")};
	struct ip_addr far = lab_v6(9);
	uint8_t frame[2048];

	lab_init(&lab, 4);
	if (lab.is_v6)
		skip();
	tap_set(&lab, &tap);
	lab_up(&lab, 8);
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	ip.eth_dst = (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1};
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
	assert_int_equal(tap.nr, 0);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_TYPE), 1);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_NOT_OURS), 1);
	assert_int_equal(net_route(&lab.b.net, &far), -1);
	lab_down(&lab);
}

static void impossible_sources_are_dropped(void **state)
{
	static const char *const bad[] = {
		"::", "::1", "ff02::1", "ff0e::1234", "2001:db8::2", "fe80::ff:fe00:2"};
	const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
	struct lab lab;
	struct tap tap;
	struct ip_addr src;
	struct v6_ip ip = to_b();
	uint8_t frame[2048];

	v6_tap_up(&lab, &tap, 5);
	ip.src = &src;
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		src = i < sizeof(bad) / sizeof(bad[0]) ? v6_addr(bad[i]) : ip_addr_load(mapped);
		lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 10));
		assert_int_equal(host_drops(&lab.b, DROP_IP_SOURCE), 3 * i + 1);
		ip.next = IP_PROTO_TCP;
		lab_inject(&lab.b, frame,
			v6_tcp_build(frame, &ip,
				&(struct raw_tcp){
					.sport = 1000, .dport = LAB_PORT, .flags = TCP_SYN}));
		assert_int_equal(host_drops(&lab.b, DROP_IP_SOURCE), 3 * i + 2);
		/* Nor does anyone hear of a protocol that is not known. */
		ip.next = 200;
		lab_inject(&lab.b, frame, v6_build(frame, &ip, "12345678", 8));
	}
	assert_int_equal(tap.nr, 0);
	lab_down(&lab);
}

static void bad_headers_are_dropped(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = to_b();
	uint8_t frame[2048];
	uint32_t len;

	v6_tap_up(&lab, &tap, 6);
	for (int which = 0; which < 3; which++) {
		len = v6_ping_build(frame, &ip, 56);
		switch (which) {
		case 0: frame[14] = 0x40; break;
		case 1: frame[14] = 0x70; break;
		case 2: put_be16(frame + 18, (uint16_t)(len - 54 + 1)); break;
		}
		lab_inject(&lab.b, frame, len);
	}
	assert_int_equal(host_drops(&lab.b, DROP_IP_HEADER), 2);
	assert_int_equal(host_drops(&lab.b, DROP_IP_SHORT), 1);
	len = v6_ping_build(frame, &ip, 56);
	for (uint32_t cut = 14; cut < len; cut++)
		lab_inject(&lab.b, frame, cut);
	assert_int_equal(host_drops(&lab.b, DROP_IP_SHORT), 1 + len - 14);
	/* Padding of the frame is not part of it. */
	len = v6_ping_build(frame, &ip, 4);
	memset(frame + len, 0xaa, 30);
	lab_inject(&lab.b, frame, len + 30);
	assert_int_equal(tap.nr, 1);
	assert_int_equal(tap.len[0], len);
	lab_down(&lab);
}

/* --- extension headers --- */

/* What precedes the echo request: each header is written as next, length, bytes. The last one's
   next is replaced by ICMPv6's number. */
struct ext_case {
	const char *what;
	uint8_t first; /* of the IPv6 header; 0 is hop-by-hop */
	uint8_t len;
	uint8_t bytes[64];
	bool passes;
	enum drop why;
	uint8_t code; /* of the parameter problem */
	int pointer;  /* -1: none is sent */
};

static const struct ext_case ext_cases[] = {
	{"hop-by-hop, padding", 0, 8, {58, 0, 1, 4, 0, 0, 0, 0}, true, 0, 0, 0},
	{"hop-by-hop, Pad1s", 0, 8, {58, 0, 0, 0, 0, 0, 0, 0}, true, 0, 0, 0},
	{"hop-by-hop, router alert", 0, 8, {58, 0, 5, 2, 0, 0, 0, 0}, true, 0, 0, 0},
	{"destination", 60, 8, {58, 0, 1, 4, 0, 0, 0, 0}, true, 0, 0, 0},
	{"destination, unknown to skip", 60, 8, {58, 0, 0x1e, 4, 0, 0, 0, 0}, true, 0, 0, 0},
	{"hop-by-hop, destination, routing, destination", 0, 32,
		{60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 2, 0, 0, 0, 0, 0, 58, 0,
			1, 4, 0, 0, 0, 0},
		true, 0, 0, 0},
	{"long options", 60, 24, {58, 2, 1, 20}, true, 0, 0, 0},
	{"unknown to discard", 60, 8, {58, 0, 0x5e, 4, 0, 0, 0, 0}, false, DROP_IP6_OPTION, 0, -1},
	{"unknown to report", 60, 8, {58, 0, 0x9e, 4, 0, 0, 0, 0}, false, DROP_IP6_OPTION, 2, 42},
	{"unknown to report but to groups", 60, 8, {58, 0, 1, 0, 0xde, 2, 0, 0}, false,
		DROP_IP6_OPTION, 2, 44},
	{"jumbo payload", 0, 8, {58, 0, 0xc2, 4, 0, 1, 0, 0}, false, DROP_IP6_OPTION, 2, 42},
	{"option beyond its header", 60, 8, {58, 0, 1, 5, 0, 0, 0, 0}, false, DROP_IP6_EXT, 0, 42},
	{"option without a length", 60, 8, {58, 0, 1, 3, 0, 0, 0, 5}, false, DROP_IP6_EXT, 0, 47},
	{"hop-by-hop in second place", 60, 16, {0, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0},
		false, DROP_IP6_EXT, 1, 40},
	{"header beyond the packet", 60, 8, {58, 255, 1, 4, 0, 0, 0, 0}, false, DROP_IP_SHORT, 0,
		-1},
	{"routing type 0, segments left", 43, 8, {58, 0, 0, 1, 0, 0, 0, 0}, false, DROP_IP6_ROUTING,
		0, 42},
	{"routing type 0, none left", 43, 8, {58, 0, 0, 0, 0, 0, 0, 0}, false, DROP_IP6_ROUTING, 0,
		-1},
	{"routing type 4, segments left", 43, 8, {58, 0, 4, 2, 0, 0, 0, 0}, false, DROP_IP6_ROUTING,
		0, 42},
	{"routing type 2, none left", 43, 8, {58, 0, 2, 0, 0, 0, 0, 0}, true, 0, 0, 0},
	{"first fragment", 44, 8, {58, 0, 0, 1, 0, 0, 0, 1}, false, DROP_IP_FRAGMENT, 0, -1},
	{"later fragment", 44, 8, {58, 0, 1, 0, 0, 0, 0, 1}, false, DROP_IP_FRAGMENT, 0, -1},
	{"whole fragment", 44, 8, {58, 0, 0, 0, 0, 0, 0, 1}, false, DROP_IP_FRAGMENT, 0, -1},
	{"fragment behind options", 60, 16, {44, 0, 1, 4, 0, 0, 0, 0, 58, 0, 0, 1, 0, 0, 0, 1},
		false, DROP_IP_FRAGMENT, 0, -1},
	{"nine headers", 60, 72, {60, 0, 1, 4}, false, DROP_IP6_EXT, 0, -1},
	{"nine options", 60, 24, {58, 2, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0},
		false, DROP_IP6_EXT, 0, -1},
	{"nothing above", 59, 0, {0}, false, DROP_IP_PROTO, 0, -1},
	{"ESP", 50, 8, {1, 2, 3, 4, 5, 6, 7, 8}, false, DROP_IP_PROTO, 1, 6},
	{"unknown behind options", 60, 16, {200, 0, 1, 4}, false, DROP_IP_PROTO, 1, 40},
};

/* The case's headers before an echo request, from 9 to b or a group. */
static uint32_t ext_build(
	uint8_t *frame, const struct ext_case *c, const struct ip_addr *dst, uint32_t *ping_len)
{
	struct v6_ip ip = {.dst = *dst};
	uint8_t payload[512], ping[256];
	uint32_t at = 0;

	*ping_len = v6_ping_build(ping, &ip, 20) - 54;
	memcpy(payload, c->bytes, c->len < 64 ? c->len : 64);
	for (; c->len == 72 && at < 72; at += 8) /* the long chain */
		memcpy(payload + at, (uint8_t[]){at < 64 ? 60 : 58, 0, 1, 4, 0, 0, 0, 0}, 8);
	memcpy(payload + c->len, ping + 54, *ping_len);
	ip.next = c->first;
	return v6_build(frame, &ip, payload, c->len + *ping_len);
}

static void problem_is_right(
	const struct tap *tap, const struct ext_case *c, const uint8_t *frame, uint32_t len)
{
	const uint8_t *msg = tap->bytes[0] + 54;

	assert_true(v6_icmp_is_right(tap->bytes[0], tap->len[0]));
	assert_int_equal(msg[0], 4);
	assert_int_equal(msg[1], c->code);
	assert_int_equal(get_be32(msg + 4), (uint32_t)c->pointer);
	assert_int_equal(tap->len[0], 62 + len - 14);
	assert_memory_equal(msg + 8, frame + 14, len - 14);
}

static void extension_headers_are_walked_or_refused(void **state)
{
	for (size_t i = 0; i < sizeof(ext_cases) / sizeof(ext_cases[0]); i++) {
		const struct ext_case *c = &ext_cases[i];
		const struct ip_addr b = lab_v6(2);
		struct lab lab;
		struct tap tap;
		uint8_t frame[2048];
		uint32_t len, ping_len;

		print_message("%s\n", c->what);
		v6_tap_up(&lab, &tap, 7);
		len = ext_build(frame, c, &b, &ping_len);
		lab_inject(&lab.b, frame, len);
		if (c->passes) {
			assert_int_equal(tap.nr, 1);
			assert_int_equal(tap.bytes[0][54], 129);
			assert_int_equal(tap.len[0], 54 + ping_len);
		} else {
			assert_int_equal(host_drops(&lab.b, c->why), 1);
			assert_int_equal(tap.nr, c->pointer >= 0);
			if (c->pointer >= 0)
				problem_is_right(&tap, c, frame, len);
		}
		/* Any cut of it is refused, and does no harm. */
		tap.nr = 0;
		for (uint32_t cut = 54; cut < len; cut++) {
			put_be16(frame + 18, (uint16_t)(cut - 54));
			lab_inject(&lab.b, frame, cut);
		}
		for (uint32_t nr = 0; nr < tap.nr && nr < TAP_FRAMES; nr++)
			assert_int_equal(tap.bytes[nr][54], 4);
		lab_down(&lab);
	}
}

/* RFC 4443, 2.4 e.3: to a group only an option that asks for it is reported. */
static void problems_of_group_packets_are_reported_seldom(void **state)
{
	for (size_t i = 0; i < sizeof(ext_cases) / sizeof(ext_cases[0]); i++) {
		const struct ext_case *c = &ext_cases[i];
		struct lab lab;
		struct tap tap;
		uint8_t frame[2048];
		uint32_t len, ping_len;

		v6_tap_up(&lab, &tap, 8);
		len = ext_build(frame, c, &v6_all_nodes, &ping_len);
		lab_inject(&lab.b, frame, len);
		if (!c->passes)
			assert_int_equal(tap.nr, strcmp(c->what, "unknown to report") == 0);
		lab_down(&lab);
	}
}

static void tcp_is_found_behind_extension_headers(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = to_b();
	uint8_t frame[2048], payload[128] = {60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0};
	const struct raw_tcp syn = {
		.sport = 1000, .dport = LAB_PORT, .seq = 5, .wnd = 1000, .flags = TCP_SYN};
	struct sniff s;

	v6_tap_up(&lab, &tap, 9);
	v6_tcp_build(frame, &ip, &syn);
	memcpy(payload + 16, frame + 54, 20);
	ip.next = 0;
	lab_inject(&lab.b, frame, v6_build(frame, &ip, payload, 36));
	assert_int_equal(tap.nr, 1);
	s = frame_decode(&lab.b, tap.bytes[0], tap.len[0]);
	assert_true(s.is_tcp);
	assert_int_equal(s.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s.ack, 6);
	assert_int_equal(get_be16(tap.bytes[0] + 54 + 22), 1440); /* the MSS that it offers */
	lab_down(&lab);
}

static void unknown_protocols_are_reported_and_limited(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = to_b();
	struct ip_addr nine = lab_v6(9);
	uint8_t frame[2048], big[1400];
	uint32_t len;

	lab_init(&lab, 10);
	lab_use_v6(&lab);
	lab.b.cfg.icmp_per_s = 10;
	tap_set(&lab, &tap);
	lab_up(&lab, 8);
	net_neigh_learn(&lab.b.net, &nine, v6_mac9, true);
	memset(big, 0x77, sizeof(big));
	ip.next = IP_PROTO_UDP;
	len = v6_build(frame, &ip, big, sizeof(big));
	for (int i = 0; i < 100; i++)
		lab_inject(&lab.b, frame, len);
	assert_int_equal(tap.nr, 10);
	assert_true(v6_icmp_is_right(tap.bytes[0], tap.len[0]));
	assert_int_equal(tap.bytes[0][54], 1);
	assert_int_equal(tap.bytes[0][55], 4);
	/* As much of it as fits into the smallest MTU. */
	assert_int_equal(tap.len[0], 14 + 1280);
	assert_memory_equal(tap.bytes[0] + 62, frame + 14, 1280 - 48);
	lab_down(&lab);
}

/* --- where packets go --- */

static void route_and_source_fit_the_destination(void **state)
{
	static const struct {
		const char *dst;
		int route;
		const char *src;
	} cases[] = {
		{"2001:db8::5", 64, "2001:db8::2"},
		{"2001:db8:2::5", 64, "2001:db8:2::2"},
		{"2001:db8:2:0:1::5", 80, "2001:db8:2:0:1::2"},
		{"fd00::5", 48, "fd00::2"},
		{"fd00:0:0:1::5", 48, "fd00::2"},
		{"fe80::5", 64, "fe80::ff:fe00:2"},
		{"2001:db8:2:1::5", 0, "2001:db8:2::2"},
		{"fd01::5", 0, "fd00::2"},
		{"2600::1", 0, NULL},
		{"2001:db8:2::2", -1, NULL},
		{"::1", -1, NULL},
		{"ff02::1", -1, NULL},
		{"10.0.0.5", 24, "10.0.0.2"},
		{"192.0.2.77", 28, "192.0.2.66"},
		{"192.0.2.7", 0, "192.0.2.66"},
	};
	static const char *const addrs[] = {
		"2001:db8:2::2/64", "2001:db8:2:0:1::2/80", "fd00::2/48", "192.0.2.66/28"};
	struct lab lab;
	struct ip_addr src, dst;
	char text[IP_ADDR_TEXT];

	lab_init(&lab, 11);
	lab_use_v6(&lab);
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		unsigned len = 0;

		assert_int_equal(sscanf(addrs[i], "%45[^/]/%u", text, &len), 2);
		dst = v6_addr(text);
		assert_true(net_cfg_add(&lab.b.cfg, &dst, (uint8_t)len));
	}
	lab.b.cfg.gateway = v6_addr("192.0.2.65");
	lab.b.cfg.gateway_v6 = v6_addr("fe80::fe");
	lab_up(&lab, 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		dst = v6_addr(cases[i].dst);
		print_message("%s\n", cases[i].dst);
		assert_int_equal(net_route(&lab.b.net, &dst), cases[i].route);
		assert_int_equal(net_source(&lab.b.net, &dst, &src), cases[i].route >= 0);
		if (cases[i].src) {
			ip_addr_format(&src, text, sizeof(text));
			assert_string_equal(text, cases[i].src);
		}
	}
	lab_down(&lab);
}

/* Each address of both stations, of either family: connected to, and answered from. */
static void every_address_is_served(void **state)
{
	static const char *const of_b[] = {
		"10.0.0.2", "192.0.2.2", "2001:db8::2", "fd00::2", "fe80::ff:fe00:2"};
	struct lab lab;
	struct ip_addr ip;

	lab_init(&lab, 12);
	lab_use_v6(&lab);
	for (int n = 1; n <= 2; n++) {
		struct net_cfg *cfg = n == 1 ? &lab.a.cfg : &lab.b.cfg;

		ip = ip_addr_from_v4(0xc0000200u + (uint32_t)n);
		net_cfg_add(cfg, &ip, 24);
		ip = v6_addr(n == 1 ? "fd00::1" : "fd00::2");
		net_cfg_add(cfg, &ip, 64);
	}
	lab_up(&lab, 8);
	for (size_t i = 0; i < sizeof(of_b) / sizeof(of_b[0]); i++) {
		struct tcp_conn *conn;
		struct tcp_conn_addr local, peer;

		ip = v6_addr(of_b[i]);
		lab.a.app = (struct app){.lab = &lab, .rx_limit = UINT64_MAX, .tx_total = 5000};
		lab.b.app = (struct app){.lab = &lab, .rx_limit = UINT64_MAX, .tx_total = 7000};
		assert_int_equal(
			tcp_connect(&lab.a.net, &ip, LAB_PORT, &app_ops, &lab.a.app, &conn), 0);
		lab_run(&lab, SEC);
		assert_int_equal(lab.a.app.rx_done, 7000);
		assert_int_equal(lab.b.app.rx_done, 5000);
		local = tcp_conn_local(lab.b.app.conn);
		peer = tcp_conn_peer(lab.b.app.conn);
		assert_true(ip_addr_eq(&local.ip, &ip));
		local = tcp_conn_local(conn);
		assert_true(ip_addr_eq(&local.ip, &peer.ip));
		tcp_conn_close(conn);
		tcp_conn_close(lab.b.app.conn);
		lab_run(&lab, SEC);
	}
	lab_down(&lab);
}

static void cookies_work_over_ipv6(void **state)
{
	struct lab lab;

	lab_init(&lab, 13);
	lab_use_v6(&lab);
	lab_up(&lab, 0); /* no half-open connection is kept: cookies for all */
	lab.a.app.tx_total = lab.b.app.tx_total = 100000;
	lab_establish(&lab);
	lab_run(&lab, 5 * SEC);
	assert_int_equal(lab.a.app.rx_done, 100000);
	assert_int_equal(lab.b.app.rx_done, 100000);
	assert_int_equal(host_ctr(&lab.b, NET_CTR_COOKIES_OK), 1);
	lab_down(&lab);
}

static void both_directions_hash_alike(void **state)
{
	struct ip_addr a = lab_v6(1), b = lab_v6(2);
	struct v6_ip there = {.src = &a, .dst = b}, back = {.src = &b, .dst = a};
	const struct raw_tcp t = {.sport = 1234, .dport = 6379}, r = {.sport = 6379, .dport = 1234};
	uint8_t frame[512], payload[256] = {6, 0, 1, 4};
	struct pkt p = {.data = frame};
	uint32_t want, hash;

	p.len = v6_tcp_build(frame, &there, &t);
	assert_true(net_flow_hash(&p, &want));
	assert_int_equal(want, net_flow_hash_tuple(&a, 1234, &b, 6379));
	/* An error about it goes where it goes. */
	memcpy(payload + 8, frame + 14, 60);
	p.len = v6_icmp_build(frame, &there, 2, 0, 1280, payload + 8, 48);
	assert_true(net_flow_hash(&p, &hash));
	assert_int_equal(hash, want);
	for (uint32_t len = 0; len < p.len; len++) {
		p.len = len;
		net_flow_hash(&p, &hash);
	}
	p.len = v6_tcp_build(frame, &back, &r);
	assert_true(net_flow_hash(&p, &hash));
	assert_int_equal(hash, want);
	/* And with extension headers before it. */
	memcpy(payload + 8, frame + 54, 20);
	back.next = 60;
	p.len = v6_build(frame, &back, payload, 28);
	assert_true(net_flow_hash(&p, &hash));
	assert_int_equal(hash, want);
	p.len = v6_ping_build(frame, &there, 20);
	assert_false(net_flow_hash(&p, &hash));
	p.len = v6_ns_build(frame, &there, &b, v6_mac9);
	assert_false(net_flow_hash(&p, &hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_returns_the_same_bytes),
		cmocka_unit_test(echo_to_all_comes_from_one),
		cmocka_unit_test(what_is_not_for_us_is_dropped),
		cmocka_unit_test(without_an_address_there_is_no_ipv6),
		cmocka_unit_test(impossible_sources_are_dropped),
		cmocka_unit_test(bad_headers_are_dropped),
		cmocka_unit_test(extension_headers_are_walked_or_refused),
		cmocka_unit_test(problems_of_group_packets_are_reported_seldom),
		cmocka_unit_test(tcp_is_found_behind_extension_headers),
		cmocka_unit_test(unknown_protocols_are_reported_and_limited),
		cmocka_unit_test(route_and_source_fit_the_destination),
		cmocka_unit_test(every_address_is_served),
		cmocka_unit_test(cookies_work_over_ipv6),
		cmocka_unit_test(both_directions_hash_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
