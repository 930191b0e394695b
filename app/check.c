/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/check.h"

#include "app/listen.h"
#include "app/nic_address.h"
#include "app/threads.h"
#include "dataplane/nic.h"
#include "dataplane/nic_probe.h"
#include "persist/pool.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
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

static bool use_huge(const struct server *srv)
{
	return srv->cfg->huge_pages == HUGE_YES ||
	       (srv->cfg->huge_pages == HUGE_AUTO && srv->cfg->nr_nics &&
		       nic_huge_free() >= EAL_BYTES);
}

static void check_memory(struct server *srv)
{
	uint64_t huge = nic_huge_free();

	if (srv->cfg->huge_pages == HUGE_YES && huge < EAL_BYTES)
		problem("hugepages",
			"%llu MB free, 256 MB needed: sysctl -w vm.nr_hugepages=256, or huge-pages no",
			(unsigned long long)(huge >> 20));
	else
		line("hugepages", "%llu MB free; %s", (unsigned long long)(huge >> 20),
			use_huge(srv) ? "used" : "not used: ordinary memory instead");
}

static void check_nic(struct server *srv, unsigned i)
{
	const char *dev = srv->cfg->nic[i];
	struct net_addr addrs[NET_MAX_ADDRS];
	char text[300];

	if (i >= srv->cfg->nr_nic_addresses)
		problem("nic", "%s has no nic-address", dev);
	else if (nic_address_parse(srv->cfg->nic_address[i], addrs) < 0)
		problem("nic", "nic-address %s is not a list of addresses with prefix lengths",
			srv->cfg->nic_address[i]);
	if (!nic_probe(dev, text, sizeof(text)))
		problem("nic", "%s: %s", dev, text);
	else if (!use_huge(srv) && nic_needs_huge(dev))
		problem("nic", "%s: " NIC_NEEDS_HUGE, dev);
	else
		line("nic", "%s: %s", dev, text);
}

static void check_iommu(void)
{
	unsigned groups = count_dir("/sys/kernel/iommu_groups");

	line("iommu", "%s; vfio %s",
		groups ? "active" : "not active (vfio needs enable_unsafe_noiommu_mode)",
		access("/dev/vfio/vfio", F_OK) == 0 ? "present" : "not loaded (modprobe vfio-pci)");
}

static const char *medium_text(enum pool_medium medium)
{
	switch (medium) {
	case POOL_MEDIUM_PMEM: return "persistent memory";
	case POOL_MEDIUM_FORCED:
		return "taken for persistent memory (PMEM_IS_PMEM_FORCE), which it is not: unsafe";
	case POOL_MEDIUM_FILE: break;
	}
	return "ordinary file: replies wait for msync";
}

static void check_pool_file(struct server *srv, const char *path, const char *medium)
{
	uint64_t wanted = srv->cfg->pmem_size;
	struct pool_info info;
	struct pool *pool;
	char err[300];

	if (access(path, R_OK | W_OK)) {
		problem("pool", "%s: no permission", path);
		return;
	}
	if (pool_view(path, &pool, err, sizeof(err))) {
		problem("pool", "%s", err);
		return;
	}
	pool_info_get(pool, &info);
	pool_close(&pool, false);
	if (config_given(srv->cfg, "pmem-size") && wanted / 4096 != info.size / 4096)
		line("pool", "%s: has %llu MB, pmem-size says %llu MB: it %s", path,
			(unsigned long long)(info.size >> 20), (unsigned long long)(wanted >> 20),
			wanted > info.size ? "would grow" : "keeps its size");
	line("pool", "%s: %llu MB, log %llu MB, closed %s; medium: %s", path,
		(unsigned long long)(info.size >> 20), (unsigned long long)(info.ring_size >> 20),
		info.was_clean ? "cleanly" : "by a crash: it will be recovered", medium);
}

static void check_pool_room(struct server *srv, const char *path, const char *medium)
{
	unsigned long long wanted = srv->cfg->pmem_size >> 20, has;
	char buf[PATH_MAX];
	const char *dir;
	struct statvfs vfs;

	snprintf(buf, sizeof(buf), "%s", path);
	dir = dirname(buf);
	if (statvfs(dir, &vfs)) {
		problem("pool", "%s: %s", dir, strerror(errno));
		return;
	}
	has = ((uint64_t)vfs.f_bavail * vfs.f_frsize) >> 20;
	if (access(dir, W_OK | X_OK))
		problem("pool", "%s cannot be created: no permission for %s", path, dir);
	else if (has < wanted)
		problem("pool", "%s: %llu MB free, pmem-size wants %llu MB", dir, has, wanted);
	else
		line("pool", "%s would be created, %llu MB; medium: %s", path, wanted, medium);
}

static void check_pool(struct server *srv)
{
	const char *path = srv->cfg->pmem_file, *medium = "unknown";
	enum pool_medium kind;
	struct stat st;

	if (!path || !path[0]) {
		problem("pool", "pmem-file is empty");
		return;
	}
	if (pool_medium_probe(path, &kind) == 0)
		medium = medium_text(kind);
	if (stat(path, &st) == 0)
		check_pool_file(srv, path, medium);
	else if (errno == ENOENT)
		check_pool_room(srv, path, medium);
	else
		problem("pool", "%s: %s", path, strerror(errno));
}

static void check_listeners(struct server *srv)
{
	char err[300], addresses[300] = "";
	size_t n = 0;

	if (listeners_check(srv->cfg, err, sizeof(err))) {
		problem("listen", "%s", err);
		return;
	}
	for (unsigned i = 0; srv->cfg->port && i < srv->cfg->nr_bind && n < sizeof(addresses); i++)
		n += (size_t)snprintf(
			addresses + n, sizeof(addresses) - n, " %s", srv->cfg->bind[i]);
	line("listen", "port %d%s%s%s%s%s", srv->cfg->port, n ? " on" : "", addresses,
		srv->cfg->nr_nics ? " and the nic addresses" : "",
		srv->cfg->unixsocket && srv->cfg->unixsocket[0] ? ", unix socket " : "",
		srv->cfg->unixsocket ? srv->cfg->unixsocket : "");
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
	check_listeners(srv);
	printf("%s\n", problems ? "would not start" : "would start");
	return problems ? EXIT_FAILURE : EXIT_SUCCESS;
}
