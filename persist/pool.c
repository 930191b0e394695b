/* SPDX-License-Identifier: BSD-3-Clause
 *
 * An open pool: what it says about itself, its replication identity, images in memory, closing.
 */
#include "persist/pool.h"

#include "checks.h"
#include "persist/log_priv.h"
#include "persist/pool_priv.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *pool_medium_name(enum pool_medium medium)
{
	switch (medium) {
	case POOL_MEDIUM_FILE: return "file";
	case POOL_MEDIUM_PMEM: return "pmem";
	case POOL_MEDIUM_FORCED: return "forced";
	}
	return "unknown";
}

const char *pool_durability_name(enum pool_durability durability)
{
	switch (durability) {
	case POOL_DURABILITY_ALWAYS: return "always";
	case POOL_DURABILITY_EVERYSEC: return "everysec";
	case POOL_DURABILITY_NO: return "no";
	}
	return "unknown";
}

void pool_limit_set(struct pool *pool, uint64_t limit)
{
	uint64_t nr = (limit - pool->sb.ext_off) / pool->extent_size;

	pool->map_limit = limit;
	pool->max_extents = nr < POOL_EXTENTS_MAX ? (uint32_t)nr : POOL_EXTENTS_MAX;
}

int pool_attach(const struct flush *flush, uint8_t *base, uint64_t len, const struct pool_cfg *cfg,
	enum pool_medium medium, struct pool **out, char *err, size_t err_len)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int rc;

	if (pool == NULL)
		return pool_error(err, err_len, -ENOMEM, "out of memory");
	pool->flush = *flush;
	pool->base = base;
	pool->fd = -1;
	pool->medium = medium;
	pool->durability = flush->ops->grouped ? cfg->durability : POOL_DURABILITY_ALWAYS;
	rc = pool_sb_choose(base, len, &pool->sb, &pool->sb_good, err, err_len);
	if (rc != 0) {
		free(pool);
		return rc;
	}
	pool->extents = base + pool->sb.ext_off;
	pool->extent_size = pool->sb.extent_size;
	atomic_store(&pool->nr_extents, pool->sb.nr_extents);
	pool_limit_set(pool, len);
	pool->nr_writers = pool->sb.nr_writers;
	if (cfg->boot_id != NULL) {
		strncpy(pool->boot_id, cfg->boot_id, POOL_BOOT_ID_LEN);
		pool->opened_this_boot =
			strncmp(pool->boot_id, pool->sb.boot_id, POOL_BOOT_ID_LEN) == 0;
	}
	memcpy(pool->last_boot_id, pool->sb.boot_id, POOL_BOOT_ID_LEN);
	pool->last_medium = pool->sb.medium;
	pool->last_durability = pool->sb.durability;
	pool->opened_clean = (pool->sb.flags & SB_F_CLEAN) != 0;
	*out = pool;
	return 0;
}

int pool_image_format(const struct flush *flush, void *mem, uint64_t size,
	const struct pool_cfg *cfg, char *err, size_t err_len)
{
	static const uint8_t zero[POOL_PAGE];
	struct pool_sb sb;
	uint8_t *base = mem;
	int rc = pool_sb_init(&sb, size, cfg, err, err_len);

	if (rc != 0)
		return rc;
	for (uint64_t off = 0; off < sb.ring_off; off += POOL_PAGE)
		flush_copy(flush, base + off, zero, POOL_PAGE);
	flush_fence(flush);
	rc = flush_sync(flush, base, sb.ring_off);
	for (unsigned int i = 0; i < 2 && rc == 0; i++) {
		flush_copy(flush, base + (size_t)i * SB_STRIDE, &sb, sizeof(sb));
		flush_fence(flush);
		rc = flush_sync(flush, base + (size_t)i * SB_STRIDE, sizeof(sb));
	}
	return rc == 0 ? 0 : pool_error(err, err_len, rc, "cannot write: %s", strerror(-rc));
}

int pool_image_open(const struct flush *flush, void *mem, uint64_t size, const struct pool_cfg *cfg,
	struct pool **pool, char *err, size_t err_len)
{
	if (size < POOL_HEADER_SIZE)
		return pool_error(err, err_len, -ENODATA, "too short for a pool: %llu bytes",
			(unsigned long long)size);
	return pool_attach(flush, mem, size, cfg,
		flush->ops->grouped ? POOL_MEDIUM_FILE : POOL_MEDIUM_PMEM, pool, err, err_len);
}

bool pool_holds(const struct pool *pool, const void *addr, uint64_t *off)
{
	const uint8_t *p = addr;

	if (p < pool->base || p >= pool->base + pool->sb.pool_size)
		return false;
	*off = (uint64_t)(p - pool->base);
	return true;
}

void pool_close(struct pool **poolp, bool clean)
{
	struct pool *pool = *poolp;

	if (pool == NULL)
		return;
	*poolp = NULL;
	if (pool->log != NULL && clean)
		log_close_clean(pool->log);
	snap_area_destroy(&pool->snaps);
	log_destroy(&pool->log);
	if (pool->map_len != 0)
		munmap(pool->base, pool->map_limit);
	if (pool->tmp != NULL)
		unlink(pool->tmp);
	if (pool->fd >= 0)
		close(pool->fd);
	free(pool->tmp);
	free(pool->path);
	free(pool);
}

int pool_grow(struct pool *pool, uint64_t size, char *err, size_t err_len)
{
	struct pool_sb next = pool->sb;
	int rc;

	BUG_ON(pool->log == NULL); /* only recover_open() makes the copies fit to be updated */
	rc = pool_shape_resize(&next, size, err, err_len);
	if (rc != 0)
		return rc;
	if (next.pool_size < pool->sb.pool_size)
		return pool_error(err, err_len, -EINVAL,
			"the pool has %llu bytes and cannot be made smaller while it is open",
			(unsigned long long)pool->sb.pool_size);
	if (next.pool_size == pool->sb.pool_size)
		return 0;
	if (next.pool_size > pool->map_limit || next.nr_extents > pool->max_extents)
		return pool_error(err, err_len, -EFBIG,
			"an open pool of %llu bytes cannot grow beyond %llu; a restart with the new "
			"size can",
			(unsigned long long)pool->sb.pool_size,
			(unsigned long long)pool->map_limit);
	rc = pool_file_grow(pool, next.pool_size, err, err_len);
	if (rc != 0)
		return rc;
	pool_sb_commit(pool, &next);
	extents_add(pool->snaps, next.nr_extents);
	return 0;
}

int pool_shrink(struct pool *pool, uint64_t size, char *err, size_t err_len)
{
	struct pool_sb next = pool->sb;
	uint32_t used = extents_end(pool->snaps);
	int rc = pool_shape_resize(&next, size, err, err_len);

	BUG_ON(pool->log == NULL);
	if (rc != 0)
		return rc;
	if (next.pool_size > pool->sb.pool_size)
		return pool_error(err, err_len, -EINVAL, "that is larger");
	if (next.nr_extents < used)
		return pool_error(err, err_len, -EBUSY,
			"a snapshot lies there: the pool cannot be smaller than %llu bytes",
			(unsigned long long)(pool->sb.ext_off +
					     (uint64_t)used * pool->extent_size));
	pool_sb_commit(pool, &next);
	if (pool->fd >= 0 && ftruncate(pool->fd, (off_t)next.pool_size) != 0)
		return pool_error(
			err, err_len, -errno, "the file cannot be cut: %s", strerror(errno));
	return 0;
}

void pool_repl_get(const struct pool *pool, struct pool_repl *repl)
{
	memset(repl, 0, sizeof(*repl));
	memcpy(repl->replid, pool->sb.replid, POOL_REPLID_LEN);
	memcpy(repl->replid2, pool->sb.replid2, POOL_REPLID_LEN);
	repl->second_repl_offset = pool->sb.second_repl_offset;
	repl->is_copy = (pool->sb.flags & SB_F_COPY) != 0;
}

int pool_repl_set(struct pool *pool, const struct pool_repl *repl)
{
	struct pool_sb next = pool->sb;
	int rc = pool_sb_repl_set(&next, repl);

	BUG_ON(pool->log == NULL); /* only recover_open() makes the copies fit to be updated */
	if (rc == 0)
		pool_sb_commit(pool, &next);
	return rc;
}

void pool_info_get(const struct pool *pool, struct pool_info *info)
{
	const struct pool_sb *sb = &pool->sb;

	memset(info, 0, sizeof(*info));
	info->medium = pool->medium;
	info->durability = pool->durability;
	info->last_medium = pool->last_medium;
	info->last_durability = pool->last_durability;
	memcpy(info->uuid, sb->uuid, sizeof(info->uuid));
	info->size = sb->pool_size;
	info->ring_size = sb->ring_size;
	info->nr_writers = sb->nr_writers;
	info->commit_slots = sb->commit_slots;
	info->extent_size = sb->extent_size;
	info->nr_extents = sb->nr_extents;
	info->version = sb->version;
	info->incarnation = sb->incarnation;
	info->generation = sb->generation;
	info->was_clean = pool->opened_clean;
	info->was_this_boot = pool->opened_this_boot;
	info->is_suspect = (sb->flags & SB_F_SUSPECT) != 0;
	memcpy(info->last_boot_id, pool->last_boot_id, sizeof(info->last_boot_id));
}
