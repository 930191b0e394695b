/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets of integers: bytes as redis-server 7.0 wrote them, widths at their edges, hostile bytes,
 * memory that runs out, and random edits against an array. The linker puts the functions below
 * in the place of mem_alloc() and mem_realloc() (--wrap, see meson.build).
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/types/intset.h"

static bool memory_out;

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

void *__wrap_mem_alloc(size_t size)
{
	return memory_out ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return memory_out ? NULL : __real_mem_realloc(ptr, size);
}

static struct intset *new_set(void)
{
	struct intset *is = intset_new();

	assert_non_null(is);
	return is;
}

static void add(struct intset **is, int64_t num)
{
	assert_int_equal(intset_add(is, num), INTSET_ADDED);
}

/* --- bytes that redis-server 7.0.15 wrote (DUMP, without what stands around the set) --- */

static const struct redis_case {
	unsigned nr;
	int64_t nums[5]; /* in the order in which they were added */
	size_t size;
	unsigned char bytes[48];
} redis_cases[] = {
	{4, {1, -5, 32767, -32768}, 16,
		{0x02, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x80, 0xfb, 0xff, 0x01, 0x00,
			0xff, 0x7f}},
	{3, {1, -5, 32768}, 20,
		{0x04, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0xfb, 0xff, 0xff, 0xff, 0x01, 0x00,
			0x00, 0x00, 0x00, 0x80, 0x00, 0x00}},
	{5, {1, -5, INT64_C(2147483648), INT64_MIN, 70000}, 48,
		{0x08, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
			0x00, 0x80, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00,
			0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x70, 0x11, 0x01, 0x00, 0x00, 0x00,
			0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00}},
};
#define NR_CASES (sizeof(redis_cases) / sizeof(redis_cases[0]))

static void redis_bytes_are_read_and_made_again(void **state)
{
	size_t used = mem_used();

	for (size_t i = 0; i < NR_CASES; i++) {
		const struct redis_case *c = &redis_cases[i];
		struct intset *made = new_set(), *read;

		assert_true(intset_valid(c->bytes, c->size, true));
		read = intset_copy(c->bytes, c->size);
		assert_non_null(read);
		assert_int_equal(intset_count(read), c->nr);
		for (unsigned k = 0; k < c->nr; k++) {
			assert_true(intset_find(read, c->nums[k]));
			add(&made, c->nums[k]);
		}
		assert_int_equal(intset_bytes(made), c->size);
		assert_memory_equal(made, c->bytes, c->size);
		intset_free(made);
		intset_free(read);
	}
	assert_int_equal(mem_used(), used);
}

static void width_is_that_of_the_widest(void **state)
{
	static const struct {
		int64_t num;
		unsigned width;
	} cases[] = {
		{INT16_MAX, 2},
		{INT16_MIN, 2},
		{INT16_MAX + 1, 4},
		{INT16_MIN - 1, 4},
		{INT32_MAX, 4},
		{INT32_MIN, 4},
		{INT64_C(2147483648), 8},
		{INT64_C(-2147483649), 8},
		{INT64_MAX, 8},
		{INT64_MIN, 8},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct intset *is = new_set();

		add(&is, 0);
		add(&is, -2);
		add(&is, 3);
		add(&is, cases[i].num);
		assert_int_equal(intset_width(is), cases[i].width);
		assert_int_equal(intset_bytes(is), 8 + 4 * cases[i].width);
		assert_true(intset_valid(is, intset_bytes(is), true));
		assert_true(intset_get(is, cases[i].num < 0 ? 0 : 3) == cases[i].num);
		assert_int_equal(intset_add(&is, cases[i].num), INTSET_THERE);
		assert_true(intset_find(is, -2) && intset_find(is, 0) && intset_find(is, 3));
		/* removing it narrows nothing, as in Redis */
		assert_true(intset_remove(&is, cases[i].num));
		assert_false(intset_remove(&is, cases[i].num));
		assert_int_equal(intset_width(is), cases[i].width);
		assert_true(intset_valid(is, intset_bytes(is), true));
		intset_free(is);
	}
}

static void empty_one_has_no_members(void **state)
{
	struct intset *is = new_set();

	assert_int_equal(intset_count(is), 0);
	assert_int_equal(intset_bytes(is), 8);
	assert_false(intset_find(is, 0));
	assert_false(intset_remove(&is, 0));
	/* Redis loads no empty sets */
	assert_false(intset_valid(is, intset_bytes(is), false));
	intset_free(is);
	intset_free(NULL);
}

static void add_fails_whole_when_memory_is_out(void **state)
{
	struct intset *is = new_set();
	int64_t num = 0;

	memory_out = true;
	assert_null(intset_new());
	assert_null(intset_copy(is, 8));
	while (intset_add(&is, num) == INTSET_ADDED)
		num++;
	assert_int_equal(intset_add(&is, INT64_MIN), INTSET_NO_MEMORY);
	assert_int_equal(intset_count(is), num);
	assert_int_equal(intset_width(is), 2);
	if (num > 0)
		assert_int_equal(intset_add(&is, 0), INTSET_THERE);
	memory_out = false;
	add(&is, num);
	assert_int_equal(intset_count(is), num + 1);
	intset_free(is);
}

static void memory_is_given_back(void **state)
{
	size_t used = mem_used();
	struct intset *is = new_set();

	for (int64_t num = 0; num < 10000; num++)
		add(&is, num);
	assert_true(mem_usable(is) >= 20008);
	for (int64_t num = 0; num < 9990; num++)
		assert_true(intset_remove(&is, num));
	assert_true(mem_usable(is) <= 64);
	intset_shrink(&is);
	assert_int_equal(intset_count(is), 10);
	assert_true(intset_valid(is, intset_bytes(is), true));
	intset_free(is);
	assert_int_equal(mem_used(), used);
}

/* In a block of exactly that size, so that a sanitizer sees the first byte too many. */
static bool valid_alone(const unsigned char *bytes, size_t size)
{
	unsigned char *copy = malloc(size > 0 ? size : 1);
	bool valid;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	valid = intset_valid(copy, size, true);
	free(copy);
	return valid;
}

static void truncations_are_refused(void **state)
{
	for (size_t i = 0; i < NR_CASES; i++) {
		for (size_t size = 0; size < redis_cases[i].size; size++)
			assert_false(valid_alone(redis_cases[i].bytes, size));
	}
}

/* A flip is refused unless the members are still in order: found out by reading them here. */
static void bit_flips_are_refused_unless_in_order(void **state)
{
	unsigned nr_valid = 0, nr_invalid = 0;

	for (size_t i = 0; i < NR_CASES; i++) {
		const struct redis_case *c = &redis_cases[i];
		unsigned char bad[48];

		for (size_t bit = 0; bit < c->size * 8; bit++) {
			int64_t prev = INT64_MIN;
			bool ordered = bit >= 64;
			unsigned width = c->bytes[0];

			memcpy(bad, c->bytes, c->size);
			bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
			for (unsigned k = 0; k < c->nr; k++) {
				uint64_t num = 0;

				memcpy(&num, bad + 8 + (size_t)k * width, width);
				num <<= 64 - 8 * width;
				ordered = ordered && (k == 0 || (int64_t)num > prev);
				prev = (int64_t)num;
			}
			assert_int_equal(valid_alone(bad, c->size), ordered);
			nr_valid += ordered;
			nr_invalid += !ordered;
		}
	}
	assert_true(nr_valid > 0 && nr_invalid > 0);
}

static void lies_are_refused(void **state)
{
	static const struct {
		size_t size;
		unsigned char bytes[16];
		bool valid;
	} cases[] = {
		{10, {2, 0, 0, 0, 1, 0, 0, 0, 5, 0}, true},
		{12, {2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 6, 0}, true},
		{12, {2, 0, 0, 0, 2, 0, 0, 0, 6, 0, 5, 0}, false}, /* order */
		{12, {2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0}, false}, /* twice */
		{12, {4, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}, true},  /* wider than need be */
		{12, {3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}, false}, /* no such width */
		{12, {0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}, false},
		{12, {2, 0, 0, 0, 3, 0, 0, 0, 5, 0, 6, 0}, false}, /* more than there are */
		{12, {2, 0, 0, 0, 1, 0, 0, 0, 5, 0, 6, 0}, false}, /* fewer */
		/* 4 GB of members, whose size is 8 when cut to 32 bits */
		{8, {4, 0, 0, 0, 0, 0, 0, 0x40}, false},
		{8, {8, 0, 0, 0, 0, 0, 0, 0x80}, false},
		{8, {2, 0, 0, 0, 0, 0, 0, 0}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(valid_alone(cases[i].bytes, cases[i].size), cases[i].valid);
	/* without deep, the order is not looked at */
	assert_true(intset_valid(cases[2].bytes, cases[2].size, false));
	assert_false(intset_valid(cases[7].bytes, cases[7].size, false));
}

/* --- random edits against a sorted array --- */

#define NR_MAX 300

struct model {
	uint64_t rng;
	unsigned nr;
	int64_t nums[NR_MAX];
	struct intset *is;
};

/* The first that is not below num. */
static unsigned model_rank(const struct model *m, int64_t num)
{
	unsigned i = 0;

	while (i < m->nr && m->nums[i] < num)
		i++;
	return i;
}

static void model_check(const struct model *m)
{
	assert_int_equal(intset_count(m->is), m->nr);
	assert_true(m->nr == 0 || intset_valid(m->is, intset_bytes(m->is), true));
	for (unsigned i = 0; i < m->nr; i++)
		assert_true(intset_get(m->is, i) == m->nums[i]);
}

static void step_add(struct model *m, int64_t num, unsigned at, bool there)
{
	enum intset_added added;

	memory_out = below(&m->rng, 10) == 0;
	added = intset_add(&m->is, num);
	if (there)
		assert_int_equal(added, INTSET_THERE);
	else if (added != INTSET_ADDED)
		assert_true(memory_out && added == INTSET_NO_MEMORY);
	memory_out = false;
	if (added != INTSET_ADDED)
		return;
	memmove(&m->nums[at + 1], &m->nums[at], (m->nr - at) * sizeof(m->nums[0]));
	m->nums[at] = num;
	m->nr++;
}

/* The width of the numbers grows with i. */
static void step(struct model *m, unsigned nr_bits)
{
	int64_t num = (int64_t)rnd(&m->rng) >> (64 - 1 - below(&m->rng, nr_bits));
	unsigned at = model_rank(m, num);
	bool there = at < m->nr && m->nums[at] == num;

	assert_int_equal(intset_find(m->is, num), there);
	if (below(&m->rng, 2) && m->nr < NR_MAX) {
		step_add(m, num, at, there);
		return;
	}
	if (!there && m->nr > 0 && below(&m->rng, 2)) {
		at = below(&m->rng, m->nr);
		num = m->nums[at];
		there = true;
	}
	assert_int_equal(intset_remove(&m->is, num), there);
	if (!there)
		return;
	memmove(&m->nums[at], &m->nums[at + 1], (m->nr - at - 1) * sizeof(m->nums[0]));
	m->nr--;
}

static void random_edits_agree_with_an_array(void **state)
{
	static const unsigned nr_bits[] = {8, 16, 17, 32, 33, 64};
	size_t used = mem_used();
	struct model m = {.rng = random_seed()};

	for (unsigned round = 0; round < 60; round++) {
		m.is = new_set();
		m.nr = 0;
		for (unsigned i = 0; i < 1200; i++) {
			step(&m, nr_bits[i / 200]);
			model_check(&m);
		}
		intset_free(m.is);
	}
	assert_int_equal(mem_used(), used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_bytes_are_read_and_made_again),
		cmocka_unit_test(width_is_that_of_the_widest),
		cmocka_unit_test(empty_one_has_no_members),
		cmocka_unit_test(add_fails_whole_when_memory_is_out),
		cmocka_unit_test(memory_is_given_back),
		cmocka_unit_test(truncations_are_refused),
		cmocka_unit_test(bit_flips_are_refused_unless_in_order),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(random_edits_agree_with_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
