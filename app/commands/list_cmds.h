/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of list_commands, and what the commands that wait for elements are made of. Each
 * runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_LIST_CMDS_H
#define MILLRACE_APP_COMMANDS_LIST_CMDS_H

#include "app/commands/command.h"
#include "app/keyspace/types/list.h"

/* LEFT or RIGHT, or a syntax error is replied. */
bool list_side_arg(struct client *c, const struct slice *arg, enum list_side *side);

/* What these do is logged as if the command had been the one that does just that. They reply, but
 * for LIST_NOTHING. */
enum list_result {
	LIST_DONE,
	LIST_NOTHING, /* no element anywhere: nothing has been replied */
	LIST_FAILED,  /* the error has been replied */
};
/* BLPOP, BRPOP: one element of the first list that has one: [key, element]. */
enum list_result list_pop_first(
	struct client *c, const struct slice *keys, uint32_t nr_keys, enum list_side side);
/* LMPOP: up to count elements of it: [key, [element ...]]. */
enum list_result list_mpop(struct client *c, const struct slice *keys, uint32_t nr_keys,
	enum list_side side, size_t count);
/* LMOVE: an element from one list to another, which may be the same: the element. */
enum list_result list_move(struct client *c, const struct slice *src, const struct slice *dst,
	enum list_side from, enum list_side to);
/* "numkeys key [key ...] LEFT|RIGHT [COUNT n]", numkeys being argv[at]. False: replied. */
struct list_mpop_args {
	const struct slice *keys;
	uint32_t nr_keys;
	enum list_side side;
	size_t count;
};
bool list_mpop_args(struct client *c, uint32_t at, struct list_mpop_args *out);

/* list.c */
void list_cmd_push(struct client *c); /* LPUSH RPUSH LPUSHX RPUSHX */
void list_cmd_pop(struct client *c);  /* LPOP RPOP */
void list_cmd_llen(struct client *c);
void list_cmd_lindex(struct client *c);
void list_cmd_lrange(struct client *c);
void list_cmd_lpos(struct client *c);

/* list_change.c */
void list_cmd_lset(struct client *c);
void list_cmd_linsert(struct client *c);
void list_cmd_lrem(struct client *c);
void list_cmd_ltrim(struct client *c);

/* list_move.c */
void list_cmd_lmove(struct client *c);
void list_cmd_rpoplpush(struct client *c);
void list_cmd_lmpop(struct client *c);

/* list_block.c */
void list_cmd_bpop(struct client *c);  /* BLPOP BRPOP */
void list_cmd_bmove(struct client *c); /* BLMOVE BRPOPLPUSH */
void list_cmd_blmpop(struct client *c);

#endif
