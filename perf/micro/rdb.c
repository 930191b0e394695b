/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RDB: string keys of several kinds written and read, a thousand a file. One operation is one key.
 */
#include "repl/rdb_read.h"
#include "repl/rdb_write.h"

#include "perf/micro/suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_KEYS    1024u
#define FILE_BYTES (2u << 20)
#define MAX_VALUE  1024u

enum kind { KIND_INT, KIND_SHORT, KIND_LZF, KIND_LONG };

struct fixture {
	char names[NR_KEYS][17];
	char values[NR_KEYS][MAX_VALUE];
	size_t value_len[NR_KEYS];
	unsigned flags;
	size_t len; /* of the file */
	uint64_t nr_read;
	uint8_t file[FILE_BYTES];
};

static int sink(void *ctx, const void *buf, size_t len)
{
	struct fixture *f = ctx;

	if (len > FILE_BYTES - f->len)
		return -ENOSPC;
	memcpy(f->file + f->len, buf, len);
	f->len += len;
	return 0;
}

/* Writes one file; the number of keys is what the caller wants timed. */
static int file_write(struct fixture *f, uint64_t nr_keys)
{
	struct rdb_writer w;
	int rc;

	f->len = 0;
	rdb_writer_init(&w, (struct rdb_sink){sink, f}, f->flags);
	rdb_write_header(&w);
	rdb_write_selectdb(&w, 0);
	for (uint64_t i = 0; i < nr_keys; i++) {
		struct rdb_key key = {
			.name = f->names[i],
			.name_len = 16,
			.expire_ms = -1,
			.idle_s = -1,
			.freq = -1,
		};

		rdb_write_key_string(&w, &key, f->values[i], f->value_len[i]);
	}
	rc = rdb_write_eof(&w);
	rdb_writer_fini(&w);
	return rc;
}

static void value_make(struct fixture *f, unsigned i, enum kind kind, uint64_t *random)
{
	char *value = f->values[i];

	switch (kind) {
	case KIND_INT:
		f->value_len[i] = (size_t)snprintf(
			value, MAX_VALUE, "%u", (unsigned)(bench_random(random) % 100000000));
		return;
	case KIND_SHORT: f->value_len[i] = 32; break;
	case KIND_LZF: f->value_len[i] = 256; break;
	case KIND_LONG: f->value_len[i] = MAX_VALUE; break;
	}
	for (size_t at = 0; at < f->value_len[i]; at++)
		value[at] = kind == KIND_LZF ? (char)('a' + at % 7) : (char)bench_random(random);
}

static void *rdb_setup(int64_t kind, const char **why)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t random = 1;

	if (!f) {
		*why = "no memory";
		return NULL;
	}
	f->flags = RDB_WRITE_CRC | (kind == KIND_LZF ? RDB_WRITE_COMPRESS : 0);
	for (unsigned i = 0; i < NR_KEYS; i++) {
		snprintf(f->names[i], sizeof(f->names[i]), "key:%012u", i);
		value_make(f, i, (enum kind)kind, &random);
	}
	if (file_write(f, NR_KEYS) != 0) {
		free(f);
		*why = "the file does not fit";
		return NULL;
	}
	return f;
}

static void encode(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_KEYS)
		if (file_write(f, NR_KEYS) != 0)
			bench_fail(r, "rdb_write_eof");
	bench_report(r, "bytes_per_key", (double)f->len / NR_KEYS);
}

static int on_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	struct fixture *f = ctx;

	(void)key;
	bench_keep(value->str);
	f->nr_read++;
	return 0;
}

static void decode(struct bench_run *r, void *ctx, uint64_t n)
{
	static const struct rdb_upcalls upcalls = {.on_key = on_key};
	static const struct rdb_limits limits = {
		.max_string_bytes = 512u << 20,
		.max_record_bytes = 1u << 30,
	};
	struct fixture *f = ctx;

	for (uint64_t done = 0; done < n; done += NR_KEYS) {
		struct rdb_reader *reader = rdb_reader_create(&upcalls, f, &limits);

		f->nr_read = 0;
		if (!reader || rdb_reader_feed(reader, f->file, f->len) != (ssize_t)f->len ||
			rdb_reader_status(reader) != RDB_STATUS_END || f->nr_read != NR_KEYS)
			bench_fail(r, "the file is not read to its end");
		rdb_reader_destroy(&reader);
	}
}

void bench_rdb_add(void)
{
	static const struct {
		const char *encode, *decode;
		enum kind kind;
	} all[] = {
		{"rdb/encode/int", "rdb/decode/int", KIND_INT},
		{"rdb/encode/32", "rdb/decode/32", KIND_SHORT},
		{"rdb/encode/256_lzf", "rdb/decode/256_lzf", KIND_LZF},
		{"rdb/encode/1024", "rdb/decode/1024", KIND_LONG},
	};

	for (size_t i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++)
		bench_add(&(struct bench){
			.name = i % 2 ? all[i / 2].decode : all[i / 2].encode,
			.setup = rdb_setup,
			.run = i % 2 ? decode : encode,
			.teardown = free,
			.arg = all[i / 2].kind,
			.batch = NR_KEYS,
		});
}
