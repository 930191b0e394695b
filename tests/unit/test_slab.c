/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Slabs: bounded, no object twice, and what a crowd took is given back.
 */
#include "dataplane/tcp/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CROWD    5000u
#define INDEX_AT 20u

static void bound_is_kept(void **state)
{
	struct slab slab;
	void *objs[3];

	slab_init(&slab, 100, 8, 3);
	for (unsigned i = 0; i < 3; i++) {
		objs[i] = slab_get(&slab);
		assert_non_null(objs[i]);
	}
	assert_null(slab_get(&slab));
	slab_put(&slab, objs[1]);
	objs[1] = slab_get(&slab);
	assert_non_null(objs[1]);
	for (unsigned i = 0; i < 3; i++)
		slab_put(&slab, objs[i]);
	assert_int_equal(slab.nr_used, 0);
	slab_fini(&slab);
}

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = {21, 64, 65, 384, 3000};
	uint8_t *objs[500];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct slab slab;

		slab_init(&slab, sizes[s], INDEX_AT, 500);
		for (unsigned round = 0; round < 2; round++) {
			for (unsigned i = 0; i < 500; i++) {
				objs[i] = slab_get(&slab);
				assert_int_equal((uintptr_t)objs[i] % 64, 0);
				for (size_t at = 0; at < sizes[s]; at++)
					assert_true(at == INDEX_AT || objs[i][at] == 0);
				memset(objs[i], (int)(i % 255) + 1, INDEX_AT);
				memset(objs[i] + INDEX_AT + 1, (int)(i % 255) + 1,
					sizes[s] - INDEX_AT - 1);
			}
			for (unsigned i = 0; i < 500; i++) {
				assert_int_equal(objs[i][0], i % 255 + 1);
				if (sizes[s] > INDEX_AT + 1)
					assert_int_equal(objs[i][sizes[s] - 1], i % 255 + 1);
				slab_put(&slab, objs[i]);
			}
		}
		slab_fini(&slab);
	}
}

/* In any order; one block stays for who comes next. */
static void blocks_of_a_crowd_are_given_back(void **state)
{
	static void *objs[CROWD];
	struct slab slab;
	uint32_t most;

	slab_init(&slab, 256, INDEX_AT, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		objs[i] = slab_get(&slab);
	most = slab.nr_blocks;
	assert_in_range(most, CROWD / slab.nr_per_block, CROWD / slab.nr_per_block + 1);
	for (unsigned i = 0; i < CROWD; i += 2)
		slab_put(&slab, objs[i]);
	assert_int_equal(slab.nr_blocks, most); /* each is half in use */
	for (unsigned i = 1; i < CROWD; i += 2)
		slab_put(&slab, objs[i]);
	assert_int_equal(slab.nr_blocks, 1);
	for (unsigned i = 0; i < CROWD; i++)
		objs[i] = slab_get(&slab);
	assert_int_equal(slab.nr_blocks, most);
	for (unsigned i = CROWD; i-- > 0;)
		slab_put(&slab, objs[i]);
	assert_int_equal(slab.nr_blocks, 1);
	slab_fini(&slab);
	assert_int_equal(slab.nr_blocks, 0);
}

/* A number that goes up and down around a block's worth makes and frees no block each time. */
static void edge_of_a_block_costs_nothing(void **state)
{
	static void *objs[CROWD];
	struct slab slab;
	uint32_t nr;

	slab_init(&slab, 64, INDEX_AT, CROWD);
	nr = slab.nr_per_block + 1;
	assert_true(nr < CROWD);
	for (unsigned i = 0; i < nr; i++)
		objs[i] = slab_get(&slab);
	assert_int_equal(slab.nr_blocks, 2);
	for (unsigned round = 0; round < 10; round++) {
		slab_put(&slab, objs[nr - 1]);
		assert_int_equal(slab.nr_blocks, 2);
		objs[nr - 1] = slab_get(&slab);
	}
	for (unsigned i = 0; i < nr; i++)
		slab_put(&slab, objs[i]);
	assert_int_equal(slab.nr_blocks, 1);
	slab_fini(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_is_kept),
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(blocks_of_a_crowd_are_given_back),
		cmocka_unit_test(edge_of_a_block_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
