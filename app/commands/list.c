/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: their ends, and reading.
 */
#include "app/commands/list_cmds.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"

#include <ctype.h>
#include <limits.h>

static enum list_side side_of_name(const struct client *c)
{
	return tolower(c->cmd->name[0]) == 'l' ? LIST_LEFT : LIST_RIGHT;
}

void list_cmd_push(struct client *c)
{
	bool only_there = c->cmd->name[5] == 'x';
	enum list_side side = side_of_name(c);
	struct coll list;

	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e && only_there) {
		reply_int(c, 0);
		return;
	}
	if (!coll_edit(c, &list) && !list_make(&list.obj)) {
		key_no_memory(c, false);
		return;
	}
	int fill = coll_limits(c).list_max_listpack_size;
	uint32_t i = 2;

	while (i < c->argc && list_push(&list.obj, side, c->argv[i].ptr, c->argv[i].len, fill))
		i++;
	size_t len = list_len(&list.obj);

	if (i < c->argc) { /* what was pushed goes again: all or nothing */
		int64_t start = side == LIST_LEFT ? 0 : -(int64_t)(i - 2);

		if (i > 2)
			list_delete_range(&list.obj, start, i - 2);
		coll_close(c, &list, true);
		key_no_memory(c, false);
		return;
	}
	if (!coll_close(c, &list, false))
		return;
	cmd_notify(c, NOTIFY_LIST, side == LIST_LEFT ? "lpush" : "rpush", &c->argv[1]);
	cmd_dirty(c, c->argc - 2);
	reply_int(c, (int64_t)len);
}

/* The elements from an end on, as an array. */
static void reply_range(struct client *c, const struct obj *o, enum list_side side, size_t nr)
{
	struct list_pos pos = list_at(o, side == LIST_LEFT ? 0 : -1);
	char buf[KS_INT_STR_MAX];

	reply_array(c, nr);
	for (size_t i = 0; i < nr; i++) {
		struct slice text = list_text(&pos, buf);

		reply_bulk(c, text.ptr, text.len);
		if (side == LIST_LEFT)
			list_next(&pos);
		else
			list_prev(&pos);
	}
}

static void pop_one(struct client *c, struct coll *list, enum list_side side)
{
	struct list_pos pos = list_at(&list->obj, side == LIST_LEFT ? 0 : -1);
	char buf[KS_INT_STR_MAX];
	struct slice text = list_text(&pos, buf);

	reply_bulk(c, text.ptr, text.len);
	list_delete(&list->obj, &pos, LIST_RIGHT);
}

void list_cmd_pop(struct client *c)
{
	enum list_side side = side_of_name(c);
	bool many = c->argc == 3;
	int64_t count = 1;
	struct coll list;

	if (c->argc > 3) {
		reply_arity(c);
		return;
	}
	if (many && !arg_int_range_reply(c, &c->argv[2], 0, LONG_MAX, &count,
			    "ERR value is out of range, must be positive"))
		return;
	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		(many ? reply_null_array : reply_null)(c);
		return;
	}
	if (count == 0) {
		reply_array(c, 0);
		return;
	}
	coll_edit(c, &list);
	size_t nr = (size_t)count < list_len(&list.obj) ? (size_t)count : list_len(&list.obj);

	if (many) {
		reply_range(c, &list.obj, side, nr);
		list_delete_range(&list.obj, side == LIST_LEFT ? 0 : -(int64_t)nr, nr);
	} else {
		pop_one(c, &list, side);
	}
	cmd_notify(c, NOTIFY_LIST, side == LIST_LEFT ? "lpop" : "rpop", &c->argv[1]);
	coll_close(c, &list, true);
	cmd_dirty(c, nr);
}

void list_cmd_llen(struct client *c)
{
	struct coll list;

	if (coll_read(c, &c->argv[1], OBJ_LIST, &list))
		reply_int(c, list.e ? (int64_t)list_len(&list.obj) : 0);
}

void list_cmd_lindex(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	struct list_pos pos;
	struct coll list;
	int64_t index;

	if (!coll_read(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		reply_null(c);
		return;
	}
	if (!arg_int_reply(c, &c->argv[2], &index))
		return;
	pos = list_at(&list.obj, index);
	if (!list_pos_ok(&pos)) {
		reply_null(c);
		return;
	}
	struct slice text = list_text(&pos, buf);

	reply_bulk(c, text.ptr, text.len);
}

void list_cmd_lrange(struct client *c)
{
	int64_t start, end, len;
	char buf[KS_INT_STR_MAX];
	struct list_pos pos;
	struct coll list;

	if (!arg_int_reply(c, &c->argv[2], &start) || !arg_int_reply(c, &c->argv[3], &end))
		return;
	if (!coll_read(c, &c->argv[1], OBJ_LIST, &list))
		return;
	len = list.e ? (int64_t)list_len(&list.obj) : 0;
	start = start < 0 ? (start + len > 0 ? start + len : 0) : start;
	end = end < 0 ? end + len : (end < len ? end : len - 1);
	if (start > end || start >= len) {
		reply_array(c, 0);
		return;
	}
	reply_array(c, (size_t)(end - start + 1));
	pos = list_at(&list.obj, start);
	for (int64_t i = start; i <= end; i++) {
		struct slice text = list_text(&pos, buf);

		reply_bulk(c, text.ptr, text.len);
		list_next(&pos);
	}
}

struct lpos {
	int64_t rank, count, maxlen; /* count -1: not given */
};

static bool lpos_options(struct client *c, struct lpos *opt)
{
	for (uint32_t i = 3; i < c->argc; i += 2) {
		const struct slice *name = &c->argv[i], *value = name + 1;
		bool more = i + 1 < c->argc;

		if (more && arg_is(name, "rank")) {
			if (!arg_int_reply(c, value, &opt->rank))
				return false;
			if (opt->rank == 0) {
				reply_err(c,
					"ERR RANK can't be zero: use 1 to start from the first "
					"match, 2 from the second ... or use negative to start "
					"from the end of the list");
				return false;
			}
		} else if (more && arg_is(name, "count")) {
			if (!arg_int_range_reply(c, value, 0, LONG_MAX, &opt->count,
				    "ERR COUNT can't be negative"))
				return false;
		} else if (more && arg_is(name, "maxlen")) {
			if (!arg_int_range_reply(c, value, 0, LONG_MAX, &opt->maxlen,
				    "ERR MAXLEN can't be negative"))
				return false;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

/* Replies the indexes of what matches, or the first one when no count was given. Returns how many
 * were replied. */
static size_t lpos_search(struct client *c, const struct obj *o, const struct lpos *opt)
{
	const struct slice *what = &c->argv[2];
	bool back = opt->rank < 0;
	uint64_t rank = back ? 0 - (uint64_t)opt->rank : (uint64_t)opt->rank;
	int64_t len = (int64_t)list_len(o), seen = 0;
	struct list_pos pos = list_at(o, back ? -1 : 0);
	size_t found = 0;

	for (; list_pos_ok(&pos) && (opt->maxlen == 0 || seen < opt->maxlen); seen++) {
		if (list_eq(&pos, what->ptr, what->len) && (rank <= 1 || --rank == 0)) {
			reply_int(c, back ? len - 1 - seen : seen);
			found++;
			if (opt->count == -1 || (opt->count && found == (size_t)opt->count))
				break;
		}
		if (back)
			list_prev(&pos);
		else
			list_next(&pos);
	}
	return found;
}

void list_cmd_lpos(struct client *c)
{
	struct lpos opt = {.rank = 1, .count = -1};
	struct coll list;
	size_t found;

	if (!lpos_options(c, &opt) || !coll_read(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (opt.count == -1) {
		if (!list.e || lpos_search(c, &list.obj, &opt) == 0)
			reply_null(c);
		return;
	}
	if (!list.e) {
		reply_array(c, 0);
		return;
	}
	reply_defer_begin(c);
	found = lpos_search(c, &list.obj, &opt);
	reply_defer_end_array(c, found);
}
