/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The superblock: choosing a shape, checking both copies, updating them. The format and its crash
 * argument: "persist/pool_format.h".
 */
#include "persist/pool_priv.h"

#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int pool_error(char *err, size_t err_len, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (err_len > 0)
		vsnprintf(err, err_len, fmt, args);
	va_end(args);
	return rc;
}

static bool is_pow2_within(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v >= lo && v <= hi && (v & (v - 1)) == 0;
}

static uint64_t pow2_floor(uint64_t v)
{
	return v == 0 ? 0 : 1ull << (63 - __builtin_clzll(v));
}

static uint64_t clamp(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* The checks of a shape, the same for a new pool and for one found on media. NULL if it is good. */
static const char *shape_fault(const struct pool_sb *sb)
{
	if (sb->pool_size > POOL_SIZE_LIMIT)
		return "size above 64 TiB";
	if (sb->nr_writers < 1 || sb->nr_writers > POOL_WRITERS_MAX)
		return "number of writers not in 1..64";
	if (!is_pow2_within(sb->commit_slots, POOL_SLOTS_MIN, POOL_SLOTS_MAX))
		return "commit slots not a power of two in 128..1048576";
	if (!is_pow2_within(sb->extent_size, POOL_EXTENT_MIN, POOL_EXTENT_MAX))
		return "extent size not a power of two in 4 KiB..1 GiB";
	if (sb->ring_size < POOL_RING_MIN || sb->ring_size > sb->pool_size ||
		sb->ring_size % POOL_PAGE != 0)
		return "log ring below 16 KiB, above the pool's size or not whole pages";
	if (sb->nr_extents < POOL_EXTENTS_MIN || sb->nr_extents > POOL_EXTENTS_MAX)
		return "no room for snapshots";
	if (sb->commit_off != POOL_HEADER_SIZE ||
		sb->ring_off != sb->commit_off + (uint64_t)sb->nr_writers * sb->commit_slots * 32 ||
		sb->ext_off != sb->ring_off + sb->ring_size ||
		sb->ext_off + (uint64_t)sb->nr_extents * sb->extent_size > sb->pool_size)
		return "areas overlap or do not fit";
	return NULL;
}

int pool_shape_choose(
	struct pool_sb *sb, uint64_t size, const struct pool_cfg *cfg, char *err, size_t err_len)
{
	const char *fault;

	sb->pool_size = size & ~(uint64_t)(POOL_PAGE - 1);
	size = sb->pool_size;
	sb->nr_writers = cfg->nr_writers != 0 ? cfg->nr_writers : 16;
	sb->commit_slots = cfg->commit_slots;
	if (sb->commit_slots == 0)
		sb->commit_slots =
			(uint32_t)clamp(pow2_floor(size / 64 / COMMIT_SIZE / sb->nr_writers),
				POOL_SLOTS_MIN, 16384);
	sb->extent_size = cfg->extent_size;
	if (sb->extent_size == 0)
		sb->extent_size = (uint32_t)clamp(pow2_floor(size / 2048), 64 << 10, 1 << 20);
	sb->ring_size = cfg->ring_size != 0 ? cfg->ring_size : size / 4;
	if (sb->ring_size > size)
		sb->ring_size = size;
	sb->ring_size &= ~(uint64_t)(POOL_PAGE - 1);
	sb->commit_off = POOL_HEADER_SIZE;
	sb->ring_off = sb->commit_off + (uint64_t)sb->nr_writers * sb->commit_slots * COMMIT_SIZE;
	sb->ext_off = sb->ring_off + sb->ring_size;
	sb->nr_extents = 0;
	if (sb->ext_off < size && sb->extent_size != 0)
		sb->nr_extents = (uint32_t)clamp(
			(size - sb->ext_off) / sb->extent_size, 0, POOL_EXTENTS_MAX);
	fault = shape_fault(sb);
	if (fault != NULL)
		return pool_error(err, err_len, -EINVAL, "a pool of %llu bytes cannot be made: %s",
			(unsigned long long)size, fault);
	return 0;
}

int pool_shape_resize(struct pool_sb *sb, uint64_t size, char *err, size_t err_len)
{
	const char *fault;

	sb->pool_size = size & ~(uint64_t)(POOL_PAGE - 1);
	sb->nr_extents = 0;
	if (sb->ext_off < sb->pool_size)
		sb->nr_extents = (uint32_t)clamp(
			(sb->pool_size - sb->ext_off) / sb->extent_size, 0, POOL_EXTENTS_MAX);
	fault = shape_fault(sb);
	if (fault == NULL)
		return 0;
	return pool_error(err, err_len, -EINVAL, "a pool with this log cannot have %llu bytes: %s",
		(unsigned long long)size, fault);
}

static int random_fill(void *buf, size_t len)
{
	return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -EIO;
}

int pool_sb_init(
	struct pool_sb *sb, uint64_t size, const struct pool_cfg *cfg, char *err, size_t err_len)
{
	uint8_t seed[POOL_REPLID_LEN / 2];
	int rc;

	memset(sb, 0, sizeof(*sb));
	memcpy(sb->magic, SB_MAGIC, sizeof(sb->magic));
	sb->version = SB_VERSION;
	sb->generation = 1;
	rc = pool_shape_choose(sb, size, cfg, err, err_len);
	if (rc != 0)
		return rc;
	if (random_fill(sb->uuid, sizeof(sb->uuid)) != 0 || random_fill(seed, sizeof(seed)) != 0)
		return pool_error(err, err_len, -EIO, "no random bytes from the kernel");
	for (size_t i = 0; i < sizeof(seed); i++) {
		sb->replid[2 * i] = "0123456789abcdef"[seed[i] >> 4];
		sb->replid[2 * i + 1] = "0123456789abcdef"[seed[i] & 15];
	}
	memset(sb->replid2, '0', sizeof(sb->replid2));
	sb->second_repl_offset = -1;
	sb->incarnation = 1;
	sb->flags = SB_F_CLEAN;
	sb->snap_stream_db = -1;
	sb->manifest_ext = EXTENT_NONE;
	sb->crc = sb_crc(*sb);
	return 0;
}

static bool is_replid(const char *id)
{
	for (size_t i = 0; i < POOL_REPLID_LEN; i++) {
		bool digit = id[i] >= '0' && id[i] <= '9';
		bool lower = id[i] >= 'a' && id[i] <= 'f';
		bool upper = id[i] >= 'A' && id[i] <= 'F';
		if (!digit && !lower && !upper)
			return false;
	}
	return true;
}

int pool_sb_repl_set(struct pool_sb *sb, const struct pool_repl *repl)
{
	if (!is_replid(repl->replid) || !is_replid(repl->replid2) ||
		repl->replid[POOL_REPLID_LEN] != '\0' || repl->replid2[POOL_REPLID_LEN] != '\0')
		return -EINVAL;
	memcpy(sb->replid, repl->replid, sizeof(sb->replid));
	memcpy(sb->replid2, repl->replid2, sizeof(sb->replid2));
	sb->second_repl_offset = repl->second_repl_offset;
	sb->flags &= ~(SB_F_SUSPECT | SB_F_COPY);
	if (repl->is_copy)
		sb->flags |= SB_F_COPY;
	return 0;
}

/* Checks what an intact superblock says, since a checksum can be right by intent. */
static const char *state_fault(const struct pool_sb *sb)
{
	uint32_t max_pieces_per_block = (sb->extent_size - MANIFEST_HEADER) / MANIFEST_ENTRY;

	if (sb->generation == 0 || sb->generation == UINT64_MAX || sb->incarnation == 0)
		return "generation or incarnation out of range";
	if (sb->hint > POOL_OFFSET_LIMIT || sb->ceiling > POOL_OFFSET_LIMIT ||
		sb->snap_off > POOL_OFFSET_LIMIT)
		return "offset out of range";
	if (sb->log_start > sb->hint || sb->log_start > sb->snap_off || sb->hint > sb->ceiling ||
		sb->ceiling > sb->snap_off + sb->ring_size)
		return "log offsets out of order";
	if (!is_replid(sb->replid) || !is_replid(sb->replid2))
		return "replication id";
	if (sb->snap_pieces > sb->nr_extents)
		return "snapshot larger than the extents";
	if (sb->snap_pieces != 0 &&
		(sb->manifest_ext >= sb->nr_extents || max_pieces_per_block == 0 ||
			(sb->flags & SB_F_BASE_NONE)))
		return "snapshot without manifest";
	if (sb->snap_size > (uint64_t)sb->snap_pieces * sb->extent_size)
		return "snapshot longer than its extents";
	if (sb->durability > POOL_DURABILITY_NO || sb->medium > POOL_MEDIUM_FORCED)
		return "durability or medium";
	return NULL;
}

static bool copy_is_good(const struct pool_sb *sb)
{
	return memcmp(sb->magic, SB_MAGIC, sizeof(sb->magic)) == 0 && sb->version == SB_VERSION &&
	       sb->crc == sb_crc(*sb);
}

const char *pool_sb_fault(const struct pool_sb *sb)
{
	const char *fault;

	if (memcmp(sb->magic, SB_MAGIC, sizeof(sb->magic)) != 0)
		return "not a superblock";
	if (sb->version != SB_VERSION)
		return "another format version";
	if (sb->crc != sb_crc(*sb))
		return "wrong checksum";
	fault = shape_fault(sb);
	return fault != NULL ? fault : state_fault(sb);
}

/* Neither copy can be used: says why. */
static int no_good_copy(const struct pool_sb sb[2], char *err, size_t err_len)
{
	for (int i = 0; i < 2; i++) {
		if (memcmp(sb[i].magic, SB_MAGIC, sizeof(sb[i].magic)) != 0)
			continue;
		if (sb[i].version != SB_VERSION)
			return pool_error(err, err_len, -EPROTONOSUPPORT,
				"pool of format version %u; this program reads version %u",
				sb[i].version, SB_VERSION);
		return pool_error(err, err_len, -EBADMSG,
			"pool is damaged: both superblock copies fail their checksum");
	}
	return pool_error(err, err_len, -EMEDIUMTYPE, "not a millrace pool");
}

/* What never changes. */
static bool same_pool(const struct pool_sb *a, const struct pool_sb *b)
{
	return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 && a->commit_off == b->commit_off &&
	       a->ring_off == b->ring_off && a->ring_size == b->ring_size &&
	       a->ext_off == b->ext_off && a->nr_writers == b->nr_writers &&
	       a->commit_slots == b->commit_slots && a->extent_size == b->extent_size;
}

int pool_sb_choose(const uint8_t *copies, uint64_t file_size, struct pool_sb *out,
	unsigned int *good, char *err, size_t err_len)
{
	struct pool_sb sb[2];
	bool ok[2];
	const char *fault;

	for (int i = 0; i < 2; i++) {
		memcpy(&sb[i], copies + (size_t)i * SB_STRIDE, sizeof(sb[i]));
		ok[i] = copy_is_good(&sb[i]);
	}
	if (!ok[0] && !ok[1])
		return no_good_copy(sb, err, err_len);
	if (ok[0] && ok[1] && !same_pool(&sb[0], &sb[1]))
		return pool_error(err, err_len, -EBADMSG,
			"pool is damaged: the superblock copies describe different pools");
	if (ok[0] && ok[1] && sb[0].generation == sb[1].generation &&
		memcmp(&sb[0], &sb[1], sizeof(sb[0])) != 0)
		return pool_error(err, err_len, -EBADMSG,
			"pool is damaged: the superblock copies contradict each other");
	*good = !ok[0] || (ok[1] && sb[1].generation > sb[0].generation) ? 1 : 0;
	*out = sb[*good];
	if (out->pool_size > file_size)
		return pool_error(err, err_len, -ENODATA,
			"pool is truncated: %llu of %llu bytes are there",
			(unsigned long long)file_size, (unsigned long long)out->pool_size);
	fault = shape_fault(out);
	if (fault == NULL)
		fault = state_fault(out);
	if (fault != NULL)
		return pool_error(err, err_len, -EBADMSG, "pool is damaged: %s", fault);
	return 0;
}

static void copy_write(struct pool *pool, unsigned int i)
{
	uint8_t *to = pool->base + (size_t)i * SB_STRIDE;

	flush_copy(&pool->flush, to, &pool->sb, sizeof(pool->sb));
	flush_fence(&pool->flush);
	BUG_ON(flush_sync(&pool->flush, to, sizeof(pool->sb)) != 0);
}

void pool_sb_commit(struct pool *pool, const struct pool_sb *next)
{
	pool->sb = *next;
	pool->sb.generation++;
	pool->sb.crc = sb_crc(pool->sb);
	/* The good copy stays until the other one is good. */
	copy_write(pool, 1 - pool->sb_good);
	copy_write(pool, pool->sb_good);
	pool->sb_good = 1 - pool->sb_good;
}
