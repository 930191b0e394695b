/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/partial_sort.h"

#include <stdbool.h>

/* So many are inserted one by one; more have a median of three, and still more one of nine. */
#define INSERT_MAX  6
#define MIDDLE_MAX  7
#define MEDIAN3_MAX 40

struct sorter {
	void **v;
	size_t first, last; /* wanted */
	partial_sort_fn compare;
	void *ctx;
};

static int compare_at(const struct sorter *s, size_t a, size_t b)
{
	return s->compare(s->v[a], s->v[b], s->ctx);
}

static void swap(const struct sorter *s, size_t a, size_t b)
{
	void *was = s->v[a];

	s->v[a] = s->v[b];
	s->v[b] = was;
}

static void swap_run(const struct sorter *s, size_t a, size_t b, size_t nr)
{
	while (nr-- > 0)
		swap(s, a++, b++);
}

static void insert_all(const struct sorter *s, size_t lo, size_t nr)
{
	for (size_t i = lo + 1; i < lo + nr; i++) {
		for (size_t at = i; at > lo && compare_at(s, at - 1, at) > 0; at--)
			swap(s, at, at - 1);
	}
}

static size_t median3(const struct sorter *s, size_t a, size_t b, size_t c)
{
	if (compare_at(s, a, b) < 0) {
		if (compare_at(s, b, c) < 0)
			return b;
		return compare_at(s, a, c) < 0 ? c : a;
	}
	if (compare_at(s, b, c) > 0)
		return b;
	return compare_at(s, a, c) < 0 ? a : c;
}

static size_t choose_pivot(const struct sorter *s, size_t lo, size_t nr)
{
	size_t low = lo, mid = lo + nr / 2, high = lo + nr - 1, d = nr / 8;

	if (nr <= MIDDLE_MAX)
		return mid;
	if (nr > MEDIAN3_MAX) {
		low = median3(s, low, low + d, low + 2 * d);
		mid = median3(s, mid - d, mid, mid + d);
		high = median3(s, high - 2 * d, high - d, high);
	}
	return median3(s, low, mid, high);
}

/* Puts what is less than the pivot to the left, what is more to the right; returns their numbers.
 * While it runs, the equal ones gather at both ends, the pivot first:
 *
 *	lo          eq_lo       left      right       eq_hi          lo + nr
 *	|  equal    |   less    | unknown |   more    |   equal      |
 */
static void split(const struct sorter *s, size_t lo, size_t nr, size_t *nr_less, size_t *nr_more)
{
	size_t end = lo + nr, eq_lo = lo + 1, left = lo + 1, right = end, eq_hi = end, run;
	int cmp;

	for (;;) {
		for (; left < right && (cmp = compare_at(s, left, lo)) <= 0; left++) {
			if (cmp == 0)
				swap(s, eq_lo++, left);
		}
		for (; left < right && (cmp = compare_at(s, right - 1, lo)) >= 0; right--) {
			if (cmp == 0)
				swap(s, right - 1, --eq_hi);
		}
		if (left >= right)
			break;
		swap(s, left++, --right);
	}
	*nr_less = left - eq_lo;
	*nr_more = eq_hi - right;
	run = eq_lo - lo < *nr_less ? eq_lo - lo : *nr_less;
	swap_run(s, lo, left - run, run);
	run = *nr_more < end - eq_hi ? *nr_more : end - eq_hi;
	swap_run(s, left, end - run, run);
}

struct part {
	size_t lo, nr;
};

static struct part wanted(const struct sorter *s, struct part p)
{
	if (p.nr <= 1 || s->last < p.lo || s->first >= p.lo + p.nr)
		p.nr = 0;
	return p;
}

/* The parts do not depend on each other: as the smaller one is recursed into, the stack stays
 * small with any data. */
static void sort_part(const struct sorter *s, struct part p)
{
	while (p.nr > INSERT_MAX) {
		size_t nr_less, nr_more;

		swap(s, p.lo, choose_pivot(s, p.lo, p.nr));
		split(s, p.lo, p.nr, &nr_less, &nr_more);
		struct part less = wanted(s, (struct part){p.lo, nr_less});
		struct part more = wanted(s, (struct part){p.lo + p.nr - nr_more, nr_more});

		sort_part(s, less.nr < more.nr ? less : more);
		p = less.nr < more.nr ? more : less;
	}
	insert_all(s, p.lo, p.nr);
}

void partial_sort(
	void **v, size_t nr, size_t first, size_t last, partial_sort_fn compare, void *ctx)
{
	const struct sorter s = {v, first, last, compare, ctx};

	sort_part(&s, (struct part){0, nr});
}
