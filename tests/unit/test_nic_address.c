/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/nic_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void address_is(const struct net_addr *a, const char *text, unsigned prefix_len)
{
	char buf[IP_ADDR_TEXT];

	ip_addr_format(&a->ip, buf, sizeof(buf));
	assert_string_equal(buf, text);
	assert_int_equal(a->prefix_len, prefix_len);
}

static void lists_of_both_families_are_read(void **state)
{
	struct net_addr a[NET_MAX_ADDRS];

	assert_int_equal(nic_address_parse("10.0.0.2/24", a), 1);
	address_is(&a[0], "10.0.0.2", 24);
	assert_int_equal(
		nic_address_parse("10.0.0.2/24,2001:DB8::0:2/64,192.0.2.1/32,fe80::2/64", a), 4);
	address_is(&a[0], "10.0.0.2", 24);
	address_is(&a[1], "2001:db8::2", 64);
	address_is(&a[2], "192.0.2.1", 32);
	address_is(&a[3], "fe80::2", 64);
}

static void what_is_no_list_of_addresses_is_refused(void **state)
{
	static const char *const bad[] = {"", ",", "10.0.0.2", "10.0.0.2/", "10.0.0.2/33",
		"10.0.0.2/0", "10.0.0.2/-1", "10.0.0.2/24,", ",10.0.0.2/24", "10.0.0.2/24,,::2/64",
		"10.0.0.2/24 ::2/64", "10.0.0/24", "::/64", "::1/64", "ff02::1/64",
		"2001:db8::2/129", "::ffff:10.0.0.2/120", "0.0.0.0/8", "127.0.0.1/8", "224.0.0.1/8",
		"255.255.255.255/8", "2001:db8::2%eth0/64", "10.0.0.2/24,10.0.0.2/24",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd/64"};
	struct net_addr a[NET_MAX_ADDRS];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(nic_address_parse(bad[i], a) < 0);
}

static void the_number_of_addresses_is_bounded(void **state)
{
	struct net_addr a[NET_MAX_ADDRS];
	char text[1024] = "";

	for (int i = 1; i <= NET_MAX_ADDRS; i++)
		sprintf(text + strlen(text), "%s2001:db8::%x/64", i > 1 ? "," : "", i);
	assert_int_equal(nic_address_parse(text, a), NET_MAX_ADDRS);
	address_is(&a[NET_MAX_ADDRS - 1], "2001:db8::10", 64);
	strcat(text, ",10.0.0.1/8");
	assert_true(nic_address_parse(text, a) < 0);
}

static void one_gateway_of_each_family_is_read(void **state)
{
	static const char *const bad[] = {"", "x", "10.0.0.1,", "10.0.0.1,10.0.0.2",
		"fe80::1,fe80::2", "10.0.0.1/24", "::", "ff02::1", "10.0.0.1,fe80::1,fe80::2"};
	struct ip_addr v4 = {{0, 0}}, v6 = {{0, 0}};

	assert_int_equal(nic_gateway_parse("fe80::1", &v4, &v6), 0);
	assert_true(ip_addr_is_none(&v4));
	assert_true(ip_addr_is_link_local_v6(&v6));
	assert_int_equal(nic_gateway_parse("2001:db8::1,10.0.0.1", &v4, &v6), 0);
	assert_int_equal(ip_addr_to_v4(&v4), 0x0a000001);
	assert_false(ip_addr_is_link_local_v6(&v6));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(nic_gateway_parse(bad[i], &v4, &v6) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_both_families_are_read),
		cmocka_unit_test(what_is_no_list_of_addresses_is_refused),
		cmocka_unit_test(the_number_of_addresses_is_bounded),
		cmocka_unit_test(one_gateway_of_each_family_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
