/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replies: their bytes in RESP2 and RESP3, errors and their counts, deferred replies, values by
 * reference.
 */
#include "app/reply.h"

#include "app/commands/command.h"
#include "app/keyspace/mem.h"
#include "app/server.h"
#include "dataplane/obuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A client without a connection, whose output can be read. */
struct fixture {
	struct server *srv;
	struct app_core *ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv = calloc(1, sizeof(*f->srv));
	f->ac = calloc(1, sizeof(*f->ac));
	assert_non_null(f->srv);
	assert_non_null(f->ac);
	rte_spinlock_init(&f->srv->err_lock);
	TAILQ_INIT(&f->ac->dirty);
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->out, &f->pool);
	f->c.srv = f->srv;
	f->c.ac = f->ac;
	f->c.out = &f->out;
	f->c.resp = 2;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_null(f->c.deferred);
	obuf_fini(&f->out);
	obuf_pool_fini(&f->pool);
	free(f->srv);
	free(f->ac);
	free(f);
	return 0;
}

/* Takes the output away and compares it. */
static void check_out(struct fixture *f, const char *want)
{
	char got[4096];
	size_t len = (size_t)obuf_len(&f->out);

	assert_true(len < sizeof(got));
	if (len)
		obuf_copy_at(&f->out, 0, got, (uint32_t)len);
	got[len] = '\0';
	obuf_consume(&f->out, len);
	assert_string_equal(got, want);
}

static void scalars_have_their_form_in_resp2(void **state)
{
	struct fixture *f = *state;
	struct client *c = &f->c;

	reply_ok(c);
	reply_status(c, "PONG");
	check_out(f, "+OK\r\n+PONG\r\n");
	reply_int(c, 0);
	reply_int(c, -7);
	reply_int(c, INT64_MAX);
	reply_int(c, INT64_MIN);
	check_out(f, ":0\r\n:-7\r\n:9223372036854775807\r\n:-9223372036854775808\r\n");
	reply_bulk(c, "a\r\nb", 4);
	reply_bulk(c, "", 0);
	reply_bulk_str(c, "xyz");
	reply_bulk_int(c, -12);
	check_out(f, "$4\r\na\r\nb\r\n$0\r\n\r\n$3\r\nxyz\r\n$3\r\n-12\r\n");
	reply_null(c);
	reply_null_array(c);
	check_out(f, "$-1\r\n*-1\r\n");
	reply_bool(c, true);
	reply_bool(c, false);
	check_out(f, ":1\r\n:0\r\n");
	reply_double(c, 3.5);
	reply_double(c, INFINITY);
	reply_double(c, -INFINITY);
	reply_double(c, 0.1);
	check_out(f, "$3\r\n3.5\r\n$3\r\ninf\r\n$4\r\n-inf\r\n$19\r\n0.10000000000000001\r\n");
	reply_verbatim(c, "text", 4, "txt");
	check_out(f, "$4\r\ntext\r\n");
}

static void scalars_have_their_form_in_resp3(void **state)
{
	struct fixture *f = *state;
	struct client *c = &f->c;

	c->resp = 3;
	reply_null(c);
	reply_null_array(c);
	check_out(f, "_\r\n_\r\n");
	reply_bool(c, true);
	reply_bool(c, false);
	check_out(f, "#t\r\n#f\r\n");
	reply_double(c, 3.5);
	reply_double(c, INFINITY);
	reply_double(c, -INFINITY);
	check_out(f, ",3.5\r\n,inf\r\n,-inf\r\n");
	reply_verbatim(c, "text", 4, "txt");
	check_out(f, "=8\r\ntxt:text\r\n");
}

static void aggregates_have_their_form(void **state)
{
	struct fixture *f = *state;
	struct client *c = &f->c;

	reply_array(c, 3);
	reply_map(c, 3);
	reply_set(c, 3);
	reply_push(c, 3);
	check_out(f, "*3\r\n*6\r\n*3\r\n*3\r\n");
	c->resp = 3;
	reply_array(c, 0);
	reply_map(c, 3);
	reply_set(c, 3);
	reply_push(c, 3);
	check_out(f, "*0\r\n%3\r\n~3\r\n>3\r\n");
}

/* The one-append form of short replies and the long form meet somewhere: all lengths around it. */
static void bulks_of_every_length_are_whole(void **state)
{
	struct fixture *f = *state;
	char data[600], want[700];

	memset(data, 'x', sizeof(data));
	for (size_t len = 0; len < sizeof(data); len++) {
		reply_bulk(&f->c, data, len);
		snprintf(want, sizeof(want), "$%zu\r\n%.*s\r\n", len, (int)len, data);
		check_out(f, want);
	}
}

static uint64_t error_count(const struct fixture *f, const char *code)
{
	for (unsigned i = 0; i < f->srv->nr_errors; i++)
		if (strcmp(f->srv->errors[i].code, code) == 0)
			return f->srv->errors[i].count;
	return 0;
}

static void errors_are_counted_by_code(void **state)
{
	struct fixture *f = *state;

	reply_err(&f->c, "ERR a");
	reply_err(&f->c, REPLY_WRONGTYPE);
	reply_errf(&f->c, "ERR b %d", 5);
	reply_errf(&f->c, "ERRX");
	check_out(f, "-ERR a\r\n-WRONGTYPE Operation against a key holding the wrong kind of value"
		     "\r\n-ERR b 5\r\n-ERRX\r\n");
	assert_int_equal(error_count(f, "ERR"), 2);
	assert_int_equal(error_count(f, "WRONGTYPE"), 1);
	assert_int_equal(error_count(f, "ERRX"), 1);
	assert_int_equal(f->ac->error_replies, 4);
}

static void error_codes_beyond_the_table_count_in_the_sum(void **state)
{
	struct fixture *f = *state;

	f->c.out = NULL;
	for (int i = 0; i < ERRSTATS_MAX + 10; i++)
		reply_errf(&f->c, "E%d x", i);
	reply_err(&f->c, "ACODETHATISMUCHLONGERTHANTHETABLEHASROOMFOR x");
	reply_err(&f->c, "E0 again");
	assert_int_equal(f->srv->nr_errors, ERRSTATS_MAX);
	assert_int_equal(f->ac->error_replies, ERRSTATS_MAX + 12);
	assert_int_equal(error_count(f, "E0"), 2);
}

static void line_breaks_cannot_split_an_error(void **state)
{
	struct fixture *f = *state;

	reply_err(&f->c, "ERR a\r\nb\nc\r");
	reply_errf(&f->c, "ERR '%s'", "x\r\n+OK\r\n");
	reply_err(&f->c, "ERR end\r\n\r\n");
	check_out(f, "-ERR a  b c\r\n-ERR 'x  +OK  '\r\n-ERR end\r\n");
}

static void a_long_error_is_whole(void **state)
{
	struct fixture *f = *state;
	char arg[1500], want[1600];

	memset(arg, 'y', sizeof(arg) - 1);
	arg[sizeof(arg) - 1] = '\0';
	reply_errf(&f->c, "ERR '%s'", arg);
	snprintf(want, sizeof(want), "-ERR '%s'\r\n", arg);
	check_out(f, want);
}

static void deferred_replies_follow_their_header(void **state)
{
	struct fixture *f = *state;
	struct client *c = &f->c;

	reply_defer_begin(c);
	reply_int(c, 1);
	assert_int_equal(obuf_len(&f->out), 0);
	reply_defer_begin(c);
	reply_bulk_str(c, "k");
	reply_defer_begin(c);
	reply_defer_end_set(c, 0);
	reply_defer_end_map(c, 1);
	reply_int(c, 2);
	reply_defer_end_array(c, 3);
	reply_ok(c);
	check_out(f, "*3\r\n:1\r\n*2\r\n$1\r\nk\r\n*0\r\n:2\r\n+OK\r\n");
	c->resp = 3;
	reply_defer_begin(c);
	reply_bulk_str(c, "k");
	reply_defer_begin(c);
	reply_defer_end_set(c, 0);
	reply_defer_end_map(c, 1);
	check_out(f, "%1\r\n$1\r\nk\r\n~0\r\n");
	reply_defer_begin(c);
	reply_bulk_str(c, "k");
	reply_defer_end_cursor(c, UINT64_MAX, 1);
	check_out(f, "*2\r\n$20\r\n18446744073709551615\r\n*1\r\n$1\r\nk\r\n");
}

static void a_dropped_deferred_reply_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	reply_defer_begin(&f->c);
	reply_bulk_str(&f->c, "gone");
	reply_defer_drop(&f->c);
	reply_ok(&f->c);
	check_out(f, "+OK\r\n");
}

static void a_long_deferred_reply_is_whole(void **state)
{
	struct fixture *f = *state;
	size_t want = strlen("*100000\r\n");

	reply_defer_begin(&f->c);
	for (int i = 0; i < 100000; i++)
		reply_int(&f->c, 7);
	reply_defer_end_array(&f->c, 100000);
	assert_int_equal(obuf_len(&f->out), want + 100000 * 4);
	obuf_consume(&f->out, obuf_len(&f->out));
}

static void silent_clients_get_nothing(void **state)
{
	static const uint32_t flags[] = {
		CLIENT_REPLY_OFF, CLIENT_REPLY_SKIP, CLIENT_CLOSED, CLIENT_ASAP};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		f->c.flags = flags[i];
		reply_defer_begin(&f->c);
		reply_ok(&f->c);
		reply_defer_end_array(&f->c, 1);
		reply_err(&f->c, "ERR x");
		check_out(f, "");
		assert_false(f->c.in_dirty);
	}
	f->c.flags = 0;
	f->c.out = NULL;
	reply_defer_begin(&f->c);
	reply_ok(&f->c);
	reply_defer_end_array(&f->c, 1);
	reply_defer_begin(&f->c);
	reply_defer_drop(&f->c);
	assert_null(f->c.deferred);
	assert_int_equal(f->ac->error_replies, 4);
}

static void a_client_joins_the_dirty_list_once(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;
	struct client *c;

	reply_ok(&f->c);
	reply_ok(&f->c);
	TAILQ_FOREACH(c, &f->ac->dirty, dirty_link)
		n++;
	assert_int_equal(n, 1);
	assert_true(f->c.in_dirty);
	check_out(f, "+OK\r\n+OK\r\n");
}

static void out_of_memory_closes_the_client(void **state)
{
	struct fixture *f = *state;
	char data[10000] = {0};

	f->pool.used_bytes_max = 4096;
	reply_bulk(&f->c, data, sizeof(data));
	assert_true(f->c.flags & CLIENT_ASAP);
	assert_true(f->c.in_dirty);
	size_t len = (size_t)obuf_len(&f->out);

	reply_ok(&f->c);
	assert_int_equal(obuf_len(&f->out), len);
	obuf_consume(&f->out, len);
}

/* --- values ----------------------------------------------------------------------------------- */

static struct entry *store(struct keyspace *ks, const char *name, const void *val, size_t len)
{
	struct ks_key k = ks_key(ks, name, strlen(name));
	struct entry *e;

	assert_true(ks_part_trylock(ks, k.part));
	e = ks_set_str(ks, 0, 0, &k, val, len, 0, 1000);
	assert_non_null(e);
	ks_part_unlock(ks, k.part);
	return e;
}

static void values_are_replied_as_text(void **state)
{
	struct fixture *f = *state;
	struct ks_config cfg = {.nr_parts = 4, .nr_dbs = 1};
	struct keyspace *ks = ks_create(&cfg);

	assert_non_null(ks);
	reply_entry(&f->c, store(ks, "a", "hello", 5));
	reply_entry(&f->c, store(ks, "b", "-42", 3));
	reply_entry(&f->c, store(ks, "c", "", 0));
	check_out(f, "$5\r\nhello\r\n$3\r\n-42\r\n$0\r\n\r\n");
	ks_destroy(&ks);
}

static void a_large_value_outlives_its_key_until_it_is_sent(void **state)
{
	struct fixture *f = *state;
	struct ks_config cfg = {.nr_parts = 4, .nr_dbs = 1};
	struct keyspace *ks = ks_create(&cfg);
	size_t len = 100000, head = strlen("$100000\r\n");
	char *data = malloc(len);
	char got[20];

	assert_non_null(ks);
	assert_non_null(data);
	memset(data, 'v', len);
	struct entry *e = store(ks, "big", data, len);
	uint64_t copied = f->pool.used_bytes;

	reply_entry(&f->c, e);
	reply_defer_begin(&f->c);
	reply_entry(&f->c, e);
	reply_defer_drop(&f->c);
	assert_true(f->pool.used_bytes - copied < len); /* not copied */
	ks_destroy(&ks);
	assert_int_equal(obuf_len(&f->out), head + len + 2);
	obuf_copy_at(&f->out, head + len - 4, got, 6);
	assert_memory_equal(got, "vvvv\r\n", 6);
	size_t used = mem_used();

	obuf_consume(&f->out, obuf_len(&f->out));
	assert_true(mem_used() + len <= used); /* the last reference */
	free(data);
}

/* --- shared texts ----------------------------------------------------------------------------- */

static void shared_texts_name_the_command(void **state)
{
	struct fixture *f = *state;
	static const struct command config = {.name = "config"};
	static const struct command get = {.name = "get", .parent = &config};
	static const char *const lines[] = {"GET <key>", "    Reads.", NULL};
	struct slice argv[2] = {slice_str("config"), slice_str("getx")};

	f->c.argv = argv;
	f->c.argc = 2;
	f->c.cmd = &config;
	reply_arity(&f->c);
	f->c.cmd = &get;
	reply_arity(&f->c);
	check_out(f, "-ERR wrong number of arguments for 'config' command\r\n"
		     "-ERR wrong number of arguments for 'config|get' command\r\n");
	reply_subcommand_syntax(&f->c);
	check_out(f, "-ERR unknown subcommand or wrong number of arguments for 'getx'. "
		     "Try CONFIG HELP.\r\n");
	reply_help(&f->c, lines);
	check_out(f, "*5\r\n+CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"
		     "+GET <key>\r\n+    Reads.\r\n+HELP\r\n+    Prints this help.\r\n");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(scalars_have_their_form_in_resp2),
		TEST(scalars_have_their_form_in_resp3),
		TEST(aggregates_have_their_form),
		TEST(bulks_of_every_length_are_whole),
		TEST(errors_are_counted_by_code),
		TEST(error_codes_beyond_the_table_count_in_the_sum),
		TEST(line_breaks_cannot_split_an_error),
		TEST(a_long_error_is_whole),
		TEST(deferred_replies_follow_their_header),
		TEST(a_dropped_deferred_reply_leaves_nothing),
		TEST(a_long_deferred_reply_is_whole),
		TEST(silent_clients_get_nothing),
		TEST(a_client_joins_the_dirty_list_once),
		TEST(out_of_memory_closes_the_client),
		TEST(values_are_replied_as_text),
		TEST(a_large_value_outlives_its_key_until_it_is_sent),
		TEST(shared_texts_name_the_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
