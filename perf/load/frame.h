/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames as those in which a client sends GETs: the same headers, the same bytes of the same
 * lengths, without a TCP behind them. An echo sends them back with the two Ethernet addresses
 * exchanged.
 *
 *	| Ethernet | IPv4 | TCP, timestamps | GET key | GET key ...
 *	                     ^ source port: FRAME_PORT + flow; sequence number: counts
 *
 * The checksum of TCP is 0: who measures the way of a frame has none computed.
 */
#ifndef MILLRACE_PERF_LOAD_FRAME_H
#define MILLRACE_PERF_LOAD_FRAME_H

#include "dataplane/ip/wire.h"
#include "perf/load/request.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX       1514u
#define FRAME_TS        12u
#define FRAME_HEAD      (FRAME_IP + sizeof(struct ipv4_hdr) + sizeof(struct tcp_hdr) + FRAME_TS)
#define FRAME_IP        sizeof(struct eth_hdr)
#define FRAME_TCP       (FRAME_IP + sizeof(struct ipv4_hdr))
#define FRAME_PORT      1024u
#define FRAME_FLOWS_MAX 64000u

struct frame_format {
	const struct request *request;
	uint32_t nr_requests; /* in a frame */
	uint32_t len;
	uint8_t head[FRAME_HEAD];
};

/* Borrows the request, which has one key and no value. 0; -EINVAL: so many do not fit a frame. */
int frame_format_init(struct frame_format *f, const struct request *request, uint32_t nr);

/* Writes a frame of f->len bytes. seq: of the flow. keys: f->nr_requests of them. */
void frame_write(const struct frame_format *f, uint8_t *frame, uint32_t flow, uint32_t seq,
	const uint8_t *src_mac, const uint8_t *dst_mac, const uint32_t *keys);

/* The flow that the frame belongs to; UINT32_MAX: it is none of these. Any bytes. */
static inline uint32_t frame_flow(const struct frame_format *f, const uint8_t *frame, uint32_t len)
{
	if (len < f->len || get_be16(frame + 12) != ETH_TYPE_IPV4 ||
		frame[FRAME_IP + 9] != IP_PROTO_TCP)
		return UINT32_MAX;
	return (uint32_t)get_be16(frame + FRAME_TCP) - FRAME_PORT;
}

/* Is it the frame that was sent, but for the Ethernet addresses? Both are f->len long. */
static inline bool frame_is_same(
	const struct frame_format *f, const uint8_t *frame, const uint8_t *sent)
{
	return memcmp(frame + 12, sent + 12, f->len - 12) == 0;
}

#endif
