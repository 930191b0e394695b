/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-64 of RDB files and DUMP payloads: reflected Jones polynomial 0xad93d23594c935a9, initial
 * value 0, no final xor. crc64(0, "123456789", 9) is 0xe9c6d914c4b8d9ca.
 *
 * Pure functions: any thread.
 */
#ifndef MILLRACE_PERSIST_CRC64_H
#define MILLRACE_PERSIST_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* CRC of the bytes so far (their CRC is @crc, 0 for none) followed by @len bytes at @buf. */
uint64_t crc64(uint64_t crc, const void *buf, size_t len);

/* CRC of A followed by B, from @crc_a, @crc_b and the length of B alone; about a microsecond. */
uint64_t crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t len_b);

#endif
