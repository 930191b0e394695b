/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The frames are put together from the RFCs' pictures, byte by byte, and not with the stack's own
 * functions, but for the sum.
 */
#include "tests/net/v6.h"

#include "dataplane/ip/csum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const uint8_t v6_mac9[6] = {2, 0, 0, 0, 0, 9};
const struct ip_addr v6_none = {{0, 0}};
const struct ip_addr v6_all_nodes = {{0x2ff, 0x0100000000000000}};

struct ip_addr v6_addr(const char *text)
{
	struct ip_addr ip;

	assert_true(ip_addr_parse(text, &ip));
	return ip;
}

struct ip_addr v6_solicited(const struct ip_addr *ip)
{
	uint8_t b[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	memcpy(b + 13, (const uint8_t *)ip + 13, 3);
	return ip_addr_load(b);
}

static struct ip_addr src_of(const struct v6_ip *ip)
{
	return ip->src ? *ip->src : lab_v6(9);
}

uint32_t v6_build(uint8_t *frame, const struct v6_ip *ip, const void *payload, uint32_t len)
{
	const struct ip_addr src = src_of(ip);
	const uint8_t *dst = (const uint8_t *)&ip->dst;
	const uint8_t group[6] = {0x33, 0x33, dst[12], dst[13], dst[14], dst[15]};
	const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 2};
	uint8_t *h = frame + 14;

	memcpy(frame, ip->eth_dst ? ip->eth_dst : dst[0] == 0xff ? group : mac_b, 6);
	memcpy(frame + 6, ip->eth_src ? ip->eth_src : v6_mac9, 6);
	put_be16(frame + 12, 0x86dd);
	put_be32(h, 0x60000000);
	put_be16(h + 4, (uint16_t)len);
	h[6] = ip->next;
	h[7] = ip->hops ? ip->hops : 64;
	memcpy(h + 8, &src, 16);
	memcpy(h + 24, &ip->dst, 16);
	memcpy(h + 40, payload, len);
	return 54 + len;
}

static uint16_t sum_of(const struct v6_ip *ip, uint8_t proto, const uint8_t *msg, uint32_t len)
{
	const struct ip_addr src = src_of(ip);
	uint8_t pseudo[40] = {0};

	memcpy(pseudo, &src, 16);
	memcpy(pseudo + 16, &ip->dst, 16);
	put_be32(pseudo + 32, len);
	pseudo[39] = proto;
	return (uint16_t)~csum_fold(csum_add(csum_add(0, pseudo, sizeof(pseudo)), msg, len));
}

uint32_t v6_icmp_build(uint8_t *frame, const struct v6_ip *ip, uint8_t type, uint8_t code,
	uint32_t param, const void *body, uint32_t len)
{
	struct v6_ip with_next = *ip;
	uint8_t msg[2048] = {type, code};
	uint16_t csum;

	put_be32(msg + 4, param);
	memcpy(msg + 8, body, len);
	csum = sum_of(ip, 58, msg, len + 8);
	memcpy(msg + 2, &csum, 2);
	with_next.next = 58;
	return v6_build(frame, &with_next, msg, len + 8);
}

uint32_t v6_ping_build(uint8_t *frame, const struct v6_ip *ip, uint32_t len)
{
	uint8_t body[2000];

	for (uint32_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 7);
	return v6_icmp_build(frame, ip, 128, 0, 0x12340001, body, len);
}

static uint32_t nd_build(uint8_t *frame, const struct v6_ip *ip, uint8_t type,
	const struct ip_addr *target, uint32_t flags, const uint8_t *mac)
{
	struct v6_ip with_hops = *ip;
	uint8_t body[24];

	memcpy(body, target, 16);
	body[16] = type == 135 ? 1 : 2;
	body[17] = 1;
	if (mac)
		memcpy(body + 18, mac, 6);
	if (!ip->hops)
		with_hops.hops = 255;
	return v6_icmp_build(frame, &with_hops, type, 0, flags, body, mac ? 24 : 16);
}

uint32_t v6_ns_build(
	uint8_t *frame, const struct v6_ip *ip, const struct ip_addr *target, const uint8_t *mac)
{
	return nd_build(frame, ip, 135, target, 0, mac);
}

uint32_t v6_na_build(uint8_t *frame, const struct v6_ip *ip, const struct ip_addr *target,
	uint32_t flags, const uint8_t *mac)
{
	return nd_build(frame, ip, 136, target, flags, mac);
}

uint32_t v6_tcp_build(uint8_t *frame, const struct v6_ip *ip, const struct raw_tcp *t)
{
	struct v6_ip with_next = *ip;
	uint8_t tcp[2048] = {0};
	const uint32_t len = 20 + t->opts_len + t->payload_len;
	uint16_t csum;

	put_be16(tcp, t->sport);
	put_be16(tcp + 2, t->dport);
	put_be32(tcp + 4, t->seq);
	put_be32(tcp + 8, t->ack);
	tcp[12] = (uint8_t)((20 + t->opts_len) / 4 << 4);
	tcp[13] = t->flags;
	put_be16(tcp + 14, t->wnd);
	if (t->opts_len)
		memcpy(tcp + 20, t->opts, t->opts_len);
	if (t->payload_len)
		memcpy(tcp + 20 + t->opts_len, t->payload, t->payload_len);
	csum = sum_of(ip, 6, tcp, len);
	memcpy(tcp + 16, &csum, 2);
	with_next.next = 6;
	return v6_build(frame, &with_next, tcp, len);
}

bool v6_icmp_is_right(const uint8_t *frame, uint32_t len)
{
	const uint8_t *h = frame + 14;
	const struct ip_addr src = ip_addr_load(h + 8);
	const struct v6_ip ip = {.src = &src, .dst = ip_addr_load(h + 24)};

	return len >= 62 && get_be16(frame + 12) == 0x86dd && h[0] >> 4 == 6 && h[6] == 58 &&
	       get_be16(h + 4) == len - 54 && sum_of(&ip, 58, h + 40, len - 54) == 0;
}
