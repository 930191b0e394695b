/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/batch.h"

#include "app/client_priv.h"
#include "app/commands/command.h"
#include "app/commands/dispatch.h"
#include "dataplane/clock.h"

#include <stdlib.h>
#include <string.h>

#define NEVER                                                                                      \
	(CMD_BLOCKING | CMD_LOCK_ALL | CMD_LOCK_SELF | CMD_CONTAINER | CMD_ADMIN |                 \
		CMD_MOVABLE_KEYS | CMD_NOSCRIPT | CMD_NOT_KEYS)

static bool is_waiting_kind(const struct command *cmd)
{
	return cmd && cmd->first_key > 0 && !(cmd->flags & NEVER) && !cmd->keys;
}

/* The command of that name, if it is one that may wait. Names of up to eight bytes are looked up
 * once; from raw_end on nothing may be read. */
static const struct command *name_find(
	struct batch *b, const struct client *c, const struct slice *name, const char *raw_end)
{
	const struct command *cmd;
	struct batch_name *slot;
	uint64_t word;

	if (name->len == 0 || name->len > 8 || raw_end - name->ptr < 8) {
		cmd = command_lookup(c->srv, name, 1, NULL);
		return is_waiting_kind(cmd) ? cmd : NULL;
	}
	memcpy(&word, name->ptr, 8);
	word &= UINT64_MAX >> (64 - 8 * name->len);
	slot = &b->names[word * 0x9e3779b97f4a7c15u >> 59];
	if (slot->word == word && slot->len == name->len)
		return slot->cmd;
	cmd = command_lookup(c->srv, name, 1, NULL);
	if (!is_waiting_kind(cmd))
		return NULL;
	*slot = (struct batch_name){word, name->len, cmd};
	return cmd;
}

/* What the parser holds, if it is a command that may wait. The arguments of an inline request lie
 * in the parser, which goes on to the next one. */
static const struct command *waiting_kind(
	const struct client *c, const struct resp_parser *parser, const char *raw, size_t raw_len)
{
	const struct command *cmd;
	uint32_t argc = parser->argc;

	if (*raw != '*' || argc == 0 || argc > BATCH_ARGS || (c->flags & CLIENT_REPLICA))
		return NULL;
	cmd = name_find(&c->ac->batch, c, parser->argv, raw + raw_len);
	if (!cmd || (cmd->arity > 0 ? (uint32_t)cmd->arity != argc : argc < (uint32_t)-cmd->arity))
		return NULL;
	return cmd;
}

bool batch_add(struct client *c, const struct resp_parser *parser, const char *raw, size_t raw_len)
{
	const struct command *cmd = waiting_kind(c, parser, raw, raw_len);
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
	it->argc = parser->argc;
	for (uint32_t i = 0; i < it->argc; i++)
		it->argv[i] = parser->argv[i];
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
	bool calm;

	if (b->nr == 0)
		return;
	calm = command_reads_begin(ac);
	for (unsigned i = 0; i < b->nr; i++)
		ks_prefetch_entry(ac->srv->ks, b->items[i].c->db, &b->items[i].key);
	ac->call_end = clock_cycles();
	group_open(ac);
	for (unsigned i = 0; i < b->nr; i++) {
		struct batch_item *it = &b->items[i];
		struct client *c = it->c;

		if (!c || (c->flags & (CLIENT_CLOSE_AFTER | CLIENT_ASAP)))
			continue;
		c->argv = it->argv;
		c->argc = it->argc;
		ac->key_hint = it->key;
		if (!(calm && command_is_plain_read(c, it->cmd)
				    ? client_run_read(c, it->cmd, it->key.part)
				    : client_run_one(c, it->cmd))) {
			group_end(ac); /* its client may end */
			give_back(b, i);
		}
		ac->key_hint.ptr = NULL;
		if (c->flags & (CLIENT_CLOSE_AFTER | CLIENT_ASAP))
			client_close(c);
	}
	group_close(ac);
	ac->call_end = 0;
	b->nr = 0;
}
