/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/telemetry.h"
#include "app/pool_space.h"

#include "app/network.h"
#include "app/repl_observe.h"
#include "dataplane/core.h"
#include "dataplane/ip/counters.h"
#include "dataplane/ip/net.h"
#include "dataplane/nic.h"
#include "dataplane/tcp/tcp.h"
#include "persist/log.h"
#include "persist/pool.h"
#include "persist/snapshot.h"

#include <ctype.h>
#include <errno.h>
#include <rte_telemetry.h>
#include <stdlib.h>
#include <string.h>

/* DPDK's callbacks have no context argument. Set while the node serves; read by DPDK's telemetry
 * thread. */
static _Atomic(struct server *) telemetry_server;

static void add(struct rte_tel_data *d, const char *name, uint64_t value)
{
	rte_tel_data_add_dict_u64(d, name, value);
}

static int cores_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);

	if (!srv)
		return -EAGAIN;
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (unsigned i = 0; i < srv->nr_cores; i++)
		rte_tel_data_add_array_int(d, (int)i);
	return 0;
}

/* The number that the parameter is, 0 without one. False: it is something else. */
static bool number_of(const char *params, unsigned long *nr)
{
	char *end;

	*nr = 0;
	if (!params || !*params)
		return true;
	if (!isdigit((unsigned char)*params))
		return false;
	*nr = strtoul(params, &end, 10);
	return *end == 0;
}

/* The core that the parameter names; a single core needs no parameter. */
static struct app_core *core_of(struct server *srv, const char *params)
{
	unsigned long id;

	return number_of(params, &id) && id < srv->nr_cores ? srv->cores[id] : NULL;
}

static int nic_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);
	const struct nic *nic = NULL;
	struct nic_facts f;
	unsigned long i;

	if (srv && number_of(params, &i) && i < CONFIG_MAX_NICS)
		nic = network_nic(srv, (unsigned)i);
	if (!nic)
		return -EINVAL;
	nic_facts_get(nic, &f);
	rte_tel_data_start_dict(d);
	add(d, "port", f.port);
	add(d, "queues", f.queues);
	add(d, "mtu", f.mtu);
	add(d, "link_up", f.is_link_up);
	add(d, "tx_checksums", f.tx_checksums);
	add(d, "rx_checksums", f.rx_checksums);
	add(d, "tx_segmentation", f.tx_segmentation);
	add(d, "rx_coalescing", f.rx_coalescing);
	add(d, "by_reference", f.by_reference);
	return 0;
}

static int core_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);
	struct app_core *ac = srv ? core_of(srv, params) : NULL;
	const struct core_counters *ctr;

	if (!ac)
		return -EINVAL;
	ctr = &ac->core->ctr;
	rte_tel_data_start_dict(d);
	add(d, "core", ac->id);
	add(d, "loops", ctr->loops);
	add(d, "busy_cycles", ctr->busy_cycles);
	add(d, "idle_cycles", ctr->idle_cycles);
	add(d, "sleep_cycles", ctr->sleep_cycles);
	add(d, "cycles_per_second", (UINT64_C(1000000) << 32) / ac->us_per_cycle);
	add(d, "sleeps", ctr->sleeps);
	add(d, "commands", ac->nr_commands);
	add(d, "busy_cycles_per_command", ac->nr_commands ? ctr->busy_cycles / ac->nr_commands : 0);
	add(d, "rx_packets", ctr->rx_pkts);
	add(d, "tx_packets", ctr->tx_pkts);
	add(d, "rx_bytes", ctr->rx_bytes);
	add(d, "tx_bytes", ctr->tx_bytes);
	add(d, "rx_drops", ctr->rx_drops);
	add(d, "tx_drops", ctr->tx_drops);
	add(d, "rx_handed_over", ctr->rx_spread);
	add(d, "rx_large", ctr->rx_large);
	add(d, "socket_reads", ctr->sock_reads);
	add(d, "socket_writes", ctr->sock_writes);
	add(d, "messages", ctr->msgs);
	add(d, "connections_accepted", ac->total_connections);
	add(d, "connections_refused", ac->rejected_connections);
	add(d, "replies_waited_for_log", ac->nr_waiting_replies);
	add(d, "retries_busy_partition", ac->retries_busy);
	add(d, "retries_snapshot", ac->retries_snapshot);
	add(d, "retries_log_full", ac->retries_log_full);
	add(d, "keyspace_hits", ac->keyspace_hits);
	add(d, "keyspace_misses", ac->keyspace_misses);
	add(d, "expired_keys", ac->expired_keys);
	add(d, "evicted_keys", ac->evicted_keys);
	add(d, "errors", ac->error_replies);
	return 0;
}

/* Sums over cores and ports. */
static int tcp_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);
	uint64_t sum[NR_NET_CTRS] = {0}, drops[NR_DROPS] = {0};
	struct tcp_gauges all = {0};

	if (!srv)
		return -EAGAIN;
	for (unsigned c = 0; c < srv->nr_cores; c++) {
		struct core *core = srv->cores[c]->core;

		for (unsigned n = 0; n < core->nr_nets; n++) {
			struct tcp_gauges g;

			tcp_gauges_read(core->nets[n], &g);
			all.conns += g.conns;
			all.half_open += g.half_open;
			all.timewait += g.timewait;
			all.rx_pkts += g.rx_pkts;
			for (int i = 0; i < NR_NET_CTRS; i++)
				sum[i] += net_counter_read(&core->nets[n]->counters.ctrs[i]);
			for (int i = 0; i < NR_DROPS; i++)
				drops[i] += net_counter_read(&core->nets[n]->counters.drops[i]);
		}
	}
	rte_tel_data_start_dict(d);
	add(d, "connections", all.conns);
	add(d, "half_open", all.half_open);
	add(d, "time_wait", all.timewait);
	add(d, "queued_packets", all.rx_pkts);
	for (int i = 0; i < NR_NET_CTRS; i++)
		add(d, net_ctr_info[i].name, sum[i]);
	for (int i = 0; i < NR_DROPS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "drop_%s", net_drop_info[i].name);
		add(d, name, drops[i]);
	}
	return 0;
}

static void add_pool(void *ctx, const char *name, uint32_t nr_pkts, uint32_t nr_free)
{
	char text[64];

	snprintf(text, sizeof(text), "%s_size", name);
	add(ctx, text, nr_pkts);
	snprintf(text, sizeof(text), "%s_free", name);
	add(ctx, text, nr_free);
}

static int packet_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	if (!atomic_load(&telemetry_server))
		return -EAGAIN;
	rte_tel_data_start_dict(d);
	nic_pools_each(add_pool, d);
	return 0;
}

static int repl_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);
	uint64_t tail;

	if (!srv)
		return -EAGAIN;
	tail = log_tail(srv->log);
	rte_tel_data_start_dict(d);
	add(d, "is_replica", atomic_load(&srv->is_replica));
	add(d, "offset", tail);
	add(d, "replicas", srv->repl->nr_replicas);
	add(d, "sync_full", atomic_load(&srv->repl->sync_full));
	add(d, "sync_partial_ok", atomic_load(&srv->repl->sync_partial_ok));
	add(d, "sync_partial_err", atomic_load(&srv->repl->sync_partial_err));
	add(d, "master_link_up", atomic_load(&srv->repl->link_up));
	add(d, "master_sync_in_progress", atomic_load(&srv->repl->syncing));
	repl_observe_telemetry(srv, d);
	return 0;
}

static int log_telemetry(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct server *srv = atomic_load(&telemetry_server);
	struct log_stats st;
	struct snap_stats sn;
	struct pool_info info;
	struct pool_space space;

	if (!srv)
		return -EAGAIN;
	log_stats_get(srv->log, &st);
	snap_stats_get(srv->pool, &sn);
	pool_info_get(srv->pool, &info);
	rte_tel_data_start_dict(d);
	add(d, "tail", st.tail);
	add(d, "start", st.start);
	add(d, "watermark", st.watermark);
	add(d, "durable", st.durable);
	add(d, "hint", st.hint);
	add(d, "ring_bytes", log_ring_size(srv->log));
	add(d, "space_bytes", st.space);
	pool_space_get(srv, &space);
	add(d, "bytes_per_sec", atomic_load(&srv->log_bytes_per_sec));
	add(d, "flush_usec", atomic_load(&srv->log_flush_us));
	add(d, "seconds_left",
		space.log_seconds_left < 0 ? UINT64_MAX : (uint64_t)space.log_seconds_left);
	add(d, "pool_used_bytes", space.used_bytes);
	add(d, "pool_free_bytes", space.free_bytes);
	add(d, "snapshot_needed_bytes", space.needed_bytes);
	add(d, "appends", st.appends);
	add(d, "commits", st.commits);
	add(d, "runs", st.runs);
	add(d, "stalls", st.stalls);
	add(d, "flushes", st.flushes);
	add(d, "flush_bytes", st.flush_bytes);
	add(d, "medium", info.medium);
	add(d, "durability", info.durability);
	add(d, "snapshot_offset", sn.newest_offset);
	add(d, "snapshot_bytes", sn.newest_bytes);
	add(d, "snapshot_building_bytes", sn.building_bytes);
	add(d, "snapshots_published", sn.published);
	add(d, "snapshots_aborted", sn.aborted);
	add(d, "extents_total", sn.extents_total);
	add(d, "extents_free", sn.extents_free);
	return 0;
}

void telemetry_start(struct server *srv)
{
	atomic_store(&telemetry_server, srv);
	rte_telemetry_register_cmd(
		"/millrace/cores", cores_list, "Ids of the poll cores. No parameters");
	rte_telemetry_register_cmd(
		"/millrace/core", core_stats, "Counters of a poll core. Parameter: its id");
	rte_telemetry_register_cmd("/millrace/nic", nic_stats,
		"What a nic does itself, 1, or software does, 0. Parameter: its number");
	rte_telemetry_register_cmd(
		"/millrace/tcp", tcp_stats, "TCP/IP counters over all cores. No parameters");
	rte_telemetry_register_cmd(
		"/millrace/packets", packet_stats, "Pools of packets. No parameters");
	rte_telemetry_register_cmd("/millrace/repl", repl_stats, "Replication. No parameters");
	rte_telemetry_register_cmd(
		"/millrace/log", log_telemetry, "The log and snapshots. No parameters");
}

void telemetry_stop(struct server *srv)
{
	atomic_store(&telemetry_server, NULL);
}
