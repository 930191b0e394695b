/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Log bytes that the ring is about to lose and somebody still has to be sent: copied into extents
 * that nobody uses.
 *
 *	ring            ......[ log_start ........ watermark ]
 *	kept   [ start ............... end )
 *
 * Not durable: no manifest names the extents, so after a crash they are free. One thread advances
 * and releases (core 0); any thread reads. A byte below the watermark never changes, so a copy of
 * it is as good as the ring's for ever.
 *
 * Snapshots go before: room for another one of the newest's size is always left.
 */
#ifndef MILLRACE_PERSIST_LOG_KEEP_H
#define MILLRACE_PERSIST_LOG_KEEP_H

#include "persist/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_keep;

/* Of a pool whose log is there. NULL: no memory. */
struct log_keep *log_keep_create(struct pool *pool);
void log_keep_destroy(struct log_keep **keep); /* NULL-safe; before the pool is closed */

/*
 * Copies up to @max bytes more, up to the watermark; when nothing is kept, from @from on. Returns
 * 0; -ERANGE when the ring has lost what comes next, -ENOSPC when there is no room (what is kept
 * stays), -ENOMEM.
 */
int log_keep_advance(struct log_keep *keep, uint64_t from, uint64_t max);
/* Forgets what lies below @from; UINT64_MAX: everything. */
void log_keep_release(struct log_keep *keep, uint64_t from);

/* What is kept: [*start, *end); false: nothing. Any thread. */
bool log_keep_range(struct log_keep *keep, uint64_t *start, uint64_t *end);
/* Copies [@off, @off + @len). 0, or -ERANGE when not all of it is kept. Any thread. */
int log_keep_copy(struct log_keep *keep, uint64_t off, void *dst, size_t len);

#endif
