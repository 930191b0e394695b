/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory stays mapped while a core is in a burst, and goes when the burst has ended.
 */
#include "app/unmap_guard.h"

#include "dataplane/nic_memif.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE   4096u
#define BURSTS 100u

static void *page_map(void)
{
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static bool is_mapped(void *at)
{
	return msync(at, PAGE, MS_ASYNC) == 0;
}

static void unwatched_memory_goes_at_once(void **state)
{
	struct core *core = calloc(1, sizeof(*core));
	void *at = page_map();

	assert_non_null(core);
	nic_burst_begin(core);
	assert_true(is_mapped(at));
	assert_int_equal(munmap(at, PAGE), 0);
	assert_false(is_mapped(at));
	assert_int_equal(munmap((char *)at + 1, PAGE), -1);
	assert_int_equal(errno, EINVAL);
	free(core);
}

/* What a driver and a core do: the core works in the memory while the device is connected. */
struct device {
	struct core core;
	_Atomic(uint8_t *) memory;
	atomic_bool is_connected, is_over;
	atomic_uint nr_bursts; /* in the memory */
};

static void *core_main(void *arg)
{
	struct device *d = arg;

	while (!atomic_load(&d->is_over)) {
		nic_burst_begin(&d->core);
		if (atomic_load_explicit(&d->is_connected, memory_order_acquire)) {
			uint8_t *at = atomic_load_explicit(&d->memory, memory_order_relaxed);

			for (unsigned i = 0; i < PAGE; i += 64)
				at[i]++;
			if (atomic_fetch_add(&d->nr_bursts, 1) % 16 == 0)
				sched_yield(); /* loses its processor in the middle */
			at[0]++;
		}
		nic_burst_end(&d->core);
	}
	return NULL;
}

static void memory_stays_for_the_burst(void **state)
{
	struct device *d = calloc(1, sizeof(*d));
	struct core *core;
	pthread_t thread;

	assert_non_null(d);
	core = &d->core;
	unmap_guard_watch(&core, 1);
	assert_int_equal(pthread_create(&thread, NULL, core_main, d), 0);
	for (unsigned i = 0; atomic_load(&d->nr_bursts) < BURSTS; i++) {
		uint8_t *at = page_map();

		atomic_store(&d->memory, at);
		atomic_store_explicit(&d->is_connected, true, memory_order_release);
		if (i % 8 == 0)
			sched_yield();
		/* As the driver: told, and unmapped. */
		atomic_store_explicit(&d->is_connected, false, memory_order_relaxed);
		assert_int_equal(munmap(at, PAGE), 0);
	}
	atomic_store(&d->is_over, true);
	pthread_join(thread, NULL);
	unmap_guard_watch(NULL, 0);
	free(d);
}

/* As when an allocator gives memory back in the middle of a burst: it would wait for itself. */
static void a_core_does_not_wait_for_itself(void **state)
{
	struct core *core = calloc(1, sizeof(*core));
	struct rusage before, after;
	void *at = page_map();

	assert_non_null(core);
	unmap_guard_watch(&core, 1);
	nic_burst_begin(core);
	assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
	assert_int_equal(munmap(at, PAGE), 0);
	assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
	assert_false(is_mapped(at));
	assert_true(after.ru_nvcsw - before.ru_nvcsw < 100); /* each look would have been a sleep */
	nic_burst_end(core);
	unmap_guard_watch(NULL, 0);
	free(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwatched_memory_goes_at_once),
		cmocka_unit_test(memory_stays_for_the_burst),
		cmocka_unit_test(a_core_does_not_wait_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
