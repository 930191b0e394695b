/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: taking elements from the first list that has some, and from one list to another.
 */
#include "app/commands/list_cmds.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool list_side_arg(struct client *c, const struct slice *arg, enum list_side *side)
{
	*side = arg_is(arg, "left") ? LIST_LEFT : LIST_RIGHT;
	if (*side == LIST_LEFT || arg_is(arg, "right"))
		return true;
	reply_err(c, REPLY_SYNTAX);
	return false;
}

/* The first of the keys that holds a list. */
static enum list_result open_first(
	struct client *c, const struct slice *keys, uint32_t nr_keys, struct coll *list)
{
	for (uint32_t i = 0; i < nr_keys; i++) {
		if (!coll_open(c, &keys[i], OBJ_LIST, list))
			return LIST_FAILED;
		if (list->e)
			return LIST_DONE;
	}
	return LIST_NOTHING;
}

/* Replies an element and removes it; pos is at the next one then, away from the side. */
static void take(struct client *c, struct coll *list, struct list_pos *pos, enum list_side side)
{
	char buf[KS_INT_STR_MAX];
	struct slice text = list_text(pos, buf);

	reply_bulk(c, text.ptr, text.len);
	list_delete(&list->obj, pos, side == LIST_LEFT ? LIST_RIGHT : LIST_LEFT);
}

static void log_pop(struct client *c, const struct slice *key, enum list_side side, size_t count)
{
	char num[KS_INT_STR_MAX];
	struct slice argv[3] = {slice_str(side == LIST_LEFT ? "LPOP" : "RPOP"), *key, {num, 0}};

	argv[2].len = (size_t)snprintf(num, sizeof(num), "%zu", count);
	prop_replace(c, count ? 3 : 2, argv);
}

static void notify_pop(struct client *c, const struct slice *key, enum list_side side)
{
	cmd_notify(c, NOTIFY_LIST, side == LIST_LEFT ? "lpop" : "rpop", key);
}

static void notify_push(struct client *c, const struct slice *key, enum list_side side)
{
	cmd_notify(c, NOTIFY_LIST, side == LIST_LEFT ? "lpush" : "rpush", key);
}

static struct list_pos end_of(const struct obj *o, enum list_side side)
{
	return list_at(o, side == LIST_LEFT ? 0 : -1);
}

enum list_result list_pop_first(
	struct client *c, const struct slice *keys, uint32_t nr_keys, enum list_side side)
{
	struct coll list;
	enum list_result rc = open_first(c, keys, nr_keys, &list);
	struct list_pos pos;

	if (rc != LIST_DONE)
		return rc;
	coll_edit(c, &list);
	pos = end_of(&list.obj, side);
	reply_array(c, 2);
	reply_bulk(c, list.key->ptr, list.key->len);
	take(c, &list, &pos, side);
	log_pop(c, list.key, side, 0);
	notify_pop(c, list.key, side);
	coll_close(c, &list, true);
	cmd_dirty(c, 1);
	return LIST_DONE;
}

enum list_result list_mpop(struct client *c, const struct slice *keys, uint32_t nr_keys,
	enum list_side side, size_t count)
{
	struct coll list;
	enum list_result rc = open_first(c, keys, nr_keys, &list);
	struct list_pos pos;
	size_t nr;

	if (rc != LIST_DONE)
		return rc;
	coll_edit(c, &list);
	nr = list_len(&list.obj) < count ? list_len(&list.obj) : count;
	reply_array(c, 2);
	reply_bulk(c, list.key->ptr, list.key->len);
	reply_array(c, nr);
	pos = end_of(&list.obj, side);
	for (size_t i = 0; i < nr; i++)
		take(c, &list, &pos, side);
	log_pop(c, list.key, side, nr);
	notify_pop(c, list.key, side);
	coll_close(c, &list, true);
	cmd_dirty(c, nr);
	return LIST_DONE;
}

bool list_mpop_args(struct client *c, uint32_t at, struct list_mpop_args *out)
{
	int64_t nr_keys, count = 1;
	uint32_t where;

	if (!arg_int_range_reply(
		    c, &c->argv[at], 1, LONG_MAX, &nr_keys, "ERR numkeys should be greater than 0"))
		return false;
	if (nr_keys >= (int64_t)(c->argc - at - 1)) {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	where = at + 1 + (uint32_t)nr_keys;
	if (!list_side_arg(c, &c->argv[where], &out->side))
		return false;
	if (where + 1 < c->argc) {
		bool counted = where + 2 < c->argc && arg_is(&c->argv[where + 1], "count");

		if (!counted) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
		if (!arg_int_range_reply(c, &c->argv[where + 2], 1, LONG_MAX, &count,
			    "ERR count should be greater than 0"))
			return false;
		if (where + 3 < c->argc) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	out->keys = &c->argv[at + 1];
	out->nr_keys = (uint32_t)nr_keys;
	out->count = (size_t)count;
	return true;
}

void list_cmd_lmpop(struct client *c)
{
	struct list_mpop_args args;

	if (list_mpop_args(c, 1, &args) &&
		list_mpop(c, args.keys, args.nr_keys, args.side, args.count) == LIST_NOTHING)
		reply_null_array(c);
}

static bool same_key(const struct slice *a, const struct slice *b)
{
	return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
}

/* Takes the element at the end of a list to one of its ends. False: no memory. */
static bool rotate(struct client *c, struct coll *list, enum list_side from, enum list_side to)
{
	struct list_pos pos = end_of(&list->obj, from);
	char buf[KS_INT_STR_MAX];
	struct slice text = list_text(&pos, buf);
	void *copy;
	bool ok;

	if (from == to) {
		reply_bulk(c, text.ptr, text.len);
		return true;
	}
	copy = malloc(text.len + 1); /* the list moves under the push */
	if (!copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	ok = list_push(&list->obj, to, copy, text.len, coll_limits(c).list_max_listpack_size);
	if (ok) {
		reply_bulk(c, copy, text.len);
		pos = end_of(&list->obj, from);
		list_delete(&list->obj, &pos, LIST_RIGHT);
	}
	free(copy);
	return ok;
}

static enum list_result move_within(
	struct client *c, struct coll *list, enum list_side from, enum list_side to)
{
	bool ok;

	coll_edit(c, list);
	ok = rotate(c, list, from, to);
	coll_close(c, list, true);
	if (!ok) {
		key_no_memory(c, false);
		return LIST_FAILED;
	}
	notify_push(c, list->key, to);
	notify_pop(c, list->key, from);
	cmd_dirty(c, 1);
	return LIST_DONE;
}

enum list_result list_move(struct client *c, const struct slice *src, const struct slice *dst,
	enum list_side from, enum list_side to)
{
	int fill = coll_limits(c).list_max_listpack_size;
	char buf[KS_INT_STR_MAX];
	struct coll a, b;
	struct list_pos pos;
	struct slice text;

	if (!coll_open(c, src, OBJ_LIST, &a))
		return LIST_FAILED;
	if (!a.e)
		return LIST_NOTHING;
	if (same_key(src, dst))
		return move_within(c, &a, from, to);
	if (!coll_open(c, dst, OBJ_LIST, &b))
		return LIST_FAILED;
	pos = end_of(&a.obj, from);
	text = list_text(&pos, buf);
	if ((!coll_edit(c, &b) && !list_make(&b.obj)) ||
		!list_push(&b.obj, to, text.ptr, text.len, fill)) {
		coll_close(c, &b, true);
		key_no_memory(c, false);
		return LIST_FAILED;
	}
	if (!coll_close(c, &b, false))
		return LIST_FAILED;
	notify_push(c, dst, to);
	coll_edit(c, &a);
	pos = end_of(&a.obj, from);
	take(c, &a, &pos, from);
	notify_pop(c, src, from);
	coll_close(c, &a, true);
	cmd_dirty(c, 1);
	return LIST_DONE;
}

void list_cmd_lmove(struct client *c)
{
	enum list_side from, to;

	if (list_side_arg(c, &c->argv[3], &from) && list_side_arg(c, &c->argv[4], &to) &&
		list_move(c, &c->argv[1], &c->argv[2], from, to) == LIST_NOTHING)
		reply_null(c);
}

void list_cmd_rpoplpush(struct client *c)
{
	if (list_move(c, &c->argv[1], &c->argv[2], LIST_RIGHT, LIST_LEFT) == LIST_NOTHING)
		reply_null(c);
}
