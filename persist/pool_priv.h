/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of persist/ share about an open pool. Not for anyone else.
 */
#ifndef MILLRACE_PERSIST_POOL_PRIV_H
#define MILLRACE_PERSIST_POOL_PRIV_H

#include <stdarg.h>
#include <stdatomic.h>

#include "persist/pool.h"
#include "persist/pool_format.h"

struct log;
struct recover_result;
struct snap_area;

struct pool {
	/* Constant after pool_open(). */
	struct flush flush;
	uint8_t *base;
	size_t map_len;   /* of the mapping; 0: the caller's memory */
	size_t map_limit; /* addresses that are kept for it to grow into; of memory: its length */
	int map_flags;    /* for mmap() of what is added; 0: it cannot grow */
	int fd;           /* holds the lock; -1: the caller's memory */
	char *path;       /* owned: the name that pool_place() will give; NULL: has one */
	char *tmp;        /* owned: its temporary name; NULL: none */
	enum pool_medium medium;
	enum pool_durability durability; /* in force */
	char boot_id[POOL_BOOT_ID_LEN + 1];
	char last_boot_id[POOL_BOOT_ID_LEN + 1]; /* of the last user */

	/* The shape, for threads that must not look at sb, which the control thread rewrites. */
	uint8_t *extents;
	uint32_t extent_size;
	uint32_t max_extents;        /* as many as may be there after growing */
	_Atomic uint32_t nr_extents; /* control thread; rises in pool_grow() */
	unsigned int nr_writers;

	struct log *log;         /* from recover_open() on */
	struct snap_area *snaps; /* from recover_open() on */

	/* Guarded by being the control thread's. */
	struct pool_sb sb;    /* the state in force: what media holds */
	unsigned int sb_good; /* the copy that is known to hold it */
	enum pool_medium last_medium;
	enum pool_durability last_durability;
	bool opened_clean;
	bool opened_this_boot;
};

/* Formats one line into @err (may be NULL with @err_len 0) and returns @rc. */
int pool_error(char *err, size_t err_len, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Fills in the shape of a new pool. 0 or -EINVAL with @err. */
int pool_shape_choose(
	struct pool_sb *sb, uint64_t size, const struct pool_cfg *cfg, char *err, size_t err_len);

/* A complete superblock for a new, empty pool. 0, -EINVAL or -EIO (no randomness) with @err. */
int pool_sb_init(
	struct pool_sb *sb, uint64_t size, const struct pool_cfg *cfg, char *err, size_t err_len);

/*
 * Chooses between the copies at @copies (2 * SB_STRIDE bytes) and checks all fields, given that
 * the file is @file_size long. 0 with *@sb and the copy's number in *@good, or an error of
 * pool_open() with @err.
 */
int pool_sb_choose(const uint8_t *copies, uint64_t file_size, struct pool_sb *sb,
	unsigned int *good, char *err, size_t err_len);

/* The same shape with @size bytes and so more or fewer extents, in @sb. 0 or -EINVAL with @err. */
int pool_shape_resize(struct pool_sb *sb, uint64_t size, char *err, size_t err_len);

/* What is wrong with this one copy of a superblock, or NULL. */
const char *pool_sb_fault(const struct pool_sb *sb);

/* Makes *@next (a changed copy of pool->sb) the state in force, durably. Aborts on failure. */
void pool_sb_commit(struct pool *pool, const struct pool_sb *next);

/* Checks ids and puts them into @sb. 0 or -EINVAL. */
int pool_sb_repl_set(struct pool_sb *sb, const struct pool_repl *repl);

/* Up to here from its base the pool may grow. */
void pool_limit_set(struct pool *pool, uint64_t limit);

/* Builds the struct around mapped memory whose superblock is good. 0 or as pool_open(). */
int pool_attach(const struct flush *flush, uint8_t *base, uint64_t len, const struct pool_cfg *cfg,
	enum pool_medium medium, struct pool **out, char *err, size_t err_len);

/* Makes the file as long and maps what is new, behind what is mapped. 0 or -errno with @err. */
int pool_file_grow(struct pool *pool, uint64_t size, char *err, size_t err_len);

/* What recover_open() will find of the log, without the step that changes the pool. 0, -EBADMSG,
 * -EOVERFLOW or -ENOMEM with @err. */
int recover_find(const struct pool *pool, struct recover_result *res, char *err, size_t err_len);

static inline uint8_t *pool_ext_addr(const struct pool *pool, uint32_t ext)
{
	return pool->extents + (uint64_t)ext * pool->extent_size;
}

#endif
