/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/hll.h"

#include "app/commands/hll_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 14
#define REST_BITS  (64 - INDEX_BITS)
#define HASH_SEED  UINT64_C(0xadc83b19)
#define REG_MAX    63u
#define OUTDATED   0x80u /* in the last byte of the cardinality */
/* 1 / (2 ln 2) */
#define ALPHA_INF 0.721347520444481703680

bool hll_is(const void *str, size_t len)
{
	const uint8_t *b = str;

	if (len < HLL_HEADER || memcmp(b, "HYLL", 4) != 0 || b[4] > HLL_SPARSE)
		return false;
	return b[4] == HLL_SPARSE || len == HLL_DENSE_BYTES;
}

bool hll_is_dense(const void *str)
{
	return ((const uint8_t *)str)[4] == HLL_DENSE;
}

/* --- elements --------------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *p, size_t len)
{
	uint64_t w = 0;

	memcpy(&w, p, len); /* little-endian */
	return w;
}

/* MurmurHash64A, by Austin Appleby. */
static uint64_t murmur(const uint8_t *p, size_t len)
{
	const uint64_t mul = UINT64_C(0xc6a4a7935bd1e995);
	uint64_t h = HASH_SEED ^ ((uint64_t)(int64_t)(int)len * mul);

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w = word_at(p, 8) * mul;

		w = (w ^ (w >> 47)) * mul;
		h = (h ^ w) * mul;
	}
	if (len > 0)
		h = (h ^ word_at(p, len)) * mul;
	h = (h ^ (h >> 47)) * mul;
	return h ^ (h >> 47);
}

struct hll_mark hll_mark(const void *element, size_t len)
{
	uint64_t hash = murmur(element, len);
	uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << REST_BITS;

	return (struct hll_mark){
		.reg = hash & (HLL_REGISTERS - 1),
		.val = (uint8_t)(__builtin_ctzll(rest) + 1),
	};
}

/* --- registers -------------------------------------------------------------------------------- */

uint8_t hll_dense_get(const void *str, uint32_t reg)
{
	const uint8_t *b = (const uint8_t *)str + HLL_HEADER + reg * 6 / 8;
	unsigned shift = reg * 6 % 8, bits = (unsigned)b[0] >> shift;

	if (shift > 2)
		bits |= (unsigned)b[1] << (8 - shift);
	return bits & REG_MAX;
}

void hll_dense_set(void *str, uint32_t reg, uint8_t val)
{
	uint8_t *b = (uint8_t *)str + HLL_HEADER + reg * 6 / 8;
	unsigned shift = reg * 6 % 8;

	b[0] = (uint8_t)((b[0] & ~(REG_MAX << shift)) | (unsigned)val << shift);
	if (shift > 2)
		b[1] = (uint8_t)((b[1] & ~(REG_MAX >> (8 - shift))) | (unsigned)val >> (8 - shift));
}

struct hll_run hll_run(const void *str, size_t len, size_t at)
{
	const uint8_t *b = (const uint8_t *)str + at;
	unsigned low;

	if (b[0] & HLL_RUN_VAL)
		return (struct hll_run){(b[0] & 3u) + 1, (uint8_t)((b[0] >> 2 & 31) + 1), 1};
	if (!(b[0] & HLL_RUN_LONG))
		return (struct hll_run){b[0] + 1u, 0, 1};
	low = at + 1 < len ? b[1] : 0;
	return (struct hll_run){((b[0] & 63u) << 8 | low) + 1, 0, 2};
}

bool hll_merge(const void *str, size_t len, uint8_t max[HLL_REGISTERS])
{
	struct hll_run run;
	uint64_t reg = 0;

	if (hll_is_dense(str)) {
		for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
			uint8_t val = hll_dense_get(str, i);

			if (val > max[i])
				max[i] = val;
		}
		return true;
	}
	for (size_t at = HLL_HEADER; at < len; at += run.bytes, reg += run.nr) {
		run = hll_run(str, len, at);
		if (reg + run.nr > HLL_REGISTERS)
			return false;
		for (uint32_t i = 0; run.val > 0 && i < run.nr; i++) {
			if (run.val > max[reg + i])
				max[reg + i] = run.val;
		}
	}
	return reg == HLL_REGISTERS;
}

/* --- counting --------------------------------------------------------------------------------- */

static double sigma(double x)
{
	double y = 1, z = x, before;

	if (x == 1)
		return INFINITY;
	do {
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (before != z);
	return z;
}

static double tau(double x)
{
	double y = 1, z = 1 - x, before;

	if (x == 0 || x == 1)
		return 0;
	do {
		x = sqrt(x);
		before = z;
		y *= 0.5;
		z -= pow(1 - x, 2) * y;
	} while (before != z);
	return z / 3;
}

/* From how many registers have each value. */
static uint64_t estimate(const uint32_t nr[REG_MAX + 1])
{
	double m = HLL_REGISTERS;
	double z = m * tau((m - nr[REST_BITS + 1]) / m);

	for (unsigned i = REST_BITS; i >= 1; i--)
		z = (z + nr[i]) * 0.5;
	z += m * sigma(nr[0] / m);
	return (uint64_t)llroundl((long double)(ALPHA_INF * m * m / z));
}

uint64_t hll_count_registers(const uint8_t regs[HLL_REGISTERS])
{
	uint32_t nr[REG_MAX + 1] = {0};

	for (uint32_t i = 0; i < HLL_REGISTERS; i++)
		nr[regs[i]]++;
	return estimate(nr);
}

bool hll_count(const void *str, size_t len, uint64_t *card)
{
	uint32_t nr[REG_MAX + 1] = {0};
	struct hll_run run;
	uint64_t regs = 0;

	if (hll_is_dense(str)) {
		for (uint32_t i = 0; i < HLL_REGISTERS; i++)
			nr[hll_dense_get(str, i)]++;
		regs = HLL_REGISTERS;
	} else {
		for (size_t at = HLL_HEADER; at < len; at += run.bytes, regs += run.nr) {
			run = hll_run(str, len, at);
			if (regs + run.nr > HLL_REGISTERS)
				return false;
			nr[run.val] += run.nr;
		}
	}
	*card = estimate(nr);
	return regs == HLL_REGISTERS;
}

bool hll_cached(const void *str, uint64_t *card)
{
	memcpy(card, (const uint8_t *)str + 8, sizeof(*card));
	return !(*card >> 63);
}

void hll_cache(void *str, uint64_t card)
{
	memcpy((uint8_t *)str + 8, &card, sizeof(card));
}

void hll_outdate(void *str)
{
	((uint8_t *)str)[15] |= OUTDATED;
}
