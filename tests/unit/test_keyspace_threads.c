/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace with several threads at once, as poll cores use it: locks exclude, counters that
 * are read without locks stay plausible, memory adds up. Threads end after a fixed number of
 * operations.
 */
#include "tests/unit/test_keyspace.h"

#include <pthread.h>
#include <sched.h>

#define NR_THREADS 4
#define NR_OPS     20000
#define NR_NAMES   300

struct thread {
	pthread_t id;
	struct keyspace *ks;
	unsigned core;
	uint64_t rng;
};

static void lock(struct keyspace *ks, struct ks_lockset *ls)
{
	while (!ks_lockset_try(ks, ls))
		sched_yield();
}

/* Adds one to two counters under both locks: they always agree. */
static void count_pair(struct thread *t)
{
	struct ks_key k[2] = {key_of(t->ks, "left"), key_of(t->ks, "right")};
	int64_t val[2] = {0, 0};
	struct ks_lockset ls;

	ks_lockset_init(&ls);
	ks_lockset_add(&ls, k[t->core & 1].part); /* in either order */
	ks_lockset_add(&ls, k[~t->core & 1].part);
	lock(t->ks, &ls);
	for (int i = 0; i < 2; i++) {
		struct entry *e = ks_find(t->ks, 0, &k[i]);

		if (e && !entry_int(e, &val[i]))
			abort();
		if (!ks_set_int(t->ks, t->core, 0, &k[i], val[i] + 1, 0, T0))
			abort();
	}
	if (val[0] != val[1])
		abort();
	ks_lockset_unlock(t->ks, &ls);
	ks_lockset_fini(&ls);
}

static void change_one(struct thread *t)
{
	int db = (int)below(&t->rng, 3);
	char name[32];
	struct ks_key k;
	struct entry *e;

	snprintf(name, sizeof(name), "name:%u", below(&t->rng, NR_NAMES));
	k = key_of(t->ks, name);
	ks_prefetch(t->ks, db, &k);
	ks_prefetch_entry(t->ks, db, &k);
	while (!ks_part_trylock(t->ks, k.part))
		sched_yield();
	e = ks_find(t->ks, db, &k);
	if (e && below(&t->rng, 2)) {
		ks_del(t->ks, t->core, db, e);
	} else {
		e = ks_set_str(t->ks, t->core, db, &k, name, strlen(name), 0, T0);
		if (!e || !ks_set_expire(t->ks, t->core, db, e, T0 + 10000))
			abort();
	}
	ks_part_unlock(t->ks, k.part);
}

static void look_without_locks(struct thread *t)
{
	int64_t ttl = ks_avg_ttl_ms(t->ks, 1, T0);

	if (ks_size(t->ks, 1) > NR_NAMES || ks_nr_expires(t->ks, 2) > NR_NAMES)
		abort();
	if (ttl != 0 && ttl != 10000) /* number and sum were read as one */
		abort();
	if (ks_part_next_expire(t->ks, 0) < T0)
		abort();
}

static void *run(void *arg)
{
	struct thread *t = arg;

	for (int i = 0; i < NR_OPS; i++) {
		unsigned what = below(&t->rng, 20);

		if (what == 0)
			count_pair(t);
		else if (what == 1)
			look_without_locks(t);
		else if (what == 2)
			ks_reclaim(t->ks, 3);
		else
			change_one(t);
	}
	return NULL;
}

static void threads_keep_everything_consistent(void **state)
{
	size_t used = mem_used();
	struct keyspace *ks = make(16, 4);
	struct thread threads[NR_THREADS];
	uint64_t seed = random_seed();
	char name[32];
	int64_t left;
	int64_t right;

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "dead:%d", i);
		set(ks, 3, name, "v");
	}
	ks_flush(ks, 0, 3);
	for (unsigned i = 0; i < NR_THREADS; i++) {
		threads[i] = (struct thread){.ks = ks, .core = i, .rng = seed + i};
		assert_int_equal(pthread_create(&threads[i].id, NULL, run, &threads[i]), 0);
	}
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i].id, NULL);
	assert_true(entry_int(find(ks, 0, "left"), &left));
	assert_true(entry_int(find(ks, 0, "right"), &right));
	assert_int_equal(left, right);
	destroy(ks, used);
}

static void *change_ttls(void *arg)
{
	struct thread *t = arg;
	struct ks_key k[2] = {key_of(t->ks, "a"), key_of(t->ks, "b")};

	for (int i = 0; i < 10 * NR_OPS; i++) {
		struct ks_key *key = &k[i & 1];
		struct entry *e;

		while (!ks_part_trylock(t->ks, 0))
			sched_yield();
		e = ks_find(t->ks, 0, key);
		if (e)
			ks_del(t->ks, 0, 0, e);
		e = ks_set_int(t->ks, 0, 0, key, 1, 0, T0);
		if (!e || !ks_set_expire(t->ks, 0, 0, e, T0 + 10000))
			abort();
		ks_part_unlock(t->ks, 0);
	}
	return NULL;
}

/* An average from a number and a sum of different moments would be off by thousands of years. */
static void average_ttl_is_read_as_one(void **state)
{
	size_t used = mem_used();
	struct thread t = {.ks = make(1, 1)};

	set_ttl(t.ks, 0, "c", "v", T0 + 10000);
	assert_int_equal(pthread_create(&t.id, NULL, change_ttls, &t), 0);
	for (int i = 0; i < 50 * NR_OPS; i++) {
		int64_t ttl = ks_avg_ttl_ms(t.ks, 0, T0);

		if (ttl != 0) /* 0: a writer was in the way each time */
			assert_int_equal(ttl, 10000);
	}
	pthread_join(t.id, NULL);
	destroy(t.ks, used);
}

static void *allocate(void *arg)
{
	void **p = arg;

	*p = mem_alloc(1000);
	return NULL;
}

/* More threads than there are slots, and each block is freed by another thread. */
static void memory_is_counted_across_threads(void **state)
{
	enum { NR = 150 };
	size_t used = mem_used();
	void *p[NR];
	pthread_t id;

	for (int i = 0; i < NR; i++) {
		assert_int_equal(pthread_create(&id, NULL, allocate, &p[i]), 0);
		pthread_join(id, NULL);
		assert_non_null(p[i]);
	}
	assert_true(mem_used() - used >= NR * 1000);
	for (int i = 0; i < NR; i++)
		mem_free(p[i]);
	assert_int_equal(mem_used(), used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_keep_everything_consistent),
		cmocka_unit_test(average_ttl_is_read_as_one),
		cmocka_unit_test(memory_is_counted_across_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
