/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: taking members off their ends.
 */
#include "app/commands/zset_cmds.h"

#include "app/keyspace/entry.h"

static void pop_header(
	struct client *c, const struct slice *key, uint64_t nr, enum zset_pop_form form)
{
	switch (form) {
	case ZSET_POP_FLAT: reply_array(c, nr * 2); break;
	case ZSET_POP_PAIRS: reply_array(c, nr); break;
	case ZSET_POP_KEY_FLAT:
		reply_array(c, nr * 2 + 1);
		reply_bulk(c, key->ptr, key->len);
		break;
	case ZSET_POP_KEY_PAIRS:
		reply_array(c, 2);
		reply_bulk(c, key->ptr, key->len);
		reply_array(c, nr);
		break;
	}
}

static void pop_log(struct client *c, const struct slice *key, enum zset_end end, uint64_t nr,
	enum zset_pop_form form)
{
	char text[KS_INT_STR_MAX];
	struct slice argv[3] = {slice_str(end == ZSET_MAX ? "ZPOPMAX" : "ZPOPMIN"), *key,
		{text, int_to_str((int64_t)nr, text)}};

	if (form == ZSET_POP_KEY_FLAT)
		prop_replace(c, 2, argv);
	else if (form == ZSET_POP_KEY_PAIRS)
		prop_replace(c, 3, argv);
	cmd_dirty(c, nr);
	cmd_notify(c, NOTIFY_ZSET, end == ZSET_MAX ? "zpopmax" : "zpopmin", key);
}

void zset_pop(struct client *c, struct coll *set, enum zset_end end, uint64_t count,
	enum zset_pop_form form)
{
	bool pairs = form == ZSET_POP_PAIRS || form == ZSET_POP_KEY_PAIRS;
	uint64_t all = zset_count(&set->obj), nr = count < all ? count : all;
	struct zset_pos pos;

	pop_header(c, set->key, nr, form);
	bool more = end == ZSET_MAX ? zset_last(&set->obj, &pos) : zset_seek(&set->obj, 0, &pos);

	for (uint64_t i = 0; i < nr && more; i++) {
		if (pairs)
			reply_array(c, 2);
		reply_bulk(c, pos.member.ptr, pos.member.len);
		reply_double(c, pos.score);
		more = end == ZSET_MAX ? zset_prev(&pos) : zset_next(&pos);
	}
	coll_edit(c, set);
	zset_remove_ranks(&set->obj, end == ZSET_MAX ? all - nr : 0, nr);
	pop_log(c, set->key, end, nr, form);
	coll_close(c, set, true);
}

enum zset_found zset_open_first(
	struct client *c, const struct slice *keys, uint32_t nr, struct coll *set)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (!coll_open(c, &keys[i], OBJ_ZSET, set))
			return ZSET_WRONG;
		if (set->e)
			return ZSET_FOUND;
	}
	return ZSET_NONE;
}

static void pop_command(struct client *c, enum zset_end end)
{
	enum zset_pop_form form = ZSET_POP_FLAT;
	int64_t count = 1;
	struct coll set;

	if (c->argc > 3) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc == 3) {
		if (!arg_int_range_reply(c, &c->argv[2], 0, INT64_MAX, &count,
			    "ERR value is out of range, must be positive"))
			return;
		form = c->resp > 2 ? ZSET_POP_PAIRS : ZSET_POP_FLAT;
	}
	if (!coll_open(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	if (!set.e || count == 0)
		reply_array(c, 0);
	else
		zset_pop(c, &set, end, (uint64_t)count, form);
}

void zset_cmd_zpopmin(struct client *c)
{
	pop_command(c, ZSET_MIN);
}

void zset_cmd_zpopmax(struct client *c)
{
	pop_command(c, ZSET_MAX);
}

bool zset_mpop_args(struct client *c, uint32_t at, struct zset_mpop *out)
{
	int64_t nr, count = 1;
	uint32_t i;

	if (!arg_int_range_reply(
		    c, &c->argv[at], 1, INT64_MAX, &nr, "ERR numkeys should be greater than 0"))
		return false;
	if (nr >= (int64_t)(c->argc - at) - 1)
		goto syntax;
	i = at + 1 + (uint32_t)nr;
	if (!arg_is(&c->argv[i], "min") && !arg_is(&c->argv[i], "max"))
		goto syntax;
	out->end = arg_is(&c->argv[i], "max") ? ZSET_MAX : ZSET_MIN;
	if (++i < c->argc) {
		if (c->argc - i < 2 || !arg_is(&c->argv[i], "count"))
			goto syntax;
		if (!arg_int_range_reply(c, &c->argv[i + 1], 1, INT64_MAX, &count,
			    "ERR count should be greater than 0"))
			return false;
		if (c->argc - i > 2)
			goto syntax;
	}
	out->keys = &c->argv[at + 1];
	out->nr_keys = (uint32_t)nr;
	out->count = (uint64_t)count;
	return true;
syntax:
	reply_err(c, REPLY_SYNTAX);
	return false;
}

void zset_cmd_zmpop(struct client *c)
{
	struct zset_mpop args;
	struct coll set;

	if (!zset_mpop_args(c, 1, &args))
		return;
	switch (zset_open_first(c, args.keys, args.nr_keys, &set)) {
	case ZSET_FOUND: zset_pop(c, &set, args.end, args.count, ZSET_POP_KEY_PAIRS); break;
	case ZSET_NONE: reply_null_array(c); break;
	case ZSET_WRONG: break;
	}
}
