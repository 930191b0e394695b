/* SPDX-License-Identifier: BSD-3-Clause
 *
 * INFO about the process: server, clients, memory, cpu, keyspace.
 */
#include "app/commands/info.h"

#include "app/commands/script_run.h"
#include "app/commands/server_cmds.h"
#include "dataplane/clock.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <jemalloc/jemalloc.h>

/* The major.minor.patch in "5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c". */
static int allocator_version_len(const char *version)
{
	int len = 0;

	while (version[len] && version[len] != '-')
		len++;
	return len;
}

static const char *allocator_version(void)
{
	const char *version = "?";
	size_t len = sizeof(version);

	mallctl("version", &version, &len, NULL, 0);
	return version;
}

void info_server(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;
	int64_t now_us = clock_unix_us(), uptime_s = (now_us / 1000 - srv->start_ms) / 1000;
	int hz = atomic_load_explicit(&srv->cfg->hz, memory_order_relaxed);
	struct utsname uts;

	if (uname(&uts) != 0)
		uts = (struct utsname){.sysname = "?"};
	textbuf_addf(tb,
		"redis_version:%s\r\n"
		"millrace_version:%s\r\n"
		"redis_git_sha1:00000000\r\n"
		"redis_git_dirty:0\r\n"
		"redis_build_id:0\r\n"
		"redis_mode:standalone\r\n"
		"os:%s %s %s\r\n"
		"arch_bits:%zu\r\n"
		"monotonic_clock:POSIX clock_gettime\r\n"
		"multiplexing_api:epoll\r\n"
		"atomicvar_api:c11-builtin\r\n"
		"gcc_version:%d.%d.%d\r\n",
		MILLRACE_REDIS_VERSION, MILLRACE_VERSION, uts.sysname, uts.release, uts.machine,
		8 * sizeof(void *), __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
	textbuf_addf(tb,
		"process_id:%d\r\n"
		"process_supervised:no\r\n"
		"run_id:%s\r\n"
		"tcp_port:%d\r\n"
		"server_time_usec:%lld\r\n"
		"uptime_in_seconds:%lld\r\n"
		"uptime_in_days:%lld\r\n"
		"hz:%d\r\n"
		"configured_hz:%d\r\n"
		"lru_clock:%lld\r\n"
		"executable:%s\r\n"
		"config_file:%s\r\n"
		"io_threads_active:0\r\n",
		srv->pid, srv->run_id, srv->cfg->port, (long long)now_us, (long long)uptime_s,
		(long long)(uptime_s / 86400), hz, hz, (long long)(now_us / 1000000 & 0xffffff),
		srv->exe, srv->config_file);
}

/* Counts the clients, but for replicas and those that have been killed, and finds the largest input
 * and output buffers at present. */
static unsigned count_clients(struct server *srv, size_t *in, size_t *out)
{
	unsigned nr = 0;
	struct client *c;

	*in = *out = 0;
	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		size_t qbuf = atomic_load_explicit(&c->pub_qbuf, memory_order_relaxed);
		size_t obuf = atomic_load_explicit(&c->pub_obuf, memory_order_relaxed);

		*in = qbuf > *in ? qbuf : *in;
		*out = obuf > *out ? obuf : *out;
		nr += !atomic_load_explicit(&c->kill, memory_order_relaxed) &&
		      !(atomic_load_explicit(&c->pub_flags, memory_order_relaxed) & CLIENT_REPLICA);
	}
	rte_spinlock_unlock(&srv->clients_lock);
	return nr;
}

void info_clients(struct textbuf *tb, struct client *c)
{
	struct server *srv = c->srv;
	size_t in, out;
	unsigned nr = count_clients(srv, &in, &out);

	textbuf_addf(tb,
		"connected_clients:%u\r\n"
		"cluster_connections:0\r\n"
		"maxclients:%u\r\n"
		"client_recent_max_input_buffer:%zu\r\n"
		"client_recent_max_output_buffer:%zu\r\n"
		"blocked_clients:%u\r\n"
		"tracking_clients:%u\r\n"
		"clients_in_timeout_table:0\r\n",
		nr, atomic_load_explicit(&srv->cfg->maxclients, memory_order_relaxed), in, out,
		atomic_load_explicit(&srv->nr_blocked, memory_order_relaxed),
		tracking_counts(srv).clients);
}

/* "name:123\r\nname_human:123B\r\n" */
static void bytes_field(struct textbuf *tb, const char *name, uint64_t bytes)
{
	textbuf_addf(tb, "%s:%llu\r\n%s_human:", name, (unsigned long long)bytes, name);
	textbuf_add_bytes(tb, bytes);
	textbuf_add(tb, "\r\n", 2);
}

/* In Redis' order, with the states of all cores together. */
static void info_memory_scripts(struct textbuf *tb, struct server *srv)
{
	const struct script_cache *cache = srv->scripts->cache;
	size_t eval = scripts_vm_bytes(srv, SCRIPT_VM_EVAL);
	size_t functions = scripts_vm_bytes(srv, SCRIPT_VM_FUNCTION);
	size_t scripts = script_cache_bytes(cache), libs;
	unsigned nr_libs, nr_functions;

	library_set_counts(&srv->scripts->libs, &nr_libs, &nr_functions, &libs);

	textbuf_addf(tb,
		"used_memory_lua:%zu\r\n"
		"used_memory_vm_eval:%zu\r\n"
		"used_memory_lua_human:",
		eval, eval);
	textbuf_add_bytes(tb, eval);
	textbuf_addf(tb,
		"\r\n"
		"used_memory_scripts_eval:%zu\r\n"
		"number_of_cached_scripts:%u\r\n"
		"number_of_functions:%u\r\n"
		"number_of_libraries:%u\r\n"
		"used_memory_vm_functions:%zu\r\n",
		scripts, script_cache_count(cache), nr_functions, nr_libs, functions);
	bytes_field(tb, "used_memory_vm_total", eval + functions);
	textbuf_addf(tb, "used_memory_functions:%zu\r\n", libs);
	bytes_field(tb, "used_memory_scripts", scripts + libs);
}

static long long minus(uint64_t a, uint64_t b)
{
	return (long long)(a - b);
}

static void info_memory_fragmentation(struct textbuf *tb, const struct memory_view *v)
{
	const char *version = allocator_version();

	textbuf_addf(tb,
		"allocator_frag_ratio:%.2f\r\n"
		"allocator_frag_bytes:%lld\r\n"
		"allocator_rss_ratio:%.2f\r\n"
		"allocator_rss_bytes:%lld\r\n"
		"rss_overhead_ratio:%.2f\r\n"
		"rss_overhead_bytes:%lld\r\n"
		"mem_fragmentation_ratio:%.2f\r\n"
		"mem_fragmentation_bytes:%lld\r\n",
		memory_ratio(v->active, v->allocated), minus(v->active, v->allocated),
		memory_ratio(v->resident, v->active), minus(v->resident, v->active),
		memory_ratio(v->rss, v->resident), minus(v->rss, v->resident),
		memory_ratio(v->rss, v->used), minus(v->rss, v->used));
	/* The backlog lies in the pool: replicas cost no memory but what waits in their buffers. */
	textbuf_addf(tb,
		"mem_not_counted_for_evict:0\r\n"
		"mem_replication_backlog:0\r\n"
		"mem_total_replication_buffers:%llu\r\n"
		"mem_clients_slaves:%llu\r\n"
		"mem_clients_normal:%llu\r\n"
		"mem_cluster_links:0\r\n"
		"mem_aof_buffer:0\r\n"
		"mem_allocator:jemalloc-%.*s\r\n"
		"active_defrag_running:0\r\n"
		"lazyfree_pending_objects:%llu\r\n"
		"lazyfreed_objects:%llu\r\n",
		(unsigned long long)v->clients_replicas, (unsigned long long)v->clients_replicas,
		(unsigned long long)v->clients_normal, allocator_version_len(version), version,
		(unsigned long long)v->lazy_pending, (unsigned long long)v->lazy_freed);
}

void info_memory(struct textbuf *tb, struct client *c)
{
	struct config *cfg = c->srv->cfg;
	struct memory_view v;

	memory_view_take(c->srv, &v);
	bytes_field(tb, "used_memory", v.used);
	bytes_field(tb, "used_memory_rss", v.rss);
	bytes_field(tb, "used_memory_peak", v.peak);
	textbuf_addf(tb,
		"used_memory_peak_perc:%.2f%%\r\n"
		"used_memory_overhead:%llu\r\n"
		"used_memory_startup:0\r\n"
		"used_memory_dataset:%llu\r\n"
		"used_memory_dataset_perc:%.2f%%\r\n"
		"allocator_allocated:%llu\r\n"
		"allocator_active:%llu\r\n"
		"allocator_resident:%llu\r\n",
		100 * memory_ratio(v.used, v.peak), (unsigned long long)v.overhead,
		(unsigned long long)v.dataset, 100 * memory_ratio(v.dataset, v.used),
		(unsigned long long)v.allocated, (unsigned long long)v.active,
		(unsigned long long)v.resident);
	bytes_field(tb, "total_system_memory", v.total_system);
	info_memory_scripts(tb, c->srv);
	bytes_field(tb, "maxmemory", atomic_load_explicit(&cfg->maxmemory, memory_order_relaxed));
	textbuf_addf(tb, "maxmemory_policy:%s\r\n",
		memory_policy_name(
			atomic_load_explicit(&cfg->maxmemory_policy, memory_order_relaxed)));
	info_memory_fragmentation(tb, &v);
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

void info_cpu(struct textbuf *tb, struct client *c)
{
	struct rusage self, children, thread;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	getrusage(RUSAGE_THREAD, &thread);
	/* "main thread": the poll core that answers */
	textbuf_addf(tb,
		"used_cpu_sys:%.6f\r\n"
		"used_cpu_user:%.6f\r\n"
		"used_cpu_sys_children:%.6f\r\n"
		"used_cpu_user_children:%.6f\r\n"
		"used_cpu_sys_main_thread:%.6f\r\n"
		"used_cpu_user_main_thread:%.6f\r\n",
		seconds(self.ru_stime), seconds(self.ru_utime), seconds(children.ru_stime),
		seconds(children.ru_utime), seconds(thread.ru_stime), seconds(thread.ru_utime));
}

void info_keyspace(struct textbuf *tb, struct client *c)
{
	struct keyspace *ks = c->srv->ks;

	for (uint32_t db = 0; db < ks_nr_dbs(ks); db++) {
		uint64_t keys = ks_size(ks, (int)db);

		if (keys)
			textbuf_addf(tb, "db%u:keys=%llu,expires=%llu,avg_ttl=%lld\r\n", db,
				(unsigned long long)keys,
				(unsigned long long)ks_nr_expires(ks, (int)db),
				(long long)ks_avg_ttl_ms(ks, (int)db, c->now_ms));
	}
}
