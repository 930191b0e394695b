/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/geohash.h"

#include <math.h>
#include <string.h>

#define EARTH_RADIUS 6372797.560856
#define MERCATOR_MAX 20037726.37
#define DEGREE       (M_PI / 180.0)
#define EVEN_BITS    UINT64_C(0x5555555555555555)

struct range {
	double min, max;
};
struct area {
	struct range lon, lat;
};

static const struct range world_lon = {-GEO_LON_MAX, GEO_LON_MAX};
static const struct range world_lat = {-GEO_LAT_MAX, GEO_LAT_MAX};

/* --- cells ------------------------------------------------------------------------------------ */

static uint64_t spread(uint32_t v)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 32; i++)
		out |= (uint64_t)(v >> i & 1) << 2 * i;
	return out;
}

static uint32_t gather(uint64_t v)
{
	uint32_t out = 0;

	for (unsigned i = 0; i < 32; i++)
		out |= (uint32_t)(v >> 2 * i & 1) << i;
	return out;
}

static uint32_t fraction(double v, struct range r, uint8_t step)
{
	double offset = (v - r.min) / (r.max - r.min);

	offset *= (double)(UINT64_C(1) << step);
	return (uint32_t)offset;
}

static struct geo_cell cell_at(struct geo_point p, struct range lon, struct range lat, uint8_t step)
{
	uint32_t y = fraction(p.lat, lat, step), x = fraction(p.lon, lon, step);

	return (struct geo_cell){spread(y) | spread(x) << 1, step};
}

static struct range part(uint32_t i, struct range r, uint8_t step)
{
	double scale = r.max - r.min;
	double of = (double)(UINT64_C(1) << step);

	return (struct range){
		r.min + (i * 1.0 / of) * scale,
		r.min + ((i + 1u) * 1.0 / of) * scale,
	};
}

static struct area cell_area(struct geo_cell c)
{
	return (struct area){
		.lon = part(gather(c.bits >> 1), world_lon, c.step),
		.lat = part(gather(c.bits), world_lat, c.step),
	};
}

uint64_t geo_score(struct geo_point p)
{
	return cell_at(p, world_lon, world_lat, GEO_STEP_MAX).bits;
}

static double middle(struct range r, double max)
{
	double v = (r.min + r.max) / 2;

	return v > max ? max : v < -max ? -max : v;
}

struct geo_point geo_place(double score)
{
	uint64_t bits = 0;

	/* any number can be a score; those that are no place become some corner */
	if (score < 0)
		bits = score > -0x1p63 ? (uint64_t)(int64_t)score : UINT64_C(1) << 63;
	else if (score < 0x1p64)
		bits = (uint64_t)score;
	struct area a = cell_area((struct geo_cell){bits, GEO_STEP_MAX});

	return (struct geo_point){middle(a.lon, GEO_LON_MAX), middle(a.lat, GEO_LAT_MAX)};
}

void geo_cell_scores(struct geo_cell cell, double *from, double *to)
{
	unsigned shift = 52 - cell.step * 2u;

	*from = (double)(cell.bits << shift);
	*to = (double)((cell.bits + 1) << shift);
}

/* One coordinate goes a step up or down, around the world at its ends; the other stays. */
static uint64_t step_x(uint64_t bits, uint8_t step, int by)
{
	uint64_t x = bits & ~EVEN_BITS, y = bits & EVEN_BITS;
	uint64_t fill = EVEN_BITS >> (64 - step * 2);

	if (by > 0)
		x += fill + 1;
	else if (by < 0)
		x = (x | fill) - (fill + 1);
	return (x & (~EVEN_BITS >> (64 - step * 2))) | y;
}

static uint64_t step_y(uint64_t bits, uint8_t step, int by)
{
	uint64_t x = bits & ~EVEN_BITS, y = bits & EVEN_BITS;
	uint64_t fill = ~EVEN_BITS >> (64 - step * 2);

	if (by > 0)
		y += fill + 1;
	else if (by < 0)
		y = (y | fill) - (fill + 1);
	return (y & (EVEN_BITS >> (64 - step * 2))) | x;
}

static struct geo_cell beside(struct geo_cell c, int x, int y)
{
	if (x)
		c.bits = step_x(c.bits, c.step, x);
	if (y)
		c.bits = step_y(c.bits, c.step, y);
	return c;
}

/* --- distances -------------------------------------------------------------------------------- */

static double distance_lat(double lat1, double lat2)
{
	return EARTH_RADIUS * fabs(lat2 * DEGREE - lat1 * DEGREE);
}

double geo_distance(struct geo_point a, struct geo_point b)
{
	double lon1 = a.lon * DEGREE, lon2 = b.lon * DEGREE;
	double v = sin((lon2 - lon1) / 2);

	if (v == 0)
		return distance_lat(a.lat, b.lat);
	double lat1 = a.lat * DEGREE, lat2 = b.lat * DEGREE;
	double u = sin((lat2 - lat1) / 2);
	double h = u * u + cos(lat1) * cos(lat2) * v * v;

	return 2.0 * EARTH_RADIUS * asin(sqrt(h));
}

bool geo_shape_holds(const struct geo_shape *s, struct geo_point p, double *metres)
{
	if (!s->box) {
		*metres = geo_distance(s->at, p);
		return !(*metres > s->radius * s->unit);
	}
	if (distance_lat(p.lat, s->at.lat) > s->height * s->unit / 2)
		return false;
	if (geo_distance(p, (struct geo_point){s->at.lon, p.lat}) > s->width * s->unit / 2)
		return false;
	*metres = geo_distance(s->at, p);
	return true;
}

/* --- covering a shape ------------------------------------------------------------------------- */

/* Where the shape ends; the side away from the equator is the wider one in degrees. */
static struct area bounds(const struct geo_shape *s)
{
	double height = s->unit * (s->box ? s->height / 2 : s->radius);
	double width = s->unit * (s->box ? s->width / 2 : s->radius);
	double dlat = height / EARTH_RADIUS / DEGREE;
	double edge = s->at.lat < 0 ? s->at.lat - dlat : s->at.lat + dlat;
	double dlon = width / EARTH_RADIUS / cos(edge * DEGREE) / DEGREE;

	return (struct area){
		.lon = {s->at.lon - dlon, s->at.lon + dlon},
		.lat = {s->at.lat - dlat, s->at.lat + dlat},
	};
}

static uint8_t steps_for(double metres, double lat)
{
	int step = 1;

	if (metres == 0)
		return GEO_STEP_MAX;
	for (; metres < MERCATOR_MAX; metres *= 2)
		step++;
	step -= 2;
	/* cells are narrow near the poles */
	if (lat > 66 || lat < -66)
		step -= lat > 80 || lat < -80 ? 2 : 1;
	return (uint8_t)(step < 1 ? 1 : step > GEO_STEP_MAX ? GEO_STEP_MAX : step);
}

enum side {
	HERE,
	NORTH,
	SOUTH,
	EAST,
	WEST,
	NORTH_EAST,
	NORTH_WEST,
	SOUTH_EAST,
	SOUTH_WEST,
};

static void cells_around(struct geo_cell here, struct geo_cell cells[GEO_CELLS])
{
	cells[HERE] = here;
	cells[NORTH] = beside(here, 0, 1);
	cells[SOUTH] = beside(here, 0, -1);
	cells[EAST] = beside(here, 1, 0);
	cells[WEST] = beside(here, -1, 0);
	cells[NORTH_EAST] = beside(here, 1, 1);
	cells[NORTH_WEST] = beside(here, -1, 1);
	cells[SOUTH_EAST] = beside(here, 1, -1);
	cells[SOUTH_WEST] = beside(here, -1, -1);
}

static bool reach(const struct geo_cell cells[GEO_CELLS], const struct area *b)
{
	return !(cell_area(cells[NORTH]).lat.max < b->lat.max) &&
	       !(cell_area(cells[SOUTH]).lat.min > b->lat.min) &&
	       !(cell_area(cells[EAST]).lon.max < b->lon.max) &&
	       !(cell_area(cells[WEST]).lon.min > b->lon.min);
}

static void leave_out(struct geo_cell cells[GEO_CELLS], enum side a, enum side b, enum side c)
{
	cells[a] = cells[b] = cells[c] = (struct geo_cell){0};
}

void geo_shape_cells(const struct geo_shape *s, struct geo_cell cells[GEO_CELLS])
{
	struct area b = bounds(s), here;
	double radius =
		s->box ? sqrt((s->width / 2) * (s->width / 2) + (s->height / 2) * (s->height / 2))
		       : s->radius;
	uint8_t step = steps_for(radius * s->unit, s->at.lat);

	cells_around(cell_at(s->at, world_lon, world_lat, step), cells);
	if (step > 1 && !reach(cells, &b)) {
		step--;
		cells_around(cell_at(s->at, world_lon, world_lat, step), cells);
	}
	if (step < 2)
		return;
	here = cell_area(cells[HERE]);
	if (here.lat.min < b.lat.min)
		leave_out(cells, SOUTH, SOUTH_WEST, SOUTH_EAST);
	if (here.lat.max > b.lat.max)
		leave_out(cells, NORTH, NORTH_EAST, NORTH_WEST);
	if (here.lon.min < b.lon.min)
		leave_out(cells, WEST, SOUTH_WEST, NORTH_WEST);
	if (here.lon.max > b.lon.max)
		leave_out(cells, EAST, SOUTH_EAST, NORTH_EAST);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Text geohashes count latitudes from pole to pole. 52 bits are ten characters; the eleventh is
 * always 0. */
void geo_text(struct geo_point p, char text[11])
{
	static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
	const struct range lat = {-90, 90};
	uint64_t bits = cell_at(p, world_lon, lat, GEO_STEP_MAX).bits;

	for (unsigned i = 0; i < 10; i++)
		text[i] = digits[bits >> (52 - (i + 1) * 5) & 31];
	text[10] = digits[0];
}
