/* SPDX-License-Identifier: BSD-3-Clause
 *
 * INFO millrace: the pool, the log, snapshots and each poll core.
 */
#include "app/commands/info.h"

#include "app/pool_space.h"
#include "app/repl_check.h"
#include "app/repl_durable.h"
#include "app/repl_observe.h"
#include "app/snapshot.h"
#include "dataplane/core.h"
#include "persist/log.h"
#include "persist/pool.h"
#include "persist/snapshot.h"

#include <stdio.h>

static void info_pool(struct textbuf *tb, struct server *srv)
{
	struct pool_info info;
	char uuid[2 * sizeof(info.uuid) + 1];
	char path[1024];

	if (!srv->pool) {
		textbuf_addf(tb, "pmem_medium:none\r\n"
				 "pmem_safe:0\r\n");
		return;
	}
	pool_info_get(srv->pool, &info);
	for (size_t i = 0; i < sizeof(info.uuid); i++)
		snprintf(uuid + 2 * i, 3, "%02x", info.uuid[i]);
	config_get_str(srv->cfg, &srv->cfg->pmem_file, path, sizeof(path));
	/* safe: what was acknowledged survives a power cut */
	textbuf_addf(tb,
		"pmem_file:%s\r\n"
		"pmem_medium:%s\r\n"
		"pmem_durability:%s\r\n"
		"pmem_safe:%d\r\n"
		"pmem_size:%llu\r\n"
		"pmem_uuid:%s\r\n"
		"pmem_generation:%llu\r\n"
		"pmem_incarnation:%u\r\n",
		path, pool_medium_name(info.medium), pool_durability_name(info.durability),
		info.medium == POOL_MEDIUM_PMEM ||
			(info.medium == POOL_MEDIUM_FILE &&
				info.durability == POOL_DURABILITY_ALWAYS),
		(unsigned long long)info.size, uuid, (unsigned long long)info.generation,
		info.incarnation);
}

static void info_log(struct textbuf *tb, struct server *srv)
{
	struct log_stats s;

	if (!srv->log)
		return;
	log_stats_get(srv->log, &s);
	textbuf_addf(tb,
		"log_tail:%llu\r\n"
		"log_start:%llu\r\n"
		"log_watermark:%llu\r\n"
		"log_durable:%llu\r\n"
		"log_ring_size:%llu\r\n"
		"log_space:%llu\r\n",
		(unsigned long long)s.tail, (unsigned long long)s.start,
		(unsigned long long)s.watermark, (unsigned long long)s.durable,
		(unsigned long long)log_ring_size(srv->log), (unsigned long long)s.space);
	textbuf_addf(tb,
		"log_bytes:%llu\r\n"
		"log_appends:%llu\r\n"
		"log_commits:%llu\r\n"
		"log_stalls:%llu\r\n"
		"log_hints:%llu\r\n"
		"log_flushes:%llu\r\n"
		"log_flush_bytes:%llu\r\n",
		(unsigned long long)s.bytes, (unsigned long long)s.appends,
		(unsigned long long)s.commits, (unsigned long long)s.stalls,
		(unsigned long long)s.hints, (unsigned long long)s.flushes,
		(unsigned long long)s.flush_bytes);
}

static void info_snapshots(struct textbuf *tb, struct server *srv)
{
	struct snapshot_counts counts;
	struct snap_stats s;

	if (!srv->pool)
		return;
	snap_stats_get(srv->pool, &s);
	snapshot_counts(srv, &counts);
	textbuf_addf(tb,
		"snapshot_offset:%llu\r\n"
		"snapshot_bytes:%llu\r\n"
		"snapshot_active:%d\r\n"
		"snapshot_building_bytes:%llu\r\n"
		"snapshot_extents_total:%u\r\n"
		"snapshot_extents_free:%u\r\n"
		"snapshots_published:%llu\r\n"
		"snapshots_aborted:%llu\r\n"
		"snapshots_no_space:%llu\r\n"
		"snapshot_large_values:%llu\r\n"
		"snapshot_large_parts:%llu\r\n"
		"snapshot_large_part_max:%llu\r\n"
		"snapshot_large_whole:%llu\r\n",
		(unsigned long long)s.newest_offset, (unsigned long long)s.newest_bytes,
		snapshot_active(srv), (unsigned long long)s.building_bytes, s.extents_total,
		s.extents_free, (unsigned long long)s.published, (unsigned long long)s.aborted,
		(unsigned long long)s.no_space, (unsigned long long)counts.large,
		(unsigned long long)counts.parts, (unsigned long long)counts.part_max_bytes,
		(unsigned long long)counts.whole);
}

static void info_space(struct textbuf *tb, struct server *srv)
{
	struct pool_space space;

	if (!srv->pool || !srv->log)
		return;
	pool_space_get(srv, &space);
	textbuf_addf(tb,
		"pmem_used_bytes:%llu\r\n"
		"pmem_free_bytes:%llu\r\n"
		"snapshot_needed_bytes:%llu\r\n"
		"log_bytes_per_sec:%llu\r\n"
		"log_flush_usec:%llu\r\n"
		"log_seconds_left:%lld\r\n",
		(unsigned long long)space.used_bytes, (unsigned long long)space.free_bytes,
		(unsigned long long)space.needed_bytes,
		(unsigned long long)atomic_load(&srv->log_bytes_per_sec),
		(unsigned long long)atomic_load(&srv->log_flush_us),
		(long long)space.log_seconds_left);
}

static void info_durable(struct textbuf *tb, struct server *srv)
{
	struct repl_durable *d = &srv->repl->durable;

	textbuf_addf(tb,
		"min_replicas_durable:%d\r\n"
		"durable_replicas:%u\r\n"
		"durable_offset:%llu\r\n"
		"durable_timeouts:%llu\r\n"
		"durable_unsure:%llu\r\n",
		atomic_load(&d->need), atomic_load(&d->nr_online), atomic_load(&d->mark),
		atomic_load(&d->nr_timeouts), atomic_load(&d->nr_unsure));
}

static unsigned long long relaxed(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One line for a core, as key=value pairs. Cycles are of the time stamp counter. */
static void info_core(struct textbuf *tb, const struct app_core *ac, unsigned nr_clients)
{
	const struct core_counters *ctr = &ac->core->ctr;
	unsigned long long busy = relaxed(&ctr->busy_cycles), idle = relaxed(&ctr->idle_cycles);

	textbuf_addf(tb,
		"core%u:clients=%u,commands=%llu,busy_cycles=%llu,idle_cycles=%llu,busy_perc=%.2f,"
		"loops=%llu,sleeps=%llu,msgs=%llu",
		ac->id, nr_clients, relaxed(&ac->nr_commands), busy, idle,
		busy + idle ? 100.0 * (double)busy / (double)(busy + idle) : 0.0,
		relaxed(&ctr->loops), relaxed(&ctr->sleeps), relaxed(&ctr->msgs));
	textbuf_addf(tb,
		",rx_pkts=%llu,rx_handed_over=%llu,tx_pkts=%llu,rx_bytes=%llu,tx_bytes=%llu,"
		"rx_drops=%llu,"
		"tx_drops=%llu,sock_reads=%llu,sock_writes=%llu,retries_busy=%llu,retries_snapshot=%llu,"
		"retries_log_full=%llu,replies_waited=%llu,protocol_errors=%llu\r\n",
		relaxed(&ctr->rx_pkts), relaxed(&ctr->rx_spread), relaxed(&ctr->tx_pkts),
		relaxed(&ctr->rx_bytes), relaxed(&ctr->tx_bytes), relaxed(&ctr->rx_drops),
		relaxed(&ctr->tx_drops), relaxed(&ctr->sock_reads), relaxed(&ctr->sock_writes),
		relaxed(&ac->retries_busy), relaxed(&ac->retries_snapshot),
		relaxed(&ac->retries_log_full), relaxed(&ac->nr_waiting_replies),
		relaxed(&ac->protocol_errors));
}

static void info_cores(struct textbuf *tb, struct server *srv)
{
	unsigned nr_clients[MILLRACE_MAX_CORES] = {0};
	struct client *c;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		if (c->core_id < MILLRACE_MAX_CORES)
			nr_clients[c->core_id]++;
	}
	rte_spinlock_unlock(&srv->clients_lock);
	for (unsigned i = 0; i < srv->nr_cores; i++)
		info_core(tb, srv->cores[i], nr_clients[i]);
}

void info_millrace(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;

	textbuf_addf(tb,
		"poll_cores:%u\r\n"
		"poll_mode:%s\r\n"
		"partitions:%u\r\n",
		srv->nr_cores, srv->cfg->poll_mode == POLL_SPIN ? "spin" : "adaptive",
		ks_nr_parts(srv->ks));
	info_pool(tb, srv);
	info_log(tb, srv);
	info_snapshots(tb, srv);
	info_space(tb, srv);
	info_durable(tb, srv);
	repl_observe_info(srv, tb);
	if (srv->repl->check)
		repl_check_info(srv, tb);
	info_cores(tb, srv);
}
