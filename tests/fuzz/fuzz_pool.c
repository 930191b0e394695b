/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target of pool images: what a damaged or forged pool does to the code that opens it.
 *
 * The input is a list of changes to a small pool that holds a log with a torn end and a snapshot:
 *   0: bytes   where (3), how many (1), bytes
 *   1: seal    gives superblocks, hint cells, commit records and manifest right checksums
 *   2: cut     how long the file is (3)
 *   3: word    where, in words of 8 bytes from the start (2), value (8)
 * Checked besides memory: a pool that is refused is left as it was; one that is accepted can be
 * read to its end, written, closed and opened again, and then holds what was written.
 */
#include "checks.h"
#include "persist/log.h"
#include "persist/pool_format.h"
#include "persist/recover.h"
#include "persist/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES (128u << 10)
#define RING_BYTES  (16u << 10)
#define NR_WRITERS  2
#define NR_SLOTS    128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *p;
	size_t len;
};

static void plain_copy(void *ctx, void *dst, const void *src, size_t len)
{
	(void)ctx;
	memcpy(dst, src, len);
}

static void plain_fence(void *ctx)
{
	(void)ctx;
	atomic_thread_fence(memory_order_seq_cst);
}

/* Touches the range, so that a wrong one is found. */
static int plain_sync(void *ctx, const void *addr, size_t len)
{
	const volatile uint8_t *p = addr;

	(void)ctx;
	if (len > 0)
		(void)(p[0] + p[len - 1]);
	return 0;
}

static const struct flush_ops plain_ops = {.name = "plain",
	.copy = plain_copy,
	.fence = plain_fence,
	.sync = plain_sync,
	.persist = plain_sync};

static const struct flush plain = {.ops = &plain_ops};

static const struct pool_cfg cfg = {
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.ring_size = RING_BYTES,
	.nr_writers = NR_WRITERS,
	.commit_slots = NR_SLOTS,
	.extent_size = 4096,
};

/* ---- The pool that is changed ---- */

static void log_fill(struct pool *pool)
{
	struct log_writer *w[NR_WRITERS];
	uint8_t bytes[300];

	for (unsigned int i = 0; i < NR_WRITERS; i++)
		BUG_ON(log_writer_open(pool_log(pool), i, &w[i]) != 0);
	for (unsigned int i = 0; i < 40; i++) {
		struct log_writer *writer = w[i % NR_WRITERS];
		memset(bytes, (int)i, sizeof(bytes));
		BUG_ON(log_admit(writer, 10 + 7 * i) != 0);
		log_append(writer, bytes, 10 + 7 * i);
		if (i % 3 == 0 && i < 37)
			log_commit(writer);
	}
	/* One writer ends its burst, the other does not. */
	log_commit(w[1]);
}

static void snap_fill(struct pool *pool)
{
	static const uint8_t bytes[9000] = {1, 2, 3};
	struct snap_meta meta = {.nr_keys = 1};
	struct snap_stream *stream;
	struct snap *snap;

	BUG_ON(snap_begin(pool, 0, &snap) != 0);
	BUG_ON(snap_stream_open(snap, 1, &stream) != 0);
	BUG_ON(snap_stream_write(stream, bytes, sizeof(bytes)) != 0);
	BUG_ON(snap_stream_done(stream) != 0);
	BUG_ON(snap_seal(snap, "REDIS0010", 9, &meta, false) != 0);
	BUG_ON(snap_publish(&snap) != 0);
}

/* The ids are random: made the same in every run. */
static void ids_fix(uint8_t *mem)
{
	for (int i = 0; i < 2; i++) {
		struct pool_sb sb;
		memcpy(&sb, mem + i * SB_STRIDE, sizeof(sb));
		memset(sb.uuid, 'u', sizeof(sb.uuid));
		memset(sb.replid, 'a', sizeof(sb.replid));
		sb.crc = sb_crc(sb);
		memcpy(mem + i * SB_STRIDE, &sb, sizeof(sb));
	}
}

static void base_make(uint8_t *mem)
{
	struct recover_result res;
	struct pool *pool;
	char err[200];

	memset(mem, 0, IMAGE_BYTES);
	BUG_ON(pool_image_format(&plain, mem, IMAGE_BYTES, &cfg, err, sizeof(err)) != 0);
	ids_fix(mem);
	BUG_ON(pool_image_open(&plain, mem, IMAGE_BYTES, &cfg, &pool, err, sizeof(err)) != 0);
	BUG_ON(recover_open(pool, &res, err, sizeof(err)) != 0);
	snap_fill(pool);
	log_fill(pool);
	pool_close(&pool, false);
}

/* ---- Changing it ---- */

static bool take(struct input *in, void *to, size_t len)
{
	if (in->len < len)
		return false;
	memcpy(to, in->p, len);
	in->p += len;
	in->len -= len;
	return true;
}

static void manifest_seal(uint8_t *mem, const struct pool_sb *sb)
{
	uint64_t at = sb->ext_off + (uint64_t)sb->manifest_ext * 4096;
	struct manifest_head head;
	size_t bytes;

	if (sb->ext_off >= IMAGE_BYTES || at > IMAGE_BYTES - 4096)
		return;
	memcpy(&head, mem + at, sizeof(head));
	bytes = head.nr * sizeof(struct manifest_entry);
	if (head.nr > (4096 - sizeof(head)) / sizeof(struct manifest_entry))
		return;
	head.crc = 0;
	head.crc = crc32c(
		crc32c(MANIFEST_CRC_SEED, &head, sizeof(head)), mem + at + sizeof(head), bytes);
	memcpy(mem + at, &head, sizeof(head));
}

static void records_seal(uint8_t *mem)
{
	for (size_t i = 0; i < NR_WRITERS * NR_SLOTS; i++) {
		uint8_t *at = mem + POOL_HEADER_SIZE + i * COMMIT_SIZE;
		struct commit_rec rec;
		memcpy(&rec, at, sizeof(rec));
		rec.crc = commit_crc(rec);
		if (rec.len != 0)
			memcpy(at, &rec, sizeof(rec));
	}
}

static void seal(uint8_t *mem)
{
	for (int i = 0; i < 2; i++) {
		struct hint_cell cell;
		struct pool_sb sb;
		memcpy(&sb, mem + i * SB_STRIDE, sizeof(sb));
		manifest_seal(mem, &sb);
		sb.crc = sb_crc(sb);
		memcpy(mem + i * SB_STRIDE, &sb, sizeof(sb));
		memcpy(&cell, mem + HINT_OFF + i * HINT_STRIDE, sizeof(cell));
		cell.crc = hint_crc(cell);
		memcpy(mem + HINT_OFF + i * HINT_STRIDE, &cell, sizeof(cell));
	}
	records_seal(mem);
}

/* One change; false when the input ends. */
static bool change(struct input *in, uint8_t *mem, size_t *mem_len)
{
	uint8_t op, where[3], nr;
	uint16_t word;
	size_t at;

	if (!take(in, &op, 1))
		return false;
	switch (op % 4) {
	case 0:
		if (!take(in, where, 3) || !take(in, &nr, 1))
			return false;
		at = (where[0] | where[1] << 8 | (size_t)where[2] << 16) % (IMAGE_BYTES - 256);
		return take(in, mem + at, nr);
	case 1: seal(mem); return true;
	case 2:
		if (!take(in, where, 3))
			return false;
		*mem_len = (where[0] | where[1] << 8 | (size_t)where[2] << 16) % (IMAGE_BYTES + 1);
		return true;
	default:
		if (!take(in, &word, sizeof(word)))
			return false;
		return take(in, mem + (size_t)word % (IMAGE_BYTES / 8) * 8, 8);
	}
}

/* ---- Using it ---- */

static void snap_read(const struct snap *snap)
{
	volatile uint8_t sum = 0;
	uint64_t pos = 0;
	const void *ptr;
	size_t len;

	for (;;) {
		BUG_ON(snap_span(snap, pos, &ptr, &len) != 0);
		if (len == 0)
			break;
		for (size_t i = 0; i < len; i++)
			sum = (uint8_t)(sum + ((const uint8_t *)ptr)[i]);
		pos += len;
	}
	BUG_ON(pos != snap_size(snap));
	(void)snap_verify(snap); /* the data may well be damaged */
}

static void log_use(struct pool *pool, const struct recover_result *res)
{
	struct log *log = pool_log(pool);
	uint8_t bytes[RING_BYTES];
	struct log_writer *w;

	BUG_ON(res->log_start > res->base_off || res->base_off > res->end);
	BUG_ON(res->end - res->log_start > sizeof(bytes));
	BUG_ON(log_copy(log, res->log_start, bytes, res->end - res->log_start) != 0);
	BUG_ON(log_writer_open(log, 0, &w) != 0);
	memset(bytes, 'w', 200);
	/* A full log may have no room: that is no fault. */
	if (log_admit(w, 200) == 0)
		log_append(w, bytes, 200);
	log_commit(w);
	BUG_ON(log_watermark(log) != log_tail(log));
}

/* Opens, uses and closes; returns false if refused. */
static bool pool_use(uint8_t *mem, size_t len, uint64_t *end)
{
	struct recover_result res = {0};
	struct pool *pool;
	char err[200];

	if (pool_image_open(&plain, mem, len, &cfg, &pool, err, sizeof(err)) != 0)
		return false;
	if (recover_open(pool, &res, err, sizeof(err)) != 0) {
		pool_close(&pool, false);
		return false;
	}
	if (res.snap != NULL)
		snap_read(res.snap);
	if (*end != 0)
		BUG_ON(res.end != *end);
	log_use(pool, &res);
	*end = log_tail(pool_log(pool));
	snap_put(&res.snap);
	pool_close(&pool, false);
	return true;
}

/* The numbers of incarnations are used up: a forged one may be close to the last. */
static bool is_worn_out(const uint8_t *mem)
{
	struct pool_sb sb;

	memcpy(&sb, mem, sizeof(sb));
	return sb.incarnation >= UINT32_MAX - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	size_t mem_len = IMAGE_BYTES;
	uint8_t *mem = aligned_alloc(4096, IMAGE_BYTES);
	uint8_t *cut, *before;
	uint64_t end = 0;

	BUG_ON(mem == NULL);
	base_make(mem);
	while (change(&in, mem, &mem_len))
		;
	/* Of its exact length, so that a read past the end is seen. */
	cut = malloc(mem_len);
	before = malloc(mem_len);
	BUG_ON(mem_len > 0 && (cut == NULL || before == NULL));
	if (mem_len > 0) {
		memcpy(cut, mem, mem_len);
		memcpy(before, mem, mem_len);
	}
	if (!pool_use(cut, mem_len, &end))
		BUG_ON(mem_len > 0 && memcmp(cut, before, mem_len) != 0);
	else
		BUG_ON(!pool_use(cut, mem_len, &end) && !is_worn_out(cut));
	free(cut);
	free(before);
	free(mem);
	return 0;
}
