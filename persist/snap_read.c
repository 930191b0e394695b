/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading snapshots: finding the newest at open, pinning it, its bytes.
 */
#include "checks.h"
#include "persist/crc64.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int damaged(char *err, size_t err_len, const char *what)
{
	return pool_error(err, err_len, -EBADMSG, "pool is damaged: snapshot manifest: %s", what);
}

/* Checks one block and appends its entries to the pieces. NULL if good. */
static const char *block_load(struct snap_area *area, struct snap *snap, uint32_t ext,
	uint32_t index, uint32_t nr_all, uint32_t *next)
{
	uint32_t extent_size = area->pool->extent_size;
	const uint8_t *from = pool_ext_addr(area->pool, ext);
	struct manifest_head head;
	uint32_t crc;

	memcpy(&head, from, sizeof(head));
	if (head.magic != MANIFEST_MAGIC || head.index != index || head.snap_off != snap->off)
		return "not the block expected";
	if (head.nr == 0 || head.nr > nr_all - snap->nr_pieces ||
		head.nr > (extent_size - MANIFEST_HEADER) / MANIFEST_ENTRY)
		return "number of entries";
	crc = head.crc;
	head.crc = 0;
	if (crc != crc32c(crc32c(MANIFEST_CRC_SEED, &head, sizeof(head)), from + sizeof(head),
			   head.nr * sizeof(struct manifest_entry)))
		return "checksum";
	for (uint32_t i = 0; i < head.nr; i++) {
		struct manifest_entry entry;
		memcpy(&entry, from + sizeof(head) + i * sizeof(entry), sizeof(entry));
		if (entry.len == 0 || entry.len > extent_size)
			return "length of an extent";
		if (!extent_take(area, entry.ext))
			return "extent named twice or outside";
		snap->pieces[snap->nr_pieces++] = (struct snap_piece){.pos = snap->size,
			.crc = entry.crc,
			.ext = entry.ext,
			.len = entry.len,
			.flags = entry.flags};
		snap->size += entry.len;
	}
	*next = head.next;
	return NULL;
}

static const char *manifest_load(struct snap_area *area, struct snap *snap)
{
	const struct pool_sb *sb = &area->pool->sb;
	uint32_t ext = sb->manifest_ext, last = EXTENT_NONE;

	/* Each round takes another extent, so the chain cannot turn back on itself. */
	for (uint32_t index = 0; snap->nr_pieces < sb->snap_pieces; index++) {
		const char *fault;
		if (!extent_take(area, ext))
			return "block named twice or outside";
		area->info[ext].next = EXTENT_NONE;
		if (last == EXTENT_NONE)
			snap->manifest_ext = ext;
		else
			area->info[last].next = ext;
		last = ext;
		fault = block_load(area, snap, ext, index, sb->snap_pieces, &ext);
		if (fault != NULL)
			return fault;
	}
	if (ext != EXTENT_NONE)
		return "too many blocks";
	return snap->size == sb->snap_size ? NULL : "total length";
}

int snap_area_load(struct snap_area *area, char *err, size_t err_len)
{
	const struct pool_sb *sb = &area->pool->sb;
	struct snap *snap = &area->snaps[0];
	const char *fault;

	if (sb->snap_pieces == 0)
		return 0;
	snap->pieces = calloc(sb->snap_pieces, sizeof(*snap->pieces));
	if (snap->pieces == NULL)
		return pool_error(err, err_len, -ENOMEM, "out of memory");
	snap->off = sb->snap_off;
	snap->meta.nr_keys = sb->snap_keys;
	snap->meta.ctime_s = sb->snap_ctime_s;
	snap->meta.stream_db = sb->snap_stream_db;
	snap->manifest_ext = EXTENT_NONE;
	atomic_store(&snap->state, SNAP_BUILDING); /* for snap_area_destroy() */
	fault = manifest_load(area, snap);
	if (fault != NULL)
		return damaged(err, err_len, fault);
	snap_newest_set(area->pool, snap);
	return 0;
}

void snap_newest_set(struct pool *pool, struct snap *snap)
{
	struct snap *old;

	if (snap != NULL) {
		atomic_store(&snap->state, SNAP_PUBLISHED);
		/* Pairs with snap_newest_get(). */
		atomic_store_explicit(&snap->pins, 1, memory_order_release);
	}
	old = atomic_exchange(&pool->snaps->newest, snap);
	if (old != NULL)
		snap_put(&old);
}

struct snap *snap_newest_get(struct pool *pool)
{
	for (;;) {
		struct snap *snap = atomic_load(&pool->snaps->newest);
		uint32_t pins;
		if (snap == NULL)
			return NULL;
		pins = atomic_load(&snap->pins);
		while (pins > 0) {
			/* Pairs with snap_newest_set(). */
			if (atomic_compare_exchange_weak(&snap->pins, &pins, pins + 1))
				return snap;
		}
		/* It was replaced and let go between the two loads: there is a newer one. */
	}
}

void snap_put(struct snap **snapp)
{
	struct snap *snap = *snapp;

	if (snap == NULL)
		return;
	*snapp = NULL;
	/* Everybody's reads come before the last one's freeing. */
	if (atomic_fetch_sub_explicit(&snap->pins, 1, memory_order_acq_rel) == 1)
		snap_slot_free(snap);
}

uint64_t snap_offset(const struct snap *snap)
{
	return snap->off;
}

uint64_t snap_size(const struct snap *snap)
{
	return snap->size;
}

void snap_meta_get(const struct snap *snap, struct snap_meta *meta)
{
	*meta = snap->meta;
}

static bool begins_run(const struct snap *snap, uint32_t piece)
{
	return piece == 0 || (snap->pieces[piece].flags & MANIFEST_F_STREAM) != 0;
}

uint32_t snap_nr_runs(const struct snap *snap)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < snap->nr_pieces; i++)
		nr += begins_run(snap, i);
	return nr;
}

void snap_run(const struct snap *snap, uint32_t idx, uint64_t *from, uint64_t *to)
{
	uint32_t i = 0;

	*from = *to = snap->size;
	for (; i < snap->nr_pieces; i++) {
		if (begins_run(snap, i) && idx-- == 0)
			break;
	}
	if (i == snap->nr_pieces)
		return;
	*from = snap->pieces[i].pos;
	while (++i < snap->nr_pieces && !begins_run(snap, i))
		;
	if (i < snap->nr_pieces)
		*to = snap->pieces[i].pos;
}

/* The piece that pos lies in, which is below the size. */
static const struct snap_piece *piece_at(const struct snap *snap, uint64_t pos)
{
	uint32_t lo = 0, hi = snap->nr_pieces;

	/* The last piece that begins at or before pos. */
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (snap->pieces[mid].pos <= pos)
			lo = mid;
		else
			hi = mid;
	}
	return &snap->pieces[lo];
}

static bool piece_good(const struct snap *snap, const struct snap_piece *p)
{
	return crc64(0, pool_ext_addr(snap->pool, p->ext), p->len) == p->crc;
}

bool snap_extent_good(const struct snap *snap, uint64_t pos)
{
	return pos < snap->size && piece_good(snap, piece_at(snap, pos));
}

int snap_span(const struct snap *snap, uint64_t pos, const void **ptr, size_t *len)
{
	const struct snap_piece *p;

	if (pos > snap->size)
		return -ERANGE;
	if (pos == snap->size) {
		*ptr = NULL;
		*len = 0;
		return 0;
	}
	p = piece_at(snap, pos);
	*ptr = pool_ext_addr(snap->pool, p->ext) + (pos - p->pos);
	*len = p->len - (pos - p->pos);
	return 0;
}

int snap_verify(const struct snap *snap)
{
	for (uint32_t i = 0; i < snap->nr_pieces; i++) {
		if (!piece_good(snap, &snap->pieces[i]))
			return -EBADMSG;
	}
	return 0;
}

void snap_stats_get(const struct pool *pool, struct snap_stats *stats)
{
	const struct snap_area *area = pool->snaps;
	const struct snap *building = area->building;

	memset(stats, 0, sizeof(*stats));
	stats->extents_total = area->nr_extents;
	stats->extents_free = atomic_load(&area->nr_free);
	stats->extents_bytes = (uint64_t)area->nr_extents * pool->extent_size;
	stats->newest_bytes = pool->sb.snap_size;
	stats->newest_offset = pool->sb.snap_off;
	stats->published = area->published;
	stats->aborted = area->aborted;
	stats->no_space = atomic_load(&area->no_space);
	if (building == NULL || atomic_load(&building->state) != SNAP_BUILDING)
		return;
	for (unsigned int i = 0; i < snap_nr_open(pool) && building->streams != NULL; i++) {
		if (building->streams[i] != NULL)
			stats->building_bytes += atomic_load(&building->streams[i]->bytes);
	}
}
