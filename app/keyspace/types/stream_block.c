/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Blocks of entries: stream_priv.h has their form.
 */
#include "app/keyspace/types/stream_priv.h"

#define NUM_BYTES_MAX  10  /* an integer in a listpack */
#define NUM_SMALL_MAX  127 /* up to here it is one byte, itself, and its back length */
#define BLOCK_CAP_MAX  512
#define FLAGS_MAX      (ENTRY_DELETED | ENTRY_SAME_FIELDS)
#define COUNTERS_BYTES (3 * NUM_BYTES_MAX)

struct block_head stream_block_head(const unsigned char *lp)
{
	struct block_head h;
	unsigned char *p = lp_first(lp);

	h.count = (uint64_t)lp_num(p);
	p = lp_next(lp, p);
	h.deleted = (uint64_t)lp_num(p);
	p = lp_next(lp, p);
	h.nr_fields = (uint64_t)lp_num(p);
	h.fields = lp_next(lp, p);
	h.zero = lp_skip(lp, h.fields, h.nr_fields);
	return h;
}

struct block_entry stream_block_entry(const unsigned char *lp, const struct stream_id *master,
	uint64_t nr_master, const unsigned char *p)
{
	struct block_entry e = {.id = *master, .flags = (unsigned)lp_num(p)};

	p = lp_next(lp, p);
	e.id.ms += (uint64_t)lp_num(p);
	p = lp_next(lp, p);
	e.id.seq += (uint64_t)lp_num(p);
	e.at = lp_next(lp, p);
	e.nr_fields = nr_master;
	if (!(e.flags & ENTRY_SAME_FIELDS)) {
		e.nr_fields = (uint64_t)lp_num(e.at);
		e.at = lp_next(lp, e.at);
	}
	return e;
}

unsigned char *stream_block_after(const unsigned char *lp, const struct block_entry *e)
{
	return lp_skip(lp, e->at, entry_nr_elements(e->flags, e->nr_fields) + 1);
}

struct stream_id stream_block_last(const unsigned char *lp, const struct stream_id *master)
{
	unsigned char *p = lp_last(lp);

	for (int64_t back = lp_num(p); back > 0; back--)
		p = lp_prev(lp, p);
	return stream_block_entry(lp, master, 0, p).id;
}

/* --- adding --- */

static size_t fields_bytes(const struct slice *pairs, uint32_t nr_fields)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < nr_fields; i++)
		bytes += lp_entry_size(pairs[2 * i].ptr, pairs[2 * i].len);
	return bytes;
}

/* At most, without the fields. */
static size_t entry_bytes(const struct slice *pairs, uint32_t nr_fields)
{
	size_t bytes = COUNTERS_BYTES + 5 * NUM_BYTES_MAX;

	for (uint32_t i = 0; i < nr_fields; i++)
		bytes += lp_entry_size(pairs[2 * i + 1].ptr, pairs[2 * i + 1].len);
	return bytes;
}

/* There is room for what is appended: it cannot fail. */
static void put_num(unsigned char **lp, int64_t num)
{
	BUG_ON(!lp_append_int(lp, num));
}

static void put_text(unsigned char **lp, const struct slice *text)
{
	BUG_ON(!lp_append(lp, text->ptr, text->len));
}

/* Another number in the place of one; small ones are changed where they lie. */
static void change_num(unsigned char **lp, unsigned char *p, uint64_t num)
{
	if (num <= NUM_SMALL_MAX && *p <= NUM_SMALL_MAX)
		*p = (unsigned char)num;
	else
		BUG_ON(!lp_insert_int(lp, p, (int64_t)num, LP_REPLACE, NULL));
}

static void put_entry(unsigned char **lp, bool same, struct stream_id delta,
	const struct slice *pairs, uint32_t nr_fields)
{
	put_num(lp, same ? ENTRY_SAME_FIELDS : 0);
	put_num(lp, (int64_t)delta.ms);
	put_num(lp, (int64_t)delta.seq);
	if (!same)
		put_num(lp, nr_fields);
	for (uint32_t i = 0; i < nr_fields; i++) {
		if (!same)
			put_text(lp, &pairs[2 * i]);
		put_text(lp, &pairs[2 * i + 1]);
	}
	put_num(lp, same ? 3 + (int64_t)nr_fields : 4 + 2 * (int64_t)nr_fields);
}

unsigned char *stream_block_new(
	const struct slice *pairs, uint32_t nr_fields, const struct obj_limits *limits)
{
	size_t fields = fields_bytes(pairs, nr_fields), entry = entry_bytes(pairs, nr_fields);
	size_t cap = LP_BYTES_EMPTY + fields + entry;
	unsigned char *lp;

	if (cap > LP_BYTES_MAX)
		return NULL;
	/* room for some more of its kind, within reason */
	if (cap < BLOCK_CAP_MAX && limits->stream_node_max_entries > 1)
		cap = cap * 2 < BLOCK_CAP_MAX ? cap * 2 : BLOCK_CAP_MAX;
	lp = lp_new(cap);
	if (!lp)
		return NULL;
	put_num(&lp, 1);
	put_num(&lp, 0);
	put_num(&lp, nr_fields);
	for (uint32_t i = 0; i < nr_fields; i++)
		put_text(&lp, &pairs[2 * i]);
	put_num(&lp, 0);
	put_entry(&lp, true, STREAM_ID_MIN, pairs, nr_fields);
	return lp;
}

static bool same_fields(const unsigned char *lp, const struct block_head *h,
	const struct slice *pairs, uint32_t nr_fields)
{
	const unsigned char *p = h->fields;

	if (nr_fields != h->nr_fields)
		return false;
	for (uint32_t i = 0; i < nr_fields; i++, p = lp_next(lp, p)) {
		if (!lp_eq(p, pairs[2 * i].ptr, pairs[2 * i].len))
			return false;
	}
	return true;
}

/* Room for an entry. What is asked for grows with the block, so that it moves seldom. */
static bool make_room(unsigned char **lp, size_t entry)
{
	size_t bytes = lp_bytes(*lp);

	if (bytes + entry <= mem_usable(*lp))
		return true;
	return lp_reserve(lp, entry + bytes / 4) || lp_reserve(lp, entry);
}

bool stream_block_add(unsigned char **lp, const struct stream_id *master,
	const struct stream_id *id, const struct slice *pairs, uint32_t nr_fields)
{
	struct block_head h = stream_block_head(*lp);
	bool same = same_fields(*lp, &h, pairs, nr_fields);
	size_t entry = entry_bytes(pairs, nr_fields);
	struct stream_id delta = {id->ms - master->ms, id->seq - master->seq};

	if (!same)
		entry += fields_bytes(pairs, nr_fields);
	if (!make_room(lp, entry))
		return false;
	change_num(lp, lp_first(*lp), h.count + 1);
	put_entry(lp, same, delta, pairs, nr_fields);
	return true;
}

/* --- marking --- */

bool stream_block_ready(unsigned char **lp)
{
	return lp_reserve(lp, COUNTERS_BYTES);
}

void stream_block_mark(unsigned char *p)
{
	ASSERT(*p <= FLAGS_MAX);
	*p |= ENTRY_DELETED;
}

void stream_block_marked(unsigned char **lp, uint64_t nr)
{
	struct block_head h = stream_block_head(*lp);
	unsigned char *p = lp_next(*lp, lp_first(*lp));

	/* the one that may need more bytes first: the other may give memory back */
	change_num(lp, p, h.deleted + nr);
	change_num(lp, lp_first(*lp), h.count - nr);
}

/* --- bytes from elsewhere --- */

/* Reads the elements of a valid listpack one after another. */
struct reader {
	const unsigned char *lp, *p; /* NULL: no more */
};

static bool read_num(struct reader *r, int64_t min, int64_t max, int64_t *num)
{
	struct lp_val val;

	if (!r->p)
		return false;
	val = lp_get(r->p);
	r->p = lp_next(r->lp, r->p);
	*num = val.num;
	return !val.str && val.num >= min && val.num <= max;
}

static bool pass_over(struct reader *r, int64_t nr)
{
	for (; nr > 0 && r->p; nr--)
		r->p = lp_next(r->lp, r->p);
	return nr == 0;
}

/* Reads an entry; *flags tells of which kind it is. */
static bool read_entry(struct reader *r, int64_t nr_master, int64_t *flags, struct stream_id *delta)
{
	int64_t ms, seq, nr = nr_master, elements = 3, all;

	/* flags are changed in place: they must lie there in their shortest form, as their value */
	if (!r->p || *r->p > FLAGS_MAX || !read_num(r, 0, FLAGS_MAX, flags) ||
		!read_num(r, INT64_MIN, INT64_MAX, &ms) || !read_num(r, INT64_MIN, INT64_MAX, &seq))
		return false;
	*delta = (struct stream_id){(uint64_t)ms, (uint64_t)seq};
	if (*flags & ENTRY_SAME_FIELDS) {
		elements += nr;
	} else {
		if (!read_num(r, 0, UINT32_MAX, &nr))
			return false;
		elements += 1 + 2 * nr;
	}
	return pass_over(r, *flags & ENTRY_SAME_FIELDS ? nr : 2 * nr) &&
	       read_num(r, elements, elements, &all);
}

const char *stream_block_fault(
	const unsigned char *lp, size_t size, const struct stream_id *id, uint64_t *nr)
{
	int64_t count, deleted, nr_master, zero, flags;
	struct reader r = {.lp = lp};
	struct stream_id last = {0}, delta;
	bool any = false;

	if (!lp_valid(lp, size, true))
		return "a listpack is damaged";
	r.p = lp_first(lp);
	if (!read_num(&r, 0, INT64_MAX, &count) || !read_num(&r, 0, INT64_MAX, &deleted) ||
		!read_num(&r, 0, UINT32_MAX, &nr_master) || !pass_over(&r, nr_master) ||
		!read_num(&r, 0, 0, &zero))
		return "a stream's block does not begin as one";
	*nr = (uint64_t)count;
	if (!r.p)
		return "a stream has a block without entries";
	while (r.p) {
		if (!read_entry(&r, nr_master, &flags, &delta))
			return "a stream's block has a malformed entry";
		if (flags & ENTRY_DELETED ? deleted-- == 0 : count-- == 0)
			return "a stream's block has another number of entries than it says";
		if (flags & ENTRY_DELETED)
			continue;
		struct stream_id now = {id->ms + delta.ms, id->seq + delta.seq};

		if (any && stream_id_cmp(&now, &last) <= 0)
			return "a stream's entries are not in order";
		last = now;
		any = true;
	}
	if (count || deleted)
		return "a stream's block has another number of entries than it says";
	return NULL;
}

struct tree_pos stream_block_first(const struct stream *s)
{
	return tree_first(&s->blocks, &stream_block_kind);
}

struct stream_block *stream_block_at(const struct tree_pos *pos)
{
	return tree_item(&stream_block_kind, pos);
}

/* The first entry that is not deleted. */
static bool first_entry(
	const unsigned char *lp, const struct stream_id *master, struct stream_id *id)
{
	struct block_head h = stream_block_head(lp);
	unsigned char *p = lp_next(lp, h.zero);

	while (p) {
		struct block_entry e = stream_block_entry(lp, master, h.nr_fields, p);

		*id = e.id;
		if (!(e.flags & ENTRY_DELETED))
			return true;
		p = stream_block_after(lp, &e);
	}
	return false;
}

/* A block may have no entries but deleted ones, as XTRIM MINID leaves it, and then also entries
 * that are before its ID. */
bool stream_block_put(
	struct stream *s, const struct stream_id *id, unsigned char *lp, const char **fault)
{
	struct tree_pos last = tree_last(&s->blocks, &stream_block_kind);
	struct stream_block block = {.id = *id, .lp = lp};
	struct stream_id before, first;

	*fault = NULL;
	if ((tree_pos_ok(&last) && stream_id_cmp(id, &stream_block_at(&last)->id) <= 0) ||
		(stream_last_entry(s, &before) && first_entry(lp, id, &first) &&
			stream_id_cmp(&first, &before) <= 0)) {
		*fault = "a stream's entries are not in order";
		return false;
	}
	if (!tree_add(&s->blocks, &stream_block_kind, id, &block))
		return false;
	s->nr += stream_block_head(lp).count;
	return true;
}
