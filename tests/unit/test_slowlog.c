/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests of the slow log.
 */
#include "app/slowlog.h"

#include "app/client.h"
#include "app/commands/command.h"
#include "app/server.h"
#include "dataplane/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Nobody has a connection. */
void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	fail();
}

struct fixture {
	struct server srv;
	struct config cfg;
	struct client c;
	struct client_cold cold;
	char ends[32];
	struct command cmd;
	struct slice argv[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv.cfg = &f->cfg;
	f->srv.slowlog = slowlog_create();
	assert_non_null(f->srv.slowlog);
	atomic_init(&f->cfg.slowlog_max_len, 4);
	f->c.cmd = &f->cmd;
	f->c.argv = f->argv;
	f->c.now_ms = 1700000000123;
	strcpy(f->ends, "10.0.0.1:5000");
	f->cold.ends = f->ends;
	f->c.cold = &f->cold;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	slowlog_destroy(&f->srv.slowlog);
	assert_null(f->srv.slowlog);
	slowlog_destroy(&f->srv.slowlog);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *word, uint64_t us)
{
	f->argv[0] = (struct slice){word, strlen(word)};
	f->c.argc = f->c.argc ? f->c.argc : 1;
	slowlog_add(&f->srv, &f->c, us);
}

static void assert_arg(const struct slowlog_entry *e, uint32_t i, const char *text)
{
	assert_in_range(i, 0, e->nr_args - 1);
	assert_int_equal(e->args[i].len, strlen(text));
	assert_memory_equal(e->text + e->args[i].off, text, strlen(text));
}

static void entry_tells_who_what_and_when(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;
	char name[] = "joe";

	f->cold.name = name;
	f->c.argc = 2;
	f->argv[1] = (struct slice){"k", 1};
	add(f, "get", 77);

	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_int_equal(list[0]->id, 0);
	assert_int_equal(list[0]->time_s, 1700000000);
	assert_int_equal(list[0]->duration_us, 77);
	assert_int_equal(list[0]->nr_args, 2);
	assert_arg(list[0], 0, "get");
	assert_arg(list[0], 1, "k");
	assert_string_equal(list[0]->peer, "10.0.0.1:5000");
	assert_string_equal(list[0]->name, "joe");
	slowlog_put(list, 1);
}

static void newest_come_first_and_oldest_fall_out(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	for (uint64_t i = 0; i < 6; i++)
		add(f, "x", i);

	assert_int_equal(slowlog_len(f->srv.slowlog), 4);
	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(list[i]->id, 5 - i);
	slowlog_put(list, 4);
	assert_int_equal(slowlog_get(f->srv.slowlog, 2, &list), 2);
	assert_int_equal(list[1]->id, 4);
	slowlog_put(list, 2);
	assert_int_equal(slowlog_get(f->srv.slowlog, 0, &list), 0);
	slowlog_put(list, 0);
}

static void shorter_limit_cuts_with_the_next_entry(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 4; i++)
		add(f, "x", i);
	atomic_store(&f->cfg.slowlog_max_len, 1);
	add(f, "y", 9);
	assert_int_equal(slowlog_len(f->srv.slowlog), 1);
	atomic_store(&f->cfg.slowlog_max_len, 0);
	add(f, "y", 9);
	assert_int_equal(slowlog_len(f->srv.slowlog), 0);
}

static void reset_empties_and_ids_go_on(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	add(f, "x", 1);
	add(f, "x", 1);
	slowlog_reset(f->srv.slowlog);
	assert_int_equal(slowlog_len(f->srv.slowlog), 0);
	add(f, "x", 1);
	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_int_equal(list[0]->id, 2);
	slowlog_put(list, 1);
}

static void entry_outlives_its_removal_while_read(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	add(f, "first", 1);
	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	slowlog_reset(f->srv.slowlog);
	assert_arg(list[0], 0, "first");
	slowlog_put(list, 1);
}

static void exempt_commands_are_not_recorded(void **state)
{
	struct fixture *f = *state;

	f->cmd.flags = CMD_SKIP_SLOWLOG;
	add(f, "x", 1000);
	assert_int_equal(slowlog_len(f->srv.slowlog), 0);
}

static void arguments_beyond_the_limit_are_counted(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	for (int i = 1; i < 41; i++)
		f->argv[i] = (struct slice){"k", 1};
	f->c.argc = 41;
	add(f, "mget", 1);

	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_int_equal(list[0]->nr_args, 32);
	assert_arg(list[0], 30, "k");
	assert_arg(list[0], 31, "... (10 more arguments)");
	slowlog_put(list, 1);
}

static void exactly_32_arguments_are_all_kept(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	for (int i = 1; i < 32; i++)
		f->argv[i] = (struct slice){"k", 1};
	f->c.argc = 32;
	add(f, "mget", 1);

	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_int_equal(list[0]->nr_args, 32);
	assert_arg(list[0], 31, "k");
	slowlog_put(list, 1);
}

static void long_arguments_are_cut(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;
	char value[200], expect[200];

	memset(value, 'x', sizeof(value));
	snprintf(expect, sizeof(expect), "%.128s... (72 more bytes)", value);
	f->c.argc = 3;
	f->argv[1] = (struct slice){value, 128};
	f->argv[2] = (struct slice){value, 200};
	add(f, "set", 1);

	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_int_equal(list[0]->args[1].len, 128);
	assert_arg(list[0], 2, expect);
	slowlog_put(list, 1);
}

static void secrets_are_redacted(void **state)
{
	struct fixture *f = *state;
	struct slowlog_entry **list;

	f->c.argc = 2;
	f->argv[1] = (struct slice){"hunter2", 7};
	add(f, "auth", 1);

	assert_int_equal(slowlog_get(f->srv.slowlog, SIZE_MAX, &list), 1);
	assert_arg(list[0], 1, "(redacted)");
	slowlog_put(list, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entry_tells_who_what_and_when),
		TEST(newest_come_first_and_oldest_fall_out),
		TEST(shorter_limit_cuts_with_the_next_entry),
		TEST(reset_empties_and_ids_go_on),
		TEST(entry_outlives_its_removal_while_read),
		TEST(exempt_commands_are_not_recorded),
		TEST(arguments_beyond_the_limit_are_counted),
		TEST(exactly_32_arguments_are_all_kept),
		TEST(long_arguments_are_cut),
		TEST(secrets_are_redacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
