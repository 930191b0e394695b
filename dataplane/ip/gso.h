/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP packets that stand for several segments, cut in software: for devices that do not do it.
 *
 *	| headers | payload of up to 64 KB, pieces of any length ............ |   one packet
 *	| headers' | seg_len | , | headers' | seg_len | , ... | headers' | the rest |
 *
 * The sequence number moves on, the IP identification counts up, FIN and PSH go with the last
 * segment. What was a reference stays one where the device can send it, otherwise it is copied
 * here.
 */
#ifndef MILLRACE_DATAPLANE_IP_GSO_H
#define MILLRACE_DATAPLANE_IP_GSO_H

#include "dataplane/ip/net.h"

/* Sends the segments of a complete frame. Takes p. When packets run out the rest is dropped and
   counted: TCP sends it again. */
void gso_output(struct net *net, struct pkt *p);

/* Adds all of p to a running checksum. */
uint64_t pkt_csum_add(uint64_t sum, const struct pkt *p);

/* A piece shorter than this is copied behind the headers if nothing else follows them yet. */
#define PKT_REF_MIN 256u

/* Puts a piece of an output buffer at the end of p, whose last packet is *tail: by reference, or
   copied when it is short or may_refer is false. Takes the reference to seg in any case. False: no
   packet, or no room to copy. */
bool pkt_put_piece(struct net *net, struct pkt *p, struct pkt **tail, const uint8_t *bytes,
	uint32_t len, struct obuf_seg *seg, bool may_refer);

#endif
