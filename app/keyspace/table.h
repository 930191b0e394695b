/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hash table of one database in one partition.
 *
 * A bucket is a cache line: a one-byte tag for each of seven entries, and their pointers. When
 * more fall together, the last slot holds the next bucket of a chain instead:
 *
 *     | tag 0..6 | used | slot 0 | slot 1 | ... | slot 5 | slot 6 or next |
 *
 * A chain is dense: all its buckets but the last are full. The table doubles or halves step by
 * step: while it does, it has an array cur and an array next, and *units*, as many as the
 * smaller array has buckets. Unit u is bucket u of the smaller array and buckets u and u + n of
 * the larger; units below pos have moved to next, the others are in cur. So each entry is in
 * one bucket that its hash tells, the new array needs no clearing beforehand, and a unit can be
 * visited as a whole whichever array it is in: that is what SCAN's guarantee rests on.
 */
#ifndef MILLRACE_APP_KEYSPACE_TABLE_H
#define MILLRACE_APP_KEYSPACE_TABLE_H

#include "app/keyspace/entry.h"
#include "app/keyspace/hash.h"

#include <stdatomic.h>

#define BUCKET_SLOTS   7u
#define BUCKET_CHAINED 0x80u

struct bucket {
	uint8_t tags[BUCKET_SLOTS];
	uint8_t used; /* bit i: slot i holds an entry; BUCKET_CHAINED: slot 6 is the next bucket */
	void *slot[BUCKET_SLOTS];
} __attribute__((aligned(64)));
static_assert(sizeof(struct bucket) == 64, "bucket is a cache line");

/* Guarded by the partition's lock, but for what table_prefetch() and table_count() read. */
struct table {
	struct bucket *cur;  /* owned; NULL: nothing was ever stored */
	struct bucket *next; /* owned; NULL: not resizing */
	uint64_t pos;        /* units moved to next */
	uint8_t cur_bits;
	uint8_t next_bits;
	_Atomic uint64_t nr; /* entries; one writer at a time */
};

/* Where an entry is, until the table changes. */
struct table_ref {
	struct bucket *b;
	unsigned i;
};

static inline struct entry *table_ref_entry(const struct table_ref *ref)
{
	return ref->b->slot[ref->i];
}

/* Puts an entry with the same key in the place. */
static inline void table_ref_set(const struct table_ref *ref, struct entry *e)
{
	ref->b->slot[ref->i] = e;
}

/* Entries; without the lock a recent value. */
static inline uint64_t table_count(const struct table *t)
{
	return atomic_load_explicit(&t->nr, memory_order_relaxed);
}

bool table_find(
	const struct table *t, uint64_t hash, const void *key, uint32_t len, struct table_ref *ref);
/* The place of e itself. false: e is not in the table. */
bool table_find_entry(
	const struct table *t, uint64_t hash, const struct entry *e, struct table_ref *ref);
/* Adds an entry, whose key is not there. May start to grow. false: no memory (nothing changed). */
bool table_insert(struct table *t, uint64_t hash, struct entry *e);
/* Makes an empty table one for so many entries, if there is memory for it. */
void table_reserve(struct table *t, uint64_t nr);
/* Takes the entry at ref out; the caller owns it. May start to shrink. */
void table_remove(struct table *t, uint64_t hash, const struct table_ref *ref);
static inline bool table_resizing(const struct table *t)
{
	return t->next;
}
/* Moves one unit, if the table is resizing. Returns whether it still is. */
bool table_step(struct table *t, const struct hash_seed *seed);

/* Starts loading the bucket's line into the cache. No lock needed. */
void table_prefetch(const struct table *t, uint64_t hash);
/* Starts loading the lines of the entries whose tag fits. */
void table_prefetch_entry(const struct table *t, uint64_t hash);

typedef void (*table_fn)(void *ctx, struct entry *e);
uint64_t table_units(const struct table *t);
/* Calls fn for each entry of a unit and returns how many lines were looked at. fn must not
 * change the table; with NULL only counts. */
unsigned table_unit_walk(const struct table *t, uint64_t unit, table_fn fn, void *ctx);
/* Visits the unit that the cursor names. Returns the next cursor, 0 behind the last one. Units
 * are taken in the order of their reversed bits, so that a doubled or halved table continues
 * where the cursor points. Adds to *cost the lines looked at (may be NULL). */
uint64_t table_scan(const struct table *t, uint64_t cursor, table_fn fn, void *ctx, unsigned *cost);
/* A random entry, nearly uniformly; NULL when there is none. */
struct entry *table_random(const struct table *t);
/* Calls fn for entries that lie together somewhere in the table: all of them, or at least min.
 * Less random than table_random(), but min entries cost little more than one. */
void table_sample(const struct table *t, unsigned min, table_fn fn, void *ctx);

/* Frees the entries of a unit with their values; returns how many. With fn, that takes them
 * instead. The unit must not be used again. */
unsigned table_unit_free(struct table *t, uint64_t unit, table_fn fn, void *ctx);
/* Exchanges the content of two tables; readers without the lock see either. */
void table_swap(struct table *a, struct table *b);
/* Frees the arrays; entries are gone already. */
void table_fini(struct table *t);

#endif
