/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool info: what a pool holds, as text or as one JSON object.
 */
#include "app/pool/tool.h"
#include "persist/snapshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Writes "name: value" lines, or members of an object. */
struct printer {
	bool json;
	bool any;
};

static void name(struct printer *p, const char *key)
{
	if (p->json)
		printf("%s\n  \"%s\": ", p->any ? "," : "", key);
	else
		printf("%s:", key);
	p->any = true;
}

static void number(struct printer *p, const char *key, long long v)
{
	name(p, key);
	printf(p->json ? "%lld" : "%lld\n", v);
}

static void flag(struct printer *p, const char *key, bool v)
{
	name(p, key);
	if (p->json)
		fputs(v ? "true" : "false", stdout);
	else
		puts(v ? "yes" : "no");
}

static void json_text(const char *v)
{
	putchar('"');
	for (; *v; v++) {
		unsigned char ch = (unsigned char)*v;

		if (ch == '"' || ch == '\\')
			printf("\\%c", ch);
		else if (ch < 0x20)
			printf("\\u%04x", ch);
		else
			putchar(ch);
	}
	putchar('"');
}

static void text(struct printer *p, const char *key, const char *v)
{
	name(p, key);
	if (p->json)
		json_text(v);
	else
		puts(v);
}

static const char *base_name(enum recover_base base)
{
	switch (base) {
	case RECOVER_BASE_EMPTY: return "empty";
	case RECOVER_BASE_SNAPSHOT: return "snapshot";
	case RECOVER_BASE_NONE: return "none";
	}
	return "unknown";
}

/* Nothing but what the boot id may hold: it comes from the file. */
static const char *printable(char *s)
{
	for (char *c = s; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return s;
}

static void shape(struct printer *p, const char *path, struct pool_info *info)
{
	char uuid[2 * sizeof(info->uuid) + 1];

	for (size_t i = 0; i < sizeof(info->uuid); i++)
		snprintf(uuid + 2 * i, 3, "%02x", info->uuid[i]);
	text(p, "pool", path);
	number(p, "format_version", info->version);
	text(p, "uuid", uuid);
	text(p, "medium", pool_medium_name(info->medium));
	text(p, "last_medium", pool_medium_name(info->last_medium));
	text(p, "last_durability", pool_durability_name(info->last_durability));
	number(p, "size", (long long)info->size);
	number(p, "log_ring_size", (long long)info->ring_size);
	number(p, "writers", info->nr_writers);
	number(p, "commit_slots", info->commit_slots);
	number(p, "extent_size", info->extent_size);
	number(p, "extents_total", info->nr_extents);
	number(p, "generation", (long long)info->generation);
	number(p, "incarnation", info->incarnation);
	flag(p, "clean", info->was_clean);
	text(p, "boot_id", printable(info->last_boot_id));
}

static void history(struct printer *p, const struct tool_view *v)
{
	text(p, "replid", v->repl.replid);
	text(p, "replid2", v->repl.replid2);
	number(p, "second_repl_offset", v->repl.second_repl_offset);
	flag(p, "copy_of_a_master", v->repl.is_copy);
	/* What a start would find out; the boot of this machine now is not what matters. */
	flag(p, "replid_suspect", v->info.is_suspect);
	number(p, "log_start", (long long)v->found.log_start);
	number(p, "log_end", (long long)v->found.end);
	number(p, "log_bytes", (long long)(v->found.end - v->found.log_start));
	number(p, "log_replay_bytes", (long long)(v->found.end - v->found.base_off));
	number(p, "log_records_followed", (long long)v->found.nr_records);
}

static void snapshot(struct printer *p, const struct tool_view *v)
{
	struct snap_stats stats;
	struct snap_meta meta = {0};

	snap_stats_get(v->pool, &stats);
	text(p, "base", base_name(v->found.base));
	number(p, "base_offset", (long long)v->found.base_off);
	number(p, "extents_free", stats.extents_free);
	number(p, "snapshots", v->found.snap != NULL);
	if (!v->found.snap)
		return;
	snap_meta_get(v->found.snap, &meta);
	number(p, "snapshot_offset", (long long)snap_offset(v->found.snap));
	number(p, "snapshot_bytes", (long long)snap_size(v->found.snap));
	number(p, "snapshot_keys", (long long)meta.nr_keys);
	number(p, "snapshot_time", (long long)meta.ctime_s);
	number(p, "snapshot_stream_db", meta.stream_db);
}

static int run(int argc, char **argv)
{
	struct printer p = {0};
	const char *path = NULL;
	struct tool_view view;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			p.json = true;
		else if (argv[i][0] == '-' && argv[i][1])
			return tool_usage(&tool_info, "no option %s", argv[i]);
		else if (path)
			return tool_usage(&tool_info, "one pool at a time");
		else
			path = argv[i];
	}
	if (!path)
		return tool_usage(&tool_info, "which pool?");
	if (tool_view_open(path, &view))
		return TOOL_FAILED;
	if (p.json)
		putchar('{');
	shape(&p, path, &view.info);
	history(&p, &view);
	snapshot(&p, &view);
	if (p.json)
		puts("\n}");
	tool_view_close(&view);
	return TOOL_OK;
}

const struct tool_command tool_info = {
	.name = "info",
	.run = run,
	.usage = "[--json] POOL",
	.what = "tells what a pool holds",
	.help = "  --json   as one JSON object\n",
};
