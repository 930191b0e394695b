/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: union, intersection and difference, of sets too, whose members count with score 1.
 *
 * Scores are added in the order in which Redis adds them (from the smallest set to the largest),
 * so that the sums have the same last digits.
 */
#include "app/commands/keys.h"
#include "app/commands/zset_cmds.h"
#include "app/keyspace/types/set.h"

#include <math.h>
#include <stdlib.h>

enum join_op {
	JOIN_UNION,
	JOIN_INTER,
	JOIN_DIFF,
};

enum aggregate {
	AGGREGATE_SUM,
	AGGREGATE_MIN,
	AGGREGATE_MAX,
};

struct source {
	struct obj obj; /* ptr NULL: no such key */
	double weight;
};

struct join {
	enum join_op op;
	enum aggregate aggregate;
	uint32_t at; /* argv[at] is the number of keys */
	bool store;
	bool card; /* only the number is asked for */
	bool scores;
	int64_t limit; /* of card; 0: none */
	uint32_t nr;
	struct source *src; /* owned */
	/* running */
	struct obj result;
	uint64_t count;
	const struct source *now; /* being walked */
	bool no_memory;
};

/* --- sources ---------------------------------------------------------------------------------- */

static uint64_t source_count(const struct source *s)
{
	return s->obj.ptr ? obj_ops(&s->obj)->count(&s->obj) : 0;
}

static bool source_find(const struct source *s, struct slice member, double *score)
{
	struct zset_ref ref;

	if (s->obj.ptr && s->obj.type == OBJ_SET) {
		*score = 1;
		return set_has(&s->obj, member.ptr, member.len);
	}
	if (!s->obj.ptr || !zset_find(&s->obj, member.ptr, member.len, &ref))
		return false;
	*score = ref.score;
	return true;
}

/* False: no more. */
typedef bool (*member_fn)(struct join *j, struct slice member, double score);

static void set_each(struct join *j, const struct obj *o, member_fn fn)
{
	struct set_iter it = set_iter(o);
	char num[KS_INT_STR_MAX];

	for (struct lp_val m; set_next(&it, &m);) {
		struct slice member = {m.str, m.len};

		if (!m.str)
			member = (struct slice){num, int_to_str(m.num, num)};
		if (fn(j, member, 1))
			continue;
		set_iter_fini(&it);
		return;
	}
}

/* From the end on: the results are then put in where they belong at once. */
static void source_each(struct join *j, const struct source *s, member_fn fn)
{
	struct zset_pos pos;

	j->now = s;
	if (!s->obj.ptr)
		return;
	if (s->obj.type == OBJ_SET) {
		set_each(j, &s->obj, fn);
		return;
	}
	for (bool more = zset_last(&s->obj, &pos); more; more = zset_prev(&pos)) {
		if (!fn(j, pos.member, pos.score))
			return;
	}
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = source_count(a), y = source_count(b);

	return (x > y) - (x < y);
}

static int by_count_down(const void *a, const void *b)
{
	return by_count(b, a);
}

/* --- the three operations --------------------------------------------------------------------- */

static double weighted(const struct source *s, double score)
{
	double value = s->weight * score;

	return isnan(value) ? 0 : value;
}

static double aggregate(const struct join *j, double sum, double value)
{
	switch (j->aggregate) {
	case AGGREGATE_MIN: return value < sum ? value : sum;
	case AGGREGATE_MAX: return value > sum ? value : sum;
	case AGGREGATE_SUM: break;
	}
	sum += value;
	return isnan(sum) ? 0 : sum;
}

static bool union_member(struct join *j, struct slice member, double score)
{
	double value = weighted(j->now, score);
	struct zset_ref ref;

	if (zset_find(&j->result, member.ptr, member.len, &ref))
		zset_loose_set(&ref, aggregate(j, ref.score, value));
	else if (!zset_loose_add(&j->result, member.ptr, member.len, value))
		j->no_memory = true;
	return !j->no_memory;
}

static void join_union(struct join *j)
{
	for (uint32_t i = 0; i < j->nr && !j->no_memory; i++)
		source_each(j, &j->src[i], union_member);
	zset_loose_end(&j->result);
}

static bool keep(struct join *j, struct slice member, double score)
{
	if (!zset_add(&j->result, member.ptr, member.len, score, NULL))
		j->no_memory = true;
	return !j->no_memory;
}

static bool inter_member(struct join *j, struct slice member, double score)
{
	double sum = weighted(j->now, score), value;

	for (uint32_t i = 1; i < j->nr; i++) {
		if (!source_find(&j->src[i], member, &value))
			return true;
		sum = aggregate(j, sum, value * j->src[i].weight);
	}
	if (!j->card)
		return keep(j, member, sum);
	j->count++;
	return j->limit == 0 || j->count < (uint64_t)j->limit;
}

static bool diff_member(struct join *j, struct slice member, double score)
{
	double value;

	for (uint32_t i = 1; i < j->nr; i++) {
		if (source_find(&j->src[i], member, &value))
			return true;
	}
	return keep(j, member, score);
}

static bool diff_take_out(struct join *j, struct slice member, double score)
{
	struct zset_ref ref;

	if (zset_find(&j->result, member.ptr, member.len, &ref))
		zset_remove(&j->result, &ref);
	return zset_count(&j->result) > 0;
}

/* Either every member of the first is looked for in the others, or theirs in a copy of it:
 * whichever is less work. */
static void join_diff(struct join *j)
{
	uint64_t look = 0, copy = 0;

	for (uint32_t i = 0; i < j->nr; i++) {
		if (i > 0 && j->src[i].obj.ptr == j->src[0].obj.ptr)
			return;
		look += source_count(&j->src[0]);
		copy += source_count(&j->src[i]);
	}
	if (look / 2 <= copy) {
		qsort(j->src + 1, j->nr - 1, sizeof(*j->src), by_count_down);
		source_each(j, &j->src[0], diff_member);
		return;
	}
	source_each(j, &j->src[0], keep);
	for (uint32_t i = 1; i < j->nr && !j->no_memory && zset_count(&j->result) > 0; i++)
		source_each(j, &j->src[i], diff_take_out);
}

static void run(struct join *j)
{
	if (j->op == JOIN_DIFF) {
		join_diff(j);
		return;
	}
	qsort(j->src, j->nr, sizeof(*j->src), by_count);
	if (j->op == JOIN_UNION)
		join_union(j);
	else
		source_each(j, &j->src[0], inter_member);
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool parse_keys(struct client *c, struct join *j)
{
	int64_t nr;

	if (!arg_int_reply(c, &c->argv[j->at], &nr))
		return false;
	if (nr < 1) {
		reply_errf(c, "ERR at least 1 input key is needed for '%s' command", c->cmd->name);
		return false;
	}
	if (nr > (int64_t)(c->argc - j->at) - 1) {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	j->nr = (uint32_t)nr;
	j->src = calloc(j->nr, sizeof(*j->src));
	if (!j->src) {
		key_no_memory(c, false);
		return false;
	}
	for (uint32_t i = 0; i < j->nr; i++) {
		struct entry *e = lookup_read(c, &c->argv[j->at + 1 + i]);

		j->src[i].weight = 1;
		if (!e)
			continue;
		if (entry_type(e) != OBJ_ZSET && entry_type(e) != OBJ_SET) {
			reply_err(c, REPLY_WRONGTYPE);
			return false;
		}
		j->src[i].obj = entry_obj(e);
	}
	return true;
}

/* Reads the weights behind argv[*i] and moves it to the last. */
static bool parse_weights(struct client *c, struct join *j, uint32_t *i)
{
	for (uint32_t k = 0; k < j->nr; k++) {
		if (!arg_double_reply(c, &c->argv[++*i], &j->src[k].weight,
			    "ERR weight value is not a float"))
			return false;
	}
	return true;
}

static bool parse_aggregate(struct client *c, struct join *j, const struct slice *a)
{
	static const char *const words[] = {
		[AGGREGATE_SUM] = "sum", [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!arg_is(a, words[i]))
			continue;
		j->aggregate = (enum aggregate)i;
		return true;
	}
	reply_err(c, REPLY_SYNTAX);
	return false;
}

/* What is at argv[*i], which it moves to the last word of the option. */
static bool parse_opt(struct client *c, struct join *j, uint32_t *i)
{
	bool weighs = j->op != JOIN_DIFF && !j->card;
	uint32_t behind = c->argc - *i - 1;
	const struct slice *a = &c->argv[*i];

	if (weighs && behind >= j->nr && arg_is(a, "weights"))
		return parse_weights(c, j, i);
	if (weighs && behind >= 1 && arg_is(a, "aggregate"))
		return parse_aggregate(c, j, &c->argv[++*i]);
	if (!j->store && !j->card && arg_is(a, "withscores")) {
		j->scores = true;
		return true;
	}
	if (j->card && behind >= 1 && arg_is(a, "limit"))
		return arg_int_range_reply(
			c, &c->argv[++*i], 0, INT64_MAX, &j->limit, "ERR LIMIT can't be negative");
	reply_err(c, REPLY_SYNTAX);
	return false;
}

static bool parse(struct client *c, struct join *j)
{
	if (!parse_keys(c, j))
		return false;
	for (uint32_t i = j->at + 1 + j->nr; i < c->argc; i++) {
		if (!parse_opt(c, j, &i))
			return false;
	}
	return true;
}

/* --- commands --------------------------------------------------------------------------------- */

static void reply_members(struct client *c, const struct join *j)
{
	struct zset_pos pos;

	zset_reply_header(c, zset_count(&j->result), j->scores);
	for (bool more = zset_seek(&j->result, 0, &pos); more; more = zset_next(&pos))
		zset_reply_member(c, pos.member, pos.score, j->scores);
}

static void finish(struct client *c, struct join *j)
{
	static const char *const events[] = {"zunionstore", "zinterstore", "zdiffstore"};
	struct obj_limits lim = coll_limits(c);

	if (j->no_memory) {
		key_no_memory(c, false);
	} else if (j->card) {
		reply_int(c, (int64_t)j->count);
	} else if (j->store) {
		zset_settle(&j->result, &lim);
		zset_store(c, &c->argv[1], &j->result, events[j->op]);
		return;
	} else {
		reply_members(c, j);
	}
	obj_ops(&j->result)->free(&j->result);
}

static void join_command(struct client *c, struct join j)
{
	j.at = j.store ? 2 : 1;
	if (parse(c, &j)) {
		if (zset_create_skiplist(&j.result)) {
			run(&j);
			finish(c, &j);
		} else {
			key_no_memory(c, false);
		}
	}
	free(j.src);
}

void zset_cmd_zunion(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_UNION});
}

void zset_cmd_zunionstore(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_UNION, .store = true});
}

void zset_cmd_zinter(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_INTER});
}

void zset_cmd_zinterstore(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_INTER, .store = true});
}

void zset_cmd_zintercard(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_INTER, .card = true});
}

void zset_cmd_zdiff(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_DIFF});
}

void zset_cmd_zdiffstore(struct client *c)
{
	join_command(c, (struct join){.op = JOIN_DIFF, .store = true});
}
