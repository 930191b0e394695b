/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/hist.h"

#include <math.h>
#include <string.h>

uint64_t hist_bucket_top(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < (1u << HIST_SUB_BITS))
		return bucket;
	shift = (bucket >> HIST_SUB_BITS) - 1;
	return ((uint64_t)(bucket - (shift << HIST_SUB_BITS)) + 1) * (UINT64_C(1) << shift) - 1;
}

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

static uint64_t load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

void hist_merge(struct hist *to, const struct hist *from)
{
	const uint64_t max = load(&from->max), min = load(&from->min);

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		const uint64_t n = load(&from->buckets[i]);

		to->buckets[i] += n;
		to->nr += n;
	}
	to->sum += load(&from->sum);
	if (max > to->max)
		to->max = max;
	if (min < to->min)
		to->min = min;
}

void hist_subtract(struct hist *later, const struct hist *earlier)
{
	const uint64_t max = later->max;

	later->nr = 0;
	later->sum -= earlier->sum;
	later->max = 0;
	later->min = UINT64_MAX;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		later->buckets[i] -= earlier->buckets[i];
		later->nr += later->buckets[i];
		if (!later->buckets[i])
			continue;
		later->max = hist_bucket_top(i);
		if (later->min == UINT64_MAX)
			later->min = i ? hist_bucket_top(i - 1) + 1 : 0;
	}
	if (later->max > max || later->buckets[HIST_BUCKETS - 1])
		later->max = max;
}

uint64_t hist_percentile(const struct hist *h, double fraction)
{
	uint64_t rank, seen = 0;

	if (!h->nr)
		return 0;
	rank = (uint64_t)ceil(fraction * (double)h->nr);
	if (rank < 1)
		rank = 1;
	for (uint32_t i = 0; i < HIST_BUCKETS - 1; i++) {
		seen += h->buckets[i];
		if (seen >= rank)
			return hist_bucket_top(i) < h->max ? hist_bucket_top(i) : h->max;
	}
	return h->max;
}

double hist_mean(const struct hist *h)
{
	return h->nr ? (double)h->sum / (double)h->nr : 0;
}
