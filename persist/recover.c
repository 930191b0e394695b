/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recovery. The argument is in "persist/recover.h".
 */
#include "persist/recover.h"

#include "checks.h"
#include "persist/log_priv.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the superblock and the hint cells say together. */
struct known {
	uint64_t hint;
	uint64_t ceiling;
	uint32_t incarnation; /* the highest that is written anywhere */
};

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Reads the hint cells; false if one is intact and yet cannot be true. */
static bool known_get(const struct pool *pool, struct known *known)
{
	const struct pool_sb *sb = &pool->sb;
	uint64_t limit = sb->snap_off + sb->ring_size, best = 0;

	known->hint = sb->hint;
	known->ceiling = sb->ceiling;
	known->incarnation = sb->incarnation;
	for (int i = 0; i < 2; i++) {
		struct hint_cell cell;
		memcpy(&cell, pool->base + HINT_OFF + (size_t)i * HINT_STRIDE, sizeof(cell));
		if (cell.magic != HINT_MAGIC || cell.crc != hint_crc(cell))
			continue;
		if (cell.incarnation > known->incarnation)
			known->incarnation = cell.incarnation;
		if (cell.incarnation != sb->incarnation)
			continue;
		if (cell.hint < sb->hint || cell.ceiling < cell.hint || cell.ceiling > limit)
			return false;
		if (cell.seq > best) {
			best = cell.seq;
			known->hint = cell.hint;
			known->ceiling = max_u64(cell.ceiling, sb->ceiling);
		}
	}
	known->hint = max_u64(known->hint, sb->snap_off);
	return known->hint <= known->ceiling;
}

static int by_offset(const void *a, const void *b)
{
	uint64_t x = ((const struct commit_rec *)a)->off, y = ((const struct commit_rec *)b)->off;

	return x < y ? -1 : x > y;
}

static bool rec_is_candidate(
	const struct pool *pool, const struct known *known, const struct commit_rec *rec)
{
	return rec->incarnation == pool->sb.incarnation && rec->len != 0 &&
	       rec->len <= log_run_max(pool->sb.ring_size) && rec->off >= pool->sb.log_start &&
	       rec->off < known->ceiling && rec->len <= known->ceiling - rec->off &&
	       rec->off + rec->len > known->hint;
}

/* Collects the records that end above the hint, in order. Returns owned, NULL: no memory. */
static struct commit_rec *records_collect(const struct pool *pool, struct known *known, size_t *nr)
{
	const uint8_t *from = pool->base + pool->sb.commit_off;
	size_t nr_all = (size_t)pool->sb.nr_writers * pool->sb.commit_slots;
	struct commit_rec *recs = NULL;
	size_t cap = 0;

	*nr = 0;
	for (size_t i = 0; i < nr_all; i++) {
		struct commit_rec rec;
		memcpy(&rec, from + i * sizeof(rec), sizeof(rec));
		if (rec.crc != commit_crc(rec))
			continue;
		if (rec.incarnation > known->incarnation)
			known->incarnation = rec.incarnation;
		if (!rec_is_candidate(pool, known, &rec))
			continue;
		if (*nr == cap) {
			struct commit_rec *more;
			cap = cap != 0 ? 2 * cap : 256;
			more = realloc(recs, cap * sizeof(*recs));
			if (more == NULL) {
				free(recs);
				return NULL;
			}
			recs = more;
		}
		recs[(*nr)++] = rec;
	}
	if (recs == NULL)
		return malloc(sizeof(*recs));
	qsort(recs, *nr, sizeof(*recs), by_offset);
	return recs;
}

static bool rec_bytes_match(const struct pool *pool, const struct commit_rec *rec)
{
	const uint8_t *ring = pool->base + pool->sb.ring_off;
	uint64_t pos = rec->off % pool->sb.ring_size;
	uint64_t first = min_u64(rec->len, pool->sb.ring_size - pos);
	uint32_t crc = commit_data_seed(rec->incarnation, rec->off);

	crc = crc32c(crc, ring + pos, first);
	crc = crc32c(crc, ring, rec->len - first);
	return crc == rec->data_crc;
}

/* Follows the records from the hint. */
static int end_find(
	const struct pool *pool, struct known *known, uint64_t *end, uint64_t *nr_followed)
{
	size_t nr;
	struct commit_rec *recs = records_collect(pool, known, &nr);

	if (recs == NULL)
		return -ENOMEM;
	*end = known->hint;
	*nr_followed = 0;
	for (size_t i = 0; i < nr; i++) {
		if (recs[i].off + recs[i].len <= *end)
			continue;
		if (recs[i].off > *end || !rec_bytes_match(pool, &recs[i]))
			break;
		*end = recs[i].off + recs[i].len;
		(*nr_followed)++;
	}
	free(recs);
	return 0;
}

/* Makes durable what has been found, since a process that was killed may not have fenced it. */
static void found_persist(const struct pool *pool, uint64_t from, uint64_t to)
{
	const uint8_t *ring = pool->base + pool->sb.ring_off;
	uint64_t pos = from % pool->sb.ring_size;
	uint64_t first = min_u64(to - from, pool->sb.ring_size - pos);

	BUG_ON(flush_persist(&pool->flush, ring + pos, first) != 0);
	BUG_ON(flush_persist(&pool->flush, ring, to - from - first) != 0);
}

/* True if the last user gave promises about replicas that a reboot breaks. */
static bool last_user_was_lax(const struct pool_sb *sb)
{
	return sb->medium == POOL_MEDIUM_FORCED ||
	       (sb->medium == POOL_MEDIUM_FILE && sb->durability == POOL_DURABILITY_NO);
}

/* The atomic step: from here on the old records mean nothing. */
static void incarnation_begin(
	struct pool *pool, const struct known *known, const struct recover_result *res)
{
	struct pool_sb next = pool->sb;
	uint64_t ahead = next.ring_size / LOG_AHEAD_PART;

	next.incarnation = known->incarnation + 1;
	next.hint = res->end;
	next.log_start = res->log_start;
	next.ceiling = min_u64(res->end + ahead, next.snap_off + next.ring_size);
	next.flags &= ~SB_F_CLEAN;
	if (res->replid_suspect)
		next.flags |= SB_F_SUSPECT;
	next.durability = (uint8_t)pool->durability;
	next.medium = (uint8_t)pool->medium;
	memcpy(next.boot_id, pool->boot_id, sizeof(next.boot_id));
	found_persist(pool, known->hint, res->end);
	pool_sb_commit(pool, &next);
}

static int log_find(const struct pool *pool, struct known *known, struct recover_result *res,
	char *err, size_t err_len)
{
	const struct pool_sb *sb = &pool->sb;
	uint64_t lapped;
	int rc;

	if (!known_get(pool, known))
		return pool_error(err, err_len, -EBADMSG, "pool is damaged: hint cells");
	rc = end_find(pool, known, &res->end, &res->nr_records);
	if (rc != 0)
		return pool_error(err, err_len, rc, "out of memory");
	/* One for this life, one for closing it. */
	if (known->incarnation >= UINT32_MAX - 1)
		return pool_error(err, err_len, -EOVERFLOW, "pool has been opened too many times");
	/* Reservations that nobody has heard of may have overwritten bytes up to here. */
	lapped = known->ceiling > sb->ring_size ? known->ceiling - sb->ring_size : 0;
	res->log_start = max_u64(sb->log_start, lapped);
	res->base_off = sb->snap_off;
	res->clean = pool->opened_clean;
	res->rebooted = !res->clean && !pool->opened_this_boot;
	res->replid_suspect =
		(sb->flags & SB_F_SUSPECT) != 0 || (res->rebooted && last_user_was_lax(sb));
	return 0;
}

int recover_find(const struct pool *pool, struct recover_result *res, char *err, size_t err_len)
{
	struct known known;

	memset(res, 0, sizeof(*res));
	return log_find(pool, &known, res, err, err_len);
}

int recover_open(struct pool *pool, struct recover_result *res, char *err, size_t err_len)
{
	struct known known;
	int rc;

	BUG_ON(pool->log != NULL);
	memset(res, 0, sizeof(*res));
	rc = log_find(pool, &known, res, err, err_len);
	if (rc != 0)
		return rc;
	pool->snaps = snap_area_create(pool);
	if (pool->snaps == NULL)
		return pool_error(err, err_len, -ENOMEM, "out of memory");
	rc = snap_area_load(pool->snaps, err, err_len);
	if (rc != 0)
		goto err_area;
	/* The copy that was chosen may itself be in caches only. */
	BUG_ON(flush_persist(&pool->flush, pool->base, POOL_HEADER_SIZE) != 0);
	incarnation_begin(pool, &known, res);
	pool->log = log_create(pool);
	if (pool->log == NULL) {
		rc = pool_error(err, err_len, -ENOMEM, "out of memory");
		goto err_area;
	}
	res->snap = snap_newest_get(pool);
	res->base = res->snap != NULL                        ? RECOVER_BASE_SNAPSHOT
		    : (pool->sb.flags & SB_F_BASE_NONE) != 0 ? RECOVER_BASE_NONE
							     : RECOVER_BASE_EMPTY;
	return 0;

err_area:
	snap_area_destroy(&pool->snaps);
	return rc;
}
