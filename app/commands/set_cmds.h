/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of set_commands. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_SET_CMDS_H
#define MILLRACE_APP_COMMANDS_SET_CMDS_H

#include <stdint.h>

struct client;
struct obj;
struct slice;

/* set.c */
void set_cmd_sadd(struct client *c);
void set_cmd_scard(struct client *c);
void set_cmd_sismember(struct client *c);
void set_cmd_smembers(struct client *c);
void set_cmd_smismember(struct client *c);
void set_cmd_smove(struct client *c);
void set_cmd_srem(struct client *c);
void set_cmd_sscan(struct client *c);
/* All members of a set. */
void set_reply_all(struct client *c, const struct obj *o);

/* set_random.c */
void set_cmd_spop(struct client *c);
void set_cmd_srandmember(struct client *c);

/* set_combine.c */
void set_cmd_sdiff(struct client *c);
void set_cmd_sdiffstore(struct client *c);
void set_cmd_sinter(struct client *c);
void set_cmd_sintercard(struct client *c);
void set_cmd_sinterstore(struct client *c);
void set_cmd_sunion(struct client *c);
void set_cmd_sunionstore(struct client *c);
/* A command_keys_fn. */
int set_keys_sintercard(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max);

#endif
