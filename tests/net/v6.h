/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv6 frames for tests, made by hand: from station 9 (2001:db8::9, MAC 02:00:00:00:00:09) unless
 * another source is named. Each returns the frame's length.
 */
#ifndef MILLRACE_TESTS_NET_V6_H
#define MILLRACE_TESTS_NET_V6_H

#include "tests/net/wire.h"

extern const uint8_t v6_mac9[6];
extern const struct ip_addr v6_none;
extern const struct ip_addr v6_all_nodes; /* ff02::1 */

/* An address from its text. */
struct ip_addr v6_addr(const char *text);

/* What the fields of a frame are; zero ones get a usual value. */
struct v6_ip {
	const uint8_t *eth_dst;    /* NULL: the group's, or lab.b's */
	const uint8_t *eth_src;    /* NULL: station 9 */
	const struct ip_addr *src; /* NULL: station 9 */
	struct ip_addr dst;
	uint8_t next;
	uint8_t hops; /* 0: 64 */
};

uint32_t v6_build(uint8_t *frame, const struct v6_ip *ip, const void *payload, uint32_t len);

/* An ICMPv6 message: type, code and 32 bits, then len bytes; the checksum is right. */
uint32_t v6_icmp_build(uint8_t *frame, const struct v6_ip *ip, uint8_t type, uint8_t code,
	uint32_t param, const void *body, uint32_t len);

/* An echo request of len bytes of data. */
uint32_t v6_ping_build(uint8_t *frame, const struct v6_ip *ip, uint32_t len);

/* Discovery, with hop limit 255. mac NULL: without the option. */
uint32_t v6_ns_build(
	uint8_t *frame, const struct v6_ip *ip, const struct ip_addr *target, const uint8_t *mac);
uint32_t v6_na_build(uint8_t *frame, const struct v6_ip *ip, const struct ip_addr *target,
	uint32_t flags, const uint8_t *mac);

/* ff02::1:ffxx:xxxx of an address. */
struct ip_addr v6_solicited(const struct ip_addr *ip);

/* A TCP segment, checksum right. */
uint32_t v6_tcp_build(uint8_t *frame, const struct v6_ip *ip, const struct raw_tcp *t);

/* Is the frame an ICMPv6 message with a right checksum and length? */
bool v6_icmp_is_right(const uint8_t *frame, uint32_t len);

#endif
