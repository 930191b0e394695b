/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of geo_commands, each as command.h describes, and the arguments that they share.
 */
#ifndef MILLRACE_APP_COMMANDS_GEO_CMDS_H
#define MILLRACE_APP_COMMANDS_GEO_CMDS_H

#include "app/commands/command.h"
#include "app/commands/geohash.h"

/* Two arguments, longitude and latitude. These reply the error. */
bool geo_point_arg(struct client *c, const struct slice *args, struct geo_point *p);
/* The metres of m, km, ft or mi. */
bool geo_unit_arg(struct client *c, const struct slice *a, double *metres);
/* As GEODIST replies it: four digits behind the point. */
void geo_reply_distance(struct client *c, double d);
void geo_reply_point(struct client *c, struct geo_point p);

/* geo.c */
void geo_cmd_geoadd(struct client *c);
void geo_cmd_geodist(struct client *c);
void geo_cmd_geohash(struct client *c);
void geo_cmd_geopos(struct client *c);

/* geo_search.c */
void geo_cmd_georadius(struct client *c);
void geo_cmd_georadius_ro(struct client *c);
void geo_cmd_georadiusbymember(struct client *c);
void geo_cmd_georadiusbymember_ro(struct client *c);
void geo_cmd_geosearch(struct client *c);
void geo_cmd_geosearchstore(struct client *c);

#endif
