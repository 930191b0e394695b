/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots: exactly what was there at the cut is saved, each entry once, whatever happens
 * meanwhile. (test_keyspace_model.c does the same with random operations.)
 */
#include "tests/unit/test_keyspace.h"

#define MAX_SAVED 4096

/* What save() was given, as "db key=value@expire". */
struct saved {
	unsigned nr;
	char lines[MAX_SAVED][64];
};

static size_t save(void *ctx, unsigned core, int db, const struct entry *e)
{
	struct saved *s = ctx;
	char buf[KS_INT_STR_MAX];
	struct slice key = entry_key(e);
	struct slice val = entry_str(e, buf);

	assert_true(s->nr < MAX_SAVED);
	snprintf(s->lines[s->nr++], sizeof(s->lines[0]), "%d %.*s=%.*s@%lld", db, (int)key.len,
		key.ptr, (int)val.len, val.ptr, (long long)entry_expire(e));
	return 1;
}

static unsigned times_saved(const struct saved *s, const char *line)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < s->nr; i++)
		nr += strcmp(s->lines[i], line) == 0;
	return nr;
}

static struct saved *begin(struct keyspace *ks)
{
	struct saved *s = calloc(1, sizeof(*s));
	struct ks_snap_ops ops = {.save = save, .ctx = s};

	assert_non_null(s);
	ks_snap_begin(ks, &ops);
	return s;
}

static void walk(struct keyspace *ks)
{
	for (uint32_t part = 0; part < ks_nr_parts(ks); part++) {
		uint64_t cursor = 0;

		while (!ks_snap_walk(ks, 0, part, &cursor, 5))
			;
	}
}

static void fill(struct keyspace *ks, int from, int to)
{
	char name[32];

	for (int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		set(ks, i % 3, name, "v");
	}
}

static void walk_saves_every_entry_once(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(4, 3);
	struct saved *s;
	char line[64];

	fill(ks, 0, 1000);
	s = begin(ks);
	walk(ks);
	walk(ks);
	assert_int_equal(s->nr, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "%d k%d=v@-1", i % 3, i);
		assert_int_equal(times_saved(s, line), 1);
	}
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void every_kind_of_change_saves_the_old_state_first(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 2);
	struct ks_key k;
	struct saved *s;
	char *data;

	for (const char *p = "abcdefghij"; *p; p++)
		set(ks, 0, (char[]){*p, 0}, "old");
	set_ttl(ks, 0, "t", "old", T0);
	s = begin(ks);
	set(ks, 0, "a", "new");
	k = key_of(ks, "b");
	ks_set_int(ks, 0, 0, &k, 1, 0, T0);
	ks_str_edit(ks, 0, 0, find(ks, 0, "c"), 1, &data);
	data[0] = '!';
	ks_set_expire(ks, 0, 0, find(ks, 0, "d"), T0 + 1);
	ks_del(ks, 0, 0, find(ks, 0, "e"));
	k = key_of(ks, "moved");
	ks_move(ks, 0, 0, find(ks, 0, "f"), 1, &k, T0);
	ks_set_expire(ks, 0, 0, find(ks, 0, "t"), KS_NO_EXPIRE);
	assert_int_equal(s->nr, 7);
	assert_int_equal(times_saved(s, "0 a=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 b=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 c=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 d=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 e=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 f=old@-1"), 1);
	assert_int_equal(times_saved(s, "0 t=old@1700000000000"), 1);
	k = key_of(ks, "copied");
	ks_copy(ks, 0, 0, find(ks, 0, "g"), 1, &k, T0); /* changes nothing that was there */
	entry_touch(ks, find(ks, 0, "h"), T0);
	assert_int_equal(s->nr, 7);
	walk(ks);
	assert_int_equal(s->nr, 11); /* and g h i j, but nothing new */
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void second_change_is_not_saved_again(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct saved *s;

	set(ks, 0, "k", "old");
	s = begin(ks);
	set(ks, 0, "k", "new");
	set(ks, 0, "k", "newer");
	ks_del(ks, 0, 0, find(ks, 0, "k"));
	set(ks, 0, "k", "again");
	walk(ks);
	assert_int_equal(s->nr, 1);
	assert_int_equal(times_saved(s, "0 k=old@-1"), 1);
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void expiry_and_eviction_save_what_they_remove(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	struct saved *s;

	ks_set_policy(ks, KS_ALLKEYS_RANDOM, 5, 10, 1);
	set_ttl(ks, 0, "t", "old", T0);
	s = begin(ks);
	assert_int_equal(ks_expire_part(ks, 0, 0, T0 + 1, 10, NULL, NULL), 1);
	assert_int_equal(s->nr, 1);
	ks_snap_end(ks);
	free(s);
	set(ks, 0, "k", "old");
	s = begin(ks);
	assert_true(ks_evict_one(ks, 0, T0, false, NULL, NULL) > 0);
	assert_int_equal(times_saved(s, "0 k=old@-1"), 1);
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void walk_is_complete_while_tables_grow(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 3);
	struct saved *s;
	uint64_t cursor = 0;
	int last = 1000;

	fill(ks, 0, last);
	s = begin(ks);
	while (!ks_snap_walk(ks, 0, 0, &cursor, 1)) {
		fill(ks, last, last + 30);
		last += 30;
	}
	assert_int_equal(s->nr, 1000);
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void walk_is_complete_while_tables_shrink(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 3);
	struct saved *s;
	uint64_t cursor = 0;
	int last = 4000;
	char name[32];

	fill(ks, 0, last);
	s = begin(ks);
	while (!ks_snap_walk(ks, 0, 0, &cursor, 1)) {
		for (int i = 0; i < 30 && last > 0; i++) {
			last--;
			snprintf(name, sizeof(name), "k%d", last);
			ks_del(ks, 0, last % 3, find(ks, last % 3, name));
		}
	}
	assert_int_equal(s->nr, 4000);
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

static void slice_is_bounded(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 3);
	uint64_t cursor = 0;
	struct saved *s;
	unsigned before = 0;

	fill(ks, 0, 3000);
	s = begin(ks);
	while (!ks_snap_walk(ks, 0, 0, &cursor, 20)) {
		assert_true(s->nr - before < 60);
		before = s->nr;
	}
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

/* Once around the 16 bits of the epoch and beyond: the entry's must never look like the present
 * one. */
static void given_up_snapshots_never_confuse_a_later_one(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(2, 1);
	static struct saved s;
	struct ks_snap_ops ops = {.save = save, .ctx = &s};

	set(ks, 0, "k", "v");
	for (int distance = 65530; distance < 65540; distance++) {
		for (int i = 0; i < distance; i++) {
			ks_snap_begin(ks, &ops);
			ks_snap_end(ks);
		}
		s.nr = 0;
		ks_snap_begin(ks, &ops);
		walk(ks);
		ks_snap_end(ks);
		assert_int_equal(s.nr, 1);
	}
	destroy(ks, used);
}

static void swapped_in_content_is_saved_by_the_next_snapshot(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(2, 1);
	struct keyspace *other = make(2, 1);
	struct ks_snap_ops ops = {0};
	struct saved *s;

	/* the other's entries are stamped with what becomes our next epoch */
	ks_snap_begin(other, &ops);
	ks_snap_end(other);
	set(other, 0, "k", "v");
	ks_swap_content(ks, other);
	ks_destroy(&other);
	s = begin(ks);
	walk(ks);
	assert_int_equal(s->nr, 1);
	ks_snap_end(ks);
	free(s);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk_saves_every_entry_once),
		cmocka_unit_test(every_kind_of_change_saves_the_old_state_first),
		cmocka_unit_test(second_change_is_not_saved_again),
		cmocka_unit_test(expiry_and_eviction_save_what_they_remove),
		cmocka_unit_test(walk_is_complete_while_tables_grow),
		cmocka_unit_test(walk_is_complete_while_tables_shrink),
		cmocka_unit_test(slice_is_bounded),
		cmocka_unit_test(given_up_snapshots_never_confuse_a_later_one),
		cmocka_unit_test(swapped_in_content_is_saved_by_the_next_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
