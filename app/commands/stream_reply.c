/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: IDs and entries in replies.
 */
#include "app/commands/stream_cmds.h"

void stream_reply_id(struct client *c, const struct stream_id *id)
{
	char text[STREAM_ID_TEXT_MAX];

	reply_bulk(c, text, stream_id_text(id, text));
}

void stream_reply_entry(struct client *c, struct stream_iter *it)
{
	struct slice field, value;

	reply_array(c, 2);
	stream_reply_id(c, &it->id);
	reply_array(c, 2 * it->nr_fields);
	while (it->nr_fields > 0) {
		stream_iter_field(it, &field, &value);
		reply_bulk(c, field.ptr, field.len);
		reply_bulk(c, value.ptr, value.len);
	}
}

bool stream_reply_one(struct client *c, const struct stream *s, const struct stream_id *id)
{
	struct stream_iter it;

	stream_iter_init(&it, s, *id, *id, false);
	if (!stream_iter_next(&it))
		return false;
	stream_reply_entry(c, &it);
	return true;
}

void stream_reply_range(struct client *c, const struct stream *s, struct stream_id from,
	struct stream_id to, uint64_t count, bool back)
{
	struct stream_iter it;
	uint64_t nr = 0;

	reply_defer_begin(c);
	stream_iter_init(&it, s, from, to, back);
	for (; (!count || nr < count) && stream_iter_next(&it); nr++)
		stream_reply_entry(c, &it);
	reply_defer_end_array(c, nr);
}
