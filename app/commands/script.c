/* SPDX-License-Identifier: BSD-3-Clause
 *
 * EVAL and its kin, SCRIPT.
 */
#include "app/commands/script_cmds.h"

#include "app/commands/monitor.h"
#include "app/commands/server_cmds.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* --- EVAL ------------------------------------------------------------------------------------- */

static bool is_read_only(const struct command *cmd)
{
	return cmd->flags & CMD_READONLY;
}

static bool is_by_sha(const struct command *cmd)
{
	return cmd->fn == evalsha_command;
}

/* A sha as a client writes it, in lower case. False: it is none. */
static bool sha_of(const struct slice *arg, char sha[SCRIPT_SHA_LEN + 1])
{
	if (arg->len != SCRIPT_SHA_LEN)
		return false;
	for (int i = 0; i < SCRIPT_SHA_LEN; i++) {
		if (!isxdigit((unsigned char)arg->ptr[i]))
			return false;
		sha[i] = (char)tolower((unsigned char)arg->ptr[i]);
	}
	sha[SCRIPT_SHA_LEN] = '\0';
	return true;
}

/* Flags of what the client wants to run, without an error. False: they are not known. */
static bool script_flags_of(const struct client *c, const struct command *cmd, uint32_t *flags)
{
	const struct slice *arg = &c->argv[1];
	char err[SCRIPT_ERR_MAX], sha[SCRIPT_SHA_LEN + 1];
	struct script_text *t;
	size_t skip;

	if (cmd->fn == fcall_command)
		return function_flags_of(c, flags);
	if (!is_by_sha(cmd))
		return script_shebang(arg->ptr, arg->len, flags, &skip, err);
	if (!sha_of(arg, sha))
		return false;
	t = script_cache_get(c->srv->scripts->cache, sha);
	if (t)
		*flags = t->flags;
	script_text_put(t);
	return t;
}

uint32_t script_command_flags(const struct client *c, const struct command *cmd)
{
	uint32_t script = SCRIPT_COMPAT, flags = cmd->flags;

	if (cmd->fn != eval_command && cmd->fn != evalsha_command && cmd->fn != fcall_command)
		return flags;
	if (c->argc < 2 || !script_flags_of(c, cmd, &script) || (script & SCRIPT_COMPAT))
		return flags;
	flags &= ~(uint32_t)(CMD_STALE | CMD_DENYOOM | CMD_WRITE | CMD_MAY_REPLICATE);
	if (!(script & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)))
		flags |= CMD_DENYOOM;
	if (!(script & SCRIPT_NO_WRITES))
		flags |= CMD_WRITE;
	if (script & SCRIPT_ALLOW_STALE)
		flags |= CMD_STALE;
	return flags;
}

/* Compiles it on this core if it is not compiled yet. */
static bool define(struct script_vm *vm, const struct script_text *t, char err[SCRIPT_ERR_MAX])
{
	return script_vm_has(vm, t->sha) ||
	       script_vm_define(vm, t->sha, t->code + t->skip, t->len - t->skip, err);
}

/* The script of EVAL or SCRIPT LOAD in the cache and on this core, with a reference; NULL: err. */
static struct script_text *bring(
	struct client *c, const struct slice *code, struct script_vm *vm, char err[SCRIPT_ERR_MAX])
{
	struct script_cache *cache = c->srv->scripts->cache;
	char sha[SCRIPT_SHA_LEN + 1];
	struct script_text *t;
	bool is_new;

	script_sha(code->ptr, code->len, sha);
	t = script_cache_get(cache, sha);
	is_new = !t;
	if (is_new)
		t = script_text_create(code->ptr, code->len, sha, err);
	if (!t)
		return NULL;
	if (!define(vm, t, err)) {
		script_text_put(t);
		return NULL;
	}
	if (is_new)
		script_cache_add(cache, t);
	return t;
}

static struct script_text *find(struct client *c, struct script_vm *vm, char err[SCRIPT_ERR_MAX])
{
	char sha[SCRIPT_SHA_LEN + 1];
	struct script_text *t = NULL;

	if (sha_of(&c->argv[1], sha))
		t = script_cache_get(c->srv->scripts->cache, sha);
	if (!t) {
		snprintf(err, SCRIPT_ERR_MAX, "NOSCRIPT No matching script. Please use EVAL.");
		return NULL;
	}
	if (define(vm, t, err))
		return t;
	script_text_put(t);
	return NULL;
}

struct eval {
	struct script_vm *vm;
	const struct script_text *text;
};

static void run(void *ctx, struct script_run *r)
{
	struct eval *e = ctx;

	script_vm_run(e->vm, e->text->sha, r);
}

static void eval(struct client *c, bool by_sha)
{
	bool read_only = is_read_only(c->cmd);
	char err[SCRIPT_ERR_MAX];
	struct script_text *t;
	struct eval e = {0};
	uint32_t nr_keys;

	/* Before the commands that the script will run. */
	if (atomic_load_explicit(&c->srv->nr_monitors, memory_order_relaxed) &&
		!(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)))
		monitor_feed(c, c->argc, c->argv);
	if (by_sha && c->argv[1].len != SCRIPT_SHA_LEN) {
		reply_err(c, "NOSCRIPT No matching script. Please use EVAL.");
		return;
	}
	if (!script_numkeys(c, NULL, &nr_keys))
		return;
	e.vm = script_vm_get(c->ac, SCRIPT_VM_EVAL);
	if (!e.vm) {
		reply_err(c, "ERR out of memory");
		return;
	}
	t = by_sha ? find(c, e.vm, err) : bring(c, &c->argv[1], e.vm, err);
	if (!t) {
		reply_err(c, err);
		return;
	}
	e.text = t;
	script_begin(c, t->sha, true, t->flags, read_only, nr_keys, run, &e);
	script_text_put(t);
}

void eval_command(struct client *c)
{
	eval(c, false);
}

void evalsha_command(struct client *c)
{
	eval(c, true);
}

int script_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	return command_keys_counted(argv, argc, 2, pos, max);
}

/* --- SCRIPT ----------------------------------------------------------------------------------- */

static void script_load_command(struct client *c)
{
	struct script_vm *vm = script_vm_get(c->ac, SCRIPT_VM_EVAL);
	char err[SCRIPT_ERR_MAX];
	struct script_text *t;

	if (!vm) {
		reply_err(c, "ERR out of memory");
		return;
	}
	t = bring(c, &c->argv[2], vm, err);
	if (!t) {
		reply_err(c, err);
		return;
	}
	reply_bulk(c, t->sha, SCRIPT_SHA_LEN);
	script_text_put(t);
}

static void script_exists_command(struct client *c)
{
	reply_array(c, c->argc - 2);
	for (uint32_t i = 2; i < c->argc; i++) {
		char sha[SCRIPT_SHA_LEN + 1];
		struct script_text *t = NULL;

		if (sha_of(&c->argv[i], sha))
			t = script_cache_get(c->srv->scripts->cache, sha);
		reply_int(c, t != NULL);
		script_text_put(t);
	}
}

static void script_flush_command(struct client *c)
{
	if (c->argc > 3 ||
		(c->argc == 3 && !arg_is(&c->argv[2], "sync") && !arg_is(&c->argv[2], "async"))) {
		reply_err(c, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
		return;
	}
	script_cache_flush(c->srv->scripts->cache);
	reply_ok(c);
}

static void script_kill_command(struct client *c)
{
	script_kill(c, true);
}

static void script_debug_command(struct client *c)
{
	if (arg_is(&c->argv[2], "no"))
		reply_ok(c);
	else if (arg_is(&c->argv[2], "yes") || arg_is(&c->argv[2], "sync"))
		reply_err(c, "ERR the debugger of scripts is not supported by this server");
	else
		reply_err(c, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

static void script_help_command(struct client *c)
{
	static const char *const lines[] = {
		"DEBUG (YES|SYNC|NO)",
		"    Only NO is accepted: there is no debugger.",
		"EXISTS <sha1> [<sha1> ...]",
		"    Tells which of the scripts are in the cache.",
		"FLUSH [ASYNC|SYNC]",
		"    Empties the cache. Clients that know scripts by their sha1 have to bring them again.",
		"KILL",
		"    Ends the script that is running, unless it has written.",
		"LOAD <script>",
		"    Puts a script into the cache without running it.",
		NULL,
	};

	reply_help(c, lines);
}

#define SCRIPTING .group = "scripting", .categories = "scripting"

static struct command script_subcommands[] = {
	{"debug", script_debug_command, 3, CMD_NOSCRIPT, SCRIPTING, .since = "3.2.0",
		.complexity = "O(1)", .summary = "Controls the debugger. There is none."},
	{"exists", script_exists_command, -3, CMD_NOSCRIPT, SCRIPTING, .since = "2.6.0",
		.complexity = "O(N) in the number of scripts asked for",
		.summary = "Tells which scripts are in the cache."},
	{"flush", script_flush_command, -2, CMD_NOSCRIPT, SCRIPTING, .since = "2.6.0",
		.complexity = "O(N) in the number of scripts", .summary = "Empties the cache."},
	{"help", script_help_command, 2, CMD_LOADING | CMD_STALE, SCRIPTING, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"kill", script_kill_command, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, SCRIPTING, .since = "2.6.0",
		.complexity = "O(1)", .summary = "Ends the script that is running."},
	{"load", script_load_command, 3, CMD_NOSCRIPT | CMD_STALE | CMD_SCRIPT, SCRIPTING,
		.since = "2.6.0", .complexity = "O(N) in the script's length",
		.summary = "Puts a script into the cache."},
	{NULL},
};

/* --- the table -------------------------------------------------------------------------------- */

#define RUNS                                                                                       \
	(CMD_NOSCRIPT | CMD_STALE | CMD_SKIP_MONITOR | CMD_NO_MANDATORY_KEYS | CMD_MOVABLE_KEYS |  \
		CMD_SCRIPT)

struct command script_commands[] = {
	{"eval", eval_command, -3, RUNS | CMD_MAY_REPLICATE, SCRIPTING, .since = "2.6.0",
		.complexity = "As the script.", .summary = "Runs a script.", .keys = script_keys},
	{"eval_ro", eval_command, -3, RUNS | CMD_READONLY, SCRIPTING, .since = "7.0.0",
		.complexity = "As the script.", .summary = "Runs a script that writes nothing.",
		.keys = script_keys},
	{"evalsha", evalsha_command, -3, RUNS | CMD_MAY_REPLICATE, SCRIPTING, .since = "2.6.0",
		.complexity = "As the script.", .summary = "Runs a script of the cache.",
		.keys = script_keys},
	{"evalsha_ro", evalsha_command, -3, RUNS | CMD_READONLY, SCRIPTING, .since = "7.0.0",
		.complexity = "As the script.",
		.summary = "Runs a script of the cache that writes nothing.", .keys = script_keys},
	{"fcall", fcall_command, -3, RUNS | CMD_MAY_REPLICATE, SCRIPTING, .since = "7.0.0",
		.complexity = "As the function.", .summary = "Runs a function.",
		.keys = script_keys},
	{"fcall_ro", fcall_command, -3, RUNS | CMD_READONLY, SCRIPTING, .since = "7.0.0",
		.complexity = "As the function.", .summary = "Runs a function that writes nothing.",
		.keys = script_keys},
	{"function", NULL, -2, 0, .group = "scripting", .since = "7.0.0",
		.complexity = "As the subcommand.", .summary = "Controls libraries of functions.",
		.subs = function_subcommands},
	{"script", NULL, -2, 0, .group = "scripting", .since = "2.6.0",
		.complexity = "As the subcommand.", .summary = "Controls the cache of scripts.",
		.subs = script_subcommands},
	{NULL},
};
