/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flow hash of frames. Every length is checked: the frame has not been looked at by anyone before.
 */
#include "dataplane/ip/flow.h"

#include "dataplane/ip/wire.h"

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

/* Finds addresses and ports of a TCP segment at the start of an IPv4 packet that may be cut off
   (as in an ICMP error). Returns the header length, or 0. */
static uint32_t tcp_tuple_hash(const uint8_t *ip, uint32_t len, uint32_t *hash)
{
	struct ip_addr src, dst;
	uint32_t ihl;

	if (len < sizeof(struct ipv4_hdr) || ip[0] >> 4 != 4)
		return 0;
	ihl = (ip[0] & 0xfu) * 4;
	if (ihl < sizeof(struct ipv4_hdr) || len < ihl + 4 || ip[9] != IP_PROTO_TCP)
		return 0;
	if (get_be16(ip + 6) & (IPV4_MF | IPV4_OFFSET_MASK))
		return 0;
	src = ip_addr_from_v4(get_be32(ip + 12));
	dst = ip_addr_from_v4(get_be32(ip + 16));
	*hash = net_flow_hash_tuple(&src, get_be16(ip + ihl), &dst, get_be16(ip + ihl + 2));
	return ihl;
}

bool net_flow_hash(const struct pkt *p, uint32_t *hash)
{
	const uint8_t *ip = p->data + sizeof(struct eth_hdr);
	uint32_t len, ihl;

	*hash = 0;
	if (p->len < sizeof(struct eth_hdr) + sizeof(struct ipv4_hdr))
		return false;
	if (get_be16(p->data + 12) != ETH_TYPE_IPV4)
		return false;
	len = p->len - (uint32_t)sizeof(struct eth_hdr);
	if (tcp_tuple_hash(ip, len, hash))
		return true;
	ihl = (ip[0] & 0xfu) * 4;
	if (ip[9] != IP_PROTO_ICMP || ihl < sizeof(struct ipv4_hdr) ||
		len < ihl + sizeof(struct icmp_hdr) || ip[ihl] != ICMP_UNREACH)
		return false;
	ihl += (uint32_t)sizeof(struct icmp_hdr);
	return tcp_tuple_hash(ip + ihl, len - ihl, hash) != 0;
}
