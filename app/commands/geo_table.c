/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of geo commands.
 */
#include "app/commands/geo_cmds.h"

#define GEO     .group = "geo", .categories = "geo"
#define ONE_KEY .first_key = 1, .last_key = 1, .key_step = 1, GEO

/* The set, and what STORE and STOREDIST name among the options from argv[from] on. */
static int storing_keys(
	const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max, uint32_t from)
{
	uint32_t n = 1;

	if (argc < 2)
		return -1;
	if (max > 0)
		pos[0] = 1;
	for (uint32_t i = from; i + 1 < argc; i++) {
		if (!arg_is(&argv[i], "store") && !arg_is(&argv[i], "storedist"))
			continue;
		if (n++ < max)
			pos[n - 1] = i + 1;
		i++;
	}
	return (int)n;
}

static int radius_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return storing_keys(argv, argc, pos, max, 6);
}

static int member_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return storing_keys(argv, argc, pos, max, 5);
}

#define IN_SHAPE "O(N+log(M)) with M members in the set, N in the cells that the shape touches"

struct command geo_commands[] = {
	{"geoadd", geo_cmd_geoadd, -5, CMD_WRITE | CMD_DENYOOM, ONE_KEY, .since = "3.2.0",
		.complexity = "O(log(N)) for each place, N in the set",
		.summary = "Adds places or moves them"},
	{"geodist", geo_cmd_geodist, -4, CMD_READONLY, ONE_KEY, .since = "3.2.0",
		.complexity = "O(1)", .summary = "Tells how far two places are apart"},
	{"geohash", geo_cmd_geohash, -2, CMD_READONLY, ONE_KEY, .since = "3.2.0",
		.complexity = "O(1) for each place", .summary = "Reads places as geohash texts"},
	{"geopos", geo_cmd_geopos, -2, CMD_READONLY, ONE_KEY, .since = "3.2.0",
		.complexity = "O(1) for each place", .summary = "Reads the coordinates of places"},
	{"georadius", geo_cmd_georadius, -6, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
		.keys = radius_keys, ONE_KEY, .since = "3.2.0", .complexity = IN_SHAPE,
		.summary = "Finds or stores the places around a point"},
	{"georadius_ro", geo_cmd_georadius_ro, -6, CMD_READONLY, ONE_KEY, .since = "3.2.10",
		.complexity = IN_SHAPE, .summary = "Finds the places around a point"},
	{"georadiusbymember", geo_cmd_georadiusbymember, -5,
		CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, .keys = member_keys, ONE_KEY,
		.since = "3.2.0", .complexity = IN_SHAPE,
		.summary = "Finds or stores the places around another one"},
	{"georadiusbymember_ro", geo_cmd_georadiusbymember_ro, -5, CMD_READONLY, ONE_KEY,
		.since = "3.2.10", .complexity = IN_SHAPE,
		.summary = "Finds the places around another one"},
	{"geosearch", geo_cmd_geosearch, -7, CMD_READONLY, ONE_KEY, .since = "6.2.0",
		.complexity = IN_SHAPE, .summary = "Finds the places in a circle or a box"},
	{"geosearchstore", geo_cmd_geosearchstore, -8, CMD_WRITE | CMD_DENYOOM, .first_key = 1,
		.last_key = 2, .key_step = 1, GEO, .since = "6.2.0", .complexity = IN_SHAPE,
		.summary = "Stores the places in a circle or a box"},
	{0},
};
