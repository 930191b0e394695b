/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory of the data set: malloc with a running total, for used_memory and maxmemory.
 *
 * Each thread counts in a slot of its own, padded to a cache line, so an allocation costs no
 * shared write. A thread may free what another allocated: a slot alone can be negative, the sum
 * is what counts. Threads beyond the number of slots share the last one.
 */
#ifndef MILLRACE_APP_KEYSPACE_MEM_H
#define MILLRACE_APP_KEYSPACE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define MEM_LINE_BYTES 64

/* As malloc, realloc and free. NULL when memory is out; mem_realloc then leaves ptr as it was. What
 * these return must come back through these. Any thread. */
void *mem_alloc(size_t size);
void *mem_realloc(void *ptr, size_t size);
void mem_free(void *ptr);

/* Aligned to a cache line, not cleared. size is a multiple of MEM_LINE_BYTES. Freed by
 * mem_free(). */
void *mem_alloc_lines(size_t size);

/* Bytes that the allocator set aside for ptr, at least what was asked for. 0 for NULL. */
size_t mem_usable(const void *ptr);

/* Bytes in use through these calls: exact but for calls under way, never negative. Any thread. */
size_t mem_used(void);

#endif
