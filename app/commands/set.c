/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: the commands on one set, and SMOVE.
 */
#include "app/keyspace/types/set.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"
#include "app/commands/set_cmds.h"

/* --- changing --------------------------------------------------------------------------------- */

/* Adds the members in argv one by one; returns where it has stopped, for want of memory. */
static uint32_t add_members(struct client *c, struct coll *s, uint64_t *nr_added)
{
	struct obj_limits lim = coll_limits(c);
	uint32_t i;

	for (i = 2; i < c->argc; i++) {
		enum set_added added = set_add(&s->obj, c->argv[i].ptr, c->argv[i].len, &lim);

		if (added == SET_NO_MEMORY)
			break;
		*nr_added += added == SET_ADDED;
	}
	return i;
}

void set_cmd_sadd(struct client *c)
{
	uint64_t nr_added = 0;
	struct coll s;
	uint32_t end = 2;

	if (!coll_open(c, &c->argv[1], OBJ_SET, &s))
		return;
	if (coll_edit(c, &s) || set_create(&s.obj, &c->argv[2]))
		end = add_members(c, &s, &nr_added);
	if (end == 2) {
		coll_close(c, &s, false);
		key_no_memory(c, false);
		return;
	}
	if (!coll_close(c, &s, false))
		return;
	if (nr_added) {
		cmd_dirty(c, nr_added);
		cmd_notify(c, NOTIFY_SET, "sadd", &c->argv[1]);
	}
	if (end == c->argc) {
		reply_int(c, (int64_t)nr_added);
		return;
	}
	prop_replace(c, (int)end, c->argv);
	key_no_memory(c, false);
}

void set_cmd_srem(struct client *c)
{
	int64_t nr = 0;
	struct coll s;

	if (!coll_open(c, &c->argv[1], OBJ_SET, &s))
		return;
	if (coll_edit(c, &s)) {
		for (uint32_t i = 2; i < c->argc && set_count(&s.obj) > 0; i++)
			nr += set_remove(&s.obj, c->argv[i].ptr, c->argv[i].len);
		if (nr) {
			cmd_dirty(c, (uint64_t)nr);
			cmd_notify(c, NOTIFY_SET, "srem", &c->argv[1]);
		}
		coll_close(c, &s, false);
	}
	reply_int(c, nr);
}

/* Adds a member of the source to the destination. False: out of memory, which has been replied. */
static bool move_to(struct client *c, struct coll *to, const struct slice *member, bool *added)
{
	struct obj_limits lim = coll_limits(c);
	enum set_added result = SET_NO_MEMORY;

	*added = false;
	if (to->e && set_has(&to->obj, member->ptr, member->len))
		return true; /* it does not change: who watches it is not told */
	if (coll_edit(c, to) || set_create(&to->obj, member))
		result = set_add(&to->obj, member->ptr, member->len, &lim);
	*added = result == SET_ADDED;
	if (result != SET_NO_MEMORY)
		return coll_close(c, to, false);
	coll_close(c, to, false);
	key_no_memory(c, false);
	return false;
}

static void move_member(
	struct client *c, struct coll *from, struct coll *to, const struct slice *member)
{
	bool added;

	/* first what may fail */
	if (!move_to(c, to, member, &added))
		return;
	coll_edit(c, from);
	set_remove(&from->obj, member->ptr, member->len);
	cmd_notify(c, NOTIFY_SET, "srem", from->key);
	coll_close(c, from, false);
	if (added)
		cmd_notify(c, NOTIFY_SET, "sadd", to->key);
	cmd_dirty(c, 1 + added);
	reply_int(c, 1);
}

void set_cmd_smove(struct client *c)
{
	const struct slice *member = &c->argv[3];
	bool typed, there;
	struct coll from, to;

	typed = coll_open(c, &c->argv[1], OBJ_SET, &from);
	if (!typed || !from.e) {
		lookup_write(c, &c->argv[2]); /* one that is over goes nevertheless, as in Redis */
		if (typed)
			reply_int(c, 0);
		return;
	}
	if (!coll_open(c, &c->argv[2], OBJ_SET, &to))
		return;
	there = set_has(&from.obj, member->ptr, member->len);
	if (!there || from.e == to.e)
		reply_int(c, there);
	else
		move_member(c, &from, &to, member);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_set(struct client *c, struct coll *s)
{
	return coll_read(c, &c->argv[1], OBJ_SET, s);
}

static bool is_member(const struct coll *s, const struct slice *member)
{
	return s->obj.ptr && set_has(&s->obj, member->ptr, member->len);
}

void set_cmd_scard(struct client *c)
{
	struct coll s;

	if (read_set(c, &s))
		reply_int(c, s.obj.ptr ? (int64_t)set_count(&s.obj) : 0);
}

void set_cmd_sismember(struct client *c)
{
	struct coll s;

	if (read_set(c, &s))
		reply_int(c, is_member(&s, &c->argv[2]));
}

void set_cmd_smismember(struct client *c)
{
	struct coll s;

	if (!read_set(c, &s))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++)
		reply_int(c, is_member(&s, &c->argv[i]));
}

void set_cmd_smembers(struct client *c)
{
	struct coll s;

	if (!read_set(c, &s))
		return;
	if (s.obj.ptr)
		set_reply_all(c, &s.obj);
	else
		reply_set(c, 0);
}

void set_reply_all(struct client *c, const struct obj *o)
{
	struct set_iter it = set_iter(o);

	reply_set(c, set_count(o));
	for (struct lp_val member; set_next(&it, &member);)
		coll_reply(c, &member);
}

static bool scan_member(void *ctx, const struct lp_val *member)
{
	coll_scan_visit(ctx, member, NULL);
	return true;
}

static uint64_t scan_step(struct coll_scan *scan, const struct obj *o, uint64_t cursor)
{
	return set_scan(o, cursor, scan_member, scan);
}

void set_cmd_sscan(struct client *c)
{
	coll_scan(c, OBJ_SET, scan_step);
}
