/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets in a listpack.
 */
#include "app/keyspace/types/zset_priv.h"

#include "app/keyspace/types/listpack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SCORE_READ_MAX 127 /* bytes of a score's text that count, as in Redis */

static bool score_int(double score, int64_t *out)
{
	/* half the range of 64 bits: beyond it Redis writes text */
	if (!(score >= (double)(-INT64_MAX / 2) && score <= (double)(INT64_MAX / 2)))
		return false;
	*out = (int64_t)score;
	return (double)*out == score;
}

size_t zset_score_text(double score, char buf[ZSET_SCORE_TEXT_MAX])
{
	return (size_t)snprintf(buf, ZSET_SCORE_TEXT_MAX, "%.17g", score);
}

double zpack_score(const unsigned char *p)
{
	struct lp_val v = lp_get(p);
	char text[SCORE_READ_MAX + 1];
	size_t len = v.len < SCORE_READ_MAX ? v.len : SCORE_READ_MAX;

	if (!v.str)
		return (double)v.num;
	memcpy(text, v.str, len);
	text[len] = '\0';
	return strtod(text, NULL);
}

bool zset_listpack_valid(const unsigned char *lp)
{
	bool score = false;

	for (const unsigned char *p = lp_first(lp); p; p = lp_next(lp, p), score = !score) {
		if (score && isnan(zpack_score(p)))
			return false;
	}
	return !score;
}

static bool insert_score(unsigned char **lp, unsigned char *member, double score)
{
	char text[ZSET_SCORE_TEXT_MAX];
	int64_t num;

	if (score_int(score, &num))
		return lp_insert_int(lp, member, num, LP_AFTER, NULL);
	return lp_insert(lp, member, text, zset_score_text(score, text), LP_AFTER, NULL);
}

/* The member that has to follow, or NULL. */
static unsigned char *place_for(
	const unsigned char *lp, const void *member, size_t len, double score)
{
	struct slice name = {member, len};
	char buf[KS_INT_STR_MAX];
	unsigned char *p, *s;

	for (p = lp_first(lp); p; p = lp_next(lp, s)) {
		s = lp_next(lp, p);
		double there = zpack_score(s);

		if (there > score)
			break;
		if (there == score && zset_member_cmp(lp_text(p, buf), name) > 0)
			break;
	}
	return p;
}

/* Inserts before p, or at the end (NULL). */
static bool insert_at(
	unsigned char **lp, unsigned char *p, const void *member, size_t len, double score)
{
	unsigned char *m;

	if (p) {
		if (!lp_insert(lp, p, member, len, LP_BEFORE, &m))
			return false;
	} else {
		if (!lp_append(lp, member, len))
			return false;
		m = lp_last(*lp);
	}
	if (insert_score(lp, m, score))
		return true;
	lp_delete(lp, m);
	return false;
}

bool zpack_add(unsigned char **lp, const void *member, size_t len, double score)
{
	return insert_at(lp, place_for(*lp, member, len, score), member, len, score);
}

/* The new pair first: so when memory is out the old one is still there. */
bool zpack_set_score(
	unsigned char **lp, unsigned char *p, const void *member, size_t len, double score)
{
	unsigned char *place = place_for(*lp, member, len, score);
	size_t bytes = lp_bytes(*lp), old = (size_t)(p - *lp);
	bool moves = place && place <= p;

	if (!insert_at(lp, place, member, len, score))
		return false;
	if (moves)
		old += lp_bytes(*lp) - bytes;
	lp_delete_at(lp, *lp + old, 2);
	return true;
}

uint64_t zpack_rank(const unsigned char *lp, const unsigned char *p)
{
	uint64_t rank = 0;

	while ((p = lp_prev(lp, p)))
		rank++;
	return rank / 2;
}

struct zset_ranks zpack_range_scores(const unsigned char *lp, const struct zset_scores *r)
{
	struct zset_ranks ranks = {0};
	bool begun = false;
	unsigned char *p, *s;

	for (p = lp_first(lp); p; p = lp_next(lp, s), ranks.to++) {
		s = lp_next(lp, p);
		double score = zpack_score(s);

		begun = begun || !zset_score_below(score, r);
		if (!begun)
			ranks.from++;
		else if (!zset_score_within(score, r))
			break;
	}
	return ranks;
}

static bool ends_before(const unsigned char *p, const struct zset_lex *r)
{
	char buf[KS_INT_STR_MAX];

	return zset_lex_below(lp_text(p, buf), r);
}

static bool begins_behind(const unsigned char *p, const struct zset_lex *r)
{
	char buf[KS_INT_STR_MAX];

	return !zset_lex_within(lp_text(p, buf), r);
}

static struct zset_ranks lex_forward(const unsigned char *lp, const struct zset_lex *r)
{
	struct zset_ranks ranks = {0};
	uint64_t skip = r->skip;
	bool begun = false;
	unsigned char *p;

	for (p = lp_first(lp); p; p = lp_next(lp, lp_next(lp, p)), ranks.to++) {
		bool first = !begun && !ends_before(p, r);

		begun = begun || first;
		if (begun && (first || skip == 0) && begins_behind(p, r))
			break;
		if (!begun || skip > 0)
			ranks.from++;
		skip -= begun && skip > 0;
	}
	return ranks;
}

static struct zset_ranks lex_backward(const unsigned char *lp, const struct zset_lex *r)
{
	uint64_t nr = lp_count(lp) / 2, skip = r->skip;
	struct zset_ranks ranks = {nr, nr};
	bool begun = false;
	unsigned char *p = lp_seek(lp, -2);

	for (; p; ranks.from--) {
		bool first = !begun && !begins_behind(p, r);

		begun = begun || first;
		if (begun && (first || skip == 0) && ends_before(p, r))
			break;
		if (!begun || skip > 0)
			ranks.to--;
		skip -= begun && skip > 0;
		p = lp_prev(lp, p);
		p = p ? lp_prev(lp, p) : NULL;
	}
	return ranks;
}

struct zset_ranks zpack_range_lex(const unsigned char *lp, const struct zset_lex *r, bool reverse)
{
	const unsigned char *last = lp_seek(lp, -2);

	/* Redis looks at both ends first, which matters when scores differ */
	if (!last || ends_before(last, r) || begins_behind(lp_first(lp), r))
		return (struct zset_ranks){0};
	return reverse ? lex_backward(lp, r) : lex_forward(lp, r);
}
