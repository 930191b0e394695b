/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plain commands of a stream (one key, nothing unusual), many together: what they will touch is on
 * its way into the cache when their turn comes, and the log takes their bytes at once.
 *
 *	parse, ask for the buckets --> ask for the entries --> lock, execute ... --> append, unlock
 *
 * A partition that a command has changed stays locked until the bytes are reserved in the log, so
 * nobody reads what has no offset yet. With partitions locked another lock is tried once; when it
 * is busy, what has been executed is appended and let go first, so nobody is waited for by whom he
 * waits for.
 */
#include "app/apply_priv.h"

#include "app/commands/command.h"
#include "app/commands/dispatch.h"
#include "app/commands/notify.h"
#include "app/replication.h"
#include "dataplane/clock.h"
#include "persist/log.h"

#include <string.h>

#define NEVER                                                                                      \
	(CMD_BLOCKING | CMD_LOCK_ALL | CMD_LOCK_SELF | CMD_CONTAINER | CMD_ADMIN |                 \
		CMD_MOVABLE_KEYS | CMD_NOSCRIPT | CMD_NOT_KEYS | CMD_SCRIPT)

static bool is_plain(const struct command *cmd, uint32_t argc)
{
	return cmd && cmd->first_key > 0 && cmd->last_key == cmd->first_key && !cmd->keys &&
	       !cmd->locks_all && !(cmd->flags & NEVER) &&
	       (cmd->arity > 0 ? (uint32_t)cmd->arity == argc : argc >= (uint32_t)-cmd->arity);
}

/* Streams say the same word over and over; of a container it is the second one that counts. */
static const struct command *command_of(struct apply *a, const struct slice *argv, uint32_t argc)
{
	const struct planned *last = &a->planned[a->nr_planned - 1];

	if (a->nr_planned && !last->cmd->parent && last->argv[0].len == argv[0].len &&
		last->argc == argc && memcmp(last->argv[0].ptr, argv[0].ptr, argv[0].len) == 0)
		return last->cmd;
	return command_lookup(a->client->srv, argv, argc, NULL);
}

/* The command at off, if it is plain. */
static bool plan_add(struct apply *a, size_t off, size_t *used)
{
	struct client *c = a->client;
	const struct command *cmd;
	struct planned *p;

	enum resp_status st;

	if (off >= a->in.len || a->in.ptr[off] != '*')
		return false;
	st = apply_parse_at(a, off, used);
	if (st == RESP_ERR) /* it is told when its turn comes */
		resp_parser_reset(&a->parser);
	if (st != RESP_OK || c->argc == 0 || c->argc > APPLY_ARGS)
		return false;
	cmd = command_of(a, c->argv, c->argc);
	if (!is_plain(cmd, c->argc))
		return false;
	p = &a->planned[a->nr_planned++];
	p->cmd = cmd;
	p->end = off + *used;
	p->argc = c->argc;
	memcpy(p->argv, c->argv, c->argc * sizeof(*p->argv));
	p->key = ks_key(c->srv->ks, p->argv[cmd->first_key].ptr, p->argv[cmd->first_key].len);
	ks_prefetch(c->srv->ks, c->db, &p->key);
	return true;
}

static void plan(struct apply *a)
{
	size_t off = a->pos, used;

	a->nr_planned = 0;
	while (a->nr_planned < APPLY_GROUP && off - a->pos < APPLY_GROUP_BYTES &&
		plan_add(a, off, &used))
		off += used;
}

/* What has been executed, up to end, goes into the log, and its partitions are let go. */
static void flush(struct apply *a, size_t end)
{
	struct client *c = a->client;
	struct keyspace *ks = c->srv->ks;
	uint64_t off = 0;

	if (end > a->start && !a->replay) {
		off = log_append(c->ac->log, a->in.ptr + a->start, end - a->start);
		notify_publish(c->ac, off);
	}
	for (unsigned i = 0; i < a->nr_locked; i++) {
		if (off)
			ks_part_set_written(ks, a->locked[i], off);
		ks_part_unlock(ks, a->locked[i]);
	}
	a->nr_locked = 0;
	a->start = a->pos = end;
}

static bool has_locked(const struct apply *a, uint32_t part)
{
	for (unsigned i = 0; i < a->nr_locked; i++)
		if (a->locked[i] == part)
			return true;
	return false;
}

/* end: of what has been executed. */
static bool part_lock(struct apply *a, uint32_t part, size_t end)
{
	struct keyspace *ks = a->client->srv->ks;

	if (!ks_part_trylock_once(ks, part)) {
		if (has_locked(a, part))
			return true;
		flush(a, end);
		if (!ks_part_trylock(ks, part))
			return false;
	}
	a->locked[a->nr_locked++] = part;
	return true;
}

/* How far it came. */
static size_t execute_all(struct apply *a)
{
	struct client *c = a->client;
	size_t end = a->start;

	for (unsigned i = 0; i < a->nr_planned; i++) {
		struct planned *p = &a->planned[i];

		if (!part_lock(a, p->key.part, end))
			break;
		c->argv = p->argv;
		c->argc = p->argc;
		if (command_held(c, p->cmd))
			break;
		c->ac->key_hint = p->key;
		apply_execute(a, p->cmd);
		end = p->end;
	}
	c->ac->key_hint.ptr = NULL;
	c->argc = 0;
	return end;
}

enum apply_took apply_group(struct apply *a)
{
	struct client *c = a->client;
	size_t end, all;

	plan(a);
	if (a->nr_planned == 0)
		return APPLY_NONE;
	all = a->planned[a->nr_planned - 1].end;
	if (!apply_has_room(a, all - a->start)) {
		resp_parser_reset(&a->parser);
		return APPLY_STUCK;
	}
	for (unsigned i = 0; i < a->nr_planned; i++)
		ks_prefetch_entry(c->srv->ks, c->db, &a->planned[i].key);
	c->ac->call_end = clock_cycles();
	end = execute_all(a);
	c->ac->call_end = 0;
	flush(a, end);
	if (!a->replay)
		atomic_store_explicit(&c->srv->repl->stream_db, c->db, memory_order_relaxed);
	if (end == all)
		return APPLY_SOME; /* of an incomplete one behind it the parser knows already */
	resp_parser_reset(&a->parser);
	return APPLY_STUCK;
}
