/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/script_run.h"

#include "app/client_limits.h"
#include "app/commands/monitor.h"
#include "app/commands/multi.h"
#include "app/commands/script_core.h"
#include "app/control.h"
#include "app/replication.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "persist/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIBER_STACK ((size_t)64 << 20)

/* --- of the node ------------------------------------------------------------------------------ */

int scripts_create(struct server *srv)
{
	struct scripts *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->cache = script_cache_create();
	if (!s->cache) {
		free(s);
		return -ENOMEM;
	}
	atomic_flag_clear(&s->token);
	rte_spinlock_init(&s->lock);
	srv->scripts = s;
	return 0;
}

void scripts_destroy(struct server *srv)
{
	if (!srv->scripts)
		return;
	script_cache_destroy(&srv->scripts->cache);
	library_set_fini(&srv->scripts->libs);
	free(srv->scripts);
	srv->scripts = NULL;
}

bool script_token_take(struct server *srv)
{
	/* pairs with script_token_give() */
	return !atomic_flag_test_and_set_explicit(&srv->scripts->token, memory_order_acquire);
}

void script_token_give(struct server *srv)
{
	atomic_flag_clear_explicit(&srv->scripts->token, memory_order_release);
}

const char *script_busy_text(const struct server *srv)
{
	unsigned state = scripts_state(srv);

	if (!(state & SCRIPT_STATE_BUSY))
		return NULL;
	return state & SCRIPT_STATE_EVAL
		       ? "BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
			 "SHUTDOWN NOSAVE."
		       : "BUSY Redis is busy running a script. You can only call FUNCTION KILL or "
			 "SHUTDOWN NOSAVE.";
}

static const char *refuse_kill(unsigned state, bool is_eval)
{
	if (!(state & SCRIPT_STATE_RUNS))
		return "NOTBUSY No scripts in execution right now.";
	if (state & SCRIPT_STATE_OBEYED)
		return "UNKILLABLE The busy script was sent by a master instance in the context of "
		       "replication and cannot be killed.";
	if (state & SCRIPT_STATE_WROTE)
		return "UNKILLABLE Sorry the script already executed write commands against the "
		       "dataset. You can either wait the script termination or kill the server in a "
		       "hard way using the SHUTDOWN NOSAVE command.";
	if (is_eval && !(state & SCRIPT_STATE_EVAL))
		return "BUSY Redis is busy running a script. You can only call FUNCTION KILL or "
		       "SHUTDOWN NOSAVE.";
	if (!is_eval && (state & SCRIPT_STATE_EVAL))
		return "BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
		       "SHUTDOWN NOSAVE.";
	return NULL;
}

void script_kill(struct client *c, bool is_eval)
{
	struct scripts *s = c->srv->scripts;
	unsigned state = atomic_load(&s->state);
	const char *refusal;

	/* It may write, or end and another begin, at this very moment. */
	do {
		refusal = refuse_kill(state, is_eval);
	} while (!refusal &&
		 !atomic_compare_exchange_weak(&s->state, &state, state | SCRIPT_STATE_KILLED));
	if (refusal)
		reply_err(c, refusal);
	else
		reply_ok(c);
}

size_t scripts_vm_bytes(const struct server *srv, enum script_vm_kind kind)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < srv->nr_cores; i++) {
		struct script_core *sk = __atomic_load_n(&srv->cores[i]->script, __ATOMIC_ACQUIRE);

		if (sk)
			bytes += atomic_load_explicit(&sk->vm_bytes[kind], memory_order_relaxed);
	}
	return bytes;
}

/* --- of a core -------------------------------------------------------------------------------- */

static struct script_core *core_get(struct app_core *ac)
{
	struct script_core *sk = ac->script;

	if (sk)
		return sk;
	sk = calloc(1, sizeof(*sk));
	if (!sk)
		return NULL;
	sk->ac = ac;
	sk->fiber = fiber_create(FIBER_STACK);
	sk->caller = client_create(ac, NULL, CLIENT_SCRIPT);
	if (!sk->fiber || !sk->caller || propagation_create(&sk->spare)) {
		fiber_destroy(&sk->fiber);
		client_destroy(&sk->caller);
		free(sk);
		return NULL;
	}
	/* pairs with scripts_vm_bytes() */
	__atomic_store_n(&ac->script, sk, __ATOMIC_RELEASE);
	return sk;
}

void script_core_destroy(struct app_core *ac)
{
	struct script_core *sk = ac->script;

	if (!sk)
		return;
	ac->script = NULL;
	for (int i = 0; i < 2; i++)
		script_vm_destroy(&sk->vms[i]);
	fiber_destroy(&sk->fiber);
	client_destroy(&sk->caller);
	propagation_destroy(&sk->spare);
	free(sk->argv);
	free(sk->reply);
	free(sk->loaded);
	free(sk);
}

struct script_vm *script_vm_get(struct app_core *ac, enum script_vm_kind kind)
{
	struct script_core *sk = core_get(ac);
	uint64_t generation = script_cache_generation(ac->srv->scripts->cache);

	if (!sk)
		return NULL;
	if (kind == SCRIPT_VM_EVAL && sk->generation != generation) {
		script_vm_destroy(&sk->vms[kind]);
		sk->generation = generation;
	}
	if (!sk->vms[kind]) {
		sk->vms[kind] = script_vm_create(kind, &script_host, sk);
		sk->nr_loaded = kind == SCRIPT_VM_FUNCTION ? 0 : sk->nr_loaded;
	}
	return sk->vms[kind];
}

/* --- aside and on again ----------------------------------------------------------------------- */

static void keep(struct script_core *sk)
{
	struct script_aside *a = &sk->aside;
	struct app_core *ac = sk->ac;

	*a = (struct script_aside){
		.prop = ac->prop,
		.has_effects = ac->has_effects,
		.in_exec = ac->in_exec,
		.local = ac->local,
		.out_of_memory = ac->out_of_memory,
		.events = ac->events,
		.running = ac->tracking.running,
		.outbox = ac->tracking.outbox,
		.admitted = ac->admitted,
		.locks = ac->locks,
		.ready = ac->listeners.ready,
		.deferred = sk->c->deferred,
		.argv = sk->c->argv,
		.argc = sk->c->argc,
	};
	ac->prop = sk->spare;
	ac->has_effects = ac->in_exec = false;
	memset(&ac->events, 0, sizeof(ac->events));
	ac->tracking.running = NULL;
	ac->tracking.outbox.cores = 0;
	ac->locks = NULL;
	ac->listeners.ready = (struct ready_nodes){0};
	sk->c->deferred = NULL; /* what comes unasked goes in front of the reply */
}

static void bring_back(struct script_core *sk)
{
	const struct script_aside *a = &sk->aside;
	struct app_core *ac = sk->ac;

	encbuf_fini(&ac->events);
	ac->tracking.running = a->running;
	ac->tracking.outbox = a->outbox;
	ac->prop = a->prop;
	ac->has_effects = a->has_effects;
	ac->in_exec = a->in_exec;
	ac->local = a->local;
	ac->out_of_memory = a->out_of_memory;
	ac->events = a->events;
	ac->admitted = a->admitted;
	ac->locks = a->locks;
	free(ac->listeners.ready.nodes);
	ac->listeners.ready = a->ready;
	reply_discard(sk->c);
	sk->c->deferred = a->deferred;
	sk->c->argv = (struct slice *)(uintptr_t)a->argv;
	sk->c->argc = a->argc;
}

void script_leave(struct script_core *sk)
{
	struct app_core *ac = sk->ac;

	if (!fiber_is_inside(sk->fiber))
		return;
	/* Others are about to use the writer: what it may still append is set aside too. */
	if (ac->admitted && log_hold(ac->log, ac->admitted))
		return;
	keep(sk);
	fiber_leave(sk->fiber);
	bring_back(sk);
}

static void fiber_main(void *arg)
{
	struct script_core *sk = arg;

	sk->rc = sk->fn(sk->c, sk->cmd);
}

/* The arguments in a block of their own: the bytes that the client has sent, and its parser, are
 * for others while the script is set aside. */
static bool copy_args(struct script_core *sk, struct client *c)
{
	size_t size = c->argc * sizeof(*sk->argv);
	char *at;

	for (uint32_t i = 0; i < c->argc; i++)
		size += c->argv[i].len;
	sk->argv = malloc(size);
	if (!sk->argv)
		return false;
	at = (char *)(sk->argv + c->argc);
	for (uint32_t i = 0; i < c->argc; i++) {
		memcpy(at, c->argv[i].ptr, c->argv[i].len);
		sk->argv[i] = (struct slice){at, c->argv[i].len};
		at += c->argv[i].len;
	}
	c->argv = sk->argv;
	return true;
}

/* The command on the fiber has ended. */
static enum run_result command_end(struct script_core *sk)
{
	if (sk->ac->log)
		log_hold(sk->ac->log, 0);
	sk->c = NULL;
	free(sk->argv);
	sk->argv = NULL;
	script_token_give(sk->ac->srv);
	return sk->rc;
}

enum run_result script_exec(struct client *c, const struct command *cmd,
	enum run_result (*run)(struct client *c, const struct command *cmd))
{
	struct script_core *sk = core_get(c->ac);
	struct slice *argv = c->argv;

	if (!sk) {
		reply_err(c, "ERR out of memory");
		return RUN_DONE;
	}
	if (sk->c || !script_token_take(c->srv)) {
		c->ac->retries_busy++;
		return RUN_RETRY;
	}
	group_end(c->ac);
	if (!copy_args(sk, c) || (c->ac->admitted && log_hold(c->ac->log, c->ac->admitted))) {
		reply_err(c, "ERR out of memory");
		sk->rc = RUN_DONE;
		c->argv = argv;
		return command_end(sk);
	}
	sk->c = c;
	sk->cmd = cmd;
	sk->fn = run;
	sk->is_lost = false;
	sk->log_given = c->ac->admitted ? SCRIPT_LOG_BYTES : 0;
	sk->slice_us = clock_mono_us();
	if (fiber_run(sk->fiber, fiber_main, sk)) {
		c->argv = argv;
		return command_end(sk);
	}
	sk->is_aside = true;
	client_flags_change(c, CLIENT_IN_SCRIPT, 0);
	c->block = BLOCK_SCRIPT;
	c->block_until_ms = 0;
	return RUN_BLOCK;
}

/* What was set aside has ended. */
static void client_goes_on(struct script_core *sk)
{
	struct client *c = sk->c;
	bool is_lost = sk->is_lost;

	sk->is_aside = sk->is_over = false;
	sk->c = NULL;
	c->argv = NULL;
	c->argc = 0;
	client_flags_change(c, 0, CLIENT_IN_SCRIPT);
	if (is_lost) {
		client_destroy(&c);
		return;
	}
	client_output_check(c);
	client_unblock(c);
}

bool script_core_work(struct app_core *ac)
{
	struct script_core *sk = ac->script;

	if (!sk || !sk->is_aside)
		return false;
	script_core_push(ac);
	if (sk->is_over)
		client_goes_on(sk);
	return true;
}

void script_core_push(struct app_core *ac)
{
	struct script_core *sk = ac->script;
	struct client *c;

	if (!sk || !sk->is_aside || sk->is_over)
		return;
	sk->slice_us = clock_mono_us();
	if (!fiber_resume(sk->fiber))
		return;
	c = sk->c;
	command_end(sk);
	sk->c = c; /* until it goes on, no other script comes here */
	sk->is_over = true;
}

bool script_lock_node(struct app_core *ac, struct ks_lockset *all)
{
	struct server *srv = ac->srv;

	ks_lockset_init(all);
	ks_lockset_all(all);
	while (!script_token_take(srv)) {
		script_core_push(ac);
		if (atomic_load(&ac->core->stop))
			return false;
	}
	while (!ks_lockset_try(srv->ks, all))
		;
	return true;
}

void script_unlock_node(struct app_core *ac, struct ks_lockset *all)
{
	ks_lockset_unlock(ac->srv->ks, all);
	ks_lockset_fini(all);
	script_token_give(ac->srv);
}

void script_client_closed(struct client *c)
{
	c->ac->script->is_lost = true;
}

/* Its partitions stay locked: nobody needs them any more. */
static void command_end_given_up(struct script_core *sk)
{
	struct client *c = sk->c;

	bring_back(sk);
	sk->ac->locks = NULL;
	listeners_ready_drop(sk->ac);
	propagation_reset(sk->ac);
	command_end(sk);
	sk->c = c;
}

void script_core_stop(struct app_core *ac)
{
	struct script_core *sk = ac->script;

	if (!sk || !sk->is_aside)
		return;
	if (!sk->is_over)
		command_end_given_up(sk);
	sk->is_aside = sk->is_over = false;
	client_flags_change(sk->c, 0, CLIENT_IN_SCRIPT);
	client_destroy(&sk->c);
}

/* --- one script ------------------------------------------------------------------------------- */

bool script_numkeys(struct client *c, const char *bad, uint32_t *nr)
{
	int64_t n;

	if (!arg_int(&c->argv[2], &n)) {
		reply_err(c, bad ? bad : REPLY_NOT_INT);
		return false;
	}
	if (n > (int64_t)c->argc - 3) {
		reply_err(c, "ERR Number of keys can't be greater than number of args");
		return false;
	}
	if (n < 0) {
		reply_err(c, "ERR Number of keys can't be negative");
		return false;
	}
	*nr = (uint32_t)n;
	return true;
}

static bool is_stale(const struct server *srv)
{
	return flag_on(&srv->is_replica) && !flag_on(&srv->cfg->replica_serve_stale_data) &&
	       !repl_link_up(srv);
}

/* Of a script that may write, and says so. */
static const char *refuse_writing(struct client *c, bool read_only)
{
	struct server *srv = c->srv;
	bool obeyed = c->flags & (CLIENT_MASTER | CLIENT_REPLAY);

	if (flag_on(&srv->is_replica) && flag_on(&srv->cfg->replica_read_only) && !obeyed)
		return "READONLY Can not run script with write flag on readonly replica";
	if (!obeyed && command_is_unsaved(srv))
		return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
		       "persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read "
		       "only scripts.";
	if (read_only)
		return "ERR Can not execute a script with write flag using *_ro command.";
	if (!flag_on(&srv->is_replica) && !obeyed && !repl_enough_replicas(srv, c->now_ms))
		return "NOREPLICAS Not enough good replicas to write.";
	return NULL;
}

static const char *refuse_script(struct client *c, uint32_t flags, bool read_only)
{
	const char *refusal = NULL;

	if (scripts_state(c->srv) & SCRIPT_STATE_RUNS)
		return "ERR scripts cannot run scripts";
	if (flags & SCRIPT_COMPAT)
		return is_stale(c->srv) ? "MASTERDOWN Link with MASTER is down and "
					  "replica-serve-stale-data is set to 'no'."
					: NULL;
	if (is_stale(c->srv) && !(flags & SCRIPT_ALLOW_STALE))
		return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' "
		       "and 'allow-stale' flag is not set on the script.";
	if (!(flags & SCRIPT_NO_WRITES))
		refusal = refuse_writing(c, read_only);
	if (!refusal && c->ac->out_of_memory && !(flags & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)))
		refusal = "OOM allow-oom flag is not set on the script, can not run it when used "
			  "memory > 'maxmemory'";
	return refusal;
}

/* What the script's commands run as. */
static void caller_prepare(struct script_core *sk, struct client *c)
{
	struct client *caller = sk->caller;
	const uint32_t like = CLIENT_MASTER | CLIENT_REPLAY | CLIENT_LOCAL | CLIENT_UNIX;

	client_flags_change(
		caller, CLIENT_SCRIPT | CLIENT_AUTHENTICATED | (c->flags & like), UINT32_MAX);
	caller->db = c->db;
	caller->resp = 2;
	caller->now_ms = c->now_ms;
}

static void run_begins(struct script_core *sk, bool is_eval)
{
	struct scripts *s = sk->ac->srv->scripts;
	struct client *c = sk->user;
	unsigned state = SCRIPT_STATE_RUNS | (is_eval ? SCRIPT_STATE_EVAL : 0);

	if (c->flags & (CLIENT_MASTER | CLIENT_REPLAY))
		state |= SCRIPT_STATE_OBEYED;
	rte_spinlock_lock(&s->lock);
	s->name = sk->run.name;
	s->argv = c->argv;
	s->argc = c->argc;
	s->start_us = clock_mono_us();
	rte_spinlock_unlock(&s->lock);
	atomic_store(&s->state, state);
}

static void run_ends(struct script_core *sk)
{
	struct scripts *s = sk->ac->srv->scripts;

	atomic_store(&s->state, 0);
	rte_spinlock_lock(&s->lock);
	s->name = NULL;
	s->argv = NULL;
	s->argc = 0;
	rte_spinlock_unlock(&s->lock);
	sk->caller->argv = NULL;
	sk->caller->argc = 0;
	if (sk->caller->tx) /* MULTI, with the refusals off */
		tx_discard(sk->caller);
	free(sk->reply);
	sk->reply = NULL;
	for (int i = 0; i < 2; i++)
		atomic_store_explicit(&sk->vm_bytes[i],
			sk->vms[i] ? script_vm_bytes(sk->vms[i]) : 0, memory_order_relaxed);
}

void script_begin(struct client *c, const char *name, bool is_eval, uint32_t flags, bool read_only,
	uint32_t nr_keys, void (*fn)(void *ctx, struct script_run *run), void *ctx)
{
	struct script_core *sk = c->ac->script;
	const char *refusal = refuse_script(c, flags, read_only);
	bool in_exec = c->ac->in_exec;

	if (refusal) {
		reply_err(c, refusal);
		return;
	}
	sk->user = c;
	sk->run = (struct script_run){
		.host = &script_host,
		.name = name,
		.c = c,
		.resp = 2,
		.repl = SCRIPT_REPL_ALL,
		.nr_keys = nr_keys,
		.keys = c->argv + 3,
		.nr_args = c->argc - 3 - nr_keys,
		.args = c->argv + 3 + nr_keys,
	};
	sk->is_compat = flags & SCRIPT_COMPAT;
	sk->read_only = read_only || (!sk->is_compat && (flags & SCRIPT_NO_WRITES));
	sk->allow_oom = !sk->is_compat && (flags & SCRIPT_ALLOW_OOM);
	sk->out_of_memory = c->ac->out_of_memory;
	sk->told_busy = false;
	sk->log_start = propagation_bytes(c->ac);
	sk->log_bytes = sk->log_given;
	sk->log_given = 0;
	caller_prepare(sk, c);
	run_begins(sk, is_eval);
	c->ac->in_exec = true;
	fn(ctx, &sk->run);
	c->ac->in_exec = in_exec;
	run_ends(sk);
}
