/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What scripts ask of the node: redis.call and its kin, and whether they are to end.
 */
#include "app/commands/script_core.h"

#include "app/acl/client.h"
#include "app/commands/debug_cmds.h"
#include "app/commands/server_cmds.h"
#include "app/control.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A script leaves its core to others after so long. */
#define SLICE_US 2000

static struct script_core *core_of(struct script_run *run)
{
	return run->c->ac->script;
}

static bool is_obeyed(const struct script_core *sk)
{
	return sk->user->flags & (CLIENT_MASTER | CLIENT_REPLAY);
}

/* --- refusals, in Redis' order ---------------------------------------------------------------- */

/* With the refusals off (DEBUG SET-DISABLE-DENY-SCRIPTS) what answers at once may run: nothing that
 * changes what the caller's connection is, of which it has none. */
static bool is_denied(const struct script_core *sk, const struct command *cmd)
{
	if (!(cmd->flags & CMD_NOSCRIPT))
		return false;
	if (!flag_on(&sk->ac->srv->scripts->deny_off) || (cmd->flags & CMD_SCRIPT))
		return true;
	return !cmd->parent && cmd->fn != debug_command;
}

static const char *refuse_stale(const struct server *srv, const struct command *cmd)
{
	if (!flag_on(&srv->is_replica) || repl_link_up(srv) ||
		flag_on(&srv->cfg->replica_serve_stale_data) || (cmd->flags & CMD_STALE))
		return NULL;
	return "ERR Can not execute the command on a stale replica";
}

static bool has_written(const struct server *srv)
{
	return scripts_state(srv) & SCRIPT_STATE_WROTE;
}

static const char *refuse_write(const struct script_core *sk, const struct command *cmd)
{
	struct server *srv = sk->ac->srv;

	if (sk->read_only && (cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)))
		return "ERR Write commands are not allowed from read-only scripts.";
	/* What has begun to write is not stopped in its middle. */
	if (!(cmd->flags & CMD_WRITE) || has_written(srv))
		return NULL;
	if (flag_on(&srv->is_replica) && flag_on(&srv->cfg->replica_read_only) && !is_obeyed(sk))
		return "READONLY You can't write against a read only replica.";
	if (!is_obeyed(sk) && command_refuse_unsaved(srv, cmd))
		return command_refuse_unsaved(srv, cmd);
	if (!flag_on(&srv->is_replica) && !is_obeyed(sk) &&
		!repl_enough_replicas(srv, sk->ac->now_ms))
		return "NOREPLICAS Not enough good replicas to write.";
	return NULL;
}

static const char *refuse_oom(const struct script_core *sk, const struct command *cmd)
{
	if (sk->allow_oom || is_obeyed(sk) || !sk->out_of_memory || has_written(sk->ac->srv) ||
		!(cmd->flags & CMD_DENYOOM))
		return NULL;
	return REPLY_OOM;
}

static const char *refuse_call(const struct script_core *sk, const struct command *cmd,
	uint32_t argc, const struct slice *argv, char text[ACL_TEXT_MAX])
{
	const char *refusal;

	if (!cmd)
		return "ERR Unknown Redis command called from script";
	if (cmd->arity > 0 ? (uint32_t)cmd->arity != argc : argc < (uint32_t)-cmd->arity)
		return "ERR Wrong number of args calling Redis command from script";
	if (is_denied(sk, cmd))
		return "ERR This Redis command is not allowed from script";
	refusal = refuse_stale(sk->ac->srv, cmd);
	if (!refusal && !acl_script_may(sk->user, cmd, argc, argv, text))
		refusal = text;
	if (!refusal)
		refusal = refuse_write(sk, cmd);
	return refusal ? refusal : refuse_oom(sk, cmd);
}

/* --- room in the log -------------------------------------------------------------------------- */

static bool hold(struct script_core *sk, size_t bytes)
{
	struct app_core *ac = sk->ac;
	size_t total = ac->admitted - sk->log_bytes + bytes;

	if (log_hold(ac->log, total))
		return false;
	ac->admitted = total;
	sk->log_bytes = bytes;
	return true;
}

/* Before a command that may write. What the script has done already cannot be taken back, so it is
 * told that there is no room, rather than that it waits: a snapshot, which would bring room, needs
 * the partitions that it holds. */
static const char *admit(struct script_core *sk, const struct command *cmd)
{
	struct app_core *ac = sk->ac;
	size_t need;

	if (is_obeyed(sk) || ac->local || !(cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)))
		return NULL;
	need = propagation_bytes(ac) - sk->log_start + command_record_bound(sk->caller);
	if (need <= sk->log_bytes || hold(sk, 2 * need) || hold(sk, need))
		return NULL;
	if (need > log_append_max(ac->srv->log))
		return "ERR the script's effects are longer than the log in persistent memory can "
		       "take at once (pmem-size)";
	return "ERR the log in persistent memory has no room for this now";
}

/* --- running a command ------------------------------------------------------------------------ */

static void lock_keys(struct script_core *sk, const struct command *cmd)
{
	struct keyspace *ks = sk->ac->srv->ks;
	struct ks_lockset want;

	if (cmd->flags & (CMD_LOCK_ALL | CMD_LOCK_SELF)) {
		ks_lockset_extend_all(ks, sk->ac->locks);
		return;
	}
	ks_lockset_init(&want);
	command_lockset(sk->caller, cmd, &want);
	if (want.all)
		ks_lockset_extend_all(ks, sk->ac->locks);
	for (uint32_t i = 0; i < want.nr; i++)
		ks_lockset_extend(ks, sk->ac->locks, want.parts[i]);
	ks_lockset_fini(&want);
}

/* It cannot be ended from here on; unless somebody has just done so. */
static bool begin_to_write(struct server *srv)
{
	atomic_uint *state = &srv->scripts->state;
	unsigned was = atomic_load(state);

	while (!(was & SCRIPT_STATE_KILLED)) {
		if (atomic_compare_exchange_weak(state, &was, was | SCRIPT_STATE_WROTE))
			return true;
	}
	return false;
}

static bool run_command(struct script_core *sk, const struct command *cmd, struct slice *reply)
{
	struct client *caller = sk->caller;

	lock_keys(sk, cmd);
	free(sk->reply);
	reply_capture_begin(caller);
	caller->user = sk->user->user; /* borrowed: nobody looks at it but the command */
	command_call(caller, cmd);
	caller->user = NULL;
	sk->reply = reply_capture_end(caller, &reply->len);
	reply->ptr = sk->reply;
	BUG_ON(caller->retry);
	if (sk->run.repl == SCRIPT_REPL_NONE)
		propagate_drop(caller);
	else
		propagate_collect(caller);
	caller->flags &= ~(uint32_t)CLIENT_BLOCKED;
	return sk->reply;
}

static bool call(struct script_run *run, uint32_t argc, const struct slice *argv,
	struct slice *reply, char err[SCRIPT_ERR_MAX])
{
	struct script_core *sk = core_of(run);
	struct client *caller = sk->caller;
	const struct command *cmd = command_lookup(caller->srv, argv, argc, NULL);
	char text[ACL_TEXT_MAX];
	const char *refusal = refuse_call(sk, cmd, argc, argv, text);

	caller->argv = (struct slice *)(uintptr_t)argv;
	caller->argc = argc;
	if (!refusal)
		refusal = admit(sk, cmd);
	if (!refusal && (cmd->flags & CMD_WRITE) && !begin_to_write(caller->srv))
		refusal = "ERR Script killed by user with SCRIPT KILL...";
	if (!refusal && !run_command(sk, cmd, reply))
		refusal = "ERR out of memory";
	if (!refusal)
		return true;
	reply_count_error(caller, refusal);
	sk->ac->errors_seen = sk->ac->error_replies; /* it is the command's, not the script's */
	if (cmd)
		sk->ac->stats[cmd->id].rejected++;
	snprintf(err, SCRIPT_ERR_MAX, "%s", refusal);
	return false;
}

static int may_run(struct script_run *run, uint32_t argc, const struct slice *argv)
{
	const struct command *cmd = command_lookup(run->c->srv, argv, argc, NULL);
	uint32_t at;

	if (!cmd)
		return -1;
	return acl_check(core_of(run)->user->user, cmd, argv, argc, &at) == ACL_ALLOWED;
}

static void set_resp(struct script_run *run, int resp)
{
	core_of(run)->caller->resp = (uint8_t)resp;
}

static void log_text(void *ctx, int level, const char *text, size_t len)
{
	struct script_core *sk = ctx;

	server_log(sk->ac->srv, level, "%.*s", (int)(len < 1024 ? len : 1024), text);
}

/* --- time ------------------------------------------------------------------------------------- */

static void tell_busy(struct script_core *sk, uint64_t ms)
{
	struct server *srv = sk->ac->srv;
	bool is_eval = scripts_state(srv) & SCRIPT_STATE_EVAL;

	sk->told_busy = true;
	atomic_fetch_or(&srv->scripts->state, SCRIPT_STATE_BUSY);
	server_log(srv, 3,
		"script: still running after ms=%llu name=%s; %s KILL ends it, unless it has written",
		(unsigned long long)ms, sk->run.name, is_eval ? "SCRIPT" : "FUNCTION");
}

static bool is_killed(struct script_core *sk)
{
	if (!(scripts_state(sk->ac->srv) & SCRIPT_STATE_KILLED))
		return false;
	server_log(sk->ac->srv, 3, "script: ended by a client name=%s", sk->run.name);
	return true;
}

static bool interrupt(struct script_run *run)
{
	struct script_core *sk = core_of(run);
	struct server *srv = sk->ac->srv;
	long long limit = atomic_load_explicit(&srv->cfg->busy_reply_ms, memory_order_relaxed);
	uint64_t now = clock_mono_us();
	uint64_t ms = (now - srv->scripts->start_us) / 1000;

	if (limit > 0 && !sk->told_busy && (long long)ms >= limit)
		tell_busy(sk, ms);
	if (is_killed(sk))
		return true;
	if (now - sk->slice_us < SLICE_US)
		return false;
	script_leave(sk);
	return is_killed(sk);
}

const struct script_host script_host = {
	.call = call,
	.acl_check = may_run,
	.interrupt = interrupt,
	.set_resp = set_resp,
	.log = log_text,
};
