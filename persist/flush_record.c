/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flush variant for crash tests.
 */
#include "persist/flush_record.h"

#include "checks.h"

#include <stdlib.h>
#include <string.h>

#define WORD      8
#define SITES_MAX 64

/* One store to one word. Bytes leave the mask when they have reached media. */
struct store {
	size_t word;
	uint32_t seq;
	uint32_t core;
	uint8_t mask;
	bool missed; /* once */
	uint8_t bytes[WORD];
};

struct flush_record {
	uint8_t *mem;
	uint8_t *media;
	uint32_t *media_seq; /* per byte: the store that media has; older ones no longer matter */
	size_t size;
	bool grouped;
	unsigned int core;
	uint32_t seq;
	struct store *kept;
	size_t nr_kept, cap_kept;
	struct flush_range drop;
	struct flush_site sites[SITES_MAX];
	unsigned int nr_sites;
	const void *skip;
	uint64_t nr_dropped;
	void (*point)(void *ctx);
	void *point_ctx;
};

static void keep(struct flush_record *rec, size_t off, const uint8_t *src, size_t len)
{
	struct store *s;

	if (rec->nr_kept == rec->cap_kept) {
		rec->cap_kept = rec->cap_kept != 0 ? 2 * rec->cap_kept : 1024;
		rec->kept = realloc(rec->kept, rec->cap_kept * sizeof(*rec->kept));
		BUG_ON(rec->kept == NULL);
	}
	s = &rec->kept[rec->nr_kept++];
	*s = (struct store){.word = off / WORD * WORD, .seq = ++rec->seq, .core = rec->core};
	for (size_t i = 0; i < len; i++) {
		s->bytes[off % WORD + i] = src[i];
		s->mask |= (uint8_t)(1u << (off % WORD + i));
	}
}

static void record_copy(void *ctx, void *dst, const void *src, size_t len)
{
	struct flush_record *rec = ctx;
	size_t off = (size_t)((uint8_t *)dst - rec->mem);
	const uint8_t *p = src;

	BUG_ON(off > rec->size || len > rec->size - off);
	memcpy(dst, src, len);
	while (len > 0) {
		size_t n = WORD - off % WORD < len ? WORD - off % WORD : len;
		keep(rec, off, p, n);
		off += n;
		p += n;
		len -= n;
	}
}

/* Moves to media the bytes of one store that lie in the range. */
static void store_land(struct flush_record *rec, struct store *s, struct flush_range range)
{
	for (size_t i = 0; i < WORD; i++) {
		size_t at = s->word + i;
		if ((s->mask & 1u << i) == 0 || at < range.from || at >= range.to)
			continue;
		s->mask &= (uint8_t) ~(1u << i);
		if (s->seq > rec->media_seq[at]) {
			rec->media[at] = s->bytes[i];
			rec->media_seq[at] = s->seq;
		}
	}
}

static bool store_concerns(const struct flush_record *rec, const struct store *s, bool any_core,
	struct flush_range range)
{
	return (any_core || s->core == rec->core) && s->word + WORD > range.from &&
	       s->word < range.to;
}

/* True if the fence or sync at hand is the one that misses this store. */
static bool is_missed(struct flush_record *rec, struct store *s)
{
	if (s->missed || !store_concerns(rec, s, true, rec->drop))
		return false;
	s->missed = true;
	rec->nr_dropped++;
	return true;
}

static void land(struct flush_record *rec, bool any_core, struct flush_range range)
{
	size_t nr = 0;

	for (size_t i = 0; i < rec->nr_kept; i++) {
		struct store *s = &rec->kept[i];
		if (store_concerns(rec, s, any_core, range) && !is_missed(rec, s))
			store_land(rec, s, range);
		if (s->mask != 0)
			rec->kept[nr++] = *s;
	}
	rec->nr_kept = nr;
}

static void point(struct flush_record *rec)
{
	if (rec->point != NULL)
		rec->point(rec->point_ctx);
}

static bool has_work(const struct flush_record *rec, bool any_core, struct flush_range range)
{
	for (size_t i = 0; i < rec->nr_kept; i++) {
		if (store_concerns(rec, &rec->kept[i], any_core, range))
			return true;
	}
	return false;
}

/* Notes a call; false: it is to do nothing. */
static bool called(struct flush_record *rec, const void *at, enum flush_kind kind, bool works)
{
	unsigned int i = 0;

	while (i < rec->nr_sites && rec->sites[i].at != at)
		i++;
	if (i == rec->nr_sites) {
		BUG_ON(rec->nr_sites == SITES_MAX);
		rec->sites[rec->nr_sites++] = (struct flush_site){.at = at, .kind = kind};
	}
	rec->sites[i].calls += works;
	return at != rec->skip;
}

static void record_fence(void *ctx)
{
	struct flush_record *rec = ctx;
	struct flush_range all = {0, rec->size};
	bool works = !rec->grouped && has_work(rec, false, all);

	point(rec);
	if (called(rec, __builtin_return_address(0), FLUSH_FENCE, works) && works)
		land(rec, false, all);
}

static struct flush_range range_of(const struct flush_record *rec, const void *addr, size_t len)
{
	size_t off = (size_t)((const uint8_t *)addr - rec->mem);

	BUG_ON(off > rec->size || len > rec->size - off);
	return (struct flush_range){off, off + len};
}

static int record_sync(void *ctx, const void *addr, size_t len)
{
	struct flush_record *rec = ctx;
	struct flush_range range = range_of(rec, addr, len);

	bool works = rec->grouped && has_work(rec, true, range);

	point(rec);
	if (called(rec, __builtin_return_address(0), FLUSH_SYNC, works) && works)
		land(rec, true, range);
	return 0;
}

static int record_persist(void *ctx, const void *addr, size_t len)
{
	struct flush_record *rec = ctx;
	struct flush_range range = range_of(rec, addr, len);

	bool works = has_work(rec, true, range);

	point(rec);
	if (called(rec, __builtin_return_address(0), FLUSH_PERSIST, works) && works)
		land(rec, true, range);
	return 0;
}

static const struct flush_ops record_fenced_ops = {
	.name = "record",
	.grouped = false,
	.copy = record_copy,
	.fence = record_fence,
	.sync = record_sync,
	.persist = record_persist,
};

static const struct flush_ops record_grouped_ops = {
	.name = "record-grouped",
	.grouped = true,
	.copy = record_copy,
	.fence = record_fence,
	.sync = record_sync,
	.persist = record_persist,
};

struct flush_record *flush_record_create(size_t size, bool grouped)
{
	struct flush_record *rec = calloc(1, sizeof(*rec));

	if (rec == NULL)
		return NULL;
	rec->size = size;
	rec->grouped = grouped;
	rec->mem = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
	rec->media = calloc(1, size);
	rec->media_seq = calloc(size, sizeof(*rec->media_seq));
	if (rec->mem == NULL || rec->media == NULL || rec->media_seq == NULL) {
		flush_record_destroy(&rec);
		return NULL;
	}
	memset(rec->mem, 0, size);
	return rec;
}

void flush_record_destroy(struct flush_record **recp)
{
	struct flush_record *rec = *recp;

	if (rec == NULL)
		return;
	*recp = NULL;
	free(rec->mem);
	free(rec->media);
	free(rec->media_seq);
	free(rec->kept);
	free(rec);
}

struct flush flush_record_flush(struct flush_record *rec)
{
	return (struct flush){
		.ops = rec->grouped ? &record_grouped_ops : &record_fenced_ops, .ctx = rec};
}

uint8_t *flush_record_mem(struct flush_record *rec)
{
	return rec->mem;
}

void flush_record_core_set(struct flush_record *rec, unsigned int core)
{
	rec->core = core;
}

void flush_record_point_set(struct flush_record *rec, void (*at)(void *ctx), void *ctx)
{
	rec->point = at;
	rec->point_ctx = ctx;
}

void flush_record_drop_set(struct flush_record *rec, const struct flush_range *range)
{
	rec->drop = range != NULL ? *range : (struct flush_range){0, 0};
}

const struct flush_site *flush_record_sites(const struct flush_record *rec, unsigned int *nr)
{
	*nr = rec->nr_sites;
	return rec->sites;
}

void flush_record_sites_forget(struct flush_record *rec)
{
	rec->nr_sites = 0;
}

void flush_record_skip(struct flush_record *rec, const void *at)
{
	rec->skip = at;
}

uint64_t flush_record_dropped(const struct flush_record *rec)
{
	return rec->nr_dropped;
}

size_t flush_record_nr_kept(const struct flush_record *rec)
{
	return rec->nr_kept;
}

void flush_record_image(const struct flush_record *rec, bool (*survives)(void *ctx, size_t i),
	void *ctx, uint8_t *image)
{
	memcpy(image, rec->media, rec->size);
	for (size_t i = 0; i < rec->nr_kept; i++) {
		const struct store *s = &rec->kept[i];
		if (!survives(ctx, i))
			continue;
		for (size_t b = 0; b < WORD; b++) {
			if ((s->mask & 1u << b) != 0 && s->seq > rec->media_seq[s->word + b])
				image[s->word + b] = s->bytes[b];
		}
	}
}

void flush_record_restart(struct flush_record *rec, const uint8_t *image)
{
	memcpy(rec->mem, image, rec->size);
	memcpy(rec->media, image, rec->size);
	memset(rec->media_seq, 0, rec->size * sizeof(*rec->media_seq));
	rec->seq = 0;
	rec->nr_kept = 0;
}

void flush_record_assign(struct flush_record *rec, const struct flush_record *from)
{
	BUG_ON(rec->size != from->size);
	flush_record_restart(rec, from->media);
	memcpy(rec->mem, from->mem, rec->size);
	memcpy(rec->media_seq, from->media_seq, rec->size * sizeof(*rec->media_seq));
	rec->seq = from->seq;
	if (from->nr_kept > rec->cap_kept) {
		rec->cap_kept = from->cap_kept;
		rec->kept = realloc(rec->kept, rec->cap_kept * sizeof(*rec->kept));
		BUG_ON(rec->kept == NULL);
	}
	if (from->nr_kept > 0)
		memcpy(rec->kept, from->kept, from->nr_kept * sizeof(*rec->kept));
	rec->nr_kept = from->nr_kept;
}
