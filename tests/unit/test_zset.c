/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted sets: both encodings against a sorted array, the spans of the skip list, bytes as
 * redis-server 7.0 wrote them, memory that runs out. The linker puts the functions below in the
 * place of mem_alloc() and mem_realloc() (--wrap, see meson.build).
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/rand.h"
#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/zset_priv.h"

#include <math.h>

static bool memory_out;

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

void *__wrap_mem_alloc(size_t size)
{
	return memory_out ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return memory_out ? NULL : __real_mem_realloc(ptr, size);
}

static const struct obj_limits usual = {
	.zset_max_listpack_entries = 128,
	.zset_max_listpack_value = 64,
};
static const struct obj_limits none = {0};

static struct obj new_zset(const struct obj_limits *lim)
{
	struct obj o;

	assert_true(zset_create(&o, lim, 0));
	return o;
}

static void add(struct obj *o, const char *member, double score, const struct obj_limits *lim)
{
	assert_true(zset_add(o, member, strlen(member), score, lim));
}

static void done(struct obj *o)
{
	obj_ops(o)->free(o);
}

/* --- the skip list from inside --- */

static void check_skip(const struct zset *z)
{
	const struct entry *prev = NULL;
	uint64_t nr = 0;

	for (const struct entry *e = z->head[0].next; e; e = zskip_node(e)->links[0].next) {
		assert_ptr_equal(zskip_node(e)->prev, prev);
		assert_int_equal(zskip_rank(z, e), nr);
		assert_ptr_equal(zskip_at(z, nr), e);
		nr++;
		prev = e;
	}
	assert_ptr_equal(z->tail, prev);
	assert_int_equal(z->nr, nr);
	assert_int_equal(dict_count(z->members), nr);
	for (unsigned i = 0; i < z->height; i++) {
		const struct zskip_link *l = &z->head[i];
		uint64_t passed = 0;

		while (l->next) {
			passed += l->span;
			assert_int_equal(zskip_rank(z, l->next) + 1, passed);
			l = &zskip_node(l->next)->links[i];
		}
		assert_int_equal(passed + l->span, nr);
	}
}

/* --- against a sorted array --- */

#define MODEL_MAX 400u

struct model {
	struct member {
		char name[8];
		double score;
	} at[MODEL_MAX];
	unsigned nr;
};

static int member_cmp(const struct member *a, const struct member *b)
{
	if (a->score != b->score)
		return a->score < b->score ? -1 : 1;
	return strcmp(a->name, b->name);
}

static unsigned model_find(const struct model *m, const char *name)
{
	unsigned i = 0;

	while (i < m->nr && strcmp(m->at[i].name, name) != 0)
		i++;
	return i;
}

static void model_remove(struct model *m, unsigned from, unsigned n)
{
	memmove(&m->at[from], &m->at[from + n], (m->nr - from - n) * sizeof(m->at[0]));
	m->nr -= n;
}

static void model_add(struct model *m, const struct member *one)
{
	unsigned i = 0;

	while (i < m->nr && member_cmp(&m->at[i], one) < 0)
		i++;
	memmove(&m->at[i + 1], &m->at[i], (m->nr - i) * sizeof(m->at[0]));
	m->at[i] = *one;
	m->nr++;
}

static void check_pos(const struct zset_pos *pos, const struct member *want)
{
	assert_int_equal(pos->member.len, strlen(want->name));
	assert_memory_equal(pos->member.ptr, want->name, pos->member.len);
	assert_true(pos->score == want->score);
}

static void check_model(const struct obj *o, const struct model *m)
{
	struct zset_pos pos;
	unsigned i = 0;

	assert_int_equal(zset_count(o), m->nr);
	for (bool more = zset_seek(o, 0, &pos); more; more = zset_next(&pos), i++)
		check_pos(&pos, &m->at[i]);
	assert_int_equal(i, m->nr);
	for (bool more = zset_last(o, &pos); more; more = zset_prev(&pos))
		check_pos(&pos, &m->at[--i]);
	assert_int_equal(i, 0);
	if (o->enc == OBJ_ENC_SKIPLIST)
		check_skip(o->ptr);
}

static double random_score(void)
{
	static const double some[] = {0, 1, -1, 0.5, 3, 1e300, -1e300, INFINITY, -INFINITY, 1e18};

	return ks_rand_below(2) ? some[ks_rand_below(sizeof(some) / sizeof(some[0]))]
				: (double)ks_rand_below(20);
}

static void step_put(struct obj *o, struct model *m, const struct obj_limits *lim)
{
	struct member one = {.score = random_score()};
	struct zset_ref ref;
	size_t len;

	len = (size_t)snprintf(one.name, sizeof(one.name), ks_rand_below(2) ? "%u" : "m%u",
		(unsigned)ks_rand_below(150));
	unsigned i = model_find(m, one.name);

	assert_int_equal(zset_find(o, one.name, len, &ref), i < m->nr);
	if (i < m->nr) {
		assert_true(ref.score == m->at[i].score);
		assert_int_equal(zset_rank(o, &ref), i);
		assert_true(zset_set_score(o, &ref, one.name, len, one.score));
		model_remove(m, i, 1);
	} else {
		assert_true(zset_add(o, one.name, len, one.score, lim));
	}
	model_add(m, &one);
}

static void step_remove(struct obj *o, struct model *m)
{
	unsigned i = (unsigned)ks_rand_below(m->nr);
	struct zset_ref ref;

	assert_true(zset_find(o, m->at[i].name, strlen(m->at[i].name), &ref));
	zset_remove(o, &ref);
	model_remove(m, i, 1);
}

static void step_remove_ranks(struct obj *o, struct model *m)
{
	unsigned from = (unsigned)ks_rand_below(m->nr);
	unsigned n = (unsigned)ks_rand_below(10);

	zset_remove_ranks(o, from, n);
	model_remove(m, from, n < m->nr - from ? n : m->nr - from);
}

static void step_range(const struct obj *o, const struct model *m)
{
	struct zset_scores r = {random_score(), random_score(), ks_rand_below(2), ks_rand_below(2)};
	struct zset_ranks got = zset_range_scores(o, &r);
	uint64_t nr = 0, first = 0;

	for (unsigned i = m->nr; i-- > 0;) {
		double s = m->at[i].score;

		if ((r.min_open ? s > r.min : s >= r.min) &&
			(r.max_open ? s < r.max : s <= r.max)) {
			nr++;
			first = i;
		}
	}
	assert_int_equal(got.to - got.from, nr);
	if (nr > 0)
		assert_int_equal(got.from, first);
}

static void run_model(const struct obj_limits *lim, unsigned steps)
{
	struct obj o = new_zset(lim);
	struct model m = {0};

	for (unsigned i = 0; i < steps; i++) {
		uint64_t what = ks_rand_below(12);

		if (what < 7 && m.nr < MODEL_MAX)
			step_put(&o, &m, lim);
		else if (what < 9 && m.nr > 0)
			step_remove(&o, &m);
		else if (what == 9 && m.nr > 0)
			step_remove_ranks(&o, &m);
		else
			step_range(&o, &m);
		if (i % 20 == 0)
			check_model(&o, &m);
	}
	check_model(&o, &m);
	done(&o);
}

static void both_encodings_follow_the_model(void **state)
{
	const struct obj_limits large = {
		1000, 1000, .zset_max_listpack_entries = 1000, .zset_max_listpack_value = 64};
	size_t used = mem_used();
	uint64_t seed = (uint64_t)time(NULL);

	print_message("seed %llu\n", (unsigned long long)seed);
	ks_rand_seed(seed);
	for (unsigned i = 0; i < 10; i++) {
		run_model(&large, 2000);
		run_model(&none, 2000);
		run_model(&usual, 2000);
	}
	assert_int_equal(mem_used(), used);
}

static void lex_ranges_are_those_of_the_names(void **state)
{
	static const char *const names[] = {"", "a", "aa", "b", "c", "cc"};
	static const struct {
		struct zset_lex r;
		uint64_t from, to;
	} cases[] = {
		{{.min_end = ZSET_LEX_LOW, .max_end = ZSET_LEX_HIGH}, 0, 6},
		{{.min_end = ZSET_LEX_HIGH, .max_end = ZSET_LEX_HIGH}, 0, 0},
		{{.min_end = ZSET_LEX_LOW, .max_end = ZSET_LEX_LOW}, 0, 0},
		{{.min = {"a", 1}, .max = {"c", 1}}, 1, 5},
		{{.min = {"a", 1}, .max = {"c", 1}, .min_open = true, .max_open = true}, 2, 4},
		{{.min = {"ab", 2}, .max_end = ZSET_LEX_HIGH}, 3, 6},
		{{.min = {"c", 1}, .max = {"a", 1}}, 0, 0},
		{{.min = {"", 0}, .min_open = true, .max = {"zz", 2}}, 1, 6},
		{{.min = {"a", 1}, .max = {"c", 1}, .skip = 4}, 0, 0},
		{{.min = {"a", 1}, .max = {"c", 1}, .skip = UINT64_MAX}, 0, 0},
	};

	for (unsigned enc = 0; enc < 2; enc++) {
		const struct obj_limits *lim = enc ? &none : &usual;
		struct obj o = new_zset(lim);

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			add(&o, names[i], 7, lim);
		for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
			struct zset_ranks got = zset_range_lex(&o, &cases[i / 2].r, i % 2);
			uint64_t nr = cases[i / 2].to - cases[i / 2].from;

			assert_int_equal(got.to - got.from, nr);
			if (nr > 0)
				assert_int_equal(got.from, cases[i / 2].from);
		}
		done(&o);
	}
}

/* --- encodings --- */

static const unsigned char redis_bytes[] = {0x67, 0x00, 0x00, 0x00, 0x12, 0x00, 0x83, 0x6c, 0x6f,
	0x77, 0x04, 0x84, 0x2d, 0x69, 0x6e, 0x66, 0x05, 0x81, 0x65, 0x02, 0x85, 0x2d, 0x30, 0x2e,
	0x32, 0x35, 0x06, 0x84, 0x7a, 0x65, 0x72, 0x6f, 0x05, 0x00, 0x01, 0xc1, 0x2c, 0x02, 0x93,
	0x30, 0x2e, 0x31, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30,
	0x30, 0x30, 0x30, 0x31, 0x14, 0x81, 0x61, 0x02, 0x01, 0x01, 0x81, 0x62, 0x02, 0x83, 0x31,
	0x2e, 0x35, 0x04, 0x81, 0x63, 0x02, 0xf4, 0x00, 0x00, 0x2c, 0xf6, 0x1a, 0x24, 0xa2, 0x29,
	0x09, 0x81, 0x64, 0x02, 0x85, 0x35, 0x65, 0x2b, 0x31, 0x38, 0x06, 0x0c, 0x01, 0x83, 0x69,
	0x6e, 0x66, 0x04, 0xff};

static void listpack_is_as_redis_writes_it(void **state)
{
	struct obj o = new_zset(&usual), again;
	struct zset_pos pos;

	add(&o, "a", 1, &usual);
	add(&o, "b", 1.5, &usual);
	add(&o, "low", -INFINITY, &usual);
	add(&o, "12", INFINITY, &usual);
	add(&o, "c", 3e18, &usual);
	add(&o, "d", 5e18, &usual);
	add(&o, "e", -0.25, &usual);
	add(&o, "300", 0.1, &usual);
	add(&o, "zero", -0.0, &usual);
	assert_int_equal(lp_bytes(o.ptr), sizeof(redis_bytes));
	assert_memory_equal(o.ptr, redis_bytes, sizeof(redis_bytes));
	assert_true(zset_listpack_valid(o.ptr));
	assert_true(zset_from_listpack(&again, lp_copy(redis_bytes, sizeof(redis_bytes)), &none));
	assert_int_equal(again.enc, OBJ_ENC_SKIPLIST);
	assert_int_equal(zset_count(&again), 9);
	assert_true(zset_seek(&again, 0, &pos));
	assert_true(isinf(pos.score) && pos.score < 0);
	assert_true(zset_last(&again, &pos));
	assert_memory_equal(pos.member.ptr, "12", 2);
	zset_settle(&again, &usual);
	assert_int_equal(again.enc, OBJ_ENC_LISTPACK);
	assert_memory_equal(again.ptr, redis_bytes, sizeof(redis_bytes));
	done(&again);
	done(&o);
}

static void size_and_number_change_the_encoding(void **state)
{
	struct obj o = new_zset(&usual);
	char text[80];

	for (unsigned i = 0; i < 128; i++) {
		snprintf(text, sizeof(text), "%064u", i);
		add(&o, text, i, &usual);
	}
	assert_int_equal(o.enc, OBJ_ENC_LISTPACK);
	add(&o, "more", 0, &usual);
	assert_int_equal(o.enc, OBJ_ENC_SKIPLIST);
	check_skip(o.ptr);
	zset_settle(&o, &usual);
	assert_int_equal(o.enc, OBJ_ENC_SKIPLIST);
	zset_remove_ranks(&o, 1, 1);
	zset_settle(&o, &usual);
	assert_int_equal(o.enc, OBJ_ENC_LISTPACK);
	zset_remove_ranks(&o, 0, 100);
	snprintf(text, sizeof(text), "%065u", 1);
	add(&o, text, 1, &usual);
	assert_int_equal(o.enc, OBJ_ENC_SKIPLIST);
	zset_settle(&o, &usual);
	assert_int_equal(o.enc, OBJ_ENC_SKIPLIST);
	done(&o);
	assert_true(zset_create(&o, &usual, 65));
	assert_int_equal(o.enc, OBJ_ENC_SKIPLIST);
	done(&o);
}

static void foreign_listpacks_do_no_harm(void **state)
{
	unsigned char *lp = lp_new(0);
	struct obj o;

	assert_true(lp_append(&lp, "b", 1) && lp_append_int(&lp, 5));
	assert_true(lp_append(&lp, "a", 1));
	assert_false(zset_listpack_valid(lp));
	assert_true(lp_append(&lp, "nan", 3));
	assert_false(zset_listpack_valid(lp));
	assert_int_equal(lp_delete_range(&lp, -1, 1), 1);
	assert_true(lp_append_int(&lp, 1));
	assert_true(lp_append(&lp, "b", 1) && lp_append_int(&lp, 9));
	assert_true(zset_listpack_valid(lp));
	/* out of order, and one twice */
	assert_true(zset_from_listpack(&o, lp, &none));
	assert_int_equal(zset_count(&o), 2);
	check_skip(o.ptr);
	done(&o);
}

static void copies_are_equal_and_apart(void **state)
{
	size_t used = mem_used();

	for (unsigned enc = 0; enc < 2; enc++) {
		const struct obj_limits *lim = enc ? &none : &usual;
		struct obj o = new_zset(lim), copy;
		char text[16];

		for (unsigned i = 0; i < 100; i++) {
			snprintf(text, sizeof(text), "m%u", i);
			add(&o, text, i % 7, lim);
		}
		assert_true(zset_ops.copy(&o, &copy));
		zset_remove_ranks(&o, 0, 100);
		assert_int_equal(zset_count(&o), 0);
		assert_int_equal(zset_count(&copy), 100);
		if (enc)
			check_skip(copy.ptr);
		done(&o);
		done(&copy);
	}
	assert_int_equal(mem_used(), used);
}

static void nothing_changes_when_memory_is_out(void **state)
{
	for (unsigned enc = 0; enc < 2; enc++) {
		const struct obj_limits *lim = enc ? &none : &usual;
		struct obj o = new_zset(lim);
		struct zset_ref ref;
		char text[16];
		unsigned nr = 0;

		memory_out = true;
		do
			snprintf(text, sizeof(text), "m%u", nr++);
		while (nr < 1000 && zset_add(&o, text, strlen(text), 0.125, lim));
		memory_out = false;
		assert_true(nr < 100);
		assert_int_equal(zset_count(&o), nr - 1);
		while (zset_count(&o) < 100) {
			snprintf(text, sizeof(text), "m%u", nr++);
			add(&o, text, 0.125, lim);
		}
		memory_out = true;
		assert_true(zset_find(&o, "m50", 3, &ref));
		bool moved = zset_set_score(&o, &ref, "m50", 3, -0.123456789);

		memory_out = false;
		assert_true(zset_find(&o, "m50", 3, &ref));
		assert_true(ref.score == (moved ? -0.123456789 : 0.125));
		assert_int_equal(zset_count(&o), 100);
		done(&o);
	}
	memory_out = true;
	struct obj o;

	assert_false(zset_create(&o, &usual, 1));
	assert_false(zset_create(&o, &none, 1));
	memory_out = false;
}

struct seen {
	unsigned times[1000];
};

static void see(void *ctx, struct slice member, double score)
{
	struct seen *s = ctx;

	assert_true(score < 1000);
	s->times[(unsigned)score]++;
}

static void scan_sees_every_member(void **state)
{
	struct obj o = new_zset(&none);
	struct seen seen = {0};
	uint64_t cursor = 0;
	char text[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "member%u", i);
		add(&o, text, i, &none);
	}
	do
		cursor = zset_scan(&o, cursor, see, &seen);
	while (cursor);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(seen.times[i] >= 1);
	done(&o);
}

/* MEMORY USAGE of redis-server 7.0.15 counts 103 bytes a member for this set. */
static void a_member_needs_no_more_than_in_redis(void **state)
{
	struct obj o = new_zset(&none);
	char text[16];
	size_t bytes;

	for (unsigned i = 0; i < 50000; i++) {
		snprintf(text, sizeof(text), "m:%08u", i);
		add(&o, text, i, &none);
	}
	bytes = zset_ops.mem(&o, 0);
	print_message("%.1f bytes a member\n", (double)bytes / 50000);
	assert_true(bytes / 50000 <= 103);
	done(&o);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_encodings_follow_the_model),
		cmocka_unit_test(lex_ranges_are_those_of_the_names),
		cmocka_unit_test(listpack_is_as_redis_writes_it),
		cmocka_unit_test(size_and_number_change_the_encoding),
		cmocka_unit_test(foreign_listpacks_do_no_harm),
		cmocka_unit_test(copies_are_equal_and_apart),
		cmocka_unit_test(nothing_changes_when_memory_is_out),
		cmocka_unit_test(scan_sees_every_member),
		cmocka_unit_test(a_member_needs_no_more_than_in_redis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
