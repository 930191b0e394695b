/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the commands on sorted sets share: replies, results that are stored, where keys are.
 */
#include "app/commands/keys.h"
#include "app/commands/zset_cmds.h"

void zset_reply_header(struct client *c, uint64_t n, bool scores)
{
	reply_array(c, scores && c->resp < 3 ? n * 2 : n);
}

void zset_reply_member(struct client *c, struct slice member, double score, bool scores)
{
	if (scores && c->resp > 2)
		reply_array(c, 2);
	reply_bulk(c, member.ptr, member.len);
	if (scores)
		reply_double(c, score);
}

void zset_store(struct client *c, const struct slice *key, struct obj *o, const char *event)
{
	size_t nr = o->ptr ? zset_count(o) : 0;

	if (nr > 0) {
		if (!coll_store(c, key, o, false))
			return;
		reply_int(c, (int64_t)nr);
		cmd_dirty(c, 1);
		cmd_notify(c, NOTIFY_ZSET, event, key);
		return;
	}
	if (o->ptr)
		obj_ops(o)->free(o);
	reply_int(c, 0);
	if (!key_clear(c, c->db, key))
		return;
	cmd_dirty(c, 1);
	cmd_notify(c, NOTIFY_GENERIC, "del", key);
}

int zset_keys_numbered(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max,
	uint32_t at, bool store)
{
	uint32_t n = 0;
	int64_t nr;

	if (at >= argc || !arg_int(&argv[at], &nr) || nr < 1 || nr > (int64_t)(argc - at) - 1)
		return -1;
	if (store && n++ < max)
		pos[0] = 1;
	for (uint32_t i = 0; i < (uint32_t)nr; i++, n++) {
		if (n < max)
			pos[n] = at + 1 + i;
	}
	return (int)n;
}
