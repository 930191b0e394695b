/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Building a snapshot: streams of bytes into free extents.
 */
#include "checks.h"
#include "persist/crc64.h"
#include "persist/log_priv.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From so many extents on a run is ended, which wastes half an extent. */
#define RUN_EXTENTS 32u

static unsigned int nr_streams(const struct snap *snap)
{
	return snap_nr_open(snap->pool) + 2;
}

void snap_streams_free(struct snap *snap, bool with_extents)
{
	if (snap->streams == NULL)
		return;
	for (unsigned int i = 0; i < nr_streams(snap); i++) {
		if (snap->streams[i] != NULL && with_extents)
			extent_list_free(snap->pool->snaps, snap->streams[i]->first);
		free(snap->streams[i]);
	}
	free(snap->streams);
	snap->streams = NULL;
}

void snap_slot_free(struct snap *snap)
{
	struct snap_area *area = snap->pool->snaps;

	/* Once there are pieces, the extents are theirs. */
	snap_streams_free(snap, snap->pieces == NULL);
	for (uint32_t i = 0; snap->pieces != NULL && i < snap->nr_pieces; i++)
		extent_free(area, snap->pieces[i].ext);
	free(snap->pieces);
	snap->pieces = NULL;
	extent_list_free(area, snap->manifest_ext);
	/* Pairs with snap_begin(). */
	atomic_store_explicit(&snap->state, SNAP_FREE, memory_order_release);
}

int snap_begin(struct pool *pool, uint64_t off, struct snap **out)
{
	struct snap_area *area = pool->snaps;
	struct snap *snap = NULL;

	if (area->building != NULL)
		return -EBUSY;
	for (unsigned int i = 0; i < SNAP_MAX && snap == NULL; i++) {
		/* Pairs with snap_slot_free(). */
		if (atomic_load_explicit(&area->snaps[i].state, memory_order_acquire) == SNAP_FREE)
			snap = &area->snaps[i];
	}
	if (snap == NULL)
		return -EBUSY;
	snap->streams = calloc(nr_streams(snap), sizeof(struct snap_stream *));
	if (snap->streams == NULL)
		return -ENOMEM;
	snap->off = off;
	snap->size = 0;
	memset(&snap->meta, 0, sizeof(snap->meta));
	snap->foreign = false;
	snap->incarnation = pool->sb.incarnation;
	snap->nr_pieces = 0;
	snap->manifest_ext = EXTENT_NONE;
	atomic_store_explicit(&snap->state, SNAP_BUILDING, memory_order_relaxed);
	area->building = snap;
	*out = snap;
	return 0;
}

void snap_abort(struct snap **snapp)
{
	struct snap *snap = *snapp;

	if (snap == NULL)
		return;
	*snapp = NULL;
	snap->pool->snaps->building = NULL;
	snap->pool->snaps->aborted++;
	snap_slot_free(snap);
}

struct snap_stream *snap_stream_create(struct snap *snap, unsigned int idx)
{
	struct snap_stream *stream = malloc(sizeof(*stream));

	if (stream == NULL)
		return NULL;
	memset(stream, 0, offsetof(struct snap_stream, stage));
	stream->snap = snap;
	stream->first = EXTENT_NONE;
	stream->last = EXTENT_NONE;
	/* Streams start apart, so that they seldom meet in one word of the bitmap. */
	stream->cursor = (uint32_t)((uint64_t)snap->pool->nr_extents * idx / nr_streams(snap));
	snap->streams[idx] = stream;
	return stream;
}

int snap_stream_open(struct snap *snap, unsigned int idx, struct snap_stream **out)
{
	struct snap_stream *stream;

	if (idx >= snap_nr_open(snap->pool) || snap->streams == NULL)
		return -EINVAL;
	if (snap->streams[idx] != NULL)
		return -EBUSY;
	stream = snap_stream_create(snap, idx);
	if (stream == NULL)
		return -ENOMEM;
	*out = stream;
	return 0;
}

static void extent_finish(struct snap_stream *stream)
{
	struct extent_info *info;

	if (stream->last == EXTENT_NONE)
		return;
	info = &stream->snap->pool->snaps->info[stream->last];
	info->len = stream->pos;
	info->crc = stream->crc;
}

static int extent_next(struct snap_stream *stream)
{
	struct snap_area *area = stream->snap->pool->snaps;
	uint32_t ext = extent_alloc(area, &stream->cursor);

	if (ext == EXTENT_NONE) {
		atomic_fetch_add_explicit(&area->no_space, 1, memory_order_relaxed);
		return -ENOSPC;
	}
	extent_finish(stream);
	stream->run_extents = stream->cut ? 1 : stream->run_extents + 1;
	area->info[ext] = (struct extent_info){.next = EXTENT_NONE, .run = stream->cut};
	stream->cut = false;
	if (stream->last == EXTENT_NONE)
		stream->first = ext;
	else
		area->info[stream->last].next = ext;
	stream->last = ext;
	stream->nr_extents++;
	stream->pos = 0;
	stream->crc = 0;
	return 0;
}

static int extents_put(struct snap_stream *stream, const uint8_t *p, size_t len)
{
	struct pool *pool = stream->snap->pool;
	uint32_t extent_size = pool->extent_size;

	while (len > 0) {
		size_t n;
		if (stream->last == EXTENT_NONE || stream->pos == extent_size || stream->cut) {
			int rc = extent_next(stream);
			if (rc != 0)
				return rc;
		}
		n = len < extent_size - stream->pos ? len : extent_size - stream->pos;
		flush_copy(&pool->flush, pool_ext_addr(pool, stream->last) + stream->pos, p, n);
		stream->crc = crc64(stream->crc, p, n);
		stream->pos += (uint32_t)n;
		p += n;
		len -= n;
	}
	return 0;
}

static int stage_drain(struct snap_stream *stream)
{
	uint32_t len = stream->stage_len;

	stream->stage_len = 0;
	return extents_put(stream, stream->stage, len);
}

int snap_stream_write(struct snap_stream *stream, const void *buf, size_t len)
{
	ASSERT(!stream->done);
	if (stream->err != 0)
		return stream->err;
	if (len >= SNAP_STAGE_DIRECT || stream->stage_len + len > SNAP_STAGE_SIZE)
		stream->err = stage_drain(stream);
	if (len < SNAP_STAGE_DIRECT) {
		memcpy(stream->stage + stream->stage_len, buf, len);
		stream->stage_len += (uint32_t)len;
	} else if (stream->err == 0) {
		stream->err = extents_put(stream, buf, len);
	}
	log_count(&stream->bytes, len);
	return stream->err;
}

bool snap_stream_cut(struct snap_stream *stream)
{
	if (stream->run_extents < RUN_EXTENTS || stream->err != 0)
		return false;
	stream->err = stage_drain(stream);
	stream->cut = true;
	stream->run_extents = 0;
	return true;
}

int snap_stream_done(struct snap_stream *stream)
{
	if (stream->err == 0 && !stream->done) {
		stream->err = stage_drain(stream);
		extent_finish(stream);
		/* The copies are this thread's; so must the fence be. */
		flush_fence(&stream->snap->pool->flush);
	}
	stream->done = true;
	return stream->err;
}
