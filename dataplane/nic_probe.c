/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_probe.h"

#include "dataplane/nic_memif.h"

#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP(n) (1ull << (n))

bool nic_is_pci(const char *device)
{
	unsigned a, b, c, d;

	return sscanf(device, "%x:%x:%x.%x", &a, &b, &c, &d) == 4 ||
	       sscanf(device, "%x:%x.%x", &a, &b, &c) == 3;
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool say(bool good, char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static bool say(bool good, char *text, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, size, fmt, ap);
	va_end(ap);
	return good;
}

/* The value of iface= in a device argument; false if there is none. */
static bool iface_of(const char *device, char *name, size_t size)
{
	const char *at = strstr(device, "iface=");

	if (!at)
		return false;
	at += strlen("iface=");
	snprintf(name, size, "%.*s", (int)strcspn(at, ","), at);
	return true;
}

/* The last part of what a link in a PCI device's directory points to, "" if there is none. */
static void pci_link(const char *dir, const char *name, char *to, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	to[0] = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	slash = strrchr(target, '/');
	snprintf(to, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

static bool vfio_probe(const char *dir, char *text, size_t size)
{
	char group[32], node[64];

	pci_link(dir, "iommu_group", group, sizeof(group));
	if (!group[0])
		return say(true, text, size, "PCI device, bound to vfio-pci without an IOMMU");
	snprintf(node, sizeof(node), "/dev/vfio/%.20s", group);
	if (access(node, R_OK | W_OK))
		return say(false, text, size,
			"no permission for %s: root, or chown it to this user", node);
	return say(true, text, size, "PCI device, bound to vfio-pci, IOMMU group %s", group);
}

/* The device's full address, and its directory. */
static void pci_find(const char *device, char addr[64], char dir[128])
{
	size_t n = strcspn(device, ",");

	snprintf(addr, 64, "%s%.*s",
		memchr(device, ':', n) == memrchr(device, ':', n) ? "0000:" : "", (int)n, device);
	snprintf(dir, 128, "/sys/bus/pci/devices/%s", addr);
}

static bool pci_probe(const char *device, char *text, size_t size)
{
	static const char *const own[] = {
		"mlx4_core", "mlx5_core", "mana", "uio_pci_generic", "igb_uio", "uio_hv_generic"};
	char addr[64], dir[128], driver[64], group[32];

	pci_find(device, addr, dir);
	if (access(dir, F_OK))
		return say(
			false, text, size, "there is no PCI device %s (lspci -D lists them)", addr);
	pci_link(dir, "driver", driver, sizeof(driver));
	if (strcmp(driver, "vfio-pci") == 0)
		return vfio_probe(dir, text, size);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(driver, own[i]) == 0)
			return say(true, text, size, "PCI device, bound to %s", driver);
	pci_link(dir, "iommu_group", group, sizeof(group));
	return say(false, text, size,
		"it is bound to %s and DPDK needs vfio-pci: %smodprobe vfio-pci; "
		"dpdk-devbind.py --bind=vfio-pci %s%s",
		driver[0] ? driver : "no driver",
		group[0] ? "" : "boot with intel_iommu=on or amd_iommu=on; ", addr,
		group[0] ? "" : "; or, without an IOMMU, the same with uio_pci_generic");
}

bool nic_needs_huge(const char *device)
{
	char addr[64], dir[128], driver[64], path[160], name[32] = "";
	FILE *f;

	if (!nic_is_pci(device))
		return false;
	pci_find(device, addr, dir);
	pci_link(dir, "driver", driver, sizeof(driver));
	if (strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0)
		return true;
	snprintf(path, sizeof(path), "%s/iommu_group/name", dir);
	f = fopen(path, "r");
	if (f) {
		if (!fgets(name, sizeof(name), f))
			name[0] = 0;
		fclose(f);
	}
	return starts(name, "vfio-noiommu"); /* the group that vfio makes up */
}

/* Effective capabilities of this thread; all of them where they cannot be asked for. */
static uint64_t caps(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return UINT64_MAX;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static bool tap_probe(const char *device, char *text, size_t size)
{
	char iface[64];

	if (access("/dev/net/tun", F_OK))
		return say(false, text, size,
			"/dev/net/tun is not there: modprobe tun, or let the container have it");
	if (access("/dev/net/tun", R_OK | W_OK) || !(caps() & CAP(CAP_NET_ADMIN)))
		return say(false, text, size,
			"not permitted: a tap device needs root or CAP_NET_ADMIN");
	if (iface_of(device, iface, sizeof(iface)) && if_nametoindex(iface))
		return say(false, text, size,
			"there is an interface %s already; net_tap makes its own: another iface=, or "
			"ip link del %s",
			iface, iface);
	return say(true, text, size, "virtual device");
}

static bool iface_probe(const char *device, char *text, size_t size)
{
	bool xdp = starts(device, "net_af_xdp");
	uint64_t want = CAP(CAP_NET_RAW) | (xdp ? CAP(CAP_NET_ADMIN) : 0), have = caps();
	char iface[64];

	if (!iface_of(device, iface, sizeof(iface)))
		return say(false, text, size, "it needs iface=NAME, the interface to use");
	if (!if_nametoindex(iface))
		return say(false, text, size,
			"there is no interface %s in this network namespace (ip link lists them)",
			iface);
	if ((have & want) != want || (xdp && !(have & (CAP(CAP_SYS_ADMIN) | CAP(CAP_BPF)))))
		return say(false, text, size, "not permitted: it needs root or CAP_NET_RAW%s",
			xdp ? ", CAP_NET_ADMIN and CAP_BPF" : "");
	return say(true, text, size, "virtual device on interface %s", iface);
}

bool nic_probe(const char *device, char *text, size_t size)
{
	if (nic_is_pci(device))
		return pci_probe(device, text, size);
	if (starts(device, "net_tap"))
		return tap_probe(device, text, size);
	if (starts(device, "net_af_xdp") || starts(device, "net_af_packet"))
		return iface_probe(device, text, size);
	if (nic_is_memif(device))
		return nic_memif_probe(device, text, size);
	return say(true, text, size, "virtual device");
}

const char *nic_busy_hint(const char *device)
{
	if (starts(device, "net_af_xdp"))
		return "; is another program using the interface (ip link shows its xdp program), or is "
		       "bpf() not allowed here? net_tap needs neither";
	if (nic_is_pci(device))
		return "; is another process using the device?";
	return "";
}
