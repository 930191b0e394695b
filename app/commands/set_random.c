/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: random members, to look at (SRANDMEMBER) and to take away (SPOP).
 */
#include "app/keyspace/types/set.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"
#include "app/commands/set_cmds.h"

#include <stdlib.h>

/* Bytes of a SREM in the log beyond key and member. */
#define SREM_OVERHEAD 64
/* When so many times what remains is no more than what goes, Redis makes a new set of it, which may
 * be an intset again. */
#define SPOP_REMAKE 5

/* --- SRANDMEMBER ------------------------------------------------------------------------------ */

static bool reply_random(void *ctx, const struct lp_val *member)
{
	struct client *c = ctx;

	coll_reply(c, member);
	return !(c->flags & CLIENT_ASAP);
}

static void random_members(struct client *c, const struct obj *o, int64_t count)
{
	bool distinct = count >= 0;
	size_t nr = distinct ? (size_t)count : 0 - (size_t)count;

	if (distinct && nr > set_count(o))
		nr = set_count(o);
	if (!distinct && nr > COLL_RANDOM_MAX) {
		reply_err(c, "ERR value is out of range");
		return;
	}
	reply_array(c, nr);
	if (!set_sample(o, nr, distinct, reply_random, c))
		key_no_memory(c, true);
}

static bool random_count(struct client *c, int64_t *count)
{
	if (!arg_int_reply(c, &c->argv[2], count))
		return false;
	if (*count != INT64_MIN)
		return true;
	reply_errf(c, "ERR value is out of range, value must between %lld and %lld",
		-(long long)INT64_MAX, (long long)INT64_MAX);
	return false;
}

void set_cmd_srandmember(struct client *c)
{
	bool one = c->argc == 2;
	int64_t count = 0;
	struct coll s;

	if (c->argc > 3) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if ((!one && !random_count(c, &count)) || !coll_read(c, &c->argv[1], OBJ_SET, &s))
		return;
	if (!s.obj.ptr && one) {
		reply_null(c);
	} else if (!s.obj.ptr) {
		reply_array(c, 0);
	} else if (one) {
		struct lp_val member = set_random(&s.obj);

		coll_reply(c, &member);
	} else {
		random_members(c, &s.obj, count);
	}
}

/* --- SPOP ------------------------------------------------------------------------------------- */

/* Members that are to go; they lie in the set. */
struct picks {
	struct lp_val *members; /* owned */
	size_t nr;
	size_t log_bytes; /* that removing them takes in the log, without the key's name */
};

static size_t log_bytes(const struct lp_val *member)
{
	return SREM_OVERHEAD + (member->str ? member->len : KS_INT_STR_MAX);
}

static bool pick(void *ctx, const struct lp_val *member)
{
	struct picks *p = ctx;

	p->members[p->nr++] = *member;
	p->log_bytes += log_bytes(member);
	return true;
}

static struct slice val_text(const struct lp_val *val, char num[KS_INT_STR_MAX])
{
	if (val->str)
		return (struct slice){val->str, val->len};
	return (struct slice){num, int_to_str(val->num, num)};
}

static void pop_one(struct client *c, struct coll *s)
{
	struct lp_val member = set_random(&s->obj);
	char num[KS_INT_STR_MAX];
	struct slice argv[3] = {slice_str("SREM"), c->argv[1], val_text(&member, num)};

	if (!prop_admit(c, log_bytes(&member) + c->argv[1].len))
		return;
	coll_edit(c, s);
	prop_replace(c, 3, argv);
	coll_reply(c, &member);
	set_remove_val(&s->obj, &member);
	cmd_notify(c, NOTIFY_SET, "spop", &c->argv[1]);
	coll_close(c, s, true);
	cmd_dirty(c, 1);
}

/* All members go: the key is deleted. */
static void pop_all(struct client *c, struct coll *s)
{
	struct slice argv[2] = {slice_str("DEL"), c->argv[1]};

	set_reply_all(c, &s->obj);
	prop_replace(c, 2, argv);
	cmd_dirty(c, set_count(&s->obj));
	cmd_notify(c, NOTIFY_SET, "spop", &c->argv[1]);
	cmd_delete(c, s->e, s->db);
	cmd_notify(c, NOTIFY_GENERIC, "del", &c->argv[1]);
}

static void pop_picks(struct client *c, struct coll *s, const struct picks *p)
{
	char num[KS_INT_STR_MAX];
	struct slice argv[3] = {slice_str("SREM"), c->argv[1]};
	struct obj_limits lim = coll_limits(c);

	coll_edit(c, s);
	reply_set(c, p->nr);
	prop_none(c);
	for (size_t i = 0; i < p->nr; i++) {
		argv[2] = val_text(&p->members[i], num);
		prop_also(c, 3, argv);
		coll_reply(c, &p->members[i]);
		set_remove_val(&s->obj, &p->members[i]);
	}
	if (set_count(&s->obj) <= p->nr / SPOP_REMAKE)
		set_settle(&s->obj, &lim);
	cmd_notify(c, NOTIFY_SET, "spop", &c->argv[1]);
	coll_close(c, s, true);
	cmd_dirty(c, p->nr);
}

/* Some members go, but not all. */
static void pop_some(struct client *c, struct coll *s, size_t nr)
{
	struct picks p = {.members = malloc(nr * sizeof(*p.members))};

	if (!p.members || !set_sample(&s->obj, nr, true, pick, &p))
		key_no_memory(c, false);
	else if (prop_admit(c, p.log_bytes + p.nr * c->argv[1].len))
		pop_picks(c, s, &p);
	free(p.members);
}

static void pop_count(struct client *c)
{
	struct coll s;
	int64_t count;

	if (!arg_int_range_reply(c, &c->argv[2], 0, INT64_MAX, &count,
		    "ERR value is out of range, must be positive"))
		return;
	if (!coll_open(c, &c->argv[1], OBJ_SET, &s))
		return;
	if (!s.obj.ptr || count == 0)
		reply_set(c, 0);
	else if ((uint64_t)count >= set_count(&s.obj))
		pop_all(c, &s);
	else
		pop_some(c, &s, (size_t)count);
}

void set_cmd_spop(struct client *c)
{
	struct coll s;

	if (c->argc > 3) {
		reply_err(c, REPLY_SYNTAX);
	} else if (c->argc == 3) {
		pop_count(c);
	} else if (coll_open(c, &c->argv[1], OBJ_SET, &s)) {
		if (s.obj.ptr)
			pop_one(c, &s);
		else
			reply_null(c);
	}
}
