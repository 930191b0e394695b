/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A link's life: attempts, handshake, timeouts, its end in any place. The bytes that it takes in:
 * test_repl_link_sync.c.
 */
#include "repl/link.h"

#include "tests/support/link_owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

#define PING   "*1\r\n$4\r\nPING\r\n"
#define PORT   "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n7000\r\n"
#define BURSTS "$4\r\ncapa\r\n$10\r\nburst-acks\r\n"
#define CAPA                                                                                       \
	"*7\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n" BURSTS

static struct owner o;

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

static void reconfigure(void)
{
	assert_int_equal(link_configure(o.link, &o.cfg), 0);
}

static void go_online(void)
{
	strcpy(o.id, ID);
	o.offset = 101;
	owner_to_psync(&o);
	owner_hear(&o, "+CONTINUE " ID "\r\n");
	assert_int_equal(link_state(o.link), LINK_CONNECTED);
}

static void assert_state(const char *name)
{
	assert_string_equal(link_state_name(link_state(o.link)), name);
}

/* --- handshake --- */

static void handshake_is_that_of_redis(void **state)
{
	assert_state("connect");
	owner_tick(&o);
	assert_state("connecting");
	assert_int_equal(((struct sockaddr_in *)&o.net.last_addr)->sin_port, htons(6379));
	fake_conn_connected(o.net.last);
	assert_string_equal(owner_said(&o), PING);
	assert_state("handshake");
	owner_hear(&o, "+PONG\r");
	assert_string_equal(owner_said(&o), "");
	owner_hear(&o, "\n");
	assert_string_equal(owner_said(&o), PORT CAPA);
	owner_hear(&o, "+OK\r\n");
	assert_string_equal(owner_said(&o), "");
	owner_hear(&o, "+OK\r\n");
	assert_string_equal(owner_said(&o), "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
}

static void another_login_holds_from_the_next_handshake_on(void **state)
{
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_said(&o);
	assert_int_equal(link_set_login(o.link, "", "secret"), 0);
	owner_hear(&o, "-NOAUTH Authentication required.\r\n");
	assert_string_equal(owner_said(&o), "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n" PORT CAPA);
}

static void handshake_gives_all_that_is_configured(void **state)
{
	o.cfg.user = "repl";
	o.cfg.password = "se cret";
	o.cfg.announce_ip = "198.51.100.7";
	o.cfg.capa_eof = false;
	reconfigure();
	strcpy(o.id, ID);
	o.offset = 4711;
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_said(&o);
	owner_hear(&o, "-NOAUTH Authentication required.\r\n");
	assert_string_equal(owner_said(&o),
		"*3\r\n$4\r\nAUTH\r\n$4\r\nrepl\r\n$7\r\nse cret\r\n" PORT
		"*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$12\r\n198.51.100.7\r\n"
		"*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n" BURSTS);
	owner_hear(&o, "+OK\r\n+OK\r\n+OK\r\n");
	assert_string_equal(owner_said(&o), "");
	owner_hear(&o, "+OK\r\n");
	assert_string_equal(owner_said(&o), "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$4\r\n4711\r\n");
}

static void the_master_is_asked_to_take_over(void **state)
{
	strcpy(o.id, ID);
	o.offset = 4711;
	o.failover = true;
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n");
	owner_said(&o);
	owner_hear(&o, "+OK\r\n+OK\r\n");
	assert_string_equal(owner_said(&o),
		"*4\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$4\r\n4711\r\n$8\r\nFAILOVER\r\n");
	assert_int_equal(o.seen[OWNER_REFUSED], 0);
	owner_hear(&o, "-ERR no\r\n");
	assert_int_equal(o.seen[OWNER_REFUSED], 1);
}

static void only_a_lost_psync_is_a_refusal(void **state)
{
	owner_tick(&o);
	fake_conn_end(o.net.last, ECONNREFUSED);
	assert_int_equal(o.seen[OWNER_REFUSED], 0);
	owner_wait(&o, 1000);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n+OK\r\n+OK\r\n");
	owner_cut(&o);
	assert_int_equal(o.seen[OWNER_REFUSED], 1);
}

static void a_password_alone_is_sent_alone(void **state)
{
	o.cfg.password = "pw";
	reconfigure();
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_said(&o);
	owner_hear(&o, "+PONG\r\n");
	assert_string_equal(owner_said(&o), "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" PORT CAPA);
}

static void ping_may_be_refused_for_want_of_rights(void **state)
{
	static const struct {
		const char *reply;
		bool good;
	} cases[] = {
		{"+PONG\r\n", true},
		{"+\r\n", true},
		{"-NOAUTH Authentication required.\r\n", true},
		{"-NOPERM this user has no permissions\r\n", true},
		{"-ERR operation not permitted\r\n", true},
		{"-ERR unknown command\r\n", false},
		{"-DENIED Redis is running in protected mode\r\n", false},
		{":1\r\n", false},
		{"HTTP/1.1 400 Bad Request\r\n", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reconfigure();
		owner_tick(&o);
		fake_conn_connected(o.net.last);
		owner_hear(&o, cases[i].reply);
		if ((link_state(o.link) == LINK_PORT) != cases[i].good)
			fail_msg("%s", cases[i].reply);
	}
}

static void an_error_to_auth_gives_up(void **state)
{
	o.cfg.password = "pw";
	reconfigure();
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n-WRONGPASS invalid \x01 pair\r\n");
	assert_state("connect");
	assert_true(o.net.last->closed);
	assert_non_null(
		strstr(o.log, "3 link down peer=192.0.2.9:6379 state=handshake "
			      "reason=Unable to AUTH to MASTER: -WRONGPASS invalid ? pair\n"));
}

static void errors_to_replconf_do_not_matter(void **state)
{
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n-ERR unknown option\r\n-ERR unknown option\r\n");
	assert_int_equal(link_state(o.link), LINK_PSYNC);
	assert_non_null(strstr(o.log, "2 the master does not take REPLCONF listening-port"));
	assert_non_null(strstr(o.log, "2 the master does not take REPLCONF capa"));
}

static void handshake_may_come_byte_by_byte(void **state)
{
	static const char text[] = "\n+PONG\r\n\r\n+OK\r\n\n\n+OK\n\n\n+CONTINUE\r\n";

	strcpy(o.id, ID);
	o.offset = 1;
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		owner_hear_bytes(&o, text + i, 1);
	assert_state("connected");
	assert_string_equal(o.trace, "resumed \nup\n");
}

static void half_a_line_is_forgotten_with_its_connection(void **state)
{
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "-ER");
	owner_cut(&o);
	owner_wait(&o, 1000);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "+PONG\r\n");
	assert_int_equal(link_state(o.link), LINK_PORT);
}

static void a_line_without_end_is_refused(void **state)
{
	char *text = malloc(70000);

	memset(text, 'x', 70000);
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear_bytes(&o, text, 65536);
	assert_state("handshake");
	owner_hear_bytes(&o, text, 1);
	assert_state("connect");
	free(text);
}

static void a_line_with_nul_is_refused(void **state)
{
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear_bytes(&o, "+PO\0NG\r\n", 8);
	assert_state("connect");
}

/* --- attempts --- */

static void nothing_is_done_before_the_first_configuration(void **state)
{
	struct owner *fresh = calloc(1, sizeof(*fresh));
	static const struct link_ops none;

	fake_net_init(&fresh->net);
	assert_int_equal(link_create(&fresh->net.core, &none, fresh, &fresh->link), 0);
	owner_wait(fresh, 3000);
	assert_int_equal(fresh->net.nr_connects, 0);
	owner_fini(fresh);
	free(fresh);
}

static void a_failed_attempt_is_repeated_after_a_second(void **state)
{
	owner_tick(&o);
	fake_conn_end(o.net.last, ECONNREFUSED);
	assert_state("connect");
	assert_non_null(strstr(o.log,
		"3 link down peer=192.0.2.9:6379 state=connecting reason=Connection refused"));
	owner_wait(&o, 900);
	assert_int_equal(o.net.nr_connects, 1);
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 2);
}

static void an_address_that_cannot_be_connected_to_is_repeated(void **state)
{
	o.net.connect_rc = -ENETUNREACH;
	owner_tick(&o);
	assert_state("connect");
	owner_wait(&o, 5000);
	assert_int_equal(o.net.nr_connects, 6);
}

static void the_same_failure_is_logged_once_a_minute(void **state)
{
	o.net.connect_rc = -ENETUNREACH;
	owner_tick(&o);
	owner_wait(&o, 59000);
	assert_int_equal(o.seen[OWNER_LOG], 1);
	owner_wait(&o, 2000);
	assert_int_equal(o.seen[OWNER_LOG], 2);
	o.net.connect_rc = -EHOSTUNREACH;
	owner_wait(&o, 2000);
	assert_int_equal(o.seen[OWNER_LOG], 3);
}

static void after_a_loss_the_first_attempt_comes_at_once(void **state)
{
	go_online();
	owner_wait(&o, 2000);
	assert_int_equal(link_down_since_ms(o.link), 0);
	owner_cut(&o);
	assert_string_equal(o.trace, "resumed " ID "\nup\ndown\n");
	assert_int_equal(link_down_since_ms(o.link), o.net.core.now_ms);
	owner_tick(&o);
	assert_int_equal(o.net.nr_connects, 2);
	fake_conn_end(o.net.last, ECONNREFUSED);
	owner_tick(&o);
	assert_int_equal(o.net.nr_connects, 2);
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 3);
}

static void where_a_master_was_who_refuses_is_asked_each_second(void **state)
{
	go_online();
	owner_wait(&o, 2000);
	owner_cut(&o);
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "-ERR no\r\n");
	assert_state("connect");
	owner_wait(&o, 900);
	assert_int_equal(o.net.nr_connects, 2);
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 3);
}

static void a_master_that_recovers_is_soon_asked_again(void **state)
{
	go_online();
	owner_wait(&o, 2000);
	owner_cut(&o);
	owner_tick(&o);
	fake_conn_connected(o.net.last);
	owner_hear(&o, "-LOADING soon\r\n");
	assert_state("connect");
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 3);
}

static void where_a_master_was_silence_is_soon_given_up(void **state)
{
	go_online();
	owner_wait(&o, 2000);
	owner_cut(&o);
	owner_tick(&o);
	assert_state("connecting");
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 2);
	owner_wait(&o, 200);
	assert_int_equal(o.net.nr_connects, 3);
	assert_state("connecting");
}

static void a_new_master_is_given_its_time(void **state)
{
	go_online();
	reconfigure();
	owner_tick(&o);
	owner_wait(&o, 5000);
	assert_int_equal(o.net.nr_connects, 2);
	assert_state("connecting");
}

static void localhost_is_tried_by_both_families(void **state)
{
	o.cfg.host = "localhost";
	reconfigure();
	owner_tick(&o);
	assert_int_equal(o.net.last_addr.ss_family, AF_INET);
	fake_conn_end(o.net.last, ECONNREFUSED);
	assert_int_equal(o.net.nr_connects, 2);
	assert_int_equal(o.net.last_addr.ss_family, AF_INET6);
	assert_state("connecting");
	fake_conn_connected(o.net.last);
	assert_string_equal(owner_said(&o), PING);
}

static void all_addresses_failing_ends_the_attempt(void **state)
{
	o.cfg.host = "localhost";
	reconfigure();
	owner_tick(&o);
	fake_conn_end(o.net.last, ECONNREFUSED);
	fake_conn_end(o.net.last, ECONNREFUSED);
	assert_state("connect");
	assert_int_equal(o.net.nr_connects, 2);
}

static void a_new_configuration_drops_and_connects_at_once(void **state)
{
	char host[] = "192.0.2.77";

	go_online();
	o.cfg.host = host;
	o.cfg.port = 99;
	reconfigure();
	memset(host, 'x', sizeof(host) - 1); /* it was copied */
	assert_string_equal(o.trace, "resumed " ID "\nup\ndown\n");
	owner_tick(&o);
	assert_int_equal(o.net.nr_connects, 2);
	assert_int_equal(
		((struct sockaddr_in *)&o.net.last_addr)->sin_addr.s_addr, inet_addr("192.0.2.77"));
	assert_int_equal(((struct sockaddr_in *)&o.net.last_addr)->sin_port, htons(99));
}

static void a_dropped_link_comes_back(void **state)
{
	go_online();
	owner_wait(&o, 1000);
	link_drop(o.link, "the reason given");
	assert_false(o.up);
	assert_non_null(strstr(
		o.log, "2 link down peer=192.0.2.9:6379 state=connected reason=the reason given"));
	link_drop(o.link, "again"); /* nothing to drop */
	assert_null(strstr(o.log, "again"));
	owner_tick(&o);
	assert_int_equal(o.net.nr_connects, 2);
}

/* --- timeouts --- */

static void silence_drops_the_link(void **state)
{
	o.cfg.timeout_s = 5;
	reconfigure();
	owner_tick(&o);
	owner_wait(&o, 4900); /* connecting */
	assert_state("connecting");
	fake_conn_connected(o.net.last);
	owner_wait(&o, 4900); /* PING */
	assert_state("handshake");
	owner_wait(&o, 100);
	assert_int_equal(o.net.nr_connects, 1);
	assert_state("connect");
	owner_wait(&o, 100);
	assert_state("connecting");
	owner_wait(&o, 5000);
	assert_state("connect");
	assert_non_null(strstr(o.log, "state=connecting reason=timeout"));
}

static void any_bytes_count_as_life(void **state)
{
	o.cfg.timeout_s = 5;
	reconfigure();
	go_online();
	for (unsigned i = 0; i < 5; i++) {
		owner_wait(&o, 4900);
		owner_hear(&o, "x");
	}
	assert_state("connected");
	assert_int_equal(link_last_io_ms(o.link), o.net.core.now_ms);
	owner_wait(&o, 5000);
	assert_false(o.up);
}

static void a_paused_link_does_not_time_out(void **state)
{
	o.cfg.timeout_s = 5;
	reconfigure();
	go_online();
	link_pause(o.link);
	owner_wait(&o, 20000);
	assert_state("connected");
	link_resume(o.link);
	owner_wait(&o, 4900);
	assert_state("connected");
	owner_wait(&o, 100);
	assert_false(o.up);
}

/* --- ACKs --- */

static void acks_go_out_only_when_connected(void **state)
{
	link_ack(o.link, 5);
	owner_tick(&o);
	link_ack(o.link, 5);
	fake_conn_connected(o.net.last);
	owner_said(&o);
	link_ack(o.link, 5);
	assert_string_equal(owner_said(&o), "");
	link_drop(o.link, "x");
	owner_wait(&o, 1000);
	fake_conn_end(o.net.last, ECONNREFUSED);
	fake_net_advance(&o.net, 1000);
	go_online();
	link_ack(o.link, 1234567890123);
	assert_string_equal(
		owner_said(&o), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$13\r\n1234567890123\r\n");
}

static void acks_do_not_pile_up(void **state)
{
	go_online();
	for (unsigned i = 0; i < 100000; i++)
		link_ack(o.link, i);
	assert_true(obuf_len(conn_obuf(o.net.last)) < 70000);
}

static void a_push_that_ends_the_connection_is_survived(void **state)
{
	owner_tick(&o);
	o.net.push_breaks = true;
	fake_conn_connected(o.net.last); /* PING */
	assert_state("connect");
	owner_wait(&o, 1000);
	fake_conn_connected(o.net.last);
	o.net.push_breaks = true;
	owner_hear(&o, "+PONG\r\n+OK\r\n+OK\r\n"); /* REPLCONF */
	assert_state("connect");
	fake_net_advance(&o.net, 1000);
	go_online();
	o.net.push_breaks = true;
	link_ack(o.link, 1);
	assert_string_equal(o.trace, "resumed " ID "\nup\ndown\n");
}

static void no_memory_for_output_drops_the_link(void **state)
{
	go_online();
	o.net.core.obufs.used_bytes_max = 1;
	owner_said(&o);
	link_ack(o.link, 1);
	assert_false(o.up);
	assert_non_null(strstr(o.log, "reason=out of memory"));
}

/* --- the end, in any upcall --- */

static void act_drop(struct owner *owner)
{
	link_drop(owner->link, "dropped in an upcall");
}

static void act_destroy(struct owner *owner)
{
	link_destroy(&owner->link);
}

static void act_configure(struct owner *owner)
{
	assert_int_equal(link_configure(owner->link, &owner->cfg), 0);
}

static void act_cut(struct owner *owner)
{
	owner_cut(owner);
}

/* A life in which every upcall comes: a full sync, stream, loss; then a resumed stream; then a
 * refusal. */
static void live(void)
{
	static const char rdb[] = "$5\r\nhello+stream";

	owner_tick(&o);
	for (unsigned round = 0; round < 4 && o.link; round++) {
		if (link_state(o.link) == LINK_CONNECTING)
			fake_conn_connected(o.net.last);
		if (o.link && link_state(o.link) == LINK_PING)
			owner_hear(&o, "+PONG\r\n-ERR\r\n+OK\r\n");
		if (round == 0 && o.link && link_state(o.link) == LINK_PSYNC)
			owner_hear(&o, "+FULLRESYNC " ID " 100\r\n");
		else if (round == 3 && o.link && link_state(o.link) == LINK_PSYNC)
			owner_hear(&o, "-ERR no\r\n");
		else if (o.link && link_state(o.link) == LINK_PSYNC)
			owner_hear(&o, "+CONTINUE " ID "\r\nbytes");
		if (o.link && link_state(o.link) == LINK_TRANSFER)
			owner_hear_bytes(&o, rdb, round == 0 ? sizeof(rdb) - 1 : 7);
		if (o.link && link_state(o.link) == LINK_FINISHING)
			owner_finished(&o, true);
		if (!o.net.last->closed && o.link)
			owner_hear(&o, "more");
		if (round == 0)
			strcpy(o.id, ID);
		if (o.link && !o.net.last->closed)
			owner_cut(&o);
		owner_wait(&o, 1000);
	}
}

static void every_upcall_may_end_the_link(void **state)
{
	void (*const acts[])(struct owner *) = {act_drop, act_destroy, act_configure, act_cut};

	for (unsigned what = 0; what < OWNER_NR_UPCALLS; what++) {
		for (unsigned i = 0; i < 4; i++) {
			owner_fini(&o);
			owner_init(&o);
			o.act_in = what;
			o.act = acts[i];
			live();
			if (what != OWNER_ABORT && o.act)
				fail_msg("upcall %u did not come", what);
			if (acts[i] == act_destroy && what != OWNER_ABORT)
				assert_null(o.link);
		}
	}
}

static void an_abort_may_end_the_link(void **state)
{
	void (*const acts[])(struct owner *) = {act_drop, act_destroy, act_configure};

	for (unsigned i = 0; i < 3; i++) {
		owner_fini(&o);
		owner_init(&o);
		owner_to_psync(&o);
		owner_hear(&o, "+FULLRESYNC " ID " 100\r\n$5\r\nhel");
		o.act_in = OWNER_ABORT;
		o.act = acts[i];
		owner_cut(&o);
		assert_null(o.act);
		assert_int_equal(o.seen[OWNER_ABORT], 1);
	}
}

static void the_log_line_of_a_loss_may_end_the_link(void **state)
{
	for (unsigned full = 0; full < 2; full++) {
		owner_fini(&o);
		owner_init(&o);
		if (full) {
			owner_to_psync(&o);
			owner_hear(&o, "+FULLRESYNC " ID " 100\r\n$5\r\nhel");
		} else {
			go_online();
		}
		o.act_in = OWNER_LOG;
		o.act = act_destroy;
		owner_cut(&o);
		assert_null(o.link);
		assert_int_equal(o.seen[OWNER_ABORT] + o.seen[OWNER_DOWN], 0);
	}
}

static void destroy_closes_without_an_upcall(void **state)
{
	unsigned before;

	go_online();
	before = o.seen[OWNER_LOG];
	link_destroy(&o.link);
	assert_null(o.link);
	assert_true(o.net.last->closed);
	assert_int_equal(o.seen[OWNER_DOWN], 0);
	assert_int_equal(o.seen[OWNER_LOG], before);
	link_destroy(&o.link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handshake_is_that_of_redis),
		TEST(another_login_holds_from_the_next_handshake_on),
		TEST(handshake_gives_all_that_is_configured),
		TEST(the_master_is_asked_to_take_over),
		TEST(only_a_lost_psync_is_a_refusal),
		TEST(a_password_alone_is_sent_alone),
		TEST(ping_may_be_refused_for_want_of_rights),
		TEST(an_error_to_auth_gives_up),
		TEST(errors_to_replconf_do_not_matter),
		TEST(handshake_may_come_byte_by_byte),
		TEST(half_a_line_is_forgotten_with_its_connection),
		TEST(a_line_without_end_is_refused),
		TEST(a_line_with_nul_is_refused),
		TEST(nothing_is_done_before_the_first_configuration),
		TEST(a_failed_attempt_is_repeated_after_a_second),
		TEST(an_address_that_cannot_be_connected_to_is_repeated),
		TEST(the_same_failure_is_logged_once_a_minute),
		TEST(after_a_loss_the_first_attempt_comes_at_once),
		TEST(where_a_master_was_who_refuses_is_asked_each_second),
		TEST(a_master_that_recovers_is_soon_asked_again),
		TEST(where_a_master_was_silence_is_soon_given_up),
		TEST(a_new_master_is_given_its_time),
		TEST(localhost_is_tried_by_both_families),
		TEST(all_addresses_failing_ends_the_attempt),
		TEST(a_new_configuration_drops_and_connects_at_once),
		TEST(a_dropped_link_comes_back),
		TEST(silence_drops_the_link),
		TEST(any_bytes_count_as_life),
		TEST(a_paused_link_does_not_time_out),
		TEST(acks_go_out_only_when_connected),
		TEST(acks_do_not_pile_up),
		TEST(a_push_that_ends_the_connection_is_survived),
		TEST(no_memory_for_output_drops_the_link),
		TEST(every_upcall_may_end_the_link),
		TEST(an_abort_may_end_the_link),
		TEST(the_log_line_of_a_loss_may_end_the_link),
		TEST(destroy_closes_without_an_upcall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
