/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flush variants for memory that is not meant to survive: private views of a pool, tests. Any
 * thread.
 */
#include "persist/flush.h"

#include <stdatomic.h>
#include <string.h>

static void memory_copy(void *ctx, void *dst, const void *src, size_t len)
{
	(void)ctx;
	memcpy(dst, src, len);
}

static void memory_fence(void *ctx)
{
	(void)ctx;
	atomic_thread_fence(memory_order_release);
}

static int memory_sync(void *ctx, const void *addr, size_t len)
{
	(void)ctx;
	(void)addr;
	(void)len;
	return 0;
}

const struct flush_ops flush_memory_ops = {
	.name = "memory",
	.grouped = false,
	.copy = memory_copy,
	.fence = memory_fence,
	.sync = memory_sync,
	.persist = memory_sync,
};

const struct flush_ops flush_memory_grouped_ops = {
	.name = "memory-grouped",
	.grouped = true,
	.copy = memory_copy,
	.fence = memory_fence,
	.sync = memory_sync,
	.persist = memory_sync,
};
