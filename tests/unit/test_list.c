/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists: random edits against an array, with nodes of all sizes; ranges, copies and large elements.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/rand.h"
#include "app/keyspace/types/list.h"

#include <stdio.h>

#define MODEL_MAX 400
#define TEXT_MAX  40

struct model {
	char text[MODEL_MAX][TEXT_MAX];
	size_t nr;
};

static struct obj new_list(void)
{
	struct obj o;

	assert_true(list_make(&o));
	return o;
}

static void drop(struct obj *o)
{
	obj_ops(o)->free(o);
}

static void check_text(const struct list_pos *pos, const char *want)
{
	char buf[KS_INT_STR_MAX];
	struct slice text = list_text(pos, buf);

	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.ptr, want, text.len);
	assert_true(list_eq(pos, want, strlen(want)));
}

/* Both ways, and by index. */
static void check(const struct obj *o, const struct model *m)
{
	struct list_pos pos = list_at(o, 0);

	assert_int_equal(list_len(o), m->nr);
	for (size_t i = 0; i < m->nr; i++, list_next(&pos))
		check_text(&pos, m->text[i]);
	assert_false(list_pos_ok(&pos));
	pos = list_at(o, -1);
	for (size_t i = m->nr; i-- > 0; list_prev(&pos))
		check_text(&pos, m->text[i]);
	assert_false(list_pos_ok(&pos));
	for (size_t i = 0; i < m->nr; i += 7) {
		pos = list_at(o, (int64_t)i);
		check_text(&pos, m->text[i]);
		pos = list_at(o, (int64_t)i - (int64_t)m->nr);
		check_text(&pos, m->text[i]);
	}
}

static void model_insert(struct model *m, size_t at, const char *text)
{
	memmove(&m->text[at + 1], &m->text[at], (m->nr - at) * TEXT_MAX);
	snprintf(m->text[at], TEXT_MAX, "%s", text);
	m->nr++;
}

static void model_delete(struct model *m, size_t at, size_t nr)
{
	memmove(&m->text[at], &m->text[at + nr], (m->nr - at - nr) * TEXT_MAX);
	m->nr -= nr;
}

static void random_text(char text[TEXT_MAX])
{
	size_t len = (size_t)ks_rand_below(TEXT_MAX - 1);

	if ((size_t)ks_rand_below(3) == 0) {
		snprintf(text, TEXT_MAX, "%lld", (long long)ks_rand_below(100000) - 50000);
		return;
	}
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (size_t)ks_rand_below(26));
	text[len] = '\0';
}

static void one_edit(struct obj *o, struct model *m, int fill)
{
	size_t at = m->nr ? (size_t)ks_rand_below(m->nr) : 0;
	struct list_pos pos = list_at(o, (int64_t)at);
	char text[TEXT_MAX];
	bool left = (size_t)ks_rand_below(2);
	size_t nr;

	random_text(text);
	switch (m->nr == 0 ? 0 : m->nr >= MODEL_MAX - 2 ? 4 : (size_t)ks_rand_below(6)) {
	case 0:
	case 1:
		assert_true(list_push(o, left ? LIST_LEFT : LIST_RIGHT, text, strlen(text), fill));
		model_insert(m, left ? 0 : m->nr, text);
		break;
	case 2:
		assert_true(list_insert(o, &pos, left, text, strlen(text), fill));
		model_insert(m, left ? at : at + 1, text);
		break;
	case 3:
		assert_true(list_replace(o, &pos, text, strlen(text), fill));
		snprintf(m->text[at], TEXT_MAX, "%s", text);
		break;
	case 4:
		nr = 1 + (size_t)ks_rand_below(m->nr >= MODEL_MAX - 2 ? MODEL_MAX : 6);
		if (nr > m->nr - at)
			nr = m->nr - at;
		assert_int_equal(list_delete_range(o, (int64_t)at, nr), nr);
		model_delete(m, at, nr);
		break;
	default:
		list_delete(o, &pos, left ? LIST_LEFT : LIST_RIGHT);
		model_delete(m, at, 1);
		if (left && at > 0)
			check_text(&pos, m->text[at - 1]);
		else if (!left && at < m->nr)
			check_text(&pos, m->text[at]);
		else
			assert_false(list_pos_ok(&pos));
	}
}

static void edits_with(int fill, size_t threshold, unsigned rounds)
{
	struct model *m = calloc(1, sizeof(*m));
	struct obj o = new_list(), copy;

	assert_non_null(m);
	assert_true(list_set_packed_threshold(threshold));
	for (unsigned i = 0; i < rounds; i++) {
		one_edit(&o, m, fill);
		if (i % 16 == 0)
			check(&o, m);
	}
	check(&o, m);
	assert_true(obj_ops(&o)->copy(&o, &copy));
	check(&copy, m);
	assert_true(obj_ops(&o)->mem(&o, 0) >= m->nr);
	drop(&copy);
	drop(&o);
	free(m);
	assert_true(list_set_packed_threshold(0));
}

static void random_edits_keep_order(void **state)
{
	ks_rand_seed(random_seed());
	edits_with(-2, 0, 4000);
	edits_with(1, 0, 2000);
	edits_with(3, 0, 4000);
	edits_with(32, 0, 4000);
}

static void large_elements_have_nodes_of_their_own(void **state)
{
	ks_rand_seed(random_seed());
	edits_with(-2, 10, 4000);
	edits_with(4, 20, 4000);
}

static void nodes_hold_what_fill_allows(void **state)
{
	struct obj o = new_list();

	for (int i = 0; i < 100; i++)
		assert_true(list_push(&o, LIST_RIGHT, "abc", 3, 10));
	assert_int_equal(list_nr_nodes(&o), 10);
	drop(&o);
	o = new_list();
	for (int i = 0; i < 4000; i++)
		assert_true(list_push(&o, LIST_LEFT, "0123456789", 10, -1));
	assert_in_range(list_nr_nodes(&o), 12, 16);
	drop(&o);
}

static void memory_is_no_more_than_is_held(void **state)
{
	size_t before = mem_used();
	struct obj o = new_list();

	for (int i = 0; i < 10000; i++)
		assert_true(list_push(&o, LIST_RIGHT, "0123456789", 10, -2));
	/* twelve bytes an element in the listpack, and the slack of the allocator */
	assert_in_range(obj_ops(&o)->mem(&o, 0), 120000, 160000);
	assert_int_equal(obj_ops(&o)->mem(&o, 0), mem_used() - before);
	drop(&o);
	assert_int_equal(mem_used(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_edits_keep_order),
		cmocka_unit_test(large_elements_have_nodes_of_their_own),
		cmocka_unit_test(nodes_hold_what_fill_allows),
		cmocka_unit_test(memory_is_no_more_than_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
