/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP, segment by segment: two stacks in one thread, of which only the server is timed.
 *
 *	client (untimed)  --- frames of a burst ---->  server (timed): net_input() each, net_run()
 *	                  <--- what it has sent ----
 *
 * A burst is 64 frames, one of each connection or 64 of one. The frames are handed over as they
 * are; time is made up and jumps. "soft": the server verifies and makes every checksum itself;
 * "offload": the device has done so, as most do.
 */
#include "dataplane/tcp/tcp.h"

#include "checks.h"
#include "dataplane/ip/net.h"
#include "perf/micro/suites.h"

#include <stdlib.h>
#include <string.h>

#define NR_CONNS      64u
#define BURST         64u
#define PORT          6379
#define BUF_BYTES     2048u
#define MAX_FRAMES    8192u
#define MSS           1448u /* with timestamps */
#define REQUEST_BYTES 36u   /* GET with a key of 16 bytes */
#define REPLY_BYTES   39u   /* a value of 32 bytes */
#define WARM_ROUNDS   200u
#define STEP_US       50u
#define DELACK_US     50000u /* behind it every delayed acknowledgement is out */

enum csum { CSUM_SOFT, CSUM_OFFLOAD, CSUM_SOFT_REFS, CSUM_OFFLOAD_REFS };

/* Packets of both stacks: a free list, as a NIC's pool is one. */
struct frame_pool {
	struct pkt_pool pool; /* first: the callbacks cast */
	struct pkt *free;
	struct pkt *pkts;
	uint8_t *bufs;
};

struct host {
	struct net net;
	struct fixture *f;
	struct pkt *out[MAX_FRAMES]; /* sent, not yet handed over */
	uint32_t nr_out;
};

struct fixture {
	struct frame_pool frames;
	struct host client, server;
	struct tcp_listener *lst;
	struct tcp_conn *client_conns[NR_CONNS], *server_conns[NR_CONNS];
	uint32_t nr_connected, nr_accepted;
	uint64_t now_us;
	uint64_t server_bytes, client_bytes; /* received */
	uint16_t rx_flags;                   /* what the device says of each frame */
	bool answers;                        /* the server replies to what it gets */
	uint8_t bytes[BURST * MSS];
};

static struct pkt *frame_alloc(struct pkt_pool *pool)
{
	struct frame_pool *fp = (struct frame_pool *)pool;
	struct pkt *p = fp->free;

	if (!p)
		return NULL;
	fp->free = p->next;
	p->next = NULL;
	p->data = p->buf + PKT_HEADROOM;
	p->len = 0;
	p->flags = 0;
	return p;
}

static void one_free(struct frame_pool *fp, struct pkt *p)
{
	p->next = fp->free;
	fp->free = p;
}

static void frame_free(struct pkt_pool *pool, struct pkt *p)
{
	struct frame_pool *fp = (struct frame_pool *)pool;

	if (p->flags & PKT_TX_CHAIN) {
		for (struct pkt *m = p->more, *next; m; m = next) {
			next = m->more;
			obuf_seg_put(m->ref);
			m->buf = fp->bufs + (size_t)(m - fp->pkts) * BUF_BYTES;
			one_free(fp, m);
		}
	}
	one_free(fp, p);
}

static struct pkt *frame_refer(
	struct pkt_pool *pool, const uint8_t *bytes, uint32_t len, struct obuf_seg *seg)
{
	struct pkt *p = frame_alloc(pool);

	if (!p)
		return NULL;
	p->data = p->buf = (uint8_t *)(uintptr_t)bytes;
	p->len = len;
	p->ref = seg;
	return p;
}

static const struct pkt_pool_ops frame_ops = {
	.alloc = frame_alloc, .free = frame_free, .refer = frame_refer};

/* One buffer of what was sent in several, as a device puts it on the wire. */
static struct pkt *flatten(struct frame_pool *fp, struct pkt *p)
{
	struct pkt *flat;

	if (!(p->flags & PKT_TX_CHAIN))
		return p;
	flat = frame_alloc(&fp->pool);
	BUG_ON(!flat);
	memcpy(pkt_put(flat, p->len), p->data, p->len);
	for (const struct pkt *m = p->more; m; m = m->more)
		memcpy(pkt_put(flat, m->len), m->data, m->len);
	frame_free(&fp->pool, p);
	return flat;
}

static bool frames_init(struct frame_pool *fp)
{
	fp->pool.ops = &frame_ops;
	fp->pkts = calloc(MAX_FRAMES, sizeof(*fp->pkts));
	fp->bufs = calloc(MAX_FRAMES, BUF_BYTES);
	if (!fp->pkts || !fp->bufs)
		return false;
	for (uint32_t i = 0; i < MAX_FRAMES; i++) {
		fp->pkts[i].buf = fp->bufs + (size_t)i * BUF_BYTES;
		fp->pkts[i].buf_len = BUF_BYTES;
		frame_free(&fp->pool, &fp->pkts[i]);
	}
	return true;
}

static void host_tx(void *ctx, struct pkt *p)
{
	struct host *h = ctx;

	BUG_ON(h->nr_out == MAX_FRAMES);
	h->out[h->nr_out++] = p;
}

static const struct net_ops host_ops = {.tx = host_tx};

/* Hands over what `from` has sent. Returns how many frames. */
static uint32_t deliver(struct fixture *f, struct host *from, struct host *to)
{
	const uint32_t nr = from->nr_out;

	net_clock(&to->net, f->now_us);
	from->nr_out = 0;
	for (uint32_t i = 0; i < nr; i++) {
		struct pkt *p = flatten(&f->frames, from->out[i]);

		p->flags = f->rx_flags;
		net_input(&to->net, p);
	}
	return nr;
}

static void host_run(struct fixture *f, struct host *h)
{
	net_run(&h->net, f->now_us);
}

/* Lets everything that is under way arrive. */
static void exchange(struct fixture *f)
{
	do {
		f->now_us += STEP_US;
		host_run(f, &f->client);
		host_run(f, &f->server);
	} while (deliver(f, &f->client, &f->server) + deliver(f, &f->server, &f->client));
}

/* And delayed acknowledgements with it. */
static void settle(struct fixture *f)
{
	exchange(f);
	f->now_us += DELACK_US;
	exchange(f);
}

static int on_accept(struct net *net, struct tcp_conn *conn)
{
	struct fixture *f = tcp_conn_user(conn);

	(void)net;
	f->server_conns[f->nr_accepted++] = conn;
	return 0;
}

static void on_connected(struct tcp_conn *conn)
{
	struct fixture *f = tcp_conn_user(conn);

	f->nr_connected++;
}

static void append(struct tcp_conn *conn, const void *data, uint32_t len)
{
	BUG_ON(obuf_append(tcp_conn_obuf(conn), data, len) != 0);
	tcp_conn_push(conn);
}

static uint32_t server_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct fixture *f = tcp_conn_user(conn);

	(void)data;
	f->server_bytes += len;
	if (f->answers)
		append(conn, f->bytes, REPLY_BYTES);
	return len;
}

static uint32_t client_data(struct tcp_conn *conn, const uint8_t *data, uint32_t len)
{
	struct fixture *f = tcp_conn_user(conn);

	(void)data;
	f->client_bytes += len;
	return len;
}

static void on_closed(struct tcp_conn *conn, int reason)
{
	(void)conn;
	(void)reason;
}

static const struct tcp_ops server_ops = {
	.accept = on_accept,
	.data = server_data,
	.closed = on_closed,
};
static const struct tcp_ops client_ops = {
	.connected = on_connected,
	.data = client_data,
	.closed = on_closed,
};

static bool host_init(struct fixture *f, struct host *h, uint32_t v4, enum csum kind)
{
	struct ip_addr ip = ip_addr_from_v4(v4);
	struct net_cfg cfg;

	net_cfg_defaults(&cfg);
	memcpy(cfg.mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)v4}, NET_MAC_LEN);
	memset(cfg.secret, 7, sizeof(cfg.secret));
	net_cfg_add(&cfg, &ip, 24);
	cfg.tcp.rcv_buf = 4u << 20;
	cfg.arp_reach_us = UINT64_MAX / 4; /* no frame but those that are counted */
	if (kind == CSUM_OFFLOAD || kind == CSUM_OFFLOAD_REFS)
		cfg.offloads = NET_TX_IP_CSUM | NET_TX_TCP_CSUM;
	if (kind >= CSUM_SOFT_REFS)
		cfg.offloads |= NET_TX_CHAIN | NET_TX_REF;
	h->f = f;
	return net_init(&h->net, &cfg, &f->frames.pool, &host_ops, h, f->now_us) == 0;
}

static void fixture_free(struct fixture *f)
{
	free(f->frames.pkts);
	free(f->frames.bufs);
	free(f);
}

static void tcp_teardown(void *ctx)
{
	struct fixture *f = ctx;

	net_fini(&f->client.net);
	net_fini(&f->server.net);
	fixture_free(f);
}

static void *tcp_setup(int64_t csum, const char **why)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct ip_addr dst = ip_addr_from_v4(0x0a000002);

	*why = "no memory";
	if (!f)
		return NULL;
	f->now_us = 1000000000;
	if (csum == CSUM_OFFLOAD || csum == CSUM_OFFLOAD_REFS)
		f->rx_flags = PKT_RX_IP_CSUM_GOOD | PKT_RX_L4_CSUM_GOOD;
	if (!frames_init(&f->frames) || !host_init(f, &f->client, 0x0a000001, (enum csum)csum)) {
		fixture_free(f);
		return NULL;
	}
	if (!host_init(f, &f->server, 0x0a000002, (enum csum)csum)) {
		net_fini(&f->client.net);
		fixture_free(f);
		return NULL;
	}
	*why = "the stacks do not connect";
	if (tcp_listen(&f->server.net, PORT, NR_CONNS, &server_ops, f, &f->lst) != 0)
		goto err_nets;
	for (unsigned i = 0; i < NR_CONNS; i++)
		if (tcp_connect(&f->client.net, &dst, PORT, &client_ops, f, &f->client_conns[i]) !=
			0)
			goto err_nets;
	settle(f);
	if (f->nr_connected != NR_CONNS || f->nr_accepted != NR_CONNS)
		goto err_nets;
	return f;

err_nets:
	tcp_teardown(f);
	return NULL;
}

/* Every connection of the client sends a request; the frames wait in client.out. */
static void requests_send(struct fixture *f)
{
	for (unsigned i = 0; i < NR_CONNS; i++)
		append(f->client_conns[i], f->bytes, REQUEST_BYTES);
	f->now_us += STEP_US;
	host_run(f, &f->client);
}

static bool expect(struct bench_run *r, uint64_t found, uint64_t wanted, const char *what)
{
	if (found != wanted)
		bench_fail(r, what);
	return found == wanted;
}

/* A request in, its reply out. */
static void request_reply(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_CONNS) {
		uint64_t before = f->client_bytes;

		bench_pause(r);
		f->answers = true;
		requests_send(f);
		f->now_us += STEP_US;
		bench_resume(r);
		deliver(f, &f->client, &f->server);
		host_run(f, &f->server);
		bench_pause(r);
		f->answers = false;
		if (!expect(r, f->server.nr_out, NR_CONNS, "a reply is missing"))
			return;
		deliver(f, &f->server, &f->client);
		bench_resume(r);
		if (!expect(r, f->client_bytes - before, NR_CONNS * REPLY_BYTES, "replies"))
			return;
	}
}

/* The first half of that: input up to the data() upcall. */
static void request_in(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_CONNS) {
		uint64_t before = f->server_bytes;

		bench_pause(r);
		requests_send(f);
		f->now_us += STEP_US;
		bench_resume(r);
		deliver(f, &f->client, &f->server);
		bench_pause(r);
		settle(f);
		bench_resume(r);
		if (!expect(r, f->server_bytes - before, NR_CONNS * REQUEST_BYTES, "requests"))
			return;
	}
}

/* The second half: from the application's append to the frame. */
static void reply_out(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_CONNS) {
		for (unsigned i = 0; i < NR_CONNS; i++)
			append(f->server_conns[i], f->bytes, REPLY_BYTES);
		host_run(f, &f->server);
		bench_pause(r);
		if (!expect(r, f->server.nr_out, NR_CONNS, "a reply is missing"))
			return;
		settle(f);
		bench_resume(r);
	}
}

/* An acknowledgement without data, of a reply that was sent. */
static void pure_ack(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_CONNS) {
		bench_pause(r);
		for (unsigned i = 0; i < NR_CONNS; i++)
			append(f->server_conns[i], f->bytes, REPLY_BYTES);
		host_run(f, &f->server);
		f->now_us += STEP_US;
		deliver(f, &f->server, &f->client);
		host_run(f, &f->client);
		f->now_us += DELACK_US;
		host_run(f, &f->client);
		if (!expect(r, f->client.nr_out, NR_CONNS, "an acknowledgement is missing"))
			return;
		bench_resume(r);
		deliver(f, &f->client, &f->server);
		host_run(f, &f->server);
		bench_pause(r);
		settle(f);
		bench_resume(r);
	}
}

/* Opens the windows of a connection, so that a burst leaves at once. False: they stay closed. */
static bool warm_up(struct fixture *f, struct host *from, struct tcp_conn *conn)
{
	for (unsigned i = 0; i < WARM_ROUNDS; i++) {
		uint32_t nr;

		append(conn, f->bytes, BURST * MSS);
		host_run(f, from);
		nr = from->nr_out;
		exchange(f);
		if (nr == BURST)
			return true;
	}
	return false;
}

/* Full segments of one connection, and the acknowledgements that they cause. */
static void bulk_in(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	struct tcp_conn *conn = f->client_conns[0];

	for (uint64_t done = 0; done < n; done += BURST) {
		uint64_t before;

		bench_pause(r);
		if (!warm_up(f, &f->client, conn))
			bench_fail(r, "the window stays closed");
		before = f->server_bytes;
		append(conn, f->bytes, BURST * MSS);
		f->now_us += STEP_US;
		host_run(f, &f->client);
		f->now_us += STEP_US;
		if (!expect(r, f->client.nr_out, BURST, "the burst is not whole"))
			return;
		bench_resume(r);
		deliver(f, &f->client, &f->server);
		host_run(f, &f->server);
		bench_pause(r);
		exchange(f);
		bench_resume(r);
		if (!expect(r, f->server_bytes - before, BURST * MSS, "bytes are missing"))
			return;
	}
}

/* Full segments from bytes that stay where they are, as log, snapshot and large values do. */
static void bulk_out(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	struct tcp_conn *conn = f->server_conns[0];

	for (uint64_t done = 0; done < n; done += BURST) {
		bench_pause(r);
		if (!warm_up(f, &f->server, conn))
			bench_fail(r, "the window stays closed");
		bench_resume(r);
		BUG_ON(obuf_append_ref(tcp_conn_obuf(conn), f->bytes, BURST * MSS, NULL, NULL) !=
			0);
		tcp_conn_push(conn);
		host_run(f, &f->server);
		bench_pause(r);
		if (!expect(r, f->server.nr_out, BURST, "the burst is not whole"))
			return;
		exchange(f);
		bench_resume(r);
	}
}

/* The same by reference, cut in software. */
static void refs_add(void)
{
	struct bench b = {.run = bulk_out,
		.bytes = MSS,
		.batch = BURST,
		.setup = tcp_setup,
		.teardown = tcp_teardown};

	b.name = "tcp/bulk_out/soft_refs";
	b.arg = CSUM_SOFT_REFS;
	bench_add(&b);
	b.name = "tcp/bulk_out/offload_refs";
	b.arg = CSUM_OFFLOAD_REFS;
	bench_add(&b);
}

static void csum_kind_add(int64_t csum)
{
	static const struct {
		const char *soft, *offload;
		struct bench b;
	} all[] = {
		{"tcp/request_reply/soft", "tcp/request_reply/offload", {.run = request_reply}},
		{"tcp/request_in/soft", "tcp/request_in/offload", {.run = request_in}},
		{"tcp/reply_out/soft", "tcp/reply_out/offload", {.run = reply_out}},
		{"tcp/pure_ack/soft", "tcp/pure_ack/offload", {.run = pure_ack}},
		{"tcp/bulk_in/soft", "tcp/bulk_in/offload", {.run = bulk_in, .bytes = MSS}},
		{"tcp/bulk_out/soft", "tcp/bulk_out/offload", {.run = bulk_out, .bytes = MSS}},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct bench b = all[i].b;

		b.name = csum == CSUM_SOFT ? all[i].soft : all[i].offload;
		b.arg = csum;
		b.batch = BURST;
		b.setup = tcp_setup;
		b.teardown = tcp_teardown;
		bench_add(&b);
	}
}

void bench_tcp_add(void)
{
	csum_kind_add(CSUM_SOFT);
	csum_kind_add(CSUM_OFFLOAD);
	refs_add();
}
