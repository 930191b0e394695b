/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots in memory, shared by extent.c (which extents are free), snap_write.c (building),
 * snap_publish.c (sealing, publishing) and snap_read.c (pins, reading). Not for anyone else.
 *
 * A snapshot lives in one of SNAP_MAX slots. Its state goes FREE -> BUILDING -> SEALED -> PUBLISHED
 * under the control thread. Pins are above 0 only while PUBLISHED: one is the pool's own as long
 * as the snapshot is the newest, each reader adds one, and who takes the last one away frees the
 * slot. A pin can only be added to a count above 0, so a slot is never freed under a reader.
 */
#ifndef MILLRACE_PERSIST_SNAP_PRIV_H
#define MILLRACE_PERSIST_SNAP_PRIV_H

#include <stdatomic.h>

#include "persist/pool_priv.h"
#include "persist/snapshot.h"

#define SNAP_MAX          8
#define SNAP_STAGE_SIZE   4096
#define SNAP_STAGE_DIRECT 1024 /* pieces from this size on bypass the stage */

/* Piece of the RDB file: the first @len bytes of an extent. */
struct snap_piece {
	uint64_t pos;
	uint64_t crc;
	uint32_t ext;
	uint32_t len;
	uint32_t flags;
};

/* While building: the extents of a stream in order, as a list. */
struct extent_info {
	uint32_t next;
	uint32_t len;
	bool run; /* a run begins with it */
	uint64_t crc;
};

enum snap_state { SNAP_FREE, SNAP_BUILDING, SNAP_SEALED, SNAP_PUBLISHED };

struct snap {
	struct pool *pool;
	_Atomic int state;
	_Atomic uint32_t pins;
	uint64_t off;
	uint64_t size;
	struct snap_meta meta;
	bool foreign;
	uint32_t incarnation; /* of the log at snap_begin() */
	struct snap_stream *
		*streams; /* those of writers, then prefix, then trailer; NULL once published */
	struct snap_piece *pieces; /* once sealed */
	uint32_t nr_pieces;
	uint32_t manifest_ext; /* first of a list of extents, linked by extent_info */
};

struct snap_stream {
	struct snap *snap;
	uint32_t first, last; /* extents; EXTENT_NONE */
	uint32_t nr_extents;
	uint32_t pos; /* in the last extent */
	uint32_t stage_len;
	uint32_t cursor; /* where to look for a free extent */
	uint64_t crc;    /* of the last extent so far */
	int err;
	uint32_t run_extents; /* of the run under way */
	bool cut;             /* the next byte begins a run */
	bool done;
	_Atomic uint64_t bytes; /* written by the owner only */
	uint8_t stage[SNAP_STAGE_SIZE];
};

struct snap_area {
	struct pool *pool;
	_Atomic uint32_t nr_extents; /* rises in extents_add() */
	/* Both have room for pool->max_extents; memory that is not reached is not touched. */
	_Atomic uint64_t *used; /* one bit an extent */
	struct extent_info *info;
	_Atomic uint32_t nr_free;
	_Atomic(struct snap *) newest;
	struct snap *building; /* the control thread's */
	struct snap snaps[SNAP_MAX];
	uint64_t published, aborted; /* the control thread's */
	_Atomic uint64_t no_space;
};

/* All extents free, no snapshot. NULL: no memory. */
struct snap_area *snap_area_create(struct pool *pool);
void snap_area_destroy(struct snap_area **area);

/* Reads the manifest that the superblock names and makes it the newest. 0, -EBADMSG, -ENOMEM. */
int snap_area_load(struct snap_area *area, char *err, size_t err_len);

/* Takes a free extent, looking from *@cursor on. EXTENT_NONE if there is none. Any thread. */
uint32_t extent_alloc(struct snap_area *area, uint32_t *cursor);
void extent_free(struct snap_area *area, uint32_t ext);
/* There are @nr now, which is more than before. Control thread. */
void extents_add(struct snap_area *area, uint32_t nr);
/* The number of the last one in use, plus 1. Nobody else uses the area. */
uint32_t extents_end(const struct snap_area *area);
/* Takes this very extent; false if it is taken. */
bool extent_take(struct snap_area *area, uint32_t ext);
/* Frees a list linked by extent_info. */
void extent_list_free(struct snap_area *area, uint32_t first);

/* Makes @snap (its pins 0; may be NULL) the newest, and takes the pool's pin off the one before. */
void snap_newest_set(struct pool *pool, struct snap *snap);

/* Frees everything a slot holds, and the slot. */
void snap_slot_free(struct snap *snap);

/* Frees the streams, with or without their extents. */
void snap_streams_free(struct snap *snap, bool with_extents);

/* Streams that writers may open. */
static inline unsigned int snap_nr_open(const struct pool *pool)
{
	return SNAP_STREAMS_EACH * pool->nr_writers;
}

/* Makes a stream without asking whether callers may use its number. NULL: no memory. */
struct snap_stream *snap_stream_create(struct snap *snap, unsigned int idx);

#endif
