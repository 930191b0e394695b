/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flush variant for persistent memory. libpmem copies with non-temporal stores, or with ordinary
 * ones followed by cache line write-backs where that is cheaper; its drain is the store fence that
 * both need.
 */
#include "persist/flush.h"

#include <libpmem.h>

static void pmem_copy(void *ctx, void *dst, const void *src, size_t len)
{
	(void)ctx;
	pmem_memcpy(dst, src, len, PMEM_F_MEM_NODRAIN);
}

static void pmem_fence(void *ctx)
{
	(void)ctx;
	pmem_drain();
}

static int pmem_sync(void *ctx, const void *addr, size_t len)
{
	(void)ctx;
	(void)addr;
	(void)len;
	return 0;
}

static int pmem_persist_range(void *ctx, const void *addr, size_t len)
{
	(void)ctx;
	pmem_persist(addr, len);
	return 0;
}

const struct flush_ops flush_pmem_ops = {
	.name = "pmem",
	.grouped = false,
	.copy = pmem_copy,
	.fence = pmem_fence,
	.sync = pmem_sync,
	.persist = pmem_persist_range,
};
