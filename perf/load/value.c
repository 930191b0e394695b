/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int values_init(struct values *v, uint32_t min, uint32_t max)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_+/:;,.";
	struct rng rng = {.at = 1};

	*v = (struct values){.min = min, .max = max};
	v->pattern = malloc((size_t)max + VALUE_SHIFTS);
	if (!v->pattern)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)max + VALUE_SHIFTS; i++)
		v->pattern[i] = (uint8_t)letters[rng_scale((uint32_t)rng_next(&rng), 60)];
	return 0;
}

void values_fini(struct values *v)
{
	free(v->pattern);
	v->pattern = NULL;
}

/* Version and tag belong together, and the version to the length. */
static bool head_is_right(
	const struct values *v, uint32_t key, uint32_t len, const uint8_t *head, uint32_t *shift)
{
	uint32_t version, tag;

	memcpy(&version, head, 4);
	memcpy(&tag, head + 4, 4);
	*shift = tag % VALUE_SHIFTS;
	return tag == (uint32_t)value_hash(key, version, len) && len == value_len(v, key, version);
}

static bool short_is_right(uint32_t key, const uint8_t *data, uint32_t len)
{
	const uint64_t hash = value_hash(key, 0, len);

	return memcmp(data, &hash, len) == 0;
}

bool value_is_right(const struct values *v, uint32_t key, const uint8_t *data, uint32_t len)
{
	uint32_t shift;

	if (len < v->min || len > v->max)
		return false;
	if (len < VALUE_HEAD)
		return short_is_right(key, data, len);
	return head_is_right(v, key, len, data, &shift) &&
	       memcmp(data + VALUE_HEAD, v->pattern + shift, len - VALUE_HEAD) == 0;
}

void value_scan_begin(struct value_scan *s, uint32_t key, uint32_t len)
{
	*s = (struct value_scan){.key = key, .len = len};
}

void value_scan_feed(
	const struct values *v, struct value_scan *s, const uint8_t *data, uint32_t len)
{
	if (s->len < v->min || s->len > v->max)
		s->is_wrong = true;
	while (len > 0 && s->at < VALUE_HEAD) {
		s->head[s->at++] = *data++;
		len--;
		if (s->at == VALUE_HEAD && !s->is_wrong)
			s->is_wrong = !head_is_right(v, s->key, s->len, s->head, &s->shift);
	}
	if (len > 0 && !s->is_wrong)
		s->is_wrong = memcmp(data, v->pattern + s->shift + s->at - VALUE_HEAD, len) != 0;
	s->at += len;
}

bool value_scan_end(const struct values *v, const struct value_scan *s)
{
	if (s->is_wrong || s->at != s->len || s->len < v->min || s->len > v->max)
		return false;
	return s->len >= VALUE_HEAD || short_is_right(s->key, s->head, s->len);
}
