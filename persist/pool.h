/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool: one file (persistent memory, or an ordinary file) that holds everything that outlives
 * the process: replication ids, the log ring, commit records, snapshots. Its bytes on media are
 * tabled in "persist/pool_format.h", with the crash argument of each.
 *
 * Order of use: pool_open(), recover_open() ("persist/recover.h"), then the log and snapshots,
 * pool_close(). Everything declared here is for the control thread, unless it says otherwise.
 */
#ifndef MILLRACE_PERSIST_POOL_H
#define MILLRACE_PERSIST_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/flush.h"

struct pool;

#define POOL_SIZE_MIN    (16u << 20)
#define POOL_REPLID_LEN  40
#define POOL_BOOT_ID_LEN 36

/* pmem-durability. On real persistent memory all three behave as ALWAYS: a fence is cheap. */
enum pool_durability {
	POOL_DURABILITY_ALWAYS,
	POOL_DURABILITY_EVERYSEC,
	POOL_DURABILITY_NO,
};

enum pool_medium {
	POOL_MEDIUM_FILE,   /* ordinary file: durable by msync */
	POOL_MEDIUM_PMEM,   /* DAX mapping: durable by fence */
	POOL_MEDIUM_FORCED, /* treated as PMEM by PMEM_IS_PMEM_FORCE=1, but is not: unsafe */
};

/* How to open, and the shape of a pool that has to be created. Zero means: choose. */
struct pool_cfg {
	const char *boot_id; /* /proc/sys/kernel/random/boot_id; NULL: unknown, counts as another */
	enum pool_durability durability;
	bool must_exist;  /* -ENOENT rather than create */
	bool any_size;    /* the size given is for a new pool: one that exists keeps its own */
	uint64_t grow_to; /* a size that pool_grow() may be asked for; default 16 times its own */

	/* Used at creation only; the pool remembers its shape. */
	uint64_t ring_size;      /* bytes of log; default a quarter of the pool */
	unsigned int nr_writers; /* poll cores that may ever write, 1..64; default 16 */
	uint32_t commit_slots;   /* commit records per writer, power of two >= 128 */
	uint32_t extent_size; /* power of two, 4 KiB..1 GiB; default 64 KiB..1 MiB by pool size */
};

/* Replication identity, as in INFO replication. Strings are NUL-terminated. */
struct pool_repl {
	char replid[POOL_REPLID_LEN + 1];
	char replid2[POOL_REPLID_LEN + 1]; /* 40 '0' for none */
	int64_t second_repl_offset;        /* -1 for none */
	bool is_copy; /* the history of replid is a master's: who writes on under it forks it */
};

struct pool_info {
	enum pool_medium medium;
	enum pool_durability durability; /* in force */
	enum pool_medium last_medium;    /* of the last user */
	enum pool_durability last_durability;
	uint8_t uuid[16];
	uint64_t size;
	uint64_t ring_size;
	unsigned int nr_writers;
	uint32_t commit_slots;
	uint32_t extent_size;
	uint32_t nr_extents;
	uint32_t version;
	uint32_t incarnation; /* times the log has been recovered or reset */
	uint64_t generation;  /* times the superblock has been written */
	bool was_clean;       /* the last user closed it cleanly */
	bool was_this_boot;   /* the last user ran under this kernel boot */
	bool is_suspect;      /* replid_suspect of an earlier recovery still stands */
	char last_boot_id[POOL_BOOT_ID_LEN + 1]; /* "" if the last user did not know it */
};

/*
 * Opens the pool at @path for this process alone, creating it with @size bytes if there is none
 * (@size 0: only open). A lock on the file keeps others out; it vanishes with the process. Space is
 * allocated here, so that no later store can fault for want of it. Creation is atomic: the file
 * gets its name when it is complete (a crash may leave "<path>.creating-XXXXXX", of no use, on
 * filesystems without nameless files).
 * Nothing in an existing pool is changed before recover_open().
 *
 * Returns 0 and *@pool (owned: pool_close()), or -errno with one line in @err:
 *   -EBUSY            in use by another process
 *   -ENODATA          truncated: file shorter than the superblock says, or too short for one
 *   -EMEDIUMTYPE      not a pool
 *   -EPROTONOSUPPORT  a pool of another format version
 *   -EBADMSG          damaged
 *   -ERANGE           @size differs from the pool's size (a longer file than the pool is accepted),
 *                     and cfg->any_size is false
 *   -EINVAL           @size below POOL_SIZE_MIN, or a shape that does not fit
 *   -ENOSPC, -EACCES, -EPERM, -EROFS, -ENOENT, -ENOMEM, -EIO: as they say
 */
int pool_open(const char *path, uint64_t size, const struct pool_cfg *cfg, struct pool **pool,
	char *err, size_t err_len);

/*
 * Makes a pool that has no name yet, opens it as pool_open() does, and leaves it so: it vanishes
 * with pool_close() (or a crash) unless pool_place() has given it the name @path first. So a pool
 * can be filled before anybody can see it. Returns as pool_open(); -EEXIST when the name is taken.
 */
int pool_make(const char *path, uint64_t size, const struct pool_cfg *cfg, struct pool **pool,
	char *err, size_t err_len);

/*
 * Gives a pool of pool_make() its name, durably on return: what has been made durable in it before
 * is there under the name after any crash from here on. 0, -EEXIST, or -errno with @err.
 */
int pool_place(struct pool *pool, char *err, size_t err_len);

/*
 * Opens an existing pool to look at it: all calls work, but what they change stays in this process'
 * memory and the file is left alone. While a view is open, pool_open() is refused as -EBUSY; a
 * view of a pool that is in use is refused as well. Returns as pool_open().
 */
int pool_view(const char *path, struct pool **pool, char *err, size_t err_len);

/*
 * The medium that a pool at @path has, or would have if it were made. Opens and maps, changes
 * nothing. Returns 0 and *@medium, or -errno.
 */
int pool_medium_probe(const char *path, enum pool_medium *medium);

/*
 * The same as pool_open() over memory that the caller has mapped and owns, through the caller's
 * flush variant: no file, no lock. For tests and tools. pool_image_format() writes an empty pool
 * (any size that the shape fits in); pool_image_open() opens one. Errors as pool_open().
 */
int pool_image_format(const struct flush *flush, void *mem, uint64_t size,
	const struct pool_cfg *cfg, char *err, size_t err_len);
int pool_image_open(const struct flush *flush, void *mem, uint64_t size, const struct pool_cfg *cfg,
	struct pool **pool, char *err, size_t err_len);

/* Whether an address lies in the pool's memory, and *off: at which byte of the file. May be called
 * by the handler of a signal. */
bool pool_holds(const struct pool *pool, const void *addr, uint64_t *off);

/*
 * Closes log and pool, sets *@pool NULL; NULL-safe. @clean: every writer is quiet; makes the log
 * durable to its tail in every durability mode and marks the pool as cleanly closed. Otherwise
 * nothing is written, as if the process had been killed. All snapshots must have been put back.
 */
void pool_close(struct pool **pool, bool clean);

/*
 * Makes an open pool larger, durably on return: more extents, so larger snapshots fit; the log
 * stays as it is. Everything may go on meanwhile. After recover_open(); control thread; blocks for
 * as long as the filesystem takes to find the space. @size is rounded down to pages; the pool's own
 * is no change. Crash: the file is longer first, which nothing minds, then the superblock says so,
 * in one step. Returns 0, or with @err -EINVAL (smaller, or too large for the shape), -ENOSPC,
 * -EFBIG (the addresses behind the pool are taken: open it with cfg->grow_to), or what the file
 * reports.
 */
int pool_grow(struct pool *pool, uint64_t size, char *err, size_t err_len);

/*
 * Makes it smaller, for a pool that only the caller uses: extents at the end must be free. The
 * superblock says so first, then the file is cut. To be closed next. Returns 0; -EBUSY with @err,
 * which tells how small it can be; or as pool_grow().
 */
int pool_shrink(struct pool *pool, uint64_t size, char *err, size_t err_len);

/* Reads the identity that the pool holds. A new pool has a random replid. */
void pool_repl_get(const struct pool *pool, struct pool_repl *repl);

/*
 * Replaces the identity, durably on return (atomically: a crash leaves the old or the new).
 * Clears replid_suspect (see "persist/recover.h"). After recover_open(). Returns 0, or -EINVAL for
 * ids that are not 40 hexadecimal digits. Aborts if the medium fails.
 */
int pool_repl_set(struct pool *pool, const struct pool_repl *repl);

/* Any thread: constant after pool_open() but for incarnation and generation. */
void pool_info_get(const struct pool *pool, struct pool_info *info);

/* "file", "pmem", "forced"; "always", "everysec", "no". */
const char *pool_medium_name(enum pool_medium medium);
const char *pool_durability_name(enum pool_durability durability);

#endif
