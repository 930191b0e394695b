/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Internet checksum. The one's complement sum does not mind the order of bytes (RFC 1071,
 * 2.B), so words are added as they lie, and the fold gives the sum as it lies.
 */
#include "dataplane/ip/csum.h"

#include "dataplane/ip/wire.h"

#include <string.h>

static inline uint64_t add_carry(uint64_t sum, uint64_t v)
{
	sum += v;
	return sum + (sum < v);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Fewer than eight bytes. A copy of a number of bytes not known to the compiler would be a call. */
static inline uint64_t rest_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t v32;
	uint16_t v16;

	if (len & 4) {
		memcpy(&v32, p, 4);
		sum = v32;
		p += 4;
	}
	if (len & 2) {
		memcpy(&v16, p, 2);
		sum += v16;
		p += 2;
	}
	if (len & 1) {
		v16 = 0;
		memcpy(&v16, p, 1); /* the first of a word whose second is zero */
		sum += v16;
	}
	return sum;
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0;

	/* Two chains of additions keep two adders busy. */
	while (len >= 32) {
		sum = add_carry(sum, load64(p));
		other = add_carry(other, load64(p + 8));
		sum = add_carry(sum, load64(p + 16));
		other = add_carry(other, load64(p + 24));
		p += 32;
		len -= 32;
	}
	sum = add_carry(sum, other);
	while (len >= 8) {
		sum = add_carry(sum, load64(p));
		p += 8;
		len -= 8;
	}
	return len ? add_carry(sum, rest_sum(p, len)) : sum;
}

/* From an odd place on, the bytes of each word are the other way round (RFC 1071, 2.B). */
uint64_t csum_add_at(uint64_t sum, const void *data, size_t len, uint32_t at)
{
	if (at & 1)
		return add_carry(sum, __builtin_bswap16(csum_fold(csum_add(0, data, len))));
	return csum_add(sum, data, len);
}

uint16_t csum_of(const void *data, size_t len)
{
	return (uint16_t)~csum_fold(csum_add(0, data, len));
}

uint64_t csum_pseudo_v4(uint32_t src_be, uint32_t dst_be, uint8_t proto, uint32_t len)
{
	return (uint64_t)src_be + dst_be + be32((uint32_t)proto << 16 | (len & 0xffffu));
}
