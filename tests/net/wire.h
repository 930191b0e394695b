/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Two network stacks in one thread, joined by a made-up wire with a made-up clock.
 *
 * The wire delays, loses, doubles, reorders and damages frames by a seeded random generator, and
 * shows each one to a hook first. Time jumps from event to event; nothing sleeps. Every packet
 * comes from a counted pool, and lab_down() fails the test if one is missing.
 */
#ifndef MILLRACE_TESTS_NET_WIRE_H
#define MILLRACE_TESTS_NET_WIRE_H

#include "dataplane/ip/net.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/tcp.h"
#include "tests/net/device.h"

#include <stdbool.h>
#include <stdint.h>

#define LAB_PORT  6379
#define LAB_BUF   2048u
#define LAB_START 1000000000ull /* the clock at the beginning, us */

struct lab;

struct lab_pool {
	struct pkt_pool pool;
	uint32_t nr_out;  /* packets that are not in the pool */
	uint32_t nr_max;  /* allocation fails beyond */
	uint32_t buf_len; /* bytes, headroom included */
};

/* One application end of a connection: sends a pattern, checks that it receives one. */
struct app {
	struct lab *lab;
	struct tcp_conn *conn;
	uint64_t tx_total; /* bytes to send */
	uint64_t tx_done;  /* given to the output buffer */
	uint64_t rx_done;  /* received and right */
	uint64_t rx_limit; /* takes no more than this in all; UINT64_MAX: everything */
	uint64_t rx_wrong; /* bytes that were not what was sent */
	uint32_t nr_accept;
	uint32_t nr_connected;
	uint32_t nr_sent;
	uint32_t nr_eof;
	uint32_t nr_closed;
	int reason;
	bool refuse;          /* accept() says no */
	bool shutdown_at_end; /* tcp_conn_shutdown() once all is given */
	bool close_at_eof;
	const struct tcp_ops *ops; /* instead of the usual ones */
	bool echo;                 /* send back what comes, instead of checking it */
	uint32_t ref_bytes;        /* not 0: sends by reference to pieces of so many bytes */
	uint32_t nr_refs;          /* pieces that were not released yet */
};

struct host;

/* A frame on the wire, decoded as far as it goes. */
struct sniff {
	const struct host *from;
	uint8_t *bytes; /* the whole frame: may be changed */
	uint32_t len;
	bool is_tcp;
	uint32_t tcp_off; /* of the TCP header in bytes */
	uint16_t vlan;    /* the tag; 0: none */
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint32_t payload;
	uint8_t tsval[4]; /* as they lie on the wire */
	uint8_t tsecr[4];
};

struct host {
	struct lab *lab;
	struct net net;
	struct net_cfg cfg;
	struct lab_pool pool;
	struct device device; /* of cfg.offloads */
	struct app app;
	struct tcp_listener *lst;
	uint32_t nr_tx;
	struct sniff last; /* of what it sent: the last TCP segment (bytes is not valid) */
};

struct frame;

enum lab_verdict { LAB_PASS, LAB_DROP };

struct lab {
	struct host a; /* 10.0.0.1, the client */
	struct host b; /* 10.0.0.2, the server */
	uint64_t now_us;
	uint64_t seed;
	uint64_t rng;
	/* the wire */
	uint64_t delay_us;
	uint64_t jitter_us; /* added at random: reorders */
	uint32_t loss;      /* in 10000 */
	uint32_t dup;
	uint32_t corrupt;
	uint32_t nr_lost;
	uint32_t nr_corrupt;
	struct frame *queue; /* by time of arrival */
	uint32_t
		forge_seq; /* where lab_forge() counts from; fixed by the test, or what b expects */
	uint64_t forge_pos; /* and the position of that in the pattern */
	bool forge_fixed;
	bool is_v6; /* a connects over IPv6 */
	/* sees every frame before the wire does anything to it; may be NULL */
	enum lab_verdict (*hook)(struct lab *lab, struct sniff *s, void *ctx);
	void *hook_ctx;
};

/* Fills in both configurations; change them before lab_up(). The seed is LAB_SEED of the
   environment, or this. With LAB_FAMILY=6 in the environment, lab_use_v6() follows. */
void lab_init(struct lab *lab, uint64_t seed);

/* Gives a 2001:db8::1/64 and b 2001:db8::2/64 besides, and connects over them. Before lab_up(). */
void lab_use_v6(struct lab *lab);

/* 2001:db8::nr */
struct ip_addr lab_v6(uint8_t nr);

/* Brings both stacks up, and b listens on LAB_PORT with this backlog. */
void lab_up(struct lab *lab, uint32_t backlog);

/* Takes both down and checks that all packets are back. */
void lab_down(struct lab *lab);

/* Lets `us` go by. */
void lab_run(struct lab *lab, uint64_t us);

/* Runs until done(lab), at most `us`. Returns whether it was. */
bool lab_run_until(struct lab *lab, bool (*done)(struct lab *lab), uint64_t us);

/* a connects to b's port; lab->a.app is its user, lab->b.app that of what b accepts. */
void lab_connect(struct lab *lab);

/* Connects and waits until both ends are established. */
void lab_establish(struct lab *lab);

/* Feeds the app's pattern to its connection as far as the output buffer should go. */
void app_feed(struct app *app);

/* The usual upcalls, for tests that replace some. */
extern const struct tcp_ops app_ops;

/* Puts a raw frame before a host, as if from the wire, at once. */
void lab_inject(struct host *to, const void *frame, uint32_t len);

/* Puts a raw frame on the wire to a host: for hooks, in which lab_inject() must not be used. */
void lab_post(struct lab *lab, struct host *to, const void *frame, uint32_t len);

/* Builds a TCP segment with right checksums; returns its length. opts_len is a multiple of 4. */
struct raw_tcp {
	uint32_t src_v4;
	uint32_t dst_v4;
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint8_t flags;
	const uint8_t *opts;
	uint32_t opts_len;
	const uint8_t *payload;
	uint32_t payload_len;
};
uint32_t raw_tcp_build(uint8_t *frame, const struct host *to, const struct raw_tcp *t);

/* A segment of the connection a - b as if from a, with the pattern as payload; sent to b. seq_off
   is relative to what b expects next, or to lab->forge_seq when that is fixed. */
void lab_forge(struct lab *lab, uint8_t flags, int64_t seq_off, int64_t ack_off, uint32_t payload);

/* Decodes a frame. */
struct sniff frame_decode(const struct host *from, uint8_t *bytes, uint32_t len);

/* Sets the TCP checksum of a frame whose TCP header was changed. */
void frame_tcp_mend(const struct sniff *s);

uint64_t lab_random(struct lab *lab);
uint8_t app_pattern(uint64_t pos);

static inline uint64_t host_ctr(const struct host *h, enum net_ctr ctr)
{
	return h->net.counters.ctrs[ctr];
}

static inline uint64_t host_drops(const struct host *h, enum drop why)
{
	return h->net.counters.drops[why];
}

static inline uint32_t host_v4(const struct host *h)
{
	return ip_addr_to_v4(&h->cfg.addrs[0].ip);
}

#endif
