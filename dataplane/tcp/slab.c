/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Free list over blocks. Objects are aligned to 64 bytes, so that hot fields lie in known cache
 * lines.
 */
#include "dataplane/tcp/slab.h"

#include "checks.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_ALIGN 64u

#ifdef MILLRACE_CHECKS
#define SLAB_SCRIBBLE 1 /* what was put must not be used: it is made useless */
#else
#define SLAB_SCRIBBLE 0
#endif

struct slab_free {
	struct slab_free *next;
};

struct slab_block {
	struct slab_block *next;
	char pad[SLAB_ALIGN - sizeof(struct slab_block *)];
	char objects[];
};

size_t slab_footprint(size_t size)
{
	return (size + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
}

void slab_init(struct slab *slab, size_t size, uint32_t nr_max, uint32_t nr_per_block)
{
	memset(slab, 0, sizeof(*slab));
	slab->size = slab_footprint(size);
	slab->nr_max = nr_max;
	slab->nr_per_block = nr_per_block;
}

void slab_fini(struct slab *slab)
{
	ASSERT(slab->nr_used == 0);
	while (slab->blocks) {
		struct slab_block *block = slab->blocks;

		slab->blocks = block->next;
		free(block);
	}
	slab->free = NULL;
}

static int slab_grow(struct slab *slab)
{
	struct slab_block *block =
		aligned_alloc(SLAB_ALIGN, sizeof(*block) + slab->size * slab->nr_per_block);

	if (!block)
		return -1;
	block->next = slab->blocks;
	slab->blocks = block;
	for (uint32_t i = slab->nr_per_block; i > 0; i--) {
		struct slab_free *obj = (void *)(block->objects + slab->size * (i - 1));

		obj->next = slab->free;
		slab->free = obj;
	}
	return 0;
}

void *slab_get_raw(struct slab *slab)
{
	struct slab_free *obj;

	if (slab->nr_used >= slab->nr_max || (!slab->free && slab_grow(slab)))
		return NULL;
	obj = slab->free;
	slab->free = obj->next;
	__atomic_store_n(&slab->nr_used, slab->nr_used + 1, __ATOMIC_RELAXED);
	return obj;
}

void *slab_get(struct slab *slab)
{
	void *obj = slab_get_raw(slab);

	if (obj)
		memset(obj, 0, slab->size);
	return obj;
}

void slab_put(struct slab *slab, void *obj)
{
	struct slab_free *f = obj;

	ASSERT(slab->nr_used > 0);
	if (SLAB_SCRIBBLE)
		memset(obj, 0x5a, slab->size);
	f->next = slab->free;
	slab->free = f;
	__atomic_store_n(&slab->nr_used, slab->nr_used - 1, __ATOMIC_RELAXED);
}
