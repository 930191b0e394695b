/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb/save.h"

#include "app/rdb/codec.h"
#include "app/server.h"
#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void rdb_saver_init(struct rdb_saver *s, int (*write)(void *ctx, const void *data, size_t len),
	void *ctx, bool compress)
{
	struct rdb_sink sink = {.write = write, .ctx = ctx};

	rdb_writer_init(&s->writer, sink, compress ? RDB_WRITE_COMPRESS | RDB_WRITE_SPARING : 0);
	s->db = -1;
}

enum rdb_type rdb_save_form(const struct entry *e)
{
	if (entry_type(e) == OBJ_STRING)
		return RDB_TYPE_STRING;
	struct obj o = entry_obj(e);

	return rdb_codec(entry_type(e))->form(&o);
}

void rdb_save_value(struct rdb_writer *w, const struct entry *e)
{
	if (entry_type(e) == OBJ_STRING) {
		char num[KS_INT_STR_MAX];
		struct slice value = entry_str(e, num);

		rdb_write_string(w, value.ptr, value.len);
		return;
	}
	struct obj o = entry_obj(e);
	struct rdb_progress at = {0};

	rdb_codec(entry_type(e))->write(w, &o, &at, UINT64_MAX);
}

/* Ahead of the value. */
static void begin_entry(struct rdb_saver *s, int db, const struct entry *e)
{
	struct slice name = entry_key(e);
	struct rdb_key key = {
		.db = (uint32_t)db,
		.name = name.ptr,
		.name_len = name.len,
		.expire_ms = entry_expire(e),
		.idle_s = -1,
		.freq = -1,
	};

	if (s->db != db) {
		rdb_write_selectdb(&s->writer, (uint32_t)db);
		s->db = db;
	}
	rdb_write_key_begin(&s->writer, &key, rdb_save_form(e));
}

int rdb_save_entry(struct rdb_saver *s, int db, const struct entry *e)
{
	begin_entry(s, db, e);
	rdb_save_value(&s->writer, e);
	return rdb_write_record_end(&s->writer);
}

static bool blob_part(
	struct rdb_writer *w, const struct blob *b, struct rdb_progress *at, uint64_t until)
{
	size_t left = b->len - at->unit, room;

	if (at->stage == 0) {
		rdb_write_len(w, b->len);
		at->stage = 1;
	}
	room = until > w->nr_bytes ? until - w->nr_bytes : 0;
	if (left > room)
		left = room;
	rdb_write_raw(w, b->data + at->unit, left);
	at->unit += left;
	return at->unit == b->len;
}

static bool value_part(
	struct rdb_writer *w, const struct entry *e, struct rdb_progress *at, uint64_t until)
{
	if (entry_type(e) == OBJ_STRING && entry_blob(e))
		return blob_part(w, entry_blob(e), at, until);
	if (entry_type(e) == OBJ_STRING) {
		rdb_save_value(w, e);
		return true;
	}
	struct obj o = entry_obj(e);

	return rdb_codec(entry_type(e))->write(w, &o, at, until);
}

bool rdb_save_entry_part(struct rdb_saver *s, int db, const struct entry *e,
	struct rdb_progress *at, uint64_t max, int *rc)
{
	struct rdb_writer *w = &s->writer;
	uint64_t until = max < UINT64_MAX - w->nr_bytes ? w->nr_bytes + max : UINT64_MAX;
	bool done;

	if (!at->begun)
		begin_entry(s, db, e);
	at->begun = true;
	done = value_part(w, e, at, until);
	*rc = rdb_write_record_end(w);
	return done || *rc;
}

int rdb_saver_fini(struct rdb_saver *s)
{
	int rc = s->writer.err;

	rdb_writer_fini(&s->writer);
	return rc;
}

struct prefix {
	char *buf;
	size_t size, len;
};

static int prefix_write(void *ctx, const void *data, size_t len)
{
	struct prefix *p = ctx;

	if (len > p->size - p->len)
		return -ENOSPC;
	memcpy(p->buf + p->len, data, len);
	p->len += len;
	return 0;
}

size_t rdb_save_prefix(char *buf, size_t size, int64_t ctime_s, uint64_t used_memory, int stream_db,
	const char *replid, uint64_t off)
{
	struct prefix p = {.buf = buf, .size = size};
	struct rdb_sink sink = {.write = prefix_write, .ctx = &p};
	struct rdb_writer w;

	rdb_writer_init(&w, sink, 0);
	rdb_write_header(&w);
	rdb_write_aux(&w, "redis-ver", MILLRACE_REDIS_VERSION, strlen(MILLRACE_REDIS_VERSION));
	rdb_write_aux_int(&w, "redis-bits", 64);
	rdb_write_aux_int(&w, "ctime", ctime_s);
	rdb_write_aux_int(&w, "used-mem", (int64_t)used_memory);
	rdb_write_aux_int(&w, "repl-stream-db", stream_db);
	rdb_write_aux(&w, "repl-id", replid, strlen(replid));
	rdb_write_aux_int(&w, "repl-offset", (int64_t)off);
	rdb_write_aux_int(&w, "aof-base", 0);
	BUG_ON(w.err); /* the buffer is large enough for these */
	rdb_writer_fini(&w);
	return p.len;
}
