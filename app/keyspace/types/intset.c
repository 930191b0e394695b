/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorted arrays of integers: see the header for the format.
 */
#include "app/keyspace/types/intset.h"

#include "app/keyspace/mem.h"
#include "checks.h"

#include <endian.h>
#include <string.h>

#define HEADER_BYTES 8

struct intset {
	uint32_t width_le;
	uint32_t count_le;
	unsigned char members[];
};
_Static_assert(sizeof(struct intset) == HEADER_BYTES, "the header of the format");

static unsigned width_of(int64_t num)
{
	return num == (int16_t)num ? 2 : num == (int32_t)num ? 4 : 8;
}

static size_t bytes_for(size_t count, unsigned width)
{
	return HEADER_BYTES + count * width;
}

unsigned intset_width(const struct intset *is)
{
	return le32toh(is->width_le);
}

uint32_t intset_count(const struct intset *is)
{
	return le32toh(is->count_le);
}

size_t intset_bytes(const struct intset *is)
{
	return bytes_for(intset_count(is), intset_width(is));
}

static void header_set(struct intset *is, unsigned width, uint32_t count)
{
	is->width_le = htole32(width);
	is->count_le = htole32(count);
}

static inline int64_t member_get(const unsigned char *members, unsigned width, size_t index)
{
	const unsigned char *p = members + index * width;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (width) {
	case 2: memcpy(&v16, p, 2); return (int16_t)le16toh(v16);
	case 4: memcpy(&v32, p, 4); return (int32_t)le32toh(v32);
	default: memcpy(&v64, p, 8); return (int64_t)le64toh(v64);
	}
}

static void member_put(struct intset *is, size_t index, int64_t num)
{
	unsigned width = intset_width(is);
	uint64_t le = htole64((uint64_t)num);

	memcpy(is->members + index * width, &le, width); /* the low bytes come first */
}

int64_t intset_get(const struct intset *is, uint32_t index)
{
	ASSERT(index < intset_count(is));
	return member_get(is->members, intset_width(is), index);
}

/* Where num is (true), or where it would go. */
static bool search(const struct intset *is, int64_t num, uint32_t *index)
{
	unsigned width = intset_width(is);
	uint32_t count = intset_count(is);
	uint32_t lo = 0, hi = count;

	/* ascending additions are usual: a look at the end spares them the search */
	if (count > 0 && num > member_get(is->members, width, count - 1))
		lo = count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (member_get(is->members, width, mid) < num)
			lo = mid + 1;
		else
			hi = mid;
	}
	*index = lo;
	return lo < count && member_get(is->members, width, lo) == num;
}

bool intset_find(const struct intset *is, int64_t num)
{
	uint32_t index;

	return search(is, num, &index);
}

struct intset *intset_new(void)
{
	struct intset *is = mem_alloc(HEADER_BYTES);

	if (is)
		header_set(is, 2, 0);
	return is;
}

struct intset *intset_copy(const void *bytes, size_t size)
{
	struct intset *is;

	ASSERT(size >= HEADER_BYTES);
	is = mem_alloc(size);
	if (is)
		memcpy(is, bytes, size);
	return is;
}

void intset_free(struct intset *is)
{
	mem_free(is);
}

void intset_shrink(struct intset **is)
{
	size_t bytes = intset_bytes(*is);
	struct intset *smaller;

	if (mem_usable(*is) <= bytes)
		return;
	smaller = mem_realloc(*is, bytes);
	if (smaller)
		*is = smaller;
}

/* The allocator's sizes grow in proportion, so asking for no more than is needed will do. */
static bool reserve(struct intset **is, size_t bytes)
{
	struct intset *larger;

	if (mem_usable(*is) >= bytes)
		return true;
	larger = mem_realloc(*is, bytes);
	if (!larger)
		return false;
	*is = larger;
	return true;
}

/* Widens all members and puts num, which needs the width, at the one end where it belongs. There
 * is room. From the last to the first, so that none is overwritten before it is read. */
static void widen_and_put(struct intset *is, unsigned width, int64_t num)
{
	unsigned old_width = intset_width(is);
	uint32_t count = intset_count(is);
	uint32_t shift = num < 0;

	header_set(is, width, count + 1);
	for (uint32_t i = count; i-- > 0;)
		member_put(is, (size_t)i + shift, member_get(is->members, old_width, i));
	member_put(is, num < 0 ? 0 : count, num);
}

enum intset_added intset_add(struct intset **is, int64_t num)
{
	unsigned width = intset_width(*is);
	unsigned need = width_of(num);
	uint32_t count = intset_count(*is);
	uint32_t index = 0;
	unsigned char *at;

	if (need <= width && search(*is, num, &index))
		return INTSET_THERE;
	if (count == UINT32_MAX ||
		!reserve(is, bytes_for((size_t)count + 1, need > width ? need : width)))
		return INTSET_NO_MEMORY;
	if (need > width) {
		widen_and_put(*is, need, num);
		return INTSET_ADDED;
	}
	at = (*is)->members + (size_t)index * width;
	memmove(at + width, at, (size_t)(count - index) * width);
	header_set(*is, width, count + 1);
	member_put(*is, index, num);
	return INTSET_ADDED;
}

bool intset_remove(struct intset **is, int64_t num)
{
	unsigned width = intset_width(*is);
	uint32_t count = intset_count(*is);
	unsigned char *at;
	uint32_t index;

	if (!search(*is, num, &index))
		return false;
	at = (*is)->members + (size_t)index * width;
	memmove(at, at + width, (size_t)(count - index - 1) * width);
	header_set(*is, width, count - 1);
	if (intset_bytes(*is) < mem_usable(*is) / 2)
		intset_shrink(is);
	return true;
}

bool intset_valid(const void *bytes, size_t size, bool deep)
{
	const unsigned char *members = (const unsigned char *)bytes + HEADER_BYTES;
	struct intset head;
	unsigned width;
	size_t count;

	if (size < HEADER_BYTES)
		return false;
	memcpy(&head, bytes, HEADER_BYTES);
	width = intset_width(&head);
	count = intset_count(&head);
	if ((width != 2 && width != 4 && width != 8) || count == 0)
		return false;
	if (size != bytes_for(count, width))
		return false;
	for (size_t i = 1; deep && i < count; i++) {
		if (member_get(members, width, i - 1) >= member_get(members, width, i))
			return false;
	}
	return true;
}
