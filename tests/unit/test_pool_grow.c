/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pools that grow while they are open, and shrink: nothing moves, what is added is used, and a
 * power cut at any moment leaves the pool before or after.
 */
#include "persist/pool.h"

#include "persist/flush_record.h"
#include "persist/recover.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MB    ((uint64_t)1 << 20)
#define SMALL (256u << 10)
#define LARGE (1024u << 10)

static char err[300];

static void put_snapshot(struct pool *pool, size_t len, uint8_t fill)
{
	struct snap_meta meta = {.nr_keys = 1};
	struct snap_stream *stream;
	uint8_t *bytes = malloc(len);
	struct snap *snap;

	memset(bytes, fill, len);
	assert_int_equal(snap_begin(pool, log_tail(pool_log(pool)), &snap), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
	assert_int_equal(snap_stream_write(stream, bytes, len), 0);
	assert_int_equal(snap_stream_done(stream), 0);
	assert_int_equal(snap_seal(snap, "REDIS0010", 9, &meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
	free(bytes);
}

/* The newest snapshot holds so many bytes of @fill. */
static void check_snapshot(struct pool *pool, size_t len, uint8_t fill)
{
	struct snap *snap = snap_newest_get(pool);
	const void *ptr;
	size_t n;

	assert_non_null(snap);
	assert_int_equal(snap_verify(snap), 0);
	assert_int_equal(snap_size(snap), 9 + len + 9);
	assert_int_equal(snap_span(snap, 9 + len / 2, &ptr, &n), 0);
	assert_int_equal(*(const uint8_t *)ptr, fill);
	snap_put(&snap);
}

static uint32_t nr_extents(struct pool *pool)
{
	struct snap_stats stats;

	snap_stats_get(pool, &stats);
	return stats.extents_total;
}

/* --- files --- */

static char path[64];

static int setup(void **state)
{
	snprintf(path, sizeof(path), "test_pool_grow_%d", (int)getpid());
	unlink(path);
	return 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static struct pool *opened(uint64_t size)
{
	struct pool_cfg cfg = {.any_size = true};
	struct recover_result res;
	struct pool *pool;

	if (pool_open(path, size, &cfg, &pool, err, sizeof(err)) ||
		recover_open(pool, &res, err, sizeof(err)))
		fail_msg("%s", err);
	snap_put(&res.snap);
	return pool;
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void grown_pool_holds_more_and_is_found_again(void **state)
{
	struct pool *pool = opened(16 * MB);
	struct snap *pinned;
	const void *before, *after;
	struct pool_info info;
	uint32_t nr = nr_extents(pool);
	size_t len;

	put_snapshot(pool, 2 * MB, 'a');
	pinned = snap_newest_get(pool);
	assert_int_equal(snap_span(pinned, 100, &before, &len), 0);
	assert_int_equal(pool_grow(pool, 64 * MB + 5, err, sizeof(err)), 0);
	assert_int_equal(nr_extents(pool), nr + 48 * MB / (64 << 10));
	assert_int_equal(snap_span(pinned, 100, &after, &len), 0);
	assert_ptr_equal(before, after);
	snap_put(&pinned);
	put_snapshot(pool, 40 * MB, 'b'); /* more than all there was */
	check_snapshot(pool, 40 * MB, 'b');
	assert_int_equal(pool_grow(pool, 64 * MB, err, sizeof(err)), 0);
	pool_close(&pool, false);
	assert_int_equal(file_size(), 64 * MB);
	pool = opened(0);
	pool_info_get(pool, &info);
	assert_int_equal(info.size, 64 * MB);
	check_snapshot(pool, 40 * MB, 'b');
	pool_close(&pool, true);
}

static void many_small_steps_make_no_hole(void **state)
{
	struct pool *pool = opened(16 * MB);
	struct snap_stats stats;

	for (uint64_t size = 16 * MB; size < 24 * MB; size += 192 << 10)
		assert_int_equal(pool_grow(pool, size, err, sizeof(err)), 0);
	snap_stats_get(pool, &stats);
	assert_int_equal(stats.extents_free, stats.extents_total);
	put_snapshot(pool, (stats.extents_total - 4) * (uint64_t)(64 << 10), 'c');
	snap_stats_get(pool, &stats);
	assert_true(stats.extents_free <= 2);
	pool_close(&pool, true);
}

static void what_cannot_be_is_refused(void **state)
{
	struct pool *pool = opened(16 * MB);

	assert_int_equal(pool_grow(pool, 8 * MB, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "smaller"));
	assert_int_equal(pool_grow(pool, 1ull << 45, err, sizeof(err)), -EFBIG);
	assert_non_null(strstr(err, "restart"));
	assert_int_equal(pool_grow(pool, 1ull << 62, err, sizeof(err)), -EINVAL);
	pool_close(&pool, true);
	assert_int_equal(file_size(), 16 * MB);
}

static void file_that_cannot_be_longer_leaves_the_pool(void **state)
{
	const struct rlimit limit = {32 * MB, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	struct pool *pool = opened(16 * MB);
	uint32_t nr = nr_extents(pool);

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(pool_grow(pool, 64 * MB, err, sizeof(err)), -EFBIG);
	assert_non_null(strstr(err, "no space"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(nr_extents(pool), nr);
	put_snapshot(pool, 2 * MB, 'd');
	check_snapshot(pool, 2 * MB, 'd');
	pool_close(&pool, true);
	assert_int_equal(file_size(), 16 * MB);
}

static void shrinks_only_what_is_free(void **state)
{
	struct pool *pool = opened(16 * MB);

	put_snapshot(pool, 1 * MB, 'e');
	assert_int_equal(pool_grow(pool, 64 * MB, err, sizeof(err)), 0);
	assert_int_equal(pool_shrink(pool, 5 * MB, err, sizeof(err)), -EBUSY);
	assert_non_null(strstr(err, "cannot be smaller than"));
	assert_int_equal(pool_shrink(pool, 128 * MB, err, sizeof(err)), -EINVAL);
	assert_int_equal(pool_shrink(pool, 20 * MB, err, sizeof(err)), 0);
	assert_int_equal(file_size(), 20 * MB);
	pool_close(&pool, true);
	pool = opened(0);
	check_snapshot(pool, 1 * MB, 'e');
	pool_close(&pool, true);
}

/* --- power cuts --- */

struct cuts {
	struct flush_record *rec;
	uint8_t *image;
	uint64_t rng;
	unsigned nr, nr_old, nr_new;
	uint32_t old_extents;
};

static bool by_chance(void *ctx, size_t i)
{
	struct cuts *c = ctx;

	c->rng = c->rng * 6364136223846793005ull + 1442695040888963407ull;
	return c->rng >> 63;
}

/* What could be left now opens, with all there was, as the pool before or the one after. */
static void cut(void *ctx)
{
	struct flush flush = {.ops = &flush_memory_ops};
	static const struct pool_cfg cfg;
	struct cuts *c = ctx;
	struct recover_result res;
	struct pool *pool;

	for (int i = 0; i < 20; i++) {
		flush_record_image(c->rec, by_chance, c, c->image);
		if (pool_image_open(&flush, c->image, LARGE, &cfg, &pool, err, sizeof(err)) ||
			recover_open(pool, &res, err, sizeof(err)))
			fail_msg("image %u: %s", c->nr, err);
		snap_put(&res.snap);
		check_snapshot(pool, 20000, 'x');
		c->nr++;
		if (nr_extents(pool) == c->old_extents)
			c->nr_old++;
		else if (nr_extents(pool) > c->old_extents)
			c->nr_new++;
		else
			fail_msg("image %u: %u extents", c->nr, nr_extents(pool));
		pool_close(&pool, false);
	}
}

static void power_cut_leaves_before_or_after(void **state)
{
	struct pool_cfg cfg = {
		.ring_size = 16384, .nr_writers = 1, .commit_slots = 128, .extent_size = 4096};

	for (int grouped = 0; grouped < 2; grouped++) {
		struct cuts c = {.rec = flush_record_create(LARGE, grouped), .rng = 42};
		struct flush flush = flush_record_flush(c.rec);
		struct recover_result res;
		struct pool *pool;

		c.image = malloc(LARGE);
		assert_int_equal(pool_image_format(&flush, flush_record_mem(c.rec), SMALL, &cfg,
					 err, sizeof(err)),
			0);
		assert_int_equal(pool_image_open(&flush, flush_record_mem(c.rec), LARGE, &cfg,
					 &pool, err, sizeof(err)),
			0);
		assert_int_equal(recover_open(pool, &res, err, sizeof(err)), 0);
		put_snapshot(pool, 20000, 'x');
		c.old_extents = nr_extents(pool);
		flush_record_point_set(c.rec, cut, &c);
		assert_int_equal(pool_grow(pool, LARGE, err, sizeof(err)), 0);
		cut(&c);
		assert_true(nr_extents(pool) > c.old_extents);
		assert_int_equal(pool_shrink(pool, SMALL, err, sizeof(err)), 0);
		flush_record_point_set(c.rec, NULL, NULL);
		assert_true(c.nr_old > 10 && c.nr_new > 10);
		pool_close(&pool, true);
		flush_record_destroy(&c.rec);
		free(c.image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			grown_pool_holds_more_and_is_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(many_small_steps_make_no_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file_that_cannot_be_longer_leaves_the_pool, setup, teardown),
		cmocka_unit_test_setup_teardown(shrinks_only_what_is_free, setup, teardown),
		cmocka_unit_test(power_cut_leaves_before_or_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
