/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace from inside: what its files share.
 *
 * keyspace -> dbs[db] -> cell of each partition. A database's cells are allocated with its
 * first key and stay until the keyspace goes, so that counters can be read without locks.
 */
#ifndef MILLRACE_APP_KEYSPACE_KEYSPACE_PRIV_H
#define MILLRACE_APP_KEYSPACE_KEYSPACE_PRIV_H

#include "app/keyspace/heap.h"
#include "app/keyspace/keyspace.h"
#include "app/keyspace/table.h"

#include <stdatomic.h>

#define KS_LRU_MASK     0xffffffu
#define KS_LFU_INIT     5u
#define KS_CACHE_LINE   64
#define KS_CURSOR_SHIFT 40 /* snapshot cursors: the database above, the table's cursor below */

/* One database in one partition. Guarded by the partition's lock but for relaxed readers of the
 * counters. */
struct ks_cell {
	struct table table;
	/* expiry */
	struct heap heap __attribute__((aligned(KS_CACHE_LINE)));
	atomic_uint ttl_seq;         /* odd while the next two change together */
	_Atomic uint64_t nr_expires; /* heap.nr, for readers without the lock */
	_Atomic uint64_t ttl_sum;    /* of the expiry times, each cut at KS_TTL_SUM_MAX */
} __attribute__((aligned(KS_CACHE_LINE)));
static_assert(sizeof(struct ks_cell) == 2 * KS_CACHE_LINE, "cell is two cache lines");

#define KS_TTL_SUM_MAX (INT64_C(1) << 46) /* the year 4199: no sum of real times overflows */

/* Asks for a line that is going to be written: not a shared copy first, and then a second time
 * for the right to write. (The compiler's own prefetch for writing asks for a shared one on most
 * x86-64; where the instruction is not known, it does nothing.) */
static inline void ks_prefetch_write(const void *line)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
	__builtin_prefetch(line, 1);
#endif
}

struct ks_part {
	rte_spinlock_t lock;
	atomic_uint nr_resizing;     /* tables that table_step() has work for */
	uint64_t written;            /* guarded by lock */
	uint64_t snap_done;          /* guarded by lock: epoch whose walk is complete here */
	_Atomic int64_t next_expire; /* written under lock */
	uint32_t nr_listeners;       /* guarded by lock */
} __attribute__((aligned(KS_CACHE_LINE)));

struct grave;
struct lazy;

struct keyspace {
	/* read-mostly */
	uint32_t nr_parts;
	uint32_t part_bits;
	uint32_t nr_dbs;
	struct hash_seed seed;
	struct ks_part *parts; /* owned, nr_parts */
	/* owned: nr_dbs pointers to nr_parts cells each, NULL until used */
	_Atomic(struct ks_cell *) *dbs;

	/* eviction and access statistics: relaxed */
	atomic_int policy;
	atomic_uint samples;
	atomic_int lfu_log_factor;
	atomic_int lfu_decay_min;

	/* somebody has listened to some partition at some time; written under the lock of the first
	 * one, so who holds its lock sees it */
	atomic_bool listened;
	atomic_bool listened_all; /* somebody listens to every partition */
	struct ks_touch_ops touch_ops;

	/* snapshots: written with all partitions locked, read with one */
	atomic_bool snap_active;
	uint64_t epoch;
	uint64_t epoch_floor; /* no entry is of an earlier epoch */
	struct ks_snap_ops snap_ops;
	atomic_uint snap_nr_done; /* partitions walked to the end */

	/* what was flushed and waits for its end */
	rte_spinlock_t grave_lock __attribute__((aligned(KS_CACHE_LINE)));
	/* guarded by grave_lock; relaxed loads ask whether there are any */
	struct grave *graves;
	struct lazy *lazy; /* unlinked entries */
	_Atomic uint64_t lazy_pending, lazy_freed;
};

/* The cell, or NULL when the database was never used. */
static inline struct ks_cell *ks_cell(const struct keyspace *ks, int db, uint32_t part)
{
	struct ks_cell *cells;

	BUG_ON((uint32_t)db >= ks->nr_dbs || part >= ks->nr_parts);
	/* pairs with db_create() */
	cells = atomic_load_explicit(&ks->dbs[db], memory_order_acquire);
	return cells ? &cells[part] : NULL;
}

/* The cell, made if need be; NULL: no memory. */
struct ks_cell *ks_cell_create(struct keyspace *ks, int db, uint32_t part);

static inline uint64_t ks_hash(const struct keyspace *ks, const void *key, size_t len)
{
	return hash_key(&ks->seed, key, len);
}

static inline uint32_t ks_hash_part(const struct keyspace *ks, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * ks->nr_parts >> 32);
}

/* An entry of a table with all that says where it is. */
struct ks_place {
	uint64_t hash;
	uint32_t part;
	struct ks_cell *cell;
	struct table_ref ref;
};

/* Finds the place of e, which is in the database. */
struct ks_place ks_place_of(struct keyspace *ks, int db, const struct entry *e);

/* Moves a unit of a table that is resizing, and keeps the partition's count of those. before:
 * whether it was resizing when the calling operation began. */
void ks_cell_step(struct keyspace *ks, uint32_t part, struct ks_cell *cell, bool before);

/* Tells who listens to the partition of k; of e, whose name has to be hashed first. */
void ks_touch_key(struct keyspace *ks, unsigned core, int db, const struct ks_key *k, bool created);
void ks_touch_entry(struct keyspace *ks, unsigned core, int db, const struct entry *e);
static inline bool ks_listened(const struct keyspace *ks)
{
	return atomic_load_explicit(&ks->listened, memory_order_relaxed);
}

/* Before e changes or goes: hands it to a snapshot that has not saved it, and stamps it. */
static inline void ks_before_change(struct keyspace *ks, unsigned core, int db, struct entry *e)
{
	if (__builtin_expect(ks_listened(ks), 0))
		ks_touch_entry(ks, core, db, e);
	if (e->epoch == (uint16_t)ks->epoch)
		return;
	if (ks_snap_active(ks))
		ks->snap_ops.save(ks->snap_ops.ctx, core, db, e);
	e->epoch = (uint16_t)ks->epoch;
}

/* How many allocations freeing the entry takes, about: 1 for a string. */
size_t ks_entry_parts(const struct entry *e);

/* Takes e out of the table and the heap; the caller owns it then. */
void ks_detach(struct keyspace *ks, int db, const struct ks_place *place);

/* --- expiry (expire.c) --- */

/* Adds an entry whose expiry is set (room is reserved), changes it, removes it: heap, counters
 * and the partition's next expiry. */
void ks_ttl_add(struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e);
void ks_ttl_change(
	struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e, int64_t at_ms);
void ks_ttl_remove(struct keyspace *ks, uint32_t part, struct ks_cell *cell, struct entry *e);
/* Another entry takes e's place in the heap. */
void ks_ttl_replace(struct ks_cell *cell, const struct entry *e, struct entry *by);
/* Sets the partition's next expiry from its heaps. */
void ks_next_expire_set(struct keyspace *ks, uint32_t part);

static inline uint64_t ks_cell_nr_expires(const struct ks_cell *cell)
{
	return atomic_load_explicit(&cell->nr_expires, memory_order_relaxed);
}

/* Exchanges all that two cells hold. */
void ks_cell_swap(struct ks_cell *a, struct ks_cell *b);
/* Frees all that a cell holds. */
void ks_cell_free(struct ks_cell *cell);

/* --- access (access.c) --- */

/* The lru field of an entry just created. */
uint32_t ks_lru_new(const struct keyspace *ks, int64_t now_ms);
static inline bool ks_policy_is_lfu(const struct keyspace *ks)
{
	int policy = atomic_load_explicit(&ks->policy, memory_order_relaxed);

	return policy == KS_ALLKEYS_LFU || policy == KS_VOLATILE_LFU;
}

/* --- lazy.c --- */
/* Keys have been put aside, to be freed in slices; and have been freed so. */
void ks_lazy_add(struct keyspace *ks, uint64_t nr);
void ks_lazy_done(struct keyspace *ks, uint64_t nr);
/* Frees an entry that is in no table any more, or puts it aside when it is large. A table_fn; ctx:
 * the keyspace. */
void ks_bury_entry(void *ctx, struct entry *e);
/* ks_reclaim() of what was put aside. */
bool ks_lazy_reclaim(struct keyspace *ks, unsigned max_parts);

/* --- whole.c --- */
void ks_graves_free(struct keyspace *ks);

#endif
