/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: the commands that wait for a member (app/waiting.h).
 */
#include "app/commands/zset_cmds.h"

#include "app/waiting.h"

#include <ctype.h>

/* --- BZPOPMIN, BZPOPMAX ----------------------------------------------------------------------- */

static enum zset_end end_of(const struct client *c)
{
	return tolower(c->cmd->name[6]) == 'a' ? ZSET_MAX : ZSET_MIN;
}

static enum zset_found pop(struct client *c, const struct slice *keys, uint32_t nr)
{
	struct coll set;
	enum zset_found found = zset_open_first(c, keys, nr, &set);

	if (found == ZSET_FOUND)
		zset_pop(c, &set, end_of(c), 1, ZSET_POP_KEY_FLAT);
	return found;
}

static void serve_pop(struct client *s, const struct wait *w, const struct slice *key)
{
	pop(s, key, 1);
}

static const struct wait_kind pop_kind = {.type = OBJ_ZSET, .serve = serve_pop};

void zset_cmd_bzpop(struct client *c)
{
	uint32_t nr = c->argc - 2;
	int64_t until;

	if (!waiting_timeout_arg(c, &c->argv[c->argc - 1], &until) ||
		pop(c, &c->argv[1], nr) != ZSET_NONE)
		return;
	if (waiting_allowed(c))
		waiting_begin(c, &pop_kind, &c->argv[1], nr, NULL, NULL, until);
	else
		reply_null_array(c);
}

/* --- BZMPOP ----------------------------------------------------------------------------------- */

static enum zset_found mpop(
	struct client *c, const struct slice *keys, uint32_t nr, const struct zset_mpop *args)
{
	struct coll set;
	enum zset_found found = zset_open_first(c, keys, nr, &set);

	if (found == ZSET_FOUND)
		zset_pop(c, &set, args->end, args->count, ZSET_POP_KEY_PAIRS);
	return found;
}

static void serve_mpop(struct client *s, const struct wait *w, const struct slice *key)
{
	struct zset_mpop args;

	if (zset_mpop_args(s, 2, &args))
		mpop(s, key, 1, &args);
}

static const struct wait_kind mpop_kind = {.type = OBJ_ZSET, .serve = serve_mpop};

void zset_cmd_bzmpop(struct client *c)
{
	struct zset_mpop args;
	int64_t until;

	if (!zset_mpop_args(c, 2, &args) || !waiting_timeout_arg(c, &c->argv[1], &until) ||
		mpop(c, args.keys, args.nr_keys, &args) != ZSET_NONE)
		return;
	if (waiting_allowed(c))
		waiting_begin(c, &mpop_kind, args.keys, args.nr_keys, NULL, NULL, until);
	else
		reply_null_array(c);
}
