/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HyperLogLog: PFADD, PFCOUNT and PFMERGE.
 */
#include "app/commands/hll_cmds.h"

#include "app/commands/hll_keys.h"
#include "app/commands/keys.h"

/* Longest text of an integer is shorter than the header, so no integer passes for one. */
bool hll_check(struct client *c, const struct entry *e, struct slice *str)
{
	char buf[KS_INT_STR_MAX];

	if (entry_type(e) != OBJ_STRING) {
		reply_err(c, REPLY_WRONGTYPE);
		return false;
	}
	*str = entry_str(e, buf);
	if (entry_enc(e) != OBJ_ENC_INT && hll_is(str->ptr, str->len))
		return true;
	reply_err(c, "WRONGTYPE Key is not a valid HyperLogLog string value.");
	return false;
}

bool hll_store(struct client *c, const struct slice *key, const struct hll *h)
{
	if (key_store(c, key, (const char *)h->str, h->len, KS_KEEP_TTL | KS_RAW))
		return true;
	key_no_memory(c, false);
	return false;
}

void hll_reply_failed(struct client *c, enum hll_rc rc)
{
	if (rc == HLL_NO_MEMORY)
		key_no_memory(c, false);
	else
		reply_err(c, "INVALIDOBJ Corrupted HLL object detected");
}

static uint64_t sparse_max(const struct client *c)
{
	return atomic_load_explicit(&c->srv->cfg->hll_sparse_max_bytes, memory_order_relaxed);
}

/* --- PFADD ------------------------------------------------------------------------------------ */

void hll_make_raw(struct client *c, const struct slice *key, struct entry *e, size_t len)
{
	char *data;

	if (entry_enc(e) != OBJ_ENC_RAW)
		key_edit(c, key, e, len, &data);
}

static void tell_added(struct client *c, uint64_t updated)
{
	if (updated > 0) {
		cmd_dirty(c, updated);
		cmd_notify(c, NOTIFY_STRING, "pfadd", &c->argv[1]);
	}
	reply_int(c, updated > 0);
}

/* In place; nothing is written before the first register that changes. */
static void add_dense(struct client *c, struct entry *e, struct slice str)
{
	const char *regs = str.ptr;
	char *data = NULL;
	uint64_t updated = 0;

	for (uint32_t i = 2; i < c->argc; i++) {
		struct hll_mark mark = hll_mark(c->argv[i].ptr, c->argv[i].len);

		if (hll_dense_get(regs, mark.reg) >= mark.val)
			continue;
		if (!data && !key_edit(c, &c->argv[1], e, str.len, &data)) {
			key_no_memory(c, false);
			return;
		}
		regs = data;
		hll_dense_set(data, mark.reg, mark.val);
		hll_outdate(data);
		updated++;
	}
	tell_added(c, updated);
}

/* On a copy. fresh: there is no such key yet. */
static void add_copied(struct client *c, struct entry *e, struct hll *h)
{
	uint64_t updated = e == NULL, max = sparse_max(c);
	size_t before = h->len;

	for (uint32_t i = 2; i < c->argc; i++) {
		struct hll_mark mark = hll_mark(c->argv[i].ptr, c->argv[i].len);
		enum hll_rc rc = hll_raise(h, mark, max);

		if (rc == HLL_CORRUPT || rc == HLL_NO_MEMORY) {
			if (e)
				hll_make_raw(c, &c->argv[1], e, before);
			hll_reply_failed(c, rc);
			return;
		}
		updated += rc == HLL_CHANGED;
	}
	if (updated > 0) {
		hll_outdate(h->str);
		if (!hll_store(c, &c->argv[1], h))
			return;
	} else {
		hll_make_raw(c, &c->argv[1], e, h->len);
	}
	tell_added(c, updated);
}

void hll_cmd_pfadd(struct client *c)
{
	struct entry *e = lookup_write(c, &c->argv[1]);
	struct slice str;
	struct hll h;

	if (e && !hll_check(c, e, &str))
		return;
	if (e && hll_is_dense(str.ptr)) {
		add_dense(c, e, str);
		return;
	}
	if (e ? !hll_load(&h, str.ptr, str.len) : !hll_init(&h)) {
		key_no_memory(c, false);
		return;
	}
	add_copied(c, e, &h);
	hll_fini(&h);
}

/* --- PFCOUNT ---------------------------------------------------------------------------------- */

/* Merges the keys from argv[1] on. False: an error has been replied. */
static bool merge_keys(struct client *c, uint8_t regs[HLL_REGISTERS], bool *dense)
{
	for (uint32_t i = 1; i < c->argc; i++) {
		struct entry *e = lookup_read(c, &c->argv[i]);
		struct slice str;

		if (!e)
			continue;
		if (!hll_check(c, e, &str))
			return false;
		if (hll_is_dense(str.ptr))
			*dense = true;
		if (hll_merge(str.ptr, str.len, regs))
			continue;
		hll_reply_failed(c, HLL_CORRUPT);
		return false;
	}
	return true;
}

static void count_union(struct client *c)
{
	uint8_t regs[HLL_REGISTERS] = {0};
	bool dense = false;

	if (merge_keys(c, regs, &dense))
		reply_int(c, (int64_t)hll_count_registers(regs));
}

/* A replica leaves the value as its master has it. */
static bool may_cache(const struct client *c)
{
	return (c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) ||
	       !atomic_load_explicit(&c->srv->is_replica, memory_order_relaxed);
}

/* What was counted is kept in the value, and goes into the log as this command. */
static void count_one(struct client *c)
{
	struct entry *e = lookup_read(c, &c->argv[1]);
	struct slice str;
	uint64_t card;
	char *data;

	if (!e) {
		reply_int(c, 0);
		return;
	}
	if (!hll_check(c, e, &str))
		return;
	if (hll_cached(str.ptr, &card)) {
		if (may_cache(c))
			hll_make_raw(c, &c->argv[1], e, str.len);
		reply_int(c, (int64_t)card);
		return;
	}
	if (!hll_count(str.ptr, str.len, &card)) {
		if (may_cache(c))
			hll_make_raw(c, &c->argv[1], e, str.len);
		hll_reply_failed(c, HLL_CORRUPT);
		return;
	}
	if (may_cache(c) && key_edit(c, &c->argv[1], e, str.len, &data)) {
		hll_cache(data, card);
		cmd_dirty(c, 1);
	}
	reply_int(c, (int64_t)card);
}

void hll_cmd_pfcount(struct client *c)
{
	if (c->argc > 2)
		count_union(c);
	else
		count_one(c);
}

/* --- PFMERGE ---------------------------------------------------------------------------------- */

static enum hll_rc raise_all(
	struct hll *h, const uint8_t regs[HLL_REGISTERS], bool dense, uint64_t max)
{
	enum hll_rc rc = dense ? hll_to_dense(h) : HLL_SAME;

	for (uint32_t i = 0; i < HLL_REGISTERS && rc <= HLL_CHANGED; i++) {
		if (regs[i] > 0)
			rc = hll_raise(h, (struct hll_mark){i, regs[i]}, max);
	}
	return rc;
}

void hll_cmd_pfmerge(struct client *c)
{
	uint8_t regs[HLL_REGISTERS] = {0};
	bool dense = false, loaded;
	struct slice str;
	struct hll h;
	enum hll_rc rc;

	if (!merge_keys(c, regs, &dense))
		return;
	struct entry *e = lookup_write(c, &c->argv[1]);

	if (e && !hll_check(c, e, &str))
		return;
	loaded = e ? hll_load(&h, str.ptr, str.len) : hll_init(&h);
	rc = loaded ? raise_all(&h, regs, dense, sparse_max(c)) : HLL_NO_MEMORY;
	if (rc > HLL_CHANGED) {
		hll_reply_failed(c, rc);
	} else {
		hll_outdate(h.str);
		if (hll_store(c, &c->argv[1], &h)) {
			cmd_dirty(c, 1);
			cmd_notify(c, NOTIFY_STRING, "pfadd", &c->argv[1]);
			reply_ok(c);
		}
	}
	if (loaded)
		hll_fini(&h);
}
