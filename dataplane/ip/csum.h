/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Internet checksum (RFC 1071), eight bytes a step.
 */
#ifndef MILLRACE_DATAPLANE_IP_CSUM_H
#define MILLRACE_DATAPLANE_IP_CSUM_H

#include "dataplane/ip/addr.h"

#include <stddef.h>
#include <stdint.h>

/* Adds len bytes to a running sum. Only the last piece of a message may have an odd length. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* Adds bytes that begin `at` bytes from the start of the message: pieces of any length, in any
   order. */
uint64_t csum_add_at(uint64_t sum, const void *data, size_t len, uint32_t at);

/* Folds a running sum into the 16-bit one's complement sum, in the order in which it lies in
   memory. */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffffu);
	sum = (sum >> 32) + (sum & 0xffffffffu);
	sum = (sum >> 16) + (sum & 0xffffu);
	sum = (sum >> 16) + (sum & 0xffffu);
	return (uint16_t)sum;
}

/* The checksum field's value for the bytes, as it lies in memory. 0 for bytes that contain a
   right one. */
uint16_t csum_of(const void *data, size_t len);

/* The running sum of the TCP pseudo header for IPv4 (RFC 9293, 3.1). Addresses as they lie on the
   wire; len: of the segment, host order. */
uint64_t csum_pseudo_v4(uint32_t src_be, uint32_t dst_be, uint8_t proto, uint32_t len);

/* The same for addresses of either family (RFC 8200, 8.1). What distinguishes the mapped form of an
   IPv4 address from its four bytes, the word ffff, is zero in one's complement. */
static inline uint64_t csum_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t len)
{
	const unsigned __int128 sum = (unsigned __int128)src->w[0] + src->w[1] + dst->w[0] +
				      dst->w[1] +
				      __builtin_bswap32((uint32_t)proto << 16 | (len & 0xffffu));
	const uint64_t low = (uint64_t)sum, carries = (uint64_t)(sum >> 64);

	return low + carries + (low + carries < low);
}

#endif
