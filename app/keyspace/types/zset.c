/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/zset.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/zset_priv.h"

static bool is_pack(const struct obj *o)
{
	return o->enc == OBJ_ENC_LISTPACK;
}

static struct obj obj_of_pack(unsigned char *lp)
{
	return (struct obj){.type = OBJ_ZSET, .enc = OBJ_ENC_LISTPACK, .ptr = lp};
}

static struct obj obj_of_skip(struct zset *z)
{
	return (struct obj){.type = OBJ_ZSET, .enc = OBJ_ENC_SKIPLIST, .ptr = z};
}

bool zset_create(struct obj *o, const struct obj_limits *lim, size_t len)
{
	if (lim->zset_max_listpack_entries == 0 || len > lim->zset_max_listpack_value)
		return zset_create_skiplist(o);
	*o = obj_of_pack(lp_new(0));
	return o->ptr != NULL;
}

bool zset_create_skiplist(struct obj *o)
{
	*o = obj_of_skip(zskip_create());
	return o->ptr != NULL;
}

static void zset_free(struct obj *o)
{
	struct zset *z = o->ptr;

	if (is_pack(o))
		lp_free(o->ptr);
	else
		zskip_destroy(&z);
	o->ptr = NULL;
}

static size_t zset_nr_parts(const struct obj *o)
{
	return is_pack(o) ? 1 : zset_count(o);
}

static bool zset_free_parts(struct obj *o, uint64_t *at, unsigned max)
{
	struct zset *z = o->ptr;
	bool done = zskip_destroy_part(&z, at, max);

	o->ptr = z;
	return done;
}

size_t zset_count(const struct obj *o)
{
	return is_pack(o) ? lp_count(o->ptr) / 2 : ((struct zset *)o->ptr)->nr;
}

/* --- places --- */

static bool pos_fill(struct zset_pos *pos)
{
	if (pos->p) {
		pos->member = lp_text(pos->p, pos->buf);
		pos->score = zpack_score(lp_next(pos->o->ptr, pos->p));
	} else if (pos->e) {
		pos->member = entry_key(pos->e);
		pos->score = zskip_node(pos->e)->score;
	}
	return pos->p || pos->e;
}

bool zset_seek(const struct obj *o, uint64_t rank, struct zset_pos *pos)
{
	pos->o = o;
	pos->p = NULL;
	pos->e = NULL;
	if (rank >= zset_count(o))
		return false;
	if (is_pack(o))
		pos->p = lp_seek(o->ptr, (long)rank * 2);
	else
		pos->e = zskip_at(o->ptr, rank);
	return pos_fill(pos);
}

bool zset_last(const struct obj *o, struct zset_pos *pos)
{
	size_t nr = zset_count(o);

	return nr > 0 && zset_seek(o, nr - 1, pos);
}

bool zset_next(struct zset_pos *pos)
{
	if (pos->p)
		pos->p = lp_next(pos->o->ptr, lp_next(pos->o->ptr, pos->p));
	else
		pos->e = zskip_node(pos->e)->links[0].next;
	return pos_fill(pos);
}

bool zset_prev(struct zset_pos *pos)
{
	if (pos->p) {
		pos->p = lp_prev(pos->o->ptr, pos->p);
		pos->p = pos->p ? lp_prev(pos->o->ptr, pos->p) : NULL;
	} else {
		pos->e = zskip_node(pos->e)->prev;
	}
	return pos_fill(pos);
}

bool zset_find(const struct obj *o, const void *member, size_t len, struct zset_ref *ref)
{
	const struct zset *z = o->ptr;

	*ref = (struct zset_ref){0};
	if (is_pack(o)) {
		ref->p = lp_find(o->ptr, lp_first(o->ptr), member, len, 1);
		if (!ref->p)
			return false;
		ref->score = zpack_score(lp_next(o->ptr, ref->p));
		return true;
	}
	ref->e = dict_find(z->members, member, len);
	if (!ref->e)
		return false;
	ref->score = zskip_node(ref->e)->score;
	return true;
}

bool zset_loose_add(struct obj *o, const void *member, size_t len, double score)
{
	return zskip_add_loose(o->ptr, member, len, score) != NULL;
}

void zset_loose_set(const struct zset_ref *ref, double score)
{
	zskip_node(ref->e)->score = score;
}

void zset_loose_end(struct obj *o)
{
	zskip_link_all(o->ptr);
}

uint64_t zset_rank(const struct obj *o, const struct zset_ref *ref)
{
	return is_pack(o) ? zpack_rank(o->ptr, ref->p) : zskip_rank(o->ptr, ref->e);
}

struct zset_ranks zset_range_scores(const struct obj *o, const struct zset_scores *r)
{
	struct zset_ranks ranks =
		is_pack(o) ? zpack_range_scores(o->ptr, r) : zskip_range_scores(o->ptr, r);

	if (ranks.to < ranks.from)
		ranks.to = ranks.from;
	return ranks;
}

struct zset_ranks zset_range_lex(const struct obj *o, const struct zset_lex *r, bool reverse)
{
	struct zset_ranks ranks;
	uint64_t skip;

	if (is_pack(o))
		return zpack_range_lex(o->ptr, r, reverse);
	ranks = zskip_range_lex(o->ptr, r);
	if (ranks.to < ranks.from)
		ranks.to = ranks.from;
	skip = r->skip < ranks.to - ranks.from ? r->skip : ranks.to - ranks.from;
	if (reverse)
		ranks.to -= skip;
	else
		ranks.from += skip;
	return ranks;
}

/* --- encodings --- */

/* From the end on: each member goes to the front, where its place is found at once. */
static struct zset *skip_from(const struct obj *o)
{
	struct zset *z = zskip_create();
	struct zset_pos pos;
	bool more = z && zset_last(o, &pos);

	for (; more; more = zset_prev(&pos)) {
		if (dict_find(z->members, pos.member.ptr, pos.member.len))
			continue; /* twice in a listpack from elsewhere */
		if (zskip_add(z, pos.member.ptr, pos.member.len, pos.score))
			continue;
		zskip_destroy(&z);
		return NULL;
	}
	return z;
}

static bool to_skip(struct obj *o)
{
	struct zset *z = skip_from(o);

	if (!z)
		return false;
	lp_free(o->ptr);
	*o = obj_of_skip(z);
	return true;
}

static bool fits_pack(const struct zset *z, const struct obj_limits *lim)
{
	size_t total = 0;

	if (z->nr > lim->zset_max_listpack_entries)
		return false;
	for (const struct entry *e = z->head[0].next; e; e = zskip_node(e)->links[0].next) {
		if (e->key_len > lim->zset_max_listpack_value)
			return false;
		total += e->key_len;
	}
	return lp_safe_to_add(NULL, total);
}

void zset_settle(struct obj *o, const struct obj_limits *lim)
{
	struct zset *z = o->ptr;
	unsigned char *lp;

	if (is_pack(o) || !fits_pack(z, lim))
		return;
	lp = lp_new(0);
	if (!lp)
		return;
	for (const struct entry *e = z->tail; e; e = zskip_node(e)->prev) {
		if (zpack_add(&lp, entry_key_ptr(e), e->key_len, zskip_node(e)->score))
			continue;
		lp_free(lp);
		return;
	}
	zskip_destroy(&z);
	*o = obj_of_pack(lp);
}

static bool pack_within(const unsigned char *lp, const struct obj_limits *lim)
{
	char buf[KS_INT_STR_MAX];

	if (lp_count(lp) / 2 > lim->zset_max_listpack_entries)
		return false;
	for (unsigned char *p = lp_first(lp); p; p = lp_next(lp, lp_next(lp, p))) {
		if (lp_text(p, buf).len > lim->zset_max_listpack_value)
			return false;
	}
	return true;
}

bool zset_from_listpack(struct obj *o, unsigned char *lp, const struct obj_limits *lim)
{
	*o = obj_of_pack(lp);
	return pack_within(lp, lim) || to_skip(o);
}

/* --- changes --- */

static bool may_pack(const struct obj *o, size_t len, const struct obj_limits *lim)
{
	return !lim || (lp_count(o->ptr) / 2 < lim->zset_max_listpack_entries &&
			       len <= lim->zset_max_listpack_value &&
			       lp_safe_to_add(o->ptr, len + ZSET_SCORE_TEXT_MAX));
}

bool zset_add(
	struct obj *o, const void *member, size_t len, double score, const struct obj_limits *lim)
{
	unsigned char *lp = o->ptr;
	bool added;

	if (is_pack(o) && !may_pack(o, len, lim) && !to_skip(o))
		return false;
	if (!is_pack(o))
		return zskip_add(o->ptr, member, len, score);
	added = zpack_add(&lp, member, len, score);
	o->ptr = lp;
	return added;
}

bool zset_set_score(
	struct obj *o, const struct zset_ref *ref, const void *member, size_t len, double score)
{
	unsigned char *lp = o->ptr;
	bool done;

	if (!is_pack(o)) {
		zskip_set_score(o->ptr, ref->e, score);
		return true;
	}
	done = zpack_set_score(&lp, ref->p, member, len, score);
	o->ptr = lp;
	return done;
}

void zset_remove(struct obj *o, const struct zset_ref *ref)
{
	unsigned char *lp = o->ptr;

	if (!is_pack(o)) {
		zskip_remove(o->ptr, ref->e);
		return;
	}
	lp_delete_at(&lp, ref->p, 2);
	o->ptr = lp;
}

void zset_remove_ranks(struct obj *o, uint64_t from, uint64_t n)
{
	unsigned char *lp = o->ptr;
	uint64_t nr = zset_count(o);

	if (from >= nr)
		return;
	if (n > nr - from)
		n = nr - from;
	if (!is_pack(o)) {
		zskip_remove_ranks(o->ptr, from, n);
		return;
	}
	lp_delete_range(&lp, (long)from * 2, n * 2);
	o->ptr = lp;
}

/* --- what is asked of every type --- */

static bool zset_copy(const struct obj *o, struct obj *out)
{
	if (is_pack(o))
		*out = obj_of_pack(lp_copy(o->ptr, lp_bytes(o->ptr)));
	else
		*out = obj_of_skip(skip_from(o));
	return out->ptr != NULL;
}

static size_t zset_mem(const struct obj *o, size_t samples)
{
	const struct zset *z = o->ptr;

	return is_pack(o) ? mem_usable(z) : mem_usable(z) + dict_mem(z->members, samples);
}

static void zset_digest(const struct obj *o, struct obj_digest *d)
{
	char text[ZSET_SCORE_TEXT_MAX];
	struct zset_pos pos;

	for (bool more = zset_seek(o, 0, &pos); more; more = zset_next(&pos)) {
		struct obj_digest one = digest_element(d);

		digest_mix(&one, pos.member.ptr, pos.member.len);
		digest_mix(&one, text, zset_score_text(pos.score, text));
		digest_add(d, one.state, DIGEST_LEN);
	}
}

const struct obj_ops zset_ops = {
	.free = zset_free,
	.nr_parts = zset_nr_parts,
	.free_parts = zset_free_parts,
	.copy = zset_copy,
	.count = zset_count,
	.mem = zset_mem,
	.digest = zset_digest,
};

struct scan {
	zset_scan_fn fn;
	void *ctx;
};

static void scan_entry(void *ctx, struct entry *e)
{
	const struct scan *s = ctx;

	s->fn(s->ctx, entry_key(e), zskip_node(e)->score);
}

uint64_t zset_scan(const struct obj *o, uint64_t cursor, zset_scan_fn fn, void *ctx)
{
	struct scan s = {fn, ctx};
	struct zset_pos pos;

	if (!is_pack(o))
		return dict_scan(((struct zset *)o->ptr)->members, cursor, scan_entry, &s);
	for (bool more = zset_seek(o, 0, &pos); more; more = zset_next(&pos))
		fn(ctx, pos.member, pos.score);
	return 0;
}
