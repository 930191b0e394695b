/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: adding, deleting, trimming, and reading a range.
 */
#include "app/commands/stream_cmds.h"

#include "app/commands/keys.h"

#include <stdlib.h>
#include <string.h>

/* --- XADD --- */

/* The ID of the new entry; s is NULL for a stream that is to be made. False: replied. */
static bool new_id(struct client *c, const struct stream *s, const struct stream_add_args *args,
	struct stream_id *id)
{
	struct stream_id last = s ? s->last_id : STREAM_ID_MIN;

	if (last.ms == UINT64_MAX && last.seq == UINT64_MAX) {
		reply_err(c, "ERR The stream has exhausted the last possible ID, unable to add "
			     "more items");
		return false;
	}
	*id = args->id;
	if (!args->id_given)
		*id = (struct stream_id){(uint64_t)c->now_ms, 0};
	if (!args->id_given && id->ms <= last.ms) {
		*id = last;
		stream_id_next(id);
	} else if (args->id_given && !args->seq_given && id->ms == last.ms) {
		id->seq = last.seq + 1; /* 0 when there is none left */
	}
	if (stream_id_cmp(id, &last) > 0)
		return true;
	reply_err(c, "ERR The ID specified in XADD is equal or smaller than the target stream top "
		     "item");
	return false;
}

/* How XADD or XTRIM go into the log: with the ID that was chosen, and with what a trimming came to
 * that was approximate or, for want of memory, not all that was asked for. */
struct logged {
	struct slice *argv; /* owned; NULL: as they came */
	char id[STREAM_ID_TEXT_MAX], bound[STREAM_ID_TEXT_MAX];
};

static bool logged_init(struct client *c, const struct stream_add_args *args, struct logged *log)
{
	log->argv = NULL;
	if (!args->trims && args->seq_given)
		return true;
	log->argv = malloc(c->argc * sizeof(*log->argv));
	if (!log->argv)
		return false;
	memcpy(log->argv, c->argv, c->argc * sizeof(*log->argv));
	return true;
}

static void log_id(struct logged *log, uint32_t at, const struct stream_id *id)
{
	log->argv[at] = (struct slice){log->id, stream_id_text(id, log->id)};
}

static void log_bound(
	struct logged *log, const struct stream *s, const struct stream_add_args *args)
{
	struct stream_id first = stream_first_in_block(s), len = {s->nr, 0};
	struct slice *arg = &log->argv[args->trim_at];

	*arg = (struct slice){
		log->bound, stream_id_text(args->trim.by_id ? &first : &len, log->bound)};
	if (!args->trim.by_id)
		arg->len -= 2; /* only the number ahead of "-0" */
	if (args->trim.approx)
		log->argv[args->trim_at - 1] = slice_str("=");
}

/* The entry is in: trims, and tells the log. */
static void add_done(
	struct client *c, struct stream *s, const struct stream_add_args *args, struct logged *log)
{
	bool all = true;
	uint64_t nr = 0;

	cmd_notify(c, NOTIFY_STREAM, "xadd", &c->argv[1]);
	cmd_dirty(c, 1);
	if (args->trims)
		all = stream_trim(s, &args->trim, &nr);
	if (nr > 0)
		cmd_notify(c, NOTIFY_STREAM, "xtrim", &c->argv[1]);
	if (!log->argv)
		return;
	if (args->trims && (args->trim.approx || !all))
		log_bound(log, s, args);
	if (!args->seq_given)
		log_id(log, args->id_at, &s->last_id);
	prop_replace(c, (int)c->argc, log->argv);
}

static void add(struct client *c, struct coll *coll, const struct stream_add_args *args,
	const struct stream_id *id, struct logged *log)
{
	const struct slice *pairs = &c->argv[args->id_at + 1];
	uint32_t nr_fields = (c->argc - args->id_at - 1) / 2;
	struct obj_limits limits = coll_limits(c);
	bool old = coll_edit(c, coll);

	if (!old && !stream_make(&coll->obj)) {
		key_no_memory(c, false);
		return;
	}
	struct stream *s = stream_of(&coll->obj);

	if (!stream_add(s, id, pairs, nr_fields, &limits)) {
		if (!old)
			stream_ops.free(&coll->obj);
		key_no_memory(c, false);
		return;
	}
	if (!coll_close(c, coll, false)) /* s is in its key now, and may change until we return */
		return;
	add_done(c, s, args, log);
	stream_reply_id(c, id);
}

/* The content of fields and values must fit. */
static bool fits(struct client *c, uint32_t from)
{
	size_t bytes = 0;

	for (uint32_t i = from; i < c->argc; i++)
		bytes += c->argv[i].len;
	if (bytes <= STREAM_ENTRY_MAX)
		return true;
	reply_err(c, "ERR Elements are too large to be stored");
	return false;
}

void stream_cmd_xadd(struct client *c)
{
	struct stream_add_args args;
	struct stream_id id;
	struct logged log;
	struct coll coll;

	if (!stream_add_args(c, true, &args))
		return;
	if (args.id_at + 2 >= c->argc || (c->argc - args.id_at) % 2 == 0) {
		reply_arity(c);
		return;
	}
	if (args.id_given && args.seq_given && stream_id_is_min(&args.id)) {
		reply_err(c, "ERR The ID specified in XADD must be greater than 0-0");
		return;
	}
	if (!coll_open(c, &c->argv[1], OBJ_STREAM, &coll))
		return;
	if (!coll.e && args.no_create) {
		reply_null(c);
		return;
	}
	if (!new_id(c, coll.e ? stream_of(&coll.obj) : NULL, &args, &id) ||
		!fits(c, args.id_at + 1))
		return;
	if (logged_init(c, &args, &log))
		add(c, &coll, &args, &id, &log);
	else
		key_no_memory(c, false);
	free(log.argv);
}

/* --- XTRIM --- */

void stream_cmd_xtrim(struct client *c)
{
	struct stream_add_args args;
	struct logged log;
	struct coll coll;
	uint64_t nr;
	bool all;

	if (!stream_add_args(c, false, &args) || !coll_open(c, &c->argv[1], OBJ_STREAM, &coll))
		return;
	if (!coll.e) {
		reply_int(c, 0);
		return;
	}
	if (!logged_init(c, &args, &log)) {
		key_no_memory(c, false);
		return;
	}
	coll_edit(c, &coll);
	all = stream_trim(stream_of(&coll.obj), &args.trim, &nr);
	if (nr > 0) {
		cmd_notify(c, NOTIFY_STREAM, "xtrim", &c->argv[1]);
		if (args.trim.approx || !all) {
			log_bound(&log, stream_of(&coll.obj), &args);
			prop_replace(c, (int)c->argc, log.argv);
		}
		cmd_dirty(c, nr);
	}
	coll_close(c, &coll, false);
	free(log.argv);
	reply_int(c, (int64_t)nr);
}

/* --- XDEL --- */

void stream_cmd_xdel(struct client *c)
{
	struct coll coll;
	struct stream_id *ids;
	enum stream_deleted rc = STREAM_DELETED;
	int64_t nr = 0;
	uint32_t i = 2;

	if (!coll_open(c, &c->argv[1], OBJ_STREAM, &coll))
		return;
	if (!coll.e) {
		reply_int(c, 0);
		return;
	}
	ids = stream_ids_arg(c, 2);
	if (!ids)
		return;
	coll_edit(c, &coll);
	for (; i < c->argc && rc != STREAM_NO_MEMORY; i++) {
		rc = stream_delete(stream_of(&coll.obj), &ids[i - 2]);
		nr += rc == STREAM_DELETED;
	}
	coll_close(c, &coll, false);
	if (nr > 0) {
		cmd_notify(c, NOTIFY_STREAM, "xdel", &c->argv[1]);
		cmd_dirty(c, (uint64_t)nr);
	}
	free(ids);
	if (rc != STREAM_NO_MEMORY) {
		reply_int(c, nr);
		return;
	}
	prop_replace(c, (int)i - 1, c->argv); /* as far as it came */
	key_no_memory(c, false);
}

/* --- XSETID --- */

struct setid {
	struct stream_id id, max_deleted_id;
	int64_t entries_added; /* -1: not given */
};

static bool setid_options(struct client *c, struct setid *set)
{
	for (uint32_t i = 3; i < c->argc; i += 2) {
		const struct slice *value = &c->argv[i + 1];
		bool more = i + 1 < c->argc;

		if (more && arg_is(&c->argv[i], "entriesadded")) {
			if (!arg_int_reply(c, value, &set->entries_added))
				return false;
			if (set->entries_added < 0) {
				reply_err(c, "ERR entries_added must be positive");
				return false;
			}
		} else if (more && arg_is(&c->argv[i], "maxdeletedid")) {
			if (!stream_id_arg(c, value, &set->max_deleted_id))
				return false;
			if (stream_id_cmp(&set->id, &set->max_deleted_id) < 0) {
				reply_err(c, "ERR The ID specified in XSETID is smaller than the "
					     "provided max_deleted_entry_id");
				return false;
			}
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

/* Not below what is there. */
static bool setid_allowed(struct client *c, const struct stream *s, const struct setid *set)
{
	struct stream_id last;

	if (!stream_last_entry(s, &last))
		return true;
	if (stream_id_cmp(&set->id, &last) < 0) {
		reply_err(c, "ERR The ID specified in XSETID is smaller than the target stream top "
			     "item");
		return false;
	}
	if (set->entries_added != -1 && s->nr > (uint64_t)set->entries_added) {
		reply_err(c, "ERR The entries_added specified in XSETID is smaller than the target "
			     "stream length");
		return false;
	}
	return true;
}

void stream_cmd_xsetid(struct client *c)
{
	struct setid set = {.entries_added = -1};
	struct coll coll;
	struct stream *s;

	if (!stream_id_arg(c, &c->argv[2], &set.id) || !setid_options(c, &set) ||
		!coll_open(c, &c->argv[1], OBJ_STREAM, &coll))
		return;
	if (!coll.e) {
		reply_err(c, REPLY_NO_KEY);
		return;
	}
	if (!setid_allowed(c, stream_of(&coll.obj), &set))
		return;
	coll_edit(c, &coll);
	s = stream_of(&coll.obj);
	s->last_id = set.id;
	if (set.entries_added != -1)
		s->entries_added = (uint64_t)set.entries_added;
	if (!stream_id_is_min(&set.max_deleted_id))
		s->max_deleted_id = set.max_deleted_id;
	coll_close(c, &coll, false);
	cmd_dirty(c, 1);
	cmd_notify(c, NOTIFY_STREAM, "xsetid", &c->argv[1]);
	reply_ok(c);
}

/* --- reading --- */

void stream_cmd_xlen(struct client *c)
{
	struct coll coll;

	if (coll_read(c, &c->argv[1], OBJ_STREAM, &coll))
		reply_int(c, coll.e ? (int64_t)stream_of(&coll.obj)->nr : 0);
}

/* -1: not given. */
static bool count_option(struct client *c, int64_t *count)
{
	*count = -1;
	for (uint32_t i = 4; i < c->argc; i += 2) {
		if (i + 1 >= c->argc || !arg_is(&c->argv[i], "count")) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
		if (!arg_int_reply(c, &c->argv[i + 1], count))
			return false;
		if (*count < 0)
			*count = 0;
	}
	return true;
}

void stream_cmd_xrange(struct client *c)
{
	bool back = c->cmd->name[1] == 'r' && c->cmd->name[2] == 'e';
	struct stream_id from, to;
	struct coll coll;
	int64_t count;

	if (!stream_bound_arg(c, &c->argv[back ? 3 : 2], false, &from) ||
		!stream_bound_arg(c, &c->argv[back ? 2 : 3], true, &to) ||
		!count_option(c, &count) || !coll_read(c, &c->argv[1], OBJ_STREAM, &coll))
		return;
	if (!coll.e)
		reply_array(c, 0);
	else if (count == 0)
		reply_null_array(c);
	else
		stream_reply_range(
			c, stream_of(&coll.obj), from, to, count < 0 ? 0 : (uint64_t)count, back);
}
