/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Histogram of times in nanoseconds with a bounded relative error: log-linear buckets.
 *
 * Values below 2^HIST_SUB_BITS have a bucket each. Above, every power of two is cut into
 * 2^HIST_SUB_BITS equal buckets, so that a bucket is narrower than 1/128 of what it holds:
 *
 *	  0 .. 127      each its own
 *	128 .. 255      128 buckets of 1
 *	256 .. 511      128 buckets of 2
 *	...
 *	2^40 .. 2^41-1  128 buckets of 2^33; anything longer is counted in the last
 *
 * A percentile is told as the upper end of its bucket, never beyond the largest value seen: at most
 * 1/128 too much, never too little. One writer; another thread may copy it while it is written and
 * sees each count as it was at some moment.
 */
#ifndef MILLRACE_PERF_LOAD_HIST_H
#define MILLRACE_PERF_LOAD_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7u
#define HIST_MAX_BITS 41u
#define HIST_BUCKETS  ((HIST_MAX_BITS - HIST_SUB_BITS + 1u) << HIST_SUB_BITS)

struct hist {
	uint64_t nr;
	uint64_t sum;
	uint64_t max;
	uint64_t min; /* UINT64_MAX: nothing recorded */
	uint64_t buckets[HIST_BUCKETS];
};

static inline uint32_t hist_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < (1u << HIST_SUB_BITS))
		return (uint32_t)value;
	if (value >> HIST_MAX_BITS)
		return HIST_BUCKETS - 1;
	shift = 63u - (uint32_t)__builtin_clzll(value) - HIST_SUB_BITS;
	return (shift << HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

/* The largest value that falls into the bucket (the last one's: of those that are not longer than
 * the range). */
uint64_t hist_bucket_top(uint32_t bucket);

static inline void hist_store(uint64_t *at, uint64_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static inline void hist_add(struct hist *h, uint64_t value)
{
	uint64_t *at = &h->buckets[hist_bucket(value)];

	hist_store(at, *at + 1);
	hist_store(&h->nr, h->nr + 1);
	hist_store(&h->sum, h->sum + value);
	if (value > h->max)
		hist_store(&h->max, value);
	if (value < h->min)
		hist_store(&h->min, value);
}

void hist_init(struct hist *h);
/* to += from, which may be in use by its writer. nr of `to` stays the sum of its buckets. */
void hist_merge(struct hist *to, const struct hist *from);
/* later -= earlier, an older copy of it: what came between them. The extremes are then known only
 * to a bucket. */
void hist_subtract(struct hist *later, const struct hist *earlier);
/* The value below or at which the fraction 0..1 of all lies (nearest rank). 0: nothing recorded. */
uint64_t hist_percentile(const struct hist *h, double fraction);
double hist_mean(const struct hist *h);

#endif
