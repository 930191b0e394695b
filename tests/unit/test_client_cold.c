/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The cold part of a client: there while it is used, and what an idle client costs.
 */
#include "app/client_cold.h"

#include "app/server.h"
#include "dataplane/conn.h"
#include "dataplane/tcp/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MALLOC_BYTES 8u /* of its own before what it gives; multiples of 16 in all */

struct fixture {
	struct server srv;
	struct client c;
	struct conn conn;
};

void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	snprintf(peer, size, "10.0.0.1:5000");
	snprintf(local, size, "[fe80::1]:6379");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->c.srv = &f->srv;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	client_cold_free(&f->c);
	assert_null(f->c.cold);
	free(f);
	return 0;
}

static void goes_when_nothing_of_it_is_used(void **state)
{
	struct fixture *f = *state;
	struct client_cold *cold = client_cold_get(&f->c);

	assert_non_null(cold);
	assert_ptr_equal(client_cold_get(&f->c), cold);
	cold->wait_replicas = 1;
	client_cold_trim(&f->c);
	assert_ptr_equal(f->c.cold, cold);
	cold->wait_replicas = 0;
	client_cold_trim(&f->c);
	assert_null(f->c.cold);
	client_cold_trim(&f->c);
}

static void name_stays_and_is_counted(void **state)
{
	struct fixture *f = *state;
	struct client_cold *cold = client_cold_get(&f->c);

	assert_non_null(cold);
	assert_int_equal(client_cold_bytes(&f->c), sizeof(*cold));
	cold->name = strdup("joe");
	client_cold_trim(&f->c);
	assert_string_equal(client_name(&f->c), "joe");
	assert_int_equal(client_cold_bytes(&f->c), sizeof(*cold) + 4);
}

static void ends_are_the_connections_or_what_was_noted(void **state)
{
	struct fixture *f = *state;
	char buf[CLIENT_ADDR];

	assert_string_equal(client_peer(&f->c, buf), "");
	assert_string_equal(client_local(&f->c, buf), "");
	f->conn.kind = CONN_TCP;
	f->c.conn = &f->conn;
	assert_string_equal(client_peer(&f->c, buf), "10.0.0.1:5000");
	assert_string_equal(client_local(&f->c, buf), "[fe80::1]:6379");
	f->conn.kind = CONN_SOCK;
	assert_string_equal(client_peer(&f->c, buf), "");
	assert_non_null(client_cold_get(&f->c));
	f->c.cold->ends = malloc(4);
	memcpy(f->c.cold->ends, "a\0b", 4);
	assert_string_equal(client_peer(&f->c, buf), "a");
	assert_string_equal(client_local(&f->c, buf), "b");
}

static size_t malloc_footprint(size_t bytes)
{
	return (bytes + MALLOC_BYTES + 15) & ~(size_t)15;
}

/* With its slot in the table of connections when that is as full as it gets; the timer is within.
 * tests/integ/many.py measures the same at a node. */
static void idle_connection_costs_less_than_a_kilobyte(void **state)
{
	const size_t tcp = slab_footprint(sizeof(struct tcp_conn)) * 16384 / (16384 - 512);
	const size_t slot = 2 * sizeof(struct tcp_node *);
	const size_t all = tcp + slot + malloc_footprint(sizeof(struct conn)) +
			   malloc_footprint(sizeof(struct client));

	print_message("%zu bytes: tcp_conn %zu, client %zu, conn %zu\n", all,
		sizeof(struct tcp_conn), sizeof(struct client), sizeof(struct conn));
	assert_true(all <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_when_nothing_of_it_is_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(name_stays_and_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			ends_are_the_connections_or_what_was_noted, set_up, tear_down),
		cmocka_unit_test(idle_connection_costs_less_than_a_kilobyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
