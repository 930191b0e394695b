/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Received TCP packets that a device has put together from several segments (LRO), or that were
 * never cut (a hypervisor's): they come in a chain of buffers, each of which becomes a segment of
 * its own, so that nothing behind knows of it.
 *
 *	| headers | data | -> | more data | -> | the rest |       as received
 *	| headers | data |   | headers' | more data |   | headers'' | the rest |
 *
 * The sequence number moves on; FIN and PSH stay with the last, CWR with the first. Checksums are
 * left as they are: the device has verified them, or lro_csum_ok() does.
 *
 * Nothing is put together in software (GRO). A stack behind it would be run once for many segments;
 * but here header prediction (tcp/fast.c) takes a segment in place, and one ACK at the end of a
 * burst answers them all (one to 38 segments of SETs of 1 MB over net_memif). What could be saved
 * was 1.6% of the processor there, checksums apart, which stay. librte_gro takes 54 cycles a
 * segment for it, a quarter of that, and what it makes would have to be taken apart again.
 */
#ifndef MILLRACE_DATAPLANE_IP_LRO_H
#define MILLRACE_DATAPLANE_IP_LRO_H

#include <stdbool.h>
#include <stdint.h>

/* Ethernet, a VLAN tag, IPv6, TCP with all options. */
#define LRO_HDR_MAX (14u + 4 + 40 + 60)

struct lro {
	uint8_t bytes[LRO_HDR_MAX]; /* the headers */
	uint32_t len;               /* of them */
	uint32_t ip_at;
	uint32_t tcp_at;
	uint32_t total; /* bytes of the frame, without padding */
	bool is_v6;
};

/* Reads the headers of a frame of which the first `len` bytes lie at `frame`, frame_len in all.
   False: it is not TCP over IP without extension headers, or contradicts itself. */
bool lro_parse(struct lro *l, const uint8_t *frame, uint32_t len, uint32_t frame_len);

/* Writes to `to` the headers (l->len bytes) of the segment with len bytes of data from data offset
   off on. */
void lro_put(const struct lro *l, uint8_t *to, uint32_t off, uint32_t len);

/* Of a device that has verified nothing. csum: the running sum of everything from TCP's header
   on. */
bool lro_csum_ok(const struct lro *l, uint64_t csum);

#endif
