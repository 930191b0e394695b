/* SPDX-License-Identifier: BSD-3-Clause */
#include "persist/log_keep.h"

#include "persist/log.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Left to snapshots: as much as the newest takes, a quarter more, and so many extents. */
#define RESERVE_EXTENTS 8

struct log_keep {
	struct pool *pool;
	uint32_t cursor;

	/* lock guards what follows; held for the copy of a piece at most */
	pthread_spinlock_t lock;
	uint32_t *exts; /* owned: [first, first + nr), each of extent_size bytes */
	uint32_t first, nr, cap;
	uint64_t base; /* offset of the first extent's first byte */
	uint64_t start, end;
};

struct log_keep *log_keep_create(struct pool *pool)
{
	struct log_keep *keep = calloc(1, sizeof(*keep));

	if (keep == NULL)
		return NULL;
	keep->pool = pool;
	pthread_spin_init(&keep->lock, PTHREAD_PROCESS_PRIVATE);
	return keep;
}

void log_keep_destroy(struct log_keep **keepp)
{
	struct log_keep *keep = *keepp;

	if (keep == NULL)
		return;
	log_keep_release(keep, UINT64_MAX);
	pthread_spin_destroy(&keep->lock);
	free(keep->exts);
	free(keep);
	*keepp = NULL;
}

static bool leaves_room(const struct log_keep *keep)
{
	struct snap *newest = snap_newest_get(keep->pool);
	uint64_t needed = newest != NULL ? snap_size(newest) / keep->pool->extent_size : 0;

	snap_put(&newest);
	return atomic_load(&keep->pool->snaps->nr_free) > needed + needed / 4 + RESERVE_EXTENTS;
}

/* Room for one more number. */
static int exts_grow(struct log_keep *keep)
{
	uint32_t cap = keep->cap ? keep->cap * 2 : 64;
	uint32_t *exts;

	if (keep->first + keep->nr < keep->cap)
		return 0;
	pthread_spin_lock(&keep->lock);
	if (keep->first > 0)
		memmove(keep->exts, keep->exts + keep->first, keep->nr * sizeof(*keep->exts));
	keep->first = 0;
	pthread_spin_unlock(&keep->lock);
	if (keep->nr < keep->cap)
		return 0;
	exts = malloc(cap * sizeof(*exts));
	if (exts == NULL)
		return -ENOMEM;
	if (keep->nr > 0)
		memcpy(exts, keep->exts, keep->nr * sizeof(*exts));
	pthread_spin_lock(&keep->lock);
	free(keep->exts);
	keep->exts = exts;
	keep->cap = cap;
	pthread_spin_unlock(&keep->lock);
	return 0;
}

static int ext_add(struct log_keep *keep)
{
	int rc = exts_grow(keep);
	uint32_t ext;

	if (rc != 0)
		return rc;
	if (!leaves_room(keep))
		return -ENOSPC;
	ext = extent_alloc(keep->pool->snaps, &keep->cursor);
	if (ext == EXTENT_NONE)
		return -ENOSPC;
	keep->exts[keep->first + keep->nr++] = ext;
	return 0;
}

/* Where the byte at an offset lies, and how many follow it there. */
static uint8_t *place(const struct log_keep *keep, uint64_t off, uint64_t *room)
{
	uint64_t at = off - keep->base;
	uint32_t size = keep->pool->extent_size;

	*room = size - at % size;
	return pool_ext_addr(keep->pool, keep->exts[keep->first + at / size]) + at % size;
}

int log_keep_advance(struct log_keep *keep, uint64_t from, uint64_t max)
{
	struct log *log = keep->pool->log;

	if (keep->nr == 0) {
		pthread_spin_lock(&keep->lock);
		keep->base = keep->start = keep->end = from;
		pthread_spin_unlock(&keep->lock);
	}
	while (max > 0) {
		uint64_t left = log_watermark(log) - keep->end, room;
		uint8_t *to;
		int rc = 0;

		if (left == 0)
			break;
		if (keep->end - keep->base == (uint64_t)keep->nr * keep->pool->extent_size)
			rc = ext_add(keep);
		if (rc != 0)
			return rc;
		to = place(keep, keep->end, &room);
		room = room < left ? room : left;
		room = room < max ? room : max;
		if (log_copy(log, keep->end, to, room) != 0)
			return -ERANGE;
		pthread_spin_lock(&keep->lock);
		keep->end += room;
		pthread_spin_unlock(&keep->lock);
		max -= room;
	}
	return 0;
}

void log_keep_release(struct log_keep *keep, uint64_t from)
{
	uint32_t size = keep->pool->extent_size;

	if (keep->nr == 0)
		return;
	pthread_spin_lock(&keep->lock);
	if (from >= keep->end) {
		for (uint32_t i = 0; i < keep->nr; i++)
			extent_free(keep->pool->snaps, keep->exts[keep->first + i]);
		keep->nr = keep->first = 0;
		keep->start = keep->end;
	}
	while (keep->nr > 0 && from >= keep->base + size) {
		extent_free(keep->pool->snaps, keep->exts[keep->first]);
		keep->first++;
		keep->nr--;
		keep->base += size;
		keep->start = keep->base;
	}
	pthread_spin_unlock(&keep->lock);
}

bool log_keep_range(struct log_keep *keep, uint64_t *start, uint64_t *end)
{
	bool any;

	pthread_spin_lock(&keep->lock);
	any = keep->nr > 0;
	*start = keep->start;
	*end = keep->end;
	pthread_spin_unlock(&keep->lock);
	return any;
}

int log_keep_copy(struct log_keep *keep, uint64_t off, void *dst, size_t len)
{
	uint8_t *to = dst;
	int rc = 0;

	pthread_spin_lock(&keep->lock);
	if (keep->nr == 0 || off < keep->start || off > keep->end || len > keep->end - off)
		rc = -ERANGE;
	while (rc == 0 && len > 0) {
		uint64_t room;
		const uint8_t *from = place(keep, off, &room);
		size_t n = room < len ? room : len;

		memcpy(to, from, n);
		to += n;
		off += n;
		len -= n;
	}
	pthread_spin_unlock(&keep->lock);
	return rc;
}
