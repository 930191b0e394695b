/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of hll_commands. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_HLL_CMDS_H
#define MILLRACE_APP_COMMANDS_HLL_CMDS_H

struct client;

/* hll_cmds.c */
void hll_cmd_pfadd(struct client *c);
void hll_cmd_pfcount(struct client *c);
void hll_cmd_pfmerge(struct client *c);

/* hll_debug.c */
void hll_cmd_pfdebug(struct client *c);
void hll_cmd_pfselftest(struct client *c);

#endif
