/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 64
#define WHERE     "--nic net_memif0 --nic-address 10.0.0.1/24 --server 10.0.0.2 "

static char err[512];

/* Words are separated by blanks. They stay where they are until the next call. */
static int parse(struct options *o, const char *text)
{
	static char copy[1024];
	char *argv[WORDS_MAX] = {"millrace-load"}, *save = NULL;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < WORDS_MAX);
		argv[argc++] = w;
	}
	err[0] = 0;
	return options_parse(o, argc, argv, err, sizeof(err));
}

static void defaults_are_those_of_the_help(void **state)
{
	struct options o;

	assert_int_equal(parse(&o, WHERE), 0);
	assert_int_equal(o.mode, MODE_REQUESTS);
	assert_int_equal(o.port, 6379);
	assert_int_equal(o.connections, 50);
	assert_int_equal(o.pipeline, 1);
	assert_int_equal(o.ratio_set, 0);
	assert_int_equal(o.ratio_get, 1);
	assert_int_equal(o.nr_keys, 1000000);
	assert_int_equal(o.value_min, 32);
	assert_int_equal(o.value_max, 32);
	assert_int_equal(o.nr_cores, 1);
	assert_int_equal(o.cpus[0], -1);
	assert_int_equal(o.huge, -1);
	assert_true(o.theta == 0 && o.rate == 0 && o.seconds == 10 && o.warm_up_s == 1 &&
		    o.give_up_s == 10);
	assert_false(o.load);
	assert_null(o.json);
}

static void everything_is_taken(void **state)
{
	struct options o;

	assert_int_equal(
		parse(&o, WHERE
			"--port 7000 --cores 0,2-3 --connections=300 --pipeline 16 "
			"--ratio 1:9 --keys 10m --key-size 20 --data-size 64-4kb "
			"--key-pattern zipf:0.8 --give-up 2 --seconds 2.5 --warm-up 0 --rate 200k "
			"--requests 5k --seed 9 --json x --quiet --load --huge-pages no"),
		0);
	assert_int_equal(o.port, 7000);
	assert_int_equal(o.nr_cores, 3);
	assert_int_equal(o.cpus[0], 0);
	assert_int_equal(o.cpus[2], 3);
	assert_int_equal(o.connections, 300);
	assert_int_equal(o.pipeline, 16);
	assert_int_equal(o.ratio_set, 1);
	assert_int_equal(o.ratio_get, 9);
	assert_int_equal(o.nr_keys, 10000000);
	assert_int_equal(o.key_size, 20);
	assert_int_equal(o.value_min, 64);
	assert_int_equal(o.value_max, 4096);
	assert_true(o.theta == 0.8 && o.seconds == 2.5 && o.warm_up_s == 0 && o.rate == 200000);
	assert_true(o.give_up_s == 2);
	assert_int_equal(o.nr_requests, 5000);
	assert_int_equal(o.seed, 9);
	assert_string_equal(o.json, "x");
	assert_true(o.quiet && o.load && o.huge == 0);
	assert_int_equal(parse(&o, WHERE "--key-pattern zipf --command PING"), 0);
	assert_true(o.theta == 0.99);
	assert_string_equal(o.command, "PING");
	assert_int_equal(parse(&o, "--nic x --nic-address fd00::1/64 --server fd00::2"), 0);
}

static void modes_have_their_own_defaults(void **state)
{
	struct options o;

	assert_int_equal(parse(&o, WHERE "--mode bulk"), 0);
	assert_true(o.load && o.value_min == 1 << 20 && o.nr_keys == 64 && o.connections == 4);
	assert_int_equal(parse(&o, "--mode bulk --data-size 64kb --connections 9 " WHERE), 0);
	assert_true(o.value_max == 65536 && o.nr_keys == 64 && o.connections == 9);
	assert_int_equal(parse(&o, WHERE "--mode churn --command PING"), 0);
	assert_int_equal(o.mode, MODE_CHURN);
	assert_int_equal(parse(&o, WHERE "--mode idle --connections 5k"), 0);
	assert_int_equal(o.connections, 5000);
	assert_int_equal(parse(&o, "--mode frames --nic x --pipeline 4"), 0);
	assert_int_equal(parse(&o, "--mode echo --nic x --cores 1"), 0);
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"", "--nic is missing"},
		{"--nic x --server 10.0.0.2", "--nic-address is missing"},
		{"--nic x --nic-address 10.0.0.1/24", "--server is missing"},
		{"--mode frames", "--nic is missing"},
		{WHERE "--fast", "--fast: there is no such option"},
		{WHERE "fast", "fast: there is no such option"},
		{WHERE "-", "-: there is no such option"},
		{WHERE "--", "--: there is no such option"},
		{WHERE "--port", "--port needs P"},
		{WHERE "--load=yes", "--load takes no argument"},
		{WHERE "--port 0", "from 1 to 65535"},
		{WHERE "--port 65536", "from 1 to 65535"},
		{WHERE "--port -1", "from 1 to 65535"},
		{WHERE "--port 80x", "from 1 to 65535"},
		{WHERE "--port=", "from 1 to 65535"},
		{WHERE "--server localhost", "an IPv4 or IPv6 address"},
		{WHERE "--nic-address 10.0.0.1", "addresses with prefix lengths"},
		{WHERE "--nic-gateway x", "an address"},
		{WHERE "--connections 64001", "from 1 to 64000"},
		{WHERE "--pipeline 0", "from 1 to 4096"},
		{WHERE "--ratio 1", "two numbers"},
		{WHERE "--ratio 0:0", "two numbers"},
		{WHERE "--ratio 1:2:3", "two numbers"},
		{WHERE "--ratio -1:2", "two numbers"},
		{WHERE "--keys 0", "from 1 to"},
		{WHERE "--keys 99999999999999999999", "from 1 to"},
		{WHERE "--keys 18446744073709551615g", "from 1 to"},
		{WHERE "--key-pattern gauss", "uniform, zipf"},
		{WHERE "--key-pattern zipf:-1", "uniform, zipf"},
		{WHERE "--key-pattern zipf:nan", "uniform, zipf"},
		{WHERE "--key-size 0", "1 to 1024"},
		{WHERE "--data-size 1gb", "512mb"},
		{WHERE "--data-size 10-5", "512mb"},
		{WHERE "--data-size 5-", "512mb"},
		{WHERE "--seconds 0", "from 0.1"},
		{WHERE "--seconds nan", "from 0.1"},
		{WHERE "--give-up 0", "from 0.5"},
		{WHERE "--rate x", "requests a second"},
		{WHERE "--cores 1-", "a list of at most 16"},
		{WHERE "--cores 3-1", "a list of at most 16"},
		{WHERE "--cores 0,", "a list of at most 16"},
		{WHERE "--cores 0-16", "a list of at most 16"},
		{WHERE "--cores 0-3 --connections 2", "at least one for each"},
		{WHERE "--huge-pages maybe", "yes, no or auto"},
		{WHERE "--mode fast", "requests, bulk, churn"},
		{WHERE "--mode idle --rate 5", "--rate: means nothing in --mode idle"},
		{"--rate 5 --mode idle " WHERE, "--rate: means nothing in --mode idle"},
		{WHERE "--mode frames", "means nothing in --mode frames"},
		{"--mode echo --nic x --seconds 1", "--seconds: means nothing in --mode echo"},
		{"--mode echo --nic x --cores 0-1", "have one thread"},
	};
	struct options o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&o, cases[i].text), -EINVAL);
		if (!strstr(err, cases[i].said))
			fail_msg("%s: %s", cases[i].text, err);
	}
}

static void help_needs_nothing_and_names_everything(void **state)
{
	static const char *const names[] = {"--nic ", "--server ", "--mode ", "--rate ",
		"--data-size ", "--json ", "churn", "frames"};
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct options o;

	assert_int_equal(parse(&o, "--help"), 0);
	assert_true(o.is_help);
	options_help(f);
	fclose(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(text, names[i]));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 100);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_help),
		cmocka_unit_test(everything_is_taken),
		cmocka_unit_test(modes_have_their_own_defaults),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(help_needs_nothing_and_names_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
