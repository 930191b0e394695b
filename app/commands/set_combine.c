/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: intersections, unions and differences, as a reply, as a number, or stored.
 *
 * The ways are those of Redis, because they decide over the encoding of what is stored: a result
 * that ever held a member which is no integer stays a dict.
 */
#include "app/keyspace/types/set.h"

#include "app/commands/collection.h"
#include "app/commands/keys.h"
#include "app/commands/set_cmds.h"

#include <stdlib.h>

/* The sets of a command. */
struct sources {
	struct obj *sets; /* owned; ptr NULL: no such key */
	size_t nr;
	bool any_empty;
	bool first_again; /* the first is among the others */
};

/* False: an error has been replied. */
static bool read_sources(struct client *c, const struct slice *keys, size_t nr, struct sources *src)
{
	struct coll s;

	*src = (struct sources){.sets = malloc(nr * sizeof(*src->sets)), .nr = nr};
	if (!src->sets) {
		key_no_memory(c, false);
		return false;
	}
	for (size_t i = 0; i < nr; i++) {
		if (!coll_read(c, &keys[i], OBJ_SET, &s)) {
			free(src->sets);
			return false;
		}
		src->sets[i] = s.obj;
		src->any_empty |= !s.obj.ptr;
		src->first_again |= i > 0 && s.obj.ptr && s.obj.ptr == src->sets[0].ptr;
	}
	return true;
}

static size_t count_of(const struct obj *o)
{
	return o->ptr ? set_count(o) : 0;
}

static int by_count(const void *a, const void *b)
{
	size_t x = count_of(a), y = count_of(b);

	return (x > y) - (x < y);
}

static int by_count_down(const void *a, const void *b)
{
	return by_count(b, a);
}

/* --- where members go ------------------------------------------------------------------------- */

enum target {
	TO_REPLY,
	TO_COUNT,
	TO_SET,
};

struct sink {
	struct client *c;
	enum target target;
	struct obj_limits lim;
	uint64_t max; /* TO_COUNT: no more are counted */
	uint64_t nr;
	struct obj set; /* TO_SET: owned */
	bool failed;    /* no memory */
};

static bool sink_init(struct sink *s, struct client *c, enum target target)
{
	*s = (struct sink){.c = c, .target = target, .lim = coll_limits(c), .max = UINT64_MAX};
	if (target == TO_SET && !set_create(&s->set, NULL)) {
		key_no_memory(c, false);
		return false;
	}
	if (target == TO_REPLY)
		reply_defer_begin(c);
	return true;
}

/* False: no more are wanted. */
static bool sink_put(struct sink *s, const struct lp_val *member)
{
	if (s->target == TO_SET)
		s->failed = set_add_val(&s->set, member, &s->lim) == SET_NO_MEMORY;
	else if (s->target == TO_REPLY)
		coll_reply(s->c, member);
	return !s->failed && ++s->nr < s->max;
}

/* Replies what has been found. A set of TO_SET is left to the caller. */
static void sink_reply(struct sink *s)
{
	if (s->target == TO_REPLY)
		reply_defer_end_set(s->c, s->nr);
	else if (s->target == TO_COUNT)
		reply_int(s->c, (int64_t)s->nr);
	else
		set_reply_all(s->c, &s->set);
}

/* Puts the set (taken) into the key argv[1], or removes that when there is nothing in it. */
static void sink_store(struct sink *s, const char *event)
{
	struct client *c = s->c;
	const struct slice *key = &c->argv[1];
	size_t nr = set_count(&s->set);

	if (s->failed) {
		set_ops.free(&s->set);
		key_no_memory(c, false);
		return;
	}
	if (nr > 0) {
		if (!coll_store(c, key, &s->set, false))
			return;
		cmd_notify(c, NOTIFY_SET, event, key);
		cmd_dirty(c, 1);
	} else {
		set_ops.free(&s->set);
		if (key_clear(c, c->db, key)) {
			cmd_notify(c, NOTIFY_GENERIC, "del", key);
			cmd_dirty(c, 1);
		}
	}
	reply_int(c, (int64_t)nr);
}

/* --- intersections ---------------------------------------------------------------------------- */

static bool in_all(const struct sources *src, const struct lp_val *member)
{
	for (size_t i = 1; i < src->nr; i++) {
		if (src->sets[i].ptr != src->sets[0].ptr && !set_has_val(&src->sets[i], member))
			return false;
	}
	return true;
}

/* Goes through the smallest. */
static void intersect(struct sources *src, struct sink *to)
{
	bool more = true;

	if (src->any_empty)
		return;
	qsort(src->sets, src->nr, sizeof(*src->sets), by_count);
	struct set_iter it = set_iter(&src->sets[0]);

	for (struct lp_val member; more && set_next(&it, &member);)
		if (in_all(src, &member))
			more = sink_put(to, &member);
	set_iter_fini(&it);
}

void set_cmd_sinter(struct client *c)
{
	struct sources src;
	struct sink to;

	if (!read_sources(c, &c->argv[1], c->argc - 1, &src))
		return;
	if (sink_init(&to, c, TO_REPLY)) {
		intersect(&src, &to);
		sink_reply(&to);
	}
	free(src.sets);
}

void set_cmd_sinterstore(struct client *c)
{
	struct sources src;
	struct sink to;

	if (!read_sources(c, &c->argv[2], c->argc - 2, &src))
		return;
	if (sink_init(&to, c, TO_SET)) {
		intersect(&src, &to);
		sink_store(&to, "sinterstore");
	}
	free(src.sets);
}

int set_keys_sintercard(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	int64_t nr;

	if (!arg_int(&argv[1], &nr) || nr < 1 || nr > argc - 2)
		return -1;
	for (uint32_t i = 0; i < nr && i < max; i++)
		pos[i] = 2 + i;
	return (int)nr;
}

/* The arguments behind the keys, of which there are nr. */
static bool sintercard_limit(struct client *c, int64_t nr, int64_t *limit)
{
	for (int64_t i = 2 + nr; i < c->argc; i += 2) {
		if (!arg_is(&c->argv[i], "limit") || i + 1 == c->argc) {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
		if (!arg_int_range_reply(
			    c, &c->argv[i + 1], 0, INT64_MAX, limit, "ERR LIMIT can't be negative"))
			return false;
	}
	return true;
}

void set_cmd_sintercard(struct client *c)
{
	int64_t nr, limit = 0;
	struct sources src;
	struct sink to;

	if (!arg_int_range_reply(
		    c, &c->argv[1], 1, INT64_MAX, &nr, "ERR numkeys should be greater than 0"))
		return;
	if (nr > c->argc - 2) {
		reply_err(c, "ERR Number of keys can't be greater than number of args");
		return;
	}
	if (!sintercard_limit(c, nr, &limit) || !read_sources(c, &c->argv[2], (size_t)nr, &src))
		return;
	if (sink_init(&to, c, TO_COUNT)) {
		if (limit)
			to.max = (uint64_t)limit;
		intersect(&src, &to);
		sink_reply(&to);
	}
	free(src.sets);
}

/* --- unions ----------------------------------------------------------------------------------- */

static void put_all(const struct obj *o, struct sink *to)
{
	struct set_iter it = set_iter(o);
	bool more = true;

	for (struct lp_val member; more && set_next(&it, &member);)
		more = sink_put(to, &member);
	set_iter_fini(&it);
}

static void unite(struct sources *src, struct sink *to)
{
	for (size_t i = 0; i < src->nr && !to->failed; i++)
		if (src->sets[i].ptr)
			put_all(&src->sets[i], to);
}

/* --- differences ------------------------------------------------------------------------------ */

static bool in_another(const struct sources *src, const struct lp_val *member)
{
	for (size_t i = 1; i < src->nr; i++)
		if (src->sets[i].ptr && set_has_val(&src->sets[i], member))
			return true;
	return false;
}

/* Looks for each member of the first in all others. */
static void subtract_by_members(struct sources *src, struct sink *to)
{
	struct set_iter it = set_iter(&src->sets[0]);
	bool more = true;

	if (src->nr > 1) /* larger ones are more likely to have it */
		qsort(src->sets + 1, src->nr - 1, sizeof(*src->sets), by_count_down);
	for (struct lp_val member; more && set_next(&it, &member);)
		if (!in_another(src, &member))
			more = sink_put(to, &member);
	set_iter_fini(&it);
}

/* Takes the members of all others out of a copy of the first. */
static void subtract_by_sets(struct sources *src, struct sink *to)
{
	put_all(&src->sets[0], to);
	for (size_t i = 1; i < src->nr && !to->failed && set_count(&to->set) > 0; i++) {
		struct set_iter it;

		if (!src->sets[i].ptr)
			continue;
		it = set_iter(&src->sets[i]);
		for (struct lp_val member; set_next(&it, &member);)
			set_remove_val(&to->set, &member);
	}
}

/* Whether looking for each member of the first in all others is less work than going through all of
 * them, given that it ends early for members that it finds. */
static bool members_are_cheaper(const struct sources *src)
{
	uint64_t by_members = 0, by_sets = 0;

	for (size_t i = 0; i < src->nr; i++) {
		if (!src->sets[i].ptr)
			continue;
		by_members += set_count(&src->sets[0]);
		by_sets += set_count(&src->sets[i]);
	}
	return by_members / 2 <= by_sets;
}

static void subtract(struct sources *src, struct sink *to)
{
	if (!src->sets[0].ptr || src->first_again)
		return;
	if (members_are_cheaper(src))
		subtract_by_members(src, to);
	else
		subtract_by_sets(src, to);
}

/* --- their commands --------------------------------------------------------------------------- */

typedef void (*combine_fn)(struct sources *src, struct sink *to);

static void combine_reply(struct client *c, combine_fn combine)
{
	struct sources src;
	struct sink to;

	if (!read_sources(c, &c->argv[1], c->argc - 1, &src))
		return;
	if (sink_init(&to, c, TO_SET)) {
		combine(&src, &to);
		if (to.failed)
			key_no_memory(c, false);
		else
			sink_reply(&to);
		set_ops.free(&to.set);
	}
	free(src.sets);
}

static void combine_store(struct client *c, combine_fn combine, const char *event)
{
	struct sources src;
	struct sink to;

	if (!read_sources(c, &c->argv[2], c->argc - 2, &src))
		return;
	if (sink_init(&to, c, TO_SET)) {
		combine(&src, &to);
		sink_store(&to, event);
	}
	free(src.sets);
}

void set_cmd_sunion(struct client *c)
{
	combine_reply(c, unite);
}

void set_cmd_sunionstore(struct client *c)
{
	combine_store(c, unite, "sunionstore");
}

void set_cmd_sdiff(struct client *c)
{
	combine_reply(c, subtract);
}

void set_cmd_sdiffstore(struct client *c)
{
	combine_store(c, subtract, "sdiffstore");
}
