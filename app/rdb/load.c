/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rdb_loader_init(
	struct rdb_loader *l, struct keyspace *ks, const struct obj_limits *limits, int64_t now_ms)
{
	memset(l, 0, sizeof(*l));
	l->ks = ks;
	l->now_ms = now_ms;
	l->stream_db = -1;
	l->repl_offset = -1;
	rdb_build_init(&l->build, limits);
}

static void forget_name(struct rdb_loader *l)
{
	free((void *)(uintptr_t)l->key.name);
	l->key.name = NULL;
}

void rdb_loader_fini(struct rdb_loader *l)
{
	rdb_build_fini(&l->build);
	forget_name(l);
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

	l->db = (int)db;
	if (db < ks_nr_dbs(l->ks))
		return 0;
	snprintf(l->err, sizeof(l->err),
		"it has a database %u, and there are %u here (directive databases)", db,
		ks_nr_dbs(l->ks));
	return -ERANGE;
}

static int load_resize(void *ctx, uint64_t nr_keys, uint64_t nr_expires)
{
	struct rdb_loader *l = ctx;

	if (l->reserve_max)
		ks_reserve(l->ks, l->db, nr_keys < l->reserve_max ? nr_keys : l->reserve_max);
	return 0;
}

static int load_aux(void *ctx, const void *name, size_t name_len, const void *value, size_t len)
{
	struct rdb_loader *l = ctx;

	if (aux_is(name, name_len, "repl-stream-db")) {
		int64_t db = aux_int(value, len);

		if (db >= (int64_t)ks_nr_dbs(l->ks))
			return load_select(ctx, db > UINT32_MAX ? UINT32_MAX : (uint32_t)db);
		l->stream_db = db < 0 ? -1 : (int)db;
	} else if (aux_is(name, name_len, "used-mem")) {
		int64_t used = aux_int(value, len);

		l->used_memory = used > 0 ? (uint64_t)used : 0;
	} else if (aux_is(name, name_len, "repl-offset")) {
		l->repl_offset = aux_int(value, len);
	} else if (aux_is(name, name_len, "repl-id") && len == sizeof(l->replid) - 1) {
		memcpy(l->replid, value, len);
	}
	return 0;
}

static int no_memory(struct rdb_loader *l)
{
	snprintf(l->err, sizeof(l->err), "out of memory");
	return -ENOMEM;
}

/* Others hold a partition for the time of one key. */
static void lock(struct rdb_loader *l, const struct ks_key *k)
{
	while (l->shared && !ks_part_trylock(l->ks, k->part))
		;
}

static void unlock(struct rdb_loader *l, const struct ks_key *k)
{
	if (l->shared)
		ks_part_unlock(l->ks, k->part);
}

static int key_twice(struct rdb_loader *l)
{
	snprintf(l->err, sizeof(l->err), "it has a key twice");
	return -EEXIST;
}

/* What is checked of a key before its value. */
static int check_key(struct rdb_loader *l, const struct rdb_key *key)
{
	struct ks_key k;
	bool there;

	if (key->db >= ks_nr_dbs(l->ks))
		return load_select(l, key->db);
	k = ks_key(l->ks, key->name, key->name_len);
	lock(l, &k);
	there = ks_find(l->ks, (int)key->db, &k);
	unlock(l, &k);
	return there ? key_twice(l) : 0;
}

static bool is_over(const struct rdb_loader *l, const struct rdb_key *key)
{
	return l->drop_expired && key->expire_ms >= 0 && key->expire_ms < l->now_ms;
}

/* The key has its value, or e is NULL: there was no memory for it. */
static int finish_key(struct rdb_loader *l, const struct rdb_key *key, struct entry *e)
{
	if (e && key->expire_ms >= 0)
		e = ks_set_expire(l->ks, l->core, (int)key->db, e, key->expire_ms);
	if (!e)
		return no_memory(l);
	if (key->idle_s >= 0)
		entry_set_idle(l->ks, e, (uint64_t)key->idle_s, l->now_ms);
	if (key->freq >= 0)
		entry_set_freq(l->ks, e, (unsigned)key->freq, l->now_ms);
	l->nr_keys++;
	return 0;
}

/* The partition is locked. */
static int store_str(struct rdb_loader *l, const struct rdb_key *key, const struct ks_key *k,
	const struct rdb_value *value)
{
	if (ks_find(l->ks, (int)key->db, k))
		return key_twice(l);
	if (is_over(l, key)) {
		l->nr_expired++;
		return 0;
	}
	return finish_key(l, key,
		ks_set_str(
			l->ks, l->core, (int)key->db, k, value->str, value->str_len, 0, l->now_ms));
}

static int load_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	struct rdb_loader *l = ctx;
	struct ks_key k;
	int rc;

	if (key->db >= ks_nr_dbs(l->ks))
		return load_select(l, key->db);
	k = ks_key(l->ks, key->name, key->name_len);
	lock(l, &k);
	rc = store_str(l, key, &k, value);
	unlock(l, &k);
	return rc;
}

/* Says of a value that was refused which key it belongs to. */
static int refused(struct rdb_loader *l)
{
	char name[96];

	rdb_text_escape(l->key.name, l->key.name_len, name, sizeof(name));
	snprintf(l->err, sizeof(l->err), "%s, key \"%s\"", l->build.why, name);
	return -EBADMSG;
}

static int load_value(void *ctx, const struct rdb_key *key, enum rdb_type type)
{
	struct rdb_loader *l = ctx;
	char *name = malloc(key->name_len + 1);
	int rc = check_key(l, key);

	if (rc || !name) {
		free(name);
		return rc ? rc : no_memory(l);
	}
	if (key->name_len > 0)
		memcpy(name, key->name, key->name_len);
	l->key = *key;
	l->key.name = name;
	return rdb_build_begin(&l->build, type) ? 0 : refused(l);
}

static int load_item(void *ctx, const struct rdb_item *item)
{
	struct rdb_loader *l = ctx;

	return rdb_build_item(&l->build, item) ? 0 : refused(l);
}

/* Takes o. The partition is locked. */
static int store_obj(struct rdb_loader *l, const struct ks_key *k, struct obj *o)
{
	struct entry *e = NULL;

	if (is_over(l, &l->key)) {
		l->nr_expired++;
		obj_ops(o)->free(o);
		return 0;
	}
	e = ks_set_obj(l->ks, l->core, (int)l->key.db, k, o, 0, l->now_ms);
	if (!e)
		obj_ops(o)->free(o);
	return finish_key(l, &l->key, e);
}

static int load_value_end(void *ctx)
{
	struct rdb_loader *l = ctx;
	struct ks_key k = ks_key(l->ks, l->key.name, l->key.name_len);
	struct obj o;
	int rc = 0;

	switch (rdb_build_end(&l->build, &o)) {
	case RDB_BUILT_VALUE:
		lock(l, &k);
		rc = store_obj(l, &k, &o);
		unlock(l, &k);
		break;
	case RDB_BUILT_EMPTY: l->nr_empty++; break;
	case RDB_BUILT_REFUSED: rc = refused(l); break;
	}
	forget_name(l);
	return rc;
}

static int load_function(void *ctx, const void *source, size_t len)
{
	struct rdb_loader *l = ctx;

	if (!l->on_function)
		return 0;
	return l->on_function(l->function_ctx, source, len, l->err, sizeof(l->err));
}

const struct rdb_upcalls rdb_loader_upcalls = {
	.on_aux = load_aux,
	.on_select = load_select,
	.on_resize = load_resize,
	.on_key = load_key,
	.on_value = load_value,
	.on_item = load_item,
	.on_value_end = load_value_end,
	.on_function = load_function,
};
