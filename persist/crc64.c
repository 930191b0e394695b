/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-64: short input by slices of eight bytes, whose table look-ups do not depend on each other;
 * long input, where the processor multiplies polynomials, by folding.
 *
 * Folding: two messages that are equal modulo the polynomial, as polynomials, have the same CRC.
 * The first 16 bytes of a message (8 bytes "low", then 8 bytes "high") may be taken away if
 * low * x^(n+64) + high * x^n is added to the 16 bytes that lie n bits further on. Four such blocks
 * side by side are folded by 512 bits until less than 64 bytes are left, then into one, which takes
 * up blocks singly; the tables do the rest. Bits are reflected, so that a product of the processor
 * comes out multiplied by x, and the constants are one power less.
 */
#include "persist/crc64.h"

#include "persist/crc64_poly.h"
#include "persist/crc64_table.h"

#include <endian.h>
#include <string.h>

static uint64_t by_tables(uint64_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;
		memcpy(&word, p, sizeof(word));
		word = le64toh(word) ^ crc;
		crc = crc64_table[7][word & 0xff] ^ crc64_table[6][word >> 8 & 0xff] ^
		      crc64_table[5][word >> 16 & 0xff] ^ crc64_table[4][word >> 24 & 0xff] ^
		      crc64_table[3][word >> 32 & 0xff] ^ crc64_table[2][word >> 40 & 0xff] ^
		      crc64_table[1][word >> 48 & 0xff] ^ crc64_table[0][word >> 56];
	}
	for (; len > 0; p++, len--)
		crc = crc64_table[0][(crc ^ *p) & 0xff] ^ crc >> 8;
	return crc;
}

#ifdef __x86_64__
#include <immintrin.h>

#define FOLD_BYTES 64 /* four blocks: from here on it pays */

#define FOLD_TARGET __attribute__((target("pclmul,sse2")))

FOLD_TARGET static inline __m128i fold(__m128i block, __m128i powers, __m128i into)
{
	__m128i low = _mm_clmulepi64_si128(block, powers, 0x00);
	__m128i high = _mm_clmulepi64_si128(block, powers, 0x11);

	return _mm_xor_si128(into, _mm_xor_si128(low, high));
}

FOLD_TARGET static inline __m128i block_at(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* len >= FOLD_BYTES */
FOLD_TARGET static uint64_t by_folding(uint64_t crc, const uint8_t *p, size_t len)
{
	const __m128i by_512 = _mm_set_epi64x((long long)CRC64_X_511, (long long)CRC64_X_575);
	const __m128i by_128 = _mm_set_epi64x((long long)CRC64_X_127, (long long)CRC64_X_191);
	__m128i b[4];
	uint8_t rest[16];

	for (int i = 0; i < 4; i++)
		b[i] = block_at(p + 16 * i);
	b[0] = _mm_xor_si128(b[0], _mm_set_epi64x(0, (long long)crc));
	for (p += FOLD_BYTES, len -= FOLD_BYTES; len >= FOLD_BYTES;
		p += FOLD_BYTES, len -= FOLD_BYTES)
		for (int i = 0; i < 4; i++)
			b[i] = fold(b[i], by_512, block_at(p + 16 * i));
	for (int i = 0; i < 3; i++)
		b[i + 1] = fold(b[i], by_128, b[i + 1]);
	for (; len >= 16; p += 16, len -= 16)
		b[3] = fold(b[3], by_128, block_at(p));
	memcpy(rest, &b[3], sizeof(rest));
	return by_tables(by_tables(0, rest, sizeof(rest)), p, len);
}

uint64_t crc64(uint64_t crc, const void *bytes, size_t len)
{
	if (len >= FOLD_BYTES && __builtin_cpu_supports("pclmul"))
		return by_folding(crc, bytes, len);
	return by_tables(crc, bytes, len);
}
#else
uint64_t crc64(uint64_t crc, const void *bytes, size_t len)
{
	return by_tables(crc, bytes, len);
}
#endif

/* Product modulo the polynomial. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (; a != 0; a <<= 1) {
		if (a >> 63)
			product ^= b;
		b = crc64_times_x(b);
	}
	return product;
}

uint64_t crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t len_b)
{
	/* Bytes after A multiply its CRC by x^8 each: x^(8 len_b) by repeated squaring. */
	uint64_t square = 1ULL << (63 - 8);
	uint64_t shift = 1ULL << 63;

	for (; len_b != 0; len_b >>= 1) {
		if (len_b & 1)
			shift = multiply(shift, square);
		square = multiply(square, square);
	}
	return multiply(crc_a, shift) ^ crc_b;
}
