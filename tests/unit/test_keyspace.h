/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the tests of the keyspace share: a keyspace with a fixed seed, and short ways to its
 * calls. Nobody else runs, so locks are taken only where a test is about them.
 */
#ifndef MILLRACE_TESTS_UNIT_TEST_KEYSPACE_H
#define MILLRACE_TESTS_UNIT_TEST_KEYSPACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/keyspace/keyspace.h"
#include "app/keyspace/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define T0 INT64_C(1700000000000) /* the time of all tests, ms */

static inline struct keyspace *make(uint32_t nr_parts, uint32_t nr_dbs)
{
	struct ks_config cfg = {.nr_parts = nr_parts, .nr_dbs = nr_dbs};
	struct keyspace *ks;

	for (unsigned i = 0; i < sizeof(cfg.hash_seed); i++)
		cfg.hash_seed[i] = (uint8_t)(i * 7 + 1);
	ks = ks_create(&cfg);
	assert_non_null(ks);
	return ks;
}

/* Ends a test: everything must have come back. */
static inline void destroy(struct keyspace *ks, size_t used_before)
{
	ks_destroy(&ks);
	assert_null(ks);
	assert_int_equal(mem_used(), used_before);
}

static inline struct ks_key key_of(struct keyspace *ks, const char *name)
{
	return ks_key(ks, name, strlen(name));
}

static inline struct entry *find(struct keyspace *ks, int db, const char *name)
{
	struct ks_key k = key_of(ks, name);

	return ks_find(ks, db, &k);
}

static inline struct entry *set(struct keyspace *ks, int db, const char *name, const char *val)
{
	struct ks_key k = key_of(ks, name);
	struct entry *e = ks_set_str(ks, 0, db, &k, val, strlen(val), 0, T0);

	assert_non_null(e);
	return e;
}

static inline struct entry *set_ttl(
	struct keyspace *ks, int db, const char *name, const char *val, int64_t at_ms)
{
	struct entry *e = ks_set_expire(ks, 0, db, set(ks, db, name, val), at_ms);

	assert_non_null(e);
	return e;
}

static inline void assert_value(const struct entry *e, const char *want)
{
	char buf[KS_INT_STR_MAX];
	struct slice s;

	assert_non_null(e);
	s = entry_str(e, buf);
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.ptr, want, s.len);
}

/* A seed for a random test: from the environment to repeat one, else from the clock. Printed
 * either way. */
static inline uint64_t random_seed(void)
{
	const char *env = getenv("TEST_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);

	print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static inline uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline unsigned below(uint64_t *state, unsigned n)
{
	return (unsigned)(rnd(state) % n);
}

#endif
