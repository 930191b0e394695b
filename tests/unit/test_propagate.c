/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Effects of commands in the log of a real pool: one record a command, resting database 0.
 */
#include "app/commands/dispatch.h"

#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct node {
	struct pool_fixture f;
	struct server srv;
	struct app_core ac;
	struct client c;
	struct obuf_pool pool;
	struct obuf out; /* the replies */
	uint64_t seen;   /* log offset looked at so far */
};

/* The dispatcher's, which is not linked. */
void cmd_retry(struct client *c)
{
	c->retry = true;
}

static struct node n;

static int setup(void **state)
{
	struct ks_config ks = {.nr_parts = 4, .nr_dbs = 16};

	memset(&n, 0, sizeof(n));
	fixture_setup_plain(&n.f, false);
	n.srv.ks = ks_create(&ks);
	assert_non_null(n.srv.ks);
	n.ac.srv = n.c.srv = &n.srv;
	n.ac.log = n.f.w[0];
	n.c.ac = &n.ac;
	n.srv.log = n.f.log;
	rte_spinlock_init(&n.srv.err_lock);
	TAILQ_INIT(&n.ac.dirty);
	obuf_pool_init(&n.pool, 0);
	obuf_init(&n.out, &n.pool);
	n.c.out = &n.out;
	return propagation_create(&n.ac.prop);
}

static int teardown(void **state)
{
	obuf_fini(&n.out);
	obuf_pool_fini(&n.pool);
	propagation_destroy(&n.ac.prop);
	ks_destroy(&n.srv.ks);
	fixture_teardown_plain(&n.f);
	return 0;
}

/* The command under way, from a line of words. */
static void command_is(const char *line)
{
	static struct slice argv[16];

	n.c.argv = argv;
	for (n.c.argc = 0; *line; n.c.argc++) {
		size_t len = strcspn(line, " ");

		argv[n.c.argc] = (struct slice){line, len};
		line += len + strspn(line + len, " ");
	}
	assert_int_equal(log_admit(n.ac.log, 4096), 0);
}

static uint64_t done(void)
{
	uint64_t end = propagate_effects(&n.c);

	propagation_reset(&n.ac);
	log_commit(n.ac.log);
	return end;
}

/* The log since the last look: words by blanks, commands by bars. */
static const char *logged(void)
{
	static char text[2048], bytes[4096];
	struct resp_limits limits = {.max_bulk_len = 4096, .max_multibulk = 64};
	uint64_t tail = log_tail(n.f.log);
	struct resp_parser p;
	size_t len = 0, at = 0, all = (size_t)(tail - n.seen);

	assert_true(all <= sizeof(bytes));
	assert_int_equal(log_copy(n.f.log, n.seen, bytes, all), 0);
	n.seen = tail;
	text[0] = 0;
	resp_parser_init(&p);
	while (at < all) {
		size_t used = 0;

		assert_int_equal(resp_parse(&p, &limits, bytes + at, all - at, &used), RESP_OK);
		for (uint32_t i = 0; i < p.argc; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
				i    ? " "
				: at ? "|"
				     : "",
				(int)p.argv[i].len, p.argv[i].ptr);
		at += used;
	}
	resp_parser_fini(&p);
	return text;
}

static void unchanged_data_leave_no_record(void **state)
{
	command_is("GET a");
	assert_int_equal(done(), 0);
	assert_int_equal(log_tail(n.f.log), 0);
}

static void change_in_database_0_goes_as_it_came(void **state)
{
	command_is("SET a b");
	cmd_dirty(&n.c, 1);
	uint64_t end = done();

	assert_int_equal(end, log_tail(n.f.log));
	assert_string_equal(logged(), "SET a b");
	assert_int_equal(n.ac.dirty_count, 1);
}

static void change_in_another_database_returns_to_0(void **state)
{
	n.c.db = 5;
	command_is("SET a b");
	cmd_dirty(&n.c, 1);
	done();
	assert_string_equal(logged(), "SELECT 5|SET a b|SELECT 0");
}

static void replacement_goes_in_place_of_the_arguments(void **state)
{
	struct slice argv[3] = {slice_str("SET"), slice_str("a"), slice_str("1.5")};

	command_is("INCRBYFLOAT a 0.5");
	cmd_dirty(&n.c, 1);
	prop_replace(&n.c, 3, argv);
	done();
	assert_string_equal(logged(), "SET a 1.5");
	/* nothing of it is left for the next one */
	command_is("SET c d");
	cmd_dirty(&n.c, 1);
	done();
	assert_string_equal(logged(), "SET c d");
}

static void expiry_before_a_change_makes_one_run(void **state)
{
	struct slice argv[2] = {slice_str("DEL"), slice_str("a")};

	command_is("APPEND a x");
	prop_before(&n.c, 0, 2, argv);
	cmd_dirty(&n.c, 1);
	done();
	assert_string_equal(logged(), "MULTI|DEL a|APPEND a x|EXEC");
}

static void expiry_in_several_databases_selects_each(void **state)
{
	struct slice a[2] = {slice_str("DEL"), slice_str("a")};
	struct slice b[2] = {slice_str("DEL"), slice_str("b")};
	struct slice also[2] = {slice_str("DEL"), slice_str("also")};

	n.c.db = 2;
	command_is("COPY a b DB 7");
	prop_before(&n.c, 2, 2, a);
	prop_before(&n.c, 7, 2, b);
	cmd_dirty(&n.c, 1);
	prop_also(&n.c, 2, also);
	done();
	assert_string_equal(logged(), "MULTI|SELECT 2|DEL a|SELECT 7|DEL b|SELECT 2|COPY a b DB 7"
				      "|DEL also|SELECT 0|EXEC");
}

static void expiry_alone_is_no_run(void **state)
{
	struct slice a[2] = {slice_str("DEL"), slice_str("a")};

	n.c.db = 3;
	command_is("GET a");
	prop_before(&n.c, 3, 2, a);
	done();
	assert_string_equal(logged(), "SELECT 3|DEL a|SELECT 0");
}

static void nothing_said_means_nothing_logged(void **state)
{
	command_is("SET a b");
	cmd_dirty(&n.c, 1);
	prop_none(&n.c);
	assert_int_equal(done(), 0);
	assert_int_equal(n.ac.dirty_count, 1);
}

static void replica_keeps_its_own_writes_to_itself(void **state)
{
	n.ac.local = true;
	command_is("SET a b");
	cmd_dirty(&n.c, 1);
	assert_int_equal(done(), 0);
	assert_int_equal(log_tail(n.f.log), 0);
}

/* Whoever let the command in as a master's has its room in the log: a role that changes meanwhile
 * must not leave a change without its record. */
static void role_counts_as_it_was_when_the_command_was_let_in(void **state)
{
	command_is("SET a b");
	cmd_dirty(&n.c, 1);
	atomic_store(&n.srv.is_replica, true);
	assert_true(done() > 0);
	assert_string_equal(logged(), "SET a b");
}

static void applied_stream_is_not_logged_again(void **state)
{
	static const uint32_t appliers[] = {CLIENT_MASTER, CLIENT_REPLAY};

	for (size_t i = 0; i < 2; i++) {
		n.c.flags = appliers[i];
		command_is("SET a b");
		cmd_dirty(&n.c, 1);
		assert_int_equal(done(), 0);
	}
	assert_int_equal(log_tail(n.f.log), 0);
}

static void removal_outside_a_command_marks_its_partition(void **state)
{
	assert_true(ks_part_trylock(n.srv.ks, 1));
	assert_int_equal(propagate_admit_del(&n.ac, slice_str("gone")), 0);
	propagate_del(&n.ac, 1, 4, slice_str("gone"), true);
	assert_int_equal(ks_part_written(n.srv.ks, 1), log_tail(n.f.log));
	ks_part_unlock(n.srv.ks, 1);
	log_commit(n.ac.log);
	assert_string_equal(logged(), "SELECT 4|UNLINK gone|SELECT 0");
}

/* The longest names: admission covers the record, or refuses for ever. */
static void removal_is_admitted_for_any_name(void **state)
{
	static char name[64 << 10];

	memset(name, 'k', sizeof(name));
	for (size_t len = 1; len <= sizeof(name); len *= 2) {
		struct slice key = {name, len};
		int rc = propagate_admit_del(&n.ac, key);

		if (rc) /* too long, or the ring is full: nothing moves its base here */
			break;
		propagate_del(&n.ac, 0, 15, key, true);
		log_commit(n.ac.log);
	}
	assert_int_equal(propagate_admit_del(&n.ac, (struct slice){name, sizeof(name)}), -EMSGSIZE);
	assert_true(log_tail(n.f.log) > 4096);
}

/* What the command has replied since the last look. */
static const char *replied(void)
{
	static char text[512];
	size_t len = (size_t)obuf_len(&n.out);

	assert_true(len < sizeof(text));
	obuf_copy_at(&n.out, 0, text, (uint32_t)len);
	obuf_consume(&n.out, len);
	text[len] = 0;
	return text;
}

/* Fills the ring until so many bytes are not admitted any more. */
static void fill(size_t len)
{
	static const char bytes[512];

	while (propagate_admit(&n.ac, len) == 0) {
		log_append(n.ac.log, bytes, sizeof(bytes));
		log_commit(n.ac.log);
	}
}

static void effects_without_room_wait_or_are_refused(void **state)
{
	const size_t len = 8000;

	assert_true(prop_admit(&n.c, len));
	assert_int_equal(n.ac.admitted, len);
	assert_false(prop_admit(&n.c, (size_t)1 << 40));
	assert_memory_equal(replied(), "-ERR the command is larger", 26);
	assert_false(n.c.retry);
	n.ac.admitted = 0;
	fill(len);

	assert_false(prop_admit(&n.c, len));
	assert_true(n.c.retry);
	assert_string_equal(replied(), "");

	n.c.retry = false;
	n.ac.in_exec = true;
	assert_false(prop_admit(&n.c, len));
	assert_false(n.c.retry);
	assert_memory_equal(replied(), "-ERR the log in persistent memory has no room", 45);

	/* Nobody makes room: neither waits. */
	atomic_store(&n.srv.snapshot_no_room, true);
	for (int in_exec = 0; in_exec < 2; in_exec++) {
		n.ac.in_exec = in_exec;
		assert_false(prop_admit(&n.c, len));
		assert_false(n.c.retry);
		assert_memory_equal(replied(), "-MISCONF The last snapshot", 26);
	}
	assert_int_equal(n.ac.admitted, 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unchanged_data_leave_no_record),
		T(change_in_database_0_goes_as_it_came),
		T(change_in_another_database_returns_to_0),
		T(replacement_goes_in_place_of_the_arguments),
		T(expiry_before_a_change_makes_one_run),
		T(expiry_in_several_databases_selects_each),
		T(expiry_alone_is_no_run),
		T(nothing_said_means_nothing_logged),
		T(replica_keeps_its_own_writes_to_itself),
		T(role_counts_as_it_was_when_the_command_was_let_in),
		T(applied_stream_is_not_logged_again),
		T(removal_outside_a_command_marks_its_partition),
		T(removal_is_admitted_for_any_name),
		T(effects_without_room_wait_or_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
