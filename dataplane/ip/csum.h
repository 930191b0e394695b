/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Internet checksum (RFC 1071), eight bytes a step.
 */
#ifndef MILLRACE_DATAPLANE_IP_CSUM_H
#define MILLRACE_DATAPLANE_IP_CSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds len bytes to a running sum. Only the last piece of a message may have an odd length. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* Folds a running sum into the 16-bit one's complement sum, in the order in which it lies in
   memory. */
uint16_t csum_fold(uint64_t sum);

/* The checksum field's value for the bytes, as it lies in memory. 0 for bytes that contain a
   right one. */
uint16_t csum_of(const void *data, size_t len);

/* The running sum of the TCP pseudo header for IPv4 (RFC 9293, 3.1). Addresses as they lie on the
   wire; len: of the segment, host order. */
uint64_t csum_pseudo_v4(uint32_t src_be, uint32_t dst_be, uint8_t proto, uint32_t len);

#endif
