/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace when memory is out: a call fails and nothing has changed. The linker puts the
 * functions below in the place of mem_alloc() and its kin (--wrap, see meson.build); every
 * operation is tried with its first allocation failing, then its second, and so on until it
 * succeeds.
 */
#include "tests/unit/test_keyspace.h"

static long nr_until_failure = -1; /* allocations that still succeed; negative: all */
static unsigned nr_failed;

static bool must_fail(void)
{
	if (nr_until_failure < 0)
		return false;
	if (nr_until_failure > 0) {
		nr_until_failure--;
		return false;
	}
	nr_failed++;
	return true;
}

void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size);
void *__real_mem_alloc_lines(size_t size);
void *__wrap_mem_alloc_lines(size_t size);
void *__real_mem_realloc(void *ptr, size_t size);
void *__wrap_mem_realloc(void *ptr, size_t size);

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_alloc_lines(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc_lines(size);
}

void *__wrap_mem_realloc(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_realloc(ptr, size);
}

typedef bool (*op_fn)(struct keyspace *ks); /* false: failed for want of memory */

static char text[301];

static bool op_set_new(struct keyspace *ks)
{
	struct ks_key k = key_of(ks, "new");

	return ks_set_str(ks, 0, 1, &k, text, 300, 0, T0);
}

static bool op_set_longer(struct keyspace *ks)
{
	struct ks_key k = key_of(ks, "small");

	return ks_set_str(ks, 0, 0, &k, text, 300, KS_KEEP_TTL, T0);
}

static bool op_set_shorter(struct keyspace *ks)
{
	struct ks_key k = key_of(ks, "large");

	return ks_set_str(ks, 0, 0, &k, "v", 1, 0, T0);
}

static bool op_set_int(struct keyspace *ks)
{
	struct ks_key k = key_of(ks, "small");

	return ks_set_int(ks, 0, 0, &k, 5, 0, T0); /* the expiry goes: another layout */
}

static bool op_edit_into_blob(struct keyspace *ks)
{
	char *data;

	return ks_str_edit(ks, 0, 0, find(ks, 0, "small"), 200, &data);
}

static bool op_edit_embedded(struct keyspace *ks)
{
	char *data;

	return ks_str_edit(ks, 0, 0, find(ks, 0, "small"), 100, &data);
}

static bool op_edit_blob(struct keyspace *ks)
{
	char *data;

	return ks_str_edit(ks, 0, 0, find(ks, 0, "large"), 5000, &data);
}

static bool op_edit_shared_blob(struct keyspace *ks)
{
	struct blob *b = entry_blob(find(ks, 0, "large"));
	char *data;
	bool ok;

	blob_get(b);
	ok = ks_str_edit(ks, 0, 0, find(ks, 0, "large"), 10, &data);
	blob_put(b);
	return ok;
}

static bool op_expire(struct keyspace *ks)
{
	return ks_set_expire(ks, 0, 0, find(ks, 0, "large"), T0 + 5);
}

static bool op_persist(struct keyspace *ks)
{
	return ks_set_expire(ks, 0, 0, find(ks, 0, "small"), KS_NO_EXPIRE);
}

static bool op_move(struct keyspace *ks)
{
	struct ks_key to = key_of(ks, "to");

	return ks_move(ks, 0, 0, find(ks, 0, "small"), 1, &to, T0);
}

static bool op_copy(struct keyspace *ks)
{
	struct ks_key to = key_of(ks, "to");

	return ks_copy(ks, 0, 0, find(ks, 0, "small"), 1, &to, T0);
}

static struct keyspace *prepared(void)
{
	struct keyspace *ks = make(1, 2);

	set_ttl(ks, 0, "small", "12345678", T0 + 1);
	set(ks, 0, "large", text);
	return ks;
}

static void assert_unchanged(struct keyspace *ks, const uint8_t digest[20])
{
	uint8_t now[20];

	ks_digest(ks, now);
	assert_memory_equal(now, digest, 20);
	assert_int_equal(ks_size(ks, 0), 2);
	assert_int_equal(ks_size(ks, 1), 0);
	assert_int_equal(ks_nr_expires(ks, 0), 1);
	assert_int_equal(ks_nr_expires(ks, 1), 0);
	assert_int_equal(ks_part_next_expire(ks, 0), T0 + 1);
}

static void failed_operation_changes_nothing(void **state)
{
	static const op_fn ops[] = {op_set_new, op_set_longer, op_set_shorter, op_set_int,
		op_edit_into_blob, op_edit_embedded, op_edit_blob, op_edit_shared_blob, op_expire,
		op_persist, op_move, op_copy};
	size_t used = mem_used();

	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct keyspace *ks = prepared();
		uint8_t digest[20];
		bool done = false;

		ks_digest(ks, digest);
		nr_failed = 0;
		for (long n = 0; !done; n++) {
			nr_until_failure = n;
			done = ops[i](ks);
			nr_until_failure = -1;
			if (!done)
				assert_unchanged(ks, digest);
		}
		assert_true(nr_failed > 0);
		destroy(ks, used);
	}
}

static void creation_fails_cleanly(void **state)
{
	struct ks_config cfg = {.nr_parts = 2, .nr_dbs = 2};
	size_t used = mem_used();
	struct keyspace *ks = NULL;

	for (long n = 0; !ks; n++) {
		nr_until_failure = n;
		ks = ks_create(&cfg);
		nr_until_failure = -1;
		if (!ks)
			assert_int_equal(mem_used(), used);
	}
	destroy(ks, used);
}

static void table_works_on_when_it_cannot_resize(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(1, 1);
	uint64_t rng = random_seed();
	bool there[3000] = {false};
	uint64_t nr = 0;
	char name[32];

	for (int i = 0; i < 60000; i++) {
		unsigned n = below(&rng, 3000);
		struct ks_key k;

		snprintf(name, sizeof(name), "k%u", n);
		k = key_of(ks, name);
		nr_until_failure = below(&rng, 6);
		if (below(&rng, 30000) < (unsigned)i % 30000) {
			if (there[n])
				ks_del(ks, 0, 0, ks_find(ks, 0, &k));
			there[n] = false;
		} else if (ks_set_str(ks, 0, 0, &k, "v", 1, 0, T0)) {
			there[n] = true;
		}
		nr_until_failure = -1;
		assert_int_equal(!!ks_find(ks, 0, &k), there[n]);
	}
	for (unsigned n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "k%u", n);
		assert_int_equal(!!find(ks, 0, name), there[n]);
		nr += there[n];
	}
	assert_int_equal(ks_size(ks, 0), nr);
	destroy(ks, used);
}

static void lockset_without_memory_takes_all(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(64, 1);
	struct ks_lockset ls;

	ks_lockset_init(&ls);
	nr_until_failure = 0;
	for (uint32_t i = 0; i < 20; i++)
		ks_lockset_add(&ls, i);
	nr_until_failure = -1;
	assert_true(ls.all);
	assert_true(ks_lockset_try(ks, &ls));
	assert_false(ks_part_trylock(ks, 63));
	ks_lockset_unlock(ks, &ls);
	ks_lockset_fini(&ls);
	destroy(ks, used);
}

static void flush_without_memory_frees_at_once(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = prepared();

	nr_until_failure = 0;
	assert_int_equal(ks_flush(ks, 0, -1), 2);
	nr_until_failure = -1;
	assert_false(ks_reclaim(ks, 1));
	assert_int_equal(ks_size(ks, 0), 0);
	assert_null(find(ks, 0, "small"));
	destroy(ks, used);
}

static void content_is_taken_over_without_memory_for_the_old(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = prepared();
	struct keyspace *other = make(1, 2);

	set(other, 1, "k", "v");
	nr_until_failure = 0;
	ks_swap_content(ks, other);
	nr_until_failure = -1;
	assert_value(find(ks, 1, "k"), "v");
	assert_int_equal(ks_size(ks, 0), 0);
	assert_int_equal(ks_part_next_expire(ks, 0), INT64_MAX);
	ks_destroy(&other);
	destroy(ks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_operation_changes_nothing),
		cmocka_unit_test(creation_fails_cleanly),
		cmocka_unit_test(table_works_on_when_it_cannot_resize),
		cmocka_unit_test(lockset_without_memory_takes_all),
		cmocka_unit_test(flush_without_memory_frees_at_once),
		cmocka_unit_test(content_is_taken_over_without_memory_for_the_old),
	};

	memset(text, 't', sizeof(text) - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
