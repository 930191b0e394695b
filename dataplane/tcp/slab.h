/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Objects of one size, from blocks of many: connections come and go too often for malloc, and not
 * as it would have them. The number in use is bounded. One core.
 *
 *	block:  | header | object 0 | object 1 | ... | never used yet |
 *
 * Each object has a byte for its number, by which it finds its block. A block none of whose objects
 * is in use is given back, its pages to the system too, if another block's worth of free objects is
 * left: what was taken for a crowd does not stay.
 */
#ifndef MILLRACE_DATAPLANE_TCP_SLAB_H
#define MILLRACE_DATAPLANE_TCP_SLAB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct slab_block;
LIST_HEAD(slab_list, slab_block);

struct slab {
	struct slab_list partial; /* blocks with room; all others are full */
	uint32_t size;            /* of an object, bytes */
	uint32_t index_at;
	uint32_t nr_used; /* may be read by any core (relaxed) */
	uint32_t nr_max;
	uint32_t nr_per_block;
	uint32_t nr_blocks;
};

/* What an object of so many bytes takes in a slab. */
size_t slab_footprint(size_t size);
/* index_at: where an object has a byte that belongs to the slab, behind its first 8 bytes. */
void slab_init(struct slab *slab, size_t size, size_t index_at, uint32_t nr_max);

/* Frees the blocks; every object has been put. */
void slab_fini(struct slab *slab);

/* Returns an owned object, zeroed, or NULL when the bound is reached or memory is out. */
void *slab_get(struct slab *slab);
/* The same, and nothing is said of what is in it. */
void *slab_get_raw(struct slab *slab);

void slab_put(struct slab *slab, void *obj);

#endif
