/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking through a stream, entry by entry, either way. p is at the flags of the entry to come when
 * the walk goes forward, at the element that ends it when it goes back.
 */
#include "app/keyspace/types/stream_priv.h"

void stream_iter_init(struct stream_iter *it, const struct stream *s, struct stream_id from,
	struct stream_id to, bool back)
{
	*it = (struct stream_iter){.from = from, .to = to, .back = back};
	it->block = tree_floor(&s->blocks, &stream_block_kind, back ? &to : &from);
	if (!tree_pos_ok(&it->block) && !back)
		it->block = stream_block_first(s);
}

/* Goes to the first entry of the block at hand, or to its last. */
static void enter(struct stream_iter *it)
{
	const struct stream_block *block = stream_block_at(&it->block);
	struct block_head h = stream_block_head(block->lp);

	it->lp = block->lp;
	it->master = block->id;
	it->nr_master = h.nr_fields;
	it->master_fields = h.fields;
	it->p = it->back ? lp_last(it->lp) : lp_next(it->lp, h.zero);
}

static bool next_block(struct stream_iter *it)
{
	if (!tree_pos_ok(&it->block))
		return false;
	if (it->lp) {
		if (it->back)
			tree_prev(&it->block);
		else
			tree_next(&it->block);
		if (!tree_pos_ok(&it->block))
			return false;
	}
	enter(it);
	return true;
}

/* Reads the entry at p and moves p on. False: there is none in this block. */
static bool step(struct stream_iter *it, struct block_entry *e)
{
	const unsigned char *flags = it->p;

	if (!flags)
		return false;
	if (it->back) {
		int64_t nr = lp_num(flags);

		if (nr == 0) { /* what ends the master fields */
			it->p = NULL;
			return false;
		}
		for (; nr > 0; nr--)
			flags = lp_prev(it->lp, flags);
		it->p = lp_prev(it->lp, flags);
	}
	it->flags = flags;
	*e = stream_block_entry(it->lp, &it->master, it->nr_master, flags);
	if (!it->back)
		it->p = stream_block_after(it->lp, e);
	return true;
}

bool stream_iter_next(struct stream_iter *it)
{
	struct block_entry e;

	for (;;) {
		if (!step(it, &e)) {
			if (!next_block(it))
				return false;
			continue;
		}
		if (e.flags & ENTRY_DELETED)
			continue;
		if (stream_id_cmp(&e.id, it->back ? &it->to : &it->from) * (it->back ? -1 : 1) < 0)
			continue; /* not there yet */
		if (stream_id_cmp(&e.id, it->back ? &it->from : &it->to) * (it->back ? -1 : 1) >
			0) {
			it->block.leaf = NULL;
			it->p = NULL;
			return false;
		}
		break;
	}
	it->id = e.id;
	it->nr_fields = e.nr_fields;
	it->same_fields = e.flags & ENTRY_SAME_FIELDS;
	it->at = e.at;
	it->field = it->master_fields;
	return true;
}

void stream_iter_field(struct stream_iter *it, struct slice *field, struct slice *value)
{
	ASSERT(it->nr_fields > 0);
	if (it->same_fields) {
		*field = lp_text(it->field, it->field_buf);
		it->field = lp_next(it->lp, it->field);
	} else {
		*field = lp_text(it->at, it->field_buf);
		it->at = lp_next(it->lp, it->at);
	}
	*value = lp_text(it->at, it->value_buf);
	it->at = lp_next(it->lp, it->at);
	it->nr_fields--;
}
