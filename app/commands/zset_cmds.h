/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of zset_commands, each as command.h describes, and what they share: with each
 * other, with the commands that wait for a sorted set, and with the geo family, whose keys are
 * sorted sets too.
 */
#ifndef MILLRACE_APP_COMMANDS_ZSET_CMDS_H
#define MILLRACE_APP_COMMANDS_ZSET_CMDS_H

#include "app/commands/collection.h"
#include "app/keyspace/types/zset.h"

/* --- ZADD --- */

enum zset_put_flags {
	ZSET_PUT_NX = 1u << 0,   /* only members that are not there */
	ZSET_PUT_XX = 1u << 1,   /* only members that are */
	ZSET_PUT_GT = 1u << 2,   /* only to a higher score */
	ZSET_PUT_LT = 1u << 3,   /* only to a lower one */
	ZSET_PUT_INCR = 1u << 4, /* the score is added to the present one */
	ZSET_PUT_CH = 1u << 5,   /* changed members are counted too */
};
/* The pairs of argv[first] (score) and argv[first + 1] (member) and so on go into the set that
 * argv[1] names; replies. The scores have been read by zset_scores_read(). Returns whether the
 * whole command has gone through and changed something. */
bool zset_put_pairs(struct client *c, unsigned flags, uint32_t first, const double *scores);
/* Scores of the pairs from argv[first] on, owned by the caller. NULL: an error has been replied. */
double *zset_scores_read(struct client *c, uint32_t first);

/* --- popping, also for BZPOPMIN, BZPOPMAX and BZMPOP --- */

enum zset_end {
	ZSET_MIN,
	ZSET_MAX,
};
enum zset_pop_form {
	ZSET_POP_FLAT,      /* [member, score ...]: ZPOPMIN */
	ZSET_POP_PAIRS,     /* [[member, score] ...]: ZPOPMIN with count in RESP3 */
	ZSET_POP_KEY_FLAT,  /* [key, member, score]: BZPOPMIN */
	ZSET_POP_KEY_PAIRS, /* [key, [[member, score] ...]]: ZMPOP */
};
/* Pops up to count (at least one) members off an open set, which is there, and closes it: reply,
 * log and notifications. The forms with a key are logged as ZPOPMIN or ZPOPMAX. */
void zset_pop(struct client *c, struct coll *set, enum zset_end end, uint64_t count,
	enum zset_pop_form form);

enum zset_found {
	ZSET_FOUND,
	ZSET_NONE,  /* nothing has been replied */
	ZSET_WRONG, /* WRONGTYPE has been replied */
};
/* Opens the first of the keys that is there. */
enum zset_found zset_open_first(
	struct client *c, const struct slice *keys, uint32_t nr, struct coll *set);

struct zset_mpop {
	const struct slice *keys; /* in argv */
	uint32_t nr_keys;
	enum zset_end end;
	uint64_t count;
};
/* The arguments of ZMPOP from the number of keys on, which is argv[at]. False: an error has been
 * replied. */
bool zset_mpop_args(struct client *c, uint32_t at, struct zset_mpop *out);

/* --- replies and arguments --- */

/* The header of n members, with scores or without; one member. */
void zset_reply_header(struct client *c, uint64_t n, bool scores);
void zset_reply_member(struct client *c, struct slice member, double score, bool scores);
/* Keys that follow their number, which is argv[at]; see command_keys_fn. store: argv[1] is one
 * too. */
int zset_keys_numbered(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max,
	uint32_t at, bool store);
/* A key of a *STORE command gets its result (taken), or goes when there is none; replies and
 * logs. event: for the notification. */
void zset_store(struct client *c, const struct slice *key, struct obj *o, const char *event);

/* zset_put.c */
void zset_cmd_zadd(struct client *c);
void zset_cmd_zincrby(struct client *c);
void zset_cmd_zrem(struct client *c);

/* zset_read.c */
void zset_cmd_zcard(struct client *c);
void zset_cmd_zcount(struct client *c);
void zset_cmd_zlexcount(struct client *c);
void zset_cmd_zmscore(struct client *c);
void zset_cmd_zrank(struct client *c);
void zset_cmd_zrevrank(struct client *c);
void zset_cmd_zscore(struct client *c);

/* zset_walk.c */
void zset_cmd_zrandmember(struct client *c);
void zset_cmd_zscan(struct client *c);

/* zset_range.c */
void zset_cmd_zrange(struct client *c);
void zset_cmd_zrangebylex(struct client *c);
void zset_cmd_zrangebyscore(struct client *c);
void zset_cmd_zrangestore(struct client *c);
void zset_cmd_zrevrange(struct client *c);
void zset_cmd_zrevrangebylex(struct client *c);
void zset_cmd_zrevrangebyscore(struct client *c);

/* zset_remrange.c */
void zset_cmd_zremrangebylex(struct client *c);
void zset_cmd_zremrangebyrank(struct client *c);
void zset_cmd_zremrangebyscore(struct client *c);

/* zset_pop.c */
void zset_cmd_zmpop(struct client *c);
void zset_cmd_zpopmax(struct client *c);
void zset_cmd_zpopmin(struct client *c);

/* zset_block.c */
void zset_cmd_bzmpop(struct client *c);
void zset_cmd_bzpop(struct client *c); /* BZPOPMIN BZPOPMAX */

/* zset_join.c */
void zset_cmd_zdiff(struct client *c);
void zset_cmd_zdiffstore(struct client *c);
void zset_cmd_zinter(struct client *c);
void zset_cmd_zintercard(struct client *c);
void zset_cmd_zinterstore(struct client *c);
void zset_cmd_zunion(struct client *c);
void zset_cmd_zunionstore(struct client *c);

#endif
