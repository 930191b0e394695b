/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool on media, format version 1. Little endian, byte offsets from the start of the file.
 *
 *      0  superblock, copy 0 (512 bytes used)      8192  hint cell 0 (64 bytes used)
 *   4096  superblock, copy 1                      12288  hint cell 1
 *  16384  commit rings, one per writer: commit_slots records of 32 bytes each
 *         log ring: ring_size bytes; stream byte O at O mod ring_size
 *         extents: nr_extents of extent_size bytes
 *
 * Superblock
 *   off len
 *     0   8  magic "millrace"
 *     8   4  version, 1
 *    12   4  CRC-32C of the 512 bytes with this field zero, seed SB_CRC_SEED
 *    16   8  generation: +1 with every update
 *    24  16  uuid
 *    40  56  shape: pool_size, commit_off, ring_off, ring_size, ext_off (8 each); nr_writers,
 *            commit_slots, extent_size, nr_extents (4 each). Of these only pool_size and
 *            nr_extents ever change: the file is made longer before, or cut after the update that
 *            says so, and extents that come or go are in no manifest.
 *    96   4  incarnation of the log: records and hint cells of another one are ignored
 *   100   4  flags, SB_F_*
 *   104   8  hint: every byte of the stream below is durable (or not needed)
 *   112   8  ceiling: this incarnation reserves nothing above, unless a hint cell says more
 *   120   8  log_start: no byte of the stream below is held
 *   128   8  snap_off: S of the newest snapshot, or the offset at which the base state holds
 *   136   8  snap_size: bytes of the RDB file
 *   144   8  snap_keys         152   8  snap_ctime_s        160   4  snap_stream_db
 *   164   4  snap_pieces: manifest entries; 0: no snapshot
 *   168   4  manifest_ext: extent of the first manifest block
 *   172   1  durability and   173   1  medium that the last opener ran with
 *   176   8  second_repl_offset
 *   184  40  replid            224  40  replid2             264  36  boot id of the last opener
 *   300 212  zero
 * An update writes the copy that is not the newest good one, makes it durable, and then the same
 * to the other. So at rest both are good and equal, and at any moment at least one is good. Of two
 * good copies the higher generation holds. A crash leaves the state before or after, never a
 * mixture. A version of the format that this one cannot read writes both copies.
 *
 * Hint cell
 *     0   4  magic "hint"      4   4  incarnation       8   8  sequence
 *    16   8  hint             24   8  ceiling          32   4  CRC-32C, seed HINT_CRC_SEED
 *    36  28  zero
 * Written alternately; of the cells whose incarnation is the superblock's the higher sequence
 * holds. A torn cell leaves the other, on which alone everything done so far relies:
 * a hint lets commit slots be overwritten, a ceiling lets ring bytes be overwritten, both only
 * after the cell is durable. hint <= ceiling; ceiling <= S + ring_size; ceiling <= hint + ring_size
 * - run_max where run_max = ring_size / 16 (at most 1 GiB) bounds a run. What recovery needs of the
 * ring is safe from overwriting: with T the highest reservation, T <= ceiling. Bytes below T -
 * ring_size may be overwritten. They lie below S, so are not replayed; and below hint - run_max, so
 * belong to no run that ends above hint, so to none that is checked. What else of the backlog may
 * be torn is known: after a crash, log_start is at least ceiling - ring_size.
 *
 * Commit record: "the run [off, off + len) was copied and its bytes have this checksum"
 *     0   8  off               8   4  len, 1..run_max   12   4  incarnation
 *    16   4  data CRC-32C, seed: commit_data_seed(incarnation, off)
 *    20   4  CRC-32C of the 32 bytes with this field zero, seed COMMIT_CRC_SEED
 *    24   8  zero
 * Record and bytes become durable with one fence, in any order: a record whose bytes are torn
 * fails the data CRC, a torn record fails its own. A slot is overwritten only when its run ends at
 * or below a durable hint.
 *
 * Manifest block, in an extent of its own
 *     0   4  magic "mani"      4   4  entries here      8   4  next block's extent, or ~0
 *    12   4  number of this block, from 0              16   8  snap_off
 *    24   4  CRC-32C of header (this field zero) and entries, seed MANIFEST_CRC_SEED
 *    28  36  zero
 *    64  24 an entry: extent (4), length (4), CRC-64 of the bytes (8), MANIFEST_F_* (4), zero (4)
 * The entries of all blocks in order are the RDB file in order.
 */
#ifndef MILLRACE_PERSIST_POOL_FORMAT_H
#define MILLRACE_PERSIST_POOL_FORMAT_H

#include <assert.h>
#include <stdint.h>

#include "persist/crc32c.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "media structs are little endian");

#define SB_MAGIC          "millrace"
#define SB_VERSION        1
#define SB_SIZE           512
#define SB_STRIDE         4096 /* copy i at i * SB_STRIDE */
#define SB_CRC_SEED       0x6d696c6cu
#define HINT_OFF          8192
#define HINT_STRIDE       4096
#define HINT_SIZE         64
#define HINT_MAGIC        0x746e6968u
#define HINT_CRC_SEED     0x68696e74u
#define POOL_HEADER_SIZE  16384
#define POOL_PAGE         4096
#define COMMIT_SIZE       32
#define COMMIT_CRC_SEED   0x636f6d6du
#define MANIFEST_MAGIC    0x696e616du
#define MANIFEST_CRC_SEED 0x6d616e69u
#define MANIFEST_HEADER   64
#define MANIFEST_ENTRY    24
#define EXTENT_NONE       UINT32_MAX

/* Limits of the shape, checked at open: with them no sum of fields overflows. */
#define POOL_SIZE_LIMIT    (1ull << 46)
#define POOL_RING_MIN      16384u
#define POOL_WRITERS_MAX   64u
#define POOL_SLOTS_MIN     128u
#define POOL_SLOTS_MAX     (1u << 20)
#define POOL_EXTENT_MIN    4096u
#define POOL_EXTENT_MAX    (1u << 30)
#define POOL_EXTENTS_MIN   4u
#define POOL_EXTENTS_MAX   (1u << 24)
#define POOL_OFFSET_LIMIT  (1ull << 62) /* replication offsets stay below */
#define POOL_RUN_MAX_LIMIT (1ull << 30)

#define SB_F_CLEAN     1u /* closed by pool_close(): hint is the end of the log */
#define SB_F_SUSPECT   2u /* see replid_suspect in "persist/recover.h" */
#define SB_F_BASE_NONE 4u /* no snapshot, and the state at snap_off is not the empty one */
#define SB_F_COPY      8u /* is_copy in struct pool_repl */

#define MANIFEST_F_STREAM 1u /* first extent of a run: what follows can be read by itself */

struct pool_sb {
	uint8_t magic[8];
	uint32_t version;
	uint32_t crc;
	uint64_t generation;
	uint8_t uuid[16];
	uint64_t pool_size;
	uint64_t commit_off;
	uint64_t ring_off;
	uint64_t ring_size;
	uint64_t ext_off;
	uint32_t nr_writers;
	uint32_t commit_slots;
	uint32_t extent_size;
	uint32_t nr_extents;
	uint32_t incarnation;
	uint32_t flags;
	uint64_t hint;
	uint64_t ceiling;
	uint64_t log_start;
	uint64_t snap_off;
	uint64_t snap_size;
	uint64_t snap_keys;
	uint64_t snap_ctime_s;
	int32_t snap_stream_db;
	uint32_t snap_pieces;
	uint32_t manifest_ext;
	uint8_t durability;
	uint8_t medium;
	uint8_t zero0[2];
	int64_t second_repl_offset;
	char replid[40];
	char replid2[40];
	char boot_id[36];
	uint8_t zero1[212];
};

static_assert(sizeof(struct pool_sb) == SB_SIZE, "superblock layout");

struct hint_cell {
	uint32_t magic;
	uint32_t incarnation;
	uint64_t seq;
	uint64_t hint;
	uint64_t ceiling;
	uint32_t crc;
	uint8_t zero[28];
};

static_assert(sizeof(struct hint_cell) == HINT_SIZE, "hint cell layout");

struct commit_rec {
	uint64_t off;
	uint32_t len;
	uint32_t incarnation;
	uint32_t data_crc;
	uint32_t crc;
	uint64_t zero;
};

static_assert(sizeof(struct commit_rec) == COMMIT_SIZE, "commit record layout");

struct manifest_head {
	uint32_t magic;
	uint32_t nr;
	uint32_t next;
	uint32_t index;
	uint64_t snap_off;
	uint32_t crc;
	uint8_t zero[36];
};

static_assert(sizeof(struct manifest_head) == MANIFEST_HEADER, "manifest block layout");

struct manifest_entry {
	uint32_t ext;
	uint32_t len;
	uint64_t crc;
	uint32_t flags;
	uint32_t zero;
};

static_assert(sizeof(struct manifest_entry) == MANIFEST_ENTRY, "manifest entry layout");

/* Checksums, taken with the crc field as zero. */
static inline uint32_t sb_crc(struct pool_sb sb)
{
	sb.crc = 0;
	return crc32c(SB_CRC_SEED, &sb, sizeof(sb));
}

static inline uint32_t hint_crc(struct hint_cell cell)
{
	cell.crc = 0;
	return crc32c(HINT_CRC_SEED, &cell, sizeof(cell));
}

static inline uint32_t commit_crc(struct commit_rec rec)
{
	rec.crc = 0;
	return crc32c(COMMIT_CRC_SEED, &rec, sizeof(rec));
}

/* Makes a run's checksum differ from that of the same bytes elsewhere, and of zeros from zero. */
static inline uint32_t commit_data_seed(uint32_t incarnation, uint64_t off)
{
	return crc32c(~incarnation, &off, sizeof(off));
}

static inline uint64_t log_run_max(uint64_t ring_size)
{
	return ring_size / 16 < POOL_RUN_MAX_LIMIT ? ring_size / 16 : POOL_RUN_MAX_LIMIT;
}

#endif
