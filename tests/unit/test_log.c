/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log with writers in one thread: offsets, watermark, space, reading, modes, reset.
 */
#include "persist/log.h"

#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pool_fixture f;
static uint8_t big[FIXTURE_RING];
static const struct pool_repl some_ids = {
	.replid = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	.replid2 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	.second_repl_offset = 5,
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

static int setup_everysec(void **state)
{
	fixture_setup(&f, true, POOL_DURABILITY_EVERYSEC);
	return 0;
}

static int setup_no(void **state)
{
	fixture_setup(&f, true, POOL_DURABILITY_NO);
	return 0;
}

static int teardown(void **state)
{
	fixture_teardown(&f);
	return 0;
}

static uint64_t put(unsigned int w, const void *buf, size_t len)
{
	if (log_admit(f.w[w], len) == -EAGAIN)
		log_flush(f.log);
	assert_int_equal(log_admit(f.w[w], len), 0);
	return log_append(f.w[w], buf, len);
}

/* Appends and commits pieces until the log says no; returns what it said. */
static int fill_up(unsigned int w, size_t len)
{
	for (int i = 0; i < 100000; i++) {
		int rc = log_admit(f.w[w], len);
		if (rc != 0)
			return rc;
		log_append(f.w[w], big, len);
		log_commit(f.w[w]);
		log_flush(f.log);
	}
	fail_msg("the log never fills");
	return 0;
}

static void snapshot_at(uint64_t off)
{
	struct snap_meta meta = {0};
	struct snap *snap;

	assert_int_equal(snap_begin(f.pool, off, &snap), 0);
	assert_int_equal(snap_seal(snap, "REDIS", 5, &meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
}

static void append_returns_the_offset_after_its_bytes(void **state)
{
	assert_int_equal(put(0, "hello", 5), 5);
	assert_int_equal(put(1, "world!", 6), 11);
	assert_int_equal(log_tail(f.log), 11);
}

static void bytes_are_readable_from_commit_on(void **state)
{
	const void *ptr;
	size_t len;

	put(0, "hello", 5);
	assert_int_equal(log_watermark(f.log), 0);
	assert_int_equal(log_read(f.log, 0, &ptr, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(log_read(f.log, 1, &ptr, &len), -ERANGE);
	assert_int_equal(log_commit(f.w[0]), 1);
	assert_int_equal(log_watermark(f.log), 5);
	assert_int_equal(log_read(f.log, 1, &ptr, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(ptr, "ello", 4);
}

static void vector_is_one_contiguous_piece(void **state)
{
	struct iovec iov[] = {{"abc", 3}, {"", 0}, {big, 5000}, {"xyz", 3}};
	static uint8_t got[5006];

	memset(big, 'b', 5000);
	assert_int_equal(log_admit(f.w[0], 5006), 0);
	assert_int_equal(log_appendv(f.w[0], iov, 4), 5006);
	log_commit(f.w[0]);
	assert_int_equal(log_copy(f.log, 0, got, sizeof(got)), 0);
	assert_memory_equal(got, "abc", 3);
	assert_memory_equal(got + 3, big, 5000);
	assert_memory_equal(got + 5003, "xyz", 3);
}

static void contiguous_appends_are_one_run(void **state)
{
	put(0, "a", 1);
	put(0, "b", 1);
	assert_int_equal(log_commit(f.w[0]), 1);
	put(0, "a", 1);
	put(1, "b", 1);
	put(0, "c", 1);
	assert_int_equal(log_commit(f.w[0]), 2);
	assert_int_equal(log_commit(f.w[1]), 1);
	assert_int_equal(log_commit(f.w[1]), 0);
}

static void watermark_waits_for_the_other_writers_burst(void **state)
{
	put(0, "a", 1);
	put(1, "b", 1);
	put(1, "b", 1);
	log_commit(f.w[1]);
	assert_int_equal(log_watermark(f.log), 0);
	log_commit(f.w[0]);
	assert_int_equal(log_watermark(f.log), 3);
}

static void watermark_stops_below_the_first_open_burst(void **state)
{
	put(0, "a", 1);
	log_commit(f.w[0]);
	put(1, "bb", 2);
	put(0, "c", 1);
	log_commit(f.w[0]);
	assert_int_equal(log_watermark(f.log), 1);
	log_commit(f.w[1]);
	assert_int_equal(log_watermark(f.log), 4);
}

static void append_longer_than_the_log_takes_is_refused(void **state)
{
	size_t most = log_append_max(f.log);

	assert_int_equal(most, FIXTURE_RING / 2);
	assert_int_equal(log_admit(f.w[0], most + 1), -EMSGSIZE);
	/* also where it would have to wait for room that cannot come */
	assert_int_equal(log_admit_sparing(f.w[0], most + 1, FIXTURE_RING / 8), -EMSGSIZE);
	assert_int_equal(log_admit_sparing(f.w[0], 2 * FIXTURE_RING, FIXTURE_RING / 8), -EMSGSIZE);
	assert_int_equal(put(0, big, most), most);
}

static void full_log_makes_writers_wait_until_a_snapshot(void **state)
{
	struct log_stats stats;
	uint64_t tail;

	assert_int_equal(fill_up(0, 100), -EAGAIN);
	assert_int_equal(log_admit(f.w[1], 100), -EAGAIN);
	assert_true(log_space(f.log) < 200);
	tail = log_tail(f.log);
	assert_true(tail > FIXTURE_RING - 200 && tail <= FIXTURE_RING);
	log_stats_get(f.log, &stats);
	assert_int_equal(stats.stalls, 2);
	snapshot_at(tail);
	assert_int_equal(log_space(f.log), FIXTURE_RING);
	if (log_admit(f.w[1], 100) == -EAGAIN)
		log_flush(f.log);
	assert_int_equal(log_admit(f.w[1], 100), 0);
}

static void ring_wraps_and_reads_in_two_spans(void **state)
{
	const void *ptr;
	size_t len;
	uint64_t tail;

	fill_up(0, 1000);
	snapshot_at(log_tail(f.log));
	log_flush(f.log);
	tail = log_tail(f.log);
	memset(big, 'z', 3000);
	assert_int_equal(put(0, big, 3000), tail + 3000);
	log_commit(f.w[0]);
	log_flush(f.log);
	assert_int_equal(log_read(f.log, tail, &ptr, &len), 0);
	assert_int_equal(len, FIXTURE_RING - tail % FIXTURE_RING);
	assert_int_equal(log_read(f.log, tail + len, &ptr, &len), 0);
	assert_int_equal(len, tail + 3000 - FIXTURE_RING);
	assert_int_equal(*(const char *)ptr, 'z');
	assert_int_equal(log_start(f.log), tail + 3000 - FIXTURE_RING);
	assert_int_equal(log_read(f.log, log_start(f.log) - 1, &ptr, &len), -ERANGE);
	assert_int_equal(log_copy(f.log, log_start(f.log) - 1, big, 10), -ERANGE);
	assert_int_equal(log_copy(f.log, tail + 2999, big, 2), -ERANGE);
	assert_int_equal(log_copy(f.log, log_start(f.log), big, FIXTURE_RING), 0);
	assert_int_equal(big[FIXTURE_RING - 1], 'z');
}

static void unused_credit_is_given_back_when_space_is_short(void **state)
{
	assert_int_equal(log_admit(f.w[0], 100), 0);
	assert_int_equal(fill_up(1, 100), -EAGAIN);
	log_admit_done(f.w[0]);
	assert_int_equal(log_admit(f.w[1], 100), 0);
}

static void bytes_on_hold_outlast_all_else(void **state)
{
	assert_int_equal(log_hold(f.w[0], 5000), 0);
	assert_int_equal(fill_up(0, 100), -EAGAIN); /* also by the same writer */
	assert_int_equal(fill_up(1, 100), -EAGAIN);
	log_admit_done(f.w[0]);
	assert_int_equal(fill_up(1, 100), -EAGAIN);
	assert_int_equal(log_hold(f.w[0], FIXTURE_RING), -EMSGSIZE); /* and what was held stays */
	assert_int_equal(log_hold(f.w[0], 0), 0);
	log_append(f.w[0], big, 5000);
	log_commit(f.w[0]);
}

static void clean_close_keeps_every_byte(void **state)
{
	put(0, "hello", 5);
	log_commit(f.w[0]);
	fixture_close(&f, true);
	fixture_open(&f);
	assert_true(f.res.clean);
	assert_int_equal(f.res.end, 5);
	assert_int_equal(f.res.base, RECOVER_BASE_EMPTY);
	assert_int_equal(log_copy(f.log, 0, big, 5), 0);
	assert_memory_equal(big, "hello", 5);
}

static void grouped_watermark_waits_for_the_flush(void **state)
{
	put(0, "hello", 5);
	log_commit(f.w[0]);
	assert_int_equal(log_watermark(f.log), 0);
	assert_int_equal(log_reply_mark(f.log), 0);
	assert_true(log_flush_due(f.log));
	log_flush(f.log);
	assert_int_equal(log_watermark(f.log), 5);
	assert_int_equal(log_reply_mark(f.log), 5);
	assert_false(log_flush_due(f.log));
	fixture_power_cut(&f);
	assert_int_equal(f.res.end, 5);
}

static void everysec_replies_at_once_but_holds_replicas(void **state)
{
	put(0, "hello", 5);
	log_commit(f.w[0]);
	assert_int_equal(log_reply_mark(f.log), 5);
	assert_int_equal(log_watermark(f.log), 0);
	assert_false(log_flush_wanted(f.log));
	log_flush(f.log);
	assert_int_equal(log_watermark(f.log), 5);
}

static void mode_no_lets_replicas_have_what_is_copied(void **state)
{
	put(0, "hello", 5);
	log_commit(f.w[0]);
	assert_int_equal(log_reply_mark(f.log), 5);
	assert_int_equal(log_watermark(f.log), 5);
	assert_int_equal(log_durable(f.log), 0);
	fixture_kill(&f);
	assert_int_equal(f.res.end, 5);
	assert_false(f.res.replid_suspect);
}

static void mode_no_makes_the_id_suspect_after_a_reboot(void **state)
{
	struct pool_repl repl;

	f.cfg.boot_id = "99999999-2222-3333-4444-555555555555";
	fixture_power_cut(&f);
	assert_true(f.res.rebooted);
	assert_true(f.res.replid_suspect);
	fixture_kill(&f);
	assert_false(f.res.rebooted);
	assert_true(f.res.replid_suspect); /* nobody has acted on it yet */
	pool_repl_get(f.pool, &repl);
	assert_int_equal(pool_repl_set(f.pool, &repl), 0);
	fixture_kill(&f);
	assert_false(f.res.replid_suspect);
}

static void strict_mode_keeps_the_id_after_a_reboot(void **state)
{
	f.cfg.boot_id = "99999999-2222-3333-4444-555555555555";
	fixture_power_cut(&f);
	assert_true(f.res.rebooted);
	assert_false(f.res.replid_suspect);
}

static void grouped_writers_ask_for_a_flush_when_slots_run_out(void **state)
{
	int rc = 0;

	/* Two writers in turn: each append is a run of its own. */
	for (int i = 0; i < 1000 && rc == 0; i++) {
		rc = log_admit(f.w[i % 2], 1);
		if (rc == 0)
			log_append(f.w[i % 2], "x", 1);
		log_commit(f.w[i % 2]);
	}
	assert_int_equal(rc, -EAGAIN);
	assert_true(log_flush_wanted(f.log));
	log_flush(f.log);
	assert_false(log_flush_wanted(f.log));
	assert_int_equal(log_admit(f.w[0], 1), 0);
	assert_int_equal(log_admit(f.w[1], 1), 0);
}

static void grouped_big_append_gets_room_by_one_flush(void **state)
{
	size_t most = log_append_max(f.log);

	assert_int_equal(log_admit(f.w[0], most), -EAGAIN);
	assert_true(log_flush_wanted(f.log));
	log_flush(f.log);
	assert_int_equal(log_admit(f.w[0], most), 0);
}

static void reset_starts_an_empty_log_elsewhere(void **state)
{
	struct pool_repl repl;
	const void *ptr;
	size_t len;

	put(0, "hello", 5);
	log_commit(f.w[0]);
	assert_int_equal(log_reset(f.log, 1000, &some_ids), 0);
	assert_int_equal(log_tail(f.log), 1000);
	assert_int_equal(log_start(f.log), 1000);
	assert_int_equal(log_watermark(f.log), 1000);
	assert_int_equal(log_read(f.log, 0, &ptr, &len), -ERANGE);
	assert_int_equal(put(0, "after", 5), 1005);
	log_commit(f.w[0]);
	fixture_power_cut(&f);
	assert_int_equal(f.res.base, RECOVER_BASE_NONE);
	assert_int_equal(f.res.base_off, 1000);
	assert_int_equal(f.res.end, 1005);
	pool_repl_get(f.pool, &repl);
	assert_memory_equal(&repl, &some_ids, sizeof(repl));
	assert_int_equal(log_copy(f.log, 1000, big, 5), 0);
	assert_memory_equal(big, "after", 5);
}

static void writer_is_registered_once_and_within_the_pools_number(void **state)
{
	struct log_writer *w;

	assert_int_equal(log_writer_open(f.log, 0, &w), -EBUSY);
	assert_int_equal(log_writer_open(f.log, FIXTURE_WRITERS, &w), -EINVAL);
}

#define FENCED(t)   cmocka_unit_test_setup_teardown(t, setup_fenced, teardown)
#define GROUPED(t)  cmocka_unit_test_setup_teardown(t, setup_grouped, teardown)
#define EVERYSEC(t) cmocka_unit_test_setup_teardown(t, setup_everysec, teardown)
#define NO(t)       cmocka_unit_test_setup_teardown(t, setup_no, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCED(append_returns_the_offset_after_its_bytes),
		FENCED(bytes_are_readable_from_commit_on),
		FENCED(vector_is_one_contiguous_piece),
		FENCED(contiguous_appends_are_one_run),
		FENCED(watermark_waits_for_the_other_writers_burst),
		FENCED(watermark_stops_below_the_first_open_burst),
		FENCED(append_longer_than_the_log_takes_is_refused),
		FENCED(full_log_makes_writers_wait_until_a_snapshot),
		GROUPED(full_log_makes_writers_wait_until_a_snapshot),
		FENCED(ring_wraps_and_reads_in_two_spans),
		GROUPED(ring_wraps_and_reads_in_two_spans),
		FENCED(unused_credit_is_given_back_when_space_is_short),
		FENCED(bytes_on_hold_outlast_all_else),
		FENCED(clean_close_keeps_every_byte),
		GROUPED(clean_close_keeps_every_byte),
		NO(clean_close_keeps_every_byte),
		GROUPED(grouped_watermark_waits_for_the_flush),
		EVERYSEC(everysec_replies_at_once_but_holds_replicas),
		NO(mode_no_lets_replicas_have_what_is_copied),
		NO(mode_no_makes_the_id_suspect_after_a_reboot),
		GROUPED(strict_mode_keeps_the_id_after_a_reboot),
		EVERYSEC(strict_mode_keeps_the_id_after_a_reboot),
		FENCED(strict_mode_keeps_the_id_after_a_reboot),
		GROUPED(grouped_writers_ask_for_a_flush_when_slots_run_out),
		GROUPED(grouped_big_append_gets_room_by_one_flush),
		FENCED(reset_starts_an_empty_log_elsewhere),
		GROUPED(writer_is_registered_once_and_within_the_pools_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
