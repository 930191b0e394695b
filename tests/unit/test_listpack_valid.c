/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listpacks from outside: cut, with a bit turned, with lies about sizes, and random bytes. Each is
 * refused, or can be walked over.
 */
#include "tests/unit/test_listpack.h"

/* What has been accepted can be walked from both ends, and read. */
static void walk_both_ways(const unsigned char *lp)
{
	size_t nr = lp_count(lp);
	size_t forward = 0, backward = 0;
	char buf[KS_INT_STR_MAX];

	for (unsigned char *p = lp_first(lp); p; p = lp_next(lp, p), forward++) {
		struct slice text = lp_text(p, buf);

		assert_true(lp_eq(p, text.ptr, text.len));
	}
	for (unsigned char *p = lp_last(lp); p; p = lp_prev(lp, p))
		backward++;
	assert_int_equal(forward, nr);
	assert_int_equal(backward, nr);
}

/* The bytes in a block of exactly their size, so that a sanitizer sees the first byte too many. */
static bool valid_alone(const unsigned char *bytes, size_t size)
{
	unsigned char *lp = malloc(size > 0 ? size : 1);
	bool valid;

	assert_non_null(lp);
	memcpy(lp, bytes, size);
	valid = lp_valid(lp, size, true);
	if (valid)
		walk_both_ways(lp);
	free(lp);
	return valid;
}

static void truncations_are_refused(void **state)
{
	for (size_t i = 0; i < NR_CASES; i++) {
		const struct redis_case *c = &redis_cases[i];
		unsigned char *cut = malloc(c->size);

		assert_non_null(cut);
		memcpy(cut, c->bytes, c->size);
		for (size_t size = 0; size < c->size; size++) {
			assert_false(valid_alone(c->bytes, size));
			if (size < LP_BYTES_EMPTY)
				continue;
			/* with the size and the end mark put right, the number is still wrong */
			cut[0] = (unsigned char)size;
			cut[size - 1] = 0xff;
			assert_false(valid_alone(cut, size));
			/* with an unknown number it is one if no element is cut */
			cut[4] = cut[5] = 0xff;
			valid_alone(cut, size);
			memcpy(cut, c->bytes, c->size);
		}
		free(cut);
	}
}

enum part {
	PART_FRAME, /* header, end mark, back lengths */
	PART_ENCODING,
	PART_DATA,
};

static enum part part_at(const unsigned char *lp, size_t pos)
{
	const unsigned char *at = lp + pos;

	for (const unsigned char *p = lp_first(lp); p; p = lp_next(lp, p)) {
		struct lp_val v = lp_get(p);
		const unsigned char *data = v.str ? (const unsigned char *)v.str : p + 1;
		size_t len = v.str ? v.len : lp_entry_size_int(v.num) - 2;

		if (at >= p && at < data)
			return PART_ENCODING;
		if (at >= data && at < data + len)
			return PART_DATA;
	}
	return PART_FRAME;
}

/* In the data they make another text or number. In an encoding they may make another of the same
 * size: valid_alone() walks over it. */
static void bit_flips_outside_of_elements_are_refused(void **state)
{
	unsigned nr_refused[3] = {0};

	for (size_t i = 0; i < NR_CASES; i++) {
		const struct redis_case *c = &redis_cases[i];
		unsigned char *bad = malloc(c->size);

		assert_non_null(bad);
		memcpy(bad, c->bytes, c->size);
		for (size_t bit = 0; bit < c->size * 8; bit++) {
			enum part part = part_at(c->bytes, bit / 8);
			bool valid;

			bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
			valid = valid_alone(bad, c->size);
			assert_true(part != PART_FRAME || !valid);
			assert_true(part != PART_DATA || valid);
			nr_refused[part] += !valid;
			bad[bit / 8] = c->bytes[bit / 8];
		}
		free(bad);
	}
	assert_true(nr_refused[PART_FRAME] > 0 && nr_refused[PART_ENCODING] > 0);
}

static void lies_about_sizes_are_refused(void **state)
{
	static const struct {
		size_t size;
		unsigned char bytes[24];
	} cases[] = {
		{7, {7, 0, 0, 0, 1, 0, 0xff}},          /* one element, no bytes */
		{7, {8, 0, 0, 0, 0, 0, 0xff}},          /* larger than it is */
		{7, {6, 0, 0, 0, 0, 0, 0xff}},          /* smaller */
		{7, {7, 0, 0, 0, 0, 0, 0xfe}},          /* no end mark */
		{8, {8, 0, 0, 0, 0, 0, 0xff, 0xff}},    /* ends early */
		{8, {8, 0, 0, 0, 1, 0, 0x05, 0xff}},    /* no back length */
		{9, {9, 0, 0, 0, 0, 0, 0x05, 1, 0xff}}, /* one, says none */
		{9, {9, 0, 0, 0, 2, 0, 0x05, 1, 0xff}}, /* one, says two */
		{9, {9, 0, 0, 0, 1, 0, 0x05, 2, 0xff}}, /* wrong back length */
		{9, {9, 0, 0, 0, 1, 0, 0xf5, 1, 0xff}}, /* no such encoding */
		{9, {9, 0, 0, 0, 1, 0, 0xbf, 1, 0xff}}, /* 63 letters */
		{9, {9, 0, 0, 0, 1, 0, 0xef, 1, 0xff}}, /* 4095 or so */
		{8, {8, 0, 0, 0, 1, 0, 0xe0, 0xff}},    /* half a length */
		{8, {8, 0, 0, 0, 1, 0, 0xf0, 0xff}},    /* a fifth of one */
		{8, {8, 0, 0, 0, 1, 0, 0xf4, 0xff}},    /* no value */
		{12, {12, 0, 0, 0, 1, 0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff}}, /* 4 GB */
		{13, {13, 0, 0, 0, 1, 0, 0x84, 'a', 'a', 'a', 0, 0x85,
			     0xff}}, /* 0 85 reads as 5 too */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_false(valid_alone(cases[i].bytes, cases[i].size));
}

static void random_bytes_are_refused_or_harmless(void **state)
{
	uint64_t rng = random_seed();
	unsigned nr_valid = 0;

	for (unsigned i = 0; i < 200000; i++) {
		static const unsigned char usual[] = {
			0, 1, 2, 3, 0x80, 0x81, 0x82, 0xc0, 0xe0, 0xf0, 0xf1, 0xff};
		unsigned size = LP_BYTES_EMPTY + below(&rng, 10);
		unsigned char lp[32] = {(unsigned char)size, 0, 0, 0, 0xff, 0xff};

		for (unsigned pos = 6; pos < size - 1; pos++)
			lp[pos] = below(&rng, 4) ? usual[below(&rng, sizeof(usual))]
						 : (unsigned char)below(&rng, 256);
		lp[size - 1] = 0xff;
		nr_valid += valid_alone(lp, size);
	}
	assert_true(nr_valid > 1000 && nr_valid < 190000);
}

static void good_ones_are_accepted(void **state)
{
	for (size_t i = 0; i < NR_CASES; i++) {
		assert_true(valid_alone(redis_cases[i].bytes, redis_cases[i].size));
		assert_lp(redis_cases[i].bytes, redis_cases[i].texts);
	}
	assert_true(valid_alone((const unsigned char[]){7, 0, 0, 0, 0, 0, 0xff}, 7));
	/* an unknown number is as good as the right one */
	assert_true(valid_alone((const unsigned char[]){9, 0, 0, 0, 0xff, 0xff, 5, 1, 0xff}, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_accepted),
		cmocka_unit_test(truncations_are_refused),
		cmocka_unit_test(bit_flips_outside_of_elements_are_refused),
		cmocka_unit_test(lies_about_sizes_are_refused),
		cmocka_unit_test(random_bytes_are_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
