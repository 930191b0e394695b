/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log: replication backlog and write-ahead log in one, a ring in the pool.
 *
 *            log_start()            durable     copied      tail          ceiling
 *   ring   ─────┬──────────────────────┬──────────┬───────────┬──────────────┬────
 *               │  readable, sendable  │ complete │ reserved, │  admissible  │
 *               │                      │ in memory│ may have  │  without     │
 *               │                      │          │ holes     │  asking      │
 *
 * Offsets are Redis replication offsets: the number of stream bytes before that point. Byte O
 * lies at ring[O mod ring_size]. On persistent memory `copied` and `durable` are one thing.
 *
 * How a burst goes, on one poll core with its own writer:
 *   log_admit(w, n)        before a command that may write n bytes changes anything
 *   log_append(w, ...)     with the partition lock held: order in the log is execution order
 *   log_commit(w)          at the end of the burst, once, with no lock held
 * and then no reply leaves before log_reply_mark() has reached the offset that log_append() gave.
 *
 * The watermark. Each writer has a public `pending`: a lower bound of its oldest reservation
 * that is not durable yet, UINT64_MAX for none. Before its first reservation of a burst a writer
 * stores pending := tail, and then reserves by fetch_add on tail. After its fence it stores
 * UINT64_MAX. Whoever wants the watermark reads T := tail FIRST and then every pending; the
 * watermark is min(T, all pendings).
 *   Safe: let r be a reservation below the result, by writer X. It lies below T, so the load of
 *   T saw X's fetch_add or one after it (an unbroken chain of read-modify-writes), hence also X's
 *   earlier store to pending. So the load of X.pending gave that value or a later one. That value
 *   is at most r, so the result would not have passed r. A later one was stored after X's fence
 *   of r: r is durable. It need not be seen whether X is between its load of tail and its store to
 *   pending, since then X has reserved nothing yet, and what it reserves lies at or above T.
 *   Live: all these accesses are sequentially consistent. Take the last store of UINT64_MAX in
 *   that order; its writer then computes with every earlier one visible. Were they only release and
 *   acquire, two writers ending their bursts together could each miss the other's store, and
 *   the watermark would rest below tail until the next burst.
 * The published marks only rise (compare-and-swap to the maximum).
 *
 * Space. A writer may reserve only what it has credit for, and credit is granted below `ceiling`,
 * a value that is durable in a hint cell before it is used ("persist/pool_format.h"):
 *   ceiling <= S + ring_size              (nothing that recovery replays is overwritten)
 *   ceiling <= hint + ring_size - run_max (nor any run that recovery may have to check)
 * After a crash it tells recovery how far overwriting may have gone, so how much backlog is whole.
 *
 * Threads: a writer belongs to one poll core. log_flush() is for a flusher thread or the control
 * thread (a mutex orders them). log_reset() is for the control thread with writers quiesced.
 * All reading functions: any thread.
 */
#ifndef MILLRACE_PERSIST_LOG_H
#define MILLRACE_PERSIST_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "persist/pool.h"

struct log;
struct log_writer;

/* The log of a pool; NULL before recover_open(). Borrowed: lives as long as the pool. */
struct log *pool_log(struct pool *pool);

/*
 * Registers writer number @idx (below the pool's nr_writers), once per log. Control thread,
 * before the core runs. Returns 0 and *@w, borrowed from the log, or -EINVAL, -EBUSY, -ENOMEM.
 */
int log_writer_open(struct log *log, unsigned int idx, struct log_writer **w);

/*
 * Asks for room for @len bytes, before a write changes anything. After 0, appends by this writer
 * that total at most @len until its next log_admit() are sure of their room; calls do not add
 * up. Costs nothing shared in the usual case: credit is taken in chunks.
 * Returns 0;
 *   -EAGAIN    no room now: commit the burst, set the command aside and try again in a later one
 *              (counted as a stall). Room comes from other writers' commits, from log_flush(), and,
 *              when log_space() is short, only from publishing a newer snapshot.
 *   -EMSGSIZE  longer than the log can ever take in one go (log_append_max()).
 */
int log_admit(struct log_writer *w, size_t len);
/* The same, but with -EAGAIN also when less than @spare would be left of log_space(). */
int log_admit_sparing(struct log_writer *w, size_t len, uint64_t spare);

/*
 * Sets @len bytes aside, in place of what was set aside before: they stay sure of their room
 * through other log_admit() calls, appends and commits, until log_hold(w, 0), after which the next
 * appends of so many bytes have them. For a write that is interrupted by others. Returns as
 * log_admit(); what was set aside before then stays.
 */
int log_hold(struct log_writer *w, size_t len);

/*
 * Appends @len bytes as one contiguous piece of the stream; admitted before, by log_admit().
 * Returns the offset after the last byte: what replies to this write wait for. The bytes are
 * copied before return; a replica appends its master's bytes with this same function. @len > 0.
 * Without enough credit: aborts (memory that recovery needs would be overwritten).
 */
uint64_t log_append(struct log_writer *w, const void *buf, size_t len);
uint64_t log_appendv(struct log_writer *w, const struct iovec *iov, unsigned int nr_iov);

/*
 * Ends a burst: writes the commit records, fences once, publishes, and gives unused credit
 * back when space is short. Nothing appended: nearly free. Returns the number of runs committed.
 * Never called with a partition lock held.
 */
unsigned int log_commit(struct log_writer *w);

/* Gives unused credit back at once. For a core that goes idle. */
void log_admit_done(struct log_writer *w);

/* End of everything reserved, complete or not. */
uint64_t log_tail(const struct log *log);

/* Oldest offset whose byte is still held. Rises as writers overwrite. */
uint64_t log_start(const struct log *log);

/* What replicas may be sent, and strict readers may see: W. Durable, but in mode `no`. */
uint64_t log_watermark(const struct log *log);

/* What replies wait for: W with `always`; with `everysec` and `no` on a file, what is copied. */
uint64_t log_reply_mark(const struct log *log);

/* Everything below is durable on the medium, in every mode. */
uint64_t log_durable(const struct log *log);

/* Bytes that can be appended before the newest snapshot has to be replaced. */
uint64_t log_space(const struct log *log);

uint64_t log_ring_size(const struct log *log);
size_t log_append_max(const struct log *log);

/*
 * The contiguous bytes at @off, up to the watermark or the ring's end: *@ptr, *@len (0 at the
 * watermark). Returns 0, or -ERANGE when @off is no longer held or lies past the watermark. The
 * bytes stay what they are while log_start() <= @off: who uses them in place checks that
 * afterwards.
 */
int log_read(const struct log *log, uint64_t off, const void **ptr, size_t *len);

/*
 * Copies [@off, @off + @len) to @dst and makes sure that no writer lapped it meanwhile. Returns 0,
 * or -ERANGE when a part is not held or lies past the watermark (@dst is then garbage).
 */
int log_copy(const struct log *log, uint64_t off, void *dst, size_t len);

/* True if log_flush() has something to do that somebody waits for. Any thread. */
bool log_flush_due(const struct log *log);

/*
 * Makes durable all that has been copied, and moves the hint when writers need it: the group commit
 * of a medium that is not persistent memory (on which it returns at once). Blocks. Aborts if the
 * medium fails. With `always` the flusher calls it whenever it is due; with `everysec` each second
 * and when log_flush_wanted(); with `no` when log_flush_wanted().
 */
void log_flush(struct log *log);

/* True if writers wait for space that only log_flush() can give. Any thread. */
bool log_flush_wanted(const struct log *log);

/*
 * Empties the log: it holds nothing and goes on at offset @off, under @repl, in one atomic and
 * durable step together with the loss of the newest snapshot: recover_open() then reports
 * RECOVER_BASE_NONE until a snapshot is published. (A replica that has stored its master's snapshot
 * uses snap_publish_foreign() instead.) Control thread; no writer may be inside a burst.
 * Returns 0 or -EINVAL (ids). Aborts if the medium fails.
 */
int log_reset(struct log *log, uint64_t off, const struct pool_repl *repl);

/*
 * Takes back [@end, tail), durably: for recovery, which may find that the last append was torn
 * between two runs, so that the log ends inside a command. Before the first append; nothing above
 * @end was ever sent or acknowledged. Returns 0, -EINVAL (@end is not between S and the tail), or
 * -EOVERFLOW (incarnations used up). Aborts if the medium fails.
 */
int log_truncate(struct log *log, uint64_t end);

/* Sums over writers; not a consistent cut. */
struct log_stats {
	uint64_t tail, start, watermark, durable, hint, space;
	uint64_t bytes;   /* appended */
	uint64_t appends; /* calls of log_append() and log_appendv() */
	uint64_t commits; /* bursts that wrote something: fences */
	uint64_t runs;    /* commit records */
	uint64_t stalls;  /* log_admit() that returned -EAGAIN */
	uint64_t hints;   /* hint cells written */
	uint64_t flushes; /* log_flush() that synced something */
	uint64_t flush_bytes;
	uint64_t slot_waits; /* appends that had to wait for a commit slot: should stay 0 */
};
void log_stats_get(const struct log *log, struct log_stats *stats);

#endif
