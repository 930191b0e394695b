/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Headers as they lie on the wire. All fields of more than one byte are in network order; read and
 * write them through be16()/be32(). The structs are packed: they lie at any address.
 */
#ifndef MILLRACE_DATAPLANE_IP_WIRE_H
#define MILLRACE_DATAPLANE_IP_WIRE_H

#include <stdint.h>
#include <string.h>

#define WIRE_PACKED __attribute__((packed))

#define ETH_TYPE_IPV4 0x0800u
#define ETH_TYPE_ARP  0x0806u
#define ETH_TYPE_IPV6 0x86ddu
#define ETH_TYPE_VLAN 0x8100u

#define VLAN_TAG_BYTES 4u
#define VLAN_ID_MASK   0x0fffu

#define IP_PROTO_ICMP 1u
#define IP_PROTO_TCP  6u
#define IP_PROTO_UDP  17u

/* IPv6 extension headers and what is reached through them (RFC 8200, 4). */
#define IP_PROTO_HOPOPTS  0u
#define IP_PROTO_ROUTING  43u
#define IP_PROTO_FRAGMENT 44u
#define IP_PROTO_ICMPV6   58u
#define IP_PROTO_NONE     59u
#define IP_PROTO_DSTOPTS  60u

#define IP_ECN_ECT0 2u /* RFC 3168: the two low bits of the traffic class */
#define IP_ECN_CE   3u

#define IPV4_DF          0x4000u
#define IPV4_MF          0x2000u
#define IPV4_OFFSET_MASK 0x1fffu

#define ARP_OP_REQUEST 1u
#define ARP_OP_REPLY   2u

#define ICMP_ECHO_REPLY        0u
#define ICMP_UNREACH           3u
#define ICMP_ECHO_REQUEST      8u
#define ICMP_UNREACH_NET       0u
#define ICMP_UNREACH_HOST      1u
#define ICMP_UNREACH_PROTO     2u
#define ICMP_UNREACH_PORT      3u
#define ICMP_UNREACH_FRAG      4u
#define ICMP_UNREACH_ADMIN_MIN 9u
#define ICMP_UNREACH_ADMIN_MAX 13u

/* RFC 4443, RFC 4861, RFC 3810 */
#define ICMP6_UNREACH          1u
#define ICMP6_TOO_BIG          2u
#define ICMP6_TIME_EXCEEDED    3u
#define ICMP6_PARAM            4u
#define ICMP6_INFO_MIN         128u /* below are errors */
#define ICMP6_ECHO_REQUEST     128u
#define ICMP6_ECHO_REPLY       129u
#define ICMP6_MLD_QUERY        130u
#define ICMP6_RA               134u
#define ICMP6_NS               135u
#define ICMP6_NA               136u
#define ICMP6_REDIRECT         137u
#define ICMP6_MLD2_REPORT      143u
#define ICMP6_UNREACH_NO_ROUTE 0u
#define ICMP6_UNREACH_ADMIN    1u
#define ICMP6_UNREACH_SCOPE    2u
#define ICMP6_UNREACH_ADDR     3u
#define ICMP6_UNREACH_PORT     4u
#define ICMP6_UNREACH_POLICY   5u
#define ICMP6_UNREACH_REJECT   6u
#define ICMP6_PARAM_FIELD      0u
#define ICMP6_PARAM_NEXT       1u
#define ICMP6_PARAM_OPTION     2u
#define IPV6_MIN_MTU           1280u

#define ND_NA_ROUTER    0x80000000u
#define ND_NA_SOLICITED 0x40000000u
#define ND_NA_OVERRIDE  0x20000000u
#define ND_OPT_SLLA     1u
#define ND_OPT_TLLA     2u
#define ND_HOP_LIMIT    255u

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_URG 0x20u
#define TCP_ECE 0x40u
#define TCP_CWR 0x80u

struct eth_hdr {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type;
} WIRE_PACKED;

struct arp_hdr { /* RFC 826, for IPv4 over Ethernet */
	uint16_t hrd;
	uint16_t pro;
	uint8_t hln;
	uint8_t pln;
	uint16_t op;
	uint8_t sha[6];
	uint32_t spa;
	uint8_t tha[6];
	uint32_t tpa;
} WIRE_PACKED;

struct ipv4_hdr { /* RFC 791 */
	uint8_t ver_ihl;
	uint8_t tos;
	uint16_t total_len;
	uint16_t id;
	uint16_t frag; /* flags and offset */
	uint8_t ttl;
	uint8_t proto;
	uint16_t csum;
	uint32_t src;
	uint32_t dst;
} WIRE_PACKED;

struct icmp_hdr { /* RFC 792 */
	uint8_t type;
	uint8_t code;
	uint16_t csum;
	uint16_t unused;
	uint16_t mtu; /* of the next hop, in "fragmentation needed" (RFC 1191) */
} WIRE_PACKED;

struct ipv6_hdr { /* RFC 8200, 3 */
	uint32_t ver_class_flow;
	uint16_t payload_len;
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} WIRE_PACKED;

struct icmp6_hdr { /* RFC 4443, 2.1; param by type: an MTU, a pointer, flags */
	uint8_t type;
	uint8_t code;
	uint16_t csum;
	uint32_t param;
} WIRE_PACKED;

struct nd_hdr { /* RFC 4861, 4.3 and 4.4: solicitation and advertisement */
	struct icmp6_hdr icmp;
	uint8_t target[16];
} WIRE_PACKED;

struct nd_lla { /* RFC 4861, 4.6.1: the option with a link-layer address */
	uint8_t type;
	uint8_t len; /* in units of 8 bytes */
	uint8_t mac[6];
} WIRE_PACKED;

struct tcp_hdr { /* RFC 9293, 3.1 */
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint8_t doff; /* high four bits: header length in words */
	uint8_t flags;
	uint16_t wnd;
	uint16_t csum;
	uint16_t urg;
} WIRE_PACKED;

_Static_assert(sizeof(struct eth_hdr) == 14, "Ethernet header");
_Static_assert(sizeof(struct arp_hdr) == 28, "ARP packet");
_Static_assert(sizeof(struct ipv4_hdr) == 20, "IPv4 header");
_Static_assert(sizeof(struct icmp_hdr) == 8, "ICMP header");
_Static_assert(sizeof(struct tcp_hdr) == 20, "TCP header");
_Static_assert(sizeof(struct ipv6_hdr) == 40, "IPv6 header");
_Static_assert(sizeof(struct nd_hdr) == 24, "neighbour solicitation or advertisement");

/* Between network and host order, either way. */
static inline uint16_t be16(uint16_t v)
{
	return __builtin_bswap16(v);
}

static inline uint32_t be32(uint32_t v)
{
	return __builtin_bswap32(v);
}

/* Big-endian values at any address. */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32(v);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	v = be16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	v = be32(v);
	memcpy(p, &v, sizeof(v));
}

#endif
