/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Configuration: the command line, files, CONFIG REWRITE.
 */
#include "tests/unit/config_fixture.h"

#include <inttypes.h>
#include <limits.h>
#include <time.h>

/* --- file and command line -------------------------------------------------------------------- */

static void last_occurrence_wins(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, "# comment\n\nport 1\n  PORT 2\r\nmaxmemory 1gb\nport 3"), 0);
	assert_int_equal(f->cfg->port, 3);
	assert_int_equal(f->cfg->maxmemory, 1 << 30);
	assert_string_equal(f->file, f->path);
}

static void options_win_over_the_file(void **state)
{
	struct fixture *f = *state;

	put_file(f->path, "port 1\nmaxclients 5\n");
	assert_int_equal(load(f, "node.conf", "--port", "7", "--replicaof", "1.2.3.4", "6379",
				 "--Save", "9 9", NULL),
		-EINVAL);
	assert_string_equal(f->err, "command line: Save: Invalid save parameters\n    --Save 9 9");
	assert_int_equal(
		load(f, "node.conf", "--port", "7", "--replicaof", "1.2.3.4", "6379", NULL), 0);
	assert_int_equal(f->cfg->port, 7);
	assert_int_equal(f->cfg->maxclients, 5);
	assert_string_equal(f->cfg->replicaof_host, "1.2.3.4");
	assert_int_equal(f->cfg->replicaof_port, 6379);
	assert_value(f, "slaveof", "1.2.3.4 6379");
	assert_string_equal(f->file, f->path);
}

static void options_take_values_in_all_of_redis_forms(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "--port 6380", "--save", "--maxmemory", "1mb", "--masterauth",
				 "--secret--", "--appendfilename", "", NULL),
		-EINVAL);
	assert_int_equal(f->cfg->port, 6380);
	assert_int_equal(f->cfg->nr_save, 0);
	assert_int_equal(f->cfg->maxmemory, 1 << 20);
	assert_string_equal(f->cfg->masterauth, "--secret--");
	assert_string_equal(f->file, "");
	assert_int_equal(load(f, "--bind", "1.1.1.1", "2.2.2.2", "--save", NULL), 0);
	assert_value(f, "bind", "1.1.1.1 2.2.2.2");
	assert_int_equal(load(f, "--save", "", "--save", "1", "2", "--save", "3", "4", NULL), 0);
	assert_value(f, "save", "1 2 3 4");
	assert_int_equal(load(f, "--port", NULL), -EINVAL);
	assert_int_equal(load(f, "--port", "1", "2", NULL), -EINVAL);
	assert_int_equal(load(f, "--", NULL), -EINVAL);
	assert_int_equal(load(f, "-x", NULL), -EINVAL);
}

static void save_lines_add_up_behind_the_default(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, "save 900 1\nsave 300 10\n"), 0);
	assert_value(f, "save", "900 1 300 10");
	assert_int_equal(load_text(f, "save 900 1\nsave \"\"\n"), 0);
	assert_value(f, "save", "");
}

static void messages_name_place_line_and_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *err;
	} cases[] = {
		{"port 1\npmem-durability fast\n",
			"node.conf:2: pmem-durability: 'fast' is not one of always, everysec, no\n"
			"    pmem-durability fast"},
		{"port 70000",
			"node.conf:1: port: '70000' is not between 0 and 65535\n    port 70000"},
		{"port x", "node.conf:1: port: 'x' is not an integer\n    port x"},
		{"  port 1 2  ", "node.conf:1: port: takes one value\n    port 1 2"},
		{"daemonize maybe",
			"node.conf:1: daemonize: 'maybe' is not one of yes, no\n    daemonize "
			"maybe"},
		{"pmem-size 1tb",
			"node.conf:1: pmem-size: '1tb' is not a size: bytes, or with k, kb, m, "
			"mb, g, gb\n"
			"    pmem-size 1tb"},
		{"pmem-size 1mb", "node.conf:1: pmem-size: '1mb' is not between 16777216 and "
				  "1125899906842624\n    pmem-size 1mb"},
		{"frobnicate yes",
			"node.conf:1: frobnicate: no such directive\n    frobnicate yes"},
		{"port \"1", "node.conf:1: a quote is not closed\n    port \"1"},
		{"unixsocketperm 888", "node.conf:1: unixsocketperm: '888' is not an octal number\n"
				       "    unixsocketperm 888"},
		{"unixsocketperm 1000",
			"node.conf:1: unixsocketperm: '1000' is not between 0 and 777\n"
			"    unixsocketperm 1000"},
		{"poll-cores 3-1",
			"node.conf:1: poll-cores: '3-1' is not a list of cores, as 1-3 or 1,4-5\n"
			"    poll-cores 3-1"},
		{"partitions 3",
			"node.conf:1: partitions: '3' is not a power of two between 1 and 65536\n"
			"    partitions 3"},
		{"nic-address 10.0.0.2",
			"node.conf:1: nic-address: '10.0.0.2' is not a list of addresses with "
			"prefix lengths, as 10.0.0.2/24,2001:db8::2/64\n"
			"    nic-address 10.0.0.2"},
		{"nic-vlan 4095",
			"node.conf:1: nic-vlan: '4095' is not a VLAN between 1 and 4094, or 0 for "
			"none\n    nic-vlan 4095"},
		{"nic-mtu 500",
			"node.conf:1: nic-mtu: '500' is not a number of bytes between 576 and 9000, "
			"or 0 for the device's\n    nic-mtu 500"},
		{"nic-gateway x",
			"node.conf:1: nic-gateway: 'x' is not an address, or one of IPv4 and one of "
			"IPv6, as 10.0.0.1,fe80::1\n"
			"    nic-gateway x"},
		{"loadmodule x.so",
			"node.conf:1: loadmodule: modules are not supported\n    loadmodule x.so"},
		{"tls-port 6380", "node.conf:1: tls-port: TLS is not supported\n    tls-port 6380"},
		{"cluster-enabled yes",
			"node.conf:1: cluster-enabled: cluster mode is not supported\n    "
			"cluster-enabled yes"},
		{"replicaof a b", "node.conf:1: replicaof: Invalid master port\n    replicaof a b"},
		{"dir nowhere",
			"node.conf:1: dir: 'nowhere': No such file or directory\n    dir nowhere"},
		{"include missing.conf", "missing.conf: No such file or directory"},
		{"nic a", "nic: each nic needs a nic-address, in the same order"},
		{"nic-address 10.0.0.2/8\nnic-vlan 1\nnic-vlan 2",
			"nic-vlan: there are more VLANs than nic directives"},
		{"nic-vlan \"\"\nnic-mtu 1500\nnic-mtu 1500",
			"nic-mtu: there are more MTUs than nic directives"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(f->path, cases[i].text);
		assert_int_not_equal(load(f, "node.conf", NULL), 0);
		assert_string_equal(f->err, cases[i].err);
	}
}

static void includes_are_read_in_place_and_by_pattern(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir("d", 0700), 0);
	put_file("d/1.conf", "port 1\nhz 1\n");
	put_file("d/2.conf", "port 2\n");
	assert_int_equal(
		load_text(f, "port 9\ninclude d/*.conf\ninclude nothing/*.conf\nmaxclients 3"), 0);
	assert_int_equal(f->cfg->port, 2);
	assert_int_equal(f->cfg->hz, 1);
	assert_int_equal(f->cfg->maxclients, 3);
}

static void include_of_itself_ends(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, "include node.conf\n"), -EINVAL);
	assert_non_null(strstr(f->err, "nested too deeply"));
}

static void own_directives_arrive_in_their_fields(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		load_text(f,
			"nic net_tap0,iface=t0\nnic-address 10.0.0.2/24\nnic-gateway 10.0.0.1\n"
			"nic 0000:00:05.0\nnic-address fd00::2/64\npoll-cores 1-3,5\npoll-mode "
			"spin\n"
			"huge-pages no\neal-args \"--log-level 8 -v\"\npmem-file /mnt/pmem/pool\n"
			"pmem-size 2gb\npmem-durability everysec\nreplica-refuse-empty-master yes\n"
			"partitions 64\n"),
		0);
	assert_int_equal(f->cfg->nr_nics, 2);
	assert_string_equal(f->cfg->nic[0], "net_tap0,iface=t0");
	assert_string_equal(f->cfg->nic_address[1], "fd00::2/64");
	assert_int_equal(f->cfg->nr_nic_gateways, 1);
	assert_string_equal(f->cfg->poll_cores, "1-3,5");
	assert_int_equal(f->cfg->poll_mode, POLL_SPIN);
	assert_true(f->cfg->poll_mode_set);
	assert_int_equal(f->cfg->huge_pages, HUGE_NO);
	assert_string_equal(f->cfg->eal_args, "--log-level 8 -v");
	assert_int_equal(f->cfg->pmem_size, 2ull << 30);
	assert_int_equal(f->cfg->durability, DURABILITY_EVERYSEC);
	assert_true(f->cfg->replica_refuse_empty_master);
	assert_int_equal(f->cfg->partitions, 64);
}

static char sample_path[PATH_MAX]; /* set by main(), before a test leaves the working directory */

static void every_directive_of_the_sample_is_accepted(void **state)
{
	struct fixture *f = *state;
	char line[512], text[8192] = "";
	unsigned nr = 0;
	FILE *in = *sample_path ? fopen(sample_path, "r") : NULL;

	if (!in)
		skip();
	while (fgets(line, sizeof(line), in)) {
		if (line[0] != '#' || line[1] < 'a' || line[1] > 'z')
			continue;
		assert_true(strlen(text) + strlen(line) < sizeof(text));
		strcat(text, line + 1);
		nr++;
	}
	fclose(in);
	assert_int_equal(load_text(f, text), 0);
	assert_true(nr > 50);
}

/* The directives of the redis.conf that Debian ships with redis-server 7.0, but for dir. */
static const char stock_file[] = "bind 127.0.0.1 -::1\n"
				 "protected-mode yes\n"
				 "port 6379\n"
				 "tcp-backlog 511\n"
				 "timeout 0\n"
				 "tcp-keepalive 300\n"
				 "daemonize yes\n"
				 "pidfile /run/redis/redis-server.pid\n"
				 "loglevel notice\n"
				 "logfile /var/log/redis/redis-server.log\n"
				 "databases 16\n"
				 "always-show-logo no\n"
				 "set-proc-title yes\n"
				 "proc-title-template \"{title} {listen-addr} {server-mode}\"\n"
				 "stop-writes-on-bgsave-error yes\n"
				 "rdbcompression yes\n"
				 "rdbchecksum yes\n"
				 "dbfilename dump.rdb\n"
				 "rdb-del-sync-files no\n"
				 "replica-serve-stale-data yes\n"
				 "replica-read-only yes\n"
				 "repl-diskless-sync yes\n"
				 "repl-diskless-sync-delay 5\n"
				 "repl-diskless-sync-max-replicas 0\n"
				 "repl-diskless-load disabled\n"
				 "repl-disable-tcp-nodelay no\n"
				 "replica-priority 100\n"
				 "acllog-max-len 128\n"
				 "lazyfree-lazy-eviction no\n"
				 "lazyfree-lazy-expire no\n"
				 "lazyfree-lazy-server-del no\n"
				 "replica-lazy-flush no\n"
				 "lazyfree-lazy-user-del no\n"
				 "lazyfree-lazy-user-flush no\n"
				 "oom-score-adj no\n"
				 "oom-score-adj-values 0 200 800\n"
				 "disable-thp yes\n"
				 "appendonly no\n"
				 "appendfilename \"appendonly.aof\"\n"
				 "appenddirname \"appendonlydir\"\n"
				 "appendfsync everysec\n"
				 "no-appendfsync-on-rewrite no\n"
				 "auto-aof-rewrite-percentage 100\n"
				 "auto-aof-rewrite-min-size 64mb\n"
				 "aof-load-truncated yes\n"
				 "aof-use-rdb-preamble yes\n"
				 "aof-timestamp-enabled no\n"
				 "slowlog-log-slower-than 10000\n"
				 "slowlog-max-len 128\n"
				 "latency-monitor-threshold 0\n"
				 "notify-keyspace-events \"\"\n"
				 "hash-max-listpack-entries 512\n"
				 "hash-max-listpack-value 64\n"
				 "list-max-listpack-size -2\n"
				 "list-compress-depth 0\n"
				 "set-max-intset-entries 512\n"
				 "zset-max-listpack-entries 128\n"
				 "zset-max-listpack-value 64\n"
				 "hll-sparse-max-bytes 3000\n"
				 "stream-node-max-bytes 4096\n"
				 "stream-node-max-entries 100\n"
				 "activerehashing yes\n"
				 "client-output-buffer-limit normal 0 0 0\n"
				 "client-output-buffer-limit replica 256mb 64mb 60\n"
				 "client-output-buffer-limit pubsub 32mb 8mb 60\n"
				 "hz 10\n"
				 "dynamic-hz yes\n"
				 "aof-rewrite-incremental-fsync yes\n"
				 "rdb-save-incremental-fsync yes\n"
				 "jemalloc-bg-thread yes\n";

static void stock_file_is_accepted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, stock_file), 0);
	assert_null(config_warning(f->cfg, 0));
	assert_true(f->cfg->daemonize);
	assert_int_equal(f->cfg->nr_save, 3);
	assert_value(f, "client-output-buffer-limit",
		"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
}

static uint64_t next_random(uint64_t *rnd)
{
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 7;
	return *rnd ^= *rnd << 17;
}

static void damaged_file_loads_or_says_why_not(void **state)
{
	const char *given = getenv("MILLRACE_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	uint64_t rnd = seed * 2654435761u + 1;
	struct fixture *f = *state;
	unsigned nr_refused = 0;

	print_message("seed %" PRIu64 "\n", seed);
	for (int round = 0; round < 200; round++) {
		char text[sizeof(stock_file)];
		int rc;

		memcpy(text, stock_file, sizeof(text));
		for (int n = 0; n < 4; n++) {
			size_t at = next_random(&rnd) % (sizeof(text) - 1);
			uint64_t kind = next_random(&rnd) % 3;

			if (kind == 0)
				text[at] = (char)(1 + next_random(&rnd) % 255);
			else if (kind == 1)
				text[at] = "\"'\\ \n#-"[next_random(&rnd) % 7];
			else /* a part of the file at another place */
				memmove(text + at, text + at / 2, sizeof(text) - 1 - at);
		}
		config_destroy(&f->cfg);
		f->cfg = config_create();
		rc = load_text(f, text);
		assert_int_equal(rc == 0, f->err[0] == '\0');
		nr_refused += rc != 0;
	}
	assert_true(nr_refused > 100);
}

static void append_only_file_is_accepted_with_a_warning(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, "appendonly no\nport 1\n"), 0);
	assert_null(config_warning(f->cfg, 0));
	assert_int_equal(load_text(f, "appendonly yes\nappendonly yes\n"), 0);
	assert_non_null(
		strstr(config_warning(f->cfg, 0), "appendonly: the log in persistent memory"));
	assert_null(config_warning(f->cfg, 1));
}

/* --- CONFIG REWRITE --------------------------------------------------------------------------- */

static void rewrite_keeps_what_holds_and_changes_what_does_not(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		load_text(f, "# head\nport 7000\n\nmaxmemory 64mb # is no comment\n"), -EINVAL);
	assert_int_equal(
		load_text(f, "# head\n  port   7000\n\nmaxmemory 65536kb\nslave-priority 5\n"
			     "loglevel debug\nsave 900 1\nsave 300 10\n# tail\n"),
		0);
	assert_int_equal(set(f, "loglevel", "verbose"), 0);
	assert_int_equal(set(f, "save", "1 1 2 2"), 0);
	assert_int_equal(set(f, "requirepass", "a b\"c"), 0);
	assert_int_equal(set(f, "repl-backlog-size", "2mb"), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path,
		"# head\n  port   7000\n\nmaxmemory 65536kb\nslave-priority 5\nloglevel verbose\n"
		"save 1 1 2 2\n# tail\n# Appended by CONFIG REWRITE:\nrepl-backlog-size 2mb\n"
		"requirepass \"a b\\\"c\"\n");
}

static void rewrite_twice_is_the_same_file(void **state)
{
	struct fixture *f = *state;
	char cmd[256];

	assert_int_equal(
		load_text(f,
			"port 7000\nnic-address 1.2.3.4/8\nnic a,b=c\nnic-address 1.2.3.5/8\nnic "
			"d\n"),
		0);
	assert_int_equal(set(f, "client-output-buffer-limit", "normal 1 2 3"), 0);
	assert_int_equal(set(f, "notify-keyspace-events", "KEA"), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	snprintf(cmd, sizeof(cmd), "cp %s %s.old", f->path, f->path);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	snprintf(cmd, sizeof(cmd), "cmp %s %s.old", f->path, f->path);
	assert_int_equal(system(cmd), 0);
}

static void rewrite_follows_the_role(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_text(f, "port 1\nslaveof 10.0.0.1 6379\nhz 20\n"), 0);
	assert_int_equal(config_set_replicaof(f->cfg, "10.0.0.9", 7), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path, "port 1\nreplicaof 10.0.0.9 7\nhz 20\n");
	assert_int_equal(config_set_replicaof(f->cfg, NULL, 0), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path, "port 1\nhz 20\n");
	assert_int_equal(config_set_replicaof(f->cfg, "::1", 9), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path, "port 1\nhz 20\n# Appended by CONFIG REWRITE:\nreplicaof ::1 9\n");
}

static void rewrite_lets_includes_be(void **state)
{
	struct fixture *f = *state;

	put_file("inc.conf", "hz 20\ntimeout 7\n");
	assert_int_equal(load_text(f, "hz 30\ninclude inc.conf\nport 1\n"), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path, "hz 30\ninclude inc.conf\nport 1\n");
	assert_int_equal(set(f, "hz", "40"), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	assert_file(f->path, "include inc.conf\nport 1\n# Appended by CONFIG REWRITE:\nhz 40\n");
	assert_file("inc.conf", "hz 20\ntimeout 7\n");
}

static void rewrite_keeps_mode_and_link(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(load_text(f, "port 1\n"), 0);
	assert_int_equal(chmod(f->path, 0600), 0);
	assert_int_equal(symlink("node.conf", "link.conf"), 0);
	assert_int_equal(set(f, "hz", "40"), 0);
	assert_int_equal(config_rewrite(f->cfg, "link.conf", f->err, sizeof(f->err)), 0);
	assert_int_equal(lstat("link.conf", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_file(f->path, "port 1\n# Appended by CONFIG REWRITE:\nhz 40\n");
}

static void rewrite_that_fails_says_why_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_not_equal(config_rewrite(f->cfg, "no/where.conf", f->err, sizeof(f->err)), 0);
	assert_string_equal(f->err, "No such file or directory");
}

static void rewritten_file_loads_to_the_same_values(void **state)
{
	struct fixture *f = *state;
	struct config *before = f->cfg;

	assert_int_equal(load_text(f, "port 7000\n"), 0);
	assert_int_equal(set(f, "masterauth", "x\ny\"'\\ #"), 0);
	assert_int_equal(set(f, "maxmemory-clients", "5%"), 0);
	assert_int_equal(set(f, "save", ""), 0);
	assert_int_equal(set(f, "proc-title-template", "{title} a"), 0);
	assert_int_equal(config_rewrite(f->cfg, f->path, f->err, sizeof(f->err)), 0);
	f->cfg = config_create();
	assert_int_equal(load(f, f->path, NULL), 0);
	for (const struct directive *d = config_directives; d->name; d++) {
		char *value = config_get(before, d->name);

		assert_value(f, d->name, value);
		free(value);
	}
	config_destroy(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(last_occurrence_wins),
		TEST(options_win_over_the_file),
		TEST(options_take_values_in_all_of_redis_forms),
		TEST(save_lines_add_up_behind_the_default),
		TEST(messages_name_place_line_and_what_is_allowed),
		TEST(includes_are_read_in_place_and_by_pattern),
		TEST(include_of_itself_ends),
		TEST(own_directives_arrive_in_their_fields),
		TEST(every_directive_of_the_sample_is_accepted),
		TEST(stock_file_is_accepted),
		TEST(damaged_file_loads_or_says_why_not),
		TEST(append_only_file_is_accepted_with_a_warning),
		TEST(rewrite_keeps_what_holds_and_changes_what_does_not),
		TEST(rewrite_twice_is_the_same_file),
		TEST(rewrite_follows_the_role),
		TEST(rewrite_lets_includes_be),
		TEST(rewrite_keeps_mode_and_link),
		TEST(rewrite_that_fails_says_why_and_leaves_nothing),
		TEST(rewritten_file_loads_to_the_same_values),
	};

	char here[PATH_MAX];

	snprintf(here, sizeof(here), "%s", __FILE__);
	snprintf(strrchr(here, '/'), 32, "/../../millrace.conf");
	if (!realpath(here, sample_path))
		sample_path[0] = '\0';
	return cmocka_run_group_tests(tests, NULL, NULL);
}
