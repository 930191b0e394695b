/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/check.h"

#include "app/nic_address.h"
#include "app/threads.h"
#include "dataplane/nic.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <libpmem.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define EAL_BYTES (256ull << 20)

static int problems;

static void line(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("  %-12s ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void problem(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void problem(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("  %-12s PROBLEM: ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	problems++;
}

static unsigned count_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	if (!d)
		return 0;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void check_cores(struct server *srv)
{
	int cpus[MILLRACE_MAX_CORES], n = 0;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	if (srv->cfg->poll_cores && srv->cfg->poll_cores[0])
		n = threads_parse_cpus(srv->cfg->poll_cores, cpus, MILLRACE_MAX_CORES);
	if (n < 0) {
		problem("cores", "poll-cores %s is not a list of CPUs (as 1-3 or 0,2)",
			srv->cfg->poll_cores);
		return;
	}
	for (int i = 0; i < n; i++)
		if (!CPU_ISSET(cpus[i], &set))
			problem("cores", "CPU %d of poll-cores may not be used by this process",
				cpus[i]);
	line("cores", "%d CPUs usable; poll threads: %d%s", CPU_COUNT(&set), n ? n : 1,
		n ? ", pinned" : ", not pinned (poll-cores pins them)");
}

static void check_memory(struct server *srv)
{
	uint64_t huge = nic_huge_free();
	bool use = srv->cfg->huge_pages == HUGE_YES ||
		   (srv->cfg->huge_pages == HUGE_AUTO && srv->cfg->nr_nics && huge >= EAL_BYTES);

	if (srv->cfg->huge_pages == HUGE_YES && huge < EAL_BYTES)
		problem("hugepages",
			"%llu MB free, 256 MB needed: sysctl -w vm.nr_hugepages=256, or huge-pages no",
			(unsigned long long)(huge >> 20));
	else
		line("hugepages", "%llu MB free; %s", (unsigned long long)(huge >> 20),
			use ? "used" : "not used: ordinary memory instead");
}

static void check_nic(struct server *srv, unsigned i)
{
	const char *dev = srv->cfg->nic[i], *iface = strstr(dev, "iface=");
	char path[256], name[64];
	struct net_addr addrs[NET_MAX_ADDRS];

	if (i >= srv->cfg->nr_nic_addresses)
		problem("nic", "%s has no nic-address", dev);
	else if (nic_address_parse(srv->cfg->nic_address[i], addrs) < 0)
		problem("nic", "nic-address %s is not a list of addresses with prefix lengths",
			srv->cfg->nic_address[i]);
	if (isxdigit((unsigned char)dev[0]) && strchr(dev, ':')) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%.*s",
			strlen(dev) < 10 ? "0000:" : "", (int)strcspn(dev, ","), dev);
		if (access(path, F_OK))
			problem("nic", "%s: no such PCI device (lspci -D lists them)", dev);
		else
			line("nic", "%s: PCI device, to be bound to vfio-pci or uio_pci_generic",
				dev);
		return;
	}
	if (iface &&
		(strncmp(dev, "net_af_xdp", 10) == 0 || strncmp(dev, "net_af_packet", 13) == 0)) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(iface + 6, ","), iface + 6);
		if (if_nametoindex(name) == 0) {
			problem("nic", "%s: there is no interface %s in this network namespace",
				dev, name);
			return;
		}
	}
	line("nic", "%s: virtual device, %s", dev,
		geteuid() == 0 ? "permitted" : "needs root or CAP_NET_ADMIN, CAP_NET_RAW");
}

static void check_iommu(void)
{
	unsigned groups = count_dir("/sys/kernel/iommu_groups");

	line("iommu", "%s; vfio %s",
		groups ? "active" : "not active (vfio needs enable_unsafe_noiommu_mode)",
		access("/dev/vfio/vfio", F_OK) == 0 ? "present" : "not loaded (modprobe vfio-pci)");
}

static void check_pool(struct server *srv)
{
	const char *path = srv->cfg->pmem_file;
	char dir[512], *slash;
	struct statvfs vfs;
	struct stat st;
	bool exists = path && path[0] && stat(path, &st) == 0;

	if (!path || !path[0]) {
		problem("pool", "pmem-file is empty");
		return;
	}
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash[1] = 0;
	else if (slash)
		*slash = 0;
	else
		strcpy(dir, ".");
	if (statvfs(dir, &vfs)) {
		problem("pool", "%s: %s", dir, strerror(errno));
		return;
	}
	if (!exists && (uint64_t)vfs.f_bavail * vfs.f_frsize < srv->cfg->pmem_size)
		problem("pool", "%s: %llu MB free, pmem-size wants %llu MB", dir,
			(unsigned long long)((uint64_t)vfs.f_bavail * vfs.f_frsize >> 20),
			(unsigned long long)(srv->cfg->pmem_size >> 20));
	if (access(exists ? path : dir, exists ? R_OK | W_OK : W_OK))
		problem("pool", "%s: no permission", exists ? path : dir);
	if (exists) {
		size_t len;
		int is_pmem = 0;
		void *p = pmem_map_file(path, 0, 0, 0, &len, &is_pmem);

		if (!p) {
			problem("pool", "%s cannot be mapped: %s", path, pmem_errormsg());
			return;
		}
		pmem_unmap(p, len);
		line("pool", "%s: %llu MB, medium %s", path, (unsigned long long)(st.st_size >> 20),
			!is_pmem ? "ordinary file: replies wait for msync"
			: getenv("PMEM_IS_PMEM_FORCE")
				? "forced: treated as persistent memory, which it may not be"
				: "persistent memory");
	} else {
		line("pool", "%s would be created, %llu MB", path,
			(unsigned long long)(srv->cfg->pmem_size >> 20));
	}
}

int check_run(struct server *srv)
{
	printf("millrace %s, as configured by %s\n", MILLRACE_VERSION,
		srv->config_file[0] ? srv->config_file : "defaults and the command line");
	check_cores(srv);
	check_memory(srv);
	for (unsigned i = 0; i < srv->cfg->nr_nics; i++)
		check_nic(srv, i);
	if (srv->cfg->nr_nics == 0)
		line("nic", "none: kernel sockets only");
	check_iommu();
	check_pool(srv);
	printf("%s\n", problems ? "would not start" : "would start");
	return problems ? EXIT_FAILURE : EXIT_SUCCESS;
}
