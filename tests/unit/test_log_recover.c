/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What recovery makes of a log that ended badly.
 */
#include "persist/recover.h"

#include "persist/pool_format.h"
#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COMMIT_AT(writer, slot) (POOL_HEADER_SIZE + ((size_t)(writer)*128 + (slot)) * COMMIT_SIZE)
#define RING_AT                 (POOL_HEADER_SIZE + (size_t)FIXTURE_WRITERS * 128 * COMMIT_SIZE)

static struct pool_fixture f;
static uint8_t buf[FIXTURE_RING];

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

/* Each writer's stores are fenced by its own core. */
static uint64_t put(unsigned int w, const void *bytes, size_t len)
{
	flush_record_core_set(f.rec, w);
	assert_int_equal(log_admit(f.w[w], len), 0);
	return log_append(f.w[w], bytes, len);
}

static void commit(unsigned int w)
{
	flush_record_core_set(f.rec, w);
	log_commit(f.w[w]);
	log_flush(f.log);
}

static void damage(size_t at)
{
	fixture_close(&f, false);
	f.mem[at] ^= 1;
	fixture_open(&f);
}

static void uncommitted_tail_is_discarded(void **state)
{
	put(0, "kept", 4);
	commit(0);
	put(0, "lost", 4);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 4);
	assert_int_equal(log_tail(f.log), 4);
	assert_int_equal(f.res.nr_records, 1);
}

static void commit_behind_a_hole_is_discarded(void **state)
{
	put(0, "kept", 4);
	commit(0);
	put(0, "hole", 4);
	put(1, "later", 5);
	commit(1);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 4);
}

static void discarded_record_is_never_believed_later(void **state)
{
	/* "later" is durable behind a hole; then the hole is filled with as many bytes. */
	put(0, "hole", 4);
	put(1, "later", 5);
	commit(1);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 0);
	put(2, "HOLE", 4);
	commit(2);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 4);
	assert_int_equal(log_copy(f.log, 0, buf, 4), 0);
	assert_memory_equal(buf, "HOLE", 4);
}

static void torn_bytes_end_the_log(void **state)
{
	put(0, "good", 4);
	commit(0);
	put(0, "torn", 4);
	commit(0);
	damage(RING_AT + 6);
	assert_int_equal(f.res.end, 4);
}

static void torn_record_ends_the_log(void **state)
{
	put(0, "good", 4);
	commit(0);
	put(0, "torn", 4);
	commit(0);
	damage(COMMIT_AT(0, 1) + 8);
	assert_int_equal(f.res.end, 4);
}

static void records_of_several_writers_are_followed_in_order(void **state)
{
	for (int i = 0; i < 100; i++)
		put((unsigned int)i * 7 % FIXTURE_WRITERS, "0123456789", 1 + (size_t)i % 10);
	for (unsigned int w = 0; w < FIXTURE_WRITERS; w++)
		commit(w);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 550);
}

static void killed_process_keeps_what_memory_shows_and_makes_it_durable(void **state)
{
	put(0, "unsynced", 8);
	flush_record_core_set(f.rec, 0);
	log_commit(f.w[0]); /* grouped: copied, but no flush */
	flush_record_core_set(f.rec, 50);
	fixture_kill(&f);
	assert_int_equal(f.res.end, 8);
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 8);
}

static void bytes_that_may_be_lapped_are_not_offered(void **state)
{
	struct snap_meta meta = {0};
	struct snap *snap;
	uint64_t promised;

	/* Far enough that the ring has wrapped, with a snapshot close behind. */
	for (int i = 0; i < 60; i++) {
		flush_record_core_set(f.rec, 0);
		if (log_admit(f.w[0], 1000) == 0)
			log_append(f.w[0], buf, 1000);
		commit(0);
		flush_record_core_set(f.rec, 50);
		assert_int_equal(snap_begin(f.pool, log_durable(f.log), &snap), 0);
		assert_int_equal(snap_seal(snap, "REDIS", 5, &meta, false), 0);
		assert_int_equal(snap_publish(&snap), 0);
	}
	promised = log_start(f.log);
	assert_true(promised > 0);
	fixture_power_cut(&f);
	assert_true(log_start(f.log) >= promised);
	/* No more is given up than the ceiling ran ahead. */
	assert_true(log_start(f.log) <= promised + FIXTURE_RING / 8);
	assert_true(f.res.log_start <= f.res.base_off);
}

static void first_open_of_a_new_pool_is_clean_and_empty(void **state)
{
	assert_true(f.res.clean);
	assert_int_equal(f.res.base, RECOVER_BASE_EMPTY);
	assert_int_equal(f.res.end, 0);
	assert_null(f.res.snap);
	assert_null(snap_newest_get(f.pool));
}

static void impossible_hint_is_refused_and_nothing_changed(void **state)
{
	struct hint_cell cell = {.magic = HINT_MAGIC, .seq = 1 << 20, .hint = 100, .ceiling = 99};
	struct pool_info info;
	static uint8_t before[FIXTURE_BYTES];

	pool_info_get(f.pool, &info);
	fixture_close(&f, false);
	cell.incarnation = info.incarnation;
	cell.crc = hint_crc(cell);
	memcpy(f.mem + HINT_OFF, &cell, sizeof(cell));
	memcpy(before, f.mem, FIXTURE_BYTES);
	assert_int_equal(pool_image_open(&f.flush, f.mem, FIXTURE_BYTES, &f.cfg, &f.pool, f.err,
				 sizeof(f.err)),
		0);
	assert_int_equal(recover_open(f.pool, &f.res, f.err, sizeof(f.err)), -EBADMSG);
	assert_string_equal(f.err, "pool is damaged: hint cells");
	assert_memory_equal(before, f.mem, FIXTURE_BYTES);
}

#define FENCED(t)  cmocka_unit_test_setup_teardown(t, setup_fenced, teardown)
#define GROUPED(t) cmocka_unit_test_setup_teardown(t, setup_grouped, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCED(uncommitted_tail_is_discarded),
		GROUPED(uncommitted_tail_is_discarded),
		FENCED(commit_behind_a_hole_is_discarded),
		GROUPED(commit_behind_a_hole_is_discarded),
		FENCED(discarded_record_is_never_believed_later),
		FENCED(torn_bytes_end_the_log),
		FENCED(torn_record_ends_the_log),
		FENCED(records_of_several_writers_are_followed_in_order),
		GROUPED(records_of_several_writers_are_followed_in_order),
		GROUPED(killed_process_keeps_what_memory_shows_and_makes_it_durable),
		FENCED(bytes_that_may_be_lapped_are_not_offered),
		GROUPED(bytes_that_may_be_lapped_are_not_offered),
		FENCED(first_open_of_a_new_pool_is_clean_and_empty),
		FENCED(impossible_hint_is_refused_and_nothing_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
