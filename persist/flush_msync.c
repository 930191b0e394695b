/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flush variant for a shared mapping of an ordinary file: stores are durable once the pages are
 * written back, which msync() waits for.
 */
#include "persist/flush.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void msync_copy(void *ctx, void *dst, const void *src, size_t len)
{
	(void)ctx;
	memcpy(dst, src, len);
}

static void msync_fence(void *ctx)
{
	(void)ctx;
	atomic_thread_fence(memory_order_release);
}

static int msync_sync(void *ctx, const void *addr, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)addr & ~(page - 1);

	(void)ctx;
	if (len == 0)
		return 0;
	return msync((void *)from, (uintptr_t)addr + len - from, MS_SYNC) == 0 ? 0 : -errno;
}

const struct flush_ops flush_msync_ops = {
	.name = "msync",
	.grouped = true,
	.copy = msync_copy,
	.fence = msync_fence,
	.sync = msync_sync,
	.persist = msync_sync,
};
