/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Output buffer: a FIFO of bytes that stay until the transport has no more use for them (TCP: until
 * acknowledged; a socket: until written).
 *
 *   base               base+sendable                end
 *    |=== sendable ======|=== held back ==============|--- reserved, not committed ---
 *    front: obuf_consume       obuf_release_to moves the border
 *
 * The bytes lie in a chain of segments: chunks that own copied bytes, and references to bytes
 * that live elsewhere and stay put until their release callback has been called.
 * Packets may show bytes without a copy (obuf_pieces_get): a segment that was consumed lives on
 * until the last of them is gone, which may happen on another thread. It comes back to its pool
 * through the stack of the returned.
 *
 * Invariants: base <= end; every byte of [base, end) lies in exactly one segment; consume never
 * passes the sendable border; a reference's release is called exactly once.
 * Not thread-safe, but for obuf_seg_put(): an obuf and its pool belong to one core.
 */
#ifndef MILLRACE_DATAPLANE_OBUF_H
#define MILLRACE_DATAPLANE_OBUF_H

#include "checks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;
struct obuf_seg;

#define OBUF_CHUNK_MIN   2048u  /* the first chunk of an empty buffer, bytes with its header */
#define OBUF_CHUNK_MAX   16384u /* chunks double up to this */
#define OBUF_NR_CLASSES  4
#define OBUF_RESERVE_MAX (1u << 20)

/* Chunks of one core: free lists by size, over malloc. Counters may be read by anyone (relaxed). */
struct obuf_pool {
	struct obuf_seg
		*returned; /* shared: a stack of segments that packets have let go of last */
	struct obuf_seg *free[OBUF_NR_CLASSES];
	struct obuf_seg *free_ref;
	uint64_t free_bytes;     /* cached in the lists */
	uint64_t free_bytes_max; /* beyond this, chunks go back to malloc */
	uint64_t used_bytes;     /* in obufs now, headers included */
	uint64_t used_bytes_max; /* beyond this, appends fail with -ENOMEM */
	bool is_own; /* the owner's thread alone puts pieces: no atomics; set before the first */
};

/* Called once when the referenced bytes were consumed or discarded and no packet shows them any
   more, by the core that owns the obuf; must not touch the obuf. */
typedef void (*obuf_release_fn)(void *ctx);

/* Inside of obuf.c, but for the two calls that are inlined below. */
struct obuf_seg {
	struct obuf_seg *next;
	uint64_t start; /* stream position of bytes[0] */
	const uint8_t *bytes;
	uint64_t len;
	uint64_t cap; /* of a chunk: bytes that fit; of a reference: 0 */
	uint8_t class;
	uint32_t refs; /* atomic: the obuf's one, and one for each holder of a piece */
	struct obuf_pool *pool;
	obuf_release_fn release;
	void *ctx;
	uint8_t room[]; /* of a chunk */
};

struct obuf {
	struct obuf_pool *pool;
	struct obuf_seg *head;
	struct obuf_seg *tail;
	struct obuf_seg *cursor; /* where the last sequential obuf_copy_at ended, or NULL */
	uint64_t base;
	uint64_t end;
	uint64_t limit; /* sendable up to here; UINT64_MAX: nothing is held */
};

/* Initialises a pool. used_bytes_max: the most that all obufs of the pool may hold (0: no bound).
   */
void obuf_pool_init(struct obuf_pool *pool, uint64_t used_bytes_max);

/* Gives the cached chunks back to malloc. Every obuf of the pool has been finished before, and
   every piece put. */
void obuf_pool_fini(struct obuf_pool *pool);

/* Initialises an empty obuf; borrows pool until obuf_fini. */
void obuf_init(struct obuf *ob, struct obuf_pool *pool);

/* Discards everything, calling the releases. The obuf may be initialised again. */
void obuf_fini(struct obuf *ob);

/* Returns room for n contiguous bytes (n <= OBUF_RESERVE_MAX) at the end, borrowed until the next
   call on ob, or NULL when memory is out. Nothing is appended until obuf_commit. */
uint8_t *obuf_reserve_new(struct obuf *ob, uint32_t n); /* obuf_reserve() in a chunk of its own */

static inline uint8_t *obuf_reserve(struct obuf *ob, uint32_t n)
{
	const struct obuf_seg *tail = ob->tail;

	if (!tail || tail->cap - tail->len < n || !tail->cap)
		return obuf_reserve_new(ob, n);
	return ob->tail->room + tail->len;
}

/* Appends the first n of the bytes reserved last. */
static inline void obuf_commit(struct obuf *ob, uint32_t n)
{
	BUG_ON(n && (!ob->tail || n > ob->tail->cap - ob->tail->len));
	if (n) {
		ob->tail->len += n;
		ob->end += n;
	}
}

/* Appends a copy. 0, or -ENOMEM with nothing appended. */
int obuf_append(struct obuf *ob, const void *data, size_t len);

/* Appends len bytes by reference; they must not move or change until release(ctx) (NULL: bytes that
   live for ever). 0, or -ENOMEM with nothing appended and release not called. A reference of
   length 0 is released at once. */
int obuf_append_ref(
	struct obuf *ob, const void *data, size_t len, obuf_release_fn release, void *ctx);

static inline uint64_t obuf_len(const struct obuf *ob)
{
	return ob->end - ob->base;
}

/* Position in the stream just past the last byte appended; only grows. A mark for
   obuf_release_to. */
static inline uint64_t obuf_end(const struct obuf *ob)
{
	return ob->end;
}

/* Position in the stream of the first byte still kept. */
static inline uint64_t obuf_base(const struct obuf *ob)
{
	return ob->base;
}

/* Bytes from the front that may be sent now; <= obuf_len. */
static inline uint64_t obuf_sendable(const struct obuf *ob)
{
	return (ob->limit < ob->end ? ob->limit : ob->end) - ob->base;
}

/* From now on, bytes appended are not sendable until released. Does nothing while already
   holding. */
static inline void obuf_hold(struct obuf *ob)
{
	if (ob->limit == UINT64_MAX)
		ob->limit = ob->end;
}

/* Makes bytes before the mark (an earlier obuf_end) sendable; later ones stay held. */
void obuf_release_to(struct obuf *ob, uint64_t mark);

/* Makes everything sendable and stops holding. */
static inline void obuf_release_all(struct obuf *ob)
{
	ob->limit = UINT64_MAX;
}

/* Removes n <= obuf_sendable() bytes from the front. */
void obuf_consume(struct obuf *ob, uint64_t n);

/* Copies len bytes from offset off (from the front; off + len <= obuf_len) into dst. Sequential
   reads cost O(1) each. */
void obuf_copy_at(struct obuf *ob, uint64_t off, void *dst, uint32_t len);

/* A run of bytes of one segment. */
struct obuf_piece {
	const uint8_t *bytes;
	uint32_t len;
	struct obuf_seg *seg;
};

/* Describes len bytes from offset off, as obuf_copy_at() reads them, in at most max pieces; returns
   how many it filled, and in *described how many bytes these are. For each piece the caller owns
   a reference to its segment, whose bytes stay until obuf_seg_put(), even when they are consumed.
   Sequential calls cost O(1) each. */
uint32_t obuf_pieces_get(struct obuf *ob, uint64_t off, uint32_t len, struct obuf_piece *pieces,
	uint32_t max, uint32_t *described);

/* One more reference for another holder, and its end. Any thread, unless the pool is_own;
   obuf_seg_get() by who has one. */
static inline void obuf_seg_get(struct obuf_seg *seg)
{
	if (seg->pool->is_own)
		__atomic_store_n(&seg->refs, seg->refs + 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&seg->refs, 1, __ATOMIC_RELAXED);
}
void obuf_seg_put(struct obuf_seg *seg);

/* Frees what obuf_seg_put() let go of last. The owner, once a loop. */
void obuf_pool_reap_returned(struct obuf_pool *pool);
static inline void obuf_pool_reap(struct obuf_pool *pool)
{
	if (__atomic_load_n(&pool->returned, __ATOMIC_RELAXED))
		obuf_pool_reap_returned(pool);
}

/* Describes sendable bytes from the front in at most max vectors; returns how many it filled. */
int obuf_iov(const struct obuf *ob, struct iovec *iov, int max);

#endif
