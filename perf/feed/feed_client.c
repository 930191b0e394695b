/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/feed/feed.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP_LEN      (sizeof(struct ipv4_hdr) + sizeof(struct tcp_hdr) + TS_LEN)
#define HDR_LEN     (sizeof(struct eth_hdr) + IP_LEN)
#define TS_LEN      12u
#define PAYLOAD_MAX (FEED_FRAME_MAX - (uint32_t)HDR_LEN)
#define KEY_DIGITS  10
#define ZIPF_DRAWS  (1u << 20)
#define PORT_FIRST  1024u
#define BULK_MAX    (16u << 20)
#define BULK_PIECE  1024u /* of a value, to store it */

/* MSS 1460, SACK permitted, window scale 7 */
static const uint8_t syn_opts[12] = {2, 4, 0x05, 0xb4, 4, 2, 1, 1, 3, 3, 7, 1};
static const uint8_t client_mac[6] = {0x02, 0xfe, 0xed, 0, 0, 1};

enum client_state { CLIENT_NEW, CLIENT_SYN_SENT, CLIENT_UP };

struct client {
	uint32_t ip;
	uint16_t port;
	uint8_t state;
	bool is_waiting; /* for the reply whose bytes `expect` holds */
	uint32_t snd_nxt, rcv_nxt, tsecr;
	uint32_t nr_cmds; /* under way */
	uint32_t expect_len, expect_at;
	char *expect;
	/* FEED_BULK */
	bool is_loading; /* key, up to load_at */
	bool is_value;   /* what is expected is the value of key, not `expect` */
	bool is_unacked; /* on the ring of those who owe an ACK */
	uint32_t key, load_at;
};

struct feed {
	struct feed_cfg cfg;
	struct feed_peer peer;
	unsigned id, nr;
	struct client *clients;
	uint32_t *by_port; /* port - PORT_FIRST -> client + 1 */
	uint32_t *ready;   /* ring of clients that may send */
	uint32_t ready_head, ready_tail, ready_mask;
	uint32_t *acks; /* FEED_BULK: ring of clients that have got a part of a value */
	uint32_t ack_head, ack_tail;
	unsigned nr_up;
	uint32_t load_next; /* next key to load */
	uint64_t nr_loading;
	bool is_started;
	uint64_t rng;
	uint32_t *draws; /* zipf: keys drawn beforehand */
	uint32_t draw_at;
	uint64_t nr_replies;
	uint32_t ip_id, clock;
	bool is_asked;          /* an ARP request has come */
	struct arp_hdr request; /* the last one */
	char *bulk; /* template of a value as a bulk string; its first bytes are the key's digits */
	uint32_t bulk_head, bulk_len;
	uint8_t hdr[HDR_LEN];
	char err[128];
};

/* --- configuration --- */

static bool cfg_word(struct feed_cfg *cfg, const char *key, const char *val)
{
	static const char *const ops[] = {"get", "set", "mix", "ping", "bulk"};
	char *end;
	double n = strtod(val, &end);

	if (strcmp(key, "op") == 0) {
		for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			if (strcmp(val, ops[i]) == 0) {
				cfg->op = (enum feed_op)i;
				return true;
			}
		}
		return false;
	}
	if (strcmp(key, "csum") == 0) {
		cfg->soft_csum = strcmp(val, "soft") == 0;
		return cfg->soft_csum || strcmp(val, "hard") == 0;
	}
	if (*end || end == val || n < 0 || n > 4e9)
		return false;
	if (strcmp(key, "conns") == 0)
		cfg->conns = (unsigned)n;
	else if (strcmp(key, "pipeline") == 0)
		cfg->pipeline = (unsigned)n;
	else if (strcmp(key, "keys") == 0)
		cfg->nr_keys = (uint32_t)n;
	else if (strcmp(key, "value") == 0)
		cfg->value_len = (uint32_t)n;
	else if (strcmp(key, "zipf") == 0)
		cfg->zipf = n;
	else if (strcmp(key, "warmup") == 0)
		cfg->warmup_s = (unsigned)n;
	else if (strcmp(key, "seconds") == 0)
		cfg->seconds = (unsigned)n;
	else
		return false;
	return true;
}

static uint32_t set_len(const struct feed_cfg *cfg)
{
	return 46 + cfg->value_len + 11; /* with the longest length line */
}

int feed_cfg_parse(const char *text, struct feed_cfg *cfg, char *err, size_t err_len)
{
	char copy[256], *save = NULL;

	*cfg = (struct feed_cfg){.conns = 64,
		.pipeline = 1,
		.op = FEED_GET,
		.nr_keys = 1000000,
		.value_len = 32,
		.warmup_s = 1,
		.seconds = 3};
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');

		if (eq)
			*eq = 0;
		if (!eq || !cfg_word(cfg, w, eq + 1)) {
			snprintf(err, err_len, "feed: not understood: %s", w);
			return -EINVAL;
		}
	}
	if (cfg->op == FEED_BULK && (cfg->pipeline != 1 || cfg->value_len > BULK_MAX)) {
		snprintf(err, err_len, "feed: bulk has a pipeline of 1, and values up to %u bytes",
			BULK_MAX);
		return -EINVAL;
	}
	if (cfg->conns < 1 || cfg->conns > 16384 || cfg->pipeline < 1 || cfg->nr_keys < 1 ||
		cfg->value_len < KEY_DIGITS || cfg->seconds < 1 ||
		(cfg->op != FEED_BULK && cfg->pipeline * (uint64_t)set_len(cfg) > PAYLOAD_MAX)) {
		snprintf(err, err_len,
			"feed: out of range: 1 to 16384 conns, values from %d bytes, and the SETs of one pipeline "
			"must fit %u bytes",
			KEY_DIGITS, PAYLOAD_MAX);
		return -EINVAL;
	}
	return 0;
}

/* --- keys --- */

static uint64_t random_next(struct feed *f)
{
	uint64_t x = f->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return f->rng = x;
}

/* Draws from the exact distribution; ranks are scattered over the keys. */
static bool draws_make(struct feed *f)
{
	uint32_t n = f->cfg.nr_keys;
	double *cdf = malloc(sizeof(*cdf) * n), sum = 0;

	f->draws = malloc(sizeof(*f->draws) * ZIPF_DRAWS);
	if (!cdf || !f->draws) {
		free(cdf);
		return false;
	}
	for (uint32_t i = 0; i < n; i++)
		cdf[i] = sum += pow(1.0 / (i + 1), f->cfg.zipf);
	for (uint32_t d = 0; d < ZIPF_DRAWS; d++) {
		double u = (double)(random_next(f) >> 11) * 0x1p-53 * sum;
		uint32_t lo = 0, hi = n - 1;

		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (cdf[mid] < u)
				lo = mid + 1;
			else
				hi = mid;
		}
		f->draws[d] = (uint32_t)(lo * 2654435761ull % n);
	}
	free(cdf);
	return true;
}

static uint32_t key_draw(struct feed *f)
{
	if (f->draws)
		return f->draws[f->draw_at++ & (ZIPF_DRAWS - 1)];
	return (uint32_t)((random_next(f) >> 32) * f->cfg.nr_keys >> 32);
}

static void digits_put(char *at, uint32_t n)
{
	for (int i = KEY_DIGITS; i-- > 0; n /= 10)
		at[i] = (char)('0' + n % 10);
}

/* --- life --- */

static void hdr_make(struct feed *f)
{
	struct eth_hdr eth = {.type = be16(ETH_TYPE_IPV4)};
	struct ipv4_hdr ip = {.ver_ihl = 0x45,
		.frag = be16(IPV4_DF),
		.ttl = 64,
		.proto = IP_PROTO_TCP,
		.dst = be32(f->peer.server_ip)};
	struct tcp_hdr tcp = {.dport = be16(f->peer.server_port),
		.doff = (uint8_t)((sizeof(tcp) + TS_LEN) / 4 << 4),
		.flags = TCP_ACK,
		.wnd = be16(65535)};
	static const uint8_t ts[4] = {1, 1, 8, 10};
	uint8_t *at = f->hdr;

	memcpy(eth.dst, f->peer.server_mac, 6);
	memcpy(eth.src, client_mac, 6);
	memcpy(at, &eth, sizeof(eth));
	memcpy(at += sizeof(eth), &ip, sizeof(ip));
	memcpy(at += sizeof(ip), &tcp, sizeof(tcp));
	memcpy(at + sizeof(tcp), ts, sizeof(ts));
}

static bool clients_make(struct feed *f)
{
	uint32_t size = 1, reply = f->cfg.op == FEED_BULK ? 32 : f->cfg.value_len + 32;
	uint16_t port = PORT_FIRST;

	while (size < f->cfg.conns + 1)
		size *= 2;
	f->ready_mask = size - 1;
	f->ready = calloc(size, sizeof(*f->ready));
	f->acks = calloc(size, sizeof(*f->acks));
	f->clients = calloc(f->cfg.conns, sizeof(*f->clients));
	f->by_port = calloc(65536, sizeof(*f->by_port));
	if (!f->ready || !f->acks || !f->clients || !f->by_port)
		return false;
	for (uint32_t i = 0; i < f->cfg.conns; i++) {
		struct client *c = &f->clients[i];

		c->ip = f->peer.server_ip ^ 1; /* a neighbour */
		while (!f->peer.is_mine(f->peer.ctx, c->ip, port))
			port++;
		c->port = port++;
		f->by_port[c->port] = i + 1;
		c->snd_nxt = i * 7919;
		c->expect = malloc((size_t)reply * f->cfg.pipeline);
		if (!c->expect)
			return false;
		f->ready[f->ready_tail++ & f->ready_mask] = i;
	}
	return true;
}

static bool bulk_make(struct feed *f)
{
	f->bulk = malloc(f->cfg.value_len + 16);
	if (!f->bulk)
		return false;
	f->bulk_head = (uint32_t)sprintf(f->bulk, "$%u\r\n", f->cfg.value_len);
	memset(f->bulk + f->bulk_head, 'v', f->cfg.value_len);
	f->bulk_len = f->bulk_head + f->cfg.value_len;
	memcpy(f->bulk + f->bulk_len, "\r\n", 2);
	f->bulk_len += 2;
	return true;
}

struct feed *feed_create(
	const struct feed_cfg *cfg, const struct feed_peer *peer, unsigned id, unsigned nr)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->cfg = *cfg;
	f->peer = *peer;
	f->id = id;
	f->nr = nr;
	f->load_next = id;
	f->rng = 0x9e3779b97f4a7c15ull * (id + 1);
	if (!bulk_make(f) || !clients_make(f) || (cfg->zipf > 0 && !draws_make(f))) {
		feed_destroy(&f);
		return NULL;
	}
	hdr_make(f);
	return f;
}

void feed_destroy(struct feed **feed)
{
	struct feed *f = *feed;

	if (!f)
		return;
	for (uint32_t i = 0; f->clients && i < f->cfg.conns; i++)
		free(f->clients[i].expect);
	free(f->clients);
	free(f->by_port);
	free(f->ready);
	free(f->acks);
	free(f->draws);
	free(f->bulk);
	free(f);
	*feed = NULL;
}

/* --- to the server --- */

static char *text_put(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

static char *bulk_put(char *at, const struct feed *f, uint32_t key)
{
	memcpy(at, f->bulk, f->bulk_len);
	digits_put(at + f->bulk_head, key);
	return at + f->bulk_len;
}

static char *command_put(struct feed *f, struct client *c, char *at, bool is_set, uint32_t key)
{
	char *reply = c->expect + c->expect_len;

	if (is_set) {
		at = text_put(at, "*3\r\n$3\r\nSET\r\n$14\r\nkey:", 22);
		digits_put(at, key);
		at = text_put(at + KEY_DIGITS, "\r\n", 2);
		at = bulk_put(at, f, key);
		reply = text_put(reply, "+OK\r\n", 5);
	} else {
		at = text_put(at, "*2\r\n$3\r\nGET\r\n$14\r\nkey:", 22);
		digits_put(at, key);
		at = text_put(at + KEY_DIGITS, "\r\n", 2);
		reply = bulk_put(reply, f, key);
	}
	c->expect_len = (uint32_t)(reply - c->expect);
	c->nr_cmds++;
	return at;
}

/* The next piece of a value; the reply is how long it is then. 0: every key has somebody who loads
 * it. */
static uint32_t piece_make(struct feed *f, struct client *c, char *payload)
{
	uint32_t n, len = f->cfg.value_len;
	char *at;

	if (!c->is_loading) {
		if (f->load_next >= f->cfg.nr_keys)
			return 0;
		c->is_loading = true;
		c->key = f->load_next;
		c->load_at = 0;
		f->load_next += f->nr;
		f->nr_loading++;
	}
	n = len - c->load_at < BULK_PIECE ? len - c->load_at : BULK_PIECE;
	at = text_put(payload, "*4\r\n$8\r\nSETRANGE\r\n$14\r\nkey:", 27);
	digits_put(at, c->key);
	at += KEY_DIGITS;
	at += sprintf(
		at, "\r\n$%d\r\n%u\r\n$%u\r\n", snprintf(NULL, 0, "%u", c->load_at), c->load_at, n);
	memcpy(at, f->bulk + f->bulk_head + c->load_at, n);
	if (c->load_at == 0)
		digits_put(at, c->key);
	at = text_put(at + n, "\r\n", 2);
	c->load_at += n;
	c->expect_len = (uint32_t)sprintf(c->expect, ":%u\r\n", c->load_at);
	c->is_loading = c->load_at < len;
	c->nr_cmds = !c->is_loading;
	return (uint32_t)(at - payload);
}

static uint32_t value_get_make(struct feed *f, struct client *c, char *payload)
{
	char *at = text_put(payload, "*2\r\n$3\r\nGET\r\n$14\r\nkey:", 22);

	c->key = key_draw(f);
	digits_put(at, c->key);
	at = text_put(at + KEY_DIGITS, "\r\n", 2);
	c->is_value = true;
	c->expect_len = f->bulk_len;
	c->nr_cmds = 1;
	return (uint32_t)(at - payload);
}

static uint32_t request_make(struct feed *f, struct client *c, char *payload)
{
	char *at = payload;

	c->expect_len = c->expect_at = c->nr_cmds = 0;
	if (f->cfg.op == FEED_BULK)
		return f->is_started ? value_get_make(f, c, payload) : piece_make(f, c, payload);
	for (unsigned i = 0; i < f->cfg.pipeline; i++) {
		if (f->is_started && f->cfg.op == FEED_PING) {
			at = text_put(at, "*1\r\n$4\r\nPING\r\n", 14);
			c->expect_len =
				(uint32_t)(text_put(c->expect + c->expect_len, "+PONG\r\n", 7) -
					   c->expect);
			c->nr_cmds++;
		} else if (f->is_started) {
			bool set = f->cfg.op == FEED_SET ||
				   (f->cfg.op == FEED_MIX && (random_next(f) >> 40 & 1));

			at = command_put(f, c, at, set, key_draw(f));
		} else if (f->load_next < f->cfg.nr_keys) {
			at = command_put(f, c, at, true, f->load_next);
			f->load_next += f->nr;
			f->nr_loading++;
		}
	}
	return (uint32_t)(at - payload);
}

static uint32_t frame_finish(
	struct feed *f, const struct client *c, uint8_t *frame, uint32_t len, uint8_t flags)
{
	uint8_t *ip = frame + sizeof(struct eth_hdr), *tcp = ip + sizeof(struct ipv4_hdr);
	uint32_t tcp_len = (uint32_t)sizeof(struct tcp_hdr) + TS_LEN + len, src = be32(c->ip);

	memcpy(frame, f->hdr, HDR_LEN);
	put_be16(ip + 2, (uint16_t)(sizeof(struct ipv4_hdr) + tcp_len));
	put_be16(ip + 4, (uint16_t)f->ip_id++);
	memcpy(ip + 12, &src, 4);
	put_be16(tcp, c->port);
	put_be32(tcp + 4, c->snd_nxt);
	put_be32(tcp + 8, c->rcv_nxt);
	tcp[13] = flags;
	if (flags & TCP_SYN)
		tcp[12] = (uint8_t)((sizeof(struct tcp_hdr) + TS_LEN + sizeof(syn_opts)) / 4 << 4);
	put_be32(tcp + 24, f->clock);
	put_be32(tcp + 28, c->tsecr);
	if (f->cfg.soft_csum) {
		uint64_t sum = csum_pseudo_v4(src, be32(f->peer.server_ip), IP_PROTO_TCP, tcp_len);
		uint16_t csum = csum_of(ip, sizeof(struct ipv4_hdr));

		memcpy(ip + 10, &csum, 2);
		csum = (uint16_t)~csum_fold(csum_add(sum, tcp, tcp_len));
		memcpy(tcp + 16, &csum, 2);
	}
	return (uint32_t)HDR_LEN + len;
}

/* All clients have one address. */
static uint32_t arp_reply_make(struct feed *f, uint8_t *frame)
{
	struct eth_hdr eth = {.type = be16(ETH_TYPE_ARP)};
	struct arp_hdr arp = f->request;

	memcpy(eth.dst, f->peer.server_mac, 6);
	memcpy(eth.src, client_mac, 6);
	arp.op = be16(ARP_OP_REPLY);
	memcpy(arp.tha, f->request.sha, 6);
	arp.tpa = f->request.spa;
	memcpy(arp.sha, client_mac, 6);
	arp.spa = f->request.tpa;
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &arp, sizeof(arp));
	f->is_asked = false;
	return sizeof(eth) + sizeof(arp);
}

static void arp_take(struct feed *f, const uint8_t *frame, uint32_t len)
{
	if (len < sizeof(struct eth_hdr) + sizeof(struct arp_hdr))
		return;
	memcpy(&f->request, frame + sizeof(struct eth_hdr), sizeof(f->request));
	f->is_asked =
		f->request.op == be16(ARP_OP_REQUEST) && f->request.tpa == be32(f->clients[0].ip);
}

uint32_t feed_next(struct feed *f, uint8_t *frame)
{
	struct client *c;
	uint32_t i, len;

	if (f->is_asked)
		return arp_reply_make(f, frame);
	if (f->ack_head != f->ack_tail) {
		c = &f->clients[f->acks[f->ack_head++ & f->ready_mask]];
		c->is_unacked = false;
		return frame_finish(f, c, frame, 0, TCP_ACK);
	}
	if (f->ready_head == f->ready_tail)
		return 0;
	i = f->ready[f->ready_head & f->ready_mask];
	c = &f->clients[i];
	f->ready_head++;
	if (c->state == CLIENT_NEW) {
		c->state = CLIENT_SYN_SENT;
		memcpy(frame + HDR_LEN, syn_opts, sizeof(syn_opts));
		len = frame_finish(f, c, frame, sizeof(syn_opts), TCP_SYN);
		c->snd_nxt++;
		return len;
	}
	len = request_make(f, c, (char *)frame + HDR_LEN);
	if (len == 0) { /* nothing is left to load: a bare ACK completes the handshake */
		f->ready[f->ready_tail++ & f->ready_mask] = i;
		return 0;
	}
	c->is_waiting = true;
	i = frame_finish(f, c, frame, len, TCP_ACK | TCP_PSH);
	c->snd_nxt += len;
	return i;
}

/* --- from the server --- */

static bool fail(struct feed *f, const char *why)
{
	snprintf(f->err, sizeof(f->err), "%s", why);
	return false;
}

/* The value's first bytes are its key's digits; otherwise all are the same. */
static bool is_expected(
	const struct feed *f, const struct client *c, const uint8_t *data, uint32_t len)
{
	const uint32_t at = c->expect_at, from = f->bulk_head, to = from + KEY_DIGITS;
	char head[64];

	if (!c->is_value)
		return memcmp(c->expect + at, data, len) == 0;
	if (at >= to)
		return memcmp(f->bulk + at, data, len) == 0;
	memcpy(head, f->bulk, to);
	digits_put(head + from, c->key);
	if (len <= to - at)
		return memcmp(head + at, data, len) == 0;
	return memcmp(head + at, data, to - at) == 0 &&
	       memcmp(f->bulk + to, data + (to - at), len - (to - at)) == 0;
}

static bool reply_take(struct feed *f, struct client *c, const uint8_t *data, uint32_t len)
{
	if (!c->is_waiting || len > c->expect_len - c->expect_at || !is_expected(f, c, data, len))
		return fail(f, "a reply is not what it has to be");
	c->expect_at += len;
	if (c->expect_at < c->expect_len && c->is_value && !c->is_unacked) {
		c->is_unacked = true;
		f->acks[f->ack_tail++ & f->ready_mask] = (uint32_t)(c - f->clients);
	}
	if (c->expect_at == c->expect_len) {
		c->is_waiting = c->is_value = false;
		f->nr_replies += c->nr_cmds;
		if (!f->is_started)
			f->nr_loading -= c->nr_cmds < f->nr_loading ? c->nr_cmds : f->nr_loading;
		f->ready[f->ready_tail++ & f->ready_mask] = (uint32_t)(c - f->clients);
	}
	return true;
}

bool feed_take(struct feed *f, const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + sizeof(struct eth_hdr), *tcp;
	uint32_t total, hdr, seq, at;
	struct client *c;

	if (len >= sizeof(struct eth_hdr) && get_be16(frame + 12) == ETH_TYPE_ARP)
		arp_take(f, frame, len);
	if (len < HDR_LEN - TS_LEN || get_be16(frame + 12) != ETH_TYPE_IPV4 ||
		ip[9] != IP_PROTO_TCP)
		return true;
	tcp = ip + sizeof(struct ipv4_hdr);
	total = get_be16(ip + 2);
	hdr = (uint32_t)(tcp[12] >> 4) * 4;
	if (total + sizeof(struct eth_hdr) > len || total < sizeof(struct ipv4_hdr) + hdr)
		return fail(f, "a frame is shorter than it says");
	at = f->by_port[get_be16(tcp + 2)];
	if (!at)
		return fail(f, "a segment for nobody");
	c = &f->clients[at - 1];
	if (tcp[13] & (TCP_RST | TCP_FIN))
		return fail(f, "the server has closed a connection");
	seq = get_be32(tcp + 4);
	if (hdr >= sizeof(struct tcp_hdr) + TS_LEN)
		c->tsecr = get_be32(tcp + 24);
	f->clock++;
	if (tcp[13] & TCP_SYN) {
		if (c->state != CLIENT_SYN_SENT)
			return true; /* sent again */
		c->rcv_nxt = seq + 1;
		c->state = CLIENT_UP;
		f->nr_up++;
		f->ready[f->ready_tail++ & f->ready_mask] = at - 1;
		return true;
	}
	len = total - (uint32_t)sizeof(struct ipv4_hdr) - hdr;
	if (len == 0)
		return true;
	if ((int32_t)(seq - c->rcv_nxt) < 0)
		return true; /* sent again: this core was without a processor for a while */
	if (seq != c->rcv_nxt)
		return fail(f, "a segment is out of order");
	c->rcv_nxt += len;
	return reply_take(f, c, tcp + hdr, len);
}

const char *feed_error(const struct feed *f)
{
	return f->err;
}

bool feed_is_connected(const struct feed *f)
{
	return f->nr_up == f->cfg.conns;
}

bool feed_is_loaded(const struct feed *f)
{
	return f->load_next >= f->cfg.nr_keys && f->nr_loading == 0;
}

void feed_start(struct feed *f)
{
	f->is_started = true;
}

uint64_t feed_nr_replies(const struct feed *f)
{
	return f->nr_replies;
}
