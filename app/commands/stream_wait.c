/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XREAD and XREADGROUP with BLOCK that have to wait (app/waiting.h).
 */
#include "app/commands/stream_cmds.h"

#include "app/waiting.h"

/* The IDs are not looked at: where they stand now is in the wait. */
static bool args_of(struct client *s, struct stream_read *read)
{
	struct stream_read_args args;

	if (!stream_read_args(s, &args))
		return false;
	*read = args.read;
	return true;
}

/* Redis asks for the last ID that there was, not for an entry: one that is there no more counts. A
 * group that has gone is something to be told. */
static bool has(struct client *s, const struct wait *w, struct entry *e)
{
	struct obj o = entry_obj(e);
	const struct stream *st = stream_of(&o);
	const struct stream_group *g;
	struct stream_read read;

	if (!args_of(s, &read))
		return false;
	if (!read.grouped)
		return stream_id_cmp(&st->last_id, &w->after) > 0;
	g = stream_group_find(st, &read.group);
	return !g || stream_id_cmp(&st->last_id, &g->last_id) > 0;
}

static size_t log_bytes(struct client *s, const struct wait *w, struct entry *e)
{
	struct slice key = entry_key(e);
	struct obj o = entry_obj(e);
	struct stream_read read;

	return args_of(s, &read) ? stream_read_log_bytes(&read, &key, stream_of(&o)) : 0;
}

static void serve(struct client *s, const struct wait *w, const struct slice *key)
{
	struct stream_read read;

	if (args_of(s, &read))
		stream_read_waited(s, key, &read, &w->after);
}

static const char *lost(const struct wait_set *set)
{
	bool grouped = set->cmd->name[5];

	return grouped ? "UNBLOCKED the stream key no longer exists" : NULL;
}

static const struct wait_kind kind = {
	.type = OBJ_STREAM,
	.has = has,
	.log_bytes = log_bytes,
	.serve = serve,
	.lost = lost,
};

void stream_wait(
	struct client *c, const struct stream_read_args *args, const struct stream_id *after)
{
	int64_t until = args->block_ms;

	if (until > 0) /* no overflow: stream_read_args() */
		until += c->now_ms;
	if (waiting_allowed(c))
		waiting_begin(c, &kind, &c->argv[args->keys_at], args->nr, after, NULL, until);
	else
		reply_null_array(c);
}
