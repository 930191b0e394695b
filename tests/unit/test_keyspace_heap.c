/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The expiry index by itself: random changes, after each the order and every entry's place are
 * checked.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/heap.h"

#define NR 200

static void check(const struct heap *h)
{
	for (uint32_t i = 0; i < h->nr; i++) {
		assert_int_equal(entry_heap_idx(h->items[i].e), i);
		assert_true(heap_top_ms(h) <= h->items[i].at_ms);
		if (i > 0)
			assert_true(h->items[(i - 1) / 4].at_ms <= h->items[i].at_ms);
	}
}

static void order_and_places_survive_random_changes(void **state)
{
	size_t used = mem_used();
	struct value v = value_from_int(0);
	uint64_t rng = random_seed();
	struct entry *e[NR];
	bool in[NR] = {false};
	struct heap h = {0};

	for (int i = 0; i < NR; i++)
		e[i] = entry_create("k", 1, &v, true);
	for (int i = 0; i < 30000; i++) {
		unsigned n = below(&rng, below(&rng, 2) ? NR : NR / 8);
		int64_t at_ms = (int64_t)below(&rng, 1000) - 100;

		if (!in[n]) {
			assert_true(heap_reserve(&h));
			heap_push(&h, e[n], at_ms);
			in[n] = true;
		} else if (below(&rng, 2)) {
			heap_update(&h, entry_heap_idx(e[n]), at_ms);
		} else {
			heap_remove(&h, entry_heap_idx(e[n]));
			in[n] = false;
		}
		check(&h);
	}
	for (int i = 0; i < NR; i++) {
		if (in[i])
			heap_remove(&h, entry_heap_idx(e[i]));
		entry_free(e[i]);
	}
	assert_int_equal(heap_top_ms(&h), INT64_MAX);
	heap_fini(&h);
	assert_int_equal(mem_used(), used);
}

static void items_come_out_in_order(void **state)
{
	size_t used = mem_used();
	struct value v = value_from_int(0);
	uint64_t rng = random_seed();
	int64_t last = INT64_MIN;
	struct heap h = {0};

	for (int i = 0; i < 1000; i++) {
		assert_true(heap_reserve(&h));
		heap_push(&h, entry_create("k", 1, &v, true), (int64_t)below(&rng, 500));
	}
	while (h.nr > 0) {
		struct entry *e = h.items[0].e;

		assert_true(heap_top_ms(&h) >= last);
		last = heap_top_ms(&h);
		heap_remove(&h, 0);
		entry_free(e);
	}
	assert_int_equal(mem_used(), used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_places_survive_random_changes),
		cmocka_unit_test(items_come_out_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
