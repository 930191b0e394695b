/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Places on the earth as integers: the two coordinates, each a fraction of its range in up to 26
 * bits, with their bits in turn (latitude in the even ones). A cell of fewer bits is the square
 * that holds all places beginning with them. Scores of geo sets are such integers of 52 bits.
 *
 * Arithmetic is that of redis-server 7.0, operation by operation, for equal digits. Longitudes
 * are -180 to 180, latitudes those of EPSG:3857, distances are haversine on a sphere.
 */
#ifndef MILLRACE_APP_COMMANDS_GEOHASH_H
#define MILLRACE_APP_COMMANDS_GEOHASH_H

#include <stdbool.h>
#include <stdint.h>

#define GEO_LON_MAX  180.0
#define GEO_LAT_MAX  85.05112878
#define GEO_STEP_MAX 26

struct geo_point {
	double lon, lat;
};
struct geo_cell {
	uint64_t bits;
	uint8_t step; /* bits of each coordinate; 0: no cell */
};

/* The circle or box around a place in which members are looked for; metres. */
struct geo_shape {
	struct geo_point at;
	bool box;
	double radius;        /* of a circle */
	double width, height; /* of a box */
	double unit;          /* the above are in it, metres */
};

#define GEO_CELLS 9
/* Cells that cover a shape, its own first; those that cannot hold anything of it have step 0. */
void geo_shape_cells(const struct geo_shape *s, struct geo_cell cells[GEO_CELLS]);
/* Whether the place is inside, and how far from the middle in metres. */
bool geo_shape_holds(const struct geo_shape *s, struct geo_point p, double *metres);

uint64_t geo_score(struct geo_point p);
struct geo_point geo_place(double score);
/* Scores of the places in a cell: from <= score < to. */
void geo_cell_scores(struct geo_cell cell, double *from, double *to);
double geo_distance(struct geo_point a, struct geo_point b);
/* The usual text form, of 11 characters without an end. */
void geo_text(struct geo_point p, char text[11]);

#endif
