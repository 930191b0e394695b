/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ip/lro.h"

#include "dataplane/ip/csum.h"
#include "dataplane/ip/wire.h"

#include <string.h>

#define IPV4_BYTES (uint32_t)sizeof(struct ipv4_hdr)
#define IPV6_BYTES (uint32_t)sizeof(struct ipv6_hdr)
#define TCP_BYTES  (uint32_t)sizeof(struct tcp_hdr)

/* Length of the IP header, and in *total the packet's; 0: not what can be here. */
static uint32_t ip_parse(
	struct lro *l, const uint8_t *ip, uint32_t len, uint16_t type, uint32_t *total)
{
	if (type == ETH_TYPE_IPV4) {
		if (len < IPV4_BYTES || ip[0] != 0x45 || ip[9] != IP_PROTO_TCP ||
			(get_be16(ip + 6) & (IPV4_MF | IPV4_OFFSET_MASK)))
			return 0;
		*total = get_be16(ip + 2);
		return IPV4_BYTES;
	}
	if (type != ETH_TYPE_IPV6 || len < IPV6_BYTES || ip[0] >> 4 != 6 || ip[6] != IP_PROTO_TCP)
		return 0;
	l->is_v6 = true;
	*total = IPV6_BYTES + get_be16(ip + 4);
	return IPV6_BYTES;
}

bool lro_parse(struct lro *l, const uint8_t *frame, uint32_t len, uint32_t frame_len)
{
	uint32_t at = sizeof(struct eth_hdr), ip_len, total;
	uint16_t type;

	l->is_v6 = false;
	if (len < at + 4)
		return false;
	type = get_be16(frame + 12);
	if (type == ETH_TYPE_VLAN) {
		type = get_be16(frame + at + 2);
		at += 4;
	}
	l->ip_at = at;
	ip_len = ip_parse(l, frame + at, len - at, type, &total);
	l->tcp_at = at + ip_len;
	if (!ip_len || len < l->tcp_at + TCP_BYTES)
		return false;
	l->len = l->tcp_at + (uint32_t)(frame[l->tcp_at + 12] >> 4) * 4;
	l->total = at + total;
	if (l->len < l->tcp_at + TCP_BYTES || l->len > len || l->total < l->len ||
		l->total > frame_len)
		return false;
	memcpy(l->bytes, frame, l->len);
	return true;
}

void lro_put(const struct lro *l, uint8_t *to, uint32_t off, uint32_t len)
{
	uint8_t *ip = to + l->ip_at, *tcp = to + l->tcp_at;
	const uint32_t tcp_len = l->len - l->tcp_at + len;

	memcpy(to, l->bytes, l->len);
	if (l->is_v6)
		put_be16(ip + 4, (uint16_t)tcp_len);
	else
		put_be16(ip + 2, (uint16_t)(IPV4_BYTES + tcp_len));
	put_be32(tcp + 4, get_be32(tcp + 4) + off);
	if (l->len + off + len < l->total)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (off)
		tcp[13] &= (uint8_t)~TCP_CWR;
}

bool lro_csum_ok(const struct lro *l, uint64_t csum)
{
	const uint8_t *ip = l->bytes + l->ip_at;
	const uint32_t tcp_len = l->total - l->tcp_at;
	const struct ip_addr src =
		l->is_v6 ? ip_addr_load(ip + 8) : ip_addr_from_v4(get_be32(ip + 12));
	const struct ip_addr dst =
		l->is_v6 ? ip_addr_load(ip + 24) : ip_addr_from_v4(get_be32(ip + 16));

	if (!l->is_v6 && csum_of(ip, IPV4_BYTES) != 0)
		return false;
	return csum_fold((uint64_t)csum_fold(csum) +
			 csum_fold(csum_pseudo(&src, &dst, IP_PROTO_TCP, tcp_len))) == 0xffff;
}
