/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: changes in the middle.
 */
#include "app/commands/list_cmds.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"

void list_cmd_lset(struct client *c)
{
	const struct slice *value = &c->argv[3];
	struct list_pos pos;
	struct coll list;
	int64_t index;

	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		reply_err(c, REPLY_NO_KEY);
		return;
	}
	if (!arg_int_reply(c, &c->argv[2], &index))
		return;
	coll_edit(c, &list);
	pos = list_at(&list.obj, index);
	if (!list_pos_ok(&pos)) {
		reply_err(c, REPLY_OUT_OF_RANGE);
		return;
	}
	if (!list_replace(&list.obj, &pos, value->ptr, value->len,
		    coll_limits(c).list_max_listpack_size)) {
		coll_close(c, &list, true);
		key_no_memory(c, false);
		return;
	}
	coll_close(c, &list, false);
	cmd_notify(c, NOTIFY_LIST, "lset", &c->argv[1]);
	cmd_dirty(c, 1);
	reply_ok(c);
}

void list_cmd_linsert(struct client *c)
{
	const struct slice *pivot = &c->argv[3], *value = &c->argv[4];
	bool before = arg_is(&c->argv[2], "before");
	struct list_pos pos;
	struct coll list;

	if (!before && !arg_is(&c->argv[2], "after")) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		reply_int(c, 0);
		return;
	}
	pos = list_at(&list.obj, 0);
	while (list_pos_ok(&pos) && !list_eq(&pos, pivot->ptr, pivot->len))
		list_next(&pos);
	if (!list_pos_ok(&pos)) {
		reply_int(c, -1);
		return;
	}
	coll_edit(c, &list);
	bool done = list_insert(&list.obj, &pos, before, value->ptr, value->len,
		coll_limits(c).list_max_listpack_size);

	coll_close(c, &list, true);
	if (!done) {
		key_no_memory(c, false);
		return;
	}
	cmd_notify(c, NOTIFY_LIST, "linsert", &c->argv[1]);
	cmd_dirty(c, 1);
	reply_int(c, (int64_t)list_len(&list.obj));
}

void list_cmd_lrem(struct client *c)
{
	const struct slice *what = &c->argv[3];
	struct list_pos pos;
	struct coll list;
	int64_t count;
	uint64_t max, gone = 0;
	bool back;

	if (!arg_int_reply(c, &c->argv[2], &count))
		return;
	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		reply_int(c, 0);
		return;
	}
	back = count < 0;
	max = back ? 0 - (uint64_t)count : (uint64_t)count;
	coll_edit(c, &list);
	pos = list_at(&list.obj, back ? -1 : 0);
	while (list_pos_ok(&pos) && (max == 0 || gone < max)) {
		if (list_eq(&pos, what->ptr, what->len)) {
			list_delete(&list.obj, &pos, back ? LIST_LEFT : LIST_RIGHT);
			gone++;
		} else if (back) {
			list_prev(&pos);
		} else {
			list_next(&pos);
		}
	}
	if (gone) {
		cmd_notify(c, NOTIFY_LIST, "lrem", &c->argv[1]);
		cmd_dirty(c, gone);
	}
	coll_close(c, &list, true);
	reply_int(c, (int64_t)gone);
}

void list_cmd_ltrim(struct client *c)
{
	int64_t start, end, len;
	struct coll list;

	if (!arg_int_reply(c, &c->argv[2], &start) || !arg_int_reply(c, &c->argv[3], &end))
		return;
	if (!coll_open(c, &c->argv[1], OBJ_LIST, &list))
		return;
	if (!list.e) {
		reply_ok(c);
		return;
	}
	len = (int64_t)list_len(&list.obj);
	start = start < 0 ? (start + len > 0 ? start + len : 0) : start;
	end = end < 0 ? end + len : (end < len ? end : len - 1);
	if (start > end || start >= len) { /* nothing stays */
		start = len;
		end = len - 1;
	}
	coll_edit(c, &list);
	list_delete_range(&list.obj, end + 1, (size_t)(len - 1 - end));
	list_delete_range(&list.obj, 0, (size_t)start);
	size_t gone = (size_t)len - list_len(&list.obj);

	cmd_notify(c, NOTIFY_LIST, "ltrim", &c->argv[1]);
	coll_close(c, &list, true);
	if (gone)
		cmd_dirty(c, gone);
	reply_ok(c);
}
