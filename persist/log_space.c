/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log's space: credit below the ceiling, hint cells that raise it, commit slots that a hint
 * sets free. The rules and why they hold: "persist/pool_format.h".
 *
 * Who may write a hint cell: on persistent memory whichever writer needs it (a cell costs one
 * fence); on a grouped medium only log_flush(), because it takes a sync, so writers ask for it with
 * hint_want and come back later. Nobody waits for a writer: the hint follows the watermark, and
 * the writer that holds the watermark back passes it at its own next commit.
 */
#include "persist/log_priv.h"

#include "checks.h"

#include <errno.h>
#include <string.h>

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The most that a cell with this hint may allow. */
static uint64_t ceiling_limit(const struct log *log, uint64_t hint)
{
	return min_u64(atomic_load_explicit(&log->base, memory_order_acquire) + log->ring_size,
		hint + log->ring_size - log->run_max);
}

bool log_ceiling_can_rise(const struct log *log)
{
	return ceiling_limit(log, atomic_load(&log->copied)) > atomic_load(&log->ceiling);
}

static void hint_cell_write(struct log *log, uint64_t hint, uint64_t ceiling)
{
	struct hint_cell cell = {
		.magic = HINT_MAGIC,
		.incarnation = log->incarnation,
		.seq = ++log->hint_seq,
		.hint = hint,
		.ceiling = ceiling,
	};
	uint8_t *to = log->pool->base + HINT_OFF + (cell.seq & 1) * HINT_STRIDE;

	cell.crc = hint_crc(cell);
	flush_copy(&log->flush, to, &cell, sizeof(cell));
	flush_fence(&log->flush);
	BUG_ON(flush_sync(&log->flush, to, sizeof(cell)) != 0);
	log_count(&log->hints, 1);
}

void log_hint_advance(struct log *log, uint64_t want)
{
	uint64_t hint, ceiling, old_hint, old_ceiling;

	/* Somebody else at it is as good. Pairs with the clear below. */
	if (atomic_flag_test_and_set_explicit(&log->hint_lock, memory_order_acquire))
		return;
	old_hint = atomic_load_explicit(&log->hint, memory_order_relaxed);
	old_ceiling = atomic_load_explicit(&log->ceiling, memory_order_relaxed);
	hint = max_u64(old_hint, log_durable(log));
	ceiling = min_u64(ceiling_limit(log, hint), max_u64(want, hint + log->ahead));
	ceiling = max_u64(ceiling, old_ceiling);
	if (hint > old_hint || ceiling > old_ceiling) {
		hint_cell_write(log, hint, ceiling);
		/* Only now may slots and ring bytes be reused. Pairs with credit_take(),
		 * slots_reclaim(). */
		atomic_store_explicit(&log->hint, hint, memory_order_release);
		atomic_store_explicit(&log->ceiling, ceiling, memory_order_release);
	}
	atomic_flag_clear_explicit(&log->hint_lock, memory_order_release);
}

/* Takes [@need, @like] bytes of credit if they lie below the ceiling. */
static bool credit_take(struct log_writer *w, uint64_t need, uint64_t like)
{
	struct log *log = w->log;
	uint64_t granted = atomic_load_explicit(&log->granted, memory_order_relaxed);
	uint64_t take;

	do {
		uint64_t ceiling = atomic_load_explicit(&log->ceiling, memory_order_acquire);
		if (granted > ceiling || need > ceiling - granted)
			return false;
		take = min_u64(like, ceiling - granted);
	} while (!atomic_compare_exchange_weak(&log->granted, &granted, granted + take));
	w->credit += take;
	return true;
}

/* Leaves word for log_flush(), which exchanges it for 0. */
static void hint_request(struct log *log, uint64_t want)
{
	uint64_t seen = atomic_load(&log->hint_want);

	while (seen < want && !atomic_compare_exchange_weak(&log->hint_want, &seen, want))
		;
}

/* Asks for a higher ceiling, in the way of the medium. */
static void ceiling_ask(struct log *log, uint64_t need)
{
	uint64_t want = atomic_load(&log->granted) + need;

	/* A full log gains nothing by another cell. */
	if (!log_ceiling_can_rise(log))
		return;
	if (log->grouped)
		hint_request(log, want);
	else
		log_hint_advance(log, want);
}

static bool credit_get(struct log_writer *w, size_t len)
{
	struct log *log = w->log;
	uint64_t need = len - w->credit;
	uint64_t like = max_u64(need, log->credit_chunk);

	if (!credit_take(w, need, like)) {
		ceiling_ask(log, like);
		if (log->grouped || !credit_take(w, need, like))
			return false;
	}
	/* Early enough that nobody has to wait. */
	if (atomic_load(&log->granted) + log->ahead / 2 > atomic_load(&log->ceiling))
		ceiling_ask(log, like);
	return true;
}

/* Takes back the oldest segments whose runs all end below the durable hint. */
static void slots_reclaim(struct log_writer *w)
{
	uint64_t seg_slots = w->log->nr_slots / LOG_SEGMENTS;
	/* Pairs with log_hint_advance(). */
	uint64_t hint = atomic_load_explicit(&w->log->hint, memory_order_acquire);

	while (log_slots_free(w) <= w->log->nr_slots - seg_slots &&
		w->seg_end[w->slot_end / seg_slots % LOG_SEGMENTS] <= hint)
		w->slot_end += seg_slots;
}

/* Slots are getting short: takes back what can be, moving the hint if that helps. */
static void slots_ask(struct log_writer *w)
{
	struct log *log = w->log;
	uint64_t seg_slots = log->nr_slots / LOG_SEGMENTS;
	uint64_t oldest;

	slots_reclaim(w);
	oldest = w->seg_end[w->slot_end / seg_slots % LOG_SEGMENTS];
	if (log_slots_free(w) > log->nr_slots / 4)
		return;
	if (log->grouped) {
		if (oldest <= atomic_load(&log->copied))
			hint_request(log, 1);
	} else if (oldest <= log_durable(log)) {
		log_hint_advance(log, 0);
		slots_reclaim(w);
	}
}

void log_slots_ensure(struct log_writer *w)
{
	slots_ask(w);
	if (log_slots_free(w) >= LOG_APPEND_SLOTS)
		return;
	/*
	 * Only appends far beyond what was admitted come here. With its own burst published, this
	 * writer holds nobody back; so of all writers that wait here none does, and those that
	 * do not wait reach their commits.
	 */
	log_count(&w->slot_waits, 1);
	if (w->in_burst)
		log_burst_publish(w);
	while (log_slots_free(w) < LOG_APPEND_SLOTS) {
		log_mark_advance(w->log, &w->log->copied);
		slots_ask(w);
		__builtin_ia32_pause();
	}
}

int log_admit(struct log_writer *w, size_t len)
{
	if (log_slots_free(w) <= w->log->nr_slots / 4)
		slots_ask(w);
	if (len > log_append_max(w->log))
		return -EMSGSIZE;
	len += w->held;
	if (len <= w->credit && log_slots_free(w) >= LOG_ADMIT_SLOTS)
		return 0;
	if (log_slots_free(w) >= LOG_ADMIT_SLOTS && credit_get(w, len))
		return 0;
	log_count(&w->stalls, 1);
	return -EAGAIN;
}

/* What is granted changes with every chunk, the tail with every append of every core. */
static uint64_t space_at_least(const struct log *log)
{
	uint64_t limit = atomic_load_explicit(&log->base, memory_order_acquire) + log->ring_size;
	uint64_t granted = atomic_load_explicit(&log->granted, memory_order_relaxed);

	return granted < limit ? limit - granted : 0;
}

int log_admit_sparing(struct log_writer *w, size_t len, uint64_t spare)
{
	/* what can never fit is not told to wait */
	if (len > log_append_max(w->log) || space_at_least(w->log) >= len + spare ||
		log_space(w->log) >= len + spare)
		return log_admit(w, len);
	log_count(&w->stalls, 1);
	return -EAGAIN;
}

int log_hold(struct log_writer *w, size_t len)
{
	uint64_t before = w->held;
	int rc;

	w->held = 0;
	rc = len ? log_admit(w, len) : 0;
	w->held = rc ? before : len;
	return rc;
}

void log_admit_done(struct log_writer *w)
{
	if (w->credit <= w->held)
		return;
	atomic_fetch_sub(&w->log->granted, w->credit - w->held);
	w->credit = w->held;
}

uint64_t log_space(const struct log *log)
{
	uint64_t limit = atomic_load_explicit(&log->base, memory_order_acquire) + log->ring_size;
	uint64_t tail = log_tail(log);

	return tail < limit ? limit - tail : 0;
}

void log_base_set(struct log *log, uint64_t off)
{
	/* Pairs with ceiling_limit(). */
	atomic_store_explicit(&log->base, off, memory_order_release);
}
