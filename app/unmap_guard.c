/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/unmap_guard.h"

#include "dataplane/core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS  20000
#define TRIES_MAX 50000 /* a second: rather a late unmapping than a hang, whoever is stuck there */

/* Cores are written before their number is. */
static struct core *_Atomic watched[CORE_MAX];
static atomic_uint nr_watched;

void unmap_guard_watch(struct core *const *cores, unsigned nr)
{
	atomic_store(&nr_watched, 0);
	for (unsigned i = 0; i < nr && i < CORE_MAX; i++)
		atomic_store(&watched[i], cores[i]);
	atomic_store(&nr_watched, nr < CORE_MAX ? nr : CORE_MAX);
}

/* What a core itself unmaps is not what it is at work in. */
static void burst_wait(const struct core *core)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uintptr_t thread;

	for (int i = 0; i < TRIES_MAX; i++) {
		thread = atomic_load(&core->in_burst);
		if (!thread || thread == (uintptr_t)pthread_self())
			return;
		nanosleep(&pause, NULL);
	}
}

int munmap(void *addr, size_t len)
{
	const unsigned nr = atomic_load_explicit(&nr_watched, memory_order_acquire);

	/* pairs with nic_burst_begin() */
	if (nr)
		atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < nr; i++)
		burst_wait(atomic_load(&watched[i]));
	return (int)syscall(SYS_munmap, addr, len);
}
