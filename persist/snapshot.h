/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots: RDB files in extents of the pool. One is the newest; one may be building; older ones
 * live on while somebody has them pinned, and are gone after a crash.
 *
 *   prefix ext │ stream 0: ext ext ext │ stream 1: ext ext │ ... │ trailer ext
 *
 * Read one after another these bytes are one legal RDB file: the prefix (header and aux fields),
 * each stream a sequence of whole records that begins with its own SELECTDB, the EOF opcode and
 * the CRC64 of everything before it. The CRC of the whole is combined from the extents'.
 *
 * Crash: extents are written only while free, that is, while neither the newest manifest nor a
 * pinned snapshot names them. Manifest and data are durable before the superblock names the
 * manifest, and the superblock switches atomically. So after any crash the newest snapshot is
 * whole, and is either the one before or the one after.
 *
 * Threads: begin, publish, abort: control thread. seal: one thread that may block, after all
 * streams are done. A stream: one thread, usually a poll core. Readers and pins: any thread.
 */
#ifndef MILLRACE_PERSIST_SNAPSHOT_H
#define MILLRACE_PERSIST_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/pool.h"

struct snap;
struct snap_stream;

/* Kept with the snapshot, as given. */
struct snap_meta {
	uint64_t nr_keys;
	uint64_t ctime_s;  /* Unix time */
	int32_t stream_db; /* database that the replication stream had selected at S; -1 none */
};

/*
 * Starts a snapshot of the state at log offset @off. Returns 0 and *@snap (owned: publish or
 * abort), -EBUSY while another is building or too many old ones are pinned, or -ENOMEM.
 */
int snap_begin(struct pool *pool, uint64_t off, struct snap **snap);

/* Streams that a log writer may have. Records of two streams may be written in turns. */
#define SNAP_STREAMS_EACH 2u

/*
 * Stream number @idx of the snapshot (0..SNAP_STREAMS_EACH * nr_writers - 1), once each; control
 * thread or its core.
 * Returns 0 and *@stream (borrowed from @snap), -EINVAL or -EBUSY.
 */
int snap_stream_open(struct snap *snap, unsigned int idx, struct snap_stream **stream);

/*
 * Appends @len bytes. Returns 0, or -ENOSPC when the extents are exhausted: sticky, the snapshot
 * can only be aborted. Never blocks.
 */
int snap_stream_write(struct snap_stream *stream, const void *buf, size_t len);

/*
 * Between two records: ends the run, when it has become long, and returns true; then what is
 * written next has to be legal by itself. A run is what one core reads at recovery.
 */
bool snap_stream_cut(struct snap_stream *stream);

/* Ends a stream: on return its bytes are out of the thread's hands. 0 or the sticky -ENOSPC. */
int snap_stream_done(struct snap_stream *stream);

/*
 * The slow part of publishing: adds @prefix in front and the trailer at the end (none of it if
 * @foreign: the streams are a whole RDB already, in order of their numbers), writes the manifest
 * and makes everything durable. All opened streams are done. May run in another thread than the
 * control thread, since it may block for long on an ordinary file. Returns 0, -ENOSPC, -ENOMEM, or
 * -EINVAL (a stream is not done, sealed before, nothing in it), or what the medium
 * reports: after an error the snapshot can only be aborted.
 */
int snap_seal(struct snap *snap, const void *prefix, size_t prefix_len,
	const struct snap_meta *meta, bool foreign);

/*
 * Makes a sealed snapshot the newest, atomically and durably; the one before is freed when nobody
 * pins it. *@snap is consumed (NULL) on success. Returns 0; -EAGAIN when the log is not durable up
 * to the snapshot's offset yet (try again after the commit or flush); -EINVAL when not sealed,
 * older than the newest, or begun before the log was reset. Aborts if the medium fails.
 */
int snap_publish(struct snap **snap);

/*
 * The same for a snapshot received from a master (sealed as foreign): in the same atomic step the
 * log becomes empty at the snapshot's offset, under @repl. Writers quiesced, as for log_reset().
 */
int snap_publish_foreign(struct snap **snap, const struct pool_repl *repl);

/* Frees a building snapshot. NULL-safe, sets NULL. No stream may be in use. */
void snap_abort(struct snap **snap);

/* Pins the newest snapshot; NULL if there is none. Give back with snap_put(). Any thread. */
struct snap *snap_newest_get(struct pool *pool);
void snap_put(struct snap **snap);

/* Of a sealed or published snapshot. Any thread that holds a pin. */
uint64_t snap_offset(const struct snap *snap); /* S */
uint64_t snap_size(const struct snap *snap);   /* bytes of the RDB file */
void snap_meta_get(const struct snap *snap, struct snap_meta *meta);

/*
 * The contiguous bytes of the RDB file at @pos: *@ptr, *@len (0 at the end), valid while the
 * snapshot is pinned. Returns 0, or -ERANGE when @pos lies past the end.
 */
int snap_span(const struct snap *snap, uint64_t pos, const void **ptr, size_t *len);

/*
 * The runs, in the order of the file: [*@from, *@to). The first one of our own snapshots is the
 * prefix and the last one the trailer, and those between are sequences of whole records that each
 * begin with SELECTDB. A foreign one is a single run.
 */
uint32_t snap_nr_runs(const struct snap *snap);
void snap_run(const struct snap *snap, uint32_t idx, uint64_t *from, uint64_t *to);
/* Whether the bytes of the extent that @pos lies in have the CRC that they were written with. */
bool snap_extent_good(const struct snap *snap, uint64_t pos);

/* Reads everything and checks each extent's CRC. 0 or -EBADMSG. Slow. */
int snap_verify(const struct snap *snap);

struct snap_stats {
	uint32_t extents_total;
	uint32_t extents_free;
	uint64_t extents_bytes;  /* total bytes of all extents */
	uint64_t newest_bytes;   /* 0: none */
	uint64_t newest_offset;  /* S; without a snapshot the offset at which the log began */
	uint64_t building_bytes; /* 0: none */
	uint64_t published;      /* since open */
	uint64_t aborted;
	uint64_t no_space; /* stream writes that found no extent */
};
void snap_stats_get(const struct pool *pool, struct snap_stats *stats);

#endif
