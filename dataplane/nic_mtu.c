/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How large packets may be on a port: nic-mtu, or what the device says. A virtual device is as
 * large as the kernel's interface that it stands on.
 */
#include "dataplane/nic.h"

#include "dataplane/nic_priv.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NIC_MTU_MAX 9000u
#define NIC_MTU_MIN 576u /* RFC 1122, 3.3.2; IPv6 needs 1280 */
/* Ethernet header, VLAN tag and frame check sequence. */
#define FRAME_EXTRA (uint32_t)(RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN)
/* What most devices count the size of a buffer in. */
#define ROOM_UNIT 1024u
/* net_virtio wants room for its own header behind the headroom, too. */
#define VIRTIO_EXTRA 12u
/* net_af_packet: what a frame of its ring holds besides the packet, and its size by default. */
#define PACKET_RING_EXTRA 80u
#define PACKET_RING_FRAME 2048u
/* net_af_xdp: what of a page is left to a frame by the headers of pool and buffer, the headroom,
   and that of XDP; less a cache line, because pools space buffers by an odd number of lines. */
#define XDP_ROOM                                                                                   \
	(uint32_t)(4096 - 2 * RTE_CACHE_LINE_SIZE - sizeof(struct rte_mbuf) - NIC_PRIV -           \
		   RTE_PKTMBUF_HEADROOM - 256)

int nic_interface_ioctl(unsigned if_index, unsigned long what, struct ifreq *ifr)
{
	int fd, rc;

	if (!if_index || !if_indextoname(if_index, ifr->ifr_name))
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = ioctl(fd, what, ifr) ? -errno : 0;
	close(fd);
	return rc;
}

/* 0: there is no such interface. */
static uint32_t interface_mtu(unsigned if_index)
{
	struct ifreq ifr = {0};

	return nic_interface_ioctl(if_index, SIOCGIFMTU, &ifr) ? 0 : (uint32_t)ifr.ifr_mtu;
}

static int interface_mtu_set(unsigned if_index, uint32_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	return nic_interface_ioctl(if_index, SIOCSIFMTU, &ifr);
}

static bool is_driver(const struct rte_eth_dev_info *info, const char *name)
{
	return strcmp(info->driver_name, name) == 0;
}

/* A frame of net_af_packet's ring, as its argument says. */
static uint32_t packet_ring_frame(const struct nic *nic)
{
	const char *arg = strstr(nic->device, "framesz=");

	return arg ? (uint32_t)strtoul(arg + strlen("framesz="), NULL, 10) : PACKET_RING_FRAME;
}

/* A frame that the library lets through: it goes by the lesser of two numbers. */
static uint32_t library_max(const struct rte_eth_dev_info *info)
{
	uint32_t max = info->max_mtu ? info->max_mtu : RTE_ETHER_MTU;
	uint32_t extra = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		extra = info->max_rx_pktlen - info->max_mtu;
	if (info->max_rx_pktlen > extra && max > info->max_rx_pktlen - extra)
		max = info->max_rx_pktlen - extra;
	return max;
}

/* What the device can take. */
static uint32_t mtu_max(const struct nic *nic, const struct rte_eth_dev_info *info)
{
	uint32_t max = library_max(info);

	if (is_driver(info, "net_af_packet")) {
		/* Its numbers have nothing to do with what its ring holds. */
		const uint32_t ring = packet_ring_frame(nic),
			       extra = PACKET_RING_EXTRA + FRAME_EXTRA;

		max = ring > extra ? ring - extra : 0;
	} else if (is_driver(info, "net_af_xdp")) {
		/* A buffer with all that belongs to it lies within a page. */
		max = max < XDP_ROOM - FRAME_EXTRA ? max : XDP_ROOM - FRAME_EXTRA;
	}
	return max < NIC_MTU_MAX ? max : NIC_MTU_MAX;
}

static bool has_ipv6(const struct nic_cfg *cfg)
{
	for (unsigned i = 0; i < cfg->nr_addrs; i++)
		if (!ip_addr_is_v4(&cfg->addrs[i].ip))
			return true;
	return false;
}

int nic_mtu_choose(struct nic *nic, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
	const uint32_t max = mtu_max(nic, info);
	const uint32_t min = has_ipv6(&nic->cfg) ? 1280 : NIC_MTU_MIN;
	uint32_t mtu = nic->cfg.mtu;
	uint16_t own;

	if (mtu > max) {
		snprintf(err, err_len, "nic %s: nic-mtu %u: the device takes %u at most%s",
			nic->device, mtu, max,
			is_driver(info, "net_af_packet")
				? "; its argument framesz sets that (as framesz=9216,blocksz=36864)"
				: "");
		return -EINVAL;
	}
	if (!mtu)
		mtu = interface_mtu(info->if_index);
	if (!mtu)
		mtu = rte_eth_dev_get_mtu(nic->port, &own) ? RTE_ETHER_MTU : own;
	if (mtu > max)
		mtu = max;
	if (mtu < min) {
		snprintf(err, err_len, "nic %s: an MTU of %u is too small: %u at least%s",
			nic->device, mtu, min, min == 1280 ? " with an IPv6 address" : "");
		return -EINVAL;
	}
	nic->mtu = (uint16_t)mtu;
	nic->frame_room = (uint16_t)RTE_ALIGN_CEIL(mtu + FRAME_EXTRA + VIRTIO_EXTRA, ROOM_UNIT);
	if (nic->frame_room < RTE_MBUF_DEFAULT_DATAROOM)
		nic->frame_room = RTE_MBUF_DEFAULT_DATAROOM;
	if (is_driver(info, "net_af_xdp") && nic->frame_room > RTE_MBUF_DEFAULT_DATAROOM)
		nic->frame_room = (uint16_t)(XDP_ROOM + 256); /* which includes XDP's headroom */
	if (is_driver(info, "net_af_packet") && nic->frame_room < packet_ring_frame(nic))
		nic->frame_room = (uint16_t)packet_ring_frame(nic);
	return 0;
}

int nic_mtu_apply(struct nic *nic, const struct rte_eth_dev_info *info)
{
	uint16_t now;
	int rc;

	if (!nic->cfg.mtu)
		return 0;
	if (is_driver(info, "net_af_packet"))
		return interface_mtu_set(info->if_index, nic->mtu);
	rc = rte_eth_dev_set_mtu(nic->port, nic->mtu);
	/* A device that cannot be told is as it is: enough if it already has that size. */
	if (rc == -ENOTSUP && rte_eth_dev_get_mtu(nic->port, &now) == 0 && now >= nic->mtu)
		return 0;
	return rc;
}
