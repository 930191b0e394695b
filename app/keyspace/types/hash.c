/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/hash.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/sample.h"

#include <stdlib.h>

/* Numbers of so many characters take less room in an entry as text than in a slot, which has to be
 * aligned. */
#define SHORT_NUMBER 12

static bool is_listpack(const struct obj *o)
{
	return o->enc == OBJ_ENC_LISTPACK;
}

bool hash_create(struct obj *o)
{
	*o = (struct obj){.type = OBJ_HASH, .enc = OBJ_ENC_LISTPACK, .ptr = lp_new(LP_BYTES_EMPTY)};
	return o->ptr;
}

/* --- pairs --- */

static struct hash_pair pair_at(const struct obj *o, const unsigned char *field)
{
	return (struct hash_pair){.field = lp_get(field), .value = lp_get(lp_next(o->ptr, field))};
}

static struct hash_pair pair_of(const struct entry *e)
{
	struct hash_pair p = {.field = {.str = entry_key_ptr(e), .len = e->key_len}, .e = e};
	char num[KS_INT_STR_MAX];
	struct slice text;

	if (entry_int(e, &p.value.num))
		return p;
	text = entry_str(e, num);
	p.value.str = text.ptr;
	p.value.len = (uint32_t)text.len;
	return p;
}

static unsigned char *find_in_listpack(const struct obj *o, const void *field, size_t len)
{
	return lp_find(o->ptr, lp_first(o->ptr), field, len, 1);
}

bool hash_get(const struct obj *o, const void *field, size_t len, struct hash_pair *pair)
{
	if (is_listpack(o)) {
		const unsigned char *p = find_in_listpack(o, field, len);

		if (p)
			*pair = pair_at(o, p);
		return p;
	}
	const struct entry *e = dict_find(o->ptr, field, len);

	if (e)
		*pair = pair_of(e);
	return e;
}

/* --- changing a dict --- */

static bool dict_add_pair(struct dict *d, const struct slice *field, const struct value *v)
{
	struct entry *e = NULL;

	if (field->len <= UINT32_MAX)
		e = entry_create(field->ptr, (uint32_t)field->len, v, false);
	if (e && dict_insert(d, e))
		return true;
	if (e)
		entry_free_shell(e);
	return false;
}

/* Gives the field of old another value; takes v on success. */
static bool dict_update(struct dict *d, struct entry *old, const struct value *v)
{
	unsigned layout = v->slot ? ENTRY_SLOT : 0;
	struct value gone = entry_value(old);
	struct entry *e;

	if (old->flags == layout &&
		entry_size(old) == entry_room(old->key_len, layout, v->emb_len)) {
		entry_put_value(old, v);
		value_release(&gone);
		return true;
	}
	e = entry_create(entry_key_ptr(old), old->key_len, v, false);
	if (!e)
		return false;
	dict_replace(d, old, e);
	entry_free(old);
	return true;
}

static enum hash_change dict_set(
	struct dict *d, const struct slice *field, const struct slice *value)
{
	struct entry *old = dict_find(d, field->ptr, field->len);
	struct value v;

	if (!value_from_str(&v, value->ptr, value->len, value->len <= SHORT_NUMBER))
		return HASH_NO_MEMORY;
	if (old ? dict_update(d, old, &v) : dict_add_pair(d, field, &v))
		return old ? HASH_UPDATED : HASH_ADDED;
	value_release(&v);
	return HASH_NO_MEMORY;
}

/* --- from a listpack to a dict --- */

static bool pair_into_dict(struct dict *d, const unsigned char *field, const unsigned char *value)
{
	char num[2][KS_INT_STR_MAX];
	struct slice name = lp_text(field, num[0]), text = lp_text(value, num[1]);

	if (dict_find(d, name.ptr, name.len))
		return true;
	return dict_set(d, &name, &text) == HASH_ADDED;
}

static struct dict *dict_from_listpack(const unsigned char *lp)
{
	struct dict *d = dict_create();
	const unsigned char *value;

	for (const unsigned char *p = lp_first(lp); d && p; p = lp_next(lp, value)) {
		value = lp_next(lp, p);
		if (!pair_into_dict(d, p, value))
			dict_destroy(&d);
	}
	return d;
}

/* False: no memory, it is a listpack still. */
static bool convert(struct obj *o)
{
	struct dict *d = dict_from_listpack(o->ptr);

	if (!d)
		return false;
	lp_free(o->ptr);
	o->ptr = d;
	o->enc = OBJ_ENC_HASHTABLE;
	return true;
}

bool hash_from_listpack(struct obj *o, unsigned char *lp, const struct obj_limits *lim)
{
	*o = (struct obj){.type = OBJ_HASH, .enc = OBJ_ENC_LISTPACK, .ptr = lp};
	return hash_count(o) <= lim->hash_max_listpack_entries || convert(o);
}

/* --- changing --- */

static bool fits_listpack(const struct obj *o, const struct slice *field, const struct slice *value,
	const struct obj_limits *lim)
{
	return field->len <= lim->hash_max_listpack_value &&
	       value->len <= lim->hash_max_listpack_value &&
	       lp_safe_to_add(o->ptr, lp_entry_size(field->ptr, field->len) +
					      lp_entry_size(value->ptr, value->len));
}

static bool listpack_append(
	unsigned char **lp, const struct slice *field, const struct slice *value)
{
	if (!lp_append(lp, field->ptr, field->len))
		return false;
	if (lp_append(lp, value->ptr, value->len))
		return true;
	lp_delete(lp, lp_last(*lp));
	return false;
}

static enum hash_change listpack_set(
	struct obj *o, const struct slice *field, const struct slice *value)
{
	unsigned char *lp = o->ptr;
	unsigned char *p = find_in_listpack(o, field->ptr, field->len);
	bool done;

	if (p)
		done = lp_insert(&lp, lp_next(lp, p), value->ptr, value->len, LP_REPLACE, NULL);
	else
		done = listpack_append(&lp, field, value);
	o->ptr = lp;
	if (!done)
		return HASH_NO_MEMORY;
	return p ? HASH_UPDATED : HASH_ADDED;
}

enum hash_change hash_set(struct obj *o, const struct slice *field, const struct slice *value,
	const struct obj_limits *lim)
{
	enum hash_change change;

	if (is_listpack(o) && !fits_listpack(o, field, value, lim) && !convert(o))
		return HASH_NO_MEMORY;
	if (!is_listpack(o))
		return dict_set(o->ptr, field, value);
	change = listpack_set(o, field, value);
	/* without memory for that now, the next one tries again */
	if (change == HASH_ADDED && hash_count(o) > lim->hash_max_listpack_entries)
		convert(o);
	return change;
}

bool hash_del(struct obj *o, const void *field, size_t len)
{
	if (is_listpack(o)) {
		unsigned char *lp = o->ptr, *p = find_in_listpack(o, field, len);

		if (p)
			lp_delete_at(&lp, p, 2);
		o->ptr = lp;
		return p;
	}
	struct entry *e = dict_remove(o->ptr, field, len);

	if (e)
		entry_free(e);
	return e;
}

/* --- visiting --- */

struct hash_iter hash_iter(const struct obj *o)
{
	if (is_listpack(o))
		return (struct hash_iter){.o = o, .at = lp_first(o->ptr)};
	return (struct hash_iter){.o = o, .d = {.d = o->ptr}};
}

bool hash_next(struct hash_iter *it, struct hash_pair *pair)
{
	if (is_listpack(it->o)) {
		const unsigned char *lp = it->o->ptr, *field = it->at;

		if (!field)
			return false;
		*pair = pair_at(it->o, field);
		it->at = lp_next(lp, lp_next(lp, field));
		return true;
	}
	const struct entry *e = dict_next(&it->d);

	if (e)
		*pair = pair_of(e);
	return e;
}

void hash_iter_fini(struct hash_iter *it)
{
	if (!is_listpack(it->o))
		dict_iter_fini(&it->d);
}

struct visit {
	hash_fn fn;
	void *ctx;
};

static void visit_entry(void *ctx, struct entry *e)
{
	const struct visit *v = ctx;
	struct hash_pair pair = pair_of(e);

	v->fn(v->ctx, &pair);
}

uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_fn fn, void *ctx)
{
	struct visit v = {fn, ctx};

	if (!is_listpack(o))
		return dict_scan(o->ptr, cursor, visit_entry, &v);
	struct hash_iter it = hash_iter(o);

	for (struct hash_pair pair; hash_next(&it, &pair);)
		fn(ctx, &pair);
	return 0;
}

/* --- random pairs --- */

void hash_random(const struct obj *o, struct hash_pair *pair)
{
	if (is_listpack(o))
		*pair = pair_at(o, lp_seek(o->ptr, 2 * (long)ks_rand_below(hash_count(o))));
	else
		*pair = pair_of(dict_random(o->ptr));
}

/* The places of all fields, so that any can be had at once. NULL: no memory. */
static const unsigned char **listpack_fields(const struct obj *o)
{
	const unsigned char **fields = malloc(hash_count(o) * sizeof(*fields));
	const unsigned char *lp = o->ptr, *p = lp_first(lp);

	for (size_t i = 0; fields && p; p = lp_next(lp, lp_next(lp, p)))
		fields[i++] = p;
	return fields;
}

/* Each time one of all. */
static bool sample_any(const struct obj *o, size_t nr, hash_fn fn, void *ctx)
{
	const unsigned char **fields = NULL;
	size_t all = hash_count(o);
	struct hash_pair pair;
	bool go_on = true;

	if (is_listpack(o) && nr > 1) {
		fields = listpack_fields(o);
		if (!fields)
			return false;
	}
	while (go_on && nr-- > 0) {
		if (fields)
			pair = pair_at(o, fields[ks_rand_below(all)]);
		else
			hash_random(o, &pair);
		go_on = fn(ctx, &pair);
	}
	free(fields);
	return go_on;
}

static bool sample_pass(const struct obj *o, size_t nr, hash_fn fn, void *ctx)
{
	struct sample_pass pass = {.left = hash_count(o), .want = nr};
	struct hash_iter it = hash_iter(o);
	bool go_on = true;

	for (struct hash_pair pair; go_on && pass.want > 0 && hash_next(&it, &pair);)
		if (sample_pass_takes(&pass))
			go_on = fn(ctx, &pair);
	hash_iter_fini(&it);
	return go_on;
}

static bool sample_few(const struct obj *o, size_t nr, hash_fn fn, void *ctx)
{
	struct sample_seen seen;
	struct hash_pair pair;
	bool go_on = true;

	if (!sample_seen_init(&seen, nr))
		return false;
	while (go_on && nr > 0) {
		hash_random(o, &pair);
		if (!sample_seen_add(&seen, (uint64_t)(uintptr_t)pair.e))
			continue;
		nr--;
		go_on = fn(ctx, &pair);
	}
	sample_seen_fini(&seen);
	return go_on;
}

bool hash_sample(const struct obj *o, size_t nr, bool distinct, hash_fn fn, void *ctx)
{
	size_t all = hash_count(o);

	if (!distinct)
		return sample_any(o, nr, fn, ctx);
	if (nr > all)
		nr = all;
	if (is_listpack(o) || !sample_is_few(nr, all))
		return sample_pass(o, nr, fn, ctx);
	return sample_few(o, nr, fn, ctx);
}

/* --- what the keyspace asks for --- */

static void ops_free(struct obj *o)
{
	struct dict *d = o->ptr;

	if (is_listpack(o))
		lp_free(o->ptr);
	else
		dict_destroy(&d);
	o->ptr = NULL;
}

static size_t ops_nr_parts(const struct obj *o)
{
	return is_listpack(o) ? 1 : dict_count(o->ptr);
}

static bool ops_free_parts(struct obj *o, uint64_t *at, unsigned max)
{
	struct dict *d = o->ptr;
	bool done = dict_destroy_part(&d, at, max);

	o->ptr = d;
	return done;
}

static bool ops_copy(const struct obj *o, struct obj *out)
{
	*out = *o;
	if (is_listpack(o))
		out->ptr = lp_copy(o->ptr, lp_bytes(o->ptr));
	else
		out->ptr = dict_copy(o->ptr);
	return out->ptr;
}

static size_t ops_mem(const struct obj *o, size_t samples)
{
	return is_listpack(o) ? mem_usable(o->ptr) : dict_mem(o->ptr, samples);
}

static void mix_val(struct obj_digest *d, const struct lp_val *val)
{
	char num[KS_INT_STR_MAX];

	if (val->str)
		digest_mix(d, val->str, val->len);
	else
		digest_mix(d, num, int_to_str(val->num, num));
}

static void ops_digest(const struct obj *o, struct obj_digest *d)
{
	struct hash_iter it = hash_iter(o);

	for (struct hash_pair pair; hash_next(&it, &pair);) {
		struct obj_digest one = digest_element(d);

		mix_val(&one, &pair.field);
		mix_val(&one, &pair.value);
		digest_add(d, one.state, DIGEST_LEN);
	}
}

const struct obj_ops hash_ops = {
	.free = ops_free,
	.nr_parts = ops_nr_parts,
	.free_parts = ops_free_parts,
	.copy = ops_copy,
	.count = hash_count,
	.mem = ops_mem,
	.digest = ops_digest,
};
