/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flush variant for crash tests: keeps every store that is not durable yet, and rebuilds the images
 * that a power cut could leave.
 *
 * Memory (what programs see) and media (what survives) are two arrays. A copy changes memory at
 * once and is kept as stores to aligned 8-byte words. A fence (not grouped) moves to media the
 * stores of the core that fences; a sync (grouped) moves those in its range. An image is the media
 * plus any subset of the kept stores, in the order they were made. That is at least what hardware
 * can leave: lines may be evicted, pages written back, at any moment.
 *
 * For one thread; the "core" that acts is told with flush_record_core_set().
 */
#ifndef MILLRACE_PERSIST_FLUSH_RECORD_H
#define MILLRACE_PERSIST_FLUSH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/flush.h"

struct flush_record;

/* A range of the image, by offset. */
struct flush_range {
	size_t from;
	size_t to;
};

/* @size bytes of zeros, durable. NULL: no memory. */
struct flush_record *flush_record_create(size_t size, bool grouped);
void flush_record_destroy(struct flush_record **rec);

/* What to hand to pool_image_format() and pool_image_open(). Borrowed. */
struct flush flush_record_flush(struct flush_record *rec);
uint8_t *flush_record_mem(struct flush_record *rec);

void flush_record_core_set(struct flush_record *rec, unsigned int core);

/* @point is called before each fence, sync and persist takes effect. NULL: none. */
void flush_record_point_set(struct flush_record *rec, void (*point)(void *ctx), void *ctx);

/*
 * From now on each store in @range is missed by the first fence or sync that should have made it
 * durable (the next one gets it), as if that one were not in the program: to see whether a test
 * notices. NULL: none is missed any more.
 */
void flush_record_drop_set(struct flush_record *rec, const struct flush_range *range);
/* A place in the program that calls fence(), sync() or persist(), by where the call returns to. */
enum flush_kind {
	FLUSH_FENCE,
	FLUSH_SYNC,
	FLUSH_PERSIST,
};
struct flush_site {
	const void *at;
	enum flush_kind kind;
	uint64_t calls; /* that had something to do: stores to make durable */
};
/* Those that have been seen; *nr of them. Borrowed, good until the next call through the seam. */
const struct flush_site *flush_record_sites(const struct flush_record *rec, unsigned int *nr);
void flush_record_sites_forget(struct flush_record *rec);
/* From now on the calls of that place do nothing, as if it were not in the program; NULL: none. */
void flush_record_skip(struct flush_record *rec, const void *at);

/* How many stores were missed. */
uint64_t flush_record_dropped(const struct flush_record *rec);

/* Number of kept stores. */
size_t flush_record_nr_kept(const struct flush_record *rec);

/*
 * Writes to @image (as large as the memory) the image in which those kept stores survive for
 * which @survives returns true; it is asked once for each, in order.
 */
void flush_record_image(const struct flush_record *rec, bool (*survives)(void *ctx, size_t i),
	void *ctx, uint8_t *image);

/* The power cut has happened: memory and media are now @image, nothing is kept. */
void flush_record_restart(struct flush_record *rec, const uint8_t *image);

/* Makes memory, media and kept stores of @rec those of @from, which has the same size. */
void flush_record_assign(struct flush_record *rec, const struct flush_record *from);

#endif
