/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From received bytes to commands: what waits in the batch, in which order it runs, and what
 * becomes of it when its client has to stop.
 *
 * The dispatcher is the test's: it notes what it is asked to run, and refuses when told to. Each
 * piece of input is overwritten as soon as its bytes need not stay any more.
 */
#include "app/batch.h"

#include "app/client_limits.h"
#include "app/client_priv.h"
#include "app/commands/dispatch.h"
#include "app/control.h"
#include "app/server.h"
#include "dataplane/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_CLIENTS 2

static struct fixture {
	struct server srv;
	struct config cfg;
	struct app_core ac;
	struct client c[NR_CLIENTS];
	struct conn conn[NR_CLIENTS];
	char ran[4096];   /* "0:GET a 1:SET b c ..." */
	const char *busy; /* the key whose commands are put off */
	unsigned nr_aborted;
	bool is_strict;    /* the node's state asks for every check */
	unsigned nr_plain; /* commands that were spared the checks */
	unsigned nr_group_ends;
	char *pieces[64]; /* received, and kept until the end of the burst */
	size_t sizes[64];
	unsigned nr_pieces;
} f;

/* --- what the node offers --------------------------------------------------------------------- */

static struct command commands[] = {
	{.name = "get",
		.arity = 2,
		.flags = CMD_READONLY,
		.first_key = 1,
		.last_key = 1,
		.key_step = 1},
	{.name = "set",
		.arity = -3,
		.flags = CMD_WRITE,
		.first_key = 1,
		.last_key = 1,
		.key_step = 1},
	{.name = "ping", .arity = -1},
};

const struct command *command_lookup(const struct server *srv, const struct slice *argv,
	uint32_t argc, const struct command **container)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].name) == argv[0].len &&
			strncasecmp(commands[i].name, argv[0].ptr, argv[0].len) == 0)
			return &commands[i];
	return NULL;
}

enum run_result command_run(struct client *c, const struct command *cmd)
{
	size_t at = strlen(f.ran);

	if (f.busy && c->argc > 1 && c->argv[1].len == strlen(f.busy) &&
		memcmp(c->argv[1].ptr, f.busy, c->argv[1].len) == 0)
		return RUN_RETRY;
	at += (size_t)snprintf(f.ran + at, sizeof(f.ran) - at, "%d:", (int)(c - f.c));
	for (uint32_t i = 0; i < c->argc; i++)
		at += (size_t)snprintf(f.ran + at, sizeof(f.ran) - at, "%.*s ", (int)c->argv[i].len,
			c->argv[i].ptr);
	assert_true(f.ac.group.is_open == (f.ac.batch.nr > 0));
	if (cmd && cmd->first_key)
		assert_ptr_equal(c->ac->key_hint.ptr, c->argv[cmd->first_key].ptr);
	return RUN_DONE;
}

bool command_reads_begin(struct app_core *ac)
{
	return !f.is_strict;
}

enum run_result command_run_read(struct client *c, const struct command *cmd, uint32_t part)
{
	assert_true(!f.is_strict && command_is_plain_read(c, cmd));
	assert_int_equal(part, c->ac->key_hint.part);
	f.nr_plain++;
	return command_run(c, cmd);
}

void group_open(struct app_core *ac)
{
	ac->group.is_open = true;
}

void group_end(struct app_core *ac)
{
	f.nr_group_ends++;
}

void group_close(struct app_core *ac)
{
	ac->group.is_open = false;
	f.nr_group_ends++;
}

void client_abort(struct client *c)
{
	f.nr_aborted++;
}

void client_close(struct client *c)
{
	c->flags |= CLIENT_CLOSE_AFTER;
}

void client_block_add(struct client *c, enum client_block why, int64_t until_ms)
{
	c->flags |= CLIENT_BLOCKED;
}

void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	snprintf(peer, size, "peer");
	snprintf(local, size, "local");
}

void client_output_check(struct client *c)
{
}

void conn_rx_pause(struct conn *conn)
{
}

void conn_rx_resume(struct conn *conn)
{
}

void server_log(struct server *srv, int level, const char *fmt, ...)
{
}

void replica_ack(struct replica *r, uint64_t off, int64_t now_ms)
{
}

/* --- fixture ---------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	struct ks_config ks_cfg = {.nr_parts = 16, .nr_dbs = 1};

	memset(&f, 0, sizeof(f));
	f.srv.cfg = &f.cfg;
	f.srv.ks = ks_create(&ks_cfg);
	assert_non_null(f.srv.ks);
	atomic_store(&f.cfg.proto_max_bulk_len, 512 << 20);
	atomic_store(&f.cfg.client_query_buffer_limit, 1 << 30);
	f.ac.srv = &f.srv;
	resp_parser_init(&f.ac.parser);
	TAILQ_INIT(&f.ac.retry);
	TAILQ_INIT(&f.ac.dirty);
	for (int i = 0; i < NR_CLIENTS; i++) {
		struct client *c = &f.c[i];

		c->srv = &f.srv;
		c->ac = &f.ac;
		c->conn = &f.conn[i];
		c->resp = 2;
		c->flags = CLIENT_AUTHENTICATED;
		f.conn[i].kind = CONN_TCP;
		f.conn[i].user = c;
	}
	return 0;
}

/* The end of a burst: received bytes go. */
static void burst_end(void)
{
	batch_run(&f.ac);
	for (unsigned i = 0; i < f.nr_pieces; i++) {
		memset(f.pieces[i], '#', f.sizes[i]);
		free(f.pieces[i]);
	}
	f.nr_pieces = 0;
}

static int tear_down(void **state)
{
	burst_end();
	for (int i = 0; i < NR_CLIENTS; i++) {
		client_partial_drop(&f.c[i]);
		free(f.c[i].in.buf);
	}
	resp_parser_fini(&f.ac.parser);
	ks_destroy(&f.srv.ks);
	return 0;
}

/* Bytes come in, in memory of exactly their number. */
static void receive(int i, const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	f.pieces[f.nr_pieces] = copy;
	f.sizes[f.nr_pieces++] = len;
	client_on_data(&f.conn[i], copy, len);
}

static void receive_str(int i, const char *text)
{
	receive(i, text, strlen(text));
}

/* What was set aside is tried again, as in the next loop. */
static void retry_all(void)
{
	struct client *c;

	while ((c = TAILQ_FIRST(&f.ac.retry))) {
		TAILQ_REMOVE(&f.ac.retry, c, retry_link);
		c->in_retry = false;
		c->flags &= ~CLIENT_RETRY;
		client_process(c);
	}
}

#define GET_A "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
#define GET_B "*2\r\n$3\r\nget\r\n$1\r\nb\r\n"
#define SET_C "*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$2\r\nxy\r\n"
#define PING  "*1\r\n$4\r\nPING\r\n"

/* --- tests ------------------------------------------------------------------------------------ */

static void commands_with_keys_wait_for_the_end_of_the_burst(void **state)
{
	receive_str(0, GET_A GET_B);
	receive_str(1, SET_C);
	assert_string_equal(f.ran, "");
	burst_end();
	assert_string_equal(f.ran, "0:GET a 0:get b 1:SET c xy ");
}

static void a_command_without_a_key_runs_after_what_came_before_it(void **state)
{
	receive_str(1, GET_B);
	receive_str(0, GET_A PING SET_C);
	assert_string_equal(f.ran, "1:get b 0:GET a 0:PING ");
	burst_end();
	assert_string_equal(f.ran, "1:get b 0:GET a 0:PING 0:SET c xy ");
}

static void wrong_requests_do_not_wait(void **state)
{
	receive_str(0, GET_A "*1\r\n$3\r\nGET\r\n");
	assert_string_equal(f.ran, "0:GET a 0:GET ");
	receive_str(0, "*2\r\n$7\r\nUNKNOWN\r\n$1\r\na\r\n");
	assert_string_equal(f.ran, "0:GET a 0:GET 0:UNKNOWN a ");
}

/* Their arguments lie in the parser. */
static void inline_requests_do_not_wait(void **state)
{
	receive_str(0, "GET a\r\nGET b\r\nSET c d\r\n");
	assert_string_equal(f.ran, "0:GET a 0:GET b 0:SET c d ");
}

static void names_are_told_apart(void **state)
{
	receive_str(0, GET_A SET_C);
	burst_end();
	f.ran[0] = 0;
	receive(0, "*2\r\n$4\r\nGET\0\r\n$1\r\na\r\n", 21);
	assert_int_equal(f.ac.batch.nr, 0); /* not GET: it ran at once, as unknown */
	receive_str(0, "*2\r\n$3\r\nget\r\n$1\r\na\r\n*2\r\n$3\r\nGeT\r\n$1\r\na\r\n");
	assert_int_equal(f.ac.batch.nr, 2);
}

static void a_full_batch_runs(void **state)
{
	for (int i = 0; i < 8; i++)
		receive_str(0, GET_A GET_A GET_A GET_A GET_A GET_A GET_A GET_A);
	assert_int_equal(f.ac.batch.nr, BATCH_MAX);
	assert_string_equal(f.ran, "");
	receive_str(1, GET_B);
	assert_int_equal(f.ac.batch.nr, 1);
	assert_int_equal(strlen(f.ran), BATCH_MAX * strlen("0:GET a "));
}

static void a_client_that_stops_keeps_its_order(void **state)
{
	f.busy = "b";
	receive_str(0, GET_A GET_B SET_C);
	receive_str(1, GET_A);
	receive_str(0, PING);
	receive_str(0, GET_A "*2\r\n$3\r\nGET\r\n$1"); /* and a part of one more */
	burst_end();
	assert_string_equal(f.ran, "0:GET a 1:GET a ");
	receive_str(0, "\r\nz\r\n");
	burst_end();
	assert_string_equal(f.ran, "0:GET a 1:GET a ");
	f.busy = NULL;
	retry_all();
	burst_end();
	assert_string_equal(f.ran, "0:GET a 1:GET a 0:get b 0:SET c xy 0:PING 0:GET a 0:GET z ");
	assert_int_equal(f.nr_aborted, 0);
}

static void a_request_cut_anywhere_runs_once(void **state)
{
	static const char stream[] = GET_A SET_C PING GET_B;

	for (size_t cut = 0; cut < sizeof(stream); cut++) {
		f.ran[0] = 0;
		receive(0, stream, cut);
		if (cut % 2)
			burst_end();
		receive(0, stream + cut, sizeof(stream) - 1 - cut);
		burst_end();
		assert_string_equal(f.ran, "0:GET a 0:SET c xy 0:PING 0:get b ");
	}
}

/* Every cut of the stream, with the client stopped in between. */
static void a_request_cut_anywhere_survives_a_stop(void **state)
{
	static const char stream[] = GET_A GET_B SET_C GET_A;

	for (size_t cut = 0; cut < sizeof(stream); cut++) {
		f.ran[0] = 0;
		f.busy = cut % 3 ? "b" : "a";
		receive(0, stream, cut);
		if (cut % 2)
			burst_end();
		receive(0, stream + cut, sizeof(stream) - 1 - cut);
		burst_end();
		f.busy = NULL;
		retry_all();
		burst_end();
		assert_string_equal(f.ran, "0:GET a 0:get b 0:SET c xy 0:GET a ");
	}
}

static void a_protocol_error_comes_after_what_preceded_it(void **state)
{
	receive_str(0, GET_A "*1\r\n$x\r\n");
	assert_string_equal(f.ran, "0:GET a ");
	assert_true(f.c[0].flags & CLIENT_CLOSE_AFTER);
	assert_int_equal(f.ac.protocol_errors, 1);
}

static void a_sockets_bytes_are_used_at_once(void **state)
{
	f.conn[0].kind = CONN_SOCK;
	receive_str(0, GET_A GET_B);
	assert_string_equal(f.ran, "0:GET a 0:get b ");
	assert_int_equal(f.ac.batch.nr, 0);
}

static void only_plain_reads_are_spared_the_checks(void **state)
{
	receive_str(0, GET_A SET_C GET_B);
	f.c[1].flags |= CLIENT_REPLY_SKIP_NEXT;
	receive_str(1, GET_A GET_B);
	burst_end();
	assert_string_equal(f.ran, "0:GET a 0:SET c xy 0:get b 1:GET a 1:get b ");
	assert_int_equal(f.nr_plain, 3); /* not SET, and not the GET whose reply is skipped */
	f.is_strict = true;
	receive_str(0, GET_A);
	f.c[1].flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
	receive_str(1, GET_A);
	burst_end();
	assert_int_equal(f.nr_plain, 3);
}

static void what_the_batch_gathers_ends_with_it(void **state)
{
	receive_str(0, GET_A SET_C);
	burst_end();
	assert_int_equal(f.nr_group_ends, 1);
	assert_false(f.ac.group.is_open);
	f.busy = "b";
	receive_str(0, SET_C GET_B GET_A);
	burst_end();
	assert_int_equal(f.nr_group_ends, 3); /* and before a client's input is given back */
	f.busy = NULL;
	retry_all();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(commands_with_keys_wait_for_the_end_of_the_burst),
		TEST(a_command_without_a_key_runs_after_what_came_before_it),
		TEST(wrong_requests_do_not_wait),
		TEST(inline_requests_do_not_wait),
		TEST(names_are_told_apart),
		TEST(a_full_batch_runs),
		TEST(a_client_that_stops_keeps_its_order),
		TEST(a_request_cut_anywhere_runs_once),
		TEST(a_request_cut_anywhere_survives_a_stop),
		TEST(a_protocol_error_comes_after_what_preceded_it),
		TEST(a_sockets_bytes_are_used_at_once),
		TEST(only_plain_reads_are_spared_the_checks),
		TEST(what_the_batch_gathers_ends_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
