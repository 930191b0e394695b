/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HyperLogLog: changing a string, in particular a sparse one.
 *
 * Raising a register splits the run that holds it into up to three, and joins equal values that
 * have come together, within a few runs from the one before on: which joins are tried decides
 * about the bytes, so it is as redis-server does it.
 */
#include "app/commands/hll.h"

#include "app/commands/hll_priv.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_RUN_MAX  64u
#define SPARSE_VAL_MAX 32u
#define VAL_RUN_MAX    4u
#define JOIN_RUNS      5  /* looked at for a join */
#define ROOM           64 /* that a sparse string gets for its growth */

static bool init(struct hll *h, size_t len, size_t cap)
{
	h->str = calloc(1, cap);
	h->len = len;
	h->cap = cap;
	return h->str != NULL;
}

bool hll_init(struct hll *h)
{
	static const uint8_t all_zero[2] = {HLL_RUN_LONG | (HLL_REGISTERS - 1) >> 8, 0xff};

	if (!init(h, HLL_HEADER + sizeof(all_zero), HLL_HEADER + sizeof(all_zero) + ROOM))
		return false;
	memcpy(h->str, "HYLL", 4);
	h->str[4] = HLL_SPARSE;
	memcpy(h->str + HLL_HEADER, all_zero, sizeof(all_zero));
	return true;
}

bool hll_load(struct hll *h, const void *str, size_t len)
{
	if (!init(h, len, len + ROOM))
		return false;
	memcpy(h->str, str, len);
	return true;
}

void hll_fini(struct hll *h)
{
	free(h->str);
	h->str = NULL;
}

enum hll_rc hll_to_dense(struct hll *h)
{
	uint8_t regs[HLL_REGISTERS] = {0};
	struct hll dense;

	if (hll_is_dense(h->str))
		return HLL_SAME;
	if (!hll_merge(h->str, h->len, regs))
		return HLL_CORRUPT;
	if (!init(&dense, HLL_DENSE_BYTES, HLL_DENSE_BYTES))
		return HLL_NO_MEMORY;
	memcpy(dense.str, h->str, HLL_HEADER);
	dense.str[4] = HLL_DENSE;
	for (uint32_t i = 0; i < HLL_REGISTERS; i++)
		hll_dense_set(dense.str, i, regs[i]);
	hll_fini(h);
	*h = dense;
	return HLL_CHANGED;
}

static enum hll_rc raise_dense(struct hll *h, struct hll_mark mark)
{
	if (hll_dense_get(h->str, mark.reg) >= mark.val)
		return HLL_SAME;
	hll_dense_set(h->str, mark.reg, mark.val);
	return HLL_CHANGED;
}

static enum hll_rc promote(struct hll *h, struct hll_mark mark)
{
	enum hll_rc rc = hll_to_dense(h);

	return rc == HLL_CHANGED ? raise_dense(h, mark) : rc;
}

static uint8_t *put_val(uint8_t *at, uint8_t val, uint32_t nr)
{
	*at = (uint8_t)(HLL_RUN_VAL | (val - 1u) << 2 | (nr - 1));
	return at + 1;
}

/* As many registers as were left of a run of val. */
static uint8_t *put_rest(uint8_t *at, uint8_t val, uint32_t nr)
{
	if (nr == 0)
		return at;
	if (val > 0)
		return put_val(at, val, nr);
	if (nr > SHORT_RUN_MAX)
		*at++ = (uint8_t)(HLL_RUN_LONG | (nr - 1) >> 8);
	*at = (uint8_t)(nr - 1);
	return at + 1;
}

/* Where a register is. */
struct place {
	size_t at, prev; /* its run, and the one before (or the same) */
	struct hll_run run;
	uint32_t before; /* registers of the run before it */
};

static bool find(const struct hll *h, uint32_t reg, struct place *pl)
{
	uint32_t first = 0;

	pl->prev = HLL_HEADER;
	for (pl->at = HLL_HEADER; pl->at < h->len; pl->at += pl->run.bytes) {
		pl->run = hll_run(h->str, h->len, pl->at);
		if (reg < first + pl->run.nr) {
			pl->before = reg - first;
			return true;
		}
		first += pl->run.nr;
		pl->prev = pl->at;
	}
	return false;
}

/* Puts seq in the place of the run. A long run may have been cut in the middle: as in Redis it is
 * taken for one with a zero behind, and the string keeps lacking that byte. */
static bool splice(struct hll *h, const struct place *pl, const uint8_t *seq, size_t nr)
{
	size_t behind = pl->at + pl->run.bytes, rest = h->len > behind ? h->len - behind : 0;

	if (pl->at + nr + rest > h->cap) {
		size_t cap = pl->at + nr + rest + ROOM;
		uint8_t *str = realloc(h->str, cap);

		if (!str)
			return false;
		h->str = str;
		h->cap = cap;
	}
	memmove(h->str + pl->at + nr, h->str + behind, rest);
	memcpy(h->str + pl->at, seq, nr);
	h->len = h->len + nr - pl->run.bytes;
	return true;
}

/* Joins the run at `at` with the next one. False: they are not equal, or too long together. */
static bool join(struct hll *h, size_t at)
{
	struct hll_run a, b;

	if (at + 1 >= h->len || !(h->str[at + 1] & HLL_RUN_VAL))
		return false;
	a = hll_run(h->str, h->len, at);
	b = hll_run(h->str, h->len, at + 1);
	if (a.val != b.val || a.nr + b.nr > VAL_RUN_MAX)
		return false;
	put_val(h->str + at + 1, a.val, a.nr + b.nr);
	memmove(h->str + at, h->str + at + 1, h->len - at - 1);
	h->len--;
	return true;
}

static void join_from(struct hll *h, size_t at)
{
	for (int i = 0; i < JOIN_RUNS && at < h->len; i++) {
		struct hll_run run = hll_run(h->str, h->len, at);

		if (run.val == 0 || !join(h, at))
			at += run.bytes;
	}
}

static enum hll_rc raise_sparse(struct hll *h, struct hll_mark mark, uint64_t sparse_max)
{
	uint8_t seq[5], *end = seq;
	struct place pl;

	if (mark.val > SPARSE_VAL_MAX)
		return promote(h, mark);
	if (!find(h, mark.reg, &pl))
		return HLL_CORRUPT;
	if (pl.run.val >= mark.val)
		return HLL_SAME;
	end = put_rest(end, pl.run.val, pl.before);
	end = put_val(end, mark.val, 1);
	end = put_rest(end, pl.run.val, pl.run.nr - pl.before - 1);

	size_t nr = (size_t)(end - seq);

	if (nr > pl.run.bytes && h->len + nr - pl.run.bytes > sparse_max)
		return promote(h, mark);
	if (!splice(h, &pl, seq, nr))
		return HLL_NO_MEMORY;
	join_from(h, pl.prev);
	return HLL_CHANGED;
}

enum hll_rc hll_raise(struct hll *h, struct hll_mark mark, uint64_t sparse_max)
{
	enum hll_rc rc =
		hll_is_dense(h->str) ? raise_dense(h, mark) : raise_sparse(h, mark, sparse_max);

	if (rc == HLL_CHANGED)
		hll_outdate(h->str);
	return rc;
}
