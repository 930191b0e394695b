/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pool_space.h"

#include "app/control.h"
#include "app/snapshot.h"
#include "persist/log.h"
#include "persist/snapshot.h"

/* Warned of when the next snapshot would take so much of what is free, in percent; and again only
 * after it was below the second number. */
#define SHORT_PERCENT 90
#define AMPLE_PERCENT 75

/* As the newest one, grown as the data have. Without one: as the data are in memory. */
static uint64_t needed(const struct server *srv, uint64_t newest_bytes)
{
	uint64_t then = atomic_load_explicit(&srv->snapshot_memory, memory_order_relaxed);
	uint64_t now = server_used_memory(srv);

	if (newest_bytes == 0 || then == 0)
		return now;
	return (uint64_t)((double)newest_bytes * (double)now / (double)then);
}

void pool_space_get(const struct server *srv, struct pool_space *space)
{
	uint64_t rate = atomic_load_explicit(&srv->log_bytes_per_sec, memory_order_relaxed);
	struct snap_stats s;

	snap_stats_get(srv->pool, &s);
	space->free_bytes = s.extents_bytes / s.extents_total * s.extents_free;
	space->used_bytes = atomic_load(&srv->pool_bytes) - space->free_bytes;
	space->needed_bytes = needed(srv, s.newest_bytes);
	space->log_seconds_left = rate > 0 ? (int64_t)(log_space(srv->log) / rate) : -1;
}

void pool_space_learn(struct server *srv)
{
	atomic_store(&srv->snapshot_memory, server_used_memory(srv));
}

void pool_space_watch(struct server *srv)
{
	struct pool_space space;
	double percent;

	if (snapshot_active(srv)) /* it takes from what is free */
		return;
	pool_space_get(srv, &space);
	percent = space.free_bytes ? 100.0 * (double)space.needed_bytes / (double)space.free_bytes
				   : 1e9;
	if (percent < AMPLE_PERCENT)
		srv->pool_warned = false;
	if (percent < SHORT_PERCENT || srv->pool_warned)
		return;
	srv->pool_warned = true;
	server_log(srv, 3,
		"pool: room gets short: the next snapshot needs about %llu bytes, %llu are free; when it "
		"does not fit, writes are refused: CONFIG SET pmem-size makes the pool larger",
		(unsigned long long)space.needed_bytes, (unsigned long long)space.free_bytes);
}
