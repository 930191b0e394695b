/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XPENDING.
 */
#include "app/commands/stream_cmds.h"

struct pending_args {
	struct stream_id from, to;
	int64_t count, min_idle_ms;
	const struct slice *consumer; /* NULL: all */
};

/* [IDLE ms] first last count [consumer]. False: replied. */
static bool pending_args(struct client *c, struct pending_args *args)
{
	uint32_t at = 3;

	if (arg_is(&c->argv[3], "idle")) {
		if (!arg_int_reply(c, &c->argv[4], &args->min_idle_ms))
			return false;
		if (c->argc < 8) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
		at = 5;
	}
	if (!arg_int_reply(c, &c->argv[at + 2], &args->count) ||
		!stream_bound_arg(c, &c->argv[at], false, &args->from) ||
		!stream_bound_arg(c, &c->argv[at + 1], true, &args->to))
		return false;
	if (at + 3 < c->argc)
		args->consumer = &c->argv[at + 3];
	return true;
}

/* How many there are, the first and the last one, and how many each consumer has. */
static void reply_summary(struct client *c, const struct stream_group *g)
{
	struct tree_pos pos;
	const struct stream_pending *p = stream_pending_from(g, NULL, &STREAM_ID_MIN, &pos);
	uint64_t nr = 0;

	reply_array(c, 4);
	reply_int(c, (int64_t)g->pending.nr);
	if (!p) {
		reply_null(c);
		reply_null(c);
		reply_null_array(c);
		return;
	}
	stream_reply_id(c, &p->id);
	p = stream_pending_last(g);
	stream_reply_id(c, &p->id);
	reply_defer_begin(c);
	for (const struct stream_consumer *one = stream_consumer_first(g, &pos); one;
		one = stream_consumer_next(&pos)) {
		if (one->pending.nr == 0)
			continue;
		nr++;
		reply_array(c, 2);
		reply_bulk(c, one->name.bytes, one->name.len);
		reply_bulk_int(c, (int64_t)one->pending.nr);
	}
	reply_defer_end_array(c, nr);
}

static void reply_pending(struct client *c, const struct stream_pending *p)
{
	int64_t idle_ms = stream_idle_ms(c, p->time_ms);

	reply_array(c, 4);
	stream_reply_id(c, &p->id);
	reply_bulk(c, p->consumer->name.bytes, p->consumer->name.len);
	reply_int(c, idle_ms > 0 ? idle_ms : 0);
	reply_int(c, (int64_t)p->count);
}

static void reply_list(
	struct client *c, const struct stream_group *g, const struct pending_args *args)
{
	const struct stream_consumer *consumer = NULL;
	const struct stream_pending *p;
	struct tree_pos pos;
	int64_t nr = 0;

	if (args->consumer) {
		consumer = stream_consumer_find(g, args->consumer);
		if (!consumer) {
			reply_array(c, 0);
			return;
		}
	}
	reply_defer_begin(c);
	p = stream_pending_from(g, consumer, &args->from, &pos);
	for (; p && nr < args->count && stream_id_cmp(&p->id, &args->to) <= 0;
		p = stream_pending_next(g, consumer, &pos)) {
		if (args->min_idle_ms && stream_idle_ms(c, p->time_ms) < args->min_idle_ms)
			continue;
		reply_pending(c, p);
		nr++;
	}
	reply_defer_end_array(c, (size_t)nr);
}

void stream_cmd_xpending(struct client *c)
{
	struct pending_args args = {0};
	struct stream_group *g;
	struct coll coll;

	if (c->argc != 3 && (c->argc < 6 || c->argc > 9)) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc > 3 && !pending_args(c, &args))
		return;
	g = stream_group_must(c, &coll);
	if (!g)
		return;
	if (c->argc == 3)
		reply_summary(c, g);
	else
		reply_list(c, g, &args);
}
