/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keeping log bytes that the ring loses: what is kept, given back, refused.
 */
#include "persist/log_keep.h"

#include "persist/log.h"
#include "persist/snapshot.h"
#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PIECE 1000

static struct pool_fixture f;
static struct log_keep *keep;

static int setup(void **state)
{
	fixture_setup(&f, false, POOL_DURABILITY_ALWAYS);
	keep = log_keep_create(f.pool);
	assert_non_null(keep);
	return 0;
}

static int teardown(void **state)
{
	log_keep_destroy(&keep);
	fixture_teardown(&f);
	return 0;
}

static uint8_t log_byte(uint64_t off)
{
	return (uint8_t)(off * 31 + off / 257);
}

static uint32_t extents_free(void)
{
	struct snap_stats stats;

	snap_stats_get(f.pool, &stats);
	return stats.extents_free;
}

static void snapshot_publish(void)
{
	const struct snap_meta meta = {.stream_db = -1};
	struct snap_stream *stream;
	struct snap *snap;

	assert_int_equal(snap_begin(f.pool, log_tail(f.log), &snap), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
	assert_int_equal(snap_stream_write(stream, "x", 1), 0);
	assert_int_equal(snap_stream_done(stream), 0);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
}

static void log_write(void)
{
	uint8_t bytes[PIECE];

	for (size_t i = 0; i < PIECE; i++)
		bytes[i] = log_byte(log_tail(f.log) + i);
	if (log_admit(f.w[0], PIECE) != 0) { /* the ring is full: let it go on */
		snapshot_publish();
		assert_int_equal(log_admit(f.w[0], PIECE), 0);
	}
	log_append(f.w[0], bytes, PIECE);
	log_commit(f.w[0]);
}

static void assert_kept(uint64_t off, size_t len)
{
	static uint8_t got[FIXTURE_BYTES];

	assert_int_equal(log_keep_copy(keep, off, got, len), 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(got[i], log_byte(off + i));
}

static void bytes_outlive_the_ring(void **state)
{
	uint64_t start, end;

	while (log_start(f.log) < 3000) {
		log_write();
		assert_int_equal(log_keep_advance(keep, 500, UINT64_MAX), 0);
	}
	assert_true(log_keep_range(keep, &start, &end));
	assert_int_equal(start, 500);
	assert_int_equal(end, log_tail(f.log));
	assert_kept(500, end - 500);
	assert_kept(2999, 1);
	assert_int_equal(log_keep_copy(keep, 499, &start, 1), -ERANGE);
	assert_int_equal(log_keep_copy(keep, end, &start, 1), -ERANGE);
}

static void it_advances_in_slices(void **state)
{
	uint64_t start, end;

	log_write();
	assert_int_equal(log_keep_advance(keep, 0, 300), 0);
	assert_true(log_keep_range(keep, &start, &end));
	assert_int_equal(end, 300);
	assert_kept(0, 300);
	assert_int_equal(log_keep_advance(keep, 0, 10000), 0);
	assert_kept(0, PIECE);
}

static void what_is_released_is_given_back(void **state)
{
	uint32_t before = extents_free();
	uint64_t start, end;

	for (int i = 0; i < 20; i++)
		log_write();
	assert_int_equal(log_keep_advance(keep, 0, UINT64_MAX), 0);
	assert_true(extents_free() < before - 1);
	log_keep_release(keep, 15000);
	assert_true(log_keep_range(keep, &start, &end));
	assert_true(start > 0 && start <= 15000);
	assert_kept(15000, 5000);
	log_write(); /* it goes on where it was */
	assert_int_equal(log_keep_advance(keep, 0, UINT64_MAX), 0);
	assert_kept(15000, 6000);
	log_keep_release(keep, UINT64_MAX);
	assert_false(log_keep_range(keep, &start, &end));
	assert_int_equal(extents_free(), before);
	assert_int_equal(log_keep_copy(keep, 20000, &start, 1), -ERANGE);
}

static void snapshots_keep_their_room(void **state)
{
	int rc = 0;

	for (int i = 0; i < 10000 && rc == 0; i++) {
		log_write();
		rc = log_keep_advance(keep, 0, UINT64_MAX);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(extents_free() >= 8);
	assert_kept(0, PIECE); /* what is kept stays */
}

static void what_the_ring_has_lost_is_told(void **state)
{
	while (log_start(f.log) < 3000)
		log_write();
	assert_int_equal(log_keep_advance(keep, 1000, UINT64_MAX), -ERANGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_outlive_the_ring),
		TEST(it_advances_in_slices),
		TEST(what_is_released_is_given_back),
		TEST(snapshots_keep_their_room),
		TEST(what_the_ring_has_lost_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
