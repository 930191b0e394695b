/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target: IPv6 packets into a network stack with addresses of its own: extension headers,
 * ICMPv6, neighbour discovery (duplicate address detection is under way at first), and TCP over it.
 *
 * The input is a list of steps; multi-byte numbers are little-endian:
 *
 *	0 next ends hops len16 bytes   an IPv6 packet with these bytes behind its header; ends & 15
 *	                               chooses the destination, ends >> 4 the source, both out of
 *	                               addrs[]. The checksum of what is found behind the extension
 *	                               headers is put right, if it is TCP, ICMPv6 or UDP.
 *	1 next ends hops len16 bytes   the same with the checksum as it is
 *	2 len16 bytes                  a frame as it is
 *	3 shift                        2^(shift % 28) microseconds go by
 *	4 which port16                 the application connects to one of addrs[]
 *
 * After every step the invariants of all connections are checked; at the end all packets must be
 * back.
 */
#include "checks.h"
#include "dataplane/ip/csum.h"
#include "dataplane/ip/net.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/tcp.h"
#include "tests/fuzz/bench.h"

#include <stdlib.h>
#include <string.h>

#define PORT     6379
#define NR_ADDRS 8u
#define ETH_LEN  14u
#define IP6_LEN  40u
#define NEXT_UDP 17u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const addr_texts[NR_ADDRS] = {
	"2001:db8::2",       /* ours */
	"fe80::2",           /* ours */
	"ff02::1:ff00:2",    /* the group that neighbour solicitations for both go to */
	"ff02::1",           /* all nodes */
	"fe80::1",           /* the router */
	"2001:db8::1",       /* a neighbour */
	"2001:db8:ffff::99", /* behind the router */
	"::",
};

struct ip6_bench {
	struct bench io;
	struct ip_addr addrs[NR_ADDRS];
};

/* What is sent is well-formed, whatever came in. */
static void bench_tx(void *ctx, struct pkt *p)
{
	struct ip6_bench *b = ctx;
	const uint8_t *ip = p->data + ETH_LEN;

	BUG_ON(p->len < ETH_LEN);
	if (get_be16(p->data + 12) == ETH_TYPE_IPV6) {
		BUG_ON(p->len < ETH_LEN + IP6_LEN || ip[0] >> 4 != 6);
		BUG_ON(p->len != ETH_LEN + IP6_LEN + get_be16(ip + 4));
		BUG_ON(p->len > ETH_LEN + b->io.net.cfg.mtu);
	}
	pkt_free(&b->io.pool, p);
}

static const struct net_ops net_ops = {.tx = bench_tx};

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	return 0;
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	obuf_append(tcp_conn_obuf(conn), data, len);
	tcp_conn_push(conn);
	return len;
}

static void on_closed(struct tcp_conn *conn, int reason)
{
}

static const struct tcp_ops ops = {.accept = on_accept, .data = on_data, .closed = on_closed};

static uint32_t take_bytes(struct ip6_bench *b, uint8_t *out, uint32_t max)
{
	uint32_t len = bench_next16(&b->io) % (max + 1);

	if (len > b->io.left)
		len = (uint32_t)b->io.left;
	memcpy(out, b->io.in, len);
	b->io.in += len;
	b->io.left -= len;
	return len;
}

/* Where the checksum of what lies behind the extension headers is; 0: nowhere. */
static uint32_t csum_place(const uint8_t *body, uint32_t len, uint8_t *next, uint32_t *at)
{
	*at = 0;
	while (*next == IP_PROTO_HOPOPTS || *next == IP_PROTO_ROUTING ||
		*next == IP_PROTO_DSTOPTS || *next == IP_PROTO_FRAGMENT) {
		if (*at + 8 > len)
			return 0;
		const uint32_t bytes =
			*next == IP_PROTO_FRAGMENT ? 8 : ((uint32_t)body[*at + 1] + 1) * 8;

		*next = body[*at];
		*at += bytes;
	}
	switch (*next) {
	case IP_PROTO_TCP: return *at + 18 <= len ? *at + 16 : 0;
	case IP_PROTO_ICMPV6: return *at + 4 <= len ? *at + 2 : 0;
	case NEXT_UDP: return *at + 8 <= len ? *at + 6 : 0;
	default: return 0;
	}
}

static void csum_put(uint8_t *frame, uint32_t len, uint8_t next)
{
	uint8_t *ip = frame + ETH_LEN, *body = ip + IP6_LEN;
	const struct ip_addr src = ip_addr_load(ip + 8), dst = ip_addr_load(ip + 24);
	uint32_t at;
	const uint32_t place = csum_place(body, len, &next, &at);
	uint16_t csum;

	if (!place)
		return;
	memset(body + place, 0, 2);
	csum = (uint16_t)~csum_fold(
		csum_add(csum_pseudo(&src, &dst, next, len - at), body + at, len - at));
	memcpy(body + place, &csum, 2);
}

static void step_packet(struct ip6_bench *b, bool is_right)
{
	uint8_t frame[ETH_LEN + IP6_LEN + 1500] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd};
	uint8_t *ip = frame + ETH_LEN;
	const uint8_t next = bench_next8(&b->io), ends = bench_next8(&b->io),
		      hops = bench_next8(&b->io);
	const struct ip_addr *dst = &b->addrs[(ends & 15) % NR_ADDRS];
	uint32_t len;

	if (ip_addr_is_multicast_v6(dst)) {
		memcpy(frame, (uint8_t[]){0x33, 0x33}, 2);
		memcpy(frame + 2, (const uint8_t *)dst + 12, 4);
	}
	ip[0] = 0x60;
	ip[6] = next;
	ip[7] = hops;
	memcpy(ip + 8, &b->addrs[(ends >> 4) % NR_ADDRS], 16);
	memcpy(ip + 24, dst, 16);
	len = take_bytes(b, ip + IP6_LEN, 1500 - IP6_LEN);
	put_be16(ip + 4, (uint16_t)len);
	if (is_right)
		csum_put(frame, len, next);
	bench_inject(&b->io, frame, ETH_LEN + IP6_LEN + len);
}

static void step(struct bench *io)
{
	struct ip6_bench *b = (struct ip6_bench *)io;
	uint8_t frame[1600];
	struct tcp_conn *conn;
	const struct ip_addr *peer;
	uint32_t len;

	switch (bench_next8(&b->io) % 5) {
	case 0: step_packet(b, true); break;
	case 1: step_packet(b, false); break;
	case 2:
		len = take_bytes(b, frame, sizeof(frame));
		bench_inject(&b->io, frame, len);
		break;
	case 3: b->io.now_us += 1ull << bench_next8(&b->io) % 28; break;
	case 4:
		peer = &b->addrs[bench_next8(&b->io) % NR_ADDRS];
		tcp_connect(&b->io.net, peer, bench_next16(&b->io), &ops, b, &conn);
		break;
	}
}

static void bench_up(struct ip6_bench *b)
{
	struct tcp_listener *lst;
	struct net_cfg cfg;

	for (uint32_t i = 0; i < NR_ADDRS; i++)
		BUG_ON(!ip_addr_parse(addr_texts[i], &b->addrs[i]));
	bench_cfg(&cfg);
	net_cfg_add(&cfg, &b->addrs[0], 64);
	net_cfg_add(&cfg, &b->addrs[1], 64);
	cfg.gateway_v6 = b->addrs[4];
	BUG_ON(net_init(&b->io.net, &cfg, &b->io.pool, &net_ops, b, b->io.now_us));
	BUG_ON(tcp_listen(&b->io.net, PORT, 2, &ops, b, &lst));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ip6_bench b;

	bench_init(&b.io, data, len);
	bench_up(&b);
	bench_run(&b.io, step);
	return 0;
}
