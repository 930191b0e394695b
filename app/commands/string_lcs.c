/* SPDX-License-Identifier: BSD-3-Clause
 *
 * LCS: the longest common subsequence of two strings.
 *
 * Table t of (a.len + 1) x (b.len + 1) lengths: t[i][j] is the length for the first i bytes of a
 * and the first j of b. Walking back from the far corner yields the subsequence; where two ways are
 * equally good, the walk shortens b, as Redis' does, so that both give the same one.
 */
#include "app/commands/string_cmds.h"

#include "app/commands/keys.h"

#include <stdlib.h>
#include <string.h>

struct lcs {
	struct slice a, b;
	uint32_t *t;
	bool idx, len_only, with_len;
	int64_t min_len;
	size_t nr_matches; /* runs replied so far */
};

static uint32_t *cell(const struct lcs *l, size_t i, size_t j)
{
	return &l->t[i * (l->b.len + 1) + j];
}

static bool parse_opts(struct client *c, struct lcs *l)
{
	for (uint32_t i = 3; i < c->argc; i++) {
		if (arg_is(&c->argv[i], "idx")) {
			l->idx = true;
		} else if (arg_is(&c->argv[i], "len")) {
			l->len_only = true;
		} else if (arg_is(&c->argv[i], "withmatchlen")) {
			l->with_len = true;
		} else if (arg_is(&c->argv[i], "minmatchlen") && i + 1 < c->argc) {
			if (!arg_int_reply(c, &c->argv[++i], &l->min_len))
				return false;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	if (l->idx && l->len_only) {
		reply_err(c, "ERR If you want both the length and indexes, please just use IDX.");
		return false;
	}
	return true;
}

static bool table_create(struct client *c, struct lcs *l)
{
	size_t bytes;

	if (l->a.len >= UINT32_MAX - 1 || l->b.len >= UINT32_MAX - 1) {
		reply_err(c, "ERR String too long for LCS");
		return false;
	}
	if (__builtin_mul_overflow((l->a.len + 1) * sizeof(*l->t), l->b.len + 1, &bytes) ||
		bytes > (size_t)atomic_load(&c->srv->cfg->proto_max_bulk_len)) {
		reply_err(c, "ERR Insufficient memory, transient memory for LCS exceeds "
			     "proto-max-bulk-len");
		return false;
	}
	l->t = malloc(bytes);
	if (l->t)
		return true;
	reply_err(c, "ERR Insufficient memory, failed allocating transient memory for LCS");
	return false;
}

static void table_fill(struct lcs *l)
{
	memset(l->t, 0, (l->b.len + 1) * sizeof(*l->t));
	for (size_t i = 1; i <= l->a.len; i++) {
		uint32_t *above = cell(l, i - 1, 0), *row = cell(l, i, 0);

		row[0] = 0;
		for (size_t j = 1; j <= l->b.len; j++) {
			if (l->a.ptr[i - 1] == l->b.ptr[j - 1])
				row[j] = above[j - 1] + 1;
			else
				row[j] = above[j] > row[j - 1] ? above[j] : row[j - 1];
		}
	}
}

/* Replies one run of len matching bytes, at i in a and at j in b, unless it is too short. */
static void reply_run(struct client *c, struct lcs *l, size_t i, size_t j, size_t len)
{
	if ((int64_t)len < l->min_len)
		return;
	l->nr_matches++;
	reply_array(c, 2 + l->with_len);
	reply_array(c, 2);
	reply_int(c, (int64_t)i);
	reply_int(c, (int64_t)(i + len - 1));
	reply_array(c, 2);
	reply_int(c, (int64_t)j);
	reply_int(c, (int64_t)(j + len - 1));
	if (l->with_len)
		reply_int(c, (int64_t)len);
}

/* Walks back. out, when given, has room for all of the subsequence; runs are replied with IDX. */
static void walk_back(struct client *c, struct lcs *l, char *out)
{
	size_t i = l->a.len, j = l->b.len, run = 0;
	size_t left = *cell(l, i, j);

	while (i > 0 && j > 0) {
		if (l->a.ptr[i - 1] == l->b.ptr[j - 1]) {
			i--;
			j--;
			run++;
			if (out)
				out[--left] = l->a.ptr[i];
			continue;
		}
		if (run && l->idx)
			reply_run(c, l, i, j, run);
		run = 0;
		if (*cell(l, i - 1, j) > *cell(l, i, j - 1))
			i--;
		else
			j--;
	}
	if (run && l->idx)
		reply_run(c, l, i, j, run);
}

static void reply_result(struct client *c, struct lcs *l)
{
	uint32_t len = *cell(l, l->a.len, l->b.len);

	if (l->idx) {
		reply_map(c, 2);
		reply_bulk_str(c, "matches");
		reply_defer_begin(c);
		walk_back(c, l, NULL);
		reply_defer_end_array(c, l->nr_matches);
		reply_bulk_str(c, "len");
		reply_int(c, len);
	} else if (l->len_only) {
		reply_int(c, len);
	} else {
		char *out = malloc(len ? len : 1);

		if (!out) {
			key_no_memory(c, false);
			return;
		}
		walk_back(c, l, out);
		reply_bulk(c, out, len);
		free(out);
	}
}

void string_cmd_lcs(struct client *c)
{
	char buf_a[KS_INT_STR_MAX], buf_b[KS_INT_STR_MAX];
	struct lcs l = {0};
	struct entry *a = lookup_read(c, &c->argv[1]);
	struct entry *b = lookup_read(c, &c->argv[2]);

	if ((a && entry_type(a) != OBJ_STRING) || (b && entry_type(b) != OBJ_STRING)) {
		reply_err(c, "ERR The specified keys must contain string values");
		return;
	}
	l.a = a ? entry_str(a, buf_a) : slice_str("");
	l.b = b ? entry_str(b, buf_b) : slice_str("");
	if (!parse_opts(c, &l) || !table_create(c, &l))
		return;
	table_fill(&l);
	reply_result(c, &l);
	free(l.t);
}
