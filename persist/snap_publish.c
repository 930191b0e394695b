/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Turning a built snapshot into the newest one: trailer, manifest, sync; then the superblock.
 */
#include "checks.h"
#include "persist/crc64.h"
#include "persist/log_priv.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RDB_OPCODE_EOF    0xff
#define RDB_TRAILER_BYTES 9

/* A stream of the sealing thread's own: number @idx, with these bytes. */
static int stream_put(struct snap *snap, unsigned int idx, const void *buf, size_t len)
{
	struct snap_stream *stream = snap->streams[idx];
	int rc;

	if (stream == NULL)
		stream = snap_stream_create(snap, idx);
	if (stream == NULL)
		return -ENOMEM;
	rc = snap_stream_write(stream, buf, len);
	return rc != 0 ? rc : snap_stream_done(stream);
}

/* Appends the stream's extents to the pieces. */
static void pieces_add(struct snap *snap, struct snap_piece *pieces, uint32_t *nr, unsigned int idx)
{
	const struct extent_info *info = snap->pool->snaps->info;
	const struct snap_stream *stream = snap->streams[idx];
	uint32_t flags = MANIFEST_F_STREAM;

	if (stream == NULL)
		return;
	for (uint32_t ext = stream->first; ext != EXTENT_NONE; ext = info[ext].next) {
		pieces[(*nr)++] = (struct snap_piece){
			.pos = snap->size,
			.crc = info[ext].crc,
			.ext = ext,
			.len = info[ext].len,
			.flags = info[ext].run ? MANIFEST_F_STREAM : flags,
		};
		snap->size += info[ext].len;
		flags = 0;
	}
}

/* Number of extents of all streams, or -EINVAL if one is not done, or its sticky error. */
static int64_t streams_check(const struct snap *snap)
{
	int64_t nr = 0;

	for (unsigned int i = 0; i < snap_nr_open(snap->pool); i++) {
		const struct snap_stream *stream = snap->streams[i];
		if (stream == NULL)
			continue;
		if (stream->err != 0 || !stream->done)
			return stream->err != 0 ? stream->err : -EINVAL;
		nr += stream->nr_extents;
	}
	return nr;
}

static uint64_t pieces_crc(const struct snap_piece *pieces, uint32_t nr)
{
	uint64_t crc = 0;

	for (uint32_t i = 0; i < nr; i++)
		crc = crc64_combine(crc, pieces[i].crc, pieces[i].len);
	return crc;
}

/* Brings prefix, streams and trailer in order. On failure the streams still own the extents. */
static int pieces_build(struct snap *snap, const void *prefix, size_t prefix_len)
{
	unsigned int nr_open = snap_nr_open(snap->pool);
	int64_t nr_extents = streams_check(snap);
	uint8_t trailer[RDB_TRAILER_BYTES] = {RDB_OPCODE_EOF};
	struct snap_piece *pieces;
	uint32_t nr = 0;
	uint64_t crc;
	int rc = 0;

	if (nr_extents < 0)
		return (int)nr_extents;
	if (!snap->foreign)
		rc = stream_put(snap, nr_open, prefix, prefix_len);
	if (rc != 0)
		return rc;
	if (snap->streams[nr_open] != NULL)
		nr_extents += snap->streams[nr_open]->nr_extents;
	pieces = calloc((size_t)nr_extents + 1, sizeof(*pieces));
	if (pieces == NULL)
		return -ENOMEM;
	pieces_add(snap, pieces, &nr, nr_open);
	for (unsigned int i = 0; i < nr_open; i++)
		pieces_add(snap, pieces, &nr, i);
	if (!snap->foreign) {
		crc = crc64(pieces_crc(pieces, nr), trailer, 1);
		memcpy(trailer + 1, &crc, sizeof(crc));
		rc = stream_put(snap, nr_open + 1, trailer, sizeof(trailer));
		if (rc == 0)
			pieces_add(snap, pieces, &nr, nr_open + 1);
	} else if (nr == 0) {
		rc = -EINVAL;
	}
	if (rc != 0) {
		free(pieces);
		return rc;
	}
	snap->pieces = pieces;
	snap->nr_pieces = nr;
	return 0;
}

static int range_sync(struct pool *pool, uint32_t first, uint32_t last, uint32_t last_len)
{
	return flush_sync(&pool->flush, pool_ext_addr(pool, first),
		(uint64_t)(last - first) * pool->extent_size + last_len);
}

/* Syncs the data, neighbouring extents together. */
static int pieces_sync(struct snap *snap)
{
	const struct snap_piece *p = snap->pieces;
	uint32_t first = 0;
	int rc = 0;

	for (uint32_t i = 0; i < snap->nr_pieces && rc == 0; i++) {
		if (i + 1 < snap->nr_pieces && p[i + 1].ext == p[i].ext + 1)
			continue;
		rc = range_sync(snap->pool, p[first].ext, p[i].ext, p[i].len);
		first = i + 1;
	}
	return rc;
}

/* Takes the extents for the manifest's blocks, as a list. */
static int manifest_alloc(struct snap *snap, uint32_t nr_blocks)
{
	struct snap_area *area = snap->pool->snaps;
	uint32_t cursor = 0;

	for (uint32_t i = 0; i < nr_blocks; i++) {
		uint32_t ext = extent_alloc(area, &cursor);
		if (ext == EXTENT_NONE)
			return -ENOSPC;
		area->info[ext].next = snap->manifest_ext;
		snap->manifest_ext = ext;
	}
	return 0;
}

static int manifest_block_write(
	struct snap *snap, uint32_t ext, uint32_t index, uint32_t from, uint32_t nr)
{
	struct pool *pool = snap->pool;
	struct manifest_entry *entries = calloc(nr, sizeof(*entries));
	size_t bytes = nr * sizeof(*entries);
	uint8_t *to = pool_ext_addr(pool, ext);
	struct manifest_head head = {
		.magic = MANIFEST_MAGIC,
		.nr = nr,
		.next = pool->snaps->info[ext].next,
		.index = index,
		.snap_off = snap->off,
	};

	if (entries == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		const struct snap_piece *p = &snap->pieces[from + i];
		entries[i] = (struct manifest_entry){
			.ext = p->ext, .len = p->len, .crc = p->crc, .flags = p->flags};
	}
	head.crc = crc32c(crc32c(MANIFEST_CRC_SEED, &head, sizeof(head)), entries, bytes);
	flush_copy(&pool->flush, to, &head, sizeof(head));
	flush_copy(&pool->flush, to + sizeof(head), entries, bytes);
	free(entries);
	flush_fence(&pool->flush);
	return flush_sync(&pool->flush, to, sizeof(head) + bytes);
}

static int manifest_write(struct snap *snap)
{
	uint32_t per_block = (snap->pool->extent_size - MANIFEST_HEADER) / MANIFEST_ENTRY;
	uint32_t nr_blocks = (snap->nr_pieces + per_block - 1) / per_block;
	uint32_t index = 0, from = 0;
	int rc = manifest_alloc(snap, nr_blocks);

	for (uint32_t ext = snap->manifest_ext; rc == 0 && ext != EXTENT_NONE;
		ext = snap->pool->snaps->info[ext].next) {
		uint32_t nr = snap->nr_pieces - from;
		if (nr > per_block)
			nr = per_block;
		rc = manifest_block_write(snap, ext, index++, from, nr);
		from += nr;
	}
	return rc;
}

int snap_seal(struct snap *snap, const void *prefix, size_t prefix_len,
	const struct snap_meta *meta, bool foreign)
{
	int rc;

	if (atomic_load(&snap->state) != SNAP_BUILDING || snap->pieces != NULL)
		return -EINVAL;
	snap->meta = *meta;
	snap->foreign = foreign;
	rc = pieces_build(snap, prefix, prefix_len);
	if (rc == 0)
		rc = pieces_sync(snap);
	if (rc == 0)
		rc = manifest_write(snap);
	if (rc == 0)
		atomic_store(&snap->state, SNAP_SEALED);
	return rc;
}

static void sb_snap_set(struct pool_sb *sb, const struct snap *snap)
{
	sb->snap_off = snap->off;
	sb->snap_size = snap->size;
	sb->snap_keys = snap->meta.nr_keys;
	sb->snap_ctime_s = snap->meta.ctime_s;
	sb->snap_stream_db = snap->meta.stream_db;
	sb->snap_pieces = snap->nr_pieces;
	sb->manifest_ext = snap->manifest_ext;
	sb->flags &= ~SB_F_BASE_NONE;
}

static void newest_switch(struct snap **snapp)
{
	struct snap *snap = *snapp;
	struct snap_area *area = snap->pool->snaps;

	area->building = NULL;
	area->published++;
	snap_streams_free(snap, false);
	snap_newest_set(snap->pool, snap);
	*snapp = NULL;
}

int snap_publish(struct snap **snapp)
{
	struct snap *snap = *snapp;
	struct pool *pool = snap->pool;
	struct pool_sb next = pool->sb;

	/* After a reset its offset means another history. */
	if (atomic_load(&snap->state) != SNAP_SEALED || snap->foreign ||
		snap->off < next.snap_off || snap->incarnation != next.incarnation)
		return -EINVAL;
	/* Otherwise recovery would find a state that the log never reached. */
	if (log_durable(pool->log) < snap->off)
		log_flush(pool->log);
	if (log_durable(pool->log) < snap->off)
		return -EAGAIN;
	sb_snap_set(&next, snap);
	pool_sb_commit(pool, &next);
	log_base_set(pool->log, snap->off);
	newest_switch(snapp);
	return 0;
}

int snap_publish_foreign(struct snap **snapp, const struct pool_repl *repl)
{
	struct snap *snap = *snapp;
	struct pool *pool = snap->pool;
	struct pool_sb next = pool->sb;

	if (atomic_load(&snap->state) != SNAP_SEALED || !snap->foreign ||
		snap->off >= POOL_OFFSET_LIMIT || pool_sb_repl_set(&next, repl) != 0)
		return -EINVAL;
	log_restart_sb(pool->log, &next, snap->off);
	sb_snap_set(&next, snap);
	log_restart_commit(pool->log, &next);
	newest_switch(snapp);
	return 0;
}
