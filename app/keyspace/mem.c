/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory of the data set, counted by thread. A slot has one writer, which uses a relaxed load
 * and store; the last slot has many and uses an atomic addition.
 */
#include "app/keyspace/mem.h"

#include "checks.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MEM_SLOTS 64

struct mem_slot {
	_Atomic int64_t bytes;
} __attribute__((aligned(MEM_LINE_BYTES)));

static struct mem_slot slots[MEM_SLOTS];
static atomic_uint nr_claimed;
static _Thread_local struct mem_slot *my_slot;

static __attribute__((noinline)) void slot_claim(void)
{
	unsigned i = atomic_fetch_add_explicit(&nr_claimed, 1, memory_order_relaxed);

	if (i >= MEM_SLOTS - 1) {
		atomic_store_explicit(&nr_claimed, MEM_SLOTS - 1, memory_order_relaxed);
		i = MEM_SLOTS - 1;
	}
	my_slot = &slots[i];
}

static inline void account(int64_t bytes)
{
	if (__builtin_expect(!my_slot, 0))
		slot_claim();
	if (my_slot == &slots[MEM_SLOTS - 1]) {
		atomic_fetch_add_explicit(&my_slot->bytes, bytes, memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&my_slot->bytes,
		atomic_load_explicit(&my_slot->bytes, memory_order_relaxed) + bytes,
		memory_order_relaxed);
}

/* Not const: the compiler would think that the bytes of a fresh block are read. */
static size_t usable(void *ptr)
{
	return malloc_usable_size(ptr);
}

size_t mem_usable(const void *ptr)
{
	return usable((void *)(uintptr_t)ptr);
}

void *mem_alloc(size_t size)
{
	void *p = malloc(size);

	if (p)
		account((int64_t)usable(p));
	return p;
}

void *mem_alloc_lines(size_t size)
{
	void *p;

	ASSERT(size % MEM_LINE_BYTES == 0);
	p = aligned_alloc(MEM_LINE_BYTES, size);
	if (p)
		account((int64_t)usable(p));
	return p;
}

void *mem_realloc(void *ptr, size_t size)
{
	size_t before = usable(ptr);
	void *p = realloc(ptr, size);

	if (p)
		account((int64_t)usable(p) - (int64_t)before);
	return p;
}

void mem_free(void *ptr)
{
	if (!ptr)
		return;
	account(-(int64_t)usable(ptr));
	free(ptr);
}

size_t mem_used(void)
{
	int64_t sum = 0;
	unsigned nr = atomic_load_explicit(&nr_claimed, memory_order_relaxed);

	for (unsigned i = 0; i < MEM_SLOTS - 1 && i < nr; i++)
		sum += atomic_load_explicit(&slots[i].bytes, memory_order_relaxed);
	sum += atomic_load_explicit(&slots[MEM_SLOTS - 1].bytes, memory_order_relaxed);
	return sum > 0 ? (size_t)sum : 0;
}
