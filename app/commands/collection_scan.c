/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Going through the members of a collection by cursors.
 */
#include "app/commands/collection.h"

#include "app/commands/keys.h"
#include "app/keyspace/entry.h"

/* Buckets visited for each member asked for, when they are empty. */
#define STEPS_PER_MEMBER 10

void coll_reply(struct client *c, const struct lp_val *val)
{
	if (val->str)
		reply_bulk(c, val->str, val->len);
	else
		reply_bulk_int(c, val->num);
}

static bool matches(const struct slice *pattern, const struct lp_val *name)
{
	char num[KS_INT_STR_MAX];

	if (!pattern->ptr)
		return true;
	if (name->str)
		return glob_match(pattern->ptr, pattern->len, name->str, name->len, false);
	return glob_match(pattern->ptr, pattern->len, num, int_to_str(name->num, num), false);
}

void coll_scan_visit(struct coll_scan *scan, const struct lp_val *name, const struct lp_val *beside)
{
	scan->nr_visited++;
	if (!matches(&scan->pattern, name))
		return;
	coll_reply(scan->c, name);
	scan->nr_replied++;
	if (beside) {
		coll_reply(scan->c, beside);
		scan->nr_replied++;
	}
}

static void run(struct client *c, const struct obj *o, uint64_t cursor, coll_scan_fn step)
{
	struct coll_scan scan = {.c = c};
	struct key_scan_opts opts;
	uint64_t count, steps;

	if (!key_scan_opts(c, 3, false, &opts))
		return;
	scan.pattern = opts.pattern;
	count = (uint64_t)opts.count;
	steps = count > UINT64_MAX / STEPS_PER_MEMBER ? UINT64_MAX : count * STEPS_PER_MEMBER;
	reply_defer_begin(c);
	do
		cursor = step(&scan, o, cursor);
	while (cursor != 0 && --steps > 0 && scan.nr_visited < count);
	reply_defer_end_cursor(c, cursor, scan.nr_replied);
}

void coll_scan(struct client *c, enum obj_type type, coll_scan_fn step)
{
	struct coll coll;
	uint64_t cursor;

	if (!key_scan_cursor(c, &c->argv[2], &cursor) || !coll_read(c, &c->argv[1], type, &coll))
		return;
	if (coll.obj.ptr) {
		run(c, &coll.obj, cursor, step);
		return;
	}
	reply_defer_begin(c);
	reply_defer_end_cursor(c, 0, 0);
}
