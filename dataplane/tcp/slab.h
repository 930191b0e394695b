/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Objects of one size, from blocks that are kept until the end: connections come and go too often
 * for malloc. The number in use is bounded. One core.
 */
#ifndef MILLRACE_DATAPLANE_TCP_SLAB_H
#define MILLRACE_DATAPLANE_TCP_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab_block;
struct slab_free;

struct slab {
	struct slab_free *free;
	struct slab_block *blocks;
	size_t size;      /* of an object, bytes */
	uint32_t nr_used; /* may be read by any core (relaxed) */
	uint32_t nr_max;
	uint32_t nr_per_block;
};

/* What an object of so many bytes takes in a slab. */
size_t slab_footprint(size_t size);
void slab_init(struct slab *slab, size_t size, uint32_t nr_max, uint32_t nr_per_block);

/* Frees the blocks; every object has been put. */
void slab_fini(struct slab *slab);

/* Returns an owned object, zeroed, or NULL when the bound is reached or memory is out. */
void *slab_get(struct slab *slab);
/* The same, and nothing is said of what is in it. */
void *slab_get_raw(struct slab *slab);

void slab_put(struct slab *slab, void *obj);

#endif
