/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IP addresses, 16 bytes for either family: an IPv4 address is kept in its mapped form
 * ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so that tables and interfaces need not grow for IPv6.
 * All zero means "no address".
 */
#ifndef MILLRACE_DATAPLANE_IP_ADDR_H
#define MILLRACE_DATAPLANE_IP_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
	uint64_t w[2]; /* the bytes in wire order */
};

/* v4 in host order: 10.0.0.1 is 0x0a000001. */
static inline struct ip_addr ip_addr_from_v4(uint32_t v4)
{
	uint8_t b[16] = {[10] = 0xff,
		[11] = 0xff,
		[12] = (uint8_t)(v4 >> 24),
		[13] = (uint8_t)(v4 >> 16),
		[14] = (uint8_t)(v4 >> 8),
		[15] = (uint8_t)v4};
	struct ip_addr a;

	memcpy(&a, b, sizeof(a));
	return a;
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	return a->w[0] == 0 && (uint32_t)a->w[1] == 0xffff0000u; /* hosts are little-endian */
}

/* The IPv4 address in host order; meaningful only where ip_addr_is_v4(). */
static inline uint32_t ip_addr_to_v4(const struct ip_addr *a)
{
	uint32_t be;

	memcpy(&be, (const uint8_t *)a + 12, sizeof(be));
	return __builtin_bswap32(be);
}

static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1];
}

static inline bool ip_addr_is_none(const struct ip_addr *a)
{
	return (a->w[0] | a->w[1]) == 0;
}

/* The 16 bytes of an IPv6 address, at any place. */
static inline struct ip_addr ip_addr_load(const void *bytes)
{
	struct ip_addr a;

	memcpy(&a, bytes, sizeof(a));
	return a;
}

static inline bool ip_addr_is_multicast_v6(const struct ip_addr *a) /* ff00::/8 */
{
	return (uint8_t)a->w[0] == 0xff;
}

static inline bool ip_addr_is_link_local_v6(const struct ip_addr *a) /* fe80::/10 */
{
	return (a->w[0] & 0xc0ff) == 0x80fe;
}

#define IP_ADDR_TEXT 46 /* room for an address as text */

/* "10.0.0.1", "2001:db8::1" (RFC 5952). */
void ip_addr_format(const struct ip_addr *a, char *buf, size_t size);

/* Reads either. False: it is neither. A mapped IPv4 address is refused: it is one of IPv4. */
bool ip_addr_parse(const char *text, struct ip_addr *out);

/* How many of the first bits of two addresses agree, 0..128. */
static inline unsigned ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t diff = __builtin_bswap64(a->w[i] ^ b->w[i]);

		if (diff)
			return i * 64 + (unsigned)__builtin_clzll(diff);
	}
	return 128;
}

#endif
