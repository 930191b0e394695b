/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: XGROUP.
 */
#include "app/commands/stream_cmds.h"

#include "app/commands/keys.h"

static bool is_dollar(const struct slice *arg)
{
	return arg->len == 1 && arg->ptr[0] == '$';
}

struct group_options {
	bool create; /* may MKSTREAM be there? */
	bool make_stream;
	int64_t entries_read;
};

static bool group_options(struct client *c, struct group_options *opt)
{
	opt->entries_read = STREAM_READ_UNKNOWN;
	for (uint32_t i = 5; i < c->argc; i++) {
		if (opt->create && arg_is(&c->argv[i], "mkstream")) {
			opt->make_stream = true;
		} else if (arg_is(&c->argv[i], "entriesread") && i + 1 < c->argc) {
			if (!arg_int_reply(c, &c->argv[++i], &opt->entries_read))
				return false;
			if (opt->entries_read < 0 && opt->entries_read != STREAM_READ_UNKNOWN) {
				reply_err(c, "ERR value for ENTRIESREAD must be positive or -1");
				return false;
			}
		} else {
			reply_subcommand_syntax(c);
			return false;
		}
	}
	return true;
}

static bool must_exist(struct client *c, const struct coll *coll)
{
	if (!coll->e)
		reply_err(c,
			"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE "
			"you may want to use the MKSTREAM option to create an empty stream "
			"automatically.");
	return coll->e;
}

/* The stream argv[2] and its group argv[3], which must exist. NULL: replied. */
static struct stream_group *open_group(struct client *c, struct coll *coll)
{
	const struct slice *key = &c->argv[2], *name = &c->argv[3];
	struct stream_group *g;

	if (!coll_open(c, key, OBJ_STREAM, coll) || !must_exist(c, coll))
		return NULL;
	g = stream_group_find(stream_of(&coll->obj), name);
	if (!g)
		reply_errf(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
			(int)name->len, name->ptr, (int)key->len, key->ptr);
	return g;
}

static void done(struct client *c, struct coll *coll, const char *event)
{
	coll_close(c, coll, false);
	cmd_dirty(c, 1);
	cmd_notify(c, NOTIFY_STREAM, event, &c->argv[2]);
}

/* Adds the group, and its stream if there is none. */
static void create(struct client *c, struct coll *coll, const struct stream_id *id, int64_t read)
{
	bool old = coll_edit(c, coll);

	if (!old && !stream_make(&coll->obj)) {
		key_no_memory(c, false);
		return;
	}
	if (!stream_group_create(stream_of(&coll->obj), &c->argv[3], id, read)) {
		if (!old)
			stream_ops.free(&coll->obj);
		key_no_memory(c, false);
		return;
	}
	if (!coll_close(c, coll, false))
		return;
	cmd_dirty(c, 1);
	cmd_notify(c, NOTIFY_STREAM, "xgroup-create", &c->argv[2]);
	reply_ok(c);
}

void stream_cmd_group_create(struct client *c)
{
	struct group_options opt = {.create = true};
	struct stream_id id = STREAM_ID_MIN;
	struct coll coll;

	if (!group_options(c, &opt) || !coll_open(c, &c->argv[2], OBJ_STREAM, &coll) ||
		(!opt.make_stream && !must_exist(c, &coll)))
		return;
	if (c->argc > 8) {
		reply_subcommand_syntax(c);
		return;
	}
	if (!is_dollar(&c->argv[4])) {
		if (!stream_id_arg(c, &c->argv[4], &id))
			return;
	} else if (coll.e) {
		id = stream_of(&coll.obj)->last_id;
	}
	if (coll.e && stream_group_find(stream_of(&coll.obj), &c->argv[3]))
		reply_err(c, "BUSYGROUP Consumer Group name already exists");
	else
		create(c, &coll, &id, opt.entries_read);
}

void stream_cmd_group_setid(struct client *c)
{
	struct group_options opt = {0};
	struct stream_group *g;
	struct stream_id id;
	struct coll coll;

	if (!group_options(c, &opt))
		return;
	g = open_group(c, &coll);
	if (!g)
		return;
	if (c->argc != 5 && c->argc != 7) {
		reply_subcommand_syntax(c);
		return;
	}
	if (is_dollar(&c->argv[4]))
		id = stream_of(&coll.obj)->last_id;
	else if (!stream_bound_arg(c, &c->argv[4], false, &id))
		return;
	coll_edit(c, &coll);
	g->last_id = id;
	g->entries_read = opt.entries_read;
	done(c, &coll, "xgroup-setid");
	reply_ok(c);
}

void stream_cmd_group_destroy(struct client *c)
{
	struct stream_group *g;
	struct coll coll;

	if (!coll_open(c, &c->argv[2], OBJ_STREAM, &coll) || !must_exist(c, &coll))
		return;
	g = stream_group_find(stream_of(&coll.obj), &c->argv[3]);
	if (g) {
		coll_edit(c, &coll);
		stream_group_destroy(stream_of(&coll.obj), g);
		done(c, &coll, "xgroup-destroy");
	}
	reply_int(c, g ? 1 : 0);
}

void stream_cmd_group_createconsumer(struct client *c)
{
	struct coll coll;
	struct stream_group *g = open_group(c, &coll);

	if (!g)
		return;
	if (stream_consumer_find(g, &c->argv[4])) {
		reply_int(c, 0);
		return;
	}
	coll_edit(c, &coll);
	if (!stream_consumer_create(g, &c->argv[4], c->now_ms)) {
		coll_close(c, &coll, true);
		key_no_memory(c, false);
		return;
	}
	done(c, &coll, "xgroup-createconsumer");
	reply_int(c, 1);
}

void stream_cmd_group_delconsumer(struct client *c)
{
	struct coll coll;
	struct stream_group *g = open_group(c, &coll);
	struct stream_consumer *consumer;
	int64_t nr = 0;

	if (!g)
		return;
	consumer = stream_consumer_find(g, &c->argv[4]);
	if (consumer) {
		nr = (int64_t)consumer->pending.nr;
		coll_edit(c, &coll);
		stream_consumer_destroy(g, consumer);
		done(c, &coll, "xgroup-delconsumer");
	}
	reply_int(c, nr);
}

void stream_cmd_group_help(struct client *c)
{
	static const char *const lines[] = {
		"CREATE <key> <groupname> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
		"    Adds a group that reads what comes behind <id>; $ is the last one.",
		"    MKSTREAM makes an empty stream if there is none. ENTRIESREAD tells how many",
		"    entries the group has read.",
		"CREATECONSUMER <key> <groupname> <consumer>",
		"    Adds a consumer to the group.",
		"DELCONSUMER <key> <groupname> <consumer>",
		"    Removes a consumer and what is pending with it.",
		"DESTROY <key> <groupname>",
		"    Removes the group.",
		"SETID <key> <groupname> <id|$> [ENTRIESREAD <n>]",
		"    Sets the ID behind which the group reads on.",
		NULL,
	};

	reply_help(c, lines);
}
