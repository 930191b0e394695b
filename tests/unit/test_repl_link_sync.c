/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a link takes in: the answer to PSYNC, the RDB in both forms, the stream, however the input
 * is cut.
 *
 * An argument is the seed of the random test.
 */
#include "repl/link.h"

#include "tests/support/link_owner.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef01234567"
#define NEW   "fedcba9876543210FEDCBA987654321001234567"
#define MARK  "aabaabaabaabaabaabaabaabaabaabaabaabaabb"
#define FULL  "+FULLRESYNC " ID " 100\r\n"
#define ACK   "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n"
#define BYTES 200000

static struct owner o;
static unsigned first_seed = 1;

static int setup(void **state)
{
	owner_init(&o);
	return 0;
}

static int teardown(void **state)
{
	owner_fini(&o);
	return 0;
}

/* A new link whose PSYNC has been sent; with a history to continue from. */
static void fresh(void)
{
	owner_fini(&o);
	owner_init(&o);
	strcpy(o.id, ID);
	o.offset = 101;
	owner_to_psync(&o);
}

static void assert_state(const char *name)
{
	assert_string_equal(link_state_name(link_state(o.link)), name);
}

static void assert_rdb(const char *bytes, size_t len)
{
	assert_int_equal(o.rdb_len, len);
	assert_memory_equal(o.rdb, bytes, len);
}

static void assert_stream(const char *bytes)
{
	assert_int_equal(o.stream_len, strlen(bytes));
	assert_memory_equal(o.stream, bytes, o.stream_len);
}

/* --- the answer to PSYNC --- */

static void continue_tells_the_masters_id(void **state)
{
	fresh();
	owner_hear(&o, "+CONTINUE " NEW "\r\n*1\r\n$4\r\nping\r\n");
	assert_string_equal(o.trace, "resumed " NEW "\nup\n");
	assert_stream("*1\r\n$4\r\nping\r\n");
}

static void continue_may_come_without_an_id(void **state)
{
	fresh();
	owner_hear(&o, "+CONTINUE\r\nabc");
	assert_string_equal(o.trace, "resumed \nup\n");
	assert_stream("abc");
}

static void newlines_while_waiting_are_no_stream(void **state)
{
	fresh();
	owner_hear(&o, "\n\n\r\n\n+CONTINUE " ID "\r\n\nx");
	assert_stream("\nx");
}

static void who_asked_for_a_full_sync_is_not_continued(void **state)
{
	owner_to_psync(&o); /* PSYNC ? -1 */
	owner_hear(&o, "+CONTINUE " ID "\r\nabc");
	assert_state("connect");
	assert_string_equal(o.trace, "");
}

static void strange_answers_end_the_attempt(void **state)
{
	static const char *const answers[] = {
		"+CONTINUE 0123\r\n",
		"+CONTINUE " ID "0\r\n",
		"+CONTINUED\r\n",
		"+CONTINUE zzzz456789abcdef0123456789abcdef01234567\r\n",
		"+FULLRESYNC\r\n",
		"+FULLRESYNC " ID "\r\n",
		"+FULLRESYNC " ID " \r\n",
		"+FULLRESYNC " ID " -1\r\n",
		"+FULLRESYNC " ID " 12x\r\n",
		"+FULLRESYNC " ID " 99999999999999999999\r\n",
		"+FULLRESYNC 0123 100\r\n",
		"+FULLRESYNC " ID "0 100\r\n",
		"-ERR unknown command\r\n",
		"-NOAUTH Authentication required.\r\n",
		"+OK\r\n",
		"$5\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		fresh();
		owner_hear(&o, answers[i]);
		if (link_state(o.link) != LINK_CONNECT || o.trace[0] ||
			!strstr(o.log, "3 link down"))
			fail_msg("%s: %s%s", answers[i], o.trace, o.log);
	}
}

static void a_master_that_cannot_serve_yet_is_asked_again(void **state)
{
	static const char *const answers[] = {
		"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
		"-LOADING Redis is loading the dataset in memory\r\n",
	};

	for (unsigned i = 0; i < 2; i++) {
		fresh();
		owner_hear(&o, answers[i]);
		assert_state("connect");
		assert_non_null(strstr(o.log, "2 link down"));
		owner_wait(&o, 1000);
		assert_int_equal(o.net.nr_connects, 2);
	}
}

static void an_owner_that_cannot_resume_ends_the_attempt(void **state)
{
	fresh();
	o.rc[OWNER_RESUMED] = -1;
	owner_hear(&o, "+CONTINUE " ID "\r\nabc");
	assert_state("connect");
	assert_string_equal(o.trace, "resumed " ID "\n");
}

/* --- the RDB, counted --- */

/* Hears text in two pieces, cut at a place; then the owner is done. Returns what was said to the
 * master since PSYNC. */
static const char *sync_cut_at(const char *text, size_t len, size_t cut)
{
	fresh();
	owner_hear_bytes(&o, text, cut);
	owner_hear_bytes(&o, text + cut, len - cut);
	assert_int_equal(link_state(o.link), LINK_FINISHING);
	assert_true(o.net.last->rx_paused);
	assert_int_equal(o.stream_len, 0);
	owner_finished(&o, true);
	assert_state("connected");
	assert_false(o.net.last->rx_paused);
	return owner_said(&o);
}

static void a_counted_rdb_is_taken_however_it_is_cut(void **state)
{
	static const char text[] = FULL "\n\n$11\r\nRDB\0\n\rbytes*1\r\nstream";
	size_t len = sizeof(text) - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		assert_string_equal(sync_cut_at(text, len, cut), "");
		assert_rdb("RDB\0\n\rbytes", 11);
		assert_stream("*1\r\nstream");
		assert_string_equal(o.trace, "begin " ID " 100 11\nend\nup\n");
	}
}

static void a_counted_rdb_is_taken_byte_by_byte(void **state)
{
	static const char text[] = FULL "$5\r\nbytes";
	uint64_t done;
	int64_t total;

	fresh();
	for (size_t i = 0; i < sizeof(text) - 3; i++)
		owner_hear_bytes(&o, text + i, 1);
	assert_state("sync");
	link_transfer(o.link, &done, &total);
	assert_int_equal(done, 3);
	assert_int_equal(total, 5);
	owner_hear(&o, "e");
	owner_hear(&o, "s");
	assert_int_equal(link_state(o.link), LINK_FINISHING);
	assert_rdb("bytes", 5);
}

static void an_empty_rdb_is_complete_at_once(void **state)
{
	fresh();
	owner_hear(&o, FULL "$0\r\n");
	assert_string_equal(o.trace, "begin " ID " 100 0\nend\n");
	owner_hear(&o, "x");
	owner_finished(&o, true);
	assert_stream("x");
}

static void strange_headers_end_the_attempt(void **state)
{
	static const char *const headers[] = {
		"-ERR no space left\r\n",
		"$\r\n",
		"$-1\r\n",
		"$ 5\r\n",
		"$5x\r\n",
		"$99999999999999999999\r\n",
		"$EOF:short\r\n",
		"$EOF:" MARK "a\r\n",
		"*3\r\n",
		"5\r\n",
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		fresh();
		owner_hear(&o, FULL);
		owner_hear(&o, headers[i]);
		if (link_state(o.link) != LINK_CONNECT || o.trace[0])
			fail_msg("%s: %s", headers[i], o.trace);
	}
}

/* --- the RDB, marked --- */

static void a_marked_rdb_is_taken_however_it_is_cut(void **state)
{
	/* the mark begins in vain, more than once, in the bytes and in itself */
	static const char text[] = FULL "$EOF:" MARK "\r\nRDB\0aabaabaabaabaab\naabaab" MARK;
	static const char rdb[] = "RDB\0aabaabaabaabaab\naabaab";
	size_t len = sizeof(text) - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		assert_string_equal(sync_cut_at(text, len, cut), ACK);
		assert_rdb(rdb, sizeof(rdb) - 1);
		assert_string_equal(o.trace, "begin " ID " 100 -1\nend\nup\n");
		owner_hear(&o, "stream");
		assert_stream("stream");
	}
}

static void bytes_glued_to_the_mark_are_stream(void **state)
{
	static const char text[] = FULL "$EOF:" MARK "\r\nRDB" MARK "*1\r\n";

	for (size_t cut = 0; cut <= sizeof(text) - 1; cut++) {
		sync_cut_at(text, sizeof(text) - 1, cut);
		assert_rdb("RDB", 3);
		assert_stream("*1\r\n");
	}
}

static void a_mark_with_no_rdb_before_it_ends_an_empty_one(void **state)
{
	assert_string_equal(sync_cut_at(FULL "$EOF:" MARK "\r\n" MARK,
				    strlen(FULL "$EOF:" MARK "\r\n" MARK), 90),
		ACK);
	assert_int_equal(o.rdb_len, 0);
}

/* Bytes in which a mark of two letters begins everywhere, in pieces of all sizes; against what
 * was sent. */
static void a_marked_rdb_survives_random_pieces(void **state)
{
	unsigned seed = first_seed;
	char *text = malloc(BYTES + 40);

	print_message("seed %u\n", seed);
	for (unsigned round = 0; round < 40; round++) {
		unsigned most = round % 4 == 0 ? 5000 : 90;
		size_t len = (size_t)rand_r(&seed) % (round < 20 ? 300 : BYTES), pos = 0;

		for (size_t i = 0; i < len; i++)
			text[i] = MARK[(i + (rand_r(&seed) % 30 == 0)) % 40];
		memcpy(text + len, MARK, 40);
		len = (size_t)((char *)memmem(text, len + 40, MARK, 40) - text); /* where it ends */
		fresh();
		owner_hear(&o, FULL "$EOF:" MARK "\r\n");
		while (pos < len + 40) {
			size_t n = 1 + (size_t)rand_r(&seed) % most;

			n = n < len + 40 - pos ? n : len + 40 - pos;
			owner_hear_bytes(&o, text + pos, n);
			pos += n;
		}
		assert_int_equal(link_state(o.link), LINK_FINISHING);
		assert_rdb(text, len);
	}
	free(text);
}

/* --- refusals and losses --- */

static void an_owner_may_refuse_to_begin(void **state)
{
	fresh();
	o.rc[OWNER_BEGIN] = -1;
	owner_hear(&o, FULL "$5\r\nbytes");
	assert_state("connect");
	assert_string_equal(o.trace, "begin " ID " 100 5\n");
}

static void an_owner_may_refuse_bytes(void **state)
{
	fresh();
	o.rc[OWNER_DATA] = -1;
	owner_hear(&o, FULL "$5\r\nbytes");
	assert_state("connect");
	assert_string_equal(o.trace, "begin " ID " 100 5\nabort\n");
}

static void an_owner_may_refuse_the_whole(void **state)
{
	fresh();
	owner_hear(&o, FULL "$5\r\nbytesstream");
	owner_finished(&o, false);
	assert_state("connect");
	assert_string_equal(o.trace, "begin " ID " 100 5\nend\nabort\n");
	assert_int_equal(o.stream_len, 0);
	owner_wait(&o, 1000);
	assert_int_equal(o.net.nr_connects, 2);
}

static void a_loss_during_the_transfer_is_told(void **state)
{
	fresh();
	owner_hear(&o, FULL "$5\r\nbyt");
	owner_cut(&o);
	assert_string_equal(o.trace, "begin " ID " 100 5\nabort\n");
}

static void a_loss_while_finishing_is_told_and_the_answer_ignored(void **state)
{
	fresh();
	owner_hear(&o, FULL "$5\r\nbytes");
	owner_cut(&o);
	assert_string_equal(o.trace, "begin " ID " 100 5\nend\nabort\n");
	owner_finished(&o, true);
	assert_state("connect");
	assert_false(o.up);
}

static void act_finish(struct owner *owner)
{
	owner_finished(owner, true);
}

static void the_owner_may_be_done_at_once(void **state)
{
	fresh();
	o.act_in = OWNER_END;
	o.act = act_finish;
	owner_hear(&o, FULL "$5\r\nbytesstream");
	assert_string_equal(o.trace, "begin " ID " 100 5\nend\nup\n");
	assert_stream("stream");
	owner_hear(&o, " more");
	assert_stream("stream more");
}

static void an_ack_that_ends_the_connection_is_survived(void **state)
{
	fresh();
	owner_hear(&o, FULL "$EOF:" MARK "\r\nRDB" MARK);
	o.net.push_breaks = true;
	owner_finished(&o, true);
	assert_string_equal(o.trace, "begin " ID " 100 -1\nend\nup\ndown\n");
}

static void a_second_full_sync_starts_clean(void **state)
{
	fresh();
	owner_hear(&o, FULL "$EOF:" MARK "\r\nRDBaabaabaab");
	owner_cut(&o);
	owner_wait(&o, 1000);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n+OK\r\n+OK\r\n" FULL "$EOF:" MARK "\r\nnew" MARK);
	assert_rdb("new", 3);
	owner_finished(&o, true);
	assert_true(o.up);
}

/* --- keepalive and timeouts --- */

static void the_master_gets_newlines_during_a_full_sync(void **state)
{
	fresh();
	owner_hear(&o, FULL);
	owner_wait(&o, 3000);
	assert_string_equal(owner_said(&o), ""); /* the RDB has not begun */
	owner_hear(&o, "$5\r\n");
	owner_wait(&o, 2000);
	assert_string_equal(owner_said(&o), "\n\n");
	owner_hear(&o, "bytes");
	owner_wait(&o, 3000);
	assert_string_equal(owner_said(&o), "\n\n\n");
	owner_finished(&o, true);
	owner_wait(&o, 3000);
	assert_string_equal(owner_said(&o), "");
}

static void a_transfer_times_out_but_not_its_finishing(void **state)
{
	fresh();
	owner_hear(&o, FULL "$5\r\nbyt");
	owner_wait(&o, 59900);
	owner_hear(&o, "e");
	owner_wait(&o, 59900);
	assert_state("sync");
	owner_hear(&o, "s");
	owner_wait(&o, 200000);
	assert_int_equal(link_state(o.link), LINK_FINISHING);
	owner_finished(&o, true);
	owner_wait(&o, 59900);
	assert_true(o.up);
	owner_wait(&o, 100);
	assert_false(o.up);
}

static void keepalives_hold_the_wait_for_the_rdb(void **state)
{
	fresh();
	owner_hear(&o, FULL);
	for (unsigned i = 0; i < 5; i++) {
		owner_wait(&o, 50000);
		owner_hear(&o, "\n");
	}
	assert_state("sync");
	owner_wait(&o, 60000);
	assert_state("connect");
}

/* --- pause --- */

static void act_pause(struct owner *owner)
{
	link_pause(owner->link);
}

static void a_paused_stream_goes_on_where_it_was(void **state)
{
	fresh();
	owner_hear(&o, "+CONTINUE " ID "\r\n");
	o.act_in = OWNER_STREAM;
	o.act = act_pause;
	owner_hear(&o, "one ");
	owner_hear(&o, "two ");
	owner_hear(&o, "three");
	assert_stream("one ");
	link_resume(o.link);
	assert_stream("one two three");
	link_resume(o.link);
}

static void a_pause_while_resuming_keeps_what_came_along(void **state)
{
	fresh();
	o.act_in = OWNER_RESUMED;
	o.act = act_pause;
	owner_hear(&o, "+CONTINUE " ID "\r\none ");
	assert_true(o.net.last->rx_paused);
	owner_hear(&o, "two");
	assert_true(o.up);
	assert_int_equal(o.stream_len, 0);
	link_resume(o.link);
	assert_stream("one two");
}

static void a_pause_while_finishing_keeps_what_came_along(void **state)
{
	fresh();
	owner_hear(&o, FULL "$3\r\nRDBone ");
	link_pause(o.link);
	owner_finished(&o, true);
	assert_int_equal(o.stream_len, 0);
	owner_hear(&o, "two");
	o.act_in = OWNER_STREAM;
	o.act = act_pause;
	link_resume(o.link);
	assert_stream("one ");
	link_resume(o.link);
	assert_stream("one two");
}

static void a_pause_ends_with_the_connection(void **state)
{
	fresh();
	owner_hear(&o, "+CONTINUE " ID "\r\n");
	link_pause(o.link);
	owner_cut(&o);
	owner_wait(&o, 1000);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n+OK\r\n+OK\r\n+CONTINUE " ID "\r\nabc");
	assert_stream("abc");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(continue_tells_the_masters_id),
		TEST(continue_may_come_without_an_id),
		TEST(newlines_while_waiting_are_no_stream),
		TEST(who_asked_for_a_full_sync_is_not_continued),
		TEST(strange_answers_end_the_attempt),
		TEST(a_master_that_cannot_serve_yet_is_asked_again),
		TEST(an_owner_that_cannot_resume_ends_the_attempt),
		TEST(a_counted_rdb_is_taken_however_it_is_cut),
		TEST(a_counted_rdb_is_taken_byte_by_byte),
		TEST(an_empty_rdb_is_complete_at_once),
		TEST(strange_headers_end_the_attempt),
		TEST(a_marked_rdb_is_taken_however_it_is_cut),
		TEST(bytes_glued_to_the_mark_are_stream),
		TEST(a_mark_with_no_rdb_before_it_ends_an_empty_one),
		TEST(a_marked_rdb_survives_random_pieces),
		TEST(an_owner_may_refuse_to_begin),
		TEST(an_owner_may_refuse_bytes),
		TEST(an_owner_may_refuse_the_whole),
		TEST(a_loss_during_the_transfer_is_told),
		TEST(a_loss_while_finishing_is_told_and_the_answer_ignored),
		TEST(the_owner_may_be_done_at_once),
		TEST(an_ack_that_ends_the_connection_is_survived),
		TEST(a_second_full_sync_starts_clean),
		TEST(the_master_gets_newlines_during_a_full_sync),
		TEST(a_transfer_times_out_but_not_its_finishing),
		TEST(keepalives_hold_the_wait_for_the_rdb),
		TEST(a_paused_stream_goes_on_where_it_was),
		TEST(a_pause_while_resuming_keeps_what_came_along),
		TEST(a_pause_while_finishing_keeps_what_came_along),
		TEST(a_pause_ends_with_the_connection),
	};

	if (argc > 1)
		first_seed = (unsigned)strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
