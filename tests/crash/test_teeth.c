/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The crash test's teeth: with any one kind of fence or sync taken away it must find a fault, and
 * with any one call of them in the program.
 */
#include "persist/recover.h"
#include "tests/crash/crash_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_SEEDS  20
#define NEW_BYTES (192u << 10)

static void must_be_noticed(enum crash_area drop, bool grouped, unsigned int nr_writers)
{
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		struct crash_cfg cfg = {
			.seed = seed,
			.grouped = grouped,
			.nr_writers = nr_writers,
			.nr_steps = 3000,
			.nr_images = 4,
			.point_every = 3,
			.drop = drop,
			.calm = true,
		};
		struct crash_result res;
		crash_run(&cfg, &res);
		assert_true(res.nr_dropped > 0);
		if (res.fault[0] != '\0') {
			printf("noticed with seed %llu: %s\n", (unsigned long long)seed, res.fault);
			return;
		}
	}
	fail_msg("not noticed in %d seeds", NR_SEEDS);
}

static void superblock_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_SUPERBLOCK, false, 1);
	must_be_noticed(CRASH_AREA_SUPERBLOCK, false, 4);
}

static void hint_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_HINT, false, 1);
	must_be_noticed(CRASH_AREA_HINT, false, 4);
}

static void commit_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_COMMIT, false, 1);
	must_be_noticed(CRASH_AREA_COMMIT, false, 4);
}

static void extent_fence_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_EXTENTS, false, 1);
	must_be_noticed(CRASH_AREA_EXTENTS, false, 4);
}

static void superblock_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_SUPERBLOCK, true, 2);
}

static void hint_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_HINT, true, 1);
	must_be_noticed(CRASH_AREA_HINT, true, 4);
}

static void commit_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_COMMIT, true, 2);
}

static void ring_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_RING, true, 2);
}

static void extent_sync_is_needed(void **state)
{
	(void)state;
	must_be_noticed(CRASH_AREA_EXTENTS, true, 2);
}

static const char *const kind_names[] = {
	[FLUSH_FENCE] = "fence", [FLUSH_SYNC] = "sync", [FLUSH_PERSIST] = "persist"};

/* Whether a run with that call taken away finds a fault. */
static bool is_noticed(struct crash_cfg *cfg, const struct flush_site *site)
{
	static struct crash_result res;

	cfg->skip = site->at;
	for (cfg->seed = 1; cfg->seed <= NR_SEEDS; cfg->seed++) {
		cfg->nr_writers = cfg->seed % 2 ? 4 : 1;
		cfg->calm = cfg->seed % 4 > 1;
		crash_run(cfg, &res);
		if (res.fault[0] == '\0')
			continue;
		printf("%s, %llu calls, without it: %s\n", kind_names[site->kind],
			(unsigned long long)site->calls, res.fault);
		return true;
	}
	return false;
}

/* Every place in the program that makes something durable is found by running it, and taken away
 * alone. A fence does nothing where durability is bought by sync, and the other way round. */
static void each_call_is_needed(bool grouped, unsigned int nr_least)
{
	struct crash_cfg cfg = {
		.grouped = grouped,
		.nr_writers = 4,
		.nr_steps = 3000,
		.nr_images = 4,
		.point_every = 3,
	};
	static struct crash_result all;
	unsigned int nr = 0;

	for (cfg.seed = 1; cfg.seed <= 2; cfg.seed++) {
		crash_run(&cfg, &all);
		assert_string_equal(all.fault, "");
	}
	for (unsigned int i = 0; i < all.nr_sites; i++) {
		if (all.sites[i].calls == 0)
			continue;
		nr++;
		if (!is_noticed(&cfg, &all.sites[i]))
			fail_msg("a %s at %p is not missed in %d seeds",
				kind_names[all.sites[i].kind], all.sites[i].at, NR_SEEDS);
	}
	assert_true(nr >= nr_least);
}

static void each_call_on_persistent_memory_is_needed(void **state)
{
	(void)state;
	each_call_is_needed(false, 8); /* superblock, hint, commit, stream, manifest; recovery */
}

static void each_call_on_a_file_is_needed(void **state)
{
	(void)state;
	each_call_is_needed(true, 8);
}

static bool survives_none(void *ctx, size_t i)
{
	return false;
}

/* Makes a pool, cuts the power, and opens it. */
static bool new_pool_is_there(bool grouped, const void *skip, struct flush_record **rec)
{
	struct pool_cfg cfg = {.nr_writers = 2, .extent_size = 4096};
	struct recover_result res;
	struct flush flush;
	struct pool *pool;
	char err[200];
	uint8_t *image = malloc(NEW_BYTES);
	bool there = false;

	*rec = flush_record_create(NEW_BYTES, grouped);
	assert_true(*rec && image);
	flush = flush_record_flush(*rec);
	flush_record_skip(*rec, skip);
	assert_int_equal(pool_image_format(
				 &flush, flush_record_mem(*rec), NEW_BYTES, &cfg, err, sizeof(err)),
		0);
	flush_record_image(*rec, survives_none, NULL, image);
	flush_record_restart(*rec, image);
	free(image);
	if (pool_image_open(
		    &flush, flush_record_mem(*rec), NEW_BYTES, &cfg, &pool, err, sizeof(err)) != 0)
		return false;
	there = recover_open(pool, &res, err, sizeof(err)) == 0 && res.base == RECOVER_BASE_EMPTY &&
		res.end == 0;
	pool_close(&pool, false);
	return there;
}

/* Of the two calls of each kind the first one only orders: what it wrote is made durable by the
 * second one at the latest. */
static void a_pool_that_was_made_is_there(void **state)
{
	(void)state;
	for (int grouped = 0; grouped < 2; grouped++) {
		struct flush_record *rec, *other;
		const struct flush_site *sites;
		unsigned int nr, nr_needed = 0;

		assert_true(new_pool_is_there(grouped, NULL, &rec));
		sites = flush_record_sites(rec, &nr);
		for (unsigned int i = 0; i < nr; i++) {
			nr_needed += !new_pool_is_there(grouped, sites[i].at, &other);
			flush_record_destroy(&other);
		}
		assert_true(nr_needed >= 1);
		flush_record_destroy(&rec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(superblock_fence_is_needed),
		cmocka_unit_test(hint_fence_is_needed),
		cmocka_unit_test(commit_fence_is_needed),
		cmocka_unit_test(extent_fence_is_needed),
		cmocka_unit_test(superblock_sync_is_needed),
		cmocka_unit_test(hint_sync_is_needed),
		cmocka_unit_test(commit_sync_is_needed),
		cmocka_unit_test(ring_sync_is_needed),
		cmocka_unit_test(extent_sync_is_needed),
		cmocka_unit_test(a_pool_that_was_made_is_there),
		cmocka_unit_test(each_call_on_persistent_memory_is_needed),
		cmocka_unit_test(each_call_on_a_file_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
