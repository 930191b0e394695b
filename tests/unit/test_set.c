/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sets: both encodings against a model, the step from one to the other and back, random members,
 * and memory that runs out at any place. The linker puts the functions below in the place of those
 * of mem.h (--wrap, see meson.build).
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/entry.h"
#include "app/keyspace/rand.h"
#include "app/keyspace/types/set.h"

#define MEMBERS 600

static const struct obj_limits usual = {.set_max_intset_entries = 512};

static long mem_left = -1; /* allocations that succeed still; -1: all */

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_alloc_lines(size_t size);
void *__wrap_mem_alloc_lines(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

static bool is_out(void)
{
	if (mem_left > 0)
		mem_left--;
	return mem_left == 0;
}

void *__wrap_mem_alloc(size_t size)
{
	return is_out() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_alloc_lines(size_t size)
{
	return is_out() ? NULL : __real_mem_alloc_lines(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return is_out() ? NULL : __real_mem_realloc(ptr, size);
}

/* --- short ways --- */

static struct obj new_set(void)
{
	struct obj o;

	assert_true(set_create(&o, NULL));
	assert_int_equal(o.enc, OBJ_ENC_INTSET);
	return o;
}

static void drop(struct obj *o, size_t used)
{
	set_ops.free(o);
	assert_int_equal(mem_used(), used);
}

static enum set_added add(struct obj *o, const char *member, const struct obj_limits *lim)
{
	return set_add(o, member, strlen(member), lim);
}

static bool has(const struct obj *o, const char *member)
{
	return set_has(o, member, strlen(member));
}

static bool remove_member(struct obj *o, const char *member)
{
	return set_remove(o, member, strlen(member));
}

/* The members from 0 to nr, as text or as integers. */
static void add_many(struct obj *o, unsigned nr, bool ints, const struct obj_limits *lim)
{
	for (unsigned i = 0; i < nr; i++) {
		char member[8];

		snprintf(member, sizeof(member), ints ? "%u" : "m%u", i);
		assert_int_equal(add(o, member, lim), SET_ADDED);
	}
}

/* --- encodings --- */

static void the_first_member_decides(void **state)
{
	static const struct {
		const char *first;
		enum obj_enc enc;
	} cases[] = {
		{"1", OBJ_ENC_INTSET},
		{"-9223372036854775808", OBJ_ENC_INTSET},
		{"9223372036854775808", OBJ_ENC_HASHTABLE},
		{"01", OBJ_ENC_HASHTABLE},
		{"", OBJ_ENC_HASHTABLE},
	};
	size_t used = mem_used();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice first = {cases[i].first, strlen(cases[i].first)};
		struct obj o;

		assert_true(set_create(&o, &first));
		assert_int_equal(o.enc, cases[i].enc);
		assert_int_equal(set_count(&o), 0);
		assert_int_equal(add(&o, cases[i].first, &usual), SET_ADDED);
		assert_int_equal(o.enc, cases[i].enc);
		drop(&o, used);
	}
}

static void intset_becomes_dict_beyond_the_entries(void **state)
{
	const struct obj_limits lim = {.set_max_intset_entries = 3};
	size_t used = mem_used();
	struct obj o = new_set();

	add_many(&o, 3, true, &lim);
	assert_int_equal(add(&o, "2", &lim), SET_THERE);
	assert_int_equal(o.enc, OBJ_ENC_INTSET);
	assert_int_equal(add(&o, "-70000", &lim), SET_ADDED);
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	assert_true(has(&o, "0") && has(&o, "1") && has(&o, "2") && has(&o, "-70000"));
	assert_true(remove_member(&o, "0") && remove_member(&o, "-70000"));
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	set_settle(&o, &lim);
	assert_int_equal(o.enc, OBJ_ENC_INTSET);
	assert_int_equal(set_count(&o), 2);
	assert_true(has(&o, "1") && has(&o, "2") && !has(&o, "0"));
	drop(&o, used);
}

static void intset_becomes_dict_for_text(void **state)
{
	size_t used = mem_used();
	struct obj o = new_set();

	add_many(&o, 5, true, &usual);
	assert_int_equal(add(&o, "05", &usual), SET_ADDED);
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	assert_int_equal(set_count(&o), 6);
	assert_true(has(&o, "4") && has(&o, "05") && !has(&o, "5"));
	set_settle(&o, &usual);
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	drop(&o, used);
}

static void intset_from_outside_is_taken(void **state)
{
	size_t used = mem_used();

	for (unsigned nr = 512; nr <= 513; nr++) {
		struct intset *is = intset_new();
		struct obj o;

		for (unsigned i = 0; i < nr; i++)
			assert_int_equal(intset_add(&is, 3 * (int)i - 600), INTSET_ADDED);
		assert_true(set_from_intset(&o, is, &usual));
		assert_int_equal(o.enc, nr == 512 ? OBJ_ENC_INTSET : OBJ_ENC_HASHTABLE);
		assert_int_equal(set_count(&o), nr);
		assert_true(has(&o, "-600") && has(&o, "933") && !has(&o, "1"));
		drop(&o, used);
	}
}

static void digest_is_as_redis_computes_it(void **state)
{
	/* by DEBUG DIGEST-VALUE of redis-server 7.0.15 */
	static const struct {
		const char *members[4];
		const char *digest;
	} cases[] = {
		{{"1", "-5", "70000"}, "07c30c95c39bd2d2539bb20fa0e7cc1c879c8621"},
		{{"1", "a", "bcd", ""}, "4952f66db94fabe9f3048df985a68cca0170ebb1"},
	};
	size_t used = mem_used();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keyspace *ks = make(1, 1);
		struct ks_key k = key_of(ks, "s");
		struct obj o = new_set();
		uint8_t digest[DIGEST_LEN];
		char hex[41];

		for (int m = 0; m < 4 && cases[i].members[m]; m++)
			add(&o, cases[i].members[m], &usual);
		ks_digest_value(ks_set_obj(ks, 0, 0, &k, &o, 0, T0), digest);
		for (int b = 0; b < DIGEST_LEN; b++)
			snprintf(hex + 2 * b, 3, "%02x", digest[b]);
		assert_string_equal(hex, cases[i].digest);
		destroy(ks, used);
	}
}

/* --- against a model --- */

struct model {
	bool there[MEMBERS];
	size_t nr;
	bool ints; /* the members are integers, some of them far apart */
};

static void name(const struct model *m, unsigned i, char buf[32])
{
	if (m->ints)
		snprintf(buf, 32, "%lld", ((long long)i - 300) * (i % 2 ? 1ll << 40 : 1));
	else
		snprintf(buf, 32, "member%u", i);
}

static bool val_is(const struct lp_val *val, const char *want)
{
	char num[KS_INT_STR_MAX];

	if (!val->str)
		return int_to_str(val->num, num) == strlen(want) &&
		       memcmp(num, want, strlen(want)) == 0;
	return val->len == strlen(want) && memcmp(val->str, want, val->len) == 0;
}

struct visits {
	const struct model *m;
	unsigned seen[MEMBERS];
	size_t nr;
};

static bool visit(void *ctx, const struct lp_val *member)
{
	struct visits *v = ctx;
	unsigned i = 0;
	char want[32];

	for (; i < MEMBERS; i++) {
		name(v->m, i, want);
		if (v->m->there[i] && val_is(member, want))
			break;
	}
	assert_true(i < MEMBERS);
	v->seen[i]++;
	v->nr++;
	return true;
}

static void check_all(const struct obj *o, const struct model *m)
{
	struct visits v = {.m = m}, scanned = {.m = m};
	struct set_iter it = set_iter(o);
	uint64_t cursor = 0;

	assert_int_equal(set_count(o), m->nr);
	for (struct lp_val member; set_next(&it, &member);) {
		assert_true(set_has_val(o, &member));
		visit(&v, &member);
	}
	do
		cursor = set_scan(o, cursor, visit, &scanned);
	while (cursor);
	assert_int_equal(v.nr, m->nr);
	for (unsigned i = 0; i < MEMBERS; i++) {
		char member[32];

		name(m, i, member);
		assert_int_equal(has(o, member), m->there[i]);
		assert_int_equal(v.seen[i], m->there[i]);
		assert_true(scanned.seen[i] >= v.seen[i]);
	}
}

static void check_samples(const struct obj *o, const struct model *m)
{
	size_t nr = ks_rand_below(m->nr + m->nr / 4 + 2), all = nr < m->nr ? nr : m->nr;
	struct visits v = {.m = m};

	if (m->nr == 0)
		return;
	assert_true(set_sample(o, nr, true, visit, &v));
	assert_int_equal(v.nr, all);
	for (unsigned i = 0; i < MEMBERS; i++)
		assert_true(v.seen[i] <= 1);
	assert_true(set_sample(o, nr, false, visit, &v));
	assert_int_equal(v.nr, nr + all);
}

static void check_copy(struct obj *o, const struct model *m)
{
	size_t used = mem_used();
	struct obj copy;

	assert_true(set_ops.copy(o, &copy));
	assert_int_equal(copy.enc, o->enc);
	check_all(&copy, m);
	drop(&copy, used);
}

static void edit(struct obj *o, struct model *m, const struct obj_limits *lim, bool shrink)
{
	unsigned i = (unsigned)ks_rand_below(MEMBERS);
	char member[32];

	name(m, i, member);
	if (ks_rand_below(4) < (shrink ? 3 : 1)) {
		assert_int_equal(remove_member(o, member), m->there[i]);
		m->nr -= m->there[i];
		m->there[i] = false;
		return;
	}
	assert_int_equal(add(o, member, lim), m->there[i] ? SET_THERE : SET_ADDED);
	m->nr += !m->there[i];
	m->there[i] = true;
}

static void random_edits_are_as_the_model(void **state)
{
	static const struct {
		struct obj_limits lim;
		bool ints;
		enum obj_enc enc;
	} cases[] = {
		{{.set_max_intset_entries = 1000}, true, OBJ_ENC_INTSET},
		{{.set_max_intset_entries = 100}, true, OBJ_ENC_HASHTABLE},
		{{.set_max_intset_entries = 100}, false, OBJ_ENC_HASHTABLE},
	};
	const char *seed = getenv("TEST_SEED");
	uint64_t n = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);

	print_message("TEST_SEED=%llu\n", (unsigned long long)n);
	ks_rand_seed(n);
	for (size_t l = 0; l < sizeof(cases) / sizeof(cases[0]); l++) {
		struct model m = {.ints = cases[l].ints};
		size_t used = mem_used();
		struct obj o = new_set();

		for (unsigned i = 0; i < 6000; i++) {
			edit(&o, &m, &cases[l].lim, i / 1500 % 2);
			if (i % 300 == 0) {
				check_all(&o, &m);
				check_samples(&o, &m);
				check_copy(&o, &m);
			}
		}
		assert_int_equal(o.enc, cases[l].enc);
		drop(&o, used);
	}
}

/* --- random members --- */

static bool count_member(void *ctx, const struct lp_val *member)
{
	char text[8] = "";

	assert_true(!member->str || member->len < sizeof(text));
	if (member->str)
		memcpy(text, member->str + 1, member->len - 1);
	((unsigned *)ctx)[member->str ? (unsigned)atoi(text) : (unsigned)member->num]++;
	return true;
}

/* Sixty members, each of which has to come up 1000 times, give or take six standard deviations. */
static void each_member_is_as_likely(void **state)
{
	enum { NR = 60, ROUNDS = 60000 };
	const struct {
		size_t nr;
		bool distinct;
	} ways[] = {{1, false}, {6, false}, {6, true}, {30, true}};

	ks_rand_seed(1);
	for (int ints = 0; ints < 2; ints++) {
		size_t used = mem_used();
		struct obj o = new_set();

		add_many(&o, NR, ints, &usual);
		for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
			unsigned nr[NR] = {0};

			for (size_t i = 0; i < ROUNDS / ways[w].nr; i++)
				assert_true(set_sample(
					&o, ways[w].nr, ways[w].distinct, count_member, nr));
			for (int i = 0; i < NR; i++)
				assert_in_range(nr[i], 1000 - 190, 1000 + 190);
		}
		drop(&o, used);
	}
}

static bool stop_at_third(void *ctx, const struct lp_val *member)
{
	return ++*(unsigned *)ctx < 3;
}

static void sampling_stops_when_told(void **state)
{
	size_t used = mem_used();

	for (int ints = 0; ints < 2; ints++) {
		struct obj o = new_set();

		add_many(&o, 30, ints, &usual);
		for (size_t nr = 5; nr <= 40; nr += 35) {
			for (int distinct = 0; distinct < 2; distinct++) {
				unsigned calls = 0;

				assert_false(set_sample(&o, nr, distinct, stop_at_third, &calls));
				assert_int_equal(calls, 3);
			}
		}
		drop(&o, used);
	}
}

/* --- memory --- */

/* Whatever allocation fails, the set holds what it held before, or the new member as well. */
static void no_memory_changes_nothing(void **state)
{
	const struct obj_limits lim = {.set_max_intset_entries = 20};
	size_t used = mem_used();

	for (unsigned filled = 0; filled < 24; filled++) {
		for (unsigned fail = 1; fail < 60; fail++) {
			struct obj o = new_set(), copy;
			const char *member = fail % 2 ? "-1" : "text";
			enum set_added added;
			bool copied;

			add_many(&o, filled, true, &lim);
			mem_left = (fail + 1) / 2;
			added = add(&o, member, &lim);
			copied = set_ops.copy(&o, &copy);
			set_settle(&o, &usual);
			mem_left = -1;
			assert_int_equal(has(&o, member), added == SET_ADDED);
			assert_int_equal(set_count(&o), filled + (added == SET_ADDED));
			for (unsigned i = 0; i < filled; i++) {
				char old[8];

				snprintf(old, sizeof(old), "%u", i);
				assert_true(has(&o, old));
			}
			if (copied)
				set_ops.free(&copy);
			drop(&o, used);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_member_decides),
		cmocka_unit_test(intset_becomes_dict_beyond_the_entries),
		cmocka_unit_test(intset_becomes_dict_for_text),
		cmocka_unit_test(intset_from_outside_is_taken),
		cmocka_unit_test(digest_is_as_redis_computes_it),
		cmocka_unit_test(random_edits_are_as_the_model),
		cmocka_unit_test(each_member_is_as_likely),
		cmocka_unit_test(sampling_stops_when_told),
		cmocka_unit_test(no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
