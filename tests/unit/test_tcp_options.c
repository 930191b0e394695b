/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP options: a table of cases, each whole and cut at every byte; what is written is read back;
 * and sequence comparisons.
 */
#include "dataplane/tcp/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct opt_case {
	const char *what;
	uint8_t bytes[40];
	uint32_t len;
	bool is_good;
	struct tcp_opts want;
};

static const struct opt_case cases[] = {
	{"none", {0}, 0, true, {0}},
	{"end first", {0, 9, 9, 9}, 4, true, {0}},
	{"only padding", {1, 1, 1, 1}, 4, true, {0}},
	{"mss", {2, 4, 5, 0xb4}, 4, true, {.has_mss = true, .mss = 1460}},
	{"mss of wrong length is skipped", {2, 3, 5, 1}, 4, true, {0}},
	{"scale", {1, 3, 3, 7}, 4, true, {.has_wscale = true, .wscale = 7}},
	{"scale is capped", {3, 3, 255, 0}, 4, true, {.has_wscale = true, .wscale = 14}},
	{"sack permitted", {4, 2, 1, 1}, 4, true, {.has_sack_ok = true}},
	{"timestamps, aligned", {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 12, true,
		{.has_ts = true, .tsval = 1, .tsecr = 2}},
	{"timestamps, not aligned", {8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0}, 12, true,
		{.has_ts = true, .tsval = 1, .tsecr = 2}},
	{"one block", {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}, 12, true,
		{.nr_sacks = 1, .sacks = {{1, 9}}}},
	{"block of odd length is skipped", {1, 1, 5, 9, 0, 0, 0, 1, 0, 0, 0, 1}, 12, true, {0}},
	{"empty sack is skipped", {5, 2, 1, 1}, 4, true, {0}},
	{"unknown is skipped", {254, 6, 1, 2, 3, 4, 4, 2}, 8, true, {.has_sack_ok = true}},
	{"length 0", {2, 0, 0, 0}, 4, false, {0}},
	{"length 1", {254, 1, 0, 0}, 4, false, {0}},
	{"length beyond the end", {1, 1, 2, 4}, 4, false, {0}},
	{"no length", {1, 1, 1, 8}, 4, false, {0}},
	{"long unknown beyond the end", {253, 40, 0, 0}, 4, false, {0}},
	{"last of two wins", {2, 4, 1, 0, 2, 4, 2, 0}, 8, true, {.has_mss = true, .mss = 512}},
};

static void table_of_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct opt_case *c = &cases[i];
		/* Of exactly that size, so that a sanitizer sees a read beyond. */
		uint8_t *copy = malloc(c->len + 1);
		struct tcp_opts got;

		memcpy(copy + 1, c->bytes, c->len);
		if (tcp_opts_parse(copy + 1, c->len, &got) != c->is_good)
			fail_msg("%s", c->what);
		if (c->is_good && memcmp(&got, &c->want, sizeof(got)) != 0)
			fail_msg("%s: differs", c->what);
		free(copy);
	}
}

static void any_cut_is_safe(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (uint32_t cut = 0; cut <= cases[i].len; cut++) {
			uint8_t *copy = malloc(cut + 1);
			struct tcp_opts got;

			memcpy(copy + 1, cases[i].bytes, cut);
			tcp_opts_parse(copy + 1, cut, &got);
			free(copy);
		}
	}
}

static void random_bytes_are_safe(void **state)
{
	uint8_t bytes[40];
	struct tcp_opts got;

	srand(5);
	for (int i = 0; i < 200000; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)(rand() % (rand() % 2 ? 12 : 256));
		tcp_opts_parse(bytes, (uint32_t)(rand() % 41), &got);
		assert_true(got.nr_sacks <= TCP_MAX_SACKS);
		assert_true(got.wscale <= TCP_MAX_WSCALE);
	}
}

static void written_options_are_read_back(void **state)
{
	for (int mask = 0; mask < 16; mask++) {
		for (uint8_t nr = 0; nr <= TCP_MAX_SACKS; nr++) {
			uint8_t bytes[TCP_OPTIONS_MAX];
			struct tcp_opts opts = {.nr_sacks = nr}, got;
			uint32_t len;

			opts.has_mss = mask & 1;
			opts.mss = mask & 1 ? 1460 : 0;
			opts.has_wscale = mask & 2;
			opts.wscale = mask & 2 ? 9 : 0;
			opts.has_ts = mask & 4;
			opts.tsval = mask & 4 ? 0x01020304 : 0;
			opts.tsecr = mask & 4 ? 0xfffefdfc : 0;
			opts.has_sack_ok = mask & 8;
			for (uint8_t i = 0; i < nr; i++)
				opts.sacks[i] = (struct tcp_range){i * 10u, i * 10u + 5};
			len = tcp_opts_write(bytes, &opts);
			assert_true(len <= TCP_OPTIONS_MAX && len % 4 == 0);
			assert_true(tcp_opts_parse(bytes, len, &got));
			assert_true(got.nr_sacks <= nr);
			if (!mask)
				assert_int_equal(got.nr_sacks, nr);
			if (mask == 4)
				assert_int_equal(got.nr_sacks, nr < 3 ? nr : 3);
			for (uint8_t i = got.nr_sacks; i < nr; i++)
				opts.sacks[i] = (struct tcp_range){0, 0};
			opts.nr_sacks = got.nr_sacks;
			assert_memory_equal(&got, &opts, sizeof(got));
		}
	}
}

static void sequence_numbers_wrap(void **state)
{
	assert_true(seq_lt(0xffffffff, 0));
	assert_true(seq_lt(0xfffffff0, 0x10));
	assert_false(seq_lt(0x10, 0xfffffff0));
	assert_true(seq_leq(5, 5) && seq_geq(5, 5) && !seq_lt(5, 5) && !seq_gt(5, 5));
	assert_true(seq_gt(0, 0xffffffff));
	assert_int_equal(seq_max(0xffffffff, 1), 1);
	assert_int_equal(seq_min(0xffffffff, 1), 0xffffffff);
	assert_true(seq_in(0, 0xfffffffe, 2));
	assert_false(seq_in(2, 0xfffffffe, 2));
	assert_false(seq_in(7, 7, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_cases),
		cmocka_unit_test(any_cut_is_safe),
		cmocka_unit_test(random_bytes_are_safe),
		cmocka_unit_test(written_options_are_read_back),
		cmocka_unit_test(sequence_numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
