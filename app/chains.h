/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A hash table of objects that carry their own link: the registries of channels, watched keys and
 * the like.
 *
 * Grows and shrinks by one chain with each object (linear hashing), so no call takes long; only the
 * array of heads is copied now and then. No lock in it: the owner says what guards it.
 *
 *	heads: | 0 | 1 | 2 | 3 | 4 |      a hash belongs to hash & 7 if there is such a head,
 *	         |           |            else to hash & 3
 *	       link        link -> link
 */
#ifndef MILLRACE_APP_CHAINS_H
#define MILLRACE_APP_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Inside of the object, which is found by chain_object(). */
struct chain_link {
	struct chain_link *next;
	uint64_t hash;
};

struct chains {                    /* all zero: empty */
	struct chain_link **heads; /* owned */
	uint32_t nr_heads, cap;
	uint32_t nr; /* objects */
};

#define chain_object(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* The first object of that hash, and the next one behind link; NULL: none. */
struct chain_link *chains_find(const struct chains *t, uint64_t hash);
struct chain_link *chain_next(const struct chain_link *link);
/* Borrows link until it is removed. False: no memory, nothing was added. */
bool chains_add(struct chains *t, struct chain_link *link, uint64_t hash);
void chains_remove(struct chains *t, struct chain_link *link);
/* Any object, or NULL: to empty a table. */
struct chain_link *chains_any(const struct chains *t);
/* The objects stay with their owner. */
void chains_fini(struct chains *t);

#endif
