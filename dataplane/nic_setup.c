/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening a port, giving cores their share of it, and closing it.
 */
#include "dataplane/nic.h"

#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/nic_priv.h"
#include "dataplane/nic_probe.h"
#include "dataplane/nic_wake.h"

#include <errno.h>
#include <rte_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nic_log(const struct nic *nic, int level, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n = snprintf(
		text, sizeof(text), "nic %.*s: ", (int)strcspn(nic->device, ","), nic->device);

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	if (nic->cfg.log)
		nic->cfg.log(nic->cfg.log_ctx, level, text);
}

static int port_find(struct nic *nic, char *err, size_t err_len)
{
	char name[128];
	size_t n = strcspn(nic->cfg.device, ",");

	snprintf(name, sizeof(name), "%.*s", (int)n, nic->cfg.device);
	if (rte_eth_dev_get_port_by_name(name, &nic->port)) {
		char full[160];

		snprintf(full, sizeof(full), "0000:%s", name); /* a short PCI address */
		if (rte_eth_dev_get_port_by_name(full, &nic->port)) {
			char why[300];

			if (nic_probe(nic->cfg.device, why, sizeof(why)))
				snprintf(why, sizeof(why),
					"DPDK did not take it (its messages are above)%s",
					nic_busy_hint(nic->cfg.device));
			snprintf(err, err_len, "nic %s: %s", nic->cfg.device, why);
			return -ENODEV;
		}
	}
	return 0;
}

static bool is_wakeable(const char *driver)
{
	static const char *const names[] = {"net_af_xdp", "net_af_packet", "net_tap"};

	for (unsigned i = 0; i < RTE_DIM(names); i++)
		if (strcmp(driver, names[i]) == 0)
			return true;
	return false;
}

/* How many buffers and descriptors. Waiting for frames takes a quarter of the buffers, half on
   net_vmxnet3, which fills two rings; being sent takes another quarter at most. */
static void port_size(struct nic *nic)
{
	const unsigned base = nic->mtu > RTE_ETHER_MTU ? NIC_POOL_BASE_JUMBO : NIC_POOL_BASE;
	const unsigned size = base * ((nic->nr_queues + 3u) / 4);
	const unsigned descs = rte_align32prevpow2(size / 4 / nic->nr_queues);

	nic->nr_pkts = size - 1; /* the best size of a pool is one less than a power of two */
	nic->rx_desc = nic->tx_desc = (uint16_t)RTE_MIN(descs, NIC_DESC_MAX);
}

static int port_configure(struct nic *nic, char *err, size_t err_len)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc = rte_eth_dev_info_get(nic->port, &info);

	memset(&conf, 0, sizeof(conf));
	if (rc)
		goto failed;
	nic->wakes = is_wakeable(info.driver_name);
	nic->if_index = info.if_index;
	nic->is_link_up = true; /* until it is seen to be otherwise */
	nic->unmaps = strcmp(info.driver_name, "net_memif") == 0;
	nic->is_xdp = strcmp(info.driver_name, "net_af_xdp") == 0;
	nic->nr_queues = nic_rss_queues(&info, nic->nr_cores);
	if (nic->nr_queues > 1 && nic_rss_offered(&info))
		nic_rss_request(&info, &conf);
	nic_offload_choose(nic, &info);
	rc = nic_mtu_choose(nic, &info, err, err_len);
	if (rc)
		return rc;
	/* Other devices are told elsewhere, or need no telling. */
	if (nic->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN <= (int)info.max_rx_pktlen)
		conf.rxmode.mtu = nic->mtu;
	if (nic->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		conf.rxmode.max_lro_pkt_size = info.max_lro_pkt_size;
	conf.rxmode.offloads = nic->rx_offloads;
	conf.txmode.offloads = nic->tx_offloads;
	/* Some devices take powers of two only. */
	while ((rc = rte_eth_dev_configure(nic->port, nic->nr_queues, nic->nr_queues, &conf)) &&
		nic->nr_queues > 1)
		nic->nr_queues--;
	if (rc)
		goto failed;
	port_size(nic);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(nic->port, &nic->rx_desc, &nic->tx_desc);
	if (rc && rc != -ENOTSUP)
		goto failed;
	rc = nic_mtu_apply(nic, &info);
	if (rc)
		goto failed;
	rc = rte_eth_macaddr_get(nic->port, &nic->mac);
	if (rc)
		goto failed;
	return 0;

failed:
	snprintf(err, err_len, "nic %s: cannot be configured: %s", nic->cfg.device, strerror(-rc));
	return rc;
}

static int port_queues(struct nic *nic, char *err, size_t err_len)
{
	int rc;

	rc = nic_pool_create(nic, err, err_len);
	if (rc)
		return rc;
	for (uint16_t i = 0; i < nic->nr_queues && rc == 0; i++) {
		rc = rte_eth_rx_queue_setup(nic->port, i, nic->rx_desc,
			(unsigned)rte_eth_dev_socket_id(nic->port), NULL, nic->mpool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(nic->port, i, nic->tx_desc,
				(unsigned)rte_eth_dev_socket_id(nic->port), NULL);
	}
	if (rc)
		snprintf(err, err_len, "nic %s: its queues cannot be set up: %s%s", nic->cfg.device,
			strerror(-rc), nic_busy_hint(nic->cfg.device));
	return rc;
}

static int ring_create(struct rte_ring **ring)
{
	ssize_t size = rte_ring_get_memsize(NIC_RING);

	if (size < 0 || posix_memalign((void **)ring, 64, (size_t)size))
		return -ENOMEM;
	return rte_ring_init(*ring, "nic", NIC_RING, RING_F_SC_DEQ);
}

static void ring_destroy(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring && rte_ring_sc_dequeue(ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	free(ring);
}

int nic_open(
	const struct nic_cfg *cfg, unsigned nr_cores, struct nic **out, char *err, size_t err_len)
{
	struct nic *nic = calloc(1, sizeof(*nic));
	int rc = -ENOMEM;

	if (!nic)
		return rc;
	nic->cfg = *cfg;
	snprintf(nic->device, sizeof(nic->device), "%s", cfg->device);
	nic->cfg.device = nic->device;
	nic->nr_cores = nr_cores;
	rc = port_find(nic, err, err_len);
	if (rc)
		goto err_free;
	rc = port_configure(nic, err, err_len);
	if (rc)
		goto err_close;
	rc = port_queues(nic, err, err_len);
	if (rc == 0 && nic->nr_queues < nr_cores)
		rc = ring_create(&nic->tx_ring);
	if (rc)
		goto err_close;
	*out = nic;
	return 0;

err_close:
	rte_eth_dev_close(nic->port);
	rte_mempool_free(nic->mpool);
	rte_mempool_free(nic->pieces);
err_free:
	free(nic);
	return rc;
}

static const struct net_ops net_ops = {
	.tx = nic_queue_tx,
	.neigh_learned = nic_queue_neigh_learned,
	.addr_duplicate = nic_queue_addr_duplicate,
	.flow_mine = nic_queue_flow_mine,
};

int nic_attach(struct nic *nic, struct core *core, char *err, size_t err_len)
{
	struct nic_queue *q = NULL;
	struct net_cfg cfg;
	int rc = -ENOMEM;

	if (posix_memalign((void **)&q, 64, sizeof(*q)))
		goto failed;
	memset(q, 0, sizeof(*q));
	q->pool.ops = &nic_pool_ops;
	q->nic = nic;
	q->core = core;
	q->polls = core->id < nic->nr_queues;
	q->rxq = q->txq = q->polls ? (uint16_t)core->id : 0;
	if (nic->nr_cores > 1) {
		rc = ring_create(&q->spread);
		if (rc)
			goto failed;
	}
	net_cfg_defaults(&cfg);
	memcpy(cfg.mac, nic->mac.addr_bytes, NET_MAC_LEN);
	cfg.mtu = nic->mtu;
	cfg.vlan = nic->cfg.vlan;
	cfg.nr_addrs = nic->cfg.nr_addrs;
	memcpy(cfg.addrs, nic->cfg.addrs, sizeof(cfg.addrs));
	cfg.gateway = nic->cfg.gateway;
	cfg.gateway_v6 = nic->cfg.gateway_v6;
	memcpy(cfg.secret, nic->cfg.secret, sizeof(cfg.secret));
	cfg.obuf_bytes_max = nic->cfg.obuf_bytes_max;
	cfg.tcp.max_rx_pkts = nic->nr_pkts / 4 / nic->nr_cores; /* the device needs its share */
	nic_offload_tell(nic, &cfg);
	rc = net_init(&q->net, &cfg, &q->pool, &net_ops, q, core->now_us);
	if (rc)
		goto failed;
	/* Its packets are sent, and freed then, by its own core, unless another has the queue. */
	q->net.obufs.is_own = q->polls;
	nic->queues[core->id] = q;
	core->queues[core->nr_nets] = q;
	core->nets[core->nr_nets++] = &q->net;
	return 0;

failed:
	snprintf(err, err_len, "nic %s: core %u cannot use it: %s", nic->cfg.device, core->id,
		strerror(-rc));
	if (q)
		free(q->spread);
	free(q);
	return rc;
}

/* Neighbour discovery asks groups: the device has to let them in, by the best means that it has. */
static void multicast_let_in(struct nic *nic)
{
	rte_eth_promiscuous_disable(nic->port);
	if (nic->queues[0]->net.nr_v6 == 0 || rte_eth_allmulticast_enable(nic->port) == 0)
		return;
	if (rte_eth_promiscuous_enable(nic->port))
		nic_log(nic, 3, "the device cannot be told to let multicast in, which IPv6 needs");
}

/* A device that filters lets nothing with a tag in before it is told (net_virtio). */
static void vlan_let_in(struct nic *nic)
{
	if (nic->rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER &&
		rte_eth_dev_vlan_filter(nic->port, nic->cfg.vlan, 1))
		nic_log(nic, 3, "the device cannot be told to let VLAN %u in", nic->cfg.vlan);
}

int nic_start(struct nic *nic, char *err, size_t err_len)
{
	int rc = rte_eth_dev_start(nic->port);

	if (rc) {
		char why[300];

		if (nic_probe(nic->cfg.device, why, sizeof(why)))
			snprintf(why, sizeof(why), "cannot be started: %s%s", strerror(-rc),
				nic_busy_hint(nic->cfg.device));
		snprintf(err, err_len, "nic %s: %s", nic->cfg.device, why);
		return rc;
	}
	multicast_let_in(nic);
	vlan_let_in(nic);
	if (!nic_rss_setup(&nic->rss, nic->port, nic->nr_queues, nic->nr_cores))
		nic_log(nic, 2, "the device spreads frames in its own way: cores hand them over");
	for (unsigned i = 0; i < nic->nr_cores; i++) {
		struct nic_queue *q = nic->queues[i];

		net_clock(&q->net, clock_mono_us());
		net_start(&q->net, i == 0);
		if (q->polls && (!nic->wakes || nic_wake_watch(q->core) == 0))
			q->core->must_poll = true;
	}
	return 0;
}

void nic_close(struct nic **nicp)
{
	struct nic *nic = *nicp;

	if (!nic)
		return;
	/* The device first: what it still has to send may refer to the stacks' output buffers. */
	rte_eth_dev_stop(nic->port);
	rte_eth_dev_close(nic->port);
	ring_destroy(nic->tx_ring);
	for (unsigned i = 0; i < nic->nr_cores; i++) {
		struct nic_queue *q = nic->queues[i];

		if (q) {
			rte_pktmbuf_free_bulk(q->tx, q->nr_tx);
			ring_destroy(q->spread);
		}
	}
	for (unsigned i = 0; i < nic->nr_cores; i++) {
		struct nic_queue *q = nic->queues[i];

		if (!q)
			continue;
		net_fini(&q->net);
		rte_pktmbuf_free_bulk(q->spare, q->nr_spare);
		free(q);
	}
	rte_mempool_free(nic->mpool);
	rte_mempool_free(nic->pieces);
	free(nic);
	*nicp = NULL;
}

bool nic_unmaps(const struct nic *nic)
{
	return nic->unmaps;
}

void nic_describe(const struct nic *nic, char *buf, size_t size)
{
	const uint8_t *m = nic->mac.addr_bytes;
	size_t n =
		(size_t)snprintf(buf, size, "%s queues=%u mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u",
			nic->device, nic->nr_queues, m[0], m[1], m[2], m[3], m[4], m[5], nic->mtu);

	if (nic->cfg.vlan && n < size)
		n += (size_t)snprintf(buf + n, size - n, " vlan=%u", nic->cfg.vlan);
	for (unsigned i = 0; i < nic->cfg.nr_addrs && n < size; i++) {
		char ip[IP_ADDR_TEXT];

		ip_addr_format(&nic->cfg.addrs[i].ip, ip, sizeof(ip));
		n += (size_t)snprintf(buf + n, size - n, "%s%s/%u", i ? "," : " address=", ip,
			nic->cfg.addrs[i].prefix_len);
	}
	if (n + 2 < size) {
		buf[n++] = ' ';
		nic_offload_describe(nic, buf + n, size - n);
	}
}
