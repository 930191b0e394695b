/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/keys.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The alias method: keys with less than an average share fill the rest of their slot with a part of
 * one that has more. `share` holds each key's share in slots (1 is the average), and work holds the
 * poor from the front and the rich from the back. */
static void slots_fill(struct keys_slot *slots, double *share, uint32_t *work, uint32_t nr)
{
	uint32_t poor = 0, rich = nr;

	for (uint32_t i = 0; i < nr; i++) {
		if (share[i] < 1)
			work[poor++] = i;
		else
			work[--rich] = i;
	}
	while (poor > 0 && rich < nr) {
		const uint32_t low = work[--poor], high = work[rich];

		slots[low].own = (uint32_t)(share[low] * 0x1p32);
		slots[low].other = keys_scatter(high, nr);
		share[high] -= 1 - share[low];
		if (share[high] < 1) {
			rich++;
			work[poor++] = high;
		}
	}
	/* What is left has a whole slot, but for what rounding took. */
	while (poor > 0) {
		const uint32_t i = work[--poor];

		slots[i] = (struct keys_slot){UINT32_MAX, keys_scatter(i, nr)};
	}
	for (; rich < nr; rich++)
		slots[work[rich]] = (struct keys_slot){UINT32_MAX, keys_scatter(work[rich], nr)};
}

int keys_dist_init(struct keys_dist *dist, uint32_t nr, double theta)
{
	double *share = NULL, sum = 0;
	uint32_t *work = NULL;
	int rc = -ENOMEM;

	*dist = (struct keys_dist){.nr = nr, .theta = theta};
	if (theta == 0)
		return 0;
	dist->slots = malloc((size_t)nr * sizeof(*dist->slots));
	share = malloc((size_t)nr * sizeof(*share));
	work = malloc((size_t)nr * sizeof(*work));
	if (!dist->slots || !share || !work)
		goto out;
	for (uint32_t i = 0; i < nr; i++)
		sum += share[i] = pow(i + 1.0, -theta);
	for (uint32_t i = 0; i < nr; i++)
		share[i] *= nr / sum;
	slots_fill(dist->slots, share, work, nr);
	rc = 0;
out:
	free(share);
	free(work);
	if (rc)
		keys_dist_fini(dist);
	return rc;
}

void keys_dist_fini(struct keys_dist *dist)
{
	free(dist->slots);
	dist->slots = NULL;
}

void keys_init(struct keys *keys, const struct keys_dist *dist, uint64_t seed)
{
	keys->dist = dist;
	keys->rng.at = rng_mix(seed);
	keys->at = KEYS_BATCH;
}

void keys_refill(struct keys *keys)
{
	const struct keys_dist *dist = keys->dist;
	uint32_t part[KEYS_BATCH];

	for (uint32_t i = 0; i < KEYS_BATCH; i++) {
		const uint64_t random = rng_next(&keys->rng);

		keys->drawn[i] = rng_scale((uint32_t)(random >> 32), dist->nr);
		part[i] = (uint32_t)random;
		if (dist->slots)
			__builtin_prefetch(&dist->slots[keys->drawn[i]]);
	}
	for (uint32_t i = 0; dist->slots && i < KEYS_BATCH; i++) {
		const uint32_t at = keys->drawn[i];
		const struct keys_slot *slot = &dist->slots[at];

		keys->drawn[i] = part[i] < slot->own ? keys_scatter(at, dist->nr) : slot->other;
	}
	keys->at = 0;
}
