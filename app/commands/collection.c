/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/collection.h"

#include "app/commands/keys.h"
#include "app/obj_limits.h"
#include "checks.h"

static bool fill(struct client *c, const struct slice *key, struct entry *e, enum obj_type type,
	struct coll *coll)
{
	*coll = (struct coll){.key = key, .db = c->db, .e = e, .type = (uint8_t)type};
	if (!e)
		return true;
	if (entry_type(e) != type) {
		reply_err(c, REPLY_WRONGTYPE);
		return false;
	}
	coll->obj = entry_obj(e);
	return true;
}

bool coll_read(struct client *c, const struct slice *key, enum obj_type type, struct coll *coll)
{
	return fill(c, key, lookup_read(c, key), type, coll);
}

bool coll_open(struct client *c, const struct slice *key, enum obj_type type, struct coll *coll)
{
	return fill(c, key, lookup_write(c, key), type, coll);
}

bool coll_edit(struct client *c, struct coll *coll)
{
	if (!coll->e)
		return false;
	coll->obj = ks_obj_edit(c->srv->ks, c->core_id, coll->db, coll->e);
	return true;
}

/* Streams stay when they are empty. */
static bool is_over(const struct obj *o)
{
	return o->type != OBJ_STREAM && obj_ops(o)->count(o) == 0;
}

static bool create(struct client *c, const struct slice *key, struct obj *o, bool replied)
{
	struct ks_key k = cmd_key(c, key);

	if (is_over(o)) {
		obj_ops(o)->free(o);
		return false;
	}
	if (ks_set_obj(c->srv->ks, c->core_id, c->db, &k, o, 0, c->now_ms))
		return true;
	obj_ops(o)->free(o);
	key_no_memory(c, replied);
	return false;
}

bool coll_close(struct client *c, struct coll *coll, bool replied)
{
	ASSERT(coll->db == c->db);
	if (!coll->obj.ptr)
		return false;
	if (!coll->e)
		return create(c, coll->key, &coll->obj, replied);
	ks_obj_put(coll->e, &coll->obj);
	if (!is_over(&coll->obj))
		return true;
	cmd_delete(c, coll->e, coll->db);
	cmd_notify_db(c, NOTIFY_GENERIC, "del", coll->db, coll->key);
	return false;
}

bool coll_store(struct client *c, const struct slice *key, struct obj *o, bool replied)
{
	if (is_over(o) && key_clear(c, c->db, key))
		cmd_notify(c, NOTIFY_GENERIC, "del", key);
	return create(c, key, o, replied);
}

struct obj_limits coll_limits(const struct client *c)
{
	return obj_limits_get(c->srv->cfg);
}
