/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: the group that a command is about, and the effects by which the log tells what has
 * changed in it.
 */
#include "app/commands/stream_cmds.h"

#include "app/keyspace/entry.h"

struct stream_group *stream_group_open(struct client *c, struct coll *coll, bool *failed)
{
	*failed = !coll_read(c, &c->argv[1], OBJ_STREAM, coll);
	if (*failed || !coll->e)
		return NULL;
	return stream_group_find(stream_of(&coll->obj), &c->argv[2]);
}

struct stream_group *stream_group_must(struct client *c, struct coll *coll)
{
	const struct slice *key = &c->argv[1], *name = &c->argv[2];
	bool failed;
	struct stream_group *g = stream_group_open(c, coll, &failed);

	if (!g && !failed)
		reply_errf(c, "NOGROUP No such key '%.*s' or consumer group '%.*s'", (int)key->len,
			key->ptr, (int)name->len, name->ptr);
	return g;
}

struct stream_consumer *stream_consumer_get(struct client *c, const struct slice *key,
	struct stream_group *g, const struct slice *name, bool *created)
{
	struct stream_consumer *consumer = stream_consumer_find(g, name);

	*created = false;
	if (consumer) {
		consumer->seen_ms = c->now_ms;
		return consumer;
	}
	consumer = stream_consumer_create(g, name, c->now_ms);
	if (consumer) {
		*created = true;
		cmd_dirty(c, 1);
		cmd_notify(c, NOTIFY_STREAM, "xgroup-createconsumer", key);
	}
	return consumer;
}

static struct slice id_text(const struct stream_id *id, char buf[STREAM_ID_TEXT_MAX])
{
	return (struct slice){buf, stream_id_text(id, buf)};
}

static struct slice int_text(int64_t num, char buf[KS_INT_STR_MAX])
{
	return (struct slice){buf, int_to_str(num, buf)};
}

void stream_log_claim(struct client *c, const struct slice *key, const struct stream_group *g,
	const struct stream_pending *p)
{
	char id[STREAM_ID_TEXT_MAX], last[STREAM_ID_TEXT_MAX];
	char time[KS_INT_STR_MAX], count[KS_INT_STR_MAX];
	const struct slice argv[] = {
		slice_str("XCLAIM"),
		*key,
		stream_name_text(&g->name),
		stream_name_text(&p->consumer->name),
		slice_str("0"),
		id_text(&p->id, id),
		slice_str("TIME"),
		int_text(p->time_ms, time),
		slice_str("RETRYCOUNT"),
		int_text((int64_t)p->count, count),
		slice_str("FORCE"),
		slice_str("JUSTID"),
		slice_str("LASTID"),
		id_text(&g->last_id, last),
	};

	prop_also(c, sizeof(argv) / sizeof(argv[0]), argv);
}

void stream_log_group_id(struct client *c, const struct slice *key, const struct stream_group *g)
{
	char last[STREAM_ID_TEXT_MAX], read[KS_INT_STR_MAX];
	const struct slice argv[] = {
		slice_str("XGROUP"),
		slice_str("SETID"),
		*key,
		stream_name_text(&g->name),
		id_text(&g->last_id, last),
		slice_str("ENTRIESREAD"),
		int_text(g->entries_read, read),
	};

	prop_also(c, sizeof(argv) / sizeof(argv[0]), argv);
}
