/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XACK, and XCLAIM and XAUTOCLAIM, which make a consumer the owner of what is pending with
 * another one.
 */
#include "app/commands/stream_cmds.h"

#include "app/commands/keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

void stream_cmd_xack(struct client *c)
{
	struct coll coll;
	bool failed;
	struct stream_group *g = stream_group_open(c, &coll, &failed);
	struct stream_id *ids;
	int64_t nr = 0;

	if (failed)
		return;
	if (!g) {
		reply_int(c, 0);
		return;
	}
	ids = stream_ids_arg(c, 3);
	if (!ids)
		return;
	coll_edit(c, &coll);
	for (uint32_t i = 3; i < c->argc; i++)
		nr += stream_pending_drop(g, &ids[i - 3]);
	coll_close(c, &coll, false);
	if (nr > 0)
		cmd_dirty(c, (uint64_t)nr);
	free(ids);
	reply_int(c, nr);
}

/* --- claiming --- */

struct claim {
	struct client *c;
	struct coll coll;
	struct stream_group *g;
	struct stream_consumer *consumer; /* NULL: not needed yet */
	int64_t min_idle_ms, time_ms;
	int64_t retry_count; /* -1: not given */
	bool force, just_id;
	uint64_t nr; /* replied */
	bool failed; /* out of memory */
};

static bool min_idle_arg(struct client *c, int64_t *min_idle_ms)
{
	char text[80];

	snprintf(text, sizeof(text), "ERR Invalid min-idle-time argument for %s",
		c->cmd->name[1] == 'c' ? "XCLAIM" : "XAUTOCLAIM");
	if (!arg_int_range_reply(c, &c->argv[4], INT64_MIN, INT64_MAX, min_idle_ms, text))
		return false;
	if (*min_idle_ms < 0)
		*min_idle_ms = 0;
	return true;
}

static bool is_idle(const struct claim *cl, const struct stream_pending *p)
{
	return !cl->min_idle_ms || stream_idle_ms(cl->c, p->time_ms) >= cl->min_idle_ms;
}

/* The entry is in the stream no more: neither is it pending. */
static void forget(struct claim *cl, struct stream_pending *p)
{
	stream_log_claim(cl->c, &cl->c->argv[1], cl->g, p);
	cmd_dirty(cl->c, 1);
	stream_pending_drop(cl->g, &p->id);
}

/* Makes the entry the consumer's, and replies it. p is NULL when it is pending with nobody. */
static void take(struct claim *cl, const struct stream_id *id, const struct stream_pending *p)
{
	struct client *c = cl->c;
	uint64_t count = p ? p->count : 1; /* as if it had just been delivered */
	struct stream_pending *mine = NULL;
	bool created;

	if (!cl->consumer)
		cl->consumer = stream_consumer_get(c, &c->argv[1], cl->g, &c->argv[3], &created);
	if (cl->consumer)
		mine = stream_pending_assign(cl->g, id, cl->consumer);
	if (!mine) {
		cl->failed = true;
		return;
	}
	mine->time_ms = cl->time_ms;
	mine->count = cl->retry_count >= 0 ? (uint64_t)cl->retry_count : count + !cl->just_id;
	if (cl->just_id)
		stream_reply_id(c, id);
	else
		stream_reply_one(c, stream_of(&cl->coll.obj), id);
	cl->nr++;
	stream_log_claim(c, &c->argv[1], cl->g, mine);
	cmd_dirty(c, 1);
}

/* Bytes that claiming an entry adds to the log. */
static size_t log_bytes(const struct client *c, const struct stream_pending *p)
{
	return STREAM_CLAIM_BYTES + c->argv[1].len + c->argv[2].len + c->argv[3].len +
	       (p ? p->consumer->name.len : 0);
}

/* --- XCLAIM --- */

struct claim_args {
	struct stream_id *ids; /* owned */
	uint32_t nr_ids;
	struct stream_id last_id;
};

/* An option's number. */
static bool option_int(struct client *c, uint32_t i, const char *option, int64_t *num)
{
	char text[80];

	snprintf(text, sizeof(text), "ERR Invalid %s option argument for XCLAIM", option);
	return arg_int_range_reply(c, &c->argv[i], INT64_MIN, INT64_MAX, num, text);
}

/* The option at *i, which moves to its end. */
static bool claim_option(struct client *c, uint32_t *i, struct claim *cl, struct claim_args *args)
{
	const struct slice *name = &c->argv[*i];
	bool more = *i + 1 < c->argc;

	if (arg_is(name, "force")) {
		cl->force = true;
	} else if (arg_is(name, "justid")) {
		cl->just_id = true;
	} else if (more && arg_is(name, "idle")) {
		if (!option_int(c, ++*i, "IDLE", &cl->time_ms))
			return false;
		cl->time_ms = stream_idle_ms(c, cl->time_ms);
	} else if (more && arg_is(name, "time")) {
		return option_int(c, ++*i, "TIME", &cl->time_ms);
	} else if (more && arg_is(name, "retrycount")) {
		return option_int(c, ++*i, "RETRYCOUNT", &cl->retry_count);
	} else if (more && arg_is(name, "lastid")) {
		return stream_id_arg(c, &c->argv[++*i], &args->last_id);
	} else {
		reply_errf(c, "ERR Unrecognized XCLAIM option '%.*s'", (int)name->len, name->ptr);
		return false;
	}
	return true;
}

/* IDs, then options. */
static bool claim_args(struct client *c, struct claim *cl, struct claim_args *args)
{
	uint32_t i = 5;

	args->ids = malloc((c->argc - 5) * sizeof(*args->ids));
	if (!args->ids) {
		key_no_memory(c, false);
		return false;
	}
	while (i < c->argc && stream_id_read(&c->argv[i], 0, &args->ids[i - 5]))
		i++;
	args->nr_ids = i - 5;
	for (; i < c->argc; i++) {
		if (!claim_option(c, &i, cl, args))
			return false;
	}
	/* clients that reckon with their own clock must not fail for it */
	if (cl->time_ms < 0 || cl->time_ms > c->now_ms)
		cl->time_ms = c->now_ms;
	return true;
}

static bool claim_admit(struct client *c, const struct claim *cl, const struct claim_args *args)
{
	size_t bytes = log_bytes(c, NULL);

	for (uint32_t i = 0; i < args->nr_ids; i++)
		bytes += log_bytes(c, stream_pending_find(cl->g, &args->ids[i]));
	return prop_admit(c, bytes);
}

/* Returns whether this has gone into the log, and with it the group's last ID. */
static bool claim_one(struct claim *cl, const struct stream_id *id)
{
	struct stream_pending *p = stream_pending_find(cl->g, id);

	if (!stream_has(stream_of(&cl->coll.obj), id)) {
		if (p)
			forget(cl, p);
		return p;
	}
	if (p ? !is_idle(cl, p) : !cl->force)
		return false;
	take(cl, id, p);
	return !cl->failed;
}

static void claim_all(struct client *c, struct claim *cl, const struct claim_args *args)
{
	bool moved = stream_id_cmp(&args->last_id, &cl->g->last_id) > 0;
	bool logged = false;

	if (moved)
		cl->g->last_id = args->last_id;
	reply_defer_begin(c);
	for (uint32_t i = 0; i < args->nr_ids && !cl->failed; i++)
		logged |= claim_one(cl, &args->ids[i]);
	reply_defer_end_array(c, cl->nr);
	if (moved && !logged) {
		stream_log_group_id(c, &c->argv[1], cl->g);
		cmd_dirty(c, 1);
	}
}

void stream_cmd_xclaim(struct client *c)
{
	struct claim cl = {.c = c, .time_ms = -1, .retry_count = -1};
	struct claim_args args = {0};

	cl.g = stream_group_must(c, &cl.coll);
	if (!cl.g || !min_idle_arg(c, &cl.min_idle_ms))
		return;
	if (claim_args(c, &cl, &args) && claim_admit(c, &cl, &args)) {
		prop_none(c);
		coll_edit(c, &cl.coll);
		claim_all(c, &cl, &args);
		coll_close(c, &cl.coll, true);
		if (cl.failed)
			key_no_memory(c, true);
	}
	free(args.ids);
}

/* --- XAUTOCLAIM --- */

#define ATTEMPTS_FACTOR 10 /* so many are looked at for each that is asked for */

/* What will be done, found out before anything changes. */
struct plan {
	struct planned {
		struct stream_id id;
		bool gone; /* not in the stream any more */
	} * all;
	size_t nr, cap, nr_gone;
	size_t log_bytes;
	struct stream_id next; /* where another call would go on; 0-0: at the end */
};

static bool plan_add(struct plan *plan, const struct stream_id *id, bool gone)
{
	if (plan->nr == plan->cap) {
		size_t cap = plan->cap ? plan->cap * 2 : 16;
		struct planned *all = realloc(plan->all, cap * sizeof(*all));

		if (!all)
			return false;
		plan->all = all;
		plan->cap = cap;
	}
	plan->all[plan->nr++] = (struct planned){*id, gone};
	plan->nr_gone += gone;
	return true;
}

static bool plan_make(
	const struct claim *cl, const struct stream_id *from, uint64_t count, struct plan *plan)
{
	uint64_t attempts = count * ATTEMPTS_FACTOR;
	struct tree_pos pos;
	const struct stream_pending *p = stream_pending_from(cl->g, NULL, from, &pos);

	for (; p && attempts > 0 && plan->nr < count;
		p = stream_pending_next(cl->g, NULL, &pos), attempts--) {
		bool gone = !stream_has(stream_of(&cl->coll.obj), &p->id);

		if (!gone && !is_idle(cl, p))
			continue;
		if (!plan_add(plan, &p->id, gone))
			return false;
		plan->log_bytes += log_bytes(cl->c, p);
	}
	plan->next = p ? p->id : STREAM_ID_MIN;
	return true;
}

static void plan_run(struct client *c, struct claim *cl, const struct plan *plan)
{
	reply_array(c, 3);
	stream_reply_id(c, &plan->next);
	reply_defer_begin(c);
	for (size_t i = 0; i < plan->nr && !cl->failed; i++) {
		const struct planned *one = &plan->all[i];
		struct stream_pending *p = stream_pending_find(cl->g, &one->id);

		if (one->gone)
			forget(cl, p);
		else
			take(cl, &one->id, p);
	}
	reply_defer_end_array(c, cl->nr);
	reply_array(c, plan->nr_gone);
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->all[i].gone)
			stream_reply_id(c, &plan->all[i].id);
}

static bool autoclaim_options(struct client *c, struct claim *cl, int64_t *count)
{
	for (uint32_t i = 6; i < c->argc; i++) {
		if (i + 1 < c->argc && arg_is(&c->argv[i], "count")) {
			if (!arg_int_range_reply(c, &c->argv[++i], 1,
				    LONG_MAX / (long)sizeof(struct stream_id), count,
				    "ERR COUNT must be > 0"))
				return false;
		} else if (arg_is(&c->argv[i], "justid")) {
			cl->just_id = true;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

void stream_cmd_xautoclaim(struct client *c)
{
	struct claim cl = {.c = c, .time_ms = c->now_ms, .retry_count = -1};
	struct plan plan = {0};
	struct stream_id from;
	int64_t count = 100;

	lookup_db(c, c->db, &c->argv[1], false); /* a key that is over goes, whatever follows */
	if (!min_idle_arg(c, &cl.min_idle_ms) || !stream_bound_arg(c, &c->argv[5], false, &from) ||
		!autoclaim_options(c, &cl, &count))
		return;
	cl.g = stream_group_must(c, &cl.coll);
	if (!cl.g)
		return;
	if (!plan_make(&cl, &from, (uint64_t)count, &plan)) {
		key_no_memory(c, false);
	} else if (prop_admit(c, plan.log_bytes)) {
		prop_none(c);
		coll_edit(c, &cl.coll);
		plan_run(c, &cl, &plan);
		coll_close(c, &cl.coll, true);
		if (cl.failed)
			key_no_memory(c, true);
	}
	free(plan.all);
}
