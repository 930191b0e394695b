/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MEMORY, and the figures behind it that INFO memory shows too.
 */
#include "app/commands/server_cmds.h"

#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Less than this in use, and the doctor has nothing to look at. */
#define DOCTOR_MIN_BYTES (5u << 20)

/* Resident pages by the kernel's count. */
static uint64_t rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t allocator_figure(const char *name)
{
	size_t value = 0, len = sizeof(value);

	return mallctl(name, &value, &len, NULL, 0) == 0 ? value : 0;
}

static void clients_memory(struct server *srv, struct memory_view *v)
{
	struct client *c;

	rte_spinlock_lock(&srv->clients_lock);
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		size_t bytes = client_memory(c);

		if (atomic_load_explicit(&c->pub_flags, memory_order_relaxed) & CLIENT_REPLICA)
			v->clients_replicas += bytes;
		else
			v->clients_normal += bytes;
	}
	rte_spinlock_unlock(&srv->clients_lock);
}

void memory_view_take(struct server *srv, struct memory_view *v)
{
	uint64_t epoch = 1;

	memset(v, 0, sizeof(*v));
	v->used = server_used_memory(srv);
	v->peak = atomic_load_explicit(&srv->peak_memory, memory_order_relaxed);
	if (v->peak < v->used)
		v->peak = v->used;
	v->rss = rss_bytes();
	v->total_system = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	clients_memory(srv, v);
	v->overhead = v->clients_normal + v->clients_replicas;
	if (v->overhead > v->used)
		v->overhead = v->used;
	v->dataset = v->used - v->overhead;
	for (uint32_t db = 0; db < ks_nr_dbs(srv->ks); db++)
		v->keys += ks_size(srv->ks, (int)db);
	v->lazy_pending = ks_lazy_pending(srv->ks);
	v->lazy_freed = ks_lazy_freed(srv->ks);
	mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	v->allocated = allocator_figure("stats.allocated");
	v->active = allocator_figure("stats.active");
	v->resident = allocator_figure("stats.resident");
}

double memory_ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

const char *memory_policy_name(int policy)
{
	static const char *const names[] = {
		[KS_NOEVICTION] = "noeviction",
		[KS_ALLKEYS_LRU] = "allkeys-lru",
		[KS_ALLKEYS_LFU] = "allkeys-lfu",
		[KS_ALLKEYS_RANDOM] = "allkeys-random",
		[KS_VOLATILE_LRU] = "volatile-lru",
		[KS_VOLATILE_LFU] = "volatile-lfu",
		[KS_VOLATILE_RANDOM] = "volatile-random",
		[KS_VOLATILE_TTL] = "volatile-ttl",
	};

	return policy >= 0 && (size_t)policy < sizeof(names) / sizeof(names[0]) ? names[policy]
										: "?";
}

#define MEMORY_SAMPLES 5 /* elements measured unless told otherwise, as in Redis */

static void memory_usage_command(struct client *c)
{
	struct entry *e;
	int64_t samples = MEMORY_SAMPLES;

	for (uint32_t i = 3; i < c->argc; i += 2) {
		if (!arg_is(&c->argv[i], "samples") || i + 1 == c->argc) {
			reply_err(c, REPLY_SYNTAX);
			return;
		}
		if (!arg_int_reply(c, &c->argv[i + 1], &samples))
			return;
		if (samples < 0) {
			reply_err(c, REPLY_SYNTAX);
			return;
		}
	}
	e = lookup_db(c, c->db, &c->argv[2], false);
	if (e)
		reply_int(c, (int64_t)entry_mem(e, (size_t)samples));
	else
		reply_null(c);
}

static void field_int(struct client *c, const char *name, uint64_t value)
{
	reply_bulk_str(c, name);
	reply_int(c, (int64_t)value);
}

static void field_double(struct client *c, const char *name, double value)
{
	reply_bulk_str(c, name);
	reply_double(c, value);
}

/* db.N for each database that has keys; its tables are counted with the data set. Returns how
 * many. */
static size_t reply_dbs(struct client *c)
{
	char name[16];
	size_t nr = 0;

	for (uint32_t db = 0; db < ks_nr_dbs(c->srv->ks); db++) {
		if (!ks_size(c->srv->ks, (int)db))
			continue;
		snprintf(name, sizeof(name), "db.%u", db);
		reply_bulk_str(c, name);
		reply_map(c, 3);
		field_int(c, "overhead.hashtable.main", 0);
		field_int(c, "overhead.hashtable.expires", 0);
		field_int(c, "overhead.hashtable.slot-to-keys", 0);
		nr++;
	}
	return nr;
}

static void reply_memory_fragmentation(struct client *c, const struct memory_view *v)
{
	field_int(c, "allocator.allocated", v->allocated);
	field_int(c, "allocator.active", v->active);
	field_int(c, "allocator.resident", v->resident);
	field_double(c, "allocator-fragmentation.ratio", memory_ratio(v->active, v->allocated));
	field_int(c, "allocator-fragmentation.bytes", v->active - v->allocated);
	field_double(c, "allocator-rss.ratio", memory_ratio(v->resident, v->active));
	field_int(c, "allocator-rss.bytes", v->resident - v->active);
	field_double(c, "rss-overhead.ratio", memory_ratio(v->rss, v->resident));
	field_int(c, "rss-overhead.bytes", v->rss - v->resident);
	field_double(c, "fragmentation", memory_ratio(v->rss, v->used));
	field_int(c, "fragmentation.bytes", v->rss - v->used);
}

static void memory_stats_command(struct client *c)
{
	struct memory_view v;
	size_t nr_dbs;

	memory_view_take(c->srv, &v);
	reply_defer_begin(c);
	field_int(c, "peak.allocated", v.peak);
	field_int(c, "total.allocated", v.used);
	field_int(c, "startup.allocated", 0);
	field_int(c, "replication.backlog", 0); /* it lies in the pool, not in memory */
	field_int(c, "clients.slaves", v.clients_replicas);
	field_int(c, "clients.normal", v.clients_normal);
	field_int(c, "cluster.links", 0);
	field_int(c, "aof.buffer", 0);
	field_int(c, "lua.caches", 0);
	field_int(c, "functions.caches", 0);
	nr_dbs = reply_dbs(c);
	field_int(c, "overhead.total", v.overhead);
	field_int(c, "keys.count", v.keys);
	field_int(c, "keys.bytes-per-key", v.keys ? v.dataset / v.keys : 0);
	field_int(c, "dataset.bytes", v.dataset);
	field_double(c, "dataset.percentage", 100 * memory_ratio(v.dataset, v.used));
	field_double(c, "peak.percentage", 100 * memory_ratio(v.used, v.peak));
	reply_memory_fragmentation(c, &v);
	reply_defer_end_map(c, 27 + nr_dbs);
}

static void memory_doctor_command(struct client *c)
{
	struct memory_view v;
	struct textbuf tb;

	memory_view_take(c->srv, &v);
	textbuf_init(&tb);
	if (v.used < DOCTOR_MIN_BYTES) {
		textbuf_addf(&tb, "Next to nothing is stored here: too little to judge by.\n");
		reply_textbuf(c, &tb);
		return;
	}
	if (memory_ratio(v.peak, v.used) > 1.5)
		textbuf_addf(&tb,
			"- Peak: at its peak the node used more than one and a half times of what it "
			"uses now. The pages of that time may still be held; MEMORY PURGE gives "
			"back what can be given.\n");
	if (memory_ratio(v.active, v.allocated) > 1.4 && v.active - v.allocated > 10 << 20)
		textbuf_addf(&tb,
			"- Fragmentation: the allocator's pages are filled to less than 70%%, as after "
			"the removal of many values between others that stayed.\n");
	if (memory_ratio(v.clients_normal, c->srv->nr_clients) > 200 * 1024)
		textbuf_addf(&tb,
			"- Clients: they hold more than 200 KB each in the mean, in commands that are "
			"half received or replies that are not fetched.\n");
	if (v.clients_replicas > 10 << 20)
		textbuf_addf(&tb, "- Replicas: more than 10 MB wait to be sent to them.\n");
	if (tb.len == 0)
		textbuf_addf(&tb, "No problem was found.\n");
	reply_textbuf(c, &tb);
}

static void stats_text(void *ctx, const char *text)
{
	textbuf_add(ctx, text, strlen(text));
}

static void memory_mallocstats_command(struct client *c)
{
	struct textbuf tb;

	textbuf_init(&tb);
	malloc_stats_print(stats_text, &tb, NULL);
	reply_textbuf(c, &tb);
}

static void memory_purge_command(struct client *c)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.purge", (unsigned)MALLCTL_ARENAS_ALL);
	if (mallctl(name, NULL, NULL, NULL, 0) != 0)
		reply_err(c, "ERR Error purging dirty pages");
	else
		reply_ok(c);
}

static void memory_help_command(struct client *c)
{
	static const char *const lines[] = {
		"DOCTOR",
		"    What is wrong with the use of memory, if anything.",
		"MALLOC-STATS",
		"    The allocator's own report.",
		"PURGE",
		"    Give pages that are no longer used back to the kernel.",
		"STATS",
		"    Where memory goes.",
		"USAGE <key> [SAMPLES <count>]",
		"    Bytes that a key and its value take. SAMPLES is accepted and changes nothing.",
		NULL,
	};

	reply_help(c, lines);
}

struct command memory_subcommands[] = {
	{"doctor", memory_doctor_command, 2, 0, .since = "4.0.0", .complexity = "O(1)",
		.summary = "Reports problems with the use of memory."},
	{"help", memory_help_command, 2, CMD_LOADING | CMD_STALE, .since = "4.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"malloc-stats", memory_mallocstats_command, 2, 0, .since = "4.0.0",
		.complexity = "Grows with what is allocated; may be slow",
		.summary = "Returns the allocator's report."},
	{"purge", memory_purge_command, 2, 0, .since = "4.0.0",
		.complexity = "Grows with what is allocated; may be slow",
		.summary = "Has the allocator give unused pages back."},
	{"stats", memory_stats_command, 2, 0, .since = "4.0.0", .complexity = "O(1)",
		.summary = "Tells where memory goes."},
	{"usage", memory_usage_command, -3, CMD_READONLY, 2, 2, 1, .since = "4.0.0",
		.complexity = "O(N) in the number of samples",
		.summary = "Returns the bytes that a key and its value take."},
	{NULL},
};
