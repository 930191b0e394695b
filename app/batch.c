/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/batch.h"

#include "app/client_priv.h"
#include "app/commands/command.h"

#include <stdlib.h>
#include <string.h>

#define NEVER                                                                                      \
	(CMD_BLOCKING | CMD_LOCK_ALL | CMD_LOCK_SELF | CMD_CONTAINER | CMD_ADMIN |                 \
		CMD_MOVABLE_KEYS | CMD_NOSCRIPT)

/* What the parser holds, if it is a command that may wait. The arguments of an inline request lie
 * in the parser, which goes on to the next one. */
static const struct command *waiting_kind(const struct client *c, const char *raw)
{
	const struct command *cmd;

	if (*raw != '*' || c->parser.argc > BATCH_ARGS || (c->flags & CLIENT_REPLICA))
		return NULL;
	cmd = command_lookup(c->srv, c->parser.argv, c->parser.argc, NULL);
	if (!cmd || cmd->first_key <= 0 || (cmd->flags & NEVER) || cmd->keys)
		return NULL;
	if (cmd->arity > 0 ? (uint32_t)cmd->arity != c->parser.argc
			   : c->parser.argc < (uint32_t)-cmd->arity)
		return NULL;
	return cmd;
}

bool batch_add(struct client *c, const char *raw, size_t raw_len)
{
	const struct command *cmd = waiting_kind(c, raw);
	struct batch *b = &c->ac->batch;
	struct batch_item *it;

	if (!cmd)
		return false;
	if (b->nr == BATCH_MAX) {
		batch_run(c->ac);
		if (client_is_stopped(c))
			return false;
	}
	it = &b->items[b->nr++];
	it->c = c;
	it->cmd = cmd;
	it->raw = raw;
	it->raw_len = raw_len;
	it->argc = c->parser.argc;
	memcpy(it->argv, c->parser.argv, sizeof(*it->argv) * it->argc);
	it->key = ks_key(c->srv->ks, it->argv[cmd->first_key].ptr, it->argv[cmd->first_key].len);
	ks_prefetch(c->srv->ks, c->db, &it->key);
	return true;
}

/* The client has stopped at item i: its bytes from there on wait with the rest of its input. */
static void give_back(struct batch *b, unsigned i)
{
	struct client *c = b->items[i].c;
	size_t len = 0, at = 0;
	char *bytes;

	for (unsigned j = i; j < b->nr; j++)
		len += b->items[j].c == c ? b->items[j].raw_len : 0;
	bytes = malloc(len);
	for (unsigned j = i; j < b->nr; j++) {
		struct batch_item *it = &b->items[j];

		if (it->c != c)
			continue;
		if (bytes)
			memcpy(bytes + at, it->raw, it->raw_len);
		at += it->raw_len;
		it->c = NULL;
	}
	if (!bytes || !client_input_unread(c, bytes, len))
		client_abort(c); /* no memory: its commands are lost, and so is it */
	free(bytes);
}

void batch_run(struct app_core *ac)
{
	struct batch *b = &ac->batch;

	if (b->nr == 0)
		return;
	for (unsigned i = 0; i < b->nr; i++)
		ks_prefetch_entry(ac->srv->ks, b->items[i].c->db, &b->items[i].key);
	for (unsigned i = 0; i < b->nr; i++) {
		struct batch_item *it = &b->items[i];
		struct client *c = it->c;

		if (!c || (c->flags & (CLIENT_CLOSE_AFTER | CLIENT_ASAP)))
			continue;
		c->argv = it->argv;
		c->argc = it->argc;
		ac->key_hint = it->key;
		if (!client_run_one(c, it->cmd))
			give_back(b, i);
		ac->key_hint.ptr = NULL;
		if (c->flags & (CLIENT_CLOSE_AFTER | CLIENT_ASAP))
			client_close(c);
	}
	b->nr = 0;
}
