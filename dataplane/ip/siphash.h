/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for short inputs, which RFC 6528
 * sequence numbers, SYN cookies and hash tables open to the network need.
 */
#ifndef MILLRACE_DATAPLANE_IP_SIPHASH_H
#define MILLRACE_DATAPLANE_IP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];
};

/* Reads a key from 16 bytes, little-endian as in the specification. */
struct siphash_key siphash_key_load(const uint8_t bytes[16]);

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);

#endif
