/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Does to a stream what commands do, whatever bytes it was made of, and ends the test when what is
 * said of it and what is found in it are not the same.
 */
#ifndef MILLRACE_TESTS_SUPPORT_STREAM_USE_H
#define MILLRACE_TESTS_SUPPORT_STREAM_USE_H

#include "app/keyspace/types/stream_priv.h"

#define USE_IDS_MAX 32

struct use_seen {
	uint64_t nr;
	struct stream_id ids[USE_IDS_MAX]; /* the first ones */
};

static inline void use_fields(struct stream_iter *it)
{
	struct slice field, value;
	uint64_t sum = 0;

	while (it->nr_fields > 0) {
		stream_iter_field(it, &field, &value);
		for (size_t i = 0; i < field.len; i++)
			sum += (unsigned char)field.ptr[i];
		for (size_t i = 0; i < value.len; i++)
			sum += (unsigned char)value.ptr[i];
	}
	BUG_ON(sum > UINT64_MAX / 2);
}

/* Walks it one way, in order. */
static inline struct use_seen use_walk(const struct stream *s, bool back)
{
	struct use_seen seen = {0};
	struct stream_id last = {0};
	struct stream_iter it;

	stream_iter_init(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, back);
	for (; stream_iter_next(&it); seen.nr++) {
		BUG_ON(seen.nr && stream_id_cmp(&it.id, &last) * (back ? -1 : 1) <= 0);
		last = it.id;
		if (seen.nr < USE_IDS_MAX)
			seen.ids[seen.nr] = it.id;
		use_fields(&it);
	}
	BUG_ON(seen.nr != s->nr);
	return seen;
}

static inline void use_groups(const struct stream *s)
{
	struct tree_pos at, inner, pos;
	int64_t lag;

	for (struct stream_group *g = stream_group_first(s, &at); g; g = stream_group_next(&at)) {
		uint64_t nr = 0;

		stream_group_lag(s, g, &lag);
		tree_check(&g->pending, &stream_pending_kind);
		for (struct stream_consumer *one = stream_consumer_first(g, &inner); one;
			one = stream_consumer_next(&inner)) {
			const struct stream_pending *p =
				stream_pending_from(g, one, &STREAM_ID_MIN, &pos);

			for (; p; p = stream_pending_next(g, one, &pos), nr++)
				BUG_ON(p->consumer != one);
		}
		BUG_ON(nr != g->pending.nr);
	}
}

static inline void use_delete(struct stream *s, const struct use_seen *seen)
{
	for (uint64_t i = 0; i < seen->nr && i < USE_IDS_MAX; i += 2) {
		BUG_ON(!stream_has(s, &seen->ids[i]));
		BUG_ON(stream_delete(s, &seen->ids[i]) != STREAM_DELETED);
		BUG_ON(stream_has(s, &seen->ids[i]));
	}
	use_walk(s, false);
}

/* What a group would read, to a consumer of its own; then nothing is pending any more. */
static inline void use_read(struct stream *s, struct stream_group *g)
{
	struct slice name = {"a consumer to be", 16};
	struct stream_consumer *one = stream_consumer_find(g, &name);
	struct stream_iter it;
	struct tree_pos pos;

	if (!one)
		one = stream_consumer_create(g, &name, 0);
	stream_iter_init(&it, s, g->last_id, STREAM_ID_MAX, false);
	while (stream_iter_next(&it)) {
		BUG_ON(!stream_pending_assign(g, &it.id, one));
		stream_group_advance(s, g, &it.id);
	}
	stream_consumer_destroy(g, one);
	while (stream_pending_from(g, NULL, &STREAM_ID_MIN, &pos))
		stream_pending_drop(g, &stream_pending_from(g, NULL, &STREAM_ID_MIN, &pos)->id);
}

/* Ends with an empty stream. */
static inline void use_trim(struct stream *s, const struct use_seen *seen)
{
	struct stream_trim trim = {.by_id = true};
	uint64_t nr, before;

	if (seen->nr > 1) {
		trim.min_id = seen->ids[(seen->nr < USE_IDS_MAX ? seen->nr : USE_IDS_MAX) / 2];
		before = s->nr;
		BUG_ON(!stream_trim(s, &trim, &nr) || s->nr != before - nr);
		use_walk(s, true);
	}
	trim = (struct stream_trim){.max_len = s->nr / 2};
	BUG_ON(!stream_trim(s, &trim, &nr) || s->nr != trim.max_len);
	use_walk(s, false);
	trim.max_len = 0;
	BUG_ON(!stream_trim(s, &trim, &nr) || s->nr != 0);
	BUG_ON(stream_first_entry(s).ms != UINT64_MAX);
}

static inline void stream_use(const struct obj *o, const struct obj_limits *limits)
{
	struct use_seen seen = use_walk(stream_of(o), false);
	struct slice pair[2] = {{"f", 1}, {"a value", 7}};
	struct stream_group *g;
	struct stream_id id;
	struct tree_pos pos;
	struct obj copy;

	BUG_ON(use_walk(stream_of(o), true).nr != seen.nr);
	use_groups(stream_of(o));
	stream_nr_radix_nodes(stream_of(o));
	BUG_ON(!stream_ops.copy(o, &copy));
	id = stream_of(&copy)->last_id;
	if (stream_id_next(&id)) {
		BUG_ON(!stream_add(stream_of(&copy), &id, pair, 1, limits));
		BUG_ON(!stream_has(stream_of(&copy), &id));
	}
	g = stream_group_first(stream_of(&copy), &pos);
	if (g)
		use_read(stream_of(&copy), g);
	use_groups(stream_of(&copy));
	use_delete(stream_of(&copy), &seen);
	use_trim(stream_of(&copy), &seen);
	stream_ops.free(&copy);
}

#endif
