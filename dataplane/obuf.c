/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Output buffer over pooled chunks and references. See the header for the invariants.
 *
 * A segment knows the stream position of its first byte (start), so the cursor is one pointer and
 * a walk can begin anywhere. Bytes of a chunk before `base` were consumed; the chunk goes when
 * all of it was.
 */
#include "dataplane/obuf.h"

#include "checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define SEG_CLASS_REF OBUF_NR_CLASSES
#define SEG_CLASS_BIG (OBUF_NR_CLASSES + 1)

static uint64_t seg_footprint(const struct obuf_seg *seg)
{
	return sizeof(*seg) + seg->cap;
}

static void pool_account(struct obuf_pool *pool, uint64_t used)
{
	__atomic_store_n(&pool->used_bytes, used, __ATOMIC_RELAXED);
}

void obuf_pool_init(struct obuf_pool *pool, uint64_t used_bytes_max)
{
	memset(pool, 0, sizeof(*pool));
	pool->used_bytes_max = used_bytes_max ? used_bytes_max : UINT64_MAX;
	pool->free_bytes_max = 4u << 20;
}

static void free_list_drain(struct obuf_seg **list)
{
	while (*list) {
		struct obuf_seg *seg = *list;

		*list = seg->next;
		free(seg);
	}
}

void obuf_pool_fini(struct obuf_pool *pool)
{
	obuf_pool_reap(pool);
	ASSERT(pool->used_bytes == 0);
	for (int i = 0; i < OBUF_NR_CLASSES; i++)
		free_list_drain(&pool->free[i]);
	free_list_drain(&pool->free_ref);
	pool->free_bytes = 0;
}

static struct obuf_seg **pool_list(struct obuf_pool *pool, unsigned class)
{
	if (class < OBUF_NR_CLASSES)
		return &pool->free[class];
	return class == SEG_CLASS_REF ? &pool->free_ref : NULL;
}

static struct obuf_seg *seg_get(struct obuf_pool *pool, unsigned class, uint64_t cap)
{
	struct obuf_seg **list = pool_list(pool, class);
	const uint64_t footprint = sizeof(struct obuf_seg) + cap;
	struct obuf_seg *seg;

	if (footprint > pool->used_bytes_max - pool->used_bytes)
		return NULL;
	if (list && *list) {
		seg = *list;
		*list = seg->next;
		pool->free_bytes -= footprint;
	} else {
		seg = malloc(footprint);
		if (!seg)
			return NULL;
	}
	pool_account(pool, pool->used_bytes + footprint);
	seg->next = NULL;
	seg->len = 0;
	seg->cap = cap;
	seg->class = (uint8_t) class;
	seg->refs = 1;
	seg->pool = pool;
	seg->bytes = seg->room;
	seg->release = NULL;
	seg->ctx = NULL;
	return seg;
}

/* Gives a segment back; a reference is released here, once. */
static void seg_free(struct obuf_pool *pool, struct obuf_seg *seg)
{
	struct obuf_seg **list = pool_list(pool, seg->class);
	const uint64_t footprint = seg_footprint(seg);
	obuf_release_fn release = seg->release;
	void *ctx = seg->ctx;

	pool_account(pool, pool->used_bytes - footprint);
	if (list && pool->free_bytes + footprint <= pool->free_bytes_max) {
		seg->next = *list;
		*list = seg;
		pool->free_bytes += footprint;
	} else {
		free(seg);
	}
	if (release)
		release(ctx);
}

/* One reference less. True: it was the last. */
static bool refs_drop(struct obuf_seg *seg)
{
	if (!seg->pool->is_own)
		return __atomic_fetch_sub(&seg->refs, 1, __ATOMIC_ACQ_REL) == 1;
	__atomic_store_n(&seg->refs, seg->refs - 1, __ATOMIC_RELAXED);
	return seg->refs == 0;
}

/* The obuf has no more use for it. Only the owner makes new holders out of none, so what it finds
   alone is alone. */
static void seg_put(struct obuf_pool *pool, struct obuf_seg *seg)
{
	if (__atomic_load_n(&seg->refs, __ATOMIC_ACQUIRE) == 1 || refs_drop(seg))
		seg_free(pool, seg);
}

void obuf_seg_put(struct obuf_seg *seg)
{
	struct obuf_pool *pool = seg->pool;
	struct obuf_seg *top;

	if (!refs_drop(seg))
		return;
	top = __atomic_load_n(&pool->returned, __ATOMIC_RELAXED);
	do {
		seg->next = top;
		/* Pairs with obuf_pool_reap_returned(), which takes all at once: no ABA. */
	} while (!__atomic_compare_exchange_n(
		&pool->returned, &top, seg, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

void obuf_pool_reap_returned(struct obuf_pool *pool)
{
	struct obuf_seg *seg = __atomic_exchange_n(&pool->returned, NULL, __ATOMIC_ACQUIRE);

	while (seg) {
		struct obuf_seg *next = seg->next;

		seg_free(pool, seg);
		seg = next;
	}
}

void obuf_init(struct obuf *ob, struct obuf_pool *pool)
{
	memset(ob, 0, sizeof(*ob));
	ob->pool = pool;
	ob->limit = UINT64_MAX;
}

void obuf_fini(struct obuf *ob)
{
	struct obuf_seg *seg = ob->head;

	ob->head = ob->tail = ob->cursor = NULL;
	ob->base = ob->end;
	ob->limit = UINT64_MAX;
	while (seg) {
		struct obuf_seg *next = seg->next;

		seg_put(ob->pool, seg);
		seg = next;
	}
}

static void tail_link(struct obuf *ob, struct obuf_seg *seg)
{
	seg->start = ob->end;
	if (ob->tail)
		ob->tail->next = seg;
	else
		ob->head = seg;
	ob->tail = seg;
}

/* Room left in the last chunk. */
static uint64_t tail_room(const struct obuf *ob)
{
	return ob->tail && ob->tail->cap ? ob->tail->cap - ob->tail->len : 0;
}

/* Links an empty chunk of at least n bytes: double the one before it, within the classes. */
static struct obuf_seg *tail_grow(struct obuf *ob, uint32_t n)
{
	unsigned class = 0;
	struct obuf_seg *seg;
	uint64_t cap;

	if (ob->tail && ob->tail->class < OBUF_NR_CLASSES)
		class = ob->tail->class + 1u < OBUF_NR_CLASSES ? ob->tail->class + 1u
							       : OBUF_NR_CLASSES - 1;
	while (class < OBUF_NR_CLASSES && (OBUF_CHUNK_MIN << class) - sizeof(struct obuf_seg) < n)
		class ++;
	if (class < OBUF_NR_CLASSES) {
		cap = (OBUF_CHUNK_MIN << class) - sizeof(struct obuf_seg);
	} else {
		class = SEG_CLASS_BIG;
		cap = n;
	}
	seg = seg_get(ob->pool, class, cap);
	if (seg)
		tail_link(ob, seg);
	return seg;
}

uint8_t *obuf_reserve_new(struct obuf *ob, uint32_t n)
{
	BUG_ON(n > OBUF_RESERVE_MAX);
	return tail_grow(ob, n) ? ob->tail->room : NULL;
}

/* Undoes what a failed append left: cuts the stream back to `end`. The segments past keep_tail
   were made by the same call. */
static void tail_cut(struct obuf *ob, struct obuf_seg *keep_tail, uint64_t keep_len)
{
	struct obuf_seg *seg = keep_tail ? keep_tail->next : ob->head;

	if (keep_tail) {
		ob->end = keep_tail->start + keep_len;
		keep_tail->len = keep_len;
		keep_tail->next = NULL;
	} else {
		ob->end = ob->base;
		ob->head = NULL;
	}
	ob->tail = keep_tail;
	while (seg) {
		struct obuf_seg *next = seg->next;

		seg_put(ob->pool, seg);
		seg = next;
	}
}

int obuf_append(struct obuf *ob, const void *data, size_t len)
{
	struct obuf_seg *old_tail = ob->tail;
	const uint64_t old_len = old_tail ? old_tail->len : 0;
	const uint8_t *from = data;

	while (len > 0) {
		uint64_t room = tail_room(ob);
		uint32_t n;

		if (room == 0) {
			const uint32_t want =
				len < OBUF_CHUNK_MAX / 2 ? (uint32_t)len : OBUF_CHUNK_MAX / 2;

			if (!tail_grow(ob, want)) {
				tail_cut(ob, old_tail, old_len);
				return -ENOMEM;
			}
			room = tail_room(ob);
		}
		n = len < room ? (uint32_t)len : (uint32_t)room;
		memcpy(ob->tail->room + ob->tail->len, from, n);
		obuf_commit(ob, n);
		from += n;
		len -= n;
	}
	return 0;
}

int obuf_append_ref(
	struct obuf *ob, const void *data, size_t len, obuf_release_fn release, void *ctx)
{
	struct obuf_seg *seg;

	if (len == 0) {
		if (release)
			release(ctx);
		return 0;
	}
	seg = seg_get(ob->pool, SEG_CLASS_REF, 0);
	if (!seg)
		return -ENOMEM;
	seg->bytes = data;
	seg->len = len;
	seg->release = release;
	seg->ctx = ctx;
	tail_link(ob, seg);
	ob->end += len;
	return 0;
}

void obuf_release_to(struct obuf *ob, uint64_t mark)
{
	ASSERT(mark <= ob->end);
	if (ob->limit != UINT64_MAX && mark > ob->limit)
		ob->limit = mark;
}

void obuf_consume(struct obuf *ob, uint64_t n)
{
	BUG_ON(n > obuf_sendable(ob));
	ob->base += n;
	while (ob->head && ob->head->start + ob->head->len <= ob->base) {
		struct obuf_seg *seg = ob->head;

		ob->head = seg->next;
		if (!ob->head)
			ob->tail = NULL;
		if (ob->cursor == seg)
			ob->cursor = ob->head;
		seg_put(ob->pool, seg);
	}
}

/* Where a read of [pos, ..) begins: mostly behind the last one. */
static struct obuf_seg *read_from(const struct obuf *ob, uint64_t pos, bool *is_sequential)
{
	*is_sequential = !ob->cursor || ob->cursor->start <= pos;
	return *is_sequential && ob->cursor ? ob->cursor : ob->head;
}

void obuf_copy_at(struct obuf *ob, uint64_t off, void *dst, uint32_t len)
{
	uint64_t pos = ob->base + off;
	bool is_sequential;
	struct obuf_seg *seg = read_from(ob, pos, &is_sequential);
	uint8_t *to = dst;

	BUG_ON(off > obuf_len(ob) || len > obuf_len(ob) - off);
	if (len == 0)
		return;
	for (;;) {
		uint64_t at, n;

		while (pos >= seg->start + seg->len)
			seg = seg->next;
		at = pos - seg->start;
		n = seg->len - at < len ? seg->len - at : len;
		memcpy(to, seg->bytes + at, n);
		to += n;
		pos += n;
		len -= (uint32_t)n;
		if (len == 0)
			break;
	}
	/* A read behind the cursor is a retransmission: new data goes on from where it was. */
	if (is_sequential)
		ob->cursor = seg;
}

uint32_t obuf_pieces_get(struct obuf *ob, uint64_t off, uint32_t len, struct obuf_piece *pieces,
	uint32_t max, uint32_t *described)
{
	uint64_t pos = ob->base + off;
	bool is_sequential;
	struct obuf_seg *seg = read_from(ob, pos, &is_sequential);
	uint32_t nr = 0;

	BUG_ON(off > obuf_len(ob) || len > obuf_len(ob) - off);
	*described = 0;
	while (*described < len && nr < max) {
		const uint32_t want = len - *described;
		uint64_t at, n;

		while (pos >= seg->start + seg->len)
			seg = seg->next;
		at = pos - seg->start;
		n = seg->len - at < want ? seg->len - at : want;
		obuf_seg_get(seg);
		pieces[nr++] = (struct obuf_piece){seg->bytes + at, (uint32_t)n, seg};
		*described += (uint32_t)n;
		pos += n;
	}
	if (is_sequential && nr)
		ob->cursor = seg;
	return nr;
}

int obuf_iov(const struct obuf *ob, struct iovec *iov, int max)
{
	const uint64_t stop = ob->base + obuf_sendable(ob);
	uint64_t pos = ob->base;
	int nr = 0;

	for (const struct obuf_seg *seg = ob->head; seg && nr < max && pos < stop;
		seg = seg->next) {
		const uint64_t at = pos - seg->start;
		uint64_t n = seg->len - at;

		if (n == 0)
			continue;
		if (n > stop - pos)
			n = stop - pos;
		iov[nr].iov_base = (void *)(uintptr_t)(seg->bytes + at);
		iov[nr].iov_len = n;
		nr++;
		pos += n;
	}
	return nr;
}
