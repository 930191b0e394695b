/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-32C (Castagnoli), reflected, without initial or final inversion: the caller chooses the
 * seed. Checksums of the pool's own structures and of the log's runs. Any thread.
 */
#ifndef MILLRACE_PERSIST_CRC32C_H
#define MILLRACE_PERSIST_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC of the bytes so far (@crc, the seed at first) followed by @len bytes at @buf: feeding pieces
 * gives what feeding the whole gives.
 */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

#endif
