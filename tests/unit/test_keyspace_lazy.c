/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Unlinked keys: what is large is freed in slices.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/types/hash.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/set.h"
#include "app/keyspace/types/stream.h"
#include "app/keyspace/types/zset.h"

#define LARGE 2000
/* In a slice of 50; the nodes of a stream's trees have 1 KB. */
#define SLICE_MOST 60000u

static const struct obj_limits lim = {
	.list_max_listpack_size = 4, .stream_node_max_bytes = 4096, .stream_node_max_entries = 4};

/* A group whose consumers have what is pending. */
static void add_group(struct stream *s, unsigned nr)
{
	struct slice name = {"some", 4};
	struct stream_id id = {0, 0};
	struct stream_group *g = stream_group_create(s, &name, &id, STREAM_READ_UNKNOWN);

	assert_non_null(g);
	for (unsigned i = 0; i < nr; i++) {
		char text[32];
		struct stream_consumer *one;

		name = (struct slice){text, (size_t)snprintf(text, sizeof(text), "c%u", i % 3)};
		one = stream_consumer_find(g, &name);
		one = one ? one : stream_consumer_create(g, &name, T0);
		assert_non_null(one);
		id = (struct stream_id){i + 1, 0};
		assert_non_null(stream_pending_assign(g, &id, one));
	}
}

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
		case OBJ_STREAM:
			assert_true(i > 0 || stream_make(&o));
			assert_true(stream_add(stream_of(&o), &(struct stream_id){i + 1, 0},
				(struct slice[]){name, value}, 1, &lim));
			break;
		default:
			assert_true(i > 0 || list_make(&o));
			assert_true(list_push(&o, LIST_RIGHT, text, name.len, 4));
		}
	}
	if (type == OBJ_STREAM && nr == LARGE)
		add_group(stream_of(&o), nr);
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

static const enum obj_type types[] = {OBJ_LIST, OBJ_SET, OBJ_HASH, OBJ_ZSET, OBJ_STREAM};
#define NR_TYPES (sizeof(types) / sizeof(types[0]))

static void large_ones_are_freed_in_slices(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 1);

	set(ks, 0, "other", "value");
	touch(ks, "large");
	for (unsigned i = 0; i < NR_TYPES; i++) {
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
			assert_true(last - mem_used() < SLICE_MOST);
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
	for (unsigned i = 0; i < NR_TYPES; i++) {
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

	for (unsigned i = 0; i < NR_TYPES; i++)
		ks_unlink(ks, 0, 0, put(ks, "large", types[i], LARGE));
	assert_int_equal(ks_lazy_pending(ks), NR_TYPES);
	for (unsigned i = 0; i < 3; i++)
		assert_true(ks_reclaim(ks, 100));
	destroy(ks, used);
}

static void large_ones_of_an_emptied_database_go_in_slices(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	char name[32];

	for (unsigned i = 0; i < NR_TYPES; i++) {
		snprintf(name, sizeof(name), "large%u", i);
		put(ks, name, types[i], LARGE);
	}
	ks_flush(ks, 0, 0);
	assert_int_equal(ks_lazy_pending(ks), NR_TYPES);
	for (bool more = true; more;) {
		size_t before = mem_used();

		more = ks_reclaim(ks, 50);
		assert_true(before - mem_used() < SLICE_MOST);
	}
	assert_int_equal(ks_lazy_pending(ks), 0);
	assert_int_equal(ks_lazy_freed(ks), NR_TYPES);
	destroy(ks, used);
}

static void an_evicted_one_goes_in_slices_when_asked_for(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	size_t before;

	ks_set_policy(ks, KS_ALLKEYS_RANDOM, 5, 10, 1);
	touch(ks, "large");
	before = mem_used();
	put(ks, "large", OBJ_HASH, LARGE);
	assert_true(ks_evict_one(ks, 0, T0, true, NULL, NULL) > LARGE);
	assert_true(mem_used() > before + LARGE);
	assert_int_equal(ks_lazy_pending(ks), 1);
	put(ks, "large", OBJ_HASH, LARGE);
	assert_true(ks_evict_one(ks, 0, T0, false, NULL, NULL) > LARGE);
	assert_int_equal(ks_lazy_pending(ks), 1);
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
		cmocka_unit_test(large_ones_of_an_emptied_database_go_in_slices),
		cmocka_unit_test(an_evicted_one_goes_in_slices_when_asked_for),
		cmocka_unit_test(emptied_databases_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
