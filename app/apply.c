/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/apply.h"

#include "app/apply_priv.h"
#include "app/commands/command.h"
#include "app/commands/dispatch.h"
#include "app/commands/encode.h"
#include "app/commands/notify.h"
#include "app/commands/script_run.h"
#include "app/control.h"
#include "app/repl_check.h"
#include "app/replication.h"
#include "app/waiting.h"
#include "checks.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct apply *apply_create(struct app_core *ac, bool replay)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->replay = replay;
	resp_parser_init(&a->parser);
	a->client = client_create(
		ac, NULL, CLIENT_AUTHENTICATED | (replay ? CLIENT_REPLAY : CLIENT_MASTER));
	if (!a->client) {
		resp_parser_fini(&a->parser);
		free(a);
		return NULL;
	}
	return a;
}

void apply_destroy(struct apply **ap)
{
	struct apply *a = *ap;

	if (!a)
		return;
	client_destroy(&a->client);
	resp_parser_fini(&a->parser);
	encbuf_fini(&a->in);
	free(a->queue);
	free(a);
	*ap = NULL;
}

void apply_reset(struct apply *a)
{
	a->in.len = a->pos = a->start = 0;
	a->in_run = false;
	a->nr_queued = 0;
	a->error = NULL;
	resp_parser_reset(&a->parser);
}

struct client *apply_client(const struct apply *a)
{
	return a->client;
}

int apply_db(const struct apply *a)
{
	return a->client->db;
}

void apply_set_db(struct apply *a, int db)
{
	a->client->db = db;
}

uint64_t apply_nr_commands(const struct apply *a)
{
	return a->nr_commands;
}

const char *apply_error(const struct apply *a)
{
	return a->error;
}

void apply_execute(struct apply *a, const struct command *cmd)
{
	struct client *c = a->client;
	uint64_t errors = c->ac->error_replies;

	command_call(c, cmd);
	propagate_effects(c);
	propagation_reset(c->ac);
	a->nr_commands++;
	if (c->ac->error_replies != errors)
		server_log(c->srv, 3,
			"repl: == CRITICAL == the stream has a command that fails here: '%.*s'",
			(int)(c->argv[0].len < 64 ? c->argv[0].len : 64), c->argv[0].ptr);
}

static const struct command *find(struct apply *a)
{
	struct client *c = a->client;
	char err[512];
	const struct command *cmd = command_find(c, err, sizeof(err));

	if (!cmd)
		server_log(c->srv, 3,
			"repl: == CRITICAL == the stream has a command that is refused here: %s",
			err);
	return cmd;
}

static struct resp_limits stream_limits(struct apply *a)
{
	return (struct resp_limits){
		.max_bulk_len = 1ll << 30,
		.max_multibulk = INT_MAX,
	};
}

enum resp_status apply_parse_at(struct apply *a, size_t off, size_t *used)
{
	struct client *c = a->client;
	struct resp_limits limits = stream_limits(a);
	enum resp_status st;

	st = resp_parse(&a->parser, &limits, a->in.ptr + off, a->in.len - off, used);
	c->argv = a->parser.argv;
	c->argc = a->parser.argc;
	return st;
}

bool apply_has_room(struct apply *a, size_t len)
{
	int rc;

	if (a->replay)
		return true;
	rc = log_admit(a->client->ac->log, len);
	if (rc == -EMSGSIZE) { /* only a snapshot can bring it */
		a->client->srv->repl->need_full = true;
		a->error =
			"a command is larger than the log in persistent memory can take (pmem-size)";
	}
	return rc == 0;
}

static void append(struct apply *a, struct ks_lockset *ls, size_t off, size_t len)
{
	struct client *c = a->client;
	uint64_t end;

	if (a->replay)
		return;
	end = log_append(c->ac->log, a->in.ptr + off, len);
	notify_publish(c->ac, end);
	if (ls)
		ks_lockset_set_written(c->srv->ks, ls, end);
	atomic_store_explicit(&c->srv->repl->stream_db, c->db, memory_order_relaxed);
}

/* Whether a command of the run has to wait; all is locked. */
static bool run_is_held(struct apply *a)
{
	struct client *c = a->client;
	bool held = false;
	char err[512];
	size_t used;

	for (size_t i = 0; ks_snap_active(c->srv->ks) && i < a->nr_queued; i++) {
		const struct command *cmd;

		apply_parse_at(a, a->queue[i].off, &used);
		cmd = command_find(c, err, sizeof(err));
		held |= cmd && command_held(c, cmd);
	}
	return held;
}

/* Locks the set, and takes the scripts' token if need be. False: not now; the set is gone. */
static bool lock(struct apply *a, struct ks_lockset *ls, bool scripts)
{
	struct client *c = a->client;

	if (scripts && !script_token_take(c->srv)) {
		ks_lockset_fini(ls);
		return false;
	}
	if (!waiting_lock(c->ac, ls)) {
		if (scripts)
			script_token_give(c->srv);
		ks_lockset_fini(ls);
		return false;
	}
	c->ac->locks = ls;
	return true;
}

static void unlock(struct apply *a, struct ks_lockset *ls, bool scripts)
{
	struct client *c = a->client;

	c->ac->locks = NULL;
	waiting_serve_ready(c->ac, ls, scripts, c->now_ms, true);
	ks_lockset_unlock(c->srv->ks, ls);
	ks_lockset_fini(ls);
	if (scripts)
		script_token_give(c->srv);
}

/* The run's commands, all at once. False: a partition is busy. */
static bool execute_run(struct apply *a, size_t end)
{
	struct client *c = a->client;
	const struct command *cmd;
	struct ks_lockset ls;
	bool scripts = false;
	int db = c->db;
	size_t used;

	if (!apply_has_room(a, end - a->start))
		return false;
	ks_lockset_init(&ls);
	for (size_t i = 0; i < a->nr_queued; i++) {
		char err[512];

		apply_parse_at(a, a->queue[i].off, &used);
		cmd = command_find(c, err, sizeof(err));
		if (!cmd)
			continue;
		command_lockset(c, cmd, &ls);
		scripts |= (cmd->flags & CMD_SCRIPT) != 0;
	}
	if (!lock(a, &ls, scripts))
		return false;
	c->db = db;
	if (run_is_held(a)) {
		unlock(a, &ls, scripts);
		return false;
	}
	for (size_t i = 0; i < a->nr_queued; i++) {
		apply_parse_at(a, a->queue[i].off, &used);
		cmd = find(a);
		if (cmd)
			apply_execute(a, cmd);
	}
	append(a, &ls, a->start, end - a->start);
	unlock(a, &ls, scripts);
	return true;
}

static bool execute_one(struct apply *a, const struct command *cmd, size_t end)
{
	struct client *c = a->client;
	bool scripts = cmd && (cmd->flags & CMD_SCRIPT);
	struct ks_lockset ls;

	if (!apply_has_room(a, end - a->start))
		return false;
	ks_lockset_init(&ls);
	if (cmd)
		command_lockset(c, cmd, &ls);
	if (!lock(a, &ls, scripts))
		return false;
	if (cmd && command_held(c, cmd)) {
		unlock(a, &ls, scripts);
		return false;
	}
	if (cmd)
		apply_execute(a, cmd);
	append(a, &ls, a->start, end - a->start);
	unlock(a, &ls, scripts);
	return true;
}

static void queue_add(struct apply *a, size_t off, size_t len)
{
	if (a->nr_queued == a->cap_queued) {
		a->cap_queued = a->cap_queued ? a->cap_queued * 2 : 16;
		a->queue = realloc(a->queue, a->cap_queued * sizeof(*a->queue));
		BUG_ON(!a->queue);
	}
	a->queue[a->nr_queued++] = (struct queued){off, len};
}

/* REPLCONF GETACK *: part of the stream, answered when what precedes it is durable. */
static bool is_getack(const struct client *c)
{
	return c->argc >= 3 && arg_is(&c->argv[0], "replconf") && arg_is(&c->argv[1], "getack");
}

/* The commands' arguments are still there. */
static void getack_seen(struct client *c, uint64_t before)
{
	struct repl *r = c->srv->repl;

	if (arg_is(&c->argv[2], "burst"))
		r->ack_bursts = true;
	else if (arg_is(&c->argv[2], "rest"))
		r->ack_bursts = false;
	else if (!repl_check_record(c->ac, c->argc - 2, c->argv + 2))
		r->ack_due_off = before;
}

static bool in_stream_only(const struct client *c)
{
	return c->argc == 0 || arg_is(&c->argv[0], "replconf") || arg_is(&c->argv[0], "ping");
}

/* One parsed command, [a->pos, end). False: set aside. */
static bool step(struct apply *a, size_t end)
{
	struct client *c = a->client;

	if (c->argc && arg_is(&c->argv[0], "multi")) {
		a->in_run = true;
		a->nr_queued = 0;
		return true;
	}
	if (a->in_run) {
		if (c->argc == 0) /* an empty line: it goes along with the run's bytes */
			return true;
		if (!arg_is(&c->argv[0], "exec")) {
			queue_add(a, a->pos, end - a->pos);
			return true;
		}
		if (!execute_run(a, end))
			return false;
		a->in_run = false;
	} else {
		bool getack = is_getack(c);
		uint64_t before = a->replay ? 0 : log_tail(c->srv->log);

		if (!execute_one(a, in_stream_only(c) ? NULL : find(a), end))
			return false;
		if (getack && !a->replay)
			getack_seen(c, before);
	}
	a->start = end;
	return true;
}

static void drop_executed(struct apply *a)
{
	if (a->start == 0)
		return;
	memmove(a->in.ptr, a->in.ptr + a->start, a->in.len - a->start);
	a->in.len -= a->start;
	a->pos -= a->start;
	for (size_t i = 0; a->in_run && i < a->nr_queued; i++)
		a->queue[i].off -= a->start;
	a->start = 0;
}

bool apply_resume(struct apply *a)
{
	struct client *c = a->client;

	c->now_ms = c->ac->now_ms;
	while (a->pos < a->in.len && !a->error) {
		size_t used = 0;
		enum apply_took took = a->in_run ? APPLY_NONE : apply_group(a);
		enum resp_status st;

		if (took == APPLY_SOME)
			continue;
		if (took == APPLY_STUCK) {
			drop_executed(a);
			return a->error != NULL;
		}
		st = apply_parse_at(a, a->pos, &used);
		if (st == RESP_MORE)
			break;
		if (st == RESP_ERR) {
			a->error = a->parser.err;
			break;
		}
		if (!step(a, a->pos + used)) {
			resp_parser_reset(&a->parser);
			return a->error != NULL;
		}
		a->pos += used;
	}
	drop_executed(a);
	return true;
}

bool apply_bytes(struct apply *a, const char *data, size_t len)
{
	encbuf_add(&a->in, data, len);
	return apply_resume(a);
}

size_t apply_pending(const struct apply *a)
{
	return a->in.len - a->start;
}
