/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ordered trees: random changes against a sorted array, leaves of many sizes, and memory that runs
 * out.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/rand.h"
#include "app/keyspace/types/tree.h"

#define MODEL_MAX 20000

struct item {
	uint64_t key, value;
};

static int cmp(const void *key, const void *item)
{
	uint64_t a = *(const uint64_t *)key, b = *(const uint64_t *)item;

	return a < b ? -1 : a > b;
}

static struct tree_kind kind = {
	.item_size = sizeof(struct item), .key_size = sizeof(uint64_t), .cmp = cmp};

/* --- memory that runs out --- */

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

static bool failing; /* now and then */

static bool must_fail(void)
{
	return failing && ks_rand_below(3) == 0;
}

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_realloc(ptr, size);
}

/* --- the model --- */

struct model {
	struct tree t;
	struct item items[MODEL_MAX];
	size_t nr;
};

static size_t place(const struct model *m, uint64_t key)
{
	size_t lo = 0, hi = m->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->items[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool add(struct model *m, uint64_t key)
{
	struct item item = {key, ks_rand()};
	size_t at = place(m, key);
	struct item *got = tree_add(&m->t, &kind, &key, &item);

	if (!got)
		return false;
	assert_memory_equal(got, &item, sizeof(item));
	memmove(&m->items[at + 1], &m->items[at], (m->nr - at) * sizeof(item));
	m->items[at] = item;
	m->nr++;
	return true;
}

static void drop_at(struct model *m, size_t at)
{
	uint64_t key = m->items[at].key;

	assert_true(tree_remove(&m->t, &kind, &key));
	assert_false(tree_remove(&m->t, &kind, &key));
	m->nr--;
	memmove(&m->items[at], &m->items[at + 1], (m->nr - at) * sizeof(m->items[0]));
}

static void check(const struct model *m)
{
	struct tree_pos pos = tree_first(&m->t, &kind);

	tree_check(&m->t, &kind);
	assert_int_equal(m->t.nr, m->nr);
	for (size_t i = 0; i < m->nr; i++, tree_next(&pos))
		assert_memory_equal(tree_item(&kind, &pos), &m->items[i], sizeof(struct item));
	assert_false(tree_pos_ok(&pos));
	pos = tree_last(&m->t, &kind);
	for (size_t i = m->nr; i-- > 0; tree_prev(&pos))
		assert_memory_equal(tree_item(&kind, &pos), &m->items[i], sizeof(struct item));
	assert_false(tree_pos_ok(&pos));
}

static void assert_at(const struct model *m, const struct tree_pos *pos, size_t at)
{
	if (at >= m->nr)
		assert_false(tree_pos_ok(pos));
	else
		assert_memory_equal(tree_item(&kind, pos), &m->items[at], sizeof(struct item));
}

static void check_search(const struct model *m, uint64_t key)
{
	size_t at = place(m, key);
	bool there = at < m->nr && m->items[at].key == key;
	struct tree_pos ceil = tree_ceil(&m->t, &kind, &key);
	struct tree_pos floor = tree_floor(&m->t, &kind, &key);

	assert_int_equal(there, tree_find(&m->t, &kind, &key) != NULL);
	assert_at(m, &ceil, at);
	assert_at(m, &floor, there ? at : at - 1); /* before the first: SIZE_MAX */
}

static struct model *fresh(unsigned leaf_max)
{
	struct model *m = calloc(1, sizeof(*m));

	kind.leaf_max = leaf_max;
	assert_non_null(m);
	return m;
}

static void end(struct model *m)
{
	tree_clear(&m->t, &kind);
	assert_null(m->t.root);
	free(m);
}

static const unsigned leaf_sizes[] = {2, 3, 5, 25, TREE_LEAF_MAX(sizeof(struct item))};

#define EACH_SIZE(n) for (unsigned n = 0; n < sizeof(leaf_sizes) / sizeof(leaf_sizes[0]); n++)

/* --- tests --- */

static void random_changes_match_an_array(void **state)
{
	size_t used = mem_used();

	ks_rand_seed(random_seed());
	EACH_SIZE(n)
	{
		struct model *m = fresh(leaf_sizes[n]);

		for (int step = 0; step < 30000; step++) {
			bool grow = step % 6000 < 3500;
			uint64_t key = ks_rand_below(6000);
			size_t at = place(m, key);

			if (grow ? at == m->nr || m->items[at].key != key : m->nr == 0)
				assert_true(add(m, key));
			else if (m->nr > 0 && ks_rand_below(4) > grow * 2u)
				drop_at(m, ks_rand_below(m->nr));
			check_search(m, ks_rand_below(6100));
			if (step % 500 == 0)
				check(m);
		}
		check(m);
		while (m->nr > 0)
			drop_at(m, ks_rand_below(m->nr));
		check(m);
		end(m);
	}
	assert_int_equal(mem_used(), used);
}

/* What comes in order, as a stream's entries do, fills its leaves. */
static void items_in_order_fill_their_leaves(void **state)
{
	EACH_SIZE(n)
	{
		struct model *m = fresh(leaf_sizes[n]);

		for (uint64_t key = 0; key < MODEL_MAX; key++)
			assert_true(add(m, key));
		check(m);
		if (leaf_sizes[n] == TREE_LEAF_MAX(sizeof(struct item)))
			assert_true(m->t.bytes < MODEL_MAX * sizeof(struct item) * 11 / 10);
		for (size_t i = 0; i < MODEL_MAX; i++) /* and go from the front */
			drop_at(m, 0);
		check(m);
		end(m);
	}
}

static void items_in_reverse_order_are_taken(void **state)
{
	EACH_SIZE(n)
	{
		struct model *m = fresh(leaf_sizes[n]);

		for (uint64_t key = 5000; key > 0; key--)
			assert_true(add(m, key));
		check(m);
		while (m->nr > 0)
			drop_at(m, m->nr - 1);
		check(m);
		end(m);
	}
}

static void few_items_take_little_room(void **state)
{
	struct model *m = fresh(64);

	assert_true(add(m, 1));
	assert_true(m->t.bytes <= 48);
	for (uint64_t key = 2; key < 1000; key++)
		assert_true(add(m, key));
	while (m->nr > 1)
		drop_at(m, 0);
	check(m);
	assert_true(m->t.bytes <= 128);
	end(m);
}

/* A hundredth that is left of many, at random, takes no more than some times its share. */
static void nodes_that_got_few_are_joined(void **state)
{
	struct model *m = fresh(64);

	ks_rand_seed(random_seed());
	for (uint64_t key = 0; key < MODEL_MAX; key++)
		assert_true(add(m, key));
	while (m->nr > MODEL_MAX / 100)
		drop_at(m, ks_rand_below(m->nr));
	check(m);
	assert_true(m->t.bytes < 12 * m->nr * sizeof(struct item));
	end(m);
}

static void out_of_memory_changes_nothing(void **state)
{
	ks_rand_seed(random_seed());
	EACH_SIZE(n)
	{
		struct model *m = fresh(leaf_sizes[n]);
		unsigned nr_failed = 0;

		failing = true;
		for (int step = 0; step < 5000; step++) {
			uint64_t key = ks_rand_below(100000);
			size_t at = place(m, key);

			if (at < m->nr && m->items[at].key == key)
				drop_at(m, at);
			else
				nr_failed += !add(m, key);
		}
		failing = false;
		assert_true(nr_failed > 0);
		check(m);
		end(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_an_array),
		cmocka_unit_test(items_in_order_fill_their_leaves),
		cmocka_unit_test(items_in_reverse_order_are_taken),
		cmocka_unit_test(few_items_take_little_room),
		cmocka_unit_test(nodes_that_got_few_are_joined),
		cmocka_unit_test(out_of_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
