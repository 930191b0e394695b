/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random numbers: SplitMix64 (Steele, Lea and Flood, 2014), one state a thread.
 */
#include "app/keyspace/rand.h"

#include <stdatomic.h>

#define GOLDEN_GAMMA 0x9e3779b97f4a7c15u

static atomic_ullong nr_threads;
static _Thread_local uint64_t state;

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t ks_rand(void)
{
	if (state == 0) {
		uint64_t n = atomic_fetch_add_explicit(&nr_threads, 1, memory_order_relaxed);

		/* the address differs from run to run */
		state = mix((uint64_t)(uintptr_t)&state + GOLDEN_GAMMA * (n + 1));
	}
	state += GOLDEN_GAMMA;
	return mix(state);
}

void ks_rand_seed(uint64_t seed)
{
	state = mix(seed + GOLDEN_GAMMA);
}

uint64_t ks_rand_below(uint64_t n)
{
	return (uint64_t)((unsigned __int128)ks_rand() * n >> 64);
}
