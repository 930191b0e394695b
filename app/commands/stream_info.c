/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XINFO.
 */
#include "app/commands/stream_cmds.h"

#define FULL_COUNT 10 /* what XINFO STREAM FULL shows of each, unless it is told */

static void name_int(struct client *c, const char *name, int64_t num)
{
	reply_bulk_str(c, name);
	reply_int(c, num);
}

static void name_id(struct client *c, const char *name, const struct stream_id *id)
{
	reply_bulk_str(c, name);
	stream_reply_id(c, id);
}

static void name_text(struct client *c, const char *name, const struct stream_name *text)
{
	reply_bulk_str(c, name);
	reply_bulk(c, text->bytes, text->len);
}

/* The stream argv[2]. NULL: replied. */
static const struct stream *open_stream(struct client *c, struct coll *coll)
{
	if (!coll_read(c, &c->argv[2], OBJ_STREAM, coll))
		return NULL;
	if (!coll->e)
		reply_err(c, REPLY_NO_KEY);
	return coll->e ? stream_of(&coll->obj) : NULL;
}

/* --- XINFO STREAM --- */

/* *count: 0 for all. False: replied. */
static bool full_options(struct client *c, bool *full, int64_t *count)
{
	*full = c->argc > 3;
	*count = FULL_COUNT;
	if (!*full)
		return true;
	if ((c->argc != 4 && c->argc != 6) || !arg_is(&c->argv[3], "full") ||
		(c->argc == 6 && !arg_is(&c->argv[4], "count"))) {
		reply_subcommand_syntax(c);
		return false;
	}
	if (c->argc == 6 && !arg_int_reply(c, &c->argv[5], count))
		return false;
	if (*count < 0)
		*count = FULL_COUNT;
	return true;
}

static void reply_read(struct client *c, const struct stream *s, const struct stream_group *g)
{
	int64_t lag;

	reply_bulk_str(c, "entries-read");
	if (g->entries_read == STREAM_READ_UNKNOWN)
		reply_null(c);
	else
		reply_int(c, g->entries_read);
	reply_bulk_str(c, "lag");
	if (stream_group_lag(s, g, &lag))
		reply_int(c, lag);
	else
		reply_null(c);
}

/* Of the group, or of one consumer, whose name is not said then. */
static void reply_pending(struct client *c, const struct stream_group *g,
	const struct stream_consumer *consumer, uint64_t count)
{
	struct tree_pos pos;
	const struct stream_pending *p = stream_pending_from(g, consumer, &STREAM_ID_MIN, &pos);
	uint64_t nr = 0;

	reply_bulk_str(c, "pending");
	reply_defer_begin(c);
	for (; p && (!count || nr < count); p = stream_pending_next(g, consumer, &pos), nr++) {
		reply_array(c, consumer ? 3 : 4);
		stream_reply_id(c, &p->id);
		if (!consumer)
			reply_bulk(c, p->consumer->name.bytes, p->consumer->name.len);
		reply_int(c, p->time_ms);
		reply_int(c, (int64_t)p->count);
	}
	reply_defer_end_array(c, nr);
}

static void reply_group_full(
	struct client *c, const struct stream *s, const struct stream_group *g, uint64_t count)
{
	struct tree_pos pos;

	reply_map(c, 7);
	name_text(c, "name", &g->name);
	name_id(c, "last-delivered-id", &g->last_id);
	reply_read(c, s, g);
	name_int(c, "pel-count", (int64_t)g->pending.nr);
	reply_pending(c, g, NULL, count);
	reply_bulk_str(c, "consumers");
	reply_array(c, g->consumers.nr);
	for (const struct stream_consumer *one = stream_consumer_first(g, &pos); one;
		one = stream_consumer_next(&pos)) {
		reply_map(c, 4);
		name_text(c, "name", &one->name);
		name_int(c, "seen-time", one->seen_ms);
		name_int(c, "pel-count", (int64_t)one->pending.nr);
		reply_pending(c, g, one, count);
	}
}

static void reply_full(struct client *c, const struct stream *s, uint64_t count)
{
	struct tree_pos pos;

	reply_bulk_str(c, "entries");
	stream_reply_range(c, s, STREAM_ID_MIN, STREAM_ID_MAX, count, false);
	reply_bulk_str(c, "groups");
	reply_array(c, s->groups.nr);
	for (const struct stream_group *g = stream_group_first(s, &pos); g;
		g = stream_group_next(&pos))
		reply_group_full(c, s, g, count);
}

static void reply_end(struct client *c, const struct stream *s, const char *name, bool last)
{
	struct stream_iter it;

	reply_bulk_str(c, name);
	stream_iter_init(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, last);
	if (stream_iter_next(&it))
		stream_reply_entry(c, &it);
	else
		reply_null(c);
}

void stream_cmd_info_stream(struct client *c)
{
	const struct stream *s;
	struct coll coll;
	int64_t count;
	bool full;

	s = open_stream(c, &coll);
	if (!s || !full_options(c, &full, &count))
		return;
	reply_map(c, full ? 9 : 10);
	name_int(c, "length", (int64_t)s->nr);
	name_int(c, "radix-tree-keys", (int64_t)s->blocks.nr);
	name_int(c, "radix-tree-nodes", (int64_t)stream_nr_radix_nodes(s));
	name_id(c, "last-generated-id", &s->last_id);
	name_id(c, "max-deleted-entry-id", &s->max_deleted_id);
	name_int(c, "entries-added", (int64_t)s->entries_added);
	name_id(c, "recorded-first-entry-id", &s->first_id);
	if (full) {
		reply_full(c, s, (uint64_t)count);
		return;
	}
	name_int(c, "groups", (int64_t)s->groups.nr);
	reply_end(c, s, "first-entry", false);
	reply_end(c, s, "last-entry", true);
}

/* --- XINFO GROUPS, XINFO CONSUMERS --- */

void stream_cmd_info_groups(struct client *c)
{
	struct tree_pos pos;
	struct coll coll;
	const struct stream *s = open_stream(c, &coll);

	if (!s)
		return;
	reply_array(c, s->groups.nr);
	for (const struct stream_group *g = stream_group_first(s, &pos); g;
		g = stream_group_next(&pos)) {
		reply_map(c, 6);
		name_text(c, "name", &g->name);
		name_int(c, "consumers", (int64_t)g->consumers.nr);
		name_int(c, "pending", (int64_t)g->pending.nr);
		name_id(c, "last-delivered-id", &g->last_id);
		reply_read(c, s, g);
	}
}

void stream_cmd_info_consumers(struct client *c)
{
	const struct slice *key = &c->argv[2], *name = &c->argv[3];
	struct coll coll;
	const struct stream *s = open_stream(c, &coll);
	const struct stream_group *g;
	struct tree_pos pos;

	if (!s)
		return;
	g = stream_group_find(s, name);
	if (!g) {
		reply_errf(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
			(int)name->len, name->ptr, (int)key->len, key->ptr);
		return;
	}
	reply_array(c, g->consumers.nr);
	for (const struct stream_consumer *one = stream_consumer_first(g, &pos); one;
		one = stream_consumer_next(&pos)) {
		int64_t idle_ms = stream_idle_ms(c, one->seen_ms);

		reply_map(c, 3);
		name_text(c, "name", &one->name);
		name_int(c, "pending", (int64_t)one->pending.nr);
		name_int(c, "idle", idle_ms > 0 ? idle_ms : 0);
	}
}

void stream_cmd_info_help(struct client *c)
{
	static const char *const lines[] = {
		"CONSUMERS <key> <groupname>",
		"    The consumers of a group.",
		"GROUPS <key>",
		"    The groups of a stream.",
		"STREAM <key> [FULL [COUNT <count>]]",
		"    The state of a stream; with FULL also that of its groups and consumers.",
		NULL,
	};

	reply_help(c, lines);
}
