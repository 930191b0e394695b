/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a host name to addresses: what needs no resolver, and one that fails without asking anybody.
 */
#include "repl/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A label of more than 63 bytes: no resolver sends it anywhere. */
#define NOBODY                                                                                     \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid"

static struct resolve_addrs addrs;
static const char *why;

static int resolved_at_once(const char *host)
{
	struct resolve *r;
	int rc;

	assert_int_equal(resolve_start(host, 6379, &r), 0);
	rc = resolve_poll(&r, &addrs, &why);
	assert_null(r);
	return rc;
}

static void an_ipv4_address_is_itself(void **state)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&addrs.addr[0];

	assert_int_equal(resolved_at_once("192.0.2.7"), 0);
	assert_int_equal(addrs.nr, 1);
	assert_int_equal(addrs.len[0], sizeof(*in));
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(in->sin_port, htons(6379));
	assert_int_equal(in->sin_addr.s_addr, inet_addr("192.0.2.7"));
}

static void an_ipv6_address_is_itself(void **state)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addrs.addr[0];
	struct in6_addr want;

	inet_pton(AF_INET6, "2001:db8::7", &want);
	assert_int_equal(resolved_at_once("2001:db8::7"), 0);
	assert_int_equal(addrs.nr, 1);
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(in6->sin6_port, htons(6379));
	assert_memory_equal(&in6->sin6_addr, &want, sizeof(want));
}

static void localhost_is_both_loopbacks(void **state)
{
	assert_int_equal(resolved_at_once("LocalHost"), 0);
	assert_int_equal(addrs.nr, 2);
	assert_int_equal(
		((struct sockaddr_in *)&addrs.addr[0])->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(addrs.addr[1].ss_family, AF_INET6);
}

static void a_name_too_long_is_refused(void **state)
{
	char host[300];
	struct resolve *r;

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = 0;
	assert_int_equal(resolve_start(host, 1, &r), -EINVAL);
}

static void a_name_nobody_has_is_not_found(void **state)
{
	struct resolve *r;
	int rc;

	assert_int_equal(resolve_start(NOBODY, 6379, &r), 0);
	while ((rc = resolve_poll(&r, &addrs, &why)) == -EINPROGRESS)
		sched_yield();
	assert_int_equal(rc, -ENOENT);
	assert_null(r);
	assert_true(strlen(why) > 0);
}

static void a_lookup_may_be_given_up(void **state)
{
	struct resolve *r;

	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(resolve_start(NOBODY, 6379, &r), 0);
		resolve_cancel(&r);
		assert_null(r);
	}
	resolve_cancel(&r);
	a_name_nobody_has_is_not_found(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_address_is_itself),
		cmocka_unit_test(an_ipv6_address_is_itself),
		cmocka_unit_test(localhost_is_both_loopbacks),
		cmocka_unit_test(a_name_too_long_is_refused),
		cmocka_unit_test(a_name_nobody_has_is_not_found),
		cmocka_unit_test(a_lookup_may_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
