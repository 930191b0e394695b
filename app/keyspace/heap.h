/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The expiry index: a 4-ary min-heap of entries by time. Each entry with an expiry knows its
 * place, so that changing or removing it needs no search. The time is kept beside the pointer:
 * comparing touches no entry.
 */
#ifndef MILLRACE_APP_KEYSPACE_HEAP_H
#define MILLRACE_APP_KEYSPACE_HEAP_H

#include "app/keyspace/entry.h"

struct heap_item {
	int64_t at_ms;
	struct entry *e; /* borrowed: the table owns it */
};

struct heap {
	struct heap_item *items; /* owned */
	uint32_t nr;
	uint32_t cap;
};

/* Makes room for one more. false: no memory. */
bool heap_reserve(struct heap *h);
/* Adds e, which has expiry fields; sets its place. Room was reserved. */
void heap_push(struct heap *h, struct entry *e, int64_t at_ms);
/* Moves the item at idx to its place for another time. */
void heap_update(struct heap *h, uint32_t idx, int64_t at_ms);
void heap_remove(struct heap *h, uint32_t idx);
void heap_fini(struct heap *h);

/* The earliest time, INT64_MAX when empty. */
static inline int64_t heap_top_ms(const struct heap *h)
{
	return h->nr ? h->items[0].at_ms : INT64_MAX;
}

#endif
