/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: what the keyspace asks of them, adding and deleting.
 */
#include "app/keyspace/types/stream.h"

#include "app/keyspace/types/stream_priv.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/entry.h"

#define RADIX_KEY_BYTES 16

/* --- IDs --- */

bool stream_id_next(struct stream_id *id)
{
	if (++id->seq == 0)
		return ++id->ms != 0;
	return true;
}

bool stream_id_prev(struct stream_id *id)
{
	if (id->seq-- == 0)
		return id->ms-- != 0;
	return true;
}

static size_t u64_text(uint64_t v, char *buf)
{
	char tmp[20];
	size_t n = 0, len = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n > 0)
		buf[len++] = tmp[--n];
	return len;
}

size_t stream_id_text(const struct stream_id *id, char buf[STREAM_ID_TEXT_MAX])
{
	size_t len = u64_text(id->ms, buf);

	buf[len++] = '-';
	return len + u64_text(id->seq, buf + len);
}

/* --- blocks --- */

static int cmp_block(const void *key, const void *item)
{
	return stream_id_cmp(key, item); /* an item begins with its ID */
}

const struct tree_kind stream_block_kind = {
	.item_size = sizeof(struct stream_block),
	.key_size = sizeof(struct stream_id),
	.leaf_max = TREE_LEAF_MAX(sizeof(struct stream_block)),
	.cmp = cmp_block,
};

void stream_block_remove(struct stream *s, const struct stream_id *id)
{
	struct stream_block *block = tree_find(&s->blocks, &stream_block_kind, id);
	unsigned char *lp = block->lp;

	tree_remove(&s->blocks, &stream_block_kind, id);
	lp_free(lp);
}

static void blocks_free(struct stream *s)
{
	struct tree_pos pos = stream_block_first(s);

	for (; tree_pos_ok(&pos); tree_next(&pos))
		lp_free(stream_block_at(&pos)->lp);
	tree_clear(&s->blocks, &stream_block_kind);
}

/* --- what the keyspace asks --- */

bool stream_make(struct obj *o)
{
	struct stream *s = mem_alloc(sizeof(*s));

	if (!s)
		return false;
	*s = (struct stream){0};
	*o = (struct obj){.type = OBJ_STREAM, .enc = OBJ_ENC_STREAM, .ptr = s};
	return true;
}

static void ops_free(struct obj *o)
{
	struct stream *s = stream_of(o);

	blocks_free(s);
	stream_groups_free(s);
	mem_free(s);
}

/* The first group stands for all, as in Redis. */
static size_t ops_nr_parts(const struct obj *o)
{
	const struct stream *s = stream_of(o);
	struct tree_pos pos;
	const struct stream_group *g = stream_group_first(s, &pos);

	return s->blocks.nr + (g ? s->groups.nr * (1 + g->pending.nr) : 0);
}

static bool ops_free_parts(struct obj *o, uint64_t *at, unsigned max)
{
	struct stream *s = stream_of(o);

	for (; s->blocks.nr > 0; max--) {
		struct tree_pos pos = tree_last(&s->blocks, &stream_block_kind);
		struct stream_id id = stream_block_at(&pos)->id;

		if (max == 0)
			return false;
		stream_block_remove(s, &id);
	}
	if (!stream_groups_free_parts(s, &max))
		return false;
	mem_free(s);
	o->ptr = NULL;
	return true;
}

static bool blocks_copy(const struct stream *from, struct stream *to)
{
	struct tree_pos pos = stream_block_first(from);

	for (; tree_pos_ok(&pos); tree_next(&pos)) {
		struct stream_block block = *stream_block_at(&pos);

		block.lp = lp_copy(block.lp, lp_bytes(block.lp));
		if (!block.lp)
			return false;
		if (!tree_add(&to->blocks, &stream_block_kind, &block.id, &block)) {
			lp_free(block.lp);
			return false;
		}
	}
	return true;
}

static bool ops_copy(const struct obj *o, struct obj *out)
{
	const struct stream *from = stream_of(o);
	struct stream *to;

	if (!stream_make(out))
		return false;
	to = stream_of(out);
	*to = *from;
	tree_init(&to->blocks);
	tree_init(&to->groups);
	if (blocks_copy(from, to) && stream_groups_copy(from, to))
		return true;
	ops_free(out);
	return false;
}

static size_t ops_count(const struct obj *o)
{
	return stream_of(o)->nr;
}

/* Blocks but the last one are much alike. */
static size_t blocks_mem(const struct stream *s, size_t samples)
{
	struct tree_pos pos = stream_block_first(s);
	uint64_t nr = s->blocks.nr, seen = 0;
	size_t bytes = 0;

	for (; tree_pos_ok(&pos) && (!samples || seen < samples); tree_next(&pos), seen++)
		bytes += mem_usable(stream_block_at(&pos)->lp);
	if (seen < nr) {
		pos = tree_last(&s->blocks, &stream_block_kind);
		bytes = (size_t)((double)bytes / (double)seen * (double)(nr - 1)) +
			mem_usable(stream_block_at(&pos)->lp);
	}
	return bytes;
}

static size_t ops_mem(const struct obj *o, size_t samples)
{
	const struct stream *s = stream_of(o);

	return mem_usable(s) + s->blocks.bytes + blocks_mem(s, samples) + stream_groups_mem(s);
}

static void ops_digest(const struct obj *o, struct obj_digest *d)
{
	struct stream_iter it;
	struct slice field, value;
	char text[STREAM_ID_TEXT_MAX];

	stream_iter_init(&it, stream_of(o), STREAM_ID_MIN, STREAM_ID_MAX, false);
	while (stream_iter_next(&it)) {
		size_t len = stream_id_text(&it.id, text);

		*(char *)memchr(text, '-', len) = '.';
		digest_mix(d, text, len);
		while (it.nr_fields > 0) {
			stream_iter_field(&it, &field, &value);
			digest_mix(d, field.ptr, field.len);
			digest_mix(d, value.ptr, value.len);
		}
	}
}

const struct obj_ops stream_ops = {
	.free = ops_free,
	.nr_parts = ops_nr_parts,
	.free_parts = ops_free_parts,
	.copy = ops_copy,
	.count = ops_count,
	.mem = ops_mem,
	.digest = ops_digest,
};

/* --- adding --- */

static bool is_full(const struct stream_block *block, size_t add, const struct obj_limits *limits)
{
	uint64_t max = limits->stream_node_max_bytes;
	struct block_head h;

	if (max == 0 || max > LP_BYTES_MAX)
		max = LP_BYTES_MAX;
	if (lp_bytes(block->lp) + add >= max)
		return true;
	if (limits->stream_node_max_entries == 0)
		return false;
	h = stream_block_head(block->lp);
	return h.count + h.deleted >= limits->stream_node_max_entries;
}

/* A block of that ID may be there, with deleted entries only: XSETID can lead back to it. */
static bool add_block(struct stream *s, const struct stream_id *id, const struct slice *pairs,
	uint32_t nr_fields, const struct obj_limits *limits)
{
	struct stream_block block = {*id, stream_block_new(pairs, nr_fields, limits)};
	struct stream_block *old = tree_find(&s->blocks, &stream_block_kind, id);

	if (!block.lp)
		return false;
	if (old) {
		lp_free(old->lp);
		*old = block;
		return true;
	}
	if (tree_add(&s->blocks, &stream_block_kind, id, &block))
		return true;
	lp_free(block.lp);
	return false;
}

bool stream_add(struct stream *s, const struct stream_id *id, const struct slice *pairs,
	uint32_t nr_fields, const struct obj_limits *limits)
{
	struct tree_pos pos = tree_last(&s->blocks, &stream_block_kind);
	struct stream_block *block = tree_pos_ok(&pos) ? stream_block_at(&pos) : NULL;
	size_t bytes = 0;

	for (uint32_t i = 0; i < 2 * nr_fields; i++)
		bytes += pairs[i].len;
	if (block && is_full(block, bytes, limits)) {
		lp_shrink(&block->lp);
		block = NULL;
	}
	if (block ? !stream_block_add(&block->lp, &block->id, id, pairs, nr_fields)
		  : !add_block(s, id, pairs, nr_fields, limits))
		return false;
	s->nr++;
	s->entries_added++;
	s->last_id = *id;
	if (s->nr == 1)
		s->first_id = *id;
	return true;
}

/* --- deleting --- */

void stream_first_settle(struct stream *s)
{
	s->first_id = s->nr > 0 ? stream_first_entry(s) : STREAM_ID_MIN;
}

enum stream_deleted stream_delete(struct stream *s, const struct stream_id *id)
{
	struct stream_iter it;
	struct stream_block *block;

	stream_iter_init(&it, s, *id, *id, false);
	if (!stream_iter_next(&it))
		return STREAM_NOT_THERE;
	block = stream_block_at(&it.block);
	if (stream_block_head(block->lp).count == 1) {
		struct stream_id gone = block->id; /* it lies in what is removed */

		stream_block_remove(s, &gone);
	} else {
		size_t off = (size_t)(it.flags - block->lp);

		if (!stream_block_ready(&block->lp))
			return STREAM_NO_MEMORY;
		stream_block_mark(block->lp + off);
		stream_block_marked(&block->lp, 1);
	}
	s->nr--;
	if (stream_id_cmp(id, &s->max_deleted_id) > 0)
		s->max_deleted_id = *id;
	if (s->nr == 0 || stream_id_cmp(id, &s->first_id) == 0)
		stream_first_settle(s);
	return STREAM_DELETED;
}

/* --- what it looks like --- */

bool stream_has(const struct stream *s, const struct stream_id *id)
{
	struct stream_iter it;

	stream_iter_init(&it, s, *id, *id, false);
	return stream_iter_next(&it);
}

struct stream_id stream_first_entry(const struct stream *s)
{
	struct stream_iter it;

	stream_iter_init(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, false);
	return stream_iter_next(&it) ? it.id : STREAM_ID_MAX;
}

bool stream_last_entry(const struct stream *s, struct stream_id *id)
{
	struct stream_iter it;

	if (s->nr == 0)
		return false;
	stream_iter_init(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, true);
	BUG_ON(!stream_iter_next(&it));
	*id = it.id;
	return true;
}

struct stream_id stream_first_in_block(const struct stream *s)
{
	struct tree_pos pos = stream_block_first(s);
	const struct stream_block *block;
	struct block_head h;

	if (!tree_pos_ok(&pos))
		return STREAM_ID_MAX;
	block = stream_block_at(&pos);
	h = stream_block_head(block->lp);
	return stream_block_entry(block->lp, &block->id, h.nr_fields, lp_next(block->lp, h.zero))
		.id;
}

/* Bytes that two IDs, high ones first, have in common. */
static int common_bytes(const struct stream_id *a, const struct stream_id *b)
{
	if (a->ms != b->ms)
		return __builtin_clzll(a->ms ^ b->ms) / 8;
	return 8 + __builtin_clzll(a->seq ^ b->seq) / 8;
}

/* A node for the child, and one for the bytes between it and its parent. */
static uint64_t edge_nodes(int child, int parent)
{
	return child - parent > 1 ? 2 : 1;
}

/* Nodes are: one a key, one where keys part, and one for each run of bytes that all keys below
 * share. spine: where the keys so far and the present one part, at how many bytes. */
uint64_t stream_nr_radix_nodes(const struct stream *s)
{
	int spine[RADIX_KEY_BYTES], depth = 0, child = RADIX_KEY_BYTES;
	struct tree_pos pos = stream_block_first(s);
	const struct stream_id *last = NULL;
	uint64_t nr = 0;

	for (; tree_pos_ok(&pos); tree_next(&pos)) {
		const struct stream_id *id = &stream_block_at(&pos)->id;
		int common = last ? common_bytes(last, id) : -1;

		child = RADIX_KEY_BYTES;
		for (; last && depth > 0 && spine[depth - 1] > common; child = spine[--depth])
			nr += edge_nodes(child, spine[depth - 1]);
		if (last && (depth == 0 || spine[depth - 1] < common))
			spine[depth++] = common;
		if (last)
			nr += edge_nodes(child, common);
		last = id;
	}
	if (!last)
		return 1;
	for (child = RADIX_KEY_BYTES; depth > 0; child = spine[--depth])
		nr += edge_nodes(child, spine[depth - 1]);
	return nr + edge_nodes(child, -1);
}
