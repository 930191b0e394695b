/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/dispatch.h"

#include "app/acl/client.h"
#include "app/commands/connection.h"
#include "app/commands/evict.h"
#include "app/commands/monitor.h"
#include "app/commands/multi.h"
#include "app/commands/notify.h"
#include "app/commands/script_run.h"
#include "app/control.h"
#include "app/latency.h"
#include "app/replication.h"
#include "app/slowlog.h"
#include "app/waiting.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEYS_INLINE 64
/* Beyond its arguments, what a record of one command may need: MULTI, EXEC, SELECTs, numbers and
 * IDs as text; and what a command inside of MULTI adds to that of its EXEC. Longer effects are
 * admitted by prop_admit(). */
#define RECORD_SLACK 8192
#define QUEUED_SLACK 512
#define REFUSAL_MAX  256 /* ACL_TEXT_MAX */

static inline bool is_applier(const struct client *c)
{
	return c->flags & (CLIENT_MASTER | CLIENT_REPLAY);
}

/* --- refusals --- */

static void unknown_text(struct client *c, char *err, size_t err_len)
{
	size_t n, args = 0;

	n = (size_t)snprintf(err, err_len, "ERR unknown command '%.*s', with args beginning with: ",
		(int)(c->argv[0].len < 128 ? c->argv[0].len : 128), c->argv[0].ptr);
	for (uint32_t i = 1; i < c->argc && args < 128; i++) {
		size_t room = 128 - args;

		args += (size_t)snprintf(err + n + args, err_len - n - args, "'%.*s' ",
			(int)(c->argv[i].len < room ? c->argv[i].len : room), c->argv[i].ptr);
	}
}

static void full_name(const struct command *cmd, char *buf, size_t size)
{
	if (cmd->parent)
		snprintf(buf, size, "%s|%s", cmd->parent->name, cmd->name);
	else
		snprintf(buf, size, "%s", cmd->name);
}

const struct command *command_find(struct client *c, char *err, size_t err_len)
{
	const struct command *container = NULL;
	const struct command *cmd = command_lookup(c->srv, c->argv, c->argc, &container);
	char name[96];

	if (!cmd && container) {
		snprintf(err, err_len, "ERR unknown subcommand '%.*s'. Try %s HELP.",
			(int)(c->argv[1].len < 128 ? c->argv[1].len : 128), c->argv[1].ptr,
			container->name);
		for (char *p = strstr(err, "Try "); p && *p; p++)
			if (*p >= 'a' && *p <= 'z' && p > strstr(err, "Try ") + 3)
				*p = (char)(*p - 'a' + 'A');
		return NULL;
	}
	if (!cmd) {
		unknown_text(c, err, err_len);
		return NULL;
	}
	if ((cmd->arity > 0 && (uint32_t)cmd->arity != c->argc) ||
		(cmd->arity < 0 && c->argc < (uint32_t)-cmd->arity)) {
		full_name(cmd, name, sizeof(name));
		snprintf(err, err_len, "ERR wrong number of arguments for '%s' command", name);
		return NULL;
	}
	return cmd;
}

static const char misconf_rdb[] =
	"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
	"that may modify the data set are disabled, because this instance is configured to report errors during "
	"writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
	"details about the RDB error.";

/* The last snapshot has failed. For want of room in the pool, only removing helps, so what removes
 * is let through; otherwise it is an RDB file that cannot be written, and all is as in Redis, where
 * PING tells it too. */
static const char *refuse_unsaved(
	const struct server *srv, const struct command *cmd, uint32_t flags)
{
	if (!flag_on(&srv->snapshot_failed) || !flag_on(&srv->cfg->stop_writes_on_bgsave_error))
		return NULL;
	if (flag_on(&srv->snapshot_no_room))
		return flags & CMD_DENYOOM ? propagate_full_text : NULL;
	if (__atomic_load_n(&srv->cfg->nr_save, __ATOMIC_RELAXED) == 0)
		return NULL;
	return (flags & CMD_WRITE) || cmd->fn == ping_command ? misconf_rdb : NULL;
}

const char *command_refuse_unsaved(const struct server *srv, const struct command *cmd)
{
	return refuse_unsaved(srv, cmd, cmd->flags);
}

bool command_is_unsaved(const struct server *srv)
{
	return flag_on(&srv->snapshot_failed) && flag_on(&srv->cfg->stop_writes_on_bgsave_error) &&
	       __atomic_load_n(&srv->cfg->nr_save, __ATOMIC_RELAXED) != 0;
}

/* What a command does; EXEC does what its commands do, and what runs a script what the script says.
 */
static uint32_t flags_of(const struct client *c, const struct command *cmd)
{
	if (cmd->flags & CMD_SCRIPT)
		return script_command_flags(c, cmd);
	return cmd->fn == exec_command ? cmd->flags | tx_flags(c) : cmd->flags;
}

/* Every one of them has the flag. */
static bool all_have(const struct client *c, const struct command *cmd, uint32_t flag)
{
	return (flags_of(c, cmd) & flag) &&
	       !(cmd->fn == exec_command && (!(cmd->flags & flag) || (tx_lacks(c) & flag)));
}

/* What is queued takes memory, whatever it is. */
static bool takes_memory(const struct client *c, const struct command *cmd)
{
	if (flags_of(c, cmd) & CMD_DENYOOM)
		return true;
	return (c->flags & CLIENT_MULTI) && cmd->fn != exec_command && cmd->fn != discard_command &&
	       cmd->fn != quit_command && cmd->fn != reset_command;
}

/* The refusals that depend on the node's state, in Redis' order. NULL: none. */
static const char *refuse_by_state(struct client *c, const struct command *cmd)
{
	struct server *srv = c->srv;
	bool write = flags_of(c, cmd) & CMD_WRITE;
	bool replica = flag_on(&srv->is_replica);
	const char *unsaved;

	c->ac->out_of_memory = !evict_for_command(c->ac);
	tracking_limit(c->ac);
	if (c->ac->out_of_memory && takes_memory(c, cmd))
		return REPLY_OOM;
	unsaved = refuse_unsaved(srv, cmd, flags_of(c, cmd));
	if (unsaved)
		return unsaved;
	if (write && !replica && !repl_enough_replicas(srv, c->now_ms))
		return "NOREPLICAS Not enough good replicas to write.";
	if (write && replica && flag_on(&srv->cfg->replica_read_only))
		return "READONLY You can't write against a read only replica.";
	return NULL;
}

/* The data are not there, or not those of now. */
static const char *refuse_while_absent(const struct client *c, const struct command *cmd)
{
	struct server *srv = c->srv;

	if (flag_on(&srv->is_replica) && !all_have(c, cmd, CMD_STALE) &&
		!flag_on(&srv->cfg->replica_serve_stale_data) && !repl_link_up(srv))
		return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
	if (flag_on(&srv->loading) && !all_have(c, cmd, CMD_LOADING))
		return "LOADING Redis is loading the dataset in memory";
	return cmd->flags & CMD_ALLOW_BUSY ? NULL : script_busy_text(srv);
}

static bool is_of_subscribers(const struct command *cmd)
{
	return cmd->fn == ping_command || cmd->fn == quit_command || cmd->fn == reset_command ||
	       ((cmd->flags & CMD_PUBSUB) && (cmd->flags & CMD_NOSCRIPT));
}

/* With RESP2 a subscriber could not tell a reply from a message. */
static const char *refuse_subscriber(
	const struct client *c, const struct command *cmd, char text[REFUSAL_MAX])
{
	char name[COMMAND_NAME_MAX];

	if (!(c->flags & CLIENT_PUBSUB) || c->resp != 2 || is_of_subscribers(cmd))
		return NULL;
	snprintf(text, REFUSAL_MAX,
		"ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
		"are allowed in this context",
		command_full_name(cmd, name));
	return text;
}

/* The text to refuse the command with, or NULL. */
static const char *refuse(struct client *c, const struct command *cmd, char text[REFUSAL_MAX])
{
	const char *refusal;

	if (is_applier(c))
		return NULL;
	if (!(cmd->flags & CMD_NO_AUTH) && acl_client_must_login(c))
		return "NOAUTH Authentication required.";
	if ((c->flags & CLIENT_MULTI) && (cmd->flags & CMD_NO_MULTI))
		return "ERR Command not allowed inside a transaction";
	if ((c->flags & CLIENT_LIMITED) && !acl_client_may(c, cmd, text))
		return text;
	refusal = refuse_by_state(c, cmd);
	if (!refusal)
		refusal = refuse_subscriber(c, cmd, text);
	if (!refusal)
		refusal = refuse_while_absent(c, cmd);
	if (refusal)
		return refusal;
	if ((c->flags & (CLIENT_REPLICA | CLIENT_MONITOR)) &&
		(flags_of(c, cmd) & (CMD_WRITE | CMD_READONLY | CMD_MAY_REPLICATE)))
		return "ERR Replica can't interact with the keyspace";
	return NULL;
}

static bool is_paused(struct client *c, const struct command *cmd)
{
	struct server *srv = c->srv;
	int64_t until = atomic_load_explicit(&srv->pause_until_ms, memory_order_relaxed);

	if (until <= c->now_ms || is_applier(c) || (c->flags & CLIENT_REPLICA))
		return false;
	return atomic_load_explicit(&srv->pause_all_until_ms, memory_order_relaxed) > c->now_ms ||
	       (flags_of(c, cmd) & (CMD_WRITE | CMD_MAY_REPLICATE));
}

/* --- execution --- */

/* Calls fn for each key of the command. */
static void each_key(struct client *c, const struct command *cmd,
	void (*fn)(struct client *c, const struct slice *key, void *ctx), void *ctx)
{
	uint32_t inl[KEYS_INLINE], *pos = inl, *heap = NULL;
	int n;

	if ((cmd->first_key == 0 && !cmd->keys) || (cmd->flags & CMD_NOT_KEYS))
		return;
	n = command_keys(cmd, c->argv, c->argc, pos, KEYS_INLINE);
	if (n > KEYS_INLINE) {
		heap = malloc(sizeof(*heap) * (size_t)n);
		BUG_ON(!heap);
		pos = heap;
		n = command_keys(cmd, c->argv, c->argc, pos, (uint32_t)n);
	}
	for (int i = 0; i < n; i++)
		fn(c, &c->argv[pos[i]], ctx);
	free(heap);
}

static void lock_key(struct client *c, const struct slice *key, void *ctx)
{
	ks_lockset_add(ctx, cmd_key(c, key).part);
}

void command_lockset(struct client *c, const struct command *cmd, struct ks_lockset *ls)
{
	if ((cmd->flags & CMD_LOCK_ALL) || (cmd->locks_all && cmd->locks_all(c->argv, c->argc))) {
		ks_lockset_all(ls);
		return;
	}
	if (cmd->flags & CMD_LOCK_QUEUED)
		tx_lockset(c, ls);
	else
		each_key(c, cmd, lock_key, ls);
}

struct hold {
	int64_t expired_ms; /* of a read: it changes only what has expired */
	bool held;
};

static void hold_key(struct client *c, const struct slice *key, void *ctx)
{
	struct hold *hold = ctx;
	struct ks_key k = cmd_key(c, key);

	hold->held |= ks_snap_hold(c->srv->ks, c->core_id, c->db, &k, hold->expired_ms);
}

/* Its partitions are locked. */
static bool is_held(struct client *c, const struct command *cmd)
{
	bool writes = cmd->flags & (CMD_WRITE | CMD_SCRIPT);
	struct hold hold = {.expired_ms = writes ? 0 : c->now_ms};

	if (cmd->flags & CMD_LOCK_QUEUED)
		return tx_is_held(c);
	if (!(cmd->flags & (CMD_LOCK_ALL | CMD_LOCK_SELF)))
		each_key(c, cmd, hold_key, &hold);
	return hold.held;
}

bool command_held(struct client *c, const struct command *cmd)
{
	if (!ks_snap_active(c->srv->ks) || !is_held(c, cmd))
		return false;
	c->ac->retries_snapshot++;
	return true;
}

static void count_call(struct client *c, const struct command *cmd, uint64_t cycles)
{
	struct command_stats *st = &c->ac->stats[cmd->id];
	uint64_t usec = app_core_us(c->ac, cycles);
	int64_t slow;

	st->calls++;
	st->cycles += cycles;
	if (flag_on(&c->srv->cfg->latency_tracking))
		st->hist[latency_bucket(usec)]++;
	c->ac->nr_commands++;
	if (is_applier(c))
		return;
	slow = atomic_load_explicit(&c->srv->cfg->slowlog_slower_than_us, memory_order_relaxed);
	if ((int64_t)usec >= slow && slow >= 0 && !(cmd->flags & CMD_SKIP_SLOWLOG))
		slowlog_add(c->srv, c, usec);
	latency_add_us(c->srv, cmd->flags & CMD_FAST ? "fast-command" : "command", usec);
}

/* What the command touches is kept until it has ended; not if it does not hold the locks until
 * then. */
static inline void listening_begin(struct app_core *ac, const struct command *cmd)
{
	ac->listeners.in_command = !(cmd->flags & (CMD_LOCK_SELF | CMD_LOCK_QUEUED | CMD_SCRIPT));
}

static inline void listening_end(struct app_core *ac)
{
	ac->listeners.in_command = false;
	if (ac->tracking.touched.len)
		tracking_touched(ac, propagation_changed(ac));
	if (ac->listeners.nr_touched)
		listeners_touched(ac);
}

void command_call(struct client *c, const struct command *cmd)
{
	/* In a batch, one command begins where the one before ended. */
	uint64_t start = c->ac->call_end ? c->ac->call_end : clock_cycles(), end;
	struct client *outer = c->ac->tracking.running;

	c->ac->errors_seen = c->ac->error_replies;
	c->cmd = cmd;
	c->ac->tracking.running = c;
	listening_begin(c->ac, cmd);
	cmd->fn(c);
	listening_end(c->ac);
	c->ac->tracking.running = outer;
	if (c->retry)
		return;
	if ((c->flags & (CLIENT_TRACKING | CLIENT_SCRIPT)) &&
		(cmd->flags & (CMD_READONLY | CMD_PUBSUB | CMD_SCRIPT)) == CMD_READONLY)
		tracking_remember(c);
	if (c->ac->error_replies != c->ac->errors_seen)
		c->ac->stats[cmd->id].failed++;
	c->ac->errors_seen = c->ac->error_replies; /* of a script: only what is its own */
	end = clock_cycles();
	if (c->ac->call_end)
		c->ac->call_end = end;
	count_call(c, cmd, end - start);
	if (atomic_load_explicit(&c->srv->nr_monitors, memory_order_relaxed) && !is_applier(c) &&
		!(cmd->flags & (CMD_SKIP_MONITOR | CMD_ADMIN)))
		monitor_feed(c, c->argc, c->argv);
}

static size_t record_bound(const struct client *c, size_t slack)
{
	size_t n = slack;

	for (uint32_t i = 0; i < c->argc; i++)
		n += 2 * c->argv[i].len + 64; /* and a DEL of it, when it is an expired key */
	return n;
}

size_t command_record_bound(const struct client *c)
{
	return record_bound(c, RECORD_SLACK);
}

static int admit_bytes(struct app_core *ac, uint32_t flags, size_t need)
{
	return flags & CMD_DENYOOM ? propagate_admit_data(ac, need) : propagate_admit(ac, need);
}

/* Room in the log for what the command may write. RUN_DONE: there is. */
static enum run_result admit(struct client *c, const struct command *cmd, bool *refused)
{
	uint32_t flags = flags_of(c, cmd);
	size_t need;
	int rc;

	*refused = false;
	c->ac->admitted = 0;
	c->ac->local = flag_on(&c->srv->is_replica);
	if (is_applier(c) || c->ac->local || !(flags & (CMD_WRITE | CMD_MAY_REPLICATE)))
		return RUN_DONE;
	need = record_bound(c, RECORD_SLACK) + (cmd->fn == exec_command ? c->tx->need : 0) +
	       (flags & CMD_SCRIPT ? SCRIPT_LOG_BYTES : 0);
	rc = admit_bytes(c->ac, flags, need);
	if (rc && group_bytes(&c->ac->group)) {
		group_end(c->ac);
		rc = admit_bytes(c->ac, flags, need);
	}
	c->ac->admitted = need;
	if (rc == -EAGAIN && propagate_stays_full(c->srv)) {
		*refused = true;
		reply_err(c, propagate_full_text);
		return RUN_DONE;
	}
	if (rc == -EAGAIN) {
		c->ac->retries_log_full++;
		return RUN_RETRY;
	}
	if (rc) {
		*refused = true;
		reply_err(c,
			"ERR the command is larger than the log in persistent memory can take (pmem-size)");
	}
	return RUN_DONE;
}

/* The node's role has changed since the command was let in: it is looked at anew. Asked under the
 * command's locks, so that who has changed the role and then had every lock knows of nobody who
 * still acts by the former one. */
static bool role_changed(const struct client *c)
{
	return !is_applier(c) && flag_on(&c->srv->is_replica) != c->ac->local;
}

static enum run_result run_ended(struct client *c)
{
	propagation_reset(c->ac);
	if (c->retry) {
		c->retry = false;
		c->ac->retries_busy++;
		return RUN_RETRY;
	}
	return c->flags & CLIENT_BLOCKED ? RUN_BLOCK : RUN_DONE;
}

/* Locks, runs, logs, serves who waits for it, unlocks. */
static enum run_result run_set(struct client *c, const struct command *cmd)
{
	struct keyspace *ks = c->srv->ks;
	bool may_wait = flags_of(c, cmd) & CMD_SCRIPT; /* it has the token */
	struct ks_lockset ls;
	uint64_t end;

	group_end(c->ac);
	ks_lockset_init(&ls);
	command_lockset(c, cmd, &ls);
	if (!waiting_lock(c->ac, &ls)) {
		ks_lockset_fini(&ls);
		c->ac->retries_busy++;
		return RUN_RETRY;
	}
	if (role_changed(c) || command_held(c, cmd)) {
		ks_lockset_unlock(ks, &ls);
		ks_lockset_fini(&ls);
		return RUN_RETRY;
	}
	c->retry = false;
	c->ac->locks = &ls;
	command_call(c, cmd);
	c->ac->locks = NULL;
	end = propagate_effects(c);
	if (end) {
		ks_lockset_set_written(ks, &ls, end);
		c->last_write_off = end;
	}
	client_gate_raise(c, end ? end : ks_lockset_written(ks, &ls));
	notify_tell(c);
	waiting_serve_ready(c->ac, &ls, may_wait, c->now_ms, c->ac->local);
	ks_lockset_unlock(ks, &ls);
	ks_lockset_fini(&ls);
	return run_ended(c);
}

/* Somebody may have to be served, which takes more than the partition; it is locked. */
static inline bool is_waited_for(const struct server *srv, uint32_t part)
{
	return __builtin_expect(
		       atomic_load_explicit(&srv->nr_waits, memory_order_relaxed) != 0, 0) &&
	       waiting_in_part(srv, part);
}

/* run_locked() for a command with one key. */
static enum run_result run_one_part(struct client *c, const struct command *cmd, uint32_t part)
{
	enum group_lock lock = group_part_lock(c->ac, part);

	if (lock == GROUP_BUSY) {
		c->ac->retries_busy++;
		return RUN_RETRY;
	}
	if (role_changed(c) || command_held(c, cmd)) {
		group_part_unlock(c->ac, part, lock);
		return RUN_RETRY;
	}
	if (is_waited_for(c->srv, part)) {
		group_part_unlock(c->ac, part, lock);
		return run_set(c, cmd);
	}
	c->retry = false;
	command_call(c, cmd);
	group_command_done(c, part, lock);
	return run_ended(c);
}

static enum run_result run_locked(struct client *c, const struct command *cmd)
{
	if (cmd->first_key > 0 && cmd->last_key == cmd->first_key && !cmd->keys &&
		!(cmd->flags & (CMD_LOCK_ALL | CMD_LOCK_SELF | CMD_NOT_KEYS)))
		return run_one_part(c, cmd, cmd_key(c, &c->argv[cmd->first_key]).part);
	return run_set(c, cmd);
}

static enum run_result reject(struct client *c, const struct command *cmd, const char *text)
{
	if (cmd)
		c->ac->stats[cmd->id].rejected++;
	tx_fail(c);
	if (cmd && cmd->fn == exec_command) {
		tx_discard(c);
		reply_errf(c, "EXECABORT Transaction discarded because of: %s", text);
	} else {
		reply_err(c, text);
	}
	return RUN_DONE;
}

/* A web page that makes the browser send requests here: the body of a POST could hold commands. */
static bool is_browser(struct client *c)
{
	static atomic_llong told_ms;
	long long before = atomic_load(&told_ms);

	if (!arg_is(&c->argv[0], "post") && !arg_is(&c->argv[0], "host:"))
		return false;
	if (c->now_ms - before >= 60000 &&
		atomic_compare_exchange_strong(&told_ms, &before, c->now_ms))
		server_log(c->srv, 3,
			"client: closed peer=%s reason=it speaks HTTP, perhaps an attack by way of a browser",
			client_peer(c, (char[CLIENT_ADDR]){0}));
	return true;
}

/* NULL: it is unknown or has the wrong number of arguments, and was told so or closed. */
static __attribute__((noinline)) const struct command *find_or_reject(struct client *c)
{
	char err[512];
	const struct command *cmd = command_find(c, err, sizeof(err));

	if (!cmd && is_browser(c))
		client_abort(c);
	else if (!cmd) /* of a command that there is, its statistics tell */
		reject(c, command_lookup(c->srv, c->argv, c->argc, NULL), err);
	return cmd;
}

enum run_result command_run(struct client *c, const struct command *cmd)
{
	char text[REFUSAL_MAX];
	const char *refusal;
	enum run_result rc;
	bool refused;

	acl_core_look(c->ac, NULL);
	if (!cmd)
		cmd = find_or_reject(c);
	if (!cmd || (c->flags & CLIENT_ASAP)) /* its user may be gone */
		return RUN_DONE;
	refusal = refuse(c, cmd, text);
	if (refusal)
		return reject(c, cmd, refusal);
	if (is_paused(c, cmd))
		return RUN_PAUSED;
	if ((c->flags & CLIENT_MULTI) && tx_queues(cmd)) {
		tx_queue(c, cmd,
			record_bound(c, cmd->flags & CMD_SCRIPT ? RECORD_SLACK : QUEUED_SLACK));
		return RUN_DONE;
	}
	rc = admit(c, cmd, &refused);
	if (refused && cmd->fn == exec_command)
		tx_discard(c);
	if (rc != RUN_DONE || refused)
		return rc;
	atomic_store_explicit(&c->last_cmd, cmd, memory_order_relaxed);
	if (flags_of(c, cmd) & CMD_SCRIPT)
		return script_exec(c, cmd, run_locked);
	return run_locked(c, cmd);
}

bool command_reads_begin(struct app_core *ac)
{
	struct server *srv = ac->srv;
	const struct config *cfg = srv->cfg;

	acl_core_look(ac, NULL);
	ac->admitted = 0;
	ac->local = flag_on(&srv->is_replica);
	if (atomic_load_explicit(&srv->pause_until_ms, memory_order_relaxed) > ac->now_ms ||
		atomic_load_explicit(&cfg->maxmemory, memory_order_relaxed) ||
		flag_on(&srv->loading) || script_busy_text(srv))
		return false;
	return !ac->local || flag_on(&cfg->replica_serve_stale_data) || repl_link_up(srv);
}

enum run_result command_run_read(struct client *c, const struct command *cmd, uint32_t part)
{
	c->ac->admitted = 0;
	atomic_store_explicit(&c->last_cmd, cmd, memory_order_relaxed);
	return run_one_part(c, cmd, part);
}

void cmd_retry(struct client *c)
{
	c->retry = true;
}
