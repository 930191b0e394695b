/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The laboratory of the network tests.
 */
#include "tests/net/wire.h"

#include "dataplane/ip/csum.h"
#include "tests/net/invariants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define APP_FEED_BYTES (256u << 10) /* kept in an output buffer */
#define FED_BETWEEN    31u          /* bytes copied between two references, as replies have them */

struct frame {
	struct frame *next;
	struct host *to;
	uint64_t at_us;
	uint32_t len;
	uint8_t bytes[];
};

/* A packet without a buffer; NULL: all are out. */
static struct pkt *one_alloc(struct lab_pool *lp)
{
	struct pkt *p;

	if (lp->nr_out >= lp->nr_max)
		return NULL;
	p = calloc(1, sizeof(*p));
	assert_non_null(p);
	lp->nr_out++;
	return p;
}

static struct pkt *lab_alloc(struct pkt_pool *pool)
{
	struct lab_pool *lp = (struct lab_pool *)pool;
	struct pkt *p = one_alloc(lp);

	if (!p)
		return NULL;
	/* Of exactly that size, so that a sanitizer sees a step beyond. */
	p->buf = malloc(lp->buf_len);
	assert_non_null(p->buf);
	p->buf_len = lp->buf_len;
	p->data = p->buf + PKT_HEADROOM;
	return p;
}

static void one_free(struct lab_pool *lp, struct pkt *p, bool is_ref)
{
	assert_true(lp->nr_out > 0);
	lp->nr_out--;
	if (is_ref)
		obuf_seg_put(p->ref);
	else
		free(p->buf);
	free(p);
}

static void lab_free(struct pkt_pool *pool, struct pkt *p)
{
	struct pkt *m = p->flags & PKT_TX_CHAIN ? p->more : NULL;

	while (m) {
		struct pkt *next = m->more;

		one_free((struct lab_pool *)pool, m, m->ref != NULL);
		m = next;
	}
	one_free((struct lab_pool *)pool, p, false);
}

static struct pkt *lab_refer(
	struct pkt_pool *pool, const uint8_t *bytes, uint32_t len, struct obuf_seg *seg)
{
	struct pkt *p = one_alloc((struct lab_pool *)pool);

	if (!p)
		return NULL;
	p->data = p->buf = (uint8_t *)(uintptr_t)bytes;
	p->len = len;
	p->ref = seg;
	return p;
}

static const struct pkt_pool_ops lab_pool_ops = {
	.alloc = lab_alloc, .free = lab_free, .refer = lab_refer};

uint64_t lab_random(struct lab *lab)
{
	lab->rng ^= lab->rng << 13;
	lab->rng ^= lab->rng >> 7;
	lab->rng ^= lab->rng << 17;
	return lab->rng;
}

static bool chance(struct lab *lab, uint32_t in_10000)
{
	return in_10000 && lab_random(lab) % 10000 < in_10000;
}

struct sniff frame_decode(const struct host *from, uint8_t *bytes, uint32_t len)
{
	struct sniff s = {.from = from, .bytes = bytes, .len = len};
	const uint8_t *ip = bytes + 14, *tcp;
	uint16_t type = len < 54 ? 0 : get_be16(bytes + 12);
	uint32_t tcp_len, tag = 0;

	if (type == ETH_TYPE_VLAN) {
		s.vlan = get_be16(ip);
		type = get_be16(ip + 2);
		ip += 4;
		tag = 4;
	}
	if (type == ETH_TYPE_IPV4 && ip[9] == IP_PROTO_TCP) {
		s.tcp_off = 34 + tag;
		tcp_len = get_be16(ip + 2) - 20u;
	} else if (type == ETH_TYPE_IPV6 && ip[6] == IP_PROTO_TCP) {
		s.tcp_off = 54 + tag;
		tcp_len = get_be16(ip + 4);
	} else {
		return s;
	}
	tcp = bytes + s.tcp_off;
	s.is_tcp = true;
	s.seq = get_be32(tcp + 4);
	s.ack = get_be32(tcp + 8);
	s.flags = tcp[13];
	s.wnd = get_be16(tcp + 14);
	if (tcp[12] >> 4 >= 8 && tcp[20] == 1 && tcp[22] == 8) {
		memcpy(s.tsval, tcp + 24, 4);
		memcpy(s.tsecr, tcp + 28, 4);
	}
	s.payload = tcp_len - (uint32_t)(tcp[12] >> 4) * 4;
	return s;
}

void frame_tcp_mend(const struct sniff *s)
{
	const uint8_t *ip = s->bytes + 14;
	const bool is_v4 = ip[0] >> 4 == 4;
	uint8_t *tcp = s->bytes + s->tcp_off;
	const uint32_t len = is_v4 ? get_be16(ip + 2) - 20u : get_be16(ip + 4);
	const struct ip_addr src =
		is_v4 ? ip_addr_from_v4(get_be32(ip + 12)) : ip_addr_load(ip + 8);
	const struct ip_addr dst =
		is_v4 ? ip_addr_from_v4(get_be32(ip + 16)) : ip_addr_load(ip + 24);
	uint16_t csum;

	memset(tcp + 16, 0, 2);
	csum = (uint16_t)~csum_fold(csum_add(csum_pseudo(&src, &dst, IP_PROTO_TCP, len), tcp, len));
	memcpy(tcp + 16, &csum, 2);
}

static void frame_queue(struct lab *lab, struct host *to, const uint8_t *bytes, uint32_t len)
{
	struct frame *f = malloc(sizeof(*f) + len);
	struct frame **at = &lab->queue;

	assert_non_null(f);
	f->to = to;
	f->len = len;
	f->at_us = lab->now_us + lab->delay_us;
	if (lab->jitter_us)
		f->at_us += lab_random(lab) % lab->jitter_us;
	memcpy(f->bytes, bytes, len);
	if (chance(lab, lab->corrupt) && get_be16(bytes + 12) != ETH_TYPE_ARP) {
		/* One bit of what the checksums cover: none of IPv6's own header. */
		const uint32_t from = get_be16(bytes + 12) == ETH_TYPE_IPV4 ? 14 : 54;
		const uint32_t bit = (uint32_t)(lab_random(lab) % ((len - from) * 8));

		f->bytes[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
		lab->nr_corrupt++;
	}
	while (*at && (*at)->at_us <= f->at_us)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

void lab_post(struct lab *lab, struct host *to, const void *frame, uint32_t len)
{
	frame_queue(lab, to, frame, len);
}

static void frame_send(void *ctx, uint8_t *bytes, uint32_t len)
{
	struct host *from = ctx;
	struct lab *lab = from->lab;
	struct host *to = from == &lab->a ? &lab->b : &lab->a;
	struct sniff s = frame_decode(from, bytes, len);
	const bool is_dropped = lab->hook && lab->hook(lab, &s, lab->hook_ctx) == LAB_DROP;

	from->nr_tx++;
	if (s.is_tcp)
		from->last = s;
	if (!is_dropped) {
		if (chance(lab, lab->loss)) {
			lab->nr_lost++;
		} else {
			frame_queue(lab, to, bytes, len);
			if (chance(lab, lab->dup))
				frame_queue(lab, to, bytes, len);
		}
	}
}

static void lab_tx(void *ctx, struct pkt *p)
{
	struct host *from = ctx;

	device_send(&from->device, &from->cfg, &from->pool.pool, p, frame_send, from);
}

static const struct net_ops lab_net_ops = {.tx = lab_tx};

static void host_init(struct lab *lab, struct host *h, uint8_t nr)
{
	struct ip_addr addr;

	h->lab = lab;
	h->pool.pool.ops = &lab_pool_ops;
	h->pool.nr_max = 100000;
	h->pool.buf_len = LAB_BUF;
	net_cfg_defaults(&h->cfg);
	addr = ip_addr_from_v4(0x0a000000u | nr);
	net_cfg_add(&h->cfg, &addr, 24);
	memcpy(h->cfg.mac, (uint8_t[]){2, 0, 0, 0, 0, nr}, NET_MAC_LEN);
	memset(h->cfg.secret, 0x40 + nr, sizeof(h->cfg.secret));
	h->app.lab = lab;
	h->app.rx_limit = UINT64_MAX;
}

struct ip_addr lab_v6(uint8_t nr)
{
	const uint8_t b[16] = {0x20, 1, 0xd, 0xb8, [15] = nr};

	return ip_addr_load(b);
}

void lab_use_v6(struct lab *lab)
{
	const struct ip_addr a = lab_v6(1), b = lab_v6(2);

	lab->is_v6 = true;
	net_cfg_add(&lab->a.cfg, &a, 64);
	net_cfg_add(&lab->b.cfg, &b, 64);
}

void lab_init(struct lab *lab, uint64_t seed)
{
	const char *env = getenv("LAB_SEED"), *family = getenv("LAB_FAMILY");

	memset(lab, 0, sizeof(*lab));
	lab->seed = env ? strtoull(env, NULL, 0) : seed;
	lab->rng = lab->seed * 0x9e3779b97f4a7c15ull + 1;
	print_message("seed %llu\n", (unsigned long long)lab->seed);
	lab->now_us = LAB_START;
	lab->delay_us = 100;
	host_init(lab, &lab->a, 1);
	host_init(lab, &lab->b, 2);
	if (family && strcmp(family, "6") == 0)
		lab_use_v6(lab);
}

uint8_t app_pattern(uint64_t pos)
{
	return (uint8_t)((pos * 0x9e3779b97f4a7c15ull) >> 56) ^ (uint8_t)pos;
}

struct fed_ref {
	struct app *app;
	uint8_t bytes[];
};

static void fed_release(void *ctx)
{
	struct fed_ref *ref = ctx;

	ref->app->nr_refs--;
	free(ref);
}

/* A piece of its own, of exactly that size, freed when it is released. */
static void feed_ref(struct app *app, struct obuf *ob, uint32_t n)
{
	struct fed_ref *ref = malloc(sizeof(*ref) + n);

	assert_non_null(ref);
	ref->app = app;
	for (uint32_t i = 0; i < n; i++)
		ref->bytes[i] = app_pattern(app->tx_done + i);
	assert_int_equal(obuf_append_ref(ob, ref->bytes, n, fed_release, ref), 0);
	app->nr_refs++;
	app->tx_done += n;
}

void app_feed(struct app *app)
{
	uint8_t chunk[4096];
	struct obuf *ob;

	if (!app->conn || app->echo)
		return;
	ob = tcp_conn_obuf(app->conn);
	while (app->tx_done < app->tx_total && obuf_len(ob) < APP_FEED_BYTES) {
		const uint64_t left = app->tx_total - app->tx_done;
		const uint32_t most = app->ref_bytes ? FED_BETWEEN : sizeof(chunk);
		const uint32_t n = left < most ? (uint32_t)left : most;

		for (uint32_t i = 0; i < n; i++)
			chunk[i] = app_pattern(app->tx_done + i);
		assert_int_equal(obuf_append(ob, chunk, n), 0);
		app->tx_done += n;
		if (app->ref_bytes && left > n)
			feed_ref(app, ob,
				left - n < app->ref_bytes ? (uint32_t)(left - n) : app->ref_bytes);
	}
	tcp_conn_push(app->conn);
	if (app->tx_done == app->tx_total && app->shutdown_at_end)
		tcp_conn_shutdown(app->conn);
}

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);

	app->nr_accept++;
	if (app->refuse)
		return -1;
	app->conn = conn;
	tcp_conn_set_sent_mark(conn, APP_FEED_BYTES / 2);
	app_feed(app);
	return 0;
}

static void on_connected(struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);

	app->nr_connected++;
	app->conn = conn;
	tcp_conn_set_sent_mark(conn, APP_FEED_BYTES / 2);
	app_feed(app);
}

static uint32_t on_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct app *app = tcp_conn_user(conn);
	const uint64_t room = app->rx_limit - app->rx_done;
	const uint32_t n = len < room ? len : (uint32_t)room;

	assert_ptr_equal(conn, app->conn);
	if (app->echo) {
		assert_int_equal(obuf_append(tcp_conn_obuf(conn), data, n), 0);
		tcp_conn_push(conn);
	} else {
		for (uint32_t i = 0; i < n; i++)
			app->rx_wrong += data[i] != app_pattern(app->rx_done + i);
	}
	app->rx_done += n;
	return n;
}

static void on_sent(struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);

	app->nr_sent++;
	app_feed(app);
}

static void on_eof(struct tcp_conn *conn)
{
	struct app *app = tcp_conn_user(conn);

	app->nr_eof++;
	if (app->close_at_eof)
		tcp_conn_close(conn);
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	struct app *app = tcp_conn_user(conn);

	app->nr_closed++;
	app->reason = reason;
	app->conn = NULL;
}

const struct tcp_ops app_ops = {
	.accept = on_accept,
	.connected = on_connected,
	.data = on_data,
	.sent = on_sent,
	.eof = on_eof,
	.closed = on_closed,
};

void lab_up(struct lab *lab, uint32_t backlog)
{
	assert_int_equal(net_init(&lab->a.net, &lab->a.cfg, &lab->a.pool.pool, &lab_net_ops,
				 &lab->a, lab->now_us),
		0);
	assert_int_equal(net_init(&lab->b.net, &lab->b.cfg, &lab->b.pool.pool, &lab_net_ops,
				 &lab->b, lab->now_us),
		0);
	assert_int_equal(
		tcp_listen(&lab->b.net, LAB_PORT, backlog,
			lab->b.app.ops ? lab->b.app.ops : &app_ops, &lab->b.app, &lab->b.lst),
		0);
}

void lab_down(struct lab *lab)
{
	/* As the NIC layer does: the device is gone before the stack. */
	device_drain(&lab->a.device, &lab->a.pool.pool);
	device_drain(&lab->b.device, &lab->b.pool.pool);
	net_fini(&lab->a.net);
	net_fini(&lab->b.net);
	assert_int_equal(lab->a.app.nr_refs, 0);
	assert_int_equal(lab->b.app.nr_refs, 0);
	while (lab->queue) {
		struct frame *f = lab->queue;

		lab->queue = f->next;
		free(f);
	}
	assert_int_equal(lab->a.pool.nr_out, 0);
	assert_int_equal(lab->b.pool.nr_out, 0);
	assert_int_equal(lab->a.app.rx_wrong, 0);
	assert_int_equal(lab->b.app.rx_wrong, 0);
}

void lab_inject(struct host *to, const void *frame, uint32_t len)
{
	struct pkt *p = pkt_alloc(&to->pool.pool);

	assert_non_null(p);
	assert_true(len <= pkt_tailroom(p));
	/* At the end of the buffer, so that a sanitizer sees a read beyond. */
	p->data = p->buf + p->buf_len - len;
	p->len = len;
	memcpy(p->data, frame, len);
	net_clock(&to->net, to->lab->now_us);
	net_input(&to->net, p);
}

static uint64_t pick(void *ctx)
{
	return lab_random(ctx);
}

static void frames_deliver(struct lab *lab)
{
	net_clock(&lab->a.net, lab->now_us);
	net_clock(&lab->b.net, lab->now_us);
	while (lab->queue && lab->queue->at_us <= lab->now_us) {
		struct frame *f = lab->queue;
		const uint32_t room = f->to->pool.buf_len - PKT_HEADROOM;
		struct pkt *p = f->len > room ? NULL : pkt_alloc(&f->to->pool.pool);

		lab->queue = f->next;
		if (f->len > room)
			device_receive_large(
				&f->to->device, &f->to->net, f->bytes, f->len, room, pick, lab);
		if (p) {
			memcpy(pkt_put(p, f->len), f->bytes, f->len);
			net_input(&f->to->net, p);
		}
		free(f);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool lab_run_until(struct lab *lab, bool (*done)(struct lab *lab), uint64_t us)
{
	const uint64_t end_us = lab->now_us + us;

	for (;;) {
		uint64_t next;

		frames_deliver(lab);
		net_run(&lab->a.net, lab->now_us);
		net_run(&lab->b.net, lab->now_us);
		tcp_invariants_check(&lab->a.net);
		tcp_invariants_check(&lab->b.net);
		if (done && done(lab))
			return true;
		if (lab->now_us >= end_us)
			return false;
		next = earlier(net_next_deadline(&lab->a.net), net_next_deadline(&lab->b.net));
		if (lab->queue)
			next = earlier(next, lab->queue->at_us);
		/* Work that is left over waits for packets: a loop of a core takes some time. */
		if (next <= lab->now_us)
			next = lab->now_us + 10;
		lab->now_us = earlier(next, end_us);
	}
}

void lab_run(struct lab *lab, uint64_t us)
{
	lab_run_until(lab, NULL, us);
}

void lab_connect(struct lab *lab)
{
	struct ip_addr dst = lab->is_v6 ? lab_v6(2) : lab->b.cfg.addrs[0].ip;

	assert_int_equal(
		tcp_connect(&lab->a.net, &dst, LAB_PORT, lab->a.app.ops ? lab->a.app.ops : &app_ops,
			&lab->a.app, &lab->a.app.conn),
		0);
}

static bool both_established(struct lab *lab)
{
	return lab->a.app.nr_connected && lab->b.app.nr_accept;
}

void lab_establish(struct lab *lab)
{
	lab_connect(lab);
	assert_true(lab_run_until(lab, both_established, 60000000));
}

uint32_t raw_tcp_build(uint8_t *frame, const struct host *to, const struct raw_tcp *t)
{
	const uint32_t tcp_len = 20 + t->opts_len + t->payload_len;
	uint8_t *ip = frame + 14, *tcp = ip + 20;
	uint64_t sum;
	uint16_t csum;

	memset(frame, 0, 54);
	memcpy(frame, to->cfg.mac, 6);
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, 9}, 6);
	put_be16(frame + 12, ETH_TYPE_IPV4);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + tcp_len));
	put_be16(ip + 6, IPV4_DF);
	ip[8] = 64;
	ip[9] = IP_PROTO_TCP;
	put_be32(ip + 12, t->src_v4);
	put_be32(ip + 16, t->dst_v4);
	csum = csum_of(ip, 20);
	memcpy(ip + 10, &csum, 2);
	put_be16(tcp, t->sport);
	put_be16(tcp + 2, t->dport);
	put_be32(tcp + 4, t->seq);
	put_be32(tcp + 8, t->ack);
	tcp[12] = (uint8_t)((20 + t->opts_len) / 4 << 4);
	tcp[13] = t->flags;
	put_be16(tcp + 14, t->wnd);
	if (t->opts_len)
		memcpy(tcp + 20, t->opts, t->opts_len);
	if (t->payload_len)
		memcpy(tcp + 20 + t->opts_len, t->payload, t->payload_len);
	sum = csum_pseudo_v4(be32(t->src_v4), be32(t->dst_v4), IP_PROTO_TCP, tcp_len);
	csum = (uint16_t)~csum_fold(csum_add(sum, tcp, tcp_len));
	memcpy(tcp + 16, &csum, 2);
	return 34 + tcp_len;
}

void lab_forge(struct lab *lab, uint8_t flags, int64_t seq_off, int64_t ack_off, uint32_t payload)
{
	const struct tcp_conn *conn = lab->b.app.conn;
	uint8_t bytes[1024], frame[2048], opts[12] = {1, 1, 8, 10};
	struct tcp_conn_addr peer = tcp_conn_peer(conn);
	struct tcp_conn_info info;
	struct raw_tcp t = {
		.src_v4 = host_v4(&lab->a),
		.dst_v4 = host_v4(&lab->b),
		.sport = peer.port,
		.dport = LAB_PORT,
		.seq = (uint32_t)(lab->forge_seq + seq_off),
		.ack = (uint32_t)(lab->a.last.ack + ack_off),
		.wnd = 1000,
		.flags = flags,
		.payload = bytes,
		.payload_len = payload,
	};

	assert_true(payload <= sizeof(bytes));
	if (!lab->forge_fixed) {
		lab->forge_seq = lab->b.last.ack;
		t.seq = (uint32_t)(lab->forge_seq + seq_off);
		lab->forge_pos = lab->b.app.rx_done;
	}
	for (uint32_t i = 0; i < payload; i++)
		bytes[i] = app_pattern((uint64_t)lab->forge_pos + (uint64_t)seq_off + i);
	tcp_conn_info(conn, &info);
	if (info.has_timestamps) {
		memcpy(opts + 4, lab->a.last.tsval, 4);
		memcpy(opts + 8, lab->b.last.tsval, 4);
		t.opts = opts;
		t.opts_len = sizeof(opts);
	}
	lab_inject(&lab->b, frame, raw_tcp_build(frame, &lab->b, &t));
}
