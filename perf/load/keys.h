/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which key a request is for: numbers 0..nr-1, drawn uniformly or by Zipf's law.
 *
 * Zipf: the key of rank r (1, 2, ...) is drawn with a probability in proportion to 1/r^theta. The
 * probabilities are exact, for any theta, by the alias method: a table of nr slots, each shared by
 * its own key and at most one other, so that a draw is one random number and one look into the
 * table. Ranks are scattered over the keys by a bijection, so that the keys that are in demand are
 * not those that were stored first.
 *
 * Draws are made KEYS_BATCH at a time, with the table's lines prefetched.
 */
#ifndef MILLRACE_PERF_LOAD_KEYS_H
#define MILLRACE_PERF_LOAD_KEYS_H

#include "perf/load/rng.h"

#include <stdint.h>

#define KEYS_BATCH 64u
#define KEYS_MAX   (1u << 30)

struct keys_slot {
	uint32_t own;   /* of 2^32: how much of the slot is the own key's */
	uint32_t other; /* whose the rest is, as a number of a key */
};

/* What is drawn from; shared by all threads, read only. */
struct keys_dist {
	uint32_t nr;
	double theta;            /* 0: uniform */
	struct keys_slot *slots; /* NULL: uniform; slot i's own key is keys_scatter(i) */
};

/* One thread's draws. */
struct keys {
	const struct keys_dist *dist;
	struct rng rng;
	uint32_t at;
	uint32_t drawn[KEYS_BATCH];
};

/* The key of rank - 1 = i. A bijection of [0, nr). */
static inline uint32_t keys_scatter(uint32_t i, uint32_t nr)
{
	/* A prime above any nr: has no factor in common with it. */
	return (uint32_t)((uint64_t)i * 2654435761u % nr);
}

/* 1 <= nr <= KEYS_MAX, theta >= 0. 0 or -ENOMEM. */
int keys_dist_init(struct keys_dist *dist, uint32_t nr, double theta);
void keys_dist_fini(struct keys_dist *dist);

/* Borrows dist. */
void keys_init(struct keys *keys, const struct keys_dist *dist, uint64_t seed);
void keys_refill(struct keys *keys);

static inline uint32_t keys_next(struct keys *keys)
{
	if (keys->at == KEYS_BATCH)
		keys_refill(keys);
	return keys->drawn[keys->at++];
}

#endif
