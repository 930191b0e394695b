/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flow hash of frames. Every length is checked: the frame has not been looked at by anyone before.
 */
#include "dataplane/ip/flow.h"

#include "dataplane/ip/ipv6_ext.h"
#include "dataplane/ip/wire.h"

#include <stddef.h>

/* Toeplitz takes, for each set bit of its input, the 32 bits of the key that begin at that bit's
   place. The key repeats after 16 bits: so what comes out repeats as well, bits that lie 16 apart
   do the same, and the 16-bit words of the input may be added up first. This is the result for the
   first four bits of a word; the next four turn it left by four. */
static const uint16_t first_four[16] = {0x0000, 0x6ad3, 0xb569, 0xdfba, 0xdab4, 0xb067, 0x6fdd,
	0x050e, 0x6d5a, 0x0789, 0xd833, 0xb2e0, 0xb7ee, 0xdd3d, 0x0287, 0x6854};

static inline uint16_t turned(uint16_t v, unsigned n)
{
	return (uint16_t)(v << n | v >> (16 - n));
}

uint32_t net_flow_hash_tuple(
	const struct ip_addr *a, uint16_t aport, const struct ip_addr *b, uint16_t bport)
{
	uint64_t sum = a->w[0] ^ a->w[1] ^ b->w[0] ^ b->w[1];
	uint16_t word, hash;

	sum ^= sum >> 32;
	sum ^= sum >> 16;
	word = (uint16_t)(__builtin_bswap16((uint16_t)sum) ^ aport ^ bport);
	hash = first_four[word >> 12] ^ turned(first_four[word >> 8 & 15], 4) ^
	       turned(first_four[word >> 4 & 15], 8) ^ turned(first_four[word & 15], 12);
	return (uint32_t)hash << 16 | hash;
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
	uint16_t type;

	*hash = 0;
	if (p->len < sizeof(struct eth_hdr) + VLAN_TAG_BYTES)
		return false;
	len = p->len - (uint32_t)sizeof(struct eth_hdr);
	type = get_be16(p->data + 12);
	if (type == ETH_TYPE_VLAN) {
		type = get_be16(ip + 2);
		ip += VLAN_TAG_BYTES;
		len -= VLAN_TAG_BYTES;
	}
	switch (type) {
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
