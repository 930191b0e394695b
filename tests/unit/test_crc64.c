/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-64: the check value, a bit-by-bit model, and the combination of two.
 */
#include "persist/crc64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint8_t sample[1100]; /* long enough for every way of computing it */

/* Straight from the definition: the unreflected polynomial, bits in reflected order. */
static uint64_t model(const uint8_t *p, size_t len)
{
	uint64_t crc = 0, mirrored = 0;

	for (size_t i = 0; i < 8 * len; i++) {
		uint64_t top = crc >> 63 ^ (p[i / 8] >> i % 8 & 1);
		crc = crc << 1 ^ (top ? 0xad93d23594c935a9ULL : 0);
	}
	for (int i = 0; i < 64; i++)
		mirrored |= (crc >> i & 1) << (63 - i);
	return mirrored;
}

static void check_value_is_that_of_the_definition(void **state)
{
	assert_true(crc64(0, "123456789", 9) == 0xe9c6d914c4b8d9caULL);
	assert_true(crc64(0, "", 0) == 0);
}

static void every_length_and_alignment_agrees_with_the_model(void **state)
{
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; len + from <= sizeof(sample); len++)
			assert_true(crc64(0, sample + from, len) == model(sample + from, len));
}

static void a_crc_continues_over_pieces(void **state)
{
	uint64_t whole = crc64(0, sample, sizeof(sample));

	for (size_t at = 0; at <= sizeof(sample); at++)
		assert_true(crc64(crc64(0, sample, at), sample + at, sizeof(sample) - at) == whole);
}

static void two_crcs_combine_to_that_of_both(void **state)
{
	uint64_t whole = crc64(0, sample, sizeof(sample));

	for (size_t at = 0; at <= sizeof(sample); at++) {
		uint64_t a = crc64(0, sample, at);
		uint64_t b = crc64(0, sample + at, sizeof(sample) - at);
		assert_true(crc64_combine(a, b, sizeof(sample) - at) == whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_value_is_that_of_the_definition),
		cmocka_unit_test(every_length_and_alignment_agrees_with_the_model),
		cmocka_unit_test(a_crc_continues_over_pieces),
		cmocka_unit_test(two_crcs_combine_to_that_of_both),
	};

	uint64_t v = 1;
	for (size_t i = 0; i < sizeof(sample); i++) {
		v = v * 6364136223846793005ULL + 1442695040888963407ULL;
		sample[i] = (uint8_t)(v >> 56);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
