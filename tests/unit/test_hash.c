/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hashes: both encodings against a model, the step from one to the other, random pairs, and memory
 * that runs out at any place. The linker puts the functions below in the place of those of mem.h
 * (--wrap, see meson.build).
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/digest.h"
#include "app/keyspace/entry.h"
#include "app/keyspace/rand.h"
#include "app/keyspace/types/hash.h"

#define FIELDS 600

static const struct obj_limits usual = {
	.hash_max_listpack_entries = 512, .hash_max_listpack_value = 64};
static const struct obj_limits dicts_only = {0};

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

static struct obj new_hash(void)
{
	struct obj o;

	assert_true(hash_create(&o));
	return o;
}

static void drop(struct obj *o, size_t used)
{
	hash_ops.free(o);
	assert_int_equal(mem_used(), used);
}

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

static enum hash_change put(
	struct obj *o, const char *field, const char *value, const struct obj_limits *lim)
{
	struct slice f = text(field), v = text(value);

	return hash_set(o, &f, &v, lim);
}

static bool val_is(const struct lp_val *val, const char *want)
{
	char num[KS_INT_STR_MAX];

	if (!val->str)
		return int_to_str(val->num, num) == strlen(want) &&
		       memcmp(num, want, strlen(want)) == 0;
	return val->len == strlen(want) && memcmp(val->str, want, val->len) == 0;
}

static void assert_field(const struct obj *o, const char *field, const char *want)
{
	struct hash_pair pair;
	bool there = hash_get(o, field, strlen(field), &pair);

	assert_int_equal(there, want != NULL);
	if (want) {
		assert_true(val_is(&pair.field, field));
		assert_true(val_is(&pair.value, want));
	}
}

/* --- encodings --- */

static void listpack_becomes_dict_beyond_the_entries(void **state)
{
	const struct obj_limits lim = {
		.hash_max_listpack_entries = 3, .hash_max_listpack_value = 64};
	size_t used = mem_used();
	struct obj o = new_hash();

	assert_int_equal(put(&o, "a", "1", &lim), HASH_ADDED);
	assert_int_equal(put(&o, "b", "2", &lim), HASH_ADDED);
	assert_int_equal(put(&o, "c", "", &lim), HASH_ADDED);
	assert_int_equal(put(&o, "a", "one", &lim), HASH_UPDATED);
	assert_int_equal(o.enc, OBJ_ENC_LISTPACK);
	assert_int_equal(put(&o, "7", "4", &lim), HASH_ADDED);
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	assert_field(&o, "a", "one");
	assert_field(&o, "b", "2");
	assert_field(&o, "c", "");
	assert_field(&o, "7", "4");
	for (const char *f = "abc"; *f; f++)
		assert_true(hash_del(&o, f, 1));
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	assert_int_equal(hash_count(&o), 1);
	drop(&o, used);
}

static void listpack_becomes_dict_for_long_text(void **state)
{
	char x64[65], x65[66];
	size_t used = mem_used();

	memset(x64, 'x', 64);
	memset(x65, 'x', 65);
	x64[64] = x65[65] = 0;
	for (int long_field = 0; long_field < 2; long_field++) {
		struct obj o = new_hash();

		put(&o, x64, x64, &usual);
		assert_int_equal(o.enc, OBJ_ENC_LISTPACK);
		put(&o, long_field ? x65 : "f", long_field ? "v" : x65, &usual);
		assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
		assert_field(&o, x64, x64);
		assert_field(&o, long_field ? x65 : "f", long_field ? "v" : x65);
		drop(&o, used);
	}
}

/* A hash of so many fields, all with that value. */
static size_t dict_bytes(unsigned nr, const char *value)
{
	size_t used = mem_used(), bytes;
	struct obj o = new_hash();
	char field[16];

	for (unsigned i = 0; i < nr; i++) {
		snprintf(field, sizeof(field), "field%05u", i);
		put(&o, field, value, &dicts_only);
	}
	assert_field(&o, field, value);
	bytes = hash_ops.mem(&o, nr);
	drop(&o, used);
	return bytes;
}

static void numbers_take_no_more_than_text(void **state)
{
	assert_int_equal(dict_bytes(1000, "12345"), dict_bytes(1000, "abcde"));
	assert_int_equal(dict_bytes(1000, "-12345678901"), dict_bytes(1000, "abcdefghijkl"));
	assert_true(
		dict_bytes(1000, "1234567890123456789") <= dict_bytes(1000, "abcdefghijabcdefghi"));
}

static unsigned char *pairs_in_listpack(unsigned nr)
{
	unsigned char *lp = lp_new(LP_BYTES_EMPTY);

	for (unsigned i = 0; i < nr; i++) {
		assert_true(lp_append_int(&lp, i));
		assert_true(lp_append(&lp, "value", 5));
	}
	return lp;
}

static void listpack_from_outside_is_taken(void **state)
{
	size_t used = mem_used();
	struct obj o;

	assert_true(hash_from_listpack(&o, pairs_in_listpack(512), &usual));
	assert_int_equal(o.enc, OBJ_ENC_LISTPACK);
	assert_int_equal(hash_count(&o), 512);
	drop(&o, used);
	assert_true(hash_from_listpack(&o, pairs_in_listpack(513), &usual));
	assert_int_equal(o.enc, OBJ_ENC_HASHTABLE);
	assert_int_equal(hash_count(&o), 513);
	assert_field(&o, "512", "value");
	drop(&o, used);
}

static void field_that_is_there_twice_keeps_the_first(void **state)
{
	size_t used = mem_used();
	unsigned char *lp = pairs_in_listpack(2);
	struct obj o;

	assert_true(lp_append(&lp, "1", 1));
	assert_true(lp_append(&lp, "another", 7));
	assert_true(hash_from_listpack(&o, lp, &dicts_only));
	assert_int_equal(hash_count(&o), 2);
	assert_field(&o, "1", "value");
	drop(&o, used);
}

static void digest_is_as_redis_computes_it(void **state)
{
	/* of the hash f1 v1 f2 12345 7 "", by DEBUG DIGEST-VALUE of redis-server 7.0.15 */
	static const char want[] = "688cb96567075b37e6cf2aae462884ba248d8a61";
	size_t used = mem_used();

	for (int i = 0; i < 2; i++) {
		struct keyspace *ks = make(1, 1);
		struct ks_key k = key_of(ks, "h");
		struct obj o = new_hash();
		uint8_t digest[DIGEST_LEN];
		char hex[41];

		put(&o, "f1", "v1", i ? &usual : &dicts_only);
		put(&o, "f2", "12345", i ? &usual : &dicts_only);
		put(&o, "7", "", i ? &usual : &dicts_only);
		assert_int_equal(o.enc, i ? OBJ_ENC_LISTPACK : OBJ_ENC_HASHTABLE);
		ks_digest_value(ks_set_obj(ks, 0, 0, &k, &o, 0, T0), digest);
		for (int b = 0; b < DIGEST_LEN; b++)
			snprintf(hex + 2 * b, 3, "%02x", digest[b]);
		assert_string_equal(hex, want);
		destroy(ks, used);
	}
}

/* --- against a model --- */

struct model {
	char *value[FIELDS]; /* of the field whose name is the index; NULL: not there */
	size_t nr;
};

static void model_set(struct model *m, unsigned i, const char *value)
{
	m->nr += !m->value[i];
	free(m->value[i]);
	m->value[i] = strdup(value);
}

static void model_del(struct model *m, unsigned i)
{
	m->nr -= m->value[i] != NULL;
	free(m->value[i]);
	m->value[i] = NULL;
}

static void random_value(char buf[256])
{
	size_t len = ks_rand_below(4) ? ks_rand_below(20) : ks_rand_below(255);

	if (ks_rand_below(3) == 0) {
		snprintf(buf, 256, "%lld", (long long)(ks_rand() >> ks_rand_below(64)));
		return;
	}
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)('a' + ks_rand_below(26));
	buf[len] = 0;
}

static unsigned index_of(const struct lp_val *field)
{
	char buf[KS_INT_STR_MAX] = "";

	assert_true(!field->str || field->len < sizeof(buf));
	if (!field->str)
		return (unsigned)field->num;
	memcpy(buf, field->str, field->len);
	return (unsigned)atoi(buf);
}

struct visits {
	const struct model *m;
	unsigned seen[FIELDS];
	size_t nr;
};

static bool visit(void *ctx, const struct hash_pair *pair)
{
	struct visits *v = ctx;
	unsigned i = index_of(&pair->field);

	assert_true(i < FIELDS && v->m->value[i]);
	assert_true(val_is(&pair->value, v->m->value[i]));
	v->seen[i]++;
	v->nr++;
	return true;
}

static void check_all(const struct obj *o, const struct model *m)
{
	struct visits v = {.m = m}, scanned = {.m = m};
	struct hash_iter it = hash_iter(o);
	uint64_t cursor = 0;

	assert_int_equal(hash_count(o), m->nr);
	for (struct hash_pair pair; hash_next(&it, &pair);)
		visit(&v, &pair);
	do
		cursor = hash_scan(o, cursor, visit, &scanned);
	while (cursor);
	assert_int_equal(v.nr, m->nr);
	for (unsigned i = 0; i < FIELDS; i++) {
		char field[8];

		snprintf(field, sizeof(field), "%u", i);
		assert_field(o, field, m->value[i]);
		assert_int_equal(v.seen[i], m->value[i] != NULL);
		assert_true(scanned.seen[i] >= v.seen[i]);
	}
}

static void check_samples(const struct obj *o, const struct model *m)
{
	struct visits v = {.m = m};
	size_t nr = ks_rand_below(m->nr + m->nr / 4 + 2);

	if (m->nr == 0)
		return;
	assert_true(hash_sample(o, nr, true, visit, &v));
	assert_int_equal(v.nr, nr < m->nr ? nr : m->nr);
	for (unsigned i = 0; i < FIELDS; i++)
		assert_true(v.seen[i] <= 1);
	assert_true(hash_sample(o, nr, false, visit, &v));
	assert_int_equal(v.nr, nr + (nr < m->nr ? nr : m->nr));
}

/* A copy stays what it was, whatever happens to the other. */
static void check_copy(struct obj *o, const struct model *m)
{
	size_t used = mem_used();
	struct obj copy;

	assert_true(hash_ops.copy(o, &copy));
	assert_int_equal(copy.enc, o->enc);
	check_all(&copy, m);
	drop(&copy, used);
}

static void edit(struct obj *o, struct model *m, const struct obj_limits *lim, bool shrink)
{
	unsigned i = (unsigned)ks_rand_below(FIELDS);
	char field[8], value[256];

	snprintf(field, sizeof(field), "%u", i);
	if (ks_rand_below(4) < (shrink ? 3 : 1)) {
		assert_int_equal(hash_del(o, field, strlen(field)), m->value[i] != NULL);
		model_del(m, i);
		return;
	}
	random_value(value);
	assert_int_equal(put(o, field, value, lim), m->value[i] ? HASH_UPDATED : HASH_ADDED);
	model_set(m, i, value);
}

static void random_edits_are_as_the_model(void **state)
{
	static const struct obj_limits lims[] = {
		{.hash_max_listpack_entries = 1000, .hash_max_listpack_value = 300},
		{.hash_max_listpack_entries = 100, .hash_max_listpack_value = 300},
		{0},
	};
	const char *seed = getenv("TEST_SEED");
	uint64_t n = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);

	print_message("TEST_SEED=%llu\n", (unsigned long long)n);
	ks_rand_seed(n);
	for (size_t l = 0; l < sizeof(lims) / sizeof(lims[0]); l++) {
		size_t used = mem_used();
		struct obj o = new_hash();
		struct model m = {0};

		for (unsigned i = 0; i < 6000; i++) {
			edit(&o, &m, &lims[l], i / 1500 % 2);
			if (i % 200 == 0) {
				check_all(&o, &m);
				check_samples(&o, &m);
				check_copy(&o, &m);
			}
		}
		assert_int_equal(o.enc, l == 0 ? OBJ_ENC_LISTPACK : OBJ_ENC_HASHTABLE);
		for (unsigned i = 0; i < FIELDS; i++)
			model_del(&m, i);
		drop(&o, used);
	}
}

/* --- random pairs --- */

static bool count_field(void *ctx, const struct hash_pair *pair)
{
	((unsigned *)ctx)[index_of(&pair->field)]++;
	return true;
}

/* Sixty fields, each of which has to come up 1000 times, give or take six standard deviations. */
static void each_pair_is_as_likely(void **state)
{
	enum { NR = 60, ROUNDS = 60000 };
	const struct {
		size_t nr;
		bool distinct;
	} ways[] = {{1, false}, {6, false}, {6, true}, {30, true}};

	ks_rand_seed(1);
	for (int enc = 0; enc < 2; enc++) {
		size_t used = mem_used();
		struct obj o = new_hash();

		for (int i = 0; i < NR; i++) {
			char field[8];

			snprintf(field, sizeof(field), "%d", i);
			put(&o, field, "v", enc ? &usual : &dicts_only);
		}
		for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
			unsigned nr[NR] = {0};

			for (size_t i = 0; i < ROUNDS / ways[w].nr; i++)
				assert_true(hash_sample(
					&o, ways[w].nr, ways[w].distinct, count_field, nr));
			for (int i = 0; i < NR; i++)
				assert_in_range(nr[i], 1000 - 190, 1000 + 190);
		}
		drop(&o, used);
	}
}

static bool stop_at_third(void *ctx, const struct hash_pair *pair)
{
	return ++*(unsigned *)ctx < 3;
}

static void sampling_stops_when_told(void **state)
{
	const struct obj_limits *lims[] = {&usual, &dicts_only};
	size_t used = mem_used();

	for (size_t l = 0; l < 2; l++) {
		struct obj o = new_hash();

		for (int i = 0; i < 30; i++) {
			char field[8];

			snprintf(field, sizeof(field), "%d", i);
			put(&o, field, "v", lims[l]);
		}
		for (size_t nr = 5; nr <= 40; nr += 35) {
			for (int distinct = 0; distinct < 2; distinct++) {
				unsigned calls = 0;

				assert_false(hash_sample(&o, nr, distinct, stop_at_third, &calls));
				assert_int_equal(calls, 3);
			}
		}
		drop(&o, used);
	}
}

/* --- memory --- */

/* Whatever allocation fails, the hash holds what it held before, or all of the new. */
static void no_memory_changes_nothing(void **state)
{
	const struct obj_limits lim = {
		.hash_max_listpack_entries = 20, .hash_max_listpack_value = 60};
	char x200[201];
	size_t used = mem_used();

	memset(x200, 'x', 200);
	x200[200] = 0;
	for (unsigned filled = 0; filled < 24; filled++) {
		for (unsigned fail = 1; fail < 60; fail++) {
			struct obj o = new_hash(), copy;
			const char *value = filled % 3 ? "value" : x200;
			enum hash_change change;
			bool copied;

			for (unsigned i = 0; i < filled; i++) {
				char field[8];

				snprintf(field, sizeof(field), "%u", i);
				put(&o, field, "v", &lim);
			}
			mem_left = fail;
			change = put(&o, filled % 2 ? "0" : "new", value, &lim);
			copied = hash_ops.copy(&o, &copy);
			mem_left = -1;
			if (change == HASH_NO_MEMORY)
				assert_field(&o, filled % 2 ? "0" : "new", filled % 2 ? "v" : NULL);
			else
				assert_field(&o, filled % 2 ? "0" : "new", value);
			assert_int_equal(hash_count(&o), filled + (change == HASH_ADDED));
			for (unsigned i = 1; i < filled; i++) {
				char field[8];

				snprintf(field, sizeof(field), "%u", i);
				assert_field(&o, field, "v");
			}
			if (copied)
				hash_ops.free(&copy);
			drop(&o, used);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listpack_becomes_dict_beyond_the_entries),
		cmocka_unit_test(listpack_becomes_dict_for_long_text),
		cmocka_unit_test(numbers_take_no_more_than_text),
		cmocka_unit_test(listpack_from_outside_is_taken),
		cmocka_unit_test(field_that_is_there_twice_keeps_the_first),
		cmocka_unit_test(digest_is_as_redis_computes_it),
		cmocka_unit_test(random_edits_are_as_the_model),
		cmocka_unit_test(each_pair_is_as_likely),
		cmocka_unit_test(sampling_stops_when_told),
		cmocka_unit_test(no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
