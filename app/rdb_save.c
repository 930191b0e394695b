/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb_save.h"

#include "app/server.h"
#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void rdb_saver_init(struct rdb_saver *s, int (*write)(void *ctx, const void *data, size_t len),
	void *ctx, bool compress)
{
	struct rdb_sink sink = {.write = write, .ctx = ctx};

	rdb_writer_init(&s->writer, sink, compress ? RDB_WRITE_COMPRESS : 0);
	s->db = -1;
}

int rdb_save_entry(struct rdb_saver *s, int db, const struct entry *e)
{
	char num[KS_INT_STR_MAX];
	struct slice name = entry_key(e), value = entry_str(e, num);
	struct rdb_key key = {
		.db = (uint32_t)db,
		.name = name.ptr,
		.name_len = name.len,
		.expire_ms = entry_expire(e),
		.idle_s = -1,
		.freq = -1,
	};

	BUG_ON(entry_type(e) != OBJ_STRING); /* every type that can be stored has its writer */
	if (s->db != db) {
		rdb_write_selectdb(&s->writer, (uint32_t)db);
		s->db = db;
	}
	return rdb_write_key_string(&s->writer, &key, value.ptr, value.len);
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

/* --- loading --- */

void rdb_loader_init(struct rdb_loader *l, struct keyspace *ks, int64_t now_ms)
{
	memset(l, 0, sizeof(*l));
	l->ks = ks;
	l->now_ms = now_ms;
	l->stream_db = -1;
	l->repl_offset = -1;
}

static int64_t aux_int(const void *value, size_t len)
{
	char num[24];
	long long v = -1;

	if (len >= sizeof(num))
		return -1;
	memcpy(num, value, len);
	num[len] = 0;
	if (sscanf(num, "%lld", &v) != 1)
		return -1;
	return v;
}

static bool aux_is(const void *name, size_t len, const char *what)
{
	return strlen(what) == len && memcmp(name, what, len) == 0;
}

static int load_select(void *ctx, uint32_t db)
{
	struct rdb_loader *l = ctx;

	if (db < ks_nr_dbs(l->ks))
		return 0;
	snprintf(l->err, sizeof(l->err),
		"it has a database %u, and there are %u here (directive databases)", db,
		ks_nr_dbs(l->ks));
	return -ERANGE;
}

static int load_aux(void *ctx, const void *name, size_t name_len, const void *value, size_t len)
{
	struct rdb_loader *l = ctx;

	if (aux_is(name, name_len, "repl-stream-db")) {
		int64_t db = aux_int(value, len);

		if (db >= (int64_t)ks_nr_dbs(l->ks))
			return load_select(ctx, db > UINT32_MAX ? UINT32_MAX : (uint32_t)db);
		l->stream_db = db < 0 ? -1 : (int)db;
	} else if (aux_is(name, name_len, "repl-offset")) {
		l->repl_offset = aux_int(value, len);
	} else if (aux_is(name, name_len, "repl-id") && len == sizeof(l->replid) - 1) {
		memcpy(l->replid, value, len);
	}
	return 0;
}

static int load_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	struct rdb_loader *l = ctx;
	struct ks_key k = ks_key(l->ks, key->name, key->name_len);
	struct entry *e;

	if (key->db >= ks_nr_dbs(l->ks))
		return load_select(ctx, key->db);
	if (l->drop_expired && key->expire_ms >= 0 && key->expire_ms < l->now_ms) {
		l->nr_expired++;
		return 0;
	}
	if (ks_find(l->ks, (int)key->db, &k)) {
		snprintf(l->err, sizeof(l->err), "it has a key twice");
		return -EEXIST;
	}
	e = ks_set_str(l->ks, 0, (int)key->db, &k, value->str, value->str_len, 0, l->now_ms);
	if (e && key->expire_ms >= 0)
		e = ks_set_expire(l->ks, 0, (int)key->db, e, key->expire_ms);
	if (!e) {
		snprintf(l->err, sizeof(l->err), "out of memory");
		return -ENOMEM;
	}
	if (key->idle_s >= 0)
		entry_set_idle(l->ks, e, (uint64_t)key->idle_s, l->now_ms);
	if (key->freq >= 0)
		entry_set_freq(l->ks, e, (unsigned)key->freq, l->now_ms);
	l->nr_keys++;
	return 0;
}

static int load_function(void *ctx, const void *source, size_t len)
{
	struct rdb_loader *l = ctx;

	snprintf(l->err, sizeof(l->err),
		"it has a function library, and functions are not supported yet");
	return -ENOTSUP;
}

const struct rdb_upcalls rdb_loader_upcalls = {
	.on_aux = load_aux,
	.on_select = load_select,
	.on_key = load_key,
	.on_function = load_function,
};
