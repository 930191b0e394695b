/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SipHash-c-d, a keyed hash of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012). The keyspace uses 1-3: fast, and still nobody can make keys collide without
 * knowing the seed.
 */
#ifndef MILLRACE_APP_KEYSPACE_HASH_H
#define MILLRACE_APP_KEYSPACE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash_seed {
	uint64_t k0, k1;
};

static inline uint64_t hash_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* The key from its 16 bytes, as the paper orders them. */
static inline struct hash_seed hash_seed_load(const uint8_t bytes[16])
{
	return (struct hash_seed){hash_le64(bytes), hash_le64(bytes + 8)};
}

static inline uint64_t hash_rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static inline void hash_rounds(uint64_t v[4], int n)
{
	for (int i = 0; i < n; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = hash_rotl(v[1], 13) ^ v[0];
		v[3] = hash_rotl(v[3], 16) ^ v[2];
		v[0] = hash_rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = hash_rotl(v[1], 17) ^ v[2];
		v[3] = hash_rotl(v[3], 21) ^ v[0];
		v[2] = hash_rotl(v[2], 32);
	}
}

/* The bytes left over behind the last whole word, which end at end, with the length on top. A word
 * that overlaps with the one before holds them too. */
static inline uint64_t hash_tail(const uint8_t *end, size_t len)
{
	uint64_t word = (uint64_t)len << 56;
	size_t n = len & 7;

	if (n && len > 8)
		return word | hash_le64(end - 8) >> (64 - 8 * n);
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)end[(ptrdiff_t)i - (ptrdiff_t)n] << (8 * i);
	return word;
}

/* SipHash-c-d: c rounds a word, d at the end; constants in every caller, so that the loops
 * unroll. */
static inline __attribute__((always_inline)) uint64_t hash_siphash(
	const struct hash_seed *key, const void *data, size_t len, int c, int d)
{
	uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
		key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};
	const uint8_t *p = data;
	uint64_t word;

	for (size_t i = 0; i < len / 8; i++, p += 8) {
		word = hash_le64(p);
		v[3] ^= word;
		hash_rounds(v, c);
		v[0] ^= word;
	}
	word = hash_tail(p + (len & 7), len);
	v[3] ^= word;
	hash_rounds(v, c);
	v[0] ^= word;
	v[2] ^= 0xff;
	hash_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The hash of keys: SipHash-1-3. */
static inline uint64_t hash_key(const struct hash_seed *seed, const void *data, size_t len)
{
	return hash_siphash(seed, data, len, 1, 3);
}

#endif
