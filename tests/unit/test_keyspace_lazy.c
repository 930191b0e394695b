/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Unlinked keys: what is large is freed in slices.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/types/hash.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/set.h"
#include "app/keyspace/types/zset.h"

#define LARGE 2000

static const struct obj_limits lim = {.list_max_listpack_size = 4};

static struct obj make_obj(enum obj_type type, unsigned nr)
{
	struct slice name, value = {"value", 5};
	struct obj o;
	char text[32];

	for (unsigned i = 0; i < nr; i++) {
		name = (struct slice){text, (size_t)snprintf(text, sizeof(text), "name%u", i)};
		switch (type) {
		case OBJ_SET:
			assert_true(i > 0 || set_create(&o, &name));
			assert_int_equal(set_add(&o, text, name.len, &lim), SET_ADDED);
			break;
		case OBJ_HASH:
			assert_true(i > 0 || hash_create(&o));
			assert_int_equal(hash_set(&o, &name, &value, &lim), HASH_ADDED);
			break;
		case OBJ_ZSET:
			assert_true(i > 0 || zset_create_skiplist(&o));
			assert_true(zset_add(&o, text, name.len, i, NULL));
			break;
		default:
			assert_true(i > 0 || list_make(&o));
			assert_true(list_push(&o, LIST_RIGHT, text, name.len, 4));
		}
	}
	return o;
}

static struct entry *put(struct keyspace *ks, const char *key, enum obj_type type, unsigned nr)
{
	struct ks_key k = key_of(ks, key);
	struct obj o = make_obj(type, nr);
	struct entry *e = ks_set_obj(ks, 0, 0, &k, &o, 0, T0);

	assert_non_null(e);
	return e;
}

/* So that what the key's partition needs is there. */
static void touch(struct keyspace *ks, const char *key)
{
	ks_del(ks, 0, 0, set(ks, 0, key, "value"));
}

static const enum obj_type types[] = {OBJ_LIST, OBJ_SET, OBJ_HASH, OBJ_ZSET};

static void large_ones_are_freed_in_slices(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);

	set(ks, 0, "other", "value");
	touch(ks, "large");
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t before = mem_used(), last;
		unsigned slices = 1;

		ks_unlink(ks, 0, 0, put(ks, "large", types[i], LARGE));
		assert_null(find(ks, 0, "large"));
		assert_int_equal(ks_size(ks, 0), 1);
		assert_int_equal(ks_lazy_pending(ks), 1);
		assert_int_equal(ks_lazy_freed(ks), i);
		last = mem_used();
		assert_true(last > before + LARGE);
		for (; ks_reclaim(ks, 50); slices++) {
			assert_true(mem_used() <= last);
			assert_true(last - mem_used() < 16384);
			last = mem_used();
		}
		assert_true(slices >= LARGE / 4 / 60);
		assert_int_equal(mem_used(), before);
		assert_int_equal(ks_lazy_pending(ks), 0);
		assert_int_equal(ks_lazy_freed(ks), i + 1);
	}
	ks_lazy_freed_reset(ks);
	assert_int_equal(ks_lazy_freed(ks), 0);
	assert_value(find(ks, 0, "other"), "value");
	destroy(ks, used);
}

static void small_ones_go_at_once(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);
	size_t before;

	set(ks, 0, "other", "value");
	touch(ks, "small");
	touch(ks, "string");
	before = mem_used();
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ks_unlink(ks, 0, 0, put(ks, "small", types[i], 60));
		assert_int_equal(mem_used(), before);
	}
	ks_unlink(ks, 0, 0, set(ks, 0, "string", "value"));
	assert_int_equal(mem_used(), before);
	assert_int_equal(ks_lazy_pending(ks) + ks_lazy_freed(ks), 0);
	destroy(ks, used);
}

static void half_freed_ones_go_with_the_keyspace(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		ks_unlink(ks, 0, 0, put(ks, "large", types[i], LARGE));
	assert_int_equal(ks_lazy_pending(ks), 4);
	for (unsigned i = 0; i < 3; i++)
		assert_true(ks_reclaim(ks, 100));
	destroy(ks, used);
}

static void emptied_databases_are_counted(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);

	set(ks, 0, "a", "1");
	set(ks, 0, "b", "2");
	ks_flush(ks, 0, 0);
	assert_int_equal(ks_lazy_pending(ks), 2);
	while (ks_reclaim(ks, 10))
		;
	assert_int_equal(ks_lazy_pending(ks), 0);
	assert_int_equal(ks_lazy_freed(ks), 2);
	destroy(ks, used);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_ones_are_freed_in_slices),
		cmocka_unit_test(small_ones_go_at_once),
		cmocka_unit_test(half_freed_ones_go_with_the_keyspace),
		cmocka_unit_test(emptied_databases_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
