/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flow hash of frames. Every length is checked: the frame has not been looked at by anyone before.
 */
#include "dataplane/ip/flow.h"

#include "dataplane/ip/ipv6_ext.h"
#include "dataplane/ip/wire.h"

#include <stddef.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static uint64_t end_hash(const struct ip_addr *a, uint16_t port)
{
	return mix(a->w[0] + mix(a->w[1] ^ (uint64_t)port << 16));
}

uint32_t net_flow_hash_tuple(
	const struct ip_addr *a, uint16_t aport, const struct ip_addr *b, uint16_t bport)
{
	/* Addition makes it symmetrical; both halves are well mixed, so nothing cancels out. */
	return (uint32_t)(mix(end_hash(a, aport) + end_hash(b, bport)) >> 16);
}

/* What stands at the start of an IP packet that may be cut off (as in an ICMP error). */
struct upper {
	struct ip_addr src, dst;
	uint32_t off; /* of what is above IP */
	uint8_t proto;
};

static bool v4_look(const uint8_t *ip, uint32_t len, struct upper *u)
{
	uint32_t ihl;

	if (len < sizeof(struct ipv4_hdr) || ip[0] >> 4 != 4)
		return false;
	ihl = (ip[0] & 0xfu) * 4;
	if (ihl < sizeof(struct ipv4_hdr) || len < ihl)
		return false;
	if (get_be16(ip + 6) & (IPV4_MF | IPV4_OFFSET_MASK))
		return false;
	u->src = ip_addr_from_v4(get_be32(ip + 12));
	u->dst = ip_addr_from_v4(get_be32(ip + 16));
	u->off = ihl;
	u->proto = ip[9];
	return true;
}

static bool v6_look(const uint8_t *ip, uint32_t len, struct upper *u)
{
	struct ipv6_walk w;

	if (len < sizeof(struct ipv6_hdr) || ip[0] >> 4 != 6 || !ipv6_ext_walk(ip, len, &w))
		return false;
	u->src = ip_addr_load(ip + offsetof(struct ipv6_hdr, src));
	u->dst = ip_addr_load(ip + offsetof(struct ipv6_hdr, dst));
	u->off = w.off;
	u->proto = w.proto;
	return true;
}

static bool tcp_tuple_hash(const uint8_t *ip, uint32_t len, const struct upper *u, uint32_t *hash)
{
	if (u->proto != IP_PROTO_TCP || len < u->off + 4)
		return false;
	*hash = net_flow_hash_tuple(
		&u->src, get_be16(ip + u->off), &u->dst, get_be16(ip + u->off + 2));
	return true;
}

/* Is it an ICMP error? Then the packet that it is about begins at u->off + 8. */
static bool is_error(const uint8_t *ip, uint32_t len, const struct upper *u)
{
	if (len < u->off + 8)
		return false;
	return (u->proto == IP_PROTO_ICMP && ip[u->off] == ICMP_UNREACH) ||
	       (u->proto == IP_PROTO_ICMPV6 && ip[u->off] < ICMP6_INFO_MIN);
}

bool net_flow_hash(const struct pkt *p, uint32_t *hash)
{
	bool (*look)(const uint8_t *, uint32_t, struct upper *);
	const uint8_t *ip = p->data + sizeof(struct eth_hdr);
	struct upper u;
	uint32_t len;

	*hash = 0;
	if (p->len < sizeof(struct eth_hdr))
		return false;
	len = p->len - (uint32_t)sizeof(struct eth_hdr);
	switch (get_be16(p->data + 12)) {
	case ETH_TYPE_IPV4: look = v4_look; break;
	case ETH_TYPE_IPV6: look = v6_look; break;
	default: return false;
	}
	if (!look(ip, len, &u))
		return false;
	if (tcp_tuple_hash(ip, len, &u, hash))
		return true;
	if (!is_error(ip, len, &u))
		return false;
	ip += u.off + 8;
	len -= u.off + 8;
	return look(ip, len, &u) && tcp_tuple_hash(ip, len, &u, hash);
}
