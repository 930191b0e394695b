/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DUMP and RESTORE: one value in RDB form.
 */
#include "app/commands/keys.h"
#include "app/obj_limits.h"
#include "app/rdb/build.h"
#include "app/rdb/save.h"
#include "repl/rdb_dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct growing {
	char *bytes;
	size_t len, cap;
};

static int growing_write(void *ctx, const void *buf, size_t len)
{
	struct growing *g = ctx;

	if (len > g->cap - g->len) {
		size_t cap = (g->len + len) * 2;
		char *bytes = realloc(g->bytes, cap);

		if (!bytes)
			return -ENOMEM;
		g->bytes = bytes;
		g->cap = cap;
	}
	memcpy(g->bytes + g->len, buf, len);
	g->len += len;
	return 0;
}

void key_cmd_dump(struct client *c)
{
	struct growing g = {0};
	struct rdb_sink sink = {.write = growing_write, .ctx = &g};
	struct rdb_writer w;
	struct entry *e = lookup_read(c, &c->argv[1]);

	if (!e) {
		reply_null(c);
		return;
	}
	bool compress = atomic_load_explicit(&c->srv->cfg->rdbcompression, memory_order_relaxed);

	rdb_writer_init(&w, sink, compress ? RDB_WRITE_COMPRESS : 0);
	rdb_dump_begin(&w, rdb_save_form(e));
	rdb_save_value(&w, e);
	if (rdb_dump_end(&w) == 0)
		reply_bulk(c, g.bytes, g.len);
	else
		key_no_memory(c, false);
	rdb_writer_fini(&w);
	free(g.bytes);
}

struct restore {
	bool replace, absttl;
	int64_t ttl, idle_s, freq; /* idle_s, freq: -1 when not given */
	/* the value: a string, borrowed from the argument or from scratch; or a collection, owned
	 * until it is stored */
	bool is_obj;
	struct slice str;
	struct obj obj;
	struct rdb_scratch scratch;
	struct rdb_build build;
};

static bool restore_opts(struct client *c, struct restore *r)
{
	for (uint32_t i = 4; i < c->argc; i++) {
		const struct slice *a = &c->argv[i];
		bool more = i + 1 < c->argc;

		if (arg_is(a, "replace")) {
			r->replace = true;
		} else if (arg_is(a, "absttl")) {
			r->absttl = true;
		} else if (arg_is(a, "idletime") && more && r->freq == -1) {
			if (!arg_int_reply(c, &c->argv[++i], &r->idle_s))
				return false;
			if (r->idle_s < 0) {
				reply_err(c, "ERR Invalid IDLETIME value, must be >= 0");
				return false;
			}
		} else if (arg_is(a, "freq") && more && r->idle_s == -1) {
			if (!arg_int_reply(c, &c->argv[++i], &r->freq))
				return false;
			if (r->freq < 0 || r->freq > 255) {
				reply_err(c, "ERR Invalid FREQ value, must be >= 0 and <= 255");
				return false;
			}
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

static int restore_value(void *ctx, enum rdb_type type)
{
	struct restore *r = ctx;

	r->is_obj = type != RDB_TYPE_STRING;
	return !r->is_obj || rdb_build_begin(&r->build, type) ? 0 : -1;
}

static int restore_item(void *ctx, const struct rdb_item *item)
{
	struct restore *r = ctx;

	if (r->is_obj)
		return rdb_build_item(&r->build, item) ? 0 : -1;
	r->str = (struct slice){.ptr = item->str.bytes, .len = item->str.len};
	return 0;
}

/* Reads the payload into r. False: the error has been replied. */
static bool restore_parse(struct client *c, const struct slice *payload, struct restore *r)
{
	static const struct rdb_dump_upcalls upcalls = {restore_value, restore_item};
	struct obj_limits obj_limits = obj_limits_get(c->srv->cfg);
	struct rdb_dump_limits limits = {
		.max_version = RDB_VERSION_WRITTEN,
		.max_type = RDB_TYPE_STREAM_LISTPACKS_2,
		.max_string_bytes = (size_t)atomic_load(&c->srv->cfg->proto_max_bulk_len),
	};
	struct rdb_fault fault;

	/* a master may be newer, and its limit need not be ours */
	if (c->flags & (CLIENT_MASTER | CLIENT_REPLAY))
		limits = (struct rdb_dump_limits){RDB_VERSION_MAX, RDB_TYPE_MAX, SIZE_MAX / 4};
	rdb_build_init(&r->build, &obj_limits);
	bool good = rdb_dump_parse(payload->ptr, payload->len, &limits, &upcalls, r, &r->scratch,
			    &fault) == 0;
	if (good && r->is_obj)
		good = rdb_build_end(&r->build, &r->obj) == RDB_BUILT_VALUE;
	rdb_build_fini(&r->build);
	if (good)
		return true;
	bool tail = fault.error == RDB_ERR_TRUNCATED || fault.error == RDB_ERR_VERSION ||
		    fault.error == RDB_ERR_CHECKSUM;

	reply_err(
		c, tail ? "ERR DUMP payload version or checksum are wrong" : "ERR Bad data format");
	return false;
}

/* Logs the RESTORE with a Unix time: its effect must not depend on when it is applied. */
static void prop_absttl(struct client *c, const struct restore *r, int64_t at_ms)
{
	char at[KS_INT_STR_MAX], use[KS_INT_STR_MAX];
	struct slice argv[8] = {slice_str("RESTORE"), c->argv[1], {at, 0}, c->argv[3]};
	int n = 4;

	argv[2].len = (size_t)snprintf(at, sizeof(at), "%lld", (long long)at_ms);
	if (r->replace)
		argv[n++] = slice_str("REPLACE");
	if (r->idle_s >= 0 || r->freq >= 0) {
		snprintf(use, sizeof(use), "%lld",
			(long long)(r->idle_s >= 0 ? r->idle_s : r->freq));
		argv[n++] = slice_str(r->idle_s >= 0 ? "IDLETIME" : "FREQ");
		argv[n++] = slice_str(use);
	}
	argv[n++] = slice_str("ABSTTL");
	prop_replace(c, n, argv);
}

/* The key with its value, without time to live. NULL: no memory. */
static struct entry *restore_put(struct client *c, struct restore *r)
{
	const struct slice *key = &c->argv[1];
	struct ks_key k = cmd_key(c, key);
	struct entry *e;

	if (!r->is_obj)
		return key_store(c, key, r->str.ptr, r->str.len, 0);
	e = ks_set_obj(c->srv->ks, c->core_id, c->db, &k, &r->obj, 0, c->now_ms);
	if (e)
		r->obj.ptr = NULL;
	return e;
}

/* Stores the value in the place of old, which is NULL or may go. */
static bool restore_store(struct client *c, struct restore *r, struct entry *old, int64_t at_ms)
{
	const struct slice *key = &c->argv[1];
	struct keyspace *ks = c->srv->ks;
	struct entry *e;

	if (at_ms != KS_NO_EXPIRE && key_time_over(c, at_ms)) {
		if (old)
			key_delete_effect(
				c, old, key, atomic_load(&c->srv->cfg->lazyfree_server_del));
		return true;
	}
	e = restore_put(c, r);
	if (!e)
		return false;
	if (at_ms != KS_NO_EXPIRE) {
		struct entry *moved = ks_set_expire(ks, c->core_id, c->db, e, at_ms);

		if (!moved) {
			key_delete_effect(c, e, key, false);
			return false;
		}
		e = moved;
		if (!r->absttl)
			prop_absttl(c, r, at_ms);
	}
	if (r->idle_s >= 0)
		entry_set_idle(ks, e, (uint64_t)r->idle_s, c->now_ms);
	if (r->freq >= 0)
		entry_set_freq(ks, e, (unsigned)r->freq, c->now_ms);
	cmd_notify(c, NOTIFY_GENERIC, "restore", key);
	cmd_dirty(c, 1);
	return true;
}

void key_cmd_restore(struct client *c)
{
	const struct slice *key = &c->argv[1];
	struct restore r = {.idle_s = -1, .freq = -1};
	int64_t at_ms = KS_NO_EXPIRE;

	if (!restore_opts(c, &r))
		return;
	/* one that is to be replaced may as well be over */
	struct ks_key k = cmd_key(c, key);
	struct entry *old = r.replace ? ks_find(c->srv->ks, c->db, &k) : lookup_write(c, key);

	if (old && !r.replace) {
		reply_err(c, "BUSYKEY Target key name already exists.");
		return;
	}
	if (!arg_int_reply(c, &c->argv[2], &r.ttl))
		return;
	if (r.ttl < 0 || (r.ttl > 0 && !key_time_abs(c, r.absttl ? KEY_TIME_AT_MS : KEY_TIME_MS,
					       r.ttl, &at_ms))) {
		reply_err(c, "ERR Invalid TTL value, must be >= 0");
		return;
	}
	if (restore_parse(c, &c->argv[3], &r)) {
		if (restore_store(c, &r, old, at_ms))
			reply_ok(c);
		else
			key_no_memory(c, false);
	}
	if (r.obj.ptr)
		obj_ops(&r.obj)->free(&r.obj);
	rdb_scratch_trim(&r.scratch, 0);
}
