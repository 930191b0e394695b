/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys as commands see them: expiry by role, access statistics, deletion as an effect.
 */
#include "app/commands/dispatch.h"

#include "checks.h"

#include <string.h>

/* Bytes of a DEL in the log beyond its key: SELECTs, MULTI and EXEC included. */
#define DEL_OVERHEAD 160

/* Are these the very bytes that were hashed when the command was parsed? */
static inline bool is_hinted(const struct client *c, const struct slice *key)
{
	const struct ks_key *hint = &c->ac->key_hint;

	return key->ptr == hint->ptr && key->len == hint->len;
}

struct ks_key cmd_key(struct client *c, const struct slice *key)
{
	if (is_hinted(c, key))
		return c->ac->key_hint;
	return ks_key(c->srv->ks, key->ptr, key->len);
}

/* Not while clients are paused either: whoever waits for the replicas counts on a log that rests.
 */
static bool deletes_expired(const struct client *c)
{
	return !(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)) && !c->ac->local &&
	       !atomic_load_explicit(&c->srv->is_replica, memory_order_relaxed) &&
	       atomic_load_explicit(&c->srv->pause_until_ms, memory_order_relaxed) <= c->now_ms;
}

/* Effects of an expiry go before the command's own. */
static void expire_now(struct client *c, struct entry *e, int db)
{
	bool unlink = atomic_load_explicit(&c->srv->cfg->lazyfree_expire, memory_order_relaxed);
	struct slice argv[2] = {slice_str(unlink ? "UNLINK" : "DEL"), entry_key(e)};

	prop_before(c, db, 2, argv);
	cmd_notify_db(c, NOTIFY_EXPIRED, "expired", db, &argv[1]);
	if (unlink)
		ks_unlink(c->srv->ks, c->core_id, db, e);
	else
		c->ac->tracking.expiring = true;
	ks_del(c->srv->ks, c->core_id, db, e);
	c->ac->tracking.expiring = false;
	c->ac->expired_keys++;
}

static bool log_has_room(struct client *c, size_t len, bool admitted)
{
	if (admitted && c->cmd && (c->cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)))
		return true;
	if (propagate_admit(c->ac, c->ac->admitted + len))
		return false;
	c->ac->admitted += len;
	return true;
}

static struct entry *find(struct client *c, int db, const struct slice *key)
{
	struct ks_key k;

	if (is_hinted(c, key))
		return ks_find(c->srv->ks, db, &c->ac->key_hint);
	k = ks_key(c->srv->ks, key->ptr, key->len);
	return ks_find(c->srv->ks, db, &k);
}

/* admitted: the command has been admitted with a DEL of the key, if it may write. */
static struct entry *look(
	struct client *c, int db, const struct slice *key, bool touch, bool admitted)
{
	struct keyspace *ks = c->srv->ks;
	struct entry *e = find(c, db, key);

	if (!e)
		return NULL;
	if (entry_expired(e, c->now_ms)) {
		if (deletes_expired(c)) {
			/* A write has been admitted with its keys' DELs. A read asks now, and
			 * without room in the log the key is only hidden, as on a replica. */
			if (log_has_room(c, key->len + DEL_OVERHEAD, admitted))
				expire_now(c, e, db);
			return NULL;
		}
		if (!(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)))
			return NULL;
	}
	if (touch && !(c->flags & CLIENT_NO_TOUCH))
		entry_touch(ks, e, c->now_ms);
	return e;
}

struct entry *lookup_db(struct client *c, int db, const struct slice *key, bool touch)
{
	return look(c, db, key, touch, true);
}

static void miss(struct client *c, const struct slice *key)
{
	c->ac->keyspace_misses++;
	cmd_notify(c, NOTIFY_KEY_MISS, "keymiss", key);
}

static struct entry *counted(struct client *c, const struct slice *key, struct entry *e)
{
	if (e)
		c->ac->keyspace_hits++;
	else
		miss(c, key);
	return e;
}

struct entry *lookup_read(struct client *c, const struct slice *key)
{
	return counted(c, key, lookup_db(c, c->db, key, true));
}

struct entry *lookup_read_beyond(struct client *c, const struct slice *key)
{
	return counted(c, key, look(c, c->db, key, true, false));
}

struct entry *lookup_write(struct client *c, const struct slice *key)
{
	return lookup_db(c, c->db, key, true);
}

static struct entry *only_string(struct client *c, struct entry *e, bool *bad)
{
	*bad = e && entry_type(e) != OBJ_STRING;
	if (*bad)
		reply_err(c, REPLY_WRONGTYPE);
	return e;
}

struct entry *lookup_read_str(struct client *c, const struct slice *key, bool *bad)
{
	return only_string(c, lookup_read(c, key), bad);
}

struct entry *lookup_write_str(struct client *c, const struct slice *key, bool *bad)
{
	return only_string(c, lookup_write(c, key), bad);
}

void cmd_delete(struct client *c, struct entry *e, int db)
{
	ks_del(c->srv->ks, c->core_id, db, e);
}
