/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HyperLogLog: how many different elements were added, within about 0.8 percent, in a string of
 * at most 12304 bytes, in the format of redis-server 7.0.
 *
 *     0   "HYLL"           4
 *     4   representation   1   0 dense, 1 sparse
 *     5   zero             3
 *     8   cardinality      8   as counted last, little-endian; its top bit says it is outdated
 *    16   registers
 *
 * An element's hash is MurmurHash64A with the seed 0xadc83b19. Its low 14 bits choose one of 16384
 * registers, which keeps the largest position of the lowest one bit among the other 50 (1 to 51).
 *
 * Dense: 6 bits a register, from the low bits of the first byte on. Sparse: runs of registers,
 *
 *     00rrrrrr             r + 1 registers that are 0
 *     01rrrrrr rrrrrrrr    the same, up to 16384, high bits first
 *     1vvvvvrr             r + 1 registers that are v + 1
 *
 * A string becomes dense when a register is above 32, or when its sparse form would grow beyond
 * hll-sparse-max-bytes; never back. The cardinality is estimated as in Otmar Ertl, "New
 * cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284).
 *
 * Strings come from outside: those that are not what they say are found out, at the latest when
 * all their registers are read.
 */
#ifndef MILLRACE_APP_COMMANDS_HLL_H
#define MILLRACE_APP_COMMANDS_HLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HLL_REGISTERS   16384u
#define HLL_HEADER      16u
#define HLL_DENSE_BYTES (HLL_HEADER + HLL_REGISTERS * 6 / 8)

/* Whether the string has the header of one, and if dense the length. */
bool hll_is(const void *str, size_t len);
bool hll_is_dense(const void *str);

/* The register of an element, and what it must at least be. */
struct hll_mark {
	uint32_t reg;
	uint8_t val;
};
struct hll_mark hll_mark(const void *element, size_t len);

/* Registers of a dense string. */
uint8_t hll_dense_get(const void *str, uint32_t reg);
void hll_dense_set(void *str, uint32_t reg, uint8_t val);

/* max[i] = the larger of max[i] and register i. False: the string is corrupt. */
bool hll_merge(const void *str, size_t len, uint8_t max[HLL_REGISTERS]);
/* The cardinality. False: the string is corrupt. */
bool hll_count(const void *str, size_t len, uint64_t *card);
uint64_t hll_count_registers(const uint8_t regs[HLL_REGISTERS]);

/* The cardinality that the header remembers. False: it is outdated. */
bool hll_cached(const void *str, uint64_t *card);
void hll_cache(void *str, uint64_t card);
void hll_outdate(void *str);

/* A copy to work on. */
struct hll {
	uint8_t *str; /* owned */
	size_t len, cap;
};
enum hll_rc {
	HLL_SAME,
	HLL_CHANGED,
	HLL_CORRUPT,
	HLL_NO_MEMORY,
};
/* A new empty one, or a copy of a string for which hll_is() holds. False: no memory. */
bool hll_init(struct hll *h);
bool hll_load(struct hll *h, const void *str, size_t len);
void hll_fini(struct hll *h);
/* Raises a register. After a change the cardinality is outdated. */
enum hll_rc hll_raise(struct hll *h, struct hll_mark mark, uint64_t sparse_max);
enum hll_rc hll_to_dense(struct hll *h);

/* One run of a sparse string. */
struct hll_run {
	uint32_t nr;   /* registers */
	uint8_t val;   /* each */
	uint8_t bytes; /* that it takes: 1 or 2 */
};
/* at < len */
struct hll_run hll_run(const void *str, size_t len, size_t at);

#endif
