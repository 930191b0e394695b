/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many at once who mean harm, and what those who do not still get.
 *
 * Work is simulated: each frame that the server takes or sends costs it some time, and while it
 * works frames wait. So a flood costs the others what it makes the server do, and a server that
 * does more for a flooder than it must (answers twice, repeats, keeps) shows.
 */
#include "tests/net/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC        1000000ull
#define NR_CLIENTS 200
#define FRAME_NS   1000u /* work of the server for a frame */
#define MSG_BYTES  64

/* A client that always has one request out. */
struct client {
	struct bench *bench;
	struct tcp_conn *conn;
	uint32_t got;
};

struct bench {
	struct lab lab;
	struct client clients[NR_CLIENTS];
	uint64_t nr_up;
	uint64_t nr_replies;
	uint64_t nr_lost;
	uint64_t owed_ns; /* work done and not yet paid for in time */
	uint64_t flood_owed;
};

static void request(struct client *c)
{
	static const uint8_t msg[MSG_BYTES];

	assert_int_equal(obuf_append(tcp_conn_obuf(c->conn), msg, sizeof(msg)), 0);
	tcp_conn_push(c->conn);
}

static void on_connected(struct tcp_conn *conn)
{
	struct client *c = tcp_conn_user(conn);

	c->bench->nr_up++;
	request(c);
}

static uint32_t on_reply(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct client *c = tcp_conn_user(conn);

	c->got += len;
	if (c->got == MSG_BYTES) {
		c->got = 0;
		c->bench->nr_replies++;
		request(c);
	}
	return len;
}

static void on_client_closed(struct tcp_conn *conn, int reason)
{
	struct client *c = tcp_conn_user(conn);

	c->conn = NULL;
	c->bench->nr_lost++;
}

static const struct tcp_ops client_ops = {
	.connected = on_connected, .data = on_reply, .closed = on_client_closed};

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	return 0;
}

static uint32_t on_request(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	assert_int_equal(obuf_append(tcp_conn_obuf(conn), data, len), 0);
	tcp_conn_push(conn);
	return len;
}

static void on_server_closed(struct tcp_conn *conn, int reason)
{
}

static const struct tcp_ops server_ops = {
	.accept = on_accept, .data = on_request, .closed = on_server_closed};

static uint64_t server_frames(const struct bench *b)
{
	return host_ctr(&b->lab.b, NET_CTR_PKTS_IN) + host_ctr(&b->lab.b, NET_CTR_PKTS_OUT);
}

/* One of the flood's frames to the server. */
typedef void (*flood_fn)(struct bench *b);

/* Runs for us microseconds with so many frames of the flood in each millisecond; returns the
   replies that the clients got in a second. */
static uint64_t rate(struct bench *b, uint64_t us, uint32_t per_ms, flood_fn flood)
{
	const uint64_t begin_us = b->lab.now_us, end_us = begin_us + us;
	const uint64_t replies = b->nr_replies;
	uint64_t at_us = begin_us;

	while (b->lab.now_us < end_us) {
		const uint64_t frames = server_frames(b);

		b->flood_owed += (b->lab.now_us - at_us) * per_ms;
		at_us = b->lab.now_us;
		for (; flood && b->flood_owed >= 1000; b->flood_owed -= 1000)
			flood(b);
		lab_run(&b->lab, 10);
		b->owed_ns += (server_frames(b) - frames) * FRAME_NS;
		b->lab.now_us += b->owed_ns / 1000;
		b->owed_ns %= 1000;
	}
	return (b->nr_replies - replies) * SEC / (b->lab.now_us - begin_us);
}

static struct bench *bench_up(uint64_t seed)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	lab_init(&b->lab, seed);
	b->lab.b.app.ops = &server_ops;
	b->lab.b.cfg.tcp.rto_init_us = 10000; /* what is half-open is sent again within the flood */
	b->lab.b.cfg.gateway = b->lab.a.cfg.addrs[0].ip;
	b->lab.delay_us = 10;
	lab_up(&b->lab, 256);
	net_neigh_learn(&b->lab.a.net, &b->lab.b.cfg.addrs[0].ip, b->lab.b.cfg.mac, true);
	net_neigh_learn(&b->lab.b.net, &b->lab.a.cfg.addrs[0].ip, b->lab.a.cfg.mac, true);
	for (uint32_t i = 0; i < NR_CLIENTS; i++) {
		b->clients[i].bench = b;
		assert_int_equal(tcp_connect(&b->lab.a.net, &b->lab.b.cfg.addrs[0].ip, LAB_PORT,
					 &client_ops, &b->clients[i], &b->clients[i].conn),
			0);
	}
	rate(b, SEC / 100, 0, NULL);
	assert_int_equal(b->nr_up, NR_CLIENTS);
	return b;
}

static void bench_down(struct bench *b)
{
	assert_int_equal(b->nr_lost, 0);
	lab_down(&b->lab);
	free(b);
}

/* From behind the gateway, so that answers really go out. */
static uint32_t stranger(struct bench *b)
{
	return 0xc0a80000u | (uint32_t)(lab_random(&b->lab) % 65534 + 1);
}

static void inject(struct bench *b, const struct raw_tcp *t)
{
	uint8_t frame[2048];

	lab_inject(&b->lab.b, frame, raw_tcp_build(frame, &b->lab.b, t));
}

static void syn_flood(struct bench *b)
{
	static const uint8_t opts[20] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	const struct raw_tcp t = {.src_v4 = stranger(b),
		.dst_v4 = host_v4(&b->lab.b),
		.sport = (uint16_t)(lab_random(&b->lab) | 1),
		.dport = LAB_PORT,
		.seq = (uint32_t)lab_random(&b->lab),
		.wnd = 65535,
		.flags = TCP_SYN,
		.opts = opts,
		.opts_len = sizeof(opts)};

	inject(b, &t);
}

/* ACKs, RSTs and data that belong to nothing, or to a client's addresses and not its numbers. */
static void blind_flood(struct bench *b)
{
	static const uint8_t flags[6] = {
		TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK, TCP_SYN};
	static const uint8_t bytes[32] = "*1\r\n$8\r\nFLUSHALL\r\n";
	const uint64_t n = lab_random(&b->lab);
	const struct client *victim = &b->clients[n % NR_CLIENTS];
	const bool is_spoofed = n >> 32 & 1;
	const struct raw_tcp t = {.src_v4 = is_spoofed ? host_v4(&b->lab.a) : stranger(b),
		.dst_v4 = host_v4(&b->lab.b),
		.sport = is_spoofed ? tcp_conn_local(victim->conn).port : (uint16_t)(n >> 40 | 1),
		.dport = LAB_PORT,
		.seq = (uint32_t)lab_random(&b->lab),
		.ack = (uint32_t)lab_random(&b->lab),
		.wnd = 65535,
		.flags = flags[(n >> 8) % 6],
		.payload = bytes,
		.payload_len = n >> 16 & 1 ? sizeof(bytes) : 0};

	inject(b, &t);
}

/* Fragments, and headers that contradict themselves. */
static void malformed_flood(struct bench *b)
{
	uint8_t frame[2048];
	const uint64_t n = lab_random(&b->lab);
	const struct raw_tcp t = {.src_v4 = stranger(b),
		.dst_v4 = host_v4(&b->lab.b),
		.sport = 7,
		.dport = LAB_PORT,
		.flags = TCP_SYN};
	const uint32_t len = raw_tcp_build(frame, &b->lab.b, &t);

	frame[14 + n % 40] ^= (uint8_t)(n >> 8 | 1);
	if (n >> 16 & 1)
		frame[20] |= 0x20; /* more fragments */
	lab_inject(&b->lab.b, frame, len);
}

/* 50,000 frames of a flood a second, where the server can handle a million of frames. */
static void keeps_80_percent(uint64_t seed, flood_fn flood)
{
	struct bench *b = bench_up(seed);
	const uint64_t before = rate(b, SEC / 40, 0, NULL);
	const uint64_t during = rate(b, SEC / 5, 50, flood);
	uint64_t after;
	struct tcp_gauges g;

	tcp_gauges_read(&b->lab.b.net, &g);
	assert_in_range(g.conns, NR_CLIENTS, NR_CLIENTS + 256);
	assert_true(g.half_open <= 256);
	assert_int_equal(g.timewait, 0);
	after = rate(b, SEC / 40, 0, NULL);
	print_message("replies a second: %llu, %llu in the flood, %llu after it\n",
		(unsigned long long)before, (unsigned long long)during, (unsigned long long)after);
	/* The server is what bounds the clients: without that the measure would be none. */
	assert_in_range(before, 450000, 500000);
	assert_true(during >= before * 8 / 10);
	assert_true(after >= before * 95 / 100);
	bench_down(b);
}

static void clients_keep_their_rate_in_a_syn_flood(void **state)
{
	keeps_80_percent(1, syn_flood);
}

static void clients_keep_their_rate_in_a_flood_of_blind_segments(void **state)
{
	keeps_80_percent(2, blind_flood);
}

static void clients_keep_their_rate_in_a_flood_of_malformed_packets(void **state)
{
	keeps_80_percent(3, malformed_flood);
}

static void a_client_connects_during_a_syn_flood(void **state)
{
	struct bench *b = bench_up(4);
	struct client late = {.bench = b};

	rate(b, SEC / 20, 50, syn_flood);
	assert_int_equal(tcp_connect(&b->lab.a.net, &b->lab.b.cfg.addrs[0].ip, LAB_PORT,
				 &client_ops, &late, &late.conn),
		0);
	rate(b, SEC / 20, 50, syn_flood);
	assert_int_equal(b->nr_up, NR_CLIENTS + 1);
	assert_true(host_ctr(&b->lab.b, NET_CTR_COOKIES_OK) >= 1);
	bench_down(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_keep_their_rate_in_a_syn_flood),
		cmocka_unit_test(clients_keep_their_rate_in_a_flood_of_blind_segments),
		cmocka_unit_test(clients_keep_their_rate_in_a_flood_of_malformed_packets),
		cmocka_unit_test(a_client_connects_during_a_syn_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
