/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests of what SLOWLOG and MONITOR may not show.
 */
#include "app/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 12

/* The words of line, and a mask of those that are hidden ('#') or shown ('.'). */
static void check(const char *line, const char *mask)
{
	struct slice argv[MAX_ARGS];
	char got[MAX_ARGS + 1] = "";
	uint32_t argc = 0;

	for (const char *p = line; *p;) {
		size_t len = strcspn(p, " ");

		assert_in_range(argc, 0, MAX_ARGS - 1);
		argv[argc++] = (struct slice){p, len};
		p += len + (p[len] == ' ');
	}
	for (uint32_t i = 0; i < argc; i++)
		got[i] = redact_arg(redact_kind_of(argv, argc), argv, argc, i) ? '#' : '.';
	assert_string_equal(got, mask);
	assert_false(redact_arg(redact_kind_of(argv, argc), argv, argc, argc));
}

static void ordinary_commands_are_shown(void **state)
{
	check("", "");
	check("get k", "..");
	check("set auth secret", "...");
	check("authx secret", "..");
	check("config get requirepass", "...");
	check("acl whoami", "..");
}

static void auth_hides_all_arguments(void **state)
{
	check("auth", ".");
	check("AUTH secret", ".#");
	check("auth user secret", ".##");
	check("auth my secret has blanks", ".####");
}

static void hello_hides_what_follows_auth(void **state)
{
	check("hello 3", "..");
	check("HELLO 3 AUTH u p", "...##");
	check("hello 2 setname j auth default p", ".....##");
	check("hello 2 auth u p setname j", "...##..");
	check("hello 2 auth u", "...#");
}

static void config_set_hides_secret_values(void **state)
{
	check("config set requirepass p", "...#");
	check("CONFIG SET maxmemory 0 MASTERAUTH p maxmemory 1", ".....#..");
	check("config set masteruser u tls-key-file-pass p", "...#.#");
	check("config set maxmemory requirepass x y", "......");
	check("config set requirepass", "...");
}

static void acl_setuser_hides_name_and_rules(void **state)
{
	check("acl setuser bob on >p", "..###");
	check("acl deluser bob", "...");
}

static void migrate_hides_its_password(void **state)
{
	check("migrate h 1 k 0 10 auth p", ".......#");
	check("migrate h 1 k 0 10 AUTH2 u p copy", ".......##.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_commands_are_shown),
		cmocka_unit_test(auth_hides_all_arguments),
		cmocka_unit_test(hello_hides_what_follows_auth),
		cmocka_unit_test(config_set_hides_secret_values),
		cmocka_unit_test(acl_setuser_hides_name_and_rules),
		cmocka_unit_test(migrate_hides_its_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
