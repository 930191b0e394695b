/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A port: set-up, and the receive and send paths between the device's buffers and struct pkt.
 *
 * struct pkt lies in the private area behind each rte_mbuf, so the two convert by an addition.
 */
#include "dataplane/nic.h"

#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/conn.h"
#include "dataplane/ip/flow.h"
#include "dataplane/nic_probe.h"
#include "dataplane/nic_rss.h"
#include "dataplane/nic_wake.h"
#include "dataplane/tcp/tcp.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NIC_BURST      64
#define NIC_RX_DESC    2048
#define NIC_TX_DESC    2048
#define NIC_POOL_SIZE  16383
#define NIC_POOL_CACHE 256
#define NIC_RING       4096
#define TX_TRIES       4
#define NIC_PRIV       RTE_ALIGN_CEIL(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN)

/* One core's share of a port. */
struct nic_queue {
	struct pkt_pool pool; /* first: net.c hands it back to pool_alloc() */
	struct nic *nic;
	struct core *core;
	struct net net;
	struct rte_ring *spread; /* frames that another core received for us; NULL: none do */
	uint16_t rxq, txq;
	bool polls; /* has a queue pair of the device */
	uint16_t nr_tx;
	struct rte_mbuf *tx[NIC_BURST];
};

struct nic {
	struct nic_cfg cfg;
	char device[128];
	uint16_t port;
	uint16_t nr_queues;
	uint16_t mtu;
	uint16_t rx_desc, tx_desc;
	struct rte_ether_addr mac;
	uint64_t tx_offloads, rx_offloads;
	bool wakes; /* stands on descriptors that end a sleep: nic_wake.h */
	unsigned nr_cores;
	struct rte_mempool *mpool;
	struct rte_ring
		*tx_ring; /* frames of cores without a queue, sent by core 0; NULL: all have one */
	struct nic_queue *queues[CORE_MAX];
	struct nic_rss rss;
};

static inline struct pkt *pkt_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static inline struct rte_mbuf *mbuf_of(struct pkt *p)
{
	return (struct rte_mbuf *)p - 1;
}

static struct pkt *pool_alloc(struct pkt_pool *pool)
{
	struct nic_queue *q = (struct nic_queue *)pool;
	struct rte_mbuf *m = rte_pktmbuf_alloc(q->nic->mpool);
	struct pkt *p;

	if (!m)
		return NULL;
	p = pkt_of(m);
	p->next = NULL;
	p->buf = m->buf_addr;
	p->buf_len = m->buf_len;
	p->data = p->buf + PKT_HEADROOM;
	p->len = 0;
	p->flags = 0;
	return p;
}

static void pool_free(struct pkt_pool *pool, struct pkt *p)
{
	rte_pktmbuf_free(mbuf_of(p));
}

static const struct pkt_pool_ops pool_ops = {.alloc = pool_alloc, .free = pool_free};

/* Says it in the name of the device. */
static void nic_log(const struct nic *nic, int level, const char *fmt, ...)
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

/* --- set-up --- */

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

static int port_configure(struct nic *nic, char *err, size_t err_len)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc = rte_eth_dev_info_get(nic->port, &info);

	memset(&conf, 0, sizeof(conf));
	if (rc)
		goto failed;
	nic->wakes = is_wakeable(info.driver_name);
	nic->nr_queues = nic_rss_queues(&info, nic->nr_cores);
	if (nic->nr_queues > 1)
		nic_rss_request(&info, &conf);
	nic->rx_offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_CHECKSUM;
	nic->tx_offloads = info.tx_offload_capa &
			   (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
	conf.rxmode.offloads = nic->rx_offloads;
	conf.txmode.offloads = nic->tx_offloads;
	/* Some devices take powers of two only. */
	while ((rc = rte_eth_dev_configure(nic->port, nic->nr_queues, nic->nr_queues, &conf)) &&
		nic->nr_queues > 1)
		nic->nr_queues--;
	if (rc)
		goto failed;
	nic->rx_desc = NIC_RX_DESC;
	nic->tx_desc = NIC_TX_DESC;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(nic->port, &nic->rx_desc, &nic->tx_desc);
	if (rc && rc != -ENOTSUP)
		goto failed;
	if (rte_eth_dev_get_mtu(nic->port, &nic->mtu))
		nic->mtu = 1500;
	if (nic->mtu > 1500)
		nic->mtu = 1500;
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
	char name[RTE_MEMPOOL_NAMESIZE];
	int rc = 0;

	snprintf(name, sizeof(name), "nic%u", nic->port);
	nic->mpool = rte_pktmbuf_pool_create(name, NIC_POOL_SIZE, NIC_POOL_CACHE, NIC_PRIV,
		RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_eth_dev_socket_id(nic->port));
	if (!nic->mpool) {
		snprintf(err, err_len,
			"nic %s: no memory for its packet buffers (%s): more huge pages, or huge-pages no "
			"with eal-args \"-m 512\"",
			nic->cfg.device, rte_strerror(rte_errno));
		return -ENOMEM;
	}
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
err_free:
	free(nic);
	return rc;
}

static void queue_tx(void *ctx, struct pkt *p);
static void queue_neigh_learned(
	void *ctx, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN], bool is_confirmed);
static void queue_addr_duplicate(void *ctx, const struct ip_addr *ip);
static bool queue_flow_mine(void *ctx, const struct ip_addr *laddr, uint16_t lport,
	const struct ip_addr *raddr, uint16_t rport);

static const struct net_ops net_ops = {
	.tx = queue_tx,
	.neigh_learned = queue_neigh_learned,
	.addr_duplicate = queue_addr_duplicate,
	.flow_mine = queue_flow_mine,
};

int nic_attach(struct nic *nic, struct core *core, char *err, size_t err_len)
{
	struct nic_queue *q = NULL;
	struct net_cfg cfg;
	int rc = -ENOMEM;

	if (posix_memalign((void **)&q, 64, sizeof(*q)))
		goto failed;
	memset(q, 0, sizeof(*q));
	q->pool.ops = &pool_ops;
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
	cfg.nr_addrs = nic->cfg.nr_addrs;
	memcpy(cfg.addrs, nic->cfg.addrs, sizeof(cfg.addrs));
	cfg.gateway = nic->cfg.gateway;
	cfg.gateway_v6 = nic->cfg.gateway_v6;
	memcpy(cfg.secret, nic->cfg.secret, sizeof(cfg.secret));
	cfg.obuf_bytes_max = nic->cfg.obuf_bytes_max;
	cfg.tcp.max_rx_pkts = NIC_POOL_SIZE / 4 / nic->nr_cores; /* the device needs its share */
	if (nic->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
		cfg.offloads |= NET_TX_IP_CSUM;
	if (nic->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
		cfg.offloads |= NET_TX_TCP_CSUM;
	rc = net_init(&q->net, &cfg, &q->pool, &net_ops, q, core->now_us);
	if (rc)
		goto failed;
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

int nic_start(struct nic *nic, char *err, size_t err_len)
{
	int rc = rte_eth_dev_start(nic->port);

	if (rc) {
		snprintf(err, err_len, "nic %s: cannot be started: %s%s", nic->cfg.device,
			strerror(-rc), nic_busy_hint(nic->cfg.device));
		return rc;
	}
	multicast_let_in(nic);
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
	for (unsigned i = 0; i < nic->nr_cores; i++) {
		struct nic_queue *q = nic->queues[i];

		if (!q)
			continue;
		net_fini(&q->net);
		rte_pktmbuf_free_bulk(q->tx, q->nr_tx);
		ring_destroy(q->spread);
		free(q);
	}
	ring_destroy(nic->tx_ring);
	rte_eth_dev_stop(nic->port);
	rte_eth_dev_close(nic->port);
	rte_mempool_free(nic->mpool);
	free(nic);
	*nicp = NULL;
}

void nic_describe(const struct nic *nic, char *buf, size_t size)
{
	const uint8_t *m = nic->mac.addr_bytes;
	size_t n = (size_t)snprintf(buf, size,
		"%s queues=%u mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u address=", nic->device,
		nic->nr_queues, m[0], m[1], m[2], m[3], m[4], m[5], nic->mtu);

	for (unsigned i = 0; i < nic->cfg.nr_addrs && n < size; i++) {
		char ip[IP_ADDR_TEXT];

		ip_addr_format(&nic->cfg.addrs[i].ip, ip, sizeof(ip));
		n += (size_t)snprintf(buf + n, size - n, "%s%s/%u", i ? "," : "", ip,
			nic->cfg.addrs[i].prefix_len);
	}
}

/* --- receive --- */

_Static_assert((RTE_MBUF_F_RX_IP_CKSUM_NONE & RTE_MBUF_F_RX_IP_CKSUM_GOOD) &&
		       (RTE_MBUF_F_RX_L4_CKSUM_NONE & RTE_MBUF_F_RX_L4_CKSUM_GOOD),
	"NONE has the bit of GOOD");

static inline struct pkt *rx_pkt(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	p->next = NULL;
	p->buf = m->buf_addr;
	p->buf_len = m->buf_len;
	p->data = rte_pktmbuf_mtod(m, uint8_t *);
	p->len = m->data_len;
	p->flags = 0;
	/* The bit of GOOD is in NONE as well: nobody computed a sum, and the bytes are vouched for,
	   as they are when a hypervisor hands over its own host's frames. */
	if (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		p->flags |= PKT_RX_IP_CSUM_GOOD;
	if (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		p->flags |= PKT_RX_L4_CSUM_GOOD;
	return p;
}

/* Hands a frame to the core that owns its flow. True: it was another's. */
static bool rx_spread(struct nic_queue *q, struct rte_mbuf *m, struct pkt *p)
{
	struct nic_queue *owner;
	uint32_t hash;

	if (!net_flow_hash(p, &hash))
		return false;
	owner = q->nic->queues[nic_rss_owner(&q->nic->rss, hash)];
	if (owner == q)
		return false;
	if (rte_ring_mp_enqueue(owner->spread, m)) {
		rte_pktmbuf_free(m);
		q->core->ctr.rx_drops++;
		return true;
	}
	q->core->ctr.rx_spread++;
	core_kick(owner->core);
	return true;
}

static void rx_frames(struct nic_queue *q, struct rte_mbuf **ms, unsigned n, bool spread)
{
	for (unsigned i = 0; i < n; i++) {
		struct pkt *p;

		if (i + 1 < n)
			rte_prefetch0(rte_pktmbuf_mtod(ms[i + 1], void *));
		if (unlikely(ms[i]->nb_segs != 1)) {
			rte_pktmbuf_free(ms[i]); /* no scattered receive was asked for */
			q->core->ctr.rx_drops++;
			continue;
		}
		q->core->ctr.rx_bytes += ms[i]->data_len;
		p = rx_pkt(ms[i]);
		if (spread && rx_spread(q, ms[i], p))
			continue;
		net_input(&q->net, p);
	}
	q->core->ctr.rx_pkts += n;
}

unsigned nic_rx(struct core *core)
{
	struct rte_mbuf *ms[NIC_BURST];
	unsigned done = 0;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		struct nic_queue *q = core->queues[i];
		unsigned n;

		net_clock(&q->net, core->now_us);
		if (q->polls) {
			n = rte_eth_rx_burst(q->nic->port, q->rxq, ms, NIC_BURST);
			if (n)
				rx_frames(q, ms, n, q->nic->nr_cores > 1);
			done += n;
		}
		if (q->spread) {
			n = rte_ring_sc_dequeue_burst(q->spread, (void **)ms, NIC_BURST, NULL);
			if (n)
				rx_frames(q, ms, n, false);
			done += n;
		}
	}
	return done;
}

/* --- send --- */

static uint16_t device_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n)
{
	uint16_t sent = 0;

	for (int tries = 0; sent < n && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(q->nic->port, q->txq, ms + sent, (uint16_t)(n - sent));
	return sent;
}

/* A core without a queue of its own: the frames go to the core that polls the device. */
static uint16_t handover_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n)
{
	unsigned sent = rte_ring_mp_enqueue_burst(q->nic->tx_ring, (void **)ms, n, NULL);

	core_kick(q->nic->queues[0]->core);
	return (uint16_t)sent;
}

static void count_tx(struct nic_queue *q, struct rte_mbuf **ms, uint16_t n, uint16_t sent)
{
	if (sent < n) { /* TCP sends it again */
		rte_pktmbuf_free_bulk(ms + sent, (unsigned)(n - sent));
		q->core->ctr.tx_drops += (unsigned)(n - sent);
	}
	q->core->ctr.tx_pkts += sent;
}

static unsigned queue_flush(struct nic_queue *q)
{
	uint16_t n = q->nr_tx, sent;

	if (n == 0)
		return 0;
	sent = q->polls ? device_tx(q, q->tx, n) : handover_tx(q, q->tx, n);
	count_tx(q, q->tx, n, sent);
	q->nr_tx = 0;
	return sent;
}

/* Sends what the other cores have handed over. */
static unsigned handed_flush(struct nic_queue *q)
{
	struct rte_mbuf *ms[NIC_BURST];
	unsigned n, total = 0;

	do {
		n = rte_ring_sc_dequeue_burst(q->nic->tx_ring, (void **)ms, NIC_BURST, NULL);
		if (n)
			count_tx(q, ms, (uint16_t)n, device_tx(q, ms, (uint16_t)n));
		total += n;
	} while (n == NIC_BURST && total < NIC_RING);
	return total;
}

static void queue_tx(void *ctx, struct pkt *p)
{
	struct nic_queue *q = ctx;
	struct rte_mbuf *m = mbuf_of(p);

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)p->len;
	m->pkt_len = p->len;
	m->nb_segs = 1;
	m->next = NULL;
	m->ol_flags = 0;
	if (p->flags & (PKT_TX_IP_CSUM | PKT_TX_L4_CSUM)) {
		m->l2_len = p->l2_len;
		m->l3_len = p->l3_len;
		m->ol_flags = p->flags & PKT_TX_IPV6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
		if (p->flags & PKT_TX_IP_CSUM)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		if (p->flags & PKT_TX_L4_CSUM)
			m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	}
	q->core->ctr.tx_bytes += p->len;
	q->tx[q->nr_tx++] = m;
	if (q->nr_tx == NIC_BURST)
		queue_flush(q);
}

void nic_run(struct core *core)
{
	for (unsigned i = 0; i < core->nr_nets; i++)
		net_run(core->nets[i], core->now_us);
}

unsigned nic_tx(struct core *core)
{
	unsigned done = 0;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		struct nic_queue *q = core->queues[i];

		if (q->nic->tx_ring && core->id == 0)
			done += handed_flush(q);
		done += queue_flush(q);
	}
	return done;
}

bool nic_rings_empty(const struct core *core)
{
	for (unsigned i = 0; i < core->nr_nets; i++) {
		const struct nic_queue *q = core->queues[i];

		if (q->spread && !rte_ring_empty(q->spread))
			return false;
		if (core->id == 0 && q->nic->tx_ring && !rte_ring_empty(q->nic->tx_ring))
			return false;
	}
	return true;
}

/* --- between the cores --- */

struct neigh_msg {
	struct core_msg msg;
	struct nic *nic;
	struct ip_addr ip;
	uint8_t mac[NET_MAC_LEN];
	bool is_confirmed;
	bool is_duplicate; /* ip is ours no longer */
};

static void neigh_msg_run(struct core *core, struct core_msg *m)
{
	struct neigh_msg *msg = (struct neigh_msg *)m;

	struct net *net = &msg->nic->queues[core->id]->net;

	if (msg->is_duplicate)
		net_addr_duplicate(net, &msg->ip);
	else
		net_neigh_learn(net, &msg->ip, msg->mac, msg->is_confirmed);
	free(msg);
}

/* Tells the other cores of the port. */
static void queue_tell(struct nic_queue *q, const struct neigh_msg *what)
{
	for (unsigned i = 0; i < q->nic->nr_cores; i++) {
		struct neigh_msg *msg;

		if (i == q->core->id || !q->nic->queues[i])
			continue;
		msg = malloc(sizeof(*msg));
		if (!msg)
			return; /* the other core will find out for itself */
		*msg = *what;
		msg->msg.fn = neigh_msg_run;
		msg->nic = q->nic;
		if (core_post(q->core->cores[i], &msg->msg))
			free(msg);
	}
}

static void queue_neigh_learned(
	void *ctx, const struct ip_addr *ip, const uint8_t mac[NET_MAC_LEN], bool is_confirmed)
{
	struct neigh_msg what = {.ip = *ip, .is_confirmed = is_confirmed};

	memcpy(what.mac, mac, NET_MAC_LEN);
	queue_tell(ctx, &what);
}

static void queue_addr_duplicate(void *ctx, const struct ip_addr *ip)
{
	struct nic_queue *q = ctx;
	const struct neigh_msg what = {.ip = *ip, .is_duplicate = true};
	char text[IP_ADDR_TEXT];

	ip_addr_format(ip, text, sizeof(text));
	nic_log(q->nic, 3, "another station has %s: the address is not used", text);
	queue_tell(q, &what);
}

/* The hash decides who owns a flow, whichever queue its frames arrive on. */
static bool queue_flow_mine(void *ctx, const struct ip_addr *laddr, uint16_t lport,
	const struct ip_addr *raddr, uint16_t rport)
{
	struct nic_queue *q = ctx;

	if (q->nic->nr_cores == 1)
		return true;
	return nic_rss_owner(&q->nic->rss, net_flow_hash_tuple(laddr, lport, raddr, rport)) ==
	       q->core->id;
}

struct net *nic_route(struct core *core, const struct ip_addr *ip)
{
	struct net *best = NULL;
	int best_len = -1;

	for (unsigned i = 0; i < core->nr_nets; i++) {
		const int len = net_route(core->nets[i], ip);

		if (len > best_len) {
			best = core->nets[i];
			best_len = len;
		}
	}
	return best;
}
