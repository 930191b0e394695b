/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/sample.h"

#include "checks.h"

#include <stdlib.h>

bool sample_seen_init(struct sample_seen *s, size_t nr)
{
	uint64_t size = 8;

	while (size < 2 * (uint64_t)nr)
		size *= 2;
	s->mask = size - 1;
	s->slots = calloc(size, sizeof(*s->slots));
	return s->slots;
}

void sample_seen_fini(struct sample_seen *s)
{
	free(s->slots);
	s->slots = NULL;
}

bool sample_seen_add(struct sample_seen *s, uint64_t number)
{
	uint64_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> 16 & s->mask;

	ASSERT(number != 0);
	for (; s->slots[at]; at = (at + 1) & s->mask)
		if (s->slots[at] == number)
			return false;
	s->slots[at] = number;
	return true;
}
