/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values that can be told from their bytes to have been written for a key.
 *
 *	offset  bytes
 *	     0      4  version, little endian: chosen by the writer
 *	     4      4  tag, little endian: a hash of key, version and length
 *	     8    n-8  the pattern from position (tag mod 4096)
 *
 * A value shorter than 8 bytes is the first bytes of a hash of key and length. The length is a
 * function of key and version too (uniform between min and max), so a value that is cut, or belongs
 * to another key, or mixes two versions, is found out: one in 2^32 of them passes by luck (of n < 8
 * bytes: one in 2^8n). The pattern is letters, the same in every run.
 */
#ifndef MILLRACE_PERF_LOAD_VALUE_H
#define MILLRACE_PERF_LOAD_VALUE_H

#include "perf/load/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define VALUE_HEAD    8u
#define VALUE_SHIFTS  4096u
#define VALUE_LEN_MAX (512u << 20)

struct values {
	uint32_t min, max; /* length, bytes */
	uint8_t *pattern;  /* max + VALUE_SHIFTS bytes */
};

/* A value that arrives in pieces. */
struct value_scan {
	uint32_t key;
	uint32_t len;
	uint32_t at;    /* bytes seen */
	uint32_t shift; /* once the head was seen */
	uint8_t head[VALUE_HEAD];
	bool is_wrong;
};

/* 0 or -ENOMEM. min <= max <= VALUE_LEN_MAX. */
int values_init(struct values *values, uint32_t min, uint32_t max);
void values_fini(struct values *values);

static inline uint32_t value_len(const struct values *v, uint32_t key, uint32_t version)
{
	uint64_t mixed;

	if (v->min == v->max)
		return v->min;
	mixed = rng_mix(((uint64_t)key << 32 | version) + 0x51ed27u);
	return v->min + rng_scale((uint32_t)(mixed >> 32), v->max - v->min + 1);
}

static inline uint64_t value_hash(uint32_t key, uint32_t version, uint32_t len)
{
	return rng_mix(((uint64_t)key << 32 | version) ^ (uint64_t)len * 0x9e3779b97f4a7c15u);
}

/* Writes the head of a value of len >= VALUE_HEAD bytes; returns where in the pattern the rest
 * begins. */
static inline uint32_t value_head(uint32_t key, uint32_t version, uint32_t len, uint8_t *to)
{
	const uint32_t tag = (uint32_t)value_hash(key, version, len);

	__builtin_memcpy(to, &version, 4);
	__builtin_memcpy(to + 4, &tag, 4);
	return tag % VALUE_SHIFTS;
}

/* Writes a whole value of value_len() bytes. */
static inline void value_write(
	const struct values *v, uint32_t key, uint32_t version, uint32_t len, uint8_t *to)
{
	if (len < VALUE_HEAD) {
		const uint64_t hash = value_hash(key, 0, len);

		__builtin_memcpy(to, &hash, len);
		return;
	}
	__builtin_memcpy(
		to + VALUE_HEAD, v->pattern + value_head(key, version, len, to), len - VALUE_HEAD);
}

/* Is this a value that was written for the key? */
bool value_is_right(const struct values *v, uint32_t key, const uint8_t *data, uint32_t len);

/* The same in pieces: begin, feed every byte, end. */
void value_scan_begin(struct value_scan *s, uint32_t key, uint32_t len);
void value_scan_feed(
	const struct values *v, struct value_scan *s, const uint8_t *data, uint32_t len);
bool value_scan_end(const struct values *v, const struct value_scan *s);

#endif
