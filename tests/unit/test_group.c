/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Commands of a batch that are logged together: when their records reach the log, whose partitions
 * stay locked until then, what their clients wait for.
 *
 * Two cores of one node, with a real log and keyspace; a command is its effect, a line of words.
 */
#include "app/commands/group.h"

#include "app/commands/dispatch.h"
#include "app/commands/notify.h"
#include "tests/support/pool_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define NR_PARTS 64

/* The dispatcher's, which is not linked. */
void cmd_retry(struct client *c)
{
	c->retry = true;
}

static struct node {
	struct pool_fixture f;
	struct server srv;
	struct app_core ac[2];
	struct client c[2][2]; /* two of each core */
	char seen[FIXTURE_RING];
} n;

static uint64_t told_gate; /* of the last events */

void notify_publish_all(struct app_core *ac, uint64_t gate)
{
	told_gate = gate;
	notify_forget(ac);
}

static int set_up(void **state)
{
	struct ks_config ks = {.nr_parts = NR_PARTS, .nr_dbs = 1};

	memset(&n, 0, sizeof(n));
	fixture_setup_plain(&n.f, false);
	n.srv.ks = ks_create(&ks);
	assert_non_null(n.srv.ks);
	n.srv.log = n.f.log;
	for (int i = 0; i < 2; i++) {
		n.ac[i].srv = &n.srv;
		n.ac[i].log = n.f.w[i];
		assert_int_equal(propagation_create(&n.ac[i].prop), 0);
		for (int k = 0; k < 2; k++) {
			n.c[i][k].srv = &n.srv;
			n.c[i][k].ac = &n.ac[i];
		}
	}
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < 2; i++) {
		group_close(&n.ac[i]);
		group_fini(&n.ac[i].group);
		encbuf_fini(&n.ac[i].events);
		log_commit(n.ac[i].log);
		propagation_destroy(&n.ac[i].prop);
	}
	ks_destroy(&n.srv.ks);
	fixture_teardown_plain(&n.f);
	return 0;
}

/* The part of the dispatcher. word NULL: it reads. False: its partition is busy. */
static bool run(struct client *c, uint32_t part, const char *word)
{
	struct slice argv[1] = {{word, word ? strlen(word) : 0}};
	enum group_lock lock;

	if (word && propagate_admit(c->ac, argv[0].len + 64))
		group_end(c->ac);
	if (word && propagate_admit(c->ac, argv[0].len + 64))
		return false;
	lock = group_part_lock(c->ac, part);
	if (lock == GROUP_BUSY)
		return false;
	c->argv = argv;
	c->argc = 1;
	if (word)
		cmd_dirty(c, 1);
	group_command_done(c, part, lock);
	propagation_reset(c->ac);
	return true;
}

static bool is_locked(uint32_t part)
{
	if (!ks_part_trylock_once(n.srv.ks, part))
		return true;
	ks_part_unlock(n.srv.ks, part);
	return false;
}

static uint64_t written(uint32_t part)
{
	return ks_part_written(n.srv.ks, part);
}

static uint64_t appends(void)
{
	struct log_stats stats;

	log_stats_get(n.f.log, &stats);
	return stats.appends;
}

/* All that was logged and committed, as text. */
static const char *logged(void)
{
	size_t len;

	log_commit(n.ac[0].log);
	log_commit(n.ac[1].log);
	len = (size_t)log_tail(n.f.log);
	assert_int_equal(log_copy(n.f.log, 0, n.seen, len), 0);
	n.seen[len] = 0;
	return n.seen;
}

/* Bytes of the record of a word of one letter. */
#define REC (sizeof("*1\r\n$1\r\na\r\n") - 1)

static void alone_a_command_is_logged_at_once(void **state)
{
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_int_equal(log_tail(n.f.log), REC);
	assert_int_equal(written(1), REC);
	assert_int_equal(n.c[0][0].gate, REC);
	assert_int_equal(n.c[0][0].last_write_off, REC);
	assert_false(is_locked(1));
}

static void a_group_is_one_append(void **state)
{
	group_open(&n.ac[0]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(run(&n.c[0][1], 2, "b"));
	assert_true(run(&n.c[0][0], 3, "c"));
	assert_int_equal(log_tail(n.f.log), 0);
	group_close(&n.ac[0]);
	assert_int_equal(appends(), 1);
	assert_string_equal(logged(), "*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n");
	for (uint32_t part = 1; part <= 3; part++) {
		assert_int_equal(written(part), part * REC);
		assert_false(is_locked(part));
	}
	assert_int_equal(n.c[0][0].gate, 3 * REC);
	assert_int_equal(n.c[0][0].last_write_off, 3 * REC);
	assert_int_equal(n.c[0][1].gate, 2 * REC);
}

static void what_has_no_offset_yet_stays_locked(void **state)
{
	group_open(&n.ac[0]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(is_locked(1));
	assert_false(run(&n.c[1][0], 1, NULL));
	assert_int_equal(n.c[1][0].gate, 0);
	group_end(&n.ac[0]);
	assert_true(run(&n.c[1][0], 1, NULL));
	assert_int_equal(n.c[1][0].gate, REC);
	assert_int_equal(n.c[1][0].last_write_off, 0);
}

static void a_write_after_another_cores_comes_after_it_in_the_log(void **state)
{
	group_open(&n.ac[0]);
	group_open(&n.ac[1]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(run(&n.c[1][0], 2, "b"));
	assert_false(run(&n.c[1][0], 1, "c"));
	group_close(&n.ac[0]);
	assert_true(run(&n.c[1][0], 1, "c"));
	group_close(&n.ac[1]);
	assert_string_equal(logged(), "*1\r\n$1\r\nb\r\n*1\r\n$1\r\na\r\n*1\r\n$1\r\nc\r\n");
	assert_int_equal(written(1), 3 * REC);
}

static void the_group_reads_what_it_has_written(void **state)
{
	group_open(&n.ac[0]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(run(&n.c[0][1], 1, NULL));
	assert_true(run(&n.c[0][0], 1, "b"));
	assert_int_equal(n.c[0][1].gate, 0);
	group_close(&n.ac[0]);
	assert_int_equal(n.c[0][1].gate, REC);
	assert_int_equal(n.c[0][1].last_write_off, 0);
	assert_int_equal(n.c[0][0].gate, 2 * REC);
	assert_int_equal(written(1), 2 * REC);
	assert_false(is_locked(1));
}

static void a_read_of_other_data_lets_them_go(void **state)
{
	assert_true(run(&n.c[1][0], 2, "x"));
	group_open(&n.ac[0]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(run(&n.c[0][1], 2, NULL));
	assert_int_equal(n.c[0][1].gate, REC);
	assert_false(is_locked(2));
}

static void events_have_the_gate_of_their_change(void **state)
{
	group_open(&n.ac[0]);
	assert_true(run(&n.c[0][0], 1, "a"));
	encbuf_add(&n.ac[0].events, "x", 1);
	assert_true(run(&n.c[0][1], 2, "b"));
	assert_int_equal(told_gate, 2 * REC);
	assert_int_equal(n.ac[0].events.len, 0);
	assert_false(is_locked(1) || is_locked(2));
	assert_true(run(&n.c[0][1], 1, "c"));
	encbuf_add(&n.ac[0].events, "x", 1);
	assert_true(run(&n.c[0][0], 1, NULL));
	assert_int_equal(told_gate, 3 * REC);
	encbuf_add(&n.ac[0].events, "x", 1);
	assert_true(run(&n.c[0][0], 2, NULL));
	assert_int_equal(told_gate, 3 * REC); /* the client's own */
}

static void nobody_waits_while_he_is_waited_for(void **state)
{
	group_open(&n.ac[0]);
	group_open(&n.ac[1]);
	assert_true(run(&n.c[0][0], 1, "a"));
	assert_true(run(&n.c[1][0], 2, "b"));
	assert_false(run(&n.c[0][0], 2, "c"));
	assert_false(is_locked(1));
	assert_int_equal(log_tail(n.f.log), REC);
	assert_true(run(&n.c[1][0], 1, "d"));
}

static void a_full_group_ends(void **state)
{
	group_open(&n.ac[0]);
	for (uint32_t i = 0; i < GROUP_MAX; i++) {
		assert_int_equal(log_tail(n.f.log), 0);
		assert_true(run(&n.c[0][0], i, i % 2 ? "a" : "b"));
	}
	assert_int_equal(log_tail(n.f.log), GROUP_MAX * REC);
	for (uint32_t i = 0; i < 2 * GROUP_MAX; i++)
		assert_true(run(&n.c[0][0], 1, i ? NULL : "a"));
	assert_int_equal(log_tail(n.f.log), (GROUP_MAX + 1) * REC);
}

static void a_group_of_many_bytes_ends(void **state)
{
	char word[2001];

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	group_open(&n.ac[0]);
	for (uint32_t i = 0; i <= GROUP_BYTES / sizeof(word); i++)
		assert_true(run(&n.c[0][0], i, word));
	assert_true(log_tail(n.f.log) > GROUP_BYTES / 2);
	assert_false(is_locked(0));
}

/* What a group gathers needs room, too: it ends, rather than outgrow what was admitted. */
static void a_group_never_outgrows_its_room(void **state)
{
	char word[600];
	bool ran = true;
	unsigned i;

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	group_open(&n.ac[0]);
	for (i = 0; i < FIXTURE_RING / sizeof(word) && ran; i++)
		ran = run(&n.c[0][0], i % NR_PARTS, word);
	assert_false(ran); /* the log is full */
	group_close(&n.ac[0]);
	assert_true(log_tail(n.f.log) <= FIXTURE_RING);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define NR_TURNS  400
#define HOT_PARTS 4u

static unsigned values[HOT_PARTS]; /* guarded by the partition's lock */

/* Adds one to a value and logs it: "part value", in groups of a few. */
static void *count_up(void *arg)
{
	struct client *c = arg;
	unsigned seed = (unsigned)(c - &n.c[0][0]) + 1;
	char word[32];

	for (unsigned i = 0; i < NR_TURNS; i++) {
		uint32_t part;
		enum group_lock lock;
		struct slice argv[1] = {{word, 0}};

		if (i % 8 == 0) {
			group_close(c->ac);
			log_commit(c->ac->log);
			group_open(c->ac);
		}
		seed = seed * 1103515245 + 12345;
		part = seed >> 16 & (HOT_PARTS - 1);
		BUG_ON(propagate_admit(c->ac, 64) != 0);
		while ((lock = group_part_lock(c->ac, part)) == GROUP_BUSY)
			;
		argv[0].len = (size_t)snprintf(word, sizeof(word), "%u %04u", part, ++values[part]);
		c->argv = argv;
		c->argc = 1;
		cmd_dirty(c, 1);
		group_command_done(c, part, lock);
		propagation_reset(c->ac);
	}
	group_close(c->ac);
	log_commit(c->ac->log);
	return NULL;
}

static void the_order_of_a_partition_is_that_of_the_log(void **state)
{
	unsigned last[HOT_PARTS] = {0}, part, value;
	pthread_t threads[2];
	const char *at;

	memset(values, 0, sizeof(values));
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, &n.c[i][0]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	at = logged();
	for (unsigned i = 0; i < 2 * NR_TURNS; i++) {
		assert_int_equal(sscanf(at, "*1\r\n$6\r\n%u %u", &part, &value), 2);
		assert_true(part < HOT_PARTS);
		assert_int_equal(value, ++last[part]);
		at += strlen("*1\r\n$6\r\n0 0001\r\n");
	}
	for (unsigned i = 0; i < HOT_PARTS; i++)
		assert_int_equal(last[i], values[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(alone_a_command_is_logged_at_once),
		TEST(a_group_is_one_append),
		TEST(what_has_no_offset_yet_stays_locked),
		TEST(a_write_after_another_cores_comes_after_it_in_the_log),
		TEST(the_group_reads_what_it_has_written),
		TEST(a_read_of_other_data_lets_them_go),
		TEST(events_have_the_gate_of_their_change),
		TEST(nobody_waits_while_he_is_waited_for),
		TEST(a_full_group_ends),
		TEST(a_group_of_many_bytes_ends),
		TEST(a_group_never_outgrows_its_room),
		TEST(the_order_of_a_partition_is_that_of_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
