/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/set.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/mem.h"
#include "app/keyspace/types/sample.h"

/* Redis keeps no larger intset, whatever the limit. */
#define INTSET_MEMBERS_MAX (UINT64_C(1) << 30)

static bool is_intset(const struct obj *o)
{
	return o->enc == OBJ_ENC_INTSET;
}

static bool create_intset(struct obj *o)
{
	*o = (struct obj){.type = OBJ_SET, .enc = OBJ_ENC_INTSET, .ptr = intset_new()};
	return o->ptr;
}

static bool create_dict(struct obj *o)
{
	*o = (struct obj){.type = OBJ_SET, .enc = OBJ_ENC_HASHTABLE, .ptr = dict_create()};
	return o->ptr;
}

bool set_create(struct obj *o, const struct slice *first)
{
	int64_t num;

	if (!first || int_from_str(first->ptr, first->len, &num))
		return create_intset(o);
	return create_dict(o);
}

static bool fits_intset(uint64_t nr, const struct obj_limits *lim)
{
	return nr <= lim->set_max_intset_entries && nr <= INTSET_MEMBERS_MAX;
}

/* --- changing --- */

static enum set_added dict_add(struct dict *d, const void *member, size_t len)
{
	struct entry *e = NULL;
	struct value none;

	if (dict_find(d, member, len))
		return SET_THERE;
	if (len <= UINT32_MAX && value_from_str(&none, "", 0, true))
		e = entry_create(member, (uint32_t)len, &none, false);
	if (e && dict_insert(d, e))
		return SET_ADDED;
	if (e)
		entry_free(e);
	return SET_NO_MEMORY;
}

static enum set_added dict_add_num(struct dict *d, int64_t num)
{
	char text[KS_INT_STR_MAX];

	return dict_add(d, text, int_to_str(num, text));
}

static struct dict *dict_from_intset(const struct intset *is)
{
	struct dict *d = dict_create();

	for (uint32_t i = 0; d && i < intset_count(is); i++)
		if (dict_add_num(d, intset_get(is, i)) == SET_NO_MEMORY)
			dict_destroy(&d);
	return d;
}

/* False: no memory, it is an intset still. */
static bool convert(struct obj *o)
{
	struct dict *d = dict_from_intset(o->ptr);

	if (!d)
		return false;
	intset_free(o->ptr);
	o->ptr = d;
	o->enc = OBJ_ENC_HASHTABLE;
	return true;
}

bool set_from_intset(struct obj *o, struct intset *is, const struct obj_limits *lim)
{
	*o = (struct obj){.type = OBJ_SET, .enc = OBJ_ENC_INTSET, .ptr = is};
	return fits_intset(set_count(o), lim) || convert(o);
}

static enum set_added add_num(struct obj *o, int64_t num, const struct obj_limits *lim)
{
	struct intset *is = o->ptr;
	enum intset_added added = intset_add(&is, num);

	o->ptr = is;
	if (added == INTSET_THERE)
		return SET_THERE;
	if (added == INTSET_NO_MEMORY)
		return SET_NO_MEMORY;
	/* without memory for that now, the next one tries again */
	if (!fits_intset(set_count(o), lim))
		convert(o);
	return SET_ADDED;
}

enum set_added set_add(struct obj *o, const void *member, size_t len, const struct obj_limits *lim)
{
	int64_t num;

	if (is_intset(o) && int_from_str(member, len, &num))
		return add_num(o, num, lim);
	if (is_intset(o) && !convert(o))
		return SET_NO_MEMORY;
	return dict_add(o->ptr, member, len);
}

enum set_added set_add_val(struct obj *o, const struct lp_val *member, const struct obj_limits *lim)
{
	if (member->str)
		return set_add(o, member->str, member->len, lim);
	if (is_intset(o))
		return add_num(o, member->num, lim);
	return dict_add_num(o->ptr, member->num);
}

static bool dict_drop(struct dict *d, const void *member, size_t len)
{
	struct entry *e = dict_remove(d, member, len);

	if (e)
		entry_free(e);
	return e;
}

static bool intset_drop(struct obj *o, int64_t num)
{
	struct intset *is = o->ptr;
	bool there = intset_remove(&is, num);

	o->ptr = is;
	return there;
}

bool set_remove(struct obj *o, const void *member, size_t len)
{
	int64_t num;

	if (!is_intset(o))
		return dict_drop(o->ptr, member, len);
	return int_from_str(member, len, &num) && intset_drop(o, num);
}

bool set_remove_val(struct obj *o, const struct lp_val *member)
{
	char text[KS_INT_STR_MAX];

	if (member->str)
		return set_remove(o, member->str, member->len);
	if (is_intset(o))
		return intset_drop(o, member->num);
	return dict_drop(o->ptr, text, int_to_str(member->num, text));
}

void set_settle(struct obj *o, const struct obj_limits *lim)
{
	struct set_iter it = set_iter(o);
	struct obj ints;
	bool fits = !is_intset(o) && fits_intset(set_count(o), lim) && create_intset(&ints);
	int64_t num;

	if (!fits)
		return;
	for (struct lp_val m; fits && set_next(&it, &m);)
		fits = int_from_str(m.str, m.len, &num) && add_num(&ints, num, lim) == SET_ADDED;
	set_iter_fini(&it);
	if (fits) {
		set_ops.free(o);
		*o = ints;
	} else {
		set_ops.free(&ints);
	}
}

/* --- asking --- */

bool set_has(const struct obj *o, const void *member, size_t len)
{
	int64_t num;

	if (!is_intset(o))
		return dict_find(o->ptr, member, len);
	return int_from_str(member, len, &num) && intset_find(o->ptr, num);
}

bool set_has_val(const struct obj *o, const struct lp_val *member)
{
	char text[KS_INT_STR_MAX];

	if (member->str)
		return set_has(o, member->str, member->len);
	if (is_intset(o))
		return intset_find(o->ptr, member->num);
	return dict_find(o->ptr, text, int_to_str(member->num, text));
}

static struct lp_val member_of(const struct entry *e)
{
	return (struct lp_val){.str = entry_key_ptr(e), .len = e->key_len};
}

struct set_iter set_iter(const struct obj *o)
{
	if (is_intset(o))
		return (struct set_iter){.o = o};
	return (struct set_iter){.o = o, .d = {.d = o->ptr}};
}

bool set_next(struct set_iter *it, struct lp_val *member)
{
	if (is_intset(it->o)) {
		if (it->at == intset_count(it->o->ptr))
			return false;
		*member = (struct lp_val){.num = intset_get(it->o->ptr, it->at++)};
		return true;
	}
	const struct entry *e = dict_next(&it->d);

	if (e)
		*member = member_of(e);
	return e;
}

void set_iter_fini(struct set_iter *it)
{
	if (!is_intset(it->o))
		dict_iter_fini(&it->d);
}

struct visit {
	set_fn fn;
	void *ctx;
};

static void visit_entry(void *ctx, struct entry *e)
{
	const struct visit *v = ctx;
	struct lp_val member = member_of(e);

	v->fn(v->ctx, &member);
}

uint64_t set_scan(const struct obj *o, uint64_t cursor, set_fn fn, void *ctx)
{
	struct visit v = {fn, ctx};

	if (!is_intset(o))
		return dict_scan(o->ptr, cursor, visit_entry, &v);
	struct set_iter it = set_iter(o);

	for (struct lp_val member; set_next(&it, &member);)
		fn(ctx, &member);
	return 0;
}

/* --- random members --- */

/* A random member, and a number other than 0 that tells it from all others. */
static struct lp_val draw(const struct obj *o, uint64_t *number)
{
	if (is_intset(o)) {
		uint32_t rank = (uint32_t)ks_rand_below(intset_count(o->ptr));

		*number = UINT64_C(1) + rank;
		return (struct lp_val){.num = intset_get(o->ptr, rank)};
	}
	const struct entry *e = dict_random(o->ptr);

	*number = (uint64_t)(uintptr_t)e;
	return member_of(e);
}

struct lp_val set_random(const struct obj *o)
{
	uint64_t number;

	return draw(o, &number);
}

static bool sample_any(const struct obj *o, size_t nr, set_fn fn, void *ctx)
{
	while (nr-- > 0) {
		struct lp_val member = set_random(o);

		if (!fn(ctx, &member))
			return false;
	}
	return true;
}

static bool sample_pass(const struct obj *o, size_t nr, set_fn fn, void *ctx)
{
	struct sample_pass pass = {.left = set_count(o), .want = nr};
	struct set_iter it = set_iter(o);
	bool go_on = true;

	for (struct lp_val member; go_on && pass.want > 0 && set_next(&it, &member);)
		if (sample_pass_takes(&pass))
			go_on = fn(ctx, &member);
	set_iter_fini(&it);
	return go_on;
}

static bool sample_few(const struct obj *o, size_t nr, set_fn fn, void *ctx)
{
	struct sample_seen seen;
	uint64_t number;
	bool go_on = true;

	if (!sample_seen_init(&seen, nr))
		return false;
	while (go_on && nr > 0) {
		struct lp_val member = draw(o, &number);

		if (!sample_seen_add(&seen, number))
			continue;
		nr--;
		go_on = fn(ctx, &member);
	}
	sample_seen_fini(&seen);
	return go_on;
}

bool set_sample(const struct obj *o, size_t nr, bool distinct, set_fn fn, void *ctx)
{
	size_t all = set_count(o);

	if (!distinct)
		return sample_any(o, nr, fn, ctx);
	if (nr > all)
		nr = all;
	if (!sample_is_few(nr, all))
		return sample_pass(o, nr, fn, ctx);
	return sample_few(o, nr, fn, ctx);
}

/* --- what the keyspace asks for --- */

static void ops_free(struct obj *o)
{
	struct dict *d = o->ptr;

	if (is_intset(o))
		intset_free(o->ptr);
	else
		dict_destroy(&d);
	o->ptr = NULL;
}

static size_t ops_nr_parts(const struct obj *o)
{
	return is_intset(o) ? 1 : dict_count(o->ptr);
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
	if (is_intset(o))
		out->ptr = intset_copy(o->ptr, intset_bytes(o->ptr));
	else
		out->ptr = dict_copy(o->ptr);
	return out->ptr;
}

static size_t ops_mem(const struct obj *o, size_t samples)
{
	return is_intset(o) ? mem_usable(o->ptr) : dict_mem(o->ptr, samples);
}

static void ops_digest(const struct obj *o, struct obj_digest *d)
{
	struct set_iter it = set_iter(o);
	char num[KS_INT_STR_MAX];

	for (struct lp_val m; set_next(&it, &m);) {
		if (m.str)
			digest_add(d, m.str, m.len);
		else
			digest_add(d, num, int_to_str(m.num, num));
	}
}

const struct obj_ops set_ops = {
	.free = ops_free,
	.nr_parts = ops_nr_parts,
	.free_parts = ops_free_parts,
	.copy = ops_copy,
	.count = set_count,
	.mem = ops_mem,
	.digest = ops_digest,
};
