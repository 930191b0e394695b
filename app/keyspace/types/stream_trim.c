/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Trimming: whole blocks go first; then, unless whole blocks are all that is asked for, entries of
 * the block that is left in front are marked.
 */
#include "app/keyspace/types/stream_priv.h"

/* Would the block go as a whole? */
static bool takes_all(const struct stream *s, const struct stream_trim *trim,
	const struct stream_block *block, uint64_t count)
{
	struct stream_id last;

	if (!trim->by_id)
		return s->nr - count >= trim->max_len;
	last = stream_block_last(block->lp, &block->id);
	return stream_id_cmp(&last, &trim->min_id) < 0;
}

/* Marks entries of the first block, as long as they are too many or too old. False: no memory. */
static bool trim_inside(
	struct stream *s, const struct stream_trim *trim, struct stream_block *block, uint64_t *nr)
{
	struct block_head h;
	uint64_t marked = 0;
	unsigned char *p;

	if (!stream_block_ready(&block->lp))
		return false;
	h = stream_block_head(block->lp);
	for (p = lp_next(block->lp, h.zero); p;) {
		struct block_entry e = stream_block_entry(block->lp, &block->id, h.nr_fields, p);

		if (trim->by_id ? stream_id_cmp(&e.id, &trim->min_id) >= 0
				: s->nr - marked <= trim->max_len)
			break;
		if (!(e.flags & ENTRY_DELETED)) {
			stream_block_mark(p);
			marked++;
		}
		p = stream_block_after(block->lp, &e);
	}
	stream_block_marked(&block->lp, marked);
	s->nr -= marked;
	*nr += marked;
	return true;
}

bool stream_trim(struct stream *s, const struct stream_trim *trim, uint64_t *nr)
{
	bool ok = true;

	for (*nr = 0;;) {
		struct tree_pos pos = stream_block_first(s);
		struct stream_block *block;
		uint64_t count;

		if (!tree_pos_ok(&pos) || (!trim->by_id && s->nr <= trim->max_len))
			break;
		block = stream_block_at(&pos);
		count = stream_block_head(block->lp).count;
		if (trim->limit && *nr + count > trim->limit)
			break;
		if (!takes_all(s, trim, block, count)) {
			ok = trim->approx || trim_inside(s, trim, block, nr);
			break;
		}
		struct stream_id gone = block->id;

		stream_block_remove(s, &gone);
		s->nr -= count;
		*nr += count;
	}
	if (s->nr == 0 || *nr > 0)
		stream_first_settle(s);
	return ok;
}
