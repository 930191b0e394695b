/* SPDX-License-Identifier: BSD-3-Clause
 *
 * INFO about what has happened: persistence, stats, and the figures of commands and errors.
 */
#include "app/commands/info.h"

#include "app/latency.h"
#include "app/pubsub.h"
#include "app/recovery.h"
#include "app/replication.h"
#include "app/snapshot.h"
#include "dataplane/core.h"

#include <stddef.h>
#include <stdlib.h>

static bool on(const atomic_bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

/* Seconds since the snapshot under way was begun, -1 without one. */
static long long save_running_s(const struct client *c)
{
	if (!on(&c->srv->save_in_progress))
		return -1;
	return c->now_ms / 1000 -
	       atomic_load_explicit(&c->srv->save_started_s, memory_order_relaxed);
}

static void info_persistence_rdb(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;
	bool saving = on(&srv->save_in_progress);
	uint64_t total = saving ? server_nr_keys(srv) : 0;
	double progress = saving ? snapshot_progress(srv) : 0;

	textbuf_addf(tb,
		"current_save_keys_processed:%llu\r\n"
		"current_save_keys_total:%llu\r\n"
		"rdb_changes_since_last_save:%llu\r\n"
		"rdb_bgsave_in_progress:%d\r\n"
		"rdb_last_save_time:%lld\r\n"
		"rdb_last_bgsave_status:%s\r\n"
		"rdb_last_bgsave_time_sec:%lld\r\n"
		"rdb_current_bgsave_time_sec:%lld\r\n"
		"rdb_saves:%llu\r\n"
		"rdb_last_cow_size:0\r\n",
		(unsigned long long)(progress * (double)total), (unsigned long long)total,
		(unsigned long long)server_dirty(srv), saving,
		(long long)atomic_load_explicit(&srv->last_save_s, memory_order_relaxed),
		on(&srv->last_save_ok) ? "ok" : "err",
		(long long)atomic_load_explicit(&srv->last_save_took_s, memory_order_relaxed),
		save_running_s(c),
		(unsigned long long)atomic_load_explicit(&srv->nr_saves, memory_order_relaxed));
}

static void info_loading(struct textbuf *tb, struct server *srv)
{
	struct recovery_progress p;

	recovery_progress_get(srv, &p);
	textbuf_addf(tb,
		"loading_start_time:%lld\r\n"
		"loading_total_bytes:%llu\r\n"
		"loading_rdb_used_mem:%llu\r\n"
		"loading_loaded_bytes:%llu\r\n"
		"loading_loaded_perc:%.2f\r\n"
		"loading_eta_seconds:%lld\r\n",
		(long long)p.start_s, (unsigned long long)p.total_bytes,
		(unsigned long long)p.used_memory, (unsigned long long)p.loaded_bytes,
		p.total_bytes ? 100.0 * (double)p.loaded_bytes / (double)p.total_bytes : 0.0,
		(long long)p.eta_s);
}

void info_persistence(struct textbuf *tb, struct client *c)
{
	/* No fork, so no copy-on-write and no child. */
	textbuf_addf(tb,
		"loading:%d\r\n"
		"async_loading:0\r\n"
		"current_cow_peak:0\r\n"
		"current_cow_size:0\r\n"
		"current_cow_size_age:0\r\n"
		"current_fork_perc:%.2f\r\n",
		on(&c->srv->loading),
		on(&c->srv->save_in_progress) ? 100 * snapshot_progress(c->srv) : 0.0);
	info_persistence_rdb(tb, c);
	textbuf_addf(tb,
		"rdb_last_load_keys_expired:%llu\r\n"
		"rdb_last_load_keys_loaded:%llu\r\n",
		(unsigned long long)atomic_load_explicit(
			&c->srv->last_load_expired, memory_order_relaxed),
		(unsigned long long)atomic_load_explicit(
			&c->srv->last_load_keys, memory_order_relaxed));
	/* BGREWRITEAOF takes a snapshot: who waits for its end looks here. */
	textbuf_addf(tb,
		"aof_enabled:0\r\n"
		"aof_rewrite_in_progress:%d\r\n",
		on(&c->srv->save_in_progress));
	textbuf_addf(tb, "aof_rewrite_scheduled:0\r\n"
			 "aof_last_rewrite_time_sec:-1\r\n"
			 "aof_current_rewrite_time_sec:-1\r\n"
			 "aof_last_bgrewrite_status:ok\r\n"
			 "aof_rewrites:0\r\n"
			 "aof_rewrites_consecutive_failures:0\r\n"
			 "aof_last_write_status:ok\r\n"
			 "aof_last_cow_size:0\r\n"
			 "module_fork_in_progress:0\r\n"
			 "module_fork_last_cow_size:0\r\n");
	if (on(&c->srv->loading))
		info_loading(tb, c->srv);
}

/* Sum over the cores of a counter of the poll loop. */
static uint64_t core_sum(const struct server *srv, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < srv->nr_cores; i++) {
		const char *ctr = (const char *)&srv->cores[i]->core->ctr;

		sum += __atomic_load_n((const uint64_t *)(ctr + offset), __ATOMIC_RELAXED);
	}
	return sum;
}

#define LLU(field) ((unsigned long long)SERVER_SUM(srv, field))

static double kib(const atomic_ullong *bytes)
{
	return (double)atomic_load_explicit(bytes, memory_order_relaxed) / 1024;
}

static void info_stats_traffic(struct textbuf *tb, struct server *srv)
{
	unsigned long long repl_in = LLU(repl_bytes_in), repl_out = LLU(repl_bytes_out);

	textbuf_addf(tb,
		"total_connections_received:%llu\r\n"
		"total_commands_processed:%llu\r\n"
		"instantaneous_ops_per_sec:%llu\r\n"
		"total_net_input_bytes:%llu\r\n"
		"total_net_output_bytes:%llu\r\n"
		"total_net_repl_input_bytes:%llu\r\n"
		"total_net_repl_output_bytes:%llu\r\n"
		"instantaneous_input_kbps:%.2f\r\n"
		"instantaneous_output_kbps:%.2f\r\n"
		"instantaneous_input_repl_kbps:%.2f\r\n"
		"instantaneous_output_repl_kbps:%.2f\r\n"
		"rejected_connections:%llu\r\n",
		LLU(total_connections), LLU(nr_commands),
		atomic_load_explicit(&srv->ops_per_sec, memory_order_relaxed),
		LLU(bytes_in) + repl_in, LLU(bytes_out) + repl_out, repl_in, repl_out,
		kib(&srv->input_bytes_per_sec), kib(&srv->output_bytes_per_sec),
		kib(&srv->repl_input_bytes_per_sec), kib(&srv->repl_output_bytes_per_sec),
		LLU(rejected_connections));
}

static void info_stats_keys(struct textbuf *tb, struct server *srv)
{
	struct repl *repl = srv->repl;
	struct tracking_counts track = tracking_counts(srv);

	textbuf_addf(tb,
		"sync_full:%llu\r\n"
		"sync_partial_ok:%llu\r\n"
		"sync_partial_err:%llu\r\n",
		(unsigned long long)atomic_load_explicit(&repl->sync_full, memory_order_relaxed),
		(unsigned long long)atomic_load_explicit(
			&repl->sync_partial_ok, memory_order_relaxed),
		(unsigned long long)atomic_load_explicit(
			&repl->sync_partial_err, memory_order_relaxed));
	textbuf_addf(tb,
		"expired_keys:%llu\r\n"
		"expired_stale_perc:%.2f\r\n"
		"expired_time_cap_reached_count:0\r\n"
		"expire_cycle_cpu_milliseconds:0\r\n"
		"evicted_keys:%llu\r\n"
		"evicted_clients:%llu\r\n"
		"total_eviction_exceeded_time:0\r\n"
		"current_eviction_exceeded_time:0\r\n"
		"keyspace_hits:%llu\r\n"
		"keyspace_misses:%llu\r\n",
		LLU(expired_keys), (double)SERVER_SUM(srv, expired_stale_perc) / srv->nr_cores,
		LLU(evicted_keys), LLU(evicted_clients), LLU(keyspace_hits), LLU(keyspace_misses));
	textbuf_addf(tb,
		"pubsub_channels:%u\r\n"
		"pubsub_patterns:%u\r\n"
		"pubsubshard_channels:%u\r\n",
		pubsub_nr_names(srv, PUBSUB_CHANNEL), pubsub_nr_names(srv, PUBSUB_PATTERN),
		pubsub_nr_names(srv, PUBSUB_SHARD));
	textbuf_addf(tb, "latest_fork_usec:0\r\n"
			 "total_forks:0\r\n"
			 "migrate_cached_sockets:0\r\n"
			 "slave_expires_tracked_keys:0\r\n"
			 "active_defrag_hits:0\r\n"
			 "active_defrag_misses:0\r\n"
			 "active_defrag_key_hits:0\r\n"
			 "active_defrag_key_misses:0\r\n"
			 "total_active_defrag_time:0\r\n"
			 "current_active_defrag_time:0\r\n");
	textbuf_addf(tb,
		"tracking_total_keys:%llu\r\n"
		"tracking_total_items:%llu\r\n"
		"tracking_total_prefixes:%u\r\n",
		(unsigned long long)track.keys, (unsigned long long)track.items, track.prefixes);
}

void info_stats(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;
	uint64_t reads = core_sum(srv, offsetof(struct core_counters, sock_reads)) +
			 core_sum(srv, offsetof(struct core_counters, rx_pkts));
	uint64_t writes = core_sum(srv, offsetof(struct core_counters, sock_writes)) +
			  core_sum(srv, offsetof(struct core_counters, tx_pkts));

	info_stats_traffic(tb, srv);
	info_stats_keys(tb, srv);
	textbuf_addf(tb,
		"unexpected_error_replies:0\r\n"
		"total_error_replies:%llu\r\n"
		"dump_payload_sanitizations:0\r\n"
		"total_reads_processed:%llu\r\n"
		"total_writes_processed:%llu\r\n"
		"io_threaded_reads_processed:0\r\n"
		"io_threaded_writes_processed:0\r\n"
		"reply_buffer_shrinks:0\r\n"
		"reply_buffer_expands:0\r\n",
		LLU(error_replies), (unsigned long long)reads, (unsigned long long)writes);
}

struct command_sum {
	struct command_stats st;
	uint64_t usec;
};

/* A command's figures over all cores. */
static void stats_sum(const struct server *srv, const struct command *cmd, struct command_sum *out)
{
	struct command_stats *sum = &out->st;

	*out = (struct command_sum){.usec = 0};
	for (unsigned core = 0; core < srv->nr_cores; core++) {
		const struct command_stats *st = &srv->cores[core]->stats[cmd->id];

		sum->calls += __atomic_load_n(&st->calls, __ATOMIC_RELAXED);
		sum->cycles += __atomic_load_n(&st->cycles, __ATOMIC_RELAXED);
		sum->rejected += __atomic_load_n(&st->rejected, __ATOMIC_RELAXED);
		sum->failed += __atomic_load_n(&st->failed, __ATOMIC_RELAXED);
		for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
			sum->hist[i] += __atomic_load_n(&st->hist[i], __ATOMIC_RELAXED);
	}
	out->usec = app_core_us(srv->cores[0], sum->cycles);
}

/* Calls print for every command and subcommand that has been called or refused. */
static void each_used_command(struct textbuf *tb, const struct server *srv,
	void (*print)(struct textbuf *tb, const char *name, const struct command_sum *sum,
		const void *ctx),
	const void *ctx)
{
	const struct command *cmd;
	char name[COMMAND_NAME_MAX];
	struct command_sum sum;

	for (unsigned i = 0; (cmd = command_at(srv, i)); i++) {
		stats_sum(srv, cmd, &sum);
		if (sum.st.calls || sum.st.rejected || sum.st.failed)
			print(tb, command_full_name(cmd, name), &sum, ctx);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++) {
			stats_sum(srv, sub, &sum);
			if (sum.st.calls || sum.st.rejected || sum.st.failed)
				print(tb, command_full_name(sub, name), &sum, ctx);
		}
	}
}

static void commandstats_line(
	struct textbuf *tb, const char *name, const struct command_sum *sum, const void *ctx)
{
	const struct command_stats *st = &sum->st;

	textbuf_addf(tb,
		"cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
		"failed_calls=%llu\r\n",
		name, (unsigned long long)st->calls, (unsigned long long)sum->usec,
		st->calls ? (double)sum->usec / (double)st->calls : 0.0,
		(unsigned long long)st->rejected, (unsigned long long)st->failed);
}

void info_commandstats(struct textbuf *tb, struct client *c)
{
	each_used_command(tb, c->srv, commandstats_line, NULL);
}

/* The upper bound, in microseconds, of the bucket that the part (0..1) of all executions does
 * not exceed. */
static double percentile_us(const struct command_stats *st, uint64_t total, double part)
{
	uint64_t seen = 0, rank = (uint64_t)(part * (double)total + 0.5);
	unsigned i = 0;

	if (rank < 1)
		rank = 1;
	for (; i < LATENCY_BUCKETS - 1; i++) {
		seen += st->hist[i];
		if (seen >= rank)
			break;
	}
	return (double)latency_bucket_ns(i) / 1000;
}

#define MAX_PERCENTILES 32

struct percentiles { /* latency-tracking-info-percentiles */
	unsigned nr;
	double percent[MAX_PERCENTILES];
};

static void percentiles_read(struct config *cfg, struct percentiles *p)
{
	char *text = config_get(cfg, "latency-tracking-info-percentiles"), *at = text, *end;

	for (p->nr = 0; at && *at && p->nr < MAX_PERCENTILES; at = end) {
		p->percent[p->nr] = strtod(at, &end);
		if (end == at)
			break;
		p->nr++;
	}
	free(text);
}

static void latencystats_line(
	struct textbuf *tb, const char *name, const struct command_sum *sum, const void *ctx)
{
	const struct command_stats *st = &sum->st;
	const struct percentiles *p = ctx;
	uint64_t total = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		total += st->hist[i];
	if (!total)
		return;
	textbuf_addf(tb, "latency_percentiles_usec_%s:", name);
	for (unsigned i = 0; i < p->nr; i++)
		textbuf_addf(tb, "%sp%.15g=%.3f", i ? "," : "", p->percent[i],
			percentile_us(st, total, p->percent[i] / 100));
	textbuf_addf(tb, "\r\n");
}

void info_latencystats(struct textbuf *tb, struct client *c)
{
	struct percentiles p;

	if (!on(&c->srv->cfg->latency_tracking))
		return;
	percentiles_read(c->srv->cfg, &p);
	each_used_command(tb, c->srv, latencystats_line, &p);
}

void info_errorstats(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;

	rte_spinlock_lock(&srv->err_lock);
	for (unsigned i = 0; i < srv->nr_errors; i++)
		textbuf_addf(tb, "errorstat_%s:count=%llu\r\n", srv->errors[i].code,
			(unsigned long long)srv->errors[i].count);
	rte_spinlock_unlock(&srv->err_lock);
}
