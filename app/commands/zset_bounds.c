/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/zset_bounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As strtod() reads it: blanks before the number and nothing at all (0) pass, as in Redis; so does
 * whatever is behind a zero byte. */
static bool bound(const struct slice *a, double *score, bool *open)
{
	char small[128], *text = small, *end;
	bool ok;

	*open = a->len > 0 && a->ptr[0] == '(';
	if (a->len >= sizeof(small)) {
		text = malloc(a->len + 1);
		if (!text)
			return false;
	}
	memcpy(text, a->ptr, a->len);
	text[a->len] = '\0';
	*score = strtod(text + *open, &end);
	ok = *end == '\0' && !isnan(*score);
	if (text != small)
		free(text);
	return ok;
}

bool zset_scores_arg(
	struct client *c, const struct slice *min, const struct slice *max, struct zset_scores *out)
{
	if (bound(min, &out->min, &out->min_open) && bound(max, &out->max, &out->max_open))
		return true;
	reply_err(c, "ERR min or max is not a float");
	return false;
}

static bool lex_bound(
	const struct slice *a, struct slice *bytes, enum zset_lex_end *end, bool *open)
{
	char first = a->len > 0 ? a->ptr[0] : '\0';

	*open = first == '(';
	*end = first == '-' ? ZSET_LEX_LOW : first == '+' ? ZSET_LEX_HIGH : ZSET_LEX_BYTES;
	if (*end != ZSET_LEX_BYTES)
		return a->len == 1 || a->ptr[1] == '\0';
	if (first != '(' && first != '[')
		return false;
	*bytes = (struct slice){a->ptr + 1, a->len - 1};
	return true;
}

bool zset_lex_arg(
	struct client *c, const struct slice *min, const struct slice *max, struct zset_lex *out)
{
	*out = (struct zset_lex){0};
	if (lex_bound(min, &out->min, &out->min_end, &out->min_open) &&
		lex_bound(max, &out->max, &out->max_end, &out->max_open))
		return true;
	reply_err(c, "ERR min or max not valid string range item");
	return false;
}

struct zset_ranks zset_ranks_clip(int64_t start, int64_t stop, uint64_t nr)
{
	int64_t n = (int64_t)nr;

	if (start < 0)
		start += n;
	if (stop < 0)
		stop += n;
	if (start < 0)
		start = 0;
	if (start > stop || start >= n)
		return (struct zset_ranks){0};
	if (stop >= n)
		stop = n - 1;
	return (struct zset_ranks){(uint64_t)start, (uint64_t)stop + 1};
}
