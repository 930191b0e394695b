/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Inside of TCP: the connection, the tables, and what the files of this folder offer each other.
 *
 * Sending, in sequence space; the output buffer begins at snd_una:
 *
 *	   snd_una                     snd_nxt            end of obuf
 *	------|--[seg][seg]...[seg]------|-------------------|---- FIN
 *	        a tcp_seg for each          not sent yet
 *	        segment in flight
 *
 * Receiving:
 *
 *	          rcv_nxt                          rcv_adv
 *	--[rxq]------|------[ooo]----[ooo]------------|---
 *	 in order, not   out of order, sorted,    right edge of the
 *	 yet taken       no overlaps              advertised window
 *
 * Invariants: segs tile [snd_una, snd_nxt) in order; a seg is on by_time exactly while
 * TCP_SEG_FLYING; sacked_bytes and lost_bytes are the sums over segs in those states; what is in
 * flight has a tx; rcv_adv never moves left. A connection that ends goes to the stack's dead list
 * at once and is freed only by tcp_run(), so no pointer to it dies within an upcall.
 */
#ifndef MILLRACE_DATAPLANE_TCP_CONN_H
#define MILLRACE_DATAPLANE_TCP_CONN_H

#include "checks.h"
#include "dataplane/ip/net.h"
#include "dataplane/ip/siphash.h"
#include "dataplane/tcp/options.h"
#include "dataplane/tcp/parts.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/slab.h"
#include "dataplane/tcp/tcp.h"

#include <assert.h>
#include <sys/queue.h>

#define TCP_DUP_THRESH   3u
#define TCP_IW_SEGS      10u  /* RFC 6928 */
#define TCP_MIN_MSS      216u /* smaller offers are raised to this: they only serve to waste work */
#define TCP_DEFAULT_MSS  536u /* IPv4; RFC 9293, 3.7.1 */
#define TCP_DEFAULT_MSS6 1220u
#define TCP_HDR_BYTES    20u
#define TCP_MAX_WND      65535u
#define TCP_QUICK_ACKS   16u /* segments acknowledged at once after a sign of loss */

struct tcp_key {
	struct ip_addr laddr;
	struct ip_addr raddr;
	uint16_t lport;
	uint16_t rport;
	uint32_t zero;
};

enum tcp_node_kind { TCP_NODE_CONN, TCP_NODE_TW };

/* First member of what the table holds. */
struct tcp_node {
	struct tcp_node *next;
	struct tcp_key key;
	uint32_t hash;
	uint8_t kind;
	uint8_t slab_index;
};

enum tcp_ca_state {
	TCP_CA_OPEN,
	TCP_CA_RECOVERY, /* fast recovery, governed by PRR (RFC 6937) */
	TCP_CA_LOSS,     /* after a timeout, until all then in flight is acknowledged */
};

/* What the retransmission time-out of a connection stands for at the moment. */
enum tcp_rtx_mode {
	TCP_RTX_OFF,
	TCP_RTX_SYN,
	TCP_RTX_RTO,     /* RFC 6298 */
	TCP_RTX_TLP,     /* tail loss probe, RFC 8985 7 */
	TCP_RTX_REO,     /* reordering window, RFC 8985 6.3 */
	TCP_RTX_PERSIST, /* RFC 9293, 3.8.6.1 */
};

/*
 * What a connection is as long as it lives, in the order in which the short way of a segment
 * (fast.c, ack.c, output.c) comes by: an idle connection has no more than this. What serves it
 * while it sends, and what it keeps of what it received, are parts of their own (parts.h).
 *
 * Times of day are either exact (_us), or counted in ticks of the timer wheel (_tick) or in units
 * of 2^20 us (_unit): see conn_tick() and conn_unit(). One timer serves all of the time-outs.
 */
struct tcp_conn {
	/* found by, and what is done with what it brings */
	struct tcp_node node;
	const struct tcp_ops *ops; /* NULL: no user any more */

	/* read-mostly, and rx */
	struct tcp_stack *ts;
	union {
		void *user;
		struct tcp_listener *lst; /* while is_half_open */
	};
	struct tcp_tx *tx; /* NULL: nothing is in flight, nor was lately */
	struct tcp_rx *rx; /* NULL: nothing is kept, no SACK is due */
	/* What keeps a segment off the short way: tcp_fast_input() looks at all of it at once. */
	union {
		struct {
			bool is_closing : 1; /* tcp_conn_close() was called */
			bool is_fin_wanted : 1;
			bool has_rcv_fin : 1; /* rcv_fin_seq is known */
			bool is_paused : 1;   /* data() left something */
			bool is_delivering : 1;
			bool is_tlp_out : 1; /* a tail loss probe, up to tx->tlp_end */
			/* the congestion window, and not all up to tx->cwr_end is acknowledged */
			bool is_reduced : 1;
			uint8_t ca_state : 2;
		};
		uint16_t unsteady;
	};
	bool has_ts : 1;
	bool has_sack : 1;
	bool has_ecn : 1;
	bool is_cookie : 1; /* made from a SYN cookie */
	bool is_half_open : 1;
	bool is_pending : 1; /* on the out list */
	bool is_life_armed : 1;
	bool is_delack_armed : 1;
	bool is_fin_sent : 1;
	bool is_fin_rcvd : 1; /* and rcv_nxt is past it */
	bool is_eof_told : 1;
	bool is_resumed : 1; /* tcp_conn_resume() was called within data() */
	bool is_ece_due : 1; /* CE came, CWR did not yet */
	bool is_cwr_due : 1; /* with the next new data */
	bool is_cwnd_limited : 1;
	bool is_override_due : 1; /* send less than silly window avoidance would */
	uint8_t state;
	uint8_t rtx_mode;
	uint8_t quick_acks; /* segments yet to be acknowledged one by one */
	uint8_t backoff;
	bool is_ack_due;
	bool is_ack_delayed;
	uint8_t nr_probes; /* zero-window probes without any answer */
	uint8_t nr_keep;   /* keepalive probes without any answer */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint8_t nr_rtx;  /* timeouts in a row */
	uint8_t keepcnt; /* most that nr_keep may be */
	uint32_t rcv_nxt;
	uint32_t rcv_adv;
	uint32_t rcv_wup;       /* rcv_nxt when the last ACK was sent */
	uint32_t unacked_bytes; /* received since the last ACK was sent */

	/* rx and tx: the sequence space */
	uint64_t last_rx_us;
	uint32_t ts_recent;
	uint32_t ts_recent_unit; /* when that came */
	uint32_t ts_offset;
	uint32_t snd_una; /* while the handshake lasts: our ISN */
	uint32_t snd_nxt;
	uint32_t snd_wnd;
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t max_snd_wnd;
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t sent_mark;
	uint16_t mss;
	uint16_t rcv_mss; /* largest payload seen */
	uint32_t srtt_us;

	/* tx */
	struct obuf ob;
	uint64_t unacked_since_us; /* when the oldest unacknowledged data became so */

	/* tx: time */
	TAILQ_ENTRY(tcp_conn) out_link;
	uint64_t rtx_at_us; /* what rtx_mode says; it is on time when the timer says so, or later */
	uint64_t last_tx_us; /* of data */
	uint32_t rttvar_us;
	uint32_t rto_us; /* without back-off */
	uint32_t min_rtt_us;
	uint32_t delack_tick; /* is_delack_armed */
	uint32_t life_tick;   /* is_life_armed: keepalive; after tcp_conn_close(), the end */
	uint32_t rcv_fin_seq;
	uint16_t max_acked; /* largest segment known to have arrived since the MSS was last set */
	uint16_t path_mss;  /* bound by path MTU, without options */
	uint16_t peer_mss;
	uint8_t persist_shift; /* back-off of the zero-window probes */
	uint8_t reason;        /* errno */

	/* cold */
	struct timer timer;             /* armed for the first of the deadlines, or earlier */
	TAILQ_ENTRY(tcp_conn) all_link; /* all, or dead */
	uint32_t keepidle_ms;
	uint32_t keepintvl_ms;
	uint32_t user_timeout_ms;
	uint32_t oow_ack_tick; /* when the last ACK to an unacceptable segment was sent; 0: never */
};
TAILQ_HEAD(tcp_conn_list, tcp_conn);

#define TCP_LINE 64u
static_assert(offsetof(struct tcp_conn, ts) == 1 * TCP_LINE, "a segment's way is by cache lines");
static_assert(offsetof(struct tcp_conn, last_rx_us) == 2 * TCP_LINE, "as above");
static_assert(offsetof(struct tcp_conn, ob) == 3 * TCP_LINE, "as above");
static_assert(offsetof(struct tcp_conn, out_link) == 4 * TCP_LINE, "as above");
static_assert(offsetof(struct tcp_conn, timer) == 5 * TCP_LINE, "as above");
static_assert(sizeof(struct tcp_conn) == 6 * TCP_LINE, "what an idle connection costs");

/* A connection in TIME_WAIT. */
struct tcp_tw {
	struct tcp_node node;
	TAILQ_ENTRY(tcp_tw) link; /* oldest first */
	uint64_t until_us;
	uint64_t acked_us;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	uint32_t ts_recent;
	uint32_t ts_offset;
	uint16_t wnd; /* as it goes on the wire */
	bool has_ts;
};
TAILQ_HEAD(tcp_tw_list, tcp_tw);

struct tcp_listener {
	struct tcp_listener *next;
	const struct tcp_ops *ops;
	void *ctx;
	uint64_t overflow_us; /* when a cookie was last sent; 0: never */
	uint32_t backlog;
	uint32_t nr_half;
	uint16_t port;
};

struct tcp_stack {
	struct net *net;
	struct tcp_node **buckets;
	uint32_t mask;
	uint64_t table_key[4];
	struct siphash_key isn_key;
	struct siphash_key cookie_key;
	struct siphash_key ts_key;
	struct tcp_listener *listeners;
	struct tcp_conn_list all;
	struct tcp_conn_list dead;
	struct tcp_conn_list out;
	struct tcp_tw_list tws;
	struct timer tw_timer;
	struct slab conns;
	struct slab txs;
	struct slab rxs;
	struct slab segs;
	struct slab tw_slab;
	struct ratelimit rst_limit;
	uint32_t nr_out; /* conns on the out list */
	uint32_t nr_half;
	uint32_t rx_pkts; /* in the receive queues of all */
	uint32_t port_step;
	bool is_down; /* being torn down: nothing new is opened */
};

/* A segment to send. */
struct tcp_out {
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd; /* as it goes on the wire */
	uint8_t flags;
	struct tcp_opts opts;
};

/* What one incoming ACK did. */
struct tcp_ack_ctx {
	uint32_t prior_pipe;
	uint32_t acked;     /* sequence space by which snd_una advanced */
	uint32_t delivered; /* bytes newly acknowledged or SACKed */
	uint32_t lost;      /* bytes newly deemed lost */
	uint64_t rtt_us;    /* of the oldest segment newly acknowledged; 0: none or ambiguous */
	bool has_dsack;
	bool has_rtx_acked;
	bool is_dup; /* duplicate in the sense of RFC 5681, 2 */
	bool is_ece; /* the peer echoes congestion */
	uint32_t tsecr;
	bool has_tsecr;
};

/* Payload of a packet of mtu bytes to this peer, without options. */
static inline uint16_t tcp_mss_of(uint32_t mtu, const struct ip_addr *raddr)
{
	return (uint16_t)(mtu - (ip_addr_is_v4(raddr) ? 20 : 40) - TCP_HDR_BYTES);
}

/* What a peer is sent that names no MSS. */
static inline uint16_t tcp_default_mss(const struct ip_addr *raddr)
{
	return ip_addr_is_v4(raddr) ? TCP_DEFAULT_MSS : TCP_DEFAULT_MSS6;
}

static inline struct net *conn_net(const struct tcp_conn *c)
{
	return c->ts->net;
}

static inline uint64_t conn_now(const struct tcp_conn *c)
{
	return c->ts->net->now_us;
}

/* Ticks of the timer wheel, modulo 2^32, which is 50 days. */
static inline uint32_t conn_tick(const struct tcp_conn *c)
{
	return (uint32_t)(conn_now(c) >> TIMER_TICK_SHIFT);
}

#define TCP_UNIT_SHIFT 20 /* microseconds to units: about a second, for 142 years */

static inline uint32_t conn_unit(const struct tcp_conn *c)
{
	return (uint32_t)(conn_now(c) >> TCP_UNIT_SHIFT);
}

/* Bytes that are thought to be in the network (RFC 6675, "pipe"). */
static inline uint32_t conn_pipe(const struct tcp_conn *c)
{
	const struct tcp_tx *tx = c->tx;
	const uint32_t gone = tx ? tx->sacked_bytes + tx->lost_bytes + tx->reno_sacked : 0;
	const uint32_t out = c->snd_nxt - c->snd_una;

	return out > gone ? out - gone : 0;
}

static inline uint32_t conn_lost(const struct tcp_conn *c)
{
	return c->tx ? c->tx->lost_bytes : 0;
}

/* The oldest record; NULL: nothing is in flight. */
static inline struct tcp_seg *conn_first_seg(const struct tcp_conn *c)
{
	return c->tx ? TAILQ_FIRST(&c->tx->segs) : NULL;
}

static inline uint32_t conn_rxq_bytes(const struct tcp_conn *c)
{
	return c->rx ? c->rx->rxq_bytes : 0;
}

/* The receive window as advertised, bytes. */
static inline uint32_t conn_rcv_wnd(const struct tcp_conn *c)
{
	return c->rcv_adv - c->rcv_nxt;
}

static inline bool conn_is_synchronized(const struct tcp_conn *c)
{
	return c->state >= TCP_ST_ESTABLISHED;
}

static inline bool conn_can_receive(const struct tcp_conn *c)
{
	return c->state == TCP_ST_ESTABLISHED || c->state == TCP_ST_FIN_WAIT_1 ||
	       c->state == TCP_ST_FIN_WAIT_2;
}

/* Our timestamp clock ticks once a millisecond from an offset of the connection's own. */
static inline uint32_t conn_ts_at(const struct tcp_conn *c, uint64_t us)
{
	return (uint32_t)(us / 1000) + c->ts_offset;
}

/* Gauges have one writer and any number of readers. */
static inline void tcp_half_add(struct tcp_stack *ts, int32_t n)
{
	__atomic_store_n(&ts->nr_half, ts->nr_half + (uint32_t)n, __ATOMIC_RELAXED);
}

/* table.c: addresses to connections */
uint32_t tcp_key_hash(const struct tcp_stack *ts, const struct tcp_key *key);
struct tcp_node *tcp_table_find(
	const struct tcp_stack *ts, const struct tcp_key *key, uint32_t hash);
void tcp_table_add(struct tcp_stack *ts, struct tcp_node *node);
void tcp_table_remove(struct tcp_stack *ts, struct tcp_node *node);
uint32_t tcp_isn(const struct tcp_stack *ts, const struct tcp_key *key);
uint32_t tcp_ts_offset(const struct tcp_stack *ts, const struct tcp_key *key);

/* conn.c: birth and death */
struct tcp_conn *tcp_conn_make(struct tcp_stack *ts, const struct tcp_key *key);
/* Takes the peer's SYN options over; false options of ours are not used with this peer. */
void tcp_conn_take_opts(struct tcp_conn *c, const struct tcp_opts *opts);
void tcp_conn_set_mss(struct tcp_conn *c);
void tcp_conn_establish(struct tcp_conn *c);
/* Ends c: off the table, timers off, onto the dead list. Does nothing to the dead. */
void tcp_conn_kill(struct tcp_conn *c, int reason);
/* Sends RST, then ends c. */
void tcp_conn_reset(struct tcp_conn *c, int reason);
/* Has c looked at by the next tcp_run(). */
void tcp_conn_pend(struct tcp_conn *c);
/* Takes them over in the units of the connection, within its bounds. */
void tcp_keepalive_set(struct tcp_conn *c, uint64_t idle_us, uint64_t intvl_us, uint32_t cnt);
void tcp_conn_reap(struct tcp_stack *ts);

/* input.c */
/* Ends or hands to TIME_WAIT a connection both of whose directions are done with. */
void tcp_conn_finish_check(struct tcp_conn *c);
void tcp_conn_input(struct tcp_conn *c, struct pkt *p, const struct tcp_opts *opts);

/* ack.c: acknowledgements and what follows from them */
/* The ACK of an acceptable segment. False: it acknowledges what was never sent, or the connection
   ended. */
bool tcp_ack_input(
	struct tcp_conn *c, const struct pkt *p, uint32_t payload, const struct tcp_opts *opts);
/* As tcp_ack_input() for tcp_fast_input(): new data is acknowledged, nothing is lost, SACKed or
   probed. */
void tcp_ack_fast(struct tcp_conn *c, uint32_t ack, bool has_tsecr, uint32_t tsecr);
void tcp_recovery_enter(struct tcp_conn *c);
void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_us);
/* Measures the path by the answer to our SYN, unless it is ambiguous (Karn). */
void tcp_rtt_sample_syn(struct tcp_conn *c, const struct tcp_opts *opts);

/* parts.c: what comes and goes with the work of a connection */
/* Returns c->tx, made if it is not there, or NULL: no memory. */
struct tcp_tx *tcp_tx_make(struct tcp_conn *c);
static inline struct tcp_tx *tcp_tx_get(struct tcp_conn *c)
{
	return c->tx ? c->tx : tcp_tx_make(c);
}
/* Has c no use for its tx before it sends again? Then it is given back. Otherwise *at_us says when
   to ask again. */
bool tcp_tx_trim(struct tcp_conn *c, uint64_t *at_us);
/* Returns c->rx, made if it is not there, or NULL: no memory. */
struct tcp_rx *tcp_rx_get(struct tcp_conn *c);
/* Gives c->rx back if it is empty. */
void tcp_rx_trim(struct tcp_conn *c);
/* With all that they hold. */
void tcp_parts_free(struct tcp_conn *c);

/* loss.c: the scoreboard and RACK */
struct tcp_seg *tcp_seg_add(struct tcp_conn *c, uint32_t seq, uint32_t end, bool has_fin);
bool tcp_seg_split(struct tcp_conn *c, struct tcp_seg *s, uint32_t at);
void tcp_seg_sent_again(struct tcp_conn *c, struct tcp_seg *s);
void tcp_seg_lose(struct tcp_conn *c, struct tcp_seg *s);
void tcp_segs_free(struct tcp_conn *c);
/* Forgets a record that was just added and not sent. */
void tcp_seg_undo(struct tcp_conn *c, struct tcp_seg *s);
void tcp_loss_cum_ack(struct tcp_conn *c, uint32_t ack, struct tcp_ack_ctx *ctx);
void tcp_loss_sack(
	struct tcp_conn *c, uint32_t ack, const struct tcp_opts *opts, struct tcp_ack_ctx *ctx);
/* Marks what RACK deems lost; returns the bytes, and in *wait_us when to look again (0: no need).
   */
uint32_t tcp_loss_rack(struct tcp_conn *c, uint64_t *wait_us);
void tcp_loss_timeout(struct tcp_conn *c);

/* cc.c: congestion control */
void tcp_cc_init(struct tcp_conn *c);
/* acked bytes were acknowledged while not in fast recovery. */
void tcp_cc_acked(struct tcp_conn *c, uint32_t acked);
/* Sets ssthresh after a loss; the caller sets cwnd. */
void tcp_cc_lost(struct tcp_conn *c);

/* ecn.c: explicit congestion notification (RFC 3168) */
/* The flags that an ECN question or answer of ours adds to a SYN. */
uint8_t tcp_ecn_syn_flags(const struct tcp_conn *c);
/* What the peer's SYN or SYN-ACK says to it. */
void tcp_ecn_take_syn(struct tcp_conn *c, uint8_t flags);
/* Does a SYN ask for it, and do we agree? */
bool tcp_ecn_is_agreed(const struct net *net, uint8_t syn_flags);
/* An acceptable segment of the peer's data. */
void tcp_ecn_data(struct tcp_conn *c, const struct pkt *p);
/* The window was reduced, for whatever reason. */
void tcp_ecn_reduced(struct tcp_conn *c);
/* An acceptable ACK had ECE, and snd_una was moved: reacts once per round trip. */
void tcp_ecn_echo(struct tcp_conn *c);

/* output.c */
/* Sends header, options and p's data. Takes p. */
void tcp_emit(
	struct tcp_stack *ts, struct pkt *p, const struct tcp_key *key, const struct tcp_out *out);
void tcp_output(struct tcp_conn *c);

/* Sends a segment of a synchronized connection: p's data at seq, with the present ACK, window,
   timestamps and as much SACK as the segment has room for. Takes p. */
void tcp_conn_emit(struct tcp_conn *c, struct pkt *p, uint32_t seq, uint8_t flags);

/* bulk.c: large output */
/* Shorter segments are copied: that costs less than a packet more. */
#define TCP_REF_MIN 1024u
/* Puts len bytes of the output, off from snd_una, at the end of p: without a copy if they are many
   and the device can do with that. False: no packets; p is to be freed. */
bool tcp_data_put(struct tcp_conn *c, struct pkt *p, uint64_t off, uint32_t len);
/* Sends as many whole segments of new data as the windows and one packet hold; unsent bytes are
   there, wnd of them fit the peer's window. Returns the bytes, 0 if it was not possible: then the
   segments are to be sent one by one. */
uint32_t tcp_bulk_send(struct tcp_conn *c, uint64_t unsent, uint32_t wnd);

/* Can the connection's device do with packets that stand for several segments? */
static inline bool conn_has_bulk(const struct tcp_conn *c)
{
	return conn_net(c)->cfg.offloads & (NET_TX_REF | NET_TX_TSO);
}

/* template.c: the short way to the wire */
/* The template of c->tx holds, or could be made: tcp_tmpl_emit() may be used now. */
bool tcp_tmpl_ready(struct tcp_conn *c);
/* Sends as tcp_emit(), with the timestamps as the only options. Takes p. */
void tcp_tmpl_emit(struct tcp_conn *c, struct pkt *p, const struct tcp_out *out);

/* output.c */
void tcp_send_ack(struct tcp_conn *c);
void tcp_send_syn(struct tcp_conn *c);
void tcp_send_rst(struct tcp_conn *c);
void tcp_send_probe(struct tcp_conn *c);
/* Answers a segment that belongs to nobody (RFC 9293, 3.10.7.1). Borrows p. */
void tcp_send_rst_to(struct tcp_stack *ts, const struct tcp_key *key, const struct pkt *p);
/* An ACK to a segment that is not acceptable, unless one was just sent. */
void tcp_send_challenge(struct tcp_conn *c);
/* Sends one segment for the tail loss probe; false: nothing could be sent. */
bool tcp_send_tlp(struct tcp_conn *c);

/* rcv.c: data in */
void tcp_rcv_segment(struct tcp_conn *c, struct pkt *p);
/* Takes p, whose first byte is rcv_nxt and which lies within the window. */
void tcp_rcv_in_order(struct tcp_conn *c, struct pkt *p);
void tcp_rcv_deliver(struct tcp_conn *c);
/* Drops what c->rx keeps. */
void tcp_rcv_free(struct tcp_conn *c);
/* What is told with the next SACK: [start, end) came, and was there already (RFC 2883). */
void tcp_rcv_dsack(struct tcp_conn *c, uint32_t start, uint32_t end);
/* The window to advertise, as it goes on the wire; moves rcv_adv. */
uint16_t tcp_rcv_window(struct tcp_conn *c);

/* timers.c */
void tcp_timers_init(struct tcp_conn *c);
/* The timer fires no later than then. */
void tcp_timer_reach(struct tcp_conn *c, uint64_t at_us);
void tcp_timers_cancel(struct tcp_conn *c);
/* Arms the retransmission timer for what the connection now needs; reo_us: look at RACK again
   then. */
void tcp_rtx_rearm(struct tcp_conn *c, uint64_t reo_us);
void tcp_rtx_arm_syn(struct tcp_conn *c);
void tcp_delack_arm(struct tcp_conn *c);
/* For keepalive; does nothing once the user has closed. */
void tcp_life_rearm(struct tcp_conn *c);
/* Bounds what is left of the life of a closed connection. */
void tcp_linger_arm(struct tcp_conn *c);
uint64_t tcp_rto_us(const struct tcp_conn *c);

/* listen.c */
struct tcp_listener *tcp_listener_find(const struct tcp_stack *ts, uint16_t port);
/* A segment for a listener. isn_floor: the new connection's ISN lies above, when has_floor. Takes
   p. */
void tcp_listen_input(struct tcp_stack *ts, struct tcp_listener *lst, struct pkt *p,
	const struct tcp_key *key, const struct tcp_opts *opts, const uint32_t *isn_floor);

/* cookie.c */
struct tcp_cookie {
	uint16_t mss;
	uint8_t wscale;
	bool has_wscale;
	bool has_sack;
	bool has_ts;
	bool has_ecn;
};
/* The ISN, and in *tsval the timestamp, that carry what the SYN offered. */
uint32_t tcp_cookie_make(const struct tcp_stack *ts, const struct tcp_key *key, uint32_t peer_isn,
	const struct tcp_opts *opts, bool has_ecn, uint32_t *tsval);
/* Does the ACK bring a cookie of ours back? */
bool tcp_cookie_check(const struct tcp_stack *ts, const struct tcp_key *key, const struct pkt *p,
	const struct tcp_opts *opts, struct tcp_cookie *out);

/* path.c; see also stack.h, tcp_icmp_input() */
/* A retransmission timeout: is it the size of the segments? */
void tcp_path_timeout(struct tcp_conn *c);

/* timewait.c */
void tcp_tw_enter(struct tcp_conn *c);
void tcp_tw_input(
	struct tcp_stack *ts, struct tcp_tw *tw, struct pkt *p, const struct tcp_opts *opts);
void tcp_tw_setup(struct tcp_stack *ts);
void tcp_tw_teardown(struct tcp_stack *ts);

#endif
