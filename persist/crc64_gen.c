/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints the tables of crc64.c; runs during the build.
 *
 * Table 0 is the CRC of each single byte; table k that of the byte followed by k zero bytes.
 * CRC64_X_<n> is x^n modulo the polynomial.
 */
#include "persist/crc64_poly.h"

#include <stdio.h>

static void print_power(unsigned n)
{
	uint64_t v = 1ULL << 63;

	for (unsigned i = 0; i < n; i++)
		v = crc64_times_x(v);
	printf("#define CRC64_X_%u 0x%016llxULL\n", n, (unsigned long long)v);
}

int main(void)
{
	static uint64_t table[CRC64_TABLES][256];

	for (unsigned byte = 0; byte < 256; byte++) {
		uint64_t crc = byte;
		for (unsigned t = 0; t < CRC64_TABLES; t++) {
			for (int bit = 0; bit < 8; bit++)
				crc = crc64_times_x(crc);
			table[t][byte] = crc;
		}
	}
	printf("static const uint64_t crc64_table[%d][256] = {\n", CRC64_TABLES);
	for (unsigned t = 0; t < CRC64_TABLES; t++) {
		printf("{\n");
		for (unsigned byte = 0; byte < 256; byte++)
			printf("0x%016llxULL,\n", (unsigned long long)table[t][byte]);
		printf("},\n");
	}
	printf("};\n");
	print_power(127);
	print_power(191);
	print_power(511);
	print_power(575);
	return 0;
}
