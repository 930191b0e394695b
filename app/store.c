/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/store.h"

#include "app/appcore.h"
#include "app/control.h"
#include "app/media_guard.h"
#include "persist/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void store_boot_id(char *buf, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	buf[0] = 0;
	if (!f)
		return;
	if (!fgets(buf, (int)size, f))
		buf[0] = 0;
	buf[strcspn(buf, "\n")] = 0;
	fclose(f);
}

static void warn_medium(struct server *srv)
{
	struct pool_info info;

	pool_info_get(srv->pool, &info);
	server_log(srv, 2, "pool: %s size=%llu medium=%s durability=%s log=%llu",
		srv->cfg->pmem_file, (unsigned long long)info.size, pool_medium_name(info.medium),
		pool_durability_name(info.durability), (unsigned long long)info.ring_size);
	if (info.medium == POOL_MEDIUM_FORCED)
		server_log(srv, 3,
			"pool: PMEM_IS_PMEM_FORCE treats the medium as persistent memory: what is acknowledged survives "
			"the process, and survives a power cut only if that is true");
}

int store_open(struct server *srv, char *err, size_t err_len)
{
	struct config *cfg = srv->cfg;
	char boot_id[64];
	struct pool_cfg pc = {
		.boot_id = boot_id,
		.durability = (enum pool_durability)cfg->durability,
		.any_size = true, /* pool_size_setup() sees to it */
		.grow_to = cfg->pmem_size,
		.nr_writers = MILLRACE_MAX_CORES,
	};
	struct ks_config kc = {.nr_parts = cfg->partitions, .nr_dbs = (uint32_t)cfg->databases};
	int rc;

	store_boot_id(boot_id, sizeof(boot_id));
	if (!cfg->pmem_file || !cfg->pmem_file[0]) {
		snprintf(err, err_len,
			"pmem-file is empty: name the file of the pool (on a DAX file system, or any other)");
		return -EINVAL;
	}
	if (getrandom(kc.hash_seed, sizeof(kc.hash_seed), 0) != sizeof(kc.hash_seed))
		return -EIO;
	srv->ks_cfg = kc;
	srv->ks = ks_create(&kc);
	if (!srv->ks) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	ks_set_policy(srv->ks, (enum ks_policy)atomic_load(&cfg->maxmemory_policy),
		(unsigned)atomic_load(&cfg->maxmemory_samples), atomic_load(&cfg->lfu_log_factor),
		atomic_load(&cfg->lfu_decay_time));
	rc = pool_open(cfg->pmem_file, cfg->pmem_size, &pc, &srv->pool, err, err_len);
	if (rc)
		return rc;
	media_guard_start(srv);
	warn_medium(srv);
	return 0;
}

int store_open_writers(struct server *srv, char *err, size_t err_len)
{
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		int rc = app_core_open_log(srv->cores[i]);

		if (rc) {
			snprintf(err, err_len, "pool %s: no log writer for poll core %u: %s",
				srv->cfg->pmem_file, i, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

void store_close(struct server *srv, bool clean)
{
	media_guard_stop();
	pool_close(&srv->pool, clean);
	ks_destroy(&srv->ks);
}
