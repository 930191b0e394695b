/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots: building, publishing, pinning, running out of space, coming back after a power cut.
 */
#include "persist/snapshot.h"

#include "persist/crc64.h"
#include "persist/pool_format.h"
#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct pool_fixture f;
static uint8_t buf[FIXTURE_BYTES];
static const struct snap_meta some_meta = {.nr_keys = 3, .ctime_s = 1700000000, .stream_db = 2};
static const struct pool_repl some_ids = {
	.replid = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	.replid2 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	.second_repl_offset = -1,
};

static int setup_fenced(void **state)
{
	fixture_setup(&f, false, POOL_DURABILITY_ALWAYS);
	return 0;
}

static int setup_grouped(void **state)
{
	fixture_setup(&f, true, POOL_DURABILITY_ALWAYS);
	return 0;
}

static int teardown(void **state)
{
	fixture_teardown(&f);
	return 0;
}

static uint32_t extents_free(void)
{
	struct snap_stats stats;

	snap_stats_get(f.pool, &stats);
	return stats.extents_free;
}

/* Reads the whole RDB into buf; returns its length. */
static size_t read_all(const struct snap *snap)
{
	uint64_t pos = 0;
	const void *ptr;
	size_t len;

	for (;;) {
		assert_int_equal(snap_span(snap, pos, &ptr, &len), 0);
		if (len == 0)
			return pos;
		memcpy(buf + pos, ptr, len);
		pos += len;
	}
}

static void stream_write(struct snap *snap, unsigned int idx, const void *bytes, size_t len)
{
	struct snap_stream *stream;

	assert_int_equal(snap_stream_open(snap, idx, &stream), 0);
	assert_int_equal(snap_stream_write(stream, bytes, len), 0);
	assert_int_equal(snap_stream_done(stream), 0);
}

static struct snap *built(uint64_t off, const char *text)
{
	struct snap *snap;

	assert_int_equal(snap_begin(f.pool, off, &snap), 0);
	stream_write(snap, 0, text, strlen(text));
	assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), 0);
	return snap;
}

static void log_write(size_t len)
{
	assert_int_equal(log_admit(f.w[0], len), 0);
	log_append(f.w[0], buf, len);
	log_commit(f.w[0]);
}

static void parts_form_one_rdb_with_its_checksum(void **state)
{
	static uint8_t many[10000];
	struct snap_stream *one, *two;
	struct snap *snap;
	uint64_t crc;
	size_t len;

	memset(many, 'm', sizeof(many));
	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	assert_int_equal(snap_stream_open(snap, 1, &one), 0);
	assert_int_equal(snap_stream_open(snap, 3, &two), 0);
	assert_int_equal(snap_stream_write(two, "two", 3), 0);
	assert_int_equal(snap_stream_write(one, many, sizeof(many)), 0);
	assert_int_equal(snap_stream_write(one, "one", 3), 0);
	assert_int_equal(snap_stream_done(one), 0);
	assert_int_equal(snap_stream_done(two), 0);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
	assert_null(snap);

	snap = snap_newest_get(f.pool);
	len = read_all(snap);
	assert_int_equal(len, 5 + 10003 + 3 + 9);
	assert_int_equal(snap_size(snap), len);
	assert_memory_equal(buf, "REDIS", 5);
	assert_memory_equal(buf + 5, many, sizeof(many));
	assert_memory_equal(buf + 10005, "onetwo\xff", 7);
	memcpy(&crc, buf + len - 8, 8);
	assert_true(crc == crc64(0, buf, len - 8));
	assert_int_equal(snap_verify(snap), 0);
	assert_int_equal(snap_span(snap, len + 1, &(const void *){NULL}, &len), -ERANGE);
	snap_put(&snap);
}

static void newest_is_found_again_after_a_power_cut(void **state)
{
	struct snap_meta meta;
	struct snap *snap;

	log_write(100);
	log_flush(f.log);
	snap = built(100, "content");
	assert_int_equal(snap_publish(&snap), 0);
	fixture_power_cut(&f);
	assert_int_equal(f.res.base, RECOVER_BASE_SNAPSHOT);
	assert_int_equal(f.res.base_off, 100);
	assert_int_equal(snap_offset(f.res.snap), 100);
	assert_int_equal(read_all(f.res.snap), 5 + 7 + 9);
	assert_memory_equal(buf, "REDIScontent\xff", 13);
	assert_int_equal(snap_verify(f.res.snap), 0);
	snap_meta_get(f.res.snap, &meta);
	assert_memory_equal(&meta, &some_meta, sizeof(meta));
}

static void unpublished_snapshot_leaves_no_trace(void **state)
{
	uint32_t before = extents_free();
	struct snap *snap = built(0, "content");

	assert_true(extents_free() < before);
	fixture_power_cut(&f);
	assert_int_equal(f.res.base, RECOVER_BASE_EMPTY);
	assert_int_equal(extents_free(), before);
	snap = built(0, "content");
	snap_abort(&snap);
	assert_null(snap);
	assert_int_equal(extents_free(), before);
}

static void replaced_snapshot_lives_while_pinned(void **state)
{
	struct snap *snap = built(0, "first"), *pinned;
	uint32_t one;

	assert_int_equal(snap_publish(&snap), 0);
	one = extents_free();
	pinned = snap_newest_get(f.pool);
	snap = built(0, "second");
	assert_int_equal(snap_publish(&snap), 0);
	assert_true(extents_free() < one);
	read_all(pinned);
	assert_memory_equal(buf + 5, "first", 5);
	snap_put(&pinned);
	assert_int_equal(extents_free(), one);
	snap = snap_newest_get(f.pool);
	read_all(snap);
	assert_memory_equal(buf + 5, "second", 6);
	snap_put(&snap);
}

static void one_builds_at_a_time(void **state)
{
	struct snap *snap, *second;

	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	assert_int_equal(snap_begin(f.pool, 0, &second), -EBUSY);
	snap_abort(&snap);
	assert_int_equal(snap_begin(f.pool, 0, &second), 0);
	snap_abort(&second);
}

static void too_many_pinned_snapshots_stop_the_next(void **state)
{
	struct snap *pins[16], *snap;
	int nr = 0;

	for (;;) {
		int rc = snap_begin(f.pool, 0, &snap);
		if (rc != 0) {
			assert_int_equal(rc, -EBUSY);
			break;
		}
		assert_true(nr < 16);
		assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), 0);
		assert_int_equal(snap_publish(&snap), 0);
		pins[nr++] = snap_newest_get(f.pool);
	}
	snap_put(&pins[0]);
	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	snap_abort(&snap);
	for (int i = 1; i < nr; i++)
		snap_put(&pins[i]);
}

static void full_area_fails_the_stream_for_good(void **state)
{
	uint32_t before = extents_free();
	struct snap_stream *stream;
	struct snap_stats stats;
	struct snap *snap;
	int rc = 0;

	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
	for (uint32_t i = 0; i <= before && rc == 0; i++)
		rc = snap_stream_write(stream, buf, 4096);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(snap_stream_write(stream, "x", 1), -ENOSPC);
	assert_int_equal(snap_stream_done(stream), -ENOSPC);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), -ENOSPC);
	snap_stats_get(f.pool, &stats);
	assert_int_equal(stats.extents_free, 0);
	assert_int_equal(stats.no_space, 1);
	snap_abort(&snap);
	assert_int_equal(extents_free(), before);
}

static void seal_that_finds_no_space_can_be_aborted(void **state)
{
	uint32_t before = extents_free();

	/* Leaves none, one or two extents for prefix, trailer and manifest: all fail. */
	for (uint32_t left = 0; left < 3; left++) {
		struct snap_stream *stream;
		struct snap *snap;
		assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
		assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
		for (uint32_t i = 0; i < before - left; i++)
			assert_int_equal(snap_stream_write(stream, buf, 4096), 0);
		assert_int_equal(snap_stream_done(stream), 0);
		assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), -ENOSPC);
		snap_abort(&snap);
		assert_int_equal(extents_free(), before);
	}
}

/* Records of some bytes, each in its run as a whole, and runs that make up the file. */
static void long_streams_are_cut_into_runs(void **state)
{
	enum { RECORD = 1500, NR = 90 };
	uint8_t record[RECORD];
	struct snap_stream *stream;
	struct snap *snap;
	uint64_t from, to, pos;
	unsigned cuts = 0;
	uint32_t nr;

	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	assert_int_equal(snap_stream_open(snap, 1, &stream), 0);
	for (int i = 0; i < NR; i++) {
		memset(record, i, RECORD);
		assert_int_equal(snap_stream_write(stream, record, RECORD), 0);
		cuts += snap_stream_cut(stream);
	}
	assert_int_equal(snap_stream_done(stream), 0);
	assert_true(cuts > 0);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
	for (int reopened = 0; reopened < 2; reopened++) {
		snap = snap_newest_get(f.pool);
		nr = snap_nr_runs(snap);
		assert_int_equal(nr, 2 + 1 + cuts);
		read_all(snap);
		pos = 0;
		for (uint32_t i = 0; i < nr; i++, pos = to) {
			snap_run(snap, i, &from, &to);
			assert_int_equal(from, pos);
			assert_true(to > from);
			assert_true(snap_extent_good(snap, from));
			if (i > 0 && i + 1 < nr)
				assert_int_equal((to - from) % RECORD, 0);
		}
		assert_int_equal(pos, snap_size(snap));
		snap_run(snap, nr, &from, &to);
		assert_int_equal(from, to);
		assert_false(snap_extent_good(snap, pos));
		snap_put(&snap);
		if (!reopened)
			fixture_power_cut(&f);
	}
}

static void seal_wants_all_streams_done(void **state)
{
	struct snap_stream *stream;
	struct snap *snap;

	assert_int_equal(snap_begin(f.pool, 0, &snap), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), -EBUSY);
	assert_int_equal(
		snap_stream_open(snap, SNAP_STREAMS_EACH * FIXTURE_WRITERS, &stream), -EINVAL);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), -EINVAL);
	assert_int_equal(snap_publish(&snap), -EINVAL);
	snap_abort(&snap);
}

static void snapshot_ahead_of_the_durable_log_has_to_wait(void **state)
{
	struct snap *snap;

	assert_int_equal(log_admit(f.w[0], 10), 0);
	log_append(f.w[0], "0123456789", 10);
	snap = built(10, "content");
	assert_int_equal(snap_publish(&snap), -EAGAIN);
	log_commit(f.w[0]);
	assert_int_equal(snap_publish(&snap), 0);
	fixture_power_cut(&f);
	assert_int_equal(f.res.base_off, 10);
	assert_int_equal(f.res.end, 10);
}

static void older_snapshot_does_not_replace_a_newer(void **state)
{
	struct snap *snap;

	log_write(10);
	snap = built(10, "new");
	assert_int_equal(snap_publish(&snap), 0);
	snap = built(9, "old");
	assert_int_equal(snap_publish(&snap), -EINVAL);
	snap_abort(&snap);
}

static void foreign_snapshot_brings_offset_and_ids_with_it(void **state)
{
	static const char rdb[] = "REDIS of somebody else";
	struct pool_repl repl;
	struct snap *snap;

	log_write(10);
	log_flush(f.log);
	assert_int_equal(snap_begin(f.pool, 5000, &snap), 0);
	stream_write(snap, 0, rdb, sizeof(rdb));
	assert_int_equal(snap_seal(snap, NULL, 0, &some_meta, true), 0);
	assert_int_equal(snap_publish(&snap), -EINVAL);
	assert_int_equal(snap_publish_foreign(&snap, &some_ids), 0);
	assert_int_equal(log_tail(f.log), 5000);
	assert_int_equal(log_start(f.log), 5000);
	log_write(7);
	log_flush(f.log);
	fixture_power_cut(&f);
	assert_int_equal(f.res.base, RECOVER_BASE_SNAPSHOT);
	assert_int_equal(f.res.base_off, 5000);
	assert_int_equal(f.res.end, 5007);
	assert_int_equal(read_all(f.res.snap), sizeof(rdb));
	assert_memory_equal(buf, rdb, sizeof(rdb));
	pool_repl_get(f.pool, &repl);
	assert_memory_equal(&repl, &some_ids, sizeof(repl));
}

static void snapshot_from_before_a_reset_cannot_be_published(void **state)
{
	struct snap *snap = built(0, "content");

	assert_int_equal(log_reset(f.log, 0, &some_ids), 0);
	assert_int_equal(snap_publish(&snap), -EINVAL);
	snap_abort(&snap);
}

static void reset_frees_the_snapshot(void **state)
{
	uint32_t before = extents_free();
	struct snap *snap = built(0, "content");

	assert_int_equal(snap_publish(&snap), 0);
	assert_int_equal(log_reset(f.log, 77, &some_ids), 0);
	assert_null(snap_newest_get(f.pool));
	assert_int_equal(extents_free(), before);
}

static void long_snapshot_needs_several_manifest_blocks(void **state)
{
	static uint8_t mem[4 << 20];
	struct pool_cfg cfg = fixture_cfg();
	struct flush flush = {.ops = &flush_memory_ops};
	struct recover_result res;
	struct pool *pool;
	struct snap *snap;
	char err[200];

	assert_int_equal(pool_image_format(&flush, mem, sizeof(mem), &cfg, err, sizeof(err)), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(
			pool_image_open(&flush, mem, sizeof(mem), &cfg, &pool, err, sizeof(err)),
			0);
		assert_int_equal(recover_open(pool, &res, err, sizeof(err)), 0);
		if (round == 0) {
			struct snap_stream *stream;
			assert_int_equal(snap_begin(pool, 0, &snap), 0);
			assert_int_equal(snap_stream_open(snap, 2, &stream), 0);
			/* A block of 4 KiB holds 168 entries. */
			for (int i = 0; i < 500; i++)
				assert_int_equal(snap_stream_write(stream, buf, 4096), 0);
			assert_int_equal(snap_stream_done(stream), 0);
			assert_int_equal(snap_seal(snap, "REDIS", 5, &some_meta, false), 0);
			assert_int_equal(snap_publish(&snap), 0);
		} else {
			assert_int_equal(snap_size(res.snap), 500 * 4096 + 5 + 9);
			assert_int_equal(snap_verify(res.snap), 0);
			snap_put(&res.snap);
		}
		pool_close(&pool, false);
	}
}

static void flipped_bit_is_found_by_verify(void **state)
{
	const void *ptr;
	size_t len;
	struct snap *snap = built(0, "content");

	assert_int_equal(snap_publish(&snap), 0);
	snap = snap_newest_get(f.pool);
	assert_int_equal(snap_span(snap, 6, &ptr, &len), 0);
	((uint8_t *)ptr)[0] ^= 4;
	assert_int_equal(snap_verify(snap), -EBADMSG);
	snap_put(&snap);
}

static void damaged_manifest_is_refused(void **state)
{
	struct snap *snap = built(0, "content");
	const struct pool_sb *sb = (const struct pool_sb *)f.mem;
	uint8_t *manifest;

	assert_int_equal(snap_publish(&snap), 0);
	manifest = f.mem + sb->ext_off + (size_t)sb->manifest_ext * 4096;
	fixture_close(&f, false);
	manifest[70] ^= 1;
	assert_int_equal(pool_image_open(&f.flush, f.mem, FIXTURE_BYTES, &f.cfg, &f.pool, f.err,
				 sizeof(f.err)),
		0);
	assert_int_equal(recover_open(f.pool, &f.res, f.err, sizeof(f.err)), -EBADMSG);
	assert_string_equal(f.err, "pool is damaged: snapshot manifest: checksum");
}

#define FENCED(t)  cmocka_unit_test_setup_teardown(t, setup_fenced, teardown)
#define GROUPED(t) cmocka_unit_test_setup_teardown(t, setup_grouped, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCED(parts_form_one_rdb_with_its_checksum),
		FENCED(newest_is_found_again_after_a_power_cut),
		GROUPED(newest_is_found_again_after_a_power_cut),
		FENCED(unpublished_snapshot_leaves_no_trace),
		FENCED(replaced_snapshot_lives_while_pinned),
		FENCED(one_builds_at_a_time),
		FENCED(too_many_pinned_snapshots_stop_the_next),
		FENCED(full_area_fails_the_stream_for_good),
		FENCED(seal_that_finds_no_space_can_be_aborted),
		FENCED(long_streams_are_cut_into_runs),
		FENCED(seal_wants_all_streams_done),
		FENCED(snapshot_ahead_of_the_durable_log_has_to_wait),
		GROUPED(snapshot_ahead_of_the_durable_log_has_to_wait),
		FENCED(older_snapshot_does_not_replace_a_newer),
		FENCED(foreign_snapshot_brings_offset_and_ids_with_it),
		GROUPED(foreign_snapshot_brings_offset_and_ids_with_it),
		FENCED(snapshot_from_before_a_reset_cannot_be_published),
		FENCED(reset_frees_the_snapshot),
		FENCED(long_snapshot_needs_several_manifest_blocks),
		FENCED(flipped_bit_is_found_by_verify),
		FENCED(damaged_manifest_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
