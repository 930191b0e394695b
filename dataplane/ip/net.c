/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack of one core: set-up, Ethernet in and out, and the end of a burst.
 */
#include "dataplane/ip/net.h"

#include "dataplane/ip/arp.h"
#include "dataplane/ip/eth.h"
#include "dataplane/ip/gso.h"
#include "dataplane/ip/ipv4.h"
#include "dataplane/ip/ipv6.h"
#include "dataplane/ip/nd.h"
#include "dataplane/ip/pmtu.h"
#include "dataplane/ip/wire.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <string.h>

#define SEC_US 1000000ull

void net_cfg_defaults(struct net_cfg *cfg)
{
	*cfg = (struct net_cfg){
		.mtu = 1500,
		.max_pieces = 64,
		.arp_reach_us = 60 * SEC_US,
		.nd_reach_us = 30 * SEC_US,
		.max_arp = 1024,
		.icmp_per_s = 1000,
		.tcp =
			{
				.rto_init_us = SEC_US,
				.rto_min_us = SEC_US / 5,
				.rto_max_us = 60 * SEC_US,
				.delack_us = 40000,
				.msl_us = 30 * SEC_US,
				.linger_us = 60 * SEC_US,
				.keepidle_us = 0,
				.keepintvl_us = 75 * SEC_US,
				.keepcnt = 9,
				.max_rtx = 15,
				.syn_rtx = 6,
				.synack_rtx = 5,
				.rcv_buf = 1u << 20,
				.snd_max = 4u << 20,
				.max_ooo_pkts = 1024,
				.max_rx_pkts = 8192,
				.max_conns = 65536,
				.max_timewait = 32768,
				.max_segs = 1u << 20,
				.rst_per_s = 1000,
				.port_lo = 32768,
				.port_hi = 60999,
				.cc = TCP_CC_CUBIC,
				.ecn = TCP_ECN_ANSWER,
				.tlp = true,
			},
	};
}

bool net_cfg_add(struct net_cfg *cfg, const struct ip_addr *ip, uint8_t prefix_len)
{
	if (cfg->nr_addrs == NET_MAX_ADDRS)
		return false;
	cfg->addrs[cfg->nr_addrs++] = (struct net_addr){*ip, prefix_len};
	return true;
}

static bool addr_is_valid(const struct net_cfg *cfg, const struct net_addr *a)
{
	if (ip_addr_is_v4(&a->ip))
		return ip_addr_to_v4(&a->ip) != 0 && a->prefix_len <= 32;
	return ipv6_is_assignable(&a->ip) && a->prefix_len <= 128 && cfg->mtu >= IPV6_MIN_MTU;
}

static bool addrs_are_valid(const struct net_cfg *cfg)
{
	for (uint32_t i = 0; i < cfg->nr_addrs; i++)
		if (!addr_is_valid(cfg, &cfg->addrs[i]))
			return false;
	return cfg->nr_addrs > 0 && cfg->nr_addrs <= NET_MAX_ADDRS;
}

static bool gateways_are_valid(const struct net_cfg *cfg)
{
	return (ip_addr_is_none(&cfg->gateway) || ip_addr_is_v4(&cfg->gateway)) &&
	       (ip_addr_is_none(&cfg->gateway_v6) || ipv6_is_assignable(&cfg->gateway_v6));
}

static bool cfg_is_valid(const struct net_cfg *cfg)
{
	const struct tcp_cfg *t = &cfg->tcp;

	return addrs_are_valid(cfg) && gateways_are_valid(cfg) && cfg->mtu >= 576 &&
	       cfg->vlan <= 4094 && !(cfg->mac[0] & 1) && cfg->max_arp >= 1 &&
	       t->rto_min_us >= 1000 && t->rto_min_us <= t->rto_max_us && t->rto_init_us > 0 &&
	       t->rto_init_us <= t->rto_max_us && t->max_conns >= 1 && t->rcv_buf >= 2048 &&
	       t->rcv_buf <= (1u << 29) && t->snd_max >= 16384 && t->snd_max <= (1u << 29) &&
	       t->port_lo > 0 && t->port_lo <= t->port_hi && t->keepintvl_us > 0;
}

static void addrs_init(struct net *net)
{
	const struct net_cfg *cfg = &net->cfg;

	for (uint32_t i = 0; i < cfg->nr_addrs; i++) {
		const struct net_addr *a = &cfg->addrs[i];

		if (!ip_addr_is_v4(&a->ip))
			continue;
		net->v4[net->nr_v4++] = (struct net_v4){
			.addr = ip_addr_to_v4(&a->ip),
			.mask = a->prefix_len ? ~0u << (32 - a->prefix_len) : 0,
		};
	}
	net->gateway_v4 = ip_addr_is_none(&cfg->gateway) ? 0 : ip_addr_to_v4(&cfg->gateway);
	ipv6_setup(net);
}

int net_init(struct net *net, const struct net_cfg *cfg, struct pkt_pool *pool,
	const struct net_ops *ops, void *ctx, uint64_t now_us)
{
	int rc;

	if (!cfg_is_valid(cfg))
		return -EINVAL;
	memset(net, 0, sizeof(*net));
	net->cfg = *cfg;
	net->ops = ops;
	net->ctx = ctx;
	net->pool = pool;
	net->now_us = now_us;
	net->neigh_gen = 1;
	addrs_init(net);
	ratelimit_init(&net->icmp_limit, cfg->icmp_per_s, now_us);
	timer_wheel_init(&net->wheel, now_us);
	obuf_pool_init(&net->obufs, cfg->obuf_bytes_max);
	rc = arp_setup(net);
	if (rc == 0 && net->nr_v6)
		rc = nd_setup(net);
	if (rc == 0)
		rc = pmtu_setup(net);
	if (rc == 0)
		rc = tcp_setup(net);
	if (rc) {
		pmtu_teardown(net);
		nd_teardown(net);
		arp_teardown(net);
	}
	return rc;
}

static void kept_free(struct net *net)
{
	while (net->kept) {
		struct pkt *p = net->kept;

		net->kept = p->next;
		pkt_free(net->pool, p);
	}
}

void net_fini(struct net *net)
{
	tcp_teardown(net);
	kept_free(net);
	pmtu_teardown(net);
	nd_teardown(net);
	arp_teardown(net);
	obuf_pool_fini(&net->obufs);
}

/* To everyone, or to a group of IPv6. */
static bool is_for_many(const struct net *net, const struct eth_hdr *h)
{
	if (memcmp(h->dst, eth_broadcast, NET_MAC_LEN) == 0)
		return true;
	return net->nr_v6 && h->dst[0] == 0x33 && h->dst[1] == 0x33;
}

static void v6_input(struct net *net, struct pkt *p, const struct eth_hdr *h, bool is_multi)
{
	const struct ip_meta l2 = {
		.is_multi = is_multi,
		.is_own_mac = memcmp(h->src, net->cfg.mac, NET_MAC_LEN) == 0,
	};

	ipv6_input(net, p, &l2);
}

/* IEEE 802.1Q: is the frame of our VLAN? A tag that the device has left is taken off, so that
   nothing behind this knows of it. */
static bool vlan_accept(struct net *net, struct pkt *p)
{
	if (!(p->flags & PKT_RX_VLAN)) {
		if (p->len < sizeof(struct eth_hdr) + VLAN_TAG_BYTES ||
			get_be16(p->data + 12) != ETH_TYPE_VLAN)
			return false;
		p->vlan = get_be16(p->data + 14);
		memmove(p->data + VLAN_TAG_BYTES, p->data, 2 * NET_MAC_LEN);
		pkt_pull(p, VLAN_TAG_BYTES);
	}
	return (p->vlan & VLAN_ID_MASK) == net->cfg.vlan;
}

/* Where no VLAN is configured a tag is allowed that names none, but only a priority. p->data is
   past the Ethernet header. */
static bool priority_accept(struct pkt *p, uint16_t *type)
{
	if (p->len < VLAN_TAG_BYTES || (get_be16(p->data) & VLAN_ID_MASK) != 0)
		return false;
	*type = get_be16(p->data + 2);
	pkt_pull(p, VLAN_TAG_BYTES);
	return true;
}

void net_input(struct net *net, struct pkt *p)
{
	struct eth_hdr h;
	bool is_multi = false;
	uint16_t type;

	net_count(net, NET_CTR_PKTS_IN);
	p->next = NULL;
	if (net->cfg.vlan && !vlan_accept(net, p)) {
		net_drop(net, p, DROP_ETH_VLAN);
		return;
	}
	if (tcp_fast_input(net, p))
		return;
	if (p->len < sizeof(h)) {
		net_drop(net, p, DROP_ETH_SHORT);
		return;
	}
	memcpy(&h, p->data, sizeof(h));
	if (memcmp(h.dst, net->cfg.mac, NET_MAC_LEN) != 0) {
		is_multi = true;
		if (!is_for_many(net, &h)) {
			net_drop(net, p, DROP_ETH_NOT_OURS);
			return;
		}
	}
	pkt_pull(p, sizeof(h));
	type = be16(h.type);
	if (type == ETH_TYPE_VLAN && (net->cfg.vlan || !priority_accept(p, &type))) {
		net_drop(net, p, DROP_ETH_VLAN);
		return;
	}
	switch (type) {
	case ETH_TYPE_IPV4: ipv4_input(net, p, is_multi); break;
	case ETH_TYPE_ARP: arp_input(net, p); break;
	case ETH_TYPE_IPV6:
		if (net->nr_v6)
			v6_input(net, p, &h, is_multi);
		else
			net_drop(net, p, DROP_ETH_TYPE);
		break;
	default: net_drop(net, p, DROP_ETH_TYPE); break;
	}
}

/* Tags the frame, by the device or before its type. Returns the type of the Ethernet header. */
static uint16_t vlan_put(struct net *net, struct pkt *p, uint16_t type)
{
	uint8_t *tag;

	if (net->cfg.offloads & NET_TX_VLAN) {
		p->flags |= PKT_TX_VLAN;
		p->vlan = net->cfg.vlan;
		return type;
	}
	tag = pkt_push(p, VLAN_TAG_BYTES);
	put_be16(tag, net->cfg.vlan);
	put_be16(tag + 2, type);
	p->l2_len = VLAN_TAG_BYTES;
	return ETH_TYPE_VLAN;
}

void eth_output(struct net *net, struct pkt *p, const uint8_t dst[NET_MAC_LEN], uint16_t type)
{
	struct eth_hdr h;

	p->l2_len = 0;
	if (net->cfg.vlan)
		type = vlan_put(net, p, type);
	h.type = be16(type);
	memcpy(h.dst, dst, NET_MAC_LEN);
	memcpy(h.src, net->cfg.mac, NET_MAC_LEN);
	memcpy(pkt_push(p, sizeof(h)), &h, sizeof(h));
	p->l2_len += (uint8_t)sizeof(h);
	p->next = NULL;
	if (p->flags & PKT_TX_CHAIN && p->seg_len && !(net->cfg.offloads & NET_TX_TSO)) {
		gso_output(net, p);
		return;
	}
	net_count(net, NET_CTR_PKTS_OUT);
	net->ops->tx(net->ctx, p);
}

void net_run(struct net *net, uint64_t now_us)
{
	net_clock(net, now_us);
	kept_free(net);
	obuf_pool_reap(&net->obufs);
	timer_wheel_run(&net->wheel, net->now_us);
	tcp_run(net);
}

uint64_t net_next_deadline(const struct net *net)
{
	return tcp_has_work(net) ? net->now_us : timer_wheel_next(&net->wheel);
}

void net_start(struct net *net, bool is_speaker)
{
	if (is_speaker)
		arp_announce(net);
	if (net->nr_v6)
		nd_start(net, is_speaker);
}

void net_announce(struct net *net)
{
	arp_announce(net);
	if (net->nr_v6)
		nd_announce(net);
}

void net_link(struct net *net, bool is_up, bool is_speaker)
{
	if (is_speaker)
		net_count(net, is_up ? NET_CTR_LINK_UP : NET_CTR_LINK_DOWN);
	if (!is_up)
		return;
	arp_doubt_all(net);
	if (net->nr_v6)
		nd_doubt_all(net);
	if (is_speaker)
		net_announce(net);
	tcp_link_up(net);
}

void net_neigh_learn(struct net *net, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN],
	bool is_confirmed)
{
	if (ip_addr_is_v4(ip))
		arp_learn(net, ip_addr_to_v4(ip), mac, is_confirmed);
	else if (net->nr_v6)
		nd_learn(net, ip, mac, is_confirmed);
}

void net_addr_duplicate(struct net *net, const struct ip_addr *ip)
{
	if (net->nr_v6)
		nd_addr_duplicate(net, ip);
}

int net_route(const struct net *net, const struct ip_addr *ip)
{
	struct ip_addr next_hop;
	uint32_t next_hop_v4;

	return ip_addr_is_v4(ip) ? ipv4_route(net, ip_addr_to_v4(ip), &next_hop_v4)
				 : ipv6_route(net, ip, &next_hop);
}

bool net_source(const struct net *net, const struct ip_addr *dst, struct ip_addr *src)
{
	if (net_route(net, dst) < 0)
		return false;
	if (!ip_addr_is_v4(dst))
		return ipv6_source(net, dst, src);
	*src = ip_addr_from_v4(ipv4_source(net, ip_addr_to_v4(dst)));
	return true;
}

void ip_output(struct net *net, struct pkt *p, const struct ip_addr *src, const struct ip_addr *dst,
	uint8_t proto)
{
	if (ip_addr_is_v4(dst))
		ipv4_output(net, p, ip_addr_to_v4(src), ip_addr_to_v4(dst), proto);
	else
		ipv6_output(net, p, src, dst, proto);
}
