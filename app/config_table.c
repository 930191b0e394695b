/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Every directive: name, type, default, range, and where its value lives.
 *
 * Names, types, ranges and defaults are those of redis-server 7.0.15 wherever it has the directive
 * (CONFIG GET and the errors of CONFIG SET tell them). Rows without FIELD() have no meaning for
 * millrace and are kept as checked values.
 */
#include "app/config_table.h"

#include "app/keyspace/keyspace.h"

#include <limits.h>
#include <stddef.h>

#define FIELD(f) .off = offsetof(struct config, f), .size = sizeof(((struct config *)0)->f)

#define BOOL(n, d, ...)                                                                            \
	{                                                                                          \
		.name = n, .type = DIR_BOOL, .def = d, .max = 1, __VA_ARGS__                       \
	}
#define INT(n, d, lo, hi, ...)                                                                     \
	{                                                                                          \
		.name = n, .type = DIR_INT, .def = d, .min = lo, .max = hi, __VA_ARGS__            \
	}
#define MEM(n, d, lo, hi, ...)                                                                     \
	{                                                                                          \
		.name = n, .type = DIR_MEM, .def = d, .min = lo, .max = hi, __VA_ARGS__            \
	}
#define ENUM(n, d, list, ...)                                                                      \
	{                                                                                          \
		.name = n, .type = DIR_ENUM, .def = d, .names = list, __VA_ARGS__                  \
	}
#define STR(n, d, ...)                                                                             \
	{                                                                                          \
		.name = n, .type = DIR_STR, .def = d, __VA_ARGS__                                  \
	}
#define OWN(n, d, o, ...)                                                                          \
	{                                                                                          \
		.name = n, .type = DIR_OWN, .def = d, .ops = &o, __VA_ARGS__                       \
	}
#define FL(f)    .flags = (f)
#define ALIAS(a) .alias = a
#define NOTE(t)  .note = t

static const struct enum_name names_acl_pubsub[] = {
	{"allchannels", 0}, {"resetchannels", 1}, {NULL, 0}};
static const struct enum_name names_appendfsync[] = {
	{"everysec", 2}, {"always", 1}, {"no", 0}, {NULL, 0}};
static const struct enum_name names_endpoint[] = {
	{"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2}, {NULL, 0}};
static const struct enum_name names_enable[] = {
	{"no", ENABLE_NO}, {"yes", ENABLE_YES}, {"local", ENABLE_LOCAL}, {NULL, 0}};
static const struct enum_name names_loglevel[] = {
	{"debug", 0}, {"verbose", 1}, {"notice", 2}, {"warning", 3}, {NULL, 0}};
static const struct enum_name names_policy[] = {
	{"volatile-lru", KS_VOLATILE_LRU},
	{"volatile-lfu", KS_VOLATILE_LFU},
	{"volatile-random", KS_VOLATILE_RANDOM},
	{"volatile-ttl", KS_VOLATILE_TTL},
	{"allkeys-lru", KS_ALLKEYS_LRU},
	{"allkeys-lfu", KS_ALLKEYS_LFU},
	{"allkeys-random", KS_ALLKEYS_RANDOM},
	{"noeviction", KS_NOEVICTION},
	{NULL, 0},
};
static const struct enum_name names_oom[] = {
	{"no", 0}, {"yes", 1}, {"relative", 1}, {"absolute", 2}, {NULL, 0}};
static const struct enum_name names_error_behavior[] = {
	{"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2}, {NULL, 0}};
static const struct enum_name names_diskless_load[] = {
	{"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {NULL, 0}};
static const struct enum_name names_sanitize[] = {{"no", 0}, {"yes", 1}, {"clients", 2}, {NULL, 0}};
/* Values: enum shutdown_flags. */
static const struct enum_name names_shutdown[] = {
	{"default", 0}, {"save", 2}, {"nosave", 1}, {"now", 4}, {"force", 8}, {NULL, 0}};
static const struct enum_name names_supervised[] = {
	{"upstart", SUPERVISED_UPSTART},
	{"systemd", SUPERVISED_SYSTEMD},
	{"auto", SUPERVISED_AUTO},
	{"no", SUPERVISED_NO},
	{NULL, 0},
};
static const struct enum_name names_facility[] = {
	{"user", 0},
	{"local0", 1},
	{"local1", 2},
	{"local2", 3},
	{"local3", 4},
	{"local4", 5},
	{"local5", 6},
	{"local6", 7},
	{"local7", 8},
	{NULL, 0},
};
static const struct enum_name names_auth_clients[] = {
	{"no", 0}, {"yes", 1}, {"optional", 2}, {NULL, 0}};
static const struct enum_name names_poll_mode[] = {
	{"spin", POLL_SPIN}, {"adaptive", POLL_ADAPTIVE}, {NULL, 0}};
static const struct enum_name names_huge_pages[] = {
	{"auto", HUGE_AUTO}, {"yes", HUGE_YES}, {"no", HUGE_NO}, {NULL, 0}};
static const struct enum_name names_durability[] = {{"always", DURABILITY_ALWAYS},
	{"everysec", DURABILITY_EVERYSEC}, {"no", DURABILITY_NO}, {NULL, 0}};

static const char no_tls[] = "TLS is not supported";
static const char no_cluster[] = "cluster mode is not supported";
static const char no_defrag[] =
	"Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like "
	"the one shipped by default with the Redis source distribution";
static const char no_aof[] =
	"the log in persistent memory (pmem-file) takes the place of the append-only file";

const struct directive config_directives[] = {
	/* millrace's own */
	ENUM("huge-pages", "auto", names_huge_pages, FL(DIR_IMMUTABLE | DIR_STARTUP),
		FIELD(huge_pages)),
	STR("eal-args", "", FL(DIR_IMMUTABLE | DIR_STARTUP), FIELD(eal_args)),
	OWN("nic", "", config_list_ops, FL(DIR_IMMUTABLE | DIR_STARTUP | DIR_REPEATS),
		.off = offsetof(struct config, nic)),
	OWN("nic-address", "", config_list_ops, FL(DIR_IMMUTABLE | DIR_STARTUP | DIR_REPEATS),
		.off = offsetof(struct config, nic_address)),
	OWN("nic-gateway", "", config_list_ops, FL(DIR_IMMUTABLE | DIR_STARTUP | DIR_REPEATS),
		.off = offsetof(struct config, nic_gateway)),
	OWN("nic-mtu", "", config_list_ops, FL(DIR_IMMUTABLE | DIR_STARTUP | DIR_REPEATS),
		.off = offsetof(struct config, nic_mtu)),
	OWN("nic-vlan", "", config_list_ops, FL(DIR_IMMUTABLE | DIR_STARTUP | DIR_REPEATS),
		.off = offsetof(struct config, nic_vlan)),
	INT("min-replicas-durable", "0", 0, 64, FIELD(min_replicas_durable)),
	INT("min-replicas-durable-timeout", "10000", 0, INT_MAX,
		FIELD(min_replicas_durable_timeout_ms)),
	OWN("partitions", "1024", config_partitions_ops, FL(DIR_IMMUTABLE | DIR_STARTUP),
		FIELD(partitions)),
	ENUM("pmem-durability", "always", names_durability, FL(DIR_IMMUTABLE | DIR_STARTUP),
		FIELD(durability)),
	STR("pmem-file", "millrace.pmem", FL(DIR_IMMUTABLE | DIR_STARTUP), FIELD(pmem_file)),
	MEM("pmem-size", "1gb", 16 << 20, 1ull << 50, FIELD(pmem_size)),
	OWN("poll-cores", "", config_cores_ops, FL(DIR_IMMUTABLE | DIR_STARTUP), FIELD(poll_cores)),
	ENUM("poll-mode", "adaptive", names_poll_mode, FL(DIR_IMMUTABLE | DIR_STARTUP),
		FIELD(poll_mode)),
	INT("repl-check-period", "86400", 0, 1 << 30, FIELD(repl_check_period_s)),
	MEM("repl-sync-rate", "0", 0, 1ull << 40, FIELD(repl_sync_rate)),
	BOOL("replica-refuse-empty-master", "no", FIELD(replica_refuse_empty_master)),

	/* the network */
	OWN("bind", "127.0.0.1 -::1", config_bind_ops, FL(DIR_WORDS | DIR_STARTUP)),
	STR("bind-source-addr", "", FIELD(bind_source_addr)),
	OWN("client-output-buffer-limit",
		"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		config_limits_ops, FL(DIR_WORDS | DIR_REPEATS)),
	MEM("client-query-buffer-limit", "1gb", 1 << 20, LLONG_MAX,
		FIELD(client_query_buffer_limit)),
	INT("maxclients", "10000", 1, UINT_MAX, FIELD(maxclients)),
	OWN("maxmemory-clients", "0", config_maxmemory_clients_ops, FIELD(maxmemory_clients)),
	INT("port", "6379", 0, 65535, FL(DIR_STARTUP), FIELD(port)),
	BOOL("protected-mode", "yes", FIELD(protected_mode)),
	MEM("proto-max-bulk-len", "512mb", 1 << 20, LLONG_MAX, FIELD(proto_max_bulk_len)),
	INT("socket-mark-id", "0", 0, UINT_MAX, FL(DIR_IMMUTABLE)),
	INT("tcp-backlog", "511", 0, INT_MAX, FL(DIR_IMMUTABLE), FIELD(tcp_backlog)),
	INT("tcp-keepalive", "300", 0, INT_MAX, FIELD(tcp_keepalive_s)),
	INT("timeout", "0", 0, INT_MAX, FIELD(timeout_s)),
	STR("unixsocket", "", FL(DIR_IMMUTABLE), FIELD(unixsocket)),
	{.name = "unixsocketperm",
		.type = DIR_OCTAL,
		.def = "0",
		.max = 0777,
		FL(DIR_IMMUTABLE),
		FIELD(unixsocketperm)},

	/* the process */
	BOOL("daemonize", "no", FL(DIR_IMMUTABLE), FIELD(daemonize)),
	INT("databases", "16", 1, INT_MAX, FL(DIR_IMMUTABLE), FIELD(databases)),
	OWN("dir", ".", config_dir_ops, FL(DIR_PROTECTED), FIELD(dir)),
	ENUM("enable-debug-command", "no", names_enable, FL(DIR_IMMUTABLE),
		FIELD(enable_debug_mode)),
	ENUM("enable-module-command", "no", names_enable, FL(DIR_IMMUTABLE)),
	ENUM("enable-protected-configs", "no", names_enable, FL(DIR_IMMUTABLE),
		FIELD(enable_protected_configs_mode)),
	INT("hash-max-listpack-entries", "512", 0, LLONG_MAX, FIELD(hash_max_listpack_entries),
		ALIAS("hash-max-ziplist-entries")),
	MEM("hash-max-listpack-value", "64", 0, LLONG_MAX, FIELD(hash_max_listpack_value),
		ALIAS("hash-max-ziplist-value")),
	INT("set-max-intset-entries", "512", 0, LLONG_MAX, FIELD(set_max_intset_entries)),
	INT("zset-max-listpack-entries", "128", 0, LLONG_MAX, FIELD(zset_max_listpack_entries),
		ALIAS("zset-max-ziplist-entries")),
	MEM("zset-max-listpack-value", "64", 0, LLONG_MAX, FIELD(zset_max_listpack_value),
		ALIAS("zset-max-ziplist-value")),
	MEM("stream-node-max-bytes", "4096", 0, LLONG_MAX, FIELD(stream_node_max_bytes)),
	INT("stream-node-max-entries", "100", 0, LLONG_MAX, FIELD(stream_node_max_entries)),
	MEM("hll-sparse-max-bytes", "3000", 0, LLONG_MAX, FIELD(hll_sparse_max_bytes)),
	INT("list-max-listpack-size", "-2", INT_MIN, INT_MAX, FIELD(list_max_listpack_size),
		ALIAS("list-max-ziplist-size")),
	INT("hz", "10", 0, INT_MAX, .cap_min = 1, .cap_max = 500, FIELD(hz)),
	STR("logfile", "", FL(DIR_IMMUTABLE), FIELD(logfile)),
	ENUM("loglevel", "notice", names_loglevel, FIELD(loglevel)),
	STR("pidfile", "", FL(DIR_IMMUTABLE), FIELD(pidfile)),
	OWN("shutdown-on-sigint", "default", config_shutdown_ops, FL(DIR_WORDS),
		.names = names_shutdown, FIELD(shutdown_on_sigint)),
	OWN("shutdown-on-sigterm", "default", config_shutdown_ops, FL(DIR_WORDS),
		.names = names_shutdown, FIELD(shutdown_on_sigterm)),
	INT("shutdown-timeout", "10", 0, INT_MAX, FIELD(shutdown_timeout_s)),
	ENUM("supervised", "no", names_supervised, FL(DIR_IMMUTABLE), FIELD(supervised)),

	/* memory */
	BOOL("lazyfree-lazy-eviction", "no", FIELD(lazyfree_eviction)),
	BOOL("lazyfree-lazy-expire", "no", FIELD(lazyfree_expire)),
	BOOL("lazyfree-lazy-server-del", "no", FIELD(lazyfree_server_del)),
	BOOL("lazyfree-lazy-user-del", "no", FIELD(lazyfree_user_del)),
	BOOL("lazyfree-lazy-user-flush", "no", FIELD(lazyfree_user_flush)),
	INT("lfu-decay-time", "1", 0, INT_MAX, FIELD(lfu_decay_time)),
	INT("lfu-log-factor", "10", 0, INT_MAX, FIELD(lfu_log_factor)),
	MEM("maxmemory", "0", 0, ULLONG_MAX, FIELD(maxmemory)),
	INT("maxmemory-eviction-tenacity", "10", 0, 100),
	ENUM("maxmemory-policy", "noeviction", names_policy, FIELD(maxmemory_policy)),
	INT("maxmemory-samples", "5", 1, INT_MAX, FIELD(maxmemory_samples)),

	/* snapshots */
	STR("dbfilename", "dump.rdb", FL(DIR_PROTECTED | DIR_FILENAME), FIELD(dbfilename)),
	BOOL("rdbchecksum", "yes", FL(DIR_IMMUTABLE), FIELD(rdbchecksum)),
	BOOL("rdbcompression", "yes", FIELD(rdbcompression)),
	OWN("save", "3600 1 300 100 60 10000", config_save_ops, FL(DIR_WORDS | DIR_REPEATS)),
	BOOL("stop-writes-on-bgsave-error", "yes", FIELD(stop_writes_on_bgsave_error)),

	/* replication */
	STR("masterauth", "", FIELD(masterauth)),
	STR("masteruser", "", FIELD(masteruser)),
	INT("min-replicas-max-lag", "10", 0, INT_MAX, ALIAS("min-slaves-max-lag"),
		FIELD(min_replicas_max_lag)),
	INT("min-replicas-to-write", "0", 0, INT_MAX, ALIAS("min-slaves-to-write"),
		FIELD(min_replicas_to_write)),
	MEM("repl-backlog-size", "1mb", 1, LLONG_MAX, .cap_min = 16384, .cap_max = LLONG_MAX,
		FIELD(repl_backlog_size)),
	INT("repl-backlog-ttl", "3600", 0, LLONG_MAX, FIELD(repl_backlog_ttl_s)),
	BOOL("repl-diskless-sync", "yes", FIELD(repl_diskless_sync)),
	INT("repl-diskless-sync-delay", "5", 0, INT_MAX, FIELD(repl_diskless_sync_delay_s)),
	INT("repl-ping-replica-period", "10", 1, INT_MAX, ALIAS("repl-ping-slave-period"),
		FIELD(repl_ping_period_s)),
	INT("repl-timeout", "60", 1, INT_MAX, FIELD(repl_timeout_s)),
	STR("replica-announce-ip", "", ALIAS("slave-announce-ip"), FIELD(replica_announce_ip)),
	INT("replica-announce-port", "0", 0, 65535, ALIAS("slave-announce-port"),
		FIELD(replica_announce_port)),
	BOOL("replica-announced", "yes", FIELD(replica_announced)),
	BOOL("replica-ignore-maxmemory", "yes", ALIAS("slave-ignore-maxmemory"),
		FIELD(replica_ignore_maxmemory)),
	BOOL("replica-lazy-flush", "no", ALIAS("slave-lazy-flush"), FIELD(replica_lazy_flush)),
	INT("replica-priority", "100", 0, INT_MAX, ALIAS("slave-priority"),
		FIELD(replica_priority)),
	BOOL("replica-read-only", "yes", ALIAS("slave-read-only"), FIELD(replica_read_only)),
	BOOL("replica-serve-stale-data", "yes", ALIAS("slave-serve-stale-data"),
		FIELD(replica_serve_stale_data)),
	OWN("replicaof", "no one", config_replicaof_ops, FL(DIR_WORDS | DIR_IMMUTABLE),
		ALIAS("slaveof")),

	/* security and observation */
	INT("latency-monitor-threshold", "0", 0, LLONG_MAX, FIELD(latency_threshold_ms)),
	BOOL("latency-tracking", "yes", FIELD(latency_tracking)),
	OWN("latency-tracking-info-percentiles", "50 99 99.9", config_percentiles_ops,
		FL(DIR_WORDS)),
	STR("requirepass", "", FIELD(requirepass)),
	INT("busy-reply-threshold", "5000", 0, LLONG_MAX, ALIAS("lua-time-limit"),
		FIELD(busy_reply_ms)),
	INT("slowlog-log-slower-than", "10000", -1, LLONG_MAX, FIELD(slowlog_slower_than_us)),
	INT("slowlog-max-len", "128", 0, LLONG_MAX, FIELD(slowlog_max_len)),

	/* kept for compatibility */
	ENUM("acl-pubsub-default", "resetchannels", names_acl_pubsub, FIELD(acl_pubsub_default)),
	STR("aclfile", "", FL(DIR_IMMUTABLE), FIELD(aclfile)),
	INT("acllog-max-len", "128", 0, LLONG_MAX, FIELD(acllog_max_len)),
	INT("active-defrag-cycle-max", "25", 1, 99),
	INT("active-defrag-cycle-min", "1", 1, 99),
	MEM("active-defrag-ignore-bytes", "100mb", 1, LLONG_MAX),
	INT("active-defrag-max-scan-fields", "1000", 1, LLONG_MAX),
	INT("active-defrag-threshold-lower", "10", 0, 1000),
	INT("active-defrag-threshold-upper", "100", 0, 1000),
	INT("active-expire-effort", "1", 1, 10),
	BOOL("activedefrag", "no", FL(DIR_REFUSED), NOTE(no_defrag)),
	BOOL("activerehashing", "yes"),
	BOOL("always-show-logo", "no", FL(DIR_IMMUTABLE)),
	BOOL("aof-disable-auto-gc", "no"),
	BOOL("aof-load-truncated", "yes"),
	BOOL("aof-rewrite-incremental-fsync", "yes"),
	BOOL("aof-timestamp-enabled", "no"),
	BOOL("aof-use-rdb-preamble", "yes"),
	STR("aof_rewrite_cpulist", "", FL(DIR_IMMUTABLE)),
	STR("appenddirname", "appendonlydir", FL(DIR_IMMUTABLE | DIR_FILENAME | DIR_NOT_EMPTY)),
	STR("appendfilename", "appendonly.aof", FL(DIR_IMMUTABLE | DIR_FILENAME | DIR_NOT_EMPTY)),
	ENUM("appendfsync", "everysec", names_appendfsync),
	BOOL("appendonly", "no", FL(DIR_WARNED), NOTE(no_aof)),
	MEM("auto-aof-rewrite-min-size", "64mb", 0, LLONG_MAX),
	INT("auto-aof-rewrite-percentage", "100", 0, INT_MAX),
	STR("bgsave_cpulist", "", FL(DIR_IMMUTABLE)),
	STR("bio_cpulist", "", FL(DIR_IMMUTABLE)),
	BOOL("cluster-allow-pubsubshard-when-down", "yes"),
	BOOL("cluster-allow-reads-when-down", "no"),
	BOOL("cluster-allow-replica-migration", "yes"),
	INT("cluster-announce-bus-port", "0", 0, 65535),
	OWN("cluster-announce-hostname", "", config_hostname_ops),
	STR("cluster-announce-ip", ""),
	INT("cluster-announce-port", "0", 0, 65535),
	INT("cluster-announce-tls-port", "0", 0, 65535),
	STR("cluster-config-file", "nodes.conf", FL(DIR_IMMUTABLE)),
	BOOL("cluster-enabled", "no", FL(DIR_IMMUTABLE | DIR_REFUSED), NOTE(no_cluster)),
	MEM("cluster-link-sendbuf-limit", "0", 0, ULLONG_MAX),
	INT("cluster-migration-barrier", "1", 0, INT_MAX),
	INT("cluster-node-timeout", "15000", 0, LLONG_MAX),
	INT("cluster-port", "0", 0, 65535, FL(DIR_IMMUTABLE)),
	ENUM("cluster-preferred-endpoint-type", "ip", names_endpoint),
	BOOL("cluster-replica-no-failover", "no", ALIAS("cluster-slave-no-failover")),
	INT("cluster-replica-validity-factor", "10", 0, INT_MAX,
		ALIAS("cluster-slave-validity-factor")),
	BOOL("cluster-require-full-coverage", "yes"),
	BOOL("crash-log-enabled", "yes"),
	BOOL("crash-memcheck-enabled", "yes"),
	BOOL("disable-thp", "yes", FL(DIR_IMMUTABLE)),
	BOOL("dynamic-hz", "yes"),
	STR("ignore-warnings", ""),
	INT("io-threads", "1", 1, 128, FL(DIR_IMMUTABLE)),
	BOOL("io-threads-do-reads", "no", FL(DIR_IMMUTABLE)),
	BOOL("jemalloc-bg-thread", "yes"),
	INT("key-load-delay", "0", INT_MIN, INT_MAX, FL(DIR_HIDDEN), FIELD(key_load_delay_us)),
	INT("list-compress-depth", "0", 0, INT_MAX),
	INT("loading-process-events-interval-bytes", "2097152", 1024, INT_MAX, FL(DIR_HIDDEN)),
	BOOL("lua-enable-deprecated-api", "no", FL(DIR_IMMUTABLE | DIR_HIDDEN)),
	BOOL("no-appendfsync-on-rewrite", "no"),
	OWN("notify-keyspace-events", "", config_notify_ops, FIELD(notify_events)),
	ENUM("oom-score-adj", "no", names_oom),
	OWN("oom-score-adj-values", "0 200 800", config_oom_values_ops, FL(DIR_WORDS)),
	OWN("proc-title-template", "{title} {listen-addr} {server-mode}", config_proc_title_ops),
	ENUM("propagation-error-behavior", "ignore", names_error_behavior),
	BOOL("rdb-del-sync-files", "no"),
	INT("rdb-key-save-delay", "0", INT_MIN, INT_MAX, FL(DIR_HIDDEN)),
	BOOL("rdb-save-incremental-fsync", "yes"),
	BOOL("repl-disable-tcp-nodelay", "no"),
	ENUM("repl-diskless-load", "disabled", names_diskless_load),
	INT("repl-diskless-sync-max-replicas", "0", 0, INT_MAX),
	BOOL("replica-ignore-disk-write-errors", "no"),
	ENUM("sanitize-dump-payload", "no", names_sanitize),
	STR("server_cpulist", "", FL(DIR_IMMUTABLE)),
	BOOL("set-proc-title", "yes", FL(DIR_IMMUTABLE)),
	BOOL("syslog-enabled", "no", FL(DIR_IMMUTABLE)),
	ENUM("syslog-facility", "local0", names_facility, FL(DIR_IMMUTABLE)),
	STR("syslog-ident", "redis", FL(DIR_IMMUTABLE)),
	ENUM("tls-auth-clients", "yes", names_auth_clients),
	STR("tls-ca-cert-dir", ""),
	STR("tls-ca-cert-file", ""),
	STR("tls-cert-file", ""),
	STR("tls-ciphers", ""),
	STR("tls-ciphersuites", ""),
	STR("tls-client-cert-file", ""),
	STR("tls-client-key-file", ""),
	STR("tls-client-key-file-pass", ""),
	BOOL("tls-cluster", "no", FL(DIR_REFUSED), NOTE(no_tls)),
	STR("tls-dh-params-file", ""),
	STR("tls-key-file", ""),
	STR("tls-key-file-pass", ""),
	INT("tls-port", "0", 0, 65535, FL(DIR_REFUSED), NOTE(no_tls)),
	BOOL("tls-prefer-server-ciphers", "no"),
	STR("tls-protocols", ""),
	BOOL("tls-replication", "no", FL(DIR_REFUSED), NOTE(no_tls)),
	INT("tls-session-cache-size", "20480", 0, INT_MAX),
	INT("tls-session-cache-timeout", "300", 0, INT_MAX),
	BOOL("tls-session-caching", "yes"),
	INT("tracking-table-max-keys", "1000000", 0, LLONG_MAX, FIELD(tracking_table_max_keys)),
	BOOL("use-exit-on-panic", "no", FL(DIR_HIDDEN)),
	INT("watchdog-period", "0", 0, INT_MAX, FL(DIR_HIDDEN)),

	{.name = NULL},
};

const unsigned config_nr_directives = sizeof(config_directives) / sizeof(config_directives[0]) - 1;
