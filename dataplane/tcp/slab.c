/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Free lists in blocks. Objects are aligned to 64 bytes, so that hot fields lie in known cache
 * lines.
 */
#include "dataplane/tcp/slab.h"

#include "checks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLAB_ALIGN  64u
#define BLOCK_BYTES (16384u - 16) /* with malloc's own word: four pages */
#define PAGE_BYTES  4096u

#ifdef MILLRACE_CHECKS
#define SLAB_SCRIBBLE 1 /* what was put must not be used: it is made useless */
#else
#define SLAB_SCRIBBLE 0
#endif

struct slab_free {
	struct slab_free *next;
};

struct slab_block {
	LIST_ENTRY(slab_block) link; /* unless it is full */
	struct slab_free *free;
	void *raw; /* what malloc gave: the objects are aligned within */
	uint32_t nr_used;
	uint32_t nr_begun; /* from here on nothing was ever used */
	char objects[];
};

size_t slab_footprint(size_t size)
{
	return (size + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
}

void slab_init(struct slab *slab, size_t size, size_t index_at, uint32_t nr_max)
{
	memset(slab, 0, sizeof(*slab));
	LIST_INIT(&slab->partial);
	slab->size = (uint32_t)slab_footprint(size);
	slab->index_at = (uint32_t)index_at;
	slab->nr_max = nr_max;
	slab->nr_per_block =
		(BLOCK_BYTES - SLAB_ALIGN - (uint32_t)sizeof(struct slab_block)) / slab->size;
	if (slab->nr_per_block > UINT8_MAX + 1)
		slab->nr_per_block = UINT8_MAX + 1;
	BUG_ON(slab->nr_per_block == 0 || index_at < sizeof(struct slab_free) || index_at >= size);
}

/* The pages that lie wholly within it need not wait for malloc to have a use for them. */
static void block_free(struct slab *slab, struct slab_block *block)
{
	const uintptr_t begin =
		((uintptr_t)block->raw + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	const uintptr_t end = ((uintptr_t)block->raw + BLOCK_BYTES) & ~(uintptr_t)(PAGE_BYTES - 1);
	void *raw = block->raw;

	LIST_REMOVE(block, link);
	slab->nr_blocks--;
	madvise((void *)begin, end - begin, MADV_DONTNEED);
	free(raw);
}

void slab_fini(struct slab *slab)
{
	ASSERT(slab->nr_used == 0);
	while (!LIST_EMPTY(&slab->partial))
		block_free(slab, LIST_FIRST(&slab->partial));
}

static struct slab_block *block_make(struct slab *slab)
{
	char *raw = malloc(BLOCK_BYTES), *objects;
	struct slab_block *block;

	if (!raw)
		return NULL;
	objects = raw + sizeof(*block);
	objects += -(uintptr_t)objects & (SLAB_ALIGN - 1);
	block = (struct slab_block *)(objects - sizeof(*block));
	block->raw = raw;
	block->free = NULL;
	block->nr_used = block->nr_begun = 0;
	LIST_INSERT_HEAD(&slab->partial, block, link);
	slab->nr_blocks++;
	return block;
}

static uint8_t *index_of(const struct slab *slab, void *obj)
{
	return (uint8_t *)obj + slab->index_at;
}

static struct slab_block *block_of(const struct slab *slab, void *obj)
{
	char *objects = (char *)obj - (size_t)slab->size * *index_of(slab, obj);

	return (struct slab_block *)(objects - sizeof(struct slab_block));
}

/* One that was not used before. */
static void *object_begin(const struct slab *slab, struct slab_block *block)
{
	void *obj = block->objects + (size_t)slab->size * block->nr_begun;

	*index_of(slab, obj) = (uint8_t)block->nr_begun++;
	return obj;
}

void *slab_get_raw(struct slab *slab)
{
	struct slab_block *block = LIST_FIRST(&slab->partial);
	struct slab_free *obj;

	if (slab->nr_used >= slab->nr_max)
		return NULL;
	if (!block) {
		block = block_make(slab);
		if (!block)
			return NULL;
	}
	obj = block->free;
	if (obj)
		block->free = obj->next;
	else
		obj = object_begin(slab, block);
	if (++block->nr_used == slab->nr_per_block)
		LIST_REMOVE(block, link);
	__atomic_store_n(&slab->nr_used, slab->nr_used + 1, __ATOMIC_RELAXED);
	return obj;
}

void *slab_get(struct slab *slab)
{
	void *obj = slab_get_raw(slab);
	uint8_t index;

	if (!obj)
		return NULL;
	index = *index_of(slab, obj);
	memset(obj, 0, slab->size);
	*index_of(slab, obj) = index;
	return obj;
}

/* Does one block more than needed stay, so that a number that goes up and down costs nothing? */
static bool can_spare(const struct slab *slab)
{
	return slab->nr_blocks * slab->nr_per_block - slab->nr_used >= 2 * slab->nr_per_block;
}

void slab_put(struct slab *slab, void *obj)
{
	struct slab_block *block = block_of(slab, obj);
	struct slab_free *f = obj;

	ASSERT(slab->nr_used > 0 && block->nr_used > 0);
	if (SLAB_SCRIBBLE) {
		const uint8_t index = *index_of(slab, obj);

		memset(obj, 0x5a, slab->size);
		*index_of(slab, obj) = index;
	}
	f->next = block->free;
	block->free = f;
	if (block->nr_used-- == slab->nr_per_block)
		LIST_INSERT_HEAD(&slab->partial, block, link);
	__atomic_store_n(&slab->nr_used, slab->nr_used - 1, __ATOMIC_RELAXED);
	if (block->nr_used == 0 && can_spare(slab))
		block_free(slab, block);
}
