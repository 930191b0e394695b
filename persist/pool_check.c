/* SPDX-License-Identifier: BSD-3-Clause */
#include "persist/pool_check.h"

#include "persist/crc64.h"
#include "persist/log_priv.h"
#include "persist/recover.h"
#include "persist/snap_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_LEN 160

struct check {
	struct pool *pool;
	pool_report_fn report;
	void *ctx;
	struct pool_checked *sum;
	struct recover_result found;
	uint32_t last_life; /* incarnation of the last user's records */
};

static void finding(struct check *c, enum pool_finding kind, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void finding(struct check *c, enum pool_finding kind, const char *what, const char *fmt, ...)
{
	char place[TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(place, sizeof(place), fmt, args);
	va_end(args);
	if (kind == POOL_FAULT)
		c->sum->nr_faults++;
	else
		c->sum->nr_notes++;
	c->report(c->ctx, kind, place, what);
}

static unsigned long long file_off(const struct check *c, const void *p)
{
	return (unsigned long long)((const uint8_t *)p - c->pool->base);
}

/* At rest both are good and equal; one suffices. */
static void check_superblocks(struct check *c)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct pool_sb sb;
		const uint8_t *from = c->pool->base + (size_t)i * SB_STRIDE;
		const char *fault;

		memcpy(&sb, from, sizeof(sb));
		fault = pool_sb_fault(&sb);
		if (fault == NULL)
			c->sum->sb_copies++;
		else
			finding(c, POOL_NOTE, fault,
				"superblock copy %u, byte %llu (the other copy holds)", i,
				file_off(c, from));
		if (fault == NULL && sb.generation != c->pool->sb.generation)
			finding(c, POOL_NOTE, "older than the other copy: an update was cut short",
				"superblock copy %u, byte %llu", i, file_off(c, from));
	}
}

static bool is_blank(const void *p, size_t len)
{
	const uint8_t *b = p;

	return len == 0 || (b[0] == 0 && memcmp(b, b + 1, len - 1) == 0);
}

static void check_hints(struct check *c)
{
	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *from = c->pool->base + HINT_OFF + (size_t)i * HINT_STRIDE;
		struct hint_cell cell;

		memcpy(&cell, from, sizeof(cell));
		if (is_blank(&cell, sizeof(cell)))
			continue;
		if (cell.magic != HINT_MAGIC || cell.crc != hint_crc(cell))
			finding(c, POOL_NOTE,
				"wrong checksum: torn by a power cut, or damaged; the other one suffices",
				"hint cell %u, byte %llu", i, file_off(c, from));
	}
}

/* Checks the bytes of a run of the last life that is still held as a whole. */
static void check_run(struct check *c, const struct commit_rec *rec)
{
	const uint8_t *ring = c->pool->base + c->pool->sb.ring_off;
	uint64_t ring_size = c->pool->sb.ring_size, pos = rec->off % ring_size;
	uint64_t first = rec->len < ring_size - pos ? rec->len : ring_size - pos;
	uint32_t crc = commit_data_seed(rec->incarnation, rec->off);

	crc = crc32c(crc, ring + pos, first);
	crc = crc32c(crc, ring, rec->len - first);
	if (crc == rec->data_crc)
		c->sum->log_bytes_checked += rec->len;
	else
		finding(c, POOL_FAULT, "the bytes are not those that were written",
			"log, offsets %llu to %llu, byte %llu", (unsigned long long)rec->off,
			(unsigned long long)(rec->off + rec->len), file_off(c, ring + pos));
}

static void check_record(struct check *c, const uint8_t *from, unsigned int writer, uint32_t slot)
{
	struct commit_rec rec;

	memcpy(&rec, from, sizeof(rec));
	if (is_blank(&rec, sizeof(rec)))
		return;
	if (rec.crc != commit_crc(rec)) {
		finding(c, POOL_NOTE, "wrong checksum: torn by a power cut, or damaged",
			"commit record %u of writer %u, byte %llu", slot, writer,
			file_off(c, from));
		return;
	}
	c->sum->commit_records++;
	if (rec.incarnation != c->last_life || rec.off < c->found.log_start)
		return;
	if (rec.len == 0 || rec.len > log_run_max(c->pool->sb.ring_size) ||
		rec.off > POOL_OFFSET_LIMIT) {
		finding(c, POOL_FAULT, "an impossible run",
			"commit record %u of writer %u, byte %llu", slot, writer,
			file_off(c, from));
	} else if (rec.off + rec.len <= c->found.end) {
		check_run(c, &rec);
	} else {
		finding(c, POOL_NOTE, "lies behind the end of the log, which a crash has cut",
			"commit record %u of writer %u, offsets %llu to %llu", slot, writer,
			(unsigned long long)rec.off, (unsigned long long)(rec.off + rec.len));
	}
}

static void check_log(struct check *c)
{
	const struct pool_sb *sb = &c->pool->sb;
	const uint8_t *from = c->pool->base + sb->commit_off;

	/* Closing begins another life. */
	c->last_life = sb->incarnation - (c->pool->opened_clean ? 1 : 0);
	c->sum->log_bytes = c->found.end - c->found.log_start;
	for (unsigned int w = 0; w < sb->nr_writers; w++) {
		for (uint32_t slot = 0; slot < sb->commit_slots; slot++, from += COMMIT_SIZE)
			check_record(c, from, w, slot);
	}
}

static void check_extents(struct check *c, const struct snap *snap)
{
	for (uint32_t i = 0; i < snap->nr_pieces; i++) {
		const struct snap_piece *p = &snap->pieces[i];
		const uint8_t *from = pool_ext_addr(c->pool, p->ext);

		c->sum->snapshot_extents++;
		c->sum->snapshot_bytes += p->len;
		if (crc64(0, from, p->len) != p->crc)
			finding(c, POOL_FAULT, "wrong checksum",
				"snapshot, extent %u, byte %llu (RDB bytes %llu to %llu)", p->ext,
				file_off(c, from), (unsigned long long)p->pos,
				(unsigned long long)(p->pos + p->len));
	}
}

static int check_snapshot(struct check *c)
{
	char err[TEXT_LEN];
	int rc;

	c->pool->snaps = snap_area_create(c->pool);
	if (c->pool->snaps == NULL)
		return -ENOMEM;
	rc = snap_area_load(c->pool->snaps, err, sizeof(err));
	if (rc == 0 && c->pool->sb.snap_pieces != 0)
		check_extents(c, &c->pool->snaps->snaps[0]);
	if (rc == -EBADMSG)
		finding(c, POOL_FAULT, err, "snapshot manifest, extent %u, byte %llu",
			c->pool->sb.manifest_ext,
			file_off(c, pool_ext_addr(c->pool, c->pool->sb.manifest_ext)));
	snap_area_destroy(&c->pool->snaps);
	return rc == -EBADMSG ? 0 : rc;
}

int pool_check(struct pool *pool, pool_report_fn report, void *ctx, struct pool_checked *checked)
{
	struct check c = {.pool = pool, .report = report, .ctx = ctx, .sum = checked};
	char err[TEXT_LEN];
	int rc;

	memset(checked, 0, sizeof(*checked));
	check_superblocks(&c);
	check_hints(&c);
	rc = recover_find(pool, &c.found, err, sizeof(err));
	if (rc == -ENOMEM)
		return rc;
	if (rc == 0)
		check_log(&c);
	else
		finding(&c, POOL_FAULT, err, "log");
	return check_snapshot(&c);
}
