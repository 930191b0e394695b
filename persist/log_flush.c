/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log as a whole: group commit, building it from the superblock, starting over, closing.
 */
#include "persist/log_priv.h"

#include "checks.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct log *log_create(struct pool *pool)
{
	struct log *log = aligned_alloc(alignof(struct log), sizeof(*log));

	if (log == NULL)
		return NULL;
	memset(log, 0, sizeof(*log));
	if (pthread_mutex_init(&log->flush_lock, NULL) != 0) {
		free(log);
		return NULL;
	}
	log->pool = pool;
	log->flush = pool->flush;
	log->ring = pool->base + pool->sb.ring_off;
	log->ring_size = pool->sb.ring_size;
	log->run_max = log_run_max(log->ring_size);
	log->ahead = log->ring_size / LOG_AHEAD_PART;
	log->credit_chunk = log->ring_size / 1024 < 65536 ? log->ring_size / 1024 : 65536;
	log->grouped = pool->flush.ops->grouped;
	log->durability = pool->durability;
	log->nr_slots = pool->sb.commit_slots;
	atomic_flag_clear(&log->hint_lock);
	log_restart(log);
	return log;
}

void log_destroy(struct log **logp)
{
	struct log *log = *logp;

	if (log == NULL)
		return;
	*logp = NULL;
	for (unsigned int i = 0; i < POOL_WRITERS_MAX; i++)
		free(log->writers[i]);
	pthread_mutex_destroy(&log->flush_lock);
	free(log);
}

static void writer_restart(struct log_writer *w, uint64_t off)
{
	BUG_ON(w->in_burst);
	w->credit = w->held = 0;
	w->run_off = off;
	w->run_len = 0;
	w->slot_head = 0;
	w->slot_end = w->log->nr_slots;
	memset(w->seg_end, 0, sizeof(w->seg_end));
}

void log_restart(struct log *log)
{
	const struct pool_sb *sb = &log->pool->sb;

	log->incarnation = sb->incarnation;
	log->hint_seq = 0;
	atomic_store(&log->hint, sb->hint);
	atomic_store(&log->ceiling, sb->ceiling);
	atomic_store(&log->base, sb->snap_off);
	atomic_store(&log->start, sb->log_start);
	atomic_store(&log->hint_want, 0);
	atomic_store(&log->tail, sb->hint);
	atomic_store(&log->granted, sb->hint);
	atomic_store(&log->copied, sb->hint);
	atomic_store(&log->durable, sb->hint);
	for (unsigned int i = 0; i < POOL_WRITERS_MAX; i++) {
		atomic_store(&log->pub[i].pending, UINT64_MAX);
		atomic_store(&log->pub[i].slots_committed, 0);
		log->slots_synced[i] = 0;
		if (log->writers[i] != NULL)
			writer_restart(log->writers[i], sb->hint);
	}
}

void log_restart_sb(const struct log *log, struct pool_sb *sb, uint64_t off)
{
	BUG_ON(sb->incarnation == UINT32_MAX);
	sb->incarnation++;
	sb->hint = off;
	sb->ceiling = off + log->ahead;
	sb->log_start = off;
	sb->flags &= ~(SB_F_CLEAN | SB_F_BASE_NONE);
	sb->snap_off = off;
	sb->snap_size = 0;
	sb->snap_keys = 0;
	sb->snap_ctime_s = 0;
	sb->snap_stream_db = -1;
	sb->snap_pieces = 0;
	sb->manifest_ext = EXTENT_NONE;
}

void log_restart_commit(struct log *log, const struct pool_sb *next)
{
	pthread_mutex_lock(&log->flush_lock);
	pool_sb_commit(log->pool, next);
	log_restart(log);
	pthread_mutex_unlock(&log->flush_lock);
}

int log_reset(struct log *log, uint64_t off, const struct pool_repl *repl)
{
	struct pool_sb next = log->pool->sb;
	int rc = off < POOL_OFFSET_LIMIT ? pool_sb_repl_set(&next, repl) : -EINVAL;

	if (rc != 0)
		return rc;
	log_restart_sb(log, &next, off);
	next.flags |= SB_F_BASE_NONE;
	log_restart_commit(log, &next);
	snap_newest_set(log->pool, NULL);
	return 0;
}

int log_truncate(struct log *log, uint64_t end)
{
	struct pool_sb next = log->pool->sb;

	if (end < next.snap_off || end < next.log_start || end > log_tail(log))
		return -EINVAL;
	if (next.incarnation >= UINT32_MAX - 1)
		return -EOVERFLOW;
	/* With a new incarnation the records of what is taken back mean nothing any more. */
	next.incarnation++;
	next.hint = end;
	next.ceiling = end + log->ahead;
	if (next.ceiling > next.snap_off + next.ring_size)
		next.ceiling = next.snap_off + next.ring_size;
	log_restart_commit(log, &next);
	return 0;
}

void log_close_clean(struct log *log)
{
	struct pool_sb next = log->pool->sb;
	uint64_t tail = log_tail(log);

	log_flush(log);
	/* A writer inside a burst breaks the contract; the mark would be a lie. */
	BUG_ON(log_durable(log) != tail);
	BUG_ON(next.incarnation == UINT32_MAX);
	next.log_start = log_start(log);
	next.incarnation++;
	next.hint = tail;
	next.ceiling = tail;
	next.flags |= SB_F_CLEAN;
	pool_sb_commit(log->pool, &next);
}

static void sync_or_die(struct log *log, const void *addr, uint64_t len)
{
	BUG_ON(flush_sync(&log->flush, addr, len) != 0);
	atomic_fetch_add_explicit(&log->flush_bytes, len, memory_order_relaxed);
}

static void ring_sync(struct log *log, uint64_t from, uint64_t to)
{
	uint64_t pos = from % log->ring_size;
	uint64_t first = to - from < log->ring_size - pos ? to - from : log->ring_size - pos;

	sync_or_die(log, log->ring + pos, first);
	if (to - from > first)
		sync_or_die(log, log->ring, to - from - first);
}

static void slots_sync(struct log *log, unsigned int idx)
{
	const struct commit_rec *slots = log->writers[idx]->slots;
	/* Pairs with log_burst_publish(). */
	uint64_t head = atomic_load_explicit(&log->pub[idx].slots_committed, memory_order_acquire);
	uint64_t from = log->slots_synced[idx], nr = head - from;
	uint64_t pos = from % log->nr_slots;
	uint64_t first = nr < log->nr_slots - pos ? nr : log->nr_slots - pos;

	if (nr == 0)
		return;
	sync_or_die(log, slots + pos, first * sizeof(*slots));
	if (nr > first)
		sync_or_die(log, slots, (nr - first) * sizeof(*slots));
	log->slots_synced[idx] = head;
}

static void group_commit(struct log *log)
{
	/* `copied` first: the slots of every run below it are then seen as committed. */
	uint64_t to = atomic_load(&log->copied);
	uint64_t from = atomic_load_explicit(&log->durable, memory_order_relaxed);
	unsigned int nr_open = atomic_load(&log->nr_open);

	if (to == from)
		return;
	ring_sync(log, from, to);
	for (unsigned int i = 0; i < nr_open; i++) {
		if (log->writers[i] != NULL)
			slots_sync(log, i);
	}
	/* Pairs with log_durable(). */
	atomic_store_explicit(&log->durable, to, memory_order_release);
	log_count(&log->flushes, 1);
}

void log_flush(struct log *log)
{
	uint64_t want;

	if (!log->grouped)
		return;
	pthread_mutex_lock(&log->flush_lock);
	group_commit(log);
	want = atomic_exchange(&log->hint_want, 0);
	if (want != 0 || atomic_load(&log->granted) + log->ahead / 2 > atomic_load(&log->ceiling))
		log_hint_advance(log, want);
	pthread_mutex_unlock(&log->flush_lock);
}

bool log_flush_wanted(const struct log *log)
{
	return log->grouped && atomic_load_explicit(&log->hint_want, memory_order_relaxed) != 0;
}

bool log_flush_due(const struct log *log)
{
	return log->grouped &&
	       (atomic_load_explicit(&log->copied, memory_order_relaxed) !=
			       atomic_load_explicit(&log->durable, memory_order_relaxed) ||
		       log_flush_wanted(log));
}

static uint64_t counter(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void log_stats_get(const struct log *log, struct log_stats *stats)
{
	unsigned int nr_open = atomic_load(&log->nr_open);

	memset(stats, 0, sizeof(*stats));
	stats->tail = log_tail(log);
	stats->start = log_start(log);
	stats->watermark = log_watermark(log);
	stats->durable = log_durable(log);
	stats->hint = counter(&log->hint);
	stats->space = log_space(log);
	stats->hints = counter(&log->hints);
	stats->flushes = counter(&log->flushes);
	stats->flush_bytes = counter(&log->flush_bytes);
	for (unsigned int i = 0; i < nr_open; i++) {
		const struct log_writer *w = log->writers[i];
		if (w == NULL)
			continue;
		stats->bytes += counter(&w->bytes);
		stats->appends += counter(&w->appends);
		stats->commits += counter(&w->commits);
		stats->runs += counter(&w->runs);
		stats->stalls += counter(&w->stalls);
		stats->slot_waits += counter(&w->slot_waits);
	}
}
