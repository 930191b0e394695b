/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log's state in memory, shared by log.c (append, commit, read), log_space.c (credit, hints,
 * commit slots) and log_flush.c (group commit, reset, closing). Not for anyone else.
 *
 * Commit slots. A writer's ring of slots is cut into LOG_SEGMENTS segments, and slots are counted
 * without end: slot n is record n mod nr_slots.
 *
 *      slot_end - nr_slots        slot_head                    slot_end
 *   ───────┬─────────────────────────┬────────────────────────────┬──────
 *          │ hold records that a     │ may be written             │ segment still needed,
 *          │ recovery may follow     │                            │ until hint >= its seg_end
 */
#ifndef MILLRACE_PERSIST_LOG_PRIV_H
#define MILLRACE_PERSIST_LOG_PRIV_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "persist/log.h"
#include "persist/pool_priv.h"

#define LOG_LINE       64
#define LOG_SEGMENTS   16
#define LOG_AHEAD_PART 16 /* the ceiling is kept this part of the ring above the hint */

/*
 * An append is at most LOG_APPEND_RUNS longest runs, so it closes at most LOG_APPEND_SLOTS runs:
 * the one before it, its own, and one cut short at each end.
 */
#define LOG_APPEND_RUNS  8
#define LOG_APPEND_SLOTS (LOG_APPEND_RUNS + 3)
#define LOG_ADMIT_SLOTS  16

#define LOG_STAGE_SIZE   4096
#define LOG_STAGE_DIRECT 2048 /* pieces from this size on bypass the stage */

static_assert(LOG_ADMIT_SLOTS >= LOG_APPEND_SLOTS, "an admitted append finds its slots");
static_assert(POOL_SLOTS_MIN / 4 >= LOG_ADMIT_SLOTS, "slots are reclaimed before admission fails");

/* What other threads read of a writer. */
struct log_public {
	alignas(LOG_LINE) _Atomic uint64_t pending; /* see "persist/log.h" */
	_Atomic uint64_t slots_committed; /* written and fenced: slot_head at last commit */
};

struct log_writer {
	/* Constant. */
	struct log *log;
	struct log_public *pub;
	struct commit_rec *slots;
	unsigned int idx;

	/* The burst. */
	bool in_burst; /* pub->pending is set */
	unsigned int burst_runs;
	uint64_t credit; /* bytes that may be reserved without asking */
	uint64_t held;   /* of them, what log_hold() has set aside */

	/* The open run: [run_off, run_off + run_len), of which the stage holds the last bytes. */
	uint64_t run_off;
	uint64_t run_len;
	uint32_t run_crc; /* of the bytes before the stage */
	uint32_t stage_len;

	uint64_t slot_head;
	uint64_t slot_end;
	uint64_t seg_end[LOG_SEGMENTS]; /* end of the last run recorded in the segment */

	/* Counters: written by the owner only. */
	_Atomic uint64_t bytes, appends, commits, runs, stalls, slot_waits;

	alignas(LOG_LINE) uint8_t stage[LOG_STAGE_SIZE];
};

struct log {
	/* Constant between resets. */
	struct pool *pool;
	struct flush flush;
	uint8_t *ring;
	uint64_t ring_size;
	uint64_t run_max;
	uint64_t ahead;        /* how far the ceiling is kept above the hint */
	uint64_t credit_chunk; /* what a writer takes at a time */
	bool grouped;
	enum pool_durability durability;
	uint32_t nr_slots;
	uint32_t incarnation;

	/* Read-mostly. */
	_Atomic uint64_t ceiling;     /* durable in a hint cell: granted stays at or below */
	_Atomic uint64_t hint;        /* durable in a hint cell */
	_Atomic uint64_t base;        /* S: recovery replays from here */
	_Atomic uint64_t start;       /* nothing below is held, whatever the tail */
	_Atomic unsigned int nr_open; /* writers registered: highest number + 1 */
	_Atomic uint64_t hint_want;   /* grouped: log_flush() should move the hint, to allow this */
	_Atomic(struct log_writer *)
		writers[POOL_WRITERS_MAX]; /* borrowed by nobody: the log owns */

	alignas(LOG_LINE) _Atomic uint64_t tail;    /* end of reservations */
	alignas(LOG_LINE) _Atomic uint64_t granted; /* tail + all unused credit */
	alignas(LOG_LINE) _Atomic uint64_t copied;  /* watermark of what is fenced */
	alignas(LOG_LINE) _Atomic uint64_t durable; /* grouped: watermark of what is synced */

	alignas(LOG_LINE) atomic_flag hint_lock; /* guards the cells, hint_seq */
	uint64_t hint_seq;
	_Atomic uint64_t hints;

	pthread_mutex_t flush_lock; /* guards slots_synced; held over log_flush() */
	uint64_t slots_synced[POOL_WRITERS_MAX];
	_Atomic uint64_t flushes, flush_bytes;

	struct log_public pub[POOL_WRITERS_MAX];
};

/* Builds the log of @pool from pool->sb, which says where it ends (hint). NULL: no memory. */
struct log *log_create(struct pool *pool);
void log_destroy(struct log **log);

/* pool_close(clean): makes all durable and marks the superblock. Writers are quiet. */
void log_close_clean(struct log *log);

/* The superblock has been given a new end (hint), base and incarnation: start over from there. */
void log_restart(struct log *log);

/* Prepares *@sb for log_restart() at @off, everything before forgotten. */
void log_restart_sb(const struct log *log, struct pool_sb *sb, uint64_t off);

/* Commits *@next, made with log_restart_sb(), and starts over. Writers quiesced. */
void log_restart_commit(struct log *log, const struct pool_sb *next);

/* A newer snapshot is in force: more may be overwritten. */
void log_base_set(struct log *log, uint64_t off);

/* Raises a published mark to min(tail, pendings). */
void log_mark_advance(struct log *log, _Atomic uint64_t *mark);

/*
 * Writes a hint cell if that raises hint or ceiling; asks for room up to @want. Not grouped: any
 * writer. Grouped: only under flush_lock.
 */
void log_hint_advance(struct log *log, uint64_t want);

/* True if log_hint_advance() after a flush would raise the ceiling. */
bool log_ceiling_can_rise(const struct log *log);

/* Makes sure that the writer may write LOG_APPEND_SLOTS records. May wait (counted). */
void log_slots_ensure(struct log_writer *w);

/* Commits the burst so far without giving up credit; returns the number of runs. */
unsigned int log_burst_publish(struct log_writer *w);

/* Single-writer counters. */
static inline void log_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline uint64_t log_slots_free(const struct log_writer *w)
{
	return w->slot_end - w->slot_head;
}

#endif
