/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys of any type: existence, removal, renaming, moving and copying.
 *
 * Before a value takes a new name, whatever holds that name goes, an entry that is over and only
 * hides included; all partitions concerned are locked (a key lies in the same one in every
 * database).
 */
#include "app/commands/keys.h"

#include <string.h>

static void del(struct client *c, bool lazy)
{
	int64_t n = 0;

	for (uint32_t i = 1; i < c->argc; i++) {
		struct entry *e = lookup_write(c, &c->argv[i]);

		if (!e)
			continue;
		if (lazy)
			ks_unlink(c->srv->ks, c->core_id, c->db, e);
		else
			cmd_delete(c, e, c->db);
		cmd_notify(c, NOTIFY_GENERIC, "del", &c->argv[i]);
		n++;
	}
	if (n)
		cmd_dirty(c, (uint64_t)n);
	reply_int(c, n);
}

void key_cmd_del(struct client *c)
{
	del(c, atomic_load_explicit(&c->srv->cfg->lazyfree_user_del, memory_order_relaxed));
}

void key_cmd_unlink(struct client *c)
{
	del(c, true);
}

static void count_found(struct client *c, bool touch)
{
	int64_t n = 0;

	for (uint32_t i = 1; i < c->argc; i++)
		n += (touch ? lookup_read(c, &c->argv[i])
			    : lookup_db(c, c->db, &c->argv[i], false)) != NULL;
	reply_int(c, n);
}

void key_cmd_exists(struct client *c)
{
	count_found(c, false);
}

void key_cmd_touch(struct client *c)
{
	count_found(c, true);
}

static const char *type_name(enum obj_type type)
{
	switch (type) {
	case OBJ_STRING: return "string";
	case OBJ_LIST: return "list";
	case OBJ_SET: return "set";
	case OBJ_ZSET: return "zset";
	case OBJ_HASH: return "hash";
	case OBJ_STREAM: return "stream";
	}
	return "unknown";
}

const char *key_type_name(const struct entry *e)
{
	return e ? type_name(entry_type(e)) : "none";
}

void key_cmd_type(struct client *c)
{
	reply_status(c, key_type_name(lookup_db(c, c->db, &c->argv[1], false)));
}

static bool same_name(const struct slice *a, const struct slice *b)
{
	return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
}

static void rename_key(struct client *c, bool nx)
{
	const struct slice *from = &c->argv[1], *to = &c->argv[2];
	struct entry *e = lookup_write(c, from);

	if (!e) {
		reply_err(c, REPLY_NO_KEY);
		return;
	}
	bool same = same_name(from, to);

	if (nx && (same || lookup_write(c, to))) {
		reply_int(c, 0);
		return;
	}
	if (!same) {
		struct ks_key k = cmd_key(c, to);

		/* one that is over leaves with a DEL of its own; then the source is looked up
		 * again, for its entry may have moved */
		lookup_write(c, to);
		key_clear(c, c->db, to);
		e = lookup_write(c, from);
		if (!ks_move(c->srv->ks, c->core_id, c->db, e, c->db, &k, c->now_ms)) {
			struct slice argv[2] = {slice_str("DEL"), *to};

			prop_replace(c, 2, argv);
			cmd_dirty(c, 1);
			key_no_memory(c, false);
			return;
		}
		cmd_notify(c, NOTIFY_GENERIC, "rename_from", from);
		cmd_notify(c, NOTIFY_GENERIC, "rename_to", to);
		cmd_dirty(c, 1);
	}
	if (nx)
		reply_int(c, 1);
	else
		reply_ok(c);
}

void key_cmd_rename(struct client *c)
{
	rename_key(c, false);
}

void key_cmd_renamenx(struct client *c)
{
	rename_key(c, true);
}

/* Reads the number of a database; replies the error when there is none of that number. */
static bool db_arg(struct client *c, const struct slice *arg, int *db)
{
	int64_t v;

	if (!arg_int_reply(c, arg, &v))
		return false;
	if (v < INT32_MIN || v > INT32_MAX) {
		reply_err(c, "ERR value is out of range, value must between -2147483648 and "
			     "2147483647");
		return false;
	}
	if (v < 0 || v >= ks_nr_dbs(c->srv->ks)) {
		reply_err(c, "ERR DB index is out of range");
		return false;
	}
	*db = (int)v;
	return true;
}

static const char SAME_OBJECT[] = "ERR source and destination objects are the same";

void key_cmd_move(struct client *c)
{
	const struct slice *key = &c->argv[1];
	struct ks_key k = cmd_key(c, key);
	int db;

	if (!db_arg(c, &c->argv[2], &db))
		return;
	if (db == c->db) {
		reply_err(c, SAME_OBJECT);
		return;
	}
	if (!lookup_write(c, key) || lookup_db(c, db, key, false)) {
		reply_int(c, 0);
		return;
	}
	key_clear(c, db, key);
	struct entry *e = lookup_write(c, key);

	if (!ks_move(c->srv->ks, c->core_id, c->db, e, db, &k, c->now_ms)) {
		key_no_memory(c, false);
		return;
	}
	cmd_notify(c, NOTIFY_GENERIC, "move_from", key);
	cmd_notify_db(c, NOTIFY_GENERIC, "move_to", db, key);
	cmd_dirty(c, 1);
	reply_int(c, 1);
}

static bool copy_opts(struct client *c, int *db, bool *replace)
{
	for (uint32_t i = 3; i < c->argc; i++) {
		if (arg_is(&c->argv[i], "replace")) {
			*replace = true;
		} else if (arg_is(&c->argv[i], "db") && i + 1 < c->argc) {
			if (!db_arg(c, &c->argv[++i], db))
				return false;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	return true;
}

void key_cmd_copy(struct client *c)
{
	const struct slice *from = &c->argv[1], *to = &c->argv[2];
	bool replace = false;
	int db = c->db;

	if (!copy_opts(c, &db, &replace))
		return;
	if (db == c->db && same_name(from, to)) {
		reply_err(c, SAME_OBJECT);
		return;
	}
	if (!lookup_read(c, from)) {
		reply_int(c, 0);
		return;
	}
	bool found = lookup_db(c, db, to, false) != NULL;

	if (found && !replace) {
		reply_int(c, 0);
		return;
	}
	struct ks_key k = cmd_key(c, to);

	key_clear(c, db, to);
	struct entry *e = lookup_write(c, from);

	if (!ks_copy(c->srv->ks, c->core_id, c->db, e, db, &k, c->now_ms)) {
		if (found) {
			struct slice argv[2] = {slice_str("DEL"), *to};

			prop_none(c);
			prop_before(c, db, 2, argv);
			cmd_dirty(c, 1);
		}
		key_no_memory(c, false);
		return;
	}
	cmd_notify_db(c, NOTIFY_GENERIC, "copy_to", db, to);
	cmd_dirty(c, 1);
	reply_int(c, 1);
}
