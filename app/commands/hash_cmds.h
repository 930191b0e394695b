/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of hash_commands. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_HASH_CMDS_H
#define MILLRACE_APP_COMMANDS_HASH_CMDS_H

struct client;

/* hash.c */
void hash_cmd_hdel(struct client *c);
void hash_cmd_hincrby(struct client *c);
void hash_cmd_hincrbyfloat(struct client *c);
void hash_cmd_hmset(struct client *c);
void hash_cmd_hset(struct client *c);
void hash_cmd_hsetnx(struct client *c);

/* hash_read.c */
void hash_cmd_hexists(struct client *c);
void hash_cmd_hget(struct client *c);
void hash_cmd_hgetall(struct client *c);
void hash_cmd_hkeys(struct client *c);
void hash_cmd_hlen(struct client *c);
void hash_cmd_hmget(struct client *c);
void hash_cmd_hrandfield(struct client *c);
void hash_cmd_hscan(struct client *c);
void hash_cmd_hstrlen(struct client *c);
void hash_cmd_hvals(struct client *c);

#endif
