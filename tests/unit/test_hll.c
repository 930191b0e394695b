/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HyperLogLog: both forms against an array of registers, strings that redis-server 7.0.15 made,
 * and strings that are not what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/commands/hll.h"
#include "app/keyspace/rand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void raise_with(struct hll *h, const char *element)
{
	assert_true(hll_raise(h, hll_mark(element, strlen(element)), 3000) <= HLL_CHANGED);
}

/* PFADD with these three elements, in this order, then PFCOUNT. */
static void bytes_are_those_of_redis(void **state)
{
	static const uint8_t want[] = {0x48, 0x59, 0x4c, 0x4c, 0x01, 0x00, 0x00, 0x00, 0x03, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x60, 0xf3, 0x80, 0x50, 0xb1, 0x84, 0x4b, 0xfb,
		0x80, 0x42, 0x5a};
	struct hll h;
	uint64_t card;

	assert_true(hll_init(&h));
	raise_with(&h, "a");
	raise_with(&h, "b");
	raise_with(&h, "c");
	assert_true(hll_count(h.str, h.len, &card));
	assert_int_equal(card, 3);
	hll_cache(h.str, card);
	assert_int_equal(h.len, sizeof(want));
	assert_memory_equal(h.str, want, sizeof(want));
	hll_fini(&h);
}

static void both_forms_follow_the_registers(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);

	print_message("seed %llu\n", (unsigned long long)seed);
	ks_rand_seed(seed);
	for (unsigned round = 0; round < 20; round++) {
		uint8_t regs[HLL_REGISTERS] = {0}, got[HLL_REGISTERS] = {0};
		uint64_t max = ks_rand_below(2) ? 3000 : 20000, one, two;
		struct hll h;

		assert_true(hll_init(&h));
		for (unsigned i = 0; i < 1500; i++) {
			struct hll_mark mark = {(uint32_t)ks_rand_below(HLL_REGISTERS),
				(uint8_t)(1 + ks_rand_below(i < 1200 ? 4 : 34))};

			if (ks_rand_below(2))
				mark.reg /= 16; /* close together: runs are split and joined */
			bool higher = mark.val > regs[mark.reg];

			assert_int_equal(hll_raise(&h, mark, max), higher ? HLL_CHANGED : HLL_SAME);
			if (higher)
				regs[mark.reg] = mark.val;
		}
		assert_true(hll_is(h.str, h.len));
		assert_true(hll_merge(h.str, h.len, got));
		assert_memory_equal(got, regs, sizeof(regs));
		assert_true(hll_count(h.str, h.len, &one));
		assert_int_equal(one, hll_count_registers(regs));
		assert_false(hll_cached(h.str, &two));
		assert_true(hll_to_dense(&h) <= HLL_CHANGED);
		assert_true(hll_count(h.str, h.len, &two));
		assert_int_equal(one, two);
		hll_fini(&h);
	}
}

static void estimates_are_close(void **state)
{
	struct hll h;
	char text[24];

	assert_true(hll_init(&h));
	for (unsigned i = 1, look = 10; i <= 100000; i++) {
		uint64_t card;

		snprintf(text, sizeof(text), "element:%u", i);
		raise_with(&h, text);
		if (i != look)
			continue;
		assert_true(hll_count(h.str, h.len, &card));
		assert_true(fabs((double)card - i) <= 0.05 * i);
		look *= 10;
	}
	assert_true(hll_is_dense(h.str));
	hll_fini(&h);
}

/* In a block of exactly that size, so that a sanitizer sees the first byte too many. */
static void use_foreign(const uint8_t *bytes, size_t len)
{
	uint8_t *str = malloc(len > 0 ? len : 1), regs[HLL_REGISTERS] = {0};
	uint64_t card;
	struct hll h;

	memcpy(str, bytes, len);
	if (hll_is(str, len)) {
		bool whole = hll_merge(str, len, regs);

		hll_count(str, len, &card);
		assert_true(hll_load(&h, str, len));
		for (unsigned i = 0; i < 20; i++) {
			struct hll_mark mark = {(uint32_t)ks_rand_below(HLL_REGISTERS),
				(uint8_t)(1 + ks_rand_below(40))};
			enum hll_rc rc = hll_raise(&h, mark, 3000);

			assert_true(rc != HLL_NO_MEMORY);
			assert_true(!whole || rc != HLL_CORRUPT);
		}
		hll_fini(&h);
	}
	free(str);
}

static void foreign_strings_do_no_harm(void **state)
{
	struct hll h;
	char text[24];

	assert_true(hll_init(&h));
	for (unsigned i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "e%u", i);
		raise_with(&h, text);
	}
	for (size_t len = 0; len <= h.len; len++)
		use_foreign(h.str, len);
	for (unsigned i = 0; i < 3000; i++) {
		size_t at = ks_rand_below(h.len);
		uint8_t old = h.str[at];

		h.str[at] ^= (uint8_t)(1u << ks_rand_below(8));
		use_foreign(h.str, h.len);
		h.str[at] = old;
	}
	hll_fini(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_those_of_redis),
		cmocka_unit_test(both_forms_follow_the_registers),
		cmocka_unit_test(estimates_are_close),
		cmocka_unit_test(foreign_strings_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
