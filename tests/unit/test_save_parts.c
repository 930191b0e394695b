/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Large values are saved in parts: the same bytes come out as at once, and no part is much longer
 * than it was allowed to be.
 */
#include "tests/unit/test_keyspace.h"

#include "app/keyspace/types/hash.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/set.h"
#include "app/keyspace/types/stream.h"
#include "app/keyspace/types/zset.h"
#include "app/rdb/save.h"

#define LARGE     3000
#define PART      500u
#define PART_MOST 3000u /* a unit of a table or a node more */

static const struct obj_limits lim = {
	.list_max_listpack_size = 8, .stream_node_max_bytes = 4096, .stream_node_max_entries = 10};

struct out {
	char *bytes;
	size_t len, cap;
};

static int out_write(void *ctx, const void *data, size_t len)
{
	struct out *out = ctx;

	if (out->len + len > out->cap) {
		out->cap = 2 * (out->len + len);
		out->bytes = realloc(out->bytes, out->cap);
		assert_non_null(out->bytes);
	}
	memcpy(out->bytes + out->len, data, len);
	out->len += len;
	return 0;
}

static struct slice text_of(char buf[32], const char *kind, unsigned i)
{
	return (struct slice){buf, (size_t)snprintf(buf, 32, "%s%u", kind, i)};
}

static void add_group(struct stream *s, unsigned nr_consumers)
{
	char buf[32];
	struct slice name = text_of(buf, "group", nr_consumers);
	struct stream_id id = {1, 1};
	struct stream_group *g = stream_group_create(s, &name, &id, STREAM_READ_UNKNOWN);

	assert_non_null(g);
	for (unsigned i = 0; i < nr_consumers; i++) {
		struct stream_consumer *one;

		name = text_of(buf, "consumer", i);
		one = stream_consumer_create(g, &name, T0);
		assert_non_null(one);
		for (unsigned n = 0; n < 200; n++) {
			id = (struct stream_id){1 + i, n};
			assert_non_null(stream_pending_assign(g, &id, one));
		}
	}
}

static struct obj make_obj(enum obj_type type)
{
	struct obj o = {0};
	char buf[32], val[32];

	for (unsigned i = 0; i < LARGE; i++) {
		struct slice name = text_of(buf, i % 3 ? "name" : "", i);
		struct slice pair[2] = {name, text_of(val, "", i * 7)};
		struct stream_id id = {i + 1, 0};

		switch (type) {
		case OBJ_SET:
			assert_true(i > 0 || set_create(&o, NULL));
			assert_int_equal(set_add(&o, name.ptr, name.len, &lim), SET_ADDED);
			break;
		case OBJ_HASH:
			assert_true(i > 0 || hash_create(&o));
			assert_int_equal(hash_set(&o, &pair[0], &pair[1], &lim), HASH_ADDED);
			break;
		case OBJ_ZSET:
			assert_true(i > 0 || zset_create_skiplist(&o));
			assert_true(zset_add(&o, name.ptr, name.len, i * 0.5, NULL));
			break;
		case OBJ_STREAM:
			assert_true(i > 0 || stream_make(&o));
			assert_true(stream_add(stream_of(&o), &id, pair, 1, &lim));
			break;
		default:
			assert_true(i > 0 || list_make(&o));
			assert_true(list_push(&o, LIST_RIGHT, name.ptr, name.len, 8));
		}
	}
	for (unsigned i = 0; type == OBJ_STREAM && i < 4; i++)
		add_group(stream_of(&o), i);
	return o;
}

static struct entry *put(struct keyspace *ks, const char *key, enum obj_type type)
{
	struct ks_key k = key_of(ks, key);
	struct obj o = {0};
	struct entry *e;
	char *text;

	if (type != OBJ_STRING) {
		o = make_obj(type);
		e = ks_set_obj(ks, 0, 0, &k, &o, 0, T0);
	} else {
		text = malloc(100000);
		assert_non_null(text);
		for (unsigned i = 0; i < 100000; i++)
			text[i] = (char)(i * i >> 5);
		e = ks_set_str(ks, 0, 0, &k, text, 100000, 0, T0);
		free(text);
	}
	assert_non_null(e);
	return e;
}

static const enum obj_type types[] = {
	OBJ_STRING, OBJ_LIST, OBJ_SET, OBJ_HASH, OBJ_ZSET, OBJ_STREAM};
#define NR_TYPES (sizeof(types) / sizeof(types[0]))

/* Saves in parts, and returns how many. */
static unsigned save_in_parts(struct rdb_saver *s, const struct entry *e, struct out *out)
{
	struct rdb_progress at = {0};
	unsigned nr = 0;
	bool done;
	int rc;

	do {
		size_t before = out->len;

		done = rdb_save_entry_part(s, 0, e, &at, PART, &rc);
		assert_int_equal(rc, 0);
		assert_true(out->len - before < PART_MOST);
		nr++;
	} while (!done);
	return nr;
}

static void parts_make_up_the_whole(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	for (unsigned i = 0; i < NR_TYPES; i++) {
		struct entry *e = ks_set_expire(ks, 0, 0, put(ks, "large", types[i]), T0);
		struct out whole = {0}, parts = {0};
		struct rdb_saver s;

		rdb_saver_init(&s, out_write, &whole, false);
		assert_int_equal(rdb_save_entry(&s, 0, e), 0);
		rdb_saver_fini(&s);
		rdb_saver_init(&s, out_write, &parts, false);
		assert_true(save_in_parts(&s, e, &parts) > whole.len / PART_MOST);
		rdb_saver_fini(&s);
		assert_int_equal(parts.len, whole.len);
		assert_memory_equal(parts.bytes, whole.bytes, whole.len);
		free(parts.bytes);
		free(whole.bytes);
		ks_del(ks, 0, 0, e);
	}
	destroy(ks, used);
}

static void a_small_value_is_one_part(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct entry *e = set(ks, 0, "small", "value");
	struct out out = {0};
	struct rdb_saver s;

	rdb_saver_init(&s, out_write, &out, true);
	assert_int_equal(save_in_parts(&s, e, &out), 1);
	rdb_saver_fini(&s);
	free(out.bytes);
	destroy(ks, used);
}

static int no_space(void *ctx, const void *data, size_t len)
{
	return -28;
}

static void an_error_ends_it(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);

	for (unsigned i = 0; i < NR_TYPES; i++) {
		struct entry *e = put(ks, "large", types[i]);
		struct rdb_progress at = {0};
		struct rdb_saver s;
		int rc;

		rdb_saver_init(&s, no_space, NULL, false);
		assert_true(rdb_save_entry_part(&s, 0, e, &at, PART, &rc));
		assert_int_equal(rc, -28);
		rdb_saver_fini(&s);
		ks_del(ks, 0, 0, e);
	}
	destroy(ks, used);
}

/* --- the keyspace's side --- */

/* A snapshot that puts an entry off some times before it has it as a whole. */
struct patient {
	unsigned parts_left, nr_parts, nr_whole;
	const struct entry *e;
};

static size_t save_whole(void *ctx, unsigned core, int db, const struct entry *e)
{
	struct patient *p = ctx;

	p->nr_whole++;
	return 1;
}

static bool save_part(void *ctx, unsigned core, uint32_t part, int db, struct entry *e)
{
	struct patient *p = ctx;

	assert_true(!p->e || p->e == e);
	p->e = e;
	p->nr_parts++;
	return p->parts_left-- == 0;
}

static void begin(struct keyspace *ks, struct patient *p, unsigned parts)
{
	struct ks_snap_ops ops = {.save = save_whole, .save_part = save_part, .ctx = p};

	*p = (struct patient){.parts_left = parts};
	ks_snap_begin(ks, &ops);
}

static void a_change_of_a_large_value_waits(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct patient p;

	for (unsigned i = 0; i < NR_TYPES; i++) {
		struct ks_key k = key_of(ks, "large"), other = key_of(ks, "small");

		put(ks, "large", types[i]);
		set(ks, 0, "small", "value");
		assert_false(ks_snap_hold(ks, 0, 0, &k, 0)); /* no snapshot */
		begin(ks, &p, 2);
		assert_false(ks_snap_hold(ks, 0, 0, &other, 0));
		assert_false(ks_snap_hold(ks, 0, 0, &k, T0)); /* it has not expired */
		assert_int_equal(p.nr_parts, 0);
		assert_true(ks_snap_hold(ks, 0, 0, &k, 0));
		assert_true(ks_snap_hold(ks, 0, 0, &k, 0));
		assert_false(ks_snap_hold(ks, 0, 0, &k, 0));
		assert_false(ks_snap_hold(ks, 0, 0, &k, 0)); /* it has it now */
		assert_int_equal(p.nr_parts, 3);
		ks_del(ks, 0, 0, find(ks, 0, "large"));
		assert_int_equal(p.nr_whole, 0);
		ks_snap_end(ks);
	}
	destroy(ks, used);
}

static void a_change_that_does_not_wait_saves_the_rest(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct ks_key k = key_of(ks, "large");
	struct patient p;

	put(ks, "large", OBJ_HASH);
	begin(ks, &p, 2);
	assert_true(ks_snap_hold(ks, 0, 0, &k, 0));
	ks_del(ks, 0, 0, find(ks, 0, "large"));
	assert_int_equal(p.nr_whole, 1);
	ks_snap_end(ks);
	destroy(ks, used);
}

static void the_walk_comes_back_to_a_large_value(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	unsigned slices = 1;
	uint64_t cursor = 0;
	struct patient p;
	char name[32];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "small%u", i);
		set(ks, 0, name, "value");
	}
	put(ks, "large", OBJ_ZSET);
	begin(ks, &p, 9);
	for (; !ks_snap_walk(ks, 0, 0, &cursor, 1000); slices++)
		;
	assert_int_equal(p.nr_parts, 10);
	assert_true(slices >= 10); /* one part a slice */
	assert_int_equal(p.nr_whole, 20);
	ks_snap_end(ks);
	destroy(ks, used);
}

static void nothing_large_expires_or_is_evicted_meanwhile(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct patient p;

	ks_set_expire(ks, 0, 0, put(ks, "large", OBJ_SET), T0);
	ks_set_policy(ks, KS_ALLKEYS_RANDOM, 5, 10, 1);
	begin(ks, &p, 20);
	assert_int_equal(ks_expire_part(ks, 0, 0, T0 + 1, 10, NULL, NULL), 0);
	assert_int_equal(ks_evict_one(ks, 0, T0, false, NULL, NULL), 0);
	assert_non_null(find(ks, 0, "large"));
	p.parts_left = 0;
	assert_int_equal(ks_expire_part(ks, 0, 0, T0 + 1, 10, NULL, NULL), 1);
	assert_null(find(ks, 0, "large"));
	assert_int_equal(p.nr_whole, 0);
	ks_snap_end(ks);
	destroy(ks, used);
}

static size_t save_long(void *ctx, unsigned core, int db, const struct entry *e)
{
	unsigned *nr = ctx;

	++*nr;
	return 20000;
}

static void a_slice_of_the_walk_is_bounded_in_bytes(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	unsigned nr = 0, before = 0;
	struct ks_snap_ops ops = {.save = save_long, .ctx = &nr};
	uint64_t cursor = 0;
	char name[32];
	bool done = false;

	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		set(ks, 0, name, "long");
	}
	ks_snap_begin(ks, &ops);
	for (; !done; before = nr) {
		done = ks_snap_walk(ks, 0, 0, &cursor, 1000);
		assert_true(nr - before <= 2);
	}
	assert_int_equal(nr, 50);
	ks_snap_end(ks);
	destroy(ks, used);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_make_up_the_whole),
		cmocka_unit_test(a_small_value_is_one_part),
		cmocka_unit_test(an_error_ends_it),
		cmocka_unit_test(a_change_of_a_large_value_waits),
		cmocka_unit_test(a_change_that_does_not_wait_saves_the_rest),
		cmocka_unit_test(the_walk_comes_back_to_a_large_value),
		cmocka_unit_test(nothing_large_expires_or_is_evicted_meanwhile),
		cmocka_unit_test(a_slice_of_the_walk_is_bounded_in_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
