/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Internet checksum against the plain method of RFC 1071.
 */
#include "dataplane/ip/csum.h"

#include "dataplane/ip/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Two bytes a step, in network order. */
static uint16_t plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get_be16(p + i);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

static void every_length_and_alignment_matches(void **state)
{
	uint8_t bytes[320];

	srand(1);
	for (int fill = 0; fill < 4; fill++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = fill == 0 ? 0 : fill == 1 ? 0xff : (uint8_t)rand();
		for (size_t at = 0; at < 9; at++) {
			for (size_t len = 0; len <= 300; len++)
				assert_int_equal(
					be16(csum_of(bytes + at, len)), plain(bytes + at, len));
		}
	}
}

static void example_of_rfc_1071(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(be16(csum_fold(csum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}

static void message_with_its_checksum_sums_to_zero(void **state)
{
	uint8_t bytes[40];
	uint16_t csum;

	srand(2);
	for (int round = 0; round < 100000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand();
		bytes[10] = bytes[11] = 0;
		csum = csum_of(bytes, sizeof(bytes));
		memcpy(bytes + 10, &csum, 2);
		assert_int_equal(csum_of(bytes, sizeof(bytes)), 0);
		bytes[rand() % 40] ^= (uint8_t)(1u << rand() % 8);
		assert_int_not_equal(csum_of(bytes, sizeof(bytes)), 0);
	}
}

static void pseudo_header_matches(void **state)
{
	uint8_t pseudo[12];

	for (uint32_t len = 0; len < 65536; len += 4095) {
		put_be32(pseudo, 0x0a010203);
		put_be32(pseudo + 4, 0xc0a8fffe);
		pseudo[8] = 0;
		pseudo[9] = IP_PROTO_TCP;
		put_be16(pseudo + 10, (uint16_t)len);
		assert_int_equal(csum_fold(csum_pseudo_v4(
					 be32(0x0a010203), be32(0xc0a8fffe), IP_PROTO_TCP, len)),
			csum_fold(csum_add(0, pseudo, 12)));
	}
}

static void pseudo_header_of_both_families_matches(void **state)
{
	uint8_t pseudo[40];

	srand(3);
	for (int round = 0; round < 100000; round++) {
		struct ip_addr src, dst;
		const uint32_t len = (uint32_t)rand() & 0xffff;
		const uint32_t v4 = (uint32_t)rand() << 1, v4_dst = (uint32_t)rand() << 1;

		/* RFC 8200, 8.1 */
		for (size_t i = 0; i < 32; i++)
			pseudo[i] = rand() % 3 ? (uint8_t)rand() : 0xff;
		src = ip_addr_load(pseudo);
		dst = ip_addr_load(pseudo + 16);
		put_be32(pseudo + 32, len);
		put_be32(pseudo + 36, IP_PROTO_TCP);
		assert_int_equal(csum_fold(csum_pseudo(&src, &dst, IP_PROTO_TCP, len)),
			csum_fold(csum_add(0, pseudo, sizeof(pseudo))));
		src = ip_addr_from_v4(v4);
		dst = ip_addr_from_v4(v4_dst);
		assert_int_equal(csum_fold(csum_pseudo(&src, &dst, IP_PROTO_TCP, len)),
			csum_fold(csum_pseudo_v4(be32(v4), be32(v4_dst), IP_PROTO_TCP, len)));
	}
}

static void pieces_of_any_length_sum_to_the_whole(void **state)
{
	uint8_t bytes[600];

	srand(4);
	for (int round = 0; round < 20000; round++) {
		const uint32_t len = 1 + (uint32_t)rand() % sizeof(bytes);
		uint64_t sum = 0;

		for (uint32_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)rand();
		for (uint32_t at = 0, n; at < len; at += n) {
			n = (uint32_t)rand() % (len - at + 1);
			sum = csum_add_at(sum, bytes + at, n, at);
		}
		assert_int_equal(csum_fold(sum), csum_fold(csum_add(0, bytes, len)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_alignment_matches),
		cmocka_unit_test(example_of_rfc_1071),
		cmocka_unit_test(message_with_its_checksum_sums_to_zero),
		cmocka_unit_test(pseudo_header_matches),
		cmocka_unit_test(pieces_of_any_length_sum_to_the_whole),
		cmocka_unit_test(pseudo_header_of_both_families_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
