/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG: for tests of the node. Allowed by enable-debug-command.
 *
 * A subcommand that needs partitions locks them itself (CMD_LOCK_SELF). SLEEP and POPULATE hold all
 * of them for as long as they take, as they would stop a server of one thread: that is what they
 * are for.
 */
#include "app/commands/debug_cmds.h"

#include "app/commands/dispatch.h"
#include "app/commands/script_run.h"
#include "app/commands/server_cmds.h"
#include "app/control.h"
#include "app/replication.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Longest time that DEBUG SLEEP stops the node for. */
#define SLEEP_MAX_S 3600.0

bool debug_lock_all(struct client *c, struct ks_lockset *ls)
{
	ks_lockset_init(ls);
	ks_lockset_all(ls);
	if (c->ac->in_exec || ks_lockset_try(c->srv->ks, ls))
		return true;
	ks_lockset_fini(ls);
	cmd_retry(c);
	return false;
}

void debug_unlock_all(struct client *c, struct ks_lockset *ls)
{
	uint64_t written = ks_lockset_written(c->srv->ks, ls);

	if (written > c->gate)
		c->gate = written;
	if (!c->ac->in_exec)
		ks_lockset_unlock(c->srv->ks, ls);
	ks_lockset_fini(ls);
}

static void debug_sleep(struct client *c)
{
	char text[64];
	size_t len = c->argv[2].len < sizeof(text) - 1 ? c->argv[2].len : sizeof(text) - 1;
	struct timespec left;
	struct ks_lockset ls;
	double s;

	memcpy(text, c->argv[2].ptr, len);
	text[len] = '\0';
	s = strtod(text, NULL);
	if (!(s > 0))
		s = 0;
	if (s > SLEEP_MAX_S)
		s = SLEEP_MAX_S;
	if (!debug_lock_all(c, &ls))
		return;
	left.tv_sec = (time_t)s;
	left.tv_nsec = (long)((s - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
	debug_unlock_all(c, &ls);
	reply_ok(c);
}

static void debug_active_expire(struct client *c)
{
	bool off = c->argv[2].len == 0 || c->argv[2].ptr[0] == '0';

	atomic_store_explicit(&c->srv->active_expire, !off, memory_order_relaxed);
	reply_ok(c);
}

static void debug_deny_scripts(struct client *c)
{
	bool off = c->argv[2].len > 0 && c->argv[2].ptr[0] != '0';

	atomic_store_explicit(&c->srv->scripts->deny_off, off, memory_order_relaxed);
	reply_ok(c);
}

static void debug_log(struct client *c)
{
	const struct slice *text = &c->argv[2];

	server_log(c->srv, 3, "DEBUG LOG: %.*s", (int)(text->len < 1024 ? text->len : 1024),
		text->ptr);
	reply_ok(c);
}

/* What stands behind REPLICATE goes into the log as a command, and is not executed here. */
static void debug_replicate(struct client *c)
{
	size_t need = 4096;
	int rc;

	for (uint32_t i = 2; i < c->argc; i++)
		need += c->argv[i].len + 64;
	rc = propagate_admit(c->ac, need);
	if (rc == -EAGAIN) {
		cmd_retry(c);
		return;
	}
	if (rc) {
		reply_err(c, "ERR the command is too large for the log");
		return;
	}
	prop_also(c, (int)c->argc - 2, c->argv + 2);
	reply_ok(c);
}

static void debug_change_repl_id(struct client *c)
{
	repl_change_id(c->srv);
	reply_ok(c);
}

/* As it stands: it is not an error of this node, so errorstats does not count it. */
static void debug_error(struct client *c)
{
	size_t len = c->argv[2].len;
	char *text = malloc(len + 3);

	if (!text) {
		reply_err(c, "ERR out of memory");
		return;
	}
	text[0] = '-';
	for (size_t i = 0; i < len; i++) {
		char byte = c->argv[2].ptr[i];

		text[i + 1] = byte == '\r' || byte == '\n' ? ' ' : byte;
	}
	text[len + 1] = '\r';
	text[len + 2] = '\n';
	reply_raw(c, text, len + 3);
	free(text);
}

static void debug_accept(struct client *c)
{
	/* Settings of parts that work otherwise here: lists have no packed nodes, replies no
	 * fixed buffers. */
	reply_ok(c);
}

static void debug_packed_threshold(struct client *c)
{
	int64_t bytes;

	if (!arg_int(&c->argv[2], &bytes) || bytes < 0 || bytes > INT64_C(4) << 30) {
		/* "1gb" and the like */
		char *end, text[32];
		size_t len = c->argv[2].len;

		if (len >= sizeof(text) || len == 0) {
			reply_err(c,
				"ERR argument must be a memory value bigger than 1 and smaller than 4gb");
			return;
		}
		memcpy(text, c->argv[2].ptr, len);
		text[len] = '\0';
		strtoull(text, &end, 10);
		if (end == text || *text == '-') {
			reply_err(c,
				"ERR argument must be a memory value bigger than 1 and smaller than 4gb");
			return;
		}
	}
	reply_ok(c);
}

static void debug_replybuffer(struct client *c)
{
	int64_t ms;

	if (arg_is(&c->argv[2], "resizing"))
		reply_ok(c);
	else if (!arg_is(&c->argv[2], "peak-reset-time"))
		reply_subcommand_syntax(c);
	else if (arg_is(&c->argv[3], "never") || arg_is(&c->argv[3], "reset") ||
		 arg_int_reply(c, &c->argv[3], &ms))
		reply_ok(c);
}

static void debug_panic(struct client *c)
{
	server_log(c->srv, 3, "DEBUG PANIC from client %llu", (unsigned long long)c->id);
	abort();
}

static void debug_segfault(struct client *c)
{
	server_log(c->srv, 3, "DEBUG SEGFAULT from client %llu", (unsigned long long)c->id);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

/* --- DEBUG PROTOCOL --------------------------------------------------------------------------- */

static void protocol_string(struct client *c)
{
	reply_bulk_str(c, "Hello World");
}

static void protocol_integer(struct client *c)
{
	reply_int(c, 12345);
}

static void protocol_double(struct client *c)
{
	static const char resp3[] = ",3.141\r\n";

	/* 3.141 has no short binary form: as %.17g it would read differently */
	if (c->resp == 3)
		reply_raw(c, resp3, sizeof(resp3) - 1);
	else
		reply_bulk_str(c, "3.141");
}

static void protocol_bignum(struct client *c)
{
	static const char number[] = "1234567999999999999999999999999999999";

	if (c->resp == 3) {
		reply_raw(c, "(", 1);
		reply_raw(c, number, sizeof(number) - 1);
		reply_raw(c, "\r\n", 2);
	} else {
		reply_bulk_str(c, number);
	}
}

static void reply_three(struct client *c)
{
	for (int i = 0; i < 3; i++)
		reply_int(c, i);
}

static void protocol_array(struct client *c)
{
	reply_array(c, 3);
	reply_three(c);
}

static void protocol_set(struct client *c)
{
	reply_set(c, 3);
	reply_three(c);
}

static void protocol_map(struct client *c)
{
	reply_map(c, 3);
	for (int i = 0; i < 3; i++) {
		reply_int(c, i);
		reply_bool(c, i == 1);
	}
}

static void protocol_attrib(struct client *c)
{
	static const char attribute[] =
		"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n";

	if (c->resp == 3)
		reply_raw(c, attribute, sizeof(attribute) - 1);
	reply_bulk_str(c, "Some real reply following the attribute");
}

static void protocol_push(struct client *c)
{
	if (c->resp != 3) {
		reply_err(c, "ERR RESP2 is not supported by this command");
		return;
	}
	reply_push(c, 2);
	reply_bulk_str(c, "server-cpu-usage");
	reply_int(c, 42);
	reply_bulk_str(c, "Some real reply following the push reply");
}

static void protocol_verbatim(struct client *c)
{
	static const char text[] = "This is a verbatim\nstring";

	reply_verbatim(c, text, sizeof(text) - 1, "txt");
}

static void protocol_true(struct client *c)
{
	reply_bool(c, true);
}

static void protocol_false(struct client *c)
{
	reply_bool(c, false);
}

static void debug_protocol(struct client *c)
{
	static const struct {
		const char *name;
		command_fn fn;
	} types[] = {
		{"string", protocol_string},
		{"integer", protocol_integer},
		{"double", protocol_double},
		{"bignum", protocol_bignum},
		{"null", reply_null},
		{"array", protocol_array},
		{"set", protocol_set},
		{"map", protocol_map},
		{"attrib", protocol_attrib},
		{"push", protocol_push},
		{"verbatim", protocol_verbatim},
		{"true", protocol_true},
		{"false", protocol_false},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (arg_is(&c->argv[2], types[i].name)) {
			types[i].fn(c);
			return;
		}
	}
	reply_err(c,
		"ERR Wrong protocol type name. Please use one of the following: "
		"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

/* --- the table -------------------------------------------------------------------------------- */

static void debug_help(struct client *c)
{
	static const char *const lines[] = {
		"CHANGE-REPL-ID",
		"    Take a new replication ID: replicas need a full sync afterwards.",
		"DIGEST",
		"    40 hexadecimal digits that depend on all keys and values.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    The same for single values.",
		"ERROR <string>",
		"    Reply with this error.",
		"LOADAOF",
		"    As RELOAD.",
		"LOG <message>",
		"    Write a line to the log file.",
		"OBJECT <key>",
		"    How a value is stored.",
		"PANIC",
		"    Abort the process.",
		"PAUSE-CRON <0|1>",
		"    Accepted, without effect.",
		"POPULATE <count> [<prefix>] [<size>]",
		"    Make so many string keys that do not exist yet. They do not go into the log: a",
		"    crash before the next snapshot loses them, and present replicas do not get them.",
		"PROTOCOL <type>",
		"    Reply with a value of the type: string, integer, double, bignum, null, array, set,",
		"    map, attrib, push, verbatim, true, false.",
		"QUICKLIST-PACKED-THRESHOLD <size>",
		"    Accepted, without effect.",
		"RELOAD",
		"    Serialise all data as RDB, drop it, and load it from there.",
		"REPLICATE <command> [<arg> ...]",
		"    Put a command into the log without running it.",
		"REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time> | RESIZING <0|1>",
		"    Accepted, without effect.",
		"SEGFAULT",
		"    End the process by SIGSEGV.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    Remove expired keys that nobody asks for, or not.",
		"SET-DISABLE-DENY-SCRIPTS <0|1>",
		"    Accepted, without effect.",
		"SLEEP <seconds>",
		"    Keep the data set locked for so long.",
		NULL,
	};

	reply_help(c, lines);
}

static const struct {
	const char *name;
	uint32_t min_argc, max_argc;
	command_fn fn;
} subcommands[] = {
	{"change-repl-id", 2, 2, debug_change_repl_id},
	{"digest", 2, 2, debug_digest},
	{"digest-value", 2, UINT32_MAX, debug_digest_value},
	{"error", 3, 3, debug_error},
	{"help", 2, 2, debug_help},
	{"loadaof", 2, 2, debug_reload},
	{"log", 3, 3, debug_log},
	{"object", 3, 3, debug_object},
	{"panic", 2, 2, debug_panic},
	{"pause-cron", 3, 3, debug_accept},
	{"populate", 3, 5, debug_populate},
	{"protocol", 3, 3, debug_protocol},
	{"quicklist-packed-threshold", 3, 3, debug_packed_threshold},
	{"reload", 2, UINT32_MAX, debug_reload},
	{"replicate", 3, UINT32_MAX, debug_replicate},
	{"replybuffer", 4, 4, debug_replybuffer},
	{"segfault", 2, 2, debug_segfault},
	{"set-active-expire", 3, 3, debug_active_expire},
	{"set-disable-deny-scripts", 3, 3, debug_deny_scripts},
	{"sleep", 3, 3, debug_sleep},
};

static bool allowed(struct client *c)
{
	int mode = atomic_load_explicit(&c->srv->cfg->enable_debug_mode, memory_order_relaxed);

	return mode == ENABLE_YES || (mode == ENABLE_LOCAL && (c->flags & CLIENT_LOCAL)) ||
	       (c->flags & (CLIENT_MASTER | CLIENT_REPLAY));
}

void debug_command(struct client *c)
{
	if (!allowed(c)) {
		reply_err(c, "ERR DEBUG command not allowed. If the enable-debug-command option is "
			     "set to \"local\", you can run it from a local connection, otherwise "
			     "you need to set this option in the configuration file, and then "
			     "restart the server.");
		return;
	}
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (!arg_is(&c->argv[1], subcommands[i].name))
			continue;
		if (c->argc < subcommands[i].min_argc || c->argc > subcommands[i].max_argc)
			break;
		subcommands[i].fn(c);
		return;
	}
	reply_subcommand_syntax(c);
}
