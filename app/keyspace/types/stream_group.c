/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: groups, their consumers, and what is pending with them.
 *
 * What is known of a pending entry lies in the group's tree, by value; a consumer's has the ID
 * alone.
 */
#include "app/keyspace/types/stream_priv.h"

/* --- kinds of trees --- */

static int cmp_id(const void *key, const void *item)
{
	return stream_id_cmp(key, item); /* an item begins with its ID */
}

const struct tree_kind stream_pending_kind = {
	.item_size = sizeof(struct stream_pending),
	.key_size = sizeof(struct stream_id),
	.leaf_max = TREE_LEAF_MAX(sizeof(struct stream_pending)),
	.cmp = cmp_id,
};

const struct tree_kind stream_own_kind = {
	.item_size = sizeof(struct stream_id),
	.key_size = sizeof(struct stream_id),
	.leaf_max = TREE_LEAF_MAX(sizeof(struct stream_id)),
	.cmp = cmp_id,
};

static int cmp_name(const struct slice *a, const struct stream_name *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int diff = len ? memcmp(a->ptr, b->bytes, len) : 0;

	if (diff != 0)
		return diff;
	return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}

/* Items are pointers. */
static int cmp_group(const void *key, const void *item)
{
	return cmp_name(key, &(*(struct stream_group *const *)item)->name);
}

static int cmp_consumer(const void *key, const void *item)
{
	return cmp_name(key, &(*(struct stream_consumer *const *)item)->name);
}

const struct tree_kind stream_group_kind = {
	.item_size = sizeof(void *),
	.key_size = sizeof(void *),
	.leaf_max = TREE_LEAF_MAX(sizeof(void *)),
	.cmp = cmp_group,
};

const struct tree_kind stream_consumer_kind = {
	.item_size = sizeof(void *),
	.key_size = sizeof(void *),
	.leaf_max = TREE_LEAF_MAX(sizeof(void *)),
	.cmp = cmp_consumer,
};

static void *named_at(const struct tree_kind *kind, const struct tree_pos *pos)
{
	return tree_pos_ok(pos) ? *(void **)tree_item(kind, pos) : NULL;
}

static void name_set(struct stream_name *name, const struct slice *text)
{
	name->len = (uint32_t)text->len;
	if (text->len > 0)
		memcpy(name->bytes, text->ptr, text->len);
}

/* --- consumers --- */

struct stream_consumer *stream_consumer_find(const struct stream_group *g, const struct slice *name)
{
	struct stream_consumer **found = tree_find(&g->consumers, &stream_consumer_kind, name);

	return found ? *found : NULL;
}

struct stream_consumer *stream_consumer_create(
	struct stream_group *g, const struct slice *name, int64_t now_ms)
{
	struct stream_consumer *consumer = mem_alloc(sizeof(*consumer) + name->len);

	if (!consumer)
		return NULL;
	consumer->seen_ms = now_ms;
	tree_init(&consumer->pending);
	name_set(&consumer->name, name);
	if (tree_add(&g->consumers, &stream_consumer_kind, name, &consumer))
		return consumer;
	mem_free(consumer);
	return NULL;
}

static void consumer_free(struct stream_consumer *consumer)
{
	tree_clear(&consumer->pending, &stream_own_kind);
	mem_free(consumer);
}

void stream_consumer_destroy(struct stream_group *g, struct stream_consumer *consumer)
{
	struct tree_pos pos = tree_first(&consumer->pending, &stream_own_kind);
	struct slice name = stream_name_text(&consumer->name);

	for (; tree_pos_ok(&pos); tree_next(&pos))
		tree_remove(&g->pending, &stream_pending_kind, tree_item(&stream_own_kind, &pos));
	tree_remove(&g->consumers, &stream_consumer_kind, &name);
	consumer_free(consumer);
}

struct stream_consumer *stream_consumer_first(const struct stream_group *g, struct tree_pos *pos)
{
	*pos = tree_first(&g->consumers, &stream_consumer_kind);
	return named_at(&stream_consumer_kind, pos);
}

struct stream_consumer *stream_consumer_next(struct tree_pos *pos)
{
	tree_next(pos);
	return named_at(&stream_consumer_kind, pos);
}

struct stream_consumer *stream_consumer_at(const struct tree_pos *pos)
{
	return named_at(&stream_consumer_kind, pos);
}

/* --- groups --- */

struct stream_group *stream_group_find(const struct stream *s, const struct slice *name)
{
	struct stream_group **found = tree_find(&s->groups, &stream_group_kind, name);

	return found ? *found : NULL;
}

struct stream_group *stream_group_create(struct stream *s, const struct slice *name,
	const struct stream_id *id, int64_t entries_read)
{
	struct stream_group *g = mem_alloc(sizeof(*g) + name->len);

	if (!g)
		return NULL;
	g->last_id = *id;
	g->entries_read = entries_read;
	tree_init(&g->pending);
	tree_init(&g->consumers);
	name_set(&g->name, name);
	if (tree_add(&s->groups, &stream_group_kind, name, &g))
		return g;
	mem_free(g);
	return NULL;
}

static void group_free(struct stream_group *g)
{
	struct tree_pos pos;

	for (struct stream_consumer *one = stream_consumer_first(g, &pos); one;
		one = stream_consumer_next(&pos))
		consumer_free(one);
	tree_clear(&g->consumers, &stream_consumer_kind);
	tree_clear(&g->pending, &stream_pending_kind);
	mem_free(g);
}

void stream_group_destroy(struct stream *s, struct stream_group *g)
{
	struct slice name = stream_name_text(&g->name);

	tree_remove(&s->groups, &stream_group_kind, &name);
	group_free(g);
}

struct stream_group *stream_group_first(const struct stream *s, struct tree_pos *pos)
{
	*pos = tree_first(&s->groups, &stream_group_kind);
	return named_at(&stream_group_kind, pos);
}

struct stream_group *stream_group_next(struct tree_pos *pos)
{
	tree_next(pos);
	return named_at(&stream_group_kind, pos);
}

struct stream_group *stream_group_at(const struct tree_pos *pos)
{
	return named_at(&stream_group_kind, pos);
}

static bool consumers_free_parts(struct stream_group *g, unsigned *max)
{
	struct tree_pos pos;

	for (struct stream_consumer *one; (one = stream_consumer_first(g, &pos));) {
		struct slice name = stream_name_text(&one->name);

		if (!tree_clear_parts(&one->pending, max) || *max == 0)
			return false;
		tree_remove(&g->consumers, &stream_consumer_kind, &name);
		mem_free(one);
		--*max;
	}
	return true;
}

bool stream_groups_free_parts(struct stream *s, unsigned *max)
{
	struct tree_pos pos;

	for (struct stream_group *g; (g = stream_group_first(s, &pos));) {
		struct slice name = stream_name_text(&g->name);

		if (!consumers_free_parts(g, max) || !tree_clear_parts(&g->pending, max) ||
			*max == 0)
			return false;
		tree_remove(&s->groups, &stream_group_kind, &name);
		mem_free(g);
		--*max;
	}
	return true;
}

void stream_groups_free(struct stream *s)
{
	struct tree_pos pos;

	for (struct stream_group *g = stream_group_first(s, &pos); g; g = stream_group_next(&pos))
		group_free(g);
	tree_clear(&s->groups, &stream_group_kind);
}

/* --- pending entries --- */

struct stream_pending *stream_pending_find(const struct stream_group *g, const struct stream_id *id)
{
	return tree_find(&g->pending, &stream_pending_kind, id);
}

struct stream_pending *stream_pending_assign(
	struct stream_group *g, const struct stream_id *id, struct stream_consumer *consumer)
{
	struct stream_pending *p = stream_pending_find(g, id), fresh = {*id, 0, 0, consumer};

	if (p && p->consumer == consumer)
		return p;
	if (!tree_add(&consumer->pending, &stream_own_kind, id, id))
		return NULL;
	if (p) {
		tree_remove(&p->consumer->pending, &stream_own_kind, id);
		p->consumer = consumer;
		return p;
	}
	p = tree_add(&g->pending, &stream_pending_kind, id, &fresh);
	if (!p)
		tree_remove(&consumer->pending, &stream_own_kind, id);
	return p;
}

bool stream_pending_drop(struct stream_group *g, const struct stream_id *id)
{
	struct stream_pending *p = stream_pending_find(g, id);
	struct stream_id gone = *id; /* the caller's may lie in what is removed */

	if (!p)
		return false;
	tree_remove(&p->consumer->pending, &stream_own_kind, &gone);
	tree_remove(&g->pending, &stream_pending_kind, &gone);
	return true;
}

struct stream_pending *stream_pending_at(const struct stream_group *g,
	const struct stream_consumer *consumer, const struct tree_pos *pos)
{
	if (!tree_pos_ok(pos))
		return NULL;
	if (!consumer)
		return tree_item(&stream_pending_kind, pos);
	return stream_pending_find(g, tree_item(&stream_own_kind, pos));
}

struct stream_pending *stream_pending_from(const struct stream_group *g,
	const struct stream_consumer *consumer, const struct stream_id *id, struct tree_pos *pos)
{
	*pos = consumer ? tree_ceil(&consumer->pending, &stream_own_kind, id)
			: tree_ceil(&g->pending, &stream_pending_kind, id);
	return stream_pending_at(g, consumer, pos);
}

struct stream_pending *stream_pending_next(
	const struct stream_group *g, const struct stream_consumer *consumer, struct tree_pos *pos)
{
	tree_next(pos);
	return stream_pending_at(g, consumer, pos);
}

struct stream_pending *stream_pending_last(const struct stream_group *g)
{
	struct tree_pos pos = tree_last(&g->pending, &stream_pending_kind);

	return stream_pending_at(g, NULL, &pos);
}

/* --- copies and memory --- */

/* The consumer of the same name in the copy. */
static struct stream_consumer *counterpart(
	const struct stream_group *copy, const struct stream_consumer *consumer)
{
	struct slice name = stream_name_text(&consumer->name);

	return stream_consumer_find(copy, &name);
}

static bool group_copy(const struct stream_group *from, struct stream *to)
{
	struct slice name = stream_name_text(&from->name);
	struct stream_group *g = stream_group_create(to, &name, &from->last_id, from->entries_read);
	struct tree_pos pos;

	if (!g)
		return false;
	for (struct stream_consumer *one = stream_consumer_first(from, &pos); one;
		one = stream_consumer_next(&pos)) {
		name = stream_name_text(&one->name);
		if (!stream_consumer_create(g, &name, one->seen_ms))
			return false;
	}
	pos = tree_first(&from->pending, &stream_pending_kind);
	for (; tree_pos_ok(&pos); tree_next(&pos)) {
		const struct stream_pending *p = tree_item(&stream_pending_kind, &pos);
		struct stream_pending *q =
			stream_pending_assign(g, &p->id, counterpart(g, p->consumer));

		if (!q)
			return false;
		q->time_ms = p->time_ms;
		q->count = p->count;
	}
	return true;
}

bool stream_groups_copy(const struct stream *from, struct stream *to)
{
	struct tree_pos pos;

	for (struct stream_group *g = stream_group_first(from, &pos); g;
		g = stream_group_next(&pos)) {
		if (!group_copy(g, to))
			return false;
	}
	return true;
}

size_t stream_groups_mem(const struct stream *s)
{
	size_t bytes = s->groups.bytes;
	struct tree_pos pos, inner;

	for (struct stream_group *g = stream_group_first(s, &pos); g; g = stream_group_next(&pos)) {
		bytes += mem_usable(g) + g->pending.bytes + g->consumers.bytes;
		for (struct stream_consumer *one = stream_consumer_first(g, &inner); one;
			one = stream_consumer_next(&inner))
			bytes += mem_usable(one) + one->pending.bytes;
	}
	return bytes;
}

/* --- how far a group has read --- */

/* Has XDEL perhaps left a gap behind the ID? */
static bool has_gap_behind(const struct stream *s, const struct stream_id *id)
{
	const struct stream_id *gap = &s->max_deleted_id;

	if (s->nr == 0 || stream_id_is_min(gap) || stream_id_cmp(&s->first_id, gap) > 0)
		return false;
	return stream_id_cmp(id, gap) <= 0;
}

int64_t stream_entries_until(const struct stream *s, const struct stream_id *id)
{
	int order = stream_id_cmp(id, &s->last_id);

	if (s->entries_added == 0)
		return 0;
	if (order == 0 || (s->nr == 0 && order < 0))
		return (int64_t)s->entries_added;
	if (order > 0)
		return STREAM_READ_UNKNOWN;
	if (stream_id_is_min(&s->max_deleted_id) ||
		stream_id_cmp(&s->max_deleted_id, &s->first_id) < 0) {
		order = stream_id_cmp(id, &s->first_id);
		if (order <= 0)
			return (int64_t)(s->entries_added - s->nr + (order == 0));
	}
	return STREAM_READ_UNKNOWN;
}

void stream_group_advance(
	const struct stream *s, struct stream_group *g, const struct stream_id *id)
{
	if (g->entries_read != STREAM_READ_UNKNOWN && !has_gap_behind(s, id))
		g->entries_read = (int64_t)((uint64_t)g->entries_read + 1); /* may come round */
	else if (s->entries_added)
		g->entries_read = stream_entries_until(s, id);
	g->last_id = *id;
}

bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag)
{
	int64_t until = g->entries_read;

	*lag = 0;
	if (s->entries_added == 0)
		return true;
	if (until == STREAM_READ_UNKNOWN || has_gap_behind(s, &g->last_id))
		until = stream_entries_until(s, &g->last_id);
	*lag = (int64_t)(s->entries_added - (uint64_t)until);
	return until != STREAM_READ_UNKNOWN;
}
