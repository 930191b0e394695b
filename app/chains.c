/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/chains.h"

#include "checks.h"

#include <stdlib.h>

#define MIN_HEADS 4

static uint32_t head_of(uint32_t nr_heads, uint64_t hash)
{
	uint32_t mask = UINT32_MAX >> __builtin_clz(nr_heads | 1);
	uint32_t i = (uint32_t)hash & mask;

	return i < nr_heads ? i : i & (mask >> 1);
}

struct chain_link *chains_find(const struct chains *t, uint64_t hash)
{
	struct chain_link *link = t->nr_heads ? t->heads[head_of(t->nr_heads, hash)] : NULL;

	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct chain_link *chain_next(const struct chain_link *link)
{
	uint64_t hash = link->hash;

	do
		link = link->next;
	while (link && link->hash != hash);
	return (struct chain_link *)link;
}

/* The head that the last one was split from, or would be merged with. */
static uint32_t twin_of(uint32_t last)
{
	return last & (UINT32_MAX >> __builtin_clz(last | 1) >> 1);
}

static bool heads_room(struct chains *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : MIN_HEADS;
	struct chain_link **heads;

	if (t->nr_heads < t->cap)
		return true;
	heads = cap > t->cap ? realloc(t->heads, cap * sizeof(*heads)) : NULL;
	if (!heads)
		return false;
	t->heads = heads;
	t->cap = cap;
	return true;
}

/* One more head: takes what belongs to it from its twin. */
static void split(struct chains *t)
{
	uint32_t new = t->nr_heads++;
	struct chain_link **at = &t->heads[twin_of(new)];

	t->heads[new] = NULL;
	while (*at) {
		struct chain_link *link = *at;

		if (head_of(t->nr_heads, link->hash) != new) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		link->next = t->heads[new];
		t->heads[new] = link;
	}
}

static void merge(struct chains *t)
{
	uint32_t last = --t->nr_heads;
	struct chain_link **at = &t->heads[twin_of(last)];

	while (*at)
		at = &(*at)->next;
	*at = t->heads[last];
}

bool chains_add(struct chains *t, struct chain_link *link, uint64_t hash)
{
	uint32_t i;

	if (t->nr_heads == 0) {
		if (!heads_room(t))
			return false;
		t->heads[t->nr_heads++] = NULL;
	} else if (t->nr >= t->nr_heads && heads_room(t)) {
		split(t); /* without memory the chains get longer */
	}
	i = head_of(t->nr_heads, hash);
	link->hash = hash;
	link->next = t->heads[i];
	t->heads[i] = link;
	t->nr++;
	return true;
}

static void heads_shrink(struct chains *t)
{
	struct chain_link **heads;

	if (t->nr == 0) {
		chains_fini(t);
		return;
	}
	if (t->nr_heads > t->cap / 4 || t->cap <= MIN_HEADS)
		return;
	heads = realloc(t->heads, t->cap / 2 * sizeof(*heads));
	if (!heads)
		return;
	t->heads = heads;
	t->cap /= 2;
}

void chains_remove(struct chains *t, struct chain_link *link)
{
	struct chain_link **at = &t->heads[head_of(t->nr_heads, link->hash)];

	while (*at != link) {
		BUG_ON(!*at);
		at = &(*at)->next;
	}
	*at = link->next;
	t->nr--;
	for (int i = 0; i < 2 && t->nr_heads > 1 && t->nr < t->nr_heads / 2; i++)
		merge(t);
	heads_shrink(t);
}

struct chain_link *chains_any(const struct chains *t)
{
	for (uint32_t i = 0; i < t->nr_heads; i++)
		if (t->heads[i])
			return t->heads[i];
	return NULL;
}

void chains_fini(struct chains *t)
{
	free(t->heads);
	*t = (struct chains){0};
}
