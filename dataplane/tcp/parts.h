/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Parts of a connection that come and go with its work.
 *
 *	tcp_tx   with the first segment that is sent, until nothing is in flight and neither end
 *	         has said anything for a retransmission timeout: after that what was known of the
 *	         path does not hold any more (RFC 5681, 4.1). It begins again as that of a new
 *	         connection.
 *	tcp_rx   with the first byte that has to be kept, or the first duplicate that is to be told
 *	         of, until there is nothing of either.
 *
 * Either comes from a slab of the stack, bounded by the number of connections. Without memory for
 * a tx nothing is sent, without memory for an rx nothing is kept: what comes is not acknowledged,
 * so that the peer sends it again.
 */
#ifndef MILLRACE_DATAPLANE_TCP_PARTS_H
#define MILLRACE_DATAPLANE_TCP_PARTS_H

#include "dataplane/ip/net.h"
#include "dataplane/tcp/options.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct pkt;

enum tcp_seg_state {
	TCP_SEG_FLYING, /* sent, or sent again, and nothing heard of it */
	TCP_SEG_SACKED,
	TCP_SEG_LOST, /* to be sent again */
};

/* A segment in flight. */
struct tcp_seg {
	TAILQ_ENTRY(tcp_seg) by_seq;
	TAILQ_ENTRY(tcp_seg) by_time;
	uint64_t sent_us; /* the last time */
	uint32_t seq;
	uint32_t end; /* with the FIN, if it carries it */
	uint8_t state;
	bool was_rtx; /* sent more than once */
	bool has_fin;
	uint8_t slab_index;
};
TAILQ_HEAD(tcp_seg_list, tcp_seg);

struct tcp_rack {
	uint64_t sent_us; /* of the latest-sent segment known delivered; 0: none */
	uint32_t end;     /* its end */
	uint32_t rtt_us;
	uint32_t fack; /* highest sequence delivered */
	uint32_t dsack_round;
	uint8_t reo_mult;
	uint8_t reo_persist;
	bool has_fack;
	bool has_reordering;
	bool has_dsack_round;
};

/* What nearly all packets of a connection over IPv4 have in common. The MAC is the neighbour
 * table's, which is asked again when it has changed and once a second, so that it sees what is
 * used. */
struct tcp_tmpl {
	uint64_t until_us;
	uint32_t neigh_gen;  /* net->neigh_gen then; 0: not made */
	uint16_t ip_sum;     /* of ip, length and id left out */
	uint16_t pseudo_sum; /* of the pseudo header, length left out */
	uint8_t mac[NET_MAC_LEN];
	uint8_t ip[20]; /* length, id and checksum zero */
};

struct tcp_cubic {
	uint64_t epoch_us; /* 0: no epoch */
	double w_max;      /* segments */
	double cwnd_epoch; /* segments */
	double w_est;      /* segments */
	double k_s;        /* seconds */
	double credit;     /* bytes of growth not yet a whole byte */
};

struct tcp_tx {
	/* each ACK, each segment */
	struct tcp_seg_list segs;
	struct tcp_seg_list by_time;
	uint32_t sacked_bytes;
	uint32_t lost_bytes;
	uint32_t nr_sacked;
	uint32_t reno_sacked; /* without SACK: bytes that duplicate ACKs say have left */
	uint32_t dupacks;
	uint32_t cwr_end; /* snd_nxt when the window was last reduced */
	uint32_t recover;
	uint32_t tlp_end;
	struct tcp_rack rack;
	struct tcp_tmpl tmpl;
	/* trouble */
	struct tcp_seg *sack_hint; /* where the last SACK block ended */
	uint32_t prr_delivered;
	uint32_t prr_out;
	uint32_t prr_flight; /* RecoverFS */
	uint32_t held_seq;   /* what the message quoted */
	uint16_t held_mtu;   /* of a router's message that a timeout has to confirm; 0: none */
	bool is_tlp_rtx;
	uint8_t slab_index;
	uint64_t min_rtt_at_us;
	uint64_t last_rto_us;
	struct tcp_cubic cubic;
};

/* What is kept of what was received. */
struct tcp_rx {
	struct pkt *rxq_head;
	struct pkt *rxq_tail;
	struct pkt *ooo_head;
	struct pkt *ooo_tail;
	uint32_t rxq_bytes;
	uint32_t rxq_pkts;
	uint32_t ooo_pkts;
	uint8_t nr_sacks;
	bool has_dsack;
	uint8_t slab_index;
	struct tcp_range sacks[TCP_MAX_SACKS]; /* most recent first */
	struct tcp_range dsack;
};

#endif
