/* SPDX-License-Identifier: BSD-3-Clause
 *
 * GEOSEARCH, GEOSEARCHSTORE and the GEORADIUS commands before them.
 */
#include "app/commands/geo_cmds.h"
#include "app/commands/keys.h"
#include "app/commands/partial_sort.h"
#include "app/commands/zset_cmds.h"

#include <stdlib.h>
#include <string.h>

enum sort {
	SORT_NONE,
	SORT_NEAR,
	SORT_FAR,
};

struct search {
	/* which command */
	uint32_t at;    /* argv[at] is the set */
	bool by_member; /* GEORADIUSBYMEMBER */
	bool any_form;  /* GEOSEARCH: the middle and the shape are options */
	bool may_store; /* STORE and STOREDIST name a key */
	bool stores;    /* GEOSEARCHSTORE */
	/* arguments */
	struct geo_shape shape;
	bool from_member, from_point, by_radius, by_box;
	bool with_dist, with_hash, with_coord, any, store_dist;
	enum sort sort;
	int64_t count;             /* 0: all */
	const struct slice *store; /* NULL: reply */
	struct coll set;
};

/* A member that was found. */
struct hit {
	double metres, score;
	struct geo_point p;
	struct slice member; /* ptr NULL: in num */
	char num[KS_INT_STR_MAX];
};
struct hits {
	struct hit *at; /* owned */
	size_t nr, room;
	void **order; /* owned: the hits as they are sorted */
	bool no_memory;
};

/* --- arguments -------------------------------------------------------------------------------- */

static bool radius_args(struct client *c, struct search *s, const struct slice *args)
{
	if (!arg_double_reply(c, &args[0], &s->shape.radius, "ERR need numeric radius"))
		return false;
	if (s->shape.radius < 0) {
		reply_err(c, "ERR radius cannot be negative");
		return false;
	}
	s->shape.box = false;
	return geo_unit_arg(c, &args[1], &s->shape.unit);
}

static bool box_args(struct client *c, struct search *s, const struct slice *args)
{
	if (!arg_double_reply(c, &args[0], &s->shape.width, "ERR need numeric width") ||
		!arg_double_reply(c, &args[1], &s->shape.height, "ERR need numeric height"))
		return false;
	if (s->shape.width < 0 || s->shape.height < 0) {
		reply_err(c, "ERR height or width cannot be negative");
		return false;
	}
	s->shape.box = true;
	return geo_unit_arg(c, &args[2], &s->shape.unit);
}

/* Of a set that is not there, nothing is asked: the rest of the arguments may still be wrong. */
static bool member_arg(struct client *c, struct search *s, const struct slice *member)
{
	struct zset_ref ref;

	if (!s->set.e)
		return true;
	if (!zset_find(&s->set.obj, member->ptr, member->len, &ref)) {
		reply_err(c, "ERR could not decode requested zset member");
		return false;
	}
	s->shape.at = geo_place(ref.score);
	return true;
}

enum opt_rc {
	OPT_NONE, /* it is none of these */
	OPT_TAKEN,
	OPT_FAILED, /* an error has been replied */
};

static enum opt_rc taken(bool ok)
{
	return ok ? OPT_TAKEN : OPT_FAILED;
}

/* Options of one word. */
static enum opt_rc word_opt(struct search *s, const struct slice *a)
{
	if (arg_is(a, "withdist"))
		s->with_dist = true;
	else if (arg_is(a, "withhash"))
		s->with_hash = true;
	else if (arg_is(a, "withcoord"))
		s->with_coord = true;
	else if (arg_is(a, "any"))
		s->any = true;
	else if (arg_is(a, "asc"))
		s->sort = SORT_NEAR;
	else if (arg_is(a, "desc"))
		s->sort = SORT_FAR;
	else if (s->stores && arg_is(a, "storedist"))
		s->store_dist = true;
	else
		return OPT_NONE;
	return OPT_TAKEN;
}

static bool count_arg(struct client *c, struct search *s, const struct slice *a)
{
	if (!arg_int_reply(c, a, &s->count))
		return false;
	if (s->count <= 0)
		reply_err(c, "ERR COUNT must be > 0");
	return s->count > 0;
}

/* Options with one word behind them. Moves *i to it. */
static enum opt_rc pair_opt(struct client *c, struct search *s, uint32_t *i)
{
	const struct slice *a = &c->argv[*i];

	if (*i + 1 >= c->argc)
		return OPT_NONE;
	if (arg_is(a, "count"))
		return taken(count_arg(c, s, &c->argv[++*i]));
	if (s->may_store && (arg_is(a, "store") || arg_is(a, "storedist"))) {
		s->store_dist = arg_is(a, "storedist");
		s->store = &c->argv[++*i];
		return OPT_TAKEN;
	}
	if (s->any_form && !s->from_point && arg_is(a, "frommember")) {
		s->from_member = true;
		return taken(member_arg(c, s, &c->argv[++*i]));
	}
	return OPT_NONE;
}

/* Options of GEOSEARCH with more words. */
static enum opt_rc shape_opt(struct client *c, struct search *s, uint32_t *i)
{
	uint32_t behind = c->argc - *i - 1;
	const struct slice *a = &c->argv[*i];

	if (!s->any_form)
		return OPT_NONE;
	if (behind >= 2 && !s->from_member && arg_is(a, "fromlonlat")) {
		s->from_point = true;
		*i += 2;
		return taken(geo_point_arg(c, a + 1, &s->shape.at));
	}
	if (behind >= 2 && !s->by_box && arg_is(a, "byradius")) {
		s->by_radius = true;
		*i += 2;
		return taken(radius_args(c, s, a + 1));
	}
	if (behind >= 3 && !s->by_radius && arg_is(a, "bybox")) {
		s->by_box = true;
		*i += 3;
		return taken(box_args(c, s, a + 1));
	}
	return OPT_NONE;
}

static bool parse_opts(struct client *c, struct search *s, uint32_t from)
{
	for (uint32_t i = from; i < c->argc; i++) {
		enum opt_rc rc = word_opt(s, &c->argv[i]);

		if (rc == OPT_NONE)
			rc = pair_opt(c, s, &i);
		if (rc == OPT_NONE)
			rc = shape_opt(c, s, &i);
		if (rc == OPT_TAKEN)
			continue;
		if (rc == OPT_NONE)
			reply_err(c, REPLY_SYNTAX);
		return false;
	}
	return true;
}

static bool fit_together(struct client *c, const struct search *s)
{
	const struct slice *name = &c->argv[0];
	int len = (int)(name->len < 64 ? name->len : 64);

	if (s->store && (s->with_dist || s->with_hash || s->with_coord)) {
		reply_errf(c,
			"ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
			s->stores ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
		return false;
	}
	if (s->any_form && !s->from_member && !s->from_point) {
		reply_errf(c,
			"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s",
			len, name->ptr);
		return false;
	}
	if (s->any_form && !s->by_radius && !s->by_box) {
		reply_errf(c, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
			len, name->ptr);
		return false;
	}
	if (s->any && s->count == 0) {
		reply_err(c, "ERR the ANY argument requires COUNT argument");
		return false;
	}
	return true;
}

static bool parse(struct client *c, struct search *s)
{
	uint32_t opts = s->at + 1;

	if (s->stores)
		s->store = &c->argv[1];
	if (!s->any_form && !s->by_member) {
		opts = 6;
		if (!geo_point_arg(c, &c->argv[2], &s->shape.at) || !radius_args(c, s, &c->argv[4]))
			return false;
	} else if (s->by_member) {
		opts = 5;
		if (s->set.e && (!member_arg(c, s, &c->argv[2]) || !radius_args(c, s, &c->argv[3])))
			return false;
	}
	return parse_opts(c, s, opts) && fit_together(c, s);
}

/* --- searching -------------------------------------------------------------------------------- */

static bool full(const struct search *s, const struct hits *h)
{
	return h->no_memory || (s->any && h->nr >= (uint64_t)s->count);
}

static void add_hit(const struct search *s, struct hits *h, const struct zset_pos *pos)
{
	struct hit hit = {.score = pos->score, .p = geo_place(pos->score), .member = pos->member};

	if (!geo_shape_holds(&s->shape, hit.p, &hit.metres))
		return;
	if (h->nr == h->room) {
		size_t room = h->room ? h->room * 2 : 16;
		struct hit *at = realloc(h->at, room * sizeof(*at));

		if (!at) {
			h->no_memory = true;
			return;
		}
		h->at = at;
		h->room = room;
	}
	if (hit.member.ptr == pos->buf) {
		memcpy(hit.num, pos->buf, hit.member.len);
		hit.member.ptr = NULL;
	}
	h->at[h->nr++] = hit;
}

static void search_cell(const struct search *s, struct geo_cell cell, struct hits *h)
{
	struct zset_scores range = {.max_open = true};
	struct zset_ranks ranks;
	struct zset_pos pos;

	geo_cell_scores(cell, &range.min, &range.max);
	ranks = zset_range_scores(&s->set.obj, &range);
	if (ranks.from == ranks.to)
		return;
	zset_seek(&s->set.obj, ranks.from, &pos);
	for (uint64_t i = ranks.from; i < ranks.to && !full(s, h); i++) {
		add_hit(s, h, &pos);
		zset_next(&pos);
	}
}

/* Around half the world a cell may be on both sides of its own: then it is searched once. */
static void search_cells(const struct search *s, struct hits *h)
{
	struct geo_cell cells[GEO_CELLS];
	unsigned last = 0;

	geo_shape_cells(&s->shape, cells);
	for (unsigned i = 0; i < GEO_CELLS && !full(s, h); i++) {
		if (cells[i].step == 0)
			continue;
		if (last > 0 && cells[i].bits == cells[last].bits)
			continue;
		search_cell(s, cells[i], h);
		last = i;
	}
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct hit *x = a, *y = b;
	const struct search *s = ctx;
	int cmp = (x->metres > y->metres) - (x->metres < y->metres);

	return s->sort == SORT_FAR ? -cmp : cmp;
}

/* For qsort_r(), which keeps the order of what is equal. */
static int compare_whole(const void *a, const void *b, void *ctx)
{
	return compare(*(void *const *)a, *(void *const *)b, ctx);
}

/* The first nr hits will be wanted. */
static void put_in_order(struct search *s, struct hits *h, size_t nr)
{
	h->order = malloc((h->nr + 1) * sizeof(*h->order));
	if (!h->order) {
		h->no_memory = true;
		return;
	}
	for (size_t i = 0; i < h->nr; i++)
		h->order[i] = &h->at[i];
	if (s->sort == SORT_NONE || h->nr == 0)
		return;
	if (nr < h->nr)
		partial_sort(h->order, h->nr, 0, nr - 1, compare, s);
	else
		qsort_r(h->order, h->nr, sizeof(*h->order), compare_whole, s);
}

/* --- results ---------------------------------------------------------------------------------- */

static struct slice hit_member(const struct hit *hit)
{
	return (struct slice){hit->member.ptr ? hit->member.ptr : hit->num, hit->member.len};
}

static void reply_hits(struct client *c, const struct search *s, const struct hits *h, size_t nr)
{
	size_t parts = (size_t)s->with_dist + s->with_hash + s->with_coord;

	reply_array(c, nr);
	for (size_t i = 0; i < nr; i++) {
		const struct hit *hit = h->order[i];
		struct slice member = hit_member(hit);

		if (parts > 0)
			reply_array(c, parts + 1);
		reply_bulk(c, member.ptr, member.len);
		if (s->with_dist)
			geo_reply_distance(c, hit->metres / s->shape.unit);
		if (s->with_hash)
			reply_int(c, (int64_t)hit->score);
		if (s->with_coord)
			geo_reply_point(c, hit->p);
	}
}

static bool make_result(const struct search *s, const struct hits *h, size_t nr, struct obj *out)
{
	if (!zset_create_skiplist(out))
		return false;
	for (size_t i = 0; i < nr; i++) {
		const struct hit *hit = h->order[i];
		struct slice member = hit_member(hit);
		double score = s->store_dist ? hit->metres / s->shape.unit : hit->score;

		if (zset_add(out, member.ptr, member.len, score, NULL))
			continue;
		obj_ops(out)->free(out);
		return false;
	}
	return true;
}

static void store_hits(struct client *c, const struct search *s, const struct hits *h, size_t nr)
{
	struct obj_limits lim = coll_limits(c);
	struct obj result = {0};

	if (nr > 0) {
		if (!make_result(s, h, nr, &result)) {
			key_no_memory(c, false);
			return;
		}
		zset_settle(&result, &lim);
		cmd_dirty(c, nr - 1);
	}
	zset_store(c, s->store, &result, s->any_form ? "geosearchstore" : "georadiusstore");
}

static void search_command(struct client *c, struct search s)
{
	struct hits h = {0};
	size_t nr;

	if (!coll_read(c, &c->argv[s.at], OBJ_ZSET, &s.set) || !parse(c, &s))
		return;
	if (s.count > 0 && s.sort == SORT_NONE && !s.any)
		s.sort = SORT_NEAR;
	if (s.set.e)
		search_cells(&s, &h);
	nr = s.count > 0 && (uint64_t)s.count < h.nr ? (size_t)s.count : h.nr;
	put_in_order(&s, &h, nr);
	if (h.no_memory)
		key_no_memory(c, false);
	else if (s.store)
		store_hits(c, &s, &h, nr);
	else
		reply_hits(c, &s, &h, nr);
	free(h.at);
	free(h.order);
}

void geo_cmd_georadius(struct client *c)
{
	search_command(c, (struct search){.at = 1, .may_store = true});
}

void geo_cmd_georadius_ro(struct client *c)
{
	search_command(c, (struct search){.at = 1});
}

void geo_cmd_georadiusbymember(struct client *c)
{
	search_command(c, (struct search){.at = 1, .by_member = true, .may_store = true});
}

void geo_cmd_georadiusbymember_ro(struct client *c)
{
	search_command(c, (struct search){.at = 1, .by_member = true});
}

void geo_cmd_geosearch(struct client *c)
{
	search_command(c, (struct search){.at = 1, .any_form = true});
}

void geo_cmd_geosearchstore(struct client *c)
{
	search_command(c, (struct search){.at = 2, .any_form = true, .stores = true});
}
