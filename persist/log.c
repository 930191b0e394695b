/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log: appending, committing, reading. The argument for the watermark is in "persist/log.h".
 */
#include "persist/log.h"

#include "checks.h"
#include "persist/log_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct log *pool_log(struct pool *pool)
{
	return pool->log;
}

int log_writer_open(struct log *log, unsigned int idx, struct log_writer **out)
{
	struct log_writer *w;

	if (idx >= log->pool->nr_writers)
		return -EINVAL;
	if (log->writers[idx] != NULL)
		return -EBUSY;
	w = aligned_alloc(alignof(struct log_writer), sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->log = log;
	w->idx = idx;
	w->pub = &log->pub[idx];
	w->slots = (struct commit_rec *)(log->pool->base + log->pool->sb.commit_off) +
		   (size_t)idx * log->nr_slots;
	w->slot_end = log->nr_slots;
	log->writers[idx] = w;
	/* Pairs with the load in log_mark_advance(): set before the first reservation. */
	if (idx + 1 > atomic_load(&log->nr_open))
		atomic_store(&log->nr_open, idx + 1);
	*out = w;
	return 0;
}

/* Copies to the ring's end, and the rest to its beginning. */
static void ring_copy(struct log_writer *w, uint64_t off, const uint8_t *p, size_t len)
{
	struct log *log = w->log;
	uint64_t pos = off % log->ring_size;
	size_t first = len < log->ring_size - pos ? len : log->ring_size - pos;

	w->run_crc = crc32c(w->run_crc, p, len);
	flush_copy(&log->flush, log->ring + pos, p, first);
	if (first < len)
		flush_copy(&log->flush, log->ring, p + first, len - first);
}

static void stage_drain(struct log_writer *w)
{
	if (w->stage_len == 0)
		return;
	ring_copy(w, w->run_off + w->run_len - w->stage_len, w->stage, w->stage_len);
	w->stage_len = 0;
}

static void run_start(struct log_writer *w, uint64_t off)
{
	w->run_off = off;
	w->run_len = 0;
	w->run_crc = commit_data_seed(w->log->incarnation, off);
}

/* Writes the commit record of the open run and starts another behind it. */
static void run_close(struct log_writer *w)
{
	uint64_t nr_slots = w->log->nr_slots, seg_slots = nr_slots / LOG_SEGMENTS;
	uint64_t end = w->run_off + w->run_len;
	struct commit_rec rec;

	if (w->run_len == 0)
		return;
	stage_drain(w);
	BUG_ON(log_slots_free(w) == 0);
	rec = (struct commit_rec){
		.off = w->run_off,
		.len = (uint32_t)w->run_len,
		.incarnation = w->log->incarnation,
		.data_crc = w->run_crc,
	};
	rec.crc = commit_crc(rec);
	flush_copy(&w->log->flush, &w->slots[w->slot_head % nr_slots], &rec, sizeof(rec));
	w->seg_end[w->slot_head / seg_slots % LOG_SEGMENTS] = end;
	w->slot_head++;
	w->burst_runs++;
	run_start(w, end);
}

/* Adds bytes to the open run, cutting it where it gets too long. */
static void run_put(struct log_writer *w, const uint8_t *p, size_t len)
{
	while (len > 0) {
		uint64_t room = w->log->run_max - w->run_len;
		size_t n = len < room ? len : room;

		if (n >= LOG_STAGE_DIRECT || w->stage_len + n > LOG_STAGE_SIZE)
			stage_drain(w);
		if (n >= LOG_STAGE_DIRECT) {
			ring_copy(w, w->run_off + w->run_len, p, n);
		} else {
			memcpy(w->stage + w->stage_len, p, n);
			w->stage_len += (uint32_t)n;
		}
		w->run_len += n;
		if (w->run_len == w->log->run_max)
			run_close(w);
		p += n;
		len -= n;
	}
}

static uint64_t reserve(struct log_writer *w, size_t len)
{
	struct log *log = w->log;
	uint64_t off;

	BUG_ON(len > w->credit);
	w->credit -= len;
	if (!w->in_burst) {
		/* Pairs with log_mark_advance(). */
		atomic_store(&w->pub->pending, atomic_load(&log->tail));
		w->in_burst = true;
	}
	off = atomic_fetch_add(&log->tail, len);
	/* log_copy() must see the new tail if it sees any byte that is copied from here on. */
	atomic_thread_fence(memory_order_release);
	return off;
}

uint64_t log_appendv(struct log_writer *w, const struct iovec *iov, unsigned int nr_iov)
{
	size_t len = 0;
	uint64_t off;

	for (unsigned int i = 0; i < nr_iov; i++)
		BUG_ON(__builtin_add_overflow(len, iov[i].iov_len, &len));
	BUG_ON(len == 0 || len > log_append_max(w->log));
	if (log_slots_free(w) < LOG_APPEND_SLOTS)
		log_slots_ensure(w);
	off = reserve(w, len);
	if (off != w->run_off + w->run_len)
		run_close(w);
	if (w->run_len == 0)
		run_start(w, off);
	for (unsigned int i = 0; i < nr_iov; i++)
		run_put(w, iov[i].iov_base, iov[i].iov_len);
	log_count(&w->appends, 1);
	log_count(&w->bytes, len);
	return off + len;
}

uint64_t log_append(struct log_writer *w, const void *buf, size_t len)
{
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};

	return log_appendv(w, &iov, 1);
}

void log_mark_advance(struct log *log, _Atomic uint64_t *mark)
{
	uint64_t to = atomic_load(&log->tail); /* before any pending */
	unsigned int nr_open = atomic_load(&log->nr_open);
	uint64_t seen;

	for (unsigned int i = 0; i < nr_open; i++) {
		/* Pairs with reserve() and log_burst_publish(). */
		uint64_t pending = atomic_load(&log->pub[i].pending);
		if (pending < to)
			to = pending;
	}
	seen = atomic_load_explicit(mark, memory_order_relaxed);
	while (seen < to && !atomic_compare_exchange_weak(mark, &seen, to))
		;
}

unsigned int log_burst_publish(struct log_writer *w)
{
	struct log *log = w->log;
	unsigned int nr_runs;

	run_close(w);
	flush_fence(&log->flush);
	/* Pairs with log_flush(), which reads it after `copied`. */
	atomic_store_explicit(&w->pub->slots_committed, w->slot_head, memory_order_release);
	/* Pairs with log_mark_advance(), everybody's. */
	atomic_store(&w->pub->pending, UINT64_MAX);
	w->in_burst = false;
	log_mark_advance(log, &log->copied);
	log_count(&w->commits, 1);
	nr_runs = w->burst_runs;
	log_count(&w->runs, nr_runs);
	w->burst_runs = 0;
	return nr_runs;
}

unsigned int log_commit(struct log_writer *w)
{
	struct log *log = w->log;
	unsigned int nr_runs;
	uint64_t room;

	if (!w->in_burst)
		return 0;
	nr_runs = log_burst_publish(w);
	/* Keep what is left unless others may be short of it. */
	room = atomic_load_explicit(&log->ceiling, memory_order_relaxed) -
	       atomic_load_explicit(&log->granted, memory_order_relaxed);
	if (room <
		log->credit_chunk * 2 * atomic_load_explicit(&log->nr_open, memory_order_relaxed))
		log_admit_done(w);
	return nr_runs;
}

uint64_t log_tail(const struct log *log)
{
	return atomic_load_explicit(&log->tail, memory_order_acquire);
}

uint64_t log_start(const struct log *log)
{
	uint64_t start = atomic_load_explicit(&log->start, memory_order_relaxed);
	uint64_t tail = log_tail(log);

	return tail > start + log->ring_size ? tail - log->ring_size : start;
}

uint64_t log_durable(const struct log *log)
{
	return atomic_load_explicit(
		log->grouped ? &log->durable : &log->copied, memory_order_acquire);
}

uint64_t log_watermark(const struct log *log)
{
	bool copied = log->durability == POOL_DURABILITY_NO || !log->grouped;

	return atomic_load_explicit(copied ? &log->copied : &log->durable, memory_order_acquire);
}

uint64_t log_reply_mark(const struct log *log)
{
	bool copied = log->durability != POOL_DURABILITY_ALWAYS || !log->grouped;

	return atomic_load_explicit(copied ? &log->copied : &log->durable, memory_order_acquire);
}

uint64_t log_ring_size(const struct log *log)
{
	return log->ring_size;
}

size_t log_append_max(const struct log *log)
{
	return LOG_APPEND_RUNS * log->run_max;
}

int log_read(const struct log *log, uint64_t off, const void **ptr, size_t *len)
{
	uint64_t end = log_watermark(log);
	uint64_t pos = off % log->ring_size;
	uint64_t n;

	if (off > end || off < log_start(log))
		return -ERANGE;
	n = end - off;
	if (n > log->ring_size - pos)
		n = log->ring_size - pos;
	*ptr = log->ring + pos;
	*len = n;
	return 0;
}

/* Reads bytes that a writer may be overwriting; the caller finds out afterwards. */
__attribute__((no_sanitize("thread"))) static void racy_copy(
	uint8_t *dst, const uint8_t *src, size_t len)
{
	memcpy(dst, src, len);
}

int log_copy(const struct log *log, uint64_t off, void *dst, size_t len)
{
	uint64_t end = log_watermark(log);
	uint64_t pos = off % log->ring_size;
	size_t first = len < log->ring_size - pos ? len : log->ring_size - pos;

	if (off > end || len > end - off || off < log_start(log))
		return -ERANGE;
	racy_copy(dst, log->ring + pos, first);
	racy_copy((uint8_t *)dst + first, log->ring, len - first);
	/* Pairs with the fence in reserve(): a new byte seen above means a new tail seen below. */
	atomic_thread_fence(memory_order_acquire);
	return off < log_start(log) ? -ERANGE : 0;
}
