/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: ZADD, ZINCRBY and ZREM.
 */
#include "app/commands/keys.h"
#include "app/commands/zset_cmds.h"

#include <math.h>
#include <stdlib.h>

/* What became of the pairs. */
struct put {
	struct obj_limits lim;
	unsigned flags;
	uint64_t added, updated;
	bool processed; /* INCR replies the score of a member that was not passed over */
	double score;
};

enum put_rc {
	PUT_DONE,
	PUT_NAN,
	PUT_NO_MEMORY,
};

static const struct {
	const char *word;
	unsigned flag;
} put_words[] = {
	{"nx", ZSET_PUT_NX},
	{"xx", ZSET_PUT_XX},
	{"gt", ZSET_PUT_GT},
	{"lt", ZSET_PUT_LT},
	{"ch", ZSET_PUT_CH},
	{"incr", ZSET_PUT_INCR},
};
#define NR_PUT_WORDS (sizeof(put_words) / sizeof(put_words[0]))

static enum put_rc put_new(struct put *put, struct obj *o, const struct slice *member, double score)
{
	if (put->flags & ZSET_PUT_XX)
		return PUT_DONE;
	if (!zset_add(o, member->ptr, member->len, score, &put->lim))
		return PUT_NO_MEMORY;
	put->added++;
	put->processed = true;
	put->score = score;
	return PUT_DONE;
}

static enum put_rc put_one(struct put *put, struct obj *o, const struct slice *member, double score)
{
	struct zset_ref ref;

	if (!zset_find(o, member->ptr, member->len, &ref))
		return put_new(put, o, member, score);
	if (put->flags & ZSET_PUT_NX)
		return PUT_DONE;
	if (put->flags & ZSET_PUT_INCR)
		score += ref.score;
	if (isnan(score))
		return PUT_NAN;
	if (((put->flags & ZSET_PUT_LT) && score >= ref.score) ||
		((put->flags & ZSET_PUT_GT) && score <= ref.score))
		return PUT_DONE;
	put->processed = true;
	put->score = score;
	if (score == ref.score)
		return PUT_DONE;
	if (!zset_set_score(o, &ref, member->ptr, member->len, score))
		return PUT_NO_MEMORY;
	put->updated++;
	return PUT_DONE;
}

/* After the set has been closed: what the log and others are told. */
static void put_tell(struct client *c, const struct put *put)
{
	if (put->added + put->updated == 0)
		return;
	cmd_dirty(c, put->added + put->updated);
	cmd_notify(c, NOTIFY_ZSET, put->flags & ZSET_PUT_INCR ? "zincr" : "zadd", &c->argv[1]);
}

static void put_reply(struct client *c, const struct put *put)
{
	if (!(put->flags & ZSET_PUT_INCR))
		reply_int(c, (int64_t)(put->added + (put->flags & ZSET_PUT_CH ? put->updated : 0)));
	else if (put->processed)
		reply_double(c, put->score);
	else
		reply_null(c);
}

bool zset_put_pairs(struct client *c, unsigned flags, uint32_t first, const double *scores)
{
	struct put put = {.lim = coll_limits(c), .flags = flags};
	enum put_rc rc = PUT_DONE;
	struct coll set;
	uint32_t i;

	if (!coll_open(c, &c->argv[1], OBJ_ZSET, &set))
		return false;
	if (!set.e && (flags & ZSET_PUT_XX)) {
		put_reply(c, &put);
		return false;
	}
	if (!coll_edit(c, &set) && !zset_create(&set.obj, &put.lim, c->argv[first + 1].len)) {
		key_no_memory(c, false);
		return false;
	}
	for (i = first; i < c->argc && rc == PUT_DONE; i += 2)
		rc = put_one(&put, &set.obj, &c->argv[i + 1], *scores++);
	if (rc == PUT_NO_MEMORY && put.added + put.updated > 0)
		prop_replace(c, (int)i - 2, c->argv);
	if (!coll_close(c, &set, false) && put.added > 0)
		return false;
	put_tell(c, &put);
	if (rc == PUT_NAN)
		reply_err(c, "ERR resulting score is not a number (NaN)");
	else if (rc == PUT_NO_MEMORY)
		key_no_memory(c, false);
	else
		put_reply(c, &put);
	return rc == PUT_DONE && put.added + put.updated > 0;
}

double *zset_scores_read(struct client *c, uint32_t first)
{
	double *scores = malloc((c->argc - first) / 2 * sizeof(*scores));

	if (!scores) {
		key_no_memory(c, false);
		return NULL;
	}
	for (uint32_t i = first; i < c->argc; i += 2) {
		if (arg_double_reply(c, &c->argv[i], &scores[(i - first) / 2], NULL))
			continue;
		free(scores);
		return NULL;
	}
	return scores;
}

static bool flags_fit(struct client *c, unsigned flags, uint32_t nr_pairs)
{
	unsigned one = flags & (ZSET_PUT_NX | ZSET_PUT_GT | ZSET_PUT_LT);

	if ((flags & ZSET_PUT_NX) && (flags & ZSET_PUT_XX)) {
		reply_err(c, "ERR XX and NX options at the same time are not compatible");
		return false;
	}
	if (one & (one - 1)) {
		reply_err(c, "ERR GT, LT, and/or NX options at the same time are not compatible");
		return false;
	}
	if ((flags & ZSET_PUT_INCR) && nr_pairs > 1) {
		reply_err(c, "ERR INCR option supports a single increment-element pair");
		return false;
	}
	return true;
}

static void put_command(struct client *c, unsigned flags)
{
	uint32_t first = 2;
	double *scores;

	for (; first < c->argc; first++) {
		size_t w = 0;

		while (w < NR_PUT_WORDS && !arg_is(&c->argv[first], put_words[w].word))
			w++;
		if (w == NR_PUT_WORDS)
			break;
		flags |= put_words[w].flag;
	}
	if (first == c->argc || (c->argc - first) % 2 != 0) {
		reply_err(c, REPLY_SYNTAX);
		return;
	}
	if (!flags_fit(c, flags, (c->argc - first) / 2))
		return;
	scores = zset_scores_read(c, first);
	if (scores)
		zset_put_pairs(c, flags, first, scores);
	free(scores);
}

void zset_cmd_zadd(struct client *c)
{
	put_command(c, 0);
}

void zset_cmd_zincrby(struct client *c)
{
	put_command(c, ZSET_PUT_INCR);
}

void zset_cmd_zrem(struct client *c)
{
	struct coll set;
	int64_t removed = 0;

	if (!coll_open(c, &c->argv[1], OBJ_ZSET, &set))
		return;
	if (!coll_edit(c, &set)) {
		reply_int(c, 0);
		return;
	}
	for (uint32_t i = 2; i < c->argc && zset_count(&set.obj) > 0; i++) {
		struct zset_ref ref;

		if (!zset_find(&set.obj, c->argv[i].ptr, c->argv[i].len, &ref))
			continue;
		zset_remove(&set.obj, &ref);
		removed++;
	}
	if (removed > 0) {
		cmd_dirty(c, (uint64_t)removed);
		cmd_notify(c, NOTIFY_ZSET, "zrem", &c->argv[1]);
	}
	coll_close(c, &set, false);
	reply_int(c, removed);
}
