/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The flush and fence seam: the only way by which persist/ changes pool memory.
 *
 * Order rule, for every medium: what was given to copy() is durable once the same thread has
 * called fence() and then some thread has called sync() on the range. On persistent memory the
 * fence does the work and sync() does nothing; on an ordinary file the fence only orders memory
 * and sync() does the work. Between copy() and that point any aligned 8-byte word of the copy may
 * or may not be on the medium, whatever happened to the words around it.
 *
 * Variants: flush_pmem.c (libpmem: non-temporal stores, sfence), flush_msync.c (ordinary file
 * mapping), flush_memory.c (memory that need not survive), flush_record.c (keeps every store, so
 * that tests can rebuild each image that a power cut could leave).
 */
#ifndef MILLRACE_PERSIST_FLUSH_H
#define MILLRACE_PERSIST_FLUSH_H

#include <stdbool.h>
#include <stddef.h>

struct flush_ops {
	const char *name;

	/* True: fence() alone makes nothing durable, so durability is bought by sync() in groups.
	 */
	bool grouped;

	/* Copies into pool memory. Source and destination do not overlap. Any thread. */
	void (*copy)(void *ctx, void *dst, const void *src, size_t len);

	/* See the order rule. Covers copies by the calling thread. */
	void (*fence)(void *ctx);

	/* See the order rule. Returns 0 or -errno. Blocks: never on a poll core when grouped. */
	int (*sync)(void *ctx, const void *addr, size_t len);

	/*
	 * Makes durable what memory shows at [addr, addr + len), whoever stored it, even a
	 * process that died before its fence. Returns 0 or -errno. Blocks as sync().
	 */
	int (*persist)(void *ctx, const void *addr, size_t len);
};

/* What a pool holds: the variant and its state. */
struct flush {
	const struct flush_ops *ops;
	void *ctx;
};

extern const struct flush_ops flush_pmem_ops;
extern const struct flush_ops flush_msync_ops;
extern const struct flush_ops flush_memory_ops;
extern const struct flush_ops flush_memory_grouped_ops;

static inline void flush_copy(const struct flush *f, void *dst, const void *src, size_t len)
{
	f->ops->copy(f->ctx, dst, src, len);
}

static inline void flush_fence(const struct flush *f)
{
	f->ops->fence(f->ctx);
}

static inline int flush_sync(const struct flush *f, const void *addr, size_t len)
{
	return f->ops->sync(f->ctx, addr, len);
}

static inline int flush_persist(const struct flush *f, const void *addr, size_t len)
{
	return f->ops->persist(f->ctx, addr, len);
}

#endif
