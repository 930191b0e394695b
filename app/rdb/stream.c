/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: blocks as they lie in memory, then the groups (19, which is written). Formats before it
 * lack counters (15), one behind it has another time of each consumer (21), which is not kept here.
 *
 * A group's pending entries come before its consumers, and consumers have only the IDs of theirs:
 * until then such entries are pending with nobody.
 */
#include "app/keyspace/types/stream.h"

#include "app/rdb/blob.h"
#include "app/rdb/codec.h"

#include <stdlib.h>

struct stream_build {
	struct stream_id block;         /* of the block to come */
	struct stream_group *group;     /* whose parts come; NULL: none yet */
	struct stream_consumer *owner;  /* whose entries come */
	struct stream_pending *pending; /* whose time and count come */
	struct stream_group nobodys;    /* has the consumer that stands for nobody */
	struct stream_consumer *nobody;
};

static struct stream_id item_id(const struct rdb_item *item)
{
	return (struct stream_id){item->id.ms, item->id.seq};
}

static struct stream *stream(const struct rdb_build *b)
{
	return stream_of(&b->obj);
}

static void stream_drop(struct rdb_build *b)
{
	struct stream_build *sb = b->state;

	if (sb && sb->nobody)
		stream_consumer_destroy(&sb->nobodys, sb->nobody);
	free(sb);
	b->state = NULL;
}

static bool begin(struct rdb_build *b)
{
	struct slice none = {"", 0};
	struct stream_build *sb = calloc(1, sizeof(*sb));

	b->state = sb;
	if (!sb)
		return rdb_build_no_memory(b);
	sb->nobody = stream_consumer_create(&sb->nobodys, &none, 0);
	return (sb->nobody && stream_make(&b->obj)) || rdb_build_no_memory(b);
}

/* --- entries --- */

static bool add_block(struct rdb_build *b, const struct rdb_item *item)
{
	const struct stream_build *sb = b->state;
	const char *fault;
	unsigned char *lp;
	uint64_t nr;

	fault = stream_block_fault(item->str.bytes, item->str.len, &sb->block, &nr);
	if (fault)
		return rdb_build_refuse(b, fault);
	lp = lp_copy(item->str.bytes, item->str.len);
	if (!lp)
		return rdb_build_no_memory(b);
	if (stream_block_put(stream(b), &sb->block, lp, &fault))
		return true;
	lp_free(lp);
	return fault ? rdb_build_refuse(b, fault) : rdb_build_no_memory(b);
}

static bool set_length(struct rdb_build *b, uint64_t nr)
{
	return stream(b)->nr == nr ||
	       rdb_build_refuse(b, "a stream has another number of entries than it says");
}

static bool set_last_id(struct rdb_build *b, struct stream_id id)
{
	struct stream *s = stream(b);
	struct stream_id last;

	if (stream_last_entry(s, &last) && stream_id_cmp(&id, &last) < 0)
		return rdb_build_refuse(b, "a stream's last ID is before that of an entry");
	s->last_id = id;
	if (b->form == RDB_TYPE_STREAM_LISTPACKS) {
		/* what format 1 lacks, as Redis 7.0 makes it up */
		s->entries_added = s->nr;
		s->first_id = stream_first_entry(s);
	}
	return true;
}

/* --- groups --- */

static bool group_done(struct rdb_build *b)
{
	const struct stream_build *sb = b->state;

	return sb->nobody->pending.nr == 0 ||
	       rdb_build_refuse(b, "a stream's group has a pending entry without a consumer");
}

/* The group's name is held. */
static bool add_group(struct rdb_build *b, struct stream_id id)
{
	struct stream_build *sb = b->state;
	struct slice name = {b->held, b->held_len};

	b->holding = false;
	if (stream_group_find(stream(b), &name))
		return rdb_build_refuse(b, "a stream has a group twice");
	sb->owner = NULL;
	sb->group =
		stream_group_create(stream(b), &name, &id, stream_entries_until(stream(b), &id));
	return sb->group || rdb_build_no_memory(b);
}

static bool set_entries_read(struct rdb_build *b, uint64_t nr)
{
	struct stream_build *sb = b->state;

	sb->group->entries_read = (int64_t)nr;
	return true;
}

static bool add_pending(struct rdb_build *b, struct stream_id id)
{
	struct stream_build *sb = b->state;

	if (stream_pending_find(sb->group, &id))
		return rdb_build_refuse(b, "an entry is pending twice in a stream's group");
	sb->pending = stream_pending_assign(sb->group, &id, sb->nobody);
	return sb->pending || rdb_build_no_memory(b);
}

static bool add_consumer(struct rdb_build *b, struct slice name)
{
	struct stream_build *sb = b->state;

	if (stream_consumer_find(sb->group, &name))
		return rdb_build_refuse(b, "a stream's group has a consumer twice");
	sb->owner = stream_consumer_create(sb->group, &name, 0);
	return sb->owner || rdb_build_no_memory(b);
}

static bool own_pending(struct rdb_build *b, struct stream_id id)
{
	struct stream_build *sb = b->state;
	const struct stream_pending *p = stream_pending_find(sb->group, &id);

	if (!p)
		return rdb_build_refuse(b, "an entry is pending with a consumer only");
	if (p->consumer != sb->nobody)
		return rdb_build_refuse(b, "an entry is pending with two consumers");
	return stream_pending_assign(sb->group, &id, sb->owner) || rdb_build_no_memory(b);
}

/* --- items --- */

static bool group_item(struct rdb_build *b, const struct rdb_item *item)
{
	struct stream_build *sb = b->state;

	switch (item->kind) {
	case RDB_ITEM_GROUP: return group_done(b) && rdb_build_hold(b, rdb_item_text(item));
	case RDB_ITEM_GROUP_ID: return add_group(b, item_id(item));
	case RDB_ITEM_ENTRIES_READ: return set_entries_read(b, item->number);
	case RDB_ITEM_PENDING_ID: return add_pending(b, item_id(item));
	case RDB_ITEM_DELIVERY_TIME: sb->pending->time_ms = (int64_t)item->number; return true;
	case RDB_ITEM_DELIVERY_COUNT: sb->pending->count = item->number; return true;
	case RDB_ITEM_CONSUMER: return add_consumer(b, rdb_item_text(item));
	case RDB_ITEM_SEEN_TIME: sb->owner->seen_ms = (int64_t)item->number; return true;
	case RDB_ITEM_CONSUMER_PENDING_ID: return own_pending(b, item_id(item));
	default: return true; /* a count, or what is not kept */
	}
}

static bool stream_item(struct rdb_build *b, const struct rdb_item *item)
{
	struct stream_build *sb;

	if (!b->obj.ptr && !begin(b))
		return false;
	sb = b->state;
	switch (item->kind) {
	case RDB_ITEM_NODE_ID: sb->block = item_id(item); return true;
	case RDB_ITEM_BLOB: return add_block(b, item);
	case RDB_ITEM_LENGTH: return set_length(b, item->number);
	case RDB_ITEM_LAST_ID: return set_last_id(b, item_id(item));
	case RDB_ITEM_FIRST_ID: stream(b)->first_id = item_id(item); return true;
	case RDB_ITEM_DELETED_ID: stream(b)->max_deleted_id = item_id(item); return true;
	case RDB_ITEM_ENTRIES_ADDED: stream(b)->entries_added = item->number; return true;
	default: return group_item(b, item);
	}
}

static bool stream_end(struct rdb_build *b)
{
	return !b->state || group_done(b);
}

static enum rdb_type stream_form(const struct obj *o)
{
	return RDB_TYPE_STREAM_LISTPACKS_2;
}

/* --- writing --- */

static void write_lens(struct rdb_writer *w, const struct stream_id *id)
{
	rdb_write_len(w, id->ms);
	rdb_write_len(w, id->seq);
}

/* Where the writing of a stream is; each stage ends early when it has written enough. */
enum {
	STAGE_BEGIN,
	STAGE_BLOCKS,
	STAGE_GROUP, /* the next one begins, if there is one */
	STAGE_PENDING,
	STAGE_CONSUMER, /* the next one begins, if the group has one */
	STAGE_OWN,
	STAGE_END,
};

static struct stream_group *group_at(const struct rdb_progress *at)
{
	return stream_group_at(&at->group);
}

/* False: there is more. */
static bool write_blocks(
	struct rdb_writer *w, const struct stream *s, struct rdb_progress *at, uint64_t until)
{
	for (; tree_pos_ok(&at->pos); tree_next(&at->pos)) {
		const struct stream_block *block = stream_block_at(&at->pos);

		if (w->nr_bytes >= until)
			return false;
		rdb_write_len(w, sizeof(block->id)); /* a string of that length */
		rdb_write_id(w, block->id.ms, block->id.seq);
		rdb_write_string(w, block->lp, lp_bytes(block->lp));
	}
	rdb_write_len(w, s->nr);
	write_lens(w, &s->last_id);
	write_lens(w, &s->first_id);
	write_lens(w, &s->max_deleted_id);
	rdb_write_len(w, s->entries_added);
	rdb_write_len(w, s->groups.nr);
	stream_group_first(s, &at->group);
	at->stage = STAGE_GROUP;
	return true;
}

static bool write_group(struct rdb_writer *w, struct rdb_progress *at)
{
	const struct stream_group *g = group_at(at);

	if (!g) {
		at->stage = STAGE_END;
		return true;
	}
	rdb_write_string(w, g->name.bytes, g->name.len);
	write_lens(w, &g->last_id);
	rdb_write_len(w, (uint64_t)g->entries_read);
	rdb_write_len(w, g->pending.nr);
	stream_pending_from(g, NULL, &STREAM_ID_MIN, &at->pos);
	at->stage = STAGE_PENDING;
	return true;
}

static bool write_pending(struct rdb_writer *w, struct rdb_progress *at, uint64_t until)
{
	const struct stream_group *g = group_at(at);

	for (const struct stream_pending *p = stream_pending_at(g, NULL, &at->pos); p;
		p = stream_pending_next(g, NULL, &at->pos)) {
		if (w->nr_bytes >= until)
			return false;
		rdb_write_id(w, p->id.ms, p->id.seq);
		rdb_write_u64(w, (uint64_t)p->time_ms);
		rdb_write_len(w, p->count);
	}
	rdb_write_len(w, g->consumers.nr);
	stream_consumer_first(g, &at->consumer);
	at->stage = STAGE_CONSUMER;
	return true;
}

static bool write_consumer(struct rdb_writer *w, struct rdb_progress *at)
{
	const struct stream_group *g = group_at(at);
	const struct stream_consumer *consumer = stream_consumer_at(&at->consumer);

	if (!consumer) {
		stream_group_next(&at->group);
		at->stage = STAGE_GROUP;
		return true;
	}
	rdb_write_string(w, consumer->name.bytes, consumer->name.len);
	rdb_write_u64(w, (uint64_t)consumer->seen_ms);
	rdb_write_len(w, consumer->pending.nr);
	stream_pending_from(g, consumer, &STREAM_ID_MIN, &at->pos);
	at->stage = STAGE_OWN;
	return true;
}

/* The IDs of what is pending with the consumer. */
static bool write_own(struct rdb_writer *w, struct rdb_progress *at, uint64_t until)
{
	const struct stream_group *g = group_at(at);
	const struct stream_consumer *consumer = stream_consumer_at(&at->consumer);

	for (const struct stream_pending *p = stream_pending_at(g, consumer, &at->pos); p;
		p = stream_pending_next(g, consumer, &at->pos)) {
		if (w->nr_bytes >= until)
			return false;
		rdb_write_id(w, p->id.ms, p->id.seq);
	}
	stream_consumer_next(&at->consumer);
	at->stage = STAGE_CONSUMER;
	return true;
}

static bool write_stage(
	struct rdb_writer *w, const struct stream *s, struct rdb_progress *at, uint64_t until)
{
	switch (at->stage) {
	case STAGE_BLOCKS: return write_blocks(w, s, at, until);
	case STAGE_GROUP: return write_group(w, at);
	case STAGE_PENDING: return write_pending(w, at, until);
	case STAGE_CONSUMER: return write_consumer(w, at);
	default: return write_own(w, at, until);
	}
}

static bool stream_write(
	struct rdb_writer *w, const struct obj *o, struct rdb_progress *at, uint64_t until)
{
	const struct stream *s = stream_of(o);

	if (at->stage == STAGE_BEGIN) {
		rdb_write_len(w, s->blocks.nr);
		at->pos = stream_block_first(s);
		at->stage = STAGE_BLOCKS;
	}
	while (at->stage != STAGE_END) {
		if (w->nr_bytes >= until || !write_stage(w, s, at, until))
			return false;
	}
	return true;
}

const struct rdb_codec rdb_stream = {
	.item = stream_item,
	.end = stream_end,
	.drop = stream_drop,
	.form = stream_form,
	.write = stream_write,
};
