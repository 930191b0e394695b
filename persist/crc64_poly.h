/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reflected polynomial of crc64.c and of the program that makes its tables: bit 63 stands for
 * x^0.
 */
#ifndef MILLRACE_PERSIST_CRC64_POLY_H
#define MILLRACE_PERSIST_CRC64_POLY_H

#include <stdint.h>

#define CRC64_POLY   0x95ac9329ac4bc9b5ULL /* 0xad93d23594c935a9, its bits in reverse */
#define CRC64_TABLES 8

/* Times x, modulo the polynomial. */
static inline uint64_t crc64_times_x(uint64_t v)
{
	return v & 1 ? v >> 1 ^ CRC64_POLY : v >> 1;
}

#endif
