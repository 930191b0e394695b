/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Geohashes against what redis-server 7.0.15 made of the same places, and the cells of a search
 * against all places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/commands/geohash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	struct geo_point p;
	uint64_t score;
	const char *text, *lon, *lat;
} places[] = {
	{{13.361389, 38.115556}, UINT64_C(3479099956230698), "sqc8b49rny0", "13.36138933897018433",
		"38.11555639549629859"},
	{{15.087269, 37.502669}, UINT64_C(3479447370796909), "sqdtr74hyu0", "15.08726745843887329",
		"37.50266842333162032"},
	{{-180, -85.05112878}, 0, "00bh0hbj200", "-179.99999731779098511", "-85.05112751263942528"},
	{{180, 85.05112878}, UINT64_C(13510798882111488), "bp05b5048p0", "180",
		"85.0511287799999991"},
	{{0, 0}, UINT64_C(3377699720527872), "s0000000000", "0.00000268220901489",
		"0.00000126736058093"},
	{{-122.4194, 37.7749}, UINT64_C(1367859919124626), "9q8yyk8ytp0", "-122.41940170526504517",
		"37.77490001056577995"},
	{{179.9999, 10}, UINT64_C(4134140898114999), "xczbzuryjx0", "179.99990075826644897",
		"10.00000092823272979"},
};
#define NR_PLACES (sizeof(places) / sizeof(places[0]))

static void check_coordinate(double v, const char *want)
{
	assert_true(fabs(v - strtod(want, NULL)) < 1e-17 + fabs(v) * 1e-16);
}

static void places_are_those_of_redis(void **state)
{
	for (size_t i = 0; i < NR_PLACES; i++) {
		struct geo_point p = geo_place((double)places[i].score);
		char text[11];

		assert_int_equal(geo_score(places[i].p), places[i].score);
		check_coordinate(p.lon, places[i].lon);
		check_coordinate(p.lat, places[i].lat);
		geo_text(p, text);
		assert_memory_equal(text, places[i].text, sizeof(text));
	}
}

static void any_score_is_some_place(void **state)
{
	static const double scores[] = {
		1e300, -5, -INFINITY, 1.5, INFINITY, -1e30, 0x1p53, 0x1p63, -0x1p63, 0x1p64, NAN};

	for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
		struct geo_point p = geo_place(scores[i]);

		assert_true(fabs(p.lon) <= GEO_LON_MAX && fabs(p.lat) <= GEO_LAT_MAX);
	}
}

static double uniform(double min, double max)
{
	return min + (max - min) * (rand() / (double)RAND_MAX);
}

static bool covered(const struct geo_cell cells[GEO_CELLS], double score)
{
	for (unsigned i = 0; i < GEO_CELLS; i++) {
		double from, to;

		if (cells[i].step == 0)
			continue;
		geo_cell_scores(cells[i], &from, &to);
		if (from <= score && score < to)
			return true;
	}
	return false;
}

/* Away from the poles and the date line, where Redis' own bounds do not reach all around. */
static void cells_cover_the_shape(void **state)
{
	unsigned nr_inside = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct geo_shape s = {.at = {uniform(-120, 120), uniform(-50, 50)}, .unit = 1000};
		struct geo_cell cells[GEO_CELLS];
		double metres, reach = pow(10, uniform(-3, 3.1)), degrees = reach / 111;
		struct geo_point p = {s.at.lon + uniform(-degrees, degrees) * 1.4,
			s.at.lat + uniform(-degrees, degrees)};

		s.box = rand() % 2;
		s.radius = reach;
		s.width = reach * 2;
		s.height = reach * 2;
		p = geo_place((double)geo_score(p));
		if (!geo_shape_holds(&s, p, &metres))
			continue;
		nr_inside++;
		geo_shape_cells(&s, cells);
		assert_true(covered(cells, (double)geo_score(p)));
	}
	assert_true(nr_inside > 5000);
}

/* usage: test_geohash [seed] */
int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : (unsigned)time(NULL);
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_those_of_redis),
		cmocka_unit_test(any_score_is_some_place),
		cmocka_unit_test(cells_cover_the_shape),
	};

	printf("seed %u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
