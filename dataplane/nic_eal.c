/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DPDK's environment: memory, device arguments, threads.
 */
#include "dataplane/nic.h"

#include "dataplane/nic_memif.h"
#include "dataplane/nic_probe.h"

#include <errno.h>
#include <glob.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EAL_MAX_ARGS   64
#define EAL_MEMORY_MB  128u /* and as much for the packets of each device */
#define EAL_MEMORY_MIN (256ull << 20)

static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long long v = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

uint64_t nic_huge_free(void)
{
	glob_t g;
	uint64_t total = 0;

	if (glob("/sys/kernel/mm/hugepages/hugepages-*kB", 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *size = strrchr(g.gl_pathv[i], '-');
		char path[512];

		snprintf(path, sizeof(path), "%s/free_hugepages", g.gl_pathv[i]);
		total += read_number(path) * strtoull(size + 1, NULL, 10) * 1024;
	}
	globfree(&g);
	return total;
}

struct eal_args {
	char *argv[EAL_MAX_ARGS];
	int argc;
};

static void arg_add(struct eal_args *a, const char *arg)
{
	if (a->argc < EAL_MAX_ARGS - 1)
		a->argv[a->argc++] = strdup(arg);
}

static void args_build(struct eal_args *a, const struct nic_eal_cfg *cfg, bool huge)
{
	char lcores[64], mb[16], *extra = strdup(cfg->extra_args ? cfg->extra_args : ""),
				 *save = NULL;
	bool pci = false;
	cpu_set_t set;
	int cpu = 0;

	memset(a, 0, sizeof(*a));
	sched_getaffinity(0, sizeof(set), &set);
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set))
		cpu++;
	snprintf(lcores, sizeof(lcores), "0@%d", cpu);
	arg_add(a, "millrace");
	/* Nothing is left behind by a kill. EAL refuses --in-memory beside --no-huge. */
	arg_add(a, huge ? "--in-memory" : "--no-shconf");
	arg_add(a, "--lcores");
	arg_add(a, lcores);
	arg_add(a, "--file-prefix");
	arg_add(a, cfg->prefix);
	if (!cfg->verbose) {
		arg_add(a, "--log-level"); /* the first that fits counts */
		arg_add(a, "lib.telemetry:error");
		arg_add(a, "--log-level");
		arg_add(a, "lib.*:warning");
		arg_add(a, "--log-level");
		arg_add(a, "pmd.*:warning");
	}
	if (!huge) {
		arg_add(a, "--no-huge");
		arg_add(a, "-m");
		snprintf(mb, sizeof(mb), "%u",
			cfg->nr_devices ? EAL_MEMORY_MB * (1 + cfg->nr_devices) : 16);
		arg_add(a, mb);
	}
	for (unsigned i = 0; i < cfg->nr_devices; i++) {
		pci |= nic_is_pci(cfg->devices[i]);
		arg_add(a, nic_is_pci(cfg->devices[i]) ? "-a" : "--vdev");
		arg_add(a, cfg->devices[i]);
	}
	if (!pci)
		arg_add(a, "--no-pci");
	for (char *w = extra ? strtok_r(extra, " \t", &save) : NULL; w;
		w = strtok_r(NULL, " \t", &save))
		arg_add(a, w);
	free(extra);
}

/* The first device that is not as it should be, else whatever DPDK said. */
static void eal_fault(const struct nic_eal_cfg *cfg, int rc, char *err, size_t err_len)
{
	char why[300];

	for (unsigned i = 0; i < cfg->nr_devices; i++)
		if (!nic_probe(cfg->devices[i], why, sizeof(why))) {
			snprintf(err, err_len, "nic %s: %s", cfg->devices[i], why);
			return;
		}
	snprintf(err, err_len,
		"the DPDK environment did not start: %s (its messages are above); check the nic "
		"directives, permissions (root or CAP_NET_ADMIN and CAP_NET_RAW) and eal-args",
		strerror(-rc));
}

/* DPDK empties its directory and leaves it. One that another process uses is not empty. */
static void dir_remove(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

int nic_eal_init(const struct nic_eal_cfg *cfg, bool *huge_used, char *err, size_t err_len)
{
	bool huge = cfg->huge == 1 ||
		    (cfg->huge == -1 && cfg->nr_devices && nic_huge_free() >= EAL_MEMORY_MIN);
	struct eal_args args;
	cpu_set_t set;
	int rc;

	if (cfg->huge == 1 && nic_huge_free() < EAL_MEMORY_MIN) {
		snprintf(err, err_len,
			"huge-pages yes: only %llu MB of huge pages are free, 256 MB are needed; "
			"set vm.nr_hugepages (sysctl -w vm.nr_hugepages=256) or huge-pages no",
			(unsigned long long)(nic_huge_free() >> 20));
		return -ENOMEM;
	}
	for (unsigned i = 0; i < cfg->nr_devices && !huge; i++)
		if (nic_needs_huge(cfg->devices[i])) {
			snprintf(err, err_len, "nic %s: " NIC_NEEDS_HUGE, cfg->devices[i]);
			return -ENOMEM;
		}
	for (unsigned i = 0; i < cfg->nr_devices; i++)
		nic_memif_tidy(cfg->devices[i]);
	args_build(&args, cfg, huge);
	sched_getaffinity(0, sizeof(set), &set);
	atexit(dir_remove); /* runs after the one that rte_eal_init() registers for its socket */
	rc = rte_eal_init(args.argc, args.argv);
	sched_setaffinity(0, sizeof(set), &set);
	if (rc < 0) {
		rc = rte_errno ? -rte_errno : -EIO;
		eal_fault(cfg, rc, err, err_len);
		return rc;
	}
	*huge_used = huge;
	return 0;
}

const char *nic_eal_dir(void)
{
	return rte_eal_get_runtime_dir();
}

void nic_eal_fini(void)
{
	rte_eal_cleanup();
}

int nic_thread_register(void)
{
	return rte_thread_register() ? -rte_errno : 0;
}
