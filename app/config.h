/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Configuration: directives in redis.conf syntax, from a file, the command line and CONFIG SET.
 *
 * struct config holds the values that code reads on every core. Scalars are read relaxed, at any
 * time. Strings and lists may be replaced, and the old ones freed, by a CONFIG SET on another core:
 * read them under config.lock, or with config_get_str(); before the cores start, and for what can
 * be set at start-up only, a plain read is enough.
 *
 * The directives themselves (names, types, ranges, defaults) are listed in config_table.c. One
 * without a field here has no meaning for millrace: it is accepted, checked, kept and shown so that
 * stock files and tools work.
 */
#ifndef MILLRACE_APP_CONFIG_H
#define MILLRACE_APP_CONFIG_H

#include <rte_spinlock.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum durability {
	DURABILITY_ALWAYS,
	DURABILITY_EVERYSEC,
	DURABILITY_NO,
};

enum poll_mode {
	POLL_SPIN,
	POLL_ADAPTIVE,
};

enum huge_pages {
	HUGE_AUTO,
	HUGE_YES,
	HUGE_NO,
};

/* Who may use what enable-debug-command and enable-protected-configs guard. */
enum enable_mode {
	ENABLE_NO,
	ENABLE_YES,
	ENABLE_LOCAL, /* only clients that are CLIENT_LOCAL */
};

enum client_class {
	CLASS_NORMAL,
	CLASS_REPLICA,
	CLASS_PUBSUB,
	NR_CLIENT_CLASSES,
};

struct output_limit {
	uint64_t hard_bytes, soft_bytes;
	uint32_t soft_seconds;
};

#define CONFIG_MAX_BIND 16
#define CONFIG_MAX_NICS 8
#define CONFIG_MAX_SAVE 8
#define CONFIG_ERR_MAX  1024 /* room that the longest message needs */

struct config_state; /* config_table.h: what only the config files need */

struct config {
	rte_spinlock_t lock; /* guards the strings and lists below while they change */

	/* start-up only */
	char *bind[CONFIG_MAX_BIND]; /* as written: a leading "-" means "if it exists", "*" any */
	unsigned nr_bind;
	int port;
	char *unixsocket;
	unsigned unixsocketperm;
	int tcp_backlog;
	char *nic[CONFIG_MAX_NICS]; /* DPDK device arguments, e.g. "net_af_xdp0,iface=veth0" */
	char *nic_address[CONFIG_MAX_NICS]; /* "10.0.0.2/24": the n-th belongs to the n-th nic */
	char *nic_gateway[CONFIG_MAX_NICS];
	char *nic_vlan[CONFIG_MAX_NICS], *nic_mtu[CONFIG_MAX_NICS]; /* numbers */
	unsigned nr_nics, nr_nic_addresses, nr_nic_gateways, nr_nic_vlans, nr_nic_mtus;
	char *poll_cores; /* "1-3", "" = automatic */
	enum poll_mode poll_mode;
	bool poll_mode_set; /* given, not the default by device */
	enum huge_pages huge_pages;
	char *eal_args;
	char *pmem_file; /* "" = no pool: volatile */
	uint64_t pmem_size;
	enum durability durability;
	int databases;
	char *dir; /* absolute: setting it changes the working directory */
	char *aclfile;
	char *dbfilename, *logfile, *pidfile;
	char *replicaof_host; /* "" = master; config_set_replicaof() */
	int replicaof_port;
	bool daemonize;
	int supervised; /* enum config_supervised */
	uint32_t partitions;

	/* changeable at run time: read relaxed */
	atomic_int loglevel; /* 0 debug 1 verbose 2 notice 3 warning */
	atomic_ullong maxmemory;
	atomic_llong maxmemory_clients; /* bytes, 0: no limit; negative: percent of maxmemory */
	atomic_int maxmemory_policy;    /* enum ks_policy */
	atomic_int maxmemory_samples, lfu_log_factor, lfu_decay_time;
	atomic_bool replica_ignore_maxmemory;
	atomic_uint maxclients;
	atomic_int timeout_s, tcp_keepalive_s;
	atomic_bool protected_mode;
	atomic_llong proto_max_bulk_len;
	atomic_ullong client_query_buffer_limit;
	struct output_limit output_limits[NR_CLIENT_CLASSES]; /* under lock */
	char *requirepass;                                    /* under lock; "" = none */
	char *masterauth, *masteruser;
	char *replica_announce_ip;
	char *bind_source_addr;
	atomic_int replica_announce_port;
	atomic_bool replica_announced;
	atomic_int replica_priority;
	atomic_bool replica_read_only, replica_serve_stale_data;
	atomic_bool replica_refuse_empty_master;
	atomic_bool replica_lazy_flush;
	atomic_int repl_timeout_s, repl_ping_period_s;
	atomic_ullong repl_backlog_size;
	atomic_int repl_check_period_s; /* 0: never */
	atomic_ullong repl_sync_rate;   /* bytes a second; 0: no limit */
	atomic_llong repl_backlog_ttl_s;
	atomic_bool repl_diskless_sync;
	atomic_int repl_diskless_sync_delay_s;
	atomic_int min_replicas_to_write, min_replicas_max_lag;
	atomic_int key_load_delay_us;
	atomic_int min_replicas_durable, min_replicas_durable_timeout_ms;
	atomic_bool rdbcompression, rdbchecksum;
	atomic_bool stop_writes_on_bgsave_error;
	struct {
		int seconds, changes;
	} save[CONFIG_MAX_SAVE]; /* under lock */
	unsigned nr_save;
	atomic_llong busy_reply_ms; /* 0: scripts may take any time */
	atomic_llong slowlog_slower_than_us;
	atomic_llong slowlog_max_len;
	atomic_llong acllog_max_len;
	atomic_int acl_pubsub_default; /* 1: resetchannels */
	atomic_llong tracking_table_max_keys;
	atomic_llong latency_threshold_ms;
	atomic_bool latency_tracking;
	atomic_uint notify_events; /* enum notify_class */
	atomic_bool lazyfree_user_del, lazyfree_expire, lazyfree_eviction, lazyfree_server_del,
		lazyfree_user_flush;
	/* encodings of collections: struct obj_limits */
	atomic_ullong hash_max_listpack_entries, hash_max_listpack_value;
	atomic_ullong set_max_intset_entries;
	atomic_ullong zset_max_listpack_entries, zset_max_listpack_value;
	atomic_ullong stream_node_max_bytes, stream_node_max_entries;
	atomic_ullong hll_sparse_max_bytes;
	atomic_int list_max_listpack_size;
	atomic_int hz;
	atomic_int shutdown_timeout_s, shutdown_on_sigint, shutdown_on_sigterm;
	atomic_int enable_debug_mode;             /* enum enable_mode */
	atomic_int enable_protected_configs_mode; /* enum enable_mode */

	struct config_state *state;
};

enum config_supervised {
	SUPERVISED_NO,
	SUPERVISED_AUTO,
	SUPERVISED_SYSTEMD,
	SUPERVISED_UPSTART,
};

/* Defaults of every directive. Returns NULL when memory is out. */
struct config *config_create(void);
void config_destroy(struct config **cfg);

/* --- at start (one thread) -------------------------------------------------------------------- */

/* Reads the command line as redis-server's, argv without the program's name: [file] [-]
 * [--name value ...]; "-" is standard input. Precedence: the file, then standard input, then the
 * options; the last occurrence wins. config_file gets the absolute path of the file, "" without
 * one. Returns 0, or -errno with a message that names file, line, the line, and what is allowed. */
int config_load(struct config *cfg, int argc, char **argv, char *config_file,
	size_t config_file_len, char *err, size_t err_len);
/* `user` lines (not those of an ACL file): the words behind "user", in the order of the lines. NULL
 * behind the last. */
struct config_user {
	int argc;
	char **argv;
};
const struct config_user *config_user(const struct config *cfg, unsigned i);
/* Looks at such a line when it is read: 0, or -EINVAL with the reason in err. Before config_load().
 */
typedef int (*config_user_check_fn)(
	void *ctx, int argc, const char *const *argv, char *err, size_t err_len);
void config_set_user_check(struct config *cfg, config_user_check_fn check, void *ctx);
/* The directive stands in the file or on the command line. */
bool config_given(const struct config *cfg, const char *name);
/* What was accepted but deserves a line in the log, in order; NULL behind the last. Borrowed. */
const char *config_warning(const struct config *cfg, unsigned i);

/* --- at run time (any core) ------------------------------------------------------------------- */

/* Called after a directive has a new value, on the core that changed it, with the name as Redis
 * spells it first ("replica-priority", never the alias). Returns 0, or -errno with a reason in
 * err: then the change is undone, and changed() is called again for what had been announced
 * already. Must not call back into CONFIG SET. */
struct config_hooks {
	int (*changed)(void *ctx, const char *name, char *err, size_t err_len);
	void *ctx;
	/* What CONFIG REWRITE puts in the place of `user` lines: owned text, lines without quotes;
	 * NULL: no memory. No such function: the lines stay. */
	char *(*user_lines)(void *ctx);
};
void config_set_hooks(
	struct config *cfg, const struct config_hooks *hooks); /* copied; before the cores start */

/* One directive with the words behind it. at_start: as a line of the file, for the texts and for
 * what cannot change later; otherwise as CONFIG SET, with a single word. err: the reason alone.
 * Returns 0, -ENOENT unknown name, -EPERM not changeable now, -EINVAL, or -ENOMEM. */
int config_set(struct config *cfg, const char *name, int argc, const char *const *argv,
	bool at_start, char *err, size_t err_len);
/* CONFIG SET: all pairs, or none. protected_ok: the client may set protected directives. On
 * failure err holds the error reply of Redis 7.0, "ERR ..." . */
struct config_pair {
	const char *name, *value;
};
int config_set_many(struct config *cfg, unsigned nr, const struct config_pair *pairs,
	bool protected_ok, char *err, size_t err_len);
/* Follows REPLICAOF, so that CONFIG GET and REWRITE tell the role. host NULL: master. Returns 0
 * or -ENOMEM. */
int config_set_replicaof(struct config *cfg, const char *host, int port);

/* The value as CONFIG GET prints it, in any spelling of the name. Returns owned text, or NULL:
 * unknown (or no memory). */
char *config_get(struct config *cfg, const char *name);
/* The number behind a bool (0, 1), integer, enum or size of the table, also of one without a
 * field in struct config. */
bool config_get_int(const struct config *cfg, const char *name, int64_t *value);
/* Calls fn for every name, aliases included, for which match (NULL: all) is true, with its
 * value. hidden: Redis shows the name only when asked for it exactly. */
typedef bool (*config_match_fn)(void *ctx, const char *name, bool hidden);
typedef void (*config_each_fn)(void *ctx, const char *name, const char *value);
void config_each(struct config *cfg, config_match_fn match, config_each_fn fn, void *ctx);
bool config_known(const char *name, bool *immutable);
/* CONFIG REWRITE: replaces the file atomically (or creates it), keeping comments and order:
 * lines whose value still holds stay as they are, others are rewritten or dropped, and what
 * differs from the default is appended. Files that it includes are left alone. Does file I/O.
 * Returns 0, or -errno with a message. */
int config_rewrite(struct config *cfg, const char *path, char *err, size_t err_len);
/* Copies a string value under the lock. Returns its length, as snprintf. */
size_t config_get_str(struct config *cfg, char *const *field, char *buf, size_t size);

#endif
