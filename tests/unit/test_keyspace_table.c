/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hash table by itself, with names chosen to collide: long chains through insertion,
 * removal and resizing. And the hash function, with the published vectors.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/table.h"

static const struct hash_seed seed = {1, 2};

#define NR 400

struct item {
	uint64_t hash;
	struct entry *e; /* NULL: not in the table */
	char name[24];
};

/* The first name, counting from a number, whose hash agrees with want in the bits of mask.
 * Returns its number. */
static unsigned name_with(struct item *it, uint64_t mask, uint64_t want, unsigned from)
{
	for (;; from++) {
		snprintf(it->name, sizeof(it->name), "%u", from);
		it->hash = hash_key(&seed, it->name, strlen(it->name));
		if ((it->hash & mask) == want)
			return from;
	}
}

/* Names whose hashes agree in the low bits: they share a bucket in any table here. */
static void colliding(struct item *items, unsigned bits)
{
	unsigned from = 0;

	for (unsigned i = 0; i < NR; i++)
		from = name_with(&items[i], (1u << bits) - 1, 0, from) + 1;
}

static void item_insert(struct table *t, struct item *it)
{
	struct value v = value_from_int(1);

	it->e = entry_create(it->name, (uint32_t)strlen(it->name), &v, false);
	assert_non_null(it->e);
	assert_true(table_insert(t, it->hash, it->e));
}

static void item_remove(struct table *t, struct item *it)
{
	struct table_ref ref;

	assert_true(table_find_entry(t, it->hash, it->e, &ref));
	assert_ptr_equal(table_ref_entry(&ref), it->e);
	table_remove(t, it->hash, &ref);
	entry_free(it->e);
	it->e = NULL;
}

static void count_fn(void *ctx, struct entry *e)
{
	(*(unsigned *)ctx)++;
}

static void check(const struct table *t, const struct item *items)
{
	unsigned there = 0;
	unsigned walked = 0;

	for (unsigned i = 0; i < NR; i++) {
		const struct item *it = &items[i];
		struct table_ref ref;
		bool found = table_find(t, it->hash, it->name, (uint32_t)strlen(it->name), &ref);

		assert_int_equal(found, it->e != NULL);
		if (found)
			assert_ptr_equal(table_ref_entry(&ref), it->e);
		there += found;
	}
	for (uint64_t u = 0; u < table_units(t); u++)
		table_unit_walk(t, u, count_fn, &walked);
	assert_int_equal(walked, there);
	assert_int_equal(table_count(t), there);
}

static void collide(unsigned bits)
{
	struct item *items = calloc(NR, sizeof(*items));
	uint64_t rng = random_seed();
	size_t used = mem_used();
	struct table t = {0};

	assert_non_null(items);
	colliding(items, bits);
	for (unsigned i = 0; i < 20000; i++) {
		struct item *it = &items[below(&rng, NR)];
		bool fill = below(&rng, 4000) > i % 4000;

		if (fill && !it->e)
			item_insert(&t, it);
		else if (!fill && it->e)
			item_remove(&t, it);
		if (below(&rng, 3) == 0)
			table_step(&t, &seed);
		if (i % 500 == 0)
			check(&t, items);
	}
	for (unsigned i = 0; i < NR; i++) {
		if (items[i].e)
			item_remove(&t, &items[i]);
	}
	check(&t, items);
	/* empty chains have given their buckets back: what is left are the arrays */
	while (table_resizing(&t) && table_step(&t, &seed))
		;
	table_fini(&t);
	assert_int_equal(mem_used(), used);
	free(items);
}

static void names_in_one_chain_are_kept_apart(void **state)
{
	collide(12);
}

static void chains_split_and_merge_whole(void **state)
{
	collide(3);
	collide(5);
	collide(6);
}

/* The worst case of a merge: two full buckets, no chain whose buckets could serve again. */
static void two_full_buckets_merge_into_a_chain(void **state)
{
	struct item *items = calloc(NR, sizeof(*items));
	size_t used = mem_used();
	struct table t = {0};

	assert_non_null(items);
	/* 32 buckets, and nothing in those that matter */
	for (unsigned i = 0; i < 100; i++) {
		name_with(&items[i], 15, 6 + i % 8, 100000 * (i + 1));
		item_insert(&t, &items[i]);
		while (table_step(&t, &seed))
			;
	}
	assert_int_equal(table_units(&t), 32);
	/* 7 names each for buckets 5 and 21; then nothing else, so it shrinks */
	for (unsigned i = 0; i < 14; i++) {
		name_with(&items[100 + i], 31, i < 7 ? 5 : 21, 1000 * (i + 1));
		item_insert(&t, &items[100 + i]);
	}
	for (unsigned i = 0; i < 100; i++)
		item_remove(&t, &items[i]);
	assert_true(table_resizing(&t) && table_units(&t) == 16);
	while (table_step(&t, &seed))
		;
	assert_int_equal(table_units(&t), 16);
	for (unsigned i = 100; i < 114; i++) {
		struct table_ref ref;

		assert_true(table_find_entry(&t, items[i].hash, items[i].e, &ref));
	}
	for (unsigned i = 100; i < 114; i++)
		item_remove(&t, &items[i]);
	table_fini(&t);
	assert_int_equal(mem_used(), used);
	free(items);
}

static void scattered_names_are_kept_apart(void **state)
{
	collide(0);
}

static void hash_is_siphash(void **state)
{
	uint8_t key[16];
	uint8_t data[15];
	static const uint64_t shorter[8] = {0, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au,
		0x85676696d7fb7e2du, 0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu,
		0xab0200f58b01d137u};
	struct hash_seed s;

	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (unsigned i = 0; i < 15; i++)
		data[i] = (uint8_t)i;
	s = hash_seed_load(key);
	/* appendix A of the paper, and the first of its reference vectors */
	for (unsigned i = 1; i < 8; i++)
		assert_true(hash_siphash(&s, data, i, 2, 4) == shorter[i]);
	assert_true(hash_siphash(&s, data, 15, 2, 4) == 0xa129ca6149be45e5u);
	assert_true(hash_siphash(&s, data, 0, 2, 4) == 0x726fdb47dd0e0e31u);
	assert_true(hash_siphash(&s, data, 8, 2, 4) == 0x93f5f5799a932462u);
	assert_true(hash_key(&s, data, 0) == 0xabac0158050fc4dcu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_one_chain_are_kept_apart),
		cmocka_unit_test(chains_split_and_merge_whole),
		cmocka_unit_test(two_full_buckets_merge_into_a_chain),
		cmocka_unit_test(scattered_names_are_kept_apart),
		cmocka_unit_test(hash_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
