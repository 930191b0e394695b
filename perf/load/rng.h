/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random numbers for load: fast, of good quality, reproducible from a seed; not secret.
 *
 * A counter that advances by an odd constant, put through a mixing function that is a bijection of
 * 64 bits (multiply and xor-shift rounds): the sequence repeats only after 2^64 numbers.
 */
#ifndef MILLRACE_PERF_LOAD_RNG_H
#define MILLRACE_PERF_LOAD_RNG_H

#include <stdint.h>

struct rng {
	uint64_t at;
};

static inline uint64_t rng_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->at += UINT64_C(0x9e3779b97f4a7c15);
	return rng_mix(rng->at);
}

/* Uniform in [0, n), n > 0, by the upper bits of a product: a bias of n / 2^32 at most. */
static inline uint32_t rng_scale(uint32_t random, uint32_t n)
{
	return (uint32_t)((uint64_t)random * n >> 32);
}

#endif
