/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CLIENT TRACKING and its kin: what they take, refuse and tell. What follows from it is the node's.
 */
#include "app/commands/connection.h"
#include "app/server.h"
#include "app/tracking.h"
#include "dataplane/obuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 12

struct fixture {
	struct server srv;
	struct app_core ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c;
	struct client_cold cold;
	struct client_tracking tracking;
	struct slice argv[MAX_ARGS];
	char prefixes[MAX_ARGS][16];
	uint32_t nr_prefixes;
};

static struct fixture *current;

/* --- what the node offers these commands ------------------------------------------------------ */

int tracking_on(struct client *c, uint64_t redirect, unsigned redirect_core, uint32_t flags,
	const struct slice *prefixes, uint32_t nr)
{
	assert_int_equal(redirect_core, redirect ? 1 : 0);
	c->cold = &current->cold;
	c->cold->tracking = &current->tracking;
	atomic_store(&current->tracking.redirect, redirect);
	client_flags_change(c, CLIENT_TRACKING | flags, 0);
	for (uint32_t i = 0; i < nr; i++)
		snprintf(current->prefixes[current->nr_prefixes++], 16, "%.*s",
			(int)prefixes[i].len, prefixes[i].ptr);
	return 0;
}

void tracking_off(struct client *c)
{
	c->cold = NULL;
	current->nr_prefixes = 0;
	client_flags_change(c, 0, UINT32_MAX);
}

int tracking_core_of(struct server *srv, uint64_t id)
{
	return id == 2 ? 1 : -1;
}

bool tracking_prefix(const struct client *c, uint32_t i, struct slice *prefix)
{
	if (i < current->nr_prefixes)
		*prefix = slice_str(current->prefixes[i]);
	return i < current->nr_prefixes;
}

/* --- fixture ---------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	TAILQ_INIT(&f->ac.dirty);
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->out, &f->pool);
	f->ac.srv = &f->srv;
	f->c.srv = &f->srv;
	f->c.ac = &f->ac;
	f->c.out = &f->out;
	f->c.argv = f->argv;
	f->c.resp = 2;
	*state = current = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	obuf_fini(&f->out);
	obuf_pool_fini(&f->pool);
	free(f);
	return 0;
}

/* Runs the function with the words of line as arguments, and compares what it replies. */
static void check(struct fixture *f, command_fn fn, const char *line, const char *want)
{
	char words[256], got[1024];
	size_t len;

	snprintf(words, sizeof(words), "%s", line);
	f->c.argc = 0;
	for (char *p = words; *p;) {
		len = strcspn(p, " ");
		assert_in_range(f->c.argc, 0, MAX_ARGS - 1);
		f->argv[f->c.argc++] = (struct slice){p, len};
		p += len + (p[len] == ' ');
	}
	fn(&f->c);
	len = (size_t)obuf_len(&f->out);
	assert_in_range(len, 1, sizeof(got) - 1);
	obuf_copy_at(&f->out, 0, got, (uint32_t)len);
	got[len] = '\0';
	obuf_consume(&f->out, len);
	assert_string_equal(got, want);
}

/* ---------------------------------------------------------------------------------------------- */

#define INFO(flags, redirect, prefixes)                                                            \
	"*6\r\n$5\r\nflags\r\n" flags "$8\r\nredirect\r\n:" redirect                               \
	"\r\n$8\r\nprefixes\r\n" prefixes

static void tracking_tells_its_state(void **state)
{
	struct fixture *f = *state;
	static const char list[] = "client trackinginfo";

	check(f, client_trackinginfo_command, list, INFO("*1\r\n$3\r\noff\r\n", "-1", "*0\r\n"));
	check(f, client_getredir_command, "client getredir", ":-1\r\n");
	check(f, client_tracking_command, "client tracking on optin redirect 2", "+OK\r\n");
	check(f, client_getredir_command, "client getredir", ":2\r\n");
	check(f, client_caching_command, "client caching yes", "+OK\r\n");
	check(f, client_trackinginfo_command, list,
		INFO("*3\r\n$2\r\non\r\n$5\r\noptin\r\n$11\r\ncaching-yes\r\n", "2", "*0\r\n"));
	check(f, client_tracking_command, "client tracking off", "+OK\r\n");
	check(f, client_tracking_command, "client tracking on bcast prefix a prefix b noloop",
		"+OK\r\n");
	check(f, client_trackinginfo_command, list,
		INFO("*3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n", "0",
			"*2\r\n$1\r\na\r\n$1\r\nb\r\n"));
	check(f, client_tracking_command, "client tracking off", "+OK\r\n");
}

static void tracking_refuses_what_does_not_go_together(void **state)
{
	struct fixture *f = *state;

	check(f, client_tracking_command, "client tracking maybe", "-ERR syntax error\r\n");
	check(f, client_tracking_command, "client tracking on prefix", "-ERR syntax error\r\n");
	check(f, client_tracking_command, "client tracking on redirect x",
		"-ERR value is not an integer or out of range\r\n");
	check(f, client_tracking_command, "client tracking on redirect 99",
		"-ERR The client ID you want redirect to does not exist\r\n");
	check(f, client_tracking_command, "client tracking on redirect 2 redirect 2",
		"-ERR A client can only redirect to a single other client\r\n");
	check(f, client_tracking_command, "client tracking on prefix a",
		"-ERR PREFIX option requires BCAST mode to be enabled\r\n");
	check(f, client_tracking_command, "client tracking on bcast optin",
		"-ERR OPTIN and OPTOUT are not compatible with BCAST\r\n");
	check(f, client_tracking_command, "client tracking on optout optin",
		"-ERR You can't specify both OPTIN mode and OPTOUT mode\r\n");
	check(f, client_tracking_command, "client tracking on bcast prefix ab prefix a",
		"-ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single "
		"client must not overlap.\r\n");
	assert_false(f->c.flags & CLIENT_TRACKING);
}

static void tracking_does_not_change_its_mode(void **state)
{
	struct fixture *f = *state;

	check(f, client_caching_command, "client caching yes",
		"-ERR CLIENT CACHING can be called only when the client is in tracking mode with "
		"OPTIN or OPTOUT mode enabled\r\n");
	check(f, client_tracking_command, "client tracking on optout", "+OK\r\n");
	check(f, client_caching_command, "client caching yes",
		"-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n");
	check(f, client_caching_command, "client caching no", "+OK\r\n");
	check(f, client_tracking_command, "client tracking on optin",
		"-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, "
		"and then re-enabling it with a different mode.\r\n");
	check(f, client_tracking_command, "client tracking on bcast",
		"-ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
		"and then re-enabling it with a different mode.\r\n");
	check(f, client_tracking_command, "client tracking off", "+OK\r\n");
	check(f, client_tracking_command, "client tracking on bcast prefix a", "+OK\r\n");
	check(f, client_tracking_command, "client tracking on bcast prefix ab",
		"-ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single "
		"client must not overlap.\r\n");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tracking_tells_its_state),
		TEST(tracking_refuses_what_does_not_go_together),
		TEST(tracking_does_not_change_its_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
