/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The flush seam: what the recording variant lets survive, and that all variants copy.
 */
#include "persist/flush.h"

#include "persist/flush_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define BYTES 4096

static uint8_t image[BYTES];

static bool none(void *ctx, size_t i)
{
	return false;
}

static bool only(void *ctx, size_t i)
{
	return i == *(size_t *)ctx;
}

static void unfenced_store_may_be_lost_or_survive(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, false);
	struct flush flush = flush_record_flush(rec);
	size_t second = 1;

	flush_copy(&flush, flush_record_mem(rec) + 8, "0123456789abcdef", 16);
	assert_int_equal(flush_record_nr_kept(rec), 2);
	flush_record_image(rec, none, NULL, image);
	assert_int_equal(image[8], 0);
	flush_record_image(rec, only, &second, image);
	assert_int_equal(image[8], 0);
	assert_memory_equal(image + 16, "89abcdef", 8);
	flush_record_destroy(&rec);
}

static void fence_covers_the_own_core_only(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, false);
	struct flush flush = flush_record_flush(rec);

	flush_record_core_set(rec, 1);
	flush_copy(&flush, flush_record_mem(rec), "one", 3);
	flush_record_core_set(rec, 2);
	flush_copy(&flush, flush_record_mem(rec) + 3, "two", 3);
	flush_fence(&flush);
	flush_record_image(rec, none, NULL, image);
	assert_memory_equal(image, "\0\0\0two", 6);
	assert_int_equal(flush_record_nr_kept(rec), 1);
	flush_record_destroy(&rec);
}

static void older_store_of_another_core_never_returns(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, false);
	struct flush flush = flush_record_flush(rec);

	flush_record_core_set(rec, 1);
	flush_copy(&flush, flush_record_mem(rec), "old", 3);
	flush_record_core_set(rec, 2);
	flush_copy(&flush, flush_record_mem(rec), "new", 3);
	flush_fence(&flush);
	flush_record_core_set(rec, 1);
	flush_fence(&flush);
	flush_record_image(rec, none, NULL, image);
	assert_memory_equal(image, "new", 3);
	flush_record_destroy(&rec);
}

static void grouped_store_waits_for_the_sync_of_its_range(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, true);
	struct flush flush = flush_record_flush(rec);

	flush_copy(&flush, flush_record_mem(rec), "abcdefgh", 8);
	flush_fence(&flush);
	flush_record_image(rec, none, NULL, image);
	assert_int_equal(image[0], 0);
	assert_int_equal(flush_sync(&flush, flush_record_mem(rec), 4), 0);
	flush_record_image(rec, none, NULL, image);
	assert_memory_equal(image, "abcd\0\0\0\0", 8);
	flush_record_destroy(&rec);
}

static void missed_store_lands_with_the_next_fence(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, false);
	struct flush flush = flush_record_flush(rec);
	struct flush_range range = {0, 8};

	flush_record_drop_set(rec, &range);
	flush_copy(&flush, flush_record_mem(rec), "a", 1);
	flush_copy(&flush, flush_record_mem(rec) + 8, "b", 1);
	flush_fence(&flush);
	flush_record_image(rec, none, NULL, image);
	assert_int_equal(image[0], 0);
	assert_int_equal(image[8], 'b');
	assert_int_equal(flush_record_dropped(rec), 1);
	flush_fence(&flush);
	flush_record_image(rec, none, NULL, image);
	assert_int_equal(image[0], 'a');
	flush_record_destroy(&rec);
}

static void persist_covers_every_core(void **state)
{
	struct flush_record *rec = flush_record_create(BYTES, false);
	struct flush flush = flush_record_flush(rec);

	flush_record_core_set(rec, 1);
	flush_copy(&flush, flush_record_mem(rec), "a", 1);
	flush_record_core_set(rec, 2);
	assert_int_equal(flush_persist(&flush, flush_record_mem(rec), 8), 0);
	flush_record_image(rec, none, NULL, image);
	assert_int_equal(image[0], 'a');
	flush_record_destroy(&rec);
}

static void real_variants_copy_any_length_and_alignment(void **state)
{
	const struct flush_ops *ops[] = {&flush_pmem_ops, &flush_msync_ops};
	static uint8_t from[1200];
	uint8_t *to = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(to != MAP_FAILED);
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(1 + i % 255);
	for (size_t v = 0; v < 2; v++) {
		struct flush flush = {.ops = ops[v]};
		for (size_t len = 0; len < sizeof(from); len += 1 + len / 7) {
			size_t at = 64 + len % 61;
			memset(to, 0, BYTES);
			flush_copy(&flush, to + at, from, len);
			flush_fence(&flush);
			assert_int_equal(flush_sync(&flush, to + at, len), 0);
			assert_int_equal(flush_persist(&flush, to + at, len), 0);
			assert_memory_equal(to + at, from, len);
			assert_int_equal(to[at - 1], 0);
			assert_int_equal(to[at + len], 0);
		}
	}
	munmap(to, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unfenced_store_may_be_lost_or_survive),
		cmocka_unit_test(fence_covers_the_own_core_only),
		cmocka_unit_test(older_store_of_another_core_never_returns),
		cmocka_unit_test(grouped_store_waits_for_the_sync_of_its_range),
		cmocka_unit_test(missed_store_lands_with_the_next_fence),
		cmocka_unit_test(persist_covers_every_core),
		cmocka_unit_test(real_variants_copy_any_length_and_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
