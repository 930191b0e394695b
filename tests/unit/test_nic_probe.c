/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_told_from_names(void **state)
{
	assert_true(nic_is_pci("0000:01:00.0"));
	assert_true(nic_is_pci("01:00.0"));
	assert_true(nic_is_pci("0000:af:1f.7,option=1"));
	assert_false(nic_is_pci("net_tap0,iface=a"));
	assert_false(nic_is_pci("net_af_xdp0,iface=eth1"));
	assert_false(nic_is_pci(""));
}

/* Cause and remedy of what is not there. */
static void what_is_missing_is_named(void **state)
{
	static const struct {
		const char *device, *said;
	} cases[] = {
		{"0000:ff:1f.7", "no PCI device 0000:ff:1f.7"},
		{"ff:1f.7,option=1", "no PCI device 0000:ff:1f.7"},
		{"net_af_xdp0,iface=mrnone,start_queue=0", "no interface mrnone in"},
		{"net_af_packet0,iface=mrnone", "no interface mrnone in"},
		{"net_af_xdp0", "iface="},
	};
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(nic_probe(cases[i].device, text, sizeof(text)));
		if (!strstr(text, cases[i].said))
			fail_msg("%s: %s", cases[i].device, text);
	}
}

/* The loopback interface is always there, so net_tap cannot make it; as an ordinary user it is the
 * permission that is missing, and on a machine without tap devices the device. */
static void tap_that_cannot_be_made_is_refused(void **state)
{
	char text[512];

	assert_false(nic_probe("net_tap0,iface=lo", text, sizeof(text)));
	assert_true(strstr(text, "interface lo already") || strstr(text, "CAP_NET_ADMIN") ||
		    strstr(text, "/dev/net/tun"));
}

static void only_pci_devices_need_huge_pages(void **state)
{
	assert_false(nic_needs_huge("net_tap0,iface=a"));
	assert_false(nic_needs_huge("0000:ff:1f.7"));
}

static void other_virtual_devices_pass(void **state)
{
	char text[512] = "";

	assert_true(nic_probe("net_null0", text, sizeof(text)));
	assert_string_equal(text, "virtual device");
}

static void short_buffer_is_not_overrun(void **state)
{
	char text[9] = "xxxxxxxx";

	assert_false(nic_probe("0000:ff:1f.7", text, 8));
	assert_int_equal(strlen(text), 7);
	assert_int_equal(text[8], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_told_from_names),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(tap_that_cannot_be_made_is_refused),
		cmocka_unit_test(only_pci_devices_need_huge_pages),
		cmocka_unit_test(other_virtual_devices_pass),
		cmocka_unit_test(short_buffer_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
