/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random members of a collection, none twice: two ways, for who picks many of all and for who picks
 * a few out of many.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_SAMPLE_H
#define MILLRACE_APP_KEYSPACE_TYPES_SAMPLE_H

#include "app/keyspace/rand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A few: drawing again whatever has been drawn before takes hardly any time while no more than
 * one of so many are wanted. */
#define SAMPLE_FEW 3
static inline bool sample_is_few(size_t nr, size_t all)
{
	return nr <= all / SAMPLE_FEW;
}

/* Going through all members once and taking want of them, each combination with the same
 * probability: every member is taken with the probability want / left, both as they are then. */
struct sample_pass {
	uint64_t left, want;
};
static inline bool sample_pass_takes(struct sample_pass *p)
{
	if (ks_rand_below(p->left--) >= p->want)
		return false;
	p->want--;
	return true;
}

/* What has been drawn: numbers other than 0, which may be addresses. */
struct sample_seen {
	uint64_t *slots; /* owned */
	uint64_t mask;
};
/* For up to nr numbers. False: no memory. */
bool sample_seen_init(struct sample_seen *s, size_t nr);
void sample_seen_fini(struct sample_seen *s);
/* False: it is there already. */
bool sample_seen_add(struct sample_seen *s, uint64_t number);

#endif
