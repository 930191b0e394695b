/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XREAD and XREADGROUP.
 */
#include "app/commands/stream_cmds.h"

#include "app/commands/keys.h"

#include <stdlib.h>

#define LOG_COUNT_BYTES ((size_t)1 << 20) /* above, entries are counted before they are delivered */

/* --- arguments --- */

static bool block_arg(struct client *c, const struct slice *arg, int64_t *block_ms)
{
	if ((c->flags & CLIENT_SCRIPT) && c->ac->in_exec) {
		reply_errf(c, "ERR %.*s command is not allowed with BLOCK option from scripts",
			(int)c->argv[0].len, c->argv[0].ptr);
		return false;
	}
	if (!arg_int_range_reply(c, arg, INT64_MIN, INT64_MAX, block_ms,
		    "ERR timeout is not an integer or out of range"))
		return false;
	if (*block_ms < 0) {
		reply_err(c, "ERR timeout is negative");
		return false;
	}
	if (*block_ms > INT64_MAX - c->now_ms)
		*block_ms = INT64_MAX - c->now_ms;
	return true;
}

static bool count_arg(struct client *c, const struct slice *arg, uint64_t *count)
{
	int64_t num;

	if (!arg_int_reply(c, arg, &num))
		return false;
	*count = num > 0 ? (uint64_t)num : 0;
	return true;
}

static bool streams_arg(struct client *c, uint32_t at, struct stream_read_args *args)
{
	if ((c->argc - at) % 2 != 0) {
		reply_err(c, "ERR Unbalanced XREAD list of streams: for each stream key an ID or "
			     "'$' must be specified.");
		return false;
	}
	args->keys_at = at;
	args->nr = (c->argc - at) / 2;
	return true;
}

static bool only_grouped(struct client *c, const char *option, bool grouped)
{
	if (!grouped)
		reply_errf(c,
			"ERR The %s option is only supported by XREADGROUP. You called XREAD "
			"instead.",
			option);
	return grouped;
}

/* An option other than STREAMS, at *i, which moves to its end. */
static bool read_option(
	struct client *c, uint32_t *i, struct stream_read_args *args, bool *has_group)
{
	const struct slice *arg = &c->argv[*i];
	uint32_t more = c->argc - *i - 1;

	if (more && arg_is(arg, "block"))
		return block_arg(c, &c->argv[++*i], &args->block_ms);
	if (more && arg_is(arg, "count"))
		return count_arg(c, &c->argv[++*i], &args->read.count);
	if (more >= 2 && arg_is(arg, "group")) {
		args->read.group = c->argv[*i + 1];
		args->read.consumer = c->argv[*i + 2];
		*i += 2;
		*has_group = true;
		return only_grouped(c, "GROUP", args->read.grouped);
	}
	if (arg_is(arg, "noack")) {
		args->read.noack = true;
		return only_grouped(c, "NOACK", args->read.grouped);
	}
	reply_err(c, REPLY_SYNTAX);
	return false;
}

bool stream_read_args(struct client *c, struct stream_read_args *args)
{
	bool has_group = false;

	*args = (struct stream_read_args){.block_ms = -1, .read.grouped = c->cmd->name[5] != '\0'};
	for (uint32_t i = 1; i < c->argc && !args->keys_at; i++) {
		if (i + 1 < c->argc && arg_is(&c->argv[i], "streams")) {
			if (!streams_arg(c, i + 1, args))
				return false;
		} else if (!read_option(c, &i, args, &has_group)) {
			return false;
		}
	}
	if (!args->keys_at) {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	if (args->read.grouped && !has_group) {
		reply_err(c, "ERR Missing GROUP option for XREADGROUP");
		return false;
	}
	return true;
}

/* --- one stream --- */

/* Are there entries behind the ID? */
static bool has_behind(const struct stream *s, const struct stream_id *id)
{
	struct stream_id last;

	return stream_last_entry(s, &last) && stream_id_cmp(&last, id) > 0;
}

/* The first ID that can be behind. */
static struct stream_id behind(struct stream_id id)
{
	stream_id_next(&id);
	return id;
}

static void reply_key(struct client *c, const struct slice *key)
{
	if (c->resp == 2)
		reply_array(c, 2);
	reply_bulk(c, key->ptr, key->len);
}

static struct stream_group *find_group(struct client *c, const struct slice *key,
	const struct stream_read *read, struct coll *coll)
{
	struct stream_group *g = NULL;

	if (coll->e)
		g = stream_group_find(stream_of(&coll->obj), &read->group);
	if (!g)
		reply_errf(c,
			"NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with "
			"GROUP option",
			(int)key->len, key->ptr, (int)read->group.len, read->group.ptr);
	return g;
}

/* The consumer who reads. One that is made by a read without acknowledgement is logged: no XCLAIM
 * tells of it. NULL: no memory. */
static struct stream_consumer *reader(struct client *c, const struct slice *key,
	const struct stream_read *read, struct stream_group *g)
{
	const struct slice argv[] = {slice_str("XGROUP"), slice_str("CREATECONSUMER"), *key,
		read->group, read->consumer};
	bool created;
	struct stream_consumer *consumer =
		stream_consumer_get(c, key, g, &read->consumer, &created);

	if (consumer && created && read->noack)
		prop_also(c, sizeof(argv) / sizeof(argv[0]), argv);
	return consumer;
}

/* Makes the entry pending and replies it. False: no memory, nothing has changed. */
static bool deliver_one(struct client *c, const struct slice *key, const struct stream *s,
	struct stream_group *g, struct stream_consumer *consumer, struct stream_iter *it)
{
	struct stream_pending *p = NULL;

	if (consumer) {
		p = stream_pending_assign(g, &it->id, consumer);
		if (!p)
			return false;
		p->time_ms = c->now_ms;
		p->count = 1;
	}
	stream_group_advance(s, g, &it->id);
	if (p)
		stream_log_claim(c, key, g, p);
	stream_reply_entry(c, it);
	return true;
}

/* Replies what the group has not delivered. consumer NULL: to nobody in particular. */
static bool deliver(struct client *c, const struct slice *key, const struct stream *s,
	struct stream_group *g, struct stream_consumer *consumer, uint64_t count)
{
	struct stream_iter it;
	uint64_t nr = 0;
	bool ok = true;

	reply_defer_begin(c);
	stream_iter_init(&it, s, behind(g->last_id), STREAM_ID_MAX, false);
	for (; (!count || nr < count) && stream_iter_next(&it); nr++) {
		ok = deliver_one(c, key, s, g, consumer, &it);
		if (!ok)
			break;
	}
	if (!consumer && nr > 0)
		stream_log_group_id(c, key, g);
	reply_defer_end_array(c, nr);
	return ok;
}

/* Replies what is pending with the consumer behind the ID; it has been delivered once more then. */
static void reply_history(struct client *c, const struct stream *s, struct stream_group *g,
	const struct stream_consumer *consumer, const struct stream_id *after, uint64_t count)
{
	struct stream_id from = behind(*after);
	struct tree_pos pos;
	struct stream_pending *p = stream_pending_from(g, consumer, &from, &pos);
	uint64_t nr = 0;

	reply_defer_begin(c);
	for (; p && (!count || nr < count); p = stream_pending_next(g, consumer, &pos), nr++) {
		if (stream_reply_one(c, s, &p->id)) {
			p->time_ms = c->now_ms;
			p->count++;
			continue;
		}
		reply_array(c, 2); /* it has been deleted */
		stream_reply_id(c, &p->id);
		reply_null_array(c);
	}
	reply_defer_end_array(c, nr);
}

/* after NULL: what is new to the group. */
static enum stream_read_result read_group(struct client *c, const struct slice *key,
	const struct stream_read *read, struct coll *coll, struct stream_group *g,
	const struct stream_id *after)
{
	struct stream_consumer *consumer;
	struct stream *s;
	bool ok = true;

	coll_edit(c, coll);
	s = stream_of(&coll->obj);
	reply_key(c, key);
	consumer = reader(c, key, read, g);
	if (!consumer)
		ok = false;
	else if (after)
		reply_history(c, s, g, consumer, after, read->count);
	else
		ok = deliver(c, key, s, g, read->noack ? NULL : consumer, read->count);
	coll_close(c, coll, true);
	cmd_dirty(c, 1);
	if (!ok)
		key_no_memory(c, true);
	return ok ? STREAM_READ_DONE : STREAM_READ_FAILED;
}

static enum stream_read_result read_grouped(struct client *c, const struct slice *key,
	const struct stream_read *read, struct coll *coll, const struct stream_id *after)
{
	struct stream_group *g = find_group(c, key, read, coll);

	if (!g)
		return STREAM_READ_FAILED;
	if (!after && !has_behind(stream_of(&coll->obj), &g->last_id))
		return STREAM_READ_NOTHING;
	return read_group(c, key, read, coll, g, after);
}

static enum stream_read_result read_one(struct client *c, const struct slice *key,
	const struct stream_read *read, const struct stream_id *after)
{
	struct coll coll;

	if (!coll_read(c, key, OBJ_STREAM, &coll))
		return STREAM_READ_FAILED;
	if (read->grouped)
		return read_grouped(c, key, read, &coll, after);
	if (!coll.e || !has_behind(stream_of(&coll.obj), after))
		return STREAM_READ_NOTHING;
	reply_key(c, key);
	stream_reply_range(
		c, stream_of(&coll.obj), behind(*after), STREAM_ID_MAX, read->count, false);
	return STREAM_READ_DONE;
}

enum stream_read_result stream_read_new(struct client *c, const struct slice *key,
	const struct stream_read *read, const struct stream_id *after)
{
	return read_one(c, key, read, read->grouped ? NULL : after);
}

void stream_read_waited(struct client *c, const struct slice *key, const struct stream_read *read,
	const struct stream_id *after)
{
	struct stream_group *g = NULL;
	struct coll coll;

	if (!coll_read(c, key, OBJ_STREAM, &coll))
		return;
	if (read->grouped)
		g = stream_group_find(stream_of(&coll.obj), &read->group);
	if (read->grouped && !g) {
		reply_err(c,
			"NOGROUP the consumer group this client was blocked on no longer exists");
		return;
	}
	prop_none(c); /* what has changed is logged in effects of its own */
	(c->resp == 2 ? reply_array : reply_map)(c, 1);
	if (g) {
		read_group(c, key, read, &coll, g, NULL);
		return;
	}
	reply_key(c, key);
	stream_reply_range(
		c, stream_of(&coll.obj), behind(*after), STREAM_ID_MAX, read->count, false);
}

size_t stream_read_log_bytes(
	const struct stream_read *read, const struct slice *key, const struct stream *s)
{
	size_t each = STREAM_CLAIM_BYTES + key->len + read->group.len + read->consumer.len;
	uint64_t nr = read->count && read->count < s->nr ? read->count : s->nr;
	const struct stream_group *g = stream_group_find(s, &read->group);
	struct stream_iter it;

	if (!read->grouped || !g)
		return 0;
	if (read->noack)
		return 2 * each;
	if (nr > LOG_COUNT_BYTES / each) {
		uint64_t max = nr;

		stream_iter_init(&it, s, behind(g->last_id), STREAM_ID_MAX, false);
		for (nr = 0; nr < max && stream_iter_next(&it); nr++)
			;
	}
	return nr * each;
}

/* --- the commands --- */

/* What a client waits for in a stream. */
struct want {
	struct stream_id after;
	bool fresh; /* ">": what is new to the group */
};

static bool want_id(struct client *c, const struct slice *arg, const struct coll *coll,
	bool grouped, struct want *want)
{
	bool dollar = arg->len == 1 && arg->ptr[0] == '$';

	want->fresh = arg->len == 1 && arg->ptr[0] == '>';
	if (dollar && grouped) {
		reply_err(c,
			"ERR The $ ID is meaningless in the context of XREADGROUP: you want to "
			"read the history of this consumer by specifying a proper ID, or use "
			"the > ID to get new messages. The $ ID would just return an empty "
			"result set.");
		return false;
	}
	if (want->fresh && !grouped) {
		reply_err(c, "ERR The > ID can be specified only when calling XREADGROUP using the "
			     "GROUP <group> <consumer> option.");
		return false;
	}
	if (dollar)
		want->after = coll->e ? stream_of(&coll->obj)->last_id : STREAM_ID_MIN;
	if (dollar || want->fresh)
		return true;
	if (!stream_id_arg(c, arg, &want->after))
		return false;
	/* Redis takes this for the ">" that it stands for in there */
	want->fresh = grouped && stream_id_cmp(&want->after, &STREAM_ID_MAX) == 0;
	return true;
}

/* Checks all keys, groups and IDs; *log_bytes: what reading them can add to the log. */
static bool resolve(struct client *c, const struct stream_read_args *args, struct want *wants,
	size_t *log_bytes)
{
	for (uint32_t i = 0; i < args->nr; i++) {
		const struct slice *key = &c->argv[args->keys_at + i];
		struct coll coll;

		if (!coll_read(c, key, OBJ_STREAM, &coll))
			return false;
		if (args->read.grouped && !find_group(c, key, &args->read, &coll))
			return false;
		if (!want_id(c, key + args->nr, &coll, args->read.grouped, &wants[i]))
			return false;
		if (wants[i].fresh || args->read.noack)
			*log_bytes += stream_read_log_bytes(&args->read, key, stream_of(&coll.obj));
	}
	return true;
}

/* True: there was nothing to read, and nothing has been replied. */
static bool read_all(
	struct client *c, const struct stream_read_args *args, const struct want *wants)
{
	enum stream_read_result result = STREAM_READ_NOTHING;
	uint32_t nr = 0;

	if (args->read.grouped)
		prop_none(c); /* what has changed is logged in effects of its own */
	reply_defer_begin(c);
	for (uint32_t i = 0; i < args->nr && result != STREAM_READ_FAILED; i++) {
		result = read_one(c, &c->argv[args->keys_at + i], &args->read,
			wants[i].fresh ? NULL : &wants[i].after);
		nr += result == STREAM_READ_DONE;
	}
	if (nr == 0)
		reply_defer_drop(c);
	else if (c->resp == 2)
		reply_defer_end_array(c, nr);
	else
		reply_defer_end_map(c, nr);
	return nr == 0 && result != STREAM_READ_FAILED;
}

static void nothing_read(
	struct client *c, const struct stream_read_args *args, const struct want *wants)
{
	struct stream_id *after;

	if (args->block_ms < 0) {
		reply_null_array(c);
		return;
	}
	after = malloc(args->nr * sizeof(*after));
	if (!after) {
		key_no_memory(c, false);
		return;
	}
	for (uint32_t i = 0; i < args->nr; i++)
		after[i] = wants[i].fresh ? STREAM_ID_MIN : wants[i].after;
	stream_wait(c, args, after);
	free(after);
}

void stream_cmd_xread(struct client *c)
{
	struct stream_read_args args;
	struct want *wants;
	size_t log_bytes = 0;

	if (!stream_read_args(c, &args))
		return;
	wants = malloc(args.nr * sizeof(*wants));
	if (!wants)
		key_no_memory(c, false);
	else if (resolve(c, &args, wants, &log_bytes) && (!log_bytes || prop_admit(c, log_bytes)) &&
		 read_all(c, &args, wants))
		nothing_read(c, &args, wants);
	free(wants);
}
