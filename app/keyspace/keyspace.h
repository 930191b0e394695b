/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace: all databases of the node, cut into partitions.
 *
 * A key belongs to one partition (by the hash of its name, the same in every database). A
 * partition has a lock, and for each database a hash table of entries and an expiry index (a
 * heap by time). What the lock guards: everything reachable from the partition, entries and
 * their values included. Only poll cores take partition locks (and single-threaded set-up);
 * several are taken in ascending order (struct ks_lockset).
 *
 * An entry is one allocation: header, optional expiry, key and, when small, the value. Any call
 * that changes a key may move its entry: use the pointer that it returns.
 *
 * Snapshots: an entry carries the epoch in which it was last written or saved. While a snapshot
 * is under way, each call that changes or removes an entry of an older epoch first hands it to
 * the snapshot's save() hook. So every call that changes entries goes through this header, and
 * the epoch cannot be forgotten.
 *
 * Time is an argument (milliseconds of the Unix epoch). Expiry here is mechanism only: whether
 * a key that is past its time is removed, hidden or kept is for the caller (a replica never
 * removes).
 */
#ifndef MILLRACE_APP_KEYSPACE_KEYSPACE_H
#define MILLRACE_APP_KEYSPACE_KEYSPACE_H

#include "dataplane/resp.h"

#include <rte_spinlock.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbers as in DEBUG DIGEST and TYPE. */
enum obj_type {
	OBJ_STRING = 0,
	OBJ_LIST = 1,
	OBJ_SET = 2,
	OBJ_ZSET = 3,
	OBJ_HASH = 4,
	OBJ_STREAM = 6,
};

enum obj_enc {
	OBJ_ENC_INT,    /* a 64-bit integer in the entry */
	OBJ_ENC_EMBSTR, /* bytes in the entry, at most 44 (OBJECT ENCODING says embstr) */
	OBJ_ENC_RAW,    /* bytes in the entry or in a blob */
	/* collections: types/obj.h */
	OBJ_ENC_LISTPACK,
	OBJ_ENC_INTSET,
	OBJ_ENC_HASHTABLE,
	OBJ_ENC_QUICKLIST,
	OBJ_ENC_SKIPLIST,
	OBJ_ENC_STREAM,
};

/* A handle to a collection: types/obj.h. */
struct obj {
	uint8_t type; /* enum obj_type, not OBJ_STRING */
	uint8_t enc;  /* enum obj_enc */
	void *ptr;
};

#define KS_NO_EXPIRE   (-1) /* so -1 itself cannot be set as a time */
#define KS_INT_STR_MAX 24   /* room for a 64-bit integer as text */

/* A shared, reference-counted run of bytes: a large string value, which a reply may still be
 * sending after the key has changed. Immutable while more than one reference exists. */
struct blob {
	atomic_uint refs;
	size_t len;
	size_t cap;
	char data[];
};
void blob_get(struct blob *b);
void blob_put(struct blob *b); /* frees with the last reference; any thread */

struct entry; /* entry.h; opaque to commands but for the entry_* calls */
struct keyspace;

/* The name of a key with its hash, computed once a command. Borrows ptr. */
struct ks_key {
	const char *ptr;
	uint32_t len;
	uint32_t part; /* index of its partition */
	uint64_t hash;
};

struct ks_config {
	uint32_t nr_parts; /* power of two */
	uint32_t nr_dbs;
	uint8_t hash_seed[16];
};

/* Hooks of a snapshot under way, called with the entry's partition locked. core: the poll core
 * that runs the call. save() serialises an entry as it is now, or what save_part() has left of it,
 * and returns the bytes; at most once an entry and snapshot. save_part() serialises a part, of an
 * entry that is large: true when it is whole. It may put it off, and is called for it again;
 * until then the entry does not change. NULL: nothing is saved in parts. */
struct ks_snap_ops {
	size_t (*save)(void *ctx, unsigned core, int db, const struct entry *e);
	bool (*save_part)(void *ctx, unsigned core, uint32_t part, int db, struct entry *e);
	void *ctx;
};

struct keyspace *ks_create(const struct ks_config *cfg); /* NULL: no memory */
void ks_destroy(struct keyspace **ks);                   /* no core may be using it */
uint32_t ks_nr_parts(const struct keyspace *ks);
uint32_t ks_nr_dbs(const struct keyspace *ks);
/* len is below 4 GB. */
struct ks_key ks_key(const struct keyspace *ks, const void *name, size_t len);
/* Start loading what a look-up of k will touch: first the lock and the bucket, and when those
 * have arrived (some keys later) the entry. Hints only; no lock held. The second tries k's
 * partition lock once, and does nothing when it is busy. */
void ks_prefetch(const struct keyspace *ks, int db, const struct ks_key *k);
void ks_prefetch_entry(struct keyspace *ks, int db, const struct ks_key *k);

/* --- locks --- */

#define KS_LOCKSET_INLINE 8

/* A set of partitions to lock together. */
struct ks_lockset {
	uint32_t nr;
	uint32_t cap;
	uint32_t *parts; /* inl, or owned */
	bool all;        /* every partition */
	uint32_t inl[KS_LOCKSET_INLINE];
};
void ks_lockset_init(struct ks_lockset *ls);
void ks_lockset_fini(struct ks_lockset *ls);
void ks_lockset_add(struct ks_lockset *ls, uint32_t part);
void ks_lockset_all(struct ks_lockset *ls);
/* Sorts, removes doubles, and takes all locks in ascending order. Gives up, holding nothing,
 * when one stays busy for longer than the bounded spin: false. */
bool ks_lockset_try(struct keyspace *ks, struct ks_lockset *ls);
void ks_lockset_unlock(struct keyspace *ks, struct ks_lockset *ls);
/* For a set whose locks are held. The others wait for what is missing, out of order and however
 * long it takes. That is no deadlock so long as one thread at most does it at a time (it has the
 * scripts' token): all others who wait give up after a while, and let go of what they hold. */
bool ks_lockset_has(const struct ks_lockset *ls, uint32_t part);
void ks_lockset_extend(struct keyspace *ks, struct ks_lockset *ls, uint32_t part);
void ks_lockset_extend_all(struct keyspace *ks, struct ks_lockset *ls);
bool ks_part_trylock(struct keyspace *ks, uint32_t part); /* bounded spin */
bool ks_part_trylock_once(struct keyspace *ks, uint32_t part);
void ks_part_unlock(struct keyspace *ks, uint32_t part);

/* Replication offset behind the last write to the partition (its lock is held), or to any of
 * the set. */
uint64_t ks_part_written(const struct keyspace *ks, uint32_t part);
void ks_part_set_written(struct keyspace *ks, uint32_t part, uint64_t off);
uint64_t ks_lockset_written(const struct keyspace *ks, const struct ks_lockset *ls);
void ks_lockset_set_written(struct keyspace *ks, const struct ks_lockset *ls, uint64_t off);

/* --- entries: reading (partition locked) --- */

/* The entry of a key, also one past its time, or NULL. Does not count as an access. */
struct entry *ks_find(struct keyspace *ks, int db, const struct ks_key *k);
enum obj_type entry_type(const struct entry *e);
enum obj_enc entry_enc(const struct entry *e);
struct slice entry_key(const struct entry *e);
/* Unix time in ms after which the key is logically gone, or KS_NO_EXPIRE. */
int64_t entry_expire(const struct entry *e);
bool entry_expired(const struct entry *e, int64_t now_ms); /* now_ms > expire, as Redis */
/* The string value as text; integers are formatted into buf. Valid while the lock is held. */
struct slice entry_str(const struct entry *e, char buf[KS_INT_STR_MAX]);
bool entry_int(const struct entry *e, int64_t *value); /* true for OBJ_ENC_INT only */
/* The blob that holds a large string value, or NULL. To keep it beyond the lock: blob_get(). */
struct blob *entry_blob(const struct entry *e);
/* Bytes allocated for key and value (MEMORY USAGE); samples: see struct obj_ops. */
size_t entry_mem(const struct entry *e, size_t samples);
/* The collection of an entry that is no string: to read; ks_obj_edit() to change it. */
struct obj entry_obj(const struct entry *e);

/* Access statistics for LRU and LFU (maxmemory-policy). lru_clock in seconds as Redis' 24 bits;
 * lfu as Redis (16 bits of minutes, 8 bits of logarithmic counter). */
void entry_touch(struct keyspace *ks, struct entry *e, int64_t now_ms);
uint64_t entry_idle_s(const struct keyspace *ks, const struct entry *e, int64_t now_ms);
unsigned entry_freq(const struct keyspace *ks, const struct entry *e, int64_t now_ms);
void entry_set_idle(struct keyspace *ks, struct entry *e, uint64_t idle_s, int64_t now_ms);
void entry_set_freq(struct keyspace *ks, struct entry *e, unsigned freq, int64_t now_ms);

/* --- whoever listens to changes --- */

/* touch() is called for every key that changes, comes or goes (but not for whole databases), in
 * partitions that somebody listens to; the partition is locked. Of one that changes or goes, before
 * it does, and perhaps though in the end nothing changes. Set once, before the cores run. */
struct ks_touch_ops {
	void (*touch)(void *ctx, unsigned core, int db, const struct ks_key *k, bool created);
	void *ctx;
};
void ks_set_touch(struct keyspace *ks, const struct ks_touch_ops *ops);
/* One more (1) or one less (-1) listens to the partition, which is locked. */
void ks_part_listen(struct keyspace *ks, uint32_t part, int by);
/* Somebody listens to all partitions from here on, or no more. Changes that have a lock after the
 * caller's next one are heard. Any thread, one at a time. */
void ks_listen_all(struct keyspace *ks, bool on);

/* --- entries: writing (partition locked; core = index of the calling poll core) --- */

#define KS_KEEP_TTL 1u /* keep the present expiry; without it a new value has none */
#define KS_RAW      2u /* store as raw, whatever the length (as after APPEND) */

/* Creates or replaces a string. Canonical integers of at most 20 characters become OBJ_ENC_INT,
 * unless KS_RAW. Returns the entry, or NULL when memory is out (nothing changed). */
struct entry *ks_set_str(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	const void *val, size_t len, unsigned flags, int64_t now_ms);
struct entry *ks_set_int(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	int64_t val, unsigned flags, int64_t now_ms);
/* Makes the value a raw string of new_len bytes that only the entry owns (old bytes kept, new
 * ones zero) for writing through *data until the lock is released. NULL: memory is out (nothing
 * changed). Growth is amortised, so repeated APPEND is linear. */
struct entry *ks_str_edit(
	struct keyspace *ks, unsigned core, int db, struct entry *e, size_t new_len, char **data);
/* Creates or replaces a key with a collection; takes it on success. NULL: memory is out (nothing
 * changed, the caller keeps it). */
struct entry *ks_set_obj(struct keyspace *ks, unsigned core, int db, const struct ks_key *k,
	const struct obj *o, unsigned flags, int64_t now_ms);
/* Before anything in e's collection changes: a snapshot under way saves it as it is. The handle to
 * change it through goes back by ks_obj_put(), before the lock is released. */
struct obj ks_obj_edit(struct keyspace *ks, unsigned core, int db, struct entry *e);
void ks_obj_put(struct entry *e, const struct obj *o);
/* Sets or (KS_NO_EXPIRE) removes the expiry. Returns the entry, which may have moved; NULL: no
 * memory. */
struct entry *ks_set_expire(
	struct keyspace *ks, unsigned core, int db, struct entry *e, int64_t at_ms);
void ks_del(struct keyspace *ks, unsigned core, int db, struct entry *e);
/* The same; a large collection is freed later, in slices: ks_reclaim(). */
void ks_unlink(struct keyspace *ks, unsigned core, int db, struct entry *e);
/* Moves a value to another name and/or database (RENAME, MOVE, COPY): the destination must not
 * exist; both partitions are locked. Expiry goes along. rename: the source is gone afterwards.
 * NULL: no memory. */
struct entry *ks_move(struct keyspace *ks, unsigned core, int db, struct entry *e, int to_db,
	const struct ks_key *to, int64_t now_ms);
struct entry *ks_copy(struct keyspace *ks, unsigned core, int db, const struct entry *e, int to_db,
	const struct ks_key *to, int64_t now_ms);

/* --- whole databases (every partition locked) --- */

/* Empties one database, or all with db -1. Returns the number of keys removed. A snapshot under
 * way cannot save what is gone: the caller aborts it first (see snapshot.h). Large tables are
 * freed by the caller's core in slices later: ks_reclaim(). */
uint64_t ks_flush(struct keyspace *ks, unsigned core, int db);
/* No snapshot may be under way. */
void ks_swap_db(struct keyspace *ks, int db1, int db2);
/* Takes the other keyspace's content in exchange for this one's (same geometry and seed, no
 * snapshot under way in either): how a replica swaps in a set that it has loaded beside the old
 * one. Nobody else uses the other, so its locks are not needed. What it holds then is freed by
 * ks_destroy(), or before that in slices, by ks_flush() and ks_reclaim() on it. */
void ks_swap_content(struct keyspace *ks, struct keyspace *other);
/* Frees a slice of what was flushed or unlinked. Returns true while there is more. Any poll core,
 * no lock held. */
bool ks_reclaim(struct keyspace *ks, unsigned max_entries);
/* Keys that wait for it, and those that have gone so. Any thread. */
uint64_t ks_lazy_pending(const struct keyspace *ks);
uint64_t ks_lazy_freed(const struct keyspace *ks);
void ks_lazy_freed_reset(struct keyspace *ks);

/* Tables grow and shrink a step with each write. ks_maintain_part does at most max steps of the
 * locked partition for one that is written no more; true while there is more. ks_part_resizing
 * (no lock) tells whether it is worth it. */
bool ks_maintain_part(struct keyspace *ks, uint32_t part, unsigned max);
bool ks_part_resizing(const struct keyspace *ks, uint32_t part);

/* The database, which is empty and nobody uses, is going to get so many keys. */
void ks_reserve(struct keyspace *ks, int db, uint64_t nr);

/* --- counting and walking --- */

uint64_t ks_size(
	const struct keyspace *ks, int db); /* keys, without locks: sums relaxed counters */
uint64_t ks_nr_expires(const struct keyspace *ks, int db);
int64_t ks_avg_ttl_ms(const struct keyspace *ks, int db, int64_t now_ms); /* sampled; 0 when none */

typedef void (*ks_walk_fn)(void *ctx, int db, struct entry *e);
/* SCAN's guarantee: every key that is there during the whole iteration is seen at least once,
 * whatever the tables do meanwhile. The cursor names a partition and a place in it (0 starts, 0
 * returned ends). One call visits one bucket (and what hangs on it) of one partition, which
 * must be locked: ks_scan_part(cursor) tells which. */
uint32_t ks_scan_part(const struct keyspace *ks, uint64_t cursor);
uint64_t ks_scan(struct keyspace *ks, int db, uint64_t cursor, ks_walk_fn fn, void *ctx);
/* Every entry of a partition (locked) in one database. fn must not change the table. */
void ks_walk_part(struct keyspace *ks, uint32_t part, int db, ks_walk_fn fn, void *ctx);
/* A random entry of the locked partition, or NULL when it is empty. */
struct entry *ks_random_entry(struct keyspace *ks, uint32_t part, int db);
/* A partition, drawn with a probability that follows its number of keys; -1 when the database
 * is empty. */
int64_t ks_random_part(const struct keyspace *ks, int db);

/* --- expiry and eviction --- */

/* Called for each key about to be removed, partition locked: the caller logs the DEL. False: it has
 * to stay for now (no room in the log, another role). */
typedef bool (*ks_removed_fn)(void *ctx, uint32_t part, int db, const struct entry *e);
/* Removes keys of the locked partition that are past their time, at most max. Returns how many. */
unsigned ks_expire_part(struct keyspace *ks, unsigned core, uint32_t part, int64_t now_ms,
	unsigned max, ks_removed_fn fn, void *ctx);
/* The earliest expiry in the partition without its lock (relaxed), INT64_MAX when none. */
int64_t ks_part_next_expire(const struct keyspace *ks, uint32_t part);

enum ks_policy {
	KS_NOEVICTION,
	KS_ALLKEYS_LRU,
	KS_ALLKEYS_LFU,
	KS_ALLKEYS_RANDOM,
	KS_VOLATILE_LRU,
	KS_VOLATILE_LFU,
	KS_VOLATILE_RANDOM,
	KS_VOLATILE_TTL,
};
void ks_set_policy(struct keyspace *ks, enum ks_policy policy, unsigned samples, int lfu_log_factor,
	int lfu_decay_min);
/* Picks a victim by the policy over samples from several partitions (each locked only while
 * sampled) and removes it, calling fn first under its partition's lock. No lock may be held. lazy:
 * as ks_unlink() does, so that memory may come back later.
 * Returns bytes freed, 0 when nothing can go. */
size_t ks_evict_one(
	struct keyspace *ks, unsigned core, int64_t now_ms, bool lazy, ks_removed_fn fn, void *ctx);
/* True if the policy allows to evict and there is something that it may take. Any thread. */
bool ks_can_evict(const struct keyspace *ks);

/* --- snapshots --- */

/* The cut. All partitions locked. Advances the epoch: entries written from now on are not saved. */
void ks_snap_begin(struct keyspace *ks, const struct ks_snap_ops *ops);
/* Saves a slice of the locked partition: about max entries and KS_SNAP_SLICE_BYTES from *cursor
 * on (0 starts), or a part of one entry. Returns true when the partition is done. */
#define KS_SNAP_SLICE_BYTES 32768u
bool ks_snap_walk(
	struct keyspace *ks, unsigned core, uint32_t part, uint64_t *cursor, unsigned max);
/* Before a change of the key, whose partition is locked: with a snapshot under way that lacks it,
 * a part of a large value is saved, and true returned when that was not all of it. Then the change
 * should wait, with the partition unlocked. A change that does not saves what is left as a whole.
 * now_ms above 0: only an entry that has expired by then is meant. */
bool ks_snap_hold(
	struct keyspace *ks, unsigned core, int db, const struct ks_key *k, int64_t now_ms);
bool ks_snap_hold_entry(struct keyspace *ks, unsigned core, uint32_t part, int db, struct entry *e);
/* Whether it is worth saving in parts. */
bool ks_snap_is_large(const struct entry *e);
/* Ends it (complete or given up). All partitions locked. */
void ks_snap_end(struct keyspace *ks);
bool ks_snap_active(const struct keyspace *ks);

/* --- digest --- */

/* DEBUG DIGEST of everything (all partitions locked), bit for bit as Redis 7.0 (20 bytes), and
 * of one value. */
void ks_digest(struct keyspace *ks, uint8_t out[20]);
void ks_digest_value(const struct entry *e, uint8_t out[20]);

#endif
