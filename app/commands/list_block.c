/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: the commands that wait for an element (app/waiting.h).
 */
#include "app/commands/list_cmds.h"

#include "app/waiting.h"

#include <ctype.h>

/* BLPOP, BRPOP. */
static enum list_side side_of(const struct client *c)
{
	return tolower(c->cmd->name[1]) == 'l' ? LIST_LEFT : LIST_RIGHT;
}

/* --- BLPOP, BRPOP ----------------------------------------------------------------------------- */

static void serve_pop(struct client *s, const struct wait *w, const struct slice *key)
{
	list_pop_first(s, key, 1, side_of(s));
}

static const struct wait_kind pop_kind = {.type = OBJ_LIST, .serve = serve_pop};

void list_cmd_bpop(struct client *c)
{
	uint32_t nr = c->argc - 2;
	int64_t until;

	if (!waiting_timeout_arg(c, &c->argv[c->argc - 1], &until) ||
		list_pop_first(c, &c->argv[1], nr, side_of(c)) != LIST_NOTHING)
		return;
	if (waiting_allowed(c))
		waiting_begin(c, &pop_kind, &c->argv[1], nr, NULL, NULL, until);
	else
		reply_null_array(c);
}

/* --- BLMPOP ----------------------------------------------------------------------------------- */

static void serve_mpop(struct client *s, const struct wait *w, const struct slice *key)
{
	struct list_mpop_args args;

	if (list_mpop_args(s, 2, &args))
		list_mpop(s, key, 1, args.side, args.count);
}

static const struct wait_kind mpop_kind = {.type = OBJ_LIST, .serve = serve_mpop};

void list_cmd_blmpop(struct client *c)
{
	struct list_mpop_args args;
	int64_t until;

	if (!list_mpop_args(c, 2, &args) || !waiting_timeout_arg(c, &c->argv[1], &until) ||
		list_mpop(c, args.keys, args.nr_keys, args.side, args.count) != LIST_NOTHING)
		return;
	if (waiting_allowed(c))
		waiting_begin(c, &mpop_kind, args.keys, args.nr_keys, NULL, NULL, until);
	else
		reply_null_array(c);
}

/* --- BLMOVE, BRPOPLPUSH ----------------------------------------------------------------------- */

static bool is_blmove(const struct client *c)
{
	return c->argc == 6;
}

static bool move_sides(struct client *c, enum list_side *from, enum list_side *to)
{
	*from = LIST_RIGHT;
	*to = LIST_LEFT;
	return !is_blmove(c) ||
	       (list_side_arg(c, &c->argv[3], from) && list_side_arg(c, &c->argv[4], to));
}

static struct slice side_word(enum list_side side)
{
	return slice_str(side == LIST_LEFT ? "left" : "right");
}

/* Moves and logs that as Redis does: in the client's words at once, in its own for a waiter. */
static enum list_result move(
	struct client *c, enum list_side from, enum list_side to, bool is_waiter)
{
	struct slice log[5] = {slice_str(is_blmove(c) ? "LMOVE" : "RPOPLPUSH"), c->argv[1],
		c->argv[2], is_waiter ? side_word(from) : c->argv[3]};
	enum list_result rc = list_move(c, &c->argv[1], &c->argv[2], from, to);

	if (is_blmove(c))
		log[4] = is_waiter ? side_word(to) : c->argv[4];
	if (rc == LIST_DONE)
		prop_replace(c, is_blmove(c) ? 5 : 3, log);
	return rc;
}

static void serve_move(struct client *s, const struct wait *w, const struct slice *key)
{
	enum list_side from, to;

	if (move_sides(s, &from, &to))
		move(s, from, to, true);
}

static const struct wait_kind move_kind = {.type = OBJ_LIST, .serve = serve_move};

void list_cmd_bmove(struct client *c)
{
	enum list_side from, to;
	int64_t until;

	if (!move_sides(c, &from, &to) || !waiting_timeout_arg(c, &c->argv[c->argc - 1], &until) ||
		move(c, from, to, false) != LIST_NOTHING)
		return;
	if (waiting_allowed(c))
		waiting_begin(c, &move_kind, &c->argv[1], 1, NULL, &c->argv[2], until);
	else
		reply_null(c);
}
