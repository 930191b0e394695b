/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listpacks: bytes as redis-server 7.0 wrote them, every encoding at its edges, memory that runs
 * out, and random edits against an array of texts. The linker puts the functions below in the
 * place of mem_alloc() and mem_realloc() (--wrap, see meson.build).
 */
#include "tests/unit/test_listpack.h"

#include <limits.h>

#define NR_MAX   400 /* elements of the model */
#define TEXT_MAX 48

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

static void redis_bytes_are_read_and_made_again(void **state)
{
	size_t used = mem_used();

	for (size_t i = 0; i < NR_CASES; i++) {
		const struct redis_case *c = &redis_cases[i];
		unsigned char *lp = lp_of(c->texts);

		assert_true(lp_valid(c->bytes, c->size, true));
		assert_lp(c->bytes, c->texts);
		assert_int_equal(lp_bytes(lp), c->size);
		assert_memory_equal(lp, c->bytes, c->size);
		lp_free(lp);
	}
	assert_int_equal(mem_used(), used);
}

/* --- encodings --- */

static const struct int_case {
	int64_t num;
	unsigned size; /* with the back length */
	unsigned char bytes[9];
} int_cases[] = {
	{0, 2, {0x00}},
	{127, 2, {0x7f}},
	{128, 3, {0xc0, 0x80}},
	{-1, 3, {0xdf, 0xff}},
	{4095, 3, {0xcf, 0xff}},
	{-4096, 3, {0xd0, 0x00}},
	{4096, 4, {0xf1, 0x00, 0x10}},
	{-4097, 4, {0xf1, 0xff, 0xef}},
	{INT16_MAX, 4, {0xf1, 0xff, 0x7f}},
	{INT16_MIN, 4, {0xf1, 0x00, 0x80}},
	{INT16_MAX + 1, 5, {0xf2, 0x00, 0x80, 0x00}},
	{INT16_MIN - 1, 5, {0xf2, 0xff, 0x7f, 0xff}},
	{8388607, 5, {0xf2, 0xff, 0xff, 0x7f}},
	{-8388608, 5, {0xf2, 0x00, 0x00, 0x80}},
	{8388608, 6, {0xf3, 0x00, 0x00, 0x80, 0x00}},
	{-8388609, 6, {0xf3, 0xff, 0xff, 0x7f, 0xff}},
	{INT32_MAX, 6, {0xf3, 0xff, 0xff, 0xff, 0x7f}},
	{INT32_MIN, 6, {0xf3, 0x00, 0x00, 0x00, 0x80}},
	{INT64_C(2147483648), 10, {0xf4, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00}},
	{INT64_C(-2147483649), 10, {0xf4, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff}},
	{INT64_MAX, 10, {0xf4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
	{INT64_MIN, 10, {0xf4, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80}},
};

static void integers_take_the_shortest_encoding(void **state)
{
	for (size_t i = 0; i < sizeof(int_cases) / sizeof(int_cases[0]); i++) {
		const struct int_case *c = &int_cases[i];
		unsigned char *by_num = new_lp(), *by_text = new_lp();
		unsigned char *p;
		char text[32];

		snprintf(text, sizeof(text), "%lld", (long long)c->num);
		assert_true(lp_append_int(&by_num, c->num));
		append(&by_text, text);
		assert_int_equal(lp_bytes(by_num), LP_BYTES_EMPTY + c->size);
		assert_int_equal(lp_entry_size_int(c->num), c->size);
		assert_int_equal(lp_entry_size(text, strlen(text)), c->size);
		assert_memory_equal(by_num, by_text, lp_bytes(by_num));
		p = lp_first(by_num);
		assert_memory_equal(p, c->bytes, c->size - 1);
		assert_int_equal(p[c->size - 1], c->size - 1);
		assert_null(lp_get(p).str);
		assert_true(lp_get(p).num == c->num);
		assert_text(p, text);
		assert_true(lp_valid(by_num, lp_bytes(by_num), true));
		lp_free(by_num);
		lp_free(by_text);
	}
}

static void texts_that_are_no_canonical_integers_stay(void **state)
{
	static const char *const texts[] = {"", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ",
		"1.0", "1e3", "0x1", "9223372036854775808", "-9223372036854775809",
		"18446744073709551616", NULL};
	unsigned char *lp = lp_of(texts);

	for (unsigned char *p = lp_first(lp); p; p = lp_next(lp, p))
		assert_non_null(lp_get(p).str);
	assert_lp(lp, texts);
	lp_free(lp);
}

/* What stands before and after len letters. */
static const struct str_case {
	size_t len;
	unsigned head_len, back_len;
	unsigned char head[5], back[5];
} str_cases[] = {
	{0, 1, 1, {0x80}, {0x01}},
	{63, 1, 1, {0xbf}, {0x40}},
	{64, 2, 1, {0xe0, 0x40}, {0x42}},
	{125, 2, 1, {0xe0, 0x7d}, {0x7f}},
	{126, 2, 2, {0xe0, 0x7e}, {0x01, 0x80}},
	{4095, 2, 2, {0xef, 0xff}, {0x20, 0x81}},
	{4096, 5, 2, {0xf0, 0x00, 0x10, 0x00, 0x00}, {0x20, 0x85}},
	{16377, 5, 2, {0xf0, 0xf9, 0x3f, 0x00, 0x00}, {0x7f, 0xfe}},
	/* 16383 and its kin would have room in a group less: Redis does not use it */
	{16378, 5, 3, {0xf0, 0xfa, 0x3f, 0x00, 0x00}, {0x00, 0xff, 0xff}},
	{2097145, 5, 3, {0xf0, 0xf9, 0xff, 0x1f, 0x00}, {0x7f, 0xff, 0xfe}},
	{2097146, 5, 4, {0xf0, 0xfa, 0xff, 0x1f, 0x00}, {0x00, 0xff, 0xff, 0xff}},
};

static void strings_take_the_shortest_length(void **state)
{
	for (size_t i = 0; i < sizeof(str_cases) / sizeof(str_cases[0]); i++) {
		const struct str_case *c = &str_cases[i];
		char *text = malloc(c->len + 1);
		unsigned char *lp = new_lp();
		unsigned char *p;

		assert_non_null(text);
		memset(text, 'x', c->len + 1);
		append(&lp, "first");
		assert_true(lp_append(&lp, text, c->len));
		append(&lp, "last");
		assert_true(lp_valid(lp, lp_bytes(lp), true));
		p = lp_seek(lp, 1);
		assert_memory_equal(p, c->head, c->head_len);
		assert_int_equal(lp_get(p).len, c->len);
		assert_memory_equal(lp_get(p).str, text, c->len);
		assert_memory_equal(p + c->head_len + c->len, c->back, c->back_len);
		assert_int_equal(lp_entry_size(text, c->len), c->head_len + c->len + c->back_len);
		assert_text(lp_next(lp, p), "last");
		assert_ptr_equal(lp_prev(lp, lp_last(lp)), p);
		assert_text(lp_prev(lp, p), "first");
		assert_true(lp_eq(p, text, c->len));
		assert_false(lp_eq(p, text, c->len + 1));
		lp_free(lp);
		free(text);
	}
}

/* Another writer may use a wider encoding than need be. */
static void wider_encodings_are_read(void **state)
{
	static const unsigned char lp[] = {0x1b, 0, 0, 0, 3, 0, 0xf4, 5, 0, 0, 0, 0, 0, 0, 0, 9,
		0x81, '5', 2, 0xf0, 1, 0, 0, 0, 'a', 6, 0xff};

	assert_lp(lp, TEXTS("5", "5", "a"));
	assert_ptr_equal(lp_find(lp, lp_first(lp), "5", 1, 0), lp + 6);
	assert_ptr_equal(lp_find(lp, lp + 16, "5", 1, 0), lp + 16);
}

/* --- walks and edits --- */

static void seek_counts_from_both_ends(void **state)
{
	unsigned char *lp = lp_of(TEXTS("a", "b", "c", "d", "e"));

	for (long i = 0; i < 5; i++) {
		const char text[] = {(char)('a' + i), 0};

		assert_text(lp_seek(lp, i), text);
		assert_text(lp_seek(lp, i - 5), text);
	}
	assert_null(lp_seek(lp, 5));
	assert_null(lp_seek(lp, -6));
	assert_null(lp_seek(lp, LONG_MAX));
	assert_null(lp_seek(lp, LONG_MIN));
	lp_free(lp);
}

static void empty_one_has_no_elements(void **state)
{
	unsigned char *lp = new_lp();

	assert_int_equal(lp_bytes(lp), LP_BYTES_EMPTY);
	assert_lp(lp, TEXTS(NULL));
	assert_null(lp_first(lp));
	assert_null(lp_last(lp));
	assert_null(lp_seek(lp, 0));
	assert_null(lp_seek(lp, -1));
	assert_null(lp_find(lp, lp_first(lp), "a", 1, 0));
	assert_int_equal(lp_delete_range(&lp, 0, 5), 0);
	lp_free(lp);
	lp_free(NULL);
}

static void find_passes_over_values(void **state)
{
	unsigned char *lp = lp_of(TEXTS("f", "g", "g", "7", "7", "h"));
	unsigned char *first = lp_first(lp);

	assert_ptr_equal(lp_find(lp, first, "g", 1, 0), lp_seek(lp, 1));
	assert_ptr_equal(lp_find(lp, first, "g", 1, 1), lp_seek(lp, 2));
	assert_ptr_equal(lp_find(lp, first, "7", 1, 0), lp_seek(lp, 3));
	assert_ptr_equal(lp_find(lp, first, "7", 1, 1), lp_seek(lp, 4));
	assert_null(lp_find(lp, first, "h", 1, 1));
	assert_null(lp_find(lp, first, "07", 2, 0));
	assert_null(lp_find(lp, first, NULL, 0, 0));
	lp_free(lp);
}

static void replace_keeps_the_neighbours(void **state)
{
	unsigned char *lp = lp_of(TEXTS("a", "b", "c"));
	unsigned char *p;

	assert_true(lp_insert(&lp, lp_seek(lp, 1), "longer than before", 18, LP_REPLACE, &p));
	assert_ptr_equal(p, lp_seek(lp, 1));
	assert_lp(lp, TEXTS("a", "longer than before", "c"));
	assert_true(lp_insert_int(&lp, p, -70000, LP_REPLACE, &p));
	assert_ptr_equal(p, lp_seek(lp, 1));
	assert_lp(lp, TEXTS("a", "-70000", "c"));
	assert_true(lp_insert(&lp, p, NULL, 0, LP_REPLACE, NULL));
	assert_lp(lp, TEXTS("a", "", "c"));
	lp_free(lp);
}

static void delete_returns_what_followed(void **state)
{
	unsigned char *lp = lp_of(TEXTS("a", "b", "c", "d"));

	assert_text(lp_delete(&lp, lp_seek(lp, 1)), "c");
	assert_lp(lp, TEXTS("a", "c", "d"));
	assert_null(lp_delete(&lp, lp_last(lp)));
	assert_text(lp_delete_at(&lp, lp_first(lp), 1), "c");
	assert_null(lp_delete_at(&lp, lp_first(lp), ULONG_MAX));
	assert_lp(lp, TEXTS(NULL));
	lp_free(lp);
}

static void delete_range_ends_with_the_elements(void **state)
{
	unsigned char *lp = lp_of(TEXTS("a", "b", "c", "d", "e"));

	assert_int_equal(lp_delete_range(&lp, 9, 1), 0);
	assert_int_equal(lp_delete_range(&lp, 1, 0), 0);
	assert_int_equal(lp_delete_range(&lp, -2, 9), 2);
	assert_lp(lp, TEXTS("a", "b", "c"));
	assert_int_equal(lp_delete_range(&lp, 0, 2), 2);
	assert_lp(lp, TEXTS("c"));
	lp_free(lp);
}

static void more_than_65534_elements_are_counted_by_walking(void **state)
{
	unsigned char *lp = new_lp(), *twice = new_lp();

	for (int i = 0; i < 70000; i++)
		assert_true(lp_append_int(&lp, i < 20000 ? 1 : 200));
	assert_int_equal(lp[4] | lp[5] << 8, 65535);
	assert_int_equal(lp_count(lp), 70000);
	assert_true(lp_valid(lp, lp_bytes(lp), true));
	assert_ptr_equal(lp_seek(lp, 69999), lp_last(lp));
	assert_ptr_equal(lp_seek(lp, -70000), lp_first(lp));
	assert_null(lp_seek(lp, 70000));
	assert_null(lp_seek(lp, -70001));
	/* too many bytes to be sure, then few enough */
	assert_int_equal(lp_delete_range(&lp, 0, 10000), 10000);
	assert_int_equal(lp[4] | lp[5] << 8, 65535);
	assert_int_equal(lp_count(lp), 60000);
	assert_int_equal(lp_delete_range(&lp, -20000, 20000), 20000);
	assert_int_equal(lp[4] | lp[5] << 8, 40000);
	/* the sum of two is not known either */
	assert_true(lp_concat(&twice, lp));
	assert_true(lp_concat(&twice, lp));
	assert_int_equal(twice[4] | twice[5] << 8, 65535);
	assert_int_equal(lp_count(twice), 80000);
	assert_true(lp_valid(twice, lp_bytes(twice), true));
	lp_free(lp);
	lp_free(twice);
}

/* --- memory and limits --- */

static void edits_fail_whole_when_memory_is_out(void **state)
{
	unsigned char *lp = lp_of(TEXTS("a", "b", "c"));
	unsigned char *other = lp_of(TEXTS("d"));
	unsigned char *at = lp;
	char large[200];

	memset(large, 'x', sizeof(large));
	memory_out = true;
	assert_null(lp_new(0));
	assert_null(lp_copy(lp, lp_bytes(lp)));
	assert_false(lp_append(&lp, large, sizeof(large)));
	assert_false(lp_prepend(&lp, large, sizeof(large)));
	assert_false(lp_insert(&lp, lp_seek(lp, 1), large, sizeof(large), LP_REPLACE, NULL));
	assert_false(lp_insert(&lp, lp_seek(lp, 1), large, sizeof(large), LP_AFTER, NULL));
	memory_out = false;
	assert_ptr_equal(lp, at);
	assert_lp(lp, TEXTS("a", "b", "c"));
	assert_true(lp_append(&other, large, sizeof(large)));
	memory_out = true;
	assert_false(lp_concat(&lp, other));
	/* less is never refused */
	assert_text(lp_delete(&lp, lp_first(lp)), "b");
	lp_shrink(&lp);
	memory_out = false;
	assert_lp(lp, TEXTS("b", "c"));
	lp_free(lp);
	lp_free(other);
}

static void room_that_was_asked_for_is_used(void **state)
{
	unsigned char *lp = lp_new(1000);
	unsigned char *at = lp;

	memory_out = true;
	while (lp_bytes(lp) + 4 <= 1000)
		append(&lp, "ab");
	memory_out = false;
	assert_ptr_equal(lp, at);
	lp_free(lp);
}

static void memory_is_given_back(void **state)
{
	size_t used = mem_used();
	unsigned char *lp = lp_new(20000);

	append(&lp, "abc");
	lp_shrink(&lp);
	assert_true(mem_usable(lp) < 64);
	for (int i = 0; i < 5000; i++)
		append(&lp, "abc");
	assert_true(mem_usable(lp) >= 25000);
	assert_int_equal(lp_delete_range(&lp, 0, 4900), 4900);
	assert_true(mem_usable(lp) < 1000);
	lp_free(lp);
	assert_int_equal(mem_used(), used);
}

static void limit_of_size_is_kept(void **state)
{
	/* not as large as it says: what fails must fail before it touches anything */
	unsigned char *lp = new_lp(), *src = lp_of(TEXTS("0123456789ab"));
	const uint32_t bytes = LP_BYTES_MAX - 13;

	memcpy(lp, &bytes, 4);
	assert_true(lp_safe_to_add(lp, 13));
	assert_false(lp_safe_to_add(lp, 14));
	assert_false(lp_safe_to_add(lp, SIZE_MAX));
	assert_true(lp_safe_to_add(NULL, LP_BYTES_MAX));
	assert_false(lp_safe_to_add(NULL, LP_BYTES_MAX + 1u));
	assert_false(lp_append(&lp, "0123456789ab", 12));
	assert_false(lp_prepend(&lp, "0123456789ab", 12));
	assert_false(lp_append(&lp, "", (size_t)LP_BYTES_MAX + 1));
	assert_false(lp_concat(&lp, src));
	lp_free(lp);
	lp_free(src);
}

/* --- random edits against an array --- */

struct model {
	uint64_t rng;
	unsigned nr;
	char texts[NR_MAX][TEXT_MAX];
	unsigned char *lp;
};

static void text_make(uint64_t *rng, char text[TEXT_MAX])
{
	unsigned len;

	switch (below(rng, 4)) {
	case 0: snprintf(text, TEXT_MAX, "%u", below(rng, 200)); return;
	case 1: snprintf(text, TEXT_MAX, "%lld", (long long)rnd(rng) >> below(rng, 64)); return;
	case 2: snprintf(text, TEXT_MAX, "0%u", below(rng, 1000)); return;
	default:
		len = below(rng, TEXT_MAX);
		for (unsigned i = 0; i < len; i++)
			text[i] = (char)('a' + below(rng, 26));
		text[len] = 0;
	}
}

static void model_insert(struct model *m, unsigned at, const char *text)
{
	memmove(m->texts[at + 1], m->texts[at], (size_t)(m->nr - at) * TEXT_MAX);
	memcpy(m->texts[at], text, TEXT_MAX);
	m->nr++;
}

static unsigned model_delete(struct model *m, unsigned at, unsigned num)
{
	if (num > m->nr - at)
		num = m->nr - at;
	memmove(m->texts[at], m->texts[at + num], (size_t)(m->nr - at - num) * TEXT_MAX);
	m->nr -= num;
	return num;
}

static void model_check(const struct model *m)
{
	const unsigned char *p = lp_first(m->lp);
	unsigned char *again = new_lp();

	assert_true(lp_valid(m->lp, lp_bytes(m->lp), true));
	assert_int_equal(lp_count(m->lp), m->nr);
	for (unsigned i = 0; i < m->nr; i++, p = lp_next(m->lp, p)) {
		assert_text(p, m->texts[i]);
		append(&again, m->texts[i]);
	}
	assert_null(p);
	assert_int_equal(lp_bytes(again), lp_bytes(m->lp));
	assert_memory_equal(again, m->lp, lp_bytes(again));
	lp_free(again);
}

/* An index of an element, from either end. */
static long model_index(struct model *m, unsigned at)
{
	return below(&m->rng, 2) ? (long)at : (long)at - (long)m->nr;
}

static void step_insert(struct model *m, const char *text)
{
	size_t len = strlen(text);
	enum lp_where where = (enum lp_where)below(&m->rng, 3);
	unsigned at = below(&m->rng, m->nr);
	unsigned char *p;

	if (!lp_insert(&m->lp, lp_seek(m->lp, model_index(m, at)), text, len, where, &p)) {
		assert_true(memory_out);
		return;
	}
	if (where == LP_REPLACE)
		memcpy(m->texts[at], text, TEXT_MAX);
	else
		model_insert(m, at += where == LP_AFTER, text);
	assert_ptr_equal(p, lp_seek(m->lp, (long)at));
}

static void step_end(struct model *m, const char *text)
{
	bool front = below(&m->rng, 2);
	size_t len = strlen(text);

	if (front ? lp_prepend(&m->lp, text, len) : lp_append(&m->lp, text, len))
		model_insert(m, front ? 0 : m->nr, text);
	else
		assert_true(memory_out);
}

static void step_delete(struct model *m)
{
	unsigned at = below(&m->rng, m->nr);
	unsigned num = below(&m->rng, 8) ? 1 : below(&m->rng, m->nr + 1);
	unsigned char *p = lp_seek(m->lp, model_index(m, at));

	if (below(&m->rng, 2))
		assert_int_equal(lp_delete_range(&m->lp, model_index(m, at), num),
			num > m->nr - at ? m->nr - at : num);
	else if (num == 1)
		assert_int_equal(!lp_delete(&m->lp, p), at + 1 == m->nr);
	else
		assert_int_equal(!lp_delete_at(&m->lp, p, num), num >= m->nr - at);
	model_delete(m, at, num);
}

static void step_concat(struct model *m)
{
	char texts[5][TEXT_MAX] = {{0}};
	unsigned nr = below(&m->rng, 6);
	bool out = memory_out;
	unsigned char *src;

	memory_out = false;
	src = new_lp();
	for (unsigned i = 0; i < nr; i++) {
		text_make(&m->rng, texts[i]);
		append(&src, texts[i]);
	}
	memory_out = out;
	if (lp_concat(&m->lp, src)) {
		for (unsigned i = 0; i < nr; i++)
			model_insert(m, m->nr, texts[i]);
	} else {
		assert_true(memory_out);
	}
	lp_free(src);
}

static void step_find(struct model *m, const char *text)
{
	unsigned from = below(&m->rng, m->nr), skip = below(&m->rng, 3);
	unsigned want = from;

	if (below(&m->rng, 2))
		text = m->texts[below(&m->rng, m->nr)];
	while (want < m->nr && strcmp(m->texts[want], text) != 0)
		want += skip + 1;
	assert_ptr_equal(lp_find(m->lp, lp_seek(m->lp, from), text, strlen(text), skip),
		want < m->nr ? lp_seek(m->lp, want) : NULL);
}

static void step(struct model *m)
{
	char text[TEXT_MAX] = {0};
	unsigned what = below(&m->rng, 16);

	text_make(&m->rng, text);
	if (m->nr > NR_MAX - 10) {
		assert_int_equal(lp_delete_range(&m->lp, 10, m->nr), model_delete(m, 10, m->nr));
		return;
	}
	memory_out = below(&m->rng, 10) == 0;
	if (m->nr == 0 || what < 4)
		step_end(m, text);
	else if (what < 8)
		step_insert(m, text);
	else if (what < 11)
		step_delete(m);
	else if (what < 12)
		step_concat(m);
	else if (what < 15)
		step_find(m, text);
	else
		lp_shrink(&m->lp);
	memory_out = false;
}

static void random_edits_agree_with_an_array(void **state)
{
	size_t used = mem_used();
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->rng = random_seed();
	m->lp = new_lp();
	for (unsigned i = 0; i < 60000; i++) {
		step(m);
		if (i % 20 == 0)
			model_check(m);
	}
	model_check(m);
	lp_free(m->lp);
	free(m);
	assert_int_equal(mem_used(), used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_bytes_are_read_and_made_again),
		cmocka_unit_test(integers_take_the_shortest_encoding),
		cmocka_unit_test(texts_that_are_no_canonical_integers_stay),
		cmocka_unit_test(strings_take_the_shortest_length),
		cmocka_unit_test(wider_encodings_are_read),
		cmocka_unit_test(seek_counts_from_both_ends),
		cmocka_unit_test(empty_one_has_no_elements),
		cmocka_unit_test(find_passes_over_values),
		cmocka_unit_test(replace_keeps_the_neighbours),
		cmocka_unit_test(delete_returns_what_followed),
		cmocka_unit_test(delete_range_ends_with_the_elements),
		cmocka_unit_test(more_than_65534_elements_are_counted_by_walking),
		cmocka_unit_test(edits_fail_whole_when_memory_is_out),
		cmocka_unit_test(room_that_was_asked_for_is_used),
		cmocka_unit_test(memory_is_given_back),
		cmocka_unit_test(limit_of_size_is_kept),
		cmocka_unit_test(random_edits_agree_with_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
