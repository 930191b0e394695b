/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG's subcommands about keys and values.
 */
#include "app/commands/debug_cmds.h"

#include "app/control.h"
#include "app/keyspace/types/obj.h"
#include "app/obj_limits.h"
#include "app/rdb/load.h"
#include "app/rdb/save.h"
#include "app/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_LEN 20

static void digest_text(char out[2 * DIGEST_LEN + 1], const uint8_t digest[DIGEST_LEN])
{
	for (int i = 0; i < DIGEST_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void debug_digest(struct client *c)
{
	char text[2 * DIGEST_LEN + 1];
	uint8_t digest[DIGEST_LEN];
	struct ks_lockset ls;

	if (!debug_lock_all(c, &ls))
		return;
	ks_digest(c->srv->ks, digest);
	debug_unlock_all(c, &ls);
	digest_text(text, digest);
	reply_status(c, text);
}

void debug_digest_value(struct client *c)
{
	char text[2 * DIGEST_LEN + 1];
	struct ks_lockset ls;

	if (!debug_lock_all(c, &ls))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		struct ks_key key = cmd_key(c, &c->argv[i]);
		const struct entry *e = ks_find(c->srv->ks, c->db, &key);
		uint8_t digest[DIGEST_LEN] = {0};

		if (e)
			ks_digest_value(e, digest);
		digest_text(text, digest);
		reply_status(c, text);
	}
	debug_unlock_all(c, &ls);
}

static int count_bytes(void *ctx, const void *data, size_t len)
{
	*(size_t *)ctx += len;
	return 0;
}

/* Bytes of the value in RDB form, without its type. */
static size_t serialised_len(const struct entry *e, bool compress)
{
	struct rdb_writer w;
	size_t len = 0;
	struct rdb_sink sink = {.write = count_bytes, .ctx = &len};

	rdb_writer_init(&w, sink, compress ? RDB_WRITE_COMPRESS : 0);
	rdb_save_value(&w, e);
	rdb_write_record_end(&w);
	rdb_writer_fini(&w);
	return len;
}

static void reply_object(struct client *c, const struct entry *e)
{
	uint64_t idle_s = entry_idle_s(c->srv->ks, e, c->now_ms);
	bool compress = atomic_load_explicit(&c->srv->cfg->rdbcompression, memory_order_relaxed);
	char text[256];

	snprintf(text, sizeof(text),
		"Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%lld "
		"lru_seconds_idle:%llu",
		(const void *)e, obj_enc_name(entry_enc(e)), serialised_len(e, compress),
		(long long)((c->now_ms / 1000 - (int64_t)idle_s) & 0xffffff),
		(unsigned long long)idle_s);
	reply_status(c, text);
}

/* Also of a key past its time, which a test may want to find still there. */
void debug_object(struct client *c)
{
	struct ks_key key = cmd_key(c, &c->argv[2]);
	const struct entry *e;

	if (!cmd_part_trylock(c, key.part)) {
		cmd_retry(c);
		return;
	}
	uint64_t written = ks_part_written(c->srv->ks, key.part);

	if (written > c->gate)
		c->gate = written;
	e = ks_find(c->srv->ks, c->db, &key);
	if (e)
		reply_object(c, e);
	else
		reply_err(c, REPLY_NO_KEY);
	cmd_part_unlock(c, key.part);
}

/* --- POPULATE --------------------------------------------------------------------------------- */

struct populate {
	int64_t count, size; /* size 0: as long as its text */
	struct slice prefix;
	char *key, *value; /* owned */
};

/* Makes key number i if it does not exist. False: no memory. */
static bool populate_one(struct client *c, const struct populate *p, int64_t i)
{
	struct keyspace *ks = c->srv->ks;
	char text[32];
	size_t key_len, len;
	struct ks_key key;

	key_len = p->prefix.len + (size_t)sprintf(p->key + p->prefix.len, ":%lld", (long long)i);
	key = ks_key(ks, p->key, key_len);
	if (ks_find(ks, c->db, &key))
		return true;
	len = (size_t)snprintf(text, sizeof(text), "value:%lld", (long long)i);
	if (!p->size)
		return ks_set_str(ks, c->core_id, c->db, &key, text, len, 0, c->now_ms);
	/* the rest of value is zero, and longer texts follow shorter ones */
	memcpy(p->value, text, len < (size_t)p->size ? len : (size_t)p->size);
	return ks_set_str(
		ks, c->core_id, c->db, &key, p->value, (size_t)p->size, KS_RAW, c->now_ms);
}

static bool positive_arg(struct client *c, const struct slice *a, int64_t *out)
{
	return arg_int_range_reply(
		c, a, 0, INT64_MAX, out, "ERR value is out of range, must be positive");
}

void debug_populate(struct client *c)
{
	struct populate p = {.prefix = slice_str("key")};
	struct ks_lockset ls;
	bool ok = true;

	if (!positive_arg(c, &c->argv[2], &p.count))
		return;
	if (c->argc > 3)
		p.prefix = c->argv[3];
	if (c->argc > 4 && !positive_arg(c, &c->argv[4], &p.size))
		return;
	if (p.size > atomic_load_explicit(&c->srv->cfg->proto_max_bulk_len, memory_order_relaxed)) {
		reply_err(c, "ERR value is out of range, must be positive");
		return;
	}
	p.key = malloc(p.prefix.len + 32);
	p.value = calloc(1, (size_t)p.size + 1);
	if (!p.key || !p.value) {
		reply_err(c, "ERR out of memory");
	} else if (debug_lock_all(c, &ls)) {
		memcpy(p.key, p.prefix.ptr, p.prefix.len);
		for (int64_t i = 0; i < p.count && ok; i++)
			ok = populate_one(c, &p, i);
		debug_unlock_all(c, &ls);
		if (ok)
			reply_ok(c);
		else
			reply_err(c, "ERR out of memory");
	}
	free(p.key);
	free(p.value);
}

/* --- RELOAD ----------------------------------------------------------------------------------- */

/* The data set as one RDB in memory. */
struct image {
	char *buf; /* owned */
	size_t len, cap;
	struct rdb_saver saver;
};

static int image_write(void *ctx, const void *data, size_t len)
{
	struct image *im = ctx;

	if (len > im->cap - im->len) {
		size_t cap = im->cap ? im->cap : 4096;

		while (cap - im->len < len)
			cap *= 2;
		char *buf = realloc(im->buf, cap);

		if (!buf)
			return -ENOMEM;
		im->buf = buf;
		im->cap = cap;
	}
	memcpy(im->buf + im->len, data, len);
	im->len += len;
	return 0;
}

static void image_entry(void *ctx, int db, struct entry *e)
{
	struct image *im = ctx;

	rdb_save_entry(&im->saver, db, e);
}

/* Every partition is locked. 0 or -errno. */
static int image_make(struct client *c, struct image *im)
{
	struct keyspace *ks = c->srv->ks;

	rdb_saver_init(&im->saver, image_write, im,
		atomic_load_explicit(&c->srv->cfg->rdbcompression, memory_order_relaxed));
	rdb_write_header(&im->saver.writer);
	for (uint32_t db = 0; db < ks_nr_dbs(ks); db++) {
		for (uint32_t part = 0; part < ks_nr_parts(ks); part++)
			ks_walk_part(ks, part, (int)db, image_entry, im);
	}
	rdb_write_eof(&im->saver.writer);
	return rdb_saver_fini(&im->saver);
}

/* Reads the image; upcalls may be without functions, to check it only. */
static int image_read(
	struct client *c, const struct image *im, const struct rdb_upcalls *upcalls, void *ctx)
{
	struct rdb_limits limits = {
		.max_string_bytes = SIZE_MAX / 4,
		.max_record_bytes = SIZE_MAX / 2,
	};
	struct rdb_reader *r = rdb_reader_create(upcalls, ctx, &limits);
	int rc;

	if (!r)
		return -ENOMEM;
	rdb_reader_feed(r, im->buf, im->len);
	rc = rdb_reader_finish(r);
	if (rc)
		server_log(c->srv, 3, "DEBUG RELOAD: offset %llu of the image cannot be read",
			(unsigned long long)rdb_reader_offset(r));
	rdb_reader_destroy(&r);
	return rc;
}

/* Every partition is locked. */
static int reload(struct client *c)
{
	static const struct rdb_upcalls check_only;
	struct image im = {0};
	struct obj_limits limits = obj_limits_get(c->srv->cfg);
	struct rdb_loader loader;
	int rc = image_make(c, &im);

	if (!rc)
		rc = image_read(c, &im, &check_only, NULL);
	if (!rc) {
		/* What comes back is what was there, so nothing goes into the log. */
		snapshot_abort_for_flush(c->srv);
		tracking_flushed(c->ac);
		ks_flush(c->srv->ks, c->core_id, -1);
		rdb_loader_init(&loader, c->srv->ks, &limits, c->now_ms);
		rc = image_read(c, &im, &rdb_loader_upcalls, &loader);
		rdb_loader_fini(&loader);
	}
	free(im.buf);
	return rc;
}

void debug_reload(struct client *c)
{
	struct ks_lockset ls;
	int rc;

	if (flag_on(&c->srv->loading)) {
		reply_err(c, "LOADING Redis is loading the dataset in memory");
		return;
	}
	for (uint32_t i = 2; i < c->argc; i++) {
		const struct slice *a = &c->argv[i];

		if (arg_is(a, "nosave") || arg_is(a, "noflush") || arg_is(a, "merge"))
			reply_err(c,
				"ERR DEBUG RELOAD loads what it has just saved: MERGE, NOFLUSH "
				"and NOSAVE are not supported by this server");
		else
			reply_err(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE "
				     "options.");
		return;
	}
	if (!debug_lock_all(c, &ls))
		return;
	rc = reload(c);
	debug_unlock_all(c, &ls);
	if (rc)
		reply_err(c, "ERR Error trying to load the RDB dump, check server logs.");
	else
		reply_ok(c);
}
