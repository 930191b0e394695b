/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target: frames into a network stack that has a listener and a connection of its own.
 *
 * The input is a list of steps; multi-byte numbers are little-endian:
 *
 *	0 len16 bytes              a frame as it is
 *	1 seg                      a TCP segment of the tracked flow, checksums right, where
 *	                           seg = flags seq16 ack16 wnd16 ts opts_words payload16, then 4 *
 *opts_words bytes of options; seq and ack are signed and relative to what the stack expects; ts & 1
 *puts right timestamps first 2 shift                    2^(shift % 28) microseconds go by 3 act
 *arg16                the application acts on its connection 4 code mtu16 seq16         an ICMP
 *error about the tracked flow 5 which                    chooses the tracked flow: what the stack
 *last sent for it
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

#define OUR_V4   0x0a000002u
#define PEER_V4  0x0a000001u
#define PORT     6379
#define NR_FLOWS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What the stack last said about a flow. */
struct flow {
	uint16_t our_port;
	uint16_t peer_port;
	uint32_t seq; /* the next the stack will send */
	uint32_t ack; /* the next it expects */
	uint32_t tsval;
};

struct tcp_bench {
	struct bench io;
	struct flow flows[NR_FLOWS];
	uint32_t flow;
	struct tcp_conn *conn; /* of the last accept or connect */
	uint32_t take;         /* data() takes at most this much */
};

/* Remembers where the stack stands, so that segments can be made that it believes. */
static void flow_note(struct tcp_bench *b, const uint8_t *frame, uint32_t len)
{
	const uint8_t *tcp = frame + 34;
	struct flow *f;
	uint32_t hlen;

	if (len < 54 || get_be16(frame + 12) != ETH_TYPE_IPV4 || frame[23] != IP_PROTO_TCP)
		return;
	f = &b->flows[get_be16(tcp + 2) % NR_FLOWS];
	hlen = (uint32_t)(tcp[12] >> 4) * 4;
	f->our_port = get_be16(tcp);
	f->peer_port = get_be16(tcp + 2);
	f->seq = get_be32(tcp + 4) + (len - 34 - hlen) + !!(tcp[13] & TCP_SYN) +
		 !!(tcp[13] & TCP_FIN);
	f->ack = get_be32(tcp + 8);
	for (uint32_t at = 20; at + 10 <= hlen; at++) {
		if (tcp[at] == 8 && tcp[at + 1] == 10) {
			f->tsval = get_be32(tcp + at + 2);
			break;
		}
	}
}

static void bench_tx(void *ctx, struct pkt *p)
{
	struct tcp_bench *b = ctx;

	flow_note(b, p->data, p->len);
	pkt_free(&b->io.pool, p);
}

static const struct net_ops net_ops = {.tx = bench_tx};

/* tcp_conn_user() is the bench, and b->conn is forgotten with the connection. */
static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct tcp_bench *b = tcp_conn_user(conn);

	b->conn = conn;
	return b->take == 13 ? -1 : 0;
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct tcp_bench *b = tcp_conn_user(conn);
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += data[i];
	if (sum % 16 == 0)
		obuf_append(tcp_conn_obuf(conn), data, len);
	tcp_conn_push(conn);
	return len < b->take ? len : b->take;
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	struct tcp_bench *b = tcp_conn_user(conn);

	if (b->conn == conn)
		b->conn = NULL;
}

static const struct tcp_ops ops = {.accept = on_accept, .data = on_data, .closed = on_closed};

/* Ethernet and IP headers before len bytes at frame + 34. */
static uint32_t ip_wrap(uint8_t *frame, uint8_t proto, uint32_t len)
{
	uint8_t *ip = frame + 14;
	uint16_t csum;

	memset(frame, 0, 34);
	memcpy(frame, (uint8_t[]){2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, 14);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + len));
	ip[8] = 64;
	ip[9] = proto;
	put_be32(ip + 12, PEER_V4);
	put_be32(ip + 16, OUR_V4);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	return 34 + len;
}

static void step_frame(struct tcp_bench *b)
{
	uint32_t len = bench_next16(&b->io) % 1600;

	if (len > b->io.left)
		len = (uint32_t)b->io.left;
	bench_inject(&b->io, b->io.in, len);
	b->io.in += len;
	b->io.left -= len;
}

static void step_segment(struct tcp_bench *b)
{
	const struct flow *f = &b->flows[b->flow];
	uint8_t frame[1700], *tcp = frame + 34;
	const uint8_t flags = bench_next8(&b->io);
	const int16_t seq = (int16_t)bench_next16(&b->io), ack = (int16_t)bench_next16(&b->io);
	const uint16_t wnd = bench_next16(&b->io);
	const uint8_t ts = bench_next8(&b->io);
	uint32_t opts = bench_next8(&b->io) % 11 * 4, payload = bench_next16(&b->io) % 1449,
		 at = 20;
	uint64_t sum;
	uint16_t csum;

	memset(frame, 0x5a, sizeof(frame));
	put_be16(tcp, f->peer_port);
	put_be16(tcp + 2, f->our_port);
	put_be32(tcp + 4, f->ack + (uint32_t)(int32_t)seq);
	put_be32(tcp + 8, f->seq + (uint32_t)(int32_t)ack);
	if (ts & 1) {
		memcpy(tcp + 20, (uint8_t[]){1, 1, 8, 10}, 4);
		put_be32(tcp + 24, (uint32_t)(b->io.now_us / 1000));
		put_be32(tcp + 28, f->tsval);
		at = 32;
	}
	if (at + opts > 60)
		opts = 60 - at;
	for (uint32_t i = 0; i < opts; i++)
		tcp[at++] = bench_next8(&b->io);
	tcp[12] = (uint8_t)(at / 4 << 4);
	tcp[13] = flags;
	put_be16(tcp + 14, wnd);
	put_be32(tcp + 16, 0);
	sum = csum_pseudo_v4(be32(PEER_V4), be32(OUR_V4), IP_PROTO_TCP, at + payload);
	csum = (uint16_t)~csum_fold(csum_add(sum, tcp, at + payload));
	memcpy(tcp + 16, &csum, 2);
	bench_inject(&b->io, frame, ip_wrap(frame, IP_PROTO_TCP, at + payload));
}

static void step_icmp(struct tcp_bench *b)
{
	const struct flow *f = &b->flows[b->flow];
	uint8_t frame[128], *icmp = frame + 34, *ip = icmp + 8;
	uint16_t csum;

	memset(frame, 0, sizeof(frame));
	icmp[0] = ICMP_UNREACH;
	icmp[1] = bench_next8(&b->io) % 16;
	put_be16(icmp + 6, bench_next16(&b->io));
	ip[0] = 0x45;
	put_be16(ip + 2, 1500);
	ip[9] = IP_PROTO_TCP;
	put_be32(ip + 12, OUR_V4);
	put_be32(ip + 16, PEER_V4);
	put_be16(ip + 20, f->our_port);
	put_be16(ip + 22, f->peer_port);
	put_be32(ip + 24, f->seq - bench_next16(&b->io));
	csum = csum_of(icmp, 36);
	memcpy(icmp + 2, &csum, 2);
	bench_inject(&b->io, frame, ip_wrap(frame, IP_PROTO_ICMP, 36));
}

static void step_act(struct tcp_bench *b)
{
	static const uint8_t bytes[65536];
	const uint8_t act = bench_next8(&b->io);
	const uint16_t arg = bench_next16(&b->io);
	const struct ip_addr peer = ip_addr_from_v4(PEER_V4);

	if (act % 10 == 9) {
		tcp_connect(&b->io.net, &peer, arg, &ops, b, &b->conn);
		return;
	}
	if (!b->conn)
		return;
	switch (act % 10) {
	case 0: obuf_append(tcp_conn_obuf(b->conn), bytes, arg); break;
	case 1: obuf_append_ref(tcp_conn_obuf(b->conn), bytes, arg, NULL, NULL); break;
	case 2: obuf_hold(tcp_conn_obuf(b->conn)); break;
	case 3: obuf_release_all(tcp_conn_obuf(b->conn)); break;
	case 4: b->take = arg; break;
	case 5: tcp_conn_shutdown(b->conn); break;
	case 6: tcp_conn_close(b->conn); break;
	case 7: tcp_conn_abort(b->conn); break;
	case 8: tcp_conn_set_keepalive(b->conn, arg * 1000ull, 500000, 2); break;
	}
	tcp_conn_resume(b->conn);
	tcp_conn_push(b->conn);
}

static void step(struct bench *io)
{
	struct tcp_bench *b = (struct tcp_bench *)io;
	switch (bench_next8(&b->io) % 6) {
	case 0: step_frame(b); break;
	case 1: step_segment(b); break;
	case 2: b->io.now_us += 1ull << bench_next8(&b->io) % 28; break;
	case 3: step_act(b); break;
	case 4: step_icmp(b); break;
	case 5: b->flow = bench_next8(&b->io) % NR_FLOWS; break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tcp_bench b = {.take = UINT32_MAX};
	const struct ip_addr peer = ip_addr_from_v4(PEER_V4), ours = ip_addr_from_v4(OUR_V4);
	struct tcp_listener *lst;
	struct net_cfg cfg;

	bench_init(&b.io, data, len);
	bench_cfg(&cfg);
	net_cfg_add(&cfg, &ours, 24);
	BUG_ON(net_init(&b.io.net, &cfg, &b.io.pool, &net_ops, &b, b.io.now_us));
	BUG_ON(tcp_listen(&b.io.net, PORT, 2, &ops, &b, &lst));
	net_neigh_learn(&b.io.net, &peer, (const uint8_t[]){2, 0, 0, 0, 0, 1}, true);
	for (uint32_t i = 0; i < NR_FLOWS; i++)
		b.flows[i] = (struct flow){PORT, (uint16_t)(40000 + i), 0, 1000, 0};
	bench_run(&b.io, step);
	return 0;
}
