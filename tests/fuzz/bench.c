/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/bench.h"

#include "checks.h"
#include "tests/net/invariants.h"

#include <stdlib.h>
#include <string.h>

static struct pkt *bench_alloc(struct pkt_pool *pool)
{
	struct bench *b = (struct bench *)pool;
	struct pkt *p;

	if (b->nr_out >= BENCH_MAX_OUT)
		return NULL;
	p = calloc(1, sizeof(*p));
	BUG_ON(!p);
	p->buf = malloc(BENCH_BUF_LEN);
	BUG_ON(!p->buf);
	p->buf_len = BENCH_BUF_LEN;
	p->data = p->buf + PKT_HEADROOM;
	b->nr_out++;
	return p;
}

static void bench_free(struct pkt_pool *pool, struct pkt *p)
{
	((struct bench *)pool)->nr_out--;
	free(p->buf);
	free(p);
}

static const struct pkt_pool_ops pool_ops = {.alloc = bench_alloc, .free = bench_free};

void bench_init(struct bench *b, const uint8_t *data, size_t len)
{
	*b = (struct bench){.pool.ops = &pool_ops, .in = data, .left = len, .now_us = 1000000000};
}

void bench_cfg(struct net_cfg *cfg)
{
	net_cfg_defaults(cfg);
	memcpy(cfg->mac, (uint8_t[]){2, 0, 0, 0, 0, 2}, NET_MAC_LEN);
	cfg->tcp.max_conns = 8;
	cfg->tcp.max_timewait = 4;
	cfg->tcp.max_rx_pkts = 100;
	cfg->tcp.rcv_buf = 65536 * 2;
	cfg->tcp.msl_us = 1000000;
	cfg->max_arp = 4;
	cfg->obuf_bytes_max = 8u << 20;
}

void bench_run(struct bench *b, void (*step)(struct bench *b))
{
	while (b->left) {
		step(b);
		net_clock(&b->net, b->now_us);
		tcp_invariants_check(&b->net);
		net_run(&b->net, b->now_us);
		tcp_invariants_check(&b->net);
	}
	net_fini(&b->net);
	BUG_ON(b->nr_out != 0);
}

uint8_t bench_next8(struct bench *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->in++;
}

uint16_t bench_next16(struct bench *b)
{
	const uint16_t low = bench_next8(b);

	return (uint16_t)(low | bench_next8(b) << 8);
}

void bench_inject(struct bench *b, const uint8_t *frame, uint32_t len)
{
	struct pkt *p = pkt_alloc(&b->pool);

	if (!p)
		return;
	p->data = p->buf + BENCH_BUF_LEN - len;
	p->len = len;
	memcpy(p->data, frame, len);
	net_input(&b->net, p);
}
