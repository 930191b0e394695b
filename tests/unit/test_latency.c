/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests of the latency monitor and its reports.
 */
#include "app/commands/latency_report.h"
#include "app/latency.h"

#include "app/server.h"
#include "dataplane/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000)

struct fixture {
	struct server srv;
	struct config cfg;
};

/* The clock that latency_add() reads. */
int64_t clock_unix_us(void)
{
	return T0 * 1000000 + 999999;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv.cfg = &f->cfg;
	f->srv.latency = latency_create();
	assert_non_null(f->srv.latency);
	atomic_init(&f->cfg.latency_threshold_ms, 10);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	latency_destroy(&f->srv.latency);
	assert_null(f->srv.latency);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *event, int64_t ms, int64_t at_s)
{
	latency_add_at(&f->srv, event, ms, at_s * 1000);
}

static void below_threshold_is_not_recorded(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	add(f, "command", 9, T0);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), -ENOENT);
	add(f, "command", 10, T0);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	assert_int_equal(e.nr, 1);
}

static void threshold_zero_turns_it_off(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	atomic_store(&f->cfg.latency_threshold_ms, 0);
	add(f, "command", 1000, T0);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), -ENOENT);
}

static void time_comes_from_the_clock(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	latency_add(&f->srv, "command", 10);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	assert_int_equal(e.samples[0].time_s, T0);
}

static void microseconds_count_as_whole_milliseconds(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	atomic_store(&f->cfg.latency_threshold_ms, 1);
	latency_add_us(&f->srv, "command", 999);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), -ENOENT);
	latency_add_us(&f->srv, "command", 2999);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	assert_int_equal(e.max_ms, 2);
}

static void worst_of_a_second_is_kept(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	add(f, "command", 20, T0);
	add(f, "command", 50, T0);
	add(f, "command", 30, T0);
	add(f, "command", 15, T0 + 1);
	assert_int_equal(latency_find(f->srv.latency, "COMMAND", 7, &e), 0);
	assert_int_equal(e.nr, 2);
	assert_int_equal(e.samples[0].ms, 50);
	assert_int_equal(e.samples[1].ms, 15);
	assert_int_equal(e.max_ms, 50);
}

static void oldest_samples_fall_out_and_maximum_stays(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	add(f, "command", 5000, T0);
	for (int i = 1; i <= LATENCY_SAMPLES; i++)
		add(f, "command", 100 + i, T0 + i);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	assert_int_equal(e.nr, LATENCY_SAMPLES);
	assert_int_equal(e.samples[0].ms, 101);
	assert_int_equal(e.samples[LATENCY_SAMPLES - 1].ms, 100 + LATENCY_SAMPLES);
	assert_int_equal(e.max_ms, 5000);
}

static void events_are_kept_apart(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	add(f, "command", 20, T0);
	add(f, "expire-cycle", 30, T0);
	assert_int_equal(latency_find(f->srv.latency, "expire-cycle", 12, &e), 0);
	assert_int_equal(e.samples[0].ms, 30);
	assert_int_equal(latency_get(f->srv.latency, 2, &e), -ENOENT);
}

static void reset_forgets_one_or_all(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;

	add(f, "a", 20, T0);
	add(f, "b", 30, T0);
	add(f, "c", 40, T0);
	assert_int_equal(latency_reset(f->srv.latency, "nosuch", 6), 0);
	assert_int_equal(latency_reset(f->srv.latency, "a", 1), 1);
	assert_int_equal(latency_find(f->srv.latency, "a", 1, &e), -ENOENT);
	assert_int_equal(latency_find(f->srv.latency, "c", 1, &e), 0);
	assert_int_equal(e.samples[0].ms, 40);
	assert_int_equal(latency_reset(f->srv.latency, NULL, 0), 2);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), -ENOENT);
	add(f, "c", 11, T0);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	assert_int_equal(e.max_ms, 11);
}

static void too_many_kinds_of_events_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;
	char name[4];

	for (int i = 0; i <= LATENCY_MAX_EVENTS; i++) {
		name[0] = 'e';
		name[1] = (char)('A' + i / 10);
		name[2] = (char)('0' + i % 10);
		name[3] = '\0';
		add(f, name, 20, T0);
	}
	assert_int_equal(latency_get(f->srv.latency, LATENCY_MAX_EVENTS - 1, &e), 0);
	assert_int_equal(latency_get(f->srv.latency, LATENCY_MAX_EVENTS, &e), -ENOENT);
}

static void buckets_are_powers_of_two(void **state)
{
	assert_int_equal(latency_bucket(0), 0);
	assert_int_equal(latency_bucket(1), 0);
	assert_int_equal(latency_bucket(2), 1);
	assert_int_equal(latency_bucket(3), 2);
	assert_int_equal(latency_bucket(4), 2);
	assert_int_equal(latency_bucket(5), 3);
	assert_int_equal(latency_bucket(1024), 10);
	assert_int_equal(latency_bucket(1025), 11);
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void bucket_bounds_are_named_as_redis_names_them(void **state)
{
	static const unsigned us[] = {1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227};

	for (unsigned i = 0; i < sizeof(us) / sizeof(us[0]); i++)
		assert_int_equal(latency_bucket_ns(i) / 1000, us[i]);
}

static void summary_of_samples(void **state)
{
	struct fixture *f = *state;
	struct latency_summary s;
	struct latency_event e;

	add(f, "command", 10, T0);
	add(f, "command", 20, T0 + 10);
	add(f, "command", 60, T0 + 20);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	latency_summarise(&e, T0 + 30, &s);
	assert_int_equal(s.nr, 3);
	assert_int_equal(s.min_ms, 10);
	assert_int_equal(s.max_ms, 60);
	assert_float_equal(s.mean_ms, 30, 0.001);
	assert_float_equal(s.deviation_ms, 20, 0.001);
	assert_float_equal(s.period_s, 10, 0.001);
}

static void graph_shows_heights_and_ages(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;
	struct textbuf tb;
	char rule[81];

	memset(rule, '-', 80);
	rule[80] = '\0';
	add(f, "command", 10, T0);
	add(f, "command", 80, T0 + 60);
	add(f, "command", 45, T0 + 110);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	textbuf_init(&tb);
	latency_graph_print(&tb, &e, T0 + 115);
	assert_non_null(strstr(
		textbuf_str(&tb), "command - high 80 ms, low 10 ms (all time high 80 ms)\n"));
	assert_non_null(strstr(textbuf_str(&tb), rule));
	assert_non_null(strstr(textbuf_str(&tb), "\n | \n | \n ||\n.||\n\n155\nm5s\n s \n"));
	textbuf_fini(&tb);
}

static void graph_of_equal_samples_is_flat(void **state)
{
	struct fixture *f = *state;
	struct latency_event e;
	struct textbuf tb;

	add(f, "command", 10, T0);
	add(f, "command", 10, T0 + 1);
	assert_int_equal(latency_get(f->srv.latency, 0, &e), 0);
	textbuf_init(&tb);
	latency_graph_print(&tb, &e, T0 + 4);
	assert_non_null(strstr(textbuf_str(&tb), "\n  \n  \n  \n..\n\n43\nss\n"));
	textbuf_fini(&tb);
}

static void doctor_finds_nothing_without_events(void **state)
{
	struct fixture *f = *state;
	struct textbuf tb;

	textbuf_init(&tb);
	latency_doctor_print(&tb, f->srv.latency, T0, 10, 1000);
	assert_non_null(strstr(textbuf_str(&tb), "Nothing took longer than 10 ms"));
	textbuf_fini(&tb);
}

static void doctor_names_events_and_advises(void **state)
{
	struct fixture *f = *state;
	struct textbuf tb;

	add(f, "command", 40, T0);
	add(f, "other", 70, T0);
	textbuf_init(&tb);
	latency_doctor_print(&tb, f->srv.latency, T0 + 5, 10, 20000);
	assert_non_null(strstr(textbuf_str(&tb), "1. command: 1 latency spikes (average 40 ms"));
	assert_non_null(strstr(textbuf_str(&tb), "2. other: 1 latency spikes"));
	assert_non_null(strstr(textbuf_str(&tb), "slowlog-log-slower-than 10000"));
	assert_non_null(strstr(textbuf_str(&tb), "SLOWLOG GET"));
	textbuf_clear(&tb);
	latency_doctor_print(&tb, f->srv.latency, T0 + 5, 10, 10000);
	assert_null(strstr(textbuf_str(&tb), "slowlog-log-slower-than"));
	textbuf_fini(&tb);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(below_threshold_is_not_recorded),
		TEST(threshold_zero_turns_it_off),
		TEST(time_comes_from_the_clock),
		TEST(microseconds_count_as_whole_milliseconds),
		TEST(worst_of_a_second_is_kept),
		TEST(oldest_samples_fall_out_and_maximum_stays),
		TEST(events_are_kept_apart),
		TEST(reset_forgets_one_or_all),
		TEST(too_many_kinds_of_events_are_ignored),
		TEST(buckets_are_powers_of_two),
		TEST(bucket_bounds_are_named_as_redis_names_them),
		TEST(summary_of_samples),
		TEST(graph_shows_heights_and_ages),
		TEST(graph_of_equal_samples_is_flat),
		TEST(doctor_finds_nothing_without_events),
		TEST(doctor_names_events_and_advises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
