/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hashes: the commands that read them.
 */
#include "app/keyspace/types/hash.h"

#include "app/commands/collection.h"
#include "app/commands/hash_cmds.h"
#include "app/commands/keys.h"

/* What of a pair is replied. */
enum part {
	PART_FIELD = 1,
	PART_VALUE = 2,
	PART_BOTH = PART_FIELD | PART_VALUE,
};

static void reply_value(struct client *c, const struct hash_pair *pair)
{
	if (pair->e)
		reply_entry(c, pair->e);
	else
		coll_reply(c, &pair->value);
}

static void reply_part(struct client *c, const struct hash_pair *pair, enum part part)
{
	if (part & PART_FIELD)
		coll_reply(c, &pair->field);
	if (part & PART_VALUE)
		reply_value(c, pair);
}

static bool read_hash(struct client *c, struct coll *h)
{
	return coll_read(c, &c->argv[1], OBJ_HASH, h);
}

static bool find_field(const struct coll *h, const struct slice *field, struct hash_pair *pair)
{
	return h->obj.ptr && hash_get(&h->obj, field->ptr, field->len, pair);
}

/* --- by field --------------------------------------------------------------------------------- */

void hash_cmd_hget(struct client *c)
{
	struct hash_pair pair;
	struct coll h;

	if (!read_hash(c, &h))
		return;
	if (find_field(&h, &c->argv[2], &pair))
		reply_value(c, &pair);
	else
		reply_null(c);
}

void hash_cmd_hmget(struct client *c)
{
	struct hash_pair pair;
	struct coll h;

	if (!read_hash(c, &h))
		return;
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		if (find_field(&h, &c->argv[i], &pair))
			reply_value(c, &pair);
		else
			reply_null(c);
	}
}

void hash_cmd_hexists(struct client *c)
{
	struct hash_pair pair;
	struct coll h;

	if (read_hash(c, &h))
		reply_int(c, find_field(&h, &c->argv[2], &pair));
}

void hash_cmd_hstrlen(struct client *c)
{
	char num[KS_INT_STR_MAX];
	struct hash_pair pair;
	struct coll h;
	size_t len = 0;

	if (!read_hash(c, &h))
		return;
	if (find_field(&h, &c->argv[2], &pair))
		len = pair.value.str ? pair.value.len : int_to_str(pair.value.num, num);
	reply_int(c, (int64_t)len);
}

/* --- all -------------------------------------------------------------------------------------- */

void hash_cmd_hlen(struct client *c)
{
	struct coll h;

	if (read_hash(c, &h))
		reply_int(c, h.obj.ptr ? (int64_t)hash_count(&h.obj) : 0);
}

static void reply_all(struct client *c, enum part part)
{
	struct coll h;
	size_t nr;

	if (!read_hash(c, &h))
		return;
	nr = h.obj.ptr ? hash_count(&h.obj) : 0;
	if (part == PART_BOTH)
		reply_map(c, nr);
	else
		reply_array(c, nr);
	if (nr == 0)
		return;
	struct hash_iter it = hash_iter(&h.obj);

	for (struct hash_pair pair; hash_next(&it, &pair);)
		reply_part(c, &pair, part);
}

void hash_cmd_hgetall(struct client *c)
{
	reply_all(c, PART_BOTH);
}

void hash_cmd_hkeys(struct client *c)
{
	reply_all(c, PART_FIELD);
}

void hash_cmd_hvals(struct client *c)
{
	reply_all(c, PART_VALUE);
}

static bool scan_pair(void *ctx, const struct hash_pair *pair)
{
	coll_scan_visit(ctx, &pair->field, &pair->value);
	return true;
}

static uint64_t scan_step(struct coll_scan *scan, const struct obj *o, uint64_t cursor)
{
	return hash_scan(o, cursor, scan_pair, scan);
}

void hash_cmd_hscan(struct client *c)
{
	coll_scan(c, OBJ_HASH, scan_step);
}

/* --- HRANDFIELD ------------------------------------------------------------------------------- */

struct random {
	struct client *c;
	bool values;
};

static bool reply_random(void *ctx, const struct hash_pair *pair)
{
	const struct random *r = ctx;

	if (r->values && r->c->resp > 2)
		reply_array(r->c, 2);
	reply_part(r->c, pair, r->values ? PART_BOTH : PART_FIELD);
	return !(r->c->flags & CLIENT_ASAP);
}

static void random_fields(struct client *c, const struct obj *o, int64_t count, bool values)
{
	struct random r = {c, values};
	bool distinct = count >= 0;
	size_t nr = distinct ? (size_t)count : 0 - (size_t)count;

	if (distinct && nr > hash_count(o))
		nr = hash_count(o);
	if (!distinct && nr > COLL_RANDOM_MAX) {
		reply_err(c, "ERR value is out of range");
		return;
	}
	reply_array(c, values && c->resp == 2 ? 2 * nr : nr);
	if (!hash_sample(o, nr, distinct, reply_random, &r))
		key_no_memory(c, true);
}

/* The arguments behind the key. False: an error has been replied. */
static bool random_args(struct client *c, int64_t *count, bool *values)
{
	*values = c->argc == 4;
	if (!arg_int_reply(c, &c->argv[2], count))
		return false;
	if (*count == INT64_MIN) {
		reply_errf(c, "ERR value is out of range, value must between %lld and %lld",
			-(long long)INT64_MAX, (long long)INT64_MAX);
		return false;
	}
	if (c->argc > 4 || (*values && !arg_is(&c->argv[3], "withvalues"))) {
		reply_err(c, REPLY_SYNTAX);
		return false;
	}
	if (*values && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) {
		reply_err(c, "ERR value is out of range");
		return false;
	}
	return true;
}

void hash_cmd_hrandfield(struct client *c)
{
	struct hash_pair pair;
	int64_t count = 0;
	bool one = c->argc == 2, values = false;
	struct coll h;

	if ((!one && !random_args(c, &count, &values)) || !read_hash(c, &h))
		return;
	if (!h.obj.ptr && one) {
		reply_null(c);
	} else if (!h.obj.ptr) {
		reply_array(c, 0);
	} else if (one) {
		hash_random(&h.obj, &pair);
		coll_reply(c, &pair.field);
	} else {
		random_fields(c, &h.obj, count, values);
	}
}
