/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Places in sorted sets, whose scores are geohashes: adding and reading them.
 */
#include "app/commands/geo_cmds.h"

#include "app/commands/keys.h"
#include "app/commands/zset_cmds.h"
#include "app/keyspace/entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool geo_point_arg(struct client *c, const struct slice *args, struct geo_point *p)
{
	if (!arg_double_reply(c, &args[0], &p->lon, NULL) ||
		!arg_double_reply(c, &args[1], &p->lat, NULL))
		return false;
	if (fabs(p->lon) <= GEO_LON_MAX && fabs(p->lat) <= GEO_LAT_MAX)
		return true;
	reply_errf(c, "ERR invalid longitude,latitude pair %f,%f", p->lon, p->lat);
	return false;
}

bool geo_unit_arg(struct client *c, const struct slice *a, double *metres)
{
	static const struct {
		const char *word;
		double metres;
	} units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!arg_is(a, units[i].word))
			continue;
		*metres = units[i].metres;
		return true;
	}
	reply_err(c, "ERR unsupported unit provided. please use M, KM, FT, MI");
	return false;
}

void geo_reply_distance(struct client *c, double d)
{
	long long v = llrint(d * 10000);
	char text[40];
	int len = snprintf(text, sizeof(text), "%lld.%04lld", v / 10000, v % 10000);

	reply_bulk(c, text, (size_t)len);
}

static void reply_coordinate(struct client *c, double v)
{
	char text[64];
	size_t len = format_long_double(text, sizeof(text), (long double)v);

	if (c->resp < 3) {
		reply_bulk(c, text, len);
		return;
	}
	reply_raw(c, ",", 1);
	reply_raw(c, text, len);
	reply_raw(c, "\r\n", 2);
}

void geo_reply_point(struct client *c, struct geo_point p)
{
	reply_array(c, 2);
	reply_coordinate(c, p.lon);
	reply_coordinate(c, p.lat);
}

/* --- GEOADD ----------------------------------------------------------------------------------- */

/* The ZADD that the command stands for. */
struct zadd {
	struct slice *argv;           /* owned */
	double *scores;               /* owned */
	char (*text)[KS_INT_STR_MAX]; /* owned: the scores */
	uint32_t argc, first;
};

static void zadd_fini(struct zadd *z)
{
	free(z->argv);
	free(z->scores);
	free(z->text);
}

/* Takes the options up to z->first, and nr places behind them. False: an error has been replied. */
static bool zadd_fill(struct client *c, struct zadd *z, uint32_t nr)
{
	z->argc = z->first + nr * 2;
	z->argv = malloc(z->argc * sizeof(*z->argv));
	z->scores = malloc((nr + 1) * sizeof(*z->scores));
	z->text = malloc((nr + 1) * sizeof(*z->text));
	if (!z->argv || !z->scores || !z->text) {
		key_no_memory(c, false);
		return false;
	}
	z->argv[0] = slice_str("zadd");
	for (uint32_t i = 1; i < z->first; i++)
		z->argv[i] = c->argv[i];
	for (uint32_t i = 0; i < nr; i++) {
		const struct slice *args = &c->argv[z->first + i * 3];
		struct geo_point p;

		if (!geo_point_arg(c, args, &p))
			return false;
		uint64_t score = geo_score(p);

		z->scores[i] = (double)score;
		z->argv[z->first + i * 2] =
			(struct slice){z->text[i], int_to_str((int64_t)score, z->text[i])};
		z->argv[z->first + i * 2 + 1] = args[2];
	}
	return true;
}

/* Runs it in the place of the command's own arguments. */
static void zadd_run(struct client *c, const struct zadd *z, unsigned flags)
{
	const struct slice *argv = c->argv;
	uint32_t argc = c->argc;

	c->argv = z->argv;
	c->argc = z->argc;
	if (zset_put_pairs(c, flags, z->first, z->scores))
		prop_replace(c, (int)z->argc, z->argv);
	c->argv = (void *)(uintptr_t)argv;
	c->argc = argc;
}

void geo_cmd_geoadd(struct client *c)
{
	struct zadd z = {.first = 2};
	unsigned flags = 0, both = ZSET_PUT_NX | ZSET_PUT_XX;

	for (; z.first < c->argc; z.first++) {
		const struct slice *a = &c->argv[z.first];

		if (arg_is(a, "nx"))
			flags |= ZSET_PUT_NX;
		else if (arg_is(a, "xx"))
			flags |= ZSET_PUT_XX;
		else if (arg_is(a, "ch"))
			flags |= ZSET_PUT_CH;
		else
			break;
	}
	if (z.first == c->argc || (c->argc - z.first) % 3 != 0 || (flags & both) == both) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (zadd_fill(c, &z, (c->argc - z.first) / 3))
		zadd_run(c, &z, flags);
	zadd_fini(&z);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool find_place(const struct coll *set, const struct slice *member, struct geo_point *p)
{
	struct zset_ref ref;

	if (!set->obj.ptr || !zset_find(&set->obj, member->ptr, member->len, &ref))
		return false;
	*p = geo_place(ref.score);
	return true;
}

void geo_cmd_geopos(struct client *c)
{
	struct geo_point p;
	struct coll set;

	if (!coll_read(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		if (find_place(&set, &c->argv[i], &p))
			geo_reply_point(c, p);
		else
			reply_null_array(c);
	}
}

void geo_cmd_geohash(struct client *c)
{
	struct geo_point p;
	struct coll set;
	char text[11];

	if (!coll_read(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		if (!find_place(&set, &c->argv[i], &p)) {
			reply_null(c);
			continue;
		}
		geo_text(p, text);
		reply_bulk(c, text, sizeof(text));
	}
}

void geo_cmd_geodist(struct client *c)
{
	struct geo_point a, b;
	double unit = 1;
	struct coll set;

	if (c->argc > 5) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (c->argc == 5 && !geo_unit_arg(c, &c->argv[4], &unit))
		return;
	if (!coll_read(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	if (find_place(&set, &c->argv[2], &a) && find_place(&set, &c->argv[3], &b))
		geo_reply_distance(c, geo_distance(a, b) / unit);
	else
		reply_null(c);
}
