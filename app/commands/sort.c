/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SORT and SORT_RO.
 *
 * Elements and weights are not copied: all that a SORT looks at is locked until it has ended, and
 * the only thing that can change meanwhile, a key past its time that goes when met, is nothing
 * that has been looked at.
 *
 * Where Redis leaves the order open (equal weights), it is by something that is the same on every
 * node with the same data: what STORE writes must come out again when the log is replayed.
 */
#include "app/commands/sort.h"

#include "app/acl/check.h"
#include "app/commands/collection.h"
#include "app/commands/keys.h"
#include "app/commands/partial_sort.h"
#include "app/keyspace/entry.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/set.h"
#include "app/keyspace/types/zset.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct item {
	struct lp_val elem;
	struct lp_val weight; /* ALPHA with BY */
	double num;           /* not ALPHA */
	bool weighs;          /* BY has led to something */
};

struct sort {
	struct client *c;
	/* arguments */
	bool desc, alpha, by_none; /* by_none: no order is asked for */
	bool has_by;
	int64_t skip, count; /* LIMIT; count negative: all */
	const struct slice *store;
	struct sort_pattern by;
	struct sort_pattern *gets; /* owned */
	uint32_t nr_gets;
	/* what is sorted */
	struct obj obj;        /* ptr NULL: no such key */
	struct item *items;    /* owned */
	void **order;          /* owned: the items as they are sorted */
	size_t nr, first, end; /* in this order, those from first on before end are wanted */
	struct sort_name name;
	bool by_text;  /* elements that weigh the same go by their bytes */
	bool bytewise; /* no locale */
	bool not_a_number, no_memory;
};

/* --- arguments -------------------------------------------------------------------------------- */

static bool limit_args(struct sort *s, const struct slice *args)
{
	return arg_int_reply(s->c, &args[0], &s->skip) && arg_int_reply(s->c, &args[1], &s->count);
}

/* Patterns reach any key: who may not read them all may not use one. */
static bool may_follow(struct sort *s, const char *option)
{
	struct client *c = s->c;

	if (acl_check_all_keys(c->user, c->cmd, c->argv, c->argc, ACL_READ))
		return true;
	reply_errf(c, "ERR %s option of SORT denied due to insufficient ACL permissions.", option);
	return false;
}

static bool by_arg(struct sort *s, const struct slice *arg)
{
	sort_pattern_parse(arg, &s->by);
	s->has_by = true;
	if (memchr(arg->ptr, '*', strnlen(arg->ptr, arg->len)))
		return may_follow(s, "BY");
	s->by_none = true; /* and a later BY does not undo it */
	return true;
}

/* An option of argv[*i] with words behind it; moves *i to its last word. False: an error has been
 * replied. */
static bool option(struct sort *s, uint32_t *i, bool may_store)
{
	const struct slice *a = &s->c->argv[*i];
	uint32_t behind = s->c->argc - *i - 1;

	if (arg_is(a, "limit") && behind >= 2) {
		*i += 2;
		return limit_args(s, a + 1);
	}
	if (may_store && arg_is(a, "store") && behind >= 1) {
		s->store = &s->c->argv[++*i];
		return true;
	}
	if (arg_is(a, "by") && behind >= 1) {
		return by_arg(s, &s->c->argv[++*i]);
	}
	if (arg_is(a, "get") && behind >= 1) {
		sort_pattern_parse(&s->c->argv[++*i], &s->gets[s->nr_gets++]);
		return may_follow(s, "GET");
	}
	reply_err(s->c, REPLY_SYNTAX);
	return false;
}

static bool parse(struct sort *s, bool may_store)
{
	struct client *c = s->c;

	/* each GET takes two words */
	s->gets = malloc((c->argc / 2 + 1) * sizeof(*s->gets));
	if (!s->gets) {
		key_no_memory(c, false);
		return false;
	}
	for (uint32_t i = 2; i < c->argc; i++) {
		const struct slice *a = &c->argv[i];

		if (arg_is(a, "asc"))
			s->desc = false;
		else if (arg_is(a, "desc"))
			s->desc = true;
		else if (arg_is(a, "alpha"))
			s->alpha = true;
		else if (!option(s, &i, may_store))
			return false;
	}
	return true;
}

/* False: WRONGTYPE has been replied. */
static bool open_source(struct sort *s)
{
	const struct entry *e = lookup_read(s->c, &s->c->argv[1]);

	if (!e)
		return true;
	switch (entry_type(e)) {
	case OBJ_LIST:
	case OBJ_SET:
	case OBJ_ZSET: s->obj = entry_obj(e); return true;
	default: reply_err(s->c, REPLY_WRONGTYPE); return false;
	}
}

/* --- the elements ----------------------------------------------------------------------------- */

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

static void set_range(struct sort *s, size_t nr)
{
	int64_t all = (int64_t)nr, count = clamp(s->count, -1, all);

	s->first = (size_t)clamp(s->skip, 0, all);
	s->end = count < 0 || count > all - (int64_t)s->first ? nr : s->first + (size_t)count;
}

static void add(struct sort *s, struct lp_val elem)
{
	s->items[s->nr] = (struct item){.elem = elem};
	s->order[s->nr] = &s->items[s->nr];
	s->nr++;
}

/* nr elements from the one at that place on, from the other end in the other direction. */
static void load_list(struct sort *s, size_t from, size_t nr, bool back)
{
	struct list_pos pos = list_at(&s->obj, back ? -1 - (int64_t)from : (int64_t)from);
	char num[KS_INT_STR_MAX];

	while (nr-- > 0 && list_pos_ok(&pos)) {
		add(s, sort_val(list_text(&pos, num), num));
		if (back)
			list_prev(&pos);
		else
			list_next(&pos);
	}
}

static void load_zset(struct sort *s, size_t from, size_t nr, bool back)
{
	struct zset_pos pos;
	size_t all = zset_count(&s->obj);
	bool more = nr > 0 && zset_seek(&s->obj, back ? all - 1 - from : from, &pos);

	while (more) {
		add(s, sort_val(pos.member, pos.buf));
		more = --nr > 0 && (back ? zset_prev(&pos) : zset_next(&pos));
	}
}

static void load_set(struct sort *s)
{
	struct set_iter it = set_iter(&s->obj);

	for (struct lp_val m; set_next(&it, &m);)
		add(s, m);
}

/* Where the order is that of the source, only what is wanted is loaded. */
static bool load(struct sort *s)
{
	size_t all = s->obj.ptr ? obj_ops(&s->obj)->count(&s->obj) : 0, nr = all, from = 0;
	bool in_order = s->by_none && s->obj.ptr && s->obj.type != OBJ_SET, back;

	set_range(s, all);
	if (in_order) {
		from = s->first;
		nr = s->end - s->first;
		s->first = 0;
		s->end = nr;
	}
	back = in_order && s->desc;
	s->items = malloc((nr + 1) * sizeof(*s->items));
	s->order = malloc((nr + 1) * sizeof(*s->order));
	if (!s->items || !s->order)
		return false;
	if (!s->obj.ptr)
		return true;
	switch (s->obj.type) {
	case OBJ_LIST: load_list(s, from, nr, back); break;
	case OBJ_ZSET: load_zset(s, from, nr, back); break;
	default: load_set(s); break;
	}
	/* the order in a hash table is no node's but its own */
	s->by_text = s->obj.enc == OBJ_ENC_HASHTABLE;
	return true;
}

/* --- weights ---------------------------------------------------------------------------------- */

static bool number(const struct lp_val *val, double *out)
{
	char small[128], *text = small, *end;
	bool ok;

	if (!val->str) {
		*out = (double)val->num;
		return true;
	}
	if (val->len >= sizeof(small)) {
		text = malloc((size_t)val->len + 1);
		if (!text)
			return false;
	}
	memcpy(text, val->str, val->len);
	text[val->len] = '\0';
	errno = 0;
	*out = strtod(text, &end);
	ok = *end == '\0' && errno != ERANGE && !isnan(*out);
	if (text != small)
		free(text);
	return ok;
}

static void weigh_item(struct sort *s, struct item *item)
{
	struct sort_value by = {.val = item->elem};
	enum sort_found found = SORT_FOUND;

	if (s->has_by)
		found = sort_follow(s->c, &s->by, &item->elem, &s->name, &by);
	s->no_memory |= found == SORT_NO_MEMORY;
	if (found != SORT_FOUND)
		return;
	item->weighs = true;
	if (s->alpha)
		item->weight = by.val;
	else if (!number(&by.val, &item->num))
		s->not_a_number = true;
}

static void weigh(struct sort *s)
{
	for (size_t i = 0; i < s->nr && !s->no_memory; i++)
		weigh_item(s, &s->items[i]);
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_bytes(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int cmp = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return cmp ? cmp : (a.len > b.len) - (a.len < b.len);
}

/* By the rules of the locale, as C strings. */
static int compare_locale(struct slice a, struct slice b)
{
	char *x = strndup(a.ptr, a.len), *y = strndup(b.ptr, b.len);
	int cmp = x && y ? strcoll(x, y) : compare_bytes(a, b);

	free(x);
	free(y);
	return cmp;
}

/* What is stored has the same order everywhere; what is replied, that of the locale. */
static int compare_texts(const struct sort *s, struct slice a, struct slice b)
{
	if (s->store)
		return compare_bytes(a, b);
	if (!s->bytewise)
		return compare_locale(a, b);
	a.len = strnlen(a.ptr, a.len);
	b.len = strnlen(b.ptr, b.len);
	return compare_bytes(a, b);
}

static int compare_elems(const struct item *x, const struct item *y)
{
	char bx[KS_INT_STR_MAX], by[KS_INT_STR_MAX];

	return compare_bytes(sort_text(&x->elem, bx), sort_text(&y->elem, by));
}

static int compare_weights(const struct sort *s, const struct item *x, const struct item *y)
{
	char bx[KS_INT_STR_MAX], by[KS_INT_STR_MAX];

	if (!s->alpha) {
		int cmp = (x->num > y->num) - (x->num < y->num);

		return cmp ? cmp : compare_elems(x, y);
	}
	if (!x->weighs || !y->weighs)
		return (int)x->weighs - (int)y->weighs;
	return compare_texts(s, sort_text(&x->weight, bx), sort_text(&y->weight, by));
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct item *x = a, *y = b;
	const struct sort *s = ctx;
	int cmp = compare_weights(s, x, y);

	if (cmp)
		return s->desc ? -cmp : cmp;
	return s->by_text ? compare_elems(x, y) : 0;
}

/* For qsort_r(), which keeps the order of what is equal. */
static int compare_whole(const void *a, const void *b, void *ctx)
{
	return compare(*(void *const *)a, *(void *const *)b, ctx);
}

static bool locale_is_bytewise(void)
{
	static const char *const names[] = {"C", "POSIX", "C.UTF-8", "C.utf8"};
	const char *name = setlocale(LC_COLLATE, NULL);

	for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return !name;
}

static void put_in_order(struct sort *s)
{
	s->bytewise = locale_is_bytewise();
	weigh(s);
	if (s->no_memory || s->not_a_number)
		return;
	if (s->has_by && s->first < s->end && s->end - s->first < s->nr)
		partial_sort(s->order, s->nr, s->first, s->end - 1, compare, s);
	else
		qsort_r(s->order, s->nr, sizeof(*s->order), compare_whole, s);
}

/* --- results ---------------------------------------------------------------------------------- */

static size_t nr_results(const struct sort *s)
{
	return (s->end - s->first) * (s->nr_gets ? s->nr_gets : 1);
}

/* A value of the result; NULL: GET has led nowhere. */
typedef void (*result_fn)(struct sort *s, struct obj *out, const struct sort_value *val);

static void each_result(struct sort *s, struct obj *out, result_fn fn)
{
	for (size_t i = s->first; i < s->end; i++) {
		const struct item *item = s->order[i];
		struct sort_value val = {.val = item->elem};

		if (s->nr_gets == 0)
			fn(s, out, &val);
		for (uint32_t g = 0; g < s->nr_gets; g++) {
			enum sort_found found =
				sort_follow(s->c, &s->gets[g], &item->elem, &s->name, &val);

			s->no_memory |= found == SORT_NO_MEMORY;
			fn(s, out, found == SORT_FOUND ? &val : NULL);
		}
		if (s->no_memory)
			return;
	}
}

static void reply_result(struct sort *s, struct obj *out, const struct sort_value *val)
{
	if (!val)
		reply_null(s->c);
	else if (val->e)
		reply_entry(s->c, val->e);
	else
		coll_reply(s->c, &val->val);
}

static void push_result(struct sort *s, struct obj *out, const struct sort_value *val)
{
	char num[KS_INT_STR_MAX];
	struct slice text = val ? sort_text(&val->val, num) : (struct slice){"", 0};
	int fill = coll_limits(s->c).list_max_listpack_size;

	s->no_memory |= !list_push(out, LIST_RIGHT, text.ptr, text.len, fill);
}

static void reply_all(struct sort *s)
{
	reply_array(s->c, nr_results(s));
	each_result(s, NULL, reply_result);
	if (s->no_memory)
		key_no_memory(s->c, true);
}

static void store_nothing(struct sort *s)
{
	if (key_clear(s->c, s->c->db, s->store)) {
		cmd_notify(s->c, NOTIFY_GENERIC, "del", s->store);
		cmd_dirty(s->c, 1);
	}
	reply_int(s->c, 0);
}

static void store_all(struct sort *s)
{
	size_t nr = nr_results(s);
	struct obj list;

	if (nr == 0) {
		store_nothing(s);
		return;
	}
	if (!list_make(&list)) {
		key_no_memory(s->c, false);
		return;
	}
	each_result(s, &list, push_result);
	if (s->no_memory) {
		list_ops.free(&list);
		key_no_memory(s->c, false);
		return;
	}
	if (!coll_store(s->c, s->store, &list, false))
		return;
	cmd_notify(s->c, NOTIFY_LIST, "sortstore", s->store);
	cmd_dirty(s->c, nr);
	reply_int(s->c, (int64_t)nr);
}

static void run(struct sort *s)
{
	bool repeatable = s->store || (s->c->flags & CLIENT_SCRIPT);

	/* Of a set in no order nothing could be stored that is the same on every node. */
	if (s->by_none && s->obj.ptr && s->obj.type == OBJ_SET && repeatable) {
		s->by_none = s->has_by = false;
		s->alpha = true;
	}
	s->no_memory = !load(s);
	if (!s->no_memory && !s->by_none)
		put_in_order(s);
	if (s->no_memory)
		key_no_memory(s->c, false);
	else if (s->not_a_number)
		reply_err(s->c, "ERR One or more scores can't be converted into double");
	else if (s->store)
		store_all(s);
	else
		reply_all(s);
}

static void sort_command(struct client *c, bool may_store)
{
	struct sort s = {.c = c, .count = -1};

	if (parse(&s, may_store) && open_source(&s))
		run(&s);
	free(s.gets);
	free(s.items);
	free(s.order);
	sort_name_fini(&s.name);
}

void sort_cmd_sort(struct client *c)
{
	sort_command(c, true);
}

void sort_cmd_sort_ro(struct client *c)
{
	sort_command(c, false);
}
