/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hashes: the commands that change them.
 */
#include "app/keyspace/types/hash.h"

#include "app/commands/collection.h"
#include "app/commands/hash_cmds.h"
#include "app/commands/keys.h"

#include <math.h>

/* Longest text of a long double in human form, as in Redis. */
#define LONG_DOUBLE_TEXT_MAX (5 * 1024)

static bool make_editable(struct client *c, struct coll *h)
{
	if (coll_edit(c, h) || hash_create(&h->obj))
		return true;
	key_no_memory(c, false);
	return false;
}

/* --- HSET, HMSET ------------------------------------------------------------------------------ */

/* Sets the pairs in argv one by one; returns where it has stopped, for want of memory. */
static uint32_t set_pairs(struct client *c, struct coll *h, int64_t *nr_added)
{
	struct obj_limits lim = coll_limits(c);
	uint32_t i;

	for (i = 2; i < c->argc; i += 2) {
		enum hash_change change = hash_set(&h->obj, &c->argv[i], &c->argv[i + 1], &lim);

		if (change == HASH_NO_MEMORY)
			break;
		*nr_added += change == HASH_ADDED;
	}
	return i;
}

/* The whole command but for its reply. False: an error has been replied; what has been set before
 * it is in the log. */
static bool set_all(struct client *c, int64_t *nr_added)
{
	struct coll h;
	uint32_t end;

	if (c->argc % 2) {
		reply_arity(c);
		return false;
	}
	if (!coll_open(c, &c->argv[1], OBJ_HASH, &h) || !make_editable(c, &h))
		return false;
	end = set_pairs(c, &h, nr_added);
	if (end == 2) {
		coll_close(c, &h, false);
		key_no_memory(c, false);
		return false;
	}
	if (!coll_close(c, &h, false))
		return false;
	cmd_dirty(c, (end - 2) / 2);
	cmd_notify(c, NOTIFY_HASH, "hset", &c->argv[1]);
	if (end == c->argc)
		return true;
	prop_replace(c, (int)end, c->argv);
	key_no_memory(c, false);
	return false;
}

void hash_cmd_hset(struct client *c)
{
	int64_t nr_added = 0;

	if (set_all(c, &nr_added))
		reply_int(c, nr_added);
}

void hash_cmd_hmset(struct client *c)
{
	int64_t nr_added = 0;

	if (set_all(c, &nr_added))
		reply_ok(c);
}

/* --- one field -------------------------------------------------------------------------------- */

/* Sets the field argv[2]. False: out of memory, which has been replied. */
static bool set_one(struct client *c, struct coll *h, const struct slice *value, const char *event)
{
	struct obj_limits lim = coll_limits(c);

	if (!make_editable(c, h))
		return false;
	if (hash_set(&h->obj, &c->argv[2], value, &lim) == HASH_NO_MEMORY) {
		coll_close(c, h, false);
		key_no_memory(c, false);
		return false;
	}
	if (!coll_close(c, h, false))
		return false;
	cmd_dirty(c, 1);
	cmd_notify(c, NOTIFY_HASH, event, &c->argv[1]);
	return true;
}

/* Opens the key and looks for the field argv[2]. False: WRONGTYPE has been replied. */
static bool open_field(struct client *c, struct coll *h, struct hash_pair *pair, bool *found)
{
	if (!coll_open(c, &c->argv[1], OBJ_HASH, h))
		return false;
	*found = h->obj.ptr && hash_get(&h->obj, c->argv[2].ptr, c->argv[2].len, pair);
	return true;
}

void hash_cmd_hsetnx(struct client *c)
{
	struct hash_pair pair;
	struct coll h;
	bool found;

	if (!open_field(c, &h, &pair, &found))
		return;
	if (found)
		reply_int(c, 0);
	else if (set_one(c, &h, &c->argv[3], "hset"))
		reply_int(c, 1);
}

static bool pair_int(const struct hash_pair *pair, int64_t *v)
{
	if (pair->value.str)
		return int_from_str(pair->value.str, pair->value.len, v);
	*v = pair->value.num;
	return true;
}

void hash_cmd_hincrby(struct client *c)
{
	char text[KS_INT_STR_MAX];
	struct slice result = {.ptr = text};
	struct hash_pair pair;
	int64_t by, v = 0;
	struct coll h;
	bool found;

	if (!arg_int_reply(c, &c->argv[3], &by) || !open_field(c, &h, &pair, &found))
		return;
	if (found && !pair_int(&pair, &v)) {
		reply_err(c, "ERR hash value is not an integer");
		return;
	}
	if (__builtin_add_overflow(v, by, &v)) {
		reply_err(c, "ERR increment or decrement would overflow");
		return;
	}
	result.len = int_to_str(v, text);
	if (set_one(c, &h, &result, "hincrby"))
		reply_int(c, v);
}

/* As a number. False: it is none, which has been replied. */
static bool pair_float(struct client *c, const struct hash_pair *pair, long double *v)
{
	struct slice text = {pair->value.str, pair->value.len};

	if (!pair->value.str) {
		*v = (long double)pair->value.num;
		return true;
	}
	if (arg_long_double(&text, v))
		return true;
	reply_err(c, "ERR hash value is not a float");
	return false;
}

void hash_cmd_hincrbyfloat(struct client *c)
{
	char text[LONG_DOUBLE_TEXT_MAX];
	struct slice result = {.ptr = text};
	struct hash_pair pair;
	long double by, v = 0;
	struct coll h;
	bool found;

	if (!arg_long_double(&c->argv[3], &by)) {
		reply_err(c, REPLY_NOT_FLOAT);
		return;
	}
	if (isinf(by)) {
		reply_err(c, "ERR value is NaN or Infinity");
		return;
	}
	if (!open_field(c, &h, &pair, &found) || (found && !pair_float(c, &pair, &v)))
		return;
	v += by;
	if (isnan(v) || isinf(v)) {
		reply_err(c, "ERR increment would produce NaN or Infinity");
		return;
	}
	result.len = format_long_double(text, sizeof(text), v);
	if (!prop_admit(c, result.len) || !set_one(c, &h, &result, "hincrbyfloat"))
		return;
	/* as a HSET, so that no difference in floating-point arithmetic can reach a replica */
	struct slice argv[4] = {slice_str("HSET"), c->argv[1], c->argv[2], result};

	prop_replace(c, 4, argv);
	reply_bulk(c, result.ptr, result.len);
}

/* --- HDEL ------------------------------------------------------------------------------------- */

void hash_cmd_hdel(struct client *c)
{
	int64_t nr = 0;
	struct coll h;

	if (!coll_open(c, &c->argv[1], OBJ_HASH, &h))
		return;
	if (coll_edit(c, &h)) {
		for (uint32_t i = 2; i < c->argc && hash_count(&h.obj) > 0; i++)
			nr += hash_del(&h.obj, c->argv[i].ptr, c->argv[i].len);
		if (nr) {
			cmd_dirty(c, (uint64_t)nr);
			cmd_notify(c, NOTIFY_HASH, "hdel", &c->argv[1]);
		}
		coll_close(c, &h, false);
	}
	reply_int(c, nr);
}
