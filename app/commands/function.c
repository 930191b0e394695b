/* SPDX-License-Identifier: BSD-3-Clause
 *
 * FUNCTION and FCALL.
 *
 * Whatever looks at the libraries has the scripts' token (CMD_SCRIPT), and whatever changes them
 * every partition too (CMD_LOCK_ALL): so a snapshot has the libraries of its offset, and each
 * change is in the log as the command that made it.
 */
#include "app/commands/function_store.h"
#include "app/commands/monitor.h"
#include "app/commands/script_cmds.h"
#include "app/commands/server_cmds.h"
#include "dataplane/clock.h"
#include "persist/crc64.h"
#include "persist/log.h"
#include "repl/rdb_decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX (1 << 20)

static struct library_set *libs_of(const struct client *c)
{
	return &c->srv->scripts->libs;
}

/* What has been looked at may be so young that a crash can take it back. Who has a partition waits
 * for it anyway: a change of the libraries is a write to every one. */
static void wait_for_change(struct client *c)
{
	const struct ks_lockset *ls = c->ac->locks;

	if (ls && ls->nr == 0 && !ls->all)
		client_gate_raise(c, log_tail(c->srv->log));
}

/* Of an argument in an error's text, which may be all of a library: as much as a reply can bear. */
static int shown(const struct slice *arg)
{
	return arg->len < SHOWN_MAX ? (int)arg->len : SHOWN_MAX;
}

/* --- FCALL ------------------------------------------------------------------------------------ */

bool function_flags_of(const struct client *c, uint32_t *flags)
{
	return library_function_flags(libs_of(c), &c->argv[1], flags);
}

struct fcall {
	struct script_vm *vm;
	uint64_t id;
};

static void run(void *ctx, struct script_run *r)
{
	struct fcall *f = ctx;

	script_vm_run_function(f->vm, f->id, r);
}

void fcall_command(struct client *c)
{
	bool read_only = c->cmd->flags & CMD_READONLY;
	const struct library_function *f;
	char err[SCRIPT_ERR_MAX];
	struct fcall call;
	uint32_t nr_keys;

	/* Before the commands that it will run. */
	if (atomic_load_explicit(&c->srv->nr_monitors, memory_order_relaxed) &&
		!(c->flags & (CLIENT_MASTER | CLIENT_REPLAY)))
		monitor_feed(c, c->argc, c->argv);
	wait_for_change(c);
	f = library_find_function(libs_of(c), &c->argv[1]);
	if (!f) {
		reply_err(c, "ERR Function not found");
		return;
	}
	if (!script_numkeys(c, "ERR Bad number of keys provided", &nr_keys))
		return;
	call.id = f->lib->id;
	call.vm = function_vm_get(c->ac, f->lib, err);
	if (!call.vm) {
		reply_err(c, err);
		return;
	}
	script_begin(c, f->name.ptr, false, f->flags, read_only, nr_keys, run, &call);
}

/* --- changing the libraries ------------------------------------------------------------------- */

static void function_load_command(struct client *c)
{
	bool obeyed = c->flags & (CLIENT_MASTER | CLIENT_REPLAY), replace = false;
	const struct slice *code = &c->argv[c->argc - 1];
	char err[SCRIPT_ERR_MAX];
	struct script_vm *vm;
	const char *name;

	for (uint32_t i = 2; i < c->argc - 1; i++) {
		if (!arg_is(&c->argv[i], "replace")) {
			reply_errf(c, "ERR Unknown option given: %.*s", shown(&c->argv[i]),
				c->argv[i].ptr);
			return;
		}
		replace = true;
	}
	vm = script_vm_get(c->ac, SCRIPT_VM_FUNCTION);
	if (!vm) {
		reply_err(c, "ERR out of memory");
		return;
	}
	name = library_load(
		libs_of(c), vm, code->ptr, code->len, replace, obeyed ? 0 : LIBRARY_LOAD_MS, err);
	if (!name) {
		reply_err(c, err);
		return;
	}
	struct slice key = slice_str(name);

	function_vm_note(c->ac, library_find(libs_of(c), &key)->id);
	cmd_dirty(c, 1);
	reply_bulk_str(c, name);
}

static void function_delete_command(struct client *c)
{
	if (!library_delete(libs_of(c), &c->argv[2])) {
		reply_err(c, "ERR Library not found");
		return;
	}
	cmd_dirty(c, 1);
	reply_ok(c);
}

static void function_flush_command(struct client *c)
{
	struct library_set none = {0};

	if (c->argc > 3) {
		reply_subcommand_syntax(c);
		return;
	}
	if (!flush_mode_arg(c, 2)) {
		reply_err(c, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
		return;
	}
	library_set_swap(libs_of(c), &none);
	library_set_fini(&none);
	cmd_dirty(c, 1);
	reply_ok(c);
}

/* --- DUMP and RESTORE ------------------------------------------------------------------------- */

#define TAIL_BYTES 10 /* version and CRC64 */

static int to_buffer(void *ctx, const void *buf, size_t len)
{
	encbuf_add(ctx, buf, len);
	return 0;
}

static void function_dump_command(struct client *c)
{
	bool compress = atomic_load_explicit(&c->srv->cfg->rdbcompression, memory_order_relaxed);
	struct encbuf payload = {0};
	struct rdb_sink sink = {.write = to_buffer, .ctx = &payload};
	struct rdb_writer w;

	wait_for_change(c);
	rdb_writer_init(&w, sink, RDB_WRITE_CRC | (compress ? RDB_WRITE_COMPRESS : 0));
	functions_write(c->srv, &w);
	rdb_dump_end(&w);
	rdb_writer_fini(&w);
	reply_bulk(c, payload.ptr, payload.len);
	encbuf_fini(&payload);
}

enum restore_policy { RESTORE_APPEND, RESTORE_REPLACE, RESTORE_FLUSH };

static bool restore_policy(struct client *c, enum restore_policy *policy)
{
	static const char *const names[] = {"append", "replace", "flush"};

	*policy = RESTORE_APPEND;
	if (c->argc < 4)
		return true;
	for (int i = 0; i < 3; i++) {
		if (arg_is(&c->argv[3], names[i])) {
			*policy = (enum restore_policy)i;
			return true;
		}
	}
	reply_err(c, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or "
		     "REPLACE.");
	return false;
}

static bool payload_is_good(const struct client *c, const struct slice *payload)
{
	const uint8_t *tail = (const uint8_t *)payload->ptr + payload->len - TAIL_BYTES;
	bool obeyed = c->flags & (CLIENT_MASTER | CLIENT_REPLAY); /* a master may be newer */

	return payload->len >= TAIL_BYTES &&
	       rdb_le_decode(tail, 2) <= (obeyed ? RDB_VERSION_MAX : RDB_VERSION_WRITTEN) &&
	       crc64(0, payload->ptr, payload->len - RDB_CRC_BYTES) ==
		       rdb_le_decode(tail + 2, RDB_CRC_BYTES);
}

/* The next library's code. False: err. */
static bool payload_next(const struct rdb_input *in, size_t *pos, struct rdb_scratch *scratch,
	struct slice *code, char err[SCRIPT_ERR_MAX])
{
	const void *text;
	struct rdb_string str;
	size_t need;

	if (in->bytes[*pos] != RDB_OP_FUNCTION2) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR given type is not a function");
		return false;
	}
	++*pos;
	if (rdb_string_head(in, pos, &str, &need) != RDB_STEP_DONE ||
		rdb_string_text(in, &str, scratch, &text, &code->len) != RDB_STEP_DONE) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Failed loading library payload");
		return false;
	}
	code->ptr = text;
	return true;
}

static bool payload_load(struct client *c, struct script_vm *vm, const struct slice *payload,
	struct library_set *set, char err[SCRIPT_ERR_MAX])
{
	struct rdb_fault fault = {0};
	struct rdb_input in = {
		.bytes = (const uint8_t *)payload->ptr,
		.len = payload->len - TAIL_BYTES,
		.max_string_bytes = SIZE_MAX / 4,
		.fault = &fault,
	};
	struct rdb_scratch scratch = {0};
	size_t pos = 0;
	bool ok = true;

	while (ok && pos < in.len) {
		struct slice code;

		ok = payload_next(&in, &pos, &scratch, &code, err) &&
		     library_load(set, vm, code.ptr, code.len, false, 0, err);
	}
	rdb_scratch_trim(&scratch, 0);
	return ok;
}

static void function_restore_command(struct client *c)
{
	struct script_vm *vm = script_vm_get(c->ac, SCRIPT_VM_FUNCTION);
	struct library_set set = {0};
	enum restore_policy policy;
	char err[SCRIPT_ERR_MAX];
	bool ok;

	if (c->argc > 4) {
		reply_subcommand_syntax(c);
		return;
	}
	if (!restore_policy(c, &policy))
		return;
	if (!vm || !payload_is_good(c, &c->argv[2])) {
		reply_err(c, vm ? "ERR DUMP payload version or checksum are wrong"
				: "ERR out of memory");
		return;
	}
	ok = payload_load(c, vm, &c->argv[2], &set, err);
	for (unsigned i = 0; i < set.nr; i++)
		function_vm_note(c->ac, set.libs[i]->id);
	if (ok && policy == RESTORE_FLUSH)
		library_set_swap(libs_of(c), &set);
	else if (ok)
		ok = library_join(libs_of(c), &set, policy == RESTORE_REPLACE, err);
	libs_of(c)->changes++; /* those that did not come in are let go */
	library_set_fini(&set);
	if (!ok) {
		reply_err(c, err);
		return;
	}
	cmd_dirty(c, 1);
	reply_ok(c);
}

/* --- LIST, STATS and the rest ----------------------------------------------------------------- */

static bool list_args(struct client *c, bool *with_code, const struct slice **pattern)
{
	*with_code = false;
	*pattern = NULL;
	for (uint32_t i = 2; i < c->argc; i++) {
		if (!*with_code && arg_is(&c->argv[i], "withcode")) {
			*with_code = true;
		} else if (!*pattern && arg_is(&c->argv[i], "libraryname")) {
			if (i + 1 == c->argc) {
				reply_err(c, "ERR library name argument was not given");
				return false;
			}
			*pattern = &c->argv[++i];
		} else {
			reply_errf(
				c, "ERR Unknown argument %.*s", shown(&c->argv[i]), c->argv[i].ptr);
			return false;
		}
	}
	return true;
}

static void reply_flags(struct client *c, uint32_t flags)
{
	const char *name;

	reply_set(c, (size_t)__builtin_popcount(flags));
	for (unsigned bit = 0; (name = script_flag_name(bit)); bit++)
		if (flags & (1u << bit))
			reply_status(c, name);
}

static void reply_function(struct client *c, const struct library_function *f)
{
	reply_map(c, 3);
	reply_bulk_str(c, "name");
	reply_bulk(c, f->name.ptr, f->name.len);
	reply_bulk_str(c, "description");
	if (f->desc.ptr)
		reply_bulk(c, f->desc.ptr, f->desc.len);
	else
		reply_null(c);
	reply_bulk_str(c, "flags");
	reply_flags(c, f->flags);
}

static void reply_library(struct client *c, const struct library *lib, bool with_code)
{
	reply_map(c, with_code ? 4 : 3);
	reply_bulk_str(c, "library_name");
	reply_bulk_str(c, lib->name);
	reply_bulk_str(c, "engine");
	reply_bulk_str(c, "LUA");
	reply_bulk_str(c, "functions");
	reply_array(c, lib->nr_functions);
	for (unsigned i = 0; i < lib->nr_functions; i++)
		reply_function(c, &lib->functions[i]);
	if (with_code) {
		reply_bulk_str(c, "library_code");
		reply_bulk(c, lib->code, lib->len);
	}
}

static void function_list_command(struct client *c)
{
	const struct library_set *s = libs_of(c);
	const struct slice *pattern;
	bool with_code;
	size_t nr = 0;

	if (!list_args(c, &with_code, &pattern))
		return;
	wait_for_change(c);
	reply_defer_begin(c);
	for (unsigned i = 0; i < s->nr; i++) {
		const struct library *lib = s->libs[i];

		if (pattern &&
			!glob_match(pattern->ptr, pattern->len, lib->name, strlen(lib->name), true))
			continue;
		reply_library(c, lib, with_code);
		nr++;
	}
	reply_defer_end_array(c, nr);
}

/* The function that runs, with the command that runs it. False: none does. */
static bool reply_running(struct client *c)
{
	struct scripts *s = c->srv->scripts;
	bool runs;

	rte_spinlock_lock(&s->lock);
	runs = s->name && !(scripts_state(c->srv) & SCRIPT_STATE_EVAL);
	if (runs) {
		reply_map(c, 3);
		reply_bulk_str(c, "name");
		reply_bulk_str(c, s->name);
		reply_bulk_str(c, "command");
		reply_array(c, s->argc);
		for (uint32_t i = 0; i < s->argc; i++)
			reply_bulk(c, s->argv[i].ptr, s->argv[i].len);
		reply_bulk_str(c, "duration_ms");
		reply_int(c, (int64_t)((clock_mono_us() - s->start_us) / 1000));
	}
	rte_spinlock_unlock(&s->lock);
	return runs;
}

static void function_stats_command(struct client *c)
{
	unsigned state = scripts_state(c->srv), nr, nr_functions;
	size_t bytes;

	if ((state & SCRIPT_STATE_BUSY) && (state & SCRIPT_STATE_EVAL)) {
		reply_err(c, script_busy_text(c->srv));
		return;
	}
	library_set_counts(libs_of(c), &nr, &nr_functions, &bytes);
	reply_map(c, 2);
	reply_bulk_str(c, "running_script");
	if (!reply_running(c))
		reply_null(c);
	reply_bulk_str(c, "engines");
	reply_map(c, 1);
	reply_bulk_str(c, "LUA");
	reply_map(c, 2);
	reply_bulk_str(c, "libraries_count");
	reply_int(c, nr);
	reply_bulk_str(c, "functions_count");
	reply_int(c, nr_functions);
}

static void function_kill_command(struct client *c)
{
	script_kill(c, false);
}

static void function_help_command(struct client *c)
{
	static const char *const lines[] = {
		"DELETE <library-name>",
		"    Removes a library with its functions.",
		"DUMP",
		"    Serialises all libraries, for FUNCTION RESTORE.",
		"FLUSH [ASYNC|SYNC]",
		"    Removes all libraries.",
		"KILL",
		"    Ends the function that is running, unless it has written.",
		"LIST [LIBRARYNAME <pattern>] [WITHCODE]",
		"    Lists libraries, their functions, and their code if asked to.",
		"LOAD [REPLACE] <code>",
		"    Adds a library, or puts it in the place of the one of its name.",
		"RESTORE <payload> [FLUSH|APPEND|REPLACE]",
		"    Adds serialised libraries: in place of all (FLUSH), beside them (APPEND, otherwise),",
		"    or beside them and in place of those of the same names (REPLACE).",
		"STATS",
		"    Tells which function is running, and how many there are.",
		NULL,
	};

	reply_help(c, lines);
}

#define FUNCTION(name_, fn_, arity_, flags_, complexity_, summary_)                                \
	{                                                                                          \
		name_, fn_, arity_, flags_, .group = "scripting", .since = "7.0.0",                \
					    .categories = "scripting", .complexity = complexity_,  \
					    .summary = summary_                                    \
	}
#define LOOKS   (CMD_NOSCRIPT | CMD_SCRIPT)
#define CHANGES (CMD_NOSCRIPT | CMD_WRITE | CMD_LOCK_ALL | CMD_SCRIPT)

struct command function_subcommands[] = {
	FUNCTION("delete", function_delete_command, 3, CHANGES, "O(1)",
		"Removes a library of functions."),
	FUNCTION("dump", function_dump_command, 2, LOOKS, "O(N) in the number of functions",
		"Serialises all libraries."),
	FUNCTION("flush", function_flush_command, -2, CHANGES, "O(N) in the number of functions",
		"Removes all libraries."),
	FUNCTION("help", function_help_command, 2, CMD_LOADING | CMD_STALE, "O(1)",
		"Lists the subcommands."),
	FUNCTION("kill", function_kill_command, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
		"Ends the function that is running."),
	FUNCTION("list", function_list_command, -2, LOOKS, "O(N) in the number of functions",
		"Lists the libraries."),
	FUNCTION("load", function_load_command, -3, CHANGES | CMD_DENYOOM,
		"O(1), but for compiling", "Adds a library."),
	FUNCTION("restore", function_restore_command, -3, CHANGES | CMD_DENYOOM,
		"O(N) in the number of functions", "Adds serialised libraries."),
	FUNCTION("stats", function_stats_command, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
		"Tells which function is running."),
	{NULL},
};
