/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SipHash-2-4 against the example of its paper (appendix A) and published vectors for key 00..0f.
 */
#include "dataplane/ip/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct siphash_key the_key(void)
{
	uint8_t bytes[16];

	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	return siphash_key_load(bytes);
}

static void example_of_the_paper(void **state)
{
	const struct siphash_key key = the_key();
	uint8_t in[15];

	for (int i = 0; i < 15; i++)
		in[i] = (uint8_t)i;
	assert_true(siphash(&key, in, 15) == 0xa129ca6149be45e5ull);
}

static void short_inputs(void **state)
{
	/* Inputs 00, 00 01, ... of lengths 0 to 8. */
	static const uint64_t want[9] = {0x726fdb47dd0e0e31ull, 0x74f839c593dc67fdull,
		0x0d6c8009d9a94f5aull, 0x85676696d7fb7e2dull, 0xcf2794e0277187b7ull,
		0x18765564cd99a68dull, 0xcbc9466e58fee3ceull, 0xab0200f58b01d137ull,
		0x93f5f5799a932462ull};
	const struct siphash_key key = the_key();
	uint8_t in[8];

	for (int i = 0; i < 8; i++)
		in[i] = (uint8_t)i;
	for (size_t len = 0; len <= 8; len++)
		assert_true(siphash(&key, in, len) == want[len]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_paper),
		cmocka_unit_test(short_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
