/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of string_commands. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_STRING_CMDS_H
#define MILLRACE_APP_COMMANDS_STRING_CMDS_H

struct client;

/* string_set.c */
void string_cmd_set(struct client *c);
void string_cmd_setnx(struct client *c);
void string_cmd_setex(struct client *c);
void string_cmd_psetex(struct client *c);
void string_cmd_getset(struct client *c);
void string_cmd_getex(struct client *c);
void string_cmd_getdel(struct client *c);
void string_cmd_mset(struct client *c);
void string_cmd_msetnx(struct client *c);

/* string.c */
void string_cmd_get(struct client *c);
void string_cmd_mget(struct client *c);
void string_cmd_strlen(struct client *c);
void string_cmd_getrange(struct client *c);
void string_cmd_setrange(struct client *c);
void string_cmd_append(struct client *c);
void string_cmd_incr(struct client *c);
void string_cmd_decr(struct client *c);
void string_cmd_incrby(struct client *c);
void string_cmd_decrby(struct client *c);
void string_cmd_incrbyfloat(struct client *c);

/* string_lcs.c */
void string_cmd_lcs(struct client *c);

#endif
