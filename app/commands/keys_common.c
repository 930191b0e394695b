/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Times of expiry, and storing and deleting as commands do it.
 */
#include "app/commands/dispatch.h"
#include "app/commands/keys.h"

#include "checks.h"

/* Bytes that "DEL key" needs in the log beyond the key, with SELECTs around it. */
#define DEL_RECORD_OVERHEAD 128

bool key_time_abs(const struct client *c, enum key_time unit, int64_t v, int64_t *at_ms)
{
	bool seconds = unit == KEY_TIME_S || unit == KEY_TIME_AT_S;
	bool relative = unit == KEY_TIME_S || unit == KEY_TIME_MS;

	if (seconds && __builtin_mul_overflow(v, 1000, &v))
		return false;
	if (relative && __builtin_add_overflow(v, c->now_ms, &v))
		return false;
	*at_ms = v;
	return true;
}

void key_time_error(struct client *c)
{
	reply_errf(c, "ERR invalid expire time in '%s' command", c->cmd->name);
}

bool key_time_arg(struct client *c, enum key_time unit, const struct slice *arg, int64_t *at_ms)
{
	int64_t v;

	if (!arg_int_reply(c, arg, &v))
		return false;
	if (v > 0 && key_time_abs(c, unit, v, at_ms))
		return true;
	key_time_error(c);
	return false;
}

bool key_time_over(const struct client *c, int64_t at_ms)
{
	return at_ms <= c->now_ms && !(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) &&
	       !atomic_load_explicit(&c->srv->is_replica, memory_order_relaxed);
}

struct entry *key_store(
	struct client *c, const struct slice *key, const void *val, size_t len, unsigned flags)
{
	struct ks_key k = cmd_key(c, key);

	return ks_set_str(c->srv->ks, c->core_id, c->db, &k, val, len, flags, c->now_ms);
}

struct entry *key_store_int(struct client *c, const struct slice *key, int64_t val, unsigned flags)
{
	struct ks_key k = cmd_key(c, key);

	return ks_set_int(c->srv->ks, c->core_id, c->db, &k, val, flags, c->now_ms);
}

struct entry *key_edit(
	struct client *c, const struct slice *key, struct entry *e, size_t len, char **data)
{
	bool fresh = !e;

	if (fresh)
		e = key_store(c, key, "", 0, KS_RAW);
	if (!e)
		return NULL;
	struct entry *edited = ks_str_edit(c->srv->ks, c->core_id, c->db, e, len, data);

	if (!edited && fresh)
		cmd_delete(c, e, c->db);
	return edited;
}

void key_no_memory(struct client *c, bool replied)
{
	if (replied)
		client_flags_change(c, CLIENT_ASAP, 0);
	else
		reply_err(c, REPLY_OOM);
}

void key_delete_effect(struct client *c, struct entry *e, const struct slice *key, bool unlink)
{
	struct slice argv[2] = {slice_str(unlink ? "UNLINK" : "DEL"), *key};

	if (unlink)
		ks_unlink(c->srv->ks, c->core_id, c->db, e);
	else
		cmd_delete(c, e, c->db);
	prop_replace(c, 2, argv);
	cmd_notify(c, NOTIFY_GENERIC, "del", key);
	cmd_dirty(c, 1);
}

bool key_clear(struct client *c, int db, const struct slice *key)
{
	struct ks_key k = cmd_key(c, key);
	struct entry *e = ks_find(c->srv->ks, db, &k);

	if (e)
		cmd_delete(c, e, db);
	return e != NULL;
}

bool key_len_allowed(struct client *c, uint64_t size, uint64_t extra)
{
	uint64_t total;

	if (c->flags & (CLIENT_MASTER | CLIENT_REPLAY))
		return true;
	if (!__builtin_add_overflow(size, extra, &total) &&
		total <= (uint64_t)atomic_load_explicit(
				 &c->srv->cfg->proto_max_bulk_len, memory_order_relaxed))
		return true;
	reply_err(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
	return false;
}

bool key_expire_found(struct client *c, struct entry *e, const struct ks_key *k)
{
	struct slice name = {.ptr = k->ptr, .len = k->len};
	bool unlink = atomic_load_explicit(&c->srv->cfg->lazyfree_expire, memory_order_relaxed);

	if (!key_time_over(c, entry_expire(e)))
		return false;
	if (propagate_admit(c->ac, k->len + DEL_RECORD_OVERHEAD) != 0)
		return false;
	propagate_del(c->ac, k->part, c->db, name, unlink);
	cmd_notify(c, NOTIFY_EXPIRED, "expired", &name);
	ks_del(c->srv->ks, c->core_id, c->db, e);
	c->ac->expired_keys++;
	return true;
}
